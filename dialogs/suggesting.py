"""/gopy (góp ý): a citizen or an officer writes to the officers of the unit and of the level above, and reads what they
answered. An officer's /gopy opens what is to be answered (:mod:`dialogs.suggestion_box`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dialogs import detours, notices, places
from dialogs import suggestion_box as box
from dialogs.model import Act, Choice, Pressed, Screen, Typed
from dialogs.states import Next, Turn, state
from dialogs.text import BACK, clean, clipped
from locales import _, day, number
from storage import desks, officers, outbox, suggestions
from storage.base import Refused
from storage.suggestions import SuggestionRow
from storage.units import UnitRow

MOST_SHOWN = 3
SHORT, SHORT_ANSWER = 120, 200  # characters of those before the newest
NOTICE_EVERY = timedelta(hours=1)  # at most, to a chat of an officer: the list has them all


@state
class Writing:
    """What was written before, with its answers; a new one may be typed."""

    way_back: str


@state
class Confirming:
    """To be sent?"""

    way_back: str
    text: str


@dataclass(frozen=True, slots=True)
class View:
    """Whose officers will read it, whom to call instead, what was written before, the newest first; may readers guess
    who wrote?"""

    association: str
    contact: str = ""
    before: tuple[SuggestionRow, ...] = ()
    few: bool = False


def open_suggesting(turn: Turn, state: object, rest: str) -> Next:
    """/gopy [text]: an officer's list; a citizen's own, or with a text at once the question whether to send it."""
    if turn.officer is not None and not rest:
        return Next(box.Box())
    return write(turn, state, rest)


def write(turn: Turn, state: object, text: str = "") -> Next:
    """Write one. A stranger has given no consent, so what they wrote could not be kept for its answer."""
    if turn.chat.person is None and turn.officer is None:
        return Next(state, _("suggest.stranger"))
    way_back = detours.from_here(state)
    return _written(turn, way_back, text) if text else Next(Writing(way_back))


def _written(turn: Turn, way_back: str, text: str) -> Next:
    return Next(Confirming(way_back, suggestions.checked(clean(text), turn.rules.public_url)))


# ------------------------------------------------------------------------------------------ the dialog


def load(turn: Turn, state: object) -> View:
    """Read. Raises ``Refused``: ``assessment_gone`` when nobody is there any more, ``out_of_scope`` without a role."""
    unit, person, officer = _unit(turn), turn.chat.person, turn.officer
    association = places.association(unit)
    if isinstance(state, Confirming):
        contact = places.whom_to_ask(places.settings(turn, unit))
        return View(association, contact, few=not suggestions.hidden(turn.conn, unit, officer=officer is not None))
    found = suggestions.own(
        turn.conn,
        person.id if person is not None else None,
        officer.id if officer is not None else None,
        MOST_SHOWN,
    )
    return View(association, before=tuple(found))


def _unit(turn: Turn) -> UnitRow:
    """An officer writes as one of the first unit of theirs, a citizen of the own one."""
    if turn.officer is not None:
        held = officers.widest(turn.officer)
        if not held:
            raise Refused("out_of_scope")
        return places.unit_of(turn.conn, held[0].unit_id)
    if turn.chat.person is None:
        raise Refused("assessment_gone")
    return places.unit_of(turn.conn, turn.chat.person.unit_id)


def show(state: object, view: View) -> Screen:
    """The question, with what was answered; or the text once more before it goes."""
    back = Choice(BACK, _("choice.back"), "quiet")
    if isinstance(state, Confirming):
        choices = (Choice("send", _("suggest.send"), "main"), Choice("again", _("suggest.again")), back)
        parts = [_("suggest.confirm", association=view.association), state.text]
        if view.few:
            parts.append(_("suggest.few"))
        return Screen("\n\n".join(parts), choices, title=_("suggest.title"))
    asked = _(
        "suggest.write",
        association=view.association,
        least=suggestions.SHORTEST,
        most=number(suggestions.LONGEST),
        times=suggestions.A_DAY,
    )
    before = [_line(row, whole=n == 0) for n, row in enumerate(view.before)]
    about = tuple(desks.mark_of_suggestion(row.id) for row in view.before)
    return Screen("\n\n".join((asked, *before)), (back,), title=_("suggest.title"), input="text", about=about)


def _line(row: SuggestionRow, *, whole: bool) -> str:
    said = _("suggest.line", day=day(row.made_at), text=clipped(row.text, SHORT))
    if row.answer is None:
        return f"{said}\n{_('suggest.waits')}"
    return f"{said}\n{_('suggest.answer', text=row.answer if whole else clipped(row.answer, SHORT_ANSWER))}"


def take(turn: Turn, state: object, view: View, act: Act) -> Next:
    """A text, and its confirmation. Raises ``Refused`` as :func:`storage.suggestions.write`."""
    match state, act:
        case (Writing(way_back), Typed(text)):
            return _written(turn, way_back, text)
        case (Confirming(way_back), Pressed("again")):
            return Next(Writing(way_back))
        case (Confirming(way_back, text), Pressed("send")):
            return detours.back(way_back, _send(turn, text, view))
        case ((Writing(way_back) | Confirming(way_back)), Pressed("back")):
            return detours.back(way_back)
    return Next(state, puzzled=True)


def _send(turn: Turn, text: str, view: View) -> str:
    """Keep it and tell its readers; what its writer is told."""
    officer = turn.officer
    written = suggestions.write(
        turn.conn,
        _unit(turn),
        text,
        turn.rules.public_url,
        turn.now,
        person_id=turn.person.id if officer is None else None,
        officer_id=officer.id if officer is not None else None,
    )

    def notice() -> Screen:
        return Screen(_("suggest.notice", unit=written.unit_name), (Choice("go:gopy", _("suggest.open_box")),))

    for contact in written.readers:
        topic = f"suggestions:{contact.contact_id}"
        if not outbox.said_since(turn.conn, topic, turn.now - NOTICE_EVERY):
            notices.to_contact(turn.conn, turn.now, contact, "anh_chi", notice, topic=topic)
    if written.readers:
        return _("suggest.sent", association=view.association)
    return _("suggest.sent_nobody", association=view.association, contact=view.contact).strip()
