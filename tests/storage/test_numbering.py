"""Whoever comes after somebody was erased never bears their number: trail, ledger and log would mix them up."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from storage import erasure, jobs, outbox, people
from storage.base import Connection
from storage.engine import writing
from storage.jobs import jobs as job_table
from tests.storage.test_lifecycle import NOW, join, submitted


def erased(conn: Connection, person_id: int) -> None:
    person = people.person(conn, person_id)
    assert person is not None
    erasure.erase_person(conn, person, "test", NOW)


def message(conn: Connection, contact: int) -> int:
    return outbox.put(conn, account="web", address="a", contact_id=contact, body="{}", now=NOW, delivered=True)


def job(conn: Connection, contact: int) -> int:
    return jobs.put(conn, "chart", {}, account="web", address="a", contact_id=contact, now=NOW)


def test_numbers_of_people_and_dossiers_are_given_once(database: sa.Engine) -> None:
    with writing(database) as conn:
        seen = [submitted(conn)]
        for _n in range(3):
            erased(conn, seen[-1].person_id)
            seen.append(submitted(conn))
        assert len({row.person_id for row in seen}) == len({row.id for row in seen}) == 4
        erased(conn, seen[-1].person_id)
    with writing(database) as conn:  # also after a restart, and with nobody left
        assert join(conn).id > seen[-1].person_id


def test_numbers_of_contacts_messages_and_jobs_are_given_once(database: sa.Engine) -> None:
    with writing(database) as conn:
        contacts = [people.meet(conn, "web", "a", NOW)]
        told = [(message(conn, contacts[-1]), job(conn, contacts[-1]))]
        for _n in range(2):
            erasure.forget_contact(conn, contacts[-1], NOW)
            contacts.append(people.meet(conn, "web", "a", NOW))
            told.append((message(conn, contacts[-1]), job(conn, contacts[-1])))
        conn.execute(sa.update(job_table).values(outcome="done"))
        later = NOW + timedelta(days=9)
        assert (outbox.purge(conn, later), jobs.purge(conn, later)) == (1, 1)
        told.append((message(conn, contacts[-1]), job(conn, contacts[-1])))
    assert sorted(set(contacts)) == contacts
    for given in zip(*told, strict=True):
        assert sorted(set(given)) == list(given)
