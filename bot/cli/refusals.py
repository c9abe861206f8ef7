"""What storage refuses, as an operator at a terminal reads it."""

from __future__ import annotations

from typing import Any

from locales import _
from storage.base import Refused


def sentence(refused: Refused) -> str:
    """The sentence of a refusal, with what to do about it."""
    facts: dict[str, Any] = {
        name: ", ".join(map(str, value)) if isinstance(value, tuple | list) else value
        for name, value in refused.facts.items()
    }
    code = refused.code
    if code == "setting_wrong":
        kind = "phone" if facts["key"] == "contact_phone" else "text"
        code = "setting_number" if "low" in facts else "setting_choice" if "choices" in facts else f"setting_{kind}"
    if code in ("code_check", "code_wrong", "code_none"):
        facts = {"text": facts.get("text", "")}
    try:
        return _(f"cli.refused.{code}", **facts)
    except LookupError:  # a refusal of a dialog's verb, which has no words for a terminal
        return _("cli.refused_otherwise", code=code)
