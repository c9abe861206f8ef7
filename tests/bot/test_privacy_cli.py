"""``hoctap privacy``, ``audit``, ``retention``: what an operator and an officer get to see; never a name too many."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from storage import audit, people, privacy
from tests.bot.conftest import Cli
from tests.support.world import START, World

NAME = "Nguyễn Thị Mận"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The moment of the command, to be changed."""
    at = [START]
    for module in ("privacy", "retention"):
        monkeypatch.setattr(f"bot.cli.{module}.now", lambda: at[0])
    monkeypatch.setattr("bot.clock.now", lambda: at[0])
    return at


def asks_for_another_group(world: World) -> str:
    """A citizen with a decided dossier asks for another group; the dossier's code."""
    officer, citizen = world.officer(), world.citizen().joins(name=NAME)
    code = citizen.submits("tot")
    officer.types(f"/duyet {code}").presses("approve")
    world.passes(seconds=61)
    citizen.types("/dulieu").presses("ask_group").presses("cong_nhan").presses("object").presses("object_yes")
    return code


def test_what_is_due_is_listed_without_names(cli: Cli, world: World, clock: list[datetime]) -> None:
    code = asks_for_another_group(world)
    said = cli("privacy", "due").said(code, "sửa [subject_group:cong_nhan]", "hạn 15/10/2026", "phản đối", "20/10/2026")
    assert NAME not in said.out and said.out.index("sửa") < said.out.index("phản đối")
    (first,) = cli("privacy", "due", "--days", "12", "--json").json
    assert (first["kind"], first["unit"]["code"], first["dossier"], first["overdue"]) == (
        "correct",
        "06685",
        code,
        False,
    )
    clock[0] = START + timedelta(days=11)
    cli("privacy", "due").said("QUÁ HẠN từ 15/10/2026")
    assert [each["kind"] for each in cli("privacy", "log", "--json").json] == ["access", "correct", "object"]


def test_a_request_is_closed_once_and_the_citizen_is_told(cli: Cli, world: World) -> None:
    asks_for_another_group(world)
    (number, objection) = (each["id"] for each in cli("privacy", "due", "--json").json)
    cli("privacy", "done", str(number), "--outcome", "granted").said("báo cho công dân")
    with world.read() as conn:
        (person,) = conn.execute(sa.select(people.people)).all()
        assert person.subject_group == "cong_nhan"
        bodies = conn.execute(sa.text("select body from outbox where body like '%chấp thuận%'")).scalars().all()
        assert len(bodies) == 1 and f"Yêu cầu số {number}" in bodies[0]
    world.recounted()
    cli("privacy", "done", str(number), "--outcome", "granted").refused(1, "đã kết thúc")
    cli("privacy", "done", str(objection), "--outcome", "maybe").refused(1, "done, granted, partly, declined")
    cli("privacy", "done", "999", "--outcome", "done").refused(1, "999")
    cli("privacy", "done", str(objection), "--outcome", "declined")
    cli("privacy", "due").said("Không có yêu cầu nào cần trả lời.")


def test_who_saw_a_dossier(cli: Cli, world: World) -> None:
    code = asks_for_another_group(world)
    with world.read() as conn:
        (person,) = conn.execute(sa.select(people.people.c.id)).scalars()
    deeds = cli("audit", "--person", code, "--json").json
    assert deeds == cli("audit", "--person", str(person), "--json").json
    reads = [each for each in deeds if each["action"] == audit.READ]
    assert [(each["officer"], each["unit"]) for each in reads] == [("Trần Thị Hoa", "06685")]
    assert reads[0]["at"].endswith("+07:00") and [each["at"] for each in deeds] == sorted(each["at"] for each in deeds)
    said = cli("audit", "--person", code).said("Trần Thị Hoa: dossier.read assessment:", "9:00 ngày 05/10/2026")
    assert NAME not in said.out
    officer = reads[0]["actor"].partition(":")[2]
    by_officer = cli("audit", "--officer", officer, "--json").json
    assert {each["actor"] for each in by_officer} == {f"officer:{officer}"}
    assert reads[0] in cli("audit", "--unit", "22", "--json").json
    assert cli("audit", "--unit", "01", "--json").json == []
    assert cli("audit", "--unit", "06685", "--since", "2026-10-06", "--json").json == []


def test_the_trail_is_asked_by_day_alone_and_is_not_cut_in_silence(
    cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = asks_for_another_group(world)
    whole = cli("audit", "--since", "2026-10-05", "--json").json
    officer = next(each["actor"] for each in whole if each["action"] == audit.READ).partition(":")[2]
    both = ("--person", code, "--officer", officer)
    of_both = cli("audit", *both, "--json").json
    assert of_both and {each["actor"] for each in of_both} == {f"officer:{officer}"}
    monkeypatch.setattr("bot.cli.audit.MOST_LINES", 2)
    said = cli("audit", "--since", "2026-10-05").said("chỉ in 2 dòng")
    assert len(said.out.splitlines()) == 2 and whole[-1]["action"] in said.out
    assert cli("audit", "--since", "2026-10-05", "--json").json == whole
    with world.write() as conn:  # the officer's later deeds elsewhere do not push these out
        for _n in range(5):
            audit.write(conn, f"officer:{officer}", audit.READ, "assessment:999", START)
    assert len(cli("audit", *both).out.splitlines()) == min(2, len(of_both))


def test_an_erasure_is_listed_with_whom_and_repeated(cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, kept = world.citizen().joins(name=NAME), world.citizen().joins(name="Lê Văn Khác")
    with world.read() as conn:
        first, second = conn.execute(sa.select(people.people.c.id).order_by(people.people.c.id)).scalars()
    gone.types("/dulieu").presses("ask_erase").presses("erase").presses("erase_all")
    cli("privacy", "log").said(f"xóa (person:{first})")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert cli("privacy", "erase", str(second)).status == 130
    assert kept.exists()
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    cli("privacy", "erase", str(second)).said(f"công dân {second}")
    assert not kept.exists()
    world.recounted()
    rows = cli("privacy", "log", "--json").json
    assert [(each["actor"], each["about"], each["outcome"]) for each in rows if each["kind"] == "delete"] == [
        (f"person:{first}", "", "done"),
        ("cli", f"person:{second}", "done"),
    ]
    cli("privacy", "erase", str(second), "--yes").refused(1, str(second))
    monkeypatch.setattr("bot.cli.privacy.MOST_LINES", 1)
    assert len(cli("privacy", "log").said("chỉ in 1 dòng").out.splitlines()) == 1
    assert cli("privacy", "log", "--json").json == rows


def test_a_wrong_question_to_the_trail_is_one_line(cli: Cli, world: World) -> None:
    cli("audit").refused(2, "--person, --officer, --unit")
    cli("audit", "--unit", "22", "--since", "gestern").refused(2, "2026-11-21")
    cli("audit", "--person", "HS-2026-00000").refused(1)


def test_what_would_go_is_shown_first(cli: Cli, world: World, clock: list[datetime]) -> None:
    asks_for_another_group(world)
    world.citizen().joins(name="Lê Văn Khác").answers("kha", until=3)
    clock[0] = datetime(2028, 1, 2, tzinfo=UTC)
    said = cli("retention", "--dry-run").said("06685", "1 phiếu bỏ dở", "Chưa xóa gì")
    assert "công dân" not in said.out
    before = cli("retention", "--dry-run", "--json").json
    assert before["due"] and before["done"] == 0
    assert before == cli("retention", "--dry-run", "--json").json
    done = cli("retention", "--json").json
    assert done["done"] == sum(each["n"] for each in before["due"])
    assert cli("retention", "--json").json == {"dry_run": False, "due": [], "done": 0}
    world.recounted()
    with world.read() as conn:
        assert len(privacy.due(conn)) == 2
    clock[0] = datetime(2032, 1, 2, tzinfo=UTC)
    cli("retention").said("2 công dân hết thời hạn lưu")
    with world.read() as conn:
        assert conn.execute(sa.select(people.people)).all() == []
    world.recounted()
