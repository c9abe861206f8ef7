"""Whom a channel can still write to. What waits for one who cannot be reached goes another way, or is marked failed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from storage import conversations, outbox
from storage.base import Connection, Prepared
from storage.conversations import Reach
from storage.officers import officer_contacts, officer_roles
from storage.outbox import outbox as rows
from storage.people import contacts

OWN_SITE = "web"  # the account of the own page, where what was said is found at the next visit: it reaches nobody

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


# ------------------------------------------------------------------------------------------ officers

# The best last: rather one that pushes than the own page, of those the one used last.
_worst_first = (
    sa.case((contacts.c.account == sa.literal_column(f"'{OWN_SITE}'"), 0), else_=1),
    conversations.conversations.c.used_at,
    contacts.c.id.desc(),
)
_officers = (
    sa.select(
        officer_contacts.c.officer_id,
        contacts.c.id,
        contacts.c.account,
        contacts.c.address,
        conversations.conversations.c.language,
    )
    .select_from(
        officer_contacts.join(contacts, contacts.c.id == officer_contacts.c.contact_id).join(
            conversations.conversations, conversations.conversations.c.contact_id == contacts.c.id
        )
    )
    .where(contacts.c.reachable)
    .order_by(*_worst_first)
)
_OF_OFFICER = Prepared(_officers.where(officer_contacts.c.officer_id == sa.bindparam("officer")))
_OF_EVERY_OFFICER = Prepared(_officers)
_ON_UNIT = Prepared(
    _officers.where(
        officer_contacts.c.officer_id.in_(
            sa.select(officer_roles.c.officer_id).where(
                officer_roles.c.unit_id == sa.bindparam("unit"), officer_roles.c.until.is_(None)
            )
        )
    )
)


def of_officer(conn: Connection, officer_id: int) -> Reach | None:
    """Where an officer is told what they did not ask for: the reachable contact used last, the own page only where
    there is no other; ``None``: nowhere."""
    found = _OF_OFFICER.all(conn, officer=officer_id)
    return Reach(*found[-1][1:]) if found else None


def of_officers(conn: Connection, only: Collection[int] | None = None) -> dict[int, Reach]:
    """The same of all officers, or of *only* these."""
    found = (
        _OF_EVERY_OFFICER.all(conn)
        if only is None
        else conn.execute(_officers.where(officer_contacts.c.officer_id.in_(only)))
    )
    return {row.officer_id: Reach(*row[1:]) for row in found}


def of_officers_on(conn: Connection, unit_id: int) -> dict[int, Reach]:
    """The same of the officers with a role on the unit itself."""
    return {row.officer_id: Reach(*row[1:]) for row in _ON_UNIT.all(conn, unit=unit_id)}
