"""Summaries that go up by themselves (lịch gửi báo cáo): their planned runs, and what an officer wants of them.

A run is a row before it is due, so that one missed by a server that was down still happens, once. Who gets it is in
:mod:`storage.recipients`, what it says in :mod:`storage.summary_pages`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of


class SummaryRun(SQLModel, table=True):
    """A schedule's run: due at a moment, begun (its recipients are written down), ended (none of them is open).
    ``cron`` and ``zone``: the line by which it was planned, which may have been changed since."""

    __tablename__ = "summary_runs"
    __table_args__ = (
        sa.UniqueConstraint("schedule", "due_at"),
        sa.Index(
            "ix_summary_runs_open",
            "due_at",
            sqlite_where=sa.text("ended_at is null"),
            postgresql_where=sa.text("ended_at is null"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    schedule: str = Field(max_length=32)
    due_at: datetime = Field(sa_type=UtcTime)
    late: bool = False
    planned_by: str = Field(default="system", max_length=32)
    begun_at: datetime | None = Field(default=None, sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)
    cron: str = Field(default="", sa_type=sa.Text, sa_column_kwargs={"server_default": ""})
    zone: str = Field(default="", max_length=64, sa_column_kwargs={"server_default": ""})


class SummaryWish(SQLModel, table=True):
    """What an officer wants of a schedule: paused, or at an own time of day (``minute`` after midnight)."""

    __tablename__ = "summary_wishes"
    __table_args__ = (sa.CheckConstraint("minute between 0 and 1439", name="minute"),)
    officer_id: int = Field(primary_key=True, foreign_key="officers.id")
    schedule: str = Field(primary_key=True, max_length=32)
    paused: bool = False
    minute: int | None = None
    changed_at: datetime = Field(sa_type=UtcTime)


runs = table_of(SummaryRun)
wishes = table_of(SummaryWish)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run. Moments are in UTC; ``cron`` and ``zone`` are empty where nobody planned it by a line."""

    id: int
    schedule: str
    due_at: datetime
    late: bool
    planned_by: str
    begun_at: datetime | None
    ended_at: datetime | None
    cron: str
    zone: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A run that is to come, and the line (five fields of cron, zone) that says so."""

    schedule: str
    due_at: datetime
    cron: str
    zone: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What an officer wants of a schedule; ``minute`` after midnight, ``None``: the schedule's own time."""

    paused: bool = False
    minute: int | None = None


# ------------------------------------------------------------------------------------------ planning

RUN = tuple(runs.c[name] for name in RunRow.__slots__)
_OPEN = Prepared(sa.select(*RUN).where(runs.c.ended_at.is_(None)).order_by(runs.c.due_at, runs.c.id))
_OPEN_LOCKED = Prepared(
    sa.select(*RUN).where(runs.c.ended_at.is_(None)).order_by(runs.c.due_at, runs.c.id).with_for_update()
)
_RUN_AT = Prepared(sa.select(*RUN).where(runs.c.schedule == sa.bindparam("named"), runs.c.due_at == sa.bindparam("at")))
_PUT_RUN = Prepared(
    sa.insert(runs)
    .values(
        schedule=sa.bindparam("named"),
        due_at=sa.bindparam("at"),
        late=False,
        planned_by=sa.bindparam("by"),
        cron=sa.bindparam("line"),
        zone=sa.bindparam("in_zone"),
    )
    .returning(runs.c.id)
)
_UNPLAN = Prepared(sa.delete(runs).where(runs.c.id == sa.bindparam("run"), runs.c.begun_at.is_(None)))
_REPLAN = Prepared(
    sa.update(runs)
    .where(runs.c.id == sa.bindparam("run"))
    .values(cron=sa.bindparam("line"), zone=sa.bindparam("in_zone"))
)


def open_runs(conn: Connection) -> list[RunRow]:
    """Runs that have not ended, in the order of their time: planned ones, and those under way."""
    return [RunRow(*row) for row in _OPEN.all(conn)]


def to_come(open_of: Collection[RunRow], now: datetime) -> set[Planned]:
    """Those of the open runs that are due later than *now*, as they were planned."""
    return {Planned(each.schedule, each.due_at, each.cron, each.zone) for each in open_of if each.due_at > now}


def plan(conn: Connection, wanted: Collection[Planned], now: datetime) -> None:
    """What is to come is what is *wanted* (due later than *now*), and nothing else. What was planned and is due by now
    stays as it was planned, unless its schedule is no more: it was missed, and happens late."""
    known = lock_open(conn)
    lines = {(each.schedule, each.due_at): each for each in wanted}
    names = {each.schedule for each in wanted}
    for run in known:
        kept = (run.schedule, run.due_at) in lines if run.due_at > now else run.schedule in names
        if run.begun_at is not None or run.planned_by != "system":
            continue
        if not kept:
            _UNPLAN.run(conn, run=run.id)
        elif run.due_at > now:
            line = lines[run.schedule, run.due_at]
            if (run.cron, run.zone) != (line.cron, line.zone):
                _REPLAN.run(conn, run=run.id, line=line.cron, in_zone=line.zone)
    there = {(run.schedule, run.due_at) for run in known}
    for name, due in sorted(lines.keys() - there):
        if _RUN_AT.first(conn, named=name, at=due) is None:
            line = lines[name, due]
            _PUT_RUN.value(conn, named=name, at=due, by="system", line=line.cron, in_zone=line.zone)


def plan_too(conn: Connection, wanted: Planned) -> None:
    """A run that is to come besides those planned, if it is not among them: a step of the clockwork that is still under
    way would plan it after its time."""
    lock_open(conn)
    if _RUN_AT.first(conn, named=wanted.schedule, at=wanted.due_at) is None:
        _PUT_RUN.value(
            conn, named=wanted.schedule, at=wanted.due_at, by="system", line=wanted.cron, in_zone=wanted.zone
        )


def lock_open(conn: Connection) -> list[RunRow]:
    """The open runs, theirs alone until the transaction ends: who plans, begins and puts out does so one at a time."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('summary_runs'))")
    return [RunRow(*row) for row in _OPEN_LOCKED.all(conn)]


def plan_now(conn: Connection, schedule: str, now: datetime, actor: str) -> int:
    """A run that somebody asked for, due at once; its id. Raises ``Refused("run_exists")`` for a second one within the
    same microsecond."""
    if _RUN_AT.first(conn, named=schedule, at=now) is not None:
        raise Refused("run_exists", schedule=schedule)
    found: int = _PUT_RUN.value(conn, named=schedule, at=now, by=actor, line="", in_zone="")
    return found


# ------------------------------------------------------------------------------------------ what officers want

_WISH = Prepared(
    sa.select(wishes.c.paused, wishes.c.minute).where(
        wishes.c.officer_id == sa.bindparam("officer"), wishes.c.schedule == sa.bindparam("named")
    )
)
_WISHES = Prepared(
    sa.select(wishes.c.officer_id, wishes.c.paused, wishes.c.minute).where(wishes.c.schedule == sa.bindparam("named"))
)
_OWN_TIMES = Prepared(
    sa.select(wishes.c.schedule, wishes.c.minute)
    .where(wishes.c.minute.is_not(None), wishes.c.paused.is_(False))
    .distinct()
)
_CHANGE_WISH = Prepared(
    sa.update(wishes)
    .where(wishes.c.officer_id == sa.bindparam("officer"), wishes.c.schedule == sa.bindparam("named"))
    .values(paused=sa.bindparam("pause"), minute=sa.bindparam("at_minute"), changed_at=sa.bindparam("now"))
)
_PUT_WISH = Prepared(
    sa.insert(wishes).values(
        officer_id=sa.bindparam("officer"),
        schedule=sa.bindparam("named"),
        paused=sa.bindparam("pause"),
        minute=sa.bindparam("at_minute"),
        changed_at=sa.bindparam("now"),
    )
)


def wish(conn: Connection, officer_id: int, schedule: str) -> Wish:
    """What an officer wants of a schedule."""
    row = _WISH.first(conn, officer=officer_id, named=schedule)
    return Wish() if row is None else Wish(bool(row.paused), row.minute)


def wishes_for(conn: Connection, schedule: str) -> dict[int, Wish]:
    """Officer → what they want of a schedule, where they said anything."""
    return {row.officer_id: Wish(bool(row.paused), row.minute) for row in _WISHES.all(conn, named=schedule)}


def own_times(conn: Connection) -> set[tuple[str, int]]:
    """(schedule, minute) of the own times that officers have chosen."""
    return {(row.schedule, row.minute) for row in _OWN_TIMES.all(conn)}


def set_wish(conn: Connection, officer_id: int, schedule: str, wanted: Wish, now: datetime) -> None:
    """What an officer wants from now on."""
    values = {"officer": officer_id, "named": schedule, "pause": wanted.paused, "at_minute": wanted.minute, "now": now}
    if _CHANGE_WISH.run(conn, **values) == 0:
        _PUT_WISH.run(conn, **values)
