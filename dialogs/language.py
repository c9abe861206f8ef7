"""/ngonngu: the language that the bot speaks with this chat. A name of a language stands in that language."""

from __future__ import annotations

from dialogs import detours
from dialogs.model import Act, Choice, Pressed, Screen
from dialogs.states import Next, Turn, state
from dialogs.text import BACK
from locales import LANGUAGES, Voice, _, speaking, voice
from storage import conversations
from storage.gazetteer import fold


@state
class Choosing:
    """Which language."""

    way_back: str


def choose(turn: Turn, state: object, rest: str) -> Next:
    """/ngonngu; with a language behind it (``en``, ``tiếng Việt``) it is set at once."""
    way_back = detours.from_here(state)
    named = _named(rest)
    return _set(turn, named, way_back) if named else Next(Choosing(way_back))


def _named(text: str) -> str | None:
    folded = fold(text)
    return next((each for each in LANGUAGES if folded and folded in (each, fold(_(f"language.{each}")))), None)


def load(turn: Turn, state: Choosing) -> None:
    """Nothing to read."""


def show(state: Choosing, view: None) -> Screen:
    """The languages, the present one as it is."""
    present = voice().language
    choices = (Choice(each, _(f"language.{each}"), "plain" if each == present else "main") for each in LANGUAGES)
    return Screen(
        _("language.ask"),
        (*choices, Choice(BACK, _("choice.back"), "quiet")),
        title=_("language.title"),
    )


def take(turn: Turn, state: Choosing, view: None, act: Act) -> Next:
    """Set it, and go on where the chat was."""
    match act:
        case Pressed(choice) if choice in LANGUAGES:
            return _set(turn, choice, state.way_back)
        case Pressed():
            return detours.back(state.way_back)
    return Next(state)


def _set(turn: Turn, language: str, way_back: str) -> Next:
    conversations.set_language(turn.conn, turn.chat.contact_id, language)
    with speaking(Voice(language, voice().form)):
        note = _("language.done")
    return detours.back(way_back, note, reread=True)
