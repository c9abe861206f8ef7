"""The officers' review desk (being built)."""

from dialogs.states import Next, Turn, state


@state
class Queue:
    """/queue"""

    page: int = 0


def approve(turn: Turn, state: object, rest: str) -> Next:
    return Next(state)


give_back = not_met = undo = approve


def open_dossier(turn: Turn, printed: str) -> Next:
    return Next(Queue())
