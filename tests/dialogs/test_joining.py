"""Joining: from the link or the typed code to the registration."""

from __future__ import annotations

from tests.support.world import World


def test_from_the_link_to_registered(world: World) -> None:
    citizen = world.citizen().opens("DV06685K").sees("Phường Hồng Gai, Thành phố Quảng Ninh — đúng không ạ?")
    citizen.presses("yes").sees("có đồng ý không ạ?", "Hội Khuyến học Phường Hồng Gai")
    citizen.presses("agree").types("  Nguyễn   Văn Hùng ").sees("sinh năm nào")
    citizen.types("1957").presses("skip").presses("Gọi là ông/bà").presses("Nông dân")
    citizen.sees("Đã ghi tên Nguyễn Văn Hùng", "TL-", "bản dựng lại để thử nghiệm")
    world.recounted()


def test_the_whole_questionnaire(world: World) -> None:
    citizen = world.citizen().joins()
    code = citizen.submits("kha")
    assert code.startswith("HS-2026-")
    citizen.sees("chờ xét")
    world.recounted()
