"""Deleting people's messages on Telegram that held what nobody should read there (:mod:`storage.unsaid`).

A bot may delete a message of a private chat for 48 hours (https://core.telegram.org/bots/api#deletemessages). Rows of
one chat go together; what cannot be done now is tried again, and given up when its time is over.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from aiogram import Bot

from bot.channels.telegram_budget import Budget
from bot.channels.telegram_calls import CallFailed, call
from bot.channels.telegram_lanes import Backend
from storage import events, unsaid
from storage.engine import TransientFailure
from storage.unsaid import UnsaidRow

log = logging.getLogger(__name__)

TICK = 2.0  # seconds between looks at the table; a turn that unsays wakes it at once
LIFE = timedelta(hours=48)
WAITS = (1, 2, 5, 15, 60, 300, 900)  # seconds before each next try, the last again and again
PATIENCE = 5.0  # seconds to wait when the database takes nothing


class Unsayer:
    """Deletes what one bot's chats should not show."""

    def __init__(self, account: str, bot: Bot, budget: Budget, backend: Backend) -> None:
        self.account, self.bot, self.budget, self.backend = account, bot, budget, backend
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There is something to delete: look at once."""
        self._wake.set()

    async def work(self) -> None:
        """Delete what is due, for ever."""
        while True:
            try:
                await self._look()
            except TransientFailure:
                log.warning("%s: messages to delete cannot be read or settled now", self.account)
                await asyncio.sleep(PATIENCE)
            except Exception as error:  # noqa: BLE001 - the loop goes on
                log.error("%s: deleting messages failed; it is tried again: %s", self.account, events.traced(error))
                await asyncio.sleep(PATIENCE)
            try:
                await asyncio.wait_for(self._wake.wait(), TICK)
            except TimeoutError:
                continue
            self._wake.clear()

    async def _look(self) -> None:
        due = await self.backend.read(partial(unsaid.due, account=self.account, now=datetime.now(UTC)))
        for address, rows in itertools.groupby(sorted(due, key=lambda row: row.address), key=lambda row: row.address):
            await self._delete(address, list(rows))

    async def _delete(self, address: str, rows: Sequence[UnsaidRow]) -> None:
        now = datetime.now(UTC)
        over = [row for row in rows if now - row.made_at > LIFE]
        if over:
            await self._give_up(over, "too old")
        left = [row for row in rows if row not in over]
        while left:
            part = _that_fit(left)
            left = left[len(part) :]
            try:
                await self._call(address, part)
            except CallFailed as failed:
                if not await self._failed(part, failed):
                    return
            else:
                await self._settle(part)

    async def _call(self, address: str, rows: Sequence[UnsaidRow]) -> None:
        await self.budget.take(address, push=True)
        numbers = [number for row in rows for number in row.message_ids]
        await call(self.bot, "deleteMessages", {"chat_id": int(address), "message_ids": list(dict.fromkeys(numbers))})

    async def _failed(self, rows: Sequence[UnsaidRow], failed: CallFailed) -> bool:
        """What becomes of rows that could not be deleted; may others of the chat be tried now?"""
        if failed.kind in ("wait", "again", "token", "conflict"):
            if failed.kind == "wait":
                self.budget.pause(failed.seconds)
            tries = max(row.attempts for row in rows)
            seconds = max(failed.seconds, WAITS[min(tries, len(WAITS) - 1)])
            until = datetime.now(UTC) + timedelta(seconds=seconds)
            await self.backend.run(partial(unsaid.put_off, row_ids=[row.id for row in rows], until=until))
            return False
        if failed.kind in ("same", "gone"):  # nobody can be helped there any more
            await self._settle(rows)
        elif len(rows) > 1:  # one of them may spoil the call for all
            for row in rows:
                await self._delete(row.address, [row])
        else:
            await self._give_up(rows, failed.kind)
        return True

    async def _give_up(self, rows: Sequence[UnsaidRow], why: str) -> None:
        log.warning("%s: %d messages were not deleted (%s)", self.account, len(rows), why)
        await self._settle(rows)

    async def _settle(self, rows: Sequence[UnsaidRow]) -> None:
        await self.backend.run(partial(unsaid.settle, row_ids=[row.id for row in rows]))


def _that_fit(rows: Sequence[UnsaidRow]) -> list[UnsaidRow]:
    """The first rows whose messages fit into one call; always one at least."""
    total, found = 0, list[UnsaidRow]()
    for row in rows:
        total += len(row.message_ids)
        if found and total > unsaid.AT_ONCE:
            break
        found.append(row)
    return found
