"""Notices: what the bot says on its own to somebody else than who is speaking. Through the outbox, in the same turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from dialogs.model import Choice, Screen, encode_screen
from locales import Voice, _, speaking
from storage import conversations, outbox, people, units
from storage.base import Connection
from storage.conversations import Reach

# Sentences that the callers of to_officers name.
KEYS = ("notice.moved_away", "notice.moved_here", "notice.withdrawn", "notice.mended", "notice.joins_full")


def to_person(
    conn: Connection,
    now: datetime,
    person_id: int,
    make: Callable[[], Screen],
    *,
    topic: str | None = None,
    not_before: datetime | None = None,
) -> bool:
    """Put a notice for a citizen to the reachable contact they used last, in their own language and form of address.

    ``False`` when no contact can be reached: they see it at their next visit, since home and /hoso show what stands.
    """
    person = people.person(conn, person_id)
    contact = conversations.last_used(conn, person_id)
    if person is None or contact is None:
        return False
    with speaking(Voice(contact.language, person.form)):
        screen = replace(make(), number=0, language=contact.language)
    outbox.put(
        conn,
        account=contact.account,
        address=contact.address,
        contact_id=contact.contact_id,
        person_id=person_id,
        body=encode_screen(screen),
        now=now,
        priority=outbox.NOTICE,
        topic=topic,
        not_before=not_before,
    )
    return True


def to_other_chats(conn: Connection, now: datetime, person_id: int, here: int, make: Callable[[], Screen]) -> int:
    """Put a notice for a citizen to every reachable contact of theirs but the one *here*, each in its language; how
    many."""
    person = people.person(conn, person_id)
    assert person is not None
    told = 0
    for contact in conversations.speaking_for(conn, person_id):
        if contact.contact_id == here:
            continue
        with speaking(Voice(contact.language, person.form)):
            screen = replace(make(), number=0, language=contact.language)
        outbox.put(
            conn,
            account=contact.account,
            address=contact.address,
            contact_id=contact.contact_id,
            person_id=person_id,
            body=encode_screen(screen),
            now=now,
            priority=outbox.NOTICE,
        )
        told += 1
    return told


def to_officers(conn: Connection, now: datetime, unit_id: int, key: str, **fields: object) -> int:
    """Tell the officers of a unit: of the nearest at or above it that has any (chi hội seldom do); how many
    contacts."""
    told = 0
    for contact in _nearest(conn, unit_id):
        with speaking(Voice(contact.language, "anh_chi")):
            screen = Screen(_(key, **fields), (Choice("go:queue", _("home.queue")),), language=contact.language)
        outbox.put(
            conn,
            account=contact.account,
            address=contact.address,
            contact_id=contact.contact_id,
            body=encode_screen(screen),
            now=now,
            priority=outbox.NOTICE,
        )
        told += 1
    return told


def _nearest(conn: Connection, unit_id: int) -> list[Reach]:
    above: int | None = unit_id
    while above is not None:
        found = conversations.officers_on(conn, above)
        if found:
            return found
        unit = units.by_id(conn, above)
        above = unit.parent_id if unit is not None else None
    return []
