"""``hoctap officers …``: invites, links and the list of officers (cán bộ Hội)."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.base import Json, Stop, emit, group, loaded, place_of, reader, unit_of, writer
from bot.cli.bots import bot_of_unit, username_of
from bot.cli.help import Command
from bot.clock import now
from locales import _, day, number

if TYPE_CHECKING:
    from bot.settings import Account, Settings
    from storage.base import Connection
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
    unit: Annotated[str | None, typer.Argument(metavar="UNIT", help=_("cli.arg.unit"), show_default=False)] = None,
    role: Annotated[
        str | None, typer.Option("--role", metavar="ROLE", help=_("cli.opt.officer_role"), show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help=_("cli.opt.officer_name"), show_default=False)
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="F.csv", help=_("cli.opt.invite_csv"), show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("cli.opt.invite_dry_run"))] = False,
    skip_wrong: Annotated[bool, typer.Option("--skip-wrong", help=_("cli.opt.skip_wrong"))] = False,
    slips: Annotated[
        Path | None, typer.Option("--slips", metavar="F.pdf", help=_("cli.opt.slips"), show_default=False)
    ] = None,
    again: Annotated[bool, typer.Option("--again", help=_("cli.opt.invite_again"))] = False,
    telegram: Annotated[bool, typer.Option("--telegram", help=_("cli.opt.telegram"))] = False,
    bot: Annotated[str | None, typer.Option("--bot", metavar="NAME", help=_("cli.opt.bot"), show_default=False)] = None,
    json: Json = False,
) -> None:
    """A one-time invite to a role on a unit, with every form in which it can be handed over; with ``--csv`` many, each
    on a slip of paper."""
    settings = loaded()
    if csv is not None:
        if unit is not None or name is not None:
            raise Stop(_("cli.usage.other", command="hoctap officers invite"), 2)
        from bot.cli import invites

        done = invites.invite_all(
            settings,
            csv,
            role=role,
            slips=slips,
            dry_run=dry_run,
            skip_wrong=skip_wrong,
            telegram=telegram or bot is not None,
            bot=bot,
            renew=again,
        )
        invites.tell(done, json)
        return
    for wanted, given in (("UNIT", unit), ("--role", role)):
        if given is None:
            raise Stop(_("cli.usage.missing", name=wanted, command="hoctap officers invite"), 2)
    if dry_run or skip_wrong or slips or again:
        raise Stop(_("cli.usage.missing", name="--csv", command="hoctap officers invite"), 2)
    assert unit is not None and role is not None
    _invite(settings, unit, role, name, json)


def _invite(settings: Settings, unit: str, role: str, name: str | None, json: bool) -> None:
    from storage import officers, units

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


def _one(conn: Connection, name: str | None, id: int | None) -> int:
    """The officer of this name, or number, or both; names are not unique. Stops where that is nobody, or several."""
    from storage import officers

    named = officers.named(conn, _clean(name)) if name is not None else None
    if id is not None:
        named = [each for each in ([id] if named is None else named) if each == id and officers.name_of(conn, id)]
    if not named:
        raise Stop(_("cli.officers.unknown", name=name or id))
    if len(named) > 1:
        raise Stop(_("cli.officers.several", name=name, ids=", ".join(map(str, named))))
    return named[0]


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
        found = _one(conn, name, id)
        code = officers.link(conn, found, moment, "cli")
        called = officers.name_of(conn, found)
        unit_id = officers.home_of(conn, found)
        home = units.by_id(conn, unit_id) if unit_id is not None else None
        bot = bot_of_unit(settings, conn, home) if home is not None else None
    way_in = _way_in(settings, code, bot)
    ends = moment + officers.INVITE_LIFE
    if json:
        emit({**way_in, "id": found, "name": called, "ends_at": ends})
        return
    typer.echo(_("cli.officers.linked", name=called, ends=day(ends)))
    _show(way_in)


@app.command("end", cls=Command, help=_("cli.officers.end"))
def end(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help=_("cli.arg.officer"), show_default=False)] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="UNIT", help=_("cli.opt.end_unit"), show_default=False)
    ] = None,
    id: Annotated[
        int | None, typer.Option("--id", metavar="N", help=_("cli.opt.officer_id"), show_default=False)
    ] = None,
    sessions: Annotated[bool, typer.Option("--sessions", help=_("cli.opt.end_sessions"))] = False,
    json: Json = False,
) -> None:
    """End an officer's role on a unit, or all of them with every session; the officer is told, and so is what is left
    without anybody. With ``--sessions`` the sessions only: nobody is told, for the phone may be in other hands."""
    from dialogs import notices
    from dialogs.model import Screen
    from storage import assessments, desks, officers, units

    if name is None and id is None:
        raise Stop(_("cli.usage.missing", name="NAME", command="hoctap officers end"), 2)
    if sessions and unit is not None:
        raise Stop(_("cli.usage.other", command="hoctap officers end"), 2)
    moment = now()
    if sessions:
        _end_sessions(name, id, moment, json)
        return
    with writer() as conn:
        officer = _one(conn, name, id)
        row = unit_of(conn, unit) if unit is not None else None
        done = desks.dismiss(conn, officer, row.id if row is not None else None, moment, "cli")
        places = "; ".join(each.unit_name for each in done.ended)

        def notice() -> Screen:
            return Screen(_("notice.role_ended" if done.left else "notice.roles_ended", unit=places))

        told = [
            notices.to_chat(conn, moment, account, address, f"role_ended:{officer}:{row.id if row else 0}", notice)
            for account, address in done.chats
        ]
        vacant = [
            {
                "unit": units.display_code(units.by_id(conn, each.unit_id)),  # type: ignore[arg-type]
                "unit_name": each.unit_name,
                "role": each.role,
                "waiting": assessments.waiting(conn, each.path),
            }
            for each in done.vacant
        ]
        called = officers.name_of(conn, officer)
    if json:
        roles = [{"role": each.role, "unit_name": each.unit_name} for each in done.left]
        emit(
            {
                "id": officer,
                "name": called,
                "ended": len(done.ended),
                "left": roles,
                "told": any(told),
                "vacant": vacant,
            }
        )
        return
    typer.echo(_("cli.officers.ended" if any(told) else "cli.officers.ended_untold", name=called, units=places))
    for each in done.left:
        typer.echo(_("cli.officers.still", role=_role(each.role), unit=each.unit_name))
    for found in vacant:
        typer.echo(
            _(
                "cli.officers.vacant",
                unit=found["unit_name"],
                role=_role(str(found["role"])),
                n=number(int(str(found["waiting"]))),
                code=found["unit"],
                kind=found["role"],
            )
        )


def _end_sessions(name: str | None, id: int | None, moment: datetime, json: bool) -> None:
    from storage import desks, officers

    with writer() as conn:
        officer = _one(conn, name, id)
        chats = desks.sign_out(conn, officer, moment, "cli")
        called = officers.name_of(conn, officer)
    if json:
        emit({"id": officer, "name": called, "sessions": chats})
        return
    typer.echo(_("cli.officers.signed_out", name=called, n=number(chats)))


END_KEYS = ("cli.officers.ended", "cli.officers.ended_untold", "notice.role_ended", "notice.roles_ended")
