"""Criteria sets and local wordings read from TOML: those shipped beside this file, or any other path.

Shipped sets are ``sets/<id>_<version>.toml``, several versions side by side, since assessments keep theirs for ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from criteria.checker import Fault, check_overlay, check_set, is_overlay, parse
from criteria.model import (
    CriteriaSet,
    EvidenceRule,
    Group,
    Indicator,
    LegalBasis,
    Level,
    LocalWording,
    Option,
    Overlay,
    SubjectGroup,
    Thresholds,
    Variant,
    Wording,
)

SETS = Path(__file__).parent / "sets"
OVERLAYS = Path(__file__).parent / "overlays"
DEFAULT_ID = "cdht-2021-2030"


class CriteriaError(ValueError):
    """A file is not usable; *faults* say why, all of them."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(faults)
        shown = [f"{fault.file}:{fault.line}: {fault.key}: {fault.reason_code} {dict(fault.facts)}" for fault in faults]
        super().__init__("\n".join(shown))


def check(text: str, file: str) -> list[Fault]:
    """Every fault of a criteria set, or of an overlay (told by its key ``base``), by line; none means usable.

    *file* is only named in the faults. A fault of TOML syntax stands alone: behind it nothing can be read.
    """
    document, faults = parse(text, file)
    if faults:
        return faults
    if is_overlay(document):
        return check_overlay(text, file, document, _bases())
    return check_set(text, file, document)


def check_file(path: Path | str) -> list[Fault]:
    """As :func:`check`, of a file, which may also not be UTF-8. ``OSError`` where it cannot be read."""
    raw = Path(path).read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return [Fault(str(path), line, "", "not_utf8", {"detail": error.reason})]
    return check(text, str(path))


def load(path: Path | str, overlay: Path | str | Overlay | None = None) -> CriteriaSet:
    """The criteria set of a file, in local wording if an overlay or its file is given.

    ``CriteriaError`` with every fault where a file does not pass :func:`check`; ``OSError`` where it cannot be read.
    """
    document = _sound(path)
    if is_overlay(document):
        raise ValueError(f"{path} is an overlay, not a criteria set")
    criteria = _set(document)
    if overlay is None:
        return criteria
    return with_overlay(criteria, overlay if isinstance(overlay, Overlay) else load_overlay(overlay))


def load_overlay(path: Path | str) -> Overlay:
    """The local wording of a file; errors as for :func:`load`."""
    document = _sound(path)
    if not is_overlay(document):
        raise ValueError(f"{path} is a criteria set, not an overlay")
    return _overlay(document)


def versions(id: str = DEFAULT_ID) -> tuple[str, ...]:
    """The versions shipped of a set, oldest first; empty where there is none of this id."""
    found = [path.stem.removeprefix(f"{id}_") for path in SETS.glob(f"{id}_*.toml")]
    return tuple(sorted(found, key=_age))


def builtin(id: str = DEFAULT_ID, version: str | None = None) -> CriteriaSet:
    """A set shipped with the program, the newest version unless one is named; ``LookupError`` where there is none.

    Read once per process: the same object each time.
    """
    known = versions(id) if version is None else (version,)
    if not known:
        raise LookupError(f"no criteria set {id!r}")
    return _builtin(id, known[-1])


@cache
def _builtin(id: str, version: str) -> CriteriaSet:
    if version not in versions(id):
        raise LookupError(f"no criteria set {id!r} in version {version!r}")
    return load(SETS / f"{id}_{version}.toml")


@cache
def overlays() -> tuple[Overlay, ...]:
    """The local wordings shipped, examples among them (*status*): none is applied unless asked for."""
    return tuple(load_overlay(path) for path in sorted(OVERLAYS.glob("*.toml")))


def with_overlay(criteria: CriteriaSet, overlay: Overlay) -> CriteriaSet:
    """The same set, id and version in a province's words; points, levels and thresholds stay.

    ``ValueError`` where the overlay was written for another set or version.
    """
    if (overlay.base, overlay.base_version) != (criteria.id, criteria.version):
        raise ValueError(f"overlay {overlay.id} is for {overlay.base} {overlay.base_version}, not {criteria.version}")
    local = {wording.indicator: wording for wording in overlay.indicators}
    indicators = tuple(
        _localised(indicator, local[indicator.id]) if indicator.id in local else indicator
        for indicator in criteria.indicators
    )
    return replace(criteria, indicators=indicators, overlay=overlay.province)


def _localised(indicator: Indicator, local: LocalWording) -> Indicator:
    labels = dict(local.labels)
    variants = {variant.subject_group: variant for variant in indicator.variants}
    if local.question is not None:
        # A province that words the question anew means it for all groups that it does not word by themselves.
        variants = {}
    variants |= {variant.subject_group: variant for variant in local.variants}
    return replace(
        indicator,
        short=local.short or indicator.short,
        question=local.question or indicator.question,
        variants=tuple(variants.values()),
        options=tuple(replace(each, label=labels.get(each.level, each.label)) for each in indicator.options),
        evidence=replace(indicator.evidence, hint=local.hint or indicator.evidence.hint),
        example=local.example or indicator.example,
    )


def _age(version: str) -> tuple[tuple[int, ...], bool, str]:
    """Sorts ``0.9.0`` < ``0.10.0-draft`` < ``0.10.0``."""
    numbers, _, suffix = version.partition("-")
    return tuple(int(number) for number in re.findall(r"\d+", numbers)), not suffix, suffix


def _bases() -> dict[str, CriteriaSet]:
    """All sets shipped, by ``"<id> <version>"``."""
    shipped = [path.stem.partition("_") for path in sorted(SETS.glob("*.toml"))]
    return {f"{id} {version}": builtin(id, version) for id, _, version in shipped}


def _sound(path: Path | str) -> dict[str, Any]:
    faults = check_file(path)
    if faults:
        raise CriteriaError(faults)
    return parse(Path(path).read_text(encoding="utf-8"), str(path))[0]


# ---------------------------------------------------------------- from a checked document to the model

_Table = Mapping[str, Any]


def _wording(table: _Table, stem: str = "") -> Wording:
    prefix = f"{stem}_" if stem else ""
    return Wording(table[f"{prefix}vi"], table[f"{prefix}en"])


def _optional(table: _Table, stem: str) -> Wording | None:
    return _wording(table, stem) if f"{stem}_vi" in table else None


def _variants(table: _Table) -> tuple[Variant, ...]:
    return tuple(Variant(group, _wording(question)) for group, question in table.get("variants", {}).items())


def _set(document: _Table) -> CriteriaSet:
    scoring, thresholds = document["scoring"], document["thresholds"]
    names = map(Wording, scoring["level_vi"], scoring["level_en"])
    return CriteriaSet(
        id=document["id"],
        version=document["version"],
        status=document["status"],
        title=_wording(document, "title"),
        notice=_wording(document, "notice"),
        period=document["period"],
        max_total=document["max_total"],
        thresholds=Thresholds(thresholds["pass_total"], thresholds["min_per_indicator"]),
        levels=tuple(map(Level, scoring["levels"], scoring["level_points"], names)),
        reviewer_may_override=scoring["reviewer_may_override"],
        overlay_may_change=tuple(document["overlay"]["allowed"]),
        legal_basis=tuple(
            LegalBasis(basis["ref"], basis["date"], _wording(basis, "title"), basis["provenance"])
            for basis in document["legal_basis"]
        ),
        subject_groups=tuple(
            SubjectGroup(
                group["id"],
                _wording(group),
                _wording(group, "short"),
                _optional(group, "adult"),
                group["provenance"],
            )
            for group in document["subject_group"]
        ),
        groups=tuple(
            Group(group["id"], _wording(group), _wording(group, "short"), group["max_points"], group["provenance"])
            for group in document["group"]
        ),
        indicators=tuple(map(_indicator, document["indicator"])),
    )


def _indicator(table: _Table) -> Indicator:
    rule = table["evidence"]
    return Indicator(
        id=table["id"],
        group=table["group"],
        name=_wording(table),
        short=_wording(table, "short"),
        max_points=table["max_points"],
        question=_wording(table, "question"),
        variants=_variants(table),
        options=tuple(Option(option["level"], option["points"], _wording(option)) for option in table["options"]),
        evidence=EvidenceRule(
            mode=rule["mode"],
            required_from_points=rule.get("required_from_points"),
            kinds=tuple(rule["kinds"]),
            hint=_wording(rule, "hint"),
            provenance=rule["provenance"],
        ),
        example=_optional(table, "example"),
        provenance=table["provenance"],
    )


def _overlay(document: _Table) -> Overlay:
    return Overlay(
        id=document["id"],
        base=document["base"],
        base_version=document["base_version"],
        province=document["province"],
        status=document["status"],
        provenance=document["provenance"],
        indicators=tuple(
            LocalWording(
                indicator=table["id"],
                short=_optional(table, "short"),
                question=_optional(table, "question"),
                variants=_variants(table),
                labels=tuple((option["level"], _wording(option)) for option in table.get("options", ())),
                hint=_optional(table.get("evidence", {}), "hint"),
                example=_optional(table, "example"),
            )
            for table in document["indicator"]
        ),
    )
