"""What is wrong with a criteria set or an overlay of local wording: all of it at once, each with its place.

A fault has a code and facts, no sentence: the catalogue says it under ``criteria.fault.<code>``.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from criteria import schema
from criteria.lines import Path, lines_of
from criteria.model import (
    EVIDENCE_KINDS,
    MODES,
    OVERLAY_PARTS,
    OVERLAY_STATUSES,
    STATUSES,
    CriteriaSet,
)
from criteria.schema import SCHEMA, Key
from criteria.wording import fill

FAULT_CODES: Mapping[str, tuple[str, ...]] = {
    "syntax": ("detail",),
    "not_utf8": ("detail",),
    "wrong_schema": ("found", "expected"),
    "missing_key": ("name",),
    "unknown_key": ("name",),
    "wrong_type": ("found", "expected"),
    "empty": (),
    "below_zero": ("found",),
    "bad_id": ("found", "expected"),
    "duplicate_id": ("found",),
    "missing_provenance": (),
    "missing_wording": ("language",),
    "too_long": ("found", "limit"),
    "not_nfc": (),
    "stray_character": ("found",),
    "unknown_placeholder": ("found",),
    "form_of_address": ("found",),
    "unknown_status": ("found", "allowed"),
    "unknown_group": ("found", "allowed"),
    "unknown_subject_group": ("found", "allowed"),
    "unknown_level": ("found", "allowed"),
    "unknown_kind": ("found", "allowed"),
    "unknown_mode": ("found", "allowed"),
    "unknown_overlay_part": ("found", "allowed"),
    "unknown_indicator": ("found", "allowed"),
    "missing_level": ("found",),
    "levels_uneven": ("found", "expected"),
    "points_not_decreasing": ("found", "previous"),
    "points_mismatch": ("found", "expected", "level"),
    "indicator_max": ("found", "expected"),
    "group_sum": ("found", "expected"),
    "total_sum": ("found", "expected"),
    "threshold_impossible": ("found", "lowest", "highest"),
    "required_from_impossible": ("found", "allowed"),
    "required_from_unused": (),
    "overlay_forbidden": ("name",),
    "overlay_base_unknown": ("found", "allowed"),
}
"""Every code with the names of its facts."""

Fact = str | int
Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """One error: *line* from 1 (``None`` where unknown), *key* such as ``indicator[A3].options[tot].points``.

    *facts* fill the placeholders of the sentence ``criteria.fault.<reason_code>``; their names are in
    :data:`FAULT_CODES`.
    """

    file: str
    line: int | None
    key: str
    reason_code: str
    facts: Mapping[str, Fact] = field(hash=False)


_SET_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.-]{0,19}")
_WORD_ID = re.compile(r"[a-z][a-z0-9_]{0,19}")
_GROUP_ID = re.compile(r"[A-Z]")
_INDICATOR_ID = re.compile(r"[A-Z][0-9]{1,2}")
_PROVINCE = re.compile(r"[0-9]{2}")

_AT = re.compile(r" \(at line (\d+), column \d+\)$")
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")
_ADDRESS = re.compile(r"ông/bà|anh/chị|cô/chú|cô/bác", re.IGNORECASE)
_LONGEST_ADDRESS = "anh/chị"


class _Report:
    """The faults found so far in one file."""

    def __init__(self, text: str, file: str, document: Table) -> None:
        self.text, self.file, self.document = text, file, document
        self.found: list[tuple[Path, str, dict[str, Fact]]] = []

    def add(self, path: Path, reason_code: str, **facts: Fact) -> None:
        """Note a fault; a code or fact that the catalogue does not know is a mistake of ours."""
        assert tuple(facts) == FAULT_CODES[reason_code], (reason_code, facts)
        self.found.append((path, reason_code, facts))

    def faults(self) -> list[Fault]:
        """All, by line then in the order found."""
        if not self.found:
            return []
        lines = lines_of(self.text)
        faults = [
            Fault(self.file, _line(lines, path), _spelled(self.document, path), reason_code, facts)
            for path, reason_code, facts in self.found
        ]
        return sorted(faults, key=lambda fault: fault.line or 0)


def _line(lines: Mapping[Path, int], path: Path) -> int | None:
    """The line of a key, or of the nearest table around it where the key itself is absent."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def _spelled(document: Table, path: Path) -> str:
    """``("indicator", 2, "points")`` → ``indicator[A3].points``: a list element goes by its own name if it has one."""
    spelled, at = "", document
    for step in path:
        at = _inside(at, step)
        if isinstance(step, str):
            spelled += f".{step}" if spelled else step
            continue
        names = [at.get(name) for name in ("id", "level", "ref")] if isinstance(at, dict) else []
        name = next((name for name in names if isinstance(name, str)), step)
        spelled += f"[{name}]"
    return spelled


def _inside(at: Any, step: str | int) -> Any:
    if isinstance(at, dict):
        return at.get(step)
    if isinstance(at, list) and isinstance(step, int) and step < len(at):
        return at[step]
    return None


def parse(text: str, file: str) -> tuple[dict[str, Any], list[Fault]]:
    """The TOML document, or an empty one and the one fault of its syntax (tomllib stops at the first)."""
    try:
        return tomllib.loads(text), []
    except tomllib.TOMLDecodeError as error:
        detail = str(error)
        at = _AT.search(detail)
        last = text.count("\n") + 1
        line = int(at[1]) if at else last
        fault = Fault(file, line, "", "syntax", {"detail": _AT.sub("", detail)})
    except RecursionError:
        fault = Fault(file, None, "", "syntax", {"detail": "nested too deeply"})
    return {}, [fault]


def is_overlay(document: Table) -> bool:
    """Whether the file is meant as local wording on a set rather than as a set."""
    return "base" in document


def check_set(text: str, file: str, document: Table) -> list[Fault]:
    """Every fault of a criteria set. *document* is *text* as parsed; *file* is only named, never opened."""
    report = _Report(text, file, document)
    _table(report, (), document, schema.SET)
    _schema(report, document)
    _pattern(report, ("id",), document.get("id"), _SET_ID, "cdht-2021-2030")
    _pattern(report, ("version",), document.get("version"), _VERSION, "1.0.0")
    _one_of(report, ("status",), document.get("status"), STATUSES, "unknown_status")
    for path, basis in _tables(document, "legal_basis"):
        _table(report, path, basis, schema.LEGAL_BASIS)
    _distinct(report, document, "legal_basis", "ref")
    points = _check_scoring(report, document)
    _check_thresholds(report, document, points)
    if isinstance(rule := document.get("overlay"), dict):
        _table(report, ("overlay",), rule, schema.OVERLAY_RULE)
        _each_one_of(report, ("overlay", "allowed"), rule, OVERLAY_PARTS, "unknown_overlay_part")
    for path, subject_group in _tables(document, "subject_group"):
        _table(report, path, subject_group, schema.SUBJECT_GROUP)
        _pattern(report, (*path, "id"), subject_group.get("id"), _WORD_ID, "nong_dan")
    _distinct(report, document, "subject_group")
    for path, group in _tables(document, "group"):
        _table(report, path, group, schema.GROUP)
        _pattern(report, (*path, "id"), group.get("id"), _GROUP_ID, "A")
    _distinct(report, document, "group")
    groups = _ids(document, "group")
    subject_groups = _ids(document, "subject_group")
    for path, indicator in _tables(document, "indicator"):
        _table(report, path, indicator, schema.INDICATOR)
        _pattern(report, (*path, "id"), indicator.get("id"), _INDICATOR_ID, "A1")
        _one_of(report, (*path, "group"), indicator.get("group"), groups, "unknown_group")
        _check_options(report, path, indicator, points)
        _check_evidence(report, path, indicator, points)
        _check_variants(report, path, indicator, subject_groups)
    _distinct(report, document, "indicator")
    _check_sums(report, document)
    return report.faults()


def check_overlay(text: str, file: str, document: Table, bases: Mapping[str, CriteriaSet]) -> list[Fault]:
    """Every fault of local wording. *bases* are the sets it may rest on, by ``"<id> <version>"``."""
    report = _Report(text, file, document)
    _table(report, (), document, schema.OVERLAY, known_elsewhere=schema.SET)
    _schema(report, document)
    _pattern(report, ("id",), document.get("id"), _SET_ID, "quang-ninh")
    _pattern(report, ("province",), document.get("province"), _PROVINCE, "22")
    _one_of(report, ("status",), document.get("status"), OVERLAY_STATUSES, "unknown_status")
    wanted = f"{document.get('base')} {document.get('base_version')}"
    base = bases.get(wanted)
    if base is None and isinstance(document.get("base_version"), str):
        report.add(("base",), "overlay_base_unknown", found=wanted, allowed=_listed(bases))
    for path, local in _tables(document, "indicator"):
        _table(report, path, local, schema.LOCAL_INDICATOR, known_elsewhere=schema.INDICATOR)
        for option_path, option in _tables(local, "options", path):
            _table(report, option_path, option, schema.LOCAL_OPTION, known_elsewhere=schema.OPTION)
        _distinct(report, local, "options", "level", path)
        if isinstance(evidence := local.get("evidence"), dict):
            _table(report, (*path, "evidence"), evidence, schema.LOCAL_EVIDENCE, known_elsewhere=schema.EVIDENCE)
        if base is not None:
            _check_against_base(report, path, local, base)
    _distinct(report, document, "indicator")
    return report.faults()


def _check_against_base(report: _Report, path: Path, local: Table, base: CriteriaSet) -> None:
    """An overlay names only what its base has, and changes only what the base lets a province change."""
    indicators = [indicator.id for indicator in base.indicators]
    _one_of(report, (*path, "id"), local.get("id"), indicators, "unknown_indicator")
    levels = [level.id for level in base.levels]
    for option_path, option in _tables(local, "options", path):
        _one_of(report, (*option_path, "level"), option.get("level"), levels, "unknown_level")
    _check_variants(report, path, local, [group.id for group in base.subject_groups])
    for name in local:
        part = {"evidence": "evidence", "example_vi": "examples", "example_en": "examples"}.get(name, "wording")
        if name in schema.LOCAL_INDICATOR and name != "id" and part not in base.overlay_may_change:
            report.add((*path, name), "overlay_forbidden", name=name)


# ---------------------------------------------------------------- one table: its keys and their types


def _table(
    report: _Report, path: Path, table: Table, shape: Mapping[str, Key], known_elsewhere: Iterable[str] = ()
) -> None:
    """Check a table's keys: none missing, none unknown, each of its type, each text fit to be read."""
    for name, key in shape.items():
        if name in table:
            _value(report, (*path, name), name, table[name], key)
        elif key.required or _partner(name) in table:
            _missing(report, (*path, name), name)
    for name in table:
        if name not in shape:
            code = "overlay_forbidden" if name in known_elsewhere else "unknown_key"
            report.add((*path, name), code, name=name)


def _language(name: str) -> str | None:
    """``question_vi`` → ``vi``; ``None`` for a key that is no wording."""
    language = name.rpartition("_")[2]
    return language if language in ("vi", "en") else None


def _partner(name: str) -> str | None:
    """The same wording in the other language."""
    language = _language(name)
    if language is None:
        return None
    return name[:-2] + ("en" if language == "vi" else "vi")


def _missing(report: _Report, path: Path, name: str) -> None:
    if language := _language(name):
        report.add(path, "missing_wording", language=language)
    elif name.endswith("provenance"):
        report.add(path, "missing_provenance")
    else:
        report.add(path, "missing_key", name=name)


def _value(report: _Report, path: Path, name: str, value: Any, key: Key) -> None:
    """Check one value against its key: type first, then what its type allows."""
    if not _is(value, key.type):
        report.add(path, "wrong_type", found=_type(value), expected=key.type)
    elif isinstance(value, str):
        _text(report, path, name, value, key)
    elif isinstance(value, list):
        if not value:
            report.add(path, "empty")
        for index, element in enumerate(value):
            if isinstance(element, str):
                _text(report, (*path, index), name, element, key)
            elif isinstance(element, int) and element < 0:
                report.add((*path, index), "below_zero", found=element)
    elif isinstance(value, int) and value < 0:
        report.add(path, "below_zero", found=value)


_PLAIN_TYPES: Mapping[str, type] = {"string": str, "integer": int, "boolean": bool, "date": date, "table": dict}


def _is(value: Any, expected: str) -> bool:
    if expected.startswith("array of "):
        single = expected.removeprefix("array of ").removesuffix("s")
        return isinstance(value, list) and all(_is(element, single) for element in value)
    return _type(value) == expected


def _type(value: Any) -> str:
    """What TOML calls the type of a value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, datetime):
        return "date-time"
    for name, type_ in _PLAIN_TYPES.items():
        if isinstance(value, type_):
            return name
    return {"list": "array", "float": "float"}.get(type(value).__name__, type(value).__name__)


def _text(report: _Report, path: Path, name: str, text: str, key: Key) -> None:
    """Check a text: there, composed (NFC), and where a person reads it fit for a phone and for any reader."""
    if not text.strip():
        _missing(report, path, name) if _language(name) or name.endswith("provenance") else report.add(path, "empty")
        return
    if not unicodedata.is_normalized("NFC", text):
        report.add(path, "not_nfc")
    if _language(name) is None:
        return
    stray = next((char for char in text if unicodedata.category(char).startswith("C")), None)
    if stray is None and text != text.strip():
        stray = text[0] if text[0].isspace() else text[-1]
    if stray is not None:
        report.add(path, "stray_character", found=f"U+{ord(stray):04X}")
    for braces in _BRACES.findall(text):
        if not key.address or braces not in ("{you}", "{You}"):
            report.add(path, "unknown_placeholder", found=braces)
    if address := _ADDRESS.search(text):
        report.add(path, "form_of_address", found=address[0])
    length = len(fill(unicodedata.normalize("NFC", text), _LONGEST_ADDRESS))
    if key.limit is not None and length > key.limit:
        report.add(path, "too_long", found=length, limit=key.limit)


# ---------------------------------------------------------------- what holds between keys


def _tables(table: Table, name: str, path: Path = ()) -> list[tuple[Path, dict[str, Any]]]:
    """The tables of a list of tables with their paths; none where the list is missing or wrong."""
    found = table.get(name)
    if not isinstance(found, list):
        return []
    return [((*path, name, index), each) for index, each in enumerate(found) if isinstance(each, dict)]


def _ids(document: Table, name: str) -> list[str]:
    return [table["id"] for _, table in _tables(document, name) if isinstance(table.get("id"), str)]


def _int(table: Table, name: str) -> int | None:
    value = table.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values)


def _schema(report: _Report, document: Table) -> None:
    found = _int(document, "schema")
    if found is not None and found != SCHEMA:
        report.add(("schema",), "wrong_schema", found=found, expected=SCHEMA)


def _pattern(report: _Report, path: Path, value: Any, pattern: re.Pattern[str], example: str) -> None:
    if isinstance(value, str) and value.strip() and not pattern.fullmatch(value):
        report.add(path, "bad_id", found=value, expected=example)


def _one_of(report: _Report, path: Path, value: Any, allowed: Iterable[str], code: str) -> None:
    if isinstance(value, str) and value.strip() and value not in allowed:
        report.add(path, code, found=value, allowed=_listed(allowed))


def _each_one_of(report: _Report, path: Path, table: Table, allowed: Iterable[str], code: str) -> None:
    """Each element of the list at *path*, the last step of which is its key in *table*, is allowed and there once."""
    values = table.get(str(path[-1]))
    if not isinstance(values, list):
        return
    for index, value in enumerate(values):
        _one_of(report, (*path, index), value, allowed, code)
        if isinstance(value, str) and value in values[:index]:
            report.add((*path, index), "duplicate_id", found=value)


def _distinct(report: _Report, table: Table, name: str, id: str = "id", path: Path = ()) -> None:
    """No two tables of a list share an id; the later one is the fault."""
    seen: set[str] = set()
    for at, each in _tables(table, name, path):
        value = each.get(id)
        if not isinstance(value, str):
            continue
        if value in seen:
            report.add((*at, id), "duplicate_id", found=value)
        seen.add(value)


def _check_scoring(report: _Report, document: Table) -> dict[str, int]:
    """Check ``[scoring]``; the points of each level as far as they are clear."""
    scoring = document.get("scoring")
    if not isinstance(scoring, dict):
        return {}
    path: Path = ("scoring",)
    _table(report, path, scoring, schema.SCORING)
    levels = scoring.get("levels")
    if not _is(levels, "array of strings") or not isinstance(levels, list):
        return {}
    for index, level in enumerate(levels):
        _pattern(report, (*path, "levels", index), level, _WORD_ID, "chua_dat")
        if level in levels[:index]:
            report.add((*path, "levels", index), "duplicate_id", found=level)
    for name in ("level_points", "level_vi", "level_en"):
        parallel = scoring.get(name)
        if isinstance(parallel, list) and len(parallel) != len(levels):
            report.add((*path, name), "levels_uneven", found=len(parallel), expected=len(levels))
    points = scoring.get("level_points")
    if not isinstance(points, list) or not _is(points, "array of integers"):
        return {}
    _decreasing(report, [((*path, "level_points", index), each) for index, each in enumerate(points)])
    return dict(zip(levels, points, strict=False))


def _decreasing(report: _Report, points: list[tuple[Path, int]]) -> None:
    for (_, before), (path, after) in pairwise(points):
        if after >= before:
            report.add(path, "points_not_decreasing", found=after, previous=before)


def _check_thresholds(report: _Report, document: Table, points: Mapping[str, int]) -> None:
    thresholds = document.get("thresholds")
    if not isinstance(thresholds, dict):
        return
    _table(report, ("thresholds",), thresholds, schema.THRESHOLDS)
    highest = {"pass_total": (1, _int(document, "max_total"))}
    highest["min_per_indicator"] = (0, max(points.values(), default=None))
    for name, (low, high) in highest.items():
        value = _int(thresholds, name)
        if value is not None and high is not None and not low <= value <= high:
            report.add(("thresholds", name), "threshold_impossible", found=value, lowest=low, highest=high)


def _check_options(report: _Report, path: Path, indicator: Table, points: Mapping[str, int]) -> None:
    """Every level once, with the points of the level, from the most down to the least."""
    options = _tables(indicator, "options", path)
    if not options:
        return
    seen: list[str] = []
    ordered: list[tuple[Path, int]] = []
    for option_path, option in options:
        _table(report, option_path, option, schema.OPTION)
        level, given = option.get("level"), _int(option, "points")
        if given is not None:
            ordered.append(((*option_path, "points"), given))
        if not isinstance(level, str):
            continue
        seen.append(level)
        if not points:
            continue
        _one_of(report, (*option_path, "level"), level, points, "unknown_level")
        if given is not None and level in points and given != points[level]:
            expected = points[level]
            report.add((*option_path, "points"), "points_mismatch", found=given, expected=expected, level=level)
    _distinct(report, indicator, "options", "level", path)
    _decreasing(report, ordered)
    for level in points:
        if level not in seen:
            report.add((*path, "options"), "missing_level", found=level)
    most, stated = max((given for _, given in ordered), default=None), _int(indicator, "max_points")
    if most is not None and stated is not None and most != stated:
        report.add((*path, "max_points"), "indicator_max", found=stated, expected=most)


def _check_evidence(report: _Report, path: Path, indicator: Table, points: Mapping[str, int]) -> None:
    rule = indicator.get("evidence")
    if not isinstance(rule, dict):
        return
    path = (*path, "evidence")
    _table(report, path, rule, schema.EVIDENCE)
    _one_of(report, (*path, "mode"), rule.get("mode"), MODES, "unknown_mode")
    _each_one_of(report, (*path, "kinds"), rule, EVIDENCE_KINDS, "unknown_kind")
    at = (*path, "required_from_points")
    needed = rule.get("required_from_points")
    if rule.get("mode") == "required" and needed is None:
        report.add(at, "missing_key", name="required_from_points")
    if rule.get("mode") == "optional" and needed is not None:
        report.add(at, "required_from_unused")
    # The least level must need no evidence: "không có" always leads to some level.
    allowed = sorted(points.values())[1:]
    needed = _int(rule, "required_from_points")
    if points and needed is not None and needed not in allowed:
        report.add(at, "required_from_impossible", found=needed, allowed=_listed(map(str, allowed)))


def _check_variants(report: _Report, path: Path, indicator: Table, subject_groups: list[str]) -> None:
    variants = indicator.get("variants")
    if not isinstance(variants, dict):
        return
    for name, variant in variants.items():
        at = (*path, "variants", name)
        _one_of(report, at, name, subject_groups, "unknown_subject_group")
        if isinstance(variant, dict):
            _table(report, at, variant, schema.VARIANT)
        else:
            report.add(at, "wrong_type", found=_type(variant), expected="table")


def _check_sums(report: _Report, document: Table) -> None:
    """Groups add up from their indicators, the whole from all indicators."""
    indicators = _tables(document, "indicator")
    stated = [(table.get("group"), _int(table, "max_points")) for _, table in indicators]
    if not stated or any(points is None for _, points in stated):
        return
    for path, group in _tables(document, "group"):
        expected, found = sum(points or 0 for of, points in stated if of == group.get("id")), _int(group, "max_points")
        if found is not None and found != expected:
            report.add((*path, "max_points"), "group_sum", found=found, expected=expected)
    total, max_total = sum(points or 0 for _, points in stated), _int(document, "max_total")
    if max_total is not None and max_total != total:
        report.add(("max_total",), "total_sum", found=max_total, expected=total)
