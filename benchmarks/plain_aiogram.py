"""The questionnaire as aiogram's documentation teaches it: router, ``F`` filters, ``FSMContext``, ``MemoryStorage``.

All defaults: ``start_polling``, or with ``WEBHOOK_URL`` and ``PORT`` a ``SimpleRequestHandler``. Answers live in the
memory storage and are shown at the end, as in the documentation's example of a finite state machine, which writes them
nowhere else. ``/dump`` says what the bot knows. Environment: ``BOT_TOKEN``, ``API_URL``.
"""

from __future__ import annotations

import asyncio
import logging
import os
from urllib.parse import urlsplit

from aiogram import Bot, Dispatcher, F, Router
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ParseMode
from aiogram.filters import Command, CommandStart
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.fsm.storage.memory import MemoryStorage
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiohttp import web

from benchmarks import questionnaire as words

QUESTIONS = words.questions()
PLACE = {question.indicator: n for n, question in enumerate(QUESTIONS)}

router = Router()


class Form(StatesGroup):
    consent = State()
    name = State()
    year = State()
    level = State()
    photo = State()


class Level(CallbackData, prefix="level"):
    indicator: str
    choice: str


class Move(CallbackData, prefix="move"):
    indicator: str
    choice: str


def keyboard(question: words.Question) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(
        inline_keyboard=[
            [InlineKeyboardButton(text=label, callback_data=button(question, choice)) for label, choice in row]
            for row in question.rows
        ]
    )


def button(question: words.Question, choice: str) -> str:
    kind = Level if choice in words.LEVELS else Move
    return kind(indicator=question.indicator, choice=choice).pack()


@router.message(CommandStart())
async def start(message: Message, state: FSMContext) -> None:
    await state.clear()
    await state.set_state(Form.consent)
    agree = InlineKeyboardButton(text=words.AGREE, callback_data="agree")
    await message.answer(words.WELCOME, reply_markup=InlineKeyboardMarkup(inline_keyboard=[[agree]]))


@router.message(Command("cancel"))
async def cancel(message: Message, state: FSMContext) -> None:
    await state.clear()
    await message.answer(words.CANCELLED)


@router.message(Command("dump"))
async def dump(message: Message, state: FSMContext) -> None:
    await message.answer(words.summary(words.KNOWN, await state.get_data()))


@router.callback_query(Form.consent, F.data == "agree")
async def agreed(query: CallbackQuery, state: FSMContext) -> None:
    await query.answer()
    await state.set_state(Form.name)
    if isinstance(query.message, Message):
        await query.message.edit_text(words.ASK_NAME)


@router.message(Form.name, F.text)
async def named(message: Message, state: FSMContext) -> None:
    await state.update_data(name=message.text)
    await state.set_state(Form.year)
    await message.answer(words.ASK_YEAR)


@router.message(Form.year, F.text.regexp(r"^\d{4}$"))
async def born(message: Message, state: FSMContext) -> None:
    await state.update_data(year=message.text)
    await state.set_state(Form.level)
    await message.answer(QUESTIONS[0].text, reply_markup=keyboard(QUESTIONS[0]))


@router.message(Form.year)
async def born_when(message: Message) -> None:
    await message.answer(words.ASK_YEAR)


@router.callback_query(Form.level, Level.filter())
async def answered(query: CallbackQuery, callback_data: Level, state: FSMContext) -> None:
    await query.answer()
    await state.update_data({callback_data.indicator: callback_data.choice})
    if not isinstance(query.message, Message):
        return
    n = PLACE[callback_data.indicator]
    if QUESTIONS[n].photo:
        await state.set_state(Form.photo)
        await state.update_data(photo_of=callback_data.indicator)
        await query.message.edit_text(words.ASK_PHOTO.format(n=n + 1))
    else:
        await query.message.edit_text(QUESTIONS[n + 1].text, reply_markup=keyboard(QUESTIONS[n + 1]))


@router.callback_query(Form.level, Move.filter(F.choice == words.BACK))
async def back(query: CallbackQuery, callback_data: Move) -> None:
    await query.answer()
    question = QUESTIONS[max(0, PLACE[callback_data.indicator] - 1)]
    if isinstance(query.message, Message):
        await query.message.edit_text(question.text, reply_markup=keyboard(question))


@router.message(Form.photo, F.photo)
async def shown(message: Message, state: FSMContext) -> None:
    assert message.photo
    data = await state.get_data()
    indicator = data["photo_of"]
    data = await state.update_data({f"{indicator} photo": message.photo[-1].file_unique_id})
    n = PLACE[indicator]
    if n + 1 < len(QUESTIONS):
        await state.set_state(Form.level)
        await message.answer(QUESTIONS[n + 1].text, reply_markup=keyboard(QUESTIONS[n + 1]))
    else:
        await state.clear()
        await message.answer(words.summary(words.RECEIPT, data))


@router.message(Form.photo)
async def no_photo(message: Message) -> None:
    await message.answer("A photo, please.")


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    session = AiohttpSession(api=TelegramAPIServer.from_base(os.environ["API_URL"]))
    bot = Bot(os.environ["BOT_TOKEN"], session=session, default=DefaultBotProperties(parse_mode=ParseMode.HTML))
    dispatcher = Dispatcher(storage=MemoryStorage())
    dispatcher.include_router(router)
    url = os.environ.get("WEBHOOK_URL")
    if not url:
        asyncio.run(dispatcher.start_polling(bot))
        return

    async def on_startup(bot: Bot) -> None:
        await bot.set_webhook(url)

    dispatcher.startup.register(on_startup)
    app = web.Application()
    SimpleRequestHandler(dispatcher=dispatcher, bot=bot).register(app, path=urlsplit(url).path)
    setup_application(app, dispatcher, bot=bot)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None)


if __name__ == "__main__":
    main()
