"""What went wrong outside, in a few words."""

from __future__ import annotations


def cause(error: BaseException) -> str:
    """The first line of what the database's driver said, at most 200 characters. Drivers never quote a password."""
    said = getattr(error, "orig", None) or error
    return str(said).strip().partition("\n")[0][:200] or type(said).__name__
