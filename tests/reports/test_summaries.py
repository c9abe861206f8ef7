"""What a summary shows above its words: the units below, those at the end marked that the words name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reports import charts
from reports.charts.sheet import MARKED, ORANGE
from reports.model import Ranking, Row, UnitFigures
from reports.summaries import Pace, picture, text
from tests.reports.charts_seen import assert_readable, bars, said

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def below(count: int, nobody: int = 0, led: int = 5) -> Pace:
    """So many units that get on, the furthest behind first; of those with an officer the first *led*."""
    empty = tuple(Row(f"9{at:04}", f"Xã trống {at}", 0, 0, 0) for at in range(nobody))
    going = tuple(Row(f"{at:05}", f"Xã số {at}", 200, at, at // 2) for at in range(1, count + 1))
    return Pace((empty + going)[:led], 0, nobody, empty + going)


def province(found: Pace, level: int = 1) -> UnitFigures:
    registered, submitted = (sum(getattr(row, name) for row in found.going) for name in ("registered", "submitted"))
    return UnitFigures(
        "22", "Thành phố Quảng Ninh", 2026, NOW, level, registered=registered, submitted=submitted, rows=found.going
    )


def ranking(found: Pace) -> Ranking:
    what = picture(province(found), found)
    assert isinstance(what, Ranking)
    return what


def test_the_first_few_and_more_of_the_last_are_on_one_picture() -> None:
    found = below(54)
    what = ranking(found)
    assert [row.label for row in what.rows] == [f"Xã số {at}" for at in (*range(54, 46, -1), *range(14, 0, -1))]
    assert (what.left_out, what.nobody, what.median) == ((8, 32), 0, 27.5 / 200)
    assert charts.pages_of(what) == 1
    page = charts.compose(what)
    assert_readable(page)
    lines = said(page)
    assert "… 32 đơn vị ở giữa …" in lines and {"8", "41", "54"} <= set(lines) and "9" not in lines
    assert len(bars(page, ORANGE)) == 1 + 5 and len(bars(page, MARKED)) == 5  # with the legend's
    assert all(f"Xã số {at}" in text(province(found), None, found) for at in range(1, 6))


def test_where_few_have_an_officer_the_slowest_without_one_are_named_too() -> None:
    first, second, third = below(3).going
    said = text(province(below(3)), None, Pace((third,), 2, going=(first, second, third), unled=(first, second)))
    lines = said.splitlines()
    at = lines.index("3 xã, phường, đặc khu chậm nhất:")
    assert lines[at + 1 : at + 5] == [
        "• Xã số 1: 1 trong 200 người đăng ký đã nộp, chưa có cán bộ",
        "• Xã số 2: 2 trong 200 người đăng ký đã nộp, chưa có cán bộ",
        "• Xã số 3: 3 trong 200 người đăng ký đã nộp",
        "Đơn vị chưa có cán bộ: 2",
    ]


def test_all_of_few_units_are_shown() -> None:
    what = ranking(below(25))
    assert (len(what.rows), what.left_out) == (25, None)
    assert not any("ở giữa …" in line for line in said(charts.compose(what)))


def test_units_where_nobody_is_registered_are_told_by_their_number() -> None:
    what = ranking(below(10, nobody=7))
    assert (len(what.rows), what.nobody, what.marked) == (10, 7, ())
    page = charts.compose(what)
    assert_readable(page)
    assert "và 7 đơn vị chưa có ai đăng ký" in said(page)
    assert not any("Chậm nhất" in line for line in said(page))


def test_units_without_an_officer_that_the_words_name_are_marked_too() -> None:
    found = below(10, led=1)
    assert ranking(replace(found, unled=found.going[1:5])).marked == tuple(f"{at:05}" for at in range(1, 6))


@pytest.mark.parametrize(("count", "level"), [(1, 1), (0, 1), (10, 2)])
def test_a_commune_and_a_province_that_has_hardly_begun_show_their_own_figures(count: int, level: int) -> None:
    found = below(count, nobody=3)
    figures = province(found, level)
    assert picture(figures, found) is figures
