"""A stand-in for Telegram's Bot API, for tests: real HTTP on 127.0.0.1, its refusals and redelivery, faults on demand.

A test reads like a chat::

    async with BotApi() as api:
        bot = api.bot("100001:test-token", "hoctap_bot")
        phone = api.phone(bot, first_name="Lan")
        await phone.opens("DV06685K")
        await phone.sees("Phường Hồng Gai")
        await phone.presses("Đồng ý")

``python -m tests.peers.telegram`` shows the running product as Telegram would draw it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import itertools
import json
import math
import random
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from aiohttp import web

from tests.peers.telegram_chats import Chat, Delivery, FakeBot, Message, Update, Webhook
from tests.peers.telegram_methods import METHODS, QUERY_SECONDS, Given, Refusal, Upload, allow
from tests.peers.telegram_phone import Group, Phone

__all__ = ["BotApi", "Call", "FakeBot", "Fault", "Group", "Message", "Peaks", "Phone"]

SENDS = ("sendmessage", "sendphoto", "senddocument", "sendmediagroup")
SLACK = 0.05  # seconds; a sender's timer may be that early
MOST_BYTES = 60 << 20


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a bot. ``at`` is ``time.monotonic()``; ``files`` name, file name and bytes of each upload.

    ``outcome`` is ``ok``, the refusal (``400 Bad Request: chat not found``), ``lost`` or ``closed``; ``message_id``
    that of the message sent or changed (0: none); ``result`` what was answered.
    """

    at: float
    bot: str
    method: str
    params: Mapping[str, Any]
    files: tuple[tuple[str, str, int], ...]
    outcome: str
    message_id: int = 0
    result: Any = None

    @property
    def chat(self) -> str:
        return str(self.params.get("chat_id", ""))


@dataclass
class Fault:
    """Something to go wrong with the next ``times`` calls (-1: all) of ``method`` (``*`` allowed) to ``chat``."""

    method: str
    kind: str
    times: int = 1
    chat: str | None = None
    bot: str | None = None
    retry_after: int = 1
    seconds: float = 1.0
    used: int = 0

    def meets(self, bot: FakeBot, method: str, chat: str) -> bool:
        return (
            (self.times < 0 or self.used < self.times)
            and fnmatch.fnmatch(method.lower(), self.method.lower())
            and (self.chat is None or self.chat == chat)
            and (self.bot is None or self.bot == bot.username)
        )


FAULTS = ("429", "500", "502", "403", "lost", "closed", "slow", "not_modified")


@dataclass(frozen=True, slots=True)
class Peaks:
    """The most messages sent within any one second: by bot (username), and by bot and chat."""

    bots: dict[str, int]
    chats: dict[tuple[str, str], int]


class _Hangup(Exception):
    """The connection is to be closed without an answer."""


@dataclass
class BotApi:
    """The server. All state lives here, so bots may be killed and started again; chance comes from *rng* alone."""

    rng: random.Random = field(default_factory=lambda: random.Random(20261122))
    port: int = 0
    bots: dict[str, FakeBot] = field(default_factory=dict, repr=False)  # by token
    calls: list[Call] = field(default_factory=list, repr=False)
    shuffle_albums: bool = False
    overtaking: bool = False  # while an update waits for its next try, younger ones of its chat go first
    query_seconds: float = QUERY_SECONDS
    webhook_timeout: float = 60.0
    backoff: float = 0.05  # seconds before a webhook's second try, doubled each time
    longest_backoff: float = 2.0
    latency: float = 0.0  # seconds before each answer
    _faults: list[Fault] = field(default_factory=list, repr=False)
    _rates: tuple[float, float, int] | None = None
    _sent: dict[Any, deque[float]] = field(default_factory=dict, repr=False)
    _paused: dict[Any, float] = field(default_factory=dict, repr=False)
    _repeat: float = 0.0
    _reorder: float = 0.0
    _shift: float = 0.0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)
    _answers: asyncio.Event = field(default_factory=asyncio.Event, repr=False)  # not set: answers are held back
    _down: bool = False
    _runner: web.AppRunner | None = None
    _session: aiohttp.ClientSession | None = None

    # -------------------------------------------------------------------------------------------- life

    async def __aenter__(self) -> BotApi:
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_route("*", "/bot{token}/{method}", self._serve)
        app.router.add_get("/file/bot{token}/{path:.+}", self._serve_file)
        self._answers.set()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await self._listen()
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.down()
        while self._tasks:  # wait_for of Python 3.11 can lose a cancellation
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=0.2)
        assert self._session is not None
        assert self._runner is not None
        await self._session.close()
        await self._runner.cleanup()

    async def _listen(self) -> None:
        assert self._runner is not None
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    @property
    def url(self) -> str:
        """``http://127.0.0.1:40123``."""
        return f"http://127.0.0.1:{self.port}"

    async def down(self) -> None:
        """Telegram is not to be reached: nothing listens, open calls end without an answer."""
        assert self._runner is not None
        self._down = True
        self._answers.set()
        for bot in self.bots.values():
            self._end_poll(bot, "down")
        for site in list(self._runner.sites):
            await site.stop()

    async def drained(self, within: float = 60.0) -> None:
        """Wait until the calls of bots that have been killed are taken: they were on the wire at the time.

        Raises ``TimeoutError``.
        """
        assert self._runner is not None
        assert self._runner.server is not None
        async with asyncio.timeout(within):
            await asyncio.sleep(0.02)  # connections that nobody has accepted yet
            while self._runner.server.connections:  # noqa: ASYNC110 - aiohttp tells of no end of a connection
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.02)

    def hold(self) -> None:
        """From now on messages are sent and nobody is told of it, until :meth:`answer`."""
        self._answers.clear()

    def answer(self) -> None:
        """Answer again, first what was held back."""
        self._answers.set()

    async def up(self) -> None:
        """Telegram is back, on the same port."""
        self._down = False
        await self._listen()
        for bot in self.bots.values():
            bot.arrived.set()

    def now(self) -> float:
        """Seconds since 1970, as far as this Telegram has it."""
        return time.time() + self._shift

    def passes(self, seconds: float) -> None:
        """Let time pass for what grows old here: presses, links, messages."""
        self._shift += seconds

    def number(self) -> int:
        return next(self._numbers)

    def album(self) -> str:
        """A new ``media_group_id``."""
        return str(13_000_000_000_000_000 + self.number())

    # -------------------------------------------------------------------------------------------- who

    def bot(self, token: str, username: str, name: str = "Công dân học tập") -> FakeBot:
        """Register a bot. Each bot's messages have numbers of their own."""
        bot = FakeBot(token, username, name, first_message=1000 * len(self.bots))
        self.bots[token] = bot
        return bot

    def phone(
        self,
        bot: FakeBot,
        user_id: int = 0,
        first_name: str = "Lan",
        language_code: str = "vi",
        *,
        last_name: str = "",
        username: str = "",
        started: bool = False,
    ) -> Phone:
        """A person with *bot* in their phone. Until they open it the bot cannot write to them (*started*: it can)."""
        user_id = user_id or 5_000_000_000 + self.number()
        person: dict[str, Any] = {"id": user_id, "is_bot": False, "first_name": first_name}
        more = {"last_name": last_name, "username": username, "language_code": language_code}
        person |= {key: value for key, value in more.items() if value}
        chat = bot.chats.setdefault(user_id, Chat(user_id))
        chat.person, chat.started = person, chat.started or started
        return Phone(self, bot, chat)

    def group(self, bot: FakeBot, title: str, chat_id: int = 0) -> Group:
        """A group that *bot* is a member of."""
        chat_id = chat_id or -4_000_000_000 - self.number()
        chat = bot.chats.setdefault(chat_id, Chat(chat_id, "group", title, started=True))
        return Group(self, bot, chat)

    def chat(self, bot: FakeBot, user_id: int) -> Chat:
        """A chat as it looks now. Raises ``KeyError``."""
        return bot.chats[user_id]

    # -------------------------------------------------------------------------------------------- what goes wrong

    def fault(
        self,
        method: str = "*",
        kind: str = "500",
        times: int = 1,
        *,
        chat: int | str | None = None,
        bot: FakeBot | None = None,
        retry_after: int = 1,
        seconds: float = 1.0,
    ) -> Fault:
        """Let the next calls go wrong; ``file`` as *method* means downloads. ``fault.used`` counts.

        Kinds: ``429``, ``500``, ``502`` (not JSON), ``403`` (blocked), ``not_modified``, ``closed`` (nothing executed,
        no answer), ``lost`` (executed, no answer; of a download half of it comes), ``slow`` (executed after *seconds*).
        """
        if kind not in FAULTS:
            raise ValueError(f"no such fault: {kind}")
        fault = Fault(
            method,
            kind,
            times,
            None if chat is None else str(chat),
            bot.username if bot else None,
            retry_after,
            seconds,
        )
        self._faults.append(fault)
        return fault

    def mend(self) -> None:
        """No faults any more."""
        self._faults.clear()

    def limits(self, per_second: float = 30, per_chat: float = 1.0, burst: int = 1) -> None:
        """Refuse with 429 what is sent faster: by one bot, and by it into one chat (*burst* may come at once)."""
        self._rates = (per_second, per_chat, burst)

    def repeats(self, chance: float) -> None:
        """Deliver some updates once more after they were acknowledged."""
        self._repeat = chance

    def reorders(self, chance: float) -> None:
        """Shuffle some albums, cut some between two ``getUpdates``; on a webhook let chats and album parts overtake."""
        self._reorder = chance

    def undecodable(self, bot: FakeBot, phone: Phone | None = None) -> int:
        """Put an update among the others that libraries cannot decode (a message without a date); its id."""
        chat = phone.chat if phone else Chat(777, person={"id": 777, "first_name": "X"})
        sender = chat.person | {"is_bot": False}
        message = {"message_id": bot.next_message(), "from": sender, "chat": chat.json(), "text": "?"}
        return self.queue(bot, chat, "message", message)

    # -------------------------------------------------------------------------------------------- what was seen

    def text(self) -> str:
        """Everything that bots sent here, a line a call; for greps."""
        return "\n".join(
            json.dumps([call.bot, call.method, call.params, call.files, call.outcome], ensure_ascii=False, default=str)
            for call in self.calls
        )

    def made(self, method: str, chat: int | None = None) -> list[Call]:
        """The calls of one method (``*`` allowed)."""
        return [
            call
            for call in self.calls
            if fnmatch.fnmatch(call.method.lower(), method.lower()) and (chat is None or call.chat == str(chat))
        ]

    def peaks(self) -> Peaks:
        """The most messages that were sent within any second."""
        by_bot: dict[str, list[float]] = {}
        by_chat: dict[tuple[str, str], list[float]] = {}
        for call in self.calls:
            if call.method.lower() not in SENDS or call.outcome not in {"ok", "lost"}:
                continue
            count = len(call.result) if isinstance(call.result, list) else 1
            by_bot.setdefault(call.bot, []).extend([call.at] * count)
            by_chat.setdefault((call.bot, call.chat), []).append(call.at)
        return Peaks({k: _peak(v) for k, v in by_bot.items()}, {k: _peak(v) for k, v in by_chat.items()})

    def unanswered(self, bot: FakeBot) -> list[str]:
        """Presses that were never answered."""
        return [query.id for query in bot.queries.values() if not query.answered]

    # -------------------------------------------------------------------------------------------- updates

    def queue(self, bot: FakeBot, chat: Chat, kind: str, content: dict[str, Any], album: str = "") -> int:
        """Put an update into the bot's queue; its id (0: the bot did not ask for this kind)."""
        if kind not in bot.allowed:
            return 0
        bot.last_update += 1
        # As at Telegram, presses and messages of one person are kept in order each, not with one another.
        lane = ("message" if kind == "edited_message" else kind, chat.id)
        late = 0.0
        if bot.webhook is not None and self.rng.random() < self._reorder:
            late = time.monotonic() + self.rng.uniform(0, 0.05)
            if album:
                lane = ("album", bot.last_update)
        bot.updates[bot.last_update] = Update(bot.last_update, {kind: content}, lane, not_before=late, album=album)
        bot.arrived.set()
        return bot.last_update

    def mixes(self) -> bool:
        """Whether the next album comes shuffled."""
        return self.shuffle_albums or self.rng.random() < self._reorder

    def hook(self, bot: FakeBot, url: str, secret: str, connections: int) -> None:
        """Post *bot*'s updates to *url* from now on."""
        self._end_poll(bot, "terminated by setWebhook request")
        bot.webhook = Webhook(url, secret, connections)
        for update in bot.updates.values():
            update.flying, update.attempts, update.not_before = False, 0, 0.0
        bot.arrived.set()
        self._task(self._pump(bot, bot.webhook))

    def unhook(self, bot: FakeBot) -> None:
        """Post no more."""
        bot.webhook = None
        bot.arrived.set()

    def _task(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end_poll(self, bot: FakeBot, reason: str) -> None:
        if bot.poll is not None and not bot.poll.done():
            bot.poll.set_result(reason)

    async def _get_updates(self, bot: FakeBot, given: Given) -> list[dict[str, Any]]:
        if bot.webhook is not None:
            raise Refusal(
                409,
                "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
            )
        # The newcomer wins, the other poller is told.
        self._end_poll(bot, "terminated by other getUpdates request; make sure that only one bot instance is running")
        allow(bot, given)
        offset = given.number("offset")
        if offset < 0:
            offset = next(iter(list(bot.updates)[offset:]), bot.last_update + 1)
        for number in [number for number in bot.updates if number < offset]:
            self._acknowledge(bot, bot.updates[number], offset - 1)
        limit = given.number("limit", 100)
        limit = limit if 1 <= limit <= 100 else 100
        until = time.monotonic() + min(50, max(0, given.number("timeout")))
        poll: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        bot.poll = poll
        while True:
            if batch := self._batch(bot, limit):
                return batch
            left = until - time.monotonic()
            if left <= 0:
                return []
            bot.arrived.clear()
            arrival: asyncio.Future[Any] = asyncio.ensure_future(bot.arrived.wait())
            try:
                await asyncio.wait((arrival, poll), timeout=left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                arrival.cancel()
            if poll.done():
                if poll.result() == "down":
                    raise _Hangup
                raise Refusal(409, poll.result())

    def _batch(self, bot: FakeBot, limit: int) -> list[dict[str, Any]]:
        again = [bot.repeats.popleft() for _ in range(min(len(bot.repeats), limit))]
        batch: list[Update] = []
        for update in itertools.islice(bot.updates.values(), limit - len(again)):
            cut = batch and update.album and batch[-1].album == update.album
            if cut and self.rng.random() < self._reorder:
                break
            batch.append(update)
        return [update.json() for update in (*again, *batch)]

    def _acknowledge(self, bot: FakeBot, update: Update, last: int) -> None:
        bot.updates.pop(update.id, None)
        bot.last_acknowledged = max(bot.last_acknowledged, last)
        if not update.repeated and self._repeat and self.rng.random() < self._repeat:
            again = replace(update, repeated=True, flying=False, attempts=0)
            if bot.webhook is None:
                bot.repeats.append(again)
            else:
                again.not_before = time.monotonic() + self.rng.uniform(0, 0.1)
                bot.updates[again.id] = again

    async def _pump(self, bot: FakeBot, hook: Webhook) -> None:
        """Start what may be delivered, wait until more may be."""
        while bot.webhook is hook:
            bot.arrived.clear()
            now = time.monotonic()
            flying = sum(update.flying for update in bot.updates.values())
            busy = {update.lane for update in bot.updates.values() if update.flying}
            wake = now + 3600
            for update in list(bot.updates.values()):
                if flying >= hook.connections or self._down:
                    break
                if update.flying or update.lane in busy:
                    continue
                if update.not_before > now:
                    wake = min(wake, update.not_before)
                    if not self.overtaking:
                        busy.add(update.lane)
                    continue
                busy.add(update.lane)
                update.flying = True
                flying += 1
                self._task(self._deliver(bot, hook, update))
            try:
                await asyncio.wait_for(bot.arrived.wait(), max(0.0, wake - time.monotonic()))
            except TimeoutError:
                continue

    async def _deliver(self, bot: FakeBot, hook: Webhook, update: Update) -> None:
        assert self._session is not None
        headers = {"X-Telegram-Bot-Api-Secret-Token": hook.secret} if hook.secret else {}
        status, body, error = 0, None, ""
        try:
            async with self._session.post(
                hook.url, json=update.json(), headers=headers, timeout=aiohttp.ClientTimeout(total=self.webhook_timeout)
            ) as answer:
                status = answer.status
                if "json" in answer.content_type:
                    body = await answer.json(content_type=None)
                else:
                    await answer.read()
                if not 200 <= status < 300:
                    error = f"Wrong response from the webhook: {status} {answer.reason}"
        except (aiohttp.ClientError, TimeoutError, ValueError) as failure:
            status, error = 0, "Read timeout expired" if isinstance(failure, TimeoutError) else "Connection refused"
        bot.deliveries.append(Delivery(time.monotonic(), update.id, status))
        update.flying = False
        if error:
            hook.error, hook.error_at = error, self.now()
            update.attempts += 1
            update.not_before = time.monotonic() + min(self.longest_backoff, self.backoff * 2 ** (update.attempts - 1))
        else:
            self._acknowledge(bot, update, update.id)
            if isinstance(body, dict) and isinstance(body.get("method"), str):
                method = body.pop("method")
                with contextlib.suppress(Refusal, _Hangup):  # nobody is told how it went
                    await self._execute(bot, method, Given(body))
        bot.arrived.set()

    # -------------------------------------------------------------------------------------------- calls

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        try:
            if self._down:
                raise _Hangup
            given = await _given(request)
            bot = self.bots.get(request.match_info["token"])
            if bot is None:
                return _answer(401, "Unauthorized")
            return web.json_response(
                {"ok": True, "result": await self._execute(bot, request.match_info["method"], given)}, dumps=_dumps
            )
        except Refusal as refusal:
            if refusal.code == 502:
                return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
            return _answer(refusal.code, str(refusal), refusal.parameters)
        except _Hangup:
            return _hang_up(request)

    async def _execute(self, bot: FakeBot, method: str, given: Given) -> Any:
        """Do a call, with whatever is to go wrong with it, and note it."""
        chat = given.text("chat_id")
        fault = next((each for each in self._faults if each.meets(bot, method, chat)), None)
        outcome, result = "ok", None
        try:
            if fault is not None:
                fault.used += 1
                await self._fail(fault)
            if self.latency:
                await asyncio.sleep(self.latency)
            if method.lower() == "getupdates":
                result = await self._get_updates(bot, given)
            elif (work := METHODS.get(method.lower())) is None:
                raise Refusal(404, "method not found")
            else:
                self._count(bot, method, chat, given)
                result = work(self, bot, given)
                if method.lower() in SENDS:
                    await self._answers.wait()
            if fault is not None and fault.kind == "lost":
                outcome = "lost"
                raise _Hangup
            return result
        except Refusal as refusal:
            outcome = f"{refusal.code} {refusal}"
            raise
        except _Hangup:
            outcome = "lost" if outcome == "lost" else "closed"
            raise
        finally:
            one = result[0] if isinstance(result, list) and result else result
            number = one.get("message_id", 0) if isinstance(one, dict) else given.number("message_id")
            files = tuple((name, each.name, len(each.data)) for name, each in given.files.items())
            self.calls.append(
                Call(time.monotonic(), bot.username, method, given.values, files, outcome, number, result)
            )

    async def _fail(self, fault: Fault) -> None:
        match fault.kind:
            case "429":
                raise _too_many(fault.retry_after)
            case "500":
                raise Refusal(500, "Internal Server Error")
            case "502":
                raise Refusal(502, "Bad Gateway")
            case "403":
                raise Refusal(403, "bot was blocked by the user")
            case "not_modified":
                raise Refusal(400, "message is not modified: as the test wants it")
            case "closed":
                raise _Hangup
            case "slow":
                await asyncio.sleep(fault.seconds)

    def _count(self, bot: FakeBot, method: str, chat: str, given: Given) -> None:
        """Refuse what comes too fast."""
        if self._rates is None or method.lower() not in SENDS:
            return
        per_second, per_chat, burst = self._rates
        now = time.monotonic()
        media = given.structure("media") if method.lower() == "sendmediagroup" else None
        count = len(media) if isinstance(media, list) else 1
        limits = ((bot.token, per_second, 1.0, count), ((bot.token, chat), burst, burst / per_chat, 1))
        for key, most, window, weight in limits:
            if (left := self._paused.get(key, 0.0) - now) > 0:
                raise _too_many(math.ceil(left))
            times = self._sent.setdefault(key, deque())
            while times and times[0] <= now - window + SLACK:
                times.popleft()
            if times and len(times) + weight > most:
                seconds = max(1, math.ceil(times[0] + window - now))
                self._paused[key] = now + seconds - SLACK
                raise _too_many(seconds)
        for key, _most, _window, weight in limits:
            self._sent[key].extend([now] * weight)

    async def _serve_file(self, request: web.Request) -> web.StreamResponse:
        bot = self.bots.get(request.match_info["token"])
        try:
            if self._down:
                raise _Hangup
            fault = bot and next((each for each in self._faults if each.meets(bot, "file", "")), None)
            if fault:
                fault.used += 1
                await self._fail(fault)
            if bot is None:
                return _answer(401, "Unauthorized")
            found, until = bot.links.get(request.match_info["path"], (None, 0.0))
            if found is None or until < self.now():
                return _answer(404, "Not Found")
            if fault and fault.kind == "lost":
                part = web.StreamResponse()
                part.content_length = len(found.data)
                await part.prepare(request)
                await part.write(found.data[: len(found.data) // 2])
                raise _Hangup
            return web.Response(body=found.data, content_type="application/octet-stream")
        except Refusal as refusal:
            return _answer(refusal.code, str(refusal), refusal.parameters)
        except _Hangup:
            return _hang_up(request)


def _too_many(seconds: int) -> Refusal:
    return Refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _answer(code: int, description: str, parameters: Mapping[str, int] | None = None) -> web.Response:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    if parameters:
        body["parameters"] = dict(parameters)
    return web.json_response(body, status=code, dumps=_dumps)


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # goes nowhere


async def _given(request: web.Request) -> Given:
    values: dict[str, Any] = dict(request.query)
    files: dict[str, Upload] = {}
    if request.content_type == "application/json":
        try:
            values |= await request.json()
        except ValueError as error:
            raise Refusal(400, "can't parse JSON object") from error
    elif request.method == "POST" and request.can_read_body:
        try:
            fields = await request.post()
        except web.HTTPRequestEntityTooLarge as error:
            raise Refusal(413, "Request Entity Too Large") from error
        for name, value in fields.items():
            if isinstance(value, web.FileField):
                files[name] = Upload(value.filename, value.file.read(), value.content_type)
            else:
                values[name] = value.decode() if isinstance(value, (bytes, bytearray)) else value
    return Given(values, files)


def _peak(times: Iterable[float]) -> int:
    window: deque[float] = deque()
    most = 0
    for at in sorted(times):
        window.append(at)
        while window[0] <= at - 1.0:
            window.popleft()
        most = max(most, len(window))
    return most


if __name__ == "__main__":
    from tests.peers.telegram_window import main

    main()
