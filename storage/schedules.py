"""Summaries that go up by themselves (lịch gửi báo cáo): planned runs, who gets each and how that fared, what an
officer wants of them.

A run is a row before it is due, so that one missed by a server that was down still happens, once. Nothing of it lives
in memory only: a recipient's row names the outbox row from the transaction on that put it there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of
from storage.conversations import Reach, conversations
from storage.officers import Officer, officer_contacts, officer_roles
from storage.outbox import outbox
from storage.people import contacts
from storage.units import Unit

LATE = timedelta(minutes=15)  # a run that begins later than that after its time was missed
OUTCOMES = ("planned", "sent", "failed", "unreachable", "nothing")


class SummaryRun(SQLModel, table=True):
    """A schedule's run: due at a moment, begun (its recipients are written down), ended (none of them is open)."""

    __tablename__ = "summary_runs"
    __table_args__ = (
        sa.UniqueConstraint("schedule", "due_at"),
        sa.Index(
            "ix_summary_runs_open",
            "due_at",
            sqlite_where=sa.text("ended_at is null"),
            postgresql_where=sa.text("ended_at is null"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    schedule: str = Field(max_length=32)
    due_at: datetime = Field(sa_type=UtcTime)
    late: bool = False
    planned_by: str = Field(default="system", max_length=32)
    begun_at: datetime | None = Field(default=None, sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)


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


class SummaryPage(SQLModel, table=True):
    """What a run says of a unit, in one language, made once for all who get it. ``picture``: the chart's key in the
    blob store; ``report``: the code under which its figures are kept."""

    __tablename__ = "summary_pages"
    run_id: int = Field(primary_key=True, foreign_key="summary_runs.id", sa_type=BigId)
    unit_id: int = Field(primary_key=True, foreign_key="units.id", index=True)
    language: str = Field(primary_key=True, max_length=2)
    text: str = Field(sa_type=sa.Text)
    picture: str | None = Field(default=None, max_length=64)
    picture_size: int = 0
    report: str | None = Field(default=None, max_length=12)
    made_at: datetime = Field(sa_type=UtcTime)


class SummaryWish(SQLModel, table=True):
    """What an officer wants of a schedule: paused, or at an own time of day (``minute`` after midnight)."""

    __tablename__ = "summary_wishes"
    __table_args__ = (sa.CheckConstraint("minute between 0 and 1439", name="minute"),)
    officer_id: int = Field(primary_key=True, foreign_key="officers.id")
    schedule: str = Field(primary_key=True, max_length=32)
    paused: bool = False
    minute: int | None = None
    changed_at: datetime = Field(sa_type=UtcTime)


runs = table_of(SummaryRun)
recipients = table_of(SummaryRecipient)
pages = table_of(SummaryPage)
wishes = table_of(SummaryWish)
officers = table_of(Officer)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run. Moments are in UTC."""

    id: int
    schedule: str
    due_at: datetime
    late: bool
    planned_by: str
    begun_at: datetime | None
    ended_at: datetime | None


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


@dataclass(frozen=True, slots=True)
class Page:
    """What a run says of a unit; ``picture`` a key of the blob store."""

    run_id: int
    unit_id: int
    language: str
    text: str
    picture: str | None
    picture_size: int
    report: str | None
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """What an officer wants of a schedule; ``minute`` after midnight, ``None``: the schedule's own time."""

    paused: bool = False
    minute: int | None = None


# ------------------------------------------------------------------------------------------ planning

_RUN = tuple(runs.c[name] for name in RunRow.__slots__)
_OPEN = Prepared(sa.select(*_RUN).where(runs.c.ended_at.is_(None)).order_by(runs.c.due_at, runs.c.id))
_OPEN_LOCKED = Prepared(
    sa.select(*_RUN).where(runs.c.ended_at.is_(None)).order_by(runs.c.due_at, runs.c.id).with_for_update()
)
_RUN_AT = Prepared(
    sa.select(*_RUN).where(runs.c.schedule == sa.bindparam("named"), runs.c.due_at == sa.bindparam("at"))
)
_RUN_LOCKED = Prepared(sa.select(*_RUN).where(runs.c.id == sa.bindparam("run")).with_for_update())
_PUT_RUN = Prepared(
    sa.insert(runs)
    .values(
        schedule=sa.bindparam("named"),
        due_at=sa.bindparam("at"),
        late=False,
        planned_by=sa.bindparam("by"),
    )
    .returning(runs.c.id)
)
_UNPLAN = Prepared(sa.delete(runs).where(runs.c.id == sa.bindparam("run"), runs.c.begun_at.is_(None)))
_BEGIN = Prepared(
    sa.update(runs)
    .where(runs.c.id == sa.bindparam("run"), runs.c.begun_at.is_(None))
    .values(begun_at=sa.bindparam("now"), late=sa.bindparam("was_late"))
)


def open_runs(conn: Connection) -> list[RunRow]:
    """Runs that have not ended, in the order of their time: planned ones, and those under way."""
    return [RunRow(*row) for row in _OPEN.all(conn)]


def plan(conn: Connection, wanted: Collection[tuple[str, datetime]], now: datetime) -> None:
    """What is to come is what is *wanted* (schedule, due time later than *now*), and nothing else. What was planned and
    is due by now stays, unless its schedule is no more: it was missed, and happens late."""
    known = _lock_open(conn)
    names = {name for name, _due in wanted}
    for run in known:
        kept = (run.schedule, run.due_at) in wanted if run.due_at > now else run.schedule in names
        if not kept and run.begun_at is None and run.planned_by == "system":
            _UNPLAN.run(conn, run=run.id)
    there = {(run.schedule, run.due_at) for run in known}
    for name, due in sorted(set(wanted) - there):
        if _RUN_AT.first(conn, named=name, at=due) is None:
            _PUT_RUN.value(conn, named=name, at=due, by="system")


def _lock_open(conn: Connection) -> list[RunRow]:
    """The open runs, theirs alone until the transaction ends: who plans, begins and puts out does so one at a time."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('summary_runs'))")
    return [RunRow(*row) for row in _OPEN_LOCKED.all(conn)]


def plan_now(conn: Connection, schedule: str, now: datetime, actor: str) -> int:
    """A run that somebody asked for, due at once; its id. Raises ``Refused("run_exists")`` for a second one within the
    same microsecond."""
    if _RUN_AT.first(conn, named=schedule, at=now) is not None:
        raise Refused("run_exists", schedule=schedule)
    found: int = _PUT_RUN.value(conn, named=schedule, at=now, by=actor)
    return found


# ------------------------------------------------------------------------------------------ who


@dataclass(frozen=True, slots=True)
class Holder:
    """An officer with roles that a schedule is for: ``units`` (id, path) widest first."""

    officer_id: int
    units: tuple[tuple[int, str], ...]


def holders(
    conn: Connection, roles: Sequence[str], level: int | None, only_units: Collection[int] = ()
) -> list[Holder]:
    """The officers who hold one of *roles* on a unit of a level (``None``: any), of these units only where named.
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
    if only_units:
        query = query.where(units.c.id.in_(only_units))
    found: dict[int, list[tuple[int, str]]] = {}
    for officer_id, unit_id, path in conn.execute(query):
        held = found.setdefault(officer_id, [])
        if not any(path.startswith(other) for _id, other in held):
            held.append((unit_id, path))
    return [Holder(officer_id, tuple(held)) for officer_id, held in found.items()]


_reachable = (
    sa.select(
        officer_contacts.c.officer_id,
        contacts.c.id,
        contacts.c.account,
        contacts.c.address,
        conversations.c.language,
    )
    .select_from(
        officer_contacts.join(contacts, contacts.c.id == officer_contacts.c.contact_id).join(
            conversations, conversations.c.contact_id == contacts.c.id
        )
    )
    .where(contacts.c.reachable)
)
_REACH = Prepared(
    _reachable.where(officer_contacts.c.officer_id == sa.bindparam("officer"))
    .order_by(conversations.c.used_at.desc(), contacts.c.id)
    .limit(1)
)
_EVERY_REACH = Prepared(_reachable.order_by(conversations.c.used_at, contacts.c.id.desc()))


def reach_of(conn: Connection, officer_id: int) -> Reach | None:
    """The reachable contact that an officer used last; ``None``: none."""
    row = _REACH.first(conn, officer=officer_id)
    return None if row is None else Reach(*row[1:])


def every_reach(conn: Connection) -> dict[int, Reach]:
    """The same for all officers."""
    return {row.officer_id: Reach(*row[1:]) for row in _EVERY_REACH.all(conn)}


# ------------------------------------------------------------------------------------------ what officers want

_WISH = Prepared(
    sa.select(wishes.c.paused, wishes.c.minute).where(
        wishes.c.officer_id == sa.bindparam("officer"), wishes.c.schedule == sa.bindparam("named")
    )
)
_WISHES = Prepared(sa.select(wishes.c.officer_id, wishes.c.schedule, wishes.c.paused, wishes.c.minute))
_OWN_TIMES = Prepared(
    sa.select(wishes.c.schedule, wishes.c.minute)
    .where(wishes.c.minute.is_not(None), wishes.c.paused.is_(False))
    .distinct()
)
_CHANGE_WISH = Prepared(
    sa.update(wishes)
    .where(wishes.c.officer_id == sa.bindparam("officer"), wishes.c.schedule == sa.bindparam("named"))
    .values(paused=sa.bindparam("pause"), minute=sa.bindparam("at_minute"), changed_at=sa.bindparam("now"))
)
_PUT_WISH = Prepared(
    sa.insert(wishes).values(
        officer_id=sa.bindparam("officer"),
        schedule=sa.bindparam("named"),
        paused=sa.bindparam("pause"),
        minute=sa.bindparam("at_minute"),
        changed_at=sa.bindparam("now"),
    )
)


def wish(conn: Connection, officer_id: int, schedule: str) -> Wish:
    """What an officer wants of a schedule."""
    row = _WISH.first(conn, officer=officer_id, named=schedule)
    return Wish() if row is None else Wish(bool(row.paused), row.minute)


def every_wish(conn: Connection) -> dict[tuple[int, str], Wish]:
    """(officer, schedule) → what they want, where they said anything."""
    return {(row.officer_id, row.schedule): Wish(bool(row.paused), row.minute) for row in _WISHES.all(conn)}


def own_times(conn: Connection) -> set[tuple[str, int]]:
    """(schedule, minute) of the own times that officers have chosen."""
    return {(row.schedule, row.minute) for row in _OWN_TIMES.all(conn)}


def set_wish(conn: Connection, officer_id: int, schedule: str, wanted: Wish, now: datetime) -> None:
    """What an officer wants from now on."""
    values = {"officer": officer_id, "named": schedule, "pause": wanted.paused, "at_minute": wanted.minute, "now": now}
    if _CHANGE_WISH.run(conn, **values) == 0:
        _PUT_WISH.run(conn, **values)


# ------------------------------------------------------------------------------------------ a run under way


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
            "language": reach.language if reach else "vi",
            "contact_id": reach.contact_id if reach else None,
            "outcome": "planned" if reach else "unreachable",
            "settled_at": None if reach else now,
        }
        for holder, reach in chosen
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
    _lock_open(conn)
    return {officer_id: _recipients(_UNSAID_TO.all(conn, officer=officer_id)) for officer_id in officer_ids}


_IN_OUTBOX = Prepared(
    sa.update(recipients)
    .where(recipients.c.id == sa.bindparam("recipient"), recipients.c.outcome == "planned")
    .values(outbox_id=sa.bindparam("row"), contact_id=sa.bindparam("contact"))
)
_SETTLE = Prepared(
    sa.update(recipients)
    .where(recipients.c.id == sa.bindparam("recipient"), recipients.c.outcome == "planned")
    .values(outcome=sa.bindparam("result"), reason=sa.bindparam("why"), settled_at=sa.bindparam("now"))
)


def put_out(conn: Connection, recipient_id: int, outbox_id: int, contact_id: int) -> None:
    """The message is in the outbox, in this transaction."""
    _IN_OUTBOX.run(conn, recipient=recipient_id, row=outbox_id, contact=contact_id)


def settle(conn: Connection, recipient_id: int, outcome: str, now: datetime, reason: str | None = None) -> None:
    """How it ended for a recipient: one of :data:`OUTCOMES` but ``planned``."""
    _SETTLE.run(conn, recipient=recipient_id, result=outcome, why=reason[:200] if reason else None, now=now)


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
_FORGET_TEXTS = Prepared(sa.update(pages).where(pages.c.run_id == sa.bindparam("run")).values(text=""))


def fared(conn: Connection, most: int = 500) -> list[Fared]:
    """Recipients whose messages have been settled since: oldest first."""
    return [Fared(row[0], row[1], row[2], row[3], row[4], bool(row[5])) for row in _FARED.all(conn, most=most)]


def take_down(conn: Connection, found: Sequence[Fared], now: datetime) -> None:
    """Write down how these fared. Whose chat cannot be written to any more gets it at the next one, if there is one."""
    _lock_open(conn)
    for each in found:
        if _STILL.first(conn, recipient=each.id, row=each.outbox_id) is None:
            continue  # another process was quicker
        if each.outcome == "sent":
            settle(conn, each.id, "sent", now)
        elif each.outcome == "failed" and each.reachable:
            settle(conn, each.id, "failed", now, each.reason)
        elif each.outcome == "cancelled":
            settle(conn, each.id, "failed", now, "cancelled")
        else:
            other = reach_of(conn, each.officer_id)
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
        _FORGET_TEXTS.run(conn, run=run_id)
    return len(ended)


_POSTPONE = Prepared(
    sa.update(outbox)
    .where(
        outbox.c.topic == sa.bindparam("of"),
        outbox.c.outcome == "waiting",
        outbox.c.not_before < sa.bindparam("until"),
    )
    .values(not_before=sa.bindparam("until"))
)


def topic(run_id: int) -> str:
    """The topic of a run's messages in the outbox."""
    return f"summary:{run_id}"


def postpone(conn: Connection, run_id: int, until: datetime) -> int:
    """What a run has not sent yet waits until then; how many messages."""
    return _POSTPONE.run(conn, of=topic(run_id), until=until)


# ------------------------------------------------------------------------------------------ pages

_PAGE = tuple(pages.c[name] for name in Page.__slots__)
_PAGES_OF = Prepared(
    sa.select(*_PAGE).where(
        pages.c.run_id == sa.bindparam("run"),
        pages.c.unit_id == sa.bindparam("unit"),
        pages.c.language == sa.bindparam("spoken"),
    )
)
_MADE = Prepared(
    sa.select(pages.c.run_id, pages.c.unit_id, pages.c.language)
    .select_from(pages.join(runs, runs.c.id == pages.c.run_id))
    .where(runs.c.ended_at.is_(None))
)
_PUT_PAGE = Prepared(
    sa.insert(pages).values({name: sa.bindparam(f"new_{name}", type_=pages.c[name].type) for name in Page.__slots__})
)
_BEFORE = Prepared(
    sa.select(pages.c.report)
    .select_from(pages.join(runs, runs.c.id == pages.c.run_id))
    .where(
        runs.c.schedule == sa.bindparam("named"),
        pages.c.unit_id == sa.bindparam("unit"),
        pages.c.run_id < sa.bindparam("run"),
        pages.c.report.is_not(None),
    )
    .order_by(pages.c.run_id.desc())
    .limit(1)
)
_WAITING_FOR_PAGE = Prepared(
    sa.select(recipients.c.contact_id)
    .where(
        recipients.c.run_id == sa.bindparam("run"),
        recipients.c.outcome == "planned",
        recipients.c.language == sa.bindparam("spoken"),
        recipients.c.contact_id.is_not(None),
        sa.or_(
            recipients.c.unit_ids == sa.bindparam("only"),
            recipients.c.unit_ids.like(sa.bindparam("first")),
            recipients.c.unit_ids.like(sa.bindparam("middle")),
            recipients.c.unit_ids.like(sa.bindparam("last")),
        ),
    )
    .order_by(recipients.c.contact_id)
)


def made_pages(conn: Connection) -> set[tuple[int, int, str]]:
    """(run, unit, language) of the pages of open runs."""
    return {(row.run_id, row.unit_id, row.language) for row in _MADE.all(conn)}


def page(conn: Connection, run_id: int, unit_id: int, language: str) -> Page | None:
    """What a run says of a unit; ``None`` while it has not been made."""
    row = _PAGES_OF.first(conn, run=run_id, unit=unit_id, spoken=language)
    return None if row is None else Page(*row)


def put_page(conn: Connection, made: Page) -> bool:
    """Keep a page; ``False`` when somebody else has made it meanwhile."""
    _lock_open(conn)
    if page(conn, made.run_id, made.unit_id, made.language) is not None:
        return False
    _PUT_PAGE.run(conn, **{f"new_{name}": getattr(made, name) for name in Page.__slots__})
    return True


def readers_of(conn: Connection, run_id: int, unit_id: int, language: str) -> list[int]:
    """The contacts that a page goes to."""
    found = _WAITING_FOR_PAGE.all(
        conn,
        run=run_id,
        spoken=language,
        only=str(unit_id),
        first=f"{unit_id},%",
        middle=f"%,{unit_id},%",
        last=f"%,{unit_id}",
    )
    return list(dict.fromkeys(row.contact_id for row in found))


def report_before(conn: Connection, schedule: str, unit_id: int, run_id: int) -> str | None:
    """The code of the report that the schedule's run before this one told of a unit."""
    found: str | None = _BEFORE.value(conn, named=schedule, unit=unit_id, run=run_id)
    return found


# ------------------------------------------------------------------------------------------ the log


@dataclass(frozen=True, slots=True)
class Logged:
    """A run and how many of its recipients stand where; ``reasons`` of failures → how many."""

    run: RunRow
    counts: dict[str, int]
    reasons: dict[str, int]


def log(conn: Connection, schedule: str = "", most: int = 20) -> list[Logged]:
    """The newest runs (of a schedule), the newest first, with what became of their messages."""
    query = sa.select(*_RUN).order_by(runs.c.due_at.desc(), runs.c.id.desc()).limit(most)
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
    for table in (recipients, pages):
        conn.execute(sa.delete(table).where(table.c.run_id.in_(old)))
    conn.execute(sa.delete(runs).where(runs.c.id.in_(old)))
    return len(old)


_FORGET_CONTACT = Prepared(
    sa.update(recipients).where(recipients.c.contact_id == sa.bindparam("key")).values(contact_id=None)
)


def forget_contact(conn: Connection, contact_id: int) -> None:
    """The contact is going; that its officer was to get something stays."""
    _FORGET_CONTACT.run(conn, key=contact_id)
