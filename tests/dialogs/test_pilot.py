"""Làm điểm: a unit that is not open yet says kindly when it opens, and keeps nothing of who came."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dialogs.home import Home
from dialogs.states import decode_state
from storage import codes, conversations, housekeeping, people, units
from storage.base import Refused
from storage.housekeeping import Keep
from tests.support.world import HONG_GAI, Chat, World

pytestmark = pytest.mark.slow

OPEN = "đúng không ạ?"
WHEN = "từ ngày 01/12/2026"
NOT_YET = "chưa bắt đầu nhận đăng ký"


def sets(world: World, **values: str) -> None:
    """``sets(world, VN="closed", u06685="2026-12-01")``: whose citizens may join from when."""
    with world.write() as conn:
        for code, value in values.items():
            units.set_setting(conn, code.removeprefix("u"), "open_from", value, "test", world.now)


@pytest.mark.parametrize(
    ("set_on", "seen"),
    [
        ({}, OPEN),
        ({"VN": "closed"}, NOT_YET),
        ({"u22": "closed"}, NOT_YET),
        ({"u01": "closed"}, OPEN),
        ({"u06685": "closed"}, NOT_YET),
        ({"u06685": "2026-12-01"}, WHEN),
        ({"u06685": "2026-10-06"}, "từ ngày 06/10/2026"),
        ({"u06685": "2026-10-05"}, OPEN),  # today
        ({"u06685": "2026-01-01"}, OPEN),
        ({"u22": "2026-12-01"}, WHEN),
        ({"VN": "closed", "u22": "2026-12-01"}, WHEN),
        ({"u22": "closed", "u06685": "open"}, OPEN),
        ({"u22": "closed", "u06685": "2026-10-01"}, OPEN),
        ({"u22": "open", "u06685": "closed"}, NOT_YET),
    ],
)
@pytest.mark.parametrize("way", [HONG_GAI, "06685", "hong gai quang ninh", "DV 06685-K"])
def test_whose_door_is_open(world: World, set_on: dict[str, str], seen: str, way: str) -> None:
    sets(world, **set_on)
    stranger = world.citizen()
    (stranger.opens(way) if way == HONG_GAI else stranger.opens().types(way)).sees("Phường Hồng Gai", seen)
    if seen != OPEN:
        stranger.sees("Cần hỏi, ông/bà liên hệ Hội Khuyến học Phường Hồng Gai", "/tapdung").sees_not(OPEN)
        assert len(stranger.screen.note) < 400


def test_a_closed_door_names_whom_to_call(world: World) -> None:
    with world.write() as conn:
        for key, value in (("open_from", "closed"), ("contact_name", "bà Lan"), ("contact_phone", "0203 382 5555")):
            units.set_setting(conn, "06685", key, value, "test", world.now)
    world.citizen().opens(HONG_GAI).sees("Cần hỏi: bà Lan, 0203 382 5555.").sees_not("liên hệ Hội")


def test_a_closed_door_keeps_nothing_of_who_came(world: World) -> None:
    sets(world, u06685="closed")
    stranger = world.citizen().opens(HONG_GAI).sees(NOT_YET)
    with world.write() as conn:
        chat = conversations.peek(conn, stranger.account, stranger.address)
        assert chat is not None and chat.provisional and decode_state(chat.state) == Home()
        assert conn.exec_driver_sql("select count(*) from consents").scalar() == 0
        assert conn.exec_driver_sql("select count(*) from people").scalar() == 0
        housekeeping.tidy(conn, Keep(), world.now + timedelta(hours=25))
        assert people.contacts_of(conn, 1) == []
    assert not stranger.exists()


def test_the_door_closes_and_opens_by_the_day_in_vietnam(world: World) -> None:
    sets(world, u06685="2026-10-06")
    stranger = world.citizen()
    world.passes(hours=14, minutes=59)  # 23:59
    stranger.opens(HONG_GAI).sees("từ ngày 06/10/2026")
    world.passes(minutes=1)
    stranger.opens(HONG_GAI).sees(OPEN).presses("yes").sees("có đồng ý không ạ?")


NOTHING_OF_WHO_CAME = ("people", "consents", "registrations", "identities")


def kept(world: World) -> dict[str, int]:
    with world.read() as conn:
        return {
            table: int(conn.exec_driver_sql(f"select count(*) from {table}").scalar_one())
            for table in NOTHING_OF_WHO_CAME
        }


def test_a_door_that_closes_while_it_is_looked_at_is_closed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dialogs.places.KEPT_SECONDS", -1)
    looking, consenting = world.citizen().opens(HONG_GAI), world.citizen().opens(HONG_GAI).presses("yes")
    answering = world.citizen().opens(HONG_GAI).presses("yes").presses("agree")
    sets(world, u06685="closed")
    looking.presses("yes").sees(NOT_YET)
    consenting.presses("agree").sees(NOT_YET)
    answering.types("Lê Thị Na").types("1960").presses("skip").presses("ong_ba").presses("nong_dan")
    answering.sees(NOT_YET, "Hội Khuyến học Phường Hồng Gai").sees_not("Đã ghi tên")
    assert kept(world) == dict.fromkeys(NOTHING_OF_WHO_CAME, 0)
    assert not answering.exists()


def test_a_door_that_closed_weeks_ago_and_a_chat_that_is_an_officer_s(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialogs.places.KEPT_SECONDS", -1)
    officer = world.officer().opens(HONG_GAI).presses("yes").presses("agree").types("Trần Hoa").types("1970")
    officer.presses("skip").presses("anh_chi")
    sets(world, u06685="2026-12-01")
    world.passes(days=20)
    officer.presses("nong_dan").sees(WHEN)
    assert kept(world) == dict.fromkeys(NOTHING_OF_WHO_CAME, 0)
    officer.types("/hangdoi").sees("không có hồ sơ nào chờ xét")
    world.passes(days=40)
    officer.opens(HONG_GAI).presses("yes").presses("agree").types("Trần Hoa").types("1970").presses("skip")
    officer.presses("anh_chi").presses("nong_dan").sees("Đã ghi tên Trần Hoa")


def test_who_has_joined_goes_on(world: World) -> None:
    citizen, officer = world.citizen().joins(), world.officer()
    sets(world, u06685="closed")
    citizen.opens(HONG_GAI).sees("đã gắn với Phường Hồng Gai").sees_not(NOT_YET)
    code = citizen.submits("tot")
    officer.types("/queue").sees("Nguyễn Văn Hùng").types("/baocao").sees("Phường Hồng Gai, năm 2026")
    officer.types(f"/duyet {code}").presses("approve").sees("Nguyễn Văn Hùng")
    world.recounted()


def test_nobody_moves_to_a_closed_unit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dialogs.places.KEPT_SECONDS", -1)
    citizen = world.citizen().joins()
    with world.write() as conn:
        units.add_association_unit(conn, "06685", "Chi hội khu 3", "chi_hoi", "test", world.now)
        units.set_setting(conn, "06685-01", "open_from", "closed", "test", world.now)
    _types_its_name(citizen).sees(NOT_YET).sees_not("Tôi chưa ghi lại gì")
    with world.write() as conn:
        units.set_setting(conn, "06685-01", "open_from", "open", "test", world.now)
    _types_its_name(citizen).sees("Chi hội khu 3")
    with world.write() as conn:
        units.set_setting(conn, "06685-01", "open_from", "closed", "test", world.now)
    citizen.presses("move").sees(NOT_YET)
    with world.read() as conn:
        assert conn.exec_driver_sql("select count(*) from people p join units u on u.id = p.unit_id"
                                    " where u.code = '06685'").scalar() == 1  # fmt: skip


def _types_its_name(citizen: Chat) -> Chat:
    return citizen.opens(codes.payload(codes.UnitCode("2025", "0668501")))


@pytest.mark.parametrize("value", ["soon", "2026-13-01", "2026-02-30", "01/12/2026", "20261201", "yes"])
def test_what_open_from_may_not_say(world: World, value: str) -> None:
    with world.write() as conn, pytest.raises(Refused, match="setting_wrong"):
        units.set_setting(conn, "06685", "open_from", value, "test", world.now)
