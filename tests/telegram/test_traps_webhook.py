"""Traps of webhooks: whoever posts without the secret, too much, or twice; how Telegram is told where to post."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from tests.peers.telegram import Phone
from tests.telegram.conftest import Begin
from tests.telegram.live import HONG_GAI, TOKENS, Live, holds, joins, presses, refusing, types

pytestmark = pytest.mark.slow  # a running bot each: seconds

SECRET = "X-Telegram-Bot-Api-Secret-Token"


@pytest.fixture
async def hooked(begin: Begin) -> Live:
    """One bot, by webhook."""
    live = await begin(webhook=True)
    await holds(lambda: live.bot.webhook)
    return live


async def posts(live: Live, body: bytes | dict[str, Any], secret: str | None = "") -> int:
    """Post to the webhook as anybody can; the status. *secret* ``""``: the right one."""
    headers = {"Content-Type": "application/json"}
    if secret is not None:
        headers[SECRET] = secret or live.telegram.secret
    async with aiohttp.ClientSession() as session:
        given: dict[str, Any] = {"json": body} if isinstance(body, dict) else {"data": body}
        async with session.post(f"{live.base}/telegram/bot", headers=headers, **given) as answer:
            return answer.status


def start(phone: Phone, number: int = 5) -> dict[str, Any]:
    """An update as Telegram would post it."""
    message = {"message_id": 1, "date": 1790000000, "chat": phone.chat.json(), "from": phone.chat.person}
    return {"update_id": number, "message": {**message, "text": f"/start {HONG_GAI}"}}


@pytest.mark.parametrize("secret", [None, "wrong", "0" * 64, "ố"])
async def test_without_the_secret_nothing_is_taken(hooked: Live, secret: str | None) -> None:
    phone = hooked.api.phone(hooked.bot, started=True)
    if secret == "ố":
        secret = "ố".encode().decode("latin-1")
    assert await posts(hooked, start(phone), secret) == 401
    assert hooked.rows("select count(*) from contacts") == [0]
    assert await posts(hooked, start(phone)) == 200
    await phone.finds("Phường Hồng Gai")


async def test_the_secret_of_another_bot_opens_nothing(begin: Begin) -> None:
    live = await begin(accounts=("telegram:a", "telegram:b"), webhook=True)
    one, other = live.telegrams
    assert one.secret != other.secret
    assert TOKENS[0].partition(":")[2] not in one.secret
    phone = live.api.phone(live.bot, started=True)
    async with aiohttp.ClientSession() as session:
        headers = {SECRET: other.secret}
        async with session.post(f"{live.base}/telegram/a", json=start(phone), headers=headers) as answer:
            assert answer.status == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (1024 * 1024 + 1), 413),
        (b"", 400),
        (b"no json", 400),
        (b"[1]", 400),
        (b'{"update_id": "1"}', 400),
        (b"\xff\xfe", 400),
        (b'{"update_id": 1}', 200),
        (b"[" * 100_000, 400),
    ],
)
async def test_what_is_no_update_is_refused(hooked: Live, body: bytes, status: int) -> None:
    assert await posts(hooked, body) == status


async def test_an_update_posted_again_after_its_answer_was_lost_has_one_effect(hooked: Live) -> None:
    phone = hooked.api.phone(hooked.bot)
    await joins(phone)
    await presses(phone, "start")
    screen = phone.screen
    (update,) = await phone.presses("tot", screen)
    held = hooked.bot.updates[update].json()
    await phone.finds("Câu 2/10")
    await phone.settles()
    before = len(phone.messages)
    assert [await posts(hooked, held) for _n in range(3)] == [200, 200, 200]
    await phone.settles(quiet=0.3, shown=lambda _phone: True)
    assert hooked.rows("select level from answer_history where what = 'level'") == ["tot"]
    assert len(phone.messages) == before


async def test_a_database_that_is_away_makes_telegram_post_again(hooked: Live) -> None:
    phone = hooked.api.phone(hooked.bot)
    refusing(hooked.telegram, 2)
    await phone.opens(HONG_GAI)
    await phone.finds("Phường Hồng Gai")
    assert [delivery.status for delivery in hooked.bot.deliveries] == [503, 503, 200]


async def test_a_press_is_answered_by_the_response_or_at_once_when_its_turn_takes_long(hooked: Live) -> None:
    phone = hooked.api.phone(hooked.bot)
    await phone.opens(HONG_GAI)
    await phone.settles()
    await presses(phone, "yes")
    await holds(lambda: not hooked.api.unanswered(hooked.bot))
    backend = hooked.telegram.backend

    async def slow(incoming: Any) -> Any:
        await asyncio.sleep(1.6)
        return await backend.take(incoming)

    hooked.telegram.backend = replace(backend, take=slow)
    await phone.presses("agree")
    await holds(lambda: hooked.api.made("answerCallbackQuery")[1:])
    assert hooked.bot.updates, "the turn was over before"
    await phone.finds("Họ và tên")
    assert all(query.answered == 1 for query in hooked.bot.queries.values())


async def test_telegram_is_told_the_secret_and_what_to_post_and_nothing_is_thrown_away(begin: Begin) -> None:
    live = await begin(webhook=True, wait=False)
    early = live.api.phone(live.bot)
    await early.opens(HONG_GAI)  # while no bot runs
    await live.start()
    await early.finds("Phường Hồng Gai")
    (told,) = live.api.made("setWebhook")
    assert told.params["secret_token"] == live.telegram.secret
    assert told.params["url"] == f"{live.base}/telegram/bot"
    assert set(told.params["allowed_updates"]) == {"message", "edited_message", "callback_query", "my_chat_member"}
    assert not told.params.get("drop_pending_updates")

    live.webhook = False
    await live.stop()
    await early.presses("yes")
    await live.start()
    await early.finds("có đồng ý")
    assert live.bot.webhook is None
    assert [call.params.get("drop_pending_updates") for call in live.api.made("deleteWebhook")] == [False]
    await presses(early, "agree")
    poll = live.api.made("getUpdates")[-1]
    assert set(poll.params["allowed_updates"]) == set(told.params["allowed_updates"])

    live.webhook = True
    await live.again()
    await types(early, "Nguyễn Thị Lan")
    await early.finds("sinh năm nào")
    assert live.bot.webhook is not None
    assert [call for call in live.api.calls if "while webhook is active" in call.outcome] == []
