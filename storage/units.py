"""Units (đơn vị): the centre, provinces, communes, units of the association; names by date, successors, settings.

One table, one tree. A code lives within a *vintage*, for the reform of 1 July 2025 gave most codes to other communes:
``06685`` alone names nobody. ``path`` holds the codes from the root (``VN/22/06685/0668503/``); everything below a unit
is the range of paths that begin with its own, see ``bounds``. Old communes are closed units under ``OLD/`` with edges
to what became of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlmodel import Field, SQLModel

from storage import audit, catalogue, gazetteer
from storage.base import Connection, Prepared, Refused, UtcTime, table_of
from storage.catalogue import CENTRE, FLAGS, UNITS_OF_THE_ASSOCIATION
from storage.codes import PRE_2025, VINTAGE_2025
from storage.gazetteer import KIND_WORDS, Gazetteer, core, fold

HERE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
CENTRE_LEVEL, PROVINCE, COMMUNE, ASSOCIATION = range(4)

# Ranges of prefixes use an index only where text is compared by bytes: SQLite's default, "C" on PostgreSQL.
_Bytewise = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _one_of(column: str, values: Iterable[str]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} in ({listed})"


class Unit(SQLModel, table=True):
    """A unit (đơn vị) with its name and kind of today; ``valid_to`` is the last day of a closed one."""

    __tablename__ = "units"
    __table_args__ = (
        sa.UniqueConstraint("vintage", "code"),
        sa.UniqueConstraint("path"),
        sa.CheckConstraint(_one_of("vintage", (VINTAGE_2025, PRE_2025)), name="vintage"),
        sa.CheckConstraint("level between 0 and 3", name="level"),
        sa.CheckConstraint(_one_of("kind", KIND_WORDS), name="kind"),
        sa.Index("ix_units_level_folded", "level", "folded"),
    )
    id: int | None = Field(default=None, primary_key=True)
    vintage: str = Field(max_length=8)
    code: str = Field(max_length=8)
    level: int = Field(sa_type=sa.SmallInteger)
    parent_id: int | None = Field(default=None, foreign_key="units.id", index=True)
    path: str = Field(sa_type=_Bytewise)
    name: str = Field(max_length=120)
    kind: str = Field(max_length=16)
    folded: str = Field(sa_type=_Bytewise)
    valid_from: date | None = None
    valid_to: date | None = None
    old_district: str | None = Field(default=None, max_length=120)
    old_province: str | None = Field(default=None, max_length=120)


class UnitName(SQLModel, table=True):
    """Name and kind of a unit from a day on, and the resolution (quyết định, nghị quyết) that gave them."""

    __tablename__ = "unit_names"
    __table_args__ = (sa.CheckConstraint(_one_of("kind", KIND_WORDS), name="kind"),)
    unit_id: int = Field(primary_key=True, foreign_key="units.id")
    valid_from: date = Field(primary_key=True)
    name: str = Field(max_length=120)
    kind: str = Field(max_length=16)
    decree: str | None = Field(default=None, max_length=64)


class Succession(SQLModel, table=True):
    """An edge from a closed unit to one that took over all or part of it."""

    __tablename__ = "successions"
    __table_args__ = (sa.CheckConstraint(_one_of("flag", FLAGS), name="flag"),)
    old_unit_id: int = Field(primary_key=True, foreign_key="units.id")
    new_unit_id: int = Field(primary_key=True, foreign_key="units.id", index=True)
    flag: str = Field(max_length=24)


class UnitSetting(SQLModel, table=True):
    """A setting of a unit from a moment on; append-only, the newest per key is in force, NULL inherits again."""

    __tablename__ = "unit_settings"
    __table_args__ = (sa.Index("ix_unit_settings_unit_id_key_id", "unit_id", "key", "id"),)
    id: int | None = Field(default=None, primary_key=True)
    unit_id: int = Field(foreign_key="units.id")
    key: str = Field(max_length=32)
    value: str | None = Field(default=None, max_length=200)
    set_at: datetime = Field(sa_type=UtcTime)
    set_by: str = Field(max_length=64)


units = table_of(Unit)
unit_names = table_of(UnitName)
successions = table_of(Succession)
unit_settings = table_of(UnitSetting)


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit as read. ``level``: 0 centre, 1 province, 2 commune, 3 unit of the association."""

    id: int
    vintage: str
    code: str
    level: int
    parent_id: int | None
    path: str
    name: str
    kind: str
    valid_from: date | None
    valid_to: date | None
    old_district: str | None
    old_province: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """A unit with the names of what it lies in, nearest first: (commune,) province; for old ones district, province."""

    unit: UnitRow
    above: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """``("Phường Hồng Gai", "Thành phố Quảng Ninh")``, to be joined as the reader's language does."""
        return (self.unit.name, *self.above)


@dataclass(frozen=True, slots=True)
class NameOn:
    """What a unit was called on a day."""

    name: str
    kind: str
    decree: str | None


@dataclass(frozen=True, slots=True)
class Successor:
    """A unit that an old commune went to; ``suggested``: may be preselected (whole, all people, larger share)."""

    unit: UnitRow
    flag: str
    suggested: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force at a unit, its own or inherited. ``service_days``: working days until an answer;
    ``id_number``: whether the personal id number is asked for (``no``, ``ask``, ``require``);
    ``joins_per_hour``: citizens who may join this very unit within an hour; ``open_from``: the first day on which
    citizens may join (làm điểm), ``date.min``: always open, ``date.max``: closed, no day is set yet."""

    controller: str | None = None
    contact_name: str | None = None
    contact_phone: str | None = None
    service_days: int | None = None
    min_age: int = 18
    id_number: str = "no"
    joins_per_hour: int = 300
    open_from: date = date.min


@dataclass(frozen=True, slots=True)
class Seeded:
    """What loading the catalogue wrote (rows); all 0 when nothing was new."""

    added: int
    changed: int
    removed: int


_COLUMNS = tuple(units.c[name] for name in UnitRow.__slots__)

# ------------------------------------------------------------------------------------------ the catalogue

_EDITION = "catalogue"  # the key under which the centre's settings name the edition of the catalogue that is loaded
_OFFICIAL = (
    "vintage", "code", "level", "parent_id", "path", "name", "kind", "folded", "valid_from", "valid_to",
    "old_district", "old_province",
)  # fmt: skip


def seed(conn: Connection, now: datetime, folder: Path = catalogue.DATA) -> Seeded:
    """Bring the official units, their names by date and their successors to the state of the files in ``folder``.

    Idempotent: a second run writes nothing; a changed file changes just the rows that differ. Units that left the files
    are kept (records point at them), edges are not. Units of the association are never touched. About 13,400 units and
    10,571 edges, 1 to 3 s on an empty database.
    """
    wanted = catalogue.read(folder)
    added = changed = removed = 0
    ids: dict[tuple[str, str], int] = {}
    have = {(row.vintage, row.code): row for row in conn.execute(sa.select(units).where(units.c.level < ASSOCIATION))}
    for level in (CENTRE_LEVEL, PROVINCE, COMMUNE):
        new, differing = [], []
        for unit in wanted.units:
            if unit.level != level:
                continue
            parent = ids[unit.vintage, unit.parent] if unit.parent else None
            row = (
                unit.vintage, unit.code, level, parent, unit.path, unit.name, unit.kind, core(unit.name, unit.kind),
                unit.valid_from, unit.valid_to, unit.old_district, unit.old_province,
            )  # fmt: skip
            there = have.get((unit.vintage, unit.code))
            if there is None:
                new.append(dict(zip(_OFFICIAL, row, strict=True)))
            elif tuple(there)[1:] != row:
                differing.append({"the_id": there.id, **dict(zip(_OFFICIAL, row, strict=True))})
        if new:
            conn.execute(sa.insert(units), new)
        if differing:
            same: dict[str, sa.BindParameter[Any]] = {name: sa.bindparam(name) for name in _OFFICIAL}
            conn.execute(sa.update(units).where(units.c.id == sa.bindparam("the_id")).values(same), differing)
        added, changed = added + len(new), changed + len(differing)
        known = conn.execute(sa.select(units.c.vintage, units.c.code, units.c.id).where(units.c.level == level))
        ids.update({(vintage, code): number for vintage, code, number in known})
    for part in (_seed_names(conn, wanted, ids), _seed_successions(conn, wanted, ids)):
        added, changed, removed = added + part.added, changed + part.changed, removed + part.removed
    centre = ids[VINTAGE_2025, CENTRE]
    edition = _EDITION_OF.first(conn, code=CENTRE)
    if edition is None or edition.value != wanted.edition or added or changed or removed:
        _SET.run(conn, unit=centre, name=_EDITION, text=wanted.edition, now=now, by="seed")
    return Seeded(added, changed, removed)


def _seed_names(conn: Connection, wanted: catalogue.Catalogue, ids: dict[tuple[str, str], int]) -> Seeded:
    have = {(row.unit_id, row.valid_from): tuple(row)[2:] for row in conn.execute(sa.select(unit_names))}
    new, differing = [], []
    for version in wanted.versions:
        key = (ids[VINTAGE_2025, version.code], version.valid_from)
        row = {"name": version.name, "kind": version.kind, "decree": version.decree}
        if key not in have:
            new.append({"unit_id": key[0], "valid_from": key[1], **row})
        elif have[key] != tuple(row.values()):
            differing.append({"the_id": key[0], "the_day": key[1], **row})
    if new:
        conn.execute(sa.insert(unit_names), new)
    if differing:
        conn.execute(
            sa.update(unit_names)
            .where(unit_names.c.unit_id == sa.bindparam("the_id"), unit_names.c.valid_from == sa.bindparam("the_day"))
            .values(name=sa.bindparam("name"), kind=sa.bindparam("kind"), decree=sa.bindparam("decree")),
            differing,
        )
    return Seeded(len(new), len(differing), 0)


def _seed_successions(conn: Connection, wanted: catalogue.Catalogue, ids: dict[tuple[str, str], int]) -> Seeded:
    edges = {(ids[PRE_2025, edge.old], ids[VINTAGE_2025, edge.new]): edge.flag for edge in wanted.edges}
    of_old = sa.select(successions).join(units, units.c.id == successions.c.old_unit_id)
    rows = conn.execute(of_old.where(units.c.vintage == PRE_2025))
    have = {(row.old_unit_id, row.new_unit_id): row.flag for row in rows}
    new = [{"old_unit_id": a, "new_unit_id": b, "flag": flag} for (a, b), flag in edges.items() if (a, b) not in have]
    differing = [
        {"a": a, "b": b, "flag": flag} for (a, b), flag in edges.items() if (a, b) in have and have[a, b] != flag
    ]
    gone = [{"a": a, "b": b} for a, b in have.keys() - edges.keys()]
    this = sa.and_(successions.c.old_unit_id == sa.bindparam("a"), successions.c.new_unit_id == sa.bindparam("b"))
    if new:
        conn.execute(sa.insert(successions), new)
    if differing:
        conn.execute(sa.update(successions).where(this).values(flag=sa.bindparam("flag")), differing)
    if gone:
        conn.execute(sa.delete(successions).where(this), gone)
    return Seeded(len(new), len(differing), len(gone))


_EDITION_OF = Prepared(
    sa.select(unit_settings.c.id, unit_settings.c.value)
    .join(units, units.c.id == unit_settings.c.unit_id)
    .where(units.c.vintage == VINTAGE_2025, units.c.code == sa.bindparam("code"), unit_settings.c.key == _EDITION)
    .order_by(unit_settings.c.id.desc())
    .limit(1)
)

# ------------------------------------------------------------------------------------------ reading

_BY_CODE = Prepared(
    sa.select(*_COLUMNS).where(units.c.vintage == sa.bindparam("of"), units.c.code == sa.bindparam("the_code"))
)
_BY_ID = Prepared(sa.select(*_COLUMNS).where(units.c.id == sa.bindparam("the_id")))
_CHILDREN = Prepared(
    sa.select(*_COLUMNS).where(units.c.parent_id == sa.bindparam("parent")).order_by(units.c.vintage, units.c.code)
)
_IN_RANGE = Prepared(
    sa.select(*_COLUMNS)
    .where(units.c.path >= sa.bindparam("low"), units.c.path < sa.bindparam("high"))
    .order_by(units.c.path)
)
# A tree is four levels deep, so three paths name all that a unit lies in (and four with itself).
_ON_PATHS = Prepared(
    sa.select(*_COLUMNS)
    .where(units.c.path.in_([sa.bindparam(name) for name in ("path_0", "path_1", "path_2")]))
    .order_by(units.c.level.desc())
)
_NAME_ON = Prepared(
    sa.select(unit_names.c.name, unit_names.c.kind, unit_names.c.decree)
    .where(unit_names.c.unit_id == sa.bindparam("unit"), unit_names.c.valid_from <= sa.bindparam("day"))
    .order_by(unit_names.c.valid_from.desc())
    .limit(1)
)
_FIRST_NAME = Prepared(
    sa.select(unit_names.c.name, unit_names.c.kind, unit_names.c.decree)
    .where(unit_names.c.unit_id == sa.bindparam("unit"))
    .order_by(unit_names.c.valid_from)
    .limit(1)
)
_SUCCESSORS = Prepared(
    sa.select(*_COLUMNS, successions.c.flag)
    .join(successions, successions.c.new_unit_id == units.c.id)
    .where(successions.c.old_unit_id == sa.bindparam("old"))
)


def by_code(conn: Connection, code: str, vintage: str = VINTAGE_2025) -> UnitRow | None:
    """The unit of a code: ``VN``, ``22``, ``06685``, ``0668503`` or as displayed, ``06685-03``."""
    return _unit(_BY_CODE.first(conn, of=vintage, the_code=_plain_code(code)))


def by_id(conn: Connection, unit_id: int) -> UnitRow | None:
    """The unit of a row id."""
    return _unit(_BY_ID.first(conn, the_id=unit_id))


def children(conn: Connection, unit_id: int) -> tuple[UnitRow, ...]:
    """The units directly below, closed ones too, by code."""
    return tuple(UnitRow(*row) for row in _CHILDREN.all(conn, parent=unit_id))


def ancestors(conn: Connection, unit: UnitRow) -> tuple[UnitRow, ...]:
    """What a unit lies in, nearest first, the centre last; nothing for old communes."""
    return tuple(UnitRow(*row) for row in _ON_PATHS.all(conn, **_paths(_paths_above(unit), 3)))


def subtree(conn: Connection, unit: UnitRow) -> tuple[UnitRow, ...]:
    """The unit and everything below it, parents before their children."""
    low, high = bounds(unit)
    return tuple(UnitRow(*row) for row in _IN_RANGE.all(conn, low=low, high=high))


def tree(conn: Connection, code: str) -> tuple[UnitRow, ...]:
    """``subtree`` of a unit of today by its code; ``Refused("unit_unknown")``."""
    return subtree(conn, _of_today(conn, code))


def bounds(unit: UnitRow) -> tuple[str, str]:
    """``low <= path < high`` holds for the unit and everything below it, by an index on both databases."""
    return unit.path, unit.path[:-1] + "0"  # the character after "/"


def within(unit: UnitRow, scope: UnitRow) -> bool:
    """Whether a unit is ``scope`` or lies in it. Pure."""
    return unit.path.startswith(scope.path)


def display_code(unit: UnitRow) -> str:
    """The code for people's eyes: ``06685-03`` for a unit of the association."""
    return f"{unit.code[:5]}-{unit.code[5:]}" if unit.level == ASSOCIATION else unit.code


def name_on(conn: Connection, unit_id: int, day: date) -> NameOn:
    """Name and kind of a unit on a day; before its first known name, that one. ``Refused("unit_unknown")``."""
    row = _NAME_ON.first(conn, unit=unit_id, day=day) or _FIRST_NAME.first(conn, unit=unit_id)
    if row:
        return NameOn(*row)
    unit = by_id(conn, unit_id)  # the centre and old communes have one name only
    if unit is None:
        raise Refused("unit_unknown", code=unit_id)
    return NameOn(unit.name, unit.kind, None)


def full_name(conn: Connection, unit: UnitRow) -> Place:
    """The unit with the names of what it lies in, the centre left out."""
    if unit.vintage == PRE_2025:
        return Place(unit, _old_above(unit))
    return Place(unit, tuple(above.name for above in ancestors(conn, unit) if above.level != CENTRE_LEVEL))


def successors(conn: Connection, old: UnitRow) -> tuple[Successor, ...]:
    """What became of a closed unit: certain or suggested first, then parts, land without people last."""
    found = [Successor(UnitRow(*row[:-1]), row[-1], row[-1] in _SUGGESTED) for row in _SUCCESSORS.all(conn, old=old.id)]
    return tuple(sorted(found, key=lambda successor: (FLAGS.index(successor.flag), successor.unit.code)))


def sole_successor(conn: Connection, old: UnitRow) -> UnitRow | None:
    """The unit that all people of a closed unit went to, or None where somebody must choose."""
    return next((found.unit for found in successors(conn, old) if found.flag in _CERTAIN), None)


_CERTAIN: Final = ("whole", "whole_district", "part_all_population")
_SUGGESTED: Final = (*_CERTAIN, "part_suggested")


def _unit(row: Any) -> UnitRow | None:
    return UnitRow(*row) if row else None


def _plain_code(code: str) -> str:
    return re.sub(r"[\s._-]", "", unicodedata.normalize("NFKC", code)).upper()[:8]


def _of_today(conn: Connection, code: str) -> UnitRow:
    unit = by_code(conn, code)
    if unit is None:
        raise Refused("unit_unknown", code=code[:40])
    return unit


def _paths_above(unit: UnitRow) -> list[str]:
    codes = unit.path.split("/")[:-2]
    return ["".join(f"{code}/" for code in codes[:count]) for count in range(1, len(codes) + 1)]


def _paths(paths: list[str], count: int) -> dict[str, str]:
    """Parameters ``path_0`` … for a statement that names ``count`` paths; those that are not there match nothing."""
    return {f"path_{place}": paths[place] if place < len(paths) else "" for place in range(count)}


def _old_above(unit: UnitRow) -> tuple[str, ...]:
    # An island district without communes is its own district.
    return tuple(name for name in (unit.old_district, unit.old_province) if name and name != unit.name)


# ------------------------------------------------------------------------------------------ searching

_OF_VINTAGE = Prepared(
    sa.select(*_COLUMNS)
    .where(units.c.vintage == sa.bindparam("of"), units.c.level < ASSOCIATION)
    .order_by(units.c.level, units.c.path)
)
_BY_FOLDED = Prepared(
    sa.select(*_COLUMNS, units.c.folded)
    .where(
        units.c.level == ASSOCIATION,
        units.c.folded >= sa.bindparam("low"),
        units.c.folded < sa.bindparam("high"),
        units.c.valid_to.is_(None),
    )
    .order_by(units.c.folded, units.c.path)
    .limit(20)
)

_OPEN_BELOW = Prepared(
    sa.select(*_COLUMNS, units.c.folded).where(units.c.parent_id == sa.bindparam("parent"), units.c.valid_to.is_(None))
)

_Fit = tuple[int, int, int, int]  # see gazetteer.Hit.rank
_Loaded = tuple[tuple[int, str], Gazetteer[Place]]

# The official units change a few times a year, by ``seed``; each process keeps an index of them in memory per database,
# good for one edition, which a single indexed query names. Units of the association change daily and may be many, so
# they are asked of the database.
_loaded: WeakKeyDictionary[Engine, dict[str, _Loaded]] = WeakKeyDictionary()
_loading = Lock()


def search(
    conn: Connection, text: str, limit: int = 10, vintage: str = VINTAGE_2025, level: int | None = None
) -> tuple[Place, ...]:
    """Units that a text may name, best first; a list always, since many names occur many times.

    Accents, case, punctuation and words of kind are optional: ``hong gai``, ``P. Hồng Gai``, ``hong gai quang ninh``,
    ``chi hoi khu 3 hong gai``; words before a whole name are passed over where nothing else is found (``tôi ở Hồng
    Gai``). ``vintage="pre-2025"`` searches the old communes (``truc bach ba dinh``). Reads 12 words. Under 20 ms; the
    first search in a process loads the index (0.1 s, old communes 0.5 s).
    """
    official = _official(conn, vintage)
    tokens = gazetteer.words(text)[:12]
    if official is None or not tokens:
        return ()
    for start in range(min(len(tokens), 6)):
        found = _search(conn, official, " ".join(tokens[start:]), limit, vintage, level)
        found = [(fit, place) for fit, place in found if start == 0 or fit[0] == 0]
        if found:
            found.sort(key=lambda pair: pair[0])
            return tuple(place for _, place in found[:limit])
    return ()


def _search(
    conn: Connection, official: Gazetteer[Place], text: str, limit: int, vintage: str, level: int | None
) -> list[tuple[_Fit, Place]]:
    found: list[tuple[_Fit, Place]] = []
    if level != ASSOCIATION:
        found += [(hit.rank, hit.place) for hit in gazetteer.look_up(official, text, limit, level)]
    if vintage == VINTAGE_2025 and level in (None, ASSOCIATION):
        found += _search_association(conn, official, text)
    return found


def _official(conn: Connection, vintage: str) -> Gazetteer[Place] | None:
    edition = _EDITION_OF.first(conn, code=CENTRE)
    if edition is None:
        return None
    with _loading:
        kept = _loaded.setdefault(conn.engine, {})
        loaded = kept.get(vintage)
        if loaded is None or loaded[0] != tuple(edition):
            loaded = kept[vintage] = (tuple(edition), _load(conn, vintage))
        return loaded[1]


def _load(conn: Connection, vintage: str) -> Gazetteer[Place]:
    rows = [UnitRow(*row) for row in _OF_VINTAGE.all(conn, of=vintage)]
    names = {row.id: row.name for row in rows}
    places = []
    for row in rows:
        if vintage == PRE_2025:
            places.append(Place(row, _old_above(row)))
        elif row.valid_to is None:
            above = names[row.parent_id] if row.parent_id and row.level == COMMUNE else None
            places.append(Place(row, (above,) if above else ()))
    return gazetteer.build(
        [gazetteer.entry(place, place.unit.name, place.unit.kind, place.unit.level, place.above) for place in places]
    )


def _search_association(conn: Connection, official: Gazetteer[Place], text: str) -> list[tuple[_Fit, Place]]:
    best: dict[int, tuple[_Fit, Place]] = {}

    def note(fit: _Fit, unit: UnitRow, above: tuple[str, ...] | None = None) -> None:
        if unit.id not in best:
            best[unit.id] = (fit, Place(unit, above) if above else full_name(conn, unit))
        elif fit < best[unit.id][0]:
            best[unit.id] = (fit, best[unit.id][1])

    tokens = fold(text).split()
    for head, kinds in gazetteer.heads(" ".join(tokens)):
        for row in _BY_FOLDED.all(conn, low=head, high=head + "\U0010fffd"):
            if fit := _fit(row.folded, row.kind, head, kinds):
                note(fit, UnitRow(*row[:-1]))
    # "khu 3 hong gai", "hong gai khu 3": one end names the commune, the other the unit in it.
    for split in range(1, len(tokens)):
        ends = (" ".join(tokens[:split]), " ".join(tokens[split:]))
        for name, commune in (ends, ends[::-1]):
            for hit in gazetteer.look_up(official, commune, 5, COMMUNE):
                if hit.rank[0] > 0:
                    break
                for row in _OPEN_BELOW.all(conn, parent=hit.place.unit.id):
                    for head, kinds in gazetteer.heads(name):
                        if fit := _fit(row.folded, row.kind, head, kinds):
                            note(fit, UnitRow(*row[:-1]), hit.place.parts)
    return list(best.values())


def _fit(folded: str, kind: str, head: str, kinds: frozenset[str]) -> _Fit | None:
    if folded == head:
        rank = 0
    elif folded.startswith(head):
        rank = 1
    elif f" {head}" in folded:
        rank = 3
    else:
        return None
    return (rank, int(bool(kinds) and kind not in kinds), 0, ASSOCIATION)


# ------------------------------------------------------------------------------------------ units of the association

_LOCK = Prepared(sa.select(units.c.id).where(units.c.id == sa.bindparam("the_id")).with_for_update())
_SIBLINGS = Prepared(
    sa.select(units.c.code, units.c.name, units.c.valid_to).where(units.c.parent_id == sa.bindparam("parent"))
)
_INSERT = Prepared(
    sa.insert(units).values({name: sa.bindparam(f"new_{name}") for name in _OFFICIAL}).returning(units.c.id)
)
_INSERT_NAME = Prepared(
    sa.insert(unit_names).values(
        unit_id=sa.bindparam("unit"),
        valid_from=sa.bindparam("day"),
        name=sa.bindparam("text"),
        kind=sa.bindparam("of_kind"),
    )
)


def add_association_unit(conn: Connection, parent_code: str, name: str, kind: str, by: str, now: datetime) -> UnitRow:
    """Make a unit of the association (chi hội, thôn, trường …) below a commune, numbered 01 to 99 in order.

    ``by`` names the actor (``cli``, ``officer:3``). Refusals: ``unit_unknown`` (code), ``unit_not_commune`` (code,
    name), ``unit_kind`` (kind, kinds), ``unit_name`` (max): empty or over 120 characters, ``unit_name_taken`` (name,
    code), ``unit_full`` (name): all 99 numbers used, for the number of a closed unit is not given again.
    """
    parent = _of_today(conn, parent_code)
    if parent.level != COMMUNE or parent.valid_to is not None:
        raise Refused("unit_not_commune", code=display_code(parent), name=parent.name)
    if kind not in UNITS_OF_THE_ASSOCIATION:
        raise Refused("unit_kind", kind=kind[:40], kinds=UNITS_OF_THE_ASSOCIATION)
    clean = _one_line(name)
    if not 1 <= len(clean) <= 120:
        raise Refused("unit_name", max=120)
    _LOCK.first(conn, the_id=parent.id)  # so that two officers at once get two numbers
    last = 0
    for code, taken, valid_to in _SIBLINGS.all(conn, parent=parent.id):
        last = max(last, int(code[5:]))
        if valid_to is None and taken.casefold() == clean.casefold():
            raise Refused("unit_name_taken", name=taken, code=f"{code[:5]}-{code[5:]}")
    if last >= 99:
        raise Refused("unit_full", name=parent.name)
    code, day = f"{parent.code}{last + 1:02}", now.astimezone(HERE).date()
    row = (
        VINTAGE_2025, code, ASSOCIATION, parent.id, f"{parent.path}{code}/", clean, kind, core(clean, kind),
        day, None, None, None,
    )  # fmt: skip
    new_id = _INSERT.value(conn, **{f"new_{name}": value for name, value in zip(_OFFICIAL, row, strict=True)})
    _INSERT_NAME.run(conn, unit=new_id, day=day, text=clean, of_kind=kind)
    audit.write(conn, by, "unit.added", f"unit:{new_id}", now, unit_id=new_id, code=code, kind=kind)
    made = by_id(conn, new_id)
    assert made is not None
    return made


def _one_line(text: str) -> str:
    """NFC, without control and invisible characters, single spaces."""
    visible = "".join(" " if unicodedata.category(char) == "Cc" else char for char in text)
    shown = "".join(char for char in visible if unicodedata.category(char) not in ("Cf", "Cs", "Co", "Cn"))
    return unicodedata.normalize("NFC", " ".join(shown.split()))


# ------------------------------------------------------------------------------------------ settings

_SET = Prepared(
    sa.insert(unit_settings).values(
        unit_id=sa.bindparam("unit"),
        key=sa.bindparam("name"),
        value=sa.bindparam("text"),
        set_at=sa.bindparam("now"),
        set_by=sa.bindparam("by"),
    )
)
_SETTINGS_ON = Prepared(
    sa.select(units.c.level, unit_settings.c.key, unit_settings.c.value)
    .join(unit_settings, unit_settings.c.unit_id == units.c.id)
    .where(units.c.path.in_([sa.bindparam(name) for name in ("path_0", "path_1", "path_2", "path_3")]))
    .order_by(units.c.level, unit_settings.c.id)
)

_TEXTS: Final = {"controller": 200, "contact_name": 120, "contact_phone": 24}  # longest, in characters
_NUMBERS: Final = {"service_days": (1, 60), "min_age": (15, 100), "joins_per_hour": (1, 100_000)}
_CHOICES: Final = {"id_number": ("no", "ask", "require")}
_OPENINGS: Final = {"open": date.min, "closed": date.max}  # what open_from may say beside a day
SETTING_KEYS: Final = (*_TEXTS, *_NUMBERS, *_CHOICES, "open_from")


def set_setting(conn: Connection, code: str, key: str, value: str | int | None, by: str, now: datetime) -> None:
    """Set ``controller``, ``contact_name``, ``contact_phone``, ``service_days`` (1 to 60), ``min_age`` (15 to 100)
    ``joins_per_hour`` (1 to 100,000), ``id_number`` (``no``, ``ask``, ``require``) or ``open_from`` (``2026-12-01``,
    ``open``, ``closed``).

    It holds for the unit and all below that have none of their own. ``None`` or an empty text takes the unit's own
    away, so that it inherits again. Refusals: ``unit_unknown`` (code), ``setting_unknown`` (key, keys),
    ``setting_wrong`` (key; low, high for numbers; max for texts; choices).
    """
    unit = _of_today(conn, code)
    text = _checked(key, value)
    _SET.run(conn, unit=unit.id, name=key, text=text, now=now, by=by)
    audit.write(conn, by, "unit.set", f"unit:{unit.id}", now, unit_id=unit.id, key=key)


def settings(conn: Connection, unit: UnitRow) -> Settings:
    """The settings in force at a unit: its own, else those of the nearest unit above. One indexed query, so a change
    made by another process holds at once."""
    newest: dict[tuple[int, str], str | None] = {}
    paths = [*_paths_above(unit), unit.path]
    for level, key, value in _SETTINGS_ON.all(conn, **_paths(paths, 4)):
        newest[level, key] = value
    found: dict[str, Any] = {}
    for (_, key), value in newest.items():  # in the order of levels, so the nearest unit speaks last
        if value is not None and key in SETTING_KEYS:
            found[key] = int(value) if key in _NUMBERS else _opening(value) if key == "open_from" else value
    return Settings(**found)


# From the settings to the units: of 13,000 units in the country few have one of their own.
_OWN_BELOW = Prepared(
    sa.select(units.c.path, units.c.id, unit_settings.c.value)
    .select_from(unit_settings.join(units, units.c.id == unit_settings.c.unit_id))
    .where(
        unit_settings.c.key == sa.bindparam("name"),
        units.c.path.concat("") >= sa.bindparam("low"),
        units.c.path.concat("") < sa.bindparam("high"),
    )
    .order_by(unit_settings.c.id)
)


def own_settings_below(conn: Connection, unit: UnitRow, key: str) -> list[tuple[str, int, str]]:
    """A unit and those below it with a *key* set at themselves: (path, row id, value), in the order of paths."""
    low, high = bounds(unit)
    newest = {row.path: (row.id, row.value) for row in _OWN_BELOW.all(conn, name=key, low=low, high=high)}
    return [(path, id, value) for path, (id, value) in sorted(newest.items()) if value is not None]


def _opening(text: str) -> date | None:
    """The day that ``open_from`` says; ``None`` where it says none."""
    if text in _OPENINGS:
        return _OPENINGS[text]
    try:
        return date.fromisoformat(text) if re.fullmatch(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:  # 2026-02-30
        return None


def _checked(key: str, value: str | int | None) -> str | None:
    if key not in SETTING_KEYS:
        raise Refused("setting_unknown", key=key[:40], keys=SETTING_KEYS)
    text = _one_line(str(value)) if value is not None else ""
    if not text:
        return None
    if key in _NUMBERS:
        low, high = _NUMBERS[key]
        if not re.fullmatch("[0-9]{1,6}", text) or not low <= int(text) <= high:
            raise Refused("setting_wrong", key=key, low=low, high=high)
        return str(int(text))
    if key in _CHOICES:
        if text not in _CHOICES[key]:
            raise Refused("setting_wrong", key=key, choices=_CHOICES[key])
        return text
    if key == "open_from":
        if _opening(text) is None:
            raise Refused("setting_wrong", key=key, choices=(*_OPENINGS, "2026-12-01"))
        return text
    phone = key != "contact_phone" or (
        re.fullmatch("[0-9 +().-]+", text) and 3 <= len(re.sub("[^0-9]", "", text)) <= 15
    )
    if len(text) > _TEXTS[key] or not phone:
        raise Refused("setting_wrong", key=key, max=_TEXTS[key])
    return text
