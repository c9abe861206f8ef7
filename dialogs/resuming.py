"""Resuming by card (mã tiếp tục): a person's dossier on another chat, or on the chat of somebody else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dialogs import guessing, notices, places
from dialogs.home import Home
from dialogs.model import Act, Choice, Pressed, Screen
from dialogs.states import Next, Turn, state
from locales import _
from storage import audit, codes, conversations, evidence, outbox, people, units
from storage.base import Refused


@state
class SwitchPerson:
    """A resume code (mã tiếp tục) of another person came in on this chat. *made*: when that code was made."""

    person: int
    made: str


@dataclass(frozen=True, slots=True)
class View:
    """Whose chat it is until now."""

    speaker: str


def load(turn: Turn, state: SwitchPerson) -> View:
    """Read. Raises ``Refused("assessment_gone")`` when the chat is nobody's any more."""
    if turn.chat.person is None:
        raise Refused("assessment_gone")
    return View(turn.person.name)


def show(state: SwitchPerson, view: View) -> Screen:
    """The question whether the chat is to become the other person's."""
    return Screen(
        _("join.switch", name=view.speaker),
        (Choice("stay", _("join.switch_no"), "main"), Choice("switch", _("join.switch_yes"))),
    )


def take(turn: Turn, state: SwitchPerson, view: View, act: Act) -> Next:
    """Switch, or stay. Raises ``Refused("resume_wrong")`` when the code died meanwhile."""
    match act:
        case Pressed("switch"):
            return _switch(turn, state.person, state.made)
        case Pressed("stay"):
            return Next(Home())
    return Next(state, puzzled=True)


def resume(turn: Turn, state: object, code: codes.ResumeCode) -> Next:
    """A resume code came in: go on as its person, after a question where the chat is somebody else's now."""
    conn, contact, present = turn.conn, turn.chat.contact_id, turn.chat.person
    shut = guessing.shut(turn)
    if shut:
        return Next(state, shut)
    if present is not None:
        with conversations.tried(conn):
            whose = people.resume(conn, code, contact, turn.now)
        if isinstance(whose, int) and whose != present.id:
            return Next(SwitchPerson(whose, _card(turn, whose)))
    found = people.resume(conn, code, contact, turn.now, counted=not guessing.again(turn, code))
    if isinstance(found, str):
        return Next(state, _wrong_card(turn, code, found))
    conversations.speak_as(conn, contact, found)
    if present is None:
        _opened_here(turn, found, "person.resume")
    return Next(Home(), _("turn.resumed"), reread=True)


def _opened_here(turn: Turn, person_id: int, action: str) -> None:
    """A card opened a dossier: written down, and told on its person's other chats, for cards are found and copied."""
    conn, here = turn.conn, turn.chat.contact_id
    person = people.person(conn, person_id)
    assert person is not None
    audit.write(conn, f"contact:{here}", action, f"person:{person_id}", turn.now, person.unit_id)
    contact = places.whom_to_ask(units.settings(conn, places.unit_of(conn, person.unit_id)))

    def notice() -> Screen:
        return Screen(_("notice.opened_elsewhere", contact=contact).strip())

    notices.to_other_chats(conn, turn.now, person_id, here, notice)


def _wrong_card(turn: Turn, code: codes.ResumeCode, why: str) -> str:
    """The sentence for a resume code that opens nothing; a wrong one is counted, and who holds the card told when it is
    locked."""
    if why == "resume_locked":
        return _("refused.resume_locked")
    owner = people.card_owner(turn.conn, code.handle)
    if why == "resume_shut" and owner is not None:
        notices.to_person(turn.conn, turn.now, owner, _card_locked)
    return guessing.missed(turn, code) or _("refused.resume_locked" if why == "resume_shut" else "refused.resume_wrong")


def _card_locked() -> Screen:
    return Screen(_("notice.resume_locked", tries=people.RESUME_TRIES), (Choice("go:hoso", _("standing.open")),))


def _card(turn: Turn, person_id: int) -> str:
    made = people.resume_code_made(turn.conn, person_id)
    return "" if made is None else made.isoformat()


def _switch(turn: Turn, person_id: int, made: str) -> Next:
    """The chat becomes the other person's. Raises ``Refused("resume_wrong")`` when the code died meanwhile."""
    conn, chat = turn.conn, turn.chat
    if not made or made != _card(turn, person_id):
        raise Refused("resume_wrong")
    if chat.officer_id is None:  # what waits here was for the one who spoke until now
        for row in outbox.waiting_for(conn, chat.account, chat.address, turn.now + timedelta(days=1)):
            if row.priority != outbox.ANSWER:
                outbox.settle(conn, row.id, "cancelled")
    evidence.forget_uploads(conn, chat.contact_id, turn.now)
    conversations.hand_over(conn, chat.contact_id, person_id, turn.now)
    _opened_here(turn, person_id, "person.switch")
    return Next(Home(), _("turn.resumed"), reread=True)
