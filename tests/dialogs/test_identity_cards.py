"""An officer marks the picture of an identity card: it goes at once, everywhere, and the citizen is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from storage import (
    assessments,
    audit,
    conversations,
    deletions,
    desks,
    evidence,
    identity_cards,
    officers,
    reviews,
    shown,
    unsaid,
)
from storage.assessments import by_code
from storage.base import Refused
from storage.engine import metadata
from storage.removed import removed
from tests.support.world import Chat, World, content


def rows(world: World, table: sa.Table) -> list[dict[str, Any]]:
    with world.read() as conn:
        return [dict(row._mapping) for row in conn.execute(sa.select(table))]


def with_pictures(world: World, *names: str) -> tuple[Chat, str]:
    """A dossier whose second question has these pictures."""
    citizen = world.citizen().joins().answers("kha").presses("pick").presses("Câu 2:").presses("evidence").sends(*names)
    if citizen.screen.title.startswith("Minh chứng"):
        citizen.presses("done")
    citizen.presses("hand_in").presses("submit").sees("Mã hồ sơ")
    start = citizen.read_out().index("HS-")
    return citizen, citizen.read_out()[start : start + 13]


def opens_second(officer: Chat, code: str) -> Chat:
    return officer.types(code).presses("choose").presses("Câu 2:")


def test_one_picture_is_marked_and_gone_and_the_rest_stays(world: World) -> None:
    citizen, code = with_pictures(world, "card", "class")
    officer = opens_second(world.officer(), code)
    before = rows(world, evidence.evidence)
    officer.presses("card").sees("Ảnh nào là ảnh căn cước?").presses("Ảnh 1/2").sees("Nếu đúng, tôi xóa ngay")
    assert rows(world, evidence.evidence) == before  # nothing is done unconfirmed
    assert [picture.key for picture in officer.screen.pictures] == [content("card")]
    officer.presses("delete").sees("Đã xóa ảnh căn cước ở câu 2", "Câu 2/10", "Đã xóa 1 ảnh căn cước")
    assert [picture.key for picture in officer.screen.pictures] == [content("class")]
    gone = [row["id"] for row in before if row["key"] == content("card")]
    assert [row["id"] for row in rows(world, evidence.evidence)] == [
        row["id"] for row in before if row["id"] not in gone
    ]
    assert content("card") not in json.dumps(rows(world, evidence.uploads), default=str)
    assert content("card") in [row["key"] for row in rows(world, deletions.deletions)]
    assert [(row["why"], row["pictures"]) for row in rows(world, removed)] == [("id_card", 1)]
    (line,) = (row for row in rows(world, audit.audit) if row["action"] == "evidence.id_card")
    assert line["actor"].startswith("officer:") and json.loads(line["details"])["pieces"] == 1
    citizen.heard("Ở câu 2 của hồ sơ " + code)
    assert "giấy chứng nhận" in citizen.read_out(citizen.notices[-1])
    world.recounted()


def test_one_press_never_deletes(world: World) -> None:
    _citizen, code = with_pictures(world, "card")
    officer = opens_second(world.officer(), code).presses("card").sees("Nếu đúng, tôi xóa ngay")
    officer.types("1").sees("Câu 2/10")  # "keep" stands first
    assert content("card") in [row["key"] for row in rows(world, evidence.evidence)]


def test_the_same_picture_of_somebody_else_stays(world: World) -> None:
    with_pictures(world, "card")
    _citizen, code = with_pictures(world, "card")
    opens_second(world.officer(), code).presses("card").presses("delete")
    assert [row["key"] for row in rows(world, evidence.evidence)].count(content("card")) == 1
    assert len(rows(world, evidence.uploads)) == 1
    with world.write() as conn:
        assert evidence.claim_deletions(conn, world.now) == []


def test_a_colleague_who_was_faster_is_no_error(world: World) -> None:
    _citizen, code = with_pictures(world, "card")
    first, second = world.officer(), world.officer(name="Lê Thị Minh")
    for officer in (first, second):
        opens_second(officer, code).presses("card")
    first.presses("delete")
    second.presses("delete").sees("không còn nữa")


def test_the_history_and_other_desks_lose_it_too(world: World) -> None:
    citizen, code = with_pictures(world, "card")
    first, second = world.officer(), world.officer(name="Lê Thị Minh")
    for officer in (first, second):
        opens_second(officer, code)
    with world.write() as conn:
        chat = conversations.open_chat(conn, citizen.account, citizen.address)
        assert chat is not None
        said = json.dumps({"text": "đây ạ", "pictures": [[content("card"), ""], [content("other"), ""]]})
        conversations.keep_message(conn, chat.contact_id, "in", said, world.now)
        shown.keep(conn, second.account, second.address, shown.Shown(1, 70, 71, (71,), protected=True))
    first.presses("card").presses("delete")
    (line,) = rows(world, conversations.messages)[-1:]
    assert json.loads(line["body"]) == {"text": "đây ạ", "pictures": [[content("other"), ""]]}
    assert [(row["address"], row["message_ids"]) for row in rows(world, unsaid.unsaid)] == [(second.address, "71")]


def test_in_a_decided_dossier_it_can_be_marked_as_well(world: World) -> None:
    _citizen, code = with_pictures(world, "card")
    first, second = world.officer(), world.officer(name="Lê Thị Minh")
    first.types(f"/duyet {code}").presses("approve")
    second.types(code).presses("look").presses("choose").presses("Câu 2:").presses("card").presses("delete")
    second.sees("Đã xóa ảnh căn cước").sees_not("Mức khác")
    with world.read() as conn:
        row = by_code(conn, code)
        assert row is not None and row.status == "approved"
        last = reviews.last(conn, row.id)
        assert last is not None and last.undone_at is None


def test_people_are_asked_to_send_none_until_the_first_piece(world: World) -> None:
    citizen = world.citizen().opens("DV06685K").presses("yes").sees("Xin đừng gửi ảnh căn cước")
    citizen.presses("agree").types("Nguyễn Thị Mận").types("1957").presses("skip").presses("ong_ba").presses("nong_dan")
    citizen.types("/help").sees("Xin đừng gửi ảnh căn cước").presses("back").presses("start")
    citizen.presses("kha").presses("evidence").sees("Xin đừng gửi ảnh căn cước").sends("class")
    while "evidence" not in [choice.id for choice in citizen.screen.choices]:
        citizen.presses("kha")
    citizen.presses("evidence").sees("Minh chứng").sees_not("đừng gửi ảnh căn cước")


def test_who_only_supervises_marks_none(world: World) -> None:
    _citizen, code = with_pictures(world, "card")
    with world.read() as conn:
        row = by_code(conn, code)
    assert row is not None
    piece = rows(world, evidence.evidence)[0]["id"]
    officer = opens_second(world.officer("22", "supervisor"), code)
    assert "card" not in [choice.id for choice in officer.screen.choices]
    with world.write() as conn:
        chat = conversations.open_chat(conn, officer.account, officer.address)
        assert chat is not None
        supervisor = officers.of_contact(conn, chat.contact_id)
        assert supervisor is not None
        with pytest.raises(Refused, match="out_of_scope"):
            identity_cards.remove(conn, supervisor, row.id, piece, world.now)
    assert content("card") in [row["key"] for row in rows(world, evidence.evidence)]


def test_desks_with_last_year_s_dossier_lose_it_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _citizen, code = with_pictures(world, "card")
    officer = opens_second(world.officer(), code).presses("card")
    with world.write() as conn:
        row = by_code(conn, code)
        assert row is not None
        before = assessments.assessments
        (given,) = conn.execute(sa.select(before)).mappings().all()
        earlier = {**given, "id": row.id + 1, "code": "HS-2025-OLD22", "year": row.year - 1, "status": "withdrawn"}
        conn.execute(sa.insert(before).values(earlier))
        card = sa.select(evidence.evidence).where(evidence.evidence.c.key == content("card"))
        (piece,) = conn.execute(card).mappings().all()
        conn.execute(sa.insert(evidence.evidence).values({**piece, "id": piece["id"] + 9, "assessment_id": row.id + 1}))
    cleared: list[int] = []
    monkeypatch.setattr(desks, "take_pictures_away", lambda _conn, each, *_rest: cleared.append(each.id))
    officer.presses("delete").sees("Đã xóa ảnh căn cước")
    assert cleared == [row.id, row.id + 1]


def test_nobody_deletes_in_another_commune(world: World) -> None:
    _citizen, code = with_pictures(world, "card")
    officer = opens_second(world.officer(), code).presses("card")
    with world.write() as conn:
        conn.execute(sa.update(metadata.tables["officer_roles"]).values(until=world.now))
    officer.presses("delete")
    assert content("card") in [row["key"] for row in rows(world, evidence.evidence)]


@pytest.mark.parametrize("ground", ["full"], indirect=True)
def test_without_pictures_there_is_nothing_to_mark(world: World) -> None:
    _citizen, code = with_pictures(world, "card")
    officer = world.officer().types(code).presses("choose").presses("Câu 1:")
    assert "card" not in [choice.id for choice in officer.screen.choices]
