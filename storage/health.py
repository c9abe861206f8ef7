"""What ``hoctap doctor`` asks of the database."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from storage.audit import audit
from storage.base import Connection
from storage.people import people


def units_with_people(conn: Connection) -> list[int]:
    """Row ids of the units that somebody has joined."""
    return list(conn.execute(sa.select(people.c.unit_id).distinct().order_by(people.c.unit_id)).scalars())


def newest(conn: Connection) -> datetime | None:
    """The moment of the newest deed on record; a clock that is behind it is wrong."""
    found: datetime | None = conn.execute(sa.select(sa.func.max(audit.c.at, type_=audit.c.at.type))).scalar()
    return found
