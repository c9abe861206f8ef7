"""``hoctap qr``: squares, posters and lists of squares of a unit, a province, the country (mã QR, áp phích)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.base import Stop, group, loaded, place_of, reader, unit_of
from bot.cli.bots import chosen_bot, username_at, username_of
from bot.cli.help import Command
from locales import _, number

if TYPE_CHECKING:
    from bot.settings import Settings
    from reports.poster_run import Province
    from reports.posters import Page, PosterUnit
    from storage.base import Connection
    from storage.units import UnitRow

app = group(_("cli.qr"))

SIZES = ("a4", "a3")


@app.command("qr", cls=Command, help=_("cli.qr"))
def qr(
    unit: Annotated[str | None, typer.Argument(metavar="UNIT", help=_("cli.arg.unit"), show_default=False)] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help=_("cli.opt.out"), show_default=False)
    ] = None,
    poster: Annotated[
        Path | None, typer.Option("--poster", metavar="F.pdf", help=_("cli.opt.poster"), show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help=_("cli.opt.all_posters"))] = False,
    sheet: Annotated[bool, typer.Option("--sheet", help=_("cli.opt.sheet"))] = False,
    under: Annotated[
        str | None, typer.Option("--under", metavar="UNIT", help=_("cli.opt.under"), show_default=False)
    ] = None,
    poster_dir: Annotated[
        Path | None, typer.Option("--poster-dir", metavar="DIR", help=_("cli.opt.poster_dir"), show_default=False)
    ] = None,
    size: Annotated[str, typer.Option("--size", metavar="SIZE", help=_("cli.opt.size"))] = "a4",
    payload: Annotated[bool, typer.Option("--payload", help=_("cli.opt.payload"))] = False,
    telegram: Annotated[bool, typer.Option("--telegram", help=_("cli.opt.telegram"))] = False,
    bot: Annotated[str | None, typer.Option("--bot", metavar="NAME", help=_("cli.opt.bot"), show_default=False)] = None,
) -> None:
    """One unit's square as PNG, poster or bare payload; with ``--all`` and ``--sheet`` those of all units of a place.
    ``--bot`` means ``--telegram`` too."""
    settings = loaded()
    by_telegram = telegram or bot is not None
    if size.lower() not in SIZES:
        raise Stop(_("cli.usage.value", name="--size", command="hoctap qr"), 2)
    if every or sheet:
        _many(settings, unit, every, sheet, under, poster_dir, out, size.lower(), by_telegram, bot)
        return
    if unit is None:
        raise Stop(_("cli.usage.missing", name="UNIT", command="hoctap qr"), 2)
    if under or poster_dir:
        raise Stop(_("cli.usage.missing", name="--all", command="hoctap qr"), 2)
    _one(settings, unit, out, poster, size.lower(), payload, by_telegram, bot)


def _one(
    settings: Settings,
    unit: str,
    out: Path | None,
    poster: Path | None,
    size: str,
    payload: bool,
    by_telegram: bool,
    bot: str | None,
) -> None:
    from storage import codes

    chosen = chosen_bot(settings, bot) if by_telegram else None
    if poster and not by_telegram:
        _need_address(settings)
    with reader(settings) as conn:
        row = unit_of(conn, unit)
        code = codes.UnitCode(row.vintage, row.code)
        on_poster = _poster_unit(conn, row)
        place = place_of(conn, row)
    bare = codes.payload(code)
    page = _page(settings, on_poster, bare, username_of(settings, chosen) if chosen is not None else "")
    if poster or out:
        from reports import posters
        from reports.poster_run import write_whole

        if poster:
            write_whole(poster, posters.poster(page.unit, page.payload, site=page.site, app=page.app, size=size))
        if out:
            write_whole(out, posters.qr_png(page.payload))
    if payload:
        typer.echo(bare)
        return
    if out or poster:
        for file in filter(None, (out, poster)):
            typer.echo(_("cli.qr.written", file=file))
        return
    typer.echo(_("cli.qr.facts", place=place, typed=codes.printed(code), holds=page.payload))


def _many(
    settings: Settings,
    unit: str | None,
    every: bool,
    sheet: bool,
    under: str | None,
    poster_dir: Path | None,
    out: Path | None,
    size: str,
    by_telegram: bool,
    bot: str | None,
) -> None:
    from storage import units

    if unit is not None:
        raise Stop(_("cli.usage.other", command="hoctap qr"), 2)
    wanted = {"--under": under, "--poster-dir": not every or poster_dir, "--out": not sheet or out}
    for name, given in wanted.items():
        if not given:
            raise Stop(_("cli.usage.missing", name=name, command="hoctap qr"), 2)
    if not by_telegram:
        _need_address(settings)
    with reader(settings) as conn:
        top = unit_of(conn, under or "")
        place = place_of(conn, top)
        provinces = _provinces(settings, conn, top, by_telegram, bot)
        index = units.display_code(top)
    if not provinces:
        raise Stop(_("cli.qr.none_below", place=place))
    if sheet and out is not None:
        from reports import sheets
        from reports.poster_run import write_whole

        pages = [page for province in provinces for page in province.pages]
        write_whole(out, sheets.sheet(pages, place))
        typer.echo(_("cli.qr.written", file=out))
    if every and poster_dir is not None:
        _draw(provinces, poster_dir, size, index)


def _draw(provinces: list[Province], folder: Path, size: str, index: str) -> None:
    from bot.cli.progress import progress
    from reports import poster_run

    total = {"posters": sum(len(each.pages) for each in provinces), "book": len(provinces)}
    done, kept = {"posters": 0, "book": 0, "old": 0}, {"posters": 0, "book": 0, "old": 0}
    with progress() as tell:
        for made in poster_run.run(folder, provinces, index=index, size=size):
            done[made.what] += made.count
            kept[made.what] += made.kept
            if made.what in total:
                tell(made.what, done[made.what], total[made.what])
    typer.echo(
        _(
            "cli.qr.all_done",
            folder=folder,
            posters=number(done["posters"]),
            books=number(done["book"]),
            index=f"index-{index}",
            kept=number(kept["posters"] + kept["book"]),
        )
    )
    if done["old"]:
        typer.echo(_("cli.qr.put_aside", n=number(done["old"]), folder=folder / poster_run.OLD))


def _provinces(
    settings: Settings, conn: Connection, top: UnitRow, by_telegram: bool, bot: str | None
) -> list[Province]:
    """What is open at or below a unit and has a square: the communes; below a commune its units of the association
    too."""
    from reports.poster_run import Province
    from storage import codes, units

    deepest = units.ASSOCIATION if top.level >= units.COMMUNE else units.COMMUNE
    found: dict[str, tuple[UnitRow, str, list[Page]]] = {}
    asked: dict[str, str] = {}
    for unit in units.subtree(conn, top):
        if unit.valid_to is not None or not units.COMMUNE <= unit.level <= deepest:
            continue
        code = unit.path.split("/")[1]
        if code not in found:
            province = units.by_code(conn, code)
            assert province is not None
            found[code] = (province, username_at(settings, conn, province, bot, asked) if by_telegram else "", [])
        bare = codes.payload(codes.UnitCode(unit.vintage, unit.code))
        found[code][2].append(_page(settings, _poster_unit(conn, unit), bare, found[code][1]))
    part = (units.display_code(top), top.name) if top.level >= units.COMMUNE else None
    return [Province(province.code, province.name, tuple(pages), part) for province, _bot, pages in found.values()]


def _need_address(settings: Settings) -> None:
    if not settings.web.public_url:
        raise Stop(_("cli.qr.no_public_url", key="web.public_url"), 2)


def _page(settings: Settings, unit: PosterUnit, bare: str, username: str) -> Page:
    """What a unit's square holds: a link to the bot of that name, else the landing page, else the bare payload."""
    from reports.posters import Page

    if username:
        from bot.channels.telegram_about import short_link, start_link

        return Page(unit, start_link(username, bare), short_link(username), "Telegram")
    return Page(unit, f"{settings.web.public_url}/q/{bare}" if settings.web.public_url else bare)


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
