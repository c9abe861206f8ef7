"""``hoctap officers …``: invites, links and the list of officers (cán bộ Hội)."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.base import Json, Stop, emit, group, loaded, now, place_of, reader, unit_of, writer
from bot.cli.bots import bot_of_unit, username_of
from bot.cli.help import Command
from locales import _, day

if TYPE_CHECKING:
    from bot.settings import Account, Settings
    from storage.codes import InviteCode

app = group(_("cli.officers"))


def _clean(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split()))


def _role(role: str) -> str:
    return _(f"cli.role.{role}")


def _way_in(settings: Settings, code: InviteCode, bot: Account | None) -> dict[str, Any]:
    """The invite in every form in which it can be handed over. On the web it stands behind the ``#``, which no server
    or proxy ever writes down; where Telegram cannot be asked for the bot's name, a line says so."""
    from bot.settings import address
    from storage import codes

    payload = codes.payload(code)
    links = {"web": f"{address(settings)}/chat#q={payload}"}
    if bot is not None:
        from bot.channels.telegram_about import start_link

        try:
            links["telegram"] = start_link(username_of(settings, bot), payload)
        except Stop as stop:
            typer.echo(stop.text, err=True)
    return {"payload": payload, "typed": codes.printed(code), "links": links}


@app.command("invite", cls=Command, help=_("cli.officers.invite"))
def invite(
    unit: Annotated[str, typer.Argument(metavar="UNIT", help=_("cli.arg.unit"), show_default=False)],
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help=_("cli.opt.role"), show_default=False)],
    name: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help=_("cli.opt.officer_name"), show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """A one-time invite to a role on a unit, with every form in which it can be handed over."""
    from storage import officers, units

    settings = loaded()
    called = _clean(name) if name else None
    if called is not None and not 1 <= len(called) <= 120:
        raise Stop(_("cli.officers.name", most=120))
    moment = now()
    with writer(settings) as conn:
        row = unit_of(conn, unit)
        code = officers.invite(conn, row.id, role, moment, "cli", called)
        place, bot = place_of(conn, row), bot_of_unit(settings, conn, row)
    way_in = _way_in(settings, code, bot)
    ends = moment + officers.INVITE_LIFE
    if json:
        emit({**way_in, "unit": units.display_code(row), "role": role, "name": called, "ends_at": ends})
        return
    typer.echo(_("cli.officers.invited", role=_role(role), place=place, ends=day(ends)))
    _show(way_in)


def _show(way_in: dict[str, Any]) -> None:
    typer.echo(way_in["payload"])
    typer.echo(_("cli.officers.typed", typed=way_in["typed"]))
    for link in way_in["links"].values():
        typer.echo(link)


@app.command("list", cls=Command, help=_("cli.officers.list"))
def list_(json: Json = False) -> None:
    """Who holds which roles."""
    from storage import officers

    with reader() as conn:
        rows = officers.listing(conn)
    found: dict[int, dict[str, Any]] = {}
    for id, name, role, code, unit in rows:
        shown = f"{code[:5]}-{code[5:]}" if len(code) == 7 else code
        found.setdefault(id, {"id": id, "name": name, "roles": []})["roles"].append(
            {"role": role, "unit": shown, "unit_name": unit}
        )
    if json:
        emit(list(found.values()))
        return
    if not found:
        typer.echo(_("cli.officers.none"), err=True)
    for officer in found.values():
        held = "; ".join(f"{_role(each['role'])} {each['unit']} {each['unit_name']}" for each in officer["roles"])
        typer.echo(f"{officer['id']:>5}  {officer['name']}: {held}")


@app.command("link", cls=Command, help=_("cli.officers.link"))
def link(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help=_("cli.arg.officer"), show_default=False)] = None,
    id: Annotated[
        int | None, typer.Option("--id", metavar="N", help=_("cli.opt.officer_id"), show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """A new one-time link for an officer who lost their way in."""
    from storage import officers, units

    if name is None and id is None:
        raise Stop(_("cli.usage.missing", name="NAME", command="hoctap officers link"), 2)
    settings = loaded()
    moment = now()
    with writer(settings) as conn:
        named = officers.named(conn, _clean(name)) if name is not None else None
        if id is not None:
            named = [each for each in ([id] if named is None else named) if each == id and officers.name_of(conn, id)]
        if not named:
            raise Stop(_("cli.officers.unknown", name=name or id))
        if len(named) > 1:
            raise Stop(_("cli.officers.several", name=name, ids=", ".join(map(str, named))))
        code = officers.link(conn, named[0], moment, "cli")
        called = officers.name_of(conn, named[0])
        unit_id = officers.home_of(conn, named[0])
        home = units.by_id(conn, unit_id) if unit_id is not None else None
        bot = bot_of_unit(settings, conn, home) if home is not None else None
    way_in = _way_in(settings, code, bot)
    ends = moment + officers.INVITE_LIFE
    if json:
        emit({**way_in, "id": named[0], "name": called, "ends_at": ends})
        return
    typer.echo(_("cli.officers.linked", name=called, ends=day(ends)))
    _show(way_in)
