"""/chitieu (chỉ tiêu): what a unit wants to reach in a year, set by an officer of that area; shown in /report."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dialogs import places
from dialogs.home import Home
from dialogs.model import Act, Choice, Pressed, Screen, Typed
from dialogs.states import Next, Turn, state
from dialogs.text import BACK
from locales import _, number, percent
from reports import figures as reckoning
from reports.model import UnitFigures
from reports.text import targets as reached
from storage import officers, targets, units
from storage.base import Refused
from storage.officers import OfficerRow
from storage.units import UnitRow

_UNIT = r"\d{5}(?:[\-._]?\d{2})?|\d{2}|vn"
_VALUE = r"\d{1,3}(?:[.,]\d{1,2})?\s*%|\d{1,3}(?:[.,\s]\d{3}){1,2}|\d{1,9}|-"
_GIVEN = re.compile(rf"(?:(?P<unit>{_UNIT})\s+)?(?P<value>{_VALUE})", re.IGNORECASE)
NOTHING = ("0", "-")  # takes a target away


@state
class Targeting:
    """The targets of a unit's year are on the screen, and a new one may be typed."""

    unit: int
    year: int


@dataclass(frozen=True, slots=True)
class View:
    """A unit's figures with its targets."""

    figures: UnitFigures


def may_set(officer: OfficerRow, unit: UnitRow) -> bool:
    """May this officer set the unit's targets? Whoever reviews or supervises there."""
    return officers.covers(officer, unit.path)


def open_targets(turn: Turn, state: object, rest: str) -> Next:
    """/chitieu [unit] [value]: this year's targets of a unit by its code, else of the officer's own; with a value
    (``500`` people approved, ``60%`` taking part) it is set. Raises ``Refused("out_of_scope")``, ``unit_unknown``."""
    asked = rest.strip()
    year = places.today(turn).year
    alone = _bare(turn, asked)
    if alone is not None or not asked:
        return open_for(turn, alone or _own(turn), year)
    given = _GIVEN.fullmatch(asked)
    if given is not None and given["unit"] and re.fullmatch(_VALUE, asked):  # "22 500": a province's, or so many people
        digits = re.sub(r"\D", "", asked)
        note = _("target.two_ways", typed=asked, n=number(int(digits)), unit=given["unit"], value=given["value"])
        return Next(Targeting(_reach(turn, _own(turn)).id, year), note)
    if given is None:
        return Next(Targeting(_reach(turn, _own(turn)).id, year), _("target.how"))
    unit = _reach(turn, _named(turn, given["unit"]) if given["unit"] else _own(turn))
    return _set(turn, Targeting(unit.id, year), given["value"])


def _bare(turn: Turn, text: str) -> UnitRow | None:
    """The unit whose code is all that was said, if it is one of the officer's: ``10000`` may be people as well."""
    unit = units.by_code(turn.conn, text) if re.fullmatch(_UNIT, text, re.IGNORECASE) else None
    return unit if unit is not None and turn.officer is not None and may_set(turn.officer, unit) else None


def open_for(turn: Turn, unit: UnitRow, year: int) -> Next:
    """The targets of a unit's year. Raises ``Refused("out_of_scope")``."""
    return Next(Targeting(_reach(turn, unit).id, year))


def _named(turn: Turn, code: str) -> UnitRow:
    unit = units.by_code(turn.conn, code)
    if unit is None:
        raise Refused("unit_unknown", code=code)
    return unit


def _own(turn: Turn) -> UnitRow:
    held = officers.widest(turn.officer) if turn.officer is not None else []
    if not held:
        raise Refused("out_of_scope")
    return places.unit_of(turn.conn, held[0].unit_id)


def _reach(turn: Turn, unit: UnitRow) -> UnitRow:
    if turn.officer is None or not may_set(turn.officer, unit):
        raise Refused("out_of_scope")
    return unit


def load(turn: Turn, state: Targeting) -> View:
    """Read how far the targets are reached. Raises ``Refused("out_of_scope")``."""
    unit = _reach(turn, places.unit_of(turn.conn, state.unit))
    return View(reckoning.whole_figures(turn.conn, unit, state.year, turn.now))


def show(state: Targeting, view: View) -> Screen:
    """The targets, how far they are reached, and how to set one."""
    found = view.figures
    lines = reached(found) or [_("target.none")]
    choices = []
    if found.target_approved is not None:
        choices.append(Choice("drop:approved", _("target.drop_approved", n=number(found.target_approved))))
    if found.target_participation is not None:
        share = percent(found.target_participation)
        choices.append(Choice("drop:participation", _("target.drop_participation", share=share)))
    return Screen(
        "\n\n".join(("\n".join(lines), _("target.how"))),
        (*choices, Choice(BACK, _("choice.home"), "quiet")),
        title=_("target.title", unit=found.name, year=found.year),
        input="text",
        values=True,
    )


def take(turn: Turn, state: Targeting, view: View, act: Act) -> Next:
    """A value typed is set; a button takes one away."""
    match act:
        case Pressed("back"):
            return Next(Home())
        case Pressed(choice) if choice.startswith("drop:"):
            _put(turn, state, choice.removeprefix("drop:"), None)
            return Next(state, _("target.dropped"))
        case Typed(text):
            if re.fullmatch(_VALUE, text.strip()):
                return _set(turn, state, text.strip())
    return Next(state, _("target.how"))


def _set(turn: Turn, state: Targeting, text: str) -> Next:
    share = text.endswith("%")
    measure = "participation" if share else "approved"
    if text.strip() in NOTHING:
        for each in targets.MEASURES:
            _put(turn, state, each, None)
        return Next(state, _("target.dropped"))
    # "62,5%" is a share with a comma, "1.500" a number with a point between thousands.
    value = float(re.sub(r"[%\s]", "", text).replace(",", ".")) / 100 if share else float(re.sub(r"\D", "", text))
    _put(turn, state, measure, value)
    return Next(state, _("target.was_set"))


def _put(turn: Turn, state: Targeting, measure: str, value: float | None) -> None:
    assert turn.officer is not None
    unit = _reach(turn, places.unit_of(turn.conn, state.unit))
    setter = next(role for role in officers.widest(turn.officer) if unit.path.startswith(role.path))
    actor = f"officer:{turn.officer.id}"
    targets.put(turn.conn, unit.id, state.year, measure, value, actor, turn.now, from_unit=setter.unit_id)
