"""Traps of sending: refusals, silence asked for, answers lost on the way, chats gone, keyboards and edits."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.channels.telegram_calls import read_refusal
from dialogs.model import WEB, Choice, Incoming, Opened, Screen, encode_screen
from storage import codes, conversations, outbox, people
from tests.peers.telegram import Phone
from tests.telegram.conftest import Begin
from tests.telegram.live import HONG_GAI, Live, accepts, answers, holds, joins, presses, types

pytestmark = pytest.mark.slow  # a running bot each: seconds


def notice(live: Live, phone: Phone, text: str, account: str = "telegram", *, person: bool = False) -> int:
    """Put a notice to this chat into the outbox; its row. *person*: it is for the citizen who speaks there."""
    with live.write() as conn:
        chat = conversations.open_chat(conn, account, str(phone.chat.id))
        assert chat is not None
        return outbox.put(
            conn,
            account=account,
            address=str(phone.chat.id),
            contact_id=chat.contact_id,
            person_id=chat.person.id if person and chat.person else None,
            body=encode_screen(Screen(text, (Choice("go:hoso", "Mở hồ sơ"),))),
            now=datetime.now(UTC),
            priority=outbox.NOTICE,
        )


def sends(live: Live) -> list[Any]:
    return [call for call in live.api.calls if call.method.lower().startswith(("send", "edit"))]


def outcome(live: Live, row: int) -> tuple[str, str | None]:
    (found,) = live.rows("select outcome, reason from outbox where id = :row", row=row)
    return found[0], found[1]


# ------------------------------------------------------------------------------------------------ 429


@pytest.mark.parametrize("refused", ["answer", "push"])
async def test_a_429_silences_answers_and_pushes_and_everything_arrives_once(live: Live, refused: str) -> None:
    asked, told = live.api.phone(live.bot), live.api.phone(live.bot)
    for phone in (asked, told):
        await phone.opens(HONG_GAI)
        await phone.settles()
    kind = "editMessageText" if refused == "answer" else "sendMessage"
    whose = asked if refused == "answer" else told
    fault = live.api.fault(kind, "429", chat=whose.chat.id, retry_after=2)
    if refused == "answer":
        await asked.presses("yes")
    row = notice(live, told, "Một lời nhắn")
    await holds(lambda: fault.used)
    since = time.monotonic()
    if refused == "push":
        await asked.presses("yes")
    await asyncio.gather(asked.finds("có đồng ý", 8), told.finds("Một lời nhắn", 8))
    first = min(call.at for call in sends(live) if call.at > since and call.outcome == "ok")
    assert first - since > 1.8, "somebody spoke while Telegram had asked for silence"
    assert sum("Một lời nhắn" in message.text for message in told.messages) == 1
    assert sum("có đồng ý" in message.text for message in asked.from_bot) == 1
    await live.until("select outcome from outbox where id = :row", "sent", row=row)


async def test_a_limit_of_telegram_loses_and_doubles_nothing(begin: Begin) -> None:
    live = await begin(rates=(28, 20, 1))
    live.api.limits(per_second=30, per_chat=1.0, burst=3)
    phones = [live.api.phone(live.bot) for _n in range(12)]
    for phone in phones:
        await phone.opens(HONG_GAI)
    await asyncio.gather(*(phone.finds("đúng không") for phone in phones))
    rows = [notice(live, phone, f"Lời {n}") for phone in phones for n in range(2)]
    await asyncio.gather(*(phone.finds(f"Lời {n}", 20) for phone in phones for n in range(2)))
    for phone in phones:
        assert [sum(f"Lời {n}" in message.text for message in phone.messages) for n in range(2)] == [1, 1]
    await live.until(f"select count(*) from outbox where id in {(*rows,)} and outcome = 'sent'", len(rows))
    assert live.api.peaks().bots[live.bot.username] <= 30
    assert [call for call in live.api.calls if call.outcome.startswith("429")] == [], "the budget is too wide"


# ------------------------------------------------------------------------------------------------ lost answers


@pytest.mark.parametrize("kind", ["closed", "500", "502"])
async def test_a_call_that_was_not_done_is_done_again(live: Live, kind: str) -> None:
    phone = live.api.phone(live.bot)
    fault = live.api.fault("sendMessage", kind, times=2)
    await phone.opens(HONG_GAI)
    await phone.finds("đúng không")
    await phone.settles(quiet=0.5)
    assert fault.used == 2
    assert len(phone.from_bot) == 1


async def test_an_answer_whose_receipt_was_lost_is_repeated_once_and_has_one_effect(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await joins(phone)
    live.api.fault("sendMessage", "lost")
    live.api.fault("editMessageText", "lost")
    await presses(phone, "start", "tot")
    await phone.finds("Câu 2/10")
    await phone.settles(quiet=1.5)
    assert live.rows("select indicator, level from answer_history where what = 'level'") == [("A1", "tot")]
    shown = [message for message in phone.messages if message.from_bot and "Câu 2/10" in message.text]
    assert 1 <= len(shown) <= 2
    await presses(phone, "kha")
    assert live.rows("select level from answer_history where what = 'level'") == ["tot", "kha"]


async def test_a_push_whose_receipt_was_lost_is_repeated_at_most_once(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await phone.opens(HONG_GAI)
    await phone.settles()
    live.api.fault("sendMessage", "lost")
    row = notice(live, phone, "Một lời nhắn")
    await live.until("select outcome from outbox where id = :row", "sent", row=row)
    assert 1 <= sum("Một lời nhắn" in message.text for message in phone.messages) <= 2


# ------------------------------------------------------------------------------------------------ chats gone


async def other_contact(live: Live, phone: Phone, other: Phone | None) -> str:
    """The same person on the web, or on another bot as well, and then back on this one; the resume code's payload."""
    with live.write() as conn:
        chat = conversations.open_chat(conn, live.accounts[0], str(phone.chat.id))
        assert chat is not None
        assert chat.person is not None
        code = codes.payload(codes.parse(people.new_resume_code(conn, chat.person.id, datetime.now(UTC))))
    if other is not None:
        await other.opens(code)
        await other.settles()
    else:
        assert live.service is not None
        act = Incoming("web", "e1", "w" * 32, Opened(code), datetime.now(UTC), None, WEB)
        await live.service.pages.take(act)
    await types(phone, "/hoso")  # the last used again
    return code


@pytest.mark.parametrize("where", ["web", "other bot"])
async def test_who_blocked_the_bot_hears_elsewhere_and_is_reached_again_after_start(begin: Begin, where: str) -> None:
    live = await begin(accounts=("telegram:a", "telegram:b"))
    phone = live.api.phone(live.bot)
    await joins(phone)
    other = live.api.phone(live.bots[1]) if where == "other bot" else None
    await other_contact(live, phone, other)
    phone.chat.blocked = True  # the update that says so has not come yet
    row = notice(live, phone, "Một lời nhắn", "telegram:a", person=True)
    await live.until("select outcome from outbox where id = :row", "failed", row=row)
    assert "blocked" in (outcome(live, row)[1] or "")
    address = {"address": str(phone.chat.id)}
    assert live.rows("select reachable from contacts where address = :address", **address) == [False]
    if other is not None:
        await other.finds("Một lời nhắn")
    else:
        await live.until("select count(*) from messages where body like '%Một lời nhắn%'", 1)
    calls = len(live.api.made("send*", phone.chat.id))
    await presses_nothing(live)
    assert len(live.api.made("send*", phone.chat.id)) == calls, "still writing to who blocked the bot"

    await phone.opens()
    await phone.settles()
    assert live.rows("select reachable from contacts where address = :address", **address) == [True]
    again = notice(live, phone, "Lời sau", "telegram:a", person=True)
    await phone.finds("Lời sau")
    await live.until("select outcome from outbox where id = :row", "sent", row=again)


async def presses_nothing(live: Live) -> None:
    """Time for two ticks of the pushes."""
    await asyncio.sleep(2.1)


async def test_blocking_and_unblocking_are_told_by_telegram_too(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await joins(phone)
    await phone.blocks()
    await live.until("select reachable from contacts where address = :a", False, a=str(phone.chat.id))
    await phone.unblocks()
    await live.until("select reachable from contacts where address = :a", True, a=str(phone.chat.id))
    assert live.rows("select count(*) from failed_events") == [0]


async def test_an_answer_to_who_blocked_the_bot_meanwhile_is_not_tried_again(live: Live) -> None:
    phone, present = live.api.phone(live.bot), live.api.phone(live.bot)
    for each in (phone, present):
        await joins(each)
    await phone.presses("start")
    phone.chat.blocked = True
    await live.until("select reachable from contacts where address = :a", False, a=str(phone.chat.id))
    tried = len(live.api.made("*", phone.chat.id))
    await presses(present, "start", "tot", "kha")  # others are served as ever
    assert len(live.api.made("*", phone.chat.id)) == tried
    await live.until("select count(*) from outbox where outcome = 'waiting'", 0)


# ------------------------------------------------------------------------------------------------ small refusals


async def test_not_modified_is_a_success(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await joins(phone)
    await presses(phone, "start")
    fault = live.api.fault("editMessageText", "not_modified")
    before = len(phone.messages)
    await phone.presses("tot")
    await holds(lambda: fault.used)
    await live.until("select count(*) from outbox where outcome = 'waiting'", 0)
    assert len(phone.messages) == before
    assert live.rows("select count(*) from outbox where outcome = 'failed'") == [0]


@pytest.mark.parametrize("webhook", [False, True])
async def test_a_press_too_old_to_be_answered_is_taken_all_the_same(
    begin: Begin, webhook: bool, caplog: pytest.LogCaptureFixture
) -> None:
    live = await begin(webhook=webhook)
    phone = live.api.phone(live.bot)
    await joins(phone)
    live.api.query_seconds = -1
    with caplog.at_level(logging.INFO):
        await presses(phone, "start", "tot")
    assert live.rows("select level from answers") == ["tot"]
    assert [record for record in caplog.records if "press" in record.getMessage()] == []


async def test_every_press_is_answered_at_once(begin: Begin) -> None:
    live = await begin(webhook=False)
    phone = live.api.phone(live.bot)
    await phone.opens(HONG_GAI)
    await phone.settles()
    live.api.fault("editMessageText", "slow", times=-1, seconds=3.0)
    start = time.monotonic()
    await phone.presses("yes")
    await holds(lambda: live.bot.queries and not live.api.unanswered(live.bot))
    assert time.monotonic() - start < 2.5, "the clock on the button turned until the screen was there"


async def test_names_with_marks_of_markup_are_shown_as_they_are(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await joins(phone, "Lê & Trần <b>Hạnh</i>")
    await types(phone, "/dulieu")
    assert any("Lê & Trần <b>Hạnh</i>" in message.text for message in phone.from_bot), phone.read_out()
    assert [call for call in live.api.calls if "parse entities" in call.outcome] == []


def test_words_of_telegram_that_one_takes_for_another() -> None:
    assert read_refusal("Bad Request: message is not modified: specified new message content") == "same"
    assert read_refusal("Bad Request: query is too old and response timeout expired or query ID is invalid") == "late"
    assert read_refusal("Bad Request: chat not found") == "gone"
    assert read_refusal("Bad Request: file is too big") == "too_big"
    assert read_refusal("Bad Request: something that nobody has read yet") == "refused"


# ------------------------------------------------------------------------------------------------ keyboards and edits


async def test_an_old_message_loses_its_buttons_when_a_new_one_comes(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await joins(phone)
    await presses(phone, "start")
    await types(phone, "xin chào")  # stands below the question, so the answer is a new message
    await phone.settles(quiet=0.3)
    with_buttons = [message.id for message in phone.from_bot if message.keyboard]
    assert with_buttons == [phone.from_bot[-1].id], phone.read_out()


async def test_a_screen_is_changed_in_place_only_while_it_is_the_last_message(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await joins(phone)
    await presses(phone, "start")
    question = phone.screen.id
    await presses(phone, "tot")
    assert phone.screen.id == question, "edited in place"
    row = notice(live, phone, "Một lời nhắn")
    await phone.finds("Một lời nhắn")
    await live.until("select outcome from outbox where id = :row", "sent", row=row)
    screen = next(message for message in phone.from_bot if message.id == question)
    await phone.presses("kha", screen)
    await phone.settles(quiet=0.3)
    assert phone.from_bot[-1].id > question, "the question would change out of sight, above the notice"
    assert "Minh chứng cho câu 2" in phone.from_bot[-1].text or "Câu 3/10" in phone.from_bot[-1].text
    assert screen.keyboard == ()
    notices = [message for message in phone.from_bot if "Một lời nhắn" in message.text]
    assert notices[0].labels == ["Mở hồ sơ"], "a notice keeps its button"


async def test_a_screen_that_is_gone_from_the_phone_comes_anew(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await joins(phone)
    await presses(phone, "start")
    screen = phone.screen
    screen.deleted = True  # the person deleted it; their phone still sends the press
    await phone.presses("tot", screen)
    await phone.finds("Câu 2/10")


async def test_a_notice_stands_beside_the_open_question(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await joins(phone)
    await presses(phone, "start")
    notice(live, phone, "Một lời nhắn")
    await phone.finds("Một lời nhắn")
    await types(phone, "2")
    assert live.rows("select count(*) from answers") == [1]


async def test_commands_fit_role_and_language(live: Live) -> None:
    citizen, officer, english = (live.api.phone(live.bot) for _n in range(3))
    english.chat.person["language_code"] = "en"
    await holds(lambda: citizen.commands and english.commands != citizen.commands)
    vietnamese = [each["command"] for each in citizen.commands]
    assert vietnamese[0] == "hoso"
    assert "hangdoi" not in vietnamese
    assert citizen.commands[0]["description"] != english.commands[0]["description"]
    await accepts(officer, live.invite())
    assert [each["command"] for each in officer.commands][:1] == ["hangdoi"]
    before = citizen.commands
    await joins(citizen)
    await types(citizen, "/ngonngu")
    await presses(citizen, "English")
    assert [each["command"] for each in citizen.commands] == vietnamese
    assert citizen.commands[0]["description"] == english.commands[0]["description"] != before[0]["description"]


async def test_a_menu_that_telegram_does_not_take_stops_nothing(begin: Begin) -> None:
    live = await begin(wait=False)
    live.api.fault("setMyCommands", "500", times=-1)
    await live.start()
    phone = live.api.phone(live.bot)
    await joins(phone)
    live.api.mend()
    await holds(lambda: phone.commands)


async def test_an_answer_left_by_a_dead_process_goes_out_at_the_next_start(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await joins(phone)
    live.api.fault("*Message*", "500", times=-1)
    await phone.presses("start")
    await live.until("select level from answers union select 'none' where not exists (select 1 from answers)", "none")
    await live.until("select count(*) from outbox where outcome = 'waiting'", 1)
    live.telegram.lanes._stopping = True  # as if it had died: nothing more goes out
    await live.stop()
    live.api.mend()
    await live.start()
    await phone.finds("Câu 1/10")
    await live.until("select count(*) from outbox where outcome = 'waiting'", 0)
    await presses(phone, "tot")
    assert live.rows("select level from answers") == ["tot"]


async def test_the_whole_form_through_one_chat_leaves_nothing_waiting(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await joins(phone)
    await answers(phone)
    await live.until("select count(*) from outbox where outcome = 'waiting'", 0)
    assert live.rows("select distinct outcome from outbox where outcome not in ('sent', 'cancelled')") == []
