"""Typed answers: which question they answer, when several are under way at once."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.webclient import photo
from tests.telegram.conftest import Begin
from tests.telegram.live import Live, asks_for_evidence, joins, presses

NAMES = "select name, birth_year from people"
LEVELS = "select level from answers order by indicator"


async def test_a_text_sent_before_its_question_was_there_answers_nothing(live: Live) -> None:
    phone = live.api.phone(live.bot, first_name="Lan")
    await phone.opens("DV06685K")
    await phone.sees("đúng không")
    await presses(phone, "yes", "agree")
    await phone.types("Nguyễn Thị Lan")
    await phone.types("Nguyễn Thị Lan")  # sent twice, as people do when nothing happens
    await phone.sees("vừa rồi đã cũ")
    await phone.sees("sinh năm nào")
    await phone.types("1957")
    await phone.settles()
    assert "Số điện thoại" in phone.from_bot[-1].text


async def test_both_ends_of_a_slow_line(live: Live) -> None:
    """The screen is on its way for a second: what is typed meanwhile was typed without it."""
    phone = live.api.phone(live.bot, first_name="Lan")
    await joins(phone)
    await presses(phone, "start")
    live.api.fault("sendMessage", "slow", seconds=0.6)
    await phone.types("2")
    await asyncio.sleep(0.3)
    await phone.types("3")
    await phone.sees("vừa rồi đã cũ")
    assert live.rows(LEVELS) == ["kha"]


async def test_an_answer_to_a_screen_that_was_shown_again_counts(live: Live) -> None:
    """A late picture of an album shows the same question anew, below what was typed to the first showing of it."""
    phone = live.api.phone(live.bot, first_name="Lan")
    await asks_for_evidence(phone)
    await phone.sends_album([photo(1), photo(2)])
    await phone.sees("Câu 3/10")
    await phone.settles(quiet=0.8)
    lane = live.telegram.lanes.lane(str(phone.chat.id))
    shown = await live.telegram.lanes.shown(lane)
    assert lane.first_number == shown.number
    early = lane.first_id
    # As if the second showing had come while this was typed: it is above that, and below the first.
    lane.shown = live.telegram.lanes.outcomes._kept[lane.address] = type(shown)(
        **{**{name: getattr(shown, name) for name in shown.__slots__}, "message_id": shown.message_id + 50}
    )
    assert await live.telegram.lanes.too_early(lane, early + 1) is False
    assert await live.telegram.lanes.too_early(lane, early - 1) is True


@pytest.mark.slow
async def test_an_answer_given_before_a_restart_counts(begin: Begin) -> None:
    """The screen may have been read before the process ended, though it is sent once more after that."""
    live = await begin()
    phone = live.api.phone(live.bot, first_name="Lan")
    await joins(phone)
    live.api.fault("sendMessage", "lost", times=-1, chat=phone.chat.id)  # delivered, but we are not told
    live.api.fault("editMessageText", "lost", times=-1, chat=phone.chat.id)
    await phone.presses("start")
    await phone.sees("Câu 1/10")
    await live.stop()
    live.api.mend()
    await phone.types("2")
    await live.start()
    await phone.sees("Câu 2/10", within=15)
    assert live.rows(LEVELS) == ["kha"]
