"""Scripted citizens on the turn engine, without a channel."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from dialogs.model import FULL, Act, Incoming, Opened, Pressed, Screen, Sent, Typed, decode_screen
from dialogs.states import Rules
from dialogs.turn import Taken, rescue_turn, take_turn
from storage import conversations, evidence, migrate, seasons, units
from storage.base import Connection
from storage.engine import Turns, open_engine, writing

RULES = Rules()
NOW = datetime(2026, 10, 5, 2, 0, tzinfo=UTC)
_numbers = itertools.count()


def database(folder: Path) -> str:
    """A database with all units and an open season; its URL."""
    url = f"sqlite:///{folder / 'bench.sqlite'}"
    prepare(url)
    return url


def prepare(url: str) -> None:
    """Put all units and an open season into an empty database."""
    engine = open_engine(url)
    migrate.upgrade(engine)
    with writing(engine) as conn:
        units.seed(conn, NOW)
        centre = units.by_code(conn, "VN")
        assert centre is not None
        seasons.set_windows(conn, centre.id, seasons.open_all_year(2026))
        # Thousands join one commune in one hour of the benchmark's clock.
        units.set_setting(conn, "06685", "joins_per_hour", 100_000, "bench", NOW)
        units.set_setting(conn, "VN", "joins_per_hour", 100_000, "bench", NOW)  # all of them at one moment
    engine.dispose()


class Citizen:
    """One citizen: acts one after the other, each awaited until committed."""

    account = "bench"

    def __init__(self, turns: Turns, waits: list[float] | None = None) -> None:
        self.turns, self.waits = turns, waits
        self.address = f"bench-{next(_numbers)}"
        self.acts = 0
        self.screen = Screen("")

    async def does(self, act: Act) -> Screen:
        """Take one turn."""
        self.acts += 1
        incoming = Incoming(
            self.account, f"{self.address}-{self.acts}", self.address, act, NOW, self.screen.number or None, FULL
        )
        began = time.perf_counter()
        taken: Taken = await self.turns.run(partial(_take, incoming=incoming), partial(_rescue, incoming=incoming))
        if self.waits is not None:
            self.waits.append(time.perf_counter() - began)
        self.screen = decode_screen(taken.told[-1].body)
        return self.screen

    async def presses(self, choice: str) -> Screen:
        return await self.does(Pressed(choice))

    async def sends(self, name: str) -> Screen:
        """A photo by reference: its upload row, then the act."""
        key = hashlib.sha256(f"{self.address}{name}".encode()).hexdigest()
        await self.turns.run(partial(_upload, account=self.account, address=self.address, key=key))
        return await self.does(Sent((key,)))

    async def joins(self) -> None:
        """Eight acts."""
        await self.does(Opened("DV06685K"))
        for act in (
            Pressed("yes"),
            Pressed("agree"),
            Typed("Nguyễn Văn Hùng"),
            Typed("1957"),
            Pressed("skip"),
            Pressed("ong_ba"),
            Pressed("nong_dan"),
        ):
            await self.does(act)

    async def answers(self) -> None:
        """Ten levels, ten pieces of evidence of which three photos."""
        await self.presses("start")
        for indicator in ("A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "C1", "C2"):
            if indicator in ("A1", "A4", "C2"):
                await self.sends(indicator)
                await self.presses("kha")
            elif indicator in ("B4", "C1"):
                await self.presses("evidence")
                await self.does(Typed("Đã góp ý với tổ dân phố và được tiếp thu"))
                await self.presses("kha")
            else:
                await self.presses("tot")
                await self.does(Typed("Lớp tập huấn ngày 12/9 tại nhà văn hóa khu 3"))

    async def hands_in(self) -> None:
        """Two acts."""
        await self.presses("hand_in")
        await self.presses("submit")
        assert "HS-" in self.screen.text, self.screen

    async def whole_dossier(self) -> None:
        """From the link to the receipt."""
        await self.joins()
        await self.answers()
        await self.hands_in()


def _take(conn: Connection, incoming: Incoming) -> Taken:
    return take_turn(conn, incoming, RULES)


def _rescue(conn: Connection, error: Exception, incoming: Incoming) -> Taken:
    return rescue_turn(conn, incoming, RULES, error)


def _upload(conn: Connection, account: str, address: str, key: str) -> None:
    chat = conversations.peek(conn, account, address)
    assert chat is not None
    evidence.put_upload(conn, chat.contact_id, evidence.Picture(key, key, 1200, 900, 150_000), NOW)


async def many(turns: Turns, people: int, each: int) -> int:
    """*people* citizens at once, *each* dossiers one after the other; how many acts in all."""

    async def one() -> int:
        acts = 0
        for _n in range(each):
            citizen = Citizen(turns)
            await citizen.whole_dossier()
            acts += citizen.acts
        return acts

    return sum(await asyncio.gather(*(one() for _n in range(people))))
