"""What a turn costs with 1.2 million people bound, against one with a thousand: SQLite, ``synchronous=FULL``.

The people are written in bulk, each with what a real one has: contact, chat, consent, registration, assessment, claims,
a sent answer, its counts; every twentieth has answered ten questions. Then the same citizens come to both databases and
go from the link to the receipt, in rounds that alternate.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from benchmarks.bars import Bar
from benchmarks.citizens import database, many
from storage.engine import Turns, open_engine, reading
from storage.recount import check, rebuild

FEW, MANY = 1_000, 1_200_000
ROUNDS = 9
PEOPLE = 24
FLOOR = 1.2
AT = "2026-09-20T02:00:00.000000Z"

# What there is of everybody, and of every twentieth of them (:i a person, :unit and :path where that person lives).
SERIES = "with recursive n(i) as (select 1 union all select i + 1 from n where i < {people})"
FILL = (
    "insert into people (id, unit_id, name, birth_year, phone, form, subject_group, joined_at)"
    " select i, p.unit, 'Nguyễn Văn ' || i, 1940 + i % 60, null, 'ong_ba', 'nong_dan', '{at}' {each}",
    "insert into contacts (id, account, address, provisional, reachable, created_at)"
    " select i, 'bench', 'filled-' || ((i * 7919) % {people}), 0, 1, '{at}' {each}",
    "insert into contact_person (contact_id, person_id, relation, since) select i, i, 'self', '{at}' {each}",
    "insert into conversations (contact_id, person_id, state, screen, language, used_at)"
    " select i, i, '{state}', 12, 'vi', '{at}' {each}",
    "insert into consents (contact_id, person_id, unit_id, version, controller, given_at)"
    " select i, i, p.unit, '1', 'Hội Khuyến học', '{at}' {each}",
    "insert into registrations (person_id, year, unit_id, at) select i, 2026, p.unit, '{at}' {each}",
    "insert into assessments (id, code, person_id, year, unit_id, subject_group, criteria_id, criteria_version, status,"
    " version, registered_at, submitted_at) select i, 'HS-2026-' || printf('%07d', (i * 7919) % {people}), i, 2026,"
    " p.unit, 'nong_dan', 'cdht', '1', case when i % 20 = 0 then 'submitted' else 'registered' end, 1, '{at}',"
    " case when i % 20 = 0 then '{at}' end {each}",
    "insert into answers (assessment_id, indicator, level, changed_at)"
    " select assessments.id, q.value, 'dat', '{at}' from assessments, json_each('{indicators}') q"
    " where status = 'submitted'",
    "insert into answer_history (assessment_id, indicator, level, what, actor, at)"
    " select assessment_id, indicator, level, 'answered', 'person:' || assessment_id, changed_at from answers",
    "insert into claims (account, event, at)"
    " select 'bench', 'filled-' || ((i * 7919) % {people}) || '-1', '{at}' {each}",
    "insert into outbox (account, address, contact_id, priority, body, not_before, made_at, attempts, outcome)"
    " select 'bench', 'filled-' || ((i * 7919) % {people}), i, 0, '{{}}', '{at}', '{at}', 1, 'sent' {each}",
    "insert into audit (at, actor, action, subject, unit_id) select '{at}', 'person:' || i, 'joined', 'person:' || i,"
    " p.unit {each}",
    "insert into status_ledger (at, assessment_id, unit_id, year, subject_group, after, why)"
    " select registered_at, id, unit_id, year, subject_group, status, 'filled' from assessments",
)


def fill(url: str, people: int) -> None:
    """Bind that many people, spread over all communes."""
    engine = open_engine(url)
    words = {
        "each": "from n join places p on p.place = i % (select count(*) from places)",
        "people": people,
        "at": AT,
        "state": '{"state": "home"}',
        "indicators": '["A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "C1", "C2"]',
    }
    with engine.connect() as conn:
        raw = conn.connection.dbapi_connection
        assert raw is not None
        run = raw.cursor().execute
        # Made in bulk and thrown away: nothing to flush, nothing to check row by row.
        run("PRAGMA synchronous=OFF")
        run("PRAGMA foreign_keys=OFF")
        run("PRAGMA cache_size=-400000")
        run(
            "create temp table places as select row_number() over (order by id) - 1 as place, id as unit from units"
            " where level = 2 and vintage = '2025'"
        )
        run("create unique index temp.place on places (place)")
        run("BEGIN IMMEDIATE")
        for statement in FILL:
            series = SERIES.format(people=people) + " " if "{each}" in statement else ""
            run(series + statement.format(**words))
        run("COMMIT")
        with conn.begin():
            rebuild(conn)
        run("PRAGMA wal_checkpoint(TRUNCATE)")
        conn.invalidate()  # with its settings
    engine.dispose()


@dataclass
class Side:
    """One of the two databases, and what each round took a turn, in seconds: by the clock, of the processor."""

    engine: sa.Engine
    turns: Turns
    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def round(self) -> None:
        began, used = time.perf_counter(), time.process_time()
        acts = asyncio.run(many(self.turns, PEOPLE, 1))
        self.clock.append((time.perf_counter() - began) / acts)
        self.processor.append((time.process_time() - used) / acts)


def measure() -> Bar:
    """The bar ``size``."""
    sides: list[Side] = []
    sizes, took = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        for people in (FEW, MANY):
            (Path(folder) / str(people)).mkdir()
            url = database(Path(folder) / str(people))
            began = time.perf_counter()
            fill(url, people)
            took = time.perf_counter() - began
            sizes.append((Path(folder) / str(people) / "bench.sqlite").stat().st_size / 1e6)
            engine = open_engine(url)
            sides.append(Side(engine, Turns(engine)))
        few, many_ = sides
        for side in sides:  # warm, and not counted
            side.round()
            side.clock.clear()
            side.processor.clear()
        for n in range(ROUNDS):
            for side in sides if n % 2 else sides[::-1]:
                side.round()
        with reading(few.engine) as conn:
            assert check(conn) == []
        for side in sides:
            side.turns.close()
            side.engine.dispose()
    ratio = statistics.median(b / a for a, b in zip(few.clock, many_.clock, strict=True))
    cpu = statistics.median(b / a for a, b in zip(few.processor, many_.processor, strict=True))
    ms = [statistics.median(side.clock) * 1000 for side in sides]
    return Bar(
        "size",
        ratio,
        FLOOR,
        False,
        [
            f"{ms[1]:.2f} ms a turn with {MANY} people ({sizes[1]:.0f} MB, filled in {took:.0f} s),"
            f" {ms[0]:.2f} ms with {FEW}; of processor time {cpu:.3f}; {ROUNDS} rounds of {PEOPLE} dossiers on each",
        ],
    )
