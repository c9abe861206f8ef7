"""What a person reads when a file was not taken."""

from __future__ import annotations

from locales import _


def sentence(code: str) -> str:
    """The sentence of a refusal, in the voice in force; each says what to do next.

    ``code``: see :class:`~bot.pictures.refusal.PictureRefused`; ``not_yet``: nobody has joined in this chat.
    """
    return {
        "too_big": _("photo.too_big"),
        "too_many_pixels": _("photo.too_many_pixels"),
        "not_a_picture": _("photo.not_a_picture"),
        "broken": _("photo.broken"),
        "locked": _("photo.locked"),
        "not_yet": _("photo.not_yet"),
        "busy": _("photo.busy"),
        "store_full": _("photo.store_full"),
        "day_full": _("photo.day_full"),
    }[code]
