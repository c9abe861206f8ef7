"""Nudges (lời nhắc): an officer reminds the officers of a unit below, once a day, and hears who has read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import audit
from storage.base import BigId, Connection, Prepared, UtcTime, table_of
from storage.conversations import Reach, conversations
from storage.officers import officer_contacts, officer_roles
from storage.people import contacts
from storage.seasons import today


class Nudge(SQLModel, table=True):
    """An officer's reminder to the officers of a unit; one a day (in Vietnam), unit and sender."""

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


@dataclass(frozen=True, slots=True)
class NudgeRow:
    """A nudge as found."""

    id: int
    unit_id: int
    officer_id: int
    at: datetime


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
_READERS = Prepared(
    sa.select(
        officer_contacts.c.officer_id, contacts.c.id, contacts.c.account, contacts.c.address, conversations.c.language
    )
    .select_from(
        officer_roles.join(officer_contacts, officer_contacts.c.officer_id == officer_roles.c.officer_id)
        .join(contacts, contacts.c.id == officer_contacts.c.contact_id)
        .join(conversations, conversations.c.contact_id == contacts.c.id)
    )
    .where(officer_roles.c.unit_id == sa.bindparam("unit"), officer_roles.c.until.is_(None), contacts.c.reachable)
    .order_by(officer_contacts.c.officer_id, conversations.c.used_at, contacts.c.id)
)


def readers(conn: Connection, unit_id: int) -> dict[int, Reach]:
    """The officers with a role on the unit itself, each with the reachable contact used last."""
    return {row.officer_id: Reach(*row[1:]) for row in _READERS.all(conn, unit=unit_id)}


def send(conn: Connection, unit_id: int, officer_id: int, now: datetime) -> int | None:
    """Note down a nudge; its id, ``None`` when this officer has nudged this unit today already."""
    day = today(now)
    if _THERE.first(conn, unit=unit_id, officer=officer_id, day=day) is not None:
        return None
    found: int = _PUT.value(conn, unit=unit_id, officer=officer_id, day=day, now=now)
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


def purge(conn: Connection, before: datetime) -> int:
    """Forget nudges sent before a moment, with their answers; how many."""
    return conn.execute(sa.delete(nudges).where(nudges.c.at < before)).rowcount
