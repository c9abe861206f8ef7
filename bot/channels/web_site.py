"""One mounted chat of the browser channel: how it is mounted, who asks, and how it answers or refuses.

A browser is known by a random cookie; the address that the rest of the program sees is the cookie's SHA-256, so that a
copy of the database opens nobody's session.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from bot.channels.web_backend import Backend
from bot.limits import Doors, Limits, Network, network_of

PENANCE = 1.0  # seconds that a refusal of a flood waits
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class WebSettings:
    """How the channel is mounted.

    ``public_url``: where the world finds it (``https://…``, no path), empty if nowhere; https makes the cookie
    Secure. ``prefix``: path before every route, ``""`` or ``/…`` without a slash at the end. ``account``: the
    channel account's name. ``demo``: also ``/demo/`` with the backend's seats; only a loopback host is answered
    then. ``heartbeat``: seconds between signs of life on an idle stream. ``trusted_proxies``: whose word on where a
    request comes from is taken (addresses or networks, commas between).
    """

    public_url: str = ""
    prefix: str = ""
    account: str = "web"
    demo: bool = False
    heartbeat: float = 15.0
    cookie_days: int = 400  # browsers keep a cookie no longer
    decoders: int = 2  # stored pictures made smaller at once
    limits: Limits = field(default_factory=Limits)
    trusted_proxies: str = "127.0.0.1, ::1"


@dataclass(slots=True)
class Site:
    """The channel mounted under one prefix; the demo mounts three."""

    backend: Backend
    settings: WebSettings
    prefix: str
    decoders: asyncio.Semaphore
    doors: Doors
    trusted: tuple[Network, ...]
    streams: Counter[str] = field(default_factory=Counter)
    running: set[asyncio.Task[Any]] = field(default_factory=set)
    small: OrderedDict[tuple[str, int], bytes] = field(default_factory=OrderedDict)

    @property
    def cookie(self) -> str:
        """Its name tells the prefix too: a browser sends a cookie of ``/`` to ``/demo/citizen`` as well."""
        return "hoctap" + self.prefix.replace("/", "_")


def network(site: Site, request: web.Request) -> str:
    """The network address that a request comes from; ``""``: not known."""
    forwarded = request.headers.getall("X-Forwarded-For", [])
    return network_of(request.remote, forwarded, request.headers.get("X-Real-IP", ""), site.trusted)


async def put_off(site: Site, who: str, seconds: float) -> web.Response:
    """``429``: the page keeps what it wanted to send and tries again. Nothing was read and nothing done.

    The answer itself waits a little, so that whoever floods on a few connections asks once a second, not a thousand
    times; on many connections these are closed instead.
    """
    with site.doors.penance.hold(who) as patient:
        if patient:
            await asyncio.sleep(min(PENANCE, seconds))
    response = refusal("flood", 429)
    response.headers["Retry-After"] = str(min(3600, math.ceil(seconds)))
    if not patient:
        response.force_close()
    return response


def address_of(token: str) -> str:
    """The address that the rest of the program knows a browser by."""
    return hashlib.sha256(token.encode()).hexdigest()


def known(site: Site, request: web.Request) -> str | None:
    """The address of the browser that asks, or ``None`` where it never acted."""
    token = request.cookies.get(site.cookie, "")
    return address_of(token) if TOKEN.fullmatch(token) else None


def remember(site: Site, response: web.StreamResponse, token: str) -> None:
    """Hand the browser its cookie, for as long as browsers keep one."""
    response.set_cookie(
        site.cookie,
        token,
        max_age=site.settings.cookie_days * 86400,
        path=site.prefix or "/",
        secure=site.settings.public_url.startswith("https://"),
        httponly=True,
        samesite="Lax",
    )


def own_page(site: Site, request: web.Request) -> bool:
    """Whether a POST comes from a page of ours. One that says nothing of where it comes from does not."""
    fetched = request.headers.get("Sec-Fetch-Site")
    if fetched not in (None, "same-origin"):
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return fetched is not None
    public = urlsplit(site.settings.public_url)
    if public.netloc and request.host == public.netloc:
        return origin == f"{public.scheme}://{public.netloc}"
    return origin in (f"http://{request.host}", f"https://{request.host}")


def number_of(text: str | None) -> int:
    """A line's number from a query or header; 0 where it is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else 0


def json_response(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="application/json")


def refusal(code: str, status: int) -> web.Response:
    return json_response(json.dumps({"error": code}), status)
