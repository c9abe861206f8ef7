"""Pictures that were taken away (minh chứng đã gỡ): how many beside which answer, why and when; nothing of the picture.

A decided dossier keeps its levels and its score when its files go after their time, and its readers see why there is no
picture any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, UtcTime, table_of

REASONS = ("retention", "id_card")


class RemovedEvidence(SQLModel, table=True):
    """How many pictures of an answer were taken away: their time was over (``retention``), or an officer marked one as
    an identity card (``id_card``). ``at``: the last one."""

    __tablename__ = "removed_evidence"
    __table_args__ = (
        sa.CheckConstraint("why in ('retention', 'id_card')", name="why"),
        sa.CheckConstraint("pictures >= 1", name="pictures"),
    )
    assessment_id: int = Field(primary_key=True, foreign_key="assessments.id", sa_type=BigId)
    indicator: str = Field(primary_key=True, max_length=8)
    why: str = Field(primary_key=True, max_length=10)
    pictures: int
    at: datetime = Field(sa_type=UtcTime)


removed = table_of(RemovedEvidence)


@dataclass(frozen=True, slots=True)
class Removed:
    """What was taken away from an answer: how many pictures, why, when last."""

    indicator: str
    why: str
    pictures: int
    at: datetime


_KEY = (
    removed.c.assessment_id == sa.bindparam("assessment"),
    removed.c.indicator == sa.bindparam("of"),
    removed.c.why == sa.bindparam("reason"),
)
_MORE = Prepared(
    sa.update(removed).where(*_KEY).values(pictures=removed.c.pictures + sa.bindparam("n"), at=sa.bindparam("now"))
)
_PUT = Prepared(
    sa.insert(removed).values(
        assessment_id=sa.bindparam("assessment"),
        indicator=sa.bindparam("of"),
        why=sa.bindparam("reason"),
        pictures=sa.bindparam("n"),
        at=sa.bindparam("now"),
    )
)
_OF = Prepared(
    sa.select(removed.c.indicator, removed.c.why, removed.c.pictures, removed.c.at)
    .where(removed.c.assessment_id == sa.bindparam("assessment"))
    .order_by(removed.c.indicator, removed.c.why)
)
_FORGET = Prepared(sa.delete(removed).where(removed.c.assessment_id == sa.bindparam("assessment")))


def note(conn: Connection, assessment_id: int, indicator: str, why: str, pictures: int, now: datetime) -> None:
    """Pictures of an answer were taken away. The caller holds the assessment's lock."""
    if _MORE.run(conn, assessment=assessment_id, of=indicator, reason=why, n=pictures, now=now) == 0:
        _PUT.run(conn, assessment=assessment_id, of=indicator, reason=why, n=pictures, now=now)


def of(conn: Connection, assessment_id: int) -> list[Removed]:
    """What was taken away from an assessment."""
    return [Removed(*row) for row in _OF.all(conn, assessment=assessment_id)]


def forget(conn: Connection, assessment_id: int) -> None:
    """The assessment is going, or begins anew."""
    _FORGET.run(conn, assessment=assessment_id)
