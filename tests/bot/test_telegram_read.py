"""What an update of Telegram says to us."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from bot.channels.telegram_updates import CAPABILITIES, Heard, incoming, read
from bot.channels.telegram_view import Page
from dialogs.model import FileRef, Incoming, Opened, Pressed, Sent, Signal, Typed, Unsupported

PRIVATE = {"id": 700, "type": "private", "first_name": "Lan"}
LAN = {"id": 700, "is_bot": False, "first_name": "Lan"}
GROUP = {"id": -5, "type": "group", "title": "Tổ 3"}
NOW = datetime(2026, 10, 5, 2, 0, tzinfo=UTC)


def message(**content: Any) -> dict[str, Any]:
    return {"message_id": 9, "date": 1790000000, "chat": PRIVATE, "from": LAN, **content}


def said(**content: Any) -> Heard | None:
    return read({"update_id": 1, "message": message(**content)})


def act(**content: Any) -> object:
    heard = said(**content)
    assert heard is not None
    assert (heard.event, heard.address, heard.message_id, heard.screen) == ("1", "700", 9, None)
    return heard.act


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("/start", ""),
        ("/start DV06685K", "DV06685K"),
        ("/start@hoctap_bot", ""),
        ("/start@hoctap_bot  DV06685K ", "DV06685K"),
        ("/START DV06685K", "DV06685K"),
    ],
)
def test_start_opens_the_chat(text: str, payload: str) -> None:
    assert act(text=text) == Opened(payload)


@pytest.mark.parametrize("text", ["/started", "xin chào", "/hoso@hoctap_bot", "start"])
def test_other_texts_are_typed(text: str) -> None:
    assert act(text=text) == Typed(text)


def test_the_largest_size_of_a_photo_counts() -> None:
    sizes = [
        {"file_id": f"f{side}", "file_unique_id": f"u{side}", "width": side, "height": side, "file_size": side * 10}
        for side in (90, 1280, 320)
    ]
    expected = Sent((), "Lớp học", (FileRef("f1280", "u1280", 12800),), "g1")
    assert act(photo=sizes, caption="Lớp học", media_group_id="g1") == expected


@pytest.mark.parametrize(
    ("mime", "name", "size", "expected"),
    [
        ("image/png", "a.png", 10, Sent((), "", (FileRef("f", "u", 10),))),
        ("image/webp", None, 10, Sent((), "", (FileRef("f", "u", 10),))),
        ("image/jpeg", "IMG.HEIC", 10, Sent((), "", (FileRef("f", "u", 10),))),
        ("image/heif", "a", 10, Sent((), "", (FileRef("f", "u", 10),))),
        ("application/pdf", "a", 10, Sent((), "", (FileRef("f", "u", 10),))),
        ("application/octet-stream", "giay.PDF", 10, Sent((), "", (FileRef("f", "u", 10),))),
        ("application/zip", "a.zip", 10, Unsupported("file")),
        (None, None, None, Unsupported("file")),
        ("image/jpeg", "a.jpg", 20 * 1024 * 1024 + 1, Unsupported("too_big")),
    ],
)
def test_documents(mime: str | None, name: str | None, size: int | None, expected: object) -> None:
    document = {"file_id": "f", "file_unique_id": "u", "mime_type": mime, "file_name": name, "file_size": size}
    assert act(document={key: value for key, value in document.items() if value is not None}) == expected


def test_only_the_own_number_is_taken() -> None:
    card = {"phone_number": "+84912345678", "first_name": "Lan"}
    assert act(contact={**card, "user_id": 700}) == Typed("+84912345678")
    assert act(contact={**card, "user_id": 701}) == Unsupported("contact")
    assert act(contact=card) == Unsupported("contact")


FILE = {"file_id": "f", "file_unique_id": "u"}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"voice": {**FILE, "duration": 3}}, "voice"),
        ({"video": {**FILE, "duration": 3, "width": 9, "height": 9}}, "video"),
        ({"location": {"latitude": 21.0, "longitude": 107.0}}, "location"),
        ({"dice": {"emoji": "🎲", "value": 3}}, "other"),
        (
            {"sticker": {**FILE, "type": "regular", "width": 9, "height": 9, "is_animated": False, "is_video": False}},
            "sticker",
        ),
        (
            {"animation": {**FILE, "duration": 3, "width": 9, "height": 9}, "document": {**FILE}},
            "video",
        ),
    ],
)
def test_what_no_dialog_takes_has_an_answer(content: dict[str, Any], kind: str) -> None:
    assert act(**content) == Unsupported(kind)


def test_a_forwarded_message_is_taken_like_its_content() -> None:
    origin = {"type": "user", "date": 1790000000, "sender_user": {"id": 5, "is_bot": False, "first_name": "Hoa"}}
    assert act(text="Lớp ngày 12/9", forward_origin=origin) == Typed("Lớp ngày 12/9")


@pytest.mark.parametrize(
    "content",
    [
        {"pinned_message": message(text="a")},
        {"message_auto_delete_timer_changed": {"message_auto_delete_time": 3}},
        {},
    ],
)
def test_service_messages_say_nothing(content: dict[str, Any]) -> None:
    assert said(**content) is None


def test_another_bot_says_nothing() -> None:
    assert read({"update_id": 1, "message": message(text="a") | {"from": {**LAN, "is_bot": True}}}) is None


def test_an_edited_message_changes_no_answer() -> None:
    heard = read({"update_id": 1, "edited_message": message(text="b", edit_date=1790000001)})
    assert heard is not None and heard.act == Unsupported("edited")
    moving = message(location={"latitude": 21.0, "longitude": 107.0}, edit_date=1790000001)
    assert read({"update_id": 1, "edited_message": moving}) is None


def query(data: str, chat: dict[str, Any] = PRIVATE, **more: Any) -> dict[str, Any]:
    shown = {"message_id": 9, "date": 1790000000, "chat": chat, "text": "Câu 1"}
    return {"id": "q1", "from": LAN, "chat_instance": "c", "data": data, "message": shown, **more}


def test_a_press_carries_the_number_of_its_screen() -> None:
    heard = read({"update_id": 2, "callback_query": query("12:tot")})
    assert heard == Heard("2", "700", Pressed("tot"), 12, 9, "q1")


def test_a_press_on_a_message_too_old_to_be_read_counts_as_well() -> None:
    old = {"message_id": 9, "date": 0, "chat": PRIVATE}
    heard = read({"update_id": 2, "callback_query": query("12:tot", message=old)})
    assert heard is not None and heard.act == Pressed("tot")


def test_pages_and_foreign_data() -> None:
    heard = read({"update_id": 2, "callback_query": query("p:12:1")})
    assert heard is not None and heard.act == Page(12, 1)
    foreign = read({"update_id": 2, "callback_query": query("x" * 64)})
    assert foreign is not None and foreign.act is None and foreign.press == "q1"


def test_presses_elsewhere_are_only_answered() -> None:
    in_group = read({"update_id": 2, "callback_query": query("12:tot", chat=GROUP)})
    assert in_group == Heard("2", press="q1")
    of_another = read({"update_id": 2, "callback_query": query("12:tot") | {"from": {**LAN, "id": 701}}})
    assert of_another == Heard("2", press="q1")


def test_groups_are_pointed_to_the_private_chat_only_when_they_speak_to_the_bot() -> None:
    in_group = {"chat": GROUP}
    assert read({"update_id": 3, "message": message(text="/start@hoctap_bot") | in_group}) == Heard("3", group=-5)
    assert read({"update_id": 3, "message": message(text="chào cả nhà") | in_group}) is None


@pytest.mark.parametrize(("status", "kind"), [("kicked", "blocked"), ("member", "unblocked")])
def test_blocked_and_unblocked(status: str, kind: str) -> None:
    me = {"id": 1, "is_bot": True, "first_name": "Học tập"}
    kicked = {"status": "kicked", "user": me, "until_date": 0}
    members = {"kicked": kicked, "member": {"status": "member", "user": me}}
    change = {
        "chat": PRIVATE, "from": LAN, "date": 1790000000,
        "old_chat_member": members["member"], "new_chat_member": members[status],
    }  # fmt: skip
    heard = read({"update_id": 4, "my_chat_member": change})
    assert heard == Heard("4", "700", Signal(kind))


def test_an_update_that_cannot_be_read_raises() -> None:
    with pytest.raises(ValidationError):
        read({"update_id": 1, "message": {"message_id": 9}})


def test_an_event_taken_anew() -> None:
    raw = {"update_id": 1, "message": message(text="1957")}
    assert incoming("telegram", raw, NOW) == Incoming("telegram", "1", "700", Typed("1957"), NOW, None, CAPABILITIES, 9)
    assert incoming("telegram", {"update_id": 2, "callback_query": query("p:12:1")}, NOW) is None
