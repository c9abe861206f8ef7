"""Databases: opening one, and taking turns on it.

A turn is one transaction, synchronous inside. On SQLite one writer thread runs every turn that waits, a savepoint each,
one commit for all; on PostgreSQL a small pool of threads runs a transaction each. A turn's future resolves after
COMMIT only.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import queue
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import psycopg
import sqlalchemy as sa
import sqlalchemy.exc
import sqlalchemy.pool
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from storage import events
from storage.base import Connection, metadata

__all__ = ["TransientFailure", "Turns", "metadata", "open_engine", "open_readers", "read_long", "reading", "writing"]

log = logging.getLogger(__name__)
T = TypeVar("T")

MOST_IN_A_BATCH = 128
ATTEMPTS = 6
READERS = 36  # connections beside the pool's: as many as asyncio has threads to read in, and the turns' own
# lock_not_available, in_failed_sql_transaction, idle_in_transaction_session_timeout, read_only_sql_transaction (a
# server that is being replaced)
PASSING = frozenset({"55P03", "25P02", "25P03", "25006"})
# Of a turn: nobody waits long for a lock, and a process that is frozen in the middle lets go of its locks.
TURN_LIMITS = "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'"
# A partner that is frozen or cut off is noticed in seconds, not hours.
KEEPALIVE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


class TransientFailure(Exception):
    """The database could not take the turn now (lock, disk, connection): nothing was written; try the event again."""


def open_engine(url: str, *, pool: int = 8) -> Engine:
    """An engine for ``sqlite:///path`` or ``postgresql://…`` (psycopg 3), with the settings that the turn relies on."""
    given = sa.make_url(url)
    if given.get_backend_name() == "sqlite":
        return _open_sqlite(given)
    if given.drivername == "postgresql":
        given = given.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(
        given,
        pool_size=pool,
        max_overflow=READERS,
        pool_pre_ping=True,
        connect_args=KEEPALIVE,
    )

    @sa.event.listens_for(engine, "connect")
    def _keep_prepared(connection: psycopg.Connection[Any], _record: Any) -> None:
        connection.prepared_max = 512  # of psycopg's own hundred each would push out another

    return engine


def _open_sqlite(url: sa.URL) -> Engine:
    if url.database and url.database != ":memory:":
        path = Path(url.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)  # names and telephone numbers: nobody else's on this machine
    engine = sa.create_engine(
        url,
        # pysqlite's own transactions commit a savepoint's RELEASE unless BEGIN was said explicitly: switch them off
        # and say BEGIN ourselves (below).
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": 15, "cached_statements": 512},
        poolclass=None if url.database in (None, "", ":memory:") else sa.pool.QueuePool,
    )

    @sa.event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        # FULL: with NORMAL, a power cut can take acknowledged turns with it.
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=15000",
            "temp_store=MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock at once: upgrading a read transaction later could fail half-way.
        connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for reading only, one consistent view; never waits for a writer."""
    options: dict[str, Any] = {"reading": True}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"
    with engine.connect().execution_options(**options) as conn, conn.begin():
        yield conn


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction of its own, for scripts and start-up; a running bot's turns go through :class:`Turns`."""
    with engine.begin() as conn:
        yield conn


def is_transient(error: BaseException) -> bool:
    """Is this the database's passing trouble (lock, serialization, connection, disk), and not a defect?"""
    if isinstance(error, TransientFailure):
        return True
    if isinstance(error, sqlalchemy.exc.TimeoutError):  # every connection of the pool is in use
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and is_transient(error.orig))
    if isinstance(error, sqlite3.OperationalError):
        text = str(error)
        return any(sign in text for sign in ("locked", "busy", "disk", "full", "I/O", "unable to open", "readonly"))
    if isinstance(error, psycopg.Error):
        state = error.sqlstate or ""
        return (
            isinstance(error, psycopg.errors.SerializationFailure | psycopg.errors.DeadlockDetected)
            or state[:2] in ("08", "53", "57")
            or state in PASSING
            or (isinstance(error, psycopg.OperationalError) and not state)
        )
    return False


@dataclass(slots=True)
class _Waiting(Generic[T]):
    job: Callable[[Connection], T]
    rescue: Callable[[Connection, Exception], T] | None
    future: asyncio.Future[T]
    loop: asyncio.AbstractEventLoop
    result: T | None = None
    error: BaseException | None = None
    attempts: int = field(default=0)
    # What is logged in the writer's thread tells whose event it is about, as what is logged by whoever asked.
    context: contextvars.Context = field(default_factory=contextvars.copy_context)


class Turns:
    """Takes turns on a database and tells each caller when its own has been committed.

    ``run(job)`` awaits ``job(connection)``. A job that raises is rolled back alone; then ``rescue(connection, error)``,
    where given, writes what remains to be said of it, in the same commit. Passing trouble is retried, at last raised as
    :class:`TransientFailure`. Both see the caller's context variables. ``read(job)`` only looks, and waits for no turn.

    ``batches``: how many commits of SQLite's one writer held so many turns. ``retries``: turns taken once more.
    """

    def __init__(self, engine: Engine, *, threads: int = 4) -> None:
        self.engine = engine
        self._queue: queue.SimpleQueue[_Waiting[Any] | None] = queue.SimpleQueue()
        self._closed = False
        self.batches: Counter[int] = Counter()
        self.retries = 0
        one_writer = engine.dialect.name == "sqlite"
        work = self._write_batches if one_writer else self._write_singly
        self._threads = [
            threading.Thread(target=work, name=f"turns-{n}", daemon=True) for n in range(1 if one_writer else threads)
        ]
        for thread in self._threads:
            thread.start()

    async def run(
        self, job: Callable[[Connection], T], rescue: Callable[[Connection, Exception], T] | None = None
    ) -> T:
        """Take a turn; returns after COMMIT."""
        if self._closed:
            raise TransientFailure("the database is being closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Waiting(job, rescue, future, loop))
        return await future

    async def read(self, job: Callable[[Connection], T]) -> T:
        """Read beside the turns: one consistent view, in a thread of its own. Raises :class:`TransientFailure` while
        the database cannot be read."""
        return await asyncio.to_thread(self._read, job)

    def _read(self, job: Callable[[Connection], T]) -> T:
        try:
            with reading(self.engine) as conn:
                return job(conn)
        except Exception as error:
            if is_transient(error):
                raise TransientFailure("the database cannot be read now") from error
            raise

    @property
    def waiting(self) -> int:
        """How many turns wait for a thread, about."""
        return self._queue.qsize()

    @property
    def alive(self) -> bool:
        """Are there threads that take turns?"""
        return not self._closed and all(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """End after every turn that waits has been taken."""
        if not self._closed:
            self._closed = True
            for _ in self._threads:
                self._queue.put(None)
            for thread in self._threads:
                thread.join(timeout=30)
            while not self._queue.empty():  # came in while closing: to be sent again
                late = self._queue.get_nowait()
                if late is not None:
                    late.error = TransientFailure("the database has been closed")
                    _settle([late])

    # -------------------------------------------------------------------------------- SQLite: one writer, whole batches

    def _write_batches(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            batch = [first]
            last = False
            # Whatever waits goes along: a fixed window would only add delay.
            while len(batch) < MOST_IN_A_BATCH:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                    break
                batch.append(more)
            self._take_batch(batch)
            if last:
                return

    def _take_batch(self, batch: list[_Waiting[Any]]) -> None:
        try:
            with self.engine.begin() as conn:
                for waiting in batch:
                    self._take_in_savepoint(conn, waiting)
        except Exception as error:  # noqa: BLE001 - whatever broke the batch, each turn gets its own chance below
            if len(batch) > 1:
                log.warning("a batch of %d turns is taken again singly: %s", len(batch), type(error).__name__)
                for waiting in batch:
                    self._take_batch([waiting])
                return
            self._retry_or_fail(batch[0], error, self._take_batch)
            return
        self.batches[len(batch)] += 1
        _settle(batch)

    def _take_in_savepoint(self, conn: Connection, waiting: _Waiting[Any]) -> None:
        waiting.result = waiting.error = None
        cursor = conn.connection.dbapi_connection.cursor()  # type: ignore[union-attr]
        cursor.execute("SAVEPOINT turn")
        try:
            waiting.result = waiting.context.run(waiting.job, conn)
        except Exception as error:
            self._check_alive(conn, error)
            if is_transient(error):
                raise
            cursor.execute("ROLLBACK TO turn")
            if waiting.rescue is None:
                waiting.error = error
            else:
                try:
                    waiting.result = waiting.context.run(waiting.rescue, conn, error)
                except Exception as second:
                    self._check_alive(conn, second)
                    if is_transient(second):
                        raise
                    told = events.traced(second)  # never what people said
                    waiting.context.run(log.error, "the rescue of a turn failed: %s", told)
                    cursor.execute("ROLLBACK TO turn")
                    waiting.error = second
        self._check_alive(conn, None)
        cursor.execute("RELEASE turn")
        cursor.close()

    @staticmethod
    def _check_alive(conn: Connection, error: Exception | None) -> None:
        """SQLite ends the whole transaction on some errors (disk full): going on would commit turns one by one."""
        raw: Any = conn.connection.dbapi_connection
        if not raw.in_transaction:
            raise TransientFailure("the transaction is gone") from error

    # -------------------------------------------------------------------------------- PostgreSQL: a transaction each

    def _write_singly(self) -> None:
        kept = _Kept(self.engine)
        while True:
            waiting = self._queue.get()
            if waiting is None:
                kept.close()
                return
            self._take_singly(kept, [waiting])

    def _take_singly(self, kept: _Kept, batch: list[_Waiting[Any]]) -> None:
        (waiting,) = batch
        waiting.result = waiting.error = None
        try:
            try:
                with kept.begin() as conn:
                    waiting.result = waiting.context.run(waiting.job, conn)
            except Exception as error:
                if waiting.rescue is None or _may_pass(error, waiting.attempts):
                    raise
                with kept.begin() as conn:
                    waiting.result = waiting.context.run(waiting.rescue, conn, error)
        except Exception as error:  # noqa: BLE001 - handed to the caller
            self._retry_or_fail(waiting, error, partial(self._take_singly, kept))
            return
        _settle(batch)

    def _retry_or_fail(
        self, waiting: _Waiting[Any], error: Exception, again: Callable[[list[_Waiting[Any]]], None]
    ) -> None:
        if not _may_pass(error, waiting.attempts):
            waiting.error = error
            _settle([waiting])
            return
        waiting.attempts += 1
        self.retries += 1
        if waiting.attempts >= ATTEMPTS:
            failure = TransientFailure("the database could not take the turn")
            failure.__cause__ = error
            waiting.error = failure
            _settle([waiting])
            return
        time.sleep(0.02 * 2**waiting.attempts)
        again([waiting])


class _Kept:
    """One thread's connection, kept from turn to turn: asking the pool each time costs a look at whether the server
    still answers, a round trip of the twenty that a turn makes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._conn: Connection | None = None

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction. After trouble the connection is given back, and the pool looks at it before the next turn."""
        if self._conn is None:
            self._conn = self._engine.connect()
            with self._conn.begin():
                self._conn.exec_driver_sql(TURN_LIMITS)
        try:
            with self._conn.begin():
                yield self._conn
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._conn is not None:
            conn, self._conn = self._conn, None
            raw: Any = conn.connection.dbapi_connection if not conn.invalidated else None
            if raw is not None and raw.closed:  # statements run on the driver's own cursor: the pool does not know
                conn.invalidate()
            conn.close()


def _may_pass(error: BaseException, attempts: int) -> bool:
    """Will the turn perhaps succeed when taken again? Two threads of PostgreSQL that insert the same row first meet in
    a unique violation: taken again, the turn finds the other's row. Once more is enough; after that it is a defect."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    return is_transient(error) or (isinstance(error, psycopg.errors.UniqueViolation) and attempts < 2)


def _settle(batch: list[_Waiting[Any]]) -> None:
    """Tell the callers; one wake-up of each loop, however many turns the batch held."""
    loops: dict[asyncio.AbstractEventLoop, list[_Waiting[Any]]] = {}
    for waiting in batch:
        loops.setdefault(waiting.loop, []).append(waiting)
    for loop, ended in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, ended)
        except RuntimeError:  # the loop is gone; the turns are committed all the same
            log.info("%d turns ended after their caller had gone", len(ended))


def _resolve(ended: list[_Waiting[Any]]) -> None:
    for waiting in ended:
        if waiting.future.cancelled():
            continue
        if waiting.error is not None:
            waiting.future.set_exception(waiting.error)
        else:
            waiting.future.set_result(waiting.result)


# ------------------------------------------------------------------------------------------ long readers


def open_readers(url: str) -> AsyncEngine:
    """An async engine (aiosqlite, psycopg) for long readers: reports and exports never hold up a turn."""
    given = sa.make_url(url)
    if given.get_backend_name() == "sqlite":
        engine = create_async_engine(given.set(drivername="sqlite+aiosqlite"))

        @sa.event.listens_for(engine.sync_engine, "connect")
        def _settings(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            cursor = connection.cursor()
            cursor.execute("PRAGMA query_only=ON")
            cursor.execute("PRAGMA busy_timeout=15000")
            cursor.close()

        @sa.event.listens_for(engine.sync_engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        return engine
    return create_async_engine(given.set(drivername="postgresql+psycopg"), isolation_level="REPEATABLE READ")


async def read_long(readers: AsyncEngine, job: Callable[[Connection], T]) -> T:
    """Run a reading job on one consistent view, away from the turns."""
    async with readers.connect() as conn, conn.begin():
        return await conn.run_sync(job)
