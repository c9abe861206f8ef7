"""Handing in (nộp): what a form still lacks, and how it enters the officers' queue, at once or when its last picture
has come."""

from __future__ import annotations

from datetime import datetime

from dialogs import answering, notices
from dialogs.answering import Sheet
from storage import assessments, reviews
from storage.assessments import AssessmentRow
from storage.base import Connection


def open_ids(sheet: Sheet) -> list[str]:
    """The questions that the citizen may change now, in order."""
    return [
        each.id
        for each in sheet.criteria.indicators
        if sheet.row.status == "draft" or assessments.editable(sheet.row, sheet.answers.get(each.id))
    ]


def wanting(sheet: Sheet) -> list[str]:
    """The questions whose evidence the citizen may still give: what an officer left closed is not asked for again."""
    open_now = open_ids(sheet)
    return [id for id in sheet.missing if id in open_now]


def complete(sheet: Sheet) -> bool:
    """May it be handed in: every question answered, and evidence wherever the citizen can still give it?

    An officer who declined the only proof of an answer and returned other questions has taken that answer as it is.
    Pictures on their way count as given.
    """
    return sheet.score.answered == len(sheet.criteria.indicators) and not wanting(sheet)


def asked_again(conn: Connection, sheet: Sheet) -> list[str]:
    """The questions that a form handed in waits for, beside the pictures on their way.

    Those whose evidence is wanting; and in a returned dossier those whose new picture could not be had, though there be
    other evidence: an officer asked for that very picture.
    """
    row, found = sheet.row, set(wanting(sheet))
    if row.status == "returned" and row.handed_in_at is not None:
        found |= set(assessments.lost_since(conn, row.id, row.handed_in_at)) & set(open_ids(sheet))
    return [each.id for each in sheet.criteria.indicators if each.id in found]


def enter(conn: Connection, row: AssessmentRow, actor: str, now: datetime) -> AssessmentRow:
    """Into the queue, now. The caller holds the lock and knows it complete, with no picture on its way."""
    mended = row.status == "returned"
    row = assessments.submit(conn, row.id, actor, now)
    if mended:
        reviews.close_returns(conn, row.id)
        notices.to_officers(conn, now, row.unit_id, "notice.mended", code=row.code)
    return row


def enter_when_settled(conn: Connection, assessment_id: int, actor: str, now: datetime) -> AssessmentRow | None:
    """A form that was handed in while pictures were on their way enters the queue, if nothing is lacking any more.

    ``None``: it was not handed in, or it still waits. Its windows do not matter: it was handed in within them.
    """
    row = assessments.locked(conn, assessment_id)
    if row.handed_in_at is None:
        return None
    sheet = answering.read(conn, row)
    here, of = sheet.pictures
    if here < of or not complete(sheet) or asked_again(conn, sheet):
        return None
    return enter(conn, row, actor, now)
