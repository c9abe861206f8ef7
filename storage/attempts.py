"""Attempts (số lần thử) that must be counted across processes and restarts: wrong secrets, id numbers that a chat
states, and how many join a unit.

A count is kept for an hour from its first attempt, under a name that tells nobody who it is: contacts and networks go
in as an HMAC under the server's key, since addresses are few enough to be tried one by one. So it outlives the contact
itself: forgetting a chat and beginning anew gives no fresh guesses.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlmodel import Field, SQLModel

from storage.base import Connection, Prepared, UtcTime, table_of

SPAN = timedelta(hours=1)  # how long attempts add up, and how long a lock holds
KEPT = timedelta(days=1)
CONTACT_TRIES = 5  # wrong secrets of one contact, whatever they were meant for
# Of one network address, behind which a school or a whole commune may be: 52 bits of a card and 95 of an invite are out
# of reach at any such rate, so this only slows a machine down, and a pupil must not be able to lock the school out.
NETWORK_TRIES = 1_000
# A contact joins one person at a time; more than one an hour is somebody who erases and begins anew.
CONTACT_JOINS = 3
NETWORK_JOINS = 150  # of one network address, or half of what its unit allows where that is more (an event in a hall)
STATED_TRIES = 5  # id numbers that one contact states: each answer tells whether somebody stated it before
ACCOUNT_ALARM = 200  # of a whole channel account: the log says it; locking it would lock everybody out


class Attempt(SQLModel, table=True):
    """Attempts of one kind under one name since ``since``; ``locked_until``: no further one until then. ``seen``: a
    mark for each wrong code of a contact within the hour (:func:`mark`), for the same slip made again is no new guess.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        sa.CheckConstraint("kind in ('secret', 'join')", name="kind"),
        sa.CheckConstraint("tries >= 0", name="tries"),
        {"sqlite_with_rowid": False},
    )
    kind: str = Field(primary_key=True, max_length=8)
    who: str = Field(primary_key=True, max_length=64)
    tries: int = 0
    since: datetime = Field(sa_type=UtcTime, index=True)
    locked_until: datetime | None = Field(default=None, sa_type=UtcTime)
    seen: str = Field(default="", max_length=64, sa_column_kwargs={"server_default": ""})


attempts = table_of(Attempt)


@dataclass(frozen=True, slots=True)
class Guesser:
    """Who tries secrets: the contact and, where the channel knows it, the network (an HMAC each), and the channel
    account."""

    contact: str
    network: str
    account: str


def guesser(account: str, address: str, network: str = "", *, key: bytes = b"") -> Guesser:
    """A guesser as it is counted. *network*: what the channel names a network by, ``""``: unknown. *key*: the server's
    (32 bytes); a server without one counts all the same, under names that whoever has the database may try out."""
    return Guesser(
        "contact:" + _named(key, f"{account}\0{address}"),
        "network:" + _named(key, network) if network else "",
        "account:" + _named(key, account),
    )


def _named(key: bytes, text: str) -> str:
    return hmac.digest(key, b"hoctap attempts\0" + text.encode(), hashlib.sha256).hex()[:40]


def mark(code: str, *, key: bytes = b"") -> str:
    """What tells a wrong code from the other few of its contact and nothing else of it: 16 bits."""
    return hmac.digest(key, b"hoctap wrong code\0" + code.encode(), hashlib.sha256).hex()[:4]


_FIELDS = (attempts.c.tries, attempts.c.since, attempts.c.locked_until)
_KEY = (attempts.c.kind == sa.bindparam("of"), attempts.c.who == sa.bindparam("name"))
_READ = Prepared(sa.select(*_FIELDS).where(*_KEY))
_LOCK = Prepared(sa.select(*_FIELDS).where(*_KEY).with_for_update())
_NEW = {
    "kind": sa.bindparam("of"), "who": sa.bindparam("name"), "tries": sa.literal(0), "since": sa.bindparam("now"),
    "seen": sa.literal(""),
}  # fmt: skip
_BEGIN = Prepared(pg_insert(attempts).values(**_NEW).on_conflict_do_nothing())
_BEGIN_SQLITE = Prepared(sa.insert(attempts).prefix_with("OR IGNORE").values(**_NEW))
_CHANGE = Prepared(
    sa.update(attempts)
    .where(*_KEY)
    .values(tries=sa.bindparam("count"), since=sa.bindparam("start"), locked_until=sa.bindparam("until"))
)
_SEEN = Prepared(sa.select(attempts.c.seen).where(*_KEY))
_NOTE = Prepared(sa.update(attempts).where(*_KEY).values(seen=sa.bindparam("marks")))
_PURGE = Prepared(sa.delete(attempts).where(attempts.c.since < sa.bindparam("before")))


def locked(conn: Connection, who: Guesser, now: datetime) -> datetime | None:
    """Until when this contact or its network may try no secret; ``None``: it may."""
    found: datetime | None = None
    for name in filter(None, (who.contact, who.network)):
        row = _READ.first(conn, of="secret", name=name)
        if row is not None and row.locked_until is not None and row.locked_until > now:
            found = row.locked_until if found is None else max(found, row.locked_until)
    return found


def repeated(conn: Connection, who: Guesser, tried: str, now: datetime) -> bool:
    """Has this contact tried this very code (its :func:`mark`) within the hour? It was wrong then, and is no new
    guess."""
    return tried in _marks(conn, who, now)


def _marks(conn: Connection, who: Guesser, now: datetime) -> list[str]:
    row = _READ.first(conn, of="secret", name=who.contact)
    if row is None or now - row.since >= SPAN:
        return []
    return [each for each in (_SEEN.value(conn, of="secret", name=who.contact) or "").split(",") if each]


def wrong(conn: Connection, who: Guesser, tried: str, now: datetime) -> tuple[datetime | None, bool]:
    """A secret was wrong: count it, unless this contact has tried the same (*tried*: its :func:`mark`) within the hour.
    Until when the contact or its network is locked now, and whether the whole account has just had so many
    (:data:`ACCOUNT_ALARM`) that its operator should know.

    The caller must not raise ``Refused`` afterwards: that would take the count back.
    """
    marks = _marks(conn, who, now)
    if tried in marks:
        return None, False
    ends = [_count(conn, who.contact, CONTACT_TRIES, now)]
    _NOTE.run(conn, of="secret", name=who.contact, marks=",".join([*marks, tried][-CONTACT_TRIES:]))
    if who.network:
        ends.append(_count(conn, who.network, NETWORK_TRIES, now))
    alarm = _count(conn, who.account, 0, now) is not None
    return max((each for each in ends if each is not None), default=None), alarm


def _count(conn: Connection, name: str, most: int, now: datetime) -> datetime | None:
    """One more; the end of the lock if that was the last allowed (0: no lock, the moment of the alarm instead)."""
    tries, since = _now(conn, "secret", name, now)
    tries += 1
    until = now + SPAN if most and tries >= most else None
    _CHANGE.run(conn, of="secret", name=name, count=tries, start=since, until=until)
    return now if not most and tries == ACCOUNT_ALARM else until


def _now(conn: Connection, kind: str, name: str, now: datetime) -> tuple[int, datetime]:
    """Lock the count: how many in the hour that runs, and since when that is."""
    begin = _BEGIN_SQLITE if conn.dialect.name == "sqlite" else _BEGIN
    begin.run(conn, of=kind, name=name, now=now)
    row = _LOCK.first(conn, of=kind, name=name)
    assert row is not None
    return (0, now) if now - row.since >= SPAN else (row.tries, row.since)


def state(conn: Connection, who: Guesser, now: datetime) -> datetime | None:
    """The contact states an id number: count it. ``None``: it may be looked at; else not before that moment, for
    :data:`STATED_TRIES` were looked at within the hour. It has nothing to do with the lock on secrets."""
    name = f"stated {who.contact}"
    tries, since = _now(conn, "secret", name, now)
    if tries >= STATED_TRIES:
        return since + SPAN
    _CHANGE.run(conn, of="secret", name=name, count=tries + 1, start=since, until=None)
    return None


# ------------------------------------------------------------------------------------------ joining a unit


def _joining(unit_id: int, most: int, who: Guesser) -> list[tuple[str, int]]:
    """What a joining is counted under, with the most within an hour; the unit last. Always in this order, in which the
    rows are locked."""
    found = [(who.contact, CONTACT_JOINS), (who.network, max(NETWORK_JOINS, most // 2)), (f"unit:{unit_id}", most)]
    return [each for each in found if each[0]]


def joins_again(conn: Connection, unit_id: int, most: int, who: Guesser, now: datetime) -> datetime | None:
    """From when this contact may join the unit; ``None``: now. (A look; :func:`join` decides.)"""
    ends = []
    for name, limit in _joining(unit_id, most, who):
        row = _READ.first(conn, of="join", name=name)
        if row is not None and now - row.since < SPAN and row.tries >= limit:
            ends.append(row.since + SPAN)
    return max(ends, default=None)


def join(conn: Connection, unit_id: int, most: int, who: Guesser, now: datetime) -> int | datetime:
    """Take a place among those who may join the unit within an hour: the how many-th it is, or, where the contact, its
    network or the unit has had its share, the moment from which it may be tried again (nothing is counted then).

    The count stays when the person is erased: erasing and joining anew gains nothing. The rows are locked, so this
    comes before anything that locks counters.
    """
    counts = [(name, limit, *_now(conn, "join", name, now)) for name, limit in _joining(unit_id, most, who)]
    shut = [since + SPAN for _name, limit, tries, since in counts if tries >= limit]
    if shut:
        return max(shut)
    for name, _limit, tries, since in counts:
        _CHANGE.run(conn, of="join", name=name, count=tries + 1, start=since, until=None)
    return counts[-1][2] + 1


def purge(conn: Connection, before: datetime) -> int:
    """Forget counts that began before this moment; their locks are long over."""
    return _PURGE.run(conn, before=before)
