"""Scripted people who fill in a form on the stand-in for Telegram: one of the plain bots' or the product's.

They read what the bot shows, answer, and wait; a bot that gives no answer while it is up is pressed once more, and then
they begin again, as people do.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks import questionnaire as words
from locales import Voice, _, speaking
from tests.peers.telegram import FakeBot, Phone
from tests.support.webclient import photo

PATIENCE = 2.5  # seconds without an answer of a running bot, twice: then nothing more is to be expected
THINK = (0.5, 2.0)  # seconds between an answer of the bot and the next of the person
QUIET = 0.05
MOST_WAITS = 600
CODE = "DV06685K"
NAME, YEAR = "Nguyễn Văn Hùng", "1957"


@dataclass
class Life:
    """Is the bot up? ``number`` grows with each of its processes."""

    up: bool = False
    number: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """What a bot waits for, and what this person says to it. ``how``: ``press`` (callback data), ``type``, ``photo``;
    ``wait`` where more is to come.

    ``key`` names the answer; none for a step that answers nothing.
    """

    how: str
    says: str = ""
    key: str = ""
    value: str = ""


@dataclass
class Deed:
    """An answer given: what it says, and the updates it went out in (more than one when a press was repeated)."""

    value: str
    updates: list[int] = field(default_factory=list)


@dataclass
class Person:
    """One person with one bot; :meth:`fills_in` until the receipt. ``reads`` tells what the bot asks, ``None`` at the
    receipt."""

    phone: Phone
    life: Life
    rng: random.Random
    reads: Callable[[Person], Ask | None]
    plain: bool
    think: tuple[float, float] = THINK
    deeds: dict[str, Deed] = field(default_factory=dict)
    acknowledged: int = 0
    lost: int = 0
    begun_again: int = 0
    waits: int = 0

    async def fills_in(self) -> None:
        """From the code to the receipt."""
        await self._begins()
        while (ask := self.reads(self)) is not None:
            if not await self.does(ask):
                await self._begins_again()
            await asyncio.sleep(self.rng.uniform(*self.think))
        if self.plain:
            self.counts(words.read_summary(self.phone.from_bot[-1].text))

    async def does(self, ask: Ask) -> bool:
        """Say it; ``False`` when the bot does not answer."""
        if ask.how == "wait":
            await asyncio.sleep(QUIET)
            self.waits += 1
            assert self.waits < MOST_WAITS, f"no more comes in\n{self.phone.read_out()}"
            return True
        deed = self.deeds.setdefault(ask.key, Deed(ask.value)) if ask.key else Deed("")
        for attempt in range(2):
            match ask.how:
                case "press":
                    try:
                        deed.updates += await self.phone.presses(ask.says)
                    except LookupError:  # the answer came at last, just before the second press
                        return True
                case "type" if attempt == 0:
                    deed.updates += await self.phone.types(ask.says)
                case "photo" if attempt == 0:
                    deed.updates += await self.phone.sends_photo(photo(self.rng.getrandbits(40)))
            if await self._answered():
                return True
        return False

    def counts(self, known: dict[str, str]) -> None:
        """Hold what was acknowledged of this attempt against what the bot knows; forget the attempt."""
        for key, deed in self.deeds.items():
            if any(number not in self.bot.updates for number in deed.updates):
                self.acknowledged += 1
                self.lost += key not in known or (deed.value != "" and known[key] != deed.value)
        self.deeds.clear()

    @property
    def bot(self) -> FakeBot:
        return self.phone.bot

    async def _begins(self) -> None:
        while not await self.does(Ask("type", f"/start {CODE}")):
            # A bot that has forgotten being cancelled takes no start: cancelling once more helps.
            await self.does(Ask("type", "/cancel"))

    async def _begins_again(self) -> None:
        """The bot has forgotten: what does it still know? Then from the beginning."""
        self.begun_again += 1
        if self.plain:
            while not (await self.does(Ask("type", "/dump")) and words.KNOWN in self.phone.from_bot[-1].text):
                pass
            self.counts(words.read_summary(self.phone.from_bot[-1].text))
            await self.does(Ask("type", "/cancel"))
        await self._begins()

    async def _answered(self) -> bool:
        """Wait for the bot; the time during which it is down does not count."""
        waited, life, last = 0.0, self.life.number, time.monotonic()
        while waited < PATIENCE:
            if any(message.from_bot and message.shown_at > self.phone.seen for message in self.phone.messages[-12:]):
                await self.phone.settles(quiet=QUIET)
                return True
            await asyncio.sleep(0.03)
            now = time.monotonic()
            waited = waited + now - last if self.life.up and life == self.life.number else 0.0
            life, last = self.life.number, now
        return False


def _level(indicator: str) -> str:
    """The level that everybody gives: one that wants no evidence, so that nobody is asked for more."""
    return ("dat", "chua_dat")[words.INDICATORS.index(indicator) % 2]


def reads_plain(person: Person) -> Ask | None:
    """What a plain bot asks."""
    message = person.phone.from_bot[-1]
    data = [button.data for row in message.keyboard for button in row]
    if "agree" in data:
        return Ask("press", "agree")
    if data:
        indicator = data[0].split(":")[1]
        level = _level(indicator)
        return Ask("press", f"level:{indicator}:{level}", indicator, level)
    if message.text == words.ASK_NAME:
        return Ask("type", NAME, "name", NAME)
    if message.text == words.ASK_YEAR:
        return Ask("type", YEAR, "year", YEAR)
    if message.text.startswith(words.RECEIPT):
        return None
    of_photo = {words.ASK_PHOTO.format(n=n): each for n, each in enumerate(words.INDICATORS, 1)}
    if message.text in of_photo:
        return Ask("photo", key=f"{of_photo[message.text]} photo")
    return Ask("type", f"/start {CODE}")


ONWARD = ("yes", "agree", "ong_ba", "nong_dan", "start", "go_on", "submit", "hand_in")


def reads_ours(person: Person) -> Ask | None:
    """What the product asks."""
    phone = person.phone
    if any("HS-" in message.text for message in phone.from_bot[-2:]):
        return None
    for button in (each for row in phone.chat.reply_keyboard for each in row):
        if not button.contact:
            return Ask("type", button.text)
    screen = phone.screen
    data = {button.data.partition(":")[2]: button.data for row in screen.keyboard for button in row}
    if found := re.search(r"Câu (\d+)/10 ", screen.text):
        indicator = words.INDICATORS[int(found[1]) - 1]
        if indicator in words.WITH_PHOTO and f"{indicator} photo" not in person.deeds:
            return Ask("photo", key=f"{indicator} photo")
        level = _level(indicator)
        return Ask("press", data[level], indicator, level)
    for choice in ONWARD:
        if choice in data:
            return Ask("press", data[choice])
    with speaking(Voice("vi", "ong_ba")):
        if _("join.name") in screen.text:
            return Ask("type", NAME, "name", NAME)
        if _("join.year") in screen.text:
            return Ask("type", YEAR, "year", YEAR)
    return Ask("wait")
