"""What stands in the database, as the metrics ask for it, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from storage import events, health, inbox, jobs, outbox, people, privacy
from storage.engine import reading, writing
from storage.health import Line, Queue
from storage.inbox import Arrived

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def test_nothing_stands_in_an_empty_database(database: sa.Engine) -> None:
    with reading(database) as conn:
        none = Queue()
        assert health.standing(conn, NOW) == health.Standing((), none, none, none, none, 0, 0, 0)


def test_what_is_due_is_counted_with_the_age_of_the_oldest(database: sa.Engine) -> None:
    with writing(database) as conn:
        contact = people.meet(conn, "telegram", "17", ago(900))
        for account, priority, seconds in (
            ("telegram", outbox.ANSWER, 5),
            ("telegram", outbox.ANSWER, 30),
            ("telegram", outbox.NOTICE, 600),
            ("telegram", outbox.BULK, 60),
            ("web", outbox.NOTICE, -60),  # not due yet
        ):
            outbox.put(
                conn, account=account, address="17", contact_id=contact, body="{}", now=ago(700),
                not_before=ago(seconds), priority=priority,
            )  # fmt: skip
        outbox.put(conn, account="web", address="17", contact_id=None, body="{}", now=ago(700))  # a farewell
        sent = outbox.put(conn, account="web", address="17", contact_id=contact, body="{}", now=ago(700))
        outbox.settle(conn, sent, "sent")
        inbox.put(conn, "telegram", [Arrived("17", 1, "{}"), Arrived("18", 2, "{}")], ago(12))
        jobs.put(conn, "chart", {}, account="web", address="17", contact_id=contact, now=ago(8))
        for n in range(3):
            kept = events.keep(conn, "web", "17", f"e{n}", "{}", "ValueError", ago(9))
        failed = events.by_error_id(conn, kept)
        assert failed is not None
        events.replayed(conn, failed.id, NOW)
        requests = [
            privacy.ask(
                conn, kind, person_id=None, contact_id=contact, unit_id=1, actor="cli", now=NOW - timedelta(days)
            )
            for kind, days in (("object", 16), ("object", 3), ("delete", 30))
        ]
        privacy.settle(conn, requests[2], "done", "cli", NOW)
    with reading(database) as conn:
        found = health.standing(conn, NOW)
    assert set(found.outbox) == {Line("telegram", "answer", 2, 30.0), Line("telegram", "push", 2, 600.0)}
    assert (found.inbox, found.jobs) == (Queue(2, 12.0), Queue(1, 8.0))
    assert (found.failed, found.requests, found.overdue) == (2, 2, 1)
