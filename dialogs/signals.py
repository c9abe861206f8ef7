"""Signals: what the machine tells a contact between its own acts. Each becomes notices beside the open question."""

from __future__ import annotations

from collections.abc import Sequence

from dialogs import reporting
from dialogs.model import Screen, Signal
from dialogs.states import Turn
from storage import reach


def take(turn: Turn, signal: Signal) -> Sequence[Screen]:
    """The notices of a signal; it may change rows of its own, never the state of the conversation."""
    match signal.kind:
        case "chart":
            return reporting.chart_ready(turn, signal.data)
        case "blocked":
            reach.lost(turn.conn, turn.chat.account, turn.chat.address, "blocked", turn.now)
            return ()
        case "unblocked":
            reach.found(turn.conn, turn.chat.account, turn.chat.address)
            return ()
    raise ValueError(f"no signal {signal.kind!r}")
