"""``hoctap run``: one process with the web channel, its loops, and a graceful end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from bot import redaction
from bot.channels.web import WebSettings, app
from bot.roles import ROLES
from bot.service import Parts, Service
from bot.settings import Settings, accounts, blob_place, rules, webhook_url
from locales import _
from storage.housekeeping import Keep

if TYPE_CHECKING:
    from bot.channels.telegram import TelegramSettings

log = logging.getLogger(__name__)

GRACE = 10.0  # seconds that open requests get at the end


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot to serve: its token, and how."""

    token: str = field(repr=False)
    settings: TelegramSettings


async def serve(
    parts: Parts,
    settings: WebSettings,
    host: str,
    port: int,
    *,
    bots: Sequence[Bot] = (),
    ready: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then let requests end, take the turns that wait, and close.

    Raises ``OSError`` when the address is taken.
    """
    service = Service(parts)
    site = app(service.backend(settings.account), settings)
    for bot in bots:
        telegram = service.telegram(bot.token, bot.settings)
        if bot.settings.webhook:
            site.router.add_post(urlsplit(bot.settings.webhook).path, telegram.webhook)
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=GRACE)  # no access log: paths hold codes
    await runner.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, ValueError):  # not the main thread: tests stop it otherwise
            loop.add_signal_handler(number, stop.set)
    try:
        if "web" in parts.roles:
            await web.TCPSite(runner, host, port).start()
        service.start()
        for telegram in service.bots:
            await telegram.start()
        if "web" in parts.roles:
            log.info("serving on http://%s:%s", host, port)
        log.info("at work: %s", ", ".join(sorted(parts.roles)))
        if ready is not None:
            ready.set()
        await stop.wait()
        log.info("ending: taking the turns that wait")
    finally:
        await runner.cleanup()
        await service.stop(GRACE)


def telegram_bots(settings: Settings) -> tuple[Bot, ...]:
    """The bots that the settings name, ready to be served."""
    found = accounts(settings)
    if not found:
        return ()
    from bot.channels.telegram import TelegramSettings  # takes seconds: only where there is a bot

    section = settings.telegram
    return tuple(
        Bot(
            each.token.get_secret_value(),
            TelegramSettings(
                each.account,
                each.name,
                section.api_url,
                webhook_url(settings, each) if section.mode == "webhook" else "",
                section.rate,
                section.push_rate,
                section.chat_rate,
            ),
        )
        for each in found
    )


def main(settings: Settings, roles: frozenset[str] = ROLES) -> None:
    """Run until the process is told to end, doing what is among *roles*. Exits with 1 and one line when the address
    is taken."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    redaction.install()
    parts = Parts(
        settings.storage.url,
        blob_place(settings),
        rules(settings),
        Keep(**settings.keep.model_dump()),
        settings.web.picture_workers,
        roles=roles,
    )
    web_settings = WebSettings(public_url=settings.web.public_url, decoders=settings.web.picture_workers)
    bots = telegram_bots(settings)
    try:
        asyncio.run(serve(parts, web_settings, settings.web.host, settings.web.port, bots=bots))
    except OSError as error:
        raise SystemExit(_("cli.run.taken", address=f"{settings.web.host}:{settings.web.port}", cause=error)) from error
