"""Every sentence that a person reads, and the Vietnamese formats of numbers, dates and percentages.

A sentence has a key (``join.consent``); ``vi/LC_MESSAGES/bot.po`` gives the Vietnamese, ``en/`` the English.
Placeholders are ``{name}``; ``{you}`` and ``{You}`` are the form of address that the reader chose
(ông/bà, anh/chị, bạn), filled in by :func:`_` itself.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

HERE = Path(__file__).parent
LANGUAGES = ("vi", "en")
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
FORMS = ("ong_ba", "anh_chi", "ban")


@dataclass(frozen=True, slots=True)
class Voice:
    """How one reader is spoken to: language (``vi`` or ``en``) and form of address (one of :data:`FORMS`)."""

    language: str = "vi"
    form: str = "ong_ba"


_DEFAULT = Voice()
_voice: ContextVar[Voice] = ContextVar("voice", default=_DEFAULT)


def voice() -> Voice:
    """The voice in force."""
    return _voice.get()


@contextmanager
def speaking(to: Voice) -> Iterator[None]:
    """All sentences made inside are for this reader."""
    token = _voice.set(to)
    try:
        yield
    finally:
        _voice.reset(token)


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> gettext.NullTranslations:
    """The catalogue of a language; compiled here and now where ``make setup`` has not been run since a change."""
    folder = HERE / language / "LC_MESSAGES"
    compiled, source = folder / "bot.mo", folder / "bot.po"
    if not compiled.exists() or (source.exists() and source.stat().st_mtime > compiled.stat().st_mtime):
        compile_catalogue(source, compiled)
    with compiled.open("rb") as file:
        return gettext.GNUTranslations(file)


@lru_cache(maxsize=len(LANGUAGES))
def _sentences(language: str) -> dict[str, str]:
    """The catalogue as a plain dictionary: a screen takes a dozen look-ups."""
    found: dict[str, str] = catalogue(language)._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in found.items() if key}


def compile_catalogue(source: Path, compiled: Path) -> None:
    """Write the ``.mo`` beside a ``.po`` (atomically: two processes may start at once)."""
    import os

    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with source.open("rb") as file:
        messages = read_po(file)
    scratch = compiled.with_suffix(f".{os.getpid()}")
    with scratch.open("wb") as out:
        write_mo(out, messages)
    scratch.replace(compiled)


def _(key: str, /, **fields: object) -> str:
    """The sentence of a key in the voice in force, its placeholders filled.

    An unknown key is an error (``LookupError``): the catalogues are checked for completeness by the tests.
    """
    to = _voice.get()
    text = _sentences(to.language).get(key)
    if text is None:
        raise LookupError(f"no sentence {key!r} in locales/{to.language}")
    if "{" not in text:
        return text
    if "ou}" in text:  # {you} or {You}
        form = you()
        return text.format(you=form, You=form.capitalize(), **fields)
    return text.format(**fields)


def you() -> str:
    """The form of address in force: ``ông/bà``, ``anh/chị``, ``bạn`` or ``you``."""
    to = _voice.get()
    return _sentences(to.language)[f"form.{to.form}"]


def number(value: float | Decimal, places: int = 0) -> str:
    """``1234.5`` → ``1.234,5`` (Vietnamese) or ``1,234.5`` (English), at most *places* decimals."""
    if isinstance(value, int):
        text = f"{value:,}"
    else:
        exact = Decimal(str(value)).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
        text = f"{exact:,.{places}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
    if _voice.get().language == "vi":
        return text.translate(str.maketrans(",.", ".,"))
    return text


def percent(share: float, places: int = 1) -> str:
    """``0.867`` → ``86,7%``."""
    return number(share * 100, places) + "%"


def day(when: date | datetime) -> str:
    """``21/11/2026`` in Vietnam's zone (Babel's short Vietnamese pattern would give ``21/11/26``)."""
    if isinstance(when, datetime):
        when = when.astimezone(ZONE)
    return f"{when:%d/%m/%Y}"


def clock(when: datetime) -> str:
    """``9:41`` in Vietnam's zone."""
    local = when.astimezone(ZONE)
    return f"{local.hour}:{local:%M}"


def moment(when: datetime) -> str:
    """``9:41 ngày 21/11/2026``."""
    return _("format.moment", clock=clock(when), day=day(when))
