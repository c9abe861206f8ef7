"""How far the roll-out has come (độ phủ): people bound, communes without an officer, communes without a scan yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from storage.base import Connection, Prepared, table_of
from storage.officers import officer_roles
from storage.people import people
from storage.rollout import rollout, upserts
from storage.units import COMMUNE, Unit, UnitRow, bounds, children, own_settings_below, settings

units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the roll-out has come at and below a unit: people bound, open communes, and how many of these have no
    officer, or no scan yet."""

    bound: int
    communes: int
    without_officer: int
    without_scan: int


def begin(conn: Connection) -> None:
    """Count everybody who is bound, once, in a database that comes from before this was kept."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("LOCK TABLE rollout IN EXCLUSIVE MODE")
    conn.execute(sa.update(rollout).values(bound=0))
    add = upserts(bound=sa.bindparam("by"))[conn.dialect.name]
    counted = sa.select(people.c.unit_id, sa.func.count().label("n")).group_by(people.c.unit_id)
    for row in sorted(conn.execute(counted), key=lambda each: each.unit_id):
        add.run(conn, unit=row.unit_id, by=row.n, now=None)


_BOUND = Prepared(
    sa.select(sa.func.coalesce(sa.func.sum(rollout.c.bound), 0))
    .select_from(units.join(rollout, rollout.c.unit_id == units.c.id))
    .where(units.c.path >= sa.bindparam("low"), units.c.path < sa.bindparam("high"))
)
_officer = units.c.id.in_(sa.select(officer_roles.c.unit_id).where(officer_roles.c.until.is_(None)))
_scan = units.c.id.in_(sa.select(rollout.c.unit_id).where(rollout.c.first_scan_at.is_not(None)))
# "+ 0": by the index of levels the communes of the whole country, closed ones too, would be found before the path is.
_OPEN_COMMUNES = (
    units.c.path >= sa.bindparam("low"),
    units.c.path < sa.bindparam("high"),
    units.c.level + 0 == sa.literal_column(str(COMMUNE)),
    units.c.valid_to.is_(None),
)
_COUNTED = Prepared(
    sa.select(
        sa.func.count().label("communes"),
        sa.func.coalesce(sa.func.sum(sa.case((_officer, 0), else_=1)), 0).label("without_officer"),
        sa.func.coalesce(sa.func.sum(sa.case((_scan, 0), else_=1)), 0).label("without_scan"),
    )
    .select_from(units)
    .where(*_OPEN_COMMUNES)
)
_COMMUNES = Prepared(sa.select(units.c.path, _officer.label("officer"), _scan.label("scan")).where(*_OPEN_COMMUNES))
_EACH_BOUND = Prepared(
    sa.select(units.c.path, rollout.c.bound)
    .select_from(units.join(rollout, rollout.c.unit_id == units.c.id))
    .where(units.c.path >= sa.bindparam("low"), units.c.path < sa.bindparam("high"), rollout.c.bound > 0)
)


def reach(conn: Connection, unit: UnitRow) -> Reach:
    """The roll-out at and below a unit, exact now: about 8 ms for the country."""
    low, high = bounds(unit)
    found = _COUNTED.first(conn, low=low, high=high)
    assert found is not None
    return Reach(
        int(_BOUND.value(conn, low=low, high=high)),
        found.communes,
        int(found.without_officer),
        int(found.without_scan),
    )


def reach_of_children(conn: Connection, unit: UnitRow, child_paths: dict[str, int]) -> dict[int, Reach]:
    """The same for each unit directly below (*child_paths*: path → child id)."""
    low, high = bounds(unit)
    found = {child: [0, 0, 0, 0] for child in child_paths.values()}
    depth = unit.path.count("/") + 1

    def child_of(path: str) -> int | None:
        return child_paths.get("/".join(path.split("/")[:depth]) + "/")

    for row in _EACH_BOUND.all(conn, low=low, high=high):
        child = child_of(row.path)
        if child is not None:
            found[child][0] += row.bound
    for row in _COMMUNES.all(conn, low=low, high=high):
        child = child_of(row.path)
        if child is not None:
            for place, counts in enumerate((True, not row.officer, not row.scan), 1):
                found[child][place] += counts
    return {child: Reach(*counted) for child, counted in found.items()}


def closed_below(conn: Connection, unit: UnitRow, day: date) -> set[int]:
    """The units directly below that are not open yet on a day (làm điểm), by their own setting or by one above."""
    usual = settings(conn, unit).open_from > day
    own = {id for _path, id, _value in own_settings_below(conn, unit, "open_from")}
    return {
        child.id
        for child in children(conn, unit.id)
        if (settings(conn, child).open_from > day if child.id in own else usual)
    }
