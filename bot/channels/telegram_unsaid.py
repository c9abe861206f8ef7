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

from bot.channels.telegram_backend import Backend
from bot.channels.telegram_budget import Budget
from bot.channels.telegram_calls import CallFailed, call
from bot.loops import every
from dialogs import notices
from dialogs.model import Screen
from locales import _
from storage import unsaid
from storage.base import Connection
from storage.unsaid import UnsaidRow

log = logging.getLogger(__name__)

TICK = 2.0  # seconds between looks at the table; a turn that unsays wakes it at once
LIFE = timedelta(hours=48)
WAITS = (1, 2, 5, 15, 60, 300, 900)  # seconds before each next try, the last again and again


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
        await every(TICK, f"{self.account} unsayer", self._look, self._wake)

    async def _look(self) -> None:
        due = await self.backend.read(partial(unsaid.due, account=self.account, now=datetime.now(UTC)))
        for address, rows in itertools.groupby(sorted(due, key=lambda row: row.address), key=lambda row: row.address):
            await self._delete(address, list(rows))

    async def _delete(self, address: str, rows: Sequence[UnsaidRow]) -> None:
        now = datetime.now(UTC)
        over = [row for row in rows if now - row.made_at > LIFE]
        if over:
            await self._give_up(address, over, "too old")
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
            await self._give_up(rows[0].address, rows, failed.kind)
        return True

    async def _give_up(self, address: str, rows: Sequence[UnsaidRow], why: str) -> None:
        log.warning("%s: %d messages were not deleted (%s)", self.account, len(rows), why)
        await self.backend.run(partial(_given_up, account=self.account, address=address, rows=rows))

    async def _settle(self, rows: Sequence[UnsaidRow]) -> None:
        await self.backend.run(partial(unsaid.settle, row_ids=[row.id for row in rows]))


def _given_up(conn: Connection, account: str, address: str, rows: Sequence[UnsaidRow]) -> None:
    """Nothing more is tried; whoever has the messages before them is asked to delete them."""
    unsaid.settle(conn, [row.id for row in rows])
    for own in sorted({row.own for row in rows}):
        key = "notice.unsaid_own" if own else "notice.unsaid"
        notices.to_chat(conn, datetime.now(UTC), account, address, key, partial(_please_delete, key))


KEYS = ("notice.unsaid", "notice.unsaid_own")


def _please_delete(key: str) -> Screen:
    return Screen(_(key))


def _that_fit(rows: Sequence[UnsaidRow]) -> list[UnsaidRow]:
    """The first rows whose messages fit into one call; always one at least."""
    total, found = 0, list[UnsaidRow]()
    for row in rows:
        total += len(row.message_ids)
        if found and total > unsaid.AT_ONCE:
            break
        found.append(row)
    return found
