"""A scripted phone: one person with one bot, whose tests read like chats."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.peers.telegram_chats import Button, Chat, FakeBot, File, Message, Query, document, photo_sizes
from tests.peers.telegram_entities import commands

if TYPE_CHECKING:
    from tests.peers.telegram import BotApi

WITHIN = 10.0  # seconds that a bot gets
QUIET = 0.05  # seconds without a change, after which a bot is taken to have finished


@dataclass
class Phone:
    """One person's chat with one bot. Each act returns the ids of the updates that it queued."""

    api: BotApi = field(repr=False)
    bot: FakeBot
    chat: Chat
    seen: int = 0  # the chat's version at the last act

    # -------------------------------------------------------------------------------------------- acts

    async def opens(self, payload: str = "") -> list[int]:
        """Open the bot by a link with *payload*, or press its Start button; unblocks it first."""
        updates = await self.unblocks() if self.chat.blocked else []
        return updates + await self.types(f"/start {payload}".strip())

    async def types(self, text: str) -> list[int]:
        """Send a text; what is longer than a message goes as several."""
        parts = [text[at : at + 4096] for at in range(0, len(text), 4096)] or [""]
        return [self._sends(text=part, entities=commands(part)) for part in parts]

    async def presses(self, label: str, message: Message | None = None) -> list[int]:
        """Press the newest button whose label begins with *label*, or whose callback data is *label* (whole, or after
        the screen's number); on *message* if one is given, even one that is gone.

        Raises ``LookupError`` with what the chat shows.
        """
        found = self._find(label, message)
        if found is None:
            raise LookupError(f"no button {label!r} in\n{self.read_out()}")
        where, button = found
        if where is None:
            return await self.shares_contact("+84912345678") if button.contact else await self.types(button.text)
        self._acts()
        if button.url:
            return []
        query = Query(str(self.api.rng.getrandbits(60)), self.chat, self.api.now())
        self.bot.queries[query.id] = query
        content = {
            "id": query.id,
            "from": self.chat.person,
            "message": where.json(self.bot, self.chat),
            "chat_instance": str(self.chat.id),
            "data": button.data,
        }
        return [self.api.queue(self.bot, self.chat, "callback_query", content)]

    async def sends_photo(self, data: bytes, caption: str = "") -> list[int]:
        """Send a photo: Telegram keeps it in three sizes, the largest being *data*."""
        return [self._sends(text=caption, photo=photo_sizes(data))]

    async def sends_album(self, photos: Sequence[bytes], caption: str = "") -> list[int]:
        """Send photos in one go: one update each, the caption with the first."""
        self._acts()
        album = self.api.album()
        messages = [
            self._message(text="" if place else caption, photo=photo_sizes(data), album=album)
            for place, data in enumerate(photos)
        ]
        if self.api.mixes():
            self.api.rng.shuffle(messages)
        return [self._queue(message) for message in messages]

    async def sends_part(self, data: bytes, album: str, caption: str = "") -> list[int]:
        """Send one photo of an album (``api.album()``), the others sooner or later."""
        return [self._sends(text=caption, photo=photo_sizes(data), album=album)]

    async def sends_document(
        self, data: bytes, name: str = "anh.jpg", mime: str = "image/jpeg", caption: str = "", size: int | None = None
    ) -> list[int]:
        """Send a file as it is; *size* is what Telegram says of it, if not the truth."""
        return [self._sends(text=caption, document=document(data, name, mime, size))]

    async def shares_contact(self, phone: str = "+84912345678", own: bool = True) -> list[int]:
        """Share one's own phone number (as a ``request_contact`` button does) or somebody else's card."""
        contact: dict[str, Any] = {"phone_number": phone, "first_name": self.chat.person["first_name"]}
        if own:
            contact["user_id"] = self.chat.id
        else:
            contact |= {"first_name": "Hoa", "user_id": 4_999_999_999}
        return [self._sends(extra={"contact": contact})]

    async def edits(self, message: Message, text: str) -> list[int]:
        """Change a message that this person sent."""
        assert not message.from_bot, "not this person's message"
        self._acts()
        message.history.append(message.text)
        message.text, message.entities, message.edited = text, commands(text), self.api.now()
        return [self.api.queue(self.bot, self.chat, "edited_message", message.json(self.bot, self.chat))]

    async def sends_voice(self) -> list[int]:
        return [self._sends(extra={"voice": self._file("voice") | {"duration": 3, "mime_type": "audio/ogg"}})]

    async def sends_video(self) -> list[int]:
        video = self._file("video") | {"duration": 3, "width": 640, "height": 360, "mime_type": "video/mp4"}
        return [self._sends(extra={"video": video})]

    async def sends_sticker(self) -> list[int]:
        sticker = self._file("sticker") | {
            "type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False, "emoji": "👍",
        }  # fmt: skip
        return [self._sends(extra={"sticker": sticker})]

    async def sends_location(self) -> list[int]:
        return [self._sends(extra={"location": {"latitude": 20.9509, "longitude": 107.0734}})]

    async def forwards(self, text: str) -> list[int]:
        """Pass on what somebody else wrote."""
        origin = {"type": "hidden_user", "sender_user_name": "Hoa", "date": int(self.api.now()) - 60}
        return [self._sends(text=text, extra={"forward_origin": origin})]

    async def blocks(self) -> list[int]:
        """Block the bot: it is told, and every further call to this chat is refused."""
        self._acts()
        self.chat.blocked = True
        return [self._member("member", "kicked")]

    async def unblocks(self) -> list[int]:
        self._acts()
        self.chat.blocked = False
        return [self._member("kicked", "member")]

    # -------------------------------------------------------------------------------------------- what is to be seen

    @property
    def messages(self) -> list[Message]:
        """Everything ever sent here, oldest first, deleted ones too."""
        return self.chat.messages

    @property
    def visible(self) -> list[Message]:
        return self.chat.visible

    @property
    def from_bot(self) -> list[Message]:
        """What the bot shows, oldest first."""
        return [message for message in self.visible if message.from_bot]

    @property
    def screen(self) -> Message:
        """The bot's newest message with a keyboard, or its newest. Raises ``LookupError``."""
        shown = self.from_bot
        if not shown:
            raise LookupError("the bot shows nothing")
        return next((message for message in reversed(shown) if message.keyboard), shown[-1])

    @property
    def buttons(self) -> list[str]:
        """The labels on :attr:`screen`, then those of the reply keyboard."""
        inline = self.screen.labels if self.from_bot else []
        return inline + [button.text for row in self.chat.reply_keyboard for button in row]

    @property
    def toasts(self) -> list[str]:
        """What answered presses showed."""
        return self.chat.toasts

    @property
    def commands(self) -> list[dict[str, str]]:
        """The menu that this person sees: the most special scope that has one, in their language before any."""
        language = self.chat.person.get("language_code", "")
        scopes = (
            f'{{"chat_id": {self.chat.id}, "type": "chat"}}',
            '{"type": "all_private_chats"}',
            '{"type": "default"}',
        )
        wanted = [(scope, lang) for scope in scopes for lang in (language, "")]
        return next((self.bot.commands[key] for key in wanted if key in self.bot.commands), [])

    def read_out(self) -> str:
        """The chat as text, for people and for failures."""
        lines = []
        for message in self.visible:
            what = [f"[{name}]" for name in ("photo", "document") if getattr(message, name)]
            what += [f"[{name}]" for name in message.extra if name != "reply_to_message"]
            lines.append(f"{'bot' if message.from_bot else 'me '} {message.id}> {' '.join([*what, message.text])}")
            lines += [f"    [ {' | '.join(button.text for button in row)} ]" for row in message.keyboard]
        if self.chat.reply_keyboard:
            lines.append(f"    keyboard: {[button.text for row in self.chat.reply_keyboard for button in row]}")
        return "\n".join(lines) or "(nothing)"

    async def settles(
        self, within: float = WITHIN, shown: Callable[[Phone], bool] | None = None, quiet: float = QUIET
    ) -> Phone:
        """Wait until the bot has shown something since the last act (or *shown* holds) and then kept quiet.

        Raises ``AssertionError`` with what the chat shows.
        """
        until = time.monotonic() + within
        while True:
            now = time.monotonic()
            if shown(self) if shown else self._answered():
                rest = self.chat.changed_at + quiet - now
                if rest <= 0:
                    return self
            else:
                rest = until - now
            if now >= until:
                raise AssertionError(f"nothing happened within {within} s in\n{self.read_out()}")
            await self.changes(min(rest, until - now))

    async def sees(self, text: str, within: float = WITHIN) -> Phone:
        """Wait until the bot shows *text* in something sent or changed since the last act."""
        return await self._until(
            lambda: any(text in message.text for message in self.from_bot if message.shown_at > self.seen), text, within
        )

    async def finds(self, text: str, within: float = WITHIN) -> Phone:
        """Wait until *text* stands anywhere in the chat."""
        return await self._until(lambda: any(text in message.text for message in self.visible), text, within)

    async def _until(self, holds: Callable[[], bool], text: str, within: float) -> Phone:
        until = time.monotonic() + within
        while not holds():
            left = until - time.monotonic()
            if left <= 0:
                raise AssertionError(f"no {text!r} within {within} s in\n{self.read_out()}")
            await self.changes(left)
        return self

    async def changes(self, seconds: float) -> None:
        """Wait until the bot changes something here, so many seconds at most."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.chat.waiters.add(waiter)
        await asyncio.wait({waiter}, timeout=max(0.0, seconds))
        self.chat.waiters.discard(waiter)

    def _answered(self) -> bool:
        return any(message.shown_at > self.seen for message in self.chat.messages if message.from_bot)

    # -------------------------------------------------------------------------------------------- how it is done

    def _find(self, label: str, message: Message | None) -> tuple[Message | None, Button] | None:
        where = [message] if message is not None else [each for each in reversed(self.visible) if each.keyboard]
        for each in where:
            for row in each.keyboard:
                for button in row:
                    if button.text.startswith(label):
                        return each, button
        for each in where:
            for row in each.keyboard:
                for button in row:
                    if label in (button.data, re.sub(r"^[^:.|]*[:.|]", "", button.data, count=1)):
                        return each, button
        if message is None:
            for row in self.chat.reply_keyboard:
                for button in row:
                    if button.text.startswith(label):
                        return None, button
        return None

    def _acts(self) -> None:
        self.seen = self.chat.version

    def _message(self, **content: Any) -> Message:
        assert not self.chat.blocked, "a person writes to no bot that they blocked"
        self.chat.started = True
        message = Message(self.bot.next_message(), False, self.api.now(), sender=self.chat.person, **content)
        self.chat.add(message)
        self.bot.keep(*message.photo, *([message.document] if message.document else []))
        if self.chat.one_time:
            self.chat.reply_keyboard, self.chat.one_time = (), False
        return message

    def _queue(self, message: Message) -> int:
        return self.api.queue(self.bot, self.chat, "message", message.json(self.bot, self.chat), message.album)

    def _sends(self, **content: Any) -> int:
        self._acts()
        return self._queue(self._message(**content))

    def _file(self, kind: str) -> dict[str, Any]:
        held: File = document(kind.encode(), f"{kind}.bin", "")
        self.bot.keep(held)
        return {"file_id": held.id_for(self.bot.id), "file_unique_id": held.unique, "file_size": held.size}

    def _member(self, before: str, after: str) -> int:
        def status(name: str) -> dict[str, Any]:
            return {"user": self.bot.user(), "status": name} | ({"until_date": 0} if name == "kicked" else {})

        content = {
            "chat": self.chat.json(),
            "from": self.chat.person,
            "date": int(self.api.now()),
            "old_chat_member": status(before),
            "new_chat_member": status(after),
        }
        return self.api.queue(self.bot, self.chat, "my_chat_member", content)


@dataclass
class Group:
    """A group that a bot is a member of."""

    api: BotApi = field(repr=False)
    bot: FakeBot
    chat: Chat
    person: dict[str, Any] = field(
        default_factory=lambda: {"id": 4_888_888_888, "is_bot": False, "first_name": "Hoa", "language_code": "vi"}
    )

    async def types(self, text: str, by: Phone | None = None) -> list[int]:
        """Somebody writes into the group."""
        sender = by.chat.person if by else self.person
        message = Message(
            self.bot.next_message(), False, self.api.now(), text=text, entities=commands(text), sender=sender
        )
        self.chat.add(message)
        return [self.api.queue(self.bot, self.chat, "message", message.json(self.bot, self.chat))]

    @property
    def from_bot(self) -> list[Message]:
        return [message for message in self.chat.visible if message.from_bot]

    def migrates(self) -> Group:
        """The group becomes a supergroup with another id; calls with the old one are refused and name the new."""
        moved = self.api.group(self.bot, self.chat.title, -1_000_000_000_000 - self.api.number())
        moved.chat.kind = "supergroup"
        self.chat.migrated_to = moved.chat.id
        return moved

    def kicks(self) -> None:
        """The bot is thrown out."""
        self.chat.kicked = True
