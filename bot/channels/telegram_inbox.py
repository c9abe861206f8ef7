"""Updates by way of the inbox, where several processes share one database: kept by whoever receives them, taken by the
workers, those of a chat one after the other (:mod:`storage.inbox`)."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from bot.channels.telegram_backend import Backend
from bot.loops import every
from storage import conversations, events, inbox
from storage.base import Connection
from storage.engine import TransientFailure
from storage.inbox import Arrived, Waiting

log = logging.getLogger(__name__)

TICK = 1.0  # seconds between looks at the table; a word from who received something wakes at once
AT_ONCE = 16  # chats of one bot whose turns are under way in this process
SEEN = 200  # chats looked at
SKEW = timedelta(minutes=10)
MOST_TRIES = 7  # two minutes
PATIENCE = 1.0  # seconds to wait when the database takes nothing


class Inbox:
    """The inbox of one bot. *take* takes a raw update that waits under a row's number; ``False`` when
    another process has it."""

    def __init__(self, account: str, backend: Backend, take: Callable[[dict[str, Any], int], Awaitable[bool]]) -> None:
        self.account, self.backend, self._take = account, backend, take
        self._wake = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    async def put(self, raws: Iterable[dict[str, Any]], chat_of: Callable[[dict[str, Any]], str]) -> None:
        """Keep updates; returns after COMMIT, so they may be acknowledged. Raises ``TransientFailure``."""
        shared = self.backend.shared
        assert shared is not None
        came = [
            # One whose chat cannot be told keeps no order.
            Arrived(chat_of(raw) or f"#{raw['update_id']}", int(raw["update_id"]), shared.seal(json.dumps(raw)))
            for raw in raws
        ]
        # Due a while ago: another machine's clock may be behind.
        await self.backend.run(partial(inbox.put, account=self.account, updates=came, now=datetime.now(UTC) - SKEW))
        self._wake.set()
        shared.say(f"inbox {self.account}")

    def wake(self) -> None:
        """Something has come: look at once."""
        self._wake.set()

    async def work(self) -> None:
        """Take what waits, for ever."""
        await every(TICK, f"{self.account} inbox", self._look, self._wake)

    async def _look(self) -> None:
        room = AT_ONCE - len(self._under_way)
        if room <= 0 or self._stopping:
            return
        due = await self.backend.read(partial(inbox.heads, account=self.account, now=datetime.now(UTC), most=SEEN))
        free = [head for head in due if head.address not in self._under_way]
        # The oldest first; where more wait than one process takes, each process begins with others of them.
        for head in free if len(free) <= AT_ONCE else random.sample(free, len(free)):
            if room and not self._stopping:
                room -= 1
                task = asyncio.create_task(self._one(head), name=f"{self.account} update")
                self._under_way[head.address] = task
                task.add_done_callback(partial(self._done, head.address))

    def _done(self, address: str, task: asyncio.Task[None]) -> None:
        del self._under_way[address]
        if not task.cancelled() and task.exception() is None:
            self._wake.set()  # the chat's next one has become its head

    async def _one(self, head: Waiting) -> None:
        shared = self.backend.shared
        assert shared is not None
        try:
            if not await self._take(json.loads(shared.unseal(head.raw)), head.id):
                await asyncio.sleep(0.1)  # another process is at it
        except TransientFailure:
            log.warning("%s: the database cannot take an update now; it waits", self.account)
            await asyncio.sleep(PATIENCE)
        except Exception as error:  # noqa: BLE001 - logged without its words, which may be people's
            log.error("%s: an update that waits cannot be taken: %s", self.account, events.traced(error))
            await self._later_or_never(head, error)

    async def _later_or_never(self, head: Waiting, error: Exception) -> None:
        """It holds its chat up: tried a few times more, then kept as a failed event, as it lies here."""
        now = datetime.now(UTC)
        try:
            if head.attempts < MOST_TRIES:
                until = now + timedelta(seconds=2**head.attempts)
                await self.backend.run(partial(inbox.put_off, update_id=head.id, until=until))
            else:
                await self.backend.run(partial(_give_up, account=self.account, head=head, error=error, now=now))
        except TransientFailure:
            await asyncio.sleep(PATIENCE)

    async def stop(self, grace: float) -> None:
        """Turns under way end; what waits is for others, or for later."""
        self._stopping = True
        tasks = list(self._under_way.values())
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _give_up(conn: Connection, account: str, head: Waiting, error: Exception, now: datetime) -> None:
    if inbox.take(conn, head.id):
        inbox.done(conn, head.id)
        if conversations.claim(conn, account, str(head.place), now):
            events.keep(conn, account, head.address, str(head.place), head.raw, events.described(error), now)
