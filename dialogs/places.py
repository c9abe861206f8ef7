"""Units, seasons and criteria as the dialogs speak of them."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import criteria
from criteria import CriteriaSet
from dialogs.states import Turn
from locales import _
from storage import seasons, units
from storage.assessments import AssessmentRow
from storage.base import Connection, Refused
from storage.seasons import Windows
from storage.units import Settings, UnitRow

CRITERIA_ID = criteria.DEFAULT_ID


def unit_of(conn: Connection, unit_id: int) -> UnitRow:
    """A unit by row id. Raises ``Refused("unit_unknown")``."""
    unit = units.by_id(conn, unit_id)
    if unit is None:
        raise Refused("unit_unknown", code=unit_id)
    return unit


def place(conn: Connection, unit: UnitRow) -> str:
    """``Phường Hồng Gai, Thành phố Quảng Ninh``."""
    return ", ".join(units.full_name(conn, unit).parts)


def association(unit: UnitRow) -> str:
    """``Hội Khuyến học Phường Hồng Gai``: who reviews there."""
    return _("place.association", unit=unit.name)


def controller(settings: Settings, unit: UnitRow) -> str:
    """Who answers for the data: the setting, else the unit's association (doctor insists on a setting)."""
    return settings.controller or association(unit)


def whom_to_ask(settings: Settings) -> str:
    """``Cần hỏi: bà Lan, 0203 382 5555.``, or nothing where the unit has not said."""
    if settings.contact_name and settings.contact_phone:
        return _("place.contact", name=settings.contact_name, phone=settings.contact_phone)
    if settings.contact_phone:
        return _("place.contact_phone", phone=settings.contact_phone)
    return ""


def windows(turn: Turn, unit: UnitRow) -> Windows:
    """The season's windows for a unit, this year in Vietnam."""
    known = turn.memo.get(("windows", unit.id))
    if known is None:
        known = seasons.windows_at(turn.conn, today(turn).year, unit.path)
        turn.memo["windows", unit.id] = known
    return known


def here(turn: Turn, unit_id: int) -> UnitRow:
    """As :func:`unit_of`, read once in a turn."""
    known = turn.memo.get(("unit", unit_id))
    if known is None:
        known = turn.memo["unit", unit_id] = unit_of(turn.conn, unit_id)
    return known


def settings(turn: Turn, unit: UnitRow) -> Settings:
    """The settings in force at a unit, read once in a turn."""
    known = turn.memo.get(("settings", unit.id))
    if known is None:
        known = turn.memo["settings", unit.id] = units.settings(turn.conn, unit)
    return known


def today(turn: Turn) -> date:
    """The calendar day in Vietnam."""
    return seasons.today(turn.now)


@lru_cache(maxsize=1)
def current_criteria() -> CriteriaSet:
    """The set that a new assessment is filed under: the newest version shipped."""
    return criteria.builtin(CRITERIA_ID)


def criteria_of(row: AssessmentRow) -> CriteriaSet:
    """The set that an assessment was filed under."""
    return criteria.builtin(row.criteria_id, row.criteria_version)
