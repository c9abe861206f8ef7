"""What processes that share a PostgreSQL database tell each other: locks that die with their holder, and short words.

Both are sessions of their own beside the turns: advisory locks belong to a session, and notifications come by one. With
a connection pooler in front, it must pool sessions, not transactions.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import sqlalchemy as sa

log = logging.getLogger(__name__)

CHANNEL = "hoctap"
SLOWEST_RETRY = 5.0  # seconds between tries to reach the database
WATCH = 2.0  # seconds between looks at whether a lock that work depends on is still held
WITHIN = 10.0  # seconds for one statement
# A process or a network that is frozen must not keep its locks for hours.
SESSION: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
}
Psycopg = psycopg.AsyncConnection[tuple[object, ...]]


def _address(url: str) -> str:
    """The address as psycopg wants it."""
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


class Locks:
    """Named locks of one process. A lock is free again as soon as its holder lets go, ends, or loses the database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: Psycopg | None = None
        self._one = asyncio.Lock()  # a session does one thing at a time
        self._held: set[str] = set()

    async def take(self, name: str) -> bool:
        """Take a lock if it is free; ``False`` when somebody has it (this process counts too), or while the database
        is away."""
        if name in self._held:
            return False
        try:
            async with self._one:
                if name in self._held:
                    return False
                async with asyncio.timeout(WITHIN):
                    session = await self._open()
                    row = await (await session.execute("SELECT pg_try_advisory_lock(%s)", [_number(name)])).fetchone()
                if row is not None and row[0]:
                    self._held.add(name)
                    return True
                return False
        except (psycopg.Error, TimeoutError) as error:
            await self._gone(error)
            return False

    async def free(self, name: str) -> None:
        """Let go of a lock."""
        if name not in self._held:
            return
        try:
            async with self._one:
                session = self._session
                if name in self._held and session is not None:
                    async with asyncio.timeout(WITHIN):
                        await session.execute("SELECT pg_advisory_unlock(%s)", [_number(name)])
                    self._held.discard(name)
        except (psycopg.Error, TimeoutError) as error:
            await self._gone(error)

    def has(self, name: str) -> bool:
        """Does this process hold it? Until the loss of the database has been noticed, it believes so."""
        return name in self._held

    @property
    def names(self) -> frozenset[str]:
        """The locks that this process believes to hold."""
        return frozenset(self._held)

    async def check(self) -> bool:
        """Is the session alive? If not, every lock is gone."""
        try:
            async with self._one:
                session = self._session
                if session is None:
                    return False
                async with asyncio.timeout(WITHIN):
                    await session.execute("SELECT 1")
            return True
        except (psycopg.Error, TimeoutError) as error:
            await self._gone(error)
            return False

    @asynccontextmanager
    async def held(self, name: str, every: float = 1.0) -> AsyncIterator[None]:
        """Wait until the lock is this process's, for as long as it takes."""
        while not await self.take(name):  # noqa: ASYNC110 - PostgreSQL tells nobody that a lock is free
            await asyncio.sleep(every)
        try:
            yield
        finally:
            await self.free(name)

    async def alone(self, name: str, work: Callable[[], Awaitable[None]], every: float = 1.0) -> None:
        """Work while the lock is held, until it ends: a lock that is lost stops it, and once it is had again it
        begins anew."""
        while True:
            async with self.held(name, every):
                task = asyncio.ensure_future(work())
                try:
                    while not task.done():
                        await asyncio.wait((task,), timeout=WATCH)
                        if not task.done() and not (await self.check() and self.has(name)):
                            log.warning("the lock %s is lost: its work is left to others", name)
                            break
                    else:
                        await task
                        return
                finally:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """Let go of everything."""
        self._held.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _open(self) -> Psycopg:
        if self._session is None or self._session.closed:
            self._held.clear()
            self._session = await psycopg.AsyncConnection.connect(_address(self._url), autocommit=True, **SESSION)
        return self._session

    async def _gone(self, error: Exception) -> None:
        if self._session is not None and isinstance(error, psycopg.Error) and not self._session.broken:
            log.warning("a lock could not be asked for: %s", type(error).__name__)  # the others are still held
            return
        log.warning("the locks are gone: %s", type(error).__name__)
        self._held.clear()
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class Words:
    """Short words between processes: said after a commit, heard at once, and nothing depends on them (whoever waits for
    one looks at the tables now and then anyway)."""

    def __init__(self, url: str, heard: Callable[[str], None]) -> None:
        self._url, self._heard = url, heard
        self._me = secrets.token_hex(4)
        self._waiting: dict[str, None] = {}
        self._wake = asyncio.Event()

    def say(self, word: str) -> None:
        """Tell the others (at most 7,000 bytes); those of this process do not hear it."""
        self._waiting[word] = None
        self._wake.set()

    async def work(self) -> None:
        """Speak and listen, for ever."""
        await asyncio.gather(self._again(self._speak), self._again(self._listen))

    async def _again(self, work: Callable[[Psycopg], Awaitable[None]]) -> None:
        wait = 0.2
        while True:
            try:
                session = await psycopg.AsyncConnection.connect(_address(self._url), autocommit=True, **SESSION)
                try:
                    wait = 0.2
                    await work(session)
                finally:
                    await session.close()
            except psycopg.Error as error:
                log.info("the other processes cannot be heard now: %s", type(error).__name__)
                await asyncio.sleep(wait)
                wait = min(SLOWEST_RETRY, wait * 2)

    async def _speak(self, session: Psycopg) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            words, self._waiting = list(self._waiting), {}
            for word in words:
                await session.execute("SELECT pg_notify(%s, %s)", [CHANNEL, f"{self._me} {word}"])

    async def _listen(self, session: Psycopg) -> None:
        await session.execute(f"LISTEN {CHANNEL}")
        async for notice in session.notifies():
            speaker, _space, word = notice.payload.partition(" ")
            if speaker != self._me:
                self._heard(word)
