"""Suggestions (góp ý): what a citizen or an officer writes to the officers of the unit and of the level above.

Officers read the text, the unit and the day, never who wrote it, nor whether a citizen or an officer did; of a small
unit of the association (:data:`FEW`) only its commune. The answer finds the way back by itself, and the trail does not
say who wrote. A suggestion belongs to whoever wrote it: it goes with them, and else some time after its last word
(:func:`purge`), also from the chats of officers that show it.

It is read by the officers of its unit and of the nearest unit above that had any when it was written; while there is
none of these, of the nearest above that has any now.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import announcements, audit, conversations, desks, numbering, officers, seasons
from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of
from storage.conversations import Reach
from storage.officers import OfficerRow, officer_roles
from storage.people import people
from storage.rollout import rollout
from storage.units import ASSOCIATION, Unit, UnitRow, bounds
from storage.units import by_id as unit_by_id

SHORTEST, LONGEST = 10, 1_000  # characters of a suggestion
LONGEST_ANSWER = 1_000
PURGED_AT_ONCE = 100
A_DAY = 3  # suggestions of one writer
FEW = 10  # people of a unit below which its name says who wrote


class Suggestion(SQLModel, table=True):
    """One suggestion. ``above_id``: the unit above whose officers read it too, the nearest that had any, if there was
    one; ``nth``: of its writer's on that day (in Vietnam)."""

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
    """A suggestion as found; ``unit_name`` is of its unit, or of the commune where that unit is too small to name."""

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


@dataclass(frozen=True, slots=True)
class Written:
    """A suggestion that was kept: the unit's name as its readers see it, the contacts of those who can be told."""

    unit_name: str
    readers: tuple[Reach, ...]


def write(
    conn: Connection,
    unit: UnitRow,
    text: str,
    own_site: str,
    now: datetime,
    *,
    person_id: int | None = None,
    officer_id: int | None = None,
) -> Written:
    """Keep a suggestion of a person or an officer (one of them), and whom it reaches.

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
    # Who wrote it is known while the row is there: the line outlives it, and operators read the trail.
    audit.write(conn, "unnamed", "suggestion.made", f"suggestion:{made}", now, _named(conn, made))
    (kept,) = _BY_ID.all(conn, which=made)
    return Written(kept.unit_name, tuple(readers))


def _named(conn: Connection, suggestion_id: int) -> int:
    """The unit that readers see: of a small one the commune, in the trail as on the screen."""
    found: int = _NAMED.value(conn, which=suggestion_id)
    return found


def _readers(conn: Connection, unit: UnitRow, writer: int | None) -> tuple[int | None, list[Reach]]:
    """The unit above that reads along, if there is any, and the contacts of its and of the unit's officers but the
    *writer*."""
    held = announcements.contacts_of_officer(conn, writer) if writer is not None else []
    own = {reach.contact_id for reach in held}
    found = {reach.contact_id: reach for reach in conversations.officers_on(conn, unit.id)}
    above, step = None, unit.parent_id
    while step is not None:
        there = conversations.officers_on(conn, step)
        if there:
            above = step
            found.update((reach.contact_id, reach) for reach in there)
            break
        over = unit_by_id(conn, step)
        step = over.parent_id if over is not None else None
    return above, [reach for id, reach in sorted(found.items()) if id not in own]


_PEOPLE = Prepared(
    sa.select(sa.func.coalesce(sa.func.sum(rollout.c.bound), 0))
    .select_from(rollout.join(units, units.c.id == rollout.c.unit_id))
    .where(units.c.path >= sa.bindparam("low"), units.c.path < sa.bindparam("high"))
)


def hidden(conn: Connection, unit: UnitRow, *, officer: bool) -> bool:
    """Is the writer one of many? Never an officer; a citizen where their commune has :data:`FEW` people or more."""
    if officer:
        return False
    commune = unit_by_id(conn, unit.parent_id) if unit.level == ASSOCIATION and unit.parent_id is not None else unit
    assert commune is not None
    low, high = bounds(commune)
    return bool(_PEOPLE.value(conn, low=low, high=high) >= FEW)


# ------------------------------------------------------------------------------------------ reading

_one_above, _two_above = units.alias("one_above"), units.alias("two_above")
_JOINED = (
    suggestions.join(units, units.c.id == suggestions.c.unit_id)
    .outerjoin(_one_above, _one_above.c.id == units.c.parent_id)
    .outerjoin(_two_above, _two_above.c.id == _one_above.c.parent_id)
    .outerjoin(rollout, rollout.c.unit_id == units.c.id)
)
_small = sa.and_(units.c.level == ASSOCIATION, sa.func.coalesce(rollout.c.bound, 0) < FEW)
_COLUMNS = (
    suggestions.c.id,
    suggestions.c.unit_id,
    sa.case((_small, _one_above.c.name), else_=units.c.name).label("unit_name"),
    suggestions.c.above_id,
    suggestions.c.person_id,
    suggestions.c.officer_id,
    suggestions.c.text,
    suggestions.c.made_at,
    suggestions.c.answer,
    suggestions.c.answered_by,
    suggestions.c.answered_at,
)
_SELECT = sa.select(*_COLUMNS).select_from(_JOINED)
_BY_ID = Prepared(_SELECT.where(suggestions.c.id == sa.bindparam("which")))
_NAMED = Prepared(
    sa.select(sa.case((_small, _one_above.c.id), else_=units.c.id))
    .select_from(_JOINED)
    .where(suggestions.c.id == sa.bindparam("which"))
)
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


def _held(unit: sa.ColumnElement[int | None]) -> sa.ColumnElement[bool]:
    return sa.exists(
        sa.select(officer_roles.c.id).where(officer_roles.c.unit_id == unit, officer_roles.c.until.is_(None))
    )


# From a unit of the association over commune and province to the centre: there are no more levels.
_nearest_above = sa.case(
    (_held(units.c.parent_id), units.c.parent_id),
    (_held(_one_above.c.parent_id), _one_above.c.parent_id),
    else_=_two_above.c.parent_id,
)
_nobody_above = ~_held(suggestions.c.above_id)


def _reads(officer: OfficerRow) -> sa.ColumnElement[bool]:
    held: Collection[int] = {role.unit_id for role in officer.roles}
    return sa.and_(
        sa.or_(
            suggestions.c.unit_id.in_(held),
            suggestions.c.above_id.in_(held),
            sa.and_(_nobody_above, _nearest_above.in_(held)),
        ),
        suggestions.c.officer_id.is_distinct_from(officer.id),
    )


def _to_read(officer: OfficerRow, *, answered: bool) -> sa.ColumnElement[bool]:
    when = suggestions.c.answered_at
    return sa.and_(when.is_not(None) if answered else when.is_(None), _reads(officer))


def count(conn: Connection, officer: OfficerRow, *, answered: bool = False) -> int:
    """How many suggestions this officer reads."""
    query = sa.select(sa.func.count()).select_from(_JOINED).where(_to_read(officer, answered=answered))
    return int(conn.execute(query).scalar_one())


def to_read(
    conn: Connection, officer: OfficerRow, most: int, skip: int = 0, *, answered: bool = False
) -> list[SuggestionRow]:
    """Suggestions that this officer reads: the open ones oldest first, the answered ones newest first."""
    order = suggestions.c.answered_at.desc() if answered else suggestions.c.id
    query = _SELECT.where(_to_read(officer, answered=answered)).order_by(order, suggestions.c.id)
    return [SuggestionRow(*row) for row in conn.execute(query.limit(most).offset(skip))]


def opened(conn: Connection, officer: OfficerRow, suggestion_id: int) -> SuggestionRow:
    """A suggestion for an officer. Raises ``Refused``: ``suggestion_gone``, ``out_of_scope``."""
    found = _BY_ID.first(conn, which=suggestion_id)
    if found is None:
        raise Refused("suggestion_gone")
    seen = sa.select(sa.literal(1)).select_from(_JOINED).where(suggestions.c.id == suggestion_id, _reads(officer))
    if conn.execute(seen).first() is None:
        raise Refused("out_of_scope")
    return SuggestionRow(*found)


# ------------------------------------------------------------------------------------------ answering

_ANSWER = Prepared(
    sa.update(suggestions)
    .where(suggestions.c.id == sa.bindparam("which"), suggestions.c.answered_at.is_(None))
    .values(
        answer=sa.bindparam("words"),
        answered_by=sa.bindparam("officer"),
        answered_at=sa.bindparam("now"),
        above_id=sa.bindparam("above"),
    )
)


def answer(
    conn: Connection, officer: OfficerRow, suggestion_id: int, text: str, own_site: str, now: datetime
) -> SuggestionRow:
    """Answer a suggestion, once: as it was before. Raises as :func:`opened` and :func:`checked_answer`;
    ``suggestion_answered`` (officer, at)."""
    checked_answer(text, own_site)
    row = opened(conn, officer, suggestion_id)
    above = _read_above(conn, officer, row)
    if _ANSWER.run(conn, which=row.id, words=text, officer=officer.id, now=now, above=above) == 0:
        row = opened(conn, officer, suggestion_id)
        assert row.answered_by is not None
        raise Refused("suggestion_answered", officer=officers.name_of(conn, row.answered_by), at=row.answered_at)
    audit.write(conn, f"officer:{officer.id}", "suggestion.answered", f"suggestion:{row.id}", now, _named(conn, row.id))
    return row


def _read_above(conn: Connection, officer: OfficerRow, row: SuggestionRow) -> int | None:
    """The unit above that is to be kept: its own, or the one by which this officer reads it in its stead."""
    held = {role.unit_id for role in officer.roles}
    if {row.unit_id, row.above_id} & held:
        return row.above_id
    over = unit_by_id(conn, row.unit_id)
    while over is not None and over.id not in held:
        over = unit_by_id(conn, over.parent_id) if over.parent_id is not None else None
    return over.id if over is not None else row.above_id


# ------------------------------------------------------------------------------------------ forgetting

_LAST_WORD = sa.func.coalesce(suggestions.c.answered_at, suggestions.c.made_at)
_GOING = sa.select(suggestions.c.id, units.c.path).select_from(
    suggestions.join(units, units.c.id == suggestions.c.unit_id)
)
_OF_PERSON = Prepared(_GOING.where(suggestions.c.person_id == sa.bindparam("person")).order_by(suggestions.c.id))
_OLD = Prepared(
    _GOING.where(suggestions.c.made_at < sa.bindparam("before"), sa.bindparam("before") > _LAST_WORD)
    .order_by(suggestions.c.id)
    .limit(sa.bindparam("most"))
)
_DROP = Prepared(sa.delete(suggestions).where(suggestions.c.id == sa.bindparam("which")))


def forget_person(conn: Connection, person_id: int, now: datetime) -> None:
    """Everything a person suggested goes, also from the chats of officers."""
    _forget(conn, _OF_PERSON.all(conn, person=person_id), now)


def purge(conn: Connection, before: datetime, now: datetime, most: int = PURGED_AT_ONCE) -> int:
    """Forget suggestions whose last word (the answer, else the suggestion) was said before a moment; how many, *most*
    at a time."""
    return _forget(conn, _OLD.all(conn, before=before, most=most), now)


def _forget(conn: Connection, found: Sequence[Any], now: datetime) -> int:
    if found:
        numbering.remember(conn, "suggestions")
    for row in found:
        desks.clear_suggestion(conn, row.path, row.id, now)
        _DROP.run(conn, which=row.id)
    return len(found)
