"""Fetching evidence (ảnh minh chứng) that people sent on Telegram: the reference was committed with the answer, the
file follows.

What is still to be fetched is a row (:mod:`storage.evidence`, arrivals), so a restart goes on with it. A file that
cannot be had is asked for again, alone (:mod:`dialogs.arriving`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

from aiogram import Bot

from bot.channels.telegram_backend import Backend
from bot.channels.telegram_budget import Budget
from bot.channels.telegram_calls import CallFailed, call, download
from bot.loops import every
from bot.pictures.refusal import PictureRefused
from dialogs import arriving
from storage import events, evidence
from storage.blobs import StoreAway, StoreFull
from storage.engine import TransientFailure
from storage.evidence import ArrivalRow

log = logging.getLogger(__name__)

AT_ONCE = 4  # downloads of one bot
STORE_WAIT = 60.0  # seconds until a full store is asked again; and between two lines of the log that say so
TICK = 2.0  # seconds between looks at the table; an act that brings a picture wakes it at once
AWAY = 4  # tries of a file that Telegram does not know: it says the same of one that is away for a moment
WAITS = (1, 2, 5, 15, 60, 300, 900, 3600, 7200, 14400)  # seconds before each next try, the last again and again
MOST_TRIES = 24  # two and a half days
PATIENCE = 5.0  # seconds to wait when the database takes nothing


class Fetcher:
    """Fetches the files of one bot's chats."""

    def __init__(self, account: str, bot: Bot, budget: Budget, backend: Backend) -> None:
        self.account, self.bot, self.budget, self.backend = account, bot, budget, backend
        self._wake = asyncio.Event()
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._complained = -STORE_WAIT
        self.tally: Counter[str] = Counter()  # what became of files: fetched, again, store, or why not; for the metrics

    def wake(self) -> None:
        """A picture has come: look at once."""
        self._wake.set()

    async def work(self) -> None:
        """Fetch what is due, for ever."""
        try:
            await every(TICK, f"{self.account} fetcher", self._look, self._wake)
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _look(self) -> None:
        due = await self.backend.read(
            partial(evidence.arrivals_due, account=self.account, now=datetime.now(UTC), most=AT_ONCE * 4)
        )
        for arrival in due:
            if arrival.id not in self._under_way:
                task = asyncio.create_task(self._fetch(arrival), name=f"{self.account} fetch")
                self._under_way[arrival.id] = task
                task.add_done_callback(partial(self._done, arrival.id))

    def _done(self, arrival_id: int, task: asyncio.Task[None]) -> None:
        del self._under_way[arrival_id]
        if not task.cancelled() and task.exception() is None:
            self._wake.set()

    async def _fetch(self, arrival: ArrivalRow) -> None:
        """Fetch one; whatever goes wrong, it is tried again later and not at once."""
        async with self._slots:
            try:
                try:
                    await self._settle(arrival)
                except CallFailed as failed:
                    await self._failed(arrival, failed)
                except TransientFailure:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever nobody thought of
                    log.error("%s: a picture could not be taken in: %s", self.account, events.traced(error))
                    # No worker may have been to be had: the picture is as good as before.
                    await self._again(arrival, 0, ours=isinstance(error, OSError))
            except TransientFailure:
                log.warning("%s: the database takes no pictures now", self.account)
                await asyncio.sleep(PATIENCE)

    async def _settle(self, arrival: ArrivalRow) -> None:
        data = await self._download(arrival)
        if data is None:
            await self._lost(arrival, "too_big")
            return
        try:
            fetched = await self.backend.take_in(arrival.contact_id, data)
        except PictureRefused as refused:
            if refused.code == "busy":  # many files wait to be decoded
                await self._again(arrival, 0, ours=True)
            else:
                await self._lost(arrival, refused.code)
            return
        except (StoreFull, StoreAway) as error:
            await self._store_away(arrival, error)
            return
        self.tally["fetched"] += 1
        # The bytes lie in the store before any row says so.
        await self.backend.run(
            partial(
                arriving.arrived,
                arrival_id=arrival.id,
                fetched=fetched,
                rules=self.backend.rules,
                now=datetime.now(UTC),
            )
        )

    async def _download(self, arrival: ArrivalRow) -> bytes | None:
        """The file; ``None`` when it is too large. The path is asked for anew each time: it holds for an hour only."""
        file = await call(self.bot, "getFile", {"file_id": arrival.reference})
        return await download(self.bot, str(file.get("file_path", "")))

    async def _failed(self, arrival: ArrivalRow, failed: CallFailed) -> None:
        match failed.kind:
            case "too_big":
                await self._lost(arrival, "too_big")
            case "refused" | "gone":
                await self._lost(arrival, "unavailable")
            case "no_file" if arrival.attempts >= AWAY:
                await self._lost(arrival, "unavailable")
            case _:
                log.info("%s: a picture did not come (%s)", self.account, failed.reason)
                await self._again(arrival, failed.seconds, ours=failed.kind == "token")

    async def _store_away(self, arrival: ArrivalRow, error: OSError) -> None:
        """Not the sender's fault: it is tried for as long as it takes."""
        self.tally["store"] += 1
        now = time.monotonic()
        if now - self._complained >= STORE_WAIT:
            self._complained = now
            log.error("%s: no picture can be stored: %s", self.account, error)
        until = datetime.now(UTC) + timedelta(seconds=STORE_WAIT)
        await self.backend.run(partial(evidence.put_off, arrival_id=arrival.id, until=until, tries=0))

    async def _again(self, arrival: ArrivalRow, seconds: float, *, ours: bool) -> None:
        """Try once more later, in so many seconds at least; for two and a half days, for ever where it is no fault of
        the file's (*ours*)."""
        if arrival.attempts >= MOST_TRIES and not ours:
            await self._lost(arrival, "unavailable")
            return
        self.tally["again"] += 1
        wait = STORE_WAIT if ours else WAITS[min(arrival.attempts, len(WAITS) - 1)]
        until = datetime.now(UTC) + timedelta(seconds=max(wait, seconds))
        tries = 0 if ours else 1
        await self.backend.run(partial(evidence.put_off, arrival_id=arrival.id, until=until, tries=tries))

    async def _lost(self, arrival: ArrivalRow, reason: str) -> None:
        log.info("%s: a picture cannot be had: %s", self.account, reason)
        self.tally[reason] += 1
        await self.backend.run(
            partial(
                arriving.lost, arrival_id=arrival.id, reason=reason, rules=self.backend.rules, now=datetime.now(UTC)
            )
        )
