"""One budget for each bot token: answers and pushes of both libraries ask here before they send.

Telegram bears about 30 messages a second from a bot and one a second in a chat, short bursts aside
(https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this). Answers overtake pushes, and a 429,
whoever got it, stops both.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

BURST = 2  # messages that may leave at once; 28 a second and 2 make 30 in the worst second
CHAT_BURST = 3  # an answer in two parts and a notice behind it need not wait
CHATS_REMEMBERED = 10_000
INSTANT = 1e-6  # seconds: a wait below it is over


class Budget:
    """``await take(chat)`` returns when a message may be sent. *rate*, *push_rate*: messages a second of the bot and of
    its pushes; *chat_rate*: in one chat."""

    def __init__(
        self, rate: float = 28, push_rate: float = 20, chat_rate: float = 1, *, clock: Callable[[], float] | None = None
    ) -> None:
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
        self._open = max(self._open, self._clock() + seconds)

    async def take(self, chat: str, *, push: bool = False) -> None:
        """Wait for this chat's turn, then for the bot's; an answer goes before every push."""
        wait = self._reserve(chat)
        if wait > 0:
            await asyncio.sleep(wait)
        queue = self._pushes if push else self._answers
        if not self._answers and not (push and self._pushes) and self._wait(push) <= 0:
            self._spend(push)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._grant(), name="telegram budget")
        await turn

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
