"""/report (báo cáo): a unit's figures at once in words, its chart as a notice when drawn, and the units below.

Figures are kept under a code ``BC-…`` when a report is opened, and what is on the screen are those: a page turned or a
word in between changes none of them. The other faces (steps, weeks, ranking, indicators, last year) are read anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dialogs import places, targets
from dialogs.home import Home
from dialogs.model import Act, Choice, Picture, Pressed, Screen, Typed
from dialogs.states import Next, Turn, state
from dialogs.text import BACK, one_line
from locales import _, moment, number
from reports import figures as reckoning
from reports import measures, runs
from reports import text as words
from reports.model import UnitFigures, pages
from reports.text import text as in_words
from storage import codes, jobs, officers, report_runs, units
from storage.base import Refused
from storage.officers import OfficerRow
from storage.units import Place, UnitRow

UNITS_A_PAGE = 8
MOST_FOUND = 8
SEARCHED = 60  # a name may be common elsewhere; those in scope are picked from so many

_YEAR = re.compile(r"(?:^|\s)(20\d\d)$")
_UNIT_CODE = re.compile(r"vn|\d{2}|\d{5}(?:[\s\-._]*\d{2})?")
_CHART_PAGE = re.compile(r"([A-Z0-9\-]{2,8}):(20\d\d):(\d{1,2})(?::([a-z]+)(?::([\w:]+))?)?")
FACES = ("funnel", "progress", "ranking", "heatmap", "compare")


@state
class Reporting:
    """A unit's figures of a year as kept under the code *run*, with a page (from 0) of the units below."""

    unit: int
    year: int
    page: int = 0
    run: str = ""


@state
class Face:
    """A unit's year shown another way: *kind* one of :data:`FACES`, or empty while it is being chosen. *measure*: of a
    ranking. *run*: the report to go back to."""

    unit: int
    year: int
    kind: str = ""
    measure: str = "approved"
    run: str = ""


@state
class Kept:
    """A report of before, under its code."""

    run: str


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
class FaceView:
    """Another way of looking at a unit's year: its words, and by which measures it may be ranked."""

    unit: str
    text: str = ""
    faces: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    may_set: bool = False


@dataclass(frozen=True, slots=True)
class KeptView:
    """A report of before, and what has changed since."""

    compared: runs.Compared


@dataclass(frozen=True, slots=True)
class Found:
    """Units to choose from: (code, label)."""

    units: tuple[tuple[str, str], ...]


# ------------------------------------------------------------------------------------------ ways in


def report(turn: Turn, state: object, rest: str) -> Next:
    """/report [unit] [year]: a unit by code or name, else the officer's own; this year unless another is named.
    /report BC-…: that report again, with what has changed since.

    Raises ``Refused("out_of_scope")``, ``Refused("code_…")`` for a printed code with a slip in it,
    ``Refused("report_unknown")``.
    """
    asked = _CHART_PAGE.fullmatch(rest)
    if asked:
        return _another_picture(turn, state, asked)
    officer = _officer(turn)
    code = codes.find(rest)
    if isinstance(code, codes.ReportCode):
        return again(turn, code)
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


def again(turn: Turn, code: codes.ReportCode) -> Next:
    """A report by its code, which is kept for its whole time from now on. Raises ``Refused``: ``report_unknown``,
    ``out_of_scope``."""
    printed = codes.printed(code)
    _covered(turn, runs.unit_of(turn.conn, printed))
    report_runs.asked(turn.conn, printed)
    return Next(Kept(printed))


def _covered(turn: Turn, unit: UnitRow) -> UnitRow:
    if not officers.covers(_officer(turn), unit.path):
        raise Refused("out_of_scope")
    return unit


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
    """Open a unit's report, kept under a code, and ask for its chart, once. Raises ``Refused("out_of_scope")``."""
    _covered(turn, unit)
    found = runs.publish(turn.conn, unit, year, turn.now, f"officer:{_officer(turn).id}")
    if found.empty:
        return Next(Reporting(unit.id, year, run=found.run))
    _ask_for_chart(turn, unit, year, 1)
    return Next(Reporting(unit.id, year, run=found.run), _("report.drawing"))


def _face(turn: Turn, state: Face) -> Next:
    """Show a unit's year another way, and ask for the chart where there is one."""
    unit = _covered(turn, places.unit_of(turn.conn, state.unit))
    if state.kind not in CHARTS or not reckoning.anybody(turn.conn, unit, state.year):
        return Next(state)
    more = {"kind": state.kind} | ({"measure": state.measure} if state.kind == "ranking" else {})
    _ask_for_chart(turn, unit, state.year, 1, **more)
    return Next(state, _("report.drawing"))


CHARTS = ("funnel", "progress", "ranking", "heatmap")


def _another_picture(turn: Turn, state: object, asked: re.Match[str]) -> Next:
    """The next picture of a chart, asked for beside one; what is on the screen stays."""
    code, year, page, kind, measure = asked.groups()
    unit = units.by_code(turn.conn, code)
    if unit is None or not officers.covers(_officer(turn), unit.path):
        raise Refused("out_of_scope")
    more = {name: value for name, value in (("kind", kind), ("measure", measure)) if value}
    if (
        kind not in (None, *CHARTS)
        or not _is_measure(measure)
        or not 1 <= int(page) <= _pictures(turn, unit, int(year))
    ):
        return _enter(turn, unit, int(year))
    _ask_for_chart(turn, unit, int(year), int(page), **more)
    return Next(state, _("report.drawing"))


def _is_measure(name: str | None) -> bool:
    if name is None:
        return True
    try:
        measures.measure(name)
    except KeyError:
        return False
    return True


def _pictures(turn: Turn, unit: UnitRow, year: int) -> int:
    """How many pictures the chart of a unit takes."""
    return pages(reckoning.figures(turn.conn, unit, year, turn.now, means=False))


def _ask_for_chart(turn: Turn, unit: UnitRow, year: int, page: int, **more: str) -> None:
    """A job that ends in the signal ``chart`` (see :func:`chart_ready`); ``page`` counts from 1. *more*: ``kind`` and
    ``measure`` as :func:`reports.figures.chart` takes them; without, the chart of the unit's own figures. One that
    waits to be drawn for this chat is not drawn twice."""
    jobs.put_once(
        turn.conn,
        "chart",
        {"unit": unit.id, "year": year, "page": page, "language": turn.chat.language, **more},
        account=turn.chat.account,
        address=turn.chat.address,
        contact_id=turn.chat.contact_id,
        now=turn.now,
    )


def chart_ready(turn: Turn, data: Mapping[str, Any]) -> Sequence[Screen]:
    """The chart is drawn: a notice with the picture, its moment, and a button for the next picture where there is one.

    *data*: ``key`` (blob), ``unit`` (row id), ``year``, ``as_of`` (ISO 8601), and of the job ``page`` (from 1),
    ``kind`` and ``measure``; ``pages``: how many pictures it takes, where whoever drew it has said so.
    Nothing is shown to one who is no officer of that area any more.
    """
    unit = units.by_id(turn.conn, data["unit"])
    if unit is None or turn.officer is None or not officers.covers(turn.officer, unit.path):
        return ()
    kind = data.get("kind", "")
    title = _title(unit.name, data["year"], kind, data.get("measure", ""))
    lines = [_("report.as_of", moment=moment(datetime.fromisoformat(data["as_of"])))]
    page = data.get("page", 1)
    of = data.get("pages") or (1 if kind else _pictures(turn, unit, data["year"]))
    choices: tuple[Choice, ...] = ()
    if of > 1:
        lines.append(_("report.picture", page=page, pages=of))
    if page < of:
        where = f"{units.display_code(unit)}:{data['year']}:{page + 1}"
        if kind:
            where = ":".join((where, kind, *filter(None, (data.get("measure"),))))
        choices = (Choice(f"go:chart:{where}", _("report.next_picture")),)
    return (Screen("\n".join(lines), choices, title=title, pictures=(Picture(data["key"], title),)),)


def _title(unit: str, year: int, kind: str = "", measure: str = "") -> str:
    if not kind:
        return _("report.title", unit=unit, year=year)
    name = _(f"report.face.{kind}")
    if kind == "ranking":
        name = f"{name} · {measures.measure(measure or 'approved').label}"
    return _("report.face_title", face=name, unit=unit, year=year)


# ------------------------------------------------------------------------------------------ the dialog


def load(turn: Turn, state: object) -> View | FaceView | KeptView | Found:
    """Read the figures. Raises ``Refused("out_of_scope")`` when the area is not the officer's (any more), and
    ``Refused("report_unknown")`` when a report of before is not kept any more."""
    officer = _officer(turn)
    conn = turn.conn
    match state:
        case Choosing(text):
            found = _in_scope(turn, units.search(conn, text, limit=SEARCHED))
            return Found(tuple((units.display_code(each.unit), ", ".join(each.parts)) for each in found))
        case Kept(run):
            _covered(turn, runs.unit_of(conn, run))
            return KeptView(runs.compared(conn, run, turn.now))
        case Face():
            return _look(turn, state)
    assert isinstance(state, Reporting)
    unit = _covered(turn, places.unit_of(conn, state.unit))
    above = units.by_id(conn, unit.parent_id) if unit.parent_id is not None else None
    others = [places.unit_of(conn, role.unit_id) for role in officers.widest(officer)]
    return View(
        (runs.kept(conn, state.run) if state.run else None)
        or reckoning.whole_figures(conn, unit, state.year, turn.now),
        above.name if above is not None and officers.covers(officer, above.path) else "",
        reckoning.years_beside(conn, unit, state.year),
        tuple((units.display_code(each), each.name) for each in others if not units.within(unit, each)),
    )


def _look(turn: Turn, state: Face) -> FaceView:
    """A unit's year another way."""
    unit = _covered(turn, places.unit_of(turn.conn, state.unit))
    below = bool(units.children(turn.conn, unit.id))
    return FaceView(
        unit.name,
        _in_words(turn, state, unit),
        tuple(each for each in FACES if below or each not in ("ranking", "heatmap")),
        tuple(each for each in reckoning.RANKED_BY if each != state.measure),
        targets.may_set(_officer(turn), unit),
    )


def _in_words(turn: Turn, state: Face, unit: UnitRow) -> str:
    """Read once in a turn, which looks before the act and after it; ``""`` while the way is being chosen."""
    key = (f"face:{state.kind}:{state.measure}:{state.year}:{turn.chat.language}", unit.id)
    if key not in turn.memo:
        turn.memo[key] = _reckoned(turn, state, unit)
    found: str = turn.memo[key]
    return found


def _reckoned(turn: Turn, state: Face, unit: UnitRow) -> str:
    conn, now, year = turn.conn, turn.now, state.year
    if state.kind in CHARTS:
        asked = {"year": year, "kind": state.kind, "measure": state.measure}
        text = words.face(reckoning.chart(conn, unit, asked, now))
    elif state.kind == "compare":
        this, last = (reckoning.whole_figures(conn, unit, each, now) for each in (year, year - 1))
        text = words.beside(this, last)
    else:
        return ""
    return f"{text}\n\n{_('report.as_of', moment=moment(now))}"


def show(state: object, view: View | FaceView | KeptView | Found) -> Screen:
    """The figures and where to go from them."""
    if isinstance(view, Found):
        assert isinstance(state, Choosing)
        choices = [Choice(f"unit:{code}", label) for code, label in view.units]
        return Screen(_("report.which", text=state.text), (*choices, _home()), input="text")
    if isinstance(view, KeptView):
        return _show_kept(view.compared)
    if isinstance(view, FaceView):
        assert isinstance(state, Face)
        return _show_face(state, view)
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
    choices.append(Choice("faces", _("report.faces")))
    if view.parent:
        choices.append(Choice("up", _("report.up", unit=view.parent)))
    choices.extend(Choice(f"year:{each}", _("report.year", year=each)) for each in view.years)
    choices.extend(Choice(f"unit:{code}", _("report.other", unit=name)) for code, name in view.others)
    return Screen(
        "\n\n".join(parts),
        (*choices, _home()),
        title=_("report.title", unit=reckoned.name, year=reckoned.year),
    )


def _show_face(state: Face, view: FaceView) -> Screen:
    back = Choice("report", _("report.back"))
    if not state.kind:
        choices = [Choice(f"face:{each}", _(f"report.face.{each}")) for each in view.faces]
        if view.may_set:
            choices.append(Choice("target", _("report.target_choice")))
        return Screen(_("report.faces_text", unit=view.unit), (*choices, back, _home()))
    choices = []
    if state.kind == "ranking":
        choices = [Choice(f"by:{name}", _("report.by", label=measures.BY_NAME[name].label)) for name in view.measures]
    title = _title(view.unit, state.year, state.kind, state.measure)
    return Screen(view.text, (*choices, Choice("faces", _("report.faces")), back, _home()), title=title)


def _show_kept(compared: runs.Compared) -> Screen:
    then = compared.then
    return Screen(
        f"{in_words(then)}\n\n{words.since_text(compared)}",
        (Choice("fresh", _("report.fresh"), "main"), _home()),
        title=_("report.kept_title", unit=then.name, year=then.year, code=then.run),
    )


def _home() -> Choice:
    return Choice(BACK, _("choice.home"), "quiet")


def take(turn: Turn, state: object, view: View | FaceView | KeptView | Found, act: Act) -> Next:
    """Down, up, another year, another page, another way of looking."""
    match state, act:
        case (_, Pressed("back")):
            return Next(Home())
        case (Reporting(unit_id, year, _page, run), Pressed("faces")):
            return Next(Face(unit_id, year, run=run))
        case (Face(unit_id, year, run=run), Pressed("faces")):
            return Next(Face(unit_id, year, run=run))
        case (Face(unit_id, year, run=run), Pressed("report")):
            return Next(Reporting(unit_id, year, run=run))
        case (Face(unit_id, year), Pressed("target")):
            return targets.open_for(turn, places.unit_of(turn.conn, unit_id), year)
        case (Face(unit_id, year, _kind, _measure, run), Pressed(choice)) if choice.startswith("face:"):
            return _face(turn, Face(unit_id, year, choice.removeprefix("face:"), run=run))
        case (Face(unit_id, year, "ranking", _measure, run), Pressed(choice)) if choice.startswith("by:"):
            return _face(turn, Face(unit_id, year, "ranking", choice.removeprefix("by:"), run))
        case (Kept(run), Pressed("fresh")):
            assert isinstance(view, KeptView)
            return _enter(turn, runs.unit_of(turn.conn, run), view.compared.then.year)
        case (Reporting() | Choosing(), Pressed(choice)) if choice.startswith("unit:"):
            assert isinstance(state, Reporting | Choosing)
            unit = units.by_code(turn.conn, choice.removeprefix("unit:"))
            if unit is not None:
                return _enter(turn, unit, state.year)
        case (Reporting(unit_id, year), Pressed("up")):
            parent = places.unit_of(turn.conn, unit_id).parent_id
            if parent is not None:
                return _enter(turn, places.unit_of(turn.conn, parent), year)
        case (Reporting(unit_id), Pressed(choice)) if choice.startswith("year:"):
            return _enter(turn, places.unit_of(turn.conn, unit_id), int(choice.removeprefix("year:")))
        case (Reporting(unit_id, year, page, run), Pressed("page_after")):
            return Next(Reporting(unit_id, year, page + 1, run))
        case (Reporting(unit_id, year, page, run), Pressed("page_before")):
            return Next(Reporting(unit_id, year, max(0, page - 1), run))
        case (Choosing(), Typed(text)):
            return _find(turn, state, text, state.year)
    return Next(state, _("turn.help.text"))
