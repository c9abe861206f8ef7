"""Summaries on their way: who gets what of them, how it fares, and what one fault holds up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.schedules import step
from dialogs import summaries
from locales import Voice
from reports import runs
from reports.model import Chart, UnitFigures
from storage import (
    conversations,
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
from storage.engine import metadata, reading, writing
from storage.schedules import Wish
from tests.support.desk import MONDAY, MORNING, SUNDAY, WEEKLY, Death, Desk, waits


def test_one_digest_for_who_has_several_roles_in_their_language(desk: Desk) -> None:
    desk.schedules = (WEEKLY, MORNING)
    _one, chat = desk.officer(
        ("22", "supervisor"), ("31", "supervisor"), ("06685", "reviewer"), name="Minh", language="en"
    )
    _two, other = desk.officer(("22", "supervisor"))
    desk.registers("06685", 2)
    waits(desk, 2)
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
    assert sorted(desk.drawn) == [("Thành phố Quảng Ninh", "en"), ("Thành phố Quảng Ninh", "vi")]


def test_a_reviewer_with_nothing_waiting_hears_nothing(desk: Desk) -> None:
    desk.schedules = (MORNING,)
    _number, chat = desk.officer(("06685", "reviewer"))
    _number, busy = desk.officer(("22", "reviewer"))
    waits(desk, 1)
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

    async def draws_late(what: Chart, voice: Voice) -> bytes:
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


def test_who_has_an_own_time_is_told_what_came_since_their_own_last_summary(desk: Desk) -> None:
    """Not since that of others two hours ago, nor since what an operator had sent in between."""
    usual, later = desk.officer(("22", "supervisor")), desk.officer(("22", "supervisor"))
    with writing(desk.engine) as conn:
        schedules.set_wish(conn, later[0], "weekly", Wish(minute=9 * 60), SUNDAY)
    week, two_hours = timedelta(days=7), timedelta(hours=2)
    desk.steps(SUNDAY)
    desk.registers("06685", 1)
    desk.steps(MONDAY)
    desk.registers("06685", 1)
    desk.steps(MONDAY + two_hours)
    (first,) = desk.told(later[1])
    assert "Đã đăng ký: 2" in first.text and "So với" not in first.text
    desk.registers("06685", 3)
    with writing(desk.engine) as conn:
        schedules.plan_now(conn, "weekly", MONDAY + timedelta(days=2), "cli")
    desk.steps(MONDAY + timedelta(days=2))
    desk.sends()
    desk.registers("06685", 4)
    desk.steps(MONDAY + week)
    desk.registers("06685", 1)
    desk.steps(MONDAY + week + two_hours)
    (their,), (own,) = desk.told(usual[1]), desk.told(later[1])
    assert "Đã đăng ký: 9 (+8)" in their.text
    assert "Đã đăng ký: 10 (+8)" in own.text
    assert "So với ngày 05/10/2026." in their.text and "So với ngày 05/10/2026." in own.text


def test_a_chart_that_cannot_be_drawn_leaves_the_words(desk: Desk) -> None:
    _number, chat = desk.officer(("22", "supervisor"))
    desk.registers("06685")
    desk.steps(SUNDAY)

    async def fails(what: Chart, voice: Voice) -> bytes:
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

    async def ends(what: Chart, voice: Voice) -> bytes:
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
    waits(desk, 1)
    waits(desk, 1, unit=4)
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
        waits(desk, 1, unit, since=MONDAY - timedelta(days=days))
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
    waits(desk, 1)
    desk.steps(SUNDAY)
    desk.steps(MONDAY + timedelta(hours=3))
    (screen,) = desk.told(chat)
    assert screen.text.count("BC-") == 1
    assert [each.id for each in screen.choices] == ["go:report:22", "go:slow:22", "go:queue"]
    assert ("7:00 ngày 05/10/2026" in screen.note, "7:30 ngày 05/10/2026" in screen.note) == (True, True)


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
