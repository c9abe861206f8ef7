"""Every picture that /report offers is drawn by the jobs and comes back into the chat."""

from __future__ import annotations

from bot.service import Service
from dialogs.model import decode_screen
from dialogs.reporting import CHARTS
from storage import outbox
from tests.support.world import World


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
        "Thành phố Quảng Ninh, năm 2026", "Từng bước, ai đến đâu", "Tiến độ tuần", "Xếp hạng", "Bản đồ chỉ số"
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
