"""Which keys each table of a criteria set or overlay has, of what type and length: the grammar of schema 1."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Key:
    """What a key must hold; *limit* in characters, *address* where ``{you}`` may stand."""

    type: str = "string"
    required: bool = True
    limit: int | None = None
    address: bool = False


def both(stem: str, limit: int, *, required: bool = True, address: bool = False) -> dict[str, Key]:
    """The keys of one wording in both languages: ``question`` → ``question_vi``, ``question_en``."""
    key = Key("string", required, limit, address)
    return {(f"{stem}_{language}" if stem else language): key for language in ("vi", "en")}


QUESTION_LIMIT = 300
"""Characters of a question and of a hint with the form of address filled in: one phone screen with its buttons."""
LABEL_LIMIT = 120
"""Characters of an option's label."""
SHORT_LIMIT = 30
"""Characters of the short name of an indicator or group: a button in two columns, a line of a chart."""
BUTTON_LIMIT = 40
"""Characters of a subject group's name on its button."""
NAME_LIMIT = 300

PROVENANCE = {"provenance": Key()}

SET: dict[str, Key] = {
    "schema": Key("integer"),
    "id": Key(),
    "version": Key(),
    **both("title", NAME_LIMIT),
    "status": Key(),
    **both("notice", NAME_LIMIT),
    "translation_provenance": Key(),
    "short_names_provenance": Key(),
    "period": Key(),
    "period_provenance": Key(),
    "max_total": Key("integer"),
    "max_total_provenance": Key(),
    "legal_basis": Key("array of tables"),
    "thresholds": Key("table"),
    "scoring": Key("table"),
    "overlay": Key("table"),
    "subject_group": Key("array of tables"),
    "group": Key("array of tables"),
    "indicator": Key("array of tables"),
}
LEGAL_BASIS = {"ref": Key(), "date": Key("date"), **both("title", NAME_LIMIT), **PROVENANCE}
THRESHOLDS = {"pass_total": Key("integer"), "min_per_indicator": Key("integer"), **PROVENANCE}
SCORING = {
    "levels": Key("array of strings"),
    "level_points": Key("array of integers"),
    "level_vi": Key("array of strings", limit=SHORT_LIMIT),
    "level_en": Key("array of strings", limit=SHORT_LIMIT),
    "reviewer_may_override": Key("boolean"),
    **PROVENANCE,
}
OVERLAY_RULE = {"allowed": Key("array of strings"), **PROVENANCE}
SUBJECT_GROUP = {
    "id": Key(),
    **both("", NAME_LIMIT),
    **both("short", BUTTON_LIMIT),
    **both("adult", BUTTON_LIMIT, required=False),
    **PROVENANCE,
}
GROUP = {
    "id": Key(),
    **both("", NAME_LIMIT),
    **both("short", SHORT_LIMIT),
    "max_points": Key("integer"),
    **PROVENANCE,
}
INDICATOR = {
    "id": Key(),
    "group": Key(),
    **both("", NAME_LIMIT),
    **both("short", SHORT_LIMIT),
    "max_points": Key("integer"),
    **both("question", QUESTION_LIMIT, address=True),
    **both("example", QUESTION_LIMIT, required=False, address=True),
    "options": Key("array of tables"),
    "evidence": Key("table"),
    "variants": Key("table", required=False),
    **PROVENANCE,
}
OPTION = {"level": Key(), "points": Key("integer"), **both("", LABEL_LIMIT)}
EVIDENCE = {
    "mode": Key(),
    "required_from_points": Key("integer", required=False),
    "kinds": Key("array of strings"),
    **both("hint", QUESTION_LIMIT, address=True),
    **PROVENANCE,
}
VARIANT = both("", QUESTION_LIMIT, address=True)

OVERLAY = {
    "schema": Key("integer"),
    "id": Key(),
    "base": Key(),
    "base_version": Key(),
    "province": Key(),
    "status": Key(),
    "provenance": Key(),
    "indicator": Key("array of tables"),
}
LOCAL_INDICATOR = {
    "id": Key(),
    **both("short", SHORT_LIMIT, required=False),
    **both("question", QUESTION_LIMIT, required=False, address=True),
    **both("example", QUESTION_LIMIT, required=False, address=True),
    "options": Key("array of tables", required=False),
    "evidence": Key("table", required=False),
    "variants": Key("table", required=False),
}
LOCAL_OPTION = {"level": Key(), **both("", LABEL_LIMIT)}
LOCAL_EVIDENCE = both("hint", QUESTION_LIMIT, address=True)
