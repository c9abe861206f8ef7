"""``hoctap --help`` against ``python -c "import typer"``."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bars import Bar

TIMES = 15


def _took(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def measure() -> Bar:
    """The bar ``help``: the quickest of each, taken in turns."""
    ours = [str(Path(sys.executable).parent / "hoctap"), "--help"]
    plain = [sys.executable, "-c", "import typer"]
    for command in (ours, plain):
        _took(command)
    times = [(_took(ours), _took(plain)) for _n in range(TIMES)]
    help_, typer = (min(pair[side] for pair in times) for side in (0, 1))
    return Bar("help", help_ / typer, 1.5, False, [f"{help_ * 1000:.0f} ms against {typer * 1000:.0f} ms"])
