"""What Telegram's updates say, read one by one: by the types of aiogram, or by a look at the raw update where one that
cannot be read has its place in the order too."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aiogram.types import CallbackQuery, ChatMemberUpdated, Message, Update

from bot.channels.telegram_view import Page, pressed
from dialogs.model import Act, Capabilities, FileRef, Incoming, Opened, Sent, Signal, Typed, Unsupported
from storage import idnumbers

CAPABILITIES = Capabilities("telegram", text_limit=4000)
FILE_LIMIT = 20 * 1024 * 1024  # bytes: getFile serves no more (https://core.telegram.org/bots/api#getfile)
PICTURES = (
    "image/jpeg", "image/png", "image/webp", "image/heic", "image/heif", "image/heic-sequence", "image/heif-sequence",
    "application/pdf",
)  # fmt: skip
NAMES = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".pdf")
_START = re.compile(r"/start(?:@\w+)?(?:\s+(.*))?", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Heard:
    """What an update says. ``address`` is the private chat; ``message_id`` of what was sent or pressed on; ``press``
    the id by which a press is answered; ``secret``: the message shows an id number; ``group`` a group in which the
    bot was spoken to (then nothing else is set)."""

    event: str
    address: str = ""
    act: Act | Page | None = None
    screen: int | None = None
    message_id: int = 0
    press: str = ""
    group: int = 0
    secret: bool = False


def incoming(account: str, raw: dict[str, Any], now: datetime) -> Incoming | None:
    """The event of a raw update; ``None`` for one that nobody answers. Raises ``ValidationError`` when it cannot be
    read. (For events that are taken anew; the running bot knows more of the chat.)"""
    heard = read(raw)
    if heard is None or not heard.address or heard.act is None or isinstance(heard.act, Page):
        return None
    message = 0 if heard.press else heard.message_id
    return Incoming(
        account, heard.event, heard.address, heard.act, now, heard.screen, CAPABILITIES, message, heard.secret
    )


def read(raw: dict[str, Any]) -> Heard | None:
    """What an update says; ``None`` when it says nothing to us. Raises ``ValidationError``."""
    update = Update.model_validate(_pruned(raw))
    event = str(update.update_id)
    if update.callback_query is not None:
        return _read_press(event, update.callback_query)
    if update.message is not None:
        return _read_message(event, update.message)
    if update.edited_message is not None:
        return _read_edited(event, update.edited_message)
    if update.my_chat_member is not None:
        return _read_membership(event, update.my_chat_member)
    return None


def _pruned(raw: dict[str, Any]) -> dict[str, Any]:
    """A press without the text and the buttons of the message that it was on, which we sent ourselves: reading them
    would take twice as long as all the rest."""
    query = raw.get("callback_query")
    if not isinstance(query, dict) or not isinstance(query.get("message"), dict):
        return raw
    message = query["message"]
    kept = {name: message[name] for name in ("message_id", "date", "chat") if name in message}
    return {**raw, "callback_query": {**query, "message": kept}}


def _read_press(event: str, query: CallbackQuery) -> Heard | None:
    message = query.message
    if message is None or message.chat.type != "private" or message.chat.id != query.from_user.id:
        return Heard(event, press=query.id)  # of a group or an inline message: only answered
    found = pressed(query.data or "")
    heard = Heard(event, str(message.chat.id), message_id=message.message_id, press=query.id)
    if found is None or isinstance(found, Page):
        return replace(heard, act=found)
    number, act = found
    return replace(heard, act=act, screen=number)


def _read_message(event: str, message: Message) -> Heard | None:
    if message.chat.type != "private":
        spoken_to = message.chat.type in ("group", "supergroup") and (message.text or "").startswith("/")
        return Heard(event, group=message.chat.id) if spoken_to else None
    if message.from_user is None or message.from_user.is_bot:
        return None
    act = _act(message)
    if act is None:
        return None
    return Heard(event, str(message.chat.id), act, message_id=message.message_id, secret=_secret(message))


def _secret(message: Message) -> bool:
    """Does the message show an id number? Of some the act does not carry the words."""
    return bool(idnumbers.hide(message.text or message.caption or "").numbers)


def _read_edited(event: str, message: Message) -> Heard | None:
    """A changed message changes no answer, and that is said; a position that moves along says nothing."""
    if message.chat.type != "private" or (message.text is None and message.caption is None):
        return None
    chat, number = str(message.chat.id), message.message_id
    return Heard(event, chat, Unsupported("edited"), message_id=number, secret=_secret(message))


def _read_membership(event: str, change: ChatMemberUpdated) -> Heard | None:
    there = change.new_chat_member.status in ("member", "administrator", "restricted", "creator")
    if change.chat.type == "private":
        return Heard(event, str(change.chat.id), Signal("unblocked" if there else "blocked"))
    return Heard(event, group=change.chat.id) if there and change.chat.type != "channel" else None


# What people send that no dialog takes; service messages ("pinned", "new title") are not in it and say nothing to us.
_OTHERS = {
    "voice": "voice",
    "audio": "voice",
    "video_note": "video",
    "video": "video",
    "animation": "video",
    "sticker": "sticker",
    "location": "location",
    "venue": "location",
    "poll": "other",
    "dice": "other",
    "game": "other",
    "story": "other",
    "invoice": "other",
    "paid_media": "other",
    "checklist": "other",
}


def _act(message: Message) -> Act | None:
    """The act of a private message; a forwarded one is taken like its content."""
    if message.text is not None:
        start = _START.fullmatch(message.text)
        return Opened((start.group(1) or "").strip()) if start else Typed(message.text)
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        file = FileRef(largest.file_id, largest.file_unique_id, largest.file_size or 0)
        return Sent((), message.caption or "", (file,), message.media_group_id or "")
    if message.contact is not None:
        own = message.from_user is not None and message.contact.user_id == message.from_user.id
        return Typed(message.contact.phone_number) if own else Unsupported("contact")
    if message.animation is None and message.document is not None:
        return _document(message)
    for name, kind in _OTHERS.items():
        if getattr(message, name, None) is not None:
            return Unsupported(kind)
    return None


def _document(message: Message) -> Act:
    document = message.document
    assert document is not None
    kind = (document.mime_type or "").lower()
    name = (document.file_name or "").lower()
    # Hints only: what the file is shows when it is fetched.
    if kind not in PICTURES and not name.endswith(NAMES):
        return Unsupported("file")
    if (document.file_size or 0) > FILE_LIMIT:
        return Unsupported("too_big")
    file = FileRef(document.file_id, document.file_unique_id, document.file_size or 0)
    return Sent((), message.caption or "", (file,), message.media_group_id or "")


def chat_of(raw: dict[str, Any]) -> str:
    """The chat of a raw update, by looking only; ``""`` where none can be told."""
    for name in ("message", "edited_message", "my_chat_member", "callback_query"):
        part = raw.get(name)
        if isinstance(part, dict):
            inner = part.get("message") if name == "callback_query" else part
            chat = inner.get("chat") if isinstance(inner, dict) else None
            if isinstance(chat, dict) and isinstance(chat.get("id"), int):
                return str(chat["id"])
    return ""


def press_of(raw: dict[str, Any]) -> str:
    """The id by which a press is answered, by looking only; ``""`` where it is none."""
    query = raw.get("callback_query")
    found = query.get("id") if isinstance(query, dict) else None
    return found if isinstance(found, str) else ""
