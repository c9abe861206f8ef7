"""Pictures of identity cards (ảnh căn cước): nobody asked for them; one that an officer sees is deleted at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from storage import assessments, audit, deletions, desks, evidence, officers, removed, reviews
from storage.assessments import AssessmentRow
from storage.base import Connection, Prepared, Refused
from storage.conversations import messages
from storage.evidence import evidence as pieces
from storage.evidence import uploads
from storage.officers import OfficerRow
from storage.people import consents, contact_person

_KEY = Prepared(
    sa.select(pieces.c.key).where(
        pieces.c.assessment_id == sa.bindparam("assessment"), pieces.c.id == sa.bindparam("piece")
    )
)
# The same picture may stand beside other answers of the same citizen.
_SAME = Prepared(
    sa.select(pieces.c.id, pieces.c.assessment_id, pieces.c.indicator)
    .select_from(pieces.join(assessments.assessments, assessments.assessments.c.id == pieces.c.assessment_id))
    .where(assessments.assessments.c.person_id == sa.bindparam("person"), pieces.c.key == sa.bindparam("blob"))
    .order_by(pieces.c.assessment_id, pieces.c.id)
)
_CONTACTS = sa.union(
    sa.select(contact_person.c.contact_id).where(contact_person.c.person_id == sa.bindparam("person")),
    sa.select(consents.c.contact_id).where(consents.c.person_id == sa.bindparam("person")),
)
_UPLOADS = Prepared(
    sa.delete(uploads)
    .where(uploads.c.key == sa.bindparam("blob"), uploads.c.contact_id.in_(_CONTACTS))
    .returning(uploads.c.thumbnail)
)
_LINES = Prepared(
    sa.select(messages.c.id, messages.c.body).where(
        messages.c.contact_id.in_(_CONTACTS), messages.c.body.contains(sa.bindparam("blob"))
    )
)
_REWRITE = Prepared(
    sa.update(messages).where(messages.c.id == sa.bindparam("line")).values(body=sa.bindparam("without"))
)


@dataclass(frozen=True, slots=True)
class Marked:
    """What was deleted: from which dossier and answer, and how many pieces held the picture."""

    row: AssessmentRow
    indicator: str
    pieces: int


def remove(conn: Connection, officer: OfficerRow, assessment_id: int, piece_id: int, now: datetime) -> Marked:
    """Delete a picture that a reviewer marked as an identity card: every piece of this citizen that holds it, its
    upload, its lines in the history, what shows it at officers' desks; the file after the commit, unless somebody
    else's evidence is the same file. Levels and other evidence stay.

    Raises ``Refused``: ``assessment_gone``, ``out_of_scope`` (also for a supervisor, who only looks), ``own_dossier``,
    ``evidence_gone`` (no such picture).
    """
    row = assessments.locked(conn, assessment_id)
    reviews.may_see(conn, officer, row, ("reviewer",))
    if officers.is_own(conn, officer.id, row.person_id):
        raise Refused("own_dossier")
    key = _KEY.value(conn, assessment=assessment_id, piece=piece_id)
    if key is None:
        raise Refused("evidence_gone")
    same = _SAME.all(conn, person=row.person_id, blob=key)
    actor = f"officer:{officer.id}"
    indicator = ""
    for piece in same:
        evidence.remove(conn, piece.assessment_id, piece.id, now)
        removed.note(conn, piece.assessment_id, piece.indicator, "id_card", 1, now)
        assessments.remember(conn, piece.assessment_id, piece.indicator, None, None, "id_card", actor, now)
        if piece.id == piece_id:
            indicator = piece.indicator
    thumbnails = [found.thumbnail for found in _UPLOADS.all(conn, person=row.person_id, blob=key)]
    deletions.after(conn, [key, *thumbnails], now)
    for line in _LINES.all(conn, person=row.person_id, blob=key):
        _REWRITE.run(conn, line=line.id, without=_without(line.body, key))
    for each in sorted({piece.assessment_id for piece in same}):  # dossiers of other years are read as well
        desks.take_pictures_away(conn, assessments.locked(conn, each), key, now)
    audit.write(
        conn, actor, "evidence.id_card", f"assessment:{row.id}", now, row.unit_id,
        piece=piece_id, indicator=indicator, pieces=len(same),
    )  # fmt: skip
    return Marked(row, indicator, len(same))


def _without(body: str, key: str) -> str:
    """A line of history without this picture."""
    said = json.loads(body)
    said["pictures"] = [each for each in said.get("pictures", ()) if each[0] != key]
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))
