"""A bar: a measured value held against a floor."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Bar:
    """``at_least``: the value must reach the floor; otherwise it must stay below it."""

    name: str
    value: float
    floor: float
    at_least: bool
    notes: list[str] = field(default_factory=list)

    def line(self) -> str:
        """The line that ``make bench`` prints."""
        ok = self.value >= self.floor if self.at_least else self.value <= self.floor
        return f"bar {self.name} value {self.value:.4g} floor {self.floor:g} {'ok' if ok else 'short'}"


def fsyncs_a_second(folder: Path) -> float:
    """How many times a second this disk can write 4 KiB and flush it."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < 1.0:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            count += 1
        return count / (time.perf_counter() - began)


def seconds(work: Callable[[], object], times: int) -> float:
    """The median time of a piece of work."""
    found = []
    for _n in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def percentile(values: list[float], share: float) -> float:
    """The value below which that share lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
