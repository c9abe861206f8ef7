"""Announcements: preview, count, confirm, sent in batches, one a day, told what came of it."""

from __future__ import annotations

import pytest

from dialogs import announcing
from dialogs.model import Pressed, Signal
from storage import announcements, audit, conversations, officers, outbox, people, reminders
from storage.base import Refused
from storage.housekeeping import Keep, tidy
from tests.support.world import HONG_GAI, Chat, World

TEXT = "Chiều thứ Bảy, nhà văn hóa khu 3 mở lớp kỹ năng số. Mời bà con tới học."


def goes_on(world: World) -> int:
    """What the scheduler does until nothing is left to do now; how many pieces."""
    pieces = 0
    with world.read() as conn:
        rows = announcements.under_way(conn)
    for row in rows:
        more = True
        while more:
            with world.write() as conn:
                more = announcing.step(conn, row.id, world.now)
            pieces += 1
    return pieces


def ends(world: World) -> None:
    """Everything is written, leaves, and is counted."""
    goes_on(world)
    with world.write() as conn:
        conn.exec_driver_sql("update outbox set outcome = 'sent' where outcome = 'waiting'")
    goes_on(world)


def announces(officer: Chat, text: str = TEXT) -> Chat:
    return officer.types("/thongbao").types(text).presses("send")


def test_from_the_command_to_the_report(world: World) -> None:
    people = [world.citizen().joins(name="Lê Thị An"), world.citizen().joins(form="anh_chi"), world.citizen().joins()]
    blocked = world.citizen().joins().does(Signal("blocked"))
    officer = world.officer()
    officer.types("/thongbao").sees("Phường Hồng Gai", "3 người", "từ 20 đến 1.000 ký tự")
    officer.types(TEXT).sees(
        "Công dân sẽ thấy", "Thông báo của Hội Khuyến học Phường Hồng Gai", TEXT, "Gửi tới 3 người?"
    )
    officer.presses("send").sees("Tôi đang gửi tới 3 người")
    goes_on(world)
    for each in people:
        (notice,) = each.hears()
        assert notice.text == TEXT
        assert notice.title == "Thông báo của Hội Khuyến học Phường Hồng Gai"
        assert [choice.id.rstrip("0123456789") for choice in notice.choices] == ["go:hoso", "go:stop:"]
    assert blocked.hears() == []
    assert officer.hears() == []
    goes_on(world)
    officer.heard("đã gửi xong: 3 người đều nhận được")
    assert goes_on(world) == 0
    with world.read() as conn:
        deeds = [each.action for each in audit.listing(conn) if each.action.startswith("announcement")]
    assert sorted(deeds) == ["announcement.done", "announcement.made"]


def test_who_cannot_be_reached_is_told_to_the_officer(world: World) -> None:
    people = [world.citizen().joins() for _n in range(3)]
    officer = announces(world.officer())
    goes_on(world)
    for each in people[:2]:
        each.hears()
    people[2].does(Signal("blocked"))
    goes_on(world)
    officer.heard("2 người nhận được, 1 người không nhắn tới được")


def test_a_report_waits_a_day_at_most(world: World) -> None:
    world.citizen().joins()
    officer = announces(world.officer())
    goes_on(world)
    world.passes(hours=23)
    goes_on(world)
    assert officer.hears() == []
    world.passes(hours=1)
    goes_on(world)
    officer.heard("0 người nhận được, 1 người không nhắn tới được")
    with world.read() as conn:
        assert announcements.under_way(conn) == []


def test_batches_go_on_where_they_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "BATCH", 2)
    people = [world.citizen().joins() for _n in range(5)]
    announces(world.officer())
    with world.read() as conn:
        (row,) = announcements.under_way(conn)
    for written in (2, 4, 5):
        with world.write() as conn:
            assert announcing.step(conn, row.id, world.now)
            assert announcements.locked(conn, row.id).written == written  # type: ignore[union-attr]
    assert [len(each.hears()) for each in people] == [1] * 5


def test_nobody_is_written_to_at_night(world: World) -> None:
    citizen, officer = world.citizen().joins(), world.officer()
    world.passes(hours=12)  # 21:00
    officer.types("/thongbao").types(TEXT).sees("Giờ này đã muộn").presses("send")
    goes_on(world)
    assert citizen.hears() == []
    world.passes(hours=10)
    goes_on(world)
    citizen.heard(TEXT)


def test_one_a_day_for_each_unit(world: World) -> None:
    world.citizen().joins()
    announces(world.officer())
    other = world.officer(name="Vũ Văn Nam")
    ends(world)
    other.types("/thongbao").sees("Trần Thị Hoa", "9:00", "05/10/2026", "Mỗi đơn vị mỗi ngày một thông báo")
    world.passes(days=1)
    announces(other).sees("Tôi đang gửi tới 1 người")


def test_two_officers_at_once_send_one(world: World) -> None:
    world.citizen().joins()
    first, second = world.officer(), world.officer(name="Vũ Văn Nam")
    second.types("/thongbao").types(TEXT)
    announces(first)
    second.presses("send").sees("Mỗi đơn vị mỗi ngày một thông báo")
    with world.read() as conn:
        assert len(announcements.under_way(conn)) == 1


def test_who_said_stop_gets_none(world: World) -> None:
    citizen, other = world.citizen().joins(), world.citizen().joins()
    citizen.does(Pressed("go:stop"), screen=None)
    announces(world.officer().types("/thongbao").sees("1 người"))
    goes_on(world)
    assert citizen.hears() == []
    other.heard(TEXT)


def test_who_says_stop_on_the_way_gets_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "BATCH", 1)
    _first, second = world.citizen().joins(), world.citizen().joins()
    announces(world.officer())
    with world.read() as conn:
        (row,) = announcements.under_way(conn)
    with world.write() as conn:
        announcing.step(conn, row.id, world.now)
    second.does(Pressed("go:stop"), screen=None)
    goes_on(world)
    assert second.hears() == []


@pytest.mark.parametrize(
    ("role", "unit", "asked", "seen"),
    [
        ("reviewer", "06685", "", "Phường Hồng Gai"),
        ("reviewer", "06685", "06685", "Phường Hồng Gai"),
        ("reviewer", "06685", "22", "không thuộc phạm vi"),
        ("supervisor", "22", "", "Quảng Ninh"),
        ("supervisor", "22", "06685", "Phường Hồng Gai"),
        ("supervisor", "22", "hong gai", "Phường Hồng Gai"),
        ("supervisor", "22", "không đâu cả", "Không tìm thấy"),
        ("supervisor", "01", "06685", "không thuộc phạm vi"),
        ("supervisor", "01", "", "chưa có công dân nào"),
    ],
)
def test_whose_people(world: World, role: str, unit: str, asked: str, seen: str) -> None:
    world.citizen().joins()
    world.officer(unit, role).types(f"/thongbao {asked}").sees(seen)


def test_too_many_people_are_written_to_unit_by_unit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcements, "MOST_PEOPLE", 2)
    for _n in range(3):
        world.citizen().joins()
    world.officer("22", "supervisor").types("/thongbao").sees("hơn 2 người")


def test_a_citizen_announces_nothing(world: World) -> None:
    world.citizen().joins().types("/thongbao").sees_not("Soạn thông báo")


@pytest.mark.parametrize(
    ("text", "site", "refused"),
    [
        ("x" * 19, "", "announcement_short"),
        ("x" * 20, "", ""),
        ("x" * 1000, "", ""),
        ("x" * 1001, "", "announcement_long"),
        (f"{TEXT} Gọi 091.234.56.78, 098.765.43.21 hoặc 024.3.826.12", "", ""),
        (f"{TEXT} Kinh phí 1.200.000.000 đồng, vé 50.000đ/1.tr", "", ""),
        (f"{TEXT} http 10.20.30.40:80/x", "", "announcement_link"),
        (f"{TEXT} 1x2.tr/a", "", "announcement_link"),
        (f"{TEXT} https://lop-hoc.example/dk", "", "announcement_link"),
        (f"{TEXT} Xem lophoc.com nhé", "", "announcement_link"),
        (f"{TEXT} t.me/lophoc", "", "announcement_link"),
        (f"{TEXT} bit.ly/3xYz", "", "announcement_link"),
        (f"{TEXT} lophoc.zip", "", "announcement_link"),
        (f"{TEXT} LOPHOC.COM/x", "", "announcement_link"),
        (f"{TEXT} WWW.LOPHOC.VN", "", "announcement_link"),
        (f"{TEXT} lophoc.Xyz", "", "announcement_link"),
        (f"{TEXT} nhắn @lophoc_bot", "", "announcement_link"),
        (f"{TEXT} tg://resolve?domain=lophoc", "https://hoctap.example.vn", "announcement_link"),
        (f"{TEXT} 203.0.113.9/dk", "", "announcement_link"),
        (f"{TEXT} https://hoctap.example.vn:443@lua.com/x", "https://hoctap.example.vn", "announcement_link"),
        (f"{TEXT} https://lua.com\\@hoctap.example.vn/x", "https://hoctap.example.vn", "announcement_link"),
        (f"{TEXT} https://hoctap.example.vn/u/DV06685K", "https://hoctap.example.vn", ""),
        (f"{TEXT} hoctap.example.vn/u/DV06685K", "https://hoctap.example.vn", ""),
        (f"{TEXT} https://hoctap.example.vn.lua.com/x", "https://hoctap.example.vn", "announcement_link"),
        (f"{TEXT} https://hoctap.example.vn@lua.com/x", "https://hoctap.example.vn", "announcement_link"),
        (f"{TEXT} Điện thoại 0203.123.4567, từ 8.30 đến 10.00, ngày 21.11.2026.", "", ""),
        ("Mời bà con tới học.Nhớ mang sổ.Các ông bà nhé, đi cùng nhau cho vui.", "", ""),
    ],
)
def test_what_may_be_written(text: str, site: str, refused: str) -> None:
    if not refused:
        assert announcements.checked(text, site) == text
        return
    with pytest.raises(Refused) as caught:
        announcements.checked(text, site)
    assert caught.value.code == refused


def test_what_waits_to_be_sent_is_stopped_as_well(world: World) -> None:
    stops, other = (world.citizen().joins(name=name) for name in ("Lê Thị Na", "Phạm Văn Ba"))
    announces(world.officer())
    goes_on(world)  # written for both, and on its way to neither
    stops.does(Pressed("go:stop"), screen=None)
    assert [notice.text for notice in stops.hears() if notice.text == TEXT] == []
    other.heard(TEXT)


def test_messages_go_at_the_lowest_priority(world: World) -> None:
    citizen = world.citizen().joins()
    announces(world.officer())
    goes_on(world)
    with world.read() as conn:
        rows = outbox.pushes_due(conn, citizen.account, world.now)
    assert [row.priority for row in rows] == [outbox.BULK]


def test_an_announcement_is_forgotten_when_its_time_is_over(world: World) -> None:
    world.citizen().joins()
    announces(world.officer())
    for _n in range(2):
        goes_on(world)
        world.passes(days=1)
    for years, left in ((4, 1), (2, 0)):
        world.passes(days=365 * years)
        with world.write() as conn:
            tidy(conn, Keep(), world.now)
            assert conn.exec_driver_sql("select count(*) from announcements").scalar() == left


# ------------------------------------------------------------------------------------------ stopped


def test_an_officer_who_lost_the_role_announces_nothing_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "BATCH", 1)
    first, second = world.citizen().joins(), world.citizen().joins()
    officer = announces(world.officer())
    with world.read() as conn:
        (row,) = announcements.under_way(conn)
    with world.write() as conn:
        assert announcing.step(conn, row.id, world.now)  # one is written, and waits
        officers.end(conn, row.officer_id, None, world.now, "cli")
    goes_on(world)
    assert (first.hears(), second.hears(), officer.hears()) == ([], [], [])
    with world.read() as conn:
        assert announcements.under_way(conn) == []
        assert "announcement.stopped" in [each.action for each in audit.listing(conn)]


def test_what_a_stolen_phone_wrote_at_night_is_stopped_before_the_morning(world: World) -> None:
    citizen, thief = world.citizen().joins(), world.officer()
    world.passes(hours=11)  # 20:00: the message is written, and put off to the morning
    announces(thief)
    goes_on(world)
    with world.write() as conn:
        assert reminders.hush(conn, world.passes(hours=1).now) == 1
        (row,) = announcements.under_way(conn)
        officers.end(conn, row.officer_id, None, world.now, "cli")
    goes_on(world)
    world.passes(hours=11)
    assert citizen.hears() == []


def test_any_officer_of_the_unit_or_above_stops_one_on_its_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "BATCH", 1)
    told, spared = world.citizen().joins(), world.citizen().joins()
    officer = announces(world.officer())
    with world.read() as conn:
        (row,) = announcements.under_way(conn)
    with world.write() as conn:
        assert announcing.step(conn, row.id, world.now)
    told.heard(TEXT)
    above = world.officer("22", "supervisor", "Lê Văn Minh").types("/thongbao 06685")
    above.sees("đang được gửi: đã viết cho 1 người", TEXT).presses("stop").sees("Đã dừng", "1 người đã nhận được")
    goes_on(world)
    assert spared.hears() == []
    officer.heard("Lê Văn Minh đã dừng thông báo của Phường Hồng Gai")
    above.types("/thongbao 06685").sees("Mỗi đơn vị mỗi ngày một thông báo")


def test_a_stranger_stops_nothing(world: World) -> None:
    citizen = world.citizen().joins()
    announces(world.officer())
    world.officer("31", "supervisor").types("/thongbao 06685").sees("không thuộc phạm vi")
    goes_on(world)
    citizen.heard(TEXT)


def test_what_has_ended_is_not_stopped(world: World) -> None:
    world.citizen().joins()
    officer = announces(world.officer()).types("/thongbao").sees("đang được gửi")
    ends(world)
    officer.presses("stop").sees("đã gửi xong hoặc đã dừng")


def test_stop_at_night_stops_what_waits_for_the_morning(world: World) -> None:
    citizen = world.citizen().joins()
    announces(world.officer())
    goes_on(world)
    with world.write() as conn:
        assert reminders.hush(conn, world.passes(hours=12).now) == 1
    citizen.does(Pressed("go:stop"), screen=None)
    world.passes(hours=10)
    assert [each.text for each in citizen.hears()] == []


def test_who_shares_a_phone_stops_only_the_own(world: World) -> None:
    mother, father = world.citizen().joins(name="Lê Thị Na"), world.citizen().joins(name="Lê Văn Ba")
    mother.does(Pressed("go:stop:2"), screen=None).sees("gửi cho người khác").sees_not("Lê Văn Ba", "không tự nhắc")
    with world.write() as conn:
        people._INSERT_LINK.run(conn, contact=_contact(mother), person=2, now=world.now)
    mother.does(Pressed("go:stop:2"), screen=None).sees("gửi cho Lê Văn Ba").sees_not("không tự nhắc")
    for whose in ("x", "99999999999999999999", "0"):
        mother.does(Pressed(f"go:stop:{whose}"), screen=None).sees("gửi cho người khác")
    announces(world.officer())
    goes_on(world)
    assert [len(each.hears()) for each in (mother, father)] == [1, 1]
    mother.does(Pressed("go:stop:1"), screen=None).sees("không tự nhắc")


def _contact(chat: Chat) -> int:
    with chat.world.read() as conn:
        found = conversations.open_chat(conn, chat.account, chat.address)
    assert found is not None
    return found.contact_id


# ------------------------------------------------------------------------------------------ not too often


def test_one_announcement_a_person_and_day_whoever_sends_them(world: World) -> None:
    citizen, later = world.citizen().joins(), world.citizen().joins()
    announces(world.officer())
    goes_on(world)
    citizen.heard(TEXT)
    above = world.officer("22", "supervisor", "Lê Văn Minh").types("/thongbao").types(TEXT + " Tỉnh").presses("send")
    newcomer = world.citizen().joins()
    goes_on(world)
    assert (citizen.hears(), len(later.hears())) == ([], 1)
    newcomer.heard("Tỉnh")
    goes_on(world)
    above.heard("1 người đều nhận được.\n2 người hôm nay đã nhận một thông báo khác")
    world.passes(days=1)
    above.types("/thongbao").types(TEXT).presses("send")
    goes_on(world)
    assert [len(each.hears()) for each in (citizen, later, newcomer)] == [1, 1, 1]


def test_what_is_written_at_night_is_the_next_days(world: World) -> None:
    world.citizen().joins()
    world.passes(hours=13)  # 22:00
    announces(world.officer()).sees("Tôi đang gửi")
    world.passes(hours=10)  # 8:00
    ends(world)
    world.officer(name="Vũ Văn Nam").types("/thongbao").sees("22:00", "06/10/2026", "Mỗi đơn vị mỗi ngày một thông báo")


def test_an_officer_reaches_so_many_a_day_whatever_the_units(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcements, "MOST_PEOPLE", 3)
    for payload in (HONG_GAI, HONG_GAI, "DV06688A"):
        world.citizen().joins(payload)
    officer = world.officer("22", "supervisor")
    officer.types("/thongbao 06685").types(TEXT).presses("send").sees("2 người")
    officer.types("/thongbao 06688").sees("1 người").types(TEXT).presses("send").sees("Tôi đang gửi tới 1 người")
    officer.types("/thongbao").sees("nhiều nhất 3 người")
    world.passes(days=1)
    officer.types("/thongbao").sees("3 người")
