"""The sender is killed while 500 officers get a summary, and Telegram asks for pauses, blocks and loses answers: every
one who can be reached gets it, and nobody twice but for a send that was under way at a death or lost its answer."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.schedules import recipients
from reports.schedules import Schedule
from storage import counters, officers, people, schedules, tables, units
from storage.engine import open_engine, reading, writing
from tests.peers.telegram import BotApi, FakeBot
from tests.support.server import Server
from tests.telegram.live import TOKENS

OFFICERS = 500
PROVINCES = ("22", "31", "01", "79", "48")
A_SECOND = 60  # messages, so that the deaths are spread over the whole push
WITHIN = 120.0  # seconds for what is left after the last death
WEEKLY = Schedule("weekly", "0 7 * * MON", "summary", ("supervisor",), "province", quiet="")
SETTINGS = '[[schedule]]\nname = "weekly"\ncron = "0 7 * * MON"\nlevel = "province"\nquiet = ""\n'
SENDS = ("sendmessage", "sendphoto")


def appoint(url: str, n: int) -> list[int]:
    """So many supervisors of provinces, each with a chat on Telegram, and people in the counts; the chats."""
    engine, now = open_engine(url), datetime.now(UTC)
    table = tables.metadata.tables
    chats = [7_000_000 + each for each in range(n)]
    with writing(engine) as conn:
        places = [units.by_code(conn, code) for code in PROVINCES]
        for place, chat in zip((places[each % len(places)] for each in range(n)), chats, strict=True):
            assert place is not None
            contact = people.meet(conn, "telegram", str(chat), now)
            people.keep_contact(conn, contact)
            conn.execute(
                sa.insert(table["conversations"]).values(
                    contact_id=contact, state='{"is":"home.Home"}', screen=0, language="vi", used_at=now
                )
            )
            code = officers.invite(conn, place.id, "supervisor", now, "test", f"Cán bộ {chat}")
            found = officers.open_invite(conn, officers.codes.secret_hash(code), now)
            officers.accept(conn, found, contact, None, now)
        for number, place in enumerate(places, 1):
            assert place is not None
            leaf = next(each for each in units.children(conn, place.id) if each.valid_to is None)
            for before, after in ((None, "registered"), ("registered", "draft")):
                counters.shift(
                    conn, assessment_id=number, unit_id=leaf.id, year=now.year, subject_group="nong_dan",
                    before=before, after=after, why="test", now=now,
                )  # fmt: skip
    engine.dispose()
    return chats


def push(url: str) -> int:
    """What ``hoctap schedule run weekly`` writes; how many get it."""
    engine, now = open_engine(url), datetime.now(UTC)
    with writing(engine) as conn:
        reaches = schedules.every_reach(conn)
        chosen = [(each, reaches.get(each.officer_id)) for each in recipients(conn, WEEKLY)]
        schedules.begin(conn, schedules.plan_now(conn, "weekly", now, "test"), chosen, now, asked=True)
    engine.dispose()
    return len(chosen)


@dataclass
class Story:
    """One push: whom the stand-in sent it to how often, and of which sends nobody was told in time."""

    api: BotApi = field(repr=False)
    server: Server
    life: int = 0  # calls made before this life
    under_way: Counter[str] = field(default_factory=Counter)  # by chat: sends that a death kept from being written down

    def sent(self, first: int = 0) -> Counter[str]:
        """Summaries that reached a chat, from a call on."""
        return Counter(
            call.chat
            for call in self.api.calls[first:]
            if call.method.lower() in SENDS and call.outcome in ("ok", "lost")
        )

    def lost(self) -> Counter[str]:
        """Sends that were done and not answered."""
        return Counter(call.chat for call in self.api.calls if call.outcome == "lost")

    def waiting(self) -> set[str]:
        """The chats whose message waits, as the table has it."""
        engine = open_engine(self.server.url)
        try:
            with reading(engine) as conn:
                rows = conn.execute(sa.text("select address from outbox where outcome = 'waiting' and priority = 2"))
                return {row.address for row in rows}
        finally:
            engine.dispose()

    async def sends(self, n: int) -> None:
        """Wait until this life has sent so many, or there is nothing left to send."""
        until = time.monotonic() + WITHIN
        while sum(self.sent(self.life).values()) < n:
            assert time.monotonic() < until, self.server.output()[-3000:]
            await asyncio.sleep(0.02)
            if not self.counts()["planned"]:
                return

    async def dies(self) -> None:
        """Kill it; what it had sent and could not write down was under way."""
        self.server.kill()
        await self.api.drained()
        waits = self.waiting()
        self.under_way.update(chat for chat in self.sent(self.life) if chat in waits)
        self.life = len(self.api.calls)

    def counts(self) -> dict[str, int]:
        """What ``hoctap schedule log`` says of it."""
        engine = open_engine(self.server.url)
        try:
            with reading(engine) as conn:
                return next(each.counts for each in schedules.log(conn) if each.run.planned_by == "test")
        finally:
            engine.dispose()

    async def ends(self) -> dict[str, int]:
        """Wait until nobody is to hear anything more."""
        until = time.monotonic() + WITHIN
        while (counts := self.counts())["planned"]:
            assert time.monotonic() < until, f"{counts}\n{self.server.output()[-3000:]}"
            await asyncio.sleep(0.3)
        return counts


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    """A Telegram."""
    async with BotApi() as running:
        yield running


def begun(api: BotApi, beginning: Path | str, folder: Path) -> tuple[Story, FakeBot, list[int]]:
    """A server that is to push to everybody, not started yet."""
    bot = api.bot(TOKENS[0], "hoctap_mot_bot")
    environment = {
        "HOCTAP_TELEGRAM__TOKEN": TOKENS[0],
        "HOCTAP_TELEGRAM__API_URL": api.url,
        "HOCTAP_TELEGRAM__MODE": "webhook",  # a dead poll would be open for its whole time
        "HOCTAP_TELEGRAM__RATE": str(A_SECOND + 20),
        "HOCTAP_TELEGRAM__PUSH_RATE": str(A_SECOND),
        "HOCTAP_TELEGRAM__CHAT_RATE": "1000",
    }
    server = Server.on(beginning, folder, environment)
    server.forked = True
    server.environment["HOCTAP_WEB__PUBLIC_URL"] = server.base
    (folder / "bot.toml").write_text(SETTINGS, encoding="utf-8")
    chats = appoint(server.url, OFFICERS)
    for chat in chats:
        api.phone(bot, chat, started=True)
    assert push(server.url) == OFFICERS
    return Story(api, server), bot, chats


@pytest.mark.kill
async def test_everybody_who_can_be_reached_gets_it_whatever_dies(
    api: BotApi, beginning: Path | str, tmp_path: Path
) -> None:
    began = time.monotonic()
    kills = int(os.environ.get("HOCTAP_PUSH_KILLS", "20" if isinstance(beginning, Path) else "5"))
    seed = int(os.environ.get("HOCTAP_KILL_SEED") or secrets.randbelow(2**32))
    print(f"again with the same dice: HOCTAP_PUSH_KILLS={kills} HOCTAP_KILL_SEED={seed}")
    rng = random.Random(seed)
    story, bot, chats = begun(api, beginning, tmp_path)
    troubled = rng.sample(chats, 60)
    blocked, silent, closed, paused = troubled[:20], troubled[20:35], troubled[35:50], troubled[50:]
    for chat in blocked:
        api.fault("send*", "403", -1, chat=chat, bot=bot)
    for chat in silent:
        api.fault("send*", "lost", chat=chat, bot=bot)
    for chat in closed:
        api.fault("send*", rng.choice(("closed", "500", "502")), chat=chat, bot=bot)
    for chat in paused:
        api.fault("send*", "429", chat=chat, bot=bot, retry_after=1)
    api.latency = 0.02
    server = story.server
    server.start()
    try:
        for _n in range(kills):
            if rng.random() < 0.8:
                await server.ready()
                await story.sends(rng.randint(1, 2 * OFFICERS // kills))
            await asyncio.sleep(rng.uniform(0, 0.3))
            await story.dies()
            server.start()
        await server.ready()
        counts = await story.ends()
        assert await asyncio.to_thread(server.stop) == 0
        sent, lost = story.sent(), story.lost()
        again = Counter({chat: n - 1 for chat, n in sent.items() if n > 1})
        print(f"{kills} kills: {counts}; {len(api.calls)} calls, {time.monotonic() - began:.0f} s")
        print(f"{again.total()} repeated; {story.under_way.total()} under way at a death, {lost.total()} not answered")
        assert set(sent) == {str(chat) for chat in chats} - {str(chat) for chat in blocked}
        assert counts == {
            "planned": 0, "sent": OFFICERS - len(blocked), "failed": 0, "unreachable": len(blocked), "nothing": 0,
        }  # fmt: skip
        assert {chat: n for chat, n in again.items() if n > story.under_way[chat] + lost[chat]} == {}
        told = [line for line in server.output().splitlines() if " ERROR " in line or "Traceback" in line]
        assert [line for line in told if " ERROR telegram." not in line] == []  # that library calls a pause an error
    finally:
        server.kill()
        print("the server's last words:", *server.output().splitlines()[-40:], sep="\n")  # shown when the test fails


@pytest.mark.kill
async def test_without_a_death_nobody_gets_it_twice(api: BotApi, seeded: Path, tmp_path: Path) -> None:
    story, bot, chats = begun(api, seeded, tmp_path)
    for chat in chats[:5]:
        api.fault("send*", "403", -1, chat=chat, bot=bot)
    for chat in chats[5:10]:
        api.fault("send*", "429", chat=chat, bot=bot)
    story.server.environment["HOCTAP_TELEGRAM__RATE"] = story.server.environment["HOCTAP_TELEGRAM__PUSH_RATE"] = "1000"
    story.server.start()
    try:
        await story.server.ready()
        counts = await story.ends()
        assert await asyncio.to_thread(story.server.stop) == 0
        assert (counts["sent"], counts["unreachable"]) == (OFFICERS - 5, 5)
        assert set(story.sent().values()) == {1}
        uploads = [call for call in api.made("sendPhoto") if call.files]
        assert len({call.params.get("caption") for call in uploads}) == len(PROVINCES)
    finally:
        story.server.kill()
        print("the server's last words:", *story.server.output().splitlines()[-40:], sep="\n")
