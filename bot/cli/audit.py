"""``hoctap audit``: who did what to whose data (nhật ký)."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.base import MOST_LINES, Json, Stop, emit, group, reader, unit_of
from bot.cli.help import Command
from locales import ZONE, _, moment, number

if TYPE_CHECKING:
    from storage.audit import Deed
    from storage.base import Connection

app = group(_("cli.audit"))


@app.command("audit", cls=Command, help=_("cli.audit"))
def audit(
    person: Annotated[
        str | None, typer.Option("--person", metavar="CODE|ID", help=_("cli.opt.audit_person"), show_default=False)
    ] = None,
    officer: Annotated[
        int | None, typer.Option("--officer", metavar="ID", help=_("cli.opt.audit_officer"), show_default=False)
    ] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="UNIT", help=_("cli.arg.unit"), show_default=False)
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="YYYY-MM-DD", help=_("cli.opt.since"), show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Deeds, the newest last, times in Vietnam's zone: all of a person and their dossiers, of an officer, at a unit and
    below. Of names only the officer's."""
    from storage import audit as trail
    from storage import officers, units

    if person is None and officer is None and unit is None and since is None:
        raise Stop(_("cli.audit.whose"), 2)
    begin = _day(since) if since is not None else None
    with reader() as conn:
        whose = _person(conn, person) if person is not None else []
        actors = [f"officer:{officer}"] if officer is not None else []
        place = units.bounds(unit_of(conn, unit)) if unit is not None else None
        # Of a person: what was done to them; with an officer beside, only what that officer did.
        found = trail.listing(
            conn,
            actors=actors or [each for each in whose if each.startswith("person:")],
            subjects=whose,
            both=bool(actors and whose),
            below=place,
            since=begin,
            most=None if json else MOST_LINES + 1,
        )
        cut = not json and len(found) > MOST_LINES
        found = found[1:] if cut else found
        by = {each.actor for each in found if each.actor.startswith("officer:")}
        names = {actor: officers.name_of(conn, int(actor.partition(":")[2])) for actor in by}
        codes = {
            id: units.display_code(row) for id, row in ((id, units.by_id(conn, id)) for id in _places(found)) if row
        }
    if json:
        emit([_facts(each, names, codes) for each in found])
        return
    if not found:
        typer.echo(_("cli.audit.none"), err=True)
    if cut:
        typer.echo(_("cli.cut", most=number(MOST_LINES)), err=True)
    for each in found:
        who = f"{each.actor} {names.get(each.actor, '')}".strip()
        where = codes.get(each.unit_id or 0, "-")
        more = " ".join(f"{name}={value}" for name, value in each.details.items())
        typer.echo(f"{moment(each.at)}  {where:9} {who}: {each.action} {each.subject} {more}".rstrip())


def _facts(each: Deed, names: dict[str, str], codes: dict[int, str]) -> dict[str, Any]:
    return {
        "at": each.at.astimezone(ZONE),
        "actor": each.actor,
        "officer": names.get(each.actor),
        "action": each.action,
        "subject": each.subject,
        "unit": codes.get(each.unit_id or 0),
        "details": each.details,
    }


def _places(found: list[Deed]) -> set[int]:
    return {each.unit_id for each in found if each.unit_id is not None}


def _person(conn: Connection, text: str) -> list[str]:
    """The names that the trail has for a person and what is theirs: by the code of a dossier, or the person's number
    (also of one who has been erased)."""
    from storage import assessments, codes, privacy

    if text.strip().isdecimal():
        person_id = int(text)
    else:
        parsed = codes.parse(text)
        row = assessments.by_code(conn, codes.printed(parsed)) if isinstance(parsed, codes.DossierCode) else None
        if row is None:
            raise Stop(_("cli.assessments.unknown", code=text[:40]))
        person_id = row.person_id
    dossiers = [f"assessment:{each.id}" for each in assessments.every_of_person(conn, person_id)]
    return [f"person:{person_id}", *dossiers, *(f"request:{each.id}" for each in privacy.open_of(conn, person_id))]


def _day(text: str) -> datetime:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise Stop(_("cli.audit.since", value=text[:20]), 2) from None
    return datetime(found.year, found.month, found.day, tzinfo=ZONE)
