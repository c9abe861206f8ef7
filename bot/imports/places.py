"""The unit that a row of a list means: by code or by names, of the catalogue that the list was made under, and what
became of it. A unit that went to several is never guessed: the operator says which, in the mapping or in a column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from sqlalchemy.engine import Engine

from bot.imports.mapping import Mapping
from storage import codes, gazetteer, titles, units
from storage.base import Connection, Refused
from storage.codes import PRE_2025, VINTAGE_2025
from storage.engine import reading
from storage.gazetteer import fold
from storage.units import COMMUNE, Place, UnitRow

MOST_CANDIDATES: Final = 12
MOST_HITS: Final = 200  # communes of one name: some forty at most
_ABOVE: Final = re.compile(r"(?:thanh pho|tinh|quan|huyen|thi xa|tp|tx|q|h|t) (.+)")


@dataclass(frozen=True, slots=True)
class Words:
    """What a row says of its unit; ``""``: nothing."""

    today: str = ""
    code: str = ""
    commune: str = ""
    district: str = ""
    province: str = ""

    @property
    def names(self) -> str:
        """``Xã Thống Nhất, Huyện Hoành Bồ, Tỉnh Quảng Ninh``: the key of the mapping's ``[units]``."""
        return ", ".join(part for part in (self.commune, self.district, self.province) if part)


@dataclass(frozen=True, slots=True)
class Found:
    """The unit of today, and the one then."""

    today: int
    then: int


@dataclass(frozen=True, slots=True)
class Unclear:
    """Why there is none: a code of :data:`bot.imports.judging.PROBLEMS`, units it may be, and what to write into
    ``[units]`` (``key``)."""

    code: str
    field: str
    key: str = ""
    candidates: tuple[str, ...] = ()


@dataclass(slots=True)
class Places:
    """Asks the database once for each different unit of a list."""

    engine: Engine
    mapping: Mapping
    _known: dict[Words, Found | Unclear] = field(default_factory=dict)
    _ours: dict[tuple[int, int], bool] = field(default_factory=dict)
    _ages: dict[int, int] = field(default_factory=dict)

    def of(self, words: Words) -> Found | Unclear:
        """The unit that these words mean."""
        found = self._known.get(words)
        if found is None:
            with reading(self.engine) as conn:
                found = self._known[words] = resolve(conn, self.mapping, words)
        return found

    def min_age(self, unit_id: int) -> int:
        """From which age a unit takes people (years): a list brings in nobody whom the chat would turn away."""
        if unit_id not in self._ages:
            with reading(self.engine) as conn:
                unit = units.by_id(conn, unit_id)
                assert unit is not None
                self._ages[unit_id] = units.settings(conn, unit).min_age
        return self._ages[unit_id]

    def counted_here(self, unit_id: int, year: int) -> bool:
        """Has this program itself counted anybody in that unit's commune and year? Then a list must not count them
        again."""
        key = (unit_id, year)
        if key not in self._ours:
            with reading(self.engine) as conn:
                self._ours[key] = titles.worked_here(conn, titles.commune_path(conn, unit_id), year)
        return self._ours[key]


def resolve(conn: Connection, mapping: Mapping, words: Words) -> Found | Unclear:
    """The unit that a row means. Decided by the row itself, by the mapping, by the catalogue, in this order."""
    then = _then(conn, mapping, words)
    decided = words.today or mapping.units.get(fold(words.names)) or mapping.units.get(fold(words.code))
    if decided:
        today = _of_today(conn, decided)
        if today is None:
            return Unclear("unit_today", "unit_today" if words.today else _field(words), decided)
        if isinstance(then, UnitRow) and not mapping.units_anywhere:
            ends = tuple(_ends(conn, then))
            if ends and not any(today.path.startswith(end.path) for end in ends):
                return Unclear(
                    "unit_not_successor", "unit_today" if words.today else _field(words), decided, _listed(ends)
                )
        return Found(today.id, then.id if isinstance(then, UnitRow) else today.id)
    if isinstance(then, Unclear):
        return then
    if then.valid_to is None:
        return Found(then.id, then.id)
    sole = units.sole_successor(conn, then)
    if sole is not None:
        return Found(sole.id, then.id)
    candidates = _listed(each.unit for each in units.successors(conn, then))
    return Unclear("unit_split", _field(words), words.names or words.code, candidates)


def _ends(conn: Connection, unit: UnitRow) -> Iterator[UnitRow]:
    """The open units that a unit is, or became."""
    if unit.valid_to is None:
        yield unit
        return
    for each in units.successors(conn, unit):
        yield from _ends(conn, each.unit)


def _listed(found: Iterable[UnitRow]) -> tuple[str, ...]:
    return tuple(f"{each.code} {each.name}" for each in islice(found, MOST_CANDIDATES))


def _field(words: Words) -> str:
    return "unit_code" if words.code else "commune"


def _of_today(conn: Connection, text: str) -> UnitRow | None:
    """An open commune or unit of the association: ``06685``, ``6685`` (its 0 eaten), ``06685-03``, ``DV 06685-K``."""
    found = units.by_code(conn, text.zfill(5) if text.isdecimal() and len(text) < 5 else text)
    if found is None:
        try:
            parsed = codes.parse(text)
        except Refused:
            return None
        found = units.by_code(conn, parsed.body) if isinstance(parsed, codes.UnitCode) else None
    return found if found is not None and found.valid_to is None and found.level >= COMMUNE else None


def _then(conn: Connection, mapping: Mapping, words: Words) -> UnitRow | Unclear:
    if not words.code:
        return _named(conn, mapping.vintage, words)
    code = words.code.zfill(5) if words.code.isdecimal() and len(words.code) < 5 else words.code
    found = units.by_code(conn, code, mapping.vintage)
    if found is None or found.level < COMMUNE:
        return Unclear("unit_code", "unit_code", words.code)
    # Most codes were given to other communes in July 2025: with the wrong catalogue every row would go astray.
    if words.commune and not _called(found, words.commune):
        return Unclear("unit_other", "unit_code", words.code, (found.name,))
    return found


def _called(unit: UnitRow, commune: str) -> bool:
    core = gazetteer.core(unit.name, unit.kind)
    return any(head == core for head, _kinds in gazetteer.heads(fold(commune)))


def _named(conn: Connection, vintage: str, words: Words) -> UnitRow | Unclear:
    if not words.commune:
        return Unclear("unit_missing", "commune")
    near = units.search(conn, words.commune, limit=MOST_HITS, vintage=vintage, level=COMMUNE)
    found = [each for each in near if _called(each.unit, words.commune)]
    found = [each for each in found if _lies_in(each, vintage, words)]
    for fits in (_kind_fits, _accents_fit):
        narrower = [each for each in found if fits(each.unit, words.commune)]
        if len(found) > 1 and narrower:
            found = narrower
    code = "unit_several" if found else "unit_unknown"
    if len(found) == 1:
        unit = found[0].unit
        if not (_kind_fits(unit, words.commune) and _accents_fit(unit, words.commune)):
            code = "unit_near"
        elif not (words.district or words.province):
            code = "unit_bare"
        else:
            return unit
    listed = tuple(f"{each.unit.code} {', '.join(each.parts)}" for each in (found or near)[:MOST_CANDIDATES])
    return Unclear(code, "commune", words.names, listed)


def _kind_fits(unit: UnitRow, commune: str) -> bool:
    """Is the unit of the kind that the row says, if it says one? "Xã Tân Hòa" is no ward."""
    core = gazetteer.core(unit.name, unit.kind)
    return any(head == core and (not kinds or unit.kind in kinds) for head, kinds in gazetteer.heads(fold(commune)))


def _accents_fit(unit: UnitRow, commune: str) -> bool:
    """Is the name the same with its accents? Who types none means any."""
    if fold(commune) == " ".join(gazetteer.words(commune)):
        return True
    long = len(gazetteer.core(unit.name, unit.kind).split())
    ours, theirs = (gazetteer.spelling(text).split()[-long:] for text in (unit.name, commune))
    return ours == theirs


def _lies_in(place: Place, vintage: str, words: Words) -> bool:
    district, province = place.unit.old_district, place.unit.old_province
    if vintage == VINTAGE_2025:
        district, province = "", place.above[-1] if place.above else ""
    wanted = ((words.province, province), (words.district if vintage == PRE_2025 else "", district))
    return all(not said or _bare(said) == _bare(name or "") for said, name in wanted)


def _bare(name: str) -> str:
    """``TP. Hạ Long`` → ``ha long``; ``Quận 1`` → ``1``."""
    folded = fold(name)
    match = _ABOVE.fullmatch(folded)
    return match[1] if match else folded
