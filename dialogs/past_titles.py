"""Titles of earlier years (danh hiệu các năm trước): those a citizen holds, and those of an imported list that may be
theirs. The citizen is asked once whether they are in it; only an officer says whose a title is, for name and year of
birth are known to neighbours."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dialogs import detours, places
from dialogs.model import Act, Choice, Pressed, Screen
from dialogs.states import Next, Turn, encode_state, state
from dialogs.text import BACK
from locales import _, day
from storage import claims, identity, idnumbers, imported, imports, titles, units
from storage.base import Connection, Refused
from storage.claims import Claim, Match
from storage.identity import KeyRing
from storage.people import PersonRow
from storage.titles import TitleRow

log = logging.getLogger(__name__)


def keys(turn: Turn) -> Callable[[], KeyRing]:
    """The keys under which phones of lists are compared; without them they are not, and all else goes on."""

    def found() -> KeyRing:
        if turn.rules.keys is None:
            return KeyRing(())
        try:
            return turn.rules.keys()
        except Refused as refused:
            log.error("phones of imported lists cannot be compared (%s): see hoctap doctor", refused.code)
            return KeyRing(())

    return found


# ------------------------------------------------------------------------------------------ what is kept


def facts(conn: Connection, person: PersonRow) -> list[dict[str, Any]]:
    """What is kept of a citizen's earlier titles, for the copy of their data. Of imported lists only what an officer
    has confirmed: whoever types a neighbour's name, phone or number must not read what stands there of them."""
    return [_fact(each) for each in titles.of_person(conn, person.id)]


def _fact(title: TitleRow) -> dict[str, Any]:
    decided = title.decision_date
    return {
        "year": title.year,
        "decision": title.decision_number,
        "decision_date": decided.isoformat() if decided else None,
        "source": title.source,
    }


def lists(conn: Connection, person: PersonRow) -> dict[str, Any]:
    """What imported lists hold of a citizen, as whom an officer has confirmed them, from where and on what ground; and
    what the citizen said of such lists. For the copy of their data."""
    return {
        "entries": [
            {
                "name": each.name,
                "birth_year": each.birth_year,
                "unit": places.place(conn, places.unit_of(conn, each.unit_id)),
                "subject_group": each.subject_group,
                "phone": "hmac" if each.phone is not None else None,
                "id_number": idnumbers.shaded(last4) if (last4 := identity.imported_last4(conn, each.id)) else None,
                "lists": [{"source": source, "basis": basis} for source, basis in imports.sources_of(conn, each.id)],
            }
            for each in imported.of_person(conn, person.id)
        ],
        "said": [
            {"said": each.citizen, "at": each.at}
            for each in claims.said_by(conn, person.id)
            if each.citizen is not None
        ],
    }


def lines(conn: Connection, person: PersonRow) -> list[str]:
    """The same as sentences."""
    found = [
        _(
            "past.held",
            year=each["year"],
            decision=_("past.decision", number=each["decision"]) if each["decision"] else "",
        ).strip()
        for each in facts(conn, person)
    ]
    kept = lists(conn, person)
    for each in kept["entries"]:
        known = [each["name"], str(each["birth_year"] or ""), each["unit"], each["id_number"] or ""]
        what = ", ".join(part for part in known if part)
        found.append(_("past.entry", what=what, phone=_("past.entry_phone") if each["phone"] else "").strip())
        for where in each["lists"]:
            ground = _("past.basis", basis=where["basis"]) if where["basis"] else ""
            found.append(_("past.source", source=where["source"], basis=ground).strip())
    found.extend(_("past.said", day=day(each.at)) for each in claims.said_by(conn, person.id) if _waits(conn, each))
    return list(dict.fromkeys(found))


def _waits(conn: Connection, claim: Claim) -> bool:
    """Will an officer still ask about an entry of which the citizen said yes? Not once it is confirmed as anybody's."""
    if claim.citizen != "yes" or claim.officer is not None:
        return False
    entry = imported.by_id(conn, claim.imported_id)
    return entry is not None and entry.person_id is None


# ------------------------------------------------------------------------------------------ asking the citizen


@state
class Asked:
    """ "Có đúng là ông/bà không?\"" *way_back*: where it goes on."""

    way_back: str


@dataclass(frozen=True, slots=True)
class View:
    """The commune whose list may hold whoever speaks; ``""``: none does (any more)."""

    commune: str


def to_ask(turn: Turn, person: PersonRow) -> list[int]:
    """The entries of lists of which the citizen has not said whether it is they."""
    said = {each.imported_id for each in claims.said_by(turn.conn, person.id) if each.citizen is not None}
    found = claims.matches(turn.conn, person, keys(turn))
    return [each.imported.id for each in found if "name" in each.agrees and each.imported.id not in said]


def after_joining(turn: Turn, person: PersonRow, onward: Next) -> Next:
    """Asks who has just joined, where a list may hold them, before it goes on."""
    if not to_ask(turn, person):
        return onward
    return Next(Asked(encode_state(onward.state)), onward.note, onward.reread)


def load(turn: Turn, state: Asked) -> View:
    """Read whether there is anything to ask. Raises ``Refused("assessment_gone")`` when the person has gone."""
    if turn.chat.person is None:
        raise Refused("assessment_gone")
    return View(commune(turn.conn, turn.person) if to_ask(turn, turn.person) else "")


def commune(conn: Connection, person: PersonRow) -> str:
    """The name of the commune in which a person joined."""
    unit = places.unit_of(conn, person.unit_id)
    above = (*units.ancestors(conn, unit), unit)
    return next((each.name for each in above if each.level == units.COMMUNE), unit.name)


def show(state: Asked, view: View) -> Screen:
    """The question says only that a list may hold them: who asks under a neighbour's name learns no more."""
    if not view.commune:
        return Screen(_("past.none"), (Choice(BACK, _("choice.back"), "main"),), title=_("past.title"))
    return Screen(
        _("past.ask", place=view.commune),
        (Choice("yes", _("past.yes")), Choice("no", _("past.no")), Choice(BACK, _("past.later"), "quiet")),
        title=_("past.title"),
    )


def take(turn: Turn, state: Asked, view: View, act: Act) -> Next:
    """Yes only marks it for the officer; no keeps the two apart."""
    match act:
        case Pressed("yes" | "no" as said):
            for each in to_ask(turn, turn.person):
                claims.say(turn.conn, each, turn.person, said == "yes", turn.now)
            return detours.back(state.way_back, _("past.said_yes" if said == "yes" else "past.said_no"))
        case Pressed("back"):
            return detours.back(state.way_back)
    return Next(state, puzzled=True)


SAID_KEYS = ("past.said_yes", "past.said_no")


# ------------------------------------------------------------------------------------------ for the officer


@dataclass(frozen=True, slots=True)
class Maybe:
    """Somebody of an imported list who may be the citizen of a dossier: the line of the card that says so, what the
    list has of them, what agrees with the citizen, what the list lacks, whether the citizen says that it is they.
    Without *facts* there is nothing to compare."""

    imported: int
    line: str
    facts: tuple[str, ...]
    agrees: str
    lacks: str
    said: str


def every(conn: Connection, person: PersonRow, ring: Callable[[], KeyRing]) -> list[Maybe]:
    """Everybody of imported lists who may be a citizen, the likeliest first."""
    return [_maybe(conn, each) for each in claims.matches(conn, person, ring)]


def _maybe(conn: Connection, match: Match) -> Maybe:
    known = match.imported
    if "name" not in match.agrees:  # a slip in a number leads to anybody in the country: nothing of them is told
        return Maybe(known.id, _("review.past_other_name"), (), "", "", "")
    years = ", ".join(str(each.year) for each in match.titles)
    agrees = ", ".join(_(f"review.past_field.{name}") for name in match.agrees)
    said = _("review.past_said") if match.said else ""
    lacks = [
        name
        for name, there in (("birth_year", known.birth_year), ("phone", known.phone), ("number", known.numbered))
        if not there
    ]
    line = _(
        "review.past_maybe",
        what=_("past.titles", years=years) if years else _("past.no_titles"),
        agrees=agrees,
        sure=_("review.past_ask") if not match.sure else "",
        said=said,
    )
    held = [
        _(
            "past.held",
            year=each.year,
            decision=_("past.decision", number=each.decision_number) if each.decision_number else "",
        ).strip()
        for each in match.titles
    ]
    return Maybe(
        known.id,
        " ".join(line.split()),
        (
            _("review.past_name", name=known.name, year=known.birth_year or "–"),
            places.place(conn, places.unit_of(conn, known.unit_id)),
            *(held or [_("past.no_titles")]),
        ),
        _("review.past_agrees", fields=agrees),
        _("review.past_lacks", fields=", ".join(_(f"review.past_field.{name}") for name in lacks)) if lacks else "",
        said,
    )


FIELD_KEYS = (
    "review.past_field.name",
    "review.past_field.number",
    "review.past_field.birth_year",
    "review.past_field.phone",
)


def held(conn: Connection, person: PersonRow) -> str:
    """The earlier titles of a citizen in one line for the officer; ``""``: none."""
    own = titles.of_person(conn, person.id)
    return _("review.past_held", years=", ".join(str(each.year) for each in own)) if own else ""
