"""Files handed to people (tệp đã trao): the copy of one's own data, kept for a day so that it can be fetched again.

History and outbox hold only a name and a key. What the key opens goes after a day, with the contact, and with the
person; then the line says that the file is over.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, UtcTime, table_of

LIFE = timedelta(hours=24)


class HandedFile(SQLModel, table=True):
    """A file for one contact. Its key is random: none is ever given twice, and knowing one says nothing of another."""

    __tablename__ = "handed_files"
    __table_args__ = (sa.CheckConstraint("length(key) = 32", name="key"),)
    key: str = Field(primary_key=True, max_length=32)
    contact_id: int = Field(foreign_key="contacts.id", index=True, sa_type=BigId)
    content: str = Field(sa_type=sa.Text)
    made_at: datetime = Field(sa_type=UtcTime, index=True)


handed_files = table_of(HandedFile)

_PUT = Prepared(
    sa.insert(handed_files).values(
        key=sa.bindparam("name"),
        contact_id=sa.bindparam("contact"),
        content=sa.bindparam("text"),
        made_at=sa.bindparam("now"),
    )
)
_CONTENT = Prepared(sa.select(handed_files.c.content).where(handed_files.c.key == sa.bindparam("name")))
_FORGET = Prepared(sa.delete(handed_files).where(handed_files.c.contact_id == sa.bindparam("contact")))
_PURGE = Prepared(sa.delete(handed_files).where(handed_files.c.made_at < sa.bindparam("before")))


def put(conn: Connection, contact_id: int, content: str, now: datetime) -> str:
    """Keep a file for a contact; its key (32 hex digits)."""
    key = secrets.token_hex(16)
    _PUT.run(conn, name=key, contact=contact_id, text=content, now=now)
    return key


def filled(conn: Connection, body: str) -> str:
    """A screen as it is kept (JSON), its files with their content as long as that is there; ``""`` for one that is
    over."""
    if '"documents":' not in body:
        return body
    raw = json.loads(body)
    for each in raw.get("documents", ()):
        if len(each) == 4:  # name, media type, content, key
            each[2] = _CONTENT.value(conn, name=each[3]) or ""
    return json.dumps(raw, ensure_ascii=False, separators=(",", ":"))


def forget(conn: Connection, contact_id: int) -> None:
    """The contact is going, or is another's now: its files go at once."""
    _FORGET.run(conn, contact=contact_id)


def purge(conn: Connection, now: datetime) -> int:
    """Forget what is a day old; how many files."""
    return _PURGE.run(conn, before=now - LIFE)
