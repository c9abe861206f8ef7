"""``hoctap run``: one process with the web channel, its loops, and a graceful end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal

from aiohttp import web

from bot.channels.web import WebSettings, app
from bot.service import Parts, Service

log = logging.getLogger(__name__)

GRACE = 10.0  # seconds that open requests get at the end


async def serve(
    parts: Parts, settings: WebSettings, host: str, port: int, *, ready: asyncio.Event | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; then let requests end, take the turns that wait, and close.

    Raises ``OSError`` when the address is taken.
    """
    service = Service(parts)
    runner = web.AppRunner(
        app(service.backend(settings.account), settings), access_log=None, shutdown_timeout=GRACE
    )  # no access log: paths hold codes
    await runner.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, ValueError):  # not the main thread: tests stop it otherwise
            loop.add_signal_handler(number, stop.set)
    try:
        await web.TCPSite(runner, host, port).start()
        service.start()
        log.info("serving on http://%s:%s", host, port)
        if ready is not None:
            ready.set()
        await stop.wait()
        log.info("ending: taking the turns that wait")
    finally:
        await runner.cleanup()
        await service.stop()
