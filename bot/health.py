"""Is this process alive, and can it serve? Answered on the operator's own address, never on the public one.

``/health/live``: the event loop answers. ``/health/ready``: the database is there with the tables that this program
knows, every loop runs; else 503 with the names of what is not so, and whether pictures can be stored.
``/metrics``: see :mod:`bot.metrics`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from bot import metrics
from storage import migrate
from storage.engine import is_transient, read_long

if TYPE_CHECKING:
    from bot.service import Service

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds that each question may take
FOLDER_AGAIN, BUCKET_AGAIN = 5.0, 60.0  # seconds that an answer of the store is good for; a bucket charges for each


class Readiness:
    """What of a process is not as it should be. Remembers what the store said, so that being asked costs little."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._again = FOLDER_AGAIN if isinstance(service.parts.blobs, Path) else BUCKET_AGAIN
        self._one = asyncio.Lock()
        self._stored, self._asked = True, float("-inf")

    async def missing(self) -> list[str]:
        """Names: ``database`` (away), ``schema`` (tables of another version), ``turns``, ``loop NAME``; none when it
        can serve."""
        found = [*await self._database(), *(() if self._service.turns.alive else ("turns",))]
        return [*found, *(f"loop {name}" for name in self._service.dead())]

    async def _database(self) -> list[str]:
        try:
            async with asyncio.timeout(PATIENCE):
                revision = await read_long(self._service.readers, migrate.revision_of)
        except Exception as error:
            if not isinstance(error, TimeoutError) and not is_transient(error):
                raise
            log.warning("the database does not answer: %s", type(error).__name__)
            return ["database"]
        return [] if revision == migrate.HEAD else ["schema"]

    async def takes_pictures(self) -> bool:
        """Can pictures be stored? Without that text and choices go on, so nobody is to be sent away for it."""
        async with self._one:
            if time.monotonic() - self._asked >= self._again:
                try:
                    async with asyncio.timeout(PATIENCE):
                        await asyncio.to_thread(self._service.blobs.probe)
                    self._stored = True
                except OSError as error:  # among them TimeoutError, StoreAway and StoreFull
                    log.warning("pictures cannot be stored: %s", type(error).__name__)
                    self._stored = False
                self._asked = time.monotonic()
            return self._stored


def app(service: Service) -> web.Application:
    """What the operator's address serves."""
    application = web.Application()
    application.router.add_get("/health/live", _live)
    application.router.add_get("/health/ready", partial(_ready, Readiness(service)))
    application.router.add_get("/metrics", partial(_metrics, service))
    return application


async def _live(request: web.Request) -> web.Response:
    return _answer({"live": True})


async def _ready(readiness: Readiness, request: web.Request) -> web.Response:
    missing = await readiness.missing()
    said = {"ready": not missing, "missing": missing, "pictures": await readiness.takes_pictures()}
    return _answer(said, 503 if missing else 200)


async def _metrics(service: Service, request: web.Request) -> web.Response:
    headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store"}
    return web.Response(body=await metrics.scrape(service), headers=headers)


def _answer(said: dict[str, object], status: int = 200) -> web.Response:
    text = json.dumps(said)
    return web.Response(
        text=text, status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )
