"""The plain bots that the product is measured against still run, and take a whole form."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.loss import CONTESTANTS, TOKEN, Contestant, Story
from benchmarks.people import Person, reads_plain
from benchmarks.questionnaire import INDICATORS, WITH_PHOTO, read_summary
from tests.peers.telegram import BotApi

pytestmark = pytest.mark.slow

PLAIN = [contestant for contestant in CONTESTANTS if contestant.plain]


@pytest.mark.parametrize("contestant", PLAIN, ids=lambda each: each.name)
async def test_a_plain_bot_takes_a_whole_form(contestant: Contestant, tmp_path: Path) -> None:
    async with BotApi() as api:
        bot = api.bot(TOKEN, "plain_bot")
        process = contestant.open(tmp_path, api.url, tmp_path)
        story = Story(contestant, api, bot, process, random.Random(1), ends=0, graceful=False)
        try:
            await story.starts()
            person = Person(api.phone(bot), story.life, random.Random(2), reads_plain, plain=True, think=(0, 0))
            await person.fills_in()
            assert set(read_summary(person.phone.from_bot[-1].text)) >= {
                "name", "year", *INDICATORS, *(f"{each} photo" for each in WITH_PHOTO)
            }  # fmt: skip
            assert (person.acknowledged, person.lost, person.begun_again) == (14, 0, 0)
        finally:
            process.kill()
        assert "Traceback" not in process.output()
