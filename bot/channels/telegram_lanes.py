"""Answering on Telegram: one lane for each chat, through which everything goes to it, whichever library sends.

The rows of the outbox are the truth. A committed answer is handed to its lane in memory; what became of it is written
back in batches a moment later. So a crash repeats at most the last message of a chat, and a restart goes on with
:meth:`Lanes.recover`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from aiogram import Bot

from bot import logs
from bot.channels.telegram_backend import Backend
from bot.channels.telegram_budget import Budget
from bot.channels.telegram_calls import CallFailed
from bot.channels.telegram_lane import Lane, Row
from bot.channels.telegram_messages import DEFAULT_MENU, Messages
from bot.channels.telegram_outcomes import Outcomes
from bot.channels.telegram_view import Look, look
from dialogs.model import decode_screen
from dialogs.turn import Taken
from storage import events, outbox, reach, shown
from storage.engine import TransientFailure
from storage.outbox import Waiting
from storage.shown import Shown

log = logging.getLogger(__name__)

LANES_KEPT = 2_000  # of chats; beyond that those are let go that were not used for a while: the table knows all
A_WHILE = 600.0  # seconds
UNSEEN_WITHIN = 1.0  # seconds that a typed answer waits to learn whether the screen before it was delivered
SLOWEST_RETRY = 30.0  # seconds between tries while Telegram cannot be reached
CHAT_TICK = 0.05  # seconds between tries to have a chat that another process sends to
HELD_AT_ONCE = 200  # chats of this process at most: each is a lock in the database's memory
OTHERS_TIME = timedelta(seconds=5)  # in which an answer that waits is surely another process's to send
STAYS = "stays"  # an inline keyboard under what is shown once (a resume code): the message is not to be edited away


class Lanes:
    """The lanes of one bot. *account*: the channel account (``telegram:quangninh``)."""

    def __init__(self, account: str, bot: Bot, budget: Budget, backend: Backend) -> None:
        self.account, self.budget, self.backend = account, budget, backend
        self._lanes: dict[str, Lane] = {}
        self._looked = 0.0
        self._held: Any = asyncio.Semaphore(HELD_AT_ONCE) if backend.shared is not None else nullcontext()
        self._stopping = False
        self.messages = Messages(account, bot, budget, backend)
        self.outcomes = Outcomes(account, backend.run)

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
            return self.outcomes.shown(lane.address) or await self._read_shown(lane)
        if lane.shown is None:
            found = self.outcomes.shown(lane.address) or await self._read_shown(lane)
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
                    await self.outcomes.write_down(lane.address)
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
                    self.outcomes.settle(row.id, "failed", "unreadable")
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
                    await self.outcomes.written()
            elif trouble < 0:
                lane.rows.clear()
            else:
                tries += 1
                await asyncio.sleep(min(SLOWEST_RETRY, max(trouble, 0.25 * 2 ** min(tries, 7))))

    def _next(self, lane: Lane) -> Row:
        """The row to send now: of screens that nobody has seen yet only the newest."""
        while len(lane.rows) > 1 and lane.rows[0].passing and not lane.rows[0].begun and lane.rows[1].screen.number > 0:
            overtaken = lane.rows.popleft()
            self.outcomes.settle(overtaken.id, "cancelled", "newer")
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
                self.outcomes.settle(row.id, "cancelled", "newer")
                return None
            await self._show(lane, row)
            return None
        except TransientFailure:
            return 1.0
        except CallFailed as failed:
            return await self._failed(lane, row, failed)
        except Exception as error:  # noqa: BLE001 - logged without its words, which may be people's
            log.error("%s: an answer cannot be shown: %s", self.account, events.traced(error))
            self.outcomes.settle(row.id, "failed", type(error).__name__)
            return None

    async def _still_waits(self, row: Row) -> bool:
        """A row that was read from the table a while ago may have been sent and written down since."""
        return not self.outcomes.knows(row.id) and bool(await self.backend.read(partial(outbox.waits, row_id=row.id)))

    async def _overtaken(self, lane: Lane, row: Row) -> bool:
        """Has a younger screen been shown already? An old one below it would take its buttons away."""
        return row.passing and not row.begun and row.id < (await self.shown(lane)).outbox_id

    async def _failed(self, lane: Lane, row: Row, failed: CallFailed) -> float | None:
        if failed.kind in ("wait", "again", "token", "moved"):
            self.outcomes.tally["answer", "again"] += 1
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
                self.outcomes.settle(row.id, "failed", failed.reason)
                return -1.0
        log.warning("%s: an answer was refused: %s", self.account, failed.reason)
        self.outcomes.settle(row.id, "failed", failed.reason)
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
            self.outcomes.settle(row.id, "sent", None, row.sent[-1])
            self.beneath(lane, row.sent[-1])
            return
        if not (row.sent or row.album) and _in_place(before, lane, row, looked):
            edited = await self.messages.edit(lane.chat, before.message_id, looked.bubbles[0])
            if edited:
                left = await self.messages.remove(lane.chat, before.beside)
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
            await self.messages.without_keyboard(lane.chat, old)
        left = await self.messages.remove(lane.chat, gone)
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
            await self.messages.clear_keyboard(lane.chat, row.screen.language)
            row.cleared = True
        if looked.album and row.album is None:
            row.album = await self.messages.send_album(lane.chat, looked)
            known = await self.shown(lane)  # at once: whatever happens next, these pictures are to be taken away again
            self._shows(lane, replace(known, beside=(*known.beside, *row.album)))
        for bubble in looked.bubbles[len(row.sent) :]:
            if row.sent:
                await self.budget.take(lane.address)
            row.sent.append(await self.messages.send(lane.chat, bubble, looked.protected))

    def _now_shown(
        self, lane: Lane, row: Row, before: Shown, message_id: int, beside: tuple[int, ...], keyboard: str
    ) -> None:
        if lane.first_number != row.screen.number:
            lane.first_number, lane.first_id = row.screen.number, message_id
        now = replace(
            before,
            number=row.screen.number,
            message_id=message_id,
            last_id=max(message_id, before.last_id),
            beside=beside,
            keyboard=keyboard,
            protected=row.screen.protected,
            outbox_id=row.id,
        )
        self._shows(lane, now)
        self.outcomes.settle(row.id, "sent", None, message_id)

    async def _set_menu(self, lane: Lane, row: Row) -> None:
        """The commands that fit who speaks here, in their language."""
        known = await self.shown(lane)
        if row.officer is None or row.screen.number == 0:
            return
        wanted = _menu_name(row.officer, row.screen.language)
        if wanted == (known.menu or _menu_name(*DEFAULT_MENU)):
            return
        if await self.messages.set_menu(lane.chat, row.officer, row.screen.language):
            self._shows(lane, replace(known, menu=wanted))

    async def turn_page(self, lane: Lane, number: int, page: int) -> bool:
        """Show another page of a screen's choices; ``False`` when that screen is not on the phone any more."""
        known = await self.shown(lane)
        if known.number != number or not known.outbox_id:
            return False
        body = await self.backend.read(partial(outbox.body, row_id=known.outbox_id))
        if not body:
            return False
        await self.budget.take(lane.address)
        below = look(decode_screen(body), page).bubbles[-1]
        return await self.messages.set_keyboard(lane.chat, known.message_id, below)

    def beneath(self, lane: Lane, message_id: int) -> None:
        """Another message now stands below the screen (a notice): the screen can no longer be changed in place."""
        if lane.shown is not None and message_id > lane.shown.last_id:
            self._shows(lane, replace(lane.shown, last_id=message_id))

    def _shows(self, lane: Lane, now: Shown) -> None:
        lane.shown = now
        self.outcomes.shows(lane.address, now)

    # -------------------------------------------------------------------------------- the end

    async def stop(self, seconds: float) -> None:
        """Send what waits, for at most so long; the rest stays in the table."""
        working = [lane.work for lane in self._lanes.values() if lane.work is not None and not lane.work.done()]
        if working:
            await asyncio.wait(working, timeout=seconds)
        self._stopping = True
        for work in working:
            work.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await self.outcomes.flush()


def _in_use(lane: Lane, now: float) -> bool:
    return bool(lane.rows) or now - lane.used_at < A_WHILE


def _menu_name(officer: bool, language: str) -> str:
    """How the table calls a menu: ``citizen:vi``."""
    return f"{'officer' if officer else 'citizen'}:{language}"


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
