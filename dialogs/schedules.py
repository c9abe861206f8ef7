"""/lichbaocao (lịch báo cáo): which summaries come to an officer by themselves, when; pause them, or choose a time."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dialogs.model import Act, Choice, Pressed, Screen, Typed
from dialogs.states import Next, Turn, state
from dialogs.text import BACK
from dialogs.waiting import officer_of
from locales import _
from reports import schedules as times
from reports.schedules import Schedule
from storage import reach, recipients, schedules
from storage.gazetteer import fold
from storage.officers import OfficerRow
from storage.schedules import Planned, Wish

HOURS = (6, 7, 8, 9, 11, 14, 17)  # offered; any other time is typed
_TIME = re.compile(r"(?:luc\s+)?(\d{1,2})\s*(?:gio|[:h.g])?\s*(\d{1,2})?(?:\s*phut)?|(\d{1,2})\s*(?:gio|h|g)\s*(ruoi)")


@state
class Schedules:
    """The officer's summaries."""


@state
class OfSchedule:
    """One of them."""

    name: str


@state
class Timing:
    """At which time of day it is to come."""

    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """A schedule that the officer is among, and what they want of it. ``after``: the next is due later than that."""

    schedule: Schedule
    wish: Wish
    after: datetime


View = tuple[Row, ...]


def open_schedules(turn: Turn, state: object, rest: str) -> Next:
    """/lichbaocao."""
    return Next(Schedules())


def mine(turn: Turn, officer: OfficerRow) -> View:
    """The schedules for which the officer has a role."""
    return tuple(
        _row(turn, officer, each)
        for each in turn.rules.schedules
        if any(role.role in each.roles and times.level_of(each) in (None, role.level) for role in officer.roles)
    )


def _row(turn: Turn, officer: OfficerRow, schedule: Schedule) -> Row:
    """Who has had today's and then chose another time gets the next one tomorrow at the earliest."""
    wish = schedules.wish(turn.conn, officer.id, schedule.name)
    due = times.next_due(schedule, turn.now, wish.minute)
    told = times.is_first_of_day(schedule, due, wish.minute) and recipients.was_told_before_change(
        turn.conn, officer.id, schedule.name, times.day_of(schedule, turn.now)
    )
    return Row(schedule, wish, times.day_after(schedule, turn.now) - timedelta(minutes=1) if told else turn.now)


def load(turn: Turn, state: object) -> View:
    """Read them; of one only that. Raises ``Refused("officer_signed_out")``."""
    found = mine(turn, officer_of(turn))
    if isinstance(state, Schedules):
        return found
    return tuple(row for row in found if row.schedule.name == state.name)  # type: ignore[attr-defined]


def show(state: object, view: View) -> Screen:
    """A line each, and what can be done."""
    title = _("schedule.screen.title")
    if not view:
        return Screen(_("schedule.none"), (Choice(BACK, _("choice.home"), "quiet"),), title=title)
    if isinstance(state, Schedules):
        choices = [Choice(f"of:{row.schedule.name}", times.title(row.schedule)) for row in view]
        text = "\n\n".join(_line(row) for row in view)
        return Screen(text, (*choices, Choice(BACK, _("choice.home"), "quiet")), title=title)
    (row,) = view
    back = Choice(BACK, _("choice.back"), "quiet")
    if isinstance(state, Timing):
        offered = [60 * hour for hour in HOURS if not times.is_quiet(row.schedule, 60 * hour)]
        choices = [Choice(f"at:{minute}", times.clock_in_words(minute)) for minute in offered]
        title = times.title(row.schedule)
        return Screen(_("schedule.ask_time"), (*choices, back), title=title, input="text", values=True)
    choices = [
        Choice("resume", _("schedule.resume"), "main") if row.wish.paused else Choice("pause", _("schedule.pause"))
    ]
    choices.append(Choice("time", _("schedule.change_time")))
    if row.wish.minute is not None:
        choices.append(Choice("own_off", _("schedule.usual_time")))
    return Screen(_when(row), (*choices, back), title=times.title(row.schedule))


def _line(row: Row) -> str:
    return f"{times.title(row.schedule)}\n{_when(row)}"


def _when(row: Row) -> str:
    if row.wish.paused:
        return _("schedule.paused", when=times.in_words(row.schedule, row.wish.minute))
    return _(
        "schedule.comes",
        when=times.in_words(row.schedule, row.wish.minute),
        next=times.next_in_words(row.schedule, row.after, row.wish.minute),
    )


def take(turn: Turn, state: object, view: View, act: Act) -> Next:
    """Choose one; pause, resume, another time of day."""
    from dialogs.home import Home

    officer = officer_of(turn)
    match state, act:
        case (Schedules(), Pressed(choice)) if choice.startswith("of:"):
            return Next(OfSchedule(choice.removeprefix("of:")))
        case (Schedules(), Pressed("back")):
            return Next(Home())
        case (OfSchedule(), Pressed("back")):
            return Next(Schedules())
        case (Timing(name), Pressed("back")):
            return Next(OfSchedule(name))
    if not view:
        return Next(Home())
    (row,) = view
    name, wish = row.schedule.name, row.wish
    match state, act:
        case (OfSchedule(), Pressed("pause")):
            return _set(turn, officer, row.schedule, replace(wish, paused=True), _("schedule.now_paused"))
        case (OfSchedule(), Pressed("resume")):
            return _set(turn, officer, row.schedule, replace(wish, paused=False), _("schedule.now_resumed"))
        case (OfSchedule(), Pressed("time")):
            return Next(Timing(name))
        case (OfSchedule(), Pressed("own_off")):
            return _retimed(turn, officer, row, replace(wish, minute=None), _("schedule.usual_again"))
        case (Timing(), Pressed(choice)) if choice.startswith("at:"):
            return _at(turn, officer, row, int(choice.removeprefix("at:")), state)
        case (Timing(), Typed(text)):
            minute = minute_of(text)
            if minute is None:
                return Next(state, _("schedule.time_wrong"))
            return _at(turn, officer, row, minute, state)
    return Next(state, puzzled=True)


def _at(turn: Turn, officer: OfficerRow, row: Row, minute: int, state: object) -> Next:
    if times.is_quiet(row.schedule, minute):
        return Next(state, _("schedule.time_quiet", hours=row.schedule.quiet.replace("-", "–")))
    note = _("schedule.time_set", time=times.clock_in_words(minute))
    return _retimed(turn, officer, row, replace(row.wish, minute=minute, paused=False), note)


def _set(turn: Turn, officer: OfficerRow, schedule: Schedule, wanted: Wish, note: str) -> Next:
    schedules.set_wish(turn.conn, officer.id, schedule.name, wanted, turn.now)
    if wanted.minute is not None and not wanted.paused:
        due = times.next_due(schedule, turn.now, wanted.minute)
        schedules.plan_too(turn.conn, Planned(schedule.name, due, schedule.cron, schedule.zone))
    return Next(OfSchedule(schedule.name), note)


def _retimed(turn: Turn, officer: OfficerRow, row: Row, wanted: Wish, note: str) -> Next:
    """Another time of day. Where today's was to come yet, and its new time is over, it comes at once."""
    schedule = row.schedule
    step = _set(turn, officer, schedule, wanted, note)
    if row.wish.paused or wanted.paused or not _is_lost(turn, officer, schedule, row.wish.minute, wanted.minute):
        return step
    held = recipients.holders(turn.conn, schedule.roles, times.level_of(schedule), [officer.id])
    run_id = schedules.plan_now(turn.conn, schedule.name, turn.now, f"officer:{officer.id}")
    chosen = [(each, reach.of_officer(turn.conn, officer.id)) for each in held]
    recipients.begin(turn.conn, run_id, chosen, turn.now, asked=True)
    return Next(step.state, f"{note} {_('schedule.today_at_once')}")


def _is_lost(turn: Turn, officer: OfficerRow, schedule: Schedule, old: int | None, new: int | None) -> bool:
    """Was today's still to come at the *old* time, and is there none today any more at the *new* one?"""
    tomorrow = times.day_after(schedule, turn.now)
    return times.next_due(schedule, turn.now, old) < tomorrow <= times.next_due(
        schedule, turn.now, new
    ) and not recipients.is_in_run(turn.conn, officer.id, schedule.name, times.day_of(schedule, turn.now))


def minute_of(text: str) -> int | None:
    """Minutes after midnight of a time as people type it: ``7``, ``7h30``, ``7:30``, ``7 giờ rưỡi``; else ``None``."""
    found = _TIME.fullmatch(fold(text))
    if found is None:
        return None
    hour, minute = int(found[1] or found[3]), 30 if found[4] else int(found[2] or 0)
    return hour * 60 + minute if hour < 24 and minute < 60 else None
