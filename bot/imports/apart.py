"""Reading a list in a process of its own, bounded in memory and time: what a small file unpacks to may be anything, and
beside it runs the bot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, Final

from bot import child
from bot.imports import worker
from bot.imports.mapping import ImportFault, Mapping
from bot.imports.sheets import FORMULA, Layout, Line
from locales import _, voice

MOST_ANSWER: Final = 64 * 2**20  # characters of a line: a batch of rows that are as wide and long as cells may be


@contextmanager
def rows_of(file: Path, mapping: Mapping) -> Iterator[tuple[Layout, Iterator[Line]]]:
    """As :func:`bot.imports.sheets.rows_of`, in a process of :data:`bot.imports.worker.MEMORY` bytes at most.

    Raises :class:`ImportFault` also where the process came to its end. Raises ``OSError``.
    """
    with file.open("rb"):
        pass  # no file, no process
    process = child.start(worker.__name__, encoding="utf-8")
    try:
        assert process.stdin is not None and process.stdout is not None
        asked = {name: getattr(mapping, name) for name in worker.FIELDS}
        asked |= {"file": str(file.resolve()), "language": voice().language, "memory": worker.MEMORY}
        with process.stdin as questions:
            questions.write(json.dumps(asked) + "\n")
        told = _next(process.stdout)
        told |= {name: tuple(told[name]) for name in ("left_out", "never")}  # JSON has lists only
        yield Layout(**told), _lines(process.stdout)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _lines(answers: IO[str]) -> Iterator[Line]:
    while "end" not in (batch := _next(answers)):
        for number, cells in batch:
            yield Line(number, cells)


def _next(answers: IO[str]) -> Any:
    """The next answer; a fault is raised, also that there is none: the process took too much and is gone."""
    said = answers.readline(MOST_ANSWER)
    if not said.endswith("\n"):
        raise ImportFault(_("cli.import.file.bomb"))
    answer = json.loads(said, object_hook=_cell)
    if isinstance(answer, dict) and "fault" in answer:
        raise ImportFault(answer["fault"])
    return answer


def _cell(given: dict[str, Any]) -> Any:
    match given:
        case {"moment": str(when)}:
            return datetime.fromisoformat(when)
        case {"day": str(when)}:
            return date.fromisoformat(when)
        case {"formula": _text}:
            return FORMULA
    return given
