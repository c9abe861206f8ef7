"""When a dossier is overdue (quá hạn xét): each unit by its own working days, else by those of the nearest above it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reports.measures import Apart
from storage import seasons, tallies, units
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
class Rule:
    """The working days at and below a unit: *usual*, and of each unit with days of its own its path, its row id and
    these, in the order of paths."""

    now: datetime
    usual: int
    own: tuple[tuple[str, int, int], ...]

    def _days(self, path: str) -> int:
        return next((days for above, _id, days in reversed(self.own) if path.startswith(above)), self.usual)

    def due(self, path: str) -> date:
        """The day before which what a unit has not decided yet is overdue."""
        return due_day(self.now, self._days(path))

    def apart(self, conn: Connection, path: str, year: int) -> tuple[Apart, ...]:
        """The units below one whose days are not those of the unit above them."""
        below = []
        for own, id, days in self.own:
            above = self._days(own.rstrip("/").rpartition("/")[0] + "/") if own.startswith(path) else days
            if own != path and days != above:
                below.append((id, due_day(self.now, days), due_day(self.now, above)))
        waiting = tallies.waiting_of(conn, [id for id, _due, _above in below], year)
        return tuple(Apart(waiting[id], due, above) for id, due, above in below if id in waiting)


def rule(conn: Connection, unit: UnitRow, now: datetime) -> Rule:
    """The working days at and below a unit as they are set."""
    own = tuple(
        (path, id, int(value)) for path, id, value in units.own_settings_below(conn, unit, "service_days") if value
    )
    return Rule(now, units.settings(conn, unit).service_days or SERVICE_DAYS, own)
