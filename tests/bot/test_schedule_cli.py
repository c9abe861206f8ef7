"""``hoctap schedule``: what comes, who would get it, one sent now, what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.bot.conftest import Cli
from tests.support.world import World


@pytest.fixture
def provinces(world: World) -> World:
    world.officer("22", "supervisor", "Lê Văn Minh")
    world.officer("31", "supervisor", "Phạm Thị Lan")
    world.officer("06685", "reviewer", "Trần Thị Hoa")
    return world


def test_the_list_says_what_when_and_to_how_many(provinces: World, cli: Cli) -> None:
    listed = cli("schedule", "list").said("weekly-province", "thứ Hai hằng tuần, 7 giờ", "lần tới 7:00", "2 người nhận")
    assert len(listed.out.splitlines()) == 3
    found = {each["name"]: each for each in cli("schedule", "list", "--json").json}
    assert [found[name]["recipients"] for name in ("weekly-province", "monthly-centre", "morning-queue")] == [2, 0, 1]
    assert found["weekly-province"]["next"].endswith("00:00:00+00:00")


def test_a_dry_run_names_them_and_writes_nothing(provinces: World, cli: Cli) -> None:
    cli("schedule", "run", "weekly-province", "--dry-run").said("Lê Văn Minh: 22", "Phạm Thị Lan: 31", "Chưa gửi gì")
    dry = cli("schedule", "run", "weekly-province", "--dry-run", "--to", "22", "--json").json
    assert [each["units"] for each in dry["recipients"]] == [["22"]]
    cli("schedule", "log").said("Chưa có lượt nào")
    assert cli("schedule", "log", "--json").json == []


def test_one_sent_now_is_planned_for_whom_it_is_meant(provinces: World, cli: Cli) -> None:
    cli("schedule", "run", "weekly-province", "--to", "31").said("1 cán bộ")
    (logged,) = cli("schedule", "log", "--json").json
    assert (logged["schedule"], logged["planned"], logged["late"], logged["planned_by"]) == (
        "weekly-province", 1, False, "cli",
    )  # fmt: skip
    cli("schedule", "log", "weekly-province").said("1 đang chờ, 0 đã gửi")
    assert cli("schedule", "log", "monthly-centre", "--json").json == []
    cli("audit", "--since", "2020-01-01").said("summary.run")


def test_in_quiet_hours_it_says_when_it_goes(provinces: World, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.cli.schedule.now", lambda: datetime(2026, 11, 22, 15, 0, tzinfo=UTC))
    cli("schedule", "run", "weekly-province", "--dry-run").said("giờ nghỉ: tin sẽ được gửi lúc 6:30 ngày 23/11/2026")


def test_what_went_wrong_is_told_with_its_reason(provinces: World, cli: Cli) -> None:
    cli("schedule", "run", "weekly-province")
    with provinces.write() as conn:
        conn.execute(sa.text("update summary_recipients set outcome = 'failed', reason = 'Bad Request' where id = 1"))
        conn.execute(sa.text("update summary_recipients set outcome = 'unreachable' where id = 2"))
        conn.execute(sa.text("update summary_runs set late = true"))
    cli("schedule", "log").said("1 hỏng", "1 không tới được", "(gửi muộn)", "1 × Bad Request")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("run", "nope"), 'Không có lịch "nope". Có: weekly-province, monthly-centre, morning-queue.'),
        (("run", "weekly-province", "--to", "99999"), "99999"),
    ],
)
def test_mistakes_are_one_line(provinces: World, cli: Cli, arguments: tuple[str, ...], text: str) -> None:
    cli("schedule", *arguments).refused(1, text)


@pytest.mark.parametrize("command", [("doctor", "--offline"), ("schedule", "list"), ("run",)])
def test_a_wrong_schedule_stops_every_command(provinces: World, cli: Cli, command: tuple[str, ...]) -> None:
    Path("bot.toml").write_text('[[schedule]]\nname = "x"\ncron = "0 7 * * MONDAY"\n', encoding="utf-8")
    cli(*command).refused(2, "bot.toml: [[schedule]] x: cron: cần năm trường")
