"""Which words a reader gets: by language, subject group and form of address."""

from __future__ import annotations

from criteria.model import Indicator, SubjectGroup

ADULT = 18
"""Years. From this minimum age on, a subject group that also names minors goes by its *adult* name."""


def fill(text: str, you: str = "ông/bà") -> str:
    """*text* with ``{you}`` and ``{You}`` replaced by the form of address; other braces stay as they are."""
    if "{" not in text:
        return text
    return text.replace("{you}", you).replace("{You}", you[:1].upper() + you[1:])


def question(indicator: Indicator, subject_group: str | None, language: str = "vi") -> str:
    """The question in the words of a subject group, else the general one; still to be filled."""
    for variant in indicator.variants:
        if variant.subject_group == subject_group:
            return variant.question.to(language)
    return indicator.question.to(language)


def option_label(indicator: Indicator, level: str, language: str = "vi") -> str:
    """How a level of this indicator reads on its button."""
    return indicator.option(level).label.to(language)


def label(group: SubjectGroup, min_age: int, language: str = "vi") -> str:
    """The full name of a subject group; its name without minors where *min_age* (years) is 18 or more."""
    wording = group.adult if group.adult and min_age >= ADULT else group.name
    return wording.to(language)


def short_label(group: SubjectGroup, min_age: int, language: str = "vi") -> str:
    """As :func:`label`, at most 40 characters: fits a button on a phone."""
    wording = group.adult if group.adult and min_age >= ADULT else group.short
    return wording.to(language)
