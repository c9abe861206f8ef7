"""A report is of one moment, and the ledger explains the next one, whatever others commit while it is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

import storage.tables  # noqa: F401 - brings every table
from reports import runs
from reports.model import UnitFigures
from storage import assessments, counters, people, units
from storage.base import Connection, Prepared
from storage.engine import metadata, open_engine, writing
from storage.units import UnitRow
from tests.reports.test_figures import NOW

pytestmark = pytest.mark.postgres
LEAVES = (4, 5, 6)


@pytest.fixture
def database(postgres_database: str) -> Iterator[sa.Engine]:
    """Two provinces, of the first three communes."""
    engine = open_engine(postgres_database)
    with writing(engine) as conn:
        metadata.create_all(conn)
        for id, code, level, parent, path in (
            (1, "VN", 0, None, "VN/"), (2, "22", 1, 1, "VN/22/"), (3, "01", 1, 1, "VN/01/"),
            (4, "06685", 2, 2, "VN/22/06685/"), (5, "06688", 2, 2, "VN/22/06688/"), (6, "06676", 2, 2, "VN/22/06676/"),
        ):  # fmt: skip
            conn.execute(
                sa.insert(units.units).values(
                    id=id, vintage="2025", code=code, level=level, parent_id=parent, path=path, name=code, kind="xa",
                    folded=code,
                )
            )  # fmt: skip
    yield engine
    engine.dispose()


class Others:
    """Between any two statements of a reader somebody else commits, and now and then folds."""

    def __init__(self, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine, self.at = engine, 0
        self.reader: Connection | None = None
        asked = Prepared._cursor

        def between(statement: Prepared, conn: Connection, values: dict[str, Any]) -> Any:
            if conn is self.reader:
                with writing(self.engine) as other:
                    self.goes_on(other)
            return asked(statement, conn, values)

        monkeypatch.setattr(Prepared, "_cursor", between)

    def goes_on(self, conn: Connection) -> None:
        self.at += 1
        if self.at % 7 == 0:
            counters.fold(conn)
        elif self.at < 150:
            joins(conn, LEAVES[self.at % 3], self.at)


def joins(conn: Connection, unit_id: int, at: int) -> None:
    """Somebody is approved in one transaction."""
    contact = people.meet(conn, "test", f"phone-{at}", NOW)
    person = people.join(
        conn, contact, unit_id=unit_id, name="Lê Thị Na", birth_year=1970, phone=None, form="ban",
        subject_group="nong_dan", now=NOW,
    )  # fmt: skip
    row = assessments.register(conn, person, 2026, "cdht", "1", NOW)
    assessments.start(conn, row.id, "test", "cdht", "1", NOW)
    assessments.submit(conn, row.id, "test", NOW)
    assessments.decide(conn, assessments.locked(conn, row.id), "approve", "test", NOW)


def province(conn: Connection) -> UnitRow:
    found = units.by_code(conn, "22")
    assert found is not None
    return found


def adds_up(found: UnitFigures) -> None:
    for name in ("registered", "submitted", "approved"):
        assert sum(getattr(row, name) for row in found.rows) == getattr(found, name)
    assert found.registered == found.approved


def test_a_report_adds_up_and_is_explained_while_others_write(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = Others(database, monkeypatch)
    for _n in range(4):
        with writing(database) as conn:
            unit = province(conn)
            others.reader = conn
            first = runs.publish(conn, unit, 2026, NOW, "officer:1")
            found = runs.compared(conn, first.run, NOW)
            others.reader = None
        adds_up(first)
        adds_up(found.now)
        assert found.now.approved > first.approved
        assert found.now.approved - first.approved == found.since.events["approve"]
        assert found.now.registered - first.registered == found.since.events["register"]


def test_a_line_that_commits_late_is_in_the_report_or_told_since(database: sa.Engine) -> None:
    with writing(database) as late:
        joins(late, 4, 1)
        with writing(database) as quick:
            joins(quick, 5, 2)
        with writing(database) as conn:
            first = runs.publish(conn, province(conn), 2026, NOW, "officer:1")
    assert first.approved == 1
    with writing(database) as conn:
        found = runs.compared(conn, first.run, NOW)
        assert (found.now.approved, found.since.events["approve"]) == (2, 1)
        counters.fold(conn)
    with writing(database) as conn:
        assert runs.compared(conn, first.run, NOW).since.events["approve"] == 1
