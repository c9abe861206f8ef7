"""${message}: revision ${up_revision}${f", after {down_revision}" if down_revision else ""}."""

# ruff: noqa: E501 - Alembic writes a constraint on one line
from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.base import BigId, UtcTime
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
