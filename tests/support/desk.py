"""An officers' desk: a database with a few units and officers, and the clockwork of summaries over it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from bot.schedules import Means, step
from dialogs.model import Screen, decode_screen
from locales import Voice
from reports.model import Chart
from reports.schedules import Schedule
from storage import (
    codes,
    conversations,
    counters,
    officers,
    outbox,
    people,
    reach,
    recipients,
    units,
)
from storage.base import Connection
from storage.engine import metadata, reading, writing

SUNDAY = datetime(2026, 10, 4, 2, 0, tzinfo=UTC)  # 9:00 in Vietnam
MONDAY = datetime(2026, 10, 5, 0, 0, tzinfo=UTC)  # 7:00 in Vietnam
WEEKLY = Schedule("weekly", "0 7 * * MON", "summary", ("supervisor",), "province")
MORNING = Schedule("morning", "0 7 * * *", "waiting", ("reviewer",), "any")


@dataclass
class Desk:
    """A database with officers, and the clockwork over it."""

    engine: Engine
    schedules: tuple[Schedule, ...] = (WEEKLY,)
    drawn: list[tuple[str, str]] = field(default_factory=list)
    dies: Callable[[], None] = lambda: None
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def officer(
        self, *roles: tuple[str, str], name: str = "Hoa", language: str = "vi", reachable: bool = True
    ) -> tuple[int, str]:
        """An officer with (unit code, role) pairs and a chat: their number and address."""
        address = f"chat-{next(self.numbers)}"
        with writing(self.engine) as conn:
            contact = people.meet(conn, "test", address, SUNDAY)
            conversations.begin_chat(conn, contact, "{}", language, SUNDAY)
            number = 0
            for code, role in roles:
                unit = units.by_code(conn, code)
                assert unit is not None
                invite = officers.open_invite(
                    conn, codes.secret_hash(officers.invite(conn, unit.id, role, SUNDAY, "test", name)), SUNDAY
                )
                number = officers.accept(conn, invite, contact, name, SUNDAY)
            if not reachable:
                reach.lost(conn, "test", address, "gone", SUNDAY)
        return number, address

    def means(self) -> Means:
        async def run(job: Callable[[Connection], Any]) -> Any:
            self.dies()
            with writing(self.engine) as conn:
                return job(conn)

        async def read(job: Callable[[Connection], Any]) -> Any:
            with reading(self.engine) as conn:
                return job(conn)

        async def draw(what: Chart, voice: Voice) -> bytes:
            self.drawn.append((what.name, voice.language))
            return b"png"

        async def keep(data: bytes) -> str:
            return "f" * 64

        return Means(run, read, draw, keep, self.schedules)

    def steps(self, now: datetime) -> int:
        return asyncio.run(step(self.means(), now))

    def told(self, address: str, now: datetime | None = None) -> list[Screen]:
        """What waits for an address (and is due by *now*)."""
        with reading(self.engine) as conn:
            rows = outbox.waiting_for(conn, "test", address, now or datetime(2030, 1, 1, tzinfo=UTC))
        return [decode_screen(row.body) for row in rows]

    def sends(self, outcome: str = "sent", reason: str | None = None) -> None:
        """Everything in the outbox goes out."""
        with writing(self.engine) as conn:
            for row in outbox.pushes_due(conn, "test", datetime(2030, 1, 1, tzinfo=UTC), 10_000):
                outbox.settle(conn, row.id, outcome, reason)

    def runs(self) -> list[tuple[str, datetime, bool, bool]]:
        """(schedule, due, late, ended) of every run in the order of their time."""
        with reading(self.engine) as conn:
            return [
                (each.run.schedule, each.run.due_at, each.run.late, each.run.ended_at is not None)
                for each in reversed(recipients.log(conn, most=100))
            ]

    def counts(self) -> dict[str, int]:
        """Of the newest run that began: outcome → how many."""
        with reading(self.engine) as conn:
            return next(each.counts for each in recipients.log(conn, most=100) if each.run.begun_at is not None)

    def registers(self, code: str, n: int = 3, status: str = "submitted", year: int = 2026) -> None:
        """People in the counts of a unit."""
        with writing(self.engine) as conn:
            unit = units.by_code(conn, code)
            assert unit is not None
            for _n in range(n):
                number = next(self.numbers)
                for before, after in ((None, "registered"), ("registered", status)):
                    counters.shift(
                        conn, assessment_id=number, unit_id=unit.id, year=year, subject_group="nong_dan",
                        before=before, after=after, why="test", now=SUNDAY,
                    )  # fmt: skip


def waits(desk: Desk, n: int, unit: int = 3, since: datetime = SUNDAY) -> None:
    """Dossiers that wait in Hồng Gai (another unit: its row id)."""
    with writing(desk.engine) as conn:
        for _n in range(n):
            number = next(desk.numbers)
            conn.execute(
                sa.insert(metadata.tables["people"]).values(
                    id=number, unit_id=unit, name="Lan", birth_year=1960, form="ong_ba", subject_group="nong_dan",
                    joined_at=SUNDAY,
                )
            )  # fmt: skip
            conn.execute(
                sa.insert(metadata.tables["assessments"]).values(
                    id=number, code=f"HS-2026-{number:05}", person_id=number, year=2026, unit_id=unit,
                    subject_group="nong_dan", criteria_id="cdht", criteria_version="1", status="submitted", version=1,
                    registered_at=since, submitted_at=since,
                )
            )  # fmt: skip


class Death(BaseException):
    """SIGKILL, as far as a test can have it in its own process."""
