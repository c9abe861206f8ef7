"""Reports that stay what they were (báo cáo đã lập): figures kept under a code ``BC-…``, read again, and compared."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from reports.figures import group_labels, reckoned
from reports.model import GroupRow, IndicatorMean, Row, UnitFigures
from storage import report_runs, units
from storage.base import Connection, Refused
from storage.report_runs import MOST_LINES, Since
from storage.units import UnitRow

_NOT_KEPT = ("as_of", "run")  # columns of their own


@dataclass(frozen=True, slots=True)
class Compared:
    """A report as it was, the same figures now, and what the ledger says happened in between."""

    then: UnitFigures
    now: UnitFigures
    since: Since


def publish(
    conn: Connection, unit: UnitRow, year: int, now: datetime, actor: str, *, means: bool = False
) -> UnitFigures:
    """A unit's figures with every measure, kept under a code, which they carry with the moment they are of. Writes.

    *actor* as in the audit trail (``officer:3``, ``schedule:weekly``, ``cli``). The same figures again within ten
    minutes keep their code and moment. *means*: see :func:`reports.figures.whole_figures`.
    """
    found, held = reckoned(conn, unit, year, now, means=means)
    code, as_of = report_runs.keep(conn, unit.id, year, _values(found), held, actor, now)
    return replace(found, run=code, as_of=as_of)


def kept(conn: Connection, code: str) -> UnitFigures | None:
    """The figures kept under a code, labels in the voice in force; ``None`` where there are none (any more)."""
    run = report_runs.of(conn, code)
    if run is None:
        return None
    unit = units.by_id(conn, run.unit_id)
    labels = group_labels(conn, unit) if unit is not None else {}
    return _restored(run.figures, labels, run.code, run.as_of)


def compared(conn: Connection, code: str, now: datetime, most: int | None = MOST_LINES) -> Compared:
    """A report and what has changed since; at most *most* ledger lines are read (``None``: all).

    Raises ``Refused("report_unknown", code)`` where there is no such report (any more).
    """
    run = report_runs.of(conn, code)
    unit = None if run is None else units.by_id(conn, run.unit_id)
    if run is None or unit is None:
        raise Refused("report_unknown", code=code)
    then = _restored(run.figures, group_labels(conn, unit), run.code, run.as_of)
    found, held = reckoned(conn, unit, run.year, now)
    return Compared(then, found, report_runs.since(conn, run, unit, held, most))


def unit_of(conn: Connection, code: str) -> UnitRow:
    """The unit that a report is of. Raises ``Refused("report_unknown", code)``."""
    run = report_runs.of(conn, code)
    unit = None if run is None else units.by_id(conn, run.unit_id)
    if unit is None:
        raise Refused("report_unknown", code=code)
    return unit


def _values(found: UnitFigures) -> dict[str, Any]:
    return {name: value for name, value in asdict(found).items() if name not in _NOT_KEPT}


def _restored(values: dict[str, Any], labels: dict[str, str], code: str, as_of: datetime) -> UnitFigures:
    known = {name: value for name, value in values.items() if name in UnitFigures.__dataclass_fields__}
    groups = (GroupRow(**each) for each in values["by_group"])
    known["by_group"] = tuple(replace(each, label=labels.get(each.id, each.label)) for each in groups)
    known["rows"] = tuple(Row(**each) for each in values["rows"])
    known["indicators"] = tuple(IndicatorMean(**each) for each in values["indicators"])
    return UnitFigures(**known, as_of=as_of, run=code)
