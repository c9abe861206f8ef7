"""The unit that a row of a list means: by code or by names, of the catalogue that the list was made under, and what
became of it. A unit that went to several is never guessed: the operator says which, in the mapping or in a column."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.engine import Engine

from bot.imports.mapping import Mapping
from storage import codes, counters, gazetteer, titles, units
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

    def of(self, words: Words) -> Found | Unclear:
        """The unit that these words mean."""
        found = self._known.get(words)
        if found is None:
            with reading(self.engine) as conn:
                found = self._known[words] = resolve(conn, self.mapping, words)
        return found

    def counted_here(self, unit_id: int, year: int) -> bool:
        """Has this program itself counted anybody in that unit and year? Then a list must not count them again."""
        key = (unit_id, year)
        if key not in self._ours:
            with reading(self.engine) as conn:
                own = counters.own(conn, unit_id, year)
            self._ours[key] = any(status != titles.RECOGNISED for _group, status in own)
        return self._ours[key]


def resolve(conn: Connection, mapping: Mapping, words: Words) -> Found | Unclear:
    """The unit that a row means. Decided by the row itself, by the mapping, by the catalogue, in this order."""
    then = _then(conn, mapping, words)
    decided = words.today or mapping.units.get(fold(words.names)) or mapping.units.get(fold(words.code))
    if decided:
        today = _of_today(conn, decided)
        if today is None:
            return Unclear("unit_today", "unit_today" if words.today else "commune", decided)
        return Found(today.id, then.id if isinstance(then, UnitRow) else today.id)
    if isinstance(then, Unclear):
        return then
    if then.valid_to is None:
        return Found(then.id, then.id)
    sole = units.sole_successor(conn, then)
    if sole is not None:
        return Found(sole.id, then.id)
    candidates = tuple(f"{each.unit.code} {each.unit.name}" for each in units.successors(conn, then))
    return Unclear("unit_split", _field(words), words.names or words.code, candidates[:MOST_CANDIDATES])


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
    kinds = {kind for _head, wanted in gazetteer.heads(fold(words.commune)) for kind in wanted}
    for narrower in (
        [each for each in found if each.unit.kind in kinds],
        [each for each in found if gazetteer.spelling(each.unit.name).endswith(gazetteer.spelling(words.commune))],
    ):
        if len(found) > 1 and narrower:
            found = narrower
    if len(found) == 1:
        return found[0].unit
    listed = tuple(f"{each.unit.code} {', '.join(each.parts)}" for each in (found or near)[:MOST_CANDIDATES])
    return Unclear("unit_several" if found else "unit_unknown", "commune", words.names, listed)


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
