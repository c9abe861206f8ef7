"""Counts are kept where things happen: per leaf unit, year, subject group and status, with a ledger of every change.

Sums of provinces and the country live in a roll-up that remembers the last ledger line folded in. A recount proves all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, UtcTime, table_of
from storage.units import Unit


class Counter(SQLModel, table=True):
    """How many assessments of a unit itself (not of those below) have a status."""

    __tablename__ = "counters"
    __table_args__ = (sa.CheckConstraint("n >= 0", name="n"), {"sqlite_with_rowid": False})
    unit_id: int = Field(primary_key=True, foreign_key="units.id")
    year: int = Field(primary_key=True)
    subject_group: str = Field(primary_key=True, max_length=32)
    status: str = Field(primary_key=True, max_length=12)
    n: int = 0


class LedgerLine(SQLModel, table=True):
    """A change of status, append-only. ``before``/``after`` are ``None`` at birth, move and erasure."""

    __tablename__ = "status_ledger"
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    at: datetime = Field(sa_type=UtcTime, index=True)
    assessment_id: int = Field(sa_type=BigId, index=True)
    unit_id: int = Field(foreign_key="units.id", index=True)
    year: int
    subject_group: str = Field(max_length=32)
    before: str | None = Field(default=None, max_length=12)
    after: str | None = Field(default=None, max_length=12)
    why: str = Field(max_length=24)


class Rollup(SQLModel, table=True):
    """The sum over a unit and everything below it, as of :class:`RollupMark`."""

    __tablename__ = "rollup"
    __table_args__ = ({"sqlite_with_rowid": False},)
    unit_id: int = Field(primary_key=True, foreign_key="units.id")
    year: int = Field(primary_key=True)
    subject_group: str = Field(primary_key=True, max_length=32)
    status: str = Field(primary_key=True, max_length=12)
    n: int = 0


class RollupMark(SQLModel, table=True):
    """The last ledger line that the roll-up holds (one row)."""

    __tablename__ = "rollup_mark"
    id: int = Field(default=1, primary_key=True)
    ledger_id: int = Field(default=0, sa_type=BigId)


counters = table_of(Counter)
ledger = table_of(LedgerLine)
rollup = table_of(Rollup)
rollup_mark = table_of(RollupMark)
units = table_of(Unit)


def _upsert(table: sa.Table) -> dict[str, Prepared]:
    """``n += by`` on a row that may not be there yet, for both databases."""
    made = {}
    for name, insert in (("sqlite", sqlite_insert), ("postgresql", pg_insert)):
        statement = insert(table).values(
            unit_id=sa.bindparam("unit"),
            year=sa.bindparam("of"),
            subject_group=sa.bindparam("group"),
            status=sa.bindparam("state"),
            n=sa.bindparam("by"),
        )
        made[name] = Prepared(
            statement.on_conflict_do_update(
                index_elements=["unit_id", "year", "subject_group", "status"],
                set_={"n": table.c.n + statement.excluded.n},
            )
        )
    return made


_ADD = _upsert(counters)
_ADD_ROLLUP = _upsert(rollup)
# A row that does not exist cannot be lowered: with an upsert the inserted n = -1 would break the check before the
# conflict is seen, so lowering is a plain update.
_LOWER = Prepared(
    sa.update(counters)
    .where(
        counters.c.unit_id == sa.bindparam("unit"),
        counters.c.year == sa.bindparam("of"),
        counters.c.subject_group == sa.bindparam("group"),
        counters.c.status == sa.bindparam("state"),
    )
    .values(n=counters.c.n - 1)
)
_LEDGER = Prepared(
    sa.insert(ledger).values(
        at=sa.bindparam("now"),
        assessment_id=sa.bindparam("assessment"),
        unit_id=sa.bindparam("unit"),
        year=sa.bindparam("of"),
        subject_group=sa.bindparam("group"),
        before=sa.bindparam("was"),
        after=sa.bindparam("now_is"),
        why=sa.bindparam("reason"),
    )
)


def shift(
    conn: Connection,
    *,
    assessment_id: int,
    unit_id: int,
    year: int,
    subject_group: str,
    before: str | None,
    after: str | None,
    why: str,
    now: datetime,
) -> None:
    """One assessment leaves the count of *before* and enters that of *after*; the ledger says why.

    Rows are touched in key order, so that two turns never wait for each other in a circle.
    """
    for status in sorted({before, after} - {None}):  # type: ignore[type-var]
        if status == before:
            lowered = _LOWER.run(conn, unit=unit_id, of=year, group=subject_group, state=status)
            assert lowered == 1, "a counter is missing: run hoctap recount --check"
        else:
            _ADD[conn.dialect.name].run(conn, unit=unit_id, of=year, group=subject_group, state=status, by=1)
    _LEDGER.run(
        conn,
        now=now,
        assessment=assessment_id,
        unit=unit_id,
        of=year,
        group=subject_group,
        was=before,
        now_is=after,
        reason=why,
    )


# ------------------------------------------------------------------------------------------ the roll-up

_MARK = Prepared(sa.select(rollup_mark.c.ledger_id).where(rollup_mark.c.id == 1))
_MARK_LOCKED = Prepared(sa.select(rollup_mark.c.ledger_id).where(rollup_mark.c.id == 1).with_for_update())
_SET_MARK = Prepared(sa.update(rollup_mark).where(rollup_mark.c.id == 1).values(ledger_id=sa.bindparam("to")))
_FIRST_MARK = Prepared(sa.insert(rollup_mark).values(id=1, ledger_id=0))
_BEHIND = (
    sa.select(
        units.c.path,
        ledger.c.year,
        ledger.c.subject_group,
        ledger.c.before,
        ledger.c.after,
        sa.func.count().label("n"),
    )
    .select_from(ledger.join(units, units.c.id == ledger.c.unit_id))
    .where(ledger.c.id > sa.bindparam("mark"), ledger.c.id <= sa.bindparam("upto"))
    .group_by(units.c.path, ledger.c.year, ledger.c.subject_group, ledger.c.before, ledger.c.after)
)
_TAIL = Prepared(_BEHIND)
_NAMED_TAIL = {
    "sqlite": Prepared(_BEHIND.add_columns(sa.func.group_concat(ledger.c.id).label("lines"))),
    "postgresql": Prepared(
        _BEHIND.add_columns(sa.func.string_agg(sa.cast(ledger.c.id, sa.Text), sa.literal_column("','")).label("lines"))
    ),
}
_UPTO = Prepared(sa.select(sa.func.max(ledger.c.id)))
_UNIT_IDS = Prepared(sa.select(units.c.path, units.c.id))
_EVERYTHING = 2**62

Sums = dict[tuple[str, str], int]  # (subject group, status) -> n
Changes = dict[tuple[str, int, str, str], int]  # (leaf path, year, subject group, status) -> change


def _deltas(rows: list[Any]) -> Changes:
    found: Changes = {}
    for row in rows:
        for status, by in ((row.before, -row.n), (row.after, row.n)):
            if status is not None:
                key = (row.path, row.year, row.subject_group, status)
                found[key] = found.get(key, 0) + by
    return found


def fold(conn: Connection, most: int = 20_000) -> int:
    """Fold the ledger since the mark into the roll-up; how many ledger lines. Never in a turn.

    The mark's row is the lock of folding. On PostgreSQL a line with a lower id may commit after one with a higher id,
    so writers of the ledger are waited for (SHARE lock) before its end is read; SQLite has one writer.
    """
    mark = _MARK_LOCKED.value(conn)
    if mark is None:
        _FIRST_MARK.run(conn)
        mark = 0
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("LOCK TABLE status_ledger IN SHARE MODE")
    newest = _UPTO.value(conn)
    if newest is None or newest <= mark:
        return 0
    upto = min(newest, mark + most)
    ids = {row.path: row.id for row in _UNIT_IDS.all(conn)}
    sums: dict[tuple[int, int, str, str], int] = {}
    for (path, year, group, status), by in _deltas(_TAIL.all(conn, mark=mark, upto=upto)).items():
        if by:
            for ancestor in ancestry(path):
                key = (ids[ancestor], year, group, status)
                sums[key] = sums.get(key, 0) + by
    for (unit, year, group, status), by in sorted(sums.items()):
        _ADD_ROLLUP[conn.dialect.name].run(conn, unit=unit, of=year, group=group, state=status, by=by)
    _SET_MARK.run(conn, to=upto)
    folded: int = upto - mark
    return folded


def ancestry(path: str) -> list[str]:
    """``VN/22/06685/`` → ``VN/``, ``VN/22/``, ``VN/22/06685/``."""
    parts = path.rstrip("/").split("/")
    return ["/".join(parts[: depth + 1]) + "/" for depth in range(len(parts))]


_SUMS = Prepared(
    sa.select(rollup.c.subject_group, rollup.c.status, rollup.c.n).where(
        rollup.c.unit_id == sa.bindparam("unit"), rollup.c.year == sa.bindparam("of"), rollup.c.n != 0
    )
)
# Summed over subject groups in the database: a province with 160 communes would be 4,600 rows else.
_CHILD_SUMS = Prepared(
    sa.select(rollup.c.unit_id, rollup.c.status, sa.func.sum(rollup.c.n).label("n"))
    .select_from(units.join(rollup, units.c.id == rollup.c.unit_id))
    .where(units.c.parent_id == sa.bindparam("unit"), rollup.c.year == sa.bindparam("of"), rollup.c.n != 0)
    .group_by(rollup.c.unit_id, rollup.c.status)
)


def sums(conn: Connection, unit_id: int, path: str, year: int) -> Sums:
    """The sum over a unit and everything below it, exact now: the roll-up plus the ledger since its mark. Writes
    nothing."""
    rows, since = _steady(conn, lambda: _SUMS.all(conn, unit=unit_id, of=year))
    return _summed(rows, since, path, year)


def _summed(rows: list[Any], since: Changes, path: str, year: int) -> Sums:
    found: Sums = {(row.subject_group, row.status): row.n for row in rows}
    for (leaf, of, group, status), by in since.items():
        if of == year and leaf.startswith(path):
            found[group, status] = found.get((group, status), 0) + by
    return found


def child_sums(conn: Connection, unit_id: int, year: int, child_paths: dict[str, int]) -> dict[int, dict[str, int]]:
    """The sums of each child of a unit (*child_paths*: path → child id) by status, exact now."""
    rows, since = _steady(conn, lambda: _CHILD_SUMS.all(conn, unit=unit_id, of=year))
    return _summed_by_child(rows, since, child_paths, year)


def _summed_by_child(
    rows: list[Any], since: Changes, child_paths: dict[str, int], year: int
) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {child: {} for child in child_paths.values()}
    for row in rows:
        found.setdefault(row.unit_id, {})[row.status] = int(row.n)
    depth = min((path.count("/") for path in child_paths), default=0)
    for (leaf, of, _group, status), by in since.items():
        if of != year:
            continue
        child = child_paths.get("/".join(leaf.split("/")[:depth]) + "/")
        if child is not None:
            found[child][status] = found[child].get(status, 0) + by
    return found


@dataclass(frozen=True, slots=True)
class Held:
    """Which lines of the ledger some figures hold: all up to *line* but those *missing*, whose transactions had not
    been committed (on PostgreSQL a line with a lower id may be so after one with a higher) or never were."""

    line: int
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """A unit's year at one moment, with the units below it and beside it: they add up, also while others write."""

    held: Held
    path: str
    year: int
    own: list[Any]
    below: list[Any]
    beside: list[Any]
    since: Changes

    def sums(self) -> Sums:
        """As :func:`sums`."""
        return _summed(self.own, self.since, self.path, self.year)

    def child_sums(self, child_paths: dict[str, int]) -> dict[int, dict[str, int]]:
        """As :func:`child_sums`."""
        return _summed_by_child(self.below, self.since, child_paths, self.year)

    def sibling_sums(self, sibling_paths: dict[str, int]) -> dict[int, dict[str, int]]:
        """As :func:`child_sums` of the unit above; empty where it was not asked for."""
        return _summed_by_child(self.beside, self.since, sibling_paths, self.year)


def standing(conn: Connection, unit_id: int, path: str, year: int, above_id: int | None = None) -> Standing:
    """A unit's year, the units directly below, and those below the unit *above_id*, all of one moment.

    The roll-up stands still while its mark does (:func:`_steady`), and one statement reads the ledger behind it.
    """
    mark = _MARK.value(conn) or 0
    while True:
        own = _SUMS.all(conn, unit=unit_id, of=year)
        below = _CHILD_SUMS.all(conn, unit=unit_id, of=year)
        beside = [] if above_id is None else _CHILD_SUMS.all(conn, unit=above_id, of=year)
        rows = _NAMED_TAIL[conn.dialect.name].all(conn, mark=mark, upto=_EVERYTHING)
        after = _MARK.value(conn) or 0
        if after == mark:
            return Standing(_held(mark, rows), path, year, own, below, beside, _deltas(rows))
        mark = after


def _held(mark: int, rows: list[Any]) -> Held:
    seen = {int(line) for row in rows for line in row.lines.split(",")}
    line = max(seen, default=mark)
    return Held(line, tuple(each for each in range(mark + 1, line) if each not in seen))


def tail(conn: Connection) -> Changes:
    """What the ledger says since the roll-up's mark: (leaf path, year, group, status) → change. Belongs to a roll-up
    read in the same view of the database only; a turn on PostgreSQL has none (:func:`_steady`)."""
    return _since(conn, _MARK.value(conn) or 0)


def _since(conn: Connection, mark: int) -> Changes:
    return _deltas(_TAIL.all(conn, mark=mark, upto=_EVERYTHING))


def _steady(conn: Connection, read: Callable[[], list[Any]]) -> tuple[list[Any], Changes]:
    """Rows of the roll-up, and what the ledger says since exactly those.

    In a turn on PostgreSQL each statement sees what was committed before it: a fold that commits between two of them
    would be counted twice or not at all. The mark moves with every fold, so one that has not moved proves the rest.
    """
    mark = _MARK.value(conn) or 0
    while True:
        rows = read()
        changes = _since(conn, mark)
        after = _MARK.value(conn) or 0
        if after == mark:
            return rows, changes
        mark = after


_OWN = Prepared(
    sa.select(counters.c.subject_group, counters.c.status, counters.c.n).where(
        counters.c.unit_id == sa.bindparam("unit"), counters.c.year == sa.bindparam("of"), counters.c.n != 0
    )
)


def own(conn: Connection, unit_id: int, year: int) -> Sums:
    """The counts of the unit itself, without those below."""
    return {(row.subject_group, row.status): row.n for row in _OWN.all(conn, unit=unit_id, of=year)}
