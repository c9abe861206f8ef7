"""What ``hoctap doctor`` and the metrics ask of the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from storage.audit import audit
from storage.base import Connection, UtcTime
from storage.deletions import deletions
from storage.events import failed_events
from storage.evidence import arrivals
from storage.inbox import inbox
from storage.jobs import jobs
from storage.outbox import ANSWER, outbox
from storage.people import people
from storage.privacy import privacy_requests


def units_with_people(conn: Connection) -> list[int]:
    """Row ids of the units that somebody has joined."""
    return list(conn.execute(sa.select(people.c.unit_id).distinct().order_by(people.c.unit_id)).scalars())


def newest(conn: Connection) -> datetime | None:
    """The moment of the newest deed on record; a clock that is behind it is wrong."""
    found: datetime | None = conn.execute(sa.select(sa.func.max(audit.c.at, type_=audit.c.at.type))).scalar()
    return found


# ------------------------------------------------------------------------------------------ for the metrics


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits and is due: how many rows, for how many seconds the oldest."""

    rows: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """What waits in the outbox of an account: ``kind`` is ``answer`` or ``push``."""

    account: str
    kind: str
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands at this moment. ``failed`` events that nobody replayed; ``requests`` about personal data that are
    open, ``overdue`` of these."""

    outbox: tuple[Line, ...]
    inbox: Queue
    arrivals: Queue
    jobs: Queue
    deletions: Queue
    failed: int
    requests: int
    overdue: int


def standing(conn: Connection, now: datetime) -> Standing:
    """Count what waits; every count is by an index on what waits, or of a table that is short."""
    return Standing(
        tuple(_lines(conn, now)),
        _queue(conn, now, inbox.c.at),
        _queue(conn, now, arrivals.c.not_before, arrivals.c.not_before <= now),
        _queue(conn, now, jobs.c.made_at, jobs.c.outcome == "waiting"),
        _queue(conn, now, deletions.c.not_before, deletions.c.not_before <= now),
        _count(conn, failed_events, failed_events.c.replayed_at.is_(None)),
        _count(conn, privacy_requests, privacy_requests.c.done_at.is_(None)),
        _count(conn, privacy_requests, privacy_requests.c.done_at.is_(None), privacy_requests.c.due_by < now),
    )


def _lines(conn: Connection, now: datetime) -> Iterator[Line]:
    answer = (outbox.c.priority == ANSWER).label("answer")
    query = (
        sa.select(outbox.c.account, answer, sa.func.count(), sa.func.min(outbox.c.not_before, type_=UtcTime))
        # A literal, or the index on what waits is not taken. Farewells, of no contact any more, may stay for a while.
        .where(
            outbox.c.outcome == sa.literal_column("'waiting'"),
            outbox.c.not_before <= now,
            outbox.c.contact_id.is_not(None),
        )
        .group_by(outbox.c.account, answer)
        .order_by(outbox.c.account, answer)
    )
    for account, is_answer, rows, oldest in conn.execute(query):
        yield Line(account, "answer" if is_answer else "push", rows, _age(oldest, now))


def _queue(conn: Connection, now: datetime, since: sa.ColumnElement[datetime], *where: sa.ColumnElement[bool]) -> Queue:
    rows, oldest = conn.execute(sa.select(sa.func.count(), sa.func.min(since, type_=UtcTime)).where(*where)).one()
    return Queue(rows, _age(oldest, now))


def _age(oldest: datetime | None, now: datetime) -> float:
    return max(0.0, (now - oldest).total_seconds()) if oldest is not None else 0.0


def _count(conn: Connection, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    return int(conn.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one())
