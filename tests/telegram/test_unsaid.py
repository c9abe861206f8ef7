"""Messages that held an id number vanish from the chat: at once, after trouble, in order of need, for 48 hours."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from storage import unsaid
from tests.peers.telegram import Phone
from tests.peers.telegram_chats import Message
from tests.support.webclient import photo
from tests.telegram.conftest import Begin
from tests.telegram.live import HONG_GAI, Live, asks_for_evidence, holds

pytestmark = pytest.mark.slow  # a running bot each: seconds

NUMBER, SAID = "022157001234", "022 157 001 234"
WAITING = "select count(*) from unsaid"


async def opened(live: Live) -> Phone:
    phone = live.api.phone(live.bot)
    await phone.opens(HONG_GAI)
    await phone.settles()
    return phone


def stands(phone: Phone, text: str) -> bool:
    """Does a message with this text stand in the chat?"""
    return any(text in (message.text or "") for message in phone.chat.visible)


def own(phone: Phone) -> Message:
    """The person's newest message."""
    return next(message for message in reversed(phone.chat.messages) if not message.from_bot)


def puts(live: Live, phone: Phone, *numbers: int, ago: timedelta = timedelta(0)) -> None:
    with live.write() as conn:
        unsaid.unsay(conn, "telegram", str(phone.chat.id), numbers, datetime.now(UTC) - ago)


@pytest.mark.parametrize("webhook", [False, True])
async def test_a_number_typed_is_answered_and_vanishes(begin: Begin, webhook: bool) -> None:
    live = await begin(webhook=webhook)
    phone = await opened(live)
    await phone.types(f"số {SAID} ạ")
    await phone.sees("xóa tin nhắn đó")
    await holds(lambda: not stands(phone, "022"))
    await live.until(WAITING, 0, within=30.0)
    await phone.types("chào bạn")
    await phone.settles()
    assert stands(phone, "chào bạn")


async def test_a_caption_and_an_edited_message_vanish_too(live: Live) -> None:
    phone = await asks_for_evidence(live.api.phone(live.bot))
    await phone.sends_photo(photo(1), f"CCCD {NUMBER}")
    captioned = own(phone)
    await phone.sees("xóa tin nhắn đó")
    await holds(lambda: captioned.deleted)
    await phone.types("tôi đã dự lớp tập huấn")
    written = own(phone)
    await phone.settles()
    await phone.edits(written, f"tôi đã dự lớp, {SAID}")
    await holds(lambda: written.deleted)
    await live.until(WAITING, 0, within=30.0)


@pytest.mark.parametrize("kind", ["429", "500", "lost", "closed"])
async def test_trouble_is_tried_again(live: Live, kind: str) -> None:
    phone = await opened(live)
    live.api.fault("deleteMessages", kind)
    await phone.types(NUMBER)
    await holds(lambda: not stands(phone, NUMBER), within=30.0)
    await live.until(WAITING, 0, within=30.0)


async def test_a_restart_goes_on_with_it(live: Live) -> None:
    phone = await opened(live)
    fault = live.api.fault("deleteMessages", "500", times=1000)
    await phone.types(NUMBER)
    await phone.sees("xóa tin nhắn đó")
    await live.until("select attempts > 0 from unsaid", 1)
    fault.times = fault.used
    await live.again()
    await holds(lambda: not stands(phone, NUMBER), within=30.0)
    await live.until(WAITING, 0, within=30.0)


async def test_who_blocked_the_bot_is_left_alone(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    phone = await opened(live)
    live.api.fault("deleteMessages", "403")
    puts(live, phone, 1)
    await live.until(WAITING, 0, within=30.0)
    assert [call.method for call in live.api.calls].count("deleteMessages") == 1


async def test_what_is_too_old_is_given_up_and_spoils_nothing(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    phone = await opened(live)
    await phone.types("một")
    old = own(phone)
    await phone.types("hai")
    young = own(phone)
    await phone.settles()
    old.date -= 49 * 3600  # Telegram's own clock says so, ours does not
    puts(live, phone, old.id)
    puts(live, phone, young.id)
    puts(live, phone, old.id, ago=timedelta(hours=49))
    await live.until(WAITING, 0, within=30.0)
    assert young.deleted
    assert not old.deleted
    await phone.sees("không xóa được. Xin ông/bà tự xóa")
    assert sum("tự xóa tin nhắn" in (message.text or "") for message in phone.chat.messages) == 1, "asked once"
    said = [record.getMessage() for record in caplog.records if record.name == "bot.channels.telegram_unsaid"]
    assert len(said) == 2, said
    assert str(phone.chat.id) not in " ".join(said)


async def test_many_messages_go_in_few_calls(live: Live) -> None:
    phone = await opened(live)
    written = []
    for n in range(6):
        await phone.types(f"tin {n}")
        written.append(own(phone))
    await phone.settles()
    puts(live, phone, *(message.id for message in written[:3]))
    puts(live, phone, *(message.id for message in written[3:]))
    await holds(lambda: all(message.deleted for message in written))
    await live.until(WAITING, 0, within=30.0)
    assert [call.method for call in live.api.calls].count("deleteMessages") <= 2
