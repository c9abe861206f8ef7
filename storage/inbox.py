"""The thin inbox: updates that have come and wait for their turn, where several processes share one database.

Whoever receives an update (a webhook, the poller) commits it here and acknowledges it; a worker takes the lowest of a
chat, and the row goes in the transaction of its turn. So the turns of a chat keep their order, whichever process takes
them: while one has a row locked, the next of that chat is no head yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, UtcTime, table_of


class Update(SQLModel, table=True):
    """An update that waits: as its channel sent it (JSON), numbers of people's identity papers sealed. ``place`` is
    its place in the channel's own order, and its name there."""

    __tablename__ = "inbox"
    __table_args__ = (
        sa.UniqueConstraint("account", "place"),
        sa.Index("ix_inbox_account_address_place", "account", "address", "place"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    account: str = Field(max_length=64)
    address: str = Field(max_length=128)
    place: int = Field(sa_type=sa.BigInteger)
    raw: str = Field(sa_type=sa.Text)
    attempts: int = 0
    not_before: datetime = Field(sa_type=UtcTime)
    at: datetime = Field(sa_type=UtcTime, index=True)


inbox = table_of(Update)


@dataclass(frozen=True, slots=True)
class Arrived:
    """An update on its way into the inbox. ``address``: the chat whose order it keeps."""

    address: str
    place: int
    raw: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The lowest update of a chat that waits."""

    id: int
    address: str
    place: int
    raw: str = field(repr=False)
    attempts: int
    at: datetime


_PUT = Prepared(
    pg_insert(inbox)
    .values(
        account=sa.bindparam("of"),
        address=sa.bindparam("chat"),
        place=sa.bindparam("number"),
        raw=sa.bindparam("content"),
        attempts=0,
        not_before=sa.bindparam("now"),
        at=sa.bindparam("now"),
    )
    .on_conflict_do_nothing()  # SQLite reads it alike
)


def put(conn: Connection, account: str, updates: Iterable[Arrived], now: datetime) -> int:
    """Keep updates that have come; how many are new. One that waits already is not kept twice."""
    return sum(
        _PUT.run(conn, of=account, chat=each.address, number=each.place, content=each.raw, now=now) for each in updates
    )


_lower = inbox.alias("lower")
_HEADS = Prepared(
    sa.select(inbox.c.id, inbox.c.address, inbox.c.place, inbox.c.raw, inbox.c.attempts, inbox.c.at)
    .where(
        inbox.c.account == sa.bindparam("of"),
        inbox.c.not_before <= sa.bindparam("now"),
        ~sa.exists().where(
            _lower.c.account == inbox.c.account,
            _lower.c.address == inbox.c.address,
            _lower.c.place < inbox.c.place,
        ),
    )
    .order_by(inbox.c.place)
    .limit(sa.bindparam("most"))
)


def heads(conn: Connection, account: str, now: datetime, most: int = 200) -> list[Waiting]:
    """The lowest update of every chat that has one due, oldest first."""
    return [Waiting(*row) for row in _HEADS.all(conn, of=account, now=now, most=most)]


_TAKE = Prepared(sa.select(inbox.c.id).where(inbox.c.id == sa.bindparam("update")).with_for_update(skip_locked=True))
_DONE = Prepared(sa.delete(inbox).where(inbox.c.id == sa.bindparam("update")))
_PUT_OFF = Prepared(
    sa.update(inbox)
    .where(inbox.c.id == sa.bindparam("update"))
    .values(attempts=inbox.c.attempts + 1, not_before=sa.bindparam("until"))
)
_COUNT = Prepared(sa.select(sa.func.count(), sa.func.min(inbox.c.at)).select_from(inbox))


def take(conn: Connection, update_id: int) -> bool:
    """Lock an update for this turn; ``False`` when another worker has it, or had it."""
    return _TAKE.first(conn, update=update_id) is not None


def done(conn: Connection, update_id: int) -> None:
    """The update has had its turn, in this transaction."""
    _DONE.run(conn, update=update_id)


def put_off(conn: Connection, update_id: int, until: datetime) -> None:
    """The update could not be taken now; it, and with it its chat, waits until then."""
    _PUT_OFF.run(conn, update=update_id, until=until)


def waiting(conn: Connection) -> tuple[int, datetime | None]:
    """How many updates wait, and since when the oldest does."""
    count, oldest = _COUNT.first(conn) or (0, None)
    return count, oldest
