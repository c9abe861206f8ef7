"""The charts of a whole push, 3,321 communes' and 34 provinces' own, against the time that sending them takes."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from datetime import UTC, datetime

import criteria
from benchmarks.bars import Bar
from reports.model import COMMUNE, PROVINCE, IndicatorMean, Row, UnitFigures, pages
from reports.pool import ChartPool
from storage import catalogue

WORKERS = 2
SENT_A_SECOND = 30  # what Telegram lets one bot send


def recipients() -> list[UnitFigures]:
    """The figures of every commune and province late in a year, by a seed."""
    units, dice, now = catalogue.read().units, random.Random(2026), datetime.now(UTC)
    indicators = criteria.builtin().indicators
    below: dict[str, list[Row]] = {}
    found = []
    for unit in units:
        if unit.vintage != "2025" or unit.level != COMMUNE or unit.parent is None:
            continue
        registered = dice.randint(40, 4000)
        submitted = dice.randint(0, registered)
        approved = dice.randint(0, submitted)
        below.setdefault(unit.parent, []).append(Row(unit.code, unit.name, registered, submitted, approved))
        means = tuple(IndicatorMean(each.id, each.short.vi, dice.uniform(3, 10), submitted) for each in indicators)
        found.append(
            UnitFigures(
                unit.code, unit.name, 2026, now, COMMUNE, registered, submitted, submitted, submitted - approved,
                approved=approved, indicators=means,
            )
        )  # fmt: skip
    for unit in units:
        if unit.level == PROVINCE:
            rows = tuple(below[unit.code])
            sums = (sum(getattr(row, key) for row in rows) for key in ("registered", "submitted", "approved"))
            registered, submitted, approved = sums
            found.append(
                UnitFigures(
                    unit.code, unit.name, 2026, now, PROVINCE, registered, submitted, submitted,
                    approved=approved, rows=rows,
                )
            )  # fmt: skip
    return found


async def _draw(wanted: list[UnitFigures]) -> tuple[float, float, int]:
    pool = ChartPool(WORKERS)
    began = time.perf_counter()
    await asyncio.gather(*(pool.draw(wanted[0]) for _n in range(4 * WORKERS)))
    warm = time.perf_counter()
    pictures = await asyncio.gather(*(pool.draw(each) for each in wanted))
    done = time.perf_counter()
    await pool.close()
    return warm - began, done - warm, sum(len(picture) for picture in pictures)


def measure() -> Bar:
    """The bar ``charts``: the first picture of each recipient; workers warm."""
    wanted = recipients()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start, took, size = asyncio.run(_draw(wanted))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # What the same needs on a machine at rest, whatever else this one does now.
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    notes = [
        f"{len(wanted)} charts in {took:.1f} s with {WORKERS} workers, {size / len(wanted) / 1024:.0f} KiB on average",
        f"{busy:.1f} s of processor in the workers with their start; {start:.1f} s to start and warm them",
        f"{sum(pages(figures) for figures in wanted)} pictures would be all pages of all provinces",
    ]
    return Bar("charts", took / (len(wanted) / SENT_A_SECOND), 1.0, False, notes)
