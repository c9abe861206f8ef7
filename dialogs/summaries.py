"""Summaries on their way: what an officer gets of the runs that are due, as one message in their own language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dialogs import waiting
from dialogs.model import Choice, Picture, Screen, encode_screen
from locales import Voice, _, moment, number, speaking
from reports import schedules as times
from reports.model import PROVINCE
from reports.schedules import Schedule
from storage import assessments, evidence, officers, outbox, schedules, units
from storage.base import Connection
from storage.conversations import Reach
from storage.officers import OfficerRow
from storage.schedules import Page, Recipient
from storage.units import UnitRow

MOST_UNITS = 4  # of one officer in one message; the rest are buttons
MOST_BUTTONS = 6


@dataclass(slots=True)
class _Digest:
    """What one officer is told: sections of text, each with the title that stands above it."""

    sections: list[tuple[str, str]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    note: str = ""
    sizes: dict[str, int] = field(default_factory=dict)


def deliver(conn: Connection, known: Mapping[str, Schedule], officer_ids: Sequence[int], now: datetime) -> int:
    """Put the messages of these officers into the outbox, each as the one digest of all runs that wait for it; how
    many.

    Whoever has nothing to hear, no such role any more, or no chat that can be written to, is settled as such. An
    officer whose pages are not all made is passed over.
    """
    told = 0
    for officer_id, rows in schedules.unsaid_to(conn, officer_ids).items():
        if not rows:
            continue
        reach = schedules.reach_of(conn, officer_id)
        officer = officers.of_contact(conn, reach.contact_id) if reach is not None else None
        if reach is None or officer is None:
            for row in rows:
                schedules.settle(conn, row.id, "unreachable", now)
            continue
        with speaking(Voice(reach.language, "anh_chi")):
            told += _tell(conn, known, officer, reach, rows, now)
    return told


def _tell(
    conn: Connection,
    known: Mapping[str, Schedule],
    officer: OfficerRow,
    reach: Reach,
    rows: Sequence[Recipient],
    now: datetime,
) -> bool:
    digest = _Digest()
    said = {row.id: _says(conn, digest, known.get(row.schedule), officer, reach, row, now) for row in rows}
    if None in said.values():
        return False
    told = [row for row in rows if said[row.id]]
    for row in rows:
        if not said[row.id]:
            schedules.settle(conn, row.id, "nothing", now)
    if not told:
        return False
    ends = [times.quiet_until(known[row.schedule], now) for row in told]
    outbox_id = outbox.put(
        conn,
        account=reach.account,
        address=reach.address,
        contact_id=reach.contact_id,
        body=encode_screen(_screen(digest, reach.language)),
        now=now,
        priority=outbox.BULK,
        topic=schedules.topic(told[0].run_id),
        not_before=max((end for end in ends if end is not None), default=now),
    )
    for picture in digest.pictures:
        evidence.put_chart(conn, reach.contact_id, picture.key, digest.sizes[picture.key], now)
    for row in told:
        schedules.put_out(conn, row.id, outbox_id, reach.contact_id)
    return True


def _says(
    conn: Connection,
    digest: _Digest,
    schedule: Schedule | None,
    officer: OfficerRow,
    reach: Reach,
    row: Recipient,
    now: datetime,
) -> bool | None:
    """Add what a run has to say; ``False``: nothing (any more), ``None``: it cannot be said yet."""
    if schedule is None:
        return False
    held = [
        unit
        for unit in (units.by_id(conn, unit_id) for unit_id in row.unit_ids)
        if unit is not None and officers.covers(officer, unit.path, schedule.roles)
    ]
    if not held:
        return False
    if schedule.content == "waiting":
        said = _waits(conn, digest, officer, held, now)
    else:
        pages = [_page(conn, row, unit, reach.language) for unit in held[:MOST_UNITS]]
        if None in pages:
            return None
        for unit, page in zip(held, pages, strict=False):
            assert page is not None
            _sums_up(digest, unit, page)
        digest.choices.extend(
            Choice(f"go:report:{units.display_code(unit)}", _("summary.report_of", unit=unit.name))
            for unit in held[1:MOST_BUTTONS]
        )
        said = True
    if said and row.late:
        digest.note = _("summary.late", moment=moment(row.due_at))
    return said


def _page(conn: Connection, row: Recipient, unit: UnitRow, language: str) -> Page | None:
    """The run's page of a unit, in the reader's language where it has been made in that."""
    return schedules.page(conn, row.run_id, unit.id, language) or schedules.page(
        conn, row.run_id, unit.id, row.language
    )


def _sums_up(digest: _Digest, unit: UnitRow, page: Page) -> None:
    title = _("summary.title", unit=unit.name)
    digest.sections.append((title, page.text))
    if page.picture is not None and not digest.pictures:  # one message, that a death in the middle cannot halve
        digest.pictures.append(Picture(page.picture, title))
        digest.sizes[page.picture] = page.picture_size
    if len(digest.sections) == 1:
        code = units.display_code(unit)
        digest.choices.append(Choice(f"go:report:{code}", _("summary.drill_down"), "main"))
        if unit.level <= PROVINCE:
            digest.choices.append(Choice(f"go:slow:{code}", _("summary.show_slowest")))
            digest.choices.append(Choice(f"go:nudge:{code}", _("summary.nudge")))


def _waits(conn: Connection, digest: _Digest, officer: OfficerRow, held: Sequence[UnitRow], now: datetime) -> bool:
    """One line on the dossiers that wait; nothing where none does."""
    count = sum(assessments.waiting(conn, unit.path) for unit in held)
    if not count:
        return False
    late, days = 0, 0
    for unit in held:
        promised = units.settings(conn, unit).service_days
        if promised:
            days = promised
            late += assessments.waiting_before(conn, unit.path, waiting.working_days_ago(now, promised))
    said = _("summary.queue", name=officer.name, n=number(count))
    if late:
        said = _("summary.queue_late", name=officer.name, n=number(count), late=number(late), days=number(days))
    digest.sections.append(("", said))
    digest.choices.append(Choice("go:queue", _("home.queue"), "plain" if digest.choices else "main"))
    return True


def _screen(digest: _Digest, language: str) -> Screen:
    (title, first), *rest = digest.sections
    texts = [first, *("\n".join(part for part in section if part) for section in rest)]
    return Screen(
        "\n\n".join(texts),
        tuple(digest.choices[:MOST_BUTTONS]),
        title=title,
        note=digest.note,
        pictures=tuple(digest.pictures),
        number=0,
        language=language,
    )
