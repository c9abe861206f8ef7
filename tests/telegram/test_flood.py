"""A chat that sends far too much; files and redirects that would lead the bot elsewhere."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from bot.channels.telegram_calls import CallFailed, call, download, open_bot
from bot.limits import Limits, Rate
from tests.support.webclient import photo
from tests.telegram.conftest import Begin
from tests.telegram.live import HONG_GAI, asks_for_evidence, holds, presses

pytestmark = pytest.mark.slow

WAIT = "hơi nhiều tin một lúc"
TOKEN = "100001:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


@pytest.mark.parametrize("webhook", [False, True])
async def test_a_flood_is_told_once_and_loses_nothing_that_was_answered(begin: Begin, webhook: bool) -> None:
    live = await begin(webhook=webhook, contact=Rate(20, 60))
    calm, wild = live.api.phone(live.bot), live.api.phone(live.bot)
    await wild.opens(HONG_GAI)
    await presses(wild, "yes")
    await wild.sees("đồng ý không ạ?")
    (stood,) = live.rows("select state from conversations")
    for n in range(80):
        await wild.types(f"x{n}")
    await wild.finds(WAIT)
    await calm.opens(HONG_GAI)
    await calm.sees("đúng không ạ?")  # nobody else waits
    await asyncio.sleep(0.5)
    assert sum(WAIT in message.text for message in wild.from_bot) == 1
    assert live.rows("select state from conversations order by contact_id")[0] == stood
    (claims,) = live.rows("select count(*) from claims")
    assert claims <= 24  # the rest had no turn, and Telegram was told that they came


async def test_three_albums_at_once_are_no_flood(begin: Begin) -> None:
    live = await begin(contact=Limits().contact)
    phone = live.api.phone(live.bot)
    await asks_for_evidence(phone)
    (before,) = live.rows("select count(*) from claims where event not like 'job%'")
    for n in range(3):
        await phone.sends_album([photo(f"{n}-{m}") for m in range(10)])
    await live.until("select count(*) from claims where event not like 'job%'", before + 30)
    await phone.settles()
    assert not any(WAIT in message.text for message in phone.from_bot)


async def test_what_was_not_acknowledged_is_not_counted(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away for a while: Telegram comes again and again with the same, and it is taken in the end."""
    from storage.engine import TransientFailure

    live = await begin(webhook=True, contact=Rate(20, 1))
    phone = live.api.phone(live.bot)
    real, tries = live.telegram.handle, 0

    async def away(raw: dict[str, Any], **options: Any) -> str:
        nonlocal tries
        tries += 1
        if tries <= 25:
            raise TransientFailure("away")
        return await real(raw, **options)

    monkeypatch.setattr(live.telegram, "handle", away)
    update = {"update_id": 7, "message": {
        "message_id": 1, "date": 1, "chat": {"id": 77, "type": "private", "first_name": "A"},
        "from": {"id": 77, "is_bot": False, "first_name": "A"}, "text": "/start",
    }}  # fmt: skip
    import aiohttp

    headers = {"X-Telegram-Bot-Api-Secret-Token": live.telegram.secret}
    async with aiohttp.ClientSession() as session:
        statuses = []
        for _n in range(26):
            async with session.post(f"{live.base}/telegram/bot", json=update, headers=headers) as answer:
                statuses.append(answer.status)
    assert statuses == [503] * 25 + [200]
    await holds(lambda: live.rows("select address from contacts") == ["77"])
    assert phone.from_bot == []


# ------------------------------------------------------------------------------------------ led elsewhere


@pytest.mark.parametrize(
    "path",
    [
        "../../bot100001:A/getMe",
        "photos/../../getMe",
        "photos/%2e%2e/%2e%2e/getMe",
        "https://evil.example/x",
        "http://169.254.169.254/latest/meta-data",
        "//evil.example/x",
        "/etc/passwd",
        "@evil.example/x",
        "photos/x?y=1",
        "photos/x#y",
        "photos/x\r\nHost: evil.example",
        "photos\\..\\x",
        "",
        "x" * 300,
    ],
)
async def test_a_hostile_file_path_is_not_asked_for(path: str) -> None:
    asked: list[str] = []

    async def take(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=b"secret")

    server = web.Application()
    server.router.add_route("*", "/{tail:.*}", take)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    bot = open_bot(TOKEN, f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        with pytest.raises(CallFailed):
            await download(bot, path)
        assert asked == []
        assert await download(bot, "photos/file_1.jpg") == b"secret"
    finally:
        await bot.session.close()
        await runner.cleanup()


async def test_no_redirect_is_followed() -> None:
    reached: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.json_response({"ok": True, "result": {}})

    async def moved(request: web.Request) -> web.Response:
        raise web.HTTPFound("/elsewhere")

    server = web.Application()
    server.router.add_route("*", "/elsewhere", elsewhere)
    server.router.add_route("*", "/{tail:.*}", moved)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    bot = open_bot(TOKEN, f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        with pytest.raises(CallFailed) as failed:
            await download(bot, "photos/file_1.jpg")
        assert TOKEN not in str(failed.value)
        with pytest.raises(CallFailed):
            await call(bot, "getMe", {})
        assert reached == []
    finally:
        await bot.session.close()
        await runner.cleanup()


async def test_an_address_in_a_text_is_never_fetched(begin: Begin) -> None:
    """Evidence may be a link. It is kept as words."""
    asked: list[str] = []

    async def take(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    server = web.Application()
    server.router.add_route("*", "/{tail:.*}", take)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    link = f"http://127.0.0.1:{runner.addresses[0][1]}/chung-chi"
    try:
        live = await begin()
        phone = live.api.phone(live.bot)
        await asks_for_evidence(phone)
        await phone.types(f"Chứng chỉ của tôi ở {link}")
        await live.until("select count(*) from evidence where text like '%chung-chi%'", 1)
        await phone.settles()
        assert asked == []
    finally:
        await runner.cleanup()
