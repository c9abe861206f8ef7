"""Pictures that a channel has already: uploaded once by an account, sent again by the channel's own name for them."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import Connection, Prepared, UtcTime, table_of


class SentFile(SQLModel, table=True):
    """The channel's name (``reference``) for a picture of the blob store; it holds on its own account only."""

    __tablename__ = "sent_files"
    account: str = Field(primary_key=True, max_length=64)
    key: str = Field(primary_key=True, max_length=64, index=True)
    reference: str = Field(sa_type=sa.Text)
    at: datetime = Field(sa_type=UtcTime)


sent_files = table_of(SentFile)

_ROW = (sent_files.c.account == sa.bindparam("account"), sent_files.c.key == sa.bindparam("blob"))
_REFERENCE = Prepared(sa.select(sent_files.c.reference).where(*_ROW))
_RENEW = Prepared(sa.update(sent_files).where(*_ROW).values(reference=sa.bindparam("ref"), at=sa.bindparam("now")))
_PUT = Prepared(
    sa.insert(sent_files).values(
        account=sa.bindparam("account"), key=sa.bindparam("blob"), reference=sa.bindparam("ref"), at=sa.bindparam("now")
    )
)
_DROP = Prepared(sa.delete(sent_files).where(*_ROW))


def reference(conn: Connection, account: str, key: str) -> str | None:
    """The channel's name for a picture, if this account has sent it before."""
    found: str | None = _REFERENCE.value(conn, account=account, blob=key)
    return found


def keep(conn: Connection, account: str, key: str, reference: str, now: datetime) -> None:
    """The account has sent this picture; from now on the channel's name for it will do."""
    if _RENEW.run(conn, account=account, blob=key, ref=reference, now=now) == 0:
        _PUT.run(conn, account=account, blob=key, ref=reference, now=now)


def drop(conn: Connection, account: str, key: str) -> None:
    """The channel does not know its name for this picture any more: it is to be uploaded again."""
    _DROP.run(conn, account=account, blob=key)


def forget(conn: Connection, keys: list[str]) -> None:
    """These pictures are gone from the blob store: no account sends them again."""
    for start in range(0, len(keys), 500):
        conn.execute(sa.delete(sent_files).where(sent_files.c.key.in_(keys[start : start + 500])))
