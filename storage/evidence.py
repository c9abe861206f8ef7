"""Evidence (minh chứng): pictures, certificates, texts, links and officers' confirmations beside an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import deletions, sent_files, stale
from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of
from storage.people import contact_person
from storage.summary_pages import pages

PICTURE_KINDS = ("photo", "certificate")
MOST_PICTURES = 8  # for one answer
MOST_TEXTS = 4
TEXT_LIMIT = 2000
UNIQUE_LIMIT = 128


class Upload(SQLModel, table=True):
    """A stored picture that a contact sent; an act may only refer to uploads of its own contact."""

    __tablename__ = "uploads"
    __table_args__ = (
        sa.Index("ix_uploads_unused", "at", sqlite_where=sa.text("not used"), postgresql_where=sa.text("not used")),
    )
    contact_id: int = Field(primary_key=True, foreign_key="contacts.id", sa_type=BigId)
    key: str = Field(primary_key=True, max_length=64, index=True)
    source_hash: str = Field(max_length=64, index=True)  # of the file that came; several pages may come of one
    page: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    pages: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    in_file: int = Field(default=1, sa_column_kwargs={"server_default": "1"})  # pages of that file, kept or not
    phash: str | None = Field(
        default=None, max_length=16, index=True
    )  # what looks alike has the same; see seen_elsewhere
    thumbnail: str | None = Field(default=None, max_length=64, index=True)  # its key; None: the picture is small itself
    width: int
    height: int
    size: int
    used: bool = False  # it became evidence; a chart drawn for the contact is born so
    at: datetime = Field(sa_type=UtcTime)


class Evidence(SQLModel, table=True):
    """One piece of evidence. Pictures have a ``key`` in the blob store; a confirmation has a ``status``.

    ``arriving`` (đang nhận) is a picture that its channel holds and that is still to be fetched: it has no key yet.
    """

    __tablename__ = "evidence"
    __table_args__ = (
        sa.CheckConstraint("kind in ('text', 'photo', 'certificate', 'link', 'officer_confirmation')", name="kind"),
        sa.CheckConstraint(
            "(kind in ('photo', 'certificate') and status <> 'arriving') = (key is not null)", name="key"
        ),
        sa.CheckConstraint("status in ('given', 'arriving', 'asked', 'confirmed', 'declined')", name="status"),
        sa.CheckConstraint(
            "(kind = 'officer_confirmation') = (status in ('asked', 'confirmed', 'declined'))", name="confirmation"
        ),
        sa.CheckConstraint("status <> 'arriving' or kind in ('photo', 'certificate')", name="arriving"),
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


class Arrival(SQLModel, table=True):
    """What is to be fetched for a picture on its way: gone as soon as the picture is here, or cannot be had.

    ``reference`` fetches it, on its own ``account`` only; ``unique_ref`` is the same whenever the same file comes.
    """

    __tablename__ = "arrivals"
    __table_args__ = (sa.Index("ix_arrivals_account_not_before", "account", "not_before"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    evidence_id: int = Field(foreign_key="evidence.id", ondelete="CASCADE", unique=True, sa_type=BigId)
    contact_id: int = Field(foreign_key="contacts.id", index=True, sa_type=BigId)
    account: str = Field(max_length=64)
    address: str = Field(max_length=128)
    reference: str = Field(sa_type=sa.Text)
    unique_ref: str = Field(max_length=128)
    size: int = Field(default=0, sa_type=sa.BigInteger)
    attempts: int = 0
    not_before: datetime = Field(sa_type=UtcTime)
    made_at: datetime = Field(sa_type=UtcTime)


uploads = table_of(Upload)
evidence = table_of(Evidence)
arrivals = table_of(Arrival)


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


@dataclass(frozen=True, slots=True)
class Held:
    """A picture that a channel account holds for an address: what fetches it, its lasting name (at most 128
    characters), its size in bytes (0: unknown)."""

    reference: str
    unique: str
    size: int
    account: str
    address: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in the blob store: its key, the SHA-256 (hex) of the file that it came of, which page of how many kept
    and how many in that file, pixels, bytes; how it looks (:func:`seen_elsewhere`), the key of its thumbnail (``None``:
    it is small itself)."""

    key: str
    source_hash: str
    width: int
    height: int
    size: int
    phash: str | None = None
    thumbnail: str | None = None
    page: int = 1
    pages: int = 1
    in_file: int = 1


@dataclass(frozen=True, slots=True)
class Quota:
    """How much one person may send: pictures that lie in one season's dossier, bytes in 24 hours."""

    pictures_per_season: int = 60
    bytes_per_day: int = 100 * 1024 * 1024


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
        page=sa.bindparam("nth"),
        pages=sa.bindparam("of"),
        in_file=sa.bindparam("whole"),
        phash=sa.bindparam("looks"),
        thumbnail=sa.bindparam("small"),
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
    .values(
        used=False,
        source_hash=sa.bindparam("source"),
        page=sa.bindparam("nth"),
        pages=sa.bindparam("of"),
        in_file=sa.bindparam("whole"),
        phash=sa.bindparam("looks"),
        thumbnail=sa.bindparam("small"),
        at=sa.bindparam("now"),
    )
)
_USE_UPLOAD = Prepared(
    sa.update(uploads)
    .where(uploads.c.contact_id == sa.bindparam("contact"), uploads.c.key == sa.bindparam("blob"))
    .values(used=True)
)


def put_upload(conn: Connection, contact_id: int, picture: Picture, now: datetime) -> None:
    """A contact sent this picture (already in the blob store); sent again, it is kept anew."""
    facts = {
        "contact": contact_id,
        "blob": picture.key,
        "source": picture.source_hash,
        "nth": picture.page,
        "of": picture.pages,
        "whole": picture.in_file,
        "looks": picture.phash,
        "small": picture.thumbnail,
        "now": now,
    }
    if _RENEW_UPLOAD.run(conn, **facts) == 0:
        _PUT_UPLOAD.run(conn, w=picture.width, h=picture.height, bytes=picture.size, taken=False, **facts)


def put_chart(conn: Connection, contact_id: int, key: str, size: int, now: datetime) -> None:
    """A chart was drawn for this contact: its to see as long as the history that shows it."""
    if _UPLOAD.first(conn, contact=contact_id, blob=key) is None:
        _PUT_UPLOAD.run(
            conn, contact=contact_id, blob=key, source=key, nth=1, of=1, whole=1, looks=None, small=None, w=0, h=0,
            bytes=size, taken=True, now=now,
        )  # fmt: skip


_OF_FILE = Prepared(
    sa.select(
        uploads.c.key,
        uploads.c.source_hash,
        uploads.c.width,
        uploads.c.height,
        uploads.c.size,
        uploads.c.phash,
        uploads.c.thumbnail,
        uploads.c.page,
        uploads.c.pages,
        uploads.c.in_file,
    )
    .where(uploads.c.contact_id == sa.bindparam("contact"), uploads.c.source_hash == sa.bindparam("source"))
    .order_by(uploads.c.page)
)


def of_file(conn: Connection, contact_id: int, source_hash: str) -> tuple[Picture, ...]:
    """The pictures that were made of this very file when this contact sent it before; ``()`` unless all are there."""
    found = [Picture(*row) for row in _OF_FILE.all(conn, contact=contact_id, source=source_hash)]
    return tuple(found) if found and len(found) == found[0].pages else ()


_CUT = Prepared(
    sa.select(uploads.c.pages, uploads.c.in_file).where(
        uploads.c.contact_id == sa.bindparam("contact"),
        uploads.c.key == sa.bindparam("blob"),
        uploads.c.in_file > uploads.c.pages,
    )
)


def cut_short(conn: Connection, contact_id: int, keys: Sequence[str]) -> tuple[int, int] | None:
    """Of the first of these uploads that came of a file with more pages than are kept: how many are, of how many."""
    for key in keys:
        row = _CUT.first(conn, contact=contact_id, blob=key)
        if row is not None:
            return row.pages, row.in_file
    return None


_SAME_PERSON = contact_person.alias("same_person")
_CONTACTS = sa.union(
    sa.select(_SAME_PERSON.c.contact_id)
    .select_from(contact_person.join(_SAME_PERSON, _SAME_PERSON.c.person_id == contact_person.c.person_id))
    .where(contact_person.c.contact_id == sa.bindparam("contact")),
    sa.select(sa.cast(sa.bindparam("contact"), sa.BigInteger)),
)
_BYTES = Prepared(
    sa.select(
        sa.select(sa.func.coalesce(sa.func.sum(uploads.c.size), 0))
        .where(uploads.c.contact_id.in_(_CONTACTS), uploads.c.at > sa.bindparam("since"), uploads.c.width > 0)
        .scalar_subquery()
        + sa.select(sa.func.coalesce(sa.func.sum(arrivals.c.size), 0))
        .where(arrivals.c.contact_id.in_(_CONTACTS), arrivals.c.made_at > sa.bindparam("since"))
        .scalar_subquery()
    )
)


def bytes_of_day(conn: Connection, contact_id: int, now: datetime) -> int:
    """Bytes of the pictures that this contact's person sent in the last 24 hours, by whichever contact, with those
    still on their way."""
    return int(_BYTES.value(conn, contact=contact_id, since=now - timedelta(days=1)))


_THUMBNAIL = Prepared(
    sa.select(uploads.c.thumbnail)
    .where(uploads.c.key == sa.bindparam("blob"), uploads.c.thumbnail.is_not(None))
    .limit(1)
)


def thumbnail_of(conn: Connection, key: str) -> str | None:
    """The key of a picture's thumbnail; ``None`` where there is none (any more)."""
    found: str | None = _THUMBNAIL.value(conn, blob=key)
    return found


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
    sa.insert(evidence)
    .values(
        assessment_id=sa.bindparam("assessment"),
        indicator=sa.bindparam("of"),
        kind=sa.bindparam("sort"),
        key=sa.bindparam("blob"),
        text=sa.bindparam("words"),
        status=sa.bindparam("state"),
        at=sa.bindparam("now"),
    )
    .returning(evidence.c.id)
)
_DROP = Prepared(
    sa.delete(evidence)
    .where(evidence.c.assessment_id == sa.bindparam("assessment"), evidence.c.id == sa.bindparam("piece"))
    .returning(evidence.c.key)
)
_SAME_ON_ITS_WAY = Prepared(
    sa.select(arrivals.c.id)
    .select_from(arrivals.join(evidence, evidence.c.id == arrivals.c.evidence_id))
    .where(
        evidence.c.assessment_id == sa.bindparam("assessment"),
        evidence.c.indicator == sa.bindparam("of"),
        arrivals.c.unique_ref == sa.bindparam("name"),
    )
)
_EXPECT = Prepared(
    sa.insert(arrivals).values(
        evidence_id=sa.bindparam("piece"),
        contact_id=sa.bindparam("contact"),
        account=sa.bindparam("account"),
        address=sa.bindparam("address"),
        reference=sa.bindparam("ref"),
        unique_ref=sa.bindparam("name"),
        size=sa.bindparam("bytes"),
        attempts=0,
        not_before=sa.bindparam("now"),
        made_at=sa.bindparam("now"),
    )
)
_DROP_ALL = Prepared(
    sa.delete(evidence).where(evidence.c.assessment_id == sa.bindparam("assessment")).returning(evidence.c.key)
)
_DROP_THOSE_ARRIVING = Prepared(
    sa.delete(evidence).where(evidence.c.assessment_id == sa.bindparam("assessment"), evidence.c.status == "arriving")
)
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
    held: Held | None = None,
    text: str = "",
    quota: Quota | None = None,
    now: datetime,
) -> bool:
    """Put a piece beside an answer; ``False`` when it is there already, or on its way there.

    A picture is stored (*key*) or still with its channel (*held*): then it is ``arriving`` and is to be fetched.

    Raises ``Refused``: ``evidence_foreign`` (the contact never sent that picture), ``evidence_full`` (more than
    :data:`MOST_PICTURES` pictures or :data:`MOST_TEXTS` texts), ``evidence_season_full`` and ``evidence_day_full``
    (more than the *quota*; the bytes of a stored picture were counted when it was uploaded).
    The caller has checked that the assessment may be changed (:func:`storage.assessments.editable`).
    """
    there = of_indicator(conn, assessment_id, indicator)
    if kind in PICTURE_KINDS:
        assert (key is None) != (held is None)
        if key is not None and any(piece.key == key for piece in there):
            _USE_UPLOAD.run(conn, contact=contact_id, blob=key)  # sent again, it was taken for a new one
            return False
        if held is not None and _SAME_ON_ITS_WAY.first(
            conn, assessment=assessment_id, of=indicator, name=held.unique[:UNIQUE_LIMIT]
        ):
            return False
        if key is not None and not owns_upload(conn, contact_id, key):
            raise Refused("evidence_foreign")
        if sum(piece.kind in PICTURE_KINDS for piece in there) >= MOST_PICTURES:
            raise Refused("evidence_full", most=MOST_PICTURES)
        if quota is not None:
            _within(conn, quota, assessment_id, contact_id, held, now)
    elif kind == "officer_confirmation":
        if any(piece.kind == kind for piece in there):
            return False
    elif any(piece.kind == kind and piece.text == text for piece in there):
        return False
    elif sum(piece.kind in ("text", "link") for piece in there) >= MOST_TEXTS:
        raise Refused("evidence_full", most=MOST_TEXTS)
    if key is not None and _USE_UPLOAD.run(conn, contact=contact_id, blob=key) == 0:
        raise Refused("evidence_foreign")  # it was deleted at this very moment
    state = "asked" if kind == "officer_confirmation" else "given" if held is None else "arriving"
    piece_id = _PUT.value(
        conn, assessment=assessment_id, of=indicator, sort=kind, blob=key, words=text[:TEXT_LIMIT], state=state, now=now
    )
    if held is not None:
        _EXPECT.run(
            conn,
            piece=piece_id,
            contact=contact_id,
            account=held.account,
            address=held.address,
            ref=held.reference,
            name=held.unique[:UNIQUE_LIMIT],
            bytes=held.size,
            now=now,
        )
    return True


_PICTURES = Prepared(
    sa.select(sa.func.count())
    .select_from(evidence)
    .where(
        evidence.c.assessment_id == sa.bindparam("assessment"),
        sa.or_(evidence.c.kind == "photo", evidence.c.kind == "certificate"),
    )
)


def _within(
    conn: Connection, quota: Quota, assessment_id: int, contact_id: int, held: Held | None, now: datetime
) -> None:
    if int(_PICTURES.value(conn, assessment=assessment_id)) >= quota.pictures_per_season:
        raise Refused("evidence_season_full", most=quota.pictures_per_season)
    if held is not None and bytes_of_day(conn, contact_id, now) + held.size > quota.bytes_per_day:
        raise Refused("evidence_day_full")


def remove(conn: Connection, assessment_id: int, piece_id: int, now: datetime) -> bool:
    """Take a piece away; ``False`` when it was not there. One on its way is not fetched any more. A picture to which
    nothing else refers is deleted after the commit."""
    gone = _DROP.first(conn, assessment=assessment_id, piece=piece_id)
    if gone is None:
        return False
    deletions.after(conn, [gone.key], now)
    return True


def remove_all(conn: Connection, assessment_id: int, now: datetime) -> None:
    """Take every piece of an assessment away (start again, erasure), and after the commit the pictures to which
    nothing else refers."""
    deletions.after(conn, [row.key for row in _DROP_ALL.all(conn, assessment=assessment_id)], now)


def remove_arriving(conn: Connection, assessment_id: int) -> None:
    """Take away what is still on its way."""
    _DROP_THOSE_ARRIVING.run(conn, assessment=assessment_id)


def settle_confirmation(conn: Connection, assessment_id: int, piece_id: int, confirmed: bool, officer_id: int) -> None:
    """An officer confirms or declines what the citizen asked the chi hội to confirm."""
    _SETTLE.run(
        conn,
        assessment=assessment_id,
        piece=piece_id,
        state="confirmed" if confirmed else "declined",
        officer=officer_id,
    )


# ------------------------------------------------------------------------------------------ pictures on their way


@dataclass(frozen=True, slots=True)
class ArrivalRow:
    """A picture to fetch: whose evidence it is, where it came from, how often that failed. ``size`` in bytes
    (0: unknown)."""

    id: int
    evidence_id: int
    assessment_id: int
    indicator: str
    contact_id: int
    account: str
    address: str
    reference: str = field(repr=False)
    size: int
    attempts: int
    made_at: datetime


_ARRIVALS = sa.select(
    arrivals.c.id,
    arrivals.c.evidence_id,
    evidence.c.assessment_id,
    evidence.c.indicator,
    arrivals.c.contact_id,
    arrivals.c.account,
    arrivals.c.address,
    arrivals.c.reference,
    arrivals.c.size,
    arrivals.c.attempts,
    arrivals.c.made_at,
).select_from(arrivals.join(evidence, evidence.c.id == arrivals.c.evidence_id))
_ARRIVAL = Prepared(_ARRIVALS.where(arrivals.c.id == sa.bindparam("arrival")))
_ARRIVALS_DUE = Prepared(
    _ARRIVALS.where(arrivals.c.account == sa.bindparam("account"), arrivals.c.not_before <= sa.bindparam("now"))
    .order_by(arrivals.c.not_before, arrivals.c.id)
    .limit(sa.bindparam("most"))
)
_PUT_OFF = Prepared(
    sa.update(arrivals)
    .where(arrivals.c.id == sa.bindparam("arrival"))
    .values(not_before=sa.bindparam("until"), attempts=arrivals.c.attempts + sa.bindparam("tries"))
)
_ARRIVED = Prepared(sa.delete(arrivals).where(arrivals.c.id == sa.bindparam("arrival")))
_SAME_PICTURE = Prepared(
    sa.select(evidence.c.id).where(
        evidence.c.assessment_id == sa.bindparam("assessment"),
        evidence.c.indicator == sa.bindparam("of"),
        evidence.c.key == sa.bindparam("blob"),
    )
)
_GIVE = Prepared(
    sa.update(evidence)
    .where(evidence.c.id == sa.bindparam("piece"), evidence.c.status == "arriving")
    .values(key=sa.bindparam("blob"), status="given")
)


def arrival(conn: Connection, arrival_id: int) -> ArrivalRow | None:
    """A picture on its way; ``None`` when it has come, was given up, or was taken away meanwhile."""
    row = _ARRIVAL.first(conn, arrival=arrival_id)
    return None if row is None else ArrivalRow(*row)


def arrivals_due(conn: Connection, account: str, now: datetime, most: int = 20) -> list[ArrivalRow]:
    """What an account is to fetch now, the longest due first."""
    return [ArrivalRow(*row) for row in _ARRIVALS_DUE.all(conn, account=account, now=now, most=most)]


def put_off(conn: Connection, arrival_id: int, until: datetime, tries: int = 1) -> None:
    """Fetching failed for now: try again from *until* on. ``tries=0``: the fault is ours, and counts for nothing."""
    _PUT_OFF.run(conn, arrival=arrival_id, until=until, tries=tries)


def arrive(conn: Connection, row: ArrivalRow, key: str, now: datetime) -> bool:
    """The picture is in the blob store: its piece is given. ``False``: the same picture is beside that answer
    already, and this piece goes. The caller holds the assessment's lock and has read *row* under it."""
    _ARRIVED.run(conn, arrival=row.id)
    if _SAME_PICTURE.first(conn, assessment=row.assessment_id, of=row.indicator, blob=key) is not None:
        remove(conn, row.assessment_id, row.evidence_id, now)
        return False
    _GIVE.run(conn, piece=row.evidence_id, blob=key)
    return True


_BESIDE = Prepared(
    sa.select(evidence.c.kind, evidence.c.text).where(
        evidence.c.assessment_id == sa.bindparam("assessment"), evidence.c.id == sa.bindparam("piece")
    )
)


def further(
    conn: Connection, row: ArrivalRow, keys: Sequence[str], now: datetime, quota: Quota | None = None
) -> list[str]:
    """One file that arrived was several pictures: these are the pages after its first. Which were put beside the answer
    (those there already among them); the others found no room (:data:`MOST_PICTURES`, and the *quota* of the season).

    To be called before :func:`arrive`, under the same lock.
    """
    like = _BESIDE.first(conn, assessment=row.assessment_id, piece=row.evidence_id)
    there = of_indicator(conn, row.assessment_id, row.indicator)
    room = MOST_PICTURES - sum(piece.kind in PICTURE_KINDS for piece in there)
    if quota is not None:
        room = min(room, quota.pictures_per_season - int(_PICTURES.value(conn, assessment=row.assessment_id)))
    known = {piece.key for piece in there}
    placed = []
    for key in keys:
        if key not in known:
            if like is None or room <= 0:
                continue
            _PUT.value(
                conn,
                assessment=row.assessment_id,
                of=row.indicator,
                sort=like.kind,
                blob=key,
                words=like.text,
                state="given",
                now=now,
            )
            known.add(key)
            room -= 1
        placed.append(key)
    return placed


def use_upload(conn: Connection, contact_id: int, key: str) -> None:
    """An upload of this contact became evidence: it stays as long as that does."""
    _USE_UPLOAD.run(conn, contact=contact_id, blob=key)


# assessments import this module, so their table is named here by what is read of it only
_DOSSIERS = sa.table("assessments", *map(sa.column, ("id", "year", "person_id", "unit_id", "status")))
_DOSSIER = Prepared(
    sa.select(_DOSSIERS.c.unit_id, _DOSSIERS.c.year, _DOSSIERS.c.status).where(
        _DOSSIERS.c.id == sa.bindparam("assessment")
    )
)
_DROP_ARRIVING = Prepared(
    sa.delete(evidence)
    .where(evidence.c.id.in_(sa.select(arrivals.c.evidence_id).where(arrivals.c.contact_id == sa.bindparam("contact"))))
    .returning(evidence.c.assessment_id)
)


def forget_arrivals(conn: Connection, contact_id: int) -> None:
    """The contact is going: what it sent and is still on its way does not come any more."""
    for assessment_id in sorted({row.assessment_id for row in _DROP_ARRIVING.all(conn, contact=contact_id)}):
        dossier = _DOSSIER.first(conn, assessment=assessment_id)
        assert dossier is not None  # its evidence was there a moment ago
        stale.changed(conn, dossier.unit_id, dossier.year, dossier.status)


_WHO_SEES = Prepared(sa.select(evidence.c.assessment_id).where(evidence.c.key == sa.bindparam("blob")).distinct())


def assessments_with(conn: Connection, key: str) -> list[int]:
    """The assessments that hold a picture."""
    return [row.assessment_id for row in _WHO_SEES.all(conn, blob=key)]


_FORGET_UPLOADS = Prepared(
    sa.delete(uploads)
    .where(uploads.c.contact_id == sa.bindparam("contact"))
    .returning(uploads.c.key, uploads.c.thumbnail)
)


def forget_uploads(conn: Connection, contact_id: int, now: datetime) -> None:
    """The contact is going: its uploads are nobody's now, and go after the commit where nothing else refers to them."""
    deletions.after(conn, [key for row in _FORGET_UPLOADS.all(conn, contact=contact_id) for key in row], now)


# ------------------------------------------------------------------------------------------ what refers to a blob


def _references() -> sa.CompoundSelect[tuple[str]]:
    """The key of every reference: a piece of evidence, an upload not yet used, a chart that a history shows, the
    thumbnail of an upload, the chart of a summary that is still to go out.

    One statement, hence one view: between two an upload could become evidence and be seen as neither.
    """
    live = sa.or_(uploads.c.used.is_(False), uploads.c.width == 0)
    return sa.union_all(
        sa.select(evidence.c.key).where(evidence.c.key.is_not(None)),
        sa.select(uploads.c.key).where(live),
        sa.select(uploads.c.thumbnail).where(uploads.c.thumbnail.is_not(None)),
        sa.select(pages.c.picture).where(pages.c.picture.is_not(None)),
    )


_REFERENCES = _references().subquery("found")


def references(conn: Connection, key: str) -> int:
    """How many pieces, unused uploads and charts refer to a blob."""
    query = sa.select(sa.func.count()).select_from(_REFERENCES).where(_REFERENCES.c.key == key)
    return int(conn.execute(query).scalar_one())


def referenced(conn: Connection, keys: list[str]) -> set[str]:
    """Which of these keys are still evidence, a recent upload, or a chart that a history shows."""
    found: set[str] = set()
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        found.update(conn.execute(sa.select(_REFERENCES.c.key).where(_REFERENCES.c.key.in_(part))).scalars())
    return found


def all_references(conn: Connection) -> list[str]:
    """Every key that is referred to, once, in order."""
    return list(conn.execute(sa.select(_REFERENCES.c.key).distinct().order_by(_REFERENCES.c.key)).scalars())


def claim_deletions(conn: Connection, now: datetime, most: int = 20) -> list[str]:
    """Blobs that are due and to which nothing refers: the caller deletes them from the store once this is committed,
    then tells :func:`storage.deletions.settle` or :func:`storage.deletions.put_off`.

    What is referred to after all is kept, and its row goes.
    """
    rows = deletions.deletions
    due = list(
        conn.execute(
            sa.select(rows.c.key)
            .where(rows.c.not_before <= now)
            .order_by(rows.c.not_before, rows.c.key)
            .limit(most)
            .with_for_update(skip_locked=True)
        ).scalars()
    )
    if not due:
        return []
    # A used upload can become evidence once more (:func:`add` writes its row first): whoever is about to, goes first.
    conn.execute(sa.select(uploads.c.key).where(uploads.c.key.in_(due)).with_for_update()).all()
    kept = referenced(conn, due)
    gone = [key for key in due if key not in kept]
    if kept:
        conn.execute(sa.delete(rows).where(rows.c.key.in_(kept)))
    if gone:
        small = conn.execute(sa.delete(uploads).where(uploads.c.key.in_(gone)).returning(uploads.c.thumbnail))
        deletions.after(conn, list(small.scalars()), now)  # nobody asks for a thumbnail without its picture
        sent_files.forget(conn, gone)  # a name at a channel must not outlive the picture
        conn.execute(
            sa.update(rows)
            .where(rows.c.key.in_(gone))
            .values(claimed=True, attempts=rows.c.attempts + 1, not_before=now + deletions.CLAIM)
        )
    return gone


_UNUSED_UPLOADS = Prepared(
    sa.delete(uploads)
    .where(
        uploads.c.at < sa.bindparam("before"),
        sa.text("not used"),
        ~sa.exists().where(evidence.c.key == uploads.c.key),  # its thumbnail and hashes serve as long as the picture
    )
    .returning(uploads.c.key, uploads.c.thumbnail)
)
_OLD_CHARTS = Prepared(
    sa.delete(uploads).where(uploads.c.at < sa.bindparam("before"), uploads.c.width == 0).returning(uploads.c.key)
)


def purge_uploads(conn: Connection, before: datetime, charts_before: datetime, now: datetime) -> int:
    """Forget uploads that never became evidence, and charts older than the histories that showed them; how many."""
    unused = _UNUSED_UPLOADS.all(conn, before=before)
    charts = [row.key for row in _OLD_CHARTS.all(conn, before=charts_before)]
    deletions.after(conn, [*charts, *(key for row in unused for key in row)], now)
    return len(unused) + len(charts)


# ------------------------------------------------------------------------------------------ seen before


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture beside *indicator* lies in another person's dossier, too. ``same``: the very picture or file; else one
    that looks alike, which two certificates of one template do as well."""

    indicator: str
    key: str
    same: bool


MOST_ALIKE = 200


def seen_elsewhere(conn: Connection, assessment_id: int) -> list[Seen]:
    """The pictures of an assessment that are evidence in another person's dossier of the same season, too, once for
    each answer, in the order of the answers."""
    own = conn.execute(
        sa.select(evidence.c.indicator, evidence.c.key)
        .where(evidence.c.assessment_id == assessment_id, evidence.c.key.is_not(None))
        .order_by(evidence.c.indicator, evidence.c.id)
    ).all()
    if not own:
        return []
    looks = (uploads.c.key, uploads.c.source_hash, uploads.c.phash)
    mine = conn.execute(sa.select(*looks).where(uploads.c.key.in_({row.key for row in own}))).all()
    by_source: dict[str, set[str]] = {row.key: {row.key} for row in own}
    by_look: dict[str, set[str]] = {row.key: set() for row in own}
    for column, kept in ((uploads.c.source_hash, by_source), (uploads.c.phash, by_look)):
        found = {getattr(row, column.name) for row in mine} - {None}
        alike = conn.execute(
            sa.select(column, uploads.c.key).where(column.in_(found), uploads.c.width > 0).distinct().limit(MOST_ALIKE)
        ).all()
        for row in mine:
            kept[row.key].update(key for value, key in alike if value == getattr(row, column.name))
    candidates = set().union(*by_source.values(), *by_look.values())
    year, person = conn.execute(
        sa.select(_DOSSIERS.c.year, _DOSSIERS.c.person_id).where(_DOSSIERS.c.id == assessment_id)
    ).one()
    elsewhere = set(
        conn.execute(
            sa.select(evidence.c.key)
            .select_from(evidence.join(_DOSSIERS, _DOSSIERS.c.id == evidence.c.assessment_id))
            .where(evidence.c.key.in_(candidates), _DOSSIERS.c.year == year, _DOSSIERS.c.person_id != person)
            .distinct()
        ).scalars()
    )
    return [
        Seen(row.indicator, row.key, bool(by_source[row.key] & elsewhere))
        for row in own
        if (by_source[row.key] | by_look[row.key]) & elsewhere
    ]
