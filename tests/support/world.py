"""A small world for dialog tests: a database with all units, a clock, and people who chat.

A test reads like a chat::

    citizen = world.citizen().joins("DV06685K")
    citizen.presses("Bắt đầu trả lời").sees("Câu 1/10")
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from dialogs import arriving
from dialogs.model import (
    FULL,
    PLAIN,
    WEB,
    Act,
    Capabilities,
    Choice,
    FileRef,
    Incoming,
    Opened,
    Pressed,
    Screen,
    Sent,
    Signal,
    Typed,
    Unsupported,
    decode_screen,
)
from dialogs.states import Rules
from dialogs.turn import Taken, rescue_turn, take_turn
from storage import codes, conversations, evidence, officers, outbox, units
from storage.engine import reading, writing
from storage.recount import check

START = datetime(2026, 10, 5, 2, 0, tzinfo=UTC)  # 9:00 in Vietnam, every window open
PROFILES: dict[str, Capabilities] = {"full": FULL, "plain": PLAIN, "web": WEB}
HONG_GAI = "DV06685K"


def content(name: str) -> str:
    """The key of the picture that a name stands for."""
    return hashlib.sha256(name.encode()).hexdigest()


@dataclass
class World:
    """The database, the clock and the profile that its chats use."""

    engine: Engine
    profile: str = "full"
    now: datetime = START
    rules: Rules = field(default_factory=Rules)
    rescues: bool = False  # a defect is rescued as the running bot does; otherwise it fails the test
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def passes(self, **delta: float) -> World:
        """Let time pass: ``passes(seconds=61)``."""
        self.now += timedelta(**delta)
        return self

    @contextmanager
    def read(self) -> Iterator[Any]:
        with reading(self.engine) as conn:
            yield conn

    @contextmanager
    def write(self) -> Iterator[Any]:
        with writing(self.engine) as conn:
            yield conn

    def number(self) -> int:
        return next(self._numbers)

    def chat(self, account: str = "test", profile: str | None = None) -> Chat:
        """A phone that has never written."""
        return Chat(self, account, f"phone-{self.number()}", PROFILES[profile or self.profile])

    def citizen(self) -> Chat:
        return self.chat()

    def officer(self, unit: str = "06685", role: str = "reviewer", name: str = "Trần Thị Hoa") -> Chat:
        """An officer who has accepted an invite."""
        with self.write() as conn:
            place = units.by_code(conn, unit)
            assert place is not None
            code = officers.invite(conn, place.id, role, self.now, "test", name)
        return self.chat().opens(codes.payload(code)).presses("accept")

    # -- pictures that their channel still holds

    def on_their_way(self) -> list[evidence.ArrivalRow]:
        """What is to be fetched, of every account."""
        with self.read() as conn:
            accounts = conn.execute(sa.select(evidence.arrivals.c.account).distinct()).scalars().all()
            return [row for account in accounts for row in evidence.arrivals_due(conn, account, self.now, 1000)]

    def fetches(self, *names: str) -> int:
        """The files of these names (all that are on their way) come; how many did."""
        found = self._named(names)
        for row in found:
            key = content(row.reference.removeprefix("ref-"))
            with self.write() as conn:
                picture = evidence.Picture(key, key, 1200, 900, 150_000)
                arriving.arrived(conn, row.id, [picture], self.rules, self.now)
        return len(found)

    def loses(self, *names: str, reason: str = "unavailable") -> int:
        """The files of these names (all that are on their way) cannot be had; how many."""
        found = self._named(names)
        for row in found:
            with self.write() as conn:
                arriving.lost(conn, row.id, reason, self.rules, self.now)
        return len(found)

    def _named(self, names: tuple[str, ...]) -> list[evidence.ArrivalRow]:
        return [row for row in self.on_their_way() if not names or row.reference.removeprefix("ref-") in names]

    def recounted(self) -> None:
        """Every kept count equals a recount."""
        with self.read() as conn:
            assert check(conn) == []


@dataclass
class Chat:
    """One person's phone. ``screen`` is the last numbered screen, ``notices`` what came beside it."""

    world: World
    account: str
    address: str
    capabilities: Capabilities
    screen: Screen = field(default_factory=lambda: Screen(""))
    acts: int = 0
    last: Taken = field(default_factory=Taken)
    _seen: int = 0
    notices: list[Screen] = field(default_factory=list)

    # -- acting

    def does(self, act: Act, *, event: str | None = None, screen: int | None = -1, message: int = 0) -> Chat:
        """One event. ``screen=-1``: as this channel would say (the number shown, or nothing on a plain one)."""
        self.acts += 1
        if screen == -1:
            screen = self.screen.number if self.capabilities.buttons and self.screen.number else None
        incoming = Incoming(
            account=self.account,
            event=event or f"{self.address}-{self.acts}",
            address=self.address,
            act=act,
            at=self.world.now,
            screen=screen,
            capabilities=self.capabilities,
            message=message,
        )
        try:
            with self.world.write() as conn:
                self.last = take_turn(conn, incoming, self.world.rules)
        except Exception as error:
            if not self.world.rescues:
                raise
            with self.world.write() as conn:
                self.last = rescue_turn(conn, incoming, self.world.rules, error)
        for told in self.last.told:
            self._show(decode_screen(told.body))
        return self

    def _show(self, screen: Screen) -> None:
        if screen.number or not isinstance(screen, Screen):
            self.screen = screen
        else:
            self.notices.append(screen)
            if not screen.choices and screen.title and not self.exists():
                self.screen = screen

    def opens(self, payload: str = "") -> Chat:
        return self.does(Opened(payload))

    def types(self, text: str) -> Chat:
        return self.does(Typed(text))

    def presses(self, choice: str) -> Chat:
        """Press a button by its id or the beginning of its label; on a channel without buttons type its number."""
        found = self._choice(choice)
        if self.capabilities.buttons:
            return self.does(Pressed(found.id))
        if self.screen.values and found.id != "back":  # a number would be the value
            return self.types(found.label)
        numbered = [each for each in self.screen.choices if each.id != "back"]
        return self.types("0" if found.id == "back" else str(numbered.index(found) + 1))

    def _choice(self, wanted: str) -> Choice:
        for each in self.screen.choices:
            if each.id == wanted or each.label == wanted:
                return each
        for each in self.screen.choices:
            if each.label.startswith(wanted):
                return each
        offered = [(each.id, each.label) for each in self.screen.choices]
        raise AssertionError(f"no choice {wanted!r} among {offered} on:\n{self.read_out()}")

    def sends(self, *names: str, caption: str = "") -> Chat:
        """Send pictures; on a plain channel one by one. The names stand for their content."""
        keys = [self.uploads(name) for name in names]
        if self.capabilities.albums:
            return self.does(Sent(tuple(keys), caption))
        for key in keys:
            self.does(Sent((key,), caption))
        return self

    def sends_files(self, *names: str, caption: str = "", album: str = "") -> Chat:
        """Send pictures that the channel still holds, an event each, as parts of one *album* or one by one."""
        for name in names:
            file = FileRef(f"ref-{name}", name, 150_000)
            self.does(Sent(caption=caption, files=(file,), album=album), screen=None)
        return self

    def uploads(self, name: str) -> str:
        """Put a picture into the store as this contact's; its key."""
        key = content(name)
        with self.world.write() as conn:
            chat = conversations.open_chat(conn, self.account, self.address)
            assert chat is not None
            picture = evidence.Picture(key, key, 1200, 900, 150_000)
            evidence.put_upload(conn, chat.contact_id, picture, self.world.now)
        return key

    def signals(self, kind: str, **data: object) -> Chat:
        return self.does(Signal(kind, data))

    def sends_other(self, kind: str) -> Chat:
        return self.does(Unsupported(kind))

    # -- seeing

    def read_out(self, screen: Screen | None = None) -> str:
        """The screen as its reader would read it aloud."""
        shown = screen or self.screen
        parts = [shown.note, shown.title, shown.text]
        parts.extend(f"[{each.label}]" for each in shown.choices)
        return "\n".join(part for part in parts if part)

    def sees(self, *texts: str) -> Chat:
        for text in texts:
            assert text in self.read_out(), f"{text!r} is not on:\n{self.read_out()}"
        return self

    def sees_not(self, *texts: str) -> Chat:
        for text in texts:
            assert text not in self.read_out(), f"{text!r} is on:\n{self.read_out()}"
        return self

    def exists(self) -> bool:
        with self.world.read() as conn:
            return conversations.open_chat(conn, self.account, self.address) is not None

    def hears(self) -> list[Screen]:
        """Notices that are due now, taken from the outbox and marked sent."""
        with self.world.write() as conn:
            rows = [
                row
                for row in outbox.waiting_for(conn, self.account, self.address, self.world.now)
                if decode_screen(row.body).number == 0
            ]
            for row in rows:
                outbox.settle(conn, row.id, "sent")
        found = [decode_screen(row.body) for row in rows]
        self.notices.extend(found)
        return found

    def heard(self, text: str) -> Chat:
        """A due notice holds this text."""
        found = self.hears()
        assert any(text in self.read_out(each) for each in found), [self.read_out(each) for each in found]
        return self

    # -- whole stretches

    def joins(
        self,
        payload: str = HONG_GAI,
        name: str = "Nguyễn Văn Hùng",
        year: str = "1957",
        group: str = "nong_dan",
        phone: str = "",
        form: str = "ong_ba",
    ) -> Chat:
        """From the link to registered."""
        self.opens(payload).presses("yes").presses("agree").types(name).types(year)
        if phone:
            self.types(phone)
        else:
            self.presses("skip")
        return self.presses(form).presses(group)

    def answers(self, levels: str = "dat", until: int = 10) -> Chat:
        """Answer every question with the same level; where evidence is wanted, describe it in words."""
        self.presses("start")
        for _n in range(until):
            self.presses(levels)
            if self.screen.title.startswith("Minh chứng"):
                self.types("Tôi đã dự lớp tập huấn ngày 12/9 tại nhà văn hóa khu 3")
        return self

    def submits(self, levels: str = "kha") -> str:
        """From registered to handed in; the dossier's code."""
        self.answers(levels).presses("hand_in").presses("submit")
        self.sees("Mã hồ sơ")
        start = self.read_out().index("HS-")
        return self.read_out()[start : start + 13]
