"""What the acts of a citizen on Telegram must have left in the database, and what they did leave."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from typing import Any

import sqlalchemy as sa

from bot.pictures import intake
from storage import recount
from storage.base import Connection
from storage.blobs import BlobFolder
from tests.kill.telegram_citizen import STALE, Citizen, Mark
from tests.peers.telegram_chats import photo_sizes
from tests.support.webclient import photo


@functools.lru_cache(maxsize=4096)
def stored(seed: int) -> str:
    """Under which key a photo is kept."""
    return intake.receive(photo(seed))[0].key


@functools.lru_cache(maxsize=4096)
def named(seed: int) -> str:
    """Telegram's lasting name for a photo."""
    return photo_sizes(photo(seed))[-1].unique


def faults(conn: Connection, blobs: BlobFolder, citizens: list[Citizen]) -> list[str]:
    """What is not as Telegram was told. An update that it still holds has had its whole turn or none; all others
    exactly one."""
    wrong: list[str] = []
    for citizen in citizens:
        wrong.extend(f"{citizen.name}: {each}" for each in _faults_of(conn, citizen))
    wrong.extend(_faults_of_pictures(conn, blobs))
    wrong.extend(f"a recount differs: {each}" for each in recount.check(conn))
    wrong.extend(f"failed: {row}" for row in conn.execute(sa.text("select event, error from failed_events")))
    if conn.dialect.name == "sqlite":
        wrong.extend(f"integrity: {row}" for row in conn.execute(sa.text("pragma integrity_check")) if row[0] != "ok")
        wrong.extend(f"foreign key: {row}" for row in conn.execute(sa.text("pragma foreign_key_check")))
    return wrong


def _taken(citizen: Citizen, update: int, waiting: set[int]) -> bool:
    """Was Telegram told that this update has been taken, and does it no longer wait in the inbox?"""
    held = citizen.phone.bot.updates.get(update)
    return (held is None or held.repeated) and update not in waiting


def _faults_of(conn: Connection, citizen: Citizen) -> list[str]:
    wrong: list[str] = []
    account = f"telegram:{citizen.phone.bot.username.split('_')[1]}"
    given = {"account": account, "address": str(citizen.phone.chat.id)}

    def rows(query: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in conn.execute(sa.text(query), given)]

    contact = "(select id from contacts where account = :account and address = :address)"
    person = f"(select person_id from contact_person where contact_id = {contact})"
    own = f"(select id from assessments where person_id in {person})"

    waiting = {place for (place,) in rows("select place from inbox where account = :account and address = :address")}
    acted = [update for mark in citizen.marks for update in mark.updates]
    had = {
        int(event)
        for (event,) in rows(
            f"select event from claims where account = :account and cast(event as integer) between "
            f"{min(acted, default=0)} and {max(acted, default=0)}"
        )
    }
    wrong.extend(
        f"update {each} was acknowledged and had no turn"
        for each in acted
        if _taken(citizen, each, waiting) and each not in had
    )

    levels = rows(
        "select indicator, before, level from answer_history "
        f"where assessment_id in {own} and what = 'level' order by id"
    )
    stale = told_stale(citizen)
    missing, left = _compared(citizen, levels, waiting)
    if left:
        wrong.append(f"levels that nobody gave, or twice: {left} of {levels}; given: {citizen.marks}")
    # Who asks again and again while nobody answers presses on a screen that the next answer replaces: that is said.
    if len(missing) > stale:
        wrong.append(f"levels given and not there: {missing} in {levels}")

    pieces = Counter(
        (indicator, text or key or reference)
        for indicator, text, key, reference in rows(
            "select e.indicator, case when e.kind = 'text' then e.text else null end, e.key, a.unique_ref "
            f"from evidence e left join arrivals a on a.evidence_id = e.id where e.assessment_id in {own}"
        )
    )
    moves = Counter(why for (why,) in rows(f"select why from status_ledger where assessment_id in {own}"))
    sent: set[tuple[str, str]] = set()
    for mark in citizen.marks:
        if mark.kind not in ("picture", "text"):
            continue
        picture = mark.kind == "picture"
        values = (stored(int(mark.value)), named(int(mark.value))) if picture else (mark.value,)
        sent.update((mark.indicator, value) for value in values)
        count = sum(pieces[mark.indicator, value] for value in values)
        # A text that answered an earlier screen was told to be stale.
        wanted = all(_taken(citizen, update, waiting) for update in mark.updates) and (picture or not stale)
        if count > 1 or (wanted and count == 0):
            wrong.append(f"{mark} is there {count} times")
    if set(pieces) - sent:
        wrong.append(f"evidence that nobody sent there: {set(pieces) - sent}")
    if citizen.done and (moves["register"], moves["start"], moves["submit"]) != (1, 1, 1):
        wrong.append(f"the dossier moved {moves}")
    if any(count > 1 for count in moves.values()):
        wrong.append(f"the dossier moved {moves}")
    joined = rows(f"select count(*) from people where id in {person}")[0][0]
    if joined > 1 or (citizen.done and joined != 1):
        wrong.append(f"joined {joined} times")
    return wrong


Levels = list[tuple[str, str | None, str]]


def _compared(citizen: Citizen, found: Levels, waiting: set[int]) -> tuple[list[Mark], Levels]:
    """The levels that were acknowledged and are not in the history of answers; the rows of the history that no press
    accounts for."""
    first: dict[int, Mark] = {}  # of several presses on one screen only the first counts
    for mark in citizen.marks:
        if mark.kind == "level":
            first.setdefault(mark.number, mark)
    answers: dict[str, str] = {}
    left, missing = list(found), []
    for mark in first.values():
        if left and left[0] == (mark.indicator, answers.get(mark.indicator), mark.value):
            answers[mark.indicator] = mark.value
            left.pop(0)
        elif answers.get(mark.indicator) != mark.value and all(_taken(citizen, each, waiting) for each in mark.updates):
            missing.append(mark)
    return missing, left


def told_stale(citizen: Citizen) -> int:
    """How often the citizen was told that an act came too late."""
    said = [text for message in citizen.phone.messages if message.from_bot for text in (message.text, *message.history)]
    return sum(STALE in text for text in said)


def _faults_of_pictures(conn: Connection, blobs: BlobFolder) -> list[str]:
    wrong = []
    for (key,) in conn.execute(sa.text("select distinct key from evidence where key is not null")):
        data = blobs.get(key)
        if data is None or hashlib.sha256(data).hexdigest() != key:
            wrong.append(f"the picture {key} is {'gone' if data is None else 'damaged'}")
    unfetched = (
        "select count(*) from evidence where status = 'arriving' and id not in (select evidence_id from arrivals)"
    )
    if conn.execute(sa.text(unfetched)).scalar_one():
        wrong.append("a picture is on its way that nobody fetches")
    return wrong
