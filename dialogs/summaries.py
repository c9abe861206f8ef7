"""Summaries on their way: what an officer gets of the runs that are due, as one message in their own language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from dialogs.model import Choice, Picture, Screen, encode_screen
from locales import Voice, _, moment, number, speaking
from reports import overdue
from reports import schedules as times
from reports.model import PROVINCE
from reports.schedules import Schedule
from storage import assessments, evidence, officers, outbox, reach, recipients, summary_pages, units
from storage.base import Connection
from storage.conversations import Reach
from storage.officers import OfficerRow
from storage.recipients import Recipient
from storage.summary_pages import Page
from storage.units import UnitRow

MOST_UNITS = 4  # of one officer in one message; the rest are buttons
MOST_BUTTONS = 6
QUEUE_KEYS = ("summary.queue_late", "summary.queue_overdue")


@dataclass(slots=True)
class _Digest:
    """What one officer is told: sections of text, each with the title that stands above it."""

    sections: list[tuple[str, str]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    queue: Choice | None = None
    notes: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    units: set[int] = field(default_factory=set)  # that it tells of already


_Lates = dict[int, overdue.Late]  # unit → what is overdue there, counted once for all officers of a batch


class _NotYet(Exception):
    """A page is still to be made."""


def deliver(conn: Connection, known: Mapping[str, Schedule], officer_ids: Sequence[int], now: datetime) -> int:
    """Put the messages of these officers into the outbox, each as the one digest of all runs that wait for it; how
    many.

    Whoever has nothing to hear, no such role any more, or no chat that can be written to, is settled as such. An
    officer whose pages are not all made is passed over; a page that could not be made for good is left out.
    """
    told = 0
    lates: _Lates = {}
    for officer_id, rows in recipients.unsaid_to(conn, officer_ids).items():
        if not rows:
            continue
        chat = reach.of_officer(conn, officer_id)
        officer = officers.of_contact(conn, chat.contact_id) if chat is not None else None
        if chat is None or officer is None:
            for row in rows:
                recipients.settle(conn, row.id, "unreachable", now)
            continue
        with speaking(Voice(chat.language, "anh_chi")):
            told += _tell(conn, known, officer, chat, rows, now, lates)
    return told


def _tell(
    conn: Connection,
    known: Mapping[str, Schedule],
    officer: OfficerRow,
    chat: Reach,
    rows: Sequence[Recipient],
    now: datetime,
    lates: _Lates,
) -> bool:
    digest = _Digest()
    try:
        said = {row.id: _says(conn, digest, known.get(row.schedule), officer, chat, row, now, lates) for row in rows}
    except _NotYet:
        return False
    for row in rows:
        if said[row.id]:
            recipients.settle(conn, row.id, said[row.id], now, "no page" if said[row.id] == "failed" else None)
    told = [row for row in rows if not said[row.id]]
    if not told:
        return False
    ends = [times.quiet_until(known[row.schedule], now) for row in told]
    outbox_id = outbox.put(
        conn,
        account=chat.account,
        address=chat.address,
        contact_id=chat.contact_id,
        body=encode_screen(_screen(digest, chat.language)),
        now=now,
        # Not behind what the night has put off for citizens: that may be 200,000 messages.
        priority=outbox.NOTICE,
        topic=recipients.topic(told[0].run_id),
        not_before=max((end for end in ends if end is not None), default=now),
    )
    for picture in digest.pictures:
        evidence.put_chart(conn, chat.contact_id, picture.key, digest.sizes[picture.key], now)
    for row in told:
        recipients.put_out(conn, row.id, outbox_id, chat.contact_id)
    return True


def _says(
    conn: Connection,
    digest: _Digest,
    schedule: Schedule | None,
    officer: OfficerRow,
    chat: Reach,
    row: Recipient,
    now: datetime,
    lates: _Lates,
) -> str:
    """Add what a run has to say: ``""``; else how it ends without: ``nothing`` (any more), ``failed``. Raises
    :class:`_NotYet`."""
    if schedule is None:
        return "nothing"
    held = _still_held(conn, schedule, officer, row)
    if not held:
        return "nothing"
    if schedule.content == "waiting":
        if not _waits(conn, digest, officer, held, now, lates):
            return "nothing"
    elif not _sums_up_each(conn, digest, row, held, chat.language):
        return "failed"
    if row.late:
        digest.notes.append(_("summary.late", moment=moment(row.due_at)))
    return ""


def _still_held(conn: Connection, schedule: Schedule, officer: OfficerRow, row: Recipient) -> list[UnitRow]:
    """The units that the run tells of, as far as the officer still has a role for it there. Where one on a wider unit
    has ended since, those below it that the officer still has come in its place."""
    held: dict[int, str] = {}
    for unit_id in row.unit_ids:
        unit = units.by_id(conn, unit_id)
        if unit is None:
            continue
        if officers.covers(officer, unit.path, schedule.roles):
            held[unit.id] = unit.path
            continue
        for role in officers.widest(officer, schedule.roles):
            if role.path.startswith(unit.path) and times.level_of(schedule) in (None, role.level):
                held[role.unit_id] = role.path
    if held and tuple(held) != row.unit_ids:
        recipients.tells_of(conn, row.id, tuple(held))
    return [unit for unit in (units.by_id(conn, unit_id) for unit_id in held) if unit is not None]


def _sums_up_each(conn: Connection, digest: _Digest, row: Recipient, held: Sequence[UnitRow], language: str) -> bool:
    """Add the pages of these units; ``False`` where not one could be made."""
    found = False
    for unit in held[:MOST_UNITS]:
        page = _page(conn, row, unit, language)
        if page is None and not summary_pages.given_up(conn, row.run_id, unit.id, row.language):
            raise _NotYet
        if page is not None and unit.id not in digest.units:
            _sums_up(digest, unit, page)
        found = found or page is not None
    for unit in held[MOST_UNITS:MOST_BUTTONS]:
        if unit.id not in digest.units:
            digest.choices.append(_report_of(unit))
    return found


def _report_of(unit: UnitRow) -> Choice:
    return Choice(f"go:report:{units.display_code(unit)}", _("summary.report_of", unit=unit.name))


def _page(conn: Connection, row: Recipient, unit: UnitRow, language: str) -> Page | None:
    """The run's page of a unit, in the reader's language where it has been made in that."""
    return summary_pages.page(conn, row.run_id, unit.id, language) or summary_pages.page(
        conn, row.run_id, unit.id, row.language
    )


def _sums_up(digest: _Digest, unit: UnitRow, page: Page) -> None:
    title, code = _("summary.title", unit=unit.name), units.display_code(unit)
    digest.units.add(unit.id)
    digest.sections.append((title, page.text))
    if page.picture is not None and not digest.pictures:  # one message, that a death in the middle cannot halve
        digest.pictures.append(Picture(page.picture, title))
        digest.sizes[page.picture] = page.picture_size
    if len(digest.units) > 1:
        digest.choices.append(_report_of(unit))
        return
    digest.choices.append(Choice(f"go:report:{code}", _("summary.drill_down"), "main"))
    if unit.level <= PROVINCE:
        digest.choices.append(Choice(f"go:slow:{code}", _("summary.show_slowest")))
        digest.choices.append(Choice(f"go:nudge:{code}", _("summary.nudge")))


def _waits(
    conn: Connection, digest: _Digest, officer: OfficerRow, held: Sequence[UnitRow], now: datetime, lates: _Lates
) -> bool:
    """One line on the dossiers that wait; nothing where none does."""
    count = sum(assessments.waiting(conn, unit.path) for unit in held)
    if not count:
        return False
    for unit in held:
        if unit.id not in lates:
            lates[unit.id] = overdue.late(conn, unit, now)
    late = sum(lates[unit.id].count for unit in held)
    days = frozenset[int]().union(*(lates[unit.id].days for unit in held))
    said = _("summary.queue", name=officer.name, n=number(count))
    if late:
        key = "summary.queue_late" if len(days) == 1 else "summary.queue_overdue"
        said = _(key, name=officer.name, n=number(count), late=number(late), days=number(min(days)))
    digest.sections.append(("", said))
    digest.queue = Choice("go:queue", _("home.queue"))
    return True


def _screen(digest: _Digest, language: str) -> Screen:
    (title, first), *rest = digest.sections
    texts = [first, *("\n".join(part for part in section if part) for section in rest)]
    choices = digest.choices[:MOST_BUTTONS]
    if digest.queue is not None:  # the text speaks of it
        choices = [*choices[: MOST_BUTTONS - 1], digest.queue if choices else replace(digest.queue, role="main")]
    return Screen(
        "\n\n".join(texts),
        tuple(choices),
        title=title,
        note="\n".join(dict.fromkeys(digest.notes)),
        pictures=tuple(digest.pictures),
        number=0,
        language=language,
    )
