"""Joining a unit (gắn với đơn vị): from the link or typed code, over consent, to the registration for the season."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime

import criteria
from dialogs import guessing, idnumber, notices, places
from dialogs.model import Act, Choice, Pressed, Screen, Sent, Typed
from dialogs.states import Next, Turn, state
from dialogs.text import BACK, NAME_LIMIT, initial_form, one_line, phone
from locales import FORMS, _, clock, day, voice
from storage import (
    assessments,
    attempts,
    audit,
    codes,
    conversations,
    erasure,
    identity,
    people,
    rollout,
    units,
)
from storage.base import Refused
from storage.units import Place, UnitRow

CONSENT_VERSION = "2026-11"
MOST_FOUND = 6
MOST_OLD = 3  # of them, places to keep for names of before July 2025


@state
class ConfirmUnit:
    """ "Phường Hồng Gai, Thành phố Quảng Ninh — đúng không?\""""

    unit: int
    old: int = 0


@state
class ChooseSuccessor:
    """The poster's unit was closed and went to several."""

    old: int


@state
class ChooseFound:
    """Units found by name."""

    text: str


@state
class MoveUnit:
    """A citizen of one unit scanned another's code."""

    unit: int


@state
class AskConsent:
    """Consent (đồng ý), nothing pre-ticked; *more* shows the long text."""

    unit: int
    more: bool = False


@state
class AskName:
    """Full name."""

    unit: int


@state
class AskYear:
    """Year of birth."""

    unit: int
    name: str


@state
class AskPhone:
    """Phone number, optional."""

    unit: int
    name: str
    birth_year: int


@state
class AskIdNumber:
    """Personal id number (số định danh cá nhân), where the unit asks for it."""

    unit: int
    name: str
    birth_year: int
    phone: str

    SECRET = True


@state
class AskForm:
    """Form of address: asked once, always changeable."""

    unit: int
    name: str
    birth_year: int
    phone: str
    identity: str = ""  # a sealed id number


@state
class AskGroup:
    """Subject group (nhóm đối tượng)."""

    unit: int
    name: str
    birth_year: int
    phone: str
    form: str
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A unit to choose."""

    id: int
    label: str
    suggested: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What the joining screens show."""

    unit: UnitRow | None = None
    place: str = ""
    controller: str = ""
    contact: str = ""
    min_age: int = 18
    year: int = 2026
    found: tuple[Found, ...] = ()
    old: str = ""
    present: str = ""
    until: str = ""
    id_number: str = "no"
    joins_per_hour: int = 300


# ------------------------------------------------------------------------------------------ ways in


def scan(turn: Turn, code: codes.UnitCode) -> Next:
    """A unit's code was scanned, opened or typed. Raises ``Refused("unit_unknown")``."""
    unit = units.by_code(turn.conn, code.body, code.vintage)
    if unit is None:
        raise Refused("unit_unknown", code=codes.printed(code))
    open_one = unit if unit.valid_to is None else units.sole_successor(turn.conn, unit)
    if open_one is not None:
        rollout.scanned(turn.conn, open_one, turn.now)
    return _come_to(turn, unit)


def _come_to(turn: Turn, unit: UnitRow) -> Next:
    """To a unit of today; from a closed one to its successor, or to the question which."""
    if unit.valid_to is not None:
        sole = units.sole_successor(turn.conn, unit)
        if sole is None:
            return Next(ChooseSuccessor(unit.id))
        return _arrive(turn, sole, old=unit)
    return _arrive(turn, unit)


def look_for(turn: Turn, text: str) -> Next:
    """Find units by a name as typed; one result is confirmed, several are offered."""
    bare = units.by_code(turn.conn, text) if _BARE_CODE.fullmatch(text) else None
    if bare is not None:  # the letter is missing: the name, asked next, takes its place
        return _come_to(turn, bare)
    found = _found(turn, text)
    if len(found) == 1:
        return _come_to(turn, found[0].unit)
    if found:
        return Next(ChooseFound(one_line(text)))
    return Next(_somewhere(turn), _("join.not_found", text=one_line(text, 40)))


_BARE_CODE = re.compile(r"\d{5}")


def _found(turn: Turn, text: str) -> list[Place]:
    """Units of today by name, then those of before July 2025: people know their commune by the name it had."""
    now = [each for each in units.search(turn.conn, text, limit=MOST_FOUND + 1) if each.unit.level >= 2]
    offered = {each.unit.id for each in now}
    old = []
    for each in units.search(turn.conn, text, limit=MOST_FOUND, vintage=codes.PRE_2025):
        today = units.sole_successor(turn.conn, each.unit)
        if today is None or today.id not in offered:  # Hồng Gai is Hồng Gai: named once
            old.append(each)
            offered.update({today.id} if today else ())
    kept = now[: max(MOST_FOUND - len(old), MOST_FOUND - MOST_OLD)]
    return [*kept, *old[: MOST_FOUND - len(kept)]]


def _somewhere(turn: Turn) -> object:
    from dialogs.home import Home  # home leads to joining, and joining back to it

    return Home()


def _arrive(turn: Turn, unit: UnitRow, old: UnitRow | None = None) -> Next:
    person = turn.chat.person
    if person is not None:
        if person.unit_id == unit.id:
            return Next(_somewhere(turn), _("join.already", unit=unit.name))
        return _shut(turn, unit) or Next(MoveUnit(unit.id))
    return _shut(turn, unit) or Next(ConfirmUnit(unit.id, old.id if old else 0))


def _shut(turn: Turn, unit: UnitRow) -> Next | None:
    """The door of a unit that is not open yet (làm điểm); ``None``: it is open.

    Nothing is kept of who came: the chat stands where it stood, and a stranger's contact goes within the day.
    """
    said = _not_open(turn, unit)
    return Next(_somewhere(turn), said) if said else None


def _not_open(turn: Turn, unit: UnitRow) -> str:
    """What is said at the door of a unit whose setting ``open_from`` has not come; "": it is open."""
    settings = places.settings(turn, unit)
    if settings.open_from <= places.today(turn):
        return ""
    if settings.open_from < date.max:
        said = _("join.opens", unit=unit.name, day=day(settings.open_from))
    else:
        said = _("join.not_open", unit=unit.name)
    ask = places.whom_to_ask(settings) or _("join.not_open_ask", association=places.association(unit))
    meanwhile = "" if turn.chat.person is not None else _("join.not_open_try")
    return f"{said} {ask} {meanwhile}".strip()


# ------------------------------------------------------------------------------------------ the dialog


def load(turn: Turn, state: object) -> View:
    """Read what the screen needs. Raises ``Refused("assessment_gone")`` when the chat is nobody's any more."""
    conn = turn.conn
    if turn.chat.person is None and isinstance(state, MoveUnit):
        raise Refused("assessment_gone")
    match state:
        case ChooseSuccessor(old):
            closed = places.here(turn, old)
            found = tuple(
                Found(each.unit.id, places.place(conn, each.unit), each.suggested)
                for each in units.successors(conn, closed)
            )
            return View(old=places.place(conn, closed), found=found)
        case ChooseFound(text):
            return View(found=tuple(Found(each.unit.id, _label(each)) for each in _found(turn, text)))
    unit = places.here(turn, state.unit)  # type: ignore[attr-defined]
    settings = places.settings(turn, unit)
    year = places.today(turn).year
    view = View(
        unit=unit,
        place=places.place(conn, unit),
        controller=places.controller(settings, unit),
        contact=places.whom_to_ask(settings),
        min_age=settings.min_age,
        year=year,
        until=f"31/12/{year + turn.rules.keep_years}",
        id_number=idnumber.policy(turn, unit),
        joins_per_hour=settings.joins_per_hour,
    )
    match state:
        case ConfirmUnit(_, old) if old:
            return replace(view, old=places.place(conn, places.here(turn, old)))
        case MoveUnit():
            return replace(view, present=places.place(conn, places.here(turn, turn.person.unit_id)))
    return view


def _label(place: Place) -> str:
    name = ", ".join(place.parts)
    return _("join.former", unit=name) if place.unit.valid_to is not None else name


def show(state: object, view: View) -> Screen:
    """One question a screen."""
    match state:
        case ConfirmUnit():
            text = (
                _("join.confirm_old", old=view.old, unit=view.place) if view.old else _("join.confirm", unit=view.place)
            )
            return Screen(
                text,
                (Choice("yes", _("join.yes"), "main"), Choice("no", _("join.no"))),
                title=_("home.title"),
                input="unit",
            )
        case ChooseSuccessor():
            choices = [
                Choice(f"unit:{each.id}", each.label, "main" if each.suggested else "plain") for each in view.found
            ]
            return Screen(_("join.successor", old=view.old), (*choices, Choice("no", _("join.none_of_these"), "quiet")))
        case ChooseFound(text):
            choices = [Choice(f"unit:{each.id}", each.label) for each in view.found]
            return Screen(
                _("join.found", text=text),
                (*choices, Choice("no", _("join.none_of_these"), "quiet")),
                input="unit",
            )
        case MoveUnit():
            return Screen(
                _("join.move", present=view.present, unit=view.place),
                (Choice("move", _("join.move_yes")), Choice("stay", _("join.move_no"), "main")),
            )
        case AskConsent(more=more):
            fields = {"controller": view.controller, "until": view.until, "contact": view.contact, "age": view.min_age}
            not_asked = _("join.consent_not_asked" if view.id_number == "no" else "join.consent_not_asked_but_id")
            text = (
                _("join.consent_more", **fields, not_asked=not_asked)
                if more
                else _("join.consent", controller=view.controller, until=view.until)
            )
            if view.id_number != "no":
                text = f"{text.strip()}\n\n{_('join.consent_id_number')}"
            choices = [Choice("agree", _("join.agree")), Choice("refuse", _("join.refuse"))]
            if not more:
                choices.insert(1, Choice("more", _("join.read_more"), "quiet"))
            return Screen(text.strip(), tuple(choices), title=_("join.consent_title"))
        case AskName():
            return Screen(_("join.name"), (_back(),), input="name", progress=_step(1, view))
        case AskYear():
            return Screen(_("join.year"), (_back(),), input="year", progress=_step(2, view))
        case AskPhone():
            choices = [Choice("skip", _("join.no_phone")), _back()]
            return Screen(_("join.phone"), tuple(choices), input="tel", progress=_step(3, view))
        case AskIdNumber():
            # Who has no card yet may join all the same, and is asked again before handing in.
            required = view.id_number == "require"
            skip = (
                (Choice("later", _("idnumber.later"), "quiet"),) if required else (Choice("skip", _("idnumber.skip")),)
            )
            text = idnumber.question(view.id_number, view.contact)
            return Screen(text, (*skip, _back()), input="secret", progress=(4, 6))
        case AskForm(birth_year=birth_year):
            likely = initial_form(birth_year)
            choices = [Choice(form, _(f"join.form.{form}"), "main" if form == likely else "plain") for form in FORMS]
            return Screen(_("join.form"), (*choices, _back()), progress=_step(4, view))
        case AskGroup():
            return Screen(_("join.group"), (*group_choices(view.min_age), _back()), progress=_step(5, view))
    raise AssertionError(state)


def _step(n: int, view: View) -> tuple[int, int]:
    """The place among the questions; that for the id number is the fourth where it is asked."""
    return (n, 5) if view.id_number == "no" else (n + (n > 3), 6)


def group_choices(min_age: int) -> list[Choice]:
    """The subject groups as buttons."""
    given = places.current_criteria()
    return [Choice(group.id, criteria.short_label(group, min_age, voice().language)) for group in given.subject_groups]


def _back() -> Choice:
    return Choice(BACK, _("choice.back"), "quiet")


def take(turn: Turn, state: object, view: View, act: Act) -> Next:
    """One step of joining."""
    match state, act:
        case (ConfirmUnit(), Pressed("yes")) if shut := _shut(turn, _unit(view)):
            return shut  # it was open when the unit was shown
        case (ConfirmUnit(unit), Pressed("yes")):
            again = attempts.joins_again(turn.conn, unit, view.joins_per_hour, guessing.who(turn), turn.now)
            if again is not None:
                return Next(state, _("join.put_off", until=clock(again)))
            return Next(AskConsent(unit))
        case ((ConfirmUnit() | ChooseSuccessor() | ChooseFound()), Pressed("no")):
            return Next(_somewhere(turn), _("join.other_unit"))
        case ((ChooseSuccessor() | ChooseFound()), Pressed(choice)) if choice.startswith("unit:"):
            return _come_to(turn, places.here(turn, int(choice.removeprefix("unit:"))))
        case ((ConfirmUnit() | ChooseFound()), Typed(text)):
            return look_for(turn, text)
        case (MoveUnit(unit), Pressed("move")):
            return _shut(turn, _unit(view)) or _move(turn, unit)
        case (MoveUnit(), Pressed("stay")):
            return Next(_somewhere(turn))
        case (AskConsent(unit), Pressed("more")):
            return Next(AskConsent(unit, more=True))
        case (AskConsent(), Pressed("agree")) if shut := _shut(turn, _unit(view)):
            return shut
        case (AskConsent(unit), Pressed("agree")):
            people.consent(turn.conn, turn.chat.contact_id, unit, CONSENT_VERSION, view.controller, turn.now)
            audit.write(turn.conn, turn.actor, "consent.give", f"contact:{turn.chat.contact_id}", turn.now, unit)
            return Next(AskName(unit))
        case (AskConsent(), Pressed("refuse")) if turn.officer is not None:
            return Next(_somewhere(turn), _("join.refused"))  # an officer's contact stays an officer's
        case (AskConsent(), Pressed("refuse")):
            erasure.forget_contact(turn.conn, turn.chat.contact_id, turn.now)
            return Next(state, farewell=Screen(_("join.refused"), title=_("join.refused_title")))
        case (AskName(unit), Pressed("back")):
            return Next(ConfirmUnit(unit))
        case (AskName(unit), Typed(text)):
            return _name(unit, text, state)
        case (AskYear(unit), Pressed("back")):
            return Next(AskName(unit))
        case (AskYear(unit, name), Typed(text)):
            return _year(turn, state, view, unit, name, text)
        case (AskPhone(unit, name), Pressed("back")):
            return Next(AskYear(unit, name))
        case (AskPhone(unit, name, year), Pressed("skip")):
            return Next(_after_phone(view, unit, name, year, ""))
        case (AskPhone(unit, name, year), Typed(text)):
            found = phone(text)
            return Next(_after_phone(view, unit, name, year, found)) if found else Next(state, _("join.phone_wrong"))
        case (AskIdNumber(unit, name, year), Pressed("back")):
            return Next(AskPhone(unit, name, year))
        case (AskIdNumber(unit, name, year, number), Pressed("skip")) if view.id_number != "require":
            return Next(AskForm(unit, name, year, number))
        case (AskIdNumber(unit, name, year, number), Pressed("later")) if view.id_number == "require":
            return Next(AskForm(unit, name, year, number), _("idnumber.later_done"))
        case (AskIdNumber(unit, name, year, number), Typed()):
            said = idnumber.stated(turn, year, view.contact)
            after = AskForm(unit, name, year, number, str(said.sealed)) if said.sealed else state
            return Next(after, said.note)
        case (AskIdNumber(), Sent()):
            return idnumber.refuse_picture(turn, state)
        case (AskForm(unit, name, year, number), Pressed("back")):
            before = _after_phone(view, unit, name, year, number)
            return Next(before if isinstance(before, AskIdNumber) else AskPhone(unit, name, year))
        case (AskForm(unit, name, year, number, sealed), Pressed(form)) if form in FORMS:
            return Next(AskGroup(unit, name, year, number, form, sealed))
        case (AskGroup(unit, name, year, number, _form, sealed), Pressed("back")):
            return Next(AskForm(unit, name, year, number, sealed))
        case (AskGroup(), Pressed()) if closed := _not_open(turn, _unit(view)):
            return _sent_away(turn, closed)  # it was open at the consent, an hour or a month ago
        case (AskGroup(unit, name, year, number, form, sealed), Pressed(group)):
            nth = _place(turn, view, group)
            if isinstance(nth, datetime):  # every answer is kept: the last button is there to be pressed again
                return Next(state, _("join.put_off", until=clock(nth)))
            if nth == view.joins_per_hour:
                notices.to_officers(turn.conn, turn.now, unit, "notice.joins_full", unit=view.place, most=nth)
            return _join(turn, unit, name, year, number, form, group, sealed)
    return Next(state, puzzled=True)


def _unit(view: View) -> UnitRow:
    assert view.unit is not None
    return view.unit


def _after_phone(view: View, unit: int, name: str, year: int, number: str) -> AskIdNumber | AskForm:
    kind = AskForm if view.id_number == "no" else AskIdNumber
    return kind(unit, name, year, number)


def _name(unit: int, text: str, state: object) -> Next:
    name = checked_name(text)
    return Next(AskYear(unit, name)) if name else Next(state, _("join.name_wrong", most=NAME_LIMIT))


def checked_name(text: str) -> str | None:
    """A person's name: two letters at least, no number in it; ``None`` otherwise."""
    name = one_line(text)
    if sum(sign.isalpha() for sign in name) < 2 or any(sign.isdigit() for sign in name):
        return None
    return name


def checked_year(text: str, this_year: int) -> int | None:
    """A year of birth of a living person, typed as ``1957``; ``None`` otherwise."""
    digits = "".join(sign for sign in text if sign.isdigit() and sign.isascii())
    year = int(digits) if len(digits) == 4 else 0
    return year if this_year - 120 <= year <= this_year else None


def _year(turn: Turn, state: object, view: View, unit: int, name: str, text: str) -> Next:
    year = checked_year(text, view.year)
    if year is None:
        return Next(state, _("join.year_wrong"))
    if view.year - year < view.min_age:
        return _turned_away(turn, view)
    return Next(AskPhone(unit, name, year))


def _turned_away(turn: Turn, view: View) -> Next:
    """The door is closed to a child."""
    return _sent_away(turn, _("join.turned_away", age=view.min_age, contact=view.contact).strip())


def _sent_away(turn: Turn, sentence: str) -> Next:
    """Nothing is kept of what they said, a child's year of birth least of all."""
    if erasure.turn_away(turn.conn, turn.chat.contact_id, turn.now):
        return Next(
            _somewhere(turn), farewell=Screen(sentence, title=_("join.refused_title"), language=voice().language)
        )
    return Next(_somewhere(turn), sentence, reread=True)


def _place(turn: Turn, view: View, group: str) -> int | datetime:
    """The place among those who join the unit within the hour, or from when there is one. Raises
    ``Refused("group_unknown")``."""
    if group not in [each.id for each in places.current_criteria().subject_groups]:
        raise Refused("group_unknown")
    return attempts.join(turn.conn, _unit(view).id, view.joins_per_hour, guessing.who(turn), turn.now)


def _join(turn: Turn, unit: int, name: str, year: int, number: str, form: str, group: str, sealed: str) -> Next:
    conn = turn.conn
    person = people.join(
        conn,
        turn.chat.contact_id,
        unit_id=unit,
        name=name,
        birth_year=year,
        phone=number or None,
        form=form,
        subject_group=group,
        now=turn.now,
    )
    conversations.speak_as(conn, turn.chat.contact_id, person.id)
    audit.write(conn, f"person:{person.id}", "person.join", f"person:{person.id}", turn.now, unit)
    if sealed:
        idnumber.keep(turn, person.id, unit, identity.unsealed(sealed))
    code = people.new_resume_code(conn, person.id, turn.now)
    from dialogs import past_titles
    from dialogs.questions import Welcome

    row_unit = places.here(turn, unit)
    season = places.windows(turn, row_unit)
    onward = _somewhere(turn)
    if season.registration_open(places.today(turn)):
        given = places.current_criteria()
        row = assessments.register(conn, person, season.year, given.id, given.version, turn.now)
        onward = Welcome(row.id)
    done = Next(onward, _("join.done", name=name, resume=code), reread=True)
    return past_titles.after_joining(turn, person, done)


def _move(turn: Turn, unit_id: int) -> Next:
    conn, person = turn.conn, turn.person
    old = places.here(turn, person.unit_id)
    new = places.here(turn, unit_id)
    if new.valid_to is not None:
        raise Refused("unit_unknown", code=new.code)
    moved = assessments.move(conn, person, unit_id, turn.actor, turn.now)
    waiting = [row for row in moved if row.status == "submitted"]
    if waiting:
        notices.to_officers(conn, turn.now, old.id, "notice.moved_away", code=waiting[0].code, unit=new.name)
        notices.to_officers(conn, turn.now, new.id, "notice.moved_here", code=waiting[0].code, unit=old.name)
    return Next(_somewhere(turn), _("join.moved", unit=places.place(conn, new)), reread=True)
