"""Nudges (lời nhắc): an officer reminds the officers of a unit below, once a day, and hears who has read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import audit
from storage.base import BigId, Connection, Prepared, UtcTime, table_of
from storage.officers import officer_roles
from storage.reminders import morning_after
from storage.seasons import today
from storage.units import Unit

MOST_A_DAY = 2  # that one unit gets, whoever sends them


class Nudge(SQLModel, table=True):
    """An officer's reminder to the officers of a unit; one a day (in Vietnam), unit and sender. ``on_day``: when it is
    read, so that one written at night is the next day's."""

    __tablename__ = "nudges"
    __table_args__ = (sa.UniqueConstraint("unit_id", "officer_id", "on_day"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    unit_id: int = Field(foreign_key="units.id")
    officer_id: int = Field(foreign_key="officers.id", index=True)
    on_day: date
    at: datetime = Field(sa_type=UtcTime, index=True)


class NudgeAnswer(SQLModel, table=True):
    """An officer has read a nudge ("đã rõ")."""

    __tablename__ = "nudge_answers"
    nudge_id: int = Field(primary_key=True, foreign_key="nudges.id", ondelete="CASCADE", sa_type=BigId)
    officer_id: int = Field(primary_key=True, foreign_key="officers.id")
    at: datetime = Field(sa_type=UtcTime)


nudges = table_of(Nudge)
answers = table_of(NudgeAnswer)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class NudgeRow:
    """A nudge as found."""

    id: int
    unit_id: int
    officer_id: int
    at: datetime


_LOCK = Prepared(sa.select(units.c.id).where(units.c.id == sa.bindparam("unit")).with_for_update(key_share=True))
_THERE = Prepared(
    sa.select(nudges.c.id).where(
        nudges.c.unit_id == sa.bindparam("unit"),
        nudges.c.officer_id == sa.bindparam("officer"),
        nudges.c.on_day == sa.bindparam("day", type_=sa.Date),
    )
)
_PUT = Prepared(
    sa.insert(nudges)
    .values(
        unit_id=sa.bindparam("unit"), officer_id=sa.bindparam("officer"), on_day=sa.bindparam("day"),
        at=sa.bindparam("now"),
    )
    .returning(nudges.c.id)
)  # fmt: skip
_OF = Prepared(
    sa.select(nudges.c.id, nudges.c.unit_id, nudges.c.officer_id, nudges.c.at).where(
        nudges.c.id == sa.bindparam("nudge")
    )
)
_NOTED = Prepared(
    sa.select(answers.c.at).where(
        answers.c.nudge_id == sa.bindparam("nudge"), answers.c.officer_id == sa.bindparam("officer")
    )
)
_NOTE = Prepared(
    sa.insert(answers).values(
        nudge_id=sa.bindparam("nudge"), officer_id=sa.bindparam("officer"), at=sa.bindparam("now")
    )
)
_COUNT = Prepared(
    sa.select(sa.func.count()).where(
        nudges.c.unit_id == sa.bindparam("unit"), nudges.c.on_day == sa.bindparam("day", type_=sa.Date)
    )
)
_LED = Prepared(
    sa.select(units.c.id).where(
        units.c.parent_id == sa.bindparam("parent"),
        units.c.id.in_(sa.select(officer_roles.c.unit_id).where(officer_roles.c.until.is_(None))),
    )
)


def with_officers(conn: Connection, parent_id: int) -> set[int]:
    """The units directly below one that have an officer of their own: somebody there can be reminded."""
    return {row.id for row in _LED.all(conn, parent=parent_id)}


def hindrance(conn: Connection, unit_id: int, officer_id: int, now: datetime) -> str:
    """Why this officer cannot nudge this unit now: ``before`` (they did today), ``enough`` (:data:`MOST_A_DAY` from
    whomever today); ``""``: they can. Today is the day on which it would be read. Nobody else nudges the unit until
    the transaction ends."""
    day = _day(now)
    _LOCK.first(conn, unit=unit_id)  # two at once: the second one sees what the first has sent
    if _THERE.first(conn, unit=unit_id, officer=officer_id, day=day) is not None:
        return "before"
    return "enough" if _COUNT.value(conn, unit=unit_id, day=day) >= MOST_A_DAY else ""


def _day(now: datetime) -> date:
    return today(morning_after(now))


def send(conn: Connection, unit_id: int, officer_id: int, now: datetime) -> int:
    """Note down a nudge that nothing hinders; its id."""
    found: int = _PUT.value(conn, unit=unit_id, officer=officer_id, day=_day(now), now=now)
    audit.write(conn, f"officer:{officer_id}", "nudge.send", f"unit:{unit_id}", now, unit_id, nudge=found)
    return found


def of(conn: Connection, nudge_id: int) -> NudgeRow | None:
    """A nudge by its number."""
    row = _OF.first(conn, nudge=nudge_id)
    return None if row is None else NudgeRow(*row)


def note(conn: Connection, nudge: NudgeRow, officer_id: int, now: datetime) -> bool:
    """The officer has read it; ``False`` when they have said so before."""
    if _NOTED.first(conn, nudge=nudge.id, officer=officer_id) is not None:
        return False
    _NOTE.run(conn, nudge=nudge.id, officer=officer_id, now=now)
    audit.write(conn, f"officer:{officer_id}", "nudge.noted", f"nudge:{nudge.id}", now, nudge.unit_id)
    return True


def purge(conn: Connection, before: datetime, most: int = 500) -> int:
    """Forget nudges sent before a moment, with their answers, at most so many at once; how many."""
    old = sa.select(nudges.c.id).where(nudges.c.at < before).order_by(nudges.c.id).limit(most)
    return conn.execute(sa.delete(nudges).where(nudges.c.id.in_(old))).rowcount
