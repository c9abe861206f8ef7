"""The clockwork of summaries: planned ahead, sent once, late once, put off at night, gone on with after a death."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.schedules import BATCH
from storage import (
    recipients,
    schedules,
)
from storage.engine import open_engine, writing
from storage.schedules import Wish
from tests.support.desk import MONDAY, MORNING, SUNDAY, WEEKLY, Death, Desk, waits


def test_the_next_run_is_a_row_before_it_is_due_and_happens_once(desk: Desk) -> None:
    _number, chat = desk.officer(("22", "supervisor"))
    desk.registers("06685")
    assert desk.steps(SUNDAY) == 0
    assert desk.runs() == [("weekly", MONDAY, False, False)]
    assert desk.steps(MONDAY - timedelta(seconds=1)) == 0
    assert desk.steps(MONDAY) == 1
    assert desk.steps(MONDAY + timedelta(seconds=5)) == 0
    (screen,) = desk.told(chat)
    assert "Thành phố Quảng Ninh" in screen.title
    for line in (
        "Đã đăng ký: 3",
        "Đã nộp: 3",
        "Đạt: 0",
        "Đang chờ xét: 3",
        "Tỉ lệ đạt",
        "Đơn vị chưa có cán bộ: 2",
        "BC-",
    ):
        assert line in screen.text
    assert [each.id for each in screen.choices] == ["go:report:22", "go:slow:22", "go:nudge:22"]
    assert [each.key for each in screen.pictures] == ["f" * 64]
    assert desk.counts()["planned"] == 1
    desk.sends()
    desk.steps(MONDAY + timedelta(seconds=10))
    assert desk.counts()["sent"] == 1
    assert desk.runs() == [("weekly", MONDAY, False, True), ("weekly", MONDAY + timedelta(days=7), False, False)]


def test_what_a_server_that_was_down_missed_happens_once_marked_late(desk: Desk) -> None:
    _number, chat = desk.officer(("22", "supervisor"))
    desk.steps(SUNDAY)
    back = MONDAY + timedelta(days=15, hours=3)  # two more Mondays have passed
    assert desk.steps(back) == 1
    assert [(due, late) for _name, due, late, _ended in desk.runs()] == [
        (MONDAY, True),
        (MONDAY + timedelta(days=21), False),
    ]
    (screen,) = desk.told(chat)
    assert "7:00 ngày 05/10/2026" in screen.note


def test_a_first_start_sends_nothing_of_the_past(desk: Desk) -> None:
    _number, chat = desk.officer(("22", "supervisor"))
    assert desk.steps(MONDAY + timedelta(minutes=1)) == 0
    assert desk.told(chat) == []


def test_the_next_run_follows_the_settings(desk: Desk) -> None:
    desk.steps(SUNDAY)
    desk.schedules = (replace(WEEKLY, cron="0 8 * * TUE"), MORNING)
    desk.steps(SUNDAY)
    assert [(name, due) for name, due, *_rest in desk.runs()] == [
        ("morning", MONDAY),
        ("weekly", MONDAY + timedelta(days=1, hours=1)),
    ]
    desk.schedules = ()
    desk.steps(MONDAY + timedelta(days=7))
    assert desk.runs() == []


def test_in_quiet_hours_nothing_begins_and_what_is_left_waits_for_the_morning(desk: Desk) -> None:
    desk.schedules = (replace(WEEKLY, cron="0 23 * * SUN"), replace(MORNING, cron="55 20 * * SUN"))
    _number, chat = desk.officer(("22", "supervisor"), ("06685", "reviewer"))
    waits(desk, 1)
    night, morning = datetime(2026, 10, 4, 16, 0, tzinfo=UTC), datetime(2026, 10, 4, 23, 30, tzinfo=UTC)
    desk.steps(SUNDAY)
    assert desk.steps(datetime(2026, 10, 4, 13, 55, tzinfo=UTC)) == 1  # 20:55, and Telegram is not to be reached
    assert desk.steps(night) == 0
    assert desk.told(chat, night) == []
    assert desk.told(chat, morning - timedelta(minutes=1)) == []
    assert len(desk.told(chat, morning)) == 1
    assert desk.steps(morning) == 1
    assert len(desk.told(chat, morning)) == 2


def test_of_what_a_night_held_up_only_the_newest_is_told(desk: Desk) -> None:
    desk.schedules = (replace(WEEKLY, cron="0 * * * *"),)
    _number, chat = desk.officer(("22", "supervisor"))
    night = datetime(2026, 10, 4, 13, 55, tzinfo=UTC)  # 20:55
    for hour in range(10):
        desk.steps(night + timedelta(hours=hour))
    assert len([each for each in desk.runs() if each[1] <= night + timedelta(hours=10)]) >= 9
    desk.steps(night + timedelta(hours=10))
    (screen,) = desk.told(chat)
    assert screen.text.count("BC-") == 1
    desk.sends()
    desk.steps(night + timedelta(hours=10, seconds=5))
    assert all(ended for *_rest, due, _late, ended in desk.runs() if due <= night + timedelta(hours=10))


def test_paused_and_own_times(desk: Desk) -> None:
    paused, chat_paused = desk.officer(("22", "supervisor"))
    later, chat_later = desk.officer(("22", "supervisor"))
    _usual, chat_usual = desk.officer(("22", "supervisor"))
    with writing(desk.engine) as conn:
        schedules.set_wish(conn, paused, "weekly", Wish(paused=True), SUNDAY)
        schedules.set_wish(conn, later, "weekly", Wish(minute=9 * 60), SUNDAY)
    desk.steps(SUNDAY)
    assert [due for _name, due, *_rest in desk.runs()] == [MONDAY, MONDAY + timedelta(hours=2)]
    assert desk.steps(MONDAY) == 1
    assert (len(desk.told(chat_usual)), len(desk.told(chat_later)), len(desk.told(chat_paused))) == (1, 0, 0)
    assert desk.steps(MONDAY + timedelta(hours=2)) == 1
    assert (len(desk.told(chat_usual)), len(desk.told(chat_later)), len(desk.told(chat_paused))) == (1, 1, 0)


def test_a_run_goes_on_after_each_death_and_nobody_gets_it_twice(desk: Desk) -> None:
    chats = [desk.officer(("22", "supervisor"), name=f"Hoa {n}")[1] for n in range(BATCH * 2 + 5)]
    desk.registers("06685")
    desk.steps(SUNDAY)
    deaths = 0
    for life in itertools.count(1):
        left = itertools.count(life % 3)

        def dies(left: Iterator[int] = left) -> None:
            if next(left) >= 3:
                raise Death

        desk.dies = dies
        try:
            desk.steps(MONDAY + timedelta(seconds=life))
            break
        except Death:
            deaths += 1
        assert life < 50
    assert deaths >= 2
    assert [len(desk.told(chat)) for chat in chats] == [1] * len(chats)


def test_two_processes_at_once_never_both_send(desk: Desk) -> None:
    chats = [desk.officer(("22", "supervisor"), name=f"Hoa {n}")[1] for n in range(60)]
    desk.registers("06685")
    desk.steps(SUNDAY)
    others = [Desk(open_engine(str(desk.engine.url.render_as_string(hide_password=False)))) for _n in range(2)]
    together = threading.Barrier(2)
    faults: list[BaseException] = []

    def lives(other: Desk) -> None:
        together.wait()
        try:
            for second in range(4):
                other.steps(MONDAY + timedelta(seconds=second))
        except BaseException as error:  # noqa: BLE001 - shown by the test
            faults.append(error)

    threads = [threading.Thread(target=lives, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.engine.dispose()
    assert faults == []
    assert [len(desk.told(chat)) for chat in chats] == [1] * len(chats)
    assert len([each for each in desk.runs() if each[1] == MONDAY]) == 1


@pytest.mark.parametrize(
    ("day", "joined", "year"),
    [
        (datetime(2026, 12, 31, 0, tzinfo=UTC), False, 2026),
        (datetime(2027, 1, 1, 0, tzinfo=UTC), True, 2026),  # 7:00 of New Year's Day: the season has just ended
        (datetime(2027, 1, 4, 0, tzinfo=UTC), False, 2026),  # nobody has come yet
        (datetime(2027, 1, 4, 0, tzinfo=UTC), True, 2027),
        (datetime(2027, 2, 1, 0, tzinfo=UTC), False, 2027),
    ],
)
def test_at_new_year_a_summary_tells_of_the_year_that_ended(desk: Desk, day: datetime, joined: bool, year: int) -> None:
    desk.schedules = (replace(WEEKLY, cron="0 7 * * *"),)
    _number, chat = desk.officer(("22", "supervisor"))
    desk.registers("06685", 2)
    if joined:
        desk.registers("06685", 1, year=2027)
    desk.steps(day - timedelta(hours=1))
    desk.steps(day)
    (screen,) = desk.told(chat)
    told = {2026: "Đã đăng ký: 2", 2027: "Đã đăng ký: 1" if joined else "Chưa có ai đăng ký"}
    assert told[year] in screen.text


def test_at_night_the_writer_is_left_alone(desk: Desk) -> None:
    desk.schedules = (replace(WEEKLY, cron="0 23 * * SUN"), replace(MORNING, cron="55 20 * * SUN"))
    desk.officer(("22", "supervisor"), ("06685", "reviewer"))
    waits(desk, 1)
    desk.steps(SUNDAY)
    desk.steps(datetime(2026, 10, 4, 13, 55, tzinfo=UTC))
    desk.steps(datetime(2026, 10, 4, 16, 0, tzinfo=UTC))
    turns: list[None] = []
    desk.dies = lambda: turns.append(None)
    desk.steps(datetime(2026, 10, 4, 16, 0, 5, tzinfo=UTC))
    assert turns == []


def test_for_own_times_only_their_officers_are_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    number, chat = desk.officer(("22", "supervisor"))
    desk.officer(("22", "supervisor"))
    with writing(desk.engine) as conn:
        schedules.set_wish(conn, number, "weekly", Wish(minute=9 * 60), SUNDAY)
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    asked: list[Any] = []
    holders = recipients.holders

    def listens(*given: Any) -> list[recipients.Holder]:
        asked.append(given[-1])
        return holders(*given)

    monkeypatch.setattr(recipients, "holders", listens)
    desk.steps(MONDAY + timedelta(hours=2))
    assert asked == [{number}]
    assert len(desk.told(chat)) == 1


def test_a_run_missed_before_its_line_was_changed_happens_late(desk: Desk) -> None:
    _usual, chat = desk.officer(("22", "supervisor"))
    own, other = desk.officer(("22", "supervisor"))
    with writing(desk.engine) as conn:
        schedules.set_wish(conn, own, "weekly", Wish(minute=9 * 60), SUNDAY)
    desk.steps(SUNDAY)
    desk.schedules = (replace(WEEKLY, cron="0 8 * * FRI"),)
    desk.steps(MONDAY + timedelta(hours=1))
    assert [len(desk.told(each)) for each in (chat, other)] == [1, 0]
    assert "7:00 ngày 05/10/2026" in desk.told(chat)[0].note
    desk.sends()
    desk.steps(MONDAY + timedelta(hours=3))
    assert [due for _name, due, _late, ended in desk.runs() if not ended] == [
        MONDAY + timedelta(days=4, hours=1),
        MONDAY + timedelta(days=4, hours=2),
    ]


def test_a_time_that_stays_is_planned_by_the_new_line(desk: Desk) -> None:
    _number, chat = desk.officer(("22", "supervisor"))
    own, other = desk.officer(("22", "supervisor"))
    with writing(desk.engine) as conn:
        schedules.set_wish(conn, own, "weekly", Wish(minute=8 * 60), SUNDAY)
    desk.steps(SUNDAY)  # 7:00, and 8:00 for one
    desk.schedules = (replace(WEEKLY, cron="0 8 * * MON"),)
    desk.steps(SUNDAY + timedelta(hours=1))
    assert desk.steps(MONDAY + timedelta(hours=1)) == 2
    assert [len(desk.told(each)) for each in (chat, other)] == [1, 1]


def test_whoever_changes_the_time_after_it_came_does_not_get_it_twice(desk: Desk) -> None:
    number, chat = desk.officer(("22", "supervisor"))
    desk.schedules = (replace(WEEKLY, cron="0 7 * * *"),)
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    desk.sends()
    desk.steps(MONDAY + timedelta(minutes=1))
    with writing(desk.engine) as conn:
        schedules.set_wish(conn, number, "weekly", Wish(minute=8 * 60), MONDAY + timedelta(minutes=30))
    desk.steps(MONDAY + timedelta(minutes=31))
    desk.steps(MONDAY + timedelta(hours=1))
    assert desk.told(chat) == []
    desk.steps(MONDAY + timedelta(days=1, hours=1))
    assert len(desk.told(chat)) == 1


def test_what_comes_every_hour_goes_on_after_a_change(desk: Desk) -> None:
    number, chat = desk.officer(("22", "supervisor"))
    desk.schedules = (replace(WEEKLY, cron="0 7-17 * * *"),)
    desk.steps(SUNDAY + timedelta(hours=12))
    with writing(desk.engine) as conn:
        schedules.set_wish(conn, number, "weekly", Wish(minute=7 * 60), SUNDAY)
    for minute in range(0, 181, 30):
        desk.steps(MONDAY + timedelta(minutes=minute))
        if minute == 60:
            with writing(desk.engine) as conn:
                schedules.set_wish(conn, number, "weekly", Wish(), MONDAY + timedelta(minutes=61))
    assert len(desk.told(chat)) == 3  # at 7:00; at 9:00 and 10:00 by the usual times again


def test_what_is_told_together_is_put_off_together(desk: Desk) -> None:
    desk.schedules = (replace(MORNING, quiet=""), replace(WEEKLY, quiet="07:05-09:00"))
    _number, chat = desk.officer(("22", "supervisor"), ("06685", "reviewer"))
    waits(desk, 1)
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    desk.steps(MONDAY + timedelta(minutes=6))
    assert desk.told(chat, MONDAY + timedelta(minutes=7)) == []
    assert len(desk.told(chat, MONDAY + timedelta(hours=2))) == 1


def test_old_runs_are_forgotten_whole(desk: Desk) -> None:
    desk.officer(("22", "supervisor"))
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    desk.sends()
    desk.steps(MONDAY + timedelta(seconds=5))
    with writing(desk.engine) as conn:
        assert recipients.purge(conn, MONDAY) == 0
        assert recipients.purge(conn, MONDAY + timedelta(days=1)) == 1
        for table in ("summary_recipients", "summary_pages"):
            assert conn.execute(sa.text(f"select count(*) from {table}")).scalar() == 0
