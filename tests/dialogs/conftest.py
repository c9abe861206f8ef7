"""Worlds for dialog tests: every test that takes ``world`` is played on the full profile on SQLite, and on the plain
one on PostgreSQL."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from storage.engine import metadata, open_engine, writing
from storage.units import seed
from tests.support.postgres import Server
from tests.support.pristine import Lender
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


@pytest.fixture(scope="session")
def seeded_postgres(postgres: Server) -> Iterator[Lender]:
    """PostgreSQL databases with every table and unit, to be lent."""
    with postgres.database() as url:
        engine = open_engine(url)
        with writing(engine) as conn:
            metadata.create_all(conn)
            seed(conn, START)
        engine.dispose()
        yield Lender(postgres, url)


# The profile changes dialogs and the database changes storage, so the two need not be crossed; the kill suites play
# "full" on PostgreSQL.
GROUNDS = ("full", pytest.param("plain on postgres", marks=(pytest.mark.slow, pytest.mark.postgres)))


@pytest.fixture(params=GROUNDS)
def ground(request: pytest.FixtureRequest) -> str:
    """What the channel can, and which database: every dialog is played on each."""
    return str(request.param)


@pytest.fixture
def profile(ground: str) -> str:
    """What the channel can: ``full`` or ``plain``."""
    return ground.partition(" ")[0]


Worlds = Callable[[], AbstractContextManager[World]]


@pytest.fixture
def worlds(request: pytest.FixtureRequest, ground: str, profile: str, tmp_path: Path) -> Worlds:
    """``with worlds() as world``: fresh worlds, as many as hypothesis wants."""
    numbers = itertools.count()

    @contextmanager
    def made() -> Iterator[World]:
        with ExitStack() as held:
            if ground.endswith("postgres"):
                lender: Lender = request.getfixturevalue("seeded_postgres")
                url = held.enter_context(lender.database())
            else:
                path = tmp_path / f"world-{next(numbers)}.sqlite"
                shutil.copyfile(request.getfixturevalue("seeded_sqlite"), path)
                held.callback(path.unlink)
                url = f"sqlite:///{path}"
            engine = open_engine(url)
            held.callback(engine.dispose)
            yield World(engine, profile)

    return made


@pytest.fixture
def world(worlds: Worlds) -> Iterator[World]:
    """A fresh world."""
    with worlds() as made:
        yield made
