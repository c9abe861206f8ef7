"""The audit trail (nhật ký): who did what to what, appended in the transaction of the deed, never changed."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, UtcTime, table_of


class AuditLine(SQLModel, table=True):
    """One deed. ``actor`` is ``person:7``, ``officer:3``, ``cli`` or ``system``; ``subject`` names a row the same
    way."""

    __tablename__ = "audit"
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    at: datetime = Field(sa_type=UtcTime, index=True)
    actor: str = Field(max_length=32, index=True)
    action: str = Field(max_length=48)
    subject: str = Field(max_length=48, index=True)
    unit_id: int | None = Field(default=None, index=True)
    details: str | None = Field(default=None, sa_type=sa.Text)


audit = table_of(AuditLine)

_WRITE = Prepared(
    sa.insert(audit).values(
        at=sa.bindparam("now"),
        actor=sa.bindparam("by"),
        action=sa.bindparam("deed"),
        subject=sa.bindparam("what"),
        unit_id=sa.bindparam("unit"),
        details=sa.bindparam("more"),
    )
)


def write(
    conn: Connection, actor: str, action: str, subject: str, now: datetime, unit_id: int | None = None, **details: Any
) -> None:
    """Append a line. Details hold ids and codes, never names, texts or numbers of people."""
    more = json.dumps(details, ensure_ascii=False) if details else None
    _WRITE.run(conn, now=now, by=actor, deed=action, what=subject, unit=unit_id, more=more)


# ------------------------------------------------------------------------------------------ reads

READ, PICTURE = "dossier.read", "picture.read"
_NEWEST = Prepared(
    sa.select(sa.func.max(audit.c.id)).where(
        audit.c.subject == sa.bindparam("what"),
        audit.c.actor == sa.bindparam("by"),
        audit.c.action == sa.bindparam("deed"),
    )
)
_NEWEST_PICTURE = Prepared(
    sa.select(sa.func.max(audit.c.id)).where(
        audit.c.subject == sa.bindparam("what"),
        audit.c.actor == sa.bindparam("by"),
        audit.c.action == PICTURE,
        audit.c.details == sa.bindparam("more"),
    )
)


def picture_noted(conn: Connection, officer_id: int, assessment_id: int, piece_id: int) -> bool:
    """Has the officer's look at this picture been written down since they last opened its dossier?"""
    who, what, more = f"officer:{officer_id}", f"assessment:{assessment_id}", json.dumps({"piece": piece_id})
    last = _NEWEST_PICTURE.value(conn, what=what, by=who, more=more)
    return last is not None and last > (_NEWEST.value(conn, what=what, by=who, deed=READ) or 0)


def picture_read(
    conn: Connection, officer_id: int, assessment_id: int, piece_id: int, unit_id: int, now: datetime
) -> bool:
    """An officer's browser fetched a picture: written down once for each opening of its dossier; was it now?

    A browser may ask for the same picture again and again while the dossier is open (``no-store``).
    """
    if picture_noted(conn, officer_id, assessment_id, piece_id):
        return False
    write(conn, f"officer:{officer_id}", PICTURE, f"assessment:{assessment_id}", now, unit_id, piece=piece_id)
    return True


_units = sa.table("units", sa.column("id"), sa.column("path"))  # that module writes this trail, so it is not imported


@dataclass(frozen=True, slots=True)
class Deed:
    """A line of the trail as found."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    unit_id: int | None
    details: dict[str, Any]


def listing(
    conn: Connection,
    *,
    actors: Collection[str] = (),
    subjects: Collection[str] = (),
    both: bool = False,
    below: tuple[str, str] | None = None,
    since: datetime | None = None,
    most: int | None = 1_000,
) -> list[Deed]:
    """The newest deeds by one of *actors* or done to one of *subjects* (both empty: all; with *both*: by one of these
    to one of those), at a unit whose path lies in a range (:func:`storage.units.bounds`; ``None``: anywhere), since a
    moment; the newest last, at most *most* (``None``: every one)."""
    query = sa.select(
        audit.c.id, audit.c.at, audit.c.actor, audit.c.action, audit.c.subject, audit.c.unit_id, audit.c.details
    )
    if both:
        query = query.where(audit.c.actor.in_(actors), audit.c.subject.in_(subjects))
    elif actors or subjects:
        query = query.where(sa.or_(audit.c.actor.in_(actors), audit.c.subject.in_(subjects)))
    if below is not None:
        low, high = below
        query = query.where(
            audit.c.unit_id.in_(sa.select(_units.c.id).where(_units.c.path >= low, _units.c.path < high))
        )
    if since is not None:
        query = query.where(audit.c.at >= since)
    rows = conn.execute(query.order_by(audit.c.id.desc()).limit(most)).all()
    return [
        Deed(row.id, row.at, row.actor, row.action, row.subject, row.unit_id, json.loads(row.details or "{}"))
        for row in reversed(rows)
    ]


# An officer's own dossier is known by these for as long as both are there (storage.officers.is_own).
_FOR_EVER = ("officer.self",)


def older_than(conn: Connection, before: datetime, most: int) -> list[tuple[int, int | None]]:
    """Lines older than a moment that may go: (id, unit id), oldest first."""
    query = (
        sa.select(audit.c.id, audit.c.unit_id)
        .where(audit.c.at < before, audit.c.action.not_in(_FOR_EVER))
        .order_by(audit.c.at, audit.c.id)
        .limit(most)
    )
    return [(row.id, row.unit_id) for row in conn.execute(query)]


def drop(conn: Connection, ids: list[int]) -> None:
    """Forget these lines."""
    conn.execute(sa.delete(audit).where(audit.c.id.in_(ids)))
