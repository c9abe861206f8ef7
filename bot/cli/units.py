"""``hoctap units …``: units (đơn vị), found, shown, added, and their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.base import Json, emit, group, place_of, reader, unit_of, writer
from bot.cli.help import Command
from bot.clock import now
from locales import _

if TYPE_CHECKING:
    from storage.units import UnitRow

app = group(_("cli.units"))

Code = Annotated[str, typer.Argument(metavar="CODE", help=_("cli.arg.unit"), show_default=False)]


def _facts(unit: UnitRow) -> dict[str, Any]:
    from storage import units

    return {"code": units.display_code(unit), "name": unit.name, "kind": unit.kind, "level": unit.level}


@app.command("find", cls=Command, help=_("cli.units.find"))
def find(
    text: Annotated[list[str], typer.Argument(metavar="TEXT", help=_("cli.arg.text"), show_default=False)],
    json: Json = False,
) -> None:
    """Units that a text may name, best first."""
    from storage import units

    with reader() as conn:
        found = units.search(conn, " ".join(text), limit=20)
    if json:
        emit([{**_facts(place.unit), "within": list(place.above)} for place in found])
        return
    if not found:
        typer.echo(_("cli.units.none"), err=True)
    for place in found:
        typer.echo(f"{units.display_code(place.unit):10}{', '.join(place.parts)}")


@app.command("tree", cls=Command, help=_("cli.units.tree"))
def tree(code: Code, json: Json = False) -> None:
    """A unit and everything open below it."""
    from storage import units

    with reader() as conn:
        top = unit_of(conn, code)
        below = [unit for unit in units.subtree(conn, top) if unit.valid_to is None]
    if json:
        parents = {unit.id: units.display_code(unit) for unit in below}
        emit([{**_facts(unit), "parent": parents.get(unit.parent_id or 0)} for unit in below])
        return
    for unit in below:
        typer.echo(f"{'  ' * (unit.level - top.level)}{units.display_code(unit)}  {unit.name}")


@app.command("add", cls=Command, help=_("cli.units.add"))
def add(
    parent: Annotated[str, typer.Argument(metavar="PARENT", help=_("cli.arg.commune"), show_default=False)],
    name: Annotated[str, typer.Option("--name", help=_("cli.opt.unit_name"), metavar="TEXT", show_default=False)],
    kind: Annotated[str, typer.Option("--kind", help=_("cli.opt.kind"), metavar="KIND", show_default=False)],
    json: Json = False,
) -> None:
    """Make a unit of the association below a commune; its code is the first line."""
    from storage import codes, units

    with writer() as conn:
        made = units.add_association_unit(conn, unit_of(conn, parent).code, name, kind, "cli", now())
        place = place_of(conn, made)
    code = codes.UnitCode(made.vintage, made.code)
    shown = units.display_code(made)
    if json:
        emit({**_facts(made), "parent": made.code[:5], "typed": codes.printed(code), "payload": codes.payload(code)})
        return
    typer.echo(shown)
    typer.echo(_("cli.units.added", place=place, typed=codes.printed(code)))


@app.command("set", cls=Command, help=_("cli.units.set"))
def set_(
    code: Code,
    key: Annotated[str, typer.Argument(metavar="KEY", help=_("cli.arg.key"), show_default=False)],
    value: Annotated[str, typer.Argument(metavar="VALUE", help=_("cli.arg.value"), show_default=False)],
) -> None:
    """Set a setting of a unit, or take it away with an empty value."""
    from storage import units

    with writer() as conn:
        unit = unit_of(conn, code)
        units.set_setting(conn, unit.code, key, value, "cli", now())
        place = place_of(conn, unit)
    typer.echo(_("cli.units.was_set" if value.strip() else "cli.units.was_cleared", key=key, place=place))
