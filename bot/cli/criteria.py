"""``hoctap criteria check``: is a criteria set (bộ tiêu chí) or a file of local wording sound?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bot.cli.base import Json, emit, group
from bot.cli.help import Command
from locales import _

app = group(_("cli.criteria"))


@app.command("check", cls=Command, help=_("cli.criteria.check"))
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("cli.arg.criteria"), show_default=False)],
    json: Json = False,
) -> None:
    """Every fault at once, a line each: ``file:line: key: sentence``; exit status 1 where there is one."""
    from criteria import check_file

    faults = check_file(file)
    told: list[dict[str, Any]] = [
        {
            "file": fault.file,
            "line": fault.line,
            "key": fault.key,
            "code": fault.reason_code,
            "text": _(f"criteria.fault.{fault.reason_code}", **fault.facts),
        }
        for fault in faults
    ]
    if json:
        emit(told)
    else:
        for each in told:
            where = f"{each['file']}:{each['line']}" if each["line"] is not None else each["file"]
            typer.echo(": ".join(part for part in (where, each["key"], each["text"]) if part))
        typer.echo(_("cli.criteria.faults", n=len(told)) if told else _("cli.criteria.sound"), err=bool(told))
    if told:
        raise typer.Exit(1)


@app.callback()
def _criteria() -> None:
    """``check`` stays a command of its own, though it is the only one."""
