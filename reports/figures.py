"""A unit's figures (số liệu của một đơn vị) from the kept counts: they write nothing.

Statuses come from the roll-up and the ledger's tail behind it, exact at the moment of asking, so that they are the same
whether or not a fold has just run. Days, evidence and means come from the tallies, which follow within seconds. Every
value is made by a formula of :mod:`reports.measures`.
"""

from __future__ import annotations

import statistics
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import criteria
from criteria import CriteriaSet
from locales import voice
from reports import measures, overdue
from reports.measures import REGISTERED, Measure, Raw
from reports.model import (
    COMMUNE,
    Chart,
    Funnel,
    GroupRow,
    HeatMap,
    HeatRow,
    IndicatorMean,
    Progress,
    Ranked,
    Ranking,
    Row,
    Step,
    UnitFigures,
    Week,
    ranked,
)
from storage import assessments, counters, coverage, seasons, tallies, targets, units
from storage.base import Connection
from storage.counters import Held, Standing, Sums
from storage.units import UnitRow

RANKED_BY = ("approved", "pass_rate", "participation", "median_days", "overdue", "communes_without_scan")


def figures(conn: Connection, unit: UnitRow, year: int, now: datetime, *, means: bool = True) -> UnitFigures:
    """The figures of a unit and everything below it in a year, labels in the voice in force.

    *means*: also the mean points of each indicator, for a commune or a unit of the association; that reads every answer
    handed in there (about 10 ms a thousand dossiers), so a turn leaves it out.
    """
    return _figures(conn, unit, year, now, counters.standing(conn, unit.id, unit.path, year), means)


def _figures(conn: Connection, unit: UnitRow, year: int, now: datetime, standing: Standing, means: bool) -> UnitFigures:
    sums = standing.sums()
    indicators: tuple[IndicatorMean, ...] = ()
    counted = criteria.builtin()
    if means and unit.level >= COMMUNE:
        indicators, counted = _means(conn, unit, year)
    raw = Raw(_by_status(sums))
    return UnitFigures(
        units.display_code(unit),
        unit.name,
        year,
        now,
        unit.level,
        registered=measures.count("registered", raw),
        started=measures.count("started", raw),
        submitted=measures.count("submitted", raw),
        waiting=measures.count("waiting", raw),
        returned=measures.count("returned", raw),
        approved=measures.count("approved", raw),
        recognised=measures.count("recognised", raw),
        not_met=measures.count("not_met", raw),
        withdrawn=raw.statuses.get("withdrawn", 0),
        by_group=_groups(sums, group_labels(conn, unit)),
        rows=_children(conn, unit, standing),
        indicators=indicators,
        minimum=counted.thresholds.min_per_indicator,
    )


def whole_figures(conn: Connection, unit: UnitRow, year: int, now: datetime, *, means: bool = False) -> UnitFigures:
    """The figures with every measure: those of :func:`figures`, and roll-out, days, evidence, participation, target and
    place among siblings. About 10 ms for the country."""
    return reckoned(conn, unit, year, now, means=means)[0]


def reckoned(
    conn: Connection, unit: UnitRow, year: int, now: datetime, *, means: bool = False
) -> tuple[UnitFigures, Held]:
    """As :func:`whole_figures`, and which lines of the ledger are in them. The unit's sums, those of the units below
    and its place are of one moment, also while others write."""
    standing = counters.standing(conn, unit.id, unit.path, year, unit.parent_id)
    found = _figures(conn, unit, year, now, standing, means)
    reach = coverage.reach(conn, unit)
    late = overdue.rule(conn, unit, now)
    raw = Raw(
        {},
        tallies.whole(conn, unit.id, year),
        late.due(unit.path),
        late.apart(conn, unit.path, year),
        bound=reach.bound,
        without_officer=reach.without_officer if unit.level < COMMUNE else None,
        without_scan=reach.without_scan if unit.level < COMMUNE else None,
    )
    wanted = targets.of(conn, unit.id, year)
    rank, siblings, median = _place(conn, unit, standing)
    return replace(
        found,
        bound=reach.bound,
        communes=reach.communes,
        communes_without_officer=raw.without_officer,
        communes_without_scan=raw.without_scan,
        median_days=measures.value("median_days", raw),
        overdue=measures.whole("overdue", raw),
        evidence_rate=measures.value("evidence_rate", raw),
        people=targets.people_of(conn, unit, _day_of(year, now)),
        target_approved=wanted.approved,
        target_participation=wanted.participation,
        rank=rank,
        siblings=siblings,
        sibling_median=median,
    ), standing.held


def _by_status(sums: Sums) -> dict[str, int]:
    found: dict[str, int] = {}
    for (_group, status), n in sums.items():
        found[status] = found.get(status, 0) + n
    return found


def _day_of(year: int, now: datetime) -> date:
    """The day of whose population a year's figures speak: today, of a past year its last day."""
    return min(seasons.today(now), date(year, 12, 31))


# ------------------------------------------------------------------------------------------ beside each other


def funnel(conn: Connection, unit: UnitRow, year: int, now: datetime) -> Funnel:
    """How many people came how far."""
    raw = Raw(_by_status(counters.sums(conn, unit.id, unit.path, year)), bound=coverage.reach(conn, unit).bound)
    steps = (measures.BY_NAME[name] for name in measures.STEPS)
    return Funnel(
        unit.name, year, now, tuple(Step(each.name, each.label, measures.count(each.name, raw)) for each in steps)
    )


def ranking(conn: Connection, unit: UnitRow, year: int, now: datetime, measure: str = "approved") -> Ranking:
    """The units directly below by a measure (any of :mod:`reports.measures`), best first, with the median, and the
    unit's own target where it has one of that measure. ``KeyError`` for a measure that is not defined."""
    wanted = measures.measure(measure)
    below = _open_below(conn, unit, year)
    raws = _raw_of_children(conn, unit, below, year, now, wanted)
    rows = [Ranked(units.display_code(child), child.name, wanted.of(raws[child.id])) for child in below]
    sign = 1 if wanted.lower_is_better else -1
    rows.sort(key=lambda row: (row.value is None, sign * (row.value or 0), row.code))
    target = targets.of(conn, unit.id, year).participation if measure == "participation" else None
    return Ranking(unit.name, year, now, measure, wanted.label, wanted.kind, tuple(rows), _median(rows), target)


def _median(rows: list[Ranked]) -> float | None:
    values = [row.value for row in rows if row.value is not None]
    return statistics.median(values) if values else None


def progress(conn: Connection, unit: UnitRow, year: int, now: datetime) -> Progress:
    """The year week by week until now (of a past year until the last change in it), and the year before in full."""
    return Progress(
        unit.name,
        year,
        now,
        _weeks(conn, unit, year, now),
        _weeks(conn, unit, year - 1, now),
        targets.of(conn, unit.id, year).approved,
    )


def _weeks(conn: Connection, unit: UnitRow, year: int, now: datetime) -> tuple[Week, ...]:
    """Sums by the end of each week, from the first with a change; weeks without any repeat the one before.

    A year ends with its last day, or its last for decisions: what changes later (an erasure, a list imported) is taken
    into the last week, since the year's line would go on into the next one for it.
    """
    ends = max(date(year, 12, 31), seasons.windows_at(conn, year, unit.path).decision_to)
    last_of_all = ends - timedelta(days=ends.weekday())
    changes: dict[date, list[int]] = {}
    for row in tallies.by_week(conn, unit.id, unit.path, year):
        grown = changes.setdefault(min(row.monday, last_of_all), [0, 0])
        grown[0] += row.submitted
        grown[1] += row.approved
    if not changes:
        return ()
    last = max(changes)
    if year == seasons.today(now).year:
        last = max(last, tallies.monday_of(now))
    found = []
    submitted = approved = 0
    monday = min(changes)
    while monday <= last:
        if monday in changes:
            submitted += changes[monday][0]
            approved += changes[monday][1]
        found.append(Week(monday, submitted, approved))
        monday += timedelta(days=7)
    return tuple(found)


def heatmap(conn: Connection, unit: UnitRow, year: int, now: datetime) -> HeatMap:
    """The mean points of each indicator in each unit directly below, units in the order of their codes."""
    named = criteria.builtin()
    below = _open_below(conn, unit, year)
    sums = tallies.whole_of_children(conn, unit.id, year, ("level/",))
    rows = []
    for child in below:
        points = measures.points(Raw({}, sums.get(child.id, {})))
        means = (measures.share(*points.get(each.id, (0, 0))) for each in named.indicators)
        rows.append(HeatRow(units.display_code(child), child.name, tuple(means)))
    return HeatMap(
        unit.name,
        year,
        now,
        tuple((each.id, each.short.to(voice().language)) for each in named.indicators),
        tuple(rows),
        named.thresholds.min_per_indicator,
    )


def chart(conn: Connection, unit: UnitRow, given: dict[str, Any], now: datetime) -> Chart:
    """What a chart job asks for: ``year``, ``kind`` (``unit``, ``funnel``, ``ranking`` with ``measure``, ``progress``,
    ``heatmap``; without one ``unit``). ``ValueError`` for another kind, ``KeyError`` for an unknown measure."""
    year = int(given["year"])
    match given.get("kind", "unit"):
        case "unit":
            return figures(conn, unit, year, now)
        case "funnel":
            return funnel(conn, unit, year, now)
        case "ranking":
            return ranking(conn, unit, year, now, str(given.get("measure", "approved")))
        case "progress":
            return progress(conn, unit, year, now)
        case "heatmap":
            return heatmap(conn, unit, year, now)
        case other:
            raise ValueError(f"no chart {other!r}")


def anybody(conn: Connection, unit: UnitRow, year: int) -> bool:
    """Whether there is anything to draw: somebody here or below who has not withdrawn, or an imported title. Cheaper
    than the figures."""
    return _total(counters.sums(conn, unit.id, unit.path, year), REGISTERED | {"recognised"}) > 0


def years_beside(conn: Connection, unit: UnitRow, year: int) -> tuple[int, ...]:
    """The year before and the year after, as far as anybody is counted in them."""
    return tuple(each for each in (year - 1, year + 1) if any(counters.sums(conn, unit.id, unit.path, each).values()))


def _total(sums: Sums, statuses: frozenset[str] | set[str]) -> int:
    return sum(n for (_group, status), n in sums.items() if status in statuses)


def group_labels(conn: Connection, unit: UnitRow) -> dict[str, str]:
    """Subject group → its short label at a unit, in the voice in force and the order of the criteria."""
    min_age = units.settings(conn, unit).min_age
    return {
        group.id: criteria.short_label(group, min_age, voice().language) for group in criteria.builtin().subject_groups
    }


def _groups(sums: Sums, labels: dict[str, str]) -> tuple[GroupRow, ...]:
    """Subject groups with anybody in them, in the order of the criteria; one that these no longer name goes last."""
    by_group: dict[str, Sums] = {}
    for (group, status), n in sums.items():
        by_group.setdefault(group, {})[group, status] = n
    order = [*labels, *sorted(by_group.keys() - labels.keys())]
    rows = (
        GroupRow(id, labels.get(id, id), _total(by_group[id], REGISTERED), _total(by_group[id], {"approved"}))
        for id in order
        if id in by_group
    )
    return tuple(row for row in rows if row.registered)


def _children(conn: Connection, unit: UnitRow, standing: Standing) -> tuple[Row, ...]:
    """The units directly below, most registered first; a closed one only while somebody is counted in it."""
    below = units.children(conn, unit.id)
    if not below:
        return ()
    found = standing.child_sums({child.path: child.id for child in below})
    rows = []
    for child in below:
        raw = Raw(found[child.id])
        if child.valid_to is None or any(raw.statuses.values()):
            three = (measures.count(name, raw) for name in ("registered", "submitted", "approved"))
            rows.append(Row(units.display_code(child), child.name, *three))
    return ranked(tuple(rows))


def _place(conn: Connection, unit: UnitRow, standing: Standing) -> tuple[int | None, int, float | None]:
    """The place among the open units of the same parent by people approved (equal ones share the better place), how
    many they are, and their median; nothing for one without siblings, or before anybody is approved."""
    siblings = units.children(conn, unit.parent_id) if unit.parent_id is not None else ()
    sums = standing.sibling_sums({each.path: each.id for each in siblings})
    values = {
        each.id: measures.count("approved", Raw(sums[each.id]))
        for each in siblings
        if each.valid_to is None or any(sums[each.id].values())
    }
    if len(values) < 2 or unit.id not in values or not any(values.values()):
        return None, 0, None
    rank = 1 + sum(n > values[unit.id] for n in values.values())
    return rank, len(values), statistics.median(values.values())


def _open_below(conn: Connection, unit: UnitRow, year: int) -> tuple[UnitRow, ...]:
    """The units directly below, a closed one only while somebody is counted in it."""
    below = units.children(conn, unit.id)
    if all(child.valid_to is None for child in below):
        return below
    found = counters.child_sums(conn, unit.id, year, {child.path: child.id for child in below})
    return tuple(child for child in below if child.valid_to is None or any(found[child.id].values()))


def _raw_of_children(
    conn: Connection, unit: UnitRow, below: tuple[UnitRow, ...], year: int, now: datetime, wanted: Measure
) -> dict[int, Raw]:
    """What each unit directly below adds up to, as far as the *wanted* measure asks for it."""
    paths = {child.path: child.id for child in below}
    statuses = counters.child_sums(conn, unit.id, year, paths)
    others = tallies.whole_of_children(conn, unit.id, year, wanted.tallies) if wanted.tallies else {}
    reached = coverage.reach_of_children(conn, unit, paths) if wanted.reads == "roll-out" else {}
    people = targets.people_of_children(conn, below, _day_of(year, now)) if wanted.reads == "people" else {}
    late = overdue.rule(conn, unit, now) if wanted.name == "overdue" else None
    found = {}
    for child in below:
        reach = reached.get(child.id)
        found[child.id] = Raw(
            statuses[child.id],
            others.get(child.id, {}),
            late.due(child.path) if late else None,
            late.apart(conn, child.path, year) if late else (),
            bound=reach.bound if reach else None,
            without_officer=reach.without_officer if reach else None,
            without_scan=reach.without_scan if reach else None,
            people=people.get(child.id),
        )
    return found


def _means(conn: Connection, unit: UnitRow, year: int) -> tuple[tuple[IndicatorMean, ...], CriteriaSet]:
    """Mean points of each indicator over the dossiers handed in, each scored under the criteria it was filed under;
    names and minimum are those of the version that most were filed under."""
    answers: dict[tuple[str, str], int] = {}
    levels: dict[str, int] = {}
    for filed, version, indicator, level, n in assessments.level_counts(conn, unit.path, year):
        answers[filed, version] = answers.get((filed, version), 0) + n
        levels[f"level/{filed}/{version}/{indicator}/{level}"] = n
    if not answers:
        return (), criteria.builtin()
    named = criteria.builtin(*max(answers, key=lambda each: (answers[each], each)))
    points = measures.points(Raw({}, levels))
    return tuple(
        IndicatorMean(each.id, each.short.to(voice().language), given / people, people)
        for each in named.indicators
        if each.id in points
        for given, people in (points[each.id],)
    ), named
