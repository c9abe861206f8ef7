"""The running bot in one process: turns, what goes out, jobs, housekeeping. Channels are mounted on it
(:mod:`bot.run`)."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import logs
from bot.channels.telegram_about import start_link
from bot.channels.web import Backend, HistoryLine, Landing, Outgoing, Seat
from bot.metrics import Metrics
from bot.pictures.pool import PicturePool
from bot.pictures.refusal import PictureRefused
from bot.roles import ROLES
from dialogs.model import FULL, WEB, Incoming, Signal
from dialogs.states import Rules
from dialogs.turn import Taken, rescue_turn, take_turn
from locales import Voice, _, speaking
from reports.figures import figures
from reports.pool import ChartPool
from storage import (
    assessments,
    audit,
    codes,
    conversations,
    counters,
    deletions,
    erasure,
    events,
    evidence,
    inbox,
    jobs,
    officers,
    outbox,
    people,
    retention,
    reviews,
    units,
)
from storage.base import Connection, Refused
from storage.blobs import Place, StoreAway, StoreFull, open_store
from storage.engine import TransientFailure, Turns, is_transient, open_engine, open_readers, read_long, reading
from storage.evidence import Picture, Quota
from storage.housekeeping import Keep, tidy
from storage.identity import KeyRing
from storage.jobs import JobRow
from storage.shared import Locks, Words

if TYPE_CHECKING:  # aiogram takes seconds to import, and a server without a token needs none of it
    from bot.channels.telegram import Telegram, TelegramSettings
    from bot.channels.telegram_lanes import Backend as TelegramBackend

log = logging.getLogger(__name__)

WEB_ACCOUNT = "web"
NOTICE_TICK = 1.0  # seconds between looks at the outbox; a turn wakes it at once
FOLD_TICK = 5.0
TIDY_TICK = 600.0
RETAIN_TICK = 86_400.0  # seconds between passes over what has been kept for its time
DELETE_TICK = 1.0
ONE_BY_ONE = 30.0  # seconds for the blobs of a batch that failed, well within deletions.CLAIM
SWEEP_AGE = 3600.0  # seconds that a picture may lie unreferenced
SWEEP_BUCKET = timedelta(days=1)
BETWEEN_HOLDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds; deleting takes far less
SLOW = 1.0  # seconds; a turn takes a few milliseconds
FOLD_LINES = 2_000  # ledger lines folded at once: well under 50 ms


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service is made of: database, folder of blobs, the operator's rules, other messengers' links (label,
    address with ``{payload}``), the demo's seats, what this process does of :data:`ROLES`."""

    url: str
    blobs: Place
    rules: Rules
    keep: Keep
    picture_workers: int = 2
    links: tuple[tuple[str, str], ...] = ()
    seats: tuple[Seat, ...] = ()
    roles: frozenset[str] = ROLES


@dataclass(frozen=True, slots=True)
class Look:
    """An officer's browser fetches a picture: whose, of which dossier, which piece."""

    officer_id: int
    assessment_id: int
    piece_id: int
    unit_id: int


@dataclass(slots=True)
class _Clock:
    """When a turn was asked for, began (the last time, if it was taken again) and ended: ``time.perf_counter()``."""

    asked: float = field(default_factory=time.perf_counter)
    begun: float = 0.0
    ended: float = 0.0
    rescued: bool = False


class Service:
    """A process that serves a database: on SQLite the only one, on PostgreSQL one of as many as there are.

    ``start`` its loops, ``backend`` for the web channel, ``stop`` in the end."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.metrics = Metrics()
        self.engine = open_engine(parts.url)
        self.readers = open_readers(parts.url)
        self.turns = Turns(self.engine)
        self.blobs = open_store(parts.blobs)
        self.charts = ChartPool()
        self.pictures = PicturePool(parts.picture_workers)
        self.bots: list[Telegram] = []
        self._usernames: dict[str, str] = {}  # of the bots, by the name that the operator gave them
        self._by_the_way: set[asyncio.Task[None]] = set()
        self._queues: dict[str, set[asyncio.Queue[HistoryLine]]] = {}
        self._wake_notices = asyncio.Event()
        self._wake_jobs = asyncio.Event()
        self._loops: list[asyncio.Task[Any]] = []
        self._retain_at = 0.0
        self._locks: Locks | None = None
        self._words: Words | None = None
        if self.engine.dialect.name == "postgresql":
            self._locks, self._words = Locks(parts.url), Words(parts.url, self._heard)
        self._swept: datetime | None = None

    # ---------------------------------------------------------------------------------------- life

    def start(self) -> None:
        """Start the loops: notices, jobs, folding, housekeeping; and read the index of names before anybody
        searches."""
        self._loops.append(asyncio.create_task(asyncio.to_thread(self._warm), name="warm"))
        if self._words is not None:
            self._loops.append(asyncio.create_task(self._words.work(), name="words"))
        if "sender" in self.parts.roles:
            self._begin("sender", self._send_notices)
        if "scheduler" in self.parts.roles:
            for work in (self._do_jobs, self._delete_blobs, self._fold, self._tidy):
                self._begin("scheduler", work)

    def _begin(self, role: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        name = work.__name__.strip("_")
        with logs.working(role):
            self._loops.append(asyncio.create_task(self._alone(work), name=name))

    @property
    def streams(self) -> int:
        """Open streams of the chat page."""
        return sum(len(queues) for queues in self._queues.values())

    @property
    def locks(self) -> frozenset[str]:
        """The locks that this process holds; none where it is the only one."""
        return self._locks.names if self._locks is not None else frozenset()

    def dead(self) -> list[str]:
        """The loops that should run and do not, by name; ``start`` before it was called."""
        if not self._loops:
            return ["start"]
        ended = [each.get_name() for each in self._loops if each.done() and (each.get_name() != "warm" or _broke(each))]
        return [*ended, *(each.get_name() for bot in self.bots for each in bot.tasks if _broke(each))]

    async def _alone(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A loop that runs in one process at a time; the others stand by."""
        if self._locks is None:
            await work()
            return
        await self._locks.alone(work.__name__, work)

    def _warm(self) -> None:
        with reading(self.engine) as conn:
            units.search(conn, "hà nội", limit=1)

    async def stop(self, grace: float = 10.0) -> None:
        """End gracefully: updates under way end, turns that wait are taken, then everything closes. What was not sent
        stays in the outbox."""
        for ended in await asyncio.gather(*(bot.stop(grace) for bot in self.bots), return_exceptions=True):
            if isinstance(ended, Exception):
                log.error("a bot did not end as it should: %s", events.traced(ended))
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await asyncio.to_thread(self.turns.close)
        if self._locks is not None:
            await self._locks.close()
        await self.charts.close()
        await self.pictures.close()
        await self.readers.dispose()
        self.engine.dispose()

    # ---------------------------------------------------------------------------------------- turns

    async def take(self, incoming: Incoming) -> Taken:
        """Take a turn; returns after COMMIT. Raises ``TransientFailure``: the event is to come again."""
        rules = self.parts.rules
        taken = await self._turn(
            incoming, partial(_take, incoming=incoming, rules=rules), partial(_rescue, incoming=incoming, rules=rules)
        )
        assert taken is not None
        return taken

    async def take_waiting(self, incoming: Incoming, update: int) -> Taken | None:
        """Take a turn for an update that waits in the inbox, whose row goes with it; ``None`` when another process
        takes it, or took it. Raises ``TransientFailure``."""
        rules = self.parts.rules
        return await self._turn(
            incoming,
            partial(_take_waiting, incoming=incoming, update=update, rules=rules),
            partial(_rescue_waiting, incoming=incoming, update=update, rules=rules),
        )

    async def _turn(
        self,
        incoming: Incoming,
        job: Callable[[Connection], Taken | None],
        rescue: Callable[[Connection, Exception], Taken | None],
    ) -> Taken | None:
        """Take a turn; measure and log it, and wake what it may have given work."""
        clock, outcome, taken = _Clock(), "failed", None
        with logs.about(incoming.account, incoming.event):
            try:
                taken = await self.turns.run(
                    partial(_timed, clock=clock, job=job), partial(_timed_rescue, clock=clock, rescue=rescue)
                )
                outcome = "failed" if clock.rescued else "repeat" if taken and taken.repeat else "ok"
            except TransientFailure:
                outcome = "transient"
                raise
            except asyncio.CancelledError:
                outcome = "left"  # whoever asked is gone; it may have been taken all the same
                raise
            finally:
                if taken is not None or outcome != "ok":  # else another worker takes it
                    self.metrics.turn(incoming.account, outcome, clock.asked, clock.begun, clock.ended)
                    slow = time.perf_counter() - clock.asked >= SLOW
                    log.log(logging.WARNING if slow else logging.DEBUG, "turn %s", outcome)
        if taken is not None and not taken.repeat:
            self._wake_notices.set()
            self._wake_jobs.set()
        return taken

    async def take_web(self, incoming: Incoming) -> tuple[Outgoing, ...]:
        """A turn of the browser channel: the new messages, which its other tabs get as well."""
        taken = await self.take(incoming)
        if taken.repeat:
            return await asyncio.to_thread(self._undelivered, incoming)
        if taken.heard is not None:
            line, body = taken.heard
            self._publish(incoming.address, HistoryLine(line, "in", body, incoming.at, incoming.event))
        told = tuple(Outgoing(each.message_id or 0, each.body, incoming.at) for each in taken.told)
        for each in told:
            if each.id:
                self._publish(incoming.address, HistoryLine(each.id, "out", each.body, each.at))
        farewells = [each.outbox_id for each in taken.told if each.message_id is None]
        if farewells:
            await self.turns.run(partial(_settle, rows=farewells))
        return told

    def _undelivered(self, incoming: Incoming) -> tuple[Outgoing, ...]:
        """What an event's repeat should show: the newest screens, which its first answer may not have reached."""
        with reading(self.engine) as conn:
            lines = conversations.history(conn, incoming.account, incoming.address, 0, 6)
            waiting = outbox.waiting_for(conn, incoming.account, incoming.address, incoming.at)
        shown = [Outgoing(line.id, line.body, line.at) for line in lines if line.direction == "out"]
        shown.extend(Outgoing(row.message_id or 0, row.body, incoming.at) for row in waiting if row.contact_id is None)
        return tuple(shown)

    # ---------------------------------------------------------------------------------------- the web channel

    def backend(self, account: str = WEB_ACCOUNT) -> Backend:
        """What the browser channel asks."""

        async def history(address: str, after: int) -> tuple[HistoryLine, ...]:
            lines = await asyncio.to_thread(self._history, account, address, after)
            return tuple(HistoryLine(each.id, each.direction, each.body, each.at, each.event) for each in lines)

        return Backend(
            take=self.take_web,
            history=history,
            subscribe=self.subscribe,
            may_upload=partial(self._may_upload, account),
            upload=partial(self._upload, account),
            picture=partial(self._picture, account),
            landing=self._landing,
            forget=partial(self._forget, account),
            demo_seats=self.parts.seats,
        )

    def _history(self, account: str, address: str, after: int) -> list[conversations.Line]:
        with reading(self.engine) as conn:
            chat = conversations.peek(conn, account, address)
            awake = chat is not None and _awake(chat)
            return conversations.history(conn, account, address, after, fleeting=awake)

    @contextmanager
    def subscribe(self, address: str) -> Iterator[asyncio.Queue[HistoryLine]]:
        """Lines of an address as they are committed."""
        queue: asyncio.Queue[HistoryLine] = asyncio.Queue()
        self._queues.setdefault(address, set()).add(queue)
        try:
            yield queue
        finally:
            held = self._queues[address]
            held.discard(queue)
            if not held:
                del self._queues[address]

    def _publish(self, address: str, line: HistoryLine) -> None:
        if self._words is not None:  # its page may be open at another process
            self._words.say(f"line {line.id} {address}")
        self._show(address, line)

    def _heard(self, word: str) -> None:
        """Another process has said something."""
        what, _space, rest = word.partition(" ")
        if what == "inbox":
            for bot in self.bots:
                if bot.account == rest and bot.inbox is not None:
                    bot.inbox.wake()
        elif what == "line":
            number, _space, address = rest.partition(" ")
            if address in self._queues and number.isdecimal():
                task = asyncio.create_task(self._fetch_line(address, int(number)), name="line")
                self._by_the_way.add(task)
                task.add_done_callback(self._by_the_way.discard)

    async def _fetch_line(self, address: str, number: int) -> None:
        try:
            lines = await asyncio.to_thread(self._history, WEB_ACCOUNT, address, number - 1)
        except Exception as error:  # noqa: BLE001 - the page asks again by itself
            log.warning("a line of another process could not be read: %s", events.described(error))
            return
        for each in lines:
            if each.id == number:
                self._show(address, HistoryLine(each.id, each.direction, each.body, each.at, each.event))

    def _show(self, address: str, line: HistoryLine) -> None:
        for queue in self._queues.get(address, ()):
            queue.put_nowait(line)

    async def _may_upload(self, account: str, address: str) -> int:
        with self._counting():
            return await asyncio.to_thread(self._read, partial(self._uploader, account=account, address=address))

    async def _upload(self, account: str, address: str, data: bytes) -> tuple[Picture, ...]:
        contact = await self._may_upload(account, address)
        try:
            found = await self.take_in(contact, data)
        except (StoreFull, StoreAway) as error:
            log.warning("a photo was refused: %s", error)
            raise PictureRefused("store_full") from error
        quota = self.parts.rules.quota
        refused = await self.turns.run(
            partial(_keep_uploads, account=account, address=address, pictures=found, quota=quota, now=_now())
        )
        if refused:
            with self._counting():
                raise PictureRefused(refused)
        return found

    def _uploader(self, conn: Connection, account: str, address: str) -> int:
        chat = conversations.peek(conn, account, address)
        if chat is None or chat.person is None:
            raise PictureRefused("not_yet")
        if evidence.bytes_of_day(conn, chat.contact_id, _now()) >= self.parts.rules.quota.bytes_per_day:
            raise PictureRefused("day_full")
        return chat.contact_id

    async def take_in(self, contact_id: int, data: bytes) -> tuple[Picture, ...]:
        """The pictures of a file that this contact sent, in the store; the same file again is not decoded again. Their
        rows are to be written within the hour, each with :func:`storage.deletions.release` for picture and thumbnail.

        Raises :class:`PictureRefused`, ``StoreFull``, ``StoreAway``.
        """
        with self._counting():
            return await self._take_in(contact_id, data)

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """Why pictures are not taken in or not to be had, for the metrics."""
        try:
            yield
        except PictureRefused as refused:
            self.metrics.picture_refused(refused.code)
            raise
        except StoreFull:
            self.metrics.store_failed("full")
            raise
        except StoreAway:
            self.metrics.store_failed("away")
            raise

    async def _take_in(self, contact_id: int, data: bytes) -> tuple[Picture, ...]:
        source_hash = hashlib.sha256(data).hexdigest()
        known: tuple[Picture, ...] = await asyncio.to_thread(
            self._read, partial(evidence.of_file, contact_id=contact_id, source_hash=source_hash)
        )
        if known and await self._still_there(known):
            return known
        found = []
        try:
            decoded = await self.pictures.receive(data)
        except OSError as error:  # the machine gives no process now; the picture is as good as before
            log.error("no picture worker can be started: %s", events.described(error))
            raise PictureRefused("busy") from error
        for made in decoded:
            thumbnail = await self.keep_blob(made.thumbnail) if made.thumbnail else None
            found.append(
                Picture(
                    await self.keep_blob(made.data),
                    made.source_hash,
                    made.width,
                    made.height,
                    len(made.data),
                    made.phash,
                    thumbnail,
                    made.page,
                    made.pages,
                )
            )
        return tuple(found)

    async def _still_there(self, known: tuple[Picture, ...]) -> bool:
        """Announce these as if they were stored again, and look whether they are in the store still."""
        keys = [key for each in known for key in (each.key, each.thumbnail) if key]
        if not await self.turns.run(partial(deletions.hold, keys=keys, now=_now())):
            return False
        for key in keys:
            if await asyncio.to_thread(self.blobs.get, key) is None:  # gone, or damaged: it is made anew
                await self.turns.run(partial(_release, keys=keys))
                return False
        return True

    async def keep_blob(self, data: bytes) -> str:
        """Store bytes; their key. The row that refers to them is to be written within the hour, and with it
        :func:`storage.deletions.release`: nothing deletes them until then. Raises ``StoreFull``, ``StoreAway``."""
        key = hashlib.sha256(data).hexdigest()
        for wait in BETWEEN_HOLDS:
            if await self.turns.run(partial(deletions.hold, keys=(key,), now=_now())):
                return await asyncio.to_thread(self.blobs.put, data)
            await asyncio.sleep(wait)  # the same bytes are being deleted at this moment
        raise StoreAway("Deleting")

    async def _picture(self, account: str, address: str, key: str, small: bool) -> bytes | None:
        looks: list[Look] = []
        if not await asyncio.to_thread(self._may_see, account, address, key, looks):
            return None
        for look in looks:  # committed before a byte goes out
            await self.turns.run(partial(_note_look, look=look, now=_now()))
        try:
            with self._counting():
                return await asyncio.to_thread(self._readable, key, small)
        except StoreAway as away:  # the page shows a gap, and asks again when it is loaded anew
            log.warning("a picture cannot be shown now (%s)", away.reason)
            return None

    def _readable(self, key: str, small: bool) -> bytes | None:
        with reading(self.engine) as conn:
            thumbnail = evidence.thumbnail_of(conn, key) if small else None
        return (self.blobs.get(thumbnail) if thumbnail else None) or self.blobs.get(key)

    def _may_see(self, account: str, address: str, key: str, looks: list[Look]) -> bool:
        """A picture is for whom it is: its sender, its person, an officer in scope whose session is alive; an officer's
        look that is to be written down is added to *looks*."""
        with reading(self.engine) as conn:
            chat = conversations.peek(conn, account, address)
            return chat is not None and self._sees(conn, chat, key, looks)

    @staticmethod
    def _sees(conn: Connection, chat: conversations.Chat, key: str, looks: list[Look]) -> bool:
        if evidence.owns_upload(conn, chat.contact_id, key):
            return True
        officer = officers.of_contact(conn, chat.contact_id) if chat.officer_id is not None and _awake(chat) else None
        for assessment_id in evidence.assessments_with(conn, key):
            row = assessments.by_id(conn, assessment_id)
            if row is None:
                continue
            if chat.person is not None and chat.person.id == row.person_id:
                return True
            if officer is not None:
                try:
                    reviews.may_see(conn, officer, row)
                except Refused:
                    continue
                piece = next((each.id for each in evidence.all_of(conn, row.id) if each.key == key), 0)
                if not audit.picture_noted(conn, officer.id, row.id, piece):
                    looks.append(Look(officer.id, row.id, piece, row.unit_id))
                return True
        return False

    async def _landing(self, payload: str) -> Landing | None:
        return await asyncio.to_thread(self._landing_now, payload)

    def _landing_now(self, payload: str) -> Landing | None:
        try:
            code = codes.parse(payload)
        except Refused:
            return None
        if not isinstance(code, codes.UnitCode):
            return None
        with reading(self.engine) as conn:
            unit = units.by_code(conn, code.body, code.vintage)
            if unit is None:
                return None
            place = units.full_name(conn, unit)
            province = next(
                (each.code for each in (unit, *units.ancestors(conn, unit)) if each.level == units.PROVINCE), ""
            )
        payload = codes.payload(code)
        links = [(label, link.replace("{payload}", payload)) for label, link in self.parts.links]
        username = self._bot_for(province)
        if username:
            links.append((_("landing.telegram"), start_link(username, payload)))
        return Landing(unit.name, place.above, codes.printed(code), tuple(links))

    def _bot_for(self, province: str) -> str:
        """The bot that serves a province: the one named by its code, else the one without a name, else the only one."""
        known = self._usernames
        only = next(iter(known.values())) if len(known) == 1 else ""
        return known.get(province) or known.get("") or only

    async def _forget(self, account: str, address: str) -> None:
        await self.turns.run(partial(_leave, account=account, address=address))

    # ---------------------------------------------------------------------------------------- Telegram

    def telegram(self, token: str, settings: TelegramSettings) -> Telegram:
        """A bot on this service; to be started by the caller, stopped with the service."""
        from bot.channels.telegram import Telegram

        def met(username: str) -> None:
            self._usernames[settings.name] = username

        bot = Telegram(token, settings, self._telegram_backend(), met=met, roles=self.parts.roles)
        self.bots.append(bot)
        return bot

    def _telegram_backend(self) -> TelegramBackend:
        from bot.channels.telegram_lanes import Backend as TelegramBackend
        from bot.channels.telegram_lanes import Shared
        from bot.sealing import seal, unseal

        async def read(job: Callable[[Connection], Any]) -> Any:
            return await asyncio.to_thread(self._read, job)

        async def picture(key: str) -> bytes | None:
            return await asyncio.to_thread(self.blobs.get, key)

        shared = None
        if self._locks is not None and self._words is not None:
            keys = self.parts.rules.keys or (lambda: KeyRing(()))
            shared = Shared(self._locks, self._words.say, partial(seal, keys=keys), partial(unseal, keys=keys))
        return TelegramBackend(
            self.take, self.turns.run, read, picture, self.take_in, self.parts.rules, self.take_waiting, shared
        )

    def _read(self, job: Callable[[Connection], Any]) -> Any:
        try:
            with reading(self.engine) as conn:
                return job(conn)
        except Exception as error:
            if is_transient(error):
                raise TransientFailure("the database cannot be read now") from error
            raise

    # ---------------------------------------------------------------------------------------- loops

    async def _every(self, seconds: float, event: asyncio.Event | None, work: Callable[[], Awaitable[object]]) -> None:
        """Do a piece of work again and again; trouble is logged and the work goes on."""
        while True:
            try:
                await work()
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("%s failed; it is tried again", work.__name__)
            if event is None:
                await asyncio.sleep(seconds)
                continue
            try:
                await asyncio.wait_for(event.wait(), seconds)
            except TimeoutError:
                continue
            event.clear()

    async def _send_notices(self) -> None:
        await self._every(NOTICE_TICK, self._wake_notices, self.send_due)

    async def send_due(self) -> int:
        """Deliver what is due on the web: into the contact's history, and to its open pages. How many."""
        with_rows = await asyncio.to_thread(self._due)
        if not with_rows:
            return 0
        delivered = await self.turns.run(partial(_deliver_web, now=_now()))
        for address, line in delivered:
            self._publish(address, line)
        return len(delivered)

    def _due(self) -> bool:
        with reading(self.engine) as conn:
            return bool(outbox.due(conn, WEB_ACCOUNT, _now(), most=1, farewells=False))

    async def _do_jobs(self) -> None:
        await self._every(NOTICE_TICK, self._wake_jobs, self.do_jobs)

    async def do_jobs(self) -> int:
        """Do the jobs that wait; how many."""
        waiting = await asyncio.to_thread(self._waiting_jobs)
        for job in waiting:
            done = False
            try:
                await self._do(job)
                done = True
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("job %s (%s) failed", job.id, job.kind)
            self.metrics.job(job.kind, done)
            await self.turns.run(partial(_settle_job, job=job, done=done))
        return len(waiting)

    def _waiting_jobs(self) -> list[JobRow]:
        with reading(self.engine) as conn:
            return jobs.waiting(conn)

    async def _do(self, job: JobRow) -> None:
        if job.kind != "chart":
            raise ValueError(f"no job {job.kind!r}")
        params = job.params
        now = _now()

        voice = Voice(str(params.get("language", "vi")), "anh_chi")
        found = await read_long(self.readers, partial(_figures, params=params, voice=voice, now=now))
        page = int(params.get("page", 0)) or 1
        image = await self.charts.draw(found, page, voice)
        key = await self.keep_blob(image)
        await self.turns.run(partial(_keep_chart, job=job, key=key, size=len(image), now=now))
        signal = Signal("chart", {**params, "key": key, "as_of": found.as_of.isoformat()})
        able = WEB if job.account == WEB_ACCOUNT else FULL
        incoming = Incoming(job.account, f"job-{job.id}", job.address, signal, now, None, able)
        taken = await self.take(incoming)
        for told in taken.told:
            if told.message_id is not None:
                self._publish(job.address, HistoryLine(told.message_id, "out", told.body, now))

    async def _delete_blobs(self) -> None:
        await self._every(DELETE_TICK, None, self.delete_blobs)

    async def delete_blobs(self) -> int:
        """Delete from the store what has lost its last reference; how many. What the store cannot delete now is tried
        again later."""
        done = 0
        while await asyncio.to_thread(self._deletions_due):
            keys = await self.turns.run(partial(evidence.claim_deletions, now=_now()))
            if not keys:  # still referred to, or another process is at it
                break
            gone = await self._removed(keys)
            stuck = [key for key in keys if key not in gone]
            await self.turns.run(partial(deletions.settle, deleted=gone))
            done += len(gone)
            if stuck:
                log.warning("%d pictures cannot be deleted now", len(stuck))
                await self.turns.run(partial(deletions.put_off, keys=stuck, now=_now()))
            if not gone:
                break
        return done

    async def _removed(self, keys: list[str]) -> list[str]:
        """Which of these the store has deleted: all at once, else one by one, so that one that it cannot delete keeps
        none of the others."""
        try:
            with self._counting():
                await asyncio.to_thread(self.blobs.remove, keys)
            return keys
        except OSError as error:
            log.warning("pictures cannot be deleted together (%s)", error)
        gone, until = [], time.monotonic() + ONE_BY_ONE
        for key in keys:
            if time.monotonic() >= until:
                break
            try:
                await asyncio.to_thread(self.blobs.remove, [key])
            except OSError as error:
                log.warning("a picture cannot be deleted (%s): %s…", error, key[:12])
            else:
                gone.append(key)
        return gone

    def _deletions_due(self) -> bool:
        with reading(self.engine) as conn:
            first = deletions.waiting_since(conn)
        return first is not None and first <= _now()

    async def _fold(self) -> None:
        await self._every(FOLD_TICK, None, self.fold)

    async def fold(self) -> None:
        """Fold the ledger into the roll-up, a bounded piece at a time."""
        more = True
        while more:  # each piece is a turn of its own: citizens' turns come between
            more = await self.turns.run(partial(counters.fold, most=FOLD_LINES)) >= FOLD_LINES

    async def _tidy(self) -> None:
        await self._every(TIDY_TICK, None, self.tidy)

    async def tidy(self) -> None:
        """Forget what is over; sweep pictures that nothing refers to."""
        more = True
        while more:  # each piece is a turn of its own
            more = await self.turns.run(partial(tidy, keep=self.parts.keep, now=_now()))
        try:
            await self._sweep()
        except Exception:
            log.exception("the sweep failed; it is done again")
        if time.monotonic() >= self._retain_at:
            await self.retain()
            self._retain_at = time.monotonic() + RETAIN_TICK

    async def retain(self) -> int:
        """Take away what has been kept for its time (:mod:`storage.retention`); how much."""
        place = retention.Place()
        while not place.ended:  # each piece is a turn of its own
            place = await self.turns.run(partial(retention.step, keep=self.parts.keep, now=_now(), place=place))
        return place.done

    async def _sweep(self) -> None:
        """What a crash left in the store and no row knows of is handed to the deletions. A folder is looked through
        each time, a bucket, which charges for that, once a day."""
        folder = isinstance(self.parts.blobs, Path)
        if not folder and self._swept is not None and _now() - self._swept < SWEEP_BUCKET:
            return
        begun = _now()
        pages = self.blobs.old_keys(SWEEP_AGE)
        while (page := await asyncio.to_thread(next, pages, None)) is not None:
            kept = await asyncio.to_thread(self._read, partial(evidence.referenced, keys=page))
            orphans = [key for key in page if key not in kept]
            if orphans:
                await self.turns.run(partial(deletions.after, keys=orphans, now=_now()))
        self._swept = begun


def _now() -> datetime:
    return datetime.now(UTC)


def _broke(task: asyncio.Task[Any]) -> bool:
    """Did it end otherwise than by coming to its end?"""
    return task.done() and (task.cancelled() or task.exception() is not None)


def _awake(chat: conversations.Chat) -> bool:
    """Is an officer's session on the web still alive?"""
    idle = WEB.officer_idle_hours
    return idle is None or (_now() - chat.used_at).total_seconds() <= idle * 3600


# ------------------------------------------------------------------------------------------ jobs of the writer


def _take(conn: Connection, incoming: Incoming, rules: Rules) -> Taken:
    return take_turn(conn, incoming, rules)


def _rescue(conn: Connection, error: Exception, incoming: Incoming, rules: Rules) -> Taken:
    return rescue_turn(conn, incoming, rules, error)


def _timed(conn: Connection, clock: _Clock, job: Callable[[Connection], Taken | None]) -> Taken | None:
    clock.begun, clock.rescued = time.perf_counter(), False
    try:
        return job(conn)
    finally:
        clock.ended = time.perf_counter()


def _timed_rescue(
    conn: Connection, error: Exception, clock: _Clock, rescue: Callable[[Connection, Exception], Taken | None]
) -> Taken | None:
    clock.rescued = True
    try:
        return rescue(conn, error)
    finally:
        clock.ended = time.perf_counter()


def _take_waiting(conn: Connection, incoming: Incoming, update: int, rules: Rules) -> Taken | None:
    if not inbox.take(conn, update):
        return None
    inbox.done(conn, update)
    return take_turn(conn, incoming, rules)


def _rescue_waiting(conn: Connection, error: Exception, incoming: Incoming, update: int, rules: Rules) -> Taken | None:
    if not inbox.take(conn, update):
        return None
    inbox.done(conn, update)
    return rescue_turn(conn, incoming, rules, error)


def _settle(conn: Connection, rows: list[int]) -> None:
    for row in rows:
        outbox.settle(conn, row, "sent")


def _note_look(conn: Connection, look: Look, now: datetime) -> None:
    audit.picture_read(conn, look.officer_id, look.assessment_id, look.piece_id, look.unit_id, now)


def _settle_job(conn: Connection, job: JobRow, done: bool) -> None:
    jobs.settle(conn, job, done)


def _figures(conn: Connection, params: dict[str, Any], voice: Voice, now: datetime) -> Any:
    unit = units.by_id(conn, int(params["unit"]))
    if unit is None:
        raise ValueError("the unit of a chart is gone")
    with speaking(voice):
        return figures(conn, unit, int(params["year"]), now)


def _keep_chart(conn: Connection, job: JobRow, key: str, size: int, now: datetime) -> None:
    """The chart is the contact's to see, like an upload of its own."""
    if conversations.peek(conn, job.account, job.address) is not None:
        evidence.put_chart(conn, job.contact_id, key, size, now)
        deletions.release(conn, key)


def _keep_uploads(
    conn: Connection, account: str, address: str, pictures: tuple[Picture, ...], quota: Quota, now: datetime
) -> str:
    """The code of a refusal, or ``""``. The quota is asked again, under the chat's lock: others came beside these."""
    chat = conversations.open_chat(conn, account, address)
    keys = [key for each in pictures for key in (each.key, each.thumbnail) if key]
    _release(conn, keys)
    refused = ""
    if chat is None or chat.person is None:
        refused = "not_yet"
    elif evidence.bytes_of_day(conn, chat.contact_id, now) >= quota.bytes_per_day:
        refused = "day_full"
    else:
        for each in pictures:
            evidence.put_upload(conn, chat.contact_id, each, now)
    if refused:
        deletions.after(conn, keys, now)
    return refused


def _release(conn: Connection, keys: list[str]) -> None:
    for key in keys:
        deletions.release(conn, key)


def _leave(conn: Connection, account: str, address: str) -> None:
    """ "Không phải tôi": the browser forgets its cookie, so nothing is sent to that address any more. Where nobody has
    joined, nothing is kept of the visit either: a name half given stands in the conversation's state."""
    chat = conversations.open_chat(conn, account, address)
    if chat is not None:
        officers.sign_out(conn, chat.contact_id, _now())
        if not erasure.joined(conn, chat.contact_id):
            erasure.forget_contact(conn, chat.contact_id, _now())
            return
        conversations.speak_as(conn, chat.contact_id, None)
        conversations.erase_history(conn, chat.contact_id)
        people.leave(conn, chat.contact_id)


def _deliver_web(conn: Connection, now: datetime) -> list[tuple[str, HistoryLine]]:
    """Put due notices into the history of their contacts: on the web that is delivery."""
    delivered = []
    # A farewell went with its answer; it is only kept for the repeat of that act.
    for row in outbox.due(conn, WEB_ACCOUNT, now, farewells=False):
        assert row.contact_id is not None
        there = conversations.peek(conn, row.account, row.address) is not None
        outcome = ("sent", None) if there else ("failed", "the contact has gone")
        if not outbox.settle(conn, row.id, *outcome):  # another process was quicker
            continue
        if there and row.message_id is None:
            line = conversations.keep_message(conn, row.contact_id, "out", row.body, now)
            outbox.stands_as(conn, row.id, line)
            delivered.append((row.address, HistoryLine(line, "out", row.body, now)))
    return delivered
