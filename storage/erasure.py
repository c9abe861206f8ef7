"""Forgetting: a contact that refused or never consented, a person who withdraws consent. Counts stay right."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from storage import (
    assessments,
    audit,
    claims,
    counters,
    desks,
    events,
    evidence,
    jobs,
    numbering,
    privacy,
    recipients,
    reminders,
    removed,
    rollout,
    suggestions,
    unsaid,
)
from storage.albums import albums
from storage.assessments import answer_history, answers, registrations
from storage.base import Connection, Prepared
from storage.conversations import conversations, drop_fleeting, messages
from storage.handed import handed_files
from storage.identity import identities
from storage.officers import officer_contacts
from storage.outbox import outbox
from storage.people import PersonRow, consents, contact_person, contacts, contacts_of, people, resume_cards
from storage.reviews import returned_questions, reviews
from storage.shown import shown

_ADDRESS = Prepared(sa.select(contacts.c.address).where(contacts.c.id == sa.bindparam("contact")))
_IS_OFFICER = Prepared(
    sa.select(officer_contacts.c.officer_id).where(officer_contacts.c.contact_id == sa.bindparam("contact"))
)
_OTHERS = Prepared(
    sa.select(contact_person.c.person_id).where(
        contact_person.c.contact_id == sa.bindparam("contact"), contact_person.c.person_id != sa.bindparam("person")
    )
)
_CONSENTED = Prepared(
    sa.select(consents.c.person_id).where(
        consents.c.contact_id == sa.bindparam("contact"), consents.c.person_id.is_not(None)
    )
)
_SPEAKS_THERE = Prepared(
    sa.select(conversations.c.person_id).where(
        conversations.c.contact_id == sa.bindparam("contact"), conversations.c.person_id != sa.bindparam("person")
    )
)


def _by(table: sa.Table, column: str) -> Prepared:
    return Prepared(sa.delete(table).where(table.c[column] == sa.bindparam("key")))


_FORGET_CONTACT = (
    _by(handed_files, "contact_id"),
    _by(messages, "contact_id"),
    _by(outbox, "contact_id"),
    _by(conversations, "contact_id"),
    _by(contact_person, "contact_id"),
    _by(consents, "contact_id"),
    _by(officer_contacts, "contact_id"),
    _by(albums, "contact_id"),
    _by(shown, "contact_id"),
)
_DROP_CONTACT = _by(contacts, "id")
# Of a phone that was handed over: messages that were sent, and any to the one who spoke there before.
_SENT_THERE = Prepared(
    sa.delete(outbox).where(
        outbox.c.contact_id == sa.bindparam("contact"),
        sa.or_(outbox.c.outcome != "waiting", outbox.c.person_id == sa.bindparam("person")),
    )
)
_ERASE_CHAT = (
    _by(handed_files, "contact_id"),
    _by(messages, "contact_id"),
    _by(outbox, "contact_id"),
    _by(albums, "contact_id"),
    _by(shown, "contact_id"),
)
_REVIEW_QUESTIONS = Prepared(
    sa.delete(returned_questions).where(
        returned_questions.c.review_id.in_(
            sa.select(reviews.c.id).where(reviews.c.assessment_id == sa.bindparam("key"))
        )
    )
)
_ERASE_ASSESSMENT = (
    _REVIEW_QUESTIONS,
    _by(reviews, "assessment_id"),
    _by(albums, "assessment_id"),
    _by(answer_history, "assessment_id"),
    _by(answers, "assessment_id"),
    _by(removed.removed, "assessment_id"),
    _by(assessments.assessments, "id"),
)
_LEAVE_PERSON = Prepared(
    sa.update(conversations).where(conversations.c.person_id == sa.bindparam("key")).values(person_id=None)
)
_ERASE_PERSON = (
    _LEAVE_PERSON,
    _by(identities, "person_id"),  # whoever stated the same number is no double any more
    _by(registrations, "person_id"),
    _by(resume_cards, "person_id"),
    _by(reminders.reminders, "person_id"),
    _by(reminders.stops, "person_id"),
    _by(consents, "person_id"),
    _by(contact_person, "person_id"),
    _by(people, "id"),
)

_others = consents.alias("others")
# A browser that was left ("Không phải tôi"): a husk that only proves when this person consented.
_HUSKS = Prepared(
    sa.select(consents.c.contact_id)
    .where(
        consents.c.person_id == sa.bindparam("person"),
        ~sa.exists(sa.select(contact_person.c.person_id).where(contact_person.c.contact_id == consents.c.contact_id)),
        ~sa.exists(
            sa.select(officer_contacts.c.officer_id).where(officer_contacts.c.contact_id == consents.c.contact_id)
        ),
        ~sa.exists(
            sa.select(_others.c.id).where(
                _others.c.contact_id == consents.c.contact_id, _others.c.person_id != sa.bindparam("person")
            )
        ),
    )
    .distinct()
)
_SHOWN = Prepared(sa.select(shown.c.message_id, shown.c.beside).where(shown.c.contact_id == sa.bindparam("contact")))
_FORGET_VISIT = (
    _by(handed_files, "contact_id"),
    _by(messages, "contact_id"),
    _by(outbox, "contact_id"),
    Prepared(sa.delete(consents).where(consents.c.contact_id == sa.bindparam("key"), consents.c.person_id.is_(None))),
)


def forget_contact(conn: Connection, contact_id: int, now: datetime) -> None:
    """Everything that hangs on a contact, and the contact. What stays: the event's claim (ids only)."""
    numbering.remember(conn)
    address = _ADDRESS.value(conn, contact=contact_id)
    evidence.forget_arrivals(conn, contact_id)
    evidence.forget_uploads(conn, contact_id, now)
    jobs.forget(conn, contact_id)
    recipients.forget_contact(conn, contact_id)
    privacy.forget_contact(conn, contact_id)
    if address is not None:
        events.forget(conn, address)
    for statement in _FORGET_CONTACT:
        statement.run(conn, key=contact_id)
    _DROP_CONTACT.run(conn, key=contact_id)


def joined(conn: Connection, contact_id: int) -> bool:
    """Has anybody joined a unit from this contact who is still there?"""
    return _OTHERS.first(conn, contact=contact_id, person=0) is not None or (
        _CONSENTED.first(conn, contact=contact_id) is not None
    )


def turn_away(conn: Connection, contact_id: int, now: datetime) -> bool:
    """A visitor who may not join: what they said goes, with the consent just given. Is the contact gone too?

    One that is also an officer's, or somebody else's, stays.
    """
    shared = _IS_OFFICER.first(conn, contact=contact_id) or _OTHERS.first(conn, contact=contact_id, person=0)
    if not shared:
        forget_contact(conn, contact_id, now)
        return True
    numbering.remember(conn, "outbox")
    for statement in _FORGET_VISIT:
        statement.run(conn, key=contact_id)
    events.forget(conn, _ADDRESS.value(conn, contact=contact_id))
    return False


def erase_person(
    conn: Connection, person: PersonRow, actor: str, now: datetime, *, speaking: int | None = None, asked: bool = True
) -> None:
    """Erase a person: assessments out of the counts (ledger: ``erase``), answers, evidence, history, contacts, chats.

    A contact that is also an officer's keeps its role but loses its chat history; one on which somebody else speaks now
    is only unlinked, for this person's history went when it was handed over. Officers' chats lose what showed the
    dossier. The audit trail, the ledger and the log of requests keep ids only. *speaking*: the contact that asks; its
    last message is not taken away at the channel, since the farewell takes its place. *asked*: not merely because the
    time for keeping them is over; then no list brings them back.
    """
    codes: list[str] = []
    numbering.remember(conn)
    rollout.unbind(conn, person.unit_id)
    for each in sorted(assessments.every_of_person(conn, person.id), key=lambda found: found.id):
        row = assessments.locked(conn, each.id)  # an officer may be deciding it at this moment
        codes.append(row.code)
        desks.clear(conn, row, person.name, now)
        counters.shift(
            conn,
            assessment_id=row.id,
            unit_id=row.unit_id,
            year=row.year,
            subject_group=row.subject_group,
            before=row.status,
            after=None,
            why="erase",
            now=now,
        )
        evidence.remove_all(conn, row.id, now)  # and with them what is still on its way
        for statement in _ERASE_ASSESSMENT:
            statement.run(conn, key=row.id)
    held = contacts_of(conn, person.id)
    husks = [row.contact_id for row in _HUSKS.all(conn, person=person.id)]
    kept = []
    for contact in held:
        if _SPEAKS_THERE.first(conn, contact=contact.contact_id, person=person.id) is not None:
            kept.append(contact.contact_id)
            _SENT_THERE.run(conn, contact=contact.contact_id, person=person.id)
            events.forget(conn, contact.address)  # nothing in a failed event says who of the two it came from
            continue
        _unsay_shown(conn, contact.contact_id, contact.account, contact.address, now, contact.contact_id == speaking)
        officer = _IS_OFFICER.first(conn, contact=contact.contact_id) is not None
        others = _OTHERS.first(conn, contact=contact.contact_id, person=person.id) is not None
        if officer or others:
            kept.append(contact.contact_id)
            for statement in _ERASE_CHAT:
                statement.run(conn, key=contact.contact_id)
            evidence.forget_uploads(conn, contact.contact_id, now)
            jobs.forget(conn, contact.contact_id)
            events.forget(conn, contact.address)
    drop_fleeting(conn)  # an officer may have the dossier open
    events.forget_words(conn, (person.name, *codes))
    suggestions.forget_person(conn, person.id, now)
    privacy.forget_person(conn, person.id, now)
    claims.forget_person(conn, person, actor, now, asked=asked)
    for statement in _ERASE_PERSON:
        statement.run(conn, key=person.id)
    for contact_id in (*(each.contact_id for each in held if each.contact_id not in kept), *husks):
        forget_contact(conn, contact_id, now)
    audit.write(conn, actor, "person.erase", f"person:{person.id}", now, person.unit_id)


def _unsay_shown(
    conn: Connection, contact_id: int, account: str, address: str, now: datetime, speaking: bool = False
) -> None:
    """What the chat shows goes at its channel; of the chat that *speaks* only what stands beside its last message."""
    row = _SHOWN.first(conn, contact=contact_id)
    if row is not None:
        beside = [int(each) for each in row.beside.split(",") if each]
        unsaid.unsay(conn, account, address, [*beside, *(() if speaking else (row.message_id,))], now, own=True)
