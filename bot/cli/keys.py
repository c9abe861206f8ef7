"""``hoctap keys …``: the server's keys for id numbers."""

from __future__ import annotations

import typer

from bot.cli.base import Stop, database, group, loaded
from bot.cli.help import Command
from bot.clock import now
from locales import _, number

app = group(_("cli.keys"))


@app.callback()
def _group() -> None:
    """One command is still a command of a group."""


@app.command("rotate", cls=Command, help=_("cli.keys.rotate"))
def rotate() -> None:
    """A new key, and every number kept so far under it; beside a running bot, and again where it was cut off."""
    from bot import keys
    from storage import identity
    from storage.engine import writing

    settings = loaded()
    wrapped = 0
    try:
        with database(settings) as engine:
            with writing(engine) as conn:
                ring = keys.rotate(settings.storage.keys, conn, now())
            more = 1
            while more:  # each piece is a transaction of its own: turns come between
                with writing(engine) as conn:
                    more = identity.wrap(conn, ring)
                wrapped += more
    except keys.KeyFault as fault:
        raise Stop(fault.text) from None
    file = settings.storage.keys / f"{ring.current.id}.key"
    typer.echo(_("cli.keys.rotated", file=file, n=number(wrapped)))
