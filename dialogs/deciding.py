"""Deciding (xét): đạt, chưa đạt, trả lại; taking it back while the notices wait; telling the citizen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from dialogs import answering, dossier, notices, places, waiting
from dialogs.answering import Sheet
from dialogs.dossier import Closed, Dossier, OnDossier, Opened, at
from dialogs.model import Act, Choice, Pressed, Screen
from dialogs.states import Next, Turn, state
from dialogs.text import BACK, clipped
from locales import _, day, number
from storage import assessments, outbox, people, reviews, units
from storage.base import Refused
from storage.reviews import ReviewRow

RETURN_REASONS = ("blurred", "missing", "unrelated", "unclear")
_REASONS_ROOM = 1000  # characters for all reasons of one screen; the question itself shows its reason whole

FLEETING = True  # names, answers and evidence of citizens


@state
class Approving(OnDossier):
    """ "Đạt, 82 điểm?" — or why not yet. *total* is what the officer saw: another one is shown again first."""

    total: int = 0


@state
class NotMeeting(OnDossier):
    """Why not met."""


@state
class ConfirmNotMet(OnDossier):
    """ "Chưa đạt, 70 điểm, với lý do này?\" *total* as with :class:`Approving`."""

    reason: str = ""
    total: int = 0


@state
class Returning(OnDossier):
    """Which questions to return."""


@state
class ReturnReason(OnDossier):
    """The reason for the question after those that have one."""

    reasons: tuple[str, ...] = ()


@state
class ConfirmReturn(OnDossier):
    """All questions with their reasons."""

    reasons: tuple[str, ...] = ()


@state
class Decided:
    """What has just been decided."""

    review: int


@dataclass(frozen=True, slots=True)
class Done:
    """A decision as its officer sees it afterwards."""

    review: ReviewRow
    code: str
    name: str
    of: int
    undo_seconds: int
    told: bool  # the time to undo is over


# ------------------------------------------------------------------------------------------ ways in


def approving(state: OnDossier, view: Opened) -> Approving:
    """Ask before "đạt"."""
    return at(state, Approving, total=view.sheet.score.total)


def not_meeting(state: OnDossier) -> NotMeeting:
    """Ask for the reason of "chưa đạt"."""
    return at(state, NotMeeting)


def returning(state: OnDossier, view: Opened, also: str = "") -> Returning:
    """Ask which questions to return; those marked while reading are ticked, and *also* this one.

    Ticked too: questions without the evidence that their level must have, since only what is returned can be mended.
    """
    for indicator in {also, *dossier.unproved(view.sheet)} - {"", *state.marked}:
        state = replace(state, marked=dossier.toggled(view, state.marked, indicator))
    return at(state, Returning)


# ------------------------------------------------------------------------------------------ the dialog


def load(turn: Turn, state: object) -> Opened | Closed | Done:
    """Read the dossier, or the decision. Raises ``Refused("officer_signed_out")``."""
    if isinstance(state, OnDossier):
        return dossier.read(turn, state)
    waiting.officer_of(turn)
    review = reviews.by_id(turn.conn, state.review)  # type: ignore[attr-defined]
    row = assessments.by_id(turn.conn, review.assessment_id) if review is not None else None
    person = people.person(turn.conn, row.person_id) if row is not None else None
    if review is None or row is None or person is None:
        return Closed(_("review.closed.erased"))
    return Done(
        review,
        row.code,
        person.name,
        places.criteria_of(turn.conn, row).max_total,
        turn.rules.undo_seconds,
        turn.now >= review.undo_until,
    )


def show(state: object, view: Opened | Closed | Done) -> Screen:
    """What is about to be decided, or has been."""
    if isinstance(view, Done):
        return _show_done(view)
    if isinstance(view, Closed):
        return dossier.show_closed(view)
    match state:
        case Approving():
            return _show_approving(view)
        case NotMeeting():
            choices = [Choice(f"why:{name}", _not_met_reason(view.sheet)(name)) for name in _not_met_names(view.sheet)]
            return Screen(
                "\n\n".join((dossier.who(view), dossier.result(view), _("review.why_not_met"))),
                (*choices, dossier.to_card()),
                title=dossier.card_title(view),
                input="text",
            )
        case ConfirmNotMet():
            score = view.sheet.score
            return Screen(
                _(
                    "review.confirm_not_met",
                    name=view.person.name,
                    total=number(score.total),
                    of=number(view.sheet.criteria.max_total),
                    reason=state.reason,
                ),
                (
                    Choice("not_met", _("review.not_met"), "main"),
                    Choice(BACK, _("review.other_reason"), "quiet"),
                ),
                title=dossier.card_title(view),
            )
        case Returning():
            return _show_returning(state, view)
        case ReturnReason():
            return _show_return_reason(state, view)
        case ConfirmReturn():
            return _show_confirm_return(state, view)
    raise AssertionError(state)


def _show_approving(view: Opened) -> Screen:
    sheet = view.sheet
    text = "\n\n".join((dossier.who(view), dossier.list_of_ten(view), dossier.result(view)))
    if not sheet.score.passes:
        return Screen(
            f"{text}\n\n{_('review.cannot_approve')}",
            (
                Choice("not_met", _("review.not_met"), "main"),
                Choice("return", _("review.return")),
                dossier.to_card(),
            ),
            title=dossier.card_title(view),
        )
    unsettled = dossier.open_confirmations(sheet)
    choices = [Choice(f"ask:{id}", _("review.see", n=answering.position(sheet.criteria, id))) for id in unsettled]
    label = _("review.approve_anyway") if unsettled else _("review.approve_total", total=number(sheet.score.total))
    approve = Choice("approve", label, "plain" if unsettled else "main")
    return Screen(
        f"{_('review.approve_sure')}\n\n{text}", (*choices, approve, dossier.to_card()), title=dossier.card_title(view)
    )


def _not_met_names(sheet: Sheet) -> list[str]:
    below = [each for each in sheet.score.obstacles if each.indicator is not None]
    names = ["total"] if len(below) < len(sheet.score.obstacles) else []
    return [*names, *(["below"] if below else []), "evidence", "checked"]


def _not_met_reason(sheet: Sheet) -> Callable[[str], str]:
    score, threshold = sheet.score, sheet.criteria.thresholds
    low = tuple(each.indicator for each in score.obstacles if each.indicator is not None)

    def reason(name: str) -> str:
        return _(
            f"review.not_met_reason.{name}",
            total=number(score.total),
            least_total=number(threshold.pass_total),
            least=number(threshold.min_per_indicator),
            questions=dossier.numbers(sheet, low),
        )

    return reason


def _show_returning(state: Returning, view: Opened) -> Screen:
    choices = [
        Choice(
            f"mark:{each.id}",
            _(
                "review.ticked" if each.id in state.marked else "review.unticked",
                title=dossier.question_title(view, each.id),
            ),
        )
        for each in view.sheet.criteria.indicators
    ]
    if state.marked:
        choices.append(Choice("reasons", _("review.to_reasons", n=number(len(state.marked))), "main"))
    lines = [_("review.which_return")]
    if dossier.unproved(view.sheet):
        lines.append(_("review.unproved", questions=dossier.numbers(view.sheet, dossier.unproved(view.sheet))))
    return Screen("\n".join(lines), (*choices, dossier.to_card()), title=dossier.card_title(view))


TICK_KEYS = ("review.ticked", "review.unticked")


def _show_return_reason(state: ReturnReason, view: Opened) -> Screen:
    indicator = state.marked[len(state.reasons)]
    choices = [Choice(f"why:{name}", _(f"review.return_reason.{name}")) for name in RETURN_REASONS]
    return Screen(
        _("review.why_return"),
        (*choices, Choice(BACK, _("choice.back"), "quiet")),
        title=dossier.question_title(view, indicator),
        progress=(len(state.reasons), len(state.marked)) if len(state.marked) > 1 else None,
        input="text",
    )


def _show_confirm_return(state: ConfirmReturn, view: Opened) -> Screen:
    lines = [
        _(
            "review.returned_one",
            title=dossier.question_title(view, id),
            reason=clipped(reason, _REASONS_ROOM // len(state.marked)),
        )
        for id, reason in zip(state.marked, state.reasons, strict=True)
    ]
    return Screen(
        "\n\n".join((_("review.confirm_return", name=view.person.name), "\n".join(lines))),
        (
            Choice("return", _("review.return_now"), "main"),
            Choice("again", _("review.other_reason"), "quiet"),
            Choice(BACK, _("review.other_questions"), "quiet"),
        ),
        title=dossier.card_title(view),
    )


def _show_done(view: Done) -> Screen:
    review = view.review
    if review.undone_at is not None:
        text = _("review.done.undone", code=view.code, name=view.name)
        first = Choice("open", _("review.open_again"), "main")
        return Screen(text, (first, Choice("following", _("review.next")), _to_queue()))
    text = _(
        f"review.done.{review.decision}",
        code=view.code,
        name=view.name,
        total=number(review.total),
        of=number(view.of),
    )
    after = _("review.done.told") if view.told else _("review.done.wait", seconds=number(view.undo_seconds))
    return Screen(
        f"{text}\n\n{after}",
        (
            Choice("following", _("review.next"), "main"),
            # Offered also when it is too late: a press then gets the reason why not, not a button that has gone.
            Choice("undo", _("review.undo", seconds=number(view.undo_seconds)), "quiet"),
            _to_queue(),
        ),
    )


def _to_queue() -> Choice:
    return Choice(BACK, _("review.queue.back"), "quiet")


# ------------------------------------------------------------------------------------------ taking


def take(turn: Turn, state: object, view: Opened | Closed | Done, act: Act) -> Next:
    """One step towards a decision, the decision, its undoing."""
    if isinstance(view, Done):
        return _take_done(turn, view, act)
    assert isinstance(state, OnDossier)
    if isinstance(view, Closed):
        return dossier.leave(turn, state, view, act)
    match state:
        case Approving():
            return _take_approving(turn, state, view, act)
        case NotMeeting():
            if act == Pressed(BACK):
                return Next(at(state, Dossier))
            reason = dossier.reason_given(turn, view, act, _not_met_reason(view.sheet))
            return Next(at(state, ConfirmNotMet, reason=reason, total=view.sheet.score.total))
        case ConfirmNotMet():
            if act == Pressed("not_met"):
                return _decide(turn, state, "not_met", total=state.total, reason=state.reason)
            return Next(at(state, NotMeeting))
        case Returning():
            return _take_returning(state, view, act)
        case ReturnReason():
            return _take_return_reason(turn, state, view, act)
        case ConfirmReturn():
            return _take_confirm_return(turn, state, view, act)
    raise AssertionError(state)


def _take_approving(turn: Turn, state: Approving, view: Opened, act: Act) -> Next:
    match act:
        case Pressed("approve") if view.sheet.score.passes or view.sheet.score.total != state.total:
            return _decide(turn, state, "approve", total=state.total)
        case Pressed("not_met"):
            return Next(not_meeting(state))
        case Pressed("return"):
            return Next(returning(state, view))
        case Pressed(choice) if choice.startswith("ask:"):
            return Next(at(state, Dossier, indicator=choice.removeprefix("ask:")))
    return Next(at(state, Dossier))


def _take_returning(state: Returning, view: Opened, act: Act) -> Next:
    match act:
        case Pressed("reasons") if state.marked:
            return Next(at(state, ReturnReason))
        case Pressed(choice) if choice.startswith("mark:"):
            return Next(replace(state, marked=dossier.toggled(view, state.marked, choice.removeprefix("mark:"))))
    return Next(at(state, Dossier))


def _take_return_reason(turn: Turn, state: ReturnReason, view: Opened, act: Act) -> Next:
    if act == Pressed(BACK):
        return Next(replace(state, reasons=state.reasons[:-1]) if state.reasons else at(state, Returning))
    reason = dossier.reason_given(turn, view, act, lambda name: _(f"review.return_reason.{name}"))
    reasons = (*state.reasons, reason)
    return Next(at(state, ReturnReason if len(reasons) < len(state.marked) else ConfirmReturn, reasons=reasons))


def _take_confirm_return(turn: Turn, state: ConfirmReturn, view: Opened, act: Act) -> Next:
    match act:
        case Pressed("return"):
            return _decide(turn, state, "return", returned=dict(zip(state.marked, state.reasons, strict=True)))
        case Pressed("again"):
            return Next(at(state, ReturnReason))
    return Next(at(state, Returning))


def _decide(
    turn: Turn,
    state: OnDossier,
    decision: str,
    *,
    total: int = 0,
    reason: str | None = None,
    returned: dict[str, str] | None = None,
) -> Next:
    """Decide, and let the notice to the citizen wait as long as the decision may be undone.

    *total*: what the officer saw (of no matter to a return); where it is another by now, that is shown first.
    """
    # Other turns run side by side: from here on the dossier is ours, and what is read now is what will be decided.
    assessments.locked(turn.conn, state.assessment)
    view = dossier.read(turn, state)
    if isinstance(view, Closed):
        return Next(state)
    sheet = view.sheet
    if decision == "approve" and (sheet.score.total != total or not sheet.score.passes):
        return Next(approving(state, view), _("review.total_changed"))
    if decision == "not_met" and sheet.score.total != total:  # the reason may name it
        return Next(not_meeting(state), _("review.total_changed"))
    season = places.windows(turn, places.here(turn, sheet.row.unit_id), sheet.row.year)
    # A dossier may be returned at any time; whether it meets the criteria is decided in the season's window.
    if decision != "return" and not season.decision_open(places.today(turn)):
        raise Refused("decision_window", opens=day(season.decision_from), closes=day(season.decision_to))
    review = reviews.decide(
        turn.conn,
        waiting.officer_of(turn),
        sheet.row.id,
        decision,
        total=sheet.score.total,
        reason=reason,
        returned=returned,
        undo_for=timedelta(seconds=turn.rules.undo_seconds),
        now=turn.now,
    )
    notices.to_person(
        turn.conn,
        turn.now,
        view.person.id,
        lambda: _notice(turn, view, review, returned or {}),
        topic=reviews.topic(review.id),
        not_before=review.undo_until,
    )
    return Next(Decided(review.id))


def _take_done(turn: Turn, view: Done, act: Act) -> Next:
    from dialogs.review import Queue

    row = assessments.by_id(turn.conn, view.review.assessment_id)
    match act:
        case Pressed("following"):
            return dossier.open_next(turn, row)
        case Pressed("undo"):
            return take_back(turn, view.review.id)
        case Pressed("open") if row is not None:
            return dossier.open_row(turn, row)
    return Next(Queue())


def take_back(turn: Turn, review_id: int) -> Next:
    """Undo a decision and stop its notices. Raises ``Refused("undo_over")``."""
    officer = waiting.officer_of(turn)
    row = reviews.undo(turn.conn, officer, review_id, turn.now)
    outbox.cancel(turn.conn, reviews.topic(review_id))
    reviews.opened(turn.conn, officer, row, turn.now)  # it is on the screen again
    return Next(Dossier(row.id, row.version), _("review.undone", code=row.code))


# ------------------------------------------------------------------------------------------ what the citizen is told


def _notice(turn: Turn, view: Opened, review: ReviewRow, returned: dict[str, str]) -> Screen:
    """The decision as the citizen reads it (made in their own voice)."""
    sheet = view.sheet
    unit = places.unit_of(turn.conn, sheet.row.unit_id)
    contact = places.whom_to_ask(units.settings(turn.conn, unit))
    facts = {
        "code": sheet.row.code,
        "total": number(review.total),
        "of": number(sheet.criteria.max_total),
        "unit": unit.name,
    }
    see = Choice("go:hoso", _("standing.open"))
    if review.decision == "return":
        return _return_notice(view, returned, contact)
    changed = tuple(each.id for each in sheet.criteria.indicators if sheet.answers[each.id].officer_level is not None)
    levels = _("review.notice.levels", questions=dossier.numbers(sheet, changed)) if changed else ""
    if review.decision == "approve":
        lines = [_("review.notice.approve", **facts), levels]
    else:
        why = dossier.why_not(sheet)
        lines = [
            _("review.notice.not_met", **facts),
            _("review.notice.wanting", why=why) if why else "",
            _("review.notice.reason", reason=review.reason),
            levels,
            contact,
            _("review.notice.next_season"),
        ]
    return Screen("\n".join(filter(None, lines)), (see,))


def _return_notice(view: Opened, returned: dict[str, str], contact: str) -> Screen:
    sheet = view.sheet
    one = len(returned) == 1
    head = _(
        "review.notice.return_one" if one else "review.notice.return", code=sheet.row.code, n=number(len(returned))
    )
    lines = [
        _(
            "review.returned_one",
            title=dossier.question_title(view, id),
            reason=clipped(reason, _REASONS_ROOM // len(returned)),
        )
        for id, reason in returned.items()
    ]
    choices = [
        Choice(
            f"go:mend:{sheet.row.code}:{id}",
            _("standing.mend", n=answering.position(sheet.criteria, id)),
            "main" if position == 0 else "plain",
        )
        for position, id in enumerate(returned)
    ]
    tail = filter(None, (_("review.notice.rest_kept"), contact))
    return Screen("\n\n".join((head, "\n".join(lines), *tail)), tuple(choices))
