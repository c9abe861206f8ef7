"""The questionnaire: ten indicators one at a time, evidence where it applies, the overview, and handing in (nộp)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import criteria
from criteria import Indicator
from dialogs import answering, handing_in, idnumber, places
from dialogs.answering import Sheet
from dialogs.handing_in import complete, open_ids, wanting
from dialogs.model import Act, Choice, Picture, Pressed, Screen, Sent, Typed
from dialogs.states import Next, Turn, encode_state, state
from dialogs.text import BACK, clean
from locales import _, number, voice
from storage import albums, assessments, evidence
from storage.assessments import AssessmentRow
from storage.base import Refused
from storage.evidence import EvidenceRow


@state
class Welcome:
    """Registered; before the first question. Says once that the criteria are a reconstruction."""

    assessment: int


@state
class Asking:
    """One indicator is on the screen. Pictures sent now still go to *late*, the question just evidenced."""

    assessment: int
    indicator: str
    late: str = ""


@state
class Evidencing:
    """Evidence for one answer. *stay*: come back to the question afterwards instead of going on."""

    assessment: int
    indicator: str
    stay: bool = False


@state
class Dropping:
    """Which piece of evidence to take away."""

    assessment: int
    indicator: str


@state
class Lowering:
    """No evidence: the highest level that needs none is offered."""

    assessment: int
    indicator: str


@state
class Overview:
    """All answers for checking: score, what is missing, the shortest path."""

    assessment: int


@state
class Picking:
    """Which question to open again."""

    assessment: int


@state
class Confirming:
    """ "Nộp phiếu?\""""

    assessment: int


@dataclass(frozen=True, slots=True)
class View:
    """The sheet and where it is filed."""

    sheet: Sheet
    min_age: int
    unit: str
    contact: str
    closed: str  # why the questions are closed now, or ""


# ------------------------------------------------------------------------------------------ ways in


def begin(turn: Turn, assessment_id: int, note: str = "") -> Next:
    """Open the questions, or go on where they were left. Raises ``Refused("assessment_window")`` outside the window."""
    row = answering.visible(turn, _own(turn, assessment_id))
    _open_now(turn, row)
    if row.status in ("registered", "withdrawn"):
        given = places.current_criteria()
        row = assessments.start(turn.conn, row.id, turn.actor, given.id, given.version, turn.now)
    if row.status not in assessments.EDITABLE:
        raise Refused("assessment_closed", status=row.status)
    return _onward(answering.changed(turn, row), "", note)


def asks(row: AssessmentRow, indicator: str) -> bool:
    """Is there such a question on the form?"""
    return any(each.id == indicator for each in criteria.builtin(row.criteria_id, row.criteria_version).indicators)


def mend(turn: Turn, row: AssessmentRow, indicator: str) -> Next:
    """Open one returned question. Raises ``Refused("assessment_closed")`` while the return is not for the citizen to
    know, and when the question is not open (any more)."""
    seen = answering.as_citizen_sees(turn, _own(turn, row.id))
    if indicator not in open_ids(seen.sheet):
        raise Refused("assessment_closed", status=seen.row.status)
    return Next(Asking(row.id, indicator))


def prove(turn: Turn, row: AssessmentRow, indicator: str) -> Next:
    """Open the evidence of one question, whose picture could not be had. Raises ``Refused("assessment_closed")`` when
    the question is not open (any more)."""
    seen = answering.as_citizen_sees(turn, _own(turn, row.id))
    if seen.row.status not in assessments.EDITABLE or indicator not in open_ids(seen.sheet):
        raise Refused("assessment_closed", status=seen.row.status)
    return Next(Evidencing(row.id, indicator, stay=indicator not in seen.sheet.answers))


def _own(turn: Turn, assessment_id: int) -> AssessmentRow:
    row = assessments.by_id(turn.conn, assessment_id)
    if row is None or turn.chat.person is None or row.person_id != turn.chat.person.id:
        raise Refused("assessment_gone")
    return row


def _open_now(turn: Turn, row: AssessmentRow) -> None:
    closed = _closed(turn, row)
    if closed:
        raise Refused("assessment_window", when=closed)


def _closed(turn: Turn, row: AssessmentRow) -> str:
    """When the questions open, where they are closed: by the windows of the dossier's own year. A returned dossier may
    be mended while officers decide, and so may one handed in within its window that lost a picture on the way."""
    season = places.windows(turn, places.here(turn, row.unit_id), row.year)
    if row.status == "returned" and season.decision_open(places.today(turn)):
        return ""
    if row.handed_in_at is not None and places.today(turn) <= season.decision_to:
        return ""
    return places.when_open(turn, season)


def _onward(sheet: Sheet, after: str, note: str, late: str = "") -> Next:
    """The next question without an answer (or, in a returned dossier, the next one open); the overview when all
    are done."""
    ids = open_ids(sheet)
    ordered = ids[ids.index(after) + 1 :] + ids[: ids.index(after)] if after in ids else ids
    row = sheet.row
    if row.status == "draft":
        for id in ordered:
            if id not in sheet.answers:
                return Next(Asking(row.id, id, late), note)
            if id in sheet.missing:
                return Next(Evidencing(row.id, id), note)
    elif not after and ids:
        return Next(Asking(row.id, ids[0], late), note)
    elif after in ids and ids.index(after) + 1 < len(ids):
        return Next(Asking(row.id, ids[ids.index(after) + 1], late), note)
    return Next(Overview(row.id), note)


# ------------------------------------------------------------------------------------------ the dialog


def load(turn: Turn, state: object) -> View:
    """Read the sheet. Raises ``Refused`` when it is not the speaker's or not open any more."""
    row = answering.visible(turn, _own(turn, state.assessment))  # type: ignore[attr-defined]
    sheet = answering.sheet(turn, row)
    unit = places.here(turn, row.unit_id)
    settings = places.settings(turn, unit)
    if isinstance(state, Welcome):
        if row.status != "registered":
            raise Refused("assessment_state", status=row.status, event="start")
    elif row.status not in assessments.EDITABLE:
        raise Refused("assessment_closed", status=row.status)
    return View(sheet, settings.min_age, unit.name, places.whom_to_ask(settings), _closed(turn, row))


def show(state: object, view: View) -> Screen:
    """One thing a screen."""
    sheet = view.sheet
    match state:
        case Welcome():
            return _show_welcome(view)
        case Asking(_, indicator):
            return _show_question(view, sheet.criteria.indicator(indicator))
        case Evidencing(_, indicator):
            return _show_evidence(view, sheet.criteria.indicator(indicator))
        case Dropping(_, indicator):
            return _show_dropping(sheet, indicator)
        case Lowering(_, indicator):
            return _show_lowering(sheet, sheet.criteria.indicator(indicator))
        case Overview():
            return _show_overview(view)
        case Picking():
            choices = [
                Choice(
                    f"ask:{id}",
                    _("overview.pick_one", n=answering.position(sheet.criteria, id), title=_short(sheet, id)),
                )
                for id in open_ids(sheet)
            ]
            return Screen(_("overview.pick"), (*choices, _back()))
        case Confirming():
            here, of = sheet.pictures
            lines = [_("submit.confirm", total=number(sheet.score.total), unit=view.unit)]
            if here < of:
                lines.append(_("submit.confirm_arriving", here=number(here), of=number(of)))
            return Screen(
                "\n\n".join(lines),
                (Choice("submit", _("submit.yes"), "main"), Choice(BACK, _("submit.no"))),
                title=_("submit.title"),
            )
    raise AssertionError(state)


def _back() -> Choice:
    return Choice(BACK, _("choice.back"), "quiet")


def _short(sheet: Sheet, id: str) -> str:
    return sheet.criteria.indicator(id).short.to(voice().language)


def _show_welcome(view: View) -> Screen:
    notice = "" if view.sheet.criteria.is_official else _("questions.reconstruction")
    if view.closed:
        return Screen("\n\n".join(filter(None, (view.closed, notice))), (Choice(BACK, _("choice.home")),))
    return Screen(
        "\n\n".join(filter(None, (_("questions.welcome"), notice))),
        (Choice("start", _("questions.start"), "main"), Choice("later", _("questions.later"), "quiet")),
    )


def _show_question(view: View, indicator: Indicator) -> Screen:
    sheet = view.sheet
    n, of = answering.position(sheet.criteria, indicator.id), len(sheet.criteria.indicators)
    answer = sheet.answers.get(indicator.id)
    pieces = sheet.evidence.get(indicator.id, ())
    lines = []
    if answer is not None and answer.return_reason:
        lines.append(_("questions.returned", reason=answer.return_reason))
    lines.append(answering.question_text(indicator, sheet.row.subject_group))
    if answer is not None:
        lines.append(_("questions.chosen", level=answering.option_text(indicator, answer.level)))
    if pieces:
        lines.append(_("questions.evidence", what=answering.count_line(pieces)))
    choices = [Choice(option.level, answering.option_text(indicator, option.level)) for option in indicator.options]
    if answer is not None:
        choices.append(Choice("next", _("questions.keep"), "plain" if answer.return_reason else "main"))
    if answer is not None and answer.return_reason and indicator.evidence.kinds:
        choices.insert(0, Choice("evidence", _("questions.mend_evidence"), "main"))  # what most are returned for
    elif indicator.evidence.kinds:
        choices.append(Choice("evidence", _("questions.add_evidence"), "quiet"))
    if answer is None:
        choices.append(Choice("skip", _("questions.skip"), "quiet"))
    choices.append(Choice("pause", _("questions.pause"), "quiet"))
    choices.append(_back())
    return Screen(
        "\n\n".join(lines),
        tuple(choices),
        title=_("questions.title", n=n, of=of, title=indicator.name.to(voice().language)),
        progress=(n, of),
    )


def _takes_pictures(indicator: Indicator) -> bool:
    return any(kind in evidence.PICTURE_KINDS for kind in indicator.evidence.kinds)


def _show_evidence(view: View, indicator: Indicator) -> Screen:
    sheet = view.sheet
    n, of = answering.position(sheet.criteria, indicator.id), len(sheet.criteria.indicators)
    pieces = sheet.evidence.get(indicator.id, ())
    answer = sheet.answers.get(indicator.id)
    required = indicator.id in sheet.missing
    rule = indicator.evidence
    lines = []
    if answer is not None and answer.return_reason:
        lines.append(_("questions.returned", reason=answer.return_reason))
    ask = "photo" if _takes_pictures(indicator) else "text"
    if required:
        lines.append(_(f"evidence.ask.{ask}"))
    elif answer is not None and answer.return_reason:
        lines.append(_(f"evidence.mend.{ask}"))
    else:
        lines.append(_(f"evidence.may.{ask}"))
    lines.append(_("evidence.hint", hint=answering.filled(rule.hint.to(voice().language))))
    if pieces:
        lines.append(_("questions.evidence", what=answering.count_line(pieces)))
    elif _takes_pictures(indicator) and not any(sheet.evidence.values()):  # until the dossier has its first piece
        lines.append(_("evidence.no_id_card"))
    choices = []
    if pieces or not required:
        choices.append(Choice("done", _("evidence.done"), "main"))
    if "officer_confirmation" in rule.kinds and not any(piece.kind == "officer_confirmation" for piece in pieces):
        choices.append(Choice("confirmation", _("evidence.confirmation")))
    if required:
        choices.append(Choice("none", _("evidence.none")))
    if pieces:
        choices.append(Choice("drop", _("evidence.drop"), "quiet"))
    choices.append(Choice("pause", _("questions.pause"), "quiet"))
    choices.append(_back())
    return Screen(
        "\n\n".join(lines),
        tuple(choices),
        title=_("evidence.title", n=n, title=indicator.short.to(voice().language)),
        pictures=tuple(Picture(piece.key, piece.text, again=True) for piece in pieces if piece.key),
        progress=(n, of),
        input="photo" if _takes_pictures(indicator) else "text",
    )


def _show_dropping(sheet: Sheet, indicator: str) -> Screen:
    pieces = sheet.evidence.get(indicator, ())
    choices = [
        Choice(f"drop:{piece.id}", _("evidence.piece", n=n, what=piece_text(piece)), "plain")
        for n, piece in enumerate(pieces, 1)
    ]
    return Screen(
        _("evidence.drop_which"),
        (*choices, _back()),
        pictures=tuple(Picture(piece.key, _("evidence.piece", n=n, what=piece_text(piece)))
                       for n, piece in enumerate(pieces, 1) if piece.key),
    )  # fmt: skip


def piece_text(piece: EvidenceRow) -> str:
    """A piece of evidence in a few words."""
    if piece.kind == "officer_confirmation":
        return _(f"evidence.confirmation.{piece.status}")
    label = _(f"evidence.kind.{piece.kind}")
    what = f"{label}: {piece.text[:60]}" if piece.text else label
    return _("evidence.arriving", what=what) if piece.status == "arriving" else what


def _show_lowering(sheet: Sheet, indicator: Indicator) -> Screen:
    option = criteria.highest_level_without_evidence(indicator)
    return Screen(
        _("evidence.lower", level=answering.option_text(indicator, option.level), points=number(option.points)),
        (
            Choice("lower", _("evidence.lower_yes")),
            Choice("later", _("evidence.later")),
            _back(),
        ),
        title=_(
            "evidence.title",
            n=answering.position(sheet.criteria, indicator.id),
            title=indicator.short.to(voice().language),
        ),
    )


def _show_overview(view: View) -> Screen:
    sheet = view.sheet
    lines = []
    for n, indicator in enumerate(sheet.criteria.indicators, 1):
        answer = sheet.answers.get(indicator.id)
        title = indicator.short.to(voice().language)
        if answer is None:
            lines.append(_("overview.unanswered", n=n, title=title))
            continue
        points = sheet.score.per_indicator[indicator.id]
        what = answering.count_line(sheet.evidence.get(indicator.id, ()))
        level = answering.level_name(sheet.criteria, answer.officer_level or answer.level)
        key = "overview.line_evidence" if what else "overview.line"
        text = _(key, n=n, title=title, level=level, points=number(points), what=what)
        if indicator.id in wanting(sheet):
            text = _("overview.needs_evidence", line=text)
        if answer.return_reason:
            text = _("overview.returned", line=text)
        lines.append(text)
    total = _("overview.total", total=number(sheet.score.total), of=number(sheet.criteria.max_total))
    choices, verdict = _overview_choices(sheet)
    paragraphs = ["\n".join(lines), total, verdict, _coming(sheet)]
    if not sheet.criteria.is_official:
        paragraphs.append(_("questions.reconstruction_short"))
    return Screen(
        "\n\n".join(filter(None, paragraphs)),
        tuple(choices),
        title=_("overview.title"),
        progress=(sheet.score.answered, len(sheet.criteria.indicators)),
    )


def _coming(sheet: Sheet) -> str:
    """What the overview says of pictures on their way, or nothing."""
    here, of = sheet.pictures
    if here == of:
        return ""
    if sheet.row.handed_in_at is not None:
        return _("standing.line.handed_in", code=sheet.row.code, here=number(here), of=number(of))
    return _("overview.arriving_submit" if complete(sheet) else "overview.arriving", here=number(here), of=number(of))


def _overview_choices(sheet: Sheet) -> tuple[list[Choice], str]:
    """What can be done from the overview, and the sentence about the title."""
    choices: list[Choice] = []
    may_change = open_ids(sheet)
    for id in may_change:
        n = answering.position(sheet.criteria, id)
        if id not in sheet.answers:
            choices.append(Choice(f"ask:{id}", _("overview.answer", n=n), "main"))
        elif id in sheet.missing:
            choices.append(Choice(f"prove:{id}", _("overview.prove", n=n), "main"))
    if sheet.score.answered < len(sheet.criteria.indicators):
        verdict = _("overview.missing_answers", n=number(len(sheet.criteria.indicators) - sheet.score.answered))
    elif wanting(sheet):
        verdict = _("overview.missing_evidence", n=number(len(wanting(sheet))))
    elif sheet.score.passes:
        verdict = _("overview.passes")
    else:
        verdict = _path_text(sheet)
        if sheet.row.status == "draft":
            choices.extend(
                Choice(
                    f"ask:{change.indicator}", _("overview.fix", n=answering.position(sheet.criteria, change.indicator))
                )
                for change in sheet.path[:3]
            )
    here, of = sheet.pictures
    if complete(sheet) and not (sheet.row.handed_in_at is not None and here < of):
        again = sheet.row.status == "returned"
        choices.append(Choice("hand_in", _("overview.resubmit" if again else "overview.submit"), "main"))
    if may_change:
        choices.append(Choice("pick", _("overview.change"), "quiet"))
    choices.append(Choice("pause", _("questions.pause"), "quiet"))
    return choices[:12], verdict


KEYS = ("overview.resubmit", "overview.submit", "overview.line", "overview.line_evidence")


def _path_text(sheet: Sheet) -> str:
    """The shortest path to the title, as a condition and never as advice to tick higher."""
    path = sheet.path
    total, threshold = sheet.score.total, sheet.criteria.thresholds
    steps = []
    for change in path[:3]:
        indicator = sheet.criteria.indicator(change.indicator)
        key = "overview.if_evidence" if change.needs_evidence else "overview.if"
        steps.append(
            _(
                key,
                n=answering.position(sheet.criteria, change.indicator),
                level=answering.option_text(indicator, change.to_level),
                gain=number(change.gain),
            )
        )
    head = (
        _("overview.short_of", missing=number(threshold.pass_total - total))
        if total < threshold.pass_total
        else _("overview.below_minimum", least=number(threshold.min_per_indicator))
    )
    if len(path) > 3:
        steps.append(_("overview.and_more", n=number(len(path) - 3)))
    return "\n".join((head, *steps))


PATH_KEYS = ("overview.if", "overview.if_evidence")


# ------------------------------------------------------------------------------------------ taking


def take(turn: Turn, state: object, view: View, act: Act) -> Next:
    """One answer, one piece of evidence, one step."""
    return _entered(turn, view.sheet.row, _take(turn, state, view, act))


def _entered(turn: Turn, before: AssessmentRow, step: Next) -> Next:
    """A form that was handed in, and that this act has made complete with no picture on its way, is in the queue."""
    if before.handed_in_at is None:
        return step
    row = handing_in.enter_when_settled(turn.conn, before.id, turn.actor, turn.now)
    if row is None:
        return step
    from dialogs.standing import Standing

    return Next(Standing(), _("submit.done", code=row.code))


def _take(turn: Turn, state: object, view: View, act: Act) -> Next:
    sheet = view.sheet
    if isinstance(act, Pressed) and act.choice in ("pause", "later") and not isinstance(state, Lowering):
        return _pause(state, sheet)
    if view.closed and act != Pressed(BACK):
        raise Refused("assessment_window", when=view.closed)
    match state:
        case Welcome(assessment):
            return begin(turn, assessment) if act == Pressed("start") else _home(turn)
        case Asking():
            return _take_question(turn, state, sheet, act)
        case Evidencing():
            return _take_evidence(turn, state, sheet, act)
        case Dropping(assessment, indicator):
            if isinstance(act, Pressed) and act.choice.startswith("drop:"):
                piece = int(act.choice.removeprefix("drop:"))
                assessments.remove_evidence(turn.conn, assessment, indicator, piece, turn.actor, turn.now)
                answering.changed(turn, sheet.row)
                return Next(Evidencing(assessment, indicator, stay=True), _("evidence.dropped"))
            return Next(Evidencing(assessment, indicator, stay=True))
        case Lowering():
            return _take_lowering(turn, state, sheet, act)
        case Overview(assessment):
            return _take_overview(turn, state, sheet, act)
        case Picking(assessment):
            if isinstance(act, Pressed) and act.choice.startswith("ask:"):
                return Next(Asking(assessment, act.choice.removeprefix("ask:")))
            return Next(Overview(assessment))
        case Confirming(assessment):
            return _submit(turn, assessment) if act == Pressed("submit") else Next(Overview(assessment))
    raise AssertionError(state)


def _home(turn: Turn) -> Next:
    from dialogs.home import Home

    return Next(Home())


def _pause(state: object, sheet: Sheet) -> Next:
    from dialogs.home import Home

    if isinstance(state, Welcome):
        return Next(Home(), _("questions.later_done"))
    n = answering.position(sheet.criteria, state.indicator) if hasattr(state, "indicator") else None
    return Next(Home(), _("questions.paused_at", n=n) if n else _("questions.paused"))


def _take_question(turn: Turn, state: Asking, sheet: Sheet, act: Act) -> Next:
    indicator = sheet.criteria.indicator(state.indicator)
    match act:
        case Pressed(level) if level in [option.level for option in indicator.options]:
            assessments.answer(turn.conn, state.assessment, indicator.id, level, turn.actor, turn.now)
            after = answering.answered(turn, sheet, indicator.id, level)
            if indicator.id in after.missing:
                return Next(Evidencing(state.assessment, indicator.id))
            return _onward(after, indicator.id, _said(after, indicator))
        case Pressed("next"):
            if indicator.id in sheet.missing:
                return Next(Evidencing(state.assessment, indicator.id))
            return _onward(sheet, indicator.id, "")
        case Pressed("skip"):
            return _skip(sheet, indicator.id)
        case Pressed("evidence"):
            return Next(Evidencing(state.assessment, indicator.id, stay=True))
        case Pressed("back"):
            return _previous(state, sheet)
        case Sent():
            target = sheet.criteria.indicator(state.late) if state.late else indicator
            count, over = _add_pictures(turn, sheet, target, act)
            key = "evidence.got_late" if state.late else "evidence.got_choose"
            note = _(key, n=number(count), q=answering.position(sheet.criteria, target.id))
            return Next(state, " ".join(filter(None, (over, _cut_short(turn, act), note))))
    return Next(state, puzzled=True)


def _said(sheet: Sheet, indicator: Indicator) -> str:
    answer = sheet.answers[indicator.id]
    return _(
        "questions.said",
        n=answering.position(sheet.criteria, indicator.id),
        level=answering.option_text(indicator, answer.level),
    )


def _skip(sheet: Sheet, indicator: str) -> Next:
    """The next unanswered question after this one; the overview when this was the last of them."""
    ids = [id for id in open_ids(sheet) if id not in sheet.answers]
    later = ids[ids.index(indicator) + 1 :] if indicator in ids else ids
    note = _("questions.skipped", n=answering.position(sheet.criteria, indicator))
    if later:
        return Next(Asking(sheet.row.id, later[0]), note)
    return Next(Overview(sheet.row.id), note)


def _previous(state: Asking, sheet: Sheet) -> Next:
    ids = open_ids(sheet)
    before = ids[: ids.index(state.indicator)] if state.indicator in ids else []
    return Next(Asking(state.assessment, before[-1])) if before else Next(Overview(state.assessment))


def picture_kind(indicator: Indicator) -> str | None:
    """As what a picture counts for this indicator: a photo where photos do, else a certificate; ``None`` where
    neither."""
    return next((kind for kind in evidence.PICTURE_KINDS if kind in indicator.evidence.kinds), None)


FULL = ("evidence_full", "evidence_season_full", "evidence_day_full")  # the rest finds no room


LATE_KEYS = ("evidence.got_late", "evidence.got_choose")


def more_of_album(turn: Turn, state: object, assessment_id: int, indicator: str, sent: Sent) -> Next:
    """A later part of an album goes where its first part landed, wherever the chat stands now.

    Raises ``Refused``: ``assessment_closed``, ``assessment_window``, ``assessment_gone``, ``album_full``.
    """
    row = answering.visible(turn, _own(turn, assessment_id))
    if row.status not in assessments.EDITABLE:
        raise Refused("assessment_closed", status=row.status)
    _open_now(turn, row)
    sheet = answering.sheet(turn, row)
    n = answering.position(sheet.criteria, indicator)
    try:
        count, over = _add_pictures(turn, sheet, sheet.criteria.indicator(indicator), sent)
    except Refused as refused:
        if refused.code != "evidence_full":
            raise
        raise Refused("album_full", n=n, most=evidence.MOST_PICTURES) from refused  # another question may be open
    got = _("evidence.got", n=number(count), q=n)
    return _entered(turn, row, Next(state, f"{over} {got}".strip()))


def _cut_short(turn: Turn, sent: Sent) -> str:
    """That a file was longer than what is kept of it, in a sentence; mostly nothing."""
    found = evidence.cut_short(turn.conn, turn.chat.contact_id, sent.uploads)
    return _("evidence.first_pages", kept=number(found[0]), pages=number(found[1])) if found else ""


def _add_pictures(turn: Turn, sheet: Sheet, indicator: Indicator, sent: Sent) -> tuple[int, str]:
    """Put pictures beside an answer: how many pictures are there now, and a sentence when not all found room.

    An album's first part says where the rest of it goes.

    Raises ``Refused``: ``evidence_no_pictures``; ``evidence_full`` when none found room.
    """
    kind = picture_kind(indicator)
    if kind is None:
        raise Refused("evidence_no_pictures", n=answering.position(sheet.criteria, indicator.id))
    left, over = 0, ""
    chat = turn.chat
    pictures: list[tuple[str | None, evidence.Held | None]] = [(key, None) for key in sent.uploads]
    for file in sent.files:
        pictures.append((None, evidence.Held(file.reference, file.unique, file.size, chat.account, chat.address)))
    for key, held in pictures:
        try:
            assessments.add_evidence(
                turn.conn,
                sheet.row.id,
                indicator.id,
                kind,
                contact_id=chat.contact_id,
                actor=turn.actor,
                key=key,
                held=held,
                text=clean(sent.caption, 500),
                quota=turn.rules.quota,
                now=turn.now,
            )
        except Refused as refused:
            if refused.code not in FULL or left + 1 == len(pictures):
                raise
            left, over = left + 1, refused.code  # an album too large keeps its first pictures
    if sent.album:
        albums.land(turn.conn, chat.contact_id, sent.album, sheet.row.id, indicator.id, turn.now)
    pieces = answering.changed(turn, sheet.row).evidence.get(indicator.id, ())
    count = sum(piece.kind in evidence.PICTURE_KINDS for piece in pieces)
    if over == "evidence_full":
        return count, _("evidence.kept_first", most=number(count), left=number(left))
    return count, _("evidence.kept_some", left=number(left)) if left else ""


_LINK = re.compile(r"https?://[^\s<>\"]{4,500}")


def _take_evidence(turn: Turn, state: Evidencing, sheet: Sheet, act: Act) -> Next:
    indicator = sheet.criteria.indicator(state.indicator)
    n = answering.position(sheet.criteria, indicator.id)
    match act:
        case Sent():
            count, over = _add_pictures(turn, sheet, indicator, act)
            note = " ".join(filter(None, (over, _cut_short(turn, act), _("evidence.got", n=number(count), q=n))))
            return _evidenced(turn, state, sheet, note, late="" if over else indicator.id)
        case Typed(text):
            kind = _kind_of_text(indicator, text)
            if kind is None:
                raise Refused("evidence_no_text", n=n)
            if len(text) < 4:
                return Next(state, _("evidence.too_short"))
            _add_words(turn, state, kind, text)
            return _evidenced(turn, state, sheet, _("evidence.got_text", q=n))
        case Pressed("confirmation"):
            _add_words(turn, state, "officer_confirmation", "")
            return _evidenced(turn, state, sheet, _("evidence.asked", q=n))
        case Pressed("none"):
            return Next(Lowering(state.assessment, indicator.id))
        case Pressed("drop"):
            return Next(Dropping(state.assessment, indicator.id))
        case Pressed("done"):
            if state.stay and indicator.id not in sheet.answers:
                return Next(Asking(state.assessment, indicator.id))
            return _onward(sheet, indicator.id, "")
    return Next(Asking(state.assessment, indicator.id))


def _kind_of_text(indicator: Indicator, text: str) -> str | None:
    kinds = indicator.evidence.kinds
    if "link" in kinds and _LINK.fullmatch(text):
        return "link"
    return "text" if "text" in kinds else None


def _add_words(turn: Turn, state: Evidencing, kind: str, text: str) -> None:
    assessments.add_evidence(
        turn.conn,
        state.assessment,
        state.indicator,
        kind,
        contact_id=turn.chat.contact_id,
        actor=turn.actor,
        text=clean(text, evidence.TEXT_LIMIT),
        now=turn.now,
    )


def _evidenced(turn: Turn, state: Evidencing, before: Sheet, note: str, late: str = "") -> Next:
    """After a piece came: on to the next question where it was wanted, else back to the question it belongs to."""
    sheet = answering.changed(turn, before.row)
    if state.stay:
        if state.indicator not in sheet.answers:
            return Next(Asking(state.assessment, state.indicator), note)
        return Next(state, note)
    if late:
        note = f"{note} {_('evidence.more_now')}"
    step = _onward(sheet, state.indicator, note, late)
    return step if isinstance(step.state, Asking) else Next(step.state, note if not late else _strip(note))


def _strip(note: str) -> str:
    return note.removesuffix(f" {_('evidence.more_now')}")


def _take_lowering(turn: Turn, state: Lowering, sheet: Sheet, act: Act) -> Next:
    indicator = sheet.criteria.indicator(state.indicator)
    match act:
        case Pressed("lower"):
            option = criteria.highest_level_without_evidence(indicator)
            assessments.answer(turn.conn, state.assessment, indicator.id, option.level, turn.actor, turn.now)
            after = answering.answered(turn, sheet, indicator.id, option.level)
            return _onward(after, indicator.id, _said(after, indicator))
        case Pressed("later"):
            note = _("evidence.later_done", n=answering.position(sheet.criteria, indicator.id))
            return Next(_skip(sheet, indicator.id).state, note)
    return Next(Evidencing(state.assessment, indicator.id))


def _take_overview(turn: Turn, state: Overview, sheet: Sheet, act: Act) -> Next:
    match act:
        case Pressed("hand_in") if complete(sheet):
            return _without_number(turn, sheet.row) or Next(Confirming(state.assessment))
        case Pressed("pick"):
            return Next(Picking(state.assessment))
        case Pressed(choice) if choice.startswith("ask:"):
            return Next(Asking(state.assessment, choice.removeprefix("ask:")))
        case Pressed(choice) if choice.startswith("prove:"):
            return Next(Evidencing(state.assessment, choice.removeprefix("prove:")))
    return Next(state)


def _without_number(turn: Turn, row: AssessmentRow) -> Next | None:
    """The question for the personal id number, where the unit requires one and none is kept (the citizen joined before
    it did, or had no card yet); ``None``: the form may be handed in."""
    if not idnumber.wanting(turn, places.here(turn, row.unit_id)):
        return None
    return Next(idnumber.Wanted(encode_state(Overview(row.id)), encode_state(Confirming(row.id))))


def _submit(turn: Turn, assessment: int) -> Next:
    """Nộp: into the queue, or, while pictures are on their way, as soon as they are here."""
    from dialogs.standing import Standing

    # What is handed in is read under the lock: another chat of the same person may have begun anew meanwhile.
    sheet = answering.changed(turn, assessments.locked(turn.conn, assessment))
    if not complete(sheet):
        raise Refused("assessment_incomplete")
    asked = _without_number(turn, sheet.row)
    if asked is not None:
        return asked
    here, of = sheet.pictures
    if here == of:
        row = handing_in.enter(turn.conn, sheet.row, turn.actor, turn.now)
        return Next(Standing(), _("submit.done", code=row.code))
    before = sheet.row.handed_in_at is not None
    row = assessments.hand_in(turn.conn, sheet.row.id, turn.actor, turn.now)
    return Next(Standing(), _("submit.handed_in_before" if before else "submit.handed_in", code=row.code))
