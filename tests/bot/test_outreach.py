"""The scheduler reminds and announces by itself, and what it says is on the page at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot import clock
from bot.service import Parts, Service
from dialogs.states import Rules
from storage import announcements, migrate, outbox, units
from storage.engine import open_engine, reading, writing
from storage.housekeeping import Keep
from tests.support.world import World


@pytest.fixture
async def service(sqlite_url: str, folder: Path) -> AsyncIterator[Service]:
    engine = open_engine(sqlite_url)
    migrate.upgrade(engine)
    engine.dispose()
    made = Service(Parts(sqlite_url, folder / "var/evidence", Rules(), Keep()))
    yield made
    await made.stop()


@pytest.fixture
def world(service: Service, monkeypatch: pytest.MonkeyPatch) -> World:
    """Whose clock is the service's too."""
    made = World(service.engine, "web")
    with writing(service.engine) as conn:
        units.seed(conn, made.now)

    def now() -> datetime:
        return made.now

    monkeypatch.setattr(clock, "now", now)
    return made


async def test_reminders_and_announcements_go_out_by_themselves(service: Service, world: World) -> None:
    for _n in range(3):
        world.chat("web").joins()
    world.passes(days=3)
    assert await service.outreach.remind() == 3
    assert await service.outreach.remind() == 0
    assert await service.pages.send_due() == 3
    officer = world.officer()
    officer.types("/thongbao").types("Mời bà con tới lớp kỹ năng số chiều thứ Bảy").presses("send")
    await service.outreach.announce()
    assert await service.pages.send_due() == 3
    await service.outreach.announce()
    officer.heard("3 người đều nhận được")
    with reading(service.engine) as conn:
        assert announcements.under_way(conn) == []


async def test_what_could_not_leave_by_the_evening_waits_for_the_morning(service: Service, world: World) -> None:
    citizen = world.chat("web").joins()
    officer = world.officer()
    officer.types("/thongbao").types("Mời bà con tới lớp kỹ năng số chiều thứ Bảy").presses("send")
    await service.outreach.announce()
    await service.outreach.hush()  # by day it changes nothing
    assert len(_pushes(service, citizen.account, world.now)) == 1
    world.passes(hours=11, minutes=30)
    await service.outreach.hush()
    assert _pushes(service, citizen.account, world.now) == []
    world.passes(hours=10, minutes=29)
    assert _pushes(service, citizen.account, world.now) == []
    world.passes(minutes=1)
    assert len(_pushes(service, citizen.account, world.now)) == 1


def _pushes(service: Service, account: str, now: datetime) -> list[outbox.Waiting]:
    with reading(service.engine) as conn:
        return outbox.pushes_due(conn, account, now)


async def test_what_is_tried_again_in_some_minutes_waits_for_the_morning_as_well(
    service: Service, world: World
) -> None:
    citizen = world.chat("web").joins()
    world.officer().types("/thongbao").types("Mời bà con tới lớp kỹ năng số chiều thứ Bảy").presses("send")
    await service.outreach.announce()
    world.passes(hours=11, minutes=29)
    with writing(service.engine) as conn:
        (row,) = outbox.pushes_due(conn, citizen.account, world.now)
        outbox.put_off(conn, row.id, world.now + timedelta(minutes=41))  # told to wait until 21:10
    world.passes(minutes=2)
    await service.outreach.hush()
    world.passes(minutes=40)
    assert _pushes(service, citizen.account, world.now) == []
    world.passes(hours=10)
    assert len(_pushes(service, citizen.account, world.now)) == 1


async def test_the_loops_are_among_those_that_must_run(service: Service) -> None:
    service.start()
    names = {each.get_name() for each in service._loops}
    assert {"remind", "announce", "hush"} <= names
