"""The roll-out (triển khai): how many people are bound to a unit, and since when anybody scanned its code.

Kept where it happens, like the counters: one row a unit, for the unit itself and not for those below. Rows are touched
before those of the counters and in the order of the units, so that two turns never wait for each other in a circle.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Field, SQLModel

from storage.base import Connection, Prepared, UtcTime, table_of
from storage.units import COMMUNE, UnitRow


class RollOut(SQLModel, table=True):
    """People bound to a unit itself (đã gắn với đơn vị), and the first time that its code opened a chat."""

    __tablename__ = "rollout"
    __table_args__ = (sa.CheckConstraint("bound >= 0", name="bound"), {"sqlite_with_rowid": False})
    unit_id: int = Field(primary_key=True, foreign_key="units.id")
    bound: int = 0
    first_scan_at: datetime | None = Field(default=None, sa_type=UtcTime)


rollout = table_of(RollOut)


def upserts(**change: sa.ColumnElement[Any]) -> dict[str, Prepared]:
    """A unit's row written, or changed so where it is there, for both databases."""
    made = {}
    for name, insert in (("sqlite", sqlite_insert), ("postgresql", pg_insert)):
        statement = insert(rollout).values(
            unit_id=sa.bindparam("unit"), bound=sa.bindparam("by"), first_scan_at=sa.bindparam("now", type_=UtcTime)
        )
        made[name] = Prepared(statement.on_conflict_do_update(index_elements=["unit_id"], set_=change))
    return made


_BIND = upserts(bound=rollout.c.bound + 1)
# A row is missing only in a database that has just been upgraded: the first fold counts everybody
# (storage.coverage.begin).
_UNBIND = Prepared(
    sa.update(rollout)
    .where(rollout.c.unit_id == sa.bindparam("unit"), rollout.c.bound > 0)
    .values(bound=rollout.c.bound - 1)
)
_SCANNED = Prepared(
    sa.select(rollout.c.unit_id).where(rollout.c.unit_id == sa.bindparam("unit"), rollout.c.first_scan_at.is_not(None))
)
_SCAN = upserts(first_scan_at=sa.bindparam("now", type_=UtcTime))


def bind(conn: Connection, unit_id: int) -> None:
    """One more person is bound to a unit."""
    _BIND[conn.dialect.name].run(conn, unit=unit_id, by=1, now=None)


def unbind(conn: Connection, unit_id: int) -> None:
    """One person fewer."""
    _UNBIND.run(conn, unit=unit_id)


def rebind(conn: Connection, old: int, new: int) -> None:
    """One person is bound to another unit than before."""
    for unit, change in sorted(((old, unbind), (new, bind)), key=lambda step: step[0]):
        change(conn, unit)


def scanned(conn: Connection, unit: UnitRow, now: datetime) -> None:
    """A unit's code opened a chat: the first time is kept, also of the commune that the unit lies in."""
    of = {unit.id} if unit.level <= COMMUNE or unit.parent_id is None else {unit.id, unit.parent_id}
    for each in sorted(of):
        if _SCANNED.first(conn, unit=each) is None:
            _SCAN[conn.dialect.name].run(conn, unit=each, by=0, now=now)
