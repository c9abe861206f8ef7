"""The outbox: everything that goes out is a row here first, in the transaction of the turn that caused it.

A row carries its address itself, so that a farewell can still be sent when its contact has been forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import handed, numbering
from storage.base import BigId, Connection, Prepared, UtcTime, table_of
from storage.numbering import Next

ANSWER, NOTICE, BULK = 0, 1, 2


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


_waiting = _only("outcome = 'waiting'")
_with_topic = _only("topic is not null")
_to_person = _only("person_id is not null and topic is not null")


class Outgoing(SQLModel, table=True):
    """A message on its way. ``priority``: 0 answer, 1 notice, 2 bulk. ``topic`` lets an undo cancel what has not
    left yet. ``person_id``: the citizen that a notice is for, whichever contact of theirs it goes to."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.CheckConstraint("priority between 0 and 2", name="priority"),
        sa.CheckConstraint("outcome in ('waiting', 'sent', 'failed', 'cancelled')", name="outcome"),
        # Only what waits is looked for, so only that is in the indexes: every answer of every turn is a row here.
        sa.Index("ix_outbox_due", "account", "not_before", **_waiting),
        sa.Index("ix_outbox_address", "account", "address", **_waiting),
        sa.Index("ix_outbox_topic", "topic", **_with_topic),
        sa.Index("ix_outbox_person", "person_id", **_to_person),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    account: str = Field(max_length=64)
    address: str = Field(max_length=128)
    contact_id: int | None = Field(default=None, sa_type=BigId, index=True)
    person_id: int | None = Field(default=None, sa_type=BigId)
    priority: int = 0
    body: str = Field(sa_type=sa.Text)
    topic: str | None = Field(default=None, max_length=64)
    not_before: datetime = Field(sa_type=UtcTime)
    made_at: datetime = Field(sa_type=UtcTime, index=True)
    attempts: int = 0
    outcome: str = Field(default="waiting", max_length=9)
    reason: str | None = Field(default=None, max_length=200)
    message_id: int | None = Field(default=None, sa_type=BigId)


outbox = table_of(Outgoing)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that waits to be sent."""

    id: int
    account: str
    address: str
    contact_id: int | None
    priority: int
    body: str
    attempts: int
    message_id: int | None


_PUT = Prepared(
    sa.insert(outbox)
    .values(
        id=Next("outbox"),
        account=sa.bindparam("account"),
        address=sa.bindparam("address"),
        contact_id=sa.bindparam("contact"),
        person_id=sa.bindparam("person"),
        priority=sa.bindparam("priority"),
        body=sa.bindparam("body"),
        topic=sa.bindparam("topic"),
        not_before=sa.bindparam("not_before"),
        made_at=sa.bindparam("now"),
        attempts=0,
        outcome=sa.bindparam("state"),
        message_id=sa.bindparam("message"),
    )
    .returning(outbox.c.id)
)


def put(
    conn: Connection,
    *,
    account: str,
    address: str,
    contact_id: int | None,
    body: str,
    now: datetime,
    priority: int = ANSWER,
    topic: str | None = None,
    not_before: datetime | None = None,
    message_id: int | None = None,
    person_id: int | None = None,
    delivered: bool = False,
) -> int:
    """Put a message (an encoded screen) into the outbox; its id. *person_id*: the citizen that a notice is for.

    *delivered*: the channel shows it from the contact's history, where it stands already (web): nothing is left to
    send, and the body is not kept twice.
    """
    found: int = _PUT.value(
        conn,
        account=account,
        address=address,
        contact=contact_id,
        person=person_id,
        priority=priority,
        body="" if delivered else body,
        topic=topic,
        not_before=not_before or now,
        now=now,
        message=message_id,
        state="sent" if delivered else "waiting",
    )
    return found


_CANCEL = Prepared(
    sa.update(outbox)
    .where(outbox.c.topic == sa.bindparam("of"), outbox.c.outcome == "waiting")
    .values(outcome="cancelled")
)


def cancel(conn: Connection, topic: str) -> int:
    """Cancel what waits under a topic; how many rows."""
    return _CANCEL.run(conn, of=topic)


_CANCEL_TO = Prepared(
    sa.update(outbox)
    .where(
        outbox.c.person_id == sa.bindparam("person"),
        outbox.c.topic.like(sa.bindparam("like")),
        outbox.c.outcome == "waiting",
    )
    .values(outcome="cancelled")
)


def cancel_to(conn: Connection, person_id: int, topics: str) -> int:
    """Cancel what waits for a person under topics that begin so; how many rows."""
    return _CANCEL_TO.run(conn, person=person_id, like=f"{topics}%")


_SAID = Prepared(
    sa.select(outbox.c.id)
    .where(outbox.c.topic == sa.bindparam("of"), outbox.c.made_at > sa.bindparam("since"))
    .limit(1)
)


def said_since(conn: Connection, topic: str, since: datetime) -> bool:
    """Was anything put out under a topic after *since*? Known for as long as settled rows are kept."""
    return _SAID.first(conn, of=topic, since=since) is not None


_WAITING_COLUMNS = (
    outbox.c.id,
    outbox.c.account,
    outbox.c.address,
    outbox.c.contact_id,
    outbox.c.priority,
    outbox.c.body,
    outbox.c.attempts,
    outbox.c.message_id,
)
_LINE_UP = (
    sa.select(*_WAITING_COLUMNS)
    .where(
        outbox.c.outcome == "waiting",
        outbox.c.not_before <= sa.bindparam("now"),
        outbox.c.account == sa.bindparam("account"),
    )
    .order_by(outbox.c.priority, outbox.c.id)
    .limit(sa.bindparam("most"))
)
_DUE = Prepared(_LINE_UP)
_DUE_TO_CONTACTS = Prepared(_LINE_UP.where(outbox.c.contact_id.is_not(None)))
_DUE_ANSWERS = Prepared(_LINE_UP.where(outbox.c.priority == sa.literal_column(str(ANSWER))))
_DUE_PUSHES = Prepared(_LINE_UP.where(outbox.c.priority > sa.literal_column(str(ANSWER))))


def _read(conn: Connection, rows: list[Any]) -> list[Waiting]:
    return [
        Waiting(
            row.id, row.account, row.address, row.contact_id, row.priority, handed.filled(conn, row.body), row.attempts,
            row.message_id,
        )
        for row in rows
    ]  # fmt: skip


def due(conn: Connection, account: str, now: datetime, most: int = 200, *, farewells: bool = True) -> list[Waiting]:
    """What an account's sender should send now: answers first, oldest first.

    Without *farewells* only what is for contacts that are still there.
    """
    statement = _DUE if farewells else _DUE_TO_CONTACTS
    return _read(conn, statement.all(conn, account=account, now=now, most=most))


def answers_due(conn: Connection, account: str, now: datetime, most: int = 10_000) -> list[Waiting]:
    """Answers that wait, oldest first: what a sender goes on with after a restart."""
    return _read(conn, _DUE_ANSWERS.all(conn, account=account, now=now, most=most))


_ANSWERS_FOR = Prepared(
    sa.select(*_WAITING_COLUMNS)
    .where(
        outbox.c.outcome == "waiting",
        outbox.c.priority == sa.literal_column(str(ANSWER)),
        outbox.c.account == sa.bindparam("account"),
        outbox.c.address == sa.bindparam("address"),
    )
    .order_by(outbox.c.id)
)


def answers_for(conn: Connection, account: str, address: str) -> list[Waiting]:
    """Answers that wait for one address, oldest first."""
    return _read(conn, _ANSWERS_FOR.all(conn, account=account, address=address))


_FRESH_ANSWER = Prepared(
    sa.select(outbox.c.id)
    .where(
        outbox.c.outcome == "waiting",
        outbox.c.priority == sa.literal_column(str(ANSWER)),
        outbox.c.account == sa.bindparam("account"),
        outbox.c.address == sa.bindparam("address"),
        outbox.c.not_before > sa.bindparam("since"),
    )
    .limit(1)
)


def has_fresh_answer(conn: Connection, account: str, address: str, since: datetime) -> bool:
    """Does an answer wait for this address that was put out after *since*?"""
    return _FRESH_ANSWER.first(conn, account=account, address=address, since=since) is not None


def pushes_due(conn: Connection, account: str, now: datetime, most: int = 200) -> list[Waiting]:
    """What the bot says on its own (notices before bulk) and should say now, oldest first."""
    return _read(conn, _DUE_PUSHES.all(conn, account=account, now=now, most=most))


_BODY = Prepared(sa.select(outbox.c.body).where(outbox.c.id == sa.bindparam("row")))


def body(conn: Connection, row_id: int) -> str | None:
    """The screen of a row, as JSON; ``None`` when it has been forgotten."""
    found: str | None = _BODY.value(conn, row=row_id)
    return None if found is None else handed.filled(conn, found)


_WAITS = Prepared(sa.select(outbox.c.id).where(outbox.c.id == sa.bindparam("row"), outbox.c.outcome == "waiting"))


def waits(conn: Connection, row_id: int) -> bool:
    """Is this row still to be sent?"""
    return _WAITS.first(conn, row=row_id) is not None


_PUT_OFF = Prepared(
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("row"), outbox.c.outcome == "waiting")
    .values(attempts=outbox.c.attempts + 1, not_before=sa.bindparam("until"))
)


def put_off(conn: Connection, row_id: int, until: datetime) -> None:
    """The row could not be sent now; it is tried again then."""
    _PUT_OFF.run(conn, row=row_id, until=until)


_WAITING_FOR = Prepared(
    sa.select(*_WAITING_COLUMNS)
    .where(
        outbox.c.outcome == "waiting",
        outbox.c.not_before <= sa.bindparam("now"),
        outbox.c.account == sa.bindparam("account"),
        outbox.c.address == sa.bindparam("address"),
    )
    .order_by(outbox.c.id)
)


def waiting_for(conn: Connection, account: str, address: str, now: datetime) -> list[Waiting]:
    """What waits for one address."""
    return _read(conn, _WAITING_FOR.all(conn, account=account, address=address, now=now))


_SETTLE = Prepared(
    sa.update(outbox)
    .where(outbox.c.id == sa.bindparam("row"), outbox.c.outcome == "waiting")
    .values(
        outcome=sa.bindparam("result"),
        reason=sa.bindparam("why"),
        attempts=outbox.c.attempts + 1,
        message_id=sa.func.coalesce(sa.bindparam("message", type_=sa.BigInteger), outbox.c.message_id),
    )
)


def settle(
    conn: Connection, row_id: int, outcome: str, reason: str | None = None, message_id: int | None = None
) -> bool:
    """Write back how a row fared: ``sent`` or ``failed`` with a reason; ``False`` when that was known already."""
    return _SETTLE.run(conn, row=row_id, result=outcome, why=reason, message=message_id) == 1


_STANDS_AS = Prepared(
    sa.update(outbox).where(outbox.c.id == sa.bindparam("row")).values(message_id=sa.bindparam("message"))
)


def stands_as(conn: Connection, row_id: int, message_id: int) -> None:
    """The row stands in the history as this line."""
    _STANDS_AS.run(conn, row=row_id, message=message_id)


_PURGE = Prepared(
    sa.delete(outbox).where(
        outbox.c.made_at < sa.bindparam("before"),
        outbox.c.outcome.in_(
            [sa.literal_column("'sent'"), sa.literal_column("'cancelled'"), sa.literal_column("'failed'")]
        ),
    )
)
_PURGE_ORPHANS = Prepared(
    sa.delete(outbox).where(outbox.c.contact_id.is_(None), outbox.c.made_at < sa.bindparam("before"))
)


def purge(conn: Connection, before: datetime) -> int:
    """Forget what has been settled, and farewells to forgotten contacts, older than *before*."""
    numbering.remember(conn, "outbox")
    return _PURGE.run(conn, before=before) + _PURGE_ORPHANS.run(conn, before=before)
