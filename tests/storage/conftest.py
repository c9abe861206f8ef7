"""Databases for storage tests: both kinds, with every table."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import storage.tables  # noqa: F401 - brings every table
from storage.engine import metadata, open_engine, writing
from tests.support.postgres import Server
from tests.support.pristine import Lender
from tests.support.units import few_units


def _make(url: str) -> None:
    engine = open_engine(url)
    with writing(engine) as conn:
        metadata.create_all(conn)
        few_units(conn)
    engine.dispose()


@pytest.fixture(scope="session")
def made_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file to be copied."""
    path = tmp_path_factory.mktemp("made") / "made.sqlite"
    _make(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def made_postgres(postgres: Server) -> Lender:
    """PostgreSQL databases to be lent."""
    url = postgres.create()
    _make(url)
    return Lender(postgres, url)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database with all tables and the units of :func:`tests.support.units.few_units`."""
    if request.param == "sqlite":
        path = tmp_path / "test.sqlite"
        shutil.copyfile(request.getfixturevalue("made_sqlite"), path)
        engine = open_engine(f"sqlite:///{path}")
        yield engine
        engine.dispose()
    else:
        lender: Lender = request.getfixturevalue("made_postgres")
        with lender.database() as url:
            engine = open_engine(url)
            yield engine
            engine.dispose()
