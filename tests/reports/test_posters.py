from __future__ import annotations

import unicodedata
from io import BytesIO

import pypdfium2
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from locales import Voice
from reports.posters import PosterUnit, poster, qr_png
from tests.reports.samples import LONG

WARD = PosterUnit(
    "Phường Hồng Gai", "Thành phố Quảng Ninh", "DV 06685-K", contact_name="bà Lan", contact_phone="0203 382 5555"
)
LINK = "https://congdanhoctap.example.vn/q/DV06685K"


def read(picture: Image.Image) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(picture)]


def rendered(pdf: bytes, scale: float = 2) -> Image.Image:
    return pypdfium2.PdfDocument(pdf)[0].render(scale=scale).to_pil()


def words(pdf: bytes) -> str:
    """The text of the page, lines joined."""
    read = pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_bounded()
    return " ".join(read.replace("\x02", "-").split())  # a hyphen at the end of a line is read as U+0002


@pytest.mark.parametrize("payload", ["DV06685K", LINK, "https://t.me/hoctap_bot?start=DV06685-03-K", "Hồng Gai ữ"])
def test_the_square_is_read_back(payload: str) -> None:
    picture = Image.open(BytesIO(qr_png(payload)))
    assert read(picture.convert("L")) == [payload]


def test_the_square_has_its_quiet_zone_and_its_scale() -> None:
    one, ten = (Image.open(BytesIO(qr_png(LINK, scale))).convert("L") for scale in (1, 10))
    assert ten.width == ten.height == 10 * one.width
    assert one.getpixel((4, 4)) == 0
    assert all(one.getpixel((at, 3)) == one.getpixel((3, at)) == 255 for at in range(one.width))
    with pytest.raises(ValueError, match="scale"):
        qr_png(LINK, 0)


def test_a_fifth_of_the_square_may_be_soiled() -> None:
    picture = Image.open(BytesIO(qr_png(LINK, 8))).convert("L")
    side = picture.width
    picture.paste(255, (int(side * 0.55), int(side * 0.45), int(side * 0.85), int(side * 0.75)))
    assert read(picture) == [LINK]


@pytest.mark.parametrize("scale", [0.6, 1, 3])
def test_the_poster_is_read_from_afar_and_in_grey(scale: float) -> None:
    assert read(rendered(poster(WARD, LINK), scale).convert("L")) == [LINK]


def test_the_poster_is_one_page_a4_with_its_fonts_inside() -> None:
    pdf = poster(WARD, LINK)
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 1
    assert document[0].get_size() == pytest.approx((595.3, 841.9), abs=0.1)
    used = {
        text.get_font().get_base_name().split("+")[-1]: text.get_font().is_embedded
        for text in document[0].get_objects(filter=[1])
    }
    assert used == {"NotoSans-Regular": True, "NotoSans-Bold": True}
    assert document.get_metadata_value("Title") == "Mã đăng ký Công dân học tập – Phường Hồng Gai"


def test_the_poster_says_what_a_stranger_needs() -> None:
    text = words(poster(WARD, LINK))
    for sentence in (
        "Hội Khuyến học Phường Hồng Gai", "CÔNG DÂN HỌC TẬP", "Thành phố Quảng Ninh", "DV 06685-K",
        "Mở máy ảnh hoặc Zalo, đưa vào hình vuông", "Mười câu hỏi ngắn, gửi ảnh minh chứng nếu có",
        "Cán bộ Hội xem xét rồi nhắn lại kết quả", "Cần giúp, xin hỏi: bà Lan · 0203 382 5555",
        "Bộ tiêu chí là bản dựng lại để thử nghiệm",
    ):  # fmt: skip
        assert unicodedata.normalize("NFC", sentence) in text


def test_without_a_contact_the_association_is_named() -> None:
    text = words(poster(PosterUnit("Chi hội khu 3", "Thành phố Quảng Ninh", "DV 06685-03-K", "Phường Hồng Gai"), LINK))
    assert "Cần giúp, xin hỏi Hội Khuyến học Phường Hồng Gai" in text
    assert "Phường Hồng Gai, Thành phố Quảng Ninh" in text


def test_the_poster_speaks_english_too() -> None:
    assert "LEARNING CITIZEN" in words(poster(WARD, LINK, Voice("en")))


def test_the_same_poster_is_the_same_file() -> None:
    assert poster(WARD, LINK) == poster(WARD, LINK)


def boxes(pdf: bytes) -> list[tuple[float, float, float, float]]:
    return [item.get_bounds() for item in pypdfium2.PdfDocument(pdf)[0].get_objects(filter=[1])]


@settings(max_examples=20, deadline=None)
@given(
    name=st.one_of(st.just(LONG), st.text("ữặĐ’ỡy g.,-W", min_size=1, max_size=100)).filter(lambda name: name.strip()),
    contact=st.text("ữặ ĐW", max_size=60),
)
def test_long_names_stay_on_the_page_and_off_the_square(name: str, contact: str) -> None:
    unit = PosterUnit(name, "Thành phố Hồ Chí Minh", "DV 06685-03-K", "Phường Hồng Gai", contact, "0203 382 5555")
    pdf = poster(unit, LINK)
    found = boxes(pdf)
    assert all(left >= 40 and right <= 555 and bottom >= 20 and top <= 830 for left, bottom, right, top in found)
    for at, one in enumerate(found):
        for other in found[at + 1 :]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1], (one, other)
    assert read(rendered(pdf, 1.5)) == [LINK]
    assert "".join(name.split()) in words(pdf).replace(" ", "")
