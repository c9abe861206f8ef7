"""A personal id number leaves no trace in the browser: not in its store, not on the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from dialogs.model import Incoming, Screen, Typed
from storage.idnumbers import mask
from tests.web.fake import HONG_GAI, Memory, numbered
from tests.web.test_page import chatting, to_question

pytestmark = pytest.mark.browser
NUMBER, SAID = "022157001234", "022 157 001 234"
STORE = "JSON.stringify(Object.entries(localStorage))"


class Shading(Memory):
    """As the server keeps it: shaded."""

    def said(self, incoming: Incoming) -> dict[str, object]:
        match incoming.act:
            case Typed(text):
                return {"text": mask(text)}
        return super().said(incoming)


def asks(memory: Memory, incoming: Incoming) -> list[Screen]:
    return [numbered(memory, Screen("Xin ông/bà cho số định danh cá nhân", input="secret"))]


def test_a_number_waits_in_memory_only_and_is_drawn_as_it_is_kept(browser: Browser) -> None:
    from tests.web.story import play

    memory = Shading(answer=play, units={"u06685": HONG_GAI})
    with chatting(browser, memory) as chat:
        page = chat.page
        to_question(page, chat.address)
        taken = len(memory.taken)
        chat.context.route("**/chat/act", lambda route: route.abort())
        page.fill("#input", f"số tôi là {SAID} ạ")
        page.keyboard.press("Enter")
        expect(page.locator(".me .state.waiting")).to_be_visible()
        assert "022" not in page.evaluate(STORE)
        assert SAID not in page.content()
        expect(page.locator(".me .text").last).to_have_text("số tôi là ••••1234 ạ")
        chat.context.unroute("**/chat/act")
        page.evaluate("window.dispatchEvent(new Event('online'))")
        expect(page.locator(".me .state.waiting")).to_have_count(0, timeout=30_000)
        assert [incoming.act for incoming in memory.taken[taken:]] == [Typed(f"số tôi là {SAID} ạ")]
        assert "022" not in page.evaluate(STORE)
        page.reload()
        expect(page.locator(".me .text").last).to_have_text("số tôi là ••••1234 ạ")
        assert SAID not in page.content()


def test_a_reload_before_it_was_sent_forgets_it(browser: Browser) -> None:
    with chatting(browser, Shading(answer=asks, units={"u06685": HONG_GAI})) as chat:
        page, memory = chat.page, chat.memory
        page.goto(f"{chat.address}/chat#q=u06685")
        expect(page.locator("#log")).to_contain_text("số định danh")
        expect(page.locator("#input")).to_have_attribute("inputmode", "numeric")
        taken = len(memory.taken)
        chat.context.route("**/chat/act", lambda route: route.abort())
        page.fill("#input", "02215700123")  # a slip: it is nearly the number
        page.keyboard.press("Enter")
        expect(page.locator(".me .text").last).to_have_text("••••")
        assert "0221" not in page.evaluate(STORE)
        page.reload()
        expect(page.locator("#log")).to_contain_text("số định danh")
        expect(page.locator(".me .text")).to_have_count(0)
        chat.context.unroute("**/chat/act")
        assert len(memory.taken) == taken
