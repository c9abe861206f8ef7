"""What the browser channel asks of the running bot, and the chat pages that are open at this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from bot import clock
from bot.channels.telegram_about import start_link
from bot.channels.web_backend import HistoryLine, Landing, Outgoing
from dialogs.model import WEB, Incoming
from dialogs.turn import Taken
from locales import _
from storage import codes, conversations, erasure, events, officers, outbox, people, units
from storage.base import Connection, Refused
from storage.engine import Turns

log = logging.getLogger(__name__)

WEB_ACCOUNT = "web"
SCREENS_AGAIN = 6  # lines looked at for what a repeated event should show


class Pages:
    """The web channel's side of one process.

    *take* takes a turn; *say* tells the other processes a word, if there are any; *links* are other messengers' (label,
    address with ``{payload}``), *usernames* those of the Telegram bots by the name that the operator gave them.
    """

    def __init__(
        self,
        turns: Turns,
        take: Callable[[Incoming], Awaitable[Taken]],
        say: Callable[[str], None] | None,
        links: tuple[tuple[str, str], ...],
        usernames: Mapping[str, str],
    ) -> None:
        self._turns, self._take, self._say = turns, take, say
        self._links, self._usernames = links, usernames
        self._queues: dict[str, set[asyncio.Queue[HistoryLine]]] = {}
        self._by_the_way: set[asyncio.Task[None]] = set()

    @property
    def streams(self) -> int:
        """Open streams of the chat page."""
        return sum(len(queues) for queues in self._queues.values())

    # ---------------------------------------------------------------------------------------- turns

    async def take(self, incoming: Incoming) -> tuple[Outgoing, ...]:
        """A turn of the browser channel: the new messages, which its other tabs get as well."""
        taken = await self._take(incoming)
        if taken.repeat:
            return await self._turns.read(partial(_undelivered, incoming=incoming))
        if taken.heard is not None:
            line, body = taken.heard
            self.publish(incoming.address, HistoryLine(line, "in", body, incoming.at, incoming.event))
        told = tuple(Outgoing(each.message_id or 0, each.body, incoming.at) for each in taken.told)
        for each in told:
            if each.id:
                self.publish(incoming.address, HistoryLine(each.id, "out", each.body, each.at))
        farewells = [each.outbox_id for each in taken.told if each.message_id is None]
        if farewells:
            await self._turns.run(partial(_settle, rows=farewells))
        return told

    async def forget(self, account: str, address: str) -> None:
        """The person leaves this browser ("Không phải tôi")."""
        await self._turns.run(partial(_leave, account=account, address=address, now=clock.now()))

    async def send_due(self) -> int:
        """Deliver what is due on the web: into the contact's history, and to its open pages. How many."""
        now = clock.now()
        if not await self._turns.read(partial(outbox.due, account=WEB_ACCOUNT, now=now, most=1, farewells=False)):
            return 0
        delivered = await self._turns.run(partial(_deliver, now=now))
        for address, line in delivered:
            self.publish(address, line)
        return len(delivered)

    # ---------------------------------------------------------------------------------------- open pages

    async def history(self, account: str, address: str, after: int) -> tuple[HistoryLine, ...]:
        """The lines of a chat above number *after*, in order (0: the newest few hundred)."""
        return await self._turns.read(partial(_history, account=account, address=address, after=after, now=clock.now()))

    @contextmanager
    def subscribe(self, address: str) -> Iterator[asyncio.Queue[HistoryLine]]:
        """Lines of an address as they are committed."""
        queue: asyncio.Queue[HistoryLine] = asyncio.Queue()
        self._queues.setdefault(address, set()).add(queue)
        try:
            yield queue
        finally:
            held = self._queues[address]
            held.discard(queue)
            if not held:
                del self._queues[address]

    def publish(self, address: str, line: HistoryLine) -> None:
        """Show a committed line on the open pages of an address, whichever process they are open at."""
        if self._say is not None:
            self._say(f"line {line.id} {address}")
        self._show(address, line)

    def heard(self, word: str) -> None:
        """Another process has published a line: its number and the address."""
        number, _space, address = word.partition(" ")
        if address in self._queues and number.isdecimal():
            task = asyncio.create_task(self._fetch_line(address, int(number)), name="line")
            self._by_the_way.add(task)
            task.add_done_callback(self._by_the_way.discard)

    async def _fetch_line(self, address: str, number: int) -> None:
        try:
            lines = await self.history(WEB_ACCOUNT, address, number - 1)
        except Exception as error:  # noqa: BLE001 - the page asks again by itself
            log.warning("a line of another process could not be read: %s", events.described(error))
            return
        for each in lines:
            if each.id == number:
                self._show(address, each)

    def _show(self, address: str, line: HistoryLine) -> None:
        for queue in self._queues.get(address, ()):
            queue.put_nowait(line)

    # ---------------------------------------------------------------------------------------- the page behind a QR

    async def landing(self, payload: str) -> Landing | None:
        """What the page behind a unit's QR shows; ``None`` for a wrong code."""
        try:
            code = codes.parse(payload)
        except Refused:
            return None
        return await self._turns.read(partial(self._landing, code=code)) if isinstance(code, codes.UnitCode) else None

    def _landing(self, conn: Connection, code: codes.UnitCode) -> Landing | None:
        unit = units.by_code(conn, code.body, code.vintage)
        if unit is None:
            return None
        above = (unit, *units.ancestors(conn, unit))
        province = next((each.code for each in above if each.level == units.PROVINCE), "")
        payload = codes.payload(code)
        links = [(label, link.replace("{payload}", payload)) for label, link in self._links]
        username = self._bot_for(province)
        if username:
            links.append((_("landing.telegram"), start_link(username, payload)))
        return Landing(unit.name, units.full_name(conn, unit).above, codes.printed(code), tuple(links))

    def _bot_for(self, province: str) -> str:
        """The bot that serves a province: the one named by its code, else the one without a name, else the only one."""
        known = self._usernames
        only = next(iter(known.values())) if len(known) == 1 else ""
        return known.get(province) or known.get("") or only


# ------------------------------------------------------------------------------------------ what is read and written


def _undelivered(conn: Connection, incoming: Incoming) -> tuple[Outgoing, ...]:
    """What an event's repeat should show: the newest screens, which its first answer may not have reached."""
    lines = conversations.history(conn, incoming.account, incoming.address, 0, SCREENS_AGAIN)
    waiting = outbox.waiting_for(conn, incoming.account, incoming.address, incoming.at)
    shown = [Outgoing(line.id, line.body, line.at) for line in lines if line.direction == "out"]
    shown.extend(Outgoing(row.message_id or 0, row.body, incoming.at) for row in waiting if row.contact_id is None)
    return tuple(shown)


def _history(conn: Connection, account: str, address: str, after: int, now: datetime) -> tuple[HistoryLine, ...]:
    chat = conversations.peek(conn, account, address)
    awake = chat is not None and WEB.awake(chat.used_at, now)
    lines = conversations.history(conn, account, address, after, fleeting=awake)
    return tuple(HistoryLine(each.id, each.direction, each.body, each.at, each.event) for each in lines)


def _settle(conn: Connection, rows: list[int]) -> None:
    for row in rows:
        outbox.settle(conn, row, "sent")


def _leave(conn: Connection, account: str, address: str, now: datetime) -> None:
    """The browser forgets its cookie, so nothing is sent to that address any more. Where nobody has joined, nothing is
    kept of the visit either: a name half given stands in the conversation's state."""
    chat = conversations.open_chat(conn, account, address)
    if chat is not None:
        officers.sign_out(conn, chat.contact_id, now)
        if not erasure.joined(conn, chat.contact_id):
            erasure.forget_contact(conn, chat.contact_id, now)
            return
        conversations.speak_as(conn, chat.contact_id, None)
        conversations.erase_history(conn, chat.contact_id)
        people.leave(conn, chat.contact_id)


def _deliver(conn: Connection, now: datetime) -> list[tuple[str, HistoryLine]]:
    """Put due notices into the history of their contacts: on the web that is delivery."""
    delivered = []
    # A farewell went with its answer; it is only kept for the repeat of that act.
    for row in outbox.due(conn, WEB_ACCOUNT, now, farewells=False):
        assert row.contact_id is not None
        there = conversations.peek(conn, row.account, row.address) is not None
        outcome = ("sent", None) if there else ("failed", "the contact has gone")
        if not outbox.settle(conn, row.id, *outcome):  # another process was quicker
            continue
        if there and row.message_id is None:
            line = conversations.keep_message(conn, row.contact_id, "out", row.body, now)
            outbox.stands_as(conn, row.id, line)
            delivered.append((row.address, HistoryLine(line, "out", row.body, now)))
    return delivered
