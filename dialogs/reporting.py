"""/report (báo cáo): a unit's figures at once in words, its chart as a notice when drawn, and the units below."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dialogs import places
from dialogs.home import Home
from dialogs.model import Act, Choice, Picture, Pressed, Screen, Typed
from dialogs.states import Next, Turn, state
from dialogs.text import BACK, one_line
from locales import _, moment, number
from reports import figures as reckoning
from reports.model import UnitFigures, pages
from reports.text import text as in_words
from storage import codes, jobs, officers, units
from storage.base import Refused
from storage.officers import OfficerRow
from storage.units import Place, UnitRow

UNITS_A_PAGE = 8
MOST_FOUND = 8
SEARCHED = 60  # a name may be common elsewhere; those in scope are picked from so many

_YEAR = re.compile(r"(?:^|\s)(20\d\d)$")
_UNIT_CODE = re.compile(r"vn|\d{2}|\d{5}(?:[\s\-._]*\d{2})?")
_CHART_PAGE = re.compile(r"([A-Z0-9\-]{2,8}):(20\d\d):(\d{1,2})")


@state
class Reporting:
    """A unit's figures of a year, with a page (from 0) of the units below."""

    unit: int
    year: int
    page: int = 0


@state
class Choosing:
    """Several units in scope have the name that was typed."""

    text: str
    year: int


@dataclass(frozen=True, slots=True)
class View:
    """A report."""

    figures: UnitFigures
    parent: str = ""  # its name, where it is in scope
    years: tuple[int, ...] = ()
    others: tuple[tuple[str, str], ...] = ()  # (code, name) of the officer's other areas


@dataclass(frozen=True, slots=True)
class Found:
    """Units to choose from: (code, label)."""

    units: tuple[tuple[str, str], ...]


# ------------------------------------------------------------------------------------------ ways in


def report(turn: Turn, state: object, rest: str) -> Next:
    """/report [unit] [year]: a unit by code or name, else the officer's own; this year unless another is named.

    Raises ``Refused("out_of_scope")``, ``Refused("code_…")`` for a printed code with a slip in it.
    """
    asked = _CHART_PAGE.fullmatch(rest)
    if asked:
        return _another_picture(turn, state, asked.group(1), int(asked.group(2)), int(asked.group(3)))
    officer = _officer(turn)
    year = places.today(turn).year
    named = _YEAR.search(rest)
    if named:
        year, rest = int(named.group(1)), rest[: named.start()].strip()
    if rest:
        return _find(turn, state, rest, year)
    own = officers.widest(officer)
    if not own:
        raise Refused("out_of_scope")
    return _enter(turn, places.unit_of(turn.conn, own[0].unit_id), year)


def _officer(turn: Turn) -> OfficerRow:
    if turn.officer is None:  # the session has ended meanwhile
        raise Refused("out_of_scope")
    return turn.officer


def _find(turn: Turn, state: object, text: str, year: int) -> Next:
    unit = _by_code(turn, text)
    if unit is not None:
        return _enter(turn, unit, year)
    everywhere = units.search(turn.conn, text, limit=SEARCHED)
    found = _in_scope(turn, everywhere)
    if len(found) == 1:
        return _enter(turn, found[0].unit, year)
    if found:
        return Next(Choosing(one_line(text), year))
    if everywhere:
        raise Refused("out_of_scope")
    return Next(state, _("report.not_found", text=one_line(text, 40)))


def _by_code(turn: Turn, text: str) -> UnitRow | None:
    """A unit by its code of any form: printed (``DV 06685-K``), or bare (``22``, ``06685``, ``06685-03``)."""
    bare = _UNIT_CODE.fullmatch(text.strip().lower())
    if bare:
        return units.by_code(turn.conn, bare.group())
    try:
        code = codes.parse(text)
    except Refused as refused:
        if refused.code == "code_none":
            return None
        raise
    if not isinstance(code, codes.UnitCode):
        return None
    unit = units.by_code(turn.conn, code.body, code.vintage)
    if unit is not None and unit.valid_to is not None:
        return units.sole_successor(turn.conn, unit) or unit
    return unit


def _in_scope(turn: Turn, found: Sequence[Place]) -> list[Place]:
    officer = _officer(turn)
    return [each for each in found if officers.covers(officer, each.unit.path)][:MOST_FOUND]


def _enter(turn: Turn, unit: UnitRow, year: int) -> Next:
    """Open a unit's report and ask for its chart, once. Raises ``Refused("out_of_scope")``."""
    if not officers.covers(_officer(turn), unit.path):
        raise Refused("out_of_scope")
    if not reckoning.anybody(turn.conn, unit, year):
        return Next(Reporting(unit.id, year))
    _ask_for_chart(turn, unit, year, 1)
    return Next(Reporting(unit.id, year), _("report.drawing"))


def _another_picture(turn: Turn, state: object, code: str, year: int, page: int) -> Next:
    """The next picture of a chart, asked for beside one; what is on the screen stays."""
    unit = units.by_code(turn.conn, code)
    if unit is None or not officers.covers(_officer(turn), unit.path):
        raise Refused("out_of_scope")
    if not 1 <= page <= _pictures(turn, unit, year):
        return _enter(turn, unit, year)
    _ask_for_chart(turn, unit, year, page)
    return Next(state, _("report.drawing"))


def _pictures(turn: Turn, unit: UnitRow, year: int) -> int:
    """How many pictures the chart of a unit takes."""
    return pages(reckoning.figures(turn.conn, unit, year, turn.now, means=False))


def _ask_for_chart(turn: Turn, unit: UnitRow, year: int, page: int) -> None:
    """A job that ends in the signal ``chart`` (see :func:`chart_ready`); ``page`` counts from 1."""
    jobs.put(
        turn.conn,
        "chart",
        {"unit": unit.id, "year": year, "page": page, "language": turn.chat.language},
        account=turn.chat.account,
        address=turn.chat.address,
        contact_id=turn.chat.contact_id,
        now=turn.now,
    )


def chart_ready(turn: Turn, data: Mapping[str, Any]) -> Sequence[Screen]:
    """The chart is drawn: a notice with the picture, its moment, and a button for the next picture where there is one.

    *data*: ``key`` (blob), ``unit`` (row id), ``year``, ``as_of`` (ISO 8601), and of the job ``page`` (from 1).
    Nothing is shown to one who is no officer of that area any more.
    """
    unit = units.by_id(turn.conn, data["unit"])
    if unit is None or turn.officer is None or not officers.covers(turn.officer, unit.path):
        return ()
    title = _("report.title", unit=unit.name, year=data["year"])
    lines = [_("report.as_of", moment=moment(datetime.fromisoformat(data["as_of"])))]
    page, of = data.get("page", 1), _pictures(turn, unit, data["year"])
    choices: tuple[Choice, ...] = ()
    if of > 1:
        lines.append(_("report.picture", page=page, pages=of))
    if page < of:
        where = f"{units.display_code(unit)}:{data['year']}:{page + 1}"
        choices = (Choice(f"go:chart:{where}", _("report.next_picture")),)
    return (Screen("\n".join(lines), choices, title=title, pictures=(Picture(data["key"], title),)),)


# ------------------------------------------------------------------------------------------ the dialog


def load(turn: Turn, state: object) -> View | Found:
    """Read the figures. Raises ``Refused("out_of_scope")`` when the area is not the officer's (any more)."""
    officer = _officer(turn)
    conn = turn.conn
    if isinstance(state, Choosing):
        found = _in_scope(turn, units.search(conn, state.text, limit=SEARCHED))
        return Found(tuple((units.display_code(each.unit), ", ".join(each.parts)) for each in found))
    assert isinstance(state, Reporting)
    unit = places.unit_of(conn, state.unit)
    if not officers.covers(officer, unit.path):
        raise Refused("out_of_scope")
    above = units.by_id(conn, unit.parent_id) if unit.parent_id is not None else None
    others = [places.unit_of(conn, role.unit_id) for role in officers.widest(officer)]
    return View(
        reckoning.figures(conn, unit, state.year, turn.now, means=False),
        above.name if above is not None and officers.covers(officer, above.path) else "",
        reckoning.years_beside(conn, unit, state.year),
        tuple((units.display_code(each), each.name) for each in others if not units.within(unit, each)),
    )


def show(state: object, view: View | Found) -> Screen:
    """The figures and where to go from them."""
    if isinstance(view, Found):
        assert isinstance(state, Choosing)
        choices = [Choice(f"unit:{code}", label) for code, label in view.units]
        return Screen(_("report.which", text=state.text), (*choices, _home()), input="text")
    assert isinstance(state, Reporting)
    reckoned = view.figures
    parts = [in_words(reckoned)]
    page = min(state.page, max(0, -(-len(reckoned.rows) // UNITS_A_PAGE) - 1))
    first = page * UNITS_A_PAGE
    shown = reckoned.rows[first : first + UNITS_A_PAGE]
    if len(reckoned.rows) > UNITS_A_PAGE:
        last = first + len(shown)
        parts.append(_("report.below", first=first + 1, last=last, count=number(len(reckoned.rows))))
    choices = [
        Choice(
            f"unit:{row.code}",
            _("report.child", unit=row.label, registered=number(row.registered), approved=number(row.approved))
            if row.registered
            else _("report.child_empty", unit=row.label),
        )
        for row in shown
    ]
    if first + UNITS_A_PAGE < len(reckoned.rows):
        choices.append(Choice("page_after", _("report.page_after"), "main"))
    if page:
        choices.append(Choice("page_before", _("report.page_before")))
    if view.parent:
        choices.append(Choice("up", _("report.up", unit=view.parent)))
    choices.extend(Choice(f"year:{each}", _("report.year", year=each)) for each in view.years)
    choices.extend(Choice(f"unit:{code}", _("report.other", unit=name)) for code, name in view.others)
    return Screen(
        "\n\n".join(parts),
        (*choices, _home()),
        title=_("report.title", unit=reckoned.name, year=reckoned.year),
    )


def _home() -> Choice:
    return Choice(BACK, _("choice.home"), "quiet")


def take(turn: Turn, state: object, view: View | Found, act: Act) -> Next:
    """Down, up, another year, another page."""
    assert isinstance(state, Reporting | Choosing)
    match state, act:
        case (_, Pressed("back")):
            return Next(Home())
        case (_, Pressed(choice)) if choice.startswith("unit:"):
            unit = units.by_code(turn.conn, choice.removeprefix("unit:"))
            if unit is not None:
                return _enter(turn, unit, state.year)
        case (Reporting(unit_id), Pressed("up")):
            parent = places.unit_of(turn.conn, unit_id).parent_id
            if parent is not None:
                return _enter(turn, places.unit_of(turn.conn, parent), state.year)
        case (Reporting(unit_id), Pressed(choice)) if choice.startswith("year:"):
            return _enter(turn, places.unit_of(turn.conn, unit_id), int(choice.removeprefix("year:")))
        case (Reporting(unit_id, year, page), Pressed("page_after")):
            return Next(Reporting(unit_id, year, page + 1))
        case (Reporting(unit_id, year, page), Pressed("page_before")):
            return Next(Reporting(unit_id, year, max(0, page - 1)))
        case (Choosing(), Typed(text)):
            return _find(turn, state, text, state.year)
    return Next(state, _("turn.help.text"))
