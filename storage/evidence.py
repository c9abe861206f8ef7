"""Evidence (minh chứng): pictures, certificates, texts, links and officers' confirmations beside an answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of

PICTURE_KINDS = ("photo", "certificate")
MOST_PICTURES = 8  # for one answer
MOST_TEXTS = 4
TEXT_LIMIT = 2000


class Upload(SQLModel, table=True):
    """A stored picture that a contact sent; an act may only refer to uploads of its own contact."""

    __tablename__ = "uploads"
    __table_args__ = (
        sa.Index("ix_uploads_unused", "at", sqlite_where=sa.text("not used"), postgresql_where=sa.text("not used")),
    )
    contact_id: int = Field(primary_key=True, foreign_key="contacts.id", sa_type=BigId)
    key: str = Field(primary_key=True, max_length=64, index=True)
    source_hash: str = Field(max_length=64)
    width: int
    height: int
    size: int
    used: bool = False  # it became evidence; a chart drawn for the contact is born so
    at: datetime = Field(sa_type=UtcTime)


class Evidence(SQLModel, table=True):
    """One piece of evidence. Pictures have a ``key`` in the blob store; a confirmation has a ``status``."""

    __tablename__ = "evidence"
    __table_args__ = (
        sa.CheckConstraint("kind in ('text', 'photo', 'certificate', 'link', 'officer_confirmation')", name="kind"),
        sa.CheckConstraint("(kind in ('photo', 'certificate')) = (key is not null)", name="key"),
        sa.CheckConstraint("status in ('given', 'asked', 'confirmed', 'declined')", name="status"),
        sa.CheckConstraint("(kind = 'officer_confirmation') = (status <> 'given')", name="confirmation"),
        sa.CheckConstraint("length(text) <= 2000", name="text"),
        sa.Index("ix_evidence_assessment_id_indicator", "assessment_id", "indicator"),
        # The same picture twice in one answer is one piece of evidence.
        sa.Index("uq_evidence_picture", "assessment_id", "indicator", "key", unique=True),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    assessment_id: int = Field(foreign_key="assessments.id", sa_type=BigId)
    indicator: str = Field(max_length=8)
    kind: str = Field(max_length=24)
    key: str | None = Field(default=None, max_length=64, index=True)
    text: str = Field(default="", sa_type=sa.Text)
    status: str = Field(default="given", max_length=10)
    settled_by: int | None = Field(default=None, foreign_key="officers.id")
    at: datetime = Field(sa_type=UtcTime)


uploads = table_of(Upload)
evidence = table_of(Evidence)


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One piece of evidence as dialogs see it; ``text`` is the caption of a picture, the words, or the link."""

    id: int
    indicator: str
    kind: str
    key: str | None
    text: str
    status: str
    at: datetime


# ------------------------------------------------------------------------------------------ uploads

_UPLOAD = Prepared(
    sa.select(uploads.c.key).where(
        uploads.c.contact_id == sa.bindparam("contact"), uploads.c.key == sa.bindparam("blob")
    )
)
_PUT_UPLOAD = Prepared(
    sa.insert(uploads).values(
        contact_id=sa.bindparam("contact"),
        key=sa.bindparam("blob"),
        source_hash=sa.bindparam("source"),
        width=sa.bindparam("w"),
        height=sa.bindparam("h"),
        size=sa.bindparam("bytes"),
        used=sa.bindparam("taken"),
        at=sa.bindparam("now"),
    )
)
_RENEW_UPLOAD = Prepared(
    sa.update(uploads)
    .where(uploads.c.contact_id == sa.bindparam("contact"), uploads.c.key == sa.bindparam("blob"))
    .values(used=False, at=sa.bindparam("now"))
)
_USE_UPLOAD = Prepared(
    sa.update(uploads)
    .where(uploads.c.contact_id == sa.bindparam("contact"), uploads.c.key == sa.bindparam("blob"))
    .values(used=True)
)


def put_upload(
    conn: Connection, contact_id: int, key: str, source_hash: str, width: int, height: int, size: int, now: datetime
) -> None:
    """A contact sent this picture (already in the blob store); sent again, it is kept anew."""
    if _RENEW_UPLOAD.run(conn, contact=contact_id, blob=key, now=now) == 0:
        _PUT_UPLOAD.run(
            conn,
            contact=contact_id,
            blob=key,
            source=source_hash,
            w=width,
            h=height,
            bytes=size,
            taken=False,
            now=now,
        )


def put_chart(conn: Connection, contact_id: int, key: str, size: int, now: datetime) -> None:
    """A chart was drawn for this contact: its to see as long as the history that shows it."""
    if _UPLOAD.first(conn, contact=contact_id, blob=key) is None:
        _PUT_UPLOAD.run(conn, contact=contact_id, blob=key, source=key, w=0, h=0, bytes=size, taken=True, now=now)


def owns_upload(conn: Connection, contact_id: int, key: str) -> bool:
    """Did this contact send this picture?"""
    return _UPLOAD.first(conn, contact=contact_id, blob=key) is not None


# ------------------------------------------------------------------------------------------ pieces

_COLUMNS = (
    evidence.c.id,
    evidence.c.indicator,
    evidence.c.kind,
    evidence.c.key,
    evidence.c.text,
    evidence.c.status,
    evidence.c.at,
)
_ALL = Prepared(
    sa.select(*_COLUMNS).where(evidence.c.assessment_id == sa.bindparam("assessment")).order_by(evidence.c.id)
)
_OF = Prepared(
    sa.select(*_COLUMNS)
    .where(evidence.c.assessment_id == sa.bindparam("assessment"), evidence.c.indicator == sa.bindparam("of"))
    .order_by(evidence.c.id)
)
_PUT = Prepared(
    sa.insert(evidence).values(
        assessment_id=sa.bindparam("assessment"),
        indicator=sa.bindparam("of"),
        kind=sa.bindparam("sort"),
        key=sa.bindparam("blob"),
        text=sa.bindparam("words"),
        status=sa.bindparam("state"),
        at=sa.bindparam("now"),
    )
)
_DROP = Prepared(
    sa.delete(evidence).where(
        evidence.c.assessment_id == sa.bindparam("assessment"), evidence.c.id == sa.bindparam("piece")
    )
)
_DROP_ALL = Prepared(sa.delete(evidence).where(evidence.c.assessment_id == sa.bindparam("assessment")))
_SETTLE = Prepared(
    sa.update(evidence)
    .where(
        evidence.c.assessment_id == sa.bindparam("assessment"),
        evidence.c.id == sa.bindparam("piece"),
        evidence.c.kind == "officer_confirmation",
    )
    .values(status=sa.bindparam("state"), settled_by=sa.bindparam("officer"))
)


def all_of(conn: Connection, assessment_id: int) -> list[EvidenceRow]:
    """Every piece of an assessment, in the order they came."""
    return [EvidenceRow(*row) for row in _ALL.all(conn, assessment=assessment_id)]


def of_indicator(conn: Connection, assessment_id: int, indicator: str) -> list[EvidenceRow]:
    """The pieces beside one answer."""
    return [EvidenceRow(*row) for row in _OF.all(conn, assessment=assessment_id, of=indicator)]


def add(
    conn: Connection,
    assessment_id: int,
    indicator: str,
    kind: str,
    *,
    contact_id: int,
    key: str | None = None,
    text: str = "",
    now: datetime,
) -> bool:
    """Put a piece beside an answer; ``False`` when it is there already.

    Raises ``Refused``: ``evidence_foreign`` (the contact never sent that picture), ``evidence_full`` (more than
    :data:`MOST_PICTURES` pictures or :data:`MOST_TEXTS` texts).
    The caller has checked that the assessment may be changed (:func:`storage.assessments.editable`).
    """
    there = of_indicator(conn, assessment_id, indicator)
    if kind in PICTURE_KINDS:
        assert key is not None
        if any(piece.key == key for piece in there):
            return False
        if not owns_upload(conn, contact_id, key):
            raise Refused("evidence_foreign")
        if sum(piece.kind in PICTURE_KINDS for piece in there) >= MOST_PICTURES:
            raise Refused("evidence_full", most=MOST_PICTURES)
    elif kind == "officer_confirmation":
        if any(piece.kind == kind for piece in there):
            return False
    elif any(piece.kind == kind and piece.text == text for piece in there):
        return False
    elif sum(piece.kind in ("text", "link") for piece in there) >= MOST_TEXTS:
        raise Refused("evidence_full", most=MOST_TEXTS)
    if key is not None:
        _USE_UPLOAD.run(conn, contact=contact_id, blob=key)
    state = "asked" if kind == "officer_confirmation" else "given"
    _PUT.run(
        conn, assessment=assessment_id, of=indicator, sort=kind, blob=key, words=text[:TEXT_LIMIT], state=state, now=now
    )
    return True


def remove(conn: Connection, assessment_id: int, piece_id: int) -> bool:
    """Take a piece away; ``False`` when it was not there."""
    return _DROP.run(conn, assessment=assessment_id, piece=piece_id) == 1


def remove_all(conn: Connection, assessment_id: int) -> None:
    """Take every piece of an assessment away (start again, erasure). Pictures that nobody refers to are swept later."""
    _DROP_ALL.run(conn, assessment=assessment_id)


def settle_confirmation(conn: Connection, assessment_id: int, piece_id: int, confirmed: bool, officer_id: int) -> None:
    """An officer confirms or declines what the citizen asked the chi hội to confirm."""
    _SETTLE.run(
        conn,
        assessment=assessment_id,
        piece=piece_id,
        state="confirmed" if confirmed else "declined",
        officer=officer_id,
    )


_WHO_SEES = Prepared(sa.select(evidence.c.assessment_id).where(evidence.c.key == sa.bindparam("blob")).distinct())


def assessments_with(conn: Connection, key: str) -> list[int]:
    """The assessments that hold a picture."""
    return [row.assessment_id for row in _WHO_SEES.all(conn, blob=key)]


_FORGET_UPLOADS = Prepared(sa.delete(uploads).where(uploads.c.contact_id == sa.bindparam("contact")))


def forget_uploads(conn: Connection, contact_id: int) -> None:
    """The contact is going: its uploads are nobody's now (their files go with the next sweep, if nothing refers to
    them)."""
    _FORGET_UPLOADS.run(conn, contact=contact_id)


def referenced(conn: Connection, keys: list[str]) -> set[str]:
    """Which of these keys are still evidence, a recent upload, or a chart that a history shows."""
    found: set[str] = set()
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        found.update(conn.execute(sa.select(evidence.c.key).where(evidence.c.key.in_(part)).distinct()).scalars())
        found.update(
            conn.execute(
                sa.select(uploads.c.key)
                .where(uploads.c.key.in_(part), sa.or_(uploads.c.used.is_(False), uploads.c.width == 0))
                .distinct()
            ).scalars()
        )
    return found


_UNUSED_UPLOADS = Prepared(sa.delete(uploads).where(uploads.c.at < sa.bindparam("before"), sa.text("not used")))
_OLD_CHARTS = Prepared(sa.delete(uploads).where(uploads.c.at < sa.bindparam("before"), uploads.c.width == 0))


def purge_uploads(conn: Connection, before: datetime, charts_before: datetime) -> int:
    """Forget uploads that never became evidence, and charts older than the histories that showed them."""
    return _UNUSED_UPLOADS.run(conn, before=before) + _OLD_CHARTS.run(conn, before=charts_before)
