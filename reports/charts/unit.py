"""A unit's own figures: its child units as rows, or, of a commune, the way to approval and the means."""

from __future__ import annotations

from locales import _, number, percent
from reports import fonts
from reports.charts.sheet import (
    BAND,
    BLUE,
    MARGIN,
    MUTED,
    NAME_LINE,
    NAME_SIZE,
    NAME_WIDTH,
    PAPER,
    SERIES,
    SMALLEST,
    VERMILION,
    WIDTH,
    Sheet,
    baseline,
    length,
    widest,
)
from reports.model import CENTRE, PROVINCE, IndicatorMean, Row, UnitFigures, page_span, pages, ranked

BAR_PITCH, BAR = 28, 22
ROW_GAP = 14
INDICATOR_WIDTH = 490


def compose(figures: UnitFigures, page: int = 1) -> Sheet:
    """The page (from 1) of these figures; at most 20 child units each."""
    pages_of = [page_span(figures, each) for each in range(1, pages(figures) + 1)]
    sheet = Sheet()
    sheet.heading(figures.name, figures.year, figures.as_of)
    if figures.empty:
        sheet.nothing_yet()
    elif figures.level in (CENTRE, PROVINCE) and figures.rows:
        _totals(sheet, figures)
        _children(sheet, figures, *pages_of[page - 1])
    else:
        _steps(sheet, figures)
        _indicators(sheet, figures)
    sheet.footing(points=True, page=page, spans=pages_of)
    return sheet


def _totals(sheet: Sheet, figures: UnitFigures) -> None:
    """The legend and the unit's own sums in one: a square, what it stands for, how many."""
    top, column = sheet.bottom + 28, (WIDTH - 2 * MARGIN) / len(SERIES)
    for at, (series, colour) in enumerate(SERIES.items()):
        x = MARGIN + at * column
        sheet.box(x, top + 6, 28, 28, colour)
        sheet.say(x + 42, top + 32, _(f"chart.{series}"), 32)
        sheet.say(x, top + 94, number(getattr(figures, series)), 52, True)
    sheet.bottom = top + 108
    _pass_rate(sheet, figures)


def _pass_rate(sheet: Sheet, figures: UnitFigures) -> None:
    if figures.pass_rate is not None:
        sheet.line(_("chart.pass_rate", share=percent(figures.pass_rate)), 30)


def _children(sheet: Sheet, figures: UnitFigures, first: int, last: int) -> None:
    rows = ranked(figures.rows)
    sheet.title(_("chart.by_province" if figures.level == CENTRE else "chart.by_commune"))
    # Measured over all pages, so that a bar of one length means the same on each.
    names = [fonts.fold(row.label, NAME_SIZE, NAME_WIDTH) for row in rows]
    left = MARGIN + widest(names, NAME_SIZE) + 24
    most = max(1, *(max(row.registered, row.submitted, row.approved) for row in rows))
    room = fonts.width(number(most), SMALLEST, True) + 12
    per_person = (WIDTH - MARGIN - left - room) / most
    shown = zip(rows[first:last], names[first:last], strict=True)
    for at, (row, lines) in enumerate(shown):
        height = max(len(SERIES) * BAR_PITCH, len(lines) * NAME_LINE) + ROW_GAP
        if at % 2 == 0:
            sheet.box(0, sheet.bottom, WIDTH, height, BAND)
        middle = sheet.bottom + height / 2
        sheet.beside(MARGIN, middle, lines, NAME_SIZE, NAME_LINE)
        _row_bars(sheet, row, left, middle, per_person)
        sheet.bottom += height


def _row_bars(sheet: Sheet, row: Row, left: float, middle: float, per_person: float) -> None:
    if not (row.registered or row.submitted):
        sheet.say(left, baseline(middle, SMALLEST), _("chart.nobody"), SMALLEST, colour=MUTED)
        return
    for place, (series, colour) in enumerate(SERIES.items()):
        count = getattr(row, series)
        y, wide = middle + (place - 1) * BAR_PITCH, length(count, per_person)
        sheet.box(left, y - BAR / 2, wide, BAR, colour)
        sheet.say(left + wide + 8, baseline(y, SMALLEST), number(count), SMALLEST, series == "approved")


def _steps(sheet: Sheet, figures: UnitFigures) -> None:
    sheet.title(_("chart.funnel"))
    labels = {series: _(f"chart.{series}") for series in SERIES}
    left = MARGIN + max(fonts.width(label, 34) for label in labels.values()) + 24
    # The share stands behind the number, room for both is kept at the right.
    most = max(1, figures.registered, figures.submitted, figures.approved)
    room = fonts.width(number(most), 42, True) + fonts.width(percent(0.999), 30) + 44
    per_person = (WIDTH - MARGIN - left - room) / most
    for series, colour in SERIES.items():
        count, middle = getattr(figures, series), sheet.bottom + 40
        wide, text = length(count, per_person), number(count)
        sheet.say(MARGIN, baseline(middle, 34), labels[series], 34)
        sheet.box(left, middle - 30, wide, 60, colour)
        sheet.say(left + wide + 12, baseline(middle, 42), text, 42, True)
        # More can have handed in than are registered: some withdrew since. A share would only puzzle then.
        if series != "registered" and count <= figures.registered:
            x = left + wide + 12 + fonts.width(text, 42, True) + 16
            share = percent(count / max(1, figures.registered))
            sheet.say(x, baseline(middle, 42), share, 30, colour=MUTED)
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
    for each in fonts.fold(" · ".join(told), 30, WIDTH - 2 * MARGIN):
        sheet.line(each, 30, colour=MUTED)


def _indicators(sheet: Sheet, figures: UnitFigures) -> None:
    sheet.title(_("chart.indicators"))
    told = [mean for mean in figures.indicators if mean.n]
    if not told:
        sheet.line(_("chart.no_points"), 30, colour=MUTED)
        return
    names = [fonts.fold(f"{mean.id} {mean.short_name}", NAME_SIZE, INDICATOR_WIDTH) for mean in told]
    left = MARGIN + widest(names, NAME_SIZE) + 24
    per_point = (WIDTH - MARGIN - left) / 10
    limit = left + figures.minimum * per_point
    limit_name = _("chart.minimum", points=number(figures.minimum, 1))
    half = fonts.width(limit_name, SMALLEST) / 2
    sheet.say(min(limit, WIDTH - MARGIN - half), sheet.bottom + 24, limit_name, SMALLEST, align="center")
    sheet.bottom += 40
    top = sheet.bottom
    for mean, lines in zip(told, names, strict=True):
        height = max(60, len(lines) * NAME_LINE + 12)
        middle = sheet.bottom + height / 2
        sheet.beside(MARGIN, middle, lines, NAME_SIZE, NAME_LINE)
        sheet.box(left, middle - 22, 10 * per_point, 44, BAND)
        _mean_bar(sheet, mean, left, middle, per_point, limit)
        sheet.bottom += height
    sheet.dashed(limit, top, sheet.bottom)
    sheet.bottom += 8
    sheet.line(_("chart.counted", n=number(max(mean.n for mean in told))), SMALLEST, colour=MUTED)


def _mean_bar(sheet: Sheet, mean: IndicatorMean, left: float, middle: float, per_point: float, limit: float) -> None:
    """The bar of a mean; its number stands inside at the end, or behind, wherever the minimum's line does not cross."""
    end, text = left + mean.mean * per_point, number(mean.mean, 1)
    below = mean.mean * per_point < limit - left
    sheet.box(left, middle - 22, end - left, 44, VERMILION if below else BLUE)
    needed = fonts.width(text, 30, True) + 24
    y = baseline(middle, 30)
    if end - needed > (left if below else limit):
        sheet.say(end - 12, y, text, 30, True, PAPER, "right")
    elif not below and end + needed - 12 > WIDTH - MARGIN:
        sheet.say(limit - 12, y, text, 30, True, PAPER, "right")
    else:
        behind = limit if below and end + needed > limit else end
        sheet.say(behind + 12, y, text, 30, True)
