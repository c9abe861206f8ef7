"""The sender is killed while 500 officers get a summary, and Telegram asks for pauses, blocks and leaves sends without
an answer: every one who can be reached gets it, and nothing twice but a send that was in flight at a kill (begun, not
answered) or was never answered, as the stand-in for Telegram counts them.

Kills come while Telegram holds its answers back and what it had answered could be written down, so that the count is
exact: in between nobody could tell a product that writes late from one that was killed a moment too early."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.schedules import who_gets
from dialogs.model import Screen, encode_screen
from reports.schedules import Schedule
from storage import codes, counters, officers, outbox, people, reach, recipients, schedules, tables, units
from storage.engine import open_engine, reading, writing
from tests.peers.telegram import BotApi, Call, FakeBot
from tests.support.server import Server
from tests.telegram.live import TOKENS

OFFICERS = int(os.environ.get("HOCTAP_PUSH_OFFICERS", "500"))
PROVINCES = ("22", "31")
TALKATIVE, NOTICES = 30, 3  # so many of them wait for so many notices as well
A_SECOND = 80  # messages, so that the kills are spread over the whole push
WITHIN = 120.0  # seconds for what is left after the last kill
WRITTEN_WITHIN = 2.0  # seconds in which an answer is written down, on a machine that does much else; 0.05 as a rule
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
            found = officers.open_invite(conn, codes.secret_hash(code), now)
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
        reaches = reach.of_officers(conn)
        chosen = [(each, reaches.get(each.officer_id)) for each in who_gets(conn, WEEKLY)]
        recipients.begin(conn, schedules.plan_now(conn, "weekly", now, "test"), chosen, now, asked=True)
    engine.dispose()
    return len(chosen)


@dataclass
class Story:
    """One push: what the stand-in sent to whom, and which sends were in flight at a kill."""

    api: BotApi = field(repr=False)
    server: Server
    engine: sa.Engine = field(repr=False)
    life: int = 0  # calls made before this life
    in_flight: Counter[str] = field(default_factory=Counter)  # by chat: begun and not answered at a kill
    kills: int = 0  # with something in flight

    def sent(self, first: int = 0) -> list[Call]:
        """Messages that reached a chat, with its answer or without, from a call on."""
        return [
            call for call in self.api.calls[first:] if call.method.lower() in SENDS and call.outcome in ("ok", "lost")
        ]

    def told(self) -> dict[str, list[str]]:
        """What each chat was told, in order."""
        found: dict[str, list[str]] = {}
        for call in self.sent():
            found.setdefault(call.chat, []).append(str(call.params.get("text") or call.params["caption"]))
        return found

    def unanswered(self) -> Counter[str]:
        """By chat: sends that were done and never answered."""
        return Counter(call.chat for call in self.sent() if call.outcome == "lost")

    async def sends(self, n: int) -> None:
        """Wait until this life has sent so many, or there is nothing left to send."""
        until, looked = time.monotonic() + WITHIN, time.monotonic()
        while len(self.sent(self.life)) < n:
            assert time.monotonic() < until, self.server.output()[-3000:]
            await asyncio.sleep(0.01)
            if time.monotonic() > looked + 1:
                looked = time.monotonic()
                if not self.counts()["planned"]:
                    return

    async def dies(self) -> None:
        """Kill it, and count what was in flight: messages that Telegram answers, to nobody, after the kill."""
        self.api.hold()
        await self._has_written()
        killed = len(self.api.calls)
        self.server.kill()
        self.api.answer()
        await self.api.drained()
        found = Counter(call.chat for call in self.sent(killed))
        self.in_flight.update(found)
        self.kills += bool(found)
        self.life = len(self.api.calls)

    async def _has_written(self) -> None:
        """Give it time to write down what it was answered: it is killed then, whether it has or not."""
        answered = [call for call in self.sent(self.life) if call.outcome == "ok"]
        until = time.monotonic() + WRITTEN_WITHIN
        while time.monotonic() < until:
            await asyncio.sleep(0.02)
            with reading(self.engine) as conn:
                rows = conn.execute(sa.text("select address, message_id from outbox where outcome = 'sent'")).all()
            known = {(row.address, row.message_id) for row in rows}
            if all((call.chat, call.message_id) in known for call in answered):
                return
        print("not written down in time: some of", len(answered))

    def counts(self) -> dict[str, int]:
        """What ``hoctap schedule log`` says of it."""
        with reading(self.engine) as conn:
            return next(each.counts for each in recipients.log(conn) if each.run.planned_by == "test")

    async def ends(self) -> dict[str, int]:
        """Wait until nobody is to hear anything more."""
        until = time.monotonic() + WITHIN
        while (counts := self.counts())["planned"] or self._waiting():
            assert time.monotonic() < until, f"{counts}\n{self.server.output()[-3000:]}"
            await asyncio.sleep(0.3)
        return counts

    def _waiting(self) -> int:
        with reading(self.engine) as conn:
            return int(conn.execute(sa.text("select count(*) from outbox where outcome = 'waiting'")).scalar_one())


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    """A Telegram."""
    async with BotApi() as running:
        yield running


@contextlib.contextmanager
def begun(api: BotApi, beginning: Path | str, folder: Path) -> Iterator[tuple[Story, FakeBot, list[int]]]:
    """A server that is to push to everybody, not started yet; killed in the end."""
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
    engine = open_engine(server.url)
    try:
        yield Story(api, server, engine), bot, chats
    finally:
        server.kill()
        engine.dispose()
        print("the server's last words:", *server.output().splitlines()[-40:], sep="\n")  # shown when the test fails


def notices(engine: sa.Engine, chats: list[int]) -> None:
    """Some notices for each of these chats, that differ."""
    now = datetime.now(UTC)
    with writing(engine) as conn:
        for chat in chats:
            contact = conn.execute(
                sa.text("select id from contacts where address = :chat"), {"chat": str(chat)}
            ).scalar_one()
            for n in range(NOTICES):
                body = encode_screen(Screen(f"Việc thứ {n}", ()))
                outbox.put(
                    conn, account="telegram", address=str(chat), contact_id=contact, body=body, now=now,
                    priority=outbox.NOTICE,
                )  # fmt: skip


@pytest.mark.kill
async def test_everybody_who_can_be_reached_gets_it_whatever_dies(
    api: BotApi, beginning: Path | str, tmp_path: Path
) -> None:
    began = time.monotonic()
    kills = int(os.environ.get("HOCTAP_PUSH_KILLS", "20" if isinstance(beginning, Path) else "5"))
    seed = int(os.environ.get("HOCTAP_KILL_SEED") or secrets.randbelow(2**32))
    print(f"again with the same dice: HOCTAP_PUSH_KILLS={kills} HOCTAP_KILL_SEED={seed}")
    rng = random.Random(seed)
    with begun(api, beginning, tmp_path) as (story, bot, chats):
        troubled = rng.sample(chats[TALKATIVE:], 60)
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
        notices(story.engine, chats[:TALKATIVE])
        server = story.server
        server.start()
        for left in range(kills, 0, -1):
            booting = rng.random() < 0.15
            if not booting:
                await server.ready()
                to_come = OFFICERS + TALKATIVE * NOTICES - len(blocked) - sum(map(len, story.told().values()))
                await story.sends(rng.randint(1, max(1, int(1.5 * to_come / (left + 1)))))
            await asyncio.sleep(rng.uniform(0, 0.3 if booting else 0.1))
            await story.dies()
            server.start()
        await server.ready()
        counts = await story.ends()
        assert await asyncio.to_thread(server.stop) == 0

        told, unanswered = story.told(), story.unanswered()
        again = Counter({chat: len(texts) - len(set(texts)) for chat, texts in told.items()})
        may_be = story.in_flight + unanswered
        print(f"{kills} kills, {story.kills} with sends in flight: {counts}; {time.monotonic() - began:.0f} s")
        open_ones = f"{story.in_flight.total()} in flight at a kill, {unanswered.total()} never answered"
        print(f"{again.total()} repeated; {open_ones}")
        reachable = {str(chat) for chat in chats} - {str(chat) for chat in blocked}
        many = {str(chat) for chat in chats[:TALKATIVE]}
        assert {chat: len(set(texts)) for chat, texts in told.items()} == {
            chat: 1 + NOTICES * (chat in many) for chat in reachable
        }
        assert counts == {
            "planned": 0, "sent": OFFICERS - len(blocked), "failed": 0, "unreachable": len(blocked), "nothing": 0,
        }  # fmt: skip
        assert {chat: n for chat, n in again.items() if n > may_be[chat]} == {}
        assert again.total() <= may_be.total()
        # Only the last message of a chat is repeated: none comes again when another has come since.
        for texts in told.values():
            assert len([text for text, _same in groupby(texts)]) == len(set(texts)), texts
        assert story.kills >= kills // 4  # or it has shown nothing
        said = [line for line in server.output().splitlines() if " ERROR " in line or "Traceback" in line]
        assert [line for line in said if " ERROR telegram." not in line] == []  # that library calls a pause an error


@pytest.mark.kill
async def test_without_a_kill_nobody_gets_it_twice(api: BotApi, seeded: Path, tmp_path: Path) -> None:
    with begun(api, seeded, tmp_path) as (story, bot, chats):
        for chat in chats[:5]:
            api.fault("send*", "403", -1, chat=chat, bot=bot)
        for chat in chats[5:10]:
            api.fault("send*", "429", chat=chat, bot=bot)
        environment = story.server.environment
        environment["HOCTAP_TELEGRAM__RATE"] = environment["HOCTAP_TELEGRAM__PUSH_RATE"] = "1000"
        story.server.start()
        await story.server.ready()
        counts = await story.ends()
        assert await asyncio.to_thread(story.server.stop) == 0
        assert (counts["sent"], counts["unreachable"]) == (OFFICERS - 5, 5)
        assert [texts for texts in story.told().values() if len(texts) > 1] == []
        assert len(story.told()) == OFFICERS - 5
        uploads = [call for call in api.made("sendPhoto") if call.files]
        assert len({call.params.get("caption") for call in uploads}) == len(PROVINCES)
