"""A list from judgement to import: tried out (nothing is written), or imported in short batches beside a bot."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy.engine import Engine

from bot.imports.judging import Judge, Judged, Problem
from bot.imports.mapping import Mapping
from bot.imports.places import Places
from bot.imports.sheets import Layout, digest, rows_of
from storage import identity, imports, seasons
from storage.engine import is_transient, reading, writing
from storage.gazetteer import spelling
from storage.identity import KeyRing
from storage.imports import Imported, Listed

BATCH = 400  # rows offered to a transaction, which takes as many as fit into its time
ATTEMPTS = 6
BY = "cli"

Tell = Callable[[str, int, int], None]  # what is being done, how many of how many (0: not known)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row: ``new``, ``added``, ``known``, ``again``, ``ask``, ``wrong``; its problems and notes."""

    row: int
    verdict: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """A file, row by row. ``run``: the id of its run, ``None`` for a trial."""

    layout: Layout
    outcomes: tuple[Outcome, ...]
    run: int | None = None

    def counts(self) -> dict[str, int]:
        """Verdict → how many rows."""
        found: dict[str, int] = {}
        for each in self.outcomes:
            found[each.verdict] = found.get(each.verdict, 0) + 1
        return found


def judged(
    engine: Engine, file: Path, mapping: Mapping, ring: KeyRing, now: datetime, tell: Tell
) -> tuple[Layout, list[Judged]]:
    """Every row of the file, judged before anything is written. Raises :class:`bot.imports.mapping.ImportFault`."""
    found = []
    with rows_of(file, mapping) as (layout, lines):
        judge = Judge(
            mapping,
            layout,
            Places(engine, mapping),
            seasons.today(now),
            (lambda number: identity.traces(ring, number)) if mapping.has("id_number") else None,
        )
        for each in judge.all(lines):
            found.append(each)
            if len(found) % 1000 == 0:
                tell("judge", len(found), 0)
    return layout, found


def trial(engine: Engine, file: Path, mapping: Mapping, ring: KeyRing, now: datetime, tell: Tell) -> Result:
    """What :func:`run` would make of the file, row by row; writes nothing."""
    layout, rows = judged(engine, file, mapping, ring, now, tell)
    with reading(engine) as conn:
        earlier = imports.run_of(conn, digest(file))
        beside = _Beside()
        outcomes = []
        for each in rows:
            verdict = each.verdict
            if each.listed is not None:
                verdict, known = imports.verdict(conn, earlier.id if earlier else None, each.listed)
                verdict = beside.verdict(each.listed, verdict, known)
            outcomes.append(_outcome(each, verdict))
    return Result(layout, tuple(outcomes))


def run(
    engine: Engine, file: Path, mapping: Mapping, ring: KeyRing, clock: Callable[[], datetime], tell: Tell
) -> Result:
    """Import the good rows of the file, those of them that it has not imported before.

    Raises :class:`bot.imports.mapping.ImportFault` before anything is written, and ``Refused`` (``import_undoing``,
    ``import_stopped``: somebody undoes it meanwhile). Killed and run again, it ends the same.
    """
    layout, rows = judged(engine, file, mapping, ring, clock(), tell)
    sha = digest(file)
    with writing(engine) as conn:
        number = imports.begin(conn, sha, file.name, mapping.source, BY, clock())
    verdicts: dict[int, str] = {}
    good = [each.listed for each in rows if each.listed is not None]
    done = 0
    while done < len(good):
        taken = _batch(engine, number, good[done : done + BATCH], clock)
        verdicts.update(taken)
        done += len(taken)
        tell("import", done, len(good))
    with writing(engine) as conn:
        imports.end(conn, number, BY, clock())
    return Result(layout, tuple(_outcome(each, verdicts.get(each.row, each.verdict)) for each in rows), number)


def undo(engine: Engine, run_id: int, clock: Callable[[], datetime]) -> int:
    """Take a run back, in short batches; how many rows it were. Raises ``Refused`` (:func:`storage.imports.undo`)."""
    with writing(engine) as conn:
        imports.undo(conn, run_id, BY, clock())
    total, more = 0, 1
    while more:
        start = time.perf_counter()
        with writing(engine) as conn:
            more = imports.undo_step(conn, run_id, BY, clock())
        total += more
        time.sleep(time.perf_counter() - start)
    return total


def _batch(engine: Engine, run_id: int, rows: list[Listed], clock: Callable[[], datetime]) -> list[tuple[int, str]]:
    """One transaction, taken again where the database could not; then as long a rest, in which turns come: SQLite lets
    whoever waits try only now and then, and who writes without a pause would keep everybody out."""
    for attempt in range(1, ATTEMPTS + 1):
        start = time.perf_counter()
        try:
            with writing(engine) as conn:
                taken = imports.take(conn, run_id, rows, clock())
        except Exception as error:
            if attempt == ATTEMPTS or not is_transient(error):
                raise
            time.sleep(0.05 * 2**attempt)
            continue
        time.sleep(time.perf_counter() - start)
        return taken
    raise AssertionError("unreachable")


def _outcome(each: Judged, verdict: str) -> Outcome:
    if verdict == "taken":
        return Outcome(each.row, "wrong", (*each.problems, Problem("taken", "id_number")))
    return Outcome(each.row, verdict, each.problems)


@dataclass(slots=True)
class _Beside:
    """Of a trial: who stands in the rows before, as the database would know them by then."""

    _people: dict[tuple[int, str], list[int]] = field(default_factory=dict)  # unit and name -> entries
    _entries: dict[int, Imported] = field(default_factory=dict)
    _years: dict[int, set[int]] = field(default_factory=dict)
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def verdict(self, row: Listed, verdict: str, known: Imported | None) -> str:
        """The verdict after the rows before."""
        year = row.title.year if row.title is not None else None
        if verdict in ("again", "taken"):
            return verdict
        # A number tells more than a name, also that of a row before.
        entry = self._numbers.get(row.number.current) if row.number is not None else None
        if entry is not None and spelling(self._entries[entry].name) != spelling(row.name):
            return "taken"
        if entry is None and known is not None:
            return verdict if verdict == "known" else self._title(known.id, year)
        if entry is None:
            entry = self._named(row)
        if entry is not None:
            return self._title(entry, year)
        entry = -1 - len(self._entries)
        numbered = row.number is not None
        self._entries[entry] = Imported(entry, row.unit_id, row.name, row.birth_year, row.phone, None, numbered)
        self._people.setdefault((row.unit_id, spelling(row.name)), []).append(entry)
        if row.number is not None:
            self._numbers[row.number.current] = entry
        self._title(entry, year)
        return "new"

    def _named(self, row: Listed) -> int | None:
        for entry in self._people.get((row.unit_id, spelling(row.name)), ()):
            if imports.same(self._entries[entry], row.birth_year, row.phone, row.number is not None):
                return entry
        return None

    def _title(self, entry: int, year: int | None) -> str:
        years = self._years.setdefault(entry, set())
        if year is None or year in years:
            return "known"
        years.add(year)
        return "added"
