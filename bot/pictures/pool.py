"""Worker processes that take files in: decoders written in C read what strangers send, so each runs where it can hurt
nothing but itself.

A worker has no secrets in its environment, no open files, 1.5 GB of memory and 20 seconds a file. One that dies or
hangs is replaced and its file is refused as broken. What it answers is data, never pickles, and is looked at again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import queue
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import IO, Any

from bot import child
from bot.pictures import worker
from bot.pictures.intake import StoredPicture, is_bare, kind_of
from bot.pictures.papers import PAGES_LIMIT
from bot.pictures.refusal import PictureRefused
from bot.pictures.stills import LONGEST_SIDE

log = logging.getLogger(__name__)

SECONDS = 20.0  # for one file
START_SECONDS = 30.0  # for a worker to be ready, on a machine that is busy
MOST_WAITING = 32  # files for each worker: about ten seconds of work, and their bytes are held meanwhile
FILES_EACH = 500  # then a worker is replaced: what its libraries leak goes with it
PICTURE_LIMIT = 32 * 1024 * 1024  # bytes of one answered JPEG: 2,560 px square of pure noise is a third of it
SAID_LIMIT = 4096  # bytes of the JSON
MOST_PAGES = 9_999  # that a file is said to have; it may claim any number
REFUSALS = frozenset({"too_big", "too_many_pixels", "not_a_picture", "broken", "locked"})  # that a worker may answer


class WorkerFailed(Exception):
    """A worker died, ran out of time or answered what it must not."""


class PicturePool:
    """Takes files in with at most *workers* processes, started when first needed. ``deaths`` counts those lost."""

    def __init__(self, workers: int = 2, seconds: float = SECONDS) -> None:
        self._workers, self._seconds = workers, seconds
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="pictures")
        self._idle: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        for _n in range(workers):
            self._idle.put(None)
        self._waiting = 0
        self.deaths = 0

    async def receive(self, data: bytes) -> tuple[StoredPicture, ...]:
        """The pictures in a file: see :func:`bot.pictures.intake.receive`.

        Raises :class:`~bot.pictures.refusal.PictureRefused`, also ``busy`` when too many files wait; ``OSError`` when
        no worker can be started; ``RuntimeError`` after :meth:`close`.
        """
        kind_of(data)  # the commonest refusals need no process
        if self._waiting >= MOST_WAITING * self._workers:
            raise PictureRefused("busy")
        self._waiting += 1
        work = asyncio.get_running_loop().run_in_executor(self._threads, partial(self._receive, data))
        work.add_done_callback(self._done)
        # Whoever asked may go away: the worker ends its file all the same.
        return await asyncio.shield(work)

    async def close(self) -> None:
        """End the workers: files under way are finished, those that wait are cancelled. May be called twice."""
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
        while not self._idle.empty():
            idle = self._idle.get_nowait()
            if idle is not None:
                await asyncio.to_thread(idle.end)

    def _done(self, work: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not work.cancelled():
            work.exception()  # seen, though whoever asked may be gone

    def _receive(self, data: bytes) -> tuple[StoredPicture, ...]:
        process = self._idle.get_nowait()  # there are as many as threads
        try:
            if process is not None and (process.files >= FILES_EACH or not process.alive):
                process.end()
                process = None
            if process is None:
                process = _Worker()
            try:
                return process.ask(data, self._seconds)
            except WorkerFailed as failed:
                self.deaths += 1
                log.warning("a worker was lost to a file of %d bytes: %s", len(data), failed)
                process.end()
                process = None
                raise PictureRefused("broken") from failed
        finally:
            self._idle.put(process)


class _Worker:
    """One process. Raises ``OSError`` when it cannot be started."""

    def __init__(self) -> None:
        self.files = 0
        self._process = child.start(worker.__name__)
        with _timed(self._process, START_SECONDS):
            ready = self._out.read(len(worker.READY))
        if ready != worker.READY:
            self.end()
            raise OSError("a picture worker did not start")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def _in(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _out(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def ask(self, data: bytes, seconds: float) -> tuple[StoredPicture, ...]:
        """What the worker makes of a file. Raises :class:`PictureRefused` as it does, and :class:`WorkerFailed`."""
        self.files += 1
        with _timed(self._process, seconds):
            try:
                self._in.write(len(data).to_bytes(8))
                self._in.write(data)
                self._in.flush()
                return self._answer(hashlib.sha256(data).hexdigest())
            except (PictureRefused, WorkerFailed):
                raise
            except Exception as error:  # a worker that was taken over may answer what raises anything
                raise WorkerFailed(type(error).__name__) from error

    def _answer(self, source_hash: str) -> tuple[StoredPicture, ...]:
        """Read an answer, believing nothing: who took the worker over may say anything."""
        said = json.loads(self._exactly(int.from_bytes(self._exactly(8)), SAID_LIMIT))
        if "refused" in said:
            raise PictureRefused(str(said["refused"]) if said["refused"] in REFUSALS else "broken")
        told = said["pictures"]
        if not 1 <= len(told) <= PAGES_LIMIT:
            raise WorkerFailed("pictures")
        in_file = min(max(int(said.get("in_file", 1)), len(told)), MOST_PAGES)
        return tuple(self._picture(each, source_hash, page, len(told), in_file) for page, each in enumerate(told, 1))

    def _picture(self, told: dict[str, Any], source_hash: str, page: int, pages: int, in_file: int) -> StoredPicture:
        size, small = told["sizes"]
        jpeg, thumbnail = self._exactly(size, PICTURE_LIMIT), self._exactly(small, PICTURE_LIMIT)
        width, height, phash = int(told["width"]), int(told["height"]), told["phash"]
        if not (1 <= width <= LONGEST_SIDE and 1 <= height <= LONGEST_SIDE):
            raise WorkerFailed("size")
        if not is_bare(jpeg) or (thumbnail and not is_bare(thumbnail)):
            raise WorkerFailed("not a bare picture")
        if phash is not None:
            phash = f"{int(phash, 16) & 0xFFFF_FFFF_FFFF_FFFF:016x}"
        key = hashlib.sha256(jpeg).hexdigest()
        return StoredPicture(key, jpeg, width, height, source_hash, phash, thumbnail, page, pages, in_file)

    def _exactly(self, size: int, most: int = 8) -> bytes:
        if not 0 <= size <= most:
            raise WorkerFailed("length")
        data = self._out.read(size)
        if len(data) < size:
            raise WorkerFailed("it ended")
        return data

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._out.close()
        try:
            self._in.close()
        except OSError:
            return  # what it had not read went with it


@contextmanager
def _timed(process: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    """Kill a process that is not done in time: reading from it then ends."""
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
