"""What the Telegram channel asks of the running bot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dialogs.states import Rules
from dialogs.turn import Taken
from storage.base import Connection
from storage.evidence import Picture
from storage.shared import Locks


@dataclass(frozen=True, slots=True)
class Backend:
    """What the channel asks of the running bot: a turn; a job of the writer and a read (both may raise
    ``TransientFailure``); a stored picture's bytes; to take in a contact's file (raises ``PictureRefused``,
    ``StoreFull``, ``StoreAway``); the operator's rules. Where several processes share the database (``shared``): a turn
    for an update that waits in the inbox (its row), ``None`` when another worker takes it."""

    take: Callable[[Any], Awaitable[Taken]]
    run: Callable[[Callable[[Connection], Any]], Awaitable[Any]]
    read: Callable[[Callable[[Connection], Any]], Awaitable[Any]]
    picture: Callable[[str], Awaitable[bytes | None]]
    take_in: Callable[[int, bytes], Awaitable[tuple[Picture, ...]]]
    rules: Rules
    take_waiting: Callable[[Any, int], Awaitable[Taken | None]]
    shared: Shared | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """What processes on one database share: ``locks`` (a chat's messages are sent by one process at a time), ``say`` a
    word to the others, ``seal`` and ``unseal`` what waits in the inbox."""

    locks: Locks
    say: Callable[[str], None]
    seal: Callable[[str], str]
    unseal: Callable[[str], str]
