"""Two web and two worker processes on one PostgreSQL behind nginx: 200 citizens, in the browser and on Telegram, while
one process after the other is killed. What was acknowledged is there once, and everybody gets on."""

from __future__ import annotations

import asyncio
import math
import os
import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from storage.blobs import BlobFolder
from storage.engine import open_engine, reading
from tests.kill.citizen import done, plays
from tests.kill.telegram_citizen import Citizen
from tests.kill.telegram_traces import faults as telegram_faults
from tests.kill.test_kill import statuses
from tests.kill.test_kill_telegram import repeats, settled
from tests.kill.traces import faults
from tests.peers.nginx import before, nginx
from tests.peers.telegram import BotApi, FakeBot
from tests.support.server import Server, free_port
from tests.support.webclient import Phone
from tests.telegram.live import TOKENS

CROWD = 200  # citizens, half of them in the browser
WORK = "poller,worker,fetcher,sender,scheduler"
ON_THE_WIRE = 0.2  # seconds in which the stand-in has read what a dead process had still sent


@dataclass
class Cluster:
    """The processes, how often one is still to be killed, everybody who takes part, the dice."""

    api: BotApi = field(repr=False)
    bots: list[FakeBot]
    servers: list[Server]
    base: str
    left: int
    rng: random.Random
    crowd: AsyncExitStack = field(repr=False)
    phones: list[Phone] = field(default_factory=list, repr=False)
    citizens: list[Citizen] = field(default_factory=list, repr=False)
    starts: list[float] = field(default_factory=list)  # time.monotonic() when a death had been taken note of
    calm: float = math.inf  # time.monotonic() since when no death is to come

    def wrong(self) -> list[str]:
        """What is not as it should be. Blocks, so that no citizen acts while it looks; the processes go on."""
        engine = open_engine(self.servers[0].url)
        try:
            with reading(engine) as conn:
                blobs = BlobFolder(self.servers[0].blobs)
                found = faults(conn, blobs, self.phones) + telegram_faults(conn, blobs, self.citizens)
        finally:
            engine.dispose()
        for each in found:
            print(each)
        return found

    async def browses(self) -> None:
        """One citizen in the browser, from the link to the end."""
        rng = random.Random(self.rng.random())
        await asyncio.sleep(rng.uniform(0, 3))
        phone = await self.crowd.enter_async_context(Phone(self.base, rng, impatience=0.05))
        self.phones.append(phone)
        await plays(phone)

    async def writes(self, bot: FakeBot) -> None:
        """One citizen on Telegram."""
        await asyncio.sleep(self.rng.uniform(0, 3))
        citizen = Citizen(self.api.phone(bot), random.Random(self.rng.random()), lambda: self.calm)
        self.citizens.append(citizen)
        await citizen.plays()

    async def kills(self) -> None:
        """Kill one, look, start it again."""
        while self.left:
            await asyncio.sleep(self.rng.uniform(0.5, 4))
            server = self.rng.choice(self.servers)
            server.kill()
            self.left -= 1
            await asyncio.sleep(ON_THE_WIRE)
            self.starts.append(time.monotonic())
            if self.rng.random() < 0.5:
                assert self.wrong() == []
            server.start()
            await server.ready()
        self.calm = time.monotonic()


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    """A Telegram that repeats and reorders."""
    async with BotApi() as running:
        running.repeats(0.05)
        running.reorders(0.1)
        running.longest_backoff = 0.5
        yield running


@pytest.mark.kill
@pytest.mark.slow
@pytest.mark.postgres
async def test_any_of_four_processes_may_die(api: BotApi, postgres_of_its_own: str, tmp_path: Path) -> None:
    kills = int(os.environ.get("HOCTAP_CLUSTER_KILLS", "10"))
    crowd = int(os.environ.get("HOCTAP_CLUSTER_CROWD", str(CROWD)))
    seed = int(os.environ.get("HOCTAP_KILL_SEED") or secrets.randbelow(2**32))
    print(f"again with the same dice: HOCTAP_CLUSTER_KILLS={kills} HOCTAP_KILL_SEED={seed}")
    api.rng.seed(seed)
    bots = [api.bot(token, f"hoctap_{name}_bot") for name, token in zip("ab", TOKENS, strict=True)]
    environment = {f"HOCTAP_TELEGRAM__BOTS__{n}__TOKEN": token for n, token in zip("AB", TOKENS, strict=True)}
    environment |= {f"HOCTAP_TELEGRAM__{rate}": "1000" for rate in ("RATE", "PUSH_RATE", "CHAT_RATE")}
    environment |= {"HOCTAP_TELEGRAM__API_URL": api.url, "HOCTAP_TELEGRAM__MODE": "webhook"}
    environment |= {"HOCTAP_STORAGE__BLOBS": str(tmp_path / "evidence"), "HOCTAP_STORAGE__KEYS": str(tmp_path / "keys")}
    servers = []
    for n, roles in enumerate(("web", "web", WORK, WORK)):
        folder = tmp_path / f"process{n}"
        folder.mkdir()
        server = Server.on(postgres_of_its_own, folder, dict(environment))
        server.roles, server.forked = roles, True
        servers.append(server)
    async with AsyncExitStack() as held:
        port = free_port()
        blocks = before([servers[0].port, servers[1].port], port)
        base = held.enter_context(nginx(tmp_path / "nginx", port, blocks))
        cluster = Cluster(api, bots, servers, base, kills, random.Random(seed), held)
        for server in servers:
            server.environment["HOCTAP_WEB__PUBLIC_URL"] = base
            server.start()
            held.callback(last_words, server)
        await asyncio.gather(*(server.ready() for server in servers))
        began = time.monotonic()
        async with asyncio.TaskGroup() as everybody:
            for n in range(crowd // 2):
                everybody.create_task(cluster.browses())
                everybody.create_task(cluster.writes(bots[n % 2]))
            everybody.create_task(cluster.kills())
        took = time.monotonic() - began
        assert all(done(phone) for phone in cluster.phones)
        await settled(cluster)
        for server in servers:
            assert await asyncio.to_thread(server.stop) == 0
        assert cluster.wrong() == []
        assert statuses(servers[0]) == {"submitted": crowd // 2 * 2}
        for server in servers:
            assert [line for line in server.output().splitlines() if " ERROR " in line or "Traceback" in line] == []
        repeated = repeats(cluster)
        tries = sum(citizen.tries for citizen in cluster.citizens)
        failures = sum(phone.failures for phone in cluster.phones)
        print(f"{kills} kills, {crowd} citizens, {len(api.calls)} calls, {took:.0f} s")
        print(f"{sum(repeated.values())} messages repeated, {tries} acts done again after silence, {failures} failures")
        assert all(count <= 1 for count in repeated.values()), repeated


def last_words(server: Server) -> None:
    """End it, and say what it said last: shown when the test fails."""
    server.kill()
    print(server.roles, *server.output().splitlines()[-40:], sep="\n")
