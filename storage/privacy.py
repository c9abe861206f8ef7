"""Requests about personal data (yêu cầu về dữ liệu cá nhân): each a row, with the days by which it must be answered.

The days are those of Decree 356/2025/NĐ-CP, Art. 5: acknowledged in 2 working days; viewed, copied or corrected in 10
days, consent withdrawn or an objection settled in 15, erased in 20. Beyond the first the sources differ between days
and working days: calendar days are taken, which is never later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import audit
from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of
from storage.seasons import ZONE
from storage.units import Unit

DAYS = {"access": 10, "export": 10, "correct": 10, "withdraw": 15, "object": 15, "delete": 20}
KINDS = tuple(DAYS)
ACKNOWLEDGE_WORKING_DAYS = 2
GROUP = "subject_group:"  # before the group wished, in what a request is about
# done: at once or as asked; granted, partly, declined: an officer judged; void: whoever asked has erased their data.
OUTCOMES = ("done", "granted", "partly", "declined", "void")


def _one_of(column: str, names: tuple[str, ...]) -> str:
    return f"{column} in ({', '.join(repr(name) for name in names)})"


class PrivacyRequest(SQLModel, table=True):
    """One request. Person and contact are forgotten with the person; the row stays as proof that it was answered.

    ``about`` is a code (the field to correct, ``subject_group:cong_nhan``, ``person:7`` of an erasure by the operator),
    never words. ``actor`` asked, and is kept: after a restore it says who must be erased again.
    """

    __tablename__ = "privacy_requests"
    __table_args__ = (
        sa.CheckConstraint(_one_of("kind", KINDS), name="kind"),
        sa.CheckConstraint(_one_of("outcome", OUTCOMES), name="outcome"),
        sa.CheckConstraint("(done_at is null) = (outcome is null)", name="done"),
        sa.CheckConstraint("acknowledge_by >= made_at and due_by >= made_at", name="times"),
        sa.Index(
            "ix_privacy_requests_open",
            "due_by",
            sqlite_where=sa.text("done_at is null"),
            postgresql_where=sa.text("done_at is null"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    person_id: int | None = Field(default=None, foreign_key="people.id", index=True, sa_type=BigId)
    contact_id: int | None = Field(default=None, foreign_key="contacts.id", index=True, sa_type=BigId)
    unit_id: int | None = Field(default=None, foreign_key="units.id")
    kind: str = Field(max_length=8)
    about: str = Field(default="", max_length=64)
    actor: str = Field(max_length=32)
    made_at: datetime = Field(sa_type=UtcTime, index=True)
    acknowledge_by: datetime = Field(sa_type=UtcTime)
    due_by: datetime = Field(sa_type=UtcTime)
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcTime)
    outcome: str | None = Field(default=None, max_length=8)


privacy_requests = table_of(PrivacyRequest)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request as found; ``person_id`` is ``None`` when the person is gone (or never joined)."""

    id: int
    person_id: int | None
    contact_id: int | None
    unit_id: int | None
    kind: str
    about: str
    actor: str
    made_at: datetime
    acknowledge_by: datetime
    due_by: datetime
    acknowledged_at: datetime | None
    done_at: datetime | None
    outcome: str | None


def working_days_on(moment: datetime, days: int) -> datetime:
    """The same time of day so many working days later: Monday to Friday in Vietnam.

    Public holidays are not known here (Tết and those that the Government moves each year), so the moment named may be
    earlier than the law asks, never later.
    """
    while days:
        moment += timedelta(days=1)
        if moment.astimezone(ZONE).weekday() < 5:
            days -= 1
    return moment


def acknowledge_by(made_at: datetime) -> datetime:
    """When a request must have been acknowledged (Decree 356/2025, Art. 5)."""
    return working_days_on(made_at, ACKNOWLEDGE_WORKING_DAYS)


def due_by(kind: str, made_at: datetime) -> datetime:
    """When a request of a kind must have been answered, counted in calendar days."""
    return made_at + timedelta(days=DAYS[kind])


# ------------------------------------------------------------------------------------------ asking

_PUT = Prepared(
    sa.insert(privacy_requests)
    .values(
        person_id=sa.bindparam("person"),
        contact_id=sa.bindparam("contact"),
        unit_id=sa.bindparam("unit"),
        kind=sa.bindparam("sort"),
        about=sa.bindparam("what"),
        actor=sa.bindparam("by"),
        made_at=sa.bindparam("now"),
        acknowledge_by=sa.bindparam("first"),
        due_by=sa.bindparam("last"),
        acknowledged_at=sa.bindparam("now"),
        done_at=sa.bindparam("ended", type_=UtcTime),
        outcome=sa.bindparam("result"),
    )
    .returning(privacy_requests.c.id)
)


def ask(
    conn: Connection,
    kind: str,
    *,
    actor: str,
    now: datetime,
    person_id: int | None = None,
    contact_id: int | None = None,
    unit_id: int | None = None,
    about: str = "",
    done: bool = False,
) -> int:
    """Write a request down, acknowledged in the same turn (whoever asks is answered on the next screen); its id.

    *done*: it was fulfilled in this turn too. Without it the request stays open until :func:`settle`.
    """
    found: int = _PUT.value(
        conn, person=person_id, contact=contact_id, unit=unit_id, sort=kind, what=about, by=actor, now=now,
        first=acknowledge_by(now), last=due_by(kind, now), ended=now if done else None,
        result="done" if done else None,
    )  # fmt: skip
    return found


_COLUMNS = tuple(privacy_requests.c[name] for name in RequestRow.__slots__)
_BY_ID = Prepared(sa.select(*_COLUMNS).where(privacy_requests.c.id == sa.bindparam("request")))
_LOCK = Prepared(sa.select(*_COLUMNS).where(privacy_requests.c.id == sa.bindparam("request")).with_for_update())
_OPEN_OF = Prepared(
    sa.select(*_COLUMNS)
    .where(privacy_requests.c.person_id == sa.bindparam("person"), privacy_requests.c.done_at.is_(None))
    .order_by(privacy_requests.c.id)
)


def by_id(conn: Connection, request_id: int) -> RequestRow | None:
    """A request by its number."""
    row = _BY_ID.first(conn, request=request_id)
    return None if row is None else RequestRow(*row)


def open_of(conn: Connection, person_id: int) -> list[RequestRow]:
    """What a person asked and nobody has settled, oldest first."""
    return [RequestRow(*row) for row in _OPEN_OF.all(conn, person=person_id)]


# ------------------------------------------------------------------------------------------ settling

_SETTLE = Prepared(
    sa.update(privacy_requests)
    .where(privacy_requests.c.id == sa.bindparam("request"), privacy_requests.c.done_at.is_(None))
    .values(done_at=sa.bindparam("now"), outcome=sa.bindparam("result"))
)


def settle(conn: Connection, request_id: int, outcome: str, by: str, now: datetime) -> RequestRow:
    """Close a request with one of :data:`OUTCOMES` (not ``void``); the row as it was while open.

    Raises ``Refused``: ``request_unknown`` (number), ``request_closed`` (number, outcome), ``outcome_unknown`` (known).
    """
    if outcome not in OUTCOMES or outcome == "void":
        raise Refused("outcome_unknown", outcome=outcome[:20], known=OUTCOMES[:-1])
    row = _LOCK.first(conn, request=request_id)
    if row is None:
        raise Refused("request_unknown", number=request_id)
    found = RequestRow(*row)
    if found.done_at is not None:
        raise Refused("request_closed", number=request_id, outcome=found.outcome)
    _SETTLE.run(conn, request=request_id, now=now, result=outcome)
    audit.write(conn, by, f"privacy.{outcome}", f"request:{request_id}", now, found.unit_id, kind=found.kind)
    return found


_VOID = Prepared(
    sa.update(privacy_requests)
    .where(privacy_requests.c.person_id == sa.bindparam("person"), privacy_requests.c.done_at.is_(None))
    .values(done_at=sa.bindparam("now"), outcome="void")
)
_LEAVE_PERSON = Prepared(
    sa.update(privacy_requests)
    .where(privacy_requests.c.person_id == sa.bindparam("person"))
    .values(person_id=None, contact_id=None)
)
_LEAVE_CONTACT = Prepared(
    sa.update(privacy_requests).where(privacy_requests.c.contact_id == sa.bindparam("contact")).values(contact_id=None)
)


def forget_person(conn: Connection, person_id: int, now: datetime) -> None:
    """The person is being erased: what they still asked is void, and no request names them any more."""
    _VOID.run(conn, person=person_id, now=now)
    _LEAVE_PERSON.run(conn, person=person_id)


def forget_contact(conn: Connection, contact_id: int) -> None:
    """The contact is going: no request names it any more."""
    _LEAVE_CONTACT.run(conn, contact=contact_id)


# ------------------------------------------------------------------------------------------ looking after them


@dataclass(frozen=True, slots=True)
class Listed:
    """A request with the code and name of its unit, for a list."""

    request: RequestRow
    unit_code: str
    unit_name: str


_LISTED = sa.select(
    *_COLUMNS, sa.func.coalesce(units.c.code, "").label("unit_code"), sa.func.coalesce(units.c.name, "").label("named")
).select_from(privacy_requests.outerjoin(units, units.c.id == privacy_requests.c.unit_id))


def due(conn: Connection, before: datetime | None = None, most: int | None = 1_000) -> list[Listed]:
    """Open requests, the most urgent first; only those due *before* a moment, where one is given. At most *most*
    (``None``: every one)."""
    query = _LISTED.where(privacy_requests.c.done_at.is_(None))
    if before is not None:
        query = query.where(privacy_requests.c.due_by < before)
    return _listed(conn, query.order_by(privacy_requests.c.due_by, privacy_requests.c.id).limit(most))


def log(conn: Connection, since: datetime | None = None, most: int | None = 1_000) -> list[Listed]:
    """The newest requests, oldest of them first, open and closed; only those made *since* a moment. At most *most*
    (``None``: every one)."""
    query = _LISTED if since is None else _LISTED.where(privacy_requests.c.made_at >= since)
    return list(reversed(_listed(conn, query.order_by(privacy_requests.c.id.desc()).limit(most))))


def _listed(conn: Connection, query: sa.Select[Any]) -> list[Listed]:
    width = len(_COLUMNS)
    return [Listed(RequestRow(*row[:width]), *row[width:]) for row in conn.execute(query)]


def closed_before(conn: Connection, before: datetime, most: int) -> list[tuple[int, int | None]]:
    """Closed requests older than a moment: (id, unit id), oldest first."""
    query = (
        sa.select(privacy_requests.c.id, privacy_requests.c.unit_id)
        .where(privacy_requests.c.done_at.is_not(None), privacy_requests.c.made_at < before)
        .order_by(privacy_requests.c.id)
        .limit(most)
    )
    return [(row.id, row.unit_id) for row in conn.execute(query)]


def drop(conn: Connection, ids: list[int]) -> None:
    """Forget these requests."""
    conn.execute(sa.delete(privacy_requests).where(privacy_requests.c.id.in_(ids)))
