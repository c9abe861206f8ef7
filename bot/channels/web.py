"""The browser channel: the chat page, the page behind a unit's QR, and the demo with its seats side by side.

It turns requests into :class:`~dialogs.model.Incoming` and shows what the conversation answers; what is true it
asks of a :class:`Backend`. A browser is known by a random cookie; the address that the rest of the program sees is
the cookie's SHA-256, so that a copy of the database opens nobody's session. A GET creates nothing: the cookie comes
with the first act.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
import secrets
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from html import escape
from importlib import resources
from string import Template
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import BodyPartReader, web

from bot.limits import Doors, Limits, Network, Slots, network_of, networks
from bot.pictures import intake
from bot.pictures.refusal import PictureRefused
from bot.pictures.sentences import sentence
from dialogs.model import WEB, Act, Incoming, Opened, Pressed, Sent, Typed
from locales import LANGUAGES, Voice, _, speaking
from storage.evidence import Picture

ACT_LIMIT = 64 * 1024  # bytes of one act's JSON
TEXT_LIMIT = 5000  # characters that one act may carry
UPLOADS_LIMIT = 40  # pictures in one act; a paper may be three
HISTORY_SHOWN = 200  # lines shown when the page opens
STREAMS_LIMIT = 8  # open tabs of one browser
UPLOAD_SECONDS = 300  # a 20 MB photo on a slow line
ACT_SECONDS = 30  # an act's few bytes
PENANCE = 1.0  # seconds that a refusal of a flood waits
HSTS = "max-age=31536000"
WIDTHS = (480, 1080)  # px: a thumbnail; a phone's screen

CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
KEY = re.compile(r"[0-9a-f]{64}")
LONE_SURROGATES = re.compile("[\ud800-\udfff]")
STATIC = {
    "chat.css": "text/css",
    "page.css": "text/css",
    "chat.js": "text/javascript",
    "outbox.js": "text/javascript",
    "photos.js": "text/javascript",
    "view.js": "text/javascript",
    "demo.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


# --------------------------------------------------------------------------------- what the channel asks


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for one address: its number in the chat's history, the screen as JSON, when (UTC)."""

    id: int
    body: str
    at: datetime


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line of a chat's history. Numbers grow within an address and are those of :class:`Outgoing`.

    ``direction``: ``out`` (``body`` is a screen, see :func:`dialogs.model.encode_screen`) or ``in`` (``body`` is
    what the person said, ``{"text": "…"}`` and/or ``{"pictures": [[key, ""], …]}``; then ``event`` is the id of the
    event, by which the page knows the bubble that it drew itself).
    """

    id: int
    direction: str
    body: str
    at: datetime
    event: str = ""


@dataclass(frozen=True, slots=True)
class Landing:
    """What the page behind a QR shows: the unit, what it lies in (nearest first), the code to type, other messengers.

    ``links`` are (label, https address).
    """

    unit: str
    within: tuple[str, ...]
    code: str
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Seat:
    """A person of the demo: where their chat is mounted (``/demo/citizen``), a caption, the link that they open."""

    prefix: str
    title: str
    payload: str


@dataclass(frozen=True, slots=True)
class Backend:
    """What the channel asks of the rest of the program. An ``address`` is 64 hex digits.

    - ``take(incoming)`` runs a turn and returns after its commit: the new messages for that address. An event that
      was taken before has no effect again; whatever is undelivered is returned.
    - ``history(address, after)``: the lines above number *after*, in order (0: the newest few hundred).
    - ``subscribe(address)``: inside, lines are put on the queue as they are committed, by whichever tab or officer.
    - ``may_upload(address)`` is asked before a file is read; raises as ``upload`` does.
    - ``upload(address, data)`` takes a file in as this address's: its pictures. Raises ``PictureRefused``, also
      ``not_yet`` while nobody joined there, ``day_full``.
    - ``picture(address, key, small)``: the bytes, only for whom they are meant; *small*: of its thumbnail, if it has
      one.
    - ``landing(payload)``: a pure read; ``None`` for a wrong code.
    - ``forget(address)``: the person leaves this browser ("Không phải tôi").
    """

    take: Callable[[Incoming], Awaitable[tuple[Outgoing, ...]]]
    history: Callable[[str, int], Awaitable[tuple[HistoryLine, ...]]]
    subscribe: Callable[[str], AbstractContextManager[asyncio.Queue[HistoryLine]]]
    may_upload: Callable[[str], Awaitable[object]]
    upload: Callable[[str, bytes], Awaitable[tuple[Picture, ...]]]
    picture: Callable[[str, str, bool], Awaitable[bytes | None]]
    landing: Callable[[str], Awaitable[Landing | None]]
    forget: Callable[[str], Awaitable[None]]
    demo_seats: tuple[Seat, ...] = ()


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


class Rejected(Exception):
    """An act that is not of the channel's form; ``status`` is the HTTP status that says how."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


# --------------------------------------------------------------------------------------------- the app


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


# -------------------------------------------------------------------------------------------- limits


def network(site: Site, request: web.Request) -> str:
    """The network address that a request comes from; ``""``: not known."""
    forwarded = request.headers.getall("X-Forwarded-For", [])
    return network_of(request.remote, forwarded, request.headers.get("X-Real-IP", ""), site.trusted)


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


# --------------------------------------------------------------------------------------------- identity


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


# -------------------------------------------------------------------------------------------------- acts


async def act(site: Site, request: web.Request) -> web.Response:
    """``POST /chat/act``: one act of the person; answered once its turn is committed.

    ``{id, screen, kind: pressed|typed|sent|opened, choice|text|uploads, caption|payload}`` → ``{ok, messages}``.
    The id is made by the page and counts within its browser only, so nobody can claim another's. The same id again
    changes nothing.
    """
    if not own_page(site, request):
        return refusal("origin", 403)
    if request.content_type != "application/json":
        return refusal("content_type", 415)
    known_as = known(site, request)
    if known_as and (wait := site.doors.contact.take(known_as)):
        return await put_off(site, known_as, wait)
    try:
        async with asyncio.timeout(ACT_SECONDS):
            raw = await request.json()
    except TimeoutError:
        return refusal("slow", 408)
    except (ValueError, RecursionError):
        return refusal("json", 400)
    try:
        client_id, screen, what = read_act(raw)
    except Rejected as rejected:
        return refusal(rejected.code, rejected.status)
    token = request.cookies.get(site.cookie, "")
    if not TOKEN.fullmatch(token):
        if not isinstance(what, Opened):
            return refusal("unknown_browser", 401)
        token = secrets.token_urlsafe(32)
    address, where = address_of(token), network(site, request)
    if wait := site.doors.meet(address, where):
        return await put_off(site, where, wait)
    incoming = Incoming(
        account=site.settings.account,
        event=f"{address[:16]}.{client_id}",
        address=address,
        act=what,
        at=datetime.now(UTC),
        screen=screen,
        capabilities=WEB,
        network=where,
    )
    async with site.doors.acts.hold(
        address
    ):  # whoever pours acts through many connections still has one turn at a time
        outgoing = await site.backend.take(incoming)
    lines = [as_json(HistoryLine(out.id, "out", out.body, out.at)) for out in outgoing]
    response = json_response(f'{{"ok":true,"messages":[{",".join(lines)}]}}')
    if isinstance(what, Opened):
        remember(site, response, token)
    return response


def read_act(raw: object) -> tuple[str, int | None, Act]:
    """The page's id, the screen it answers, and the act, from an act's JSON. Raises :class:`Rejected`."""
    if not isinstance(raw, dict):
        raise Rejected("form")
    client_id = raw.get("id")
    if not isinstance(client_id, str) or not CLIENT_ID.fullmatch(client_id):
        raise Rejected("id")
    screen = raw.get("screen")
    if screen is not None and (type(screen) is not int or not 0 <= screen < 2**53):
        raise Rejected("screen")
    what: Act
    match raw.get("kind"):
        case "pressed":
            what = Pressed(text_of(raw, "choice", 200))
        case "typed":
            what = Typed(text_of(raw, "text", TEXT_LIMIT))
        case "opened":
            what = Opened(text_of(raw, "payload", 200))
        case "sent":
            keys = raw.get("uploads")
            if not isinstance(keys, list) or not 1 <= len(keys) <= UPLOADS_LIMIT:
                raise Rejected("uploads")
            if not all(isinstance(key, str) and KEY.fullmatch(key) for key in keys):
                raise Rejected("uploads")
            what = Sent(tuple(keys), text_of(raw, "caption", TEXT_LIMIT))
        case _:
            raise Rejected("kind")
    return client_id, screen, what


def text_of(raw: dict[str, Any], name: str, limit: int) -> str:
    """A text of the act, ``""`` if absent. Half a surrogate pair, which no database takes, becomes U+FFFD."""
    text = raw.get(name, "")
    if not isinstance(text, str):
        raise Rejected(name)
    if len(text) > limit:
        raise Rejected(name, 413)
    return LONE_SURROGATES.sub("�", text)


async def leave(site: Site, request: web.Request) -> web.Response:
    """``POST /chat/leave``: this browser is nobody's again ("Không phải tôi / Thoát")."""
    if not own_page(site, request):
        return refusal("origin", 403)
    address = known(site, request)
    if address:
        await site.backend.forget(address)
    response = json_response('{"ok":true}')
    response.del_cookie(site.cookie, path=site.prefix or "/")
    return response


# ---------------------------------------------------------------------------------------------- reading


async def history(site: Site, request: web.Request) -> web.Response:
    """``GET /chat/history?after=N`` → ``{known, messages}``: the lines after N, at most the newest 200 when N is 0."""
    address = known(site, request)
    if address is None:
        return json_response('{"known":false,"messages":[]}')
    after = number_of(request.query.get("after"))
    lines = await site.backend.history(address, after)
    if not after:
        lines = lines[-HISTORY_SHOWN:]
    return json_response(f'{{"known":true,"messages":[{",".join(map(as_json, lines))}]}}')


async def stream(site: Site, request: web.Request) -> web.StreamResponse:
    """``GET /chat/stream?after=N``: server-sent events, a line each, from N (or ``Last-Event-ID``) on without a gap."""
    address = known(site, request)
    if address is None:
        return web.Response(status=204)  # tells the browser not to try again
    if site.streams[address] >= STREAMS_LIMIT:
        return refusal("streams", 429)
    after = number_of(request.headers.get("Last-Event-ID") or request.query.get("after"))
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    async with open_stream(site, address):
        try:
            await response.prepare(request)
            await response.write(b"retry: 2000\n\n")
            async with aclosing(events(site, address, after)) as coming:
                async for event in coming:
                    await response.write(event.encode())
        except ConnectionResetError:
            pass  # the page is gone
    return response


@asynccontextmanager
async def open_stream(site: Site, address: str) -> AsyncIterator[None]:
    """Count the stream and let the end of the process end it."""
    task = asyncio.current_task()
    assert task is not None
    site.running.add(task)
    site.streams[address] += 1
    try:
        yield
    finally:
        site.running.discard(task)
        site.streams[address] -= 1
        if not site.streams[address]:
            del site.streams[address]


async def events(site: Site, address: str, after: int) -> AsyncGenerator[str, None]:
    """The stream's events: what was missed, then what comes, and a ``ping`` when nothing does.

    The queue is joined before the history is read, so that a line committed in between comes twice rather than
    never; it is told by its number. Numbers are compared one by one: two turns may commit in the other order than
    they took their numbers.
    """
    with site.backend.subscribe(address) as queue:
        shown = set()
        for line in await site.backend.history(address, after):
            shown.add(line.id)
            yield f"id: {line.id}\ndata: {as_json(line)}\n\n"
        while True:
            try:
                line = await asyncio.wait_for(queue.get(), site.settings.heartbeat)
            except TimeoutError:
                yield "event: ping\ndata: \n\n"
                # A word from the process that took the turn may have been lost.
                for missed in await site.backend.history(address, max(shown, default=after)):
                    queue.put_nowait(missed)
                continue
            if line.id not in shown:
                shown.add(line.id)
                yield f"id: {line.id}\ndata: {as_json(line)}\n\n"


def as_json(line: HistoryLine) -> str:
    """A line as the page takes it, on one line. The bodies are JSON already and are not taken apart."""
    event = f',"event":{json.dumps(line.event.partition(".")[2])}' if line.event else ""
    body = line.body.replace("\n", " ").replace("\r", " ")
    return f'{{"id":{line.id},"dir":"{line.direction}","at":"{line.at.isoformat()}"{event},"body":{body}}}'


def number_of(text: str | None) -> int:
    """A line's number from a query or header; 0 where it is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else 0


# ---------------------------------------------------------------------------------------------- pictures

UPLOAD_STATUS = {"too_big": 413, "busy": 503, "store_full": 507}


async def upload(site: Site, request: web.Request) -> web.Response:
    """``POST /chat/upload``: one photo or PDF, as the body or as the first file of a form → ``{key, width,
    height, keys}``: the first picture, and the keys of all.

    A refusal is ``{error, sentence}`` in the language of ``?lang``.
    """
    if not own_page(site, request):
        return refusal("origin", 403)
    address = known(site, request)
    if address is None:
        return refusal("unknown_browser", 401)
    if wait := site.doors.contact.take(address) or site.doors.uploads.take(address):
        return await put_off(site, address, wait)
    try:
        await site.backend.may_upload(address)
        with site.doors.bodies.hold("") as free, site.doors.bodies_of_one.hold(address) as free_of_one:
            if not (free and free_of_one):
                raise PictureRefused("busy")
            async with asyncio.timeout(UPLOAD_SECONDS):
                data = await photo_bytes(request)
            found = await site.backend.upload(address, data)
    except PictureRefused as refused:
        return photo_refusal(request, refused.code, UPLOAD_STATUS.get(refused.code, 422))
    except TimeoutError:
        return photo_refusal(request, "busy", 503)
    keys = [each.key for each in found]
    return json_response(json.dumps({"key": keys[0], "width": found[0].width, "height": found[0].height, "keys": keys}))


async def photo_bytes(request: web.Request) -> bytes:
    """The photo's bytes, counted while they come: one above the limit is refused before it is all here."""
    envelope = 4096
    if (request.content_length or 0) > intake.BYTES_LIMIT + envelope:
        raise PictureRefused("too_big")
    data = bytearray()
    async for chunk in photo_chunks(request):
        data += chunk
        if len(data) > intake.BYTES_LIMIT:
            raise PictureRefused("too_big")
    if not data:
        raise PictureRefused("not_a_picture")
    return bytes(data)


async def photo_chunks(request: web.Request) -> AsyncIterator[bytes]:
    """The body, or the first file in it where it is a form."""
    if not request.content_type.startswith("multipart/"):
        async for chunk in request.content.iter_chunked(1 << 16):
            yield chunk
        return
    try:
        form = await request.multipart()
        while (part := await form.next()) is not None:
            if isinstance(part, BodyPartReader) and part.filename:
                while chunk := await part.read_chunk(1 << 16):
                    yield chunk
                return
    except ValueError as malformed:
        raise PictureRefused("broken") from malformed


async def picture(site: Site, request: web.Request) -> web.Response:
    """``GET /chat/picture/{key}?w=480|1080``: a picture meant for this browser, no wider than asked."""
    address = known(site, request)
    key = request.match_info["key"]
    width = number_of(request.query.get("w"))
    small = width == WIDTHS[0]
    data = await site.backend.picture(address, key, small) if address and KEY.fullmatch(key) else None
    if data is None:
        return refusal("picture", 404)
    if width in WIDTHS:
        data = await smaller(site, key, data, width)
    return web.Response(body=data, content_type=intake.media_type(data))


async def smaller(site: Site, key: str, data: bytes, width: int) -> bytes:
    """The picture narrowed; the last few are kept, since a page is opened again and again."""
    kept = site.small.pop((key, width), None)
    if kept is None:
        async with site.decoders:
            kept = await asyncio.to_thread(intake.narrowed, data, width)
    site.small[key, width] = kept
    while len(site.small) > 64:
        site.small.popitem(last=False)
    return kept


# ----------------------------------------------------------------------------------------------- answers


def json_response(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="application/json")


def refusal(code: str, status: int) -> web.Response:
    return json_response(json.dumps({"error": code}), status)


def photo_refusal(request: web.Request, code: str, status: int) -> web.Response:
    """Why a photo was not taken, as a sentence in the page's language."""
    language = request.query.get("lang", "")
    with speaking(Voice(language if language in LANGUAGES else "vi")):
        said = sentence(code)
    return json_response(json.dumps({"error": code, "sentence": said}, ensure_ascii=False), status)


# ------------------------------------------------------------------------------------------------- pages


async def page(site: Site, text: str, request: web.Request) -> web.Response:
    """A page that is the same for everybody."""
    return web.Response(text=text, content_type="text/html")


async def moved(where: str, request: web.Request) -> web.Response:
    raise web.HTTPFound(where)


async def static(request: web.Request) -> web.Response:
    """A file of the page. Nothing in it is personal, so it may be kept, but is asked for anew after an update."""
    name = request.match_info["name"]
    if name not in STATIC:
        return refusal("file", 404)
    body = packaged(name)
    tag = '"' + hashlib.sha256(body.encode()).hexdigest()[:24] + '"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    response = web.Response(text=body, content_type=STATIC[name], headers=headers)
    response.enable_compression()
    return response


def packaged(name: str) -> str:
    """A file shipped beside this module."""
    return (resources.files("bot.channels") / "web_static" / name).read_text(encoding="utf-8")


def chat_page(site: Site) -> str:
    """The chat page of one mount: its sentences in every language as data, since no script may stand in the page."""
    sentences = {}
    for language in LANGUAGES:
        with speaking(Voice(language)):
            sentences[language] = chrome()
    setup = {"base": f"{site.prefix}/chat", "limit": intake.BYTES_LIMIT, "text": TEXT_LIMIT, "sentences": sentences}
    with speaking(Voice("vi")):
        return Template(packaged("chat.html")).substitute(
            static=f"{site.prefix}/static",
            title=escape(_("web.title")),
            noscript=escape(_("web.noscript")),
            setup=json.dumps(setup, ensure_ascii=False).replace("<", "\\u003c"),
        )


async def landing(site: Site, request: web.Request) -> web.Response:
    """``GET /q/{payload}``: the page behind a unit's QR. It only shows; the chat begins where the person presses."""
    payload = request.match_info["payload"]
    found = await site.backend.landing(payload) if len(payload) <= 200 else None
    language = "en" if request.query.get("lang") == "en" else "vi"
    with speaking(Voice(language)):
        text = landing_page(site, payload, found, language)
    return web.Response(text=text, status=200 if found else 404, content_type="text/html")


def landing_page(site: Site, payload: str, found: Landing | None, language: str) -> str:
    """The page of a unit, or of a wrong code, in the voice in force. Everything not ours is escaped."""
    common = {
        "lang": language,
        "static": f"{site.prefix}/static",
        "title": escape(_("web.title")),
        "other": "en" if language == "vi" else "vi",
        "other_label": escape(_("web.other_language")),
    }
    if found is None:
        return Template(packaged("wrong.html")).substitute(
            common,
            chat=f"{site.prefix}/chat",
            heading=escape(_("web.wrong.heading")),
            text=escape(_("web.wrong.text")),
            start=escape(_("web.wrong.start")),
        )
    links = "".join(
        f'<li><a class="choice" href="{escape(url)}" rel="noreferrer">{escape(label)}</a></li>'
        for label, url in found.links
        if urlsplit(url).scheme in ("https", "http")
    )
    return Template(packaged("landing.html")).substitute(
        common,
        chat=f"{site.prefix}/chat#q={quote(payload, safe='')}",
        invitation=escape(_("web.landing.invitation")),
        unit=escape(found.unit),
        within=escape(", ".join(found.within)),
        start=escape(_("web.landing.start")),
        free=escape(_("web.landing.free")),
        elsewhere=f"<p>{escape(_('web.landing.elsewhere'))}</p><ul>{links}</ul>" if links else "",
        code_label=escape(_("web.landing.code")),
        code=escape(found.code),
    )


async def demo_page(site: Site, request: web.Request) -> web.Response:
    """``GET /demo/``: the seeded people side by side, each in a frame with a cookie of its own."""
    frames, tabs = [], []
    for n, seat in enumerate(site.backend.demo_seats):
        address = escape(f"{seat.prefix}/chat#once={quote(seat.payload, safe='')}")
        title = escape(seat.title)
        selected = "true" if n == 0 else "false"
        tabs.append(
            f'<button role="tab" id="tab{n}" aria-controls="seat{n}" aria-selected="{selected}">{title}</button>'
        )
        frames.append(
            f'<section id="seat{n}" role="tabpanel" aria-labelledby="tab{n}"><h2>{title}</h2>'
            f'<iframe title="{title}" src="{address}"></iframe></section>'
        )
    with speaking(Voice("vi")):
        text = Template(packaged("demo.html")).substitute(
            static=f"{site.prefix}/static",
            title=escape(_("web.demo.title")),
            text=escape(_("web.demo.text")),
            tabs="".join(tabs),
            frames="".join(frames),
        )
    return web.Response(text=text, content_type="text/html")


def chrome() -> dict[str, str]:
    """The chat page's own words, in the voice in force; what stands in braces is filled by the page."""
    count, done, total = "{count}", "{done}", "{total}"
    return {
        "title": _("web.title"),
        "connecting": _("web.connecting"),
        "ready": _("web.ready"),
        "offline": _("web.offline"),
        "offlineKept": _("web.offline_kept", count=count),
        "sending": _("web.sending"),
        "sent": _("web.sent"),
        "waiting": _("web.waiting"),
        "busy": _("web.busy"),
        "failed": _("web.failed"),
        "again": _("web.again"),
        "placeholder": _("web.placeholder"),
        "placeholderPhoto": _("web.placeholder_photo"),
        "placeholderCaption": _("web.placeholder_caption"),
        "placeholderYear": _("web.placeholder_year"),
        "placeholderTel": _("web.placeholder_tel"),
        "placeholderName": _("web.placeholder_name"),
        "send": _("web.send"),
        "sendPhotos": _("web.send_photos", count=count),
        "addPhoto": _("web.add_photo"),
        "takePhoto": _("web.take_photo"),
        "removePhoto": _("web.remove_photo"),
        "uploading": _("web.uploading"),
        "uploadWaiting": _("web.upload_waiting"),
        "tooMany": _("web.too_many", count=count),
        "photo": _("web.photo"),
        "enlarge": _("web.enlarge"),
        "dropHere": _("web.drop_here"),
        "notPicture": _("photo.not_a_picture"),
        "tooBig": _("photo.too_big"),
        "newest": _("web.newest"),
        "log": _("web.log"),
        "choices": _("web.choices"),
        "you": _("web.you_said"),
        "bot": _("web.bot_said"),
        "progress": _("web.progress", done=done, total=total),
        "menu": _("web.menu"),
        "larger": _("web.larger"),
        "help": _("web.help"),
        "language": _("web.language"),
        "leave": _("web.leave"),
        "leaveAsk": _("web.leave_ask"),
        "leaveUnsent": _("web.leave_unsent", count=count),
        "leaveYes": _("web.leave_yes"),
        "leaveNo": _("web.leave_no"),
        "leaveFailed": _("web.leave_failed"),
        "save": _("web.save"),
        "close": _("web.close"),
        "previous": _("web.previous"),
        "next": _("web.next"),
        "zoom": _("web.zoom"),
        "today": _("web.today"),
        "yesterday": _("web.yesterday"),
    }
