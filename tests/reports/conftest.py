"""A database with every official unit, in which figures are reckoned and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy.engine import Engine

from storage import units
from storage.base import Connection
from storage.engine import open_engine, writing
from storage.tables import metadata

NOW = datetime(2026, 10, 5, 2, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database with every official unit and two of the association."""
    made = open_engine(f"sqlite:///{tmp_path_factory.mktemp('figures') / 'figures.sqlite'}")
    with writing(made) as conn:
        metadata.create_all(conn)
        units.seed(conn, NOW)
        for name in ("Chi hội khu 1", "Chi hội khu 2"):
            units.add_association_unit(conn, "06685", name, "chi_hoi", "test", NOW)
    yield made
    made.dispose()


@pytest.fixture
def conn(engine: Engine) -> Iterator[Connection]:
    """A transaction that is taken back."""
    with engine.connect() as conn:
        begun = conn.begin()
        yield conn
        begun.rollback()
