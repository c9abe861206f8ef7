"""``hoctap officers invite --csv``: the tables that people make, and what becomes of their rows."""

from __future__ import annotations

import csv
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pypdfium2
import pytest
import sqlalchemy as sa
import zxingcpp

from bot.cli import invites, tables
from bot.cli.base import Stop
from storage import codes, officers, units
from tests.bot.conftest import Cli, Ran, Telegram
from tests.support.world import World

pytestmark = pytest.mark.slow

HEAD = "Đơn vị,Họ tên,Điện thoại,Vai trò\n"
HOA = "06685,Trần Thị Hoa,0912345678,người xét\n"
TOKEN = "1234567890:AAGs3cretS3cretS3cretS3cretS3cret-_1"


@pytest.fixture(autouse=True)
def address(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCTAP_WEB__PUBLIC_URL", "https://hoctap.example.vn")


def invite(cli: Cli, text: str | bytes, *more: str) -> Ran:
    Path("list.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return cli("officers", "invite", "--csv", "list.csv", *more)


def links() -> list[dict[str, str]]:
    with Path("list.slips.csv").open(encoding="utf-8-sig", newline="") as source:
        return list(csv.DictReader(source))


def squares(file: str = "list.slips.pdf") -> list[str]:
    return [
        found.text
        for page in pypdfium2.PdfDocument(file)
        for found in sorted(
            zxingcpp.read_barcodes(page.render(scale=2).to_pil()),
            key=lambda found: (found.position.top_left.y // 50, found.position.top_left.x),
        )
    ]


def kept(world: World) -> int:
    with world.read() as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(officers.invites)).scalar_one())


# ------------------------------------------------------------------------------------------ what is read

SAME = [("06685", "Trần Thị Hoa", "0912345678", "reviewer")]


@pytest.mark.parametrize(
    "raw",
    [
        (HEAD + HOA).encode(),
        (HEAD + HOA).encode("utf-8-sig"),
        (HEAD + HOA).replace(",", ";").encode(),
        (HEAD + HOA).replace(",", "\t").encode("utf-16"),
        b"sep=;\r\n" + (HEAD + HOA).replace(",", ";").replace("\n", "\r\n").encode(),
        (HEAD + HOA).replace("\n", "\r").encode(),
        ("DANH SÁCH CÁN BỘ,,,\n,,,\n" + HEAD + HOA).encode(),
        ("STT,Họ và tên (*),Ghi chú,Số điện thoại,Mã đơn vị,Tên đơn vị,Vai trò\n"
         "1,Trần Thị Hoa,mới,0912.345.678,06685,Hồng Gai,Người xét\n").encode(),
        b"unit,name,phone,role\n6685,Tr\xe1\xba\xa7n Th\xe1\xbb\x8b Hoa,912345678,reviewer\n",
        (HEAD + '6685.0,"Trần \n Thị\u00a0Hoa",912345678.0,NGƯỜI XÉT\n,,,\n').encode(),
        (HEAD + "DV 06685-K,Tr\u00e2\u0300n Thị\u200b Hoa,+84 912 345 678,xet\n").encode(),
        (HEAD + '"Phường Hồng Gai, Quảng Ninh",Trần Thị Hoa,0912345678,người xét\n').encode(),
        (HEAD + '"P. Hồng Gai, tỉnh Quảng Ninh",Trần Thị Hoa,0912 345 678,người xét\n').encode(),
        (HEAD + "hong gai,Trần Thị Hoa,84912345678,người xét,,\n").encode(),
    ],
    ids=(
        "comma", "mark", "semicolon", "tab, UTF-16", "sep=", "old Mac", "title above", "columns beside", "no 0",
        "numbers, line break", "NFD, invisible", "name, province", "short, once a tỉnh", "empty cells beyond",
    ),
)  # fmt: skip
def test_a_table_of_any_spreadsheet_is_read(cli: Cli, world: World, raw: bytes) -> None:
    found = invite(cli, raw, "--dry-run", "--json")
    assert found.status == 0
    assert [(one["unit"], one["name"], one["role"]) for one in found.json["invited"]] == [(*SAME[0][:2], SAME[0][3])]
    assert (kept(world), list(Path().glob("list.slips*"))) == (0, [])


def test_rows_are_counted_as_the_spreadsheet_does(cli: Cli, world: World) -> None:
    text = "Danh sách\n\n" + HEAD + HOA + '06688,"Lê\nVăn Nam",,người xét\n,,,\n99999,Ngô An,,người xét\n'
    found = invite(cli, text, "--dry-run").said("dòng 7, cột Đơn vị:", "99999", "dòng 4: Trần Thị Hoa, người xét")
    assert found.status == 1
    assert "dòng 5: Lê Văn Nam" in found.out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("99999,An,,người xét", ("cột Đơn vị", "99999")),
        (",An,,người xét", ("cột Đơn vị", "còn trống")),
        ("Hồng Gài Bãi,An,,người xét", ("cột Đơn vị", "Hồng Gài Bãi")),
        ("Tân Tiến,An,,người xét", ("cột Đơn vị", "nhiều đơn vị", "thêm tên tỉnh")),
        ("25,An,,người xét", ("cột Đơn vị", "25 Tỉnh Phú Thọ", "số 0 ở đầu")),
        ("DV 06685-A,An,,người xét", ("cột Đơn vị", "nhầm một chữ số")),
        ("06685,,,người xét", ("cột Họ tên", "còn trống")),
        ("06685,0912345678,,người xét", ("cột Họ tên", "không giống họ tên")),
        ("06685,=cmd(),,người xét", ("cột Họ tên", "không giống họ tên")),
        (f"06685,{'An ' * 50},,người xét", ("cột Họ tên", "120")),
        ("06685,An,9.12E+08,người xét", ("cột Điện thoại", "0912345678")),
        ("06685,An,,chủ tịch", ("cột Vai trò", "người xét, cán bộ theo dõi")),
        ("06685,An,,", ("cột Vai trò", "--role")),
        ("Phường Hồng Gai, Quảng Ninh,An,,người xét", ("ô thừa bên phải", "ngoặc kép")),
        (f"{HOA}06685,Trần Thị Hoa,0912345678,người xét", ("trùng với dòng 2", "dòng 3")),
    ],
)
def test_a_wrong_cell_is_told_with_its_mend(cli: Cli, world: World, line: str, said: tuple[str, ...]) -> None:
    found = invite(cli, HEAD + line + "\n" + "06688,Lê Văn Nam,,người xét\n")
    assert found.status == 1
    found.said(*said, "Chưa mời ai")
    assert (kept(world), list(Path().glob("list.slips*"))) == (0, [])


def test_an_old_commune_is_told_what_became_of_it(cli: Cli, world: World) -> None:
    found = invite(cli, HEAD + '"Trúc Bạch, Ba Đình",An,,người xét\n')
    found.said("không còn là đơn vị hành chính", "Phường Ba Đình")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"PK\x03\x04 and more", "CSV UTF-8"),
        ((HEAD + HOA).encode("utf-16-le"), "CSV UTF-8"),
        ("Đơn vị,Họ tên\n".encode("cp1258", "replace") + b"\xd0\xf5\n", "CSV UTF-8"),
        (b"", "đơn vị, họ tên, vai trò"),
        (b"a,b\n1,2\n", "đơn vị, họ tên, vai trò"),
        ("Đơn vị,Họ tên\n06685,An\n".encode(), "cột vai trò"),
        (HEAD.encode() + b"06685,An,,x\n" * 20_001, "20.000"),
        (b"x" * (8 * 2**20 + 1), "8 MB"),
        (HEAD.encode() + b'"' + b"x" * 200_000, "đơn vị, họ tên, vai trò"),
    ],
    ids=("excel", "UTF-16 unmarked", "cp1258", "empty", "no heading", "no role", "rows", "bytes", "endless cell"),
)
def test_what_is_no_table_is_one_line(cli: Cli, world: World, raw: bytes, said: str) -> None:
    invite(cli, raw).refused(1, said)


def test_a_file_that_is_not_there(cli: Cli, world: World) -> None:
    cli("officers", "invite", "--csv", "nowhere.csv").refused(1, "nowhere.csv")


def test_the_surer_of_two_columns_is_read_and_the_others_named(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("STT,Đơn vị,Mã đơn vị,Họ tên\n1,Hồng Gai,06685,An\n")
    table = tables.read(file, invites.COLUMNS, ("unit", "name"))
    assert table.rows[0].cells["unit"] == "06685"
    assert table.ignored == ("STT", "Đơn vị")
    with pytest.raises(Stop):
        tables.read(file, invites.COLUMNS, ("unit", "name", "role"))


# ------------------------------------------------------------------------------------------ what is written


def test_everybody_gets_a_link_that_opens_their_role(cli: Cli, world: World) -> None:
    found = invite(cli, HEAD + HOA + "22,Lê Văn Nam,,cán bộ theo dõi\n").said("Đã mời 2", "list.slips.pdf")
    assert found.status == 0
    made = links()
    assert [(each["Họ tên"], each["Vai trò"]) for each in made] == [
        ("Trần Thị Hoa", "người xét"), ("Lê Văn Nam", "cán bộ theo dõi"),
    ]  # fmt: skip
    assert squares() == [each["Đường dẫn"] for each in made]
    assert all(each["Đường dẫn"].startswith("https://hoctap.example.vn/chat#q=MT") for each in made)
    for each in made:
        assert each["Đường dẫn"].partition("=")[2] not in found.out + found.err
        world.chat().opens(each["Đường dẫn"].partition("=")[2]).presses("accept")
    with world.read() as conn:
        assert [row[1:4] for row in officers.listing(conn)] == [
            ("Trần Thị Hoa", "reviewer", "06685"), ("Lê Văn Nam", "supervisor", "22"),
        ]  # fmt: skip
    for file in ("list.slips.pdf", "list.slips.csv"):
        assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600


def test_the_same_table_again_prints_the_same_links(cli: Cli, world: World) -> None:
    invite(cli, HEAD + HOA)
    before = links()
    Path("list.slips.pdf").unlink()
    Path("list.slips.csv").chmod(0o644)
    again = invite(cli, HEAD + HOA + "06688,Lê Văn Nam,,người xét\n").said("Đã mời 1, đã mời từ trước 1")
    assert again.status == 0
    assert links()[0] == before[0]
    assert len(squares()) == 2
    assert kept(world) == 2
    assert stat.S_IMODE(Path("list.slips.csv").stat().st_mode) == 0o600


def test_without_the_file_of_links_nobody_is_invited_twice(cli: Cli, world: World) -> None:
    invite(cli, HEAD + HOA)
    Path("list.slips.csv").unlink()
    Path("list.slips.pdf").unlink()
    invite(cli, HEAD + HOA).said("Đã mời 0, đã mời từ trước 1", "dòng 2: Trần Thị Hoa")
    assert (kept(world), list(Path().glob("list.slips*"))) == (1, [])


def test_who_holds_the_role_is_not_invited_and_who_let_the_link_lapse_is(cli: Cli, world: World) -> None:
    world.officer()
    with world.write() as conn:
        place = units.by_code(conn, "06688")
        assert place is not None
        officers.invite(conn, place.id, "reviewer", datetime.now(UTC) - timedelta(days=15), "cli", "Lê Văn Nam")
    invite(cli, HEAD + HOA + "06688,Lê Văn Nam,,người xét\n").said("Đã mời 1, đã mời từ trước 1")
    assert [each["Họ tên"] for each in links()] == ["Lê Văn Nam"]


def accepts(world: World, at: int = -1) -> None:
    world.chat().opens(links()[at]["Đường dẫn"].partition("=")[2]).presses("accept")


def test_who_was_dismissed_is_not_brought_back_by_an_old_list(cli: Cli, world: World) -> None:
    invite(cli, HEAD + HOA)
    accepts(world)
    assert cli("officers", "end", "Trần Thị Hoa").status == 0
    nam = "06688,Lê Văn Nam,,người xét\n"
    found = invite(cli, HEAD + HOA + nam).said("dòng 2: Trần Thị Hoa", "thôi vai trò này", "--again", "Đã mời 1,")
    assert found.status == 0
    assert [each["Họ tên"] for each in links()] == ["Lê Văn Nam"]
    tried = invite(cli, HEAD + HOA + nam, "--dry-run", "--json").json
    assert [one["name"] for one in tried["ended"]] == ["Trần Thị Hoa"]
    assert (tried["invited"], [one["name"] for one in tried["already"]]) == ([], ["Lê Văn Nam"])
    invite(cli, HEAD + HOA + nam, "--again").said("Đã mời 1, đã mời từ trước 1")
    accepts(world)
    invite(cli, HEAD + HOA).said("Đã mời 0, đã mời từ trước 1")  # who was brought back holds it
    cli("officers", "invite", "06685", "--role", "reviewer", "--again").refused(2, "--csv")


def test_who_stopped_over_a_year_ago_is_invited(cli: Cli, world: World) -> None:
    world.officer()
    with world.write() as conn:
        (officer,) = officers.named(conn, "Trần Thị Hoa")
        officers.end(conn, officer, None, datetime.now(UTC) - timedelta(days=366), "cli")
    invite(cli, HEAD + HOA).said("Đã mời 1,")


def test_another_spelling_of_who_holds_the_role_is_not_invited_again(cli: Cli, world: World) -> None:
    """The second slip, used on a phone where somebody is an officer already, keeps the first name."""
    invite(cli, HEAD + HOA)
    chat = world.chat().opens(links()[0]["Đường dẫn"].partition("=")[2]).presses("accept")
    other = HOA.replace("Trần Thị Hoa", "Trần T. Hoa").replace("06685", "06688")
    invite(cli, HEAD + other)
    chat.opens(links()[-1]["Đường dẫn"].partition("=")[2]).presses("accept")
    with world.read() as conn:
        assert [row[1] for row in officers.listing(conn)] == ["Trần Thị Hoa"] * 2
    found = invite(cli, HEAD + HOA + other).said("Đã mời 0, đã mời từ trước 2")
    assert found.status == 0
    # One role of one human stands for one row: a second of the name, told apart by phone, is another.
    invite(cli, HEAD + other + other.replace("0912345678", "0987654321")).said("Đã mời 1, đã mời từ trước 1")


@pytest.mark.parametrize("how", [(), ("--sessions",), ("--unit", "06685")])
def test_who_goes_leaves_no_slip_that_opens_the_office_again(cli: Cli, world: World, how: tuple[str, ...]) -> None:
    invite(cli, HEAD + HOA + "06685,Lê Văn Nam,,người xét\n06688,Trần Thị Hoa,,người xét\n")
    accepts(world, 0)
    cli("officers", "invite", "06685", "--role", "supervisor", "--name", "trần thị hoa")
    with world.read() as conn:
        before = {(each.name.casefold(), each.role) for each in officers.open_invites(conn, datetime.now(UTC))}
        assert ("trần thị hoa", "supervisor") in before
    assert cli("officers", "end", "Trần Thị Hoa", *how).status == 0
    with world.read() as conn:
        left = [(each.name, each.role) for each in officers.open_invites(conn, datetime.now(UTC))]
    # That of another unit is another's, perhaps: a name says little where nobody of that name holds a role.
    assert sorted(left) == [("Lê Văn Nam", "reviewer"), ("Trần Thị Hoa", "reviewer")]


def test_two_runs_at_once_do_not_both_invite(cli: Cli, world: World) -> None:
    with invites._alone(Path()):
        invite(cli, HEAD + HOA).refused(1, "Một lần mời khác")
    assert kept(world) == 0
    assert invite(cli, HEAD + HOA).status == 0


def test_a_run_that_finds_no_links_of_the_last_asks_for_them(cli: Cli, world: World) -> None:
    invite(cli, HEAD + HOA)
    invite(cli, HEAD + HOA, "--slips", "other.pdf").said("Đã mời 0", "đường dẫn other.csv", "--slips")
    assert "Tệp của lần trước ở đâu" not in invite(cli, HEAD + HOA).err
    accepts(world)
    assert (
        "Tệp của lần trước ở đâu" not in invite(cli, HEAD + HOA, "--slips", "other.pdf").err
    )  # who holds it needs none


def test_two_of_one_name_are_told_apart_by_phone(cli: Cli, world: World) -> None:
    other = HOA.replace("0912345678", "0987654321")
    invite(cli, HEAD + HOA).said("Đã mời 1,")
    invite(cli, HEAD + HOA + other).said("Đã mời 1, đã mời từ trước 1")
    invite(cli, HEAD + HOA + other).said("Đã mời 0, đã mời từ trước 2")
    assert [each["Điện thoại"] for each in links()] == ["0912345678", "0987654321"]


def test_a_run_cut_off_goes_on_where_it_was(cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invites, "BATCH", 2)
    text = HEAD + "".join(f"06685,Nguyễn Văn {name},,người xét\n" for name in ("An", "Bình", "Chi", "Dũng", "Em"))
    real, calls = os.fsync, []

    def cut(number: int) -> None:
        real(number)
        calls.append(number)
        if len(calls) == 3:  # the file's own, a first batch, then in the second before it is committed
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", cut)
    assert invite(cli, text).status == 1
    assert kept(world) == 2
    assert len(links()) == 4
    monkeypatch.setattr(os, "fsync", real)
    with Path("list.slips.csv").open("a") as out:
        out.write("Phường Hồng")  # a line that never came to its end
    invite(cli, text).said("Đã mời 3, đã mời từ trước 2")
    assert kept(world) == 5
    with world.read() as conn:
        usable = {each.secret_hash for each in officers.open_invites(conn, datetime.now(UTC))}
    assert sorted(each["Đường dẫn"] for each in links()) == sorted(squares())
    found = [codes.parse(link) for link in squares()]
    assert [codes.secret_hash(code) in usable for code in found if isinstance(code, codes.InviteCode)] == [True] * 5


def test_links_of_another_list_stay_in_their_file(cli: Cli, world: World) -> None:
    invite(cli, HEAD + HOA)
    invite(cli, HEAD + "06688,Lê Văn Nam,,người xét\n")
    assert [each["Họ tên"] for each in links()] == ["Trần Thị Hoa", "Lê Văn Nam"]
    assert len(squares()) == 1


def test_wrong_rows_are_passed_over_where_asked(cli: Cli, world: World) -> None:
    found = invite(cli, HEAD + HOA + "99999,An,,người xét\n", "--skip-wrong").said("dòng 3", "Đã mời 1,", "bỏ qua 1")
    assert found.status == 0
    assert len(squares()) == kept(world) == 1


def test_a_role_for_rows_that_name_none(cli: Cli, world: World) -> None:
    text = "Đơn vị,Họ tên,Vai trò\n06685,An,\n22,Bình,cán bộ theo dõi\n"
    found = invite(cli, text, "--role", "reviewer", "--json")
    assert [one["role"] for one in found.json["invited"]] == ["reviewer", "supervisor"]
    assert "MT" not in found.out
    invite(cli, text, "--role", "boss").refused(1, "reviewer, supervisor")


def test_files_that_are_somebodys_are_not_written_over(cli: Cli, world: World) -> None:
    Path("list.slips.csv").write_text("a,b\n")
    invite(cli, HEAD + HOA).refused(1, "list.slips.csv", "--slips")
    assert Path("list.slips.csv").read_text() == "a,b\n"
    invite(cli, HEAD + HOA, "--slips", "list.csv").refused(1, "list.csv")
    assert kept(world) == 0


def test_slips_for_telegram(cli: Cli, world: World, telegram: Telegram, monkeypatch: pytest.MonkeyPatch) -> None:
    invite(cli, HEAD + HOA, "--telegram").refused(2, "telegram.token")
    monkeypatch.setenv("HOCTAP_TELEGRAM__TOKEN", TOKEN)
    telegram.bot(TOKEN, "hoctap_bot")
    monkeypatch.delenv("HOCTAP_WEB__PUBLIC_URL")
    invite(cli, HEAD + HOA).refused(2, "web.public_url", "--telegram")
    assert kept(world) == 0
    assert invite(cli, HEAD + HOA, "--telegram").status == 0
    assert squares() == [links()[0]["Đường dẫn"]]
    assert squares()[0].startswith("https://t.me/hoctap_bot?start=MT")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("officers invite", "UNIT"),
        ("officers invite 06685", "--role"),
        ("officers invite 06685 --csv f.csv", "chưa đúng"),
        ("officers invite 06685 --role reviewer --dry-run", "--csv"),
    ],
)
def test_what_does_not_go_together(cli: Cli, command: str, said: str) -> None:
    cli(*command.split()).refused(2, said)
