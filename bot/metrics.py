"""What a process measures of itself, for Prometheus (``/metrics``).

What happens is counted where it happens, in memory; what stands (queues, ages, disks) is looked up when somebody asks.
No label holds anything that comes from outside: channel accounts are the operator's names, routes are templates, the
rest are words of this program.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import platform
import re
import shutil
import time
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from bot import logs
from bot.pictures.refusal import PictureRefused
from storage import health
from storage.blobs import StoreAway, StoreFull
from storage.engine import is_transient, read_long
from storage.health import Standing

if TYPE_CHECKING:
    from bot.service import Service

log = logging.getLogger(__name__)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
PATIENCE = 5.0  # seconds that a scrape waits for the database
METHODS = frozenset({"GET", "HEAD", "POST"})  # a client may send any word
_WORD = re.compile(r"[a-z][a-z0-9_]{0,30}")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Metrics:
    """The counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._turns = Counter(
            "hoctap_turns", "Turns taken, by outcome.", ("channel", "outcome"), registry=self.registry
        )
        self._turn_seconds = Histogram(
            "hoctap_turn_seconds",
            "Seconds of a turn: wait (for a thread), run, commit (until its caller knows).",
            ("part",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._wait, self._run, self._commit = (self._turn_seconds.labels(part) for part in ("wait", "run", "commit"))
        self._pictures = Counter(
            "hoctap_pictures_refused", "Files that were not taken in, by reason.", ("reason",), registry=self.registry
        )
        self._store = Counter(
            "hoctap_store_errors", "Times that the store of pictures failed.", ("kind",), registry=self.registry
        )
        self._jobs = Counter("hoctap_jobs", "Jobs that ended.", ("kind", "outcome"), registry=self.registry)
        self._requests = Counter(
            "hoctap_web_requests", "Requests answered.", ("route", "method", "status"), registry=self.registry
        )

    def turn(self, account: str, outcome: str, asked: float, begun: float, ended: float) -> None:
        """A turn is over: ``ok``, ``repeat``, ``failed`` (kept, apologised) or ``transient`` (it will come again); when
        it was asked for, begun and ended, by ``time.perf_counter()`` (0: it never was)."""
        self._turns.labels(word(account.partition(":")[0]), outcome).inc()
        if ended:
            self._wait.observe(begun - asked)
            self._run.observe(ended - begun)
            self._commit.observe(time.perf_counter() - ended)

    @contextlib.contextmanager
    def pictures(self) -> Iterator[None]:
        """Inside, it counts why pictures are not taken in, or not to be had."""
        try:
            yield
        except PictureRefused as refused:
            self._pictures.labels(word(refused.code)).inc()
            raise
        except StoreFull:
            self._store.labels("full").inc()
            raise
        except StoreAway:
            self._store.labels("away").inc()
            raise

    def job(self, kind: str, done: bool) -> None:
        """A job ended."""
        self._jobs.labels(word(kind), "done" if done else "failed").inc()

    def request(self, request: web.Request, status: int) -> None:
        """A request was answered."""
        method = request.method if request.method in METHODS else "other"
        self._requests.labels(route_of(request), method, str(status)).inc()


def word(text: str) -> str:
    """The text as a label, if it is a word as this program uses them; else ``other``."""
    return text if _WORD.fullmatch(text) else "other"


def route_of(request: web.Request) -> str:
    """The template of the route that answers, ``/q/{payload}``; ``none`` for a path that nobody answers."""
    resource = request.match_info.route.resource
    return "none" if resource is None else resource.canonical


def counting(metrics: Metrics) -> Any:
    """A middleware that counts requests; what they log carries the role ``web``."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        status = 500
        try:
            with logs.working("web"):
                response = await handler(request)
            status = response.status
        except web.HTTPException as answer:
            status = answer.status
            raise
        except asyncio.CancelledError:  # the client is gone
            status = 499
            raise
        finally:
            metrics.request(request, status)
        return response

    return count


# ------------------------------------------------------------------------------------------ a scrape


class _Scrape:
    """What one scrape found, as the client library wants to be asked for it."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            family.samples = [each for each in family.samples if not each.name.endswith("_created")]
            yield family


async def scrape(service: Service) -> bytes:
    """Everything, in Prometheus' text format. Answers without what stands in the database while that is away."""
    found: Standing | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            found = await read_long(service.readers, partial(health.standing, now=datetime.now(UTC)))
    except Exception as error:
        if not isinstance(error, TimeoutError) and not is_transient(error):
            raise
        log.warning("the database cannot be asked for the metrics now: %s", type(error).__name__)
    families = [*service.metrics.registry.collect(), *_process(service), *_database(found)]
    return generate_latest(_Scrape(families))


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"hoctap_{name}", text, value)


def _gauges(name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(f"hoctap_{name}", text, labels=labels)
    for given, value in values:
        family.add_metric(given, value)
    return family


def _counts(name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = CounterMetricFamily(f"hoctap_{name}", text, labels=labels)
    for given, value in values:
        family.add_metric(given, value)
    return family


def _process(service: Service) -> Iterator[Metric]:
    """What this process knows of itself."""
    build = {"version": release(), "python": platform.python_version(), "database": service.engine.dialect.name}
    yield _gauges("build_info", "What runs here.", tuple(build), [(tuple(build.values()), 1)])
    yield _gauges("role", "What this process does.", ("role",), [((each,), 1) for each in sorted(service.parts.roles)])
    yield _batches(service.turns.batches)
    yield CounterMetricFamily("hoctap_turn_retries", "Turns taken once more.", service.turns.retries)
    yield _gauge("turns_waiting", "Turns that wait for a thread.", service.turns.waiting)
    yield _gauge("web_streams", "Open streams of the chat page.", service.pages.streams)
    yield _gauge("picture_workers_lost", "Decoders that died or hung since the start.", service.pictures.deaths)
    yield _gauges("locks", "Locks that this process holds.", ("lock",), _locks(service))
    yield _gauges("disk_free_bytes", "Room left, by what lies there.", ("of",), _disks(service))
    yield from _telegram(service)


def _batches(sizes: Tally[int]) -> Metric:
    """How many turns one commit of SQLite's writer took."""
    held = dict(sizes)  # the writer goes on meanwhile
    up_to = [(str(most), float(sum(n for size, n in held.items() if size <= most))) for most in SIZES]
    family = HistogramMetricFamily("hoctap_batch_turns", "Turns in one commit (SQLite).")
    family.add_metric((), [*up_to, ("+Inf", sum(held.values()))], sum(size * n for size, n in held.items()))
    return family


def _locks(service: Service) -> list[tuple[tuple[str, ...], float]]:
    """By kind: the name of a lock on a chat holds the chat."""
    return [((kind,), n) for kind, n in Tally(word(each.partition(":")[0]) for each in service.locks).items()]


def _disks(service: Service) -> Iterator[tuple[tuple[str, ...], float]]:
    places = {"database": service.engine.url.database if service.engine.dialect.name == "sqlite" else None}
    blobs = service.parts.blobs
    folders = [(of, Path(place).parent) for of, place in places.items() if place]
    if isinstance(blobs, Path):
        folders.append(("evidence", blobs))
    for of, folder in folders:
        with contextlib.suppress(FileNotFoundError):  # made with the first picture
            yield (of,), float(shutil.disk_usage(folder).free)


def _telegram(service: Service) -> Iterator[Metric]:
    """What each bot of this process tells."""
    bots = service.bots
    lengths = [((bot.account,), bot.lanes.lengths()) for bot in bots]
    yield _gauges("lanes", "Chats with a lane in memory.", ("account",), [(of, n) for of, (n, _rows) in lengths])
    yield _gauges("lane_answers", "Answers waiting in lanes.", ("account",), [(of, n) for of, (_lanes, n) in lengths])
    sent = [((bot.account, *what), n) for bot in bots for what, n in bot.lanes.outcomes.tally.items()]
    yield _counts("sent", "Answers and pushes, by what became of them.", ("account", "kind", "result"), sent)
    failures = [((bot.account, kind), n) for bot in bots for kind, n in bot.failures().items()]
    yield _counts("telegram_calls_failed", "Calls that failed (wait: 429).", ("account", "kind"), failures)
    yield _counts(
        "telegram_pauses", "Times that Telegram was left in peace.", ("account",),
        [((bot.account,), bot.budget.pauses) for bot in bots],
    )  # fmt: skip
    yield _counts(
        "telegram_pause_seconds", "Seconds of it.", ("account",),
        [((bot.account,), bot.budget.pause_seconds) for bot in bots],
    )  # fmt: skip
    fetched = [((bot.account, outcome), n) for bot in bots for outcome, n in bot.fetcher.tally.items()]
    yield _counts("fetches", "Files fetched from Telegram, by outcome.", ("account", "outcome"), fetched)


def _database(found: Standing | None) -> Iterator[Metric]:
    """What stands in the database, for all processes; with the database away only that."""
    yield _gauge("database_up", "Whether the database answered this scrape.", float(found is not None))
    if found is None:
        return
    lines = [((each.account, each.kind), each) for each in found.outbox]
    yield _gauges(
        "outbox_rows", "Messages that are due and wait.", ("account", "kind"), [(of, row.rows) for of, row in lines]
    )
    yield _gauges(
        "outbox_oldest_seconds", "For how long the oldest of them.", ("account", "kind"),
        [(of, row.seconds) for of, row in lines],
    )  # fmt: skip
    for name, text, queue in (
        ("inbox", "Updates that wait for a worker", found.inbox),
        ("arrivals", "Pictures still to be fetched", found.arrivals),
        ("jobs", "Jobs to do", found.jobs),
        ("deletions", "Pictures to be deleted from the store", found.deletions),
    ):
        yield _gauge(f"{name}_rows", f"{text}.", queue.rows)
        yield _gauge(f"{name}_oldest_seconds", f"{text}: age of the oldest.", queue.seconds)
    yield _gauge("failed_events", "Failed events that nobody has replayed.", found.failed)
    yield _gauge("privacy_requests_open", "Requests about personal data without an answer.", found.requests)
    yield _gauge("privacy_requests_overdue", "Those whose day has passed.", found.overdue)


def release() -> str:
    """The version that runs."""
    try:
        return version("cong-dan-hoc-tap")
    except PackageNotFoundError:  # from a source tree that was never installed
        return "0"
