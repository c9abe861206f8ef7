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
