"""The turn: claims, stale screens, failures that lose nothing, signals that take nothing over."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from dialogs import home, questions
from dialogs.model import (
    FileRef,
    Opened,
    Pressed,
    Sent,
    Typed,
    Unsupported,
    decode_incoming,
    decode_screen,
    encode_screen,
)
from dialogs.states import decode_state, encode_state
from dialogs.text import choice_typed, clean
from storage import codes, conversations, events, officers, people
from tests.support.world import HONG_GAI, World


def test_a_defect_is_kept_apologised_for_and_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.rescues = True
    citizen = world.citizen().joins().presses("start").presses("kha")

    def breaks(*_: object) -> None:
        raise LookupError("a defect with 001085012345")

    with monkeypatch.context() as patched:
        patched.setattr(questions, "take", breaks)
        citizen.presses("kha").sees("Máy vừa gặp trục trặc", "Câu 2/10")
    with world.read() as conn:
        (failed,) = events.listing(conn)
    assert "001085012345" not in failed.error
    assert failed.error_id in citizen.read_out()
    citizen.presses("kha").sees("Câu 3/10")
    world.recounted()


def test_when_the_current_screen_fails_too_home_is_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.rescues = True
    citizen = world.citizen().joins().presses("start")

    def breaks(*_: object) -> None:
        raise LookupError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(questions, "show", breaks)
        citizen.presses("kha").sees("Máy vừa gặp trục trặc", "Kính chào Nguyễn Văn Hùng")


def test_a_failed_event_is_masked_and_can_be_read_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.rescues = True
    citizen = world.citizen().joins().presses("start").presses("kha").presses("tot").sees("Minh chứng cho câu 2")
    monkeypatch.setattr(questions, "take", lambda *_: 1 / 0)
    citizen.types("cccd của tôi 022157001234 và TL-ABC2-EFGH-JKMN-PQRS")
    with world.read() as conn:
        (failed,) = events.listing(conn)
    assert "022157001234" not in failed.raw
    assert "ABC2" not in failed.raw
    assert isinstance(decode_incoming(failed.raw).act, Typed)


def test_a_failed_event_has_one_row_however_often_it_comes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.rescues = True
    citizen = world.citizen().joins()
    monkeypatch.setattr(questions, "take", lambda *_: 1 / 0)
    for _n in range(3):
        citizen.does(Pressed("start"), event="the-same")
    with world.read() as conn:
        assert len(events.listing(conn)) == 1


def test_a_press_from_an_older_screen_only_shows_the_current_one(world: World) -> None:
    citizen = world.citizen().joins().presses("start")
    old = citizen.screen.number
    citizen.presses("kha").presses("kha")
    number = citizen.screen.number
    citizen.does(Pressed("khong"), screen=old).sees("đã cũ", "Câu 3/10")
    assert citizen.screen.number == number
    citizen.does(Typed("5"), screen=old).sees("đã cũ", "Câu 3/10")
    citizen.does(Typed("/hoso"), screen=old).sees("Mã hồ sơ")


def test_a_choice_that_the_screen_does_not_offer_does_nothing(world: World) -> None:
    citizen = world.citizen().joins().presses("start")
    citizen.does(Pressed("submit")).sees("đã cũ", "Câu 1/10")
    citizen.does(Pressed("x' or 1=1")).sees("Câu 1/10")


def test_a_bare_opening_shows_where_the_chat_stands(world: World) -> None:
    citizen = world.citizen().joins().presses("start").presses("kha")
    citizen.does(Opened("")).sees("Câu 2/10")


def test_commands_of_others_are_kindly_refused(world: World) -> None:
    world.citizen().opens().types("/hoso").sees("chưa gắn với xã, phường nào")
    world.citizen().joins().types("/queue").sees("dành cho cán bộ Hội")
    world.citizen().joins().types("/QUEUE@hoctap_bot 1").sees("dành cho cán bộ Hội")


def test_history_keeps_what_was_said_with_codes_masked(world: World) -> None:
    world.profile = "web"
    citizen = world.citizen().joins()
    citizen.types("TL-ABCD-EFGH-2KMN-PQRS")
    with world.read() as conn:
        lines = conversations.history(conn, citizen.account, citizen.address)
    said = [json.loads(line.body)["text"] for line in lines if line.direction == "in"]
    assert said[:3] == ["Đúng rồi", "Tôi đồng ý", "Nguyễn Văn Hùng"]
    assert said[-1] == "TL-••••"
    assert all(line.event for line in lines if line.direction == "in")


def test_states_and_screens_survive_their_json() -> None:
    for state in (home.Home(), questions.Asking(7, "B2", late="B1"), questions.Evidencing(7, "B2", stay=True)):
        assert decode_state(encode_state(state)) == state
    assert decode_state('{"is":"gone.Away"}') is None
    assert decode_state('{"is":"questions.Asking","assessment":1}') is None
    assert decode_state("[]") is None
    screen = questions.Screen("văn bản", (questions.Choice("a", "Một", "main"),), title="T", note="N", progress=(1, 10))
    assert decode_screen(encode_screen(screen)) == screen


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        ("1", "yes"),
        ("số 2", "no"),
        ("SO 2.", "no"),
        ("dung roi", "yes"),
        ("Đúng", "yes"),
        ("0", "back"),
        ("quay lại", "back"),
        ("3", None),
        ("x", None),
        ("", None),
    ],
)
def test_what_a_typed_answer_names(typed: str, chosen: str | None) -> None:
    choices = (
        questions.Choice("yes", "Đúng rồi"),
        questions.Choice("no", "Không phải"),
        questions.Choice("back", "Quay lại"),
    )
    assert choice_typed(questions.Screen("?", choices), typed) == chosen


def test_cleaning_text() -> None:
    assert clean("  a\u202eb\x00c  d \r\n\n\n\n e ") == "ab c d\n\ne"
    assert clean("e\u0302\u0301") == "\u1ebf"
    assert len(clean("ă" * 9000)) == 4000


def test_what_an_officer_saw_of_a_citizen_leaves_no_history(world: World) -> None:
    world.profile = "web"
    code = world.citizen().joins(name="Nguyễn Văn Hùng").submits("kha")
    officer = world.officer().types("/queue").presses(officer_choice(world)).types("/trangchu")
    with world.read() as conn:
        kept = "".join(line.body for line in conversations.history(conn, officer.account, officer.address))
    assert "Nguyễn Văn Hùng" not in kept
    officer.types(code).sees("Nguyễn Văn Hùng")
    with world.read() as conn:
        assert "Nguyễn Văn Hùng" in conversations.history(conn, officer.account, officer.address)[-1].body


def officer_choice(world: World) -> str:
    """The id of the only dossier in the queue."""
    with world.read() as conn:
        return f"open:{conn.exec_driver_sql('select id from assessments').scalar()}"


def test_an_officers_web_session_ends_after_twelve_idle_hours(world: World) -> None:
    world.profile = "web"
    officer = world.officer().types("/queue").sees("hồ sơ")
    world.passes(hours=11)
    officer.types("/queue").sees_not("dành cho cán bộ Hội")
    world.passes(hours=12, seconds=1)
    officer.types("/queue").sees("dành cho cán bộ Hội")
    with world.write() as conn:
        code = officers.link(conn, officers.named(conn, "Trần Thị Hoa")[0], world.now, "cli")
    back = world.chat().opens(codes.payload(code)).sees("Chào mừng anh/chị trở lại")
    back.types("/queue").sees_not("dành cho cán bộ")


def test_outside_the_window_nothing_is_decided_but_may_be_returned(world: World) -> None:
    code = world.citizen().joins().submits("kha")
    officer = world.officer()
    world.now = datetime(2026, 9, 20, 3, 0, tzinfo=UTC)
    officer.types(f"/duyet {code}")
    while officer.screen.choices and not officer.screen.note.startswith("Việc xét"):
        officer.presses(officer.screen.choices[0].id)
        assert officer.acts < 12, officer.read_out()
    officer.sees("mở từ ngày 01/10/2026")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Mã: TL-CM35-FKK4-0047-T57H.\nÔng/bà chép lại", "Mã: TL-••••.\nÔng/bà chép lại"),
        ("tl cm35 fkk4 0047 t57h", "TL-••••"),
        ("T L C M 3 5 F K K 4 0 0 4 7 T 5 7 H", "••••"),
        ("https://x.vn/chat#q=MT9TBMXF425PPRQHR4KVS8", "https://x.vn/chat#q=MT-••••"),
        ("tl cau hoi so 5 giup toi voi nhe", "tl cau hoi so 5 giup toi voi nhe"),
        ("TL: tôi đã nộp HS-2026-7K3QD", "TL: tôi đã nộp HS-2026-7K3QD"),
    ],
)
def test_masking_takes_secrets_and_nothing_else(said: str, kept: str) -> None:
    assert events.masked_codes(said) == kept


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("file", "chỉ nhận ảnh và tệp PDF"),
        ("too_big", "20 MB"),
        ("edited", "nhắn tin mới"),
        ("contact", "danh thiếp của người khác"),
        ("never heard of", "chưa nhận được loại tin này"),
    ],
)
def test_what_no_dialog_takes_has_an_answer(world: World, kind: str, said: str) -> None:
    citizen = world.citizen().joins().presses("start")
    citizen.sends_other(kind).sees(said, "Câu 1/10")


def test_somebody_elses_contact_is_not_ones_phone_number(world: World) -> None:
    citizen = world.citizen().opens(HONG_GAI).presses("yes").presses("agree").types("Nguyễn Văn Hùng").types("1957")
    citizen.sends_other("contact").sees("không phải số của", "nhắn số bằng chữ số", "không bắt buộc")


def test_the_channel_learns_whether_an_officer_speaks(world: World) -> None:
    officer = world.officer()
    assert officer.last.officer, "the invite has just been accepted"
    citizen = world.citizen().joins()
    for chat, is_officer in ((officer, True), (citizen, False)):
        for act in (
            Typed("/help"),
            Typed("gì đây"),
            Pressed("x"),
            Opened(""),
            Pressed("go:home"),
            Unsupported("voice"),
        ):
            assert chat.does(act).last.officer is is_officer
        assert chat.does(Pressed("x"), screen=999).last.officer is is_officer, "stale"
        for _n in range(2):  # refused, then passed over
            chat.does(Sent(files=(FileRef("r", "u"),), album="x"), screen=None)
            assert chat.last.officer is is_officer
    assert not world.citizen().opens().last.officer


def test_a_defect_does_not_hide_that_an_officer_speaks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.rescues = True
    officer = world.officer()
    monkeypatch.setattr(home, "take", lambda *_: 1 / 0)
    assert officer.does(Pressed("go:nothing")).last.officer
    assert officer.types("xin chào").last.officer


def test_a_chat_that_is_blocked_is_not_written_to_until_it_speaks_again(world: World) -> None:
    citizen = world.citizen().joins()
    citizen.submits("kha")
    screen = citizen.screen
    citizen.signals("blocked")
    assert citizen.last.told == () and citizen.screen == screen

    def reachable() -> bool:
        with world.read() as conn:
            chat = conversations.peek(conn, citizen.account, citizen.address)
        assert chat is not None
        return chat.reachable

    assert not reachable()
    citizen.signals("unblocked")
    assert reachable()
    for act in (Opened(""), Typed("/hoso"), Pressed("go:home")):
        citizen.signals("blocked")
        assert not reachable()
        citizen.does(act)
        assert reachable()
    world.citizen().signals("blocked")  # of somebody never met: nothing


def test_what_waits_for_a_blocked_chat_is_read_on_the_persons_other_one(world: World) -> None:
    citizen = world.citizen().joins()
    code = citizen.submits("kha")
    other = world.citizen()
    with world.write() as conn:
        whose = conversations.peek(conn, citizen.account, citizen.address)
        assert whose is not None and whose.person is not None
        card = people.new_resume_code(conn, whose.person.id, world.now)
    other.opens().types(card)
    world.passes(seconds=1)
    citizen.opens()  # used last
    citizen.heard("vừa được mở trên một máy khác")
    world.officer().types(f"/duyet {code}").presses("approve")
    citizen.signals("blocked")
    assert other.hears() == [], "it may still be taken back"
    world.passes(seconds=61)
    other.heard("Chúc mừng")
    assert citizen.hears() == []
