"""Whether somebody in an imported list is a citizen who joined (đối chiếu người trong danh sách nhập).

The citizen is asked and may say so; only an officer says whose a title is, for name and year of birth are known to
neighbours. What either has denied is kept apart for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import audit, identity, imported, privacy, titles
from storage.assessments import assessments
from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of
from storage.gazetteer import spelling
from storage.identity import Chain, KeyRing
from storage.imported import Imported, imported_people
from storage.people import PersonRow, people
from storage.titles import TitleRow

Keys = Callable[[], KeyRing]


class ImportedClaim(SQLModel, table=True):
    """What was said of an entry in a list and a person: by the citizen (yes, no), by an officer (no; a yes is
    ``imported_people.person_id``)."""

    __tablename__ = "imported_claims"
    __table_args__ = (
        sa.CheckConstraint("citizen in ('yes', 'no')", name="citizen"),
        sa.CheckConstraint("officer in ('no')", name="officer"),
    )
    imported_id: int = Field(primary_key=True, foreign_key="imported_people.id", ondelete="CASCADE", sa_type=BigId)
    person_id: int = Field(primary_key=True, foreign_key="people.id", index=True, sa_type=BigId)
    citizen: str | None = Field(default=None, max_length=3)
    officer: str | None = Field(default=None, max_length=3)
    at: datetime = Field(sa_type=UtcTime)


imported_claims = table_of(ImportedClaim)


@dataclass(frozen=True, slots=True)
class Match:
    """Somebody in an imported list who may be a person who joined. ``agrees``: what is the same of ``number``,
    ``name``, ``birth_year``, ``phone``; ``said``: the citizen says that it is they. ``sure``: name and id number are
    the same, or name, commune, year of birth and phone. Nobody but an officer says that it is so."""

    imported: Imported
    titles: tuple[TitleRow, ...]
    agrees: tuple[str, ...]
    said: bool

    @property
    def sure(self) -> bool:
        """Is it as good as certain?"""
        return "name" in self.agrees and ("number" in self.agrees or {"birth_year", "phone"} <= {*self.agrees})


@dataclass(frozen=True, slots=True)
class Claim:
    """What a citizen has said of a list, and since when."""

    imported_id: int
    citizen: str | None
    officer: str | None
    at: datetime


# ------------------------------------------------------------------------------------------ who it may be

_PAIRS = Prepared(
    sa.select(imported_claims.c.imported_id, imported_claims.c.citizen, imported_claims.c.officer, imported_claims.c.at)
    .where(imported_claims.c.person_id == sa.bindparam("person"))
    .order_by(imported_claims.c.imported_id)
)


def said_by(conn: Connection, person_id: int) -> list[Claim]:
    """What was said of this person and the lists."""
    return [Claim(*row) for row in _PAIRS.all(conn, person=person_id)]


def matches(conn: Connection, person: PersonRow, keys: Keys) -> list[Match]:
    """Who of the imported lists, not yet confirmed as anybody and not denied, may be this person: those that are sure
    first, then those of whom the citizen says so. *keys* are asked for only where there are phones to compare."""
    pairs = {each.imported_id: each for each in said_by(conn, person.id)}
    found: dict[int, tuple[Imported, set[str]]] = {}
    numbered = identity.imported_as(conn, person.id)
    if numbered is not None:
        known = imported.by_id(conn, numbered)
        assert known is not None
        found[known.id] = known, {"number"}
    # The list names the commune, the chat perhaps a unit of the association in it; or the other way round.
    low = titles.commune_path(conn, person.unit_id)
    namesakes = imported.namesakes_below(conn, person.name, low)
    phone: Chain = ()
    if person.phone is not None and any(each.phone is not None for each in namesakes):
        phone = imported.phone_mark(keys(), person.name, low, person.phone)
    for each in namesakes:
        if imported.same(each, person.birth_year, phone, False):
            found.setdefault(each.id, (each, set()))
    told = []
    for each, agrees in found.values():
        pair = pairs.get(each.id)
        if each.person_id is not None or (pair and "no" in (pair.citizen, pair.officer)):
            continue
        # A slip in one's own number may meet another's.
        if spelling(each.name) == spelling(person.name):
            agrees.add("name")
        year_agrees, phone_agrees = imported.agreeing(each, person.birth_year, phone)
        agrees |= {"birth_year"} if year_agrees else set()
        agrees |= {"phone"} if phone_agrees else set()
        agreeing = tuple(name for name in ("number", "name", "birth_year", "phone") if name in agrees)
        said = pair is not None and pair.citizen == "yes"
        told.append(Match(each, tuple(imported.titles_of(conn, each)), agreeing, said))
    return sorted(told, key=lambda each: (not each.sure, "name" not in each.agrees, not each.said, each.imported.id))


# ------------------------------------------------------------------------------------------ saying so

_SAID = {
    who: (
        Prepared(
            sa.update(imported_claims)
            .where(
                imported_claims.c.imported_id == sa.bindparam("imported"),
                imported_claims.c.person_id == sa.bindparam("person"),
            )
            .values({who: sa.bindparam("says"), "at": sa.bindparam("now")})
        ),
        Prepared(
            sa.insert(imported_claims).values(
                {
                    "imported_id": sa.bindparam("imported"),
                    "person_id": sa.bindparam("person"),
                    who: sa.bindparam("says"),
                    "at": sa.bindparam("now"),
                }
            )
        ),
    )
    for who in ("citizen", "officer")
}
_BIND = Prepared(
    sa.update(imported_people)
    .where(imported_people.c.id == sa.bindparam("imported"), imported_people.c.person_id.is_(None))
    .values(person_id=sa.bindparam("person"))
)
_UNBIND = Prepared(
    sa.update(imported_people).where(imported_people.c.id == sa.bindparam("imported")).values(person_id=None)
)
_HOLD_PERSON = Prepared(
    sa.select(people.c.id).where(people.c.id == sa.bindparam("person")).with_for_update(key_share=True)
)
_LISTED = Prepared(
    sa.union_all(
        sa.select(titles.titles.c.id).where(titles.titles.c.person_id == sa.bindparam("person")),
        sa.select(imported_people.c.id).where(imported_people.c.person_id == sa.bindparam("person")),
    )
)
_APPROVED = Prepared(
    sa.select(assessments.c.year).where(
        assessments.c.person_id == sa.bindparam("person"), assessments.c.status == "approved"
    )
)


def _say(conn: Connection, who: str, imported_id: int, person_id: int, says: str, now: datetime) -> None:
    change, insert = _SAID[who]
    if not change.run(conn, imported=imported_id, person=person_id, says=says, now=now):
        insert.run(conn, imported=imported_id, person=person_id, says=says, now=now)


def say(conn: Connection, imported_id: int, person: PersonRow, is_so: bool, now: datetime) -> None:
    """The citizen says that an entry of a list is they, which only marks it for the officer; or that it is not, which
    keeps the two apart for ever. One that is gone meanwhile is passed over."""
    if not imported.locked(conn, imported_id)[0]:
        return
    _say(conn, "citizen", imported_id, person.id, "yes" if is_so else "no", now)
    subject = f"person:{person.id}"
    audit.write(conn, subject, "import.said", subject, now, person.unit_id, imported=imported_id, so=is_so)


def deny(conn: Connection, imported_id: int, person: PersonRow, actor: str, now: datetime) -> None:
    """An officer says that it is not this person: the two are kept apart for ever. Raises ``Refused("imported_gone")``
    for one that is gone, or has been confirmed meanwhile."""
    there, whose = imported.locked(conn, imported_id)
    if not there or whose is not None:
        raise Refused("imported_gone")
    _say(conn, "officer", imported_id, person.id, "no", now)
    audit.write(conn, actor, "import.deny", f"person:{person.id}", now, person.unit_id, imported=imported_id)


def claim(conn: Connection, imported_id: int, person: PersonRow, actor: str, now: datetime) -> int:
    """An officer confirmed that this is who joined: the titles are theirs now; how many. One of a year for which they
    hold another, or were approved here, stays with the list and is no longer counted. Raises
    ``Refused("imported_gone")``: erased, or confirmed as somebody's.
    """
    if not _BIND.run(conn, imported=imported_id, person=person.id):
        raise Refused("imported_gone")
    given = settle(conn, person.id, now)
    audit.write(conn, actor, "import.claim", f"person:{person.id}", now, person.unit_id, imported=imported_id)
    return given


def settle(conn: Connection, person_id: int, now: datetime) -> int:
    """Give a person the titles of every entry that they were confirmed to be, one a year, and none of a year for which
    they were approved here: that one stays with its list, or goes back to it, and is not counted. How many came."""
    _HOLD_PERSON.first(conn, person=person_id)  # of two officers who confirm two entries each would give that year
    approved = {row.year for row in _APPROVED.all(conn, person=person_id)}
    held = set(approved)
    for title in titles.of_person(conn, person_id):
        if title.year in approved and title.listed_id is not None:
            titles.give_back(conn, title)
            titles.count(conn, title, False, "double", now)
            continue
        if title.source == "import":  # of an entry that was erased since
            titles.count(conn, title, title.year not in approved, "double", now)
        held.add(title.year)
    given = 0
    for entry in imported.of_person(conn, person_id):
        for title in titles.of_imported(conn, entry.id):
            if title.year in held:
                titles.count(conn, title, False, "double", now)
                continue
            titles.give(conn, title, person_id, now)
            held.add(title.year)
            given += 1
    return given


def approval_changed(conn: Connection, person_id: int, now: datetime) -> None:
    """A dossier of a person was approved, or is no longer: the titles of lists that are theirs are settled anew."""
    _HOLD_PERSON.first(conn, person=person_id)  # whoever confirms an entry meanwhile has done so, or sees the approval
    if _LISTED.first(conn, person=person_id) is not None:
        settle(conn, person_id, now)


def unclaim(conn: Connection, imported_id: int, actor: str, now: datetime) -> int:
    """The confirmation was wrong: the titles go back to the entry of the list, and the two are kept apart from now on;
    how many titles. Raises ``Refused("imported_unclaimed", id)`` for one who is nobody's, or gone.
    """
    _there, whose = imported.locked(conn, imported_id)
    if whose is None:
        raise Refused("imported_unclaimed", id=imported_id)
    _UNBIND.run(conn, imported=imported_id)
    back = titles.given_of(conn, imported_id)
    for title in back:
        titles.give_back(conn, title)
    for title in titles.of_imported(conn, imported_id):
        titles.count(conn, title, True, "unclaim", now)
    settle(conn, whose, now)  # another entry of theirs may have had the same year
    _say(conn, "officer", imported_id, whose, "no", now)
    audit.write(conn, actor, "import.unclaim", f"person:{whose}", now, imported=imported_id)
    return len(back)


# ------------------------------------------------------------------------------------------ taking back one's own

_FORGET_PAIRS = Prepared(sa.delete(imported_claims).where(imported_claims.c.person_id == sa.bindparam("person")))


def number_of(conn: Connection, person_id: int) -> str:
    """The last four digits of the id number that a list brought of this person, as whom they were confirmed; ``""``."""
    return next(
        filter(None, (identity.imported_last4(conn, each.id) for each in imported.of_person(conn, person_id))), ""
    )


def take_back_number(conn: Connection, person_id: int) -> None:
    """A person takes their id number back: that of the entries that they were confirmed to be goes too."""
    for each in imported.of_person(conn, person_id):
        identity.remove_imported(conn, each.id)


def forget_person(conn: Connection, person: PersonRow, actor: str, now: datetime, *, asked: bool) -> None:
    """A person is being erased: their titles go, and the entries of lists that an officer has confirmed them to be;
    where they *asked* for it, no other list brings them back (:func:`storage.imported.forget`).

    Others stay, for what one says of oneself must not erase somebody else: where the citizen said that one is they and
    *asked* to be erased, an open request (``imported:ID``) asks whoever runs the server to see to it
    (``hoctap import forget``).
    """
    titles.erase_of(conn, person.id, now)
    for entry in imported.of_person(conn, person.id):
        imported.forget(conn, entry.id, actor, now, asked=asked)
    for pair in said_by(conn, person.id) if asked else ():
        known = imported.by_id(conn, pair.imported_id)
        if pair.citizen == "yes" and pair.officer is None and known is not None and known.person_id is None:
            about = f"imported:{known.id}"
            privacy.ask(conn, "delete", actor="system", now=now, unit_id=known.unit_id, about=about)
    _FORGET_PAIRS.run(conn, person=person.id)
