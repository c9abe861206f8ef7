"""Officers' desks (bàn xét): which chats of officers may show a dossier or a suggestion, and taking it away there.

An officer's chat belongs to the officer; when a citizen's data goes, what shows it there has to go as well.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from storage import announcements, audit, counters, numbering, officers, unsaid
from storage.assessments import AssessmentRow
from storage.base import Connection, Prepared, table_of
from storage.conversations import conversations, drop_fleeting, lock, messages
from storage.counters import ledger
from storage.officers import RoleRow, officer_contacts, officer_roles
from storage.outbox import ANSWER, outbox
from storage.people import contacts
from storage.reviews import reviews
from storage.shown import shown
from storage.units import Unit

units = table_of(Unit)

_WORDS = frozenset({"reason", "reasons"})  # what an officer has typed of a dossier, in the state of their chat
_ANSWER = frozenset({"text"})  # and of a suggestion
_PLACES = Prepared(
    sa.select(units.c.path)
    .select_from(ledger.join(units, units.c.id == ledger.c.unit_id))
    .where(ledger.c.assessment_id == sa.bindparam("assessment"))
    .distinct()
)
_REVIEWS = Prepared(sa.select(reviews.c.id).where(reviews.c.assessment_id == sa.bindparam("assessment")))


@dataclass(frozen=True, slots=True)
class Desk:
    """A chat of an officer: the state it is in, the messages that show its screen (at channels that can delete them),
    whether that screen is of other people's data, and the screen itself, if it is still kept."""

    contact_id: int
    account: str
    address: str
    state: dict[str, Any]
    protected: bool
    message_id: int
    beside: tuple[int, ...]
    body: str | None


def over(conn: Connection, row: AssessmentRow) -> list[Desk]:
    """The chats of all officers with a role, also one that has ended, where the dossier is or has been, or above."""
    return _over(conn, {found.path for found in _PLACES.all(conn, assessment=row.id)})


def _over(conn: Connection, paths: Collection[str]) -> list[Desk]:
    """The chats of all officers with a role, also one that has ended, on these units or above."""
    above = sorted({each for path in paths for each in counters.ancestry(path)})
    query = (
        sa.select(
            contacts.c.id,
            contacts.c.account,
            contacts.c.address,
            conversations.c.state,
            shown.c.protected,
            shown.c.message_id,
            shown.c.beside,
            outbox.c.body,
        )
        .select_from(
            officer_roles.join(units, units.c.id == officer_roles.c.unit_id)
            .join(officer_contacts, officer_contacts.c.officer_id == officer_roles.c.officer_id)
            .join(contacts, contacts.c.id == officer_contacts.c.contact_id)
            .join(conversations, conversations.c.contact_id == contacts.c.id)
            .outerjoin(shown, shown.c.contact_id == contacts.c.id)
            .outerjoin(outbox, outbox.c.id == shown.c.outbox_id)
        )
        .where(units.c.path.in_(above))
        .distinct()
        .order_by(contacts.c.id)
    )
    return [
        Desk(
            found.id,
            found.account,
            found.address,
            _read(found.state),
            bool(found.protected),
            found.message_id or 0,
            tuple(int(each) for each in (found.beside or "").split(",") if each),
            found.body,
        )
        for found in conn.execute(query)
    ]


def _read(state: str) -> dict[str, Any]:
    try:
        found = json.loads(state)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def has_open(conn: Connection, desk: Desk, row: AssessmentRow) -> bool:
    """Is this dossier on the desk, or the decision on it?"""
    review = desk.state.get("review")
    return desk.state.get("assessment") == row.id or (
        bool(review) and review in {found.id for found in _REVIEWS.all(conn, assessment=row.id)}
    )


_DROP_SHOWN = Prepared(sa.delete(shown).where(shown.c.contact_id == sa.bindparam("contact")))
_STRIP = Prepared(
    sa.update(conversations)
    .where(conversations.c.contact_id == sa.bindparam("contact"))
    .values(state=sa.bindparam("stripped"))
)


def clear(conn: Connection, row: AssessmentRow, name: str, now: datetime) -> None:
    """The dossier is being erased: what shows it goes at the channels, notices that name it, reasons half written.

    The states stay where they are, and lead to "this dossier is gone".
    """
    numbering.remember(conn, "outbox")
    for desk in over(conn, row):
        here = has_open(conn, desk, row)
        if here or _says(desk, (_as_kept(name), row.code), ".Queue"):
            _wipe(conn, desk, now)
        if here:
            _strip(conn, desk, _WORDS)
        _drop_said(conn, desk, (row.code,))


def mark_of_suggestion(suggestion_id: int) -> str:
    """What every screen and notice that shows some of a suggestion bears, so that it is found again: its words may be
    anybody's."""
    return f"suggestion:{suggestion_id}"


def clear_suggestion(conn: Connection, unit_path: str, suggestion_id: int, now: datetime) -> None:
    """A suggestion is being erased: as :func:`clear`, at all who may have read it. ``unit_path`` of its unit."""
    marks = (f'"{mark_of_suggestion(suggestion_id)}"',)
    numbering.remember(conn, "outbox")
    for desk in _over(conn, (unit_path,)):
        here = desk.state.get("suggestion") == suggestion_id
        if here or _says(desk, marks, "suggestion_box.Box"):
            _wipe(conn, desk, now)
        if here:
            _strip(conn, desk, _ANSWER)
        _drop_said(conn, desk, marks)


def _says(desk: Desk, words: Collection[str], kind: str) -> bool:
    """Does the screen hold one of these? One that is not kept any more may, where it was a list, of this *kind*."""
    if not desk.body:
        return str(desk.state.get("is", "")).endswith(kind)
    return any(each in desk.body for each in words)


def _as_kept(words: str) -> str:
    return json.dumps(words, ensure_ascii=False)[1:-1]


def _wipe(conn: Connection, desk: Desk, now: datetime) -> None:
    """The screen goes at the channel, if it showed what other people wrote."""
    if desk.protected:
        unsaid.unsay(conn, desk.account, desk.address, (*desk.beside, desk.message_id), now, own=True)
        _DROP_SHOWN.run(conn, contact=desk.contact_id)


def _strip(conn: Connection, desk: Desk, written: Collection[str]) -> None:
    """What was half written of it goes."""
    if desk.state.keys() & written:
        kept = {key: value for key, value in desk.state.items() if key not in written}
        _STRIP.run(conn, contact=desk.contact_id, stripped=json.dumps(kept, ensure_ascii=False))


def _drop_said(conn: Connection, desk: Desk, words: Collection[str]) -> None:
    """Forget what was said to the chat, and is still to be said, that holds one of these."""
    for table in (outbox, messages):
        holds = sa.or_(*(table.c.body.contains(each, autoescape=True) for each in words))
        conn.execute(sa.delete(table).where(table.c.contact_id == desk.contact_id, holds))


_OWN_CHATS = Prepared(
    sa.select(
        contacts.c.id, contacts.c.account, contacts.c.address, shown.c.protected, shown.c.message_id, shown.c.beside
    )
    .select_from(
        officer_contacts.join(contacts, contacts.c.id == officer_contacts.c.contact_id).outerjoin(
            shown, shown.c.contact_id == contacts.c.id
        )
    )
    .where(officer_contacts.c.officer_id == sa.bindparam("officer"))
    .order_by(contacts.c.id)
)
_WAITING_FOR_OFFICER = Prepared(
    sa.update(outbox)
    .where(
        outbox.c.contact_id == sa.bindparam("contact"),
        outbox.c.outcome == "waiting",
        outbox.c.priority > sa.literal_column(str(ANSWER)),
        outbox.c.person_id.is_(None),
    )
    .values(outcome="cancelled")
)


@dataclass(frozen=True, slots=True)
class Dismissed:
    """What came of it: roles that ended and that are left, those of the ended that nobody else holds on their unit,
    the chats (account, address) that were the officer's."""

    ended: tuple[RoleRow, ...]
    left: tuple[RoleRow, ...]
    vacant: tuple[RoleRow, ...]
    chats: tuple[tuple[str, str], ...]


def dismiss(conn: Connection, officer_id: int, unit_id: int | None, now: datetime, by: str) -> Dismissed:
    """End an officer's roles on one unit, or all (``None``). Screens with citizens' data go from their chats, and what
    waits for them as an officer; with no role left every session of theirs ends.

    Dossiers are claimed by nobody, so none is to be released. Raises ``Refused("role_none")``.
    """
    chats = _OWN_CHATS.all(conn, officer=officer_id)
    lock(conn, [chat.id for chat in chats])
    ended, left = officers.end(conn, officer_id, unit_id, now, by)
    _clear_chats(conn, chats, now, signed_out=not left)
    vacant = tuple(role for role in ended if officers.alone_on(conn, officer_id, role))
    return Dismissed(tuple(ended), tuple(left), vacant, tuple((chat.account, chat.address) for chat in chats))


def sign_out(conn: Connection, officer_id: int, now: datetime, by: str) -> int:
    """Every session of an officer ends, and no link given out before opens one; the roles stay. How many chats.

    For a phone that was lost: its screens with citizens' data go where the channel can take them away, and what it had
    announced and has not left yet does not leave.
    """
    chats = _OWN_CHATS.all(conn, officer=officer_id)
    lock(conn, [chat.id for chat in chats])
    announcements.stop_all_of(conn, officer_id, by, now)
    officers.end_links(conn, officer_id, now)
    _clear_chats(conn, chats, now, signed_out=True)
    audit.write(conn, by, "officer.sign_out", f"officer:{officer_id}", now, chats=len(chats))
    return len(chats)


def _clear_chats(conn: Connection, chats: list[Any], now: datetime, *, signed_out: bool) -> None:
    for chat in chats:
        if chat.protected:
            beside = tuple(int(each) for each in chat.beside.split(",") if each)
            unsaid.unsay(conn, chat.account, chat.address, (*beside, chat.message_id), now, own=True)
            _DROP_SHOWN.run(conn, contact=chat.id)
        drop_fleeting(conn, chat.id)
        _WAITING_FOR_OFFICER.run(conn, contact=chat.id)
        if signed_out:
            officers.sign_out(conn, chat.id, now)


def take_pictures_away(conn: Connection, row: AssessmentRow, key: str, now: datetime) -> None:
    """A picture of the dossier is no evidence any more: it goes from the desks that show it."""
    for desk in over(conn, row):
        if desk.protected and desk.beside and has_open(conn, desk, row):
            unsaid.unsay(conn, desk.account, desk.address, desk.beside, now, own=True)
        conn.execute(
            sa.delete(messages).where(
                messages.c.contact_id == desk.contact_id, messages.c.fleeting, messages.c.body.contains(key)
            )
        )
