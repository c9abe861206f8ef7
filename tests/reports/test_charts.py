from __future__ import annotations

import dataclasses
import re
import unicodedata
from io import BytesIO
from itertools import combinations, pairwise

import numpy as np
import pytest
from babel.messages.pofile import read_po
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from locales import HERE, LANGUAGES, Voice, speaking
from reports import charts, fonts
from reports.model import COMMUNE, PROVINCE, IndicatorMean, Row, UnitFigures, page_span, pages, ranked
from tests.reports.samples import AT, EVERY_KIND, LONG, NAMES, SHORT_NAMES, children, commune, nothing_yet

kinds = pytest.mark.parametrize("figures", EVERY_KIND.values(), ids=EVERY_KIND.keys())


def texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_text()]


def said(figure: Figure) -> list[str]:
    return [text.get_text() for text in texts(figure)]


def ink(figure: Figure) -> list[tuple[str, float, float, float, float]]:
    """Each text with the rectangle that its letters really cover: left, bottom, right, top."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = []
    for text in texts(figure):
        width, height, below = renderer.get_text_width_height_descent(text.get_text(), text.get_fontproperties(), False)
        x, y = text.get_position()
        left = x - {"left": 0, "center": width / 2, "right": width}[text.get_horizontalalignment()]
        found.append((text.get_text(), left, y - below, left + width, y - below + height))
    return found


def assert_nothing_collides(figure: Figure) -> None:
    height = figure.get_figheight() * 72
    boxes = ink(figure)
    for text, left, bottom, right, top in boxes:
        assert left >= charts.MARGIN - 4 and right <= charts.WIDTH - 4, f"{text!r} is cut at the side"
        assert bottom >= 4 and top <= height - 16, f"{text!r} is cut above or below"
    for one, other in combinations(boxes, 2):
        apart = one[3] <= other[1] or other[3] <= one[1] or one[4] <= other[2] or other[4] <= one[2]
        assert apart, f"{one[0]!r} lies on {other[0]!r}"


def bars(figure: Figure, colour: str) -> list[tuple[float, float]]:
    """Width and left end of the rectangles of a colour, from the top."""
    (shapes,) = figure.findobj(PolyCollection)
    found = []
    for path, face in zip(shapes.get_paths(), shapes.get_facecolor(), strict=True):
        if np.allclose(face[:3], to_rgb(colour)):
            left, right = path.vertices[:, 0].min(), path.vertices[:, 0].max()
            found.append((right - left, left, path.vertices[:, 1].max()))
    return [(width, left) for width, left, _top in sorted(found, key=lambda bar: -bar[2])]


@kinds
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_can_be_read_on_a_phone(figures: UnitFigures, language: str) -> None:
    with speaking(Voice(language)):
        for page in range(1, pages(figures) + 1):
            figure = charts.compose(figures, page)
            assert min(text.get_fontsize() for text in texts(figure)) >= 28
            assert_nothing_collides(figure)


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
        figure = charts.compose(figures, page)
        for series, colour in charts.SERIES.items():
            # The first rectangle of a colour is the legend's square.
            drawn = bars(figure, colour)[1:]
            counts = [getattr(row, series) for row in rows[first:last] if row.registered]
            assert len(drawn) == len(counts)
            per_person |= {
                round(width / count, 3) for (width, _), count in zip(drawn, counts, strict=True) if count > 50
            }
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
        assert seen.count(row.label) == 1 or fonts.fold(row.label, charts.NAME_SIZE, charts.NAME_WIDTH) != [row.label]


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
    figure = charts.compose(commune((4.9, 5.0, 10), minimum=5.0))
    assert len(bars(figure, charts.VERMILION)) == 1
    (at_minimum, left), (full, _) = (bar for bar in bars(figure, charts.BLUE) if bar[0] < charts.WIDTH)
    dashes = {bar[1] + bar[0] / 2 for bar in bars(figure, charts.INK)}
    assert len(dashes) == 1
    assert dashes.pop() == pytest.approx(left + full / 2) == pytest.approx(left + at_minimum)
    assert "Tối thiểu 5 điểm" in said(figure)


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
    assert_nothing_collides(charts.compose(dataclasses.replace(one, name=name)))
    rows = (Row("1", name, registered, submitted, submitted // 2), Row("2", LONG, 1, 1, 0), Row("3", "Xã", 0, 0, 0))
    many = UnitFigures("22", LONG, 2026, AT, PROVINCE, registered, 0, submitted, rows=rows)
    assert_nothing_collides(charts.compose(many))


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


# Machado, Oliveira and Fernandes (2009), full severity, on linear light.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array([
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]),
    "deuteranopia": np.array([
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]),
    "tritanopia": np.array([
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ]),
}  # fmt: skip


def lab(colour: str, blindness: str) -> np.ndarray:
    """CIE L*a*b* (D65) of what somebody sees."""
    srgb = np.array(to_rgb(colour))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(BLINDNESS[blindness] @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ seen
    f = np.cbrt(xyz / np.array([0.95047, 1, 1.08883]))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize("together", [tuple(charts.SERIES.values()), (charts.BLUE, charts.VERMILION)])
def test_colours_that_stand_together_are_told_apart(together: tuple[str, ...], blindness: str) -> None:
    for one, other in combinations((*together, charts.PAPER, charts.BAND), 2):
        if {one, other} != {charts.PAPER, charts.BAND}:
            assert np.linalg.norm(lab(one, blindness) - lab(other, blindness)) > 15, (one, other)


def test_the_picture_keeps_the_colours_exactly() -> None:
    picture = Image.open(BytesIO(charts.draw(children(3)))).convert("RGB")
    colours = {colour for _count, colour in picture.getcolors(256) or ()}
    for colour in (*charts.SERIES.values(), charts.PAPER, charts.BAND, charts.BLUE):
        assert tuple(round(255 * part) for part in to_rgb(colour)) in colours


def test_a_commune_with_units_of_the_association_still_shows_itself() -> None:
    rows = tuple(Row(f"06685-{at:02}", f"Chi hội khu {at}", 9, 4, 2) for at in range(60))
    figures = commune(rows=rows)
    assert figures.level == COMMUNE and pages(figures) == 1
    assert "Từ đăng ký đến đạt" in said(charts.compose(figures))
