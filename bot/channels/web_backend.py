"""What the browser channel asks of the running bot, and what passes between them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from dialogs.model import Incoming
from storage.evidence import Picture


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for one address: its number in the chat's history, the screen as JSON, when (UTC)."""

    id: int
    body: str
    at: datetime


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of a chat's history. Numbers grow within an address and are those of :class:`Outgoing`.

    ``direction``: ``out`` (``body`` is a screen, see :func:`dialogs.model.encode_screen`) or ``in`` (``body`` is
    what the person said, ``{"text": "…"}`` and/or ``{"pictures": [[key, ""], …]}``; then ``event`` is the id of the
    event, by which the page knows the bubble that it drew itself).
    """

    id: int
    direction: str
    body: str
    at: datetime
    event: str = ""


@dataclass(frozen=True, slots=True)
class Landing:
    """What the page behind a QR shows: the unit, what it lies in (nearest first), the code to type, other messengers.

    ``links`` are (label, https address).
    """

    unit: str
    within: tuple[str, ...]
    code: str
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Seat:
    """A person of the demo: where their chat is mounted (``/demo/citizen``), a caption, the link that they open."""

    prefix: str
    title: str
    payload: str


@dataclass(frozen=True, slots=True)
class Backend:
    """What the channel asks of the rest of the program. An ``address`` is 64 hex digits.

    - ``take(incoming)`` runs a turn and returns after its commit: the new messages for that address. An event that
      was taken before has no effect again; whatever is undelivered is returned.
    - ``history(address, after)``: the lines above number *after*, in order (0: the newest few hundred).
    - ``subscribe(address)``: inside, lines are put on the queue as they are committed, by whichever tab or officer.
    - ``may_upload(address)`` is asked before a file is read; raises as ``upload`` does.
    - ``upload(address, data)`` takes a file in as this address's: its pictures. Raises ``PictureRefused``, also
      ``not_yet`` while nobody joined there, ``day_full``.
    - ``picture(address, key, small)``: the bytes, only for whom they are meant; *small*: of its thumbnail, if it has
      one.
    - ``landing(payload)``: a pure read; ``None`` for a wrong code.
    - ``forget(address)``: the person leaves this browser ("Không phải tôi").
    """

    take: Callable[[Incoming], Awaitable[tuple[Outgoing, ...]]]
    history: Callable[[str, int], Awaitable[tuple[HistoryLine, ...]]]
    subscribe: Callable[[str], AbstractContextManager[asyncio.Queue[HistoryLine]]]
    may_upload: Callable[[str], Awaitable[object]]
    upload: Callable[[str, bytes], Awaitable[tuple[Picture, ...]]]
    picture: Callable[[str, str, bool], Awaitable[bytes | None]]
    landing: Callable[[str], Awaitable[Landing | None]]
    forget: Callable[[str], Awaitable[None]]
    demo_seats: tuple[Seat, ...] = ()
