"""Report runs (báo cáo đã lập): the figures that somebody saw, under a short code ``BC-…``, and what happened since.

Figures of units only: no name of a person, no dossier. A run goes after ``keep.reports_days``; one that somebody
looked at and nobody has asked for again by its code, after :data:`LOOKS_DAYS`.
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
from storage.counters import Held, ledger
from storage.units import Unit, UnitRow, bounds

SAME_WITHIN = timedelta(minutes=10)  # the same figures shown again so soon keep their code
LOOKS_DAYS = 30
MOST_LINES = 20_000  # of the ledger, read in a turn: about 20 ms


class ReportRun(SQLModel, table=True):
    """The figures of a unit's year as they were at a moment. ``ledger_id``: the last line of the ledger they hold,
    ``missing``: the lines before it that they do not (ids with commas). ``asked``: somebody came back for them."""

    __tablename__ = "report_runs"
    __table_args__ = (sa.Index("ix_report_runs_unit_id_year_as_of", "unit_id", "year", "as_of"),)
    code: str = Field(primary_key=True, max_length=12)
    unit_id: int = Field(foreign_key="units.id")
    year: int
    made_by: str = Field(max_length=64)
    as_of: datetime = Field(sa_type=UtcTime, index=True)
    ledger_id: int = Field(sa_type=BigId)
    missing: str = Field(default="", sa_type=sa.Text, sa_column_kwargs={"server_default": ""})
    asked: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
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
    held: Held
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Since:
    """What the ledger says since a run: event (``register``, ``approve``, ``move`` …) → how many; moves are what came
    less what went. ``read`` is ``False`` where there is more to read than a turn may."""

    events: dict[str, int]
    read: bool = True


_COLUMNS = (
    runs.c.code, runs.c.unit_id, runs.c.year, runs.c.made_by, runs.c.as_of, runs.c.ledger_id, runs.c.missing,
    runs.c.figures,
)  # fmt: skip
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
        missing=sa.bindparam("without"),
        asked=sa.false(),
        figures=sa.bindparam("given"),
    )
)
_ASKED = Prepared(sa.update(runs).where(runs.c.code == sa.bindparam("printed"), ~runs.c.asked).values(asked=sa.true()))
_TELL = Prepared(
    sa.update(runs)
    .where(runs.c.code == sa.bindparam("printed"), ~runs.c.made_by.like("schedule:%"))
    .values(made_by=sa.bindparam("by"))
)
_OLD = (
    sa.select(runs.c.code)
    .where(
        runs.c.as_of < sa.bindparam("looks_before"),
        sa.or_(runs.c.as_of < sa.bindparam("before"), sa.and_(~runs.c.asked, ~runs.c.made_by.like("schedule:%"))),
    )
    .order_by(runs.c.as_of)
    .limit(sa.bindparam("most"))
)
_PURGE = Prepared(sa.delete(runs).where(runs.c.code.in_(_OLD)))


def keep(
    conn: Connection, unit_id: int, year: int, figures: dict[str, Any], held: Held, actor: str, now: datetime
) -> tuple[str, datetime]:
    """Keep figures under a fresh code: the code (``BC-7K3QD``), and the moment that they are of.

    *held*: the lines of the ledger in them. The same figures shown within ten minutes keep their code.
    """
    given = json.dumps(figures, ensure_ascii=False, separators=(",", ":"))
    newest = _NEWEST.first(conn, unit=unit_id, of=year, since=now - SAME_WITHIN)
    if newest is not None and newest.figures == given:
        if actor.startswith("schedule:"):  # a summary bears the code, which has to stay as long as those of others
            _TELL.run(conn, printed=newest.code, by=actor)
        return newest.code, newest.as_of
    code = codes.printed(codes.new_report())
    while _OF.first(conn, printed=code) is not None:  # 14 million codes: seldom
        code = codes.printed(codes.new_report())
    without = ",".join(map(str, held.missing))
    _PUT.run(conn, printed=code, unit=unit_id, of=year, by=actor, now=now, line=held.line, without=without, given=given)
    return code, now


def of(conn: Connection, code: str) -> Run | None:
    """A run by its printed code; ``None`` where there is none (any more)."""
    row = _OF.first(conn, printed=code)
    if row is None:
        return None
    held = Held(row.ledger_id, tuple(int(line) for line in row.missing.split(",") if line))
    return Run(row.code, row.unit_id, row.year, row.made_by, row.as_of, held, json.loads(row.figures))


def asked(conn: Connection, code: str) -> None:
    """Somebody came back for a run by its code: it is kept for its whole time."""
    _ASKED.run(conn, printed=code)


def purge(conn: Connection, before: datetime, looks_before: datetime, most: int = 500) -> int:
    """Forget runs made before a moment, and those before *looks_before* that were only looked at, the oldest first, at
    most so many at once; how many."""
    return _PURGE.run(conn, before=before, looks_before=max(before, looks_before), most=most)


# ------------------------------------------------------------------------------------------ what happened since

_TWO_SIDED = frozenset({"move", "regroup"})  # each writes a line where the dossier was and one where it is


def since(conn: Connection, run: Run, unit: UnitRow, upto: Held, most: int | None = MOST_LINES) -> Since:
    """What happened at and below the run's unit from the lines that it holds to those in *upto*; at most *most* ledger
    lines are read (``None``: all)."""
    if most is not None and upto.line - run.held.line > most:
        return Since({}, read=False)
    low, high = bounds(unit)
    found = conn.execute(
        sa.select(
            ledger.c.why,
            sa.func.sum(sa.case((ledger.c.before.is_(None), 1), else_=0)).label("came"),
            sa.func.sum(sa.case((ledger.c.after.is_(None), 1), else_=0)).label("went"),
            sa.func.count().label("n"),
        )
        .select_from(ledger.join(units, units.c.id == ledger.c.unit_id))
        .where(
            sa.or_(ledger.c.id > run.held.line, ledger.c.id.in_(run.held.missing)),
            ledger.c.id <= upto.line,
            ledger.c.id.not_in(upto.missing),
            ledger.c.year == run.year,
            units.c.path >= low,
            units.c.path < high,
        )
        .group_by(ledger.c.why)
    )
    events = {}
    for row in found:
        n = int(row.came) - int(row.went) if row.why in _TWO_SIDED else int(row.n)
        if n:
            events[row.why] = n
    return Since(events)
