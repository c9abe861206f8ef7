"""Made-up citizens written in bulk: the rows that the verbs of a chat would have left, without their trail.

For demonstrations and measurements on a database of its own. What is counted is exact (statuses come of
:data:`storage.assessments.LIFE`, counters and roll-up of the assessments); there are no claims, no messages, no audit
lines and no history of answers of these people. About 60,000 people a minute on two cores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from storage import codes, moving, recount, tallies
from storage.assessments import LIFE, answers, assessments, registrations
from storage.base import Connection, table_of
from storage.conversations import conversations
from storage.counters import ancestry, ledger
from storage.evidence import evidence
from storage.people import consents, contact_person, contacts, people
from storage.reviews import returned_questions, reviews
from storage.rollout import rollout
from storage.stale import stale
from storage.units import Unit

units = table_of(Unit)
DECISIONS = ("approve", "not_met", "return")
_STAGED = sa.table("made_ledger", *(sa.column(each.name) for each in ledger.c if each.name != "id"))
_STRIDE = 7_368_787  # no multiple of 3, so that every number below 27^5 comes once


@dataclass(frozen=True, slots=True)
class MadeYear:
    """One season of a made-up citizen.

    *events*: (event of the life-cycle or ``register``, moment), in order. *levels*: indicator → level given; *words*:
    indicator → evidence in words. *officer_id* decides, with *total* points and a *reason*; *returned*: the question
    that a return opened.
    """

    year: int
    code: str
    events: Sequence[tuple[str, datetime]]
    levels: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    officer_id: int = 0
    total: int = 0
    returned: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MadeCitizen:
    """A made-up citizen with the seasons that they took part in, oldest first, at least one."""

    name: str
    birth_year: int
    form: str
    subject_group: str
    address: str
    reachable: bool
    years: Sequence[MadeYear]


@dataclass(frozen=True, slots=True)
class Filing:
    """What all of them have alike: the channel account, the state of the chat, the criteria, the consent."""

    account: str
    state: str
    criteria_id: str
    criteria_version: str
    consent_version: str
    controller: str


@contextmanager
def loading(engine: Engine) -> Iterator[Connection]:
    """A connection to fill a database on; between its transactions nothing else may write. At the end counters,
    roll-up and the numbering of rows are brought up to date.

    SQLite neither flushes nor looks rows up that others point at meanwhile: a crash may leave the file broken.
    """
    with engine.connect() as conn:
        if conn.dialect.name == "sqlite":
            cursor = conn.connection.cursor()
            for pragma in ("synchronous=OFF", "foreign_keys=OFF", "cache_size=-200000"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
        try:
            with conn.begin():
                columns = ", ".join(each.name for each in _STAGED.c)
                conn.exec_driver_sql(
                    f"create temporary table made_ledger as select {columns} from status_ledger where 1 = 0"
                )
            yield conn
            with conn.begin():
                # By time, as it would have come about: whoever reads the ledger up to a line relies on that.
                conn.execute(
                    sa.insert(ledger).from_select(
                        [each.name for each in _STAGED.c],
                        sa.select(*_STAGED.c).order_by(_STAGED.c.at, _STAGED.c.assessment_id),
                    )
                )
                conn.exec_driver_sql("drop table made_ledger")
                recount.rebuild(conn)
                moving.reset_sequences(conn, moving.shapes(), {})
            with conn.begin():
                while tallies.fold(conn, most=1_000_000):
                    pass
                _tally(conn)
        finally:
            conn.invalidate()  # with its settings


def _tally(conn: Connection) -> None:
    """What :func:`storage.tallies.refresh` would write unit by unit, at once: three times as quick."""
    ids = {row.path: row.id for row in conn.execute(sa.select(units.c.path, units.c.id))}
    own: Counter[tuple[int, int, str]] = Counter()
    whole: Counter[tuple[int, int, str]] = Counter()
    for unit_id, year, path in conn.execute(
        sa.select(stale.c.unit_id, stale.c.year, units.c.path)
        .join_from(stale, units, units.c.id == stale.c.unit_id)
        .distinct()
    ).all():
        for what, n in tallies.counted(conn, unit_id, year).items():
            own[unit_id, year, what] = n
            for above in ancestry(path):
                whole[ids[above], year, what] += n
    conn.execute(sa.delete(stale))
    rows = [
        {"unit_id": unit_id, "year": year, "what": what, "own": own[unit_id, year, what], "whole": n}
        for (unit_id, year, what), n in sorted(whole.items())
    ]
    if rows:
        conn.execute(sa.insert(tallies.tallies), rows)


def dossier_codes(year: int) -> Iterator[str]:
    """Printed codes of a year's dossiers, each another, scattered over all there are (about 13 million), always in the
    same order."""
    size = len(codes.DRAWN) ** codes.BODY_SIZE
    for n in range(1, size):
        rest, body = n * _STRIDE % size, ""
        for _place in range(codes.BODY_SIZE):
            rest, sign = divmod(rest, len(codes.DRAWN))
            body += codes.DRAWN[sign]
        if any(sign in "23456789" for sign in body):  # as every code that is drawn: no word is ever read as one
            yield codes.printed(codes.DossierCode(year, body))


def write(conn: Connection, unit_id: int, made: Sequence[MadeCitizen], filing: Filing) -> None:
    """Write the citizens of a unit, at least one, once for each unit. Raises ``KeyError`` where the life-cycle does not
    know such an event."""
    rows = _Rows(conn, unit_id, filing)
    for each in made:
        rows.add(each)
    rows.scanned(min(each.years[0].events[0][1] for each in made), len(made))
    rows.put()


# ------------------------------------------------------------------------------------------ rows

_COLUMNS: dict[sa.Table | sa.TableClause, tuple[str, ...]] = {
    people: ("id", "unit_id", "name", "birth_year", "form", "subject_group", "joined_at"),
    contacts: ("id", "account", "address", "provisional", "reachable", "created_at"),
    contact_person: ("contact_id", "person_id", "relation", "since"),
    conversations: ("contact_id", "person_id", "state", "screen", "language", "used_at"),
    consents: ("contact_id", "person_id", "unit_id", "version", "controller", "given_at"),
    registrations: ("person_id", "year", "unit_id", "at"),
    assessments: (
        "id", "code", "person_id", "year", "unit_id", "subject_group", "criteria_id", "criteria_version", "status",
        "version", "registered_at", "submitted_at", "opened_at", "decided_at",
    ),
    answers: ("assessment_id", "indicator", "level", "return_reason", "changed_at"),
    evidence: ("assessment_id", "indicator", "kind", "text", "status", "at"),
    rollout: ("unit_id", "bound", "first_scan_at"),
    reviews: ("id", "assessment_id", "officer_id", "decision", "reason", "total", "at", "undo_until"),
    returned_questions: ("review_id", "indicator", "reason"),
    _STAGED: tuple(each.name for each in _STAGED.c),
}  # fmt: skip


class _Rows:
    """The rows of one unit's citizens, gathered and then written a table at a time."""

    def __init__(self, conn: Connection, unit_id: int, filing: Filing) -> None:
        self._conn, self._unit, self._filing = conn, unit_id, filing
        self._of: dict[sa.Table | sa.TableClause, list[tuple[Any, ...]]] = {table: [] for table in _COLUMNS}
        self._next = {
            table: (conn.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0) + 1
            for table in (people, contacts, assessments, reviews)
        }
        self._stamp: Callable[[datetime], Any] = _text if conn.dialect.name == "sqlite" else _as_it_is

    def _number(self, table: sa.Table) -> int:
        found = self._next[table]
        self._next[table] += 1
        return found

    def add(self, made: MadeCitizen) -> None:
        person, contact, unit, of = self._number(people), self._number(contacts), self._unit, self._of
        joined = self._stamp(made.years[0].events[0][1])
        used = self._stamp(max(at for event, at in made.years[-1].events if event not in DECISIONS))
        filing = self._filing
        of[people].append((person, unit, made.name, made.birth_year, made.form, made.subject_group, joined))
        of[contacts].append((contact, filing.account, made.address, False, made.reachable, joined))
        of[contact_person].append((contact, person, "self", joined))
        of[conversations].append((contact, person, filing.state, 1, "vi", used))
        of[consents].append((contact, person, unit, filing.consent_version, filing.controller, joined))
        for year in made.years:
            self._add_year(person, made.subject_group, year)

    def _add_year(self, person: int, group: str, made: MadeYear) -> None:
        number, of, stamp = self._number(assessments), self._of, self._stamp
        status: str | None = None
        at: dict[str, Any] = {}
        for event, moment in made.events:
            becomes = "registered" if status is None else LIFE[status, event]
            now = at[event] = stamp(moment)
            of[_STAGED].append((now, number, self._unit, made.year, group, status, becomes, event))
            status = becomes
            if event in DECISIONS:
                at["decided"] = now
                self._add_review(number, event, made, now)
        registered = at["register"]
        of[registrations].append((person, made.year, self._unit, registered))
        of[assessments].append(
            (
                number, made.code, person, made.year, self._unit, group, self._filing.criteria_id,
                self._filing.criteria_version, status, len(made.events), registered, at.get("submit"),
                None if status == "submitted" else at.get("decided"),
                at["decided"] if status in ("approved", "not_met") else None,
            )
        )  # fmt: skip
        answered = at.get("submit") or at.get("start") or registered
        for indicator, level in made.levels.items():
            opened = made.reason if status == "returned" and indicator == made.returned else None
            of[answers].append((number, indicator, level, opened, answered))
        for indicator, words in made.words.items():
            of[evidence].append((number, indicator, "text", words, "given", answered))

    def _add_review(self, number: int, event: str, made: MadeYear, now: Any) -> None:
        review = self._number(reviews)
        reason = None if event == "approve" else made.reason
        self._of[reviews].append((review, number, made.officer_id, event, reason, made.total, now, now))
        if event == "return":
            self._of[returned_questions].append((review, made.returned, made.reason))

    def scanned(self, at: datetime, bound: int) -> None:
        self._of[rollout].append((self._unit, bound, self._stamp(at)))

    def put(self) -> None:
        raw = self._conn.connection.dbapi_connection
        assert raw is not None
        cursor = raw.cursor()
        mark = "?" if self._conn.dialect.name == "sqlite" else "%s"
        for table, rows in self._of.items():
            if rows:
                columns = _COLUMNS[table]
                marks = ", ".join(mark for _name in columns)
                cursor.executemany(f"insert into {table.name} ({', '.join(columns)}) values ({marks})", rows)
        cursor.close()


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")[:26] + "Z"  # as storage.base.UtcTime writes it


def _as_it_is(at: datetime) -> datetime:
    return at
