"""p99 of other contacts' turns while one contact floods the server, against the same without the flood.

The whole of it: ``hoctap run`` with its default limits, people on the web who read before they press, and one browser
that sends acts from eight connections as fast as they are answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import statistics
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp

from benchmarks.bars import Bar, percentile
from dialogs.model import Opened, Pressed, Typed
from tests.support import server as servers
from tests.support.server import Server
from tests.support.webclient import Phone

SECONDS = 6.0
ROUNDS = 3
PEOPLE = 16
PAUSE = 0.35  # seconds that a person reads: at most 110 acts in the whole run, so that nobody but the flood is limited
FLOODING = 8  # connections of the one who floods


async def _people(phones: list[Phone], seconds: float) -> list[float]:
    """Everybody presses a level and goes back again; how long each act took."""
    waits: list[float] = []
    end = time.perf_counter() + seconds

    async def one(phone: Phone) -> None:
        while time.perf_counter() < end:
            for act in (Pressed("more"), Typed("?")):
                await asyncio.sleep(PAUSE)
                began = time.perf_counter()
                await phone.does(act)
                waits.append(time.perf_counter() - began)

    await asyncio.gather(*(one(phone) for phone in phones))
    return waits


async def _flood(base: str, statuses: Counter[int]) -> None:
    """One browser, as fast as the server answers."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:

        async def post(n: int, **what: object) -> None:
            body = {"id": f"flood-{n:09}", "screen": None, **what}
            async with session.post(f"{base}/chat/act", json=body, headers={"Origin": base}) as answer:
                statuses[answer.status] += 1
                await answer.read()

        await post(0, kind="opened", payload="DV06685K")
        numbers = iter(range(1, 10**9))

        async def pour() -> None:
            for n in numbers:
                await post(n, kind="typed", text="x")

        await asyncio.gather(*(pour() for _n in range(FLOODING)))


def _flooding(base: str, seconds: float, tell: Connection) -> None:
    statuses: Counter[int] = Counter()

    async def pour() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_flood(base, statuses), seconds)

    asyncio.run(pour())
    tell.send(dict(statuses))


async def _compare(server: Server) -> tuple[list[float], list[float], Counter[int]]:
    statuses: Counter[int] = Counter()
    calm, wild = [], []
    async with contextlib.AsyncExitStack() as held:
        phones = [await held.enter_async_context(Phone(server.base)) for _n in range(PEOPLE)]
        for phone in phones:
            await phone.does(Opened("DV06685K"))
            await phone.does(Pressed("yes"))
        await _people(phones, 2)  # warm
        for _n in range(ROUNDS):
            calm.append(percentile(await _people(phones, SECONDS), 0.99))
            told, hears = multiprocessing.Pipe()
            flooding = multiprocessing.Process(target=_flooding, args=(server.base, SECONDS, hears), daemon=True)
            flooding.start()  # a process of its own: this one's loop is to measure
            wild.append(percentile(await _people(phones, SECONDS), 0.99))
            statuses.update(await asyncio.to_thread(told.recv))
            flooding.join()
    return calm, wild, statuses


async def _run(folder: Path) -> tuple[list[float], list[float], Counter[int]]:
    servers.seed(folder / "seeded.sqlite")
    limits = {  # as they are by default, where the test server has none
        "HOCTAP_LIMITS__CONTACT_BURST": "120",
        "HOCTAP_LIMITS__CONTACT_A_MINUTE": "60",
    }
    server = Server.on(folder / "seeded.sqlite", folder, limits)
    server.start()
    try:
        await server.ready()
        return await _compare(server)
    finally:
        server.kill()


def measure() -> Bar:
    """The bar ``flood``: the median of rounds, each idle and flooded in turn."""
    with tempfile.TemporaryDirectory() as folder:
        calm, wild, statuses = asyncio.run(_run(Path(folder)))
    notes = [
        f"p99 {statistics.median(wild) * 1000:.1f} ms flooded, {statistics.median(calm) * 1000:.1f} ms idle",
        f"the flood: {statuses[200]} acts taken, {statuses[429]} refused, in {ROUNDS * SECONDS:.0f} s",
    ]
    return Bar("flood", statistics.median(wild) / statistics.median(calm), 2.0, False, notes)
