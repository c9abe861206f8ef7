"""Rows that either database understands, and a whole database moved from one to the other.

A portable row is a list of JSON values in the order of its table's columns: moments as ISO text in UTC, days as ISO
text, bytes as base64, everything else as it is.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.pool import StaticPool

from storage import migrate, numbering
from storage.base import Connection, Refused, UtcTime, utc
from storage.engine import writing
from storage.tables import metadata

BATCH = 1000  # rows read and written at once
VERSION_TABLE = "alembic_version"
LOCK = 0x686F6374  # PostgreSQL's advisory lock of whoever moves a database

Row = list[Any]

_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "moment": UtcTime(),
    "day": sa.Date(),
    "flag": sa.Boolean(),
    "whole": sa.BigInteger(),
    "decimal": sa.Double(),
    "text": sa.Text(),
    "bytes": sa.LargeBinary(),
    "json": sa.JSON(),
}
KINDS = frozenset(_TYPES)  # of columns


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as it travels: its columns, of which kind each is (the keys of ``_TYPES``), the primary key, and the
    columns that point at rows of the same table, with the column that they name."""

    name: str
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    key: tuple[str, ...]
    own: tuple[tuple[str, str], ...] = ()

    def table(self) -> sa.TableClause:
        """The table, for statements."""
        return sa.table(
            self.name, *(sa.column(name, _TYPES[kind]) for name, kind in zip(self.columns, self.kinds, strict=True))
        )


def shapes() -> list[Shape]:
    """Every table of the product, each after those that it points at."""
    return [
        Shape(
            table.name,
            tuple(column.name for column in table.c),
            tuple(_kind(column) for column in table.c),
            tuple(column.name for column in table.primary_key),
            tuple((key.parent.name, key.column.name) for key in table.foreign_keys if key.column.table is table),
        )
        for table in metadata.sorted_tables
    ]


def _kind(column: sa.Column[Any]) -> str:
    kinds: tuple[tuple[type, str], ...] = (
        (UtcTime, "moment"),
        (sa.Date, "day"),
        (sa.Boolean, "flag"),
        (sa.Integer, "whole"),
        (sa.Float, "decimal"),
        (sa.JSON, "json"),
        (sa.LargeBinary, "bytes"),
        (sa.String, "text"),
    )
    own = column.type
    plain = own.impl if isinstance(own, sa.TypeDecorator) and not isinstance(own, UtcTime) else own  # SQLModel's text
    for kind, name in kinds:
        if isinstance(plain, kind):
            return name
    raise TypeError(f"{column.table.name}.{column.name}: rows with this type of column cannot travel")


def _portable(kind: str, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case "moment":
            return utc(value).isoformat(timespec="microseconds")[:26] + "Z"
        case "day":
            return value.isoformat()
        case "bytes":
            return base64.b64encode(value).decode()
    return value


def _native(kind: str, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case "moment":
            return datetime.fromisoformat(value)
        case "day":
            return date.fromisoformat(value)
        case "bytes":
            return base64.b64decode(value)
    return value


def read_rows(conn: Connection, shape: Shape, size: int = BATCH) -> Iterator[list[Row]]:
    """The portable rows of a table by its primary key, *size* at once, without holding them all in memory."""
    table = shape.table()
    query = sa.select(table).order_by(*(table.c[name] for name in shape.key))
    found = conn.execute(query, execution_options={"stream_results": True, "max_row_buffer": size})
    for part in found.partitions(size):
        yield [[_portable(kind, value) for kind, value in zip(shape.kinds, row, strict=True)] for row in part]


def write_rows(conn: Connection, shape: Shape, parts: Iterator[list[Row]]) -> None:
    """Insert portable rows. One that points at a row of the same table waits until that is there."""
    insert = sa.insert(shape.table())
    if not shape.own:
        for part in parts:
            conn.execute(insert, [_named(shape, row) for row in part])
        return
    (name,) = {named for _, named in shape.own}
    there: set[Any] = set()
    waiting: dict[Any, list[dict[str, Any]]] = {}
    for part in parts:
        ready = [_named(shape, row) for row in part]
        while ready:
            written = []
            for row in ready:
                above = [row[column] for column, _ in shape.own if row[column] not in (None, row[name])]
                lacks = next((value for value in above if value not in there), None)
                if lacks is None:
                    written.append(row)
                    there.add(row[name])
                else:
                    waiting.setdefault(lacks, []).append(row)
            if written:
                conn.execute(insert, written)
            ready = [row for done in written for row in waiting.pop(done[name], ())]
    if waiting:
        raise Refused("rows_point_nowhere", table=shape.name)


def _named(shape: Shape, row: Row) -> dict[str, Any]:
    return {name: _native(kind, value) for name, kind, value in zip(shape.columns, shape.kinds, row, strict=True)}


class Fingerprint:
    """How many rows, and a hash of their content that does not depend on their order."""

    __slots__ = ("_sum", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, rows: list[Row]) -> None:
        """Count these in."""
        for row in rows:
            text = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            self._sum += int.from_bytes(hashlib.sha256(text.encode()).digest())
            self.rows += 1

    def through(self, parts: Iterator[list[Row]]) -> Iterator[list[Row]]:
        """The same parts, counted in as they pass."""
        for part in parts:
            self.add(part)
            yield part

    @property
    def hash(self) -> str:
        """64 hex digits."""
        return f"{self._sum % 2**256:064x}"


def is_empty(engine: Engine) -> bool:
    """Has the database no row at all, besides the number of its revision?"""
    with engine.connect() as conn:
        for name in sa.inspect(conn).get_table_names():
            if (
                name != VERSION_TABLE
                and conn.execute(sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)).first()
            ):
                return False
    return True


def numbers(conn: Connection, carried: list[Shape]) -> dict[str, int]:
    """The highest number that each table has ever given, where the database remembers: its row may be gone by now, and
    the number is not to be given again (a page knows by it which lines it has)."""
    if conn.dialect.name == "sqlite":
        kept = numbering.given(conn) if _remembers(carried) else {}
        known = {shape.name for shape in carried}
        return {name: last for name, last in (kept | _given(conn)).items() if name in known}
    found = {}
    for shape in _numbered(carried):
        query = sa.text("select pg_sequence_last_value(cast(pg_get_serial_sequence(:name, :key) as regclass))")
        last = conn.execute(query, {"name": shape.name, "key": shape.key[0]}).scalar()
        if last is not None:
            found[shape.name] = int(last)
    return found


def _numbered(carried: list[Shape]) -> Iterator[Shape]:
    for shape in carried:
        if len(shape.key) == 1 and shape.kinds[shape.columns.index(shape.key[0])] == "whole":
            yield shape


_SEQUENCE = sa.table("sqlite_sequence", sa.column("name"), sa.column("seq"))


def _given(conn: Connection) -> dict[str, int]:
    """SQLite: of the tables that never give a number twice (AUTOINCREMENT) the last one given."""
    if not conn.exec_driver_sql("select 1 from sqlite_master where name = 'sqlite_sequence'").first():
        return {}
    return {row.name: int(row.seq) for row in conn.execute(sa.select(_SEQUENCE.c.name, _SEQUENCE.c.seq))}


def reset_sequences(conn: Connection, carried: list[Shape], given: Mapping[str, int]) -> None:
    """Rows came with their numbers: the next number of each table comes behind them, and behind those that *given*
    (:func:`numbers`) says were given where the rows came from."""
    for shape in _numbered(carried):
        table, name = shape.table(), shape.name
        top = conn.execute(sa.select(sa.func.max(table.c[shape.key[0]]))).scalar() or 0
        last = max(top, given.get(name, 0))
        if conn.dialect.name == "sqlite":
            _reset_sqlite(conn, name, top, last, remembers=_remembers(carried))
        elif last > 0:
            setval = sa.text("select setval(cast(pg_get_serial_sequence(:name, :key) as regclass), :last)")
            conn.execute(setval, {"name": name, "key": shape.key[0], "last": last})


def _reset_sqlite(conn: Connection, name: str, top: int, last: int, *, remembers: bool) -> None:
    if last > top and name in numbering.TABLES and remembers:
        numbering.set_given(conn, name, max(last, numbering.given(conn).get(name, 0)))
    create = sa.text("select sql from sqlite_master where type = 'table' and name = :name")
    if last > 0 and "AUTOINCREMENT" in (conn.execute(create, {"name": name}).scalar() or ""):
        conn.execute(sa.delete(_SEQUENCE).where(_SEQUENCE.c.name == name))
        conn.execute(sa.insert(_SEQUENCE).values(name=name, seq=last))


def _remembers(carried: list[Shape]) -> bool:
    return any(shape.name == numbering.given_numbers.name for shape in carried)


# ------------------------------------------------------------------------------------------ the whole database


@dataclass(frozen=True, slots=True)
class Moved:
    """A table that was moved: its rows, and the hash of its content, the same on both sides."""

    table: str
    rows: int
    hash: str


Tell = Callable[[str, int, int], None]  # what is being done, how many of how many


def move(source_url: str, target: Engine, tell: Tell) -> list[Moved]:
    """Copy every row of the database at *source_url* to an empty one, and compare both.

    Nobody else may use the source meanwhile. Raises ``Refused``: ``database_in_use``, ``target_not_empty``,
    ``move_differs(table)``; then, and after any other error, the target holds no row.
    """
    if not is_empty(target):
        raise Refused("target_not_empty")
    carried = shapes()
    moved = []
    with alone(source_url) as here:
        if _revision(here) != migrate.HEAD:
            raise Refused("revision_other", found=_revision(here), expected=migrate.HEAD)
        migrate.upgrade(target)
        with writing(target) as there:
            _lock(there)
            for n, shape in enumerate(carried):
                tell(shape.name, n, len(carried))
                sent, found = Fingerprint(), Fingerprint()
                write_rows(there, shape, sent.through(read_rows(here, shape)))
                for part in read_rows(there, shape):
                    found.add(part)
                if (sent.rows, sent.hash) != (found.rows, found.hash):
                    raise Refused("move_differs", table=shape.name)
                moved.append(Moved(shape.name, found.rows, found.hash))
            reset_sequences(there, carried, numbers(here, carried))
    tell("", len(carried), len(carried))
    return moved


def _revision(conn: Connection) -> str | None:
    found: str | None = conn.execute(sa.text(f"select version_num from {VERSION_TABLE}")).scalar()
    return found


@contextmanager
def alone(url: str) -> Iterator[Connection]:
    """A connection that reads while nobody else has the database open; ``Refused("database_in_use")``."""
    given = sa.make_url(url)
    with _alone_sqlite(given) if given.get_backend_name() == "sqlite" else _alone_postgresql(given) as conn:
        yield conn


@contextmanager
def _alone_sqlite(url: sa.URL) -> Iterator[Connection]:
    raw = sqlite3.connect(f"file:{url.database}?mode=rw", uri=True, isolation_level=None, timeout=2)
    try:
        # Said before the file is first touched it shuts out whoever has it open, even without doing anything.
        raw.execute("PRAGMA locking_mode=EXCLUSIVE")
        try:
            raw.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise Refused("database_in_use") from None
            raise
        engine = sa.create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)
        with engine.connect() as conn:
            yield conn
    finally:
        raw.close()


@contextmanager
def _alone_postgresql(url: sa.URL) -> Iterator[Connection]:
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_size=1, isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as conn, conn.begin():
            _lock(conn)
            for name in sa.inspect(conn).get_table_names():
                conn.exec_driver_sql(f'lock table "{name}" in exclusive mode nowait')
            yield conn
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", "") == "55P03":  # lock_not_available
            raise Refused("database_in_use") from None
        raise
    finally:
        engine.dispose()


def _lock(conn: Connection) -> None:
    """On PostgreSQL: nobody else is connected to this database, and nobody else moves one."""
    if conn.dialect.name != "postgresql":
        return
    free = conn.execute(sa.select(sa.func.pg_try_advisory_xact_lock(LOCK))).scalar()
    others = conn.exec_driver_sql(
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        " and backend_type = 'client backend'"
    ).scalar()
    if not free or others:
        raise Refused("database_in_use")
