"""Due times: by the zone's clock, on the last day of a short month, through summer time; and how they are told."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locales import Voice, speaking
from reports.schedules import (
    DEFAULTS,
    Schedule,
    day_after,
    day_of,
    fault,
    in_words,
    is_due,
    is_quiet,
    next_due,
    quiet_until,
)

HERE = ZoneInfo("Asia/Ho_Chi_Minh")
BERLIN = "Europe/Berlin"
MONDAY = Schedule("weekly", "0 7 * * MON")
moments = st.datetimes(datetime(2024, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


def dues(schedule: Schedule, first: datetime, until: datetime) -> list[datetime]:
    """Every due time after *first*, up to *until*."""
    found = []
    while (first := next_due(schedule, first)) <= until:
        found.append(first)
    return found


def test_monday_is_monday_whatever_number_a_scheduler_gives_it() -> None:
    for cron in ("0 7 * * MON", "0 7 * * 1", "0 7 * * mon"):
        found = next_due(Schedule("weekly", cron), datetime(2026, 11, 22, 12, tzinfo=UTC))
        assert found == datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
        assert found.astimezone(HERE).strftime("%A %H:%M") == "Monday 07:00"


@pytest.mark.parametrize("day", [29, 30, 31])
def test_every_month_of_twenty_years_has_its_day_once(day: int) -> None:
    found = dues(
        Schedule("x", f"30 6 {day} * *"), datetime(2023, 12, 31, 18, tzinfo=UTC), datetime(2044, 1, 1, tzinfo=UTC)
    )
    wanted = [date(y, m, min(day, monthrange(y, m)[1])) for y in range(2024, 2044) for m in range(1, 13)]
    assert [each.astimezone(HERE).date() for each in found] == wanted
    assert {each.astimezone(HERE).time() for each in found} == {time(6, 30)}


@given(
    moments, st.sets(st.integers(1, 31), min_size=1, max_size=4), st.sets(st.integers(1, 12), min_size=1, max_size=3)
)
def test_the_next_day_is_the_first_that_a_calendar_finds(after: datetime, days: set[int], months: set[int]) -> None:
    cron = f"15 8 {','.join(map(str, sorted(days)))} {','.join(map(str, sorted(months)))} *"
    found = next_due(Schedule("x", cron), after).astimezone(HERE)
    day = after.astimezone(HERE).date()
    while True:
        last = monthrange(day.year, day.month)[1]
        meant = {each if each < 29 else min(each, last) for each in days}
        at = datetime.combine(day, time(8, 15), HERE)
        if day.month in months and day.day in meant and at > after:
            break
        day += timedelta(days=1)
    assert found == at


@given(moments, st.integers(0, 1439))
def test_an_own_time_takes_the_place_of_the_schedules(after: datetime, minute: int) -> None:
    found = next_due(MONDAY, after, minute)
    local = found.astimezone(HERE)
    assert after < found <= after + timedelta(days=7, minutes=1)
    assert (local.weekday(), local.hour * 60 + local.minute) == (0, minute)
    assert is_due(MONDAY, found, minute)
    assert is_due(MONDAY, found) == (minute == 7 * 60)


@given(moments)
def test_a_day_or_weekday_that_is_both_restricted_is_either(after: datetime) -> None:
    local = next_due(Schedule("x", "0 7 31 * FRI"), after).astimezone(HERE)
    assert local.weekday() == 4 or local.day == monthrange(local.year, local.month)[1]


def test_an_hour_that_summer_time_leaves_out_is_made_up_for_and_one_that_comes_twice_is_due_once() -> None:
    nightly = Schedule("x", "30 2 * * *", zone=BERLIN)
    spring = dues(nightly, datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC))
    assert [f"{each.astimezone(ZoneInfo(BERLIN)):%d %H:%M}" for each in spring] == ["28 02:30", "29 03:00", "30 02:30"]
    autumn = dues(nightly, datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 10, 26, 12, tzinfo=UTC))
    assert [f"{each.astimezone(ZoneInfo(BERLIN)):%d %H:%M}" for each in autumn] == ["24 02:30", "25 02:30", "26 02:30"]


def test_in_the_second_of_two_equal_hours_what_was_due_in_the_first_is_over() -> None:
    found = next_due(Schedule("x", "30 2 * * *", zone=BERLIN), datetime(2026, 10, 25, 1, 10, tzinfo=UTC))
    assert found == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)))
def test_it_is_always_later_also_where_clocks_go_back(after: datetime) -> None:
    found = next_due(Schedule("x", "10,40 2 * * *", zone=BERLIN), after)
    assert after < found < after + timedelta(hours=26)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cron": "0 7 * *"}, "cron"),
        ({"cron": "0 25 * * *"}, "cron"),
        ({"cron": "every monday"}, "cron"),
        ({"cron": ""}, "cron"),
        ({"cron": "0 7 0 * *"}, "cron"),
        ({"cron": "0 7 32 * *"}, "cron"),
        ({"cron": "0 7 , * *"}, "cron"),
        ({"cron": "0 7 * 13 *"}, "cron"),
        ({"zone": "Asia/Hanoi"}, "zone"),
        ({"zone": "../etc/passwd"}, "zone"),
        ({"zone": "Asia"}, "zone"),
        ({"zone": ""}, "zone"),
        ({"level": "district"}, "level"),
        ({"roles": ()}, "roles"),
        ({"roles": ("boss",)}, "roles"),
        ({"content": "poem"}, "content"),
        ({"quiet": "9-6"}, "quiet"),
        ({"quiet": "24:00-06:00"}, "quiet"),
        ({"quiet": "06:00-06:00"}, "quiet"),
        ({"name": "Hằng tuần"}, "name"),
        ({"name": ""}, "name"),
    ],
)
def test_a_wrong_schedule_names_its_field(changes: dict[str, object], field: str) -> None:
    assert fault(replace(MONDAY, **changes)) == field  # type: ignore[arg-type]


def test_a_right_one_has_no_fault() -> None:
    assert [fault(each) for each in DEFAULTS] == [""] * len(DEFAULTS)
    assert fault(replace(MONDAY, cron="0 7 31 2 *")) == ""
    assert fault(replace(MONDAY, cron="0 7 L * *", quiet="")) == ""


@pytest.mark.parametrize(
    ("local", "until"),
    [
        ("20:59", ""),
        ("21:00", "2026-11-24 06:30"),
        ("23:59", "2026-11-24 06:30"),
        ("06:29", "2026-11-23 06:30"),
        ("06:30", ""),
    ],
)
def test_quiet_hours_end_in_the_morning(local: str, until: str) -> None:
    hour, minute = map(int, local.split(":"))
    found = quiet_until(MONDAY, datetime(2026, 11, 23, hour, minute, tzinfo=HERE))
    assert (f"{found.astimezone(HERE):%Y-%m-%d %H:%M}" if found else "") == until


def test_quiet_hours_within_a_day_and_none() -> None:
    noon = replace(MONDAY, quiet="12:00-13:30")
    assert quiet_until(noon, datetime(2026, 11, 23, 12, 10, tzinfo=HERE)) == datetime(2026, 11, 23, 13, 30, tzinfo=HERE)
    assert not is_quiet(noon, 13 * 60 + 30)
    assert not any(is_quiet(replace(MONDAY, quiet=""), minute) for minute in range(1440))


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 7 * * MON", "thứ Hai hằng tuần, 7 giờ"),
        ("30 7 * * *", "mỗi ngày, 7 giờ 30"),
        ("0 7,15 * * MON-FRI", "thứ Hai đến thứ Sáu hằng tuần, 7 giờ, 15 giờ"),
        ("5 8 * * 0,3", "thứ Tư, Chủ nhật hằng tuần, 8 giờ 05"),
        ("0 7 1,15 * *", "ngày 1, 15 hằng tháng, 7 giờ"),
        ("0 7 31 * *", "ngày cuối hằng tháng, 7 giờ"),
        ("0 7 L * *", "ngày cuối hằng tháng, 7 giờ"),
        ("0 7 31,L * *", "ngày cuối hằng tháng, 7 giờ"),
        ("0 7 15,29 * *", "ngày 15, 29 (tháng ngắn: ngày cuối) hằng tháng, 7 giờ"),
        ("0 7 31 1,12 *", "ngày 31 tháng 1, 12 hằng năm, 7 giờ"),
        ("0 7 31 6 *", "ngày cuối tháng 6 hằng năm, 7 giờ"),
        ("0 7 30 2,6 *", "ngày 30 (tháng ngắn: ngày cuối) tháng 2, 6 hằng năm, 7 giờ"),
        ("0 7 30 6,12 *", "ngày 30 tháng 6, 12 hằng năm, 7 giờ"),
        ("*/10 * * * *", "theo lịch riêng"),
        ("0 7 * * MON#2", "theo lịch riêng"),
        ("0 7 1 * MON", "theo lịch riêng"),
    ],
)
def test_when_in_words(cron: str, words: str) -> None:
    with speaking(Voice()):
        assert in_words(Schedule("x", cron)) == words


def test_a_day_is_a_day_by_the_zones_clock() -> None:
    berlin = Schedule("x", "0 7 * * *", zone=BERLIN)
    for day, hours in ((29, 23), (30, 24)):  # clocks go forward on the 29th
        at = datetime(2026, 3, day, 12, tzinfo=UTC)
        assert day_of(berlin, at) <= at < day_after(berlin, at)
        assert day_after(berlin, at) - day_of(berlin, at) == timedelta(hours=hours)
    assert day_of(MONDAY, datetime(2026, 11, 22, 17, 0, tzinfo=UTC)) == datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
    assert day_after(MONDAY, datetime(2026, 11, 22, 16, 59, tzinfo=UTC)) == datetime(2026, 11, 22, 17, 0, tzinfo=UTC)


def test_an_own_time_in_words() -> None:
    with speaking(Voice()):
        assert in_words(MONDAY, 9 * 60 + 5) == "thứ Hai hằng tuần, 9 giờ 05"
    with speaking(Voice("en")):
        assert in_words(MONDAY) == "every Monday, 7:00"
