"""People, contacts and resume codes; what is forgotten in time; files that outlive a sweep."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from storage import codes, conversations, erasure, evidence, officers, people, reviews
from storage.assessments import assessments as assessment_table
from storage.base import Connection
from storage.engine import reading, writing
from storage.housekeeping import Keep, tidy
from storage.people import contacts
from storage.recount import check
from tests.storage.test_lifecycle import COMMUNE, NOW, join, officer, submitted


def chat(conn: Connection, name: str) -> int:
    contact = people.meet(conn, "web", name, NOW)
    conversations.begin_chat(conn, contact, "{}", "vi", NOW)
    return contact


def test_a_taken_handle_is_drawn_again(database: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(
        [codes.ResumeCode(handle, digit * 11) for handle, digit in (("AAAA2", "2"), ("AAAA2", "3"), ("BBBB2", "4"))]
    )
    monkeypatch.setattr(codes, "new_resume", lambda: next(drawn))
    with writing(database) as conn:
        people.new_resume_code(conn, join(conn).id, NOW)
        assert "BBBB" in people.new_resume_code(conn, join(conn, now=NOW + timedelta(seconds=1)).id, NOW)


def test_nobody_is_kept_because_many_are_looked_at_first(database: sa.Engine) -> None:
    later = NOW + timedelta(days=40)
    with writing(database) as conn:
        for n in range(210):  # officers, and one citizen who never finished joining after them
            contact = chat(conn, f"officer-{n}")
            people.keep_contact(conn, contact)
            code = officers.invite(conn, COMMUNE, "reviewer", NOW, "test", f"Cán bộ {n}")
            officers.accept(conn, officers.open_invite(conn, codes.secret_hash(code), NOW), contact, None, NOW)
        unfinished = chat(conn, "unfinished")
        people.consent(conn, unfinished, COMMUNE, "1", "Hội", NOW)
        for n in range(230):
            chat(conn, f"stranger-{n}")
        rounds = 0
        while tidy(conn, Keep(), later):
            rounds += 1
        left = set(conn.execute(sa.select(contacts.c.address)).scalars())
    assert rounds == 1
    assert left == {f"officer-{n}" for n in range(210)}


def test_who_leaves_a_browser_can_not_be_found_there_and_their_consent_is_still_proved(database: sa.Engine) -> None:
    with writing(database) as conn:
        contact = chat(conn, "cookie")
        people.consent(conn, contact, COMMUNE, "1", "Hội", NOW)
        person = people.join(
            conn, contact, unit_id=COMMUNE, name="Lê Na", birth_year=1970, phone=None, form="ban",
            subject_group="can_bo", now=NOW,
        )  # fmt: skip
        people.leave(conn, contact)
        assert conversations.peek(conn, "web", "cookie") is None
        assert people.contacts_of(conn, person.id) == []
        tidy(conn, Keep(), NOW + timedelta(days=90))
        assert len(people.consents_of(conn, person.id)) == 1
        erasure.erase_person(conn, person, "test", NOW)
        assert people.consents_of(conn, person.id) == []


def test_notices_go_where_the_person_is_speaking(database: sa.Engine) -> None:
    with writing(database) as conn:
        contact = chat(conn, "shared")
        persons = [
            people.join(
                conn, contact, unit_id=COMMUNE, name=name, birth_year=1970, phone=None, form="ban",
                subject_group="can_bo", now=NOW,
            )
            for name in ("A A", "B B")
        ]  # fmt: skip
        conversations.speak_as(conn, contact, persons[1].id)
        assert conversations.last_used(conn, persons[0].id) is None
        found = conversations.last_used(conn, persons[1].id)
        assert found is not None
        assert found.contact_id == contact


def test_uploads_are_forgotten_unless_they_became_evidence(database: sa.Engine) -> None:
    with writing(database) as conn:
        row = submitted(conn)
        contact = chat(conn, "photos")
        for key in ("a" * 64, "b" * 64):
            evidence.put_upload(conn, contact, evidence.Picture(key, key, 10, 10, 10), NOW)
        evidence.put_chart(conn, contact, "c" * 64, 10, NOW)
        evidence.add(conn, row.id, "A1", "photo", contact_id=contact, key="a" * 64, now=NOW)
        keys = ["a" * 64, "b" * 64, "c" * 64]
        assert evidence.referenced(conn, keys) == set(keys)
        later = NOW + timedelta(days=2)
        assert evidence.purge_uploads(conn, later, NOW - timedelta(days=180), later) == 1
        assert evidence.referenced(conn, keys) == {"a" * 64, "c" * 64}
        assert evidence.purge_uploads(conn, later, later, later) == 1
        evidence.remove_all(conn, row.id, later)
        assert evidence.referenced(conn, keys) == set()


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.postgres
def test_erasing_waits_for_a_decision_under_way(database: sa.Engine) -> None:
    with writing(database) as conn:
        row, reviewer = submitted(conn), officer(conn)
    decided = threading.Event()

    def decide() -> None:
        with writing(database) as conn:
            reviews.decide(conn, reviewer, row.id, "approve", total=1, undo_for=timedelta(0), now=NOW)
            decided.set()
            time.sleep(0.3)

    thread = threading.Thread(target=decide)
    thread.start()
    decided.wait(5)
    with writing(database) as conn:
        person = people.person(conn, row.person_id)
        assert person is not None
        erasure.erase_person(conn, person, "test", NOW)
    thread.join()
    with reading(database) as conn:
        assert check(conn) == []
        assert conn.execute(sa.select(sa.func.count()).select_from(assessment_table)).scalar() == 0
