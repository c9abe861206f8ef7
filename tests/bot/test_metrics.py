"""What is measured is right, costs next to nothing, and no label tells anything of anybody."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from bot import metrics
from bot.channels.web import app as chat_page
from bot.channels.web_site import WebSettings
from bot.metrics import Metrics, counting
from bot.pictures.refusal import PictureRefused
from bot.service import Service
from dialogs import turn
from dialogs.model import WEB, Incoming, Typed
from storage import health, outbox
from storage.blobs import StoreFull
from storage.engine import TransientFailure
from tests.support.server import free_port
from tests.support.webclient import Phone as Browser
from tests.support.webclient import photo
from tests.telegram.conftest import Begin, api, begin, seeded  # noqa: F401 - fixtures
from tests.telegram.live import Live, asks_for_evidence, holds

pytestmark = pytest.mark.slow

ACCOUNT = r"web|telegram(:[a-z0-9_]{1,32})?"
ALLOWED = {
    "account": ACCOUNT,
    "channel": "web|telegram",
    "outcome": "[a-z_]{1,20}",
    "part": "wait|run|commit",
    "le": r"[0-9.]+|\+Inf",
    "kind": "[a-z_]{1,12}",
    "result": "sent|failed|cancelled|again",
    "reason": "[a-z_]{1,20}",
    "route": r"none|/[a-z/]*(\{[a-z]+\})?|/telegram/[a-z0-9_]+",
    "method": "GET|HEAD|POST|other",
    "status": "[1-5][0-9][0-9]",
    "role": "poller|web|worker|fetcher|sender|scheduler",
    "of": "database|evidence",
    "lock": "[a-z_]{1,20}",
    "version": r"[0-9.]+",
    "python": r"3\.[0-9.]+",
    "database": "sqlite|postgresql",
}
HOSTILE = 'x"} 1\nhoctap_evil{a="Đặng Thị Ngọc Hân\\'

Found = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(service: Service) -> Found:
    """What a scrape tells, by name and labels."""
    text = (await metrics.scrape(service)).decode()
    return {
        (each.name, frozenset(each.labels.items())): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def value(found: Found, name: str, **labels: str) -> float:
    """One value; 0 where there is none."""
    return found.get((f"hoctap_{name}", frozenset(labels.items())), 0.0)


@asynccontextmanager
async def on_the_web(service: Service) -> AsyncIterator[str]:
    """The chat page of a service, counted as in ``hoctap run``; its address."""
    site = chat_page(service.backend(), WebSettings())
    site.middlewares.insert(0, counting(service.metrics))
    port, runner = free_port(), web.AppRunner(site, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def fail(*_: Any) -> None:
    raise ValueError("x")


async def test_a_run_is_measured_and_tells_of_nobody(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    live = await begin(accounts=("telegram:mot",))
    service = live.service
    assert service is not None
    phone = await asks_for_evidence(live.api.phone(live.bot))
    await phone.sends_photo(photo(1))
    await live.until("select count(*) from arrivals", 0)
    live.api.fault("sendMessage", "429", retry_after=1)
    await phone.types("/help")
    await phone.settles()
    stuck(live)
    async with on_the_web(service) as base:
        await browses(base)
        cookie = {"Cookie": f"hoctap={'a' * 43}"}
        async with aiohttp.ClientSession() as session, session.get(f"{base}/chat/stream", headers=cookie):
            await holds(lambda: service.pages.streams == 1)
            assert value(await scraped(service), "web_streams") == 1
    with monkeypatch.context() as patch:
        patch.setattr(turn, "_to_dialog", fail)
        await phone.types(HOSTILE)
        await phone.sees("trục trặc")
    found = await scraped(service)

    assert value(found, "turns_total", channel="telegram", outcome="failed") == 1
    assert value(found, "turns_total", channel="telegram", outcome="ok") > 10
    assert value(found, "turns_total", channel="web", outcome="ok") > 3
    taken = sum(n for (name, _labels), n in found.items() if name == "hoctap_turns_total")
    for part in ("wait", "run", "commit"):
        assert value(found, "turn_seconds_count", part=part) == taken
    assert value(found, "batch_turns_count") > 10
    assert value(found, "batch_turns_bucket", le="+Inf") == value(found, "batch_turns_count")
    assert value(found, "sent_total", account="telegram:mot", kind="answer", result="sent") > 10
    assert value(found, "sent_total", account="telegram:mot", kind="answer", result="again") == 1
    assert value(found, "telegram_calls_failed_total", account="telegram:mot", kind="wait") == 1
    assert value(found, "telegram_pauses_total", account="telegram:mot") == 1
    assert value(found, "telegram_pause_seconds_total", account="telegram:mot") >= 1
    assert value(found, "fetches_total", account="telegram:mot", outcome="fetched") == 1
    assert value(found, "lanes", account="telegram:mot") == 1
    assert value(found, "failed_events") == 1
    assert value(found, "database_up") == 1
    assert value(found, "web_requests_total", route="/q/{payload}", method="GET", status="404") == 1
    assert value(found, "web_requests_total", route="none", method="other", status="404") == 1
    assert value(found, "web_requests_total", route="/chat/act", method="POST", status="200") > 3
    assert value(found, "disk_free_bytes", of="evidence") > 0
    assert value(found, "outbox_rows", account="telegram:gone", kind="push") == 1
    assert 50 < value(found, "outbox_oldest_seconds", account="telegram:gone", kind="push") < 120
    assert value(found, "build_info") == 0 and any(name == "hoctap_build_info" for name, _labels in found)

    wrong = {
        (name, label, text)
        for name, labels in found
        for label, text in labels
        if not re.fullmatch(ALLOWED.get(label, "nothing"), text)
    }
    assert wrong == set()


def stuck(live: Live) -> None:
    """A push that nobody sends, due for a minute."""
    long_ago = datetime.now(UTC) - timedelta(seconds=60)
    with live.write() as conn:
        (id,) = live.rows("select min(id) from contacts")
        outbox.put(
            conn, account="telegram:gone", address=HOSTILE[:20], contact_id=id, body="{}", now=long_ago,
            priority=outbox.NOTICE,
        )  # fmt: skip


async def browses(base: str) -> None:
    """Somebody who joins under a hostile name, and requests for what is not there."""
    async with Browser(base) as browser:
        await browser.opens("DV06685K")
        await browser.presses("yes")
        await browser.presses("agree")
        await browser.types(HOSTILE)
    async with aiohttp.ClientSession() as session:
        for method, path in (
            ("GET", "/q/TL-XR18-3RPK-4VNG-71Q0"),
            ("PROPFIND", "/06685/Hồng Gai"),
            ("GET", "/static/x"),
        ):
            await (await session.request(method, base + path)).read()


async def test_what_goes_wrong_is_told_apart(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    live = await begin()
    service = live.service
    assert service is not None
    incoming = Incoming("web", "a.1", "a" * 64, Typed("xin chào"), datetime.now(UTC), None, WEB)
    await service.take(incoming)
    await service.take(incoming)

    async def away(*_: Any) -> None:
        raise TransientFailure("away")

    with monkeypatch.context() as patch, pytest.raises(TransientFailure):
        patch.setattr(service.turns, "run", away)
        await service.take(incoming)
    for error in (PictureRefused("broken"), PictureRefused(HOSTILE), StoreFull()):
        with pytest.raises(type(error)), service.metrics.pictures():
            raise error
    service.metrics.job("chart", done=False)
    found = await scraped(service)
    for outcome in ("ok", "repeat", "transient"):
        assert value(found, "turns_total", channel="web", outcome=outcome) == 1, outcome
    assert value(found, "pictures_refused_total", reason="broken") == 1
    assert value(found, "pictures_refused_total", reason="other") == 1
    assert value(found, "store_errors_total", kind="full") == 1
    assert value(found, "jobs_total", kind="chart", outcome="failed") == 1


async def test_a_scrape_answers_while_the_database_is_away(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    live = await begin()
    service = live.service
    assert service is not None

    def away(*_: Any, **__: Any) -> None:
        raise TransientFailure("away")

    monkeypatch.setattr(health, "standing", away)
    found = await scraped(service)
    assert found["hoctap_database_up", frozenset()] == 0
    assert ("hoctap_inbox_rows", frozenset()) not in found
    assert ("hoctap_turns_waiting", frozenset()) in found


def test_the_registry_of_the_whole_process_stays_as_it_was() -> None:
    Metrics()
    Metrics()
    assert not any(each.name.startswith("hoctap") for each in REGISTRY.collect())
