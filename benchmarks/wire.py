"""A light Telegram for timing: it takes a bot's calls, answers each at once, and posts updates to the bot's webhook.

Raw HTTP/1.1 on asyncio, so that it needs a small part of what the bot needs; it refuses nothing (for that there is the
stand-in of the tests). One process with the benchmark, another than the bot's.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PART = re.compile(rb'name="(\w+)"[^\r]*(?:\r\n[^\r]+)*\r\n\r\n(.*?)\r\n--', re.DOTALL)
BOT = {"id": 100001, "is_bot": True, "first_name": "Bench", "username": "bench_bot"}
SHOWING = frozenset({"sendmessage", "editmessagetext"})
WITHIN = 30.0  # seconds for one step


class _Http(asyncio.Protocol):
    """Whole HTTP messages with a length, one after the other."""

    def __init__(self, said: Callable[[bytes, bytes], bytes | None], closed: Callable[[], None] | None = None) -> None:
        self._said, self._closed = said, closed
        self._buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, _exc: Exception | None) -> None:
        self.transport = None
        if self._closed is not None:
            self._closed()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            assert length or b"chunked" not in head.lower(), head
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            answer = self._said(head, body)
            if answer is not None and self.transport is not None:
                self.transport.write(answer)


@dataclass
class Chat:
    """One person's chat: what it shows, and the connection on which its updates are posted."""

    wire: Wire
    id: int
    message_id: int = 0  # of the newest message with buttons
    text: str = ""
    rows: list[list[tuple[str, str]]] = field(default_factory=list)  # label, callback data
    edits: int = 0
    shown_at: float = 0.0  # time.perf_counter() of the newest call that shows something
    _http: _Http | None = None
    _waiting: asyncio.Future[None] | None = None
    _left: int = 0

    async def types(self, text: str) -> None:
        """Send a text, and wait for what the bot shows, and that it shows no more."""
        number = self.wire.next_message()
        await self._posts(
            {"message": {"message_id": number, **self._where(), "text": text, **_command(text)}}, settle=0.15
        )

    async def presses(self, choice: str, settle: float = 0.0) -> None:
        """Press the button whose data ends with *choice*; back when the bot has answered and shown its screen."""
        data = next((data for row in self.rows for _label, data in row if data.rpartition(":")[2] == choice), None)
        if data is None:
            raise LookupError(f"no {choice!r} in {self.rows} below {self.text!r}")
        message = {
            "message_id": self.message_id, "from": BOT, "chat": self._where()["chat"], "date": 1795000000,
            **(self.wire.example or {"text": "…"}),
        }  # fmt: skip
        query = {
            "id": str(self.wire.next_update()),
            "from": self._where()["from"],
            "message": message,
            "chat_instance": str(self.id),
            "data": data,
        }
        await self._posts({"callback_query": query}, settle)

    def shows(self, message_id: int, fields: dict[str, str], edited: bool) -> None:
        """The bot's call arrived."""
        markup = json.loads(fields.get("reply_markup") or "{}")
        if "inline_keyboard" in markup or edited:
            rows = markup.get("inline_keyboard", [])
            self.rows = [[(each["text"], each["callback_data"]) for each in row] for row in rows]
            self.message_id = message_id
        self.text = fields["text"]
        self.edits += edited
        self.shown_at = time.perf_counter()
        self._one_less()

    async def _posts(self, update: dict[str, Any], settle: float) -> None:
        update["update_id"] = self.wire.next_update()
        body = json.dumps(update, ensure_ascii=False).encode()
        self._waiting, self._left = asyncio.get_running_loop().create_future(), 2  # the answer, the screen
        http = await self._connected()
        assert http.transport is not None
        http.transport.write(self.wire.head % len(body) + body)
        async with asyncio.timeout(WITHIN):
            await self._waiting
        if settle:
            await asyncio.sleep(settle)

    async def _connected(self) -> _Http:
        if self._http is None or self._http.transport is None:
            where = urlsplit(self.wire.hook)
            _transport, self._http = await asyncio.get_running_loop().create_connection(
                lambda: _Http(self._told), where.hostname or "", where.port or 0
            )
        return self._http

    def _told(self, head: bytes, _body: bytes) -> None:
        assert head.startswith(b"HTTP/1.1 200"), head
        self._one_less()

    def _one_less(self) -> None:
        self._left -= 1
        if self._left == 0 and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _where(self) -> dict[str, Any]:
        person = {"id": self.id, "first_name": "Lan"}
        return {
            "from": {**person, "is_bot": False, "language_code": "vi"},
            "chat": {**person, "type": "private"},
            "date": 1795000000,
        }


def _command(text: str) -> dict[str, Any]:
    length = len(text.split(" ", maxsplit=1)[0])
    return {"entities": [{"type": "bot_command", "offset": 0, "length": length}]} if text.startswith("/") else {}


@dataclass
class Wire:
    """The server. ``example``: text and keyboard of the message that presses and answers carry (none: a short text, no
    keyboard)."""

    chats: dict[int, Chat] = field(default_factory=dict)
    hook: str = ""
    head: bytes = b""
    port: int = 0
    example: dict[str, Any] | None = None
    calls: Counter[str] = field(default_factory=Counter)
    on_message: Callable[[int], None] | None = None  # a new message came, for this chat
    hooked: asyncio.Event = field(default_factory=asyncio.Event)
    _last: int = 1000
    _update: int = 500_000
    _server: asyncio.Server | None = None
    _result: bytes = b""

    async def __aenter__(self) -> Wire:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Http(self._called), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *failure: object) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def next_message(self) -> int:
        self._last += 1
        return self._last

    def next_update(self) -> int:
        self._update += 1
        return self._update

    def chat(self, number: int) -> Chat:
        found = self.chats[number] = Chat(self, number)
        return found

    def points_at(self, url: str, secret: str) -> None:
        """Post updates there."""
        where = urlsplit(url)
        self.hook = url
        lines = [f"POST {where.path} HTTP/1.1", f"Host: {where.netloc}", "Content-Type: application/json"]
        if secret:
            lines.append(f"X-Telegram-Bot-Api-Secret-Token: {secret}")
        self.head = "\r\n".join([*lines, "Content-Length: "]).encode() + b"%d\r\n\r\n"
        self.hooked.set()

    def _called(self, head: bytes, body: bytes) -> bytes:
        method = head.split(b" ", 2)[1].rpartition(b"/")[2].decode().lower()
        self.calls[method] += 1
        if method in SHOWING:
            return self._shown(method, _fields(head, body))
        if method == "getme":
            return _answer(json.dumps(BOT | {"can_join_groups": True}).encode())
        if method == "setwebhook":
            fields = _fields(head, body)
            self.points_at(fields["url"], fields.get("secret_token", ""))
        return _answer(b"true")

    def _shown(self, method: str, fields: dict[str, str]) -> bytes:
        chat_id, edited = int(fields["chat_id"]), method == "editmessagetext"
        number = int(fields["message_id"]) if edited else self.next_message()
        chat = self.chats.get(chat_id)
        if chat is not None:
            # After this call's own answer has been written, as the next press comes after it.
            asyncio.get_running_loop().call_soon(chat.shows, number, fields, edited)
        if not edited and self.on_message is not None:
            self.on_message(chat_id)
        if not self._result:
            said = self.example or {"text": "…"}
            self._result = json.dumps({"from": BOT, "date": 1795000000, **said}, ensure_ascii=False).encode()[1:]
        chat_json = b'"chat":{"id":%d,"type":"private","first_name":"Lan"}' % chat_id
        return _answer(b'{"message_id":%d,%s,%s' % (number, chat_json, self._result))

    def says(self, example: dict[str, Any] | None) -> None:
        """Carry this message from now on."""
        self.example, self._result = example, b""


def _fields(head: bytes, body: bytes) -> dict[str, str]:
    """The fields of a call: JSON, a form or parts; structures as JSON."""
    head = head.lower()
    if b"application/json" in head:
        said = json.loads(body)
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in said.items()}
    if b"multipart/" in head:
        return {name.decode(): value.decode() for name, value in _PART.findall(body)}
    return dict(parse_qsl(body.decode()))


def _answer(result: bytes) -> bytes:
    body = b'{"ok":true,"result":%s}' % result
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


# ------------------------------------------------------------------------------------------ one core each

CORES = sorted(os.sched_getaffinity(0))


@contextmanager
def bots_core() -> Iterator[None]:
    """Processes started inside get the first core, with two cores or more; this one has the second."""
    if len(CORES) > 1:
        os.sched_setaffinity(0, {CORES[0]})
    try:
        yield
    finally:
        if len(CORES) > 1:
            os.sched_setaffinity(0, {CORES[1]})


def all_cores() -> None:
    """No more than the machine's own limits."""
    os.sched_setaffinity(0, set(CORES))


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
