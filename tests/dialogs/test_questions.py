"""The questionnaire: ten questions, evidence, overview, handing in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

import criteria
from dialogs import answering, places, questions
from dialogs.model import Pressed
from dialogs.states import Turn, decode_state
from storage import assessments, conversations, reviews
from storage.base import Refused
from tests.dialogs.test_standing import as_officer, decides, row_of
from tests.support.world import Chat, World


def started(world: World) -> Chat:
    return world.citizen().joins().presses("start")


def test_from_the_scan_to_the_receipt_in_at_most_25_acts(world: World) -> None:
    citizen = started(world).sees("Câu 1/10")
    photos = 0
    for _n in range(10):
        wants = citizen.screen.title.split("·")[0].strip() in ("Câu 2/10", "Câu 3/10", "Câu 5/10")
        citizen.presses("tot" if wants else "kha" if "Câu 3/" not in citizen.screen.title else "dat")
        if citizen.screen.title.startswith("Minh chứng"):
            citizen.sends(f"photo-{photos}")
            photos += 1
    assert photos == 3
    citizen.sees("Xem lại phiếu").presses("Nộp phiếu").presses("Nộp").sees("Đã nộp. Mã hồ sơ HS-2026-")
    assert citizen.acts <= 25
    world.recounted()


def test_a_question_reads_in_the_words_of_the_citizens_group(world: World) -> None:
    started(world).sees("chương trình, trang tin về sản xuất", "Câu 1/10 · Đọc và cập nhật thông tin")
    clerk = world.citizen().joins(group="can_bo", form="anh_chi").presses("start")
    clerk.sees("Anh/chị đọc tài liệu chuyên môn")


def test_required_evidence_by_photo_goes_on_and_late_photos_still_land_there(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").sees("Minh chứng cho câu 2", "Mức này cần minh chứng")
    citizen.sends("a").sees("Đã nhận 1 ảnh cho câu 2", "Muốn gửi thêm ảnh cho câu đó", "Câu 3/10")
    citizen.sends("b").sees("câu 2 hiện có 2 ảnh", "Câu 3/10").presses("dat").sees("Câu 4/10")
    citizen.sends("c").sees("Đã nhận 1 ảnh cho câu này. Mời ông/bà chọn mức", "Câu 4/10")


def test_several_photos_at_once_with_a_caption(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").sends("a", "b", "c", caption="Lớp tập huấn tháng 9")
    citizen.presses("back").presses("evidence").sees("3 ảnh")
    assert [picture.caption for picture in citizen.screen.pictures] == ["Lớp tập huấn tháng 9"] * 3


def test_the_same_photo_twice_is_one_piece(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").sends("a", "a")
    citizen.types("/hoso").presses("go_on").presses("back").presses("evidence").sees("Minh chứng đã có: 1 ảnh")
    assert len(citizen.screen.pictures) == 1


def test_evidence_by_text_link_and_confirmation(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").types("abc").sees("kể rõ thêm một chút")
    citizen.types("Lớp trồng rau an toàn tháng 4").sees("Đã ghi minh chứng cho câu 2", "Câu 3/10")
    citizen.presses("kha").presses("Nhờ chi hội xác nhận").sees("Đã nhờ chi hội xác nhận câu 3", "Câu 4/10")
    citizen.presses("kha").presses("tot").types("https://dichvucong.gov.vn/ho-so/1").sees("Đã ghi minh chứng cho câu 5")
    citizen.presses("back").sees("1 đường dẫn")


def test_without_evidence_the_highest_level_that_needs_none_is_offered(world: World) -> None:
    citizen = (
        started(world)
        .presses("kha")
        .presses("tot")
        .presses("Không có")
        .sees('"Có kế hoạch, hoàn thành phần lớn" (8 điểm)')
    )
    citizen.presses("Chọn mức này").sees("Câu 3/10")
    citizen.presses("tot").presses("Không có").sees("(5 điểm)").presses("Để sau").sees(
        "Câu 3 còn thiếu minh chứng", "Câu 4/10"
    )


def test_optional_evidence_is_a_button_beside_the_answer(world: World) -> None:
    citizen = started(world).presses("Kèm minh chứng").sees("không bắt buộc").types("Đọc báo Quảng Ninh hằng ngày")
    citizen.sees("Đã ghi minh chứng cho câu 1", "Câu 1/10").presses("tot").sees("Câu 2/10")


def test_a_piece_of_evidence_can_be_removed(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").sends("a").presses("back").presses("evidence")
    citizen.presses("Bỏ bớt").sees("muốn bỏ minh chứng nào").presses("1. Ảnh").sees("Đã bỏ").sees_not("1 ảnh")


def test_back_skip_pause_and_jump(world: World) -> None:
    citizen = started(world).presses("kha").presses("skip").sees("Câu 2 để sau", "Câu 3/10")
    citizen.presses("back").sees("Câu 2/10").presses("back").sees("Câu 1/10", "Đang chọn: Nhiều ngày trong tuần")
    citizen.presses("Tạm nghỉ").sees("Phiếu đang ở câu 1, đã lưu", "1/10 câu")
    world.passes(days=20)
    citizen.opens().presses("Làm tiếp phiếu").sees("Câu 2/10")
    for _n in range(9):
        citizen.presses("dat")
    citizen.sees("Xem lại phiếu").presses("Sửa câu khác").presses("Câu 7:").sees("Câu 7/10").presses("kha")
    citizen.sees("Xem lại phiếu", "Câu 7. Tính toán, cải tiến công việc: Khá, 8 điểm")


def test_typed_answers_match_number_and_label_with_and_without_accents(world: World) -> None:
    citizen = started(world).types("2").sees('đã ghi "Nhiều ngày trong tuần"')
    citizen.types("số 3").sees('đã ghi "Có dự định cụ thể').types("2 den 3 buoi").sees('đã ghi "2 đến 3 buổi"')
    citizen.types("bao giờ thì xong").sees("Tôi chưa hiểu ý ông/bà", "Câu 4/10").types("0").sees("Câu 3/10")


def test_two_taps_on_a_question_never_answer_the_next(world: World) -> None:
    citizen = started(world)
    number = citizen.screen.number
    citizen.does(Pressed("tot"), screen=number)
    if citizen.capabilities.buttons:
        citizen.does(Pressed("khong"), screen=number).sees("Màn hình vừa rồi đã cũ", "Câu 2/10")
        citizen.presses("back").sees("Đang chọn: Hằng ngày")


def test_the_overview_says_what_is_missing_and_the_shortest_path_as_a_condition(world: World) -> None:
    citizen = world.citizen().joins().answers("dat").sees("Theo phiếu, ông/bà được 50/100 điểm", "Còn thiếu 30 điểm")
    citizen.sees("Nếu trong năm đúng là", "Phiếu vẫn nộp được").sees_not("nên chọn")
    citizen.presses("Nộp phiếu").presses("Xem lại đã").sees("Xem lại phiếu")


def test_a_form_with_gaps_cannot_be_handed_in(world: World) -> None:
    citizen = started(world)
    for _n in range(9):
        citizen.presses("dat")
    citizen.presses("skip").sees("Còn 1 câu chưa trả lời", "Câu 10. Hợp tác, chia sẻ: chưa trả lời")
    assert all(choice.id != "hand_in" for choice in citizen.screen.choices)
    citizen.presses("Trả lời câu 10").presses("dat").presses("Nộp phiếu")


def test_withdraw_and_start_again(world: World) -> None:
    citizen = world.citizen().joins()
    code = citizen.submits("kha")
    citizen.presses("Rút hồ sơ").sees(f"rút hồ sơ {code}").presses("Giữ nguyên").sees("chờ xét")
    citizen.presses("Rút hồ sơ").presses("withdraw").sees("Đã rút hồ sơ")
    world.recounted()
    citizen.presses("Làm lại phiếu mới").sees("Câu 1/10").sees_not("Đang chọn")
    citizen.presses("kha").types("/hoso").presses("Làm lại từ đầu").presses("Xóa và làm lại").sees("Câu 1/10")
    citizen.sees_not("Đang chọn")
    world.recounted()


def test_the_window_closes_but_nothing_is_lost(world: World) -> None:
    citizen = started(world).presses("kha")
    world.now = datetime(2026, 12, 5, 3, 0, tzinfo=UTC)
    citizen.presses("kha").sees("Việc tự đánh giá năm nay đã kết thúc ngày 30/11/2026", "Phiếu vẫn được giữ")


def test_what_no_dialog_takes_is_answered_kindly(world: World) -> None:
    citizen = started(world)
    for kind, words in (
        ("voice", "tin nhắn thoại"),
        ("sticker", "Cảm ơn"),
        ("location", "vị trí"),
        ("poll", "loại tin này"),
    ):
        citizen.sends_other(kind).sees(words, "Câu 1/10")
    citizen.types("/khongcolenh").sees("không có lệnh này", "Câu 1/10")


def test_the_sheet_worked_out_is_the_sheet_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    worked_out = answering.answered

    def both(turn: Turn, before: answering.Sheet, indicator: str, level: str) -> answering.Sheet:
        made = worked_out(turn, before, indicator, level)
        assert made == answering.read(turn.conn, before.row)
        compared.append(indicator)
        return made

    monkeypatch.setattr(answering, "answered", both)
    officer = world.officer()
    citizen = started(world)
    for levels in (["tot", "kha"] * 5, ["dat"] * 10, ["kha"] * 10):
        for level in levels:
            citizen.presses(level)
            if citizen.screen.title.startswith("Minh chứng"):
                citizen.types("Lớp tập huấn tháng 9 ở nhà văn hóa")
            if citizen.screen.title.startswith("Xem lại phiếu"):
                citizen.presses("Sửa câu khác").presses("Câu 1:")
    assert len(compared) == 30
    citizen.types("/hoso").presses("go_on").presses("hand_in").presses("submit")
    officer.types("/queue").presses(officer.screen.choices[0].id)
    world.recounted()


@pytest.mark.parametrize(("status", "local"), [("example", False), ("active", True)])
def test_a_province_asks_in_its_own_words_where_they_are_active(
    world: World, monkeypatch: pytest.MonkeyPatch, status: str, local: bool
) -> None:
    (shipped,) = (each for each in criteria.overlays() if each.province == "22")
    monkeypatch.setattr(criteria, "overlays", lambda: (replace(shipped, status=status),))
    for cache in (places._provinces_with_wording, places._worded):
        cache.cache_clear()
        monkeypatch.setattr(places, cache.__name__, cache.__wrapped__)
    asked = started(world).presses("kha").read_out()
    assert "Câu 2/10" in asked
    assert ("nuôi hàu, nuôi tôm" in asked) == local


def test_a_state_unknown_after_a_deploy_falls_back_to_home_with_the_draft_intact(world: World) -> None:
    citizen = started(world).presses("kha").presses("kha")
    with world.write() as conn:
        conn.exec_driver_sql("""update conversations set state = '{"is":"questions.Renamed","x":1}'""")
    citizen.opens().sees("2/10 câu").presses("Làm tiếp phiếu").sees("Câu 3/10")


def test_a_closed_welcome_leads_home(world: World) -> None:
    world.now = datetime(2026, 3, 5, 2, tzinfo=UTC)
    citizen = world.citizen().joins().sees("mở từ ngày 01/09/2026")
    citizen.presses("back").sees("Kính chào Nguyễn Văn Hùng")


def test_a_declined_confirmation_on_a_question_not_returned_does_not_keep_the_dossier(world: World) -> None:
    citizen, officer = world.citizen().joins().presses("start"), world.officer()
    asked = False
    for _n in range(10):
        citizen.presses("tot")
        if citizen.screen.title.startswith("Minh chứng cho câu 3"):
            citizen.presses("Nhờ chi hội xác nhận")
            asked = True
        elif citizen.screen.title.startswith("Minh chứng"):
            citizen.types("Tôi đã dự lớp tập huấn ngày 12/9")
    assert asked
    citizen.presses("hand_in").presses("submit")
    code = citizen.read_out()[citizen.read_out().index("HS-") :][:13]
    who, row = as_officer(world, officer), row_of(world, code)
    with world.write() as conn:
        piece = conn.exec_driver_sql("select id from evidence where kind = 'officer_confirmation'").scalar()
        reviews.settle_confirmation(conn, who, row.id, piece, False, world.now)
    decides(world, officer, code, "return", A1="Ảnh mờ")
    world.passes(seconds=61)
    citizen.types("/hoso").presses("Sửa câu 1").presses("next").sees("Xem lại phiếu").sees_not("thiếu minh chứng")
    citizen.presses("Nộp lại").presses("submit").sees(f"Đã nộp. Mã hồ sơ {code}")


def test_an_answer_returned_without_its_proof_must_be_proved(world: World) -> None:
    citizen, officer = world.citizen().joins(), world.officer()
    code = citizen.submits("tot")
    decides(world, officer, code, "return", A2="Thiếu ảnh")
    world.passes(seconds=61)
    citizen.types("/hoso").presses("Sửa câu 2").presses("evidence").presses("Bỏ bớt").presses("1.")
    citizen.types("/hoso").presses("go_on").presses("pause").types("/hoso").presses("Sửa câu 2").presses("next")
    citizen.sees("Minh chứng cho câu 2", "Mức này cần minh chứng")


def test_what_is_handed_in_is_read_again_under_the_lock(world: World) -> None:
    citizen = world.citizen().joins().answers("tot").presses("hand_in")
    with world.write() as conn:
        chat = conversations.open_chat(conn, citizen.account, citizen.address)
        assert chat is not None
        turn = Turn(conn, chat, None, world.now, world.rules, citizen.capabilities)
        state = decode_state(chat.state)
        view = questions.load(turn, state)
        assert view.sheet.complete
        assessments.clear(conn, view.sheet.row.id, world.now)  # another chat of the same person began anew meanwhile
        with pytest.raises(Refused, match="assessment_incomplete"):
            questions.take(turn, state, view, Pressed("submit"))


def test_an_album_too_large_keeps_its_first_pictures(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot")
    if not citizen.capabilities.albums:
        return
    citizen.sends(*(f"photo-{n}" for n in range(10)))
    citizen.sees("tôi giữ 8 ảnh đầu, 2 ảnh sau chưa nhận", "Đã nhận 8 ảnh cho câu 2", "Câu 3/10")
    citizen.presses("back").presses("evidence").sends("one", "two").sees(
        "đã có 8 minh chứng", "Minh chứng đã có: 8 ảnh"
    )


def test_a_question_named_by_its_number_is_never_the_choice_of_that_number(world: World) -> None:
    citizen = started(world).types("câu 3").sees("Tôi chưa hiểu ý ông/bà", "Câu 1/10").sees_not("Đang chọn")
    for _n in range(10):
        citizen.presses("dat")
    citizen.presses("Sửa câu khác").types("câu 10").sees("Câu 10/10")
    citizen.types("/hoso").presses("go_on").presses("Sửa câu khác").types("CAU 1").sees("Câu 1/10")


def test_a_question_that_is_not_offered_is_not_guessed(world: World) -> None:
    citizen, officer = world.citizen().joins(), world.officer()
    code = citizen.submits("tot")
    decides(world, officer, code, "return", A3="Ảnh mờ", C2="Ảnh mờ")
    world.passes(seconds=61)
    citizen.types("/hoso").types("câu 2").sees("Hồ sơ năm 2026", "Tôi chưa hiểu").types("câu 10").sees("Câu 10/10")
