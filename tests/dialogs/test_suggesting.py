"""/gopy: from a citizen to the officers of the unit and of the level above, and the answer back."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from dialogs.model import Pressed, Screen, encode_screen
from storage import (
    codes,
    conversations,
    desks,
    erasure,
    housekeeping,
    outbox,
    people,
    shown,
    suggestions,
    units,
    unsaid,
)
from storage.base import Refused
from storage.housekeeping import Keep
from tests.support.world import Chat, World

TEXT = "Xin mở thêm lớp tin học buổi tối cho bà con khu 3."
ANSWER = "Cảm ơn bà con, lớp buổi tối mở từ tháng sau."


def suggests(chat: Chat, text: str = TEXT) -> Chat:
    return chat.types("/gopy").presses("write").types(text).presses("send") if is_officer(chat) else sends(chat, text)


def is_officer(chat: Chat) -> bool:
    with chat.world.read() as conn:
        return bool(
            conn.exec_driver_sql(
                "select count(*) from officer_contacts o join contacts c on c.id = o.contact_id"
                f" where c.address = '{chat.address}'"
            ).scalar()
        )


def sends(chat: Chat, text: str = TEXT) -> Chat:
    return chat.types("/gopy").sees("Hội Khuyến học").types(text).sees("Gửi góp ý này", text).presses("send")


def opens_first(officer: Chat) -> Chat:
    officer.types("/gopy")
    return officer.presses(next(each.id for each in officer.screen.choices if each.id.startswith("open:")))


def test_from_the_citizen_to_the_officers_and_back(world: World) -> None:
    reviewer, province = world.officer(), world.officer("22", "supervisor", "Lê Quang Bình")
    centre, elsewhere = world.officer("VN", "supervisor", "Ngô An"), world.officer("00004", name="Vũ Văn Nam")
    citizen = world.citizen().joins().presses("start").types("/gopy")
    citizen.sees("Hội Khuyến học Phường Hồng Gai và cấp trên", "không thấy tên ông/bà").types(TEXT)
    citizen.sees("Gửi góp ý này", TEXT).presses("send").sees("Góp ý đã gửi", "Câu 1/10")
    for reader in (reviewer, province):
        reader.heard("Có góp ý mới về Phường Hồng Gai")
        reader.does(Pressed("go:gopy"), screen=None).sees("1 góp ý đang chờ", "Xin mở thêm lớp")
    for other in (centre, elsewhere):
        assert other.hears() == []
        other.types("/gopy").sees("Không có góp ý nào").sees_not("Xin mở thêm lớp")
    opens_first(province).sees("Góp ý từ Phường Hồng Gai", TEXT).sees_not("Nguyễn Văn Hùng")
    province.types(ANSWER).sees("Gửi lời đáp này?", ANSWER).presses("send").sees("Lời đáp đã gửi", "Không có góp ý nào")
    citizen.heard(ANSWER)
    citizen.types("/gopy").sees(TEXT, f"Trả lời: {ANSWER}")
    reviewer.types("/gopy").presses("answered").presses("open:1").sees(
        f"Lê Quang Bình trả lời ngày 05/10/2026: {ANSWER}"
    )
    world.recounted()


def chi_hoi(world: World) -> str:
    """What a new chi hội's code opens a chat with."""
    with world.write() as conn:
        made = units.add_association_unit(conn, "06685", "Chi hội khu 3", "chi_hoi", "test", world.now)
    return codes.payload(codes.UnitCode("2025", made.code))


def test_officers_of_a_chi_hoi_and_the_nearest_above(world: World) -> None:
    payload = chi_hoi(world)
    province = world.officer("22", "supervisor", "Lê Quang Bình")
    sends(world.citizen().joins(payload))
    province.heard("Có góp ý mới về Phường Hồng Gai")  # the commune has no officer yet
    commune = world.officer()
    sends(world.citizen().joins(payload, name="Lê Thị Na"), "Đề nghị mượn sách của thư viện phường")
    commune.heard("Có góp ý mới về Phường Hồng Gai")
    assert province.hears() == []
    province.types("/gopy").sees("1 góp ý đang chờ", "Xin mở")


def test_of_a_few_only_their_commune_is_named(world: World) -> None:
    payload, officer = chi_hoi(world), world.officer()
    citizen = world.citizen().joins(payload)
    citizen.types(f"/gopy {TEXT}").sees("có thể đoán ra ông/bà").presses("send")
    officer.heard("Có góp ý mới về Phường Hồng Gai")
    opens_first(officer).sees("Góp ý từ Phường Hồng Gai, ngày").sees_not("khu 3, ngày")
    officer.types(ANSWER).presses("send")
    with world.read() as conn:
        named = "select u.code from audit a join units u on u.id = a.unit_id where a.action like 'suggestion.%%'"
        assert conn.exec_driver_sql(named).scalars().all() == ["06685", "06685"]
    citizen.types(f"/gopy {TEXT}").presses("send")
    bound(world, suggestions.FEW - 1)
    officer.types("/gopy").sees("Phường Hồng Gai: Xin mở").sees_not("Chi hội khu 3")
    bound(world, suggestions.FEW)
    officer.types("/gopy").sees("Chi hội khu 3: Xin mở")
    citizen.types(f"/gopy {TEXT}").sees_not("có thể đoán ra")
    officer.types(f"/gopy {TEXT}").sees("có thể đoán ra")


def bound(world: World, people: int) -> None:
    """So many people are bound to the chi hội."""
    with world.write() as conn:
        conn.exec_driver_sql(
            f"update rollout set bound = {people} where unit_id = (select id from units where code = '0668501')"
        )


def test_where_nobody_reads_yet_it_waits_for_whoever_comes(world: World) -> None:
    with world.write() as conn:
        units.set_setting(conn, "06685", "contact_name", "bà Lan", "test", world.now)
        units.set_setting(conn, "06685", "contact_phone", "0203 382 5555", "test", world.now)
    citizen = sends(world.citizen().joins(chi_hoi(world)))
    citizen.sees("chưa có cán bộ nào nhận góp ý", "bà Lan, 0203 382 5555").sees_not("Góp ý đã gửi")
    centre = world.officer("VN", "supervisor", "Ngô An").types("/gopy").sees("1 góp ý đang chờ")
    province = world.officer("22", "supervisor", "Lê Quang Bình")
    centre.types("/gopy").sees("Không có góp ý nào")  # there is a nearer one now
    opens_first(province).types(ANSWER).presses("send").sees("Lời đáp đã gửi")
    citizen.heard(ANSWER)
    world.officer()
    province.types("/gopy").presses("answered").sees("Xin mở")  # who answered it finds it again


def test_the_next_above_reads_when_those_who_could_have_gone(world: World) -> None:
    province = world.officer("22", "supervisor", "Lê Quang Bình")
    sends(world.citizen().joins())
    centre = world.officer("VN", "supervisor", "Ngô An").types("/gopy").sees("Không có góp ý nào")
    with world.write() as conn:
        chat = conversations.open_chat(conn, province.account, province.address)
        assert chat is not None and chat.officer_id is not None
        desks.dismiss(conn, chat.officer_id, None, world.now, "test")
    opens_first(centre).types(ANSWER).presses("send").sees("Lời đáp đã gửi")


def test_the_trail_does_not_say_who_wrote(world: World) -> None:
    world.officer()
    sends(world.citizen().joins())
    suggests(world.officer(name="Vũ Văn Nam"), "Xin thêm sách cho thư viện")
    with world.read() as conn:
        lines = conn.exec_driver_sql("select actor, details from audit where action = 'suggestion.made'").all()
    assert [tuple(line) for line in lines] == [("unnamed", None)] * 2


def test_an_officer_suggests_and_hears_the_answer(world: World) -> None:
    reviewer, province = world.officer(), world.officer("22", "supervisor", "Lê Quang Bình")
    suggests(reviewer).sees("Góp ý đã gửi")
    assert reviewer.hears() == []
    reviewer.types("/gopy").sees("Không có góp ý nào")
    province.heard("Có góp ý mới")
    opens_first(province).sees("Góp ý từ Phường Hồng Gai").types(ANSWER).presses("send")
    reviewer.heard(ANSWER)
    reviewer.types("/gopy").presses("write").sees(ANSWER)


def test_three_a_day_and_more_tomorrow(world: World) -> None:
    world.officer()
    citizen = world.citizen().joins()
    for _n in range(suggestions.A_DAY):
        sends(citizen).sees("Góp ý đã gửi")
    sends(citizen).sees("Hôm nay ông/bà đã gửi 3 góp ý").sees_not("Góp ý đã gửi tới")
    world.passes(hours=14, minutes=59)  # 23:59
    sends(citizen).sees("đã gửi 3 góp ý")
    world.passes(minutes=1)
    sends(citizen).sees("Góp ý đã gửi")


def test_officers_are_told_once_an_hour_and_see_them_all(world: World) -> None:
    officer = world.officer()
    for name in ("Lê Thị Na", "Trần Văn Bình"):
        sends(world.citizen().joins(name=name))
    assert len(officer.hears()) == 1
    officer.types("/gopy").sees("2 góp ý đang chờ")
    world.passes(minutes=61)
    sends(world.citizen().joins(name="Đỗ Văn Tư"))
    assert len(officer.hears()) == 1


def test_it_is_answered_once(world: World) -> None:
    first, second = world.officer(), world.officer(name="Vũ Văn Nam")
    citizen = sends(world.citizen().joins())
    opens_first(first).types(ANSWER)
    opens_first(second).types("Lời đáp của người thứ hai").presses("send")
    first.presses("send").sees("Vũ Văn Nam đã trả lời góp ý này")
    assert [ANSWER in citizen.read_out(each) for each in citizen.hears()] == [False]


def test_a_stranger_is_asked_to_join_and_nothing_is_kept(world: World) -> None:
    world.citizen().opens().types(f"/gopy {TEXT}").sees("gắn với xã, phường trước")
    with world.read() as conn:
        assert conn.exec_driver_sql("select count(*) from suggestions").scalar() == 0


def test_the_text_may_stand_behind_the_command_and_be_written_anew(world: World) -> None:
    citizen = world.citizen().joins().types(f"/gopy {TEXT}").sees("Gửi góp ý này", TEXT).presses("again")
    citizen.types("Xin đổi giờ mở nhà văn hóa").sees("Xin đổi giờ").presses("back").sees("đã đăng ký")
    with world.read() as conn:
        assert conn.exec_driver_sql("select count(*) from suggestions").scalar() == 0


def test_what_is_written_is_plain_text_on_one_button(world: World) -> None:
    sends(world.citizen().joins(), "<b>Đọc\nsách</b> & *chơi* [x](y) mỗi tuần")
    officer = world.officer().types("/gopy")
    label = next(each.label for each in officer.screen.choices if each.id.startswith("open:"))
    assert "\n" not in label and "<b>Đọc sách</b> & *chơi*" in label
    opens_first(officer).sees("<b>Đọc\nsách</b> & *chơi* [x](y)")


def test_an_id_number_in_it_is_not_kept(world: World) -> None:
    citizen = world.citizen().joins().types("/gopy").types("Số của tôi là 022157001234, xin xem giúp tôi")
    citizen.sees_not("022157001234")


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("Quá ngắn", "suggestion_short"),
        ("x" * 1001, "suggestion_long"),
        (f"{TEXT} https://lua-dao.example/x", "suggestion_link"),
        (f"{TEXT} https://hoctap.example.vn/u/DV06685K", ""),
        ("x" * 10, ""),
        ("x" * 1000, ""),
    ],
)
def test_what_may_be_written(text: str, refused: str) -> None:
    site = "https://hoctap.example.vn"
    if not refused:
        assert suggestions.checked(text, site) == text
        return
    with pytest.raises(Refused, match=refused):
        suggestions.checked(text, site)


def test_an_answer_leads_nowhere_else_either(world: World) -> None:
    sends(world.citizen().joins())
    opens_first(world.officer()).types("Xem tại lua-dao.com nhé").sees("không gửi kèm đường dẫn")


def test_nobody_reads_what_is_not_for_them(world: World) -> None:
    sends(world.citizen().joins())
    stranger = world.officer("00004", name="Vũ Văn Nam")
    reader = opens_first(world.officer())
    with world.write() as conn:
        conn.exec_driver_sql(
            "update conversations set state = (select state from conversations c join contacts k on k.id = c.contact_id"
            f" where k.address = '{reader.address}')"
            f" where contact_id = (select id from contacts where address = '{stranger.address}')"
        )
    stranger.opens().sees_not(TEXT).sees("không thuộc phạm vi")


def test_it_goes_with_its_writer_and_the_number_is_not_given_again(world: World) -> None:
    citizen = sends(world.citizen().joins())
    reader = opens_first(world.officer()).types(ANSWER)
    erase_the_first(world)
    with world.read() as conn:
        assert conn.exec_driver_sql("select count(*) from suggestions").scalar() == 0
    other = sends(world.citizen().joins(name="Lê Thị Na"), "Một góp ý khác hẳn góp ý trước")
    reader.presses("send").sees("không còn nữa")
    assert citizen.hears() == [] and other.hears() == []


def erase_the_first(world: World) -> None:
    with world.write() as conn:
        person = people.person(conn, 1)
        assert person is not None
        erasure.erase_person(conn, person, "test", world.now)


def shows(world: World, officer: Chat, message: int) -> None:
    """Telegram shows the officer's screen in this message."""
    with world.write() as conn:
        row = conn.exec_driver_sql(f"select max(id) from outbox where address = '{officer.address}'").scalar()
        now = shown.Shown(1, message, message, outbox_id=row, protected=True)
        shown.keep(conn, officer.account, officer.address, now)


def taken_away(world: World) -> dict[str, str]:
    """The messages that are to be deleted at the channels, by chat."""
    with world.read() as conn:
        return {row.address: row.message_ids for row in conn.execute(sa.select(unsaid.unsaid))}


def kept_words(world: World) -> str:
    """All that the tables of messages and states still say."""
    with world.read() as conn:
        tables = ("outbox", "messages", "conversations")
        return "\n".join(str(conn.exec_driver_sql(f"select * from {table}").all()) for table in tables)


@pytest.mark.parametrize("by", ["erasure", "time"])
def test_it_goes_from_the_officers_phones_with_its_writer(world: World, by: str) -> None:
    """Neither of the writers has a dossier: nothing but the suggestion leads to these officers."""
    for name, text in (("Nguyễn Thị Mận", TEXT), ("Lê Thị Na", "Đề nghị mượn sách của thư viện phường")):
        sends(world.citizen().joins(name=name), text)
        world.passes(hours=1)
    names = ("đang đọc", "đang đáp", "danh sách", "không liên quan", "tỉnh")
    reading, answering, listing, elsewhere = (world.officer(name=name) for name in names[:4])
    above = world.officer("22", "supervisor", names[4])
    for officer in (reading, answering, above):
        officer.types("/gopy").presses("open:1")
    answering.types("Chào bà Mận, lớp mở từ tháng sau")
    listing.types("/gopy")
    elsewhere.types("/gopy").presses("open:2")
    for n, officer in enumerate((reading, answering, listing, elsewhere, above), 71):
        shows(world, officer, n)
    if by == "erasure":
        erase_the_first(world)
    else:
        with world.write() as conn:
            suggestions.purge(conn, world.now - timedelta(hours=1, minutes=30), world.now)
    gone = {reading.address: "71", answering.address: "72", listing.address: "73", above.address: "75"}
    assert taken_away(world) == gone
    said = kept_words(world)
    if by == "erasure":
        assert "Xin mở thêm lớp" not in said and "bà Mận" not in said
    else:  # the writer's own chat keeps what its person wrote
        assert "bà Mận" not in said
    assert "Đề nghị mượn sách" in said
    answering.presses("send").sees("không còn nữa")


def test_nothing_goes_with_it_that_only_sounds_like_it(world: World) -> None:
    """People begin as the product does: with the name of the association, or with thanks."""
    first = "Hội Khuyến học Phường Hồng Gai nên mở lớp"
    sends(world.citizen().joins(name="Nguyễn Thị Mận"), first)
    world.passes(hours=2)
    sends(world.citizen().joins(name="Lê Thị Na"), f"{first} buổi tối ở khu 3")
    other = world.officer(name="Vũ Văn Nam").types("/gopy").presses("open:2").sees("buổi tối ở khu 3")
    shows(world, other, 71)
    told = world.officer(name="Ngô An").types("/donvi")
    shows(world, told, 72)
    with world.write() as conn:
        contact = conn.exec_driver_sql(f"select id from contacts where address = '{told.address}'").scalar()
        body = encode_screen(Screen("Thông báo của Hội Khuyến học Phường Hồng Gai đã gửi xong cho 120 người."))
        put = outbox.put(
            conn, account=told.account, address=told.address, contact_id=contact, body=body, now=world.now, priority=1
        )
        lists = "select count(*) from outbox where body like '%%open:1%%'"  # of both, on the way to the other
        kept = conn.exec_driver_sql("select count(*) from outbox").scalar() - conn.exec_driver_sql(lists).scalar()
        suggestions.purge(conn, world.now - timedelta(hours=1), world.now)
        assert conn.exec_driver_sql(f"select outcome from outbox where id = {put}").scalar() == "waiting"
        assert conn.exec_driver_sql("select count(*) from outbox").scalar() == kept
        assert conn.exec_driver_sql("select count(*) from suggestions").scalar() == 1
    assert taken_away(world) == {}


def test_it_is_in_the_copy_of_ones_data(world: World) -> None:
    citizen = sends(world.citizen().joins())
    opens_first(world.officer()).types(ANSWER).presses("send")
    citizen.types("/dulieu").presses("export")
    copy = "".join(each.content for each in citizen.screen.documents) or citizen.read_out()
    while any(each.id == "more" for each in citizen.screen.choices):
        copy += citizen.presses("more").read_out()
    assert "tin học buổi tối" in copy and "lớp buổi tối mở" in copy


def test_it_goes_when_its_time_is_over(world: World) -> None:
    sends(world.citizen().joins())
    answered = sends(world.citizen().joins(name="Lê Thị Na"), "Một góp ý khác, có lời đáp")
    world.passes(days=100)
    officer = world.officer().types("/gopy")
    officer.presses("open:2").types(ANSWER).presses("send")
    assert answered.hears()
    for days, left in ((179, [1, 2]), (181, [2]), (281, [])):
        with world.write() as conn:
            at = world.now - timedelta(days=100) + timedelta(days=days)
            housekeeping.tidy(conn, Keep(unjoined_days=9999), at)
            assert list(conn.execute(sa.select(suggestions.suggestions.c.id)).scalars()) == left


@pytest.mark.parametrize(
    "change", ["officer_id = 1", "person_id = null", "nth = 4", "text = 'x'", "answer = 'x'", "answered_at = made_at"]
)
def test_the_schema_refuses_what_cannot_be(world: World, change: str) -> None:
    sends(world.citizen().joins())
    world.officer()
    with world.write() as conn, pytest.raises(IntegrityError):
        conn.exec_driver_sql(f"update suggestions set {change}")
