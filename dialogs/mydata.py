"""/dulieu: what is stored about whoever speaks, as text, as a page and as JSON; correcting it; objecting; withdrawing
consent and erasure. Each is a request in the log (:mod:`storage.privacy`), acknowledged by the screen that follows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import criteria
from dialogs import answering, datapage, detours, idnumber, joining, notices, past_titles, places, reminding
from dialogs.answering import Seen
from dialogs.datapage import Part
from dialogs.home import Home
from dialogs.model import Act, Choice, Document, Pressed, Screen, Typed
from dialogs.states import Next, Turn, encode_state, state
from dialogs.text import BACK, NAME_LIMIT, phone
from locales import FORMS, _, day, moment, number, voice
from storage import assessments, audit, conversations, erasure, people, privacy, reminders, removed, suggestions, units
from storage.base import Refused
from storage.people import PersonRow
from storage.privacy import RequestRow

DECIDED = ("approved", "not_met")
FIELDS = ("name", "birth_year", "phone", "form", "subject_group")
MOST_LINES = 5_000
FILE = "du-lieu-cua-toi.json"


@state
class MyData:
    """What is stored about a citizen, in words."""

    way_back: str


@state
class Stranger:
    """Nobody has joined from this chat; an officer's chat may say so too."""

    way_back: str


@state
class Exported:
    """All of it as JSON: a file, or a page (from 0) of it where the channel sends none."""

    way_back: str
    page: int = 0


@state
class Correcting:
    """Another value for one of :data:`FIELDS`."""

    way_back: str
    field: str
    under_age: bool = False  # the year of birth last typed is one below the minimum age


@state
class AskGroup:
    """Another subject group, after this year's decision: for an officer to judge."""

    way_back: str


@state
class Objecting:
    """Object to how the data is used?"""

    way_back: str


@state
class AskErase:
    """What withdrawing consent means; the first of two questions."""

    way_back: str


@state
class ConfirmErase:
    """The second question."""

    way_back: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """An assessment in one line."""

    code: str
    year: int
    status: str
    answers: int
    evidence: int


@dataclass(frozen=True, slots=True)
class View:
    """What is stored."""

    person: PersonRow | None = None
    provisional: bool = True
    titles: tuple[str, ...] = ()  # of earlier years, a sentence each
    listed: str = ""  # the commune of which a list may hold the person, who has not been asked or put it off
    history_days: int = 0  # 0: the channel keeps no history with us
    officer: str = ""
    roles: tuple[str, ...] = ()
    unit: str = ""
    contact: str = ""
    group: str = ""
    min_age: int = 18
    year: int = 2026
    chats: int = 1
    consents: tuple[tuple[str, str, datetime, datetime | None], ...] = ()
    dossiers: tuple[Dossier, ...] = ()
    decided: bool = False
    resume_made: datetime | None = None
    requests: tuple[RequestRow, ...] = ()
    object_by: datetime | None = None
    id_number: str = ""  # shaded
    id_asked: bool = False
    unasked_since: datetime | None = None  # wants nothing unasked
    reminded: tuple[tuple[int, int, datetime], ...] = ()  # year, how often, last when
    document: str = ""
    readable: str = ""
    pages: tuple[str, ...] = ()


def open_data(turn: Turn, state: object, rest: str) -> Next:
    """/dulieu."""
    way_back = detours.from_here(state)
    if turn.chat.person is None:
        return Next(Stranger(way_back))
    _log(turn, "access")
    return Next(MyData(way_back))


def _log(turn: Turn, kind: str, about: str = "", *, done: bool = True) -> int:
    """A request of whoever speaks, acknowledged by this turn's screen and *done* with it; its number."""
    person = turn.person
    return privacy.ask(
        turn.conn,
        kind,
        actor=turn.actor,
        now=turn.now,
        person_id=person.id,
        contact_id=turn.chat.contact_id,
        unit_id=person.unit_id,
        about=about,
        done=done,
    )


# ------------------------------------------------------------------------------------------ reading


def load(turn: Turn, state: object) -> View:
    """Read what is stored. Raises ``Refused("assessment_gone")`` when the person has gone meanwhile."""
    person, officer = turn.chat.person, turn.officer
    known = View(
        provisional=turn.chat.provisional,
        history_days=turn.rules.history_days if turn.capabilities.history else 0,
        officer=officer.name if officer else "",
        roles=tuple(f"{role.role}:{role.unit_name}" for role in officer.roles) if officer else (),
    )
    if isinstance(state, Stranger):
        return known
    if person is None:
        raise Refused("assessment_gone")
    conn = turn.conn
    unit = places.unit_of(conn, person.unit_id)
    settings = units.settings(conn, unit)
    seen = [answering.as_citizen_sees(turn, row) for row in assessments.every_of_person(conn, person.id)]
    today = places.today(turn)
    view = replace(
        known,
        person=person,
        unit=places.place(conn, unit),
        contact=places.whom_to_ask(settings),
        group=_group_label(person.subject_group, settings.min_age),
        min_age=settings.min_age,
        year=today.year,
        chats=len(people.contacts_of(conn, person.id)),
        consents=tuple(people.consents_of(conn, person.id)),
        dossiers=tuple(
            Dossier(
                each.row.code,
                each.row.year,
                each.row.status,
                len(each.sheet.answers),
                sum(len(pieces) for pieces in each.sheet.evidence.values()),
            )
            for each in seen
        ),
        decided=any(each.row.year == today.year and each.row.status in DECIDED for each in seen),
        resume_made=people.resume_code_made(conn, person.id),
        titles=tuple(past_titles.lines(conn, person)),
        listed=past_titles.commune(conn, person) if past_titles.to_ask(turn, person) else "",
        requests=tuple(privacy.open_of(conn, person.id)),
        object_by=privacy.due_by("object", turn.now),
        id_number=idnumber.shown(turn),
        id_asked=idnumber.policy(turn, unit) != "no",
        unasked_since=reminders.stopped_since(conn, person.id),
        reminded=tuple(reminders.of_person(conn, person.id)),
    )
    if not isinstance(state, Exported):
        return view
    content = _as_json(turn, view, seen)
    if turn.capabilities.documents:
        return replace(view, document=content, readable=_as_page(turn, view, seen))
    # Room for the sentence above, the number of the page and the choices.
    size = turn.capabilities.text_limit * 3 // 4
    return replace(view, pages=tuple(content[start : start + size] for start in range(0, len(content), size)))


def _group_label(group: str, min_age: int) -> str:
    try:
        found = places.current_criteria().subject_group(group)
    except LookupError:  # joined under criteria that named other groups
        return group
    return criteria.label(found, min_age, voice().language)


def _as_json(turn: Turn, view: View, seen: list[Seen]) -> str:
    """Everything stored that is about the person, times in UTC; no code that opens anything."""
    conn, person = turn.conn, turn.person
    unit = places.unit_of(conn, person.unit_id)
    stored: dict[str, Any] = {
        "as_of": turn.now,
        "person": {
            **{name: getattr(person, name) for name in (*FIELDS, "joined_at")},
            "unit": {"code": units.display_code(unit), "name": view.unit},
            "id_number": view.id_number or None,
        },
        "consents": [
            {"version": version, "controller": controller, "given_at": given, "withdrawn_at": withdrawn}
            for version, controller, given, withdrawn in view.consents
        ],
        "resume_code": {"made_at": view.resume_made},
        "chats": [
            {"channel": each.account, "address": each.address, "this_one": each.contact_id == turn.chat.contact_id}
            for each in people.contacts_of(conn, person.id)
        ],
        "language": turn.chat.language,
        "reminders": {
            "stopped_since": view.unasked_since,
            "sent": [{"year": year, "times": times, "last_at": last} for year, times, last in view.reminded],
        },
        "requests": [
            {"number": each.id, "kind": each.kind, "about": each.about, "made_at": each.made_at, "due_by": each.due_by}
            for each in view.requests
        ],
        "assessments": [_assessment(turn, each) for each in seen],
        "titles": past_titles.facts(conn, person),
        "imported_lists": past_titles.lists(conn, person),
        "suggestions": [
            {"made_at": each.made_at, "text": each.text, "answer": each.answer, "answered_at": each.answered_at}
            for each in suggestions.own(conn, person.id, None, MOST_LINES)
        ],
    }
    if view.officer:
        stored["officer"] = {"name": view.officer, "roles": list(view.roles)}
    if turn.capabilities.history:
        lines = conversations.history(conn, turn.chat.account, turn.chat.address, most=MOST_LINES)
        stored["messages"] = [
            {"at": line.at, "direction": line.direction, **_said(json.loads(line.body))} for line in lines
        ]
    return json.dumps(stored, ensure_ascii=False, indent=2, default=_plain)


def _as_page(turn: Turn, view: View, seen: list[Seen]) -> str:
    """The same to read and print, times in Vietnam."""
    person = turn.person
    settings = units.settings(turn.conn, places.unit_of(turn.conn, person.unit_id))
    controller = places.controller(settings, places.unit_of(turn.conn, person.unit_id))
    return datapage.page(
        _("datapage.title"),
        _("datapage.lead", controller=controller, name=person.name, moment=moment(turn.now)),
        _parts(turn, view, seen),
        _("datapage.foot", contact=view.contact).strip(),
        voice().language,
    )


def _parts(turn: Turn, view: View, seen: list[Seen]) -> Iterator[Part]:
    conn, person, none = turn.conn, turn.person, _("datapage.none")
    made = _("datapage.resume_made", day=day(view.resume_made)) if view.resume_made else none
    yield Part(
        _("datapage.person"),
        [
            (_("datapage.name"), person.name),
            (_("datapage.birth_year"), str(person.birth_year)),
            (_("datapage.phone"), person.phone or none),
            *([(_("datapage.id_number"), view.id_number)] if view.id_number else []),
            (_("datapage.form"), _(f"form.{person.form}")),
            (_("datapage.subject_group"), view.group),
            (_("datapage.unit"), view.unit),
            (_("datapage.joined_at"), moment(person.joined_at)),
            (_("datapage.language"), _(f"datapage.language.{turn.chat.language}")),
            (_("datapage.resume"), made),
        ],
    )
    yield Part(_("datapage.consents"), [_consent_row(*each) for each in view.consents], none)
    chats = [
        (f"{each.account}: {each.address}", _("datapage.this_chat" if here else "datapage.other_chat"))
        for each in people.contacts_of(conn, person.id)
        for here in [each.contact_id == turn.chat.contact_id]
    ]
    yield Part(_("datapage.chats"), chats, none)
    yield Part(_("datapage.reminders"), [(each, "") for each in _reminder_lines(view)], none)
    yield Part(_("datapage.requests"), [(str(each.id), _open_request(each)) for each in view.requests], none)
    for each in seen:
        yield _dossier_part(turn, each)
    if said := suggestions.own(conn, person.id, None, MOST_LINES):
        yield Part(_("datapage.suggestions"), [(day(each.made_at), _suggested(each)) for each in said])
    if titles := past_titles.lines(conn, person):
        yield Part(_("mydata.past"), [("", line) for line in titles])
    if view.officer:
        roles = [_(f"home.role.{kind}", unit=unit) for kind, _sep, unit in (role.partition(":") for role in view.roles)]
        yield Part(_("datapage.officer"), [(view.officer, "\n".join(roles))])
    if turn.capabilities.history:
        yield Part(_("datapage.messages"), list(_lines(turn)), none)


def _suggested(each: suggestions.SuggestionRow) -> str:
    return f"{each.text}\n{_('suggest.answer', text=each.answer) if each.answer else _('suggest.waits')}"


CHAT_KEYS = ("datapage.this_chat", "datapage.other_chat", "datapage.consent", "datapage.consent_id")


def _consent_row(version: str, controller: str, given: datetime, withdrawn: datetime | None) -> tuple[str, str]:
    key = "datapage.consent_id" if version.endswith(people.ID_NUMBER) else "datapage.consent"
    what = _("datapage.consent_what", version=version, controller=controller)
    if withdrawn is not None:
        what = f"{what}\n{_('datapage.consent_withdrawn', moment=moment(withdrawn))}"
    return _(key, day=day(given)), what


def _dossier_part(turn: Turn, seen: Seen) -> Part:
    row, sheet, review = seen.row, seen.sheet, seen.review
    rows = [
        (_("datapage.status"), _(f"status.{row.status}")),
        (_("datapage.unit"), places.place(turn.conn, places.unit_of(turn.conn, row.unit_id))),
        (_("datapage.subject_group"), _group_label(row.subject_group, 18)),
        (_("datapage.registered_at"), moment(row.registered_at)),
    ]
    if row.submitted_at:
        rows.append((_("datapage.submitted_at"), moment(row.submitted_at)))
    if row.decided_at:
        rows.append((_("datapage.decided_at"), moment(row.decided_at)))
    if review is not None:
        decision = _(f"decision.{review.decision}")
        said = _("datapage.decision_by", decision=decision, total=number(review.total), officer=review.officer_name)
        rows.append((_("datapage.decision"), said))
        if review.reason:
            rows.append((_("datapage.reason"), review.reason))
    gone = {each.indicator: each for each in removed.of(turn.conn, row.id)}
    for n, indicator in enumerate(sheet.criteria.indicators, 1):
        lines = []
        answer = sheet.answers.get(indicator.id)
        if answer is not None:
            lines.append(answering.option_text(indicator, answer.level))
            if answer.officer_level:
                level = answering.level_name(sheet.criteria, answer.officer_level)
                lines.append(_("datapage.officer_level", level=level, reason=answer.officer_reason))
            if answer.return_reason:
                lines.append(_("datapage.returned", reason=answer.return_reason))
        pieces = sheet.evidence.get(indicator.id, ())
        if pieces:
            lines.append(answering.count_line(pieces))
            lines.extend(piece.text for piece in pieces if piece.text)
        if indicator.id in gone:
            lines.append(_removed_line(gone[indicator.id]))
        if lines:
            title = indicator.short.to(voice().language)
            rows.append((_("datapage.answer", n=n, title=title), "\n".join(lines)))
    if any(piece.key for pieces in sheet.evidence.values() for piece in pieces):
        rows.append(("", _("datapage.pictures_here")))
    return Part(_("datapage.dossier", code=row.code, year=row.year), rows)


def _removed_line(each: removed.Removed) -> str:
    why = _(f"mydata.removed.{each.why}")
    return _("mydata.picture_removed", n=number(each.pictures), why=why, day=day(each.at))


def _lines(turn: Turn) -> Iterator[tuple[str, str]]:
    """What was said on a page that keeps it; of files only the names, of pictures how many."""
    for line in conversations.history(turn.conn, turn.chat.account, turn.chat.address, most=MOST_LINES):
        said = _said(json.loads(line.body))
        texts = [str(said[name]) for name in ("note", "title", "text") if name in said]
        texts.extend(said.get("documents", ()))
        if said.get("pictures"):
            texts.append(_("evidence.pictures", n=number(len(said["pictures"]))))
        yield _(f"datapage.said.{line.direction}", moment=moment(line.at)), "\n".join(texts)


def _open_request(request: RequestRow) -> str:
    kind = _(f"privacy.kind.{request.kind}")
    return _("mydata.open_request", number=request.id, kind=kind, day=day(request.due_by))


def _said(body: dict[str, Any]) -> dict[str, Any]:
    """What a line of history said; a file sent before (this one, of an earlier day) is only named."""
    said: dict[str, Any] = {name: body[name] for name in ("note", "title", "text", "pictures") if body.get(name)}
    if "documents" in body:
        said["documents"] = [name for name, *_file in body["documents"]]
    return said


def _assessment(turn: Turn, seen: Seen) -> dict[str, Any]:
    row, sheet, review = seen.row, seen.sheet, seen.review
    facts = asdict(row)
    del facts["id"], facts["person_id"], facts["unit_id"]
    return {
        **facts,
        "unit": places.place(turn.conn, places.unit_of(turn.conn, row.unit_id)),
        "answers": [
            {
                **(asdict(sheet.answers[id]) if id in sheet.answers else {"indicator": id}),
                "evidence": [
                    {
                        "kind": piece.kind,
                        "picture": piece.key,
                        "text": piece.text,
                        "status": piece.status,
                        "at": piece.at,
                    }
                    for piece in sheet.evidence.get(id, ())
                ],
            }
            for id in sorted({*sheet.answers, *sheet.evidence})
        ],
        "pictures_removed": [asdict(each) for each in removed.of(turn.conn, row.id)],
        "review": None
        if review is None
        else {
            "decision": review.decision,
            "reason": review.reason,
            "total": review.total,
            "officer": review.officer_name,
            "at": review.at,
        },
    }


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")


# ------------------------------------------------------------------------------------------ showing


def show(state: object, view: View) -> Screen:
    """One thing a screen."""
    match state:
        case Stranger():
            return _show_stranger(view)
        case MyData():
            return _show_data(view)
        case Exported(_, page):
            return _show_export(view, page)
        case Correcting(_, field, under_age):
            return _show_correcting(view, field, under_age)
        case AskGroup():
            question = _("mydata.ask_group", value=view.group)
            return Screen(question, (*joining.group_choices(view.min_age), _back()), title=_("mydata.title"))
        case Objecting():
            assert view.object_by is not None
            return Screen(
                _("mydata.object_sure", day=day(view.object_by)),
                (Choice("object_yes", _("mydata.object_yes")), Choice(BACK, _("mydata.keep"), "main")),
                title=_("mydata.object_title"),
            )
        case AskErase():
            parts = [_("mydata.erase_text"), _("mydata.erase_officer") if view.officer else "", _("mydata.erase_stays")]
            return Screen(
                "\n\n".join(part for part in parts if part),
                (Choice("erase", _("mydata.erase_go_on"), "danger"), Choice(BACK, _("mydata.keep"), "main")),
                title=_("mydata.erase_title"),
            )
        case ConfirmErase():
            # "Keep" stands first: who types 1 twice without reading has erased nothing.
            return Screen(
                _("mydata.erase_sure"),
                (Choice("keep", _("mydata.keep"), "main"), Choice("erase_all", _("mydata.erase_yes"), "danger")),
                title=_("mydata.erase_title"),
            )
    raise AssertionError(state)


def _back() -> Choice:
    return Choice(BACK, _("choice.back"), "quiet")


def _officer_lines(view: View) -> str:
    return "\n".join((
        _("mydata.officer", name=view.officer),
        *(_(f"home.role.{kind}", unit=unit) for kind, _sep, unit in (role.partition(":") for role in view.roles)),
    ))  # fmt: skip


def _show_stranger(view: View) -> Screen:
    if view.officer:
        parts = [_officer_lines(view), _("mydata.officer_only")]
        return Screen("\n\n".join(parts), (_back(),), title=_("mydata.title"))
    parts = [_("mydata.stranger") if view.provisional else _("mydata.stranger_consented")]
    if view.history_days:
        parts.append(_("mydata.stranger_history"))
    return Screen(
        "\n\n".join(parts), (Choice("forget", _("mydata.forget"), "danger"), _back()), title=_("mydata.title")
    )


def _show_data(view: View) -> Screen:
    person = view.person
    assert person is not None
    facts = [
        _("mydata.is.name", value=person.name),
        _("mydata.is.birth_year", value=person.birth_year),
        _("mydata.is.phone", value=person.phone or _("mydata.none")),
        *([_("mydata.is.id_number", value=view.id_number or _("mydata.none"))] if _has_id_number(view) else []),
        _("mydata.is.form", value=_(f"form.{person.form}")),
        _("mydata.is.subject_group", value=view.group),
        _("mydata.is.unit", value=view.unit),
    ]
    consents = [
        _(
            "mydata.consent_id" if version.endswith(people.ID_NUMBER) else "mydata.consent",
            day=day(given),
            version=version,
            controller=controller,
        )
        for version, controller, given, withdrawn in view.consents
        if withdrawn is None  # those taken back stand in the file
    ]
    dossiers = [
        _(
            "mydata.dossier",
            code=each.code,
            year=each.year,
            status=_(f"status.{each.status}"),
            answers=number(each.answers),
            evidence=number(each.evidence),
        )
        for each in view.dossiers
    ] or [_("mydata.no_dossier")]
    rest = [_("mydata.resume", day=day(view.resume_made)) if view.resume_made else _("mydata.no_resume")]
    rest.append(_("mydata.chats", n=number(view.chats)))
    if view.history_days:
        rest.append(_("mydata.history", days=number(view.history_days)))
    rest.extend(_reminder_lines(view))
    rest.extend(_open_request(each) for each in view.requests)
    past = [*view.titles, *([_("past.may", place=view.listed)] if view.listed else [])]
    parts = ["\n".join(facts), "\n".join((*consents, *dossiers, *past)), "\n".join(rest)]
    if view.officer:
        parts.append(_officer_lines(view))
    parts.extend(part for part in (view.contact, _("mydata.what_now")) if part)
    fields = [field for field in FIELDS if field != "subject_group" or not view.decided]
    choices = [Choice(f"correct:{field}", _(f"mydata.correct.{field}")) for field in fields]
    if _has_id_number(view):
        label = _("mydata.correct.id_number") if view.id_number else _("mydata.give.id_number")
        choices.append(Choice("id_number", label))
    if view.decided:
        choices.append(Choice("ask_group", _("mydata.ask.subject_group")))
    if view.listed:
        choices.append(Choice("listed", _("past.open")))
    choices.append(Choice("export", _("mydata.export")))
    if view.unasked_since is None:
        choices.append(Choice("stop_reminders", _("reminder.stop"), "quiet"))
    else:
        choices.append(Choice("allow_reminders", _("mydata.allow")))
    choices.append(Choice("object", _("mydata.object"), "quiet"))
    choices.append(Choice("ask_erase", _("mydata.erase"), "quiet"))
    return Screen("\n\n".join(parts), (*choices, _back()), title=_("mydata.title"))


def _reminder_lines(view: View) -> list[str]:
    lines = [_("mydata.unasked", day=day(view.unasked_since))] if view.unasked_since else []
    lines.extend(_("mydata.reminded", n=number(times), year=year, day=day(last)) for year, times, last in view.reminded)
    return lines


def _has_id_number(view: View) -> bool:
    """Is one kept, or asked for?"""
    return view.id_asked or bool(view.id_number)


def _show_export(view: View, page: int) -> Screen:
    if view.document:
        return Screen(
            _("mydata.file", file=FILE, page=datapage.NAME),
            (_back(),),
            title=_("mydata.title"),
            documents=(
                Document(datapage.NAME, datapage.MEDIA_TYPE, view.readable),
                Document(FILE, "application/json", view.document),
            ),
        )
    page = min(page, len(view.pages) - 1)
    choices = [Choice("more", _("mydata.more"), "main")] if page + 1 < len(view.pages) else []
    head = _("mydata.page", page=page + 1, pages=len(view.pages))
    return Screen(f"{head}\n\n{view.pages[page]}", (*choices, _back()), title=_("mydata.title"))


def _show_correcting(view: View, field: str, under_age: bool) -> Screen:
    person = view.person
    assert person is not None
    match field:
        case "name":
            return _asking(_("join.name"), person.name, (), "name")
        case "birth_year":
            leaving = (Choice("ask_erase", _("mydata.erase")),) if under_age else ()
            return _asking(_("join.year"), str(person.birth_year), leaving, "year")
        case "phone":
            none = (Choice("no_phone", _("join.no_phone")),)
            return _asking(_("join.phone"), person.phone or _("mydata.none"), none, "tel")
        case "form":
            forms = tuple(Choice(form, _(f"join.form.{form}")) for form in FORMS)
            return _asking(_("join.form"), _(f"form.{person.form}"), forms, "none")
        case "subject_group":
            return _asking(_("join.group"), view.group, tuple(joining.group_choices(view.min_age)), "none")
    raise AssertionError(field)


def _asking(question: str, present: str, choices: tuple[Choice, ...], keyboard: str) -> Screen:
    return Screen(
        "\n\n".join((_("mydata.present", value=present), question)),
        (*choices, _back()),
        title=_("mydata.title"),
        input=keyboard,
    )


# ------------------------------------------------------------------------------------------ taking


def take(turn: Turn, state: object, view: View, act: Act) -> Next:
    """Corrections and erasure; the rest leads on."""
    match state, act:
        case (Stranger(), Pressed("forget")) if not view.officer:
            if not view.provisional:  # of whoever has consented something is kept
                privacy.ask(turn.conn, "delete", actor=turn.actor, now=turn.now, done=True)
            erasure.forget_contact(turn.conn, turn.chat.contact_id, turn.now)
            return Next(state, farewell=_farewell())
        case ((Stranger(way_back) | MyData(way_back)), Pressed("back")):
            return detours.back(way_back)
        case (MyData(way_back), Pressed("export")):
            _log(turn, "export")
            return Next(Exported(way_back))
        case (MyData(), Pressed("stop_reminders")):
            return reminding.stop(turn, state)
        case (MyData(), Pressed("allow_reminders")):
            return reminding.allow(turn, state)
        case (MyData(way_back), Pressed("object")):
            return Next(Objecting(way_back))
        case (Objecting(way_back), Pressed("object_yes")):
            return _ask_officers(turn, MyData(way_back), "object")
        case (MyData(way_back), Pressed("ask_group")):
            return Next(AskGroup(way_back))
        case (AskGroup(way_back), Pressed(group)) if group != BACK:
            return _ask_group(turn, MyData(way_back), group)
        case (MyData(way_back), Pressed("id_number")):
            return Next(idnumber.Stating(way_back))
        case (MyData(), Pressed("listed")):
            return Next(past_titles.Asked(encode_state(state)))
        case (MyData(way_back), Pressed("ask_erase")):
            return Next(AskErase(way_back))
        case (MyData(way_back), Pressed(choice)) if choice.startswith("correct:"):
            return Next(Correcting(way_back, choice.removeprefix("correct:")))
        case (Exported(way_back, page), Pressed("more")):
            return Next(Exported(way_back, page + 1))
        case (AskErase(way_back), Pressed("erase")):
            return Next(ConfirmErase(way_back))
        case (ConfirmErase(), Pressed("erase_all")):
            return _erase(turn)
        case (
            (
                Exported(way_back)
                | AskGroup(way_back)
                | Objecting(way_back)
                | AskErase(way_back)
                | ConfirmErase(way_back)
                | Correcting(way_back)
            ),
            Pressed(choice),
        ) if choice in (BACK, "keep"):
            return Next(MyData(way_back))
        case (Correcting(way_back, under_age=True), Pressed("ask_erase")):
            return Next(AskErase(way_back))
        case (Correcting(way_back, field), (Pressed(value) | Typed(value))):
            return _correct(turn, state, view, MyData(way_back), field, value)
    return Next(state, _("turn.help.text"))


def _correct(turn: Turn, state: Correcting, view: View, after: MyData, field: str, value: str) -> Next:
    person = turn.person
    new: str | int | None
    match field:
        case "name":
            new = joining.checked_name(value)
            if new is None:
                return Next(state, _("join.name_wrong", most=NAME_LIMIT))
        case "birth_year":
            new = joining.checked_year(value, view.year)
            if new is None:
                return Next(state, _("join.year_wrong"))
            if view.year - new < view.min_age:
                sentence = _("join.too_young", age=view.min_age, contact=view.contact).strip()
                return Next(replace(state, under_age=True), f"{sentence}\n\n{_('mydata.under_age')}")
        case "phone":
            new = None if value == "no_phone" else phone(value)
            if new is None and value != "no_phone":
                return Next(state, _("join.phone_wrong"))
        case "form" if value in FORMS:
            new = value
        case "subject_group":
            return _regroup(turn, after, value)
        case _:
            return Next(state, _("turn.help.text"))
    if new != getattr(person, field):
        people.correct(turn.conn, person.id, field, new)
        subject = f"person:{person.id}"
        audit.write(turn.conn, turn.actor, "person.correct", subject, turn.now, person.unit_id, field=field)
        _log(turn, "correct", field)
    return Next(after, _("mydata.corrected"), reread=True)


def _regroup(turn: Turn, after: MyData, group: str) -> Next:
    """Another subject group: counts hang on it, so not after this year's decision. Raises ``Refused``:
    ``group_unknown``, ``assessment_closed``, ``being_reviewed`` while the decision may still be undone."""
    person = turn.person
    row = assessments.of_person(turn.conn, person.id, places.today(turn).year)
    if row is not None and row.status in DECIDED:
        if answering.visible(turn, row) != row:  # decided a moment ago, which the citizen is not to learn from this
            raise Refused("being_reviewed")
        raise Refused("assessment_closed", status=row.status)
    if group not in [each.id for each in places.current_criteria().subject_groups]:
        raise Refused("group_unknown")
    if group != person.subject_group:
        assessments.regroup(turn.conn, person, group, turn.actor, turn.now)
        _log(turn, "correct", "subject_group")
    return Next(after, _("mydata.corrected"), reread=True)


def _ask_group(turn: Turn, after: MyData, group: str) -> Next:
    """Ask the officers for another group. Raises ``Refused("group_unknown")``."""
    if group not in [each.id for each in places.current_criteria().subject_groups]:
        raise Refused("group_unknown")
    if group == turn.person.subject_group:
        return Next(after, _("mydata.same_group"))
    return _ask_officers(turn, after, "correct", f"{privacy.GROUP}{group}")


def _ask_officers(turn: Turn, after: MyData, kind: str, about: str = "") -> Next:
    """A request that somebody must judge: logged as open, the officers of the unit told; the same one only once."""
    conn, person = turn.conn, turn.person
    for earlier in privacy.open_of(conn, person.id):
        if (earlier.kind, earlier.about) == (kind, about):
            return Next(after, _("mydata.asked_before", number=earlier.id, day=day(earlier.due_by)))
    request = _log(turn, kind, about, done=False)
    newest = assessments.every_of_person(conn, person.id)[-1:]
    due = day(privacy.due_by(kind, turn.now))
    key, code = f"notice.privacy_{kind}", {"code": newest[0].code} if newest else {}
    notices.to_officers(
        conn, turn.now, person.unit_id, key if newest else f"{key}_none", **code, number=request, day=due
    )
    return Next(after, _("mydata.asked", number=request, day=due))


KEYS = (
    "notice.privacy_correct",
    "notice.privacy_object",
    "notice.privacy_correct_none",
    "notice.privacy_object_none",
)


def _erase(turn: Turn) -> Next:
    """Consent is withdrawn and the person erased, on every chat of theirs; an officer's chat stays an officer's.

    Nothing of a person is kept by duty, so it is done at once; the log of requests forgets whose they were.
    """
    conn, person = turn.conn, turn.person
    _log(turn, "withdraw")
    _log(turn, "delete")
    audit.write(conn, turn.actor, "consent.withdraw", f"person:{person.id}", turn.now, person.unit_id)
    erasure.erase_person(conn, person, turn.actor, turn.now, speaking=turn.chat.contact_id)
    if conversations.open_chat(conn, turn.chat.account, turn.chat.address) is None:
        return Next(Home(), farewell=_farewell())
    return Next(Home(), _("mydata.erased_stays"), reread=True)


def _farewell() -> Screen:
    return Screen(_("mydata.erased"), title=_("join.refused_title"), language=voice().language)
