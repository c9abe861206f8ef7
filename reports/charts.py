"""Charts of a unit's figures as pictures for a phone (biểu đồ): PNG, 1,080 px wide, as high as they need.

The centre and a province show their child units, at most 20 a picture; a commune and a unit of the association
show how many came from registering to approval, and the mean of each indicator. Layout is plain arithmetic in
pixels from the top left; matplotlib draws what it yields. Run in a worker process (:mod:`reports.pool`): importing
this module imports matplotlib.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from typing import Literal, NamedTuple

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from PIL import Image

from locales import _, moment, number, percent
from reports import fonts
from reports.model import CENTRE, PROVINCE, IndicatorMean, Row, UnitFigures, page_span, pages, ranked

# Letters at 28 px and more need no grid fitting, and drawing them takes half the time without.
mpl.rcParams["text.hinting"] = "none"

Z_RLE = 3  # zlib's number, which Pillow passes on
Channel = npt.NDArray[np.uint8]

WIDTH = 1080
MARGIN = 40
SMALLEST = 28  # px: about 10 px on a phone 390 px wide

# Okabe and Ito's colours, told apart under every common colour blindness.
SKY, ORANGE, GREEN, BLUE, VERMILION = "#56B4E9", "#E69F00", "#009E73", "#0072B2", "#D55E00"
SERIES = {"registered": SKY, "submitted": ORANGE, "approved": GREEN}
INK, MUTED, RULE, BAND, PAPER = "#1A1A1A", "#555555", "#C9CED4", "#F3F6F9", "#FFFFFF"

BAR_PITCH, BAR = 28, 22
ROW_GAP = 14
NAME_SIZE, NAME_LINE, NAME_WIDTH = 30, 36, 340
INDICATOR_WIDTH = 490


class Words(NamedTuple):
    """One line of text; ``x`` is its left end, middle or right end by ``align``, ``y`` its baseline."""

    x: float
    y: float
    text: str
    size: float
    bold: bool = False
    colour: str = INK
    align: Literal["left", "center", "right"] = "left"


class Box(NamedTuple):
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(slots=True)
class Sheet:
    """What stands on a picture so far, and how far down it reaches; pixels from the top left."""

    boxes: list[Box] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)
    bottom: float = 0


def draw(figures: UnitFigures, page: int = 1) -> bytes:
    """A page (from 1) of the chart of these figures as PNG, in the voice in force.

    ``ValueError`` for a page beyond :func:`reports.model.pages`.
    """
    return png(compose(figures, page))


def compose(figures: UnitFigures, page: int = 1) -> Figure:
    """The page as a figure of which one point is one pixel, not drawn yet."""
    first, last = page_span(figures, page)
    sheet = Sheet()
    _heading(sheet, figures)
    if figures.empty:
        _nothing_yet(sheet)
    elif figures.level in (CENTRE, PROVINCE) and figures.rows:
        _totals(sheet, figures)
        _children(sheet, figures, first, last)
    else:
        _funnel(sheet, figures)
        _indicators(sheet, figures)
    _footing(sheet, figures, page, first, last)
    return _figure(sheet)


def png(figure: Figure) -> bytes:
    """The figure drawn, as PNG with a fixed palette: a third of the bytes of true colours, and quicker."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    colours, nearest = _palette()
    picture = Image.fromarray(nearest[_cell(pixels[..., 0], pixels[..., 1], pixels[..., 2])])
    picture.putpalette(colours)
    out = BytesIO()
    # Flat areas and short runs: run-length coding is as small as zlib's level 4 in half the time.
    picture.save(out, "PNG", compress_type=Z_RLE)
    return out.getvalue()


def _cell(red: Channel, green: Channel, blue: Channel) -> npt.NDArray[np.uint16]:
    """A colour's place in a cube of 32 steps a side."""
    cell = (red >> 3).astype(np.uint16)
    for channel in (green, blue):
        cell <<= 5
        cell |= channel >> 3
    return cell


@lru_cache(maxsize=1)
def _palette() -> tuple[bytes, Channel]:
    """The colours that occur (the flat ones, and the steps between a text and its ground), and for each cell of
    the cube the nearest of them."""
    flat = [_rgb(colour) for colour in (PAPER, BAND, RULE, INK, *SERIES.values(), BLUE, VERMILION)]
    grounds = {INK: (PAPER, BAND), MUTED: (PAPER, BAND), PAPER: (BLUE, VERMILION)}
    steps = [
        _rgb(ground) + (_rgb(ink) - _rgb(ground)) * step / 8
        for ink, under in grounds.items()
        for ground in under
        for step in range(1, 9)
    ]
    colours = np.round([*flat, *steps]).astype(np.uint8)
    side = np.arange(32) * 8 + 4
    cube = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    nearest = ((cube - colours.astype(int)) ** 2).sum(axis=-1).argmin(axis=-1).astype(np.uint8)
    return colours.tobytes(), nearest


def _rgb(colour: str) -> npt.NDArray[np.float64]:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], dtype=float)


# The parts of a picture, from the top.


def _heading(sheet: Sheet, figures: UnitFigures) -> None:
    sheet.boxes.append(Box(0, 0, WIDTH, 12, BLUE))
    sheet.bottom = 40
    size, lines = fonts.fit(figures.name, (50, 44, 40), WIDTH - 2 * MARGIN, 2, bold=True)
    for line in lines:
        _line(sheet, line, size, bold=True)
    _line(sheet, _("chart.title", year=figures.year), 36)
    _line(sheet, _("chart.as_of", moment=moment(figures.as_of)), SMALLEST, colour=MUTED)


def _nothing_yet(sheet: Sheet) -> None:
    top = sheet.bottom + 40
    sheet.boxes.append(Box(MARGIN, top, WIDTH - 2 * MARGIN, 260, BAND))
    sheet.words.append(Words(WIDTH / 2, top + 120, _("chart.empty"), 44, True, align="center"))
    lines = fonts.fold(_("chart.empty.next"), 30, WIDTH - 4 * MARGIN)
    for at, line in enumerate(lines):
        sheet.words.append(Words(WIDTH / 2, top + 180 + at * 40, line, 30, colour=MUTED, align="center"))
    sheet.bottom = top + 260


def _totals(sheet: Sheet, figures: UnitFigures) -> None:
    """The legend and the unit's own sums in one: a square, what it stands for, how many."""
    top, column = sheet.bottom + 28, (WIDTH - 2 * MARGIN) / len(SERIES)
    for at, (series, colour) in enumerate(SERIES.items()):
        x = MARGIN + at * column
        sheet.boxes.append(Box(x, top + 6, 28, 28, colour))
        sheet.words.append(Words(x + 42, top + 32, _(f"chart.{series}"), 32))
        sheet.words.append(Words(x, top + 94, number(getattr(figures, series)), 52, True))
    sheet.bottom = top + 108
    _pass_rate(sheet, figures)


def _pass_rate(sheet: Sheet, figures: UnitFigures) -> None:
    if figures.pass_rate is not None:
        _line(sheet, _("chart.pass_rate", share=percent(figures.pass_rate)), 30)


def _children(sheet: Sheet, figures: UnitFigures, first: int, last: int) -> None:
    rows = ranked(figures.rows)
    _title(sheet, _("chart.by_province" if figures.level == CENTRE else "chart.by_commune"))
    # Measured over all pages, so that a bar of one length means the same on each.
    names = [fonts.fold(row.label, NAME_SIZE, NAME_WIDTH) for row in rows]
    left = MARGIN + max(fonts.width(line, NAME_SIZE) for lines in names for line in lines) + 24
    most = max(1, *(max(row.registered, row.submitted, row.approved) for row in rows))
    room = fonts.width(number(most), SMALLEST, True) + 12
    per_person = (WIDTH - MARGIN - left - room) / most
    shown = zip(rows[first:last], names[first:last], strict=True)
    for at, (row, lines) in enumerate(shown):
        height = max(len(SERIES) * BAR_PITCH, len(lines) * NAME_LINE) + ROW_GAP
        if at % 2 == 0:
            sheet.boxes.append(Box(0, sheet.bottom, WIDTH, height, BAND))
        middle = sheet.bottom + height / 2
        for place, line in enumerate(lines):
            sheet.words.append(
                Words(MARGIN, _baseline(middle, NAME_SIZE, place, len(lines), NAME_LINE), line, NAME_SIZE)
            )
        _row_bars(sheet, row, left, middle, per_person)
        sheet.bottom += height


def _row_bars(sheet: Sheet, row: Row, left: float, middle: float, per_person: float) -> None:
    if not (row.registered or row.submitted):
        sheet.words.append(Words(left, _baseline(middle, SMALLEST), _("chart.nobody"), SMALLEST, colour=MUTED))
        return
    for place, (series, colour) in enumerate(SERIES.items()):
        count = getattr(row, series)
        y = middle + (place - 1) * BAR_PITCH
        length = count * per_person and max(2, count * per_person)
        sheet.boxes.append(Box(left, y - BAR / 2, length, BAR, colour))
        sheet.words.append(
            Words(left + length + 8, _baseline(y, SMALLEST), number(count), SMALLEST, series == "approved")
        )


def _funnel(sheet: Sheet, figures: UnitFigures) -> None:
    _title(sheet, _("chart.funnel"))
    labels = {series: _(f"chart.{series}") for series in SERIES}
    left = MARGIN + max(fonts.width(label, 34) for label in labels.values()) + 24
    # The share stands behind the number, room for both is kept at the right.
    most = max(1, figures.registered, figures.submitted, figures.approved)
    room = fonts.width(number(most), 42, True) + fonts.width(percent(0.999), 30) + 44
    per_person = (WIDTH - MARGIN - left - room) / most
    for series, colour in SERIES.items():
        count, middle = getattr(figures, series), sheet.bottom + 40
        length = count * per_person and max(2, count * per_person)
        text = number(count)
        sheet.words.append(Words(MARGIN, _baseline(middle, 34), labels[series], 34))
        sheet.boxes.append(Box(left, middle - 30, length, 60, colour))
        sheet.words.append(Words(left + length + 12, _baseline(middle, 42), text, 42, True))
        # More can have handed in than are registered: some withdrew since. A share would only puzzle then.
        if series != "registered" and count <= figures.registered:
            x = left + length + 12 + fonts.width(text, 42, True) + 16
            share = percent(count / max(1, figures.registered))
            sheet.words.append(Words(x, _baseline(middle, 42), share, 30, colour=MUTED))
        sheet.bottom += 80
    sheet.bottom += 8
    _pass_rate(sheet, figures)
    states = {
        "waiting": figures.waiting,
        "returned": figures.returned,
        "not_met": figures.not_met,
        "withdrawn": figures.withdrawn,
    }
    told = [_(f"chart.state.{state}", n=number(count)) for state, count in states.items() if count]
    for line in fonts.fold(" · ".join(told), 30, WIDTH - 2 * MARGIN):
        _line(sheet, line, 30, colour=MUTED)


def _indicators(sheet: Sheet, figures: UnitFigures) -> None:
    _title(sheet, _("chart.indicators"))
    told = [mean for mean in figures.indicators if mean.n]
    if not told:
        _line(sheet, _("chart.no_points"), 30, colour=MUTED)
        return
    names = [fonts.fold(f"{mean.id} {mean.short_name}", NAME_SIZE, INDICATOR_WIDTH) for mean in told]
    left = MARGIN + max(fonts.width(line, NAME_SIZE) for lines in names for line in lines) + 24
    per_point = (WIDTH - MARGIN - left) / 10
    limit = left + figures.minimum * per_point
    limit_name = _("chart.minimum", points=number(figures.minimum, 1))
    half = fonts.width(limit_name, SMALLEST) / 2
    sheet.words.append(
        Words(min(limit, WIDTH - MARGIN - half), sheet.bottom + 24, limit_name, SMALLEST, align="center")
    )
    sheet.bottom += 40
    top = sheet.bottom
    for mean, lines in zip(told, names, strict=True):
        height = max(60, len(lines) * NAME_LINE + 12)
        middle = sheet.bottom + height / 2
        for place, line in enumerate(lines):
            y = _baseline(middle, NAME_SIZE, place, len(lines), NAME_LINE)
            sheet.words.append(Words(MARGIN, y, line, NAME_SIZE))
        sheet.boxes.append(Box(left, middle - 22, 10 * per_point, 44, BAND))
        _mean_bar(sheet, mean, left, middle, per_point, limit)
        sheet.bottom += height
    for y in range(int(top), int(sheet.bottom), 16):
        sheet.boxes.append(Box(limit - 2, y, 4, 10, INK))
    sheet.bottom += 8
    _line(sheet, _("chart.counted", n=number(max(mean.n for mean in told))), SMALLEST, colour=MUTED)


def _mean_bar(sheet: Sheet, mean: IndicatorMean, left: float, middle: float, per_point: float, limit: float) -> None:
    """The bar of a mean; its number stands inside at the end, or behind where it would cross the minimum's line."""
    end, text = left + mean.mean * per_point, number(mean.mean, 1)
    below = mean.mean * per_point < limit - left
    sheet.boxes.append(Box(left, middle - 22, end - left, 44, VERMILION if below else BLUE))
    needed = fonts.width(text, 30, True) + 24
    y = _baseline(middle, 30)
    if end - needed > (left if below else limit):
        sheet.words.append(Words(end - 12, y, text, 30, True, PAPER, "right"))
    else:
        sheet.words.append(Words(end + 12, y, text, 30, True))


def _footing(sheet: Sheet, figures: UnitFigures, page: int, first: int, last: int) -> None:
    sheet.bottom += 24
    sheet.boxes.append(Box(MARGIN, sheet.bottom, WIDTH - 2 * MARGIN, 2, RULE))
    sheet.bottom += 14
    total = pages(figures)
    if total > 1:
        span = {"first": number(first + 1), "last": number(last), "count": number(len(figures.rows))}
        _line(sheet, _("chart.page", page=page, pages=total, **span), SMALLEST, colour=MUTED)
    _line(sheet, _("chart.reconstruction"), SMALLEST, colour=MUTED)
    sheet.bottom += 20


def _title(sheet: Sheet, text: str) -> None:
    sheet.bottom += 26
    _line(sheet, text, 36, bold=True)
    sheet.bottom += 10


def _line(sheet: Sheet, text: str, size: float, bold: bool = False, colour: str = INK) -> None:
    """Text from the left margin under what is there, folded where it is long."""
    for line in fonts.fold(text, size, WIDTH - 2 * MARGIN, bold):
        sheet.words.append(Words(MARGIN, sheet.bottom + size * 1.05, line, size, bold, colour))
        sheet.bottom += size * 1.4


def _baseline(middle: float, size: float, place: int = 0, lines: int = 1, pitch: float = 0) -> float:
    """Where a line's baseline lies for its capitals (0.71 of the size) to stand in the middle."""
    return middle + size * 0.357 + (place - (lines - 1) / 2) * pitch


def _figure(sheet: Sheet) -> Figure:
    height = round(sheet.bottom)
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72, facecolor=PAPER)
    faces = {bold: FontProperties(fname=fonts.BOLD if bold else fonts.REGULAR) for bold in (False, True)}
    shapes = [
        [(b.x, height - b.y), (b.x + b.width, height - b.y),
         (b.x + b.width, height - b.y - b.height), (b.x, height - b.y - b.height)]
        for b in sheet.boxes
    ]  # fmt: skip
    # ``transform=None`` is matplotlib's word for pixels; no axes, so no ticks to lay out.
    boxes = PolyCollection(
        shapes, facecolors=[b.colour for b in sheet.boxes], linewidths=0, antialiaseds=False, transform=None
    )
    figure.add_artist(boxes, clip=False)
    for text in sheet.words:
        font = faces[text.bold].copy()
        font.set_size(text.size)
        # A unit's name may hold a dollar sign: it is never a formula.
        artist = Text(
            text.x, height - text.y, text.text, color=text.colour, horizontalalignment=text.align,
            verticalalignment="baseline", fontproperties=font, parse_math=False, transform=None,
        )  # fmt: skip
        artist.set_in_layout(False)
        figure.add_artist(artist, clip=False)
    return figure
