"""``hoctap run``: one process with the web channel, its loops, and a graceful end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal

from aiohttp import web

from bot import redaction
from bot.channels.web import WebSettings, app
from bot.service import Parts, Service
from bot.settings import Settings, rules
from locales import _
from storage.housekeeping import Keep

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


def main(settings: Settings) -> None:
    """Run until the process is told to end. Exits with 1 and one line when the address is taken."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    redaction.install()
    keep = settings.keep
    parts = Parts(
        settings.storage.url,
        settings.storage.blobs,
        rules(settings),
        Keep(keep.history_days, keep.claims_days, keep.outbox_days, keep.failed_days, keep.uploads_hours),
    )
    web_settings = WebSettings(public_url=settings.web.public_url, decoders=settings.web.picture_workers)
    try:
        asyncio.run(serve(parts, web_settings, settings.web.host, settings.web.port))
    except OSError as error:
        raise SystemExit(_("cli.run.taken", address=f"{settings.web.host}:{settings.web.port}", cause=error)) from error
