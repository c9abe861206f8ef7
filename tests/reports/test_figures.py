"""Figures equal a recount whatever happened, folded or not; and read well."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

import criteria
from locales import Voice, speaking
from reports.figures import anybody, figures, years_beside
from reports.model import GroupRow, UnitFigures
from reports.text import as_json, text
from storage import assessments, counters, erasure, evidence, officers, people, reviews, tallies, units
from storage.assessments import answers as rows_of_answers
from storage.assessments import assessments as rows_of
from storage.base import Connection, Refused
from storage.officers import OfficerRow, RoleRow
from storage.units import UnitRow
from tests.reports.samples import children, commune

pytestmark = pytest.mark.slow

NOW = datetime(2026, 10, 5, 2, 0, tzinfo=UTC)
PLACES = ("06685", "0668501", "0668502", "06676", "00070")  # in Hồng Gai, in Hà Tu, in Hà Nội
GROUPS = ("nong_dan", "cong_nhan", "tri_thuc")
EVENTS = ("approve", "not_met", "return", "undo")
CRITERIA = criteria.builtin()
LEVELS = ("tot", "dat", "khong")


def unit(conn: Connection, code: str) -> UnitRow:
    found = units.by_code(conn, code)
    assert found is not None
    return found


def officer(conn: Connection) -> OfficerRow:
    """A reviewer of the whole country."""
    made = conn.execute(
        sa.insert(officers.officers).values(name="Trần Thị Hoa", made_at=NOW).returning(sa.column("id"))
    )
    centre = unit(conn, "VN")
    return OfficerRow(made.scalar_one(), "Trần Thị Hoa", (RoleRow(centre.id, centre.name, "VN/", 0, "reviewer"),))


class Life:
    """People who join, hand in, are decided upon, move, and go."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.people: list[int] = []
        self.phones = itertools.count()
        self.officer = officer(conn)
        self.now = NOW

    def joins(self, place: str, group: str, year: int = 2026) -> int:
        conn, at = self.conn, unit(self.conn, place).id
        contact = people.meet(conn, "test", f"phone-{next(self.phones)}", self.now)
        person = people.join(
            conn, contact, unit_id=at, name="Lê Thị Na", birth_year=1970, phone=None, form="ban",
            subject_group=group, now=self.now,
        )  # fmt: skip
        self.people.append(person.id)
        row = assessments.register(conn, person, year, CRITERIA.id, CRITERIA.version, self.now)
        return row.id

    def goes(self, whom: int, what: str, place: str, group: str) -> None:
        """One thing happens to somebody; what the life-cycle refuses does not."""
        conn = self.conn
        person = people.person(conn, self.people[whom % len(self.people)]) if self.people else None
        if what == "fold":
            counters.fold(conn, most=1 + whom)
            tallies.fold(conn, most=1 + whom)
            tallies.refresh(conn)
        elif what == "time":
            self.now += timedelta(hours=7 * (1 + whom))
        elif what == "join" or person is None:
            self.joins(place, group, 2026 if whom % 7 else 2025)
        elif what == "move":
            assessments.move(conn, person, unit(conn, place).id, "test", self.now)
        elif what == "regroup":
            assessments.regroup(conn, person, group, "test", self.now)
        elif what == "erase":
            erasure.erase_person(conn, person, "test", self.now)
            self.people.remove(person.id)
        else:
            for row in assessments.every_of_person(conn, person.id):
                with suppress(Refused):
                    self.passes(row.id, what, whom)

    def passes(self, row: int, what: str, drawn: int = 0) -> None:
        """*drawn*: which level, which of several questions."""
        conn = self.conn
        if what == "start":
            assessments.start(conn, row, "test", CRITERIA.id, CRITERIA.version, self.now)
        elif what == "answer":
            for place, indicator in enumerate(CRITERIA.indicators[: 1 + row % 3]):
                with suppress(Refused):  # of a returned form one question is open, another is not
                    assessments.answer(conn, row, indicator.id, LEVELS[(drawn + place) % 3], "person:1", self.now)
        elif what == "evidence":
            kind = "officer_confirmation" if drawn % 2 else "text"
            first = CRITERIA.indicators[0].id
            assessments.add_evidence(
                conn, row, first, kind, contact_id=1, actor="person:1", text=f"{kind} {drawn}", now=self.now
            )
        elif what == "without":
            for piece in evidence.all_of(conn, row):
                assessments.remove_evidence(conn, row, piece.indicator, piece.id, "person:1", self.now)
        elif what == "set_level":
            level = (*LEVELS, None)[drawn % 4]
            reviews.set_level(conn, self.officer, row, CRITERIA.indicators[0].id, level, "Chưa rõ", self.now)
        elif what == "confirm":
            for piece in evidence.all_of(conn, row):
                reviews.settle_confirmation(conn, self.officer, row, piece.id, drawn % 2 == 0, self.now)
        elif what == "submit":
            assessments.submit(conn, row, "test", self.now)
        elif what == "withdraw":
            assessments.withdraw(conn, row, "test", self.now)
        else:
            assessments.decide(conn, assessments.locked(conn, row), what, "test", self.now)
            if what == "return":
                opened = rows_of_answers.c.indicator == CRITERIA.indicators[drawn % 2].id
                conn.execute(
                    sa.update(rows_of_answers)
                    .where(rows_of_answers.c.assessment_id == row, opened)
                    .values(return_reason="Ảnh mờ")
                )


def recounted(conn: Connection, place: UnitRow, year: int) -> dict[str, Any]:
    """The figures from the assessments themselves."""
    query = (
        sa.select(rows_of.c.subject_group, rows_of.c.status)
        .select_from(rows_of.join(counters.units, counters.units.c.id == rows_of.c.unit_id))
        .where(counters.units.c.path.startswith(place.path), rows_of.c.year == year)
    )
    found = [(group, status) for group, status in conn.execute(query)]
    here = [status for _group, status in found]
    handed_in = [status for status in here if status in ("submitted", "returned", "approved", "not_met")]
    return {
        "registered": sum(status != "withdrawn" for status in here),
        "started": sum(status not in ("withdrawn", "registered") for status in here),
        "submitted": len(handed_in),
        "waiting": here.count("submitted"),
        "returned": here.count("returned"),
        "approved": here.count("approved"),
        "not_met": here.count("not_met"),
        "withdrawn": here.count("withdrawn"),
        "groups": {
            group: (
                sum(each == group and status != "withdrawn" for each, status in found),
                found.count((group, "approved")),
            )
            for group in GROUPS
            if any(each == group and status != "withdrawn" for each, status in found)
        },
    }


def kept(found: UnitFigures) -> dict[str, Any]:
    names = ("registered", "started", "submitted", "waiting", "returned", "approved", "not_met", "withdrawn")
    return {name: getattr(found, name) for name in names} | {
        "groups": {row.id: (row.registered, row.approved) for row in found.by_group}
    }


STEPS = (
    "join", "join", "start", "answer", "answer", "evidence", "without", "set_level", "confirm", "submit", "time",
    "approve", "not_met", "return", "undo", "withdraw", "move", "regroup", "erase", "fold",
)  # fmt: skip


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from(STEPS), st.sampled_from(PLACES), st.sampled_from(GROUPS)),
        max_size=40,
    )
)
@example([
    (1, "join", "06685", "nong_dan"), (0, "start", "06685", "nong_dan"), (2, "fold", "06685", "nong_dan"),
    (0, "submit", "06685", "nong_dan"), (0, "move", "0668501", "nong_dan"), (9, "fold", "06685", "nong_dan"),
    (1, "join", "00070", "cong_nhan"), (0, "approve", "06685", "nong_dan"), (1, "withdraw", "06685", "nong_dan"),
])  # fmt: skip
def test_figures_equal_a_recount(engine: Engine, steps: list[tuple[int, str, str, str]]) -> None:
    with engine.connect() as conn:
        begun = conn.begin()
        life = Life(conn)
        for whom, what, place, group in steps:
            life.goes(whom, what, place, group)
        for code in ("VN", "22", "06685", "0668501", "01"):
            place_ = unit(conn, code)
            for year in (2026, 2025):
                found = figures(conn, place_, year, NOW)
                assert kept(found) == recounted(conn, place_, year)
                for row in found.rows:
                    below = recounted(conn, unit(conn, row.code), year) if row.registered or code != "VN" else None
                    if below is not None:
                        assert (row.registered, row.submitted, row.approved) == (
                            below["registered"], below["submitted"], below["approved"]
                        )  # fmt: skip
                    else:
                        assert (row.registered, row.submitted, row.approved) == (0, 0, 0)
        begun.rollback()


def test_the_level_says_what_is_below(conn: Connection) -> None:
    assert len(figures(conn, unit(conn, "VN"), 2026, NOW).rows) == 34
    assert len(figures(conn, unit(conn, "22"), 2026, NOW).rows) == 54
    assert [row.code for row in figures(conn, unit(conn, "06685"), 2026, NOW).rows] == ["06685-01", "06685-02"]
    leaf = figures(conn, unit(conn, "0668501"), 2026, NOW)
    assert (leaf.code, leaf.level, leaf.rows, leaf.empty) == ("06685-01", 3, (), True)


def test_means_count_the_officers_level_and_only_what_was_handed_in(conn: Connection) -> None:
    life = Life(conn)
    first, second, draft = (life.joins(place, "nong_dan") for place in ("06685", "0668501", "06685"))
    for row, level in ((first, "tot"), (second, "dat"), (draft, "khong")):
        life.passes(row, "start")
        for indicator in CRITERIA.indicators:
            assessments.answer(conn, row, indicator.id, level, "person:1", NOW)
    for row in (first, second):
        life.passes(row, "submit")
    conn.execute(
        sa.update(assessments.answers)
        .where(assessments.answers.c.assessment_id == first, assessments.answers.c.indicator == "B2")
        .values(officer_level="kha", officer_reason="Chưa rõ")
    )
    found = figures(conn, unit(conn, "06685"), 2026, NOW)
    means = {each.id: (each.mean, each.n) for each in found.indicators}
    assert list(means) == [indicator.id for indicator in CRITERIA.indicators]
    assert means["A1"] == (7.5, 2) and means["B2"] == (6.5, 2)
    assert found.minimum == CRITERIA.thresholds.min_per_indicator
    assert figures(conn, unit(conn, "0668501"), 2026, NOW).indicators[0].mean == 5
    assert figures(conn, unit(conn, "22"), 2026, NOW).indicators == ()
    assert figures(conn, unit(conn, "06685"), 2026, NOW, means=False).indicators == ()
    assert figures(conn, unit(conn, "06685"), 2025, NOW).indicators == ()


def test_years_beside_are_those_with_anybody(conn: Connection) -> None:
    Life(conn).joins("0668501", "nong_dan", 2025)
    assert years_beside(conn, unit(conn, "22"), 2026) == (2025,)
    assert years_beside(conn, unit(conn, "22"), 2025) == ()
    assert years_beside(conn, unit(conn, "01"), 2026) == ()


def test_titles_of_an_imported_list_are_told_and_no_rate_counts_them(conn: Connection) -> None:
    counters.shift(
        conn, assessment_id=-1, unit_id=unit(conn, "0668501").id, year=2024, subject_group="nong_dan", before=None,
        after="recognised", why="import", now=NOW,
    )  # fmt: skip
    found = figures(conn, unit(conn, "22"), 2024, NOW)
    assert (found.recognised, found.registered, found.approved, found.pass_rate) == (1, 0, 0, None)
    assert "Danh sách chuyển từ phần mềm trước: 1 người được công nhận" in text(found)
    assert anybody(conn, unit(conn, "22"), 2024) and not anybody(conn, unit(conn, "01"), 2024)


def test_labels_are_in_the_readers_language(conn: Connection) -> None:
    Life(conn).joins("06685", "cong_nhan")
    with speaking(Voice("en")):
        english = figures(conn, unit(conn, "06685"), 2026, NOW).by_group[0].label
    assert english != figures(conn, unit(conn, "06685"), 2026, NOW).by_group[0].label


def test_text_reads_as_a_person_would_write_it() -> None:
    said = text(commune(by_group=(GroupRow("nong_dan", "Nông dân", 1200, 180),)))
    assert said == (
        "Đã đăng ký: 1.412 người\nĐã nộp hồ sơ: 301\nChờ xét: 38 · Trả lại để bổ sung: 12\nĐạt: 221 · Chưa đạt: 30\n"
        "Tỉ lệ đạt: 88% số hồ sơ đã xét\nĐã rút: 4\n\n"
        "Theo nhóm đối tượng:\nNông dân: 1.200 đăng ký, 180 đạt\n\nSố liệu lúc 9:41 ngày 21/11/2026."
    )
    with speaking(Voice("en")):
        assert "Registered: 1,412 people" in text(commune())


def test_text_of_nobody_and_of_nothing_decided() -> None:
    assert "Chưa có ai đăng ký." in text(commune(registered=0, submitted=0, withdrawn=0))
    assert "Đã rút: 4" in text(commune(registered=0, submitted=0, withdrawn=4))
    assert "Tỉ lệ" not in text(commune(approved=0, not_met=0))


def test_json_holds_every_figure() -> None:
    read = json.loads(json.dumps(as_json(commune())))
    assert (read["code"], read["registered"], read["as_of"]) == ("06685", 1412, "2026-11-21T02:41:00+00:00")
    assert read["pass_rate"] == pytest.approx(221 / 251) and len(read["indicators"]) == 10
    assert len(json.loads(json.dumps(as_json(children(54))))["rows"]) == 54
    assert as_json(commune(approved=0, not_met=0))["pass_rate"] is None
