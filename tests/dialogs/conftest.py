"""Worlds for dialog tests: every test that takes ``world`` runs on the full and on the plain profile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.engine import metadata, open_engine, writing
from storage.units import seed
from tests.support.world import START, World


@pytest.fixture(scope="session")
def seeded_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with every table and unit, to be copied."""
    path = tmp_path_factory.mktemp("seeded") / "seeded.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    with writing(engine) as conn:
        metadata.create_all(conn)
        seed(conn, START)
    engine.dispose()  # the last connection closed folds the write-ahead log into the file
    return path


@pytest.fixture(params=["full", "plain"])
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(seeded_sqlite: Path, tmp_path: Path, profile: str) -> Iterator[World]:
    """A fresh world."""
    path = tmp_path / "world.sqlite"
    shutil.copyfile(seeded_sqlite, path)
    engine = open_engine(f"sqlite:///{path}")
    yield World(engine, profile)
    engine.dispose()
