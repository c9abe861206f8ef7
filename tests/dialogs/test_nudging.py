"""Nudging: one press, a name on it, once a day; "đã rõ" comes back; never beyond the own area."""

from __future__ import annotations

import pytest

from dialogs.model import Pressed
from storage import audit, codes, officers, units
from tests.support.world import START, Chat, World

COMMUNES = ("06685", "06688", "06673")


def press(chat: Chat, choice: str) -> Chat:
    """A button under a notice."""
    return chat.does(Pressed(choice), screen=None)


@pytest.fixture
def supervisor(world: World) -> Chat:
    return world.officer("22", "supervisor", "Lê Văn Minh")


def test_a_nudge_has_a_name_and_its_answer_comes_back(world: World, supervisor: Chat) -> None:
    officer = world.officer("06685", "reviewer", "Trần Thị Hoa")
    press(supervisor, "go:nudge:06685").sees("Đã gửi lời nhắc tới cán bộ: Phường Hồng Gai.")
    (notice,) = officer.hears()
    assert "Lê Văn Minh" in notice.text
    assert "Quảng Ninh" in notice.text
    assert notice.choices[0].label == "Đã rõ"
    press(officer, notice.choices[0].id).sees("Cảm ơn")
    supervisor.heard("Trần Thị Hoa (Phường Hồng Gai) đã rõ")
    press(officer, notice.choices[0].id).sees("Cảm ơn")
    assert supervisor.hears() == []
    with world.read() as conn:
        deeds = [each.action for each in audit.listing(conn) if each.action.startswith("nudge.")]
    assert deeds == ["nudge.send", "nudge.noted"]


def test_once_a_day_unit_and_sender(world: World, supervisor: Chat) -> None:
    officer = world.officer("06685", "reviewer")
    other = world.officer("22", "supervisor", "Phạm Thị Lan")
    press(supervisor, "go:nudge:06685")
    press(supervisor, "go:nudge:06685").sees("Hôm nay anh/chị đã nhắc rồi: Phường Hồng Gai")
    assert len(officer.hears()) == 1
    press(other, "go:nudge:06685").sees("Đã gửi lời nhắc")
    assert len(officer.hears()) == 1
    world.passes(hours=24)
    press(supervisor, "go:nudge:06685").sees("Đã gửi lời nhắc")
    assert len(officer.hears()) == 1


def test_under_a_province_the_five_slowest_are_nudged(world: World, supervisor: Chat) -> None:
    world.citizen().joins().submits()
    with world.read() as conn:
        province = units.by_code(conn, "22")
        assert province is not None
        names = {each.code: each.name for each in units.children(conn, province.id) if each.code != "06685"}
    some = dict(list(names.items())[:6])
    led = {code: world.officer(code, "reviewer", f"Cán bộ {code}") for code in ("06685", *some)}
    slow = list(some.values())[:5]
    press(supervisor, "go:slow:22").sees("Đơn vị chậm nhất", "5 xã, phường, đặc khu chậm nhất")
    supervisor.sees(*(f"{name}: chưa có ai đăng ký" for name in slow), "Đơn vị chưa có cán bộ: 47")
    supervisor.sees("có cán bộ mà chưa có ai đăng ký: 6").sees_not("Phường Hồng Gai", f"{list(some.values())[5]}:")
    supervisor.presses("all").sees(f"Đã gửi lời nhắc tới cán bộ: {', '.join(slow)}.").sees_not("Chưa có cán bộ nào")
    assert [len(officer.hears()) for officer in led.values()] == [0, 1, 1, 1, 1, 1, 0]
    supervisor.presses(f"one:{next(iter(some))}").sees(f"Hôm nay anh/chị đã nhắc rồi: {slow[0]}.")
    supervisor.presses("report").sees("Thành phố Quảng Ninh")
    press(supervisor, "go:nudge:22").sees(f"Hôm nay anh/chị đã nhắc rồi: {', '.join(slow)}.")


def test_units_that_are_not_open_yet_are_not_slow(world: World, supervisor: Chat) -> None:
    for code in ("06685", "06688", "06673"):
        world.officer(code, "reviewer", f"Cán bộ {code}")
    with world.write() as conn:
        units.set_setting(conn, "22", "open_from", "closed", "test", world.now)
        units.set_setting(conn, "06688", "open_from", "open", "test", world.now)
        units.set_setting(conn, "06673", "open_from", "2026-12-01", "test", world.now)
    press(supervisor, "go:slow:22").sees("1 xã, phường, đặc khu chậm nhất", "Phường Hạ Long: chưa có ai đăng ký")
    supervisor.sees_not("Phường Hồng Gai", "chưa có cán bộ")
    world.passes(days=60)
    press(supervisor, "go:slow:22").sees("2 xã, phường, đặc khu chậm nhất", "Phường Hạ Long: chưa có ai đăng ký")


def test_the_slowest_without_an_officer_are_named_and_not_nudged(world: World, supervisor: Chat) -> None:
    world.officer("06688", "reviewer")
    world.citizen().joins()
    press(supervisor, "go:slow:22").sees(
        "2 xã, phường, đặc khu chậm nhất", "Phường Hồng Gai: 0 trong 1 người đăng ký đã nộp, chưa có cán bộ"
    )
    assert [each.id for each in supervisor.screen.choices if each.id.startswith("one:")] == ["one:06688"]
    supervisor.presses("all").sees("Đã gửi lời nhắc tới cán bộ: Phường Hạ Long.").sees_not("Chưa có cán bộ nào")


def test_at_new_year_the_slowest_are_those_of_the_year_that_ended(world: World, supervisor: Chat) -> None:
    world.citizen().joins().submits()
    officer = world.officer("06685", "reviewer")
    world.now = START.replace(year=2027, month=1, day=1)
    press(supervisor, "go:slow:22").sees("Phường Hồng Gai: 1 trong 1 người đăng ký đã nộp").presses("all")
    officer.heard("1 người đăng ký, 1 người đã nộp")


def test_where_nobody_can_be_reminded_that_is_said(supervisor: Chat) -> None:
    press(supervisor, "go:slow:22").sees("Bên dưới chưa có cán bộ nào để nhắc.", "Đơn vị chưa có cán bộ: 54")
    press(supervisor, "go:nudge:22").sees("Bên dưới chưa có cán bộ nào để nhắc.")


def test_at_night_a_nudge_and_its_answer_wait_for_the_morning(world: World, supervisor: Chat) -> None:
    officer = world.officer("06685", "reviewer", "Trần Thị Hoa")
    world.passes(hours=14, minutes=30)  # 23:30
    press(supervisor, "go:nudge:06685").sees("Đã gửi lời nhắc", "tới nơi lúc 7 giờ sáng")
    assert officer.hears() == []
    world.passes(hours=7, minutes=29)
    assert officer.hears() == []
    world.passes(minutes=1)
    (notice,) = officer.hears()
    press(supervisor, "go:nudge:06685").sees("đã nhắc rồi")  # it is today's
    world.passes(hours=14)
    press(officer, notice.choices[0].id).sees("Cảm ơn")
    assert supervisor.hears() == []
    world.passes(hours=10)
    supervisor.heard("đã rõ lời nhắc")


def test_a_unit_is_reminded_twice_a_day_whoever_does(world: World, supervisor: Chat) -> None:
    officer = world.officer("06685", "reviewer")
    others = [world.officer("22", "supervisor", f"Cán bộ {n}") for n in range(2)]
    press(supervisor, "go:nudge:06685").sees("Đã gửi lời nhắc")
    press(others[0], "go:nudge:06685").sees("Đã gửi lời nhắc")
    press(others[1], "go:nudge:06685").sees("đã được nhắc hai lần rồi", "Phường Hồng Gai").sees_not("Đã gửi")
    assert len(officer.hears()) == 2
    world.passes(days=1)
    press(others[1], "go:nudge:06685").sees("Đã gửi lời nhắc")


def test_nobody_reminds_themself(world: World, supervisor: Chat) -> None:
    with world.write() as conn:
        place = units.by_code(conn, "06685")
        assert place is not None
        code = officers.invite(conn, place.id, "reviewer", world.now, "test")
    supervisor.opens(codes.payload(code)).presses("accept")
    press(supervisor, "go:nudge:06685").sees("Chưa có cán bộ nào nhận được tin: Phường Hồng Gai")
    assert supervisor.hears() == []


def test_from_a_summary_the_report_of_its_unit_opens(supervisor: Chat) -> None:
    press(supervisor, "go:report:22").sees("Thành phố Quảng Ninh")
    press(supervisor, "go:report:31").sees_not("Hải Phòng")


def test_a_unit_without_officers_costs_no_nudge(world: World, supervisor: Chat) -> None:
    press(supervisor, "go:nudge:06685").sees("Chưa có cán bộ nào nhận được tin: Phường Hồng Gai")
    world.officer("06685", "reviewer")
    press(supervisor, "go:nudge:06685").sees("Đã gửi lời nhắc")


@pytest.mark.parametrize("choice", ["go:nudge:06685", "go:slow:06685", "go:nudge:VN", "go:slow:", "go:nudge:99999"])
def test_never_beyond_the_own_area(world: World, choice: str) -> None:
    officer = world.officer("06685", "reviewer")
    stranger = press(world.officer("31", "supervisor"), choice)
    stranger.sees_not("Đã gửi", "chậm nhất (")
    assert officer.hears() == []
    with world.read() as conn:
        assert conn.exec_driver_sql("select count(*) from nudges").scalar() == 0


def test_nobody_nudges_the_own_unit(world: World) -> None:
    officer, mate = world.officer("06685", "reviewer"), world.officer("06685", "reviewer")
    press(officer, "go:nudge:06685").sees_not("Đã gửi")
    assert mate.hears() == []


@pytest.mark.parametrize("number", ["1", "0", "999999999999999999999", "x", ""])
def test_only_an_officer_of_the_unit_says_noted(world: World, supervisor: Chat, number: str) -> None:
    world.officer("06685", "reviewer")
    press(supervisor, "go:nudge:06685").sees("Đã gửi")
    press(world.officer("06688", "reviewer"), f"go:noted:{number}").sees_not("Cảm ơn")
    press(world.citizen().joins(), f"go:noted:{number}").sees_not("Cảm ơn")
    assert supervisor.hears() == []
