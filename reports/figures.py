"""A unit's figures (số liệu của một đơn vị) from the kept counts: exact at the moment of asking, and writing nothing.

The sums come from the roll-up and the ledger's tail behind it, so that they are the same whether or not a fold has just
run. Only the means of the indicators are counted from the answers themselves, and only where they are few.
"""

from __future__ import annotations

from datetime import datetime

import criteria
from criteria import CriteriaSet
from locales import voice
from reports.model import COMMUNE, GroupRow, IndicatorMean, Row, UnitFigures, ranked
from storage import assessments, counters, units
from storage.base import Connection
from storage.counters import Sums
from storage.units import UnitRow

STARTED = frozenset({"draft", "submitted", "returned", "approved", "not_met"})
SUBMITTED = STARTED - {"draft"}
REGISTERED = STARTED | {"registered"}


def figures(conn: Connection, unit: UnitRow, year: int, now: datetime, *, means: bool = True) -> UnitFigures:
    """The figures of a unit and everything below it in a year, labels in the voice in force.

    *means*: also the mean points of each indicator, for a commune or a unit of the association; that reads every answer
    handed in there (about 10 ms a thousand dossiers), so a turn leaves it out.
    """
    sums = counters.sums(conn, unit.id, unit.path, year)
    indicators: tuple[IndicatorMean, ...] = ()
    counted = criteria.builtin()
    if means and unit.level >= COMMUNE:
        indicators, counted = _means(conn, unit, year)
    return UnitFigures(
        units.display_code(unit),
        unit.name,
        year,
        now,
        unit.level,
        registered=_total(sums, REGISTERED),
        started=_total(sums, STARTED),
        submitted=_total(sums, SUBMITTED),
        waiting=_total(sums, {"submitted"}),
        returned=_total(sums, {"returned"}),
        approved=_total(sums, {"approved"}),
        not_met=_total(sums, {"not_met"}),
        withdrawn=_total(sums, {"withdrawn"}),
        by_group=_groups(sums, units.settings(conn, unit).min_age),
        rows=_children(conn, unit, year),
        indicators=indicators,
        minimum=counted.thresholds.min_per_indicator,
    )


def anybody(conn: Connection, unit: UnitRow, year: int) -> bool:
    """Whether there is anything to draw: somebody here or below who has not withdrawn. Cheaper than the figures."""
    return _total(counters.sums(conn, unit.id, unit.path, year), REGISTERED) > 0


def years_beside(conn: Connection, unit: UnitRow, year: int) -> tuple[int, ...]:
    """The year before and the year after, as far as anybody is counted in them."""
    return tuple(each for each in (year - 1, year + 1) if any(counters.sums(conn, unit.id, unit.path, each).values()))


def _total(sums: Sums, statuses: frozenset[str] | set[str]) -> int:
    return sum(n for (_group, status), n in sums.items() if status in statuses)


def _groups(sums: Sums, min_age: int) -> tuple[GroupRow, ...]:
    """Subject groups with anybody in them, in the order of the criteria; one that these no longer name goes last."""
    by_group: dict[str, Sums] = {}
    for (group, status), n in sums.items():
        by_group.setdefault(group, {})[group, status] = n
    labels = {
        group.id: criteria.short_label(group, min_age, voice().language) for group in criteria.builtin().subject_groups
    }
    order = [*labels, *sorted(by_group.keys() - labels.keys())]
    rows = (
        GroupRow(id, labels.get(id, id), _total(by_group[id], REGISTERED), _total(by_group[id], {"approved"}))
        for id in order
        if id in by_group
    )
    return tuple(row for row in rows if row.registered)


def _children(conn: Connection, unit: UnitRow, year: int) -> tuple[Row, ...]:
    """The units directly below, most registered first; a closed one only while somebody is counted in it."""
    below = units.children(conn, unit.id)
    if not below:
        return ()
    found = counters.child_sums(conn, unit.id, year, {child.path: child.id for child in below})
    rows = []
    for child in below:
        counts = found[child.id]
        if child.valid_to is None or any(counts.values()):
            rows.append(
                Row(
                    units.display_code(child),
                    child.name,
                    sum(counts.get(status, 0) for status in REGISTERED),
                    sum(counts.get(status, 0) for status in SUBMITTED),
                    counts.get("approved", 0),
                )
            )
    return ranked(tuple(rows))


def _means(conn: Connection, unit: UnitRow, year: int) -> tuple[tuple[IndicatorMean, ...], CriteriaSet]:
    """Mean points of each indicator over the dossiers handed in, each scored under the criteria it was filed under;
    names and minimum are those of the version that most were filed under."""
    answers: dict[tuple[str, str], int] = {}
    points: dict[str, float] = {}
    people: dict[str, int] = {}
    for filed, version, indicator, level, n in assessments.level_counts(conn, unit.path, year):
        answers[filed, version] = answers.get((filed, version), 0) + n
        option = criteria.builtin(filed, version).indicator(indicator).option(level)
        points[indicator] = points.get(indicator, 0) + option.points * n
        people[indicator] = people.get(indicator, 0) + n
    if not answers:
        return (), criteria.builtin()
    named = criteria.builtin(*max(answers, key=lambda each: (answers[each], each)))
    return tuple(
        IndicatorMean(each.id, each.short.to(voice().language), points[each.id] / people[each.id], people[each.id])
        for each in named.indicators
        if each.id in people
    ), named
