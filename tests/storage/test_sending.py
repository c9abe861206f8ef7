"""What a chat last showed, pictures that a channel has already, and contacts that cannot be reached."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from storage import conversations, outbox, people, reach, sent_files, shown
from storage.base import Connection
from storage.engine import writing
from storage.shown import Shown
from tests.storage.test_lifecycle import COMMUNE, NOW


def test_what_a_chat_shows_is_kept_and_changed(database: sa.Engine) -> None:
    with writing(database) as conn:
        people.meet(conn, "telegram", "77", NOW)
        assert shown.of(conn, "telegram", "77") is None
        first = Shown(3, 2**31, 2**31 + 5, (7, 9), "inline", "officer:vi", 2**40, True)
        shown.keep(conn, "telegram", "77", first)
        assert shown.of(conn, "telegram", "77") == first
        shown.keep(conn, "telegram", "77", Shown())
        assert shown.of(conn, "telegram", "77") == Shown()
        assert shown.of(conn, "telegram:other", "77") is None


def test_a_contact_that_is_gone_shows_nothing(database: sa.Engine) -> None:
    with writing(database) as conn:
        shown.keep(conn, "telegram", "77", Shown(1, 2))
        assert shown.of(conn, "telegram", "77") is None


def test_a_picture_sent_once_is_known_to_its_account(database: sa.Engine) -> None:
    with writing(database) as conn:
        assert sent_files.reference(conn, "telegram", "k") is None
        sent_files.keep(conn, "telegram", "k", "file-1", NOW)
        sent_files.keep(conn, "telegram", "k", "file-2", NOW)
        sent_files.keep(conn, "telegram:other", "k", "file-3", NOW)
        assert sent_files.reference(conn, "telegram", "k") == "file-2"
        sent_files.drop(conn, "telegram", "k")
        assert sent_files.reference(conn, "telegram", "k") is None
        assert sent_files.reference(conn, "telegram:other", "k") == "file-3"
        sent_files.forget(conn, ["x"])
        assert sent_files.reference(conn, "telegram:other", "k") == "file-3"
        sent_files.forget(conn, ["k", "x"])
        assert sent_files.reference(conn, "telegram:other", "k") is None


def contact(conn: Connection, account: str, address: str, person: int | None) -> int:
    made = people.meet(conn, account, address, NOW)
    conversations.begin_chat(conn, made, "{}", "vi", NOW)
    if person is not None:
        conversations.hand_over(conn, made, person, NOW)
    return made


def test_notices_of_one_who_cannot_be_reached_go_to_their_next_contact(database: sa.Engine) -> None:
    with writing(database) as conn:
        first = people.meet(conn, "telegram", "77", NOW)
        conversations.begin_chat(conn, first, "{}", "vi", NOW)
        citizen = people.join(
            conn, first, unit_id=COMMUNE, name="Lê Thị Na", birth_year=1960, phone=None, form="ong_ba",
            subject_group="nong_dan", now=NOW
        )  # fmt: skip
        conversations.speak_as(conn, first, citizen.id)
        contact(conn, "web", "w", citizen.id)
        contact(conn, "web", "stranger", None)
        later = NOW + timedelta(seconds=60)

        def puts(body: str, priority: int, person: int | None = citizen.id) -> int:
            return outbox.put(
                conn, account="telegram", address="77", contact_id=first, person_id=person, body=body, now=NOW,
                priority=priority, topic=f"of {body}", not_before=later
            )  # fmt: skip

        notice, officers = puts("notice", outbox.NOTICE), puts("queue", outbox.NOTICE, None)
        answer, sent = puts("answer", outbox.ANSWER), puts("sent", outbox.NOTICE)
        outbox.settle(conn, sent, "sent")
        reach.lost(conn, "telegram", "77", "blocked " * 50, NOW)

        rows = {row.id: row for row in conn.execute(sa.select(outbox.outbox))}
        outcomes = {row: rows[row].outcome for row in (notice, officers, answer, sent)}
        assert outcomes == {notice: "failed", officers: "failed", answer: "failed", sent: "sent"}
        assert rows[notice].reason.startswith("blocked") and len(rows[notice].reason) == 200
        assert outbox.due(conn, "web", NOW) == []
        (copy,) = outbox.due(conn, "web", later)
        assert (copy.address, copy.body, copy.priority) == ("w", "notice", outbox.NOTICE)
        assert outbox.cancel(conn, "of notice") == 1, "an undo still stops it"
        reached = conversations.last_used(conn, citizen.id)
        assert reached is not None and reached.account == "web"

        reach.lost(conn, "web", "w", "gone", NOW)
        assert conversations.last_used(conn, citizen.id) is None
        reach.found(conn, "telegram", "77")
        reached = conversations.last_used(conn, citizen.id)
        assert reached is not None and reached.account == "telegram"
