"""``hoctap assessments …``: dossiers (hồ sơ), listed and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.base import Json, Stop, emit, group, place_of, reader, unit_of, writer
from bot.cli.help import Command
from bot.clock import now
from locales import _, day, moment, voice

if TYPE_CHECKING:
    from dialogs.answering import Sheet
    from storage.assessments import AssessmentRow
    from storage.units import UnitRow

app = group(_("cli.assessments"))

EVERY = 2**31 - 1
Status = Annotated[str | None, typer.Option("--status", metavar="S", help=_("cli.opt.status"), show_default=False)]


@app.command("list", cls=Command, help=_("cli.assessments.list"))
def list_(
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="UNIT", help=_("cli.arg.unit"), show_default=False)
    ] = None,
    status: Status = None,
    json: Json = False,
) -> None:
    """Assessments of all or of a unit with everything below it, oldest first; nothing personal."""
    from storage import assessments, units

    if status is not None and status not in assessments.STATUSES:
        raise Stop(_("cli.assessments.status", status=status[:20], known=", ".join(assessments.STATUSES)), 2)
    with reader() as conn:
        path = unit_of(conn, unit).path if unit is not None else None
        rows = assessments.listing(conn, path, status, limit=EVERY)
        at = {id: units.by_id(conn, id) for id in {row.unit_id for row in rows}}
    facts = [_facts(row, at[row.unit_id]) for row in rows]
    if json:
        emit(facts)
        return
    if not facts:
        typer.echo(_("cli.assessments.none"), err=True)
    for each in facts:
        since = day(each["submitted_at"] or each["registered_at"])
        status_name = _(f"status.{each['status']}")
        typer.echo(f"{each['code']}  {each['unit']['code']:9} {since}  {status_name}")


def _facts(row: AssessmentRow, unit: UnitRow | None) -> dict[str, Any]:
    from storage import units

    assert unit is not None
    return {
        "code": row.code,
        "status": row.status,
        "year": row.year,
        "unit": {"code": units.display_code(unit), "name": unit.name},
        "subject_group": row.subject_group,
        "criteria": {"id": row.criteria_id, "version": row.criteria_version},
        "version": row.version,
        "registered_at": row.registered_at,
        "submitted_at": row.submitted_at,
        "opened_at": row.opened_at,
        "decided_at": row.decided_at,
    }


@app.command("show", cls=Command, help=_("cli.assessments.show"))
def show(
    code: Annotated[str, typer.Argument(metavar="CODE", help=_("cli.arg.dossier"), show_default=False)],
    json: Json = False,
) -> None:
    """One assessment: answers, kinds of evidence, decisions; of the person the name only. The reading is audited."""
    from dialogs import answering
    from storage import assessments, audit, codes, people, reviews, units

    parsed = codes.parse(code)
    with writer() as conn:
        row = assessments.by_code(conn, codes.printed(parsed)) if isinstance(parsed, codes.DossierCode) else None
        if row is None:
            raise Stop(_("cli.assessments.unknown", code=code[:40]))
        sheet = answering.read(conn, row)
        unit = units.by_id(conn, row.unit_id)
        person = people.person(conn, row.person_id)
        decisions = reviews.all_of(conn, row.id)
        audit.write(conn, "cli", audit.READ, f"assessment:{row.id}", now(), row.unit_id)
        place = place_of(conn, unit) if unit else ""
    facts = {
        **_facts(row, unit),
        "name": person.name if person else "",
        "total": sheet.score.total,
        "passes": sheet.score.passes,
        "missing_evidence": list(sheet.missing),
        "answers": _answers(sheet),
        "reviews": [
            {
                "decision": each.decision,
                "officer": each.officer_name,
                "reason": each.reason,
                "total": each.total,
                "at": each.at,
                "undone_at": each.undone_at,
            }
            for each in decisions
        ],
    }
    if json:
        emit(facts)
        return
    _print(facts, place, sheet.criteria.max_total)


def _answers(sheet: Sheet) -> list[dict[str, Any]]:
    found = []
    for indicator in sheet.criteria.indicators:
        answer = sheet.answers.get(indicator.id)
        found.append(
            {
                "indicator": indicator.id,
                "name": indicator.name.to(voice().language),
                "level": answer.level if answer else None,
                "officer_level": answer.officer_level if answer else None,
                "officer_reason": answer.officer_reason if answer else None,
                "return_reason": answer.return_reason if answer else None,
                "points": sheet.score.per_indicator.get(indicator.id),
                "evidence": [
                    {"kind": piece.kind, "status": piece.status} for piece in sheet.evidence.get(indicator.id, ())
                ],
            }
        )
    return found


def _print(facts: dict[str, Any], place: str, most: int) -> None:
    typer.echo(f"{facts['code']}  {facts['name']}, {place}")
    status = _(f"status.{facts['status']}")
    typer.echo(_("cli.assessments.total", status=status, total=facts["total"], most=most))
    for answer in facts["answers"]:
        level = answer["level"] or "-"
        if answer["officer_level"]:
            level = f"{level} > {answer['officer_level']}"
        kinds = ", ".join(each["kind"] for each in answer["evidence"])
        points = "" if answer["points"] is None else answer["points"]
        typer.echo(f"{answer['indicator']:4}{points:>4}  {level:16} {answer['name']}{f' [{kinds}]' if kinds else ''}")
        for reason in filter(None, (answer["officer_reason"], answer["return_reason"])):
            typer.echo(f"{'':10}{reason}")
    for each in facts["reviews"]:
        verdict = _(f"decision.{each['decision']}")
        undone = _("cli.assessments.undone") if each["undone_at"] else ""
        line = f"{moment(each['at'])}  {each['officer']}: {verdict} ({each['total']}) {undone}".rstrip()
        typer.echo(f"{line}: {each['reason']}" if each["reason"] else line)
