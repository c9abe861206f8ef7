"""The page that shows how Telegram would draw a bot, in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import aiogram
import pytest
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    KeyboardButton,
    ReplyKeyboardMarkup,
)
from PIL import Image
from playwright.async_api import Page, async_playwright, expect

from tests.peers.telegram import BotApi
from tests.peers.telegram_window import Seat, Window, window
from tests.support.chromium import FLAGS, chromium_path

pytestmark = pytest.mark.browser


def jpeg(colour: str) -> bytes:
    written = BytesIO()
    Image.new("RGB", (640, 480), colour).save(written, "JPEG")
    return written.getvalue()


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=[*FLAGS, "--no-sandbox"])
        yield await browser.new_page(viewport={"width": 390, "height": 844})
        await browser.close()


async def test_the_page_draws_and_acts(page: Page) -> None:
    async with BotApi() as api:
        fake = api.bot("100001:test-token", "hoctap_bot")
        phone = api.phone(fake)
        seen = Window(api, fake, [Seat(phone, "Công dân", "DV06685K")])
        bot = aiogram.Bot(fake.token, session=AiohttpSession(api=TelegramAPIServer.from_base(api.url)))
        async with seen.open():
            await page.goto(f"{seen.url}/?person=0&bare=1")
            await page.get_by_text("BẮT ĐẦU").click()
            await expect(page.locator(".mine .text")).to_have_text("/start")  # the payload is not shown
            assert phone.messages[0].text == "/start DV06685K"
            chat = phone.chat.id
            rows = [["Có", "Không"], ["Để sau"]]
            keys = InlineKeyboardMarkup(
                inline_keyboard=[[InlineKeyboardButton(text=t, callback_data=f"3:{t}") for t in row] for row in rows]
            )
            await bot.send_message(chat, "<b>Câu 1</b>\n1 &lt; 2", parse_mode="HTML", reply_markup=keys)
            await expect(page.locator(".text b")).to_have_text("Câu 1")
            widths = [await key.evaluate("key => key.offsetWidth") for key in await page.locator(".keys button").all()]
            assert abs(widths[0] - widths[1]) <= 1  # equal in a row, full alone
            assert widths[2] > 1.9 * widths[0]
            await page.get_by_text("Không").click()
            query = next(iter(fake.queries.values()))
            await bot.answer_callback_query(query.id, text="Đã ghi")
            await expect(page.locator(".toast.on")).to_have_text("Đã ghi")
            await bot.send_media_group(
                chat, [InputMediaPhoto(media=BufferedInputFile(jpeg(c), "a.jpg"), caption=c) for c in ("red", "blue")]
            )
            await expect(page.locator(".album img")).to_have_count(2)
            share = ReplyKeyboardMarkup(keyboard=[[KeyboardButton(text="Chia sẻ số", request_contact=True)]])
            await bot.send_message(chat, "Số của bác?", reply_markup=share)
            await page.get_by_text("Chia sẻ số").click()
            await page.locator(".photos").set_input_files(
                [{"name": f"{c}.jpg", "mimeType": "image/jpeg", "buffer": jpeg(c)} for c in ("white", "black", "green")]
            )
            await expect(page.locator(".mine .album img")).to_have_count(3)
            assert [sorted(u.payload) for u in fake.updates.values()][1:3] == [["callback_query"], ["message"]]
            assert len({u.album for u in fake.updates.values()} - {""}) == 1
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        await bot.session.close()


@pytest.mark.slow
async def test_the_product_at_the_window(page: Page, tmp_path: Path) -> None:
    async with window(tmp_path) as seen:
        await page.goto(f"{seen.url}/?person=0&bare=1")
        await page.get_by_text("BẮT ĐẦU").click()
        await page.locator(".keys button").first.click()
        await seen.seats[0].phone.settles()
        await expect(page.locator(".keys button").first).to_be_visible()
        assert len(seen.seats[0].phone.screen.history) == 1  # edited in place
