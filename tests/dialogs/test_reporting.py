"""/report: figures at once, the chart as a notice, down and up within the officer's own area."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from dialogs.model import Pressed, Signal
from storage import codes, conversations, jobs, officers, units
from tests.support.world import Chat, World


def waiting(world: World) -> list[dict[str, Any]]:
    with world.read() as conn:
        return [job.params for job in jobs.waiting(conn)]


def unit_id(world: World, code: str) -> int:
    with world.read() as conn:
        unit = units.by_code(conn, code)
        assert unit is not None
        return unit.id


def ready(world: World, officer: Chat, code: str, **more: object) -> Chat:
    """The machine has drawn a chart."""
    facts = {"key": "k" * 64, "unit": unit_id(world, code), "year": 2026, "as_of": world.now.isoformat()}
    return officer.signals("chart", **(facts | more))


def test_figures_at_once_and_the_chart_asked_for_once(world: World) -> None:
    world.citizen().joins()
    world.citizen().joins().submits("kha")
    officer = world.officer().types("/report")
    officer.sees("Phường Hồng Gai, năm 2026", "Đã đăng ký: 2 người", "Đã nộp hồ sơ: 1", "Chờ xét: 1", "9:00")
    assert waiting(world) == [{"unit": unit_id(world, "06685"), "year": 2026, "page": 1, "language": "vi"}]
    officer.types("gì vậy").opens("")
    assert len(waiting(world)) == 1


def test_nobody_yet_needs_no_chart(world: World) -> None:
    world.officer().types("/baocao").sees("Chưa có ai đăng ký.")
    assert waiting(world) == []


def test_down_to_the_commune_and_up_again(world: World) -> None:
    world.citizen().joins()
    province = world.officer("22", "supervisor").types("/baocao")
    province.sees("Thành phố Quảng Ninh, năm 2026", "1 đến 8 trong 54", "Phường Hồng Gai: 1 đăng ký, 0 đạt")
    province.presses("unit:06685").sees("Phường Hồng Gai, năm 2026", "Đã đăng ký: 1 người")
    province.presses("up").sees("Thành phố Quảng Ninh, năm 2026").sees_not("Lên Trung ương")
    # That of the province waits still: it is not drawn twice.
    assert [job["unit"] for job in waiting(world)] == [unit_id(world, "22"), unit_id(world, "06685")]
    province.presses("page_after").sees("9 đến 16 trong 54").presses("page_before").sees("1 đến 8 trong 54")
    assert len(waiting(world)) == 2


def test_the_last_page_of_units_ends(world: World) -> None:
    centre = world.officer("VN", "supervisor").types("/baocao").sees("1 đến 8 trong 34")
    for _page in range(4):
        centre.presses("page_after")
    centre.sees("33 đến 34 trong 34").sees_not("Xem các đơn vị tiếp theo").presses("back").sees("Xem báo cáo")


def test_a_commune_lists_its_units_of_the_association(world: World) -> None:
    with world.write() as conn:
        units.add_association_unit(conn, "06685", "Chi hội khu 3", "chi_hoi", "test", world.now)
    officer = world.officer().types("/report").presses("Chi hội khu 3").sees("Chi hội khu 3, năm 2026")
    officer.presses("up").sees("Phường Hồng Gai, năm 2026").types("/report 06685-01").sees("Chi hội khu 3, năm 2026")


@pytest.mark.parametrize("typed", ["06685", "DV 06685-K", "dv06685k", "Hồng Gai", "phuong hong gai", "06685 2026"])
def test_a_unit_by_code_or_name(world: World, typed: str) -> None:
    world.officer("22", "supervisor").types(f"/report {typed}").sees("Phường Hồng Gai, năm 2026")


def test_a_year_alone_is_the_own_units(world: World) -> None:
    world.officer().types("/report 2025").sees("Phường Hồng Gai, năm 2025", "Chưa có ai đăng ký.")


@pytest.mark.parametrize("typed", ["22", "VN", "01", "Hà Nội", "00070", "Phường Hà Tu"])
def test_outside_the_own_area_nothing_is_shown(world: World, typed: str) -> None:
    world.citizen().joins()
    world.officer().types(f"/report {typed}").sees("không thuộc phạm vi").sees_not("Số liệu lúc")
    assert waiting(world) == []


def test_a_forged_button_opens_nothing_outside_the_own_area(world: World) -> None:
    world.citizen().joins()
    officer = world.officer("06685").types("/report")
    before = waiting(world)
    officer.does(Pressed("unit:22")).sees_not("Thành phố Quảng Ninh, năm")
    officer.does(Pressed("go:chart:22:2026:1")).sees("không thuộc phạm vi")
    assert waiting(world) == before


def test_an_unknown_unit_and_a_code_with_a_slip(world: World) -> None:
    officer = world.officer().types("/report Xyzabc").sees('Tôi không tìm thấy đơn vị "Xyzabc"', "/baocao Hồng Gai")
    officer.types("/report DV 06686-K").sees("nhầm một chữ số")


def test_a_name_that_several_have_is_asked_about(world: World) -> None:
    with world.write() as conn:
        for name in ("Chi hội khu 3 bắc", "Chi hội khu 3 nam"):
            units.add_association_unit(conn, "06685", name, "chi_hoi", "test", world.now)
    officer = world.officer().types("/report chi hội khu 3").sees("Có mấy đơn vị", "khu 3 bắc", "khu 3 nam")
    officer.types("khu 3 nam").sees("Chi hội khu 3 nam, năm 2026")


def test_a_citizen_has_no_reports(world: World) -> None:
    world.citizen().joins().types("/report").sees("dành cho cán bộ")


def test_the_chart_comes_beside_the_open_screen(world: World) -> None:
    world.citizen().joins()
    officer = world.officer("22", "supervisor").types("/report").types("/help")
    number = officer.screen.number
    ready(world, officer, "22", page=1)
    (notice,) = officer.notices
    assert [picture.key for picture in notice.pictures] == ["k" * 64]
    assert "Thành phố Quảng Ninh, năm 2026" in officer.read_out(notice)
    assert "Số liệu lúc 9:00 ngày 05/10/2026" in notice.text and "Hình 1/3" in notice.text
    assert officer.screen.number == number
    (button,) = notice.choices
    officer.does(Pressed(button.id)).sees("Biểu đồ đang được vẽ", "Tôi giúp được")
    assert [job["page"] for job in waiting(world)] == [1, 2]
    ready(world, officer, "22", page=3)
    assert officer.notices[-1].choices == ()


def test_no_chart_for_one_who_is_no_officer_any_more(world: World) -> None:
    officer = world.officer().types("/report")
    with world.write() as conn:
        chat = conversations.open_chat(conn, officer.account, officer.address)
        assert chat is not None
        officers.sign_out(conn, chat.contact_id)
    ready(world, officer, "06685")
    assert officer.notices == []
    officer.opens("").sees("không thuộc phạm vi").sees_not("Phường Hồng Gai, năm")


def test_an_area_taken_away_is_not_shown_again(world: World) -> None:
    world.citizen().joins()
    officer = world.officer().types("/report").sees("Đã đăng ký: 1 người")
    with world.write() as conn:
        conn.execute(sa.update(officers.officer_roles).values(until=world.now))
    officer.opens("").sees("không thuộc phạm vi").sees_not("Đã đăng ký")


def test_two_areas_lead_to_each_other(world: World) -> None:
    officer = world.officer("06685")
    with world.write() as conn:
        other = units.by_code(conn, "00070")
        assert other is not None
        code = officers.invite(conn, other.id, "reviewer", world.now, "test")
    officer.opens(codes.payload(code)).presses("accept").types("/report 06685")
    officer.presses("Sang").sees("năm 2026").sees_not("Phường Hồng Gai, năm 2026")


def test_last_years_figures_are_offered_where_there_are_any(world: World) -> None:
    world.citizen().joins()
    world.passes(days=365)
    world.citizen().joins()
    officer = world.officer().types("/report").sees("năm 2027").presses("year:2026").sees("Phường Hồng Gai, năm 2026")
    officer.presses("year:2027").sees("năm 2027")


def code_on(officer: Chat) -> str:
    """The code of the report on the screen."""
    found = codes.find(officer.read_out())
    assert isinstance(found, codes.ReportCode)
    return codes.printed(found)


def test_a_report_has_a_code_and_stays_what_it_was_while_it_is_read(world: World) -> None:
    world.citizen().joins()
    officer = world.officer("22", "supervisor").types("/report").sees("Đã đăng ký: 1 người", "Mã báo cáo: BC-")
    code = code_on(officer)
    world.citizen().joins()
    officer.presses("page_after").sees("Đã đăng ký: 1 người", code).presses("page_before")
    world.passes(minutes=5)
    officer.types("/report").sees("Đã đăng ký: 2 người", "9:05").sees_not(code)


def test_a_report_again_by_its_code_with_what_happened_since(world: World) -> None:
    world.citizen().joins().submits("kha")
    mover = world.citizen().joins()
    officer = world.officer().types("/report")
    code = code_on(officer)
    world.passes(hours=1)
    world.citizen().joins()
    mover.opens(codes.payload(codes.UnitCode("2025", "06676"))).presses("move")
    officer.types(f"/report {code}")
    officer.sees(f"báo cáo {code}", "Đã đăng ký: 2 người", "9:00", "+1 đăng ký, −1 chuyển đơn vị")
    assert waiting(world)[1:] == []
    officer.presses("fresh").sees("Phường Hồng Gai, năm 2026", "10:00").sees_not(code)
    officer.types(code).sees(f"báo cáo {code}")


def test_a_report_of_elsewhere_or_of_nowhere_is_not_shown(world: World) -> None:
    world.citizen().joins()
    code = code_on(world.officer("22", "supervisor").types("/report"))
    outside = world.officer("00070").types(f"/report {code}")
    outside.sees("không thuộc phạm vi").sees_not("Đã đăng ký")
    outside.types(code).sees("không thuộc phạm vi")
    outside.types("/report BC-00000").sees("Tôi không còn giữ báo cáo BC-00000")
    world.citizen().joins().types(code).sees_not("Đã đăng ký: ")


def test_the_other_faces(world: World) -> None:
    world.citizen().joins().submits("kha")
    officer = world.officer("22", "supervisor").types("/report").presses("faces").sees("theo cách nào")
    asked = len(waiting(world))
    officer.presses("face:funnel").sees("Từng bước", "Đã vào qua mã: 1", "Đã nộp hồ sơ: 1 (100% của bước trước)")
    officer.presses("faces").presses("face:progress").sees("Tiến độ tuần", "Hết tuần từ 05/10/2026: 1 đã nộp, 0 đạt")
    officer.presses("faces").presses("face:ranking").sees("Xếp hạng · Đạt", "Đơn vị ở giữa: 0", "44 đơn vị ở giữa")
    officer.presses("by:communes_without_scan").sees("Xã, phường, đặc khu chưa ai quét mã", "1. Phường Hồng Gai: 0")
    officer.presses("faces").presses("face:heatmap").sees("Điểm từng chỉ số")
    officer.presses("faces").presses("face:compare").sees("So với năm trước", "Đã đăng ký: 1 (năm 2025: 0)")
    officer.presses("report").sees("Thành phố Quảng Ninh, năm 2026", "Mã báo cáo")
    assert [(job.get("kind"), job.get("measure")) for job in waiting(world)[asked:]] == [
        ("funnel", None), ("progress", None), ("ranking", "approved"), ("ranking", "communes_without_scan"),
        ("heatmap", None),
    ]  # fmt: skip


def test_a_unit_without_units_below_is_not_ranked(world: World) -> None:
    officer = world.officer().types("/report").presses("faces")
    officer.sees("Tiến độ tuần").sees_not("Xếp hạng").presses("face:progress").sees("Chưa có hồ sơ nào được nộp")
    assert waiting(world) == []


def test_the_picture_of_a_ranking_says_by_what_and_leads_on(world: World) -> None:
    world.citizen().joins()
    officer = world.officer("22", "supervisor").types("/report")
    facts = {"key": "k" * 64, "unit": unit_id(world, "22"), "year": 2026, "as_of": world.now.isoformat()}
    chosen = {"page": 1, "kind": "ranking", "measure": "pass_rate", "pages": 3}
    officer.does(Signal("chart", facts | chosen))
    (notice,) = officer.notices
    assert "Xếp hạng · Tỉ lệ đạt: Thành phố Quảng Ninh, năm 2026" in officer.read_out(notice)
    (button,) = notice.choices
    officer.does(Pressed(button.id))
    asked = waiting(world)[-1]
    assert (asked["kind"], asked["measure"], asked["page"]) == ("ranking", "pass_rate", 2)
    before = len(waiting(world))
    officer.does(Pressed("go:chart:22:2026:2:ranking:nonsense")).does(Pressed("go:chart:22:2026:2:nonsense"))
    assert all("nonsense" not in str(job) for job in waiting(world)[before:])


def test_a_scanned_code_is_on_the_map_of_the_roll_out(world: World) -> None:
    officer = (
        world.officer("22", "supervisor").types("/report").sees("Chưa có ai quét mã: 54/54", "Chưa có cán bộ: 54/54")
    )
    world.officer("06685")
    world.citizen().opens("DV06685K")
    officer.types("/report").sees("Chưa có ai quét mã: 53/54", "Chưa có cán bộ: 53/54")
