"""What the bot says on its own on Telegram (notices, summaries), out of the outbox, through python-telegram-bot.

An ``Application`` without updater: it never receives. Its job queue only ticks and each tick looks at the table, so
nothing lives in memory alone; its rate limiter holds the share of pushes, and the budget that answers use as well holds
both (its own pause after a 429 can end too early: python-telegram-bot #5338).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from html import escape
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, InputFile, LinkPreviewOptions
from telegram import Message as Sent
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.ext import AIORateLimiter, Application, ApplicationBuilder, CallbackContext, ExtBot

from bot.channels.telegram_backend import Backend
from bot.channels.telegram_calls import CallFailed, read_refusal
from bot.channels.telegram_lane import Lane
from bot.channels.telegram_lanes import Lanes
from bot.channels.telegram_view import Bubble, look
from dialogs.model import decode_screen
from storage import events, outbox
from storage.engine import TransientFailure
from storage.outbox import Waiting

log = logging.getLogger(__name__)

TICK = 1.0  # seconds between looks at the table
WINDOW = 500  # rows looked at: many may be for one chat, which gets them one after the other
AHEAD = 3  # ticks' worth of pushes that are under way at most: the next tick finds the rest
SECONDS = 20.0  # for an answer of Telegram
SLOWEST_RETRY = 60.0
LONGEST_WAIT = 3600.0  # seconds between tries of one message


class Push:
    """Pushes of one bot. *rate*: messages a second at most."""

    def __init__(self, token: str, api_url: str, rate: float, lanes: Lanes, backend: Backend) -> None:
        self.lanes, self.backend, self.rate = lanes, backend, rate
        self.account, self.budget = lanes.account, lanes.budget
        limiter = AIORateLimiter(overall_max_rate=rate, overall_time_period=1, max_retries=0)
        builder = ApplicationBuilder().token(token).base_url(f"{api_url}/bot").base_file_url(f"{api_url}/file/bot")
        self.application: Application[Any, Any, Any, Any, Any, Any] = (
            builder.updater(None)
            .rate_limiter(limiter)
            .connection_pool_size(64)
            .pool_timeout(SECONDS)
            .read_timeout(SECONDS)
            .write_timeout(SECONDS)
            .connect_timeout(SECONDS)
            .build()
        )
        self._under_way: dict[str, asyncio.Task[None]] = {}  # one message a chat: by address
        self._on_the_wire: set[asyncio.Task[None]] = set()
        self._parts: dict[
            int, tuple[int, int]
        ] = {}  # of messages in several parts: how many are there, the last's number
        self._running = False
        self.failures: Counter[str] = Counter()  # calls that failed so far, by kind

    @property
    def bot(self) -> ExtBot[Any]:
        """python-telegram-bot's bot."""
        found: ExtBot[Any] = self.application.bot
        return found

    async def work(self) -> None:
        """Begin as soon as Telegram can be reached; from then on the job queue ticks."""
        wait = 1.0
        while True:
            try:
                await self.application.initialize()
                break
            except InvalidToken:  # its words hold the token; the channel has said it in its own
                await asyncio.sleep(SLOWEST_RETRY)
            except TelegramError as error:
                log.info("%s: pushes wait for Telegram (%s)", self.account, type(error).__name__)
                await asyncio.sleep(wait)
                wait = min(SLOWEST_RETRY, wait * 2)
        await self.application.start()
        self._running = True
        queue = self.application.job_queue
        assert queue is not None
        queue.run_repeating(self._tick, interval=TICK, first=0, job_kwargs={"coalesce": True, "max_instances": 1})

    async def stop(self) -> None:
        """What is on the wire ends, so that it need not be sent again; the rest stays in the table."""
        if self._running:
            self._running = False
            await self.application.stop()
        tasks = list(self._under_way.values())
        for task in tasks:
            if task not in self._on_the_wire:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.application.shutdown()

    async def _tick(self, _context: CallbackContext[Any, Any, Any, Any]) -> None:
        """Take up what is due: of each chat the oldest, while none of it is under way."""
        room = int(self.rate * TICK * AHEAD) - len(self._under_way)
        if room <= 0 or not self._running:
            return
        try:
            due = await self.backend.read(
                partial(outbox.pushes_due, account=self.account, now=datetime.now(UTC), most=WINDOW)
            )
        except TransientFailure:
            log.warning("%s: the outbox cannot be read now", self.account)
            return
        for row in due:
            if row.address not in self._under_way and room > 0:
                room -= 1
                task = asyncio.create_task(self._push(row), name=f"{self.account} push")
                self._under_way[row.address] = task
                task.add_done_callback(partial(self._done, row.address))

    def _done(self, address: str, task: asyncio.Task[None]) -> None:
        del self._under_way[address]
        error = None if task.cancelled() else task.exception()
        if isinstance(error, TransientFailure):
            log.warning("%s: the database could not take what became of a notice", self.account)
        elif error is not None:
            log.error("%s: a push broke off: %s", self.account, events.traced(error))

    async def _push(self, row: Waiting) -> None:
        await self.budget.take(row.address, push=True)
        lane = self.lanes.lane(row.address)
        async with self.lanes.holding(lane, patient=False) as ours:
            # Cancelled, sent another way or erased while it waited for its turn.
            if ours and await self.backend.read(partial(outbox.waits, row_id=row.id)):
                await self._push_to(lane, row)

    async def _push_to(self, lane: Lane, row: Waiting) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._on_the_wire.add(task)
        try:
            async with lane.sending:  # an answer under way is not torn apart
                await self.lanes.shown(lane)
                try:
                    message_id = await self._send(lane, row)
                except CallFailed as failed:
                    await self._failed(lane, row, failed)
                else:
                    self._parts.pop(row.id, None)
                    self.lanes.beneath(lane, message_id)
                    self.lanes.outcomes.settle(row.id, "sent", None, message_id, push=True)
            # Only then the next to this chat: a crash repeats its last message at most.
            await self.lanes.outcomes.written()
        finally:
            self._on_the_wire.discard(task)

    async def _failed(self, lane: Lane, row: Waiting, failed: CallFailed) -> None:
        self.failures[failed.kind] += 1
        match failed.kind:
            case "wait":
                log.warning("%s: Telegram asks for silence, %.0f s", self.account, failed.seconds)
                self.budget.pause(failed.seconds)
                await self._put_off(row, failed.seconds)
            case "moved":
                lane.chat = failed.chat
                await self._put_off(row, 0)
            case "again" | "token":
                await self._put_off(row, min(LONGEST_WAIT, 2.0 * 2 ** min(row.attempts, 12)))
            case "gone":
                self.lanes.outcomes.tally["push", "failed"] += 1
                await self.lanes.lost(row.address, failed.reason)
            case _:
                log.warning("%s: a notice was refused: %s", self.account, failed.reason)
                self.lanes.outcomes.settle(row.id, "failed", failed.reason, push=True)

    async def _put_off(self, row: Waiting, seconds: float) -> None:
        self.lanes.outcomes.tally["push", "again"] += 1
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        await self.backend.run(partial(outbox.put_off, row_id=row.id, until=until))

    # -------------------------------------------------------------------------------- sending

    async def _send(self, lane: Lane, row: Waiting) -> int:
        """Send a notice; the number of its last message. Raises :class:`CallFailed`; tried again, it goes on with the
        part that failed."""
        looked = look(decode_screen(row.body))
        pictures = [Bubble(escape(each.caption, quote=False), each.caption, photo=each.key) for each in looked.album]
        there, last = self._parts.get(row.id, (0, 0))
        for n, bubble in enumerate((*pictures, *looked.bubbles)[there:], there):
            if n > there:
                await self.budget.take(row.address)  # no longer as a push: answers to this chat wait for the whole
            last = await self._photo(lane.chat, bubble) if bubble.photo else await self._text(lane.chat, bubble)
            self._parts[row.id] = (n + 1, last)
        return last

    async def _text(self, chat: int, bubble: Bubble) -> int:
        options = {"reply_markup": _keyboard(bubble), "link_preview_options": LinkPreviewOptions(is_disabled=True)}
        try:
            sent = await _called(self.bot.send_message, chat, bubble.html, parse_mode="HTML", **options)
        except CallFailed as failed:
            if failed.kind != "markup":
                raise
            sent = await _called(self.bot.send_message, chat, bubble.plain, **options)
        return int(sent.message_id)

    async def _photo(self, chat: int, bubble: Bubble) -> int:
        """A stored picture, uploaded once: from then on sent by the id that Telegram gave it."""

        async def send(photo: str, files: dict[str, bytes]) -> Sent:
            given = InputFile(files["picture"], filename="picture") if files else photo
            return await _called(
                self.bot.send_photo, chat, given, caption=bubble.html, parse_mode="HTML", reply_markup=_keyboard(bubble)
            )

        try:
            sent = await self.lanes.messages.with_picture(bubble.photo, send)
        except CallFailed as failed:
            if failed.kind != "refused":
                raise
            log.warning("%s: a picture was refused, its text goes alone: %s", self.account, failed.reason)
            sent = None
        if sent is None:
            return await self._text(chat, bubble)
        if sent.photo:
            await self.lanes.messages.uploaded(bubble.photo, sent.photo[-1].file_id)
        return int(sent.message_id)


async def _called(method: Callable[..., Awaitable[Sent]], *args: Any, **options: Any) -> Sent:
    """A call of python-telegram-bot. Raises :class:`CallFailed` with what its error means."""
    try:
        return await method(*args, **options)
    except RetryAfter as error:
        seconds = error.retry_after
        waits = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
        raise CallFailed("wait", "RetryAfter", seconds=waits) from None
    except ChatMigrated as error:
        raise CallFailed("moved", "ChatMigrated", chat=error.new_chat_id) from None
    except Forbidden as error:
        raise CallFailed("gone", error.message[:180]) from None
    except InvalidToken:
        raise CallFailed("token", "InvalidToken") from None
    except BadRequest as error:  # a network error to python-telegram-bot
        raise CallFailed(read_refusal(error.message), error.message[:180]) from None
    except NetworkError as error:
        raise CallFailed("again", type(error).__name__) from None
    except TelegramError as error:
        raise CallFailed("refused", type(error).__name__) from None


def _keyboard(bubble: Bubble) -> InlineKeyboardMarkup | None:
    if not bubble.keyboard:
        return None
    return InlineKeyboardMarkup(
        [
            [InlineKeyboardButton(each.text, callback_data=each.data, style=each.style or None) for each in line]
            for line in bubble.keyboard
        ]
    )
