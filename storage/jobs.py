"""Jobs: what takes longer than a turn may (a chart, an export). A row until done, so that a restart goes on with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import numbering
from storage.base import BigId, Connection, Prepared, UtcTime, table_of
from storage.numbering import Next

MOST_ATTEMPTS = 3
AT_ONCE = 10  # taken from the table, before it is looked at again


class Job(SQLModel, table=True):
    """A piece of work for a contact; its end is a signal to that contact."""

    __tablename__ = "jobs"
    __table_args__ = (sa.CheckConstraint("outcome in ('waiting', 'done', 'failed')", name="outcome"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    kind: str = Field(max_length=24)
    params: str = Field(sa_type=sa.Text)
    account: str = Field(max_length=64)
    address: str = Field(max_length=128)
    contact_id: int = Field(sa_type=BigId, index=True)
    attempts: int = 0
    outcome: str = Field(default="waiting", max_length=8, index=True)
    made_at: datetime = Field(sa_type=UtcTime)


jobs = table_of(Job)


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as found."""

    id: int
    kind: str
    params: dict[str, Any]
    account: str
    address: str
    contact_id: int
    attempts: int


_PUT = Prepared(
    sa.insert(jobs)
    .values(
        id=Next("jobs"),
        kind=sa.bindparam("sort"),
        params=sa.bindparam("given"),
        account=sa.bindparam("account"),
        address=sa.bindparam("address"),
        contact_id=sa.bindparam("contact"),
        attempts=0,
        outcome="waiting",
        made_at=sa.bindparam("now"),
    )
    .returning(jobs.c.id)
)
_SAME = Prepared(
    sa.select(jobs.c.id)
    .where(
        jobs.c.contact_id == sa.bindparam("contact"),
        jobs.c.outcome == "waiting",
        jobs.c.kind == sa.bindparam("sort"),
        jobs.c.params == sa.bindparam("given"),
    )
    .limit(1)
)
# The first of each contact, then the second of each: one who asks for twenty does not hold up the others.
_TURN = sa.func.row_number().over(partition_by=jobs.c.contact_id, order_by=jobs.c.id)
_WAITING = Prepared(
    sa.select(jobs.c.id, jobs.c.kind, jobs.c.params, jobs.c.account, jobs.c.address, jobs.c.contact_id, jobs.c.attempts)
    .where(jobs.c.outcome == "waiting")
    .order_by(_TURN, jobs.c.id)
    .limit(AT_ONCE)
)
_SETTLE = Prepared(
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("job"))
    .values(outcome=sa.bindparam("result"), attempts=jobs.c.attempts + 1)
)
_FORGET = Prepared(sa.delete(jobs).where(jobs.c.contact_id == sa.bindparam("contact")))
_PURGE = Prepared(sa.delete(jobs).where(jobs.c.outcome != "waiting", jobs.c.made_at < sa.bindparam("before")))


def put(
    conn: Connection, kind: str, params: dict[str, Any], *, account: str, address: str, contact_id: int, now: datetime
) -> int:
    """Ask for a piece of work; the job's id."""
    found: int = _PUT.value(
        conn, sort=kind, given=json.dumps(params), account=account, address=address, contact=contact_id, now=now
    )
    return found


def put_once(
    conn: Connection, kind: str, params: dict[str, Any], *, account: str, address: str, contact_id: int, now: datetime
) -> None:
    """As :func:`put`, unless the very same is waiting for this contact already."""
    if _SAME.first(conn, contact=contact_id, sort=kind, given=json.dumps(params)) is None:
        put(conn, kind, params, account=account, address=address, contact_id=contact_id, now=now)


def waiting(conn: Connection) -> list[JobRow]:
    """Jobs to do, at most :data:`AT_ONCE`: of each contact the oldest first, and the contacts take turns."""
    return [
        JobRow(row.id, row.kind, json.loads(row.params), row.account, row.address, row.contact_id, row.attempts)
        for row in _WAITING.all(conn)
    ]


def settle(conn: Connection, job: JobRow, done: bool) -> None:
    """The job ended; one that failed is tried again, three times in all."""
    result = "done" if done else ("failed" if job.attempts + 1 >= MOST_ATTEMPTS else "waiting")
    _SETTLE.run(conn, job=job.id, result=result)


def forget(conn: Connection, contact_id: int) -> None:
    """The contact is going."""
    numbering.remember(conn, "jobs")
    _FORGET.run(conn, contact=contact_id)


def purge(conn: Connection, before: datetime) -> int:
    """Forget jobs that ended before a moment."""
    numbering.remember(conn, "jobs")
    return _PURGE.run(conn, before=before)
