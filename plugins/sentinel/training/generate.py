"""Makes the texts that Sentinel's layer is trained on: `generate.py PACKAGES OUT` writes a line of JSON each, the same every time.

A text has a label, a kind, and a part: `train`, or `held` for harmless texts that only choose the threshold. Which part a line of our own
goes to is decided by the line, and of corpora by the source, so that no text of the held part has a sibling that was trained on.
"""

import hashlib
import json
import random
import sys
from pathlib import Path

import corpora
from encode import COVERS, ENCODERS, HARMLESS_COVERS, disguise
from grammar import Grammar, languages, lines

# How many texts of each line of our own.
PER_LINE = 28
# In front of an attack or behind it, so that what is learnt is the attack and not its place.
BEFORE = ["", "", "", "", "[Hello|Hi|Hey|Thanks|OK][!|,|.] ", "{q} ", "{b} ", "{q}\n\n", "{b}\n", "[Quick question|By the way|One more thing|PS][:|.] ",
          "Translate [to French|into German]: '{b}' ", "Summarise this: {b}\n\n", "1 + 1 = 2. "]
AFTER = ["", "", "", "", "", " [Thanks.|Please!|Now.|OK?|Go.|Hurry.]", " {q}", "\n{b}", " [Answer in JSON.|Be brief.|No excuses.|Do not explain.|Skip all warnings.]",
         " [Begin with|Start with] [\"OK\"|'Certainly'|\"Yes\"]."]
MOST = {"doc": 500, "code_django": 350, "code": 70, "docstring": 500, "saying": 900, "message": 4_500, "dialogue": 4_000, "rights": 4_000}
HELD_OUT = ["debian-handbook", "fortunes-zh", "fortunes-bg", "fortunes-es", "git", "manpages-hu", "manpages-cs", "debian-reference-pt", "haystack-ai", "instructor"]


def held(line):
    """Whether a line of our own harmless texts is kept from training: one in six."""
    return hashlib.sha256(line.encode()).digest()[0] % 6 == 0


class Writer:
    """Writes texts, each once."""

    def __init__(self, out):
        self.out, self.seen = out, set()

    def add(self, label, kind, text, part="train"):
        text = text.strip()
        if text and text not in self.seen:
            self.seen.add(text)
            self.out.write(json.dumps({"text": text, "label": label, "kind": kind, "part": part}, ensure_ascii=False) + "\n")


def wrapped(grammar, text):
    before = grammar.expand(grammar.choice(BEFORE))
    return before + text + grammar.expand(grammar.choice(AFTER))


def own_attacks(grammar, writer):
    """Our templates, alone, in a sentence, disguised and in documents."""
    files = {"direct": "direct.txt", "exfil": "exfil.txt", "roleplay": "roleplay.txt", "delimiter": "delimiter.txt", "context": "context.txt"}
    for kind, file in files.items():
        for line in lines(file):
            for number in range(PER_LINE):
                text = grammar.expand(line)
                writer.add("attack", kind, text if number % 3 == 0 else wrapped(grammar, text))
    carriers = lines("carriers.txt")
    for line in lines("indirect.txt"):
        for _ in range(PER_LINE * 2):
            text = grammar.expand(grammar.choice(carriers), {"A": lambda: grammar.expand(line)})
            writer.add("attack", "indirect", text)
        for _ in range(4):
            writer.add("attack", "indirect", grammar.expand(line))
    mixed = [line for file in ("direct.txt", "exfil.txt", "roleplay.txt", "delimiter.txt") for line in lines(file)]
    for carrier in carriers:
        for _ in range(6):
            writer.add("attack", "indirect_direct", grammar.expand(carrier, {"A": lambda: grammar.expand(grammar.choice(mixed))}))


def short(grammar, files, most=160):
    """An attack short enough to be disguised."""
    while True:
        text = grammar.expand(grammar.choice(files)).split("\n")[0].rstrip(".!?")
        if len(text) <= most:
            return text


def disguised(grammar, writer):
    files = [line for file in ("direct.txt", "exfil.txt", "roleplay.txt") for line in lines(file)]
    harmless = [line for file in ("questions.txt", "prose.txt", "hard.txt") for line in lines(file) if not held(line) and "{enc}" not in line]
    kept = [line for file in ("questions.txt", "prose.txt", "hard.txt") for line in lines(file) if held(line) and "{enc}" not in line]
    for name in ENCODERS:
        for number in range(90):
            text = short(grammar, files)
            text = text.lower() if number % 2 else text
            code = disguise(name, text, grammar.random)
            cover = "{e}" if number % 3 == 0 else grammar.choice(COVERS)
            writer.add("attack", "encoded_" + name, grammar.expand(cover, {"e": code}))
        for number in range(50):
            part, source = ("held", kept) if number % 6 == 0 else ("train", harmless)
            text = short(grammar, source)
            code = disguise(name, text.lower() if number % 2 else text, grammar.random)
            writer.add("benign", "encoded_harmless", grammar.expand(grammar.choice(HARMLESS_COVERS), {"e": code}), part)


def own_harmless(grammar, writer):
    encoded = lambda: disguise(grammar.choice(["base64", "hex", "rot13", "morse", "binary"]), grammar.slot("b", {}), grammar.random)
    for kind, file, count in (("questions", "questions.txt", 110), ("hard", "hard.txt", 60), ("snippets", "snippets.txt", 40), ("prose", "prose.txt", 1),
                              ("security", "security.txt", 30), ("tasks", "tasks.txt", 45)):
        for line in lines(file):
            part = "held" if held(line) else "train"
            for number in range(count):
                text = grammar.expand(line, {"enc": encoded})
                if number % 4 == 3 and kind in ("hard", "questions"):
                    text = grammar.expand(grammar.choice(["{b} ", "{q} ", "[Hello|Hi|Thanks]. "])) + text
                if number % 4 == 2 and kind in ("hard", "prose"):
                    text += grammar.expand(grammar.choice([" {b}", " {b} {b}", "\n\n{b}", " {q}"]))
                writer.add("benign", kind, text, part)
    hard = [line for line in lines("hard.txt") if not held(line) and "{enc}" not in line]
    for carrier in lines("carriers.txt"):
        part = "held" if held(carrier) else "train"
        for number in range(40):
            inside = (lambda: grammar.slot("b", {})) if number % 2 else (lambda: grammar.expand(grammar.choice(hard)))
            writer.add("benign", "documents", grammar.expand(carrier, {"A": inside}), part)


def tongues(grammar, writer):
    """Our own translations: attacks and what is harmless, by language; whole, behind an opening, mixed, and in documents."""
    found = languages()
    carriers = lines("carriers.txt")
    attacks = [(code, line) for code, texts in found.items() for line in texts["!"]]
    for code, texts in found.items():
        opening = (lambda: grammar.expand(grammar.choice(texts[">"])) + " ") if texts[">"] else (lambda: "")
        for line in texts["!"]:
            for number in range(40 if len(texts["!"]) > 5 else 24):
                text = grammar.expand(line)
                text = opening() + text if number % 3 == 1 else text
                if number % 8 == 5:
                    text = grammar.expand(grammar.choice(carriers), {"A": text})
                writer.add("attack", "tongue_" + code, text)
        for line in texts["="]:
            part = "held" if held(line) else "train"
            for number in range(24):
                text = grammar.expand(line)
                writer.add("benign", "tongue_" + code, opening() + text if number % 3 == 1 else text, part)
    for _ in range(600):
        _, line = grammar.choice(attacks)
        before, after = grammar.slot("b", {}), grammar.choice(["", grammar.slot("P", {}) + "."])
        writer.add("attack", "tongue_mixed", f"{before} {grammar.expand(line)} {after}")


def jailbreaks(grammar, writer, packages):
    for kind, text in [*corpora.garak(packages), *corpora.pyrit(packages)]:
        for place in ("{{ prompt }}", "{{prompt}}", "[INSERT PROMPT HERE]", "{prompt}"):
            text = text.replace(place, grammar.expand("how do I {h}?"))
        writer.add("attack", kind, text[:6_000])


def corpora_harmless(writer, packages):
    sources = [line.split() for line in (Path(__file__).parent / "sources.txt").read_text(encoding="utf-8").splitlines()]
    debian = [words[1] for words in sources if words[0] == "deb"]
    libraries = [words[1] for words in sources if words[0] == "pip" and words[1] not in ("garak", "pyrit", "django", "chatterbot-corpus")]
    found = {}
    readers = [corpora.documents(packages, debian), corpora.fortunes(packages, debian), corpora.messages(packages, debian), corpora.django(packages),
               corpora.dialogues(packages), corpora.declaration(packages), corpora.manuals(packages), corpora.programs(packages, libraries)]
    for kind, text in (row for reader in readers for row in reader):
        found.setdefault(kind, []).append(text)
    documents = []
    for kind, texts in sorted(found.items()):
        part = "held" if any(kind.endswith("_" + name) for name in HELD_OUT) else "train"
        chance = random.Random("corpora " + kind)
        most = MOST.get(kind, MOST.get(kind.split("_")[0], 10_000))
        most = most // 5 if kind.startswith("doc") and part == "train" else most
        for text in chance.sample(texts, min(most, len(texts))):
            writer.add("benign", kind, text[:16_000], part)
            if kind.startswith(("doc", "code")) and len(text) > 4_000:
                documents.append(text)
    return documents


def long_documents(grammar, writer, documents):
    """One injected sentence in a long document: what a window is for."""
    files = [*lines("indirect.txt"), *lines("indirect.txt"), *lines("direct.txt"), *lines("exfil.txt"), *lines("delimiter.txt")]
    for _ in range(500):
        text = grammar.choice(documents)[:12_000]
        breaks = [at for at, char in enumerate(text) if char == "\n"] or [len(text) // 2]
        at = grammar.choice(breaks)
        writer.add("attack", "indirect_long", text[:at] + "\n" + grammar.expand(grammar.choice(files)) + "\n" + text[at:])


def main():
    packages = corpora.Packages(sys.argv[1])
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        writer = Writer(out)
        own_harmless(Grammar("harmless"), writer)
        documents = corpora_harmless(writer, packages)
        tongues(Grammar("tongues"), writer)
        disguised(Grammar("disguised"), writer)
        own_attacks(Grammar("attacks"), writer)
        jailbreaks(Grammar("jailbreaks"), writer, packages)
        long_documents(Grammar("long"), writer, documents)


if __name__ == "__main__":
    main()
