"""Suggestions (góp ý): what a citizen or an officer writes to the officers of the unit and of the level above.

Officers read the text, the unit and the day, never who wrote it; the answer finds the way back by itself. A suggestion
belongs to whoever wrote it: it goes with them, and else some time after its last word (:func:`purge`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import announcements, audit, conversations, numbering, officers, seasons
from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of
from storage.conversations import Reach
from storage.officers import OfficerRow
from storage.people import people
from storage.units import Unit, UnitRow
from storage.units import by_id as unit_by_id

SHORTEST, LONGEST = 10, 1_000  # characters of a suggestion
LONGEST_ANSWER = 1_000
A_DAY = 3  # suggestions of one writer


class Suggestion(SQLModel, table=True):
    """One suggestion. ``above_id``: the unit above whose officers read it too, the nearest that had any;
    ``nth``: of its writer's on that day (in Vietnam)."""

    __tablename__ = "suggestions"
    __table_args__ = (
        sa.UniqueConstraint("person_id", "on_day", "nth"),
        sa.UniqueConstraint("officer_id", "on_day", "nth"),
        sa.CheckConstraint("(person_id is null) <> (officer_id is null)", name="writer"),
        sa.CheckConstraint("nth between 1 and 3", name="nth"),
        sa.CheckConstraint("length(text) between 10 and 1000", name="text"),
        sa.CheckConstraint("length(answer) between 1 and 1000", name="answer"),
        sa.CheckConstraint(
            "(answer is null) = (answered_at is null) and (answer is null) = (answered_by is null)", name="answered"
        ),
        sa.Index(
            "ix_suggestions_open",
            "unit_id",
            "above_id",
            sqlite_where=sa.text("answered_at is null"),
            postgresql_where=sa.text("answered_at is null"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    unit_id: int = Field(foreign_key="units.id", index=True)
    above_id: int | None = Field(default=None, foreign_key="units.id", index=True)
    person_id: int | None = Field(default=None, foreign_key="people.id", sa_type=BigId)
    officer_id: int | None = Field(default=None, foreign_key="officers.id")
    on_day: date
    nth: int = Field(sa_type=sa.SmallInteger)
    text: str = Field(sa_type=sa.Text)
    made_at: datetime = Field(sa_type=UtcTime, index=True)
    answer: str | None = Field(default=None, sa_type=sa.Text)
    answered_by: int | None = Field(default=None, foreign_key="officers.id")
    answered_at: datetime | None = Field(default=None, sa_type=UtcTime)


suggestions = table_of(Suggestion)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class SuggestionRow:
    """A suggestion as found; ``unit_name`` is of its unit."""

    id: int
    unit_id: int
    unit_name: str
    above_id: int | None
    person_id: int | None
    officer_id: int | None
    text: str
    made_at: datetime
    answer: str | None
    answered_by: int | None
    answered_at: datetime | None


def checked(text: str, own_site: str) -> str:
    """A suggestion that may be sent. Raises ``Refused``: ``suggestion_short`` (least), ``suggestion_long`` (most),
    ``suggestion_link`` (link): one that leads anywhere but to the site at *own_site* (an address; "" for none)."""
    if len(text) < SHORTEST:
        raise Refused("suggestion_short", least=SHORTEST)
    return _checked(text, LONGEST, own_site)


def checked_answer(text: str, own_site: str) -> str:
    """An answer that may be sent; raises as :func:`checked`, but for its shortest."""
    return _checked(text, LONGEST_ANSWER, own_site)


def _checked(text: str, most: int, own_site: str) -> str:
    if len(text) > most:
        raise Refused("suggestion_long", most=most)
    link = announcements.foreign_link(text, own_site)
    if link is not None:
        raise Refused("suggestion_link", link=link)
    return text


# ------------------------------------------------------------------------------------------ writing

_LOCK_PERSON = Prepared(sa.select(people.c.id).where(people.c.id == sa.bindparam("person")).with_for_update())
_LOCK_OFFICER = Prepared(
    sa.select(officers.officers.c.id).where(officers.officers.c.id == sa.bindparam("officer")).with_for_update()
)
_OF_DAY = Prepared(
    sa.select(sa.func.coalesce(sa.func.max(suggestions.c.nth), 0)).where(
        suggestions.c.on_day == sa.bindparam("day", type_=sa.Date),
        sa.or_(
            suggestions.c.person_id == sa.bindparam("person", type_=sa.BigInteger),
            suggestions.c.officer_id == sa.bindparam("officer", type_=sa.Integer),
        ),
    )
)
_PUT = Prepared(
    sa.insert(suggestions)
    .values(
        id=numbering.Next("suggestions"),
        unit_id=sa.bindparam("unit"),
        above_id=sa.bindparam("above"),
        person_id=sa.bindparam("person"),
        officer_id=sa.bindparam("officer"),
        on_day=sa.bindparam("day"),
        nth=sa.bindparam("place"),
        text=sa.bindparam("words"),
        made_at=sa.bindparam("now"),
    )
    .returning(suggestions.c.id)
)


def write(
    conn: Connection,
    unit: UnitRow,
    text: str,
    own_site: str,
    now: datetime,
    *,
    person_id: int | None = None,
    officer_id: int | None = None,
) -> list[Reach]:
    """Keep a suggestion of a person or an officer (one of them): the contacts of the officers whom it reaches.

    Raises ``Refused``: as :func:`checked`; ``suggestion_often`` (most) after three on a day in Vietnam.
    """
    checked(text, own_site)
    if person_id is not None:
        _LOCK_PERSON.first(conn, person=person_id)  # who writes from two phones at once
    else:
        _LOCK_OFFICER.first(conn, officer=officer_id)
    day = seasons.today(now)
    nth = 1 + _OF_DAY.value(conn, day=day, person=person_id, officer=officer_id)
    if nth > A_DAY:
        raise Refused("suggestion_often", most=A_DAY)
    above, readers = _readers(conn, unit, officer_id)
    made = _PUT.value(
        conn, unit=unit.id, above=above, person=person_id, officer=officer_id, day=day, place=nth, words=text, now=now
    )
    by = f"person:{person_id}" if person_id is not None else f"officer:{officer_id}"
    audit.write(conn, by, "suggestion.made", f"suggestion:{made}", now, unit.id)
    return readers


def _readers(conn: Connection, unit: UnitRow, writer: int | None) -> tuple[int | None, list[Reach]]:
    """The unit above that reads along, and the contacts of its and of the unit's officers but the *writer*."""
    held = announcements.contacts_of_officer(conn, writer) if writer is not None else []
    own = {reach.contact_id for reach in held}
    found = {reach.contact_id: reach for reach in conversations.officers_on(conn, unit.id)}
    above, step = unit.parent_id, unit.parent_id
    while step is not None:
        there = conversations.officers_on(conn, step)
        if there:
            above = step
            found.update((reach.contact_id, reach) for reach in there)
            break
        over = unit_by_id(conn, step)
        step = over.parent_id if over is not None else None
    return above, [reach for id, reach in sorted(found.items()) if id not in own]


# ------------------------------------------------------------------------------------------ reading

_COLUMNS = (
    suggestions.c.id,
    suggestions.c.unit_id,
    units.c.name.label("unit_name"),
    suggestions.c.above_id,
    suggestions.c.person_id,
    suggestions.c.officer_id,
    suggestions.c.text,
    suggestions.c.made_at,
    suggestions.c.answer,
    suggestions.c.answered_by,
    suggestions.c.answered_at,
)
_SELECT = sa.select(*_COLUMNS).select_from(suggestions.join(units, units.c.id == suggestions.c.unit_id))
_BY_ID = Prepared(_SELECT.where(suggestions.c.id == sa.bindparam("which")))
_OWN = Prepared(
    _SELECT.where(
        sa.or_(
            suggestions.c.person_id == sa.bindparam("person", type_=sa.BigInteger),
            suggestions.c.officer_id == sa.bindparam("officer", type_=sa.Integer),
        )
    )
    .order_by(suggestions.c.id.desc())
    .limit(sa.bindparam("most"))
)


def own(conn: Connection, person_id: int | None, officer_id: int | None, most: int) -> list[SuggestionRow]:
    """What a person, or an officer, or one who is both, has written: the newest first."""
    return [SuggestionRow(*row) for row in _OWN.all(conn, person=person_id, officer=officer_id, most=most)]


def _to_read(officer: OfficerRow, *, answered: bool) -> sa.ColumnElement[bool]:
    held: Collection[int] = {role.unit_id for role in officer.roles}
    when = suggestions.c.answered_at
    return sa.and_(
        sa.or_(suggestions.c.unit_id.in_(held), suggestions.c.above_id.in_(held)),
        when.is_not(None) if answered else when.is_(None),
        suggestions.c.officer_id.is_distinct_from(officer.id),
    )


def count(conn: Connection, officer: OfficerRow, *, answered: bool = False) -> int:
    """How many suggestions this officer reads."""
    query = sa.select(sa.func.count()).select_from(suggestions).where(_to_read(officer, answered=answered))
    return int(conn.execute(query).scalar_one())


def to_read(
    conn: Connection, officer: OfficerRow, most: int, skip: int = 0, *, answered: bool = False
) -> list[SuggestionRow]:
    """Suggestions that this officer reads: the open ones oldest first, the answered ones newest first."""
    order = suggestions.c.answered_at.desc() if answered else suggestions.c.id
    query = _SELECT.where(_to_read(officer, answered=answered)).order_by(order, suggestions.c.id)
    return [SuggestionRow(*row) for row in conn.execute(query.limit(most).offset(skip))]


def reads(officer: OfficerRow, row: SuggestionRow) -> bool:
    """Does this officer read the suggestion? With a role on its unit, or on the one above that it reached."""
    held = {role.unit_id for role in officer.roles}
    return bool({row.unit_id, row.above_id} & held) and row.officer_id != officer.id


def opened(conn: Connection, officer: OfficerRow, suggestion_id: int) -> SuggestionRow:
    """A suggestion for an officer. Raises ``Refused``: ``suggestion_gone``, ``out_of_scope``."""
    found = _BY_ID.first(conn, which=suggestion_id)
    if found is None:
        raise Refused("suggestion_gone")
    row = SuggestionRow(*found)
    if not reads(officer, row):
        raise Refused("out_of_scope")
    return row


# ------------------------------------------------------------------------------------------ answering

_ANSWER = Prepared(
    sa.update(suggestions)
    .where(suggestions.c.id == sa.bindparam("which"), suggestions.c.answered_at.is_(None))
    .values(answer=sa.bindparam("words"), answered_by=sa.bindparam("officer"), answered_at=sa.bindparam("now"))
)


def answer(
    conn: Connection, officer: OfficerRow, suggestion_id: int, text: str, own_site: str, now: datetime
) -> SuggestionRow:
    """Answer a suggestion, once: as it was before. Raises as :func:`opened` and :func:`checked_answer`;
    ``suggestion_answered`` (officer, at)."""
    checked_answer(text, own_site)
    row = opened(conn, officer, suggestion_id)
    if _ANSWER.run(conn, which=row.id, words=text, officer=officer.id, now=now) == 0:
        row = opened(conn, officer, suggestion_id)
        assert row.answered_by is not None
        raise Refused("suggestion_answered", officer=officers.name_of(conn, row.answered_by), at=row.answered_at)
    audit.write(conn, f"officer:{officer.id}", "suggestion.answered", f"suggestion:{row.id}", now, row.unit_id)
    return row


def purge(conn: Connection, before: datetime) -> int:
    """Forget suggestions whose last word (the answer, else the suggestion) was said before a moment; how many."""
    numbering.remember(conn, "suggestions")
    last = sa.func.coalesce(suggestions.c.answered_at, suggestions.c.made_at)
    return conn.execute(sa.delete(suggestions).where(suggestions.c.made_at < before, last < before)).rowcount
