from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from locales import Voice
from reports.pool import ChartPool
from tests.reports.samples import children, commune

pytestmark = pytest.mark.slow

PNG = b"\x89PNG"


@pytest.fixture
async def pool() -> AsyncIterator[ChartPool]:
    pool = ChartPool()
    yield pool
    await pool.close()


def workers(pool: ChartPool) -> list[int]:
    executor = pool._executor
    return list(executor._processes) if executor else []


async def test_charts_are_drawn_elsewhere_once_asked_for(pool: ChartPool) -> None:
    assert workers(pool) == []
    vietnamese = await pool.draw(commune())
    assert vietnamese.startswith(PNG) and len(workers(pool)) == 1
    assert await pool.draw(commune(), voice=Voice("en")) != vietnamese
    assert await pool.draw(children(54), 2) != await pool.draw(children(54), 3)
    with pytest.raises(ValueError, match="page 4 of 3"):
        await pool.draw(children(54), 4)
    # Ctrl-C in a terminal reaches the workers too: they leave the end to the server.
    (worker,) = workers(pool)
    os.kill(worker, signal.SIGINT)
    assert await pool.draw(commune()) == vietnamese
    assert workers(pool) == [worker]


async def test_a_killed_worker_is_replaced_and_its_charts_drawn_again(pool: ChartPool) -> None:
    expected = await pool.draw(commune())
    (worker,) = workers(pool)
    os.kill(worker, signal.SIGSTOP)  # so that it surely dies with charts in hand
    waiting = [asyncio.create_task(pool.draw(commune())) for _ in range(3)]
    await asyncio.sleep(0)
    os.kill(worker, signal.SIGKILL)
    assert await asyncio.gather(*waiting) == [expected] * 3
    # Three charts found the pool broken: one new pool took its place, not three.
    assert [child.pid for child in multiprocessing.active_children()] == workers(pool)
    assert worker not in workers(pool)


def dies(*_asked: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def test_a_second_death_is_reported_and_the_next_chart_drawn(
    pool: ChartPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("reports.pool._draw", dies)
        with pytest.raises(BrokenProcessPool):
            await pool.draw(commune())
    assert (await pool.draw(commune())).startswith(PNG)


async def test_a_chart_that_takes_too_long_is_given_up_and_the_worker_kept() -> None:
    pool = ChartPool(longest=0.0005)
    try:
        with pytest.raises(TimeoutError, match="too long"):
            await pool.draw(commune())
        (worker,) = workers(pool)
        pool._longest = 20
        assert (await pool.draw(commune())).startswith(PNG)
        assert workers(pool) == [worker]
    finally:
        await pool.close()


def notes(file: str, *_more: object) -> bytes:
    with Path(file).open("a") as out:
        out.write("drawn\n")
    time.sleep(0.05)
    return PNG


async def test_a_chart_that_nobody_waits_for_is_not_drawn(
    pool: ChartPool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "drawn"
    monkeypatch.setattr("reports.pool._draw", notes)
    waiting = [asyncio.create_task(pool.draw(str(file))) for _ in range(6)]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    for task in waiting[3:]:
        task.cancel()
    assert await asyncio.gather(*waiting[:3]) == [PNG] * 3
    await pool.close()
    assert file.read_text().count("drawn") == 3


async def test_a_closed_pool_draws_no_more() -> None:
    pool = ChartPool()
    await pool.close()
    await pool.close()
    with pytest.raises(RuntimeError, match="closed"):
        await pool.draw(commune())


def test_the_server_itself_never_imports_matplotlib() -> None:
    code = "import sys, reports.pool, reports.model; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_workers_end_with_a_server_that_is_killed(tmp_path: Path) -> None:
    server = tmp_path / "server.py"
    server.write_text(
        textwrap.dedent(
            """
            import asyncio, os, signal
            from reports.pool import ChartPool
            from tests.reports.samples import commune

            async def main():
                pool = ChartPool()
                await pool.draw(commune())
                print(*pool._executor._processes, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)

            if __name__ == "__main__":
                asyncio.run(main())
            """
        )
    )
    root = Path(__file__).parents[2]
    told = tmp_path / "workers"
    # Into a file: a worker that lives on would hold a pipe open, and this test with it.
    with told.open("w") as out:
        ended = subprocess.run(
            [sys.executable, str(server)],
            env=os.environ | {"PYTHONPATH": str(root)},
            stdout=out,
            timeout=60,
            check=False,
        )
    assert ended.returncode == -signal.SIGKILL
    (worker,) = told.read_text().split()
    until = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and "zombie" not in Path(f"/proc/{worker}/status").read_text():
        if time.monotonic() > until:
            os.kill(int(worker), signal.SIGKILL)
            pytest.fail("the worker outlived its server")
        time.sleep(0.02)
