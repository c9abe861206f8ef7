"""A Python process of this program's own, for what strangers made: it inherits nothing in which secrets may stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ENVIRONMENT: Final = {
    "LC_ALL": "C.UTF-8",
    "PYTHONPATH": str(Path(__file__).parents[1]),
    "MALLOC_ARENA_MAX": "1",
}


def start(module: str, encoding: str | None = None) -> subprocess.Popen[Any]:
    """Start a module as a program that is asked by stdin and answers by stdout, in bytes or in text of an *encoding*.
    Raises ``OSError``."""
    return subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
        cwd="/",
        start_new_session=True,
        encoding=encoding,
    )
