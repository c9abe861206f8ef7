"""What goes when its time is over (thời hạn lưu): people, forms never handed in, evidence files, the log, the trail.

One pass goes through each kind in turn, a bounded piece at a time (:func:`step`), so that turns never wait long; what
it would take is listed by :func:`due`. Statuses and counts of past seasons stay as they were, except of people who go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from storage import assessments, audit, erasure, evidence, imported, privacy, removed, seasons
from storage.albums import albums
from storage.assessments import answer_history, answers
from storage.base import Connection, Refused, table_of
from storage.counters import counters
from storage.evidence import evidence as pieces
from storage.housekeeping import Keep
from storage.people import people
from storage.people import person as person_of
from storage.seasons import Season
from storage.units import Unit

units = table_of(Unit)
forms = assessments.assessments
of_seasons = table_of(Season)

UNFINISHED = ("registered", "draft", "withdrawn")
DECIDED = ("approved", "not_met")
BLOCK = 1_000  # row ids looked at in a piece
PEOPLE, FORMS, LINES = 5, 20, 500  # at most so many done in a piece: each well under 50 ms
ACTOR = "system"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pass stands: the kind (``""`` at the end), the last row id looked at, how much was taken away so far."""

    kind: str = "people"
    after: int = 0
    done: int = 0

    @property
    def ended(self) -> bool:
        """Is the pass over?"""
        return not self.kind


@dataclass(frozen=True, slots=True)
class Found:
    """A row that is due, and the unit that it belongs to."""

    id: int
    unit_id: int | None


# ------------------------------------------------------------------------------------------ what is due


def _years_ago(now: datetime, years: int) -> datetime:
    return now - timedelta(days=round(years * 365.25))


def _people(conn: Connection, keep: Keep, now: datetime, low: int, high: int) -> list[Found]:
    last = seasons.today(now).year - keep.person_years - 1  # whose newest season was this year or before
    end = datetime(last + 1, 1, 1, tzinfo=seasons.ZONE)
    newer = sa.exists(sa.select(forms.c.id).where(forms.c.person_id == people.c.id, forms.c.year > last))
    query = sa.select(people.c.id, people.c.unit_id).where(
        people.c.id > low, people.c.id <= high, people.c.joined_at < end, ~newer
    )
    return [Found(*row) for row in conn.execute(query.order_by(people.c.id))]


def _imported(conn: Connection, keep: Keep, now: datetime, low: int, high: int) -> list[Found]:
    """Those of imported lists who never joined."""
    end = datetime(seasons.today(now).year - keep.person_years, 1, 1, tzinfo=seasons.ZONE)
    return [Found(*each) for each in imported.unclaimed_before(conn, end, low, high)]


def _drafts(conn: Connection, keep: Keep, now: datetime, low: int, high: int) -> list[Found]:
    """Forms never handed in, or withdrawn, that still hold something."""
    days = timedelta(days=keep.drafts_days)
    touched = sa.exists(
        sa.select(answer_history.c.id).where(
            answer_history.c.assessment_id == forms.c.id, answer_history.c.at >= now - days
        )
    )
    holds = sa.or_(
        *(
            sa.exists(sa.select(table.c.assessment_id).where(table.c.assessment_id == forms.c.id))
            for table in (answers, pieces, answer_history)
        )
    )
    query = (
        sa.select(forms.c.id, forms.c.unit_id)
        .select_from(forms.join(units, units.c.id == forms.c.unit_id))
        .where(
            forms.c.id > low,
            forms.c.id <= high,
            forms.c.status.in_(UNFINISHED),
            holds,
            ~touched,
            _season_closed(conn, seasons.today(now) - days),
        )
    )
    return [Found(*row) for row in conn.execute(query.order_by(forms.c.id))]


def _evidence(conn: Connection, keep: Keep, now: datetime, low: int, high: int) -> list[Found]:
    """Assessments whose pictures are due."""
    days = timedelta(days=keep.evidence_days)
    pictures = sa.exists(sa.select(pieces.c.id).where(pieces.c.assessment_id == forms.c.id, pieces.c.key.is_not(None)))
    over = sa.or_(
        sa.and_(forms.c.status.in_(DECIDED), forms.c.decided_at < now - days),
        sa.and_(forms.c.status.not_in(DECIDED), _season_closed(conn, seasons.today(now) - days)),
    )
    query = (
        sa.select(forms.c.id, forms.c.unit_id)
        .select_from(forms.join(units, units.c.id == forms.c.unit_id))
        .where(forms.c.id > low, forms.c.id <= high, pictures, over)
    )
    return [Found(*row) for row in conn.execute(query.order_by(forms.c.id))]


def _season_closed(conn: Connection, day: date) -> sa.ColumnElement[bool]:
    """The assessment's season, as its province has it, ended before a day (its last window counts)."""
    first = conn.execute(sa.select(sa.func.min(counters.c.year))).scalar()
    clauses = [_of_year(conn, year, day) for year in range(first if first is not None else day.year, day.year + 1)]
    return sa.or_(*clauses) if clauses else sa.false()


def _of_year(conn: Connection, year: int, day: date) -> sa.ColumnElement[bool]:
    own = {
        row.path: max(row.assessment_to, row.decision_to)
        for row in conn.execute(
            sa.select(units.c.path, of_seasons.c.assessment_to, of_seasons.c.decision_to)
            .select_from(of_seasons.join(units, units.c.id == of_seasons.c.unit_id))
            .where(of_seasons.c.year == year, units.c.level == 1)
        )
    }
    country = seasons.windows_at(conn, year, "VN/")
    closed = max(country.assessment_to, country.decision_to) < day
    others = [_below(path) for path, end in own.items() if (end < day) != closed]
    if closed:
        return sa.and_(forms.c.year == year, *(sa.not_(each) for each in others))
    return sa.and_(forms.c.year == year, sa.or_(*others)) if others else sa.false()


def _below(path: str) -> sa.ColumnElement[bool]:
    low, high = assessments.below(path)
    return sa.and_(units.c.path >= low, units.c.path < high)


# ------------------------------------------------------------------------------------------ taking it away


def _erase(conn: Connection, found: Found, now: datetime) -> None:
    person = person_of(conn, found.id)
    if person is not None:
        erasure.erase_person(conn, person, ACTOR, now, asked=False)


def _forget_imported(conn: Connection, found: Found, now: datetime) -> None:
    imported.forget(conn, found.id, ACTOR, now, asked=False)


def _empty_form(conn: Connection, found: Found, now: datetime) -> None:
    """What was said goes; that the citizen registered stays, and so do the season's counts."""
    row = assessments.locked(conn, found.id)
    if row.status not in UNFINISHED:
        return
    evidence.remove_all(conn, row.id, now)
    for table in (answers, answer_history, albums, removed.removed):
        conn.execute(sa.delete(table).where(table.c.assessment_id == row.id))
    conn.execute(sa.update(forms).where(forms.c.id == row.id).values(handed_in_at=None))
    audit.write(conn, ACTOR, "retention.draft", f"assessment:{row.id}", now, row.unit_id)


def _drop_pictures(conn: Connection, found: Found, now: datetime) -> None:
    """The files go; how many there were beside which answer stays."""
    row = assessments.locked(conn, found.id)
    gone: Counter[str] = Counter()
    for piece in evidence.all_of(conn, row.id):
        if piece.key is not None and evidence.remove(conn, row.id, piece.id, now):
            gone[piece.indicator] += 1
    for indicator, n in sorted(gone.items()):
        removed.note(conn, row.id, indicator, "retention", n, now)
    audit.write(conn, ACTOR, "retention.evidence", f"assessment:{row.id}", now, row.unit_id, pictures=gone.total())


Finding = Callable[[Connection, Keep, datetime, int, int], list[Found]]
Taking = Callable[[Connection, Found, datetime], None]
# kind -> what is due in a range of row ids, how one is taken away, at most how many in a piece, in which table
_BY_ID: dict[str, tuple[Finding, Taking, int, sa.Table]] = {
    "people": (_people, _erase, PEOPLE, people),
    "imported": (_imported, _forget_imported, FORMS, imported.imported_people),
    "drafts": (_drafts, _empty_form, FORMS, forms),
    "evidence": (_evidence, _drop_pictures, FORMS, forms),
}
KINDS = (*_BY_ID, "requests", "audit")


def _log_due(conn: Connection, kind: str, keep: Keep, now: datetime, most: int) -> list[Found]:
    if kind == "requests":
        return [Found(*row) for row in privacy.closed_before(conn, _years_ago(now, keep.requests_years), most)]
    return [Found(*row) for row in audit.older_than(conn, _years_ago(now, keep.audit_years), most)]


def step(conn: Connection, keep: Keep, now: datetime, place: Place) -> Place:
    """One piece of a pass from a place on; where the next begins."""
    if place.kind not in _BY_ID:
        due_now = _log_due(conn, place.kind, keep, now, LINES)
        (privacy.drop if place.kind == "requests" else audit.drop)(conn, [each.id for each in due_now])
        done = place.done + len(due_now)
        return replace(place, done=done) if len(due_now) == LINES else _next_kind(place, done)
    find, take, most, table = _BY_ID[place.kind]
    high = place.after + BLOCK
    due_now = find(conn, keep, now, place.after, high)[: most + 1]
    for each in due_now[:most]:
        try:
            take(conn, each, now)
        except Refused as refused:
            if refused.code != "assessment_gone":  # erased at this very moment
                raise
    done = place.done + len(due_now[:most])
    if len(due_now) > most:
        return Place(place.kind, due_now[most - 1].id, done)
    last = conn.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0
    return Place(place.kind, high, done) if high < last else _next_kind(place, done)


def _next_kind(place: Place, done: int) -> Place:
    following = KINDS.index(place.kind) + 1
    return Place(KINDS[following] if following < len(KINDS) else "", 0, done)


def due(conn: Connection, keep: Keep, now: datetime) -> dict[tuple[str, int | None], int]:
    """What a pass would take away now: (kind, unit id) → how many. Of evidence it counts dossiers."""
    return dict(Counter((kind, each.unit_id) for kind, each in _all_due(conn, keep, now)))


def _all_due(conn: Connection, keep: Keep, now: datetime) -> Iterator[tuple[str, Found]]:
    for kind, (find, _take, _most, table) in _BY_ID.items():
        last = conn.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0
        for low in range(0, last, BLOCK):
            yield from ((kind, each) for each in find(conn, keep, now, low, low + BLOCK))
    for kind in ("requests", "audit"):
        yield from ((kind, each) for each in _log_due(conn, kind, keep, now, 2**31 - 1))
