from __future__ import annotations

import dataclasses
import re
import unicodedata
from io import BytesIO
from itertools import pairwise

import pytest
from babel.messages.pofile import read_po
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from PIL import Image

from locales import HERE, LANGUAGES, Voice, speaking
from reports import charts, fonts
from reports.charts.sheet import BAND, BLUE, INK, NAME_SIZE, NAME_WIDTH, PAPER, SERIES, VERMILION, WIDTH
from reports.model import COMMUNE, PROVINCE, IndicatorMean, Row, UnitFigures, page_span, pages, ranked
from tests.reports.charts_seen import assert_readable, bars, said
from tests.reports.samples import AT, EVERY_KIND, LONG, NAMES, SHORT_NAMES, children, commune, nothing_yet

kinds = pytest.mark.parametrize("figures", EVERY_KIND.values(), ids=EVERY_KIND.keys())


@kinds
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_can_be_read_on_a_phone(figures: UnitFigures, language: str) -> None:
    with speaking(Voice(language)):
        for page in range(1, pages(figures) + 1):
            assert_readable(charts.compose(figures, page))


@kinds
def test_a_picture_is_1080_wide_and_small(figures: UnitFigures) -> None:
    png = charts.draw(figures)
    picture = Image.open(BytesIO(png))
    assert picture.format == "PNG" and picture.width == 1080
    # Telegram scales down what is higher.
    assert picture.height <= 2560
    assert len(png) < 200_000


def test_every_picture_says_whose_when_and_what_the_criteria_are() -> None:
    for figures in EVERY_KIND.values():
        lines = said(charts.compose(figures))
        assert figures.name in " ".join(lines)
        assert "Công dân học tập năm 2026" in lines
        assert "Số liệu lúc 9:41 ngày 21/11/2026" in lines
        assert "Nguồn: hồ sơ Công dân học tập gửi qua tin nhắn và trang web" in lines
        assert "Bộ tiêu chí dựng lại để thử nghiệm" in lines


def test_numbers_stand_on_the_bars_in_the_vietnamese_way() -> None:
    lines = said(charts.compose(children(3)))
    assert {"4.003", "902", "2.003", "452"} <= set(lines)
    with speaking(Voice("en")):
        assert "4,003" in said(charts.compose(children(3)))


def test_bars_are_as_long_as_their_numbers_on_every_page() -> None:
    figures = children(54)
    rows = ranked(figures.rows)
    per_person = set()
    for page in (1, 2, 3):
        first, last = page_span(figures, page)
        sheet = charts.compose(figures, page)
        for series, colour in SERIES.items():
            # The first rectangle of a colour is the legend's square.
            drawn = bars(sheet, colour)[1:]
            counts = [getattr(row, series) for row in rows[first:last] if row.registered]
            assert len(drawn) == len(counts)
            per_person |= {round(bar.width / count, 3) for bar, count in zip(drawn, counts, strict=True) if count > 50}
    assert max(per_person) - min(per_person) < 0.01


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (20, 1), (21, 2), (34, 2), (54, 3), (168, 9)])
def test_at_most_20_rows_a_picture_and_each_row_once(count: int, expected: int) -> None:
    figures = children(count)
    assert pages(figures) == expected
    spans = [page_span(figures, page) for page in range(1, expected + 1)]
    assert spans[0][0] == 0 and spans[-1][1] == count
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    sizes = [last - first for first, last in spans]
    assert max(sizes) <= 20 and max(sizes) - min(sizes) <= 1
    seen = [line for page in range(1, expected + 1) for line in said(charts.compose(figures, page))]
    for row in figures.rows:
        assert seen.count(row.label) == 1 or fonts.fold(row.label, NAME_SIZE, NAME_WIDTH) != [row.label]


def test_a_page_that_is_not_there_is_refused() -> None:
    for page in (0, 4):
        with pytest.raises(ValueError, match=f"page {page} of 3"):
            charts.compose(children(54), page)


def test_units_are_ranked_by_registrations_then_stably() -> None:
    rows = (Row("3", "c", 5, 1, 1), Row("1", "a", 5, 1, 1), Row("2", "b", 9, 0, 0), Row("4", "d", 5, 2, 2))
    assert [row.code for row in ranked(rows)] == ["2", "4", "1", "3"]


def test_nothing_yet_is_said_kindly() -> None:
    assert "Chưa có hồ sơ nào" in said(charts.compose(nothing_yet()))
    assert pages(nothing_yet()) == 1
    assert "Chưa có ai đăng ký" in said(charts.compose(children(17)))
    assert "Chưa có hồ sơ nào được nộp" in said(charts.compose(commune((), submitted=0, approved=0)))


def test_a_commune_shows_shares_states_and_pass_rate() -> None:
    lines = said(charts.compose(commune()))
    assert {"1.412", "301", "21,3%", "221", "15,7%"} <= set(lines)
    assert "Tỉ lệ đạt: 88% số hồ sơ đã xét" in lines
    assert "38 chờ xét · 12 trả lại để bổ sung · 30 chưa đạt · 4 đã rút" in lines


def test_no_share_where_withdrawn_people_had_handed_in() -> None:
    lines = said(charts.compose(commune(registered=3, submitted=5, approved=1)))
    assert "5" in lines and not any(line.startswith("166") for line in lines)


def test_means_below_the_minimum_are_marked_and_the_line_stands_at_it() -> None:
    sheet = charts.compose(commune((4.9, 5.0, 10), minimum=5.0))
    assert len(bars(sheet, VERMILION)) == 1
    at_minimum, full = (bar for bar in bars(sheet, BLUE) if bar.width < WIDTH)
    dashes = {bar.x + bar.width / 2 for bar in bars(sheet, INK)}
    assert len(dashes) == 1
    assert dashes.pop() == pytest.approx(full.x + full.width / 2) == pytest.approx(at_minimum.x + at_minimum.width)
    assert "Tối thiểu 5 điểm" in said(sheet)


def test_a_number_never_stands_on_the_minimums_line() -> None:
    for tenth in range(0, 101, 2):
        assert_readable(charts.compose(commune((tenth / 10, 0.5, 9.9), minimum=tenth / 10 * 0.9)))
        assert_readable(charts.compose(commune((tenth / 10, 0.5, 9.9), minimum=1.0)))
        assert_readable(charts.compose(commune((tenth / 10, 0.5, 9.9), minimum=9.0)))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0, 10), min_size=10, max_size=10),
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.text("ữặĐ’ỡy g$.,-", min_size=1, max_size=90).filter(lambda name: name.strip()),
    st.floats(0, 9),
)
def test_whatever_the_figures_nothing_collides(
    means: list[float], registered: int, submitted: int, name: str, minimum: float
) -> None:
    one = commune(tuple(means), registered=registered, submitted=submitted, approved=submitted // 2, minimum=minimum)
    assert_readable(charts.compose(dataclasses.replace(one, name=name)))
    rows = (Row("1", name, registered, submitted, submitted // 2), Row("2", LONG, 1, 1, 0), Row("3", "Xã", 0, 0, 0))
    many = UnitFigures("22", LONG, 2026, AT, PROVINCE, registered, 0, submitted, rows=rows)
    assert_readable(charts.compose(many))


def test_a_long_name_folds_into_equal_lines_and_loses_nothing() -> None:
    lines = fonts.fold(LONG, 30, 340)
    assert " ".join(lines) == LONG
    assert all(fonts.width(line, 30) <= 340 for line in lines)
    assert fonts.fold("Thành phố Hồ Chí Minh", 30, 300) == ["Thành phố", "Hồ Chí Minh"]
    assert "".join(fonts.fold("ữ" * 200, 30, 340)) == "ữ" * 200
    # Accents typed apart, as some phones send them, come out whole.
    assert fonts.fold(unicodedata.normalize("NFD", "Hồng"), 30, 340) == [unicodedata.normalize("NFC", "Hồng")]


def test_a_dollar_sign_is_no_formula() -> None:
    figures = dataclasses.replace(commune(), name="Chi hội $x^2$", indicators=(IndicatorMean("A1", "$\\frac$", 7, 1),))
    assert charts.draw(figures).startswith(b"\x89PNG")


def test_the_fonts_have_every_letter_that_is_drawn() -> None:
    letters = set("".join((*NAMES, LONG, *SHORT_NAMES)) + "ữ ặ Đ ’ Ữ Ặ đ ỹ Ỵ 0123456789.,%–·")
    for language in LANGUAGES:
        with (HERE / language / "LC_MESSAGES" / "bot.po").open("rb") as file:
            for message in read_po(file):
                if re.match(r"chart\.|poster\.", str(message.id)):
                    letters |= set(str(message.string))
    for face in (fonts.REGULAR, fonts.BOLD):
        assert not {letter for letter in letters if ord(letter) not in TTFont(face).getBestCmap()}


def test_the_picture_keeps_the_colours_exactly() -> None:
    picture = Image.open(BytesIO(charts.draw(children(3)))).convert("RGB")
    colours = {colour for _count, colour in picture.getcolors(256) or ()}
    for colour in (*SERIES.values(), PAPER, BAND, BLUE):
        assert tuple(round(255 * part) for part in to_rgb(colour)) in colours


def test_a_commune_with_units_of_the_association_still_shows_itself() -> None:
    rows = tuple(Row(f"06685-{at:02}", f"Chi hội khu {at}", 9, 4, 2) for at in range(60))
    figures = commune(rows=rows)
    assert figures.level == COMMUNE and pages(figures) == 1
    assert "Từ đăng ký đến đạt" in said(charts.compose(figures))
