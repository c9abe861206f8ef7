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

from bot import health, logs
from bot.channels.web import app
from bot.channels.web_site import WebSettings
from bot.metrics import counting
from bot.roles import ROLES
from bot.service import Parts, Service
from bot.settings import Settings, accounts, blob_place, limits, rules, webhook_url
from locales import _
from storage.housekeeping import Keep

if TYPE_CHECKING:
    from bot.channels.telegram import TelegramSettings

log = logging.getLogger(__name__)

GRACE = 10.0  # seconds that open requests get at the end
IDLE = 75.0  # seconds that a connection may take until its next request is all there (but for the body)


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot to serve: its token, and how."""

    token: str = field(repr=False)
    settings: TelegramSettings


class AddressTaken(OSError):
    """An address cannot be listened on. ``address``: ``host:port``."""

    def __init__(self, address: str, cause: OSError) -> None:
        super().__init__(cause.errno, cause.strerror)
        self.address = address


async def serve(
    parts: Parts,
    settings: WebSettings,
    host: str,
    port: int,
    *,
    bots: Sequence[Bot] = (),
    listen: str = "",
    ready: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then let requests end, take the turns that wait, and close.

    *listen*: the operator's own address (``host:port``) for health and metrics, which every process serves whatever its
    roles; empty: none.

    Raises :class:`AddressTaken`.
    """
    service = Service(parts)
    site = app(service.backend(settings.account), settings)
    site.middlewares.insert(0, counting(service.metrics))
    for bot in bots:
        telegram = service.telegram(bot.token, bot.settings)
        if bot.settings.webhook:
            site.router.add_post(urlsplit(bot.settings.webhook).path, telegram.webhook)
    # No access log: paths hold codes.
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=GRACE, keepalive_timeout=IDLE)
    watch = web.AppRunner(health.app(service), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await watch.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, ValueError):  # not the main thread: tests stop it otherwise
            loop.add_signal_handler(number, stop.set)
    try:
        if listen:  # first: who asks while the rest begins is told that it is not ready
            operator, _colon, its_port = listen.rpartition(":")
            await _listen(watch, operator.strip("[]"), int(its_port), listen)
            log.info("health and metrics at http://%s", listen)
        if "web" in parts.roles:
            await _listen(runner, host, port, f"{host}:{port}")
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
        await watch.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int, address: str) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise AddressTaken(address, error) from error


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
                limits(settings).contact,
            ),
        )
        for each in found
    )


def main(settings: Settings, roles: frozenset[str] = ROLES) -> None:
    """Run until the process is told to end, doing what is among *roles*. Exits with 1 and one line when the address
    is taken."""
    logs.install(settings.operation.log, settings.operation.level)
    parts = Parts(
        settings.storage.url,
        blob_place(settings),
        rules(settings),
        Keep(**settings.keep.model_dump()),
        settings.web.picture_workers,
        roles=roles,
    )
    web_settings = WebSettings(
        public_url=settings.web.public_url,
        decoders=settings.web.picture_workers,
        limits=limits(settings),
        trusted_proxies=settings.web.trusted_proxies,
    )
    bots = telegram_bots(settings)
    try:
        asyncio.run(
            serve(
                parts,
                web_settings,
                settings.web.host,
                settings.web.port,
                bots=bots,
                listen=settings.operation.listen,
            )
        )
    except AddressTaken as taken:
        of_operator = taken.address == settings.operation.listen
        sentence = _("cli.run.listen_taken" if of_operator else "cli.run.taken", address=taken.address, cause=taken)
        raise SystemExit(sentence) from taken
