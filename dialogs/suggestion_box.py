"""The suggestions (góp ý) that an officer reads: open and answered ones, and answering. Who wrote them is not shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dialogs import notices
from dialogs.home import Home
from dialogs.model import Act, Choice, Pressed, Screen, Typed
from dialogs.states import Next, Turn, state
from dialogs.text import BACK, clean, clipped
from dialogs.waiting import officer_of
from locales import _, day, number
from storage import desks, officers, suggestions
from storage import reach as reaches
from storage.suggestions import SuggestionRow

PAGE = 8
LABEL = 48  # characters of a suggestion on its button
QUOTE = 200  # and in the answer's notice

FLEETING = True  # what other people wrote


@state
class Box:
    """A page of the open suggestions, or of the answered ones."""

    answered: bool = False
    page: int = 0


@state
class Reading:
    """A suggestion is open; an answer may be typed."""

    suggestion: int
    answered: bool = False


@state
class Confirming:
    """Send this answer? No text is left of it once the suggestion has been erased."""

    suggestion: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """A page of suggestions with how many there are open and answered, or one of them and who answered it."""

    rows: tuple[SuggestionRow, ...] = ()
    opened: int = 0
    answered: int = 0
    page: int = 0
    pages: int = 1
    by: str = ""


def load(turn: Turn, state: object) -> View:
    """Read. Raises ``Refused``: ``officer_signed_out``; ``suggestion_gone``, ``out_of_scope`` for one of them."""
    conn, officer = turn.conn, officer_of(turn)
    if not isinstance(state, Box):
        row = suggestions.opened(conn, officer, state.suggestion)  # type: ignore[attr-defined]
        return View((row,), by=officers.name_of(conn, row.answered_by) if row.answered_by is not None else "")
    opened, answered = (suggestions.count(conn, officer, answered=each) for each in (False, True))
    pages = max(1, -(-(answered if state.answered else opened) // PAGE))
    page = min(max(state.page, 0), pages - 1)
    rows = suggestions.to_read(conn, officer, PAGE, page * PAGE, answered=state.answered)
    return View(tuple(rows), opened, answered, page, pages)


def show(state: object, view: View) -> Screen:
    """The list, one suggestion, or the answer once more before it goes."""
    return replace(_show(state, view), about=tuple(desks.mark_of_suggestion(row.id) for row in view.rows))


def _show(state: object, view: View) -> Screen:
    match state:
        case Box(answered=answered):
            return _show_box(view, answered)
        case Reading():
            return _show_one(view)
        case Confirming(text=text):
            choices = (
                Choice("send", _("suggest.send_answer"), "main"),
                Choice("again", _("suggest.again")),
                Choice(BACK, _("choice.back"), "quiet"),
            )
            parts = (_("suggest.confirm_answer"), _quoted(view.rows[0]), _("suggest.answer", text=text))
            return Screen("\n\n".join(parts), choices, title=_("suggest.title_box"))
    raise AssertionError(state)


def _show_box(view: View, answered: bool) -> Screen:
    if answered:
        text = _("suggest.box_answered", n=number(view.answered))
    else:
        text = _("suggest.box_open", n=number(view.opened)) if view.opened else _("suggest.box_empty")
    choices = [Choice(f"open:{row.id}", _label(row)) for row in view.rows]
    if view.page + 1 < view.pages:
        choices.append(Choice("later", _("review.queue.next_page"), "quiet"))
    if view.page:
        choices.append(Choice("earlier", _("review.queue.previous_page"), "quiet"))
    if answered:
        choices.append(Choice("opened", _("suggest.see_open", n=number(view.opened)), "quiet"))
    elif view.answered:
        choices.append(Choice("answered", _("suggest.see_answered", n=number(view.answered)), "quiet"))
    choices.append(Choice("write", _("suggest.own"), "quiet"))
    return Screen(text, (*choices, Choice(BACK, _("choice.home"), "quiet")), title=_("suggest.title_box"))


def _label(row: SuggestionRow) -> str:
    return _("suggest.row", day=day(row.made_at), unit=row.unit_name, text=clipped(" ".join(row.text.split()), LABEL))


def _show_one(view: View) -> Screen:
    row, back = view.rows[0], Choice(BACK, _("choice.back"), "quiet")
    who = _("suggest.from", unit=row.unit_name, day=day(row.made_at))
    if row.answer is not None and row.answered_at is not None:
        answered = _("suggest.answered_by", name=view.by, day=day(row.answered_at), text=row.answer)
        return Screen("\n\n".join((who, row.text, answered)), (back,), title=_("suggest.title_box"))
    how = _("suggest.how_to_answer", most=number(suggestions.LONGEST_ANSWER))
    return Screen("\n\n".join((who, row.text, how)), (back,), title=_("suggest.title_box"), input="text")


def _quoted(row: SuggestionRow) -> str:
    return _("suggest.line", day=day(row.made_at), text=clipped(row.text, QUOTE))


def take(turn: Turn, state: object, view: View, act: Act) -> Next:
    """Open one, answer it, turn a page. Raises ``Refused`` as :func:`storage.suggestions.answer`."""
    officer_of(turn)
    match state, act:
        case (Box(), Pressed("back")):
            return Next(Home())
        case (Box(answered), Pressed(("later" | "earlier") as way)):
            return Next(Box(answered, view.page + (1 if way == "later" else -1)))
        case (Box(), Pressed(("opened" | "answered") as which)):
            return Next(Box(which == "answered"))
        case (Box(), Pressed("write")):
            from dialogs import suggesting  # which opens this list

            return suggesting.write(turn, state)
        case (Box(answered), Pressed(choice)) if choice.startswith("open:"):
            return Next(Reading(int(choice.removeprefix("open:")), answered))
        case (Reading(_suggestion, answered), Pressed("back")):
            return Next(Box(answered))
        case (Reading(suggestion), Typed(text)) if view.rows[0].answer is None:
            return Next(Confirming(suggestion, suggestions.checked_answer(clean(text), turn.rules.public_url)))
        case (Confirming(suggestion), Pressed("again" | "back")):
            return Next(Reading(suggestion))
        case (Confirming(suggestion, text), Pressed("send")):
            _answer(turn, suggestion, text)
            return Next(Box(), _("suggest.answered"))
    return Next(state, puzzled=True)


def _answer(turn: Turn, suggestion: int, text: str) -> None:
    row = suggestions.answer(turn.conn, officer_of(turn), suggestion, text, turn.rules.public_url, turn.now)

    def notice() -> Screen:
        parts = (_("suggest.answer_notice", unit=row.unit_name), _quoted(row), _("suggest.answer", text=text))
        mark = desks.mark_of_suggestion(row.id)
        return Screen("\n\n".join(parts), (Choice("go:gopy", _("suggest.mine")),), about=(mark,))

    if row.person_id is not None:
        notices.to_person(turn.conn, turn.now, row.person_id, notice)
        return
    assert row.officer_id is not None
    reach = reaches.of_officer(turn.conn, row.officer_id)
    if reach is not None:
        notices.to_contact(turn.conn, turn.now, reach, "anh_chi", notice)
