"""The running bot inside the test's own loop: service and bots over a copy of a database, against the stand-in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from aiohttp import web

from bot.channels.telegram import Telegram, TelegramSettings
from bot.limits import UNLIMITED, Rate
from bot.roles import ROLES
from bot.service import Parts, Service
from dialogs.model import Incoming
from dialogs.states import Rules
from dialogs.turn import Taken
from storage import codes, officers, units
from storage.base import Connection
from storage.engine import TransientFailure, open_engine, reading, writing
from storage.housekeeping import Keep
from tests.peers.telegram import BotApi, FakeBot, Phone
from tests.support.server import free_port

HONG_GAI = "DV06685K"
TOKENS = ("100001:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "200002:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB")


@dataclass
class Live:
    """Bots (``accounts``: their channel accounts, in the order of ``bots``) on one service; may be stopped and started
    again. *webhook*: updates are posted to it; polling otherwise. *postgres*: the address of a database that others may
    serve too; *roles*: what this service does."""

    api: BotApi
    folder: Path
    accounts: tuple[str, ...] = ("telegram",)
    webhook: bool = False
    undo_seconds: int = 0
    rates: tuple[float, float, float] = (1000, 1000, 1000)
    contact: Rate = UNLIMITED.contact
    postgres: str = ""
    roles: frozenset[str] = ROLES
    bots: list[FakeBot] = field(default_factory=list)
    service: Service | None = None
    telegrams: list[Telegram] = field(default_factory=list)
    base: str = ""
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return self.postgres or f"sqlite:///{self.folder / 'hoctap.sqlite'}"

    @property
    def bot(self) -> FakeBot:
        return self.bots[0]

    @property
    def telegram(self) -> Telegram:
        return self.telegrams[0]

    def register(self) -> Live:
        """Make the bots known to the stand-in."""
        for account, token in zip(self.accounts, TOKENS, strict=False):
            self.bots.append(self.api.bot(token, f"hoctap_{account.partition(':')[2] or 'mot'}_bot"))
        return self

    async def start(self) -> Live:
        """Serve; returns once Telegram knows how updates are to come."""
        rules = Rules(undo_seconds=self.undo_seconds, public_url="https://hoctap.example")
        self.service = Service(Parts(self.url, self.folder / "evidence", rules, Keep(), roles=self.roles))
        app, port = web.Application(), free_port()
        self.base = f"http://127.0.0.1:{port}"
        for account, token in zip(self.accounts, TOKENS, strict=False):
            name = account.partition(":")[2]
            path = f"/telegram/{name or 'bot'}"
            hook = self.base + path if self.webhook else ""
            settings = TelegramSettings(account, name, self.api.url, hook, *self.rates, self.contact)
            telegram = self.service.telegram(token, settings)
            app.router.add_post(path, telegram.webhook)
        self.telegrams = list(self.service.bots)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.service.start()
        for telegram in self.telegrams:
            await telegram.start()
        return self

    async def stop(self) -> None:
        """End as ``hoctap run`` does."""
        if self.service is not None:
            assert self._runner is not None
            await self._runner.cleanup()
            await self.service.stop(5.0)
            self.service = None

    async def again(self) -> Live:
        """Stop and start."""
        await self.stop()
        return await self.start()

    # -------------------------------------------------------------------------------------------- what is stored

    @contextmanager
    def read(self) -> Iterator[Connection]:
        engine = open_engine(self.url)
        try:
            with reading(engine) as conn:
                yield conn
        finally:
            engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        engine = open_engine(self.url)
        try:
            with writing(engine) as conn:
                yield conn
        finally:
            engine.dispose()

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)

    def rows(self, query: str, **given: Any) -> list[Any]:
        """The rows of a query; of one column its values."""
        with self.read() as conn:
            found = conn.execute(sa.text(query), given).all()
        return [row[0] if len(row) == 1 else tuple(row) for row in found]

    async def until(self, query: str, *expected: Any, within: float = 10.0, **given: Any) -> list[Any]:
        """Wait until a query finds these rows (without any: until it finds some)."""
        until = time.monotonic() + within
        while True:
            found = self.rows(query, **given)
            if (found == list(expected)) if expected else found:
                return found
            assert time.monotonic() < until, f"{query}: {found}"
            await asyncio.sleep(0.03)

    def invite(self, unit: str = "06685", role: str = "reviewer", name: str = "Trần Thị Hoa") -> str:
        """The payload of an officer's invite."""
        with self.write() as conn:
            place = units.by_code(conn, unit)
            assert place is not None
            return codes.payload(officers.invite(conn, place.id, role, datetime.now(UTC), "test", name))


def refusing(telegram: Telegram, times: int) -> list[int]:
    """From now on the database takes no turn of this bot, *times* times; what is left of them."""
    backend, left = telegram.backend, [times]

    async def locked(incoming: Incoming) -> Taken:
        if left[0]:
            left[0] -= 1
            raise TransientFailure("locked")
        return await backend.take(incoming)

    telegram.backend = replace(backend, take=locked)
    return left


async def holds(what: Callable[[], object], within: float = 10.0) -> None:
    """Wait until something is true. Raises ``AssertionError``."""
    until = time.monotonic() + within
    while not what():
        assert time.monotonic() < until, "it never came true"
        await asyncio.sleep(0.01)


# ------------------------------------------------------------------------------------------------ stretches of a chat


async def presses(phone: Phone, *labels: str, within: float = 20.0) -> Phone:
    """Press buttons, each once it is there, and wait for what that leads to."""
    for label in labels:
        until = time.monotonic() + within
        while True:
            try:
                await phone.presses(label)
                break
            except LookupError:
                if time.monotonic() > until:
                    raise
                await phone.changes(0.5)
        await phone.settles()
    return phone


async def types(phone: Phone, *texts: str) -> Phone:
    """Type texts, each once its question stands."""
    for text in texts:
        await phone.types(text)
        await phone.settles()
    return phone


async def joins(phone: Phone, name: str = "Nguyễn Thị Lan", payload: str = HONG_GAI) -> Phone:
    """From the link to registered."""
    await phone.opens(payload)
    await phone.sees("đúng không")
    await presses(phone, "yes", "agree")
    await types(phone, name, "1957", "Không cho số")
    return await presses(phone, "ong_ba", "nong_dan")


async def answers(phone: Phone, level: str = "kha", until: int = 10) -> Phone:
    """From registered to the overview, each question with the same level and evidence in words where it is wanted."""
    await presses(phone, "start")
    for _n in range(until):
        await presses(phone, level)
        if "Minh chứng cho câu" in phone.screen.text:
            await types(phone, "Tôi đã dự lớp tập huấn ngày 12/9 tại nhà văn hóa khu 3")
    return phone


async def asks_for_evidence(phone: Phone) -> Phone:
    """From the link to the second question's screen for evidence."""
    await joins(phone)
    await presses(phone, "start", "tot", "tot")
    assert "Minh chứng cho câu 2" in phone.screen.text, phone.read_out()
    return phone


async def accepts(phone: Phone, payload: str) -> Phone:
    """An officer takes up an invite."""
    await phone.opens(payload)
    await phone.settles()
    return await presses(phone, "accept")
