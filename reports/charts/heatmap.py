"""The units directly below one by indicator (bản đồ chỉ số): the mean points in each cell, coloured by how high."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from locales import _, number
from reports import fonts
from reports.charts.sheet import HIGHEST, INK, MARGIN, MUTED, NAME_SIZE, PAPER, SMALLEST, WIDTH, Sheet, baseline, spans
from reports.model import HeatMap, HeatRow

ROWS = 25  # a page
ROW, LINE = 60, 33
CELL = 70  # px wide at most; below 56 a "10" in bold would touch its neighbour
FOOT = 240  # px kept for the heads of the columns and the foot

# From brown to blue, which every common colour blindness keeps apart; the two below the minimum are the brown ones.
STEPS = ("#B35806", "#FDB863", "#B5D5E8", "#67A9CF", "#2166AC")
ON = {colour: PAPER if colour in ("#B35806", "#2166AC") else INK for colour in STEPS}


class Band(NamedTuple):
    """The means, in tenths of a point, of one colour: from ``low`` to below ``high``."""

    low: int
    high: int
    colour: str


def pages(heatmap: HeatMap) -> list[tuple[int, int]]:
    """The rows on each page, as slices."""
    return _pages(_head(heatmap), heatmap)


def compose(heatmap: HeatMap, page: int = 1) -> Sheet:
    """A page (from 1): a row a unit, a column an indicator."""
    sheet = _head(heatmap)
    found = _pages(sheet, heatmap)
    if _empty(heatmap):
        sheet.nothing_yet()
    else:
        first, last = found[page - 1]
        _cells(sheet, heatmap, heatmap.rows[first:last])
    sheet.footing(points=True, page=page, spans=found)
    return sheet


def bands(minimum: float) -> list[Band]:
    """Which means have which colour: halves of what lies below the minimum, thirds of what lies above it."""
    limit = round(minimum * 10)
    bounds = [0, limit // 2, limit, limit + (101 - limit) // 3, limit + (101 - limit) * 2 // 3, 101]
    return [Band(*each) for each in zip(bounds, bounds[1:], STEPS, strict=False) if each[0] < each[1]]


def _empty(heatmap: HeatMap) -> bool:
    return all(mean is None for row in heatmap.rows for mean in row.means)


def _head(heatmap: HeatMap) -> Sheet:
    """Everything above the rows: the indicators' names, what the colours mean."""
    sheet = Sheet()
    sheet.heading(heatmap.name, heatmap.year, heatmap.as_of)
    if _empty(heatmap):
        return sheet
    sheet.title(_("chart.indicators"))
    column = (WIDTH - 2 * MARGIN) / 2
    for at in range(0, len(heatmap.indicators), 2):
        pair = heatmap.indicators[at : at + 2]
        names = [fonts.fold(name, SMALLEST, column - 72) for _id, name in pair]
        for place, ((id_, _name), lines) in enumerate(zip(pair, names, strict=True)):
            x = MARGIN + place * column
            sheet.say(x, sheet.bottom + 30, id_, SMALLEST, True)
            for row, text in enumerate(lines):
                sheet.say(x + 56, sheet.bottom + 30 + row * LINE, text, SMALLEST)
        sheet.bottom += max(len(lines) for lines in names) * LINE + 6
    _colours(sheet, heatmap)
    return sheet


def _colours(sheet: Sheet, heatmap: HeatMap) -> None:
    sheet.bottom += 14
    found = bands(heatmap.minimum)
    wide = (WIDTH - 2 * MARGIN) / len(found)
    for at, band in enumerate(found):
        x, text = MARGIN + at * wide, f"{number(band.low / 10, 1)}–{number((band.high - 1) / 10, 1)}"
        sheet.box(x, sheet.bottom, wide - 4, 48, band.colour)
        _value(sheet, x + wide / 2 - 2, sheet.bottom + 24, text, band, heatmap.minimum)
    sheet.bottom += 56
    if heatmap.minimum > 0:
        sheet.line(_("chart.heat.below", points=number(heatmap.minimum, 1)), SMALLEST, colour=MUTED)
    if any(mean is None for row in heatmap.rows for mean in row.means):
        sheet.line(_("chart.heat.none"), SMALLEST, colour=MUTED)


def _value(sheet: Sheet, x: float, middle: float, text: str, band: Band, minimum: float) -> None:
    """A number in its colour; below the minimum also bold and underlined, for those who see no colours."""
    below, ink = band.high <= minimum * 10, ON[band.colour]
    sheet.say(x, baseline(middle, SMALLEST), text, SMALLEST, below, ink, "center")
    if below:
        half = fonts.width(text, SMALLEST, True) / 2
        sheet.box(x - half, middle + 15, 2 * half, 3, ink)


def _columns(heatmap: HeatMap) -> tuple[float, float]:
    """Where the first column begins, and how wide each is."""
    width, count = WIDTH - 2 * MARGIN, len(heatmap.indicators)
    cell = min(CELL, (width - 240) / count)
    return WIDTH - MARGIN - cell * count, cell


def _names(heatmap: HeatMap) -> list[list[str]]:
    left, _cell = _columns(heatmap)
    return [fonts.fold(row.label, SMALLEST, left - MARGIN - 12) for row in heatmap.rows]


def _height(lines: Sequence[str]) -> float:
    return max(ROW, len(lines) * LINE + 8)


def _pages(head: Sheet, heatmap: HeatMap) -> list[tuple[int, int]]:
    if _empty(heatmap):
        return [(0, 0)]
    return spans([_height(lines) for lines in _names(heatmap)], ROWS, HIGHEST - FOOT - head.bottom)


def _cells(sheet: Sheet, heatmap: HeatMap, rows: Sequence[HeatRow]) -> None:
    left, cell = _columns(heatmap)
    colours = bands(heatmap.minimum)
    sheet.bottom += 12
    for at, (id_, _name) in enumerate(heatmap.indicators):
        x = left + (at + 0.5) * cell
        sheet.say(x, sheet.bottom + 30, id_, NAME_SIZE, True, align="center")
    sheet.bottom += 44
    for row in rows:
        lines = fonts.fold(row.label, SMALLEST, left - MARGIN - 12)
        height = _height(lines)
        middle = sheet.bottom + height / 2
        sheet.beside(MARGIN, middle, lines, SMALLEST, LINE)
        for at, mean in enumerate(row.means):
            x = left + at * cell
            if mean is None:
                y = baseline(middle, SMALLEST)
                sheet.say(x + cell / 2, y, "–", SMALLEST, colour=MUTED, align="center")
                continue
            # By the number as it is read, so that no two cells with one number differ in colour.
            tenths = int(Decimal(str(mean)).quantize(Decimal("0.1"), ROUND_HALF_UP) * 10)
            band = next((band for band in colours if tenths < band.high), colours[-1])
            sheet.box(x, sheet.bottom, cell - 2, height - 2, band.colour)
            _value(sheet, x + cell / 2 - 1, middle - 1, number(tenths / 10, 1), band, heatmap.minimum)
        sheet.bottom += height
