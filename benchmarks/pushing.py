"""How long a citizen waits for an answer while 3,000 notices are under way: 28 messages a second in all, 20 of pushes.

The product's own process in webhook mode, its default limits; 20 citizens answer at a human pace for 20 seconds from
the first notice on. A wait lasts from the press to the arrival of the changed message at Telegram.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bars import Bar, percentile
from benchmarks.turn import START_WITHIN, UNLIMITED, Walker, goes_on, joins, webhook_settings
from benchmarks.wire import Wire, all_cores, bots_core
from dialogs.model import Screen, encode_screen
from storage import outbox, people
from storage.engine import open_engine, writing
from tests.support.server import Server, seed

NOTICES = 3_000
CITIZENS = 20
SECONDS = 20.0
THINK = (2.0, 4.0)  # seconds between an answer and the next press
FLOOR = 1.0  # seconds


def put_notices(url: str) -> None:
    """3,000 people with a notice each, none of them among the citizens who answer."""
    now = datetime.now(UTC)
    body = encode_screen(Screen("Hồ sơ của ông/bà đã được xem. Mời ông/bà mở để xem kết quả.", number=0))
    engine = open_engine(url)
    with writing(engine) as conn:
        for n in range(NOTICES):
            address = str(7_000_000 + n)
            contact = people.meet(conn, "telegram", address, now)
            outbox.put(
                conn,
                account="telegram",
                address=address,
                contact_id=contact,
                body=body,
                now=now,
                priority=outbox.NOTICE,
            )
    engine.dispose()


async def _answers(walker: Walker, rng: random.Random, until: float, waits: list[float]) -> None:
    await asyncio.sleep(rng.uniform(0, THINK[1]))
    while time.perf_counter() < until:
        began = time.perf_counter()
        await walker.steps()
        waits.append(walker.chat.shown_at - began)
        await asyncio.sleep(rng.uniform(*THINK))


async def _start(server: Server, wire: Wire) -> None:
    wire.hooked.clear()
    with bots_core():
        server.start()
    await server.ready()
    async with asyncio.timeout(START_WITHIN):
        await wire.hooked.wait()


async def _measure(folder: Path) -> Bar:
    rng = random.Random(20261122)
    seed(folder / "seeded.sqlite")
    async with Wire() as wire:
        server = Server.on(folder / "seeded.sqlite", folder)
        try:
            server.environment = webhook_settings(wire, server, **UNLIMITED)
            await _start(server, wire)
            chats = [wire.chat(900_000 + n) for n in range(CITIZENS)]
            await asyncio.gather(*(joins(chat) for chat in chats))
            await goes_on(chats)
            await asyncio.to_thread(server.stop)

            put_notices(server.url)
            pushed: list[float] = []
            first = asyncio.Event()

            def on_message(chat: int) -> None:
                if chat not in wire.chats:
                    pushed.append(time.perf_counter())
                    first.set()

            wire.on_message = on_message
            server.environment = webhook_settings(wire, server)
            await _start(server, wire)
            async with asyncio.timeout(START_WITHIN):
                await first.wait()
            began, waits = time.perf_counter(), list[float]()
            async with asyncio.TaskGroup() as group:
                for chat in chats:
                    group.create_task(_answers(Walker(chat), random.Random(rng.random()), began + SECONDS, waits))
            rate = sum(at < began + SECONDS for at in pushed) / SECONDS
        except BaseException:
            print(server.output()[-3000:])
            raise
        finally:
            server.kill()
    assert rate > 10, f"only {rate:.1f} pushes/s were under way"
    notes = [
        f"p50 {percentile(waits, 0.5) * 1000:.0f} ms, p99 {percentile(waits, 0.99) * 1000:.0f} ms,"
        f" longest {max(waits) * 1000:.0f} ms of {len(waits)} answers; {rate:.1f} pushes/s meanwhile"
    ]
    return Bar("answer-wait", percentile(waits, 0.99), FLOOR, False, notes)


def measure() -> Bar:
    """The bar ``answer-wait``: seconds, the 99th percentile."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            return asyncio.run(_measure(Path(folder)))
    finally:
        all_cores()
