"""Entries of lists and citizens who joined: matched, confirmed, denied, taken back; titles and counts follow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from storage import (
    assessments,
    audit,
    claims,
    erasure,
    identity,
    imported,
    imports,
    officers,
    people,
    privacy,
    reviews,
    titles,
)
from storage.assessments import assessments as forms
from storage.base import Connection, Refused
from storage.codes import secret_hash
from storage.engine import writing
from storage.people import PersonRow
from storage.recount import check
from tests.support.lists import (
    CHI_HOI,
    HA_LONG,
    HONG_GAI,
    NOW,
    OTHER,
    count,
    joined,
    keys,
    listed,
    recognised,
    stated,
    take,
    traced,
    undo,
)


def confirmed(conn: Connection, person: PersonRow) -> list[int]:
    """Everything that may be them is; how many titles each brought."""
    return [
        claims.claim(conn, match.imported.id, person, "officer:1", NOW) for match in claims.matches(conn, person, keys)
    ]


def years(conn: Connection, person: PersonRow) -> list[int]:
    return [each.year for each in titles.of_person(conn, person.id)]


@pytest.mark.parametrize(
    ("of_list", "of_chat", "sure"),
    [
        ({}, {}, False),
        ({"phone": "0912000001"}, {"phone": "0912000001"}, True),
        ({"phone": "0912000001"}, {}, False),
        ({"birth_year": None, "phone": "0912000001"}, {"phone": "0912000001"}, False),
        ({}, {"unit": CHI_HOI}, False),
        ({"unit_id": CHI_HOI}, {}, False),
        ({"unit_id": CHI_HOI, "phone": "0912000001"}, {"phone": "0912000001"}, True),
        ({"phone": "0912000001"}, {"phone": "0912000002"}, None),
        ({}, {"birth_year": 1960}, None),
        ({}, {"unit": HA_LONG}, None),
        ({"name": "Nguyễn Văn Hừng"}, {}, None),
    ],
)
def test_who_joined_may_be_somebody_of_a_list(database: Engine, of_list: Any, of_chat: Any, sure: bool | None) -> None:
    with writing(database) as conn:
        take(conn, [listed(1, **of_list)])
        found = claims.matches(conn, joined(conn, **of_chat), keys)
        assert [each.sure for each in found] == ([] if sure is None else [sure])


@pytest.mark.parametrize(("name", "sure"), [("Nguyễn Văn Hùng", True), ("Phạm Văn Lạ", False)])
def test_a_slip_in_ones_number_makes_nobody_somebody_else(database: Engine, name: str, sure: bool) -> None:
    with writing(database) as conn:
        take(conn, [listed(1, birth_year=None, number=traced(conn, "022057000001"))])
        person = joined(conn, name, HA_LONG)
        stated(conn, person, "022057000001")
        (match,) = claims.matches(conn, person, keys)
        assert match.sure is sure


def test_a_claim_moves_titles_and_one_of_two_for_a_year_is_not_counted(database: Engine) -> None:
    with writing(database) as conn:
        phone = "0912000001"
        take(conn, [listed(1, phone=phone), listed(2, phone="0912000002"), listed(3, year=2023, phone=phone)])
        assert recognised(conn) == 2
        person = joined(conn)
        both = claims.matches(conn, person, keys)
        assert len(both) == 2
        assert claims.claim(conn, both[0].imported.id, person, "officer:1", NOW) == 2
        with pytest.raises(Refused, match="imported_gone"):
            claims.claim(conn, both[0].imported.id, joined(conn, "Lê Văn Khác"), "officer:1", NOW)
        assert recognised(conn) == 2
        assert claims.claim(conn, both[1].imported.id, person, "officer:1", NOW) == 0
        assert years(conn, person) == [2023, 2024]
        assert claims.matches(conn, person, keys) == []
        assert (recognised(conn), check(conn)) == (1, [])
        # A later list with the same person: the title is theirs at once.
        assert take(conn, [listed(1, year=2022)], OTHER) == ["added"]
        assert (years(conn, person), check(conn)) == ([2022, 2023, 2024], [])


def test_a_confirmation_is_taken_back_and_not_offered_again(database: Engine) -> None:
    with writing(database) as conn:
        phone = "0912000001"
        take(conn, [listed(1, phone=phone), listed(2, phone="0912000002"), listed(3, year=2023, phone=phone)])
        person, other = joined(conn), joined(conn)
        first, second = (each.imported.id for each in claims.matches(conn, person, keys))
        assert confirmed(conn, person) == [2, 0]
        assert claims.unclaim(conn, first, "cli", NOW) == 2
        # The other entry has 2024 too: it was kept, and is the person's now.
        assert (years(conn, person), recognised(conn), recognised(conn, year=2023), check(conn)) == ([2024], 2, 1, [])
        assert claims.matches(conn, person, keys) == []
        assert [each.imported.id for each in claims.matches(conn, other, keys)] == [first]
        assert claims.unclaim(conn, second, "cli", NOW) == 1
        assert (years(conn, person), recognised(conn), check(conn)) == ([], 2, [])
        with pytest.raises(Refused, match="imported_unclaimed"):
            claims.unclaim(conn, second, "cli", NOW)
        assert confirmed(conn, other) == [2, 0]
        erasure.erase_person(conn, person, "test", NOW)
        assert years(conn, other) == [2023, 2024]


def test_a_year_that_was_approved_here_is_not_counted_once_more(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1), listed(2, year=2023)])
        person = joined(conn)
        row = assessments.register(conn, person, 2024, "cdht", "1", NOW)
        conn.execute(sa.update(forms).where(forms.c.id == row.id).values(status="approved", decided_at=NOW))
        assert confirmed(conn, person) == [1]
        assert (years(conn, person), recognised(conn), recognised(conn, year=2023)) == ([2023], 0, 1)


@pytest.mark.parametrize("first", ["confirmed", "approved", "erased"])
def test_an_approval_and_its_undoing_settle_what_lists_say_of_that_year(database: Engine, first: str) -> None:
    """Whichever comes first; with the entry erased meanwhile, the title is the citizen's own."""
    with writing(database) as conn:
        take(conn, [listed(1), listed(2, year=2023)])
        person = joined(conn)
        row = assessments.register(conn, person, 2024, "cdht", "1", NOW)
        assessments.start(conn, row.id, "person:1", "cdht", "1", NOW)
        assessments.submit(conn, row.id, "person:1", NOW)
        hash_ = secret_hash(officers.invite(conn, HONG_GAI, "reviewer", NOW, "cli", "Trần Thị Hoa"))
        contact, invite = people.meet(conn, "test", "officer", NOW), officers.open_invite(conn, hash_, NOW)
        assert invite is not None
        officers.accept(conn, invite, contact, None, NOW)
        officer = officers.of_contact(conn, contact)
        assert officer is not None
        if first != "approved":
            assert confirmed(conn, person) == [2]
        if first == "erased":
            (entry,) = imported.of_person(conn, person.id)
            imported.forget(conn, entry.id, "cli", NOW)
        review = reviews.decide(conn, officer, row.id, "approve", total=90, undo_for=timedelta(seconds=60), now=NOW)
        if first == "approved":
            assert confirmed(conn, person) == [1]
        assert (recognised(conn), recognised(conn, year=2023)) == (0, 1)
        assert years(conn, person) == ([2023, 2024] if first == "erased" else [2023])
        reviews.undo(conn, officer, review.id, NOW)
        assert (recognised(conn), recognised(conn, year=2023), years(conn, person)) == (1, 1, [2023, 2024])


def test_who_takes_their_number_back_takes_it_from_the_lists(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1, number=traced(conn, "022057000001")), listed(2, "Lê Văn Khác", number=None)])
        person = joined(conn)
        confirmed(conn, person)
        assert claims.number_of(conn, person.id) == "0001"
        claims.take_back_number(conn, person.id)
        assert (claims.number_of(conn, person.id), count(conn, identity.imported_identities)) == ("", 0)


@pytest.mark.parametrize("who", ["citizen", "officer"])
def test_what_one_of_them_denies_is_kept_apart_and_hides_nobody(database: Engine, who: str) -> None:
    with writing(database) as conn:
        take(conn, [listed(1, phone="0912000001"), listed(2, phone="0912000002")])
        person = joined(conn)
        wrong, right = claims.matches(conn, person, keys)
        if who == "citizen":
            claims.say(conn, wrong.imported.id, person, False, NOW)
        else:
            claims.deny(conn, wrong.imported.id, person, "officer:1", NOW)
        (left,) = claims.matches(conn, person, keys)
        assert left.imported == right.imported
        claims.say(conn, left.imported.id, person, True, NOW)
        assert [each.said for each in claims.matches(conn, person, keys)] == [True]
        assert years(conn, person) == []  # saying so gives nothing


def test_of_whom_the_citizen_says_so_comes_first(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1, phone="0912000001"), listed(2, phone="0912000002")])
        person = joined(conn)
        _first, second = claims.matches(conn, person, keys)
        claims.say(conn, second.imported.id, person, True, NOW)
        assert claims.matches(conn, person, keys)[0].imported == second.imported


def test_what_came_too_late(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1)])
        person = joined(conn)
        (match,) = claims.matches(conn, person, keys)
        imported.forget(conn, match.imported.id, "cli", NOW)
        claims.say(conn, match.imported.id, person, True, NOW)
        assert claims.said_by(conn, person.id) == []
        for verb in (claims.deny, claims.claim):
            with pytest.raises(Refused, match="imported_gone"):
                verb(conn, match.imported.id, person, "officer:1", NOW)


def test_erasing_takes_what_was_confirmed_and_nobody_else(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1, year=2022), listed(2, "Trần Thị Mẫu", 2023, phone="0912000009")])
        claimed, alike = joined(conn), joined(conn, "Trần Thị Mẫu", phone="0912000009")
        confirmed(conn, claimed)
        (match,) = claims.matches(conn, alike, keys)
        assert match.sure
        claims.say(conn, match.imported.id, alike, True, NOW)
        for person in (claimed, alike):
            erasure.erase_person(conn, person, "test", NOW)
        (left,) = imported.of_unit(conn, "VN/")
        assert (left.id, recognised(conn, year=2023)) == (match.imported.id, 1)
        assert count(conn, claims.imported_claims) == 0
        # Whoever runs the server sees to the entry of whom the citizen said so.
        (open_request,) = privacy.due(conn)
        assert (open_request.request.kind, open_request.request.about) == ("delete", f"imported:{left.id}")
        assert open_request.request.person_id is None
        assert check(conn) == []


def test_what_was_done_is_in_the_trail(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1), listed(2, birth_year=None, phone="0912000001")])
        person = joined(conn, phone="0912000001")
        one, other = claims.matches(conn, person, keys)
        claims.say(conn, one.imported.id, person, True, NOW)
        claims.claim(conn, one.imported.id, person, "officer:1", NOW)
        claims.unclaim(conn, one.imported.id, "cli", NOW)
        claims.deny(conn, other.imported.id, person, "officer:1", NOW)
        lines = conn.execute(sa.select(audit.audit.c.action, audit.audit.c.subject).order_by(audit.audit.c.id)).all()
        assert [line.action for line in lines if line.subject == f"person:{person.id}"] == [
            "import.said", "import.claim", "import.unclaim", "import.deny",
        ]  # fmt: skip


def test_a_run_is_taken_back_with_what_was_confirmed(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1, phone="0912000001"), listed(2, "Trần Thị Mẫu")])
        take(conn, [listed(1, phone="0912000002")], OTHER)
        person = joined(conn)
        assert confirmed(conn, person) == [1, 0]
        assert undo(conn, 1).kept == (1,)
        assert (years(conn, person), recognised(conn), check(conn)) == ([2024], 1, [])
        assert undo(conn, 1, confirmed=True).rows == 1
        # The other list has that year as well: its title takes the place.
        assert (years(conn, person), recognised(conn), check(conn)) == ([2024], 1, [])
        assert [each.run_id for each in titles.of_person(conn, person.id)] == [2]


def two_entries_of_one(conn: Connection) -> tuple[PersonRow, list[int], dict[str, int]]:
    """A list has the title of 2024 under one entry, a later list under the other; both are the same citizen. Returns
    them, the entries, the runs by name."""
    take(conn, [listed(1, phone="0912000001")], "a" * 64)
    take(conn, [listed(1, year=2023, phone="0912000002")], "c" * 64)
    person = joined(conn)
    entries = [each.imported.id for each in claims.matches(conn, person, keys)]
    assert confirmed(conn, person) == [1, 1]
    assert take(conn, [listed(1, phone="0912000002")], "b" * 64) == ["known"]
    assert (years(conn, person), recognised(conn), check(conn)) == ([2023, 2024], 1, [])
    return person, entries, {each.digest[0]: each.id for each in imports.listing(conn)}


def test_a_title_that_a_list_tells_of_the_other_entry_is_not_lost_with_the_confirmation(database: Engine) -> None:
    with writing(database) as conn:
        person, (first, second), runs = two_entries_of_one(conn)
        assert claims.unclaim(conn, first, "cli", NOW) == 1
        assert (years(conn, person), recognised(conn), check(conn)) == ([2023, 2024], 2, [])
        undo(conn, runs["a"])
        assert imported.by_id(conn, first) is None
        assert (years(conn, person), recognised(conn), check(conn)) == ([2023, 2024], 1, [])
        assert imported.by_id(conn, second) is not None


def test_an_undone_list_leaves_a_title_to_the_entry_of_which_another_list_tells_it(database: Engine) -> None:
    with writing(database) as conn:
        person, (_first, second), runs = two_entries_of_one(conn)
        undo(conn, runs["a"], confirmed=True)
        assert (years(conn, person), recognised(conn), check(conn)) == ([2023, 2024], 1, [])
        assert claims.unclaim(conn, second, "cli", NOW) == 2
        assert (years(conn, person), recognised(conn), check(conn)) == ([], 1, [])
