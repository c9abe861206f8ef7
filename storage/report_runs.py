"""Report runs (báo cáo đã lập): the figures that somebody saw, under a short code ``BC-…``, and what happened since.

Figures of units only: no name of a person, no dossier. A run goes after ``keep.reports_days``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import codes
from storage.base import BigId, Connection, Prepared, UtcTime, table_of
from storage.counters import ledger
from storage.units import Unit, UnitRow, bounds

SAME_WITHIN = timedelta(minutes=10)  # the same figures shown again so soon keep their code
MOST_LINES = 20_000  # of the ledger, read in a turn: about 20 ms


class ReportRun(SQLModel, table=True):
    """The figures of a unit's year as they were at a moment. ``ledger_id``: the last line of the ledger they hold."""

    __tablename__ = "report_runs"
    __table_args__ = (sa.Index("ix_report_runs_unit_id_year_as_of", "unit_id", "year", "as_of"),)
    code: str = Field(primary_key=True, max_length=12)
    unit_id: int = Field(foreign_key="units.id")
    year: int
    made_by: str = Field(max_length=64)
    as_of: datetime = Field(sa_type=UtcTime, index=True)
    ledger_id: int = Field(sa_type=BigId)
    figures: str = Field(sa_type=sa.Text)


runs = table_of(ReportRun)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class Run:
    """A report as it was shown; ``figures`` are JSON values."""

    code: str
    unit_id: int
    year: int
    made_by: str
    as_of: datetime
    ledger_id: int
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Since:
    """What the ledger says since a run: event (``register``, ``approve``, ``move`` …) → how many; moves are what came
    less what went. ``read`` is ``False`` where there is more to read than a turn may."""

    events: dict[str, int]
    read: bool = True


_COLUMNS = tuple(runs.c[name] for name in Run.__slots__)
_OF = Prepared(sa.select(*_COLUMNS).where(runs.c.code == sa.bindparam("printed")))
_NEWEST = Prepared(
    sa.select(*_COLUMNS)
    .where(
        runs.c.unit_id == sa.bindparam("unit"), runs.c.year == sa.bindparam("of"), runs.c.as_of >= sa.bindparam("since")
    )
    .order_by(runs.c.as_of.desc())
    .limit(1)
)
_PUT = Prepared(
    sa.insert(runs).values(
        code=sa.bindparam("printed"),
        unit_id=sa.bindparam("unit"),
        year=sa.bindparam("of"),
        made_by=sa.bindparam("by"),
        as_of=sa.bindparam("now"),
        ledger_id=sa.bindparam("line"),
        figures=sa.bindparam("given"),
    )
)
_LAST_LINE = Prepared(sa.select(sa.func.max(ledger.c.id)))
_PURGE = Prepared(sa.delete(runs).where(runs.c.as_of < sa.bindparam("before")))


def last_line(conn: Connection) -> int:
    """The newest line of the ledger: to be read before the figures that a run is to hold."""
    return _LAST_LINE.value(conn) or 0


def keep(
    conn: Connection, unit_id: int, year: int, figures: dict[str, Any], line: int, actor: str, now: datetime
) -> tuple[str, datetime]:
    """Keep figures under a fresh code: the code (``BC-7K3QD``), and the moment that they are of.

    *line*: :func:`last_line` before the figures were read. The same figures shown within ten minutes keep their code.
    """
    given = json.dumps(figures, ensure_ascii=False, separators=(",", ":"))
    newest = _NEWEST.first(conn, unit=unit_id, of=year, since=now - SAME_WITHIN)
    if newest is not None and newest.figures == given:
        return newest.code, newest.as_of
    code = codes.printed(codes.new_report())
    while _OF.first(conn, printed=code) is not None:  # 14 million codes: seldom
        code = codes.printed(codes.new_report())
    _PUT.run(conn, printed=code, unit=unit_id, of=year, by=actor, now=now, line=line, given=given)
    return code, now


def of(conn: Connection, code: str) -> Run | None:
    """A run by its printed code; ``None`` where there is none (any more)."""
    row = _OF.first(conn, printed=code)
    return None if row is None else Run(**{**row._asdict(), "figures": json.loads(row.figures)})


def purge(conn: Connection, before: datetime) -> int:
    """Forget runs made before a moment."""
    return _PURGE.run(conn, before=before)


# ------------------------------------------------------------------------------------------ what happened since

_SINCE = Prepared(
    sa.select(
        ledger.c.why,
        sa.func.sum(sa.case((ledger.c.before.is_(None), 1), else_=0)).label("came"),
        sa.func.sum(sa.case((ledger.c.after.is_(None), 1), else_=0)).label("went"),
        sa.func.count().label("n"),
    )
    .select_from(ledger.join(units, units.c.id == ledger.c.unit_id))
    .where(
        ledger.c.id > sa.bindparam("line"),
        ledger.c.year == sa.bindparam("of"),
        units.c.path >= sa.bindparam("low"),
        units.c.path < sa.bindparam("high"),
    )
    .group_by(ledger.c.why)
)
_TWO_SIDED = frozenset({"move", "regroup"})  # each writes a line where the dossier was and one where it is


def since(conn: Connection, run: Run, unit: UnitRow, most: int | None = MOST_LINES) -> Since:
    """What happened at and below the run's unit since, at most *most* ledger lines back (``None``: all)."""
    if most is not None and last_line(conn) - run.ledger_id > most:
        return Since({}, read=False)
    low, high = bounds(unit)
    events = {}
    for row in _SINCE.all(conn, line=run.ledger_id, of=run.year, low=low, high=high):
        n = int(row.came) - int(row.went) if row.why in _TWO_SIDED else int(row.n)
        if n:
            events[row.why] = n
    return Since(events)
