"""Floods, trickles, lies about length, borrowed addresses, and HTML from people."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels import web_acts, web_pictures, web_site
from bot.channels.telegram_view import look
from bot.channels.web import app
from bot.channels.web_acts import as_json
from bot.channels.web_backend import HistoryLine, Landing
from bot.channels.web_pages import landing_page
from bot.channels.web_site import Site, WebSettings
from bot.limits import BODIES_OF_ONE, Doors, Limits, Rate
from dialogs import datapage
from dialogs.model import Choice, Picture, Screen, encode_screen
from locales import Voice
from reports.posters import PosterUnit, poster
from tests.web.conftest import Client
from tests.web.fake import Memory
from tests.web.test_web import jpeg, open_chat, origin, post

Start = Callable[..., Awaitable[Client]]


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody does penance for a whole second here."""
    monkeypatch.setattr(web_site, "PENANCE", 0.01)


SMALL = Limits(Rate(5, 60), Rate(10_000, 10_000), 3, 2, 2, 3)
FROM = {"X-Forwarded-For": "203.0.113.9"}
ELSEWHERE = {"X-Forwarded-For": "203.0.113.10"}


def said(n: int) -> dict[str, Any]:
    return {"id": f"act-{n:05}", "kind": "typed", "text": str(n)}


async def refused(answer: ClientResponse) -> bool:
    """Was it too much? Then it says so in one form, with when to come again."""
    if answer.status != 429:
        return False
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600
    assert (await answer.json())["error"] == "flood"
    assert answer.headers["Cache-Control"] == "no-store"
    return True


# ------------------------------------------------------------------------------------------ floods


async def test_a_flood_of_acts_is_put_off_before_a_turn_and_others_go_on(start: Start, memory: Memory) -> None:
    client = await start(memory, limits=SMALL)
    await open_chat(client)
    answers = [await post(client, said(n)) for n in range(8)]
    assert [answer.status for answer in answers] == [200] * 5 + [429] * 3
    assert await refused(answers[-1])
    assert len(memory.taken) == 6
    other = await start(memory, limits=SMALL)
    await open_chat(other)
    assert (await post(other, said(1))).status == 200
    await asyncio.sleep(1.1)
    assert (await post(client, said(5))).status == 200  # the same act again: it was not lost, and it is taken once
    assert (await post(client, said(5))).status == 429


async def test_who_floods_is_answered_slowly(start: Start, memory: Memory, monkeypatch: Any) -> None:
    monkeypatch.setattr(web_site, "PENANCE", 0.3)
    client = await start(memory, limits=replace(SMALL, contact=Rate(1, 1)))
    await open_chat(client)
    assert (await post(client, said(1))).status == 200
    began = time.monotonic()
    answers = await asyncio.gather(*(post(client, said(n)) for n in range(20)))
    assert {answer.status for answer in answers} == {429}
    assert time.monotonic() - began >= 0.3
    closed = [answer.headers.get("Connection") == "close" for answer in answers]
    assert closed.count(False) == 8  # the rest would only fill the memory


async def test_what_is_too_much_is_not_even_read(start: Start, memory: Memory) -> None:
    client = await start(memory, limits=replace(SMALL, contact=Rate(1, 1)))
    await open_chat(client)
    await post(client, said(1))
    headers = origin(client) | {"Content-Type": "application/json"}
    assert (await client.post("/chat/act", data=b"{", headers=headers)).status == 429  # unread, so no fault is found


async def test_uploads_of_an_hour(start: Start, memory: Memory) -> None:
    client = await start(memory, limits=replace(SMALL, contact=Rate(100, 100)))
    await open_chat(client)
    statuses = [(await client.post("/chat/upload", data=jpeg(), headers=origin(client))).status for _n in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert len(memory.pictures) == 1


async def test_a_network_has_its_own_limit_and_another_is_not_touched(start: Start, memory: Memory) -> None:
    client = await start(memory, limits=replace(SMALL, network=Rate(4, 1)))
    for n in range(6):
        answer = await client.get("/chat", headers=FROM)
        assert await refused(answer) == (n >= 4)
    assert (await client.get("/q/wrong", headers=FROM)).status == 429  # before any database
    assert (await client.get("/chat", headers=ELSEWHERE)).status == 200
    assert (await client.get("/chat")).status == 200  # the proxy does not say whose: nobody can be blamed


async def test_an_address_is_believed_from_a_proxy_of_ours_only(start: Start, memory: Memory) -> None:
    client = await start(memory, limits=replace(SMALL, network=Rate(4, 1)), trusted_proxies="")
    statuses = [
        (await client.get("/chat", headers={"X-Forwarded-For": f"203.0.113.{n}", "X-Real-IP": f"203.0.113.{n}"})).status
        for n in range(6)
    ]
    assert statuses == [200] * 4 + [429] * 2  # all of them are 127.0.0.1


async def test_a_network_brings_so_many_new_browsers_whatever_cookie_they_make_up(start: Start, memory: Memory) -> None:
    statuses = []
    limits = SMALL  # two browsers
    server = await start(memory, limits=limits)
    for n in range(4):
        server.session.cookie_jar.clear()
        headers = {**origin(server), **FROM, "Cookie": "hoctap=" + chr(97 + n) * 43}
        act = {"id": "open-0001", "kind": "opened", "payload": ""}
        statuses.append((await server.post("/chat/act", json=act, headers=headers)).status)
    assert statuses == [200, 200, 429, 429]
    again = {**origin(server), **FROM, "Cookie": "hoctap=" + "a" * 43}
    assert (await server.post("/chat/act", json=said(1), headers=again)).status == 200
    assert len(memory.taken) == 3


async def test_open_pages_and_requests_under_way_of_a_network(start: Start, memory: Memory) -> None:
    client = await start(memory, limits=SMALL, heartbeat=0.05)
    await open_chat(client)
    streams = [await client.get("/chat/stream", headers=FROM) for _n in range(3)]
    assert [answer.status for answer in streams] == [200, 200, 429]
    streams[0].close()
    for _n in range(100):
        again = await client.get("/chat/stream", headers=FROM)
        if again.status == 200:
            break
        await asyncio.sleep(0.02)
    assert again.status == 200
    for answer in (*streams, again):
        answer.close()
    release, under_way, waiting = asyncio.Event(), asyncio.Event(), 0

    async def history(address: str, after: int) -> tuple[HistoryLine, ...]:
        nonlocal waiting
        waiting += 1
        if waiting == 3:
            under_way.set()
        await release.wait()
        return ()

    slow = await start(replace(memory.backend(), history=history), limits=SMALL)
    slow.session.cookie_jar.update_cookies({"hoctap": "t" * 43})
    held = [asyncio.create_task(slow.get("/chat/history", headers=FROM)) for _n in range(3)]
    await under_way.wait()
    assert (await slow.get("/chat/history", headers=FROM)).status == 429
    release.set()
    assert {(await each).status for each in held} == {200}


async def test_the_turn_is_told_where_the_act_came_from(start: Start, memory: Memory) -> None:
    client = await start(memory)
    act = {"id": "open-0001", "kind": "opened", "payload": ""}
    await client.post("/chat/act", json=act, headers={**origin(client), **FROM})
    (incoming,) = memory.taken
    assert incoming.network == "203.0.113.9"
    assert "203.0.113.9" not in repr(incoming)


# ------------------------------------------------------------------------------------------ headers


PERSONAL = ("/chat/history", "/chat", "/q/x", "/chat/picture/" + "a" * 64)


async def test_https_is_kept_to_and_nothing_personal_is_stored(start: Start, memory: Memory) -> None:
    client = await start(memory, public_url="https://hoctap.example")
    await client.post(
        "/chat/act",
        json={"id": "open-0001", "kind": "opened"},
        headers={"Host": "hoctap.example", "Origin": "https://hoctap.example"},
    )
    for path in (*PERSONAL, "/static/chat.js"):
        answer = await client.get(path)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000", path
        kept = "no-cache" if path.startswith("/static") else "no-store"
        assert answer.headers["Cache-Control"] == kept, path
    plain = await start(memory)
    assert "Strict-Transport-Security" not in (await plain.get("/chat")).headers


async def test_the_policy_is_closed_by_default(start: Start, memory: Memory) -> None:
    client = await start(memory)
    for path in PERSONAL:
        policy = (await client.get(path)).headers["Content-Security-Policy"]
        parts = dict(each.strip().split(" ", 1) for each in policy.split(";"))
        assert parts["default-src"] == parts["base-uri"] == "'none'"
        assert parts["script-src"] == parts["style-src"] == parts["connect-src"] == "'self'"
        assert "unsafe" not in policy and "*" not in policy and "http:" not in policy


async def test_every_post_asks_where_it_comes_from(start: Start, memory: Memory) -> None:
    """Also one that is added later: the routes are asked, not listed."""
    client = await start(memory)
    await open_chat(client)
    posts = [route for route in client.app.router.routes() if route.method not in ("GET", "HEAD")]
    assert len(posts) >= 3
    for route in posts:
        assert route.resource is not None
        path = route.resource.canonical
        assert (await client.request(route.method, path, json=said(1))).status == 403, path
        assert (await client.request(route.method, path, json=said(1), headers={"Origin": "null"})).status == 403, path


# ------------------------------------------------------------------------------- trickles, and lies about length


async def raw(client: Client, sent: bytes, *, more: bytes = b"", every: float = 0.02, most: float = 5) -> bytes:
    """Send bytes as they are, then trickle *more*; the answer, or what came until the server hung up."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(sent)
    until, back = time.monotonic() + most, b""
    try:
        while time.monotonic() < until:
            if more:
                writer.write(more)
                await writer.drain()
            try:
                part = await asyncio.wait_for(reader.read(65536), every)
            except TimeoutError:
                continue
            if not part:
                return back
            back += part
            if b"\r\n\r\n" in back:
                return back
    except ConnectionError:
        return back
    finally:
        writer.close()
    raise AssertionError(f"it holds on: {back[:80]!r}")


def request(client: Client, path: str, *headers: str, cookie: str = "t" * 43) -> bytes:
    lines = (
        f"POST {path} HTTP/1.1",
        f"Host: {client.host}:{client.port}",
        f"Origin: http://{client.host}:{client.port}",
        f"Cookie: hoctap={cookie}",
        *headers,
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def test_a_body_is_read_only_from_whom_it_is_taken_and_few_at_once(start: Start, memory: Memory) -> None:
    client = await start(memory)
    head = request(client, "/chat/upload", "Content-Type: application/octet-stream", "Content-Length: 1000000")
    memory.joined = False
    answered = await raw(client, head, most=1)
    assert answered.startswith(b"HTTP/1.1 422") and b"not_yet" in answered, "not a byte of it was waited for"
    memory.joined = True
    headers = origin(client) | {"Cookie": "hoctap=" + "t" * 43}
    slow = [await asyncio.open_connection(client.host, client.port) for _n in range(BODIES_OF_ONE)]
    for _reader, writer in slow:
        writer.write(head)
        await writer.drain()
    await asyncio.sleep(0.1)
    answer = await client.post("/chat/upload", data=jpeg(), headers=headers)
    assert (answer.status, (await answer.json())["error"]) == (503, "busy")
    for _reader, writer in slow:
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0.1)
    assert (await client.post("/chat/upload", data=jpeg(), headers=headers)).status == 200


async def test_an_upload_that_trickles_is_ended(start: Start, memory: Memory, monkeypatch: Any) -> None:
    monkeypatch.setattr(web_pictures, "UPLOAD_SECONDS", 0.3)
    client = await start(memory)
    head = request(client, "/chat/upload", "Content-Type: application/octet-stream", "Content-Length: 1000000")
    back = await raw(client, head, more=b"x", every=0.05)
    assert b" 503 " in back.split(b"\r\n")[0]
    assert not memory.pictures


async def test_an_act_that_trickles_is_ended(start: Start, memory: Memory, monkeypatch: Any) -> None:
    monkeypatch.setattr(web_acts, "ACT_SECONDS", 0.3)
    client = await start(memory)
    head = request(client, "/chat/act", "Content-Type: application/json", "Content-Length: 60000")
    back = await raw(client, head, more=b" ", every=0.05)
    assert b" 408 " in back.split(b"\r\n")[0]
    assert not memory.taken


async def test_headers_that_trickle_are_ended(memory: Memory) -> None:
    """As ``hoctap run`` serves it, with its seconds made few."""
    runner = web.AppRunner(app(memory.backend(), WebSettings()), keepalive_timeout=0.3)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(b"GET /chat HTTP/1.1\r\nHost: x\r\n")
    began = time.monotonic()
    try:
        while time.monotonic() - began < 5:
            writer.write(b"X-A: b\r\n")
            try:
                if await asyncio.wait_for(reader.read(100), 0.05) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert time.monotonic() - began < 3
    finally:
        writer.close()
        await runner.cleanup()


async def test_a_length_that_lies_gains_nothing(start: Start, memory: Memory, monkeypatch: Any) -> None:
    monkeypatch.setattr(web_pictures, "UPLOAD_SECONDS", 0.5)
    client = await start(memory)
    small = request(client, "/chat/upload", "Content-Type: application/octet-stream", "Content-Length: 10")
    assert b" 422 " in (await raw(client, small + bytes(10))).split(b"\r\n")[0]  # ten bytes are no picture
    assert b" 400 " in (await raw(client, small + bytes(5_000))).split(b"\r\n")[0]  # the rest is no request
    huge = request(client, "/chat/upload", "Content-Type: application/octet-stream", f"Content-Length: {10**12}")
    assert b" 413 " in (await raw(client, huge)).split(b"\r\n")[0]
    both = request(
        client, "/chat/upload", "Content-Length: 10", "Transfer-Encoding: chunked", "Content-Type: image/jpeg"
    )
    assert b" 400 " in (await raw(client, both + b"5\r\nhello\r\n0\r\n\r\n")).split(b"\r\n")[0]
    assert not memory.pictures


async def test_a_chunked_body_without_end_is_cut_off(start: Start, memory: Memory, monkeypatch: Any) -> None:
    monkeypatch.setattr("bot.pictures.intake.BYTES_LIMIT", 100_000)
    client = await start(memory)
    await open_chat(client)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 30_000_000:
            yield bytes(10_000)
            sent += 10_000
            await asyncio.sleep(0)

    for path in ("/chat/upload", "/chat/act"):
        sent = 0
        headers = origin(client) | {"Content-Type": "application/json"}
        with contextlib.suppress(ConnectionError):  # it hangs up
            assert (await client.post(path, data=endless(), headers=headers)).status == 413
        assert sent < 30_000_000, path
    assert len(memory.taken) == 1 and not memory.pictures


# ------------------------------------------------------------------------------------------ no HTML from people

PIECES = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</script>", "<!--", "-->", "]]>", "&lt;", "&#x3c;",
    "<b>", "</b>", "<a href='javascript:alert(1)'>", "\"'", "onclick=", "{{7*7}}", "${x}", "<tg-spoiler>",
    "</blockquote>",
    "‮", "\u2028", "\u2029", "\n", "\r", "&", "<", ">", "é", "ữ", "🎓", " ",
)  # fmt: skip
hostile = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), min_size=1, max_size=8).map("".join)
TELEGRAM_TAGS = re.compile(r"</?(?:b|i|u|s|code|pre|blockquote|tg-spoiler)>")


def bare(html: str, tags: re.Pattern[str]) -> str:
    return tags.sub("", html)


@given(hostile)
def test_telegram_gets_no_tag_of_theirs(text: str) -> None:
    for bubble in look(Screen(text, (Choice("a", text[:40]),), title=text, note=text)).bubbles:
        left = bare(bubble.html, re.compile(r"</?(?:b|blockquote)>"))
        assert "<" not in left and ">" not in left
        assert not re.search(r"&(?!amp;|lt;|gt;|quot;|#x27;)", left)
        opened = re.findall(r"<(/?)(b|blockquote)>", bubble.html)
        depth: list[str] = []
        for slash, tag in opened:  # ours are closed in order, so theirs cannot close one
            if slash:
                assert depth.pop() == tag
            else:
                depth.append(tag)
        assert depth == []


@given(hostile, hostile)
def test_the_page_of_ones_own_data_holds_no_tag_of_theirs(name: str, value: str) -> None:
    html = datapage.page(
        name, value, [datapage.Part(name, [(name, value)]), datapage.Part(value, [], name)], name, "vi"
    )
    ours = re.findall(
        r"<[^>]*>", datapage.page("", "", [datapage.Part("", [("", "")]), datapage.Part("", [], "")], "", "vi")
    )
    assert re.findall(r"<[^>]*>", html) == ours


@given(hostile)
def test_a_line_of_the_web_chat_is_one_line_of_json(text: str) -> None:
    from datetime import UTC, datetime

    body = encode_screen(Screen(text, (Choice("a", text),), title=text, pictures=(Picture("a" * 64, text),)))
    for given_body in (body, json.dumps({"text": text}, ensure_ascii=False)):
        line = as_json(HistoryLine(1, "in", given_body, datetime.now(UTC), "x.act-00001"))
        assert "\n" not in line and "\r" not in line  # it cannot end the event of a stream
        assert json.loads(line)["body"] == json.loads(given_body)


@given(hostile, hostile)
@settings(max_examples=30)
def test_the_page_behind_a_square_holds_no_tag_of_theirs(name: str, above: str) -> None:
    site = Site(Memory().backend(), WebSettings(), "", asyncio.Semaphore(1), Doors(Limits()), ())

    def tags(found: Landing) -> list[str]:
        return re.findall(r"<[a-zA-Z/!][^>]*>", landing_page(site, "DV06685K", found, "vi"))

    links = (("Z", "https://zalo.me/1"),)
    assert tags(Landing(name, (above,), name, ((name, links[0][1]),))) == tags(Landing("", ("",), "", links))


@given(hostile)
@settings(max_examples=15, deadline=None)
def test_a_poster_prints_what_it_is_given_as_words(text: str) -> None:
    import pypdfium2

    name = " ".join(text.split())[:60] or "x"
    unit = PosterUnit("Phường " + name, "Thành phố Quảng Ninh", "DV 06685-K", contact_name=name)
    pdf = poster(unit, "DV06685K", Voice("vi"))
    page = pypdfium2.PdfDocument(BytesIO(pdf))[0]
    assert b"/JavaScript" not in pdf and b"/JS" not in pdf and b"/URI" not in pdf
    if "<script>alert(1)</script>" in name:
        assert "alert(1)" in page.get_textpage().get_text_bounded().replace("\r\n", "").replace(" ", "")
