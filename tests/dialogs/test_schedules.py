"""/lichbaocao: which summaries come, when, pause them, at an own time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dialogs.schedules import minute_of
from storage import recipients, schedules
from storage.schedules import Wish
from tests.support.world import World


def wish(world: World, name: str = "weekly-province") -> Wish:
    with world.read() as conn:
        number = conn.exec_driver_sql("select max(officer_id) from officer_roles").scalar()
        return schedules.wish(conn, number, name)


def test_each_officer_sees_the_summaries_of_their_roles(world: World) -> None:
    supervisor = world.officer("22", "supervisor").types("/lichbaocao")
    supervisor.sees("Bản tổng hợp tỉnh, thành phố", "thứ Hai hằng tuần, 7 giờ", "Lần tới: 7:00 ngày 12/10/2026")
    supervisor.sees_not("Hồ sơ chờ xét", "cả nước")
    world.officer("06685", "reviewer").types("/lichbaocao").sees("Hồ sơ chờ xét", "mỗi ngày, 7 giờ 30").sees_not("tỉnh")
    world.officer("06685", "supervisor").types("/lichbaocao").sees("chưa có bản tổng hợp nào")


def test_a_citizen_is_told_that_it_is_for_officers(world: World) -> None:
    world.citizen().joins().types("/lichbaocao").sees("cán bộ").sees_not("Lịch báo cáo")


def test_pause_and_resume(world: World) -> None:
    officer = world.officer("22", "supervisor").types("/lichbaocao").presses("of:weekly-province")
    officer.presses("Tạm dừng").sees("Đã tạm dừng", "Đang tạm dừng. Lịch: thứ Hai hằng tuần, 7 giờ")
    assert wish(world) == Wish(paused=True)
    officer.presses("Nhận lại").sees("lại được gửi", "Lần tới")
    assert wish(world) == Wish()
    officer.presses("back").sees("Lịch báo cáo").presses("back").sees("Chào Trần Thị Hoa")


def test_an_own_time_pressed_typed_and_given_up(world: World) -> None:
    officer = world.officer("22", "supervisor").types("/lichbaocao").presses("of:weekly-province").presses("Đổi giờ")
    officer.sees_not("6 giờ\n").presses("9 giờ").sees("Từ nay gửi lúc 9 giờ.", "thứ Hai hằng tuần, 9 giờ")
    assert wish(world) == Wish(minute=540)
    officer.presses("Đổi giờ").types("7h45").sees("7 giờ 45", "Lần tới: 7:45 ngày 12/10/2026")
    officer.presses("Theo giờ chung").sees("theo giờ chung", "7 giờ").sees_not("7 giờ 45")
    assert wish(world) == Wish()


@pytest.mark.parametrize(
    ("typed", "minute", "said"),
    [("17 giờ", 1020, "17 giờ"), ("14", 840, "14 giờ"), ("9", 540, "9 giờ"), ("2", None, "21:00–06:30")],
)
def test_a_number_typed_is_the_hour_and_presses_no_button(
    world: World, typed: str, minute: int | None, said: str
) -> None:
    officer = world.officer("22", "supervisor").types("/lichbaocao").presses("of:weekly-province").presses("Đổi giờ")
    officer.types(typed).sees(said)
    assert wish(world) == Wish(minute=minute)


def planned(world: World) -> list[str]:
    """The runs that officers had sent at once: by whom."""
    with world.read() as conn:
        return [each.planned_by for each in schedules.open_runs(conn) if each.planned_by != "system"]


def test_a_new_time_is_planned_at_once(world: World) -> None:
    """The clockwork may be in the midst of a big run until that time is over."""
    officer = world.officer("22", "supervisor").types("/lichbaocao").presses("of:weekly-province")
    officer.presses("Đổi giờ").types("9h03").presses("Tạm dừng").presses("Nhận lại")
    with world.read() as conn:
        (run,) = schedules.open_runs(conn)
        assert (run.schedule, run.due_at - world.now < timedelta(minutes=4)) == ("weekly-province", True)


def test_todays_comes_at_once_where_its_new_time_is_over(world: World) -> None:
    officer = world.officer("22", "supervisor").types("/lichbaocao").presses("of:weekly-province")
    officer.presses("Đổi giờ").types("8h30").sees("Từ nay gửi lúc 8 giờ 30.").sees_not("hôm nay")  # Monday, 9:00
    officer.presses("Đổi giờ").presses("11 giờ").sees("Lần tới: 11:00 ngày 05/10/2026")
    officer.presses("Theo giờ chung").sees("Bản hôm nay tôi gửi ngay bây giờ", "Lần tới: 7:00 ngày 12/10/2026")
    assert planned(world) == ["officer:1"]
    with world.read() as conn:
        (row,) = recipients.unsaid(conn)
    assert (row.officer_id, row.late) == (1, False)
    officer.presses("Đổi giờ").presses("11 giờ").sees("Lần tới: 11:00 ngày 12/10/2026")  # today's has come
    officer.presses("Theo giờ chung").sees_not("hôm nay tôi gửi")
    assert planned(world) == ["officer:1"]


def test_on_another_day_nothing_comes_at_once(world: World) -> None:
    world.passes(days=1)
    officer = world.officer("22", "supervisor").types("/lichbaocao").presses("of:weekly-province").presses("Đổi giờ")
    officer.presses("11 giờ").sees("Lần tới: 11:00 ngày 12/10/2026")
    officer.presses("Theo giờ chung").sees_not("hôm nay")
    assert planned(world) == []


def test_one_who_paused_gets_nothing_by_another_time(world: World) -> None:
    officer = world.officer("22", "supervisor").types("/lichbaocao").presses("of:weekly-province").presses("Đổi giờ")
    officer.presses("11 giờ").presses("Tạm dừng").presses("Theo giờ chung").sees_not("hôm nay tôi gửi")
    assert planned(world) == []


def test_a_time_in_the_quiet_hours_or_none_at_all_is_asked_again(world: World) -> None:
    officer = world.officer("22", "supervisor").types("/lichbaocao").presses("of:weekly-province").presses("Đổi giờ")
    officer.types("23h").sees("giờ nghỉ", "21:00–06:30")
    officer.types("sáng sớm").sees("chưa hiểu giờ này")
    officer.types("25:00").sees("chưa hiểu giờ này")
    assert wish(world) == Wish()


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        ("7", 420), ("07:30", 450), ("7h30", 450), ("7 giờ", 420), ("7 giờ rưỡi", 450), ("lúc 14 giờ 05 phút", 845),
        ("0:00", 0), ("23.59", 1439), ("24", None), ("7:60", None), ("bảy giờ", None), ("", None), ("7:30:15", None),
    ],
)  # fmt: skip
def test_times_as_people_type_them(text: str, minute: int | None) -> None:
    assert minute_of(text) == minute
