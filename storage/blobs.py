"""Evidence files (tệp minh chứng): pictures under the SHA-256 of their stored bytes, in a folder or in an S3-compatible
store. Never listed by any page, never public: whoever may see a picture gets it through the bot.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from storage.files import written_aside

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Store

log = logging.getLogger(__name__)

_KEY = re.compile(r"[0-9a-f]{64}")
PAGE = 500  # keys that a sweep asks about at once
CONNECT = timedelta(seconds=5)
TIMEOUT = timedelta(seconds=20)  # of one request
RETRY = timedelta(seconds=15)  # of all its tries together: whoever sends a picture waits for it
RESERVE = 200 * 1024 * 1024  # bytes of a disk that pictures leave free


class StoreFull(OSError):
    """There is no room for more: photos cannot be taken until somebody makes some."""

    def __init__(self) -> None:
        super().__init__(errno.ENOSPC, "the store of pictures is full")


class StoreAway(OSError):
    """The store cannot be reached or refuses now; the same may succeed later. ``reason``: a word, never an answer's
    text, which may quote what was signed."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EIO, f"the store of pictures does not answer ({reason})")
        self.reason = reason


class Store(Protocol):
    """Where blobs are kept. Every method may raise :class:`StoreAway`."""

    def put(self, data: bytes) -> str:
        """Store bytes, whole or not at all; their key. Raises :class:`StoreFull` when there is no room."""

    def get(self, key: str) -> bytes | None:
        """The bytes of a key; ``None`` where there are none, or where they are damaged."""

    def exists(self, key: str) -> bool:
        """Is there a blob under this key? Its bytes are not looked at."""

    def remove(self, keys: Iterable[str]) -> None:
        """Delete blobs; those that are not there are fine."""

    def old_keys(self, age: float) -> Iterator[list[str]]:
        """Keys of blobs older than *age* seconds, in pages of at most :data:`PAGE`: what a sweep may ask about."""

    def keys(self) -> Iterator[str]:
        """Every key: for a restore, which wants none."""

    def probe(self) -> None:
        """Write, read and delete a file that is nobody's. Raises ``OSError``."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """An S3-compatible store: ``name`` of the bucket, ``prefix`` in it (may be empty), ``endpoint`` (empty: that of
    AWS), and who we are there."""

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    path_style: bool = True
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")


Place = Path | Bucket


def open_store(place: Place) -> Store:
    """The store of a folder (made when the first blob is put) or of a bucket (which must be there)."""
    return BlobFolder(place) if isinstance(place, Path) else BlobBucket(place)


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError("not a blob key")
    return key


def _sound(key: str, data: bytes) -> bytes | None:
    if hashlib.sha256(data).hexdigest() == key:
        return data
    log.error("a stored picture is damaged and is not shown: %s…", key[:12])
    return None


# ------------------------------------------------------------------------------------------ a folder


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull from error
        raise StoreAway(errno.errorcode.get(error.errno or 0, type(error).__name__)) from error


@dataclass(frozen=True, slots=True)
class BlobFolder:
    """A folder that holds blobs, for its owner only; made when the first is put."""

    root: Path

    def _path(self, key: str) -> Path:
        _checked(key)
        return self.root / key[:2] / key[2:]

    def put(self, data: bytes) -> str:
        """Written aside, flushed to disk, then renamed."""
        key = hashlib.sha256(data).hexdigest()
        with _disk():
            self._put(self._path(key), data)
        return key

    def _put(self, path: Path, data: bytes) -> None:
        try:
            if path.stat().st_size == len(data) and path.read_bytes() == data:  # else it is damaged, and is mended
                os.utime(path)  # freshly wanted: the sweep leaves it alone
                return
        except FileNotFoundError:
            pass
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if shutil.disk_usage(path.parent).free < RESERVE + len(data):  # answers must still find room in the database
            raise StoreFull
        with written_aside(path, ".new-") as file:
            file.write(data)

    def get(self, key: str) -> bytes | None:
        """Read whole, and held against its key."""
        path = self._path(key)
        with _disk():
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return None
        return _sound(key, data)

    def exists(self, key: str) -> bool:
        """A look at the folder."""
        return self._path(key).exists()

    def remove(self, keys: Iterable[str]) -> None:
        """One after the other."""
        with _disk():
            for key in keys:
                self._path(key).unlink(missing_ok=True)

    def old_keys(self, age: float) -> Iterator[list[str]]:
        """By their time on disk; files that a crash left half written go at once."""
        limit = time.time() - age
        return _paged(key for key in self._walk(limit))

    def keys(self) -> Iterator[str]:
        """Whatever lies in the folder under a key's name."""
        return self._walk(float("inf"), tidy=False)

    def _walk(self, limit: float, tidy: bool = True) -> Iterator[str]:
        for path in self.root.glob("??/*"):
            try:
                if path.stat().st_mtime >= limit:
                    continue
                if path.name.startswith(".new-"):
                    if tidy:
                        path.unlink(missing_ok=True)
                    continue
            except FileNotFoundError:  # deleted meanwhile
                continue
            key = path.parent.name + path.name
            if _KEY.fullmatch(key):
                yield key

    def probe(self) -> None:
        """In the folder itself."""
        with _disk():
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.root / f".doctor-{secrets.token_hex(8)}"  # several processes ask at the same time
            try:
                probe.write_bytes(b"doctor")
            finally:
                probe.unlink(missing_ok=True)


def _paged(keys: Iterator[str]) -> Iterator[list[str]]:
    while page := list(islice(keys, PAGE)):
        yield page


# ------------------------------------------------------------------------------------------ S3

# What servers of several makers call a full store or a used-up quota.
_FULL = re.compile(r"StorageFull|QuotaExceeded|InsufficientStorage|InsufficientCapacity|507 ", re.IGNORECASE)
_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")
PROBE = "doctor-probe"


class _Absent(Exception):
    """There is no blob of that name."""


@contextmanager
def _wire() -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        # The text quotes addresses and what was signed; only its code goes on, and no traceback of it either.
        said = str(error)
        full, code = _FULL.search(said), _CODE.search(said)
        reason = code.group(1) if code else type(error).__name__
        if full:
            raise StoreFull from None
        if isinstance(error, FileNotFoundError) and reason != "NoSuchBucket":
            raise _Absent from None
        raise StoreAway(reason) from None


@dataclass(frozen=True)
class BlobBucket:
    """Blobs in an S3-compatible store, under ``prefix/ab/cdef…``; without any ACL, so as private as the bucket."""

    bucket: Bucket

    def open(self, *, signed: bool = True) -> S3Store:
        """A client of the bucket; unsigned it asks as a stranger would."""
        from obstore.store import S3Store

        at = self.bucket
        config: S3Config = {"region": at.region, "virtual_hosted_style_request": not at.path_style}
        if at.endpoint:
            config["endpoint"] = at.endpoint if at.path_style else _with_host(at.endpoint, at.name)
        if signed:
            config["access_key_id"] = at.access_key_id
            config["secret_access_key"] = at.secret_access_key
            if at.session_token:
                config["session_token"] = at.session_token
        else:
            config["skip_signature"] = True
        options: ClientConfig = {
            "connect_timeout": CONNECT,
            "timeout": TIMEOUT,
            "allow_http": at.endpoint.startswith("http://"),
        }
        retry: RetryConfig = {
            "max_retries": 4,
            "retry_timeout": RETRY,
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=3), "base": 2},
        }
        return S3Store(at.name, prefix=at.prefix or None, config=config, client_options=options, retry_config=retry)

    @cached_property
    def _store(self) -> S3Store:
        return self.open()

    @staticmethod
    def _path(key: str) -> str:
        _checked(key)
        return f"{key[:2]}/{key[2:]}"

    def put(self, data: bytes) -> str:
        """One request, repeated by its own key without harm; the server checks what it got against the signature."""
        key = hashlib.sha256(data).hexdigest()
        try:
            with _wire():
                self._store.put(self._path(key), data, use_multipart=False)
        except _Absent:
            raise StoreAway("NotFound") from None
        return key

    def get(self, key: str) -> bytes | None:
        """Read whole, and held against its key."""
        path = self._path(key)
        try:
            with _wire():
                data = self._store.get(path).bytes().to_bytes()
        except _Absent:
            return None
        return _sound(key, data)

    def exists(self, key: str) -> bool:
        """One HEAD request."""
        path = self._path(key)
        try:
            with _wire():
                self._store.head(path)
        except _Absent:
            return False
        return True

    def remove(self, keys: Iterable[str]) -> None:
        """All in one request."""
        paths = [self._path(key) for key in keys]
        if paths:
            with suppress(_Absent), _wire():
                self._store.delete(paths)

    def old_keys(self, age: float) -> Iterator[list[str]]:
        """By the store's own clock, in its own pages."""
        limit = datetime.now(UTC) - timedelta(seconds=age)
        for page in self._pages():
            found = [key for each in page if each["last_modified"] < limit and (key := self._key(each["path"]))]
            if found:
                yield found

    def keys(self) -> Iterator[str]:
        """Whatever lies under the prefix with a key's name."""
        for page in self._pages():
            for each in page:
                if key := self._key(each["path"]):
                    yield key

    def _pages(self) -> Iterator[Sequence[Any]]:
        with _wire():
            pages = iter(self._store.list(chunk_size=PAGE))
        while True:
            with _wire():
                page = next(pages, None)
            if page is None:
                return
            yield page

    @staticmethod
    def _key(path: str) -> str:
        key = "".join(path.split("/")[-2:])
        return key if _KEY.fullmatch(key) else ""

    def probe(self) -> None:
        """A file beside the blobs."""
        name = _probe_name()
        try:
            with _wire():
                self._store.put(name, b"doctor", use_multipart=False)
                found = self._store.get(name).bytes().to_bytes()
                self._store.delete(name)
        except _Absent:
            raise StoreAway("NotFound") from None
        if found != b"doctor":
            raise StoreAway("OtherBytes")

    def is_public(self) -> bool:
        """Does the bucket answer somebody who does not say who they are? Then every picture is the world's."""
        stranger, name = self.open(signed=False), _probe_name()
        with _wire():
            self._store.put(name, b"doctor", use_multipart=False)
        try:
            return _answers(lambda: stranger.get(name)) or _answers(lambda: next(iter(stranger.list(chunk_size=1)), 0))
        finally:
            with _wire():
                self._store.delete(name)


def _probe_name() -> str:
    return f"{PROBE}-{secrets.token_hex(8)}"  # several processes ask at the same time


def _answers(ask: Any) -> bool:
    try:
        with _wire():
            ask()
    except (StoreAway, _Absent):
        return False
    return True


def _with_host(endpoint: str, bucket: str) -> str:
    """``https://s3.example.vn`` → ``https://BUCKET.s3.example.vn``, as a virtual-hosted endpoint is named."""
    scheme, _, host = endpoint.partition("://")
    return f"{scheme}://{bucket}.{host}"
