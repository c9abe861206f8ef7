"""The personal id number (số định danh cá nhân): its grammar, and finding it in what people write, so as to hide it.

Twelve digits: three for the province or country where the birth was registered, one for century and sex, two for the
year of birth, six at random; no check digit (Decree 137/2015, Art. 13). The codes of the 63 old provinces (001–096)
stayed when provinces were merged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

SHADE = "••••"
DIGITS = 12
OLD_DIGITS = 9  # of the identity card (CMND), which nobody holds since 2025
PROVINCES = range(1, 97)
COUNTRIES = range(100, 400)  # the circular lists some two hundred from 101 on; wide, so that nobody is locked out
OLDEST = 120  # years

# What may stand between the digits: blanks of every kind, dots, commas, strokes, hyphens, signs that cannot be seen.
_GAP = r"[\s.,/_·\-\u00ad\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060-\u2064\u2212\ufeff]{1,3}"
_RUN = re.compile(rf"\d+(?:{_GAP}\d+)*")
_GROUP = re.compile(r"\d+")
# A resume code or an invite: secrets of another kind, which are hidden in their own way and must still be read.
_CODE = re.compile(r"(?i)\b(?:TL|MT)[ \-._]{0,3}[0-9A-Z](?:[ \-._]?[0-9A-Z]){15,}")
_PHONE = re.compile(r"0[235789]\d{8}")
_LINK = re.compile(r"(?i)\b(?:https?://|www\.)\S+")
_FORM = [3, 1, 2, 6]  # place, century and sex, year, the rest
_LONG = re.compile(rf"\d(?:(?:{_GAP})?\d){{5,}}")


@dataclass(frozen=True, slots=True)
class Hidden:
    """A text with every id number shaded (``••••1234``), and the numbers, plain digits, in the order of the text."""

    text: str
    numbers: tuple[str, ...] = field(default=(), repr=False)


def hide(text: str) -> Hidden:
    """Shade the id numbers of a text: twelve digits in one piece wherever they stand, or in groups with blanks, dots,
    commas, strokes or hyphens between. More in one piece may be a number glued to another, and are shaded whole. Not
    shaded: phone numbers, dates, codes that the product prints, a row of years, long numbers in the address of a page.
    """
    if sum(map(str.isdecimal, text)) < DIGITS:
        return Hidden(text)
    codes = [found.span() for found in _CODE.finditer(text)]
    links = [found.span() for found in _LINK.finditer(text)]
    parts, numbers, last = [], [], 0
    for start, end in _places(text):
        number = _plain(text[start:end])
        kept = codes if len(number) == DIGITS else codes + links
        if any(start >= left and end <= right for left, right in kept):
            continue
        parts += [text[last:start], shaded(number) if len(number) == DIGITS else SHADE]
        numbers.append(number)
        last = end
    return Hidden("".join((*parts, text[last:])), tuple(numbers)) if numbers else Hidden(text)


def mask(text: str) -> str:
    """The text with every id number shaded (:func:`hide`)."""
    return hide(text).text


def shaded(number: str) -> str:
    """``••••1234``: what people and officers are shown of a number."""
    return f"{SHADE}{number[-4:]}"


def hide_all(text: str) -> Hidden:
    """As :func:`hide`, for the answer to the very question for the number: six digits or more may be one with a slip in
    it, and are shaded whole; they too are among the numbers, behind those of twelve digits."""
    found = hide(text)
    codes = [each.span() for each in _CODE.finditer(found.text)]
    parts, slips, last = [], [], 0
    for slip in _LONG.finditer(found.text):
        if not any(slip.start() >= left and slip.end() <= right for left, right in codes):
            parts += [found.text[last : slip.start()], SHADE]
            slips.append(_plain(slip.group()))
            last = slip.end()
    return Hidden("".join((*parts, found.text[last:])), (*found.numbers, *slips)) if slips else found


def _plain(text: str) -> str:
    return "".join(str(int(sign)) for sign in text if sign.isdecimal())


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Where numbers stand, from left to right, none over another."""
    for run in _RUN.finditer(text):
        groups = [found.span() for found in _GROUP.finditer(text, run.start(), run.end())]
        first = 0
        while first < len(groups):
            after = _phone_from(text, groups, first)
            if after > first:
                first = after
                continue
            after = _number_from(text, groups, first)
            if after > first:
                yield groups[first][0], groups[after - 1][1]
            first = max(after, first + 1)


def _number_from(text: str, groups: list[tuple[int, int]], first: int) -> int:
    """The group after the number that begins with group *first*; *first* itself when none begins there."""
    if groups[first][1] - groups[first][0] > DIGITS:
        return first + 1
    length, after = 0, first
    while after < len(groups) and length < DIGITS:
        length += groups[after][1] - groups[after][0]
        after += 1
    if length != DIGITS:
        return first
    sizes = [end - start for start, end in groups[first:after]]
    if len(sizes) == 1:
        return after
    pieces = [_plain(text[start:end]) for start, end in groups[first:after]]
    if _counted(sizes) or _years(pieces):
        return first
    gaps = {text[left[1] : right[0]] for left, right in zip(groups[first:], groups[first + 1 : after], strict=False)}
    listed = any("," in gap or "/" in gap for gap in gaps) and gaps != {"/"}
    if listed and min(sizes) < 3 and sizes != _FORM:  # dates, and what is counted up with commas
        return first
    # A date and a time make twelve digits too: with changing signs between them only a possible number is one.
    return after if len(gaps) == 1 or possible("".join(pieces)) else first


def _counted(sizes: list[int]) -> bool:
    """ "1 2 3 … 10": single digits in a row count something, unless every digit stands alone."""
    alone = sizes.count(1)
    return 1 < alone < len(sizes)


def _years(pieces: list[str]) -> bool:
    return all(len(each) == 4 and each[:2] in ("19", "20") for each in pieces)


def _phone_from(text: str, groups: list[tuple[int, int]], first: int) -> int:
    """The group after the phone number (``0912345678``, ``0912 345 678``) that begins with group *first*; *first* when
    none does. No id number is written in pieces of these sizes, unless its last two digits stand apart."""
    rest = _plain(text[groups[first][0] : groups[-1][1]])
    apart = groups[first][1] - groups[first][0] == 10 and len(rest) == DIGITS and possible(rest)
    for shape in () if apart else ((10,), (4, 3, 3)):
        pieces = [text[start:end] for start, end in groups[first : first + len(shape)]]
        if tuple(map(len, pieces)) == shape and _PHONE.fullmatch(_plain("".join(pieces))):
            return first + len(shape)
    return first


# ------------------------------------------------------------------------------------------ the number itself


def possible(number: str) -> bool:
    """May these twelve digits be the number of somebody alive? (Place, century and sex; not the year.)"""
    place = int(number[:3])
    return (place in PROVINCES or place in COUNTRIES) and number[3] in "0123"


def birth_year(number: str) -> int:
    """The year of birth that a number tells (0/1: 1900s, 2/3: 2000s, …)."""
    return 1900 + int(number[3]) // 2 * 100 + int(number[4:6])


def well_formed(number: str, this_year: int) -> bool:
    """Twelve digits of somebody who may be alive in *this_year*."""
    return (
        re.fullmatch(r"[0-9]{12}", number) is not None
        and possible(number)
        and this_year - OLDEST <= birth_year(number) <= this_year
    )
