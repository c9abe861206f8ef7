"""Reminders (nhắc việc) to citizens who stopped half-way, and the wish not to be written to unasked.

Two in a season at most: three days after they stopped, and ten. Nobody is reminded outside the window in which they
could go on, nor one who cannot be reached or has asked not to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlmodel import Field, SQLModel

from storage import audit, seasons
from storage.assessments import answers, assessments
from storage.base import BigId, Connection, Prepared, UtcTime, table_of
from storage.conversations import conversations
from storage.counters import ledger
from storage.outbox import BULK, outbox
from storage.people import contacts
from storage.seasons import ZONE, Windows
from storage.units import Unit

AFTER = (timedelta(days=3), timedelta(days=10))  # since they stopped: the first reminder, the second
BLOCK = 2_000  # row ids looked at together
FIRST_HOUR, LAST_MINUTE = 7, 20 * 60 + 30  # in Vietnam; what is put out at half past eight is read before nine
TOPIC = "reminder"
STOPPED = ("registered", "draft", "returned")


class Reminder(SQLModel, table=True):
    """How often a person was reminded in a season, and when last."""

    __tablename__ = "reminders"
    __table_args__ = (sa.CheckConstraint("sent between 1 and 2", name="sent"), {"sqlite_with_rowid": False})
    person_id: int = Field(primary_key=True, foreign_key="people.id", sa_type=BigId)
    year: int = Field(primary_key=True)
    sent: int
    last_at: datetime = Field(sa_type=UtcTime)


class Unasked(SQLModel, table=True):
    """A person who wants nothing unasked (xin đừng nhắc): no reminders, no announcements; results are still told."""

    __tablename__ = "unasked_stops"
    __table_args__ = ({"sqlite_with_rowid": False},)
    person_id: int = Field(primary_key=True, foreign_key="people.id", sa_type=BigId)
    at: datetime = Field(sa_type=UtcTime)


reminders = table_of(Reminder)
stops = table_of(Unasked)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class Due:
    """Somebody to remind: of which form, in which status, how many of its questions they have answered, how often they
    were reminded before."""

    assessment_id: int
    person_id: int
    year: int
    status: str
    unit_id: int
    answered: int
    sent: int


def is_night(now: datetime) -> bool:
    """Is it too late, or too early, to write to anybody in Vietnam unasked? From 20:30 to 7:00."""
    there = now.astimezone(ZONE)
    return there.hour < FIRST_HOUR or there.hour * 60 + there.minute >= LAST_MINUTE


def morning_after(now: datetime) -> datetime:
    """The next moment at which anybody may be written to unasked."""
    if not is_night(now):
        return now
    there = now.astimezone(ZONE)
    day = there.date() + timedelta(days=1 if there.hour >= FIRST_HOUR else 0)
    return datetime(day.year, day.month, day.day, FIRST_HOUR, tzinfo=ZONE)


# ------------------------------------------------------------------------------------------ who

_told_at = (
    sa.select(sa.func.max(ledger.c.at))
    .where(ledger.c.assessment_id == assessments.c.id)
    .correlate(assessments)
    .scalar_subquery()
)
_used_at = (
    sa.select(sa.func.max(conversations.c.used_at))
    .where(conversations.c.person_id == assessments.c.person_id)
    .correlate(assessments)
    .scalar_subquery()
)
_answered = (
    sa.select(sa.func.count())
    .where(answers.c.assessment_id == assessments.c.id)
    .correlate(assessments)
    .scalar_subquery()
)
_reachable = sa.exists(
    sa.select(conversations.c.contact_id)
    .join(contacts, contacts.c.id == conversations.c.contact_id)
    .where(conversations.c.person_id == assessments.c.person_id, contacts.c.reachable)
)
_COLUMNS = (
    assessments.c.id,
    assessments.c.person_id,
    assessments.c.year,
    assessments.c.status,
    assessments.c.unit_id,
    _answered.label("answered"),
    sa.func.coalesce(reminders.c.sent, 0).label("sent"),
    units.c.path,
    sa.type_coerce(_told_at, UtcTime()).label("told_at"),
    sa.type_coerce(_used_at, UtcTime()).label("used_at"),
    reminders.c.last_at,
)
_STOPPED = (
    sa.select(*_COLUMNS)
    .select_from(
        assessments.join(units, units.c.id == assessments.c.unit_id)
        .outerjoin(
            reminders,
            sa.and_(reminders.c.person_id == assessments.c.person_id, reminders.c.year == assessments.c.year),
        )
        .outerjoin(stops, stops.c.person_id == assessments.c.person_id)
    )
    .where(
        assessments.c.year.in_(sa.bindparam("years", expanding=True)),
        assessments.c.status.in_([sa.literal_column(f"'{status}'") for status in STOPPED]),
        assessments.c.handed_in_at.is_(None),
        sa.func.coalesce(reminders.c.sent, 0) < len(AFTER),
        stops.c.person_id.is_(None),
        _reachable,
    )
)
_IN_BLOCK = _STOPPED.where(assessments.c.id > sa.bindparam("low"), assessments.c.id <= sa.bindparam("high"))
_ONE = _STOPPED.where(assessments.c.id == sa.bindparam("low"))
_LAST = Prepared(sa.select(sa.func.max(assessments.c.id)))


_OPEN_YEARS = Prepared(
    sa.select(seasons.seasons.c.year)
    .where(
        seasons.seasons.c.assessment_from <= sa.bindparam("day", type_=sa.Date),
        sa.or_(
            seasons.seasons.c.assessment_to >= sa.bindparam("day", type_=sa.Date),
            seasons.seasons.c.decision_to >= sa.bindparam("day", type_=sa.Date),
        ),
    )
    .distinct()
)


def years(conn: Connection, now: datetime) -> list[int]:
    """The years whose forms may still be gone on with somewhere, the newest first: this one, and any whose windows
    reach over New Year."""
    today = seasons.today(now)
    return sorted({today.year, *(row.year for row in _OPEN_YEARS.all(conn, day=today))}, reverse=True)


def due(conn: Connection, now: datetime, after: int = 0) -> tuple[list[Due], int]:
    """Who is to be reminded now, among the next :data:`BLOCK` forms after a row id; and the row id to go on from (0:
    that was the last of them). Nobody at night. Reads only; each is to be asked for again (:func:`still_due`)."""
    if is_night(now):
        return [], 0
    seen: dict[tuple[int, str], Windows] = {}
    found = [
        each
        for row in conn.execute(_IN_BLOCK, {"years": years(conn, now), "low": after, "high": after + BLOCK})
        if (each := _judged(conn, row, now, seen)) is not None
    ]
    last = _LAST.value(conn) or 0
    return found, after + BLOCK if after + BLOCK < last else 0


def still_due(conn: Connection, assessment_id: int, now: datetime) -> Due | None:
    """The same of one form, as it is now."""
    if is_night(now):
        return None
    row = conn.execute(_ONE, {"years": years(conn, now), "low": assessment_id}).first()
    return None if row is None else _judged(conn, row, now, {})


def _judged(conn: Connection, row: Any, now: datetime, seen: dict[tuple[int, str], Windows]) -> Due | None:
    place = row.year, "/".join(row.path.split("/")[:2])
    season = seen.get(place)
    if season is None:
        season = seen[place] = seasons.windows_at(conn, row.year, row.path)
    today = seasons.today(now)
    mends = row.status == "returned" and season.decision_open(today)
    if not (season.assessment_open(today) or mends):
        return None
    opened = datetime(*season.assessment_from.timetuple()[:3], tzinfo=ZONE)
    stopped = max(moment for moment in (opened, row.told_at, row.used_at) if moment is not None)
    if now - stopped < AFTER[row.sent]:
        return None
    if row.sent and now - row.last_at < AFTER[1] - AFTER[0]:
        return None
    return Due(row.id, row.person_id, row.year, row.status, row.unit_id, row.answered, row.sent)


# ------------------------------------------------------------------------------------------ what was said

_AGAIN = Prepared(
    sa.update(reminders)
    .where(
        reminders.c.person_id == sa.bindparam("person"),
        reminders.c.year == sa.bindparam("of"),
        reminders.c.sent == sa.bindparam("before"),
    )
    .values(sent=reminders.c.sent + 1, last_at=sa.bindparam("now"))
)
_ROW = {
    "person_id": sa.bindparam("person"),
    "year": sa.bindparam("of"),
    "sent": 1,
    "last_at": sa.bindparam("now"),
}
_FIRST = Prepared(pg_insert(reminders).values(_ROW).on_conflict_do_nothing())  # SQLite reads it alike
_OF_PERSON = Prepared(
    sa.select(reminders.c.year, reminders.c.sent, reminders.c.last_at)
    .where(reminders.c.person_id == sa.bindparam("person"))
    .order_by(reminders.c.year)
)


def note(conn: Connection, each: Due, now: datetime) -> bool:
    """The person is being reminded now, in this transaction; ``False`` where another process was quicker."""
    if each.sent:
        return _AGAIN.run(conn, person=each.person_id, of=each.year, before=each.sent, now=now) == 1
    return _FIRST.run(conn, person=each.person_id, of=each.year, now=now) == 1


def of_person(conn: Connection, person_id: int) -> list[tuple[int, int, datetime]]:
    """How often a person was reminded: (year, how often, last when)."""
    return [tuple(row) for row in _OF_PERSON.all(conn, person=person_id)]


def topic(person_id: int) -> str:
    """The outbox topic of what is said to a person unasked."""
    return f"{TOPIC}:{person_id}"


_UNASKED = (
    outbox.c.outcome == "waiting",
    outbox.c.priority == sa.literal_column(str(BULK)),
    # Also what was put off for minutes only: its time may come before the night is looked at again.
    outbox.c.not_before < sa.bindparam("until"),
    sa.or_(outbox.c.topic.like(f"{TOPIC}:%"), outbox.c.topic.like("announcement:%")),
)
_LOUD = Prepared(sa.select(outbox.c.id).where(*_UNASKED).limit(1))
_HUSH = Prepared(sa.update(outbox).where(*_UNASKED).values(not_before=sa.bindparam("until")))


def loud(conn: Connection, now: datetime) -> bool:
    """Is it night, and would something be said unasked all the same?"""
    return is_night(now) and _LOUD.first(conn, until=morning_after(now)) is not None


def hush(conn: Connection, now: datetime) -> int:
    """What waits to be said unasked, and could not leave by the evening, waits for the morning; how many messages."""
    return _HUSH.run(conn, until=morning_after(now)) if is_night(now) else 0


# ------------------------------------------------------------------------------------------ not unasked

_STOP = Prepared(
    pg_insert(stops).values(person_id=sa.bindparam("person"), at=sa.bindparam("now")).on_conflict_do_nothing()
)
_ALLOW = Prepared(sa.delete(stops).where(stops.c.person_id == sa.bindparam("person")))
_SINCE = Prepared(sa.select(stops.c.at).where(stops.c.person_id == sa.bindparam("person")))


def stop(conn: Connection, person_id: int, now: datetime) -> None:
    """The person wants nothing unasked any more; asked twice, the first time stands."""
    if _STOP.run(conn, person=person_id, now=now):
        audit.write(conn, f"person:{person_id}", "person.stop_reminders", f"person:{person_id}", now)


def allow(conn: Connection, person_id: int, now: datetime) -> None:
    """The person may be reminded again."""
    if _ALLOW.run(conn, person=person_id):
        audit.write(conn, f"person:{person_id}", "person.allow_reminders", f"person:{person_id}", now)


def stopped_since(conn: Connection, person_id: int) -> datetime | None:
    """Since when the person has wanted nothing unasked; ``None``: they may be written to."""
    found: datetime | None = _SINCE.value(conn, person=person_id)
    return found
