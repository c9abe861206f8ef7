"""``hoctap qr --all`` and ``--sheet``: a province's squares in one go."""

from __future__ import annotations

import csv
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp

from storage import codes
from tests.bot.conftest import Cli, Telegram
from tests.support.world import World

pytestmark = pytest.mark.slow

ONE = "1234567890:AAGs3cretS3cretS3cretS3cretS3cret-_1"
TWO = "2234567890:AAGs3cretS3cretS3cretS3cretS3cret-_2"


@pytest.fixture(autouse=True)
def address(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCTAP_WEB__PUBLIC_URL", "https://hoctap.example.vn")


def squares(file: str | Path, page: int = 0) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(pypdfium2.PdfDocument(file)[page].render(scale=2).to_pil())]


def listed(folder: str, of: str = "22") -> list[dict[str, str]]:
    with Path(folder, f"index-{of}.csv").open(encoding="utf-8-sig", newline="") as source:
        return list(csv.DictReader(source))


def test_all_54_of_quang_ninh(cli: Cli, world: World) -> None:
    found = cli("qr", "--all", "--under", "22", "--poster-dir", "out").said("54 áp phích, 1 tập", "giữ nguyên 0")
    assert found.status == 0
    lines = listed("out")
    assert len(lines) == len({line["Tệp áp phích"] for line in lines}) == 54
    for line in lines[::9]:
        code = codes.parse(line["Mã đơn vị"])
        link = f"https://hoctap.example.vn/q/{codes.payload(code)}"
        assert squares(Path("out", line["Tệp áp phích"])) == [link]
        assert squares(Path("out", line["Tập áp phích"]), int(line["Trang"]) - 1) == [link]
    assert Path("out/22-thanh-pho-quang-ninh/06685-phuong-hong-gai.pdf").exists()
    cli("qr", "--all", "--under", "22", "--poster-dir", "out").said("giữ nguyên 55")


def test_a_commune_with_its_units(cli: Cli, world: World) -> None:
    cli("units", "add", "06685", "--name", "Chi hội khu 3", "--kind", "chi_hoi")
    cli("units", "set", "06685", "contact_name", "bà Lan")
    assert cli("qr", "--all", "--under", "06685", "--poster-dir", "out", "--size", "A3").said("2 áp phích").status == 0
    assert [line["Đơn vị"] for line in listed("out", "06685")] == ["Phường Hồng Gai", "Chi hội khu 3, Phường Hồng Gai"]
    assert len(pypdfium2.PdfDocument("out/06685-phuong-hong-gai.pdf")) == 2
    page = pypdfium2.PdfDocument("out/22-thanh-pho-quang-ninh/06685-01-chi-hoi-khu-3.pdf")[0]
    assert page.get_size() == pytest.approx((841.9, 1190.6), abs=0.1)
    assert "bà Lan" in page.get_textpage().get_text_bounded()


def test_a_commune_that_was_renamed(cli: Cli, world: World) -> None:
    cli("units", "add", "06685", "--name", "Chi hội khu 3", "--kind", "chi_hoi")
    cli("qr", "--all", "--under", "06685", "--poster-dir", "out")
    with world.write() as conn:
        conn.exec_driver_sql("update units set name = 'Phường Hòn Gai' where code = '06685' and vintage = '2025'")
    cli("qr", "--all", "--under", "06685", "--poster-dir", "out").said("2 tệp của đơn vị đã đổi tên", "out/cu")
    assert {file.name for file in Path("out").glob("*.pdf")} == {"06685-phuong-hon-gai.pdf", "index-06685.pdf"}


def test_one_poster_and_square_are_written_whole(cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("a.pdf", "a.png", "sheet.pdf"):
        Path(file).write_bytes(b"before")

    def cut(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", cut)
    assert cli("qr", "06685", "--poster", "a.pdf").status != 0
    assert cli("qr", "06685", "-o", "a.png").status != 0
    assert cli("qr", "--sheet", "--under", "06685", "-o", "sheet.pdf").status != 0
    assert [Path(file).read_bytes() for file in ("a.pdf", "a.png", "sheet.pdf")] == [b"before"] * 3


def test_a_sheet_of_a_province(cli: Cli, world: World) -> None:
    assert cli("qr", "--sheet", "--under", "22", "-o", "sheet.pdf").said("sheet.pdf").status == 0
    document = pypdfium2.PdfDocument("sheet.pdf")
    assert len(document) == 7
    found = squares("sheet.pdf") + squares("sheet.pdf", 6)
    assert len(found) == 8 + 6
    for at, page in ((0, document[0]), (6, document[6])):
        said = page.get_textpage().get_text_bounded()
        for link in squares("sheet.pdf", at):
            assert codes.printed(codes.parse(link)) in said


def test_each_province_opens_its_own_bot(
    cli: Cli, world: World, telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOCTAP_TELEGRAM__TOKEN", ONE)
    monkeypatch.setenv("HOCTAP_TELEGRAM__BOTS__22__TOKEN", TWO)
    telegram.bot(ONE, "hoctap_bot")
    telegram.bot(TWO, "hoctap_22_bot")
    for under, start, bot in (
        ("06685", "hoctap_22_bot", ()),
        ("00004", "hoctap_bot", ()),
        ("06685", "hoctap_bot", ("--bot", "bot")),
    ):
        assert cli("qr", "--sheet", "--telegram", "--under", under, "-o", "f.pdf", *bot).status == 0
        assert squares("f.pdf")[0].startswith(f"https://t.me/{start}?start=DV{under}")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("qr", "UNIT"),
        ("qr --all", "--under"),
        ("qr --all --under 22", "--poster-dir"),
        ("qr --sheet --under 22", "--out"),
        ("qr 06685 --all --under 22 --poster-dir out", "chưa đúng"),
        ("qr 06685 --under 22", "--all"),
        ("qr 06685 --poster f.pdf --size a5", "--size"),
    ],
)
def test_what_does_not_go_together(cli: Cli, command: str, said: str) -> None:
    cli(*command.split()).refused(2, said)


def test_without_an_address_nothing_is_printed(cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOCTAP_WEB__PUBLIC_URL")
    cli("qr", "--all", "--under", "22", "--poster-dir", "out").refused(2, "web.public_url")
    assert not Path("out").exists()
