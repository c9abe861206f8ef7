"""Calls to Telegram's Bot API (https://core.telegram.org/bots/api) through aiogram, and what its refusals mean.

aiogram builds a model for every call, posts it as multipart and reads a model back. Here fields go out as plain JSON
(multipart only with a file) and answers are read as plain JSON, since of a message that was sent only its number
matters: five times less work a call. Server, session and errors are aiogram's.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    RestartingTelegram,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.methods import GetMe
from aiohttp import ClientError, ClientTimeout, FormData

from bot.outbound import allowed, origin

DOWNLOAD_LIMIT = 20 * 1024 * 1024  # bytes: what getFile serves at most
FILE_PATH = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./-]{0,250}")
CALL_SECONDS = 20.0
UPLOAD_SECONDS = 120.0  # eight pictures on a slow line
DOWNLOAD_SECONDS = 120.0


class JsonSession(AiohttpSession):
    """aiogram's session, posting plain fields. ``failures``: calls that failed so far, by ``CallFailed.kind``."""

    def __init__(self, api: TelegramAPIServer) -> None:
        super().__init__(api=api)
        self.failures: Counter[str] = Counter()

    async def post(
        self,
        bot: Bot,
        method: str,
        fields: dict[str, Any],
        files: dict[str, bytes],
        names: dict[str, str],
        seconds: float,
    ) -> Any:
        """Make a call (:func:`call`)."""
        session = await self.create_session()
        url = self.api.api_url(token=bot.token, method=method)
        sent: Any
        if files:
            sent, headers = FormData(quote_fields=False), None
            for name, value in fields.items():
                sent.add_field(name, value if isinstance(value, str) else json.dumps(value))
            for name, data in files.items():
                sent.add_field(name, data, filename=names.get(name, name), content_type="application/octet-stream")
        else:
            sent, headers = json.dumps(fields).encode(), {"Content-Type": "application/json"}
        try:
            # A redirect would take the token elsewhere: it is an answer like any other that is not the Bot API's.
            async with session.post(
                url, data=sent, headers=headers, timeout=ClientTimeout(total=seconds), allow_redirects=False
            ) as answer:
                status, content = answer.status, await answer.text(encoding="utf-8", errors="replace")
        except TimeoutError:
            raise TelegramNetworkError(method=_NONE, message="no answer in time") from None
        except ClientError as error:
            # Its own words may hold the address, and that the token.
            raise TelegramNetworkError(method=_NONE, message=type(error).__name__) from None
        if status == 200:
            try:
                said = json.loads(content)
                if said["ok"]:
                    return said["result"]
            except (ValueError, KeyError, TypeError):
                raise TelegramNetworkError(method=_NONE, message="not an answer of the Bot API") from None
        try:
            self.check_response(bot=bot, method=GetMe(), status_code=status, content=content)
        except ClientDecodeError:  # a proxy's page in HTML
            raise TelegramServerError(method=_NONE, message=f"status {status}") from None
        raise TelegramServerError(method=_NONE, message=f"status {status}")

    async def download(self, bot: Bot, path: str, most: int = DOWNLOAD_LIMIT) -> bytes | None:
        """The file at a path that getFile named; ``None`` when it is larger than *most* bytes.

        Raises ``TelegramNetworkError``. The address holds the token, so it is never kept and never told.
        """
        url = self.api.file_url(token=bot.token, path=path)
        if not FILE_PATH.fullmatch(path) or not allowed(url, (origin(self.api.base),)):
            raise TelegramNetworkError(method=_NONE, message="a file path of a strange form")
        session = await self.create_session()
        try:
            async with session.get(url, timeout=ClientTimeout(total=DOWNLOAD_SECONDS), allow_redirects=False) as answer:
                if answer.status != 200:
                    raise TelegramNetworkError(method=_NONE, message=f"status {answer.status}")
                parts, size = [], 0
                async for part in answer.content.iter_chunked(1 << 16):
                    size += len(part)
                    if size > most:
                        return None
                    parts.append(part)
        except TimeoutError as error:
            raise TelegramNetworkError(method=_NONE, message="no answer in time") from error
        except ClientError as error:
            raise TelegramNetworkError(method=_NONE, message=type(error).__name__) from None
        return b"".join(parts)


_NONE: Any = None  # aiogram's errors carry the method object; ours are told by kind only


def open_bot(token: str, api_url: str) -> Bot:
    """A bot on the official server or on one's own (``api_url``: ``https://host[:port]``)."""
    return Bot(token, session=JsonSession(api=TelegramAPIServer.from_base(api_url)))


async def call(
    bot: Bot,
    method: str,
    fields: dict[str, Any],
    files: dict[str, bytes] | None = None,
    *,
    names: dict[str, str] | None = None,
    seconds: float = 0,
) -> Any:
    """Call a method of the Bot API with plain fields; its ``result`` as plain JSON. Raises :class:`CallFailed`.

    *files*: parts of the request, named in fields as ``attach://NAME``; *names*: their file names. *seconds*: how
    long an answer may take (0: 20, with files 120).
    """
    session = bot.session
    assert isinstance(session, JsonSession)
    seconds = seconds or (UPLOAD_SECONDS if files else CALL_SECONDS)
    try:
        return await session.post(bot, method, fields, files or {}, names or {}, seconds)
    except AiogramError as error:
        raise _counted(session, failure(error)) from None


async def download(bot: Bot, path: str, most: int = DOWNLOAD_LIMIT) -> bytes | None:
    """The file at a path that ``getFile`` named; ``None`` when it is larger than *most* bytes. Raises
    :class:`CallFailed`."""
    session = bot.session
    assert isinstance(session, JsonSession)
    try:
        return await session.download(bot, path, most)
    except AiogramError as error:
        raise _counted(session, failure(error)) from None


def _counted(session: JsonSession, failed: CallFailed) -> CallFailed:
    session.failures[failed.kind] += 1
    return failed


# ------------------------------------------------------------------------------------------ what a refusal means


class CallFailed(Exception):
    """A call that failed, and what to do about it; never with the token or an address in it.

    ``kind`` is one of: ``wait`` (429: nobody calls for *seconds*), ``again`` (network, 5xx: it may have been done or
    not), ``gone`` (blocked, deleted, no such chat), ``moved`` (the chat is *chat* now), ``same`` (nothing to change: a
    success), ``no_message`` (the message to edit or delete is not there), ``markup`` (entities refused), ``no_file``
    (a file id that this bot does not have), ``too_big`` (over what getFile serves), ``late`` (a press too old to be
    answered), ``token`` (the token is refused), ``conflict`` (somebody else takes this bot's updates), ``refused``.
    """

    def __init__(self, kind: str, reason: str, *, seconds: float = 0.0, chat: int = 0) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind, self.reason, self.seconds, self.chat = kind, reason, seconds, chat


_SIGNS = (
    ("message is not modified", "same"),
    ("query is too old", "late"),
    ("query id is invalid", "late"),
    ("message to edit not found", "no_message"),
    ("message to delete not found", "no_message"),
    ("message can't be edited", "no_message"),
    ("message can't be deleted", "no_message"),
    ("message identifier is not specified", "no_message"),
    ("message_id_invalid", "no_message"),
    ("can't parse entities", "markup"),
    ("wrong file identifier", "no_file"),
    ("wrong remote file", "no_file"),
    ("wrong file_id", "no_file"),
    ("file reference", "no_file"),
    ("file is too big", "too_big"),
    ("file is temporarily unavailable", "again"),
    ("chat not found", "gone"),
    ("user is deactivated", "gone"),
    ("bot was blocked", "gone"),
    ("peer_id_invalid", "gone"),
    ("bot can't initiate conversation", "gone"),
    ("user not found", "gone"),
    ("chat_write_forbidden", "gone"),
)


def read_refusal(description: str) -> str:
    """What Telegram's words mean: a kind of :class:`CallFailed`."""
    words = description.lower()
    return next((kind for sign, kind in _SIGNS if sign in words), "refused")


def failure(error: AiogramError) -> CallFailed:
    """What an error of aiogram means."""
    reason = type(error).__name__
    match error:
        case TelegramRetryAfter():
            return CallFailed("wait", reason, seconds=float(error.retry_after))
        case TelegramMigrateToChat():
            return CallFailed("moved", reason, chat=error.migrate_to_chat_id)
        case TelegramForbiddenError():
            return CallFailed("gone", error.message[:180])
        case TelegramUnauthorizedError() | TelegramNotFound():  # 404: no such bot
            return CallFailed("token", reason)
        case TelegramConflictError():
            return CallFailed("conflict", error.message[:180])
        case TelegramEntityTooLarge():  # a network error to aiogram; sent again it would be as large
            return CallFailed("refused", reason)
        case TelegramBadRequest():
            return CallFailed(read_refusal(error.message), error.message[:180])
        case RestartingTelegram() | TelegramServerError() | ClientDecodeError():
            return CallFailed("again", reason)
        case TelegramNetworkError():
            return CallFailed("again", error.message[:80])
    return CallFailed("refused", reason)
