"""Whoever comes after somebody was erased never bears their number: trail, ledger and log would mix them up."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from storage import counters, erasure, imported, imports, jobs, numbering, outbox, people, suggestions, units
from storage.base import Connection
from storage.engine import metadata, writing
from storage.jobs import jobs as job_table
from tests.storage.test_lifecycle import COMMUNE, NOW, join, submitted
from tests.support import lists

LATER = NOW + timedelta(days=365)


def erased(conn: Connection, person_id: int) -> None:
    person = people.person(conn, person_id)
    assert person is not None
    erasure.erase_person(conn, person, "test", NOW)


def contact(conn: Connection) -> int:
    return people.meet(conn, "web", secrets.token_hex(8), NOW)


def a_person(conn: Connection) -> Callable[[], object]:
    person = join(conn)
    return lambda: erased(conn, person.id)


def a_contact(conn: Connection) -> Callable[[], object]:
    made = contact(conn)
    return lambda: erasure.forget_contact(conn, made, NOW)


def a_dossier(conn: Connection) -> Callable[[], object]:
    row = submitted(conn)
    return lambda: erased(conn, row.person_id)


def a_message(conn: Connection) -> Callable[[], object]:
    outbox.put(conn, account="web", address="a", contact_id=contact(conn), body="{}", now=NOW, delivered=True)
    return lambda: outbox.purge(conn, LATER)


def a_message_of_a_contact(conn: Connection) -> Callable[[], object]:
    made = contact(conn)
    outbox.put(conn, account="web", address="a", contact_id=made, body="{}", now=NOW, delivered=True)
    return lambda: erasure.forget_contact(conn, made, NOW)


def a_job(conn: Connection) -> Callable[[], object]:
    jobs.put(conn, "chart", {}, account="web", address="a", contact_id=contact(conn), now=NOW)
    conn.execute(sa.update(job_table).values(outcome="done"))
    return lambda: jobs.purge(conn, LATER)


def a_job_of_a_contact(conn: Connection) -> Callable[[], object]:
    made = contact(conn)
    jobs.put(conn, "chart", {}, account="web", address="a", contact_id=made, now=NOW)
    return lambda: erasure.forget_contact(conn, made, NOW)


def a_list(conn: Connection) -> Callable[[], object]:
    """Somebody with a title."""
    lists.take(conn, [lists.listed(5)])
    run = imports.listing(conn)[0].id
    return lambda: lists.undo(conn, run)


def a_list_of_one_who_is_erased(conn: Connection) -> Callable[[], object]:
    name = "Nguyễn Văn " + "".join(secrets.choice("abcdefgh") for _n in range(12))  # who was erased stays away
    lists.take(conn, [lists.listed(5, name)], secrets.token_hex(32))
    known = conn.execute(sa.select(sa.func.max(imported.imported_people.c.id))).scalar_one()
    return lambda: imported.forget(conn, known, "test", NOW)


def a_suggestion(conn: Connection) -> Callable[[], object]:
    person, unit = join(conn), units.by_id(conn, COMMUNE)
    assert unit is not None
    suggestions.write(conn, unit, "Xin mở thêm lớp tin học.", "", NOW, person_id=person.id)
    return lambda: erased(conn, person.id)


def an_old_suggestion(conn: Connection) -> Callable[[], object]:
    a_suggestion(conn)
    return lambda: suggestions.purge(conn, LATER, LATER)


LIVES: dict[str, tuple[Callable[[Connection], Callable[[], object]], ...]] = {
    "people": (a_person,),
    "contacts": (a_contact,),
    "assessments": (a_dossier,),
    "jobs": (a_job, a_job_of_a_contact),
    "outbox": (a_message, a_message_of_a_contact),
    "imported_people": (a_list, a_list_of_one_who_is_erased),
    "titles": (a_list, a_list_of_one_who_is_erased),
    "suggestions": (a_suggestion, an_old_suggestion),
}


def test_every_table_is_tried() -> None:
    assert LIVES.keys() == set(numbering.TABLES)


@pytest.mark.parametrize(("table", "life"), [(table, life) for table, lives in LIVES.items() for life in lives])
def test_a_number_is_given_once(
    database: sa.Engine, table: str, life: Callable[[Connection], Callable[[], object]]
) -> None:
    newest = sa.select(sa.func.max(metadata.tables[table].c.id))
    seen: list[int] = []
    for _restart in range(3):  # also after a restart, and with nobody left
        with writing(database) as conn:
            ends = life(conn)
            seen.append(conn.execute(newest).scalar_one())
            ends()
            assert conn.execute(newest).scalar() is None
    assert seen == sorted(set(seen))


def test_the_ledger_of_a_title_is_no_other_title_s(database: sa.Engine) -> None:
    with writing(database) as conn:
        for _again in range(3):
            a_list(conn)()
        lines = conn.execute(
            sa.select(counters.ledger.c.assessment_id, counters.ledger.c.before, counters.ledger.c.after)
            .where(counters.ledger.c.assessment_id < 0)
            .order_by(counters.ledger.c.id)
        ).all()
    assert len(lines) == 6
    for came, went in zip(lines[::2], lines[1::2], strict=True):
        assert came.assessment_id == went.assessment_id
        assert (came.before, went.after) == (None, None)
    assert len({line.assessment_id for line in lines}) == 3
