"""``hoctap privacy …``: requests about personal data (yêu cầu về dữ liệu cá nhân), what is due, and closing one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.base import MOST_LINES, Json, Stop, emit, group, reader, writer
from bot.cli.help import Command
from bot.clock import now
from locales import _, day, number

if TYPE_CHECKING:
    from datetime import datetime

    from storage.base import Connection
    from storage.privacy import Listed

app = group(_("cli.privacy"))

Days = Annotated[
    int | None, typer.Option("--days", metavar="N", min=0, help=_("cli.opt.privacy_days"), show_default=False)
]


@app.command("due", cls=Command, help=_("cli.privacy.due"))
def due(days: Days = None, json: Json = False) -> None:
    """Open requests, the most urgent first; with ``--days`` only those due within so many. No name: the dossier's code
    leads to the citizen."""
    from storage import privacy

    moment = now()
    with reader() as conn:
        rows = privacy.due(conn, None if days is None else moment + timedelta(days=days), _most(json))
        cut = not json and len(rows) > MOST_LINES
        facts = [_facts(conn, each, moment) for each in (rows[:MOST_LINES] if cut else rows)]
    _print(facts, json, _("cli.privacy.none_due"), cut)


@app.command("log", cls=Command, help=_("cli.privacy.log"))
def log(days: Days = None, json: Json = False) -> None:
    """Every request, open and closed, the newest last; of an erasure also who asked, for it is to be repeated after a
    restore."""
    from storage import privacy

    moment = now()
    with reader() as conn:
        rows = privacy.log(conn, None if days is None else moment - timedelta(days=days), _most(json))
        cut = not json and len(rows) > MOST_LINES
        facts = [_facts(conn, each, moment) for each in (rows[1:] if cut else rows)]
    _print(facts, json, _("cli.privacy.none"), cut)


def _most(json: bool) -> int | None:
    return None if json else MOST_LINES + 1


@app.command("done", cls=Command, help=_("cli.privacy.done"))
def done(
    number: Annotated[int, typer.Argument(metavar="ID", help=_("cli.arg.request"), show_default=False)],
    outcome: Annotated[str, typer.Option("--outcome", metavar="CODE", help=_("cli.opt.outcome"), show_default=False)],
) -> None:
    """Close a request and tell the citizen; a group that was granted is changed (a decided dossier keeps its own)."""
    from dialogs import notices, places
    from dialogs.model import Screen
    from storage import assessments, people, privacy, units

    moment = now()
    with writer() as conn:
        row = privacy.settle(conn, number, outcome, "cli", moment)
        person = people.person(conn, row.person_id) if row.person_id is not None else None
        told = False
        if person is not None:
            wished = row.about.removeprefix(privacy.GROUP) if row.about.startswith(privacy.GROUP) else ""
            if wished and outcome in ("done", "granted"):
                assessments.regroup(conn, person, wished, "cli", moment)
            contact = places.whom_to_ask(units.settings(conn, places.unit_of(conn, person.unit_id)))

            def notice() -> Screen:
                kind, result = _(f"privacy.kind.{row.kind}"), _(f"privacy.outcome.{outcome}")
                words = _("notice.privacy_answered", number=row.id, kind=kind, outcome=result, contact=contact)
                return Screen(words.strip())

            told = notices.to_person(conn, moment, person.id, notice)
    typer.echo(_("cli.privacy.closed" if told else "cli.privacy.closed_untold", number=number))


@app.command("erase", cls=Command, help=_("cli.privacy.erase"))
def erase(
    number: Annotated[int, typer.Argument(metavar="PERSON_ID", help=_("cli.arg.person"), show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help=_("cli.opt.erase_yes"))] = False,
) -> None:
    """Erase a citizen as /dulieu would, asked for on paper or to be repeated after a restore; logged as a request."""
    from storage import assessments, erasure, people, privacy

    moment = now()
    if not yes:
        with reader() as conn:
            person = people.person(conn, number)
            codes = [each.code for each in assessments.every_of_person(conn, number)]
        if person is not None:  # asked outside of any transaction: whoever reads slowly holds up nobody
            typer.confirm(
                _("cli.privacy.erase_sure", number=number, codes=", ".join(codes) or "-"), abort=True, err=True
            )
    with writer() as conn:
        person = people.person(conn, number)
        if person is None:
            raise Stop(_("cli.privacy.no_person", number=number))
        asked = privacy.ask(
            conn,
            "delete",
            actor="cli",
            now=moment,
            person_id=number,
            unit_id=person.unit_id,
            about=f"person:{number}",
            done=True,
        )
        erasure.erase_person(conn, person, "cli", moment)
    typer.echo(_("cli.privacy.erased", number=number, request=asked))


CLOSED_KEYS = ("cli.privacy.closed", "cli.privacy.closed_untold")


def _facts(conn: Connection, each: Listed, moment: datetime) -> dict[str, Any]:
    from storage import assessments

    row = each.request
    dossiers = assessments.every_of_person(conn, row.person_id) if row.person_id is not None else []
    return {
        "id": row.id,
        "kind": row.kind,
        "about": row.about,
        "unit": {"code": each.unit_code, "name": each.unit_name} if each.unit_code else None,
        "person": row.person_id,
        "actor": row.actor,
        "dossier": dossiers[-1].code if dossiers else None,
        "made_at": row.made_at,
        "acknowledge_by": row.acknowledge_by,
        "acknowledged_at": row.acknowledged_at,
        "due_by": row.due_by,
        "overdue": row.done_at is None and row.due_by < moment,
        "done_at": row.done_at,
        "outcome": row.outcome,
    }


def _print(facts: list[dict[str, Any]], json: bool, none: str, cut: bool) -> None:
    if json:
        emit(facts)
        return
    if not facts:
        typer.echo(none, err=True)
    if cut:
        typer.echo(_("cli.cut", most=number(MOST_LINES)), err=True)
    for each in facts:
        if each["done_at"] is None:
            state = _("cli.privacy.overdue" if each["overdue"] else "cli.privacy.until", day=day(each["due_by"]))
        else:
            state = _("cli.privacy.was_done", day=day(each["done_at"]), outcome=_(f"privacy.outcome.{each['outcome']}"))
        unit = each["unit"]["code"] if each["unit"] else "-"
        kind = _(f"privacy.kind.{each['kind']}") + (f" [{each['about']}]" if each["about"] else "")
        whose = f" ({each['actor']})" if each["kind"] == "delete" else ""
        typer.echo(
            f"{each['id']:>5}  {day(each['made_at'])}  {unit:9} {each['dossier'] or '-':13} {kind}{whose}: {state}"
        )


STATE_KEYS = ("cli.privacy.overdue", "cli.privacy.until")
