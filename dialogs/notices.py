"""Notices: what the bot says on its own to somebody else than who is speaking. Through the outbox, in the same turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

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
    priority: int = outbox.NOTICE,
) -> bool:
    """Put a notice for a citizen to the reachable contact they used last, in their own language and form of address.

    ``False`` when no contact can be reached: they see it at their next visit, since home and /hoso show what stands.
    """
    person = people.person(conn, person_id)
    contact = conversations.last_used(conn, person_id)
    if person is None or contact is None:
        return False
    to_contact(conn, now, contact, person.form, make, person_id, topic, not_before, priority)
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
        to_contact(conn, now, contact, person.form, make, person_id)
        told += 1
    return told


def to_chat(
    conn: Connection, now: datetime, account: str, address: str, topic: str, make: Callable[[], Screen]
) -> bool:
    """Put a notice to whoever speaks at an address, once a day under its *topic*; ``False``: said already, or the chat
    has gone."""
    chat = conversations.peek(conn, account, address)
    if chat is None:
        return False
    topic = f"{topic}:{chat.contact_id}"
    if outbox.said_since(conn, topic, now - timedelta(days=1)):
        return False
    form = chat.person.form if chat.person is not None else "ong_ba" if chat.officer_id is None else "anh_chi"
    to_contact(conn, now, Reach(chat.contact_id, account, address, chat.language), form, make, topic=topic)
    return True


def to_officers(conn: Connection, now: datetime, unit_id: int, key: str, **fields: object) -> int:
    """Tell the officers of a unit: of the nearest at or above it that has any (chi hội seldom do); how many
    contacts."""

    def make() -> Screen:
        return Screen(_(key, **fields), (Choice("go:queue", _("home.queue")),))

    found = _nearest(conn, unit_id)
    for contact in found:
        to_contact(conn, now, contact, "anh_chi", make)
    return len(found)


def to_contact(
    conn: Connection,
    now: datetime,
    contact: Reach,
    form: str,
    make: Callable[[], Screen],
    person_id: int | None = None,
    topic: str | None = None,
    not_before: datetime | None = None,
    priority: int = outbox.NOTICE,
) -> None:
    """The notice goes out in the language of the contact, by the form of address of whom it is for."""
    with speaking(Voice(contact.language, form)):
        screen = replace(make(), number=0, language=contact.language)
    outbox.put(
        conn,
        account=contact.account,
        address=contact.address,
        contact_id=contact.contact_id,
        person_id=person_id,
        body=encode_screen(screen),
        now=now,
        priority=priority,
        topic=topic,
        not_before=not_before,
    )


def _nearest(conn: Connection, unit_id: int) -> list[Reach]:
    above: int | None = unit_id
    while above is not None:
        found = conversations.officers_on(conn, above)
        if found:
            return found
        unit = units.by_id(conn, above)
        above = unit.parent_id if unit is not None else None
    return []
