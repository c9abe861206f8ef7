"""What time it is: asked here wherever a process acts by itself, so that a test can say another."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)
