"""The schema's version: up, down, and which one a database has. Works beside nothing: stop the bot first.

SQLite and PostgreSQL take the same steps, each call in one transaction: it happens whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from storage.base import BigId, Connection, Refused, UtcTime
from storage.engine import reading

if TYPE_CHECKING:  # Alembic takes a third of a second to import, and most commands only ask for the version
    from alembic.config import Config

HEAD = "0005"
FOLDER = Path(__file__).parent / "migrations"
_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))


def current(engine: Engine) -> str | None:
    """The revision that a database has, ``None`` for one without tables. Reads only."""
    with reading(engine) as conn:
        return revision_of(conn)


def revision_of(conn: Connection) -> str | None:
    """The same on a connection."""
    if not sa.inspect(conn).has_table(_VERSION.name):
        return None
    found: str | None = conn.execute(sa.select(_VERSION.c.version_num)).scalar()
    return found


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables to a revision (default: the newest). ``Refused("revision_unknown", revision)``."""
    from alembic import command
    from alembic.util import CommandError

    with _changing(engine) as conn, _known(CommandError, revision):
        command.upgrade(_config(conn), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the tables back to a revision; ``base`` drops every one, with all that they hold.
    ``Refused("revision_unknown", revision)``."""
    from alembic import command
    from alembic.util import CommandError

    with _changing(engine) as conn, _known(CommandError, revision):
        command.downgrade(_config(conn), revision)


def differences(engine: Engine) -> list[Any]:
    """Where the tables of a database differ from the models, as Alembic's operations; for tests."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = comparison()
    metadata = options.pop("target_metadata")
    with reading(engine) as conn:
        return list(compare_metadata(MigrationContext.configure(conn, opts=options), metadata))


def comparison() -> dict[str, Any]:
    """How models and tables are compared, and how a new revision is written."""
    from storage.tables import metadata

    return {
        "target_metadata": metadata,
        "compare_type": True,
        # SQLite can hardly alter a table: Alembic copies it into a new one.
        "render_as_batch": True,
        "render_item": _render,
    }


def write_revision(engine: Engine, revision: str, message: str) -> None:
    """A new file in ``storage/migrations/versions`` that takes this database to the models. To be read over."""
    from alembic import command

    with _changing(engine) as conn:
        command.revision(_config(conn), message, autogenerate=True, rev_id=revision)


def _config(conn: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = conn
    return config


@contextmanager
def _known(wrong: type[Exception], revision: str) -> Iterator[None]:
    try:
        yield
    except wrong as error:
        raise Refused("revision_unknown", revision=revision[:40]) from error


@contextmanager
def _changing(engine: Engine) -> Iterator[Connection]:
    """One transaction for a change of the schema; on SQLite no row may point into nothing after it."""
    with engine.connect() as conn:
        if engine.dialect.name != "sqlite":
            with conn.begin():
                yield conn
            return
        raw: Any = conn.connection.dbapi_connection
        # Copying a table drops the old one, which with foreign keys on would delete every row that points at it. The
        # switch is deaf inside a transaction, so it comes before.
        raw.execute("PRAGMA foreign_keys=OFF")
        try:
            with conn.begin():
                yield conn
                lost = conn.exec_driver_sql("PRAGMA foreign_key_check").fetchone()
                if lost is not None:
                    raise RuntimeError(f"the migration leaves a row of {lost[0]} that points into nothing")
        finally:
            raw.execute("PRAGMA foreign_keys=ON")


def _render(kind: str, item: Any, context: Any) -> str | bool:
    """Types as the revisions write them: without SQLModel's own string class, our own by name."""
    if kind == "type" and isinstance(item, UtcTime):
        return "UtcTime()"
    if kind == "type" and item is BigId:
        return "BigId"
    if kind == "type" and type(item).__name__ == "AutoString":
        return f"sa.String({item.length})"
    return False
