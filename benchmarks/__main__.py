"""``make bench``: the bars of the project, a line each: ``bar NAME value V floor F ok|short``.

Ratios are taken in one run on one machine; noise is ±30 %. A bar that is short is reported short.
``python -m benchmarks dossier help`` runs only those named.
"""

from __future__ import annotations

import sys
import time

from benchmarks import (
    charts,
    dossier,
    flood,
    help_,
    hostile,
    loss,
    memory,
    push,
    pushing,
    render,
    report,
    size,
    turn,
    workers,
)
from benchmarks.bars import Bar

BARS = {
    "turn": turn.measure,
    "answer-wait": pushing.measure,
    "loss": loss.measure,
    "dossier": dossier.measure,
    "dossier-pg": dossier.measure_postgres,
    "size": size.measure,
    "workers": workers.measure,
    "memory": memory.measure,
    "render-p99": render.measure,
    "report": report.measure,
    "charts": charts.measure,
    "push": push.measure,
    "help": help_.measure,
    "flood": flood.measure,
    "hostile": hostile.measure,
}


def main(names: list[str]) -> int:
    """Measure; exit code 0 also when a bar is short (figures are facts, not tests)."""
    unknown = [name for name in names if name not in BARS]
    if unknown:
        print(f"no bar {unknown}; there are {list(BARS)}", file=sys.stderr)
        return 2
    for name in names or BARS:
        began = time.perf_counter()
        bar: Bar = BARS[name]()
        print(bar.line(), flush=True)
        for note in bar.notes:
            print(f"    {note}", flush=True)
        print(f"    ({time.perf_counter() - began:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
