"""What every aggregate shares: the table base, UTC times, refusals, and the connection type."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect
from sqlmodel import SQLModel

__all__ = ["BigId", "Connection", "Prepared", "Refused", "UtcTime", "metadata", "refusable", "table_of", "utc"]

metadata = SQLModel.metadata
# Names that Alembic can rely on, on both databases.
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite gives row ids only to INTEGER; PostgreSQL needs 64 bits for the tables that grow.
BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class UtcTime(sa.TypeDecorator[datetime]):
    """A moment in UTC. PostgreSQL keeps it as ``timestamptz``; SQLite as fixed-width ISO text, which sorts by time."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return sa.String(27)
        return sa.DateTime(timezone=True)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        moment = utc(value)
        return moment.isoformat(timespec="microseconds")[:26] + "Z" if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return utc(value)


def utc(value: datetime) -> datetime:
    """The same moment in UTC; a time without a zone is a programming error."""
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        raise ValueError("a time without a zone")
    return value.astimezone(UTC)


class Refused(Exception):
    """Storage will not do this. ``code`` names the reason, ``facts`` fill in its sentence (``refused.*`` in locales).

    Raised before anything is written, or inside a savepoint that is rolled back: a refusal changes nothing.
    """

    def __init__(self, code: str, /, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


def table_of(model: type[SQLModel]) -> sa.Table:
    """The table behind a SQLModel class."""
    table = sa.inspect(model).local_table
    assert isinstance(table, sa.Table)
    return table


@contextmanager
def refusable(conn: Connection) -> Iterator[None]:
    """A refusal (:class:`Refused`) in this block takes back what the block wrote, and goes on to the caller.

    Any other error goes on as it is: the whole turn is rolled back then, and this savepoint with it.
    """
    cursor = conn.connection.dbapi_connection.cursor()  # type: ignore[union-attr]
    cursor.execute("SAVEPOINT act")
    try:
        yield
    except Refused:
        cursor.execute("ROLLBACK TO SAVEPOINT act")
        cursor.execute("RELEASE SAVEPOINT act")
        raise
    if conn.dialect.name == "sqlite":  # elsewhere it costs a round trip, and COMMIT releases it all the same
        cursor.execute("RELEASE SAVEPOINT act")
    cursor.close()


class Prepared:
    """A core statement compiled once per dialect and run on the driver's own cursor.

    A turn makes about a dozen statements; through ``Connection.execute`` each costs 42 µs of bookkeeping, this way
    4 µs (docs/decisions.md). The statement may hold ``bindparam``s, literals and RETURNING, not expanding parameters
    (``IN`` over a list). Types are converted by the columns' own processors. Errors are the driver's, unwrapped.
    """

    __slots__ = ("_plans", "clause")

    def __init__(self, clause: sa.Executable) -> None:
        self.clause = clause
        self._plans: dict[str, _Plan] = {}

    def _cursor(self, conn: Connection, values: dict[str, Any]) -> tuple[Any, _Plan]:
        plan = self._plans.get(conn.dialect.name)
        if plan is None:
            plan = self._plans[conn.dialect.name] = _Plan(self.clause, conn.dialect)
        cursor = conn.connection.dbapi_connection.cursor()  # type: ignore[union-attr]
        cursor.execute(plan.sql, plan.arguments(values))
        return cursor, plan

    def all(self, conn: Connection, **values: Any) -> list[Any]:
        """Every row, as named tuples of the statement's columns."""
        cursor, plan = self._cursor(conn, values)
        found = cursor.fetchall()
        cursor.close()
        return list(map(plan.row, found)) if found else []

    def first(self, conn: Connection, **values: Any) -> Any | None:
        """The first row, or ``None``."""
        cursor, plan = self._cursor(conn, values)
        # All of them: a RETURNING statement on SQLite is finished only when its rows are read.
        found = cursor.fetchall()
        cursor.close()
        return plan.row(found[0]) if found else None

    def value(self, conn: Connection, **values: Any) -> Any:
        """The first column of the first row, or ``None``."""
        row = self.first(conn, **values)
        return None if row is None else row[0]

    def run(self, conn: Connection, **values: Any) -> int:
        """Run a statement without rows; how many rows it touched."""
        cursor, _ = self._cursor(conn, values)
        count: int = cursor.rowcount
        cursor.close()
        return count


class _Plan:
    """SQL, how arguments go in, how rows come out, for one dialect."""

    __slots__ = ("_converts", "_given", "_make", "_named", "_outs", "_slots", "row", "sql")

    def __init__(self, clause: sa.Executable, dialect: Dialect) -> None:
        compiled: Any = clause.compile(dialect=dialect)  # type: ignore[attr-defined]
        if compiled.post_compile_params or compiled.literal_execute_params:
            raise TypeError("an expanding parameter cannot be prepared")
        self.sql: str = str(compiled)
        self._named = not compiled.positional
        names = list(compiled.params) if self._named else list(compiled.positiontup)
        converts = dict(compiled._bind_processors)
        # name, and the value where none is given, in the order that the driver wants
        self._slots = [(name, compiled.params[name]) for name in names]
        self._given = frozenset(names)
        self._converts = [(place, converts[name]) for place, name in enumerate(names) if name in converts]
        columns = list(compiled._result_columns or ())
        self._outs: list[tuple[int, Any]] = []
        for position, column in enumerate(columns):
            if isinstance(column.type, UtcTime) and dialect.name == "sqlite":
                out: Any = datetime.fromisoformat  # what process_result_value does, without the way there
            elif isinstance(column.type, sa.Float):
                out = None  # both drivers give Python's own; psycopg's processor wants to see the wire's type first
            elif isinstance(column.type, sa.TypeDecorator):
                out = column.type.result_processor(dialect, None)
            else:
                out = column.type.dialect_impl(dialect).result_processor(dialect, None)
            if out is not None:
                self._outs.append((position, out))
        self._make: Any = (
            namedtuple("Row", [column.keyname for column in columns], rename=True)._make  # type: ignore[attr-defined]
            if columns
            else tuple
        )
        self.row: Any = self._converted if self._outs else self._make

    def arguments(self, values: dict[str, Any]) -> Any:
        if not values.keys() <= self._given:
            raise TypeError(f"no parameter {sorted(values.keys() - self._given)} in {self.sql}")
        get = values.get
        made = [get(name, value) for name, value in self._slots]
        for place, convert in self._converts:
            if made[place] is not None:
                made[place] = convert(made[place])
        if self._named:
            return {slot[0]: value for slot, value in zip(self._slots, made, strict=True)}
        return made

    def _converted(self, found: Any) -> Any:
        found = list(found)
        for position, out in self._outs:
            if found[position] is not None:
                found[position] = out(found[position])
        return self._make(found)
