"""People in imported lists (người trong danh sách nhập từ phần mềm trước): who is whom, and who was erased.

Who is imported has consented to nothing here, so they are no :class:`storage.people.Person`: nothing is sent to them,
no figure of this program counts them but their title, and what is held is what finding them again takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import audit, identity, numbering, titles
from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of
from storage.gazetteer import spelling
from storage.identity import Chain, KeyRing, Traces
from storage.numbering import Next
from storage.titles import TitleRow
from storage.units import Unit


class ImportedPerson(SQLModel, table=True):
    """Somebody in an imported list, with their unit of today. ``person_id``: who of those who joined it is, once an
    officer has confirmed it. ``name_key`` is :func:`storage.gazetteer.spelling` of the name. Of the phone only a mark
    is kept (:class:`storage.identity.ImportedMark`)."""

    __tablename__ = "imported_people"
    __table_args__ = (
        sa.CheckConstraint("length(name) between 1 and 120", name="name"),
        sa.CheckConstraint("birth_year between 1900 and 2100", name="birth_year"),
        sa.Index("ix_imported_people_name_key_unit_id", "name_key", "unit_id"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    unit_id: int = Field(foreign_key="units.id", index=True)
    name: str = Field(max_length=120)
    name_key: str = Field(max_length=240)
    birth_year: int | None = None
    subject_group: str = Field(max_length=32)
    person_id: int | None = Field(default=None, foreign_key="people.id", index=True, sa_type=BigId)
    made_at: datetime = Field(sa_type=UtcTime)


imported_people = table_of(ImportedPerson)
units = table_of(Unit)
_marks = identity.imported_marks


@dataclass(frozen=True, slots=True)
class Past:
    """A title as a list tells it."""

    year: int
    unit_id: int  # then
    decision_number: str | None = None
    decision_date: date | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of a file, judged and found good. ``unit_id`` is a unit of today; ``number`` the traces of an id number;
    ``phone`` as people write it, in memory only."""

    row: int
    unit_id: int
    name: str
    birth_year: int | None
    phone: str | None = field(repr=False)
    number: Traces | None
    subject_group: str
    title: Past | None


@dataclass(frozen=True, slots=True)
class Imported:
    """Somebody in an imported list. ``phone``: the mark of their name, commune and phone; ``person_id``: who it is of
    those who joined, confirmed; ``numbered``: an id number is kept."""

    id: int
    unit_id: int
    name: str
    birth_year: int | None
    subject_group: str
    phone: tuple[str, str] | None = field(repr=False)
    person_id: int | None
    numbered: bool


# ------------------------------------------------------------------------------------------ reading

_NUMBERED = sa.exists(
    sa.select(identity.imported_identities.c.imported_id).where(
        identity.imported_identities.c.imported_id == imported_people.c.id
    )
).label("numbered")
_COLUMNS = (
    imported_people.c.id,
    imported_people.c.unit_id,
    imported_people.c.name,
    imported_people.c.birth_year,
    imported_people.c.subject_group,
    imported_people.c.person_id,
    _marks.c.key_id.label("phone_key"),
    _marks.c.hmac.label("phone_mac"),
    _NUMBERED,
)
_PHONE = sa.and_(_marks.c.imported_id == imported_people.c.id, _marks.c.kind == "phone")
_FROM = imported_people.outerjoin(_marks, _PHONE)
_FROM_UNITS = imported_people.join(units, units.c.id == imported_people.c.unit_id).outerjoin(_marks, _PHONE)
_BY_ID = Prepared(sa.select(*_COLUMNS).select_from(_FROM).where(imported_people.c.id == sa.bindparam("imported")))
_HELD = Prepared(
    sa.select(imported_people.c.id, imported_people.c.person_id)
    .where(imported_people.c.id == sa.bindparam("imported"))
    .with_for_update()
)
_NAMESAKES = Prepared(
    sa.select(*_COLUMNS)
    .select_from(_FROM)
    .where(imported_people.c.name_key == sa.bindparam("spelled"), imported_people.c.unit_id == sa.bindparam("unit"))
    .order_by(imported_people.c.id)
)
_NAMESAKES_BELOW = Prepared(
    sa.select(*_COLUMNS)
    .select_from(_FROM_UNITS)
    .where(
        imported_people.c.name_key == sa.bindparam("spelled"),
        units.c.path >= sa.bindparam("low"),
        units.c.path < sa.bindparam("high"),
    )
    .order_by(imported_people.c.id)
)
_OF_PERSON = Prepared(
    sa.select(*_COLUMNS)
    .select_from(_FROM)
    .where(imported_people.c.person_id == sa.bindparam("person"))
    .order_by(imported_people.c.id)
)


def _imported(row: Any) -> Imported:
    phone = (row.phone_key, row.phone_mac) if row.phone_key is not None else None
    return Imported(
        row.id, row.unit_id, row.name, row.birth_year, row.subject_group, phone, row.person_id, row.numbered
    )


def by_id(conn: Connection, imported_id: int) -> Imported | None:
    """Somebody in an imported list."""
    row = _BY_ID.first(conn, imported=imported_id)
    return None if row is None else _imported(row)


def locked(conn: Connection, imported_id: int) -> tuple[bool, int | None]:
    """Are they there, and who are they confirmed to be? Nobody else erases or confirms them until this transaction
    ends."""
    row = _HELD.first(conn, imported=imported_id)
    return (False, None) if row is None else (True, row.person_id)


def of_person(conn: Connection, person_id: int) -> list[Imported]:
    """The entries of lists that an officer has confirmed to be this person, the oldest first."""
    return [_imported(row) for row in _OF_PERSON.all(conn, person=person_id)]


def namesakes_below(conn: Connection, name: str, path: str) -> list[Imported]:
    """Those of a unit or below it (its path) who are called so."""
    found = _NAMESAKES_BELOW.all(conn, spelled=spelling(name), low=path, high=f"{path[:-1]}0")
    return [_imported(row) for row in found]


def of_unit(conn: Connection, unit_path: str, name: str = "", most: int = 1_000) -> list[Imported]:
    """Who of the imported lists belongs to a unit or below it; with *name* only those called so. At most *most*."""
    query = (
        sa.select(*_COLUMNS)
        .select_from(_FROM_UNITS)
        .where(units.c.path >= unit_path, units.c.path < f"{unit_path[:-1]}0")
        .order_by(imported_people.c.id)
        .limit(most)
    )
    if name:
        query = query.where(imported_people.c.name_key == spelling(name))
    return [_imported(row) for row in conn.execute(query)]


def titles_of(conn: Connection, known: Imported) -> list[TitleRow]:
    """The titles that an entry of a list has, or that its person holds, the oldest first; of two for one year both."""
    found = titles.of_imported(conn, known.id)
    if known.person_id is not None:
        found += titles.of_person(conn, known.person_id)
    return sorted(found, key=lambda each: each.year)


# ------------------------------------------------------------------------------------------ who is whom


def phone_mark(ring: KeyRing, name: str, commune: str, phone: str) -> Chain:
    """What somebody's phone in a list is kept and found as. *commune*: its path."""
    return identity.mark(ring, "phone", spelling(name), commune, phone)


def same(known: Imported, birth_year: int | None, phone: Chain, numbered: bool) -> bool:
    """May a row with this name, in this commune, be about somebody known? Pure; the numbers have been compared before.

    The year of birth or the phone must be the same, and nothing may speak against it: rather two entries for one person
    than one entry for two.
    """
    if known.numbered and numbered:
        return False
    year_agrees, phone_agrees = agreeing(known, birth_year, phone)
    return False not in (year_agrees, phone_agrees) and True in (year_agrees, phone_agrees)


def agreeing(known: Imported, birth_year: int | None, phone: Chain) -> tuple[bool | None, bool | None]:
    """Is the year of birth the same, is the phone? ``None`` where one of the two does not say."""
    year = None if known.birth_year is None or birth_year is None else known.birth_year == birth_year
    return year, None if known.phone is None or not phone else known.phone in phone


@dataclass(frozen=True, slots=True)
class Known:
    """What the database holds of imported people, as the rows of a list ask for it. ``ring``: the keys under which
    marks are compared and kept."""

    conn: Connection
    ring: KeyRing
    _communes: dict[int, str] = field(default_factory=dict, init=False)

    def commune(self, unit_id: int) -> str:
        """The path of the commune that a unit is or lies in."""
        if unit_id not in self._communes:
            self._communes[unit_id] = titles.commune_path(self.conn, unit_id)
        return self._communes[unit_id]

    def bearer(self, number: Traces) -> Imported | None:
        """Who bears an id number."""
        found = identity.imported_with(self.conn, number)
        return None if found is None else by_id(self.conn, found)

    def namesakes(self, unit_id: int, name_key: str) -> list[Imported]:
        """Those of a unit who are called so."""
        return [_imported(row) for row in _NAMESAKES.all(self.conn, spelled=name_key, unit=unit_id)]

    def years(self, known: Imported) -> dict[int, int | None]:
        """Year → the title that they hold."""
        return {each.year: each.id for each in titles_of(self.conn, known)}

    def phone(self, row: Listed) -> Chain:
        """What the phone of a row would be kept as."""
        if row.phone is None:
            return ()
        return phone_mark(self.ring, row.name, self.commune(row.unit_id), row.phone)

    def year_mark(self, row: Listed | Imported) -> Chain:
        """What its year of birth would be."""
        if row.birth_year is None:
            return ()
        return identity.mark(self.ring, "year", spelling(row.name), self.commune(row.unit_id), str(row.birth_year))

    def forgotten(self, row: Listed) -> bool:
        """Has the one whom a row is about been erased from the lists?"""
        number = row.number.all if row.number is not None else ()
        return identity.forgotten(self.conn, number, (*self.year_mark(row), *self.phone(row)))


def find(known: Known, row: Listed) -> Imported | None:
    """Who of the imported a row is about.

    Raises ``Refused``: ``import_number_taken`` where its id number is kept for somebody of another name,
    ``import_like`` where all is the same but the id number: one of the two has a slip in it, ``import_several`` where
    it may be about several people.
    """
    name_key = spelling(row.name)
    if row.number is not None:
        bearer = known.bearer(row.number)
        if bearer is not None:
            if spelling(bearer.name) != name_key:
                raise Refused("import_number_taken")
            return bearer
    phone = known.phone(row)
    namesakes = known.namesakes(row.unit_id, name_key)
    found = [each for each in namesakes if same(each, row.birth_year, phone, row.number is not None)]
    found = [each for each in found if agreeing(each, row.birth_year, phone)[1]] or found
    if len({("person", each.person_id) if each.person_id else ("entry", each.id) for each in found}) > 1:
        raise Refused("import_several")
    if found:
        return found[0]
    if any(agreeing(each, row.birth_year, phone) == (True, True) for each in namesakes):
        raise Refused("import_like")  # both bear a number
    return None


def surely(known: Known, row: Listed, who: Imported) -> bool:
    """Does more than name and year of birth say that a row is about this one?"""
    if row.number is not None and known.bearer(row.number) == who:
        return True
    return agreeing(who, row.birth_year, known.phone(row))[1] is True


# ------------------------------------------------------------------------------------------ coming and going

_INSERT = Prepared(
    sa.insert(imported_people)
    .values(
        id=Next("imported_people"),
        unit_id=sa.bindparam("unit"),
        name=sa.bindparam("called"),
        name_key=sa.bindparam("spelled"),
        birth_year=sa.bindparam("born"),
        subject_group=sa.bindparam("group"),
        made_at=sa.bindparam("now"),
    )
    .returning(imported_people.c.id)
)
_DROP = Prepared(sa.delete(imported_people).where(imported_people.c.id == sa.bindparam("imported")))
_IN_RANGE = (
    sa.select(imported_people.c.id, imported_people.c.unit_id)
    .where(
        imported_people.c.id > sa.bindparam("low"),
        imported_people.c.id <= sa.bindparam("high"),
        imported_people.c.made_at < sa.bindparam("before", type_=UtcTime),
        imported_people.c.person_id.is_(None),
    )
    .order_by(imported_people.c.id)
)


def add(known: Known, row: Listed, now: datetime) -> int:
    """Somebody whom nobody knew; their id."""
    conn = known.conn
    made: int = _INSERT.value(
        conn, unit=row.unit_id, called=row.name, spelled=spelling(row.name), born=row.birth_year,
        group=row.subject_group, now=now,
    )  # fmt: skip
    if row.number is not None:
        identity.keep_imported(conn, made, row.number)
    for kind, found in (("year", known.year_mark(row)), ("phone", known.phone(row))):
        if found:
            identity.keep_mark(conn, made, kind, found)
    return made


def unmarked(conn: Connection, after: int, most: int) -> list[int]:
    """Ids above *after* of entries whose year of birth has no mark: imported before revision 0005."""
    of_year = sa.select(_marks.c.id).where(_marks.c.imported_id == imported_people.c.id, _marks.c.kind == "year")
    query = sa.select(imported_people.c.id).where(
        imported_people.c.id > after, imported_people.c.birth_year.is_not(None), ~sa.exists(of_year)
    )
    return list(conn.execute(query.order_by(imported_people.c.id).limit(most)).scalars())


def keep_year(known: Known, imported_id: int) -> None:
    """Mark the year of birth of an entry that has no such mark; nothing without a key."""
    found = by_id(known.conn, imported_id)
    if found is None or imported_id not in unmarked(known.conn, imported_id - 1, 1):
        return
    if mark := known.year_mark(found):
        identity.keep_mark(known.conn, imported_id, "year", mark)


def drop(conn: Connection, imported_id: int) -> None:
    """The list is taken back that they stood in: as if they had never been there. Their titles are gone already."""
    numbering.remember(conn, "imported_people")
    identity.drop_imported(conn, imported_id)
    _DROP.run(conn, imported=imported_id)


def forget(conn: Connection, imported_id: int, actor: str, now: datetime, *, asked: bool = True) -> bool:
    """Erase somebody of an imported list and, unless they joined and hold them now, their titles; were they there?

    The rows of their files stay without them, so the same file does not bring them back. Where they *asked* for it
    marks that nobody can read stay too, so that no other does; whose time is merely over leaves none.
    """
    known = by_id(conn, imported_id)
    if known is None:
        return False
    for title in titles.of_imported(conn, imported_id):
        titles.remove(conn, title, "erase", now)
    numbering.remember(conn, "imported_people")
    if asked:
        identity.forget_imported(conn, imported_id, now)
    else:
        identity.drop_imported(conn, imported_id)
    _DROP.run(conn, imported=imported_id)
    audit.write(conn, actor, "import.forget", f"imported:{imported_id}", now, known.unit_id)
    return True


def unclaimed_before(conn: Connection, before: datetime, low: int, high: int) -> Iterator[tuple[int, int]]:
    """(id, unit id) of those with low < id <= high who were imported before a moment and never joined."""
    for row in conn.execute(_IN_RANGE, {"low": low, "high": high, "before": before}):
        yield row.id, row.unit_id
