"""Notices: what the bot says on its own to somebody else than who is speaking. Through the outbox, in the same turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from dialogs.model import Choice, Screen, encode_screen
from dialogs.states import Turn
from locales import Voice, _, speaking
from storage import conversations, outbox, people

# Sentences that the callers of to_officers name.
KEYS = ("notice.moved_away", "notice.moved_here", "notice.withdrawn", "notice.mended")


def to_person(
    turn: Turn,
    person_id: int,
    make: Callable[[], Screen],
    *,
    topic: str | None = None,
    not_before: datetime | None = None,
) -> bool:
    """Put a notice for a citizen to the reachable contact they used last, in their own language and form of address.

    ``False`` when no contact can be reached: they see it at their next visit, since home and /hoso show what stands.
    """
    person = people.person(turn.conn, person_id)
    contact = conversations.last_used(turn.conn, person_id)
    if person is None or contact is None:
        return False
    with speaking(Voice(contact.language, person.form)):
        screen = replace(make(), number=0, language=contact.language)
    outbox.put(
        turn.conn,
        account=contact.account,
        address=contact.address,
        contact_id=contact.contact_id,
        body=encode_screen(screen),
        now=turn.now,
        priority=outbox.NOTICE,
        topic=topic,
        not_before=not_before,
    )
    return True


def to_officers(turn: Turn, unit_id: int, key: str, **fields: object) -> int:
    """Tell the officers with a role on the unit itself; how many contacts."""
    told = 0
    for contact in conversations.officers_on(turn.conn, unit_id):
        with speaking(Voice(contact.language, "anh_chi")):
            screen = Screen(_(key, **fields), (Choice("go:queue", _("home.queue")),), language=contact.language)
        outbox.put(
            turn.conn,
            account=contact.account,
            address=contact.address,
            contact_id=contact.contact_id,
            body=encode_screen(screen),
            now=turn.now,
            priority=outbox.NOTICE,
        )
        told += 1
    return told
