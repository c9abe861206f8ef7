"""Several processes on one PostgreSQL: locks, words, the thin inbox, the budget of a token."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from storage import budgets, inbox
from storage.engine import metadata, open_engine, reading, writing
from storage.inbox import Arrived
from storage.shared import Locks, Words

pytestmark = pytest.mark.postgres
NOW = datetime(2026, 10, 5, 2, 0, tzinfo=UTC)


@pytest.fixture
def engine(postgres_database: str) -> Iterator[sa.Engine]:
    made = open_engine(postgres_database)
    with writing(made) as conn:
        metadata.create_all(conn)
    yield made
    made.dispose()


async def test_a_lock_is_one_process_s_until_it_lets_go_or_dies(postgres_url: str) -> None:
    first, second = Locks(postgres_url), Locks(postgres_url)
    assert await first.take("poller:telegram")
    assert not await first.take("poller:telegram"), "a second task of the same process"
    assert not await second.take("poller:telegram")
    assert await second.take("poller:telegram:b")
    await first.free("poller:telegram")
    assert await second.take("poller:telegram")
    await second.close()  # as at its death
    for _n in range(100):  # the server notices in its own time
        if await first.take("poller:telegram"):
            break
        await asyncio.sleep(0.02)
    assert first.has("poller:telegram")
    await first.close()


async def test_who_loses_the_database_knows_that_its_locks_are_gone(postgres_url: str) -> None:
    locks = Locks(postgres_url)
    assert await locks.take("one")
    engine = open_engine(postgres_url)
    with writing(engine) as conn:
        conn.execute(
            sa.text(
                "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() "
                "and query like '%advisory%'"
            )
        )
    engine.dispose()
    assert not await locks.check()
    assert not locks.has("one")
    assert await locks.take("one"), "with a new session it goes on"
    await locks.close()


async def test_words_are_heard_by_the_others_only(postgres_url: str) -> None:
    heard: dict[str, list[str]] = {"a": [], "b": []}
    a, b = Words(postgres_url, heard["a"].append), Words(postgres_url, heard["b"].append)
    tasks = [asyncio.create_task(each.work()) for each in (a, b)]
    for _n in range(200):
        a.say("inbox telegram")
        if heard["b"]:
            break
        await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert set(heard["b"]) == {"inbox telegram"}
    assert heard["a"] == []


def test_the_lowest_of_a_chat_is_its_head_and_the_next_only_when_that_is_gone(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        came = [Arrived("7", 11, "b"), Arrived("7", 10, "a"), Arrived("8", 12, "c")]
        assert inbox.put(conn, "telegram", came, NOW) == 3
        assert inbox.put(conn, "telegram", came[:1], NOW) == 0, "Telegram sends it again"
        assert inbox.put(conn, "telegram:b", [Arrived("7", 10, "other bot")], NOW) == 1
    with reading(engine) as conn:
        first, other = inbox.heads(conn, "telegram", NOW)
    assert (first.raw, other.raw) == ("a", "c")
    with writing(engine) as taking:
        assert inbox.take(taking, first.id)
        with writing(engine) as late:  # another worker, meanwhile
            assert not inbox.take(late, first.id)
            assert [each.raw for each in inbox.heads(late, "telegram", NOW)] == ["a", "c"]
        inbox.done(taking, first.id)
    with writing(engine) as conn:
        assert not inbox.take(conn, first.id), "it has had its turn"
        (second, *_others) = inbox.heads(conn, "telegram", NOW)
        assert second.raw == "b"
        inbox.put_off(conn, second.id, NOW + timedelta(seconds=5))
        assert [each.raw for each in inbox.heads(conn, "telegram", NOW)] == ["c"], "its chat waits with it"
        assert inbox.waiting(conn)[0] == 3


def test_two_senders_stay_within_one_budget_and_answers_go_before(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        budgets.begin(conn, "telegram")
        budgets.begin(conn, "telegram")
    times: list[tuple[float, bool]] = []
    until = time.monotonic() + 2.0

    def sends(push: bool) -> None:
        while time.monotonic() < until:
            with writing(engine) as conn:
                if push:
                    place = budgets.push(conn, "telegram", step=1 / 40, push_step=1 / 20, burst=2)
                else:
                    place = budgets.reserve(conn, "telegram", step=1 / 40, burst=2)
            if place.wait > 0:
                time.sleep(place.wait)
                if push:
                    continue
            times.append((time.monotonic(), push))

    threads = [threading.Thread(target=sends, args=(push,)) for push in (True, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pushes = len(times)
    assert 30 <= pushes <= 2 * 20 + 3
    times.clear()
    until = time.monotonic() + 2.0
    threads = [threading.Thread(target=sends, args=(push,)) for push in (True, True, False, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers = sum(not push for _at, push in times)
    assert len(times) <= 2 * 40 + 6
    assert answers > 0.8 * len(times), "pushes take only what answers leave"


def test_silence_holds_everybody(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        budgets.begin(conn, "telegram")
        budgets.silence(conn, "telegram", 30)
        budgets.silence(conn, "telegram", 5)
    with writing(engine) as conn:
        assert 29 < budgets.push(conn, "telegram", step=0.05, push_step=0.05, burst=2).wait <= 30
        place = budgets.reserve(conn, "telegram", step=0.05, burst=2)
        assert 29 < place.silent <= 30
        assert 29 < place.wait <= 30.1
