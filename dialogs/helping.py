"""Being built."""

from dialogs.states import Next, Turn


def open_help(turn: Turn, state: object, rest: str) -> Next:
    return Next(state)
