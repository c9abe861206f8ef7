"""One chat on Telegram: the answers on their way there, and what it shows."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass, field, replace

from bot import logs
from dialogs.model import Screen, decode_screen
from locales import Voice, _, speaking
from storage import events
from storage.shown import Shown

NOTES_KEPT = 4  # lines said by screens that a newer one has overtaken


@dataclass(slots=True, eq=False)
class Row:
    """An answer on its way: its row of the outbox, the screen as JSON, and how far its sending has come.

    ``again``: it waited in the table at a restart, so it may have been sent before. ``passing``: a newer screen may
    take its place; not so a document, a farewell or a code that is shown only once.
    """

    id: int
    body: str
    officer: bool | None = None
    again: bool = False
    cleared: bool = False
    album: tuple[int, ...] | None = None
    sent: list[int] = field(default_factory=list)
    event: logs.Event | None = field(default_factory=logs.current)
    screen: Screen = field(init=False)
    passing: bool = field(init=False)

    def __post_init__(self) -> None:
        screen = self.screen = decode_screen(self.body)
        once = bool(screen.note) and events.masked_codes(screen.note) != screen.note
        if self.again and f"-{events.MASK}" in screen.note:  # a code; an id number is shaded for good
            with speaking(Voice(screen.language, "ban")):
                self.screen = replace(screen, note=f"{screen.note}\n{_('telegram.code_lost')}")
        self.passing = screen.number > 0 and not screen.documents and not once

    def says_too(self, note: str) -> None:
        """What an overtaken screen had to say (a refusal, an error id) is said with this one; of lines that differ in a
        number only ("1 ảnh", "2 ảnh") the last."""
        lines = {re.sub(r"\d+", "#", line): line for line in (*note.splitlines(), *self.screen.note.splitlines())}
        self.screen = replace(self.screen, note="\n".join([*lines.values()][-NOTES_KEPT:]))

    @property
    def begun(self) -> bool:
        """Is a part of it on the phone already?"""
        return bool(self.sent or self.album)


@dataclass(slots=True)
class Lane:
    """One chat. ``order`` keeps its turns one after the other, ``sending`` its messages. ``holders``: how much in this
    process needs the chat to itself (``Lanes.holding``), ``pressed``: number and message of the screen that a press
    told of meanwhile."""

    address: str
    order: asyncio.Lock = field(default_factory=asyncio.Lock)
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    rows: deque[Row] = field(default_factory=deque)
    empty: asyncio.Event = field(default_factory=asyncio.Event)
    shown: Shown | None = None
    seen: int = 0  # the newest message of the person
    first_number: int = 0  # the screen that stands, and the message that showed it first: it may be shown anew below
    first_id: int = 0
    doubtful: int = 0  # number of a screen that may have been delivered without our being told
    used_at: float = 0.0  # time.monotonic()
    work: asyncio.Task[None] | None = None
    gate: asyncio.Lock = field(default_factory=asyncio.Lock)
    holders: int = 0
    pressed: tuple[int, int] = (0, 0)
    chat: int = field(init=False)  # where it is now: a chat can move

    def __post_init__(self) -> None:
        self.chat = int(self.address) if self.address.lstrip("-").isdigit() else 0
