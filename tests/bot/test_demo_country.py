"""The made-up country: the same for the same seed, of a realistic shape, and every kept count right."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
import sqlalchemy as sa

import criteria
from bot import demo, demo_country
from bot.demo_country import Commune, Country, Season
from reports.figures import anybody
from storage import assessments, codes, coverage, officers, population, recount, seasons, units
from storage.base import Connection
from storage.engine import open_engine, reading, writing
from storage.people import people
from storage.units import UnitRow

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
COUNT = 4_000


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A small country, to be read."""
    made = demo_country.prepare(tmp_path_factory.mktemp("country"), COUNT, now=NOW)
    engine = open_engine(made.url)
    with reading(engine) as conn:
        yield conn
    engine.dispose()


def communes(count: int = 40, kind: str = "xa") -> list[UnitRow]:
    return [
        UnitRow(
            n, "2025", f"{n:05}", 2, 1, f"VN/{22 if n % 2 else 79}/{n:05}/", f"Xã {n}", kind, None, None, None, None
        )
        for n in range(1, count + 1)
    ]


def made(seed: int = 7, count: int = 2_000) -> tuple[list[Commune], list[list[population.MadeCitizen]]]:
    data, filed = demo_country.known(), criteria.builtin()
    ends = int(NOW.timestamp())
    country = Country(
        data,
        demo_country.sheets(filed, data, seed, 5),
        seed,
        Season(2026, ends - 84 * 86_400, ends, ends),
        Season(2025, ends - 440 * 86_400, ends - 330 * 86_400, ends - 240 * 86_400),
        {year: population.dossier_codes(year) for year in (2025, 2026)},
    )
    planned = demo_country.plan(communes(), count, data, seed)
    return planned, [country.citizens(each, 1, 2) for each in planned]


def test_the_same_seed_makes_the_same_country_and_another_another() -> None:
    assert made() == made()
    assert made(8)[1] != made()[1]


def test_everybody_is_spread_over_the_communes_and_some_have_nobody() -> None:
    planned, _citizens = made(count=20_000)
    assert sum(each.people for each in planned) == 20_000
    data = demo_country.known()
    many = demo_country.plan(communes(2_000), 60_000, data, 7)
    assert 20 < sum(each.people == 0 for each in many) < 150
    assert 120 < sum(not each.officer for each in many) < 450


@pytest.mark.parametrize(
    ("group", "low", "high"), [("nong_dan", 0.43, 0.70), ("cong_nhan", 0.65, 0.83), ("can_bo", 0.87, 0.92)]
)
def test_who_passes_follows_the_reported_shares(group: str, low: float, high: float) -> None:
    _planned, citizens = made(count=12_000)
    ends = Counter(
        year.events[-1][0] for each in citizens for one in each if one.subject_group == group for year in one.years
    )
    assert low - 0.03 <= ends["approve"] / (ends["approve"] + ends["not_met"]) <= high + 0.03


def test_what_happened_is_in_order_by_day_and_not_in_the_future() -> None:
    _planned, citizens = made()
    for year in (year for each in citizens for one in each for year in one.years):
        moments = [at for _event, at in year.events]
        assert moments == sorted(set(moments))
        assert moments[-1] <= NOW
        for event, at in year.events:
            there = at.astimezone(seasons.ZONE)
            if event in population.DECISIONS:
                assert there.weekday() < 5 and 8 <= there.hour < 17
            else:
                assert there.hour >= 6


def test_names_are_as_common_as_they_are() -> None:
    data, (unit, south) = demo_country.known(), (communes()[0], communes()[1])
    dice = random.Random(1)
    families = Counter(demo_country.made_name(dice, data, unit).split()[0] for _n in range(4_000))
    assert 0.35 < families["Nguyễn"] / 4_000 < 0.43
    assert families["Huỳnh"] == 0 < families["Hoàng"]
    assert "Huỳnh" in {demo_country.made_name(dice, data, south).split()[0] for _n in range(400)}


def test_dossier_codes_are_all_different_and_readable() -> None:
    found = list(islice(population.dossier_codes(2026), 5_000))
    assert len(set(found)) == 5_000
    assert all(codes.printed(codes.parse(each)) == each for each in found[:500])


def test_every_kept_count_is_right(country: Connection) -> None:
    assert recount.check(country) == []
    assert country.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    assert country.execute(sa.select(sa.func.count()).select_from(people)).scalar() == COUNT


def test_the_ledger_is_in_the_order_of_time(country: Connection) -> None:
    moments = country.exec_driver_sql("select at from status_ledger order by id").scalars().all()
    assert moments == sorted(moments)


def test_every_status_of_this_year_and_last_years_decisions(country: Connection) -> None:
    rows = country.exec_driver_sql("select year, status, count(*) from assessments group by 1, 2").all()
    this_year = {status for year, status, _n in rows if year == 2026}
    assert this_year == {"registered", "draft", "submitted", "returned", "approved", "not_met", "withdrawn"}
    before = {status: n for year, status, n in rows if year == 2025}
    assert before["approved"] > before["not_met"] > before.get("submitted", 0)


def test_the_roll_out_has_its_gaps(country: Connection) -> None:
    centre = units.by_code(country, "VN")
    assert centre is not None
    found = coverage.reach(country, centre)
    assert found.bound == COUNT
    assert found.communes == 3_321
    assert 250 < found.without_officer < 700
    assert found.without_scan > 50
    assert anybody(country, centre, 2025)


def test_a_dossier_reads_as_one_that_was_filled_in(country: Connection) -> None:
    home = units.by_code(country, demo.HOME)
    assert home is not None
    waiting = assessments.queue(country, home.path, 50)
    assert waiting
    filed = criteria.builtin()
    for row in waiting:
        answers = assessments.answers_of(country, row.id)
        assert set(answers) == {each.id for each in filed.indicators}
    pictures = country.exec_driver_sql("select count(*) from evidence where key is not null").scalar()
    assert pictures and pictures >= len(waiting)


def test_who_sits_where(tmp_path: Path) -> None:
    begun = demo.begin(tmp_path, NOW)
    with writing(begun.engine) as conn:
        found = demo.seats(conn, begun.data, NOW, centre="Phạm Thu Hà")
    begun.engine.dispose()
    assert [each.prefix for each in found] == ["/demo/citizen", "/demo/officer", "/demo/province", "/demo/centre"]


def test_officers_have_names_and_can_be_reached(country: Connection) -> None:
    held = officers.holding(country)
    assert len(held) > 2_500
    assert all(len(name.split()) >= 3 for _unit, _role, name in held)
