"""Announcements (thông báo): what an officer writes to the citizens of the own unit and all below, once a day a unit.

A row until everybody has been written to, so that a restart goes on where it stopped; who could be reached is counted
from the outbox, and told to the officer in the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import audit, officers, outbox, seasons
from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of
from storage.conversations import Reach, conversations
from storage.officers import OfficerRow, officer_contacts
from storage.outbox import outbox as outgoing
from storage.people import contacts, people
from storage.reminders import FIRST_HOUR, morning_after, stops
from storage.units import Unit, UnitRow

SHORTEST, LONGEST = 20, 1_000  # characters
MOST_PEOPLE = 10_000  # that one announcement may reach, and those of one officer on one day
REPORTED_AFTER = timedelta(hours=24)  # at the latest: what has not left by then counts as not reached


class Announcement(SQLModel, table=True):
    """One announcement. ``day``: on which it is sent, so that one made at night is the next day's; ``people``: how many
    it was to reach; ``after``: the last person written to; ``written``: how many messages went into the outbox;
    ``spared``: who had another one that day."""

    __tablename__ = "announcements"
    __table_args__ = (
        sa.UniqueConstraint("unit_id", "day"),
        sa.CheckConstraint("length(text) between 20 and 1000", name="text"),
        sa.CheckConstraint("done_at is null or all_written", name="done"),
        sa.Index(
            "ix_announcements_open",
            "id",
            sqlite_where=sa.text("done_at is null"),
            postgresql_where=sa.text("done_at is null"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    unit_id: int = Field(foreign_key="units.id")
    officer_id: int = Field(foreign_key="officers.id", index=True)
    day: date
    text: str = Field(sa_type=sa.Text)
    made_at: datetime = Field(sa_type=UtcTime, index=True)
    after: int = Field(default=0, sa_type=BigId)
    written: int = 0
    all_written: bool = False
    sent: int = 0
    unreachable: int = 0
    done_at: datetime | None = Field(default=None, sa_type=UtcTime)
    people: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    spared: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


announcements = table_of(Announcement)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class AnnouncementRow:
    """An announcement as found; ``path`` and ``unit_name`` are of its unit."""

    id: int
    unit_id: int
    unit_name: str
    path: str
    officer_id: int
    text: str
    made_at: datetime
    after: int
    written: int
    all_written: bool
    spared: int


# ------------------------------------------------------------------------------------------ may I

TOPIC = "announcement:"  # that the outbox topics of announcements begin with

# Whatever a messenger would make something to press of: an address with a scheme or "www.", a mention, numbers of a
# machine, a name with a dot in it and small letters behind that, or an ending that is known for what it is. "tới
# học.Nhớ mang sổ" is none, for a sentence begins with a capital or an accent; nor are telephone numbers and sums of
# money, as they are written here: 091.234.56.78, 1.200.000.000 đồng, 1.tr.
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_LINK = re.compile(
    r"(?i:\b[a-z][a-z0-9+.-]*://|www\.)\S+"
    r"|(?<![\w.])@\w{4,}"
    rf"|(?<![\w.]){_BYTE}(?:\.{_BYTE}){{3}}\b(?:[:/]\S*)?"
    r"|\b(?:[\w-]+\.)*[\w-]*[^\W\d_][\w-]*\.[a-z]{2,24}\b(?:[:/]\S*)?"
    r"|\b(?:[\w-]+\.)+(?i:vn|com|net|org|info|me|ly|gl|io|xyz|top|site|online|shop|club|click|app|cc|tk|ru|cn|icu|vip)"
    r"\b(?:[:/]\S*)?"
)


def checked(text: str, own_site: str) -> str:
    """A text that may be sent. Raises ``Refused``: ``announcement_short`` (least), ``announcement_long`` (most),
    ``announcement_link`` (link): one that leads anywhere but to the site at *own_site* (an address; "" for none).

    An officer's chat that falls into wrong hands must not be able to send a whole commune to a false page.
    """
    if len(text) < SHORTEST:
        raise Refused("announcement_short", least=SHORTEST)
    if len(text) > LONGEST:
        raise Refused("announcement_long", most=LONGEST)
    link = foreign_link(text, own_site)
    if link is not None:
        raise Refused("announcement_link", link=link)
    return text


def foreign_link(text: str, own_site: str) -> str | None:
    """The first link in a text that leads anywhere but to the site at *own_site* (40 characters of it), or ``None``."""
    own = _host(own_site) if own_site else ""
    return next((found[:40] for found in _LINK.findall(text) if not own or _host(found) != own), None)


def _host(address: str) -> str:
    """The machine that an address leads to; ``""``: none, or one that browsers and this library read differently (a
    name before an ``@``, a stroke that leans the wrong way)."""
    try:
        found = urlsplit(address if "://" in address else f"//{address}")
        host = found.hostname or ""
    except ValueError:  # brackets that are no address
        return ""
    if "@" in found.netloc or "\\" in address:
        return ""
    return host.rstrip(".,;").removeprefix("www.")


_TODAYS_PEOPLE = Prepared(
    sa.select(sa.func.coalesce(sa.func.sum(announcements.c.people), 0)).where(
        announcements.c.officer_id == sa.bindparam("officer"), announcements.c.day == sa.bindparam("on_day")
    )
)
_TODAY = Prepared(
    sa.select(announcements.c.made_at, announcements.c.officer_id).where(
        announcements.c.unit_id == sa.bindparam("unit"), announcements.c.day == sa.bindparam("on_day")
    )
)


def may_announce(conn: Connection, officer: OfficerRow, unit: UnitRow, now: datetime) -> int:
    """How many citizens an announcement of this unit would reach now. Raises ``Refused``: ``out_of_scope``,
    ``announcement_today`` (officer, at, on), ``announcement_many`` (most), ``announcement_enough`` (most; an officer's
    on one day together), ``announcement_nobody``."""
    if not officers.covers(officer, unit.path):
        raise Refused("out_of_scope")
    day = _sent_on(now)
    earlier = _TODAY.first(conn, unit=unit.id, on_day=day)
    if earlier is not None:
        called = officers.name_of(conn, earlier.officer_id)
        raise Refused("announcement_today", officer=called, at=earlier.made_at, on=day)
    found = reachable(conn, unit.path)
    if found > MOST_PEOPLE:
        raise Refused("announcement_many", most=MOST_PEOPLE)
    if not found:
        raise Refused("announcement_nobody")
    if found + _TODAYS_PEOPLE.value(conn, officer=officer.id, on_day=day) > MOST_PEOPLE:
        raise Refused("announcement_enough", most=MOST_PEOPLE)
    return found


def _sent_on(now: datetime) -> date:
    """The day on which one that is made now is sent: at night the next."""
    return seasons.today(morning_after(now))


_WILLING = (
    ~sa.exists(sa.select(stops.c.person_id).where(stops.c.person_id == people.c.id)),
    sa.exists(
        sa.select(conversations.c.contact_id)
        .join(contacts, contacts.c.id == conversations.c.contact_id)
        .where(conversations.c.person_id == people.c.id, contacts.c.reachable)
    ),
)
_BELOW = (units.c.path >= sa.bindparam("low"), units.c.path < sa.bindparam("high"))
_REACHABLE = Prepared(
    sa.select(sa.func.count()).select_from(
        sa.select(people.c.id)
        .select_from(units.join(people, people.c.unit_id == units.c.id))
        .where(*_BELOW, *_WILLING)
        .limit(sa.bindparam("most"))
        .subquery()
    )
)


def reachable(conn: Connection, path: str, most: int = MOST_PEOPLE + 1) -> int:
    """How many citizens at or below a unit can be written to unasked; counted up to *most*."""
    found: int = _REACHABLE.value(conn, low=path, high=path[:-1] + "0", most=most)
    return found


# ------------------------------------------------------------------------------------------ sending

_LOCK_OFFICER = Prepared(
    sa.select(officers.officers.c.id)
    .where(officers.officers.c.id == sa.bindparam("officer"))
    .with_for_update(key_share=True)
)
_LOCK_UNIT = Prepared(sa.select(units.c.id).where(units.c.id == sa.bindparam("unit")).with_for_update(key_share=True))
_PUT = Prepared(
    sa.insert(announcements)
    .values(
        unit_id=sa.bindparam("unit"),
        officer_id=sa.bindparam("officer"),
        day=sa.bindparam("on_day"),
        text=sa.bindparam("words"),
        made_at=sa.bindparam("now"),
        after=0,
        written=0,
        all_written=False,
        sent=0,
        unreachable=0,
        people=sa.bindparam("count"),
        spared=0,
    )
    .returning(announcements.c.id)
)


def announce(conn: Connection, officer: OfficerRow, unit: UnitRow, text: str, own_site: str, now: datetime) -> int:
    """Announce: how many it will reach. Raises as :func:`checked` and :func:`may_announce`."""
    checked(text, own_site)
    # Two officers of a unit at once, or one on two phones: the second one sees what the first has sent.
    _LOCK_OFFICER.first(conn, officer=officer.id)
    _LOCK_UNIT.first(conn, unit=unit.id)
    count = may_announce(conn, officer, unit, now)
    made: int = _PUT.value(
        conn, unit=unit.id, officer=officer.id, on_day=_sent_on(now), words=text, now=now, count=count
    )
    audit.write(conn, f"officer:{officer.id}", "announcement.made", f"announcement:{made}", now, unit.id, people=count)
    return count


_COLUMNS = (
    announcements.c.id,
    announcements.c.unit_id,
    units.c.name.label("unit_name"),
    units.c.path,
    announcements.c.officer_id,
    announcements.c.text,
    announcements.c.made_at,
    announcements.c.after,
    announcements.c.written,
    announcements.c.all_written,
    announcements.c.spared,
)
_OPEN = Prepared(
    sa.select(*_COLUMNS)
    .select_from(announcements.join(units, units.c.id == announcements.c.unit_id))
    .where(announcements.c.done_at.is_(None))
    .order_by(announcements.c.id)
)
_LOCKED = Prepared(
    sa.select(*_COLUMNS)
    .select_from(announcements.join(units, units.c.id == announcements.c.unit_id))
    .where(announcements.c.id == sa.bindparam("which"), announcements.c.done_at.is_(None))
    .with_for_update(of=announcements)
)
_HAD_ONE = sa.exists(
    sa.select(outgoing.c.id).where(
        outgoing.c.person_id == people.c.id,
        outgoing.c.topic.like(f"{TOPIC}%"),
        outgoing.c.not_before >= sa.bindparam("since", type_=UtcTime),
        outgoing.c.outcome != "cancelled",
    )
)
_NEXT = Prepared(
    sa.select(people.c.id, _HAD_ONE.label("had_one"))
    .select_from(units.join(people, people.c.unit_id == units.c.id))
    .where(*_BELOW, people.c.id > sa.bindparam("after"), *_WILLING)
    .order_by(people.c.id)
    .limit(sa.bindparam("most"))
)
_GO_ON = Prepared(
    sa.update(announcements)
    .where(announcements.c.id == sa.bindparam("which"))
    .values(
        after=sa.bindparam("upto", type_=sa.BigInteger),
        written=announcements.c.written + sa.bindparam("more", type_=sa.Integer),
        spared=announcements.c.spared + sa.bindparam("not_more", type_=sa.Integer),
        all_written=sa.bindparam("ended"),
    )
)
_OPEN_ON = Prepared(
    sa.select(announcements.c.id).where(
        announcements.c.unit_id == sa.bindparam("unit"), announcements.c.done_at.is_(None)
    )
)


_OPEN_OF = Prepared(
    sa.select(announcements.c.id)
    .where(announcements.c.officer_id == sa.bindparam("officer"), announcements.c.done_at.is_(None))
    .order_by(announcements.c.id)
)


def under_way(conn: Connection) -> list[AnnouncementRow]:
    """What is not done yet, oldest first."""
    return [AnnouncementRow(*row) for row in _OPEN.all(conn)]


def locked(conn: Connection, announcement_id: int) -> AnnouncementRow | None:
    """One that is not done yet, locked until the transaction ends."""
    row = _LOCKED.first(conn, which=announcement_id)
    return None if row is None else AnnouncementRow(*row)


def open_on(conn: Connection, unit_id: int) -> int | None:
    """The announcement of a unit that is not done yet."""
    found: int | None = _OPEN_ON.value(conn, unit=unit_id)
    return found


def next_people(conn: Connection, row: AnnouncementRow, most: int, now: datetime) -> list[tuple[int, bool]]:
    """The next citizens (row ids of people), and who of them has one on this day already, of whatever unit: they are
    not written to again."""
    low, high = row.path, row.path[:-1] + "0"
    since = datetime.combine(seasons.today(now), time(FIRST_HOUR), seasons.ZONE)
    found = _NEXT.all(conn, low=low, high=high, after=row.after, most=most, since=since)
    return [(each.id, bool(each.had_one)) for each in found]


def go_on(conn: Connection, row: AnnouncementRow, upto: int, written: int, spared: int, *, ended: bool) -> None:
    """These have been written to or spared, up to a person; *ended*: they were the last."""
    _GO_ON.run(conn, which=row.id, upto=upto, more=written, not_more=spared, ended=ended)


def topic(announcement_id: int) -> str:
    """The outbox topic of an announcement's messages."""
    return f"{TOPIC}{announcement_id}"


# ------------------------------------------------------------------------------------------ what came of it

_OUTCOMES = Prepared(
    sa.select(outgoing.c.outcome, sa.func.count().label("n"))
    .where(outgoing.c.topic == sa.bindparam("of"))
    .group_by(outgoing.c.outcome)
)
_DONE = Prepared(
    sa.update(announcements)
    .where(announcements.c.id == sa.bindparam("which"), announcements.c.done_at.is_(None))
    .values(
        sent=sa.bindparam("arrived"),
        unreachable=sa.bindparam("lost"),
        all_written=True,
        done_at=sa.bindparam("now"),
    )
)


def outcome(conn: Connection, row: AnnouncementRow, now: datetime) -> tuple[int, int] | None:
    """How many messages of an announcement that is all written were sent and how many were not; ``None`` while some
    wait, for a day at most."""
    found = {each.outcome: each.n for each in _OUTCOMES.all(conn, of=topic(row.id))}
    if found.get("waiting") and now - row.made_at < REPORTED_AFTER:
        return None
    sent = found.get("sent", 0)
    return sent, max(row.written - sent, 0)


def close(conn: Connection, row: AnnouncementRow, sent: int, unreachable: int, now: datetime) -> bool:
    """The announcement is done; ``False`` where another process was quicker. What waits still is not sent any more."""
    if _DONE.run(conn, which=row.id, arrived=sent, lost=unreachable, now=now) == 0:
        return False
    outbox.cancel(conn, topic(row.id))
    audit.write(
        conn, "system", "announcement.done", f"announcement:{row.id}", now, row.unit_id, sent=sent, lost=unreachable
    )
    return True


def stop(conn: Connection, row: AnnouncementRow, by: str, now: datetime) -> int:
    """Nobody else gets it: what waits is not sent, nobody more is written to. How many had got it by now.

    *by* as in the audit trail. Meant for the announcement's own lock (:func:`locked`).
    """
    outbox.cancel(conn, topic(row.id))
    sent = next((each.n for each in _OUTCOMES.all(conn, of=topic(row.id)) if each.outcome == "sent"), 0)
    _DONE.run(conn, which=row.id, arrived=sent, lost=max(row.written - sent, 0), now=now)
    audit.write(conn, by, "announcement.stopped", f"announcement:{row.id}", now, row.unit_id, sent=sent)
    return int(sent)


def stop_all_of(conn: Connection, officer_id: int, by: str, now: datetime) -> int:
    """Stop whatever an officer has on its way; how many announcements."""
    found = [each.id for each in _OPEN_OF.all(conn, officer=officer_id)]
    rows = [row for row in (locked(conn, each) for each in found) if row is not None]
    for row in rows:
        stop(conn, row, by, now)
    return len(rows)


_OF_OFFICER = Prepared(
    sa.select(contacts.c.id, contacts.c.account, contacts.c.address, conversations.c.language)
    .select_from(
        officer_contacts.join(contacts, contacts.c.id == officer_contacts.c.contact_id).join(
            conversations, conversations.c.contact_id == contacts.c.id
        )
    )
    .where(officer_contacts.c.officer_id == sa.bindparam("officer"), contacts.c.reachable)
    .order_by(contacts.c.id)
)


def contacts_of_officer(conn: Connection, officer_id: int) -> list[Reach]:
    """The reachable contacts through which an officer acts."""
    return [Reach(*row) for row in _OF_OFFICER.all(conn, officer=officer_id)]


def purge(conn: Connection, before: datetime, most: int = 500) -> int:
    """Forget announcements that were done long ago, at most so many at once; how many."""
    old = (
        sa.select(announcements.c.id)
        .where(announcements.c.done_at.is_not(None), announcements.c.made_at < before)
        .order_by(announcements.c.id)
        .limit(most)
    )
    return conn.execute(sa.delete(announcements).where(announcements.c.id.in_(old))).rowcount
