"""Counting anew what counters, roll-up, ledger, roll-out, weeks and tallies say, from what they count."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from storage import tallies
from storage.assessments import assessments
from storage.base import Connection
from storage.counters import ancestry, counters, ledger, rollup, rollup_mark, tail, units
from storage.people import people
from storage.rollout import rollout
from storage.stale import HANDED_IN, stale
from storage.titles import RECOGNISED, titles


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a kept count is not what a recount finds. ``where``: counters, ledger, rollup, bound (``status`` empty),
    weeks (``status``: the Monday and which), tallies (``status``: which; ``subject_group``: own or whole)."""

    where: str
    unit: str
    year: int
    subject_group: str
    status: str
    kept: int
    counted: int


Key = tuple[str, int, str, str]  # unit path, year, subject group, status


def check(conn: Connection) -> list[Difference]:
    """Every difference between what is kept and a recount; empty when all is well. One read transaction."""
    counted: dict[Key, int] = {}
    query = (
        sa.select(units.c.path, assessments.c.year, assessments.c.subject_group, assessments.c.status, sa.func.count())
        .select_from(assessments.join(units, units.c.id == assessments.c.unit_id))
        .group_by(units.c.path, assessments.c.year, assessments.c.subject_group, assessments.c.status)
    )
    for path, year, group, status, n in conn.execute(query):
        counted[path, year, group, status] = n
    imported = (
        sa.select(units.c.path, titles.c.year, titles.c.subject_group, sa.func.count())
        .select_from(titles.join(units, units.c.id == titles.c.counted_id))
        .where(titles.c.source == "import", titles.c.counted)
        .group_by(units.c.path, titles.c.year, titles.c.subject_group)
    )
    for path, year, group, n in conn.execute(imported):
        counted[path, year, group, RECOGNISED] = n
    kept: dict[Key, int] = {}
    for path, year, group, status, n in conn.execute(
        sa.select(units.c.path, counters.c.year, counters.c.subject_group, counters.c.status, counters.c.n)
        .select_from(counters.join(units, units.c.id == counters.c.unit_id))
        .where(counters.c.n != 0)
    ):
        kept[path, year, group, status] = n
    told: dict[Key, int] = {}
    for column, sign in ((ledger.c.before, -1), (ledger.c.after, 1)):
        for path, year, group, status, n in conn.execute(
            sa.select(units.c.path, ledger.c.year, ledger.c.subject_group, column, sa.func.count())
            .select_from(ledger.join(units, units.c.id == ledger.c.unit_id))
            .where(column.is_not(None))
            .group_by(units.c.path, ledger.c.year, ledger.c.subject_group, column)
        ):
            key = (path, year, group, status)
            told[key] = told.get(key, 0) + sign * n
    summed: dict[Key, int] = {}
    for path, year, group, status, n in conn.execute(
        sa.select(units.c.path, rollup.c.year, rollup.c.subject_group, rollup.c.status, rollup.c.n).select_from(
            rollup.join(units, units.c.id == rollup.c.unit_id)
        )
    ):
        summed[path, year, group, status] = n
    for (path, year, group, status), by in tail(conn).items():
        for above in ancestry(path):
            summed[above, year, group, status] = summed.get((above, year, group, status), 0) + by
    expected: dict[Key, int] = {}
    for (path, year, group, status), n in counted.items():
        for above in ancestry(path):
            expected[above, year, group, status] = expected.get((above, year, group, status), 0) + n
    return [
        *_compare("counters", kept, counted),
        *_compare("ledger", told, counted),
        *_compare("rollup", summed, expected),
        *_compare("bound", *_bound(conn)),
        *_compare("weeks", *_weeks(conn)),
        *_compare("tallies", *_tallies(conn)),
    ]


Counts = dict[Key, int]


def _bound(conn: Connection) -> tuple[Counts, Counts]:
    """People bound, once the first fold has counted those of before (:func:`storage.coverage.begin`)."""
    if conn.execute(sa.select(tallies.mark.c.id)).first() is None:
        return {}, {}
    kept = conn.execute(
        sa.select(units.c.path, rollout.c.bound)
        .join(units, units.c.id == rollout.c.unit_id)
        .where(rollout.c.bound != 0)
    )
    counted = conn.execute(
        sa.select(units.c.path, sa.func.count())
        .join_from(people, units, units.c.id == people.c.unit_id)
        .group_by(units.c.path)
    )
    return {(path, 0, "", ""): n for path, n in kept}, {(path, 0, "", ""): n for path, n in counted}


def _weeks(conn: Connection) -> tuple[Counts, Counts]:
    """The weeks as far as they are folded, against the ledger as far."""
    kept: Counts = {}
    query = sa.select(units.c.path, tallies.weeks).join_from(
        tallies.weeks, units, units.c.id == tallies.weeks.c.unit_id
    )
    for row in conn.execute(query):
        for name, n in (("submitted", row.submitted), ("approved", row.approved)):
            if n:
                kept[row.path, row.year, "", f"{row.monday} {name}"] = n
    counted: Counts = {}
    upto = conn.execute(sa.select(tallies.mark.c.ledger_id)).scalar() or 0
    lines = sa.select(units.c.path, ledger.c.year, ledger.c.at, ledger.c.before, ledger.c.after)
    for row in conn.execute(lines.join_from(ledger, units, units.c.id == ledger.c.unit_id).where(ledger.c.id <= upto)):
        for name, of in (("submitted", HANDED_IN), ("approved", ("approved",))):
            by = (row.after in of) - (row.before in of)
            for above in ancestry(row.path) if by else ():
                key = (above, row.year, "", f"{tallies.monday_of(row.at)} {name}")
                counted[key] = counted.get(key, 0) + by
    return kept, {key: n for key, n in counted.items() if n}


def _tallies(conn: Connection) -> tuple[Counts, Counts]:
    """The tallies of units that are not about to be counted anew, and all sums of what units have themselves."""
    kept: Counts = {}
    counted: Counts = {}
    upto = conn.execute(sa.select(tallies.mark.c.ledger_id)).scalar()
    named = {tuple(row) for row in conn.execute(sa.select(stale.c.unit_id, stale.c.year))}
    to_come = sa.select(ledger.c.unit_id, ledger.c.year).where(ledger.c.id > (upto or 0)).distinct()
    named |= {tuple(row) for row in conn.execute(to_come)}
    of_dossiers = sa.select(assessments.c.unit_id, assessments.c.year, units.c.path).distinct()
    fresh = {
        (row.unit_id, row.year): row.path
        for row in conn.execute(of_dossiers.join_from(assessments, units, units.c.id == assessments.c.unit_id))
        if (row.unit_id, row.year) not in named
    }
    query = sa.select(units.c.path, tallies.tallies)
    for row in conn.execute(query.join_from(tallies.tallies, units, units.c.id == tallies.tallies.c.unit_id)):
        if row.whole:
            kept[row.path, row.year, "whole", row.what] = row.whole
        if row.own:
            for above in ancestry(row.path):
                key = (above, row.year, "whole", row.what)
                counted[key] = counted.get(key, 0) + row.own
            if (row.unit_id, row.year) not in named:
                kept[row.path, row.year, "own", row.what] = row.own
    for (unit_id, year), path in fresh.items():
        for what, n in tallies.counted(conn, unit_id, year).items():
            counted[path, year, "own", what] = n
    return kept, counted


def rebuild(conn: Connection) -> None:
    """Write counters and roll-up anew from the ledger, up to its last line: after rows were loaded in bulk. Nobody else
    may write meanwhile."""
    kept = (counters.c.unit_id, counters.c.year, counters.c.subject_group, counters.c.status, counters.c.n)
    told = sa.union_all(
        *(
            sa.select(
                ledger.c.unit_id,
                ledger.c.year,
                ledger.c.subject_group,
                column.label("status"),
                sa.literal(by).label("by"),
            ).where(column.is_not(None))
            for column, by in ((ledger.c.before, -1), (ledger.c.after, 1))
        )
    ).subquery()
    key = (told.c.unit_id, told.c.year, told.c.subject_group, told.c.status)
    total = sa.func.sum(told.c.by)
    conn.execute(sa.delete(rollup_mark))
    conn.execute(sa.delete(rollup))
    conn.execute(sa.delete(counters))
    names = [each.name for each in kept]
    conn.execute(sa.insert(counters).from_select(names, sa.select(*key, total).group_by(*key).having(total != 0)))
    up = sa.select(units.c.id.label("leaf"), units.c.id, units.c.parent_id).cte("up", recursive=True)
    above = units.alias("above")
    up = up.union_all(
        sa.select(up.c.leaf, above.c.id, above.c.parent_id).join_from(up, above, above.c.id == up.c.parent_id)
    )
    sums = (up.c.id, counters.c.year, counters.c.subject_group, counters.c.status)
    conn.execute(
        sa.insert(rollup).from_select(
            names,
            sa.select(*sums, sa.func.sum(counters.c.n))
            .join_from(counters, up, up.c.leaf == counters.c.unit_id)
            .group_by(*sums),
        )
    )
    newest = sa.select(sa.literal(1), sa.func.coalesce(sa.func.max(ledger.c.id), 0))
    conn.execute(sa.insert(rollup_mark).from_select(["id", "ledger_id"], newest))


def _compare(where: str, kept: dict[Key, int], counted: dict[Key, int]) -> list[Difference]:
    return [
        Difference(where, path, year, group, status, kept.get(key, 0), counted.get(key, 0))
        for key in sorted(kept.keys() | counted.keys())
        if kept.get(key, 0) != counted.get(key, 0)
        for path, year, group, status in (key,)
    ]
