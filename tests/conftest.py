"""Fixtures for every test: an empty database on SQLite and on PostgreSQL, and a browser.

Where a program is missing the test fails with one line that names the package; nothing is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.postgres import Server, postgres_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The PostgreSQL server of this test process (with xdist: one a worker), started when first asked for."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Server) -> Iterator[str]:
    """A database that the tests of one process share: ``postgresql+psycopg://…``."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def postgres_database(postgres: Server) -> Iterator[str]:
    """A fresh, empty PostgreSQL database for one test: ``postgresql+psycopg://…``."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def servers_postgres(postgres: Server) -> str:
    """A PostgreSQL database with all that servers begin with, to be copied."""
    from tests.support.server import seed

    url = postgres.create()
    seed(url)
    return url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet: ``sqlite:////tmp/…``."""
    return f"sqlite:///{tmp_path / 'test.sqlite'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database, once on SQLite and once on PostgreSQL (that half carries the mark ``postgres``)."""
    name = {"sqlite": "sqlite_url", "postgres": "postgres_database"}[request.param]
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Chromium for one synchronous test (mark it ``browser``): ``browser.new_page(viewport=…)``."""
    from tests.support.chromium import chromium  # playwright takes a while to import

    with chromium() as running:
        yield running


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """``make test`` promises every test, so there a skipped one is a failure (``HOCTAP_NO_SKIPS``)."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("HOCTAP_NO_SKIPS") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
