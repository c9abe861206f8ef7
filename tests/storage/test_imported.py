"""People in imported lists: told apart, kept unreadable, and not brought back once erased."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from storage import claims, erasure, identity, imported, imports, retention, titles
from storage.base import Connection
from storage.engine import writing
from storage.housekeeping import Keep
from storage.identity import Key, KeyRing
from storage.imported import Imported
from storage.recount import check
from storage.tables import metadata
from tests.support.lists import (
    CHI_HOI,
    HA_LONG,
    NOW,
    OTHER,
    RING,
    count,
    joined,
    keys,
    listed,
    recognised,
    stated,
    take,
    traced,
)

THIRD = "c" * 64


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({}, {}, "added"),
        ({"name": "nguyễn  văn HÙNG"}, {}, "added"),
        ({"name": "Nguyễn Thị Hoà"}, {"name": "Nguyễn Thị Hòa"}, "added"),
        ({"name": "Nguyễn Thị Lan"}, {"name": "Nguyễn Thị Lân"}, "new"),
        ({}, {"birth_year": 1958}, "new"),
        ({}, {"unit_id": HA_LONG}, "new"),
        ({"phone": "0912000001"}, {"phone": "0912000002"}, "new"),
        ({"phone": "0912000001"}, {}, "added"),
        ({"phone": "0912000001"}, {"phone": "0912000001", "birth_year": None}, "added"),
        ({"phone": "0912000001", "birth_year": None}, {}, "new"),
    ],
)
def test_who_is_the_same_and_who_is_not(database: Engine, one: Any, other: Any, expected: str) -> None:
    with writing(database) as conn:
        assert take(conn, [listed(1, year=2023, **one), listed(2, **other)]) == ["new", expected]


def test_an_id_number_tells_people_apart_and_is_kept_as_a_hash(database: Engine) -> None:
    with writing(database) as conn:
        first, second = traced(conn, "022057000001"), traced(conn, "022057000002")
        rows = [
            listed(1, year=2022, number=first),
            listed(2, year=2023, number=first, unit_id=HA_LONG),  # moved, and the same all the same
            listed(3, year=2024, number=second),
            listed(4, "Trần Thị Mẫu", number=first),
        ]
        assert take(conn, rows) == ["new", "added", "new", "taken"]
        kept = conn.execute(sa.select(identity.imported_identities)).all()
        assert [each.last4 for each in kept] == ["0001", "0002"]
        assert not any("022057000001" in str(each) for each in kept)
        assert "022057000001" not in repr(rows)
        assert identity.any_kept(conn)


def test_a_phone_is_compared_and_kept_nowhere(database: Engine) -> None:
    with writing(database) as conn:
        rows = [listed(1, year=2023, phone="0912000001", birth_year=None)]
        assert take(conn, rows) == ["new"]
        assert take(conn, [listed(1, phone="0912000001", birth_year=None)], OTHER) == ["added"]
        everything = [conn.execute(sa.select(table)).all() for table in metadata.sorted_tables]
        assert "912000001" not in str(everything)
        assert "912000001" not in repr(rows)
        assert identity.any_kept(conn)


def test_one_with_another_number_and_the_same_phone_is_asked_about(database: Engine) -> None:
    """A list with a slip in a number, mended and sent again: two entries for one person would count twice."""
    facts = {"phone": "0912000001"}
    with writing(database) as conn:
        slip, mended = traced(conn, "022057000001"), traced(conn, "022057000002")
        assert take(conn, [listed(1, number=slip, **facts)]) == ["new"]
        assert take(conn, [listed(1, number=mended, **facts)], OTHER) == ["like"]
        assert take(conn, [listed(1, number=mended)], THIRD) == ["new"]  # without the phone it may be two
        assert recognised(conn) == 2


def test_what_is_kept_is_found_again_after_the_key_was_rotated(database: Engine) -> None:
    second = KeyRing((*RING.keys, Key("VN-2", 2, secrets.token_bytes(32))))
    with writing(database) as conn:
        person = joined(conn, phone="0912000001")
        take(conn, [listed(1, phone="0912000001", number=traced(conn, "022057000001"))])
        stated(conn, person, "022057000001")
        traced(conn, "022057000009", second)
        assert identity.wrap(conn, second, most=1) == 1
        assert identity.wrap(conn, second) == 3  # the list's number, and its two marks
        assert identity.wrap(conn, second) == 0
        assert identity.imported_with(conn, traced(conn, "022057000001", second)) is not None
        assert identity.imported_with(conn, traced(conn, "022057000002", second)) is None
        (match,) = claims.matches(conn, person, lambda: second)
        assert match.agrees == ("number", "name", "birth_year", "phone")


def test_the_same_is_the_same_both_ways() -> None:
    years, phones, kept = st.sampled_from([None, 1957, 1958]), st.sampled_from([None, "1", "2"]), st.booleans()

    def chain(phone: str | None) -> tuple[tuple[str, str], ...]:
        return () if phone is None else (("VN-1", phone),)

    @given(years, phones, kept, years, phones, kept)
    def symmetric(y1: Any, p1: Any, n1: bool, y2: Any, p2: Any, n2: bool) -> None:
        one, two = (
            Imported(n, 1, "A", year, "nong_dan", chain(phone)[0] if phone else None, None, numbered)
            for n, (year, phone, numbered) in enumerate(((y1, p1, n1), (y2, p2, n2)))
        )
        assert imported.same(one, y2, chain(p2), n2) == imported.same(two, y1, chain(p1), n1)

    symmetric()


# ------------------------------------------------------------------------------------------ erased


def _claimed_and_erased(conn: Connection) -> None:
    person = joined(conn)
    for match in claims.matches(conn, person, keys):
        claims.claim(conn, match.imported.id, person, "officer:1", NOW)
    erasure.erase_person(conn, person, "test", NOW)


def _forgotten(conn: Connection) -> None:
    for each in imported.of_unit(conn, "VN/"):
        imported.forget(conn, each.id, "cli", NOW)


def _expired(conn: Connection) -> None:
    place = retention.Place(kind="imported")
    while place.kind == "imported":
        place = retention.step(conn, Keep(), NOW + timedelta(days=366 * 6), place)


@pytest.mark.parametrize("erased", [_claimed_and_erased, _forgotten])
def test_who_was_erased_comes_back_with_no_list(database: Engine, erased: Any) -> None:
    with writing(database) as conn:
        number = traced(conn, "022057000001")
        whole = {"phone": "0912000001", "number": number}
        assert take(conn, [listed(1, **whole), listed(2, **whole)]) == ["new", "known"]
        erased(conn)
        assert (count(conn, imported.imported_people), count(conn, titles.titles), check(conn)) == (0, 0, [])
        for table in (identity.imported_identities, claims.imported_claims):
            assert count(conn, table) == 0
        # The same file; its second row, which only found somebody, as well.
        assert take(conn, [listed(1, **whole), listed(2, **whole)]) == ["again", "again"]
        # Mended, or next year's: by the number alone, by year of birth, by phone, and from a unit of that commune.
        rows = [
            listed(1, birth_year=None, unit_id=HA_LONG, number=number), listed(2), listed(3, unit_id=CHI_HOI),
            listed(4, birth_year=None, phone="0912000001"),
        ]  # fmt: skip
        assert take(conn, rows, OTHER) == ["forgotten"] * 4
        assert count(conn, imported.imported_people) == 0
        # Others of that name come in: elsewhere, of another year, with another number.
        others = [
            listed(1, unit_id=HA_LONG), listed(2, birth_year=1958), listed(3, number=traced(conn, "022057000002")),
        ]  # fmt: skip
        assert take(conn, others, THIRD) == ["new"] * 3


def _left_long_ago(conn: Connection) -> None:
    person = joined(conn)
    for match in claims.matches(conn, person, keys):
        claims.claim(conn, match.imported.id, person, "officer:1", NOW)
    place = retention.Place()
    while place.kind == "people":
        place = retention.step(conn, Keep(), NOW + timedelta(days=366 * 6), place)


@pytest.mark.parametrize("over", [_expired, _left_long_ago])
def test_whose_time_is_merely_over_may_come_in_another_list(database: Engine, over: Any) -> None:
    """They asked for nothing: no mark of them is kept, and the same file does not bring them back either."""
    with writing(database) as conn:
        whole = {"phone": "0912000001", "number": traced(conn, "022057000001")}
        take(conn, [listed(1, **whole)])
        over(conn)
        for table in (imported.imported_people, identity.imported_marks, identity.imported_identities):
            assert count(conn, table) == 0
        assert take(conn, [listed(1, **whole)]) == ["again"]
        assert take(conn, [listed(1, year=2023, **whole)], OTHER) == ["new"]


def test_who_was_erased_is_known_after_the_key_was_rotated(database: Engine) -> None:
    second = KeyRing((*RING.keys, Key("VN-2", 2, secrets.token_bytes(32))))
    with writing(database) as conn:
        take(conn, [listed(1, phone="0912000001")])
        _forgotten(conn)
        traced(conn, "022057000009", second)
        while identity.wrap(conn, second):
            pass
        run = imports.begin(conn, OTHER, "list.xlsx", "trước", "cli", NOW)
        assert imports.take(conn, run, [listed(1)], NOW, second) == [(1, "forgotten")]


def test_a_list_that_was_taken_back_forgets_nobody(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1)])
        imports.undo(conn, 1, "cli", NOW)
        imports.undo_step(conn, 1, "cli", NOW)
        assert count(conn, identity.imported_marks) == 0
        assert take(conn, [listed(1)], OTHER) == ["new"]


def test_who_never_joined_goes_when_the_time_is_over(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1), listed(2, "Trần Thị Mẫu")])
        person = joined(conn)
        (match,) = claims.matches(conn, person, keys)
        claims.claim(conn, match.imported.id, person, "officer:1", NOW)
    for years, left in ((5.2, 2), (5.3, 1)):  # to 31 December, as for everybody
        later = NOW + timedelta(days=365.25 * years)
        with writing(database) as conn:
            place = retention.Place(kind="imported")
            while place.kind == "imported":
                place = retention.step(conn, Keep(), later, place)
            assert count(conn, imported.imported_people) == left
            assert check(conn) == []


def test_the_number_of_somebody_erased_is_not_given_again(database: Engine) -> None:
    """The trail and the log of requests name people of lists by it, and so do the marks of the erased."""
    with writing(database) as conn:
        take(conn, [listed(1)])
        (first,) = imported.of_unit(conn, "VN/")
        imported.forget(conn, first.id, "cli", NOW)
        take(conn, [listed(1, "Trần Thị Mẫu")], OTHER)
        (second,) = imported.of_unit(conn, "VN/")
        assert second.id > first.id


def test_a_row_that_may_be_one_of_two_namesakes_is_asked_about(database: Engine) -> None:
    with writing(database) as conn:
        first, second = (traced(conn, number) for number in ("022057000001", "022157000001"))
        lists = [listed(1, year=2023, number=first, phone="0912000001"), listed(2, year=2023, number=second)]
        assert take(conn, lists) == ["new", "new"]
        rows = [listed(1), listed(2), listed(3, phone="0912000001"), listed(4, number=second)]
        assert take(conn, rows, OTHER) == ["several", "several", "added", "added"]
        assert (recognised(conn), check(conn)) == (2, [])


def test_two_entries_of_one_citizen_are_one(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1, phone="0912000001"), listed(2, phone="0912000002")])
        person = joined(conn)
        for match in claims.matches(conn, person, keys):
            claims.claim(conn, match.imported.id, person, "officer:1", NOW)
        assert take(conn, [listed(1, year=2023)], OTHER) == ["added"]


def test_a_second_row_for_the_same_year_is_somebody_else_or_a_slip(database: Engine) -> None:
    with writing(database) as conn:
        rows = [listed(1), listed(2), listed(3, year=2023), listed(4, "Trần Thị Mẫu", phone="0912000001")]
        rows.append(listed(5, "Trần Thị Mẫu", phone="0912000001"))
        assert take(conn, rows) == ["new", "several", "added", "new", "known"]
        assert take(conn, rows, OTHER) == ["known", "several", "known", "known", "known"]
