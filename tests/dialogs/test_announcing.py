"""Announcements: preview, count, confirm, sent in batches, one a day, told what came of it."""

from __future__ import annotations

import pytest

from dialogs import announcing
from dialogs.model import Pressed, Signal
from storage import announcements, audit, outbox
from storage.base import Refused
from storage.housekeeping import Keep, tidy
from tests.support.world import Chat, World

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
        assert [choice.id for choice in notice.choices] == ["go:hoso", "go:stop"]
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
    other.types("/thongbao").sees("Trần Thị Hoa", "9:00", "Mỗi đơn vị mỗi ngày một thông báo")
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
