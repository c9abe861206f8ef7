"""Reading a list (XLSX, CSV) row by row, from whoever sent it: bounded in size, without formulas, macros or entities.

Of a cell only its value is taken; what stands in a column that the mapping does not name is dropped here. What a file
unpacks to in memory is bounded by the process that reads it: :mod:`bot.imports.apart`.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, TextIO

from bot.imports.mapping import DELIMITERS, ImportFault, Mapping, forbidden, is_letter, letter_of
from locales import _, number
from storage.gazetteer import fold

MOST_ROWS: Final = 200_000
MOST_COLUMNS: Final = 120
MOST_LINES: Final = 1_048_576  # of a sheet of Excel
MOST_BYTES: Final = 64 * 2**20  # of a file as it lies there
MOST_CSV_BYTES: Final = 256 * 2**20
# Unpacked: a sheet is read as a stream, shared texts and the rest are held in memory.
MOST_SHEET, MOST_TEXTS, MOST_REST, MOST_PARTS = 1024 * 2**20, 64 * 2**20, 16 * 2**20, 2_000
PICTURES: Final = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".emf", ".wmf", ".tif", ".tiff")
MOST_CELL: Final = 2_000  # characters: what is longer is no name, number or place
MOST_LINE: Final = 2**20  # characters of a line of CSV
HEADING_LINES: Final = 40  # in which the headings are looked for
_OLE: Final = b"\xd0\xcf\x11\xe0"  # .xls, and .xlsx under a password


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that holds a formula: neither it nor what it last came to is taken."""


FORMULA: Final = Formula()
Cell = str | int | float | date | Formula | None  # a datetime is a date


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the file: its number as Excel counts, its cells."""

    number: int
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields stand. ``places``: field → column (from 0); ``headings``: field → what it is called in the file;
    ``left_out``: headings that the mapping does not name; ``never``: headings of columns that are never read;
    ``sheet``: title of the sheet that is read, empty for a CSV."""

    first_row: int
    places: dict[str, int]
    headings: dict[str, str]
    left_out: tuple[str, ...]
    never: tuple[str, ...]
    sheet: str = ""


def digest(file: Path) -> str:
    """The SHA-256 (hex) of a file. Raises ``OSError``."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextmanager
def rows_of(file: Path, mapping: Mapping) -> Iterator[tuple[Layout, Iterator[Line]]]:
    """The layout of a file and, one after another, the rows of its list; empty ones are passed over.

    Raises :class:`ImportFault` for a file that is not a list, is too large, or lacks a column that the mapping names;
    also while rows are read. Raises ``OSError``.
    """
    with _opened(file, mapping) as (title, lines):
        head = list(islice(lines, HEADING_LINES))
        layout = replace(_layout(head, mapping), sheet=title)
        yield layout, _data(chain(head, lines), layout)


@contextmanager
def _opened(file: Path, mapping: Mapping) -> Iterator[tuple[str, Iterator[Line]]]:
    """The title of the sheet and its lines."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        start = opened.read(4)
    if start == _OLE:
        raise ImportFault(_("cli.import.file.old"))
    zipped = start.startswith(b"PK\x03\x04")
    if size > (MOST_BYTES if zipped else MOST_CSV_BYTES):
        raise ImportFault(_("cli.import.file.large", size=number(size / 2**20), most=number(MOST_BYTES / 2**20)))
    with _workbook(file, mapping) if zipped else _text(file, mapping) as found:
        yield found


def _data(lines: Iterator[Line], layout: Layout) -> Iterator[Line]:
    found, wanted = 0, frozenset(layout.places.values())
    for line in lines:
        if line.number < layout.first_row or all(cell is None for cell in line.cells):
            continue
        found += 1
        if found > MOST_ROWS:
            raise ImportFault(_("cli.import.file.rows", most=number(MOST_ROWS)))
        yield Line(line.number, [cell if place in wanted else None for place, cell in enumerate(line.cells)])


# ------------------------------------------------------------------------------------------ XLSX


@contextmanager
def _workbook(file: Path, mapping: Mapping) -> Iterator[tuple[str, Iterator[Line]]]:
    import warnings

    import defusedxml  # noqa: F401 - openpyxl parses with it where it is there, and it must be
    from openpyxl import load_workbook

    _check_parts(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it does not read: none of it is wanted
        try:
            book = load_workbook(file, read_only=True, data_only=False, keep_links=False)
        except MemoryError:
            raise ImportFault(_("cli.import.file.bomb")) from None
        except Exception as error:  # whatever a hostile file makes of the parser
            raise ImportFault(_("cli.import.file.broken", reason=_reason(error))) from error
        try:
            sheet = _sheet(book, mapping)
            yield sheet.title, _cells(sheet)
        finally:
            book.close()


def _reason(error: BaseException) -> str:
    """The kind of error at the root: its words may quote the file."""
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__


def _check_parts(file: Path) -> None:
    """No part may unpack to more than is reasonable; what a part says of its size is also the most that is read.

    A name binds nobody: the list of contents may call any part, a picture too, the shared texts. So none is left out,
    and what a name allows too much is stopped by the memory that the process may take."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError) as error:
        raise ImportFault(_("cli.import.file.broken", reason=type(error).__name__)) from error
    if len(parts) > MOST_PARTS:
        raise ImportFault(_("cli.import.file.bomb"))
    for part in parts:
        name = part.filename.lower()
        if "worksheets/" in name and name.endswith(".xml"):
            most = MOST_SHEET
        else:
            most = MOST_TEXTS if "sharedstrings" in name or name.endswith(PICTURES) else MOST_REST
        if part.file_size > most or part.flag_bits & 1:
            raise ImportFault(_("cli.import.file.bomb"))


def _sheet(book: Any, mapping: Mapping) -> Any:
    sheets = [each for each in book.worksheets if each.title]
    names = ", ".join(f'"{each.title}"' for each in sheets)
    if not sheets:
        raise ImportFault(_("cli.import.file.broken", reason="-"))
    if mapping.sheet is None:
        if len(sheets) > 1:
            raise ImportFault(_("cli.import.file.which_sheet", names=names))
        return sheets[0]
    if isinstance(mapping.sheet, int):
        if 1 <= mapping.sheet <= len(sheets):
            return sheets[mapping.sheet - 1]
    else:
        for each in sheets:
            if fold(each.title) == fold(mapping.sheet):
                return each
    raise ImportFault(_("cli.import.file.no_sheet", name=mapping.sheet, names=names))


def _cells(sheet: Any) -> Iterator[Line]:
    from openpyxl.cell.read_only import EMPTY_CELL

    sheet.reset_dimensions()  # what a sheet says of its size may be wrong, or a trap
    rows = sheet.iter_rows(max_col=MOST_COLUMNS)
    at, empty = 0, None
    while True:
        try:
            row = next(rows, None)
        except MemoryError:  # a row is held whole before its columns are counted
            raise ImportFault(_("cli.import.file.bomb")) from None
        except Exception as error:
            raise ImportFault(_("cli.import.file.broken_at", row=number(at + 1), reason=_reason(error))) from error
        if row is None:
            return
        at += 1
        if at > MOST_LINES:
            raise ImportFault(_("cli.import.file.rows", most=number(MOST_ROWS)))
        # Whoever formats a column leaves a million empty rows behind; those that are not there at all are one object.
        if row is empty or all(cell is EMPTY_CELL for cell in row):
            empty = row
            continue
        yield Line(at, [None if cell is EMPTY_CELL else _value(cell) for cell in row])


def _value(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return None
    if cell.data_type == "f":
        return FORMULA
    if isinstance(value, bool) or not isinstance(value, str | int | float | date):
        return None if cell.data_type == "e" else str(value)[:MOST_CELL]
    return _cut(value) if isinstance(value, str) else value


def _cut(text: str) -> str | None:
    return text.strip()[:MOST_CELL] or None


# ------------------------------------------------------------------------------------------ CSV


@contextmanager
def _text(file: Path, mapping: Mapping) -> Iterator[tuple[str, Iterator[Line]]]:
    encoding = mapping.encoding or _encoding(file)
    try:
        opened = file.open(encoding=encoding, newline="")
    except (LookupError, ValueError):  # no such encoding, or one that is none of text (base64)
        raise ImportFault(_("cli.import.file.encoding", encoding=encoding)) from None
    with opened:
        try:
            start = opened.read(64 * 1024).splitlines()[:20]
            opened.seek(0)
        except UnicodeError:
            raise ImportFault(_("cli.import.file.encoding", encoding=encoding)) from None
        delimiter = mapping.delimiter or max(DELIMITERS, key=lambda sign: sum(line.count(sign) for line in start))
        yield "", _records(_bounded(opened), delimiter, encoding)


def _bounded(opened: TextIO) -> Iterator[str]:
    """The lines of a text, none of which may be longer than a list has any."""
    while line := opened.readline(MOST_LINE):
        if len(line) == MOST_LINE:
            raise ImportFault(_("cli.import.file.bomb"))
        yield line


def _encoding(file: Path) -> str:
    with file.open("rb") as opened:
        start = opened.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"


def _records(opened: Iterator[str], delimiter: str, encoding: str) -> Iterator[Line]:
    reader = csv.reader(opened, delimiter=delimiter)
    at = 0
    while True:
        try:
            record = next(reader, None)
        except MemoryError:  # a record may have any number of cells
            raise ImportFault(_("cli.import.file.bomb")) from None
        except csv.Error:
            raise ImportFault(_("cli.import.file.broken_at", row=number(at + 1), reason="CSV")) from None
        except UnicodeError:
            raise ImportFault(_("cli.import.file.encoding", encoding=encoding)) from None
        if record is None:
            return
        at += 1
        if at > MOST_LINES:
            raise ImportFault(_("cli.import.file.rows", most=number(MOST_ROWS)))
        yield Line(at, [_written(text) for text in record[:MOST_COLUMNS]])


def _written(text: str) -> Cell:
    text = text.strip()[:MOST_CELL]
    if text.startswith("=") and text[1:2] == '"' and text.endswith('"'):  # ="0912345678": how a program keeps the 0
        text = text[2:-1]
    return FORMULA if text.startswith("=") else text or None


# ------------------------------------------------------------------------------------------ headings


def _layout(head: list[Line], mapping: Mapping) -> Layout:
    """Headings may stand in one row or, under merged cells, in two or three; empty and title rows may stand above.

    A column that the mapping calls ``B`` is the one with that heading, where there is one."""
    letters = {name: _index(letter_of(column)) for name, column in mapping.columns.items() if letter_of(column)}
    named = {name: column for name, column in mapping.columns.items() if name not in letters}
    bare = all(map(is_letter, named.values()))
    if bare and mapping.first_row is not None:
        letters |= {name: _index(column) for name, column in named.items()}
        _refuse_forbidden(head, mapping.first_row, letters)
        return Layout(mapping.first_row, letters, dict(mapping.columns), (), ())
    wanted = {fold(column) for column in named.values()}
    best: tuple[int, int, dict[int, tuple[str, ...]]] | None = None
    for last, line in enumerate(head):
        if mapping.heading_row is not None and line.number != mapping.heading_row:
            continue
        for depth in (1, 2, 3):
            if depth > last + 1:
                break
            called = _called([each.cells for each in head[last + 1 - depth : last + 1]])
            hits = len(wanted & {fold(text) for texts in called.values() for text in texts})
            if best is None or hits > best[0]:
                best = (hits, line.number, called)
    if best is None:
        raise ImportFault(_("cli.import.file.empty"))
    hits, last_row, called = best
    if bare and not hits:
        raise ImportFault(_("cli.import.map.first_row"))
    places = dict(letters)
    for name, column in named.items():
        found = [place for place, texts in called.items() if fold(column) in map(fold, texts)]
        if not found and is_letter(column) and _index(column) < MOST_COLUMNS:
            found = [_index(column)]
        if not found:
            seen = ", ".join(_seen(head, last_row, called, no_row=mapping.heading_row is not None and not hits))
            raise ImportFault(_("cli.import.file.no_column", heading=column, row=number(last_row), seen=seen[:600]))
        if len(found) > 1:
            at = ", ".join(map(_letter, found))
            raise ImportFault(_("cli.import.file.column_twice", heading=column, letters=at, first=_letter(found[0])))
        places[name] = found[0]
    first_row = mapping.first_row or last_row + 1
    _refuse_forbidden(head, first_row, places)
    others = [texts for place, texts in called.items() if place not in places.values()]
    return Layout(
        first_row,
        places,
        {name: mapping.columns[name] for name in places},
        tuple(texts[-1] for texts in others if not any(map(forbidden, texts))),
        tuple(texts[-1] for texts in others if any(map(forbidden, texts))),
    )


def _seen(head: list[Line], row: int, called: dict[int, tuple[str, ...]], no_row: bool) -> Iterator[str]:
    """The headings that there are; only the letters of their columns where the row is one of data, or named wrongly:
    what stands in it is somebody's."""
    (cells,) = (line.cells for line in head if line.number == row)
    data = no_row or any(
        isinstance(cell, int | float | date) or len(re.findall(r"\d", str(cell or ""))) > 3 for cell in cells
    )
    for place, texts in called.items():
        yield _letter(place) if data else f'"{texts[-1]}"'


def _refuse_forbidden(head: list[Line], first_row: int, places: dict[str, int]) -> None:
    """A column named by its letter, or by a second heading, may be one that is never read."""
    for line in head:
        for name, place in places.items():
            text = _heading(line.cells[place]) if line.number < first_row and place < len(line.cells) else ""
            if forbidden(text):
                raise ImportFault(_("cli.import.map.forbidden", key=f"columns.{name}", heading=text))


def _called(block: Sequence[Sequence[Cell]]) -> dict[int, tuple[str, ...]]:
    """Column → what it is called: each heading above it, and all together: ``Nơi ở``, ``Xã``, ``Nơi ở / Xã``.

    A merged cell says its text in its first column only, so one of the upper rows goes on to the right while there is a
    heading below it.
    """
    width = max((len(cells) for cells in block), default=0)
    found: dict[int, tuple[str, ...]] = {}
    over = [""] * len(block)
    for place in range(width):
        own = [_heading(cells[place]) if place < len(cells) else "" for cells in block]
        if not any(own):
            continue
        for n, text in enumerate(own):
            if text or n == len(block) - 1 or not any(own[n + 1 :]):
                over[n] = text
        full = [over[n] if n < len(block) - 1 and not text else text for n, text in enumerate(own)]
        texts = [text for text in dict.fromkeys(own) if text]
        joined = " / ".join(text for text in full if text)
        found[place] = tuple(dict.fromkeys((joined, *texts)))
    return found


def _heading(cell: Cell) -> str:
    return " ".join(str(cell).split())[:80] if isinstance(cell, str | int | float) else ""


def _index(letters: str) -> int:
    found = 0
    for letter in letters:
        found = found * 26 + ord(letter) - 64
    return found - 1


def _letter(place: int) -> str:
    return chr(65 + place) if place < 26 else chr(64 + place // 26) + chr(65 + place % 26)
