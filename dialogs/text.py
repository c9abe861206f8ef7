"""What people type, made safe and comparable: normalised, trimmed, limited; matched with the choices on the screen."""

from __future__ import annotations

import re
import unicodedata

from dialogs.model import Screen
from storage.gazetteer import fold

LIMIT = 4000
NAME_LIMIT = 80
BACK = "back"


def clean(text: str, limit: int = LIMIT) -> str:
    """NFC, without control and direction marks, blanks folded, line breaks kept, at most *limit* characters."""
    text = unicodedata.normalize("NFC", text[: limit * 4])
    kept = []
    for sign in text:
        category = unicodedata.category(sign)
        if sign == "\n":
            kept.append(sign)
        elif category in ("Cc", "Zl", "Zp", "Zs"):
            kept.append(" ")
        elif category not in ("Cf", "Cs", "Co", "Cn"):
            kept.append(sign)
    lines = (" ".join(line.split()) for line in "".join(kept).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()[:limit].strip()


def one_line(text: str, limit: int = NAME_LIMIT) -> str:
    """As :func:`clean`, on one line."""
    return clean(text.replace("\n", " "), limit)


def clipped(text: str, most: int) -> str:
    """At most *most* characters, cut between words where there is one to cut at, with an ellipsis."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    head, _sep, _rest = cut.rpartition(" ")
    return f"{(head if len(head) * 2 > most else cut).rstrip(' ,;.:')}…"


_NUMBER = re.compile(r"(?:so|muc|chon|no|number)?\s*(\d{1,2})")
_QUESTION = re.compile(r"(?:cau|question)\s*(\d{1,2})")


def choice_typed(screen: Screen, text: str) -> str | None:
    """The id of the choice that a typed text names: its number ("2", "số 2"; 0 is back), its label, the question in
    it ("câu 3" is "Sửa câu 3", never the third choice), or a clear beginning of one label. ``None`` when it names none.
    Where the screen asks for a value, a number is that (0 is back all the same).
    """
    folded = fold(text)
    if not folded or not screen.choices:
        return None
    numbered = [choice for choice in screen.choices if choice.id != BACK]
    found = _NUMBER.fullmatch(folded)
    if found:
        number = int(found.group(1))
        if number == 0:
            return BACK if len(numbered) < len(screen.choices) else None
        if screen.values:
            return None
        return numbered[number - 1].id if number <= len(numbered) else None
    labels = [(fold(choice.label), choice.id) for choice in screen.choices]
    whole = [id for label, id in labels if label == folded]
    if whole:
        return whole[0]
    question = _QUESTION.fullmatch(folded)
    if question:
        named = re.compile(rf"(?:cau|question) {int(question.group(1))}(?!\d)")
        about = [id for label, id in labels if named.search(label)]
        return about[0] if len(about) == 1 else None
    if screen.input not in ("none", "unit") or len(folded) < 3:
        return None
    begun = [id for label, id in labels if label.startswith(folded + " ")]
    return begun[0] if len(begun) == 1 else None


def initial_form(birth_year: int) -> str:
    """The form of address by default: ông/bà for those born before 1966, anh/chị before 2000, bạn after."""
    if birth_year < 1966:
        return "ong_ba"
    return "anh_chi" if birth_year < 2000 else "ban"


def phone(text: str) -> str | None:
    """A Vietnamese phone number as ``0912345678`` (mobile, 10 digits; land lines 11), or ``None``."""
    digits = re.sub(r"[\s.\-()+]", "", text)
    if not digits.isascii() or not digits.isdigit():
        return None
    if digits.startswith("84"):
        digits = "0" + digits[2:]
    return digits if re.fullmatch(r"0[235789]\d{8}|02\d{9}", digits) else None
