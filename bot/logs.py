"""What the process writes down of its work: text for people or JSON for a collector, and in neither what people said.

A line that is about an event carries which (a short hash, the same on every line of that event, also those that the
writer's thread writes), the channel account, the role that works, and the seconds since it began. Errors are told by
kind and place, never in their own words: those quote what people wrote, addresses with codes, parameters of statements.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from bot import redaction
from storage import events

OURS = ("bot", "dialogs", "reports", "storage", "criteria", "locales")
# Below WARNING these tell the parameters of calls and statements: names, telephone numbers, whole messages.
TALKATIVE = ("aiosqlite", "telegram", "aiogram", "psycopg", "sqlalchemy", "obstore")
FIELDS = ("event", "account", "role", "duration")

_role: ContextVar[str] = ContextVar("role", default="")


@dataclass(frozen=True, slots=True)
class Event:
    """An event under way: channel account, the channel's own id, ``time.monotonic()`` when it came."""

    account: str
    id: str
    since: float


_event: ContextVar[Event | None] = ContextVar("event", default=None)


# ------------------------------------------------------------------------------------------ what a line is about


@contextmanager
def about(account: str, event: str) -> Iterator[None]:
    """Inside, every line carries this event. Within an event that is told already, nothing changes."""
    found = _event.get()
    if found is not None and (found.account, found.id) == (account, event):
        yield
        return
    with again(Event(account, event, time.monotonic())):
        yield


def current() -> Event | None:
    """The event under way here."""
    return _event.get()


@contextmanager
def again(event: Event | None) -> Iterator[None]:
    """Inside, lines are about this event (``None``: about none), whichever was under way when the task began."""
    token = _event.set(event)
    try:
        yield
    finally:
        _event.reset(token)


@contextmanager
def working(role: str) -> Iterator[None]:
    """Inside, and in the tasks begun there, lines carry this role (:data:`bot.roles.ROLES`)."""
    token = _role.set(role)
    try:
        yield
    finally:
        _role.reset(token)


def name_of(account: str, event: str) -> str:
    """How lines call an event: ten hex digits of a hash, for its own id holds that of a chat or a browser."""
    return hashlib.blake2b(f"{account}\0{event}".encode(), digest_size=5).hexdigest()


def fields() -> dict[str, str | float]:
    """What a line written now carries, as far as it is known: ``event``, ``account``, ``role``, ``duration``
    (seconds)."""
    found: dict[str, str | float] = {}
    event, role = _event.get(), _role.get()
    if event is not None:
        found["event"], found["account"] = name_of(event.account, event.id), event.account
    if role:
        found["role"] = role
    if event is not None:
        found["duration"] = round(time.monotonic() - event.since, 4)
    return found


# ------------------------------------------------------------------------------------------ how a line reads


class _Line(logging.Formatter):
    """A record as *write* puts it, without an error's own words, tokens and id numbers."""

    def __init__(self, write: Callable[[logging.LogRecord, str, str], str]) -> None:
        super().__init__()
        self._write = write

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        told = events.traced(error).rstrip() if error is not None else ""
        return redaction.redacted(self._write(record, said(record), told))


def said(record: logging.LogRecord) -> str:
    """A record's message, of libraries only what cannot quote anybody."""
    if record.name == "asyncio":  # shows tasks and callbacks with their arguments, and errors with their words
        return re.sub(r"<.*", "…", record.getMessage().partition("\n")[0]).strip()
    if record.name.startswith("aiohttp"):  # who asked, and what could not be read of it
        return str(record.msg).partition("%")[0].strip() or "aiohttp"
    return record.getMessage()


def _text(record: logging.LogRecord, message: str, error: str) -> str:
    more = "".join(f" {name}={value}" for name, value in _fields_of(record).items())
    when = datetime.fromtimestamp(record.created).strftime("%Y-%m-%d %H:%M:%S")
    line = f"{when},{int(record.msecs):03} {record.levelname} {record.name}: {message}{more}"
    return f"{line}\n{error}" if error else line


def _json(record: logging.LogRecord, message: str, error: str) -> str:
    when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    line: dict[str, Any] = {"at": when, "level": record.levelname, "logger": record.name, "message": message}
    line |= _fields_of(record)
    if error:
        line["error"] = error
    return json.dumps(line, ensure_ascii=False)


def _fields_of(record: logging.LogRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}


def _enrich(record: logging.LogRecord) -> bool:
    for name, value in fields().items():
        setattr(record, name, value)
    return True


FORMS = {"text": _text, "json": _json}


def install(form: str = "text", level: str = "info") -> None:
    """Set logging up for a process that serves: to stderr, one line a record (*form* ``text``, with an error's frames
    below it, or ``json``); *level* is that of our own modules, libraries tell warnings only. Tokens and id numbers are
    masked in whatever is written (:mod:`bot.redaction`)."""
    logging.basicConfig(level=logging.WARNING, handlers=[handler(form, sys.stderr)])
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    redaction.install()


def handler(form: str, stream: TextIO) -> logging.Handler:
    """Writes records as they may be written."""
    found = logging.StreamHandler(stream)
    found.setFormatter(_Line(FORMS[form]))
    found.addFilter(_enrich)
    return found
