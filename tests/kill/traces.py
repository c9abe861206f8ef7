"""What the acts of a phone must have left in the database, and what they did leave."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from dialogs.model import Opened, Pressed, Sent, Typed
from storage import recount
from storage.base import Connection
from storage.blobs import BlobFolder
from tests.kill.citizen import GROUPS, LEVELS, asks_evidence, asks_level, indicator_of
from tests.support.webclient import Phone, Said


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that one phone's acts change, each list in the order of doing.

    ``events``: the ids that had their turn; ``heard``: those that the history shows as said; ``levels``: the history
    of answers as (indicator, before, level); ``evidence``: (indicator, key or words); ``moves``: of the assessment;
    ``joined``: (people, registrations, assessments).
    """

    screen: int = 0
    events: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    levels: tuple[tuple[str, str | None, str], ...] = ()
    answers: tuple[tuple[str, str], ...] = ()
    evidence: tuple[tuple[str, str], ...] = ()
    pieces_remembered: int = 0
    moves: tuple[str, ...] = ()
    joined: tuple[int, int, int] = (0, 0, 0)


def expected(acts: Iterable[Said]) -> Trace:
    """The trace of these acts, each done exactly once."""
    trace = Trace()
    for said in acts:
        trace = replace(_done(trace, said), screen=trace.screen + 1)
    return replace(trace, events=tuple(sorted(trace.events)))


def _done(trace: Trace, said: Said) -> Trace:
    trace = replace(trace, events=(*trace.events, said.id))
    if not isinstance(said.act, Opened):
        trace = replace(trace, heard=(*trace.heard, said.id))
    indicator = indicator_of(said.screen)
    match said.act:
        case Pressed(level) if indicator and asks_level(said.screen) and level in LEVELS:
            return _answered(trace, indicator, level)
        case Sent(keys):
            assert indicator
            return _proved(trace, indicator, keys)
        case Typed(text) if indicator and asks_evidence(said.screen):
            return _proved(trace, indicator, (text,))
        case Pressed(group) if group in GROUPS:
            return replace(trace, joined=(1, 1, 1), moves=("register",))
        case Pressed("start" | "submit" as move):
            return replace(trace, moves=(*trace.moves, move))
    return trace


def _answered(trace: Trace, indicator: str, level: str) -> Trace:
    answers = dict(trace.answers)
    before = answers.get(indicator)
    if before == level:
        return trace
    answers[indicator] = level
    return replace(trace, levels=(*trace.levels, (indicator, before, level)), answers=tuple(sorted(answers.items())))


def _proved(trace: Trace, indicator: str, pieces: tuple[str, ...]) -> Trace:
    return replace(
        trace,
        evidence=(*trace.evidence, *((indicator, piece) for piece in pieces)),
        pieces_remembered=trace.pieces_remembered + len(pieces),
    )


def found(conn: Connection, address: str) -> Trace:
    """The trace that an address left."""

    def rows(query: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in conn.execute(sa.text(query), {"address": address, "prefix": address[:16] + "."})]

    def column(query: str) -> tuple[Any, ...]:
        return tuple(value for (value,) in rows(query))

    contact = "(select id from contacts where account = 'web' and address = :address)"
    person = f"(select person_id from contact_person where contact_id = {contact})"
    own = f"(select id from assessments where person_id in {person})"
    screens = column(f"select screen from conversations where contact_id = {contact}")
    return Trace(
        screen=sum(screens),
        events=column(
            "select substr(event, 18) from claims "
            "where account = 'web' and substr(event, 1, 17) = :prefix order by event"
        ),
        heard=column(
            f"select substr(event, 18) from messages where contact_id = {contact} and direction = 'in' order by id"
        ),
        levels=tuple(
            rows(
                "select indicator, before, level from answer_history "
                f"where assessment_id in {own} and what = 'level' order by id"
            )
        ),
        answers=tuple(rows(f"select indicator, level from answers where assessment_id in {own} order by indicator")),
        evidence=tuple(
            rows(f"select indicator, coalesce(key, text) from evidence where assessment_id in {own} order by id")
        ),
        pieces_remembered=rows(
            f"select count(*) from answer_history where assessment_id in {own} and what = 'evidence'"
        )[0][0],
        moves=column(f"select why from status_ledger where assessment_id in {own} order by id"),
        joined=(
            rows(f"select count(*) from people where id in {person}")[0][0],
            rows(f"select count(*) from registrations where person_id in {person}")[0][0],
            rows(f"select count(*) from assessments where person_id in {person}")[0][0],
        ),
    )


def faults(conn: Connection, blobs: BlobFolder, phones: list[Phone]) -> list[str]:
    """What is not as the phones were told. An act on its way has had its whole turn or none; all others exactly one."""
    wrong = []
    people = 0
    for phone in phones:
        if phone.address is None:
            continue
        left = found(conn, phone.address)
        people += left.joined[0]
        done = expected(phone.journal)
        if left != done and (phone.pending is None or left != expected([*phone.journal, phone.pending])):
            wrong.append(f"{phone.address[:8]}: {_difference(left, done)}; on its way: {phone.pending}")
        kept = set(
            conn.execute(
                sa.text("select key from uploads u join contacts c on c.id = u.contact_id where address = :address"),
                {"address": phone.address},
            ).scalars()
        )
        wrong.extend(f"{phone.address[:8]}: the upload {key} is gone" for key in set(phone.uploaded) - kept)
    referred = set(
        conn.execute(sa.text("select key from evidence where key is not null union select key from uploads")).scalars()
    )
    for key in referred.union(*(phone.uploaded for phone in phones)):
        data = blobs.get(key)
        if data is None or hashlib.sha256(data).hexdigest() != key:
            wrong.append(f"the picture {key} is {'gone' if data is None else 'damaged'}")
    joined = (
        "select count(distinct person_id) from contact_person p join contacts c on c.id = p.contact_id "
        "where c.account = 'web'"
    )
    if conn.execute(sa.text(joined)).scalar_one() != people:
        wrong.append("somebody joined whom no phone knows")
    wrong.extend(f"a recount differs: {each}" for each in recount.check(conn))
    wrong.extend(f"failed: {row}" for row in conn.execute(sa.text("select event, error from failed_events")))
    if conn.dialect.name == "sqlite":
        wrong.extend(f"integrity: {row}" for row in conn.execute(sa.text("pragma integrity_check")) if row[0] != "ok")
        wrong.extend(f"foreign key: {row}" for row in conn.execute(sa.text("pragma foreign_key_check")))
    return wrong


def _difference(left: Trace, done: Trace) -> str:
    return ", ".join(
        f"{name} is {getattr(left, name)!r} and not {getattr(done, name)!r}"
        for name in Trace.__slots__
        if getattr(left, name) != getattr(done, name)
    )
