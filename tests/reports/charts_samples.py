"""Figures of every kind of chart, with the real names of the units."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from statistics import median

from reports.model import (
    Funnel,
    HeatMap,
    HeatRow,
    Kind,
    Progress,
    Ranked,
    Ranking,
    Step,
    Week,
)
from storage.catalogue import DATA
from tests.reports.samples import AT, IDS, LONG, SHORT_NAMES

PROVINCE_NAME, CENTRE_NAME = "Thành phố Quảng Ninh", "Cả nước"
STEPS = (("bound", "Đã quét mã"), ("registered", "Đã đăng ký"), ("submitted", "Đã nộp hồ sơ"), ("approved", "Đạt"))


@lru_cache(maxsize=4)
def names(below: str) -> tuple[tuple[str, str], ...]:
    """Code and name of the units below one (``22``, or the empty code for the provinces)."""
    with (DATA / "units_2025.csv").open(encoding="utf-8", newline="") as file:
        return tuple((row["code"], row["name"]) for row in csv.DictReader(file) if row["parent_code"] == below)


def spread(at: int, least: float, most: float) -> float:
    """Values that look drawn by lot and are always the same."""
    return least + (at * 7919 % 101) / 100 * (most - least)


def funnel(counts: tuple[int, ...] = (9804, 8412, 5377, 4018), name: str = PROVINCE_NAME) -> Funnel:
    return Funnel(name, 2026, AT, tuple(Step(*step, n) for step, n in zip(STEPS, counts, strict=True)))


def ranking(
    values: list[float | None],
    kind: Kind = "share",
    label: str = "Tỉ lệ đạt",
    target: float | None = 0.8,
    units: tuple[tuple[str, str], ...] | None = None,
    name: str = PROVINCE_NAME,
) -> Ranking:
    """Ranked as the figures rank them: highest first, those without a value last."""
    units = units or tuple((f"{at:05}", f"Xã số {at}") for at in range(len(values)))
    rows = [Ranked(*unit, value) for unit, value in zip(units, values, strict=True)]
    rows.sort(key=lambda row: (row.value is None, -(row.value or 0)))
    known = [value for value in values if value is not None]
    return Ranking(name, 2026, AT, "x", label, kind, tuple(rows), median(known) if known else None, target)


def ranked_units(below: str, kind: Kind = "share", most: float = 1.0, **more: object) -> Ranking:
    units = names(below)
    values: list[float | None] = [None if at % 19 == 18 else spread(at, 0, most) for at in range(len(units))]
    return ranking(values, kind, units=units, **more)  # type: ignore[arg-type]


def weeks(year: int, count: int, a_week: float) -> tuple[Week, ...]:
    monday = date(year, 1, 1) - timedelta(date(year, 1, 1).weekday())
    found, submitted = [], 0.0
    for at in range(count):
        submitted += spread(at, 0, a_week) * (0.1 if at < 20 else 1)
        found.append(Week(monday + timedelta(7 * at), int(submitted), int(submitted * 0.7 * at / 52)))
    return tuple(found)


def progress(
    this: int = 47, before: int = 52, a_week: float = 400, target: int | None = 6000, name: str = PROVINCE_NAME
) -> Progress:
    return Progress(name, 2026, AT, weeks(2026, this, a_week), weeks(2025, before, a_week * 0.8), target)


def heatmap(
    units: tuple[tuple[str, str], ...], minimum: float = 5.0, name: str = PROVINCE_NAME, columns: int = 10
) -> HeatMap:
    indicators = tuple(zip(IDS, SHORT_NAMES, strict=True))[:columns]
    rows = tuple(
        HeatRow(*unit, tuple(None if (at + of) % 37 == 36 else spread(at * 10 + of, 2.5, 10) for of in range(columns)))
        for at, unit in enumerate(units)
    )
    return HeatMap(name, 2026, AT, indicators, rows, minimum)


def summary() -> Ranking:
    """What a summary shows of a province: the first and the last units, those marked that must be reached."""
    found = ranked_units("22")
    known = tuple(row for row in found.rows if row.value is not None)
    rows = known[:8] + known[-14:]
    marked = tuple(row.code for row in rows[-7:] if row.code != rows[-3].code)
    return replace(
        found, label="Tỉ lệ nộp hồ sơ", target=None, rows=rows, marked=marked, left_out=(8, len(known) - 22), nobody=6
    )


NEW_KINDS = {
    "funnel": funnel(),
    "funnel of a country": funnel((1_204_331, 1_100_010, 834_090, 612_458), CENTRE_NAME),
    "funnel that grows": funnel((3, 5, 9, 0)),
    "ranking of a province": ranked_units("22"),
    "ranking of the country": ranked_units("", "count", 9_876_543, target=8_000_000, name=CENTRE_NAME),
    "ranking by days": ranked_units("22", "days", 17.5, label="Số ngày xét, hồ sơ ở giữa", target=5),
    "ranking by points": ranked_units("22", "points", 10, label="Điểm trung bình", target=None),
    "summary of a province": summary(),
    "one row": ranking([0.5]),
    "long names": ranking([0.5, None] * 30, units=tuple((str(at), LONG) for at in range(60)), name=LONG),
    "progress": progress(),
    "progress of the country": progress(a_week=80_000, target=1_200_000, name=CENTRE_NAME),
    "first week": progress(1, 0, target=None),
    "only last year": progress(0, 52, target=None),
    "heat map of a province": heatmap(names("22")),
    "heat map of the country": heatmap(names(""), name=CENTRE_NAME),
    "heat map of long names": heatmap(tuple((str(at), LONG) for at in range(30)), minimum=7.5),
}
NOTHING_YET = {
    "funnel": funnel((0, 0, 0, 0)),
    "no steps": Funnel(PROVINCE_NAME, 2026, AT, ()),
    "ranking": ranking([None] * 54),
    "ranking of nobody": ranking([]),
    "ranking of zeros": ranking([0.0] * 3, "count"),
    "progress": Progress(PROVINCE_NAME, 2026, AT, (Week(date(2026, 10, 5), 0, 0),), (), 500),
    "no weeks": Progress(PROVINCE_NAME, 2026, AT, (), (), None),
    "heat map": HeatMap(PROVINCE_NAME, 2026, AT, (("A1", "Đọc"),), (HeatRow("1", "Xã", (None,)),), 5.0),
    "no rows": HeatMap(PROVINCE_NAME, 2026, AT, (), (), 5.0),
}
