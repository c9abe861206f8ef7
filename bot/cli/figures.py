"""``hoctap report``, ``population`` and ``recount``: what dossiers add up to, of how many people, and whether it is
right."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.base import Json, Stop, emit, group, reader, unit_of, writer
from bot.cli.help import Command
from bot.clock import now
from locales import _, number
from locales import day as shown_day

if TYPE_CHECKING:
    from datetime import datetime

    from reports.model import Chart

app = group(_("cli.report"))

KINDS = ("unit", "funnel", "progress", "ranking", "heatmap")


@app.command("report", cls=Command, help=_("cli.report"))
def report(
    unit: Annotated[str | None, typer.Argument(metavar="UNIT", help=_("cli.arg.unit"), show_default=False)] = None,
    year: Annotated[
        int | None, typer.Option("--year", metavar="Y", min=2000, max=2100, help=_("cli.opt.year"), show_default=False)
    ] = None,
    json: Json = False,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="F.png", help=_("cli.opt.png"), show_default=False)
    ] = None,
    code: Annotated[
        str | None, typer.Option("--code", metavar="BC-…", help=_("cli.opt.report_code"), show_default=False)
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help=_("cli.opt.report_kind", kinds=", ".join(KINDS)))
    ] = "unit",
    by: Annotated[str, typer.Option("--by", metavar="MEASURE", help=_("cli.opt.report_by"))] = "approved",
) -> None:
    """A unit's figures as text or JSON, and as pictures: the second is ``F-2.png``. With ``--code`` those kept under a
    code, and what has changed since; with ``--kind`` another way of looking."""
    from reports import runs
    from reports.text import as_json, text
    from storage import seasons

    if (unit is None) == (code is None):
        raise Stop(_("cli.report.unit_or_code"), 2)
    if code is not None:
        _again(code, json)
        return
    assert unit is not None
    moment_of = now()
    of_year = year or seasons.today(moment_of).year
    if kind != "unit":
        _face(unit, {"year": of_year, "kind": kind, "measure": by}, moment_of, json, png)
        return
    with writer() as conn:
        found = runs.publish(conn, unit_of(conn, unit), of_year, moment_of, "cli", means=True)
    written = _draw(found, png) if png else []
    if json:
        emit(as_json(found))
        return
    typer.echo(_("cli.report.title", unit=found.name, year=found.year))
    typer.echo(text(found))
    for file in written:
        typer.echo(_("cli.qr.written", file=file))


def _face(unit: str, asked: dict[str, Any], moment_of: datetime, json: bool, png: Path | None) -> None:
    from reports import figures, measures
    from reports.text import face

    if asked["kind"] not in KINDS:
        raise Stop(_("cli.report.kinds", kinds=", ".join(KINDS)), 2)
    try:
        measures.measure(asked["measure"])
    except KeyError:
        raise Stop(_("cli.report.measures", measures=", ".join(measures.BY_NAME)), 2) from None
    with reader() as conn:
        found = figures.chart(conn, unit_of(conn, unit), asked, moment_of)
    written = _draw(found, png) if png else []
    if json:
        emit(asdict(found))
        return
    typer.echo(_("cli.report.title", unit=found.name, year=found.year))
    typer.echo(face(found))
    for file in written:
        typer.echo(_("cli.qr.written", file=file))


def _again(text: str, json: bool) -> None:
    from reports import runs
    from reports.text import compared_json, since_text
    from reports.text import text as in_words
    from storage import codes, report_runs
    from storage.base import Refused

    code = codes.parse(text)
    if not isinstance(code, codes.ReportCode):
        raise Refused("report_unknown", code=text[:40])
    with writer() as conn:
        report_runs.asked(conn, codes.printed(code))
    with reader() as conn:
        found = runs.compared(conn, codes.printed(code), now(), None)
    if json:
        emit(compared_json(found))
        return
    typer.echo(_("cli.report.title", unit=found.then.name, year=found.then.year))
    typer.echo(in_words(found.then))
    typer.echo()
    typer.echo(since_text(found))


population = group(_("cli.population"))
app.add_typer(population, name="population")


@population.command("import", cls=Command, help=_("cli.population.import"))
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help=_("cli.arg.population"), show_default=False)],
    date: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help=_("cli.opt.population_date"), show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("cli.opt.check_only"))] = False,
    json: Json = False,
) -> None:
    """How many people units have, from a file with the columns ``unit`` and ``people``; every row is judged, and with
    one wrong row nothing is written."""
    from datetime import date as calendar

    from storage import seasons, targets

    moment_of = now()
    try:
        day = calendar.fromisoformat(date) if date else seasons.today(moment_of)
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except ValueError:  # a wrong day, or a file that is not text
        raise Stop(_("cli.population.unreadable", file=file), 2) from None
    with reader() as conn:
        rows, wrong = targets.judged(conn, lines)
    if not wrong and not dry_run:
        with writer() as conn:
            targets.import_begins(conn, day, len(rows), sum(row.people for row in rows), "cli", moment_of)
        for first in range(0, len(rows), targets.ROWS_A_TIME):  # cut off, it is begun anew: a day's figure is replaced
            with writer() as conn:
                for row in rows[first : first + targets.ROWS_A_TIME]:
                    targets.put_population(conn, row.unit_id, day, row.people, moment_of)
    if json:
        emit({"day": day, "rows": len(rows), "written": 0 if wrong or dry_run else len(rows), "wrong": wrong})
    else:
        for each in wrong:
            reason = _(f"cli.population.{each['why']}", text=each["text"])
            typer.echo(_("cli.population.row", line=each["line"], reason=reason), err=True)
        if not wrong:
            key = "cli.population.dry" if dry_run else "cli.population.done"
            typer.echo(_(key, n=len(rows), people=number(sum(row.people for row in rows)), day=shown_day(day)))
    if wrong:
        raise typer.Exit(1)


def _draw(figures: Chart, file: Path) -> list[Path]:
    from reports import charts

    written = []
    for page in range(1, charts.pages_of(figures) + 1):
        target = file if page == 1 else file.with_name(f"{file.stem}-{page}{file.suffix}")
        target.write_bytes(charts.draw(figures, page))
        written.append(target)
    return written


@app.command("recount", cls=Command, help=_("cli.recount"))
def recount(
    check: Annotated[bool, typer.Option("--check", help=_("cli.opt.check"))] = False, json: Json = False
) -> None:
    """Count anew and list every difference; exit status 1 where there is one. Changes nothing."""
    from storage import recount as counting

    if not check:
        raise Stop(_("recount.only_check"), 2)
    with reader() as conn:
        found = counting.check(conn)
    if json:
        emit([asdict(each) for each in found])
    else:
        for each in found:
            typer.echo(_(f"recount.{each.where}", **_told(each)))
        typer.echo(_("recount.differ", n=len(found)) if found else _("recount.equal"), err=bool(found))
    if found:
        raise typer.Exit(1)


def _told(difference: Any) -> dict[str, Any]:
    facts = asdict(difference)
    facts["unit"] = facts["unit"].rstrip("/").rpartition("/")[2]
    if facts["where"] in ("counters", "ledger", "rollup"):
        facts["status"] = _(f"status.{facts['status']}")
    return facts
