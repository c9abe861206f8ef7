"""Reviews (xét duyệt): approve (đạt), not met (chưa đạt), return (trả lại), an officer's own level, undo.

Recognition (công nhận) is another act and comes later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import assessments, audit, claims, evidence, officers
from storage.assessments import AssessmentRow, answers
from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of
from storage.officers import OfficerRow
from storage.officers import officers as officer_table
from storage.outbox import outbox
from storage.stale import changed
from storage.units import Unit

REASON_LIMIT = 500


class Review(SQLModel, table=True):
    """One decision of an officer on one submitted dossier."""

    __tablename__ = "reviews"
    __table_args__ = (
        sa.CheckConstraint("decision in ('approve', 'not_met', 'return')", name="decision"),
        sa.CheckConstraint("decision = 'approve' or reason is not null", name="reason"),
        sa.CheckConstraint("length(reason) <= 500", name="reason_length"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    assessment_id: int = Field(foreign_key="assessments.id", index=True, sa_type=BigId)
    officer_id: int = Field(foreign_key="officers.id", index=True)
    decision: str = Field(max_length=8)
    reason: str | None = Field(default=None, sa_type=sa.Text)
    total: int
    at: datetime = Field(sa_type=UtcTime)
    undo_until: datetime = Field(sa_type=UtcTime)
    undone_at: datetime | None = Field(default=None, sa_type=UtcTime)


class ReturnedQuestion(SQLModel, table=True):
    """A question that a return opens again, with the officer's reason."""

    __tablename__ = "returned_questions"
    __table_args__ = (sa.CheckConstraint("length(reason) between 1 and 500", name="reason"),)
    review_id: int = Field(primary_key=True, foreign_key="reviews.id", sa_type=BigId)
    indicator: str = Field(primary_key=True, max_length=8)
    reason: str = Field(sa_type=sa.Text)


reviews = table_of(Review)
returned_questions = table_of(ReturnedQuestion)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A decision as found."""

    id: int
    assessment_id: int
    officer_id: int
    officer_name: str
    decision: str
    reason: str | None
    total: int
    at: datetime
    undo_until: datetime
    undone_at: datetime | None


_COLUMNS = (
    reviews.c.id,
    reviews.c.assessment_id,
    reviews.c.officer_id,
    officer_table.c.name.label("officer_name"),
    reviews.c.decision,
    reviews.c.reason,
    reviews.c.total,
    reviews.c.at,
    reviews.c.undo_until,
    reviews.c.undone_at,
)
_FROM = reviews.join(officer_table, officer_table.c.id == reviews.c.officer_id)
_LAST = Prepared(
    sa.select(*_COLUMNS)
    .select_from(_FROM)
    .where(reviews.c.assessment_id == sa.bindparam("assessment"), reviews.c.undone_at.is_(None))
    .order_by(reviews.c.id.desc())
    .limit(1)
)
_ALL = Prepared(
    sa.select(*_COLUMNS)
    .select_from(_FROM)
    .where(reviews.c.assessment_id == sa.bindparam("assessment"))
    .order_by(reviews.c.id)
)
_BY_ID = Prepared(sa.select(*_COLUMNS).select_from(_FROM).where(reviews.c.id == sa.bindparam("review")))
_LAST_BY = Prepared(
    sa.select(*_COLUMNS)
    .select_from(_FROM)
    .where(reviews.c.officer_id == sa.bindparam("officer"))
    .order_by(reviews.c.id.desc())
    .limit(1)
)
_LAST_STANDING_BY = Prepared(
    sa.select(*_COLUMNS)
    .select_from(_FROM)
    .where(reviews.c.officer_id == sa.bindparam("officer"), reviews.c.undone_at.is_(None))
    .order_by(reviews.c.id.desc())
    .limit(1)
)
_LAST_RETURN = Prepared(
    sa.select(*_COLUMNS)
    .select_from(_FROM)
    .where(
        reviews.c.assessment_id == sa.bindparam("assessment"),
        reviews.c.undone_at.is_(None),
        reviews.c.decision == "return",
    )
    .order_by(reviews.c.id.desc())
    .limit(1)
)
_RETURNED = Prepared(
    sa.select(returned_questions.c.indicator, returned_questions.c.reason)
    .where(returned_questions.c.review_id == sa.bindparam("review"))
    .order_by(returned_questions.c.indicator)
)
_PLACE = Prepared(sa.select(units.c.path).select_from(units).where(units.c.id == sa.bindparam("unit")))


def last(conn: Connection, assessment_id: int) -> ReviewRow | None:
    """The newest decision that stands."""
    row = _LAST.first(conn, assessment=assessment_id)
    return None if row is None else ReviewRow(*row)


def all_of(conn: Connection, assessment_id: int) -> list[ReviewRow]:
    """Every decision on an assessment, those taken back too, oldest first."""
    return [ReviewRow(*row) for row in _ALL.all(conn, assessment=assessment_id)]


def by_id(conn: Connection, review_id: int) -> ReviewRow | None:
    """A decision by its row id."""
    row = _BY_ID.first(conn, review=review_id)
    return None if row is None else ReviewRow(*row)


def last_by(conn: Connection, officer_id: int, *, undone: bool = False) -> ReviewRow | None:
    """The newest decision of an officer that stands (for undo); with *undone* the newest, taken back or not."""
    row = (_LAST_BY if undone else _LAST_STANDING_BY).first(conn, officer=officer_id)
    return None if row is None else ReviewRow(*row)


def last_return(conn: Connection, assessment_id: int) -> ReviewRow | None:
    """The newest return that stands, also after the dossier came back."""
    row = _LAST_RETURN.first(conn, assessment=assessment_id)
    return None if row is None else ReviewRow(*row)


def returned_in(conn: Connection, review_id: int) -> dict[str, str]:
    """Indicator → reason of a return."""
    return {row.indicator: row.reason for row in _RETURNED.all(conn, review=review_id)}


def topic(review_id: int) -> str:
    """The outbox topic of a decision's notices."""
    return f"review:{review_id}"


# ------------------------------------------------------------------------------------------ may I


def may_see(conn: Connection, officer: OfficerRow, row: AssessmentRow, roles: tuple[str, ...] = officers.ROLES) -> None:
    """Raises ``Refused("out_of_scope")`` unless the dossier's unit is in the officer's scope, by one of these roles."""
    path = _PLACE.value(conn, unit=row.unit_id)
    if path is None or not officers.covers(officer, path, roles):
        raise Refused("out_of_scope")


def _may_decide(conn: Connection, officer: OfficerRow, row: AssessmentRow) -> None:
    may_see(conn, officer, row)
    if officers.is_own(conn, officer.id, row.person_id):
        raise Refused("own_dossier")


def opened(conn: Connection, officer: OfficerRow, row: AssessmentRow, now: datetime) -> None:
    """The officer opens a dossier: checked, and written down (every read of a dossier is an audit line)."""
    may_see(conn, officer, row)
    if row.status == "submitted":
        assessments.opened(conn, row.id, now)
    audit.write(conn, f"officer:{officer.id}", audit.READ, f"assessment:{row.id}", now, row.unit_id)


# ------------------------------------------------------------------------------------------ deciding

_INSERT = Prepared(
    sa.insert(reviews)
    .values(
        assessment_id=sa.bindparam("assessment"),
        officer_id=sa.bindparam("officer"),
        decision=sa.bindparam("verdict"),
        reason=sa.bindparam("why"),
        total=sa.bindparam("points"),
        at=sa.bindparam("now"),
        undo_until=sa.bindparam("until"),
    )
    .returning(reviews.c.id)
)
_INSERT_RETURNED = Prepared(
    sa.insert(returned_questions).values(
        review_id=sa.bindparam("review"), indicator=sa.bindparam("of"), reason=sa.bindparam("why")
    )
)
_OPEN_QUESTION = Prepared(
    sa.update(answers)
    .where(answers.c.assessment_id == sa.bindparam("assessment"), answers.c.indicator == sa.bindparam("of"))
    .values(return_reason=sa.bindparam("why"))
)
_CLOSE_QUESTIONS = Prepared(
    sa.update(answers).where(answers.c.assessment_id == sa.bindparam("assessment")).values(return_reason=None)
)


def decide(
    conn: Connection,
    officer: OfficerRow,
    assessment_id: int,
    decision: str,
    *,
    total: int,
    reason: str | None = None,
    returned: Mapping[str, str] | None = None,
    undo_for: timedelta,
    now: datetime,
) -> ReviewRow:
    """Decide a submitted dossier; one decision wins.

    *total* is the score as the officer saw it. For ``return``, *returned* maps each question to its reason. Raises
    ``Refused``: ``out_of_scope``, ``own_dossier``, ``already_decided`` (by whom, what, when), ``assessment_state``,
    ``reason_missing``.
    """
    row = assessments.locked(conn, assessment_id)
    _may_decide(conn, officer, row)
    if row.status != "submitted":
        earlier = last(conn, assessment_id)
        if earlier is not None and row.status in ("approved", "not_met", "returned"):
            raise Refused("already_decided", officer=earlier.officer_name, decision=earlier.decision, at=earlier.at)
        raise Refused("assessment_state", status=row.status, event=decision)
    if decision == "return" and not returned:
        raise Refused("reason_missing")
    if decision == "not_met" and not reason:
        raise Refused("reason_missing")
    review_id: int = _INSERT.value(
        conn,
        assessment=row.id,
        officer=officer.id,
        verdict=decision,
        why=reason or ("; ".join((returned or {}).values())[:REASON_LIMIT] or None),
        points=total,
        now=now,
        until=now + undo_for,
    )
    for indicator, why in sorted((returned or {}).items()):
        _INSERT_RETURNED.run(conn, review=review_id, of=indicator, why=why[:REASON_LIMIT])
        _OPEN_QUESTION.run(conn, assessment=row.id, of=indicator, why=why[:REASON_LIMIT])
    assessments.decide(conn, row, decision, f"officer:{officer.id}", now)
    if decision == "approve":
        claims.approval_changed(conn, row.person_id, now)
    found = by_id(conn, review_id)
    assert found is not None
    return found


_UNDO = Prepared(
    sa.update(reviews)
    .where(reviews.c.id == sa.bindparam("review"), reviews.c.undone_at.is_(None))
    .values(undone_at=sa.bindparam("now"))
)
_TOLD = Prepared(
    sa.select(outbox.c.id).where(outbox.c.topic == sa.bindparam("of"), outbox.c.outcome == "sent").limit(1)
)


def undo(conn: Connection, officer: OfficerRow, review_id: int, now: datetime) -> AssessmentRow:
    """Take back a decision while its notices wait. Raises ``Refused("undo_over")`` from ``undo_until`` on, when a
    notice has left, or when it is not the officer's own newest standing one. The caller cancels the notices under
    :func:`topic`."""
    found = by_id(conn, review_id)
    if found is None or found.officer_id != officer.id or found.undone_at is not None:
        raise Refused("undo_over")
    row = assessments.locked(conn, found.assessment_id)
    standing = last(conn, row.id)
    if standing is None or standing.id != review_id or now >= found.undo_until:
        raise Refused("undo_over")
    # The sender's clock may be ahead of the one that the channel dates events by: who has been told stays told.
    if _TOLD.first(conn, of=topic(review_id)) is not None:
        raise Refused("undo_over")
    back = assessments.decide(conn, row, "undo", f"officer:{officer.id}", now)
    if found.decision == "approve":
        claims.approval_changed(conn, row.person_id, now)
    if _UNDO.run(conn, review=review_id, now=now) == 0:
        raise Refused("undo_over")
    if found.decision == "return":
        _CLOSE_QUESTIONS.run(conn, assessment=row.id)
    return back


def close_returns(conn: Connection, assessment_id: int) -> None:
    """The citizen handed the mended dossier in: no question is open any more."""
    _CLOSE_QUESTIONS.run(conn, assessment=assessment_id)


# ------------------------------------------------------------------------------------------ an officer's own level

_OFFICER_LEVEL = Prepared(
    sa.update(answers)
    .where(answers.c.assessment_id == sa.bindparam("assessment"), answers.c.indicator == sa.bindparam("of"))
    .values(officer_level=sa.bindparam("given"), officer_reason=sa.bindparam("why"), officer_id=sa.bindparam("officer"))
)


def set_level(
    conn: Connection,
    officer: OfficerRow,
    assessment_id: int,
    indicator: str,
    level: str | None,
    reason: str,
    now: datetime,
) -> None:
    """Another level of an indicator with a reason (both levels are kept); ``None`` takes the officer's level away.

    Raises ``Refused``: as :func:`decide`, and ``reason_missing``.
    """
    row = assessments.locked(conn, assessment_id)
    _may_decide(conn, officer, row)
    if row.status != "submitted":
        raise Refused("assessment_state", status=row.status, event="level")
    if level is not None and not reason.strip():
        raise Refused("reason_missing")
    there = assessments.answer_of(conn, assessment_id, indicator)
    if there is None:
        raise Refused("assessment_state", status=row.status, event="level")
    own = level if level != there.level else None
    _OFFICER_LEVEL.run(
        conn,
        assessment=assessment_id,
        of=indicator,
        given=own,
        why=reason[:REASON_LIMIT] if own else None,
        officer=officer.id if own else None,
    )
    changed(conn, row.unit_id, row.year, row.status)
    actor = f"officer:{officer.id}"
    assessments.remember(
        conn, assessment_id, indicator, level, there.officer_level or there.level, "officer_level", actor, now
    )
    audit.write(conn, actor, "assessment.level", f"assessment:{row.id}", now, row.unit_id, indicator=indicator)


def settle_confirmation(
    conn: Connection, officer: OfficerRow, assessment_id: int, piece_id: int, confirmed: bool, now: datetime
) -> None:
    """Confirm or decline what the citizen asked to have confirmed. Raises as :func:`decide`."""
    row = assessments.locked(conn, assessment_id)
    _may_decide(conn, officer, row)
    if row.status != "submitted":
        raise Refused("assessment_state", status=row.status, event="confirmation")
    evidence.settle_confirmation(conn, assessment_id, piece_id, confirmed, officer.id)
    changed(conn, row.unit_id, row.year, row.status)
    audit.write(
        conn, f"officer:{officer.id}", "evidence.settle", f"assessment:{row.id}", now, row.unit_id, piece=piece_id
    )
