"""What Telegram says of a bot of ours: asked once by ``hoctap doctor`` and ``hoctap qr --telegram``.

Plain calls over aiohttp, not through aiogram: its answers leave out the ``Date`` header that proves the clock, and
importing it alone takes longer than all that is asked here.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout
from pydantic import SecretStr

from bot.redaction import redacted

SECONDS = 5.0  # for one answer


@dataclass(frozen=True, slots=True)
class About:
    """A bot as ``getMe`` and ``getWebhookInfo`` tell.

    ``reads_groups``: its privacy mode is off. ``webhook``: the address that updates are posted to, empty where none is
    set; ``pending`` updates wait at Telegram; ``error`` is what last went wrong with it, at ``error_at`` (UTC).
    ``skew``: how far our clock is ahead of Telegram's, ``None`` where the answer had no date.
    """

    username: str
    reads_groups: bool
    joins_groups: bool
    inline: bool
    webhook: str
    pending: int
    error: str
    error_at: datetime | None
    skew: timedelta | None


@dataclass(frozen=True, slots=True)
class Silent:
    """Why Telegram told nothing: ``refused`` (the token is not valid), ``unreachable``, ``late`` (no answer in 5
    seconds), ``busy`` (429 or 5xx), ``odd`` (no answer of a Bot API server). ``reason`` in a word: never the address,
    which holds the token."""

    why: str
    reason: str


class _SilentError(Exception):
    def __init__(self, why: str, reason: str) -> None:
        super().__init__(why)
        self.silent = Silent(why, reason)


def ask(tokens: Sequence[SecretStr], api_url: str) -> list[About | Silent]:
    """Ask about every bot at once; in their order. Takes at most 10 seconds. Not to be called from a running loop."""
    return asyncio.run(_ask_all(tokens, api_url))


def start_link(username: str, payload: str) -> str:
    """The link that opens the chat with a bot and hands it a code. *payload*: at most 64 of ``A-Za-z0-9_-``."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", payload):
        raise ValueError("not a payload of a start link")
    return f"https://{short_link(username)}?start={payload}"


def short_link(username: str) -> str:
    """Where the bot is found, as people type it."""
    return f"t.me/{username}"


async def _ask_all(tokens: Sequence[SecretStr], api_url: str) -> list[About | Silent]:
    async with ClientSession(timeout=ClientTimeout(total=SECONDS)) as session:
        return await asyncio.gather(*(_about(session, api_url, token) for token in tokens))


async def _about(session: ClientSession, api_url: str, token: SecretStr) -> About | Silent:
    try:
        me, _slow = await _call(session, api_url, token, "getMe")
        # The second answer comes over the open connection: its way is the shorter.
        hook, skew = await _call(session, api_url, token, "getWebhookInfo")
    except _SilentError as error:
        return error.silent
    username, failed = me.get("username"), hook.get("last_error_date")
    if not isinstance(username, str) or not re.fullmatch(r"\w{3,64}", username, re.ASCII):
        return Silent("odd", "getMe")
    return About(
        username=username,
        reads_groups=me.get("can_read_all_group_messages") is True,
        joins_groups=me.get("can_join_groups") is True,
        inline=me.get("supports_inline_queries") is True,
        webhook=str(hook.get("url") or ""),
        pending=int(hook.get("pending_update_count") or 0),
        error=" ".join(redacted(str(hook.get("last_error_message") or "")).split())[:200],
        error_at=datetime.fromtimestamp(failed, UTC) if isinstance(failed, int) else None,
        skew=skew,
    )


async def _call(
    session: ClientSession, api_url: str, token: SecretStr, method: str
) -> tuple[dict[str, Any], timedelta | None]:
    """One call: its result and how far our clock is ahead."""
    url = f"{api_url}/bot{token.get_secret_value()}/{method}"
    try:
        # A redirect would carry the token to wherever it points.
        async with session.post(url, allow_redirects=False) as answer:
            status, date, text = answer.status, answer.headers.get("Date"), await answer.text(errors="replace")
    except TimeoutError:
        raise _SilentError("late", "") from None
    except (ClientError, OSError) as error:
        raise _SilentError("unreachable", type(error).__name__) from None
    if status == 429 or status >= 500:
        raise _SilentError("busy", str(status))
    try:
        said = json.loads(text)
        accepted, result = said["ok"], said.get("result")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _SilentError("odd", str(status)) from None
    if status in (401, 404) and accepted is False:  # 404: not even a number known to Telegram
        raise _SilentError("refused", str(status))
    if accepted is not True or not isinstance(result, dict):
        raise _SilentError("odd", str(status))
    return result, _ahead(date)


def _ahead(date: str | None) -> timedelta | None:
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    # The header names whole seconds: on average it is half of one late.
    return datetime.now(UTC) - theirs.astimezone(UTC) - timedelta(seconds=0.5)
