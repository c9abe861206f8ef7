"""Whom a channel can still write to. What waits for one who cannot be reached goes another way, or is marked failed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from storage import conversations, outbox
from storage.base import Connection, Prepared
from storage.outbox import outbox as rows
from storage.people import contacts

_SET = Prepared(
    sa.update(contacts)
    .where(
        contacts.c.account == sa.bindparam("of_account"),
        contacts.c.address == sa.bindparam("of_address"),
        contacts.c.reachable != sa.bindparam("now_reachable"),
    )
    .values(reachable=sa.bindparam("now_reachable"))
)
_WAITING = Prepared(
    sa.select(rows.c.id, rows.c.person_id, rows.c.priority, rows.c.body, rows.c.topic, rows.c.not_before)
    .where(
        rows.c.outcome == "waiting",
        rows.c.account == sa.bindparam("account"),
        rows.c.address == sa.bindparam("address"),
    )
    .order_by(rows.c.id)
)


def lost(conn: Connection, account: str, address: str, reason: str, now: datetime) -> None:
    """The channel cannot write to this contact any more (blocked, deactivated, unknown).

    Its waiting notices for a citizen go on, as copies, to the reachable contact which that citizen used last; they and
    all else that waits for it are marked ``failed`` with the *reason* (at most 200 characters), and the tables keep
    what was to be said.
    """
    _SET.run(conn, of_account=account, of_address=address, now_reachable=False)
    for row in _WAITING.all(conn, account=account, address=address):
        if row.priority == outbox.NOTICE and row.person_id is not None:
            other = conversations.last_used(conn, row.person_id)
            if other is not None:
                outbox.put(
                    conn,
                    account=other.account,
                    address=other.address,
                    contact_id=other.contact_id,
                    person_id=row.person_id,
                    body=row.body,
                    now=now,
                    priority=row.priority,
                    topic=row.topic,
                    not_before=row.not_before,
                )
        outbox.settle(conn, row.id, "failed", reason[:200])


def found(conn: Connection, account: str, address: str) -> None:
    """The contact can be written to again."""
    _SET.run(conn, of_account=account, of_address=address, now_reachable=True)
