"""Sums over a unit and its children are exact also while the ledger is being folded into the roll-up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from storage import counters
from storage.base import Connection, Prepared
from storage.engine import writing
from tests.storage.test_lifecycle import COMMUNE, submitted

pytestmark = pytest.mark.postgres
PROVINCE, PATH = 2, "VN/22/"


class Folding:
    """A prepared statement beside which somebody else folds the ledger, before or after it reads."""

    def __init__(self, statement: Prepared, engine: sa.Engine, when: str) -> None:
        self.statement, self.engine, self.when = statement, engine, when
        self.folds = 0

    def _fold(self, when: str) -> None:
        if self.when == when and self.folds < 2:
            self.folds += 1
            with writing(self.engine) as conn:
                submitted(conn)
            with writing(self.engine) as conn:
                assert counters.fold(conn) > 0

    def all(self, conn: Connection, **values: Any) -> list[Any]:
        self._fold("before")
        found = self.statement.all(conn, **values)
        self._fold("after")
        return found


@pytest.fixture
def turn(database: sa.Engine) -> Iterator[Connection]:
    """A turn's connection (READ COMMITTED), with two dossiers not folded in yet."""
    with writing(database) as conn:
        submitted(conn)
        submitted(conn)
    with writing(database) as conn:
        yield conn


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_fold_between_two_reads_is_counted_once(
    database: sa.Engine, turn: Connection, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = Folding(counters._SUMS, database, when)
    monkeypatch.setattr(counters, "_SUMS", sums)
    assert counters.sums(turn, PROVINCE, PATH, 2026) == {("nong_dan", "submitted"): 2 + sums.folds}
    children = Folding(counters._CHILD_SUMS, database, when)
    monkeypatch.setattr(counters, "_CHILD_SUMS", children)
    found = counters.child_sums(turn, PROVINCE, 2026, {"VN/22/06685/": COMMUNE})
    assert found == {COMMUNE: {"submitted": 2 + sums.folds + children.folds}}
    assert sums.folds == children.folds == 2
