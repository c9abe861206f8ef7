"""Traps of receiving: updates that cannot be read, that come twice, too late or from where they should not; Telegram
that is away, or somebody else who takes the updates."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from bot.cli import main
from tests.peers.telegram import BotApi, Phone
from tests.telegram.conftest import Begin
from tests.telegram.live import HONG_GAI, TOKENS, Live, answers, holds, joins, presses, refusing, types

pytestmark = pytest.mark.slow  # a running bot each: seconds

STALE = "Màn hình vừa rồi đã cũ"


async def at_question_one(live: Live) -> Phone:
    phone = live.api.phone(live.bot)
    await joins(phone)
    return await presses(phone, "start")


def taken(live: Live) -> list[str]:
    """The levels given so far, in order."""
    return list(live.rows("select level from answer_history where what = 'level' order by id"))


def press(live: Live, phone: Phone, data: str, sender: Phone | None = None) -> None:
    """A press with data that the client made up (*sender*: as somebody else's account)."""
    screen = phone.screen
    content = {
        "id": str(live.api.number()),
        "from": (sender or phone).chat.person,
        "message": screen.json(live.bot, phone.chat),
        "chat_instance": "1",
        "data": data,
    }
    live.api.queue(live.bot, phone.chat, "callback_query", content)


async def all_taken(live: Live) -> None:
    await holds(lambda: not any(bot.updates for bot in live.bots))


# ------------------------------------------------------------------------------------------------ reading


@pytest.mark.parametrize("webhook", [False, True])
async def test_an_update_that_cannot_be_read_is_kept_and_stepped_over(
    begin: Begin, webhook: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    live = await begin(webhook=webhook)
    phone = live.api.phone(live.bot)
    await phone.opens(HONG_GAI)
    await phone.settles()
    poison = live.api.undecodable(live.bot, phone)
    await phone.presses("yes")
    await phone.finds("có đồng ý")
    await all_taken(live)
    account, event, error = live.rows("select account, event, error from failed_events")[0]
    assert (account, event) == ("telegram", str(poison))
    assert "undecodable" in error
    (raw,) = live.rows("select raw from failed_events")
    assert json.loads(raw)["update"]["update_id"] == poison

    monkeypatch.setenv("HOCTAP_STORAGE__URL", live.url)
    monkeypatch.chdir(live.folder)
    capsys.readouterr()
    assert await asyncio.to_thread(main, ["events", "failed"]) == 0
    assert "undecodable" in capsys.readouterr().out


async def test_text_that_no_database_takes_stops_nobody(live: Live) -> None:
    phone = await at_question_one(live)
    sender = {"chat": phone.chat.json(), "from": phone.chat.person}
    odd = {"message_id": 900, "date": 1790000000, "text": "x\udc00y\x00z", **sender}
    await live.telegram.handle({"update_id": 1, "message": odd})
    unread = {"message_id": 901, "text": "\udc00", **sender}  # without a date it cannot be read either
    await live.telegram.handle({"update_id": 2, "message": unread})
    assert live.rows("select event from failed_events where event = '2'") == ["2"]
    # What cannot be understood is answered with the question again, under a new number.
    await holds(lambda: "chưa hiểu" in phone.screen.text and "Câu 1/10" in phone.screen.text)
    await presses(phone, "tot")
    assert taken(live) == ["tot"]


async def test_a_defect_in_taking_an_update_keeps_it_and_goes_on(live: Live) -> None:
    phone = await at_question_one(live)
    backend = live.telegram.backend

    async def broken(_incoming: Any) -> Any:
        raise RuntimeError("a defect")

    live.telegram.backend = replace(backend, take=broken)
    await phone.presses("tot")
    await all_taken(live)
    assert len(live.rows("select id from failed_events")) == 1
    live.telegram.backend = backend
    await presses(phone, "kha")
    assert taken(live) == ["kha"]


async def test_an_update_that_can_neither_be_taken_nor_kept_comes_again(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.channels.telegram_polling.SLOWEST_RETRY", 0.2)
    phone = await at_question_one(live)
    backend, tries = live.telegram.backend, 0

    async def broken(_job: Any) -> Any:
        nonlocal tries
        tries += 1
        raise RuntimeError("a defect")

    live.telegram.backend = replace(backend, take=broken, run=broken)
    await phone.presses("tot")
    await holds(lambda: tries > 3)
    assert live.bot.updates, "acknowledged, and nowhere"
    live.telegram.backend = backend
    await all_taken(live)
    assert taken(live) == ["tot"]


async def test_a_database_that_is_away_for_a_moment_loses_nothing(live: Live) -> None:
    phone = await at_question_one(live)
    left = refusing(live.telegram, 2)
    await presses(phone, "tot")
    assert (left, taken(live)) == ([0], ["tot"])


@pytest.mark.parametrize(
    ("act", "told"),
    [
        ("sends_voice", "tin nhắn thoại"),
        ("sends_sticker", "Cảm ơn"),
        ("sends_location", "không cần vị trí"),
        ("sends_video", "chưa nhận được phim"),
    ],
)
async def test_what_no_dialog_takes_is_told_and_the_question_stays(live: Live, act: str, told: str) -> None:
    phone = await at_question_one(live)
    await getattr(phone, act)()
    await phone.sees(told)
    assert "Câu 1/10" in phone.screen.text
    await presses(phone, "tot")
    assert taken(live) == ["tot"]


async def test_an_edited_message_changes_no_answer_and_that_is_said(live: Live) -> None:
    phone = await at_question_one(live)
    await types(phone, "2")
    (mine,) = (message for message in phone.messages if not message.from_bot and message.text == "2")
    await phone.edits(mine, "5")
    await phone.sees("không đọc tin đã sửa")
    assert taken(live) == ["kha"]


async def test_a_forwarded_text_is_taken_like_any_other(live: Live) -> None:
    phone = await at_question_one(live)
    await phone.forwards("2")
    await phone.finds("Câu 2/10")
    assert taken(live) == ["kha"]


async def test_only_ones_own_number_is_taken_from_a_contact(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await phone.opens(HONG_GAI)
    await phone.settles()
    await presses(phone, "yes", "agree")
    await types(phone, "Nguyễn Thị Lan", "1957")
    await phone.shares_contact("+84988888888", own=False)
    await phone.sees("không phải số của")
    await phone.shares_contact("+84912345678")
    await phone.finds("xưng hô")
    await presses(phone, "ong_ba", "nong_dan")
    assert live.rows("select phone from people") == ["0912345678"]


@pytest.mark.parametrize("text", ["/start DV06685K", "/start@hoctap_mot_bot DV06685K", "/START  DV06685K "])
async def test_a_link_opens_the_chat_however_it_is_spelt(live: Live, text: str) -> None:
    phone = live.api.phone(live.bot)
    await types(phone, text)
    assert "Phường Hồng Gai" in phone.screen.text


async def test_start_may_come_bare_and_again_and_again(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await phone.opens()
    await phone.sees("mã QR")
    for _n in range(2):
        await phone.opens(HONG_GAI)
        await phone.sees("Phường Hồng Gai")
    await phone.opens()
    await phone.sees("Phường Hồng Gai")
    await presses(phone, "yes")
    await phone.opens("khong-phai-ma")
    await phone.settles()
    await presses(phone, "agree")
    assert "Họ và tên" in phone.screen.text


# ------------------------------------------------------------------------------------------------ twice, late, forged


async def test_two_taps_answer_once(live: Live) -> None:
    phone = await at_question_one(live)
    screen = phone.screen
    await phone.presses("tot", screen)
    await phone.presses("kha", screen)
    await phone.presses("tot", screen)
    await all_taken(live)
    assert taken(live) == ["tot"]
    await phone.finds("Câu 2/10")
    assert live.api.unanswered(live.bot) == []


async def test_a_text_sent_before_the_second_question_was_there_does_not_answer_it(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await phone.opens(HONG_GAI)
    await phone.settles()
    await presses(phone, "yes", "agree")
    live.api.fault("sendMessage", "slow", seconds=0.4)
    await phone.types("Nguyễn Thị Lan")
    await phone.types("Nguyễn Thị Lan Anh")  # "no: …", before the next question can be seen
    await phone.types("1957")
    await phone.finds(STALE)
    await all_taken(live)
    await phone.settles(quiet=0.5)
    assert "sinh năm nào" in phone.from_bot[-1].text, phone.read_out()
    await types(phone, "1961")
    assert phone.chat.reply_keyboard, phone.read_out()


@pytest.mark.parametrize(
    "data",
    ["", "x", "999999:tot", "0:tot", "9:tot:tot", "tot", "9:=77", "p:9:99", "9:" + "á" * 31, "9:drop:1", "-1:tot"],
)
async def test_data_that_a_client_made_up_does_nothing(live: Live, data: str) -> None:
    phone = await at_question_one(live)
    number = phone.screen.keyboard[0][0].data.partition(":")[0]
    press(live, phone, data.replace("9:", f"{number}:", 1) if data.startswith("9:") else data)
    await all_taken(live)
    await phone.settles(quiet=0.3, shown=lambda _phone: True)
    assert taken(live) == []
    assert live.rows("select count(*) from failed_events") == [0]
    assert "Câu 1/10" in phone.from_bot[-1].text
    await presses(phone, "kha")
    assert taken(live) == ["kha"], "and the chat goes on"


async def test_nobody_presses_in_anothers_name(live: Live) -> None:
    phone, stranger = await at_question_one(live), live.api.phone(live.bot)
    press(live, phone, phone.screen.keyboard[0][0].data, sender=stranger)
    await all_taken(live)
    assert taken(live) == []


async def test_a_button_of_somebody_elses_dossier_opens_nothing(live: Live) -> None:
    owner = live.api.phone(live.bot)
    await joins(owner)
    await answers(owner)
    await presses(owner, "hand_in", "submit")
    (code,) = live.rows("select code from assessments")
    stranger = await at_question_one(live)
    for choice in (f"go:mend:{code}:A1", f"go:prove:{code}:A1", f"go:dossier:{code}", "go:queue", "go:report"):
        press(live, stranger, f"0:{choice}")
    await all_taken(live)
    await stranger.settles(quiet=0.3)
    assert not any("Nguyễn Thị Lan, " in message.text or code in message.text for message in stranger.from_bot)
    assert live.rows("select count(*) from failed_events") == [0]


async def test_the_same_update_twice_has_one_effect(live: Live) -> None:
    live.api.repeats(1.0)
    phone = await at_question_one(live)
    await presses(phone, "tot")
    await types(phone, "2")
    await holds(lambda: not live.bot.repeats and not live.bot.updates)
    assert taken(live) == ["tot", "kha"]
    assert sum("Câu 1/10" in message.text for message in phone.messages if message.from_bot) <= 1
    assert live.rows("select count(*) from people") == [1]


async def test_what_was_not_acknowledged_comes_again_after_a_restart_and_has_one_effect(live: Live) -> None:
    phone = await at_question_one(live)
    live.api.fault("getUpdates", "500", times=-1)  # what is taken now cannot be acknowledged
    await presses(phone, "tot")
    assert live.bot.updates
    await live.stop()
    live.api.mend()
    await live.start()
    await all_taken(live)
    assert taken(live) == ["tot"]
    await presses(phone, "kha")
    assert taken(live) == ["tot", "kha"]


# ------------------------------------------------------------------------------------------------ Telegram away


@pytest.mark.parametrize("kind", ["500", "502", "closed", "429"])
async def test_trouble_with_getupdates_is_told_and_passes(
    live: Live, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    phone = await at_question_one(live)
    fault = live.api.fault("getUpdates", kind, times=1)
    with caplog.at_level(logging.INFO):
        await presses(phone, "tot")  # ends the poll under way
        await holds(lambda: fault.used)
        await presses(phone, "kha", within=10)
        await phone.settles()
    assert taken(live) == ["tot", "kha"]
    assert any("no updates" in record.getMessage() for record in caplog.records)
    await live.until("select count(*) from outbox where outcome = 'waiting'", 0)


async def test_the_network_goes_and_comes_back(live: Live) -> None:
    phone = await at_question_one(live)
    await live.api.down()
    await phone.presses("tot")  # waits at Telegram
    await asyncio.sleep(0.5)
    await live.api.up()
    await phone.finds("Câu 2/10", 15)
    assert taken(live) == ["tot"]


async def test_a_bot_that_starts_before_the_network_does_serves_once_it_is_there(begin: Begin, api: BotApi) -> None:
    live = await begin(wait=False)
    await api.down()
    await live.start()
    await asyncio.sleep(0.3)
    await api.up()
    phone = api.phone(live.bot)
    await phone.opens(HONG_GAI)
    await phone.finds("Phường Hồng Gai", 15)


async def test_somebody_else_who_takes_the_updates_is_told_of_loudly(
    live: Live, caplog: pytest.LogCaptureFixture
) -> None:
    phone = await at_question_one(live)
    url = f"{live.api.url}/bot{TOKENS[0]}/getUpdates"
    async with aiohttp.ClientSession() as session:
        other = asyncio.create_task(session.post(url, json={"timeout": 1}))
        await holds(lambda: any("somebody else takes" in record.getMessage() for record in caplog.records))
        await other
    told = [record for record in caplog.records if "somebody else takes" in record.getMessage()]
    assert told[0].levelno == logging.ERROR
    await presses(phone, "tot")
    assert taken(live) == ["tot"]


async def test_a_token_that_is_refused_ends_the_asking(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    live = await begin(accounts=("telegram:a", "telegram:b"), wait=False)
    live.api.bots.pop(TOKENS[0])
    await live.start()
    await holds(lambda: any("refuses the token" in record.getMessage() for record in caplog.records))
    phone = live.api.phone(live.bots[1])
    await phone.opens(HONG_GAI)
    await phone.finds("Phường Hồng Gai")
    assert TOKENS[0] not in caplog.text


# ------------------------------------------------------------------------------------------------ groups


async def test_a_group_is_answered_once_with_a_link_to_the_private_chat(live: Live) -> None:
    group = live.api.group(live.bot, "Tổ dân phố 3")
    await holds(lambda: live.telegram.username)
    for text in ("/start DV06685K", "/hoso", "chào bot"):
        await group.types(text)
    await all_taken(live)
    await holds(lambda: group.from_bot)
    await asyncio.sleep(0.2)
    assert len(group.from_bot) == 1
    assert f"https://t.me/{live.bot.username}" in group.from_bot[0].text
    assert live.rows("select count(*) from contacts") == [0]


async def test_a_group_that_became_a_supergroup_is_followed(live: Live) -> None:
    group = live.api.group(live.bot, "Tổ dân phố 3")
    await holds(lambda: live.telegram.username)
    moved = group.migrates()
    await group.types("/start")
    await holds(lambda: moved.from_bot)
    assert f"https://t.me/{live.bot.username}" in moved.from_bot[0].text


# ------------------------------------------------------------------------------------------------ the end


async def test_a_graceful_end_takes_and_acknowledges_what_was_under_way(live: Live) -> None:
    phone = await at_question_one(live)
    backend = live.telegram.backend

    async def slow(incoming: Any) -> Any:
        await asyncio.sleep(0.3)
        return await backend.take(incoming)

    live.telegram.backend = replace(backend, take=slow)
    await phone.presses("tot")
    await asyncio.sleep(0.1)
    await live.stop()
    assert taken(live) == ["tot"]
    assert live.bot.updates == {}, "it would come again at the next start"
    await phone.finds("Câu 2/10", 0.1)


async def test_chats_are_served_side_by_side(live: Live) -> None:
    slow, quick = await at_question_one(live), await at_question_one(live)
    backend = live.telegram.backend

    async def held(incoming: Any) -> Any:
        if incoming.address == str(slow.chat.id):
            await asyncio.sleep(1.0)
        return await backend.take(incoming)

    live.telegram.backend = replace(backend, take=held)
    await slow.presses("tot")
    await quick.presses("tot")
    await quick.finds("Câu 2/10", 0.8)
    await slow.finds("Câu 2/10")
