"""The official catalogue of units as the files in ``storage/data`` give it: pure reading, no database."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

__all__ = [
    "CENTRE",
    "DATA",
    "REFORM",
    "UNITS_OF_THE_ASSOCIATION",
    "Catalogue",
    "Edge",
    "OfficialUnit",
    "Version",
    "read",
]

DATA: Final = Path(__file__).parent / "data"
CENTRE: Final = "VN"
CENTRE_NAME: Final = "Trung ương Hội Khuyến học Việt Nam"
REFORM: Final = date(2025, 7, 1)  # the new communes exist since then, the old ones ended the day before
_LAST_DAY: Final = date(2025, 6, 30)

UNITS_OF_THE_ASSOCIATION: Final = (
    "chi_hoi",
    "to_hoi",
    "ban_khuyen_hoc",
    "thon",
    "ban",
    "khu_pho",
    "to_dan_pho",
    "truong",
    "co_quan",
)
FLAGS: Final = (
    "whole",
    "whole_district",
    "part_all_population",
    "part_suggested",
    "part",
    "part_population_only",
    "part_area_only",
)

_KINDS: Final = {
    "tỉnh": "tinh",
    "thành phố": "thanh_pho",
    "xã": "xa",
    "phường": "phuong",
    "thị trấn": "thi_tran",
    "đặc khu": "dac_khu",
    "huyện": "huyen",
}


@dataclass(frozen=True, slots=True)
class OfficialUnit:
    """A unit in its latest state. Old communes have no parent but the names of their district and province."""

    vintage: str
    code: str
    level: int
    parent: str | None
    path: str
    name: str
    kind: str
    valid_from: date | None
    valid_to: date | None
    old_district: str | None = None
    old_province: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """Name and kind of a unit of vintage 2025 from a day on, with the resolution that gave them."""

    code: str
    valid_from: date
    name: str
    kind: str
    decree: str | None


@dataclass(frozen=True, slots=True)
class Edge:
    """What became of an old commune (or a part of it, see the flags in ``storage/data/README.md``)."""

    old: str
    new: str
    flag: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything the files say; parents come before their children. ``edition`` changes when a file does."""

    units: tuple[OfficialUnit, ...]
    versions: tuple[Version, ...]
    edges: tuple[Edge, ...]
    edition: str


def read(folder: Path = DATA) -> Catalogue:
    """The catalogue in a folder laid out like ``storage/data``."""
    rows = _rows(folder / "units_2025.csv")
    kinds_of = {row["code"]: row for row in rows}
    units = [OfficialUnit("2025", CENTRE, 0, None, f"{CENTRE}/", CENTRE_NAME, "trung_uong", None, None)]
    for row in sorted(rows, key=lambda row: (row["level"], row["code"])):
        parent = row["parent_code"] or CENTRE
        above = f"{CENTRE}/{parent}" if row["parent_code"] else CENTRE
        units.append(
            OfficialUnit(
                "2025",
                row["code"],
                int(row["level"]),
                parent,
                f"{above}/{row['code']}/",
                row["name"],
                _KINDS[row["kind"]],
                REFORM,
                None,
            )
        )
    changes = {row["code"]: row for row in _rows(folder / "units_changes_2026.csv")}
    versions = []
    for code, row in kinds_of.items():
        now = (row["name"], _KINDS[row["kind"]])
        if change := changes.get(code):
            before = (change["name_2025_07_01"], _KINDS[change["kind_2025_07_01"]])
            versions.append(Version(code, REFORM, *before, None))
            since = date.fromisoformat(change["effective_date"])
            versions.append(Version(code, since, *now, change["resolution"]))
        else:
            versions.append(Version(code, REFORM, *now, None))
    old, edges = _old_communes(_rows(folder / "successors_2025.csv"))
    return Catalogue((*units, *old), tuple(versions), edges, _edition(folder))


def _old_communes(rows: list[dict[str, str]]) -> tuple[list[OfficialUnit], tuple[Edge, ...]]:
    old: dict[str, OfficialUnit] = {}
    edges = []
    for row in rows:
        district = row["old_district"]
        if row["share_or_flag"] == "whole_district":
            # An island district without communes had no commune code. H and the successor's code is our own name for
            # it; no poster ever carried one.
            code, name = f"H{row['new_ward_code']}", district
        else:
            code, name = row["old_ward_code"], row["old_ward_name"]
        if code not in old:
            old[code] = OfficialUnit(
                "pre-2025",
                code,
                2,
                None,
                f"OLD/{code}/",
                name,
                _kind_in(name),
                None,
                _LAST_DAY,
                district,
                row["old_province"],
            )
        edges.append(Edge(code, row["new_ward_code"], row["share_or_flag"]))
    return sorted(old.values(), key=lambda unit: unit.code), tuple(edges)


def _kind_in(name: str) -> str:
    lower = name.lower()
    return next(kind for word, kind in _KINDS.items() if lower.startswith(f"{word} "))


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _edition(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in ("units_2025.csv", "units_changes_2026.csv", "successors_2025.csv"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:16]
