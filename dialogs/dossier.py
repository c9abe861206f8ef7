"""One dossier (hồ sơ) as an officer reads it: a card, then each question with its evidence, confirmations, levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import criteria
from criteria import Indicator
from dialogs import answering, past_titles, places, waiting
from dialogs.answering import Sheet
from dialogs.model import Act, Choice, Picture, Pressed, Screen, Typed
from dialogs.past_titles import Maybe
from dialogs.states import Next, Turn, state
from dialogs.text import BACK, clean
from locales import Voice, _, clock, day, moment, number, speaking, voice
from storage import assessments, conversations, evidence, identity, idnumbers, officers, people, removed, reviews, units
from storage.assessments import AnswerRow, AssessmentRow
from storage.base import Refused
from storage.evidence import EvidenceRow, Seen
from storage.gazetteer import fold
from storage.people import PersonRow
from storage.removed import Removed

DECIDED = ("approved", "not_met")
LEVEL_REASONS = ("evidence", "unrelated", "checked")
SHORTEST_REASON = 4  # characters
_BESIDE = 700  # characters of a screen kept free for title, note and numbered choices

FLEETING = True  # names, answers and evidence of citizens


@state
class OnDossier:
    """A dossier is on the screen: as it was at *version*, with the questions *marked* to be returned.

    Whoever decided, withdrew or handed in again made another version: what was seen is never decided as something else.
    """

    assessment: int
    version: int
    marked: tuple[str, ...] = ()


@state
class Dossier(OnDossier):
    """The card, or one question (*part*: of a long one, counted from 0)."""

    indicator: str = ""
    part: int = 0


@state
class Choosing(OnDossier):
    """Which question to open. *decided*: the dossier is for reading only."""

    decided: bool = False


@state
class Levelling(OnDossier):
    """Which other level."""

    indicator: str = ""


@state
class LevelReason(OnDossier):
    """Why another level."""

    indicator: str = ""
    level: str = ""


@state
class Reading(OnDossier):
    """A decided dossier, to be read only."""

    indicator: str = ""
    part: int = 0


_On = TypeVar("_On", bound=OnDossier)


def at(given: OnDossier, to: type[_On], **fields: Any) -> _On:
    """Another state of the same dossier."""
    return to(given.assessment, given.version, given.marked, **fields)


@dataclass(frozen=True, slots=True)
class Opened:
    """A dossier that this officer may read, and decide unless it has been *decided*.

    *own_total* is the total by the citizen's own levels.
    """

    sheet: Sheet
    person: PersonRow
    group: str
    unit: str
    own_total: int
    changed: frozenset[str]
    returned: dict[str, str]  # reasons of the last return, also of questions mended since
    removed: tuple[Removed, ...]  # pictures that were there once
    seen: tuple[Seen, ...]  # pictures that another person's dossier holds, too
    decided: str  # who decided what and when: the dossier is for reading only; "" while it waits
    room: int  # characters of text that a screen should not exceed
    namesake: bool = False  # the citizen bears the officer's own name
    id_number: str = ""  # shaded
    doubled: bool = False  # somebody else has stated the same id number
    reviewer: bool = True  # else a supervisor, who marks no identity cards
    earlier: str = ""  # titles of earlier years
    listed: Maybe | None = None  # somebody of an imported list who may be the citizen

    @property
    def reading(self) -> bool:
        """Is there nothing left to decide?"""
        return bool(self.decided)


@dataclass(frozen=True, slots=True)
class Closed:
    """A dossier on which there is nothing (more) to do here, and why.

    *undo* is the officer's own decision while it may be undone, else 0.
    """

    text: str
    again: bool = False
    readable: bool = False
    undo: int = 0


# ------------------------------------------------------------------------------------------ ways in


def open_row(turn: Turn, row: AssessmentRow) -> Next:
    """Open a dossier: checked and, where something is shown, written down. Raises ``Refused("out_of_scope")``."""
    officer = waiting.officer_of(turn)
    reviews.may_see(turn.conn, officer, row)
    if row.status == "submitted" and not officers.is_own(turn.conn, officer.id, row.person_id):
        reviews.opened(turn.conn, officer, row, turn.now)
    return Next(Dossier(row.id, row.version))


def open_next(turn: Turn, row: AssessmentRow | None, note: str = "") -> Next:
    """Open the dossier after this one; the (empty) queue when there is none."""
    from dialogs.review import Queue

    following = waiting.next_after(turn, row)
    if following is None:
        return Next(Queue(), note)
    return replace(open_row(turn, following), note=note)


# ------------------------------------------------------------------------------------------ reading


def load(turn: Turn, state: OnDossier) -> Opened | Closed:
    """Read the dossier as it is now."""
    return read(turn, state)


def read(turn: Turn, state: OnDossier) -> Opened | Closed:
    """The dossier, or why it is closed to this officer. Raises ``Refused("officer_signed_out")``."""
    conn, officer = turn.conn, waiting.officer_of(turn)
    row = assessments.by_id(conn, state.assessment)
    person = people.person(conn, row.person_id) if row is not None else None
    if row is None or person is None:
        return Closed(_("review.closed.erased"))
    try:
        reviews.may_see(conn, officer, row)
    except Refused:
        return Closed(_("review.closed.moved", code=row.code))
    if officers.is_own(conn, officer.id, row.person_id):
        return Closed(_("review.closed.own", code=row.code))
    reading = (isinstance(state, Reading) or getattr(state, "decided", False)) and row.status in DECIDED
    if row.status != "submitted" and not reading:
        return _closed(turn, officer.id, row)
    if row.version != state.version:
        return Closed(_("review.closed.changed", code=row.code), again=True)
    sheet = answering.read(conn, row)
    unit = places.unit_of(conn, row.unit_id)
    group = sheet.criteria.subject_group(row.subject_group)
    last = reviews.last_return(conn, row.id)
    returned = reviews.returned_in(conn, last.id) if last else {}
    return Opened(
        sheet,
        person,
        criteria.short_label(group, units.settings(conn, unit).min_age, voice().language),
        unit.name,
        criteria.score(
            sheet.criteria, {id: replace(each, officer_level=None) for id, each in sheet.given.items()}
        ).total,
        # Only what was returned could be changed; after a withdrawal and a new start all would count otherwise.
        frozenset(assessments.changed_since(conn, row.id, last.at)) & returned.keys() if last else frozenset(),
        returned,
        tuple(removed.of(conn, row.id)),
        tuple(evidence.seen_elsewhere(conn, row.id)),
        _closed(turn, officer.id, row).text if reading else "",
        turn.capabilities.text_limit - _BESIDE,
        fold(person.name) == fold(officer.name),
        idnumbers.shaded(last4) if (last4 := identity.last4(conn, person.id)) else "",
        identity.doubled(conn, person.id),
        officers.covers(officer, unit.path, ("reviewer",)),
        past_titles.held(conn, person),
        next(iter(past_titles.every(conn, person, past_titles.keys(turn))), None),
    )


def _closed(turn: Turn, officer_id: int, row: AssessmentRow) -> Closed:
    """Who decided what and when; or that the citizen took it back."""
    if row.status not in (*DECIDED, "returned"):
        return Closed(_(f"review.closed.{row.status}", code=row.code))
    review = reviews.last(turn.conn, row.id)
    assert review is not None
    facts = {"code": row.code, "officer": review.officer_name, "decision": _(f"decision.{review.decision}")}
    if review.officer_id == officer_id:
        text = _("review.closed.mine", at=moment(review.at), **facts)
    elif day(review.at) == day(turn.now):
        text = _("review.closed.just_decided", at=clock(review.at), **facts)
    else:
        text = _("review.closed.decided", at=moment(review.at), **facts)
    undoable = review.officer_id == officer_id and turn.now < review.undo_until
    return Closed(text, readable=row.status in DECIDED, undo=review.id if undoable else 0)


def open_confirmations(sheet: Sheet) -> tuple[str, ...]:
    """The questions whose confirmation the citizen asked for and nobody has settled."""
    return tuple(
        each.id
        for each in sheet.criteria.indicators
        if (given := sheet.given.get(each.id)) is not None and given.confirmation == "asked"
    )


def unproved(sheet: Sheet) -> tuple[str, ...]:
    """The questions whose level in force must be proved and is not (any more: a confirmation was declined)."""
    return tuple(
        id for id in sheet.missing if criteria.needs_evidence(sheet.criteria.indicator(id), sheet.given[id].counts)
    )


def numbers(sheet: Sheet, indicators: tuple[str, ...]) -> str:
    """``3, 7``."""
    return ", ".join(number(answering.position(sheet.criteria, id)) for id in indicators)


def short(sheet: Sheet, indicator: str) -> str:
    """The indicator's short name."""
    return sheet.criteria.indicator(indicator).short.to(voice().language)


def why_not(sheet: Sheet) -> str:
    """What is wanting for the title, or nothing."""
    parts = []
    for each in sheet.score.obstacles:
        if each.indicator is None:
            parts.append(_("review.short_of", missing=number(each.needs)))
    low = tuple(each.indicator for each in sheet.score.obstacles if each.indicator is not None)
    if low:
        least = number(sheet.criteria.thresholds.min_per_indicator)
        parts.append(_("review.below", questions=numbers(sheet, low), least=least))
    return "; ".join(parts)


# ------------------------------------------------------------------------------------------ showing


def show(state: OnDossier, view: Opened | Closed) -> Screen:
    """The card, one question, or what is asked about it."""
    if isinstance(view, Closed):
        return show_closed(view)
    match state:
        case Choosing():
            choices = [
                Choice(
                    f"ask:{each.id}",
                    _(
                        "review.question",
                        n=answering.position(view.sheet.criteria, each.id),
                        title=short(view.sheet, each.id),
                    ),
                )
                for each in view.sheet.criteria.indicators
            ]
            return Screen(_("review.choose"), (*choices, to_card()), title=card_title(view))
        case Levelling():
            return _show_levelling(view, view.sheet.criteria.indicator(state.indicator))
        case LevelReason():
            return _show_level_reason(view, view.sheet.criteria.indicator(state.indicator), state.level)
        case Dossier(indicator="") | Reading(indicator=""):
            return _show_card(state, view)
        case Dossier() | Reading():
            return _show_question(state, view, view.sheet.criteria.indicator(state.indicator))
    raise AssertionError(state)


def show_closed(view: Closed) -> Screen:
    """Why there is nothing to do here, and the next dossier."""
    choices = [Choice("again", _("review.open_again"), "main")] if view.again else []
    choices.append(Choice("following", _("review.next"), "plain" if view.again else "main"))
    if view.readable:
        choices.append(Choice("look", _("review.look"), "quiet"))
    if view.undo:
        choices.append(Choice("undo", _("review.undo_now"), "quiet"))
    return Screen(view.text, (*choices, Choice(BACK, _("review.queue.back"), "quiet")))


def to_card() -> Choice:
    """Back to the card."""
    return Choice(BACK, _("review.to_card"), "quiet")


def card_title(view: Opened) -> str:
    """``Hồ sơ HS-2026-7K3QD``."""
    return _("review.title", code=view.sheet.row.code)


def who(view: Opened) -> str:
    """Whose dossier it is, in a few short lines."""
    row, person = view.sheet.row, view.person
    assert row.submitted_at is not None
    lines = [
        _("review.who", name=person.name, year=person.birth_year),
        _("review.of", group=view.group, unit=view.unit),
        _("review.handed_in", at=moment(row.submitted_at)),
    ]
    if person.phone:
        lines.insert(2, _("review.phone", phone=person.phone))
    if view.id_number:
        lines.append(_("review.id_number", number=view.id_number))
    if view.doubled:
        lines.append(_("review.id_number_doubled"))
    lines.extend(each for each in (view.earlier, view.listed.line if view.listed else "") if each)
    if view.namesake and not view.reading:
        lines.append(_("review.namesake"))
    return "\n".join(lines)


def result(view: Opened) -> str:
    """The total by the citizen and by the officer, and whether it passes or why not."""
    score = view.sheet.score
    totals = {"total": number(score.total), "of": number(view.sheet.criteria.max_total)}
    if any(each.officer_level for each in view.sheet.answers.values()):
        line = _("review.total_both", own=number(view.own_total), **totals)
    else:
        line = _("review.total", **totals)
    verdict = _("review.passes") if score.passes else _("review.not_passing", why=why_not(view.sheet))
    lines = [line, verdict]
    sheet = view.sheet
    if open_confirmations(sheet):
        lines.append(_("review.unconfirmed", questions=numbers(sheet, open_confirmations(sheet))))
    if unproved(sheet) and not view.reading:
        lines.append(_("review.unproved", questions=numbers(sheet, unproved(sheet))))
    lines.extend(_seen_lines(view))
    return "\n".join(lines)


def _seen_lines(view: Opened) -> list[str]:
    """Which questions have a picture that another person's dossier holds, too; of whom is not told."""
    lines, same = [], tuple(dict.fromkeys(each.indicator for each in view.seen if each.same))
    alike = tuple(dict.fromkeys(each.indicator for each in view.seen if each.indicator not in same))
    if same:
        lines.append(_("review.seen.same", questions=numbers(view.sheet, same)))
    if alike:
        lines.append(_("review.seen.alike", questions=numbers(view.sheet, alike)))
    return lines


def list_of_ten(view: Opened, marked: tuple[str, ...] = ()) -> str:
    """One line a question: level, points, evidence, what changed since the last return."""
    sheet = view.sheet
    lines = []
    for n, indicator in enumerate(sheet.criteria.indicators, 1):
        answer = sheet.answers[indicator.id]
        what = answering.count_line(sheet.evidence.get(indicator.id, ()))
        line = _(
            "overview.line_evidence" if what else "overview.line",
            n=n,
            title=indicator.short.to(voice().language),
            level=_level_names(sheet, answer),
            points=number(sheet.score.per_indicator[indicator.id]),
            what=what,
        )
        if indicator.id in view.changed:
            line = _("review.line_changed", line=line)
        if indicator.id in marked:
            line = _("review.line_marked", line=line)
        lines.append(line)
    return "\n".join(lines)


LINE_KEYS = ("overview.line_evidence", "overview.line")


def _level_names(sheet: Sheet, answer: AnswerRow) -> str:
    own = answering.level_name(sheet.criteria, answer.level)
    if answer.officer_level is None:
        return own
    return _("review.levels", own=own, officer=answering.level_name(sheet.criteria, answer.officer_level))


def _show_card(state: OnDossier, view: Opened) -> Screen:
    from dialogs import listed_person

    sheet = view.sheet
    parts = (view.decided, who(view), list_of_ten(view, state.marked), result(view))
    text = "\n\n".join(part for part in parts if part)
    choices = [Choice("read", _("review.read"), "main")]
    if not view.reading:
        attention = [
            id
            for id in (each.id for each in sheet.criteria.indicators)
            if id in view.changed or id in open_confirmations(sheet)
        ]
        choices.extend(
            Choice(f"ask:{id}", _("review.see", n=answering.position(sheet.criteria, id))) for id in attention[:3]
        )
        choices.append(Choice("approve", _("review.approve")))
        choices.append(Choice("not_met", _("review.not_met")))
        choices.append(Choice("return", _("review.return")))
    if (compare := listed_person.choice(view)) is not None:
        choices.append(compare)
    choices.append(Choice("choose", _("review.choose_question"), "quiet"))
    choices.append(Choice("following", _("review.next"), "quiet"))
    choices.append(Choice(BACK, _("review.queue.back"), "quiet"))
    return Screen(text, tuple(choices), title=card_title(view))


def _theirs(view: Opened, text: str) -> str:
    """Criteria wording with the citizen's form of address: what they were asked, not what the officer is."""
    return criteria.fill(text, _(f"form.{view.person.form}"))


def option(view: Opened, indicator: Indicator, level: str) -> str:
    """How the level reads for this indicator, with its name and points."""
    chosen = indicator.option(level)
    return _(
        "review.option",
        label=_theirs(view, chosen.label.to(voice().language)),
        level=answering.level_name(view.sheet.criteria, level),
        points=number(chosen.points),
    )


def _show_question(state: Dossier | Reading, view: Opened, indicator: Indicator) -> Screen:
    sheet = view.sheet
    n, of = answering.position(sheet.criteria, indicator.id), len(sheet.criteria.indicators)
    parts = _parts(_question_text(view, indicator), view.room)
    part = min(state.part, len(parts) - 1)
    pieces = answering.here(sheet.evidence.get(indicator.id, ()))
    choices = []
    if part + 1 < len(parts):
        choices.append(Choice("more", _("review.more"), "main"))
    if n < of:
        choices.append(Choice("next", _("review.next_question"), "plain" if part + 1 < len(parts) else "main"))
    if n > 1:
        choices.append(Choice("previous", _("review.previous_question")))
    if not view.reading:
        for piece in pieces:
            choices.extend(_confirmation_choices(piece))
        if sheet.criteria.reviewer_may_override:
            choices.append(Choice("level", _("review.other_level")))
        choices.append(Choice("mark", _("review.unmark" if indicator.id in state.marked else "review.mark")))
    pictures = [piece for piece in pieces if piece.key]
    if pictures and view.reviewer:
        choices.append(Choice("card", _("review.card"), "quiet"))
    choices.append(to_card())
    return Screen(
        parts[part],
        tuple(choices),
        title=_("questions.title", n=n, of=of, title=indicator.name.to(voice().language)),
        pictures=tuple(
            Picture(piece.key, piece.text or _("review.picture", n=count, of=len(pictures)))
            for count, piece in enumerate(pictures, 1)
            if piece.key
        )
        if part == 0
        else (),
        progress=(n, of),
    )


def _question_text(view: Opened, indicator: Indicator) -> str:
    sheet = view.sheet
    answer = sheet.answers[indicator.id]
    asked = criteria.question(indicator, sheet.row.subject_group, voice().language)
    lines = [_("review.asked", question=_theirs(view, asked))]
    lines.append(_("review.chosen", option=option(view, indicator, answer.level)))
    if answer.officer_level is not None:
        lines.append(
            _("review.judged", option=option(view, indicator, answer.officer_level), reason=answer.officer_reason)
        )
    if indicator.id in view.returned:
        key = "review.mended" if indicator.id in view.changed else "review.not_mended"
        lines.append(_(key, reason=view.returned[indicator.id]))
    pieces = answering.here(sheet.evidence.get(indicator.id, ()))
    pictures = sum(piece.key is not None for piece in pieces)
    if pictures:
        lines.append(_("review.pictures", n=number(pictures)))
    lines.extend(_piece_text(piece) for piece in pieces if piece.key is None)
    lines.extend(_removed_text(each) for each in view.removed if each.indicator == indicator.id)
    if not pieces:
        lines.append(_("review.no_evidence"))
    if indicator.id in unproved(sheet) and not view.reading:  # of a decided one the files may have gone since
        lines.append(_("review.unproved_here"))
    return "\n\n".join(lines)


QUESTION_KEYS = ("review.mended", "review.not_mended")


def _removed_text(each: Removed) -> str:
    return _(f"review.removed.{each.why}", n=number(each.pictures), day=day(each.at))


def _piece_text(piece: EvidenceRow) -> str:
    if piece.kind == "officer_confirmation":
        return _(f"review.confirmation.{piece.status}")
    return _("review.piece", kind=_(f"evidence.kind.{piece.kind}"), text=piece.text)


def _confirmation_choices(piece: EvidenceRow) -> list[Choice]:
    """Confirm, decline; once settled, the other of the two."""
    if piece.kind != "officer_confirmation":
        return []
    found = []
    if piece.status != "confirmed":
        found.append(Choice(f"confirm:{piece.id}", _("review.confirm"), "main" if piece.status == "asked" else "quiet"))
    if piece.status != "declined":
        found.append(
            Choice(f"decline:{piece.id}", _("review.decline"), "plain" if piece.status == "asked" else "quiet")
        )
    return found


def _parts(text: str, most: int) -> list[str]:
    """A long text in parts that fit a screen, cut between words."""
    parts = []
    while len(text) > most:
        cut = max(text.rfind("\n", most // 2, most), text.rfind(" ", most // 2, most))
        cut = cut if cut > 0 else most
        parts.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*parts, text]


def _show_levelling(view: Opened, indicator: Indicator) -> Screen:
    answer = view.sheet.answers[indicator.id]
    choices = []
    for each in indicator.options:
        if each.level == (answer.officer_level or answer.level):
            continue
        text = option(view, indicator, each.level)
        if each.level == answer.level:
            choices.append(Choice(f"level:{each.level}", _("review.drop_level", option=text), "main"))
        else:
            choices.append(Choice(f"level:{each.level}", text))
    now = option(view, indicator, answer.officer_level or answer.level)
    return Screen(
        _("review.which_level", option=now),
        (*choices, Choice(BACK, _("choice.back"), "quiet")),
        title=question_title(view, indicator.id),
    )


def question_title(view: Opened, indicator: str) -> str:
    """``Câu 3: Tham gia học tập ở cộng đồng``."""
    return _(
        "review.question", n=answering.position(view.sheet.criteria, indicator), title=short(view.sheet, indicator)
    )


def _show_level_reason(view: Opened, indicator: Indicator, level: str) -> Screen:
    choices = [Choice(f"why:{each}", _(f"review.level_reason.{each}")) for each in LEVEL_REASONS]
    return Screen(
        _("review.why_level", option=option(view, indicator, level)),
        (*choices, Choice(BACK, _("choice.back"), "quiet")),
        title=question_title(view, indicator.id),
        input="text",
    )


# ------------------------------------------------------------------------------------------ taking


def take(turn: Turn, state: OnDossier, view: Opened | Closed, act: Act) -> Next:
    """One step of reading, a confirmation, another level, a mark."""
    if isinstance(view, Closed):
        return leave(turn, state, view, act)
    match state:
        case Dossier(indicator="") | Reading(indicator=""):
            return _take_card(turn, state, view, act)
        case Dossier() | Reading():
            return _take_question(turn, state, view, act)
        case Choosing():
            if isinstance(act, Pressed) and act.choice.startswith("ask:"):
                return Next(at(state, _reader(view), indicator=act.choice.removeprefix("ask:")))
            return Next(at(state, _reader(view)))
        case Levelling():
            return _take_levelling(turn, state, view, act)
        case LevelReason():
            return _take_level_reason(turn, state, view, act)
    raise AssertionError(state)


def _reader(view: Opened) -> type[Dossier] | type[Reading]:
    return Reading if view.reading else Dossier


def leave(turn: Turn, state: OnDossier, view: Closed, act: Act) -> Next:
    """From a dossier that is closed here. On a channel without buttons a number meant the screen before: so wherever
    it leads, it is said what happened to this dossier."""
    from dialogs import deciding
    from dialogs.review import Queue

    row = assessments.by_id(turn.conn, state.assessment)
    match act:
        case Pressed("following"):
            return open_next(turn, row, view.text)
        case Pressed("again") if view.again and row is not None:
            return open_row(turn, row)
        case Pressed("look") if view.readable and row is not None:
            reviews.opened(turn.conn, waiting.officer_of(turn), row, turn.now)
            return Next(Reading(row.id, row.version))
        case Pressed("undo") if view.undo:
            return deciding.take_back(turn, view.undo)
        case Pressed("back"):
            return Next(Queue(), view.text)
    return Next(state)


def _take_card(turn: Turn, state: OnDossier, view: Opened, act: Act) -> Next:
    from dialogs import deciding, listed_person
    from dialogs.review import Queue

    match act:
        case Pressed("read"):
            return Next(at(state, _reader(view), indicator=view.sheet.criteria.indicators[0].id))
        case Pressed("choose"):
            return Next(at(state, Choosing, decided=view.reading))
        case Pressed("following"):
            return open_next(turn, view.sheet.row)
        case Pressed("back"):
            return Next(Queue())
        case Pressed(choice) if choice.startswith("ask:"):
            return Next(at(state, Dossier, indicator=choice.removeprefix("ask:")))
        case Pressed(choice) if choice.startswith("listed:") and isinstance(state, Dossier | Reading):
            return listed_person.begin(state, view)
        case Pressed("approve") if not view.reading:
            return Next(deciding.approving(state, view))
        case Pressed("not_met") if not view.reading:
            return Next(deciding.not_meeting(state))
        case Pressed("return") if not view.reading:
            return Next(deciding.returning(state, view))
    return Next(state)


def _take_question(turn: Turn, state: Dossier | Reading, view: Opened, act: Act) -> Next:
    from dialogs import identity_cards

    ids = [each.id for each in view.sheet.criteria.indicators]
    here = ids.index(state.indicator)
    match act:
        case Pressed("next") if here + 1 < len(ids):
            return Next(replace(state, indicator=ids[here + 1], part=0))
        case Pressed("previous") if here:
            return Next(replace(state, indicator=ids[here - 1], part=0))
        case Pressed("more"):
            return Next(replace(state, part=state.part + 1))
        case Pressed("card"):
            return identity_cards.begin(state, view)
        case Pressed("back"):
            return Next(replace(state, indicator="", part=0))
        case Pressed(choice) if not view.reading:
            return _work_on_question(turn, state, view, choice)
    return Next(state)


def _work_on_question(turn: Turn, state: Dossier | Reading, view: Opened, choice: str) -> Next:
    n = answering.position(view.sheet.criteria, state.indicator)
    if choice == "level":
        return Next(at(state, Levelling, indicator=state.indicator))
    if choice == "mark":
        marked = toggled(view, state.marked, state.indicator)
        key = "review.marked" if state.indicator in marked else "review.unmarked"
        return Next(replace(state, marked=marked), _(key, n=n))
    verb, _sep, piece = choice.partition(":")
    if verb in ("confirm", "decline"):
        confirmed = verb == "confirm"
        officer = waiting.officer_of(turn)
        reviews.settle_confirmation(turn.conn, officer, state.assessment, int(piece), confirmed, turn.now)
        return Next(state, _("review.confirmed" if confirmed else "review.declined", n=n))
    return Next(state)


MARK_KEYS = ("review.marked", "review.unmarked")


def toggled(view: Opened, marked: tuple[str, ...], indicator: str) -> tuple[str, ...]:
    """The marks with this one set or taken away, in the order of the questions."""
    wanted = set(marked) ^ {indicator}
    return tuple(each.id for each in view.sheet.criteria.indicators if each.id in wanted)


def _take_levelling(turn: Turn, state: Levelling, view: Opened, act: Act) -> Next:
    back = at(state, Dossier, indicator=state.indicator)
    if not (isinstance(act, Pressed) and act.choice.startswith("level:")):
        return Next(back)
    level = act.choice.removeprefix("level:")
    if level != view.sheet.answers[state.indicator].level:
        return Next(at(state, LevelReason, indicator=state.indicator, level=level))
    reviews.set_level(turn.conn, waiting.officer_of(turn), state.assessment, state.indicator, None, "", turn.now)
    return Next(back, _total_now(turn, state, "review.level_dropped"))


def _take_level_reason(turn: Turn, state: LevelReason, view: Opened, act: Act) -> Next:
    if act == Pressed(BACK):
        return Next(at(state, Levelling, indicator=state.indicator))
    reason = reason_given(turn, view, act, lambda name: _(f"review.level_reason.{name}"))
    officer = waiting.officer_of(turn)
    reviews.set_level(turn.conn, officer, state.assessment, state.indicator, state.level, reason, turn.now)
    return Next(at(state, Dossier, indicator=state.indicator), _total_now(turn, state, "review.level_set"))


LEVEL_KEYS = ("review.level_set", "review.level_dropped")


def _total_now(turn: Turn, state: OnDossier, key: str) -> str:
    row = assessments.locked(turn.conn, state.assessment)
    return _(key, total=number(answering.read(turn.conn, row).score.total))


def reason_given(turn: Turn, view: Opened, act: Act, template: Callable[[str], str]) -> str:
    """A reason typed, or from a template (pressed as ``why:NAME``) in the language of the citizen who will read it.

    Raises ``Refused``: ``reason_short``, ``reason_long`` (over 500 characters), ``reason_missing``.
    """
    match act:
        case Pressed(choice) if choice.startswith("why:"):
            contact = conversations.last_used(turn.conn, view.person.id)
            language = contact.language if contact is not None else voice().language
            with speaking(Voice(language, view.person.form)):
                return template(choice.removeprefix("why:"))
        case Typed(text):
            reason = clean(text)
            if len(reason) < SHORTEST_REASON:
                raise Refused("reason_short")
            if len(reason) > reviews.REASON_LIMIT:
                raise Refused("reason_long", most=reviews.REASON_LIMIT)
            return reason
    raise Refused("reason_missing")
