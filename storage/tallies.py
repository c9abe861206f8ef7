"""What dossiers add up to besides their status, and how it grew week by week; kept behind the ledger, never in a turn.

``weeks`` holds how many more people had handed in, or been approved, at the end of a week than at its beginning, of a
unit and everything below it. ``tallies`` holds plain numbers, of a unit itself (``own``) and with everything below it
(``whole``), under these names:

- ``days/3``: dossiers decided on the third calendar day after they were last handed in (60: or later);
- ``waiting/2026-11-20``: dossiers that wait since they were handed in on that day;
- ``level/cdht/2026.1/A1/tot``: answers handed in with that level of that indicator under that version of the criteria,
  the officer's level before the citizen's;
- ``answers``, ``proved``: answers handed in, and how many of them have evidence beside them.

Days are calendar days in Vietnam. The ledger says what has changed: :func:`fold` reads it on from its own mark; what
changes without a line of it, the verbs say (:mod:`storage.stale`). :func:`refresh` counts those units anew, oldest
first. A recount proves both (:mod:`storage.recount`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Field, SQLModel

from storage import coverage
from storage.assessments import answers, assessments
from storage.base import BigId, Connection, Prepared, table_of
from storage.counters import ancestry, ledger
from storage.evidence import evidence
from storage.removed import removed
from storage.seasons import today
from storage.stale import HANDED_IN, stale, touch
from storage.units import Unit

MOST_DAYS = 60
REFRESHED = 20  # units counted anew at most at a tick, so that a busy country costs a few per cent of the writer


class Week(SQLModel, table=True):
    """How many more people of a unit and all below had handed in, or been approved, by the end of a week (tuần)."""

    __tablename__ = "weeks"
    __table_args__ = ({"sqlite_with_rowid": False},)
    unit_id: int = Field(primary_key=True, foreign_key="units.id")
    year: int = Field(primary_key=True)
    monday: date = Field(primary_key=True)
    submitted: int = 0
    approved: int = 0


class Tally(SQLModel, table=True):
    """How many of something a unit has itself, and with everything below it."""

    __tablename__ = "tallies"
    __table_args__ = ({"sqlite_with_rowid": False},)
    unit_id: int = Field(primary_key=True, foreign_key="units.id")
    year: int = Field(primary_key=True)
    what: str = Field(primary_key=True, max_length=128)
    own: int = 0
    whole: int = 0


class TallyMark(SQLModel, table=True):
    """The last ledger line that the weeks hold (one row)."""

    __tablename__ = "tallies_mark"
    id: int = Field(default=1, primary_key=True)
    ledger_id: int = Field(default=0, sa_type=BigId)


weeks = table_of(Week)
tallies = table_of(Tally)
mark = table_of(TallyMark)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class WeekRow:
    """The change within a week."""

    monday: date
    submitted: int
    approved: int


# ------------------------------------------------------------------------------------------ the ledger, week by week

# Vietnam has kept UTC+7 without summer time since 1975. A day's Monday: on to the Sunday of its week, six days back.
_MONDAY: dict[str, sa.ColumnElement[Any]] = {
    "sqlite": sa.func.strftime("%Y-%m-%d", ledger.c.at, "+7 hours", "weekday 0", "-6 days"),
    "postgresql": sa.func.to_char(
        sa.func.date_trunc("week", sa.func.timezone("Asia/Ho_Chi_Minh", ledger.c.at)), "YYYY-MM-DD"
    ),
}


def _gain(of: tuple[str, ...]) -> sa.ColumnElement[int]:
    """+1 for a line into these statuses, −1 for one out of them."""
    listed: list[sa.ColumnElement[str]] = [sa.literal_column(f"'{status}'") for status in of]

    def within(column: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        return sa.case((column.in_(listed), 1), else_=0)

    return sa.func.sum(within(ledger.c.after) - within(ledger.c.before))


def _by_week(dialect: str) -> Prepared:
    monday = _MONDAY[dialect].label("monday")
    return Prepared(
        sa.select(
            units.c.path,
            ledger.c.unit_id,
            ledger.c.year,
            monday,
            _gain(HANDED_IN).label("submitted"),
            _gain(("approved",)).label("approved"),
        )
        .select_from(ledger.join(units, units.c.id == ledger.c.unit_id))
        .where(ledger.c.id > sa.bindparam("mark"), ledger.c.id <= sa.bindparam("upto"))
        .group_by(units.c.path, ledger.c.unit_id, ledger.c.year, sa.text("monday"))
    )


_BY_WEEK = {dialect: _by_week(dialect) for dialect in _MONDAY}
_MARK = Prepared(sa.select(mark.c.ledger_id).where(mark.c.id == 1))
_MARK_LOCKED = Prepared(sa.select(mark.c.ledger_id).where(mark.c.id == 1).with_for_update())
_SET_MARK = Prepared(sa.update(mark).where(mark.c.id == 1).values(ledger_id=sa.bindparam("to")))
_FIRST_MARK = Prepared(sa.insert(mark).values(id=1, ledger_id=0))
_UPTO = Prepared(sa.select(sa.func.max(ledger.c.id)))
_UNIT_IDS = Prepared(sa.select(units.c.path, units.c.id))


def _upsert(table: sa.Table, keys: tuple[str, ...], added: tuple[str, ...]) -> dict[str, Prepared]:
    made = {}
    for name, insert in (("sqlite", sqlite_insert), ("postgresql", pg_insert)):
        statement = insert(table).values({each: sa.bindparam(f"new_{each}") for each in (*keys, *added)})
        grown = {each: table.c[each] + statement.excluded[each] for each in added}
        made[name] = Prepared(statement.on_conflict_do_update(index_elements=list(keys), set_=grown))
    return made


_ADD_WEEK = _upsert(weeks, ("unit_id", "year", "monday"), ("submitted", "approved"))
_ADD_TALLY = _upsert(tallies, ("unit_id", "year", "what"), ("own", "whole"))


def fold(conn: Connection, most: int = 20_000) -> int:
    """Read the ledger on from the mark: weeks grow, units that changed are noted; how many lines. Never in a turn.

    The mark's row is the lock of folding. On PostgreSQL writers of the ledger are waited for before its end is read:
    a line with a lower id may commit after one with a higher (as :func:`storage.counters.fold` does).
    """
    here = _MARK_LOCKED.value(conn)
    if here is None:
        coverage.begin(conn)
        _FIRST_MARK.run(conn)
        here = 0
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("LOCK TABLE status_ledger IN SHARE MODE")
    newest = _UPTO.value(conn)
    if newest is None or newest <= here:
        return 0
    upto = min(newest, here + most)
    found = _BY_WEEK[conn.dialect.name].all(conn, mark=here, upto=upto)
    ids = _ids(conn, {each for row in found for each in ancestry(row.path)})
    grown: Counter[tuple[int, int, str]] = Counter()
    approved: Counter[tuple[int, int, str]] = Counter()
    for row in found:
        for above in ancestry(row.path):
            key = (ids[above], row.year, row.monday)
            grown[key] += int(row.submitted)
            approved[key] += int(row.approved)
    for key in sorted(grown.keys() | approved.keys()):
        if grown[key] or approved[key]:
            _ADD_WEEK[conn.dialect.name].run(
                conn,
                new_unit_id=key[0],
                new_year=key[1],
                new_monday=date.fromisoformat(key[2]),
                new_submitted=grown[key],
                new_approved=approved[key],
            )
    for unit, year in sorted({(row.unit_id, row.year) for row in found}):
        touch(conn, unit, year)
    _SET_MARK.run(conn, to=upto)
    folded: int = upto - here
    return folded


def _ids(conn: Connection, paths: set[str]) -> dict[str, int]:
    """The ids of units by their path: of few paths one by one, since 13,000 units take longer."""
    if len(paths) > 200:
        return {row.path: row.id for row in _UNIT_IDS.all(conn)}
    return {path: _ID_OF.value(conn, the_path=path) for path in paths}


_ID_OF = Prepared(sa.select(units.c.id).where(units.c.path == sa.bindparam("the_path")))


# ------------------------------------------------------------------------------------------ counting a unit anew

_handed_in: list[sa.ColumnElement[str]] = [sa.literal_column(f"'{status}'") for status in HANDED_IN]
_OF_UNIT = (assessments.c.unit_id == sa.bindparam("unit"), assessments.c.year == sa.bindparam("of"))
_TIMES = Prepared(
    sa.select(assessments.c.status, assessments.c.submitted_at, assessments.c.decided_at).where(
        *_OF_UNIT, assessments.c.status.in_(_handed_in)
    )
)
_proved = sa.or_(
    sa.exists(
        sa.select(evidence.c.id).where(
            evidence.c.assessment_id == answers.c.assessment_id,
            evidence.c.indicator == answers.c.indicator,
            evidence.c.status != "declined",
        )
    ),
    sa.exists(
        sa.select(removed.c.assessment_id).where(
            removed.c.assessment_id == answers.c.assessment_id, removed.c.indicator == answers.c.indicator
        )
    ),
)
_level = sa.func.coalesce(answers.c.officer_level, answers.c.level)
_LEVELS = Prepared(
    sa.select(
        assessments.c.criteria_id,
        assessments.c.criteria_version,
        answers.c.indicator,
        _level.label("given"),
        sa.func.count().label("n"),
        sa.func.sum(sa.case((_proved, 1), else_=0)).label("proved"),
    )
    .select_from(assessments.join(answers, answers.c.assessment_id == assessments.c.id))
    .where(*_OF_UNIT, assessments.c.status.in_(_handed_in))
    .group_by(assessments.c.criteria_id, assessments.c.criteria_version, answers.c.indicator, _level)
)


def counted(conn: Connection, unit_id: int, year: int) -> dict[str, int]:
    """The tallies of a unit itself, from its dossiers: about 15 ms a thousand of them."""
    found: Counter[str] = Counter()
    for row in _TIMES.all(conn, unit=unit_id, of=year):
        if row.status == "submitted":
            found[f"waiting/{today(row.submitted_at).isoformat()}"] += 1
        elif row.decided_at is not None and row.submitted_at is not None:
            taken = (today(row.decided_at) - today(row.submitted_at)).days
            found[f"days/{min(max(taken, 0), MOST_DAYS)}"] += 1
    for row in _LEVELS.all(conn, unit=unit_id, of=year):
        found[f"level/{row.criteria_id}/{row.criteria_version}/{row.indicator}/{row.given}"] += row.n
        found["answers"] += row.n
        found["proved"] += int(row.proved)
    return {what: n for what, n in found.items() if n}


_OLDEST = Prepared(
    sa.select(stale.c.unit_id, stale.c.year, units.c.path)
    .select_from(stale.join(units, units.c.id == stale.c.unit_id))
    .order_by(stale.c.id)
    .limit(1)
)
_FRESH = Prepared(sa.delete(stale).where(stale.c.unit_id == sa.bindparam("unit"), stale.c.year == sa.bindparam("of")))
_OWN = Prepared(
    sa.select(tallies.c.what, tallies.c.own).where(
        tallies.c.unit_id == sa.bindparam("unit"), tallies.c.year == sa.bindparam("of"), tallies.c.own != 0
    )
)


def refresh(conn: Connection) -> bool:
    """Count the unit anew that has waited longest; was there one? Never in a turn; under the lock of folding."""
    _MARK_LOCKED.value(conn)
    row = _OLDEST.first(conn)
    if row is None:
        return False
    _FRESH.run(conn, unit=row.unit_id, of=row.year)  # first: a row that is not there yet is of what is not counted yet
    kept = {each.what: each.own for each in _OWN.all(conn, unit=row.unit_id, of=row.year)}
    now = counted(conn, row.unit_id, row.year)
    changes = {what: now.get(what, 0) - kept.get(what, 0) for what in now.keys() | kept.keys()}
    for unit in sorted(_ids(conn, set(ancestry(row.path))).values()):
        for what, by in sorted(changes.items()):
            if by:
                _ADD_TALLY[conn.dialect.name].run(
                    conn,
                    new_unit_id=unit,
                    new_year=row.year,
                    new_what=what,
                    new_own=by if unit == row.unit_id else 0,
                    new_whole=by,
                )
    return True


# ------------------------------------------------------------------------------------------ reading

_WHOLE = Prepared(
    sa.select(tallies.c.what, tallies.c.whole).where(
        tallies.c.unit_id == sa.bindparam("unit"), tallies.c.year == sa.bindparam("of"), tallies.c.whole != 0
    )
)
_WHOLE_OF_CHILDREN = Prepared(
    sa.select(tallies.c.unit_id, tallies.c.what, tallies.c.whole)
    .select_from(units.join(tallies, tallies.c.unit_id == units.c.id))
    .where(
        units.c.parent_id == sa.bindparam("unit"),
        tallies.c.year == sa.bindparam("of"),
        sa.func.substr(tallies.c.what, 1, sa.bindparam("size", type_=sa.Integer)) == sa.bindparam("prefix"),
        tallies.c.whole != 0,
    )
)
_WEEKS = Prepared(
    sa.select(weeks.c.monday, weeks.c.submitted, weeks.c.approved)
    .where(weeks.c.unit_id == sa.bindparam("unit"), weeks.c.year == sa.bindparam("of"))
    .order_by(weeks.c.monday)
)
_EVERYTHING = 2**62


def whole(conn: Connection, unit_id: int, year: int) -> dict[str, int]:
    """The tallies of a unit and everything below it, as they were when last counted (seconds ago, as a rule)."""
    return {row.what: row.whole for row in _WHOLE.all(conn, unit=unit_id, of=year)}


def whole_of_children(
    conn: Connection, unit_id: int, year: int, prefixes: tuple[str, ...] = ("",)
) -> dict[int, dict[str, int]]:
    """The same for each unit directly below: child id → tallies; of those only whose names begin so. A province of 168
    communes has 17,000 of them, nine in ten of them levels."""
    found: dict[int, dict[str, int]] = {}
    for prefix in prefixes:
        for row in _WHOLE_OF_CHILDREN.all(conn, unit=unit_id, of=year, size=len(prefix), prefix=prefix):
            found.setdefault(row.unit_id, {})[row.what] = row.whole
    return found


def waiting_of(conn: Connection, unit_ids: list[int], year: int) -> dict[int, dict[str, int]]:
    """Of each of these units, and everything below it, since when dossiers wait: its tallies ``waiting/…``."""
    found: dict[int, dict[str, int]] = {}
    for first in range(0, len(unit_ids), 500):
        rows = conn.execute(
            sa.select(tallies.c.unit_id, tallies.c.what, tallies.c.whole).where(
                tallies.c.unit_id.in_(unit_ids[first : first + 500]),
                tallies.c.year == year,
                tallies.c.what.like("waiting/%"),
                tallies.c.whole != 0,
            )
        )
        for row in rows:
            found.setdefault(row.unit_id, {})[row.what] = row.whole
    return found


def by_week(conn: Connection, unit_id: int, path: str, year: int) -> list[WeekRow]:
    """The changes of each week that has any, oldest first, exact now: the weeks kept and the ledger since."""
    here = _MARK.value(conn) or 0
    while True:  # a fold that commits between two statements of a turn would be counted twice, or not at all
        kept = _WEEKS.all(conn, unit=unit_id, of=year)
        tail = _BY_WEEK[conn.dialect.name].all(conn, mark=here, upto=_EVERYTHING)
        after = _MARK.value(conn) or 0
        if after == here:
            break
        here = after
    found = {row.monday: [row.submitted, row.approved] for row in kept}
    for row in tail:
        if row.year == year and row.path.startswith(path):
            sums = found.setdefault(date.fromisoformat(row.monday), [0, 0])
            sums[0] += int(row.submitted)
            sums[1] += int(row.approved)
    return [WeekRow(monday, *found[monday]) for monday in sorted(found) if any(found[monday])]


def monday_of(moment: datetime) -> date:
    """The Monday of a moment's week in Vietnam."""
    day = today(moment)
    return day - timedelta(days=day.weekday())
