"""``hoctap backup``, ``restore``, ``move-database``: all into one file and back, and from one database to another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.base import Stop, database, group, loaded
from bot.cli.help import Command
from bot.cli.progress import progress
from bot.clock import now
from locales import _, moment, number

app = group(_("cli.about"))


@contextmanager
def _store_at_hand() -> Iterator[None]:
    from storage.blobs import StoreAway

    try:
        yield
    except StoreAway as away:
        raise Stop(_("cli.store.away", reason=away.reason)) from None


@app.command("backup", cls=Command, help=_("cli.backup"))
def backup(
    out: Annotated[Path, typer.Argument(metavar="OUT.tar", help=_("cli.arg.backup"), show_default=False)],
) -> None:
    """One file, beside a running bot. Exit status 1 where pictures are missing that dossiers refer to."""
    from importlib.metadata import version

    from bot.settings import blob_place
    from storage import backup as archive
    from storage.blobs import open_store

    settings = loaded()
    with _store_at_hand(), database(settings) as engine, progress() as tell:
        store = open_store(blob_place(settings))
        kept = archive.make(engine, store, settings.storage.keys, out, version("cong-dan-hoc-tap"), now(), tell)
    typer.echo(
        _(
            "cli.backup.done",
            file=out,
            rows=number(kept.rows),
            pictures=number(kept.pictures),
            keys=number(kept.keys),
            size=number(kept.size / 2**20, 1),
        )
    )
    if kept.gone:
        typer.echo(_("cli.backup.gone", n=number(kept.gone)))
    if kept.lost:
        typer.echo(_("cli.backup.lost", n=number(len(kept.lost)), keys=", ".join(kept.lost[:5])), err=True)
        raise typer.Exit(1)


@app.command("restore", cls=Command, help=_("cli.restore"))
def restore(
    file: Annotated[Path, typer.Argument(metavar="IN.tar", help=_("cli.arg.restore"), show_default=False)],
) -> None:
    """Into an empty place only. Exit status 1 where counts differ or pictures are missing after it."""
    from bot.settings import blob_place
    from storage import backup as archive
    from storage.blobs import open_store
    from storage.engine import open_engine

    settings = loaded()
    with _store_at_hand(), progress() as tell:
        manifest = archive.verify(file, tell)  # before anything is opened, which would make an empty database
        engine = open_engine(settings.storage.url)
        try:
            store = open_store(blob_place(settings))
            done = archive.restore(engine, store, settings.storage.keys, file, manifest, tell)
        finally:
            engine.dispose()
    sound = not done.differences and not done.missing
    typer.echo(
        _(
            "cli.restore.done" if sound else "cli.restore.differs",
            made=moment(done.made_at),
            rows=number(done.rows),
            pictures=number(done.pictures),
            keys=number(done.keys),
            differences=number(done.differences),
            missing=number(done.missing),
        )
    )
    typer.echo(_("cli.restore.next"))
    if not sound:
        raise typer.Exit(1)


@app.command("move-database", cls=Command, help=_("cli.move-database"))
def move_database(
    to_url: Annotated[
        str, typer.Argument(metavar="TO_URL", envvar="HOCTAP_TO_URL", help=_("cli.arg.to_url"), show_default=False)
    ],
) -> None:
    """From the database of the settings to another that is empty; the settings are changed by hand afterwards."""
    from pydantic import ValidationError

    from bot.settings import StorageSection
    from storage.engine import open_engine
    from storage.moving import move

    settings = loaded()
    try:
        target = StorageSection(url=to_url).url
    except ValidationError:
        raise Stop(_("cli.move.url"), 2) from None
    with database(settings):  # there, and with the newest tables: else one line says so
        pass
    engine = open_engine(target)
    try:
        with progress() as tell:
            moved = move(settings.storage.url, engine, lambda _table, done, total: tell("database", done, total))
    finally:
        engine.dispose()
    for each in moved:
        typer.echo(f"{each.table:<24}{number(each.rows):>14}  {each.hash[:12]}")
    typer.echo(_("cli.move.done", tables=number(len(moved)), rows=number(sum(each.rows for each in moved))))
