"""Two services on one PostgreSQL with the same token: one budget, every chat in order, nothing twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from bot.roles import ROLES
from storage import inbox
from storage.engine import open_engine, writing
from storage.inbox import Arrived
from tests.peers.telegram import BotApi, Phone
from tests.support.postgres import Server as Postgres
from tests.telegram.live import HONG_GAI, Live, holds, presses

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
CROWD = 40


@pytest.fixture
async def two(
    api: BotApi, postgres: Postgres, servers_postgres: str, tmp_path: Path
) -> AsyncIterator[tuple[Live, Live]]:
    """The first gets the updates and works; the second works and pushes."""
    with postgres.database(servers_postgres) as url:
        async with AsyncExitStack() as both:
            first = Live(api, tmp_path, webhook=True, rates=(28, 20, 1000), postgres=url, roles=ROLES - {"sender"})
            first.register()
            second = replace(first, roles=frozenset({"worker", "sender"}), telegrams=[])
            for each in (first, second):
                both.push_async_callback(each.stop)
                await each.start()
            yield first, second


async def joins(phone: Phone) -> None:
    await phone.opens(HONG_GAI)
    await presses(phone, "yes", "agree", within=60)


async def test_two_senders_stay_within_one_budget_and_say_everything_once(api: BotApi, two: tuple[Live, Live]) -> None:
    phones = [api.phone(two[0].bot) for _n in range(CROWD)]
    async with asyncio.TaskGroup() as everybody:
        for phone in phones:
            everybody.create_task(joins(phone))
    for live in two:
        assert sum(lane.used_at > 0 for lane in live.telegram.lanes._lanes.values()) > CROWD / 4, "both have worked"
    (most,) = api.peaks().bots.values()
    # Thirty places in the worst second (tests/storage/test_shared.py); what a busy machine delays bunches up on the
    # wire. Two budgets of their own would make it sixty.
    assert most <= 36
    said = Counter(
        (call.chat, call.params.get("text"), str(call.params.get("reply_markup")))
        for call in api.calls
        if call.method.lower() in ("sendmessage", "editmessagetext")
    )
    assert [each for each, count in said.items() if count > 1] == []
    assert two[0].rows("select count(*) from inbox") == [0]
    assert two[0].rows("select count(*) from outbox where outcome = 'waiting'") == [0]


async def test_an_update_that_nobody_can_unseal_holds_up_its_chat_for_a_while_only(
    api: BotApi, two: tuple[Live, Live], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.channels.telegram_inbox.MOST_TRIES", 1)
    phone = api.phone(two[0].bot)
    engine = open_engine(two[0].url)
    with writing(engine) as conn:
        now = two[0].now()
        inbox.put(conn, "telegram", [Arrived(str(phone.chat.id), 1, "sealed:by another server")], now)
    engine.dispose()
    await phone.opens(HONG_GAI)
    await phone.finds("Hồng Gai", within=30)
    assert two[0].rows("select event, raw from failed_events") == [("1", "sealed:by another server")]


async def test_a_worker_that_loses_its_locks_goes_on(api: BotApi, two: tuple[Live, Live]) -> None:
    phone = api.phone(two[0].bot)
    await joins(phone)
    two[0].rows(
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() "
        "and datname = current_database()"
    )
    await phone.types("Nguyễn Văn Hùng")
    await phone.finds("sinh năm", within=30)
    await holds(lambda: all(live.telegram.lanes.lane(str(phone.chat.id)).holders == 0 for live in two))
