"""No bot's token (mã bot) and no personal id number in anything that the process writes down.

A token stands in the path of every call to the Bot API, so that libraries put it into log lines, exceptions and
tracebacks without meaning to.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

MASK = "•••"

# The colon of a token may come percent-encoded, also twice. No boundary in front: in a path the number follows "bot".
_TOKEN = re.compile(r"[0-9]{5,15}(?::|%(?:25)*3A)[A-Za-z0-9_-]{30,}", re.IGNORECASE)

# Nothing hands an id number to a logger; should a library do it all the same, it is not written.
_ID_NUMBER = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")

# These tell every call or every update at INFO: too much by itself, and httpx with the whole address.
CHATTY = ("httpx", "httpcore", "aiogram.event", "apscheduler")

log = logging.getLogger(__name__)


def redacted(text: str) -> str:
    """The text with ``•••`` in place of every token of a bot, and of twelve digits in one piece."""
    return _ID_NUMBER.sub(MASK, _TOKEN.sub(MASK, text))


class _Redacting(logging.Formatter):
    """Formats as *inner* does, then masks: arguments, exceptions, tracebacks and stacks are all text by then."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self.inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return redacted(self.inner.format(record))


def install() -> None:
    """Mask what the root logger's handlers write, and what Python itself says of exceptions that nobody caught.

    To be called once logging is configured; a second call changes nothing.
    """
    handlers = [*logging.getLogger().handlers, *([logging.lastResort] if logging.lastResort else [])]
    for handler in handlers:
        if not isinstance(handler.formatter, _Redacting):
            handler.setFormatter(_Redacting(handler.formatter or logging.Formatter()))
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _in_thread


# Python's own hooks write to stderr, past logging. asyncio's handler logs already.


def _uncaught(kind: type[BaseException], error: BaseException, frames: TracebackType | None) -> None:
    sys.stderr.write(redacted("".join(traceback.format_exception(kind, error, frames))))


def _in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and args.exc_type is not SystemExit:
        log.error("thread ended by an error", exc_info=(args.exc_type, args.exc_value, args.exc_traceback))


def _unraisable(unraisable: Any) -> None:
    told = unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback
    log.error("%s: %r", unraisable.err_msg or "ignored", unraisable.object, exc_info=told)
