"""``hoctap events …``: events whose turn failed by a defect, and taking them anew."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.base import Json, Stop, emit, group, loaded, writer
from bot.cli.base import reader as reading_database
from bot.cli.help import Command
from bot.clock import now
from locales import _, moment

if TYPE_CHECKING:
    from dialogs.model import Incoming
    from storage.events import FailedRow

app = group(_("cli.events"))

MASK = "•"


@app.command("failed", cls=Command, help=_("cli.events.failed"))
def failed(json: Json = False) -> None:
    """Failed events, oldest first; never what the person said."""
    from storage import events

    with reading_database() as conn:
        rows = events.listing(conn)
    if json:
        kept = ("error_id", "account", "event", "error", "at", "replayed_at")
        emit([{name: getattr(row, name) for name in kept} for row in rows])
        return
    if not rows:
        typer.echo(_("cli.events.none"), err=True)
    for row in rows:
        again = _("cli.events.replayed_at", moment=moment(row.replayed_at)) if row.replayed_at else ""
        typer.echo(f"{row.error_id}  {moment(row.at)}  {row.account}  {row.error} {again}".rstrip())


@app.command("replay", cls=Command, help=_("cli.events.replay"))
def replay(
    error_id: Annotated[str, typer.Argument(metavar="ERROR_ID", help=_("cli.arg.error_id"), show_default=False)],
) -> None:
    """Take a failed event anew under its old event id, as of now.

    Its claim is given up and taken again in the same transaction: should the turn fail again, nothing has changed.
    """
    from bot.settings import rules
    from dialogs.model import decode_screen
    from dialogs.turn import take_turn
    from storage import conversations, events

    settings = loaded()
    with writer(settings) as conn:
        row = events.by_error_id(conn, error_id.strip().lower())
        if row is None:
            raise Stop(_("cli.events.unknown", error_id=error_id[:20]))
        if row.replayed_at is not None:
            raise Stop(_("cli.events.already", error_id=row.error_id, moment=moment(row.replayed_at)))
        incoming = _incoming(row)
        if incoming is None:
            events.replayed(conn, row.id, now())
            typer.echo(_("cli.events.nothing", error_id=row.error_id))
            return
        shown_before = conversations.open_chat(conn, row.account, incoming.address)
        conversations.release(conn, row.account, row.event)
        try:
            taken = take_turn(conn, incoming, rules(settings))
        except Exception as error:
            raise Stop(_("cli.events.failed_again", error_id=row.error_id, error=type(error).__name__)) from error
        events.replayed(conn, row.id, incoming.at)
    numbers = [decode_screen(told.body).number for told in taken.told]
    # A stale act shows the current screen again under its old number; whatever has effect shows the next one.
    stale = shown_before is not None and numbers == [max(shown_before.screen, 1)]
    typer.echo(_("cli.events.stale" if stale else "cli.events.taken", error_id=row.error_id))


def _incoming(row: FailedRow) -> Incoming | None:
    """The event as it came, at the moment of now; ``None`` where it asks for nothing."""
    from dialogs.model import decode_incoming

    raw = json_format.loads(row.raw)
    if raw.get("channel") == "telegram":
        found = _of_telegram(row, raw["update"])
    else:
        found = replace(decode_incoming(row.raw), account=row.account, address=row.address, event=row.event, at=now())
    if found is not None and MASK in json_format.dumps(asdict(found.act), ensure_ascii=False):
        raise Stop(_("cli.events.masked", error_id=row.error_id))
    return found


def _of_telegram(row: FailedRow, update: dict[str, Any]) -> Incoming | None:
    """An update that could not be read when it came: a newer version may be able to."""
    from bot.channels.telegram_updates import incoming

    try:
        return incoming(row.account, update, now())
    except ValueError as error:
        raise Stop(_("cli.events.undecodable", error_id=row.error_id)) from error
