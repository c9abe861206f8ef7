"""What became of what was sent on Telegram, and what each chat shows since: written into the tables in batches."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from storage import events, outbox, shown
from storage.base import Connection
from storage.engine import TransientFailure
from storage.shown import Shown

log = logging.getLogger(__name__)
Outcome = tuple[int, str, str | None, int | None]  # row of the outbox, outcome, reason, message

WRITE_BACK = 0.02  # seconds in which outcomes gather


class Outcomes:
    """The outcomes of one bot on their way into the tables. *run* is a job of the writer. ``tally``: what became of
    answers and pushes, for the metrics."""

    def __init__(self, account: str, run: Callable[[Callable[[Connection], Any]], Awaitable[Any]]) -> None:
        self.account, self._run = account, run
        self._outcomes: list[Outcome] = []
        self._kept: dict[str, Shown] = {}
        self._writing: set[int] = set()
        self._dirty = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._written: asyncio.Future[None] | None = None
        self.tally: Counter[tuple[str, str]] = Counter()

    def shows(self, address: str, now: Shown) -> None:
        """What a chat shows now; written with the next batch."""
        self._kept[address] = now
        self._dirty.set()

    def shown(self, address: str) -> Shown | None:
        """What a chat shows, where the table does not say so yet."""
        return self._kept.get(address)

    def knows(self, row_id: int) -> bool:
        """Has this row been settled, though the table may still say that it waits?"""
        return row_id in self._writing or any(row_id == each for each, *_how in self._outcomes)

    def settle(
        self, row_id: int, outcome: str, reason: str | None = None, message_id: int | None = None, *, push: bool = False
    ) -> None:
        """How a row fared; written with the next batch."""
        self.tally["push" if push else "answer", outcome] += 1
        self._outcomes.append((row_id, outcome, reason, message_id))
        self._dirty.set()

    async def written(self) -> None:
        """Wait until everything settled so far is in the table."""
        if not self._outcomes:
            return
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._written)

    async def write_down(self, address: str) -> None:
        """Returns once the table says what this chat shows: whoever holds the chat next reads it there."""
        while True:
            await asyncio.sleep(WRITE_BACK)  # what else gathers goes along
            await self.flush()
            if address not in self._kept:
                return

    async def write_back(self) -> None:
        """Write outcomes back, for ever."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(WRITE_BACK)
            await self.flush()

    async def flush(self) -> None:
        """Write back what has been settled."""
        async with self._flushing:
            await self._flush()

    async def _flush(self) -> None:
        self._dirty.clear()
        outcomes, kept, told = self._outcomes, self._kept, self._written
        self._outcomes, self._kept, self._written = [], {}, None
        self._writing = {row_id for row_id, *_how in outcomes}
        try:
            await self._write(outcomes, kept)
        except TransientFailure:
            log.warning("%s: what was sent could not be written down yet", self.account)
            self._outcomes = outcomes + self._outcomes
            self._kept = {**kept, **self._kept}
            if told is not None:
                if self._written is None:
                    self._written = told
                else:
                    self._written.add_done_callback(lambda _done: told.done() or told.set_result(None))
            self._dirty.set()
            await asyncio.sleep(1)
            return
        finally:
            self._writing = set()
        if told is not None and not told.done():
            told.set_result(None)

    async def _write(self, outcomes: list[Outcome], kept: dict[str, Shown]) -> None:
        """All at once; should that be impossible, one by one, so that nothing holds up the rest."""
        try:
            await self._run(partial(_write_back, account=self.account, outcomes=outcomes, kept=kept))
        except TransientFailure:
            raise
        except Exception as error:  # noqa: BLE001 - logged without its words
            log.error("%s: a batch of outcomes is written singly: %s", self.account, events.traced(error))
        else:
            return
        pieces: list[tuple[list[Outcome], dict[str, Shown]]] = [([each], {}) for each in outcomes]
        pieces.extend(([], {address: each}) for address, each in kept.items())
        for some, shows in pieces:
            try:
                await self._run(partial(_write_back, account=self.account, outcomes=some, kept=shows))
            except TransientFailure:
                raise
            except Exception as error:  # noqa: BLE001 - logged without its words
                log.error("%s: an outcome cannot be written: %s", self.account, events.traced(error))


def _write_back(
    conn: Connection,
    account: str,
    outcomes: list[Outcome],
    kept: dict[str, Shown],
) -> None:
    for row_id, outcome, reason, message_id in outcomes:
        outbox.settle(conn, row_id, outcome, reason, message_id)
    for address, each in kept.items():
        shown.keep(conn, account, address, each)
