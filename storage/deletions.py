"""Pictures to be deleted from the blob store: what the database says first, the store does after the commit.

A blob that loses its last reference gets a row here in the same transaction, and the service deletes it at once after
that (:func:`storage.evidence.claim_deletions`). Whoever stores bytes announces them first (:func:`hold`), so that a
deletion of the same bytes cannot come between them and the row that will refer to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlmodel import Field, SQLModel

from storage.base import Connection, Prepared, UtcTime, table_of

HOLD = timedelta(hours=1)  # bytes announced and never referred to are looked at then
CLAIM = timedelta(minutes=2)  # a deletion that never ended is done again
WAITS = (5, 30, 300, 1800, 7200)  # seconds before each next try, the last again and again


class BlobDeletion(SQLModel, table=True):
    """A blob to look at when ``not_before`` has come: deleted, unless something refers to it then.

    ``holds``: bytes announced and not yet referred to. ``claimed``: the store is deleting it now.
    """

    __tablename__ = "blob_deletions"
    __table_args__ = (sa.CheckConstraint("holds >= 0", name="holds"),)
    key: str = Field(primary_key=True, max_length=64)
    made_at: datetime = Field(sa_type=UtcTime)
    not_before: datetime = Field(sa_type=UtcTime, index=True)
    attempts: int = 0
    holds: int = 0
    claimed: bool = False


deletions = table_of(BlobDeletion)

_ONE = deletions.c.key == sa.bindparam("blob")
_HELD = Prepared(
    sa.update(deletions)
    .where(_ONE, sa.not_(deletions.c.claimed))
    .values(holds=deletions.c.holds + 1, not_before=sa.bindparam("until"))
)
_IS_THERE = Prepared(sa.select(deletions.c.claimed).where(_ONE))
_ROW = {
    "key": sa.bindparam("blob"),
    "made_at": sa.bindparam("now"),
    "not_before": sa.bindparam("until"),
    "attempts": 0,
    "holds": sa.bindparam("held"),
    "claimed": False,
}
_PUT = Prepared(sa.insert(deletions).values(_ROW))
_PUT_UNLESS_THERE = Prepared(pg_insert(deletions).values(_ROW).on_conflict_do_nothing())  # SQLite reads it alike
_LET_GO = Prepared(
    sa.update(deletions)
    .where(_ONE, deletions.c.holds > 0)
    .values(holds=deletions.c.holds - 1)
    .returning(deletions.c.holds)
)
_DROP = Prepared(sa.delete(deletions).where(_ONE))
_DROP_CLAIMED = Prepared(sa.delete(deletions).where(_ONE, deletions.c.claimed))
_AT_ONCE = Prepared(
    sa.update(deletions)
    .where(_ONE, sa.not_(deletions.c.claimed), deletions.c.holds == 0)
    .values(not_before=sa.bindparam("now"))
)
_AGAIN = Prepared(sa.update(deletions).where(_ONE).values(claimed=False, not_before=sa.bindparam("until"), holds=0))
_NEXT = Prepared(sa.select(deletions.c.not_before).order_by(deletions.c.not_before).limit(1))


def hold(conn: Connection, keys: Sequence[str], now: datetime) -> bool:
    """Bytes with these keys are about to be stored; to be committed before they are.

    ``False``: one of them is being deleted at this moment, and nothing was written. Wait a little, ask again.
    What is then never referred to is deleted after :data:`HOLD`.
    """
    for key in sorted(set(keys)):
        if _IS_THERE.value(conn, blob=key):
            return False
    for key in sorted(set(keys)):
        if _HELD.run(conn, blob=key, until=now + HOLD) == 0:
            _PUT.run(conn, blob=key, now=now, until=now + HOLD, held=1)
    return True


def release(conn: Connection, key: str) -> None:
    """A row that refers to these bytes was written in this transaction: their announcement has served."""
    if _LET_GO.value(conn, blob=key) == 0:
        _DROP.run(conn, blob=key)


def after(conn: Connection, keys: Iterable[str | None], now: datetime) -> None:
    """References to these blobs went in this transaction: after its commit each is deleted that has none left."""
    for key in sorted({key for key in keys if key}):
        if _AT_ONCE.run(conn, blob=key, now=now) == 0:
            _PUT_UNLESS_THERE.run(conn, blob=key, now=now, until=now, held=0)


def waiting_since(conn: Connection) -> datetime | None:
    """When the earliest blob is to be looked at; ``None`` when none is."""
    found: datetime | None = _NEXT.value(conn)
    return found


def older_than(conn: Connection, before: datetime) -> int:
    """How many blobs have waited since before then: the store does not delete them."""
    query = sa.select(sa.func.count()).select_from(deletions).where(deletions.c.made_at < before)
    return int(conn.execute(query).scalar_one())


def settle(conn: Connection, deleted: Iterable[str]) -> None:
    """The store has deleted these."""
    for key in sorted(deleted):
        _DROP_CLAIMED.run(conn, blob=key)


def put_off(conn: Connection, keys: Iterable[str], now: datetime) -> None:
    """The store could not delete these now: again later."""
    for key in sorted(keys):
        attempts = conn.execute(sa.select(deletions.c.attempts).where(deletions.c.key == key)).scalar() or 1
        wait = WAITS[min(attempts, len(WAITS)) - 1]
        _AGAIN.run(conn, blob=key, until=now + timedelta(seconds=wait))
