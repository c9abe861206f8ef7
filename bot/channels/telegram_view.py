"""What Telegram shows of a :class:`~dialogs.model.Screen`: bubbles, keyboards, the menu of commands. Pure layout.

The words are the screen's. Limits are the Bot API's: 4,096 UTF-16 code units of text and 1,024 of a caption, both
counted after the entities are parsed; 64 bytes of callback data.

A button's data is ``<screen number>:<choice id>``; ``<screen number>:=<n>`` where the id would not fit (pressing then
is typing *n*); ``p:<screen number>:<page>`` asks for another page of the same keyboard.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from itertools import groupby

from dialogs import commands
from dialogs.model import Act, Choice, Document, Picture, Pressed, Screen, Typed
from dialogs.text import BACK
from locales import Voice, _, speaking

TEXT_LIMIT = 4096  # UTF-16 code units
CAPTION_LIMIT = 1024
ALBUM_LIMIT = 10
DATA_LIMIT = 64  # bytes
DESCRIPTION_LIMIT = 256

# A button 280 px wide holds about 36 signs of running text; Vietnamese words are short, and blanks are narrow.
ONE_LINE = 38
HALF_LINE = 14
THIRD_LINE = 6
MOST_ROWS = 11  # a row or two to scroll past is less trouble than a second page
PAGE = 8
MOST_QUIET = 6  # quiet choices that stand on every page
BAR = 12  # signs

_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_DATA = re.compile(r"([0-9]{1,9}):(.+)", re.DOTALL)
_PAGE = re.compile(r"p:([0-9]{1,9}):([0-9]{1,3})")
_TYPED = re.compile(r"=[0-9]{1,3}")
# Where a text is best cut, the best first; the cut comes after what is matched.
_CUTS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"[.?!…;:][\"”')]*\s"), re.compile(r"\s"))


@dataclass(frozen=True, slots=True)
class Button:
    """A button: its text, its callback data (none on a reply keyboard), whether it shares the phone number.

    ``style`` is the Bot API's (``primary``, ``danger`` or none): the likely next step and what cannot be undone.
    """

    text: str
    data: str = ""
    contact: bool = False
    style: str = ""


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message. ``plain`` is the text of ``html`` without markup, should Telegram refuse the entities.

    With a ``photo`` (a key of the blob store) or a ``document`` the text is its caption. ``reply``: the keyboard takes
    the place of the phone's own, else it hangs below the message.
    """

    html: str
    plain: str
    photo: str = ""
    document: Document | None = None
    keyboard: tuple[tuple[Button, ...], ...] = ()
    reply: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """Pictures sent as an album beforehand (their captions are plain text), then the bubbles: one at least, the
    keyboard on the last. ``protected``: not to be forwarded or saved."""

    album: tuple[Picture, ...]
    bubbles: tuple[Bubble, ...]
    protected: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Another page of a screen's keyboard was asked for: no act of the conversation."""

    number: int
    page: int


def look(screen: Screen, page: int = 0) -> Look:
    """How Telegram shows a screen, with this page of its choices (from 0; beyond the last it is the last).

    Texts longer than a message become several bubbles and lose nothing but blanks at the cuts. Never raises.
    """
    pictures = tuple(_captioned(picture) for picture in screen.pictures if not picture.again)[:ALBUM_LIMIT]
    with speaking(Voice(screen.language)):
        keyboard = _reply_keyboard(screen) if screen.input == "tel" else _inline_keyboard(screen, page)
        more = [
            _("telegram.caption", n=n, text=picture.caption)
            for n, picture in enumerate(pictures, 1)
            if _units(picture.caption) > CAPTION_LIMIT
        ]
    words = _Words(
        note=_clean(screen.note),
        title=_clean(screen.title),
        bar=_bar(screen.progress),
        text="\n\n".join(filter(None, (_clean(screen.text), *more, "\n".join(keyboard.lines)))),
    )
    album: tuple[Picture, ...] = ()
    if screen.number == 0 and len(pictures) == 1:
        bubbles = _with_photo(pictures[0], words)
    else:
        bubbles = _bubbles(words)
        album = tuple(replace(each, caption=_clipped_caption(each.caption)) for each in pictures)
    *before, last = bubbles
    with speaking(Voice(screen.language)):
        documents = [_with_document(document) for document in screen.documents]
    last = replace(last, keyboard=keyboard.rows, reply=screen.input == "tel")
    return Look(album, (*before, *documents, last), screen.protected)


def pressed(data: str) -> tuple[int | None, Act] | Page | None:
    """What a button's data means: screen number and act, another page, or ``None`` for data that is not ours.

    Screen number 0 is a notice's, which stands beside the open question. Never raises, whatever a client sends.
    """
    if found := _PAGE.fullmatch(data):
        return Page(int(found[1]), int(found[2]))
    found = _DATA.fullmatch(data)
    if found is None or not _fits(data):
        return None
    number, choice = int(found[1]), found[2]
    if not choice.startswith("="):
        return number, Pressed(choice)
    return (number, Typed(choice[1:])) if _TYPED.fullmatch(choice) else None


def menu(officer: bool, language: str) -> tuple[tuple[str, str], ...]:
    """The commands that this role may use, for ``setMyCommands``: (name without slash, description of at most 256
    characters). An officer's own come first."""
    offered = [each for each in commands.COMMANDS if each.key and (officer or each.who != "officer")]
    offered.sort(key=lambda each: each.who != "officer")
    with speaking(Voice(language)):
        return tuple(
            (each.names[0], _(f"menu.{each.key.removeprefix('command.')}")[:DESCRIPTION_LIMIT])
            for each in offered
            if _COMMAND.fullmatch(each.names[0])
        )


# ------------------------------------------------------------------------------------------ text


@dataclass(frozen=True, slots=True)
class _Words:
    """What is read in a message, from top to bottom; the parts that are there, a blank line between them."""

    note: str = ""
    title: str = ""
    bar: str = ""
    text: str = ""

    def spans(self) -> tuple[str, list[tuple[int, int, str]]]:
        """The whole as plain text, and which of it (start, end) is marked how."""
        plain, marked = "", []
        for part, tag, gap in (
            (self.note, "blockquote", "\n\n"),
            (self.title, "b", "\n\n"),
            (self.bar, "", "\n" if self.title else "\n\n"),
            (self.text, "", "\n\n"),
        ):
            if not part:
                continue
            plain += gap if plain else ""
            if tag:
                marked.append((len(plain), len(plain) + len(part), tag))
            plain += part
        return plain, marked


def _bubbles(words: _Words) -> list[Bubble]:
    """The words in as many bubbles as they need, one at least."""
    plain, marked = words.spans()
    if not _visible(plain):  # Telegram takes no empty message
        return [Bubble("…", "…")]
    return [
        Bubble(_html(plain, a, b, marked), plain[a:b]) for a, b in _pieces(plain, TEXT_LIMIT) if _visible(plain[a:b])
    ]


def _with_photo(picture: Picture, words: _Words) -> list[Bubble]:
    """A picture with the words as its caption; the title alone, and the rest below it, where they are too many."""
    plain, _marked = words.spans()
    if not _visible(plain):
        words = _Words(text=picture.caption)
        plain = picture.caption
    if _visible(plain) and _units(plain) <= CAPTION_LIMIT:
        return [replace(_bubbles(words)[0], photo=picture.key)]
    head = _Words(title=words.title)
    if not _visible(words.title) or _units(words.title) > CAPTION_LIMIT:
        return [Bubble("", "", photo=picture.key), *(_bubbles(words) if _visible(plain) else ())]
    return [replace(_bubbles(head)[0], photo=picture.key), *_bubbles(replace(words, title=""))]


def _html(plain: str, start: int, end: int, marked: Iterable[tuple[int, int, str]]) -> str:
    """This stretch of a text as HTML: escaped, and marked as far as the marks reach into it."""
    out, at = [], start
    for first, last, tag in marked:
        first, last = max(first, start), min(last, end)
        if first < last:
            out.append(escape(plain[at:first], quote=False))
            out.append(f"<{tag}>{escape(plain[first:last], quote=False)}</{tag}>")
            at = last
    out.append(escape(plain[at:end], quote=False))
    return "".join(out)


def _pieces(text: str, limit: int) -> list[tuple[int, int]]:
    """Where (start, end) a text is cut so that each piece is at most *limit* UTF-16 code units and begins and ends
    with a sign: between paragraphs, lines, sentences or words, the first of these that leaves a piece half full."""
    found: list[tuple[int, int]] = []
    start = 0
    while True:
        start += len(text[start:]) - len(text[start:].lstrip())
        if start == len(text):
            return found
        end = start + _room(text[start:], limit)
        if end < len(text):
            end = _best_cut(text, start, end)
        found.append((start, start + len(text[start:end].rstrip())))
        start = end


def _best_cut(text: str, start: int, end: int) -> int:
    """The best place in the second half of this stretch to end a piece at."""
    half = (start + end) // 2
    for cut in _CUTS:
        places = [found.end() for found in cut.finditer(text, half, min(end + 1, len(text)))]
        if places:
            return places[-1]
    for back in range(end, max(half, end - 32), -1):  # no accent or joined sign apart from what it belongs to
        if not _joins(text[back]) and text[back - 1] != "\u200d":
            return back
    return end


def _joins(sign: str) -> bool:
    return unicodedata.category(sign).startswith("M") or sign == "\u200d" or "\U0001f3fb" <= sign <= "\U0001f3ff"


def _units(text: str) -> int:
    """How long Telegram counts a text: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _room(text: str, limit: int) -> int:
    """How many characters of a text go into *limit* UTF-16 code units."""
    most = min(len(text), limit)
    while (over := _units(text[:most]) - limit) > 0:
        most -= (over + 1) // 2
    return most


def _visible(text: str) -> bool:
    return any(unicodedata.category(sign)[0] not in "ZC" for sign in text)


def _clean(text: str) -> str:
    """Without what cannot be sent as UTF-8 and without blanks around it, with one sort of line break."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _bar(progress: tuple[int, int] | None) -> str:
    """``●●●○○○○○○○``: signs that cheap phones have."""
    if progress is None or progress[1] < 2:
        return ""
    done, of = min(max(progress[0], 0), progress[1]), progress[1]
    if of > BAR:
        done, of = done * BAR // of, BAR
    return "●" * done + "○" * (of - done)


def _captioned(picture: Picture) -> Picture:
    return replace(picture, caption=_clean(picture.caption))


def _clipped_caption(text: str) -> str:
    if _units(text) <= CAPTION_LIMIT:
        return text
    first, last = _pieces(text, CAPTION_LIMIT - 1)[0]
    return f"{text[first:last]}…"


def _with_document(document: Document) -> Bubble:
    name = _clean(document.name)
    if document.key and not document.content:  # it waited until its day was over
        gone = _("handed.over", file=name)
        return Bubble(escape(gone, quote=False), gone)
    name = name[: _room(name, CAPTION_LIMIT)]
    return Bubble(escape(name, quote=False), name, document=document)


# ------------------------------------------------------------------------------------------ keyboard


@dataclass(frozen=True, slots=True)
class _Keyboard:
    """Rows of buttons, and the lines that say in full what is cut short on them."""

    rows: tuple[tuple[Button, ...], ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Key:
    """A choice on its way to a keyboard: the number by which it can be typed (0: back), its button, the line that says
    in full what the button cuts short."""

    choice: Choice
    number: int
    button: Button
    line: str = ""

    @property
    def kind(self) -> str:
        """What the choice is about: ``unit`` of ``unit:06685``, nothing of ``skip``."""
        name, sep, _rest = self.choice.id.partition(":")
        return name if sep else ""

    @property
    def aside(self) -> bool:
        """Does it stand below the others?"""
        return self.choice.role == "quiet" or self.choice.id == BACK


def _keys(screen: Screen) -> list[_Key]:
    """The choices, each with a button that says its whole label."""
    keys, number = [], 0
    mains = sum(choice.role == "main" for choice in screen.choices)
    for choice in screen.choices:
        number += choice.id != BACK
        typed = 0 if choice.id == BACK else number
        label = _label(choice.label)
        style = "danger" if choice.role == "danger" else "primary" if choice.role == "main" and mains == 1 else ""
        button = Button(label, _data(screen.number, choice.id, typed), style=style)
        keys.append(_Key(choice, typed, button))
    return keys


@lru_cache(maxsize=4096)
def _label(text: str) -> str:
    """A label on one line; never empty."""
    label = " ".join(_clean(text).split())
    return label if _visible(label) else "…"


def _data(screen: int, choice: str, typed: int) -> str:
    data = f"{screen}:{choice}"
    return f"{screen}:={typed}" if not choice or choice.startswith("=") or not _fits(data) else data


def _fits(data: str) -> bool:
    return data.isprintable() and len(data.encode()) <= DATA_LIMIT


def _inline_keyboard(screen: Screen, page: int) -> _Keyboard:
    keys = _keys(screen)
    body = [key for key in keys if not key.aside]
    tail = [key for key in keys if key.aside]
    if len(tail) > MOST_QUIET:
        body = [key for key in keys if key.choice.id != BACK]
        tail = [key for key in keys if key.choice.id == BACK]
    written = _cut_short if screen.number else _cut_short_unnumbered
    body, tail = written(body), written(tail)
    lines = tuple(key.line for key in (*body, *tail) if key.line)  # of all pages: turning them changes no text
    turning: list[Button] = []
    rest: list[_Key] = []
    if len(_rows(body)) > MOST_ROWS:
        mains = [key for key in body if key.choice.role == "main"]
        stays = mains if len(mains) == 1 else []  # the one likely next step is on every page
        turned = [key for key in body if key not in stays]
        page = min(max(page, 0), (len(turned) - 1) // PAGE)
        shown = turned[page * PAGE : (page + 1) * PAGE]
        if shown[-1] is not turned[-1]:
            turning.append(Button(_("telegram.more"), f"p:{screen.number}:{page + 1}"))
        if page:
            turning.append(Button(_("telegram.previous"), f"p:{screen.number}:{page - 1}"))
        end = body.index(shown[-1])
        rest = [key for key in body[end + 1 :] if key in stays]
        body = [key for key in body[: end + 1] if key in stays or key in shown]
    rows = (*_rows(body), *((button,) for button in turning), *_rows(rest), *_in_twos(tail))
    return _Keyboard(rows, lines)


def _reply_keyboard(screen: Screen) -> _Keyboard:
    """A button that shares the phone number, and the choices as what would be typed."""
    keys = [replace(key, button=Button(key.button.text)) for key in _keys(screen)]
    share = Button(_("telegram.share_phone"), contact=True)
    body, tail = [key for key in keys if not key.aside], [key for key in keys if key.aside]
    return _Keyboard(((share,), *_rows(body), *_in_twos(tail)))


def _cut_short(keys: Sequence[_Key]) -> list[_Key]:
    """Where a label does not fit on its button, that and its neighbours of the same sort are numbered, on the buttons
    and in lines of the text, by what can also be typed: a scale is read as a whole."""
    found: list[_Key] = []
    for _sort, run in groupby(keys, key=lambda key: key.kind or key.choice.role):
        alike = list(run)
        if all(_width(key.button.text) <= ONE_LINE for key in alike):
            found.extend(alike)
            continue
        for key in alike:
            label = key.button.text
            line = label if label.startswith(f"{key.number}. ") else f"{key.number}. {label}"
            found.append(replace(key, button=replace(key.button, text=_clipped(line, ONE_LINE)), line=line))
    return found


def _cut_short_unnumbered(keys: Sequence[_Key]) -> list[_Key]:
    """The same below a notice, where a typed number would answer the open question instead."""
    return [
        key
        if _width(key.button.text) <= ONE_LINE
        else replace(
            key, button=replace(key.button, text=_clipped(key.button.text, ONE_LINE)), line=f"• {key.button.text}"
        )
        for key in keys
    ]


def _rows(keys: Sequence[_Key]) -> list[tuple[Button, ...]]:
    """One button a row; two or three where all choices of one kind and role that stand together are short."""
    rows: list[tuple[Button, ...]] = []
    for _alike, run in groupby(keys, key=lambda key: (key.kind, key.choice.role)):
        buttons = [key.button for key in run]
        widest = max(_width(button.text) for button in buttons)
        size = 3 if widest <= THIRD_LINE and len(buttons) % 3 != 1 else 2 if widest <= HALF_LINE else 1
        rows.extend(tuple(buttons[n : n + size]) for n in range(0, len(buttons), size))
    return rows


def _in_twos(keys: Sequence[_Key]) -> list[tuple[Button, ...]]:
    """Two neighbours in a row wherever both are short."""
    rows: list[tuple[Button, ...]] = []
    for key in keys:
        if rows and len(rows[-1]) == 1 and max(_width(key.button.text), _width(rows[-1][0].text)) <= HALF_LINE:
            rows[-1] = (*rows[-1], key.button)
        else:
            rows.append((key.button,))
    return rows


@lru_cache(maxsize=4096)  # labels repeat: the same ten questions for everybody
def _width(text: str) -> int:
    """How wide a text is shown, in columns."""
    return sum(_columns(sign) for sign in text)


def _columns(sign: str) -> int:
    if unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def _clipped(text: str, most: int) -> str:
    """The beginning of a text in at most *most* columns, cut between words where there is one to cut at."""
    if _width(text) <= most:
        return text
    width, end = 0, 0
    while width + _columns(text[end]) < most:
        width += _columns(text[end])
        end += 1
    head, _sep, _rest = text[: end + 1].rpartition(" ")
    return f"{(head if len(head) * 2 > end else text[:end]).rstrip(' ,;.:')}…"
