"""What waits in the inbox: nobody reads an id number there, in whatever way it was written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sealing import seal, unseal
from storage.identity import KEY_BYTES, Key, KeyRing

OLD, NEW = Key("VN-1", 1, b"a" * KEY_BYTES), Key("VN-2", 2, b"b" * KEY_BYTES)


def ring(*keys: Key) -> KeyRing:
    return KeyRing(keys)


WAYS = ("038123456789", "038\n123456\n789", "038 123 456 789", "số038123456789", "０３８１２３４５６７８９")


@pytest.mark.parametrize("way", WAYS)
def test_an_update_that_waits_shows_no_number(way: str) -> None:
    raw = json.dumps({"update_id": 1, "message": {"text": f"của tôi là {way} ạ"}})
    kept = seal(raw, lambda: ring(OLD))
    assert "456" not in kept
    assert unseal(kept, lambda: ring(OLD)) == raw
    assert unseal(kept, lambda: ring(OLD, NEW)) == raw, "a key made since changes nothing"


@pytest.mark.parametrize("way", WAYS[:3])
def test_without_a_key_the_number_goes_and_the_rest_stays_readable(way: str) -> None:
    raw = {"update_id": 1, "message": {"chat": {"id": 123456789012}, "text": f"của tôi là {way}", "caption": way}}
    found = json.loads(unseal(seal(json.dumps(raw), lambda: ring()), lambda: ring()))
    assert found["message"]["chat"]["id"] == 123456789012
    assert found["message"]["text"] == "của tôi là ••••6789"
    assert found["message"]["caption"] == "••••6789"


def test_another_server_s_key_opens_nothing() -> None:
    with pytest.raises(ValueError, match="a key that is not here"):
        unseal(seal('{"text": "x"}', lambda: ring(OLD)), lambda: ring(NEW))


@given(text=st.text())
def test_whatever_is_sealed_comes_back(text: str) -> None:
    raw = json.dumps({"text": text})
    assert unseal(seal(raw, lambda: ring(OLD, NEW)), lambda: ring(OLD, NEW)) == raw
