"""Telegram, taking in: updates become :class:`~dialogs.model.Incoming`, by long polling or by webhook.

Each update is read by itself: one that cannot be read is kept and stepped over. Updates of one chat have their turns
one after the other, those of different chats side by side, and Telegram is told that an update has been taken only when
its turn is committed. aiogram's own polling and webhook acknowledge first and lose what is in flight when the process
ends; here aiogram reads the updates and makes the calls.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from bot import logs
from bot.channels.telegram_backend import Backend
from bot.channels.telegram_budget import Budget, common_of
from bot.channels.telegram_calls import CallFailed, JsonSession, call, open_bot
from bot.channels.telegram_fetch import Fetcher
from bot.channels.telegram_inbox import Inbox
from bot.channels.telegram_lane import Lane
from bot.channels.telegram_lanes import Lanes
from bot.channels.telegram_messages import commands_of
from bot.channels.telegram_polling import SLOWEST_RETRY, UPDATES, Polling, pause
from bot.channels.telegram_push import Push
from bot.channels.telegram_unsaid import Unsayer
from bot.channels.telegram_updates import CAPABILITIES, Heard, chat_of, press_of, read
from bot.channels.telegram_view import Page
from bot.limits import Buckets, Limits, Rate
from bot.loops import every
from bot.roles import ROLES
from dialogs.model import Incoming, Opened, Sent, Signal, Typed
from locales import LANGUAGES, Voice, _, speaking
from storage import budgets, conversations, events, inbox, outbox
from storage.base import Connection
from storage.engine import TransientFailure

log = logging.getLogger(__name__)

UPDATE_LIMIT = 1024 * 1024  # bytes of one update by webhook; real ones stay below 64 KiB
CONNECTIONS = 40  # of Telegram to the webhook at once
ANSWER_WITHIN = 1.0  # seconds after which a press is answered by a call of its own instead of the webhook's response
LEFT_BEHIND = (30.0, 30.0)  # seconds after which an answer that waits in the table is taken up; between looks
LEFT_BY_OTHERS = (5.0, 2.0)  # the same where several processes answer: one of them may have died
OWN_TIME = timedelta(seconds=55)  # in which only the process that made it sends a code that is shown once


@dataclass(frozen=True, slots=True)
class TelegramSettings:
    """How one bot is served. ``webhook``: the https address that Telegram posts to, empty for long polling."""

    account: str
    name: str
    api_url: str = "https://api.telegram.org"
    webhook: str = ""
    rate: float = 28
    push_rate: float = 20
    chat_rate: float = 1
    contact: Rate = field(default_factory=lambda: Limits().contact)  # messages that one chat may send


class Telegram:
    """One bot, in and out: ``start``, then updates come by themselves or through :meth:`webhook`; ``stop`` in the
    end. ``username`` is known once Telegram has been reached."""

    def __init__(
        self,
        token: str,
        settings: TelegramSettings,
        backend: Backend,
        *,
        met: Callable[[str], None] | None = None,
        roles: frozenset[str] = ROLES,
    ) -> None:
        self.settings, self.backend, self.roles = settings, backend, roles
        self.account = settings.account
        self.username = ""
        self.bot = open_bot(token, settings.api_url)
        rates = settings.rate, settings.push_rate
        common = None if backend.shared is None else common_of(backend, settings.account, *rates)
        self.budget = Budget(*rates, settings.chat_rate, common=common)
        self.inbox = None if backend.shared is None else Inbox(self.account, backend, self._take_waiting)
        self.lanes = Lanes(self.account, self.bot, self.budget, backend)
        self.fetcher = Fetcher(self.account, self.bot, self.budget, backend)
        self.unsayer = Unsayer(self.account, self.bot, self.budget, backend)
        self.push = Push(token, settings.api_url, settings.push_rate, self.lanes, backend)
        # Whoever knows the token may post updates anyway: so the secret needs no setting and is the same everywhere.
        self.secret = hmac.new(token.encode(), b"hoctap webhook", hashlib.sha256).hexdigest()
        self.door = Buckets(settings.contact)
        self._met = met
        self._stopping = asyncio.Event()
        self._polling = Polling(self.account, self.bot, backend.shared, self._stopping, self._take_batch)
        self._ready = (
            asyncio.Event()
        )  # answers left by an earlier run are in their lanes: younger ones come behind them
        self._main: asyncio.Task[None] | None = None
        self._loops: list[asyncio.Task[None]] = []
        self._by_the_way: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin: what waits goes out, updates come in, each as far as it is among the roles of this process. Returns at
        once; Telegram is reached as soon as it can be."""
        shared = self.backend.shared
        work: list[tuple[str, str, Coroutine[Any, Any, None]]] = []
        if self.roles & {"worker", "sender"}:
            work.append(("write back", "worker", self.lanes.outcomes.write_back()))
        if "fetcher" in self.roles:
            work.append(("fetcher", "fetcher", self._alone("fetcher", self.fetcher.work)))
        if "sender" in self.roles:
            work.append(("push", "sender", self._alone("push", self.push.work)))
            work.append(("unsayer", "sender", self._alone("unsayer", self.unsayer.work)))
            work.append(("left behind", "sender", self._take_up(*(LEFT_BEHIND if shared is None else LEFT_BY_OTHERS))))
        if "worker" in self.roles and self.inbox is not None:
            work.append(("inbox", "worker", self.inbox.work()))
        if shared is not None:
            await self._begin_budget()
        for name, role, each in work:
            with logs.working(role):
                self._loops.append(asyncio.create_task(each, name=f"{self.account} {name}"))
        try:
            if shared is None:
                await self._recover(datetime.now(UTC))
        except TransientFailure:
            log.warning("%s: the outbox cannot be read now; what waits there goes out later", self.account)
        self._ready.set()
        with logs.working("web" if self.settings.webhook else "poller"):
            self._main = asyncio.create_task(self._serve(), name=f"{self.account} main")

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """What it does all the time."""
        return (*self._loops, *((self._main,) if self._main is not None else ()))

    def failures(self) -> Counter[str]:
        """Calls to Telegram that failed so far, of both libraries, by kind of :class:`CallFailed`."""
        session = self.bot.session
        assert isinstance(session, JsonSession)
        return session.failures + self.push.failures

    async def _begin_budget(self) -> None:
        while True:
            try:
                await self.backend.run(partial(budgets.begin, account=self.account))
                return
            except TransientFailure:
                log.warning("%s: the database cannot be reached now", self.account)
                await asyncio.sleep(1)

    async def _alone(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Work that one process does for a bot at a time; the others stand by."""
        if self.backend.shared is None:
            await work()
            return

        async def until_the_end() -> None:
            await work()
            await self._stopping.wait()

        # Two that push at once send nothing twice (a chat and its rows are one process's): no need to stop it.
        name = f"{what}:{self.account}"
        if what == "push":
            async with self.backend.shared.locks.held(name):
                await until_the_end()
        else:
            await self.backend.shared.locks.alone(name, until_the_end)

    async def stop(self, grace: float) -> None:
        """End gracefully: turns under way end and are acknowledged, answers go out; what is left stays in the
        tables."""
        self._stopping.set()
        if self._main is not None:
            _ended, late = await asyncio.wait((self._main,), timeout=grace)
            if late:
                log.warning("%s: updates under way did not end in %.0f s; they come again", self.account, grace)
                self._main.cancel()
            await asyncio.gather(self._main, return_exceptions=True)
        if self.inbox is not None:
            await self.inbox.stop(grace)
        await self.push.stop()
        await self.lanes.stop(grace)
        for loop in (*self._loops, *self._by_the_way):
            loop.cancel()
        await asyncio.gather(*self._loops, *self._by_the_way, return_exceptions=True)
        await self.bot.session.close()

    async def _recover(self, before: datetime) -> None:
        """Go on with answers that wait in the table and in no lane."""
        due = await self.backend.read(partial(outbox.answers_due, account=self.account, now=before))
        if self.backend.shared is not None and any(events.MASK in row.body for row in due):
            # A code that is shown once is known to the process alone that made it: it gets more time.
            old = await self.backend.read(partial(outbox.answers_due, account=self.account, now=before - OWN_TIME))
            patient = {row.id for row in old}
            due = [row for row in due if events.MASK not in row.body or row.id in patient]
        self.lanes.recover(due)

    async def _take_up(self, age: float, seconds: float) -> None:
        """Answers that another process put out (an event taken anew by the operator, a worker that died) go out as
        well, *age* seconds later."""

        async def look() -> None:
            await self._recover(datetime.now(UTC) - timedelta(seconds=age))

        await asyncio.sleep(seconds)
        await every(seconds, f"{self.account} left behind", look)

    # -------------------------------------------------------------------------------- getting to know Telegram

    async def _serve(self) -> None:
        if not await self._persist(self._introduce, "reaching Telegram"):
            return
        webhook = bool(self.settings.webhook)
        if ("web" if webhook else "poller") not in self.roles:
            return
        self._later(self._persist(self._offer_commands, "setting the menu of commands"))  # nobody waits for a menu
        if webhook:
            await self._persist(self._set_webhook, "setting the webhook")
            return
        if self.backend.shared is None:
            await self._persist(self._drop_webhook, "removing the webhook")
            await self._polling.work()
            return
        while not self._stopping.is_set():
            async with self.backend.shared.locks.held(self._polling.lock):
                await self._persist(self._drop_webhook, "removing the webhook")
                await self._polling.work()

    async def _persist(self, work: Callable[[], Any], what: str) -> bool:
        """Try until it is done; ``False`` when the bot ends before."""
        wait = 1.0
        while not self._stopping.is_set():
            try:
                await work()
                return True
            except CallFailed as failed:
                if failed.kind == "token":
                    log.error("%s: Telegram refuses the token; set the right one (hoctap doctor)", self.account)
                    wait = SLOWEST_RETRY  # it may be a server that is just starting
                else:
                    log.warning("%s: %s failed (%s); next try in %.0f s", self.account, what, failed.reason, wait)
                await pause(self._stopping, max(wait, failed.seconds))
                wait = min(SLOWEST_RETRY, wait * 2)
        return False

    async def _introduce(self) -> None:
        me = await call(self.bot, "getMe", {})
        self.username = str(me["username"])
        log.info("%s: serving as @%s", self.account, self.username)
        if self._met is not None:
            self._met(self.username)

    async def _offer_commands(self) -> None:
        for language in LANGUAGES:
            fields: dict[str, Any] = {
                "commands": commands_of(False, language),
                "scope": {"type": "all_private_chats"},
            }
            if language != LANGUAGES[0]:
                fields["language_code"] = language
            await call(self.bot, "setMyCommands", fields)

    async def _set_webhook(self) -> None:
        # Never drop_pending_updates: they are people's answers.
        await call(
            self.bot,
            "setWebhook",
            {
                "url": self.settings.webhook,
                "secret_token": self.secret,
                "max_connections": CONNECTIONS,
                "allowed_updates": list(UPDATES),
            },
        )
        log.info("%s: updates come by webhook", self.account)

    async def _drop_webhook(self) -> None:
        await call(self.bot, "deleteWebhook", {"drop_pending_updates": False})

    # -------------------------------------------------------------------------------- updates by long polling

    async def _take_batch(self, raws: Sequence[dict[str, Any]]) -> None:
        """Take updates: those of a chat in order, chats side by side; returns when all are committed. What a flood
        brings beyond the limit has no turn."""
        raws = [raw for raw in raws if self._admits(raw)]
        if self.inbox is not None:
            await self.inbox.put(raws, chat_of)
            for raw in raws:
                if press := press_of(raw):
                    self._later(self._answer_press(press))
            return
        chats: dict[object, list[dict[str, Any]]] = {}
        for raw in raws:
            chats.setdefault(chat_of(raw) or raw["update_id"], []).append(raw)
        async with asyncio.TaskGroup() as group:
            for of_one in chats.values():
                group.create_task(self._take_in_order(of_one))

    async def _take_in_order(self, raws: list[dict[str, Any]]) -> None:
        for n, raw in enumerate(raws):
            wait = 0.5
            while True:
                try:
                    await self.handle(raw, first=n == 0)
                    break
                except TransientFailure:
                    log.warning("%s: the database cannot take an update now; again in %.0f s", self.account, wait)
                    await asyncio.sleep(wait)
                    wait = min(SLOWEST_RETRY, wait * 2)

    # -------------------------------------------------------------------------------- an update by webhook

    async def webhook(self, request: web.Request) -> web.StreamResponse:
        """An update by webhook; answered once it is committed (503 when it cannot be: then it comes again)."""
        if not hmac.compare_digest(
            request.headers.get("X-Telegram-Bot-Api-Secret-Token", "").encode(), self.secret.encode()
        ):
            return web.Response(status=401)
        body = b""
        async for part in request.content.iter_chunked(1 << 16):
            body += part
            if len(body) > UPDATE_LIMIT:
                return web.Response(status=413)
        try:
            raw = json.loads(body)
        except (ValueError, RecursionError):
            return web.Response(status=400)
        if not isinstance(raw, dict) or not isinstance(raw.get("update_id"), int):
            return web.Response(status=400)
        if not self._admits(raw):
            return web.Response()
        await self._ready.wait()
        try:
            if self.inbox is not None:
                await self.inbox.put((raw,), chat_of)
                press = press_of(raw)
            else:
                press = await self.handle(raw, hold_press=True)
        except TransientFailure:
            self.door.give_back(chat_of(raw))
            return web.Response(status=503)
        if not press:
            return web.Response()
        return web.json_response({"method": "answerCallbackQuery", "callback_query_id": press})

    # -------------------------------------------------------------------------------- a flood

    def _admits(self, raw: dict[str, Any]) -> bool:
        """May this update have its turn? Of a chat that sends far more than anybody can mean, no: it is told once, then
        there is silence until it calms down. Telegram cannot be asked to come again with one chat's updates only, so
        these are acknowledged and have no effect; whatever had an answer before stays as it is. Looked at before the
        update is read or the database is asked."""
        chat = chat_of(raw)
        if not chat or "my_chat_member" in raw:  # that a chat is blocked is no message
            return True
        verdict = self.door.admit(chat)
        if verdict == "told" and not chat.startswith("-"):  # a group is not talked to
            self._later(self._ask_to_wait(chat))
        return verdict == "open"

    async def _ask_to_wait(self, chat: str) -> None:
        log.info("%s: a chat sends too much at once, and is asked to wait", self.account)
        try:
            known = await self.backend.read(partial(conversations.peek, account=self.account, address=chat))
            form = known.person.form if known is not None and known.person is not None else "ong_ba"
            with speaking(Voice(known.language if known is not None else LANGUAGES[0], form)):
                text = _("flood.wait")
            await self.budget.take(chat)
            await call(self.bot, "sendMessage", {"chat_id": int(chat), "text": text})
        except (CallFailed, TransientFailure) as failed:
            log.info("%s: a chat could not be asked to wait (%s)", self.account, events.described(failed))

    # -------------------------------------------------------------------------------- one update

    async def handle(self, raw: dict[str, Any], *, first: bool = True, hold_press: bool = False) -> str:
        """Take an update; returns after its turn is committed. Raises ``TransientFailure``: it is to come again.

        Not *first*: it came together with an earlier one of its chat, so it cannot be an answer to what that brought.

        A press is answered at once, by a call of its own; with *hold_press* its id is returned instead, for the
        response that will carry the answer, unless the turn takes long.
        """
        with logs.about(self.account, str(raw.get("update_id"))):
            return await self._handle(raw, first, hold_press)

    async def _handle(self, raw: dict[str, Any], first: bool, hold_press: bool) -> str:
        try:
            heard = read(raw)
        except ValidationError as error:
            await self._keep_undecodable(raw, error)
            return ""
        if heard is None:
            return ""
        if not heard.press:
            await self._take(heard, raw, first)
            return ""
        if not hold_press:
            self._later(self._answer_press(heard.press))
            await self._take(heard, raw, first)
            return ""
        taking = asyncio.create_task(self._take(heard, raw, first))
        done, _waiting = await asyncio.wait((taking,), timeout=ANSWER_WITHIN)
        if not done:
            self._later(self._answer_press(heard.press))
        await taking
        return heard.press if done else ""

    async def _take_waiting(self, raw: dict[str, Any], update: int) -> bool:
        """Take an update that waits in the inbox; its row goes in the transaction of its turn. ``False``: another
        process has it. Raises ``TransientFailure``."""
        try:
            heard = read(raw)
        except ValidationError as error:
            await self._keep_undecodable(raw, error, update)
            return True
        if heard is not None and not await self._take(heard, raw, True, update):
            return False
        if heard is None or not heard.address or isinstance(heard.act, Page):  # no turn that takes the row along
            await self.backend.run(partial(inbox.done, update_id=update))
        return True

    async def _take(self, heard: Heard, raw: dict[str, Any], first: bool, waiting: int = 0) -> bool:
        """Take what an update says; ``False`` when another process takes it."""
        if heard.group:
            await self._point_out(heard)
            return True
        if not heard.address:
            return True
        lane = self.lanes.lane(heard.address)
        async with lane.order:
            try:
                return await self._take_turn(lane, heard, first, waiting)
            except TransientFailure:
                raise
            except Exception as error:  # noqa: BLE001 - logged without its words, which may be people's
                log.error("%s: an update could not be taken; it is kept: %s", self.account, events.traced(error))
                await self._keep_undecodable(raw, error, waiting)
                return True

    async def _take_turn(self, lane: Lane, heard: Heard, first: bool, waiting: int) -> bool:
        act, screen = heard.act, heard.screen
        if heard.press:
            if screen:
                await self.lanes.pressed(lane, heard.message_id, screen)
            if isinstance(act, Page):
                if await self.lanes.turn_page(lane, act.number, act.page):
                    return True
                act = Opened()  # not on the phone any more: what stands is shown
            elif act is None:
                act = Opened()
        elif heard.message_id:
            lane.seen = max(lane.seen, heard.message_id)
            if isinstance(act, Typed) and await self.lanes.too_early(lane, heard.message_id, wait=first):
                screen = 0
        assert act is not None and not isinstance(act, Page)
        now = datetime.now(UTC)
        message = 0 if heard.press else heard.message_id
        incoming = Incoming(
            self.account, heard.event, heard.address, act, now, screen, CAPABILITIES, message, heard.secret
        )
        found = await (self.backend.take_waiting(incoming, waiting) if waiting else self.backend.take(incoming))
        if found is None:  # another worker has it, or had it
            return False
        taken = found
        if taken.unsaid:
            self.unsayer.wake()
        if isinstance(act, Sent):
            self.fetcher.wake()
        if taken.repeat:  # its answer may be in the table only: a commit whose end we were not told
            if self.backend.shared is None:  # else the process that took it may be about to send it
                self.lanes.recover(
                    await self.backend.read(partial(outbox.answers_for, account=self.account, address=heard.address))
                )
        elif not isinstance(act, Signal):
            self.lanes.put(heard.address, taken)
        return True

    async def _answer_press(self, press: str) -> None:
        """The clock on the pressed button stops. A query too old to be answered is no trouble: its turn has been
        taken."""
        try:
            await call(self.bot, "answerCallbackQuery", {"callback_query_id": press})
        except CallFailed as failed:
            if failed.kind != "late":
                log.info("%s: a press could not be answered: %s", self.account, failed.reason)

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._by_the_way.add(task)
        task.add_done_callback(self._by_the_way.discard)

    async def _point_out(self, heard: Heard) -> None:
        """In a group the bot says once where it can be spoken to: what people tell it is nobody else's business."""
        if not self.username:
            return
        first = await self.backend.run(
            partial(_first, account=self.account, group=heard.group, event=heard.event, now=datetime.now(UTC))
        )
        if not first:
            return
        with speaking(Voice(LANGUAGES[0], "anh_chi")):
            text = _("telegram.group", link=f"https://t.me/{self.username}")
        chat = heard.group
        for _n in range(2):
            try:
                await call(self.bot, "sendMessage", {"chat_id": chat, "text": text})
                return
            except CallFailed as failed:
                if failed.kind != "moved":
                    log.info("%s: a group could not be answered: %s", self.account, failed.reason)
                    return
                chat = failed.chat

    async def _keep_undecodable(self, raw: dict[str, Any], error: Exception, waiting: int = 0) -> None:
        """Nobody's word is lost: the update is kept as it came, and can be taken anew by a version that reads it."""
        kept = await self.backend.run(
            partial(_keep, account=self.account, raw=raw, error=error, now=datetime.now(UTC), waiting=waiting)
        )
        if kept:
            log.error("%s: update %s cannot be read, kept as %s", self.account, raw.get("update_id"), kept)


def _first(conn: Connection, account: str, group: int, event: str, now: datetime) -> bool:
    """Is this the first time (in the days that claims are kept) that this group speaks to the bot?"""
    if not conversations.claim(conn, account, event, now):
        return False
    return conversations.claim(conn, account, f"group.{group}", now)


def _keep(
    conn: Connection, account: str, raw: dict[str, Any], error: Exception, now: datetime, waiting: int = 0
) -> str:
    event = str(raw.get("update_id"))
    if waiting:
        if not inbox.take(conn, waiting):
            return ""
        inbox.done(conn, waiting)
    if not conversations.claim(conn, account, event, now):
        return ""
    kept = json.dumps({"channel": "telegram", "account": account, "update": raw}, ensure_ascii=False)
    kept = kept.encode("utf-8", "replace").decode()  # half a sign is perhaps what made it unreadable
    return events.keep(conn, account, chat_of(raw), event, kept, f"undecodable: {events.described(error)}", now)
