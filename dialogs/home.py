"""Home: where a chat stands when nothing is open. A stranger is asked for a unit; a citizen and an officer see
what is next."""

from __future__ import annotations

from dataclasses import dataclass

from dialogs import joining, places, standing
from dialogs.model import Act, Choice, Pressed, Screen, Typed
from dialogs.states import Next, Turn, state
from locales import _, number
from storage import assessments, officers


@state
class Home:
    """Nothing is open."""


@dataclass(frozen=True, slots=True)
class View:
    """Who is at home."""

    name: str = ""
    unit: str = ""
    officer: str = ""
    waiting: int = 0
    roles: tuple[str, ...] = ()
    standing: standing.View | None = None


def load(turn: Turn, state: Home) -> View:
    """Read who speaks and what is next for them."""
    officer = turn.officer
    waiting = 0
    if officer is not None:
        waiting = sum(assessments.waiting(turn.conn, role.path) for role in officers.widest(officer))
    person = turn.chat.person
    if person is None:
        return View(
            officer=officer.name if officer else "",
            waiting=waiting,
            roles=tuple(f"{role.role}:{role.unit_name}" for role in officer.roles) if officer else (),
        )
    unit = places.unit_of(turn.conn, person.unit_id)
    return View(
        name=person.name,
        unit=places.place(turn.conn, unit),
        officer=officer.name if officer else "",
        waiting=waiting,
        roles=tuple(f"{role.role}:{role.unit_name}" for role in officer.roles) if officer else (),
        standing=standing.read(turn, person),
    )


def show(state: Home, view: View) -> Screen:
    """The greeting with the next step."""
    choices: list[Choice] = []
    lines: list[str] = []
    if view.officer:
        for role in view.roles:
            kind, _sep, unit = role.partition(":")
            lines.append(_(f"home.role.{kind}", unit=unit))
        lines.append(_("home.waiting", n=number(view.waiting)) if view.waiting else _("home.no_waiting"))
        choices.append(Choice("go:queue", _("home.queue"), "main" if view.waiting else "plain"))
        choices.append(Choice("go:report", _("home.report")))
    if view.standing is not None:
        lines.append(_("home.citizen", unit=view.unit))
        lines.append(standing.line(view.standing))
        if standing.wanted(view.standing):
            lines.append(standing.wanted(view.standing))
        choices.extend(standing.steps(view.standing))
    if view.officer and view.standing is None:
        return Screen("\n".join(lines), tuple(choices), title=_("home.officer", name=view.officer))
    if view.standing is not None:
        return Screen("\n".join(lines), tuple(choices), title=_("home.greeting", name=view.name))
    return Screen(_("home.stranger"), title=_("home.title"), input="unit")


def take(turn: Turn, state: Home, view: View, act: Act) -> Next:
    """A stranger's text is the name of a unit; a citizen's choices lead on."""
    match act:
        case Typed(text) if turn.chat.person is None and turn.officer is None:
            return joining.look_for(turn, text)
        case Pressed(choice) if view.standing is not None:
            return standing.step(turn, view.standing, choice)
    return Next(state)
