"""One budget for each bot token: answers and pushes of both libraries ask here before they send.

Telegram bears about 30 messages a second from a bot and one a second in a chat, short bursts aside
(https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this). Answers overtake pushes, and a 429,
whoever got it, stops both.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bot.channels.telegram_backend import Backend
from storage import budgets
from storage.budgets import Place
from storage.engine import TransientFailure

T = TypeVar("T")

BURST = 2  # messages that may leave at once; 28 a second and 2 make 30 in the worst second
CHAT_BURST = 3  # an answer in two parts and a notice behind it need not wait
CHATS_REMEMBERED = 10_000
INSTANT = 1e-6  # seconds: a wait below it is over
LOOK_AGAIN = 0.25  # seconds at most that a push sleeps before it asks the common budget again
DATABASE_AWAY = 1.0  # seconds between tries


@dataclass(frozen=True, slots=True)
class Common:
    """The budget that several processes share, in the database: a place for an answer (kept), a place for a push (only
    if there is one now), for how many seconds all are silent, silence for all. Each may raise ``TransientFailure``."""

    reserve: Callable[[], Awaitable[Place]]
    push: Callable[[], Awaitable[Place]]
    silent: Callable[[], Awaitable[float]]
    silence: Callable[[float], Awaitable[None]]


class Budget:
    """``await take(chat)`` returns when a message may be sent. *rate*, *push_rate*: messages a second of the bot and of
    its pushes; *chat_rate*: in one chat. With *common* the bot's rates are kept in the database, for every process that
    sends with its token."""

    def __init__(
        self,
        rate: float = 28,
        push_rate: float = 20,
        chat_rate: float = 1,
        *,
        common: Common | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._common = common
        self._one_push = asyncio.Lock()
        self.pauses, self.pause_seconds = 0, 0.0  # so far, for the metrics
        self._telling: set[asyncio.Task[None]] = set()
        self._step, self._push_step, self._chat_step = 1 / rate, 1 / push_rate, 1 / chat_rate
        self._clock = clock or time.monotonic
        self._next = self._next_push = self._open = 0.0
        self._chats: dict[str, float] = {}
        self._answers: deque[asyncio.Future[None]] = deque()
        self._pushes: deque[asyncio.Future[None]] = deque()
        self._pump: asyncio.Task[None] | None = None

    @property
    def paused(self) -> float:
        """Seconds that Telegram has asked us to be silent from now on; 0 when we may speak."""
        return max(0.0, self._open - self._clock())

    def pause(self, seconds: float) -> None:
        """Telegram said 429: nobody sends before so many seconds have passed."""
        self.pauses += 1
        self.pause_seconds += max(0.0, seconds - self.paused)
        self._open = max(self._open, self._clock() + seconds)
        if self._common is not None:
            task = asyncio.create_task(self._silence(seconds), name="telegram silence")
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def take(self, chat: str, *, push: bool = False) -> None:
        """Wait for this chat's turn, then for the bot's; an answer goes before every push."""
        wait = self._reserve(chat)
        if wait > 0:
            await asyncio.sleep(wait)
        if self._common is not None:
            await (self._take_common_push(self._common) if push else self._take_common(self._common))
            return
        queue = self._pushes if push else self._answers
        if not self._answers and not (push and self._pushes) and self._wait(push) <= 0:
            self._spend(push)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._grant(), name="telegram budget")
        await turn

    async def _take_common(self, common: Common) -> None:
        while (wait := (await _patiently(common.reserve)).wait) > 0:
            await asyncio.sleep(wait)
            # While this answer waited for its place, Telegram may have asked somebody for silence. The places before
            # its end are void: all would be taken at once.
            silent = await _patiently(common.silent) if wait > LOOK_AGAIN else 0.0
            if not silent:
                return
            self._open = max(self._open, self._clock() + silent)
            await asyncio.sleep(silent)

    async def _take_common_push(self, common: Common) -> None:
        async with self._one_push:  # the others would only ask in vain
            while (place := await _patiently(common.push)).wait > 0:
                self._open = max(self._open, self._clock() + place.silent)
                await asyncio.sleep(min(place.wait, LOOK_AGAIN) if not place.silent else place.wait)

    async def _silence(self, seconds: float) -> None:
        assert self._common is not None
        try:
            await self._common.silence(seconds)
        except TransientFailure:
            return  # this process keeps silent; the others are told by Telegram itself

    def _reserve(self, chat: str) -> float:
        """Take the chat's next place; how many seconds from now it is."""
        now = self._clock()
        if len(self._chats) > CHATS_REMEMBERED:
            self._chats = {each: at for each, at in self._chats.items() if at > now}
        due = max(now, self._chats.get(chat, 0.0))
        self._chats[chat] = due + self._chat_step
        return due - now - (CHAT_BURST - 1) * self._chat_step

    def _wait(self, push: bool) -> float:
        now = self._clock()
        wait = max(self._open - now, self._next - now - BURST * self._step)
        return max(wait, self._next_push - now - BURST * self._push_step) if push else wait

    def _spend(self, push: bool) -> None:
        now = self._clock()
        self._next = max(now, self._next) + self._step
        if push:
            self._next_push = max(now, self._next_push) + self._push_step

    async def _grant(self) -> None:
        """Hand out places while anybody waits."""
        while self._answers or self._pushes:
            push = not self._answers
            wait = self._wait(push)
            if wait > INSTANT:
                # While only pushes wait, an answer may come: looking again soon keeps it from waiting behind them.
                await asyncio.sleep(min(wait, 0.05) if push else wait)
                continue
            queue = self._pushes if push else self._answers
            turn = queue.popleft()
            if not turn.done():  # who waited may have been cancelled
                self._spend(push)
                turn.set_result(None)
                await asyncio.sleep(0)


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """What the common budget says, as soon as the database can be asked."""
    while True:
        try:
            return await ask()
        except TransientFailure:
            await asyncio.sleep(DATABASE_AWAY)


def common_of(backend: Backend, account: str, rate: float, push_rate: float) -> Common:
    """The budget that every process which sends with this token asks: messages a second, and pushes among them."""
    step, push_step = 1 / rate, 1 / push_rate

    async def reserve() -> Place:
        found: Place = await backend.run(partial(budgets.reserve, account=account, step=step, burst=BURST))
        return found

    async def push() -> Place:
        found: Place = await backend.run(
            partial(budgets.push, account=account, step=step, push_step=push_step, burst=BURST)
        )
        return found

    async def silent() -> float:
        found: float = await backend.read(partial(budgets.silent, account=account))
        return found

    async def silence(seconds: float) -> None:
        await backend.run(partial(budgets.silence, account=account, seconds=seconds))

    return Common(reserve, push, silent, silence)
