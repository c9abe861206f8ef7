"""Detours: help, language and one's own data open beside whatever the chat was doing, and lead back to it.

Somebody who reads the consent and asks for /dulieu first must not have to scan the poster again.
"""

from __future__ import annotations

from dialogs.home import Home
from dialogs.states import Next, decode_state, encode_state


def from_here(state: object) -> str:
    """The way back to a state, kept by a detour's own states as ``way_back``; a detour from a detour leads past it."""
    kept = getattr(state, "way_back", None)
    return kept if isinstance(kept, str) else encode_state(state)


def back(way_back: str, note: str = "", reread: bool = False) -> Next:
    """Go back where the detour began; home, where that is not known any more."""
    return Next(decode_state(way_back) or Home(), note, reread)
