"""Who a citizen is (số định danh cá nhân), kept so that it can be compared and not read.

Of a number only an HMAC-SHA-256 under the server's key and the last four digits are kept. Keys are rotated by wrapping:
what was stated under key 1 becomes HMAC(key 2, HMAC(key 1, number)), so the old key alone opens nothing any more; it is
kept all the same, since a number stated later is compared through every chain of keys (docs/decisions.md).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of

KEY_BYTES = 32
WRAPPED_AT_ONCE = 200  # rows: well under 50 ms
_NUMBER = b"hoctap id number\0"
_FINGERPRINT = b"hoctap key fingerprint\0"
_LISTED = b"hoctap imported list\0"


class IdentityKey(SQLModel, table=True):
    """A key that the server has used; of its bytes only a fingerprint."""

    __tablename__ = "identity_keys"
    id: str = Field(primary_key=True, max_length=32)
    number: int = Field(unique=True)
    fingerprint: str = Field(max_length=32)
    made_at: datetime = Field(sa_type=UtcTime)


class Identity(SQLModel, table=True):
    """A person's id number: ``hmac`` (hex) under the chain of keys from ``stated_key`` to ``key_id``.

    ``place`` is 0 for whoever stated a number first, and the person's own id for any other, so that of two who state
    the same at the same moment one is told. ``double_of``: who stated it before.
    """

    __tablename__ = "identities"
    __table_args__ = (
        sa.UniqueConstraint("key_id", "hmac", "place"),
        sa.CheckConstraint("length(hmac) = 64", name="hmac"),
        sa.CheckConstraint("length(last4) = 4", name="last4"),
    )
    person_id: int = Field(primary_key=True, foreign_key="people.id", sa_type=BigId)
    stated_key: str = Field(foreign_key="identity_keys.id", max_length=32)
    key_id: str = Field(foreign_key="identity_keys.id", max_length=32)
    hmac: str = Field(max_length=64)
    last4: str = Field(max_length=4)
    place: int = Field(default=0, sa_type=BigId)
    double_of: int | None = Field(
        default=None, foreign_key="identities.person_id", ondelete="SET NULL", index=True, sa_type=BigId
    )
    at: datetime = Field(sa_type=UtcTime)


class ImportedIdentity(SQLModel, table=True):
    """The id number of somebody in an imported list, kept in the same way; one number stands for one of them."""

    __tablename__ = "imported_identities"
    __table_args__ = (
        sa.UniqueConstraint("key_id", "hmac"),
        sa.CheckConstraint("length(hmac) = 64", name="hmac"),
        sa.CheckConstraint("length(last4) = 4", name="last4"),
    )
    imported_id: int = Field(primary_key=True, foreign_key="imported_people.id", sa_type=BigId)
    key_id: str = Field(foreign_key="identity_keys.id", max_length=32)
    hmac: str = Field(max_length=64)
    last4: str = Field(max_length=4)


class ImportedMark(SQLModel, table=True):
    """What of somebody in an imported list is compared and not read: HMACs of name and commune together with the year
    of birth (``year``) and with the phone (``phone``).

    They outlive an entry that is erased (``forgotten_at``), its id number (``number``) among them then, so that no
    later list brings it back.
    """

    __tablename__ = "imported_marks"
    __table_args__ = (
        sa.UniqueConstraint("imported_id", "kind"),
        sa.CheckConstraint("kind in ('year', 'phone', 'number')", name="kind"),
        sa.CheckConstraint("length(hmac) = 64", name="hmac"),
        sa.Index("ix_imported_marks_key_id_hmac", "key_id", "hmac"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    imported_id: int = Field(sa_type=BigId)
    kind: str = Field(max_length=8)
    key_id: str = Field(foreign_key="identity_keys.id", max_length=32)
    hmac: str = Field(max_length=64)
    forgotten_at: datetime | None = Field(default=None, sa_type=UtcTime)


identity_keys = table_of(IdentityKey)
identities = table_of(Identity)
imported_identities = table_of(ImportedIdentity)
imported_marks = table_of(ImportedMark)


# ------------------------------------------------------------------------------------------ keys


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the server: ``id`` (``VN-1``), its ``number`` in order of age, 32 bytes that are never shown."""

    id: str
    number: int
    secret: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """What tells that it is this key and no other, and nothing else about it."""
        return hmac.digest(self.secret, _FINGERPRINT, hashlib.sha256)[:8].hex()


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Every key at hand, the oldest first; the last is in use."""

    keys: tuple[Key, ...]

    @property
    def current(self) -> Key:
        """The key in use. Raises ``Refused("identity_key_missing")`` when there is none."""
        if not self.keys:
            raise Refused("identity_key_missing")
        return self.keys[-1]


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key as the database knows it."""

    id: str
    number: int
    fingerprint: str
    made_at: datetime


_KNOWN = Prepared(
    sa.select(
        identity_keys.c.id, identity_keys.c.number, identity_keys.c.fingerprint, identity_keys.c.made_at
    ).order_by(identity_keys.c.number)
)
_REGISTER = Prepared(
    sa.insert(identity_keys).values(
        id=sa.bindparam("name"),
        number=sa.bindparam("nth"),
        fingerprint=sa.bindparam("mark"),
        made_at=sa.bindparam("now"),
    )
)
_FORGET_KEYS = Prepared(sa.delete(identity_keys))
_ANY = Prepared(sa.select(identities.c.person_id).limit(1))
_ANY_IMPORTED = Prepared(sa.select(imported_identities.c.imported_id).limit(1))
_ANY_MARK = Prepared(sa.select(imported_marks.c.id).limit(1))


def known_keys(conn: Connection) -> list[KnownKey]:
    """The keys that this database relies on, the oldest first."""
    return [KnownKey(*row) for row in _KNOWN.all(conn)]


def register(conn: Connection, key: Key, now: datetime) -> None:
    """From now on the database relies on this key too, and new numbers are stated under it."""
    _REGISTER.run(conn, name=key.id, nth=key.number, mark=key.fingerprint, now=now)


def forget_keys(conn: Connection) -> None:
    """No key has been used: forget those that were registered. Only while :func:`any_kept` is false."""
    _FORGET_KEYS.run(conn)


def any_kept(conn: Connection) -> bool:
    """Has anything been kept under a key?"""
    return any(each.first(conn) is not None for each in (_ANY, _ANY_IMPORTED, _ANY_MARK))


def usable(conn: Connection, ring: KeyRing) -> KeyRing:
    """The keys at hand that the database relies on. Raises ``Refused("identity_key_missing")`` where one of those is
    not at hand: comparing would miss people, and what is kept now could not be compared later."""
    at_hand = {key.id: key for key in ring.keys}
    found = []
    for known in known_keys(conn):
        key = at_hand.get(known.id)
        if key is None or not hmac.compare_digest(key.fingerprint, known.fingerprint):
            raise Refused("identity_key_missing")
        found.append(key)
    return KeyRing(tuple(found))


# ------------------------------------------------------------------------------------------ numbers


@dataclass(frozen=True, slots=True)
class Sealed:
    """A number as it may be kept. ``double_of``: the person who stated it before, 0: nobody."""

    key: str
    hmac: str = field(repr=False)
    last4: str
    double_of: int = 0

    def __str__(self) -> str:
        return f"{self.key}:{self.hmac}:{self.last4}:{self.double_of}"


def unsealed(text: str) -> Sealed:
    """Back from ``str(Sealed)``: it is still sealed. Raises ``ValueError``."""
    key, mac, last4, double_of = text.split(":")
    return Sealed(key, mac, last4, int(double_of))


def _wrapped(key: Key, inner: bytes) -> bytes:
    return hmac.digest(key.secret, inner, hashlib.sha256)


Chain = tuple[tuple[str, str], ...]  # (outermost key, HMAC in hex), the last being under the key in use alone


def _chains(ring: KeyRing, said: bytes) -> Iterator[tuple[str, str]]:
    """(outermost key, HMAC in hex) of what was said through every chain of keys: what it may have been kept as."""
    for first in range(len(ring.keys)):
        mac = said
        for key in ring.keys[first:]:
            mac = _wrapped(key, mac)
            yield key.id, mac.hex()


_BY_HMAC = Prepared(
    sa.select(identities.c.person_id)
    .where(
        identities.c.key_id == sa.bindparam("key"),
        identities.c.hmac == sa.bindparam("mac"),
        identities.c.person_id != sa.bindparam("but"),
    )
    .order_by(identities.c.place)
    .limit(1)
    .with_for_update()
)


def seal(conn: Connection, ring: KeyRing, number: str, person_id: int = 0) -> Sealed:
    """Seal a number (12 plain digits) under the key in use, and see whether anybody but *person_id* stated it before.

    Raises ``Refused("identity_key_missing")``.
    """
    ring = usable(conn, ring)
    key = ring.current
    found = Sealed(key.id, _wrapped(key, _NUMBER + number.encode("ascii")).hex(), number[-4:])
    for outermost, mac in _chains(ring, _NUMBER + number.encode("ascii")):
        other = _BY_HMAC.value(conn, key=outermost, mac=mac, but=person_id)
        if other is not None:
            return replace(found, double_of=other)
    return found


_THERE = Prepared(
    sa.select(identities.c.person_id).where(identities.c.person_id == sa.bindparam("person")).with_for_update()
)
_INSERT = Prepared(
    sa.insert(identities).values(
        person_id=sa.bindparam("person"),
        stated_key=sa.bindparam("key"),
        key_id=sa.bindparam("key"),
        hmac=sa.bindparam("mac"),
        last4=sa.bindparam("last"),
        place=sa.bindparam("nth"),
        double_of=sa.bindparam("other"),
        at=sa.bindparam("now"),
    )
)
_REMOVE = Prepared(sa.delete(identities).where(identities.c.person_id == sa.bindparam("person")))


def keep(conn: Connection, person_id: int, sealed: Sealed, now: datetime) -> bool:
    """Keep a person's number, in place of an earlier one. Has somebody else stated it before?

    Nobody is refused for it: an honest citizen must not be locked out by one who used their number. It is flagged on
    both dossiers (:func:`doubled`), and the officer decides.
    """
    remove(conn, person_id)
    other = sealed.double_of or None
    if other is not None and _THERE.first(conn, person=other) is None:  # taken back meanwhile
        other = None
    if other is None:  # somebody may have stated it since it was sealed
        other = _BY_HMAC.value(conn, key=sealed.key, mac=sealed.hmac, but=person_id)
    _INSERT.run(
        conn,
        person=person_id,
        key=sealed.key,
        mac=sealed.hmac,
        last=sealed.last4,
        nth=0 if other is None else person_id,
        other=other,
        now=now,
    )
    return other is not None


def remove(conn: Connection, person_id: int) -> bool:
    """Forget a person's number; was there one? Nobody is a double of it any more."""
    return _REMOVE.run(conn, person=person_id) > 0


_LAST4 = Prepared(sa.select(identities.c.last4).where(identities.c.person_id == sa.bindparam("person")))
_DOUBLED = Prepared(
    sa.select(identities.c.person_id)
    .where(
        sa.or_(
            sa.and_(identities.c.person_id == sa.bindparam("person"), identities.c.double_of.is_not(None)),
            identities.c.double_of == sa.bindparam("person"),
        )
    )
    .limit(1)
)


def last4(conn: Connection, person_id: int) -> str:
    """The last four digits of a person's number; ``""`` where none is kept."""
    return _LAST4.value(conn, person=person_id) or ""


def doubled(conn: Connection, person_id: int) -> bool:
    """Has another person stated the same number? For the officer who decides; never who it is."""
    return _DOUBLED.first(conn, person=person_id) is not None


# ------------------------------------------------------------------------------------------ imported lists


@dataclass(frozen=True, slots=True)
class Traces:
    """A number as it may be found or kept: ``all`` of (outermost key, HMAC), the last being under the key in use."""

    all: Chain = field(repr=False)
    last4: str

    @property
    def current(self) -> tuple[str, str]:
        """What is kept of a number that nobody has stated yet."""
        return self.all[-1]


def traces(ring: KeyRing, number: str) -> Traces:
    """Every trace of a number (12 plain digits) under these keys (:func:`usable`). Raises
    ``Refused("identity_key_missing")`` when there is none."""
    ring.current  # noqa: B018 - refuses where there is no key
    return Traces(tuple(_chains(ring, _NUMBER + number.encode("ascii"))), number[-4:])


_IMPORTED_BY_HMAC = Prepared(
    sa.select(imported_identities.c.imported_id).where(
        imported_identities.c.key_id == sa.bindparam("key"), imported_identities.c.hmac == sa.bindparam("mac")
    )
)
_INSERT_IMPORTED = Prepared(
    sa.insert(imported_identities).values(
        imported_id=sa.bindparam("imported"),
        key_id=sa.bindparam("key"),
        hmac=sa.bindparam("mac"),
        last4=sa.bindparam("last"),
    )
)
_REMOVE_IMPORTED = Prepared(
    sa.delete(imported_identities).where(imported_identities.c.imported_id == sa.bindparam("imported"))
)
_IMPORTED_LAST4 = Prepared(
    sa.select(imported_identities.c.last4).where(imported_identities.c.imported_id == sa.bindparam("imported"))
)
# Both kept under the same chain of keys. A number stated after a rotation and one from before it cannot be compared
# without the number itself.
_SAME_NUMBER = Prepared(
    sa.select(imported_identities.c.imported_id)
    .join(
        identities,
        sa.and_(identities.c.key_id == imported_identities.c.key_id, identities.c.hmac == imported_identities.c.hmac),
    )
    .where(identities.c.person_id == sa.bindparam("person"))
)


def imported_with(conn: Connection, number: Traces) -> int | None:
    """Who of the imported lists bears this number."""
    for key, mac in number.all:
        found: int | None = _IMPORTED_BY_HMAC.value(conn, key=key, mac=mac)
        if found is not None:
            return found
    return None


def keep_imported(conn: Connection, imported_id: int, number: Traces) -> None:
    """Keep a number that nobody of the imported lists bears yet."""
    key, mac = number.current
    _INSERT_IMPORTED.run(conn, imported=imported_id, key=key, mac=mac, last=number.last4)


def remove_imported(conn: Connection, imported_id: int) -> None:
    """Forget the number of somebody in an imported list."""
    _REMOVE_IMPORTED.run(conn, imported=imported_id)


def imported_last4(conn: Connection, imported_id: int) -> str:
    """The last four digits of the number that a list brought; ``""`` where none is kept."""
    return _IMPORTED_LAST4.value(conn, imported=imported_id) or ""


def imported_as(conn: Connection, person_id: int) -> int | None:
    """Who of the imported lists bears the number that this person stated."""
    found: int | None = _SAME_NUMBER.value(conn, person=person_id)
    return found


_KEEP_MARK = Prepared(
    sa.insert(imported_marks).values(
        imported_id=sa.bindparam("imported"),
        kind=sa.bindparam("sort"),
        key_id=sa.bindparam("key"),
        hmac=sa.bindparam("mac"),
    )
)
_DROP_MARKS = Prepared(sa.delete(imported_marks).where(imported_marks.c.imported_id == sa.bindparam("imported")))
_FORGET_NUMBER = Prepared(
    sa.insert(imported_marks).from_select(
        ["imported_id", "kind", "key_id", "hmac"],
        sa.select(
            imported_identities.c.imported_id,
            sa.literal("number"),
            imported_identities.c.key_id,
            imported_identities.c.hmac,
        ).where(imported_identities.c.imported_id == sa.bindparam("imported")),
    )
)
_FORGET_MARKS = Prepared(
    sa.update(imported_marks)
    .where(imported_marks.c.imported_id == sa.bindparam("imported"))
    .values(forgotten_at=sa.bindparam("now"))
)
_numbers = imported_marks.alias("numbers")
_FORGOTTEN = Prepared(
    sa.select(imported_marks.c.imported_id)
    .where(
        imported_marks.c.key_id == sa.bindparam("key"),
        imported_marks.c.hmac == sa.bindparam("mac"),
        imported_marks.c.forgotten_at.is_not(None),
        # Of two who bear different numbers one is not the other.
        sa.or_(
            sa.not_(sa.bindparam("numbered", type_=sa.Boolean)),
            ~sa.exists(
                sa.select(_numbers.c.id).where(
                    _numbers.c.imported_id == imported_marks.c.imported_id, _numbers.c.kind == "number"
                )
            ),
        ),
    )
    .limit(1)
)


def mark(ring: KeyRing, kind: str, *facts: str) -> Chain:
    """What facts of somebody in a list (``year``: name, commune and year of birth; ``phone``: and phone) are kept and
    found as. Without any key nothing."""
    return tuple(_chains(ring, _LISTED + "\0".join((kind, *facts)).encode()))


def keep_mark(conn: Connection, imported_id: int, kind: str, found: Chain) -> None:
    """Keep a mark of somebody in an imported list."""
    key, mac = found[-1]
    _KEEP_MARK.run(conn, imported=imported_id, sort=kind, key=key, mac=mac)


def drop_imported(conn: Connection, imported_id: int) -> None:
    """Everything kept here of somebody who is no longer in any imported list, and was not erased."""
    _REMOVE_IMPORTED.run(conn, imported=imported_id)
    _DROP_MARKS.run(conn, imported=imported_id)


def forget_imported(conn: Connection, imported_id: int, now: datetime) -> None:
    """Somebody in an imported list is erased: what is kept here only serves to not import them again."""
    _FORGET_NUMBER.run(conn, imported=imported_id)
    _REMOVE_IMPORTED.run(conn, imported=imported_id)
    _FORGET_MARKS.run(conn, imported=imported_id, now=now)


def forgotten(conn: Connection, number: Chain, marks: Chain) -> bool:
    """Has somebody with this id number, or with one of these marks and no other number, been erased from a list?"""
    if any(_FORGOTTEN.first(conn, key=key, mac=mac, numbered=False) is not None for key, mac in number):
        return True
    numbered = bool(number)
    return any(_FORGOTTEN.first(conn, key=key, mac=mac, numbered=numbered) is not None for key, mac in marks)


# ------------------------------------------------------------------------------------------ rotation


def _to_wrap(table: sa.Table, whose: str) -> tuple[Prepared, Prepared]:
    """Those that are not yet under the key in use, and bringing one there."""
    one = table.c[whose]
    return (
        Prepared(
            sa.select(one.label("whose"), table.c.key_id, table.c.hmac)
            .where(table.c.key_id != sa.bindparam("current"))
            .order_by(one)
            .limit(sa.bindparam("most"))
            .with_for_update()
        ),
        Prepared(
            sa.update(table)
            .where(one == sa.bindparam("this_one"))
            .values(key_id=sa.bindparam("key"), hmac=sa.bindparam("mac"))
        ),
    )


_WRAPPING = (
    _to_wrap(identities, "person_id"),
    _to_wrap(imported_identities, "imported_id"),
    _to_wrap(imported_marks, "id"),
)


def wrap(conn: Connection, ring: KeyRing, most: int = WRAPPED_AT_ONCE) -> int:
    """Bring at most so many numbers under the key in use; how many it were. Again until it is 0: each call is a short
    transaction, and in between numbers are compared as ever. Raises ``Refused("identity_key_missing")``."""
    ring = usable(conn, ring)
    order = {key.id: n for n, key in enumerate(ring.keys)}
    wrapped = 0
    for found, change in _WRAPPING:
        for row in found.all(conn, current=ring.current.id, most=most - wrapped):
            mac = bytes.fromhex(row.hmac)
            for key in ring.keys[order[row.key_id] + 1 :]:
                mac = _wrapped(key, mac)
            change.run(conn, this_one=row.whose, key=ring.current.id, mac=mac.hex())
            wrapped += 1
    return wrapped
