"""Units, seasons and criteria as the dialogs speak of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy.engine import Engine

import criteria
from criteria import CriteriaSet
from dialogs.states import Turn
from locales import _, day
from storage import seasons, units
from storage.assessments import AssessmentRow
from storage.base import Connection, Refused
from storage.seasons import Windows
from storage.units import Settings, UnitRow

CRITERIA_ID = criteria.DEFAULT_ID
_T = TypeVar("_T")


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


def windows(turn: Turn, unit: UnitRow, year: int | None = None) -> Windows:
    """The windows of a season for a unit: of *year* (an assessment's own), else of this year in Vietnam."""
    of = today(turn).year if year is None else year
    return _kept(turn, ("windows", unit.id, of), lambda: seasons.windows_at(turn.conn, of, unit.path))


def when_open(turn: Turn, season: Windows) -> str:
    """When self-assessment opens or that it has closed, in a sentence; nothing while it is open."""
    now = today(turn)
    if season.assessment_open(now):
        return ""
    if now < season.assessment_from:
        return _("season.opens", day=day(season.assessment_from))
    if season.year < now.year:
        return _("season.closed_year", year=season.year, day=day(season.assessment_to))
    return _("season.closed", day=day(season.assessment_to))


def here(turn: Turn, unit_id: int) -> UnitRow:
    """As :func:`unit_of`, a few seconds old at most."""
    return _kept(turn, ("unit", unit_id, 0), lambda: unit_of(turn.conn, unit_id))


def settings(turn: Turn, unit: UnitRow) -> Settings:
    """The settings in force at a unit, a few seconds old at most."""
    return _kept(turn, ("settings", unit.id, 0), lambda: units.settings(turn.conn, unit))


# Every turn asks for its unit, settings and windows, and they hardly ever change: they are kept for a few seconds, so
# that what an operator sets in another process holds as soon.
KEPT_SECONDS = 3.0
_Key = tuple[str, int, int]
_known: WeakKeyDictionary[Engine, dict[_Key, tuple[float, Any]]] = WeakKeyDictionary()


def _kept(turn: Turn, key: _Key, read: Callable[[], _T]) -> _T:
    kept = _known.setdefault(turn.conn.engine, {})
    found = kept.get(key)
    now = time.monotonic()
    if found is None or now - found[0] > KEPT_SECONDS:
        if len(kept) > 20_000:
            kept.clear()
        found = kept[key] = (now, read())
    return found[1]


def today(turn: Turn) -> date:
    """The calendar day in Vietnam."""
    return seasons.today(turn.now)


@lru_cache(maxsize=1)
def current_criteria() -> CriteriaSet:
    """The set that a new assessment is filed under: the newest version shipped."""
    return criteria.builtin(CRITERIA_ID)


def criteria_of(conn: Connection, row: AssessmentRow) -> CriteriaSet:
    """The set that an assessment was filed under, in the words of its province where that has active local wording."""
    if not _provinces_with_wording():
        return criteria.builtin(row.criteria_id, row.criteria_version)
    unit = units.by_id(conn, row.unit_id)
    steps = unit.path.split("/") if unit is not None else []
    return _worded(row.criteria_id, row.criteria_version, steps[1] if len(steps) > 1 else "")


@lru_cache(maxsize=1)
def _provinces_with_wording() -> frozenset[str]:
    return frozenset(each.province for each in criteria.overlays() if each.status == "active")


@lru_cache(maxsize=256)
def _worded(id: str, version: str, province: str) -> CriteriaSet:
    filed = criteria.builtin(id, version)
    for each in criteria.overlays():
        if each.status == "active" and (each.province, each.base, each.base_version) == (province, id, version):
            return criteria.with_overlay(filed, each)
    return filed
