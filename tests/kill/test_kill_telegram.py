"""The server is killed at random while citizens answer on Telegram with photos and albums, by two bots, polling and by
webhook: what Telegram was told to be taken is there once, and everybody gets on."""

from __future__ import annotations

import asyncio
import math
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from storage.blobs import BlobFolder
from storage.engine import open_engine, reading
from tests.kill.telegram_citizen import STALE, Citizen
from tests.kill.telegram_traces import faults
from tests.kill.test_kill import IN_STARTING, statuses
from tests.peers.telegram import BotApi, FakeBot
from tests.support.server import Server
from tests.telegram.live import TOKENS

CROWD = 50  # citizens at any time, half of them on each bot
BY_WEBHOOK = 0.33  # how often a server that starts gets its updates by webhook


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    """A Telegram that repeats and reorders."""
    async with BotApi() as running:
        running.repeats(0.05)
        running.reorders(0.2)
        running.longest_backoff = 0.5
        yield running


@dataclass
class Story:
    """One run: the server, how often it is still to be killed, everybody who ever took part, the dice."""

    api: BotApi = field(repr=False)
    bots: list[FakeBot]
    server: Server
    left: int
    rng: random.Random
    citizens: list[Citizen] = field(default_factory=list, repr=False)
    starts: list[float] = field(default_factory=list)  # time.monotonic() of each start
    calm: float = math.inf  # time.monotonic() since when no death is to come

    def wrong(self) -> list[str]:
        """What is not as it should be. Blocks, so that nothing happens on Telegram while it looks."""
        engine = open_engine(self.server.url)
        try:
            with reading(engine) as conn:
                found = faults(conn, BlobFolder(self.server.blobs), self.citizens)
        finally:
            engine.dispose()
        for each in found:
            print(each)
        for citizen in self.citizens:
            if any(each.startswith(citizen.name) for each in found):
                print(citizen.name, *citizen.marks, citizen.phone.read_out(), sep="\n")
        return found

    def begin(self) -> None:
        """Start the server, by polling or by webhook."""
        hooked = self.rng.random() < BY_WEBHOOK
        self.server.environment["HOCTAP_TELEGRAM__MODE"] = "webhook" if hooked else "polling"
        self.starts.append(time.monotonic())
        self.server.start()

    async def one_after_another(self, bot: FakeBot, seed: float) -> None:
        """Citizens, each from the link to the end, as long as the server is to be killed; one at least."""
        rng = random.Random(seed)
        while True:
            citizen = Citizen(self.api.phone(bot), random.Random(rng.random()), lambda: self.calm)
            self.citizens.append(citizen)
            await citizen.plays()
            if not self.left:
                return

    async def kills(self) -> None:
        """Kill, look, start again. Half the time it is the server that first opens the database after its death."""
        span = 0.5 + 10 / self.left  # seconds: few kills are spread over the story as well as many
        while self.left:
            await asyncio.sleep(self.rng.uniform(0.05, span))
            self.server.kill()
            self.left -= 1
            # What it had sent already belongs to it, not to the next one.
            await self.api.drained()
            if self.rng.random() < 0.5:
                assert not self.wrong()
            self.begin()
            if self.left and self.rng.random() < IN_STARTING:
                continue
            await self.server.ready()
        self.calm = time.monotonic()


@pytest.mark.kill
async def test_what_telegram_was_told_is_taken_is_there_once_and_nobody_is_stuck(
    api: BotApi, beginning: Path | str, tmp_path: Path
) -> None:
    kills = int(os.environ.get("HOCTAP_TG_KILLS", "30"))
    seed = int(os.environ.get("HOCTAP_KILL_SEED") or secrets.randbelow(2**32))
    print(f"again with the same dice: HOCTAP_TG_KILLS={kills} HOCTAP_KILL_SEED={seed}")
    api.rng.seed(seed)
    bots = [api.bot(token, f"hoctap_{name}_bot") for name, token in zip("ab", TOKENS, strict=True)]
    environment = {f"HOCTAP_TELEGRAM__BOTS__{n}__TOKEN": token for n, token in zip("AB", TOKENS, strict=True)}
    environment |= {"HOCTAP_TELEGRAM__API_URL": api.url}
    environment |= {f"HOCTAP_TELEGRAM__{rate}": "1000" for rate in ("RATE", "PUSH_RATE", "CHAT_RATE")}
    server = Server.on(beginning, tmp_path, environment)
    server.forked = True
    server.environment["HOCTAP_WEB__PUBLIC_URL"] = server.base
    story = Story(api, bots, server, kills, random.Random(seed))
    story.begin()
    try:
        await server.ready()
        async with asyncio.TaskGroup() as everybody:
            for n in range(CROWD):
                everybody.create_task(story.one_after_another(bots[n % 2], story.rng.random()))
            everybody.create_task(story.kills())
        await settled(story)
        assert await asyncio.to_thread(server.stop) == 0
        assert not story.wrong()
        assert statuses(server) == {"submitted": len(story.citizens)}
        assert [line for line in server.output().splitlines() if " ERROR " in line or "Traceback" in line] == []
        repeated = repeats(story)
        tries = sum(citizen.tries for citizen in story.citizens)
        print(f"{kills} kills, {len(story.citizens)} citizens, {len(api.calls)} calls")
        print(f"{sum(repeated.values())} messages repeated, {tries} acts done again after silence")
        assert all(count <= 1 for count in repeated.values()), repeated
        assert sum(repeated.values()) <= kills * CROWD
    finally:
        server.kill()
        print("the server's last words:", *server.output().splitlines()[-60:], sep="\n")  # shown when the test fails


class Told(Protocol):
    """A run that can be looked at: the stand-in, its bots, when each server (but the first) was started."""

    api: BotApi
    bots: list[FakeBot]
    starts: list[float]


async def settled(story: Told) -> None:
    """Wait until Telegram has nothing more to deliver."""
    until = time.monotonic() + 30
    while any(bot.updates for bot in story.bots):
        assert time.monotonic() < until, "updates that nobody takes"
        await asyncio.sleep(0.05)


def repeats(story: Told) -> Counter[tuple[str, int]]:
    """How many messages each chat got once more, by chat and start of the server.

    A message is one that has the same text and buttons, with the screen's number on them, as an earlier one of its
    chat. A screen without a number on it (the phone's own keyboard is replaced) and the line that an act came too late
    may rightly come more than once.
    """
    found: Counter[tuple[str, int]] = Counter()
    seen: set[tuple[str, str, str]] = set()
    for call in story.api.calls:
        if call.method.lower() not in ("sendmessage", "sendphoto") or call.outcome not in ("ok", "lost"):
            continue
        what = f"{call.params.get('text') or call.params.get('caption')} {call.params.get('reply_markup')}"
        if "inline_keyboard" not in what or STALE in what:
            continue
        message = (call.bot, call.chat, what)
        if message in seen:
            start = sum(at < call.at for at in story.starts)
            found[f"{call.bot} {call.chat}", start] += 1
        seen.add(message)
    return found
