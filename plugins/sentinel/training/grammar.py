"""Texts from lines with choices: `[a|b]` is one of them, `{name}` a slot, `\\` takes the next character as it is."""

import random
from pathlib import Path

OWN = Path(__file__).parent / "own"


def lines(name):
    """The lines of one of our own files, without its comments; in a file of blocks, the blocks between `===`."""
    text = (OWN / name).read_text(encoding="utf-8")
    if "\n===\n" in text:
        return [block.split("\n", 1)[1] if block.startswith("# ") and at == 0 else block
                for at, block in enumerate(text.rstrip("\n").split("\n===\n"))]
    return [line for line in text.splitlines() if line and not line.startswith("# ")]


def slots():
    """What may stand for a name in braces."""
    found = {}
    for line in lines("slots.txt"):
        name, values = line.split(": ", 1)
        found[name] = values.split(" | ")
    return found


def languages():
    """For each language code: its harmless openings, attacks and harmless texts."""
    found = {}
    for file in sorted((OWN / "lang").glob("*.txt")):
        for line in lines("lang/" + file.name):
            if line.startswith("## "):
                now = found.setdefault(line[3:], {">": [], "!": [], "=": []})
            else:
                now[line[0]].append(line[2:])
    return found


class Grammar:
    """Expands lines, the same for the same seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.slots = slots()
        self.files = {"p": lines("payloads.txt"), "h": lines("harms.txt"), "b": lines("prose.txt"),
                      "q": lines("questions.txt")}

    def choice(self, values):
        return values[self.random.randrange(len(values))]

    def expand(self, line, more=None):
        """One text of the line; `more` gives values of slots that only the caller knows."""
        out, at = [], 0
        while at < len(line):
            char = line[at]
            if char == "\\" and at + 1 < len(line):
                out.append("\n" if line[at + 1] == "n" else line[at + 1])
                at += 2
            elif char == "[" and (end := closing(line, at)):
                out.append(self.expand(self.choice(split(line[at + 1:end])), more))
                at = end + 1
            elif char == "{" and (end := line.find("}", at)) > 0 and line[at + 1:end].isidentifier():
                value = self.slot(line[at + 1:end], more or {})
                out.append("{" + line[at + 1:end] + "}" if value is None else value)
                at = end + 1
            else:
                out.append(char)
                at += 1
        return "".join(out)

    def slot(self, name, more):
        if name in more:
            value = more[name]
            return value() if callable(value) else value
        if name == "P":
            value = self.expand(self.choice(self.files["p"]), more)
            return value[:1].upper() + value[1:]
        if name in self.files:
            return self.expand(self.choice(self.files[name]), more)
        if name in self.slots:
            return self.choice(self.slots[name])
        return None


def closing(line, at):
    """Where the choice that opens at `at` ends; nothing if it is only a bracket."""
    depth = 0
    for place in range(at, len(line)):
        if line[place - 1] == "\\" and place > 0:
            continue
        depth += {"[": 1, "]": -1}.get(line[place], 0)
        if depth == 0:
            return place if len(split(line[at + 1:place])) > 1 else None
    return None


def split(inside):
    """The values of a choice: parts between bars that are not in an inner choice."""
    parts, depth, start, at = [], 0, 0, 0
    while at < len(inside):
        if inside[at] == "\\":
            at += 1
        elif inside[at] in "[]":
            depth += 1 if inside[at] == "[" else -1
        elif inside[at] == "|" and depth == 0:
            parts.append(inside[start:at])
            start = at + 1
        at += 1
    return [*parts, inside[start:]]
