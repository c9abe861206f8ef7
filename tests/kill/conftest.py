"""What killed servers begin with: a database on SQLite and one on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import server as servers
from tests.support.postgres import Server as Postgres


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database to be copied."""
    path = tmp_path_factory.mktemp("seeded") / "hoctap.sqlite"
    servers.seed(path)
    return path


@pytest.fixture
def postgres_of_its_own(postgres: Postgres, servers_postgres: str) -> Iterator[str]:
    """A PostgreSQL database for one test, with all that servers begin with."""
    with postgres.database(servers_postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def beginning(request: pytest.FixtureRequest) -> Path | str:
    """What :meth:`tests.support.server.Server.on` takes, on each database."""
    found: Path | str = request.getfixturevalue("seeded" if request.param == "sqlite" else "postgres_of_its_own")
    return found
