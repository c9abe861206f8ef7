"""Worker processes that draw charts, so that no turn waits for a picture.

matplotlib takes a second and 100 MB to import and holds the interpreter while it draws: it lives in the workers
only. They start with the first chart, stay warm, give way to the server, and end with it, however it ends.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import FrameType

from locales import Voice, speaking
from reports.model import Chart

LONGEST = 20.0  # seconds: a thousand times what a chart takes


class ChartPool:
    """Draws charts in *workers* processes, started when the first chart is asked for.

    A chart may take *longest* seconds once begun.
    """

    def __init__(self, workers: int = 1, longest: float = LONGEST) -> None:
        self._workers = workers
        self._longest = longest
        self._executor: ProcessPoolExecutor | None = None
        self._closed = False

    async def draw(self, what: Chart, page: int = 1, voice: Voice | None = None) -> bytes:
        """The PNG of a page (from 1; see :func:`reports.charts.pages_of`), in the voice given or the default one.

        A worker that was killed is replaced and the chart drawn once more; killed again, ``BrokenProcessPool``.
        ``ValueError`` for a page that is not there, ``TimeoutError`` for a chart that takes too long,
        ``RuntimeError`` after :meth:`close`. A chart whose caller was cancelled before its turn came is not drawn.
        """
        executor = self._running()
        try:
            return await self._drawn(executor, what, page, voice)
        except BrokenProcessPool:
            # Several charts may find the same pool broken: only the first of them puts it away.
            if self._executor is executor:
                self._executor = None
            executor.shutdown(wait=False)
            return await self._drawn(self._running(), what, page, voice)

    async def close(self) -> None:
        """Ends the workers: charts being drawn are finished, those waiting are cancelled. May be called twice."""
        self._closed = True
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)

    async def _drawn(self, executor: ProcessPoolExecutor, what: Chart, page: int, voice: Voice | None) -> bytes:
        return await asyncio.wrap_future(executor.submit(_draw, what, page, voice or Voice(), self._longest))

    def _running(self) -> ProcessPoolExecutor:
        if self._closed:
            raise RuntimeError("the chart pool is closed")
        if self._executor is None:
            # Not forked: a child of a process with threads could inherit a lock that nobody will ever release.
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(self._workers, mp_context=context, initializer=_begin)
        return self._executor


def _begin() -> None:
    """A worker's first act."""
    # Ctrl-C reaches the whole process group; the server decides when the workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, _too_long)
    os.nice(10)
    threading.Thread(target=_end_with_server, name="end-with-server", daemon=True).start()


def _end_with_server() -> None:
    """A worker holds both ends of its own queue, so it would wait for ever if the server were killed."""
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os._exit(1)


def _draw(what: Chart, page: int, voice: Voice, longest: float) -> bytes:
    from reports import charts
    from reports.charts import paint

    # The clock runs here and not at the caller, whose would run while others' charts are drawn.
    signal.setitimer(signal.ITIMER_REAL, longest)
    try:
        with speaking(voice):
            return paint.png(charts.compose(what, page))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError("a chart took too long")
