"""Seasons (đợt): a year with its windows for registration, self-assessment and decision, in Asia/Ho_Chi_Minh.

The default windows are a reconstruction (the Association's calendar was not found); ``hoctap doctor`` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import Connection, Prepared, Refused, table_of
from storage.units import Unit

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


class Season(SQLModel, table=True):
    """The windows of a year: of the country (``unit_id`` of the centre) or a province's own."""

    __tablename__ = "seasons"
    __table_args__ = (
        sa.CheckConstraint("registration_from <= registration_to", name="registration"),
        sa.CheckConstraint("assessment_from <= assessment_to", name="assessment"),
        sa.CheckConstraint("decision_from <= decision_to", name="decision"),
    )
    year: int = Field(primary_key=True)
    unit_id: int = Field(primary_key=True, foreign_key="units.id")
    registration_from: date
    registration_to: date
    assessment_from: date
    assessment_to: date
    decision_from: date
    decision_to: date


seasons = table_of(Season)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class Windows:
    """A season as a turn sees it; each window's both days belong to it."""

    year: int
    registration_from: date
    registration_to: date
    assessment_from: date
    assessment_to: date
    decision_from: date
    decision_to: date

    def registration_open(self, day: date) -> bool:
        """May a citizen register on that day?"""
        return self.registration_from <= day <= self.registration_to

    def assessment_open(self, day: date) -> bool:
        """May questions be answered and dossiers submitted on that day?"""
        return self.assessment_from <= day <= self.assessment_to

    def decision_open(self, day: date) -> bool:
        """May officers decide on that day?"""
        return self.decision_from <= day <= self.decision_to


def default_windows(year: int) -> Windows:
    """Registration 1/1–30/11, self-assessment 1/9–30/11, decision 1/10–31/12 (a reconstruction)."""
    return Windows(
        year,
        registration_from=date(year, 1, 1),
        registration_to=date(year, 11, 30),
        assessment_from=date(year, 9, 1),
        assessment_to=date(year, 11, 30),
        decision_from=date(year, 10, 1),
        decision_to=date(year, 12, 31),
    )


def open_all_year(year: int) -> Windows:
    """Every window open from 1 January to 31 December (the demo's season)."""
    first, last = date(year, 1, 1), date(year, 12, 31)
    return Windows(year, first, last, first, last, first, last)


def today(now: datetime) -> date:
    """The calendar day in Vietnam at a moment."""
    return now.astimezone(ZONE).date()


_WINDOWS = Prepared(
    sa.select(
        seasons.c.year,
        seasons.c.registration_from,
        seasons.c.registration_to,
        seasons.c.assessment_from,
        seasons.c.assessment_to,
        seasons.c.decision_from,
        seasons.c.decision_to,
    )
    .select_from(seasons.join(units, units.c.id == seasons.c.unit_id))
    .where(
        seasons.c.year == sa.bindparam("of"),
        sa.or_(units.c.path == sa.bindparam("centre"), units.c.path == sa.bindparam("province")),
    )
    .order_by(units.c.level.desc())
    .limit(1)
)


def windows_at(conn: Connection, year: int, path: str) -> Windows:
    """The windows in force at a unit's path: its province's own, else the country's, else the default."""
    parts = path.split("/")
    row = _WINDOWS.first(conn, of=year, centre=f"{parts[0]}/", province="/".join(parts[:2]) + "/")
    return default_windows(year) if row is None else Windows(*row)


def set_windows(conn: Connection, unit_id: int, given: Windows) -> None:
    """Set the windows of a year for the country or a province. Raises ``Refused("season_windows")`` when one is
    upside down."""
    if not (
        given.registration_from <= given.registration_to
        and given.assessment_from <= given.assessment_to
        and given.decision_from <= given.decision_to
    ):
        raise Refused("season_windows", year=given.year)
    values = {name: getattr(given, name) for name in Windows.__dataclass_fields__ if name != "year"}
    changed = conn.execute(
        sa.update(seasons).where(seasons.c.year == given.year, seasons.c.unit_id == unit_id).values(**values)
    )
    if changed.rowcount == 0:
        conn.execute(sa.insert(seasons).values(year=given.year, unit_id=unit_id, **values))


def known_years(conn: Connection) -> list[int]:
    """Years that have windows of their own written down."""
    return list(conn.execute(sa.select(seasons.c.year).distinct().order_by(seasons.c.year)).scalars())
