"""Pictures on their way: arriving pieces, what is to be fetched, what follows a forgotten contact or assessment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa

from storage import albums, assessments, conversations, erasure, evidence, people, shown
from storage.base import Connection, Refused
from storage.engine import reading, writing
from storage.evidence import Held
from tests.storage.test_lifecycle import COMMUNE, NOW

ACCOUNT = "telegram"


@dataclass(frozen=True)
class Draft:
    person: people.PersonRow
    contact: int
    address: str
    id: int


def draft(conn: Connection, address: str = "77") -> Draft:
    contact = people.meet(conn, ACCOUNT, address, NOW)
    conversations.begin_chat(conn, contact, "{}", "vi", NOW)
    person = people.join(
        conn, contact, unit_id=COMMUNE, name="Lê Thị Na", birth_year=1960, phone=None, form="ong_ba",
        subject_group="nong_dan", now=NOW
    )  # fmt: skip
    conversations.speak_as(conn, contact, person.id)
    row = assessments.register(conn, person, 2026, "set", "1", NOW)
    assessments.start(conn, row.id, f"person:{person.id}", "set", "1", NOW)
    return Draft(person, contact, address, row.id)


def sends(conn: Connection, to: Draft, name: str, indicator: str = "B2") -> bool:
    return assessments.add_evidence(
        conn, to.id, indicator, "photo", contact_id=to.contact, actor=f"person:{to.person.id}",
        held=Held(f"ref-{name}", name, 1000, ACCOUNT, to.address), text="Lớp học", now=NOW
    )  # fmt: skip


def due(conn: Connection, account: str = ACCOUNT, after: int = 0) -> list[evidence.ArrivalRow]:
    return evidence.arrivals_due(conn, account, NOW + timedelta(seconds=after))


def test_a_picture_by_reference_arrives_and_is_given_with_its_caption(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        assert sends(conn, mine, "a")
        (piece,) = evidence.all_of(conn, mine.id)
        assert (piece.kind, piece.status, piece.key, piece.text) == ("photo", "arriving", None, "Lớp học")
        (row,) = due(conn)
        assert (row.evidence_id, row.assessment_id, row.indicator) == (piece.id, mine.id, "B2")
        assert (row.account, row.address, row.contact_id) == (ACCOUNT, "77", mine.contact)
        assert (row.reference, row.size, row.attempts, row.made_at) == ("ref-a", 1000, 0, NOW)
        assert "ref-a" not in repr(row)
        assert due(conn, "telegram:ha_noi") == []
        assert evidence.arrive(conn, row, "k" * 64, NOW)
        (piece,) = evidence.all_of(conn, mine.id)
        assert (piece.status, piece.key, piece.text) == ("given", "k" * 64, "Lớp học")
        assert evidence.arrival(conn, row.id) is None
        assert due(conn) == []


def test_the_same_file_twice_is_one_piece_on_its_way_and_when_it_is_here(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        assert sends(conn, mine, "a")
        assert not sends(conn, mine, "a")
        assert sends(conn, mine, "a", "B1"), "beside another answer it is another piece"
        first, beside_another = due(conn)
        assert evidence.arrive(conn, first, "k1", NOW)
        assert sends(conn, mine, "a")
        (again,) = (row for row in due(conn) if row.indicator == "B2")
        assert not evidence.arrive(conn, again, "k1", NOW)
        assert evidence.arrive(conn, beside_another, "k1", NOW)
        assert [(each.indicator, each.key) for each in evidence.all_of(conn, mine.id)] == [("B2", "k1"), ("B1", "k1")]
        assert due(conn) == []


def test_those_on_their_way_count_among_the_most_pictures(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        for n in range(evidence.MOST_PICTURES):
            assert sends(conn, mine, f"p{n}")
        with pytest.raises(Refused, match="evidence_full"):
            sends(conn, mine, "one more")
        assert not sends(conn, mine, "p0")


def test_fetching_is_put_off_and_the_longest_due_comes_first(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        for name in ("a", "b", "c"):
            sends(conn, mine, name)
        first, second, third = due(conn)
        evidence.put_off(conn, first.id, NOW + timedelta(seconds=30))
        assert due(conn) == [second, third]
        assert [row.id for row in due(conn, after=30)] == [second.id, third.id, first.id]
        assert due(conn, after=30)[2].attempts == 1
        assert len(evidence.arrivals_due(conn, ACCOUNT, NOW, most=1)) == 1


def test_a_piece_taken_away_is_not_fetched(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        assessments.answer(conn, mine.id, "B2", "tot", "person:1", NOW)
        sends(conn, mine, "a")
        (row,) = due(conn)
        assessments.remove_evidence(conn, mine.id, "B2", row.evidence_id, "person:1", NOW)
        assert evidence.arrival(conn, row.id) is None
        sends(conn, mine, "b")
        assessments.start_again(conn, mine.id, "person:1", NOW)
        assert due(conn) == []


def test_what_was_lost_is_remembered_until_the_citizen_touches_that_question(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        for name, indicator in (("a", "B2"), ("b", "C1")):
            sends(conn, mine, name, indicator)
        for row in due(conn):
            assessments.lose_evidence(conn, row, NOW)
        assert evidence.all_of(conn, mine.id) == []
        assert assessments.lost_since(conn, mine.id, NOW) == ["B2", "C1"]
        assert assessments.lost_since(conn, mine.id, NOW + timedelta(seconds=1)) == []
        sends(conn, mine, "c")
        assert assessments.lost_since(conn, mine.id, NOW) == ["C1"]


def test_handing_in_once_and_what_clears_it(database: sa.Engine) -> None:
    later = NOW + timedelta(minutes=1)
    with writing(database) as conn:
        mine = draft(conn)

        def at() -> object:
            found = assessments.by_id(conn, mine.id)
            assert found is not None
            return found.handed_in_at

        assert assessments.hand_in(conn, mine.id, "person:1", NOW).handed_in_at == NOW
        assert assessments.hand_in(conn, mine.id, "person:1", later).handed_in_at == NOW
        assert at() == NOW
        assert assessments.start_again(conn, mine.id, "person:1", NOW).handed_in_at is None
        assert at() is None
        assessments.hand_in(conn, mine.id, "person:1", NOW)
        assert assessments.submit(conn, mine.id, "person:1", later).handed_in_at is None
        assert at() is None
        with pytest.raises(Refused, match="assessment_state"):
            assessments.hand_in(conn, mine.id, "person:1", NOW)
        assessments.withdraw(conn, mine.id, "person:1", NOW)
        assessments.start(conn, mine.id, "person:1", "set", "1", NOW)
        assessments.hand_in(conn, mine.id, "person:1", NOW)
        assessments.withdraw(conn, mine.id, "person:1", NOW)
        assert at() is None


def test_a_forgotten_contact_takes_along_what_hangs_on_it(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        sends(conn, mine, "a")
        albums.land(conn, mine.contact, "album", mine.id, "B2", NOW)
        albums.refuse(conn, mine.contact, "other", NOW)
        shown.keep(conn, ACCOUNT, mine.address, shown.Shown(3, 10))
        conn.execute(sa.delete(people.contact_person))
        erasure.forget_contact(conn, mine.contact, NOW)
        for table in (evidence.evidence, evidence.arrivals, albums.albums, shown.shown):
            assert conn.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0, table.name


def test_an_erased_person_takes_along_arrivals_albums_and_what_the_chat_showed(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine, other = draft(conn), draft(conn, "78")
        for each in (mine, other):
            sends(conn, each, "a")
            albums.land(conn, each.contact, "album", each.id, "B2", NOW)
            shown.keep(conn, ACCOUNT, each.address, shown.Shown(3, 10))
        erasure.erase_person(conn, mine.person, "test", NOW)
        (left,) = due(conn)
        assert left.assessment_id == other.id
        for table in (evidence.evidence, albums.albums, shown.shown):
            assert conn.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 1, table.name


def test_albums_land_once_are_refused_for_good_and_purged(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        assert albums.of(conn, mine.contact, "x") is None
        albums.land(conn, mine.contact, "x", mine.id, "B2", NOW)
        assert albums.of(conn, mine.contact, "x") == albums.Landed(mine.id, "B2")
        assert albums.of(conn, mine.contact + 1, "x") is None
        albums.refuse(conn, mine.contact, "x", NOW)
        assert albums.of(conn, mine.contact, "x") == albums.Landed(None, None)
        assert albums.purge(conn, NOW) == 0
        assert albums.purge(conn, NOW + timedelta(seconds=1)) == 1
    with reading(database) as conn:
        assert albums.of(conn, mine.contact, "x") is None
