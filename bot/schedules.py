"""The clockwork of summaries: every few seconds a look at the table, and a step further with whatever is due there.

Nothing is remembered here: planned runs, recipients, finished pages and what is in the outbox are rows, so that a
process that dies at any point leaves the rest to the next. Drawing runs ahead of sending, a few units at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from dialogs import summaries
from locales import Voice, speaking
from reports import runs
from reports import schedules as times
from reports.model import Chart
from reports.schedules import Schedule
from reports.summaries import pace, picture, text, year_told
from storage import deletions, events, reach, recipients, schedules, summary_pages, units
from storage.base import Connection
from storage.engine import TransientFailure
from storage.recipients import Holder, Recipient
from storage.schedules import Planned, RunRow, Wish
from storage.summary_pages import Made, Page, Wanted

log = logging.getLogger(__name__)

AT_ONCE = 96  # pages made before the next messages are put out
IN_A_ROW = 4  # of them reckoned one after the other in one batch of the writer: about 20 ms
BATCH = 40  # messages put out in one turn: under 50 ms
SETTLED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Means:
    """What a step needs of the running bot: a job of the writer, a long read, a chart's PNG, to keep a blob (its key);
    the schedules."""

    run: Callable[[Callable[[Connection], Any]], Awaitable[Any]]
    read: Callable[[Callable[[Connection], Any]], Awaitable[Any]]
    draw: Callable[[Chart, Voice], Awaitable[bytes]]
    keep: Callable[[bytes], Awaitable[str]]
    schedules: tuple[Schedule, ...]

    def named(self) -> dict[str, Schedule]:
        """The schedules by name."""
        return {each.name: each for each in self.schedules}


async def step(means: Means, now: datetime) -> int:
    """Plan, begin what is due, make pages, put messages out, take down how they fared; how many were put out.

    Comes to its end when nothing more can be done at this moment. Raises ``TransientFailure``.
    """
    known = means.named()
    open_runs, wanted = await means.read(partial(_standing, means=means, now=now))
    due = [each for each in open_runs if each.due_at <= now and each.begun_at is None]
    if wanted != schedules.to_come(open_runs, now) or any(each.schedule not in known for each in due):
        await means.run(partial(schedules.plan, wanted=wanted, now=now))
    # In its quiet hours a schedule begins nothing.
    ready = sorted({each.schedule for each in due if each.schedule in known})
    ready = [name for name in ready if times.quiet_until(known[name], now) is None]
    for name in ready:
        await means.run(partial(_begin, schedule=known[name], now=now))
    if ready:
        open_runs = await means.read(schedules.open_runs)
    begun = [each for each in open_runs if each.begun_at is not None]
    if not begun:
        return 0
    await _keep_quiet(means, begun, now)
    told = await _tell(means, now)
    await _take_down(means, now)
    return told


# ------------------------------------------------------------------------------------------ what is to come


def _standing(conn: Connection, means: Means, now: datetime) -> tuple[list[RunRow], set[Planned]]:
    """The open runs, and which are to come: of each schedule the next, and the next at each own time of officers."""
    own_times, since = schedules.own_times(conn), now.replace(second=0, microsecond=0)
    wanted: set[Planned] = set()
    for each in means.schedules:
        own = [None, *(minute for name, minute in own_times if name == each.name)]
        dues = {times.next_due(each, since, minute) for minute in own}
        wanted.update(Planned(each.name, due, each.cron, each.zone) for due in dues)
    return schedules.open_runs(conn), wanted


def _begin(conn: Connection, schedule: Schedule, now: datetime) -> None:
    """Write down who gets what is due of a schedule, the newest first: who is in that need not hear what a server that
    was down missed before. Only of officers with an own time where all that is due is theirs."""
    due = [
        each
        for each in schedules.open_runs(conn)
        if each.schedule == schedule.name and each.begun_at is None and each.due_at <= now
    ]
    wishes = schedules.wishes_for(conn, schedule.name)
    only: set[int] | None = None
    if all(each.planned_by == "system" and not _is_usual(schedule, each) for each in due):
        only = {officer_id for officer_id, wish in wishes.items() if wish.minute is not None}
    held = _held(conn, schedule, wishes, only)
    reaches = reach.of_officers(conn, only)
    had: set[int] = set()
    for run in sorted(due, key=lambda each: each.due_at, reverse=True):
        again = recipients.told_before_change(conn, schedule.name, times.day_of(schedule, run.due_at))
        chosen = [
            each
            for each in held
            if each.officer_id not in had
            and (
                run.planned_by != "system"
                or _is_for(schedule, run, wishes.get(each.officer_id), each.officer_id in again)
            )
        ]
        had.update(each.officer_id for each in chosen)
        found = [(each, reaches.get(each.officer_id)) for each in chosen]
        recipients.begin(conn, run.id, found, now, asked=run.planned_by != "system")


def _as_planned(schedule: Schedule, run: RunRow) -> Schedule:
    """The schedule as it read when the run was planned: a line changed since must not lose what was missed."""
    return replace(schedule, cron=run.cron, zone=run.zone) if run.cron else schedule


def _is_usual(schedule: Schedule, run: RunRow) -> bool:
    return times.is_due(_as_planned(schedule, run), run.due_at)


def _is_for(schedule: Schedule, run: RunRow, wish: Wish | None, told: bool) -> bool:
    """Is the run due at the officer's time? Who was *told* that day, and chose another time since, hears the same again
    only where it comes several times a day."""
    planned, minute = _as_planned(schedule, run), wish.minute if wish is not None else None
    if not times.is_due(planned, run.due_at, minute):
        return False
    return not (told and times.is_first_of_day(planned, run.due_at, minute))


def who_gets(conn: Connection, schedule: Schedule) -> list[Holder]:
    """Who gets a schedule, without those who paused it."""
    return _held(conn, schedule, schedules.wishes_for(conn, schedule.name), None)


def _held(conn: Connection, schedule: Schedule, wishes: dict[int, Wish], only: Collection[int] | None) -> list[Holder]:
    held = recipients.holders(conn, schedule.roles, times.level_of(schedule), only)
    return [each for each in held if each.officer_id not in wishes or not wishes[each.officer_id].paused]


async def _keep_quiet(means: Means, begun: Sequence[RunRow], now: datetime) -> None:
    """What a run could not send before its quiet hours waits for the morning."""
    known = means.named()
    for run in begun:
        schedule = known.get(run.schedule)
        until = times.quiet_until(schedule, now) if schedule is not None else None
        if until is not None and await means.read(partial(recipients.any_sooner, run_id=run.id, until=until)):
            await means.run(partial(recipients.postpone, run_id=run.id, until=until))


# ------------------------------------------------------------------------------------------ pages and messages


async def _tell(means: Means, now: datetime) -> int:
    """Make the pages that are missing and put out the messages whose pages are there, in turns of both."""
    told = 0
    known = means.named()
    while True:
        unsaid, made = await means.read(partial(_unsaid, now=now))
        wanted = _wanted(unsaid, known)
        lacking = {officer for officer, page in wanted if page not in made.done and page not in made.given_up}
        ready = list(dict.fromkeys(each.officer_id for each in unsaid if each.officer_id not in lacking))
        for first in range(0, len(ready), BATCH):
            told += await _deliver(means, known, ready[first : first + BATCH], now)
        # In the order in which people wait for them.
        missing = list(dict.fromkeys(page for _officer, page in wanted if page not in made.done))
        missing = [page for page in missing if page not in made.later and page not in made.given_up]
        if not missing:
            return told
        await _make(means, missing[:AT_ONCE], now)
        await _take_down(means, now)


def _unsaid(conn: Connection, now: datetime) -> tuple[list[Recipient], Made]:
    return recipients.unsaid(conn), summary_pages.made(conn, now)


def _wanted(unsaid: Sequence[Recipient], known: dict[str, Schedule]) -> list[tuple[int, Wanted]]:
    """(officer, page) for every page that somebody is to get."""
    return [
        (each.officer_id, (each.run_id, unit_id, each.language))
        for each in unsaid
        if each.schedule in known and known[each.schedule].content == "summary"
        for unit_id in each.unit_ids[: summaries.MOST_UNITS]
    ]


async def _deliver(means: Means, known: dict[str, Schedule], officer_ids: Sequence[int], now: datetime) -> int:
    """Put the messages of these officers out; how many. One whose message cannot be written holds up nobody else."""
    try:
        told: int = await means.run(partial(summaries.deliver, known=known, officer_ids=officer_ids, now=now))
    except TransientFailure:
        raise
    except Exception as error:  # noqa: BLE001 - logged without its words
        if len(officer_ids) > 1:
            return sum([await _deliver(means, known, [each], now) for each in officer_ids])
        log.error("the summary of officer %d cannot be written: %s", officer_ids[0], events.traced(error))
        await means.run(partial(recipients.give_up, officer_id=officer_ids[0], now=now, reason="defect"))
        return 0
    return told


async def _make(means: Means, missing: Sequence[Wanted], now: datetime) -> None:
    """Make these pages, each reckoned in a short turn and drawn while others are reckoned."""
    few = asyncio.Semaphore(IN_A_ROW)
    made = await asyncio.gather(*(_made(means, wanted, few, now) for wanted in missing))
    broken = [wanted for wanted, each in zip(missing, made, strict=True) if each is None]
    if broken:
        await means.run(partial(_put_off, broken=broken, now=now))
    found = [each for each in made if each is not None]
    for first in range(0, len(found), BATCH):
        await means.run(partial(_keep, made=found[first : first + BATCH], now=now))


async def _made(means: Means, wanted: Wanted, few: asyncio.Semaphore, now: datetime) -> Page | None:
    """A page with its chart; ``None``: not now, and the others are made all the same."""
    run_id, unit_id, language = wanted
    page: Page
    try:
        async with few:  # what waits for the writer together is one batch to it, and others' turns wait for that
            page, chart = await means.run(
                partial(_reckon, known=means.named(), run_id=run_id, unit_id=unit_id, language=language, now=now)
            )
        key, size = (None, 0) if chart is None else await _drawn(means, chart, language)
    except TransientFailure:
        raise
    except Exception as error:  # noqa: BLE001 - one unit's figures must not hold up the country's
        log.error("the summary of unit %d cannot be made; tried again later: %s", unit_id, events.traced(error))
        return None
    return replace(page, picture=key, picture_size=size)


def _reckon(
    conn: Connection, known: dict[str, Schedule], run_id: int, unit_id: int, language: str, now: datetime
) -> tuple[Page, Chart | None]:
    """A unit's page without its chart, in a language, and what is to be drawn, if anything. The figures are kept under
    a code that is the same in every language. Raises ``LookupError``: the run has ended."""
    unit = units.by_id(conn, unit_id)
    run = next((each for each in schedules.open_runs(conn) if each.id == run_id), None)
    if unit is None or run is None:
        raise LookupError("the run has ended")
    with speaking(Voice()):
        found = runs.publish(conn, unit, year_told(conn, unit, run.due_at), now, f"schedule:{run.schedule}")
    earlier = summary_pages.report_before(conn, run, unit_id, times.day_of(known[run.schedule], run.due_at))
    with speaking(Voice(language, "anh_chi")):
        told = runs.kept(conn, found.run) or found
        before = runs.kept(conn, earlier) if earlier is not None else None
        if before is not None and before.year != told.year:
            before = None
        below = pace(conn, unit, told)
        words = text(told, before, below)
        chart = None if told.empty else picture(told, below)
    return Page(run_id, unit_id, language, words, None, 0, told.run, told.as_of), chart


async def _drawn(means: Means, chart: Chart, language: str) -> tuple[str | None, int]:
    """The chart's key and size; ``None`` where it cannot be drawn: the words go alone."""
    try:
        image = await means.draw(chart, Voice(language, "anh_chi"))
        return await means.keep(image), len(image)
    except TransientFailure:
        raise
    except Exception as error:  # noqa: BLE001 - logged without its words
        log.error("the chart of a summary cannot be drawn: %s", events.traced(error))
        return None, 0


def _keep(conn: Connection, made: Sequence[Page], now: datetime) -> None:
    """Pages, each referring to its chart; one that another process has made meanwhile does not."""
    for page in made:
        kept = summary_pages.put(conn, page)
        if page.picture is not None:
            deletions.release(conn, page.picture)
            if not kept:
                deletions.after(conn, [page.picture], now)


def _put_off(conn: Connection, broken: Sequence[Wanted], now: datetime) -> None:
    for wanted in broken:
        if summary_pages.failed(conn, wanted, now) >= summary_pages.MOST_TRIES:
            log.error("the summary of unit %d is given up: whoever waits for it is settled as failed", wanted[1])


async def _take_down(means: Means, now: datetime) -> None:
    """How messages fared, as far as it is known, and which runs have come to their end."""
    while True:
        found = await means.read(partial(recipients.fared, most=SETTLED_AT_ONCE))
        if found:
            await means.run(partial(recipients.take_down, found=found, now=now))
        if len(found) < SETTLED_AT_ONCE:
            break
    if await means.read(recipients.any_over):
        await means.run(partial(recipients.end, now=now))
