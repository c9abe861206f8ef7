"""/thongbao (thông báo): an officer writes to the citizens of the own unit: text, preview with the count, confirm.

While one is being sent, the command shows it instead, and any officer of the unit or above can stop it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dialogs import notices, places, reminding, waiting
from dialogs.home import Home
from dialogs.model import Act, Choice, Pressed, Screen, Typed, encode_screen
from dialogs.states import Next, Turn, state
from dialogs.text import BACK, clean, one_line
from locales import Voice, _, number, speaking
from storage import announcements, officers, outbox, reminders, units
from storage.announcements import AnnouncementRow
from storage.base import Connection, Refused
from storage.officers import OfficerRow
from storage.units import UnitRow

BATCH = 40  # people written to in one piece of work: well under 50 ms
MOST_FOUND = 8
SEARCHED = 60  # a name may be common elsewhere; those in scope are picked from so many


@state
class Choosing:
    """Which unit: row ids of units in scope."""

    units: tuple[int, ...]


@state
class Writing:
    """The text of an announcement of a unit is asked for."""

    unit: int


@state
class Previewing:
    """As citizens will see it; to be confirmed."""

    unit: int
    text: str


@state
class Sending:
    """An announcement on its way, which can be stopped."""

    announcement: int


@dataclass(frozen=True, slots=True)
class View:
    """The unit, how many citizens can be written to, whether that waits for the morning; or units to choose from; or
    what is on its way."""

    unit: UnitRow | None = None
    reachable: int = 0
    night: bool = False
    choices: tuple[tuple[int, str], ...] = ()
    sending: AnnouncementRow | None = None


def open_announcing(turn: Turn, state: object, rest: str) -> Next:
    """/thongbao [unit]: the officer's own unit, or one below by code or name. Raises ``Refused``: ``out_of_scope``,
    and as :func:`storage.announcements.may_announce`."""
    officer = waiting.officer_of(turn)
    found = _named(turn, officer, rest) if rest else _own(turn, officer)
    if not found:
        return Next(state, _("announce.not_found", text=one_line(rest, 40)))
    if len(found) > 1:
        return Next(Choosing(tuple(each.id for each in found)))
    return _begin(turn, officer, found[0])


def _begin(turn: Turn, officer: OfficerRow, unit: UnitRow) -> Next:
    under_way = announcements.open_on(turn.conn, unit.id)
    if under_way is not None and officers.covers(officer, unit.path):
        return Next(Sending(under_way))
    announcements.may_announce(turn.conn, officer, unit, turn.now)
    return Next(Writing(unit.id))


def _own(turn: Turn, officer: OfficerRow) -> list[UnitRow]:
    own = [places.unit_of(turn.conn, role.unit_id) for role in officers.widest(officer)][:MOST_FOUND]
    if not own:
        raise Refused("out_of_scope")
    return own


def _named(turn: Turn, officer: OfficerRow, text: str) -> list[UnitRow]:
    unit = units.by_code(turn.conn, text)
    everywhere = [unit] if unit is not None else [each.unit for each in units.search(turn.conn, text, limit=SEARCHED)]
    found = [each for each in everywhere if officers.covers(officer, each.path)]
    if everywhere and not found:
        raise Refused("out_of_scope")
    return found[:MOST_FOUND]


# ------------------------------------------------------------------------------------------ the dialog


def load(turn: Turn, state: object) -> View:
    """Read. Raises ``Refused`` when the officer may not announce there (any more), somebody did so today, or what was
    on its way has ended (``announcement_over``)."""
    officer = waiting.officer_of(turn)
    if isinstance(state, Choosing):
        found = [units.by_id(turn.conn, each) for each in state.units]
        return View(
            choices=tuple(
                (each.id, places.place(turn.conn, each) or each.name)
                for each in found
                if each is not None and officers.covers(officer, each.path)
            )
        )
    if isinstance(state, Sending):
        row = announcements.locked(turn.conn, state.announcement)
        if row is None:
            raise Refused("announcement_over")
        if not officers.covers(officer, row.path):
            raise Refused("out_of_scope")
        return View(sending=row)
    assert isinstance(state, Writing | Previewing)
    unit = places.unit_of(turn.conn, state.unit)
    count = announcements.may_announce(turn.conn, officer, unit, turn.now)
    return View(unit, count, reminders.is_night(turn.now))


def show(state: object, view: View) -> Screen:
    """The question, or the announcement as it will be seen, with how many will see it."""
    home = Choice(BACK, _("choice.home"), "quiet")
    if isinstance(state, Choosing):
        return Screen(_("announce.which"), (*(Choice(f"unit:{id}", name) for id, name in view.choices), home))
    if view.sending is not None:
        row = view.sending
        said = _("announce.under_way", unit=row.unit_name, n=number(row.written))
        stop = Choice("stop", _("announce.stop"), "danger")
        return Screen("\n\n".join((said, row.text)), (stop, home), title=_title(row.unit_name, row.path))
    assert view.unit is not None
    if isinstance(state, Writing):
        asked = _(
            "announce.write",
            unit=view.unit.name,
            n=number(view.reachable),
            least=announcements.SHORTEST,
            most=number(announcements.LONGEST),
        )
        return Screen(asked, (home,), title=_("announce.title_write"), input="text")
    assert isinstance(state, Previewing)
    parts = [_("announce.preview"), _title(view.unit.name, view.unit.path), state.text]
    parts.append(_("announce.confirm", n=number(view.reachable)))
    if view.night:
        parts.append(_("announce.night"))
    return Screen(
        "\n\n".join(parts),
        (
            Choice("send", _("announce.send", n=number(view.reachable)), "main"),
            Choice("again", _("announce.again")),
            home,
        ),
        title=_("announce.title_write"),
    )


def take(turn: Turn, state: object, view: View, act: Act) -> Next:
    """A text, and its confirmation. Raises ``Refused`` as :mod:`storage.announcements` says."""
    officer = waiting.officer_of(turn)
    match state, act:
        case (_, Pressed("back")):
            return Next(Home())
        case (Choosing(allowed), Pressed(choice)) if choice.startswith("unit:"):
            chosen = int(choice.removeprefix("unit:"))
            if chosen in allowed:
                return _begin(turn, officer, places.unit_of(turn.conn, chosen))
        case (Writing(unit), Typed(text)):
            return Next(Previewing(unit, announcements.checked(clean(text), turn.rules.public_url)))
        case (Previewing(unit), Pressed("again")):
            return Next(Writing(unit))
        case (Sending(), Pressed("stop")):
            assert view.sending is not None
            return Next(Home(), _stop(turn, officer, view.sending))
        case (Previewing(_unit, text), Pressed("send")):
            assert view.unit is not None
            count = announcements.announce(turn.conn, officer, view.unit, text, turn.rules.public_url, turn.now)
            return Next(Home(), _("announce.sending", n=number(count)))
    return Next(state, puzzled=True)


def _stop(turn: Turn, officer: OfficerRow, row: AnnouncementRow) -> str:
    """Stop it; its writer hears who did."""
    sent = announcements.stop(turn.conn, row, f"officer:{officer.id}", turn.now)
    if row.officer_id != officer.id:
        _tell(turn.conn, row, turn.now, "announce.stopped_by", name=officer.name, sent=sent)
    return _("announce.stopped", unit=row.unit_name, sent=number(sent))


def _title(unit: str, path: str) -> str:
    """The centre is the association itself."""
    centre = path.count("/") == 1
    return _("announce.title", sender=unit if centre else _("place.association", unit=unit))


# ------------------------------------------------------------------------------------------ sending


def step(conn: Connection, announcement_id: int, now: datetime) -> bool:
    """One piece of an announcement's way: a batch of citizens written to, or what came of it told to the officer. Is
    there more to do at once? A piece of work of its own, never in a turn; nobody is written to at night, nor in the
    name of an officer who has no role there any more."""
    row = announcements.locked(conn, announcement_id)
    if row is None:
        return False
    officer = officers.by_id(conn, row.officer_id)
    if officer is None or not officers.covers(officer, row.path):
        announcements.stop(conn, row, "system", now)
        return False
    if row.all_written:
        _report(conn, row, now)
        return False
    if reminders.is_night(now):
        return False
    found = announcements.next_people(conn, row, BATCH, now)
    written = sum(_write_to(conn, row, person_id, now) for person_id, had_one in found if not had_one)
    spared = sum(had_one for _person, had_one in found)
    announcements.go_on(conn, row, found[-1][0] if found else row.after, written, spared, ended=len(found) < BATCH)
    return True


def _write_to(conn: Connection, row: AnnouncementRow, person_id: int, now: datetime) -> bool:
    def make() -> Screen:
        choices = (Choice("go:hoso", _("standing.open"), "plain"), reminding.stop_choice(person_id))
        return Screen(row.text, choices, title=_title(row.unit_name, row.path))

    topic = announcements.topic(row.id)
    return notices.to_person(conn, now, person_id, make, topic=topic, priority=outbox.BULK)


def _report(conn: Connection, row: AnnouncementRow, now: datetime) -> None:
    came = announcements.outcome(conn, row, now)
    if came is None or not announcements.close(conn, row, *came, now):
        return
    sent, unreachable = came
    key = "announce.report_all" if sent and not unreachable else "announce.report"
    _tell(conn, row, now, key, sent=sent, unreachable=unreachable)


def _tell(conn: Connection, row: AnnouncementRow, now: datetime, key: str, **fields: int | str) -> None:
    """Tell the officer who wrote it what became of it."""
    for contact in announcements.contacts_of_officer(conn, row.officer_id):
        with speaking(Voice(contact.language, "anh_chi")):
            said = {name: number(each) if isinstance(each, int) else each for name, each in fields.items()}
            lines = [_(key, unit=row.unit_name, **said)]
            if row.spared:
                lines.append(_("announce.spared", n=number(row.spared)))
        outbox.put(
            conn,
            account=contact.account,
            address=contact.address,
            contact_id=contact.contact_id,
            body=encode_screen(Screen("\n".join(lines), language=contact.language)),
            now=now,
            priority=outbox.NOTICE,
        )


REPORT_KEYS = ("announce.report", "announce.report_all", "announce.stopped_by")
