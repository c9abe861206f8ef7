"""What a sheet shows: its texts, the rectangles their letters cover, and whether anything lies on anything."""

from __future__ import annotations

from itertools import combinations

from matplotlib.colors import to_rgb

from reports import fonts
from reports.charts import paint
from reports.charts.sheet import MARGIN, PAPER, SMALLEST, WIDTH, Box, Sheet, Words

Rectangle = tuple[float, float, float, float]  # left, top, right, bottom


def said(sheet: Sheet) -> list[str]:
    return [words.text for words in sheet.words]


def ink(words: Words) -> Rectangle:
    """The rectangle that the letters really cover."""
    mask, left, top = paint.glyphs(words.text, words.size, words.bold)
    x = words.x - {"left": 0, "center": 0.5, "right": 1}[words.align] * fonts.width(words.text, words.size, words.bold)
    return round(x) + left, round(words.y) - top, round(x) + left + mask.shape[1], round(words.y) - top + mask.shape[0]


def apart(one: Rectangle, other: Rectangle, slack: float = 0) -> bool:
    return (
        one[2] <= other[0] + slack
        or other[2] <= one[0] + slack
        or one[3] <= other[1] + slack
        or other[3] <= one[1] + slack
    )


def inside(one: Rectangle, other: Rectangle) -> bool:
    return other[0] <= one[0] and other[1] <= one[1] and one[2] <= other[2] and one[3] <= other[3]


def around(box: Box) -> Rectangle:
    return box.x, box.y, box.x + box.width, box.y + box.height


def under(sheet: Sheet, words: Words) -> list[Box]:
    """The rectangles that a text touches, the topmost last."""
    at = ink(words)
    return [box for box in sheet.boxes if not apart(at, around(box), 1)]


def ground_of(sheet: Sheet, words: Words) -> str:
    """The colour that a text stands on."""
    return next((box.colour for box in reversed(under(sheet, words))), PAPER)


def contrast(one: str, other: str) -> float:
    """WCAG 2: 1 to 21."""
    lights = []
    for colour in (one, other):
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)
    return max(lights) / min(lights)


def assert_readable(sheet: Sheet) -> None:
    """Every text whole on the picture, large enough, on one ground that it stands out from, alone."""
    texts = [(words, ink(words)) for words in sheet.words]
    for words, (left, top, right, bottom) in texts:
        assert words.size >= SMALLEST
        assert left >= MARGIN - 4 and right <= WIDTH - 4, f"{words.text!r} is cut at the side"
        assert top >= 4 and bottom <= sheet.bottom - 10, f"{words.text!r} is cut above or below"
    for (one, at), (other, there) in combinations(texts, 2):
        assert apart(at, there), f"{one.text!r} lies on {other.text!r}"
    for words, at in texts:
        for box in under(sheet, words):
            assert inside(at, around(box)), f"{words.text!r} lies across the edge of {box}"
        ground = ground_of(sheet, words)
        assert contrast(words.colour, ground) >= 4.5, f"{words.text!r} is pale: {words.colour} on {ground}"
        assert (words.colour, ground) in paint.PAIRS, f"the palette has no steps of {words.colour} on {ground}"
        for curve in sheet.curves:
            xs, ys = zip(*curve.points, strict=True)
            half = curve.width / 2
            reach = (min(xs) - half, min(ys) - half, max(xs) + half, max(ys) + half)
            assert apart(at, reach), f"{words.text!r} lies on a curve"


def bars(sheet: Sheet, colour: str) -> list[Box]:
    """The rectangles of a colour, from the top."""
    return sorted((box for box in sheet.boxes if box.colour == colour), key=lambda box: box.y)
