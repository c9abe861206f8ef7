"""The server is killed at random while citizens answer: what it acknowledged is there once, and everybody gets on."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.blobs import BlobFolder
from storage.engine import open_engine, reading
from tests.kill.citizen import done, plays
from tests.kill.traces import expected, faults
from tests.support.server import Server
from tests.support.webclient import Phone

CROWD = 20  # citizens at any time
IN_STARTING = 0.2  # how often the server is killed again before it serves


@pytest.fixture
async def server(beginning: Path | str, tmp_path: Path) -> AsyncIterator[Server]:
    """A running server."""
    running = Server.on(beginning, tmp_path)
    running.start()
    try:
        await running.ready()
        yield running
    finally:
        running.kill()
        print("the server's last words:", *running.output().splitlines()[-60:], sep="\n")  # shown when the test fails


@dataclass
class Story:
    """One run: the server, how often it is still to be killed, everybody who ever took part, the dice."""

    server: Server
    left: int
    rng: random.Random
    crowd: AsyncExitStack
    phones: list[Phone] = field(default_factory=list)

    def wrong(self) -> list[str]:
        """What is not as it should be. Blocks, so that no phone acts while it looks."""
        engine = open_engine(self.server.url)
        try:
            with reading(engine) as conn:
                return faults(conn, BlobFolder(self.server.blobs), self.phones)
        finally:
            engine.dispose()

    async def one_after_another(self) -> None:
        """Citizens, each from the link to the end, as long as the server is to be killed; one at least."""
        while True:
            rng = random.Random(self.rng.random())
            phone = await self.crowd.enter_async_context(Phone(self.server.base, rng, impatience=0.1))
            self.phones.append(phone)
            async with asyncio.TaskGroup() as tabs:
                second = tabs.create_task(_meddles(phone))
                await plays(phone)
                second.cancel()
            if not self.left:
                return

    async def kills(self) -> None:
        """Kill, look, start again. Half the time it is the server that first opens the database after its death."""
        span = 0.4 + 10 / self.left  # seconds: few kills are spread over the story as well as many
        while self.left:
            await asyncio.sleep(self.rng.uniform(0.05, span))
            self.server.kill()
            self.left -= 1
            if self.rng.random() < 0.5:
                assert self.wrong() == []
            self.server.start()
            if self.left and self.rng.random() < IN_STARTING:
                continue
            await self.server.ready()
            assert self.wrong() == []


async def _meddles(phone: Phone) -> None:
    """A second tab of the same browser: what was acknowledged goes out again, most of all after a death."""
    rng, seen = random.Random(phone.rng.random()), 0
    while True:
        await asyncio.sleep(rng.uniform(0.02, 0.3))
        if phone.journal and (phone.failures > seen or rng.random() < 0.3):
            seen = phone.failures
            await phone.echoes(rng.choice(phone.journal[-5:]))


@pytest.mark.kill
async def test_what_was_acknowledged_is_there_once_and_nobody_is_stuck(server: Server) -> None:
    kills = int(os.environ.get("HOCTAP_KILLS", "10"))
    seed = int(os.environ.get("HOCTAP_KILL_SEED") or secrets.randbelow(2**32))
    print(f"again with the same dice: HOCTAP_KILLS={kills} HOCTAP_KILL_SEED={seed}")
    async with AsyncExitStack() as crowd:
        story = Story(server, kills, random.Random(seed), crowd)
        async with asyncio.TaskGroup() as everybody:
            for _n in range(CROWD):
                everybody.create_task(story.one_after_another())
            everybody.create_task(story.kills())

        assert len(story.phones) >= CROWD
        assert sum(phone.failures for phone in story.phones) >= kills, "nobody noticed the deaths"
        for phone in story.phones:
            assert done(phone)
            before = phone.screen
            lines = await phone.reloads()
            assert phone.screen.number == before.number
            assert [line["event"] for line in lines if line["dir"] == "in"] == list(expected(phone.journal).heard)
        assert server.stop() == 0
        assert story.wrong() == []
        assert statuses(server) == {"submitted": len(story.phones)}
        assert [line for line in server.output().splitlines() if " ERROR " in line or "Traceback" in line] == []


def statuses(server: Server) -> dict[str, int]:
    """How many assessments have each status."""
    engine = open_engine(server.url)
    try:
        with reading(engine) as conn:
            counts = conn.execute(sa.text("select status, count(*) as n from assessments group by status"))
            return {row.status: row.n for row in counts}
    finally:
        engine.dispose()
