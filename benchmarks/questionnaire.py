"""The small questionnaire that both plain bots ask: its words, and what of it a bot knows of a person.

Scan the code (``/start``) → consent → name → year of birth → ten questions of five levels, two of them with a photo →
receipt. ``PLAIN_SCREENS`` names a JSON file of ten questions to ask instead: text and rows of [label, choice], with a
photo only for the last.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

INDICATORS = ("A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "C1", "C2")
WITH_PHOTO = ("A4", "C2")
LEVELS = {"tot": "Very well", "kha": "Well", "dat": "Fairly", "chua_dat": "Hardly", "khong": "Not at all"}
BACK = "back"

WELCOME = "You are at the ward of Hồng Gai. May we keep your name, year of birth and answers?"
AGREE = "I agree"
ASK_NAME = "What is your full name?"
ASK_YEAR = "In which year were you born? Four digits, please."
ASK_PHOTO = "Question {n}: please send a photo that shows it."
RECEIPT = "Thank you, your form is complete."
KNOWN = "Known of you:"
CANCELLED = "Cancelled. Write /start to begin again."

Rows = list[list[tuple[str, str]]]  # of buttons: label, choice


@dataclass(frozen=True, slots=True)
class Question:
    """One of the ten. ``rows``: a choice is a level, ``back`` or something that does nothing."""

    indicator: str
    text: str
    rows: Rows
    photo: bool


def questions() -> tuple[Question, ...]:
    """The ten questions."""
    given = os.environ.get("PLAIN_SCREENS")
    if given:
        said = json.loads(Path(given).read_text(encoding="utf-8"))
        last = INDICATORS[-1]
        return tuple(
            Question(of, each["text"], each["rows"], of == last) for of, each in zip(INDICATORS, said, strict=True)
        )
    rows: Rows = [*([(label, choice)] for choice, label in LEVELS.items()), [("Back", BACK)]]
    return tuple(
        Question(of, f"Question {n}/10: how well did you do in this year's part {of}?", rows, of in WITH_PHOTO)
        for n, of in enumerate(INDICATORS, 1)
    )


def summary(head: str, answers: Mapping[str, str]) -> str:
    """What a bot knows, a line an answer."""
    return "\n".join([head, *(f"{key}: {value}" for key, value in answers.items())])


def read_summary(text: str) -> dict[str, str]:
    """The answers in a summary."""
    return dict(line.split(": ", 1) for line in text.splitlines()[1:] if ": " in line)
