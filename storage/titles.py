"""Titles (danh hiệu "Công dân học tập") that people hold, year by year, with the decision that gave each.

A title belongs to a person who has joined, or to one who stands in an imported list only (:mod:`storage.imports`).
What was imported is counted as ``recognised`` (được công nhận), a status of its own, through the ledger with
``why="import"``: a past year has neither registered nor not met, so nothing here may move a pass rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import counters, numbering
from storage.base import BigId, Connection, Prepared, UtcTime, table_of
from storage.numbering import Next
from storage.units import Unit

RECOGNISED = "recognised"  # the status that an imported title is counted under
FIRST_YEAR = 2020  # of the pilot


class Title(SQLModel, table=True):
    """A title of a year: whose, the unit then (``unit_id``, an old one too), the decision (quyết định) that gave it.

    ``counted_id``: the unit of today that counts it. Exactly one of ``person_id`` and ``imported_id`` is set.
    ``listed_id``: of a person's title, the entry of a list that it came from. ``counted``: false for one of a year for
    which whoever the entry was confirmed to be holds another.
    """

    __tablename__ = "titles"
    __table_args__ = (
        sa.UniqueConstraint("person_id", "year"),
        sa.UniqueConstraint("imported_id", "year"),
        sa.CheckConstraint("(person_id is null) <> (imported_id is null)", name="holder"),
        sa.CheckConstraint("year between 2020 and 2100", name="year"),
        sa.CheckConstraint("source in ('import', 'decision')", name="source"),
        sa.CheckConstraint("(source = 'import') = (run_id is not null)", name="run"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    person_id: int | None = Field(default=None, foreign_key="people.id", sa_type=BigId)
    imported_id: int | None = Field(default=None, foreign_key="imported_people.id", sa_type=BigId)
    year: int
    unit_id: int = Field(foreign_key="units.id")
    counted_id: int = Field(foreign_key="units.id")
    subject_group: str = Field(max_length=32)
    decision_number: str | None = Field(default=None, max_length=64)
    decision_date: date | None = None
    source: str = Field(max_length=8)
    run_id: int | None = Field(default=None, foreign_key="import_runs.id", index=True, sa_type=BigId)
    made_at: datetime = Field(sa_type=UtcTime)
    listed_id: int | None = Field(
        default=None, foreign_key="imported_people.id", ondelete="SET NULL", index=True, sa_type=BigId
    )
    counted: bool = Field(default=True, sa_column_kwargs={"server_default": sa.true()})


titles = table_of(Title)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class TitleRow:
    """A title as read."""

    id: int
    person_id: int | None
    imported_id: int | None
    year: int
    unit_id: int
    counted_id: int
    subject_group: str
    decision_number: str | None
    decision_date: date | None
    source: str
    run_id: int | None
    listed_id: int | None
    counted: bool


_COLUMNS = tuple(titles.c[name] for name in TitleRow.__slots__)
_OF_PERSON = Prepared(sa.select(*_COLUMNS).where(titles.c.person_id == sa.bindparam("person")).order_by(titles.c.year))
_OF_IMPORTED = Prepared(
    sa.select(*_COLUMNS).where(titles.c.imported_id == sa.bindparam("imported")).order_by(titles.c.year)
)
_BY_ID = Prepared(sa.select(*_COLUMNS).where(titles.c.id == sa.bindparam("title")))
_INSERT = Prepared(
    sa.insert(titles)
    .values(
        id=Next("titles"),
        imported_id=sa.bindparam("imported"),
        year=sa.bindparam("of"),
        unit_id=sa.bindparam("then"),
        counted_id=sa.bindparam("counting"),
        counted=sa.true(),
        subject_group=sa.bindparam("group"),
        decision_number=sa.bindparam("decision"),
        decision_date=sa.bindparam("day"),
        source="import",
        run_id=sa.bindparam("run"),
        made_at=sa.bindparam("now"),
    )
    .returning(titles.c.id)
)
_HOLD = Prepared(
    sa.update(titles)
    .where(titles.c.id == sa.bindparam("title"))
    .values(person_id=sa.bindparam("person"), imported_id=sa.bindparam("imported"), listed_id=sa.bindparam("listed"))
)
_COUNT = Prepared(
    sa.update(titles).where(titles.c.id == sa.bindparam("title")).values(counted=sa.bindparam("into", type_=sa.Boolean))
)
_HAND_OVER = Prepared(sa.update(titles).where(titles.c.id == sa.bindparam("title")).values(run_id=sa.bindparam("run")))
_LISTED = Prepared(
    sa.select(titles.c.id).where(
        titles.c.year == sa.bindparam("of"),
        sa.or_(titles.c.imported_id == sa.bindparam("listed"), titles.c.listed_id == sa.bindparam("listed")),
    )
)
_FROM = Prepared(sa.select(*_COLUMNS).where(titles.c.listed_id == sa.bindparam("listed")).order_by(titles.c.year))
_PATH = Prepared(sa.select(units.c.path).where(units.c.id == sa.bindparam("unit")))
_WORKED = Prepared(
    sa.select(counters.counters.c.n)
    .select_from(units.join(counters.counters, counters.counters.c.unit_id == units.c.id))
    .where(
        units.c.path >= sa.bindparam("low"),
        units.c.path < sa.bindparam("high"),
        counters.counters.c.year == sa.bindparam("of"),
        counters.counters.c.status != RECOGNISED,
        counters.counters.c.n > 0,
    )
    .limit(1)
)
_DROP = Prepared(sa.delete(titles).where(titles.c.id == sa.bindparam("title")))


def of_person(conn: Connection, person_id: int) -> list[TitleRow]:
    """The titles of a person who has joined, the oldest first."""
    return [TitleRow(*row) for row in _OF_PERSON.all(conn, person=person_id)]


def of_imported(conn: Connection, imported_id: int) -> list[TitleRow]:
    """The titles of somebody who stands in an imported list, the oldest first."""
    return [TitleRow(*row) for row in _OF_IMPORTED.all(conn, imported=imported_id)]


def by_id(conn: Connection, title_id: int) -> TitleRow | None:
    """A title by its row id."""
    row = _BY_ID.first(conn, title=title_id)
    return None if row is None else TitleRow(*row)


def commune_path(conn: Connection, unit_id: int) -> str:
    """``VN/22/06685/`` of the commune that a unit is or lies in."""
    return "".join(f"{code}/" for code in _PATH.value(conn, unit=unit_id).split("/")[:3])


def worked_here(conn: Connection, commune: str, year: int) -> bool:
    """Has this program itself counted anybody of that year in a commune (its path) or below? Then no list may count
    them once more."""
    return _WORKED.first(conn, low=commune, high=f"{commune[:-1]}0", of=year) is not None


def add_imported(
    conn: Connection,
    imported_id: int,
    *,
    run_id: int,
    year: int,
    unit_id: int,
    counted_id: int,
    subject_group: str,
    decision_number: str | None,
    decision_date: date | None,
    now: datetime,
) -> int:
    """A title out of an imported list, counted; its id. Once a year for whoever holds it (the schema holds that)."""
    found: int = _INSERT.value(
        conn, imported=imported_id, of=year, then=unit_id, counting=counted_id, group=subject_group,
        decision=decision_number, day=decision_date, run=run_id, now=now,
    )  # fmt: skip
    _count(conn, found, counted_id, year, subject_group, before=None, after=RECOGNISED, why="import", now=now)
    return found


def given_of(conn: Connection, imported_id: int) -> list[TitleRow]:
    """The titles that came from an entry of a list and are a person's now, the oldest first."""
    return [TitleRow(*row) for row in _FROM.all(conn, listed=imported_id)]


def listed_of(conn: Connection, imported_id: int, year: int) -> int | None:
    """The title of a year that an entry of a list has, or gave to whom it was confirmed to be."""
    found: int | None = _LISTED.value(conn, listed=imported_id, of=year)
    return found


def give(conn: Connection, title: TitleRow, person_id: int, now: datetime) -> None:
    """The title is this person's, who has joined, and counted. They must hold none of that year."""
    _HOLD.run(conn, title=title.id, person=person_id, imported=None, listed=title.imported_id)
    count(conn, title, True, "claim", now)


def give_back(conn: Connection, title: TitleRow) -> None:
    """The title is no longer the person's, but of the entry in a list that it came from; its count stays."""
    _HOLD.run(conn, title=title.id, person=None, imported=title.listed_id, listed=None)


def count(conn: Connection, title: TitleRow, into: bool, why: str, now: datetime) -> None:
    """Count a title that was not, or no longer. *why*: ``claim``, ``unclaim``, ``double``."""
    if title.counted == into:
        return
    _COUNT.run(conn, title=title.id, into=into)
    _shift(conn, title, into, why, now)


def hand_over(conn: Connection, title_id: int, run_id: int) -> None:
    """The list that a title came from is taken back; another has it too."""
    _HAND_OVER.run(conn, title=title_id, run=run_id)


def remove(conn: Connection, title: TitleRow, why: str, now: datetime) -> None:
    """Take a title away, and what was imported out of the counts. *why*: ``erase``, ``import_undo``."""
    numbering.remember(conn, "titles")
    _DROP.run(conn, title=title.id)
    if title.source == "import" and title.counted:
        _shift(conn, title, False, why, now)


def _shift(conn: Connection, title: TitleRow, into: bool, why: str, now: datetime) -> None:
    _count(
        conn, title.id, title.counted_id, title.year, title.subject_group,
        before=None if into else RECOGNISED, after=RECOGNISED if into else None, why=why, now=now,
    )  # fmt: skip


def _count(
    conn: Connection,
    title_id: int,
    unit_id: int,
    year: int,
    group: str,
    *,
    before: str | None,
    after: str | None,
    why: str,
    now: datetime,
) -> None:
    counters.shift(
        conn,
        assessment_id=-title_id,  # below zero: a title's line, never an assessment's
        unit_id=unit_id,
        year=year,
        subject_group=group,
        before=before,
        after=after,
        why=why,
        now=now,
    )


def erase_of(conn: Connection, person_id: int, now: datetime) -> None:
    """The person is being erased: their titles go, and out of the counts (ledger: ``erase``)."""
    for title in of_person(conn, person_id):
        remove(conn, title, "erase", now)
