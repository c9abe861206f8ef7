"""Reminding (nhắc việc): a citizen who stopped half-way is told where, with a button that goes on from there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import partial

from dialogs import notices, places, questions, standing
from dialogs.model import Choice, Screen
from dialogs.states import Next, Turn
from locales import _, day, number
from storage import announcements, assessments, outbox, people, reminders, seasons
from storage.base import Connection
from storage.reminders import Due

KEYS = ("reminder.registered", "reminder.draft", "reminder.returned")


def remind(conn: Connection, assessment_ids: Sequence[int], now: datetime) -> int:
    """Put a reminder for each of these forms whose citizen is still to be reminded; how many. A piece of work of its
    own, never in a turn; about 1 ms each."""
    told = 0
    for assessment_id in assessment_ids:
        due = reminders.still_due(conn, assessment_id, now)
        if due is None or not reminders.note(conn, due, now):
            continue
        unit = places.unit_of(conn, due.unit_id)
        season = seasons.windows_at(conn, due.year, unit.path)
        until = season.decision_to if due.status == "returned" else season.assessment_to
        make = partial(_screen, conn, due, until)
        topic = reminders.topic(due.person_id)
        told += notices.to_person(conn, now, due.person_id, make, topic=topic, priority=outbox.BULK)
    return told


def _screen(conn: Connection, due: Due, until: date) -> Screen:
    """In the voice of its reader."""
    person, row = people.person(conn, due.person_id), assessments.by_id(conn, due.assessment_id)
    assert person is not None
    assert row is not None
    asked = len(places.criteria_of(conn, row).indicators)
    opened = sum(each.return_reason is not None for each in assessments.answers_of(conn, row.id).values())
    text = _(
        f"reminder.{due.status}",
        year=due.year,
        done=number(due.answered),
        of=number(asked),
        n=number(opened),
        day=day(until),
    )
    begin = _("reminder.begin" if due.status == "registered" else "reminder.go_on")
    go_on = Choice(f"go:on:{due.assessment_id}", begin, "main")
    return Screen(text, (go_on, stop_choice(due.person_id)), title=_("home.greeting", name=person.name))


def stop_choice(person_id: int) -> Choice:
    """The button beside whatever is said to a person unasked: it stops that for nobody else, whoever's turn it is on a
    phone that several share."""
    return Choice(f"go:stop:{person_id}", _("reminder.stop"), "quiet")


# ------------------------------------------------------------------------------------------ its buttons


def go_on(turn: Turn, state: object, form: str = "") -> Next:
    """Go on where the citizen stopped: in the form (row id) that the reminder was about; ``""``: this year's. Raises
    ``Refused("assessment_window")`` outside the window."""
    if turn.chat.person is None:
        return Next(state, _("turn.join_first"))
    row = (
        assessments.by_id(turn.conn, _number(form))
        if form
        else assessments.of_person(turn.conn, turn.person.id, places.today(turn).year)
    )
    if row is not None and row.person_id != turn.person.id:
        return Next(state, _somebody_elses(turn, row.person_id))
    if row is None or row.status not in reminders.STOPPED:
        return Next(standing.Standing())
    return questions.begin(turn, row.id)


def stop(turn: Turn, state: object, whose: str = "") -> Next:
    """Nothing unasked from now on to the person that the notice was for (``""``: who speaks); what waits to be said is
    not said. The open question stays."""
    if turn.chat.person is None:
        return Next(state, _("turn.join_first"))
    if whose and _number(whose) != turn.person.id:
        return Next(state, _somebody_elses(turn, _number(whose)))
    reminders.stop(turn.conn, turn.person.id, turn.now)
    outbox.cancel(turn.conn, reminders.topic(turn.person.id))
    outbox.cancel_to(turn.conn, turn.person.id, announcements.TOPIC)
    return Next(state, _("reminder.stopped"))


def _number(text: str) -> int:
    """A row id out of a button; 0 for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0


def _somebody_elses(turn: Turn, person_id: int) -> str:
    """Whose notice it was: a name only where that person shares this very phone."""
    person = people.person(turn.conn, person_id)
    here = turn.chat.contact_id
    if person is None or all(each.contact_id != here for each in people.contacts_of(turn.conn, person_id)):
        return _("reminder.for_another")
    return _("reminder.for_other", name=person.name)


def allow(turn: Turn, state: object) -> Next:
    """The citizen wants to be reminded again."""
    reminders.allow(turn.conn, turn.person.id, turn.now)
    return Next(state, _("reminder.allowed"))
