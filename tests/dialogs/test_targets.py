"""/chitieu: a unit's target, set within the own area, shown in the report."""

from __future__ import annotations

import pytest

from storage import targets, units
from tests.support.world import Chat, World


def of(world: World, code: str) -> targets.Targets:
    with world.read() as conn:
        unit = units.by_code(conn, code)
        assert unit is not None
        return targets.of(conn, unit.id, 2026)


def test_a_target_is_set_and_stands_in_the_report(world: World) -> None:
    world.citizen().joins()
    officer = world.officer().types("/chitieu").sees("Chỉ tiêu của Phường Hồng Gai, năm 2026", "chưa đặt chỉ tiêu")
    officer.types("500").sees("Đã ghi chỉ tiêu", "Chỉ tiêu 500 người đạt: đã được 0%")
    officer.types("62,5%").sees("Chỉ tiêu tham gia 62,5%: chưa có số dân để so")
    assert of(world, "06685") == targets.Targets(500, 0.625)
    officer.types("/report").sees("Chỉ tiêu 500 người đạt", "Chỉ tiêu tham gia 62,5%")
    officer.types("/chitieu").presses("drop:participation").sees("Đã bỏ chỉ tiêu", "Chỉ tiêu 500").sees_not("62,5%")
    officer.types("-").sees("Đã bỏ chỉ tiêu", "chưa đặt chỉ tiêu")
    assert of(world, "06685") == targets.Targets()


@pytest.mark.parametrize(
    ("typed", "approved", "share"),
    [("06685 1.500", 1500, None), ("06685 60%", None, 0.6), ("06685 10000", 10000, None)],
)
def test_a_target_in_one_line_for_a_unit_below(
    world: World, typed: str, approved: int | None, share: float | None
) -> None:
    world.officer("22", "supervisor").types(f"/target {typed}").sees("Phường Hồng Gai", "Đã ghi chỉ tiêu")
    assert of(world, "06685") == targets.Targets(approved, share)
    assert of(world, "22") == targets.Targets()


def test_a_bare_number_is_people_unless_it_is_a_unit_of_ones_own(world: World) -> None:
    officer = world.officer("06685").types("/chitieu 22").sees("Đã ghi chỉ tiêu", "Phường Hồng Gai")
    assert of(world, "06685") == targets.Targets(22)
    officer.types("/chitieu 06685").sees("Chỉ tiêu 22 người đạt").sees_not("Đã ghi")


@pytest.mark.parametrize("typed", ["22 1500", "00070 500", "VN 60%"])
def test_nothing_is_set_outside_the_own_area(world: World, typed: str) -> None:
    world.officer("06685").types(f"/chitieu {typed}").sees("không thuộc phạm vi")
    assert of(world, typed.split()[0]) == targets.Targets()


@pytest.mark.parametrize("typed", ["nhiều", "1,5", "101%", "-3", "9" * 400, "60 %%", "1e9", "06685 abc"])
def test_what_is_no_target_is_said_kindly(world: World, typed: str) -> None:
    officer = world.officer().types("/chitieu").types(typed)
    officer.sees("ví dụ 500").sees_not("Đã ghi")
    world.officer().types(f"/chitieu {typed}").sees_not("Đã ghi")
    assert of(world, "06685") == targets.Targets()


def test_a_small_number_is_a_target_and_presses_no_button(world: World) -> None:
    officer = world.officer().types("/chitieu").types("500").types("1").sees("Chỉ tiêu 1 người đạt")
    assert of(world, "06685") == targets.Targets(1)
    officer.types("22 500").sees("Chỉ tiêu 22.500 người đạt").types("0").sees("Xem báo cáo")
    assert of(world, "06685") == targets.Targets(22_500)


@pytest.mark.parametrize("code", ["06685", "22"])
def test_what_can_be_read_two_ways_sets_nothing(world: World, code: str) -> None:
    world.officer(code, "supervisor").types("/chitieu 22 500").sees("hai cách", "22.500", "/chitieu 22").sees_not(
        "Đã ghi"
    )
    assert of(world, "22") == of(world, "06685") == targets.Targets()


def test_what_was_set_from_above_is_changed_from_there_only(world: World) -> None:
    above = world.officer("22", "supervisor").types("/chitieu 06685 500").sees("Đã ghi chỉ tiêu")
    below = world.officer("06685").types("/chitieu").types("450").sees("do Thành phố Quảng Ninh giao")
    below.presses("drop:approved").sees("do Thành phố Quảng Ninh giao").types("60%").sees("Đã ghi chỉ tiêu")
    assert of(world, "06685") == targets.Targets(500, 0.6)
    above.types("/chitieu 06685 450").sees("Đã ghi chỉ tiêu")
    above.types("/chitieu 06685 70%").sees("Đã ghi chỉ tiêu")
    below.types("65%").sees("do Thành phố Quảng Ninh giao")
    assert of(world, "06685") == targets.Targets(450, 0.7)


def test_the_report_leads_to_the_targets(world: World) -> None:
    officer = world.officer().types("/report").presses("faces").presses("target")
    officer.sees("Chỉ tiêu của Phường Hồng Gai").presses("back").sees("Xem báo cáo")


def test_a_citizen_sets_no_target(world: World) -> None:
    citizen: Chat = world.citizen().joins().types("/chitieu 500").sees("dành cho cán bộ")
    assert citizen.exists() and of(world, "06685") == targets.Targets()
