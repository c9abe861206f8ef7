"""Every measure (chỉ số báo cáo) that a report, chart, JSON or schedule shows: its formula, unit, label and question.

A formula is a plain function over the raw sums of a unit (:class:`Raw`), so that the same one serves the unit itself,
the units below it, another year, and a recount.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

import criteria
from locales import _, voice
from storage import tallies

if TYPE_CHECKING:
    from reports.model import Kind, Progress, Week

STARTED = frozenset({"draft", "submitted", "returned", "approved", "not_met"})
SUBMITTED = STARTED - {"draft"}
REGISTERED = STARTED | {"registered"}


@dataclass(frozen=True, slots=True)
class Apart:
    """The tallies of a unit below whose dossiers are overdue by another day, *due*, than by that of the unit above."""

    tallies: Mapping[str, int]
    due: date
    due_above: date


@dataclass(frozen=True, slots=True)
class Raw:
    """What a unit's year adds up to.

    ``statuses``: dossiers by status. ``tallies``: see :mod:`storage.tallies`. ``due``: dossiers handed in before this
    day and still waiting are overdue, but ``apart`` in units below with working days of their own. ``bound``,
    ``communes…``: the roll-out as it stands now, whatever the year. ``people``: how many live there (``None``: not
    known).
    """

    statuses: Mapping[str, int]
    tallies: Mapping[str, int] | None = None
    due: date | None = None
    apart: tuple[Apart, ...] = ()
    bound: int | None = None
    without_officer: int | None = None
    without_scan: int | None = None
    people: int | None = None


Value = float | None


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure: its name (also that of its field in :class:`reports.model.UnitFigures`), what its value is, the
    formula (``None``: nothing to measure yet), whether a lower value is the better one, and what the formula reads
    besides statuses: how the names of its tallies begin, the roll-out or how many people live there.

    The mean points of an indicator are named ``mean:A1``.
    """

    name: str
    kind: Kind
    of: Callable[[Raw], Value]
    lower_is_better: bool = False
    tallies: tuple[str, ...] = ()
    reads: Literal["", "roll-out", "people"] = ""

    @property
    def label(self) -> str:
        """What it is called, in the voice in force."""
        return self._said("label")

    @property
    def question(self) -> str:
        """What question it answers."""
        return self._said("question")

    def _said(self, what: str) -> str:
        kind, _sep, indicator = self.name.partition(":")
        if not indicator:
            return _(f"measure.{kind}.{what}")
        return _(f"measure.{kind}.{what}", indicator=criteria.builtin().indicator(indicator).short.to(voice().language))


# ------------------------------------------------------------------------------------------ formulas


def _in(*statuses: str) -> Callable[[Raw], Value]:
    def total(raw: Raw) -> Value:
        return sum(raw.statuses.get(status, 0) for status in statuses)

    return total


def share(part: int, whole: int | None) -> float | None:
    """*part* of *whole*, 0 to 1; ``None`` where there is no whole."""
    return part / whole if whole else None


def pass_rate(approved: int, not_met: int) -> float | None:
    """Tỉ lệ đạt: approved of all decided, 0 to 1; ``None`` while nothing is decided."""
    return share(approved, approved + not_met)


def _pass_rate(raw: Raw) -> Value:
    return pass_rate(raw.statuses.get("approved", 0), raw.statuses.get("not_met", 0))


def _named(tallies: Mapping[str, int] | None, prefix: str) -> Iterator[tuple[str, int]]:
    """The tallies under a prefix: (what follows it, how many)."""
    for what, n in (tallies or {}).items():
        if what.startswith(prefix) and n > 0:
            yield what[len(prefix) :], n


def _handed_in_rate(raw: Raw) -> Value:
    of = raw.statuses
    return share(sum(of.get(each, 0) for each in SUBMITTED), sum(of.get(each, 0) for each in REGISTERED))


def _median_days(raw: Raw) -> Value:
    days = sorted((int(day), n) for day, n in _named(raw.tallies, "days/"))
    total = sum(n for _day, n in days)
    if not total:
        return None
    middle = [_nth(days, (total - 1) // 2), _nth(days, total // 2)]
    return sum(middle) / 2


def _nth(days: list[tuple[int, int]], place: int) -> int:
    for day, n in days:
        if place < n:
            return day
        place -= n
    raise IndexError(place)


def _overdue(raw: Raw) -> Value:
    if raw.tallies is None or raw.due is None:
        return None
    corrected = (_before(each.tallies, each.due) - _before(each.tallies, each.due_above) for each in raw.apart)
    return _before(raw.tallies, raw.due) + sum(corrected)


def _before(tallies: Mapping[str, int], due: date) -> int:
    """How many wait since before a day."""
    first = due.isoformat()
    return sum(n for day, n in _named(tallies, "waiting/") if day < first)


def _evidence_rate(raw: Raw) -> Value:
    tallies = raw.tallies or {}
    return share(tallies.get("proved", 0), tallies.get("answers", 0))


def _participation(raw: Raw) -> Value:
    return share(sum(raw.statuses.get(status, 0) for status in REGISTERED), raw.people)


def points(raw: Raw) -> dict[str, tuple[int, int]]:
    """Indicator → (points given, over how many answers handed in), each under the criteria that it was filed under."""
    found: dict[str, tuple[int, int]] = {}
    for what, n in _named(raw.tallies, "level/"):
        filed, version, indicator, level = what.split("/")
        option = criteria.builtin(filed, version).indicator(indicator).option(level)
        given, people = found.get(indicator, (0, 0))
        found[indicator] = (given + option.points * n, people + n)
    return found


YEAR = timedelta(weeks=52)  # whole weeks, so that a week of one year stands beside one of the other


def year_before(progress: Progress) -> Week | None:
    """Cùng kỳ năm trước: what the year before had 52 weeks before the newest week (without one: before the week of the
    figures' moment), or in its last week until then; ``None`` where it had not begun by then."""
    weeks = progress.weeks
    until = (weeks[-1].monday if weeks else tallies.monday_of(progress.as_of)) - YEAR
    return next((week for week in reversed(progress.last_year) if week.monday <= until), None)


def mean(indicator: str) -> Callable[[Raw], Value]:
    """The formula of an indicator's mean points (điểm trung bình), 0 to 10."""

    def of(raw: Raw) -> Value:
        given, people = points(raw).get(indicator, (0, 0))
        return share(given, people)

    return of


# ------------------------------------------------------------------------------------------ the measures

MEASURES: tuple[Measure, ...] = (
    Measure("bound", "count", lambda raw: raw.bound, reads="roll-out"),
    Measure("registered", "count", _in(*REGISTERED)),
    Measure("started", "count", _in(*STARTED)),
    Measure("submitted", "count", _in(*SUBMITTED)),
    Measure("handed_in_rate", "share", _handed_in_rate),
    Measure("waiting", "count", _in("submitted"), lower_is_better=True),
    Measure("returned", "count", _in("returned"), lower_is_better=True),
    Measure("approved", "count", _in("approved")),
    # Of lists imported from the earlier software: a year of which nothing else is known, so no rate counts it.
    Measure("recognised", "count", _in("recognised")),
    Measure("not_met", "count", _in("not_met"), lower_is_better=True),
    Measure("pass_rate", "share", _pass_rate),
    Measure("median_days", "days", _median_days, lower_is_better=True, tallies=("days/",)),
    Measure("overdue", "count", _overdue, lower_is_better=True, tallies=("waiting/",)),
    Measure("evidence_rate", "share", _evidence_rate, tallies=("answers", "proved")),
    Measure("communes_without_officer", "count", lambda raw: raw.without_officer, True, reads="roll-out"),
    Measure("communes_without_scan", "count", lambda raw: raw.without_scan, True, reads="roll-out"),
    Measure("participation", "share", _participation, reads="people"),
)
BY_NAME = {measure.name: measure for measure in MEASURES}
# The steps of the way to the title, in order.
STEPS = ("bound", "registered", "started", "submitted", "approved")


def measure(name: str) -> Measure:
    """A measure by its name. ``KeyError`` for one that is not defined."""
    kind, _sep, indicator = name.partition(":")
    if kind == "mean" and indicator in {each.id for each in criteria.builtin().indicators}:
        return Measure(name, "points", mean(indicator), tallies=("level/",))
    return BY_NAME[name]


def value(name: str, raw: Raw) -> float | None:
    """A measure of a unit. ``KeyError`` for one that is not defined."""
    return measure(name).of(raw)


def whole(name: str, raw: Raw) -> int | None:
    """A measure that counts; ``None`` where it is not known."""
    found = value(name, raw)
    return None if found is None else int(found)


def count(name: str, raw: Raw) -> int:
    """A measure that counts and is always known; ``ValueError`` for one that is not."""
    found = whole(name, raw)
    if found is None:
        raise ValueError(f"{name} is not known")
    return found
