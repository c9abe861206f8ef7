"""``hoctap doctor`` and Telegram: every finding, and never the token."""

from __future__ import annotations

import asyncio
import re
import socket
from datetime import timedelta
from pathlib import Path
from time import time

import pytest

from bot.channels import telegram_about
from tests.bot.conftest import Cli, Ran, Telegram
from tests.peers.telegram import BotApi
from tests.support.world import World

ONE = "1234567890:AAGs3cretS3cretS3cretS3cretS3cret-_1"
TWO = "2234567890:AAGs3cretS3cretS3cretS3cretS3cret-_2"


@pytest.fixture
def one(telegram: Telegram, monkeypatch: pytest.MonkeyPatch) -> Telegram:
    """One bot, set up as it should be."""
    monkeypatch.setenv("HOCTAP_TELEGRAM__TOKEN", ONE)
    telegram.bot(ONE, "hoctap_bot")
    return telegram


@pytest.fixture
def by_webhook(one: Telegram, monkeypatch: pytest.MonkeyPatch) -> Telegram:
    monkeypatch.setenv("HOCTAP_TELEGRAM__MODE", "webhook")
    monkeypatch.setenv("HOCTAP_WEB__PUBLIC_URL", "https://hoctap.example.vn/")
    one.webhook["url"] = "https://hoctap.example.vn/telegram/bot"
    return one


def examined(cli: Cli, *more: str) -> dict[str, tuple[str, str]]:
    """What doctor found about Telegram: state and text by check."""
    ran: Ran = cli("doctor", "--json", *more)
    text = ran.out + ran.err
    assert "s3cret" not in text
    assert "1234567890" not in text
    told = [each for each in ran.json if "telegram" in each["check"]]
    found = {each["check"]: (each["state"], each["text"]) for each in told}
    assert len(found) == len(told)
    return found


def test_a_bot_as_it_should_be(cli: Cli, one: Telegram) -> None:
    one.webhook["pending_update_count"] = 7
    found = examined(cli)
    assert {check: state for check, (state, _) in found.items()} == {
        "telegram": "good", "telegram.clock": "good", "telegram.webhook": "good", "telegram.rights": "good",
    }  # fmt: skip
    assert "@hoctap_bot" in found["telegram"][1]
    assert "7 tin đang chờ" in found["telegram.webhook"][1]


def test_without_a_bot_or_without_the_network(cli: Cli, telegram: Telegram, monkeypatch: pytest.MonkeyPatch) -> None:
    state, text = examined(cli)["telegram"]
    assert (state, "bot.secrets.toml" in text) == ("note", True)
    monkeypatch.setenv("HOCTAP_TELEGRAM__TOKEN", ONE)
    monkeypatch.setattr(telegram_about, "ask", None)
    assert examined(cli, "--offline")["telegram"][0] == "note"


def test_a_token_that_is_refused(cli: Cli, one: Telegram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCTAP_TELEGRAM__BOTS__HANOI__TOKEN", TWO)
    found = examined(cli)
    assert found["telegram"][0] == "good"
    state, text = found["telegram:hanoi"]
    assert state == "bad"
    assert "mã bot telegram:hanoi bị từ chối: lấy lại ở @BotFather" in text


@pytest.mark.parametrize(
    ("status", "body", "state", "text"),
    [
        (502, b"<html>", "warn", "502"),
        (429, b'{"ok": false, "parameters": {"retry_after": 9}}', "warn", "429"),
        (200, b"<html>hello", "bad", "telegram.api_url"),
        (200, b'{"ok": true, "result": 5}', "bad", "telegram.api_url"),
        (200, b"[]", "bad", "telegram.api_url"),
        (404, b"not found", "bad", "telegram.api_url"),
        (404, b'{"ok": false, "error_code": 404}', "bad", "@BotFather"),
        (302, b"", "bad", "telegram.api_url"),
    ],
)
def test_what_is_no_answer(cli: Cli, one: Telegram, status: int, body: bytes, state: str, text: str) -> None:
    one.status, one.body = status, body
    found = examined(cli)
    assert set(found) == {"telegram"}
    assert found["telegram"][0] == state
    assert text in found["telegram"][1]


def test_telegram_out_of_reach_is_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCTAP_TELEGRAM__TOKEN", ONE)
    monkeypatch.setenv("HOCTAP_TELEGRAM__BOTS__HANOI__TOKEN", TWO)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{taken.getsockname()[1]}"  # nobody listens
        monkeypatch.setenv("HOCTAP_TELEGRAM__API_URL", f"http://{server}")
        ((check, (state, text)),) = examined(cli).items()
    assert (check, state) == ("telegram", "bad")
    assert f"không tới được {server} (ClientConnectorError)" in text


def test_telegram_that_does_not_answer(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram_about, "SECONDS", 0.1)
    monkeypatch.setenv("HOCTAP_TELEGRAM__TOKEN", ONE)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HOCTAP_TELEGRAM__API_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        state, text = examined(cli)["telegram"]
    assert (state, "không trả lời" in text) == ("bad", True)


@pytest.mark.parametrize(
    ("ahead", "state", "word"),
    [(0, "good", "lệch"), (30, "warn", "chậm"), (-30, "warn", "nhanh"), (3600, "bad", "chậm"), (-3600, "bad", "nhanh")],
)
def test_the_clock_is_held_against_telegrams(cli: Cli, one: Telegram, ahead: int, state: str, word: str) -> None:
    one.ahead = timedelta(seconds=ahead)
    found, text = examined(cli)["telegram.clock"]
    said = re.search(rf"{word} ([0-9.,]+) giây", text)
    assert found == state
    assert said
    assert abs(float(said[1].replace(".", "").replace(",", ".")) - abs(ahead)) <= 1.5


def test_more_rights_than_it_needs(cli: Cli, one: Telegram) -> None:
    one.bot(ONE, "hoctap_bot", can_read_all_group_messages=True, can_join_groups=True, supports_inline_queries=True)
    found = examined(cli)
    assert "telegram.rights" not in found
    assert (found["telegram.privacy"][0], "/setprivacy" in found["telegram.privacy"][1]) == ("warn", True)
    assert (found["telegram.inline"][0], "/setinline" in found["telegram.inline"][1]) == ("warn", True)
    assert (found["telegram.groups"][0], "/setjoingroups" in found["telegram.groups"][1]) == ("note", True)


def test_polling_with_a_webhook_left(cli: Cli, one: Telegram) -> None:
    one.webhook["url"] = "https://else.example.vn/hook/k3y"
    state, text = examined(cli)["telegram.webhook"]
    assert state == "warn"
    assert "else.example.vn" in text
    assert "k3y" not in text


def test_the_webhook_is_ours(cli: Cli, by_webhook: Telegram) -> None:
    by_webhook.webhook.update(pending_update_count=1234, last_error_date=int(time()) - 90000, last_error_message="old")
    state, text = examined(cli)["telegram.webhook"]
    assert state == "good"
    assert "1.234 tin" in text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"url": ""}, "chưa có webhook"),
        ({"url": "https://else.example.vn/telegram/bot"}, "else.example.vn"),
        ({"url": "https://hoctap.example.vn/telegram/hanoi"}, "địa chỉ khác"),
        ({"last_error_message": f"Wrong response: 502\n /bot{ONE}/x"}, "Wrong response: 502 /bot•••/x. 0 tin"),
    ],
)
def test_a_webhook_to_be_seen_to(cli: Cli, by_webhook: Telegram, said: dict[str, str], text: str) -> None:
    by_webhook.webhook.update(said, last_error_date=int(time()) - 60)
    found = examined(cli)["telegram.webhook"]
    assert found[0] == "warn"
    assert text in found[1]


def test_the_file_of_secrets(cli: Cli, one: Telegram) -> None:
    assert "bot.secrets.toml" not in cli("doctor", "--offline").out
    secret = Path("bot.secrets.toml")
    secret.write_text(f'[telegram.bots.hanoi]\ntoken = "{TWO}"')
    secret.chmod(0o600)
    cli("doctor", "--offline").said("[được]  Tệp bí mật: bot.secrets.toml")
    Path().resolve().chmod(0o777)
    cli("doctor", "--offline").said("[lưu ý]  Ai trên máy cũng thay được tệp bí mật bot.secrets.toml")
    secret.chmod(0o604)
    cli("doctor", "--offline").refused(2, "chmod 600 bot.secrets.toml")


@pytest.mark.parametrize("payload", ["DV06685K", "MTABCDE-_1", "a" * 64])
def test_start_links(payload: str) -> None:
    assert telegram_about.start_link("hoctap_bot", payload) == f"https://t.me/hoctap_bot?start={payload}"


@pytest.mark.parametrize("payload", ["", "a" * 65, "a b", "ữ", "a&b"])
def test_what_no_start_link_can_carry(payload: str) -> None:
    with pytest.raises(ValueError, match="payload"):
        telegram_about.start_link("hoctap_bot", payload)


async def test_the_stand_in_of_the_whole_bot_api_is_found_in_order(
    cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with BotApi() as api:
        api.bot(ONE, "hoctap_bot")
        monkeypatch.setenv("HOCTAP_TELEGRAM__TOKEN", ONE)
        monkeypatch.setenv("HOCTAP_TELEGRAM__API_URL", api.url)
        found = await asyncio.to_thread(examined, cli)
        square = await asyncio.to_thread(cli, "qr", "06685", "--telegram")
    assert {found[check][0] for check in ("telegram", "telegram.clock", "telegram.webhook")} == {"good"}
    square.said("https://t.me/hoctap_bot?start=DV06685K")


@pytest.mark.parametrize(
    ("listen", "state", "said"),
    [
        ("127.0.0.1:9090", "good", "127.0.0.1:9090"),
        ("[::1]:9090", "good", "[::1]:9090"),
        ("0.0.0.0:9090", "warn", "0.0.0.0:9090"),
        ("inner:9090", "warn", "inner:9090"),
        ("", "note", "operation.listen"),
    ],
)
def test_health_and_metrics_are_for_the_operator(
    world: World, cli: Cli, monkeypatch: pytest.MonkeyPatch, listen: str, state: str, said: str
) -> None:
    monkeypatch.setenv("HOCTAP_OPERATION__LISTEN", listen)
    found = [each for each in cli("doctor", "--offline", "--json").json if each["check"] == "operation"]
    assert [(each["state"], said in each["text"]) for each in found] == [(state, True)]
