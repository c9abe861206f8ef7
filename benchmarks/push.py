"""A summary pushed to the whole country, against what the push rate allows: 3,355 officers, a chart for each unit.

The product's own process in webhook mode with its default limits. Every commune and province has one officer and
people in its counts, so 3,355 pages are reckoned and drawn; drawing runs ahead of sending in the same run. From the
first picture at Telegram to the last.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from benchmarks.bars import Bar
from benchmarks.turn import START_WITHIN, webhook_settings
from benchmarks.wire import Wire, all_cores
from bot.schedules import who_gets
from bot.settings import TelegramSection
from reports.schedules import Schedule
from storage import counters, reach, recipients, schedules
from storage.engine import open_engine, reading, writing
from storage.tables import metadata
from tests.support.server import Server, seed

COUNTRY = Schedule("country", "0 7 * * MON", "summary", ("supervisor",), "any", quiet="")
SETTINGS = '[[schedule]]\nname = "country"\ncron = "0 7 * * MON"\nlevel = "any"\nquiet = ""\n'
FLOOR = 1.1
WITHIN = 900.0  # seconds; the limit alone takes 168
_CHAT = re.compile(rb'(?:name="chat_id"\r\n(?:[^\r]+\r\n)*\r\n|"chat_id": ?"?|chat_id=)(\d+)')


class Telegram(Wire):
    """One that takes pictures."""

    uploads = 0

    def _called(self, head: bytes, body: bytes) -> bytes:
        if not head.split(b" ", 2)[1].lower().endswith(b"/sendphoto"):
            return super()._called(head, body)
        found = _CHAT.search(body)
        assert found is not None, body[:300]
        chat = int(found[1])
        if self.on_message is not None:
            self.on_message(chat)
        self.uploads += b"image/" in body[:5_000] or b"filename=" in body
        size = {"file_id": f"photo{self.uploads}", "file_unique_id": f"u{self.uploads}", "width": 1080, "height": 1200}
        message = {
            "message_id": self.next_message(), "date": 1795000000, "photo": [size],
            "chat": {"id": chat, "type": "private", "first_name": "Lan"},
        }  # fmt: skip
        result = json.dumps({"ok": True, "result": message}).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            len(result), result,
        )  # fmt: skip


def appoint(url: str) -> int:
    """An officer in every commune and province, each with a chat; people in every commune's counts. How many."""
    table, now, dice = metadata.tables, datetime.now(UTC), random.Random(1)
    engine = open_engine(url)
    with writing(engine) as conn:
        found = conn.exec_driver_sql(
            "select id, path, level from units where level in (1, 2) and vintage = '2025' and valid_to is null"
            " order by id"
        ).all()
        numbers = range(1, len(found) + 1)
        conn.execute(sa.insert(table["officers"]), [{"id": n, "name": f"Cán bộ {n}", "made_at": now} for n in numbers])
        contacts = [
            {
                "id": n, "account": "telegram", "address": str(7_000_000 + n), "provisional": False, "reachable": True,
                "created_at": now,
            }
            for n in numbers
        ]  # fmt: skip
        conn.execute(sa.insert(table["contacts"]), contacts)
        chats = [
            {"contact_id": n, "state": '{"is":"home.Home"}', "screen": 0, "language": "vi", "used_at": now}
            for n in numbers
        ]
        conn.execute(sa.insert(table["conversations"]), chats)
        conn.execute(
            sa.insert(table["officer_contacts"]), [{"contact_id": n, "officer_id": n, "since": now} for n in numbers]
        )
        roles = [
            {"officer_id": n, "unit_id": unit.id, "role": "supervisor", "since": now}
            for n, unit in zip(numbers, found, strict=True)
        ]
        conn.execute(sa.insert(table["officer_roles"]), roles)
        ids = {path: id for id, path in conn.exec_driver_sql("select id, path from units").all()}
        leaf: list[dict[str, object]] = []
        sums: dict[tuple[int, str], int] = {}
        for unit in found:
            if unit.level != 2:
                continue
            for status in ("registered", "submitted", "approved", "not_met"):
                n = dice.randint(1, 400)
                counted = {"year": now.year, "subject_group": "nong_dan", "status": status, "n": n}
                leaf.append({"unit_id": unit.id, **counted})
                for path in counters.ancestry(unit.path):
                    sums[ids[path], status] = sums.get((ids[path], status), 0) + n
        conn.execute(sa.insert(counters.counters), leaf)
        conn.execute(
            sa.insert(counters.rollup),
            [
                {"unit_id": unit, "year": now.year, "subject_group": "nong_dan", "status": status, "n": n}
                for (unit, status), n in sums.items()
            ],
        )
        reaches = reach.of_officers(conn)
        chosen = [(each, reaches.get(each.officer_id)) for each in who_gets(conn, COUNTRY)]
        recipients.begin(conn, schedules.plan_now(conn, COUNTRY.name, now, "bench"), chosen, now, asked=True)
    engine.dispose()
    return len(chosen)


async def _measure(folder: Path) -> Bar:
    seed(folder / "seeded.sqlite")
    async with Telegram() as wire:
        server = Server.on(folder / "seeded.sqlite", folder)
        (folder / "bot.toml").write_text(SETTINGS, encoding="utf-8")
        wanted = await asyncio.to_thread(appoint, server.url)
        at: dict[int, float] = {}
        everybody, repeated = asyncio.Event(), 0

        def on_message(chat: int) -> None:
            nonlocal repeated
            repeated += chat in at
            at.setdefault(chat, time.perf_counter())
            if len(at) == wanted:
                everybody.set()

        wire.on_message = on_message
        server.environment = webhook_settings(wire, server)
        began = time.perf_counter()
        try:
            server.start()
            await server.ready()
            async with asyncio.timeout(START_WITHIN):
                await wire.hooked.wait()
            async with asyncio.timeout(WITHIN):
                await everybody.wait()
            await asyncio.sleep(1)
            counts = _counts(server.url)
        except BaseException:
            print(server.output()[-3000:])
            raise
        finally:
            server.kill()
    first, last = min(at.values()), max(at.values())
    rate = TelegramSection().push_rate
    notes = [
        f"{wanted} summaries in {last - first:.0f} s at {rate} a second at most, {repeated} of them twice; the first"
        f" {first - began:.1f} s after the start; {wire.uploads} pictures uploaded; {counts} in the table"
    ]
    return Bar("push", (last - first) / (wanted / rate), FLOOR, False, notes)


def _counts(url: str) -> int:
    """How many messages the table says to have been sent."""
    engine = open_engine(url)
    try:
        with reading(engine) as conn:
            return int(conn.exec_driver_sql("select count(*) from outbox where outcome = 'sent'").scalar_one())
    finally:
        engine.dispose()


def measure() -> Bar:
    """The bar ``push``."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            return asyncio.run(_measure(Path(folder)))
    finally:
        all_cores()
