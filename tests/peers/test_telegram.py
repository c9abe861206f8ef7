"""The stand-in Bot API, asked by the libraries that real bots use."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import aiogram
import aiohttp
import pytest
import telegram
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllPrivateChats,
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    KeyboardButton,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
)
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.peers.telegram import BotApi, FakeBot
from tests.peers.telegram_entities import BadEntities, page, parsed, units

pytestmark = pytest.mark.slow

TOKEN = "100001:the-first-test-token"


def jpeg(colour: str = "red", size: tuple[int, int] = (640, 480)) -> bytes:
    written = BytesIO()
    Image.new("RGB", size, colour).save(written, "JPEG")
    return written.getvalue()


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    async with BotApi() as running:
        yield running


@pytest.fixture
def fake(api: BotApi) -> FakeBot:
    return api.bot(TOKEN, "hoctap_bot")


def aiogram_bot(api: BotApi, token: str) -> aiogram.Bot:
    return aiogram.Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(api.url)))


@pytest.fixture
async def bot(api: BotApi, fake: FakeBot) -> AsyncIterator[aiogram.Bot]:
    made = aiogram_bot(api, fake.token)
    yield made
    await made.session.close()


@pytest.fixture
async def ptb(api: BotApi, fake: FakeBot) -> AsyncIterator[telegram.Bot]:
    async with telegram.Bot(fake.token, base_url=f"{api.url}/bot", base_file_url=f"{api.url}/file/bot") as made:
        yield made


def keyboard(*rows: list[tuple[str, str]]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(
        inline_keyboard=[[InlineKeyboardButton(text=text, callback_data=data) for text, data in row] for row in rows]
    )


async def taken(bot: aiogram.Bot, offset: int | None = None) -> list[aiogram.types.Update]:
    return await bot.get_updates(offset=offset, timeout=0)


# ------------------------------------------------------------------------------------------------ updates by polling


async def test_a_chat_with_aiogram(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    assert (await bot.get_me()).username == "hoctap_bot"
    phone = api.phone(fake, first_name="Lan")
    ids = await phone.opens("DV06685K")
    [update] = await taken(bot)
    assert [update.update_id] == ids
    assert update.message is not None
    assert update.message.text == "/start DV06685K"
    assert update.message.entities is not None
    assert update.message.entities[0].type == "bot_command"
    sent = await bot.send_message(
        phone.chat.id, "<b>Câu 1/10</b>\n1 &lt; 2", parse_mode="HTML", reply_markup=keyboard([("Có", "7:yes")])
    )
    await phone.sees("Câu 1/10\n1 < 2")
    assert phone.screen.html == '<b class="bold">Câu 1/10</b>\n1 &lt; 2'
    [pressed] = await phone.presses("Có")
    [update] = await taken(bot, pressed)
    query = update.callback_query
    assert query is not None
    assert (query.data, query.from_user.first_name) == ("7:yes", "Lan")
    assert query.message is not None
    assert query.message.message_id == sent.message_id
    assert api.unanswered(fake) == [query.id]
    await bot.answer_callback_query(query.id, text="Đã ghi")
    assert api.unanswered(fake) == []
    assert phone.toasts == ["Đã ghi"]
    await bot.edit_message_text("Câu 2/10", chat_id=phone.chat.id, message_id=sent.message_id)
    await phone.settles()
    assert phone.screen.text == "Câu 2/10"
    assert phone.buttons == []
    assert phone.screen.history == ["Câu 1/10\n1 < 2"]


async def test_a_chat_with_ptb(api: BotApi, fake: FakeBot, ptb: telegram.Bot) -> None:
    phone = api.phone(fake)
    await phone.types("xin chào")
    [update] = await ptb.get_updates(timeout=0)
    assert update.message is not None
    assert update.message.text == "xin chào"
    markup = telegram.InlineKeyboardMarkup([[telegram.InlineKeyboardButton("Có", callback_data="7:yes")]])
    sent = await ptb.send_message(phone.chat.id, "<i>Chào</i> bác", parse_mode="HTML", reply_markup=markup)
    assert phone.screen.text == "Chào bác"
    await phone.presses("yes")  # the callback data after the screen's number
    [_, update] = await ptb.get_updates(timeout=0)
    assert update.callback_query is not None
    assert await update.callback_query.answer()
    await ptb.edit_message_text("Xong", chat_id=phone.chat.id, message_id=sent.message_id)
    photo = await ptb.send_photo(phone.chat.id, jpeg(), caption="ảnh")
    assert [size.width for size in photo.photo] == [90, 320, 640]
    again = await ptb.send_photo(phone.chat.id, photo.photo[-1].file_id)
    assert again.photo[-1].file_unique_id == photo.photo[-1].file_unique_id
    got = await (await ptb.get_file(again.photo[-1].file_id)).download_as_bytearray()
    assert bytes(got) == jpeg()
    await ptb.send_document(phone.chat.id, b"{}", filename="a.json")
    assert phone.messages[-1].document is not None
    assert phone.messages[-1].document.name == "a.json"
    album = await ptb.send_media_group(
        phone.chat.id, [telegram.InputMediaPhoto(jpeg("blue"), caption="một"), telegram.InputMediaPhoto(jpeg("green"))]
    )
    assert len({message.media_group_id for message in album}) == 1
    assert (await ptb.get_chat(phone.chat.id)).first_name == "Lan"
    assert await ptb.delete_messages(phone.chat.id, [message.message_id for message in album])
    assert not [message for message in phone.visible if message.album]


async def test_what_is_not_acknowledged_comes_again(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phone = api.phone(fake)
    first, second, third = (*await phone.types("1"), *await phone.types("2"), *await phone.types("3"))
    assert [update.update_id for update in await taken(bot)] == [first, second, third]
    assert [update.update_id for update in await taken(bot)] == [first, second, third]
    assert [update.update_id for update in await bot.get_updates(offset=second, limit=1, timeout=0)] == [second]
    assert [update.update_id for update in await taken(bot)] == [second, third]  # an offset before is forgotten
    assert await taken(bot, third + 1) == []
    assert await taken(bot) == []


async def test_a_long_poll_wakes(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phone = api.phone(fake)
    poll = asyncio.create_task(bot.get_updates(timeout=20))
    await asyncio.sleep(0.05)
    assert not poll.done()
    ids = await phone.types("dậy đi")
    assert [update.update_id for update in await asyncio.wait_for(poll, 2)] == ids


async def test_only_what_was_asked_for_comes(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phone = api.phone(fake)
    await bot.get_updates(timeout=0, allowed_updates=["callback_query"])
    assert await phone.types("nghe không") == [0]
    assert await taken(bot) == []  # not given again: the setting stays
    await bot.get_updates(timeout=0, allowed_updates=[])
    assert await phone.types("nghe không") != [0]


async def test_two_pollers_and_a_webhook_are_in_conflict(
    api: BotApi, fake: FakeBot, bot: aiogram.Bot, ptb: telegram.Bot
) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=20))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(ptb.get_updates(timeout=20))
    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates request"):
        await asyncio.wait_for(first, 2)
    await bot.set_webhook("http://127.0.0.1:9/hook")
    with pytest.raises(telegram.error.Conflict, match="terminated by setWebhook request"):
        await asyncio.wait_for(second, 2)
    with pytest.raises(TelegramConflictError, match="can't use getUpdates method while webhook is active"):
        await taken(bot)
    await bot.delete_webhook()
    assert await taken(bot) == []


# ------------------------------------------------------------------------------------------------ refusals

BOTH = ("aiogram", "ptb")


@pytest.fixture(params=BOTH)
def asked(request: pytest.FixtureRequest) -> Any:
    """Calls by method name and parameters with one library; refusals come as ``BAD``, ``FORBIDDEN`` of that library."""
    return request.getfixturevalue("bot" if request.param == "aiogram" else "ptb")


BAD = (TelegramBadRequest, telegram.error.BadRequest)
FORBIDDEN = (TelegramForbiddenError, telegram.error.Forbidden)


def rows(asked: Any, *labelled: list[tuple[str, str]]) -> Any:
    if isinstance(asked, aiogram.Bot):
        return keyboard(*labelled)
    return telegram.InlineKeyboardMarkup(
        [[telegram.InlineKeyboardButton(text, callback_data=data) for text, data in row] for row in labelled]
    )


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("<b>chưa đóng", "can't parse entities: can't find end tag corresponding to start tag b"),
        ("ờ <h1>a</h1>", 'can\'t parse entities: unsupported start tag "h1" at byte offset 4'),
        ("1 < 2", 'can\'t parse entities: unsupported start tag "" at byte offset 2'),
        ("<b>a</i>", 'can\'t parse entities: unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("a</b>", "can't parse entities: unexpected end tag at byte offset 1"),
        ("<b", "can't parse entities: unclosed start tag at byte offset 0"),
        ("a" * 4097, "message is too long"),
        ("<b>" + "😀" * 2049 + "</b>", "message is too long"),
        (" \n ", "message text is empty"),
        ("<b></b>", "message text is empty"),
    ],
)
async def test_texts_refused(api: BotApi, fake: FakeBot, asked: Any, text: str, refusal: str) -> None:
    phone = api.phone(fake, started=True)
    with pytest.raises(BAD) as caught:
        await asked.send_message(phone.chat.id, text, parse_mode="HTML")
    assert refusal in str(caught.value).lower()
    assert phone.messages == []


async def test_texts_taken(api: BotApi, fake: FakeBot, asked: Any) -> None:
    phone = api.phone(fake, started=True)
    await asked.send_message(phone.chat.id, "<b>" + "ờ" * 4096 + "</b>", parse_mode="HTML")
    await asked.send_message(phone.chat.id, "A & B &nbsp; <a href='https://a.vn/?a=1&amp;b=2'>c</a>", parse_mode="HTML")
    assert phone.screen.text == "A & B &nbsp; c"
    assert phone.screen.entities[0].argument == "https://a.vn/?a=1&b=2"
    await asked.send_message(phone.chat.id, "1 < 2 <b>")  # no parse mode
    assert phone.screen.text == "1 < 2 <b>"


async def test_captions_and_photos_refused(api: BotApi, fake: FakeBot, bot: aiogram.Bot, ptb: telegram.Bot) -> None:
    chat = api.phone(fake, started=True).chat.id
    for raising in (
        bot.send_photo(chat, BufferedInputFile(jpeg(), "a.jpg"), caption="a" * 1025),
        ptb.send_photo(chat, jpeg(), caption="a" * 1025),
    ):
        with pytest.raises(BAD, match=r"(?i)message caption is too long"):
            await raising
    with pytest.raises(TelegramBadRequest, match="IMAGE_PROCESS_FAILED"):
        await bot.send_photo(chat, BufferedInputFile(b"not a picture", "a.jpg"))
    with pytest.raises(TelegramBadRequest, match="PHOTO_INVALID_DIMENSIONS"):
        await bot.send_photo(chat, BufferedInputFile(jpeg(size=(2100, 100)), "a.jpg"))
    with pytest.raises(TelegramBadRequest, match="too much messages"):
        await bot.send_media_group(chat, [InputMediaPhoto(media=BufferedInputFile(jpeg(), "a.jpg"))] * 11)


async def test_file_ids_belong_to_one_bot(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    other = api.bot("100002:another-token", "other_bot")
    there, here = api.phone(other), api.phone(fake, started=True)
    await there.sends_photo(jpeg())
    foreign = there.messages[-1].photo[-1].id_for(other.id)
    with pytest.raises(TelegramBadRequest, match="wrong file identifier/HTTP URL specified"):
        await bot.send_photo(here.chat.id, foreign)
    with pytest.raises(TelegramBadRequest, match="invalid file_id"):
        await bot.get_file(foreign)
    await here.sends_photo(jpeg())
    mine, theirs = here.messages[-1].photo[-1], there.messages[-1].photo[-1]
    assert mine.unique == theirs.unique
    assert mine.id_for(fake.id) != theirs.id_for(other.id)


async def test_keyboards_refused(api: BotApi, fake: FakeBot, asked: Any) -> None:
    chat = api.phone(fake, started=True).chat.id
    await asked.send_message(chat, "vừa", reply_markup=rows(asked, [("a", "đ" * 32)]))
    with pytest.raises(BAD, match=r"(?i)button_data_invalid"):
        await asked.send_message(chat, "dài", reply_markup=rows(asked, [("a", "đ" * 32 + "x")]))
    await asked.send_message(chat, "vừa", reply_markup=rows(asked, *[[("a", "b")]] * 100))
    with pytest.raises(BAD, match=r"(?i)reply markup is too long"):
        await asked.send_message(chat, "nhiều", reply_markup=rows(asked, *[[("a", "b")]] * 101))


async def test_edits_and_deletes_refused(api: BotApi, fake: FakeBot, asked: Any) -> None:
    phone = api.phone(fake)
    await phone.types("của tôi")
    chat = phone.chat.id
    sent = await asked.send_message(chat, "<b>một</b>", parse_mode="HTML", reply_markup=rows(asked, [("a", "b")]))
    same = {"chat_id": chat, "message_id": sent.message_id, "parse_mode": "HTML"}
    with pytest.raises(BAD, match=r"(?i)message is not modified: specified new message content"):
        await asked.edit_message_text(text="<b>một</b>", reply_markup=rows(asked, [("a", "b")]), **same)
    await asked.edit_message_text(text="<b>một</b>", **same)  # the keyboard goes: a change
    assert phone.screen.keyboard == ()
    await asked.edit_message_text(text="một", **same)  # bold no more: a change
    with pytest.raises(BAD, match=r"(?i)message to edit not found"):
        await asked.edit_message_text(text="x", chat_id=chat, message_id=99_999)
    with pytest.raises(BAD, match=r"(?i)message can't be edited"):
        await asked.edit_message_text(text="x", chat_id=chat, message_id=phone.messages[0].id)
    with pytest.raises(BAD, match=r"(?i)message to delete not found"):
        await asked.delete_message(chat, 99_999)
    assert await asked.delete_message(chat, phone.messages[0].id)  # in a private chat a person's too
    api.passes(49 * 3600)
    with pytest.raises(BAD, match=r"(?i)message can't be deleted for everyone"):
        await asked.delete_message(chat, sent.message_id)


async def test_who_cannot_be_written_to(api: BotApi, fake: FakeBot, asked: Any) -> None:
    phone = api.phone(fake)
    with pytest.raises(BAD, match=r"(?i)chat not found"):
        await asked.send_message(phone.chat.id, "a")
    await phone.opens()
    await asked.send_message(phone.chat.id, "a")
    await phone.blocks()
    with pytest.raises(FORBIDDEN, match=r"(?i)bot was blocked by the user"):
        await asked.send_message(phone.chat.id, "a")
    await phone.opens()  # as a person does: the bot is told that it is unblocked, then comes /start
    assert [sorted(update.payload) for update in fake.updates.values()] == [
        ["message"], ["my_chat_member"], ["my_chat_member"], ["message"],
    ]  # fmt: skip
    await asked.send_message(phone.chat.id, "a")
    phone.chat.deactivated = True
    with pytest.raises(FORBIDDEN, match=r"(?i)user is deactivated"):
        await asked.send_message(phone.chat.id, "a")


async def test_a_query_grows_old(api: BotApi, fake: FakeBot, asked: Any) -> None:
    phone = api.phone(fake, started=True)
    await asked.send_message(phone.chat.id, "a", reply_markup=rows(asked, [("a", "b")]))
    await phone.presses("a")
    [query] = fake.queries
    api.passes(3600)
    with pytest.raises(BAD, match=r"(?i)query is too old and response timeout expired or query ID is invalid"):
        await asked.answer_callback_query(query)


async def test_strangers(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    stranger = aiogram_bot(api, "100009:nobody")
    with pytest.raises(TelegramUnauthorizedError):
        await stranger.get_me()
    await stranger.session.close()
    async with aiohttp.ClientSession() as session, session.get(f"{api.url}/bot{TOKEN}/getmoon") as answer:
        assert answer.status == 404
    async with aiohttp.ClientSession() as session, session.get(f"{api.url}/bot{TOKEN}/GETME") as answer:
        assert (await answer.json())["result"]["username"] == "hoctap_bot"
    body = {"chat_id": api.phone(fake, started=True).chat.id, "text": "a", "reply_markup": {"inline_keyboard": []}}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{api.url}/bot{TOKEN}/sendMessage", json=body) as answer,
    ):
        assert (await answer.json())["result"]["text"] == "a"


async def test_groups(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    group = api.group(fake, "Tổ 3")
    await group.types("/start@hoctap_bot DV06685K")
    [update] = await taken(bot)
    assert update.message is not None
    assert update.message.chat.type == "group"
    await bot.send_message(group.chat.id, "Mời bác nhắn riêng")
    moved = group.migrates()
    with pytest.raises(TelegramMigrateToChat) as caught:
        await bot.send_message(group.chat.id, "a")
    assert caught.value.migrate_to_chat_id == moved.chat.id
    await bot.send_message(moved.chat.id, "a")
    moved.kicks()
    with pytest.raises(TelegramForbiddenError, match="kicked"):
        await bot.send_message(moved.chat.id, "a")


# ------------------------------------------------------------------------------------------------ what people send


async def test_a_photo_comes_in_three_sizes(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phone = api.phone(fake)
    await phone.sends_photo(jpeg(size=(1280, 960)), caption="giấy khen")
    [update] = await taken(bot)
    assert update.message is not None
    assert update.message.caption == "giấy khen"
    assert update.message.photo is not None
    files = [await bot.download(size) for size in update.message.photo]
    got = [file.read() for file in files if file is not None]
    assert [Image.open(BytesIO(data)).size for data in got] == [(90, 68), (320, 240), (1280, 960)]
    assert got[-1] == jpeg(size=(1280, 960))
    assert [size.file_size for size in update.message.photo] == [len(data) for data in got]
    link = await bot.get_file(update.message.photo[0].file_id)
    api.passes(3601)
    async with aiohttp.ClientSession() as session, session.get(f"{api.url}/file/bot{TOKEN}/{link.file_path}") as answer:
        assert answer.status == 404


async def test_an_album_comes_in_parts(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phone = api.phone(fake)
    colours = ["red", "green", "blue", "white", "black", "yellow"]
    await phone.sends_album([jpeg(colour) for colour in colours], caption="sáu ảnh")
    updates = [update.message for update in await taken(bot) if update.message]
    assert len({message.media_group_id for message in updates}) == 1
    assert [message.caption for message in updates] == ["sáu ảnh", None, None, None, None, None]
    await taken(bot, fake.last_update + 1)
    api.shuffle_albums = True
    await phone.sends_album([jpeg(colour) for colour in colours], caption="sáu ảnh")
    numbers = [update.message.message_id for update in await taken(bot) if update.message]
    assert numbers != sorted(numbers)
    api.reorders(1.0)
    assert len(await taken(bot)) == 1  # and cut between two calls


async def test_everything_else_that_people_send(
    api: BotApi, fake: FakeBot, bot: aiogram.Bot, ptb: telegram.Bot
) -> None:
    phone = api.phone(fake)
    await phone.types("một")
    await phone.edits(phone.messages[0], "hai")
    await phone.sends_document(b"%PDF", "a.pdf", "application/pdf", size=21 << 20)
    await phone.sends_voice()
    await phone.sends_video()
    await phone.sends_sticker()
    await phone.sends_location()
    await phone.shares_contact()
    await phone.shares_contact(own=False)
    await phone.forwards("của người khác")
    assert len(await phone.types("dài" * 3000)) == 3
    updates = await taken(bot)
    assert len(await ptb.get_updates(timeout=0)) == len(updates) == 13
    assert updates[1].edited_message is not None
    assert updates[1].edited_message.text == "hai"
    messages = [update.message for update in updates if update.message]
    kinds = [message.content_type for message in messages]
    assert kinds == ["text", "document", "voice", "video", "sticker", "location", "contact", "contact", *["text"] * 4]
    assert messages[1].document is not None
    with pytest.raises(TelegramBadRequest, match="file is too big"):
        await bot.get_file(messages[1].document.file_id)
    assert [m.contact.user_id == phone.chat.id for m in messages if m.contact] == [True, False]
    assert messages[8].forward_origin is not None


async def test_a_reply_keyboard_types_and_shares(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phone = api.phone(fake, started=True)
    keys = [[KeyboardButton(text="Chia sẻ số", request_contact=True)], [KeyboardButton(text="Bỏ qua")]]
    sent = await bot.send_message(phone.chat.id, "Số của bác?", reply_markup=ReplyKeyboardMarkup(keyboard=keys))
    assert phone.buttons == ["Chia sẻ số", "Bỏ qua"]
    with pytest.raises(TelegramBadRequest, match="message can't be edited"):
        await bot.edit_message_text("x", chat_id=phone.chat.id, message_id=sent.message_id)
    await phone.presses("Chia sẻ")
    await phone.presses("Bỏ qua")
    shared, typed = [update.message for update in await taken(bot)]
    assert shared is not None
    assert shared.contact is not None
    assert shared.contact.user_id == phone.chat.id
    assert typed is not None
    assert typed.text == "Bỏ qua"
    await bot.send_message(phone.chat.id, "Cảm ơn bác", reply_markup=ReplyKeyboardRemove())
    assert phone.buttons == []
    with pytest.raises(LookupError, match="Cảm ơn bác"):
        await phone.presses("Bỏ qua")


async def test_menus(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phone, english = api.phone(fake), api.phone(fake, language_code="en")
    await bot.set_my_commands([BotCommand(command="help", description="Help")])
    await bot.set_my_commands(
        [BotCommand(command="start", description="Bắt đầu")], BotCommandScopeAllPrivateChats(), language_code="vi"
    )
    assert [each["command"] for each in phone.commands] == ["start"]
    assert [each["command"] for each in english.commands] == ["help"]
    with pytest.raises(TelegramBadRequest, match="BOT_COMMAND_INVALID"):
        await bot.set_my_commands([BotCommand(command="Start", description="a")])


async def test_what_officers_see_is_protected(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phone = api.phone(fake, started=True)
    sent = await bot.send_message(phone.chat.id, "Hồ sơ", protect_content=True)
    assert sent.has_protected_content
    assert phone.screen.protect_content


# ------------------------------------------------------------------------------------------------ faults


async def test_faults(api: BotApi, fake: FakeBot, bot: aiogram.Bot, ptb: telegram.Bot) -> None:
    phone, other = api.phone(fake, started=True), api.phone(fake, started=True)
    api.fault("sendMessage", "429", 2, retry_after=3, chat=phone.chat.id)
    with pytest.raises(TelegramRetryAfter) as caught:
        await bot.send_message(phone.chat.id, "a")
    assert caught.value.retry_after == 3
    await bot.send_message(other.chat.id, "a")
    with pytest.raises(telegram.error.RetryAfter):
        await ptb.send_message(phone.chat.id, "a")
    await ptb.send_message(phone.chat.id, "a")
    api.fault("send*", "500")
    with pytest.raises(TelegramServerError):
        await bot.send_message(phone.chat.id, "a")
    api.fault("*", "502")
    with pytest.raises(telegram.error.NetworkError, match="Bad Gateway"):
        await ptb.send_message(phone.chat.id, "a")
    api.fault("sendMessage", "403")
    with pytest.raises(TelegramForbiddenError):
        await bot.send_message(phone.chat.id, "a")
    api.fault("*", "not_modified")
    with pytest.raises(TelegramBadRequest, match="message is not modified"):
        await bot.send_message(phone.chat.id, "a")
    shown = len(phone.messages)
    api.fault("sendMessage", "closed")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(phone.chat.id, "a")
    assert len(phone.messages) == shown
    api.fault("sendMessage", "lost")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(phone.chat.id, "đã đến")
    assert phone.screen.text == "đã đến"
    assert api.calls[-1].outcome == "lost"
    slow = api.fault("sendMessage", "slow", seconds=0.2)
    with pytest.raises(telegram.error.TimedOut):
        await ptb.send_message(phone.chat.id, "chậm", read_timeout=0.05)
    await phone.finds("chậm")
    assert slow.used == 1
    assert "đã đến" in api.text()


async def test_answers_are_held_back_while_messages_are_sent(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phone = api.phone(fake, started=True)
    api.hold()
    sending = asyncio.create_task(bot.send_message(phone.chat.id, "đã đến"))
    await phone.finds("đã đến")
    assert not sending.done()
    assert api.made("sendMessage") == []  # in flight: the call is noted when it is answered
    api.answer()
    assert (await sending).text == "đã đến"
    assert len(api.made("sendMessage")) == 1


async def test_a_bad_download(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phone = api.phone(fake)
    await phone.sends_photo(jpeg())
    found = await bot.get_file(phone.messages[0].photo[-1].id_for(fake.id))
    url = f"{api.url}/file/bot{TOKEN}/{found.file_path}"
    api.fault("file", "500")
    api.fault("file", "lost")
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            assert answer.status == 500
        with pytest.raises(aiohttp.ClientError):
            async with session.get(url) as answer:
                await answer.read()
        async with session.get(url) as answer:
            assert await answer.read() == jpeg()


async def test_an_undecodable_update_among_good_ones(
    api: BotApi, fake: FakeBot, bot: aiogram.Bot, ptb: telegram.Bot
) -> None:
    phone = api.phone(fake)
    await phone.types("trước")
    poison = api.undecodable(fake, phone)
    await phone.types("sau")
    for asked in (bot.get_updates(timeout=0), ptb.get_updates(timeout=0)):
        with pytest.raises(Exception):  # noqa: B017 - each library fails in its own way
            await asked
    async with aiohttp.ClientSession() as session, session.get(f"{api.url}/bot{TOKEN}/getUpdates") as answer:
        raw = (await answer.json())["result"]
    assert [update["update_id"] == poison for update in raw] == [False, True, False]


async def test_acknowledged_updates_may_come_again(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phone = api.phone(fake)
    api.repeats(1.0)
    [first] = await phone.types("một")
    await taken(bot)
    assert [update.update_id for update in await taken(bot, first + 1)] == [first]
    assert await taken(bot, first + 1) == []


async def test_limits_and_peaks(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phones = [api.phone(fake, started=True) for _ in range(8)]
    api.limits(per_second=5, per_chat=1.0)
    await bot.send_message(phones[0].chat.id, "a")
    with pytest.raises(TelegramRetryAfter) as caught:
        await bot.send_message(phones[0].chat.id, "a")
    assert caught.value.retry_after == 1
    for phone in phones[1:5]:
        await bot.send_message(phone.chat.id, "a")
    with pytest.raises(TelegramRetryAfter):
        await bot.send_message(phones[5].chat.id, "a")
    with pytest.raises(TelegramRetryAfter):
        await bot.send_message(phones[6].chat.id, "a")
    await asyncio.sleep(1.0)
    await bot.send_message(phones[7].chat.id, "a")
    await bot.send_message(phones[0].chat.id, "a")
    assert api.peaks().bots == {"hoctap_bot": 5}
    assert set(api.peaks().chats.values()) == {1}


async def test_down_and_up(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phone = api.phone(fake)
    poll = asyncio.create_task(bot.get_updates(timeout=20))
    await asyncio.sleep(0.05)
    await api.down()
    with pytest.raises(TelegramNetworkError):
        await asyncio.wait_for(poll, 2)
    with pytest.raises(TelegramNetworkError):
        await bot.get_me()
    ids = await phone.types("vẫn còn đây")
    await api.up()
    assert [update.update_id for update in await taken(bot)] == ids


async def test_a_phone_that_waits_in_vain_says_what_it_sees(api: BotApi, fake: FakeBot, bot: aiogram.Bot) -> None:
    phone = api.phone(fake)
    await phone.types("alô")
    await bot.send_message(phone.chat.id, "đây")
    await phone.sees("đây")
    await phone.types("nữa")
    with pytest.raises(AssertionError, match="đây"):
        await phone.sees("đây", within=0.05)  # shown before the last act
    await phone.finds("đây")
    with pytest.raises(AssertionError, match="nothing happened"):
        await phone.settles(within=0.05)


# ------------------------------------------------------------------------------------------------ webhooks


class Hook:
    """A bot's web server: answers with the statuses it is told, else 200."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, Any], str]] = []
        self.statuses: dict[int, list[int]] = {}  # by chat
        self.reply: dict[str, Any] | None = None
        self.wait = 0.0
        self.waits: dict[str, float] = {}  # by text
        self.most = self.open = 0

    async def take(self, request: web.Request) -> web.Response:
        self.open += 1
        self.most = max(self.most, self.open)
        raw = await request.json()
        await asyncio.sleep(self.waits.get((raw.get("message") or {}).get("text", ""), self.wait))
        self.open -= 1
        self.got.append((raw, request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")))
        chat = (raw.get("message") or {}).get("chat", {}).get("id", 0)
        if self.statuses.get(chat):
            return web.Response(status=self.statuses[chat].pop(0))
        return web.json_response(self.reply) if self.reply else web.Response()

    def texts(self) -> list[str]:
        return [raw["message"]["text"] for raw, _ in self.got if "message" in raw]


@pytest.fixture
async def hook() -> AsyncIterator[tuple[Hook, str]]:
    made = Hook()
    app = web.Application()
    app.router.add_post("/hook", made.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    await runner.cleanup()


async def until(holds: Any) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - it looks at plain state
            await asyncio.sleep(0.01)


async def test_a_webhook_gets_updates_with_its_secret(
    api: BotApi, fake: FakeBot, bot: aiogram.Bot, hook: tuple[Hook, str]
) -> None:
    web_hook, url = hook
    phone = api.phone(fake)
    await phone.types("trước")
    for secret, refusal in (("sai rồi!", "secret token contains unallowed characters"), ("a" * 257, "too long")):
        with pytest.raises(TelegramBadRequest, match=refusal):
            await bot.set_webhook(url, secret_token=secret)
    await bot.set_webhook(url, secret_token="bi-mat_1", max_connections=3)
    await phone.types("sau")
    await until(lambda: not fake.updates)
    assert web_hook.texts() == ["trước", "sau"]
    assert {secret for _, secret in web_hook.got} == {"bi-mat_1"}
    info = await bot.get_webhook_info()
    assert (info.url, info.max_connections, info.pending_update_count) == (url, 3, 0)


async def test_a_webhook_that_fails_is_asked_again(
    api: BotApi, fake: FakeBot, bot: aiogram.Bot, hook: tuple[Hook, str]
) -> None:
    web_hook, url = hook
    phone, other = api.phone(fake), api.phone(fake)
    web_hook.statuses[phone.chat.id] = [500, 503]
    await bot.set_webhook(url)
    for text in ("1", "2"):
        await phone.types(text)
    await other.types("khác")
    await until(lambda: not fake.updates)
    assert [text for text in web_hook.texts() if text != "khác"] == ["1", "1", "1", "2"]
    assert web_hook.texts().index("khác") < 3  # other chats go on meanwhile
    info = await bot.get_webhook_info()
    assert info.last_error_message == "Wrong response from the webhook: 503 Service Unavailable"
    web_hook.statuses[phone.chat.id] = [500]
    api.overtaking = True
    web_hook.got.clear()
    for text in ("3", "4"):
        await phone.types(text)
    await until(lambda: not fake.updates)
    assert web_hook.texts() == ["3", "4", "3"]


async def test_a_webhook_gets_several_chats_at_once(
    api: BotApi, fake: FakeBot, bot: aiogram.Bot, hook: tuple[Hook, str]
) -> None:
    web_hook, url = hook
    web_hook.waits = {"0": 0.04, "1": 0.02, "2": 0.01}  # all at once they would come out of order
    await bot.set_webhook(url, max_connections=4)
    phones = [api.phone(fake) for _ in range(12)]
    for phone in phones:
        for number in range(3):
            await phone.types(f"{number}")
    await until(lambda: not fake.updates)
    assert web_hook.most == 4
    for phone in phones:
        assert [raw["message"]["text"] for raw, _ in web_hook.got if raw["message"]["chat"]["id"] == phone.chat.id] == [
            "0",
            "1",
            "2",
        ]


async def test_a_webhooks_answer_may_carry_a_call(
    api: BotApi, fake: FakeBot, bot: aiogram.Bot, hook: tuple[Hook, str]
) -> None:
    web_hook, url = hook
    phone = api.phone(fake)
    await bot.set_webhook(url)
    web_hook.reply = {"method": "sendMessage", "chat_id": phone.chat.id, "text": "ngay đây"}
    await phone.types("alô")
    await phone.sees("ngay đây")
    web_hook.reply = {"method": "answerCallbackQuery", "callback_query_id": "?"}
    await phone.types("alô")
    await until(lambda: api.calls[-1].method == "answerCallbackQuery")
    assert api.calls[-1].outcome.startswith("400 Bad Request: query is too old")


async def test_a_webhook_that_is_slow_or_gone(
    api: BotApi, fake: FakeBot, bot: aiogram.Bot, hook: tuple[Hook, str]
) -> None:
    web_hook, url = hook
    phone = api.phone(fake)
    api.webhook_timeout = 0.05
    web_hook.wait = 0.15
    await bot.set_webhook(url)
    await phone.types("chậm")
    await until(lambda: fake.webhook and fake.webhook.error == "Read timeout expired")
    web_hook.wait = 0.0
    await until(lambda: not fake.updates and not web_hook.open)
    api.repeats(1.0)
    web_hook.got.clear()
    await phone.types("hai lần")
    await until(lambda: web_hook.texts() == ["hai lần"] * 2)
    await bot.set_webhook("http://127.0.0.1:9/nobody")
    await phone.types("không ai")
    await until(lambda: fake.webhook and fake.webhook.error == "Connection refused")
    await bot.delete_webhook(drop_pending_updates=True)
    assert await taken(bot) == []


# ------------------------------------------------------------------------------------------------ text

PIECES = st.lists(
    st.sampled_from(
        ["<b>", "</b>", "<i>", "</i>", "<", ">", "&", "&lt;", "&amp;", "a", "ờ", "😀", " ", "/", '"', "\n"]
    ),
    max_size=12,
).map("".join)


@given(PIECES)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        shown, entities = parsed(text, "HTML")
    except BadEntities:
        return
    for entity in entities:
        assert 0 <= entity.offset < entity.offset + entity.length <= units(shown)
    if not entities:
        assert page(shown, entities).count("<") == 0


@given(st.text(alphabet="a<>&\"'ờ😀;#x1 ", max_size=20))
def test_escaped_text_comes_back(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert parsed(escaped, "HTML")[0] == text.strip(" ")


def test_nested_entities() -> None:
    text, entities = parsed(" 😀<b>a<i>b</i></b> <pre><code class='language-py'>c</code></pre>", "HTML")
    assert text == "😀ab c"
    assert [(e.kind, e.offset, e.length, e.argument) for e in entities] == [
        ("bold", 2, 2, ""), ("italic", 3, 1, ""), ("pre", 5, 1, "py"),
    ]  # fmt: skip
    assert page(text, entities) == (
        '😀<b class="bold">a</b><b class="bold"><i class="italic">b</i></b> <pre class="pre">c</pre>'
    )


def test_a_block_ends_its_line() -> None:
    assert page(*parsed("<blockquote>a</blockquote>\n\nb", "HTML")) == (
        '<blockquote class="blockquote">a</blockquote>\nb'
    )


@pytest.mark.parametrize("seed", [1, 2])
async def test_chance_comes_from_the_seed_alone(seed: int) -> None:
    async def order() -> list[int]:
        async with BotApi(rng=random.Random(seed)) as api:
            api.shuffle_albums = True
            fake = api.bot(TOKEN, "hoctap_bot")
            await api.phone(fake).sends_album([jpeg(colour) for colour in ("red", "green", "blue", "white", "black")])
            return [update.payload["message"]["message_id"] for update in fake.updates.values()]

    assert await order() == await order()
