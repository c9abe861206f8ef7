"""Imported lists (danh sách nhập từ phần mềm trước): people without a chat, and the titles that they hold.

Who is imported has consented to nothing here, so they are no :class:`storage.people.Person`: nothing is sent to them,
no figure of this program counts them but their title, and what is held is what finding them again takes.

A file is a **run**, named by its digest; each row that was imported is a line of the run's ledger (``import_rows``).
So a row is imported once however often its file comes, a run that was killed goes on, and a run can be undone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import audit, identity, numbering, titles
from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of
from storage.gazetteer import spelling
from storage.identity import Traces
from storage.numbering import Next
from storage.people import PersonRow
from storage.titles import TitleRow
from storage.units import Unit

SECONDS = 0.03  # of a batch: with its commit under 50 ms
UNDONE_AT_ONCE = 100


class ImportRun(SQLModel, table=True):
    """A file that was imported: its SHA-256, its name, which list it is (``source``, as people are told)."""

    __tablename__ = "import_runs"
    __table_args__ = (
        sa.CheckConstraint("length(digest) = 64", name="digest"),
        sa.CheckConstraint("state in ('running', 'done', 'undoing', 'undone')", name="state"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    digest: str = Field(unique=True, max_length=64)
    file: str = Field(max_length=120)
    source: str = Field(max_length=120)
    state: str = Field(max_length=8)
    by: str = Field(max_length=32)
    began_at: datetime = Field(sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)


class ImportedPerson(SQLModel, table=True):
    """Somebody in an imported list, with their unit of today. ``person_id``: who of those who joined it is, once an
    officer has confirmed it. ``name_key`` is :func:`storage.gazetteer.spelling` of the name."""

    __tablename__ = "imported_people"
    __table_args__ = (
        sa.CheckConstraint("length(name) between 1 and 120", name="name"),
        sa.CheckConstraint("birth_year between 1900 and 2100", name="birth_year"),
        sa.CheckConstraint("length(phone) between 8 and 15", name="phone"),
        sa.Index("ix_imported_people_name_key_unit_id", "name_key", "unit_id"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    unit_id: int = Field(foreign_key="units.id", index=True)
    name: str = Field(max_length=120)
    name_key: str = Field(max_length=240)
    birth_year: int | None = None
    phone: str | None = Field(default=None, max_length=15)
    subject_group: str = Field(max_length=32)
    person_id: int | None = Field(default=None, foreign_key="people.id", index=True, sa_type=BigId)
    made_at: datetime = Field(sa_type=UtcTime)


class ImportRow(SQLModel, table=True):
    """A row of a file that was imported: whom it led to, whether it made them, and the title that it gave.

    It stays when its person is erased, so that the same file does not bring them back.
    """

    __tablename__ = "import_rows"
    run_id: int = Field(primary_key=True, foreign_key="import_runs.id", sa_type=BigId)
    row: int = Field(primary_key=True)
    imported_id: int | None = Field(
        default=None, foreign_key="imported_people.id", ondelete="SET NULL", index=True, sa_type=BigId
    )
    title_id: int | None = Field(default=None, foreign_key="titles.id", ondelete="SET NULL", index=True, sa_type=BigId)
    made: bool = False


runs = table_of(ImportRun)
imported_people = table_of(ImportedPerson)
import_rows = table_of(ImportRow)
units = table_of(Unit)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as read; ``rows`` of its file have been imported so far."""

    id: int
    digest: str
    file: str
    source: str
    state: str
    by: str
    began_at: datetime
    ended_at: datetime | None
    rows: int


@dataclass(frozen=True, slots=True)
class Past:
    """A title as a list tells it."""

    year: int
    unit_id: int  # then
    decision_number: str | None = None
    decision_date: date | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of a file, judged and found good. ``unit_id`` is a unit of today; ``number`` the traces of an id number."""

    row: int
    unit_id: int
    name: str
    birth_year: int | None
    phone: str | None
    number: Traces | None
    subject_group: str
    title: Past | None


@dataclass(frozen=True, slots=True)
class Imported:
    """Somebody in an imported list. ``person_id``: who it is of those who joined, confirmed; ``numbered``: an id number
    is kept."""

    id: int
    unit_id: int
    name: str
    birth_year: int | None
    phone: str | None
    person_id: int | None
    numbered: bool


# ------------------------------------------------------------------------------------------ runs

_ROWS = sa.select(sa.func.count()).where(import_rows.c.run_id == runs.c.id).scalar_subquery()
_RUN_COLUMNS = (*(runs.c[name] for name in RunRow.__slots__ if name != "rows"), _ROWS.label("rows"))
_RUN = Prepared(sa.select(*_RUN_COLUMNS).where(runs.c.id == sa.bindparam("run")))
_RUN_OF = Prepared(sa.select(*_RUN_COLUMNS).where(runs.c.digest == sa.bindparam("sha")))
_LOCK = Prepared(sa.select(runs.c.state).where(runs.c.id == sa.bindparam("run")).with_for_update())
_INSERT_RUN = Prepared(
    sa.insert(runs)
    .values(
        digest=sa.bindparam("sha"),
        file=sa.bindparam("called"),
        source=sa.bindparam("list"),
        state="running",
        by=sa.bindparam("actor"),
        began_at=sa.bindparam("now"),
    )
    .returning(runs.c.id)
)
_SET_RUN = Prepared(
    sa.update(runs)
    .where(runs.c.id == sa.bindparam("run"))
    .values(state=sa.bindparam("becomes"), ended_at=sa.bindparam("ended", type_=UtcTime))
)


def run_of(conn: Connection, digest: str) -> RunRow | None:
    """The run of a file, by its SHA-256 (hex)."""
    row = _RUN_OF.first(conn, sha=digest)
    return None if row is None else RunRow(*row)


def listing(conn: Connection) -> list[RunRow]:
    """Every run, the oldest first."""
    return [RunRow(*row) for row in conn.execute(sa.select(*_RUN_COLUMNS).order_by(runs.c.id))]


def begin(conn: Connection, digest: str, file: str, source: str, by: str, now: datetime) -> int:
    """Begin the run of a file, or go on with it; its id. Raises ``Refused("import_undoing", run)``."""
    found = run_of(conn, digest)
    if found is not None and found.state == "undoing":
        raise Refused("import_undoing", run=found.id)
    if found is None:
        run: int = _INSERT_RUN.value(conn, sha=digest, called=file[:120], list=source[:120], actor=by, now=now)
    else:
        run = found.id
        _SET_RUN.run(conn, run=run, becomes="running", ended=None)
    audit.write(conn, by, "import.begin", f"import:{run}", now)
    return run


def end(conn: Connection, run_id: int, by: str, now: datetime) -> RunRow:
    """Every row of the file has had its turn; the run as it is now."""
    _SET_RUN.run(conn, run=run_id, becomes="done", ended=now)
    row = _RUN.first(conn, run=run_id)
    assert row is not None
    found = RunRow(*row)
    audit.write(conn, by, "import.end", f"import:{run_id}", now, rows=found.rows)
    return found


def _locked(conn: Connection, run_id: int) -> str:
    """The run's state, nobody else working on it until this transaction ends. ``Refused("import_unknown", run)``."""
    state: str | None = _LOCK.value(conn, run=run_id)
    if state is None:
        raise Refused("import_unknown", run=run_id)
    return state


# ------------------------------------------------------------------------------------------ rows

_THERE = Prepared(
    sa.select(import_rows.c.row).where(
        import_rows.c.run_id == sa.bindparam("run"), import_rows.c.row == sa.bindparam("nth")
    )
)
_INSERT_ROW = Prepared(
    sa.insert(import_rows).values(
        run_id=sa.bindparam("run"),
        row=sa.bindparam("nth"),
        imported_id=sa.bindparam("imported"),
        title_id=sa.bindparam("title"),
        made=sa.bindparam("new"),
    )
)
_INSERT_PERSON = Prepared(
    sa.insert(imported_people)
    .values(
        id=Next("imported_people"),
        unit_id=sa.bindparam("unit"),
        name=sa.bindparam("called"),
        name_key=sa.bindparam("spelled"),
        birth_year=sa.bindparam("born"),
        phone=sa.bindparam("tel"),
        subject_group=sa.bindparam("group"),
        made_at=sa.bindparam("now"),
    )
    .returning(imported_people.c.id)
)
_NUMBERED = sa.exists(
    sa.select(identity.imported_identities.c.imported_id).where(
        identity.imported_identities.c.imported_id == imported_people.c.id
    )
).label("numbered")
_COLUMNS = (*(imported_people.c[name] for name in Imported.__slots__ if name != "numbered"), _NUMBERED)
_BY_ID = Prepared(sa.select(*_COLUMNS).where(imported_people.c.id == sa.bindparam("imported")))
_NAMESAKES = Prepared(
    sa.select(*_COLUMNS)
    .where(imported_people.c.name_key == sa.bindparam("spelled"), imported_people.c.unit_id == sa.bindparam("unit"))
    .order_by(imported_people.c.id)
)


def same(known: Imported, birth_year: int | None, phone: str | None, numbered: bool) -> bool:
    """May a row with this name, in this unit, be about somebody known? Pure; the numbers have been compared before.

    The year of birth or the phone must be the same, and nothing may speak against it: rather two entries for one person
    than one entry for two.
    """
    if known.numbered and numbered:
        return False
    for ours, theirs in ((known.birth_year, birth_year), (known.phone, phone)):
        if ours is not None and theirs is not None and ours != theirs:
            return False
    return (birth_year is not None and known.birth_year == birth_year) or (phone is not None and known.phone == phone)


def find(conn: Connection, row: Listed) -> Imported | None:
    """Who of the imported a row is about. Raises ``Refused("import_number_taken")`` where its id number is kept for
    somebody of another name."""
    if row.number is not None:
        bearer = identity.imported_with(conn, row.number)
        if bearer is not None:
            found = by_id(conn, bearer)
            assert found is not None
            if spelling(found.name) != spelling(row.name):
                raise Refused("import_number_taken")
            return found
    for each in _NAMESAKES.all(conn, spelled=spelling(row.name), unit=row.unit_id):
        known = Imported(*each)
        if same(known, row.birth_year, row.phone, row.number is not None):
            return known
    return None


def by_id(conn: Connection, imported_id: int) -> Imported | None:
    """Somebody in an imported list."""
    row = _BY_ID.first(conn, imported=imported_id)
    return None if row is None else Imported(*row)


def titles_of(conn: Connection, known: Imported) -> list[TitleRow]:
    """The titles of somebody in an imported list, wherever they lie now."""
    if known.person_id is not None:
        return titles.of_person(conn, known.person_id)
    return titles.of_imported(conn, known.id)


def verdict(conn: Connection, run_id: int | None, row: Listed) -> tuple[str, Imported | None]:
    """What :func:`take` would make of a row, and of whom: ``new``, ``added`` (a title of somebody known), ``known``
    (nothing new), ``again`` (imported by this run before), ``taken`` (its id number is somebody else's). Writes
    nothing."""
    if run_id is not None and _THERE.first(conn, run=run_id, nth=row.row) is not None:
        return "again", None
    try:
        known = find(conn, row)
    except Refused:
        return "taken", None
    if known is None:
        return "new", None
    title = row.title
    if title is None or any(each.year == title.year for each in titles_of(conn, known)):
        return "known", known
    return "added", known


def take(
    conn: Connection, run_id: int, rows: Sequence[Listed], now: datetime, seconds: float = SECONDS
) -> list[tuple[int, str]]:
    """Import rows in order until the time is up, one at least; (row, verdict) of each that had its turn.

    One transaction, and a row is in it whole or not at all. Raises ``Refused("import_stopped", run)`` when the run is
    being undone.
    """
    if _locked(conn, run_id) != "running":
        raise Refused("import_stopped", run=run_id)
    until = time.perf_counter() + seconds
    done = []
    for row in rows:
        found, known = verdict(conn, run_id, row)
        if found in ("new", "added"):
            _import(conn, run_id, row, known, now)
        done.append((row.row, found))
        if time.perf_counter() >= until:
            break
    return done


def _import(conn: Connection, run_id: int, row: Listed, known: Imported | None, now: datetime) -> None:
    if known is None:
        imported: int = _INSERT_PERSON.value(
            conn, unit=row.unit_id, called=row.name, spelled=spelling(row.name), born=row.birth_year, tel=row.phone,
            group=row.subject_group, now=now,
        )  # fmt: skip
        if row.number is not None:
            identity.keep_imported(conn, imported, row.number)
    else:
        imported = known.id
    title = None
    if row.title is not None:
        title = titles.add_imported(
            conn, imported, run_id=run_id, year=row.title.year, unit_id=row.title.unit_id, counted_id=row.unit_id,
            subject_group=row.subject_group, decision_number=row.title.decision_number,
            decision_date=row.title.decision_date, now=now,
        )  # fmt: skip
        if known is not None and known.person_id is not None:
            added = titles.by_id(conn, title)
            assert added is not None
            titles.give(conn, added, known.person_id)
    _INSERT_ROW.run(conn, run=run_id, nth=row.row, imported=imported, title=title, new=known is None)


# ------------------------------------------------------------------------------------------ undoing

_made_here = (
    sa.select(import_rows.c.imported_id)
    .where(import_rows.c.run_id == sa.bindparam("run"), import_rows.c.made)
    .scalar_subquery()
)
_GONE = Prepared(
    sa.select(sa.func.count())
    .select_from(import_rows)
    .where(import_rows.c.run_id == sa.bindparam("run"), import_rows.c.imported_id.is_(None))
)
_CLAIMED = Prepared(
    sa.select(sa.func.count(sa.distinct(imported_people.c.id)))
    .select_from(import_rows.join(imported_people, imported_people.c.id == import_rows.c.imported_id))
    .where(import_rows.c.run_id == sa.bindparam("run"), imported_people.c.person_id.is_not(None))
)
_LEANING = Prepared(
    sa.select(import_rows.c.run_id)
    .where(import_rows.c.run_id != sa.bindparam("run"), import_rows.c.imported_id.in_(_made_here))
    .distinct()
    .order_by(import_rows.c.run_id)
)
_UNDO = Prepared(
    sa.select(import_rows.c.row, import_rows.c.imported_id, import_rows.c.title_id, import_rows.c.made)
    .where(import_rows.c.run_id == sa.bindparam("run"))
    .order_by(import_rows.c.made, import_rows.c.row)  # a person goes after every title that was added to them
    .limit(sa.bindparam("most"))
)
_DROP_ROW = Prepared(
    sa.delete(import_rows).where(import_rows.c.run_id == sa.bindparam("run"), import_rows.c.row == sa.bindparam("nth"))
)
_DROP_PERSON = Prepared(sa.delete(imported_people).where(imported_people.c.id == sa.bindparam("imported")))


def undo(conn: Connection, run_id: int, by: str, now: datetime) -> None:
    """Begin to take a run back; :func:`undo_step` does it. From now on nobody of it can be claimed.

    Raises ``Refused``: ``import_unknown`` (run), ``import_undone`` (run), ``import_touched`` (run, n): so many were
    confirmed or erased meanwhile, ``import_leaned_on`` (run, runs): later lists added titles to its people; undo those
    first.
    """
    state = _locked(conn, run_id)
    if state == "undoing":
        return
    if state == "undone":
        raise Refused("import_undone", run=run_id)
    touched = _GONE.value(conn, run=run_id) + _CLAIMED.value(conn, run=run_id)
    if touched:
        raise Refused("import_touched", run=run_id, n=touched)
    leaning = tuple(row.run_id for row in _LEANING.all(conn, run=run_id))
    if leaning:
        raise Refused("import_leaned_on", run=run_id, runs=leaning)
    _SET_RUN.run(conn, run=run_id, becomes="undoing", ended=None)
    audit.write(conn, by, "import.undo", f"import:{run_id}", now)


def undo_step(conn: Connection, run_id: int, by: str, now: datetime) -> int:
    """Take back a piece of a run that is being undone; how many rows it were, 0 at the end."""
    if _locked(conn, run_id) != "undoing":
        return 0
    found = _UNDO.all(conn, run=run_id, most=UNDONE_AT_ONCE)
    for row in found:
        _DROP_ROW.run(conn, run=run_id, nth=row.row)
        title = titles.by_id(conn, row.title_id) if row.title_id is not None else None
        if title is not None:
            titles.remove(conn, title, "import_undo", now)
        if row.made and row.imported_id is not None:
            _drop(conn, row.imported_id)
    if not found:
        _SET_RUN.run(conn, run=run_id, becomes="undone", ended=now)
        audit.write(conn, by, "import.undone", f"import:{run_id}", now)
    return len(found)


def _drop(conn: Connection, imported_id: int) -> None:
    numbering.remember(conn, "imported_people")
    identity.remove_imported(conn, imported_id)
    _DROP_PERSON.run(conn, imported=imported_id)


# ------------------------------------------------------------------------------------------ who joined meanwhile

_PATH = Prepared(sa.select(units.c.path).where(units.c.id == sa.bindparam("unit")))
_NAMESAKES_BELOW = Prepared(
    sa.select(*_COLUMNS)
    .select_from(imported_people.join(units, units.c.id == imported_people.c.unit_id))
    .where(
        imported_people.c.name_key == sa.bindparam("spelled"),
        units.c.path >= sa.bindparam("low"),
        units.c.path < sa.bindparam("high"),
    )
    .order_by(imported_people.c.id)
)
_OF_PERSON = Prepared(
    sa.select(imported_people.c.id)
    .where(imported_people.c.person_id == sa.bindparam("person"))
    .order_by(imported_people.c.id)
)
_BOUND = Prepared(
    sa.update(imported_people)
    .where(imported_people.c.id == sa.bindparam("imported"), imported_people.c.person_id.is_(None))
    .values(person_id=sa.bindparam("person"))
)
_STATES = Prepared(
    sa.select(runs.c.state)
    .join(import_rows, import_rows.c.run_id == runs.c.id)
    .where(import_rows.c.imported_id == sa.bindparam("imported"))
    .order_by(runs.c.id)
    .with_for_update(of=runs)
)


@dataclass(frozen=True, slots=True)
class Match:
    """Somebody in an imported list who may be a person who joined. ``sure``: name and id number are the same, or name,
    commune, year of birth and phone; else name, commune and year of birth or phone. Nobody but an officer says that it
    is so."""

    imported: Imported
    titles: tuple[TitleRow, ...]
    sure: bool


def matches(conn: Connection, person: PersonRow) -> list[Match]:
    """Who of the imported lists, not yet confirmed as anybody, may be this person; those that are sure first."""
    found: dict[int, Match] = {}
    numbered = identity.imported_as(conn, person.id)
    if numbered is not None:
        known = by_id(conn, numbered)
        assert known is not None
        # A slip in one's own number may meet another's.
        alike = spelling(known.name) == spelling(person.name)
        found[known.id] = Match(known, tuple(titles_of(conn, known)), sure=alike)
    # The list names the commune, the chat perhaps a unit of the association in it; or the other way round.
    low = "".join(f"{code}/" for code in _PATH.value(conn, unit=person.unit_id).split("/")[:3])
    for row in _NAMESAKES_BELOW.all(conn, spelled=spelling(person.name), low=low, high=f"{low[:-1]}0"):
        known = Imported(*row)
        if known.id not in found and same(known, person.birth_year, person.phone, False):
            sure = known.birth_year == person.birth_year and known.phone is not None and known.phone == person.phone
            found[known.id] = Match(known, tuple(titles_of(conn, known)), sure)
    return sorted((each for each in found.values() if each.imported.person_id is None), key=lambda each: not each.sure)


def claim(conn: Connection, imported_id: int, person: PersonRow, actor: str, now: datetime) -> int:
    """An officer confirmed that this is who joined: the titles are theirs now; how many. Of two for one year one stays.

    Raises ``Refused("imported_gone")``: erased, confirmed as somebody's, or being undone.
    """
    states = {row.state for row in _STATES.all(conn, imported=imported_id)}
    if "undoing" in states or not _BOUND.run(conn, imported=imported_id, person=person.id):
        raise Refused("imported_gone")
    held = {each.year for each in titles.of_person(conn, person.id)}
    given = 0
    for title in titles.of_imported(conn, imported_id):
        if title.year in held:
            titles.remove(conn, title, "double", now)
        else:
            titles.give(conn, title, person.id)
            given += 1
    audit.write(conn, actor, "import.claim", f"person:{person.id}", now, person.unit_id, imported=imported_id)
    return given


# ------------------------------------------------------------------------------------------ forgetting

_IN_RANGE = (
    sa.select(imported_people.c.id, imported_people.c.unit_id)
    .where(
        imported_people.c.id > sa.bindparam("low"),
        imported_people.c.id <= sa.bindparam("high"),
        imported_people.c.made_at < sa.bindparam("before", type_=UtcTime),
        imported_people.c.person_id.is_(None),
    )
    .order_by(imported_people.c.id)
)


def forget(conn: Connection, imported_id: int, actor: str, now: datetime) -> bool:
    """Erase somebody of an imported list and, unless they joined and hold them now, their titles; were they there?

    The row of their file stays without them, so the same file does not bring them back.
    """
    known = by_id(conn, imported_id)
    if known is None:
        return False
    for title in titles.of_imported(conn, imported_id):
        titles.remove(conn, title, "erase", now)
    _drop(conn, imported_id)
    audit.write(conn, actor, "import.forget", f"imported:{imported_id}", now, known.unit_id)
    return True


def forget_person(conn: Connection, person: PersonRow, actor: str, now: datetime) -> None:
    """A person is being erased: their titles go, and who of the imported lists an officer has confirmed them to be.
    Others stay: what one says of oneself must not erase somebody else (``hoctap import forget`` does)."""
    titles.erase_of(conn, person.id, now)
    for row in _OF_PERSON.all(conn, person=person.id):
        forget(conn, row.id, actor, now)


def unclaimed_before(conn: Connection, before: datetime, low: int, high: int) -> Iterator[tuple[int, int]]:
    """(id, unit id) of those with low < id <= high who were imported before a moment and never joined."""
    for row in conn.execute(_IN_RANGE, {"low": low, "high": high, "before": before}):
        yield row.id, row.unit_id


def of_unit(conn: Connection, unit_path: str, name: str = "", most: int = 1_000) -> list[Imported]:
    """Who of the imported lists belongs to a unit or below it; with *name* only those called so. At most *most*."""
    query = (
        sa.select(*_COLUMNS)
        .select_from(imported_people.join(units, units.c.id == imported_people.c.unit_id))
        .where(units.c.path >= unit_path, units.c.path < f"{unit_path[:-1]}0")
        .order_by(imported_people.c.id)
        .limit(most)
    )
    if name:
        query = query.where(imported_people.c.name_key == spelling(name))
    return [Imported(*row) for row in conn.execute(query)]
