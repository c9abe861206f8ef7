"""Somebody in an imported list may be the citizen of a dossier (người trong danh sách nhập): what agrees, and whether
the officer confirms or denies it. Only a reviewer of the unit says whose a title is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dialogs import dossier, past_titles, waiting
from dialogs.dossier import Closed, Dossier, OnDossier, Opened, Reading, at
from dialogs.model import Act, Choice, Pressed, Screen
from dialogs.past_titles import Maybe
from dialogs.states import Next, Turn, state
from dialogs.text import BACK
from locales import _
from storage import claims
from storage.base import Refused

FLEETING = True  # names and years of citizens


@state
class Comparing(OnDossier):
    """Is it they? *imported*: the entry of the list; *decided*: the dossier is for reading only."""

    imported: int = 0
    decided: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """The dossier, and the entry of the list beside it; ``None``: it is gone, or settled meanwhile."""

    dossier: Opened
    maybe: Maybe | None


def choice(view: Opened) -> Choice | None:
    """The way here from the card, for whoever may decide it."""
    if view.listed is None or not view.listed.facts or not view.reviewer:
        return None
    return Choice(f"listed:{view.listed.imported}", _("review.past_compare"), "quiet")


def begin(state: Dossier | Reading, view: Opened) -> Next:
    """From the card."""
    if view.listed is None or not view.listed.facts:
        return Next(state)
    return Next(at(state, Comparing, imported=view.listed.imported, decided=isinstance(state, Reading)))


def load(turn: Turn, state: Comparing) -> Compared | Closed:
    """Read the dossier and the entry as they are now."""
    read = dossier.read(turn, state)
    if isinstance(read, Closed):
        return read
    found = past_titles.every(turn.conn, read.person, past_titles.keys(turn))
    return Compared(read, next((each for each in found if each.facts and each.imported == state.imported), None))


def show(state: Comparing, view: Compared | Closed) -> Screen:
    """What the list says beside what the citizen said, and the question."""
    if isinstance(view, Closed):
        return dossier.show_closed(view)
    title = dossier.card_title(view.dossier)
    if view.maybe is None or not view.dossier.reviewer:
        return Screen(_("review.past_gone"), (Choice(BACK, _("choice.back"), "main"),), title=title)
    person, maybe = view.dossier.person, view.maybe
    parts = [
        _("review.past_citizen", name=person.name, year=person.birth_year, unit=view.dossier.unit),
        "\n".join((_("review.past_list"), *maybe.facts)),
        "\n".join(line for line in (maybe.agrees, maybe.lacks, maybe.said) if line),
        _("review.past_sure_question"),
    ]
    # "Later" stands first: who types 1 twice without reading has decided nothing.
    return Screen(
        "\n\n".join(parts),
        (
            Choice("later", _("past.later"), "main"),
            Choice("confirm", _("review.past_confirm")),
            Choice("deny", _("review.past_deny")),
        ),
        title=title,
    )


def take(turn: Turn, state: Comparing, view: Compared | Closed, act: Act) -> Next:
    """Confirm, deny, or leave it open."""
    if isinstance(view, Closed):
        return dossier.leave(turn, state, view, act)
    card = at(state, Reading if state.decided else Dossier)
    if view.maybe is None or not view.dossier.reviewer:
        return Next(card)
    verb, done = _VERBS.get(act.choice if isinstance(act, Pressed) else "", (None, ""))
    if verb is None:
        return Next(card)
    try:
        verb(turn.conn, state.imported, view.dossier.person, f"officer:{waiting.officer_of(turn).id}", turn.now)
    except Refused as refused:
        if refused.code != "imported_gone":
            raise
        return Next(card, _("review.past_gone"))
    return Next(card, _(done))


_VERBS: Mapping[str, tuple[Callable[..., object] | None, str]] = {
    "confirm": (claims.claim, "review.past_confirmed"),
    "deny": (claims.deny, "review.past_denied"),
}
