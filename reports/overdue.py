"""When a dossier is overdue (quá hạn xét): each unit by its own working days, else by those of the nearest above it.

One rule for reports, the morning's line and the queue, so that none of them tells another number.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from reports.measures import Apart
from storage import assessments, seasons, tallies, units
from storage.base import Connection
from storage.units import UnitRow

SERVICE_DAYS = 5  # working days until a dossier is overdue, where neither the unit nor one above it has said


def due_day(now: datetime, days: int) -> date:
    """What was handed in before this day (in Vietnam) and still waits is overdue: so many working days, Monday to
    Friday, have passed since. Public holidays are not known."""
    day = seasons.today(now)
    while days:
        day -= timedelta(days=1)
        days -= day.weekday() < 5
    return day


@dataclass(frozen=True, slots=True)
class Own:
    """A unit with working days of its own: its path, its row id, these, and those of the unit above it."""

    path: str
    id: int
    days: int
    above: int


@dataclass(frozen=True, slots=True)
class Rule:
    """The working days at and below a unit: *usual*, and each unit with days of its own in the order of paths, which
    are thousands where every commune has said."""

    now: datetime
    usual: int
    own: tuple[Own, ...]

    def days(self, path: str) -> int:
        """The working days of a unit."""
        while path:
            place = bisect_left(self.own, path, key=_path)
            if place < len(self.own) and self.own[place].path == path:
                return self.own[place].days
            path = path[:-1].rpartition("/")[0] + "/" if "/" in path[:-1] else ""
        return self.usual

    def due(self, path: str) -> date:
        """The day before which what a unit has not decided yet is overdue."""
        return due_day(self.now, self.days(path))

    def apart(self, conn: Connection, path: str, year: int) -> tuple[Apart, ...]:
        """The units below one whose days are not those of the unit above them."""
        low, high = assessments.below(path)
        first, last = (bisect_left(self.own, end, key=_path) for end in (low, high))
        below = [each for each in self.own[first:last] if each.path != path and each.days != each.above]
        due = {days: due_day(self.now, days) for days in {n for each in below for n in (each.days, each.above)}}
        waiting = tallies.waiting_of(conn, [each.id for each in below], year)
        return tuple(Apart(waiting[each.id], due[each.days], due[each.above]) for each in below if each.id in waiting)


def _path(own: Own) -> str:
    return own.path


def rule(conn: Connection, unit: UnitRow, now: datetime) -> Rule:
    """The working days at and below a unit as they are set."""
    usual = units.settings(conn, unit).service_days or SERVICE_DAYS
    found: list[Own] = []
    around: list[Own] = []  # the units around the next one that have days of their own, the nearest last
    for path, id, value in units.own_settings_below(conn, unit, "service_days"):
        while around and not path.startswith(around[-1].path):
            around.pop()
        if value:
            around.append(Own(path, id, int(value), around[-1].days if around else usual))
            found.append(around[-1])
    return Rule(now, usual, tuple(found))


@dataclass(frozen=True, slots=True)
class Late:
    """How many dossiers are overdue, and after how many working days: all that apply there."""

    count: int
    days: frozenset[int]


def late(conn: Connection, unit: UnitRow, now: datetime) -> Late:
    """What is overdue at and below a unit at this very moment, of whatever year. A query, and one more for each number
    of days that applies there: 1 ms in a commune."""
    given = rule(conn, unit, now)
    days = frozenset({given.usual, *(each.days for each in given.own)})
    ends = sorted({due_day(now, each) for each in days})
    count = assessments.waiting_before(conn, unit.path, _begin(ends[0]))
    for since, before in itertools.pairwise(ends):
        found = assessments.waiting_between(conn, unit.path, _begin(since), _begin(before))
        count += sum(n for path, n in found.items() if given.due(path) >= before)
    return Late(count, days)


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), seasons.ZONE)
