"""The routes: who is who, what is refused, what is shown, and nothing twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientResponse, FormData
from PIL import Image

from bot.channels.web_backend import Seat
from bot.channels.web_pages import STATIC, chrome, packaged
from bot.channels.web_site import address_of
from dialogs.model import Opened, Pressed, Sent, Typed
from locales import Voice, speaking
from tests.support import papers
from tests.web.conftest import Client
from tests.web.fake import HONG_GAI, HOSTILE, Memory

Start = Callable[..., Awaitable[Client]]


def origin(client: Client) -> dict[str, str]:
    return {"Origin": f"http://{client.host}:{client.port}"}


async def post(client: Client, act: dict[str, Any], prefix: str = "", **headers: str) -> ClientResponse:
    return await client.post(f"{prefix}/chat/act", json=act, headers=origin(client) | headers)


async def open_chat(client: Client, prefix: str = "", payload: str = "") -> ClientResponse:
    answer = await post(client, {"id": "open-0001", "screen": None, "kind": "opened", "payload": payload}, prefix)
    assert answer.status == 200
    return answer


def jpeg(width: int = 40, height: int = 20) -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height), "green").save(out, "JPEG")
    return out.getvalue()


# ------------------------------------------------------------------------------------------ identity


async def test_a_get_creates_nothing(start: Start, memory: Memory) -> None:
    memory.units["u06685"] = HONG_GAI
    client = await start(memory)
    for path in ("/q/u06685", "/q/wrong", "/chat", "/chat/history", "/chat/stream", "/static/chat.js"):
        answer = await client.get(path)
        assert "Set-Cookie" not in answer.headers, path
    assert (await client.get("/chat/stream")).status == 204
    assert await (await client.get("/chat/history")).json() == {"known": False, "messages": []}
    assert not memory.taken and not memory.lines and not memory.queues


async def test_the_first_act_brings_a_cookie_and_the_address_is_its_hash(start: Start, memory: Memory) -> None:
    client = await start(memory)
    answer = await open_chat(client, payload="u06685")
    cookie = answer.headers["Set-Cookie"]
    token = answer.cookies["hoctap"].value
    assert len(token) >= 22  # 128 bits
    for flag in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="):
        assert flag in cookie
    assert "Secure" not in cookie and "Domain" not in cookie
    (incoming,) = memory.taken
    assert incoming.address == address_of(token) and token not in repr(incoming)
    assert incoming.act == Opened("u06685")
    assert incoming.account == "web" and incoming.capabilities.name == "web"


async def test_on_https_the_cookie_is_secure(start: Start, memory: Memory) -> None:
    client = await start(memory, public_url="https://hoctap.example")
    headers = {"Host": "hoctap.example", "Origin": "https://hoctap.example"}
    act = {"id": "open-0001", "kind": "opened"}
    answer = await client.post("/chat/act", json=act, headers=headers)
    assert "Secure" in answer.headers["Set-Cookie"]
    downgraded = headers | {"Origin": "http://hoctap.example"}
    assert (await client.post("/chat/act", json=act, headers=downgraded)).status == 403


async def test_three_people_in_one_browser(start: Start, memory: Memory) -> None:
    memory.seats = tuple(Seat(f"/demo/{who}", who, "x") for who in ("citizen", "officer", "province"))
    client = await start(memory, demo=True)
    for seat in memory.seats:
        answer = await open_chat(client, seat.prefix)
        assert f"Path={seat.prefix};" in answer.headers["Set-Cookie"] + ";"
        assert list(answer.cookies) == ["hoctap" + seat.prefix.replace("/", "_")]  # that of "/" is sent here too
    await open_chat(client)
    assert len({incoming.address for incoming in memory.taken}) == 4
    for prefix in ("", *(seat.prefix for seat in memory.seats)):  # each sees its own, though "/" covers all
        shown = await (await client.get(f"{prefix}/chat/history")).json()
        assert len(shown["messages"]) == 1, prefix


async def test_an_act_of_an_unknown_browser_is_not_taken(start: Start, memory: Memory) -> None:
    client = await start(memory)
    assert (await post(client, {"id": "act-00001", "kind": "typed", "text": "1"})).status == 401
    assert (await client.post("/chat/upload", data=jpeg(), headers=origin(client))).status == 401
    client.session.cookie_jar.update_cookies({"hoctap": "short"})
    assert (await post(client, {"id": "act-00001", "kind": "typed", "text": "1"})).status == 401
    assert not memory.taken


async def test_leaving_forgets(start: Start, memory: Memory) -> None:
    client = await start(memory)
    await open_chat(client)
    answer = await client.post("/chat/leave", headers=origin(client))
    assert answer.status == 200 and 'hoctap=""' in answer.headers["Set-Cookie"]
    assert memory.forgotten == [memory.taken[0].address]
    assert not (await (await client.get("/chat/history")).json())["known"]


# ------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1"},  # another port
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "OWN", "Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("route", ["act", "upload", "leave"])
async def test_a_post_from_elsewhere_is_refused(
    start: Start, memory: Memory, headers: dict[str, str], route: str
) -> None:
    client = await start(memory)
    await open_chat(client)
    own = {name: origin(client)["Origin"] if value == "OWN" else value for name, value in headers.items()}
    body = json.dumps({"id": "act-00001", "kind": "typed", "text": "1"})
    answer = await client.post(f"/chat/{route}", data=body, headers=own | {"Content-Type": "application/json"})
    assert answer.status == 403
    assert len(memory.taken) == 1 and not memory.forgotten


async def test_a_browser_that_names_no_origin_but_says_same_origin_is_ours(start: Start, memory: Memory) -> None:
    client = await start(memory)
    act = {"id": "open-0001", "kind": "opened"}
    assert (await client.post("/chat/act", json=act, headers={"Sec-Fetch-Site": "same-origin"})).status == 200


@pytest.mark.parametrize(
    ("act", "status"),
    [
        ([], 400),
        ("x", 400),
        ({"kind": "typed", "text": "1"}, 400),
        ({"id": "short", "kind": "typed", "text": "1"}, 400),
        ({"id": "x" * 65, "kind": "typed"}, 400),
        ({"id": "../../etc", "kind": "typed"}, 400),
        ({"id": 12345678, "kind": "typed"}, 400),
        ({"id": "act-00001", "kind": "signal"}, 400),
        ({"id": "act-00001"}, 400),
        ({"id": "act-00001", "kind": "typed", "text": 5}, 400),
        ({"id": "act-00001", "kind": "typed", "text": "a" * 5001}, 413),
        ({"id": "act-00001", "kind": "pressed", "choice": "a" * 201}, 413),
        ({"id": "act-00001", "kind": "typed", "screen": "1"}, 400),
        ({"id": "act-00001", "kind": "typed", "screen": True}, 400),
        ({"id": "act-00001", "kind": "typed", "screen": -1}, 400),
        ({"id": "act-00001", "kind": "typed", "screen": 10**30}, 400),
        ({"id": "act-00001", "kind": "sent", "uploads": []}, 400),
        ({"id": "act-00001", "kind": "sent", "uploads": ["../x"]}, 400),
        ({"id": "act-00001", "kind": "sent", "uploads": ["a" * 64] * 41}, 400),
    ],
)
async def test_an_act_not_of_the_form(start: Start, memory: Memory, act: Any, status: int) -> None:
    client = await start(memory)
    await open_chat(client)
    assert (await post(client, act)).status == status
    assert len(memory.taken) == 1


async def test_bodies_that_are_no_json_or_too_long(start: Start, memory: Memory) -> None:
    client = await start(memory)
    json_type = origin(client) | {"Content-Type": "application/json"}
    assert (await client.post("/chat/act", data=b"{", headers=json_type)).status == 400
    assert (await client.post("/chat/act", data=b"\xff\xfe", headers=json_type)).status == 400
    assert (await client.post("/chat/act", data=b"[" * 60_000, headers=json_type)).status == 400
    assert (await client.post("/chat/act", data=b" " * 70_000, headers=json_type)).status == 413
    assert (await client.post("/chat/act", data={"id": "act-00001"}, headers=origin(client))).status == 415


async def test_headers_that_keep_strangers_out(start: Start, memory: Memory) -> None:
    client = await start(memory)
    for path in ("/chat", "/q/x", "/chat/history", "/static/chat.js", "/nowhere", "/chat/picture/" + "a" * 64):
        headers = (await client.get(path)).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, path
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"
    assert (await client.get("/chat/history")).headers["Cache-Control"] == "no-store"


async def test_the_demo_answers_loopback_only_and_frames_itself(start: Start, memory: Memory) -> None:
    memory.seats = (Seat("/demo/citizen", "<Bà Hoa>", 'u"1'),)
    client = await start(memory, demo=True)
    answer = await client.get("/demo/")
    text = await answer.text()
    assert "&lt;Bà Hoa&gt;" in text and "<Bà" not in text
    assert 'src="/demo/citizen/chat#once=u%221"' in text
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert (await client.get("/demo/", headers={"Host": "rebound.example"})).status == 421
    assert (await (await start(memory)).get("/demo/")).status == 404


# -------------------------------------------------------------------------------------------- acts


async def test_acts_arrive_as_they_were_done(start: Start, memory: Memory) -> None:
    client = await start(memory)
    await open_chat(client)
    key = "ab" * 32
    await post(client, {"id": "act-00001", "screen": 3, "kind": "pressed", "choice": "B2"})
    await post(client, {"id": "act-00002", "screen": 4, "kind": "typed", "text": "<b>Lê & Trần</b> 🎓"})
    await post(client, {"id": "act-00003", "kind": "sent", "uploads": [key], "caption": "giấy mời"})
    assert [incoming.act for incoming in memory.taken[1:]] == [
        Pressed("B2"),
        Typed("<b>Lê & Trần</b> 🎓"),
        Sent((key,), "giấy mời"),
    ]
    assert [incoming.screen for incoming in memory.taken[1:]] == [3, 4, None]
    shown = (await (await client.get("/chat/history?after=0")).json())["messages"]
    assert [line["id"] for line in shown] == sorted(line["id"] for line in shown)
    said = [line for line in shown if line["dir"] == "in"]
    assert said[1]["body"] == {"text": "<b>Lê & Trần</b> 🎓"} and said[1]["event"] == "act-00002"


async def test_half_a_surrogate_pair_never_reaches_the_turn(start: Start, memory: Memory) -> None:
    client = await start(memory)
    await open_chat(client)
    body = '{"id":"act-00001","kind":"typed","text":"a\\ud800b \\ud83c\\udf93"}'
    headers = origin(client) | {"Content-Type": "application/json"}
    assert (await client.post("/chat/act", data=body, headers=headers)).status == 200
    assert memory.taken[1].act == Typed("a�b 🎓")


async def test_the_same_act_twice_has_one_effect(start: Start, memory: Memory) -> None:
    client = await start(memory)
    await open_chat(client)
    act = {"id": "act-00001", "screen": 1, "kind": "pressed", "choice": "x"}
    first, second = await asyncio.gather(post(client, act), post(client, act))
    assert first.status == second.status == 200
    assert len(memory.taken) == 2 and memory.repeats == 1


async def test_one_browsers_ids_do_not_touch_anothers(start: Start, memory: Memory) -> None:
    one = await start(memory)
    other = await start(memory)
    await open_chat(one)
    await open_chat(other)
    assert len(memory.taken) == 2 and memory.repeats == 0


async def test_a_turn_that_fails_is_not_acknowledged(start: Start, memory: Memory) -> None:
    client = await start(memory)
    await open_chat(client)
    memory.fail = 1
    act = {"id": "act-00001", "kind": "typed", "text": "1"}
    failed = await post(client, act)
    assert failed.status == 500 and "database" not in await failed.text()
    assert (await post(client, act)).status == 200
    assert len(memory.taken) == 2


# ------------------------------------------------------------------------------------------ stream


async def stream_lines(answer: ClientResponse) -> AsyncIterator[dict[str, str]]:
    event: dict[str, str] = {}
    async for raw in answer.content:
        line = raw.decode().rstrip("\n")
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            yield event
            event = {}


@pytest.mark.parametrize("way", ["query", "header"])
async def test_the_stream_goes_on_where_it_was_left(start: Start, memory: Memory, way: str) -> None:
    client = await start(memory, heartbeat=0.05)
    await open_chat(client)
    for n in range(2):
        await post(client, {"id": f"act-0000{n}", "kind": "typed", "text": str(n)})
    numbers = [line["id"] for line in (await (await client.get("/chat/history")).json())["messages"]]
    assert len(numbers) == 5
    headers = {"Last-Event-ID": str(numbers[1])} if way == "header" else {}
    after = 0 if way == "header" else numbers[1]
    answer = await client.get(f"/chat/stream?after={after}", headers=headers)
    assert answer.content_type == "text/event-stream"
    came: list[int] = []
    async for event in stream_lines(answer):
        if "id" in event:
            came.append(int(event["id"]))
            assert json.loads(event["data"])["id"] == came[-1]
        elif event.get("event") == "ping" and len(came) == 3:
            assert (await post(client, {"id": "act-late1", "kind": "typed", "text": "!"})).status == 200
        if len(came) == 5:
            break
    answer.close()
    assert came == [*numbers[2:], numbers[-1] + 1, numbers[-1] + 2]


async def test_a_line_committed_while_the_history_is_read_comes_once(start: Start, memory: Memory) -> None:
    read = memory.history

    async def history(address: str, after: int) -> Any:
        memory.put(address, "out", '{"text":"giữa chừng","number":0}', datetime.now(UTC))
        return await read(address, after)

    client = await start(replace(memory.backend(), history=history), heartbeat=0.05)
    client.session.cookie_jar.update_cookies({"hoctap": "t" * 43})
    answer = await client.get("/chat/stream")
    came = []
    async for event in stream_lines(answer):
        if event.get("event") == "ping":
            break
        if "id" in event:
            came.append(event["id"])
    answer.close()
    assert came == ["1"]


async def test_a_closed_page_leaves_no_stream_behind(start: Start, memory: Memory) -> None:
    client = await start(memory, heartbeat=0.02)
    await open_chat(client)
    answer = await client.get("/chat/stream")
    await answer.content.readline()
    assert [len(queues) for queues in memory.queues.values()] == [1]
    answer.close()
    for _ in range(100):
        await asyncio.sleep(0.02)
        if not any(memory.queues.values()):
            return
    raise AssertionError("still subscribed")


async def test_a_browser_has_so_many_streams_and_no_more(start: Start, memory: Memory) -> None:
    client = await start(memory)
    await open_chat(client)
    answers = [await client.get("/chat/stream") for _ in range(9)]
    assert [answer.status for answer in answers] == [200] * 8 + [429]
    for answer in answers:
        answer.close()


# ----------------------------------------------------------------------------------------- pictures


async def test_a_photo_goes_in_and_only_its_owner_gets_it_back(start: Start, memory: Memory) -> None:
    client = await start(memory)
    await open_chat(client)
    answer = await client.post("/chat/upload", data=jpeg(1200, 600), headers=origin(client))
    stored = await answer.json()
    assert answer.status == 200 and (stored["width"], stored["height"]) == (1200, 600)
    form = FormData()
    form.add_field("note", "x")
    form.add_field("file", jpeg(1200, 600), filename="a.jpg", content_type="text/html")
    again = await (await client.post("/chat/upload", data=form, headers=origin(client))).json()
    assert again == stored
    got = await client.get(f"/chat/picture/{stored['key']}")
    assert got.content_type == "image/jpeg" and Image.open(BytesIO(await got.read())).size == (1200, 600)
    small = await client.get(f"/chat/picture/{stored['key']}?w=480")
    assert Image.open(BytesIO(await small.read())).size == (480, 240)
    assert small.headers["Cache-Control"] == "no-store"
    stranger = await start(memory)
    assert (await stranger.get(f"/chat/picture/{stored['key']}")).status == 404
    await open_chat(stranger)
    assert (await stranger.get(f"/chat/picture/{stored['key']}?w=480")).status == 404


async def test_a_paper_of_several_pages_has_several_keys(start: Start, memory: Memory) -> None:
    client = await start(memory)
    await open_chat(client)
    said = await (await client.post("/chat/upload", data=papers.pdf(4), headers=origin(client))).json()
    assert said["keys"][0] == said["key"] and len(set(said["keys"])) == 3
    assert {key for _, key in memory.pictures} == set(said["keys"])


async def test_a_full_store_is_told_apart_from_a_busy_one(start: Start, memory: Memory) -> None:
    client = await start(memory)
    await open_chat(client)
    memory.full = True
    answer = await client.post("/chat/upload", data=jpeg(), headers=origin(client))
    assert answer.status == 507  # which the page does not try again
    assert "Xin cứ trả lời tiếp" in (await answer.json())["sentence"]


async def test_a_photo_said_to_be_too_large_is_refused_in_words(start: Start, memory: Memory, monkeypatch: Any) -> None:
    monkeypatch.setattr("bot.pictures.intake.BYTES_LIMIT", 100_000)
    client = await start(memory)
    await open_chat(client)
    answer = await client.post("/chat/upload", data=bytes(200_000), headers=origin(client))
    assert answer.status == 413 and "20 MB" in (await answer.json())["sentence"]
    assert not memory.pictures


async def test_refused_photos_say_why(start: Start, memory: Memory) -> None:
    client = await start(memory)
    await open_chat(client)
    for data, code in ((b"%PDF-1.7", "broken"), (b"", "not_a_picture"), (jpeg()[:200], "broken")):
        answer = await client.post("/chat/upload", data=data, headers=origin(client))
        assert answer.status == 422
        said = await answer.json()
        assert said["error"] == code and said["sentence"].endswith(".")
    broken_form = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await client.post("/chat/upload", data=b"junk", headers=origin(client) | broken_form)).status == 422
    memory.joined = False
    answer = await client.post("/chat/upload?lang=en", data=jpeg(), headers=origin(client))
    assert (await answer.json())["error"] == "not_yet" and not memory.pictures


# -------------------------------------------------------------------------------------------- pages


async def test_the_page_behind_the_qr(start: Start, memory: Memory) -> None:
    memory.units["u06685"] = HONG_GAI
    client = await start(memory, prefix="/hoc")
    text = await (await client.get("/hoc/q/u06685")).text()
    assert "Phường Hồng Gai" in text and "Thành phố Quảng Ninh" in text and "DV 06685-K" in text
    assert 'href="/hoc/chat#q=u06685"' in text and 'href="https://zalo.me/123"' in text
    assert "Trả lời ngay tại đây" in text
    assert "Answer right here" in await (await client.get("/hoc/q/u06685?lang=en")).text()


async def test_a_wrong_code_says_what_to_do(start: Start, memory: Memory) -> None:
    client = await start(memory)
    for path in ("/q/u06658", "/q/" + "x" * 500, "/q/%3Cb%3E"):
        answer = await client.get(path)
        text = await answer.text()
        assert answer.status == 404 and 'href="/chat"' in text and "<b>" not in text


async def test_a_hostile_name_breaks_nothing(start: Start, memory: Memory) -> None:
    memory.units["x"] = HOSTILE
    text = await (await (await start(memory)).get("/q/x")).text()
    assert "&lt;b&gt;Lê &amp; Trần&lt;/b&gt;" in text
    assert "<script" not in text and "javascript:" not in text and "<i>" not in text and "<u>" not in text
    assert "<b>" not in text and '/"onclick' not in text


async def test_the_pages_words_are_data_that_cannot_end_the_script(start: Start, memory: Memory) -> None:
    text = await (await (await start(memory)).get("/chat")).text()
    data = text.partition('id="setup">')[2].partition("</script>")[0]
    assert "<" not in data
    setup = json.loads(data)
    assert setup["base"] == "/chat" and set(setup["sentences"]) == {"vi", "en"}
    assert setup["sentences"]["vi"]["sendPhotos"] == "Gửi {count} ảnh"


def test_the_page_asks_for_no_word_that_it_was_not_given() -> None:
    import re

    with speaking(Voice("vi")):
        words = set(chrome())
    asked = set(re.findall(r'data-(?:t|label)="(\w+)"', packaged("chat.html")))
    for name in STATIC:
        if name.endswith(".js"):
            asked |= set(re.findall(r'\bsay\("(\w+)"', packaged(name)))
    assert asked <= words, asked - words


@pytest.mark.parametrize("name", [name for name in STATIC if name.endswith((".js", ".html", ".css"))])
def test_the_page_parses_no_text_as_html_and_asks_nobody_else(name: str) -> None:
    text = packaged(name)
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "//cdn", "@import"):
        assert forbidden not in text


async def test_static_files_are_asked_for_anew_only_when_they_changed(start: Start, memory: Memory) -> None:
    client = await start(memory)
    first = await client.get("/static/chat.js")
    assert first.content_type == "text/javascript" and len(await first.text()) > 1000
    again = await client.get("/static/chat.js", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 304
    for name in ("chat.html", "..%2fweb.py", "x"):
        assert (await client.get(f"/static/{name}")).status == 404
