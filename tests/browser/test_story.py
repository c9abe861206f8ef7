"""The whole story in Chromium, at the size of a phone, against ``hoctap demo``: from the poster's link to an approved
dossier and the province's chart. Pictures of every step go to ``screenshots/story`` (git-ignored), to be looked at."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import SHOTS, People, Seat
from tests.support.server import seed

pytestmark = pytest.mark.browser

NAME = "Nguyễn Thị Hạnh"
# What she answers; where a photo is wanted, its names. The levels make 83 points.
ANSWERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Nhiều ngày trong tuần", ()),
    ("Có kế hoạch, hoàn thành phần lớn", ()),
    ("Từ 6 buổi trở lên", ("paper", "portrait")),
    ("Thường xuyên nhắc nhở", ()),
    ("Thành thạo", ("clear",)),
    ("Biết từ, câu thông dụng", ()),
    ("Thường tính toán thu chi", ()),
    ("Thường kiểm tra nguồn tin", ()),
    ("Hòa thuận, tích cực", ()),
    ("Thường xuyên tham gia", ()),
)


def test_from_the_qr_to_an_approved_dossier_and_a_chart(people: People, photos: dict[str, str]) -> None:
    shutil.rmtree(SHOTS, ignore_errors=True)  # of an earlier story
    window = people.opens("/demo/")
    window.set_viewport_size({"width": 1440, "height": 900})
    for name in ("Công dân", "Người xét", "Cán bộ theo dõi"):
        frame = window.frame_locator(f"iframe[title^='{name}']")
        expect(frame.locator("#dock .choice").first).to_be_visible()
    window.close()  # from here everybody has a phone of their own

    landing = people.opens("/q/DV06685K")
    expect(landing.get_by_role("heading", name="Phường Hồng Gai")).to_be_visible()
    SHOTS.mkdir(parents=True, exist_ok=True)
    landing.screenshot(path=SHOTS / "0-landing.png")
    landing.get_by_role("link", name="Trả lời ngay tại đây").click()
    expect(landing.get_by_role("button", name="Đúng rồi")).to_be_visible()
    landing.close()

    citizen = people.sits("citizen", "/demo/citizen/chat")
    joins(citizen)
    answers(citizen, photos)
    dossier = hands_in(citizen)

    officer = people.sits("officer", "/demo/officer/chat")
    officer.sees("mời làm người xét của Phường Hồng Gai").shot("invite")
    officer.presses("Nhận nhiệm vụ").shot("home")
    finds(officer)
    looks_at_evidence(officer)
    returns_question_five(officer)

    mends_question_five(citizen, photos)

    approves(officer, dossier)

    notice = citizen.hears("Chúc mừng")
    expect(notice).to_contain_text(dossier)
    citizen.shot("approved")
    is_the_same_after_a_reload(citizen)
    large_and_dark(citizen)

    province = people.sits("province", "/demo/province/chat")
    province.presses("Nhận nhiệm vụ").shot("home")
    reports(province)

    window = people.opens("/demo/")
    window.set_viewport_size({"width": 1440, "height": 900})
    side_by_side(window)


def joins(citizen: Seat) -> None:
    citizen.sees("Phường Hồng Gai, Thành phố Quảng Ninh").shot("is-it-you")
    citizen.presses("Đúng rồi").sees("có đồng ý không").shot("consent")
    citizen.presses("Tôi đồng ý").sees("Họ và tên").shot("name")
    citizen.says(NAME).sees("năm nào").shot("year")
    citizen.says("1961").sees("Số điện thoại").shot("phone")
    citizen.presses("Không cho số").sees("xưng hô").shot("form")
    citizen.presses("Gọi là ông/bà").sees("nhóm nào").shot("group")
    citizen.presses("Nông dân").sees("bản dựng lại").shot("welcome")
    citizen.presses("Bắt đầu trả lời")


def answers(citizen: Seat, photos: dict[str, str]) -> None:
    for n, (level, wanted) in enumerate(ANSWERS, 1):
        citizen.sees(f"Câu {n}/10").shot(f"question-{n}")
        citizen.presses(level)
        if wanted:
            citizen.sees(f"Minh chứng cho câu {n}").shot(f"evidence-{n}")
            citizen.sends(*(photos[name] for name in wanted))
            citizen.sees(f"Đã nhận {len(wanted)} ảnh cho câu {n}").shot(f"evidence-{n}-received")


def hands_in(citizen: Seat) -> str:
    """Submit; the dossier's code."""
    citizen.sees("83/100").shot("overview")
    citizen.presses("Nộp phiếu").shot("confirm")
    citizen.presses("Nộp").sees("Mã hồ sơ").shot("submitted")
    found = re.search(r"HS-\d{4}-\w+", citizen.screen())
    assert found, citizen.screen()
    return found.group()


def finds(officer: Seat) -> None:
    """The dossier in the queue, wherever it stands."""
    officer.says("/queue").sees("chờ xét").shot("queue")
    while officer.choice(NAME).count() == 0:
        officer.presses("Trang sau")
    officer.presses(NAME).sees(NAME, "83/100").shot("dossier")


def looks_at_evidence(officer: Seat) -> None:
    officer.presses("Xem từng câu").sees("Câu 1/10").shot("read-1")
    officer.presses("Câu sau").presses("Câu sau").sees("Câu 3/10")
    pictures = officer.newest().locator(".picture img")
    expect(pictures).to_have_count(2)
    for n in range(2):
        assert width_of(pictures.nth(n)) > 0
    officer.shot("read-3")
    pictures.first.click()
    large = officer.page.locator("#viewer-image")
    expect(large).to_be_visible()
    assert width_of(large) >= 1500  # large enough to read a paper
    officer.shot("evidence")
    held = photo_behind(officer, large.get_attribute("src") or "")
    assert held.height > held.width  # the orientation is applied,
    assert not held.getexif()  # and the place where it was taken is gone
    officer.page.locator("#viewer-zoom").click()
    officer.shot("evidence-zoomed")
    officer.page.locator("#viewer-close").click()
    officer.presses("Câu sau").presses("Câu sau").sees("Câu 5/10")
    assert width_of(officer.newest().locator(".picture img")) > 0
    officer.shot("read-5")


def width_of(picture: Any) -> int:
    """The natural width once it has loaded; 0 when it does not load."""
    picture.scroll_into_view_if_needed()
    picture.evaluate("i => i.complete || new Promise(done => { i.onload = i.onerror = done })")
    return int(picture.evaluate("i => i.naturalWidth"))


def photo_behind(seat: Seat, source: str) -> Image.Image:
    answer = seat.page.request.get(f"{seat.page.url.split('/demo/')[0]}{source}")
    assert answer.ok
    return Image.open(BytesIO(answer.body()))


def returns_question_five(officer: Seat) -> None:
    officer.presses("Trả lại câu này").shot("marked")
    officer.says("/tralai").sees("Trả lại câu nào").shot("which")
    officer.presses("Ghi lý do").sees("Vì sao trả lại").shot("why")
    officer.presses("Ảnh mờ").sees("Ảnh mờ, xin chụp lại").shot("confirm-return")
    officer.presses("Trả lại hồ sơ").sees("Đã ghi").shot("returned")


def mends_question_five(citizen: Seat, photos: dict[str, str]) -> None:
    notice = citizen.hears("Ảnh mờ, xin chụp lại")
    expect(notice.get_by_role("button", name="Sửa câu 5")).to_be_in_viewport()
    citizen.shot("returned")
    notice.get_by_role("button", name="Sửa câu 5").click()
    citizen.answered().sees("Câu 5/10", "Ảnh mờ, xin chụp lại").shot("mend")
    citizen.presses("Gửi minh chứng mới").sees("Minh chứng cho câu 5").shot("mend-evidence")
    citizen.sends(photos["portrait"], caption="Giấy xác nhận kỹ năng số").sees("2 ảnh").shot("mended")
    citizen.presses("Xong").sees("83/100").shot("overview-again")
    citizen.presses("Nộp lại").shot("confirm-again")
    citizen.presses("Nộp").sees("Mã hồ sơ").shot("submitted-again")


def approves(officer: Seat, dossier: str) -> None:
    notice = officer.hears(dossier)
    officer.shot("told-of-mending")
    notice.get_by_role("button", name="Mở hàng đợi").click()
    officer.answered().sees("chờ xét")
    while officer.choice(NAME).count() == 0:
        officer.presses("Trang sau")
    officer.presses(NAME).sees("đã sửa").shot("what-changed")
    officer.presses("Mở câu 5").sees("Đã sửa sau lần trả lại").shot("read-5-again")
    for n in range(officer.newest().locator(".picture img").count()):
        assert width_of(officer.newest().locator(".picture img").nth(n)) > 0
    officer.says("/approve").shot("approve")
    officer.presses("Đạt").sees("Đã ghi", dossier).shot("approved")


def is_the_same_after_a_reload(citizen: Seat) -> None:
    before = citizen.frame.locator("#log .text").all_inner_texts()
    citizen.page.reload()
    expect(citizen.frame.locator("#log .text")).to_have_count(len(before))
    assert citizen.frame.locator("#log .text").all_inner_texts() == before
    citizen.hears("Chúc mừng")


def large_and_dark(citizen: Seat) -> None:
    page = citizen.page
    citizen.says("/hoso").shot("standing")
    page.locator("#larger").click()
    citizen.shot("large")
    for element in ("document.documentElement", "document.getElementById('scroll')"):
        assert page.evaluate(f"{element}.scrollWidth <= innerWidth")
    page.emulate_media(color_scheme="dark")
    citizen.shot("large-dark")
    page.locator("#larger").click()
    citizen.shot("dark")
    page.emulate_media(color_scheme="light")


def reports(province: Seat) -> None:
    province.says("/report").sees("Thành phố Quảng Ninh, năm").shot("report")
    chart = province.frame.locator(".message.notice .picture img").last
    expect(chart).to_be_visible(timeout=30_000)
    assert width_of(chart) >= 1080
    province.shot("chart")
    chart.click()
    expect(province.page.locator("#viewer-image")).to_be_visible()
    province.shot("chart-large")
    province.page.locator("#viewer-close").click()


def side_by_side(window: Page) -> None:
    boxes = []
    for name in ("Công dân", "Người xét", "Cán bộ theo dõi"):
        seat = window.locator(f"iframe[title^='{name}']")
        expect(seat.content_frame.locator("#dock .choice").first).to_be_visible()
        boxes.append(seat.bounding_box())
    assert all(box and box["width"] > 440 and box["height"] > 700 for box in boxes), boxes
    window.screenshot(path=SHOTS / "9-side-by-side.png")


def test_the_keyboard_alone_answers_a_question(people: People) -> None:
    page = people.opens("/chat#q=DV06685K")
    page.set_viewport_size({"width": 1280, "height": 800})
    citizen = Seat("keyboard", page, page)
    to_and_enter(citizen, "Đúng rồi")
    to_and_enter(citizen, "Tôi đồng ý")
    for question, typed in (("Họ và tên", "Phạm Văn Bình"), ("năm nào", "1990")):
        citizen.sees(question)
        to(citizen, page.locator("#input"))
        page.keyboard.type(typed)
        page.keyboard.press("Enter")
        citizen.answered()
    for label in ("Không cho số", "Gọi là anh/chị", "Công nhân", "Bắt đầu trả lời"):
        to_and_enter(citizen, label)
    citizen.sees("Câu 1/10")
    choice = page.locator("#dock .choice").nth(1)
    to(citizen, choice)
    citizen.shot("focus")
    page.keyboard.press("Enter")
    citizen.answered().sees("Câu 1: đã ghi", "Câu 2/10")


def to_and_enter(seat: Seat, label: str) -> None:
    """Press a button of the open screen as one does without mouse or finger."""
    words = seat.choice(label)
    expect(words).to_be_visible()
    to(seat, words.locator(".."))
    seat.page.keyboard.press("Enter")
    seat.answered()


def to(seat: Seat, target: Locator) -> None:
    """Tab until the target has the focus, and can be seen to have it."""
    for _n in range(40):
        if target.evaluate("node => node === document.activeElement"):
            break
        seat.page.keyboard.press("Tab")
    expect(target).to_be_focused()
    assert target.evaluate("node => getComputedStyle(node).outlineStyle !== 'none' || node.id === 'input'")


def test_the_poster_leads_to_the_landing_page(people: People, tmp_path: Path) -> None:
    seed(tmp_path / "hoctap.sqlite")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HOCTAP_")},
        "HOCTAP_STORAGE__URL": f"sqlite:///{tmp_path / 'hoctap.sqlite'}",
        "HOCTAP_WEB__PUBLIC_URL": people.address,
    }
    command = [str(Path(sys.executable).with_name("hoctap")), "qr", "06685", "--poster", "poster.pdf"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    with pypdfium2.PdfDocument(tmp_path / "poster.pdf") as document:
        picture = document[0].render(scale=2).to_pil()  # 144 dots an inch, about what a screen shows
    SHOTS.mkdir(parents=True, exist_ok=True)
    picture.save(SHOTS / "0-poster.png")
    (found,) = zxingcpp.read_barcodes(picture)
    assert found.text == f"{people.address}/q/DV06685K"
    page = people.opens(found.text.removeprefix(people.address))
    expect(page.get_by_role("heading", name="Phường Hồng Gai")).to_be_visible()
    expect(page.get_by_text("DV 06685-K")).to_be_visible()
