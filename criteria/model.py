"""A criteria set (bộ tiêu chí): groups of competences, indicators, levels and what may prove them.

All of it is data read from TOML and never changed; an assessment keeps ``(id, version)`` of the set it was filed under.
Points are whole numbers; every wording is there in Vietnamese and English.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TypeVar

EVIDENCE_KINDS = ("text", "photo", "certificate", "link", "officer_confirmation")
"""Kinds of minh chứng: written words, photo, certificate, link, an officer's confirmation."""

MODES = ("optional", "required")
STATUSES = ("draft-reconstruction", "reconstruction", "official")
OVERLAY_STATUSES = ("example", "active")
OVERLAY_PARTS = ("wording", "evidence", "examples")
LANGUAGES = ("vi", "en")


@dataclass(frozen=True, slots=True)
class Wording:
    """One text in both languages. May hold ``{you}`` and ``{You}``: see :func:`criteria.fill`."""

    vi: str
    en: str

    def to(self, language: str) -> str:
        """The text in ``vi`` or ``en``; another language is a ``LookupError``."""
        if language == "vi":
            return self.vi
        if language == "en":
            return self.en
        raise LookupError(f"no wording in language {language!r}")


@dataclass(frozen=True, slots=True)
class Level:
    """A level (mức) of every indicator, with its points and its own name ("Tốt")."""

    id: str
    points: int
    name: Wording


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Passes with a total of at least *pass_total* and no indicator below *min_per_indicator*."""

    pass_total: int
    min_per_indicator: int


@dataclass(frozen=True, slots=True)
class LegalBasis:
    """A decision that the set rests on (căn cứ)."""

    ref: str
    date: date
    title: Wording
    provenance: str


@dataclass(frozen=True, slots=True)
class SubjectGroup:
    """A subject group (nhóm đối tượng): *short* fits a phone's button, *adult* replaces both where minors are out."""

    id: str
    name: Wording
    short: Wording
    adult: Wording | None
    provenance: str


@dataclass(frozen=True, slots=True)
class Group:
    """A competence (năng lực) and the most points its indicators give together."""

    id: str
    name: Wording
    short: Wording
    max_points: int
    provenance: str


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to an indicator: the level, its points, and how it reads."""

    level: str
    points: int
    label: Wording


@dataclass(frozen=True, slots=True)
class EvidenceRule:
    """When evidence (minh chứng) is needed: from *required_from_points* up, or never where that is ``None``."""

    mode: str
    required_from_points: int | None
    kinds: tuple[str, ...]
    hint: Wording
    provenance: str


@dataclass(frozen=True, slots=True)
class Variant:
    """The question in the words of one subject group."""

    subject_group: str
    question: Wording


@dataclass(frozen=True, slots=True)
class Indicator:
    """An indicator (chỉ số) such as ``A1``; *options* from the highest points to the lowest."""

    id: str
    group: str
    name: Wording
    short: Wording
    max_points: int
    question: Wording
    variants: tuple[Variant, ...]
    options: tuple[Option, ...]
    evidence: EvidenceRule
    example: Wording | None
    provenance: str

    def option(self, level: str) -> Option:
        """The option of a level; ``LookupError`` where this indicator has no such level."""
        for option in self.options:
            if option.level == level:
                return option
        raise LookupError(f"indicator {self.id} has no level {level!r}")


_Part = TypeVar("_Part", Level, SubjectGroup, Group, Indicator)


@dataclass(frozen=True, slots=True)
class CriteriaSet:
    """One version of the criteria; *overlay* is the province code whose local wording it wears, if any."""

    id: str
    version: str
    status: str
    title: Wording
    notice: Wording
    period: str
    max_total: int
    thresholds: Thresholds
    levels: tuple[Level, ...]
    reviewer_may_override: bool
    overlay_may_change: tuple[str, ...]
    legal_basis: tuple[LegalBasis, ...]
    subject_groups: tuple[SubjectGroup, ...]
    groups: tuple[Group, ...]
    indicators: tuple[Indicator, ...]
    overlay: str | None = None

    @property
    def is_official(self) -> bool:
        """False: show *notice* to each citizen once and on every page printed."""
        return self.status == "official"

    def indicator(self, id: str) -> Indicator:
        """The indicator of an id such as ``B2``; ``LookupError`` where there is none."""
        return _found(self.indicators, id)

    def group(self, id: str) -> Group:
        """The competence group of an id such as ``A``; ``LookupError`` where there is none."""
        return _found(self.groups, id)

    def subject_group(self, id: str) -> SubjectGroup:
        """The subject group of an id such as ``nong_dan``; ``LookupError`` where there is none."""
        return _found(self.subject_groups, id)

    def level(self, id: str) -> Level:
        """The level of an id such as ``tot``; ``LookupError`` where there is none."""
        return _found(self.levels, id)


def _found(parts: tuple[_Part, ...], id: str) -> _Part:
    for part in parts:
        if part.id == id:
            return part
    raise LookupError(f"no {id!r} among {[part.id for part in parts]}")


@dataclass(frozen=True, slots=True)
class LocalWording:
    """What a province says in its own words about one indicator; ``None`` and absent mean unchanged."""

    indicator: str
    short: Wording | None
    question: Wording | None
    variants: tuple[Variant, ...]
    labels: tuple[tuple[str, Wording], ...]
    hint: Wording | None
    example: Wording | None


@dataclass(frozen=True, slots=True)
class Overlay:
    """Local wording of a province (lời lẽ địa phương) for exactly one version of a set; never points or thresholds."""

    id: str
    base: str
    base_version: str
    province: str
    status: str
    provenance: str
    indicators: tuple[LocalWording, ...]
