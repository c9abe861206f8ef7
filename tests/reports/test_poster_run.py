from __future__ import annotations

import csv
import os
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp

from reports.poster_run import Province, run, write_whole
from reports.posters import Page, PosterUnit

pytestmark = pytest.mark.slow


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
    made = list(run(folder, provinces, index="22", workers=1, **how))  # type: ignore[arg-type]
    return (
        sum(each.count for each in made if each.what == "posters"),
        sum(each.count for each in made if each.what == "book"),
        sum(each.kept for each in made),
    )


def test_posters_books_and_index_agree(tmp_path: Path) -> None:
    provinces = [province("22", "Thành phố Quảng Ninh", 8), province("01", "Thành phố Hà Nội", 2)]
    assert totals(tmp_path, provinces) == (10, 2, 0)
    with (tmp_path / "index-22.csv").open(encoding="utf-8-sig", newline="") as source:
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
    assert len(pypdfium2.PdfDocument(tmp_path / "index-22.pdf")) == 1


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


def every(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_a_part_of_a_province_leaves_its_book_alone(tmp_path: Path) -> None:
    whole = province("22", "Thành phố Quảng Ninh", 3)
    part = Province("22", whole.name, whole.pages[1:2], ("22002", "Xã Tân 2"))
    totals(tmp_path, [whole])
    before = {name: (tmp_path / name).read_bytes() for name in every(tmp_path)}
    assert [(each.what, each.kept) for each in run(tmp_path, [part], index="22002", workers=1)] == [
        ("book", 0), ("posters", 1),
    ]  # fmt: skip
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert every(tmp_path) - before.keys() == {"22002-xa-tan-2.pdf", "index-22002.csv", "index-22002.pdf"}
    assert held(tmp_path / "22002-xa-tan-2.pdf") == [part.pages[0].payload]
    totals(tmp_path, [whole])  # and the other way round
    assert (tmp_path / "22002-xa-tan-2.pdf").exists()


def renamed(page: Page, name: str) -> Page:
    return Page(PosterUnit(name, page.unit.province, page.unit.code), page.payload)


def test_posters_of_units_that_are_no_more_go_aside(tmp_path: Path) -> None:
    before = province("22", "Tỉnh Quảng Ninh", 4)
    below = [Page(PosterUnit("Chi hội", "", f"DV 2200{n}-01-K", f"Xã Tân {n}"), "x") for n in (3, 4)]
    for page in below:
        part = Province("22", before.name, (page,), (page.unit.code[3:11], "Chi hội"))
        list(run(tmp_path, [part], index=page.unit.code[3:11], workers=1))
    totals(tmp_path, [before, province("01", "Thành phố Hà Nội", 1)])
    (tmp_path / "22-tinh-quang-ninh" / "ghi chú.pdf").write_bytes(b"")
    # 1 stays, 2 has another name, 3 stays, 4 was merged; the province itself keeps its name
    one, two, three, _four = before.pages
    now = Province("22", before.name, (one, renamed(two, "Phường Tân 2"), three))
    made = list(run(tmp_path, [now], index="22", workers=1))
    assert made[-1].what == "old" and made[-1].count == 3
    assert {name for name in every(tmp_path) if name.startswith("cu/")} == {
        "cu/22-tinh-quang-ninh/22002-xa-tan-2.pdf",
        "cu/22-tinh-quang-ninh/22004-xa-tan-4.pdf",
        "cu/22-tinh-quang-ninh/22004-01-chi-hoi.pdf",
    }
    assert {file.name for file in (tmp_path / "22-tinh-quang-ninh").iterdir()} == {
        "22001-xa-tan-1.pdf", "22002-phuong-tan-2.pdf", "22003-xa-tan-3.pdf", "22003-01-chi-hoi.pdf", "ghi chú.pdf",
    }  # fmt: skip
    assert (tmp_path / "01-thanh-pho-ha-noi" / "01001-xa-tan-1.pdf").exists()
    assert all(made.what != "old" for made in run(tmp_path, [now], index="22", workers=1))


def test_a_province_with_a_new_name_takes_its_book_and_folder_along(tmp_path: Path) -> None:
    totals(tmp_path, [province("22", "Tỉnh Quảng Ninh", 1)])
    totals(tmp_path, [province("22", "Thành phố Quảng Ninh", 1)])
    assert every(tmp_path) == {
        "cu/22-tinh-quang-ninh.pdf",
        "cu/22-tinh-quang-ninh/22001-xa-tan-1.pdf",
        "22-thanh-pho-quang-ninh.pdf",
        "22-thanh-pho-quang-ninh/22001-xa-tan-1.pdf",
        "index-22.csv",
        "index-22.pdf",
    }
    assert not (tmp_path / "22-tinh-quang-ninh").exists()


def test_files_are_written_whole_for_everybody_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, synced = tmp_path / "a.pdf", []
    file.write_bytes(b"before")
    real = os.fsync

    def full(number: int) -> None:
        synced.append(number)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(file, b"after")
    assert synced and file.read_bytes() == b"before" and every(tmp_path) == {"a.pdf"}
    monkeypatch.setattr(os, "fsync", real)
    write_whole(file, b"after")
    assert file.read_bytes() == b"after" and file.stat().st_mode & 0o777 == 0o644


def test_what_a_killed_run_left_goes_after_an_hour(tmp_path: Path) -> None:
    totals(tmp_path, [province("22", "Thành phố Quảng Ninh", 1)])
    left, writing = tmp_path / ".aside-a", tmp_path / "22-thanh-pho-quang-ninh" / ".aside-b"
    for scratch in (left, writing):
        scratch.write_bytes(b"%PDF")
    os.utime(left, (0, 0))
    totals(tmp_path, [province("22", "Thành phố Quảng Ninh", 1)])
    assert (left.exists(), writing.exists()) == (False, True)


def test_two_processes_make_the_same_files(tmp_path: Path) -> None:
    wanted = [province("22", "Thành phố Quảng Ninh", 13)]
    totals(tmp_path / "one", wanted)
    made = list(run(tmp_path / "two", wanted, index="22", workers=2))
    assert sum(each.count for each in made) == 14
    files = sorted(file.relative_to(tmp_path / "one") for file in (tmp_path / "one").rglob("*.*"))
    assert files == sorted(file.relative_to(tmp_path / "two") for file in (tmp_path / "two").rglob("*.*"))
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)
