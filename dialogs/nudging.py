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
from reports import measures
from reports.measures import Raw
from reports.model import PROVINCE
from reports.summaries import Pace, pace, slowest_in_words, year_told
from storage import counters, nudges, officers, outbox, reach, reminders, units
from storage.base import Refused
from storage.conversations import Reach
from storage.officers import OfficerRow
from storage.units import UnitRow

KEYS = ("nudge.sent", "nudge.before", "nudge.enough", "nudge.nobody")


@state
class Slowest:
    """ "5 đơn vị chậm nhất" of a unit."""

    unit: int


@dataclass(frozen=True, slots=True)
class View:
    """The unit, and the slowest of the units below."""

    unit: UnitRow
    below: Pace


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
    return View(unit, _pace(turn, unit))


def _pace(turn: Turn, unit: UnitRow) -> Pace:
    year = year_told(turn.conn, unit, turn.now)
    return pace(turn.conn, unit, reckoning.figures(turn.conn, unit, year, turn.now, means=False))


def show(state: Slowest, view: View) -> Screen:
    """A line each; nudge one, or all."""
    home = Choice(BACK, _("choice.home"), "quiet")
    title, rows = _("nudge.title", unit=view.unit.name), view.below.rows
    report = Choice("report", _("summary.drill_down"))
    if not rows:
        parts = (_("nudge.no_units"), slowest_in_words(view.unit.level, view.below))
        return Screen("\n\n".join(filter(None, parts)), (report, home), title=title)
    choices = [Choice("all", _("nudge.all", n=number(len(rows))), "main")]
    choices.extend(Choice(f"one:{row.code}", _("nudge.one", unit=row.label)) for row in rows)
    return Screen(slowest_in_words(view.unit.level, view.below), (*choices, report, home), title=title)


def take(turn: Turn, state: Slowest, view: View, act: Act) -> Next:
    """Nudge, or look at the report."""
    match act:
        case Pressed("all"):
            return Next(state, _nudge(turn, [row.code for row in view.below.rows]))
        case Pressed(choice) if choice.startswith("one:"):
            return Next(state, _nudge(turn, [choice.removeprefix("one:")]))
        case Pressed("report"):
            return reporting.report(turn, state, units.display_code(view.unit))
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
        wanted = [row.code for row in _pace(turn, unit).rows]
    return Next(state, _nudge(turn, wanted) if wanted else _("nudge.no_units"))


def _nudge(turn: Turn, codes: Sequence[str]) -> str:
    """Nudge each unit's officers, in the morning where it is late; a line on whom that reached. Only a unit below one
    of the officer's."""
    officer = officer_of(turn)
    said: dict[str, list[str]] = {key: [] for key in KEYS}
    for code in codes:
        unit = _in_scope(turn, code)
        above = next(
            (role for role in officer.roles if unit.path.startswith(role.path) and unit.path != role.path), None
        )
        if above is None:
            raise Refused("out_of_scope")
        readers = {id: chat for id, chat in reach.of_officers_on(turn.conn, unit.id).items() if id != officer.id}
        hindrance = nudges.hindrance(turn.conn, unit.id, officer.id, turn.now)
        if not readers or hindrance:
            said[f"nudge.{hindrance}" if readers else "nudge.nobody"].append(unit.name)
            continue
        said["nudge.sent"].append(unit.name)
        number_of = nudges.send(turn.conn, unit.id, officer.id, turn.now)
        found = _counted(turn, unit)
        for chat in readers.values():
            _tell(turn, chat, _words(number_of, officer, above.unit_name, unit, found, chat))
    lines = [_(key, units=", ".join(names)) for key, names in said.items() if names]
    if said["nudge.sent"] and reminders.is_night(turn.now):
        lines.append(_("nudge.night"))
    return "\n".join(lines)


def _counted(turn: Turn, unit: UnitRow) -> Raw:
    """The unit's people by status alone: nothing of the units below is read."""
    statuses: dict[str, int] = {}
    sums = counters.sums(turn.conn, unit.id, unit.path, year_told(turn.conn, unit, turn.now))
    for (_group, status), n in sums.items():
        statuses[status] = statuses.get(status, 0) + n
    return Raw(statuses)


def _words(nudge_id: int, officer: OfficerRow, place: str, unit: UnitRow, found: Raw, chat: Reach) -> Screen:
    with speaking(Voice(chat.language, "anh_chi")):
        text = _(
            "nudge.text",
            name=officer.name,
            place=place,
            unit=unit.name,
            registered=number(measures.count("registered", found)),
            submitted=number(measures.count("submitted", found)),
            waiting=number(measures.count("waiting", found)),
        )
        choices = (Choice(f"go:noted:{nudge_id}", _("nudge.noted"), "main"), Choice("go:queue", _("home.queue")))
        return Screen(text, choices)


def _tell(turn: Turn, chat: Reach, screen: Screen) -> None:
    outbox.put(
        turn.conn,
        account=chat.account,
        address=chat.address,
        contact_id=chat.contact_id,
        body=encode_screen(replace(screen, number=0, language=chat.language)),
        now=turn.now,
        priority=outbox.NOTICE,
        not_before=reminders.morning_after(turn.now),
    )


def noted(turn: Turn, state: object, rest: str) -> Next:
    """ "Đã rõ": whoever sent the nudge hears it. Only from an officer of that unit; said again it changes nothing."""
    officer = officer_of(turn)
    found = nudges.of(turn.conn, int(rest)) if rest.isascii() and rest.isdecimal() and len(rest) < 18 else None
    if found is None or all(role.unit_id != found.unit_id for role in officer.roles):
        raise Refused("out_of_scope")
    if nudges.note(turn.conn, found, officer.id, turn.now):
        unit = places.unit_of(turn.conn, found.unit_id)
        sender = reach.of_officer(turn.conn, found.officer_id)
        if sender is not None:
            with speaking(Voice(sender.language, "anh_chi")):
                screen = Screen(_("nudge.answer", name=officer.name, unit=unit.name))
            _tell(turn, sender, screen)
    return Next(state, _("nudge.thanks"))
