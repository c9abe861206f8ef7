"""Migrations up and down, on both databases; what they make is what the models say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage import migrate, tables
from storage.base import Refused
from storage.engine import Engine, open_engine, reading, writing


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = open_engine(database_url)
    yield made
    made.dispose()


def checks(engine: Engine) -> dict[str, dict[str, str]]:
    """Table → name → text of its check constraints, which Alembic does not compare."""
    with reading(engine) as conn:
        look = sa.inspect(conn)
        return {
            table: {str(found["name"]): found["sqltext"] for found in look.get_check_constraints(table)}
            for table in look.get_table_names()
            if table != "alembic_version"
        }


def test_the_newest_revision_is_what_the_models_say(engine: Engine) -> None:
    assert migrate.current(engine) is None
    migrate.upgrade(engine)
    assert migrate.current(engine) == migrate.HEAD
    assert migrate.differences(engine) == []
    migrated = checks(engine)

    migrate.downgrade(engine, "base")
    assert checks(engine) == {}
    assert migrate.current(engine) is None
    with writing(engine) as conn:
        tables.metadata.create_all(conn)
    assert migrated == checks(engine)


def test_up_again_changes_nothing_and_down_and_up_works(engine: Engine) -> None:
    for _ in range(2):
        migrate.upgrade(engine)
        migrate.upgrade(engine)
        assert migrate.current(engine) == migrate.HEAD
        migrate.downgrade(engine, "base")
    with reading(engine) as conn:
        assert sa.inspect(conn).get_table_names() == ["alembic_version"]


def test_a_revision_that_fails_changes_nothing(engine: Engine) -> None:
    with writing(engine) as conn:
        conn.exec_driver_sql("CREATE TABLE units (id integer)")
    with pytest.raises(Exception, match="already exists"):
        migrate.upgrade(engine)
    with reading(engine) as conn:
        assert sa.inspect(conn).get_table_names() == ["units"]


def test_an_unknown_revision_is_refused(engine: Engine) -> None:
    with pytest.raises(Refused) as refused:
        migrate.upgrade(engine, "9999")
    assert refused.value.code == "revision_unknown"


def test_every_table_module_is_in_the_metadata() -> None:
    with_tables = {
        path.stem for path in Path(tables.__file__).parent.glob("*.py") if "table=True" in path.read_text("utf-8")
    }
    assert {module.__name__.rpartition(".")[2] for module in tables.AGGREGATES} == with_tables - {"tables"}


def test_head_names_the_newest_file() -> None:
    names = sorted(path.name[:4] for path in (migrate.FOLDER / "versions").glob("[0-9]*.py"))
    assert names[-1] == migrate.HEAD


def test_sqlite_keeps_its_foreign_keys_after_a_migration(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    migrate.upgrade(engine)
    with engine.connect() as conn:
        assert conn.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_0002_keeps_evidence_up_and_down_but_drops_what_was_still_on_its_way(engine: Engine) -> None:
    migrate.upgrade(engine, "0001")
    moment = "'2026-10-05T02:00:00.000000Z'"
    with writing(engine) as conn:
        for statement in (
            "insert into units (id, vintage, code, level, path, name, kind, folded)"
            " values (1, '2025', '06685', 2, '06685/', 'Phường Hồng Gai', 'phuong', 'hong gai')",
            "insert into contacts (id, account, address, provisional, reachable, created_at)"
            f" values (1, 'test', 'a', false, true, {moment})",
            "insert into people (id, unit_id, name, birth_year, form, subject_group, joined_at)"
            f" values (1, 1, 'Lê Thị Na', 1960, 'ong_ba', 'nong_dan', {moment})",
            "insert into assessments (id, code, person_id, year, unit_id, subject_group, criteria_id, criteria_version,"
            " status, version, registered_at)"
            f" values (1, 'HS-2026-AAAAA', 1, 2026, 1, 'nong_dan', 'set', '1', 'draft', 1, {moment})",
            "insert into evidence (id, assessment_id, indicator, kind, key, text, status, at)"
            f" values (1, 1, 'B2', 'photo', 'k1', 'Lớp học', 'given', {moment}),"
            f" (2, 1, 'B2', 'officer_confirmation', null, '', 'asked', {moment})",
        ):
            conn.exec_driver_sql(statement)

    def kept() -> list[tuple[object, ...]]:
        with reading(engine) as conn:
            return [
                tuple(row) for row in conn.exec_driver_sql("select id, key, text, status from evidence order by id")
            ]

    before = kept()
    assert len(before) == 2
    migrate.upgrade(engine, "0002")
    assert kept() == before
    with writing(engine) as conn:
        conn.exec_driver_sql(
            "insert into evidence (id, assessment_id, indicator, kind, text, status, at)"
            f" values (3, 1, 'B2', 'photo', '', 'arriving', {moment})"
        )
        conn.exec_driver_sql(
            "insert into arrivals (id, evidence_id, contact_id, account, address, reference, unique_ref, size,"
            f" attempts, not_before, made_at) values (1, 3, 1, 'test', 'a', 'ref', 'u', 5, 0, {moment}, {moment})"
        )
        conn.exec_driver_sql(f"update assessments set handed_in_at = {moment}")
        for wrong in (
            "update evidence set status = 'arriving' where id = 1",  # it has a key
            "update evidence set status = 'arriving' where id = 2",  # it is no picture
            "update evidence set key = 'k2' where id = 3",
            "update assessments set status = 'withdrawn'",  # handed in
        ):
            with pytest.raises(sa.exc.IntegrityError), conn.begin_nested():
                conn.exec_driver_sql(wrong)
    migrate.downgrade(engine, "0001")
    assert kept() == before
    with reading(engine) as conn:
        assert "arrivals" not in sa.inspect(conn).get_table_names()
        assert conn.exec_driver_sql("select status from assessments").scalar() == "draft"
