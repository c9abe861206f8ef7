"""The browser channel: its routes, and what holds for every request.

It turns requests into :class:`~dialogs.model.Incoming` and shows what the conversation answers; what is true it asks of
a :class:`~bot.channels.web_backend.Backend`. A GET creates nothing: the cookie comes with the first act.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from bot.channels.web_acts import act, history, leave, stream
from bot.channels.web_backend import Backend
from bot.channels.web_pages import chat_page, demo_page, landing, moved, page, static
from bot.channels.web_pictures import picture, upload
from bot.channels.web_site import Site, WebSettings, network, put_off
from bot.limits import Doors, Slots, networks

ACT_LIMIT = 64 * 1024  # bytes of one act's JSON
HSTS = "max-age=31536000"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def app(backend: Backend, settings: WebSettings) -> web.Application:
    """The whole channel, to be served: the chat under ``settings.prefix`` and, in the demo, every seat's."""
    application = web.Application(client_max_size=ACT_LIMIT, middlewares=[only_loopback] if settings.demo else [])
    decoders = asyncio.Semaphore(settings.decoders)
    doors, trusted = Doors(settings.limits), networks(settings.trusted_proxies)
    sites = [Site(backend, settings, settings.prefix, decoders, doors, trusted)]
    if settings.demo:
        sites += [Site(backend, settings, seat.prefix, decoders, doors, trusted) for seat in backend.demo_seats]
        application.router.add_get("/demo", partial(moved, "/demo/"))
        application.router.add_get("/demo/", partial(demo_page, sites[0]))
    for site in sites:
        application.router.add_routes(routes(site))
    application.on_response_prepare.append(partial(guard, settings))
    application.on_shutdown.append(partial(end_streams, sites))
    return application


def routes(site: Site) -> list[web.RouteDef]:
    """The routes of one mounted chat."""
    base = site.prefix
    home = "/demo/" if site.settings.demo and not base else f"{base}/chat"
    quick = partial(partial, limited, site, site.doors.under_way)
    lasting = partial(partial, limited, site, site.doors.streams)
    return [
        web.get(f"{base}/", quick(partial(moved, home))),
        web.get(f"{base}/q/{{payload}}", quick(partial(landing, site))),
        web.get(f"{base}/chat", quick(partial(page, site, chat_page(site)))),
        web.get(f"{base}/chat/history", quick(partial(history, site))),
        web.get(f"{base}/chat/stream", lasting(partial(stream, site)), allow_head=False),
        web.get(f"{base}/chat/picture/{{key}}", quick(partial(picture, site))),
        web.post(f"{base}/chat/act", quick(partial(act, site))),
        web.post(f"{base}/chat/upload", quick(partial(upload, site))),
        web.post(f"{base}/chat/leave", quick(partial(leave, site))),
        web.get(f"{base}/static/{{name}}", quick(static)),
    ]


async def limited(
    site: Site, slots: Slots, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], request: web.Request
) -> web.StreamResponse:
    """Do what the request asks unless its network asks too much, or has too much under way; of the webhooks of
    messengers, which come from few addresses and know a secret, nothing is counted."""
    where = network(site, request)
    if not where:
        return await handler(request)
    wait = site.doors.network.take(where)
    if wait:
        return await put_off(site, where, wait)
    with slots.hold(where) as free:
        if free:
            return await handler(request)
    return await put_off(site, where, 2)


async def guard(settings: WebSettings, request: web.Request, response: web.StreamResponse) -> None:
    """Headers on every answer: nothing foreign runs, frames, sniffs or keeps what is personal."""
    within = "'self'" if settings.demo else "'none'"
    frames = " frame-src 'self';" if settings.demo else ""
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        f"form-action 'self'; base-uri 'none';{frames} frame-ancestors {within}",
    )
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("X-Frame-Options", "SAMEORIGIN" if settings.demo else "DENY")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
    response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    response.headers.setdefault("Cache-Control", "no-store")
    if settings.public_url.startswith("https://"):
        response.headers.setdefault("Strict-Transport-Security", HSTS)


@web.middleware
async def only_loopback(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The demo hands out officers' links, so a foreign name that was made to point at this machine is refused."""
    if request.host.rsplit(":", 1)[0] not in LOOPBACK and request.host not in LOOPBACK:
        raise web.HTTPMisdirectedRequest(text="demo: loopback only")
    return await handler(request)


async def end_streams(sites: list[Site], application: web.Application) -> None:
    """An open stream would hold up the end of the process; the browser comes back by itself."""
    tasks = [task for site in sites for task in site.running]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
