"""/help: what can be done now, by whom to be called, and how to go back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dialogs import detours, places
from dialogs.model import Act, Choice, Screen
from dialogs.states import Next, Turn, state
from dialogs.text import BACK
from locales import _
from storage import units

if TYPE_CHECKING:
    from dialogs.commands import Command

# The lines of the table of commands.
KEYS = (
    "command.hoso", "command.dangky", "command.queue", "command.approve", "command.return", "command.not_met",
    "command.undo", "command.report", "command.target", "command.data", "command.language", "command.help",
    "command.home", "command.lichbaocao", "command.thongbao", "command.tapdung", "command.gopy",
)  # fmt: skip


@state
class Help:
    """The commands of whoever reads."""

    way_back: str


@dataclass(frozen=True, slots=True)
class View:
    """Who reads, what they may use, whom they can call."""

    citizen: bool
    officer: bool
    commands: tuple[Command, ...]
    contact: str


def open_help(turn: Turn, state: object, rest: str) -> Next:
    """/help."""
    return Next(Help(detours.from_here(state)))


def load(turn: Turn, state: Help) -> View:
    """Read who is there."""
    from dialogs.commands import COMMANDS  # the table of commands leads to help, and help reads the table

    citizen, officer = turn.chat.person is not None, turn.officer is not None
    usable = {"any": True, "citizen": citizen, "officer": officer}
    return View(
        citizen,
        officer,
        tuple(command for command in COMMANDS if command.key and usable[command.who]),
        _contact(turn),
    )


def _contact(turn: Turn) -> str:
    """The contact of the citizen's unit, else of the officer's own, as they or a unit above have set it."""
    unit_id = None
    if turn.chat.person is not None:
        unit_id = turn.chat.person.unit_id
    elif turn.officer is not None and turn.officer.roles:
        unit_id = turn.officer.roles[0].unit_id
    unit = units.by_id(turn.conn, unit_id) if unit_id is not None else None
    return places.whom_to_ask(units.settings(turn.conn, unit)) if unit is not None else ""


def show(state: Help, view: View) -> Screen:
    """The commands, one a line, and the most wanted as buttons."""
    paragraphs = [
        _("help.how") if view.citizen or view.officer else _("help.stranger"),
        "\n".join(_line(command) for command in view.commands),
        *([_("help.no_id_card")] if view.citizen else []),
        view.contact or _("help.no_contact"),
        _("help.back"),
    ]
    return Screen("\n\n".join(paragraphs), (*_choices(view), Choice(BACK, _("choice.back"))), title=_("help.title"))


def _line(command: Command) -> str:
    name, *aliases = (f"/{name}" for name in command.names)
    what = _(command.key)
    return _("help.line_alias", name=name, alias=aliases[0], what=what) if aliases else f"{name}: {what}"


def _choices(view: View) -> list[Choice]:
    choices = []
    if view.officer:
        choices.append(Choice("go:queue", _("home.queue"), "main"))
        choices.append(Choice("go:report", _("home.report")))
    if view.citizen:
        choices.append(Choice("go:hoso", _("help.go.hoso"), "plain" if view.officer else "main"))
    choices.append(Choice("go:dulieu", _("help.go.data")))
    choices.append(Choice("go:ngonngu", _("language.title")))
    return choices


def take(turn: Turn, state: Help, view: View, act: Act) -> Next:
    """Every button but "back" means the same anywhere; it has been taken before it comes here."""
    return detours.back(state.way_back)
