"""/hoso: what the citizen may know, by year, and what they may do about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dialogs.model import Pressed
from storage import assessments, conversations, officers, outbox, reviews
from storage.officers import OfficerRow
from tests.support.world import HONG_GAI, Chat, World


def row_of(world: World, code: str) -> assessments.AssessmentRow:
    with world.read() as conn:
        row = assessments.by_code(conn, code)
    assert row is not None
    return row


def as_officer(world: World, officer: Chat) -> OfficerRow:
    with world.read() as conn:
        chat = conversations.peek(conn, officer.account, officer.address)
        assert chat is not None
        found = officers.of_contact(conn, chat.contact_id)
    assert found is not None
    return found


def decides(
    world: World, officer: Chat, code: str, decision: str, reason: str | None = None, **returned: str
) -> reviews.ReviewRow:
    """A decision as the officer's dialog makes it, without its notices."""
    who, row = as_officer(world, officer), row_of(world, code)
    with world.write() as conn:
        return reviews.decide(
            conn, who, row.id, decision, total=90, reason=reason, returned=returned or None,
            undo_for=timedelta(seconds=60), now=world.now,
        )  # fmt: skip


def test_nothing_of_a_decision_is_seen_while_it_may_be_undone(world: World) -> None:
    citizen, officer = world.citizen().joins(), world.officer()
    code = citizen.submits("tot")
    decides(world, officer, code, "approve")
    citizen.types("/hoso").sees("chờ xét").presses("Rút hồ sơ").presses("withdraw")
    citizen.sees("Cán bộ đang xét hồ sơ này", code).sees_not("đạt")
    assert row_of(world, code).status == "approved"
    world.passes(seconds=60)
    citizen.types("/hoso").sees("Hồ sơ đã đạt")


def test_a_return_cannot_be_mended_or_withdrawn_from_before_it_is_told(world: World) -> None:
    citizen, officer = world.citizen().joins(), world.officer()
    code = citizen.submits("tot")
    citizen.types("/hoso").presses("Rút hồ sơ")
    decides(world, officer, code, "return", A1="Ảnh mờ")
    citizen.presses("withdraw").sees("Cán bộ đang xét hồ sơ này")
    citizen.does(Pressed(f"go:mend:{code}:A1"), screen=None).sees('"chờ xét"').sees_not("Câu 1/10", "Ảnh mờ")
    world.passes(seconds=60)
    citizen.types("/hoso").sees('Cán bộ ghi: "Ảnh mờ"').presses("Sửa câu 1").sees("Câu 1/10")


def test_the_questions_left_open_on_another_phone_tell_no_decision_either(world: World) -> None:
    citizen, officer = world.citizen().joins(), world.officer()
    other = world.citizen()
    citizen.types("/hoso").presses("resume_code")
    start = citizen.read_out().index("TL-")
    other.opens().types(citizen.read_out()[start : start + 22])
    citizen.types("/hoso").answers("tot")
    other.types("/hoso").presses("go_on").sees("Xem lại phiếu")
    citizen.presses("hand_in").presses("submit")
    code = citizen.read_out()[citizen.read_out().index("HS-") :][:13]
    decides(world, officer, code, "approve")
    other.opens().sees('"chờ xét"').sees_not("đạt")


def test_a_withdrawn_dossier_is_told_of_no_more(world: World) -> None:
    citizen, officer = world.citizen().joins(), world.officer()
    code = citizen.submits("tot")
    review = decides(world, officer, code, "return", A1="Ảnh mờ")
    with world.write() as conn:
        outbox.put(
            conn, account=citizen.account, address=citizen.address, contact_id=None, body='{"number": 0, "text": "x"}',
            now=world.now, topic=reviews.topic(review.id), not_before=review.undo_until,
        )  # fmt: skip
    world.passes(seconds=60)
    citizen.types("/hoso").presses("Rút hồ sơ").presses("withdraw").sees("Đã rút hồ sơ")
    assert citizen.hears() == []


def test_an_officers_own_level_is_seen_with_the_decision_only(world: World) -> None:
    citizen, officer = world.citizen().joins(), world.officer()
    code = citizen.submits("tot")
    who = as_officer(world, officer)
    with world.write() as conn:
        reviews.set_level(conn, who, row_of(world, code).id, "A1", "dat", "Chưa có minh chứng", world.now)
    citizen.types("/hoso").sees_not("cán bộ xét mức", "Chưa có minh chứng")
    decides(world, officer, code, "approve")
    citizen.types("/hoso").sees_not("cán bộ xét mức")
    world.passes(seconds=60)
    citizen.types("/hoso").sees("cán bộ xét mức Đạt", "Chưa có minh chứng")


def test_ten_long_reasons_fit_on_a_plain_screen(world: World) -> None:
    citizen, officer = world.citizen().joins(), world.officer()
    code = citizen.submits("tot")
    who, row = as_officer(world, officer), row_of(world, code)
    long = "Ảnh mờ, xin chụp lại giúp cho rõ " * 14
    with world.read() as conn:
        ids = list(assessments.answers_of(conn, row.id))
    assert len(ids) == 10
    decides(world, officer, code, "return", **dict.fromkeys(ids, long))
    world.passes(seconds=60)
    citizen.types("/hoso").sees("Cần bổ sung 10 câu", "Câu 10.", "…")
    assert len(citizen.read_out()) < citizen.capabilities.text_limit
    citizen.presses("Sửa câu 1").sees(long.strip())

    decided = world.citizen().joins()
    code = decided.submits("tot")
    for id in ids:
        with world.write() as conn:
            reviews.set_level(conn, who, row_of(world, code).id, id, "dat", long, world.now)
    decides(world, officer, code, "not_met", reason="Chưa đủ minh chứng")
    world.passes(seconds=60)
    decided.types("/hoso").sees("Câu 10: ", "cán bộ xét mức Đạt")
    assert len(decided.read_out()) < decided.capabilities.text_limit


def test_a_single_reason_is_told_whole(world: World) -> None:
    citizen, officer = world.citizen().joins(), world.officer()
    code = citizen.submits("tot")
    long = ("Ảnh mờ, xin chụp lại giúp cho rõ. " * 14).strip()
    decides(world, officer, code, "return", A1=long)
    world.passes(seconds=60)
    citizen.types("/hoso").sees(long)


def test_a_dossier_that_waits_over_new_year_stays_in_sight(world: World) -> None:
    citizen, officer = world.citizen().joins(), world.officer()
    code = citizen.submits("tot")
    world.now = datetime(2027, 1, 4, 2, tzinfo=UTC)
    citizen.types("/hoso").sees("Hồ sơ năm 2026", code, "chờ xét").presses("Đăng ký năm 2027")
    citizen.sees("Đã đăng ký năm 2027").types("/hoso")
    citizen.sees("Hồ sơ năm 2027", f"Hồ sơ năm trước {code}: chờ xét").sees_not("Đăng ký năm 2027")
    officer = world.officer(name="Lê Quang Bình")
    decides(world, officer, code, "approve")
    citizen.types("/hoso").sees(f"{code}: chờ xét")
    world.passes(seconds=60)
    citizen.types("/hoso").sees(f"{code}: đạt")
    world.passes(days=100)
    citizen.types("/hoso").sees_not(code)


def test_last_years_return_tells_its_reason_but_promises_no_mending(world: World) -> None:
    citizen, officer = world.citizen().joins(), world.officer()
    code = citizen.submits("tot")
    world.now = datetime(2026, 12, 31, 2, tzinfo=UTC)
    decides(world, officer, code, "return", A1="Ảnh mờ")
    world.passes(days=4)
    citizen.types("/hoso").sees("Ảnh mờ", "Việc tự đánh giá năm 2026 đã kết thúc").sees_not("Sửa câu 1", "nộp lại")


def test_last_years_draft_gives_way_to_this_year(world: World) -> None:
    citizen = world.citizen().joins().presses("start").presses("kha")
    world.now = datetime(2027, 10, 5, 2, tzinfo=UTC)
    citizen.presses("kha").sees("Việc tự đánh giá năm 2026 đã kết thúc ngày 30/11/2026")
    citizen.types("/hoso").sees("Năm 2027 ông/bà chưa đăng ký").presses("Đăng ký năm 2027").presses("start")
    citizen.sees("Câu 1/10").presses("kha")
    with world.read() as conn:
        found = conn.exec_driver_sql("select year, status from assessments order by year").fetchall()
    assert [tuple(each) for each in found] == [(2026, "draft"), (2027, "draft")]


def test_a_welcome_of_last_year_starts_nothing(world: World) -> None:
    citizen = world.citizen().joins()
    world.now = datetime(2027, 9, 5, 2, tzinfo=UTC)
    citizen.opens().sees("Việc tự đánh giá năm 2026 đã kết thúc").presses("back").presses("Đăng ký năm 2027")
    with world.read() as conn:
        statuses = conn.exec_driver_sql("select status from assessments where year = 2026").scalars().all()
    assert statuses == ["registered"]


def test_whoever_was_erased_from_another_phone_falls_back_to_home(world: World) -> None:
    officer = world.officer()
    officer.opens(HONG_GAI).presses("yes").presses("agree").types("Trần Thị Hoa").types("1970").presses("skip")
    officer.presses("anh_chi").presses("nong_dan").types("/hoso").presses("resume_code")
    start = officer.read_out().index("TL-")
    phone = world.citizen().opens().types(officer.read_out()[start : start + 22])
    officer.types("/hoso")
    phone.types("/dulieu").presses("ask_erase").presses("erase").presses("erase_all")
    officer.presses("back").sees("Tôi không còn giữ hồ sơ này", "Người xét của Phường Hồng Gai")
