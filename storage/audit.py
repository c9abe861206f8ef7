"""The audit trail (nhật ký): who did what to what, appended in the transaction of the deed, never changed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from storage.base import BigId, Connection, Prepared, UtcTime, table_of


class AuditLine(SQLModel, table=True):
    """One deed. ``actor`` is ``person:7``, ``officer:3``, ``cli`` or ``system``; ``subject`` names a row the same
    way."""

    __tablename__ = "audit"
    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    at: datetime = Field(sa_type=UtcTime, index=True)
    actor: str = Field(max_length=32, index=True)
    action: str = Field(max_length=48)
    subject: str = Field(max_length=48, index=True)
    unit_id: int | None = Field(default=None, index=True)
    details: str | None = Field(default=None, sa_type=sa.Text)


audit = table_of(AuditLine)

_WRITE = Prepared(
    sa.insert(audit).values(
        at=sa.bindparam("now"),
        actor=sa.bindparam("by"),
        action=sa.bindparam("deed"),
        subject=sa.bindparam("what"),
        unit_id=sa.bindparam("unit"),
        details=sa.bindparam("more"),
    )
)


def write(
    conn: Connection, actor: str, action: str, subject: str, now: datetime, unit_id: int | None = None, **details: Any
) -> None:
    """Append a line. Details hold ids and codes, never names, texts or numbers of people."""
    more = json.dumps(details, ensure_ascii=False) if details else None
    _WRITE.run(conn, now=now, by=actor, deed=action, what=subject, unit=unit_id, more=more)
