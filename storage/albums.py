"""Albums: pictures sent in one go that come one by one; all of them belong where the first one landed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, UtcTime, table_of


class Album(SQLModel, table=True):
    """Where an album's first part landed. Without assessment and indicator: it was refused, so is the rest."""

    __tablename__ = "albums"
    __table_args__ = (sa.CheckConstraint("(assessment_id is null) = (indicator is null)", name="landed"),)
    contact_id: int = Field(primary_key=True, foreign_key="contacts.id", sa_type=BigId)
    album: str = Field(primary_key=True, max_length=128)
    assessment_id: int | None = Field(default=None, foreign_key="assessments.id", index=True, sa_type=BigId)
    indicator: str | None = Field(default=None, max_length=8)
    at: datetime = Field(sa_type=UtcTime, index=True)


albums = table_of(Album)


@dataclass(frozen=True, slots=True)
class Landed:
    """The answer that an album belongs to; both ``None``: refused."""

    assessment_id: int | None
    indicator: str | None


_KEY = (albums.c.contact_id == sa.bindparam("contact"), albums.c.album == sa.bindparam("name"))
_OF = Prepared(sa.select(albums.c.assessment_id, albums.c.indicator).where(*_KEY))
_CHANGE = Prepared(
    sa.update(albums).where(*_KEY).values(assessment_id=sa.bindparam("assessment"), indicator=sa.bindparam("of"))
)
_PUT = Prepared(
    sa.insert(albums).values(
        contact_id=sa.bindparam("contact"),
        album=sa.bindparam("name"),
        assessment_id=sa.bindparam("assessment"),
        indicator=sa.bindparam("of"),
        at=sa.bindparam("now"),
    )
)
_PURGE = Prepared(sa.delete(albums).where(albums.c.at < sa.bindparam("before")))


def of(conn: Connection, contact_id: int, album: str) -> Landed | None:
    """Where an album landed; ``None`` when no part of it has come yet."""
    row = _OF.first(conn, contact=contact_id, name=album)
    return None if row is None else Landed(*row)


def land(conn: Connection, contact_id: int, album: str, assessment_id: int, indicator: str, now: datetime) -> None:
    """The first part landed beside this answer."""
    _set(conn, contact_id, album, assessment_id, indicator, now)


def refuse(conn: Connection, contact_id: int, album: str, now: datetime) -> None:
    """Nothing (more) of this album is taken."""
    _set(conn, contact_id, album, None, None, now)


def _set(
    conn: Connection, contact_id: int, album: str, assessment_id: int | None, indicator: str | None, now: datetime
) -> None:
    if _CHANGE.run(conn, contact=contact_id, name=album, assessment=assessment_id, of=indicator) == 0:
        _PUT.run(conn, contact=contact_id, name=album, assessment=assessment_id, of=indicator, now=now)


def purge(conn: Connection, before: datetime) -> int:
    """Forget albums older than their parts could still come."""
    return _PURGE.run(conn, before=before)
