"""Units whose tallies are to be counted anew, because a dossier handed in there changed (see :mod:`storage.tallies`).

A change of status says so by its line in the ledger; a change of level or evidence writes none, so that its verb does.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, table_of

HANDED_IN = ("submitted", "returned", "approved", "not_met")


class StaleTally(SQLModel, table=True):
    """A unit's year that changed since its tallies were counted: a row each time, so that nobody waits for anybody, and
    one that is committed while the unit is counted stays for the next count."""

    __tablename__ = "tallies_stale"
    __table_args__ = (sa.Index("ix_tallies_stale_unit_id_year", "unit_id", "year"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    unit_id: int = Field(foreign_key="units.id")
    year: int


stale = table_of(StaleTally)

_TOUCH = Prepared(sa.insert(stale).values(unit_id=sa.bindparam("unit"), year=sa.bindparam("of")))


def touch(conn: Connection, unit_id: int, year: int) -> None:
    """A unit's dossiers of a year changed: its tallies are to be counted anew."""
    _TOUCH.run(conn, unit=unit_id, of=year)


def changed(conn: Connection, unit_id: int, year: int, status: str) -> None:
    """Levels or evidence of a dossier with this status changed: only of one handed in do the tallies know."""
    if status in HANDED_IN:
        touch(conn, unit_id, year)
