"""Messages on Telegram: made, changed and taken away by calls of the Bot API. What a chat shows is not known here."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from html import escape
from typing import Any, TypeVar

from aiogram import Bot

from bot.channels.telegram_backend import Backend
from bot.channels.telegram_budget import Budget
from bot.channels.telegram_calls import CallFailed, call
from bot.channels.telegram_view import Bubble, Button, Look, menu
from locales import LANGUAGES, Voice, _, speaking
from storage import sent_files
from storage.engine import TransientFailure

log = logging.getLogger(__name__)
T = TypeVar("T")

DEFAULT_MENU = (False, LANGUAGES[0])  # a citizen's, in the first language: that of a chat for which none was set


class Messages:
    """The messages of one bot. A call that fails raises :class:`CallFailed` unless it says otherwise."""

    def __init__(self, account: str, bot: Bot, budget: Budget, backend: Backend) -> None:
        self._account, self._bot, self._budget, self._backend = account, bot, budget, backend

    async def edit(self, chat: int, message_id: int, bubble: Bubble) -> bool:
        """Change a message in place; ``False`` when it is not there (any more)."""
        fields = {"chat_id": chat, "message_id": message_id, "reply_markup": keyboard_of(bubble)}
        try:
            await self._with_text(fields, "text", bubble, "editMessageText", {})
        except CallFailed as failed:
            if failed.kind == "no_message":
                return False
            if failed.kind != "same":
                raise
        return True

    async def send(self, chat: int, bubble: Bubble, protected: bool) -> int:
        """Send a message; its number. Raises :class:`CallFailed`."""
        fields: dict[str, Any] = {"chat_id": chat}
        if protected:
            fields["protect_content"] = True
        if bubble.keyboard:
            fields["reply_markup"] = keyboard_of(bubble)
        if bubble.photo:
            return await self._send_photo(fields, bubble)
        if bubble.document is not None:
            files = {"file0": bubble.document.content.encode()}
            fields["document"] = "attach://file0"
            sent = await call(self._bot, "sendDocument", fields, files, names={"file0": bubble.document.name})
        else:
            fields["link_preview_options"] = {"is_disabled": True}
            sent = await self._with_text(fields, "text", bubble, "sendMessage", {})
        return int(sent["message_id"])

    async def _with_text(
        self, fields: dict[str, Any], name: str, bubble: Bubble, method: str, files: dict[str, bytes]
    ) -> Any:
        """A call with a formatted text, or a plain one where Telegram refuses the format."""
        try:
            return await call(self._bot, method, {**fields, name: bubble.html, "parse_mode": "HTML"}, files)
        except CallFailed as failed:
            if failed.kind != "markup":
                raise
            log.error("%s: Telegram refused our markup; sent plain", self._account)
            return await call(self._bot, method, {**fields, name: bubble.plain}, files)

    async def _send_photo(self, fields: dict[str, Any], bubble: Bubble) -> int:
        sent = await self.with_picture(bubble.photo, lambda photo, files: self._with_text(
            {**fields, "photo": photo}, "caption", bubble, "sendPhoto", files
        ))  # fmt: skip
        if sent is None:
            sent = await self._with_text(fields, "text", bubble, "sendMessage", {})
        elif sent.get("photo"):
            await self.uploaded(bubble.photo, sent["photo"][-1]["file_id"])
        return int(sent["message_id"])

    async def with_picture(self, key: str, send: Callable[[str, dict[str, bytes]], Awaitable[T]]) -> T | None:
        """Send a stored picture: by the id that Telegram gave it before, else uploaded; ``None`` when it is gone."""
        reference = await self._backend.read(partial(sent_files.reference, account=self._account, key=key))
        if reference is not None:
            try:
                return await send(reference, {})
            except CallFailed as failed:
                if failed.kind != "no_file":
                    raise
                await self._backend.run(partial(sent_files.drop, account=self._account, key=key))
        data = await self._backend.picture(key)
        return None if data is None else await send("attach://picture", {"picture": data})

    async def uploaded(self, key: str, reference: str) -> None:
        """Remember the id under which Telegram keeps a picture for this bot. It is sent already: if the database cannot
        take the id now, the picture is uploaded once more another time."""
        try:
            await self._backend.run(
                partial(sent_files.keep, account=self._account, key=key, reference=reference, now=datetime.now(UTC))
            )
        except TransientFailure:
            log.warning("%s: the id of an upload could not be kept", self._account)

    async def send_album(self, chat: int, looked: Look) -> tuple[int, ...]:
        """Pictures in one album (a single one by itself); those that are gone are left out."""
        media: list[dict[str, Any]] = []
        files: dict[str, bytes] = {}
        keys = []
        for n, picture in enumerate(looked.album):
            reference = await self._backend.read(partial(sent_files.reference, account=self._account, key=picture.key))
            if reference is None:
                data = await self._backend.picture(picture.key)
                if data is None:
                    continue
                reference, files[f"picture{n}"] = f"attach://picture{n}", data
            caption = escape(picture.caption[:900], quote=False)
            media.append({"type": "photo", "media": reference, "caption": caption, "parse_mode": "HTML"})
            keys.append(picture.key)
        if not media:
            return ()
        fields: dict[str, Any] = {"chat_id": chat, "protect_content": looked.protected}
        try:
            if len(media) == 1:
                single = {"photo": media[0]["media"], "caption": media[0]["caption"], "parse_mode": "HTML"}
                sent = [await call(self._bot, "sendPhoto", {**fields, **single}, files)]
            else:
                sent = await call(self._bot, "sendMediaGroup", {**fields, "media": media}, files)
        except CallFailed as failed:
            if failed.kind == "refused" and looked.album:
                return await self._send_singly(fields, media, files)
            if failed.kind != "no_file":
                raise
            for key in keys:
                await self._backend.run(partial(sent_files.drop, account=self._account, key=key))
            return await self.send_album(chat, looked)
        for key, each, said in zip(keys, sent, media, strict=True):
            if said["media"].startswith("attach://") and each.get("photo"):
                await self.uploaded(key, each["photo"][-1]["file_id"])
        return tuple(int(each["message_id"]) for each in sent)

    async def _send_singly(
        self, fields: dict[str, Any], media: list[dict[str, Any]], files: dict[str, bytes]
    ) -> tuple[int, ...]:
        """One picture of an album is not to Telegram's liking (a long scroll capture): each by itself, that one as a
        file."""
        sent = []
        for each in media:
            name = each["media"].removeprefix("attach://")
            own = {name: files[name]} if name in files else {}
            text = {"caption": each["caption"], "parse_mode": "HTML"}
            for method, kind in (("sendPhoto", "photo"), ("sendDocument", "document")):
                try:
                    said = await call(self._bot, method, {**fields, kind: each["media"], **text}, own)
                except CallFailed as failed:
                    if failed.kind not in ("refused", "no_file"):
                        raise
                    log.warning("%s: a picture was refused: %s", self._account, failed.reason)
                else:
                    sent.append(int(said["message_id"]))
                    break
        return tuple(sent)

    async def without_keyboard(self, chat: int, message_id: int) -> None:
        """Take an old message's buttons away. Best effort: a press there is told to be stale all the same."""
        try:
            await call(self._bot, "editMessageReplyMarkup", {"chat_id": chat, "message_id": message_id})
        except CallFailed as failed:
            self._best_effort(failed)

    async def remove(self, chat: int, message_ids: tuple[int, ...]) -> tuple[int, ...]:
        """Delete messages; those that could not be reached now and are to be tried with the next screen."""
        if not message_ids:
            return ()
        try:
            await call(self._bot, "deleteMessages", {"chat_id": chat, "message_ids": list(dict.fromkeys(message_ids))})
        except CallFailed as failed:
            return message_ids if self._best_effort(failed) in ("again", "wait") else ()
        return ()

    async def clear_keyboard(self, chat: int, language: str) -> None:
        """A keyboard in the place of the phone's own goes only with a message."""
        with speaking(Voice(language, "ban")):
            text = _("telegram.noted")
        fields = {"chat_id": chat, "text": text, "reply_markup": {"remove_keyboard": True}}
        await call(self._bot, "sendMessage", fields)

    async def set_menu(self, chat: int, officer: bool, language: str) -> bool:
        """The menu of commands that fits who speaks in a chat; ``False`` when that could not be done now."""
        scope = {"type": "chat", "chat_id": chat}
        try:
            if (officer, language) == DEFAULT_MENU:
                await call(self._bot, "deleteMyCommands", {"scope": scope})
            else:
                listed = commands_of(officer, language)
                await call(self._bot, "setMyCommands", {"commands": listed, "scope": scope})
        except CallFailed as failed:
            self._best_effort(failed)
            return False
        return True

    async def set_keyboard(self, chat: int, message_id: int, bubble: Bubble) -> bool:
        """Change the buttons of a message; ``False`` when that could not be done."""
        fields = {"chat_id": chat, "message_id": message_id, "reply_markup": keyboard_of(bubble)}
        try:
            await call(self._bot, "editMessageReplyMarkup", fields)
        except CallFailed as failed:
            return self._best_effort(failed) == "same"
        return True

    def _best_effort(self, failed: CallFailed) -> str:
        if failed.kind == "wait":
            self._budget.pause(failed.seconds)
        if failed.kind not in ("no_message", "same", "late", "gone"):
            log.info("%s: a call by the way failed: %s", self._account, failed.reason)
        return failed.kind


def keyboard_of(bubble: Bubble) -> dict[str, Any]:
    """A bubble's buttons as the Bot API wants them."""
    if bubble.reply:
        return {
            "keyboard": [[_reply_button(each) for each in line] for line in bubble.keyboard],
            "resize_keyboard": True,
            "one_time_keyboard": True,
        }
    return {
        "inline_keyboard": [
            [
                {"text": each.text, "callback_data": each.data, **({"style": each.style} if each.style else {})}
                for each in line
            ]
            for line in bubble.keyboard
        ]
    }


def _reply_button(button: Button) -> dict[str, Any]:
    return {"text": button.text, "request_contact": True} if button.contact else {"text": button.text}


def commands_of(officer: bool, language: str) -> list[dict[str, str]]:
    """The menu of commands as the Bot API wants it."""
    return [{"command": name, "description": text} for name, text in menu(officer, language)]
