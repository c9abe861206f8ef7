"""Registrations (đăng ký) and assessments (phiếu tự đánh giá, once submitted: hồ sơ): the life-cycle in one place.

The table of what may follow what is :data:`LIFE`; ``docs/lifecycle.md`` shows the same table and a test compares them.
Every change of status goes through :func:`_pass`: status, version, counters, ledger and audit move together or not
at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import audit, codes, counters, evidence, rollout
from storage import people as people_verbs
from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of
from storage.numbering import Next
from storage.people import PersonRow, people
from storage.stale import changed
from storage.units import Unit

STATUSES = ("registered", "draft", "submitted", "returned", "approved", "not_met", "withdrawn")
EDITABLE = frozenset({"draft", "returned"})

# (status, event) -> status. Everything else is refused.
LIFE: Mapping[tuple[str, str], str] = {
    ("registered", "start"): "draft",
    ("draft", "submit"): "submitted",
    ("submitted", "return"): "returned",
    ("returned", "submit"): "submitted",
    ("submitted", "approve"): "approved",
    ("submitted", "not_met"): "not_met",
    ("registered", "withdraw"): "withdrawn",
    ("draft", "withdraw"): "withdrawn",
    ("submitted", "withdraw"): "withdrawn",
    ("returned", "withdraw"): "withdrawn",
    ("withdrawn", "start"): "draft",
    ("approved", "undo"): "submitted",
    ("not_met", "undo"): "submitted",
    ("returned", "undo"): "submitted",
}


class Registration(SQLModel, table=True):
    """A person registered for a season: an explicit act, with its date; one row for each time."""

    __tablename__ = "registrations"
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    person_id: int = Field(foreign_key="people.id", index=True, sa_type=BigId)
    year: int
    unit_id: int = Field(foreign_key="units.id", index=True)
    at: datetime = Field(sa_type=UtcTime)


class Assessment(SQLModel, table=True):
    """One person's assessment of one year. It keeps the criteria version it was filed under.

    ``handed_in_at``: the citizen pressed Nộp while pictures were still on their way; it is submitted by itself when all
    are there.
    """

    __tablename__ = "assessments"
    __table_args__ = (
        sa.UniqueConstraint("person_id", "year"),
        sa.CheckConstraint(
            "status in ('registered', 'draft', 'submitted', 'returned', 'approved', 'not_met', 'withdrawn')",
            name="status",
        ),
        sa.CheckConstraint("status <> 'submitted' or submitted_at is not null", name="submitted"),
        sa.CheckConstraint("status not in ('approved', 'not_met') or decided_at is not null", name="decided"),
        sa.CheckConstraint("handed_in_at is null or status in ('draft', 'returned')", name="handed_in"),
        sa.Index("ix_assessments_unit_id_status_submitted_at", "unit_id", "status", "submitted_at"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    code: str = Field(unique=True, max_length=20)
    person_id: int = Field(foreign_key="people.id", index=True, sa_type=BigId)
    year: int
    unit_id: int = Field(foreign_key="units.id")
    subject_group: str = Field(max_length=32)
    criteria_id: str = Field(max_length=48)
    criteria_version: str = Field(max_length=32)
    status: str = Field(max_length=12)
    version: int = 1
    registered_at: datetime = Field(sa_type=UtcTime)
    submitted_at: datetime | None = Field(default=None, sa_type=UtcTime)
    opened_at: datetime | None = Field(default=None, sa_type=UtcTime)
    decided_at: datetime | None = Field(default=None, sa_type=UtcTime)
    handed_in_at: datetime | None = Field(default=None, sa_type=UtcTime)


class Answer(SQLModel, table=True):
    """The level chosen for one indicator; an officer's own level and reason beside it; a return still open."""

    __tablename__ = "answers"
    __table_args__ = (
        sa.CheckConstraint("(officer_level is null) = (officer_reason is null)", name="officer_level"),
        sa.CheckConstraint("length(officer_reason) <= 500", name="officer_reason"),
        {"sqlite_with_rowid": False},
    )
    assessment_id: int = Field(primary_key=True, foreign_key="assessments.id", sa_type=BigId)
    indicator: str = Field(primary_key=True, max_length=8)
    level: str = Field(max_length=24)
    officer_level: str | None = Field(default=None, max_length=24)
    officer_reason: str | None = Field(default=None, sa_type=sa.Text)
    officer_id: int | None = Field(default=None, foreign_key="officers.id")
    return_reason: str | None = Field(default=None, sa_type=sa.Text)
    changed_at: datetime = Field(sa_type=UtcTime)


class AnswerChange(SQLModel, table=True):
    """History of answers: every level ever given, by whom, appended."""

    __tablename__ = "answer_history"
    __table_args__ = (sa.Index("ix_answer_history_assessment_id", "assessment_id", "id"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    assessment_id: int = Field(foreign_key="assessments.id", sa_type=BigId)
    indicator: str = Field(max_length=8)
    level: str | None = Field(default=None, max_length=24)
    before: str | None = Field(default=None, max_length=24)
    what: str = Field(max_length=16)  # level, evidence, officer_level, lost (a picture could not be had)
    actor: str = Field(max_length=32)
    at: datetime = Field(sa_type=UtcTime)


registrations = table_of(Registration)
assessments = table_of(Assessment)
answers = table_of(Answer)
answer_history = table_of(AnswerChange)
_later = answer_history.alias()
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class AssessmentRow:
    """An assessment as verbs and dialogs see it."""

    id: int
    code: str
    person_id: int
    year: int
    unit_id: int
    subject_group: str
    criteria_id: str
    criteria_version: str
    status: str
    version: int
    registered_at: datetime
    submitted_at: datetime | None
    opened_at: datetime | None
    decided_at: datetime | None
    handed_in_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One answer."""

    indicator: str
    level: str
    officer_level: str | None
    officer_reason: str | None
    return_reason: str | None
    changed_at: datetime


# ------------------------------------------------------------------------------------------ reading

_COLUMNS = (
    assessments.c.id,
    assessments.c.code,
    assessments.c.person_id,
    assessments.c.year,
    assessments.c.unit_id,
    assessments.c.subject_group,
    assessments.c.criteria_id,
    assessments.c.criteria_version,
    assessments.c.status,
    assessments.c.version,
    assessments.c.registered_at,
    assessments.c.submitted_at,
    assessments.c.opened_at,
    assessments.c.decided_at,
    assessments.c.handed_in_at,
)
_BY_ID = Prepared(sa.select(*_COLUMNS).where(assessments.c.id == sa.bindparam("assessment")))
_LOCK = Prepared(sa.select(*_COLUMNS).where(assessments.c.id == sa.bindparam("assessment")).with_for_update())
_BY_CODE = Prepared(sa.select(*_COLUMNS).where(assessments.c.code == sa.bindparam("printed")))
_OF_PERSON = Prepared(
    sa.select(*_COLUMNS).where(
        assessments.c.person_id == sa.bindparam("person"), assessments.c.year == sa.bindparam("of")
    )
)
_EVERY_OF_PERSON = Prepared(
    sa.select(*_COLUMNS).where(assessments.c.person_id == sa.bindparam("person")).order_by(assessments.c.year)
)
_ANSWERS = Prepared(
    sa.select(
        answers.c.indicator,
        answers.c.level,
        answers.c.officer_level,
        answers.c.officer_reason,
        answers.c.return_reason,
        answers.c.changed_at,
    )
    .where(answers.c.assessment_id == sa.bindparam("assessment"))
    .order_by(answers.c.indicator)
)


def by_id(conn: Connection, assessment_id: int) -> AssessmentRow | None:
    """An assessment by its row id."""
    row = _BY_ID.first(conn, assessment=assessment_id)
    return None if row is None else AssessmentRow(*row)


def by_code(conn: Connection, code: str) -> AssessmentRow | None:
    """An assessment by its printed code ``HS-2026-7K3QD``."""
    row = _BY_CODE.first(conn, printed=code)
    return None if row is None else AssessmentRow(*row)


def of_person(conn: Connection, person_id: int, year: int) -> AssessmentRow | None:
    """The assessment of a person in a year."""
    row = _OF_PERSON.first(conn, person=person_id, of=year)
    return None if row is None else AssessmentRow(*row)


def every_of_person(conn: Connection, person_id: int) -> list[AssessmentRow]:
    """All assessments of a person, oldest year first."""
    return [AssessmentRow(*row) for row in _EVERY_OF_PERSON.all(conn, person=person_id)]


def answers_of(conn: Connection, assessment_id: int) -> dict[str, AnswerRow]:
    """Indicator → answer."""
    return {row.indicator: AnswerRow(*row) for row in _ANSWERS.all(conn, assessment=assessment_id)}


def editable(row: AssessmentRow, answer: AnswerRow | None) -> bool:
    """May the citizen change this answer now? In a draft all, in a returned dossier only those returned."""
    return row.status == "draft" or (
        row.status == "returned" and answer is not None and answer.return_reason is not None
    )


# ------------------------------------------------------------------------------------------ the life-cycle

_MOVE = Prepared(
    sa.update(assessments)
    .where(assessments.c.id == sa.bindparam("assessment"), assessments.c.status == sa.bindparam("was"))
    .values(
        status=sa.bindparam("becomes"),
        version=assessments.c.version + 1,
        submitted_at=sa.bindparam("submitted"),
        opened_at=sa.bindparam("opened"),
        decided_at=sa.bindparam("decided"),
        handed_in_at=None,
    )
)


def _pass(conn: Connection, row: AssessmentRow, event: str, actor: str, now: datetime) -> AssessmentRow:
    """Take an assessment from one status to the next. Raises ``Refused("assessment_state", status, event)``."""
    becomes = LIFE.get((row.status, event))
    if becomes is None:
        raise Refused("assessment_state", status=row.status, event=event)
    submitted = now if event == "submit" else row.submitted_at
    opened = None if event == "submit" else row.opened_at
    decided = now if becomes in ("approved", "not_met") else None
    if becomes == "draft":
        submitted = None
    moved = _MOVE.run(
        conn,
        assessment=row.id,
        was=row.status,
        becomes=becomes,
        submitted=submitted,
        opened=opened,
        decided=decided,
    )
    if moved == 0:  # somebody else was faster: on PostgreSQL the row changed since it was read
        raise Refused("assessment_state", status=row.status, event=event)
    counters.shift(
        conn,
        assessment_id=row.id,
        unit_id=row.unit_id,
        year=row.year,
        subject_group=row.subject_group,
        before=row.status,
        after=becomes,
        why=event,
        now=now,
    )
    audit.write(conn, actor, f"assessment.{event}", f"assessment:{row.id}", now, row.unit_id)
    return replace(
        row,
        status=becomes,
        version=row.version + 1,
        submitted_at=submitted,
        opened_at=opened,
        decided_at=decided,
        handed_in_at=None,
    )


def locked(conn: Connection, assessment_id: int) -> AssessmentRow:
    """The assessment, locked until the turn ends. Raises ``Refused("assessment_gone")`` when it has been erased."""
    row = _LOCK.first(conn, assessment=assessment_id)
    if row is None:
        raise Refused("assessment_gone")
    return AssessmentRow(*row)


_INSERT_REGISTRATION = Prepared(
    sa.insert(registrations).values(
        person_id=sa.bindparam("person"), year=sa.bindparam("of"), unit_id=sa.bindparam("unit"), at=sa.bindparam("now")
    )
)
_INSERT = Prepared(
    sa.insert(assessments)
    .values(
        id=Next("assessments"),
        code=sa.bindparam("printed"),
        person_id=sa.bindparam("person"),
        year=sa.bindparam("of"),
        unit_id=sa.bindparam("unit"),
        subject_group=sa.bindparam("group"),
        criteria_id=sa.bindparam("set_id"),
        criteria_version=sa.bindparam("set_version"),
        status="registered",
        version=1,
        registered_at=sa.bindparam("now"),
    )
    .returning(assessments.c.id)
)


def register(
    conn: Connection, person: PersonRow, year: int, criteria_id: str, criteria_version: str, now: datetime
) -> AssessmentRow:
    """Register a person for a season (đăng ký): their assessment begins as ``registered``. Again: the same one."""
    there = of_person(conn, person.id, year)
    if there is not None:
        return there
    code = codes.printed(codes.new_dossier(year))
    while by_code(conn, code) is not None:  # 33 million codes a year: seldom
        code = codes.printed(codes.new_dossier(year))
    _INSERT_REGISTRATION.run(conn, person=person.id, of=year, unit=person.unit_id, now=now)
    assessment_id: int = _INSERT.value(
        conn,
        printed=code,
        person=person.id,
        of=year,
        unit=person.unit_id,
        group=person.subject_group,
        set_id=criteria_id,
        set_version=criteria_version,
        now=now,
    )
    counters.shift(
        conn,
        assessment_id=assessment_id,
        unit_id=person.unit_id,
        year=year,
        subject_group=person.subject_group,
        before=None,
        after="registered",
        why="register",
        now=now,
    )
    audit.write(conn, f"person:{person.id}", "assessment.register", f"assessment:{assessment_id}", now, person.unit_id)
    return AssessmentRow(
        assessment_id,
        code,
        person.id,
        year,
        person.unit_id,
        person.subject_group,
        criteria_id,
        criteria_version,
        "registered",
        1,
        now,
        None,
        None,
        None,
    )


_CLEAR_ANSWERS = Prepared(sa.delete(answers).where(answers.c.assessment_id == sa.bindparam("assessment")))
_CRITERIA = Prepared(
    sa.update(assessments)
    .where(assessments.c.id == sa.bindparam("assessment"))
    .values(criteria_id=sa.bindparam("set_id"), criteria_version=sa.bindparam("set_version"))
)


def start(
    conn: Connection, assessment_id: int, actor: str, criteria_id: str, criteria_version: str, now: datetime
) -> AssessmentRow:
    """Open the questions: of a registered assessment, or anew of a withdrawn one (its answers are cleared)."""
    row = locked(conn, assessment_id)
    if row.status == "draft":
        return row
    began = _pass(conn, row, "start", actor, now)
    if row.status == "withdrawn":
        clear(conn, assessment_id, now)
    _CRITERIA.run(conn, assessment=assessment_id, set_id=criteria_id, set_version=criteria_version)
    return began


def clear(conn: Connection, assessment_id: int, now: datetime) -> None:
    """Take away answers and evidence of an assessment; its history stays."""
    evidence.remove_all(conn, assessment_id, now)
    _CLEAR_ANSWERS.run(conn, assessment=assessment_id)


def start_again(conn: Connection, assessment_id: int, actor: str, now: datetime) -> AssessmentRow:
    """Làm lại: a draft begins from the first question, its answers and evidence cleared."""
    row = locked(conn, assessment_id)
    if row.status != "draft":
        raise Refused("assessment_state", status=row.status, event="start_again")
    clear(conn, assessment_id, now)
    _HAND_IN.run(conn, assessment=assessment_id, now=None)
    audit.write(conn, actor, "assessment.start_again", f"assessment:{row.id}", now, row.unit_id)
    return replace(row, handed_in_at=None)


_HAND_IN = Prepared(
    sa.update(assessments)
    .where(assessments.c.id == sa.bindparam("assessment"))
    .values(handed_in_at=sa.bindparam("now", type_=UtcTime))
)


def hand_in(conn: Connection, assessment_id: int, actor: str, now: datetime) -> AssessmentRow:
    """Nộp while pictures are still on their way: :func:`submit` is to follow by itself when all are there.

    Again: nothing happens. Raises ``Refused("assessment_state")`` where it could not be submitted.
    """
    row = locked(conn, assessment_id)
    if (row.status, "submit") not in LIFE:
        raise Refused("assessment_state", status=row.status, event="submit")
    if row.handed_in_at is not None:
        return row
    _HAND_IN.run(conn, assessment=assessment_id, now=now)
    audit.write(conn, actor, "assessment.hand_in", f"assessment:{row.id}", now, row.unit_id)
    return replace(row, handed_in_at=now)


def submit(conn: Connection, assessment_id: int, actor: str, now: datetime) -> AssessmentRow:
    """Nộp: into the officers' queue. The caller has checked that every question has an answer and its evidence."""
    return _pass(conn, locked(conn, assessment_id), "submit", actor, now)


def withdraw(conn: Connection, assessment_id: int, actor: str, now: datetime) -> AssessmentRow:
    """Rút hồ sơ. Pictures still on their way are not waited for."""
    row = _pass(conn, locked(conn, assessment_id), "withdraw", actor, now)
    _FORGET_RETURNS.run(conn, assessment=assessment_id)
    evidence.remove_arriving(conn, assessment_id)
    return row


def decide(conn: Connection, row: AssessmentRow, event: str, actor: str, now: datetime) -> AssessmentRow:
    """``approve``, ``not_met``, ``return`` or ``undo``; only :mod:`storage.reviews` calls this, with the row locked."""
    return _pass(conn, row, event, actor, now)


# ------------------------------------------------------------------------------------------ answers

_ANSWER = Prepared(
    sa.select(
        answers.c.indicator,
        answers.c.level,
        answers.c.officer_level,
        answers.c.officer_reason,
        answers.c.return_reason,
        answers.c.changed_at,
    ).where(answers.c.assessment_id == sa.bindparam("assessment"), answers.c.indicator == sa.bindparam("of"))
)
_INSERT_ANSWER = Prepared(
    sa.insert(answers).values(
        assessment_id=sa.bindparam("assessment"),
        indicator=sa.bindparam("of"),
        level=sa.bindparam("given"),
        changed_at=sa.bindparam("now"),
    )
)
# The citizen's new level takes an earlier officer's level away: the officer judged another answer.
_CHANGE_ANSWER = Prepared(
    sa.update(answers)
    .where(answers.c.assessment_id == sa.bindparam("assessment"), answers.c.indicator == sa.bindparam("of"))
    .values(
        level=sa.bindparam("given"), officer_level=None, officer_reason=None, officer_id=None,
        changed_at=sa.bindparam("now"),
    )
)  # fmt: skip
_REMEMBER = Prepared(
    sa.insert(answer_history).values(
        assessment_id=sa.bindparam("assessment"),
        indicator=sa.bindparam("of"),
        level=sa.bindparam("given"),
        before=sa.bindparam("was"),
        what=sa.bindparam("sort"),
        actor=sa.bindparam("by"),
        at=sa.bindparam("now"),
    )
)


def answer_of(conn: Connection, assessment_id: int, indicator: str) -> AnswerRow | None:
    """One answer."""
    row = _ANSWER.first(conn, assessment=assessment_id, of=indicator)
    return None if row is None else AnswerRow(*row)


def answer(conn: Connection, assessment_id: int, indicator: str, level: str, actor: str, now: datetime) -> None:
    """Give a level. Raises ``Refused("assessment_closed")`` where the question is not open to the citizen."""
    row = locked(conn, assessment_id)
    there = answer_of(conn, assessment_id, indicator)
    if not editable(row, there):
        raise Refused("assessment_closed", status=row.status)
    if there is None:
        _INSERT_ANSWER.run(conn, assessment=assessment_id, of=indicator, given=level, now=now)
    elif there.level == level:
        return
    else:
        _CHANGE_ANSWER.run(conn, assessment=assessment_id, of=indicator, given=level, now=now)
    changed(conn, row.unit_id, row.year, row.status)
    remember(conn, assessment_id, indicator, level, there.level if there else None, "level", actor, now)


def remember(
    conn: Connection,
    assessment_id: int,
    indicator: str,
    level: str | None,
    before: str | None,
    what: str,
    actor: str,
    now: datetime,
) -> None:
    """Append to the history of answers."""
    _REMEMBER.run(conn, assessment=assessment_id, of=indicator, given=level, was=before, sort=what, by=actor, now=now)


def add_evidence(
    conn: Connection,
    assessment_id: int,
    indicator: str,
    kind: str,
    *,
    contact_id: int,
    actor: str,
    key: str | None = None,
    held: evidence.Held | None = None,
    text: str = "",
    quota: evidence.Quota | None = None,
    now: datetime,
) -> bool:
    """Put a piece of evidence beside an answer that is open to the citizen (see :func:`storage.evidence.add`)."""
    row = locked(conn, assessment_id)
    there = answer_of(conn, assessment_id, indicator)
    if not (editable(row, there) or (row.status == "draft" and there is None)):
        raise Refused("assessment_closed", status=row.status)
    added = evidence.add(
        conn,
        assessment_id,
        indicator,
        kind,
        contact_id=contact_id,
        key=key,
        held=held,
        text=text,
        quota=quota,
        now=now,
    )
    if added:
        changed(conn, row.unit_id, row.year, row.status)
        remember(conn, assessment_id, indicator, None, None, "evidence", actor, now)
    return added


def remove_evidence(
    conn: Connection, assessment_id: int, indicator: str, piece_id: int, actor: str, now: datetime
) -> None:
    """Take a piece of evidence away from an answer that is open to the citizen."""
    row = locked(conn, assessment_id)
    if not editable(row, answer_of(conn, assessment_id, indicator)):
        raise Refused("assessment_closed", status=row.status)
    if evidence.remove(conn, assessment_id, piece_id, now):
        changed(conn, row.unit_id, row.year, row.status)
        remember(conn, assessment_id, indicator, None, None, "evidence", actor, now)


_LOST = Prepared(
    sa.select(answer_history.c.indicator)
    .where(
        answer_history.c.assessment_id == sa.bindparam("assessment"),
        answer_history.c.what == "lost",
        answer_history.c.at >= sa.bindparam("since"),
        ~sa.exists(
            sa.select(_later.c.id).where(
                _later.c.assessment_id == answer_history.c.assessment_id,
                _later.c.indicator == answer_history.c.indicator,
                _later.c.id > answer_history.c.id,
                _later.c.actor.like("person:%"),
            )
        ),
    )
    .distinct()
    .order_by(answer_history.c.indicator)
)


def lose_evidence(conn: Connection, row: evidence.ArrivalRow, now: datetime) -> None:
    """A picture on its way cannot be had: its piece goes. The caller holds the assessment's lock."""
    if evidence.remove(conn, row.assessment_id, row.evidence_id, now):
        dossier = locked(conn, row.assessment_id)
        changed(conn, dossier.unit_id, dossier.year, dossier.status)
        remember(conn, row.assessment_id, row.indicator, None, None, "lost", f"channel:{row.account}"[:32], now)


def lost_since(conn: Connection, assessment_id: int, since: datetime) -> list[str]:
    """The indicators that lost a picture since a moment and that the citizen has not touched after that."""
    return [row.indicator for row in _LOST.all(conn, assessment=assessment_id, since=since)]


_FORGET_RETURNS = Prepared(
    sa.update(answers).where(answers.c.assessment_id == sa.bindparam("assessment")).values(return_reason=None)
)
_CHANGED_SINCE = Prepared(
    sa.select(answer_history.c.indicator)
    .where(
        answer_history.c.assessment_id == sa.bindparam("assessment"),
        answer_history.c.at >= sa.bindparam("since"),
        answer_history.c.actor.like("person:%"),
    )
    .distinct()
    .order_by(answer_history.c.indicator)
)


def changed_since(conn: Connection, assessment_id: int, since: datetime) -> list[str]:
    """The indicators whose level or evidence the citizen changed since a moment (what a mended dossier changed)."""
    return [row.indicator for row in _CHANGED_SINCE.all(conn, assessment=assessment_id, since=since)]


# ------------------------------------------------------------------------------------------ moving

_UNDECIDED = Prepared(
    sa.select(*_COLUMNS)
    .where(assessments.c.person_id == sa.bindparam("person"), assessments.c.decided_at.is_(None))
    .with_for_update()
)
_PLACE = Prepared(
    sa.update(assessments)
    .where(assessments.c.id == sa.bindparam("assessment"))
    .values(unit_id=sa.bindparam("unit"), subject_group=sa.bindparam("group"), version=assessments.c.version + 1)
)


def move(conn: Connection, person: PersonRow, unit_id: int, actor: str, now: datetime) -> list[AssessmentRow]:
    """The person moves to another unit; undecided assessments go along, out of the old counts into the new."""
    people_verbs.correct(conn, person.id, "unit_id", unit_id)
    rollout.rebind(conn, person.unit_id, unit_id)
    audit.write(conn, actor, "person.move", f"person:{person.id}", now, unit_id, before=person.unit_id)
    return _replace(conn, person, unit_id, person.subject_group, "move", now)


def regroup(conn: Connection, person: PersonRow, subject_group: str, actor: str, now: datetime) -> list[AssessmentRow]:
    """The person's subject group is corrected; undecided assessments change their count."""
    people_verbs.correct(conn, person.id, "subject_group", subject_group)
    audit.write(conn, actor, "person.regroup", f"person:{person.id}", now, person.unit_id)
    return _replace(conn, person, person.unit_id, subject_group, "regroup", now)


def _replace(
    conn: Connection, person: PersonRow, unit_id: int, group: str, why: str, now: datetime
) -> list[AssessmentRow]:
    moved = [AssessmentRow(*row) for row in _UNDECIDED.all(conn, person=person.id)]
    for row in moved:
        steps = [(row.unit_id, row.subject_group, row.status, None), (unit_id, group, None, row.status)]
        for unit, of_group, before, after in sorted(steps, key=lambda step: (step[0], step[1])):
            counters.shift(
                conn,
                assessment_id=row.id,
                unit_id=unit,
                year=row.year,
                subject_group=of_group,
                before=before,
                after=after,
                why=why,
                now=now,
            )
        _PLACE.run(conn, assessment=row.id, unit=unit_id, group=group)
    return moved


# ------------------------------------------------------------------------------------------ the queue


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A dossier that waits (chờ xét)."""

    id: int
    code: str
    person_id: int
    name: str
    unit_id: int
    unit_name: str
    submitted_at: datetime
    opened_at: datetime | None


_QUEUE = Prepared(
    sa.select(
        assessments.c.id,
        assessments.c.code,
        assessments.c.person_id,
        people.c.name,
        assessments.c.unit_id,
        units.c.name.label("unit_name"),
        assessments.c.submitted_at,
        assessments.c.opened_at,
    )
    .select_from(
        units.join(assessments, assessments.c.unit_id == units.c.id).join(
            people, people.c.id == assessments.c.person_id
        )
    )
    .where(
        units.c.path >= sa.bindparam("low"),
        units.c.path < sa.bindparam("high"),
        assessments.c.status == "submitted",
    )
    .order_by(assessments.c.submitted_at, assessments.c.id)
    .limit(sa.bindparam("most"))
    .offset(sa.bindparam("skip"))
)
_STALE_QUEUE = Prepared(
    sa.select(sa.func.count())
    .select_from(units.join(assessments, assessments.c.unit_id == units.c.id))
    .where(
        units.c.path >= sa.bindparam("low"),
        units.c.path < sa.bindparam("high"),
        assessments.c.status == "submitted",
        assessments.c.submitted_at < sa.bindparam("before"),
    )
)


def below(path: str) -> tuple[str, str]:
    """The range of paths at and below a unit's path: ``low <= path < high`` ("/" is followed by "0")."""
    return path, path[:-1] + "0"


def queue(conn: Connection, path: str, most: int = 10, skip: int = 0) -> list[QueueRow]:
    """Dossiers waiting at or below a unit, oldest first."""
    low, high = below(path)
    return [QueueRow(*row) for row in _QUEUE.all(conn, low=low, high=high, most=most, skip=skip)]


def waiting_before(conn: Connection, path: str, before: datetime) -> int:
    """How many dossiers at or below a unit have waited since before a moment."""
    low, high = below(path)
    count: int = _STALE_QUEUE.value(conn, low=low, high=high, before=before)
    return count


_HANDED_IN_BETWEEN = Prepared(
    sa.select(units.c.path, sa.func.count().label("n"))
    .select_from(units.join(assessments, assessments.c.unit_id == units.c.id))
    .where(
        units.c.path >= sa.bindparam("low"),
        units.c.path < sa.bindparam("high"),
        assessments.c.status == "submitted",
        assessments.c.submitted_at >= sa.bindparam("since"),
        assessments.c.submitted_at < sa.bindparam("before"),
    )
    .group_by(units.c.path)
)


def waiting_between(conn: Connection, path: str, since: datetime, before: datetime) -> dict[str, int]:
    """Path of a unit at or below one → how many of its dossiers wait that were handed in between two moments."""
    low, high = below(path)
    return {row.path: row.n for row in _HANDED_IN_BETWEEN.all(conn, low=low, high=high, since=since, before=before)}


_WAITING = Prepared(
    sa.select(sa.func.count())
    .select_from(units.join(assessments, assessments.c.unit_id == units.c.id))
    .where(
        units.c.path >= sa.bindparam("low"),
        units.c.path < sa.bindparam("high"),
        assessments.c.status == "submitted",
    )
)


def waiting(conn: Connection, path: str) -> int:
    """How many dossiers wait at or below a unit."""
    low, high = below(path)
    count: int = _WAITING.value(conn, low=low, high=high)
    return count


_OPENED = Prepared(
    sa.update(assessments)
    .where(assessments.c.id == sa.bindparam("assessment"), assessments.c.opened_at.is_(None))
    .values(opened_at=sa.bindparam("now"))
)


def opened(conn: Connection, assessment_id: int, now: datetime) -> None:
    """An officer looked at the waiting dossier for the first time since it was submitted."""
    _OPENED.run(conn, assessment=assessment_id, now=now)


_UNOPENED = Prepared(
    sa.select(assessments.c.unit_id, units.c.name, sa.func.count().label("n"), sa.func.min(assessments.c.submitted_at))
    .select_from(units.join(assessments, assessments.c.unit_id == units.c.id))
    .where(
        units.c.path >= sa.bindparam("low"),
        units.c.path < sa.bindparam("high"),
        assessments.c.status == "submitted",
        assessments.c.opened_at.is_(None),
        assessments.c.submitted_at < sa.bindparam("before"),
    )
    .group_by(assessments.c.unit_id, units.c.name)
    .order_by(sa.func.min(assessments.c.submitted_at))
    .limit(10)
)


def unopened(conn: Connection, path: str, before: datetime) -> list[tuple[int, str, int, datetime]]:
    """Units below a supervisor whose queue nobody opened: (unit id, name, how many, oldest), at most 10."""
    low, high = below(path)
    return [tuple(row) for row in _UNOPENED.all(conn, low=low, high=high, before=before)]


_LEVEL_COUNTS = Prepared(
    sa.select(
        assessments.c.criteria_id,
        assessments.c.criteria_version,
        answers.c.indicator,
        sa.func.coalesce(answers.c.officer_level, answers.c.level).label("given"),
        sa.func.count().label("n"),
    )
    .select_from(
        units.join(assessments, assessments.c.unit_id == units.c.id).join(
            answers, answers.c.assessment_id == assessments.c.id
        )
    )
    .where(
        units.c.path >= sa.bindparam("low"),
        units.c.path < sa.bindparam("high"),
        assessments.c.year == sa.bindparam("of"),
        assessments.c.status.in_(
            [sa.literal_column(f"'{status}'") for status in ("submitted", "returned", "approved", "not_met")]
        ),
    )
    .group_by(
        assessments.c.criteria_id,
        assessments.c.criteria_version,
        answers.c.indicator,
        sa.func.coalesce(answers.c.officer_level, answers.c.level),
    )
)


def level_counts(conn: Connection, path: str, year: int) -> list[tuple[str, str, str, str, int]]:
    """How often each level stands in the dossiers handed in at or below a unit, the officer's level before the
    citizen's: (criteria id, criteria version, indicator, level, how many)."""
    low, high = below(path)
    return [tuple(row) for row in _LEVEL_COUNTS.all(conn, low=low, high=high, of=year)]


def listing(
    conn: Connection, path: str | None = None, status: str | None = None, limit: int = 10_000
) -> list[AssessmentRow]:
    """Assessments for scripts, newest last; below a unit, with a status."""
    query = sa.select(*_COLUMNS).select_from(assessments.join(units, units.c.id == assessments.c.unit_id))
    if path is not None:
        low, high = below(path)
        query = query.where(units.c.path >= low, units.c.path < high)
    if status is not None:
        query = query.where(assessments.c.status == status)
    return [AssessmentRow(**row._mapping) for row in conn.execute(query.order_by(assessments.c.id).limit(limit))]
