"""What waits in the inbox is sealed where it shows an id number: other processes may read it, nobody who looks may."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

from cryptography.fernet import Fernet, InvalidToken

from storage import idnumbers
from storage.base import Refused
from storage.identity import Key, KeyRing

SEALED = "sealed:"
_PURPOSE = b"hoctap inbox"


def seal(text: str, keys: Callable[[], KeyRing]) -> str:
    """The text as it may lie in a table: as it is, or, where it shows an id number, readable for who has the server's
    key only. Without any key the number itself goes: no unit can ask for one then."""
    hidden = idnumbers.hide(text)
    if not hidden.numbers:
        return text
    try:
        key = keys().current
    except Refused:
        return hidden.text
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


def _cipher(key: Key) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hmac.digest(key.secret, _PURPOSE, hashlib.sha256)))
