"""Tables that people made in a spreadsheet and saved as CSV (bảng tính lưu thành CSV), with the quirks of Excel.

Separators ``,`` ``;`` tab; UTF-8 with or without its mark, UTF-16 with one (Excel's "Unicode text"); a line ``sep=;``;
a title and empty rows above the heading; empty rows and columns anywhere; line breaks and no-break spaces in cells.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from bot.cli.base import Stop
from locales import _, number
from storage.gazetteer import fold

MOST_BYTES = 8 * 2**20
MOST_ROWS = 20_000
_HEADING_WITHIN = 10  # rows from the first that is not empty


@dataclass(frozen=True, slots=True)
class Row:
    """A row that says something. ``number`` as the spreadsheet counts (the first is 1); ``cells`` by our names, empty
    where there is no such column; ``beyond``: cells to the right of the heading's last, which belong nowhere."""

    number: int
    cells: Mapping[str, str]
    beyond: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as read: our names of the columns with their headings as written, headings passed over, and rows."""

    headings: Mapping[str, str]
    ignored: tuple[str, ...]
    rows: tuple[Row, ...]


def read(file: Path, columns: Mapping[str, Sequence[str]], needed: Sequence[str]) -> Table:
    """The table in a file. *columns*: for each of our names the headings by which people call it, folded
    (:func:`storage.gazetteer.fold`), the surest first: of two columns that fit, the surer is read.

    Stops, with the mend: no table (an Excel file, too large, another encoding), no heading, a needed column missing.
    """
    lines = _lines(_text(file), columns)
    head, chosen = _heading(lines, columns)
    missing = [name for name in needed if name not in chosen]
    if missing:
        wanted = ", ".join(_(f"cli.table.column.{name}") for name in (missing if chosen else needed))
        raise Stop(_("cli.table.no_columns", file=file, columns=wanted))
    heading = lines[head]
    width = max((at + 1 for at, cell in enumerate(heading) if cell), default=0)
    rows = []
    for at, line in enumerate(lines[head + 1 :], head + 2):
        if not any(line):
            continue
        cells = {name: line[place] if place < len(line) else "" for name, place in chosen.items()}
        rows.append(Row(at, cells, tuple(cell for cell in line[width:] if cell)))
    if len(rows) > MOST_ROWS:
        raise Stop(_("cli.table.too_many", file=file, most=number(MOST_ROWS)))
    read_in = set(chosen.values())
    ignored = tuple(cell for at, cell in enumerate(heading) if cell and at not in read_in)
    return Table({name: heading[place] for name, place in chosen.items()}, ignored, tuple(rows))


def _text(file: Path) -> str:
    with file.open("rb") as source:
        raw = source.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise Stop(_("cli.table.too_large", file=file, most=number(MOST_BYTES // 2**20)))
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise Stop(_("cli.table.excel", file=file))
    try:
        text = raw.decode("utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError:
        raise Stop(_("cli.table.encoding", file=file)) from None
    if "\0" in text:
        raise Stop(_("cli.table.encoding", file=file))
    return text


def _lines(text: str, columns: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The cells, tidied, with the separator that shows the most headings."""
    first, _end, rest = text.partition("\n")
    if (separator := first.rstrip("\r").lower().removeprefix("sep=")) in (",", ";", "\t"):
        return _split(rest, separator)  # no spreadsheet counts that line among its rows
    return max((_split(text, separator) for separator in ",;\t"), key=lambda lines: len(_heading(lines, columns)[1]))


def _split(text: str, separator: str) -> list[list[str]]:
    # Not strict: Excel itself writes quotes that a strict reader refuses.
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator)
    try:
        return [[_tidy(cell) for cell in line] for line in reader]
    except csv.Error:
        return []


def _tidy(cell: str) -> str:
    """NFC, single spaces, nothing invisible."""
    words = unicodedata.normalize("NFC", cell).split()
    return " ".join("".join(char for char in word if char.isprintable()) for word in words)


def _heading(lines: list[list[str]], columns: Mapping[str, Sequence[str]]) -> tuple[int, dict[str, int]]:
    """The row that is the heading, from 0, and where each of our columns stands in it."""
    best: tuple[int, dict[str, int]] = (0, {})
    filled = [at for at, line in enumerate(lines) if any(line)][:_HEADING_WITHIN]
    for at in filled:
        folded = [fold(cell) for cell in lines[at]]
        chosen = {}
        for name, called in columns.items():
            place = next((folded.index(each) for each in called if each in folded), None)
            if place is not None:
                chosen[name] = place
        if len(chosen) > len(best[1]):
            best = at, chosen
    return best
