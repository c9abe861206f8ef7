"""What two officers press at the same moment: the second one is told what the first has done (PostgreSQL)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from time import sleep

import pytest
import sqlalchemy as sa

from storage import announcements, codes, conversations, nudges, officers, people, units
from storage.base import Connection, Refused
from storage.engine import writing

NOW = datetime(2026, 10, 5, 2, 0, tzinfo=UTC)
# SQLite has one writer at a time.
pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database", ["postgres"], indirect=True)]
TEXT = "Lớp tin học buổi tối mở từ tuần sau tại nhà văn hóa."


def _officer(conn: Connection, name: str) -> officers.OfficerRow:
    contact = people.meet(conn, "test", name, NOW)
    conversations.begin_chat(conn, contact, "{}", "vi", NOW)
    code = officers.invite(conn, 3, "reviewer", NOW, "test", name)
    officers.accept(conn, officers.open_invite(conn, codes.secret_hash(code), NOW), contact, name, NOW)
    found = officers.of_contact(conn, contact)
    assert found is not None
    return found


def _at_once(database: sa.Engine, first: Callable[[Connection], str], second: Callable[[Connection], str]) -> list[str]:
    """What both are told, the second one begun before the first has been committed."""
    told: list[str] = []

    def run() -> None:
        try:
            with writing(database) as conn:
                told.append(second(conn))
        except Refused as refused:
            told.append(refused.code)
        except sa.exc.IntegrityError:
            told.append("a failed turn")

    other = threading.Thread(target=run)
    with writing(database) as conn:
        begun = first(conn)
        other.start()
        sleep(0.3)
    other.join()
    return [begun, *told]


def test_two_announcements_of_a_unit(database: sa.Engine) -> None:
    with writing(database) as conn:
        one, two = _officer(conn, "one"), _officer(conn, "two")
        unit = units.by_id(conn, 3)
        assert unit is not None
        citizen = people.meet(conn, "test", "citizen", NOW)
        joined = people.join(
            conn, citizen, unit_id=3, name="Lê Thị Na", birth_year=1970, phone=None, form="ban",
            subject_group="nong_dan", now=NOW,
        )  # fmt: skip
        conversations.begin_chat(conn, citizen, "{}", "vi", NOW)
        conn.execute(sa.update(conversations.conversations).where(
            conversations.conversations.c.contact_id == citizen
        ).values(person_id=joined.id))  # fmt: skip

    def announces(officer: officers.OfficerRow) -> Callable[[Connection], str]:
        return lambda conn: str(announcements.announce(conn, officer, unit, TEXT, "", NOW))

    assert _at_once(database, announces(one), announces(two)) == ["1", "announcement_today"]


def test_no_more_nudges_than_a_unit_may_get(database: sa.Engine) -> None:
    with writing(database) as conn:
        given = [_officer(conn, name) for name in ("one", "two", "three")]
        assert nudges.MOST_A_DAY == 2
        nudges.send(conn, 3, given[0].id, NOW)

    def nudge(officer: officers.OfficerRow) -> Callable[[Connection], str]:
        def send(conn: Connection) -> str:
            return nudges.hindrance(conn, 3, officer.id, NOW) or str(nudges.send(conn, 3, officer.id, NOW))

        return send

    assert _at_once(database, nudge(given[1]), nudge(given[2])) == ["2", "enough"]
