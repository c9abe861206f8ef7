"""Numbers that are never given twice (số hiệu): of people, contacts, dossiers, jobs and messages on their way.

The trail, the ledger and the log of requests keep such numbers when the rows are gone, and a job's number names its
event: the next person must not be the one who was erased. PostgreSQL's sequences see to it; SQLite gives the number of
its newest row again once that row is gone, so there the highest is remembered before rows go.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, table_of

TABLES = ("people", "contacts", "assessments", "jobs", "outbox", "imported_people", "titles", "suggestions")


class GivenNumber(SQLModel, table=True):
    """The highest number that a table had given when rows of it last went (SQLite only)."""

    __tablename__ = "given_numbers"
    __table_args__ = (sa.CheckConstraint("last > 0", name="last"),)
    name: str = Field(primary_key=True, max_length=32)
    last: int = Field(sa_type=BigId)


given_numbers = table_of(GivenNumber)


class Next(sa.ColumnElement[int]):
    """The next number of a table, as the value of its ``id`` in an insert."""

    inherit_cache = True
    type = sa.BigInteger()

    def __init__(self, table: str) -> None:
        self.table = table


@compiles(Next)
def _default(_element: Next, _compiler: Any, **_options: Any) -> str:
    return "DEFAULT"


@compiles(Next, "sqlite")
def _behind_all(element: Next, _compiler: Any, **_options: Any) -> str:
    return (
        f"(SELECT 1 + max(coalesce((SELECT max(id) FROM {element.table}), 0),"
        f" coalesce((SELECT last FROM given_numbers WHERE name = '{element.table}'), 0)))"
    )


_REMEMBER = {
    name: Prepared(
        sa.text(
            f"INSERT INTO given_numbers (name, last) SELECT '{name}', max(id) FROM {name}"
            " WHERE true HAVING max(id) IS NOT NULL"
            " ON CONFLICT (name) DO UPDATE SET last = max(last, excluded.last)"
        )
    )
    for name in TABLES
}


def remember(conn: Connection, *tables: str) -> None:
    """Rows of these tables (all, where none is named) are about to go: the next numbers come behind theirs."""
    if conn.dialect.name == "sqlite":
        for name in tables or TABLES:
            _REMEMBER[name].run(conn)


def given(conn: Connection) -> dict[str, int]:
    """What is remembered: table → the highest number."""
    return {row.name: row.last for row in conn.execute(sa.select(given_numbers.c.name, given_numbers.c.last))}


def set_given(conn: Connection, name: str, last: int) -> None:
    """Rows came from another database, where this number had been given."""
    conn.execute(sa.delete(given_numbers).where(given_numbers.c.name == name))
    conn.execute(sa.insert(given_numbers).values(name=name, last=last))
