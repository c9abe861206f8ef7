"""Evidence files: a folder of pictures under the SHA-256 of their stored bytes. Never listed, never public."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class BlobFolder:
    """A folder that holds blobs; made when the first is put."""

    root: Path

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError("not a blob key")
        return self.root / key[:2] / key[2:]

    def put(self, data: bytes) -> str:
        """Store bytes; their key. Whole or not at all: written aside, flushed to disk, then renamed.

        Raises ``OSError`` when the disk is full.
        """
        key = hashlib.sha256(data).hexdigest()
        path = self._path(key)
        if path.exists():
            os.utime(path)  # freshly wanted: the sweep leaves it alone
            return key
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(scratch).replace(path)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return key

    def get(self, key: str) -> bytes | None:
        """The bytes of a key, or ``None``."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, key: str, older_than: float = 0) -> bool:
        """Delete a blob, if it has not been put again in the last *older_than* seconds; missing is fine."""
        path = self._path(key)
        try:
            if older_than and path.stat().st_mtime > time.time() - older_than:
                return False
        except FileNotFoundError:
            return False
        path.unlink(missing_ok=True)
        return True

    def old_keys(self, age: float) -> Iterator[str]:
        """Keys of blobs older than *age* seconds: what a sweep may ask about."""
        limit = time.time() - age
        if not self.root.exists():
            return
        for path in self.root.glob("??/*"):
            if path.name.startswith(".new-"):
                if path.stat().st_mtime < limit:
                    path.unlink(missing_ok=True)
            elif path.stat().st_mtime < limit:
                yield path.parent.name + path.name
