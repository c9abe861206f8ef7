"""The units directly below one in the order of a measure (xếp hạng), with the median and the target marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from locales import _, number, percent
from reports import fonts
from reports.charts.sheet import (
    BAND,
    BLUE,
    HIGHEST,
    INK,
    MARGIN,
    MARKED,
    MUTED,
    NAME_LINE,
    NAME_SIZE,
    NAME_WIDTH,
    ORANGE,
    PAPER,
    SMALLEST,
    VERMILION,
    WIDTH,
    Sheet,
    baseline,
    length,
    spans,
    widest,
)
from reports.model import Kind, Ranking
from reports.text import days_in_words

ROWS = 25  # a page
ROW, BAR = 56, 34
FOOT = 180  # px kept for the foot


def value_text(kind: Kind, value: float) -> str:
    """A value as it is read: ``86,7%``, ``3,5 ngày``, ``1.412``."""
    if kind == "share":
        return percent(value)
    if kind == "days":
        return days_in_words(value)
    return number(value, 1)


def pages(ranking: Ranking) -> list[tuple[int, int]]:
    """The rows on each page, as slices."""
    return _pages(_head(ranking), ranking, _names(ranking))


def compose(ranking: Ranking, page: int = 1) -> Sheet:
    """A page (from 1): a bar a unit, its value at the right where no line crosses it."""
    sheet, names = _head(ranking), _names(ranking)
    found = _pages(sheet, ranking, names)
    if _empty(ranking):
        sheet.nothing_yet()
    else:
        _rows(sheet, ranking, names, *found[page - 1])
    sheet.footing(points=ranking.kind == "points", page=page, spans=found)
    return sheet


def _empty(ranking: Ranking) -> bool:
    values = [row.value for row in ranking.rows if row.value is not None]
    return not values or (ranking.kind == "count" and not any(values))


def _head(ranking: Ranking) -> Sheet:
    sheet = Sheet()
    sheet.heading(ranking.name, ranking.year, ranking.as_of)
    if _empty(ranking):
        return sheet
    sheet.title(ranking.label)
    told = []
    for key, value, mark in (("median", ranking.median, _median), ("target", ranking.target, _target)):
        if value is not None:
            told.append((_(f"chart.{key}", value=value_text(ranking.kind, value)), mark))
    if ranking.marked:
        told.append((_("chart.marked"), _mark))
    _legend(sheet, told)
    return sheet


def _names(ranking: Ranking) -> list[list[str]]:
    return [fonts.fold(row.label, NAME_SIZE, NAME_WIDTH) for row in ranking.rows]


def _pages(head: Sheet, ranking: Ranking, names: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    if _empty(ranking):
        return [(0, 0)]
    return spans([_height(lines) for lines in names], ROWS, HIGHEST - FOOT - head.bottom)


def _height(lines: Sequence[str]) -> float:
    return max(ROW, len(lines) * NAME_LINE + 12)


def _places(ranking: Ranking) -> list[str]:
    """Equal values share a place; what has no value has none."""
    rows, found = ranking.rows, list[str]()
    after, left_out = ranking.left_out or (len(rows), 0)
    for at, row in enumerate(rows):
        tied = at > 0 and at != after and row.value == rows[at - 1].value
        place = number(at + 1 + (left_out if at >= after else 0))
        found.append("" if row.value is None else found[-1] if tied else place)
    return found


def _rows(sheet: Sheet, ranking: Ranking, names: Sequence[Sequence[str]], first: int, last: int) -> None:
    # Measured over all pages, so that a bar of one length means the same on each.
    values = [row.value for row in ranking.rows]
    told = [_("chart.no_value") if value is None else value_text(ranking.kind, value) for value in values]
    places = _places(ranking)
    name_at = MARGIN + max(fonts.width(place, SMALLEST) for place in places) + 16
    left = name_at + widest(names, NAME_SIZE) + 24
    right = WIDTH - MARGIN - max(fonts.width(text, NAME_SIZE, True) for text in told) - 20
    most = max(value for value in (*values, ranking.median, ranking.target) if value is not None)
    per_one = (right - left) / (most or 1)
    top = sheet.bottom
    for at in range(first, last):
        if ranking.left_out is not None and at == ranking.left_out[0]:
            between = _("report.between", n=number(ranking.left_out[1]))
            sheet.say(name_at, baseline(sheet.bottom + ROW / 2, SMALLEST), between, SMALLEST, colour=MUTED)
            sheet.bottom += ROW
        height, value = _height(names[at]), values[at]
        marked = ranking.rows[at].code in ranking.marked
        if marked or (at - first) % 2 == 0:
            sheet.box(0, sheet.bottom, WIDTH, height, MARKED if marked else BAND)
        middle = sheet.bottom + height / 2
        y = baseline(middle, NAME_SIZE)
        if places[at]:
            sheet.say(name_at - 16, y, places[at], SMALLEST, colour=MUTED, align="right")
        sheet.beside(name_at, middle, names[at], NAME_SIZE, NAME_LINE)
        missing = value is None
        sheet.say(WIDTH - MARGIN, y, told[at], NAME_SIZE, not missing, MUTED if missing else INK, "right")
        if value is not None:
            sheet.box(left, middle - BAR / 2, length(value, per_one), BAR, ORANGE if marked else BLUE)
        sheet.bottom += height
    end = sheet.bottom
    if ranking.nobody and last == len(ranking.rows):
        said = _("chart.units_without", n=number(ranking.nobody))
        sheet.say(name_at, baseline(sheet.bottom + ROW / 2, SMALLEST), said, SMALLEST, colour=MUTED)
        sheet.bottom += ROW
    if ranking.target is not None:
        _target(sheet, left + ranking.target * per_one, top, end)
    if ranking.median is not None:
        _median(sheet, left + ranking.median * per_one, top, end)


def _legend(sheet: Sheet, told: Sequence[tuple[str, Callable[[Sheet, float, float, float], None]]]) -> None:
    """What the marks stand for, side by side while there is room."""
    x = float(MARGIN)
    for text, mark in told:
        wide = 26 + fonts.width(text, NAME_SIZE)
        if x + wide > WIDTH - MARGIN:
            x, sheet.bottom = MARGIN, sheet.bottom + 48
        mark(sheet, x + 6, sheet.bottom + 1, sheet.bottom + 43)
        sheet.say(x + 26, baseline(sheet.bottom + 22, NAME_SIZE), text, NAME_SIZE)
        x += wide + 56
    if told:
        sheet.bottom += 54


def _mark(sheet: Sheet, x: float, top: float, bottom: float) -> None:
    middle = (top + bottom) / 2
    sheet.box(x - 12, middle - 12, 24, 24, ORANGE)


def _median(sheet: Sheet, x: float, top: float, bottom: float) -> None:
    # White beside the dashes, so that they show on a bar as well.
    sheet.box(x - 5, top, 10, bottom - top, PAPER)
    sheet.dashed(x, top, bottom)


def _target(sheet: Sheet, x: float, top: float, bottom: float) -> None:
    sheet.box(x - 6, top, 12, bottom - top, PAPER)
    sheet.box(x - 3, top, 6, bottom - top, VERMILION)
