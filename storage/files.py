"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def written_aside(file: Path, prefix: str) -> Iterator[IO[bytes]]:
    """Inside, a new file for its owner only (mode 0600), in the same folder under a name that begins with *prefix*; at
    the end it takes the place of *file*, and is there after a power cut too. Nothing is left of it where the block
    raises. Raises ``OSError``."""
    try:
        handle, scratch = tempfile.mkstemp(dir=file.parent, prefix=prefix)
    except OSError as error:
        error.filename = str(file)  # what was asked for, not the name that nobody knows
        raise
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        Path(scratch).replace(file)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
