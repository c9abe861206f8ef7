"""Practice (tập dùng, /tapdung): a guided round of five minutes on made-up dossiers, never counted.

An officer decides three dossiers and reads after each whether that was right; a citizen answers two questions and hands
in. All of it lives in the state of the conversation: nothing is written to any table of the product, so there is
nothing to count and nothing to clean up. A picture sent in practice is kept nowhere: where a channel takes files in
before their act, a mark stands for it. Whoever leaves (/dung) goes on where the chat stood before.
"""

from __future__ import annotations

from dataclasses import replace

from dialogs import detours, places
from dialogs.deciding import RETURN_REASONS
from dialogs.model import Act, Choice, Pressed, Screen, Sent, Typed
from dialogs.states import Next, Turn, decode_state, state
from dialogs.text import BACK
from locales import _, number

# The made-up dossiers, and how each is rightly decided: of a dossier to be returned, for which reason.
RIGHT = {"good": "approve", "blurred": "blurred", "low": "not_met"}
DECISIONS = ("approve", "return", "not_met")
ANSWERS = ("often", "sometimes", "never")
QUESTIONS = 2
MARK = "0" * 64  # in place of a picture's key
_ABOVE, _BELOW = 8, 12  # points over and under what passes


@state
class Choosing:
    """An officer who is a citizen too: which round."""

    before: str


@state
class Queue:
    """An officer's round: the made-up dossiers that wait. *done*: what was decided, ``blurred:approve``."""

    before: str
    done: tuple[str, ...] = ()


@state
class Reading:
    """A made-up dossier is open; *returning*: the reason is asked for."""

    before: str
    dossier: str
    done: tuple[str, ...] = ()
    returning: bool = False


@state
class Told:
    """Whether the last decision was right, and why."""

    before: str
    done: tuple[str, ...]


@state
class Asking:
    """A citizen's round: a made-up question, from 1. *answers*: those before it."""

    before: str
    question: int = 1
    answers: tuple[str, ...] = ()


@state
class Proving:
    """Evidence (minh chứng) for the second answer: any picture, a word, or none."""

    before: str
    answers: tuple[str, ...]


@state
class HandingIn:
    """All is answered: hand in?"""

    before: str
    answers: tuple[str, ...]


@state
class Ended:
    """The end of a round: the receipt, or how many decisions were right (*done*)."""

    before: str
    done: tuple[str, ...] = ()


STATES = (Choosing, Queue, Reading, Told, Asking, Proving, HandingIn, Ended)


# ------------------------------------------------------------------------------------------ ways in and out


def open_practice(turn: Turn, state: object, rest: str) -> Next:
    """/tapdung: the officer's round, the citizen's, or the question which of them."""
    before = _before(state)
    if turn.officer is None:
        return Next(Asking(before))
    return Next(Queue(before) if turn.chat.person is None else Choosing(before))


def _before(state: object) -> str:
    """Where the chat stood before any practice."""
    kept = detours.from_here(state)
    inner = decode_state(kept)
    return str(inner.before) if isinstance(inner, STATES) else kept


def leave(turn: Turn, state: object, rest: str) -> Next:
    """/dung: the end of the practice, and back to where the chat stood."""
    if isinstance(state, STATES):
        return detours.back(state.before, _("practice.left"))
    return Next(state, _("practice.none"))


def takes_pictures(kept: str) -> bool:
    """Does a chat in this state (as the conversation keeps it) practise sending a picture?"""
    return isinstance(decode_state(kept), Proving)


# ------------------------------------------------------------------------------------------ the dialog


def load(turn: Turn, state: object) -> None:
    """Nothing to read: a practice is made up."""


def show(state: object, view: None) -> Screen:
    """Every screen says that it does not count, and can be left."""
    match state:
        case Choosing():
            choices = [Choice("officer", _("practice.round.officer"), "main")]
            choices.append(Choice("citizen", _("practice.round.citizen")))
            return _screen(_("practice.which"), choices)
        case Queue(done=done):
            waiting = _waiting(done)
            choices = [Choice(f"open:{each}", _(f"practice.name.{each}")) for each in waiting]
            return _screen(_("practice.queue", n=number(len(waiting))), choices)
        case Reading(dossier=dossier, returning=True):
            reasons = [Choice(each, _(f"review.return_reason.{each}")) for each in RETURN_REASONS]
            return _screen(_("practice.reason", name=_(f"practice.name.{dossier}")), reasons, back=True)
        case Reading(dossier=dossier):
            choices = [Choice(each, _(f"review.{each}")) for each in DECISIONS]
            return _screen(_card(dossier), choices, back=True)
        case Told(done=done):
            last = not _waiting(done)
            onward = Choice("next", _("practice.to_end" if last else "practice.to_next"), "main")
            return _screen(_feedback(done[-1]), [onward])
        case Asking(question=question):
            choices = [Choice(each, _(f"practice.answer{question}.{each}")) for each in ANSWERS]
            text = _("practice.asked", n=question, of=QUESTIONS, question=_(f"practice.question{question}"))
            return replace(
                _screen(f"{_('practice.begin')}\n\n{text}" if question == 1 else text, choices, back=question > 1),
                progress=(question, QUESTIONS),
            )
        case Proving():
            return replace(
                _screen(_("practice.evidence"), [Choice("pretend", _("practice.pretend"), "main")], back=True),
                input="photo",
            )
        case HandingIn(answers=answers):
            said = "\n".join(_("practice.said", n=n, answer=_answer(n, each)) for n, each in enumerate(answers, 1))
            submit = Choice("submit", _("practice.submit"), "main")
            return _screen(f"{_('practice.overview')}\n\n{said}", [submit], back=True)
        case Ended(done=done):
            text = _("practice.summary", n=_rights(done), of=len(RIGHT)) if done else _("practice.receipt")
            return _screen(text, [Choice("again", _("practice.again"))])
    raise AssertionError(state)


def _screen(text: str, choices: list[Choice], *, back: bool = False) -> Screen:
    ways = (Choice("leave", _("practice.leave"), "quiet"), *([Choice(BACK, _("choice.back"), "quiet")] if back else []))
    return Screen(text, (*choices, *ways), title=_("practice.title"))


def _waiting(done: tuple[str, ...]) -> list[str]:
    decided = {each.partition(":")[0] for each in done}
    return [each for each in RIGHT if each not in decided]


def _card(dossier: str) -> str:
    given = places.current_criteria()
    least = given.thresholds.pass_total
    total = least - _BELOW if dossier == "low" else min(least + _ABOVE, given.max_total)
    points = _("practice.points", total=total, of=given.max_total, least=least)
    return "\n\n".join((_(f"practice.name.{dossier}"), _(f"practice.card.{dossier}"), points))


def _is_right(decided: str) -> bool:
    dossier, _sep, decision = decided.partition(":")
    return RIGHT[dossier] == decision


def _rights(done: tuple[str, ...]) -> int:
    return sum(map(_is_right, done))


def _feedback(decided: str) -> str:
    dossier, _sep, decision = decided.partition(":")
    if decision in RETURN_REASONS and not _is_right(decided):
        decision = "other_reason"
    return _(f"practice.told.{dossier}.{decision}")


def _answer(question: int, answer: str) -> str:
    return _(f"practice.answer{question}.{answer}")


def take(turn: Turn, state: object, view: None, act: Act) -> Next:
    """One step of a round; none writes anything."""
    match state, act:
        case (_, Pressed("leave")):
            return leave(turn, state, "")
        case (Choosing(before), Pressed("officer")):
            return Next(Queue(before))
        case (Choosing(before), Pressed("citizen")):
            return Next(Asking(before))
        case (Queue(before, done), Pressed(choice)) if choice.removeprefix("open:") in _waiting(done):
            return Next(Reading(before, choice.removeprefix("open:"), done))
        case (Reading(returning=True), Pressed("back")):
            return Next(replace(state, returning=False))
        case (Reading(before, _dossier, done), Pressed("back")):
            return Next(Queue(before, done))
        case (Reading(dossier="blurred", returning=False), Pressed("return")):
            return Next(replace(state, returning=True))
        case (Reading(before, dossier, done), Pressed(decision)):
            return Next(Told(before, (*done, f"{dossier}:{decision}")))
        case (Told(before, done), Pressed("next")):
            return Next(Queue(before, done) if _waiting(done) else Ended(before, done))
        case (Asking(before, question, answers), Pressed("back")):
            return Next(Asking(before, question - 1, answers[:-1]))
        case (Asking(before, question, answers), Pressed(answer)) if answer in ANSWERS:
            return _answered(before, question, (*answers, answer))
        case (Proving(before, answers), Pressed("back")):
            return Next(Asking(before, QUESTIONS, answers[:-1]))
        case (Proving(before, answers), Pressed("pretend") | Typed() | Sent()):
            return Next(HandingIn(before, answers), _("practice.proved"))
        case (HandingIn(), Sent()):  # one more picture
            return Next(state, _("practice.proved"))
        case (HandingIn(before, answers), Pressed("back")):
            return Next(Asking(before, QUESTIONS, answers[:-1]))
        case (HandingIn(before), Pressed("submit")):
            return Next(Ended(before))
        case (Ended(before, done), Pressed("again")):
            return Next(Queue(before) if done else Asking(before))
    return Next(state, puzzled=True)


def _answered(before: str, question: int, answers: tuple[str, ...]) -> Next:
    if question < QUESTIONS:
        return Next(Asking(before, question + 1, answers), _("practice.noted"))
    if answers[-1] == "never":  # nothing to prove
        return Next(HandingIn(before, answers))
    return Next(Proving(before, answers))
