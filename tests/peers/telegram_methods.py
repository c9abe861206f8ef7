"""The methods of the stand-in Bot API: what each does to the chats, and what it refuses, in Telegram's own words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.peers.telegram_chats import (
    DEFAULT_KINDS,
    Button,
    Chat,
    FakeBot,
    File,
    Keyboard,
    Message,
    NotAPicture,
    document,
    photo_sizes,
)
from tests.peers.telegram_entities import BadEntities, Entity, parsed, trimmed, units

if TYPE_CHECKING:
    from tests.peers.telegram import BotApi

LONGEST_TEXT, LONGEST_CAPTION, LONGEST_DATA, MOST_BUTTONS = 4096, 1024, 64, 100
LARGEST_DOWNLOAD, LARGEST_PHOTO, LARGEST_DOCUMENT = 20 << 20, 10 << 20, 50 << 20
LINK_SECONDS = 3600.0
QUERY_SECONDS = 900.0  # how long a press may be answered
DELETE_SECONDS = 48 * 3600.0
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)
OLD_QUERY = "query is too old and response timeout expired or query ID is invalid"
WRONG_FILE = "wrong file identifier/HTTP URL specified"


class Refusal(Exception):
    """Telegram refuses a call: an error code, its words, and parameters."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        prefix = {400: "Bad Request", 403: "Forbidden", 409: "Conflict", 404: "Not Found"}.get(code)
        super().__init__(f"{prefix}: {description}" if prefix else description)
        self.code = code
        self.parameters = parameters


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a call."""

    name: str
    data: bytes = field(repr=False)
    mime: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """The parameters of a call, whether they came as JSON, as a form or in the query."""

    values: Mapping[str, Any]
    files: Mapping[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        value = self.values.get(name)
        return "" if value is None else str(value)

    def number(self, name: str, default: int = 0) -> int:
        found = re.fullmatch(r"\s*(-?\d+)(\.0)?\s*", self.text(name))
        return int(found[1]) if found else default

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in {"true", "yes", "1"}

    def structure(self, name: str, refusal: str = "can't parse JSON object") -> Any:
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError as error:
            raise Refusal(400, refusal) from error


# ------------------------------------------------------------------------------------------------ parts of a call


def writing(given: Given, name: str, longest: int) -> tuple[str, tuple[Entity, ...]]:
    """A text or caption as it will be shown."""
    what = "message" if name == "text" else "message caption"
    return _written(
        given.text(name), given.text("parse_mode"), given.structure(f"{name}_entities".replace("text_", "")),
        longest, what,
    )  # fmt: skip


def _written(
    raw: str, mode: str, listed: list[dict[str, Any]] | None, longest: int, what: str
) -> tuple[str, tuple[Entity, ...]]:
    if mode and mode.lower() not in {"html", "none"}:
        raise Refusal(400, "unsupported parse_mode")  # Markdown exists at Telegram, but not here
    try:
        text, entities = parsed(raw, "" if mode.lower() == "none" else mode)
    except BadEntities as error:
        raise Refusal(400, f"can't parse entities: {error}") from error
    if listed and not mode:
        given = [Entity(each["type"], each["offset"], each["length"], each.get("url", "")) for each in listed]
        text, entities = trimmed(raw, given)
    # Telegram says "characters"; counting an emoji as two is the stricter reading.
    if units(text) > longest:
        raise Refusal(400, f"{what} is too long")
    return text, entities


def reach(bot: FakeBot, given: Given) -> Chat:
    """The chat of a call, if the bot may write there."""
    raw = given.text("chat_id")
    if not raw:
        raise Refusal(400, "chat_id is empty")
    chat = bot.chats.get(given.number("chat_id"))
    if chat is None or not chat.started:
        raise Refusal(400, "chat not found")
    if chat.migrated_to:
        raise Refusal(400, "group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.migrated_to)
    if chat.deactivated:
        raise Refusal(403, "user is deactivated")
    if chat.blocked:
        raise Refusal(403, "bot was blocked by the user")
    if chat.kicked:
        raise Refusal(403, "bot was kicked from the group chat")
    return chat


@dataclass(frozen=True, slots=True)
class Markup:
    """What came as ``reply_markup``."""

    inline: Keyboard = ()
    reply: Keyboard = ()
    remove: bool = False
    one_time: bool = False
    other: bool = False  # anything but an inline keyboard


def markup(given: Given) -> Markup:
    """The keyboard of a call."""
    raw = given.structure("reply_markup", "can't parse reply keyboard markup JSON object")
    if not raw:
        return Markup()
    if not isinstance(raw, dict):
        raise Refusal(400, "object expected as reply markup")
    if "inline_keyboard" in raw:
        return Markup(inline=_inline(raw["inline_keyboard"]))
    if "keyboard" in raw:
        rows = tuple(tuple(_reply_button(each) for each in row) for row in raw["keyboard"] if row)
        if sum(map(len, rows)) > 300:
            raise Refusal(400, "reply markup is too long")
        return Markup(reply=rows, one_time=bool(raw.get("one_time_keyboard")), other=True)
    return Markup(remove=bool(raw.get("remove_keyboard")), other=True)


def _reply_button(raw: Any) -> Button:
    if isinstance(raw, str):
        return Button(raw)
    return Button(str(raw["text"]), contact=bool(raw.get("request_contact")), style=_style(raw))


def _style(raw: dict[str, Any]) -> str:
    style = str(raw.get("style") or "")
    if style not in {"", "primary", "success", "danger"}:
        raise Refusal(400, "unsupported button style specified")  # as documented; the words are not Telegram's
    return style


def _inline(raw: Any) -> Keyboard:
    if not isinstance(raw, list) or not all(isinstance(row, list) for row in raw):
        raise Refusal(400, 'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays')
    rows = []
    for row in raw:
        buttons = []
        for each in row:
            data, url, text = each.get("callback_data"), each.get("url"), str(each.get("text", ""))
            if not text.strip():
                raise Refusal(
                    400, "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
                )
            if data is None and not url:
                raise Refusal(
                    400, "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
                )
            if data is not None and not 0 < len(str(data).encode()) <= LONGEST_DATA:
                raise Refusal(400, "BUTTON_DATA_INVALID")
            if url and not re.match(r"(https?://|tg://)?[\w.-]+", url):
                raise Refusal(400, f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
            buttons.append(Button(text, str(data or ""), url or "", style=_style(each)))
        if buttons:
            rows.append(tuple(buttons))
    if sum(map(len, rows)) > MOST_BUTTONS:
        raise Refusal(400, "reply markup is too long")
    return tuple(rows)


def _photo(bot: FakeBot, given: Given, value: Any) -> tuple[File, ...]:
    """The sizes of a photo given as an upload or by its id."""
    upload = _upload(given, value, "photo")
    if upload is None:
        found = _held(bot, value, "photo")
        return photo_sizes(found.data)
    if len(upload.data) > LARGEST_PHOTO:
        raise Refusal(
            400,
            f"file of size {len(upload.data)} bytes is too big for a photo; the maximum size is {LARGEST_PHOTO} bytes",
        )
    try:
        sizes = photo_sizes(upload.data)
    except NotAPicture as error:
        raise Refusal(400, "IMAGE_PROCESS_FAILED") from error
    width, height = sizes[-1].width, sizes[-1].height
    if width + height > 10_000 or max(width, height) > 20 * min(width, height):
        raise Refusal(400, "PHOTO_INVALID_DIMENSIONS")
    return sizes


def _document(bot: FakeBot, given: Given, value: Any) -> File:
    upload = _upload(given, value, "document")
    if upload is None:
        return _held(bot, value, "document")
    if len(upload.data) > LARGEST_DOCUMENT:
        raise Refusal(413, "Request Entity Too Large")
    if not upload.data:
        raise Refusal(400, "file must be non-empty")
    return document(upload.data, upload.name, upload.mime)


def _upload(given: Given, value: Any, name: str) -> Upload | None:
    if isinstance(value, str) and value.startswith("attach://"):
        attached = given.files.get(value.removeprefix("attach://"))
        if attached is None:
            raise Refusal(400, WRONG_FILE)
        return attached
    return given.files.get(name) if value is None else None


def _held(bot: FakeBot, value: Any, kind: str) -> File:
    if not value:
        raise Refusal(400, f"there is no {kind} in the request")
    found = bot.files.get(str(value))
    if found is None:
        raise Refusal(400, "failed to get HTTP URL content" if str(value).startswith("http") else WRONG_FILE)
    if found.kind != kind:
        raise Refusal(400, f"can't use file of type {found.kind.title()} as {kind.title()}")
    return found


def _place(api: BotApi, bot: FakeBot, chat: Chat, given: Given, keys: Markup, **content: Any) -> Message:
    """Put a new message of the bot into the chat."""
    replied = given.structure("reply_parameters") or {}
    answers = int(replied.get("message_id") or given.number("reply_to_message_id"))
    extra: dict[str, Any] = {}
    if answers:
        found = chat.index.get(answers)
        if found is not None and not found.deleted:
            extra["reply_to_message"] = found.json(bot, chat)
        elif not (replied.get("allow_sending_without_reply") or given.flag("allow_sending_without_reply")):
            raise Refusal(400, "message to be replied not found")
    message = Message(
        bot.next_message(),
        True,
        api.now(),
        keyboard=keys.inline,
        protect_content=given.flag("protect_content"),
        reply_keyboard=bool(keys.reply),
        extra=extra,
        **content,
    )
    chat.add(message)
    if keys.reply or keys.remove:
        chat.reply_keyboard, chat.one_time = keys.reply, keys.one_time
    bot.keep(*message.photo, *([message.document] if message.document else []))
    chat.change(message)
    return message


# ------------------------------------------------------------------------------------------------ sending


def send_message(api: BotApi, bot: FakeBot, given: Given) -> Any:
    text, entities = writing(given, "text", LONGEST_TEXT)
    if not text:
        raise Refusal(400, "message text is empty")
    keys = markup(given)
    chat = reach(bot, given)
    return _place(api, bot, chat, given, keys, text=text, entities=entities).json(bot, chat)


def send_photo(api: BotApi, bot: FakeBot, given: Given) -> Any:
    text, entities = writing(given, "caption", LONGEST_CAPTION)
    keys = markup(given)
    photo = _photo(bot, given, given.values.get("photo"))
    chat = reach(bot, given)
    return _place(api, bot, chat, given, keys, text=text, entities=entities, photo=photo).json(bot, chat)


def send_document(api: BotApi, bot: FakeBot, given: Given) -> Any:
    text, entities = writing(given, "caption", LONGEST_CAPTION)
    keys = markup(given)
    held = _document(bot, given, given.values.get("document"))
    chat = reach(bot, given)
    return _place(api, bot, chat, given, keys, text=text, entities=entities, document=held).json(bot, chat)


def send_media_group(api: BotApi, bot: FakeBot, given: Given) -> Any:
    media = given.structure("media", "can't parse media JSON object")
    if not isinstance(media, list) or not media:
        raise Refusal(400, "media to send are not specified")
    if len(media) > 10:
        raise Refusal(400, "too much messages to send as an album")
    if len(media) < 2:  # as documented; what Telegram says to one is not known here
        raise Refusal(400, "too few messages to send as an album")
    contents: list[dict[str, Any]] = []
    for each in media:
        if each.get("type") not in {"photo", "document"}:
            raise Refusal(400, "can't use the media of the specified type in the album")
        text, entities = _written(
            each.get("caption") or "", each.get("parse_mode") or given.text("parse_mode"),
            each.get("caption_entities"), LONGEST_CAPTION, "message caption",
        )  # fmt: skip
        content: dict[str, Any] = {"text": text, "entities": entities}
        if each["type"] == "photo":
            content["photo"] = _photo(bot, given, each.get("media"))
        else:
            content["document"] = _document(bot, given, each.get("media"))
        contents.append(content)
    if len({"photo" in content for content in contents}) > 1:
        raise Refusal(400, "document can't be mixed with other media types")
    chat = reach(bot, given)
    album = api.album()
    placed = [_place(api, bot, chat, given, Markup(), album=album, **content) for content in contents]
    return [message.json(bot, chat) for message in placed]


def send_chat_action(api: BotApi, bot: FakeBot, given: Given) -> Any:
    reach(bot, given)
    return True


# ------------------------------------------------------------------------------------------------ changing


def _own(bot: FakeBot, chat: Chat, given: Given) -> Message:
    number = given.number("message_id")
    if not number:
        raise Refusal(400, "message identifier is not specified")
    message = chat.index.get(number)
    if message is None or message.deleted:
        raise Refusal(400, "message to edit not found")
    if not message.from_bot or message.reply_keyboard:
        raise Refusal(400, "message can't be edited")
    return message


def _edit(api: BotApi, message: Message, chat: Chat, keys: Markup, text: str, entities: tuple[Entity, ...]) -> None:
    if keys.other:
        raise Refusal(400, "inline keyboard expected")
    if (message.text, message.entities, message.keyboard) == (text, entities, keys.inline):
        raise Refusal(400, NOT_MODIFIED)
    same = (message.text, message.entities) == (text, entities)
    if not same:
        message.history.append(message.text)
        message.edited = api.now()
    message.text, message.entities = text, entities
    gained = keys.inline and keys.inline != message.keyboard
    message.keyboard = keys.inline
    chat.change(None if same and not gained else message)


def edit_message_text(api: BotApi, bot: FakeBot, given: Given) -> Any:
    text, entities = writing(given, "text", LONGEST_TEXT)
    if not text:
        raise Refusal(400, "message text is empty")
    keys = markup(given)
    chat = reach(bot, given)
    message = _own(bot, chat, given)
    if message.media:
        raise Refusal(400, "there is no text in the message to edit")
    _edit(api, message, chat, keys, text, entities)
    return message.json(bot, chat)


def edit_message_caption(api: BotApi, bot: FakeBot, given: Given) -> Any:
    text, entities = writing(given, "caption", LONGEST_CAPTION)
    keys = markup(given)
    chat = reach(bot, given)
    message = _own(bot, chat, given)
    if not message.media:
        raise Refusal(400, "there is no caption in the message to edit")
    _edit(api, message, chat, keys, text, entities)
    return message.json(bot, chat)


def edit_message_reply_markup(api: BotApi, bot: FakeBot, given: Given) -> Any:
    keys = markup(given)
    chat = reach(bot, given)
    message = _own(bot, chat, given)
    _edit(api, message, chat, keys, message.text, message.entities)
    return message.json(bot, chat)


def delete_message(api: BotApi, bot: FakeBot, given: Given) -> Any:
    chat = reach(bot, given)
    message = chat.index.get(given.number("message_id"))
    if message is None or message.deleted:
        raise Refusal(400, "message to delete not found")
    if api.now() - message.date > DELETE_SECONDS:
        raise Refusal(400, "message can't be deleted for everyone")
    message.deleted = True
    chat.change()
    return True


def delete_messages(api: BotApi, bot: FakeBot, given: Given) -> Any:
    numbers = given.structure("message_ids", "can't parse message identifiers JSON object")
    if not isinstance(numbers, list) or not numbers:
        raise Refusal(400, "message identifiers are not specified")
    if len(numbers) > 100:
        raise Refusal(400, "too many message identifiers specified")
    chat = reach(bot, given)
    found = [message for number in numbers if (message := chat.index.get(int(number))) and not message.deleted]
    if any(api.now() - message.date > DELETE_SECONDS for message in found):
        raise Refusal(400, "message can't be deleted for everyone")
    for message in found:
        message.deleted = True
    chat.change()
    return True


def answer_callback_query(api: BotApi, bot: FakeBot, given: Given) -> Any:
    query = bot.queries.get(given.text("callback_query_id"))
    if query is None or api.now() - query.at > api.query_seconds:
        raise Refusal(400, OLD_QUERY)
    if len(given.text("text")) > 200:
        raise Refusal(400, "MESSAGE_TOO_LONG")
    query.answered += 1
    if given.text("text"):
        query.chat.toasts.append(given.text("text"))
    return True


# ------------------------------------------------------------------------------------------------ the rest


def get_me(api: BotApi, bot: FakeBot, given: Given) -> Any:
    return bot.user() | {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def get_chat(api: BotApi, bot: FakeBot, given: Given) -> Any:
    chat = bot.chats.get(given.number("chat_id"))
    if chat is None or not chat.started:
        raise Refusal(400, "chat not found")
    gifts = dict.fromkeys(
        ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False
    )
    return chat.json() | {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": gifts}


def get_file(api: BotApi, bot: FakeBot, given: Given) -> Any:
    if not given.text("file_id"):
        raise Refusal(400, "file_id not specified")
    found = bot.files.get(given.text("file_id"))
    if found is None:
        raise Refusal(400, "invalid file_id")
    if found.size > LARGEST_DOWNLOAD:
        raise Refusal(400, "file is too big")
    ending = found.name.rpartition(".")[2] if "." in found.name else "jpg"
    path = f"{found.kind}s/file_{api.number()}.{ending}"
    bot.links[path] = (found, api.now() + LINK_SECONDS)
    raw = found.json(bot.id)
    return {name: raw[name] for name in ("file_id", "file_unique_id", "file_size")} | {"file_path": path}


def _scope(given: Given) -> tuple[str, str]:
    raw = given.structure("scope") or {"type": "default"}
    return json.dumps(raw, sort_keys=True), given.text("language_code")


def set_my_commands(api: BotApi, bot: FakeBot, given: Given) -> Any:
    listed = given.structure("commands", "can't parse commands JSON object")
    if not isinstance(listed, list):
        raise Refusal(400, "expected an Array of BotCommand")
    if len(listed) > 100:
        raise Refusal(400, "BOT_COMMANDS_TOO_MUCH")
    for each in listed:
        if not re.fullmatch(r"/?[a-z0-9_]{1,32}", str(each.get("command", ""))):
            raise Refusal(400, "BOT_COMMAND_INVALID")
        if not 1 <= len(str(each.get("description", "")).strip()) <= 256:
            raise Refusal(400, "BOT_COMMAND_DESCRIPTION_INVALID")
    scope, language = _scope(given)
    kind = json.loads(scope)
    if kind["type"] == "chat" and ((chat := bot.chats.get(int(kind["chat_id"]))) is None or not chat.started):
        raise Refusal(400, "chat not found")
    bot.commands[scope, language] = [
        {"command": each["command"].removeprefix("/"), "description": each["description"]} for each in listed
    ]
    return True


def delete_my_commands(api: BotApi, bot: FakeBot, given: Given) -> Any:
    bot.commands.pop(_scope(given), None)
    return True


def get_my_commands(api: BotApi, bot: FakeBot, given: Given) -> Any:
    return bot.commands.get(_scope(given), [])


def accept(api: BotApi, bot: FakeBot, given: Given) -> Any:
    """What has no effect that a chat shows."""
    return True


def allow(bot: FakeBot, given: Given) -> None:
    """Note ``allowed_updates``; not given, the last ones stay; an empty list means the usual ones."""
    listed = given.structure("allowed_updates")
    if isinstance(listed, list):
        bot.allowed = tuple(map(str, listed)) or DEFAULT_KINDS


def set_webhook(api: BotApi, bot: FakeBot, given: Given) -> Any:
    url, secret = given.text("url"), given.text("secret_token")
    if not url:
        return delete_webhook(api, bot, given)
    if not re.match(r"https?://[\w.-]+", url):  # Telegram wants https; a test's bot has no certificate
        raise Refusal(400, "bad webhook: An HTTPS URL must be provided for webhook")
    if len(secret) > 256:
        raise Refusal(400, "secret token is too long")
    if not re.fullmatch(r"[A-Za-z0-9_-]*", secret):
        raise Refusal(400, "secret token contains unallowed characters")
    allow(bot, given)
    if given.flag("drop_pending_updates"):
        bot.updates.clear()
    connections = given.number("max_connections", 40)
    api.hook(bot, url, secret, min(100, max(1, connections)))
    return True


def delete_webhook(api: BotApi, bot: FakeBot, given: Given) -> Any:
    if given.flag("drop_pending_updates"):
        bot.updates.clear()
    api.unhook(bot)
    return True


def get_webhook_info(api: BotApi, bot: FakeBot, given: Given) -> Any:
    hook = bot.webhook
    raw: dict[str, Any] = {
        "url": hook.url if hook else "",
        "has_custom_certificate": False,
        "pending_update_count": len(bot.updates),
        "allowed_updates": list(bot.allowed),
    }
    if hook:
        raw["max_connections"] = hook.connections
        if hook.error:
            raw |= {"last_error_date": int(hook.error_at), "last_error_message": hook.error}
    return raw


Method = Callable[["BotApi", FakeBot, Given], Any]
METHODS: dict[str, Method] = {
    name.lower(): method
    for name, method in {
        "getMe": get_me, "getChat": get_chat, "getFile": get_file,
        "sendMessage": send_message, "sendPhoto": send_photo, "sendDocument": send_document,
        "sendMediaGroup": send_media_group, "sendChatAction": send_chat_action,
        "editMessageText": edit_message_text, "editMessageCaption": edit_message_caption,
        "editMessageReplyMarkup": edit_message_reply_markup,
        "deleteMessage": delete_message, "deleteMessages": delete_messages,
        "answerCallbackQuery": answer_callback_query,
        "setMyCommands": set_my_commands, "deleteMyCommands": delete_my_commands, "getMyCommands": get_my_commands,
        "setChatMenuButton": accept, "setMyName": accept, "setMyDescription": accept, "setMyShortDescription": accept,
        "setWebhook": set_webhook, "deleteWebhook": delete_webhook, "getWebhookInfo": get_webhook_info,
    }.items()
}  # fmt: skip
