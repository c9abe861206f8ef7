"""p99 of a turn while charts are drawn, against the same with nothing else to do."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bars import Bar, percentile
from benchmarks.citizens import Citizen, database
from reports.model import Row, UnitFigures
from reports.pool import ChartPool
from storage.engine import Turns, open_engine

SECONDS = 12.0
PAUSE = 0.05  # a citizen reads before the next act: turns are not queued behind each other


async def _busy(turns: Turns, people: int) -> list[float]:
    waits: list[float] = []
    end = time.perf_counter() + SECONDS

    async def one() -> None:
        while time.perf_counter() < end:
            citizen = Citizen(turns, waits)
            await citizen.joins()
            await citizen.presses("start")
            while time.perf_counter() < end and citizen.acts < 60:
                await citizen.presses("kha")
                await asyncio.sleep(PAUSE)
                await citizen.presses("back")
                await asyncio.sleep(PAUSE)

    await asyncio.gather(*(one() for _n in range(people)))
    return waits


async def _draw(pool: ChartPool) -> int:
    rows = tuple(Row(f"{n:05}", f"Phường số {n}", 400 - n, 300 - n, 200 - n) for n in range(54))
    figures = UnitFigures("22", "Thành phố Quảng Ninh", 2026, datetime.now(UTC), 1, 9000, 8000, 7000, rows=rows)
    drawn = 0
    while True:
        await pool.draw(figures, 1 + drawn % 3)
        drawn += 1


async def _compare(turns: Turns) -> tuple[list[float], list[float]]:
    await _busy(turns, 4)  # warm
    idle = await _busy(turns, 8)
    pool = ChartPool(1)
    drawing = asyncio.create_task(_draw(pool))
    await asyncio.sleep(4)  # the worker has started and imported
    while_drawing = await _busy(turns, 8)
    drawing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await drawing
    await pool.close()
    return idle, while_drawing


def measure() -> Bar:
    """The bar ``render-p99``."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(database(Path(folder)))
        turns = Turns(engine)
        idle, busy = asyncio.run(_compare(turns))
        turns.close()
        engine.dispose()
    slow, quick = percentile(busy, 0.99), percentile(idle, 0.99)
    notes = [f"p99 {slow * 1000:.1f} ms while drawing, {quick * 1000:.1f} ms idle ({len(busy)} and {len(idle)} turns)"]
    return Bar("render-p99", slow / quick, 2.0, False, notes)
