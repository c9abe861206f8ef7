"""``hoctap init``, ``migrate``, ``run``, ``demo``, ``doctor``: the server and its database."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.base import Json, Stop, emit, group, loaded
from bot.cli.help import Command
from bot.clock import now
from locales import _, number

app = group(_("cli.about"))


@app.command("init", cls=Command, help=_("cli.init"))
def init() -> None:
    """Tables, units, this year's season, the folder of pictures. Again: changes nothing that is already right."""
    from bot import keys
    from storage import migrate as migration
    from storage import seasons, units
    from storage.engine import open_engine, writing

    settings = loaded()
    moment = now()
    engine = open_engine(settings.storage.url)
    try:
        migration.upgrade(engine)
        with writing(engine) as conn:
            seeded = units.seed(conn, moment)
            year = seasons.today(moment).year
            centre = units.by_code(conn, "VN")
            assert centre is not None
            if year not in seasons.known_years(conn):
                seasons.set_windows(conn, centre.id, seasons.default_windows(year))
            keys.ensure(settings.storage.keys, conn, moment)
    except keys.KeyFault as fault:
        raise Stop(fault.text) from None
    finally:
        engine.dispose()
    if isinstance(settings.storage.blobs, Path):  # a bucket is made by whoever runs its server
        settings.storage.blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
    typer.echo(_("cli.init.tables", revision=migration.HEAD))
    if seeded.added or seeded.changed or seeded.removed:
        counts = {name: number(n) for name, n in asdict(seeded).items()}
        typer.echo(_("cli.init.units", **counts))
    else:
        typer.echo(_("cli.init.units_same"))
    typer.echo(_("cli.init.season", year=year))
    typer.echo(_("cli.init.next"))


@app.command("migrate", cls=Command, help=_("cli.migrate"))
def migrate(
    down: Annotated[
        str | None, typer.Option("--down", metavar="REV", help=_("cli.opt.down"), show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help=_("cli.opt.yes"))] = False,
) -> None:
    """The newest tables, or with ``--down`` those of an older revision, which loses what the newer ones hold."""
    from storage import migrate as migration
    from storage.engine import open_engine

    settings = loaded()
    if down is not None and not yes:
        raise Stop(_("cli.migrate.sure", revision=down[:40]), 2)
    engine = open_engine(settings.storage.url)
    try:
        before = migration.current(engine)
        if down is None:
            migration.upgrade(engine)
        else:
            migration.downgrade(engine, down)
        after = migration.current(engine)
    finally:
        engine.dispose()
    if before == after:
        typer.echo(_("cli.migrate.same", revision=after or "base"))
    else:
        typer.echo(_("cli.migrate.done", before=before or "base", after=after or "base"))


@app.command("run", cls=Command, help=_("cli.run"))
def run(
    role: Annotated[str, typer.Option("--role", metavar="ROLES", help=_("cli.opt.role"), show_default=False)] = "",
) -> None:
    """Serve until the process is told to end; on PostgreSQL several processes may share the work."""
    from bot.cli.base import database

    settings = loaded()
    roles = _roles(role, settings.storage.url)
    from bot import keys
    from storage.engine import writing

    try:
        # There, with the newest tables and the keys that it relies on: else one line says so.
        with database(settings) as engine, writing(engine) as conn:
            keys.ensure(settings.storage.keys, conn, now())
    except keys.KeyFault as fault:
        raise Stop(fault.text) from None
    from bot.run import main

    main(settings, roles)


def _roles(given: str, url: str) -> frozenset[str]:
    from bot.roles import ROLES

    if not given.strip():
        return ROLES
    wanted = frozenset(each.strip() for each in given.split(",") if each.strip())
    for each in sorted(wanted - ROLES):
        raise Stop(_("cli.run.role_unknown", role=each[:40], roles=", ".join(sorted(ROLES))), 2)
    if wanted != ROLES and url.startswith("sqlite"):
        raise Stop(_("cli.run.role_alone"), 2)
    return wanted


@app.command("demo", cls=Command, help=_("cli.demo"))
def demo(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, metavar="N", help=_("cli.opt.port"))] = 8080,
    no_open: Annotated[bool, typer.Option("--no-open", help=_("cli.opt.no_open"))] = False,
    size: Annotated[str, typer.Option("--size", metavar="SIZE", help=_("cli.opt.demo_size"))] = "commune",
    people: Annotated[
        int, typer.Option("--people", min=3_400, max=3_000_000, metavar="N", help=_("cli.opt.people"))
    ] = 60_000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help=_("cli.opt.seed"))] = 2026,
) -> None:
    """Temporary data, loopback only; gone at the end."""
    if size not in ("commune", "country"):
        raise Stop(_("cli.demo.size_unknown", size=size[:40]), 2)
    from bot.demo import main
    from bot.settings import rules

    prepared = None
    if size == "country":
        from bot import demo_country

        typer.echo(_("cli.demo.filling", people=number(people)))
        prepared = partial(demo_country.prepare, count=people, seed=seed)
    # Of the settings, only how officers and citizens work.
    chosen = replace(rules(loaded()), public_url="", demo=True, keys=None)
    main(port, not no_open, chosen, prepared)


@app.command("doctor", cls=Command, help=_("cli.doctor"))
def doctor(
    json: Json = False,
    offline: Annotated[bool, typer.Option("--offline", help=_("cli.opt.offline"))] = False,
) -> None:
    """Is everything ready for citizens? Exit status 1 where something must be mended first."""
    from bot.doctor import BAD, examine

    findings = examine(loaded(), now(), offline)
    if json:
        emit([asdict(each) for each in findings])
    else:
        for each in findings:
            typer.echo(f"{_(f'doctor.state.{each.state}')}  {each.text}")
    if any(each.state == BAD for each in findings):
        raise typer.Exit(1)
