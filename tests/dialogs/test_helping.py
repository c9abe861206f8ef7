"""/help: for whom, what, and back to where one was."""

from __future__ import annotations

from dialogs.commands import COMMANDS
from storage import units
from tests.support.world import HONG_GAI, World


def test_a_stranger_reads_how_to_begin_and_goes_back(world: World) -> None:
    stranger = world.citizen().opens(HONG_GAI).types("/help").sees("DV 06685-K", "/ngonngu (hoặc /language)")
    stranger.sees_not("/hoso", "/hangdoi").types("0").sees("Phường Hồng Gai", "đúng không ạ?")


def test_a_citizen_reads_the_citizens_commands_and_whom_to_call(world: World) -> None:
    with world.write() as conn:
        units.set_setting(conn, "06685", "contact_name", "bà Lan", "test", world.now)
        units.set_setting(conn, "06685", "contact_phone", "0203 382 5555", "test", world.now)
    citizen = world.citizen().joins().presses("start").types("/trogiup")
    citizen.sees("/hoso (hoặc /phieu): hồ sơ của ông/bà", "/dangky:", "Cần hỏi: bà Lan, 0203 382 5555.")
    citizen.sees_not("/hangdoi", "/duyet").presses("back").sees("Câu 1/10")


def test_an_officer_reads_the_officers_commands(world: World) -> None:
    officer = world.officer().types("/help")
    officer.sees("/hangdoi (hoặc /queue): hồ sơ chờ xét", "/duyet (hoặc /approve)", "/baocao (hoặc /report)")
    officer.sees_not("/hoso", "/dangky").presses("go:report").sees("Phường Hồng Gai, năm 2026")


def test_every_command_has_a_line_that_fits_a_plain_channel(world: World) -> None:
    both = world.officer().opens(HONG_GAI).presses("yes").presses("agree").types("Trần Hoa").types("1970")
    both.presses("skip").presses("anh_chi").presses("nong_dan")
    for language in ("vi", "en"):
        both.types(f"/ngonngu {language}").types("/help")
        for command in COMMANDS:
            if command.key:
                assert f"/{command.names[0]}" in both.screen.text
        assert len(both.read_out()) < 2000


def test_help_from_help_still_leads_back(world: World) -> None:
    citizen = world.citizen().opens(HONG_GAI).types("/help").types("/ngonngu").types("/dulieu").types("/help")
    citizen.types("0").sees("Phường Hồng Gai", "đúng không ạ?")
