"""The process in which :mod:`bot.imports.apart` has a list read: what a hostile file makes of memory or time ends here.

On its standard input one line of JSON: the file, the mapping's part that reading takes, language, most memory; on its
standard output lines of JSON: the layout or a fault, then the rows in batches, then the end or a fault.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Iterator
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

MEMORY: Final = 768 * 2**20  # bytes of address space; a list of 200,000 rows takes a fifth of it
CPU_SECONDS: Final = 600  # 200,000 rows take three minutes of a slow core
BATCH: Final = 200  # rows in a line
FIELDS: Final = ("columns", "sheet", "heading_row", "first_row", "encoding", "delimiter")  # of the mapping


def main() -> None:
    """Read one file and say what is in it."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    os.dup2(2, 1)  # whatever a library prints is no answer
    asked = json.loads(sys.stdin.readline())
    # openpyxl takes it in for kinds of numbers that no file holds; it is 120 MB of address space.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    from locales import Voice, _, speaking

    with speaking(Voice(asked["language"])):
        _("cli.import.file.bomb")  # compiled before nothing can be written any more
        limit(asked["memory"])
        for answer in _answers(asked):
            answers.write(json.dumps(answer, default=_plain, ensure_ascii=False) + "\n")
    answers.flush()


def limit(memory: int) -> None:
    """Give way to a running bot, and take no more than a list takes; *memory* in bytes."""
    os.nice(5)
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _answers(asked: dict[str, Any]) -> Iterator[Any]:
    from bot.imports.mapping import ImportFault, Mapping
    from bot.imports.sheets import rows_of
    from locales import _

    try:
        given = Mapping("", "", **{name: asked[name] for name in FIELDS})
        with rows_of(Path(asked["file"]), given) as (layout, lines):
            yield {name: getattr(layout, name) for name in layout.__slots__}
            while batch := [(line.number, line.cells) for line in islice(lines, BATCH)]:
                yield batch
        yield {"end": True}
    except ImportFault as fault:
        yield {"fault": fault.text}
    except MemoryError:
        yield {"fault": _("cli.import.file.bomb")}
    except Exception as error:  # noqa: BLE001 - told as a fault; its words may quote the file
        yield {"fault": _("cli.import.file.broken", reason=type(error).__name__)}


def _plain(cell: Any) -> dict[str, str]:
    if isinstance(cell, datetime):
        return {"moment": cell.isoformat()}
    return {"day": cell.isoformat()} if isinstance(cell, date) else {"formula": ""}


if __name__ == "__main__":
    main()
