"""``hoctap qr``: the square and the poster of a unit (mã QR, áp phích)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.base import Stop, group, loaded, place_of, reader, unit_of
from bot.cli.bots import chosen_bot, username_of
from bot.cli.help import Command
from locales import _

if TYPE_CHECKING:
    from reports.posters import PosterUnit
    from storage.base import Connection
    from storage.units import UnitRow

app = group(_("cli.qr"))


@app.command("qr", cls=Command, help=_("cli.qr"))
def qr(
    unit: Annotated[str, typer.Argument(metavar="UNIT", help=_("cli.arg.unit"), show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="F.png", help=_("cli.opt.out"), show_default=False)
    ] = None,
    poster: Annotated[
        Path | None, typer.Option("--poster", metavar="F.pdf", help=_("cli.opt.poster"), show_default=False)
    ] = None,
    payload: Annotated[bool, typer.Option("--payload", help=_("cli.opt.payload"))] = False,
    telegram: Annotated[bool, typer.Option("--telegram", help=_("cli.opt.telegram"))] = False,
    bot: Annotated[str | None, typer.Option("--bot", metavar="NAME", help=_("cli.opt.bot"), show_default=False)] = None,
) -> None:
    """The square of a unit as PNG, poster or bare payload; ``--bot`` means ``--telegram`` too."""
    from storage import codes

    settings = loaded()
    by_telegram = telegram or bot is not None
    chosen = chosen_bot(settings, bot) if by_telegram else None
    if poster and not by_telegram and not settings.web.public_url:
        raise Stop(_("cli.qr.no_public_url", key="web.public_url"), 2)
    with reader(settings) as conn:
        row = unit_of(conn, unit)
        code = codes.UnitCode(row.vintage, row.code)
        on_poster = _poster_unit(conn, row)
        place = place_of(conn, row)
    bare = codes.payload(code)
    if chosen is not None:
        from bot.channels.telegram_about import short_link, start_link

        username = username_of(settings, chosen)
        text, site, app_name = start_link(username, bare), short_link(username), "Telegram"
    else:
        text, site, app_name = f"{settings.web.public_url}/q/{bare}" if settings.web.public_url else bare, "", ""
    if poster:
        from reports import posters

        poster.write_bytes(posters.poster(on_poster, text, site=site, app=app_name))
    if out:
        from reports.posters import qr_png

        out.write_bytes(qr_png(text))
    if payload:
        typer.echo(bare)
        return
    if out or poster:
        for file in filter(None, (out, poster)):
            typer.echo(_("cli.qr.written", file=file))
        return
    typer.echo(_("cli.qr.facts", place=place, typed=codes.printed(code), holds=text))


def _poster_unit(conn: Connection, unit: UnitRow) -> PosterUnit:
    from reports.posters import PosterUnit
    from storage import codes, units

    above = {each.level: each.name for each in units.ancestors(conn, unit)}
    settings = units.settings(conn, unit)
    return PosterUnit(
        unit.name,
        above.get(units.PROVINCE, ""),
        codes.printed(codes.UnitCode(unit.vintage, unit.code)),
        above.get(units.COMMUNE, ""),
        settings.contact_name or "",
        settings.contact_phone or "",
    )
