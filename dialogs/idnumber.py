"""The personal id number (số định danh cá nhân): hidden at the edge wherever it is typed, asked for where a unit
does.

What a person writes is shielded before a turn sees it (:func:`shield`): twelve digits become ``••••1234``. Only the
step that asks for the number is handed it, in memory, and keeps what can be compared and not read
(:mod:`storage.identity`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from dialogs import guessing, places
from dialogs.model import Act, Choice, Incoming, Opened, Pressed, Screen, Sent, Typed
from dialogs.states import Next, Turn, state
from dialogs.text import BACK, clean
from locales import _, clock
from storage import attempts, audit, claims, evidence, identity, idnumbers, people, privacy, unsaid
from storage.base import Refused
from storage.identity import Sealed
from storage.units import UnitRow

log = logging.getLogger(__name__)

REMOVE = "remove"
SKIP = "skip"
LATER = "later"
CONSENT_VERSION = f"2026-11{people.ID_NUMBER}"  # of the words in which the number is asked for


@state
class Stating:
    """The number is asked for from /dulieu (whose own way back is *way_back*)."""

    way_back: str

    SECRET = True


@state
class Wanted:
    """The unit requires the number and the citizen, who joined before it did or had no card, has stated none. *then*:
    where it goes on when they have (``""``: back)."""

    way_back: str
    then: str = ""

    SECRET = True


# ------------------------------------------------------------------------------------------ at the edge


@dataclass(frozen=True, slots=True)
class Shielded:
    """An event without secret numbers. ``numbers``: those that the act held, in memory only; ``hidden``: it held one,
    or its message shows one."""

    incoming: Incoming
    numbers: tuple[str, ...]
    hidden: bool

    def __repr__(self) -> str:
        return f"Shielded(hidden={self.hidden})"


def shield(incoming: Incoming, asked: object) -> Shielded:
    """An event with its words cleaned and its id numbers shaded. *asked*: the state in which the chat stands; one that
    asks for the number (``SECRET``) has every number shaded that may be one with a slip in it."""
    hide = idnumbers.hide_all if getattr(type(asked), "SECRET", False) else idnumbers.hide
    match incoming.act:
        case Typed(said) | Opened(said) | Pressed(said) | Sent(caption=said):
            pass
        case _:
            return Shielded(incoming, (), incoming.secret)
    if isinstance(incoming.act, Pressed):
        first, hidden = hide(said), hide(said.replace("\x00", ""))
    else:
        # Before and behind: cleaning cuts a text, and takes away what nobody sees between two digits.
        first = hide(said)
        hidden = hide(first.text if isinstance(incoming.act, Opened) else clean(first.text))
    act: Act
    match incoming.act:
        case Typed():
            act = Typed(hidden.text)
        case Opened():
            act = Opened(hidden.text)
        case Pressed():
            act = Pressed(hidden.text)
        case Sent() as sent:
            act = replace(sent, caption=hidden.text)
    numbers = tuple(dict.fromkeys((*first.numbers, *hidden.numbers)))
    return Shielded(replace(incoming, act=act), numbers, bool(numbers) or incoming.secret)


def unsay(turn: Turn) -> None:
    """Have the channel delete the person's message, where it can."""
    if turn.message and turn.capabilities.delete:
        unsaid.unsay(turn.conn, turn.chat.account, turn.chat.address, (turn.message,), turn.now)


def hidden_line(turn: Turn) -> str:
    """What the person is told of a message that held a number."""
    if turn.capabilities.history:  # what they see there is ours, and shaded
        return _("idnumber.hidden")
    if turn.message and turn.capabilities.delete:
        return _("idnumber.hidden_deleted")
    return _("idnumber.hidden_delete_it")


# ------------------------------------------------------------------------------------------ asking


def policy(turn: Turn, unit: UnitRow) -> str:
    """The setting of the unit (``no``, ``ask``, ``require``), as long as the server has a key to keep numbers under."""
    return "no" if turn.rules.keys is None else places.settings(turn, unit).id_number


def question(asked: str, contact: str, present: str = "") -> str:
    """Why it is asked and what stays of it; with the number that is kept, if any. *contact*: whom to ask, who has no
    card yet (:func:`dialogs.places.whom_to_ask`)."""
    parts = [_("idnumber.present", number=present) if present else "", _("idnumber.ask")]
    parts.append(_("idnumber.required", contact=contact).strip() if asked == "require" else _("idnumber.optional"))
    return "\n\n".join(part for part in parts if part)


def wanting(turn: Turn, unit: UnitRow) -> bool:
    """Does the unit require a number of whoever speaks, and none is kept? Then no form is handed in without it."""
    return policy(turn, unit) == "require" and not identity.last4(turn.conn, turn.person.id)


@dataclass(frozen=True, slots=True)
class Stated:
    """What came of a stated number: sealed, or ``None``; and the line that says it."""

    sealed: Sealed | None
    note: str


def stated(turn: Turn, birth_year: int, contact: str, person_id: int = 0) -> Stated:
    """Take the number that this act held. A year of birth that does not fit, and somebody else who stated it before,
    are told and stop nobody; so a chat may state only so many within an hour (:mod:`storage.attempts`): nobody is to
    find out by trying who takes part. *contact*: whom to ask. Raises ``Refused("identity_key_missing")``."""
    whole = [each for each in turn.numbers if len(each) == idnumbers.DIGITS]
    this_year = places.today(turn).year
    if len(whole) != 1:
        old = any(len(each) == idnumbers.OLD_DIGITS for each in turn.numbers)
        return Stated(None, _("idnumber.old_card" if old and not whole else "idnumber.wrong", contact=contact).strip())
    (number,) = whole
    if not idnumbers.well_formed(number, this_year):
        return Stated(None, _("idnumber.wrong", contact=contact).strip())
    until = attempts.state(turn.conn, guessing.who(turn), turn.now)
    if until is not None:
        return Stated(None, _("idnumber.shut", until=clock(until), contact=contact).strip())
    assert turn.rules.keys is not None  # else nobody was asked
    try:
        sealed = identity.seal(turn.conn, turn.rules.keys(), number, person_id)
    except Refused as refused:
        log.error("an id number cannot be kept (%s): see hoctap doctor", refused.code)
        raise
    lines = [_("idnumber.noted", number=idnumbers.shaded(number))]
    if idnumbers.birth_year(number) != birth_year:
        lines.append(_("idnumber.other_year", year=birth_year))
    if sealed.double_of:
        lines.append(_("idnumber.stated_before"))
    return Stated(sealed, "\n".join(lines))


def refuse_picture(turn: Turn, state: object) -> Next:
    """A picture in place of the number is most likely one of the card: it is not wanted, and goes."""
    unsay(turn)
    evidence.forget_uploads(turn.conn, turn.chat.contact_id, turn.now)
    return Next(state, _("idnumber.no_picture"))


def keep(turn: Turn, person_id: int, unit_id: int, sealed: Sealed) -> None:
    """Keep a sealed number as the person's, and the consent that stating it was; written down without it."""
    doubled = identity.keep(turn.conn, person_id, sealed, turn.now)
    unit = places.here(turn, unit_id)
    controller = places.controller(places.settings(turn, unit), unit)
    people.consent_to_id_number(
        turn.conn, turn.chat.contact_id, person_id, unit_id, CONSENT_VERSION, controller, turn.now
    )
    subject = f"person:{person_id}"
    audit.write(turn.conn, subject, "identity.state", subject, turn.now, unit_id, doubled=doubled)


def _take_back(turn: Turn) -> None:
    """The number goes, that of an imported list too, and the consent to it with it."""
    person = turn.person
    identity.remove(turn.conn, person.id)
    claims.take_back_number(turn.conn, person.id)
    people.withdraw_id_number(turn.conn, person.id, turn.now)
    privacy.ask(
        turn.conn, "withdraw", actor=turn.actor, now=turn.now, person_id=person.id, contact_id=turn.chat.contact_id,
        unit_id=person.unit_id, about="id_number", done=True,
    )  # fmt: skip
    audit.write(turn.conn, turn.actor, "identity.remove", turn.actor, turn.now, person.unit_id)


# ---------------------------------------------------------------------------- from /dulieu, and before handing in


@dataclass(frozen=True, slots=True)
class View:
    """What the screen shows: the shaded number that is kept (``""``: none), whether the unit asks for one, and whom to
    ask there."""

    present: str
    asked: str
    contact: str


def shown(turn: Turn) -> str:
    """The number of whoever speaks, shaded, stated here or brought by a list; ``""`` where none is kept."""
    last4 = identity.last4(turn.conn, turn.person.id) or claims.number_of(turn.conn, turn.person.id)
    return idnumbers.shaded(last4) if last4 else ""


def load(turn: Turn, state: Stating | Wanted) -> View:
    """Read what is kept. Raises ``Refused("assessment_gone")`` when the person has gone meanwhile."""
    if turn.chat.person is None:
        raise Refused("assessment_gone")
    unit = places.here(turn, turn.person.unit_id)
    return View(shown(turn), policy(turn, unit), places.whom_to_ask(places.settings(turn, unit)))


def show(state: Stating | Wanted, view: View) -> Screen:
    """The question; a number that is kept can be taken back. Where none is asked (any more) that is all."""
    if isinstance(state, Wanted):
        text = f"{_('idnumber.wanted')}\n\n{question(view.asked, view.contact, view.present)}"
        return Screen(text, (Choice(BACK, _("idnumber.not_now"), "quiet"),), input="secret")
    choices = [Choice(REMOVE, _("idnumber.remove"), "danger")] if view.present else []
    text = (
        _("idnumber.present", number=view.present)
        if view.asked == "no"
        else question(view.asked, view.contact, view.present)
    )
    return Screen(
        text,
        (*choices, Choice(BACK, _("choice.back"), "quiet")),
        title=_("mydata.title"),
        input="none" if view.asked == "no" else "secret",
    )


def take(turn: Turn, state: Stating | Wanted, view: View, act: Act) -> Next:
    """A number, or none any more."""
    person = turn.person
    match act:
        case Pressed("back"):
            return _onward(state, stated=False)
        case Pressed("remove") if isinstance(state, Stating):
            _take_back(turn)
            return _onward(state, _("idnumber.removed"))
        case Typed() if view.asked != "no" or isinstance(state, Wanted):
            found = stated(turn, person.birth_year, view.contact, person.id)
            if found.sealed is None:
                return Next(state, found.note)
            keep(turn, person.id, person.unit_id, found.sealed)
            return _onward(state, found.note)
        case Sent():
            return refuse_picture(turn, state)
    return Next(state, puzzled=True)


def _onward(state: Stating | Wanted, note: str = "", *, stated: bool = True) -> Next:
    from dialogs import detours
    from dialogs.mydata import MyData  # which leads here

    if isinstance(state, Stating):
        return Next(MyData(state.way_back), note)
    return detours.back((state.then if stated else "") or state.way_back, note)
