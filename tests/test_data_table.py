"""docs/data.md names every column of every table once, nothing else, and the terms that the settings have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.settings import KeepSection
from storage.tables import metadata

DOCUMENT = Path(__file__).parent.parent / "docs" / "data.md"
ROW = re.compile(r"^\| `(\w+\.\w+)` \|(.*)\|$", re.MULTILINE)


@pytest.fixture(scope="module")
def rows() -> list[tuple[str, list[str]]]:
    """Each line of the tables: the column, and the five cells beside it."""
    found = ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
    return [(name, [cell.strip() for cell in cells.split("|")]) for name, cells in found]


def test_every_column_is_there_once_and_no_other(rows: list[tuple[str, list[str]]]) -> None:
    wanted = {f"{table.name}.{column.name}" for table in metadata.tables.values() for column in table.columns}
    named = [name for name, _cells in rows]
    missing = sorted(wanted - set(named))
    unknown = sorted(set(named) - wanted)
    twice = sorted({name for name in named if named.count(name) > 1})
    assert not (missing or unknown or twice), "docs/data.md:\n" + "\n".join(
        [f"missing: | `{name}` | … |" for name in missing]
        + [f"no such column: {name}" for name in unknown]
        + [f"twice: {name}" for name in twice]
    )


def test_no_cell_is_empty(rows: list[tuple[str, list[str]]]) -> None:
    assert [name for name, cells in rows if len(cells) != 5 or not all(cells)] == []


def test_the_terms_are_those_of_the_settings() -> None:
    defaults = KeepSection().model_dump()
    said = re.findall(r"`keep\.(\w+) = (\d+)`", DOCUMENT.read_text(encoding="utf-8"))
    assert sorted({(name, int(value)) for name, value in said}) == sorted(defaults.items())
