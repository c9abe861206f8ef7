"""What the stand-in Bot API server remembers: bots, chats, messages, files, and updates that wait."""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import re
import time
from collections import deque
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from PIL import Image, UnidentifiedImageError

from tests.peers.telegram_entities import Entity, page

LONGEST_SIDES = (90, 320)  # pixels, of the two smaller sizes of a photo
DEFAULT_KINDS = ("message", "edited_message", "callback_query", "my_chat_member")  # of those that the stand-in makes


@dataclass(frozen=True, slots=True)
class File:
    """A file on Telegram. ``size`` is what is claimed, for files too big to carry around in a test."""

    data: bytes = field(repr=False)
    size: int
    unique: str
    kind: str = "photo"
    width: int = 0
    height: int = 0
    name: str = ""
    mime: str = ""

    def id_for(self, bot: int) -> str:
        """Its ``file_id``, which one bot alone can use."""
        prefix = "AgACAgUAAxkBAAI" if self.kind == "photo" else "BQACAgUAAxkBAAI"
        return prefix + base64.urlsafe_b64encode(f"{bot}:{self.unique}".encode()).decode().rstrip("=")

    def json(self, bot: int) -> dict[str, Any]:
        raw: dict[str, Any] = {"file_id": self.id_for(bot), "file_unique_id": self.unique, "file_size": self.size}
        if self.kind == "photo":
            return raw | {"width": self.width, "height": self.height}
        return raw | {name: value for name, value in (("file_name", self.name), ("mime_type", self.mime)) if value}


class NotAPicture(ValueError):
    """The bytes are no picture that Telegram would take as a photo."""


@functools.lru_cache(maxsize=512)
def photo_sizes(data: bytes) -> tuple[File, ...]:
    """A photo's three sizes, smallest first: real JPEGs, the largest being *data* itself.

    Raises :class:`NotAPicture`.
    """
    try:
        with Image.open(BytesIO(data)) as image:
            width, height = image.size
            sizes = []
            for place, longest in enumerate(LONGEST_SIDES):
                small = image.convert("RGB")
                side = min(longest, max(1, max(width, height) * (place + 1) // 4))
                small.thumbnail((side, side))
                written = BytesIO()
                small.save(written, "JPEG", quality=70)
                sizes.append(_file(written.getvalue(), "photo", *small.size))
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise NotAPicture("IMAGE_PROCESS_FAILED") from error
    return (*sizes, _file(data, "photo", width, height))


def document(data: bytes, name: str, mime: str, size: int | None = None) -> File:
    """A file sent as it is, ``size`` bytes as far as Telegram says."""
    unique = hashlib.sha256(data + name.encode() + str(size).encode()).hexdigest()[:16]
    return File(data, len(data) if size is None else size, f"AgAD{unique}", "document", name=name, mime=mime)


def _file(data: bytes, kind: str, width: int, height: int) -> File:
    unique = hashlib.sha256(data).hexdigest()[:14]
    return File(data, len(data), f"AQAD{unique}", kind, width, height)


@dataclass(frozen=True, slots=True)
class Button:
    """A button as drawn. ``data`` is the callback data; ``contact``: it asks for the phone number; ``style`` its colour
    (``primary``, ``success``, ``danger``)."""

    text: str
    data: str = ""
    url: str = ""
    contact: bool = False
    style: str = ""

    def json(self) -> dict[str, Any]:
        raw: dict[str, Any] = {"text": self.text}
        if self.data:
            raw["callback_data"] = self.data
        if self.url:
            raw["url"] = self.url
        if self.style:
            raw["style"] = self.style
        return raw


Keyboard = tuple[tuple[Button, ...], ...]


@dataclass
class Message:
    """One message as its chat shows it. ``text`` is plain (of media: the caption), ``keyboard`` inline."""

    id: int
    from_bot: bool
    date: float
    text: str = ""
    entities: tuple[Entity, ...] = ()
    keyboard: Keyboard = ()
    photo: tuple[File, ...] = ()
    document: File | None = None
    album: str = ""
    protect_content: bool = False
    deleted: bool = False
    edited: float = 0.0
    sender: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)  # other contents: contact, voice, forward_origin
    reply_keyboard: bool = False
    shown_at: int = 0  # the chat's version when it was sent or its text last changed
    history: list[str] = field(default_factory=list)  # its earlier texts

    @property
    def media(self) -> bool:
        return bool(self.photo or self.document)

    @property
    def html(self) -> str:
        """The text as HTML of a web page."""
        return page(self.text, self.entities)

    @property
    def labels(self) -> list[str]:
        """The texts of its inline buttons."""
        return [button.text for row in self.keyboard for button in row]

    def json(self, bot: FakeBot, chat: Chat) -> dict[str, Any]:
        if self.deleted:
            return {"message_id": self.id, "chat": chat.json(), "date": 0}
        raw: dict[str, Any] = {
            "message_id": self.id,
            "from": bot.user() if self.from_bot else self.sender,
            "chat": chat.json(),
            "date": int(self.date),
        }
        if self.photo:
            raw["photo"] = [size.json(bot.id) for size in self.photo]
        if self.document is not None:
            raw["document"] = self.document.json(bot.id)
        if self.text:
            raw["caption" if self.media else "text"] = self.text
        if self.entities:
            raw["caption_entities" if self.media else "entities"] = [each.json() for each in self.entities]
        if self.album:
            raw["media_group_id"] = self.album
        if self.edited:
            raw["edit_date"] = int(self.edited)
        if self.protect_content:
            raw["has_protected_content"] = True
        if self.keyboard:
            raw["reply_markup"] = {"inline_keyboard": [[button.json() for button in row] for row in self.keyboard]}
        return raw | self.extra


@dataclass
class Chat:
    """A private chat or a group with one bot, as its people see it."""

    id: int
    kind: str = "private"
    title: str = ""  # of a group
    person: dict[str, Any] = field(default_factory=dict)
    started: bool = False
    blocked: bool = False
    deactivated: bool = False
    kicked: bool = False
    migrated_to: int = 0
    messages: list[Message] = field(default_factory=list, repr=False)
    reply_keyboard: Keyboard = ()
    one_time: bool = False
    toasts: list[str] = field(default_factory=list)  # what answerCallbackQuery showed
    version: int = 0  # grows with each change that the bot makes
    changed_at: float = 0.0  # time.monotonic() of the newest of these
    waiters: set[asyncio.Future[None]] = field(default_factory=set, repr=False)
    index: dict[int, Message] = field(default_factory=dict, repr=False)

    def json(self) -> dict[str, Any]:
        if self.kind != "private":
            return {"id": self.id, "type": self.kind, "title": self.title}
        named = ("first_name", "last_name", "username")
        return {"id": self.id, "type": "private"} | {n: self.person[n] for n in named if self.person.get(n)}

    @property
    def visible(self) -> list[Message]:
        return [message for message in self.messages if not message.deleted]

    def add(self, message: Message) -> Message:
        self.messages.append(message)
        self.index[message.id] = message
        return message

    def change(self, message: Message | None = None) -> None:
        """The bot changed something; *message* was sent or its text changed. Wakes whoever looks at the chat."""
        self.version += 1
        self.changed_at = time.monotonic()
        if message is not None:
            message.shown_at = self.version
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)
        self.waiters.clear()


@dataclass
class Update:
    """An update that waits for its bot. ``lane``: the queue that keeps its order on a webhook."""

    id: int
    payload: dict[str, Any]
    lane: tuple[str, int]
    attempts: int = 0
    not_before: float = 0.0
    flying: bool = False
    album: str = ""
    repeated: bool = False

    def json(self) -> dict[str, Any]:
        return {"update_id": self.id, **self.payload}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try to post an update to a webhook; ``status`` 0: no answer."""

    at: float
    update: int
    status: int


@dataclass
class Query:
    """A press that waits for ``answerCallbackQuery``."""

    id: str
    chat: Chat
    at: float
    answered: int = 0


@dataclass
class Webhook:
    """Where a bot's updates are posted."""

    url: str
    secret: str = field(default="", repr=False)
    connections: int = 40
    error_at: float = 0.0
    error: str = ""


@dataclass
class FakeBot:
    """One bot as Telegram knows it."""

    token: str = field(repr=False)
    username: str
    name: str
    first_message: int = 0
    chats: dict[int, Chat] = field(default_factory=dict, repr=False)
    updates: dict[int, Update] = field(default_factory=dict, repr=False)  # not acknowledged, oldest first
    repeats: deque[Update] = field(default_factory=deque, repr=False)  # acknowledged, and yet to be delivered once more
    allowed: tuple[str, ...] = DEFAULT_KINDS
    webhook: Webhook | None = None
    deliveries: list[Delivery] = field(default_factory=list, repr=False)
    files: dict[str, File] = field(default_factory=dict, repr=False)  # by file_id
    links: dict[str, tuple[File, float]] = field(default_factory=dict, repr=False)  # by file_path, and until when
    queries: dict[str, Query] = field(default_factory=dict, repr=False)
    commands: dict[tuple[str, str], list[dict[str, str]]] = field(
        default_factory=dict, repr=False
    )  # by scope and language
    poll: asyncio.Future[str] | None = field(default=None, repr=False)
    arrived: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    last_update: int = 0
    last_message: int = 0
    last_acknowledged: int = 0

    def __post_init__(self) -> None:
        self.last_message = self.first_message
        self.last_update = 870_000_000 + self.id % 1000

    @property
    def id(self) -> int:
        found = re.match(r"(\d+):", self.token)
        return int(found[1]) if found else int(hashlib.sha256(self.token.encode()).hexdigest()[:7], 16)

    def user(self) -> dict[str, Any]:
        return {"id": self.id, "is_bot": True, "first_name": self.name, "username": self.username}

    def next_message(self) -> int:
        """Numbers run through all chats of a bot, as they do in private chats."""
        self.last_message += 1
        return self.last_message

    def keep(self, *files: File) -> None:
        """Know *files* by the ids that this bot has for them."""
        for each in files:
            self.files[each.id_for(self.id)] = each
