"""A bot's token never leaves the process but to Telegram: not in logs, errors, tables, files or reprs."""

from __future__ import annotations

import asyncio
import io
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr

from bot import redaction
from bot.channels.telegram import Telegram, TelegramSettings
from bot.channels.telegram_calls import CallFailed, call, download
from bot.run import Bot
from bot.settings import BotSection, TelegramSection
from tests.peers.telegram import BotApi
from tests.support.server import Server
from tests.support.webclient import photo
from tests.telegram.conftest import Begin
from tests.telegram.live import TOKENS, Live, asks_for_evidence, joins

REFUSED = "300003:CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"
SECRETS = (*(token.partition(":")[2] for token in TOKENS), REFUSED.partition(":")[2])


def spoken(text: str) -> list[str]:
    """The lines that hold a token."""
    return [line[:300] for line in text.splitlines() if any(secret in line for secret in SECRETS)]


def stored(folder: Path) -> str:
    """Every file in a folder, and every value of every table, as text."""
    parts = [path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()]
    for path in folder.glob("*.sqlite"):
        with sqlite3.connect(path) as conn:
            parts.extend(conn.iterdump())
    return "\n".join(parts)


async def trouble(api: BotApi, live_url: str) -> None:
    """Everything that can go wrong between the bot and Telegram, one after the other."""
    for kind in ("429", "500", "lost", "closed", "403"):
        api.fault("*", kind, times=2, retry_after=1)
    api.fault("getFile", "500", times=2)
    api.fault("file", "closed", times=1)
    await asyncio.sleep(0.5)
    await api.down()
    await asyncio.sleep(1.0)
    await api.up()
    api.mend()


async def test_a_process_in_trouble_writes_no_token(api: BotApi, seeded: Path, tmp_path: Path) -> None:
    good = api.bot(TOKENS[0], "hoctap_bot")
    server = Server.on(
        seeded,
        tmp_path,
        {
            "HOCTAP_TELEGRAM__API_URL": api.url,
            "HOCTAP_TELEGRAM__TOKEN": TOKENS[0],
            "HOCTAP_TELEGRAM__BOTS__HUE__TOKEN": REFUSED,  # nobody knows it: 401
            "PYTHONASYNCIODEBUG": "1",
        },
    )
    server.start()
    try:
        await server.ready()
        phone = api.phone(good, first_name="Lan")
        await joins(phone)
        api.undecodable(good, phone)
        await phone.sends_photo(photo(7))
        await trouble(api, server.base)
        await phone.types("/hoso")
        await phone.sees("Mã hồ sơ", within=20)
        assert await asyncio.to_thread(server.stop) == 0
    finally:
        server.kill()
    assert "từ chối" in server.output() or "refuses the token" in server.output()
    assert "cannot be read, kept as" in server.output()
    assert spoken(server.output()) == []
    assert spoken(stored(tmp_path)) == []


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What every logger says at DEBUG, through the redaction that the process installs."""
    root, out = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    loggers = [logging.getLogger(name) for name in ("httpx", "httpcore", "aiogram.event", "apscheduler")]
    levels = [each.level for each in loggers]
    root.handlers[:] = [logging.StreamHandler(out)]
    root.setLevel(logging.DEBUG)
    redaction.install()
    for each in loggers:  # as somebody does who looks for a fault
        each.setLevel(logging.DEBUG)
    try:
        yield out
    finally:
        root.handlers[:], root.level = before, level
        for each, was in zip(loggers, levels, strict=True):
            each.setLevel(was)


async def test_debugging_loggers_tell_no_token(live: Live, log: io.StringIO) -> None:
    phone = live.api.phone(live.bot, first_name="Lan")
    await asks_for_evidence(phone)
    await phone.sends_photo(photo(7))
    await trouble(live.api, live.base)
    await live.stop()
    said = log.getvalue()
    assert "/sendMessage" in said or "getMe" in said, "the loggers that quote addresses said nothing"
    assert spoken(said) == []


async def test_a_webhook_posted_to_by_strangers_tells_nothing(begin: Begin, log: io.StringIO) -> None:
    hooked = await begin(webhook=True)
    async with aiohttp.ClientSession() as session:
        for secret in ("", "wrong", TOKENS[0]):
            headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
            async with session.post(f"{hooked.base}/telegram/bot", json={"update_id": 1}, headers=headers) as answer:
                assert answer.status == 401
                assert spoken(await answer.text()) == []
    assert spoken(log.getvalue()) == []


async def test_errors_tell_no_token(api: BotApi, live: Live) -> None:
    bot = live.telegram.bot
    failures: list[BaseException] = []
    for kind in ("429", "500", "502", "closed", "lost"):
        api.fault("getChat", kind, times=1)
        with pytest.raises(CallFailed) as failed:
            await call(bot, "getChat", {"chat_id": 1})
        failures.append(failed.value)
    for path in ("photos/none.jpg", "../../etc/passwd", "a//../b", "https://example.com/x"):
        with pytest.raises(CallFailed) as failed:
            await download(bot, path)
        failures.append(failed.value)
    await api.down()
    with pytest.raises(CallFailed) as failed:
        await call(bot, "getChat", {"chat_id": 1})
    await api.up()
    failures.append(failed.value)
    told = "\n".join(f"{each!r} {each} {each.__cause__!r} {each.__suppress_context__}" for each in failures)
    assert spoken(told) == []
    assert all(each.__suppress_context__ for each in failures), "the error beneath may quote an address"


def test_reprs_tell_no_token(live: Live) -> None:
    settings = TelegramSettings("telegram", "")
    section = TelegramSection(token=SecretStr(TOKENS[0]), bots={"hue": BotSection(token=SecretStr(REFUSED))})
    things = (Bot(TOKENS[0], settings), section, section.model_dump_json(), live.telegram, live.telegram.push)
    for thing in (*things, live.telegram.lanes, live.telegram.fetcher, live.service, vars(live.telegram.lanes)):
        assert spoken(repr(thing)) == []
    assert isinstance(live.telegram, Telegram)
