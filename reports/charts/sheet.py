"""What every picture is made of: boxes, words and curves on a sheet, its head and foot, and the colours.

Plain arithmetic in pixels from the top left. Nothing here draws (:mod:`reports.charts.paint` does), so that a server
may ask how many pages a chart takes without loading what draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Literal, NamedTuple

from locales import _, moment, number
from reports import fonts

WIDTH = 1080
HIGHEST = 2560  # px: Telegram scales down what is higher
MARGIN = 40
SMALLEST = 28  # px: about 10 px on a phone 390 px wide

# Okabe and Ito's colours, told apart under every common colour blindness; vermilion darker, for white numbers on it.
SKY, ORANGE, GREEN, BLUE, VERMILION = "#56B4E9", "#E69F00", "#009E73", "#0072B2", "#C04E00"
SERIES = {"registered": SKY, "submitted": ORANGE, "approved": GREEN}
INK, MUTED, RULE, BAND, PAPER = "#1A1A1A", "#555555", "#C9CED4", "#F3F6F9", "#FFFFFF"
MARKED = "#FCEBCB"  # behind a row that is to be seen, whose bar may be of no length

NAME_SIZE, NAME_LINE, NAME_WIDTH = 30, 36, 340

Align = Literal["left", "center", "right"]


class Words(NamedTuple):
    """One line of text; ``x`` is its left end, middle or right end by ``align``, ``y`` its baseline."""

    x: float
    y: float
    text: str
    size: float
    bold: bool = False
    colour: str = INK
    align: Align = "left"


class Box(NamedTuple):
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str


class Curve(NamedTuple):
    """A line through two or more points; ``dashes`` are the lengths drawn and left out."""

    points: tuple[tuple[float, float], ...]
    colour: str
    width: float
    dashes: tuple[float, float] | None = None


@dataclass(slots=True)
class Sheet:
    """What stands on a picture so far, and how far down it reaches. Boxes lie under curves, words on top."""

    boxes: list[Box] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
    bottom: float = 0

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """Adds a filled rectangle."""
        self.boxes.append(Box(x, y, width, height, colour))

    def say(
        self, x: float, y: float, text: str, size: float, bold: bool = False, colour: str = INK, align: Align = "left"
    ) -> None:
        """Adds a line of text."""
        self.words.append(Words(x, y, text, size, bold, colour, align))

    def heading(self, name: str, year: int, as_of: datetime) -> None:
        """Whose figures, of which year, as of when."""
        self.box(0, 0, WIDTH, 12, BLUE)
        self.bottom = 40
        size, lines = fonts.fit(name, (50, 44, 40), WIDTH - 2 * MARGIN, 2, bold=True)
        for each in lines:
            self.line(each, size, bold=True)
        self.line(_("chart.title", year=year), 36)
        self.line(_("chart.as_of", moment=moment(as_of)), SMALLEST, colour=MUTED)

    def nothing_yet(self) -> None:
        """The picture of figures that hold nobody."""
        top = self.bottom + 40
        self.box(MARGIN, top, WIDTH - 2 * MARGIN, 260, BAND)
        self.say(WIDTH / 2, top + 120, _("chart.empty"), 44, True, align="center")
        for at, each in enumerate(fonts.fold(_("chart.empty.next"), 30, WIDTH - 4 * MARGIN)):
            self.say(WIDTH / 2, top + 180 + at * 40, each, 30, colour=MUTED, align="center")
        self.bottom = top + 260

    def footing(self, *, points: bool, page: int = 1, spans: Sequence[tuple[int, int]] = ((0, 0),)) -> None:
        """Which of the pages (*spans* of rows), the source and, where *points* are shown, what the criteria are."""
        self.bottom += 24
        self.box(MARGIN, self.bottom, WIDTH - 2 * MARGIN, 2, RULE)
        self.bottom += 14
        if len(spans) > 1:
            first, last = spans[page - 1]
            span = {"first": number(first + 1), "last": number(last), "count": number(spans[-1][1])}
            self.line(_("chart.page", page=page, pages=len(spans), **span), SMALLEST, colour=MUTED)
        self.line(_("chart.source"), SMALLEST, colour=MUTED)
        if points:
            self.line(_("chart.reconstruction"), SMALLEST, colour=MUTED)
        self.bottom += 20

    def title(self, text: str) -> None:
        """What the next part shows."""
        self.bottom += 26
        self.line(text, 36, bold=True)
        self.bottom += 10

    def line(self, text: str, size: float, bold: bool = False, colour: str = INK) -> None:
        """Text from the left margin under what is there, folded where it is long."""
        for each in fonts.fold(text, size, WIDTH - 2 * MARGIN, bold):
            self.say(MARGIN, self.bottom + size * 1.05, each, size, bold, colour)
            self.bottom += size * 1.4

    def beside(self, x: float, middle: float, lines: Sequence[str], size: float, pitch: float) -> None:
        """Lines of a name from *x*, together in the middle of their row."""
        for place, each in enumerate(lines):
            self.say(x, baseline(middle, size, place, len(lines), pitch), each, size)

    def dashed(self, x: float, top: float, bottom: float) -> None:
        """A dashed line from top to bottom, over what is there."""
        for y in range(int(top), int(bottom), 16):
            self.box(x - 2, y, 4, min(10, bottom - y), INK)


def baseline(middle: float, size: float, place: int = 0, lines: int = 1, pitch: float = 0) -> float:
    """Where a line's baseline lies for its capitals (0.71 of the size) to stand in the middle."""
    return middle + size * 0.357 + (place - (lines - 1) / 2) * pitch


def widest(names: Sequence[Sequence[str]], size: float) -> float:
    """How wide the widest of folded names is."""
    return max((fonts.width(each, size) for lines in names for each in lines), default=0)


def length(value: float, per_one: float) -> float:
    """A bar's length: whatever is there at all shows, be it 2 pixels."""
    return max(2, value * per_one) if value > 0 else 0


def spans(heights: Sequence[float], most: int, room: float) -> list[tuple[int, int]]:
    """Rows of these heights on as few pages as hold at most *most* of them and *room* pixels each, about equally
    full: the slices ``[first, last)``. No rows are one page; a row higher than the room has a page of its own."""
    count = len(heights)
    for total in range(max(1, -(-count // most)), count + 1):
        found = list(pairwise(page * count // total for page in range(total + 1)))
        if all(sum(heights[first:last]) <= room for first, last in found):
            return found
    return [(at, at + 1) for at in range(count)] or [(0, 0)]
