"""``hoctap retention``: take away what has been kept for its time (thời hạn lưu), or say what would go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.base import Json, database, emit, group, loaded
from bot.cli.help import Command
from bot.clock import now
from locales import _, number

if TYPE_CHECKING:
    from storage.base import Connection

app = group(_("cli.retention"))


@app.command("retention", cls=Command, help=_("cli.retention"))
def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("cli.opt.dry_run"))] = False, json: Json = False
) -> None:
    """A pass over everything, in short transactions beside a running bot; with ``--dry-run`` only counts by kind and
    unit. The running bot does the same once a day."""
    from storage import retention as passes
    from storage.engine import reading, writing
    from storage.housekeeping import Keep

    settings = loaded()
    keep, moment = Keep(**settings.keep.model_dump()), now()
    with database(settings) as engine:
        with reading(engine) as conn:
            found = passes.due(conn, keep, moment)
            rows = [
                {"kind": kind, "unit": _code(conn, unit), "n": n}
                for (kind, unit), n in sorted(
                    found.items(), key=lambda each: (passes.KINDS.index(each[0][0]), each[0][1] or 0)
                )
            ]
        done = 0
        if not dry_run:
            place = passes.Place()
            while not place.ended:
                with writing(engine) as conn:  # a batch each: turns come between
                    place = passes.step(conn, keep, moment, place)
            done = place.done
    if json:
        emit({"dry_run": dry_run, "due": rows, "done": done})
        return
    for row in rows:
        kind = _(f"cli.retention.{row['kind']}", n=number(int(str(row["n"]))))
        typer.echo(f"{row['unit'] or '-':9} {kind}")
    typer.echo(_("cli.retention.dry") if dry_run else _("cli.retention.done", n=number(done)), err=dry_run)


def _code(conn: Connection, unit_id: int | None) -> str | None:
    from storage import units

    unit = units.by_id(conn, unit_id) if unit_id is not None else None
    return units.display_code(unit) if unit is not None else None
