"""The running bot in one process: what it is made of, its turns and its life. Channels are mounted on it
(:mod:`bot.run`)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import clock, logs
from bot.channels.web_backend import Backend, Seat
from bot.housekeeping import Housekeeping
from bot.jobs import Jobs
from bot.loops import every, once
from bot.metrics import Metrics
from bot.outreach import Outreach
from bot.pages import WEB_ACCOUNT, Pages
from bot.pictures.evidence import Evidence
from bot.pictures.pool import PicturePool
from bot.roles import ROLES
from bot.schedules import Means, step
from dialogs.model import Incoming
from dialogs.states import Rules
from dialogs.turn import Taken, rescue_turn, take_turn
from locales import Voice
from reports.model import Chart
from reports.pool import ChartPool
from storage import events, inbox, units
from storage.base import Connection
from storage.blobs import Place, open_store
from storage.engine import TransientFailure, Turns, open_engine, open_readers
from storage.housekeeping import Keep
from storage.identity import KeyRing
from storage.shared import Locks, Words

if TYPE_CHECKING:  # aiogram takes seconds to import, and a server without a token needs none of it
    from bot.channels.telegram import Telegram, TelegramSettings
    from bot.channels.telegram_backend import Backend as TelegramBackend

log = logging.getLogger(__name__)

NOTICE_TICK = 1.0  # seconds between looks at the outbox, and at the jobs; a turn wakes both at once
WARM_AGAIN = 5.0
FOLD_TICK = 5.0
TIDY_TICK = 600.0
SUMMARY_TICK = 5.0  # seconds between looks at what is to go up by itself
DELETE_TICK = 1.0
REMIND_TICK = 3600.0
ANNOUNCE_TICK = 5.0
HUSH_TICK = 60.0
BETWEEN_SWEEPS = timedelta(days=1)  # of a bucket, which charges for looking through it; a folder is swept each time
SLOW = 1.0  # seconds; a turn takes a few milliseconds


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service is made of: database, folder of blobs, the operator's rules, other messengers' links (label,
    address with ``{payload}``), the demo's seats, what this process does of :data:`ROLES`."""

    url: str
    blobs: Place
    rules: Rules
    keep: Keep
    picture_workers: int = 2
    links: tuple[tuple[str, str], ...] = ()
    seats: tuple[Seat, ...] = ()
    roles: frozenset[str] = ROLES


@dataclass(slots=True)
class _Clock:
    """When a turn was asked for, began (the last time, if it was taken again) and ended: ``time.perf_counter()``."""

    asked: float = field(default_factory=time.perf_counter)
    begun: float = 0.0
    ended: float = 0.0
    rescued: bool = False


class Service:
    """A process that serves a database: on SQLite the only one, on PostgreSQL one of as many as there are.

    ``start`` its loops, ``backend`` for the web channel, ``stop`` in the end."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.metrics = Metrics()
        self.engine = open_engine(parts.url)
        self.readers = open_readers(parts.url)
        self.turns = Turns(self.engine)
        self.blobs = open_store(parts.blobs)
        self.charts = ChartPool()
        self.pictures = PicturePool(parts.picture_workers)
        self.bots: list[Telegram] = []
        self._usernames: dict[str, str] = {}  # of the bots, by the name that the operator gave them
        self._wake_notices = asyncio.Event()
        self._wake_jobs = asyncio.Event()
        self._loops: list[asyncio.Task[Any]] = []
        self._locks: Locks | None = None
        self._words: Words | None = None
        if self.engine.dialect.name == "postgresql":
            self._locks, self._words = Locks(parts.url), Words(parts.url, self._heard)
        say = self._words.say if self._words is not None else None
        between_sweeps = timedelta() if isinstance(parts.blobs, Path) else BETWEEN_SWEEPS
        self.evidence = Evidence(self.turns, self.blobs, self.pictures, self.metrics, parts.rules.quota)
        self.pages = Pages(self.turns, self.take, say, parts.links, self._usernames)
        self.jobs = Jobs(
            self.turns, self.readers, self.charts, self.evidence, self.metrics, self.take, self.pages.publish
        )
        self.housekeeping = Housekeeping(self.turns, self.blobs, self.metrics, parts.keep, between_sweeps)
        self.outreach = Outreach(self.turns, self._wake_notices.set)

    # ---------------------------------------------------------------------------------------- life

    def start(self) -> None:
        """Start the loops: notices, jobs, folding, housekeeping; and read the index of names before anybody
        searches."""
        warm = partial(self.turns.read, partial(units.search, text="hà nội", limit=1))
        self._loops.append(asyncio.create_task(once(WARM_AGAIN, "warm", warm), name="warm"))
        if self._words is not None:
            self._loops.append(asyncio.create_task(self._words.work(), name="words"))
        keeping = self.housekeeping
        if "sender" in self.parts.roles:
            self._begin("sender", "send_notices", NOTICE_TICK, self.pages.send_due, self._wake_notices)
        if "scheduler" in self.parts.roles:
            self._begin("scheduler", "do_jobs", NOTICE_TICK, self.jobs.do_waiting, self._wake_jobs)
            self._begin("scheduler", "delete_blobs", DELETE_TICK, keeping.delete_blobs)
            self._begin("scheduler", "fold", FOLD_TICK, keeping.fold)
            self._begin("scheduler", "tidy", TIDY_TICK, keeping.tidy)
            self._begin("scheduler", "summaries", SUMMARY_TICK, self.sum_up)
            self._begin("scheduler", "remind", REMIND_TICK, self.outreach.remind)
            self._begin("scheduler", "announce", ANNOUNCE_TICK, self.outreach.announce)
            self._begin("scheduler", "hush", HUSH_TICK, self.outreach.hush)

    def _begin(
        self,
        role: str,
        name: str,
        seconds: float,
        work: Callable[[], Awaitable[object]],
        wake: asyncio.Event | None = None,
    ) -> None:
        """A loop that runs in one process at a time; the others stand by."""
        loop = partial(every, seconds, name, work, wake)
        with logs.working(role):
            alone = loop() if self._locks is None else self._locks.alone(name, loop)
            self._loops.append(asyncio.create_task(alone, name=name))

    @property
    def locks(self) -> frozenset[str]:
        """The locks that this process holds; none where it is the only one."""
        return self._locks.names if self._locks is not None else frozenset()

    def dead(self) -> list[str]:
        """The loops that should run and do not, by name; ``start`` before it was called."""
        if not self._loops:
            return ["start"]
        ended = [each.get_name() for each in self._loops if each.done() and (each.get_name() != "warm" or _broke(each))]
        return [*ended, *(each.get_name() for bot in self.bots for each in bot.tasks if _broke(each))]

    async def stop(self, grace: float = 10.0) -> None:
        """End gracefully: updates under way end, turns that wait are taken, then everything closes. What was not sent
        stays in the outbox."""
        for ended in await asyncio.gather(*(bot.stop(grace) for bot in self.bots), return_exceptions=True):
            if isinstance(ended, Exception):
                log.error("a bot did not end as it should: %s", events.traced(ended))
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await asyncio.to_thread(self.turns.close)
        if self._locks is not None:
            await self._locks.close()
        await self.charts.close()
        await self.pictures.close()
        await self.readers.dispose()
        self.engine.dispose()

    def _heard(self, word: str) -> None:
        """Another process has said something."""
        what, _space, rest = word.partition(" ")
        if what == "inbox":
            for bot in self.bots:
                if bot.account == rest and bot.inbox is not None:
                    bot.inbox.wake()
        elif what == "line":
            self.pages.heard(rest)

    async def sum_up(self) -> int:
        """Go on with the summaries that are due; how many messages that put out."""
        means = Means(self.turns.run, self.turns.read, self._draw, self.evidence.keep, self.parts.rules.schedules)
        told = await step(means, clock.now())
        if told:
            self._wake_notices.set()
        return told

    async def _draw(self, what: Chart, voice: Voice) -> bytes:
        return await self.charts.draw(what, 1, voice)

    # ---------------------------------------------------------------------------------------- turns

    async def take(self, incoming: Incoming) -> Taken:
        """Take a turn; returns after COMMIT. Raises ``TransientFailure``: the event is to come again."""
        rules = self.parts.rules
        taken = await self._turn(
            incoming,
            partial(take_turn, incoming=incoming, rules=rules),
            partial(_rescue, incoming=incoming, rules=rules),
        )
        assert taken is not None
        return taken

    async def take_waiting(self, incoming: Incoming, update: int) -> Taken | None:
        """Take a turn for an update that waits in the inbox, whose row goes with it; ``None`` when another process
        takes it, or took it. Raises ``TransientFailure``."""
        rules = self.parts.rules
        return await self._turn(
            incoming,
            partial(_take_waiting, incoming=incoming, update=update, rules=rules),
            partial(_rescue_waiting, incoming=incoming, update=update, rules=rules),
        )

    async def _turn(
        self,
        incoming: Incoming,
        job: Callable[[Connection], Taken | None],
        rescue: Callable[[Connection, Exception], Taken | None],
    ) -> Taken | None:
        """Take a turn; measure and log it, and wake what it may have given work."""
        clock, outcome, taken = _Clock(), "failed", None
        with logs.about(incoming.account, incoming.event):
            try:
                taken = await self.turns.run(
                    partial(_timed, clock=clock, job=job), partial(_timed_rescue, clock=clock, rescue=rescue)
                )
                outcome = "failed" if clock.rescued else "repeat" if taken and taken.repeat else "ok"
            except TransientFailure:
                outcome = "transient"
                raise
            except asyncio.CancelledError:
                outcome = "left"  # whoever asked is gone; it may have been taken all the same
                raise
            finally:
                if taken is not None or outcome != "ok":  # else another worker takes it
                    self.metrics.turn(incoming.account, outcome, clock.asked, clock.begun, clock.ended)
                    slow = time.perf_counter() - clock.asked >= SLOW
                    log.log(logging.WARNING if slow else logging.DEBUG, "turn %s", outcome)
        if taken is not None and not taken.repeat:
            self._wake_notices.set()
            self._wake_jobs.set()
        return taken

    # ---------------------------------------------------------------------------------------- channels

    def backend(self, account: str = WEB_ACCOUNT) -> Backend:
        """What the browser channel asks."""
        return Backend(
            take=self.pages.take,
            history=partial(self.pages.history, account),
            subscribe=self.pages.subscribe,
            may_upload=partial(self.evidence.may_upload, account),
            upload=partial(self.evidence.upload, account),
            picture=partial(self.evidence.show, account),
            landing=self.pages.landing,
            forget=partial(self.pages.forget, account),
            demo_seats=self.parts.seats,
        )

    def telegram(self, token: str, settings: TelegramSettings) -> Telegram:
        """A bot on this service; to be started by the caller, stopped with the service."""
        from bot.channels.telegram import Telegram

        def met(username: str) -> None:
            self._usernames[settings.name] = username

        bot = Telegram(token, settings, self._telegram_backend(), met=met, roles=self.parts.roles)
        self.bots.append(bot)
        return bot

    def _telegram_backend(self) -> TelegramBackend:
        from bot.channels.telegram_backend import Backend as TelegramBackend
        from bot.channels.telegram_backend import Shared
        from bot.sealing import seal, unseal

        async def picture(key: str) -> bytes | None:
            return await asyncio.to_thread(self.blobs.get, key)

        shared = None
        if self._locks is not None and self._words is not None:
            keys = self.parts.rules.keys or (lambda: KeyRing(()))
            shared = Shared(self._locks, self._words.say, partial(seal, keys=keys), partial(unseal, keys=keys))
        return TelegramBackend(
            self.take,
            self.turns.run,
            self.turns.read,
            picture,
            self.evidence.take_in,
            self.parts.rules,
            self.take_waiting,
            shared,
        )


def _broke(task: asyncio.Task[Any]) -> bool:
    """Did it end otherwise than by coming to its end?"""
    return task.done() and (task.cancelled() or task.exception() is not None)


# ------------------------------------------------------------------------------------------ jobs of the writer


def _rescue(conn: Connection, error: Exception, incoming: Incoming, rules: Rules) -> Taken:
    return rescue_turn(conn, incoming, rules, error)


def _timed(conn: Connection, clock: _Clock, job: Callable[[Connection], Taken | None]) -> Taken | None:
    clock.begun, clock.rescued = time.perf_counter(), False
    try:
        return job(conn)
    finally:
        clock.ended = time.perf_counter()


def _timed_rescue(
    conn: Connection, error: Exception, clock: _Clock, rescue: Callable[[Connection, Exception], Taken | None]
) -> Taken | None:
    clock.rescued = True
    try:
        return rescue(conn, error)
    finally:
        clock.ended = time.perf_counter()


def _take_waiting(conn: Connection, incoming: Incoming, update: int, rules: Rules) -> Taken | None:
    if not inbox.take(conn, update):
        return None
    inbox.done(conn, update)
    return take_turn(conn, incoming, rules)


def _rescue_waiting(conn: Connection, error: Exception, incoming: Incoming, update: int, rules: Rules) -> Taken | None:
    if not inbox.take(conn, update):
        return None
    inbox.done(conn, update)
    return rescue_turn(conn, incoming, rules, error)
