"""``hoctap import …``: lists that the earlier software exported, tried out, imported, taken back."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EISDIR
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from bot.cli.base import MOST_LINES, Json, Stop, database, emit, group, loaded, place_of, reader, unit_of, writer
from bot.cli.help import Command, Group
from bot.cli.progress import progress
from bot.clock import now
from locales import _, day, number

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from bot.imports.running import Outcome, Result
    from bot.settings import Settings
    from storage.identity import KeyRing
    from storage.imports import RunRow

app = group(_("cli.about"))
FILE = "file"


class Import(Group):
    """``hoctap import FILE`` is ``hoctap import file FILE``: who imports seldom does not look for a verb."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] != "--help" and args[0] not in self.commands:
            args = [FILE, *args]
        return super().parse_args(ctx, args)


_group = group(_("cli.import"))
_group.info.cls = Import
app.add_typer(_group, name="import")


@app.callback()
def _about() -> None:
    """One group is still a group of its module."""


@_group.command(FILE, cls=Command, help=_("cli.import.do"))
def file(
    given: Annotated[Path | None, typer.Argument(metavar="FILE", help=_("cli.arg.import"), show_default=False)] = None,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="MAP.toml", help=_("cli.opt.mapping"), show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("cli.opt.import_dry"))] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="OUT.csv", help=_("cli.opt.import_report"), show_default=False)
    ] = None,
    example: Annotated[
        Path | None, typer.Option("--example", metavar="DIR", help=_("cli.opt.import_example"), show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Every row judged, then the good ones imported in short batches beside a running bot; a report says what became of
    each. Exit status 1 where rows want mending. The same file again imports only what was left out."""
    if example is not None:
        _example(example)
        return
    for value, name in ((given, "FILE"), (mapping, "--mapping")):
        if value is None:
            raise Stop(_("cli.usage.missing", name=name, command="hoctap import"), 2)
    assert given is not None and mapping is not None
    from bot.imports import running
    from bot.imports.mapping import ImportFault, read_mapping

    settings = loaded()
    out = report or given.with_name(f"{given.stem}.{_('cli.import.report.name')}.csv")
    if out.resolve() in (given.resolve(), mapping.resolve()):
        raise Stop(_("cli.import.report.same", file=out), 2)
    try:
        read = read_mapping(mapping)
        if not (read.basis or dry_run):
            raise Stop(_("cli.import.no_basis"))
        with _report(out) as opened, database(settings) as engine, progress() as tell:
            ring = _ring(settings, engine, dry_run)
            if dry_run:
                result = running.trial(engine, given, read, ring, now(), tell)
            else:
                result = running.run(engine, given, read, ring, now, tell)
            _write_report(opened, result)
    except ImportFault as fault:
        raise Stop(fault.text) from fault
    _tell(result, _put(out), json)
    if not (read.basis or json):
        typer.echo(_("cli.import.dry_basis"))
    if any(each.verdict in ("ask", "wrong") for each in result.outcomes):
        raise typer.Exit(1)


def _ring(settings: Settings, engine: Engine, dry_run: bool) -> KeyRing:
    """The server's keys, under which id numbers and phones are kept; for a trial on a server without any, one that is
    forgotten."""
    import secrets

    from bot import keys
    from storage.engine import reading, writing
    from storage.identity import KEY_BYTES, Key, KeyRing

    try:
        if dry_run:
            with reading(engine) as conn:
                ring = keys.check(settings.storage.keys, conn)
            return ring if ring.keys else KeyRing((Key("trial", 1, secrets.token_bytes(KEY_BYTES)),))
        with writing(engine) as conn:
            return keys.ensure(settings.storage.keys, conn, now())
    except keys.KeyFault as fault:
        raise Stop(fault.text) from None


# ------------------------------------------------------------------------------------------ what became of it


def _lines(result: Result, each: Outcome) -> Iterator[tuple[str, str, str]]:
    """(column, what is wrong, what mends it) of a row, one of each problem and note; nothing that is somebody's."""
    for problem in each.problems:
        facts = dict(problem.facts)
        heading = result.layout.headings.get(problem.field) or problem.field
        yield (
            heading,
            _(f"cli.import.problem.{problem.code}", **facts),
            _(f"cli.import.mend.{problem.code}", **facts),
        )


def _part(out: Path) -> Path:
    return out.with_name(f"{out.name}.part")


@contextmanager
def _report(out: Path) -> Iterator[TextIO]:
    """The report, opened before anything is imported: what cannot be told of is not done. It is readable by its owner
    alone, and lies beside its place until :func:`_put`. Raises ``OSError``."""
    if out.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(out))
    part = _part(out)
    part.unlink(missing_ok=True)
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(number, "w", encoding="utf-8-sig", newline="") as opened:
            yield opened
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _put(out: Path) -> Path:
    """Put the report in its place; where it lies now."""
    part = _part(out)
    try:
        part.replace(out)
    except OSError:  # the one before is held open
        typer.echo(_("cli.import.report.kept", file=out, part=part), err=True)
        return part
    return out


def _write_report(opened: TextIO, result: Result) -> None:
    """A line for each problem of each row, one for a row without any; opens in Excel as it is. Raises ``OSError``."""
    writer = csv.writer(opened)
    writer.writerow([_(f"cli.import.report.{name}") for name in ("row", "verdict", "column", "problem", "mend")])
    for each in result.outcomes:
        verdict = _(f"cli.import.verdict.{each.verdict}")
        for line in list(_lines(result, each)) or [("", "", "")]:
            writer.writerow([each.row, verdict, *map(_inert, line)])


def _inert(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


MOST_FAULTS = 30
VERDICTS = ("new", "added", "known", "again", "forgotten", "ask", "wrong")


def _tell(result: Result, out: Path, json: bool) -> None:
    counts, layout = result.counts(), result.layout
    if json:
        emit(
            {
                "run": result.run,
                "counts": {verdict: counts.get(verdict, 0) for verdict in VERDICTS},
                "report": out,
                "never_read": list(layout.never),
                "not_mapped": list(layout.left_out),
                "rows": [
                    {
                        "row": each.row,
                        "verdict": each.verdict,
                        "problems": [
                            {"column": column, "problem": problem, "mend": mend}
                            for column, problem, mend in _lines(result, each)
                        ],
                    }
                    for each in result.outcomes
                    if each.problems
                ],
            }
        )
        return
    for heading in layout.never:
        typer.echo(_("cli.import.never_read", heading=heading))
    if layout.left_out:
        typer.echo(_("cli.import.not_mapped", headings=", ".join(f'"{each}"' for each in layout.left_out)))
    for verdict in VERDICTS:
        if n := counts.get(verdict, 0):
            typer.echo(f"{number(n):>9}  {_(f'cli.import.verdict.{verdict}')}")
    rows: dict[tuple[str, str, str], list[int]] = {}  # the same fault of many rows is told once
    for each in result.outcomes:
        for line in _lines(result, each) if each.verdict in ("ask", "wrong") else ():
            rows.setdefault(line, []).append(each.row)
    for (column, problem, mend), at in list(rows.items())[:MOST_FAULTS]:
        where = _("cli.import.rows", row=at[0], n=number(len(at) - 1)) if at[1:] else _("cli.import.row", row=at[0])
        typer.echo(_("cli.import.line", where=where, column=column, problem=problem, mend=mend), err=True)
    if len(rows) > MOST_FAULTS:
        typer.echo(_("cli.import.more", n=number(len(rows) - MOST_FAULTS)), err=True)
    typer.echo(_("cli.import.report.written", file=out))
    if result.run is None:
        typer.echo(_("cli.import.dry"))
    else:
        typer.echo(_("cli.import.done", run=result.run))


# ------------------------------------------------------------------------------------------ what was imported


@_group.command("list", cls=Command, help=_("cli.import.list"))
def list_(json: Json = False) -> None:
    """The runs, the oldest first."""
    from storage import imports

    with reader() as conn:
        found = imports.listing(conn)
    if json:
        emit([_facts(each) for each in found])
        return
    if not found:
        typer.echo(_("cli.import.none"), err=True)
    for each in found:
        state = _(f"cli.import.state.{each.state}")
        sheet = f" [{each.sheet}]" if each.sheet else ""
        what = f"{each.file}{sheet} ({each.source})"
        typer.echo(f"{each.id:>5}  {day(each.began_at)}  {number(each.rows):>9}  {state}: {what}")
        if each.basis:
            typer.echo(f"       {each.basis}")


def _facts(each: RunRow) -> dict[str, Any]:
    return {name: getattr(each, name) for name in each.__slots__}


@_group.command("undo", cls=Command, help=_("cli.import.undo"))
def undo(
    run: Annotated[int, typer.Argument(metavar="RUN", help=_("cli.arg.import_run"), show_default=False)],
    all_: Annotated[bool, typer.Option("--all", help=_("cli.opt.import_all"))] = False,
) -> None:
    """Take a run back; where it was cut off, again. Who has been confirmed stays, and is named; with ``--all`` what the
    run gave them goes too. Who stands in another list as well stays with that one."""
    from bot.imports import running

    with database() as engine:
        undone = running.undo(engine, run, now, confirmed=all_)
    typer.echo(_("cli.import.was_undone", run=run, n=number(undone.rows)))
    if undone.shared:
        typer.echo(_("cli.import.shared", n=number(undone.shared)))
    if undone.kept:
        named = ", ".join(map(str, undone.kept[:MOST_FAULTS])) + (", …" if undone.kept[MOST_FAULTS:] else "")
        typer.echo(_("cli.import.kept", n=number(len(undone.kept)), ids=named, run=run))


@_group.command("unclaim", cls=Command, help=_("cli.import.unclaim"))
def unclaim(
    who: Annotated[int, typer.Argument(metavar="ID", help=_("cli.arg.imported"), show_default=False)],
) -> None:
    """Take back a confirmation: the titles are the list's again, and that citizen is not offered them once more."""
    from storage import claims

    with writer() as conn:
        back = claims.unclaim(conn, who, "cli", now())
    typer.echo(_("cli.import.unclaimed", id=who, n=number(back)))


@_group.command("find", cls=Command, help=_("cli.import.find"))
def find(
    unit: Annotated[str, typer.Argument(metavar="UNIT", help=_("cli.arg.unit"), show_default=False)],
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help=_("cli.arg.import_name"), show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Who of the imported lists belongs to a unit or below it: number, name, year of birth, years of titles. The
    reading is audited."""
    from storage import audit, imported, units

    with writer() as conn:
        place = unit_of(conn, unit)
        found = imported.of_unit(conn, place.path, name or "", MOST_LINES)
        rows: list[dict[str, Any]] = [
            {
                "id": each.id,
                "name": each.name,
                "birth_year": each.birth_year,
                "unit": units.display_code(at) if (at := units.by_id(conn, each.unit_id)) else None,
                "person": each.person_id,
                "titles": [title.year for title in imported.titles_of(conn, each) if title.counted],
            }
            for each in found
        ]
        audit.write(conn, "cli", "import.find", f"unit:{place.id}", now(), place.id, n=len(rows))
        where = place_of(conn, place)
    if json:
        emit(rows)
        return
    if not rows:
        typer.echo(_("cli.import.nobody", place=where), err=True)
    for row in rows:
        years = ", ".join(map(str, row["titles"])) or "-"
        typer.echo(f"{row['id']:>7}  {row['unit']:9} {row['name']}, {row['birth_year'] or '-'}: {years}")


@_group.command("forget", cls=Command, help=_("cli.import.forget"))
def forget(
    who: Annotated[int, typer.Argument(metavar="ID", help=_("cli.arg.imported"), show_default=False)],
) -> None:
    """Erase somebody of an imported list who asks for it and has not joined; logged as a request, and those that are
    open of them are done with it. No list brings them back."""
    from storage import imported, privacy

    moment = now()
    with writer() as conn:
        known = imported.by_id(conn, who)
        if known is None:
            raise Stop(_("cli.import.no_such", id=who))
        if known.person_id is not None:
            raise Stop(_("cli.import.joined", id=who, person=known.person_id))
        about = f"imported:{who}"
        asked = [each.request.id for each in privacy.due(conn, None, None) if each.request.about == about]
        for each in asked:
            privacy.settle(conn, each, "done", "cli", moment)
        if not asked:
            made = privacy.ask(
                conn, "delete", actor="cli", now=moment, unit_id=known.unit_id, about=about, done=True
            )  # fmt: skip
            asked.append(made)
        imported.forget(conn, who, "cli", moment)
    typer.echo(_("cli.import.forgotten", id=who, request=asked[0]))


def _example(folder: Path) -> None:
    from bot.imports.example import write

    folder.mkdir(parents=True, exist_ok=True)
    for made in write(folder):
        typer.echo(str(made))
    typer.echo(_("cli.import.example", folder=folder))
