"""Every measure equals a recount from the dossiers themselves, after any life; formulas; other faces."""

from __future__ import annotations

import statistics
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from time import process_time
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

import criteria
from locales import Voice, number, speaking
from reports import charts, figures, measures, overdue, runs
from reports.measures import Raw
from reports.model import Progress, UnitFigures, Week
from reports.text import as_json, progress_text, ranking_text, shown, since_text, text
from storage import counters, report_runs, rollout, seasons, tallies, targets, units
from storage.assessments import answers, assessments
from storage.base import Connection, Refused
from storage.evidence import evidence
from storage.people import people
from storage.recount import check
from storage.stale import HANDED_IN
from storage.units import UnitRow
from tests.reports.test_figures import CRITERIA, GROUPS, NOW, PLACES, STEPS, Life, unit


@pytest.fixture
def life(conn: Connection) -> Life:
    return Life(conn)


def settle(conn: Connection) -> None:
    """What the running service does within seconds."""
    while counters.fold(conn):
        pass
    while tallies.fold(conn):
        pass
    while tallies.refresh(conn):
        pass


def decided(life: Life, place: str = "06685", days: int = 0, event: str = "approve", level: str = "tot") -> int:
    """A dossier handed in now and decided after some days."""
    row = life.joins(place, "nong_dan")
    life.passes(row, "start")
    life.conn.execute(sa.insert(answers).values(assessment_id=row, indicator="A1", level=level, changed_at=life.now))
    life.passes(row, "submit")
    life.now += timedelta(days=days)
    life.passes(row, event)
    life.now -= timedelta(days=days)
    return row


# ------------------------------------------------------------------------------------------ against a recount


def recounted(conn: Connection, place: UnitRow, year: int, now: datetime) -> dict[str, Any]:
    """The measures that do not come from the counters, one dossier after the other."""
    below = counters.units.c.path.startswith(place.path)
    rows = conn.execute(
        sa.select(assessments)
        .join(counters.units, counters.units.c.id == assessments.c.unit_id)
        .where(below, assessments.c.year == year, assessments.c.status.in_(HANDED_IN))
    ).all()
    days = [
        (row.decided_at.astimezone(seasons.ZONE).date() - row.submitted_at.astimezone(seasons.ZONE).date()).days
        for row in rows
        if row.status in ("approved", "not_met")
    ]
    waited = [row.submitted_at.astimezone(seasons.ZONE).date() for row in rows if row.status == "submitted"]
    given: dict[str, list[int]] = {}
    proved = n = 0
    for row in rows:
        for answer in conn.execute(sa.select(answers).where(answers.c.assessment_id == row.id)):
            option = CRITERIA.indicator(answer.indicator).option(answer.officer_level or answer.level)
            given.setdefault(answer.indicator, []).append(option.points)
            pieces = sa.select(evidence.c.id).where(
                evidence.c.assessment_id == row.id,
                evidence.c.indicator == answer.indicator,
                evidence.c.status != "declined",
            )
            n += 1
            proved += conn.execute(pieces).first() is not None
    return {
        "bound": conn.execute(
            sa.select(sa.func.count()).select_from(people.join(counters.units, counters.units.c.id == people.c.unit_id))
            .where(below)
        ).scalar(),
        "median_days": statistics.median(days) if days else None,
        "overdue": sum(working_days(day, now) >= overdue.SERVICE_DAYS for day in waited),
        "evidence_rate": proved / n if n else None,
        "means": {indicator: statistics.mean(points) for indicator, points in given.items()},
    }  # fmt: skip


def working_days(since: date, now: datetime) -> int:
    """Working days between two days, neither counted."""
    today = now.astimezone(seasons.ZONE).date()
    return sum((since + timedelta(days=n)).weekday() < 5 for n in range(1, (today - since).days))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from(STEPS), st.sampled_from(PLACES), st.sampled_from(GROUPS)),
        max_size=40,
    )
)
@example(
    [(1, what, "06685", "nong_dan") for what in (
        "join", "start", "answer", "submit", "fold", "time", "approve", "join", "start", "answer", "submit", "time",
        "time", "time", "time", "move", "fold", "undo", "time", "not_met",
    )]
)  # fmt: skip
@example(
    [(whom, what, "06685", "nong_dan") for whom, what in (
        (1, "join"), (0, "start"), (0, "answer"), (1, "evidence"), (0, "submit"), (9, "fold"), (1, "set_level"),
    )]
)  # fmt: skip
@example(
    [(whom, what, "06685", "nong_dan") for whom, what in (
        (1, "join"), (0, "start"), (0, "answer"), (1, "evidence"), (0, "submit"), (9, "fold"), (1, "confirm"),
    )]
)  # fmt: skip
@example(
    [(whom, what, "06685", "nong_dan") for whom, what in (
        (1, "join"), (0, "start"), (0, "answer"), (0, "evidence"), (0, "submit"), (0, "return"), (9, "fold"),
        (1, "answer"),
    )]
)  # fmt: skip
@example(
    [(whom, what, "06685", "nong_dan") for whom, what in (
        (1, "join"), (0, "start"), (0, "answer"), (0, "evidence"), (0, "submit"), (0, "return"), (9, "fold"),
        (1, "without"),
    )]
)  # fmt: skip
def test_measures_equal_a_recount(engine: Engine, steps: list[tuple[int, str, str, str]]) -> None:
    with engine.connect() as conn:
        begun = conn.begin()
        life = Life(conn)
        for whom, what, place, group in steps:
            life.goes(whom, what, place, group)
        unfolded = {code: figures.progress(conn, unit(conn, code), 2026, life.now) for code in ("VN", "06685")}
        assert check(conn) == []
        settle(conn)
        assert check(conn) == []
        for code in ("VN", "22", "06685", "0668501", "01"):
            place_ = unit(conn, code)
            found = figures.whole_figures(conn, place_, 2026, life.now)
            wanted = recounted(conn, place_, 2026, life.now)
            assert {name: getattr(found, name) for name in ("bound", "median_days", "overdue", "evidence_rate")} == {
                name: wanted[name] for name in ("bound", "median_days", "overdue", "evidence_rate")
            }
            raw = Raw({}, tallies.whole(conn, place_.id, 2026))
            assert {indicator: points / n for indicator, (points, n) in measures.points(raw).items()} == pytest.approx(
                wanted["means"]
            )
            weeks = figures.progress(conn, place_, 2026, life.now).weeks
            last = weeks[-1] if weeks else None
            assert (found.submitted, found.approved) == ((last.submitted, last.approved) if last else (0, 0))
            if code in unfolded:
                assert unfolded[code] == figures.progress(conn, place_, 2026, life.now)
        begun.rollback()


def test_a_wrong_count_is_found(conn: Connection, life: Life) -> None:
    decided(life)
    settle(conn)
    conn.execute(sa.update(rollout.rollout).values(bound=7))
    conn.execute(sa.update(tallies.weeks).values(approved=5))
    conn.execute(sa.update(tallies.tallies).values(whole=9).where(tallies.tallies.c.own > 0))
    assert {each.where for each in check(conn)} == {"bound", "weeks", "tallies"}


def test_who_was_bound_before_this_was_kept_is_counted_by_the_first_fold(conn: Connection, life: Life) -> None:
    life.joins("06685", "nong_dan")
    life.joins("0668501", "nong_dan")
    conn.execute(sa.delete(rollout.rollout))
    assert figures.whole_figures(conn, unit(conn, "VN"), 2026, NOW).bound == 0
    settle(conn)
    assert figures.whole_figures(conn, unit(conn, "VN"), 2026, NOW).bound == 2
    assert check(conn) == []


# ------------------------------------------------------------------------------------------ formulas


@pytest.mark.parametrize(
    ("days", "median"),
    [({}, None), ({"days/3": 1}, 3), ({"days/1": 1, "days/2": 1}, 1.5), ({"days/0": 2, "days/10": 1}, 0),
     ({"days/2": 5, "days/10": 4, "days/60": 1}, 6)],
)  # fmt: skip
def test_the_median_of_days(days: dict[str, int], median: float | None) -> None:
    assert measures.value("median_days", Raw({}, days)) == median


def test_overdue_are_those_who_wait_since_before_the_day() -> None:
    waiting = {"waiting/2026-09-27": 2, "waiting/2026-09-28": 3, "waiting/2026-10-05": 4, "days/3": 9}
    assert measures.value("overdue", Raw({}, waiting, date(2026, 9, 28))) == 2


@pytest.mark.parametrize(
    ("today", "due"),
    [("2026-10-05", "2026-09-28"), ("2026-10-10", "2026-10-05"), ("2026-10-11", "2026-10-05")],
)
def test_five_working_days(conn: Connection, today: str, due: str) -> None:
    moment = datetime.fromisoformat(f"{today}T03:00:00+00:00")
    assert overdue.rule(conn, unit(conn, "06685"), moment).due("VN/22/06685/").isoformat() == due


def test_nothing_to_measure_is_none_and_not_nought() -> None:
    nothing = Raw({})
    assert {each.name: each.of(nothing) for each in measures.MEASURES if each.kind != "count"} == {
        "pass_rate": None, "handed_in_rate": None, "median_days": None, "evidence_rate": None, "participation": None
    }  # fmt: skip
    assert measures.value("mean:A1", nothing) is None
    with pytest.raises(KeyError):
        measures.measure("mean:Z9")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_measure_has_its_words_and_its_field(language: str) -> None:
    with speaking(Voice(language)):
        for each in (*measures.MEASURES, measures.measure("mean:B2")):
            assert each.label and each.question
            assert ":" in each.name or hasattr(UnitFigures, each.name) or each.name in UnitFigures.__slots__


# ------------------------------------------------------------------------------------------ beside each other


def test_a_ranking_puts_the_best_first_and_the_unknown_last(conn: Connection, life: Life) -> None:
    decided(life, "06685", days=4)
    decided(life, "06676", days=1)
    decided(life, "06676", event="not_met")
    settle(conn)
    province = unit(conn, "22")
    by_days = figures.ranking(conn, province, 2026, NOW, "median_days")
    assert [(row.code, row.value) for row in by_days.rows[:3]] == [("06676", 0.5), ("06685", 4), ("06652", None)]
    assert (by_days.kind, by_days.median, len(by_days.rows)) == ("days", 2.25, 54)
    by_rate = figures.ranking(conn, province, 2026, NOW, "pass_rate")
    assert [(row.code, row.value) for row in by_rate.rows[:2]] == [("06685", 1), ("06676", 0.5)]
    by_mean = figures.ranking(conn, province, 2026, NOW, "mean:A1")
    assert by_mean.rows[0].value == 10 and by_mean.kind == "points"


def test_the_heat_map_has_a_mean_where_somebody_answered(conn: Connection, life: Life) -> None:
    decided(life, "06685", level="tot")
    decided(life, "0668501", level="dat")
    settle(conn)
    found = figures.heatmap(conn, unit(conn, "22"), 2026, NOW)
    assert found.indicators[0][0] == "A1" and len(found.rows) == 54
    row = next(row for row in found.rows if row.code == "06685")
    assert row.means[0] == 7.5 and set(row.means[1:]) == {None}


def test_weeks_go_from_monday_to_sunday_in_vietnam(conn: Connection, life: Life) -> None:
    life.now = datetime(2026, 10, 4, 16, 59, tzinfo=UTC)  # Sunday 23:59
    first = decided(life)
    life.now = datetime(2026, 10, 4, 17, 1, tzinfo=UTC)  # Monday 0:01
    decided(life)
    life.now = datetime(2026, 10, 21, tzinfo=UTC)
    life.passes(first, "undo")
    found = figures.progress(conn, unit(conn, "VN"), 2026, life.now)
    assert [(week.monday.day, week.submitted, week.approved) for week in found.weeks] == [
        (28, 1, 1), (5, 2, 2), (12, 2, 2), (19, 2, 1)
    ]  # fmt: skip
    settle(conn)
    assert figures.progress(conn, unit(conn, "VN"), 2026, life.now) == found


@pytest.mark.parametrize(
    ("newest", "then"),
    [("2026-12-28", None), ("2027-01-04", "2026-01-05"), ("2027-11-15", "2026-11-16"), ("2027-12-27", "2026-12-28")],
)
def test_text_and_chart_compare_with_the_same_week_of_the_year_before(newest: str, then: str | None) -> None:
    of_year = [date(2026, 1, 5) + timedelta(weeks=n) for n in range(52)]  # 2026 has 53 weeks in the calendar's count
    before = tuple(Week(monday, 7000 + n, 3000 + n) for n, monday in enumerate(of_year))
    this = (Week(date.fromisoformat(newest), 2, 1),)
    found = Progress("Xã Đường Hoa", 2027, datetime(2027, 12, 31, tzinfo=UTC), this, before, None)
    wanted = next((week for week in before if week.monday.isoformat() == then), None)
    assert measures.year_before(found) == wanted
    drawn = [words.text for words in charts.compose(found).words]
    at = drawn.index("Đạt, cùng kỳ năm 2026")
    assert drawn[at + 1] == (number(wanted.approved) if wanted else "0")
    assert ("Cùng kỳ năm trước: " in progress_text(found)) == (wanted is not None)
    if wanted:
        assert f"{number(wanted.approved)} đạt" in progress_text(found)


def test_what_changes_after_a_year_is_taken_into_its_last_week(conn: Connection, life: Life) -> None:
    life.now = datetime(2026, 12, 1, tzinfo=UTC)
    for _n in range(2):
        decided(life)
    life.now = datetime(2027, 5, 12, tzinfo=UTC)
    life.goes(1, "erase", "06685", "nong_dan")
    found = figures.progress(conn, unit(conn, "22"), 2026, life.now)
    assert [(week.monday.isoformat(), week.approved) for week in found.weeks] == [
        ("2026-11-30", 2), ("2026-12-07", 2), ("2026-12-14", 2), ("2026-12-21", 2), ("2026-12-28", 1)
    ]  # fmt: skip
    seasons.set_windows(
        conn, unit(conn, "22").id, replace(seasons.default_windows(2026), decision_to=date(2027, 1, 15))
    )
    assert figures.progress(conn, unit(conn, "22"), 2026, life.now).weeks[-1] == Week(date(2027, 1, 11), 1, 1)


def test_the_place_among_siblings(conn: Connection, life: Life) -> None:
    for place, times in (("06685", 2), ("06676", 3), ("06673", 2)):
        for _n in range(times):
            decided(life, place)
    found = figures.whole_figures(conn, unit(conn, "06685"), 2026, NOW)
    assert (found.rank, found.siblings, found.sibling_median) == (2, 54, 0)
    assert "Đứng thứ 2/54 về số người đạt (đơn vị ở giữa: 0)" in text(found)
    assert figures.whole_figures(conn, unit(conn, "VN"), 2026, NOW).rank is None


def test_participation_needs_the_population_of_all_communes(conn: Connection, life: Life) -> None:
    life.joins("06685", "nong_dan")
    province = unit(conn, "22")
    targets.put_population(conn, unit(conn, "06685").id, date(2026, 1, 1), 200, NOW)
    assert figures.whole_figures(conn, unit(conn, "06685"), 2026, NOW).participation == 1 / 200
    assert figures.whole_figures(conn, province, 2026, NOW).participation is None
    for child in units.children(conn, province.id):
        targets.put_population(conn, child.id, date(2026, 2, 1), 100, NOW)
    assert figures.whole_figures(conn, province, 2026, NOW).people == 5400
    targets.put_population(conn, province.id, date(2026, 2, 1), 10_000, NOW)
    assert figures.whole_figures(conn, province, 2026, NOW).participation == 1 / 10_000
    targets.put_population(conn, unit(conn, "06685").id, date(2027, 1, 1), 999, NOW)
    assert figures.whole_figures(conn, unit(conn, "06685"), 2026, NOW).people == 100
    by = figures.ranking(conn, province, 2026, NOW, "participation")
    assert (by.rows[0].code, by.rows[0].value, by.target) == ("06685", 1 / 100, None)
    targets.put(conn, province.id, 2026, "participation", 0.6, "officer:1", NOW)
    assert figures.ranking(conn, province, 2026, NOW, "participation").target == 0.6


def test_the_roll_out_map(conn: Connection, life: Life) -> None:
    first = figures.whole_figures(conn, unit(conn, "22"), 2026, NOW)
    assert (first.communes, first.communes_without_scan, first.communes_without_officer) == (54, 54, 54)
    rollout.scanned(conn, unit(conn, "0668501"), NOW)
    rollout.scanned(conn, unit(conn, "06676"), NOW)
    rollout.scanned(conn, unit(conn, "06676"), NOW + timedelta(days=1))
    again = figures.whole_figures(conn, unit(conn, "22"), 2026, NOW)
    assert again.communes_without_scan == 52
    by = figures.ranking(conn, unit(conn, "VN"), 2026, NOW, "communes_without_scan")
    assert next(row.value for row in by.rows if row.code == "22") == 52


# ------------------------------------------------------------------------------------------ kept under a code


def test_the_same_figures_again_under_their_code_and_what_happened_since(conn: Connection, life: Life) -> None:
    ours = unit(conn, "22")
    gone = decided(life)
    life.joins("06685", "nong_dan")
    first = runs.publish(conn, ours, 2026, NOW, "officer:1")
    assert first.run.startswith("BC-")
    assert runs.kept(conn, first.run) == first
    assert runs.publish(conn, ours, 2026, NOW + timedelta(minutes=9), "officer:1").run == first.run
    assert runs.publish(conn, ours, 2026, NOW + timedelta(minutes=11), "officer:1").run != first.run
    for _n in range(3):
        decided(life, "06676")
    decided(life, "00070")  # elsewhere
    life.goes(1, "move", "00070", "nong_dan")
    life.passes(gone, "undo")
    found = runs.compared(conn, first.run, NOW + timedelta(hours=1))
    assert found.then == first
    assert found.since.events == {"register": 3, "start": 3, "submit": 3, "approve": 3, "move": -1, "undo": 1}
    said = since_text(found)
    assert "+3 duyệt" in said and "−1 chuyển đơn vị" in said and "−1 xét lại" in said
    assert "Đạt: 1 → 3" in said
    assert found.now.approved == found.then.approved + found.since.events["approve"] - found.since.events["undo"]
    assert not runs.compared(conn, first.run, NOW, most=1).since.read


def test_a_report_is_forgotten_in_time(conn: Connection, life: Life) -> None:
    found = runs.publish(conn, unit(conn, "22"), 2026, NOW, "cli")
    assert report_runs.purge(conn, NOW, NOW) == 0
    later = NOW + timedelta(days=1)
    assert report_runs.purge(conn, later, later) == 1
    assert runs.kept(conn, found.run) is None
    with pytest.raises(Refused) as refused:
        runs.compared(conn, found.run, NOW)
    assert refused.value.code == "report_unknown"


def test_what_was_only_looked_at_goes_after_a_month_and_few_at_once(conn: Connection, life: Life) -> None:
    for n in range(3):
        runs.publish(conn, unit(conn, "22"), 2026, NOW + timedelta(hours=n), f"officer:{n}")
    asked = runs.publish(conn, unit(conn, "22"), 2026, NOW + timedelta(hours=3), "officer:1")
    report_runs.asked(conn, asked.run)
    weekly = runs.publish(conn, unit(conn, "22"), 2026, NOW + timedelta(hours=4), "schedule:weekly-province")
    long, later = NOW - timedelta(days=370), NOW + timedelta(days=1)
    assert [report_runs.purge(conn, long, later, most=2) for _n in range(3)] == [2, 1, 0]
    assert runs.kept(conn, asked.run) and runs.kept(conn, weekly.run)
    assert report_runs.purge(conn, later, later) == 2


def test_each_unit_is_overdue_by_its_own_days(conn: Connection, life: Life) -> None:
    def days(code: str, n: int | None) -> None:
        units.set_setting(conn, code, "service_days", n, "test", NOW)

    life.now = datetime(2026, 10, 5, 2, tzinfo=UTC)  # a Monday
    for place in ("06685", "0668501", "06676", "06676", "00070"):
        row = life.joins(place, "nong_dan")
        life.passes(row, "start")
        life.passes(row, "submit")
    settle(conn)
    life.now = datetime(2026, 10, 9, 2, tzinfo=UTC)  # four working days later: that day's dossiers wait for three
    days("22", 3)
    days("06676", 10)
    days("0668501", 60)

    def late(code: str) -> int | None:
        return figures.whole_figures(conn, unit(conn, code), 2026, life.now).overdue

    ranked = {row.code: row.value for row in figures.ranking(conn, unit(conn, "22"), 2026, life.now, "overdue").rows}
    assert (ranked["06685"], ranked["06676"]) == (late("06685"), late("06676")) == (1, 0)
    assert (late("0668501"), late("22"), late("01"), late("VN")) == (0, 1, 0, 1)
    days("06676", 2)
    assert (late("06676"), late("22"), late("VN")) == (2, 3, 3)
    days("0668501", None)
    assert (late("06685"), late("22")) == (2, 4)


def test_a_country_where_every_commune_has_its_own_days_is_no_work(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports of the centre and of each province, and a reviewer's morning, are turns of the one writer."""
    country, province = unit(conn, "VN"), unit(conn, "22")
    provinces = range(10, 44)
    own = [(f"VN/{first}/", first, "7") for first in provinces]
    own += [(f"VN/{first}/{n:05}/", first * 1000 + n, str(n % 9 + 8)) for first in provinces for n in range(98)]
    own.sort()
    monkeypatch.setattr(units, "own_settings_below", lambda *_of: own)
    monkeypatch.setattr(tallies, "waiting_of", lambda _conn, ids, _year: {each: {} for each in ids})
    begun = process_time()
    rule = overdue.rule(conn, country, NOW)
    assert rule.due("VN/22/00004/0000401/") == rule.due("VN/22/00004/") == overdue.due_day(NOW, 12)
    assert rule.due("VN/22/09999/") == overdue.due_day(NOW, 7) and rule.due("VN/9/") == overdue.due_day(NOW, 5)
    each = sum(len(rule.apart(conn, f"VN/{first}/", 2026)) for first in provinces)
    assert len(rule.apart(conn, country.path, 2026)) == each + len(provinces) > 3_000
    statements: list[str] = []
    listen = lambda *given: statements.append(given[2])  # noqa: E731
    sa.event.listen(conn.engine, "before_cursor_execute", listen)
    overdue.late(conn, province, NOW)
    sa.event.remove(conn.engine, "before_cursor_execute", listen)
    assert len(statements) < 20
    assert process_time() - begun < 1.5  # 0.1 s; 18 s where each unit looks through all others


def test_labels_of_a_kept_report_are_in_the_readers_language(conn: Connection, life: Life) -> None:
    life.joins("06685", "cong_nhan")
    found = runs.publish(conn, unit(conn, "22"), 2026, NOW, "cli")
    with speaking(Voice("en")):
        english = runs.kept(conn, found.run)
    assert english is not None and english.by_group[0].label != found.by_group[0].label


def test_text_and_json_tell_the_same(conn: Connection, life: Life) -> None:
    decided(life, days=3)
    targets.put(conn, unit(conn, "06685").id, 2026, "approved", 4, "officer:1", NOW)
    settle(conn)
    found = runs.publish(conn, unit(conn, "06685"), 2026, NOW, "cli")
    said = text(found)
    for line in (
        "Đã vào qua mã của đơn vị: 1 người", "trong 3 ngày", "Câu trả lời có minh chứng: 0%",
        "Chỉ tiêu 4 người đạt: đã được 25%", f"Mã báo cáo: {found.run}.",
    ):  # fmt: skip
        assert line in said
    told = as_json(found)
    assert told["measures"]["median_days"] == {"label": "Số ngày xét, hồ sơ ở giữa", "kind": "days", "value": 3}
    assert {name: each["value"] for name, each in told["measures"].items()} == {
        each.name: getattr(found, each.name) for each in measures.MEASURES
    }
    assert text(replace(found, overdue=2)).count("Quá hạn xét: 2 hồ sơ") == 1
    assert criteria.builtin().id


def test_what_is_read_alike_is_no_difference() -> None:
    then = UnitFigures("22", "Quảng Ninh", 2026, NOW, 1, approved=8671, not_met=1329, median_days=60)
    now = replace(then, approved=8672)
    assert "Tỉ lệ đạt" not in since_text(runs.Compared(then, now, report_runs.Since({"approve": 1})))
    assert "phải chờ từ 60 ngày" in text(then)
    assert shown("days", 60) == "từ 60 ngày" and shown("days", 59.5) == "59,5 ngày"


def test_equal_units_share_the_better_place(conn: Connection, life: Life) -> None:
    for place in ("06685", "06676"):
        decided(life, place)
    said = ranking_text(figures.ranking(conn, unit(conn, "22"), 2026, NOW))
    assert said.splitlines()[2:5] == ["1. Phường Hà Lầm: 1", "1. Phường Hồng Gai: 1", "3. Phường Hà Tu: 0"]
    assert said.count("3. ") == 8 and "44 đơn vị ở giữa" in said
