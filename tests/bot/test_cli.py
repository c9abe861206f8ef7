"""``hoctap``: what scripts rely on."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2
import pytest
import sqlalchemy as sa
import zxingcpp
from PIL import Image

from bot.cli import language
from dialogs import turn as turns
from dialogs.model import Incoming, Opened, Pressed, Typed
from dialogs.states import Rules
from storage import codes, conversations, events, migrate, seasons, units
from storage.audit import audit
from storage.counters import counters
from tests.bot.conftest import Cli, Telegram
from tests.support.world import HONG_GAI, World

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
ONE = "1234567890:AAGs3cretS3cretS3cretS3cretS3cret-_1"
TWO = "2234567890:AAGs3cretS3cretS3cretS3cretS3cret-_2"


def shell(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": f"{BIN}:{os.environ['PATH']}", **variables}
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60)


# ------------------------------------------------------------------------------------------ help and mistakes


def test_help_is_vietnamese_and_english_where_the_locale_says_so() -> None:
    assert "Chạy máy chủ." in shell("hoctap", "--help").stdout
    english = shell("hoctap", "--help", LANG="en").stdout
    assert "Run the server." in english
    assert "Usage: hoctap [OPTIONS] COMMAND" in english
    assert "Cách dùng: hoctap units [TÙY CHỌN] LỆNH" in shell("hoctap", "units", "--help", LANG="vi_VN.UTF-8").stdout


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "vi"),
        ({"LANG": "en"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "vi_VN.UTF-8"}, "vi"),
        ({"LANG": "vi_VN", "LC_MESSAGES": "en_GB"}, "en"),
        ({"LANG": "fr_FR"}, "vi"),
    ],
)
def test_language(environ: dict[str, str], expected: str) -> None:
    assert language(environ) == expected


def test_help_imports_nothing_that_it_does_not_use() -> None:
    heavy = (
        "{'babel', 'rich', 'pydantic', 'sqlalchemy', 'sqlmodel', 'alembic', 'aiohttp', 'aiogram', 'PIL', 'matplotlib'}"
    )
    code = f"import sys; from bot.cli import main; main(['--help']); print(sorted({heavy} & set(sys.modules)))"
    assert shell(sys.executable, "-c", code).stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "command",
    [
        "--help", "init --help", "migrate --help", "run --help", "demo --help", "doctor --help", "qr --help",
        "units find --help", "units tree --help", "units add --help", "units set --help", "officers invite --help",
        "officers list --help", "officers link --help", "assessments list --help", "assessments show --help",
        "report --help", "recount --help", "criteria check --help", "events failed --help", "events replay --help",
    ],
)  # fmt: skip
def test_every_command_has_help(cli: Cli, command: str) -> None:
    found = cli(*command.split())
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith(f"Cách dùng: hoctap {command.removesuffix('--help').strip()}".rstrip())
    assert all(english not in found.out for english in ("Options", "OPTIONS", "Show this", "required", "Arguments"))


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("fly", 'Không có lệnh "fly". Xem: hoctap --help'),
        ("units fly", 'Không có lệnh "fly". Xem: hoctap units --help'),
        ("units tree", "Còn thiếu CODE"),
        ("units add 06685 --kind thon", "Còn thiếu --name"),
        ("units find x --fly", "--fly"),
        ("demo --port many", "--port"),
        ("demo --size moon", "commune hoặc country"),
        ("demo --people 7", "--people"),
        ("report 06685 --year 1", "--year"),
        ("units tree 06685 06686", "Lệnh viết chưa đúng"),
        ("officers link", "Còn thiếu NAME"),
        ("recount", "hoctap recount --check"),
        ("migrate --down base", "--yes"),
        ("assessments list --status fine", "registered, draft"),
        ("qr 06685 --telegram", "telegram.token"),
        ("qr 06685 --poster f.pdf", "web.public_url"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_2(cli: Cli, command: str, text: str) -> None:
    cli(*command.split()).refused(2, text)


def test_a_wrong_setting_is_one_line_and_2(cli: Cli) -> None:
    Path("bot.toml").write_text("[web]\nport = 0\n")
    cli("units", "find", "x").refused(2, "bot.toml: web.port: cần số nguyên từ 1 đến 65535")
    found = shell("hoctap", "doctor", "--json", LANG="en")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == "bot.toml: web.port: expected a whole number from 1 to 65535\n"


@pytest.mark.parametrize("command", ["units find x", "officers list --json", "recount --check", "run", "report VN"])
def test_without_a_database_the_next_step_is_named(cli: Cli, command: str) -> None:
    cli(*command.split()).refused(1, "hoctap init")
    assert not Path("var").exists()


def test_a_file_that_is_no_database(cli: Cli) -> None:
    Path("var").mkdir()
    Path("var/hoctap.sqlite").write_bytes(b"not a database at all" * 100)
    cli("units", "find", "x").refused(1, "Cơ sở dữ liệu báo lỗi", "hoctap doctor")


def test_the_unforeseen_is_one_line_unless_debugging(cli: Cli, monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr("storage.officers.listing", breaks)
    assert "s3cret" not in cli("officers", "list").refused(1, "RuntimeError", "--debug").err
    assert "Traceback" in cli("--debug", "officers", "list").err


def test_no_token_in_a_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    def breaks(*_: object, **__: object) -> None:
        try:
            raise OSError(f"POST /bot{ONE}/getMe")
        except OSError as error:
            raise RuntimeError(ONE) from error

    monkeypatch.setattr("storage.officers.listing", breaks)
    said = cli("--debug", "officers", "list").err
    assert "POST /bot•••/getMe" in said
    assert "RuntimeError: •••" in said
    assert "s3cret" not in said


def test_a_reader_that_goes_away_is_no_error(world: World) -> None:
    found = shell("bash", "-c", "set -o pipefail; hoctap units tree VN | head -1")
    assert found.stdout == "VN  Trung ương Hội Khuyến học Việt Nam\n"
    assert found.stderr == ""
    read_end, write_end = os.pipe()
    os.close(read_end)  # gone before the first word
    gone = subprocess.run([BIN / "hoctap", "--help"], stdout=write_end, stderr=subprocess.PIPE, text=True)
    os.close(write_end)
    assert gone.stderr == ""


# ------------------------------------------------------------------------------------------ init, migrate, doctor


def test_init_again_changes_nothing(cli: Cli, world: World) -> None:
    def content() -> list[int]:
        with world.read() as conn:
            tables = sa.inspect(conn).get_table_names()
            return [conn.execute(sa.text(f"select count(*) from {name}")).scalar_one() for name in tables]

    before = content()
    assert cli("init").said("đã đủ").status == 0
    assert content() == before
    assert cli("migrate").said(migrate.HEAD).status == 0


@pytest.mark.postgres
def test_the_commands_work_on_postgresql(cli: Cli, postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCTAP_STORAGE__URL", postgres_database)
    cli("units", "find", "x").refused(1, "hoctap init")
    assert cli("init").status == 0
    assert cli("init").said("đã đủ").status == 0
    assert cli("units", "find", "hong gai", "--json").json[0]["code"] == "06685"
    assert cli("officers", "invite", "06685", "--role", "reviewer").status == 0
    cli("units", "set", "VN", "controller", "Hội Khuyến học Việt Nam")
    assert cli("doctor").said("postgresql").status == 0
    assert cli("recount", "--check").status == 0
    assert cli("report", "VN").status == 0


def test_init_leaves_a_season_as_it_was_set(cli: Cli, world: World) -> None:
    year = seasons.today(datetime.now(UTC)).year
    with world.write() as conn:
        centre = units.by_code(conn, "VN")
        assert centre is not None
        assert seasons.known_years(conn) == [year]
        seasons.set_windows(conn, centre.id, seasons.open_all_year(year))
    cli("init")
    with world.read() as conn:
        assert seasons.windows_at(conn, year, centre.path) == seasons.open_all_year(year)


def test_migrate_down_and_up(cli: Cli) -> None:
    assert cli("migrate").said("base", migrate.HEAD).status == 0
    assert cli("migrate", "--down", "base", "--yes").said(migrate.HEAD, "base").status == 0
    cli("units", "find", "x").refused(1, "hoctap init")
    cli("migrate", "--down", "nowhere", "--yes").refused(1, "nowhere")


def test_doctor_insists_on_a_controller_and_tells_what_is_reconstructed(cli: Cli, world: World) -> None:
    found = cli("doctor")
    assert found.status == 1
    found.said("hoctap units set VN controller", "bản dựng lại", "1/9–30/11", "web.public_url")
    states = {each["check"]: each["state"] for each in cli("doctor", "--json").json}
    assert [check for check, state in states.items() if state == "bad"] == ["controller"]
    cli("units", "set", "VN", "controller", "Hội Khuyến học Việt Nam")
    assert cli("doctor").said("Hội Khuyến học Việt Nam").status == 0


def test_doctor_takes_a_controller_of_every_unit_with_citizens(cli: Cli, world: World) -> None:
    world.citizen().joins()
    cli("units", "set", "00004", "controller", "Hội Khuyến học Phường Ba Đình")
    assert cli("doctor").said("06685").status == 1
    cli("units", "set", "22", "controller", "Hội Khuyến học Quảng Ninh")
    assert cli("doctor").status == 0


def test_doctor_sees_wrong_counts_a_wrong_clock_and_failed_events(cli: Cli, world: World) -> None:
    world.citizen().joins()
    with world.write() as conn:
        conn.execute(sa.update(counters).values(n=counters.c.n + 1))
        conn.execute(sa.update(audit).values(at=world.passes(days=9999).now))
        events.keep(conn, "web", "a", "e", "{}", "KeyError", world.now)
    states = {each["check"]: each["state"] for each in cli("doctor", "--json").json}
    assert (states["counts"], states["clock"], states["events"]) == ("bad", "bad", "warn")


def test_doctor_without_a_database(cli: Cli) -> None:
    assert cli("doctor").said("hoctap init").status == 1


# ------------------------------------------------------------------------------------------ units, squares


def test_find_with_or_without_accents(cli: Cli, world: World) -> None:
    for words in ("hong gai", "Phường Hồng Gai", "hong gai quang ninh"):
        assert cli("units", "find", words, "--json").json[0] == {
            "code": "06685", "name": "Phường Hồng Gai", "kind": "phuong", "level": 2,
            "within": ["Thành phố Quảng Ninh"],
        }  # fmt: skip
    assert cli("units", "find", "tan", "hoa").out.count("\n") > 1
    assert cli("units", "find", "xyzzy", "--json").json == []


def test_a_unit_is_added_shown_and_set(cli: Cli, world: World) -> None:
    added = cli("units", "add", "06685", "--name", "Chi hội khu 3", "--kind", "chi_hoi")
    assert added.out.splitlines()[0] == "06685-01"
    school = cli("units", "add", "DV 06685-K", "--name", "Trường <b>Lê & Trần</b>", "--kind", "truong", "--json").json
    assert (school["code"], school["kind"], school["parent"]) == ("06685-02", "truong", "06685")
    tree = cli("units", "tree", "06685", "--json").json
    assert [(unit["code"], unit["parent"]) for unit in tree] == [
        ("06685", None), ("06685-01", "06685"), ("06685-02", "06685"),
    ]  # fmt: skip
    assert tree[2]["name"] == "Trường <b>Lê & Trần</b>"
    assert "  06685-01  Chi hội khu 3" in cli("units", "tree", "06685").out
    cli("units", "add", "06685", "--name", "chi hội khu 3", "--kind", "thon").refused(1, "06685-01")
    cli("units", "add", "22", "--name", "x", "--kind", "thon").refused(1, "Quảng Ninh")
    cli("units", "add", "06685", "--name", "x", "--kind", "club").refused(1, "chi_hoi, to_hoi")
    assert cli("units", "set", "06685-01", "contact_phone", "0203 382 5555").status == 0
    cli("units", "set", "06685", "min_age", "5").refused(1, "15", "100")
    cli("units", "set", "06685", "colour", "red").refused(1, "controller, contact_name")
    cli("units", "tree", "99999").refused(1, "99999", "units find")
    cli("units", "tree", "DV 06685-X").refused(1, "nhầm một chữ số")


def test_an_old_poster_leads_to_what_became_of_its_unit(cli: Cli, world: World) -> None:
    old = codes.printed(codes.UnitCode(codes.PRE_2025, "06688"))
    found = cli("qr", old)
    assert found.status == 1
    assert any(f"{code} Phường" in found.err for code in ("06685", "06676", "06688", "06673")), found.err


def decoded(picture: bytes) -> str:
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
    return str(found.text)


@pytest.mark.parametrize(("unit", "payload"), [("06685", HONG_GAI), ("DV 06685-K", HONG_GAI), ("06685-01", None)])
def test_squares(cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch, unit: str, payload: str | None) -> None:
    cli("units", "add", "06685", "--name", "Chi hội khu 3", "--kind", "chi_hoi")
    payload = payload or codes.payload(codes.UnitCode(codes.VINTAGE_2025, "0668501"))
    assert cli("qr", unit, "--payload").out == f"{payload}\n"
    assert cli("qr", unit, "--out", "bare.png").status == 0
    assert decoded(Path("bare.png").read_bytes()) == payload
    monkeypatch.setenv("HOCTAP_WEB__PUBLIC_URL", "https://hoctap.example.vn/")
    assert cli("qr", unit, "--payload").out == f"{payload}\n"
    assert cli("qr", unit, "--out", "page.png", "--poster", "poster.pdf").status == 0
    assert decoded(Path("page.png").read_bytes()) == f"https://hoctap.example.vn/q/{payload}"
    page = pypdfium2.PdfDocument("poster.pdf")[0]
    shown = zxingcpp.read_barcodes(page.render(scale=2).to_pil())
    assert [found.text for found in shown] == [f"https://hoctap.example.vn/q/{payload}"]


@pytest.fixture
def bot(telegram: Telegram, monkeypatch: pytest.MonkeyPatch) -> Telegram:
    monkeypatch.setenv("HOCTAP_TELEGRAM__TOKEN", ONE)
    telegram.bot(ONE, "hoctap_bot")
    return telegram


def test_a_square_for_telegram(cli: Cli, world: World, bot: Telegram) -> None:
    link = f"https://t.me/hoctap_bot?start={HONG_GAI}"
    assert cli("qr", "06685", "--telegram").said(link).status == 0
    assert cli("qr", "06685", "--telegram", "--out", "f.png", "--poster", "f.pdf").status == 0
    assert decoded(Path("f.png").read_bytes()) == link
    page = pypdfium2.PdfDocument("f.pdf")[0]
    assert [found.text for found in zxingcpp.read_barcodes(page.render(scale=2).to_pil())] == [link]
    words = page.get_textpage().get_text_bounded()
    assert "Mở t.me/hoctap_bot rồi gõ mã này" in words
    assert "bằng Telegram" in " ".join(words.split())


def test_of_several_bots_one_is_named(cli: Cli, world: World, bot: Telegram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCTAP_TELEGRAM__BOTS__HANOI__TOKEN", TWO)
    bot.bot(TWO, "hoctap_hanoi_bot")
    cli("qr", "06685", "--telegram").refused(2, "--bot: bot, hanoi")
    cli("qr", "06685", "--bot", "hue").refused(2, '"hue"', "bot, hanoi")
    assert cli("qr", "06685", "--bot", "hanoi").said(f"https://t.me/hoctap_hanoi_bot?start={HONG_GAI}").status == 0
    assert cli("qr", "06685", "--telegram", "--bot", "bot").said("https://t.me/hoctap_bot?start=").status == 0


def test_no_square_without_telegram(cli: Cli, world: World, bot: Telegram, monkeypatch: pytest.MonkeyPatch) -> None:
    bot.me.clear()
    cli("qr", "06685", "--telegram").refused(1, "từ chối", "@BotFather")
    bot.status = 502
    cli("qr", "06685", "--telegram").refused(1, "hoctap doctor")
    monkeypatch.setenv("HOCTAP_TELEGRAM__API_URL", "http://127.0.0.1:1")
    cli("qr", "06685", "--telegram", "--out", "f.png").refused(1, "hoctap doctor")
    assert not Path("f.png").exists()


def test_what_a_square_cannot_be(cli: Cli, world: World) -> None:
    cli("qr", "22", "--payload").refused(1, "22")
    cli("qr", "06685", "--out", "nowhere/f.png").refused(1, "nowhere/f.png")


# ------------------------------------------------------------------------------------------ officers


def test_an_invite_opens_and_a_link_leads_back(cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    invite = cli("officers", "invite", "06685", "--role", "reviewer", "--name", "Trần  Thị Hoa", "--json").json
    assert invite["links"] == {"web": f"http://127.0.0.1:8080/chat#q={invite['payload']}"}
    world.chat().opens(invite["payload"]).presses("accept")
    assert cli("officers", "list", "--json").json == [
        {
            "id": 1,
            "name": "Trần Thị Hoa",
            "roles": [{"role": "reviewer", "unit": "06685", "unit_name": "Phường Hồng Gai"}],
        }
    ]
    assert "người xét 06685" in cli("officers", "list").out
    monkeypatch.setenv("HOCTAP_WEB__PUBLIC_URL", "https://hoctap.example.vn")
    link = cli("officers", "link", "Trần Thị Hoa").out.splitlines()
    assert link[-1] == f"https://hoctap.example.vn/chat#q={link[1]}"
    assert codes.payload(codes.parse(link[1])) == link[1]
    cli("officers", "link", "Lê Văn Không").refused(1, "Lê Văn Không")
    cli("officers", "invite", "06685", "--role", "boss").refused(1, "reviewer, supervisor")


def test_officers_of_the_same_name_are_told_apart_by_number(cli: Cli, world: World) -> None:
    world.officer()
    world.officer(unit="22", role="supervisor")
    cli("officers", "link", "Trần Thị Hoa", "--json").refused(1, "1, 2", "--id")
    assert cli("officers", "link", "Trần Thị Hoa", "--id", "2", "--json").json["id"] == 2
    assert cli("officers", "link", "--id", "1", "--json").json["name"] == "Trần Thị Hoa"
    cli("officers", "link", "--id", "3").refused(1, "3")


# ------------------------------------------------------------------------------------------ dossiers and figures


def test_assessments_are_listed_and_shown(cli: Cli, world: World) -> None:
    code = world.citizen().joins(phone="0912345678").submits()
    world.citizen().joins("DV00004" + codes.check_letter("2025", "00004"))
    assert [each["status"] for each in cli("assessments", "list", "--json").json] == ["submitted", "registered"]
    (found,) = cli("assessments", "list", "--unit", "22", "--status", "submitted", "--json").json
    assert (found["code"], found["unit"]) == (code, {"code": "06685", "name": "Phường Hồng Gai"})
    assert cli("assessments", "list", "--unit", "01", "--status", "submitted", "--json").json == []
    assert "chờ xét" in cli("assessments", "list").out.lower()
    ran = cli("assessments", "show", code.lower().replace("-", " "), "--json")
    assert "0912345678" not in ran.out
    assert "1957" not in ran.out
    assert ran.json["name"] == "Nguyễn Văn Hùng"
    assert len(ran.json["answers"]) == 10
    assert {piece["kind"] for answer in ran.json["answers"] for piece in answer["evidence"]} == {"text"}
    assert ran.json["total"] == sum(answer["points"] for answer in ran.json["answers"])
    assert code in cli("assessments", "show", code).out
    with world.read() as conn:
        read = sa.select(audit.c.actor).where(audit.c.action == "dossier.read")
        assert set(conn.execute(read).scalars()) == {"cli"}
    cli("assessments", "show", "HS-2026-22222").refused(1, "HS-2026-22222")


def test_report_as_text_json_and_chart(cli: Cli, world: World) -> None:
    world.citizen().joins()
    figures = cli("report", "06685", "--year", "2026", "--json").json
    assert (figures["registered"], figures["name"], figures["year"]) == (1, "Phường Hồng Gai", 2026)
    assert cli("report", "DV 06685-K", "--year", "2026", "--png", "f.png").said("Phường Hồng Gai, năm 2026").status == 0
    assert Image.open("f.png").width == 1080


def test_recount_lists_every_difference(cli: Cli, world: World) -> None:
    world.citizen().joins()
    assert cli("recount", "--check").status == 0
    assert cli("recount", "--check", "--json").json == []
    with world.write() as conn:
        conn.execute(sa.update(counters).values(n=5))
    found = cli("recount", "--check")
    assert found.status == 1
    found.said("06685", "đang giữ 5, đếm lại 1")
    ran = cli("recount", "--check", "--json")
    assert (ran.status, ran.json[0]["kept"], ran.err) == (1, 5, "")


def test_criteria_check_names_line_and_reason(cli: Cli) -> None:
    from criteria import loader

    sound = next(Path(loader.__file__).parent.glob("sets/*.toml"))
    assert cli("criteria", "check", str(sound)).status == 0
    text = sound.read_text("utf-8").replace("\nmax_total = 100", "\nmax_total = 99", 1)
    Path("bad.toml").write_text(text, encoding="utf-8")
    found = cli("criteria", "check", "bad.toml")
    line = text.splitlines().index(next(row for row in text.splitlines() if row.startswith("max_total"))) + 1
    assert found.status == 1
    assert found.out.startswith(f"bad.toml:{line}: max_total: ")
    assert cli("criteria", "check", "bad.toml", "--json").json[0]["line"] == line
    cli("criteria", "check", "none.toml").refused(1, "none.toml")


# ------------------------------------------------------------------------------------------ failed events


def fails(world: World, act: object, screen: int | None = None, address: str = "phone-x") -> str:
    """An event whose turn failed; its error id."""
    incoming = Incoming("test", "event-1", address, act, world.now, screen)  # type: ignore[arg-type]
    with world.write() as conn:
        turns.rescue_turn(conn, incoming, Rules(), KeyError("x"))
        return events.listing(conn)[-1].error_id


def claimed(world: World) -> int:
    with world.read() as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(conversations.claims)).scalar_one())


def test_a_failed_event_is_taken_anew_once_under_its_old_id(cli: Cli, world: World) -> None:
    error_id = fails(world, Opened(HONG_GAI))
    (kept,) = cli("events", "failed", "--json").json
    assert (kept["error_id"], kept["event"], kept["replayed_at"]) == (error_id, "event-1", None)
    assert cli("events", "replay", error_id).said("Đã xử lý lại").status == 0
    with world.read() as conn:
        chat = conversations.open_chat(conn, "test", "phone-x")
    assert chat is not None
    assert "joining" in chat.state
    assert claimed(world) == 1
    cli("events", "replay", error_id).refused(1, error_id)
    assert cli("events", "failed").said("đã chạy lại").status == 0


def test_an_answer_to_an_old_screen_changes_nothing_and_says_so(cli: Cli, world: World) -> None:
    citizen = world.citizen().opens(HONG_GAI)
    error_id = fails(world, Pressed("yes"), screen=citizen.screen.number, address=citizen.address)
    with world.read() as conn:
        before = conversations.open_chat(conn, "test", citizen.address)
    cli("events", "replay", error_id).said("không có gì thay đổi")
    with world.read() as conn:
        after = conversations.open_chat(conn, "test", citizen.address)
    assert before is not None
    assert after is not None
    assert (after.state, after.screen) == (before.state, before.screen)


def test_an_address_of_many_digits_is_found_again(cli: Cli, world: World) -> None:
    error_id = fails(world, Opened(HONG_GAI), address="123456789")
    assert cli("events", "replay", error_id).status == 0
    with world.read() as conn:
        chat = conversations.open_chat(conn, "test", "123456789")
    assert chat is not None
    assert "joining" in chat.state


def test_what_was_masked_cannot_be_replayed(cli: Cli, world: World) -> None:
    error_id = fails(world, Typed("mã của tôi TL-ABC2-EFGH-JKMN-PQRS"))
    cli("events", "replay", error_id).refused(1, "che")
    cli("events", "replay", "00000000").refused(1, "00000000")


def test_a_replay_that_fails_again_changes_nothing(cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    error_id = fails(world, Opened(HONG_GAI))

    def breaks(*_: object) -> None:
        raise KeyError("again")

    monkeypatch.setattr(turns, "take_turn", breaks)
    cli("events", "replay", error_id).refused(1, "KeyError")
    assert claimed(world) == 1
    assert json.loads(cli("events", "failed", "--json").out)[0]["replayed_at"] is None


def undecodable(world: World, **update: object) -> str:
    """An update of Telegram as it is kept when it cannot be read; its error id."""
    raw = {"channel": "telegram", "account": "telegram", "update": {"update_id": 912345678, **update}}
    with world.write() as conn:
        conversations.claim(conn, "telegram", "912345678", world.now)
        return events.keep(
            conn, "telegram", "1234567890", "912345678", json.dumps(raw), "undecodable: ValidationError", world.now
        )


def said(text: object, kind: str = "private") -> dict[str, object]:
    person = {"id": 1234567890, "is_bot": False, "first_name": "Hùng"}
    chat = {"id": 1234567890, "type": kind, "first_name": "Hùng"}
    return {"message_id": 7, "date": 1795286400, "chat": chat, "from": person, "text": text}


def test_an_update_that_can_be_read_now_is_taken(cli: Cli, world: World) -> None:
    error_id = undecodable(world, message=said(f"/start {HONG_GAI}"))
    assert cli("events", "replay", error_id).said("Đã xử lý lại").status == 0
    with world.read() as conn:
        chat = conversations.open_chat(conn, "telegram", "1234567890")
    assert chat is not None
    assert "joining" in chat.state
    assert claimed(world) == 1
    cli("events", "replay", error_id).refused(1, error_id)


def test_an_update_that_still_cannot_be_read(cli: Cli, world: World) -> None:
    error_id = undecodable(world, message=said({"not": "a text"}))
    cli("events", "replay", error_id).refused(1, "vẫn chưa đọc được")
    assert cli("events", "failed", "--json").json[0]["replayed_at"] is None
    assert claimed(world) == 1


def test_an_update_that_asks_for_nothing_is_done_with(cli: Cli, world: World) -> None:
    error_id = undecodable(world, message=said("hello", "channel"))
    assert cli("events", "replay", error_id).said("không cần trả lời").status == 0
    assert cli("events", "failed", "--json").json[0]["replayed_at"] is not None
    masked = undecodable(world, message=said("TL-ABC2-EFGH-JKMN-PQRS"))
    cli("events", "replay", masked).refused(1, "che")


def test_an_invite_opens_telegram_where_there_is_a_bot(
    cli: Cli, world: World, bot: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = json.loads(cli("officers", "invite", "06685", "--role", "reviewer", "--name", "Trần Thị Hoa", "--json").out)
    assert given["links"]["telegram"] == f"https://t.me/hoctap_bot?start={given['payload']}"
    monkeypatch.setenv("HOCTAP_TELEGRAM__API_URL", "http://127.0.0.1:1")
    without = cli("officers", "invite", "06685", "--role", "reviewer", "--json")
    assert list(json.loads(without.out)["links"]) == ["web"]
    assert "Telegram" in without.err
