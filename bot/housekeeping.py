"""What a running bot does beside its conversations: delete, fold, forget, sweep. One process at a time does it."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime, timedelta
from functools import partial

from bot import clock
from bot.metrics import Metrics
from storage import counters, deletions, evidence, retention, tallies
from storage.blobs import Store
from storage.engine import Turns
from storage.housekeeping import Keep, tidy

log = logging.getLogger(__name__)

RETAIN_TICK = 86_400.0  # seconds between passes over what has been kept for its time
ONE_BY_ONE = 30.0  # seconds for the blobs of a batch that failed, well within deletions.CLAIM
SWEEP_AGE = 3600.0  # seconds that a picture may lie unreferenced
FOLD_LINES = 2_000  # ledger lines folded at once: well under 50 ms


class Housekeeping:
    """The housekeeping of one database and one *store*. *keep*: how long things are kept; *between_sweeps*: the store
    is looked through no more often (a bucket charges for that)."""

    def __init__(self, turns: Turns, store: Store, metrics: Metrics, keep: Keep, between_sweeps: timedelta) -> None:
        self._turns, self._store, self._metrics = turns, store, metrics
        self._keep, self._between_sweeps = keep, between_sweeps
        self._retain_at = 0.0
        self._swept: datetime | None = None

    async def delete_blobs(self) -> int:
        """Delete from the store what has lost its last reference; how many. What the store cannot delete now is tried
        again later."""
        done = 0
        while await self._deletions_due():
            keys = await self._turns.run(partial(evidence.claim_deletions, now=clock.now()))
            if not keys:  # still referred to, or another process is at it
                break
            gone = await self._removed(keys)
            stuck = [key for key in keys if key not in gone]
            await self._turns.run(partial(deletions.settle, deleted=gone))
            done += len(gone)
            if stuck:
                log.warning("%d pictures cannot be deleted now", len(stuck))
                await self._turns.run(partial(deletions.put_off, keys=stuck, now=clock.now()))
            if not gone:
                break
        return done

    async def _deletions_due(self) -> bool:
        first = await self._turns.read(deletions.waiting_since)
        return first is not None and first <= clock.now()

    async def _removed(self, keys: list[str]) -> list[str]:
        """Which of these the store has deleted: all at once, else one by one, so that one that it cannot delete keeps
        none of the others."""
        try:
            with self._metrics.pictures():
                await asyncio.to_thread(self._store.remove, keys)
            return keys
        except OSError as error:
            log.warning("pictures cannot be deleted together (%s)", error)
        gone, until = [], time.monotonic() + ONE_BY_ONE
        for key in keys:
            if time.monotonic() >= until:
                break
            try:
                await asyncio.to_thread(self._store.remove, [key])
            except OSError as error:
                log.warning("a picture cannot be deleted (%s): %s…", error, key[:12])
            else:
                gone.append(key)
        return gone

    async def fold(self) -> None:
        """Fold the ledger into the roll-up and the weeks, and count changed units anew, a bounded piece at a time."""
        more = True
        while more:  # each piece is a turn of its own: citizens' turns come between
            more = await self._turns.run(partial(counters.fold, most=FOLD_LINES)) >= FOLD_LINES
        more = True
        while more:
            more = await self._turns.run(partial(tallies.fold, most=FOLD_LINES)) >= FOLD_LINES
        for _n in range(tallies.REFRESHED):
            if not await self._turns.run(tallies.refresh):
                break

    async def tidy(self) -> None:
        """Forget what is over; sweep pictures that nothing refers to."""
        more = True
        while more:  # each piece is a turn of its own
            more = await self._turns.run(partial(tidy, keep=self._keep, now=clock.now()))
        try:
            await self._sweep()
        except Exception:
            log.exception("the sweep failed; it is done again")
        if time.monotonic() >= self._retain_at:
            await self.retain()
            self._retain_at = time.monotonic() + RETAIN_TICK

    async def retain(self) -> int:
        """Take away what has been kept for its time (:mod:`storage.retention`); how much."""
        place = retention.Place()
        while not place.ended:  # each piece is a turn of its own
            place = await self._turns.run(partial(retention.step, keep=self._keep, now=clock.now(), place=place))
        return place.done

    async def _sweep(self) -> None:
        """What a crash left in the store and no row knows of is handed to the deletions."""
        begun = clock.now()
        if self._swept is not None and begun - self._swept < self._between_sweeps:
            return
        pages = self._store.old_keys(SWEEP_AGE)
        while (page := await asyncio.to_thread(next, pages, None)) is not None:
            kept = await self._turns.read(partial(evidence.referenced, keys=page))
            orphans = [key for key in page if key not in kept]
            if orphans:
                await self._turns.run(partial(deletions.after, keys=orphans, now=clock.now()))
        self._swept = begun
