"""Alembic's way in. The connection and its transaction come from :mod:`storage.migrate`; there is no offline mode."""

from __future__ import annotations

from alembic import context

from storage.migrate import comparison

context.configure(connection=context.config.attributes["connection"], **comparison())
context.run_migrations()
