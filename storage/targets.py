"""Targets (chỉ tiêu) that an officer sets for a unit's year, and how many people live there (dân số), by date."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import audit
from storage import units as unit_verbs
from storage.base import Connection, Prepared, Refused, UtcTime, table_of
from storage.units import COMMUNE, Unit, UnitRow, bounds

MEASURES = ("approved", "participation")
MOST_PEOPLE = 200_000_000


class Target(SQLModel, table=True):
    """What a unit wants to reach in a year: people approved (đạt), or the share of its people who take part.

    ``from_unit``: for which unit whoever set it acted; one set from above is changed from there, or from higher.
    """

    __tablename__ = "targets"
    __table_args__ = (
        sa.CheckConstraint("measure in ('approved', 'participation')", name="measure"),
        sa.CheckConstraint("value > 0 and (measure = 'approved' or value <= 1)", name="value"),
    )
    unit_id: int = Field(primary_key=True, foreign_key="units.id")
    year: int = Field(primary_key=True)
    measure: str = Field(primary_key=True, max_length=16)
    value: float
    set_by: str = Field(max_length=64)
    from_unit: int | None = Field(default=None, foreign_key="units.id")
    set_at: datetime = Field(sa_type=UtcTime)


class Population(SQLModel, table=True):
    """How many people a unit has on a day (dân số), as a file of the user said."""

    __tablename__ = "populations"
    __table_args__ = (sa.CheckConstraint("people > 0", name="people"),)
    unit_id: int = Field(primary_key=True, foreign_key="units.id")
    on_day: date = Field(primary_key=True)
    people: int
    set_at: datetime = Field(sa_type=UtcTime)


targets = table_of(Target)
populations = table_of(Population)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class Targets:
    """A unit's targets of a year: *approved* in people, *participation* 0 to 1; ``None`` where none is set."""

    approved: int | None = None
    participation: float | None = None


_OF = Prepared(
    sa.select(targets.c.measure, targets.c.value).where(
        targets.c.unit_id == sa.bindparam("unit"), targets.c.year == sa.bindparam("of")
    )
)
_KEY = (
    targets.c.unit_id == sa.bindparam("unit"),
    targets.c.year == sa.bindparam("of"),
    targets.c.measure == sa.bindparam("what"),
)
_DROP = Prepared(sa.delete(targets).where(*_KEY))
_PUT = Prepared(
    sa.insert(targets).values(
        unit_id=sa.bindparam("unit"),
        year=sa.bindparam("of"),
        measure=sa.bindparam("what"),
        value=sa.bindparam("number"),
        set_by=sa.bindparam("by"),
        from_unit=sa.bindparam("setter"),
        set_at=sa.bindparam("now"),
    )
)
_SET_FROM = Prepared(
    sa.select(units.c.path, units.c.name)
    .select_from(targets.join(units, units.c.id == targets.c.from_unit))
    .where(*_KEY)
)


def of(conn: Connection, unit_id: int, year: int) -> Targets:
    """The targets of a unit itself in a year; nothing is inherited."""
    found = {row.measure: row.value for row in _OF.all(conn, unit=unit_id, of=year)}
    approved = found.get("approved")
    return Targets(None if approved is None else int(approved), found.get("participation"))


def put(
    conn: Connection,
    unit_id: int,
    year: int,
    measure: str,
    value: float | None,
    actor: str,
    now: datetime,
    from_unit: int | None = None,
) -> None:
    """Set a target, or take it away with ``None``; whoever calls has checked the scope. *from_unit*: the unit for which
    the actor does so (``None``: the operator, who may change any).

    Raises ``Refused``: ``target_wrong`` (most): people approved are a whole number from 1 to *most*, a share lies over
    0 and at most 1; ``target_from_above`` (unit): it was set from there.
    """
    if value is not None and not (
        0 < value <= 1 if measure == "participation" else value == int(value) and 1 <= value <= MOST_PEOPLE
    ):
        raise Refused("target_wrong", most=MOST_PEOPLE)
    standing = _SET_FROM.first(conn, unit=unit_id, of=year, what=measure)
    if standing is not None and from_unit is not None:
        setter = unit_verbs.by_id(conn, from_unit)
        if setter is None or not standing.path.startswith(setter.path):
            raise Refused("target_from_above", unit=standing.name)
    _DROP.run(conn, unit=unit_id, of=year, what=measure)
    if value is not None:
        _PUT.run(conn, unit=unit_id, of=year, what=measure, number=float(value), by=actor, setter=from_unit, now=now)
    audit.write(conn, actor, "target.set", f"unit:{unit_id}", now, unit_id, year=year, measure=measure, value=value)


# ------------------------------------------------------------------------------------------ population

_PEOPLE = Prepared(
    sa.select(populations.c.people)
    .where(populations.c.unit_id == sa.bindparam("unit"), populations.c.on_day <= sa.bindparam("day"))
    .order_by(populations.c.on_day.desc())
    .limit(1)
)
_COMMUNES = Prepared(
    sa.select(units.c.id, units.c.path, populations.c.people)
    .select_from(
        units.outerjoin(
            populations, sa.and_(populations.c.unit_id == units.c.id, populations.c.on_day <= sa.bindparam("day"))
        )
    )
    .where(
        units.c.path >= sa.bindparam("low"),
        units.c.path < sa.bindparam("high"),
        units.c.level == COMMUNE,
        units.c.valid_to.is_(None),
    )
    .order_by(units.c.path, populations.c.on_day)
)
_ANY = Prepared(sa.select(populations.c.unit_id).limit(1))


def people_of(conn: Connection, unit: UnitRow, day: date) -> int | None:
    """How many people a unit had on a day by the newest figure until then: its own, else the sum of its communes where
    each has one; ``None`` where it cannot be known."""
    if _ANY.first(conn) is None:
        return None
    own: int | None = _PEOPLE.value(conn, unit=unit.id, day=day)
    if own is not None or unit.level >= COMMUNE:
        return own
    low, high = bounds(unit)
    newest = {row.id: row.people for row in _COMMUNES.all(conn, low=low, high=high, day=day)}
    return None if not newest or None in newest.values() else sum(newest.values())


_PEOPLE_OF_CHILDREN = Prepared(
    sa.select(populations.c.unit_id, populations.c.people)
    .select_from(units.join(populations, populations.c.unit_id == units.c.id))
    .where(units.c.parent_id == sa.bindparam("unit"), populations.c.on_day <= sa.bindparam("day"))
    .order_by(populations.c.on_day)
)


def people_of_children(conn: Connection, children: tuple[UnitRow, ...], day: date) -> dict[int, int]:
    """The same for units of one parent: id → people, without those of whom it is not known."""
    if not children or children[0].parent_id is None or _ANY.first(conn) is None:
        return {}
    found = {row.unit_id: row.people for row in _PEOPLE_OF_CHILDREN.all(conn, unit=children[0].parent_id, day=day)}
    for child in children:
        if child.id not in found:
            people = people_of(conn, child, day)
            if people is not None:
                found[child.id] = people
    return found


@dataclass(frozen=True, slots=True)
class PopulationRow:
    """A row of a file, found good."""

    unit_id: int
    people: int


MOST_ROWS = 20_000
ROWS_A_TIME = 200  # written in one transaction, beside a running bot: a few milliseconds


def judged(conn: Connection, lines: list[str]) -> tuple[list[PopulationRow], list[dict[str, int | str]]]:
    """The rows of a CSV file with the columns ``unit`` (a unit's code of today) and ``people``; commas or semicolons.

    The good ones, and of each wrong one ``line`` (from 1), ``why`` (``header``, ``unit``, ``twice``, ``people``,
    ``many``) and the ``text`` that is wrong.
    """
    delimiter = ";" if lines and ";" in lines[0] else ","
    given = csv.reader(lines, delimiter=delimiter)
    header = [name.strip().lower() for name in next(given, [])]
    if "unit" not in header or "people" not in header:
        return [], [{"line": 1, "why": "header", "text": ", ".join(header)[:80]}]
    at_unit, at_people = header.index("unit"), header.index("people")
    rows: list[PopulationRow] = []
    wrong: list[dict[str, int | str]] = []
    seen: set[int] = set()
    for cells in given:
        if not any(cell.strip() for cell in cells):
            continue
        if len(rows) + len(wrong) >= MOST_ROWS:
            wrong.append({"line": given.line_num, "why": "many", "text": str(MOST_ROWS)})
            break
        code, people = ((cells[at].strip() if at < len(cells) else "") for at in (at_unit, at_people))
        unit = unit_verbs.by_code(conn, code) if code else None
        digits = re.sub(r"[.,\s]", "", people)
        why, text = "", ""
        if unit is None or unit.valid_to is not None:
            why, text = "unit", code
        elif unit.id in seen:
            why, text = "twice", code
        elif not re.fullmatch("[0-9]{1,9}", digits) or not 1 <= int(digits) <= MOST_PEOPLE:
            why, text = "people", people
        if why or unit is None:
            wrong.append({"line": given.line_num, "why": why, "text": text[:40]})
        else:
            seen.add(unit.id)
            rows.append(PopulationRow(unit.id, int(digits)))
    return rows, wrong


_DROP_POPULATION = Prepared(
    sa.delete(populations).where(
        populations.c.unit_id == sa.bindparam("unit"), populations.c.on_day == sa.bindparam("day")
    )
)
_PUT_POPULATION = Prepared(
    sa.insert(populations).values(
        unit_id=sa.bindparam("unit"), on_day=sa.bindparam("day"), people=sa.bindparam("n"), set_at=sa.bindparam("now")
    )
)


def put_population(conn: Connection, unit_id: int, day: date, people: int, now: datetime) -> None:
    """How many people a unit has on a day; another figure of that day is replaced.

    Raises ``Refused("people_wrong", most)``.
    """
    if not 1 <= people <= MOST_PEOPLE:
        raise Refused("people_wrong", most=MOST_PEOPLE)
    _DROP_POPULATION.run(conn, unit=unit_id, day=day)
    _PUT_POPULATION.run(conn, unit=unit_id, day=day, n=people, now=now)


def import_begins(conn: Connection, day: date, rows: int, people: int, actor: str, now: datetime) -> None:
    """A file of so many good rows is about to be written: so says the audit trail."""
    audit.write(conn, actor, "population.import", f"day:{day.isoformat()}", now, rows=rows, people=people)
