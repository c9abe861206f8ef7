from __future__ import annotations

import pypdfium2
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st

from locales import Voice
from reports.posters import Page, PosterUnit
from reports.sheets import IndexRow, Section, index, sheet
from tests.reports.test_posters import words

LONGEST = "Chi hội khuyến học Tổ dân phố Nguyễn Thị Minh Khai 3 khu vực Trường Trung học phổ thông chuyên Hạ Long"


def pages(count: int, name: str = "Phường Hồng Gai") -> list[Page]:
    return [
        Page(
            PosterUnit(f"{name} {at}", "Thành phố Quảng Ninh", f"DV {at:05}-K"),
            f"https://congdanhoctap.example.vn/q/DV{at:05}K",
        )
        for at in range(count)
    ]


def squares(pdf: bytes, page: int, scale: float = 2) -> list[str]:
    """What the squares of a page hold, by rows from the left."""
    found = zxingcpp.read_barcodes(pypdfium2.PdfDocument(pdf)[page].render(scale=scale).to_pil())
    return [
        each.text for each in sorted(found, key=lambda each: (each.position.top_left.y // 50, each.position.top_left.x))
    ]


def inside(pdf: bytes) -> None:
    """Nothing runs off a page, and no line of text lies on another."""
    for page in pypdfium2.PdfDocument(pdf):
        boxes = [item.get_bounds() for item in page.get_objects(filter=[1])]
        assert all(left >= 10 and right <= 585 and bottom >= 8 and top <= 834 for left, bottom, right, top in boxes)
        for at, one in enumerate(boxes):
            for other in boxes[at + 1 :]:
                apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] + 1 or other[3] <= one[1] + 1
                assert apart, (one, other)


def test_eight_a_page_each_square_leads_to_the_unit_under_it() -> None:
    wanted = pages(19)
    pdf = sheet(wanted, "Thành phố Quảng Ninh")
    assert len(pypdfium2.PdfDocument(pdf)) == 3
    found = [squares(pdf, at) for at in range(3)]
    assert [len(each) for each in found] == [8, 8, 3]
    assert [text for each in found for text in each] == [page.payload for page in wanted]
    said = words(pdf)
    assert "Mã QR đăng ký Công dân học tập – Thành phố Quảng Ninh" in said
    assert "Trang 1/3" in said
    assert all(f"DV {at:05}-K" in said for at in range(8))


def test_no_units_no_sheet() -> None:
    with pytest.raises(ValueError, match="no units"):
        sheet([], "Thành phố Quảng Ninh")


@settings(max_examples=10, deadline=None)
@given(st.one_of(st.just(LONGEST), st.text("ữặĐỡy g.,-W", min_size=1, max_size=100).filter(lambda name: name.strip())))
def test_long_names_keep_to_their_field(name: str) -> None:
    unit = PosterUnit(name, "Thành phố Hồ Chí Minh", "DV 06685-03-K", "Phường Hồng Gai")
    pdf = sheet([Page(unit, "https://congdanhoctap.example.vn/q/DV0668503K")] * 8, "Thành phố Hồ Chí Minh")
    inside(pdf)
    assert len(squares(pdf, 0)) == 8


def test_the_index_names_every_poster_with_its_page() -> None:
    sections = [
        Section(
            f"Tỉnh {letter}",
            f"{at:02}-tinh.pdf",
            tuple(IndexRow(n, f"DV {at}{n:04}-K", f"Xã {letter} {n}") for n in range(1, count)),
        )
        for at, (letter, count) in enumerate((("Một", 55), ("Hai", 3), ("Ba", 130)), 1)
    ]
    pdf = index(sections)
    document = pypdfium2.PdfDocument(pdf)
    said = " ".join(" ".join(page.get_textpage().get_text_bounded().split()) for page in document)
    assert "185 áp phích trong 3 tập" in said
    for section in sections:
        for row in section.rows:
            assert f"{row.page} {row.code} {row.name}" in said
        assert section.book in said
    inside(pdf)


def test_sheets_speak_english_too() -> None:
    assert "QR codes to register" in words(sheet(pages(1), "Quảng Ninh", Voice("en")))
