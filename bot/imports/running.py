"""A list from judgement to import: tried out (nothing is written), or imported in short batches beside a bot."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy.engine import Engine

from bot.imports.apart import rows_of
from bot.imports.judging import Judge, Judged, Problem, settled
from bot.imports.mapping import Mapping
from bot.imports.places import Places
from bot.imports.sheets import Layout, digest
from storage import identity, imported, imports, seasons
from storage.base import Connection
from storage.engine import is_transient, reading, writing
from storage.gazetteer import spelling
from storage.identity import KeyRing, Traces
from storage.imported import Imported, Known, Listed
from storage.imports import Undone

BATCH = 400  # rows offered to a transaction, which takes as many as fit into its time
ATTEMPTS = 6
BY = "cli"
T = TypeVar("T")

Tell = Callable[[str, int, int], None]  # what is being done, how many of how many (0: not known)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row: ``new``, ``added``, ``known``, ``again``, ``forgotten``, ``ask``, ``wrong``; its problems
    and notes."""

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
    return layout, settled(found)


def trial(engine: Engine, file: Path, mapping: Mapping, ring: KeyRing, now: datetime, tell: Tell) -> Result:
    """What :func:`run` would make of the file, row by row; writes nothing."""
    layout, rows = judged(engine, file, mapping, ring, now, tell)
    of_file = digest(file)
    with reading(engine) as conn:
        earlier = imports.run_of(conn, imports.key_of(of_file, layout.sheet), of_file)
        known = Rehearsal(conn, ring)
        outcomes = []
        for each in rows:
            verdict = each.verdict
            if each.listed is not None:
                verdict, who = imports.verdict(known, earlier.id if earlier else None, each.listed, known.met)
                known.remember(each.listed, verdict, who)
            outcomes.append(_outcome(each, verdict, earlier.id if earlier else None))
    return Result(layout, tuple(outcomes))


def run(
    engine: Engine, file: Path, mapping: Mapping, ring: KeyRing, clock: Callable[[], datetime], tell: Tell
) -> Result:
    """Import the good rows of the file, those of them that it has not imported before.

    Raises :class:`bot.imports.mapping.ImportFault` before anything is written, and ``Refused`` (``import_undoing``,
    ``import_stopped``: somebody undoes it meanwhile). Killed and run again, it ends the same.
    """
    layout, rows = judged(engine, file, mapping, ring, clock(), tell)
    of_file = digest(file)
    begin = partial(
        imports.begin, digest=imports.key_of(of_file, layout.sheet), file=file.name, source=mapping.source, by=BY,
        now=clock(), sheet=layout.sheet, basis=mapping.basis, of_file=of_file,
    )  # fmt: skip
    number = _tried(engine, begin)
    _mark_years(engine, ring)
    verdicts: dict[int, str] = {}
    good = [each.listed for each in rows if each.listed is not None]
    done = 0
    while done < len(good):
        rows_now = good[done : done + BATCH]
        taken = _tried(engine, partial(imports.take, run_id=number, rows=rows_now, now=clock(), ring=ring))
        verdicts.update(taken)
        done += len(taken)
        tell("import", done, len(good))
    _tried(engine, lambda conn: imports.end(conn, number, BY, clock()))
    return Result(layout, tuple(_outcome(each, verdicts.get(each.row, each.verdict), number) for each in rows), number)


def undo(engine: Engine, run_id: int, clock: Callable[[], datetime], *, confirmed: bool = False) -> Undone:
    """Take a run back, in short batches; all of it as one :class:`storage.imports.Undone`. Raises ``Refused``
    (:func:`storage.imports.undo`)."""
    _tried(engine, lambda conn: imports.undo(conn, run_id, BY, clock()))
    rows, shared = 0, 0
    kept: list[int] = []
    after: int | None = -1
    while after is not None:
        piece = partial(imports.undo_step, run_id=run_id, by=BY, now=clock(), after=after, confirmed=confirmed)
        step = _tried(engine, piece)
        rows, shared, after = rows + step.rows, shared + step.shared, step.after
        kept.extend(step.kept)
    return Undone(rows, None, tuple(dict.fromkeys(kept)), shared)


def _mark_years(engine: Engine, ring: KeyRing) -> None:
    """Entries from before revision 0005 have no marks, and only here are the keys at hand."""
    after = 0
    while True:
        with reading(engine) as conn:
            entries = imported.unmarked(conn, after, BATCH // 4)
        if not entries:
            return
        _tried(engine, partial(imports.keep_marks, ring=ring, entries=entries))
        after = entries[-1]


def _tried(engine: Engine, work: Callable[[Connection], T]) -> T:
    """One transaction, taken again where the database could not; then as long a rest, in which turns come: SQLite lets
    whoever waits try only now and then, and who writes without a pause would keep everybody out."""
    for attempt in range(1, ATTEMPTS + 1):
        start = time.perf_counter()
        try:
            with writing(engine) as conn:
                found = work(conn)
        except Exception as error:
            if attempt == ATTEMPTS or not is_transient(error):
                raise
            time.sleep(0.05 * 2**attempt)
            continue
        time.sleep(time.perf_counter() - start)
        return found
    raise AssertionError("unreachable")


def _outcome(each: Judged, verdict: str, run: int | None) -> Outcome:
    found = {
        "taken": Problem("taken", "id_number"),
        "like": Problem("like", "id_number"),
        "several": Problem("several", "name"),
        "changed": Problem("changed", "name", (("run", str(run)),)),
    }.get(verdict)
    if verdict == "ours":
        assert each.listed is not None and each.listed.title is not None
        found = Problem("title_ours", "title_year", (("year", str(each.listed.title.year)),))
    if found is not None:
        return Outcome(each.row, "wrong", (*each.problems, found))
    return Outcome(each.row, verdict, each.problems)


@dataclass(frozen=True, slots=True)
class Rehearsal(Known):
    """Of a trial: what the database would know by then, with those who stand in the rows before. Writes nothing."""

    _made: list[Imported] = field(default_factory=list)
    _people: dict[tuple[int, str], list[Imported]] = field(default_factory=dict)
    _numbers: dict[tuple[str, str], Imported] = field(default_factory=dict)
    _years: dict[int, dict[int, int | None]] = field(default_factory=dict)

    met: set[tuple[int, int]] = field(default_factory=set)

    def bearer(self, number: Traces) -> Imported | None:
        """Also one of a row before."""
        return Known.bearer(self, number) or self._numbers.get(number.current)

    def namesakes(self, unit_id: int, name_key: str) -> list[Imported]:
        """Also those of rows before."""
        return [*Known.namesakes(self, unit_id, name_key), *self._people.get((unit_id, name_key), ())]

    def years(self, known: Imported) -> dict[int, int | None]:
        """Also what rows before gave."""
        found = Known.years(self, known) if known.id > 0 else {}
        return found | self._years.get(known.id, {})

    def remember(self, row: Listed, verdict: str, who: Imported | None) -> None:
        """A row has had its verdict."""
        if verdict == "known" and who is not None and row.title is not None:
            self.met.add((who.id, row.title.year))
        if verdict not in ("new", "added"):
            return
        if who is None:
            phone = self.phone(row)
            entry = -1 - len(self._made)
            who = Imported(
                entry, row.unit_id, row.name, row.birth_year, row.subject_group, phone[-1] if phone else None, None,
                row.number is not None,
            )  # fmt: skip
            self._made.append(who)
            self._people.setdefault((row.unit_id, spelling(row.name)), []).append(who)
            if row.number is not None:
                self._numbers[row.number.current] = who
        if row.title is not None:
            self._years.setdefault(who.id, {})[row.title.year] = None
            self.met.add((who.id, row.title.year))
