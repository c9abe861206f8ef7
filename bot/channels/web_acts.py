"""The chat itself through the browser: acts come in, lines go out, at once or as a stream."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from bot.channels.web_backend import HistoryLine
from bot.channels.web_site import (
    KEY,
    TOKEN,
    Site,
    address_of,
    json_response,
    known,
    network,
    number_of,
    own_page,
    put_off,
    refusal,
    remember,
)
from dialogs.model import WEB, Act, Incoming, Opened, Pressed, Sent, Typed

TEXT_LIMIT = 5000  # characters that one act may carry
UPLOADS_LIMIT = 40  # pictures in one act; a paper may be three
HISTORY_SHOWN = 200  # lines shown when the page opens
STREAMS_LIMIT = 8  # open tabs of one browser
ACT_SECONDS = 30  # an act's few bytes
CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
LONE_SURROGATES = re.compile("[\ud800-\udfff]")


class Rejected(Exception):
    """An act that is not of the channel's form; ``status`` is the HTTP status that says how."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


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
