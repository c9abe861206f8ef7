"""Rows of imported lists, and people who joined, for tests of storage: on :mod:`tests.support.units`."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from storage import counters, identity, imports, people, titles
from storage.base import Connection
from storage.identity import Key, KeyRing, Traces
from storage.imported import Listed, Past

NOW = datetime(2026, 10, 5, 2, 0, tzinfo=UTC)
DIGEST, OTHER = "a" * 64, "b" * 64
HONG_GAI, HA_LONG, CHI_HOI = 3, 4, 5
RING = KeyRing((Key("VN-1", 1, secrets.token_bytes(32)),))


def keys() -> KeyRing:
    """As a turn asks for them."""
    return RING


def listed(row: int, name: str = "Nguyễn Văn Hùng", year: int | None = 2024, **other: Any) -> Listed:
    """A good row; with *year* None it has no title."""
    facts = {
        "unit_id": HONG_GAI, "birth_year": 1957, "phone": None, "number": None, "subject_group": "nong_dan",
        **other,
    }  # fmt: skip
    past = Past(year, facts["unit_id"], "12/QĐ-HKH", date(2024, 12, 20)) if year else None
    return Listed(row=row, name=name, title=past, **facts)


def keyed(conn: Connection, ring: KeyRing = RING) -> KeyRing:
    """The keys, known to the database."""
    for key in ring.keys:
        if key.id not in {known.id for known in identity.known_keys(conn)}:
            identity.register(conn, key, NOW)
    return ring


def take(conn: Connection, rows: list[Listed], digest: str = DIGEST) -> list[str]:
    """Import a whole list; the verdicts."""
    run = imports.begin(conn, digest, "list.xlsx", "phần mềm trước", "cli", NOW)
    ring, found = keyed(conn), []
    while rows:
        done = imports.take(conn, run, rows, NOW, ring)
        found += [verdict for _row, verdict in done]
        rows = rows[len(done) :]
    imports.end(conn, run, "cli", NOW)
    return found


def undo(conn: Connection, run_id: int, *, confirmed: bool = False) -> imports.Undone:
    """Take a whole run back; its last step."""
    imports.undo(conn, run_id, "cli", NOW)
    step = imports.undo_step(conn, run_id, "cli", NOW, confirmed=confirmed)
    while step.after is not None:
        step = imports.undo_step(conn, run_id, "cli", NOW, step.after, confirmed=confirmed)
    return step


def recognised(conn: Connection, unit: int = HONG_GAI, year: int = 2024) -> int:
    """How many titles are counted."""
    return sum(n for (_group, status), n in counters.own(conn, unit, year).items() if status == titles.RECOGNISED)


def count(conn: Connection, table: sa.Table) -> int:
    """How many rows."""
    return int(conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def joined(conn: Connection, name: str = "Nguyễn Văn Hùng", unit: int = HONG_GAI, **other: Any) -> people.PersonRow:
    """Somebody who joined."""
    contact = people.meet(conn, "test", secrets.token_hex(8), NOW)
    people.consent(conn, contact, unit, "1", "Hội", NOW)
    facts = {"birth_year": 1957, "phone": None, **other}
    return people.join(
        conn, contact, unit_id=unit, name=name, form="ong_ba", subject_group="nong_dan", now=NOW, **facts
    )


def stated(conn: Connection, person: people.PersonRow, number: str) -> None:
    """They state their id number."""
    identity.keep(conn, person.id, identity.seal(conn, keyed(conn), number, person.id), NOW)


def traced(conn: Connection, number: str, ring: KeyRing = RING) -> Traces:
    """An id number as a list brings it."""
    return identity.traces(keyed(conn, ring), number)
