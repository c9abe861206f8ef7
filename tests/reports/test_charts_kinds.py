"""Funnel, ranking, progress and heat map."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from io import BytesIO
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from locales import LANGUAGES, Voice, speaking
from reports import charts
from reports.charts import heatmap, sheet
from reports.charts.heatmap import STEPS
from reports.charts.sheet import BLUE, GREEN, INK, ORANGE, VERMILION, Sheet
from reports.model import Chart, Funnel, HeatMap, HeatRow, Progress, Ranking, Step, Week
from tests.reports import charts_samples as samples
from tests.reports.charts_seen import assert_readable, bars, ground_of, ink, said
from tests.reports.samples import AT, LONG

SOURCE = "Nguồn: hồ sơ Công dân học tập gửi qua tin nhắn và trang web"
RECONSTRUCTION = "Bộ tiêu chí dựng lại để thử nghiệm"

every = pytest.mark.parametrize("what", samples.NEW_KINDS.values(), ids=samples.NEW_KINDS.keys())


def every_page(what: Chart) -> list[Sheet]:
    return [charts.compose(what, page) for page in range(1, charts.pages_of(what) + 1)]


@every
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_can_be_read_on_a_phone(what: Chart, language: str) -> None:
    with speaking(Voice(language)):
        for page in every_page(what):
            assert_readable(page)
            assert page.bottom <= sheet.HIGHEST


@every
def test_every_page_says_whose_of_when_and_from_where(what: Chart) -> None:
    points = isinstance(what, HeatMap) or (isinstance(what, Ranking) and what.kind == "points")
    for page in every_page(what):
        lines = said(page)
        assert what.name in " ".join(lines)
        assert {"Công dân học tập năm 2026", "Số liệu lúc 9:41 ngày 21/11/2026", SOURCE} <= set(lines)
        assert (RECONSTRUCTION in lines) is points


@pytest.mark.parametrize("what", samples.NOTHING_YET.values(), ids=samples.NOTHING_YET.keys())
def test_nothing_yet_is_said_kindly(what: Chart) -> None:
    (page,) = every_page(what)
    assert_readable(page)
    assert "Chưa có hồ sơ nào" in said(page)
    assert SOURCE in said(page)


@every
def test_a_picture_is_1080_wide_and_small(what: Chart) -> None:
    png = charts.draw(what)
    picture = Image.open(BytesIO(png))
    assert (picture.format, picture.width) == ("PNG", 1080)
    assert len(png) < 250_000


@every
def test_a_page_that_is_not_there_is_refused(what: Chart) -> None:
    for page in (0, charts.pages_of(what) + 1):
        with pytest.raises(ValueError, match=f"page {page} of {charts.pages_of(what)}"):
            charts.draw(what, page)


def test_pages_are_counted_without_what_draws() -> None:
    code = "import sys, reports.charts; sys.exit('matplotlib' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Funnel


def test_a_funnel_gives_each_step_its_number_and_its_share_of_the_one_before() -> None:
    page = charts.compose(samples.funnel((1000, 800, 200, 150)))
    lines = said(page)
    assert [line for line in lines if line in {"1.000", "800", "200", "150"}] == ["1.000", "800", "200", "150"]
    shares = [line for line in lines if "bước trước" in line]
    assert [share.split()[0] for share in shares] == ["80%", "25%", "75%"]
    assert "15% đi hết các bước" in lines
    lengths = [bar.width for bar in bars(page, BLUE)[1:]] + [bar.width for bar in bars(page, GREEN)]
    assert [round(wide / lengths[0], 3) for wide in lengths] == [1, 0.8, 0.2, 0.15]


def test_a_step_larger_than_the_one_before_has_no_share() -> None:
    lines = said(charts.compose(samples.funnel((3, 5, 9, 0))))
    assert [line.split()[0] for line in lines if "bước trước" in line] == ["0%"]
    assert not any("đi hết" in line for line in lines)


# Ranking


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (25, 1), (26, 2), (34, 2), (54, 3), (160, 7)])
def test_at_most_25_rows_a_picture_and_each_row_once(count: int, expected: int) -> None:
    what = samples.ranking([samples.spread(at, 0, 1) for at in range(count)])
    assert charts.pages_of(what) == expected
    shown = [[line for line in said(page) if line.startswith("Xã số")] for page in every_page(what)]
    assert [line for lines in shown for line in lines] == [row.label for row in what.rows]
    assert max(len(lines) for lines in shown) <= 25
    assert max(len(lines) for lines in shown) - min(len(lines) for lines in shown) <= 1


def test_the_real_names_need_no_more_pages_than_their_number() -> None:
    assert charts.pages_of(samples.ranked_units("22")) == 3
    assert charts.pages_of(samples.ranked_units("")) == 2
    assert charts.pages_of(samples.heatmap(samples.names("22"))) == 3
    assert charts.pages_of(samples.heatmap(samples.names(""))) == 2


def test_bars_are_as_long_as_their_values_and_the_marks_stand_where_they_belong() -> None:
    values: list[float | None] = [0.9, 0.75, 0.5, 0.3, 0.0, None]
    page = charts.compose(samples.ranking(values, target=0.6))
    drawn = bars(page, BLUE)[1:]
    assert len(drawn) == 5
    left, per_one = drawn[0].x, drawn[0].width / 0.9
    assert [bar.width / per_one for bar in drawn] == pytest.approx([0.9, 0.75, 0.5, 0.3, 0], abs=0.001)
    (target,) = [box for box in bars(page, VERMILION) if box.height > 60]
    assert (target.x + target.width / 2 - left) / per_one == pytest.approx(0.6)
    median = {box.x + box.width / 2 for box in bars(page, INK) if box.x > left}
    assert {round((x - left) / per_one, 3) for x in median} == {0.5}
    lines = said(page)
    assert {"Đơn vị ở giữa: 50%", "Chỉ tiêu: 60%", "90%", "75%", "0%", "chưa có"} <= set(lines)


def test_a_mark_that_is_not_there_is_not_in_the_legend() -> None:
    lines = " ".join(said(charts.compose(samples.ranking([0.5, 0.4], target=None))))
    assert "Đơn vị ở giữa" in lines and "Chỉ tiêu" not in lines


def test_equal_values_share_a_place_and_no_value_has_none() -> None:
    page = charts.compose(samples.ranking([5, 5, 3, None], "count", target=None))
    texts = {words.text: round(words.y) for words in page.words if words.text.startswith("Xã")}
    rows = {y: [words.text for words in page.words if round(words.y) == y] for y in texts.values()}
    assert [row[0] if row[0].isdigit() else "" for row in rows.values()] == ["1", "1", "3", ""]


def test_values_are_read_as_what_they_are() -> None:
    with_days = said(charts.compose(samples.ranking([3.25, 12], "days", target=5)))
    assert {"3,3 ngày", "12 ngày", "Chỉ tiêu: 5 ngày"} <= set(with_days)
    assert "1.234.567" in said(charts.compose(samples.ranking([1234567.0], "count", target=None)))
    assert "7,5" in said(charts.compose(samples.ranking([7.46], "points", target=None)))


# Progress


def test_a_year_shows_its_latest_numbers_the_same_week_before_and_the_target() -> None:
    monday = date(2026, 1, 5)
    this = tuple(Week(monday + timedelta(7 * at), 100 * at, 60 * at) for at in range(10))
    before = tuple(Week(date(2025, 1, 6) + timedelta(7 * at), 50 * at, 31 * at) for at in range(52))
    page = charts.compose(Progress("Xã Đường Hoa", 2026, AT, this, before, 2500))
    lines = said(page)
    for label, value in (
        ("Đã nộp", "900"), ("Đạt", "540"), ("Đạt, cùng kỳ năm 2025", "279"), ("Chỉ tiêu số người đạt", "2.500"),
    ):  # fmt: skip
        assert lines.index(value) > lines.index(label)
    submitted, approved, old, target = page.curves[-4:]
    assert [curve.colour for curve in (submitted, approved)] == [ORANGE, GREEN]
    # Told apart without colours: thick, thin with squares, dashed, dotted.
    assert len({(curve.width, curve.dashes) for curve in (submitted, approved, old, target)}) == 4
    heights = [y for _x, y in target.points]
    assert len(set(heights)) == 1
    # One scale for all: 540 of 2,500 lies as high as it should, from the line of nobody.
    nobody = max(y for _x, y in approved.points)
    assert (nobody - approved.points[-1][1]) / (nobody - heights[0]) == pytest.approx(540 / 2500)
    assert old.points[-1][0] > approved.points[-1][0]


def test_months_stand_in_their_order_below_the_plot() -> None:
    page = charts.compose(samples.progress())
    months = [words for words in page.words if words.text in {f"T{month}" for month in range(1, 13)}]
    assert [words.text for words in months] == [f"T{month}" for month in range(1, 13)]
    assert all(one.x < other.x for one, other in pairwise(months))


def test_few_weeks_still_say_when() -> None:
    for weeks in (1, 2, 4):
        this = tuple(Week(date(2026, 10, 5) + timedelta(7 * at), 4 + at, 1) for at in range(weeks))
        page = charts.compose(Progress("Xã Đường Hoa", 2026, AT, this, (), None))
        assert {"T10", "T11"} <= set(said(page))
        assert_readable(page)


# Heat map


def test_each_cell_says_its_mean_and_is_coloured_by_what_is_read() -> None:
    rows = (HeatRow("1", "Xã Một", (2.44, 2.46, 4.94, 4.96)), HeatRow("2", "Xã Hai", (6.6, 6.7, 10.0, None)))
    what = HeatMap("Xã", 2026, AT, tuple((f"A{at}", f"Chỉ số {at}") for at in range(4)), rows, 5.0)
    page = charts.compose(what)
    assert [band[:2] for band in heatmap.bands(5.0)] == [(0, 25), (25, 50), (50, 67), (67, 84), (84, 101)]
    # By what is read: 2,46 is 2,5 and 4,96 is 5.
    expected = {"2,4": 0, "2,5": 1, "4,9": 1, "5": 2, "6,6": 2, "6,7": 3, "10": 4}
    for text, step in expected.items():
        words = next(words for words in page.words if words.text == text)
        assert ground_of(page, words) == STEPS[step], text
        # Not by colour alone: what is below the minimum is bold and underlined.
        left, _top, right, bottom = ink(words)
        lines = [box for box in page.boxes if box.height == 3 and box.x < right and left < box.x + box.width]
        assert words.bold is (step < 2)
        assert any(0 <= box.y - bottom < 8 for box in lines) is (step < 2), text
    assert "–" in said(page)
    assert "Gạch chân: dưới mức tối thiểu 5 điểm" in said(page)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 10))
def test_every_mean_has_a_colour_whatever_the_minimum(minimum: float) -> None:
    found = heatmap.bands(minimum)
    assert found[0].low == 0 and found[-1].high == 101
    assert all(one.high == other.low for one, other in pairwise(found))
    brown = {band.high for band in found if band.colour in STEPS[:2]}
    assert max(brown, default=0) == round(minimum * 10)


# Whatever the figures

names = st.one_of(
    st.text("ữặĐ’ỡy g$.,-", min_size=1, max_size=90).filter(lambda name: bool(name.strip())),
    st.sampled_from([LONG, "Phường Văn Miếu - Quốc Tử Giám", "Xã Ea"]),
)
amounts = st.one_of(st.integers(0, 9_999_999), st.just(0), st.just(9_999_999))
slow = settings(max_examples=15, deadline=None)


@slow
@given(names, st.lists(st.tuples(names, amounts), max_size=6))
def test_whatever_the_steps_nothing_collides(name: str, steps: list[tuple[str, int]]) -> None:
    assert_readable(charts.compose(Funnel(name, 2026, AT, tuple(Step("x", label, n) for label, n in steps))))


@slow
@given(
    names,
    st.sampled_from(["count", "share", "days", "points"]),
    st.lists(st.tuples(names, st.none() | amounts | st.floats(0, 1)), max_size=30),
    st.none() | amounts,
)
def test_whatever_the_ranks_nothing_collides(
    name: str, kind: str, rows: list[tuple[str, float | None]], target: float | None
) -> None:
    units = tuple((str(at), label) for at, (label, _value) in enumerate(rows))
    what = samples.ranking([value for _label, value in rows], kind, name, target, units, name)  # type: ignore[arg-type]
    for page in every_page(what):
        assert_readable(page)
        assert page.bottom <= sheet.HIGHEST


@slow
@given(
    names,
    st.dates(date(2025, 12, 29), date(2026, 12, 28)),
    st.lists(st.tuples(amounts, amounts), max_size=53),
    st.integers(0, 53),
    st.none() | st.integers(1, 9_999_999),
)
def test_whatever_the_weeks_nothing_collides(
    name: str, first: date, counts: list[tuple[int, int]], before: int, target: int | None
) -> None:
    monday = first - timedelta(first.weekday())
    this = tuple(Week(monday + timedelta(7 * at), *sorted(each)[::-1]) for at, each in enumerate(counts))
    assert_readable(charts.compose(Progress(name, 2026, AT, this, samples.weeks(2025, before, 90), target)))


@slow
@given(
    names,
    st.integers(1, 12),
    st.lists(st.tuples(names, st.lists(st.none() | st.floats(0, 10), min_size=12, max_size=12)), max_size=30),
    st.floats(0, 10),
)
def test_whatever_the_means_nothing_collides(
    name: str, columns: int, rows: list[tuple[str, list[float | None]]], minimum: float
) -> None:
    indicators = tuple((f"B{at}", name) for at in range(columns))
    found = tuple(HeatRow(str(at), label, tuple(means[:columns])) for at, (label, means) in enumerate(rows))
    for page in every_page(HeatMap(name, 2026, AT, indicators, found, minimum)):
        assert_readable(page)


def test_160_rows_are_all_shown() -> None:
    units = tuple((str(at), f"{LONG} {at}") for at in range(160))
    for what in (samples.ranking([samples.spread(at, 0, 10**7) for at in range(160)], "count", units=units),
                 samples.heatmap(units)):  # fmt: skip
        pages = every_page(what)
        assert all(page.bottom <= sheet.HIGHEST for page in pages)
        text = " ".join(line for page in pages for line in said(page))
        assert all(f"{label} " in f"{text} " for _code, label in units)
        assert_readable(pages[-1])
