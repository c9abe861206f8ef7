"""What would take too long in a turn: drawn beside the turns, then handed to the conversation as a signal."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from bot import clock
from bot.channels.web_backend import HistoryLine
from bot.metrics import Metrics
from bot.pages import WEB_ACCOUNT
from bot.pictures.evidence import Evidence
from dialogs.model import FULL, WEB, Incoming, Signal
from dialogs.turn import Taken
from locales import Voice, speaking
from reports.charts import pages_of
from reports.figures import chart
from reports.model import Chart
from reports.pool import ChartPool
from storage import conversations, deletions, evidence, jobs, officers, units
from storage.base import Connection
from storage.engine import Turns, read_long
from storage.jobs import JobRow

log = logging.getLogger(__name__)


class Jobs:
    """The jobs that wait in the table, done by one process. *publish* shows a line on the open pages of an address."""

    def __init__(
        self,
        turns: Turns,
        readers: AsyncEngine,
        charts: ChartPool,
        pictures: Evidence,
        metrics: Metrics,
        take: Callable[[Incoming], Awaitable[Taken]],
        publish: Callable[[str, HistoryLine], None],
    ) -> None:
        self._turns, self._readers, self._charts, self._pictures = turns, readers, charts, pictures
        self._metrics, self._take, self._publish = metrics, take, publish

    async def do_waiting(self) -> int:
        """Do the jobs that wait; how many."""
        waiting = await self._turns.read(jobs.waiting)
        for job in waiting:
            done = False
            try:
                await self._do(job)
                done = True
            except Exception:
                log.exception("job %s (%s) failed", job.id, job.kind)
            self._metrics.job(job.kind, done)
            await self._turns.run(partial(jobs.settle, job=job, done=done))
        return len(waiting)

    async def _do(self, job: JobRow) -> None:
        if job.kind != "chart":
            raise ValueError(f"no job {job.kind!r}")
        params = job.params
        now = clock.now()

        voice = Voice(str(params.get("language", "vi")), "anh_chi")
        read = await read_long(self._readers, partial(_figures, job=job, voice=voice, now=now))
        if read is None:
            return
        found, pages = read
        page = int(params.get("page", 0)) or 1
        image = await self._charts.draw(found, page, voice)
        key = await self._pictures.keep(image)
        await self._turns.run(partial(_keep_chart, job=job, key=key, size=len(image), now=now))
        signal = Signal("chart", {**params, "key": key, "as_of": found.as_of.isoformat(), "pages": pages})
        able = WEB if job.account == WEB_ACCOUNT else FULL
        incoming = Incoming(job.account, f"job-{job.id}", job.address, signal, now, None, able)
        taken = await self._take(incoming)
        for told in taken.told:
            if told.message_id is not None:
                self._publish(job.address, HistoryLine(told.message_id, "out", told.body, now))


def _figures(conn: Connection, job: JobRow, voice: Voice, now: datetime) -> tuple[Chart, int] | None:
    """What the chart shows, and how many pictures it takes; ``None`` where it is not for this chat (any more): the
    area is not the officer's, or the unit is gone."""
    unit = units.by_id(conn, int(job.params["unit"]))
    officer = officers.of_contact(conn, job.contact_id)
    if unit is None or officer is None or not officers.covers(officer, unit.path):
        return None
    with speaking(voice):
        found = chart(conn, unit, job.params, now)
        return found, pages_of(found)


def _keep_chart(conn: Connection, job: JobRow, key: str, size: int, now: datetime) -> None:
    """The chart is the contact's to see, like an upload of its own."""
    if conversations.peek(conn, job.account, job.address) is not None:
        evidence.put_chart(conn, job.contact_id, key, size, now)
        deletions.release(conn, key)
