"""Answered turns a second, the whole of the product on SQLite, against a plain aiogram bot that stores nothing.

An update by webhook → turn → commit → reply, in rounds that alternate between ``hoctap run`` and the plain aiogram bot
(memory storage, ``SimpleRequestHandler``, both as they are without options), which shows the product's own ten screens
and makes the same two calls for each press. 64 chats, each pressing as soon as its last press is answered; one core
for the bot, the other for the benchmark, which is Telegram (:mod:`benchmarks.wire`).
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.bars import Bar
from benchmarks.loss import TOKEN, PlainProcess
from benchmarks.questionnaire import INDICATORS, LEVELS
from benchmarks.wire import Chat, Wire, all_cores, bots_core, cpu_seconds
from locales import Voice, _, speaking
from storage.engine import open_engine, reading
from storage.recount import check
from tests.support.server import Server, free_port, seed

CHATS = 64
ROUNDS = 3
SECONDS = 5.0
WARM = 1.0
FLOOR = 0.6
START_WITHIN = 90.0


@dataclass
class Walker:
    """One chat that answers a question, goes back, answers it anew with another level, again and again."""

    chat: Chat
    turns: int = 0

    async def steps(self) -> None:
        await self.chat.presses(("dat", "back", "chua_dat", "back")[self.turns % 4])
        self.turns += 1


@dataclass
class Contestant:
    """A running bot with its chats, and what each round gave: turns a second, processor seconds of bot and wire."""

    wire: Wire
    pid: int
    walkers: list[Walker] = field(default_factory=list)
    rounds: list[float] = field(default_factory=list)
    cpu: list[tuple[float, float]] = field(default_factory=list)

    async def plays(self, seconds: float = SECONDS) -> None:
        """One round."""
        end = time.perf_counter() + WARM + seconds

        async def walks(walker: Walker) -> None:
            while time.perf_counter() < end:
                await walker.steps()

        async with asyncio.TaskGroup() as group:
            for walker in self.walkers:
                group.create_task(walks(walker))
            await asyncio.sleep(WARM)
            began, edits = time.perf_counter(), self._edits()
            bot, own = cpu_seconds(self.pid), time.process_time()
            await asyncio.sleep(max(0.0, end - time.perf_counter() - 0.05))
            took, done = time.perf_counter() - began, self._edits() - edits
            self.cpu.append(((cpu_seconds(self.pid) - bot) / took, (time.process_time() - own) / took))
            self.rounds.append(done / took)

    def _edits(self) -> int:
        return sum(walker.chat.edits for walker in self.walkers)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    def note(self, name: str) -> str:
        bot, own = (statistics.mean(each[side] for each in self.cpu) for side in (0, 1))
        rounds = ", ".join(f"{each:.0f}" for each in self.rounds)
        return f"{name}: {self.median:.0f} turns/s ({rounds}); of a core the bot took {bot:.2f}, the wire {own:.2f}"


# ------------------------------------------------------------------------------------------ the two bots


async def joins(chat: Chat) -> None:
    """From the code to the first question of the product."""
    with speaking(Voice("vi", "ong_ba")):
        no_phone = _("join.no_phone")
    await chat.types("/start DV06685K")
    await chat.presses("yes", settle=0.15)
    await chat.presses("agree", settle=0.15)
    for said in ("Nguyễn Văn Hùng", "1957", no_phone):
        await chat.types(said)
    for choice in ("ong_ba", "nong_dan", "start"):
        await chat.presses(choice, settle=0.15)


async def joins_plain(chat: Chat) -> None:
    await chat.types("/start DV06685K")
    await chat.presses("agree", settle=0.1)
    for said in ("Nguyễn Văn Hùng", "1957"):
        await chat.types(said)


def webhook_settings(wire: Wire, server: Server, **more: str) -> dict[str, str]:
    """The environment of ``hoctap run`` with this wire as Telegram."""
    return {
        "HOCTAP_TELEGRAM__TOKEN": TOKEN,
        "HOCTAP_TELEGRAM__API_URL": wire.url,
        "HOCTAP_TELEGRAM__MODE": "webhook",
        "HOCTAP_WEB__PUBLIC_URL": server.base,
        **more,
    }


UNLIMITED = {
    "HOCTAP_TELEGRAM__RATE": "1000",
    "HOCTAP_TELEGRAM__PUSH_RATE": "1000",
    "HOCTAP_TELEGRAM__CHAT_RATE": "1000",
}


@asynccontextmanager
async def ours(folder: Path, wire: Wire) -> AsyncIterator[Server]:
    """``hoctap run`` that has set its webhook, without limits of its own."""
    seed(folder / "seeded.sqlite")
    server = Server.on(folder / "seeded.sqlite", folder)
    server.environment = webhook_settings(wire, server, **UNLIMITED)
    try:
        with bots_core():
            server.start()
        await server.ready()
        async with asyncio.timeout(START_WITHIN):
            await wire.hooked.wait()
        yield server
    except BaseException:
        print(server.output()[-3000:])
        raise
    finally:
        server.kill()


@asynccontextmanager
async def plain(folder: Path, wire: Wire, screens: list[Mapping[str, Any]]) -> AsyncIterator[PlainProcess]:
    """The plain aiogram bot with these screens, its webhook set."""
    (folder / "screens.json").write_text(json.dumps(screens), encoding="utf-8")
    port = free_port()
    environment = {
        "BOT_TOKEN": TOKEN,
        "API_URL": wire.url,
        "WEBHOOK_URL": f"http://127.0.0.1:{port}/telegram",
        "PORT": str(port),
        "PLAIN_SCREENS": str(folder / "screens.json"),
    }
    bot = PlainProcess("benchmarks.plain_aiogram", folder, environment)
    try:
        with bots_core():
            bot.start()
        async with asyncio.timeout(START_WITHIN):
            await wire.hooked.wait()
        await asyncio.sleep(0.5)  # it sets the webhook just before it listens
        yield bot
    except BaseException:
        print(bot.output()[-3000:])
        raise
    finally:
        bot.kill()


async def goes_on(chats: list[Chat]) -> None:
    """The chats stand at different questions, from the first to the ninth."""

    async def answers(chat: Chat, times: int) -> None:
        for _n in range(times):
            await chat.presses("dat")

    await asyncio.gather(*(answers(chat, n % (len(INDICATORS) - 1)) for n, chat in enumerate(chats)))


async def screens_of(chat: Chat) -> list[Mapping[str, Any]]:
    """The ten questions as the product shows them to who answers one after the other."""
    found: list[Mapping[str, Any]] = []
    for _indicator in INDICATORS:
        rows = [[(label, data.rpartition(":")[2]) for label, data in row] for row in chat.rows]
        found.append({"text": chat.text, "rows": rows})
        await chat.presses("dat")
    return found


def example_of(screen: Mapping[str, Any]) -> dict[str, Any]:
    """A message of Telegram's that shows this screen."""
    keyboard = [[{"text": label, "callback_data": f"12:{choice}"} for label, choice in row] for row in screen["rows"]]
    text = screen["text"].replace("<b>", "").replace("</b>", "")
    return {"text": text.replace("<blockquote>", ""), "reply_markup": {"inline_keyboard": keyboard}}


# ------------------------------------------------------------------------------------------ the bar


async def _compare(folder: Path) -> Bar:
    async with Wire() as wire, ours(folder, wire) as server:
        assert server.process is not None
        chats = [wire.chat(900_000 + n) for n in range(CHATS + 1)]
        await asyncio.gather(*(joins(chat) for chat in chats))
        screens = await screens_of(chats.pop())
        await goes_on(chats)
        wire.says(example_of(screens[2]))
        us = Contestant(wire, server.process.pid, [Walker(chat) for chat in chats])
        async with Wire() as other, plain(folder, other, screens) as bot:
            assert bot.process is not None
            other.says(example_of(screens[2]))
            others = [other.chat(900_000 + n) for n in range(CHATS)]
            await asyncio.gather(*(joins_plain(chat) for chat in others))
            await goes_on(others)
            them = Contestant(other, bot.process.pid, [Walker(chat) for chat in others])
            for _round in range(ROUNDS):
                await us.plays()
                await them.plays()
            calls = {name: number for name, number in other.calls.items() if number > CHATS}
        await asyncio.to_thread(server.stop)
        rows = _rows(server.url)
    notes = [
        us.note("hoctap"),
        them.note("plain aiogram"),
        f"calls of the plain bot {calls}; the product's answers to presses go with the webhook's response",
        f"rows {rows}",
    ]
    if os.cpu_count() == 1:
        notes.append("one core for all: the wire takes its share of both")
    return Bar("turn", us.median / them.median, FLOOR, True, notes)


def _rows(url: str) -> dict[str, int]:
    """How much the product wrote."""
    engine = open_engine(url)
    with reading(engine) as conn:
        assert check(conn) == []
        rows = {
            table: int(conn.exec_driver_sql(f"select count(*) from {table}").scalar() or 0)
            for table in ("claims", "answer_history", "outbox")
        }
        waiting = conn.exec_driver_sql("select count(*) from outbox where outcome = 'waiting'").scalar()
        assert waiting == 0, f"{waiting} answers wait"
    engine.dispose()
    return rows


def measure() -> Bar:
    """The bar ``turn``."""
    assert set(LEVELS) >= {"dat", "chua_dat"}
    try:
        with tempfile.TemporaryDirectory() as folder:
            return asyncio.run(_compare(Path(folder)))
    finally:
        all_cores()
