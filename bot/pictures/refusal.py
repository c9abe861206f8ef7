"""Why a file is not taken, and what a person reads then."""

from __future__ import annotations


class PictureRefused(Exception):
    """A file that is not taken. ``code``: ``too_big``, ``too_many_pixels``, ``not_a_picture``, ``broken``, ``locked``
    (a PDF with a password); of the server: ``not_yet``, ``busy``, ``store_full``, ``day_full``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
