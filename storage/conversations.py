"""Conversations (where a chat stands), messages (what a contact saw and sent), claims (which events have had their
turn)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlmodel import Field, SQLModel

from storage import handed
from storage.base import BigId, Connection, Prepared, UtcTime, table_of
from storage.officers import officer_contacts, officer_roles
from storage.people import PERSON_COLUMNS, PersonRow, consents, contact_person, contacts, people


class Conversation(SQLModel, table=True):
    """Where one contact's chat stands: the state, the number of the screen shown, the reader's language."""

    __tablename__ = "conversations"
    contact_id: int = Field(primary_key=True, foreign_key="contacts.id", sa_type=BigId)
    person_id: int | None = Field(default=None, foreign_key="people.id", index=True, sa_type=BigId)
    state: str = Field(sa_type=sa.Text)
    screen: int = 0
    language: str = Field(default="vi", max_length=2)
    used_at: datetime = Field(sa_type=UtcTime)


class Message(SQLModel, table=True):
    """What a contact saw (``out``) and sent (``in``), kept only for channels that show history from here (web).

    ``fleeting`` lines show other people's data to an officer: they go when the next screen comes. An id is never given
    twice, not even that of a line that is gone: a page knows by it which lines it has.
    """

    __tablename__ = "messages"
    __table_args__ = (
        sa.CheckConstraint("direction in ('in', 'out')", name="direction"),
        sa.Index("ix_messages_contact_id_id", "contact_id", "id"),
        sa.Index(
            "ix_messages_fleeting", "contact_id", sqlite_where=sa.text("fleeting"), postgresql_where=sa.text("fleeting")
        ),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    contact_id: int = Field(foreign_key="contacts.id", sa_type=BigId)
    direction: str = Field(max_length=3)
    body: str = Field(sa_type=sa.Text)
    event: str = Field(default="", max_length=128)
    fleeting: bool = False
    at: datetime = Field(sa_type=UtcTime, index=True)


class Claim(SQLModel, table=True):
    """An event that has had its turn: (channel account, the channel's own id). Purged after days."""

    __tablename__ = "claims"
    __table_args__ = ({"sqlite_with_rowid": False},)
    account: str = Field(primary_key=True, max_length=64)
    event: str = Field(primary_key=True, max_length=128)
    at: datetime = Field(sa_type=UtcTime, index=True)


conversations = table_of(Conversation)
messages = table_of(Message)
claims = table_of(Claim)

# ------------------------------------------------------------------------------------------ claims

# The same clause on both databases: "on conflict do nothing" of PostgreSQL's dialect is compiled alike by SQLite's.
_CLAIM = Prepared(
    sa.insert(claims)
    .prefix_with("OR IGNORE", dialect="sqlite")
    .values(account=sa.bindparam("account"), event=sa.bindparam("event"), at=sa.bindparam("now"))
)
_CLAIM_PG = Prepared(
    pg_insert(claims)
    .values(account=sa.bindparam("account"), event=sa.bindparam("event"), at=sa.bindparam("now"))
    .on_conflict_do_nothing()
)


def claim(conn: Connection, account: str, event: str, now: datetime) -> bool:
    """Claim an event for this turn; ``False`` when it has had its turn already."""
    statement = _CLAIM if conn.dialect.name == "sqlite" else _CLAIM_PG
    return statement.run(conn, account=account, event=event, now=now) == 1


_RELEASE = Prepared(
    sa.delete(claims).where(claims.c.account == sa.bindparam("account"), claims.c.event == sa.bindparam("event"))
)


def release(conn: Connection, account: str, event: str) -> None:
    """Give up the claim of an event, which is about to have its turn anew in this transaction."""
    _RELEASE.run(conn, account=account, event=event)


_PURGE_CLAIMS = Prepared(sa.delete(claims).where(claims.c.at < sa.bindparam("before")))


def purge_claims(conn: Connection, before: datetime) -> int:
    """Forget claims older than the channel could redeliver."""
    return _PURGE_CLAIMS.run(conn, before=before)


# ------------------------------------------------------------------------------------------ conversations


@dataclass(frozen=True, slots=True)
class Chat:
    """A contact with its conversation and the person who speaks through it, as read at the start of a turn."""

    contact_id: int
    account: str
    address: str
    provisional: bool
    state: str
    screen: int
    language: str
    used_at: datetime
    officer_id: int | None
    reachable: bool
    person: PersonRow | None


_CHAT = (
    sa.select(
        contacts.c.id,
        contacts.c.account,
        contacts.c.address,
        contacts.c.provisional,
        conversations.c.state,
        conversations.c.screen,
        conversations.c.language,
        conversations.c.used_at,
        officer_contacts.c.officer_id,
        contacts.c.reachable,
        people.c.id.label("person_id"),
        *PERSON_COLUMNS[1:],
    )
    .select_from(
        contacts.join(conversations, conversations.c.contact_id == contacts.c.id)
        .outerjoin(people, people.c.id == conversations.c.person_id)
        .outerjoin(officer_contacts, officer_contacts.c.contact_id == contacts.c.id)
    )
    .where(contacts.c.account == sa.bindparam("account"), contacts.c.address == sa.bindparam("address"))
)
_PEEK = Prepared(_CHAT)
# Locked by a statement of its own: a locking read with outer joins would show the joined rows as they were before it
# waited (PostgreSQL), and a person who joined meanwhile would be missing.
_LOCK = Prepared(
    sa.select(conversations.c.contact_id)
    .select_from(contacts.join(conversations, conversations.c.contact_id == contacts.c.id))
    .where(contacts.c.account == sa.bindparam("account"), contacts.c.address == sa.bindparam("address"))
    .with_for_update(of=conversations)
)


def open_chat(conn: Connection, account: str, address: str) -> Chat | None:
    """The chat of an address, its conversation locked until the turn ends (on SQLite the one writer is the lock)."""
    if conn.dialect.name != "sqlite":
        _LOCK.first(conn, account=account, address=address)
    return _chat(_PEEK.first(conn, account=account, address=address))


def lock(conn: Connection, contact_ids: Iterable[int]) -> bool:
    """Lock the conversations of several contacts until the transaction ends, in the order of their numbers; ``False``
    where the one writer is the lock already (SQLite)."""
    if conn.dialect.name == "sqlite":
        return False
    wanted = conversations.c.contact_id.in_(sorted(contact_ids))
    conn.execute(
        sa.select(conversations.c.contact_id).where(wanted).order_by(conversations.c.contact_id).with_for_update()
    ).all()
    return True


def peek(conn: Connection, account: str, address: str) -> Chat | None:
    """The chat of an address, for reading."""
    return _chat(_PEEK.first(conn, account=account, address=address))


def _chat(row: Any | None) -> Chat | None:
    if row is None:
        return None
    person = None if row.person_id is None else PersonRow(*row[10:])
    return Chat(*row[:10], person)  # type: ignore[call-arg]


_BEGIN = Prepared(
    sa.insert(conversations).values(
        contact_id=sa.bindparam("contact"),
        state=sa.bindparam("state"),
        screen=0,
        language=sa.bindparam("language"),
        used_at=sa.bindparam("now"),
    )
)


def begin_chat(conn: Connection, contact_id: int, state: str, language: str, now: datetime) -> None:
    """The conversation of a contact just met."""
    _BEGIN.run(conn, contact=contact_id, state=state, language=language, now=now)


_SAVE = Prepared(
    sa.update(conversations)
    .where(conversations.c.contact_id == sa.bindparam("contact"))
    .values(state=sa.bindparam("state"), screen=sa.bindparam("screen"), used_at=sa.bindparam("now"))
)


def save_chat(conn: Connection, contact_id: int, state: str, screen: int, now: datetime) -> None:
    """Where the chat stands after the turn."""
    _SAVE.run(conn, contact=contact_id, state=state, screen=screen, now=now)


_SPEAK_AS = Prepared(
    sa.update(conversations)
    .where(conversations.c.contact_id == sa.bindparam("contact"))
    .values(person_id=sa.bindparam("person"))
)
_LANGUAGE = Prepared(
    sa.update(conversations)
    .where(conversations.c.contact_id == sa.bindparam("contact"))
    .values(language=sa.bindparam("language"))
)


def speak_as(conn: Connection, contact_id: int, person_id: int | None) -> None:
    """From now on this chat is that person's."""
    _SPEAK_AS.run(conn, contact=contact_id, person=person_id)


_LINKED = Prepared(
    sa.select(contact_person.c.person_id).where(
        contact_person.c.contact_id == sa.bindparam("contact"), contact_person.c.person_id == sa.bindparam("person")
    )
)
_LINK = Prepared(
    sa.insert(contact_person).values(
        contact_id=sa.bindparam("contact"),
        person_id=sa.bindparam("person"),
        relation="self",
        since=sa.bindparam("now"),
    )
)


@contextmanager
def tried(conn: Connection) -> Iterator[None]:
    """What is written in this block is taken back at its end: to see what would come of it."""
    cursor = conn.connection.dbapi_connection.cursor()  # type: ignore[union-attr]
    cursor.execute("SAVEPOINT tried")
    try:
        yield
    finally:
        cursor.execute("ROLLBACK TO SAVEPOINT tried")
        cursor.execute("RELEASE SAVEPOINT tried")
        cursor.close()


def hand_over(conn: Connection, contact_id: int, person_id: int, now: datetime) -> None:
    """A chat that spoke for one person speaks for another from now on, and neither sees the other's history.

    The caller has proved the right to it. The earlier person stays linked: who may decide whose dossier hangs on that.
    """
    if _LINKED.first(conn, contact=contact_id, person=person_id) is None:
        _LINK.run(conn, contact=contact_id, person=person_id, now=now)
    speak_as(conn, contact_id, person_id)
    erase_history(conn, contact_id)


def set_language(conn: Connection, contact_id: int, language: str) -> None:
    """The reader's language: ``vi`` or ``en``."""
    _LANGUAGE.run(conn, contact=contact_id, language=language)


# ------------------------------------------------------------------------------------------ messages

_KEEP_MESSAGE = Prepared(
    sa.insert(messages)
    .values(
        contact_id=sa.bindparam("contact"),
        direction=sa.bindparam("direction"),
        body=sa.bindparam("body"),
        event=sa.bindparam("source"),
        fleeting=sa.bindparam("passing"),
        at=sa.bindparam("now"),
    )
    .returning(messages.c.id)
)


def keep_message(
    conn: Connection,
    contact_id: int,
    direction: str,
    body: str,
    now: datetime,
    event: str = "",
    *,
    fleeting: bool = False,
) -> int:
    """Add a line to the contact's history (*event*: the event that said it); its id."""
    found: int = _KEEP_MESSAGE.value(
        conn, contact=contact_id, direction=direction, body=body, source=event, passing=fleeting, now=now
    )
    return found


_DROP_FLEETING = Prepared(
    sa.delete(messages).where(messages.c.contact_id == sa.bindparam("contact"), messages.c.fleeting)
)
_DROP_ALL_FLEETING = Prepared(sa.delete(messages).where(messages.c.fleeting))


def drop_fleeting(conn: Connection, contact_id: int | None = None) -> None:
    """Forget the lines that showed an officer other people's data: of one contact, or (a person is erased) of all."""
    if contact_id is None:
        _DROP_ALL_FLEETING.run(conn)
    else:
        _DROP_FLEETING.run(conn, contact=contact_id)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of history."""

    id: int
    direction: str
    body: str
    event: str
    at: datetime


_LINES = (
    sa.select(messages.c.id, messages.c.direction, messages.c.body, messages.c.event, messages.c.at)
    .select_from(messages.join(contacts, contacts.c.id == messages.c.contact_id))
    .where(
        contacts.c.account == sa.bindparam("account"),
        contacts.c.address == sa.bindparam("address"),
        messages.c.id > sa.bindparam("after"),
    )
    .order_by(messages.c.id.desc())
    .limit(sa.bindparam("most"))
)
_HISTORY = Prepared(_LINES)
_OWN_HISTORY = Prepared(_LINES.where(messages.c.fleeting.is_(False)))


def history(
    conn: Connection, account: str, address: str, after: int = 0, most: int = 200, *, fleeting: bool = True
) -> list[Line]:
    """The newest lines after an id, oldest first, at most *most*; without *fleeting* ones only what is the
    reader's own."""
    statement = _HISTORY if fleeting else _OWN_HISTORY
    found = statement.all(conn, account=account, address=address, after=after, most=most)
    return [Line(row.id, row.direction, handed.filled(conn, row.body), row.event, row.at) for row in reversed(found)]


_PURGE_MESSAGES = Prepared(sa.delete(messages).where(messages.c.at < sa.bindparam("before")))


def purge_messages(conn: Connection, before: datetime) -> int:
    """Forget history older than the setting."""
    return _PURGE_MESSAGES.run(conn, before=before)


# ------------------------------------------------------------------------------------------ whom to write to


@dataclass(frozen=True, slots=True)
class Reach:
    """A contact to write to, with its reader's language."""

    contact_id: int
    account: str
    address: str
    language: str


_REACH = (contacts.c.id, contacts.c.account, contacts.c.address, conversations.c.language)
_LAST_USED = Prepared(
    sa.select(*_REACH)
    .select_from(
        contact_person.join(contacts, contacts.c.id == contact_person.c.contact_id).join(
            conversations, conversations.c.contact_id == contacts.c.id
        )
    )
    .where(
        contact_person.c.person_id == sa.bindparam("person"),
        contacts.c.reachable,
        # A phone that several share speaks for one of them at a time.
        conversations.c.person_id == sa.bindparam("person"),
    )
    .order_by(conversations.c.used_at.desc(), contacts.c.id.desc())
    .limit(1)
)
_SPEAKING_FOR = Prepared(
    sa.select(*_REACH)
    .select_from(conversations.join(contacts, contacts.c.id == conversations.c.contact_id))
    .where(conversations.c.person_id == sa.bindparam("person"), contacts.c.reachable)
    .order_by(contacts.c.id)
)
_ON_UNIT = Prepared(
    sa.select(*_REACH)
    .select_from(
        officer_roles.join(officer_contacts, officer_contacts.c.officer_id == officer_roles.c.officer_id)
        .join(contacts, contacts.c.id == officer_contacts.c.contact_id)
        .join(conversations, conversations.c.contact_id == contacts.c.id)
    )
    .where(officer_roles.c.unit_id == sa.bindparam("unit"), officer_roles.c.until.is_(None), contacts.c.reachable)
    .distinct()
    .order_by(contacts.c.id)
)


def last_used(conn: Connection, person_id: int) -> Reach | None:
    """The reachable contact that a person used last."""
    row = _LAST_USED.first(conn, person=person_id)
    return None if row is None else Reach(*row)


def speaking_for(conn: Connection, person_id: int) -> list[Reach]:
    """The reachable contacts on which a person speaks now, oldest first."""
    return [Reach(*row) for row in _SPEAKING_FOR.all(conn, person=person_id)]


def officers_on(conn: Connection, unit_id: int) -> list[Reach]:
    """The reachable contacts of the officers with a role on the unit itself."""
    return [Reach(*row) for row in _ON_UNIT.all(conn, unit=unit_id)]


_UNJOINED = Prepared(
    sa.select(contacts.c.id)
    .select_from(
        contacts.join(conversations, conversations.c.contact_id == contacts.c.id)
        .outerjoin(contact_person, contact_person.c.contact_id == contacts.c.id)
        .outerjoin(officer_contacts, officer_contacts.c.contact_id == contacts.c.id)
    )
    .where(
        contacts.c.provisional.is_(False),
        conversations.c.used_at < sa.bindparam("before"),
        contact_person.c.person_id.is_(None),
        officer_contacts.c.officer_id.is_(None),
        # A husk that proves a person's consent stays as long as the person.
        ~sa.exists(
            sa.select(consents.c.id).where(consents.c.contact_id == contacts.c.id, consents.c.person_id.is_not(None))
        ),
    )
    .order_by(contacts.c.id)
    .limit(200)
)


def unjoined(conn: Connection, before: datetime) -> list[int]:
    """Contacts last used before a moment that consented and never finished joining, and are no officer's; at most
    200."""
    return [row.id for row in _UNJOINED.all(conn, before=before)]


_ERASE_HISTORY = Prepared(sa.delete(messages).where(messages.c.contact_id == sa.bindparam("contact")))


def erase_history(conn: Connection, contact_id: int) -> None:
    """Forget what a contact saw and sent: another person uses it from now on, or nobody."""
    handed.forget(conn, contact_id)
    _ERASE_HISTORY.run(conn, contact=contact_id)
