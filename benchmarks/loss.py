"""What a killed bot loses: the plain bots and the product, at the stand-in for Telegram, ended at the same moments.

An answer (name, year, level, photo) counts as acknowledged when Telegram was told so: by the next ``getUpdates``. It is
lost when the bot does not know it: a plain bot says what it knows (``/dump``, or the receipt; after the receipt what
becomes of an answer is its developer's matter and nothing counts as lost), of the product the database is read.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from benchmarks.bars import Bar
from benchmarks.people import Ask, Life, Person, reads_ours, reads_plain
from storage.engine import open_engine, reading
from storage.recount import check
from tests.peers.telegram import BotApi, FakeBot
from tests.support.server import Server, seed

# At any time; who has finished gives way to the next until the last kill. python-telegram-bot takes one update after
# the other by default: with more people, or slower calls, they would wait for it so long that it seems dead.
PEOPLE = 20
KILLS = int(os.environ.get("HOCTAP_BENCH_KILLS", "6"))
STOPS = 2
BETWEEN = (2.0, 6.0)  # seconds that the bot is up
LATENCY = 0.01  # seconds of a call to Telegram
START_WITHIN = 90.0
STORY_WITHIN = 900.0
TOKEN = "100001:AAbench-stand-in-no-bot-of-Telegram00"
ROOT = Path(__file__).resolve().parents[1]


class Running(Protocol):
    def poll(self) -> int | None: ...


class Process(Protocol):
    """A bot as a process that can be ended and started again."""

    @property
    def process(self) -> Running | None: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...
    def stop(self) -> int: ...
    def output(self) -> str: ...


@dataclass
class PlainProcess:
    """A plain bot: ``python -m benchmarks.plain_…``."""

    module: str
    folder: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module],
                cwd=ROOT,
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL),  # never outlives the benchmark
            )

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=30)
            self.process = None

    def stop(self) -> int:
        """SIGTERM, and wait for the end."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(timeout=60)
        self.process = None
        return status

    def output(self) -> str:
        path = self.folder / "output"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A bot that is measured. ``open`` makes its process over a folder, a server address and a seeded database."""

    name: str
    plain: bool
    open: Callable[[Path, str, Path], Process]


def _plain(module: str, **more: str) -> Callable[[Path, str, Path], Process]:
    def make(folder: Path, api: str, _seeded: Path) -> Process:
        settings = {name: value.replace("FOLDER", str(folder)) for name, value in more.items()}
        return PlainProcess(f"benchmarks.{module}", folder, {"BOT_TOKEN": TOKEN, "API_URL": api, **settings})

    return make


def _ours(folder: Path, api: str, seeded: Path) -> Process:
    environment = {
        "HOCTAP_TELEGRAM__TOKEN": TOKEN,
        "HOCTAP_TELEGRAM__API_URL": api,
        # The plain bots hold back nothing either.
        "HOCTAP_TELEGRAM__RATE": "1000",
        "HOCTAP_TELEGRAM__CHAT_RATE": "1000",
    }
    return Server.on(seeded, folder, environment)


CONTESTANTS = (
    Contestant("aiogram, MemoryStorage", True, _plain("plain_aiogram")),
    Contestant("python-telegram-bot", True, _plain("plain_ptb")),
    Contestant(
        "python-telegram-bot, PicklePersistence each second",
        True,
        _plain("plain_ptb", PERSISTENCE="FOLDER/state", PERSISTENCE_SECONDS="1"),
    ),
    Contestant("hoctap", False, _ours),
)


@dataclass
class Tally:
    """How one bot fared. ``broken``: lives that ended before the bot served (its own data could not be read)."""

    acknowledged: int = 0
    lost: int = 0
    begun_again: int = 0
    doubled: int = 0
    finished: int = 0
    broken: int = 0

    def row(self, name: str, ends: str) -> str:
        return (
            f"{name:<51} {ends:<11} {self.acknowledged:>6} {self.lost:>6} {self.begun_again:>7} {self.doubled:>8}"
            f" {self.finished:>9}" + (f"  ({self.broken} starts failed)" if self.broken else "")
        )


HEAD = f"{'':<51} {'ended by':<11} {'acked':>6} {'lost':>6} {'again':>7} {'doubled':>8} {'finished':>9}"


@dataclass
class Story:
    """One run of one bot."""

    contestant: Contestant
    api: BotApi
    bot: FakeBot
    process: Process
    rng: random.Random
    ends: int
    graceful: bool
    life: Life = field(default_factory=Life)
    people: list[Person] = field(default_factory=list)
    broken: int = 0

    async def play(self) -> None:
        await self.starts()
        async with asyncio.TaskGroup() as group:
            for _n in range(PEOPLE):
                group.create_task(self._one_after_another(random.Random(self.rng.random())))
            group.create_task(self._ends())
        await asyncio.to_thread(self.process.stop)
        self.life.up = False

    async def _one_after_another(self, rng: random.Random) -> None:
        await asyncio.sleep(rng.uniform(0, 1.5))
        while True:
            phone = self.api.phone(self.bot)
            reads: Callable[[Person], Ask | None] = reads_plain if self.contestant.plain else reads_ours
            person = Person(phone, self.life, random.Random(rng.random()), reads, self.contestant.plain)
            self.people.append(person)
            await person.fills_in()
            if not self.ends:
                return

    async def _ends(self) -> None:
        rng = random.Random(self.rng.random())
        while self.ends:
            await asyncio.sleep(rng.uniform(*BETWEEN))
            self.life.up = False
            await asyncio.to_thread(self.process.stop if self.graceful else self.process.kill)
            self.ends -= 1
            await self.starts()

    async def starts(self) -> None:
        """Start the process; back when it asks for updates."""
        before, until = self.bot.poll, time.monotonic() + START_WITHIN
        self.process.start()
        while self.bot.poll is before:
            await asyncio.sleep(0.02)
            if self.process.process is None or self.process.process.poll() is not None:
                self.broken += 1
                self._clear_away()
                self.process.start()
            elif time.monotonic() > until:
                raise RuntimeError(f"{self.contestant.name} does not start:\n{self.process.output()[-3000:]}")
        self.life.number += 1
        self.life.up = True

    def _clear_away(self) -> None:
        """A bot that cannot read its own data begins without it, as its operator would let it."""
        if self.broken > 20 or not isinstance(self.process, PlainProcess):
            raise RuntimeError(f"{self.contestant.name} does not start:\n{self.process.output()[-3000:]}")
        with suppress(FileNotFoundError):
            Path(self.process.environment["PERSISTENCE"]).unlink()

    def tally(self) -> Tally:
        tally = Tally(
            begun_again=sum(person.begun_again for person in self.people),
            finished=len(self.people),
            broken=self.broken,
        )
        if isinstance(self.process, Server):
            tally.doubled = self._hold_against(self.process.url)
        tally.acknowledged = sum(person.acknowledged for person in self.people)
        tally.lost = sum(person.lost for person in self.people)
        return tally

    def _hold_against(self, url: str) -> int:
        """Count what the database lost; how much of it is there twice."""
        engine = open_engine(url)
        doubled = 0
        with reading(engine) as conn:
            assert check(conn) == []
            for person in self.people:
                found = [
                    (str(key), str(value))
                    for key, value in conn.execute(sa.text(_KNOWN), {"address": str(person.phone.chat.id)})
                ]
                known = dict(found)
                doubled += len(found) - len(known)
                person.counts(known)
        engine.dispose()
        return doubled


# Levels from the history of answers, where a level given twice would stand twice.
_KNOWN = """
with me as (
    select person_id as id from contact_person p join contacts c on c.id = p.contact_id
    where c.account = 'telegram' and c.address = :address
), mine as (select id from assessments where person_id in (select id from me))
select 'name', name from people where id in (select id from me)
union all select 'year', birth_year from people where id in (select id from me)
union all select indicator, level from answer_history where what = 'level' and assessment_id in (select id from mine)
union all select indicator || ' photo', '' from evidence where assessment_id in (select id from mine)
"""


async def _play(contestant: Contestant, seeded: Path, ends: int, graceful: bool) -> Tally:
    with tempfile.TemporaryDirectory() as folder:
        async with BotApi(latency=LATENCY) as api:
            bot = api.bot(TOKEN, "hoctap_bot")
            process = contestant.open(Path(folder), api.url, seeded)
            story = Story(contestant, api, bot, process, random.Random(20261122), ends, graceful)
            try:
                async with asyncio.timeout(STORY_WITHIN):
                    await story.play()
            finally:
                with suppress(ProcessLookupError):  # it ended by itself
                    process.kill()
            return story.tally()


def measure() -> Bar:
    """The bar ``loss``: acknowledged answers that the product loses."""
    rows, lost = [HEAD], 0
    with tempfile.TemporaryDirectory() as folder:
        seeded = Path(folder) / "seeded.sqlite"
        seed(seeded)
        for graceful, ends in ((False, KILLS), (True, STOPS)):
            for contestant in CONTESTANTS:
                tally = asyncio.run(_play(contestant, seeded, ends, graceful))
                rows.append(tally.row(contestant.name, f"{'SIGTERM' if graceful else 'SIGKILL'} x{ends}"))
                print(f"    {rows[-1]}", file=sys.stderr, flush=True)
                if not contestant.plain:
                    lost += tally.lost
    return Bar("loss", lost, 0, False, rows)
