"""Completed dossiers a second through the turn engine, 64 citizens at once: SQLite with ``synchronous=FULL``, and
PostgreSQL with everything on the disk.

A dossier here takes 33 acts and 3 upload rows: joining 8, start 1, ten levels, ten pieces of evidence (3 photos by
reference, two of the texts behind the "add evidence" button, hence 2 acts more), hand in and confirm 2.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.bars import Bar, fsyncs_a_second
from benchmarks.citizens import database, many, prepare
from benchmarks.workers import ON_DISK
from storage.engine import Turns, open_engine, reading
from storage.recount import check
from tests.support.postgres import postgres_server

PEOPLE, EACH = 64, 6
FLOOR = 41.2  # what ODK Central publishes for submissions


def measure() -> Bar:
    """The bar ``dossier``."""
    with tempfile.TemporaryDirectory() as folder:
        return _measure("dossier", database(Path(folder)), Path(folder), FLOOR)


def measure_postgres() -> Bar:
    """The figure ``dossier-pg``, which has no floor."""
    with postgres_server(ON_DISK) as server, server.database() as url:
        prepare(url)
        return _measure("dossier-pg", url, server.folder, 0)


def _measure(name: str, url: str, folder: Path, floor: float) -> Bar:
    disk = fsyncs_a_second(folder)
    engine = open_engine(url)
    turns = Turns(engine)
    asyncio.run(many(turns, 8, 1))  # warm
    began = time.perf_counter()
    acts = asyncio.run(many(turns, PEOPLE, EACH))
    took = time.perf_counter() - began
    turns.close()
    with reading(engine) as conn:
        assert check(conn) == []
        rows = {
            table: conn.exec_driver_sql(f"select count(*) from {table}").scalar()
            for table in ("claims", "answers", "evidence", "audit", "outbox")
        }
    engine.dispose()
    return Bar(
        name,
        PEOPLE * EACH / took,
        floor,
        True,
        [
            f"{acts / took:.0f} turns/s, {acts // (PEOPLE * EACH)} acts a dossier, {disk:.0f} fsyncs/s on this disk",
            f"rows {rows}",
        ],
    )
