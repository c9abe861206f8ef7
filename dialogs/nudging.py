"""Nudging (nhắc cán bộ): from a summary one press reminds the officers of the units that are slowest; "đã rõ" comes
back to whoever sent it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dialogs import places, reporting
from dialogs.home import Home
from dialogs.model import Act, Choice, Pressed, Screen, encode_screen
from dialogs.states import Next, Turn, state
from dialogs.text import BACK
from dialogs.waiting import officer_of
from locales import Voice, _, number, speaking
from reports import figures as reckoning
from reports.model import PROVINCE, Row, UnitFigures
from reports.summaries import slowest, slowest_in_words
from storage import nudges, officers, outbox, schedules, units
from storage.base import Refused
from storage.conversations import Reach
from storage.officers import OfficerRow
from storage.units import UnitRow

KEYS = ("nudge.sent", "nudge.before", "nudge.nobody")


@state
class Slowest:
    """ "5 đơn vị chậm nhất" of a unit."""

    unit: int


@dataclass(frozen=True, slots=True)
class View:
    """The unit's figures, and the slowest of the units below."""

    figures: UnitFigures
    rows: tuple[Row, ...]


# ------------------------------------------------------------------------------------------ the slowest


def show_slowest(turn: Turn, state: object, code: str) -> Next:
    """A summary's button: the slowest units of the one with this code. Raises ``Refused("out_of_scope")``."""
    return Next(Slowest(_in_scope(turn, code).id))


def _in_scope(turn: Turn, code: str) -> UnitRow:
    unit = units.by_code(turn.conn, code) if code else None
    if unit is None or not officers.covers(officer_of(turn), unit.path):
        raise Refused("out_of_scope")
    return unit


def load(turn: Turn, state: Slowest) -> View:
    """Read them. Raises ``Refused``: ``officer_signed_out``, ``out_of_scope``."""
    unit = places.unit_of(turn.conn, state.unit)
    if not officers.covers(officer_of(turn), unit.path):
        raise Refused("out_of_scope")
    found = reckoning.figures(turn.conn, unit, places.today(turn).year, turn.now, means=False)
    return View(found, slowest(found))


def show(state: Slowest, view: View) -> Screen:
    """A line each; nudge one, or all."""
    home = Choice(BACK, _("choice.home"), "quiet")
    title = _("nudge.title", unit=view.figures.name)
    if not view.rows:
        return Screen(_("nudge.no_units"), (home,), title=title)
    choices = [Choice("all", _("nudge.all", n=number(len(view.rows))), "main")]
    choices.extend(Choice(f"one:{row.code}", _("nudge.one", unit=row.label)) for row in view.rows)
    choices.append(Choice("report", _("summary.drill_down")))
    return Screen(slowest_in_words(view.figures), (*choices, home), title=title)


def take(turn: Turn, state: Slowest, view: View, act: Act) -> Next:
    """Nudge, or look at the report."""
    match act:
        case Pressed("all"):
            return Next(state, _nudge(turn, [row.code for row in view.rows]))
        case Pressed(choice) if choice.startswith("one:"):
            return Next(state, _nudge(turn, [choice.removeprefix("one:")]))
        case Pressed("report"):
            return reporting.report(turn, state, view.figures.code)
        case Pressed("back"):
            return Next(Home())
    return Next(state, puzzled=True)


# ------------------------------------------------------------------------------------------ nudging


def nudge(turn: Turn, state: object, code: str) -> Next:
    """A summary's button: nudge the slowest units below a province or the centre, else the unit itself.

    Raises ``Refused``: ``officer_signed_out``, ``out_of_scope``.
    """
    unit = _in_scope(turn, code)
    wanted = [code]
    if unit.level <= PROVINCE:
        found = reckoning.figures(turn.conn, unit, places.today(turn).year, turn.now, means=False)
        wanted = [row.code for row in slowest(found)]
    return Next(state, _nudge(turn, wanted) if wanted else _("nudge.no_units"))


def _nudge(turn: Turn, codes: Sequence[str]) -> str:
    """Nudge each unit's officers, once a day; a line on whom that reached. Only a unit below one of the officer's."""
    officer = officer_of(turn)
    sent, before, nobody = list[str](), list[str](), list[str]()
    for code in codes:
        unit = _in_scope(turn, code)
        above = next(
            (role for role in officer.roles if unit.path.startswith(role.path) and unit.path != role.path), None
        )
        if above is None:
            raise Refused("out_of_scope")
        readers = {id: reach for id, reach in nudges.readers(turn.conn, unit.id).items() if id != officer.id}
        if not readers:
            nobody.append(unit.name)
            continue
        number_of = nudges.send(turn.conn, unit.id, officer.id, turn.now)
        if number_of is None:
            before.append(unit.name)
            continue
        sent.append(unit.name)
        found = reckoning.figures(turn.conn, unit, places.today(turn).year, turn.now, means=False)
        for reach in readers.values():
            _tell(turn, reach, _words(number_of, officer, above.unit_name, unit, found, reach))
    lines = [_(key, units=", ".join(names)) for key, names in zip(KEYS, (sent, before, nobody), strict=True) if names]
    return "\n".join(lines)


def _words(nudge_id: int, officer: OfficerRow, place: str, unit: UnitRow, found: UnitFigures, reach: Reach) -> Screen:
    with speaking(Voice(reach.language, "anh_chi")):
        text = _(
            "nudge.text",
            name=officer.name,
            place=place,
            unit=unit.name,
            registered=number(found.registered),
            submitted=number(found.submitted),
            waiting=number(found.waiting),
        )
        choices = (Choice(f"go:noted:{nudge_id}", _("nudge.noted"), "main"), Choice("go:queue", _("home.queue")))
        return Screen(text, choices)


def _tell(turn: Turn, reach: Reach, screen: Screen) -> None:
    outbox.put(
        turn.conn,
        account=reach.account,
        address=reach.address,
        contact_id=reach.contact_id,
        body=encode_screen(replace(screen, number=0, language=reach.language)),
        now=turn.now,
        priority=outbox.NOTICE,
    )


def noted(turn: Turn, state: object, rest: str) -> Next:
    """ "Đã rõ": whoever sent the nudge hears it. Only from an officer of that unit; said again it changes nothing."""
    officer = officer_of(turn)
    found = nudges.of(turn.conn, int(rest)) if rest.isascii() and rest.isdecimal() and len(rest) < 18 else None
    if found is None or all(role.unit_id != found.unit_id for role in officer.roles):
        raise Refused("out_of_scope")
    if nudges.note(turn.conn, found, officer.id, turn.now):
        unit = places.unit_of(turn.conn, found.unit_id)
        sender = schedules.reach_of(turn.conn, found.officer_id)
        if sender is not None:
            with speaking(Voice(sender.language, "anh_chi")):
                screen = Screen(_("nudge.answer", name=officer.name, unit=unit.name))
            _tell(turn, sender, screen)
    return Next(state, _("nudge.thanks"))
