"""States of dialogs: small frozen models, registered by name, kept as JSON in the conversation.

A dialog is a module with states and three functions: ``load(turn, state) -> View`` reads, ``show(state, view) ->
Screen`` is pure, ``take(turn, state, view, act) -> Next`` decides and calls storage verbs. What a person sees is always
``show``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Protocol, TypeVar, dataclass_transform

from dialogs.model import Act, Capabilities, Screen
from reports.schedules import DEFAULTS, Schedule
from storage.base import Connection
from storage.conversations import Chat
from storage.evidence import Quota
from storage.identity import KeyRing
from storage.officers import OfficerRow
from storage.people import PersonRow


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator of the server decides and dialogs must know. Seconds and days as named."""

    undo_seconds: int = 60
    stale_queue_days: int = 5
    history_days: int = 180
    keep_years: int = 5
    public_url: str = ""
    demo: bool = False
    quota: Quota = field(default_factory=Quota)
    schedules: tuple[Schedule, ...] = DEFAULTS
    keys: Callable[[], KeyRing] | None = field(default=None, repr=False)  # of id numbers; without any none is asked for


@dataclass(frozen=True, slots=True)
class Turn:
    """What a dialog may use: the transaction, the chat with its person, the officer, the clock, the operator's
    rules."""

    conn: Connection
    chat: Chat
    officer: OfficerRow | None
    now: datetime
    rules: Rules
    capabilities: Capabilities
    memo: dict[tuple[str, int], Any] = field(default_factory=dict)
    network: str = field(default="", repr=False)  # where the act came from, if the channel knows
    message: int = 0  # the person's own message, where the channel can delete it
    numbers: tuple[str, ...] = field(default=(), repr=False)  # secret: stated in this act, and kept nowhere as they are
    hidden: bool = False  # the act held a secret number, which what comes after the edge does not see

    @property
    def person(self) -> PersonRow:
        """The person who speaks; a dialog that uses this is only reached by one who has joined."""
        assert self.chat.person is not None
        return self.chat.person

    @property
    def actor(self) -> str:
        """The person as the audit trail names them."""
        return f"person:{self.chat.person.id}" if self.chat.person else f"contact:{self.chat.contact_id}"


@dataclass(frozen=True, slots=True)
class Next:
    """Where the conversation goes.

    ``note`` is one line above the next screen. ``reread`` says that the chat's person, officer or language changed.
    ``puzzled``: the act made no sense here, so the line of help goes above the same screen.
    ``farewell`` ends it: the contact has been forgotten, and only this screen is still sent.
    """

    state: Any
    note: str = ""
    reread: bool = False
    puzzled: bool = False
    farewell: Screen | None = None


class Dialog(Protocol):
    """A dialog module. ``FLEETING = True`` in it: its screens show an officer other people's data, and leave no
    history."""

    load: Callable[[Turn, Any], Any]
    show: Callable[[Any, Any], Screen]
    take: Callable[[Turn, Any, Any, Act], Next]


_STATES: dict[str, type] = {}
_T = TypeVar("_T")


@dataclass_transform(frozen_default=True)
def state(cls: type[_T]) -> type[_T]:
    """Make a class a state: frozen, and known by ``module.Class`` (a renamed one falls back to home, draft intact)."""
    made = dataclass(frozen=True, slots=True)(cls)
    _STATES[f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"] = made
    return made


def encode_state(given: Any) -> str:
    """``{"is": "questions.Asking", "assessment": 7, …}``."""
    cls = type(given)
    raw = {"is": f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"}
    raw.update((each.name, getattr(given, each.name)) for each in fields(cls))
    return json.dumps(raw, ensure_ascii=False, separators=(",", ":"))


def decode_state(text: str) -> Any | None:
    """The state, or ``None`` when it is not known any more (after a deploy) or does not fit."""
    try:
        raw = json.loads(text)
        cls = _STATES[raw.pop("is")]
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def dialog_of(given: Any) -> Dialog:
    """The module that a state belongs to."""
    return sys.modules[type(given).__module__]
