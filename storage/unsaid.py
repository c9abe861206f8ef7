"""Messages of people that are to vanish from their chat (tin nhắn cần xóa): they held what nobody should read there.

The turn that noticed writes a row; the channel's own loop deletes the message and settles the row. Message numbers
only, never a word of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, UtcTime, table_of

AT_ONCE = 100  # messages of a row: what one call of a channel takes


class UnsaidMessage(SQLModel, table=True):
    """Messages of one chat that the channel is to delete: their numbers with commas between. ``own``: the bot's own,
    which show what has been erased; else the person's, with a number that nobody should read there."""

    __tablename__ = "unsaid"
    __table_args__ = (sa.Index("ix_unsaid_account_not_before", "account", "not_before"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    account: str = Field(max_length=64)
    address: str = Field(max_length=128)
    message_ids: str = Field(sa_type=sa.Text)
    made_at: datetime = Field(sa_type=UtcTime)
    not_before: datetime = Field(sa_type=UtcTime)
    attempts: int = 0
    own: bool = Field(default=False, sa_column_kwargs={"server_default": sa.text("false")})


unsaid = table_of(UnsaidMessage)


@dataclass(frozen=True, slots=True)
class UnsaidRow:
    """Messages to delete, as found. ``attempts``: tries so far."""

    id: int
    account: str
    address: str
    message_ids: tuple[int, ...]
    made_at: datetime
    attempts: int
    own: bool


_PUT = Prepared(
    sa.insert(unsaid).values(
        account=sa.bindparam("account"),
        address=sa.bindparam("address"),
        message_ids=sa.bindparam("numbers"),
        made_at=sa.bindparam("now"),
        not_before=sa.bindparam("now"),
        attempts=0,
        own=sa.bindparam("ours"),
    )
)


def unsay(
    conn: Connection, account: str, address: str, message_ids: Sequence[int], now: datetime, *, own: bool = False
) -> None:
    """These messages of a chat (*own*: the bot's) are to be deleted at its channel, as soon as may be. Nothing for
    none."""
    numbers = [str(each) for each in dict.fromkeys(message_ids) if each]
    for start in range(0, len(numbers), AT_ONCE):
        part = ",".join(numbers[start : start + AT_ONCE])
        _PUT.run(conn, account=account, address=address, numbers=part, now=now, ours=own)


_COLUMNS = (
    unsaid.c.id,
    unsaid.c.account,
    unsaid.c.address,
    unsaid.c.message_ids,
    unsaid.c.made_at,
    unsaid.c.attempts,
    unsaid.c.own,
)
_DUE = Prepared(
    sa.select(*_COLUMNS)
    .where(unsaid.c.account == sa.bindparam("account"), unsaid.c.not_before <= sa.bindparam("now"))
    .order_by(unsaid.c.not_before, unsaid.c.id)
    .limit(sa.bindparam("most"))
)


def due(conn: Connection, account: str, now: datetime, most: int = 200) -> list[UnsaidRow]:
    """What an account's channel should delete now, the longest waiting first."""
    return [
        UnsaidRow(
            row.id,
            row.account,
            row.address,
            tuple(int(each) for each in row.message_ids.split(",")),
            row.made_at,
            row.attempts,
            row.own,
        )
        for row in _DUE.all(conn, account=account, now=now, most=most)
    ]


_PUT_OFF = Prepared(
    sa.update(unsaid)
    .where(unsaid.c.id == sa.bindparam("row"))
    .values(attempts=unsaid.c.attempts + 1, not_before=sa.bindparam("until"))
)
_SETTLE = Prepared(sa.delete(unsaid).where(unsaid.c.id == sa.bindparam("row")))


def put_off(conn: Connection, row_ids: Sequence[int], until: datetime) -> None:
    """They could not be deleted now; they are tried again then."""
    for row in row_ids:
        _PUT_OFF.run(conn, row=row, until=until)


def settle(conn: Connection, row_ids: Sequence[int]) -> None:
    """They are gone, or never will be: nothing is left to do."""
    for row in row_ids:
        _SETTLE.run(conn, row=row)
