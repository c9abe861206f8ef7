"""Bar ``hostile``: of ten thousand hostile files, how many did harm. There must be none.

Through real worker processes; printed beside it: how many were refused and taken, how many workers were lost, the
longest time, the peak memory of a worker. Files come from a seed (``tests/support/hostile.py``).
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections import Counter

from benchmarks.bars import Bar
from bot.pictures.pool import PicturePool
from bot.pictures.refusal import PictureRefused
from tests.bot.test_hostile_files import unsafe
from tests.support.hostile import files

MANY = 10_000
AT_ONCE = 8
SECONDS = 5.0  # a quarter of what the server gives: those that paint for ever would take half an hour otherwise
SEED = 20261120


def measure(many: int = MANY) -> Bar:
    """Take them all in; the value is how many pictures stored were more than a picture, or ended this process's way."""
    return asyncio.run(_measure(many))


async def _measure(many: int) -> Bar:
    pool = PicturePool(2, SECONDS)
    said: Counter[str] = Counter()
    harm: list[str] = []
    longest = (0.0, "")
    waiting = asyncio.Semaphore(AT_ONCE)

    async def send(name: str, data: bytes) -> None:
        nonlocal longest
        async with waiting:
            began = time.perf_counter()
            try:
                found = await pool.receive(data)
            except PictureRefused as refused:
                said[refused.code] += 1
            except Exception as error:  # noqa: BLE001 - whatever reaches the caller is harm, and counted
                harm.append(f"{name}: {type(error).__name__}")
            else:
                said["taken"] += 1
                harm.extend(f"{name}: {fault}" for each in found if (fault := unsafe(each)))
            longest = max(longest, (time.perf_counter() - began, name))

    tasks: set[asyncio.Task[None]] = set()
    began = time.perf_counter()
    try:
        for name, data in files(SEED, many):
            while len(tasks) >= AT_ONCE:
                _done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            tasks.add(asyncio.create_task(send(name, data)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
    finally:
        await pool.close()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    notes = [
        f"{many} files in {time.perf_counter() - began:.0f} s: "
        + ", ".join(f"{n} {code}" for code, n in said.most_common()),
        f"{pool.deaths} workers lost; longest wait {longest[0]:.1f} s ({longest[1]}); a worker's peak {peak:.0f} MB",
        *harm[:20],
    ]
    return Bar("hostile", len(harm), 0, at_least=False, notes=notes)
