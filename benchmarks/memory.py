"""Resident memory of a process after 200,000 turns against after 20,000: it must not grow with the turns taken.

The whole service on SQLite with its loops (notices, jobs, folding, tidying): citizens on the web from the link to the
receipt, each with an open page; officers who approve what comes, so that notices go out, and look at the figures, so
that charts are drawn. ``python -m benchmarks.memory FOLDER TURNS`` is that process.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from benchmarks.bars import Bar
from benchmarks.citizens import NOW, Citizen, database
from bot.pages import WEB_ACCOUNT
from bot.service import Parts, Service
from dialogs.model import WEB, Act, Incoming, Opened, Screen, Typed, decode_screen
from dialogs.states import Rules
from storage import codes, officers, units
from storage.engine import open_engine, writing
from storage.housekeeping import Keep

TURNS = int(os.environ.get("HOCTAP_BENCH_TURNS", "200000"))
PARTS = 10  # memory is read after each tenth of the turns
FLOOR = 1.1
PEOPLE = 24  # citizens at once
CHART_EVERY = 40  # decisions
ROOT = Path(__file__).resolve().parents[1]


class OnTheWeb(Citizen):
    """A citizen, or an officer, whose page is open."""

    account = WEB_ACCOUNT

    def __init__(self, service: Service) -> None:
        super().__init__(service.turns)
        self.service = service
        self.late = timedelta()

    async def does(self, act: Act) -> Screen:
        self.acts += 1
        at = NOW + self.late
        event, screen = f"{self.address}-{self.acts}", self.screen.number or None
        told = await self.service.pages.take(Incoming(WEB_ACCOUNT, event, self.address, act, at, screen, WEB))
        for each in told:
            self.screen = decode_screen(each.body)
        return self.screen


def _resident() -> float:
    """Megabytes of this process, without its children."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def _serves(folder: Path, turns: int) -> None:
    url = database(folder)
    engine = open_engine(url)
    with writing(engine) as conn:
        place = units.by_code(conn, "06685")
        assert place is not None
        invite = codes.payload(officers.invite(conn, place.id, "reviewer", NOW, "bench", "Trần Thị Hoa"))
    engine.dispose()
    service = Service(Parts(url, folder / "blobs", Rules(), Keep()))
    service.start()
    officer = OnTheWeb(service)
    await officer.does(Opened(invite))
    await officer.presses("accept")
    taken, heard, decided = officer.acts, 0, 0
    handed_in: asyncio.Queue[str] = asyncio.Queue()
    ended = False

    async def comes() -> None:
        nonlocal taken, heard
        while not ended:
            citizen = OnTheWeb(service)
            with service.pages.subscribe(citizen.address) as page:
                for stretch in (citizen.joins, citizen.answers, citizen.hands_in):
                    before = citizen.acts
                    await stretch()
                    taken += citizen.acts - before
                heard += page.qsize()
            text = citizen.screen.text
            handed_in.put_nowait(text[text.index("HS-") :][:13])

    async def decides() -> None:
        nonlocal taken, decided
        while True:
            code = await handed_in.get()
            officer.late += timedelta(milliseconds=1)
            before = officer.acts
            await officer.does(Typed(f"/duyet {code}"))
            await officer.presses("approve")
            if decided % CHART_EVERY == 0:
                await officer.does(Typed("/baocao"))
            taken += officer.acts - before
            decided += 1

    with ExitStack() as stack:
        page = stack.enter_context(service.pages.subscribe(officer.address))
        async with asyncio.TaskGroup() as group:
            people = [group.create_task(comes()) for _n in range(PEOPLE)]
            desk = group.create_task(decides())
            for part in range(1, PARTS + 1):
                while taken < turns * part // PARTS:  # noqa: ASYNC110 - read ten times in all
                    await asyncio.sleep(0.05)
                while not page.empty():
                    page.get_nowait()
                print(json.dumps([taken, _resident(), heard, decided]), flush=True)
            ended = True
            await asyncio.gather(*people)
            desk.cancel()
    await service.stop()


def measure() -> Bar:
    """The bar ``memory``."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.memory", folder, str(TURNS)]
        said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
        size = (Path(folder) / "bench.sqlite").stat().st_size / 1e6
    steps = [json.loads(line) for line in said.splitlines()]
    (_turns, _megabytes, heard, decided), took = steps[-1], time.perf_counter() - began
    return Bar(
        "memory",
        steps[-1][1] / steps[0][1],
        FLOOR,
        False,
        [
            ", ".join(f"{turns // 1000},{turns % 1000:03} turns {megabytes:.0f} MB" for turns, megabytes, *_ in steps),
            f"{heard} lines shown on open pages, {decided} dossiers approved; the database grew to {size:.0f} MB;"
            f" {steps[-1][0] / took:.0f} turns/s",
        ],
    )


if __name__ == "__main__":
    asyncio.run(_serves(Path(sys.argv[1]), int(sys.argv[2])))
