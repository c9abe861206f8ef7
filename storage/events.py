"""Events that failed: kept with an error id and the raw event, so that nobody's word is lost to a defect."""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import codes, idnumbers
from storage.base import BigId, Connection, Prepared, UtcTime, table_of


class FailedEvent(SQLModel, table=True):
    """An event whose turn failed by a defect. Purged after 14 days."""

    __tablename__ = "failed_events"
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    error_id: str = Field(unique=True, max_length=12)
    account: str = Field(max_length=64)
    address: str = Field(max_length=128, index=True)
    event: str = Field(max_length=128)
    raw: str = Field(sa_type=sa.Text)
    error: str = Field(max_length=500)
    at: datetime = Field(sa_type=UtcTime, index=True)
    replayed_at: datetime | None = Field(default=None, sa_type=UtcTime)


failed_events = table_of(FailedEvent)

# Codes that open something, and numbers that may be a personal id: masked before an event is kept.
# As printed: TL in four groups of four, MT in four of five; one sign may stand between groups, and a digit is in it.
_CODES = re.compile(
    r"(?i)\b(TL|MT)[ \-._]{0,3}(?=[^\n]{0,30}\d)"
    r"(?:[0-9A-Z]{4}(?:[ \-._]?[0-9A-Z]{4}){3}|[0-9A-Z]{5}(?:[ \-._]?[0-9A-Z]{5}){3})(?![0-9A-Z])"
)
MASK = "••••"
_NUMBERS = re.compile(r"\b\d{9,12}\b")  # phones and old cards; id numbers are found by their own grammar


def masked_codes(text: str) -> str:
    """The text without resume codes and invites: whoever reads the history later cannot use them.

    A secret spaced in another way, but still read as a code, takes the whole text with it.
    """
    plain = _CODES.sub(lambda found: f"{found.group(1).upper()}-{MASK}", text)
    if isinstance(codes.find(plain), codes.ResumeCode | codes.InviteCode):
        return MASK
    return plain


# What tells where an event came from, and fetches what it sent: needed to take it anew.
_NEEDED = frozenset(
    {"account", "address", "event", "channel", "file_id", "file_unique_id", "reference", "unique", "uploads", "album"}
)


def masked(raw: str) -> str:
    """The raw event (JSON) without resume codes, invites and long numbers in what people said; ids stay."""
    try:
        return json.dumps(_masked(json.loads(raw), ""), ensure_ascii=False)
    except ValueError:
        return _masked_text(raw)


def _masked(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _masked(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, name) for each in value]
    if isinstance(value, str) and name not in _NEEDED:
        return _masked_text(value)
    return value


def _masked_text(text: str) -> str:
    return _NUMBERS.sub(MASK, idnumbers.mask(masked_codes(text)))


def described(error: BaseException) -> str:
    """An error without its message, which may hold what people said: its type, where it rose, and of a database the
    state and the constraint."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    cause = getattr(error, "orig", None) or error
    more = ""
    if isinstance(cause, psycopg.Error):
        more = f" ({cause.sqlstate} {cause.diag.constraint_name or ''})".replace(" )", ")")
    elif isinstance(cause, sqlite3.Error):
        more = f" ({getattr(cause, 'sqlite_errorname', '')})"
    return f"{type(error).__name__}{more}{where}"


def traced(error: BaseException) -> str:
    """An error for the log: described, and where it came by, but never its words nor those of what caused it."""
    return f"{described(error)}\n{''.join(traceback.format_tb(error.__traceback__))}"


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A failed event as found."""

    id: int
    error_id: str
    account: str
    address: str
    event: str
    raw: str
    error: str
    at: datetime
    replayed_at: datetime | None


_KEEP = Prepared(
    sa.insert(failed_events).values(
        error_id=sa.bindparam("name"),
        account=sa.bindparam("account"),
        address=sa.bindparam("address"),
        event=sa.bindparam("event"),
        raw=sa.bindparam("raw"),
        error=sa.bindparam("error"),
        at=sa.bindparam("now"),
    )
)


def keep(conn: Connection, account: str, address: str, event: str, raw: str, error: str, now: datetime) -> str:
    """Keep a failed event; its error id, which the person is told and the log line carries."""
    error_id = secrets.token_hex(4)
    _KEEP.run(
        conn, name=error_id, account=account, address=address, event=event, raw=masked(raw), error=error[:500], now=now
    )
    return error_id


_COLUMNS = (
    failed_events.c.id,
    failed_events.c.error_id,
    failed_events.c.account,
    failed_events.c.address,
    failed_events.c.event,
    failed_events.c.raw,
    failed_events.c.error,
    failed_events.c.at,
    failed_events.c.replayed_at,
)


def listing(conn: Connection) -> list[FailedRow]:
    """Failed events, oldest first."""
    return [FailedRow(*row) for row in conn.execute(sa.select(*_COLUMNS).order_by(failed_events.c.id))]


def by_error_id(conn: Connection, error_id: str) -> FailedRow | None:
    """One failed event."""
    row = conn.execute(sa.select(*_COLUMNS).where(failed_events.c.error_id == error_id)).first()
    return None if row is None else FailedRow(*row)


def replayed(conn: Connection, row_id: int, now: datetime) -> None:
    """The event has been taken anew."""
    conn.execute(sa.update(failed_events).where(failed_events.c.id == row_id).values(replayed_at=now))


_PURGE = Prepared(sa.delete(failed_events).where(failed_events.c.at < sa.bindparam("before")))
_FORGET = Prepared(sa.delete(failed_events).where(failed_events.c.address == sa.bindparam("address")))


def purge(conn: Connection, before: datetime) -> int:
    """Forget failed events older than 14 days."""
    return _PURGE.run(conn, before=before)


def forget(conn: Connection, address: str) -> None:
    """The contact is going: what it said goes with it."""
    _FORGET.run(conn, address=address)


def forget_words(conn: Connection, words: Iterable[str]) -> None:
    """Whoever bears this name, or this dossier, is being erased: failed events of others that hold it go too. There
    are few failed events, and each is looked at."""
    for word in words:
        conn.execute(sa.delete(failed_events).where(failed_events.c.raw.contains(word, autoescape=True)))
