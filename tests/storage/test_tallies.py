"""What is kept behind the ledger, and what an officer sets, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from storage import (
    assessments,
    audit,
    counters,
    coverage,
    erasure,
    evidence,
    people,
    report_runs,
    rollout,
    tallies,
    targets,
    units,
)
from storage.base import Connection, Refused, table_of
from storage.engine import reading, writing
from storage.recount import check
from storage.stale import touch

NOW = datetime(2026, 10, 5, 2, 0, tzinfo=UTC)
CENTRE, PROVINCE, HONG_GAI, HA_LONG, KHU_3 = 1, 2, 3, 4, 5


def joins(conn: Connection, unit_id: int, name: str = "phone") -> people.PersonRow:
    contact = people.meet(conn, "test", f"{name}-{unit_id}", NOW)
    return people.join(
        conn, contact, unit_id=unit_id, name="Lê Thị Na", birth_year=1970, phone=None, form="ban",
        subject_group="nong_dan", now=NOW,
    )  # fmt: skip


def hands_in(conn: Connection, person: people.PersonRow, now: datetime = NOW) -> int:
    row = assessments.register(conn, person, 2026, "cdht", "1", now)
    assessments.start(conn, row.id, "test", "cdht", "1", now)
    assessments.submit(conn, row.id, "test", now)
    return row.id


def settle(conn: Connection) -> None:
    while tallies.fold(conn, most=2):
        pass
    while tallies.refresh(conn):
        pass


def bound(conn: Connection) -> dict[int, int]:
    return {row.unit_id: row.bound for row in conn.execute(sa.select(rollout.rollout)) if row.bound}


def test_people_bound_follow_joining_moving_and_erasing(database: sa.Engine) -> None:
    with writing(database) as conn:
        first, second = joins(conn, HONG_GAI), joins(conn, KHU_3)
        assert bound(conn) == {HONG_GAI: 1, KHU_3: 1}
        assessments.move(conn, first, HA_LONG, "test", NOW)
        assert bound(conn) == {HA_LONG: 1, KHU_3: 1}
        erasure.erase_person(conn, second, "test", NOW)
        assert bound(conn) == {HA_LONG: 1}
        settle(conn)
        assert check(conn) == []


def test_the_first_scan_is_kept_also_of_the_commune(database: sa.Engine) -> None:
    with writing(database) as conn:
        joins(conn, HONG_GAI)
        unit = units.by_id(conn, KHU_3)
        province = units.by_id(conn, PROVINCE)
        assert unit is not None and province is not None
        rollout.scanned(conn, unit, NOW)
        rollout.scanned(conn, unit, NOW + timedelta(days=1))
        found = {row.unit_id: (row.bound, row.first_scan_at) for row in conn.execute(sa.select(rollout.rollout))}
        assert found == {HONG_GAI: (1, NOW), KHU_3: (0, NOW)}
        assert coverage.reach(conn, province) == coverage.Reach(1, 2, 2, 1)
        below = {"VN/22/06685/": HONG_GAI, "VN/22/06688/": HA_LONG}
        assert coverage.reach_of_children(conn, province, below) == {
            HONG_GAI: coverage.Reach(1, 1, 1, 0), HA_LONG: coverage.Reach(0, 1, 1, 1)
        }  # fmt: skip


def test_weeks_and_tallies_go_up_to_the_country_piece_by_piece(database: sa.Engine) -> None:
    with writing(database) as conn:
        first = hands_in(conn, joins(conn, KHU_3), datetime(2026, 10, 4, 16, 59, tzinfo=UTC))
        second = hands_in(conn, joins(conn, HA_LONG), datetime(2026, 10, 4, 17, 0, tzinfo=UTC))
        before = tallies.by_week(conn, CENTRE, "VN/", 2026)
        settle(conn)
        assert tallies.by_week(conn, CENTRE, "VN/", 2026) == before
        assert [(row.monday, row.submitted) for row in before] == [(date(2026, 9, 28), 1), (date(2026, 10, 5), 1)]
        assert tallies.whole(conn, CENTRE, 2026) == {"waiting/2026-10-04": 1, "waiting/2026-10-05": 1}
        assert tallies.whole(conn, HONG_GAI, 2026) == {"waiting/2026-10-04": 1}
        assert tallies.whole_of_children(conn, PROVINCE, 2026)[HA_LONG] == {"waiting/2026-10-05": 1}
        for row, days in ((first, 3), (second, 90)):
            done = datetime(2026, 10, 5, 1, tzinfo=UTC) + timedelta(days=days)
            assessments.decide(conn, assessments.locked(conn, row), "approve", "test", done)
        settle(conn)
        assert tallies.whole(conn, CENTRE, 2026) == {"days/4": 1, "days/60": 1}
        assert check(conn) == []
        erasure.erase_person(conn, _person(conn, first), "test", NOW + timedelta(days=100))
        settle(conn)
        assert tallies.whole(conn, CENTRE, 2026) == {"days/60": 1}
        assert check(conn) == []


def _person(conn: Connection, assessment: int) -> people.PersonRow:
    row = assessments.by_id(conn, assessment)
    assert row is not None
    found = people.person(conn, row.person_id)
    assert found is not None
    return found


def test_a_unit_that_changes_again_is_counted_again(database: sa.Engine) -> None:
    with writing(database) as conn:
        row = hands_in(conn, joins(conn, HONG_GAI))
        while tallies.fold(conn):
            pass
        assert tallies.refresh(conn) is True
        assert tallies.refresh(conn) is False
        assessments.withdraw(conn, row, "test", NOW)
        assert check(conn) == []  # what the ledger still has to say is no difference
        settle(conn)
        assert tallies.whole(conn, PROVINCE, 2026) == {}
        assert check(conn) == []


@pytest.mark.postgres  # SQLite has one writer at a time
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_what_changes_while_a_unit_is_counted_is_counted_again(database: sa.Engine) -> None:
    """The unit waits to be counted already when a turn changes a level there, and commits after the count."""
    with writing(database) as conn:
        row = hands_in(conn, joins(conn, HONG_GAI))
        conn.execute(sa.insert(assessments.answers).values(
            assessment_id=row, indicator="A1", level="tot", changed_at=NOW
        ))  # fmt: skip
        settle(conn)
        touch(conn, HONG_GAI, 2026)
    with writing(database) as turn:
        turn.execute(sa.update(assessments.answers).values(officer_level="dat", officer_reason="Chưa đủ"))
        touch(turn, HONG_GAI, 2026)
        with writing(database) as counting:
            while tallies.refresh(counting):
                pass
    with writing(database) as conn:
        while tallies.refresh(conn):
            pass
        assert tallies.whole(conn, CENTRE, 2026)["level/cdht/1/A1/dat"] == 1
        assert check(conn) == []


def test_however_often_a_unit_changed_it_is_counted_once(database: sa.Engine) -> None:
    with writing(database) as conn:
        hands_in(conn, joins(conn, HONG_GAI))
        for _n in range(3):
            touch(conn, HONG_GAI, 2026)
            touch(conn, HA_LONG, 2026)
        assert [tallies.refresh(conn) for _n in range(3)] == [True, True, False]


def test_a_picture_that_never_comes_is_counted_no_more(database: sa.Engine) -> None:
    with writing(database) as conn:
        row = hands_in(conn, person := joins(conn, HONG_GAI))
        conn.execute(sa.insert(assessments.answers).values(
            assessment_id=row, indicator="A1", level="tot", return_reason="Ảnh mờ", changed_at=NOW
        ))  # fmt: skip
        assessments.decide(conn, assessments.locked(conn, row), "return", "test", NOW)
        contact = people.contacts_of(conn, person.id)[0].contact_id
        for name in ("first", "second"):
            held = evidence.Held(name, name, 1, "test", "phone")
            assert assessments.add_evidence(
                conn, row, "A1", "photo", contact_id=contact, actor="person:1", held=held, now=NOW
            )
        settle(conn)
        assert tallies.whole(conn, CENTRE, 2026)["proved"] == 1
        first, _second = evidence.arrivals_due(conn, "test", NOW)
        assessments.lose_evidence(conn, first, NOW)
        assert tallies.refresh(conn)
        assert tallies.whole(conn, CENTRE, 2026)["proved"] == 1
        evidence.forget_arrivals(conn, contact)
        assert tallies.refresh(conn)
        assert "proved" not in tallies.whole(conn, CENTRE, 2026)
        assert check(conn) == []


def test_targets_are_set_changed_taken_away_and_written_down(database: sa.Engine) -> None:
    with writing(database) as conn:
        targets.put(conn, HONG_GAI, 2026, "approved", 500, "officer:1", NOW)
        targets.put(conn, HONG_GAI, 2026, "approved", 600, "officer:1", NOW)
        targets.put(conn, HONG_GAI, 2026, "participation", 0.6, "officer:1", NOW)
        assert targets.of(conn, HONG_GAI, 2026) == targets.Targets(600, 0.6)
        assert targets.of(conn, KHU_3, 2026) == targets.of(conn, HONG_GAI, 2025) == targets.Targets()
        targets.put(conn, HONG_GAI, 2026, "participation", None, "officer:1", NOW)
        assert targets.of(conn, HONG_GAI, 2026) == targets.Targets(600, None)
        deeds = sa.select(sa.func.count()).where(table_of(audit.AuditLine).c.action == "target.set")
        assert conn.execute(deeds).scalar() == 4


@pytest.mark.parametrize(
    ("measure", "value"),
    [*(("approved", value) for value in (0, -1, 1.5, 1e9)), ("participation", 0), ("participation", 1.01)],
)
def test_a_target_that_cannot_be_is_refused(database: sa.Engine, measure: str, value: float) -> None:
    with writing(database) as conn:
        with pytest.raises(Refused) as refused:
            targets.put(conn, HONG_GAI, 2026, measure, value, "officer:1", NOW)
        assert refused.value.code == "target_wrong"
        assert targets.of(conn, HONG_GAI, 2026) == targets.Targets()


def test_a_file_of_people_is_judged_row_by_row(database: sa.Engine) -> None:
    with reading(database) as conn:
        rows, wrong = targets.judged(conn, ["unit,people", "06685,1.500", "", "22,9000", " 06688 ,20"])
        assert wrong == []
        assert [(row.unit_id, row.people) for row in rows] == [(HONG_GAI, 1500), (PROVINCE, 9000), (HA_LONG, 20)]
        rows, wrong = targets.judged(conn, ["People;Unit", "7;06685", "x;22", "5;99999", "8;06685", "0;06688"])
        assert [(row.unit_id, row.people) for row in rows] == [(HONG_GAI, 7)]
        assert [(each["line"], each["why"]) for each in wrong] == [
            (3, "people"), (4, "unit"), (5, "twice"), (6, "people")
        ]  # fmt: skip
        assert targets.judged(conn, ["a,b", "1,2"])[1][0]["why"] == "header"
        assert targets.judged(conn, [])[1][0]["why"] == "header"


def held(conn: Connection) -> counters.Held:
    return counters.standing(conn, HONG_GAI, "VN/22/06685/", 2026).held


def test_a_report_that_a_summary_tells_is_kept_however_it_was_made(database: sa.Engine) -> None:
    """An officer looked at the same figures minutes before."""
    with writing(database) as conn:
        looked, _at = report_runs.keep(conn, PROVINCE, 2026, {"a": 1}, held(conn), "officer:1", NOW)
        soon = NOW + timedelta(minutes=5)
        told, as_of = report_runs.keep(conn, PROVINCE, 2026, {"a": 1}, held(conn), "schedule:weekly", soon)
        assert (told, as_of) == (looked, NOW)
        report_runs.keep(conn, PROVINCE, 2026, {"a": 1}, held(conn), "officer:2", soon)
        later = NOW + timedelta(days=31)
        assert report_runs.purge(conn, NOW - timedelta(days=1), later) == 0
        assert report_runs.of(conn, told) is not None
        only_looked, _at = report_runs.keep(conn, PROVINCE, 2026, {"a": 2}, held(conn), "officer:1", soon)
        assert report_runs.purge(conn, NOW - timedelta(days=1), later) == 1
        assert report_runs.of(conn, only_looked) is None


def test_what_happened_since_a_report(database: sa.Engine) -> None:
    with writing(database) as conn:
        hands_in(conn, joins(conn, HONG_GAI))
        unit = units.by_id(conn, HONG_GAI)
        assert unit is not None
        code, as_of = report_runs.keep(conn, unit.id, 2026, {"a": 1}, held(conn), "cli", NOW)
        run = report_runs.of(conn, code)
        assert run is not None and (run.figures, run.as_of, as_of) == ({"a": 1}, NOW, NOW)
        assert report_runs.since(conn, run, unit, held(conn)) == report_runs.Since({})
        mover = joins(conn, KHU_3)
        hands_in(conn, mover)
        assessments.move(conn, mover, HONG_GAI, "test", NOW)  # within the unit: neither came nor went
        elsewhere = joins(conn, HA_LONG)
        hands_in(conn, elsewhere)
        assert report_runs.since(conn, run, unit, held(conn)).events == {"register": 1, "start": 1, "submit": 1}
        assessments.move(conn, elsewhere, HONG_GAI, "test", NOW)
        assert report_runs.since(conn, run, unit, held(conn)).events["move"] == 1
        assert report_runs.since(conn, run, unit, held(conn), most=1) == report_runs.Since({}, read=False)
        assert counters.own(conn, HONG_GAI, 2026)
