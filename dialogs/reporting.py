"""Reports (being built)."""

from collections.abc import Mapping, Sequence
from typing import Any
from dialogs.model import Screen
from dialogs.states import Next, Turn


def report(turn: Turn, state: object, rest: str) -> Next:
    return Next(state)


def chart_ready(turn: Turn, data: Mapping[str, Any]) -> Sequence[Screen]:
    return ()
