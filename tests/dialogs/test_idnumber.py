"""The personal id number: asked for where a unit does, hidden wherever it is typed, kept nowhere as it is."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from dialogs import home, idnumber, places
from dialogs.model import Incoming, Opened, Pressed, Sent, Typed, Unsupported, decode_incoming, encode_incoming
from dialogs.states import Rules, Turn
from storage import events, identity, people, privacy, units, unsaid
from storage.engine import metadata
from storage.identity import Key, KeyRing
from tests.support.world import HONG_GAI, Chat, World

NUMBER, SAID = "022157001234", "022 157 001 234"
OTHER = "001203004321"
RING = KeyRing((Key("VN-1", 1, b"k" * 32),))


@pytest.fixture
def asking(world: World) -> World:
    return asks(world, "ask")


def asks(world: World, how: str) -> World:
    """A world whose province asks for the number, and whose server has a key."""
    with world.write() as conn:
        identity.register(conn, RING.keys[0], world.now)
        units.set_setting(conn, "22", "id_number", how, "test", world.now)
    world.rules = replace(world.rules, keys=lambda: RING)
    return world


def to_the_question(chat: Chat, year: str = "1957") -> Chat:
    chat.opens(HONG_GAI).presses("yes").presses("agree").types("Nguyễn Văn Hùng").types(year).presses("skip")
    return chat.sees("12 chữ số", "CCCD")


def everything(world: World) -> str:
    """Every column of every table, as one text."""
    with world.read() as conn:
        rows = [repr(row) for table in metadata.sorted_tables for row in conn.execute(sa.select(table))]
    return "\n".join(rows)


def nowhere(world: World, log: str = "") -> None:
    """The number is in no table and no log line, however it was written."""
    digits = "".join(each for each in everything(world) + log if each not in " .-")
    for number in (NUMBER, OTHER):
        assert number not in digits
        assert number[:9] not in digits


# ------------------------------------------------------------------------------------------ asked for


def test_it_is_not_asked_for_unless_a_unit_wants_it(world: World) -> None:
    world.citizen().joins().types("/dulieu").sees_not("Số định danh")


def test_without_a_key_nobody_is_asked(world: World) -> None:
    asks(world, "require").rules = Rules()
    world.citizen().joins()


def test_the_number_is_asked_for_shown_shaded_and_may_be_skipped(asking: World) -> None:
    citizen = asking.citizen().opens(HONG_GAI).presses("yes").sees("Đơn vị này còn hỏi số định danh cá nhân")
    citizen.presses("agree").types("Nguyễn Văn Hùng").types("1957").presses("skip").sees("bốn số cuối", "[Bỏ qua]")
    citizen.presses("back").sees("Số điện thoại").presses("skip")
    citizen.types(SAID).sees("Tôi đã ghi nhận số định danh cá nhân ••••1234").sees_not("khác năm")
    citizen.presses("back").sees("12 chữ số").types(NUMBER).presses("ong_ba").presses("back").presses("ong_ba")
    citizen.presses("nong_dan").types("/dulieu").sees("Số định danh cá nhân: ••••1234")
    nowhere(asking)
    to_the_question(asking.citizen()).presses("skip").presses("ong_ba").presses("nong_dan").types("/dulieu")


def test_where_it_is_required_there_is_no_skipping(world: World) -> None:
    citizen = to_the_question(asks(world, "require").citizen()).sees_not("Bỏ qua")
    citizen.does(Pressed("skip")).sees("12 chữ số")
    citizen.types(NUMBER).sees("••••1234")


def from_now_on(world: World, how: str) -> None:
    """The province changes its mind; what dialogs keep of settings for seconds is over."""
    with world.write() as conn:
        units.set_setting(conn, "22", "id_number", how, "test", world.now)
    places._known.clear()


@pytest.fixture
def keyed(world: World) -> World:
    """A server with a key, of which no unit asks for the number yet."""
    with world.write() as conn:
        identity.register(conn, RING.keys[0], world.now)
    world.rules = replace(world.rules, keys=lambda: RING)
    return world


def test_who_joined_before_it_was_required_is_asked_before_handing_in(keyed: World) -> None:
    citizen = keyed.citizen().joins().answers("kha").sees("[Nộp phiếu]")
    from_now_on(keyed, "require")
    citizen.presses("hand_in").sees("trước khi nhận phiếu", "12 chữ số").sees_not("Bỏ qua")
    citizen.presses("back").sees("[Nộp phiếu]").types("/trangchu").sees("trước khi nhận phiếu")
    citizen.presses("id_number").types("số tôi").sees("đúng 12 chữ số").presses("back").sees("trước khi nhận phiếu")
    citizen.presses("go_on").presses("hand_in").types(SAID).sees("ghi nhận", "••••1234", "Nộp")
    citizen.presses("submit").sees("Mã hồ sơ").sees_not("trước khi nhận")
    nowhere(keyed)
    keyed.recounted()


def test_it_is_asked_also_of_who_stands_at_the_last_question(keyed: World) -> None:
    citizen = keyed.citizen().joins().answers("kha").presses("hand_in")
    from_now_on(keyed, "require")
    citizen.presses("submit").sees("trước khi nhận phiếu").types(NUMBER).presses("submit").sees("Mã hồ sơ")


def test_whoever_is_wanted_no_more_goes_on(keyed: World) -> None:
    citizen = keyed.citizen().joins().answers("kha")
    from_now_on(keyed, "require")
    citizen.presses("hand_in").sees("trước khi nhận phiếu")
    from_now_on(keyed, "ask")
    citizen.presses("back").presses("hand_in").presses("submit").sees("Mã hồ sơ")


def test_who_has_no_card_yet_joins_and_is_asked_again(world: World) -> None:
    citizen = to_the_question(asks(world, "require").citizen()).presses("Chưa có thẻ").sees("trước khi nộp")
    citizen.presses("ong_ba").presses("nong_dan").answers("kha").presses("hand_in").sees("trước khi nhận phiếu")
    citizen.does(Sent(("a" * 64,))).sees("đừng gửi ảnh thẻ").types("/hoso").sees("trước khi nhận phiếu")
    citizen.presses("id_number").types(NUMBER).sees("ghi nhận").sees_not("trước khi nhận")
    citizen.presses("go_on").presses("hand_in").presses("submit").sees("Mã hồ sơ")


def test_the_consent_to_the_number_is_a_proof_of_its_own(asking: World) -> None:
    citizen = to_the_question(asking.citizen()).sees("đồng ý cho dùng số").types(NUMBER).presses("ong_ba")
    citizen.presses("nong_dan")
    asking.passes(hours=1)
    citizen.types("/dulieu").sees("cho dùng số định danh cá nhân (bản 2026-11/id)")
    with asking.read() as conn:
        general, number = people.consents_of(conn, 1)
    assert (general[0], number[0]) == ("2026-11", "2026-11/id")
    assert number[1] == general[1]
    citizen.presses("id_number").types(OTHER)  # another number, the same consent
    citizen.presses("id_number").presses("remove").sees("rút lại sự đồng ý").sees_not("2026-11/id")
    with asking.read() as conn:
        first, second = people.consents_of(conn, 1)
        last = privacy.log(conn)[-1].request
    assert (first[3], second[3]) == (None, asking.now)
    assert (last.kind, last.about, last.outcome) == ("withdraw", "id_number", "done")
    citizen.presses("export")
    if citizen.capabilities.documents:
        page, document = citizen.screen.documents
        assert "Đã rút lại lúc" in page.content
        told = json.loads(document.content)["consents"]
        assert [each["withdrawn_at"] for each in told] == [None, asking.now.isoformat()]
    citizen.presses("back").presses("id_number").types(NUMBER).sees("2026-11/id")
    with asking.read() as conn:
        assert len(people.consents_of(conn, 1)) == 3
    citizen.presses("ask_erase").presses("erase").presses("erase_all")
    with asking.read() as conn:
        assert people.consents_of(conn, 1) == []


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("123456789", "9 chữ số là của giấy chứng minh nhân dân cũ"),
        ("123 456 789", "9 chữ số"),
        ("02215700123", "đúng 12 chữ số"),
        ("0221570012345", "đúng 12 chữ số"),
        ("000157001234", "đúng 12 chữ số"),
        ("022257001234", "đúng 12 chữ số"),
        (f"{NUMBER} {OTHER}", "đúng 12 chữ số"),
    ],
)
def test_a_wrong_number_is_told_kindly_and_kept_nowhere(asking: World, said: str, answer: str) -> None:
    citizen = to_the_question(asking.citizen()).types(said).sees(answer, "đã che số ấy")
    assert said.replace(" ", "") not in everything(asking).replace(" ", "")
    citizen.types("không biết").sees("đúng 12 chữ số").sees_not("đã che")


def test_another_year_of_birth_is_a_hint_and_no_more(asking: World) -> None:
    to_the_question(asking.citizen(), "1960").types(NUMBER).sees("khác năm 1960", "xưng hô")


def test_a_picture_of_the_card_is_not_taken(asking: World) -> None:
    citizen = to_the_question(asking.citizen())
    citizen.does(Sent(("a" * 64,)), message=77).sees("đừng gửi ảnh thẻ")
    with asking.read() as conn:
        wanted = [(77,)] if citizen.capabilities.delete else []
        assert [row.message_ids for row in unsaid.due(conn, citizen.account, asking.now)] == wanted


def test_it_can_be_corrected_and_taken_back(asking: World) -> None:
    citizen = to_the_question(asking.citizen()).presses("skip").presses("ong_ba").presses("nong_dan")
    citizen.types("/dulieu").presses("id_number").sees("12 chữ số").types(f"số {NUMBER}").sees("ghi nhận", "••••1234")
    citizen.presses("id_number").sees("đang lưu: ••••1234").types("đây").sees("đúng 12 chữ số").types(OTHER)
    citizen.sees("••••4321", "khác năm 1957").presses("id_number").presses("remove").sees("đã xóa số định danh")
    citizen.sees_not("••••4321")
    citizen.presses("id_number").presses("back").sees("Số định danh cá nhân")
    nowhere(asking)
    with asking.read() as conn:
        assert not identity.any_kept(conn)


def test_who_tries_numbers_to_learn_who_takes_part_waits_an_hour(asking: World) -> None:
    to_the_question(asking.citizen()).types(NUMBER).presses("ong_ba").presses("nong_dan")
    curious = to_the_question(asking.citizen())
    for n in range(5):
        curious.types("022 157").sees("đúng 12 chữ số")  # a slip tells nothing and counts for nothing
        curious.types(f"02215700900{n}").sees("Tôi đã ghi nhận").presses("back")
    curious.types(NUMBER).sees("tạm dừng nhận số đến", "[Bỏ qua]").sees_not("Đã có người khai")
    to_the_question(asking.citizen()).types(NUMBER).sees("Đã có người khai")  # others are not kept waiting
    asking.now += timedelta(hours=1)
    curious.types(NUMBER).sees("Đã có người khai")


def test_the_long_text_does_not_say_that_it_is_not_asked_for(asking: World) -> None:
    citizen = asking.citizen().opens(HONG_GAI).presses("yes").presses("more")
    citizen.sees("Không hỏi dân tộc", "một dấu để so trùng").sees_not("Không hỏi số căn cước")


def test_a_number_kept_stays_in_sight_when_it_is_asked_for_no_more(asking: World) -> None:
    citizen = to_the_question(asking.citizen()).types(NUMBER).presses("ong_ba").presses("nong_dan")
    asking.rules = Rules()
    citizen.types("/dulieu").sees("••••1234").presses("id_number").sees_not("12 chữ số").presses("remove")
    citizen.sees_not("••••1234")


def test_a_second_person_with_the_number_goes_on_and_both_officers_are_told(asking: World) -> None:
    first = to_the_question(asking.citizen()).types(NUMBER).sees_not("Đã có người khai")
    first.presses("ong_ba").presses("nong_dan")
    codes = [first.submits()]
    officer = asking.officer()
    officer.types(f"/duyet {codes[0]}").sees("••••1234").sees_not("một người khác")
    second = to_the_question(asking.citizen())
    second.types(SAID).sees("Đã có người khai với số này", "mã tiếp tục").sees_not("Nguyễn")
    second.presses("ong_ba").presses("nong_dan")
    codes.append(second.submits())
    for code in codes:
        officer.types(f"/duyet {code}").sees("một người khác cũng khai số định danh cá nhân này")
    asking.recounted()


def test_a_lost_key_is_no_answer_lost(asking: World, caplog: pytest.LogCaptureFixture) -> None:
    citizen = to_the_question(asking.citizen())
    asking.rules = replace(asking.rules, keys=lambda: KeyRing(()))
    citizen.types(NUMBER).sees("thử lại sau ít phút", "12 chữ số")
    assert "hoctap doctor" in caplog.text
    asking.rules = replace(asking.rules, keys=lambda: RING)
    citizen.types(NUMBER).sees("••••1234")


# ------------------------------------------------------------------------------------------ typed anywhere


def test_a_number_typed_anywhere_is_hidden_and_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    citizen = world.citizen()
    for said in (NUMBER, f"/start {SAID}", f"tôi là Lan, {SAID} ạ", f"/trogiup {NUMBER}"):
        citizen.types(said).sees("đã che số ấy")
    citizen.opens(NUMBER).sees("đã che số ấy")
    citizen.opens(HONG_GAI).sees_not("đã che").types(SAID).opens(HONG_GAI)
    citizen.presses("yes").types(SAID).presses("agree").types(f"Lan {NUMBER}")
    citizen.types("Lan Anh").types(NUMBER).types("1957").types(SAID).presses("skip").presses("ong_ba")
    citizen.presses("nong_dan").presses("start").presses("tot").presses("tot").sees("Minh chứng cho câu 2")
    citizen.types(f"Tôi đã dự lớp, giấy số {SAID}").sees("đã che số ấy")
    citizen.types("/hoso").does(Pressed(f"go:mend:{NUMBER}")).does(Pressed(NUMBER))
    assert "giấy số ••••1234" in everything(world)
    nowhere(world, caplog.text)
    world.recounted()


def test_a_caption_is_hidden_and_the_picture_stays(world: World) -> None:
    citizen = world.citizen().joins().presses("start").presses("tot").presses("tot").sees("Minh chứng cho câu 2")
    citizen.sends("one", caption=f"CCCD {SAID}").sees("đã che số ấy")
    assert "CCCD ••••1234" in everything(world)
    nowhere(world)


def test_an_officer_s_words_are_hidden_too(world: World) -> None:
    code = world.citizen().joins().submits()
    officer = world.officer().types(f"/tralai {code}").presses("mark:B2").presses("reasons").types(f"CCCD {NUMBER} mờ")
    officer.sees("đã che số ấy")
    nowhere(world)


@pytest.mark.parametrize("said", [NUMBER, f"câu này {SAID}"])
def test_a_defect_while_it_is_typed_keeps_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, said: str
) -> None:
    caplog.set_level(logging.DEBUG)
    world.rescues = True
    citizen = world.citizen().opens()

    def breaks(turn: Turn, *_rest: object) -> object:
        raise RuntimeError(f"cannot read {said}")

    monkeypatch.setattr(home, "take", breaks)
    citizen.does(Typed(said), message=5).sees("đã che số ấy")
    with world.read() as conn:
        (failed,) = events.listing(conn)
        deleted = [row.message_ids for row in unsaid.due(conn, citizen.account, world.now)]
    assert "••••" in json.loads(failed.raw)["act"]["text"]
    assert deleted == ([(5,)] if citizen.capabilities.delete else [])
    nowhere(world, caplog.text)


def test_a_defect_at_the_question_itself_keeps_no_slip_either(asking: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asking.rescues = True
    citizen = to_the_question(asking.citizen())
    monkeypatch.setattr(idnumber, "stated", lambda *_rest: 1 / 0)
    citizen.types("số 02215700123").sees("đã che số ấy")
    assert "02215700123" not in everything(asking)
    with asking.read() as conn:
        (failed,) = events.listing(conn)
    assert json.loads(failed.raw)["act"]["text"] == "số ••••"


# ------------------------------------------------------------------------------------------ by channel


def test_the_message_is_deleted_where_the_channel_can(world: World) -> None:
    citizen = world.citizen().opens()
    citizen.does(Typed(NUMBER), message=41)
    citizen.does(Typed("chào"), message=42)
    with world.read() as conn:
        rows = [row.message_ids for row in unsaid.due(conn, citizen.account, world.now)]
    if citizen.capabilities.delete:
        assert rows == [(41,)]
        assert citizen.acts == 3
    else:
        assert rows == []


@pytest.mark.parametrize(("message", "line"), [(41, "đang xóa tin nhắn đó; nếu vẫn"), (0, "xóa tin nhắn đó trên máy")])
def test_the_person_is_told_what_becomes_of_the_message(world: World, message: int, line: str) -> None:
    citizen = world.citizen().opens().does(Typed(NUMBER), message=message)
    citizen.sees(line if citizen.capabilities.delete else "xóa tin nhắn đó trên máy")


def test_on_the_web_the_history_shows_it_shaded(world: World) -> None:
    citizen = world.chat("web", "web").opens()
    citizen.types(f"số {SAID}").sees("đã che số ấy").sees_not("xóa tin nhắn")
    assert citizen.last.heard is not None
    assert json.loads(citizen.last.heard[1]) == {"text": "số ••••1234"}
    nowhere(world)


def test_what_the_act_does_not_carry_is_told_and_deleted_too(world: World) -> None:
    citizen = world.citizen().opens()
    with world.read() as conn:
        assert unsaid.due(conn, citizen.account, world.now) == []
    shielded = idnumber.shield(incoming(citizen, Unsupported("edited")), None)
    assert shielded.hidden
    assert NUMBER not in repr(idnumber.shield(incoming(citizen, Typed(NUMBER)), None))


def incoming(chat: Chat, act: Typed | Opened | Unsupported) -> Incoming:
    return Incoming(
        chat.account, "e", chat.address, act, chat.world.now, None, chat.capabilities, message=9, secret=True
    )


def test_an_event_keeps_its_message_when_it_is_taken_anew(world: World) -> None:
    given = incoming(world.citizen(), Typed("a"))
    assert decode_incoming(encode_incoming(given)) == given
    old = json.loads(encode_incoming(given))
    del old["message"], old["secret"]
    assert decode_incoming(json.dumps(old)).message == 0
