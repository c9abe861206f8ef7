"""Work that is done again and again for as long as the process runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from storage import events
from storage.engine import TransientFailure

log = logging.getLogger(__name__)


async def every(
    seconds: float, what: str, work: Callable[[], Awaitable[object]], wake: asyncio.Event | None = None
) -> None:
    """Do a piece of work for ever: *seconds* after it ended it is done again, at once where *wake* is set.

    Trouble ends nothing: it is logged under *what*, in words that quote nobody, and the work goes on."""
    while True:
        await _done(what, work)
        if wake is None:
            await asyncio.sleep(seconds)
            continue
        try:
            await asyncio.wait_for(wake.wait(), seconds)
        except TimeoutError:
            continue
        wake.clear()


async def once(seconds: float, what: str, work: Callable[[], Awaitable[object]]) -> None:
    """Do a piece of work until it has been done, *seconds* after each time that it could not be."""
    while True:
        if await _done(what, work):
            return
        await asyncio.sleep(seconds)


async def _done(what: str, work: Callable[[], Awaitable[object]]) -> bool:
    try:
        await work()
    except TransientFailure:
        log.warning("%s: the database cannot be had now", what)
    except Exception as error:  # noqa: BLE001 - logged without its words
        log.error("%s failed; it is tried again: %s", what, events.traced(error))
    else:
        return True
    return False
