"""The officers' desk: queue, dossier, decisions, undo, and what the citizen hears of it."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from dialogs import places
from dialogs.model import Pressed
from storage import assessments, audit, codes, conversations, erasure, officers, people, reviews, seasons, units
from storage.base import Connection
from storage.reviews import last
from tests.support.world import Chat, World

BLURRED = "Ảnh mờ, xin chụp lại"


def dossier(world: World, levels: str = "tot", **who: str) -> tuple[Chat, str]:
    """A citizen who has handed in a minute ago, and the code. "tot" gives 100 points, "kha" 80 and "dat" 50."""
    citizen = world.citizen().joins(**who)
    code = citizen.submits(levels)
    world.passes(minutes=1)
    return citizen, code


def unconfirmed(world: World) -> Chat:
    """A citizen who has handed in and asks the chi hội to confirm what it can."""
    citizen = world.citizen().joins().presses("start")
    for _n in range(10):
        citizen.presses("tot")
        if citizen.screen.title.startswith("Minh chứng"):
            asks = "Nhờ chi hội xác nhận" in citizen.read_out()
            citizen.presses("confirmation") if asks else citizen.types("Có dự lớp học cộng đồng")
    return citizen.presses("hand_in").presses("submit")


def bai_chay(world: World) -> units.UnitRow:
    """Another commune of the same province."""
    with world.read() as conn:
        return units.search(conn, "Phường Bãi Cháy, Quảng Ninh", 1)[0].unit


def status(world: World, code: str) -> str:
    with world.read() as conn:
        row = assessments.by_code(conn, code)
        assert row is not None
        return row.status


def returned(officer: Chat, code: str, *indicators: str) -> Chat:
    """The officer returns questions, each with the first template."""
    officer.types(f"/tralai {code}")
    for indicator in indicators:
        officer.presses(f"mark:{indicator}")
    officer.presses("reasons")
    for _indicator in indicators:
        officer.presses(BLURRED)
    return officer.presses("return").sees("Đã ghi: trả lại")


# ------------------------------------------------------------------------------------------ the queue


def test_the_queue_says_what_is_overdue_as_the_morning_line_and_reports_do(world: World) -> None:
    """By five days where nobody has said, and below a province by each unit's own."""
    officer, above = world.officer(), world.officer("22", "reviewer", "Lê Quang Bình")
    dossier(world)
    world.passes(days=9)
    dossier(world, name="Nguyễn Văn B")
    officer.types("/queue").sees("Có 2 hồ sơ chờ xét", "Trong đó 1 hồ sơ đã quá 5 ngày làm việc")
    above.types("/queue").sees("Trong đó 1 hồ sơ đã quá 5 ngày làm việc")
    with world.write() as conn:
        units.set_setting(conn, "06685", "service_days", 10, "test", world.now)
    officer.types("/queue").sees("Có 2 hồ sơ chờ xét").sees_not("Trong đó")
    above.types("/queue").sees("Có 2 hồ sơ chờ xét").sees_not("Trong đó")
    world.passes(days=7)
    officer.types("/queue").sees("Trong đó 1 hồ sơ đã quá 10 ngày làm việc")
    above.types("/queue").sees("Trong đó 1 hồ sơ đã quá hạn xét")


def test_the_queue_is_oldest_first_with_counts_and_pages(world: World) -> None:
    officer = world.officer()
    officer.types("/queue").sees("Hiện không có hồ sơ nào chờ xét")
    with world.write() as conn:
        units.set_setting(conn, "06685", "service_days", 5, "test", world.now)
    names = [f"Nguyễn Văn {letter}" for letter in "ABCDEFGHIK"]
    for name in names:
        dossier(world, name=name)
        world.passes(days=1)
    officer.types("/hangdoi").sees("Có 10 hồ sơ chờ xét", "Trang 1/2", f"{names[0]}, chờ 10 ngày", names[7])
    # From Monday 5 October one a day; now it is Thursday the 15th, and five working days ago was Thursday the 8th,
    # whose own dossier has not waited longer.
    officer.sees("Trong đó 3 hồ sơ đã quá 5 ngày làm việc")
    officer.sees_not(names[8], "Phường Hồng Gai")
    officer.presses("Trang sau").sees(names[8], names[9], "Trang 2/2").sees_not(names[7])
    officer.presses("Trang trước").sees(names[0])
    officer.presses(names[0]).sees(names[0]).presses("following").sees(names[1])
    world.recounted()


def test_next_goes_round_and_skips_the_officers_own(world: World) -> None:
    dossier(world, name="Trần Văn Đầu")
    officer = world.officer()
    world.passes(minutes=1)
    # The officer is a citizen too, in the same chat.
    officer.joins(name="Trần Thị Hoa").submits("tot")
    world.passes(minutes=1)
    dossier(world, name="Phạm Văn Ba")
    officer.types("/queue").presses("Trần Văn Đầu").presses("following").sees("Phạm Văn Ba")
    officer.presses("following").sees("Trần Văn Đầu")


def test_a_supervisor_sees_unopened_queues_and_may_decide(world: World) -> None:
    _citizen, code = dossier(world, name="Lê Văn Một")
    supervisor = world.officer("22", "supervisor", "Vũ Văn Tỉnh")
    supervisor.types("/queue").sees("Lê Văn Một, Phường Hồng Gai, nộp hôm nay").sees_not("chưa ai mở")
    world.passes(days=6)
    dossier(world, name="Lê Văn Hai")
    supervisor.types("/queue").sees("Phường Hồng Gai: 1 hồ sơ chưa ai mở, lâu nhất 6 ngày")
    supervisor.presses("Mở hàng đợi Phường Hồng Gai").sees("Hàng đợi của Phường Hồng Gai", "Có 2 hồ sơ")
    supervisor.presses("Lê Văn Một").presses("approve").presses("approve").sees("đạt, 100/100 điểm")
    assert status(world, code) == "approved"
    supervisor.presses("Hồ sơ tiếp theo").sees("Lê Văn Hai")
    supervisor.types("/queue").sees_not("chưa ai mở")
    world.recounted()


def test_a_reviewer_is_not_told_of_unopened_queues(world: World) -> None:
    dossier(world)
    reviewer = world.officer("22", "reviewer")
    world.passes(days=6)
    reviewer.types("/queue").sees("Phường Hồng Gai, chờ 6 ngày").sees_not("chưa ai mở")


def test_helping_from_above_stays_in_the_queue_that_was_opened(world: World) -> None:
    dossier(world, name="Lê Văn Một")
    world.passes(minutes=1)
    elsewhere = codes.UnitCode(codes.VINTAGE_2025, bai_chay(world).code)
    dossier(world, payload=codes.payload(elsewhere), name="Lê Văn Hai")
    world.passes(minutes=1)
    dossier(world, name="Lê Văn Ba")
    supervisor = world.officer("22", "supervisor")
    supervisor.types("/queue").presses("Lê Văn Một").presses("following").sees("Lê Văn Ba")
    reviewer = world.officer("22", "reviewer")
    reviewer.types("/queue").presses("Lê Văn Một").presses("following").sees("Lê Văn Hai")


# ------------------------------------------------------------------------------------------ reading


def test_a_dossier_question_by_question(world: World) -> None:
    citizen = world.citizen().joins(phone="0912345678").presses("start")
    citizen.presses("tot").presses("tot").sends("giay.jpg", caption="Giấy chứng nhận lớp tin học")
    officer = world.officer()
    for _n in range(8):
        citizen.presses("tot")
        if citizen.screen.title.startswith("Minh chứng"):
            citizen.types("Có dự lớp học cộng đồng")
    citizen.presses("hand_in").presses("submit").sees("Mã hồ sơ")
    officer.types("/queue").presses("Nguyễn Văn Hùng")
    officer.sees(
        "sinh năm 1957", "Nông dân", "Phường Hồng Gai", "0912345678", "9:00 ngày 05/10/2026", "100/100", "(1 ảnh)"
    )
    officer.presses("read").sees("Câu 1/10", "Công dân chọn", "Không có minh chứng", "Ông/bà")
    officer.presses("next").sees("Câu 2/10", "1 ảnh")
    assert [picture.caption for picture in officer.screen.pictures] == ["Giấy chứng nhận lớp tin học"]
    officer.presses("next").sees("Có dự lớp học cộng đồng").presses("previous").sees("Câu 2/10")
    officer.presses("back").presses("choose").presses("Câu 10").sees("Câu 10/10").sees_not("Câu sau")
    officer.presses("back").sees("Xem từng câu")


def test_every_opening_is_written_down_and_a_look_again_is_not(world: World) -> None:
    dossier(world)
    officer = world.officer()
    officer.types("/queue").presses("Nguyễn").presses("read").presses("next").opens()

    def reads() -> int:
        with world.read() as conn:
            found = conn.execute(audit.audit.select().where(audit.audit.c.action == "dossier.read"))
            return len(found.all())

    assert reads() == 1
    officer.types("/queue").presses("Nguyễn")
    assert reads() == 2


def test_long_evidence_is_read_in_parts(world: World) -> None:
    citizen = world.citizen().joins().presses("start").presses("evidence")
    words = ["một", "hai", "ba"]
    for n in range(3):
        citizen.types(f"{words[n]} " * 300 + f"hết {words[n]}")
        if n < 2:
            citizen.presses("Kèm minh chứng")
    citizen.presses("tot")
    for _n in range(9):
        citizen.presses("tot")
        if citizen.screen.title.startswith("Minh chứng"):
            citizen.types("Có dự lớp học cộng đồng")
    citizen.presses("hand_in").presses("submit")
    officer = world.officer()
    officer.types("/queue").presses("Nguyễn").presses("read")
    seen = ""
    for _n in range(10):
        assert len(officer.read_out()) <= officer.capabilities.text_limit
        seen += officer.screen.text
        if "Đọc tiếp" not in officer.read_out():
            break
        officer.presses("Đọc tiếp")
    assert all(f"hết {word}" in seen for word in words)
    officer.presses("next").sees("Câu 2/10")


def test_officers_are_colleagues_and_citizens_keep_their_own_address(world: World) -> None:
    dossier(world, form="ban", year="2001")
    officer = world.officer()
    officer.types("xyz").sees("anh/chị").sees_not("ông/bà")
    officer.types("/queue").presses("Nguyễn").presses("read").sees("Bạn").sees_not("ng/bà")


# ------------------------------------------------------------------------------------------ deciding


def test_approved_and_told_only_after_the_time_to_undo(world: World) -> None:
    citizen, code = dossier(world)
    officer = world.officer()
    officer.types("/queue").presses("Nguyễn").presses("Đạt").sees("Đạt, 100 điểm").presses("approve")
    officer.sees(f"hồ sơ {code} (Nguyễn Văn Hùng) đạt, 100/100 điểm", "60 giây")
    assert status(world, code) == "approved"
    world.passes(seconds=59)
    assert citizen.hears() == []
    citizen.types("/hoso").sees("chờ xét")
    world.passes(seconds=2)
    citizen.heard(f"Chúc mừng ông/bà! Hồ sơ {code} đã đạt với 100/100 điểm. Phường Hồng Gai")
    citizen.types("/hoso").sees("đã đạt với 100/100")
    world.recounted()


@pytest.mark.parametrize("by", ["undo", "/hoantac", "/undo"])
def test_undone_in_time_nobody_is_told(world: World, by: str) -> None:
    citizen, code = dossier(world)
    officer = world.officer()
    officer.types(f"/duyet {code}").presses("approve")
    world.passes(seconds=59)
    officer.presses(by) if by == "undo" else officer.types(by)
    officer.sees("Đã hoàn tác", code, "Xem từng câu")
    assert status(world, code) == "submitted"
    world.recounted()
    world.passes(minutes=5)
    assert citizen.hears() == []
    officer.types("/hoantac").sees("chưa có quyết định nào")
    returned(officer, code, "B2")
    world.recounted()


def test_a_return_undone_opens_no_question(world: World) -> None:
    citizen, code = dossier(world)
    officer = world.officer()
    returned(officer, code, "B2", "C1").presses("undo").sees("Đã hoàn tác")
    citizen.types("/hoso").sees("chờ xét").sees_not("Sửa câu")
    with world.read() as conn:
        row = assessments.by_code(conn, code)
        assert row is not None
        assert all(each.return_reason is None for each in assessments.answers_of(conn, row.id).values())
    world.recounted()


@pytest.mark.parametrize("by", ["undo", "/hoantac"])
def test_too_late_to_undo(world: World, by: str) -> None:
    citizen, code = dossier(world)
    officer = world.officer()
    officer.types(f"/duyet {code}").presses("approve")
    world.passes(seconds=61)
    officer.presses(by) if by == "undo" else officer.types(by)
    officer.sees("Đã quá thời gian hoàn tác")
    assert status(world, code) == "approved"
    citizen.heard("Chúc mừng")


def test_the_time_to_undo_ends_at_the_moment_the_citizen_is_told(world: World) -> None:
    citizen, code = dossier(world)
    officer = world.officer()
    officer.types(f"/duyet {code}").presses("approve")
    world.passes(seconds=60)
    citizen.heard("Chúc mừng")
    officer.presses("undo").sees("Đã quá thời gian hoàn tác")
    assert status(world, code) == "approved"


def test_who_has_been_told_by_a_clock_ahead_stays_told(world: World) -> None:
    citizen, code = dossier(world)
    officer = world.officer()
    officer.types(f"/duyet {code}").presses("approve")
    world.passes(seconds=60)
    citizen.heard("Chúc mừng")
    world.passes(seconds=-5)
    officer.presses("undo").sees("Đã quá thời gian hoàn tác")
    assert status(world, code) == "approved"


def test_the_command_to_undo_takes_nothing_older_back_unasked(world: World) -> None:
    (_one, first), (_other, second) = dossier(world, name="Trần Văn Đầu"), dossier(world, name="Phạm Văn Ba")
    officer = world.officer()
    officer.types(f"/duyet {first}").presses("approve").types(f"/duyet {second}").presses("approve")
    officer.types("/hoantac").sees("Đã hoàn tác", second)
    officer.types("/hoantac").sees("Quyết định mới nhất đã hoàn tác rồi", first)
    assert status(world, first) == "approved"
    officer.presses("undo").sees("Đã hoàn tác", first)
    assert status(world, first) == "submitted"
    world.recounted()


def test_below_the_threshold_cannot_be_approved(world: World) -> None:
    with world.write() as conn:
        units.set_setting(conn, "06685", "contact_name", "bà Lan", "test", world.now)
        units.set_setting(conn, "06685", "contact_phone", "0203 382 5555", "test", world.now)
    citizen, code = dossier(world, "dat")
    officer = world.officer()
    officer.types(f"/approve {code}").sees("tổng điểm còn thiếu 30", "chưa đạt được")
    assert "approve" not in [choice.id for choice in officer.screen.choices]
    officer.does(Pressed("approve"))
    assert status(world, code) == "submitted"
    officer.presses("Chưa đạt").sees("Vì sao chưa đạt?").types("a").sees("rõ hơn")
    officer.types("x" * 501).sees("quá 500 ký tự")
    officer.presses("Tổng 50 điểm, chưa đủ 80 điểm").sees("50/100", "Tổng 50 điểm")
    officer.presses("Sửa lý do").types("Năm nay mới tham gia được ít buổi học").presses("not_met")
    officer.sees("chưa đạt, 50/100 điểm")
    world.passes(seconds=61)
    citizen.heard("chưa đạt (50/100 điểm)")
    told = citizen.read_out(citizen.notices[-1])
    for text in ("tổng điểm còn thiếu 30", "mới tham gia được ít", "bà Lan, 0203 382 5555", "Đợt sau mời ông/bà"):
        assert text in told
    assert status(world, code) == "not_met"
    world.recounted()


def test_one_question_below_five_is_named(world: World) -> None:
    _citizen, code = dossier(world)
    officer = world.officer()
    officer.types(code).presses("choose").presses("Câu 9").presses("level").presses("level:khong")
    officer.presses("why:checked").sees("Tổng điểm nay là 90")
    officer.types("/duyet").sees("câu 9 dưới 5 điểm").presses("not_met").sees("Có chỉ số dưới 5 điểm: câu 9")
    officer.sees_not("chưa đủ 80 điểm")


def test_an_officers_level_counts_and_is_shown_to_the_citizen(world: World) -> None:
    citizen, code = dossier(world, "kha")
    officer = world.officer()
    officer.types(code).sees("80/100", "Đủ điều kiện đạt")
    officer.presses("choose").presses("Câu 3").presses("Mức khác").presses("level:tot").presses("why:evidence")
    officer.sees("Tổng điểm nay là 82", "Cán bộ xét: Từ 6 buổi trở lên (Tốt, 10 điểm)")
    officer.presses("back").sees("công dân tự chấm 80/100, cán bộ xét 82/100", "Khá, cán bộ xét Tốt")
    officer.presses("choose").presses("Câu 3").presses("Mức khác").presses("Theo mức công dân chọn").sees("nay là 80")
    officer.presses("Mức khác").presses("level:dat").types("Giấy mời chỉ có hai buổi").sees("nay là 77")
    officer.presses("back").sees("tổng điểm còn thiếu 3").presses("not_met").presses("why:total").presses("not_met")
    world.passes(seconds=61)
    citizen.heard("mức khác ở câu 3")
    citizen.types("/hoso").sees("ông/bà chọn mức Khá, cán bộ xét mức Đạt. Lý do: Giấy mời chỉ có hai buổi")
    world.recounted()


def test_a_total_that_changed_meanwhile_is_shown_before_it_is_approved(world: World) -> None:
    _citizen, code = dossier(world)
    one, other = world.officer(name="Hoa"), world.officer(name="Minh")
    one.types(f"/duyet {code}").sees("Đạt, 100 điểm")
    other.types(code).presses("read").presses("level").presses("level:dat").presses("why:checked")
    one.presses("approve").sees("Tổng điểm vừa thay đổi", "Đạt, 95 điểm")
    assert status(world, code) == "submitted"
    one.presses("approve").sees("đạt, 95/100 điểm")


@pytest.mark.parametrize("decision", ["approve", "not_met"])
def test_a_level_given_while_it_is_decided_is_shown_first(
    world: World, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    _citizen, code = dossier(world)
    one, other = world.officer(name="Hoa"), world.officer(name="Minh")
    one.types(f"/duyet {code}" if decision == "approve" else f"/chuadat {code}")
    if decision == "not_met":
        one.presses("why:checked").sees("100/100")
    with world.read() as conn:
        contact = conversations.peek(conn, other.account, other.address)
        assert contact is not None
        colleague = officers.of_contact(conn, contact.contact_id)
        assert colleague is not None
    lock = assessments.locked
    levels = iter(["dat"])

    def late(conn: Connection, assessment_id: int) -> assessments.AssessmentRow:
        """The colleague's turn commits after this turn has read the dossier and before it holds its lock."""
        for level in levels:
            reviews.set_level(conn, colleague, assessment_id, "A1", level, "Chỉ có một buổi", world.now)
        return lock(conn, assessment_id)

    monkeypatch.setattr(assessments, "locked", late)
    one.presses(decision).sees("Tổng điểm vừa thay đổi")
    assert status(world, code) == "submitted"
    if decision == "not_met":
        one.presses("why:checked")
    one.sees("95").presses(decision).sees("Đã ghi", "95/100")
    world.recounted()


def test_a_reason_is_asked_anew_where_the_total_changed(world: World) -> None:
    _citizen, code = dossier(world, "dat")
    one, other = world.officer(name="Hoa"), world.officer(name="Minh")
    one.types(f"/chuadat {code}").presses("why:total").sees("Tổng 50 điểm")
    other.types(code).presses("read").presses("level").presses("level:tot").presses("why:checked")
    one.presses("not_met").sees("Tổng điểm vừa thay đổi", "Vì sao chưa đạt?", "Tổng 55 điểm")
    assert status(world, code) == "submitted"


def test_confirmations_are_settled_or_knowingly_left(world: World) -> None:
    unconfirmed(world)
    officer = world.officer()
    officer.types("/duyet").sees("Còn chờ xác nhận: câu 3", "Duyệt dù chưa xác nhận").presses("Mở câu 3")
    officer.sees("Công dân nhờ chi hội xác nhận").presses("Không xác nhận").sees("Đã ghi không xác nhận câu 3")
    officer.sees("chưa có minh chứng hợp lệ").presses("back").sees("Chưa có minh chứng cho mức đã chọn: câu 3")
    officer.presses("choose").presses("Câu 3").presses("Xác nhận").sees("Đã xác nhận câu 3", "Chi hội đã xác nhận")
    officer.types("/duyet").sees_not("câu 3,").presses("Duyệt dù chưa xác nhận").sees("đạt, 100/100")
    world.recounted()


# ------------------------------------------------------------------------------------------ returning


def test_what_a_declined_confirmation_leaves_unproved_is_returned_with_the_rest(world: World) -> None:
    citizen = unconfirmed(world)
    officer = world.officer()
    officer.types("/duyet").presses("Mở câu 3").presses("Không xác nhận").presses("back")
    officer.presses("return").sees("☑ Câu 3", "Chưa có minh chứng cho mức đã chọn: câu 3").sees_not("☑ Câu 1:")
    officer.presses("mark:A1").presses("reasons").presses(BLURRED).presses("Thiếu minh chứng").presses("return")
    world.passes(seconds=61)
    citizen.heard("cần bổ sung 2 câu").types("/hoso").sees("Sửa câu 1", "Sửa câu 3")


def test_many_long_reasons_fit_a_plain_message(world: World) -> None:
    citizen, code = dossier(world)
    officer = world.officer().types(f"/tralai {code}")
    ids = [choice.id for choice in officer.screen.choices if choice.id.startswith("mark:")]
    for each in ids:
        officer.presses(each)
    officer.presses("reasons")
    for _n in ids:
        officer.types("Ảnh chụp mờ, xin chụp lại cho rõ " * 15)
    assert len(officer.read_out()) <= 2000
    officer.presses("return")
    world.passes(seconds=61)
    citizen.heard("Ảnh chụp mờ")
    assert len(citizen.read_out(citizen.notices[-1])) <= 2000


def test_one_long_reason_is_told_whole(world: World) -> None:
    citizen, code = dossier(world)
    reason = "Ảnh chụp mờ, xin chụp lại cho rõ " * 14 + "hết"
    officer = world.officer().types(f"/tralai {code}").presses("mark:A1").presses("reasons").types(reason)
    officer.sees(reason).presses("return")
    world.passes(seconds=61)
    citizen.heard(reason)


def test_only_the_returned_question_reopens(world: World) -> None:
    citizen, code = dossier(world)
    officer = world.officer()
    officer.types("/queue").presses("Nguyễn").presses("choose").presses("Câu 6").presses("Trả lại câu này")
    officer.presses("back").sees("sẽ trả lại").presses("return").presses("Ghi lý do").presses(BLURRED)
    officer.sees("Câu 6", BLURRED).presses("Trả lại hồ sơ").sees("trả lại hồ sơ")
    assert status(world, code) == "returned"
    world.passes(seconds=61)
    citizen.heard(f"Hồ sơ {code} của ông/bà cần bổ sung một câu")
    notice = citizen.notices[-1]
    assert [choice.id for choice in notice.choices] == [f"go:mend:{code}:B2"]
    citizen.does(Pressed(notice.choices[0].id)).sees("Câu 6/10", BLURRED)
    citizen.presses("kha").presses("hand_in").presses("submit").sees("chờ xét")
    officer.types(code).sees("Khá, 8 điểm (1 đoạn viết) — đã sửa").presses("Mở câu 6")
    officer.sees("Đã sửa sau lần trả lại", BLURRED).presses("next").sees_not("Đã sửa")
    assert officer.presses("back").read_out().count("đã sửa") == 1
    world.recounted()


def test_a_returned_question_left_as_it_was_is_told(world: World) -> None:
    citizen, code = dossier(world)
    officer = world.officer()
    returned(officer, code, "B2")
    world.passes(minutes=2)
    citizen.types("/hoso").presses("go_on").presses("next").presses("hand_in").presses("submit")
    officer.types(code).sees_not("đã sửa").presses("choose").presses("Câu 6").sees("Công dân chưa sửa câu này", BLURRED)


def test_after_a_new_start_not_everything_counts_as_mended(world: World) -> None:
    citizen, code = dossier(world)
    officer = world.officer()
    returned(officer, code, "B2")
    world.passes(minutes=2)
    citizen.types("/hoso").presses("ask_withdraw").presses("withdraw")
    citizen.submits("kha")
    officer.types(code).sees("80/100")
    assert officer.read_out().count("đã sửa") == 1


def test_several_questions_each_with_its_reason(world: World) -> None:
    citizen, code = dossier(world)
    officer = world.officer()
    officer.types(f"/return {code}").presses("mark:C1").presses("mark:A1").presses("mark:B1").presses("mark:B1")
    officer.presses("reasons").sees("Câu 1:").types("Xin kể rõ đọc sách gì").sees("Câu 9:")
    officer.presses("back").sees("Câu 1:").types("Xin kể rõ đọc báo nào").presses("Xin ghi rõ hơn")
    officer.sees("đọc báo nào", "Xin ghi rõ hơn").sees_not("sách gì").presses("return")
    world.passes(seconds=61)
    citizen.heard("cần bổ sung 2 câu")
    assert [choice.label for choice in citizen.notices[-1].choices] == ["Sửa câu 1", "Sửa câu 9"]


def test_templates_reach_the_citizen_in_their_language(world: World) -> None:
    citizen, code = dossier(world)
    with world.write() as conn:
        chat = conversations.open_chat(conn, citizen.account, citizen.address)
        assert chat is not None
        conversations.set_language(conn, chat.contact_id, "en")
    officer = world.officer()
    officer.types(f"/tralai {code}").presses("mark:A1").presses("reasons").presses(BLURRED)
    officer.sees("The picture is blurred").presses("return").sees("Đã ghi")
    world.passes(seconds=61)
    citizen.heard("The picture is blurred")


def test_where_a_chapter_has_no_officers_those_above_it_are_told(world: World) -> None:
    with world.write() as conn:
        chapter = units.add_association_unit(conn, "06685", "Chi hội khu 3", "chi_hoi", "test", world.now)
    officer, above = world.officer(), world.officer("22", "supervisor", "Vũ Văn Tỉnh")
    citizen, code = dossier(world, payload=codes.payload(codes.UnitCode(codes.VINTAGE_2025, chapter.code)))
    citizen.types("/hoso").presses("ask_withdraw").presses("withdraw")
    officer.heard(code)
    assert above.hears() == []


# ------------------------------------------------------------------------------------------ who may, and who was first


def test_two_officers_at_once_one_decision(world: World) -> None:
    citizen, code = dossier(world)
    world.passes(minutes=1)
    _other, following = dossier(world, name="Phạm Văn Ba")
    one, other = world.officer(name="Hoa"), world.officer(name="Minh")
    one.types(f"/duyet {code}")
    other.types(code).presses("not_met").presses("why:checked").sees("Đã xác minh thực tế")
    one.presses("approve").sees("đạt, 100/100")
    # On a channel without buttons the number of "Chưa đạt" is now that of another choice.
    other.presses("not_met").sees("Hoa vừa xét: đạt, lúc 9:03")
    assert status(world, code) == "approved"
    if other.capabilities.buttons:
        other.presses("Hồ sơ tiếp theo")
    other.sees("Phạm Văn Ba", following, f"Hồ sơ {code} Hoa vừa xét")
    with world.read() as conn:
        row = assessments.by_code(conn, code)
        assert row is not None
        decided = last(conn, row.id)
    assert decided is not None and decided.officer_name == "Hoa"
    world.passes(seconds=61)
    assert len(citizen.hears()) == 1
    world.recounted()


def test_who_decided_is_told_days_later_and_the_dossier_can_be_read(world: World) -> None:
    _citizen, code = dossier(world)
    one, other = world.officer(name="Hoa"), world.officer(name="Minh")
    one.types(f"/duyet {code}").presses("approve")
    world.passes(days=3)
    other.types(f"/approve {code}").sees("Hoa đã xét: đạt, lúc 9:01 ngày 05/10/2026").presses("Xem hồ sơ")
    other.sees("Hoa đã xét", "100/100", "Xem từng câu").sees_not("[Đạt]", "[Chưa đạt]", "Trả lại")
    other.presses("read").sees("Câu 1/10").sees_not("Mức khác", "Trả lại câu này").presses("back").sees("Hoa đã xét")
    one.types(code).sees("Anh/chị đã xét").sees_not("Hoàn tác")


def test_nobody_decides_their_own(world: World) -> None:
    officer = world.officer()
    code = officer.joins(name="Trần Thị Hoa").submits("tot")
    for command in ("/duyet", "/tralai", "/chuadat"):
        officer.types(f"{command} {code}").sees(f"Hồ sơ {code} là của chính ông/bà")
    officer.types("/queue").presses("Trần Thị Hoa").sees("là của chính").sees_not("[Đạt]")
    officer.types(code).sees("Mã hồ sơ")
    officer.types("/duyet").sees("Hàng đợi")
    assert status(world, code) == "submitted"


def test_a_resume_code_on_the_officers_phone_makes_it_their_own(world: World) -> None:
    citizen, code = dossier(world, name="Trần Thị Hoa")
    officer = world.officer()
    officer.types(f"/duyet {code}").sees("cùng họ tên với anh/chị").sees_not("là của chính")
    with world.write() as conn:
        chat = conversations.peek(conn, citizen.account, citizen.address)
        assert chat is not None and chat.person is not None
        resume = people.new_resume_code(conn, chat.person.id, world.now)
    officer.types(resume)
    officer.types(f"/duyet {code}").sees("là của chính")
    assert status(world, code) == "submitted"


def test_another_name_is_no_namesake(world: World) -> None:
    dossier(world)
    world.officer().types("/duyet").sees("Nguyễn Văn Hùng").sees_not("cùng họ tên")


def test_who_comes_back_on_another_phone_is_still_the_same_human(world: World) -> None:
    with world.write() as conn:
        place = units.by_code(conn, "06685")
        assert place is not None
        invite = officers.invite(conn, place.id, "reviewer", world.now, "test", "Cán bộ Hội")
    first = world.chat(profile="web").opens(codes.payload(invite)).presses("accept")
    code = first.joins(name="Trần Thị Hoa").submits("tot")
    with world.write() as conn:
        (officer_id,) = officers.named(conn, "Cán bộ Hội")
        link = officers.link(conn, officer_id, world.now, "test")
    world.passes(hours=13)
    first.opens().types("/hangdoi").sees("dành cho cán bộ Hội")
    again = world.citizen().opens(codes.payload(link))
    again.types(f"/duyet {code}").sees("là của chính")
    assert status(world, code) == "submitted"


def test_last_years_dossier_is_decided_in_last_years_window(world: World) -> None:
    _citizen, code = dossier(world)
    officer = world.officer()
    world.now = datetime(2027, 1, 4, 2, tzinfo=UTC)
    officer.types(f"/duyet {code}").presses("approve").sees("đến hết ngày 31/12/2026")
    assert status(world, code) == "submitted"
    with world.write() as conn:
        province = units.by_code(conn, "22")
        assert province is not None
        longer = replace(seasons.default_windows(2026), decision_to=date(2027, 1, 31))
        seasons.set_windows(conn, province.id, longer)
    places._known.clear()
    officer.presses("approve").sees("đạt, 100/100")
    world.recounted()


def test_another_commune_is_out_of_scope(world: World) -> None:
    _citizen, code = dossier(world)
    officer = world.officer(bai_chay(world).code)
    officer.types("/queue").sees("Hiện không có hồ sơ nào")
    for text in (code, f"/duyet {code}", f"/tralai {code}", f"/chuadat {code}"):
        officer.types(text).sees("không thuộc phạm vi")
    assert status(world, code) == "submitted"


def test_a_citizen_has_no_desk(world: World) -> None:
    citizen, code = dossier(world)
    for text in ("/queue", f"/duyet {code}", "/hoantac"):
        citizen.types(text).sees("dành cho cán bộ Hội")
    other = world.citizen().joins(name="Lê Văn Tò Mò")
    other.types(code).sees("không tìm thấy hồ sơ").sees_not("Nguyễn Văn Hùng")


def test_a_dossier_that_moved_away_is_closed(world: World) -> None:
    citizen, code = dossier(world)
    officer = world.officer()
    officer.types(code).presses("read")
    there = bai_chay(world)
    with world.write() as conn:
        chat = conversations.open_chat(conn, citizen.account, citizen.address)
        assert chat is not None and chat.person is not None
        assessments.move(conn, chat.person, there.id, "test", world.now)
    officer.opens().sees("không còn thuộc phạm vi").sees_not("Công dân chọn")
    officer.presses("Hồ sơ tiếp theo").sees("Hàng đợi", "Hiện không có hồ sơ nào")


def test_a_withdrawn_dossier_is_closed_and_its_new_draft_unseen(world: World) -> None:
    citizen, code = dossier(world)
    officer = world.officer()
    officer.types(f"/duyet {code}")
    citizen.types("/hoso").presses("ask_withdraw").presses("withdraw")
    officer.presses("approve").sees(f"Công dân đã rút hồ sơ {code}")
    officer.types(f"/duyet {code}").presses("back").sees("Hàng đợi", f"Công dân đã rút hồ sơ {code}")
    officer.types(code).sees("Công dân đã rút")
    citizen.presses("start").presses("tot")
    officer.types(f"/duyet {code}").sees("công dân đang làm").sees_not("Xem từng câu", "Nguyễn Văn Hùng")
    world.recounted()


def test_what_changed_since_it_was_opened_is_never_decided_unseen(world: World) -> None:
    citizen, code = dossier(world)
    one, other = world.officer(name="Hoa"), world.officer(name="Minh")
    one.types(f"/duyet {code}")
    returned(other, code, "B2")
    world.passes(minutes=2)
    citizen.types("/hoso").presses("go_on").presses("kha").presses("hand_in").presses("submit")
    one.presses("approve").sees("đã thay đổi từ lúc anh/chị mở" if one.capabilities.buttons else "đã sửa")
    assert status(world, code) == "submitted"
    one.types(code).sees("đã sửa", "98/100")


def test_an_erased_dossier_is_closed(world: World) -> None:
    citizen, code = dossier(world)
    officer = world.officer()
    officer.types(code).presses("read")
    with world.write() as conn:
        chat = conversations.open_chat(conn, citizen.account, citizen.address)
        assert chat is not None and chat.person is not None
        erasure.erase_person(conn, chat.person, "test", world.now)
    officer.opens().sees("không còn nữa")
    officer.presses("Hồ sơ tiếp theo").sees("Hiện không có hồ sơ nào")
    officer.types(code).sees("không tìm thấy hồ sơ")


# ------------------------------------------------------------------------------------------ commands


def test_a_command_without_a_code_opens_the_oldest_and_asks(world: World) -> None:
    _first, first = dossier(world, name="Trần Văn Đầu")
    world.passes(minutes=1)
    _second, second = dossier(world, name="Phạm Văn Ba")
    officer = world.officer()
    officer.types("/duyet").sees("Trần Văn Đầu", first, "Đạt, 100 điểm")
    assert status(world, first) == "submitted"
    officer.types("/queue").presses("Phạm Văn Ba").presses("read").types("/approve").sees(second)
    officer.presses("approve").presses("Hồ sơ tiếp theo").sees(first)
    officer.types("/chuadat").sees("Vì sao chưa đạt?", first)
    officer.types("/return").sees("Trả lại câu nào?", first)
    officer.presses("back").presses("choose").presses("Câu 4").types("/tralai").sees("☑ Câu 4")
    officer.types("/duyet").presses("approve").types("/duyet").sees("Hiện không có hồ sơ nào chờ xét")
    world.recounted()


@pytest.mark.parametrize("command", ["/approve", "/duyet", "/return", "/tralai", "/chuadat"])
def test_a_wrong_code_changes_nothing(world: World, command: str) -> None:
    _citizen, code = dossier(world)
    officer = world.officer().types("/queue")
    wrong = code[:-1] + ("2" if code[-1] != "2" else "3")
    officer.types(f"{command} {wrong}").sees(f"không tìm thấy hồ sơ {wrong}", "Hàng đợi")
    officer.types(f"{command} bà Hoa").sees("không tìm thấy hồ sơ bà Hoa")
    officer.types(f"{command} DV06685K").sees("không tìm thấy hồ sơ")
    officer.types(f"{command} {code.lower().replace('-', ' ')}").sees(code)
    assert status(world, code) == "submitted"


def test_an_idle_session_ends_in_the_middle_of_a_dossier(world: World) -> None:
    dossier(world)
    with world.write() as conn:
        place = units.by_code(conn, "06685")
        assert place is not None
        code = officers.invite(conn, place.id, "reviewer", world.now, "test", "Hoa")
    officer = world.chat(profile="web").opens(codes.payload(code)).presses("accept")
    officer.types("/queue").presses("Nguyễn").presses("read").sees("Câu 1/10")
    world.passes(hours=13)
    officer.opens().sees("Phiên làm việc của cán bộ").sees_not("Câu 1/10")


# ------------------------------------------------------------------------------------------ whatever they press


@pytest.mark.parametrize("seed", range(4))
def test_any_way_through_the_desk_holds(world: World, seed: int) -> None:
    chance = random.Random(seed)
    citizens = [dossier(world, level, name=name)[0] for level, name in (("tot", "Lê Văn An"), ("dat", "Lê Văn Ba"))]
    desk = [world.officer(name="Hoa").types("/queue"), world.officer("22", "supervisor", "Minh").types("/queue")]
    for _n in range(120):
        chat = chance.choice([*desk, *desk, *desk, chance.choice(citizens)])
        choices = [each for each in chat.screen.choices if each.id not in ("withdraw", "resume_code")]
        if choices and chance.random() < 0.85:
            chat.presses(chance.choice(choices).id)
        else:
            chat.types(chance.choice(["/queue", "/duyet", "/tralai", "/hoantac", "lý do của tôi", "3", "\x00‮"]))
        assert "trục trặc" not in chat.read_out()
        assert len(chat.screen.text) <= 2000
        world.passes(seconds=chance.choice([1, 20, 90]))
    world.recounted()


def test_an_officer_is_told_of_a_picture_that_lies_in_another_dossier(world: World) -> None:
    officer = world.officer()
    codes_of = [proved_by(world, name) for name in ("own.jpg", "lent.jpg", "lent.jpg")]
    officer.types(codes_of[0]).sees(codes_of[0]).sees_not("hồ sơ khác")
    for code in codes_of[1:]:
        officer.types(code).sees("Câu 2: có ảnh đã nằm trong hồ sơ khác của đợt này")


def proved_by(world: World, name: str) -> str:
    """A dossier handed in whose second question is proved by this picture; its code."""
    citizen = world.citizen().joins().presses("start").presses("kha").presses("tot").sends(name)
    for _n in range(8):
        citizen.presses("kha")
        if citizen.screen.title.startswith("Minh chứng"):
            citizen.types("Tôi đã dự lớp tập huấn ngày 12/9")
    citizen.presses("hand_in").presses("submit")
    with world.read() as conn:
        found: str = assessments.listing(conn)[-1].code
    return found
