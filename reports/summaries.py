"""What a summary says of a unit (bản tổng hợp): five figures, what came since the last one, the slowest units below."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from datetime import datetime, timedelta

from locales import _, day, number, percent
from reports import figures as reckoning
from reports import measures
from reports.model import CENTRE, PROVINCE, Chart, Ranked, Ranking, Row, UnitFigures
from reports.text import as_of
from storage import coverage, nudges, seasons, units
from storage.base import Connection
from storage.units import UnitRow

SLOWEST = 5
MOST_ROWS, FIRST, LAST = 25, 8, 14  # of a picture; of more units the first, and the last


def year_told(conn: Connection, unit: UnitRow, at: datetime) -> int:
    """The year that is told of a unit by itself: in the first month, and on 1 January in any case, still the one that
    has just ended, as long as nobody is counted in the new one."""
    today = seasons.today(at)
    year = today.year
    if today.month > 1:
        return year
    ended = seasons.today(at - timedelta(days=1)).year < year
    if not ended and (reckoning.anybody(conn, unit, year) or not reckoning.anybody(conn, unit, year - 1)):
        return year
    return year - 1


@dataclass(frozen=True, slots=True)
class Pace:
    """The units below one that are furthest behind and have somebody to be reminded of it; beside them, how many have
    nobody, and in how many nobody has registered; all that are *going* on, the furthest behind first; where too few
    have somebody, the *unled* that are furthest behind of those where people have registered. Units that are not open
    yet count nowhere."""

    rows: tuple[Row, ...] = ()
    without_officer: int = 0
    without_people: int = 0
    going: tuple[Row, ...] = ()
    unled: tuple[Row, ...] = ()


def pace(conn: Connection, unit: UnitRow, figures: UnitFigures, most: int = SLOWEST) -> Pace:
    """How the units directly below get on, from the *figures* of the unit: least handed in of those registered comes
    first (nobody registered before all), then fewest handed in, fewest registered, by code."""
    ids = {units.display_code(child): child.id for child in units.children(conn, unit.id)}
    closed = coverage.closed_below(conn, unit, seasons.today(figures.as_of))
    led = nudges.with_officers(conn, unit.id)
    # A unit that closed again, or has a part that is open, is under way.
    under_way = (row for row in figures.rows if row.registered or ids.get(row.code) not in closed)
    going = tuple(sorted(under_way, key=_behind))
    found = [row for row in going if ids.get(row.code) in led]
    rows = tuple(found[:most])
    unled = [row for row in going if row.registered and ids.get(row.code) not in led][: most - len(rows)]
    without_people = sum(not row.registered for row in found)
    return Pace(rows, len(going) - len(found), without_people, going, tuple(unled))


def _behind(row: Row) -> tuple[float, int, int, str]:
    share = row.submitted / row.registered if row.registered else 0.0
    return share, row.submitted, row.registered, row.code


def picture(figures: UnitFigures, below: Pace) -> Chart:
    """What a summary shows above its words: of the centre and a province the units below by what share of those
    registered have handed in, those marked that the words name; else the unit's own figures.

    One picture: of more than 25 units the first few, and more of the last, since it is these that somebody must reach.
    """
    known = [row for row in below.going[::-1] if row.registered]
    if figures.level > PROVINCE or len(known) < 2:
        return figures
    values = [row.submitted / row.registered for row in known]
    ranked = [Ranked(row.code, row.label, value) for row, value in zip(known, values, strict=True)]
    shown, left_out = ranked, None
    if len(ranked) > MOST_ROWS:
        shown = ranked[:FIRST] + ranked[-LAST:]
        left_out = (FIRST, len(ranked) - len(shown))
    measure = measures.measure("handed_in_rate")
    return Ranking(
        figures.name,
        figures.year,
        figures.as_of,
        measure.name,
        measure.label,
        measure.kind,
        tuple(shown),
        statistics.median(values),
        None,
        tuple(row.code for row in (*below.rows, *below.unled) if row.registered),
        left_out,
        len(below.going) - len(known),
    )


def text(figures: UnitFigures, before: UnitFigures | None = None, below: Pace | None = None) -> str:
    """The summary of a unit in the voice in force, at most about fifteen short lines, moment and code last.

    *before*: the figures of the summary before, to tell what has come since. *below*: how the units below get on.
    """
    if figures.empty:
        return "\n\n".join((_("report.nobody"), as_of(figures)))
    rate = figures.pass_rate
    lines = [
        *(_counted(name, figures, before) for name in ("registered", "submitted", "approved")),
        _("summary.waiting", n=number(figures.waiting)),
        _("summary.pass_rate", share=percent(rate)) if rate is not None else _("summary.no_rate"),
    ]
    parts = ["\n".join(lines)]
    if below is not None and figures.level <= PROVINCE:
        parts.extend(filter(None, [slowest_in_words(figures.level, below)]))
    if before is not None:
        parts.append(_("summary.since", day=day(before.as_of)))
    return "\n\n".join((*parts, as_of(figures)))


def slowest_in_words(level: int, below: Pace) -> str:
    """The slowest units below one of a level, a line each, with what they are measured by, and how many have nobody;
    ``""`` where there is nothing to tell."""
    lines = []
    named = sorted((*below.rows, *below.unled), key=_behind)
    if named:
        lines.append(_("summary.slowest.centre" if level == CENTRE else "summary.slowest", n=number(len(named))))
    for row in named:
        lines.append(_("summary.slow.unled", line=_slow(row)) if row in below.unled else _slow(row))
    if below.without_officer:
        lines.append(_("summary.without_officer", n=number(below.without_officer)))
    if below.without_people > len(below.rows):
        lines.append(_("summary.without_people", n=number(below.without_people)))
    return "\n".join(lines)


def _slow(row: Row) -> str:
    if not row.registered:
        return _("summary.slow.nobody", unit=row.label)
    return _("summary.slow", unit=row.label, submitted=number(row.submitted), registered=number(row.registered))


def _counted(name: str, figures: UnitFigures, before: UnitFigures | None) -> str:
    """``Đã đăng ký: 8.412 (+1.206)``, without the change where there is none, or nothing to compare with."""
    n = int(getattr(figures, name))
    line = _(f"summary.count.{name}", n=number(n))
    if before is None:
        return line
    change = n - int(getattr(before, name))
    if not change:
        return line
    sign = "+" if change > 0 else "−"
    return _("summary.more", line=line, change=f"{sign}{number(abs(change))}")
