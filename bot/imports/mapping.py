"""The mapping file (bảng ghép cột): which column of a list is what. What the earlier software exported differs from
place to place, so the operator says it, once for each kind of list."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from locales import _
from storage.gazetteer import fold

FIELDS = (
    "name", "birth_year", "phone", "id_number", "subject_group", "unit_today", "unit_code", "commune", "district",
    "province", "title_year", "decision_number", "decision_date",
)  # fmt: skip
UNIT_FIELDS = ("unit_today", "unit_code", "commune")
CLEARED = ("phone", "id_number")  # fields that the operator may have left out where they are wrong
# Never read, whatever the mapping says: sensitive data (ethnicity, religion, pictures of papers and faces).
_FORBIDDEN = re.compile(
    r"\b(dan toc|ton giao|tin nguong|ethnic\w*|religio\w*|"
    r"(?:anh|hinh|file|tep|scan|photo|image)(?: \w+){0,4} (?:cccd|cmnd|can cuoc|chan dung|the|mat truoc|mat sau)|"
    r"anh(?! (?:chi|em|ba)\b)|hinh anh|photo|image|khuon mat|van tay|sinh trac\w*|biometric\w*)\b"
)
_LETTERS = re.compile(r"[A-Z]{1,2}")
_LETTER_OF = re.compile(r"(?:cot|column) ([a-z]{1,2})")  # folded
DELIMITERS = ",;\t|"
MOST_GROUND, MOST_BY = 200, 80  # characters
_PARTS: Table[str, tuple[type, ...]] = {
    "source": (str,), "vintage": (str,), "basis": (dict,), "sheet": (str, int), "heading_row": (int,),
    "first_row": (int,), "encoding": (str,), "delimiter": (str,), "leave_out_wrong": (list,), "units_anywhere": (bool,),
    "columns": (dict,), "same": (dict,), "groups": (dict,), "units": (dict,),
}  # fmt: skip
_BASIS: Table[str, int] = {"ground": MOST_GROUND, "confirmed_by": MOST_BY, "confirmed_on": 0}
_REST = "*"  # of [groups]: whatever is not named


class ImportFault(Exception):
    """The file or the mapping cannot be used as it is: what is wrong and what mends it (``text``)."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping as read.

    ``basis``: on what ground the people of the list are held here, who confirmed that and on which day; empty where the
    mapping does not say it: then it serves for trials only. ``columns``: field → heading, or letter of the column;
    ``same``: field → the value of every row; ``groups``: folded text → subject group, ``*`` for the rest; ``units``:
    folded text or code of a unit as the list has it → its code of today; ``units_anywhere``: it need not be one
    that the old unit became.
    """

    source: str
    vintage: str
    columns: Table[str, str]
    sheet: str | int | None = None
    heading_row: int | None = None
    first_row: int | None = None
    encoding: str = ""
    delimiter: str = ""
    leave_out_wrong: frozenset[str] = frozenset()
    units_anywhere: bool = False
    same: Table[str, str] = field(default_factory=dict)
    groups: Table[str, str] = field(default_factory=dict)
    units: Table[str, str] = field(default_factory=dict)
    basis: str = ""

    def has(self, name: str) -> bool:
        """Does every row have this field, from a column or the same for all?"""
        return name in self.columns or name in self.same


def forbidden(heading: str) -> bool:
    """Is a column with this heading never read in (ethnicity, religion, pictures of papers)?"""
    return _FORBIDDEN.search(fold(heading)) is not None


def is_letter(column: str) -> bool:
    """May this be the letter of a column (``B``)? Headings are called so too: ``TT``, ``HT``."""
    return _LETTERS.fullmatch(column) is not None


def letter_of(column: str) -> str:
    """``F`` of ``cột F`` or ``column F``, which can be nothing but a letter; else ``""``."""
    found = _LETTER_OF.fullmatch(fold(column))
    return found[1].upper() if found else ""


def read_mapping(file: Path) -> Mapping:
    """The mapping in a TOML file; every fault of it in one :class:`ImportFault`, a line each. Raises ``OSError``."""
    try:
        given = tomllib.loads(file.read_text("utf-8"))
    except UnicodeDecodeError:
        raise ImportFault(_("cli.import.map.utf8", file=file.name)) from None
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"line (\d+)", str(error))
        raise ImportFault(_("cli.import.map.toml", file=file.name, line=where[1] if where else "?")) from None
    faults = _faults(given)
    if faults:
        raise ImportFault("\n".join(f"{file.name}: {fault}" for fault in faults))
    return Mapping(
        source=given["source"].strip(),
        vintage=given["vintage"],
        columns={name: str(column).strip() for name, column in given["columns"].items()},
        sheet=given.get("sheet"),
        heading_row=given.get("heading_row"),
        first_row=given.get("first_row"),
        encoding=given.get("encoding", ""),
        delimiter=given.get("delimiter", ""),
        leave_out_wrong=frozenset(given.get("leave_out_wrong", ())),
        units_anywhere=given.get("units_anywhere", False),
        same={name: str(value).strip() for name, value in given.get("same", {}).items()},
        groups={fold(text) or _REST: group for text, group in given.get("groups", {}).items()},
        units={fold(text): str(code).strip() for text, code in given.get("units", {}).items()},
        basis=_basis(given["basis"]) if "basis" in given else "",
    )


def _basis(given: dict[str, Any]) -> str:
    ground, by = (" ".join(given[name].split()) for name in ("ground", "confirmed_by"))
    return f"{ground}; {by}, {given['confirmed_on']:%d/%m/%Y}"


def group_of(mapping: Mapping, text: str) -> str | None:
    """The subject group that a text of the list stands for; ``None``: the mapping does not say."""
    return mapping.groups.get(_folded(text), mapping.groups.get(_REST))


@lru_cache(maxsize=256)  # a list has a handful of groups and tens of thousands of rows
def _folded(text: str) -> str:
    return fold(text)


def _faults(given: dict[str, Any]) -> list[str]:
    found = [
        _("cli.import.map.unknown", key=key, known=", ".join(_PARTS)) for key in sorted(given.keys() - _PARTS.keys())
    ]
    found += [
        _("cli.import.map.wrong", key=key)
        for key, types in _PARTS.items()
        if key in given and (not isinstance(given[key], types) or (isinstance(given[key], bool) and bool not in types))
    ]
    found += [
        _("cli.import.map.missing", key=key)
        for key in ("source", "vintage", "columns")
        if key not in given or given[key] in ("", {})
    ]
    if found:
        return found
    # Here, for the process that reads a list knows of no database and starts in a fifth of the time.
    import criteria
    from storage.codes import PRE_2025, VINTAGE_2025

    columns, same = given["columns"], given.get("same", {})
    for part, fields in (("columns", columns), ("same", same)):
        found += [
            _("cli.import.map.unknown", key=f"{part}.{name}", known=", ".join(FIELDS))
            for name in sorted(fields.keys() - set(FIELDS))
        ]
        found += [
            _("cli.import.map.wrong", key=f"{part}.{name}")
            for name, value in fields.items()
            if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip()
        ]
    found += [_("cli.import.map.twice", key=name) for name in sorted(columns.keys() & same.keys())]
    found += [
        _("cli.import.map.forbidden", key=f"columns.{name}", heading=heading)
        for name, heading in columns.items()
        if isinstance(heading, str) and forbidden(heading)
    ]
    if "name" not in columns:
        found.append(_("cli.import.map.missing", key="columns.name"))
    if not {"birth_year", "phone", "id_number"} & columns.keys():
        found.append(_("cli.import.map.missing", key="columns.birth_year"))
    if not (columns.keys() | same.keys()) & set(UNIT_FIELDS):
        found.append(_("cli.import.map.missing", key="columns.commune"))
    if given["vintage"] not in (PRE_2025, VINTAGE_2025):
        found.append(_("cli.import.map.vintage", old=PRE_2025, new=VINTAGE_2025))
    if all(isinstance(each, str) and letter_of(each) for each in columns.values()) and "first_row" not in given:
        found.append(_("cli.import.map.first_row"))
    if given.get("delimiter", ",") not in tuple(DELIMITERS):
        found.append(_("cli.import.map.wrong", key="delimiter"))
    found += _faults_of_basis(given.get("basis"))
    found += [
        _("cli.import.map.wrong", key="leave_out_wrong")
        for each in given.get("leave_out_wrong", ())
        if each not in CLEARED
    ]
    known = {group.id for group in criteria.builtin().subject_groups}
    found += [
        _("cli.import.map.group", text=text, known=", ".join(sorted(known)))
        for text, group in given.get("groups", {}).items()
        if not isinstance(group, str) or group not in known
    ]
    if not given.get("groups"):
        found.append(_("cli.import.map.missing", key="groups"))
    found += [
        _("cli.import.map.wrong", key=f"units.{text}")
        for text, code in given.get("units", {}).items()
        if not isinstance(code, str)
    ]
    return found


def _faults_of_basis(basis: dict[str, Any] | None) -> list[str]:
    if basis is None:
        return []
    found = [
        _("cli.import.map.unknown", key=f"basis.{name}", known=", ".join(_BASIS))
        for name in sorted(basis.keys() - _BASIS.keys())
    ]
    for name, most in _BASIS.items():
        value = basis.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            found.append(_("cli.import.map.missing", key=f"basis.{name}"))
        elif not (isinstance(value, str) and len(value) <= most if most else _is_day(value)):
            found.append(_("cli.import.map.wrong", key=f"basis.{name}"))
    return found


def _is_day(value: Any) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)
