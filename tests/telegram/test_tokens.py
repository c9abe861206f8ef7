"""No token in anything that a run with failures of every kind writes down, nor in what our objects say."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from pydantic import SecretStr
from telegram.ext import ExtBot

from bot import run
from bot.channels import telegram_push
from bot.channels.telegram import TelegramSettings
from bot.channels.telegram_calls import CallFailed, call, download, open_bot
from bot.settings import Account, BotSection, Settings, TelegramSection, accounts
from bot.settings_file import load_settings
from dialogs.model import Screen, encode_screen
from storage import conversations, outbox
from storage.engine import open_engine, writing
from tests.peers.telegram import BotApi, FakeBot, Phone
from tests.support.server import Server
from tests.support.webclient import photo
from tests.telegram.live import Live, asks_for_evidence, holds

pytestmark = pytest.mark.slow  # a running bot each: seconds

GOOD = "100001:AAq7Zx_R2mVbT9-wLkJ4hGf8sDpY1uNcE3o"
REFUSED = "200002:BBk3Pv-W8nXcS5_yHjT2rQe7uMzL6iKfD9a"
TOKENS = (GOOD, REFUSED)


def forms(token: str) -> Iterator[str]:
    """As what a token may be written: as it is, in an address, its secret half."""
    secret = token.partition(":")[2]
    yield from (token, quote(token, safe=""), quote(quote(token, safe=""), safe=""), secret, secret[:20], secret[-20:])
    yield hmac.new(token.encode(), b"hoctap webhook", hashlib.sha256).hexdigest()  # lets one post updates


def found_in(content: bytes) -> list[str]:
    """The tokens, in any form, that these bytes hold."""
    return [form for token in TOKENS for form in forms(token) if form.encode() in content]


# ------------------------------------------------------------------------------------------------ a whole run

# Everything that can be logged is, as by an operator who looks for a fault.
LOUD = """
import logging
_basic = logging.basicConfig
def loud(**options):
    _basic(**{**options, "level": logging.DEBUG})
logging.basicConfig = loud
_set = logging.Logger.setLevel
def louder(self, level):  # also of libraries that are told to be silent, httpx with its addresses for one
    if level != logging.WARNING:
        _set(self, level)
logging.Logger.setLevel = louder
"""


async def test_a_run_with_every_kind_of_failure_writes_no_token(seeded: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(LOUD)
    async with BotApi() as api:
        good = api.bot(GOOD, "hoctap_bot")  # Telegram does not know the other
        environment = {
            "HOCTAP_TELEGRAM__BOTS__A__TOKEN": GOOD,
            "HOCTAP_TELEGRAM__BOTS__B__TOKEN": REFUSED,
            "HOCTAP_TELEGRAM__API_URL": api.url,
            "HOCTAP_TELEGRAM__CHAT_RATE": "1000",
            "PYTHONPATH": str(tmp_path / "site"),
            "PYTHONASYNCIODEBUG": "1",
        }
        server = Server.on(seeded, tmp_path, environment)
        server.environment["HOCTAP_WEB__PUBLIC_URL"] = server.base
        try:
            server.start()
            await server.ready()
            await by_polling(api, good, server)
            assert await asyncio.to_thread(server.stop) == 0
            server.environment["HOCTAP_TELEGRAM__MODE"] = "webhook"
            server.start()
            await server.ready()
            await by_webhook(api, good, server)
            told = await asyncio.to_thread(doctor, server)
            assert await asyncio.to_thread(server.stop) == 0
        finally:
            server.kill()
        output = server.output()
        for sign in ("DEBUG", "asks for silence", "no updates", "refuses the token", "cannot be read", "ending:"):
            assert sign in output, f"the run had no {sign!r}:\n{output[-3000:]}"
        assert "•••" in output, "nothing had to be masked: is it still the same run?"
        assert found_in(told.stdout + told.stderr) == []
        written_by_all = await asyncio.to_thread(files, tmp_path)
        assert {path: found for path, content in written_by_all.items() if (found := found_in(content))} == {}
        assert any(path.suffix == ".sqlite" for path in written_by_all)


def files(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def by_polling(api: BotApi, bot: FakeBot, server: Server) -> None:
    """Answers, pushes and pictures that go wrong; the network down and up."""
    phone = api.phone(bot)
    await asks_for_evidence(phone)
    api.undecodable(bot, phone)
    for method, kind, times in (
        ("getFile", "500", 1),
        ("file", "lost", 1),
        ("file", "500", 1),
        ("sendMessage", "closed", 1),
        ("sendMessage", "429", 1),
        ("sendMessage", "502", 1),
        ("editMessage*", "500", 1),
        ("getUpdates", "502", 1),
        ("answerCallbackQuery", "500", 2),
    ):
        api.fault(method, kind, times)
    await phone.sends_photo(photo(1))
    await phone.finds("Câu 3/10", 60)
    await phone.presses("kha")
    await phone.finds("Minh chứng cho câu 3", 60)
    api.mend()
    for kind in ("closed", "500", "429", "403"):
        fault = api.fault("sendMessage", kind, chat=phone.chat.id)
        push(server, phone, f"Lời nhắn {kind}")
        await holds(lambda fault=fault: fault.used, 30)  # type: ignore[misc]
    await api.down()
    await asyncio.sleep(1.2)
    await api.up()
    await phone.opens()
    await phone.settles(60)
    await phone.types("Tôi đã dự lớp tập huấn")  # under way while it ends


def push(server: Server, phone: Phone, text: str) -> None:
    """Put a notice into the outbox."""
    engine = open_engine(server.url)
    try:
        with writing(engine) as conn:
            chat = conversations.open_chat(conn, "telegram:a", str(phone.chat.id))
            assert chat is not None
            outbox.put(
                conn,
                account="telegram:a",
                address=str(phone.chat.id),
                contact_id=chat.contact_id,
                body=encode_screen(Screen(text)),
                now=datetime.now(UTC),
                priority=outbox.NOTICE,
            )
    finally:
        engine.dispose()


async def by_webhook(api: BotApi, bot: FakeBot, server: Server) -> None:
    """Posts that nobody should make, and one person who is served."""
    await holds(lambda: bot.webhook, 30)
    url, header = f"{server.base}/telegram/a", "X-Telegram-Bot-Api-Secret-Token"
    assert bot.webhook is not None
    right = bot.webhook.secret
    async with aiohttp.ClientSession() as session:
        for secret, body, status in (("wrong", b"{}", 401), (right, b"x" * (2 << 20), 413), (right, b"{", 400)):
            async with session.post(url, data=body, headers={header: secret}) as answer:
                assert answer.status == status
    phone = api.phone(bot)
    await phone.opens("DV06685K")
    await phone.finds("đúng không", 60)


def doctor(server: Server) -> subprocess.CompletedProcess[bytes]:
    """What ``hoctap doctor`` says, one token being refused."""
    return subprocess.run(
        [Path(sys.executable).with_name("hoctap"), "doctor"],
        cwd=server.folder,
        env=os.environ | {"HOCTAP_STORAGE__URL": server.url} | server.environment,
        capture_output=True,
        check=False,
        timeout=120,
    )


# ------------------------------------------------------------------------------------------------ what objects say


def test_settings_say_nothing_of_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOCTAP_TELEGRAM__TOKEN", GOOD)
    monkeypatch.setenv("HOCTAP_TELEGRAM__BOTS__B__TOKEN", REFUSED)
    settings = load_settings()
    assert [each.token.get_secret_value() for each in accounts(settings)] == [GOOD, REFUSED]
    said = [settings, settings.telegram, settings.telegram.bots, accounts(settings), settings.model_dump()]
    said += [settings.model_dump_json(), settings.telegram.model_dump_json(), run.telegram_bots(settings)]
    for each in said:
        assert found_in(f"{each!r} {each!s}".encode()) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: TelegramSection(token=SecretStr(GOOD), rate=0),
        lambda: BotSection(token=SecretStr(f"{GOOD} ")),
        lambda: Settings.model_validate({"telegram": {"token": GOOD, "nothing": GOOD}}),
        lambda: Account("telegram", "", SecretStr(GOOD)).nothing,  # type: ignore[attr-defined]
    ],
)
def test_errors_of_settings_say_nothing_of_tokens(make: Any) -> None:
    with pytest.raises((ValueError, AttributeError)) as caught:
        make()
    assert found_in("".join(traceback.format_exception(caught.value)).encode()) == []


async def test_the_parts_of_a_bot_say_nothing_of_its_token(live: Live) -> None:
    telegram = live.telegram
    token = telegram.bot.token
    parts = (telegram, telegram.settings, telegram.lanes, telegram.push, telegram.fetcher, telegram.budget)
    for part in (*parts, telegram.backend, live.service, run.Bot(token, telegram.settings)):
        assert token.partition(":")[2] not in f"{part!r} {part!s}"
    assert isinstance(replace(telegram.settings, name="x"), TelegramSettings)


@pytest.mark.parametrize("kind", ["429", "500", "502", "403", "not_modified", "closed", "lost", "unknown", "down"])
async def test_a_call_that_fails_says_nothing_of_the_token(api: BotApi, kind: str) -> None:
    """Whichever library makes it."""
    if kind != "unknown":
        api.bot(GOOD, "hoctap_bot")
    if kind not in ("unknown", "down"):
        api.fault("*", kind, times=-1)
    url = api.url
    if kind == "down":
        await api.down()
    bot = open_bot(GOOD, url)
    pushing: ExtBot[None] = ExtBot(GOOD, base_url=f"{url}/bot", base_file_url=f"{url}/file/bot")
    failures: list[BaseException] = []
    for work in (
        lambda: call(bot, "sendMessage", {"chat_id": 1, "text": "x"}),
        lambda: call(bot, "getFile", {"file_id": GOOD}),
        lambda: download(bot, "photos/file_1.jpg"),
        lambda: download(bot, f"../bot{GOOD}/x"),
        lambda: telegram_push._called(pushing.send_message, 1, "x"),
    ):
        try:
            await work()
        except CallFailed as failed:
            failures.append(failed)
    assert len(failures) >= 4
    for failure in failures:
        said = "".join(traceback.format_exception(failure, chain=True))
        assert found_in(f"{said} {failure!r} {failure.args}".encode()) == [], said
    await bot.session.close()
    await pushing.shutdown()
