"""Are the catalogues whole? ``python -m locales.check`` prints one line per fault and ends with 1 if there is any.

How the code names its sentences, and so what is found here:

* ``_("join.consent", unit=…)``: the key, and whether every placeholder of its sentence is given;
* ``_("a.b" if … else "a.c")``: both keys;
* ``_(f"form.{voice.form}")``: the family ``form.*``: one key at least must exist, and all count as used;
* ``_(key)``: nothing. A module that passes keys on lists them at its top level, ``KEYS = ("status.draft", …)``
  (any name that ends in ``KEYS``; also as the values of a dict).
"""

from __future__ import annotations

import ast
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import filter as filter_names
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import PoFileError, read_po

ROOT = Path(__file__).parent.parent
LANGUAGES = ("vi", "en")
SPEAKERS = ("bot", "dialogs", "reports", "locales")  # criteria and storage may not speak
LINE = re.compile(r'(#.*|((msgid|msgstr) )?"([^"\\]|\\.)*")?')
ADDRESS = {"you", "You"}  # `_` itself fills these in; English may do without


@dataclass(frozen=True, slots=True)
class Use:
    """One place in the code that names a sentence.

    *key* is its key or, of an f-string, the family of its keys (``status.*``). *given* are the names of the fields
    passed, None where the call does not show them (``**fields``, a declared key).
    """

    where: str
    key: str
    given: frozenset[str] | None


def faults(root: Path = ROOT) -> list[str]:
    """All that is wrong with the catalogues of the project in this folder, as ``file:line: what`` each."""
    catalogues: dict[str, Catalog] = {}
    found: list[str] = []
    for language in LANGUAGES:
        path = root / "locales" / language / "LC_MESSAGES" / "bot.po"
        name = str(path.relative_to(root))
        try:
            with path.open("rb") as file:
                catalogues[language] = read_po(file, locale=language, abort_invalid=True)
        except (PoFileError, UnicodeDecodeError) as error:
            return [f"{name}:{getattr(error, 'lineno', 1)}: cannot be read: {error}"]
        found += _faults_of_one(name, path.read_text(encoding="utf-8"), catalogues[language])

    sentences = {
        language: {str(message.id): message for message in catalogue if message.id}
        for language, catalogue in catalogues.items()
    }
    for language, others in (("vi", "en"), ("en", "vi")):
        name = f"locales/{language}/LC_MESSAGES/bot.po"
        for key in sorted(sentences[others].keys() - sentences[language].keys()):
            found.append(f"{name}:1: no sentence {key!r}, which {others} has")
    for key in sorted(sentences["vi"].keys() & sentences["en"].keys()):
        vi, en = (_placeholders(sentences[language][key]) - ADDRESS for language in LANGUAGES)
        if vi != en:
            line = sentences["en"][key].lineno
            found.append(f"locales/en/LC_MESSAGES/bot.po:{line}: {key!r} has {_set(en)} but in vi {_set(vi)}")
    return [*found, *_faults_of_use(list(uses(root)), sentences["vi"])]


def _faults_of_one(name: str, text: str, catalogue: Catalog) -> Iterator[str]:
    """What one catalogue shows without the others and the code."""
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        # Babel merges a second entry of the same key into the first without a word.
        if line.startswith('msgid "') and line != 'msgid ""':
            if line in seen:
                yield f"{name}:{number}: {line.removeprefix('msgid ')} is here twice"
            seen.add(line)
        # Nor does it mind a quotation mark too many: it shows it, with the backslash missing.
        if not LINE.fullmatch(line):
            yield f"{name}:{number}: not a line of a catalogue (a quotation mark without a backslash?)"
        if not unicodedata.is_normalized("NFC", line):
            yield f"{name}:{number}: not in NFC (accents apart from their letters)"
    for message in catalogue:
        if not message.id:
            continue
        where = f"{name}:{message.lineno}: {message.id!r}"
        if not message.string:
            yield f"{where} is empty"
        if message.fuzzy:
            yield f"{where} is fuzzy, which leaves it out"
        try:
            placeholders = sorted(set(_parsed(message)))
        except ValueError as error:
            yield f"{where} has a broken placeholder: {error}"
        else:
            for placeholder in placeholders:
                if not placeholder.isidentifier():
                    yield f"{where} has the placeholder {{{placeholder}}}, which is not a name"


def _faults_of_use(all_uses: list[Use], sentences: dict[str, Message]) -> Iterator[str]:
    """What the code asks for and the catalogues lack, and the other way round."""
    known, used = set(sentences), set[str]()
    for use in all_uses:
        keys = filter_names(known, use.key)
        used.update(keys)
        if not keys:
            yield f"{use.where}: no sentence {use.key!r}"
        for key in sorted(keys):
            missing = set() if use.given is None else _placeholders(sentences[key]) - ADDRESS - use.given
            if missing:
                yield f"{use.where}: {key!r} needs {_set(missing)}"
    for key in sorted(known - used):
        yield f"locales/vi/LC_MESSAGES/bot.po:{sentences[key].lineno}: {key!r} is used nowhere"


def uses(root: Path = ROOT) -> Iterator[Use]:
    """Every place in the code of the speaking packages that names a sentence."""
    for package in SPEAKERS:
        for path in sorted((root / package).rglob("*.py")):
            name = str(path.relative_to(root))
            tree = ast.parse(path.read_text(encoding="utf-8"), name)
            yield from _declared(name, tree)
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and node.args and _is_sentence(node.func):
                    fields = [keyword.arg for keyword in node.keywords]
                    for key in _keys(node.args[0]):
                        unknown = None in fields or "*" in key  # one call serves sentences with other fields
                        given = None if unknown else frozenset(filter(None, fields))
                        yield Use(f"{name}:{node.lineno}", key, given)


def _declared(name: str, tree: ast.Module) -> Iterator[Use]:
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target.endswith("KEYS"):
                pass
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target.endswith("KEYS"):
                pass
            case _:
                continue
        for node in ast.walk(ast.Tuple(value.values) if isinstance(value, ast.Dict) else value):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield Use(f"{name}:{node.lineno}", node.value, None)


def _is_sentence(function: ast.expr) -> bool:
    match function:
        case ast.Name(id="_") | ast.Attribute(value=ast.Name(id="locales"), attr="_") | ast.Attribute(attr="gettext"):
            return True
    return False


def _keys(argument: ast.expr) -> Iterator[str]:
    match argument:
        case ast.Constant(value=str(key)):
            yield key
        case ast.IfExp(body=one, orelse=other):
            yield from _keys(one)
            yield from _keys(other)
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts)


def _placeholders(message: Message) -> set[str]:
    """The names in braces; none where the braces are broken, which is a fault of its own."""
    with suppress(ValueError):
        return set(_parsed(message))
    return set()


def _parsed(message: Message) -> list[str]:
    return [part[1] for part in Formatter().parse(str(message.string)) if part[1] is not None]


def _set(names: set[str]) -> str:
    return " ".join(f"{{{name}}}" for name in sorted(names)) or "no placeholder"


if __name__ == "__main__":
    lines = faults()
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.exit(bool(lines))
