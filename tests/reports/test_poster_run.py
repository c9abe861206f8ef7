from __future__ import annotations

import csv
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp

from reports.poster_run import Province, run
from reports.posters import Page, PosterUnit


def province(code: str, name: str, count: int, contact: str = "") -> Province:
    units = [
        PosterUnit(f"Xã Tân {at}", name, f"DV {code}{at:03}-K", contact_name=contact) for at in range(1, count + 1)
    ]
    return Province(code, name, tuple(Page(unit, f"https://hoctap.example.vn/q/{unit.code[3:8]}") for unit in units))


def held(file: Path, page: int = 0) -> list[str]:
    picture = pypdfium2.PdfDocument(file)[page].render(scale=1).to_pil()
    return [found.text for found in zxingcpp.read_barcodes(picture)]


def totals(folder: Path, provinces: list[Province], **how: object) -> tuple[int, int, int]:
    """Posters, books and how many of both were kept."""
    made = list(run(folder, provinces, workers=1, **how))  # type: ignore[arg-type]
    return (
        sum(each.count for each in made if each.what == "posters"),
        sum(each.count for each in made if each.what == "book"),
        sum(each.kept for each in made),
    )


def test_posters_books_and_index_agree(tmp_path: Path) -> None:
    provinces = [province("22", "Thành phố Quảng Ninh", 8), province("01", "Thành phố Hà Nội", 2)]
    assert totals(tmp_path, provinces) == (10, 2, 0)
    with (tmp_path / "index.csv").open(encoding="utf-8-sig", newline="") as source:
        head, *lines = csv.reader(source)
    assert head == ["Tỉnh, thành phố", "Đơn vị", "Mã đơn vị", "Tệp áp phích", "Tập áp phích", "Trang", "Mã QR chứa"]
    assert len(lines) == 10
    for _place, name, code, file, book, page, holds in lines:
        assert held(tmp_path / file) == held(tmp_path / book, int(page) - 1) == [holds]
        assert holds.endswith(code[3:8])
        words = pypdfium2.PdfDocument(tmp_path / book)[int(page) - 1].get_textpage().get_text_bounded()
        assert code in words
        assert name in words
    assert lines[0][3:5] == ["22-thanh-pho-quang-ninh/22001-xa-tan-1.pdf", "22-thanh-pho-quang-ninh.pdf"]
    assert len(pypdfium2.PdfDocument(tmp_path / "22-thanh-pho-quang-ninh.pdf")) == 8
    assert len(pypdfium2.PdfDocument(tmp_path / "index.pdf")) == 1


def test_only_what_is_missing_or_wrong_is_made_again(tmp_path: Path) -> None:
    wanted = [province("22", "Thành phố Quảng Ninh", 5)]
    totals(tmp_path, wanted)
    files = sorted((tmp_path / "22-thanh-pho-quang-ninh").iterdir())
    right = [file.read_bytes() for file in files]
    assert totals(tmp_path, wanted) == (5, 1, 6)
    files[0].unlink()
    files[1].write_bytes(right[1][:-400])  # a disk that was full
    files[2].write_bytes(right[3])  # another unit's
    assert totals(tmp_path, wanted) == (5, 1, 3)
    assert [file.read_bytes() for file in files] == right


@pytest.mark.parametrize("how", [{"size": "a3"}, {}])
def test_another_paper_or_contact_makes_all_anew(tmp_path: Path, how: dict[str, str]) -> None:
    totals(tmp_path, [province("22", "Thành phố Quảng Ninh", 2)])
    assert totals(tmp_path, [province("22", "Thành phố Quảng Ninh", 2, "" if how else "bà Lan")], **how) == (2, 1, 0)
    size = pypdfium2.PdfDocument(tmp_path / "22-thanh-pho-quang-ninh.pdf")[1].get_size()
    assert size == pytest.approx((841.9, 1190.6) if how else (595.3, 841.9), abs=0.1)
    assert held(tmp_path / "22-thanh-pho-quang-ninh.pdf", 1) == ["https://hoctap.example.vn/q/22002"]


def test_another_sentence_makes_all_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reports import poster_run

    totals(tmp_path, [province("22", "Thành phố Quảng Ninh", 2)])
    poster_run._look.cache_clear()
    monkeypatch.setattr("reports.posters.BLUE", poster_run.posters.RED)
    assert totals(tmp_path, [province("22", "Thành phố Quảng Ninh", 2)]) == (2, 1, 0)
    poster_run._look.cache_clear()


def test_two_processes_make_the_same_files(tmp_path: Path) -> None:
    wanted = [province("22", "Thành phố Quảng Ninh", 13)]
    totals(tmp_path / "one", wanted)
    made = list(run(tmp_path / "two", wanted, workers=2))
    assert sum(each.count for each in made) == 14
    files = sorted(file.relative_to(tmp_path / "one") for file in (tmp_path / "one").rglob("*.*"))
    assert files == sorted(file.relative_to(tmp_path / "two") for file in (tmp_path / "two").rglob("*.*"))
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)
