"""What a chat last showed, on channels whose messages can be edited: message numbers only, never a word of them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, table_of
from storage.people import contacts


class ShownMessage(SQLModel, table=True):
    """The message that shows a chat's screen, what stands beside it, and which outbox row it was."""

    __tablename__ = "shown"
    contact_id: int = Field(primary_key=True, foreign_key="contacts.id", sa_type=BigId)
    number: int = 0
    message_id: int = Field(default=0, sa_type=BigId)
    last_id: int = Field(default=0, sa_type=BigId)
    beside: str = Field(default="", sa_type=sa.Text)
    keyboard: str = Field(default="", sa_type=sa.Text)
    menu: str = Field(default="", sa_type=sa.Text)
    outbox_id: int = Field(default=0, sa_type=BigId)
    protected: bool = False


shown = table_of(ShownMessage)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a chat shows: ``number`` of the screen, ``message_id`` that carries it, ``last_id`` of the chat's newest
    message, ``beside`` (messages that go with the screen: its pictures), ``keyboard`` and ``menu`` as the channel names
    them, ``outbox_id`` of the row it shows, ``protected`` whether it shows an officer other people's data. Zero and
    empty: none."""

    number: int = 0
    message_id: int = 0
    last_id: int = 0
    beside: tuple[int, ...] = ()
    keyboard: str = ""
    menu: str = ""
    outbox_id: int = 0
    protected: bool = False


_CONTACT = (contacts.c.account == sa.bindparam("account"), contacts.c.address == sa.bindparam("address"))
_FIELDS = ("number", "message_id", "last_id", "beside", "keyboard", "menu", "outbox_id", "protected")
_OF = Prepared(
    sa.select(*(shown.c[name] for name in _FIELDS))
    .select_from(shown.join(contacts, contacts.c.id == shown.c.contact_id))
    .where(*_CONTACT)
)
_VALUES = {name: sa.bindparam(f"new_{name}", type_=shown.c[name].type) for name in _FIELDS}
_CHANGE = Prepared(
    sa.update(shown)
    .where(shown.c.contact_id == sa.select(contacts.c.id).where(*_CONTACT).scalar_subquery())
    .values(**_VALUES)
)
# One statement, so that a contact that is gone is no error.
_PUT = Prepared(
    sa.insert(shown).from_select(
        ["contact_id", *_FIELDS], sa.select(contacts.c.id, *(_VALUES[name] for name in _FIELDS)).where(*_CONTACT)
    )
)


def of(conn: Connection, account: str, address: str) -> Shown | None:
    """What the chat last showed; ``None`` when nothing is known of it."""
    row = _OF.first(conn, account=account, address=address)
    if row is None:
        return None
    beside = tuple(int(each) for each in row.beside.split(",") if each)
    return Shown(row.number, row.message_id, row.last_id, beside, row.keyboard, row.menu, row.outbox_id, row.protected)


def keep(conn: Connection, account: str, address: str, now_shown: Shown) -> None:
    """Remember what the chat shows now; nothing happens when there is no such contact (any more)."""
    values = {f"new_{name}": getattr(now_shown, name) for name in _FIELDS}
    values["new_beside"] = ",".join(map(str, now_shown.beside))
    if _CHANGE.run(conn, account=account, address=address, **values) == 0:
        _PUT.run(conn, account=account, address=address, **values)
