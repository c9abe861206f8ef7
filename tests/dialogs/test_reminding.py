"""Reminders: when, to whom, how often, and never again once asked."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from dialogs import reminding
from dialogs.model import Pressed, Signal
from storage import outbox, reminders, seasons, units
from storage.seasons import Windows
from tests.support.world import START, Chat, World


def reminds(world: World) -> int:
    """One pass over everybody, as the scheduler makes it; how many are told."""
    told, place = 0, 0
    while True:
        with world.read() as conn:
            found, place = reminders.due(conn, world.now, place)
        with world.write() as conn:
            told += reminding.remind(conn, [each.assessment_id for each in found], world.now)
        if not place:
            return told


def opens(world: World, windows: Windows) -> None:
    with world.write() as conn:
        centre = units.by_code(conn, "VN")
        assert centre is not None
        seasons.set_windows(conn, centre.id, windows)


def returned(world: World) -> Chat:
    citizen = world.citizen().joins()
    code = citizen.submits("tot")
    officer = world.officer().types(f"/tralai {code}").presses("mark:B2")
    officer.presses("reasons").types("Ảnh mờ, xin chụp lại").presses("return")
    world.passes(seconds=61)
    return citizen


@pytest.mark.parametrize(
    ("days", "hours", "told"),
    [
        (0, 1, 0),
        (2, 23, 0),
        (3, 0, 1),  # 9 in the morning, three days later
        (3, 11, 1),  # 20:00
        (3, 12, 0),  # 21:00
        (3, 21, 0),  # 6:00
        (3, 22, 1),  # 7:00
        (40, 0, 1),
        (57, 0, 0),  # 1 December: the window has closed
    ],
)
def test_when_a_form_left_half_way_is_reminded_of(world: World, days: int, hours: int, told: int) -> None:
    world.citizen().joins().answers("dat", until=4)
    world.passes(days=days, hours=hours)
    assert reminds(world) == told


def test_two_in_a_season_after_three_and_ten_days_and_no_more(world: World) -> None:
    citizen = world.citizen().joins().answers("dat", until=4)
    told_on = []
    for day in range(50):
        if reminds(world):
            told_on.append(day)
            citizen.heard("đã trả lời 4/10 câu")
        world.passes(days=1)
    assert told_on == [3, 10]


def test_who_goes_on_and_stops_again_is_not_reminded_sooner(world: World) -> None:
    citizen = world.citizen().joins().answers("dat", until=4)
    world.passes(days=3)
    assert reminds(world) == 1
    world.passes(days=6)
    citizen.does(Pressed("go:on"), screen=None).presses("dat")
    world.passes(days=9)
    assert reminds(world) == 0
    world.passes(days=1)
    assert reminds(world) == 1


def test_after_a_long_silence_the_second_keeps_its_distance(world: World) -> None:
    world.citizen().joins().answers("dat", until=4)
    world.passes(days=30)
    assert [reminds(world), world.passes(days=6) and reminds(world), world.passes(days=1) and reminds(world)] == [
        1,
        0,
        1,
    ]


def test_the_button_goes_on_where_they_stopped(world: World) -> None:
    citizen = world.citizen().joins().answers("dat", until=4).types("/trangchu")
    world.passes(days=3)
    assert reminds(world) == 1
    (notice,) = citizen.hears()
    assert notice.title == "Kính chào Nguyễn Văn Hùng"
    assert [each.label for each in notice.choices] == ["Làm tiếp", "Đừng nhắc nữa"]
    citizen.does(Pressed("go:on"), screen=None).sees("Câu 5/10")


def test_the_button_is_the_readers_own(world: World) -> None:
    mother = world.citizen().joins(name="Lê Thị Na").answers("dat", until=4).types("/trangchu")
    father = world.citizen().joins(name="Lê Văn Ba").answers("dat", until=2).types("/trangchu")
    world.passes(days=3)
    assert reminds(world) == 2
    (notice,) = mother.hears()
    father.does(Pressed(notice.choices[0].id), screen=None).sees("gửi cho người khác").sees_not("Câu")
    father.does(Pressed("go:on:x"), screen=None).sees_not("Câu")
    mother.does(Pressed(notice.choices[0].id), screen=None).sees("Câu 5/10")


def test_a_window_that_reaches_over_new_year_is_reminded_in(world: World) -> None:
    first, last = date(2026, 1, 1), date(2026, 11, 30)
    opens(world, Windows(2026, first, last, date(2026, 9, 1), last, date(2026, 10, 1), date(2027, 1, 15)))
    citizen = returned(world)
    world.now = START.replace(month=12, day=30)
    assert reminds(world) == 1
    world.now = START.replace(year=2027, month=1, day=8)
    assert reminds(world) == 1
    notice = citizen.hears()[-1]
    assert "Hồ sơ năm 2026" in notice.text
    citizen.does(Pressed(notice.choices[0].id), screen=None).sees("Ảnh mờ, xin chụp lại")
    world.now = START.replace(year=2027, month=1, day=20)
    assert reminds(world) == 0


def test_one_who_registered_and_never_began_is_asked_to_begin(world: World) -> None:
    citizen = world.citizen().joins()
    world.passes(days=3)
    assert reminds(world) == 1
    citizen.heard("chưa mở phiếu").does(Pressed("go:on"), screen=None).sees("Câu 1/10")


def test_the_days_count_from_the_opening_of_the_window(world: World) -> None:
    opens(world, Windows(2026, date(2026, 1, 1), date(2026, 11, 30), *[date(2026, 10, 20), date(2026, 11, 30)] * 2))
    world.citizen().joins()
    found = []
    for _day in range(25):
        found.append(reminds(world))
        world.passes(days=1)
    assert found.index(1) == 18  # 9:00 on the 23rd, three days after the 20th began


def test_a_dossier_returned_is_reminded_of_until_decisions_end(world: World) -> None:
    citizen = returned(world)
    world.passes(days=3)
    assert reminds(world) == 1
    citizen.heard("còn 1 câu cần bổ sung").does(Pressed("go:on"), screen=None).sees("Ảnh mờ, xin chụp lại")


@pytest.mark.parametrize("becomes", ["submitted", "withdrawn", "blocked", "erased"])
def test_who_is_never_reminded(world: World, becomes: str) -> None:
    citizen = world.citizen().joins()
    match becomes:
        case "submitted":
            citizen.submits()
        case "withdrawn":
            citizen.types("/hoso").presses("ask_withdraw").presses("withdraw")
        case "blocked":
            citizen.does(Signal("blocked"))
        case "erased":
            citizen.types("/dulieu").presses("ask_erase").presses("erase").presses("erase_all")
    world.passes(days=12)
    assert reminds(world) == 0


def test_who_says_stop_hears_nothing_more_and_may_change_their_mind(world: World) -> None:
    citizen = world.citizen().joins().answers("dat", until=4)
    world.passes(days=3)
    assert reminds(world) == 1
    citizen.does(Pressed("go:stop"), screen=None).sees("không tự nhắc", "Câu 5/10")
    with world.read() as conn:
        assert outbox.pushes_due(conn, citizen.account, world.now) == []
    world.passes(days=20)
    assert reminds(world) == 0
    citizen.types("/dulieu").sees(
        "Đã nhắc 1 lần về phiếu năm 2026", "Không nhận lời nhắc và thông báo chung từ ngày 08/10"
    )
    citizen.presses("Lại nhắc tôi").sees("từ nay tôi lại nhắc")
    world.passes(days=10)
    assert reminds(world) == 1


def test_what_is_kept_of_reminders_goes_with_the_person(world: World) -> None:
    citizen = world.citizen().joins()
    world.passes(days=3)
    assert reminds(world) == 1
    citizen.does(Pressed("go:stop"), screen=None)
    citizen.types("/dulieu").presses("ask_erase").presses("erase").presses("erase_all")
    with world.read() as conn:
        for table in ("reminders", "unasked_stops"):
            assert conn.exec_driver_sql(f"select count(*) from {table}").scalar() == 0


def test_two_processes_remind_once(world: World) -> None:
    world.citizen().joins()
    world.passes(days=3)
    with world.read() as conn:
        (due,), _place = reminders.due(conn, world.now)
    with world.write() as conn:
        assert reminders.note(conn, due, world.now)
        assert not reminders.note(conn, due, world.now)


@pytest.mark.parametrize(
    ("clock", "night", "then"),
    [
        ("2026-10-05 06:59", True, "2026-10-05 07:00"),
        ("2026-10-05 07:00", False, "2026-10-05 07:00"),
        ("2026-10-05 20:29", False, "2026-10-05 20:29"),
        ("2026-10-05 20:30", True, "2026-10-06 07:00"),
        ("2026-10-05 23:59", True, "2026-10-06 07:00"),
        ("2026-10-06 00:00", True, "2026-10-06 07:00"),
    ],
)
def test_the_night(clock: str, night: bool, then: str) -> None:
    now = START.replace(tzinfo=seasons.ZONE).fromisoformat(f"{clock}+07:00")
    assert reminders.is_night(now) == night
    assert reminders.morning_after(now) == now.fromisoformat(f"{then}+07:00")
    assert not reminders.is_night(reminders.morning_after(now))
    assert reminders.morning_after(now) - now < timedelta(hours=11)
