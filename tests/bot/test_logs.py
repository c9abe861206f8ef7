"""Nothing that people said, nobody's name, number, address or code in any line; lines of an event say which it is."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from aiohttp import web

from bot import logs
from bot.channels.web import app as chat_page
from bot.channels.web_site import WebSettings
from bot.loops import every
from bot.metrics import counting
from bot.service import Service
from dialogs import turn
from tests.support.server import free_port
from tests.support.webclient import Phone as Browser
from tests.telegram.conftest import Begin, api, begin, seeded  # noqa: F401 - fixtures
from tests.telegram.live import accepts, answers, joins

pytestmark = pytest.mark.slow

NAME, CALL = "Đặng Thị Ngọc Hân", "0912345678"
WORDS = "Nhà tôi ở ngõ 12 phố Kênh Liêm, xin đừng nói với ai"
DEFECT = "Lời này làm hỏng cả chương trình"
NUMBER = "022157001234"
CODE = "TL-XR18-3RPK-4VNG-71Q0"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process with ``operation.log = "json"`` and ``level = "debug"`` writes."""
    stream = io.StringIO()
    before = {name: logging.getLogger(name).level for name in (*logs.OURS, *logs.TALKATIVE, "")}
    monkeypatch.setattr("bot.redaction.install", lambda: None)  # its hooks are of the whole process
    logs.install("json", "debug")
    handler = logs.handler("json", stream)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)  # also what libraries say that nobody thought of
    yield stream
    logging.getLogger().removeHandler(handler)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


async def test_a_run_with_defects_writes_nothing_of_anybody(
    begin: Begin,  # noqa: F811
    written: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = turn._to_dialog

    def breaks(of: Any, state: Any, view: Any, now: Any, act: Any) -> Any:
        if getattr(act, "text", "") == DEFECT:
            raise sa.exc.StatementError(f"{NAME} {WORDS}", "select :said", {"said": DEFECT}, ValueError(DEFECT))
        return real(of, state, view, now, act)

    monkeypatch.setattr(turn, "_to_dialog", breaks)
    live = await begin()
    invite = live.invite(name=NAME)
    phone = await joins(live.api.phone(live.bot), name=NAME)
    chat = str(phone.chat.id)
    await phone.types(DEFECT)
    await phone.sees("trục trặc")
    for said in (WORDS, NUMBER, CALL, CODE):
        await phone.types(said)
        await phone.settles()
    await answers(phone)
    await accepts(live.api.phone(live.bot), invite)
    live.api.undecodable(live.bot, phone)
    await live.until("select count(*) from failed_events where error like 'undecodable%'", 1)
    for method, kind in (("sendMessage", "429"), ("sendMessage", "closed"), ("editMessageText", "500")):
        live.api.fault(method, kind)
    await phone.types(WORDS)
    await phone.settles()

    service = live.service
    assert service is not None
    await in_the_browser(service)
    with pytest.raises(ValueError):
        await service.turns.run(lambda conn: fail(ValueError(WORDS)), lambda conn, error: fail(ValueError(NAME)))
    await loops_break()
    lost = asyncio.create_task(broken(f"{NAME}: {WORDS}"))
    await asyncio.wait((lost,))
    del lost
    gc.collect()
    await live.stop()

    text = written.getvalue()
    told = lines(written)  # each is JSON
    assert len(told) > 30
    secrets = [
        NAME,
        "Ngọc Hân",
        CALL,
        CALL[1:],
        NUMBER,
        WORDS,
        "Kênh Liêm",
        DEFECT,
        CODE,
        "3RPK",
        "Tôi đã dự lớp",
        chat,
    ]
    secrets += [invite, invite[6:], live.bot.token, chat]
    assert {each for each in secrets if each in text or json.dumps(each)[1:-1] in text} == set()
    for sign in (
        "failed, kept as",
        "asks for silence",
        "cannot be read",
        "never retrieved",
        "the rescue",
        "tried again",
    ):
        assert sign in text, f"the run had no {sign!r}"


async def in_the_browser(service: Service) -> None:
    """A chat on the web, and requests that go wrong in every layer, with words and codes in their paths."""
    site = chat_page(service.backend(), WebSettings())
    site.middlewares.insert(0, counting(service.metrics))

    async def breaks(request: web.Request) -> web.Response:
        raise ValueError(f"{WORDS} {request.path}")

    site.router.add_get("/breaks/{code}", breaks)
    port = free_port()
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    base = f"http://127.0.0.1:{port}"
    try:
        async with Browser(base) as browser:
            await browser.opens("DV06685K")
            await browser.presses("yes")
            await browser.presses("agree")
            await browser.types(NAME)
        async with aiohttp.ClientSession() as session:
            for path in (f"/breaks/{CODE}", f"/q/{CODE}", f"/chat/picture/{CODE}"):
                await (await session.get(base + path)).read()
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /q/{CODE} {NAME} HTTP/9.9\r\n\r\n".encode())
        await writer.drain()
        await _reader.read(200)
        writer.close()
    finally:
        await runner.cleanup()


async def loops_break() -> None:
    async def folding() -> None:
        raise RuntimeError(WORDS)

    looping = asyncio.create_task(every(0.01, "folding", folding))
    await asyncio.sleep(0.05)
    looping.cancel()
    await asyncio.gather(looping, return_exceptions=True)


def fail(error: Exception) -> None:
    raise error


async def broken(text: str) -> None:
    raise ValueError(text)


async def test_every_line_of_an_event_says_which(
    begin: Begin,  # noqa: F811
    written: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = await begin(accounts=("telegram:mot",))
    phone = await joins(live.api.phone(live.bot))
    monkeypatch.setattr(turn, "_to_dialog", lambda *_: fail(ValueError("x")))
    live.api.fault("sendMessage", "500")
    (update,) = await phone.types("gì đó")
    await phone.sees("trục trặc")
    await live.stop()
    name = logs.name_of("telegram:mot", str(update))
    about = [line for line in lines(written) if line.get("event") == name]
    # The writer's thread tells of the defect, the loop that the turn is over, the lane that its answer is late.
    assert {line["logger"] for line in about} == {"dialogs.turn", "bot.service", "bot.channels.telegram_lanes"}
    assert all(line["account"] == "telegram:mot" and line["role"] == "poller" for line in about)
    assert all(0 <= line["duration"] < 60 for line in about)
    (kept,) = live.rows("select error_id from failed_events")
    assert any(kept in line["message"] for line in about)
    others = [line for line in lines(written) if line.get("event") not in (None, name)]
    assert others and not any("kept as" in line["message"] for line in others)


def test_text_lines_carry_the_same(written: io.StringIO) -> None:
    stream = io.StringIO()
    handler = logs.handler("text", stream)
    log = logging.getLogger("bot.somewhere")
    log.addHandler(handler)
    try:
        with logs.working("worker"), logs.about("telegram", "17"):
            log.info("it works")
            try:
                fail(ValueError(WORDS))
            except ValueError:
                log.exception("it broke")
    finally:
        log.removeHandler(handler)
    first, second, *frames = stream.getvalue().splitlines()
    event = logs.name_of("telegram", "17")
    assert re.fullmatch(
        rf"[-0-9]{{10}} [:0-9]{{8}},\d{{3}} INFO bot.somewhere: it works event={event} account=telegram role=worker"
        r" duration=0\.\d+", first,
    )  # fmt: skip
    assert "it broke" in second and f"event={event}" in second
    assert frames[0].startswith("ValueError at test_logs.py:") and WORDS not in "".join(frames)


def test_an_event_has_one_name_that_tells_nothing() -> None:
    assert re.fullmatch("[0-9a-f]{10}", logs.name_of("web", "a" * 16 + ".1"))
    assert logs.name_of("web", "1") != logs.name_of("telegram", "1")
    assert logs.fields() == {}
