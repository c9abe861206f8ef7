"""Made-up citizens written in bulk leave what a chat would have left: every count right, and room for real ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
import sqlalchemy as sa

from storage import assessments, officers, people, population, recount
from storage.counters import ledger
from storage.engine import reading, writing
from storage.population import Filing, MadeCitizen, MadeYear

BEGAN = datetime(2026, 9, 7, 2, 0, tzinfo=UTC)
FILING = Filing("web", '{"is":"home.Home"}', "cdht", "1", "1", "Hội Khuyến học")
LEVELS = {"A1": "tot", "A2": "kha"}
WAYS = {
    "registered": (),
    "draft": ("start",),
    "submitted": ("start", "submit"),
    "returned": ("start", "submit", "return"),
    "approved": ("start", "submit", "return", "submit", "approve"),
    "not_met": ("start", "submit", "not_met"),
    "withdrawn": ("start", "withdraw"),
}


def citizen(n: int, code: str, events: tuple[str, ...], officer: int = 0) -> MadeCitizen:
    moments = [(event, BEGAN + timedelta(hours=n, days=day)) for day, event in enumerate(("register", *events))]
    levels = LEVELS if "submit" in events else {}
    words = {"A2": "Đã học xong lớp tập huấn"} if levels else {}
    year = MadeYear(2026, code, moments, levels, words, officer, 82, "A2", "Ảnh mờ, xin chụp lại")
    return MadeCitizen(f"Lê Thị {n}", 1970, "anh_chi", "nong_dan", f"made-{n}", True, (year,))


@pytest.fixture
def filled(database: sa.Engine) -> sa.Engine:
    """Two citizens of each status in two communes."""
    with writing(database) as conn:
        hired = (
            sa.insert(officers.officers).values(name="Trần Thị Hoa", made_at=BEGAN).returning(officers.officers.c.id)
        )
        officer = conn.execute(hired).scalar_one()
    codes = population.dossier_codes(2026)
    with population.loading(database) as conn, conn.begin():
        for n, unit in enumerate((3, 4)):
            made = [citizen(100 * n + m, next(codes), way, officer) for m, way in enumerate(WAYS.values())]
            population.write(conn, unit, made, FILING)
    return database


def test_every_kept_count_is_right_and_every_row_has_what_it_points_at(filled: sa.Engine) -> None:
    with reading(filled) as conn:
        assert recount.check(conn) == []
        if conn.dialect.name == "sqlite":
            assert conn.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        rows = assessments.listing(conn)
    assert sorted(row.status for row in rows) == sorted([*WAYS, *WAYS])


@pytest.mark.parametrize("status", WAYS)
def test_a_dossier_is_as_its_life_made_it(filled: sa.Engine, status: str) -> None:
    with reading(filled) as conn:
        (row, _other) = assessments.listing(conn, status=status)
        answers = assessments.answers_of(conn, row.id)
    assert row.version == 1 + len(WAYS[status])
    assert (row.decided_at is not None) == (status in ("approved", "not_met"))
    assert (row.submitted_at is not None) == ("submit" in WAYS[status])
    assert {id: answer.level for id, answer in answers.items()} == (LEVELS if "submit" in WAYS[status] else {})
    opened = [id for id, answer in answers.items() if answer.return_reason]
    assert opened == (["A2"] if status == "returned" else [])


def test_the_ledger_is_in_the_order_of_time(filled: sa.Engine) -> None:
    with reading(filled) as conn:
        moments = list(conn.execute(sa.select(ledger.c.at).order_by(ledger.c.id)).scalars())
    assert moments == sorted(moments)


def test_real_people_join_after_them(filled: sa.Engine) -> None:
    with writing(filled) as conn:
        contact = people.meet(conn, "web", "browser", BEGAN)
        people.consent(conn, contact, 3, "1", "Hội", BEGAN)
        person = people.join(
            conn, contact, unit_id=3, name="Lê Na", birth_year=1980, phone=None, form="anh_chi",
            subject_group="can_bo", now=BEGAN,
        )  # fmt: skip
        row = assessments.register(conn, person, 2026, "cdht", "1", BEGAN)
        assessments.start(conn, row.id, "person:1", "cdht", "1", BEGAN)
        assert recount.check(conn) == []


def test_an_event_that_life_does_not_know_is_refused(database: sa.Engine) -> None:
    with pytest.raises(KeyError), population.loading(database) as conn, conn.begin():
        population.write(conn, 3, [citizen(1, "HS-2026-2BCDF", ("approve",))], FILING)


def test_codes_come_once_and_always_in_the_same_order() -> None:
    found = list(islice(population.dossier_codes(2026), 20_000))
    assert len(set(found)) == len(found)
    assert found[:100] == list(islice(population.dossier_codes(2026), 100))
