"""/ngonngu."""

from __future__ import annotations

import pytest

from tests.support.world import HONG_GAI, World


def test_there_and_back_again(world: World) -> None:
    citizen = world.citizen().joins().presses("start").sees("Câu 1/10").types("/ngonngu").presses("en")
    citizen.sees("From now on I speak English.", "Question 1/10")
    assert citizen.screen.language == "en"
    citizen.types("/language").presses("vi").sees("Từ nay tôi nói tiếng Việt.", "Câu 1/10")
    assert citizen.screen.language == "vi"


@pytest.mark.parametrize("typed", ["/ngonngu en", "/ngonngu English", "/NGONNGU  eNgLiSh"])
def test_a_language_behind_the_command_is_set_at_once(world: World, typed: str) -> None:
    world.citizen().opens(HONG_GAI).types(typed).sees("From now on I speak English.").presses("yes").sees("consent")


def test_back_changes_nothing(world: World) -> None:
    citizen = world.citizen().opens(HONG_GAI).types("/ngonngu tiếng Lào").sees("Tiếng Việt", "English")
    citizen.types("0").sees("Phường Hồng Gai", "đúng không ạ?")


def test_the_language_holds_for_the_chat_not_the_person(world: World) -> None:
    world.citizen().joins().types("/ngonngu en")
    world.citizen().joins().sees("Đã ghi tên")
