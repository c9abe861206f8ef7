"""The main story on PostgreSQL: the dialogs' statements are the same, the database must not mind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import storage.tables  # noqa: F401 - brings every table
from dialogs.model import Pressed
from storage import codes, counters, units
from storage.engine import metadata, open_engine, writing
from tests.dialogs.test_arriving import answers_with_files, hands_in, row_of
from tests.support.world import START, World

pytestmark = pytest.mark.postgres


@pytest.fixture
def world(postgres_database: str) -> Iterator[World]:
    engine = open_engine(postgres_database)
    with writing(engine) as conn:
        metadata.create_all(conn)
        units.seed(conn, START)
    yield World(engine)
    engine.dispose()


def test_the_story_of_a_dossier(world: World) -> None:
    officer = world.officer()
    citizen = world.citizen().joins(phone="0912345678")
    code = citizen.submits("tot")
    officer.types("/queue").sees("Nguyễn Văn Hùng").types(f"/tralai {code}").presses("mark:B2").presses("reasons")
    officer.presses("Ảnh mờ, xin chụp lại").presses("return").sees("Đã ghi: trả lại")
    world.passes(seconds=61)
    citizen.heard("Ảnh mờ, xin chụp lại")
    citizen.types("/hoso").presses("mend:B2").presses("evidence").sends("clear").presses("done").presses("hand_in")
    citizen.presses("submit").sees("chờ xét")
    officer.types(f"/duyet {code}").sees("đã sửa")
    with world.write() as conn:
        assert counters.fold(conn) > 0
    officer.presses("approve").sees("Hoàn tác")
    world.passes(seconds=61)
    citizen.heard("Chúc mừng")
    world.officer("22", "supervisor", "Lê Quang Bình").types("/report").sees("Thành phố Quảng Ninh", "Đạt: 1")
    world.recounted()
    other = world.citizen().joins(codes.payload(codes.UnitCode("pre-2025", "06649")))
    other.types("hong gai").types("/dulieu")
    citizen.types("/dulieu").presses("ask_erase")
    while citizen.exists() and citizen.acts < 120:
        citizen.presses(next(each.id for each in citizen.screen.choices if each.role == "danger"))
    assert not citizen.exists()
    world.recounted()


def test_the_story_of_pictures_on_their_way(world: World) -> None:
    citizen = answers_with_files(world.citizen().joins().presses("start"))
    citizen.presses("pick").presses("Câu 2:").presses("evidence").sends_files("x", "y", album="one").presses("done")
    hands_in(citizen).sees("đang nhận ảnh 0/5")
    citizen.sends_files("z", album="one").sees("Đã nhận 4 ảnh cho câu 2", "đang nhận ảnh 0/6")
    world.fetches("file-2", "file-3", "x")
    world.loses("file-5", reason="broken")
    (notice,) = citizen.hears()
    citizen.signals("blocked").signals("unblocked")
    citizen.does(Pressed(notice.choices[0].id)).sees("Minh chứng cho câu 5").sends_files("x", "x")
    world.fetches()
    assert row_of(world).status == "submitted"
    citizen.heard("Đã nộp. Mã hồ sơ")
    world.recounted()
