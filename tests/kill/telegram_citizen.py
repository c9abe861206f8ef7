"""A simulated citizen on Telegram: looks at the newest screen and does what a person might do there, until the dossier
is in. Presses again, or asks where things stand, when nothing comes back for a while."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from dialogs.questions import picture_kind
from tests.kill.citizen import CODE, GROUPS, INDICATORS, LEVELS
from tests.peers.telegram import Message, Phone
from tests.support.webclient import Stuck, photo

SILENCE = (3.0, 8.0)  # seconds after which a person tries again
QUIET = 1.0  # seconds without a change after which no more answers are to come
PATIENCE = 60.0  # seconds of a server that runs, after which nobody would wait any longer
MOST_ACTS = 400  # an act on a server that is down is done again
NO_NUMBER = "Không cho số"
STALE = "Màn hình vừa rồi đã cũ"

_QUESTION = re.compile(r"(?:Câu (\d+)/10 ·|Minh chứng cho câu (\d+) ·)")


@dataclass(frozen=True, slots=True)
class Mark:
    """One act and what it must have changed, once: ``level`` (of an indicator), ``picture`` (the seed of its noise),
    ``text`` beside an indicator, a ``move`` of the assessment, or nothing (``""``) that is looked for.

    ``updates``: the ids under which Telegram delivers it; *said again* only where a person repeated it. ``number``: of
    the screen that it answers.
    """

    kind: str
    updates: tuple[int, ...]
    number: int
    indicator: str = ""
    value: str = ""


@dataclass
class Citizen:
    """One person: a phone, dice, and everything done so far. ``calm``: since when (``time.monotonic()``) the server has
    been left alone."""

    phone: Phone
    rng: random.Random
    calm: Callable[[], float]
    marks: list[Mark] = field(default_factory=list, repr=False)
    top: int = 0
    tries: int = 0  # how often something was done once more after silence
    done: bool = False

    @property
    def name(self) -> str:
        return f"{self.phone.bot.username} {self.phone.chat.id}"

    # -- seeing

    def newest(self) -> Message | None:
        """The screen that was shown last: a message with buttons that carry its number (a notice's carry 0), or one
        whose keyboard takes the place of the phone's own."""
        screens = [each for each in self.phone.from_bot if each.reply_keyboard or number_of(each)]
        return max(screens, key=lambda each: each.shown_at, default=None)

    def number(self) -> int:
        """The highest number of a screen that was ever on the phone."""
        self.top = max(self.top, *map(number_of, self.phone.from_bot[-3:]), 0)
        return self.top

    def choices(self, message: Message) -> list[str]:
        """The ids of a screen's buttons."""
        return [button.data.partition(":")[2] for row in message.keyboard for button in row if button.data[:1] != "p"]

    def indicator(self, message: Message) -> str:
        """The indicator that the screen asks for; nothing on any other screen."""
        found = _QUESTION.search(message.text)
        return INDICATORS[int(found[1] or found[2]) - 1].id if found else ""

    # -- acting

    async def plays(self) -> None:
        """From the link to a dossier handed in, with its pictures settled. Raises :class:`Stuck`."""
        await self.opens(CODE)
        while not self.submitted():
            if len(self.marks) > MOST_ACTS:
                raise Stuck(f"no end after {MOST_ACTS} acts:\n{self.phone.read_out()[-9000:]}")
            await self.goes_on()
            await asyncio.sleep(self.rng.uniform(0, 0.1))
        since = time.monotonic()
        while not any("Đã nộp. Mã hồ sơ" in message.text for message in self.phone.from_bot):
            if self._gives_up(since):
                raise Stuck(f"{self.name}: handed in, and never heard of again:\n{self.phone.read_out()[-9000:]}")
            await asyncio.sleep(0.1)
        self.done = True

    def submitted(self) -> bool:
        return any(mark.value == "submit" for mark in self.marks)

    async def opens(self, payload: str = "") -> None:
        await self._answered(Mark("", tuple(await self.phone.opens(payload)), self.number()))

    async def goes_on(self) -> None:
        """One act on the newest screen."""
        screen, rng = self.newest(), self.rng
        assert screen is not None
        ids, indicator, number = self.choices(screen), self.indicator(screen), self.number()
        if rng.random() < 0.02:
            await self.opens(rng.choice(("", CODE)))
        elif screen.reply_keyboard:
            await self._types(NO_NUMBER, number)
        elif levels := [each for each in ids if each in LEVELS]:
            if "evidence" in ids and not self._proved(indicator) and rng.random() < 0.3:
                await self._presses(screen, "evidence", number)
            else:
                await self._presses(screen, rng.choice([*levels, *levels[:1] * 3]), number, indicator)
        elif "Minh chứng cho câu" in screen.text and indicator:
            await self._proves(screen, ids, indicator, number)
        elif "pick" in ids and rng.random() < 0.3:
            await self._presses(screen, "pick", number)
        elif "pick" not in ids and "hand_in" not in ids and [each for each in ids if each.startswith("ask:")]:
            await self._presses(screen, rng.choice([each for each in ids if each.startswith("ask:")]), number)
        elif "Họ và tên" in screen.text:
            await self._types(rng.choice(("Nguyễn Văn Hùng", "Lê & Trần <b>", "Phạm Thị Bé")), number)
        elif "sinh năm nào" in screen.text:
            await self._types(str(rng.randint(1940, 2000)), number)
        else:
            await self._presses(screen, self._likely(ids), number)

    async def _proves(self, screen: Message, ids: list[str], indicator: str, number: int) -> None:
        """Pictures or words beside an answer."""
        rng = self.rng
        if "drop" in ids or (self._proved(indicator) and "done" in ids):  # something is there
            await self._presses(screen, "done", number)
            return
        takes_pictures = picture_kind(next(each for each in INDICATORS if each.id == indicator)) is not None
        if not takes_pictures or rng.random() < 0.15:
            await self._types(
                f"Tôi đã dự lớp tập huấn số {rng.getrandbits(30)} tại nhà văn hóa khu 3", number, indicator
            )
            return
        seeds = [rng.getrandbits(40) for _n in range(rng.choice((1, 1, 2, 3)))]
        if len(seeds) == 1:
            updates = await self.phone.sends_photo(photo(seeds[0]), caption="Ảnh lớp học")
            marks = [Mark("picture", tuple(updates), number, indicator, str(seeds[0]))]
        else:
            before = len(self.phone.messages)
            updates = await self.phone.sends_album([photo(seed) for seed in seeds], caption="Ảnh lớp học")
            # The parts may be delivered in any order: their bytes tell which update carries which.
            marks = [
                Mark("picture", (update,), number, indicator, seed)
                for update, seed in self._parts(updates, before, seeds)
            ]
        await self._answered(*marks)

    def _parts(self, updates: list[int], before: int, seeds: list[int]) -> list[tuple[int, str]]:
        bytes_of = {photo(seed): str(seed) for seed in seeds}
        found = {
            message.id: bytes_of[message.photo[-1].data] for message in self.phone.messages[before:] if message.photo
        }
        queued = {number: self.phone.bot.updates[number].payload["message"]["message_id"] for number in updates}
        return [(number, found[queued[number]]) for number in updates]

    def _proved(self, indicator: str) -> bool:
        return any(mark.indicator == indicator and mark.kind in ("picture", "text") for mark in self.marks)

    def _likely(self, ids: list[str]) -> str:
        """The button that leads on."""
        for wanted in ("yes", "agree", "skip", "start", "go_on", "submit", "hand_in"):
            if wanted in ids:
                return wanted
        onward = [each for each in ids if each.startswith(("ask:", "prove:")) or each in GROUPS or each == "ong_ba"]
        if not onward:
            raise Stuck(f"{self.name}: nothing leads on from:\n{self.phone.read_out()[-9000:]}")
        return self.rng.choice(onward)

    async def _presses(self, screen: Message, choice: str, number: int, indicator: str = "") -> None:
        kind = "level" if indicator else "move" if choice in ("start", "submit") else ""
        updates = await self.phone.presses(choice, screen)
        mark = Mark(kind, tuple(updates), number, indicator, choice)

        async def again() -> tuple[int, ...]:
            there = any(button.data.endswith(f":{choice}") for row in screen.keyboard for button in row)
            return tuple(await self.phone.presses(choice, screen)) if there else ()

        await self._answered(mark, again=again)

    async def _types(self, text: str, number: int, indicator: str = "") -> None:
        updates = await self.phone.types(text)
        await self._answered(Mark("text" if indicator else "", tuple(updates), number, indicator, text))

    async def _answered(self, *marks: Mark, again: Callable[[], Awaitable[tuple[int, ...]]] | None = None) -> None:
        """Wait until the next screen is there; after silence press once more, or ask where things stand."""
        self.marks.extend(marks)
        version, number = self.phone.seen, marks[0].number
        since = time.monotonic()
        patience = since + self.rng.uniform(*SILENCE)
        asked = False
        while True:
            screen = self.newest()
            if screen is not None and asked:
                # Who has asked sees several answers come, and goes by the last of them.
                if self._all_taken() and time.monotonic() > self.phone.chat.changed_at + QUIET:
                    return
            # A screen that was repeated after a death is no answer: the next one has a higher number. The one that asks
            # for the phone number shows none.
            elif (screen is not None and screen.shown_at > version) and (
                self.number() > number or (screen.reply_keyboard and marks[0].value != NO_NUMBER)
            ):
                return
            now = time.monotonic()
            if self._gives_up(since):
                raise Stuck(f"{self.name}: nobody answers to {marks}:\n{self.phone.read_out()[-9000:]}")
            if now > patience:
                self.tries += 1
                patience = now + self.rng.uniform(*SILENCE)
                if again is not None and not asked and (updates := await again()):
                    self.marks.append(Mark("again", updates, number))
                elif now > since + 2 * SILENCE[1] and (not asked or self._all_taken()):
                    self.marks.append(Mark("", tuple(await self.phone.opens()), number))
                    asked = True
            await self.phone.changes(max(0.0, min(patience - now, QUIET)) + 0.01)

    def _all_taken(self) -> bool:
        """Has the bot taken all that was said?"""
        held = self.phone.bot.updates
        return all(each not in held or held[each].repeated for mark in self.marks for each in mark.updates)

    def _gives_up(self, since: float) -> bool:
        return time.monotonic() > max(since, self.calm()) + PATIENCE


def number_of(message: Message) -> int:
    """The number of the screen that a message shows; 0 where its buttons carry none."""
    for row in message.keyboard:
        for button in row:
            found = re.match(r"(?:p:)?(\d+):", button.data)
            if found:
                return int(found[1])
    return 0
