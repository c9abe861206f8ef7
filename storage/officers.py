"""Officers (cán bộ Hội), their roles on units, one-time invites and links, and the one place where scope is checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage import audit, codes
from storage.base import BigId, Connection, Prepared, Refused, UtcTime, table_of
from storage.people import contact_person
from storage.units import Unit

ROLES = ("reviewer", "supervisor")
INVITE_LIFE = timedelta(days=14)


class Officer(SQLModel, table=True):
    """A human who acts for the association (cán bộ Hội)."""

    __tablename__ = "officers"
    __table_args__ = (sa.CheckConstraint("length(name) between 1 and 120", name="name"),)
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=120)
    made_at: datetime = Field(sa_type=UtcTime)


class OfficerRole(SQLModel, table=True):
    """A role on a unit and everything below it: ``reviewer`` (người xét) or ``supervisor`` (cán bộ theo dõi)."""

    __tablename__ = "officer_roles"
    __table_args__ = (
        sa.UniqueConstraint("officer_id", "unit_id", "role"),
        sa.CheckConstraint("role in ('reviewer', 'supervisor')", name="role"),
    )
    id: int | None = Field(default=None, primary_key=True)
    officer_id: int = Field(foreign_key="officers.id", index=True)
    unit_id: int = Field(foreign_key="units.id", index=True)
    role: str = Field(max_length=12)
    since: datetime = Field(sa_type=UtcTime)
    until: datetime | None = Field(default=None, sa_type=UtcTime)


class OfficerContact(SQLModel, table=True):
    """A contact through which an officer acts; on the web it ends after idle hours."""

    __tablename__ = "officer_contacts"
    contact_id: int = Field(primary_key=True, foreign_key="contacts.id", sa_type=BigId)
    officer_id: int = Field(foreign_key="officers.id", index=True)
    since: datetime = Field(sa_type=UtcTime)


class Invite(SQLModel, table=True):
    """A one-time link: to a role on a unit (``unit_id``, ``role``) or, without them, back in for an officer.

    Only the hash of its secret is kept.
    """

    __tablename__ = "invites"
    __table_args__ = (
        sa.CheckConstraint("(unit_id is null) = (role is null)", name="role_on_unit"),
        sa.CheckConstraint("unit_id is not null or officer_id is not null", name="for_whom"),
    )
    secret_hash: str = Field(primary_key=True, max_length=64)
    unit_id: int | None = Field(default=None, foreign_key="units.id")
    role: str | None = Field(default=None, max_length=12)
    officer_id: int | None = Field(default=None, foreign_key="officers.id")
    name: str | None = Field(default=None, max_length=120)
    made_at: datetime = Field(sa_type=UtcTime)
    ends_at: datetime = Field(sa_type=UtcTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcTime)


officers = table_of(Officer)
officer_roles = table_of(OfficerRole)
officer_contacts = table_of(OfficerContact)
invites = table_of(Invite)
units = table_of(Unit)
trail = table_of(audit.AuditLine)


@dataclass(frozen=True, slots=True)
class RoleRow:
    """A role in force."""

    unit_id: int
    unit_name: str
    path: str
    level: int
    role: str


@dataclass(frozen=True, slots=True)
class OfficerRow:
    """An officer with the roles in force, the highest unit first."""

    id: int
    name: str
    roles: tuple[RoleRow, ...]


# ------------------------------------------------------------------------------------------ who


_WITH_ROLE = (
    officers.c.id,
    officers.c.name,
    units.c.id.label("unit_id"),
    units.c.name.label("unit_name"),
    units.c.path,
    units.c.level,
    officer_roles.c.role,
)
_OFFICER = Prepared(
    sa.select(*_WITH_ROLE)
    .select_from(
        officer_contacts.join(officers, officers.c.id == officer_contacts.c.officer_id)
        .outerjoin(officer_roles, sa.and_(officer_roles.c.officer_id == officers.c.id, officer_roles.c.until.is_(None)))
        .outerjoin(units, units.c.id == officer_roles.c.unit_id)
    )
    .where(officer_contacts.c.contact_id == sa.bindparam("contact"))
    .order_by(units.c.level, officer_roles.c.id)
)


_BY_ID = Prepared(
    sa.select(*_WITH_ROLE)
    .select_from(
        officers.outerjoin(
            officer_roles, sa.and_(officer_roles.c.officer_id == officers.c.id, officer_roles.c.until.is_(None))
        ).outerjoin(units, units.c.id == officer_roles.c.unit_id)
    )
    .where(officers.c.id == sa.bindparam("officer"))
    .order_by(units.c.level, officer_roles.c.id)
)


def by_id(conn: Connection, officer_id: int) -> OfficerRow | None:
    """An officer with the roles in force now, wherever they act from; ``None``: there is none."""
    return _with_roles(_BY_ID.all(conn, officer=officer_id))


def _with_roles(found: list[Any]) -> OfficerRow | None:
    if not found:
        return None
    roles = tuple(RoleRow(*row[2:]) for row in found if row.unit_id is not None)
    return OfficerRow(found[0].id, found[0].name, roles)


def of_contact(conn: Connection, contact_id: int) -> OfficerRow | None:
    """The officer who acts through a contact, or ``None``."""
    return _with_roles(_OFFICER.all(conn, contact=contact_id))


def covers(officer: OfficerRow, path: str, roles: tuple[str, ...] = ROLES) -> bool:
    """Scope, in one place: does the officer hold one of these roles on the unit with this path or on one above it?"""
    return any(role.role in roles and path.startswith(role.path) for role in officer.roles)


def widest(officer: OfficerRow, roles: tuple[str, ...] = ROLES) -> list[RoleRow]:
    """The officer's roles without those that lie below another of them: nothing is counted twice."""
    held = [role for role in officer.roles if role.role in roles]
    return [
        role
        for position, role in enumerate(held)
        if not any(
            role.path.startswith(other.path) and (role.path != other.path or earlier < position)
            for earlier, other in enumerate(held)
            if earlier != position
        )
    ]


_SHARED = Prepared(
    sa.select(contact_person.c.person_id)
    .select_from(contact_person.join(officer_contacts, officer_contacts.c.contact_id == contact_person.c.contact_id))
    .where(
        officer_contacts.c.officer_id == sa.bindparam("officer"), contact_person.c.person_id == sa.bindparam("person")
    )
    .limit(1)
)
_SELF = "officer.self"  # in the audit trail: a contact of this officer, since signed out, was this citizen's too
_NOTED = Prepared(
    sa.select(trail.c.id)
    .where(trail.c.subject == sa.bindparam("person"), trail.c.actor == sa.bindparam("officer"), trail.c.action == _SELF)
    .limit(1)
)


def is_own(conn: Connection, officer_id: int, person_id: int) -> bool:
    """Is the citizen the officer themself? Nobody decides their own dossier.

    They are where any contact of the officer is the citizen's too, or was when it signed out: who comes back by a link
    on another phone is still the same human.
    """
    return _SHARED.first(conn, officer=officer_id, person=person_id) is not None or _noted(conn, officer_id, person_id)


def _noted(conn: Connection, officer_id: int, person_id: int) -> bool:
    return _NOTED.first(conn, officer=f"officer:{officer_id}", person=f"person:{person_id}") is not None


_NAME = Prepared(sa.select(officers.c.name).where(officers.c.id == sa.bindparam("officer")))


def name_of(conn: Connection, officer_id: int) -> str:
    """An officer's name."""
    found: str | None = _NAME.value(conn, officer=officer_id)
    return found or ""


_HOME = Prepared(
    sa.select(officer_roles.c.unit_id)
    .where(officer_roles.c.officer_id == sa.bindparam("officer"), officer_roles.c.until.is_(None))
    .order_by(officer_roles.c.id)
    .limit(1)
)


def home_of(conn: Connection, officer_id: int) -> int | None:
    """The unit of an officer's oldest role that still holds."""
    found: int | None = _HOME.value(conn, officer=officer_id)
    return found


# ------------------------------------------------------------------------------------------ invites

_INSERT_INVITE = Prepared(
    sa.insert(invites).values(
        secret_hash=sa.bindparam("hash"),
        unit_id=sa.bindparam("unit"),
        role=sa.bindparam("as_role"),
        officer_id=sa.bindparam("officer"),
        name=sa.bindparam("called"),
        made_at=sa.bindparam("now"),
        ends_at=sa.bindparam("ends"),
    )
)


def invite(
    conn: Connection, unit_id: int, role: str, now: datetime, by: str, name: str | None = None
) -> codes.InviteCode:
    """A one-time invite to a role on a unit, good for 14 days. Raises ``Refused("role_unknown")``."""
    if role not in ROLES:
        raise Refused("role_unknown", role=role, roles=", ".join(ROLES))
    code = codes.new_invite()
    _INSERT_INVITE.run(
        conn,
        hash=codes.secret_hash(code),
        unit=unit_id,
        as_role=role,
        officer=None,
        called=name,
        now=now,
        ends=now + INVITE_LIFE,
    )
    audit.write(conn, by, "officer.invite", f"unit:{unit_id}", now, unit_id, role=role)
    return code


def link(conn: Connection, officer_id: int, now: datetime, by: str) -> codes.InviteCode:
    """A new one-time link for an officer whose session ended or whose phone is new."""
    code = codes.new_invite()
    _INSERT_INVITE.run(
        conn,
        hash=codes.secret_hash(code),
        unit=None,
        as_role=None,
        officer=officer_id,
        called=None,
        now=now,
        ends=now + INVITE_LIFE,
    )
    audit.write(conn, by, "officer.link", f"officer:{officer_id}", now)
    return code


@dataclass(frozen=True, slots=True)
class InviteRow:
    """An invite as found by its code."""

    secret_hash: str
    unit_id: int | None
    role: str | None
    officer_id: int | None
    name: str | None


_INVITE = Prepared(
    sa.select(
        invites.c.secret_hash,
        invites.c.unit_id,
        invites.c.role,
        invites.c.officer_id,
        invites.c.name,
        invites.c.ends_at,
        invites.c.used_at,
    )
    .where(invites.c.secret_hash == sa.bindparam("hash"))
    .with_for_update()
)
_USE_INVITE = Prepared(
    sa.update(invites)
    .where(invites.c.secret_hash == sa.bindparam("hash"), invites.c.used_at.is_(None))
    .values(used_at=sa.bindparam("now"))
)
_USED_BY = Prepared(
    sa.update(invites).where(invites.c.secret_hash == sa.bindparam("hash")).values(officer_id=sa.bindparam("officer"))
)
_INSERT_OFFICER = Prepared(
    sa.insert(officers).values(name=sa.bindparam("called"), made_at=sa.bindparam("now")).returning(officers.c.id)
)
_ROLE = Prepared(
    sa.select(officer_roles.c.id).where(
        officer_roles.c.officer_id == sa.bindparam("officer"),
        officer_roles.c.unit_id == sa.bindparam("unit"),
        officer_roles.c.role == sa.bindparam("as_role"),
    )
)
_INSERT_ROLE = Prepared(
    sa.insert(officer_roles).values(
        officer_id=sa.bindparam("officer"),
        unit_id=sa.bindparam("unit"),
        role=sa.bindparam("as_role"),
        since=sa.bindparam("now"),
    )
)
_RENEW_ROLE = Prepared(sa.update(officer_roles).where(officer_roles.c.id == sa.bindparam("row")).values(until=None))
_DROP_CONTACT = Prepared(sa.delete(officer_contacts).where(officer_contacts.c.contact_id == sa.bindparam("contact")))
_INSERT_CONTACT = Prepared(
    sa.insert(officer_contacts).values(
        contact_id=sa.bindparam("contact"), officer_id=sa.bindparam("officer"), since=sa.bindparam("now")
    )
)


def open_invite(conn: Connection, secret_hash: str, now: datetime) -> InviteRow:
    """The invite behind a hash. Raises ``Refused``: ``invite_wrong``, ``invite_used``, ``invite_over``."""
    row = _INVITE.first(conn, hash=secret_hash)
    if row is None:
        raise Refused("invite_wrong")
    if row.used_at is not None:
        raise Refused("invite_used")
    if row.ends_at <= now:
        raise Refused("invite_over")
    return InviteRow(*row[:5])


def accept(conn: Connection, found: InviteRow, contact_id: int, name: str | None, now: datetime) -> int:
    """Use an invite: the contact becomes (or stays) an officer, with the invite's role; the officer id.

    The contact's present officer gets the role when there is one: one person may hold several. The invite keeps who
    used it, for it may spell their name otherwise.
    """
    if _USE_INVITE.run(conn, hash=found.secret_hash, now=now) == 0:
        raise Refused("invite_used")
    present = of_contact(conn, contact_id)
    if found.officer_id is not None:
        officer_id = found.officer_id
    elif present is not None:
        officer_id = present.id
    else:
        officer_id = _INSERT_OFFICER.value(conn, called=name or found.name, now=now)
    _USED_BY.run(conn, hash=found.secret_hash, officer=officer_id)
    if present is None or present.id != officer_id:
        sign_out(conn, contact_id, now)
        _INSERT_CONTACT.run(conn, contact=contact_id, officer=officer_id, now=now)
    if found.unit_id is not None:
        role = _ROLE.first(conn, officer=officer_id, unit=found.unit_id, as_role=found.role)
        if role is None:
            _INSERT_ROLE.run(conn, officer=officer_id, unit=found.unit_id, as_role=found.role, now=now)
        else:
            _RENEW_ROLE.run(conn, row=role.id)
    audit.write(conn, f"officer:{officer_id}", "officer.accept", f"officer:{officer_id}", now, found.unit_id)
    return officer_id


_HELD = Prepared(
    sa.select(officer_contacts.c.officer_id, contact_person.c.person_id)
    .select_from(officer_contacts.join(contact_person, contact_person.c.contact_id == officer_contacts.c.contact_id))
    .where(officer_contacts.c.contact_id == sa.bindparam("contact"))
    .order_by(contact_person.c.person_id)
)


def sign_out(conn: Connection, contact_id: int, now: datetime | None = None) -> None:
    """The contact is no officer's any more (idle too long, or signed out); a new link brings it back.

    Whose citizen's chat it was goes into the audit trail, once: see :func:`is_own`.
    """
    for held in _HELD.all(conn, contact=contact_id):
        if not _noted(conn, held.officer_id, held.person_id):
            subject = f"person:{held.person_id}"
            audit.write(conn, f"officer:{held.officer_id}", _SELF, subject, now or datetime.now(UTC))
    _DROP_CONTACT.run(conn, contact=contact_id)


# ------------------------------------------------------------------------------------------ the end of a role

_IN_FORCE = Prepared(
    sa.select(
        officer_roles.c.id, units.c.id.label("unit_id"), units.c.name, units.c.path, units.c.level, officer_roles.c.role
    )
    .select_from(officer_roles.join(units, units.c.id == officer_roles.c.unit_id))
    .where(officer_roles.c.officer_id == sa.bindparam("officer"), officer_roles.c.until.is_(None))
    .order_by(units.c.level, officer_roles.c.id)
    .with_for_update(of=officer_roles)
)
_END_ROLE = Prepared(
    sa.update(officer_roles).where(officer_roles.c.id == sa.bindparam("row")).values(until=sa.bindparam("now"))
)
_END_LINKS = Prepared(
    sa.update(invites)
    .where(invites.c.officer_id == sa.bindparam("officer"), invites.c.used_at.is_(None))
    .values(used_at=sa.bindparam("now"))
)
_CALLED = Prepared(
    sa.select(officers.c.name)
    .where(officers.c.id == sa.bindparam("officer"))
    .union(
        sa.select(invites.c.name).where(invites.c.officer_id == sa.bindparam("officer"), invites.c.name.is_not(None))
    )
)
_OPEN_ON = Prepared(
    sa.select(invites.c.secret_hash, invites.c.name).where(
        invites.c.unit_id == sa.bindparam("unit"), invites.c.used_at.is_(None), invites.c.name.is_not(None)
    )
)
_OTHERS_THERE = Prepared(
    sa.select(officer_roles.c.id)
    .where(
        officer_roles.c.unit_id == sa.bindparam("unit"),
        officer_roles.c.role == sa.bindparam("as_role"),
        officer_roles.c.officer_id != sa.bindparam("officer"),
        officer_roles.c.until.is_(None),
    )
    .limit(1)
)


def end(
    conn: Connection, officer_id: int, unit_id: int | None, now: datetime, by: str
) -> tuple[list[RoleRow], list[RoleRow]]:
    """End an officer's roles on one unit, or all: (those that ended, those that are left), each written down. No invite
    to a role there that names them opens anything any more, and with none left no link of theirs; their chats are the
    caller's (:func:`storage.desks.dismiss`).

    Raises ``Refused("role_none")`` where no such role is in force.
    """
    ended, left = [], []
    for row in _IN_FORCE.all(conn, officer=officer_id):
        role = RoleRow(row.unit_id, row.name, row.path, row.level, row.role)
        if unit_id not in (None, row.unit_id):
            left.append(role)
            continue
        _END_ROLE.run(conn, row=row.id, now=now)
        audit.write(conn, by, "officer.end", f"officer:{officer_id}", now, row.unit_id, role=row.role)
        ended.append(role)
        _end_invites(conn, officer_id, row.unit_id, now)
    if not ended:
        raise Refused("role_none")
    if not left:
        end_links(conn, officer_id, now)
    return ended, left


def end_links(conn: Connection, officer_id: int, now: datetime) -> None:
    """No link that was given to this officer opens anything any more, nor an invite in their name on their units."""
    _END_LINKS.run(conn, officer=officer_id, now=now)
    for row in _IN_FORCE.all(conn, officer=officer_id):
        _end_invites(conn, officer_id, row.unit_id, now)


def _end_invites(conn: Connection, officer_id: int, unit_id: int, now: datetime) -> None:
    """A second slip, or an earlier invite, that nobody has used would open the office again."""
    called = {row.name.casefold() for row in _CALLED.all(conn, officer=officer_id)}
    for row in _OPEN_ON.all(conn, unit=unit_id):
        if row.name.casefold() in called:
            _USE_INVITE.run(conn, hash=row.secret_hash, now=now)


def alone_on(conn: Connection, officer_id: int, role: RoleRow) -> bool:
    """Does nobody but this officer hold such a role on that very unit?"""
    return _OTHERS_THERE.first(conn, unit=role.unit_id, as_role=role.role, officer=officer_id) is None


# ------------------------------------------------------------------------------------------ lists


@dataclass(frozen=True, slots=True)
class OpenInvite:
    """An invite to a role that can still be used; ``name`` is empty where it names nobody."""

    secret_hash: str
    unit_id: int
    role: str
    name: str
    ends_at: datetime


def open_invites(conn: Connection, now: datetime) -> list[OpenInvite]:
    """Every invite to a role that is neither used nor over, for invitations in bulk."""
    rows = conn.execute(
        sa.select(
            invites.c.secret_hash,
            invites.c.unit_id,
            invites.c.role,
            sa.func.coalesce(invites.c.name, ""),
            invites.c.ends_at,
        ).where(invites.c.unit_id.is_not(None), invites.c.used_at.is_(None), invites.c.ends_at > now)
    )
    return [OpenInvite(*row) for row in rows]


def holding(conn: Connection) -> list[tuple[int, str, str]]:
    """Every role in force: (unit id, role, officer's name); once more for each other spelling of the name in an invite
    that they used."""
    return _by_name(conn, officer_roles.c.until.is_(None))


def ended(conn: Connection, since: datetime) -> list[tuple[int, str, str]]:
    """Every role that ended at a moment or later, as :func:`holding`."""
    return _by_name(conn, officer_roles.c.until >= since)


def _by_name(conn: Connection, which: sa.ColumnElement[bool]) -> list[tuple[int, str, str]]:
    role = (officer_roles.c.unit_id, officer_roles.c.role, officer_roles.c.officer_id)
    used = sa.and_(
        invites.c.officer_id == officer_roles.c.officer_id,
        invites.c.unit_id == officer_roles.c.unit_id,
        invites.c.role == officer_roles.c.role,
        invites.c.name.is_not(None),
    )
    rows = conn.execute(
        sa.select(*role, officers.c.name)
        .join(officers, officers.c.id == officer_roles.c.officer_id)
        .where(which)
        .union_all(sa.select(*role, invites.c.name).join(invites, used).where(which))
    )
    spelled = {(row.unit_id, row.role, row.officer_id, row.name.casefold()): row.name for row in rows}
    return [(unit, role, name) for (unit, role, _officer, _folded), name in reversed(spelled.items())]


def listing(conn: Connection) -> list[tuple[int, str, str, str, str]]:
    """Every role in force, for scripts: (officer id, name, role, unit code, unit name)."""
    rows = conn.execute(
        sa.select(officers.c.id, officers.c.name, officer_roles.c.role, units.c.code, units.c.name)
        .select_from(
            officers.join(officer_roles, officer_roles.c.officer_id == officers.c.id).join(
                units, units.c.id == officer_roles.c.unit_id
            )
        )
        .where(officer_roles.c.until.is_(None))
        .order_by(officers.c.id, units.c.code)
    )
    return [tuple(row) for row in rows]


def named(conn: Connection, name: str) -> list[int]:
    """Officer ids with exactly this name (names are not unique)."""
    return list(conn.execute(sa.select(officers.c.id).where(officers.c.name == name).order_by(officers.c.id)).scalars())
