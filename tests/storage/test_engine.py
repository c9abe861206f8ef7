"""The turn engine's traps: each of these was red once without its cure (see docs/decisions.md)."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.base import Connection, Prepared, Refused, metadata, refusable
from storage.engine import TransientFailure, Turns, open_engine, open_readers, read_long, reading, writing

scratch_tables = sa.MetaData()
notes = sa.Table(
    "notes", scratch_tables, sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text, nullable=False)
)
add = Prepared(sa.insert(notes).values(text=sa.bindparam("words")))
count = Prepared(sa.select(sa.func.count()).select_from(notes))


def put(words: str) -> Callable[[Connection], str]:
    def job(conn: Connection) -> str:
        add.run(conn, words=words)
        return words

    return job


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = open_engine(database_url)
    with writing(made) as conn:
        scratch_tables.create_all(conn)
    yield made
    made.dispose()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    made = open_engine(f"sqlite:///{tmp_path / 'one.sqlite'}")
    with writing(made) as conn:
        scratch_tables.create_all(conn)
    yield made
    made.dispose()


@contextmanager
def taking(engine: sa.Engine) -> Iterator[Turns]:
    turns = Turns(engine)
    try:
        yield turns
    finally:
        turns.close()


def rows(engine: sa.Engine) -> list[str]:
    with reading(engine) as conn:
        return list(conn.execute(sa.select(notes.c.text).order_by(notes.c.text)).scalars())


async def together(turns: Turns, *jobs: Callable[[Connection], object]) -> list[object]:
    """Have all these jobs wait at once, so that on SQLite they share a batch."""
    gate = threading.Event()

    def wait(conn: Connection) -> None:
        gate.wait(5)

    first = [asyncio.create_task(turns.run(wait)) for _thread in turns._threads]
    await asyncio.sleep(0.05)
    others = [asyncio.create_task(turns.run(job)) for job in jobs]
    await asyncio.sleep(0.05)
    gate.set()
    await asyncio.gather(*first)
    return await asyncio.gather(*others, return_exceptions=True)


async def test_a_turn_is_there_when_its_future_resolves(engine: sa.Engine) -> None:
    with taking(engine) as turns:
        assert await turns.run(put("a")) == "a"
        assert rows(engine) == ["a"]


async def test_a_turn_that_fails_takes_nobody_with_it(engine: sa.Engine) -> None:
    def fails(conn: Connection) -> None:
        add.run(conn, words="half")
        raise LookupError("a defect")

    with taking(engine) as turns:
        results = await together(turns, put("a"), fails, put("b"))
    assert [type(result) for result in results] == [str, LookupError, str]
    assert rows(engine) == ["a", "b"]


async def test_the_rescue_of_a_failed_turn_is_written_in_its_place(engine: sa.Engine) -> None:
    def fails(conn: Connection) -> str:
        add.run(conn, words="half")
        raise LookupError("a defect")

    with taking(engine) as turns:
        told = await turns.run(fails, lambda conn, error: put(f"kept: {error}")(conn))
    assert told == "kept: a defect"
    assert rows(engine) == ["kept: a defect"]


async def test_a_constraint_speaks_inside_its_turn_not_at_commit(engine: sa.Engine) -> None:
    """A constraint that waits for COMMIT would fail the whole batch: the schema has none."""
    deferred = [
        constraint
        for table in metadata.tables.values()
        for constraint in table.constraints
        if getattr(constraint, "deferrable", None) or getattr(constraint, "initially", None)
    ]
    assert deferred == []
    with taking(engine) as turns:
        results = await together(turns, put("a"), lambda conn: add.run(conn, words=None), put("b"))
    assert isinstance(results[1], Exception)
    assert rows(engine) == ["a", "b"]


def test_releasing_a_savepoint_commits_nothing(sqlite: sa.Engine) -> None:
    """pysqlite's own transaction handling commits at RELEASE unless the transaction was begun explicitly."""
    with sqlite.connect() as conn:
        outer = conn.begin()
        cursor = conn.connection.dbapi_connection.cursor()
        cursor.execute("SAVEPOINT turn")
        add.run(conn, words="not yet")
        cursor.execute("RELEASE turn")
        outer.rollback()
    assert rows(sqlite) == []


def test_sqlite_keeps_what_was_acknowledged_and_checks_references(sqlite: sa.Engine) -> None:
    with reading(sqlite) as conn:
        settings = {
            name: conn.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("synchronous", "foreign_keys", "journal_mode")
        }
    assert settings == {"synchronous": 2, "foreign_keys": 1, "journal_mode": "wal"}


async def test_a_full_disk_in_mid_batch_fails_only_its_own_turn(sqlite: sa.Engine) -> None:
    """ "Disk full" ends the whole transaction: going on in the batch would commit what follows one by one."""

    def large(conn: Connection) -> None:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
        conn.exec_driver_sql(f"PRAGMA max_page_count={int(pages or 0) + 3}")
        try:
            add.run(conn, words="x" * 200_000)
        finally:
            conn.exec_driver_sql("PRAGMA max_page_count=1000000")

    with taking(sqlite) as turns:
        results = await together(turns, put("a"), large, put("b"))
    assert results[0] == "a"
    assert isinstance(results[1], TransientFailure)
    assert results[2] == "b"
    assert rows(sqlite) == ["a", "b"]


async def test_another_process_writing_is_waited_for(sqlite: sa.Engine) -> None:
    other = sqlite.connect()
    transaction = other.begin()
    other.execute(sa.insert(notes).values(text="of another"))
    with taking(sqlite) as turns:
        task = asyncio.create_task(turns.run(put("a")))
        await asyncio.sleep(0.2)
        assert not task.done()
        transaction.commit()
        other.close()
        assert await task == "a"
    assert rows(sqlite) == ["a", "of another"]


async def test_what_waits_is_taken_before_the_end(engine: sa.Engine) -> None:
    turns = Turns(engine)
    tasks = [asyncio.create_task(turns.run(put(f"{n:02}"))) for n in range(40)]
    await asyncio.sleep(0)
    await asyncio.to_thread(turns.close)
    assert await asyncio.gather(*tasks) == [f"{n:02}" for n in range(40)]
    assert len(rows(engine)) == 40
    with pytest.raises(TransientFailure):
        await turns.run(put("late"))


async def test_passing_trouble_is_tried_again(engine: sa.Engine) -> None:
    tries = []

    def unlucky(conn: Connection) -> str:
        tries.append(1)
        if len(tries) < 3:
            raise TransientFailure("now")
        return put("at last")(conn)

    with taking(engine) as turns:
        results = await together(turns, put("a"), unlucky, put("b"))
    assert results == ["a", "at last", "b"]
    assert rows(engine) == ["a", "at last", "b"]


@pytest.mark.postgres
async def test_a_deadlock_is_tried_again(postgres_database: str) -> None:
    engine = open_engine(postgres_database)
    with writing(engine) as conn:
        scratch_tables.create_all(conn)
        conn.execute(sa.insert(notes), [{"id": 1, "text": "one"}, {"id": 2, "text": "two"}])
    meet = threading.Barrier(2)
    arrived: list[int] = []

    def crossing(first: int, second: int) -> Callable[[Connection], None]:
        def job(conn: Connection) -> None:
            conn.execute(sa.update(notes).where(notes.c.id == first).values(text=notes.c.text + "."))
            if first not in arrived:
                arrived.append(first)
                meet.wait(5)
            conn.execute(sa.update(notes).where(notes.c.id == second).values(text=notes.c.text + "."))

        return job

    with taking(engine) as turns:
        await asyncio.gather(turns.run(crossing(1, 2)), turns.run(crossing(2, 1)))
    assert rows(engine) == ["one..", "two.."]
    engine.dispose()


async def test_a_connection_that_the_server_ended_between_two_turns_is_replaced(postgres_database: str) -> None:
    engine = open_engine(postgres_database)
    turns = Turns(engine, threads=1)
    ask = "select pg_backend_pid()"
    try:
        first = await turns.run(lambda conn: conn.exec_driver_sql(ask).scalar())
        assert await turns.run(lambda conn: conn.exec_driver_sql(ask).scalar()) == first  # kept
        with writing(engine) as conn:
            assert conn.exec_driver_sql(f"select pg_terminate_backend({first}, 5000)").scalar()
        taken = 0

        def on_the_driver(conn: Connection) -> int:
            nonlocal taken
            taken += 1
            raw = conn.connection.dbapi_connection
            assert raw is not None
            cursor = raw.cursor()
            cursor.execute(ask)
            (pid,) = cursor.fetchone() or (0,)
            return int(pid)

        assert await turns.run(on_the_driver) != first
        assert taken == 2
    finally:
        turns.close()
        engine.dispose()


async def test_a_long_reader_sees_one_moment_and_holds_nobody_up(engine: sa.Engine, database_url: str) -> None:
    readers = open_readers(database_url)
    go_on = threading.Event()

    def twice(conn: Connection) -> tuple[int, int]:
        before = count.value(conn)
        go_on.wait(0.3)
        return before, count.value(conn)

    with taking(engine) as turns:
        await turns.run(put("a"))
        looking = asyncio.create_task(read_long(readers, twice))
        await asyncio.sleep(0.05)
        await asyncio.wait_for(turns.run(put("b")), 2)
        go_on.set()
        assert await looking == (1, 1)
    await readers.dispose()


async def test_a_refusal_takes_back_its_own_block_and_nothing_else(engine: sa.Engine) -> None:
    def refused_half_way(conn: Connection) -> str:
        add.run(conn, words="before")
        try:
            with refusable(conn):
                add.run(conn, words="half")
                raise Refused("no")
        except Refused as refused:
            add.run(conn, words="after")
            return refused.code

    with taking(engine) as turns:
        assert await turns.run(refused_half_way) == "no"
    assert rows(engine) == ["after", "before"]


async def test_reading_beside_the_turns_tells_passing_trouble_from_a_defect(engine: sa.Engine) -> None:
    def locked(_conn: Connection) -> None:
        raise sa.exc.OperationalError("", {}, sqlite3.OperationalError("database is locked"))

    def broken(_conn: Connection) -> None:
        raise ValueError

    with taking(engine) as turns:
        await turns.run(put("one"))
        assert await turns.read(count.value) == 1
        with pytest.raises(TransientFailure):
            await turns.read(locked)
        with pytest.raises(ValueError):
            await turns.read(broken)
