from __future__ import annotations

from datetime import UTC, datetime

import pypdfium2
import pytest

from reports.slips import Slip, slips
from tests.reports.test_posters import words
from tests.reports.test_sheets import LONGEST, inside, squares

ENDS = datetime(2026, 12, 6, 2, 0, tzinfo=UTC)


def slip(at: int, name: str = "Trần Thị Hoa", unit: str = "Phường Hồng Gai, Thành phố Quảng Ninh") -> Slip:
    secret = f"{at:020}"
    link = f"https://congdanhoctap.example.vn/chat#q=MT{secret}"
    return Slip(name, unit, "người xét", link, f"MT-{secret}", ENDS, "0912345678")


def test_every_slip_has_its_own_square_and_says_what_it_is() -> None:
    made = [slip(at) for at in range(11)]
    pdf = slips(made)
    assert len(pypdfium2.PdfDocument(pdf)) == 2
    assert squares(pdf, 0) + squares(pdf, 1) == [each.link for each in made]
    said = words(pdf)
    for sentence in (
        "PHIẾU MỜI CÁN BỘ HỘI", "Trần Thị Hoa", "0912345678", "Vai trò: người xét", "Phường Hồng Gai",
        "hết ngày 06/12/2026", "Mở máy ảnh của điện thoại", made[0].link, made[0].typed,
        "Chỉ dùng một lần, không đưa cho người khác.",
    ):  # fmt: skip
        assert sentence.replace(" ", "") in said.replace(" ", ""), sentence


def test_long_names_stay_between_the_cuts() -> None:
    name, unit = "Tôn Nữ Hoàng Nguyễn Phương Quỳnh Trường An " * 2, f"{LONGEST}, Phường Hồng Gai, Thành phố Hồ Chí Minh"
    pdf = slips([slip(at, name.strip(), unit) for at in range(8)])
    inside(pdf)
    for left, bottom, right, top in (
        item.get_bounds() for item in pypdfium2.PdfDocument(pdf)[0].get_objects(filter=[1])
    ):
        assert left // 297.7 == right // 297.7
        assert bottom // 210.5 == top // 210.5
    assert len(squares(pdf, 0)) == 8


def test_a_slip_shows_no_secret_in_its_repr() -> None:
    assert "MT" not in repr(slip(1))


def test_no_slips() -> None:
    with pytest.raises(ValueError, match="no slips"):
        slips([])
