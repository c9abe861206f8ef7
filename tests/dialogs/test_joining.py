"""Joining: from the link or the typed code, over consent, to the registration."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from dialogs.model import Opened, Pressed
from storage import audit, codes, people, units
from storage.base import metadata
from tests.dialogs.conftest import GROUNDS
from tests.support.world import World


def payload_of(world: World, body: str, vintage: str = "pre-2025") -> str:
    return codes.payload(codes.UnitCode(vintage, body))


def test_from_the_link_to_registered(world: World) -> None:
    citizen = world.citizen().opens("DV06685K").sees("Phường Hồng Gai, Thành phố Quảng Ninh — đúng không ạ?")
    citizen.presses("yes").sees("có đồng ý không ạ?", "Hội Khuyến học Phường Hồng Gai")
    citizen.presses("agree").types("  Nguyễn   Văn Hùng ").sees("sinh năm nào")
    citizen.types("1957").presses("skip").presses("Gọi là ông/bà").presses("Nông dân")
    citizen.sees("Đã ghi tên Nguyễn Văn Hùng", "TL-", "bản dựng lại để thử nghiệm", "Ông/bà đã đăng ký")
    world.recounted()


@pytest.mark.parametrize("typed", ["DV 06685-K", "dv06685k", "06685 K", "DV.06685.K"])
def test_the_posters_code_can_be_typed(world: World, typed: str) -> None:
    world.citizen().opens().sees("nhắn mã in dưới hình vuông").types(typed).sees("Phường Hồng Gai")


def test_a_mistyped_code_says_so_and_offers_the_name(world: World) -> None:
    citizen = world.citizen().opens().types("DV 06658-K").sees("có lẽ nhầm một chữ số", "nhắn tên xã, phường")
    citizen.types("hong gai quang ninh").sees("Phường Hồng Gai, Thành phố Quảng Ninh — đúng không ạ?")


def test_a_name_that_many_have_is_offered_as_a_list(world: World) -> None:
    citizen = world.citizen().opens().types("tân phú").sees("mấy nơi tên gần giống")
    assert len(citizen.screen.choices) > 2
    citizen.presses("Không có trong danh sách").sees("nhắn tên xã, phường của mình")
    citizen.types("xyzxyz").sees('Tôi không tìm thấy "xyzxyz"')


def test_an_association_unit_can_be_joined(world: World) -> None:
    with world.write() as conn:
        made = units.add_association_unit(conn, "06685", "Chi hội khu 3", "chi_hoi", "test", world.now)
    world.citizen().joins(codes.payload(codes.UnitCode("2025", made.code))).sees("Đã ghi tên")
    world.recounted()


def test_a_closed_commune_leads_to_its_successor(world: World) -> None:
    # Phường Hà Khánh of Hạ Long went wholly to another ward.
    citizen = world.citizen().opens(payload_of(world, "06649")).sees("Phường Hà Khánh", "nay thuộc")
    citizen.presses("yes").sees("có đồng ý không ạ?")


def test_a_divided_commune_asks_which(world: World) -> None:
    citizen = world.citizen().opens(payload_of(world, "06655")).sees("Phường Hà Khẩu", "nay ông/bà thuộc".capitalize())
    assert sum(choice.id.startswith("unit:") for choice in citizen.screen.choices) >= 2
    citizen.presses(citizen.screen.choices[0].label).sees("đúng không ạ?")


def test_consent_is_recorded_with_version_and_time(world: World) -> None:
    citizen = world.citizen().joins()
    with world.read() as conn:
        from storage.conversations import peek

        chat = peek(conn, citizen.account, citizen.address)
        assert chat is not None
        assert chat.person is not None
        ((version, controller, given, withdrawn),) = people.consents_of(conn, chat.person.id)
    assert (version, controller, given, withdrawn) == (
        "2026-11", "Hội Khuyến học Phường Hồng Gai", world.now, None
    )  # fmt: skip


def test_reading_more_before_consent(world: World) -> None:
    citizen = world.citizen().opens("DV06685K").presses("yes").presses("Đọc kỹ hơn")
    citizen.sees("rút lại sự đồng ý", "khiếu nại", "xin đừng gửi ảnh căn cước").presses("agree").sees("Họ và tên")


def test_refusing_leaves_nothing_but_the_claims_and_the_farewell(world: World) -> None:
    citizen = world.citizen().opens("DV06685K").presses("yes").presses("refuse")
    citizen.sees("không có thông tin nào")
    assert not citizen.exists()
    left = {}
    with world.read() as conn:
        for table in metadata.sorted_tables:
            texts = [str(tuple(row)) for row in conn.execute(table.select())]
            found = sum(citizen.address in text for text in texts)
            if found:
                left[table.name] = found
        contacts = conn.exec_driver_sql("select count(*) from contacts").scalar()
        talk = conn.exec_driver_sql("select count(*) from conversations").scalar()
        said = conn.exec_driver_sql("select count(*) from messages").scalar()
        consents = conn.exec_driver_sql("select count(*) from consents").scalar()
    assert left == {"claims": 3, "outbox": 1}
    assert (contacts, talk, said, consents) == (0, 0, 0, 0)


def test_an_officer_who_refuses_consent_stays_an_officer(world: World) -> None:
    officer = world.officer().opens("DV06685K").presses("yes").presses("refuse").sees("không có thông tin nào")
    officer.types("/queue")
    assert officer.exists()


@pytest.mark.parametrize("ground", [*GROUNDS, "web"], indirect=True)
def test_the_door_is_closed_to_a_child_and_nothing_of_them_is_kept(world: World) -> None:
    citizen = world.citizen().opens("DV06685K").presses("yes").presses("agree").types("Trần Thị Na").types("2012")
    citizen.sees("từ 18 tuổi", "không giữ lại thông tin nào")
    assert not citizen.exists()
    with world.read() as conn:
        kept = {
            table.name: [row._asdict() for row in conn.execute(sa.select(table))]
            for table in metadata.sorted_tables
            if not table.name.startswith(("unit", "succ"))
        }
    assert [table for table in ("contacts", "consents", "conversations", "messages", "people") if kept[table]] == []
    held = json.dumps(kept, ensure_ascii=False, default=str)
    assert "Trần Thị Na" not in held and "2012" not in held
    (farewell,) = kept["outbox"]
    assert farewell["contact_id"] is None  # gone with the next tidying
    citizen.screen = type(citizen.screen)("")
    citizen.joins(name="Trần Thị Na", year="2001").sees("Đã ghi tên")


def test_an_officer_who_types_a_childs_year_stays_an_officer(world: World) -> None:
    officer = world.officer().opens("DV06685K").presses("yes").presses("agree").types("Trần Thị Na").types("2012")
    officer.sees("từ 18 tuổi")
    with world.read() as conn:
        assert conn.execute(sa.select(people.consents)).all() == []
    assert officer.exists()
    officer.types("/queue").sees("Hàng đợi")


def test_the_unit_may_set_another_age(world: World) -> None:
    with world.write() as conn:
        units.set_setting(conn, "22", "min_age", "15", "test", world.now)
    citizen = world.citizen().opens("DV06685K").presses("yes").presses("agree").types("Trần Thị Na").types("2010")
    citizen.presses("skip").presses("Gọi là bạn").sees("Học sinh")
    assert not any("từ 18" in choice.label for choice in citizen.screen.choices)


def test_the_fourth_group_is_for_adults_by_default(world: World) -> None:
    citizen = world.citizen().opens("DV06685K").presses("yes").presses("agree").types("Trần Thị Na").types("2001")
    citizen.presses("skip").presses("Gọi là bạn").sees("Sinh viên, học viên (từ 18 tuổi)")


@pytest.mark.parametrize("name", ["<b>Lê & Trần</b>", "Y Wang Niê Kdăm", "Đỗ Thị Mỹ  Hạnh"])
def test_names_are_kept_as_given(world: World, name: str) -> None:
    citizen = world.citizen().joins(name=name)
    citizen.presses("later").sees(" ".join(name.split()))


@pytest.mark.parametrize("name", ["1", "", "\u200f\u202e", "12345", "🙂🙂"])
def test_what_is_no_name_is_asked_again(world: World, name: str) -> None:
    citizen = world.citizen().opens("DV06685K").presses("yes").presses("agree").types(name)
    assert citizen.screen.input == "name"


# With a plus and without: messengers share a contact's number either way.
@pytest.mark.parametrize("typed", ["0912 345 678", "+84 912.345.678", "+84 912 345 678", "84912345678"])
def test_a_phone_number_is_normalised(world: World, typed: str) -> None:
    world.citizen().joins(phone=typed)
    with world.read() as conn:
        assert conn.exec_driver_sql("select phone from people").scalar() == "0912345678"


def test_a_wrong_phone_number_is_asked_again(world: World) -> None:
    citizen = world.citizen().opens("DV06685K").presses("yes").presses("agree").types("Trần Thị Na").types("1980")
    citizen.types("12345").sees("Số này chưa đúng")


def test_a_second_scan_resumes(world: World) -> None:
    citizen = world.citizen().joins().presses("start")
    before = citizen.screen.title
    citizen.opens("DV06685K").sees("đã gắn với Phường Hồng Gai").presses("Làm tiếp phiếu")
    assert citizen.screen.title == before


def test_a_scan_of_another_unit_asks_whether_to_move(world: World) -> None:
    officer = world.officer()
    citizen = world.citizen().joins()
    citizen.submits()
    with world.read() as conn:
        other = next(unit for unit in units.tree(conn, "22") if unit.level == 2 and unit.code != "06685")
    citizen.opens(payload_of(world, other.code, "2025")).sees("Phường Hồng Gai", other.name)
    citizen.presses("stay")
    world.recounted()
    citizen.opens(payload_of(world, other.code, "2025")).presses("move").sees(f"Đã chuyển ông/bà sang {other.name}")
    world.recounted()
    officer.heard("đã chuyển sang")


def test_going_back_keeps_what_was_said(world: World) -> None:
    citizen = world.citizen().opens("DV06685K").presses("yes").presses("agree").types("Trần Thị Na")
    citizen.presses("back").sees("Họ và tên").types("Trần Thị Nga").types("1980").presses("skip")
    citizen.presses("back").sees("Số điện thoại").presses("back").sees("sinh năm nào")


def test_the_resume_code_opens_the_form_elsewhere_and_locks_after_five_wrong_tries(world: World) -> None:
    citizen = world.citizen().joins()
    code = citizen.read_out()[citizen.read_out().index("TL-") :][:22]
    other = world.citizen().opens().types(code).sees("Đã mở lại phiếu", "Nguyễn Văn Hùng")
    assert other.exists()
    wrong = [code[:-1] + sign for sign in "234567" if sign != code[-1]][:5]
    thief = world.citizen().opens()
    for each in wrong[:4]:
        thief.types(each).sees("Mã tiếp tục chưa đúng")
    thief.types(wrong[4]).sees("tạm khóa một giờ")
    thief.types(code).sees("tạm khóa một giờ")
    world.passes(minutes=61)
    thief.types(code).sees("Đã mở lại phiếu")


def test_a_card_that_opens_the_form_elsewhere_is_written_down_and_told(world: World) -> None:
    with world.write() as conn:
        units.set_setting(conn, "06685", "contact_phone", "0203 382 5555", "test", world.now)
    citizen = world.citizen().joins()
    code = citizen.read_out()[citizen.read_out().index("TL-") :][:22]
    citizen.presses("later").types(code).sees("Đã mở lại phiếu")
    assert citizen.hears() == []  # on the phone where it is open already
    finder = world.citizen().opens().types(code).sees("Đã mở lại phiếu")
    (told,) = citizen.hears()
    assert "vừa được mở trên một máy khác" in told.text and "0203 382 5555" in told.text and finder.hears() == []
    other = world.citizen().joins(name="Lê Văn Khác").types(code).presses("switch").sees("Nguyễn Văn Hùng")
    assert [len(each.hears()) for each in (citizen, finder, other)] == [1, 1, 0]
    with world.read() as conn:
        lines = [line for line in audit.listing(conn) if line.action in ("person.resume", "person.switch")]
        place = units.by_code(conn, "06685")
    assert [(line.action, line.subject, line.unit_id) for line in lines] == [
        (action, lines[0].subject, place.id if place else 0) for action in ("person.resume", "person.switch")
    ]


def test_the_resume_code_lies_nowhere_in_the_database(world: World) -> None:
    world.profile = "web"
    citizen = world.citizen().joins()
    code = citizen.read_out()[citizen.read_out().index("TL-") :][:22]
    citizen.presses("later").types(code)
    with world.read() as conn:
        for table in metadata.sorted_tables:
            for row in conn.execute(table.select()):
                assert code not in str(tuple(row)), table.name
                assert code.replace("-", "") not in str(tuple(row)), table.name


def test_registration_outside_its_window(world: World) -> None:
    world.now = datetime(2026, 12, 10, 3, 0, tzinfo=UTC)
    citizen = world.citizen().joins().sees("việc đăng ký hiện chưa mở")
    citizen.types("/dangky").sees("mở từ ngày 01/01/2026")
    world.recounted()


def test_before_self_assessment_the_questions_say_when_they_open(world: World) -> None:
    world.now = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
    citizen = world.citizen().joins().sees("Việc tự đánh giá mở từ ngày 01/09/2026")
    world.now = datetime(2026, 9, 1, 3, 0, tzinfo=UTC)
    citizen.types("/hoso").presses("Bắt đầu trả lời").sees("Câu 1/10")


def test_a_repeated_event_has_one_effect(world: World) -> None:
    citizen = world.citizen().opens("DV06685K")
    citizen.does(Pressed("yes"), event="once")
    shown = citizen.screen
    citizen.does(Pressed("yes"), event="once")
    assert citizen.last.repeat
    assert citizen.screen is shown
    citizen.does(Opened(""), event="again").sees("có đồng ý không ạ?")


def test_a_commune_is_found_by_the_name_it_had(world: World) -> None:
    former = "Phường Bạch Đằng, Thành phố Hạ Long, Tỉnh Quảng Ninh (tên cũ)"
    citizen = world.citizen().opens().types("Phường Bạch Đằng, Thành phố Hạ Long").presses(former)
    citizen.sees("Phường Bạch Đằng, Thành phố Hạ Long, Tỉnh Quảng Ninh")
    assert {choice.id for choice in citizen.screen.choices} & {"yes", "no"}


def test_at_the_first_question_another_commune_may_be_typed(world: World) -> None:
    citizen = world.citizen().opens("DV06685K").types("DV 06658-K").sees("có lẽ nhầm một chữ số", "Phường Hồng Gai")
    citizen.types("phường Bãi Cháy, Quảng Ninh").sees("Phường Bãi Cháy").types("đúng").sees("có đồng ý không ạ?")


def test_a_code_without_its_letter_is_asked_by_name(world: World) -> None:
    world.citizen().opens().types("06685").sees("Phường Hồng Gai, Thành phố Quảng Ninh — đúng không ạ?")
