"""The national report from the kept roll-up, against a group-by over a million assessments."""

from __future__ import annotations

import random
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from benchmarks.bars import Bar, seconds
from benchmarks.citizens import database
from reports.figures import figures
from storage import units
from storage.assessments import STATUSES, assessments
from storage.counters import counters, rollup
from storage.engine import open_engine, reading

ASSESSMENTS = 1_000_000
GROUPS = ("nong_dan", "cong_nhan", "can_bo", "hoc_vien")
NOW = datetime(2026, 10, 5, tzinfo=UTC)


def _fill(engine: sa.Engine) -> None:
    """A million assessments and the counts that a million turns would have kept."""
    dice = random.Random(1)
    with engine.connect() as conn:
        # Only the assessments are made, not a million people: the pragma holds outside a transaction.
        conn.connection.dbapi_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
        with conn.begin():
            communes = conn.exec_driver_sql("select id, path from units where level = 2 and vintage = '2025'").all()
            ids = {path: id for id, path in conn.exec_driver_sql("select id, path from units").all()}
            leaf: dict[tuple[int, str, str], int] = {}
            sums: dict[tuple[int, str, str], int] = {}
            for start in range(0, ASSESSMENTS, 50_000):
                rows = []
                for n in range(start, start + 50_000):
                    unit, path = dice.choice(communes)
                    group, status = dice.choice(GROUPS), dice.choice(STATUSES)
                    rows.append((n + 1, f"HS-2026-{n:07}", n + 1, unit, group, status))
                    leaf[unit, group, status] = leaf.get((unit, group, status), 0) + 1
                    parts = path.rstrip("/").split("/")
                    for depth in range(len(parts)):
                        above = ids["/".join(parts[: depth + 1]) + "/"]
                        sums[above, group, status] = sums.get((above, group, status), 0) + 1
                at = "2026-10-01T00:00:00.000000Z"
                conn.exec_driver_sql(
                    "insert into assessments (id, code, person_id, year, unit_id, subject_group, criteria_id,"
                    " criteria_version, status, version, registered_at, submitted_at, decided_at)"
                    f" values (?, ?, ?, 2026, ?, ?, 'cdht', '1', ?, 1, '{at}', '{at}', '{at}')",
                    rows,
                )
            for table, found in ((counters, leaf), (rollup, sums)):
                conn.execute(
                    sa.insert(table),
                    [
                        {"unit_id": unit, "year": 2026, "subject_group": group, "status": status, "n": n}
                        for (unit, group, status), n in found.items()
                    ],
                )


def measure() -> Bar:
    """The bar ``report``."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(database(Path(folder)))
        _fill(engine)
        grouped = (
            sa.select(assessments.c.unit_id, assessments.c.subject_group, assessments.c.status, sa.func.count())
            .where(assessments.c.year == 2026)
            .group_by(assessments.c.unit_id, assessments.c.subject_group, assessments.c.status)
        )
        with reading(engine) as conn:
            centre = units.by_code(conn, "VN")
            assert centre is not None
            kept = seconds(lambda: figures(conn, centre, 2026, NOW), 30)
            counted = seconds(lambda: conn.execute(grouped).all(), 5)
            found = figures(conn, centre, 2026, NOW)
        engine.dispose()
    assert found.registered + found.withdrawn == ASSESSMENTS
    notes = [f"kept {kept * 1000:.2f} ms with all 34 provinces, group-by {counted * 1000:.0f} ms"]
    return Bar("report", kept / counted, 0.01, False, notes)
