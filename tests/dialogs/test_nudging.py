"""Nudging: one press, a name on it, once a day; "đã rõ" comes back; never beyond the own area."""

from __future__ import annotations

import pytest

from dialogs.model import Pressed
from storage import audit, codes, officers, units
from tests.support.world import Chat, World

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
    press(supervisor, "go:slow:22").sees("Đơn vị chậm nhất", "5 xã, phường, đặc khu chậm nhất", ": 0 / 0")
    supervisor.sees_not("Phường Hồng Gai")
    code = next(each.id for each in supervisor.screen.choices if each.id.startswith("one:")).removeprefix("one:")
    officer = world.officer(code, "reviewer")
    supervisor.presses("all").sees("Đã gửi lời nhắc", "Chưa có cán bộ nào nhận được tin")
    assert len(officer.hears()) == 1
    supervisor.presses(f"one:{code}").sees("đã nhắc rồi")
    supervisor.presses("report").sees("Thành phố Quảng Ninh")
    press(supervisor, "go:nudge:22").sees("đã nhắc rồi")


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
