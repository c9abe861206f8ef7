"""Who gets a summary (người nhận bản tổng hợp), and how that fared.

Nothing of it lives in memory only: a recipient's row names the outbox row from the transaction on that put it there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import reach, summary_pages
from storage.base import BigId, Connection, Prepared, UtcTime, table_of
from storage.conversations import Reach
from storage.officers import officer_roles
from storage.outbox import outbox
from storage.people import contacts
from storage.schedules import RUN, RunRow, lock_open, runs, wishes
from storage.units import Unit

LATE = timedelta(minutes=15)  # a run that begins later than that after its time was missed
OUTCOMES = ("planned", "sent", "failed", "unreachable", "nothing")


class SummaryRecipient(SQLModel, table=True):
    """An officer who gets a run: ``planned`` until its message is settled, ``nothing`` where there was nothing to
    say. ``unit_ids``: what it tells of, widest first, commas between."""

    __tablename__ = "summary_recipients"
    __table_args__ = (
        sa.UniqueConstraint("run_id", "officer_id"),
        sa.CheckConstraint("outcome in ('planned', 'sent', 'failed', 'unreachable', 'nothing')", name="outcome"),
        sa.Index(
            "ix_summary_recipients_open",
            "run_id",
            "officer_id",
            sqlite_where=sa.text("outcome = 'planned'"),
            postgresql_where=sa.text("outcome = 'planned'"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    run_id: int = Field(foreign_key="summary_runs.id", sa_type=BigId)
    officer_id: int = Field(foreign_key="officers.id", index=True)
    unit_ids: str = Field(sa_type=sa.Text)
    language: str = Field(default="vi", max_length=2)
    contact_id: int | None = Field(default=None, sa_type=BigId, index=True)
    outbox_id: int | None = Field(default=None, sa_type=BigId)
    outcome: str = Field(default="planned", max_length=12)
    reason: str | None = Field(default=None, max_length=200)
    settled_at: datetime | None = Field(default=None, sa_type=UtcTime)


recipients = table_of(SummaryRecipient)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody whose message of a run is still to be put out, or to be settled."""

    id: int
    run_id: int
    schedule: str
    due_at: datetime
    late: bool
    officer_id: int
    unit_ids: tuple[int, ...]
    language: str
    contact_id: int | None


# ------------------------------------------------------------------------------------------ who


@dataclass(frozen=True, slots=True)
class Holder:
    """An officer with roles that a schedule is for: ``units`` (id, path) widest first."""

    officer_id: int
    units: tuple[tuple[int, str], ...]


def holders(
    conn: Connection, roles: Sequence[str], level: int | None, only: Collection[int] | None = None
) -> list[Holder]:
    """The officers who hold one of *roles* on a unit of a level (``None``: any), of these officers only where given.
    Units below another of the officer's are left out."""
    query = (
        sa.select(officer_roles.c.officer_id, units.c.id, units.c.path)
        .select_from(officer_roles.join(units, units.c.id == officer_roles.c.unit_id))
        .where(officer_roles.c.until.is_(None), officer_roles.c.role.in_(roles))
        .distinct()
        .order_by(officer_roles.c.officer_id, units.c.path)
    )
    if level is not None:
        query = query.where(units.c.level == level)
    if only is not None:
        query = query.where(officer_roles.c.officer_id.in_(only))
    found: dict[int, list[tuple[int, str]]] = {}
    for officer_id, unit_id, path in conn.execute(query):
        held = found.setdefault(officer_id, [])
        if not any(path.startswith(other) for _id, other in held):
            held.append((unit_id, path))
    return [Holder(officer_id, tuple(held)) for officer_id, held in found.items()]


# Of runs by the clock, that another run for the same day would only say again.
_TOLD_BEFORE = (
    sa.select(recipients.c.officer_id)
    .select_from(
        wishes.join(recipients, recipients.c.officer_id == wishes.c.officer_id).join(
            runs, sa.and_(runs.c.id == recipients.c.run_id, runs.c.schedule == wishes.c.schedule)
        )
    )
    .where(
        wishes.c.schedule == sa.bindparam("named"),
        runs.c.planned_by != "cli",
        runs.c.due_at >= sa.bindparam("since"),
        runs.c.begun_at <= wishes.c.changed_at,
    )
    .distinct()
)
_TOLD_BEFORE_ALL = Prepared(_TOLD_BEFORE)
_TOLD_BEFORE_ONE = Prepared(_TOLD_BEFORE.where(recipients.c.officer_id == sa.bindparam("officer")))
_GETS = Prepared(
    sa.select(recipients.c.id)
    .select_from(recipients.join(runs, runs.c.id == recipients.c.run_id))
    .where(
        recipients.c.officer_id == sa.bindparam("officer"),
        runs.c.schedule == sa.bindparam("named"),
        runs.c.planned_by != "cli",
        runs.c.due_at >= sa.bindparam("since"),
    )
    .limit(1)
)


def told_before_change(conn: Connection, schedule: str, since: datetime) -> set[int]:
    """The officers who were in a run of a schedule due since then, and have changed what they want of it after that:
    at another time of the same day they would hear the same again."""
    return {row.officer_id for row in _TOLD_BEFORE_ALL.all(conn, named=schedule, since=since)}


def was_told_before_change(conn: Connection, officer_id: int, schedule: str, since: datetime) -> bool:
    """The same of one officer."""
    return _TOLD_BEFORE_ONE.first(conn, named=schedule, since=since, officer=officer_id) is not None


def is_in_run(conn: Connection, officer_id: int, schedule: str, since: datetime) -> bool:
    """Is the officer in a run of a schedule that was due since then?"""
    return _GETS.first(conn, named=schedule, since=since, officer=officer_id) is not None


# ------------------------------------------------------------------------------------------ a run under way

_RUN_LOCKED = Prepared(sa.select(*RUN).where(runs.c.id == sa.bindparam("run")).with_for_update())
_BEGIN = Prepared(
    sa.update(runs)
    .where(runs.c.id == sa.bindparam("run"), runs.c.begun_at.is_(None))
    .values(begun_at=sa.bindparam("now"), late=sa.bindparam("was_late"))
)


def begin(
    conn: Connection, run_id: int, chosen: Iterable[tuple[Holder, Reach | None]], now: datetime, *, asked: bool = False
) -> bool:
    """Write down who gets a run; whom nobody can reach is settled as such. ``False`` when it has begun already.

    *asked*: somebody asked for it, so that it is never late. One transaction; 3,355 recipients take about 40 ms.
    """
    row = _RUN_LOCKED.first(conn, run=run_id)
    if row is None or row.begun_at is not None:
        return False
    _BEGIN.run(conn, run=run_id, now=now, was_late=not asked and now - row.due_at > LATE)
    made = [
        {
            "run_id": run_id,
            "officer_id": holder.officer_id,
            "unit_ids": ",".join(str(unit_id) for unit_id, _path in holder.units),
            "language": chat.language if chat else "vi",
            "contact_id": chat.contact_id if chat else None,
            "outcome": "planned" if chat else "unreachable",
            "settled_at": None if chat else now,
        }
        for holder, chat in chosen
    ]
    if made:
        conn.execute(sa.insert(recipients), made)
    return True


_UNSAID = (
    sa.select(
        recipients.c.id,
        recipients.c.run_id,
        runs.c.schedule,
        runs.c.due_at,
        runs.c.late,
        recipients.c.officer_id,
        recipients.c.unit_ids,
        recipients.c.language,
        recipients.c.contact_id,
    )
    .select_from(recipients.join(runs, runs.c.id == recipients.c.run_id))
    .where(recipients.c.outcome == "planned", recipients.c.outbox_id.is_(None), runs.c.ended_at.is_(None))
    .order_by(recipients.c.run_id, recipients.c.id)
)
_UNSAID_ALL = Prepared(_UNSAID)
_UNSAID_TO = Prepared(_UNSAID.where(recipients.c.officer_id == sa.bindparam("officer")))


def _recipients(rows: Iterable[Any]) -> list[Recipient]:
    return [
        Recipient(*row[:6], tuple(map(int, row.unit_ids.split(","))), row.language, row.contact_id)  # type: ignore[call-arg]
        for row in rows
    ]


def unsaid(conn: Connection) -> list[Recipient]:
    """Everybody whose message is still to be put out."""
    return _recipients(_UNSAID_ALL.all(conn))


def unsaid_to(conn: Connection, officer_ids: Sequence[int]) -> dict[int, list[Recipient]]:
    """The same of these officers, theirs alone until the transaction ends: no other process puts it out as well."""
    lock_open(conn)
    return {officer_id: _recipients(_UNSAID_TO.all(conn, officer=officer_id)) for officer_id in officer_ids}


_IN_OUTBOX = Prepared(
    sa.update(recipients)
    .where(recipients.c.id == sa.bindparam("recipient"), recipients.c.outcome == "planned")
    .values(outbox_id=sa.bindparam("row"), contact_id=sa.bindparam("contact"))
)
_TELLS_OF = Prepared(
    sa.update(recipients).where(recipients.c.id == sa.bindparam("recipient")).values(unit_ids=sa.bindparam("tells_of"))
)
_SETTLE = Prepared(
    sa.update(recipients)
    .where(recipients.c.id == sa.bindparam("recipient"), recipients.c.outcome == "planned")
    .values(outcome=sa.bindparam("result"), reason=sa.bindparam("why"), settled_at=sa.bindparam("now"))
)


def put_out(conn: Connection, recipient_id: int, outbox_id: int, contact_id: int) -> None:
    """The message is in the outbox, in this transaction."""
    _IN_OUTBOX.run(conn, recipient=recipient_id, row=outbox_id, contact=contact_id)


def tells_of(conn: Connection, recipient_id: int, unit_ids: Sequence[int]) -> None:
    """Roles have ended since the run began: what is left to tell of. At least one unit."""
    _TELLS_OF.run(conn, recipient=recipient_id, tells_of=",".join(map(str, unit_ids)))


def settle(conn: Connection, recipient_id: int, outcome: str, now: datetime, reason: str | None = None) -> None:
    """How it ended for a recipient: one of :data:`OUTCOMES` but ``planned``."""
    _SETTLE.run(conn, recipient=recipient_id, result=outcome, why=reason[:200] if reason else None, now=now)


def give_up(conn: Connection, officer_id: int, now: datetime, reason: str) -> None:
    """An officer's message cannot be written: all that is still to be said to them is settled as failed."""
    for row in unsaid_to(conn, [officer_id])[officer_id]:
        settle(conn, row.id, "failed", now, reason)


@dataclass(frozen=True, slots=True)
class Fared:
    """A recipient whose message has been settled in the outbox, or is gone from it (``outcome`` ``None``)."""

    id: int
    officer_id: int
    outbox_id: int
    outcome: str | None
    reason: str | None
    reachable: bool


_FARED = Prepared(
    sa.select(
        recipients.c.id,
        recipients.c.officer_id,
        recipients.c.outbox_id,
        outbox.c.outcome,
        outbox.c.reason,
        contacts.c.reachable,
    )
    .select_from(
        recipients.outerjoin(outbox, outbox.c.id == recipients.c.outbox_id).outerjoin(
            contacts, contacts.c.id == recipients.c.contact_id
        )
    )
    .where(
        recipients.c.outcome == "planned",
        recipients.c.outbox_id.is_not(None),
        sa.or_(outbox.c.outcome.is_(None), outbox.c.outcome != "waiting"),
    )
    .order_by(recipients.c.id)
    .limit(sa.bindparam("most"))
)
_STILL = Prepared(
    sa.select(recipients.c.id).where(
        recipients.c.id == sa.bindparam("recipient"),
        recipients.c.outbox_id == sa.bindparam("row"),
        recipients.c.outcome == "planned",
    )
)
_AGAIN = Prepared(
    sa.update(recipients)
    .where(recipients.c.id == sa.bindparam("recipient"), recipients.c.outcome == "planned")
    .values(outbox_id=None, contact_id=sa.bindparam("contact"), language=sa.bindparam("spoken"))
)
_OVER = (
    runs.c.begun_at.is_not(None),
    runs.c.ended_at.is_(None),
    ~sa.exists().where(recipients.c.run_id == runs.c.id, recipients.c.outcome == "planned"),
)
_ANY_OVER = Prepared(sa.select(runs.c.id).where(*_OVER).limit(1))
_END = Prepared(sa.update(runs).where(*_OVER).values(ended_at=sa.bindparam("now")).returning(runs.c.id))


def fared(conn: Connection, most: int = 500) -> list[Fared]:
    """Recipients whose messages have been settled since: oldest first."""
    return [Fared(row[0], row[1], row[2], row[3], row[4], bool(row[5])) for row in _FARED.all(conn, most=most)]


def take_down(conn: Connection, found: Sequence[Fared], now: datetime) -> None:
    """Write down how these fared. Whose chat cannot be written to any more gets it at the next one, if there is one;
    whose message was cancelled with one of their roles gets what is left of it.

    A message of which nothing is known any more (its row was forgotten, or its chat) is not said again.
    """
    lock_open(conn)
    for each in found:
        if _STILL.first(conn, recipient=each.id, row=each.outbox_id) is None:
            continue  # another process was quicker
        if each.outcome is None:
            settle(conn, each.id, "failed" if each.reachable else "unreachable", now, "unknown")
        elif each.outcome == "sent":
            settle(conn, each.id, "sent", now)
        elif each.outcome == "failed" and each.reachable:
            settle(conn, each.id, "failed", now, each.reason)
        else:
            other = reach.of_officer(conn, each.officer_id)
            if other is None:
                settle(conn, each.id, "unreachable", now, each.reason)
            else:
                _AGAIN.run(conn, recipient=each.id, contact=other.contact_id, spoken=other.language)


def any_over(conn: Connection) -> bool:
    """Is there a run that nobody waits for any more?"""
    return _ANY_OVER.first(conn) is not None


def end(conn: Connection, now: datetime) -> int:
    """End the runs that nobody waits for any more; how many. What they said goes, the code of its figures stays."""
    ended = [row.id for row in _END.all(conn, now=now)]
    for run_id in ended:
        summary_pages.forget_words(conn, run_id, now)
    return len(ended)


_not_yet = (
    outbox.c.id.in_(
        sa.select(recipients.c.outbox_id).where(
            recipients.c.run_id == sa.bindparam("run"),
            recipients.c.outcome == "planned",
            recipients.c.outbox_id.is_not(None),
        )
    ),
    outbox.c.outcome == "waiting",
    outbox.c.not_before < sa.bindparam("until"),
)
_SOONER = Prepared(sa.select(outbox.c.id).where(*_not_yet).limit(1))
_POSTPONE = Prepared(sa.update(outbox).where(*_not_yet).values(not_before=sa.bindparam("until")))


def topic(run_id: int) -> str:
    """The topic of a run's messages in the outbox."""
    return f"summary:{run_id}"


def any_sooner(conn: Connection, run_id: int, until: datetime) -> bool:
    """Would anything that a run has not sent yet go before then?"""
    return _SOONER.first(conn, run=run_id, until=until) is not None


def postpone(conn: Connection, run_id: int, until: datetime) -> int:
    """What a run has not sent yet, alone or in one message with others, waits until then; how many messages."""
    return _POSTPONE.run(conn, run=run_id, until=until)


# ------------------------------------------------------------------------------------------ the log


@dataclass(frozen=True, slots=True)
class Logged:
    """A run and how many of its recipients stand where; ``reasons`` of failures → how many."""

    run: RunRow
    counts: dict[str, int]
    reasons: dict[str, int]


def log(conn: Connection, schedule: str = "", most: int = 20) -> list[Logged]:
    """The newest runs (of a schedule), the newest first, with what became of their messages."""
    query = sa.select(*RUN).order_by(runs.c.due_at.desc(), runs.c.id.desc()).limit(most)
    if schedule:
        query = query.where(runs.c.schedule == schedule)
    found = []
    for row in conn.execute(query):
        counted = conn.execute(
            sa.select(recipients.c.outcome, recipients.c.reason, sa.func.count())
            .where(recipients.c.run_id == row.id)
            .group_by(recipients.c.outcome, recipients.c.reason)
            .order_by(recipients.c.outcome, recipients.c.reason)
        )
        counts = dict.fromkeys(OUTCOMES, 0)
        reasons: dict[str, int] = {}
        for outcome, reason, n in counted:
            counts[outcome] += n
            if reason and outcome == "failed":
                reasons[reason] = reasons.get(reason, 0) + n
        found.append(Logged(RunRow(*row), counts, reasons))
    return found


def purge(conn: Connection, before: datetime, most: int = 5) -> int:
    """Forget runs that ended before a moment, with everything of them, at most so many at once; how many."""
    old = list(
        conn.execute(sa.select(runs.c.id).where(runs.c.ended_at < before).order_by(runs.c.id).limit(most)).scalars()
    )
    for table in (recipients, summary_pages.pages, summary_pages.faults):
        conn.execute(sa.delete(table).where(table.c.run_id.in_(old)))
    conn.execute(sa.delete(runs).where(runs.c.id.in_(old)))
    return len(old)


_FORGET_CONTACT = Prepared(
    sa.update(recipients).where(recipients.c.contact_id == sa.bindparam("key")).values(contact_id=None)
)


def forget_contact(conn: Connection, contact_id: int) -> None:
    """The contact is going; that its officer was to get something stays."""
    _FORGET_CONTACT.run(conn, key=contact_id)
