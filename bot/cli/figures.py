"""``hoctap report`` and ``recount``: what dossiers add up to, and whether the counts are right."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.base import Json, Stop, emit, group, now, reader, unit_of
from bot.cli.help import Command
from locales import _

if TYPE_CHECKING:
    from reports.model import UnitFigures

app = group(_("cli.report"))


@app.command("report", cls=Command, help=_("cli.report"))
def report(
    unit: Annotated[str, typer.Argument(metavar="UNIT", help=_("cli.arg.unit"), show_default=False)],
    year: Annotated[
        int | None, typer.Option("--year", metavar="Y", min=2000, max=2100, help=_("cli.opt.year"), show_default=False)
    ] = None,
    json: Json = False,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="F.png", help=_("cli.opt.png"), show_default=False)
    ] = None,
) -> None:
    """A unit's figures as text or JSON, and as pictures: the second is ``F-2.png``."""
    from reports.figures import figures
    from reports.text import as_json, text
    from storage import seasons

    moment_of = now()
    with reader() as conn:
        found = figures(conn, unit_of(conn, unit), year or seasons.today(moment_of).year, moment_of)
    written = _draw(found, png) if png else []
    if json:
        emit(as_json(found))
        return
    typer.echo(_("cli.report.title", unit=found.name, year=found.year))
    typer.echo(text(found))
    for file in written:
        typer.echo(_("cli.qr.written", file=file))


def _draw(figures: UnitFigures, file: Path) -> list[Path]:
    from reports import charts
    from reports.model import pages

    written = []
    for page in range(1, pages(figures) + 1):
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
    facts["status"] = _(f"status.{facts['status']}")
    return facts
