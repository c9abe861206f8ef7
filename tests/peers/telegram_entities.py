"""Text as Telegram takes and shows it: its HTML parsed with its own refusals, lengths, and HTML for a window.

The grammar and the wording of the refusals follow TDLib's ``parse_html``: offsets in refusals are bytes of UTF-8,
offsets of entities UTF-16 units. A bare ``&`` is text there, and so is an entity that it does not know (``&nbsp;``).
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

KINDS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "span": "spoiler",
    "tg-spoiler": "spoiler", "tg-emoji": "custom_emoji", "a": "text_link", "code": "code", "pre": "pre",
    "blockquote": "blockquote",
}  # fmt: skip
SHOWN = {
    "bold": "b", "italic": "i", "underline": "u", "strikethrough": "s", "spoiler": "span", "code": "code", "pre": "pre",
    "blockquote": "blockquote", "text_link": "a", "bot_command": "em", "custom_emoji": "span", "url": "em",
}  # fmt: skip
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|([a-zA-Z]+));?")
ATTRIBUTE = re.compile(r"\s*([^\s=>]*)\s*")
TOKEN = re.compile(r"[A-Za-z0-9.\-]*")
TRIMMED = " \t\r\n\v\f\u00a0\u200b"  # what a message may neither begin nor end with


class BadEntities(ValueError):
    """Telegram could not parse the text; the message is what it would say."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A stretch of text: ``offset`` and ``length`` in UTF-16 units; ``argument`` is a link or a language."""

    kind: str
    offset: int
    length: int
    argument: str = ""

    def json(self) -> dict[str, Any]:
        raw: dict[str, Any] = {"type": self.kind, "offset": self.offset, "length": self.length}
        if self.kind == "text_link":
            raw["url"] = self.argument
        elif self.kind == "custom_emoji":
            raw["custom_emoji_id"] = self.argument
        elif self.kind == "pre" and self.argument:
            raw["language"] = self.argument
        return raw


def units(text: str) -> int:
    """UTF-16 units, in which Telegram measures (an emoji counts two)."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def parsed(text: str, mode: str) -> tuple[str, tuple[Entity, ...]]:
    """The text as shown and its entities, without the white space around it.

    *mode* is ``""`` or ``HTML`` (the stand-in knows no other). Raises :class:`BadEntities` in Telegram's words.
    """
    return trimmed(*_parse(text)) if mode else trimmed(text, ())


def trimmed(text: str, entities: Sequence[Entity]) -> tuple[str, tuple[Entity, ...]]:
    """Without the white space around it, the entities moved along."""
    short = text.strip(TRIMMED)
    skipped = units(text[: len(text) - len(text.lstrip(TRIMMED))])
    size = units(short)
    kept = []
    for entity in entities:
        begin = max(0, entity.offset - skipped)
        end = min(size, entity.offset + entity.length - skipped)
        if end > begin:
            kept.append(replace(entity, offset=begin, length=end - begin))
    return short, tuple(sorted(kept, key=lambda each: (each.offset, -each.length)))


def commands(text: str) -> tuple[Entity, ...]:
    """The commands that a person's text holds (``/start``, ``/start@bot``), which libraries look for."""
    return tuple(
        Entity("bot_command", units(text[: found.start()]), units(found[0]))
        for found in re.finditer(r"(?<![\w/])/[A-Za-z0-9_]{1,64}(@\w{3,32})?(?![\w/])", text)
    )


def page(text: str, entities: Sequence[Entity]) -> str:
    """The text as HTML of a web page; the line break after a block goes, since a page breaks there anyway."""
    data = text.encode("utf-16-le")
    ordered = sorted(entities, key=lambda each: (each.offset, -each.length))
    edges = sorted({0, len(data) // 2, *(e.offset for e in ordered), *(e.offset + e.length for e in ordered)})
    pieces = []
    for begin, end in itertools.pairwise(edges):
        inside = [e for e in ordered if e.offset <= begin and e.offset + e.length >= end]
        piece = html.escape(data[begin * 2 : end * 2].decode("utf-16-le", "replace"))
        for entity in reversed(inside):
            tag = SHOWN.get(entity.kind, "span")
            link = f' href="{html.escape(entity.argument)}"' if tag == "a" else ""
            piece = f'<{tag} class="{entity.kind}"{link}>{piece}</{tag}>'
        pieces.append(piece)
    return re.sub(r"(</(?:blockquote|pre)>)\n", r"\1", "".join(pieces))


def _reference(text: str, at: int) -> tuple[str, int] | None:
    """The character that a reference at *at* stands for, and where it ends; ``None``: it is none, but text."""
    found = REFERENCE.match(text, at)
    if found is None:
        return None
    if found[3]:
        return (NAMED[found[3]], found.end()) if found[3] in NAMED else None
    code = int(found[1], 16) if found[1] else int(found[2])
    return (chr(code), found.end()) if 0 < code < 0x10FFFF and not 0xD800 <= code <= 0xDFFF else None


def _parse(text: str) -> tuple[str, list[Entity]]:
    shown: list[str] = []
    offset = 0
    entities: list[Entity] = []
    opened: list[tuple[str, str, int, int]] = []  # tag, argument, offset, index into shown
    at = 0

    def place(position: int) -> int:
        return len(text[:position].encode())

    while at < len(text):
        char = text[at]
        if char == "&" and (reference := _reference(text, at)) is not None:
            char, at = reference
            shown.append(char)
            offset += units(char)
            continue
        if char != "<":
            shown.append(char)
            offset += units(char)
            at += 1
            continue
        begin = at
        at += 1
        if text[at : at + 1] != "/":
            tag, argument, at = _start(text, begin, place(begin))
            opened.append((tag, argument, offset, len(shown)))
            continue
        if not opened:
            raise BadEntities(f"Unexpected end tag at byte offset {place(begin)}")
        end = re.compile(r"/([^\s>]*)\s*(>?)").match(text, at)
        assert end is not None
        if not end[2]:
            raise BadEntities(f"Unclosed end tag at byte offset {place(begin)}")
        at = end.end()
        tag, argument, since, index = opened.pop()
        if end[1] and end[1].lower() != tag:
            found = end[1].lower()
            raise BadEntities(
                f'Unmatched end tag at byte offset {place(begin)}, expected "</{tag}>", found "</{found}>"'
            )
        if offset > since:
            _close(entities, tag, argument or ("".join(shown[index:]) if tag == "a" else ""), since, offset - since)
    if opened:
        raise BadEntities(f"Can't find end tag corresponding to start tag {opened[-1][0]}")
    return "".join(shown), [replace(e, argument="") if e.kind == "code" else e for e in entities]


def _start(text: str, begin: int, place: int) -> tuple[str, str, int]:
    """Read a start tag: its name, its argument, and where it ends."""
    name = re.compile(r"[^\s>]*").match(text, begin + 1)
    assert name is not None
    at = name.end()
    if at >= len(text):
        raise BadEntities(f"Unclosed start tag at byte offset {place}")
    tag = name[0].lower()
    if tag not in KINDS:
        raise BadEntities(f'Unsupported start tag "{tag}" at byte offset {place}')
    argument = ""
    while text[at : at + 1] != ">":
        attribute = ATTRIBUTE.match(text, at)
        assert attribute is not None
        at = attribute.end()
        if text[at : at + 1] == ">" and not attribute[1]:
            break
        if not attribute[1]:
            raise BadEntities(f'Empty attribute name in the tag "{tag}" at byte offset {place}')
        if text[at : at + 1] != "=":
            if (tag, attribute[1]) == ("blockquote", "expandable"):
                continue
            raise BadEntities(
                f'Expected equal sign in declaration of an attribute of the tag "{tag}" at byte offset {place}'
            )
        value, at = _value(text, at + 1, tag, place)
        if (tag, attribute[1]) in {("a", "href"), ("tg-emoji", "emoji-id")}:
            argument = value
        elif (tag, attribute[1]) == ("code", "class") and value.startswith("language-"):
            argument = value.removeprefix("language-")
        elif (tag, attribute[1]) == ("span", "class") and value.startswith("tg-"):
            argument = value.removeprefix("tg-")
    if tag == "span" and argument != "spoiler":
        raise BadEntities(f'Tag "span" must have class "tg-spoiler" at byte offset {place}')
    return tag, argument, at + 1


def _value(text: str, at: int, tag: str, place: int) -> tuple[str, int]:
    """Read an attribute's value: quoted, or a name token."""
    while text[at : at + 1].isspace():
        at += 1
    quote = text[at : at + 1]
    if not quote:
        raise BadEntities(f'Unclosed start tag "{tag}" at byte offset {place}')
    value = ""
    if quote in "'\"":
        at += 1
        while at < len(text) and text[at] != quote:
            reference = _reference(text, at) if text[at] == "&" else None
            char, at = reference or (text[at], at + 1)
            value += char
        at += 1
    else:
        token = TOKEN.match(text, at)
        assert token is not None
        value, at = token[0].lower(), token.end()
        if text[at : at + 1] not in {">", ""} and not text[at].isspace():
            raise BadEntities(f"Unexpected end of name token at byte offset {len(text[: token.start()].encode())}")
    if at >= len(text):
        raise BadEntities(f"Unclosed start tag at byte offset {place}")
    return value, at


def _close(entities: list[Entity], tag: str, argument: str, offset: int, length: int) -> None:
    """Add the entity that an end tag ends; ``pre`` around ``code`` is one entity with a language."""
    last = entities[-1] if entities else None
    same = last is not None and (last.offset, last.length) == (offset, length)
    if tag == "pre" and same and last is not None and last.kind == "code" and last.argument:
        entities[-1] = replace(last, kind="pre")
    elif tag == "code" and same and last is not None and last.kind == "pre" and argument:
        entities[-1] = replace(last, argument=argument)
    elif tag == "a":
        if re.match(r"(https?|tg|ton|ftp)://|(mailto|tel):|[\w-]+(\.[\w-]+)+", argument):  # else only its text is kept
            entities.append(Entity("text_link", offset, length, argument))
    else:
        entities.append(Entity(KINDS[tag], offset, length, "" if tag == "span" else argument))
