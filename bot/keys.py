"""The server's keys for id numbers (khóa của số định danh cá nhân): a folder with a file for each, 32 random bytes.

A file is named after its key (``VN-1.key``), the key in use is the one with the highest number. The database knows the
fingerprint of each that it relies on. Without such a key nobody's number can be compared any more, so one that is
missing is never replaced silently. No byte of a key is in any error, log line or repr.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from locales import _, moment
from storage import identity
from storage.base import Connection, Refused
from storage.catalogue import CENTRE
from storage.identity import KEY_BYTES, Key, KeyRing, KnownKey

log = logging.getLogger(__name__)

_FILE = re.compile(r"([A-Za-z0-9]{1,16}-([1-9][0-9]{0,5}))\.key")


class KeyFault(Exception):
    """The keys cannot be used as they are: one line (``text``) with what is wrong and what mends it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """``[storage] keys``. Called, it gives the keys that lie there now: another process may have made a new one."""

    path: Path

    def __call__(self) -> KeyRing:
        """Raises ``Refused("identity_key_missing")`` for a file that cannot be used."""
        try:
            return read(self.path)
        except KeyFault as fault:
            log.error("%s", fault.text)
            raise Refused("identity_key_missing") from None


def read(folder: Path) -> KeyRing:
    """Every key in the folder, the oldest first; none when there is no folder.

    Raises :class:`KeyFault` for a file that others may read, that cannot be read, or that is not a key.
    """
    if not folder.is_dir():
        return KeyRing(())
    keys = []
    for file in folder.iterdir():
        named = _FILE.fullmatch(file.name)
        if named:
            keys.append(Key(named.group(1), int(named.group(2)), _bytes_of(file)))
    return KeyRing(tuple(sorted(keys, key=lambda key: key.number)))


def _bytes_of(file: Path) -> bytes:
    try:
        if os.name == "posix" and file.stat().st_mode & 0o077:
            raise KeyFault(_("keys.open", file=file))
        content = file.read_bytes()
    except OSError as error:
        raise KeyFault(_("keys.unreadable", file=file, reason=type(error).__name__)) from None
    if len(content) != KEY_BYTES:
        raise KeyFault(_("keys.broken", file=file))
    return content


def check(folder: Path, conn: Connection) -> KeyRing:
    """The keys that the database relies on, every one there and the right one. Raises :class:`KeyFault`."""
    ring = read(folder)
    at_hand = {key.id: key for key in ring.keys}
    known = identity.known_keys(conn)
    for each in known:
        key = at_hand.get(each.id)
        if key is None:
            raise KeyFault(_("keys.missing", **_place(folder, each)))
        if key.fingerprint != each.fingerprint:
            raise KeyFault(_("keys.other", **_place(folder, each)))
    return KeyRing(tuple(at_hand[each.id] for each in known))


def _place(folder: Path, known: KnownKey) -> dict[str, object]:
    return {"file": folder / f"{known.id}.key", "made": moment(known.made_at)}


def ensure(folder: Path, conn: Connection, now: datetime) -> KeyRing:
    """The keys, made where there is none yet: for ``hoctap init`` and the start of the server.

    A key that the database relies on and that is not there is made anew only as long as nobody's number has been kept.
    Raises :class:`KeyFault`.
    """
    if identity.known_keys(conn):
        if identity.any_kept(conn) or conn.dialect.name != "sqlite":  # another machine may have the key
            return check(folder, conn)
        try:
            return check(folder, conn)
        except KeyFault:
            ring = read(folder)  # what is wrong in the files themselves is not ours to mend
            identity.forget_keys(conn)
    else:
        ring = read(folder)  # a server that died between the file and its row leaves a key that nothing was kept under
    key = ring.current if ring.keys else _make(folder, 1)
    identity.register(conn, key, now)
    return KeyRing((key,))


def rotate(folder: Path, conn: Connection, now: datetime) -> KeyRing:
    """A new key, in use from now on; the numbers kept so far are brought under it by :func:`storage.identity.wrap`.

    The earlier ones stay: what was kept under them is compared through them. Raises :class:`KeyFault`.
    """
    ring = check(folder, conn) if identity.known_keys(conn) else ensure(folder, conn, now)
    newest = ring.current.number
    left = [key for key in read(folder).keys if key.number > newest]  # by a rotation that was cut off
    key = left[0] if left else _make(folder, newest + 1)
    identity.register(conn, key, now)
    return KeyRing((*ring.keys, key))


def _make(folder: Path, number: int) -> Key:
    """A key file, whole or not at all, and never in place of another. Raises ``OSError``."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = Key(f"{CENTRE}-{number}", number, secrets.token_bytes(KEY_BYTES))
    file = folder / f"{key.id}.key"
    part = folder / f".{key.id}.{secrets.token_hex(4)}"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(key.secret)
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(part, file)
        except FileExistsError:  # another process was faster
            return Key(key.id, number, _bytes_of(file))
    finally:
        part.unlink()
    return key
