"""What a summary says of a unit (trang tổng hợp): made once for all who get it, and which could not be made.

A page refers to its chart in the blob store, so that the picture stays while somebody is still to get it; whoever has
got it refers to it as well (:func:`storage.evidence.put_chart`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import deletions
from storage.base import BigId, Connection, Prepared, UtcTime, table_of
from storage.schedules import RunRow, lock_open, runs

Wanted = tuple[int, int, str]  # run, unit, language
WAITS = (30, 120, 600, 1800)  # seconds before a page that could not be made is tried again
MOST_TRIES = len(WAITS) + 1
MOST_BEFORE = 48  # pages of one day, looked through for the one of the same hour


class SummaryPage(SQLModel, table=True):
    """What a run says of a unit, in one language, made once for all who get it. ``picture``: the chart's key in the
    blob store; ``report``: the code under which its figures are kept."""

    __tablename__ = "summary_pages"
    run_id: int = Field(primary_key=True, foreign_key="summary_runs.id", sa_type=BigId)
    unit_id: int = Field(primary_key=True, foreign_key="units.id", index=True)
    language: str = Field(primary_key=True, max_length=2)
    text: str = Field(sa_type=sa.Text)
    picture: str | None = Field(default=None, max_length=64)
    picture_size: int = 0
    report: str | None = Field(default=None, max_length=12)
    made_at: datetime = Field(sa_type=UtcTime)


class SummaryFault(SQLModel, table=True):
    """A page that could not be made: how often that was tried, when next."""

    __tablename__ = "summary_faults"
    __table_args__ = (sa.CheckConstraint("tries >= 1", name="tries"),)
    run_id: int = Field(primary_key=True, foreign_key="summary_runs.id", sa_type=BigId)
    unit_id: int = Field(primary_key=True, foreign_key="units.id", index=True)
    language: str = Field(primary_key=True, max_length=2)
    tries: int
    again_at: datetime = Field(sa_type=UtcTime)


pages = table_of(SummaryPage)
faults = table_of(SummaryFault)


@dataclass(frozen=True, slots=True)
class Page:
    """What a run says of a unit; ``picture`` a key of the blob store."""

    run_id: int
    unit_id: int
    language: str
    text: str
    picture: str | None
    picture_size: int
    report: str | None
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Made:
    """The pages of open runs: those that are made, those to wait with (for now, or for good)."""

    done: frozenset[Wanted]
    later: frozenset[Wanted]
    given_up: frozenset[Wanted]


_PAGE = tuple(pages.c[name] for name in Page.__slots__)
_PAGE_OF = Prepared(
    sa.select(*_PAGE).where(
        pages.c.run_id == sa.bindparam("run"),
        pages.c.unit_id == sa.bindparam("unit"),
        pages.c.language == sa.bindparam("spoken"),
    )
)
_MADE = Prepared(
    sa.select(pages.c.run_id, pages.c.unit_id, pages.c.language)
    .select_from(pages.join(runs, runs.c.id == pages.c.run_id))
    .where(runs.c.ended_at.is_(None))
)
_FAULTS = Prepared(
    sa.select(faults.c.run_id, faults.c.unit_id, faults.c.language, faults.c.tries, faults.c.again_at)
    .select_from(faults.join(runs, runs.c.id == faults.c.run_id))
    .where(runs.c.ended_at.is_(None))
)
_PUT_PAGE = Prepared(
    sa.insert(pages).values({name: sa.bindparam(f"new_{name}", type_=pages.c[name].type) for name in Page.__slots__})
)
_BEFORE = Prepared(
    sa.select(pages.c.report, runs.c.due_at)
    .select_from(pages.join(runs, runs.c.id == pages.c.run_id))
    .where(
        runs.c.schedule == sa.bindparam("named"),
        pages.c.unit_id == sa.bindparam("unit"),
        runs.c.due_at < sa.bindparam("day"),
        runs.c.planned_by != "cli",
        pages.c.report.is_not(None),
    )
    .order_by(runs.c.due_at.desc(), runs.c.id.desc())
    .limit(MOST_BEFORE)
)
_of_page = (
    faults.c.run_id == sa.bindparam("run"),
    faults.c.unit_id == sa.bindparam("unit"),
    faults.c.language == sa.bindparam("spoken"),
)
_TRIES = Prepared(sa.select(faults.c.tries).where(*_of_page))
_FIRST_FAULT = Prepared(
    sa.insert(faults).values(
        run_id=sa.bindparam("run"), unit_id=sa.bindparam("unit"), language=sa.bindparam("spoken"), tries=1,
        again_at=sa.bindparam("until"),
    )
)  # fmt: skip
_NEXT_FAULT = Prepared(
    sa.update(faults).where(*_of_page).values(tries=faults.c.tries + 1, again_at=sa.bindparam("until"))
)
_PICTURES = Prepared(
    sa.select(pages.c.picture).where(pages.c.run_id == sa.bindparam("run"), pages.c.picture.is_not(None))
)
_FORGET = Prepared(sa.update(pages).where(pages.c.run_id == sa.bindparam("run")).values(text="", picture=None))


def made(conn: Connection, now: datetime) -> Made:
    """How far the pages of open runs have come."""
    troubled = {(row.run_id, row.unit_id, row.language): row for row in _FAULTS.all(conn)}
    return Made(
        frozenset((row.run_id, row.unit_id, row.language) for row in _MADE.all(conn)),
        frozenset(each for each, row in troubled.items() if row.again_at > now),
        frozenset(each for each, row in troubled.items() if row.tries >= MOST_TRIES),
    )


def page(conn: Connection, run_id: int, unit_id: int, language: str) -> Page | None:
    """What a run says of a unit; ``None`` while it has not been made."""
    row = _PAGE_OF.first(conn, run=run_id, unit=unit_id, spoken=language)
    return None if row is None else Page(*row)


def put(conn: Connection, given: Page) -> bool:
    """Keep a page; ``False`` when somebody else has made it meanwhile."""
    lock_open(conn)
    if page(conn, given.run_id, given.unit_id, given.language) is not None:
        return False
    _PUT_PAGE.run(conn, **{f"new_{name}": getattr(given, name) for name in Page.__slots__})
    return True


def failed(conn: Connection, wanted: Wanted, now: datetime) -> int:
    """A page could not be made: it is tried again later, each time after a longer while, at most
    :data:`MOST_TRIES` times; how often that has been tried by now."""
    lock_open(conn)
    run_id, unit_id, language = wanted
    tries: int = _TRIES.value(conn, run=run_id, unit=unit_id, spoken=language) or 0
    until = now + timedelta(seconds=WAITS[min(tries, len(WAITS) - 1)])
    (_NEXT_FAULT if tries else _FIRST_FAULT).run(conn, run=run_id, unit=unit_id, spoken=language, until=until)
    return tries + 1


def given_up(conn: Connection, run_id: int, unit_id: int, language: str) -> bool:
    """Is a page not tried any more?"""
    tries: int = _TRIES.value(conn, run=run_id, unit=unit_id, spoken=language) or 0
    return tries >= MOST_TRIES


def report_before(conn: Connection, run: RunRow, unit_id: int, day: datetime) -> str | None:
    """The code of the report that the schedule told of a unit before the *day* (when that began) of this run: of the
    last day on which it came, the one of the same hour, for whoever has an own time heard that one; else the newest."""
    found = _BEFORE.all(conn, named=run.schedule, unit=unit_id, day=day)
    if not found:
        return None
    whole_day = timedelta(days=1)
    last = [row for row in found if found[0].due_at - row.due_at < whole_day]
    code: str = next((row for row in last if not (run.due_at - row.due_at) % whole_day), found[0]).report
    return code


def forget_words(conn: Connection, run_id: int, now: datetime) -> None:
    """A run has ended: its words and pictures go (whoever has got them has them), the codes of its figures stay."""
    pictures = [row.picture for row in _PICTURES.all(conn, run=run_id)]
    _FORGET.run(conn, run=run_id)
    deletions.after(conn, pictures, now)
