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

from bot.schedules import BATCH, Means, step, year_of
from dialogs.model import Screen, decode_screen
from locales import Voice
from reports import runs
from reports.model import UnitFigures
from reports.schedules import Schedule
from storage import conversations, counters, officers, outbox, people, reach, schedules, units
from storage.base import Connection
from storage.engine import metadata, open_engine, reading, writing
from storage.schedules import Wish

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
                for each in reversed(schedules.log(conn, most=100))
            ]

    def counts(self) -> dict[str, int]:
        """Of the newest run that began: outcome → how many."""
        with reading(self.engine) as conn:
            return next(each.counts for each in schedules.log(conn, most=100) if each.run.begun_at is not None)

    def registers(self, code: str, n: int = 3, status: str = "submitted") -> None:
        """People in the counts of a unit."""
        with writing(self.engine) as conn:
            unit = units.by_code(conn, code)
            assert unit is not None
            for _n in range(n):
                number = next(self._numbers)
                for before, after in ((None, "registered"), ("registered", status)):
                    counters.shift(
                        conn, assessment_id=number, unit_id=unit.id, year=2026, subject_group="nong_dan",
                        before=before, after=after, why="test", now=SUNDAY,
                    )  # fmt: skip


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """A desk over a handful of units, on each database."""
    engine = open_engine(database_url)
    with writing(engine) as conn:
        from storage import tables  # noqa: F401 - every table

        metadata.create_all(conn)
        table = metadata.tables["units"]
        for id, code, level, parent, path, name, kind in (
            (1, "VN", 0, None, "VN/", "Trung ương Hội", "trung_uong"),
            (2, "22", 1, 1, "VN/22/", "Thành phố Quảng Ninh", "thanh_pho"),
            (3, "06685", 2, 2, "VN/22/06685/", "Phường Hồng Gai", "phuong"),
            (4, "06688", 2, 2, "VN/22/06688/", "Phường Hạ Long", "phuong"),
            (5, "31", 1, 1, "VN/31/", "Thành phố Hải Phòng", "thanh_pho"),
        ):
            conn.execute(
                sa.insert(table).values(
                    id=id, vintage="2025", code=code, level=level, parent_id=parent, path=path, name=name, kind=kind,
                    folded=name.lower(),
                )
            )  # fmt: skip
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
        "Phường Hạ Long: 0 / 0",
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


def _waits(desk: Desk, n: int) -> None:
    """Dossiers that wait in Hồng Gai."""
    with writing(desk.engine) as conn:
        for _n in range(n):
            number = next(desk._numbers)
            conn.execute(
                sa.insert(metadata.tables["people"]).values(
                    id=number, unit_id=3, name="Lan", birth_year=1960, form="ong_ba", subject_group="nong_dan",
                    joined_at=SUNDAY,
                )
            )  # fmt: skip
            conn.execute(
                sa.insert(metadata.tables["assessments"]).values(
                    id=number, code=f"HS-2026-{number:05}", person_id=number, year=2026, unit_id=3,
                    subject_group="nong_dan", criteria_id="cdht", criteria_version="1", status="submitted", version=1,
                    registered_at=SUNDAY, submitted_at=SUNDAY,
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
        (logged, *_rest) = [each for each in schedules.log(conn) if each.run.begun_at is not None]
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
    ("due_at", "year"),
    [
        (datetime(2026, 12, 31, 0, tzinfo=UTC), 2026),
        (datetime(2027, 1, 1, 0, tzinfo=UTC), 2026),  # 7:00 of New Year's Day: the season has just ended
        (datetime(2027, 1, 2, 0, tzinfo=UTC), 2027),
    ],
)
def test_on_new_years_day_a_summary_tells_of_the_year_that_ended(due_at: datetime, year: int) -> None:
    assert year_of(due_at) == year


def test_a_contact_that_is_forgotten_takes_its_number_along(desk: Desk) -> None:
    from storage import erasure

    number, _chat = desk.officer(("22", "supervisor"))
    desk.steps(SUNDAY)
    desk.steps(MONDAY)
    with writing(desk.engine) as conn:
        found = schedules.reach_of(conn, number)
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
        assert schedules.purge(conn, MONDAY) == 0
        assert schedules.purge(conn, MONDAY + timedelta(days=1)) == 1
        for table in ("summary_recipients", "summary_pages"):
            assert conn.execute(sa.text(f"select count(*) from {table}")).scalar() == 0
