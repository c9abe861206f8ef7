"""The life-cycle of an assessment: the table, the refusals, and counts that always equal a recount."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import assessments, counters, erasure, officers, people, reviews
from storage.base import Connection, Refused
from storage.engine import open_engine, reading, writing
from storage.people import PersonRow
from storage.recount import check

NOW = datetime(2026, 10, 5, 2, 0, tzinfo=UTC)
COMMUNE, OTHER, CHAPTER = 3, 4, 5


def test_the_table_in_the_docs_is_the_table_in_the_code() -> None:
    text = Path("docs/lifecycle.md").read_text("utf-8")
    rows = re.findall(r"^\| (\w+) \| (\w+) \| (\w+) \|", text, re.MULTILINE)
    assert {(before, event): after for before, event, after in rows if before != "from"} == dict(assessments.LIFE)


def join(conn: Connection, unit: int = COMMUNE, group: str = "nong_dan", now: datetime = NOW) -> PersonRow:
    contact = people.meet(
        conn, "test", f"a{conn.execute(sa.select(sa.func.count()).select_from(people.people)).scalar()}-{now}", now
    )
    return people.join(
        conn, contact, unit_id=unit, name="Lê Thị Na", birth_year=1960, phone=None, form="ong_ba",
        subject_group=group, now=now
    )  # fmt: skip


def officer(conn: Connection, unit: int = COMMUNE, role: str = "reviewer") -> officers.OfficerRow:
    contact = people.meet(conn, "test", f"officer-{unit}-{role}", NOW)
    code = officers.invite(conn, unit, role, NOW, "test", "Trần Thị Hoa")
    from storage import codes

    officers.accept(conn, officers.open_invite(conn, codes.secret_hash(code), NOW), contact, None, NOW)
    found = officers.of_contact(conn, contact)
    assert found is not None
    return found


def submitted(conn: Connection, unit: int = COMMUNE) -> assessments.AssessmentRow:
    person = join(conn, unit)
    row = assessments.register(conn, person, 2026, "set", "1", NOW)
    assessments.start(conn, row.id, "person:1", "set", "1", NOW)
    assessments.answer(conn, row.id, "A1", "tot", "person:1", NOW)
    return assessments.submit(conn, row.id, "person:1", NOW)


def sound(engine: sa.Engine) -> None:
    with reading(engine) as conn:
        assert check(conn) == []


def test_everything_outside_the_table_is_refused(database: sa.Engine) -> None:
    with writing(database) as conn:
        row = assessments.register(conn, join(conn), 2026, "set", "1", NOW)
        with pytest.raises(Refused, match="assessment_state"):
            assessments.submit(conn, row.id, "person:1", NOW)
        draft = assessments.start(conn, row.id, "person:1", "set", "1", NOW)
        assert draft.status == "draft"
        assessments.submit(conn, row.id, "person:1", NOW)
        for verb in (assessments.submit, assessments.start_again):
            with pytest.raises(Refused, match="assessment_state"):
                verb(conn, row.id, "person:1", NOW)
        with pytest.raises(Refused, match="assessment_closed"):
            assessments.answer(conn, row.id, "A1", "tot", "person:1", NOW)
    sound(database)


def test_registering_twice_is_once(database: sa.Engine) -> None:
    with writing(database) as conn:
        person = join(conn)
        first = assessments.register(conn, person, 2026, "set", "1", NOW)
        assert assessments.register(conn, person, 2026, "set", "2", NOW) == first
        assert counters.own(conn, COMMUNE, 2026) == {("nong_dan", "registered"): 1}


def test_a_return_opens_only_the_questions_named(database: sa.Engine) -> None:
    with writing(database) as conn:
        row, reviewer = submitted(conn), officer(conn)
        reviews.decide(
            conn, reviewer, row.id, "return", total=10, returned={"A1": "Ảnh mờ"}, undo_for=timedelta(0), now=NOW
        )
        assessments.answer(conn, row.id, "A1", "kha", "person:1", NOW)
        with pytest.raises(Refused, match="assessment_closed"):
            assessments.answer(conn, row.id, "A2", "kha", "person:1", NOW)
        back = assessments.submit(conn, row.id, "person:1", NOW)
        assert (back.status, assessments.changed_since(conn, row.id, NOW)) == ("submitted", ["A1"])
    sound(database)


def test_two_officers_one_decision(database: sa.Engine) -> None:
    with writing(database) as conn:
        row, one = submitted(conn), officer(conn)
        other = officer(conn, 2, "supervisor")
        reviews.decide(conn, one, row.id, "approve", total=90, undo_for=timedelta(seconds=60), now=NOW)
        with pytest.raises(Refused, match="already_decided") as refused:
            reviews.decide(conn, other, row.id, "not_met", total=90, reason="x", undo_for=timedelta(0), now=NOW)
        assert refused.value.facts["officer"] == "Trần Thị Hoa"
    sound(database)


def test_scope_is_the_subtree(database: sa.Engine) -> None:
    with writing(database) as conn:
        reviewer = officer(conn, COMMUNE)
        chapter, elsewhere = submitted(conn, CHAPTER), submitted(conn, OTHER)
        reviews.may_see(conn, reviewer, chapter)
        with pytest.raises(Refused, match="out_of_scope"):
            reviews.decide(conn, reviewer, elsewhere.id, "approve", total=90, undo_for=timedelta(0), now=NOW)
        assert [each.id for each in assessments.queue(conn, "VN/22/06685/")] == [chapter.id]
        assert assessments.waiting(conn, "VN/22/") == 2


def test_undo_is_for_a_minute_and_for_the_one_who_decided(database: sa.Engine) -> None:
    with writing(database) as conn:
        row, one, other = submitted(conn), officer(conn), officer(conn, 2, "supervisor")
        minute = timedelta(seconds=60)
        review = reviews.decide(conn, one, row.id, "approve", total=90, undo_for=minute, now=NOW)
        with pytest.raises(Refused, match="undo_over"):
            reviews.undo(conn, other, review.id, NOW)
        assert reviews.undo(conn, one, review.id, NOW + timedelta(seconds=59)).status == "submitted"
        again = reviews.decide(conn, one, row.id, "not_met", total=9, reason="thiếu", undo_for=minute, now=NOW)
        with pytest.raises(Refused, match="undo_over"):
            reviews.undo(conn, one, again.id, NOW + minute)
    sound(database)


def test_a_move_takes_the_undecided_along(database: sa.Engine) -> None:
    with writing(database) as conn:
        row = submitted(conn)
        person = people.person(conn, row.person_id)
        assert person is not None
        assessments.move(conn, person, OTHER, "person:1", NOW)
        assert counters.own(conn, COMMUNE, 2026) == {}
        assert counters.own(conn, OTHER, 2026) == {("nong_dan", "submitted"): 1}
    sound(database)


def test_constraints_stand_in_the_schema_too(database: sa.Engine) -> None:
    with writing(database) as conn:
        row = submitted(conn)
    for statement in (
        "update assessments set status = 'lost'",
        f"update assessments set submitted_at = null where id = {row.id}",
        "update people set birth_year = 20",
        "update people set name = ''",
        "update counters set n = -1",
        "update answers set officer_level = 'kha'",
        f"insert into assessments select 99, 'HS-X', person_id, year, unit_id, subject_group, criteria_id,"
        f" criteria_version, 'draft', 1, registered_at, submitted_at, opened_at, decided_at, handed_in_at"
        f" from assessments where id = {row.id}",
    ):
        with pytest.raises(sa.exc.IntegrityError), writing(database) as conn:
            conn.exec_driver_sql(statement)


# ------------------------------------------------------------------------------------------ random life


Step = tuple[str, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "join",
                "start",
                "submit",
                "withdraw",
                "approve",
                "not_met",
                "return",
                "undo",
                "move",
                "regroup",
                "erase",
                "fold",
            ]
        ),
        st.integers(0, 5),
        st.integers(0, 2),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_counts_equal_a_recount_under_random_life(template: Callable[[], sa.Engine], steps: list[Step]) -> None:
    engine = template()
    with writing(engine) as conn:
        chief = officer(conn, 1, "supervisor")
        persons: list[int] = []
        for number, (what, who, where) in enumerate(steps):
            now = NOW + timedelta(minutes=number)
            if what == "fold":
                counters.fold(conn)
                continue
            if what == "join":
                person = join(conn, (COMMUNE, OTHER, CHAPTER)[where], ("nong_dan", "can_bo")[who % 2], now)
                assessments.register(conn, person, 2026, "set", "1", now)
                persons.append(person.id)
                continue
            if not persons:
                continue
            found = people.person(conn, persons[who % len(persons)])
            row = assessments.of_person(conn, found.id, 2026) if found else None
            if found is None or row is None:
                continue
            savepoint = conn.begin_nested()
            try:
                _live(conn, what, where, found, row, chief, now)
                savepoint.commit()
            except Refused:
                savepoint.rollback()
    with reading(engine) as conn:
        assert check(conn) == []
    engine.dispose()


def _live(
    conn: Connection,
    what: str,
    where: int,
    person: PersonRow,
    row: assessments.AssessmentRow,
    chief: officers.OfficerRow,
    now: datetime,
) -> None:
    match what:
        case "start":
            assessments.start(conn, row.id, "person:1", "set", "1", now)
            assessments.answer(conn, row.id, "A1", "tot", "person:1", now)
        case "submit":
            assessments.submit(conn, row.id, "person:1", now)
        case "withdraw":
            assessments.withdraw(conn, row.id, "person:1", now)
        case "approve" | "not_met" | "return":
            reviews.decide(
                conn, chief, row.id, what, total=1, reason="x", returned={"A1": "x"} if what == "return" else None,
                undo_for=timedelta(minutes=30), now=now,
            )  # fmt: skip
        case "undo":
            review = reviews.last_by(conn, chief.id)
            if review is not None:
                reviews.undo(conn, chief, review.id, now)
        case "move":
            assessments.move(conn, person, (COMMUNE, OTHER, CHAPTER)[where], "person:1", now)
        case "regroup":
            assessments.regroup(conn, person, ("nong_dan", "cong_nhan", "can_bo")[where], "person:1", now)
        case "erase":
            erasure.erase_person(conn, person, "person:1", now)


@pytest.fixture
def template(database: sa.Engine, tmp_path: Path) -> Callable[[], sa.Engine]:
    """Fresh copies of the small database (SQLite: a copied file; PostgreSQL: every table of people emptied)."""
    if database.dialect.name == "postgresql":

        def emptied() -> sa.Engine:
            with writing(database) as conn:
                names = conn.exec_driver_sql(
                    "select string_agg(quote_ident(tablename), ',') from pg_tables where schemaname = 'public'"
                    " and tablename <> 'units'"
                ).scalar()
                conn.exec_driver_sql(f"truncate {names} restart identity")
            return open_engine(database.url.render_as_string(hide_password=False))

        return emptied
    source = Path(database.url.database or "")
    database.dispose()
    numbers = iter(range(10_000))

    def copied() -> sa.Engine:
        path = tmp_path / f"copy-{next(numbers)}.sqlite"
        path.write_bytes(source.read_bytes())
        return open_engine(f"sqlite:///{path}")

    return copied
