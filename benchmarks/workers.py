"""Turns a second of two processes against one, on PostgreSQL that writes to the disk as in production.

The bar asks whether what processes share (locks, the log's flushes) binds. One process and PostgreSQL together keep
1.4 cores busy, so two on the two cores of a small machine could never do more than 1.4 times as much, whatever they
share. Hence a core each: one process with its share of PostgreSQL on one core, against two on two.

Each process takes turns of its own citizens through :class:`storage.engine.Turns`; nothing else runs in it.
``python -m benchmarks.workers URL THREADS`` is such a process: it is told ``go SECONDS`` and says what it did.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bars import Bar, fsyncs_a_second
from benchmarks.citizens import Citizen, prepare
from storage.engine import Turns, open_engine, reading
from storage.recount import check
from tests.support.postgres import SETTINGS, Server, postgres_server

FLOOR = 1.6
ROUNDS = 4
SECONDS = 5.0
PEOPLE = 24  # of each process, at once
# Threads of each process (the product has 4); has each a core of its own, which PostgreSQL shares? That one is the bar,
# and the last, for PostgreSQL stays on the cores that it was given.
VARIANTS = ((4, False), (1, False), (4, True))
CORES = sorted(os.sched_getaffinity(0))
ON_DISK = SETTINGS | {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
}
ROOT = Path(__file__).resolve().parents[1]


# ------------------------------------------------------------------------------------------ a process that takes turns


async def _works(turns: Turns, seconds: float) -> int:
    """Citizens from the link to the receipt, one after the other, until the time is over; how many acts."""
    end, acts = time.perf_counter() + seconds, 0

    async def one() -> None:
        nonlocal acts
        while time.perf_counter() < end:
            citizen = Citizen(turns)
            citizen.address = f"{os.getpid()}-{citizen.address}"
            work = asyncio.ensure_future(citizen.whole_dossier())
            done, _late = await asyncio.wait({work}, timeout=max(0.0, end - time.perf_counter()))
            acts += citizen.acts - (not done)  # what was under way in the end does not count
            await work

    await asyncio.gather(*(one() for _n in range(PEOPLE)))
    return acts


def _process(url: str, threads: int) -> None:
    engine = open_engine(url)
    turns = Turns(engine, threads=threads)
    asyncio.run(_works(turns, 2.0))  # warm
    print("ready", flush=True)
    for line in sys.stdin:
        used = time.process_time()
        acts = asyncio.run(_works(turns, float(line)))
        print(json.dumps([acts, time.process_time() - used]), flush=True)
    turns.close()
    engine.dispose()


# ------------------------------------------------------------------------------------------ the bar


@dataclass
class Pair:
    """Two such processes with so many threads, and what the rounds gave: turns a second of one, of both; cores used."""

    workers: list[subprocess.Popen[str]]
    postgres: int
    a_core_each: bool = False
    one: list[float] = field(default_factory=list)
    both: list[float] = field(default_factory=list)
    cores: list[tuple[int, float, float]] = field(default_factory=list)

    def round(self, number: int) -> None:
        """The first *number* of them work at once."""
        if self.a_core_each:
            self._keep_to(CORES[:number])
        began, used = time.perf_counter(), _cpu_of(self.postgres)
        for worker in self.workers[:number]:
            assert worker.stdin is not None
            worker.stdin.write(f"{SECONDS}\n")
            worker.stdin.flush()
        found = [json.loads(_line(worker)) for worker in self.workers[:number]]
        took = time.perf_counter() - began  # a little longer than SECONDS: dossiers under way are ended
        (self.one if number == 1 else self.both).append(sum(acts for acts, _cpu in found) / SECONDS)
        self.cores.append((number, sum(cpu for _acts, cpu in found) / took, (_cpu_of(self.postgres) - used) / took))

    def _keep_to(self, cores: list[int]) -> None:
        """Each process has a core, which it shares with PostgreSQL; no other core is used."""
        for worker, core in zip(self.workers, cores, strict=False):
            for thread in Path(f"/proc/{worker.pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {core})
        for pid, _ticks in _processes_of(self.postgres):
            os.sched_setaffinity(pid, set(cores))

    @property
    def ratio(self) -> float:
        return statistics.median(both / one for one, both in zip(self.one, self.both, strict=True))

    def note(self, threads: int) -> str:
        said: list[str] = []
        for number, rates in ((1, self.one), (2, self.both)):
            bot, postgres = (
                statistics.mean(cores[side] for cores in self.cores if cores[0] == number) for side in (1, 2)
            )
            said.append(
                f"{number} process{'es' * (number > 1)} {statistics.median(rates):.0f} turns/s"
                f" (cores used: {bot:.2f}, PostgreSQL {postgres:.2f})"
            )
        own = " and a core of its own, shared with PostgreSQL," if self.a_core_each else ""
        return f"{threads} thread{'s' * (threads > 1)}{own} each: {', '.join(said)}: {self.ratio:.2f}"


def _line(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        raise RuntimeError(f"a worker ended with {worker.wait()}")
    return line


def _processes_of(postmaster: int) -> Iterator[tuple[int, int]]:
    """The processes of a server, and the clock ticks that each has used (the first: also those that have ended)."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = int(stat.parent.name), stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
            continue
        if pid == postmaster:
            yield pid, sum(map(int, rest[11:15]))
        elif int(rest[1]) == postmaster:
            yield pid, int(rest[11]) + int(rest[12])


def _cpu_of(postmaster: int) -> float:
    """Processor seconds of a server."""
    return sum(ticks for _pid, ticks in _processes_of(postmaster)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _pair(server: Server, url: str, threads: int, a_core_each: bool) -> Iterator[Pair]:
    command = [sys.executable, "-m", "benchmarks.workers", url, str(threads)]
    workers = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _n in range(2)
    ]
    try:
        for worker in workers:
            _line(worker)
        yield Pair(workers, int((server.folder / "data" / "postmaster.pid").read_text().split()[0]), a_core_each)
    finally:
        for worker in workers:
            worker.communicate()  # its input ends, and so does it


def measure() -> Bar:
    """The bar ``workers``: a core each, with as many threads as the product has; the others are printed."""
    ratios: list[float] = []
    notes: list[str] = []
    with postgres_server(ON_DISK) as server, server.database() as url:
        prepare(url)
        for threads, a_core_each in VARIANTS:
            with _pair(server, url, threads, a_core_each) as pair:
                for n in range(ROUNDS):
                    for number in (1, 2) if n % 2 else (2, 1):
                        pair.round(number)
                ratios.append(pair.ratio)
                notes.append(pair.note(threads))
        notes.append(
            f"{os.cpu_count()} cores for bots and PostgreSQL together, load {os.getloadavg()[0]:.1f} of whatever runs;"
            f" {fsyncs_a_second(server.folder):.0f} fsyncs/s on this disk"
        )
        engine = open_engine(url)
        with reading(engine) as conn:
            assert check(conn) == []
        engine.dispose()
    return Bar("workers", ratios[-1], FLOOR, True, notes)


if __name__ == "__main__":
    _process(sys.argv[1], int(sys.argv[2]))
