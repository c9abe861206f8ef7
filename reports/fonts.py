"""Noto Sans as shipped in ``fonts/`` (OFL): where it lies, how wide a text is, and how a long name folds."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

FOLDER = Path(__file__).with_name("fonts")
REGULAR = FOLDER / "NotoSans-Regular.ttf"
BOLD = FOLDER / "NotoSans-Bold.ttf"
# Measured once at a size where whole-pixel rounding no longer shows, then scaled.
MEASURED_AT = 200


@lru_cache(maxsize=2)
def _face(bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(BOLD if bold else REGULAR, MEASURED_AT, layout_engine=ImageFont.Layout.BASIC)


def width(text: str, size: float, bold: bool = False) -> float:
    """How wide one line is, in the unit of *size* (pixels or points)."""
    return sum([_advance(letter, bold) for letter in text]) * size / MEASURED_AT


@lru_cache(maxsize=2048)
def _advance(letter: str, bold: bool) -> float:
    """How far a letter moves the pen: these fonts have no table of pairs that would move it otherwise."""
    return _face(bold).getlength(letter)


def fold(text: str, size: float, within: float, bold: bool = False) -> list[str]:
    """The text in as few lines as fit *within*, about equally long; spaces and accents tidied (NFC).

    A single word wider than *within* is split: a name is never cut off. What was folded lately is remembered.
    """
    return list(_folded(text, size, within, bold))


@lru_cache(maxsize=4096)
def _folded(text: str, size: float, within: float, bold: bool) -> tuple[str, ...]:
    words = [
        piece for word in unicodedata.normalize("NFC", text).split() for piece in _pieces(word, size, within, bold)
    ]
    lines = _greedy(words, size, within, bold)
    if len(lines) < 2:
        return tuple(lines)
    # The narrowest column that still needs no more lines: "Thành phố / Hồ Chí Minh", not "Thành phố Hồ Chí / Minh".
    low, high = within / len(lines) / 2, within
    while high - low > size / 4:
        middle = (low + high) / 2
        tried = _greedy(words, size, middle, bold)
        if len(tried) > len(lines) or any(width(line, size, bold) > middle for line in tried):
            low = middle
        else:
            high, lines = middle, tried
    return tuple(lines)


def fit(text: str, sizes: tuple[float, ...], within: float, lines: int, bold: bool = False) -> tuple[float, list[str]]:
    """The largest of *sizes* (falling) at which the text folds into at most *lines*; the last one if none does."""
    for size in sizes:
        folded = fold(text, size, within, bold)
        if len(folded) <= lines:
            return size, folded
    return size, folded


def _greedy(words: list[str], size: float, within: float, bold: bool) -> list[str]:
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size, bold) <= within:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _pieces(word: str, size: float, within: float, bold: bool) -> list[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and width(pieces[-1] + letter, size, bold) > within:
            pieces.append("")
        pieces[-1] += letter
    return pieces
