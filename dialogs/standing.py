"""Where a citizen's dossier stands (/hoso), and what they may do about it: go on, mend, withdraw, start again."""

from __future__ import annotations

from dataclasses import dataclass, replace

from criteria import CriteriaSet, Score
from dialogs import answering, notices, places
from dialogs.model import Act, Choice, Pressed, Screen
from dialogs.states import Next, Turn, state
from dialogs.text import BACK
from locales import _, day, number
from storage import assessments, people, reviews
from storage.assessments import AnswerRow, AssessmentRow
from storage.base import Refused
from storage.people import PersonRow
from storage.reviews import ReviewRow


@state
class Standing:
    """/hoso is on the screen."""


@state
class ConfirmWithdraw:
    """ "Rút hồ sơ?\""""

    assessment: int


@state
class ConfirmStartAgain:
    """ "Làm lại từ đầu?\""""

    assessment: int


@dataclass(frozen=True, slots=True)
class View:
    """A person's dossier of this year."""

    unit: str
    contact: str
    year: int
    service_days: int | None
    opens: str
    registration_open: bool
    assessment_open: bool
    row: AssessmentRow | None = None
    score: Score | None = None
    answers: dict[str, AnswerRow] | None = None
    criteria: CriteriaSet | None = None
    review: ReviewRow | None = None
    returned: tuple[tuple[int, str, str], ...] = ()  # number, indicator, reason


def read(turn: Turn, person: PersonRow) -> View:
    """Everything about this year's dossier."""
    conn = turn.conn
    unit = places.here(turn, person.unit_id)
    settings = places.settings(turn, unit)
    season = places.windows(turn, unit)
    today = places.today(turn)
    opens = ""
    if not season.assessment_open(today):
        opens = (
            _("season.opens", day=day(season.assessment_from))
            if today < season.assessment_from
            else _("season.closed", day=day(season.assessment_to))
        )
    plain = {
        "unit": unit.name,
        "contact": places.whom_to_ask(settings),
        "year": season.year,
        "service_days": settings.service_days,
        "opens": opens,
        "registration_open": season.registration_open(today),
        "assessment_open": season.assessment_open(today),
    }
    row = assessments.of_person(conn, person.id, season.year)
    if row is None:
        return View(**plain)  # type: ignore[arg-type]
    given = answering.read(conn, row)
    returned = tuple(
        (position, indicator.id, answer.return_reason)
        for position, indicator in enumerate(given.criteria.indicators, 1)
        if (answer := given.answers.get(indicator.id)) is not None and answer.return_reason
    )
    review = reviews.last(conn, row.id)
    if review is not None and turn.now < review.undo_until and row.status in ("approved", "not_met", "returned"):
        # Until the officer can no longer take it back, the citizen sees the dossier as waiting.
        row, review, returned = _as_submitted(row), None, ()
    return View(
        **plain,  # type: ignore[arg-type]
        row=row,
        score=given.score,
        answers=given.answers,
        criteria=given.criteria,
        review=review,
        returned=returned,
    )


def _as_submitted(row: AssessmentRow) -> AssessmentRow:
    return replace(row, status="submitted", decided_at=None)


def load(turn: Turn, state: object) -> View:
    """Read."""
    return read(turn, turn.person)


def line(view: View) -> str:
    """Where it stands, in one or two lines (for home)."""
    row = view.row
    if row is None:
        return (
            _("standing.none", year=view.year) if view.registration_open else _("standing.none_closed", year=view.year)
        )
    if row.status in ("registered", "draft") and view.opens:
        return view.opens
    if row.status == "draft":
        assert view.criteria is not None and view.score is not None
        return _("standing.line.draft", done=view.score.answered, of=len(view.criteria.indicators))
    if row.status == "returned":
        return _("standing.line.returned", n=number(len(view.returned)))
    return _(f"standing.line.{row.status}", code=row.code, unit=view.unit)


def steps(view: View) -> list[Choice]:
    """What the citizen may do next, the likely one first."""
    row = view.row
    if row is None:
        return [Choice("register", _("standing.register", year=view.year), "main")] if view.registration_open else []
    found: list[Choice] = []
    match row.status:
        case "registered" if view.assessment_open:
            found.append(Choice("start", _("standing.start"), "main"))
        case "draft" if view.assessment_open:
            found.append(Choice("go_on", _("standing.go_on"), "main"))
        case "returned" if view.assessment_open or view.returned:
            found.extend(
                Choice(f"mend:{indicator}", _("standing.mend", n=position), "main")
                for position, indicator, _reason in view.returned
            )
            found.append(Choice("go_on", _("standing.resubmit")))
        case "withdrawn" if view.assessment_open:
            found.append(Choice("start", _("standing.start_anew"), "main"))
    found.append(Choice("standing", _("standing.open"), "quiet"))
    return found


def show(state: object, view: View) -> Screen:
    """The dossier, or the question before something that cannot be taken back lightly."""
    match state:
        case ConfirmWithdraw():
            return Screen(
                _("standing.withdraw_text", code=view.row.code if view.row else ""),
                (Choice("withdraw", _("standing.withdraw_yes"), "danger"), Choice(BACK, _("standing.keep"), "main")),
            )
        case ConfirmStartAgain():
            return Screen(
                _("standing.again_text"),
                (Choice("again", _("standing.again_yes"), "danger"), Choice(BACK, _("standing.keep"), "main")),
            )
    if view.row is None:
        return Screen(line(view), (*(each for each in steps(view) if each.id != "standing"), _home()))
    return Screen("\n\n".join(_paragraphs(view)), (*_choices(view),), title=_("standing.title", year=view.year))


def _home() -> Choice:
    return Choice(BACK, _("choice.home"), "quiet")


def _paragraphs(view: View) -> list[str]:
    row = view.row
    assert row is not None and view.criteria is not None and view.score is not None
    parts = [_("standing.code", code=row.code, status=_(f"status.{row.status}"), unit=view.unit)]
    match row.status:
        case "registered" | "draft":
            parts.append(line(view))
        case "submitted":
            parts.append(answering.service_line(view.service_days))
        case "returned":
            parts.append(_("standing.returned", n=number(len(view.returned))))
            parts.extend(
                _("standing.returned_one", n=position, reason=reason) for position, _indicator, reason in view.returned
            )
        case "approved":
            parts.append(_("standing.approved", total=number(view.score.total)))
        case "not_met":
            reason = view.review.reason if view.review and view.review.reason else ""
            parts.append(_("standing.not_met", total=number(view.score.total), reason=reason))
        case "withdrawn":
            parts.append(_("standing.withdrawn"))
    if view.answers and row.status in ("approved", "not_met", "submitted", "returned"):
        for position, indicator in enumerate(view.criteria.indicators, 1):
            answer = view.answers.get(indicator.id)
            if answer is not None and answer.officer_level:
                parts.append(
                    _(
                        "standing.officer_level",
                        n=position,
                        own=answering.level_name(view.criteria, answer.level),
                        officer=answering.level_name(view.criteria, answer.officer_level),
                        reason=answer.officer_reason,
                    )
                )
    if view.contact:
        parts.append(view.contact)
    return [part for part in parts if part]


def _choices(view: View) -> list[Choice]:
    row = view.row
    assert row is not None
    found = [each for each in steps(view) if each.id != "standing"]
    if row.status in ("registered", "draft", "submitted", "returned"):
        found.append(Choice("ask_withdraw", _("standing.withdraw"), "quiet"))
    if row.status == "draft":
        found.append(Choice("ask_again", _("standing.again"), "quiet"))
    found.append(Choice("resume_code", _("standing.resume_code"), "quiet"))
    found.append(_home())
    return found


def take(turn: Turn, state: object, view: View, act: Act) -> Next:
    """Confirmed withdrawal and restart; everything else leads on."""
    match state, act:
        case (ConfirmWithdraw(assessment), Pressed("withdraw")):
            return _withdraw(turn, assessment)
        case (ConfirmStartAgain(assessment), Pressed("again")):
            assessments.start_again(turn.conn, assessment, turn.actor, turn.now)
            from dialogs import questions

            return questions.begin(turn, assessment, _("standing.again_done"))
        case ((ConfirmWithdraw() | ConfirmStartAgain()), _):
            return Next(Standing())
        case (Standing(), Pressed(choice)):
            return step(turn, view, choice)
    return Next(state)


def step(turn: Turn, view: View, choice: str) -> Next:
    """One of :func:`steps` or of the dossier's own choices was taken."""
    from dialogs import questions
    from dialogs.home import Home

    row = view.row
    if choice == "register" and row is None:
        return register(turn)
    if choice == "resume_code":
        code = people.new_resume_code(turn.conn, turn.person.id, turn.now)
        return Next(Standing(), _("standing.new_resume", resume=code))
    if choice == BACK:
        return Next(Home())
    if choice == "standing" or row is None:
        return Next(Standing())
    if choice == "ask_withdraw":
        return Next(ConfirmWithdraw(row.id))
    if choice == "ask_again":
        return Next(ConfirmStartAgain(row.id))
    if choice in ("start", "go_on"):
        return questions.begin(turn, row.id)
    if choice.startswith("mend:"):
        return questions.mend(turn, row, choice.removeprefix("mend:"))
    return Next(Standing())


def register(turn: Turn) -> Next:
    """/dangky: register for the season. Raises ``Refused("registration_closed")``."""
    from dialogs.questions import Welcome

    person = turn.person
    unit = places.here(turn, person.unit_id)
    season = places.windows(turn, unit)
    there = assessments.of_person(turn.conn, person.id, season.year)
    if there is not None:
        return Next(Standing(), _("standing.registered_before", year=season.year))
    if not season.registration_open(places.today(turn)):
        raise Refused("registration_closed", opens=day(season.registration_from), closes=day(season.registration_to))
    given = places.current_criteria()
    row = assessments.register(turn.conn, person, season.year, given.id, given.version, turn.now)
    return Next(Welcome(row.id), _("standing.registered_now", year=season.year))


def _withdraw(turn: Turn, assessment: int) -> Next:
    before = assessments.by_id(turn.conn, assessment)
    row = assessments.withdraw(turn.conn, assessment, turn.actor, turn.now)
    if before is not None and before.status == "submitted":
        notices.to_officers(turn, row.unit_id, "notice.withdrawn", code=row.code)
    return Next(Standing(), _("standing.withdrawn_done"))
