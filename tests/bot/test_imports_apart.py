"""A list is read in a process of its own: what it unpacks to there does not reach the bot beside it."""

from __future__ import annotations

import os
import resource
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.imports import apart, sheets, worker
from bot.imports.mapping import ImportFault, Mapping
from bot.imports.sheets import FORMULA
from locales import Voice, speaking
from tests.bot.test_imports_reading import HEADINGS, HUNG, mapping, packed, parts, sheet_of, text, workbook

pytestmark = pytest.mark.slow

SMALL = 80 * 2**20  # bytes: enough for a list


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MEMORY", SMALL)


def read(path: Path, given: Mapping | None = None) -> tuple[sheets.Layout, list[Any]]:
    with apart.rows_of(path, given or mapping()) as (layout, lines):
        return layout, list(lines)


def test_it_is_the_same_list(tmp_path: Path) -> None:
    rows = [
        (*HUNG, "không ai được biết"), ("=A1", 1957.5, datetime(2024, 12, 20, 7)), (date(1957, 1, 2), None, "x\ny"),
        *[HUNG] * 500,
    ]  # fmt: skip
    path = workbook(tmp_path / "a.xlsx", (*HEADINGS, "Dân tộc"), *rows, sheet="Trang 1")
    with sheets.rows_of(path, mapping()) as (layout, lines):
        here = [(line.number, list(line.cells)) for line in lines]
    there, found = read(path)
    assert (there, [(line.number, line.cells) for line in found]) == (layout, here)
    assert (layout.sheet, here[1][1][0], len(here)) == ("Trang 1", FORMULA, 503)
    assert "không ai được biết" not in repr(found)
    assert read(text(tmp_path / "a.csv", "Họ và tên,Năm sinh,Xã\na,b,c"))[0].sheet == ""


def test_a_fault_is_told_in_the_language_of_who_asks(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("Tên",), HUNG)
    with pytest.raises(ImportFault, match='Không thấy cột "Họ và tên"'):
        read(path)
    with speaking(Voice("en")), pytest.raises(ImportFault, match='There is no column "Họ và tên"'):
        read(path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "no.xlsx")
    long = text(tmp_path / "a.csv", "Họ và tên,Năm sinh,Xã\n" + "a,1957,b\n" * 400 + '"' + "x" * 200_000)
    with pytest.raises(ImportFault, match="hỏng ở dòng 402"):  # rows came before it
        read(long)


def bomb(path: Path, kind: str) -> Path:
    if kind == "a row of millions of cells":
        return sheet_of(path, '<sheetData><row r="1">' + "<c/>" * 1_000_000 + "</row></sheetData>")
    if kind == "one long text":
        return sheet_of(
            path, '<sheetData><row r="1"><c t="inlineStr"><is><t>' + "x" * 60_000_000 + "</t></is></c></row>"
        )
    if kind == "shared texts that are called a picture":
        content = parts(workbook(path, HEADINGS, HUNG))
        kind_of = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
        part = b'<Override PartName="/xl/media/image1.png" ContentType="' + kind_of + b'" /></Types>'
        types = content["[Content_Types].xml"].replace(b"</Types>", part)
        texts = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">' + b"<si/>" * 600_000
        return packed(path, {**content, "[Content_Types].xml": types, "xl/media/image1.png": texts + b"</sst>"})
    cells = b'"\nxy",' * 120  # lines are short, the record is not
    return text(path, "Họ và tên,Năm sinh,Xã\n".encode() + cells * 15_000)


@pytest.mark.parametrize(
    "kind",
    ["a row of millions of cells", "one long text", "shared texts that are called a picture", "a record without end"],
)
def test_a_bomb_ends_in_its_own_process(tmp_path: Path, kind: str) -> None:
    path = bomb(tmp_path / ("a.csv" if kind == "a record without end" else "a.xlsx"), kind)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImportFault, match="giải nén"):
        read(path)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 50_000  # kB


def test_a_line_without_end_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(ImportFault, match="giải nén"):
        read(text(tmp_path / "a.csv", b"x" * (sheets.MOST_LINE + 1)))


def test_a_reader_that_dies_is_one_sentence(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", HEADINGS, *[HUNG] * 3000)
    with pytest.raises(ImportFault, match="giải nén"), apart.rows_of(path, mapping()) as (_layout, lines):
        next(lines)
        (reader,) = children()
        os.kill(reader, 9)
        list(lines)
    assert children() == []


def test_who_stops_reading_leaves_no_process_behind(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", HEADINGS, *[HUNG] * 3000)
    with apart.rows_of(path, mapping()) as (_layout, lines):
        next(lines)
        assert len(children()) == 1
    start = time.monotonic()
    while children() and time.monotonic() - start < 5:
        time.sleep(0.01)
    assert children() == []


def children() -> list[int]:
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    named = [(int(each), Path(f"/proc/{each}/cmdline")) for each in listed.split()]
    return [number for number, line in named if worker.__name__ in line.read_text()]


def test_the_readers_environment_has_no_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOCTAP_SECRET", "s3cr3t")
    with apart.rows_of(workbook(tmp_path / "a.xlsx", HEADINGS, *[HUNG] * 3000), mapping()) as (_layout, lines):
        next(lines)
        (reader,) = children()
        assert "s3cr3t" not in Path(f"/proc/{reader}/environ").read_text()
