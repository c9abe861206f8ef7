"""The chat page in Chromium against a conversation in memory. Pictures of it go to ``screenshots/`` (git-ignored)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from bot.channels.web_backend import Seat
from dialogs.model import Choice, Pressed, Screen, Sent, Typed, encode_screen
from tests.support import papers
from tests.web.conftest import served
from tests.web.fake import HONG_GAI, Memory, numbered
from tests.web.story import play

pytestmark = pytest.mark.browser
SHOTS = Path(__file__).parents[2] / "screenshots" / "web"
PHONE: Any = {"width": 390, "height": 844}
NAME = "<b>Lê & Trần</b>"


@dataclass(slots=True)
class Chat:
    """A phone that looks at a served chat; what its console complains of fails the test."""

    address: str
    memory: Memory
    context: BrowserContext
    page: Page
    complaints: list[str]

    def shot(self, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")


@contextmanager
def chatting(browser: Browser, memory: Memory | None = None, **how: Any) -> Iterator[Chat]:
    memory = memory or Memory(answer=play, units={"u06685": HONG_GAI})
    with served(memory) as address:
        context = browser.new_context(**{"viewport": PHONE, **how})
        page = context.new_page()
        page.set_default_timeout(10_000)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: complaints.append(said.text) if said.type == "error" and "net::" not in said.text else None,
        )
        chat = Chat(address, memory, context, page, complaints)
        yield chat
        context.close()
    assert not chat.complaints


def photo(folder: Path, name: str, size: tuple[int, int] = (3000, 2000)) -> str:
    image = Image.new("RGB", size, "steelblue")
    ImageDraw.Draw(image).text((100, 100), name, fill="white", font_size=200)
    image.save(folder / name, "JPEG")
    return str(folder / name)


def to_question(page: Page, address: str) -> None:
    page.wait_for_load_state()  # what is shown may be there before its page has loaded whole
    page.goto("about:blank")  # from the same page it would be a mere change of fragment, which the page then takes away
    page.goto(f"{address}/chat#q=u06685")
    page.get_by_role("button", name="Đúng rồi").click()
    expect(page.locator("#input")).to_have_attribute("autocomplete", "name")
    page.fill("#input", NAME)
    page.keyboard.press("Enter")
    expect(page.locator("#input")).to_have_attribute("inputmode", "numeric")
    page.fill("#input", "1950")
    page.locator("#send").click()
    expect(page.get_by_role("button", name="4 đến 5 buổi")).to_be_visible()


def test_from_the_qr_to_the_overview_with_photos(browser: Browser, tmp_path: Path) -> None:
    with chatting(browser, has_touch=True, is_mobile=True) as chat:
        page, memory = chat.page, chat.memory
        page.goto(f"{chat.address}/q/u06685")
        chat.shot("landing")
        page.get_by_role("link", name="Trả lời ngay tại đây").click()
        expect(page.get_by_role("button", name="Đúng rồi")).to_be_visible()
        assert page.url == f"{chat.address}/chat"  # the code is not opened again by a reload
        to_question(page, chat.address)
        assert page.locator(".me .text", has_text=NAME).count() >= 1
        assert page.locator("#log b").count() == 0
        chat.shot("question")
        page.get_by_role("button", name="4 đến 5 buổi").click()
        expect(page.get_by_role("button", name="Chụp hoặc chọn ảnh")).to_be_visible()
        page.set_input_files("#file", [photo(tmp_path, f"{n}.jpg", (3000 + n, 2000)) for n in range(3)])
        expect(page.locator("#tray-list li[data-state=done]")).to_have_count(3)
        page.fill("#input", "Giấy mời")
        chat.shot("tray")
        page.get_by_role("button", name="Gửi").last.click()
        expect(page.locator("#log")).to_contain_text("Đã nhận 3 ảnh")
        sent = [incoming.act for incoming in memory.taken if isinstance(incoming.act, Sent)]
        assert len(sent) == 1 and len(set(sent[0].uploads)) == 3 and sent[0].caption == "Giấy mời"
        assert {(p.width, p.height) for p in memory.pictures.values()} <= {(2560, 1706), (2560, 1707), (2560, 1705)}
        page.get_by_role("button", name="Xong, câu tiếp theo").click()
        expect(page.locator(".bot .picture")).to_have_count(3)
        before = page.locator("#log .text").all_inner_texts()
        chat.shot("overview")
        page.reload()
        expect(page.get_by_role("button", name="Nộp phiếu")).to_be_visible()
        assert page.locator("#log .text").all_inner_texts() == before
        page.locator(".bot .picture").first.click()
        expect(page.locator("#viewer-image")).to_be_visible()
        chat.shot("viewer")
        page.keyboard.press("Escape")
        with page.expect_download() as download:
            page.get_by_role("button", name="du-lieu.json").click()
        assert Path(download.value.path()).read_text() == '{"ten": "Lê"}'


def test_papers_and_what_the_browser_cannot_draw_are_shown_as_the_server_made_them(
    browser: Browser, tmp_path: Path
) -> None:
    with chatting(browser) as chat:
        page, memory = chat.page, chat.memory
        to_question(page, chat.address)
        page.get_by_role("button", name="4 đến 5 buổi").click()
        files = {"giay.pdf": papers.pdf(3, picture=papers.certificate(900))}
        files["IMG_1.HEIC"] = papers.encoded(papers.certificate(900, "Trần Thị Hoa"), "HEIF")
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        page.set_input_files("#file", [str(tmp_path / name) for name in files])
        expect(page.locator("#tray-list li[data-state=done]")).to_have_count(2)
        for n in range(2):
            drawn = page.locator("#tray-list img").nth(n)
            expect(drawn).to_be_visible()
            page.wait_for_function("image => image.complete && image.naturalWidth === 480", arg=drawn.element_handle())
        chat.shot("tray-papers")
        page.locator("#send").click()
        expect(page.locator("#log")).to_contain_text("Đã nhận 4 ảnh")
        (sent,) = [incoming.act for incoming in memory.taken if isinstance(incoming.act, Sent)]
        assert len(set(sent.uploads)) == 4
        assert {key for _, key in memory.pictures} == set(sent.uploads)


def test_a_file_that_is_never_taken_holds_nothing_up(browser: Browser, tmp_path: Path) -> None:
    with chatting(browser) as chat:
        page, memory = chat.page, chat.memory
        to_question(page, chat.address)
        page.get_by_role("button", name="4 đến 5 buổi").click()
        large = tmp_path / "large.pdf"
        with large.open("wb") as file:
            file.truncate(20 * 1024 * 1024 + 1)
        page.set_input_files("#file", [str(large)])
        expect(page.locator("#tray-word")).to_contain_text("20 MB")
        expect(page.locator("#tray-list li")).to_have_count(0)
        memory.full = True
        page.set_input_files("#file", [photo(tmp_path, "a.jpg")])
        expect(page.locator("#tray-word")).to_contain_text("Hiện chưa nhận được ảnh. Xin cứ trả lời tiếp")
        chat.complaints.clear()  # Chromium's own line of a status above 399
        page.get_by_role("button", name="Xong, câu tiếp theo").click()
        expect(page.locator("#dock")).to_contain_text("Nộp phiếu")
        assert not memory.pictures


def test_what_was_done_without_a_network_is_kept_and_sent_once(browser: Browser, tmp_path: Path) -> None:
    with chatting(browser) as chat:
        page, memory = chat.page, chat.memory
        to_question(page, chat.address)
        taken = len(memory.taken)
        chat.context.route("**/chat/act", lambda route: route.abort())
        chat.context.route("**/chat/upload*", lambda route: route.abort())
        page.get_by_role("button", name="4 đến 5 buổi").click()
        expect(page.locator(".me .state.waiting")).to_be_visible()
        expect(page.locator("#status")).to_contain_text("Mất mạng")
        page.get_by_role("button", name="1 buổi").click(force=True)  # no second answer to the same question
        page.set_input_files("#file", [photo(tmp_path, "a.jpg")])
        expect(page.locator("#tray-list li[data-state=waiting]")).to_have_count(1)
        page.locator("#send").click()
        chat.shot("offline")
        page.reload()
        expect(page.locator(".me .picture img")).to_have_count(1)
        expect(page.locator(".me .text").last).to_have_text("4 đến 5 buổi")
        assert len(memory.taken) == taken
        chat.context.unroute("**/chat/act")
        chat.context.unroute("**/chat/upload*")
        page.evaluate("window.dispatchEvent(new Event('online'))")
        expect(page.locator("#log")).to_contain_text("Đã nhận 1 ảnh", timeout=30_000)
        acts = [incoming.act for incoming in memory.taken[taken:]]
        assert acts[0] == Pressed("kha") and isinstance(acts[1], Sent) and len(acts) == 2
        expect(page.locator(".me .state.waiting")).to_have_count(0)
        assert page.locator(".me .text", has_text="4 đến 5 buổi").count() == 1


def test_a_lost_acknowledgement_is_no_second_answer(browser: Browser) -> None:
    with chatting(browser) as chat:
        page, memory = chat.page, chat.memory
        to_question(page, chat.address)
        lost = threading.Event()

        def lose(route: Route) -> None:
            if lost.is_set():
                route.continue_()
            else:
                lost.set()
                route.fetch()
                route.abort()

        chat.context.route("**/chat/act", lose)
        page.get_by_role("button", name="4 đến 5 buổi").click()
        expect(page.get_by_role("button", name="Chụp hoặc chọn ảnh")).to_be_visible()
        expect(page.locator(".me .state.sent")).to_have_count(4)
        for _ in range(50):
            if not page.evaluate("localStorage.getItem('hoctap:/chat:queue')"):
                break
            page.wait_for_timeout(100)
        assert memory.repeats == 1
        assert [i.act for i in memory.taken].count(Pressed("kha")) == 1
        assert page.locator(".me .text", has_text="4 đến 5 buổi").count() == 1


def test_only_the_open_screen_can_be_answered(browser: Browser) -> None:
    with chatting(browser) as chat:
        page, memory = chat.page, chat.memory
        to_question(page, chat.address)
        number = memory.turn
        bots = page.locator(".message.bot").count()
        page.fill("#input", "???")
        page.keyboard.press("Enter")
        expect(page.locator(".note")).to_have_count(1)
        assert page.locator(".message.bot").count() == bots  # the same screen again stands once
        assert page.locator("#dock .choice").count() == 7
        assert memory.taken[-1].screen == number
        page.locator("#more-button").click()
        page.locator("#menu-help").click()
        expect(page.locator(".message.notice")).to_have_count(1)
        assert page.locator("#dock .choice").count() == 7  # a notice stands beside the question
        page.get_by_role("button", name="/hoso").click()
        expect(page.locator(".me .text").last).to_have_text("/hoso")
        assert memory.taken[-1].act == Typed("/hoso")


def test_what_others_cause_comes_by_itself_in_every_tab(browser: Browser) -> None:
    with chatting(browser) as chat:
        page, memory = chat.page, chat.memory
        to_question(page, chat.address)
        other = chat.context.new_page()
        other.goto(f"{chat.address}/chat")
        expect(other.get_by_role("button", name="4 đến 5 buổi")).to_be_visible()
        assert len(memory.taken) == 4  # the second tab opened nothing
        page.get_by_role("button", name="4 đến 5 buổi").click()
        expect(other.get_by_role("button", name="Chụp hoặc chọn ảnh")).to_be_visible()
        address = memory.taken[0].address
        notice = encode_screen(Screen("Hồ sơ đã đạt. " * 3))
        memory.loop.call_soon_threadsafe(memory.put, address, "out", notice, datetime.now(UTC))
        expect(page.locator(".message.notice")).to_have_count(1)
        expect(other.locator(".message.notice")).to_have_count(1)
        for tab in (page, other):  # its own line came by the stream before the notice did
            assert tab.locator(".me .text", has_text="4 đến 5 buổi").count() == 1


def test_a_reader_who_scrolled_up_is_not_moved(browser: Browser) -> None:
    with chatting(browser) as chat:
        page, memory = chat.page, chat.memory
        to_question(page, chat.address)
        for n in range(3):
            page.fill("#input", f"/la {n}")
            page.keyboard.press("Enter")
            expect(page.locator(".me .state.sent")).to_have_count(4 + n)
        page.evaluate("document.getElementById('scroll').scrollTop = 0")
        address = memory.taken[0].address
        notice = encode_screen(Screen("Một tin mới."))
        memory.loop.call_soon_threadsafe(memory.put, address, "out", notice, datetime.now(UTC))
        expect(page.get_by_role("button", name="Tin mới")).to_be_visible()
        assert page.evaluate("document.getElementById('scroll').scrollTop") == 0
        page.get_by_role("button", name="Tin mới").click()
        expect(page.get_by_text("Một tin mới.")).to_be_in_viewport()


def test_the_keyboard_alone_is_enough(browser: Browser) -> None:
    with chatting(browser, viewport={"width": 1280, "height": 800}) as chat:
        page, memory = chat.page, chat.memory
        page.goto(f"{chat.address}/chat")
        choice = page.get_by_role("button", name="Đúng rồi")
        expect(choice).to_be_visible()
        for _ in range(10):
            page.keyboard.press("Tab")
            if choice.evaluate("node => node === document.activeElement"):
                break
        assert choice.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Quay lại")).to_be_visible()
        assert page.evaluate("document.activeElement.id") == "dock"  # one goes on from where one was
        page.fill("#input", "Lê Thị Hoa")
        page.keyboard.press("Enter")
        expect(page.locator("#input")).to_have_attribute("inputmode", "numeric")
        page.keyboard.type("1950")
        page.keyboard.press("Shift+Enter")
        assert page.input_value("#input") == "1950\n"
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="4 đến 5 buổi")).to_be_visible()
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("2")
        expect(page.get_by_role("button", name="Chụp hoặc chọn ảnh")).to_be_visible()
        assert memory.taken[-1].act == Pressed("kha")
        assert page.locator("#log").get_attribute("role") == "log"
        bar = page.get_by_role("progressbar").last
        assert bar.get_attribute("aria-valuetext") == "Câu 3 trên 10"
        chat.shot("pc")


STORE = (
    "indexedDB.databases().then(([found]) => new Promise((resolve) => { const asked = indexedDB.open(found.name);"
    " asked.onsuccess = () => resolve(asked.result.transaction('photos', 'readwrite').objectStore('photos')); }))"
)
KEPT = f"{STORE}.then((store) => new Promise((resolve) => (store.count().onsuccess = (e) => resolve(e.target.result))))"
LEFT = f"{STORE}.then((store) => new Promise((resolve) => (store.put(new Blob(['x']), 'lost').onsuccess = resolve)))"


def test_a_file_that_is_no_photo_is_answered_in_place(browser: Browser, tmp_path: Path) -> None:
    with chatting(browser) as chat:
        page = chat.page
        to_question(page, chat.address)
        bad = tmp_path / "scan.jpg"
        bad.write_bytes(b"plain words and no photo at all")
        with_good = [str(bad), photo(tmp_path, "good.jpg")]
        page.set_input_files("#file", with_good)
        expect(page.locator("#tray-list li[data-state=refused]")).to_have_count(1)
        expect(page.locator("#tray-list li[data-state=done]")).to_have_count(1)
        expect(page.locator("#tray-word")).to_contain_text("không phải ảnh")
        assert page.evaluate(KEPT) == 1  # the good one
        chat.shot("refused")
        expect(page.locator("#send-word")).to_have_text("Gửi 1 ảnh")
        chat.complaints.clear()  # the console notes the 422
        page.get_by_role("button", name="Bỏ ảnh này").first.click()
        expect(page.locator("#tray-list li")).to_have_count(1)
        page.locator("#send").click()
        expect(page.locator("#log")).to_contain_text("Đã nhận 1 ảnh")
        page.wait_for_function(f"{KEPT}.then((count) => count === 0)")
        page.evaluate(LEFT)
        assert page.evaluate(KEPT) == 1
        page.reload()
        page.wait_for_function(f"{KEPT}.then((count) => count === 0)")


def test_large_text_small_screens_and_the_dark(browser: Browser) -> None:
    with chatting(browser, viewport={"width": 360, "height": 640}, color_scheme="dark") as chat:
        page = chat.page
        page.goto(f"{chat.address}/chat")
        page.get_by_role("button", name="Chữ to").first.click()
        to_question(page, chat.address)
        size = page.evaluate("parseFloat(getComputedStyle(document.querySelector('.text')).fontSize)")
        assert size >= 22
        assert page.evaluate("document.documentElement.scrollWidth <= 360")
        assert page.evaluate("document.getElementById('scroll').scrollWidth <= 360")
        boxes = page.evaluate(
            "[...document.querySelectorAll('#dock button, #bar > button, #composer button')]"
            ".map(b => [b.textContent, b.getBoundingClientRect().width, b.getBoundingClientRect().height])"
        )
        assert all(width >= 48 and height >= 48 for _, width, height in boxes), boxes
        chat.shot("large-dark")
        page.reload()
        assert page.evaluate("document.documentElement.classList.contains('large')")


def test_leaving_takes_everything_along(browser: Browser) -> None:
    with chatting(browser) as chat:
        page, memory = chat.page, chat.memory
        to_question(page, chat.address)
        page.locator("#more-button").click()
        page.get_by_role("button", name="Không phải tôi / Thoát").click()
        page.locator("#confirm-no").click()
        assert not memory.forgotten
        page.locator("#more-button").click()
        page.get_by_role("button", name="Không phải tôi / Thoát").click()
        page.locator("#confirm-yes").click()
        expect(page.get_by_role("button", name="Đúng rồi")).to_be_visible()
        assert memory.forgotten == [memory.taken[0].address]
        assert memory.taken[-1].address != memory.taken[0].address
        assert page.locator(".me").count() == 0


def test_a_screen_in_english_makes_the_page_english(browser: Browser) -> None:
    def english(memory: Memory, incoming: Any) -> list[Screen]:
        return [numbered(memory, Screen("How many?", (Choice("back", "Back", "quiet"),), language="en", input="photo"))]

    with chatting(browser, Memory(answer=english)) as chat:
        chat.page.goto(f"{chat.address}/chat")
        expect(chat.page.get_by_role("button", name="Take or choose a photo")).to_be_visible()
        assert chat.page.locator("html").get_attribute("lang") == "en"
        expect(chat.page.locator("h1")).to_have_text("Learning Citizen")


def test_three_people_side_by_side(browser: Browser) -> None:
    seats = tuple(Seat(f"/demo/{who}", who.title(), f"pay-{who}") for who in ("citizen", "officer", "province"))
    memory = Memory(answer=play, seats=seats)
    with served(memory, demo=True) as address:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(f"{address}/")
        for seat in seats:
            frame = page.frame_locator(f"iframe[title={seat.title}]")
            expect(frame.get_by_role("button", name="Đúng rồi")).to_be_visible()
        assert {incoming.act.payload for incoming in memory.taken} == {seat.payload for seat in seats}
        assert len({incoming.address for incoming in memory.taken}) == 3
        page.reload()
        expect(page.frame_locator("iframe >> nth=2").get_by_role("button", name="Đúng rồi")).to_be_visible()
        assert len(memory.taken) == 3  # a one-time link is not opened a second time
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / "demo.png")
        page.set_viewport_size(PHONE)
        page.get_by_role("tab", name="Officer").click()
        expect(page.locator("iframe[title=Officer]")).to_be_visible()
        expect(page.locator("iframe[title=Citizen]")).to_be_hidden()
        context.close()
