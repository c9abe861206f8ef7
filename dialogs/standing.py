"""Where a citizen's dossier stands (/hoso), and what they may do about it: go on, mend, withdraw, start again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from criteria import CriteriaSet, Score
from dialogs import answering, handing_in, idnumber, notices, places
from dialogs.model import Act, Choice, Pressed, Screen
from dialogs.states import Next, Turn, encode_state, state
from dialogs.text import BACK, clipped
from locales import _, day, number
from storage import assessments, outbox, people, reviews
from storage.assessments import AnswerRow, AssessmentRow
from storage.base import Refused
from storage.people import PersonRow
from storage.reviews import ReviewRow

NEWS_DAYS = 90  # how long a decision on last year's dossier is still shown
_BESIDE = 700  # characters of a screen kept free for title, note and numbered choices


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
    """A person's dossier: this year's, or last year's while there is none and that one is still news.

    *year* is this year, *opens* and *mend_open* speak of the dossier's own. *earlier* is last year's dossier beside
    this year's: its code and status.
    """

    unit: str
    contact: str
    year: int
    service_days: int | None
    opens: str
    registration_open: bool
    assessment_open: bool
    mend_open: bool = False
    registered: bool = False
    room: int = 4000
    earlier: tuple[str, str] | None = None
    row: AssessmentRow | None = None
    score: Score | None = None
    answers: dict[str, AnswerRow] | None = None
    criteria: CriteriaSet | None = None
    review: ReviewRow | None = None
    returned: tuple[tuple[int, str, str], ...] = ()  # number, indicator, reason
    pictures: tuple[int, int] = (0, 0)  # here, with those on their way
    id_wanted: bool = False  # the unit requires a personal id number, and none is kept
    asked_again: tuple[int, ...] = ()  # of a form handed in: the numbers of the questions that it waits for


def read(turn: Turn, person: PersonRow) -> View:
    """Everything about this year's dossier, and what is still news of last year's."""
    conn = turn.conn
    year = places.today(turn).year
    row = assessments.of_person(conn, person.id, year)
    before = _news(turn, assessments.of_person(conn, person.id, year - 1))
    if row is None:
        return _view(turn, person, before)
    view = _view(turn, person, row)
    return view if before is None else replace(view, earlier=(before.code, before.status))


def _news(turn: Turn, row: AssessmentRow | None) -> AssessmentRow | None:
    """Last year's dossier as its citizen may see it, while it waits or has just been decided."""
    if row is None:
        return None
    seen = answering.visible(turn, row)
    decided = seen.decided_at is not None and turn.now - seen.decided_at < timedelta(days=NEWS_DAYS)
    return seen if seen.status in ("submitted", "returned") or decided else None


def _view(turn: Turn, person: PersonRow, row: AssessmentRow | None) -> View:
    unit = places.here(turn, person.unit_id)
    settings = places.settings(turn, unit)
    today = places.today(turn)
    season = places.windows(turn, unit)
    own = season if row is None else places.windows(turn, unit, row.year)
    view = View(
        unit=unit.name,
        contact=places.whom_to_ask(settings),
        year=season.year,
        service_days=settings.service_days,
        opens=places.when_open(turn, own),
        registration_open=season.registration_open(today),
        assessment_open=own.assessment_open(today),
        mend_open=own.assessment_open(today) or own.decision_open(today),
        registered=row is not None and row.year == season.year,
        room=turn.capabilities.text_limit - _BESIDE,
        id_wanted=idnumber.wanting(turn, unit),
    )
    if row is None:
        return view
    seen = answering.as_citizen_sees(turn, row)
    if seen.row.status in ("approved", "not_met"):
        view = replace(view, id_wanted=False)
    given = seen.sheet
    if row.handed_in_at is not None:
        asked = handing_in.asked_again(turn.conn, given)
        view = replace(
            view,
            assessment_open=today <= own.decision_to,
            pictures=given.pictures,
            asked_again=tuple(answering.position(given.criteria, id) for id in asked),
        )
    returned = tuple(
        (position, indicator.id, answer.return_reason)
        for position, indicator in enumerate(given.criteria.indicators, 1)
        if (answer := given.answers.get(indicator.id)) is not None and answer.return_reason
    )
    return replace(
        view,
        row=seen.row,
        score=given.score,
        answers=given.answers,
        criteria=given.criteria,
        review=seen.review,
        returned=returned,
    )


def load(turn: Turn, state: object) -> View:
    """Read. Raises ``Refused("assessment_gone")`` when the person has gone meanwhile, or the dossier in question."""
    person = turn.chat.person
    if person is None:
        raise Refused("assessment_gone")
    if isinstance(state, ConfirmWithdraw | ConfirmStartAgain):
        row = assessments.by_id(turn.conn, state.assessment)
        if row is None or row.person_id != person.id:
            raise Refused("assessment_gone")
        return _view(turn, person, row)
    return read(turn, person)


def line(view: View) -> str:
    """Where it stands, in one or two lines (for home)."""
    row = view.row
    if row is None:
        return (
            _("standing.none", year=view.year) if view.registration_open else _("standing.none_closed", year=view.year)
        )
    if row.handed_in_at is not None:
        return _handed_in(view, row)
    if row.status in ("registered", "draft") and view.opens:
        return view.opens
    if row.status == "draft":
        assert view.criteria is not None and view.score is not None
        return _("standing.line.draft", done=view.score.answered, of=len(view.criteria.indicators))
    if row.status == "returned":
        return _("standing.line.returned", n=number(len(view.returned)))
    return _(f"standing.line.{row.status}", code=row.code, unit=view.unit)


def _handed_in(view: View, row: AssessmentRow) -> str:
    """Handed in, and not in the queue yet: what it waits for."""
    if view.asked_again:
        questions = ", ".join(str(position) for position in view.asked_again)
        return _("standing.line.handed_in_wanting", code=row.code, questions=questions)
    here, of = view.pictures
    return _("standing.line.handed_in", code=row.code, here=number(here), of=number(of))


def wanted(view: View) -> str:
    """What the unit still wants to know of the citizen, in a line; mostly nothing."""
    return _("idnumber.wanted") if view.id_wanted else ""


def steps(view: View) -> list[Choice]:
    """What the citizen may do next, the likely one first."""
    row = view.row
    found: list[Choice] = [Choice("id_number", _("mydata.give.id_number"))] if view.id_wanted else []
    if not view.registered and view.registration_open:
        look = "main" if row is None else "plain"
        found.append(Choice("register", _("standing.register", year=view.year), look))
    if row is None:
        return found
    match row.status:
        case "registered" if view.assessment_open:
            found.append(Choice("start", _("standing.start"), "main"))
        case "draft" if view.assessment_open:
            found.append(Choice("go_on", _("standing.go_on"), "main"))
        case "returned" if view.mend_open:
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
        text = "\n\n".join(filter(None, (line(view), wanted(view))))
        return Screen(text, (*(each for each in steps(view) if each.id != "standing"), _home()))
    return Screen("\n\n".join(_paragraphs(view)), (*_choices(view),), title=_("standing.title", year=view.row.year))


def _home() -> Choice:
    return Choice(BACK, _("choice.home"), "quiet")


def _paragraphs(view: View) -> list[str]:
    row = view.row
    assert row is not None and view.criteria is not None and view.score is not None
    status = _(f"status.{row.status}")
    if row.handed_in_at is not None:
        status = _("status.handed_in_wanting" if view.asked_again else "status.handed_in")
    parts = [_("standing.code", code=row.code, status=status, unit=view.unit)]
    if row.handed_in_at is not None and row.status == "returned":
        parts.append(line(view))
    match row.status:
        case "registered" | "draft":
            parts.append(line(view))
        case "submitted":
            parts.append(answering.service_line(view.service_days))
        case "returned":
            parts.append(_("standing.returned", n=number(len(view.returned))))
            # Where many share the screen each is cut short: the whole reason stands on the question itself.
            most = _share(view)
            parts.extend(
                _("standing.returned_one", n=position, reason=clipped(reason, most))
                for position, _indicator, reason in view.returned
            )
            if not view.mend_open:
                parts.append(view.opens)
        case "approved":
            parts.append(_("standing.approved", total=number(view.score.total)))
        case "not_met":
            reason = view.review.reason if view.review and view.review.reason else ""
            parts.append(_("standing.not_met", total=number(view.score.total), reason=reason))
        case "withdrawn":
            parts.append(_("standing.withdrawn"))
    parts.extend(_officer_levels(view))
    parts.append(wanted(view))
    if view.contact:
        parts.append(view.contact)
    if view.earlier is not None:
        code, status = view.earlier
        parts.append(_("standing.earlier", code=code, status=_(f"status.{status}")))
    return [part for part in parts if part]


def _levelled(view: View) -> list[tuple[int, AnswerRow]]:
    """The questions at which an officer gave another level, with their numbers."""
    assert view.criteria is not None
    answers = view.answers or {}
    return [
        (position, answer)
        for position, indicator in enumerate(view.criteria.indicators, 1)
        if (answer := answers.get(indicator.id)) is not None and answer.officer_level
    ]


# Characters of the sentences around a reason, at most.
_AROUND_RETURN, _AROUND_LEVEL = 30, 110
_SHORTEST = 40  # an officer's reason cut shorter than this says nothing


def _share(view: View) -> int:
    """How many characters each reason may have, so that all of them fit on the screen."""
    levels, returns = len(_levelled(view)), len(view.returned)
    room = view.room - 300 - returns * _AROUND_RETURN - levels * _AROUND_LEVEL
    return max(_SHORTEST, room // max(1, levels + returns))


def _officer_levels(view: View) -> list[str]:
    assert view.criteria is not None
    most = _share(view)
    found = []
    for position, answer in _levelled(view):
        assert answer.officer_level is not None
        found.append(
            _(
                "standing.officer_level" if most > _SHORTEST else "standing.officer_level_short",
                n=position,
                own=answering.level_name(view.criteria, answer.level),
                officer=answering.level_name(view.criteria, answer.officer_level),
                reason=clipped(answer.officer_reason or "", most),
            )
        )
    return found


LEVEL_KEYS = ("standing.officer_level", "standing.officer_level_short")


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
    if choice == "register":
        return register(turn)
    if choice == "resume_code":
        code = people.new_resume_code(turn.conn, turn.person.id, turn.now)
        return Next(Standing(), _("standing.new_resume", resume=code))
    if choice == BACK:
        return Next(Home())
    if choice == "id_number" and view.id_wanted:
        return Next(idnumber.Wanted(encode_state(Standing())))
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
    before = assessments.locked(turn.conn, assessment)
    if answering.visible(turn, before).status != before.status:
        raise Refused("assessment_busy")  # decided, but it may still be taken back: nobody knows yet
    row = assessments.withdraw(turn.conn, assessment, turn.actor, turn.now)
    decided = reviews.last(turn.conn, assessment)
    if decided is not None:
        outbox.cancel(turn.conn, reviews.topic(decided.id))
    if before.status == "submitted":
        notices.to_officers(turn.conn, turn.now, row.unit_id, "notice.withdrawn", code=row.code)
    return Next(Standing(), _("standing.withdrawn_done"))
