"""Imports (các lần nhập danh sách từ phần mềm trước): a list is imported row by row, a row once, and can be taken back.

A sheet of a file is a **run**; each row that was imported, or that led to somebody known, is a line of the run's ledger
(``import_rows``). So a row is imported once however often its file comes, and a run that was killed goes on.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import audit, claims, imported, titles
from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of
from storage.gazetteer import spelling
from storage.identity import KeyRing
from storage.imported import Imported, Known, Listed

SECONDS = 0.03  # of a batch: with its commit under 50 ms
UNDONE_AT_ONCE = 100
LOCK = 0x686F6375  # PostgreSQL's advisory lock of whoever imports: of two lists at once each would make the same person


class ImportRun(SQLModel, table=True):
    """A sheet of a file that was imported: its key (``digest``, :func:`key_of`), the file's name and the sheet's title,
    which list it is (``source``, as people are told), and on what ground, as who answers for the data has said it
    (``basis``)."""

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
    sheet: str = Field(default="", max_length=120, sa_column_kwargs={"server_default": ""})
    basis: str = Field(default="", max_length=300, sa_column_kwargs={"server_default": ""})


class ImportRow(SQLModel, table=True):
    """A row of a list that was imported: whom it led to, whether it made them, and the title that it gave or found.

    It stays when its person is erased, so that the same file does not bring them back. ``told``: a short hash of what
    the row said of unit, group and title, to see that a mended mapping reads it otherwise now.
    """

    __tablename__ = "import_rows"
    run_id: int = Field(primary_key=True, foreign_key="import_runs.id", sa_type=BigId)
    row: int = Field(primary_key=True)
    imported_id: int | None = Field(
        default=None, foreign_key="imported_people.id", ondelete="SET NULL", index=True, sa_type=BigId
    )
    title_id: int | None = Field(default=None, foreign_key="titles.id", ondelete="SET NULL", index=True, sa_type=BigId)
    made: bool = False
    told: str | None = Field(default=None, max_length=16)


runs = table_of(ImportRun)
import_rows = table_of(ImportRow)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as read; ``rows`` of its list are in the ledger now."""

    id: int
    digest: str
    file: str
    sheet: str
    source: str
    basis: str
    state: str
    by: str
    began_at: datetime
    ended_at: datetime | None
    rows: int


# ------------------------------------------------------------------------------------------ runs

_ROWS = sa.select(sa.func.count()).where(import_rows.c.run_id == runs.c.id).scalar_subquery()
_RUN_COLUMNS = (*(runs.c[name] for name in RunRow.__slots__ if name != "rows"), _ROWS.label("rows"))
_RUN = Prepared(sa.select(*_RUN_COLUMNS).where(runs.c.id == sa.bindparam("run")))
_RUN_OF = Prepared(sa.select(*_RUN_COLUMNS).where(runs.c.digest == sa.bindparam("sha")))
_LOCK = Prepared(sa.select(runs.c.state, runs.c.by).where(runs.c.id == sa.bindparam("run")).with_for_update())
_INSERT_RUN = Prepared(
    sa.insert(runs)
    .values(
        digest=sa.bindparam("sha"),
        file=sa.bindparam("called"),
        sheet=sa.bindparam("titled"),
        source=sa.bindparam("list"),
        basis=sa.bindparam("ground"),
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
_SOURCES = Prepared(
    sa.select(runs.c.source, runs.c.basis)
    .join(import_rows, import_rows.c.run_id == runs.c.id)
    .where(import_rows.c.imported_id == sa.bindparam("imported"))
    .distinct()
)


def key_of(file_digest: str, sheet: str) -> str:
    """The key of a run (hex): of a workbook each sheet is a list of its own. *sheet*: its title, empty for a CSV."""
    return hashlib.sha256(f"{file_digest}\0{sheet}".encode()).hexdigest()


def run_of(conn: Connection, digest: str, of_file: str = "") -> RunRow | None:
    """The run of a list, by its key; failing that by the file's own SHA-256 (*of_file*), under which it stands where
    it was imported before revision 0005."""
    row = _RUN_OF.first(conn, sha=digest)
    if row is None and of_file:
        row = _RUN_OF.first(conn, sha=of_file)
    return None if row is None else RunRow(*row)


def listing(conn: Connection) -> list[RunRow]:
    """Every run, the oldest first."""
    return [RunRow(*row) for row in conn.execute(sa.select(*_RUN_COLUMNS).order_by(runs.c.id))]


def sources_of(conn: Connection, imported_id: int) -> list[tuple[str, str]]:
    """The lists that somebody stands in, each with the ground on which it was taken over."""
    return [tuple(row) for row in _SOURCES.all(conn, imported=imported_id)]


def begin(
    conn: Connection,
    digest: str,
    file: str,
    source: str,
    by: str,
    now: datetime,
    *,
    sheet: str = "",
    basis: str = "",
    of_file: str = "",
) -> int:
    """Begin the run of a list (*digest*, *of_file*: :func:`run_of`), or go on with it; its id. One that is done
    stays so until a row of it is taken. Raises ``Refused("import_undoing", run)``."""
    _alone(conn)
    found = run_of(conn, digest, of_file)
    if found is None:
        run: int = _INSERT_RUN.value(
            conn, sha=digest, called=file[:120], titled=sheet[:120], list=source[:120], ground=basis[:300], actor=by,
            now=now,
        )  # fmt: skip
        audit.write(conn, by, "import.begin", f"import:{run}", now, basis=basis[:300])
        return run
    if found.state == "undoing":
        raise Refused("import_undoing", run=found.id)
    if found.state == "undone":
        _reopen(conn, found.id, by, now)
    return found.id


def _reopen(conn: Connection, run_id: int, by: str, now: datetime) -> None:
    _SET_RUN.run(conn, run=run_id, becomes="running", ended=None)
    audit.write(conn, by, "import.begin", f"import:{run_id}", now)


def end(conn: Connection, run_id: int, by: str, now: datetime) -> RunRow:
    """Every row of the list has had its turn; the run as it is now. Raises ``Refused("import_stopped", run)`` when
    somebody is taking it back."""
    state, _by = _locked(conn, run_id)
    if state in ("undoing", "undone"):
        raise Refused("import_stopped", run=run_id)
    if state == "running":
        _SET_RUN.run(conn, run=run_id, becomes="done", ended=now)
    row = _RUN.first(conn, run=run_id)
    assert row is not None
    found = RunRow(*row)
    if state == "running":
        audit.write(conn, by, "import.end", f"import:{run_id}", now, rows=found.rows)
    return found


def _alone(conn: Connection) -> None:
    """Nobody else imports or takes back until this transaction ends."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")


def _locked(conn: Connection, run_id: int) -> tuple[str, str]:
    """The run's state and who began it, nobody else importing. ``Refused("import_unknown", run)``."""
    _alone(conn)
    row = _LOCK.first(conn, run=run_id)
    if row is None:
        raise Refused("import_unknown", run=run_id)
    return row.state, row.by


# ------------------------------------------------------------------------------------------ rows

_THERE = Prepared(
    sa.select(import_rows.c.told, import_rows.c.imported_id).where(
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
        told=sa.bindparam("said"),
    )
)


_MET = Prepared(
    sa.select(import_rows.c.row)
    .join(titles.titles, titles.titles.c.id == import_rows.c.title_id)
    .where(
        import_rows.c.imported_id == sa.bindparam("imported"),
        import_rows.c.run_id == sa.bindparam("run"),
        import_rows.c.row != sa.bindparam("nth"),
        titles.titles.c.year == sa.bindparam("of"),
    )
    .limit(1)
)
_ASKED = {"import_number_taken": "taken", "import_like": "like", "import_several": "several"}


def _told(row: Listed) -> str:
    """A short hash of what a row says of unit, group and title: nothing that is somebody's."""
    title = row.title
    said: list[object] = [row.unit_id, row.subject_group]
    if title is not None:
        said += [title.year, title.unit_id, title.decision_number, title.decision_date]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def _stays(conn: Connection, there: Any, row: Listed) -> bool:
    """Does a row still say what its line in the ledger came from?"""
    if there.imported_id is None:
        return True
    if there.told is not None:
        return bool(there.told == _told(row))
    known = imported.by_id(conn, there.imported_id)  # from before 0005: perhaps another sheet of the same file
    return known is None or spelling(known.name) == spelling(row.name)


def verdict(
    known: Known, run_id: int | None, row: Listed, met: Container[tuple[int, int]] = ()
) -> tuple[str, Imported | None]:
    """What :func:`take` would make of a row, and of whom. Writes nothing. *met*: (entry, year of a title) to
    which rows have led that are not in the ledger yet.

    ``new``, ``added`` (a title of somebody known), ``known`` (nothing new); ``again`` (imported by this run before),
    ``changed`` (that too, but the mapping reads another unit, group or title now), ``taken`` (its id number is somebody
    else's), ``like`` (all is somebody's but the id number), ``several`` (it may be one of several people, or the one of
    another row with that year), ``forgotten`` (erased, not to come back), ``ours`` (its year has been worked here).
    """
    there = _THERE.first(known.conn, run=run_id, nth=row.row) if run_id is not None else None
    if there is not None:
        return ("again" if _stays(known.conn, there, row) else "changed"), None
    try:
        found = imported.find(known, row)
    except Refused as refused:
        return _ASKED[refused.code], None
    if found is None and known.forgotten(row):
        return "forgotten", None
    title = row.title
    if found is not None and title is not None and not imported.surely(known, row, found):
        twice = (found.id, title.year) in met
        if not twice and run_id is not None:
            twice = _MET.first(known.conn, run=run_id, nth=row.row, imported=found.id, of=title.year) is not None
        if twice:
            return "several", None
    if found is not None and (title is None or title.year in known.years(found)):
        return "known", found
    if title is not None and titles.worked_here(known.conn, known.commune(row.unit_id), title.year):
        return "ours", None
    return ("new" if found is None else "added"), found


def take(
    conn: Connection, run_id: int, rows: Sequence[Listed], now: datetime, ring: KeyRing, seconds: float = SECONDS
) -> list[tuple[int, str]]:
    """Import rows in order until the time is up, one at least; (row, verdict) of each that had its turn.

    One transaction, and a row is in it whole or not at all. Raises ``Refused("import_stopped", run)`` when the run is
    being taken back.
    """
    state, by = _locked(conn, run_id)
    if state in ("undoing", "undone"):
        raise Refused("import_stopped", run=run_id)
    known = Known(conn, ring)
    until = time.perf_counter() + seconds
    done = []
    for row in rows:
        found, who = verdict(known, run_id, row)
        while who is not None and not imported.locked(conn, who.id)[0]:  # erased at this very moment
            found, who = verdict(known, run_id, row)
        if found in ("new", "added", "known"):
            if state == "done":
                _reopen(conn, run_id, by, now)
                state = "running"
            _import(known, run_id, row, who, now, found)
        done.append((row.row, found))
        if time.perf_counter() >= until:
            break
    return done


def _import(known: Known, run_id: int, row: Listed, who: Imported | None, now: datetime, became: str) -> None:
    """The row's line, and what it brings: the title of a line is always one of its own entry."""
    conn = known.conn
    person = who.id if who is not None else imported.add(known, row, now)
    title = None
    if row.title is not None:
        title = titles.listed_of(conn, person, row.title.year)
        # One whom another entry gave that year has this entry's beside it, uncounted: it stays when the two are parted.
        if title is None and not (
            became == "known" and titles.worked_here(conn, known.commune(row.unit_id), row.title.year)
        ):
            title = titles.add_imported(
                conn, person, run_id=run_id, year=row.title.year, unit_id=row.title.unit_id, counted_id=row.unit_id,
                subject_group=row.subject_group, decision_number=row.title.decision_number,
                decision_date=row.title.decision_date, now=now,
            )  # fmt: skip
            if who is not None and who.person_id is not None:
                claims.settle(conn, who.person_id, now)
    _INSERT_ROW.run(
        conn, run=run_id, nth=row.row, imported=person, title=title, new=who is None, said=_told(row)
    )  # fmt: skip


def keep_marks(conn: Connection, ring: KeyRing, entries: Sequence[int]) -> None:
    """Mark the years of birth of entries that have none (:func:`storage.imported.unmarked`): erased on request, they
    would come back with the next list."""
    _alone(conn)
    known = Known(conn, ring)
    for each in entries:
        if imported.locked(conn, each)[0]:
            imported.keep_year(known, each)


# ------------------------------------------------------------------------------------------ taking back

_LEFT = Prepared(
    sa.select(import_rows.c.row)
    .where(import_rows.c.run_id == sa.bindparam("run"), import_rows.c.imported_id.is_not(None))
    .limit(1)
)
_NEXT = Prepared(
    sa.select(import_rows.c.row, import_rows.c.imported_id, import_rows.c.title_id)
    .where(
        import_rows.c.run_id == sa.bindparam("run"),
        import_rows.c.row > sa.bindparam("after"),
        import_rows.c.imported_id.is_not(None),  # who was erased counts for nothing, and is not to come back
    )
    .order_by(import_rows.c.row)
    .limit(sa.bindparam("most"))
)
_DROP_ROW = Prepared(
    sa.delete(import_rows)
    .where(import_rows.c.run_id == sa.bindparam("run"), import_rows.c.row == sa.bindparam("nth"))
    .returning(import_rows.c.made)
)
_OURS_FIRST = (import_rows.c.run_id != sa.bindparam("run"), import_rows.c.run_id, import_rows.c.row)
_ALSO_TITLE = Prepared(
    sa.select(import_rows.c.run_id)
    .where(import_rows.c.title_id == sa.bindparam("title"), import_rows.c.imported_id == sa.bindparam("imported"))
    .order_by(*_OURS_FIRST)
    .limit(1)
)
_ALSO_PERSON = Prepared(
    sa.select(import_rows.c.run_id, import_rows.c.row)
    .where(import_rows.c.imported_id == sa.bindparam("imported"))
    .order_by(*_OURS_FIRST)
    .limit(1)
)
_MAKE = Prepared(
    sa.update(import_rows)
    .where(import_rows.c.run_id == sa.bindparam("run"), import_rows.c.row == sa.bindparam("nth"))
    .values(made=sa.true())
)


@dataclass(frozen=True, slots=True)
class Undone:
    """A piece of a run that was taken back. ``after``: the row where the next begins, ``None`` at the end; ``kept``:
    ids of those whom an officer has confirmed, who stay; ``shared``: how many stay as another list has them too."""

    rows: int
    after: int | None
    kept: tuple[int, ...] = ()
    shared: int = 0


def undo(conn: Connection, run_id: int, by: str, now: datetime) -> None:
    """Begin to take a run back; :func:`undo_step` does it.

    Raises ``Refused``: ``import_unknown`` (run), ``import_undone`` (run): there is nothing left to take back.
    """
    state, _by = _locked(conn, run_id)
    if state == "undoing":
        return
    if state == "undone" and _LEFT.first(conn, run=run_id) is None:
        raise Refused("import_undone", run=run_id)
    _SET_RUN.run(conn, run=run_id, becomes="undoing", ended=None)
    audit.write(conn, by, "import.undo", f"import:{run_id}", now)


def undo_step(
    conn: Connection, run_id: int, by: str, now: datetime, after: int = -1, *, confirmed: bool = False
) -> Undone:
    """Take back a piece of a run that is being undone, from behind a row on.

    Whom another list has too stays, as that list's; whom an officer has confirmed stays with all that the run gave
    them, or with *confirmed* loses that as well. So nothing stands in the way of an undo, whatever happens meanwhile.
    """
    if _locked(conn, run_id)[0] != "undoing":
        return Undone(0, None)
    found = _NEXT.all(conn, run=run_id, after=after, most=UNDONE_AT_ONCE)
    rows, kept, shared = 0, [], 0
    for row in found:
        _there, person = imported.locked(conn, row.imported_id)
        if person is not None and not confirmed:
            kept.append(row.imported_id)
            continue
        rows += 1
        shared += _take_back(conn, run_id, row, person, now)
    if len(found) == UNDONE_AT_ONCE:
        return Undone(rows, found[-1].row, tuple(kept), shared)
    _SET_RUN.run(conn, run=run_id, becomes="undone", ended=now)
    audit.write(conn, by, "import.undone", f"import:{run_id}", now)
    return Undone(rows, None, tuple(kept), shared)


def _take_back(conn: Connection, run_id: int, row: Any, person: int | None, now: datetime) -> bool:
    """One row; does its person stay with another list?"""
    made = _DROP_ROW.value(conn, run=run_id, nth=row.row)  # perhaps since the row before was taken back
    title = titles.by_id(conn, row.title_id) if row.title_id is not None else None
    if title is not None and title.run_id == run_id:
        also = _ALSO_TITLE.value(conn, title=title.id, imported=row.imported_id, run=run_id)
        if also is None:
            titles.remove(conn, title, "import_undo", now)
            if person is not None:
                claims.settle(conn, person, now)  # another list may have that year too
        elif also != run_id:
            titles.hand_over(conn, title.id, also)
    if not made:
        return False
    other = _ALSO_PERSON.first(conn, imported=row.imported_id, run=run_id)
    if other is None:
        imported.drop(conn, row.imported_id)
        return False
    _MAKE.run(conn, run=other.run_id, nth=other.row)
    return bool(other.run_id != run_id)
