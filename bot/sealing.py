"""What waits in the inbox is sealed: other processes of the server may read it, nobody who looks at the table may."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from storage import idnumbers
from storage.base import Refused
from storage.identity import Key, KeyRing

SEALED = "sealed:"
_WORDS = frozenset({"text", "caption"})  # of an update, what a person wrote
_PURPOSE = b"hoctap inbox"


def seal(text: str, keys: Callable[[], KeyRing]) -> str:
    """An update (JSON) as it may lie in a table: readable for who has the server's key only, since it may show an id
    number, in whatever way it is written. Without any key the numbers themselves go: no unit can ask for one then."""
    try:
        key = keys().current
    except Refused:
        return json.dumps(_shaded(json.loads(text)))
    return SEALED + _cipher(key).encrypt(text.encode()).decode()


def unseal(text: str, keys: Callable[[], KeyRing]) -> str:
    """What :func:`seal` was given. Raises ``ValueError`` where the key is not at hand."""
    if not text.startswith(SEALED):
        return text
    token = text.removeprefix(SEALED).encode()
    for key in reversed(keys().keys):  # a new key may have come since
        try:
            return _cipher(key).decrypt(token).decode()
        except InvalidToken:
            continue
    raise ValueError("sealed with a key that is not here")


def _shaded(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _shaded(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_shaded(each, name) for each in value]
    return idnumbers.mask(value) if isinstance(value, str) and name in _WORDS else value


def _cipher(key: Key) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hmac.digest(key.secret, _PURPOSE, hashlib.sha256)))
