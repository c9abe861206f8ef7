"""A backend in memory, and a conversation that shows every kind of screen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.channels.web_backend import Backend, HistoryLine, Landing, Outgoing, Seat
from bot.pictures.intake import StoredPicture, receive
from bot.pictures.refusal import PictureRefused
from dialogs.model import Incoming, Pressed, Screen, Sent, Typed, encode_screen
from storage.evidence import Picture

Answer = Callable[["Memory", Incoming], list[Screen]]


def echo(memory: Memory, incoming: Incoming) -> list[Screen]:
    """A conversation that counts: every act brings the next numbered screen."""
    memory.turn += 1
    return [Screen(f"Màn {memory.turn}", number=memory.turn)]


@dataclass(slots=True)
class Memory:
    """What the fake keeps, and what it was asked."""

    answer: Answer = echo
    seats: tuple[Seat, ...] = ()
    units: dict[str, Landing] = field(default_factory=dict)
    lines: list[tuple[str, HistoryLine]] = field(default_factory=list)
    taken: list[Incoming] = field(default_factory=list)
    repeats: int = 0
    turn: int = 0
    joined: bool = True
    full: bool = False
    pictures: dict[tuple[str, str], StoredPicture] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)
    queues: dict[str, list[asyncio.Queue[HistoryLine]]] = field(default_factory=dict)
    loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]  # where it is served, for other threads
    fail: int = 0  # so many turns fail before the next that works

    def backend(self) -> Backend:
        return Backend(
            take=self.take,
            history=self.history,
            subscribe=self.subscribe,
            may_upload=self.may_upload,
            upload=self.upload,
            picture=self.picture,
            landing=self.landing,
            forget=self.forget,
            demo_seats=self.seats,
        )

    def put(self, address: str, direction: str, body: str, at: datetime, event: str = "") -> HistoryLine:
        line = HistoryLine(len(self.lines) + 1, direction, body, at, event)
        self.lines.append((address, line))
        for queue in self.queues.get(address, ()):
            queue.put_nowait(line)
        return line

    async def take(self, incoming: Incoming) -> tuple[Outgoing, ...]:
        if self.fail:
            self.fail -= 1
            raise ConnectionError("the database is away")
        if any(other.event == incoming.event for other in self.taken):
            self.repeats += 1
            return ()
        self.taken.append(incoming)
        said = self.said(incoming)
        if said:
            body = json.dumps(said, ensure_ascii=False)
            self.put(incoming.address, "in", body, incoming.at, incoming.event)
        out = [
            self.put(incoming.address, "out", encode_screen(screen), incoming.at)
            for screen in self.answer(self, incoming)
        ]
        return tuple(Outgoing(line.id, line.body, line.at) for line in out)

    def said(self, incoming: Incoming) -> dict[str, object]:
        match incoming.act:
            case Typed(text):
                return {"text": text}
            case Sent(uploads, caption):
                return {"text": caption, "pictures": [[key, ""] for key in uploads]}
            case Pressed(choice):
                for address, line in reversed(self.lines):
                    if address == incoming.address and line.direction == "out":
                        labels = {c[0]: c[1] for c in json.loads(line.body).get("choices", [])}
                        if choice in labels:
                            return {"text": labels[choice]}
                return {"text": choice}
            case _:
                return {}

    async def history(self, address: str, after: int) -> tuple[HistoryLine, ...]:
        return tuple(line for whose, line in self.lines if whose == address and line.id > after)

    @contextmanager
    def subscribe(self, address: str) -> Iterator[asyncio.Queue[HistoryLine]]:
        queue: asyncio.Queue[HistoryLine] = asyncio.Queue()
        self.queues.setdefault(address, []).append(queue)
        try:
            yield queue
        finally:
            self.queues[address].remove(queue)

    async def may_upload(self, address: str) -> None:
        if not self.joined:
            raise PictureRefused("not_yet")

    async def upload(self, address: str, data: bytes) -> tuple[Picture, ...]:
        found = await asyncio.to_thread(receive, data)
        if self.full:
            raise PictureRefused("store_full")
        self.pictures.update({(address, each.key): each for each in found})
        return tuple(Picture(each.key, each.source_hash, each.width, each.height, len(each.data)) for each in found)

    async def picture(self, address: str, key: str, small: bool) -> bytes | None:
        found = self.pictures.get((address, key))
        return found.data if found else None

    async def landing(self, payload: str) -> Landing | None:
        return self.units.get(payload)

    async def forget(self, address: str) -> None:
        self.forgotten.append(address)
        self.lines = [(whose, line) for whose, line in self.lines if whose != address]


def numbered(memory: Memory, screen: Screen) -> Screen:
    memory.turn += 1
    return replace(screen, number=memory.turn)


HONG_GAI = Landing(
    unit="Phường Hồng Gai",
    within=("Thành phố Quảng Ninh",),
    code="DV 06685-K",
    links=(("Trả lời qua Zalo", "https://zalo.me/123"), ("Trả lời qua Telegram", "https://t.me/bot?start=u06685")),
)
HOSTILE = Landing(
    unit="<b>Lê & Trần</b>",
    within=('"><script>alert(1)</script>',),
    code="<i>DV</i>",
    links=(("<u>Z</u>", 'https://zalo.me/"onclick="x'), ("bad", "javascript:alert(1)")),
)
