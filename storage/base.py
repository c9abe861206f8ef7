"""What every aggregate shares: the table base, UTC times, refusals, and the connection type."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect
from sqlmodel import SQLModel

__all__ = ["BigId", "Connection", "Refused", "UtcTime", "metadata", "utc"]

metadata = SQLModel.metadata
# Names that Alembic can rely on, on both databases.
metadata.naming_convention = {  # type: ignore[assignment]
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite gives row ids only to INTEGER; PostgreSQL needs 64 bits for the tables that grow.
BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class UtcTime(sa.TypeDecorator[datetime]):
    """A moment in UTC. PostgreSQL keeps it as ``timestamptz``; SQLite as fixed-width ISO text, which sorts by time."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return sa.String(27)
        return sa.DateTime(timezone=True)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        moment = utc(value)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return utc(value)


def utc(value: datetime) -> datetime:
    """The same moment in UTC; a time without a zone is a programming error."""
    if value.tzinfo is None:
        raise ValueError("a time without a zone")
    return value.astimezone(UTC)


class Refused(Exception):
    """Storage will not do this. ``code`` names the reason (the sentence is in the catalogue of refusals), ``facts`` fill it in.

    Raised before anything is written, or inside a savepoint that is rolled back: a refusal changes nothing.
    """

    def __init__(self, code: str, /, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


