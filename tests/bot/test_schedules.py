"""The clockwork of summaries: planned ahead, sent once, late once, put off at night, gone on with after a death."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from bot.schedules import BATCH, Means, step
from dialogs import summaries
from dialogs.model import Screen, decode_screen
from locales import Voice
from reports import runs
from reports.model import UnitFigures
from reports.schedules import Schedule
from storage import (
    conversations,
    counters,
    deletions,
    desks,
    evidence,
    officers,
    outbox,
    people,
    reach,
    recipients,
    schedules,
    units,
)
from storage.base import Connection
from storage.engine import metadata, open_engine, reading, writing
from storage.schedules import Wish
from tests.support.units import few_units

SUNDAY = datetime(2026, 10, 4, 2, 0, tzinfo=UTC)  # 9:00 in Vietnam
MONDAY = datetime(2026, 10, 5, 0, 0, tzinfo=UTC)  # 7:00 in Vietnam
WEEKLY = Schedule("weekly", "0 7 * * MON", "summary", ("supervisor",), "province")
MORNING = Schedule("morning", "0 7 * * *", "waiting", ("reviewer",), "any")


@dataclass
class Desk:
    """A database with officers, and the clockwork over it."""

    engine: Engine
    schedules: tuple[Schedule, ...] = (WEEKLY,)
    drawn: list[tuple[str, str]] = field(default_factory=list)
    dies: Callable[[], None] = lambda: None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def officer(
        self, *roles: tuple[str, str], name: str = "Hoa", language: str = "vi", reachable: bool = True
    ) -> tuple[int, str]:
        """An officer with (unit code, role) pairs and a chat: their number and address."""
        address = f"chat-{next(self._numbers)}"
        with writing(self.engine) as conn:
            contact = people.meet(conn, "test", address, SUNDAY)
            conversations.begin_chat(conn, contact, "{}", language, SUNDAY)
            number = 0
            for code, role in roles:
                unit = units.by_code(conn, code)
                assert unit is not None
                invite = officers.open_invite(
                    conn, officers.codes.secret_hash(officers.invite(conn, unit.id, role, SUNDAY, "test", name)), SUNDAY
                )
                number = officers.accept(conn, invite, contact, name, SUNDAY)
            if not reachable:
                reach.lost(conn, "test", address, "gone", SUNDAY)
        return number, address

    def means(self) -> Means:
        async def run(job: Callable[[Connection], Any]) -> Any:
            self.dies()
            with writing(self.engine) as conn:
                return job(conn)

        async def read(job: Callable[[Connection], Any]) -> Any:
            with reading(self.engine) as conn:
                return job(conn)

        async def draw(figures: UnitFigures, voice: Voice) -> bytes:
            self.drawn.append((figures.code, voice.language))
            return b"png"

        async def keep(data: bytes) -> str:
            return "f" * 64

        return Means(run, read, draw, keep, self.schedules)

    def steps(self, now: datetime) -> int:
        return asyncio.run(step(self.means(), now))

    def told(self, address: str, now: datetime | None = None) -> list[Screen]:
        """What waits for an address (and is due by *now*)."""
        with reading(self.engine) as conn:
            rows = outbox.waiting_for(conn, "test", address, now or datetime(2030, 1, 1, tzinfo=UTC))
        return [decode_screen(row.body) for row in rows]

    def sends(self, outcome: str = "sent", reason: str | None = None) -> None:
        """Everything in the outbox goes out."""
        with writing(self.engine) as conn:
            for row in outbox.pushes_due(conn, "test", datetime(2030, 1, 1, tzinfo=UTC), 10_000):
                outbox.settle(conn, row.id, outcome, reason)

    def runs(self) -> list[tuple[str, datetime, bool, bool]]:
        """(schedule, due, late, ended) of every run in the order of their time."""
        with reading(self.engine) as conn:
            return [
                (each.run.schedule, each.run.due_at, each.run.late, each.run.ended_at is not None)
                for each in reversed(recipients.log(conn, most=100))
            ]

    def counts(self) -> dict[str, int]:
        """Of the newest run that began: outcome → how many."""
        with reading(self.engine) as conn:
            return next(each.counts for each in recipients.log(conn, most=100) if each.run.begun_at is not None)

    def registers(self, code: str, n: int = 3, status: str = "submitted", year: int = 2026) -> None:
        """People in the counts of a unit."""
        with writing(self.engine) as conn:
            unit = units.by_code(conn, code)
            assert unit is not None
            for _n in range(n):
                number = next(self._numbers)
                for before, after in ((None, "registered"), ("registered", status)):
                    counters.shift(
                        conn, assessment_id=number, unit_id=unit.id, year=year, subject_group="nong_dan",
                        before=before, after=after, why="test", now=SUNDAY,
                    )  # fmt: skip


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """A desk over a handful of units, on each database."""
    engine = open_engine(database_url)
    with writing(engine) as conn:
        from storage import tables  # noqa: F401 - every table

        metadata.create_all(conn)
        few_units(conn)
    yield Desk(engine)
    engine.dispose()


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


def test_one_digest_for_who_has_several_roles_in_their_language(desk: Desk) -> None:
    desk.schedules = (WEEKLY, MORNING)
    _one, chat = desk.officer(
        ("22", "supervisor"), ("31", "supervisor"), ("06685", "reviewer"), name="Minh", language="en"
    )
    _two, other = desk.officer(("22", "supervisor"))
    desk.registers("06685", 2)
    _waits(desk, 2)
    desk.steps(SUNDAY)
    assert desk.steps(MONDAY) == 2
    (screen,) = desk.told(chat)
    assert screen.language == "en"
    assert "Registered: 2" in screen.text
    assert "Thành phố Hải Phòng" in screen.text
    assert "2 dossiers wait for review" in screen.text
    assert "go:queue" in [each.id for each in screen.choices]
    (screen,) = desk.told(other)
    assert "Đã đăng ký: 2" in screen.text
    assert "Hải Phòng" not in screen.text
    # Figures of one unit are the same under the same code whatever the language; each is drawn once.
    assert sorted(desk.drawn) == [("22", "en"), ("22", "vi")]


def _waits(desk: Desk, n: int, unit: int = 3, since: datetime = SUNDAY) -> None:
    """Dossiers that wait in Hồng Gai (another unit: its row id)."""
    with writing(desk.engine) as conn:
        for _n in range(n):
            number = next(desk._numbers)
            conn.execute(
                sa.insert(metadata.tables["people"]).values(
                    id=number, unit_id=unit, name="Lan", birth_year=1960, form="ong_ba", subject_group="nong_dan",
                    joined_at=SUNDAY,
                )
            )  # fmt: skip
            conn.execute(
                sa.insert(metadata.tables["assessments"]).values(
                    id=number, code=f"HS-2026-{number:05}", person_id=number, year=2026, unit_id=unit,
                    subject_group="nong_dan", criteria_id="cdht", criteria_version="1", status="submitted", version=1,
                    registered_at=since, submitted_at=since,
                )
            )  # fmt: skip


def test_a_reviewer_with_nothing_waiting_hears_nothing(desk: Desk) -> None:
    desk.schedules = (MORNING,)
    _number, chat = desk.officer(("06685", "reviewer"))
    _number, busy = desk.officer(("22", "reviewer"))
    _waits(desk, 1)
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    assert [each.choices[0].id for each in desk.told(chat)] == ["go:queue"]
    assert "1 hồ sơ chờ xét" in desk.told(busy)[0].text
    with writing(desk.engine) as conn:
        conn.execute(sa.update(metadata.tables["assessments"]).values(status="draft"))
    desk.sends()
    desk.steps(MONDAY + timedelta(days=1))
    desk.steps(MONDAY + timedelta(days=1, seconds=5))
    assert desk.told(chat) == []
    assert desk.counts() == {"planned": 0, "sent": 0, "failed": 0, "unreachable": 0, "nothing": 2}


def test_in_quiet_hours_nothing_begins_and_what_is_left_waits_for_the_morning(desk: Desk) -> None:
    desk.schedules = (replace(WEEKLY, cron="0 23 * * SUN"), replace(MORNING, cron="55 20 * * SUN"))
    _number, chat = desk.officer(("22", "supervisor"), ("06685", "reviewer"))
    _waits(desk, 1)
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


def test_who_cannot_be_reached_is_written_down_and_another_chat_is_tried(desk: Desk) -> None:
    desk.officer(("22", "supervisor"), reachable=False)
    number, first = desk.officer(("22", "supervisor"))
    with writing(desk.engine) as conn:
        contact = people.meet(conn, "test", "second", SUNDAY)
        conversations.begin_chat(conn, contact, "{}", "en", SUNDAY - timedelta(days=1))
        conn.execute(
            sa.insert(metadata.tables["officer_contacts"]).values(contact_id=contact, officer_id=number, since=SUNDAY)
        )
    desk.steps(SUNDAY)
    assert desk.steps(MONDAY) == 1
    with writing(desk.engine) as conn:
        reach.lost(conn, "test", first, "Forbidden: bot was blocked by the user", MONDAY)
    assert desk.steps(MONDAY + timedelta(seconds=5)) == 0  # taken down now
    assert desk.steps(MONDAY + timedelta(seconds=10)) == 1
    assert len(desk.told("second")) == 1
    with writing(desk.engine) as conn:
        reach.lost(conn, "test", "second", "Forbidden: bot was blocked by the user", MONDAY)
    desk.steps(MONDAY + timedelta(seconds=15))
    assert desk.counts()["unreachable"] == 2
    assert desk.runs()[0][3]


def test_a_refused_message_is_failed_with_its_reason(desk: Desk) -> None:
    desk.officer(("22", "supervisor"))
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    desk.sends("failed", "Bad Request: message is too long")
    desk.steps(MONDAY + timedelta(seconds=5))
    with reading(desk.engine) as conn:
        (logged, *_rest) = [each for each in recipients.log(conn) if each.run.begun_at is not None]
    assert logged.counts["failed"] == 1
    assert logged.reasons == {"Bad Request: message is too long": 1}


def test_who_has_lost_the_role_meanwhile_hears_nothing(desk: Desk) -> None:
    _number, chat = desk.officer(("22", "supervisor"))
    desk.steps(SUNDAY)
    means = desk.means()

    async def draws_late(figures: UnitFigures, voice: Voice) -> bytes:
        with writing(desk.engine) as conn:
            conn.execute(sa.update(metadata.tables["officer_roles"]).values(until=MONDAY))
        return b"png"

    desk.registers("06685")
    asyncio.run(step(replace(means, draw=draws_late), MONDAY))
    assert desk.told(chat) == []
    assert desk.counts()["nothing"] == 1


def test_the_summary_tells_what_came_since_the_one_before(desk: Desk) -> None:
    _number, chat = desk.officer(("22", "supervisor"))
    desk.registers("06685", 2)
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    desk.sends()
    desk.registers("06685", 5)
    desk.steps(MONDAY + timedelta(days=7))
    (screen,) = desk.told(chat)
    assert "Đã đăng ký: 7 (+5)" in screen.text
    assert "So với ngày 05/10/2026." in screen.text


class Death(BaseException):
    """SIGKILL, as far as a test can have it in its own process."""


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


def test_a_chart_that_cannot_be_drawn_leaves_the_words(desk: Desk) -> None:
    _number, chat = desk.officer(("22", "supervisor"))
    desk.registers("06685")
    desk.steps(SUNDAY)

    async def fails(figures: UnitFigures, voice: Voice) -> bytes:
        raise RuntimeError("no ink")

    asyncio.run(step(replace(desk.means(), draw=fails), MONDAY))
    (screen,) = desk.told(chat)
    assert screen.pictures == ()
    assert "Đã đăng ký: 3" in screen.text


def test_a_unit_whose_figures_cannot_be_reckoned_holds_up_nobody_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _number, broken = desk.officer(("22", "supervisor"))
    _other, whole = desk.officer(("31", "supervisor"))
    publish = runs.publish

    def breaks(conn: Connection, unit: units.UnitRow, *rest: Any, **named: Any) -> UnitFigures:
        if unit.code == "22":
            raise ZeroDivisionError
        return publish(conn, unit, *rest, **named)

    monkeypatch.setattr(runs, "publish", breaks)
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    assert len(desk.told(whole)) == 1
    assert desk.told(broken) == []
    monkeypatch.undo()
    desk.steps(MONDAY + timedelta(minutes=1))
    assert len(desk.told(broken)) == 1


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


def test_a_page_that_cannot_be_made_is_tried_less_and_less_and_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _number, broken = desk.officer(("22", "supervisor"))
    _number, both = desk.officer(("22", "supervisor"), ("31", "supervisor"))
    tried: list[tuple[str, int]] = []
    minute = 0

    def breaks(conn: Connection, unit: units.UnitRow, *rest: Any, **named: Any) -> UnitFigures:
        tried.append((unit.code, minute))
        if unit.code == "22":
            raise ZeroDivisionError
        return publish(conn, unit, *rest, **named)

    publish = runs.publish
    monkeypatch.setattr(runs, "publish", breaks)
    desk.steps(SUNDAY)
    for minute in range(90):
        desk.steps(MONDAY + timedelta(minutes=minute))
    assert [at for code, at in tried if code == "22"] == [0, 1, 3, 13, 43]
    assert [at for code, at in tried if code == "31"] == [0]
    (screen,) = desk.told(both)  # what could be made
    assert "Hải Phòng" in screen.title
    assert desk.told(broken) == []
    desk.sends()
    desk.steps(MONDAY + timedelta(minutes=90))
    with reading(desk.engine) as conn:
        (logged, *_rest) = [each for each in recipients.log(conn) if each.run.begun_at is not None]
    assert (logged.counts["sent"], logged.counts["failed"], logged.reasons) == (1, 1, {"no page": 1})
    assert logged.run.ended_at is not None


def test_an_officer_whose_message_cannot_be_written_holds_up_nobody_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, _chat = desk.officer(("22", "supervisor"))
    _other, whole = desk.officer(("22", "supervisor"))
    tell = summaries._tell

    def breaks(conn: Connection, known: Any, officer: officers.OfficerRow, *rest: Any) -> bool:
        if officer.id == number:
            raise ZeroDivisionError
        return tell(conn, known, officer, *rest)

    monkeypatch.setattr(summaries, "_tell", breaks)
    desk.steps(SUNDAY)
    assert desk.steps(MONDAY) == 1
    assert len(desk.told(whole)) == 1
    assert desk.counts()["failed"] == 1


def test_what_follows_a_role_that_ended_is_still_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "MOST_UNITS", 1)
    number, chat = desk.officer(("22", "supervisor"), ("31", "supervisor"))
    desk.steps(SUNDAY)

    async def ends(figures: UnitFigures, voice: Voice) -> bytes:
        with writing(desk.engine) as conn:
            officers.end(conn, number, 2, MONDAY, "cli")
        return b"png"

    desk.registers("06685")
    asyncio.run(step(replace(desk.means(), draw=ends), MONDAY))
    desk.steps(MONDAY + timedelta(seconds=5))
    (screen,) = desk.told(chat)
    assert "Hải Phòng" in screen.title
    assert "Quảng Ninh" not in screen.title + screen.text


def test_of_two_roles_the_one_below_is_left_when_the_wider_ends(desk: Desk) -> None:
    desk.schedules = (replace(MORNING, quiet="21:00-08:00"),)
    number, chat = desk.officer(("22", "reviewer"), ("06685", "reviewer"))
    _waits(desk, 1)
    _waits(desk, 1, unit=4)
    desk.steps(SUNDAY)
    with writing(desk.engine) as conn:
        (run,) = schedules.open_runs(conn)
        held = recipients.holders(conn, ("reviewer",), None)
        assert [[path for _id, path in each.units] for each in held] == [["VN/22/"]]
        recipients.begin(conn, run.id, [(each, reach.of_officer(conn, each.officer_id)) for each in held], MONDAY)
        officers.end(conn, number, 2, MONDAY, "cli")
    desk.steps(MONDAY)
    (screen,) = desk.told(chat)
    assert "1 hồ sơ chờ xét" in screen.text


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({}, "2 hồ sơ đã quá 5 ngày làm việc"),  # what reports count by where nobody has said
        ({"22": 3}, "3 hồ sơ đã quá 3 ngày làm việc"),
        ({"22": 3, "06688": 10}, "2 hồ sơ đã quá hạn xét"),  # each by its own unit's days
    ],
)
def test_overdue_is_what_reports_say(desk: Desk, own: dict[str, int], told: str) -> None:
    desk.schedules = (MORNING,)
    _number, chat = desk.officer(("22", "reviewer"))
    for days, unit in ((9, 3), (9, 4), (6, 3), (1, 3)):
        _waits(desk, 1, unit, since=MONDAY - timedelta(days=days))
    with writing(desk.engine) as conn:
        for code, days in own.items():
            units.set_setting(conn, code, "service_days", days, "test", SUNDAY)
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    (screen,) = desk.told(chat)
    assert f"4 hồ sơ chờ xét, trong đó {told}" in screen.text


def test_what_waited_when_one_of_two_roles_ended_is_told_without_it(desk: Desk) -> None:
    number, chat = desk.officer(("22", "supervisor"), ("31", "supervisor"))
    other, gone = desk.officer(("22", "supervisor"))
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    with writing(desk.engine) as conn:
        for officer_id in (number, other):
            desks.dismiss(conn, officer_id, 2, MONDAY, "cli")
    for second in (5, 10):
        desk.steps(MONDAY + timedelta(seconds=second))
    (screen,) = desk.told(chat)
    assert "Hải Phòng" in screen.title
    assert "Quảng Ninh" not in screen.title + screen.text
    assert desk.told(gone) == []
    assert {name: n for name, n in desk.counts().items() if n} == {"planned": 1, "unreachable": 1}


def test_summaries_go_before_what_the_night_put_off(desk: Desk) -> None:
    _number, chat = desk.officer(("22", "supervisor"))
    with writing(desk.engine) as conn:
        for _n in range(3):
            outbox.put(
                conn, account="test", address="citizen", contact_id=None, body="{}", now=SUNDAY, not_before=MONDAY,
                priority=outbox.BULK,
            )  # fmt: skip
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    with reading(desk.engine) as conn:
        found = outbox.pushes_due(conn, "test", MONDAY, 1)
    assert [each.address for each in found] == [chat]


def test_a_chart_is_kept_while_somebody_is_to_get_it_and_then_as_long_as_they_have_it(desk: Desk) -> None:
    number, _chat = desk.officer(("22", "supervisor"))
    desk.registers("06685")
    desk.steps(SUNDAY)
    key = "f" * 64

    async def keep(data: bytes) -> str:
        with writing(desk.engine) as conn:
            assert deletions.hold(conn, [key], MONDAY)
        return key

    async def run(job: Callable[[Connection], Any]) -> Any:
        if getattr(job, "func", None) is summaries.deliver:
            raise Death
        with writing(desk.engine) as conn:
            return job(conn)

    with pytest.raises(Death):
        asyncio.run(step(replace(desk.means(), run=run, keep=keep), MONDAY))
    with writing(desk.engine) as conn:  # made, and nobody has it yet
        assert evidence.references(conn, key) == 1
        assert evidence.claim_deletions(conn, MONDAY + timedelta(days=1)) == []
    desk.steps(MONDAY + timedelta(seconds=5))
    desk.sends()
    desk.steps(MONDAY + timedelta(seconds=10))
    with writing(desk.engine) as conn:
        assert evidence.references(conn, key) == 1  # the reader's own
        assert evidence.claim_deletions(conn, MONDAY + timedelta(days=1)) == []
        found = reach.of_officer(conn, number)
        assert found is not None
        evidence.forget_uploads(conn, found.contact_id, MONDAY)
        assert evidence.claim_deletions(conn, MONDAY + timedelta(days=1)) == [key]


def test_at_night_the_writer_is_left_alone(desk: Desk) -> None:
    desk.schedules = (replace(WEEKLY, cron="0 23 * * SUN"), replace(MORNING, cron="55 20 * * SUN"))
    desk.officer(("22", "supervisor"), ("06685", "reviewer"))
    _waits(desk, 1)
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


def test_a_message_of_which_nothing_is_known_any_more_is_not_sent_again(desk: Desk) -> None:
    _number, chat = desk.officer(("22", "supervisor"))
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    desk.sends()
    with writing(desk.engine) as conn:  # the steps stood still for days, and the rows were forgotten meanwhile
        outbox.purge(conn, MONDAY + timedelta(days=3))
    desk.steps(MONDAY + timedelta(days=3))
    desk.steps(MONDAY + timedelta(days=3, seconds=5))
    assert desk.told(chat) == []
    assert desk.counts()["failed"] == 1


def test_a_unit_is_told_of_once_every_late_run_is_named_and_the_queue_keeps_its_button(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summaries, "MOST_BUTTONS", 3)
    desk.schedules = (WEEKLY, replace(WEEKLY, name="daily", cron="30 7 * * *"), MORNING)
    _number, chat = desk.officer(("22", "supervisor"), ("06685", "reviewer"))
    _waits(desk, 1)
    desk.steps(SUNDAY)
    desk.steps(MONDAY + timedelta(hours=3))
    (screen,) = desk.told(chat)
    assert screen.text.count("BC-") == 1
    assert [each.id for each in screen.choices] == ["go:report:22", "go:slow:22", "go:queue"]
    assert ("7:00 ngày 05/10/2026" in screen.note, "7:30 ngày 05/10/2026" in screen.note) == (True, True)


def test_what_is_told_together_is_put_off_together(desk: Desk) -> None:
    desk.schedules = (replace(MORNING, quiet=""), replace(WEEKLY, quiet="07:05-09:00"))
    _number, chat = desk.officer(("22", "supervisor"), ("06685", "reviewer"))
    _waits(desk, 1)
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    desk.steps(MONDAY + timedelta(minutes=6))
    assert desk.told(chat, MONDAY + timedelta(minutes=7)) == []
    assert len(desk.told(chat, MONDAY + timedelta(hours=2))) == 1


def test_it_goes_where_it_is_pushed_rather_than_to_the_own_page(desk: Desk) -> None:
    number, chat = desk.officer(("22", "supervisor"))
    with writing(desk.engine) as conn:
        contact = people.meet(conn, "web", "browser", SUNDAY)
        conversations.begin_chat(conn, contact, "{}", "vi", SUNDAY + timedelta(hours=1))
        conn.execute(
            sa.insert(metadata.tables["officer_contacts"]).values(contact_id=contact, officer_id=number, since=SUNDAY)
        )
        assert reach.of_officers(conn)[number].address == reach.of_officers_on(conn, 2)[number].address == chat
        reach.lost(conn, "test", chat, "gone", SUNDAY)
        found = reach.of_officer(conn, number)
    assert found is not None
    assert found.address == "browser"


def test_a_contact_that_is_forgotten_takes_its_number_along(desk: Desk) -> None:
    from storage import erasure

    number, _chat = desk.officer(("22", "supervisor"))
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    with writing(desk.engine) as conn:
        found = reach.of_officer(conn, number)
        assert found is not None
        erasure.forget_contact(conn, found.contact_id, MONDAY)
        left = conn.execute(sa.text("select count(*) from summary_recipients where contact_id is not null")).scalar()
    assert left == 0
    desk.steps(MONDAY + timedelta(seconds=5))
    assert desk.counts()["unreachable"] == 1


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
