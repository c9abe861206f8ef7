"""Counting anew what the counters, the roll-up and the ledger say, from the assessments themselves."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from storage.assessments import assessments
from storage.base import Connection
from storage.counters import ancestry, counters, ledger, rollup, tail, units


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a kept count is not what a recount finds. ``where``: counters, ledger or rollup."""

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
    ]


def _compare(where: str, kept: dict[Key, int], counted: dict[Key, int]) -> list[Difference]:
    return [
        Difference(where, path, year, group, status, kept.get(key, 0), counted.get(key, 0))
        for key in sorted(kept.keys() | counted.keys())
        if kept.get(key, 0) != counted.get(key, 0)
        for path, year, group, status in (key,)
    ]
