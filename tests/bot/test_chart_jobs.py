"""Every picture that /report offers is drawn by the jobs and comes back into the chat."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from bot.service import Service
from dialogs.model import decode_screen
from dialogs.reporting import CHARTS
from storage import jobs, officers, outbox
from tests.support.world import World

pytestmark = pytest.mark.slow


async def test_every_kind_of_chart_comes_back(world: World, service: Service) -> None:
    world.citizen().joins().submits("kha")
    officer = world.officer("22", "supervisor").types("/report")
    for kind in CHARTS:
        officer.presses("faces").presses(f"face:{kind}")
        officer.presses("report")
    assert await service.jobs.do_waiting() == 1 + len(CHARTS)
    with world.read() as conn:
        rows = outbox.waiting_for(conn, officer.account, officer.address, world.now)
    pictures = [screen for screen in (decode_screen(row.body) for row in rows) if screen.pictures]
    assert [screen.title.partition(":")[0].partition(" · ")[0] for screen in pictures] == [
        "Thành phố Quảng Ninh, năm 2026", "Từng bước, ai đến đâu", "Tiến độ tuần", "Xếp hạng", "Điểm từng chỉ số"
    ]  # fmt: skip
    assert "Hình 1/3" in pictures[0].text  # of 54 communes; nobody is approved yet, so there is nothing to rank
    assert not any("Hình" in screen.text for screen in pictures[1:])


async def test_folding_brings_the_measures_up_to_date(world: World, service: Service) -> None:
    citizen = world.citizen().joins()
    citizen.submits("kha")
    officer = world.officer().types("/report").sees_not("minh chứng:")
    await service.housekeeping.fold()
    officer.types("/report").sees("Câu trả lời có minh chứng: ")
    world.recounted()


def charts(world: World) -> list[int]:
    """Of which contacts charts wait to be drawn, in their order."""
    with world.read() as conn:
        return [each.contact_id for each in jobs.waiting(conn)]


async def test_a_chart_asked_for_twice_is_drawn_once_and_others_are_not_kept_waiting(
    world: World, service: Service
) -> None:
    world.citizen().joins().submits("kha")
    eager, other = world.officer("22", "supervisor"), world.officer("22", "supervisor")
    for _n in range(3):
        eager.types("/report")
    for kind in CHARTS:
        eager.types("/report").presses("faces").presses(f"face:{kind}")
    other.types("/report")
    found = charts(world)
    assert len(found) == len(CHARTS) + 2 and found[0] != found[1]
    assert await service.jobs.do_waiting() == len(CHARTS) + 2
    eager.types("/report")
    assert len(charts(world)) == 1


async def test_no_chart_is_drawn_of_an_area_that_is_not_the_officers_any_more(
    world: World, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.citizen().joins().submits("kha")
    officer = world.officer("22", "supervisor").types("/report")
    with world.write() as conn:
        conn.execute(sa.update(officers.officer_roles).values(until=world.now))

    async def drawn(*_asked: object) -> bytes:
        raise AssertionError("drawn all the same")

    monkeypatch.setattr(service.jobs._charts, "draw", drawn)
    assert await service.jobs.do_waiting() == 1
    with world.read() as conn:
        assert conn.execute(sa.select(jobs.jobs.c.outcome)).scalars().all() == ["done"]
        rows = outbox.waiting_for(conn, officer.account, officer.address, world.now)
    assert not any(decode_screen(row.body).pictures for row in rows)
