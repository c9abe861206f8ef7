"""No picture is deleted while anything refers to it, and none stays when nothing does, whatever comes between."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from storage import assessments, deletions, erasure, evidence, people, sent_files
from storage.base import Connection, Refused
from storage.engine import open_engine, reading, writing
from storage.evidence import Picture, uploads
from storage.tables import metadata
from tests.storage.test_lifecycle import NOW, join
from tests.storage.test_lifecycle import submitted as submitted_by_somebody
from tests.support.units import few_units

EXAMPLES = int(os.environ.get("HOCTAP_EXAMPLES", "60"))
PEOPLE, PICTURES = 2, 2


def key_of(n: int) -> str:
    return hashlib.sha256(bytes([n])).hexdigest()


def sent(conn: Connection, contact: int, key: str, now: datetime = NOW, thumbnail: str | None = None) -> None:
    """The picture is in the store, and its row is written."""
    evidence.put_upload(conn, contact, Picture(key, key, 10, 10, 10, thumbnail=thumbnail), now)
    deletions.release(conn, key)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    engine = open_engine("sqlite:///:memory:")
    with writing(engine) as conn:
        metadata.create_all(conn)
        few_units(conn)
        yield conn
    engine.dispose()


class Life:
    """Several people's uploads, each in its steps, beside the deleting loop in its own; the store is a set of keys."""

    def __init__(self, conn: Connection) -> None:
        self.conn, self.now = conn, NOW
        self.store: set[str] = set()
        self.claimed: list[str] = []
        self.deleted: list[str] = []
        self.under_way: dict[tuple[int, int], str] = {}
        self.contacts = [people.meet(conn, "test", f"phone-{n}", NOW) for n in range(PEOPLE)]
        self.dossiers = [submitted_by_somebody(conn).id for _ in range(PEOPLE)]

    def uploads(self, who: int, picture: int) -> None:
        """The next step of an upload: announced, stored, its row written."""
        key = key_of(picture)
        match self.under_way.get((who, picture)):
            case None:
                if deletions.hold(self.conn, [key], self.now):
                    self.under_way[who, picture] = "announced"
            case "announced":
                self.store.add(key)
                self.under_way[who, picture] = "stored"
            case _:
                sent(self.conn, self.contacts[who], key, self.now)
                del self.under_way[who, picture]

    def adds(self, who: int, picture: int) -> None:
        try:
            evidence.add(
                self.conn, self.dossiers[who], "A1", "photo", contact_id=self.contacts[who], key=key_of(picture),
                now=self.now,
            )  # fmt: skip
        except Refused as refused:
            assert refused.code == "evidence_foreign"

    def removes(self, who: int, picture: int) -> None:
        for piece in evidence.all_of(self.conn, self.dossiers[who]):
            if piece.key == key_of(picture):
                evidence.remove(self.conn, self.dossiers[who], piece.id, self.now)

    def goes(self, who: int, _: int) -> None:
        evidence.remove_all(self.conn, self.dossiers[who], self.now)
        evidence.forget_uploads(self.conn, self.contacts[who], self.now)

    def time_passes(self, *_: int) -> None:
        self.now += timedelta(minutes=1)
        evidence.purge_uploads(self.conn, self.now - timedelta(minutes=3), self.now, self.now)

    def crashes(self, *_: int) -> None:
        self.under_way.clear()
        self.claimed, self.deleted = [], []

    def deletes(self, *_: int) -> None:
        """The next step of the loop: claimed, gone from the store, settled."""
        if self.deleted:
            deletions.settle(self.conn, self.deleted)
            self.deleted = []
        elif self.claimed:
            self.store -= set(self.claimed)
            self.deleted, self.claimed = self.claimed, []
        else:
            self.claimed = evidence.claim_deletions(self.conn, self.now)

    def nothing_is_lost(self) -> None:
        assert set(evidence.all_references(self.conn)) <= self.store


STEPS = (*("uploads", "deletes") * 3, "adds", "removes", "goes", "time_passes", "crashes")

Steps = list[tuple[str, int, int]]


def acts(*told: str) -> Steps:
    """``"0 uploads"``: who does what, of the first picture."""
    return [(name, int(who), 0) for who, name in (each.split() for each in told)]


THERE = ("0 uploads",) * 3
GOING = ("0 goes", "0 deletes", "0 deletes")  # claimed, and gone from the store


@example(steps=acts(*THERE, "1 uploads", "1 uploads", *GOING, "1 uploads"))  # sent by two, one of them goes
@example(steps=acts(*THERE, "1 uploads", *GOING, "1 uploads", "1 uploads"))
@example(
    steps=acts(*THERE, *GOING[:2], "1 uploads", "1 uploads", "1 uploads", "1 deletes", "1 deletes")
)  # at that moment
@example(steps=acts(*THERE, *GOING, "1 uploads", "1 uploads", "1 uploads", "1 deletes", "1 uploads"))
@example(steps=acts(*THERE, "0 adds", "0 removes", "0 deletes", "0 adds", "0 deletes"))
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(STEPS), st.integers(0, PEOPLE - 1), st.integers(0, PICTURES - 1)), max_size=45
    )
)
def test_in_the_end_the_store_holds_exactly_what_is_referred_to(connection: Connection, steps: Steps) -> None:
    with connection.begin_nested() as savepoint:
        life = Life(connection)
        for name, who, picture in steps:
            getattr(life, name)(who, picture)
            life.nothing_is_lost()
        life.crashes()
        life.now += deletions.HOLD + deletions.CLAIM
        for _ in range(20):
            life.deletes()
        assert life.store == set(evidence.all_references(connection))
        assert connection.execute(sa.select(deletions.deletions)).all() == []
        savepoint.rollback()


def test_one_persons_picture_is_not_deleted_with_anothers(database: sa.Engine) -> None:
    """Erased by the product's own verb, on both databases."""
    shared, own, small = key_of(1), key_of(2), key_of(3)
    with writing(database) as conn:
        persons = [join(conn, now=NOW + timedelta(seconds=n)) for n in range(2)]
        contacts = [people.contacts_of(conn, person.id)[0].contact_id for person in persons]
        for person, contact in zip(persons, contacts, strict=True):
            row = assessments.register(conn, person, 2026, "set", "1", NOW)
            for key in (shared, own) if person is persons[0] else (shared,):
                sent(conn, contact, key, thumbnail=small if key == own else None)
                evidence.add(conn, row.id, "A1", "photo", contact_id=contact, key=key, now=NOW)
            sent_files.keep(conn, "test", own, "ref", NOW)
        assert (evidence.references(conn, shared), evidence.references(conn, own)) == (2, 1)
        erasure.erase_person(conn, persons[0], "test", NOW)
        assert (evidence.references(conn, shared), evidence.references(conn, own)) == (1, 0)
    with writing(database) as conn:
        assert sorted(evidence.claim_deletions(conn, NOW)) == sorted([own, small])  # at once
        assert evidence.claim_deletions(conn, NOW) == []  # another process would not do it twice
        assert sent_files.reference(conn, "test", own) is None
        assert not deletions.hold(conn, [own], NOW)
        deletions.settle(conn, [own])
        deletions.put_off(conn, [small], NOW)
        assert deletions.hold(conn, [own], NOW)
        assert evidence.claim_deletions(conn, NOW + timedelta(seconds=5)) == [small]
    with reading(database) as conn:
        assert evidence.all_references(conn) == [shared]


def test_a_picture_deleted_a_moment_ago_is_not_evidence(database: sa.Engine) -> None:
    with writing(database) as conn:
        row = submitted_by_somebody(conn)
        contact = people.meet(conn, "test", "phone", NOW)
        sent(conn, contact, key_of(1))
        evidence.add(conn, row.id, "A1", "photo", contact_id=contact, key=key_of(1), now=NOW)
        (piece,) = evidence.all_of(conn, row.id)
        evidence.remove(conn, row.id, piece.id, NOW)
        assert evidence.claim_deletions(conn, NOW) == [key_of(1)]
        assert conn.execute(sa.select(uploads.c.key)).all() == []
        with pytest.raises(Refused, match="evidence_foreign"):
            evidence.add(conn, row.id, "A1", "photo", contact_id=contact, key=key_of(1), now=NOW)


def test_deletions_that_do_not_end_are_counted(connection: Connection) -> None:
    before = deletions.older_than(connection, NOW)
    deletions.after(connection, [key_of(77)], NOW - timedelta(hours=1))
    assert deletions.older_than(connection, NOW - timedelta(hours=1)) == before
    assert deletions.older_than(connection, NOW) == before + 1
