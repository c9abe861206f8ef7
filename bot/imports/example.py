"""The example that is shipped: a list as an export may look, of made-up people, and its mapping."""

from __future__ import annotations

import csv
from importlib import resources
from pathlib import Path

LIST, MAP = "danh-sach-mau.xlsx", "ghep-cot-mau.toml"


def write(folder: Path) -> tuple[Path, Path]:
    """Write both into a folder, in place of earlier ones; the list is an Excel file with two rows of headings and the
    numbers as Excel leaves them (the 0 in front eaten). Raises ``OSError``."""
    from openpyxl import Workbook

    given = resources.files("bot.imports")
    sheet, mapping = folder / LIST, folder / MAP
    mapping.write_text(given.joinpath("example.toml").read_text("utf-8"), "utf-8")
    book = Workbook()
    page = book.active
    assert page is not None
    for record in csv.reader(given.joinpath("example.csv").read_text("utf-8").splitlines()):
        page.append([_value(text) for text in record])
    for cells in ("A1:M1", "A3:A4", "B3:B4", "C3:C4", "F3:H3"):
        page.merge_cells(cells)
    book.save(sheet)
    return sheet, mapping


def _value(text: str) -> str | int | None:
    return int(text) if text.isdecimal() else text or None
