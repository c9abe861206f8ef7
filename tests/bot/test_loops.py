"""Loops go on whatever happens, are woken at once, and tell of trouble without its words."""

from __future__ import annotations

import asyncio

import pytest

from bot.loops import every
from storage.engine import TransientFailure

WORDS = "Nguyễn Thị Lan"


async def test_trouble_ends_nothing_and_is_told_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    done, trouble = asyncio.Event(), [ValueError(WORDS), TransientFailure(WORDS)]

    async def work() -> None:
        if trouble:
            raise trouble.pop(0)
        done.set()

    loop = asyncio.create_task(every(0.01, "counting", work))
    await asyncio.wait_for(done.wait(), 5)
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    assert loop.cancelled()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert caplog.text.count("counting") == 2 and WORDS not in caplog.text


async def test_a_wake_up_does_not_wait_for_the_next_look() -> None:
    looks, wake = asyncio.Queue[None](), asyncio.Event()

    async def look() -> None:
        looks.put_nowait(None)

    loop = asyncio.create_task(every(3600, "looking", look, wake))
    await asyncio.wait_for(looks.get(), 5)
    assert looks.empty()
    wake.set()
    await asyncio.wait_for(looks.get(), 5)
    await asyncio.sleep(0.05)
    assert looks.empty(), "woken once, it looks once"
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
