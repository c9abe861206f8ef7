"""People (công dân), their contacts on channels, who speaks through which contact, consent, resume codes.

A person is not a chat: a **contact** is an address on a channel account, ``contact_person`` says whose it is.
Until consent a contact is *provisional*: an address and nothing else, gone after a day.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import codes, rollout
from storage.base import BigId, Connection, Prepared, UtcTime, table_of
from storage.numbering import Next

FORMS = ("ong_ba", "anh_chi", "ban")
PROVISIONAL_LIFE = timedelta(hours=24)
ID_NUMBER = "/id"  # how the version of a consent ends that is about the personal id number alone
RESUME_TRIES = 10  # wrong secrets on one card within a day, whoever tries; a contact has fewer (storage.attempts)
RESUME_SPAN = timedelta(days=1)
RESUME_LOCK = timedelta(hours=1)


class Person(SQLModel, table=True):
    """A citizen who joined a unit."""

    __tablename__ = "people"
    __table_args__ = (
        sa.CheckConstraint("length(name) between 1 and 120", name="name"),
        sa.CheckConstraint("birth_year between 1900 and 2100", name="birth_year"),
        sa.CheckConstraint("phone is null or length(phone) between 8 and 15", name="phone"),
        sa.CheckConstraint("form in ('ong_ba', 'anh_chi', 'ban')", name="form"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    unit_id: int = Field(foreign_key="units.id", index=True)
    name: str = Field(max_length=120)
    birth_year: int
    phone: str | None = Field(default=None, max_length=15)
    form: str = Field(max_length=8)
    subject_group: str = Field(max_length=32)
    joined_at: datetime = Field(sa_type=UtcTime)


class Contact(SQLModel, table=True):
    """An address on a channel account (a bot token, an OA, the web site)."""

    __tablename__ = "contacts"
    __table_args__ = (sa.UniqueConstraint("account", "address"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    account: str = Field(max_length=64)
    address: str = Field(max_length=128)
    provisional: bool = True
    reachable: bool = True
    created_at: datetime = Field(sa_type=UtcTime)


class ContactPerson(SQLModel, table=True):
    """Whose contact it is: ``self``; later ``household`` and ``helper``."""

    __tablename__ = "contact_person"
    __table_args__ = (sa.CheckConstraint("relation in ('self', 'household', 'helper')", name="relation"),)
    contact_id: int = Field(primary_key=True, foreign_key="contacts.id", sa_type=BigId)
    person_id: int = Field(primary_key=True, foreign_key="people.id", index=True, sa_type=BigId)
    relation: str = Field(default="self", max_length=16)
    since: datetime = Field(sa_type=UtcTime)


class Consent(SQLModel, table=True):
    """Consent (đồng ý) as given: which wording, to whom as controller, when; one row for each time, and one of its own
    for each further purpose (:data:`ID_NUMBER` at the end of ``version``)."""

    __tablename__ = "consents"
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    contact_id: int = Field(foreign_key="contacts.id", index=True, sa_type=BigId)
    person_id: int | None = Field(default=None, foreign_key="people.id", index=True, sa_type=BigId)
    unit_id: int = Field(foreign_key="units.id")
    version: str = Field(max_length=32)
    controller: str = Field(max_length=200)
    given_at: datetime = Field(sa_type=UtcTime)
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcTime)


class ResumeCard(SQLModel, table=True):
    """A resume code (mã tiếp tục), kept as a hash; a new one replaces the old. ``wrong_tries`` add up for a day from
    ``wrong_since`` on: slips of years lock nobody out."""

    __tablename__ = "resume_cards"
    handle: str = Field(primary_key=True, max_length=8)
    person_id: int = Field(foreign_key="people.id", unique=True, sa_type=BigId)
    secret_hash: str = Field(max_length=64)
    made_at: datetime = Field(sa_type=UtcTime)
    wrong_tries: int = 0
    wrong_since: datetime | None = Field(default=None, sa_type=UtcTime)
    locked_until: datetime | None = Field(default=None, sa_type=UtcTime)


people = table_of(Person)
contacts = table_of(Contact)
contact_person = table_of(ContactPerson)
consents = table_of(Consent)
resume_cards = table_of(ResumeCard)


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person as a turn sees them."""

    id: int
    unit_id: int
    name: str
    birth_year: int
    phone: str | None
    form: str
    subject_group: str
    joined_at: datetime


# ------------------------------------------------------------------------------------------ contacts

_INSERT_CONTACT = Prepared(
    sa.insert(contacts)
    .values(
        id=Next("contacts"),
        account=sa.bindparam("account"),
        address=sa.bindparam("address"),
        provisional=True,
        reachable=True,
        created_at=sa.bindparam("now"),
    )
    .returning(contacts.c.id)
)


def meet(conn: Connection, account: str, address: str, now: datetime) -> int:
    """A contact seen for the first time: its row, provisional."""
    found: int = _INSERT_CONTACT.value(conn, account=account, address=address, now=now)
    return found


_KEEP_CONTACT = Prepared(sa.update(contacts).where(contacts.c.id == sa.bindparam("contact")).values(provisional=False))

_INSERT_CONSENT = Prepared(
    sa.insert(consents)
    .values(
        contact_id=sa.bindparam("contact"),
        person_id=sa.bindparam("person"),
        unit_id=sa.bindparam("unit"),
        version=sa.bindparam("version"),
        controller=sa.bindparam("controller"),
        given_at=sa.bindparam("now"),
    )
    .returning(consents.c.id)
)


def consent(conn: Connection, contact_id: int, unit_id: int, version: str, controller: str, now: datetime) -> int:
    """Record consent; from now on the contact is no longer provisional."""
    _KEEP_CONTACT.run(conn, contact=contact_id)
    found: int = _INSERT_CONSENT.value(
        conn, contact=contact_id, person=None, unit=unit_id, version=version, controller=controller, now=now
    )
    return found


def keep_contact(conn: Connection, contact_id: int) -> None:
    """The contact of an officer stays, though it gave no citizen's consent (the officer's duty is the basis)."""
    _KEEP_CONTACT.run(conn, contact=contact_id)


_STALE_CONTACTS = Prepared(
    sa.select(contacts.c.id)
    .where(contacts.c.provisional, contacts.c.created_at < sa.bindparam("before"))
    .order_by(contacts.c.id)
    .limit(200)
)


def stale_provisional(conn: Connection, now: datetime) -> list[int]:
    """Contacts that never consented and are a day old: they are to be forgotten (at most 200)."""
    return [row.id for row in _STALE_CONTACTS.all(conn, before=now - PROVISIONAL_LIFE)]


_CONTACTS_OF = Prepared(
    sa.select(contacts.c.id, contacts.c.account, contacts.c.address, contacts.c.reachable)
    .select_from(contacts.join(contact_person, contact_person.c.contact_id == contacts.c.id))
    .where(contact_person.c.person_id == sa.bindparam("person"))
    .order_by(contacts.c.id)
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message can go."""

    contact_id: int
    account: str
    address: str


def contacts_of(conn: Connection, person_id: int) -> list[Address]:
    """The contacts that speak for a person, oldest first."""
    return [Address(row.id, row.account, row.address) for row in _CONTACTS_OF.all(conn, person=person_id)]


_LEAVE = Prepared(
    sa.update(contacts)
    .where(contacts.c.id == sa.bindparam("contact"))
    .values(address=sa.bindparam("nowhere"), reachable=False)
)
_UNLINK = Prepared(sa.delete(contact_person).where(contact_person.c.contact_id == sa.bindparam("contact")))


def leave(conn: Connection, contact_id: int) -> None:
    """The person leaves this contact for good ("Không phải tôi"): its address opens nothing any more.

    What stays is a husk that proves when consent was given; it has no address and belongs to nobody.
    """
    _LEAVE.run(conn, contact=contact_id, nowhere=f"left-{contact_id}")
    _UNLINK.run(conn, contact=contact_id)


# ------------------------------------------------------------------------------------------ joining

_INSERT_PERSON = Prepared(
    sa.insert(people)
    .values(
        id=Next("people"),
        unit_id=sa.bindparam("unit"),
        name=sa.bindparam("name"),
        birth_year=sa.bindparam("birth_year"),
        phone=sa.bindparam("phone"),
        form=sa.bindparam("form"),
        subject_group=sa.bindparam("group"),
        joined_at=sa.bindparam("now"),
    )
    .returning(people.c.id)
)
_INSERT_LINK = Prepared(
    sa.insert(contact_person).values(
        contact_id=sa.bindparam("contact"),
        person_id=sa.bindparam("person"),
        relation="self",
        since=sa.bindparam("now"),
    )
)
_CONSENT_OF_PERSON = Prepared(
    sa.update(consents)
    .where(consents.c.contact_id == sa.bindparam("contact"), consents.c.person_id.is_(None))
    .values(person_id=sa.bindparam("person"))
)


def join(
    conn: Connection,
    contact_id: int,
    *,
    unit_id: int,
    name: str,
    birth_year: int,
    phone: str | None,
    form: str,
    subject_group: str,
    now: datetime,
) -> PersonRow:
    """The contact's person joins a unit (gắn với đơn vị). Consent has been recorded for the contact before."""
    person: int = _INSERT_PERSON.value(
        conn, unit=unit_id, name=name, birth_year=birth_year, phone=phone, form=form, group=subject_group, now=now
    )
    _INSERT_LINK.run(conn, contact=contact_id, person=person, now=now)
    _CONSENT_OF_PERSON.run(conn, contact=contact_id, person=person)
    rollout.bind(conn, unit_id)
    return PersonRow(person, unit_id, name, birth_year, phone, form, subject_group, now)


# As PersonRow has them.
PERSON_COLUMNS = (
    people.c.id,
    people.c.unit_id,
    people.c.name,
    people.c.birth_year,
    people.c.phone,
    people.c.form,
    people.c.subject_group,
    people.c.joined_at,
)
_PERSON = Prepared(sa.select(*PERSON_COLUMNS).where(people.c.id == sa.bindparam("person")))


def person(conn: Connection, person_id: int) -> PersonRow | None:
    """A person by id."""
    row = _PERSON.first(conn, person=person_id)
    return None if row is None else PersonRow(*row)


_SET: dict[str, Prepared] = {
    column: Prepared(
        sa.update(people).where(people.c.id == sa.bindparam("person")).values({column: sa.bindparam("value")})
    )
    for column in ("name", "birth_year", "phone", "form", "subject_group", "unit_id")
}


def correct(conn: Connection, person_id: int, field: str, value: str | int | None) -> None:
    """Set one field of a person: ``name``, ``birth_year``, ``phone``, ``form`` (``subject_group`` and ``unit_id`` only
    through :mod:`storage.assessments`, since counts hang on them)."""
    _SET[field].run(conn, person=person_id, value=value)


_CONSENTS_OF = Prepared(
    sa.select(consents.c.version, consents.c.controller, consents.c.given_at, consents.c.withdrawn_at)
    .where(consents.c.person_id == sa.bindparam("person"))
    .order_by(consents.c.id)
)


def consents_of(conn: Connection, person_id: int) -> list[tuple[str, str, datetime, datetime | None]]:
    """Consents as given: (version, controller, given at, withdrawn at)."""
    return [tuple(row) for row in _CONSENTS_OF.all(conn, person=person_id)]


_ABOUT_ID = (
    consents.c.person_id == sa.bindparam("person"),
    consents.c.version.like(f"%{ID_NUMBER}"),
    consents.c.withdrawn_at.is_(None),
)
_ID_CONSENT = Prepared(sa.select(consents.c.id).where(*_ABOUT_ID, consents.c.version == sa.bindparam("of")))
_WITHDRAW_ID_CONSENT = Prepared(sa.update(consents).where(*_ABOUT_ID).values(withdrawn_at=sa.bindparam("now")))


def consent_to_id_number(
    conn: Connection, contact_id: int, person_id: int, unit_id: int, version: str, controller: str, now: datetime
) -> None:
    """Record that a person consents to their id number being kept for comparing. Another number under a consent in
    force needs no new one. *version* ends in :data:`ID_NUMBER`."""
    if _ID_CONSENT.first(conn, person=person_id, of=version) is None:
        _INSERT_CONSENT.value(
            conn, contact=contact_id, person=person_id, unit=unit_id, version=version, controller=controller, now=now
        )


def withdraw_id_number(conn: Connection, person_id: int, now: datetime) -> None:
    """The person takes back the consent to their id number; the rows stay as proof of what was lawful until now."""
    _WITHDRAW_ID_CONSENT.run(conn, person=person_id, now=now)


# ------------------------------------------------------------------------------------------ resume codes

_DROP_CARD = Prepared(sa.delete(resume_cards).where(resume_cards.c.person_id == sa.bindparam("person")))
_INSERT_CARD = Prepared(
    sa.insert(resume_cards).values(
        handle=sa.bindparam("handle"),
        person_id=sa.bindparam("person"),
        secret_hash=sa.bindparam("hash"),
        made_at=sa.bindparam("now"),
        wrong_tries=0,
    )
)
_CARD = Prepared(
    sa.select(
        resume_cards.c.person_id,
        resume_cards.c.secret_hash,
        resume_cards.c.wrong_tries,
        resume_cards.c.wrong_since,
        resume_cards.c.locked_until,
    )
    .where(resume_cards.c.handle == sa.bindparam("handle"))
    .with_for_update()
)
_HANDLE = Prepared(sa.select(resume_cards.c.person_id).where(resume_cards.c.handle == sa.bindparam("handle")))
_COUNT_TRY = Prepared(
    sa.update(resume_cards)
    .where(resume_cards.c.handle == sa.bindparam("handle"))
    .values(wrong_tries=sa.bindparam("tries"), wrong_since=sa.bindparam("since"), locked_until=sa.bindparam("until"))
)
_LINKED = Prepared(
    sa.select(contact_person.c.person_id).where(
        contact_person.c.contact_id == sa.bindparam("contact"), contact_person.c.person_id == sa.bindparam("person")
    )
)
_HAS_CARD = Prepared(sa.select(resume_cards.c.made_at).where(resume_cards.c.person_id == sa.bindparam("person")))


def new_resume_code(conn: Connection, person_id: int, now: datetime) -> str:
    """A new resume code, printed form; only its hash is kept, and the person's earlier one dies."""
    code = codes.new_resume()
    while _HANDLE.first(conn, handle=code.handle) is not None:  # 14 million handles: at a million cards one in 14
        code = codes.new_resume()
    _DROP_CARD.run(conn, person=person_id)
    _INSERT_CARD.run(conn, handle=code.handle, person=person_id, hash=codes.secret_hash(code), now=now)
    return codes.printed(code)


def resume_code_made(conn: Connection, person_id: int) -> datetime | None:
    """When the resume code that now holds was made; the code itself is nowhere."""
    found: datetime | None = _HAS_CARD.value(conn, person=person_id)
    return found


def card_owner(conn: Connection, handle: str) -> int | None:
    """The person whose resume code begins with this handle."""
    found: int | None = _HANDLE.value(conn, handle=handle)
    return found


def resume(
    conn: Connection, code: codes.ResumeCode, contact_id: int, now: datetime, *, counted: bool = True
) -> int | str:
    """Whom the code continues: the person id, now linked to the contact; or ``"resume_wrong"``, ``"resume_locked"``
    (not looked at), ``"resume_shut"`` (wrong, and the card is locked by it).

    A wrong secret counts against the card: the tenth within a day locks it for an hour. That is why this returns its
    refusal instead of raising: the count must be kept. Not *counted*: the contact has tried the very same before.
    """
    card = _CARD.first(conn, handle=code.handle)
    if card is None:
        return "resume_wrong"
    if card.locked_until is not None and card.locked_until > now:
        return "resume_locked"
    if not hmac.compare_digest(card.secret_hash, codes.secret_hash(code)):
        if not counted:
            return "resume_wrong"
        fresh = card.wrong_since is None or now - card.wrong_since >= RESUME_SPAN
        tries, since = (1, now) if fresh else (card.wrong_tries + 1, card.wrong_since)
        if tries < RESUME_TRIES:
            _COUNT_TRY.run(conn, handle=code.handle, tries=tries, since=since, until=None)
            return "resume_wrong"
        _COUNT_TRY.run(conn, handle=code.handle, tries=0, since=None, until=now + RESUME_LOCK)
        return "resume_shut"
    _COUNT_TRY.run(conn, handle=code.handle, tries=0, since=None, until=None)
    if _LINKED.first(conn, contact=contact_id, person=card.person_id) is None:
        _INSERT_LINK.run(conn, contact=contact_id, person=card.person_id, now=now)
    _KEEP_CONTACT.run(conn, contact=contact_id)
    found: int = card.person_id
    return found
