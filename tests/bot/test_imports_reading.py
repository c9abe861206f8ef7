"""Lists as people send them: headings anywhere, numbers as Excel left them, and files that mean harm."""

from __future__ import annotations

import random
import time
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from bot.imports import sheets
from bot.imports.judging import Judge, Judged, Problem, settled
from bot.imports.mapping import ImportFault, Mapping, forbidden, read_mapping
from bot.imports.places import Found, Places, Unclear, Words
from bot.imports.sheets import FORMULA, Line, rows_of
from storage.identity import Traces

HEADINGS = ("Họ và tên", "Năm sinh", "Xã")
COLUMNS = {"name": "Họ và tên", "birth_year": "Năm sinh", "commune": "Xã"}
HUNG = ("Nguyễn Văn Hùng", 1957, "Phường Hồng Gai")


def mapping(**other: Any) -> Mapping:
    given: dict[str, Any] = {
        "source": "phần mềm trước", "vintage": "pre-2025", "columns": COLUMNS, "groups": {"*": "nong_dan"}, **other,
    }  # fmt: skip
    return Mapping(**given)


def workbook(path: Path, *rows: tuple[Any, ...], sheet: str = "Sheet") -> Path:
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = sheet
    for row in rows:
        page.append(row)
    book.save(path)
    return path


def text(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, given: Mapping | None = None) -> tuple[sheets.Layout, list[tuple[int, list[Any]]]]:
    with rows_of(path, given or mapping()) as (layout, lines):
        at = list(layout.places.values())
        return layout, [(line.number, [line.cells[n] if n < len(line.cells) else None for n in at]) for line in lines]


# ------------------------------------------------------------------------------------------ where things stand


def test_headings_are_found_below_titles_and_empty_rows(tmp_path: Path) -> None:
    rows = [("DANH SÁCH",), (), ("", None), HEADINGS, HUNG, (None, None, None), HUNG]
    layout, found = read(workbook(tmp_path / "a.xlsx", *rows))
    assert (layout.first_row, found) == (5, [(5, list(HUNG)), (7, list(HUNG))])
    written = "\n".join(",".join(str(cell or "") for cell in row) for row in rows)
    layout, found = read(text(tmp_path / "a.csv", written))
    assert (layout.first_row, [row for row, _cells in found]) == (5, [5, 7])


def test_headings_under_merged_cells(tmp_path: Path) -> None:
    book = Workbook()
    page = book.active
    assert page is not None
    for row in (
        ("Họ và tên", "Năm sinh", "Quê quán", None, "Nơi ở", None),
        (None, None, "Xã", "Huyện", "Xã", "Huyện"),
        ("Nguyễn Văn Hùng", 1957, "Xa", "Kia", "Phường Hồng Gai", "Hạ Long"),
    ):
        page.append(row)
    for cells in ("A1:A2", "B1:B2", "C1:D1", "E1:F1"):
        page.merge_cells(cells)
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(ImportFault, match=r'"Xã".*C, E'):
        read(tmp_path / "a.xlsx")
    both = mapping(columns={**COLUMNS, "commune": "Nơi ở / Xã"})
    layout, found = read(tmp_path / "a.xlsx", both)
    assert (layout.first_row, found) == (3, [(3, list(HUNG))])
    assert layout.left_out == ("Xã", "Huyện", "Huyện")
    letters = mapping(columns={"name": "A", "birth_year": "B", "commune": "E"}, first_row=3)
    assert read(tmp_path / "a.xlsx", letters)[1] == [(3, list(HUNG))]


def test_accents_and_case_of_headings_do_not_matter(tmp_path: Path) -> None:
    assert read(workbook(tmp_path / "a.xlsx", ("HO VA TEN", " năm  sinh", "XÃ"), HUNG))[1] == [(2, list(HUNG))]


def test_one_of_several_sheets(tmp_path: Path) -> None:
    book = Workbook()
    for name in ("Bìa", "Danh sách"):
        page = book.create_sheet(name)
        page.append(HEADINGS)
        page.append((name, *HUNG[1:]))
    del book["Sheet"]
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(ImportFault, match='"Bìa", "Danh sách"'):
        read(tmp_path / "a.xlsx")
    for chosen in (2, "danh sach"):
        assert read(tmp_path / "a.xlsx", mapping(sheet=chosen))[1][0][1][0] == "Danh sách"
    with pytest.raises(ImportFault, match='"Bìa", "Danh sách"'):
        read(tmp_path / "a.xlsx", mapping(sheet="Khác"))


@pytest.mark.parametrize(
    ("encoding", "delimiter"),
    [("utf-8", ","), ("utf-8-sig", ";"), ("utf-16", "\t"), ("utf-8", "|"), ("cp1258", ";")],
)
def test_csv_of_many_kinds(tmp_path: Path, encoding: str, delimiter: str) -> None:
    plain = [("Ho va ten", "Nam sinh", "Xa"), ("Nguyen, Van Hung", "1957", "Phuong Hong Gai")]
    rows = plain if encoding == "cp1258" else [HEADINGS, ("Nguyễn, Văn Hùng", "1957", "Phường Hồng Gai")]
    written = "\r\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    path = text(tmp_path / "a.csv", written.encode(encoding))
    found = read(path, mapping(encoding="cp1258") if encoding == "cp1258" else mapping(delimiter=delimiter))[1]
    assert found == [(2, list(rows[1]))]


def test_a_csv_that_is_not_utf_8_says_so(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "Họ và tên,Năm sinh,Xã\nNguyễn,1957,Bạch Đằng".encode()[:-3] + b"\xff\xfe")
    with pytest.raises(ImportFault, match="UTF-8"):
        read(path)


@pytest.mark.parametrize("encoding", ["rot13", "base64", "no-such", "a\0b", "undefined"])
def test_what_is_no_encoding_of_text_says_so(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ImportFault, match="encoding"):
        read(text(tmp_path / "a.csv", "Họ và tên,Năm sinh,Xã\na,1957,b"), mapping(encoding=encoding))


def test_headings_of_two_capitals_are_headings(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("TT", "HT", "NS", "Xã"), (1, *HUNG))
    assert read(path, mapping(columns={"name": "HT", "birth_year": "NS", "commune": "Xã"}))[1] == [(2, list(HUNG))]
    bare = mapping(columns={"name": "HT", "birth_year": "NS", "unit_code": "TT"})
    assert read(path, bare)[1] == [(2, ["Nguyễn Văn Hùng", 1957, 1])]
    # A letter where no heading is called so, and where the mapping says that it is one.
    for letter in ("C", "cột C", "Column c"):
        mixed = mapping(columns={"name": "HT", "birth_year": letter, "commune": "Xã"})
        assert [set(cells) for _row, cells in read(path, mixed)[1]] == [set(HUNG)]
    with pytest.raises(ImportFault, match='"NX"'):  # no list has so many columns
        read(path, mapping(columns={**COLUMNS, "name": "HT", "birth_year": "NX"}))
    for letter in ("B", "cột B"):
        with pytest.raises(ImportFault, match="first_row"):
            read(path, mapping(columns={"name": "A", "birth_year": letter, "commune": "C"}))
    path = workbook(tmp_path / "a.xlsx", ("B", "A", "Xã"), ("Nguyễn Văn Hùng", 1957, "Phường Hồng Gai"))
    assert read(path, mapping(columns={**COLUMNS, "name": "B", "birth_year": "A"}))[1] == [(2, list(HUNG))]
    assert read(path, mapping(columns={**COLUMNS, "name": "cột A", "birth_year": "cột B"}))[1] == [(2, list(HUNG))]


def test_a_row_of_data_is_not_told_as_headings(tmp_path: Path) -> None:
    words = ("Nguyễn Văn Hùng", "một chín năm bảy", "Xã A")
    path = workbook(tmp_path / "a.xlsx", HEADINGS, *[HUNG] * 4, *[words] * 4)
    for row in (5, 9):
        with pytest.raises(ImportFault, match="A, B, C") as fault:
            read(path, mapping(heading_row=row))
        assert "Hùng" not in fault.value.text


def test_a_column_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ImportFault, match=r'"Xã".*"Họ và tên", "Năm sinh", "Phường"'):
        read(workbook(tmp_path / "a.xlsx", ("Họ và tên", "Năm sinh", "Phường"), HUNG))


# ------------------------------------------------------------------------------------------ never read


@pytest.mark.parametrize(
    "heading",
    ["Dân tộc", "DÂN TỘC", "Tôn giáo", "dan_toc", "Ảnh CCCD mặt trước", "Hình ảnh", "Ảnh chân dung", "Ethnicity",
     "Religion", "File scan căn cước"],
)  # fmt: skip
def test_columns_that_are_never_read(tmp_path: Path, heading: str) -> None:
    assert forbidden(heading)
    path = workbook(tmp_path / "a.xlsx", (*HEADINGS, heading), (*HUNG, "không ai được biết"))
    layout, found = read(path)
    assert layout.never == (heading,)
    assert "không ai được biết" not in repr(found)
    for named in ("D", heading):  # by its letter it is the same column
        with pytest.raises(ImportFault, match="không bao giờ được nhập"):
            read(path, mapping(columns={**COLUMNS, "subject_group": named}, first_row=2))


@pytest.mark.parametrize("heading", ["Anh (chị)", "Họ và tên", "Địa chỉ", "Hình thức", "Thẻ hội viên", "Số CCCD"])
def test_columns_that_may_be_read(heading: str) -> None:
    assert not forbidden(heading)


# ------------------------------------------------------------------------------------------ files that mean harm


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, content: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


SHEET = "xl/worksheets/sheet1.xml"
NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def sheet_of(path: Path, body: str, head: str = "") -> Path:
    content = parts(workbook(path, HEADINGS, HUNG))
    content[SHEET] = f'<?xml version="1.0"?>{head}<worksheet {NAMESPACE}>{body}</worksheet>'.encode()
    return packed(path, content)


def test_a_zip_bomb_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "a.xlsx", HEADINGS, HUNG)
    content = parts(path)
    for name in (SHEET, "xl/sharedStrings.xml", "xl/styles.xml"):
        monkeypatch.setattr(sheets, {"xl/styles.xml": "MOST_REST", SHEET: "MOST_SHEET"}.get(name, "MOST_TEXTS"), 2**20)
        packed(path, {**content, name: b" " * (2**20 + 1)})
        with pytest.raises(ImportFault, match="giải nén"):
            read(path)
    packed(path, {**content, **{f"x/{n}": b"" for n in range(sheets.MOST_PARTS)}})
    with pytest.raises(ImportFault, match="giải nén"):
        read(path)
    for name in ("xl/media/image1.png", "xl/media/texts.xml"):  # the list of contents may call either the shared texts
        packed(path, {**content, name: b" " * (2**20 + 1)})
        with pytest.raises(ImportFault, match="giải nén"):
            read(path)
    packed(path, {**content, "xl/media/image1.png": b" " * 2**20})
    assert len(read(path)[1]) == 1


def test_a_part_that_lies_about_its_size_is_not_read_further(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", HEADINGS, *[HUNG] * 500)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        true = archive.getinfo(SHEET).file_size
    size = true.to_bytes(4, "little")
    assert data.count(size) >= 1
    path.write_bytes(bytes(data).replace(size, (100).to_bytes(4, "little")))
    with pytest.raises(ImportFault):
        read(path)


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_entities_are_refused(tmp_path: Path, head: str) -> None:
    body = '<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&a;</t></is></c></row></sheetData>'
    with pytest.raises(ImportFault, match="Entities"):
        read(sheet_of(tmp_path / "a.xlsx", body, head))


def test_a_row_a_million_lines_down_and_a_wide_one(tmp_path: Path) -> None:
    cells = "".join(
        f'<c r="{letter}1" t="inlineStr"><is><t>{heading}</t></is></c>'
        for letter, heading in zip("ABC", HEADINGS, strict=True)
    )
    far = '<row r="1048576"><c r="A1048576" t="inlineStr"><is><t>Xa</t></is></c></row>'
    wide = '<row r="2"><c r="XFD2"><v>1</v></c></row>'
    body = f'<dimension ref="A1:XFD1048576"/><sheetData><row r="1">{cells}</row>{wide}%s</sheetData>'
    start = time.perf_counter()
    assert read(sheet_of(tmp_path / "a.xlsx", body % far))[1] == [(1048576, ["Xa", None, None])]
    assert time.perf_counter() - start < 30
    with pytest.raises(ImportFault, match="dòng"):
        read(sheet_of(tmp_path / "a.xlsx", body % far.replace("1048576", "99999999999")))


def test_too_many_rows_are_refused_before_anything_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_ROWS", 10)
    with pytest.raises(ImportFault, match="10 dòng"):
        read(workbook(tmp_path / "a.xlsx", HEADINGS, *[HUNG] * 11))
    assert len(read(workbook(tmp_path / "a.xlsx", HEADINGS, *[HUNG] * 10))[1]) == 10


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04rubbish", b"\xd0\xcf\x11\xe0" + b"0" * 600, b"%PDF-1.7", b"\x00" * 500, b'"' + b"x" * 200_000],
)
def test_what_is_no_list_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ImportFault) as fault:
        read(text(tmp_path / "a.xlsx", content))
    assert len(fault.value.text.splitlines()) == 1


def test_three_hundred_broken_files(tmp_path: Path) -> None:
    dice = random.Random(5)
    whole = workbook(tmp_path / "a.xlsx", HEADINGS, *[HUNG] * 20)
    unpacked, data = parts(whole), whole.read_bytes()
    for n in range(300):
        if n % 2:
            broken = bytearray(data)
            for _ in range(dice.randrange(1, 20)):
                broken[dice.randrange(len(broken))] = dice.randrange(256)
            whole.write_bytes(bytes(broken[: dice.randrange(len(broken))] if n % 3 == 0 else broken))
        else:
            name = dice.choice(sorted(unpacked))
            inner = bytearray(unpacked[name])
            for _ in range(dice.randrange(1, 6)):
                inner[dice.randrange(len(inner))] = dice.randrange(32, 127)
            packed(whole, {**unpacked, name: bytes(inner)})
        try:
            read(whole)
        except ImportFault as fault:
            assert fault.text


def test_a_formula_is_never_taken(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", HEADINGS, ("=CONCATENATE(A1,B1)", "=1900+57", '=HYPERLINK("x")'), HUNG)
    assert read(path)[1] == [(2, [FORMULA] * 3), (3, list(HUNG))]
    path = text(tmp_path / "a.csv", 'Họ và tên,Năm sinh,Xã\n=cmd|\' /C calc\'!A0,=1+1,"=""0912345678"""\n')
    assert read(path)[1] == [(2, [FORMULA, FORMULA, "0912345678"])]


# ------------------------------------------------------------------------------------------ what a row says


class Hong(Places):
    """Places without a database: only Phường Hồng Gai is known."""

    __slots__ = ()

    def of(self, words: Words) -> Found | Unclear:
        if words.commune == "Phường Hồng Gai":
            return Found(3, 7)
        code = {"Phường Hà Khẩu": "unit_split"}.get(words.commune, "unit_unknown")
        return Unclear(code, "commune", words.names, ("06661", "06706"))

    def counted_here(self, unit_id: int, year: int) -> bool:
        return year == 2025

    def min_age(self, unit_id: int) -> int:
        return {3: 18}[unit_id]


ALL = ("name", "birth_year", "phone", "id_number", "commune", "subject_group", "title_year", "decision_number",
       "decision_date")  # fmt: skip


def judge(given: Mapping | None = None, **cells: Any) -> Judged:
    given = given or mapping(columns={name: name for name in ALL}, groups={"nong dan": "nong_dan", "*": "can_bo"})
    said = {"name": "Nguyễn Văn Hùng", "birth_year": 1957, "commune": "Phường Hồng Gai", **cells}
    layout = sheets.Layout(2, {name: n for n, name in enumerate(ALL)}, {name: name for name in ALL}, (), ())
    made = Judge(
        given, layout, Hong(None, given), date(2026, 11, 22),  # type: ignore[arg-type]
        lambda number: Traces((("VN-1", f"mac of {number}"),), number[-4:]),
    )  # fmt: skip
    return made.judge(Line(2, [said.get(name) for name in ALL]))


def codes(found: Judged) -> list[str]:
    return [each.code for each in found.problems]


@pytest.mark.parametrize(
    ("cell", "year"),
    [(1961, 1961), (1961.0, 1961), ("1961", 1961), ("1961.0", 1961), (" 1961 ", 1961), ("12/03/1961", 1961),
     ("1961-03-12", 1961), ("03/1961", 1961), (datetime(1961, 3, 12), 1961), (date(1961, 3, 12), 1961)],
)  # fmt: skip
def test_years_of_birth_as_excel_leaves_them(cell: Any, year: int) -> None:
    found = judge(birth_year=cell)
    assert found.listed is not None and found.listed.birth_year == year, found


@pytest.mark.parametrize(
    "cell", ["61", 61, 2025, 1899, "1961?", "khoảng 1961", 1961.5, "1961 1962", 10**30, -1961, 19750, 22352]
)
def test_wrong_years_of_birth(cell: Any) -> None:
    assert codes(judge(birth_year=cell)) == ["birth_year"]


@pytest.mark.parametrize(
    ("cell", "phone"),
    [("0912345678", "0912345678"), (912345678, "0912345678"), (912345678.0, "0912345678"), ("912345678", "0912345678"),
     ("+84 912 345 678", "0912345678"), (84912345678, "0912345678"), ("0912.345.678", "0912345678"),
     (2033825123, "02033825123"), ("0203 382 5123", "02033825123")],
)  # fmt: skip
def test_phones_whose_zero_was_eaten(cell: Any, phone: str) -> None:
    found = judge(phone=cell)
    assert found.listed is not None and found.listed.phone == phone, found


@pytest.mark.parametrize("cell", ["0912345678, 0987654321", "không có", 12345, "9.12E+08", "01234567890", "091234567"])
def test_wrong_phones_are_told_or_left_out_where_the_mapping_says_so(cell: Any) -> None:
    assert codes(judge(phone=cell)) == ["phone"]
    lenient = mapping(columns={name: name for name in ALL}, leave_out_wrong=frozenset({"phone"}))
    found = judge(lenient, phone=cell)
    assert codes(found) == ["phone_out"]
    assert found.listed is not None and found.listed.phone is None


@pytest.mark.parametrize(
    ("cell", "number"),
    [("022057000001", "022057000001"), (22057000001, "022057000001"), (22057000001.0, "022057000001"),
     ("1057000001", "001057000001"), ("022 057 000 001", "022057000001"), ("'022057000001", "022057000001")],
)  # fmt: skip
def test_id_numbers_are_kept_as_traces_only(cell: Any, number: str) -> None:
    found = judge(id_number=cell)
    assert found.listed is not None and found.listed.number is not None
    assert found.listed.number.current == ("VN-1", f"mac of {number}")
    assert number not in repr(found)


@pytest.mark.parametrize(
    ("cell", "code"),
    [("100123456", "id_old"), (12345678, "id_old"), ("1.06E+11", "id_lost"), ("1,06E+11", "id_lost"),
     ("999999999999", "id_number"), ("abc", "id_number"), ("0220570000012", "id_number")],
)  # fmt: skip
def test_wrong_id_numbers(cell: Any, code: str) -> None:
    found = judge(id_number=cell)
    assert codes(found) == [code]
    assert str(cell) not in repr(found)


def test_a_number_of_another_year_is_a_note() -> None:
    found = judge(id_number="022060000001")
    assert codes(found) == ["id_other_year"] and found.listed is not None


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"name": None}, "name"), ({"name": "Ô"}, "name"), ({"name": "022057000001"}, "name"),
        ({"name": "=HYPERLINK(A)"}, "name"), ({"name": "@SUM(A)"}, "name"), ({"name": "+Nguyễn Văn A"}, "name"),
        ({"name": "-Nguyễn Văn A"}, "name"), ({"name": "'=cmd"}, "name"), ({"name": "Nguyễn Văn A 2"}, "name"),
        ({"name": "A" * 90}, "name"), ({"name": "??? ---"}, "name"),
        ({"birth_year": None}, "nobody"), ({"commune": "Xã Không Có"}, "unit_unknown"),
        ({"name": FORMULA}, "formula"), ({"title_year": 2019}, "title_year"), ({"title_year": 2026}, "title_year"),
        ({"title_year": "năm nay"}, "title_year"), ({"title_year": 2025}, "title_ours"),
        ({"decision_number": "12/QĐ"}, "title_missing"),
        ({"title_year": 2024, "decision_number": "022057000001"}, "decision_number"),
        ({"title_year": 2024, "decision_number": "x" * 65}, "decision_number"),
        ({"title_year": 2024, "decision_date": "31/02/2024"}, "decision_date"),
        ({"title_year": 2024, "decision_date": "20/12/2030"}, "decision_date"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(cells: dict[str, Any], code: str) -> None:
    found = judge(**cells)
    assert codes(found) == [code]
    assert found.listed is None and found.verdict == "wrong"


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"birth_year": 2009}, "birth_year"), ({"birth_year": "01/01/2016"}, "birth_year"),
        ({"birth_year": None, "id_number": "022209000001"}, "id_number"),
        ({"birth_year": 2000, "id_number": "022209000001"}, "birth_year"),
    ],
)  # fmt: skip
def test_a_child_is_not_taken_in(cells: dict[str, Any], field: str) -> None:
    found = judge(**cells)
    assert found.listed is None and found.verdict == "wrong"
    assert found.problems[-1] == Problem("child", field, (("age", "18"),))
    assert judge(birth_year=2008).listed is not None


def test_no_number_is_told_though_a_letter_is_one_too_far() -> None:
    strict = mapping(columns={name: name for name in ALL}, groups={"nong dan": "nong_dan"})
    for number in ("022057000001", "0912345678", "0912 345 678", "022 057 000 001", "912345678"):
        for cells in ({"subject_group": number}, {"commune": f"{number}, {number}"}):
            (problem,) = judge(strict, **{"subject_group": "Nông dân", **cells}).problems
            assert problem.code in ("group", "unit_unknown")
            assert not any(part in repr(problem) for part in ("000001", "345678", "345 678", "000 001"))


def test_a_column_of_names_is_one_fault_without_them() -> None:
    strict = mapping(columns={name: name for name in ALL}, groups={"nong dan": "nong_dan"})

    def told(groups: list[str], **cells: Any) -> list[str]:
        rows = settled([judge(strict, subject_group=group, **cells) for group in groups])
        assert [row.listed for row in rows] == [None] * len(rows)
        return sorted({(problem.code, *dict(problem.facts).values()) for row in rows for problem in row.problems})

    people = [f"Nguyễn Văn {chr(65 + n % 26)}{chr(97 + n // 26)}" for n in range(60)]
    assert told(people) == [("column",)]
    assert told([*people, *people, *people]) == [("column",)]  # over fifty groups there are none
    assert told(people[:50] * 3) == [("group", name) for name in sorted(people[:50])]
    assert told(people[:9]) == [("group", name) for name in sorted(people[:9])]
    assert told(["Nông dân"] * 10, commune="Xã Lạ") == [("unit_unknown", "Xã Lạ", "06661; 06706")]
    rows = settled([judge(strict, subject_group="Nông dân", commune=name) for name in people])
    assert {problem for row in rows for problem in row.problems} == {Problem("column", "commune")}


def test_a_unit_that_was_split_is_asked_for() -> None:
    assert judge(commune="Phường Hà Khẩu").verdict == "ask"
    assert judge(commune="Phường Hà Khẩu", birth_year="x").verdict == "wrong"
    lenient = mapping(columns={name: name for name in ALL}, leave_out_wrong=frozenset({"phone"}))
    assert judge(lenient, commune="Phường Hà Khẩu", phone="x").verdict == "ask"


@pytest.mark.parametrize(
    "cell",
    ["20/12/2024", "20-12-2024", "20.12.2024", "2024-12-20", datetime(2024, 12, 20, 7), date(2024, 12, 20), 45646,
     "20/12/2024 07:00"],
)  # fmt: skip
def test_days_of_decisions(cell: Any) -> None:
    found = judge(title_year="2024.0", decision_date=cell, decision_number=" 12/QĐ-HKH ")
    assert found.listed is not None and found.listed.title is not None
    assert (found.listed.title.year, found.listed.title.unit_id) == (2024, 7)
    assert (found.listed.title.decision_number, found.listed.title.decision_date) == ("12/QĐ-HKH", date(2024, 12, 20))


def test_names_in_capitals_are_written_as_names() -> None:
    found = judge(name="NGUYỄN THỊ  HÒA", subject_group="Nông  dân")
    assert found.listed is not None
    assert (found.listed.name, found.listed.subject_group) == ("Nguyễn Thị Hòa", "nong_dan")


# ------------------------------------------------------------------------------------------ mappings

GOOD = """
source = "x"
vintage = "pre-2025"
[columns]
name = "Họ và tên"
birth_year = "Năm sinh"
commune = "Xã"
[groups]
"*" = "nong_dan"
"""


def test_a_mapping_is_read(tmp_path: Path) -> None:
    path = text(tmp_path / "m.toml", GOOD + '[same]\ntitle_year = 2024\n[units]\n"Xã A, Huyện B" = "06685"\n')
    found = read_mapping(path)
    assert found.same == {"title_year": "2024"}
    assert found.units == {"xa a huyen b": "06685"}
    assert judge(found, title_year=2023).listed is not None


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('source = "x"', "", '"source"'),
        ('vintage = "pre-2025"', 'vintage = "2024"', "pre-2025"),
        ('name = "Họ và tên"', "", '"columns.name"'),
        ('birth_year = "Năm sinh"', "", '"columns.birth_year"'),
        ('commune = "Xã"', "", '"columns.commune"'),
        ('commune = "Xã"', 'commune = "Dân tộc"', "không bao giờ"),
        ('commune = "Xã"', 'comune = "Xã"', '"columns.comune"'),
        ('commune = "Xã"', "commune = true", '"columns.commune"'),
        ('"*" = "nong_dan"', '"*" = "nong"', "can_bo"),
        ('"*" = "nong_dan"', "", '"groups"'),
        ('source = "x"', 'source = "x"\nsheets = 1', '"sheets"'),
        ('source = "x"', 'source = "x"\nleave_out_wrong = ["name"]', "leave_out_wrong"),
        ("[groups]", '[same]\nname = "A"\n[groups]', "[same]"),
        ("[columns]", "[columns", "dòng"),
        ('"*" = "nong_dan"', '"*" = ["nong_dan"]', "can_bo"),
        ('source = "x"', 'source = "x"\ndelimiter = "\\n"', '"delimiter"'),
        ('source = "x"', 'source = "x"\ndelimiter = ",;"', '"delimiter"'),
        ('source = "x"', 'source = "x"\nunits_anywhere = 1', '"units_anywhere"'),
        ('source = "x"', 'source = "x"\nfirst_row = true', '"first_row"'),
        ("[groups]", '[basis]\nground = "x"\nconfirmed_by = " "\n[groups]', '"basis.confirmed_by"'),
        ("[groups]", '[basis]\nground = "x"\nconfirmed_by = "y"\n[groups]', '"basis.confirmed_on"'),
        ("[groups]", "[basis]\nconfirmed_on = 2026-11-20T08:00:00\n[groups]", '"basis.confirmed_on"'),
        ("[groups]", f'[basis]\nground = "{"x" * 301}"\n[groups]', '"basis.ground"'),
        ("[groups]", '[basis]\nwhy = "x"\n[groups]', '"basis.why"'),
    ],
)
def test_what_is_wrong_with_a_mapping_is_named(tmp_path: Path, before: str, after: str, told: str) -> None:
    assert before in GOOD
    with pytest.raises(ImportFault) as fault:
        read_mapping(text(tmp_path / "m.toml", GOOD.replace(before, after)))
    assert told in fault.value.text
    assert all(line.startswith("m.toml: ") for line in fault.value.text.splitlines())


def test_letters_need_the_first_row_where_there_is_nothing_else(tmp_path: Path) -> None:
    letters = GOOD.replace('"Họ và tên"', '"cột A"').replace('"Năm sinh"', '"column B"').replace('"Xã"', '"cot c"')
    with pytest.raises(ImportFault, match="first_row"):
        read_mapping(text(tmp_path / "m.toml", letters))
    found = read_mapping(text(tmp_path / "m.toml", letters.replace('source = "x"', 'source = "x"\nfirst_row = 3')))
    assert read(workbook(tmp_path / "a.xlsx", HEADINGS, HUNG, HUNG), found)[1] == [(3, list(HUNG))]


def test_the_ground_is_one_line(tmp_path: Path) -> None:
    basis = '[basis]\nground = "Luật 91,\\n Điều 9"\nconfirmed_by = "Hội cơ sở"\nconfirmed_on = 2026-11-02\n'
    assert read_mapping(text(tmp_path / "m.toml", GOOD + basis)).basis == "Luật 91, Điều 9; Hội cơ sở, 02/11/2026"
    assert read_mapping(text(tmp_path / "m.toml", GOOD)).basis == ""


def test_a_mapping_of_another_encoding(tmp_path: Path) -> None:
    with pytest.raises(ImportFault, match="UTF-8"):
        read_mapping(text(tmp_path / "m.toml", GOOD.encode("utf-16")))
