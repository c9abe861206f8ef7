"""The clockwork of summaries: every few seconds a look at the table, and a step further with whatever is due there.

Nothing is remembered here: planned runs, recipients, finished pages and what is in the outbox are rows, so that a
process that dies at any point leaves the rest to the next. Drawing runs ahead of sending, a few units at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from dialogs import summaries
from locales import Voice, speaking
from reports import runs
from reports import schedules as times
from reports.model import UnitFigures
from reports.schedules import LEVELS, Schedule
from reports.summaries import text
from storage import deletions, events, evidence, schedules, seasons, units
from storage.base import Connection
from storage.engine import TransientFailure
from storage.schedules import Holder, Page, Recipient, RunRow

log = logging.getLogger(__name__)

AT_ONCE = 96  # pages made before the next messages are put out
IN_A_ROW = 4  # of them reckoned one after the other in one batch of the writer: about 20 ms
BATCH = 40  # messages put out in one turn: under 50 ms
SETTLED_AT_ONCE = 500
ANY = LEVELS.index("any")

Wanted = tuple[int, int, str]  # run, unit, language


@dataclass(frozen=True, slots=True)
class Means:
    """What a step needs of the running bot: a job of the writer, a long read, a chart's PNG, to keep a blob (its key);
    the schedules."""

    run: Callable[[Callable[[Connection], Any]], Awaitable[Any]]
    read: Callable[[Callable[[Connection], Any]], Awaitable[Any]]
    draw: Callable[[UnitFigures, Voice], Awaitable[bytes]]
    keep: Callable[[bytes], Awaitable[str]]
    schedules: tuple[Schedule, ...]

    def named(self) -> dict[str, Schedule]:
        """The schedules by name."""
        return {each.name: each for each in self.schedules}


async def step(means: Means, now: datetime) -> int:
    """Plan, begin what is due, make pages, put messages out, take down how they fared; how many were put out.

    Comes to its end when nothing more can be done at this moment. Raises ``TransientFailure``.
    """
    open_runs, wanted = await means.read(partial(_standing, means=means, now=now))
    if wanted != {(each.schedule, each.due_at) for each in open_runs if each.due_at > now} or any(
        each.due_at <= now and each.begun_at is None for each in open_runs
    ):
        await means.run(partial(_begin, means=means, wanted=wanted, now=now))
        open_runs, _wanted = await means.read(partial(_standing, means=means, now=now))
    begun = [each for each in open_runs if each.begun_at is not None]
    if not begun:
        return 0
    await _keep_quiet(means, begun, now)
    told = await _tell(means, now)
    await _take_down(means, now)
    return told


# ------------------------------------------------------------------------------------------ what is to come


def _standing(conn: Connection, means: Means, now: datetime) -> tuple[list[RunRow], set[tuple[str, datetime]]]:
    """The open runs, and which are to come: of each schedule the next, and the next at each own time of officers."""
    own_times, since = schedules.own_times(conn), now.replace(second=0, microsecond=0)
    wanted: set[tuple[str, datetime]] = set()
    for each in means.schedules:
        own = [None, *(minute for name, minute in own_times if name == each.name)]
        wanted.update((each.name, times.next_due(each, since, minute)) for minute in own)
    return schedules.open_runs(conn), wanted


def _begin(conn: Connection, means: Means, wanted: set[tuple[str, datetime]], now: datetime) -> None:
    """Plan anew, and write down who gets what is due. In its quiet hours a schedule begins nothing."""
    schedules.plan(conn, wanted, now)
    known = means.named()
    taken: dict[str, set[int]] = {}
    # The newest first: who is in it need not hear what a server that was down missed before.
    for run in sorted(schedules.open_runs(conn), key=lambda each: each.due_at, reverse=True):
        schedule = known.get(run.schedule)
        if schedule is None or run.begun_at is not None or run.due_at > now or times.quiet_until(schedule, now):
            continue
        had = taken.setdefault(run.schedule, set())
        chosen = [each for each in recipients(conn, schedule, run) if each.officer_id not in had]
        had.update(each.officer_id for each in chosen)
        reaches = schedules.every_reach(conn)
        schedules.begin(
            conn,
            run.id,
            [(each, reaches.get(each.officer_id)) for each in chosen],
            now,
            asked=run.planned_by != "system",
        )


def recipients(conn: Connection, schedule: Schedule, run: RunRow | None = None) -> list[Holder]:
    """Who gets a schedule (a run of it: those whose own time it is), without those who paused it."""
    level = LEVELS.index(schedule.level)
    held = schedules.holders(conn, schedule.roles, None if level == ANY else level)
    wishes = schedules.every_wish(conn)
    due: dict[int | None, bool] = {}
    found = []
    for each in held:
        wish = wishes.get((each.officer_id, schedule.name))
        if wish is not None and wish.paused:
            continue
        if run is not None and run.planned_by == "system":
            minute = wish.minute if wish is not None else None
            if minute not in due:
                due[minute] = times.is_due(schedule, run.due_at, minute)
            if not due[minute]:
                continue
        found.append(each)
    return found


async def _keep_quiet(means: Means, begun: Sequence[RunRow], now: datetime) -> None:
    """What a run could not send before its quiet hours waits for the morning."""
    known = means.named()
    for run in begun:
        schedule = known.get(run.schedule)
        until = times.quiet_until(schedule, now) if schedule is not None else None
        if until is not None:
            await means.run(partial(schedules.postpone, run_id=run.id, until=until))


# ------------------------------------------------------------------------------------------ pages and messages


async def _tell(means: Means, now: datetime) -> int:
    """Make the pages that are missing and put out the messages whose pages are there, in turns of both."""
    told = 0
    known = means.named()
    while True:
        unsaid, made = await means.read(_unsaid)
        missing = _missing(unsaid, made, known)
        lacking = {officer for officer, wanted in _wanted(unsaid, known) if wanted not in made}
        ready = list(dict.fromkeys(each.officer_id for each in unsaid if each.officer_id not in lacking))
        for first in range(0, len(ready), BATCH):
            some = ready[first : first + BATCH]
            told += await means.run(partial(summaries.deliver, known=known, officer_ids=some, now=now))
        if not missing or not await _make(means, missing[:AT_ONCE], now):
            return told
        await _take_down(means, now)


def _unsaid(conn: Connection) -> tuple[list[Recipient], set[Wanted]]:
    return schedules.unsaid(conn), schedules.made_pages(conn)


def _wanted(unsaid: Sequence[Recipient], known: dict[str, Schedule]) -> list[tuple[int, Wanted]]:
    """(officer, page) for every page that somebody is to get."""
    return [
        (each.officer_id, (each.run_id, unit_id, each.language))
        for each in unsaid
        if each.schedule in known and known[each.schedule].content == "summary"
        for unit_id in each.unit_ids[: summaries.MOST_UNITS]
    ]


def _missing(unsaid: Sequence[Recipient], made: set[Wanted], known: dict[str, Schedule]) -> list[Wanted]:
    """The pages still to be made, in the order in which people wait for them."""
    return list(dict.fromkeys(wanted for _officer, wanted in _wanted(unsaid, known) if wanted not in made))


async def _make(means: Means, missing: Sequence[Wanted], now: datetime) -> int:
    """Make these pages, each reckoned in a short turn and drawn while others are reckoned; how many."""
    few = asyncio.Semaphore(IN_A_ROW)
    made = await asyncio.gather(*(_made(means, wanted, few, now) for wanted in missing))
    found = [each for each in made if each is not None]
    for first in range(0, len(found), BATCH):
        await means.run(partial(_keep, made=found[first : first + BATCH], now=now))
    return len(found)


async def _made(
    means: Means, wanted: Wanted, few: asyncio.Semaphore, now: datetime
) -> tuple[_Reckoned, tuple[str, int] | None] | None:
    """A page's figures, and its chart's key and size; ``None``: not now, and the others are made all the same."""
    run_id, unit_id, language = wanted
    async with few:  # what waits for the writer together is one batch to it, and others' turns wait for that
        try:
            reckoned = await means.run(partial(_reckon, run_id=run_id, unit_id=unit_id, language=language, now=now))
        except TransientFailure:
            raise
        except Exception as error:  # noqa: BLE001 - one unit's figures must not hold up the country's
            log.error("the figures of unit %d cannot be reckoned; tried again: %s", unit_id, events.traced(error))
            return None
    return None if reckoned is None else (reckoned, await _drawn(means, reckoned))


def year_of(due_at: datetime) -> int:
    """The year that a summary tells of: on 1 January still the one that has just ended."""
    return seasons.today(due_at - timedelta(days=1)).year


@dataclass(frozen=True, slots=True)
class _Reckoned:
    """A page's figures, labels in its language, and those of the summary before."""

    run_id: int
    unit_id: int
    language: str
    figures: UnitFigures
    before: UnitFigures | None


def _reckon(conn: Connection, run_id: int, unit_id: int, language: str, now: datetime) -> _Reckoned | None:
    """A unit's figures, kept under a code that is the same in every language; ``None``: the run has ended."""
    unit = units.by_id(conn, unit_id)
    run = next((each for each in schedules.open_runs(conn) if each.id == run_id), None)
    if unit is None or run is None:
        return None
    with speaking(Voice()):
        found = runs.publish(conn, unit, year_of(run.due_at), now, f"schedule:{run.schedule}")
    earlier = schedules.report_before(conn, run.schedule, unit_id, run_id)
    with speaking(Voice(language, "anh_chi")):
        told = runs.kept(conn, found.run) or found
        before = runs.kept(conn, earlier) if earlier is not None else None
    if before is not None and before.year != told.year:
        before = None
    return _Reckoned(run_id, unit_id, language, told, before)


async def _drawn(means: Means, reckoned: _Reckoned) -> tuple[str, int] | None:
    """The chart's key and size; ``None`` where there is nobody to draw, or it cannot be drawn: the words go alone."""
    if reckoned.figures.empty:
        return None
    try:
        image = await means.draw(reckoned.figures, Voice(reckoned.language, "anh_chi"))
        return await means.keep(image), len(image)
    except TransientFailure:
        raise
    except Exception as error:  # noqa: BLE001 - logged without its words
        log.error("the chart of a summary cannot be drawn: %s", events.traced(error))
        return None


def _keep(conn: Connection, made: Sequence[tuple[_Reckoned, tuple[str, int] | None]], now: datetime) -> None:
    """Pages, each with its chart: whose it is to see are those who wait for it."""
    for of, image in made:
        with speaking(Voice(of.language, "anh_chi")):
            words = text(of.figures, of.before)
        key, size = image or (None, 0)
        page = Page(of.run_id, of.unit_id, of.language, words, key, size, of.figures.run, of.figures.as_of)
        if schedules.put_page(conn, page) and key is not None:
            for contact_id in schedules.readers_of(conn, of.run_id, of.unit_id, of.language):
                evidence.put_chart(conn, contact_id, key, size, now)
        if key is not None:
            deletions.release(conn, key)


async def _take_down(means: Means, now: datetime) -> None:
    """How messages fared, as far as it is known, and which runs have come to their end."""
    while True:
        found = await means.read(partial(schedules.fared, most=SETTLED_AT_ONCE))
        if found:
            await means.run(partial(schedules.take_down, found=found, now=now))
        if len(found) < SETTLED_AT_ONCE:
            break
    if await means.read(schedules.any_over):
        await means.run(partial(schedules.end, now=now))
