"""Who waits (hàng đợi): the dossiers in an officer's scope, oldest first, and which of them is next."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime

from dialogs import places
from dialogs.states import Turn
from locales import ZONE
from storage import assessments, officers
from storage.assessments import AssessmentRow, QueueRow
from storage.base import Connection, Refused
from storage.officers import OfficerRow

_CHUNK = 40  # rows read at once: five pages of the queue


def officer_of(turn: Turn) -> OfficerRow:
    """The officer who speaks. Raises ``Refused("officer_signed_out")`` when an idle session has ended meanwhile."""
    if turn.officer is None:
        raise Refused("officer_signed_out")
    return turn.officer


def in_order(conn: Connection, paths: Sequence[str]) -> Iterator[QueueRow]:
    """The dossiers that wait below units whose subtrees do not overlap, oldest first, read as far as they are used."""
    return heapq.merge(*(_below(conn, path) for path in paths), key=_place)


def _below(conn: Connection, path: str) -> Iterator[QueueRow]:
    skip = 0
    while rows := assessments.queue(conn, path, _CHUNK, skip):
        yield from rows
        skip += _CHUNK


def _place(row: QueueRow) -> tuple[datetime, int]:
    return row.submitted_at, row.id


def next_after(turn: Turn, given: AssessmentRow | None = None) -> AssessmentRow | None:
    """The dossier to open after the *given* one (without one: the oldest), or ``None``; never the officer's own.

    After the youngest comes the oldest again: what an officer passed over is offered once more.
    """
    officer = officer_of(turn)
    scope = [role.path for role in officers.widest(officer)]
    found = None
    if given is not None:
        unit = places.unit_of(turn.conn, given.unit_id)
        # Who helps out from above stays in the queue they opened, not thrown to the oldest of the whole province.
        if officers.covers(officer, unit.path) and not officers.covers(officer, unit.path, ("reviewer",)):
            found = _next(turn, officer, [unit.path], given)
    return found or _next(turn, officer, scope, given)


def _next(turn: Turn, officer: OfficerRow, paths: Sequence[str], given: AssessmentRow | None) -> AssessmentRow | None:
    passed_over = None
    for row in in_order(turn.conn, paths):
        after = given is None or given.submitted_at is None or _place(row) > (given.submitted_at, given.id)
        if given is not None and row.id == given.id:
            continue
        if (passed_over is not None and not after) or officers.is_own(turn.conn, officer.id, row.person_id):
            continue
        if after:
            return assessments.by_id(turn.conn, row.id)
        passed_over = row.id
    return None if passed_over is None else assessments.by_id(turn.conn, passed_over)


def days_waited(turn: Turn, since: datetime) -> int:
    """Calendar days in Vietnam."""
    return (places.today(turn) - since.astimezone(ZONE).date()).days
