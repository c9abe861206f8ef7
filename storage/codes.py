"""The grammar of every code that the product prints (mã in trên áp phích, phiếu, thư mời).

========  ==========================  ===============  =====================================================
prefix    printed                     payload          what it names
========  ==========================  ===============  =====================================================
``DV``    ``DV 06685-K``              ``DV06685K``     a unit (đơn vị); ``DV 06685-03-K``: of the association
``HS``    ``HS-2026-7K3QD``           ``HS20267K3QD``  a dossier (hồ sơ) of that year
``TL``    ``TL-XXXX-…`` (4 × 4)      ``TLXXXXX…``     a resume code (mã tiếp tục): handle, then the secret
``MT``    ``MT-XXXXX-…`` (4 × 5)      ``MTXXXXX…``     a one-time invite (thư mời), all of it secret
``BC``    ``BC-XXXXX``                ``BCXXXXX``      a report (báo cáo)
========  ==========================  ===============  =====================================================

A payload is what a QR or a deep link carries: ``A-Z0-9`` only, at most 64 characters, accepted by every messenger.
Reading is lenient (``parse``, ``find``): case, accents, full-width forms, separators and words around the code do not
matter; ``ĐV`` is ``DV``; I and L are read as 1 and O as 0, as in Crockford's base 32.

The check letter of a DV code covers vintage and body. Codes of communes were reused in the reform of 1 July 2025, so
the letter also tells *which* 06685 is meant. Promised, and tested exhaustively: within a vintage every wrong digit,
every swap of neighbours and every swap over one digit gives another letter, and none of them turns a code of one
vintage into a valid one of the other. Plain weights modulo 23 cannot do that (every weight and every difference of
neighbouring weights would have to be among the same four residues, whose differences are not), hence three
substitution tables, found by search.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from storage.base import Refused

__all__ = [
    "PRE_2025",
    "VINTAGE_2025",
    "Code",
    "DossierCode",
    "InviteCode",
    "ReportCode",
    "ResumeCode",
    "UnitCode",
    "check_letter",
    "find",
    "new_dossier",
    "new_invite",
    "new_report",
    "new_resume",
    "parse",
    "payload",
    "printed",
    "secret_hash",
]

VINTAGE_2025: Final = "2025"
PRE_2025: Final = "pre-2025"

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Codes are drawn from fewer letters than are read: an input method for Vietnamese (Telex) turns vowels followed by
# S F R X J, a W and a double D into accented letters while an officer types. 27 letters are 4.75 bits each.
DRAWN: Final = "0123456789BCFGHJKMNPQRSTVXZ"

HANDLE_SIZE: Final = 5
RESUME_SIZE: Final = 11  # 52 bits
INVITE_SIZE: Final = 20  # 95 bits
BODY_SIZE: Final = 5  # 14 million dossiers a year; a sixth character is read too, see new_dossier

# No I, O (digits) and no W (an input method makes it ư): 23 letters, a prime.
LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVXYZ"
_TABLES: Final = (
    (0, 10, 12, 14, 11, 9, 20, 6, 15, 1),
    (0, 13, 1, 4, 10, 18, 15, 14, 9, 5),
    (9, 1, 20, 18, 10, 5, 7, 19, 15, 6),
)
# 7 apart: no two letters that look or sound alike (E F, M N, U V, B P, D T, S X …) are the letters of one body in the
# two vintages.
_OFFSETS: Final = {VINTAGE_2025: 0, PRE_2025: 7}


@dataclass(frozen=True, slots=True)
class UnitCode:
    """A unit: 5 digits (commune; both vintages) or 7 (unit of the association: the commune's 5 and a number of 2).

    Raises ``Refused("code_body")`` for a body that no poster can carry (a province has none).
    """

    vintage: str
    body: str

    def __post_init__(self) -> None:
        sizes = (5, 7) if self.vintage == VINTAGE_2025 else (5,)
        if self.vintage not in _OFFSETS or len(self.body) not in sizes or not re.fullmatch("[0-9]+", self.body):
            raise Refused("code_body", kind="DV", body=self.body, vintage=self.vintage)


@dataclass(frozen=True, slots=True)
class DossierCode:
    """A submitted assessment (hồ sơ): the season's year and 5 or 6 characters."""

    year: int
    body: str


@dataclass(frozen=True, slots=True)
class ResumeCode:
    """A resume code (mã tiếp tục). The handle finds the row, the secret proves the right; only its hash is stored."""

    handle: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class InviteCode:
    """A one-time invite of an officer (thư mời)."""

    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReportCode:
    """A published report (báo cáo)."""

    body: str


Code: TypeAlias = UnitCode | DossierCode | ResumeCode | InviteCode | ReportCode


# ── making ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def new_dossier(year: int, size: int = BODY_SIZE) -> DossierCode:
    """A fresh dossier code. Not unique by itself: insert under a unique constraint and draw again; after several
    collisions draw with ``size=6``."""
    return DossierCode(year, _draw(size))


def new_resume() -> ResumeCode:
    """A fresh resume code: 52 bits of secret behind a handle of 5 characters, one of 14 million: draw again when it is
    taken."""
    return ResumeCode(_draw(HANDLE_SIZE), _draw(RESUME_SIZE))


def new_invite() -> InviteCode:
    """A fresh invite: 95 bits of secret."""
    return InviteCode(_draw(INVITE_SIZE))


def new_report() -> ReportCode:
    """A fresh report code."""
    return ReportCode(_draw(BODY_SIZE))


def _draw(size: int) -> str:
    while True:
        text = "".join(secrets.choice(DRAWN) for _ in range(size))
        # One digit at least (not 0 or 1, which people take for letters), so that no word is ever read as a code.
        if any(char in "23456789" for char in text):
            return text


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_letter(vintage: str, body: str) -> str:
    """The letter that closes ``DV`` + body, for a body of digits."""
    total = _OFFSETS[vintage] + sum(_TABLES[place % 3][int(digit)] for place, digit in enumerate(body))
    return LETTERS[total % len(LETTERS)]


def printed(code: Code) -> str:
    """The form for people's eyes: ``DV 06685-03-K``, ``HS-2026-7K3QD``. Shows the secret of TL and MT codes."""
    match code:
        case UnitCode(vintage, body):
            number = f"-{body[5:]}" if len(body) > 5 else ""
            return f"DV {body[:5]}{number}-{check_letter(vintage, body)}"
        case DossierCode(year, body):
            return f"HS-{year:04d}-{body}"
        case ResumeCode(handle, secret):
            return f"TL-{_grouped(handle + secret, 4)}"
        case InviteCode(secret):
            return f"MT-{_grouped(secret, 5)}"
        case ReportCode(body):
            return f"BC-{body}"


def payload(code: Code) -> str:
    """The form for QR and deep links: the printed one without separators."""
    return re.sub("[ -]", "", printed(code))


def secret_hash(code: ResumeCode | InviteCode) -> str:
    """SHA-256 (hex) of the payload, which is what storage keeps of a secret.

    A plain hash suffices: the secret is random with more than 50 bits, so neither guessing nor a table reaches it,
    unlike a password. The whole payload is hashed so that a TL and an MT code can never stand in for one another.
    """
    return hashlib.sha256(payload(code).encode()).hexdigest()


def _grouped(text: str, size: int) -> str:
    return "-".join(text[start : start + size] for start in range(0, len(text), size))


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

READ_LIMIT: Final = 4096  # characters of a text in which a code is looked for

_GAP = "[^A-Z0-9]{0,4}"
_START = "(?<![A-Z0-9])"
_END = "(?![A-Z0-9])"
_DIGIT = "[0-9OIL]"
_CHAR = "[0-9A-TV-Z]"  # Crockford's, and the I, L, O that it forgives


def _spaced(char: str, count: int) -> str:
    return f"{char}(?:{_GAP}{char}){{{count - 1}}}"


_UNIT_TAIL = rf"({_spaced(_DIGIT, 5)}(?:{_GAP}{_spaced(_DIGIT, 2)})?){_GAP}([{LETTERS}]){_END}"
_UNIT = re.compile(rf"{_START}D{_GAP}V{_GAP}{_UNIT_TAIL}")
_BARE_UNIT = re.compile(rf"{_START}{_UNIT_TAIL}")
# A body of six is read only in one piece: "HS 2026 7K3QD a" must not swallow the word that follows.
_DOSSIER = re.compile(
    rf"{_START}H{_GAP}S{_GAP}(2{_GAP}[0O](?:{_GAP}{_DIGIT}){{2}}){_GAP}({_CHAR}{{5,6}}|{_spaced(_CHAR, 5)}){_END}"
)
_RESUME = re.compile(rf"{_START}T{_GAP}L{_GAP}({_spaced(_CHAR, HANDLE_SIZE + RESUME_SIZE)}){_END}")
_INVITE = re.compile(rf"{_START}M{_GAP}T{_GAP}({_spaced(_CHAR, INVITE_SIZE)}){_END}")
_REPORT = re.compile(rf"{_START}B{_GAP}C{_GAP}({_CHAR}{{{BODY_SIZE}}}){_END}")

# What somebody meant as a code: the prefix and the run after it.
_MEANT = re.compile(rf"{_START}(D{_GAP}V|HS|TL|MT|BC)({_GAP}[A-Z0-9]+(?:[-._/ ]{{1,3}}[A-Z0-9]+){{0,12}})")


def parse(text: str) -> Code:
    """The code in a text that should hold one: typed, scanned, ``/start DV06685K``, ``https://…/q/DV06685K``.

    A unit's code may lack its ``DV`` when nothing else stands in the text. Refusals:

    - ``code_check`` (kind, text): complete, but the check letter contradicts the digits; most likely one is mistyped.
    - ``code_wrong`` (kind, why, text?): begins like a code; ``why`` is ``length``, ``letter`` (the check letter is
      missing or impossible) or ``form``. The text is left out for TL and MT: an almost right secret is a secret.
    - ``code_none`` (): nothing in it resembles a code.

    For text that may be anything use ``find``.
    """
    plain = _plain(text)
    code = _find(plain)
    if code is not None:
        return code
    if (bare := _BARE_UNIT.fullmatch(plain.strip())) and _has_digit(bare[1]):
        return _unit(bare)
    if whole := _UNIT.search(plain):
        return _unit(whole)
    if refusal := _what_is_wrong(plain):
        raise refusal
    raise Refused("code_none")


def find(text: str) -> Code | None:
    """The first valid code in free text, or None. Never raises; reads the first 4,096 characters."""
    return _find(_plain(text))


def _find(plain: str) -> Code | None:
    found: list[tuple[int, Code]] = []
    for match in _UNIT.finditer(plain):
        try:
            found.append((match.start(), _unit(match)))
        except Refused:
            continue
        break
    for pattern, make in _MAKERS:
        first = next((match for match in pattern.finditer(plain) if _has_digit(match[match.lastindex or 0])), None)
        if first:
            found.append((first.start(), make(first)))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _unit(match: re.Match[str]) -> UnitCode:
    body, letter = _digits(match[1]), match[2]
    for vintage in (VINTAGE_2025, PRE_2025) if len(body) == 5 else (VINTAGE_2025,):
        if check_letter(vintage, body) == letter and _has_digit(match[1]):
            return UnitCode(vintage, body)
    number = f"-{body[5:]}" if len(body) > 5 else ""
    raise Refused("code_check", kind="DV", text=f"DV {body[:5]}{number}-{letter}")


def _dossier(match: re.Match[str]) -> DossierCode:
    return DossierCode(int(_digits(match[1])), _base32(match[2]))


def _resume(match: re.Match[str]) -> ResumeCode:
    chars = _base32(match[1])
    return ResumeCode(chars[:HANDLE_SIZE], chars[HANDLE_SIZE:])


def _invite(match: re.Match[str]) -> InviteCode:
    return InviteCode(_base32(match[1]))


def _report(match: re.Match[str]) -> ReportCode:
    return ReportCode(_base32(match[1]))


_MAKERS: Final = ((_DOSSIER, _dossier), (_RESUME, _resume), (_INVITE, _invite), (_REPORT, _report))


def _what_is_wrong(plain: str) -> Refused | None:
    match = _MEANT.search(plain)
    if match is None or len(re.findall("[0-9]", match[2])) < 2:
        return None  # "bc tháng", "dv gì": words, not a code
    kind = re.sub("[^A-Z]", "", match[1])
    if kind in ("TL", "MT"):
        return Refused("code_wrong", kind=kind, why="form")
    typed = " ".join(match[0].split())[:40]
    if kind != "DV":
        return Refused("code_wrong", kind=kind, why="form", text=typed)
    body = re.match(rf"(?:{_GAP}{_DIGIT})*", match[2])
    # An O, I or L at the end stands where the letter should.
    count = len(_digits(re.sub(f"[OIL]{_GAP}$", "", body[0]))) if body else 0
    return Refused("code_wrong", kind=kind, why="letter" if count in (5, 7) else "length", text=typed)


def _plain(text: str) -> str:
    """Upper-case ASCII letters and digits as far as the text has any; no marks, no invisible characters."""
    wide = unicodedata.normalize("NFKD", text[:READ_LIMIT]).replace("đ", "d").replace("Đ", "D")
    return "".join(char for char in wide if unicodedata.category(char) not in ("Mn", "Cf")).upper()


def _has_digit(text: str) -> bool:
    return any(char in "0123456789" for char in text)


def _digits(text: str) -> str:
    return re.sub("[^0-9]", "", text.translate(str.maketrans("OIL", "011")))


def _base32(text: str) -> str:
    return re.sub(f"[^{CROCKFORD}]", "", text.translate(str.maketrans("OIL", "011")))
