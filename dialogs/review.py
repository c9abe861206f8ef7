"""The officers' desk (bàn xét): the queue, and the commands that work on a dossier from anywhere."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta

from dialogs import deciding, dossier, places, standing, waiting
from dialogs import identity_cards as _identity_cards  # noqa: F401 - its states are to be known from the start
from dialogs import listed_person as _listed_person  # noqa: F401 - the same
from dialogs.dossier import Dossier, OnDossier, Opened
from dialogs.model import Act, Choice, Pressed, Screen
from dialogs.states import Next, Turn, state
from dialogs.text import BACK
from locales import _, number
from reports import overdue
from storage import assessments, codes, officers, reviews
from storage.assessments import AssessmentRow, QueueRow
from storage.base import Refused
from storage.officers import RoleRow

PAGE = 8
MOST_UNOPENED = 5

FLEETING = True  # names, answers and evidence of citizens


@state
class Queue:
    """/queue: a page of it; *unit*: only of that unit, which a supervisor opened from above."""

    page: int = 0
    unit: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One dossier of the page."""

    id: int
    name: str
    unit: str  # "" where the whole queue is of one unit
    days: int


@dataclass(frozen=True, slots=True)
class View:
    """A page of the queue.

    *late* is how many are overdue, as the morning's line and reports say; *service_days* (working days; ``None``:
    several apply).
    """

    total: int
    late: int
    service_days: int | None
    rows: tuple[Row, ...]
    page: int
    pages: int
    unit: str = ""
    unopened: tuple[tuple[int, str, int, int], ...] = ()  # unit id, its name, how many, days of the oldest


# ------------------------------------------------------------------------------------------ the queue


def load(turn: Turn, state: Queue) -> View:
    """Read a page. Raises ``Refused``: ``officer_signed_out``; ``out_of_scope`` for another's unit."""
    officer = waiting.officer_of(turn)
    roles = officers.widest(officer)
    unit = places.unit_of(turn.conn, state.unit) if state.unit else None
    if unit is not None and not officers.covers(officer, unit.path):
        raise Refused("out_of_scope")
    paths = [unit.path] if unit is not None else [role.path for role in roles]
    total = sum(assessments.waiting(turn.conn, path) for path in paths)
    pages = max(1, -(-total // PAGE))
    page = min(max(state.page, 0), pages - 1)
    found = list(itertools.islice(waiting.in_order(turn.conn, paths), page * PAGE, (page + 1) * PAGE))
    home = state.unit or (roles[0].unit_id if len(roles) == 1 else None)
    several = any(row.unit_id != home for row in found)
    late, service_days = _late(turn, [unit.id] if unit is not None else [role.unit_id for role in roles])
    return View(
        total,
        late,
        service_days,
        tuple(_row(turn, row, several) for row in found),
        page,
        pages,
        unit.name if unit is not None else "",
        () if unit is not None else _unopened(turn, roles),
    )


def _row(turn: Turn, row: QueueRow, several: bool) -> Row:
    return Row(row.id, row.name, row.unit_name if several else "", waiting.days_waited(turn, row.submitted_at))


def _late(turn: Turn, unit_ids: list[int]) -> tuple[int, int | None]:
    found = [overdue.late(turn.conn, places.unit_of(turn.conn, unit_id), turn.now) for unit_id in unit_ids]
    days = frozenset[int]().union(*(each.days for each in found))
    return sum(each.count for each in found), next(iter(days)) if len(days) == 1 else None


def _unopened(turn: Turn, roles: list[RoleRow]) -> tuple[tuple[int, str, int, int], ...]:
    """Queues below a supervisor that nobody has opened for days, the longest waiting first."""
    before = turn.now - timedelta(days=turn.rules.stale_queue_days)
    found = [
        (oldest, unit_id, name, count)
        for role in roles
        if role.role == "supervisor"
        for unit_id, name, count, oldest in assessments.unopened(turn.conn, role.path, before)
        if unit_id != role.unit_id
    ]
    return tuple(
        (unit_id, name, count, waiting.days_waited(turn, oldest))
        for oldest, unit_id, name, count in sorted(found)[:MOST_UNOPENED]
    )


def show(state: Queue, view: View) -> Screen:
    """The count, then one choice a dossier."""
    lines = []
    if view.total == 0:
        lines.append(_("review.queue.empty_unit", unit=view.unit) if view.unit else _("review.queue.empty"))
    else:
        lines.append(_("review.queue.count", n=number(view.total)))
        if view.late and view.service_days:
            lines.append(_("review.queue.late", n=number(view.late), days=number(view.service_days)))
        elif view.late:
            lines.append(_("review.queue.late_any", n=number(view.late)))
        if view.pages > 1:
            lines.append(_("review.queue.page", page=number(view.page + 1), pages=number(view.pages)))
    lines.extend(
        _("review.queue.unopened", unit=name, n=number(count), days=number(days))
        for _id, name, count, days in view.unopened
    )
    choices = [Choice(f"open:{row.id}", _label(row)) for row in view.rows]
    if view.page + 1 < view.pages:
        choices.append(Choice("later", _("review.queue.next_page"), "quiet"))
    if view.page:
        choices.append(Choice("earlier", _("review.queue.previous_page"), "quiet"))
    choices.extend(Choice(f"unit:{id}", _("review.queue.open_unit", unit=name)) for id, name, *_rest in view.unopened)
    choices.append(Choice(BACK, _("review.queue.back") if state.unit else _("choice.home"), "quiet"))
    title = _("review.queue.title_unit", unit=view.unit) if view.unit else _("review.queue.title")
    return Screen("\n".join(lines), tuple(choices), title=title)


def _label(row: Row) -> str:
    waited = _("review.queue.days", n=number(row.days)) if row.days > 0 else _("review.queue.today")
    if row.unit:
        return _("review.queue.row_unit", name=row.name, unit=row.unit, waited=waited)
    return _("review.queue.row", name=row.name, waited=waited)


def take(turn: Turn, state: Queue, view: View, act: Act) -> Next:
    """Open a dossier, turn a page, open a unit's queue."""
    from dialogs.home import Home

    match act:
        case Pressed("later"):
            return Next(Queue(view.page + 1, state.unit))
        case Pressed("earlier"):
            return Next(Queue(view.page - 1, state.unit))
        case Pressed(choice) if choice.startswith("open:"):
            row = assessments.by_id(turn.conn, int(choice.removeprefix("open:")))
            return dossier.open_row(turn, row) if row is not None else Next(state)
        case Pressed(choice) if choice.startswith("unit:"):
            return Next(Queue(0, int(choice.removeprefix("unit:"))))
        case Pressed("back"):
            return Next(Queue() if state.unit else Home())
    return Next(state)


# ------------------------------------------------------------------------------------------ commands


def open_dossier(turn: Turn, printed: str) -> Next:
    """A dossier by its printed code. Raises ``Refused``: ``dossier_unknown``, ``out_of_scope``."""
    row = _by_code(turn, printed)
    if turn.chat.person is not None and row.person_id == turn.chat.person.id:
        return Next(standing.Standing())  # an officer is a citizen too
    return dossier.open_row(turn, row)


def _by_code(turn: Turn, printed: str) -> AssessmentRow:
    row = assessments.by_code(turn.conn, printed)
    if row is None:
        raise Refused("dossier_unknown", code=printed)
    return row


def _meant(turn: Turn, state: object, rest: str) -> Next:
    """The dossier that a command means: of its code, else the one on the screen, else the oldest that waits.

    Whichever it is gets opened, never decided unseen.
    """
    if rest:
        code = codes.find(rest)
        if not isinstance(code, codes.DossierCode):
            raise Refused("dossier_unknown", code=rest[:40])
        return dossier.open_row(turn, _by_code(turn, codes.printed(code)))
    if isinstance(state, OnDossier):
        indicator = state.indicator if isinstance(state, Dossier) else ""
        return Next(Dossier(state.assessment, state.version, state.marked, indicator))
    oldest = waiting.next_after(turn)
    return Next(Queue()) if oldest is None else dossier.open_row(turn, oldest)


def approve(turn: Turn, state: object, rest: str) -> Next:
    """/approve [code]: the summary with "Đạt" to confirm."""
    step = _meant(turn, state, rest)
    view = _open_now(turn, step.state)
    return step if view is None else Next(deciding.approving(step.state, view), step.note)


def not_met(turn: Turn, state: object, rest: str) -> Next:
    """/chuadat [code]: asks for the reason."""
    step = _meant(turn, state, rest)
    return step if _open_now(turn, step.state) is None else Next(deciding.not_meeting(step.state), step.note)


def give_back(turn: Turn, state: object, rest: str) -> Next:
    """/return [code]: asks which questions; the one on the screen is ticked already."""
    step = _meant(turn, state, rest)
    view = _open_now(turn, step.state)
    if view is None:
        return step
    return Next(deciding.returning(step.state, view, also=step.state.indicator), step.note)


def _open_now(turn: Turn, state: object) -> Opened | None:
    """The dossier, when it waits and this officer may decide it."""
    if not isinstance(state, Dossier):
        return None
    view = dossier.read(turn, state)
    return view if isinstance(view, Opened) else None


def undo(turn: Turn, state: object, rest: str) -> Next:
    """/hoantac: take back the officer's newest decision. Raises ``Refused("undo_over")`` when the time is over.

    Said again it takes nothing back unasked: the decision before is shown, and its own button undoes it.
    """
    officer = waiting.officer_of(turn)
    newest, standing = (reviews.last_by(turn.conn, officer.id, undone=undone) for undone in (True, False))
    if newest is None or standing is None:
        return Next(state, _("review.nothing_to_undo"))
    if newest.id != standing.id and turn.now < standing.undo_until:
        return Next(deciding.Decided(standing.id), _("review.undo_which"))
    return deciding.take_back(turn, standing.id)
