"""The budget of a bot token: its rates, answers before pushes, silence after a 429. On a loop whose time is made up:
nobody waits, and every figure is exact."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bot.channels.telegram_budget import Budget


class MadeUpTime(asyncio.SelectorEventLoop):
    """A loop that jumps to its next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self.now = max(self.now, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def played(story: Callable[[MadeUpTime], Awaitable[Any]]) -> Any:
    loop = MadeUpTime()
    try:
        return loop.run_until_complete(asyncio.wait_for(story(loop), 3600))
    finally:
        loop.close()


def spent(rates: tuple[float, float, float], chats: list[str], *, push: bool = False, pause: float = 0) -> list[float]:
    """When messages to these chats may leave, all wanted at once."""

    async def story(loop: MadeUpTime) -> list[float]:
        budget = Budget(*rates, clock=loop.time)
        if pause:
            budget.pause(pause)
            assert budget.paused == pause
        left: list[float] = []

        async def one(chat: str) -> None:
            await budget.take(chat, push=push)
            left.append(loop.time())

        await asyncio.gather(*(one(chat) for chat in chats))
        return left

    found: list[float] = played(story)
    return found


def most_in_a_second(times: list[float]) -> int:
    return max(sum(1 for other in times if at <= other < at + 1 - 1e-9) for at in times)


def test_no_more_than_thirty_leave_in_any_second() -> None:
    left = spent((28, 20, 1), [str(n) for n in range(150)])
    assert most_in_a_second(left) <= 30
    assert left[-1] == pytest.approx(150 / 28, abs=0.2)


def test_pushes_keep_to_their_share() -> None:
    left = spent((28, 20, 1), [str(n) for n in range(100)], push=True)
    assert most_in_a_second(left) <= 22
    assert left[-1] == pytest.approx(100 / 20, abs=0.2)


def test_one_chat_gets_three_at_once_and_then_one_a_second() -> None:
    left = sorted(spent((1000, 1000, 1), ["7"] * 6))
    assert [round(at, 1) for at in left] == [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("push", [False, True])
def test_a_429_silences_everybody(push: bool) -> None:
    left = spent((28, 20, 1), ["1", "2", "3"], push=push, pause=5)
    assert min(left) == pytest.approx(5)
    assert max(left) < 5.2


def test_an_answer_overtakes_pushes_that_wait() -> None:
    async def story(loop: MadeUpTime) -> tuple[list[str], float]:
        budget = Budget(28, 20, 1, clock=loop.time)
        order: list[str] = []

        async def one(chat: str, push: bool) -> None:
            await budget.take(chat, push=push)
            order.append(chat)

        pushes = [asyncio.create_task(one(f"push-{n}", True)) for n in range(3000)]
        await asyncio.sleep(10)
        began = loop.time()
        await one("answer", False)
        waited = loop.time() - began
        await asyncio.gather(*pushes)
        return order, waited

    order, waited = played(story)
    assert waited < 0.1
    assert order.index("answer") == pytest.approx(10 * 20, abs=5)


def test_who_gave_up_waiting_takes_nothing_away() -> None:
    async def story(loop: MadeUpTime) -> float:
        budget = Budget(10, 10, 10, clock=loop.time)
        gone = [asyncio.create_task(budget.take(str(n))) for n in range(50)]
        await asyncio.sleep(0.05)
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        await budget.take("a")
        return loop.time()

    assert played(story) < 0.5
