"""``hoctap schedule …``: the summaries that go up by themselves, what became of them, and one sent now."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.base import Json, Stop, emit, group, loaded, reader, unit_of, writer
from bot.cli.help import Command
from bot.clock import now
from locales import _, moment, number

if TYPE_CHECKING:
    from bot.settings import Settings
    from reports.schedules import Schedule
    from storage.base import Connection
    from storage.conversations import Reach
    from storage.recipients import Holder

app = group(_("cli.schedule"))
KEYS = ("cli.schedule.would", "cli.schedule.planned")

Name = Annotated[str, typer.Argument(metavar="NAME", help=_("cli.arg.schedule"), show_default=False)]


@app.command("list", cls=Command, help=_("cli.schedule.list"))
def list_(json: Json = False) -> None:
    """Every schedule: what, when, the next time, how many get it."""
    from bot.schedules import who_gets
    from reports import schedules as times

    settings = loaded()
    moment_of = now()
    found = []
    with reader(settings) as conn:
        for each in _known(settings):
            found.append((each, times.next_due(each, moment_of), len(who_gets(conn, each))))
    if json:
        emit([{**asdict(each), "next": due, "recipients": count} for each, due, count in found])
        return
    for each, due, count in found:
        typer.echo(
            _(
                "cli.schedule.line",
                name=each.name,
                title=times.title(each),
                when=times.in_words(each),
                next=moment(due),
                n=number(count),
            )
        )


def _known(settings: Settings) -> tuple[Schedule, ...]:
    from bot.settings import schedules

    return schedules(settings)


def _named(settings: Settings, name: str) -> Schedule:
    known = _known(settings)
    for each in known:
        if each.name == name:
            return each
    raise Stop(_("cli.schedule.unknown", name=name[:40], known=", ".join(each.name for each in known)))


@app.command("run", cls=Command, help=_("cli.schedule.run"))
def run(
    name: Name,
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="UNIT", help=_("cli.opt.to"), show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("cli.opt.schedule_dry_run"))] = False,
    json: Json = False,
) -> None:
    """Send it now, to all or only to the officers of some units; the running server does the sending."""
    from reports import schedules as times
    from storage import audit, recipients, schedules

    settings = loaded()
    schedule = _named(settings, name)
    moment_of = now()
    with reader(settings) as conn:
        chosen = _chosen(conn, schedule, to or ())
    if not dry_run:
        with writer(settings) as conn:
            run_id = schedules.plan_now(conn, schedule.name, moment_of, "cli")
            recipients.begin(conn, run_id, chosen, moment_of, asked=True)
            audit.write(conn, "cli", "summary.run", f"run:{run_id}", moment_of, recipients=len(chosen))
    reachable = sum(reach is not None for _holder, reach in chosen)
    if json:
        emit(_as_json(schedule, chosen, dry_run))
        return
    if dry_run:
        for holder, reach in chosen:
            _show(settings, holder, reach)
    said = KEYS[0] if dry_run else KEYS[1]
    typer.echo(_(said, n=number(len(chosen)), reachable=number(reachable)))
    until = times.quiet_until(schedule, moment_of)
    if until is not None:
        typer.echo(_("cli.schedule.quiet", moment=moment(until)))


def _chosen(conn: Connection, schedule: Schedule, to: Any) -> list[tuple[Holder, Reach | None]]:
    """Who gets it, each with the chat that it goes to."""
    from bot.schedules import who_gets
    from storage import reach, recipients

    units = {unit_of(conn, each).id for each in to}
    reaches = reach.of_officers(conn)
    found = []
    for each in who_gets(conn, schedule):
        held = tuple(unit for unit in each.units if not units or unit[0] in units)
        if held:
            found.append((recipients.Holder(each.officer_id, held), reaches.get(each.officer_id)))
    return found


def _as_json(schedule: Schedule, chosen: list[tuple[Holder, Reach | None]], dry_run: bool) -> dict[str, Any]:
    return {
        "schedule": schedule.name,
        "dry_run": dry_run,
        "recipients": [
            {
                "officer": holder.officer_id,
                "units": [path.rstrip("/").rpartition("/")[2] for _id, path in holder.units],
                "account": reach.account if reach else None,
            }
            for holder, reach in chosen
        ],
    }


def _show(settings: Settings, holder: Holder, reach: Reach | None) -> None:
    from storage import officers

    with reader(settings) as conn:
        called = officers.name_of(conn, holder.officer_id)
    units = ", ".join(path.rstrip("/").rpartition("/")[2] for _id, path in holder.units)
    typer.echo(f"{holder.officer_id:>5}  {called}: {units}  {reach.account if reach else _('cli.schedule.nowhere')}")


@app.command("log", cls=Command, help=_("cli.schedule.log"))
def log(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help=_("cli.arg.schedule_or_all"), show_default=False)] = "",
    most: Annotated[int, typer.Option("--most", metavar="N", min=1, max=1000, help=_("cli.opt.most_runs"))] = 20,
    json: Json = False,
) -> None:
    """The newest runs: planned, sent, failed and why, unreachable."""
    from storage import recipients

    with reader() as conn:
        found = recipients.log(conn, name, most)
    if json:
        emit([{**asdict(each.run), **each.counts, "reasons": each.reasons} for each in found])
        return
    if not found:
        typer.echo(_("cli.schedule.log_empty"), err=True)
    for each in found:
        counts = {outcome: number(n) for outcome, n in each.counts.items()}
        line = _("cli.schedule.logged", name=each.run.schedule, due=moment(each.run.due_at), **counts)
        typer.echo(_("cli.schedule.logged_late", line=line) if each.run.late else line)
        for reason, n in each.reasons.items():
            typer.echo(f"    {number(n)} × {reason}")
