"""Long polling: updates are fetched and taken, and the offset moves only past what is committed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiogram import Bot

from bot.channels.telegram_backend import Shared
from bot.channels.telegram_calls import CallFailed, call
from storage import events
from storage.engine import TransientFailure

log = logging.getLogger(__name__)

UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")
POLL_SECONDS = 50
SLOWEST_RETRY = 60.0  # seconds

Take = Callable[[Sequence[dict[str, Any]]], Awaitable[None]]


class Polling:
    """The poller of one bot, until *stopping* is set. *take* takes updates and returns when all are committed. Where
    others could poll as well (*shared*), the process that does holds ``lock``."""

    def __init__(self, account: str, bot: Bot, shared: Shared | None, stopping: asyncio.Event, take: Take) -> None:
        self.account, self.bot, self._shared, self._stopping, self._take = account, bot, shared, stopping, take
        self.lock = f"poller:{account}"

    async def work(self) -> None:
        """Fetch updates and take them, for ever (where others stand by, as long as this process is the one to do it);
        the offset moves only past what is committed."""
        offset, wait, shared = 0, 1.0, self._shared
        while not self._stopping.is_set():
            if shared is not None and not (await shared.locks.check() and shared.locks.has(self.lock)):
                return
            try:
                raws = await self._fetch_updates(offset)
            except CallFailed as failed:
                if failed.kind == "token":
                    log.error("%s: Telegram refuses the token; set the right one (hoctap doctor)", self.account)
                    wait = SLOWEST_RETRY
                elif failed.kind == "conflict":
                    log.error("%s: somebody else takes this bot's updates: %s", self.account, failed.reason)
                else:
                    log.warning("%s: no updates (%s); next try in %.0f s", self.account, failed.reason, wait)
                await pause(self._stopping, max(wait, failed.seconds))
                wait = min(SLOWEST_RETRY, wait * 2)
                continue
            if wait > 1.0:
                log.info("%s: Telegram is there again", self.account)
                wait = 1.0
            if raws:
                try:
                    await self._take(raws)
                except TransientFailure:
                    log.warning("%s: the database cannot take updates now; they come again", self.account)
                    await pause(self._stopping, 1.0)
                    continue
                except Exception as error:  # noqa: BLE001 - whatever it is, polling goes on
                    log.error("%s: updates could not be taken; they come again: %s", self.account, events.traced(error))
                    await pause(self._stopping, SLOWEST_RETRY)
                    continue
                offset = max(int(raw["update_id"]) for raw in raws) + 1
        if offset:
            await self._acknowledge(offset)

    async def _fetch_updates(self, offset: int) -> list[dict[str, Any]]:
        """The next updates; none when the bot is told to end."""
        fields = {"offset": offset, "timeout": POLL_SECONDS, "limit": 100, "allowed_updates": list(UPDATES)}
        asking = asyncio.create_task(call(self.bot, "getUpdates", fields, seconds=POLL_SECONDS + 15))
        ending = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((asking, ending), return_when=asyncio.FIRST_COMPLETED)
            return list(await asking) if asking.done() else []  # what was not fetched comes again
        finally:
            for task in (asking, ending):
                task.cancel()
            await asyncio.gather(asking, ending, return_exceptions=True)

    async def _acknowledge(self, offset: int) -> None:
        """Tell Telegram at the end what has been taken; else it comes again, and has no effect again."""
        try:
            await call(self.bot, "getUpdates", {"offset": offset, "timeout": 0, "limit": 1}, seconds=3)
        except CallFailed as failed:
            log.info("%s: the last updates are not acknowledged (%s)", self.account, failed.reason)


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait, but no longer than until the bot is told to end."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
