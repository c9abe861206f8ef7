"""Refusals as a person reads them: one clear, kind sentence that says what to do next, and whom to call."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from dialogs import places
from dialogs.states import Turn
from locales import _, clock, day
from storage import units
from storage.base import Refused

# What the person mends alone, with the next tap: nobody need be called.
_BY_ONESELF = frozenset(
    {
        "album_full",
        "evidence_full",
        "evidence_season_full",
        "evidence_day_full",
        "evidence_no_pictures",
        "evidence_no_text",
        "reason_missing",
        "reason_short",
        "suggestion_short",
        "suggestion_long",
        "suggestion_often",
    }
)


def sentence(turn: Turn, refused: Refused) -> str:
    """The sentence of a refusal in the reader's language."""
    facts: dict[str, Any] = dict(refused.facts)
    for name, value in facts.items():
        if isinstance(value, datetime):
            facts[name] = clock(value)
        elif isinstance(value, date):
            facts[name] = day(value)
    if "status" in facts:
        facts["status"] = _(f"status.{facts['status']}")
    if "decision" in facts:
        facts["decision"] = _(f"decision.{facts['decision']}")
    code = refused.code
    if code == "code_wrong":
        code = f"code_wrong_{facts['why']}"
    text = _(f"refused.{code}", **facts)
    asked = "" if refused.code in _BY_ONESELF else _contact(turn)
    return f"{text} {asked}" if asked else text


def _contact(turn: Turn) -> str:
    person = turn.chat.person
    if person is None:
        return ""
    unit = units.by_id(turn.conn, person.unit_id)
    return "" if unit is None else places.whom_to_ask(units.settings(turn.conn, unit))
