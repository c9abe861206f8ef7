"""Titles of earlier years: a hint on the officer's card, confirmed there; in /dulieu, and gone with the person."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from storage import imports, titles, units
from storage.imports import Listed, Past
from tests.support.world import World


def listed(world: World, *years: int, name: str = "Nguyễn Văn Hùng", phone: str | None = None, **other: Any) -> None:
    """A list with this person and these titles, at Phường Hồng Gai."""
    with world.write() as conn:
        unit = units.by_code(conn, "06685")
        assert unit is not None
        run = imports.begin(
            conn, f"{name}{phone}".encode().hex()[:64].ljust(64, "0"), "a.xlsx", "trước", "cli", world.now
        )
        rows = [
            Listed(
                n, unit.id, name, other.get("birth_year", 1957), phone, None, "nong_dan",
                Past(year, unit.id, "12/QĐ-HKH"),
            )
            for n, year in enumerate(years)
        ]  # fmt: skip
        assert len(imports.take(conn, run, rows, world.now, seconds=60)) == len(rows)
        imports.end(conn, run, "cli", world.now)


def test_the_officer_confirms_who_it_is(world: World) -> None:
    listed(world, 2023, 2024)
    citizen = world.citizen().joins()
    citizen.types("/dulieu").sees_not("2023")  # a namesake born in the same year may be somebody else
    citizen.presses("back")
    citizen.submits()
    officer = world.officer()
    officer.types("/hangdoi").presses("Nguyễn Văn Hùng")
    officer.sees("đã được công nhận năm 2023, 2024", "Cần hỏi lại công dân")
    officer.presses("Đúng là người").sees("Đã ghi nhận", "Các năm trước: đã được công nhận năm 2023, 2024")
    officer.sees_not("Đúng là người")
    citizen.types("/dulieu").sees("Đã được công nhận năm 2023. Quyết định số 12/QĐ-HKH.")
    world.recounted()
    citizen.presses("ask_erase").presses("erase").presses("erase_all")
    with world.read() as conn:
        assert conn.execute(sa.select(titles.titles)).all() == []
        assert conn.execute(sa.select(imports.imported_people)).all() == []
    world.recounted()


def test_who_knows_a_neighbours_facts_neither_sees_nor_erases_what_the_list_says(world: World) -> None:
    listed(world, 2024, phone="0912345678")
    citizen = world.citizen().joins(phone="0912345678")
    citizen.types("/dulieu").sees_not("2024")
    citizen.presses("export")
    if citizen.capabilities.documents:
        page, copy = citizen.screen.documents
        assert json.loads(copy.content)["titles"] == []
        assert "Danh hiệu các năm trước" not in page.content
    citizen.presses("back").presses("ask_erase").presses("erase").presses("erase_all")
    with world.read() as conn:
        assert [row.year for row in conn.execute(sa.select(titles.titles))] == [2024]
    world.recounted()


def test_a_supervisor_confirms_nobody(world: World) -> None:
    listed(world, 2024)
    world.citizen().joins().submits()
    supervisor = world.officer("22", "supervisor")
    supervisor.types("/hangdoi")
    assert not any(each.id.startswith("listed:") for each in supervisor.screen.choices)


def test_what_was_taken_back_meanwhile(world: World) -> None:
    listed(world, 2024)
    world.citizen().joins().submits()
    officer = world.officer()
    officer.types("/hangdoi").presses("Nguyễn Văn Hùng").sees("2024")
    with world.write() as conn:
        (run,) = imports.listing(conn)
        imports.undo(conn, run.id, "cli", world.now)
    officer.presses("Đúng là người").sees("không còn ở đó")
    with world.write() as conn:
        while imports.undo_step(conn, run.id, "cli", world.now):
            pass
    world.recounted()
