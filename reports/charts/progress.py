"""A year week by week (tiến độ tuần): handed in, approved, the year before, and the target."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from locales import _, number
from reports import fonts, measures
from reports.charts.sheet import (
    GREEN,
    INK,
    MARGIN,
    MUTED,
    ORANGE,
    RULE,
    SMALLEST,
    WIDTH,
    Curve,
    Sheet,
    baseline,
)
from reports.model import Progress, Week

PLOT = 660  # px high
SAMPLE = 56  # px: how wide a line's sample in the legend is
SHORTEST = 31  # days: fewer would blow one week up to the whole width
WEEK = 6  # days from its Monday to its end, which is when its counts hold
GAP = 24  # px between two labels at least
Points = list[tuple[float, float]]
DOTTED, DASHED = (4.0, 10.0), (20.0, 12.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """Where days of the year (from 0) and people lie on the sheet."""

    left: float
    right: float
    top: float
    bottom: float
    first_day: int
    last_day: int
    most: int

    def x(self, day: float) -> float:
        """The day's distance from the left, in pixels."""
        return self.left + (day - self.first_day) * (self.right - self.left) / (self.last_day - self.first_day)

    def y(self, people: float) -> float:
        """The number's distance from the top, in pixels."""
        return self.bottom - people * (self.bottom - self.top) / self.most


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the plot: told apart by colour, by width, by dashes, and by squares on its points."""

    label: str
    value: int
    points: tuple[tuple[int, int], ...]  # day of the year, people
    colour: str
    width: float
    dashes: tuple[float, float] | None = None
    squares: bool = False


def compose(progress: Progress) -> Sheet:
    """The legend with the latest numbers, and under it the lines."""
    sheet = Sheet()
    sheet.heading(progress.name, progress.year, progress.as_of)
    if any(week.submitted or week.approved for week in (*progress.weeks, *progress.last_year)):
        sheet.title(_("chart.progress"))
        lines = _lines(progress)
        _legend(sheet, lines)
        _plot(sheet, progress, lines)
    else:
        sheet.nothing_yet()
    sheet.footing(points=False)
    return sheet


def _lines(progress: Progress) -> list[Line]:
    this = [(_day(week, progress.year), week) for week in progress.weeks]
    before = [(_day(week, progress.year - 1), week) for week in progress.last_year]
    found = []
    if this:
        last = this[-1][1]
        submitted = tuple((day, week.submitted) for day, week in this)
        approved = tuple((day, week.approved) for day, week in this)
        found.append(Line(_("chart.submitted"), last.submitted, submitted, ORANGE, 5, squares=True))
        found.append(Line(_("chart.approved"), last.approved, approved, GREEN, 10))
    if before:
        then = measures.year_before(progress)
        value = then.approved if then is not None else 0
        points = tuple((day, week.approved) for day, week in before)
        found.append(Line(_("chart.progress.before", year=progress.year - 1), value, points, MUTED, 5, DASHED))
    if progress.target is not None:
        found.append(Line(_("chart.progress.target"), progress.target, (), INK, 5, DOTTED))
    return found


def _day(week: Week, year: int) -> int:
    """The last day of a week, counted in days from the year's first."""
    return (week.monday - date(year, 1, 1)).days + WEEK


def _legend(sheet: Sheet, lines: list[Line]) -> None:
    """Two columns: how the line looks, what it is, how many by now."""
    column = (WIDTH - 2 * MARGIN) / 2
    for at in range(0, len(lines), 2):
        labels = [fonts.fold(each.label, 30, column - SAMPLE - 34) for each in lines[at : at + 2]]
        folded = max(len(label) for label in labels)
        for place, (each, label) in enumerate(zip(lines[at : at + 2], labels, strict=True)):
            x = MARGIN + place * column
            y = sheet.bottom + 22
            middle = [(x + SAMPLE / 2, y)] if each.squares else []
            _draw(sheet, each, [(x, y), (x + SAMPLE, y)], middle)
            for row, text in enumerate(label):
                sheet.say(x + SAMPLE + 14, baseline(sheet.bottom + 22 + row * 38, 30), text, 30)
            y = sheet.bottom + folded * 38 + 46
            sheet.say(x + SAMPLE + 14, y, number(each.value), 44, True)
        sheet.bottom += folded * 38 + 72


def _draw(sheet: Sheet, each: Line, points: Points, squares: Points) -> None:
    """The line through the points, and squares on some of them."""
    if len(points) > 1:
        sheet.curves.append(Curve(tuple(points), each.colour, each.width, each.dashes))
    half = max(9.0, each.width)
    for x, y in squares:
        sheet.box(x - half, y - half, 2 * half, 2 * half, each.colour)


def _plot(sheet: Sheet, progress: Progress, lines: list[Line]) -> None:
    step, steps = _steps(max(each.value if not each.points else max(n for _d, n in each.points) for each in lines))
    days = [day for each in lines for day, _n in each.points]
    left = MARGIN + fonts.width(number(step * steps), SMALLEST) + 14
    first = _month_before(progress.year, min(days))
    top = sheet.bottom + 30
    scale = Scale(left, WIDTH - MARGIN - 30, top, top + PLOT, first, max(*days, first + SHORTEST), step * steps)
    for at in range(steps + 1):
        y = scale.y(at * step)
        sheet.box(left, y - 1, scale.right - left, 2, RULE if at else MUTED)
        text = number(at * step)
        sheet.say(left - 14, baseline(y, SMALLEST), text, SMALLEST, colour=MUTED, align="right")
    sheet.bottom = scale.bottom + 8
    _days(sheet, scale, progress.year)
    for each in lines:
        if each.points:
            points = [(scale.x(day), scale.y(n)) for day, n in each.points]
            _draw(sheet, each, points, points[::-4] if each.squares else points[-1:])
        else:
            y = scale.y(each.value)
            _draw(sheet, each, [(left, y), (scale.right, y)], [])


def _month_before(year: int, day: int) -> int:
    """The first day of the month in which a day of the year lies."""
    return day - (date(year, 1, 1) + timedelta(day)).day + 1


def _steps(most: int) -> tuple[int, int]:
    """How far apart the rules lie and how many there are: 1, 2 or 5 times a power of ten, at most six."""
    step = 1
    while step * 6 < most:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    return step, max(1, -(-most // step))


def _days(sheet: Sheet, scale: Scale, year: int) -> None:
    """The months below the plot, each where it begins, every second or third where there is no room for all."""
    names = _("chart.months").split()
    months = [
        ((date(each, month, 1) - date(year, 1, 1)).days, names[month - 1])
        for each in (year - 1, year, year + 1)
        for month in range(1, 13)
    ]
    shown = [(scale.x(day), name) for day, name in months if scale.first_day <= day <= scale.last_day]
    for x, _name in shown:
        sheet.box(x - 1, scale.bottom, 2, 10, MUTED)
    y, end = sheet.bottom + 38, 0.0
    for x, name in shown:
        half = fonts.width(name, SMALLEST) / 2
        if x - half >= end and x - half >= MARGIN and x + half <= WIDTH - MARGIN:
            sheet.say(x, y, name, SMALLEST, colour=MUTED, align="center")
            end = x + half + GAP
    sheet.bottom += 50
