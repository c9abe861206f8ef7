"""Titles of earlier years: the citizen is asked once, a hint on the officer's card, confirmed or denied there; in
/dulieu, and gone with the person."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from dialogs.model import Pressed
from storage import claims, identity, imported, imports, people, privacy, titles, units
from storage.imported import Listed, Past
from tests.support.lists import RING, joined, keyed, stated, traced
from tests.support.lists import undo as undo_run
from tests.support.world import Chat, World

ASKED = "có một người cùng tên với ông/bà"


def listed(world: World, *years: int, name: str = "Nguyễn Văn Hùng", phone: str | None = None, **other: Any) -> None:
    """A list with this person and these titles, at Phường Hồng Gai."""
    world.rules = replace(world.rules, keys=lambda: RING)
    with world.write() as conn:
        unit = units.by_code(conn, "06685")
        assert unit is not None
        run = imports.begin(
            conn, f"{name}{phone}".encode().hex()[:64].ljust(64, "0"), "a.xlsx", "phần mềm năm trước", "cli", world.now,
            basis="Kế hoạch 12/KH-HKH",
        )  # fmt: skip
        number = traced(conn, other["number"]) if "number" in other else None
        rows = [
            Listed(
                n, unit.id, name, other.get("birth_year", 1957), phone, number, "nong_dan",
                Past(year, unit.id, "12/QĐ-HKH"),
            )
            for n, year in enumerate(years)
        ]  # fmt: skip
        assert len(imports.take(conn, run, rows, world.now, keyed(conn), seconds=60)) == len(rows)
        imports.end(conn, run, "cli", world.now)


def handed_in(world: World, answer: str = "back", **facts: str) -> Chat:
    """A citizen who was asked, answered so, and has handed in."""
    citizen = world.citizen().joins(**facts).sees(ASKED).presses(answer)
    citizen.submits()
    return citizen


def opened(world: World) -> Chat:
    """The reviewer of the commune, with the dossier open."""
    return world.officer().types("/hangdoi").presses("Nguyễn Văn Hùng")


def test_the_officer_confirms_who_it_is(world: World) -> None:
    listed(world, 2023, 2024)
    citizen = handed_in(world)
    citizen.types("/dulieu").sees_not("2023").presses("back")  # a namesake of the same year may be somebody else
    officer = opened(world)
    officer.sees("trùng họ tên, năm sinh: đã được công nhận năm 2023, 2024", "Cần hỏi lại công dân")
    officer.presses("So với danh sách nhập")
    officer.sees("Công dân: Nguyễn Văn Hùng, sinh năm 1957", "Đã được công nhận năm 2023. Quyết định số 12/QĐ-HKH.")
    officer.sees("Trùng: họ tên, năm sinh.", "Danh sách không có: số điện thoại, số định danh.")
    officer.presses("Đúng là người này").sees("Đã ghi nhận", "Các năm trước: đã được công nhận năm 2023, 2024")
    officer.sees_not("So với danh sách nhập")
    citizen.types("/dulieu").sees("Đã được công nhận năm 2023. Quyết định số 12/QĐ-HKH.")
    citizen.sees("Trong danh sách nhập từ phần mềm trước: Nguyễn Văn Hùng, 1957, Phường Hồng Gai")
    citizen.sees("phần mềm năm trước", "Căn cứ: Kế hoạch 12/KH-HKH")
    world.recounted()
    citizen.presses("ask_erase").presses("erase").presses("erase_all")
    with world.read() as conn:
        assert conn.execute(sa.select(titles.titles)).all() == []
        assert conn.execute(sa.select(imported.imported_people)).all() == []
    world.recounted()


def test_typing_the_first_choice_twice_confirms_nobody(world: World) -> None:
    listed(world, 2024)
    handed_in(world)
    officer = opened(world).presses("So với danh sách nhập")
    officer.types("1").sees_not("Đã ghi nhận").sees("So với danh sách nhập")
    with world.read() as conn:
        assert [each.person_id for each in imported.of_unit(conn, "VN/")] == [None]


def test_the_officer_denies_one_and_sees_the_other(world: World) -> None:
    listed(world, 2023, phone="0912000001")
    listed(world, 2022, phone="0912000002")
    handed_in(world)
    officer = opened(world).sees("năm 2023").presses("So với danh sách nhập")
    officer.presses("Không phải người này").sees("không gợi ý", "năm 2022")
    officer.presses("So với danh sách nhập").presses("Không phải người này").sees_not("Trong danh sách nhập")
    with world.read() as conn:
        assert len(conn.execute(sa.select(claims.imported_claims)).all()) == 2


@pytest.mark.parametrize("season", ["open", "closed"])
def test_who_joins_is_asked_once_and_says_so(world: World, season: str) -> None:
    listed(world, 2023, phone="0912345678")
    if season == "closed":
        world.passes(days=80)  # after the season: nothing to register for
    citizen = world.citizen().joins(phone="0912345678")
    citizen.sees(ASKED, "Phường Hồng Gai").sees_not("2023").sees_not("12/QĐ")
    citizen.presses("Đúng là tôi").sees("Cán bộ Hội sẽ hỏi lại ông/bà")
    citizen.types("/dulieu").sees("đã nói mình có tên").sees_not("2023")
    assert not any(each.id == "listed" for each in citizen.screen.choices)
    with world.read() as conn:
        assert titles.titles is not None and conn.execute(sa.select(titles.titles.c.person_id)).scalars().all() == [
            None
        ]


def test_the_officer_reads_what_the_citizen_said(world: World) -> None:
    listed(world, 2023)
    handed_in(world, "yes")
    opened(world).sees("Người này nói đúng là mình").presses("So với danh sách nhập").sees("Người này nói đúng là mình")


def test_who_says_no_is_kept_apart(world: World) -> None:
    listed(world, 2023)
    citizen = handed_in(world, "no")
    citizen.types("/dulieu").sees_not("Danh sách các năm trước")
    opened(world).sees_not("Trong danh sách nhập").sees_not("2023")
    world.citizen().joins().sees(ASKED)  # another of that name may be it


def test_who_put_it_off_or_joined_before_is_asked_in_their_data(world: World) -> None:
    before = world.citizen().joins()
    listed(world, 2023)
    later = world.citizen().joins().sees(ASKED).presses("Để sau").sees("phiếu")
    for citizen in (before, later):
        citizen.types("/dulieu").sees("có thể có tên ông/bà").presses("listed").sees(ASKED)
        citizen.presses("yes").sees("Cán bộ Hội sẽ hỏi lại", "đã nói mình có tên")


def test_who_is_in_no_list_is_asked_nothing(world: World) -> None:
    listed(world, 2023)
    for facts in ({"name": "Lê Văn Khác"}, {"year": "1960"}):
        world.citizen().joins(**facts).sees_not(ASKED).sees("phiếu")


def test_who_bears_anothers_number_is_not_asked(world: World) -> None:
    """A slip in one's own number; the reviewer reads of it, and nothing of whose number it is."""
    listed(world, 2023, number="022057000001")
    citizen = world.citizen().joins(name="Lê Văn Khác")
    with world.write() as conn:
        person = people.person(conn, 1)
        assert person is not None
        stated(conn, person, "022057000001")
    citizen.types("/dulieu").sees_not("Danh sách các năm trước")
    citizen.presses("back").submits()
    officer = world.officer().types("/hangdoi").presses("Lê Văn Khác").sees("trong danh sách nhập dưới một tên khác")
    officer.sees_not("2023", "Nguyễn Văn Hùng")
    assert not any(each.id.startswith("listed:") for each in officer.screen.choices)


def test_one_that_is_settled_meanwhile(world: World) -> None:
    listed(world, 2023)
    citizen = world.citizen().joins().sees(ASKED)
    with world.write() as conn:
        undo_run(conn, 1)
    citizen.presses("yes")
    with world.read() as conn:
        assert conn.execute(sa.select(claims.imported_claims)).all() == []
    world.recounted()


def test_who_knows_a_neighbours_facts_neither_sees_nor_erases_what_the_list_says(world: World) -> None:
    listed(world, 2024, phone="0912345678")
    citizen = world.citizen().joins(phone="0912345678").presses("yes")
    citizen.types("/dulieu").sees_not("2024")
    citizen.presses("export")
    if citizen.capabilities.documents:
        page, copy = citizen.screen.documents
        kept = json.loads(copy.content)
        assert (kept["titles"], kept["imported_lists"]["entries"]) == ([], [])
        assert [each["said"] for each in kept["imported_lists"]["said"]] == ["yes"]
        assert "2024" not in page.content
    citizen.presses("back").presses("ask_erase").presses("erase").presses("erase_all")
    with world.read() as conn:
        assert [row.year for row in conn.execute(sa.select(titles.titles))] == [2024]
        assert [each.request.about for each in privacy.due(conn)] == ["imported:1"]
    world.recounted()


def test_a_number_that_only_a_list_brought_is_seen_and_taken_back(world: World) -> None:
    listed(world, 2024, number="022057000001")
    citizen = handed_in(world, "yes")
    citizen.types("/dulieu").sees_not("0001").presses("back")
    opened(world).presses("So với danh sách nhập").presses("Đúng là người này")
    citizen.types("/dulieu").sees("••••0001").presses("id_number").presses("remove").sees_not("0001")
    with world.read() as conn:
        assert conn.execute(sa.select(identity.imported_identities)).all() == []


def test_without_the_servers_keys_phones_are_not_compared(world: World) -> None:
    from storage.base import Refused

    listed(world, 2024, phone="0912345678")

    def missing() -> Any:
        raise Refused("identity_key_missing")

    for keys in (None, missing):
        world.rules = replace(world.rules, keys=keys)
        world.citizen().joins(phone="0912345678").sees(ASKED)


@pytest.mark.parametrize(
    ("unit", "role", "may"),
    [("06685", "reviewer", True), ("22", "reviewer", True), ("22", "supervisor", False), ("VN", "supervisor", False)],
)
def test_only_who_reviews_there_says_whose_a_title_is(world: World, unit: str, role: str, may: bool) -> None:
    """The row of docs/roles.md."""
    listed(world, 2024)
    handed_in(world)
    officer = world.officer(unit, role)
    officer.types("/hangdoi 06685").presses("Nguyễn Văn Hùng").sees("năm 2024")
    assert any(each.id.startswith("listed:") for each in officer.screen.choices) is may
    officer.does(Pressed("listed:1"))  # what was never offered
    assert any(each.id == "confirm" for each in officer.screen.choices) is may


def test_what_was_taken_back_meanwhile(world: World) -> None:
    listed(world, 2024)
    handed_in(world)
    officer = opened(world).sees("2024").presses("So với danh sách nhập")
    with world.write() as conn:
        undo_run(conn, 1)
    officer.presses("Đúng là người này").sees_not("Đã ghi nhận").sees_not("2024")
    world.recounted()


def test_nothing_is_promised_of_an_entry_that_proved_to_be_somebody_else(world: World) -> None:
    listed(world, 2023)
    citizen = world.citizen().joins().sees(ASKED).presses("Đúng là tôi")
    citizen.types("/dulieu").sees("đã nói mình có tên").presses("back")
    with world.write() as conn:
        (entry,) = imported.of_unit(conn, "VN/")
        claims.claim(conn, entry.id, joined(conn), "officer:1", world.now)
    citizen.types("/dulieu").sees_not("đã nói mình có tên")
