"""An officer's one-time invite: which unit, which role, by which name; and the link that brings an officer back in."""

from __future__ import annotations

from dataclasses import dataclass

from dialogs import guessing, places, refusals
from dialogs.joining import checked_name
from dialogs.model import Act, Choice, Pressed, Screen, Typed
from dialogs.states import Next, Turn, state
from dialogs.text import NAME_LIMIT
from locales import _
from storage import codes, officers, people
from storage.base import Refused


@state
class Invited:
    """ "Nhận nhiệm vụ người xét của Phường Hồng Gai?" (the hash of the invite; the secret itself is kept nowhere)."""

    invite: str


@state
class AskOfficerName:
    """The officer's name, where the invite carries none."""

    invite: str


@dataclass(frozen=True, slots=True)
class View:
    """What the invite is for."""

    unit: str
    role: str
    name: str
    known: bool


def arrive(turn: Turn, state: object, code: codes.InviteCode) -> Next:
    """An invite was opened. A link back in is used at once; a new role is shown first. A wrong one is counted. Raises
    ``Refused`` (invite_used, invite_over)."""
    shut = guessing.shut(turn)
    if shut:
        return Next(state, shut)
    try:
        found = officers.open_invite(turn.conn, codes.secret_hash(code), turn.now)
    except Refused as refused:
        if refused.code != "invite_wrong":
            raise
        return Next(state, guessing.missed(turn, code) or refusals.sentence(turn, refused))
    if found.unit_id is None:
        officers.accept(turn.conn, found, turn.chat.contact_id, None, turn.now)
        people.keep_contact(turn.conn, turn.chat.contact_id)
        from dialogs.home import Home

        return Next(Home(), _("invite.welcome_back"), reread=True)
    return Next(Invited(found.secret_hash))


def load(turn: Turn, state: object) -> View:
    """Read the invite. Raises ``Refused`` when it has been used or is over."""
    found = officers.open_invite(turn.conn, state.invite, turn.now)  # type: ignore[attr-defined]
    unit = places.unit_of(turn.conn, found.unit_id) if found.unit_id is not None else None
    known = turn.officer.name if turn.officer else (turn.chat.person.name if turn.chat.person else "")
    return View(
        places.place(turn.conn, unit) if unit else "", found.role or "reviewer", found.name or known, bool(turn.officer)
    )


def show(state: object, view: View) -> Screen:
    """The duty, and what it means for the data of citizens."""
    if isinstance(state, AskOfficerName):
        return Screen(_("invite.name"), input="name")
    return Screen(
        _(f"invite.text.{view.role}", unit=view.unit),
        (Choice("accept", _("invite.accept"), "main"), Choice("decline", _("invite.decline"))),
        title=_(f"invite.title.{view.role}"),
    )


def take(turn: Turn, state: object, view: View, act: Act) -> Next:
    """Accept with a name, or leave it."""
    from dialogs.home import Home

    match state, act:
        case (Invited(invite), Pressed("accept")):
            return _accept(turn, invite, view.name) if view.name else Next(AskOfficerName(invite))
        case (Invited(), Pressed("decline")):
            return Next(Home(), _("invite.declined"))
        case (AskOfficerName(invite), Typed(text)):
            name = checked_name(text)
            return _accept(turn, invite, name) if name else Next(state, _("join.name_wrong", most=NAME_LIMIT))
    return Next(state)


def _accept(turn: Turn, invite: str, name: str) -> Next:
    from dialogs.home import Home

    found = officers.open_invite(turn.conn, invite, turn.now)
    officers.accept(turn.conn, found, turn.chat.contact_id, name, turn.now)
    people.keep_contact(turn.conn, turn.chat.contact_id)
    return Next(Home(), _("invite.accepted"), reread=True)
