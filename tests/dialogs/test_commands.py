"""What means the same anywhere: codes among words, codes pasted, a notice's buttons."""

from __future__ import annotations

import pytest

from dialogs.model import Pressed
from storage import conversations
from tests.support.world import Chat, World


def resume_code(chat: Chat) -> str:
    """A new resume code of whoever speaks in the chat."""
    chat.types("/hoso").presses("resume_code")
    start = chat.read_out().index("TL-")
    return chat.read_out()[start : start + 22]


@pytest.mark.parametrize(
    "words", ["HS giỏi năm 2025, lớp 12", "BC tháng 10/2026 của chi hội", "TL tập huấn 12/9 năm 2026", "dv 12 hồ Xương"]
)
def test_words_that_begin_like_a_code_are_evidence(world: World, words: str) -> None:
    citizen = world.citizen().joins().presses("start").presses("kha").presses("tot").sees("Minh chứng cho câu 2")
    citizen.types(words).sees("Đã ghi minh chứng cho câu 2", "Câu 3/10")
    with world.read() as conn:
        assert conn.exec_driver_sql("select text from evidence").scalars().all() == [words]


def test_a_code_in_a_sentence_of_evidence_opens_nothing_but_the_code_alone_does(world: World) -> None:
    citizen = world.citizen().joins().presses("start").presses("kha").presses("tot")
    citizen.types("DV 06685-K là mã của phường").sees("Đã ghi minh chứng cho câu 2")
    citizen.presses("tot").sees("Minh chứng cho câu 3").types("ĐV 06685 - k").sees("đã gắn với Phường Hồng Gai")


def test_words_of_an_officer_that_begin_like_a_code_are_a_reason(world: World) -> None:
    code = world.citizen().joins().submits()
    officer = world.officer()
    officer.types(f"/chuadat {code}").types("HS thiếu ảnh câu 3 và câu 5")
    officer.sees("HS thiếu ảnh câu 3 và câu 5").sees_not("Mã này")


def test_a_code_with_a_slip_is_still_told_where_no_words_are_asked_for(world: World) -> None:
    world.citizen().opens().types("DV 06685-B").sees_not("Không tìm thấy").sees("DV 06685-B")
    world.citizen().joins().types("HS-2026-7K3").sees("Mã này")


def test_a_stranger_may_paste_a_code_with_the_words_around_it(world: World) -> None:
    code = resume_code(world.citizen().joins())
    phone = world.citizen().opens().types(f"Ông/bà chép lại để mở phiếu trên máy khác. Mã tiếp tục: {code}")
    phone.sees("Đã mở lại phiếu", "Kính chào Nguyễn Văn Hùng")


def test_another_persons_resume_code_asks_before_it_takes_the_chat_over(world: World) -> None:
    an, binh = world.citizen().joins(name="Lê Thị An"), world.citizen().joins(name="Trần Văn Bình")
    code = resume_code(binh)
    an.types(code).sees("đang mở phiếu của Lê Thị An").presses("Giữ phiếu").sees("Kính chào Lê Thị An")
    with world.read() as conn:
        assert conn.exec_driver_sql("select count(*) from contact_person").scalar() == 2
    an.types(code).presses("Chuyển").sees("Kính chào Trần Văn Bình")


def test_a_wrong_resume_code_of_another_still_counts_and_locks(world: World) -> None:
    an, binh = world.citizen().joins(name="Lê Thị An"), world.citizen().joins(name="Trần Văn Bình")
    code = resume_code(binh)
    for wrong in [code[:-1] + sign for sign in "345678" if sign != code[-1]][:5]:
        an.types(wrong)
    an.types(code).sees("tạm khóa một giờ").sees_not("đang mở phiếu")


def test_a_code_renewed_meanwhile_takes_no_chat_over(world: World) -> None:
    an, binh = world.citizen().joins(name="Lê Thị An"), world.citizen().joins(name="Trần Văn Bình")
    an.types(resume_code(binh)).sees("đang mở phiếu của Lê Thị An")
    world.passes(seconds=1)
    resume_code(binh)
    an.presses("Chuyển").sees_not("Bình")


@pytest.mark.parametrize("ground", ["web"], indirect=True)
def test_who_takes_a_chat_over_sees_nothing_of_the_one_before(world: World) -> None:
    an = world.citizen().joins(name="Lê Thị An", phone="0912345678")
    binh = world.citizen().joins(name="Trần Văn Bình")
    an.types(resume_code(binh)).presses("Chuyển").types("/dulieu").presses("export")
    content = an.screen.documents[0].content
    assert "Trần Văn Bình" in content and "Lê Thị An" not in content and "0912345678" not in content
    with world.read() as conn:
        lines = conversations.history(conn, an.account, an.address)
    assert not any("Lê Thị An" in line.body for line in lines)


def test_a_result_never_goes_to_a_chat_that_is_another_persons_now(world: World) -> None:
    an, binh = world.citizen().joins(name="Lê Thị An"), world.citizen().joins(name="Trần Văn Bình")
    code = an.submits("tot")
    officer = world.officer()
    officer.types(f"/approve {code}").presses("approve")
    an.types(resume_code(binh)).presses("Chuyển")
    world.passes(seconds=61)
    assert an.hears() == []


@pytest.mark.parametrize("indicator", ["ZZZ", "", "A1:A1"])
def test_a_notices_button_for_no_question_shows_the_dossier(world: World, indicator: str) -> None:
    citizen = world.citizen().joins().presses("start")
    with world.read() as conn:
        code = conn.exec_driver_sql("select code from assessments").scalar()
    citizen.does(Pressed(f"go:mend:{code}:{indicator}"), screen=None).sees("Hồ sơ năm 2026", "đang làm phiếu")
