"""Answering on Telegram: one lane for each chat, through which everything goes to it, whichever library sends.

The rows of the outbox are the truth. A committed answer is handed to its lane in memory; what became of it is written
back in batches a moment later. So a crash repeats at most the last message of a chat, and a restart goes on with
:meth:`Lanes.recover`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from html import escape
from typing import Any, TypeVar

from aiogram import Bot

from bot import logs
from bot.channels.telegram_budget import Budget
from bot.channels.telegram_calls import CallFailed, call
from bot.channels.telegram_view import Bubble, Button, Look, look, menu
from dialogs.model import Screen, decode_screen
from dialogs.states import Rules
from dialogs.turn import Taken
from locales import Voice, _, speaking
from storage import events, outbox, reach, sent_files, shown
from storage.base import Connection
from storage.engine import TransientFailure
from storage.evidence import Picture
from storage.outbox import Waiting
from storage.shared import Locks
from storage.shown import Shown

log = logging.getLogger(__name__)
T = TypeVar("T")
Outcome = tuple[int, str, str | None, int | None]  # row of the outbox, outcome, reason, message

LANES_KEPT = (
    2_000  # of chats; beyond that those are let go that were not used for a while: the table knows what they show
)
A_WHILE = 600.0  # seconds
NOTES_KEPT = 4  # lines said by screens that a newer one has overtaken
WRITE_BACK = 0.02  # seconds in which outcomes gather
UNSEEN_WITHIN = 1.0  # seconds that a typed answer waits to learn whether the screen before it was delivered
SLOWEST_RETRY = 30.0  # seconds between tries while Telegram cannot be reached
DEFAULT_MENU = "citizen:vi"
CHAT_TICK = 0.05  # seconds between tries to have a chat that another process sends to
HELD_AT_ONCE = 200  # chats of this process at most: each is a lock in the database's memory
OTHERS_TIME = timedelta(seconds=5)  # in which an answer that waits is surely another process's to send
STAYS = "stays"  # an inline keyboard under what is shown once (a resume code): the message is not to be edited away


@dataclass(frozen=True, slots=True)
class Backend:
    """What the channel asks of the running bot: a turn; a job of the writer and a read (both may raise
    ``TransientFailure``); a stored picture's bytes; to take in a contact's file (raises ``PictureRefused``,
    ``StoreFull``, ``StoreAway``); the operator's rules. Where several processes share the database (``shared``): a turn
    for an update that waits in the inbox (its row), ``None`` when another worker takes it."""

    take: Callable[[Any], Awaitable[Taken]]
    run: Callable[[Callable[[Connection], Any]], Awaitable[Any]]
    read: Callable[[Callable[[Connection], Any]], Awaitable[Any]]
    picture: Callable[[str], Awaitable[bytes | None]]
    take_in: Callable[[int, bytes], Awaitable[tuple[Picture, ...]]]
    rules: Rules
    take_waiting: Callable[[Any, int], Awaitable[Taken | None]]
    shared: Shared | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """What processes on one database share: ``locks`` (a chat's messages are sent by one process at a time), ``say`` a
    word to the others, ``seal`` and ``unseal`` what waits in the inbox."""

    locks: Locks
    say: Callable[[str], None]
    seal: Callable[[str], str]
    unseal: Callable[[str], str]


@dataclass(slots=True, eq=False)
class Row:
    """An answer on its way: its row of the outbox, the screen as JSON, and how far its sending has come.

    ``again``: it waited in the table at a restart, so it may have been sent before. ``passing``: a newer screen
    may take
    its place; not so a document, a farewell or a code that is shown only once.
    """

    id: int
    body: str
    officer: bool | None = None
    again: bool = False
    cleared: bool = False
    album: tuple[int, ...] | None = None
    sent: list[int] = field(default_factory=list)
    event: logs.Event | None = field(default_factory=logs.current)
    screen: Screen = field(init=False)
    passing: bool = field(init=False)

    def __post_init__(self) -> None:
        screen = self.screen = decode_screen(self.body)
        once = bool(screen.note) and events.masked_codes(screen.note) != screen.note
        if self.again and f"-{events.MASK}" in screen.note:  # a code; an id number is shaded for good
            with speaking(Voice(screen.language, "ban")):
                self.screen = replace(screen, note=f"{screen.note}\n{_('telegram.code_lost')}")
        self.passing = screen.number > 0 and not screen.documents and not once

    def says_too(self, note: str) -> None:
        """What an overtaken screen had to say (a refusal, an error id) is said with this one; of lines that differ in a
        number only ("1 ảnh", "2 ảnh") the last."""
        lines = {re.sub(r"\d+", "#", line): line for line in (*note.splitlines(), *self.screen.note.splitlines())}
        self.screen = replace(self.screen, note="\n".join([*lines.values()][-NOTES_KEPT:]))

    @property
    def begun(self) -> bool:
        """Is a part of it on the phone already?"""
        return bool(self.sent or self.album)


@dataclass(slots=True)
class Lane:
    """One chat. ``order`` keeps its turns one after the other, ``sending`` its messages. ``holders``: how much in this
    process needs the chat to itself (:meth:`Lanes.holding`), ``pressed``: number and message of the screen that a press
    told of meanwhile."""

    address: str
    order: asyncio.Lock = field(default_factory=asyncio.Lock)
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    rows: deque[Row] = field(default_factory=deque)
    empty: asyncio.Event = field(default_factory=asyncio.Event)
    shown: Shown | None = None
    seen: int = 0  # the newest message of the person
    first_number: int = 0  # the screen that stands, and the message that showed it first: it may be shown anew below
    first_id: int = 0
    doubtful: int = 0  # number of a screen that may have been delivered without our being told
    used_at: float = 0.0  # time.monotonic()
    work: asyncio.Task[None] | None = None
    gate: asyncio.Lock = field(default_factory=asyncio.Lock)
    holders: int = 0
    pressed: tuple[int, int] = (0, 0)
    chat: int = field(init=False)  # where it is now: a chat can move

    def __post_init__(self) -> None:
        self.chat = int(self.address) if self.address.lstrip("-").isdigit() else 0


class Lanes:
    """The lanes of one bot. *account*: the channel account (``telegram:quangninh``)."""

    def __init__(self, account: str, bot: Bot, budget: Budget, backend: Backend) -> None:
        self.account, self.bot, self.budget, self.backend = account, bot, budget, backend
        self._lanes: dict[str, Lane] = {}
        self._looked = 0.0
        self._outcomes: list[Outcome] = []
        self._kept: dict[str, Shown] = {}
        self._writing: set[int] = set()
        self._dirty = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._held: Any = asyncio.Semaphore(HELD_AT_ONCE) if backend.shared is not None else nullcontext()
        self._written: asyncio.Future[None] | None = None
        self._stopping = False
        self.tally: Counter[tuple[str, str]] = Counter()  # what became of answers and pushes, for the metrics

    def lane(self, address: str) -> Lane:
        """The lane of a chat."""
        found, now = self._lanes.get(address), time.monotonic()
        if found is None:
            if len(self._lanes) > LANES_KEPT and now - self._looked > A_WHILE / 10:
                self._looked = now
                self._lanes = {each: lane for each, lane in self._lanes.items() if _in_use(lane, now)}
            found = self._lanes[address] = Lane(address)
            found.empty.set()
        found.used_at = now
        return found

    def lengths(self) -> tuple[int, int]:
        """How many lanes there are, and how many answers wait in them."""
        return len(self._lanes), sum(len(lane.rows) for lane in self._lanes.values())

    # -------------------------------------------------------------------------------- what is known of a chat

    async def shown(self, lane: Lane) -> Shown:
        """What the chat last showed."""
        if self.backend.shared is not None and not lane.holders:  # another process may be showing something
            return self._kept.get(lane.address) or await self._read_shown(lane)
        if lane.shown is None:
            found = self._kept.get(lane.address) or await self._read_shown(lane)
            lane.shown = lane.shown or found
        return lane.shown

    async def _read_shown(self, lane: Lane) -> Shown:
        found = await self.backend.read(partial(shown.of, account=self.account, address=lane.address))
        return found or Shown()

    async def pressed(self, lane: Lane, message_id: int, number: int) -> None:
        """A button of that message was pressed: so it is there, and shows that screen."""
        if self.backend.shared is not None and not lane.holders:
            lane.pressed = max(lane.pressed, (number, message_id))
            return
        known = await self.shown(lane)
        if (number, message_id) > (known.number, known.message_id):
            lane.shown = replace(
                known, number=number, message_id=message_id, last_id=max(known.last_id, message_id), keyboard="inline"
            )

    # -------------------------------------------------------------------------------- one process a chat

    @asynccontextmanager
    async def holding(self, lane: Lane, *, patient: bool = True) -> AsyncIterator[bool]:
        """The chat is this process's meanwhile, and what it shows is known; ``False`` (unless *patient*) when another
        process has it. Where there is one process only, that is always so."""
        shared = self.backend.shared
        if shared is None:
            yield True
            return
        name = f"chat:{self.account}:{lane.address}"
        if not patient and lane.gate.locked():
            yield False
            return
        async with lane.gate:
            wait = CHAT_TICK
            while not lane.holders and not await shared.locks.take(name):
                if not patient:
                    yield False
                    return
                await asyncio.sleep(wait)
                wait = min(1.0, wait * 1.5)
            if not lane.holders:
                lane.shown = None  # it may have shown something else since
            lane.holders += 1
        try:
            await self.pressed(lane, lane.pressed[1], lane.pressed[0])
            lane.pressed = (0, 0)
            yield True
        finally:
            async with lane.gate:
                if lane.holders == 1:
                    await self._write_down(lane)
                    lane.shown = None
                lane.holders -= 1
                if not lane.holders:
                    await shared.locks.free(name)

    async def _keep_hold(self, lane: Lane) -> None:
        """The chat may have been lost with the session of the locks: it is to be had anew, and looked at anew."""
        shared, name = self.backend.shared, f"chat:{self.account}:{lane.address}"
        if shared is None or shared.locks.has(name):
            return
        wait = CHAT_TICK
        while not shared.locks.has(name) and not await shared.locks.take(name):
            await asyncio.sleep(wait)
            wait = min(1.0, wait * 1.5)
        lane.shown = None
        for row in lane.rows:
            row.again = True

    async def _write_down(self, lane: Lane) -> None:
        """What the chat shows is in the table: the next to hold it reads it there."""
        while True:
            await asyncio.sleep(WRITE_BACK)  # what else gathers goes along
            await self.flush()
            if lane.address not in self._kept:
                return

    async def too_early(self, lane: Lane, message_id: int, *, wait: bool = True) -> bool:
        """Was this typed before the screen that it would answer was there to be read?

        Message numbers of a chat grow, so a message below the screen's was. What nobody can know counts as read. With
        *wait* a screen on its way gets a second to arrive first.
        """
        if lane.rows and wait and not self.budget.paused:
            try:
                async with asyncio.timeout(UNSEEN_WITHIN):
                    await lane.empty.wait()
            except TimeoutError:
                pass
        if self.backend.shared is not None and not lane.rows and await self._sent_elsewhere(lane):
            return True
        known = await self.shown(lane)
        if lane.rows:
            newest = lane.rows[-1]
            if newest.again or newest.screen.number == lane.doubtful:
                return False
            if newest.sent:  # it is there; only what an earlier screen left is still being cleared away
                return message_id < newest.sent[-1]
            if newest.screen.number != known.number:
                return True
        first = lane.first_id if lane.first_number == known.number else known.message_id
        return message_id < first and known.number != lane.doubtful

    async def _sent_elsewhere(self, lane: Lane) -> bool:
        """Is another process still about to send an answer to this chat, for longer than one waits for it?"""
        # Of one put out longer ago whoever was to send it may have died; what nobody can know counts as delivered.
        since = datetime.now(UTC) - OTHERS_TIME
        waits = partial(outbox.has_fresh_answer, account=self.account, address=lane.address, since=since)
        until = time.monotonic() + UNSEEN_WITHIN
        while await self.backend.read(waits):
            if time.monotonic() > until or self.budget.paused:
                return True
            await asyncio.sleep(CHAT_TICK)
        return False

    # -------------------------------------------------------------------------------- what is to be sent

    def put(self, address: str, taken: Taken) -> None:
        """Hand over the messages of a committed turn."""
        lane = self.lane(address)
        lane.rows.extend(Row(told.outbox_id, told.body, taken.officer) for told in taken.told)
        self._begin(lane)

    def recover(self, waiting: Iterable[Waiting]) -> None:
        """Go on with answers that wait in the table: after a restart, or put there by another process."""
        for row in waiting:
            lane = self.lane(row.address)
            if all(each.id != row.id for each in lane.rows):
                try:
                    lane.rows.append(Row(row.id, row.body, again=True))
                except (ValueError, LookupError, TypeError):
                    log.error("%s: an answer that waits cannot be read", self.account)
                    self.settle(row.id, "failed", "unreadable")
                    continue
                lane.rows = deque(sorted(lane.rows, key=lambda each: each.id))
            self._begin(lane)

    def _begin(self, lane: Lane) -> None:
        if lane.rows:
            lane.empty.clear()
            if lane.work is None or lane.work.done():
                lane.work = asyncio.create_task(self._work(lane), name="telegram lane")
                lane.work.add_done_callback(partial(self._ended, lane))

    def _ended(self, lane: Lane, work: asyncio.Task[None]) -> None:
        """A row may have come while the chat was being let go; or the work broke off, and is begun anew."""
        if work.cancelled() or self._stopping:
            return
        error = work.exception()
        if error is None:
            self._begin(lane)
            return
        if not isinstance(error, TransientFailure):
            log.error("%s: a lane broke off: %s", self.account, events.traced(error))
        asyncio.get_running_loop().call_later(1.0, self._begin, lane)

    async def _work(self, lane: Lane) -> None:
        """Send what waits in a lane, one after the other; nothing is dropped silently."""
        try:
            with logs.again(None):  # the task began with one event, and goes on with others
                async with self._held, self.holding(lane):
                    await self._send_rows(lane)
        finally:
            if not lane.rows:
                lane.empty.set()

    async def _send_rows(self, lane: Lane) -> None:
        tries = 0
        while lane.rows and not self._stopping:
            await self._keep_hold(lane)
            first = lane.rows[0]
            if first.again and not first.begun and not await self._still_waits(first):
                lane.rows.remove(first)  # before it costs a place in the budget
                continue
            await self.budget.take(lane.address)
            async with lane.sending:
                row = self._next(lane)
                with logs.again(row.event):
                    trouble = await self._try(lane, row)
            if trouble is None:
                tries = 0
                if row in lane.rows:
                    lane.rows.remove(row)
                if not row.passing:  # a second of its kind must not be on its way before this one is written down
                    await self.written()
            elif trouble < 0:
                lane.rows.clear()
            else:
                tries += 1
                await asyncio.sleep(min(SLOWEST_RETRY, max(trouble, 0.25 * 2 ** min(tries, 7))))

    def _next(self, lane: Lane) -> Row:
        """The row to send now: of screens that nobody has seen yet only the newest."""
        while len(lane.rows) > 1 and lane.rows[0].passing and not lane.rows[0].begun and lane.rows[1].screen.number > 0:
            overtaken = lane.rows.popleft()
            self.settle(overtaken.id, "cancelled", "newer")
            lane.rows[0].says_too(overtaken.screen.note)
        return lane.rows[0]

    async def _try(self, lane: Lane, row: Row) -> float | None:
        """Send a row: ``None`` when it is done with, seconds to wait before the next try, -1 when the chat is gone."""
        try:
            # Where others share the database, one of them may have sent it, or a younger one, meanwhile.
            doubted = row.again or self.backend.shared is not None
            if doubted and not await self._still_waits(row):
                return None
            if doubted and await self._overtaken(lane, row):
                self.settle(row.id, "cancelled", "newer")
                return None
            await self._show(lane, row)
            return None
        except TransientFailure:
            return 1.0
        except CallFailed as failed:
            return await self._failed(lane, row, failed)
        except Exception as error:  # noqa: BLE001 - logged without its words, which may be people's
            log.error("%s: an answer cannot be shown: %s", self.account, events.traced(error))
            self.settle(row.id, "failed", type(error).__name__)
            return None

    async def _still_waits(self, row: Row) -> bool:
        """A row that was read from the table a while ago may have been sent and written down since."""
        if row.id in self._writing or any(row.id == each for each, *_how in self._outcomes):
            return False
        return bool(await self.backend.read(partial(outbox.waits, row_id=row.id)))

    async def _overtaken(self, lane: Lane, row: Row) -> bool:
        """Has a younger screen been shown already? An old one below it would take its buttons away."""
        return row.passing and not row.begun and row.id < (await self.shown(lane)).outbox_id

    async def _failed(self, lane: Lane, row: Row, failed: CallFailed) -> float | None:
        if failed.kind in ("wait", "again", "token", "moved"):
            self.tally["answer", "again"] += 1
        match failed.kind:
            case "wait":
                log.warning("%s: Telegram asks for silence, %.0f s", self.account, failed.seconds)
                self.budget.pause(failed.seconds)
                return 0.0
            case "again":
                log.warning("%s: an answer did not go out (%s); it is tried again", self.account, failed.reason)
                lane.doubtful = row.screen.number  # or it did, and we were not told
                return 0.5
            case "token":
                log.error("%s: the token is refused; see hoctap doctor", self.account)
                self.budget.pause(60)
                return 1.0
            case "moved":
                lane.chat = failed.chat
                return 0.0
            case "gone":
                try:
                    await self.lost(lane.address, failed.reason)
                except TransientFailure:
                    return 1.0
                self.settle(row.id, "failed", failed.reason)
                return -1.0
        log.warning("%s: an answer was refused: %s", self.account, failed.reason)
        self.settle(row.id, "failed", failed.reason)
        return None

    async def lost(self, address: str, reason: str) -> None:
        """The chat cannot be written to any more."""
        await self.backend.run(
            partial(reach.lost, account=self.account, address=address, reason=reason, now=datetime.now(UTC))
        )

    # -------------------------------------------------------------------------------- one screen

    async def _show(self, lane: Lane, row: Row) -> None:
        screen, looked = row.screen, look(row.screen)
        before = await self.shown(lane)
        if row.id < before.outbox_id and not row.begun:  # a document, a code: it comes after all, and changes no screen
            await self._send_all(lane, row, looked, before)
            self.settle(row.id, "sent", None, row.sent[-1])
            self.beneath(lane, row.sent[-1])
            return
        if not (row.sent or row.album) and _in_place(before, lane, row, looked):
            edited = await self._edit(lane, before.message_id, looked.bubbles[0])
            if edited:
                left = await self._remove(lane, before.beside)
                keyboard = before.keyboard if row.passing else STAYS
                self._now_shown(lane, row, before, before.message_id, left, keyboard)
                await self._set_menu(lane, row)
                return
        await self._send_all(lane, row, looked, before)
        old = before.message_id
        gone = tuple(each for each in before.beside if each not in (row.album or ()))
        if old and before.protected:
            gone = (*gone, old)
        elif old and before.keyboard in ("inline", STAYS):
            await self._without_keyboard(lane, old)
        left = await self._remove(lane, gone)
        beside = (*(row.album or ()), *(row.sent[:-1] if looked.protected else ()), *left)
        keyboard = "reply" if looked.bubbles[-1].reply else "inline" if looked.bubbles[-1].keyboard else ""
        if keyboard == "inline" and not row.passing:
            keyboard = STAYS
        self._now_shown(lane, row, before, row.sent[-1], beside, keyboard)
        if row.again:
            lane.doubtful = screen.number
        await self._set_menu(lane, row)

    async def _send_all(self, lane: Lane, row: Row, looked: Look, before: Shown) -> None:
        """New messages; each once, however often the row is tried."""
        if before.keyboard == "reply" and not row.cleared:
            await self._clear_keyboard(lane, row.screen)
            row.cleared = True
        if looked.album and row.album is None:
            row.album = await self._send_album(lane, looked)
            known = await self.shown(lane)  # at once: whatever happens next, these pictures are to be taken away again
            lane.shown = self._kept[lane.address] = replace(known, beside=(*known.beside, *row.album))
            self._dirty.set()
        for bubble in looked.bubbles[len(row.sent) :]:
            if row.sent:
                await self.budget.take(lane.address)
            row.sent.append(await self._send(lane, bubble, looked.protected))

    def _now_shown(
        self, lane: Lane, row: Row, before: Shown, message_id: int, beside: tuple[int, ...], keyboard: str
    ) -> None:
        if lane.first_number != row.screen.number:
            lane.first_number, lane.first_id = row.screen.number, message_id
        lane.shown = self._kept[lane.address] = replace(
            before,
            number=row.screen.number,
            message_id=message_id,
            last_id=max(message_id, before.last_id),
            beside=beside,
            keyboard=keyboard,
            protected=row.screen.protected,
            outbox_id=row.id,
        )
        self.settle(row.id, "sent", None, message_id)

    async def _edit(self, lane: Lane, message_id: int, bubble: Bubble) -> bool:
        """Change a message in place; ``False`` when it is not there (any more)."""
        fields = {"chat_id": lane.chat, "message_id": message_id, "reply_markup": keyboard_of(bubble)}
        try:
            await self._with_text(fields, "text", bubble, "editMessageText", {})
        except CallFailed as failed:
            if failed.kind == "no_message":
                return False
            if failed.kind != "same":
                raise
        return True

    async def _send(self, lane: Lane, bubble: Bubble, protected: bool) -> int:
        fields: dict[str, Any] = {"chat_id": lane.chat}
        if protected:
            fields["protect_content"] = True
        if bubble.keyboard:
            fields["reply_markup"] = keyboard_of(bubble)
        if bubble.photo:
            return await self._send_photo(fields, bubble)
        if bubble.document is not None:
            files = {"file0": bubble.document.content.encode()}
            fields["document"] = "attach://file0"
            sent = await call(self.bot, "sendDocument", fields, files, names={"file0": bubble.document.name})
        else:
            fields["link_preview_options"] = {"is_disabled": True}
            sent = await self._with_text(fields, "text", bubble, "sendMessage", {})
        return int(sent["message_id"])

    async def _with_text(
        self, fields: dict[str, Any], name: str, bubble: Bubble, method: str, files: dict[str, bytes]
    ) -> Any:
        """A call with a formatted text, or a plain one where Telegram refuses the format."""
        try:
            return await call(self.bot, method, {**fields, name: bubble.html, "parse_mode": "HTML"}, files)
        except CallFailed as failed:
            if failed.kind != "markup":
                raise
            log.error("%s: Telegram refused our markup; sent plain", self.account)
            return await call(self.bot, method, {**fields, name: bubble.plain}, files)

    async def _send_photo(self, fields: dict[str, Any], bubble: Bubble) -> int:
        sent = await self.with_picture(bubble.photo, lambda photo, files: self._with_text(
            {**fields, "photo": photo}, "caption", bubble, "sendPhoto", files
        ))  # fmt: skip
        if sent is None:
            sent = await self._with_text(fields, "text", bubble, "sendMessage", {})
        elif sent.get("photo"):
            await self.uploaded(bubble.photo, sent["photo"][-1]["file_id"])
        return int(sent["message_id"])

    async def with_picture(self, key: str, send: Callable[[str, dict[str, bytes]], Awaitable[T]]) -> T | None:
        """Send a stored picture: by the id that Telegram gave it before, else uploaded; ``None`` when it is gone."""
        reference = await self.backend.read(partial(sent_files.reference, account=self.account, key=key))
        if reference is not None:
            try:
                return await send(reference, {})
            except CallFailed as failed:
                if failed.kind != "no_file":
                    raise
                await self.backend.run(partial(sent_files.drop, account=self.account, key=key))
        data = await self.backend.picture(key)
        return None if data is None else await send("attach://picture", {"picture": data})

    async def uploaded(self, key: str, reference: str) -> None:
        """Remember the id under which Telegram keeps a picture for this bot. It is sent already: if the database cannot
        take the id now, the picture is uploaded once more another time."""
        try:
            await self.backend.run(
                partial(sent_files.keep, account=self.account, key=key, reference=reference, now=datetime.now(UTC))
            )
        except TransientFailure:
            log.warning("%s: the id of an upload could not be kept", self.account)

    async def _send_album(self, lane: Lane, looked: Look) -> tuple[int, ...]:
        """Pictures in one album (a single one by itself); those that are gone are left out."""
        media: list[dict[str, Any]] = []
        files: dict[str, bytes] = {}
        keys = []
        for n, picture in enumerate(looked.album):
            reference = await self.backend.read(partial(sent_files.reference, account=self.account, key=picture.key))
            if reference is None:
                data = await self.backend.picture(picture.key)
                if data is None:
                    continue
                reference, files[f"picture{n}"] = f"attach://picture{n}", data
            caption = escape(picture.caption[:900], quote=False)
            media.append({"type": "photo", "media": reference, "caption": caption, "parse_mode": "HTML"})
            keys.append(picture.key)
        if not media:
            return ()
        fields: dict[str, Any] = {"chat_id": lane.chat, "protect_content": looked.protected}
        try:
            if len(media) == 1:
                single = {"photo": media[0]["media"], "caption": media[0]["caption"], "parse_mode": "HTML"}
                sent = [await call(self.bot, "sendPhoto", {**fields, **single}, files)]
            else:
                sent = await call(self.bot, "sendMediaGroup", {**fields, "media": media}, files)
        except CallFailed as failed:
            if failed.kind == "refused" and looked.album:
                return await self._send_singly(lane, fields, media, files)
            if failed.kind != "no_file":
                raise
            for key in keys:
                await self.backend.run(partial(sent_files.drop, account=self.account, key=key))
            return await self._send_album(lane, looked)
        for key, each, said in zip(keys, sent, media, strict=True):
            if said["media"].startswith("attach://") and each.get("photo"):
                await self.uploaded(key, each["photo"][-1]["file_id"])
        return tuple(int(each["message_id"]) for each in sent)

    async def _send_singly(
        self, lane: Lane, fields: dict[str, Any], media: list[dict[str, Any]], files: dict[str, bytes]
    ) -> tuple[int, ...]:
        """One picture of an album is not to Telegram's liking (a long scroll capture): each by itself, that one as a
        file."""
        sent = []
        for each in media:
            name = each["media"].removeprefix("attach://")
            own = {name: files[name]} if name in files else {}
            text = {"caption": each["caption"], "parse_mode": "HTML"}
            for method, kind in (("sendPhoto", "photo"), ("sendDocument", "document")):
                try:
                    said = await call(self.bot, method, {**fields, kind: each["media"], **text}, own)
                except CallFailed as failed:
                    if failed.kind not in ("refused", "no_file"):
                        raise
                    log.warning("%s: a picture was refused: %s", self.account, failed.reason)
                else:
                    sent.append(int(said["message_id"]))
                    break
        return tuple(sent)

    # -------------------------------------------------------------------------------- what an earlier screen leaves

    async def _without_keyboard(self, lane: Lane, message_id: int) -> None:
        """Take an old message's buttons away. Best effort: a press there is told to be stale all the same."""
        try:
            await call(self.bot, "editMessageReplyMarkup", {"chat_id": lane.chat, "message_id": message_id})
        except CallFailed as failed:
            self._best_effort(failed)

    async def _remove(self, lane: Lane, message_ids: tuple[int, ...]) -> tuple[int, ...]:
        """Delete messages; those that could not be reached now and are to be tried with the next screen."""
        if not message_ids:
            return ()
        try:
            await call(
                self.bot, "deleteMessages", {"chat_id": lane.chat, "message_ids": list(dict.fromkeys(message_ids))}
            )
        except CallFailed as failed:
            return message_ids if self._best_effort(failed) in ("again", "wait") else ()
        return ()

    async def _clear_keyboard(self, lane: Lane, screen: Screen) -> None:
        """A keyboard in the place of the phone's own goes only with a message."""
        with speaking(Voice(screen.language, "ban")):
            text = _("telegram.noted")
        fields = {"chat_id": lane.chat, "text": text, "reply_markup": {"remove_keyboard": True}}
        await call(self.bot, "sendMessage", fields)

    async def _set_menu(self, lane: Lane, row: Row) -> None:
        """The commands that fit who speaks here, in their language."""
        known = await self.shown(lane)
        if row.officer is None or row.screen.number == 0:
            return
        wanted = f"{'officer' if row.officer else 'citizen'}:{row.screen.language}"
        if wanted == (known.menu or DEFAULT_MENU):
            return
        scope = {"type": "chat", "chat_id": lane.chat}
        try:
            if wanted == DEFAULT_MENU:
                await call(self.bot, "deleteMyCommands", {"scope": scope})
            else:
                listed = commands_of(row.officer, row.screen.language)
                await call(self.bot, "setMyCommands", {"commands": listed, "scope": scope})
        except CallFailed as failed:
            self._best_effort(failed)
            return
        lane.shown = self._kept[lane.address] = replace(known, menu=wanted)
        self._dirty.set()

    def _best_effort(self, failed: CallFailed) -> str:
        if failed.kind == "wait":
            self.budget.pause(failed.seconds)
        if failed.kind not in ("no_message", "same", "late", "gone"):
            log.info("%s: a call by the way failed: %s", self.account, failed.reason)
        return failed.kind

    async def turn_page(self, lane: Lane, number: int, page: int) -> bool:
        """Show another page of a screen's choices; ``False`` when that screen is not on the phone any more."""
        known = await self.shown(lane)
        if known.number != number or not known.outbox_id:
            return False
        body = await self.backend.read(partial(outbox.body, row_id=known.outbox_id))
        if not body:
            return False
        fields = {
            "chat_id": lane.chat,
            "message_id": known.message_id,
            "reply_markup": keyboard_of(look(decode_screen(body), page).bubbles[-1]),
        }
        await self.budget.take(lane.address)
        try:
            await call(self.bot, "editMessageReplyMarkup", fields)
        except CallFailed as failed:
            return self._best_effort(failed) == "same"
        return True

    def beneath(self, lane: Lane, message_id: int) -> None:
        """Another message now stands below the screen (a notice): the screen can no longer be changed in place."""
        if lane.shown is not None and message_id > lane.shown.last_id:
            lane.shown = self._kept[lane.address] = replace(lane.shown, last_id=message_id)
            self._dirty.set()

    # -------------------------------------------------------------------------------- writing back

    def settle(
        self, row_id: int, outcome: str, reason: str | None = None, message_id: int | None = None, *, push: bool = False
    ) -> None:
        """How a row fared; written with the next batch."""
        self.tally["push" if push else "answer", outcome] += 1
        self._outcomes.append((row_id, outcome, reason, message_id))
        self._dirty.set()

    async def written(self) -> None:
        """Wait until everything settled so far is in the table."""
        if not self._outcomes:
            return
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._written)

    async def write_back(self) -> None:
        """Write outcomes back, for ever."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(WRITE_BACK)
            await self.flush()

    async def flush(self) -> None:
        """Write back what has been settled."""
        async with self._flushing:
            await self._flush()

    async def _flush(self) -> None:
        self._dirty.clear()
        outcomes, kept, told = self._outcomes, self._kept, self._written
        self._outcomes, self._kept, self._written = [], {}, None
        self._writing = {row_id for row_id, *_how in outcomes}
        try:
            await self._write(outcomes, kept)
        except TransientFailure:
            log.warning("%s: what was sent could not be written down yet", self.account)
            self._outcomes = outcomes + self._outcomes
            self._kept = {**kept, **self._kept}
            if told is not None:
                if self._written is None:
                    self._written = told
                else:
                    self._written.add_done_callback(lambda _done: told.done() or told.set_result(None))
            self._dirty.set()
            await asyncio.sleep(1)
            return
        finally:
            self._writing = set()
        if told is not None and not told.done():
            told.set_result(None)

    async def _write(self, outcomes: list[Outcome], kept: dict[str, Shown]) -> None:
        """All at once; should that be impossible, one by one, so that nothing holds up the rest."""
        try:
            await self.backend.run(partial(_write_back, account=self.account, outcomes=outcomes, kept=kept))
        except TransientFailure:
            raise
        except Exception as error:  # noqa: BLE001 - logged without its words
            log.error("%s: a batch of outcomes is written singly: %s", self.account, events.traced(error))
        else:
            return
        pieces: list[tuple[list[Outcome], dict[str, Shown]]] = [([each], {}) for each in outcomes]
        pieces.extend(([], {address: each}) for address, each in kept.items())
        for some, shows in pieces:
            try:
                await self.backend.run(partial(_write_back, account=self.account, outcomes=some, kept=shows))
            except TransientFailure:
                raise
            except Exception as error:  # noqa: BLE001 - logged without its words
                log.error("%s: an outcome cannot be written: %s", self.account, events.traced(error))

    async def stop(self, seconds: float) -> None:
        """Send what waits, for at most so long; the rest stays in the table."""
        working = [lane.work for lane in self._lanes.values() if lane.work is not None and not lane.work.done()]
        if working:
            await asyncio.wait(working, timeout=seconds)
        self._stopping = True
        for work in working:
            work.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await self.flush()


def _in_use(lane: Lane, now: float) -> bool:
    return bool(lane.rows) or now - lane.used_at < A_WHILE


def _in_place(before: Shown, lane: Lane, row: Row, looked: Look) -> bool:
    """May the screen be changed in place? Only as the chat's last message, text for text, under the same protection."""
    bubble = looked.bubbles[0]
    return (
        before.message_id > 0
        and before.message_id >= max(before.last_id, lane.seen)
        and not row.again
        and row.screen.number > 0
        and before.keyboard == "inline"
        and before.protected == row.screen.protected
        and len(looked.bubbles) == 1
        and not looked.album
        and not bubble.photo
        and bubble.document is None
        and not bubble.reply
        and bool(bubble.keyboard)
    )


def keyboard_of(bubble: Bubble) -> dict[str, Any]:
    """A bubble's buttons as the Bot API wants them."""
    if bubble.reply:
        return {
            "keyboard": [[_reply_button(each) for each in line] for line in bubble.keyboard],
            "resize_keyboard": True,
            "one_time_keyboard": True,
        }
    return {
        "inline_keyboard": [
            [
                {"text": each.text, "callback_data": each.data, **({"style": each.style} if each.style else {})}
                for each in line
            ]
            for line in bubble.keyboard
        ]
    }


def _reply_button(button: Button) -> dict[str, Any]:
    return {"text": button.text, "request_contact": True} if button.contact else {"text": button.text}


def commands_of(officer: bool, language: str) -> list[dict[str, str]]:
    """The menu of commands as the Bot API wants it."""
    return [{"command": name, "description": text} for name, text in menu(officer, language)]


def _write_back(
    conn: Connection,
    account: str,
    outcomes: list[Outcome],
    kept: dict[str, Shown],
) -> None:
    for row_id, outcome, reason, message_id in outcomes:
        outbox.settle(conn, row_id, outcome, reason, message_id)
    for address, each in kept.items():
        shown.keep(conn, account, address, each)
