"""Finding a place by what people call it (tìm đơn vị theo tên): with or without accents, kind words and province.

Pure: an index over names in memory. The catalogue is 3,356 units that change a few times a year, so an index of sorted
keys (3 MB) answers in well under a millisecond where a database would need an extension to do it at all.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Generic, TypeVar

__all__ = ["Entry", "Gazetteer", "Hit", "build", "core", "entry", "fold", "heads", "look_up", "spelling", "words"]

# How each kind is written before a name, folded; the first is the full word.
KIND_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "trung_uong": ("trung uong",),
    "tinh": ("tinh", "t"),
    "thanh_pho": ("thanh pho", "tp", "t p"),
    "xa": ("xa", "x"),
    "phuong": ("phuong", "p", "f"),
    "thi_tran": ("thi tran", "tt"),
    "dac_khu": ("dac khu", "dk"),
    "huyen": ("huyen", "h"),
    "chi_hoi": ("chi hoi",),
    "to_hoi": ("to hoi",),
    "ban_khuyen_hoc": ("ban khuyen hoc",),
    "thon": ("thon",),
    "ban": ("ban",),
    "khu_pho": ("khu pho", "kp"),
    "to_dan_pho": ("to dan pho", "tdp"),
    "truong": ("truong",),
    "co_quan": ("co quan",),
}
_KIND_OF: Final = {form: kind for kind, forms in KIND_WORDS.items() for form in forms}
# Words before the names of old districts and of provinces, in full and as people shorten them.
_ABOVE_WORDS: Final = ("thanh pho", "tinh", "quan", "huyen", "thi xa")
_ABOVE_SHORT: Final = ("tp", "tx", "t", "q", "h")
_SHORT: Final = {"tphcm": ("ho", "chi", "minh"), "hcm": ("ho", "chi", "minh")}

_WORDS: Final = re.compile(r"[^\W_]+")
_TONES: Final = "\u0300\u0301\u0303\u0309\u0323"
_MAX_WORDS: Final = 12
_KNOWN_WORDS: Final = 8192  # all names of places are made of 2,000 words: each is taken apart once
_HEAD_WORDS: Final = 9  # three of kind, and no unit's name has more than six


def words(text: str) -> list[str]:
    """The words of a text, case-folded, accents kept, punctuation gone."""
    return _WORDS.findall(unicodedata.normalize("NFC", text).casefold())


def fold(text: str) -> str:
    """The search key of a text: no accents (đ is d), lower case, single spaces: ``Ea H’Leo`` → ``ea h leo``."""
    return " ".join(_fold_word(word) for word in words(text))


@lru_cache(_KNOWN_WORDS)
def _fold_word(word: str) -> str:
    apart = unicodedata.normalize("NFD", word.replace("đ", "d"))
    return "".join(char for char in apart if unicodedata.category(char) != "Mn")


@lru_cache(_KNOWN_WORDS)
def _accented(word: str) -> str:
    """A word with its tone moved to the end, so that ``hòa`` and ``hoà`` are the same."""
    apart = unicodedata.normalize("NFD", word)
    tones = "".join(char for char in apart if char in _TONES)
    return unicodedata.normalize("NFC", "".join(char for char in apart if char not in _TONES)) + tones


def spelling(text: str) -> str:
    """The key of a name that must be the same with its accents: case, blanks, punctuation and the place of the tone
    (``Hòa``, ``Hoà``) do not matter; ``Lan`` and ``Lân`` are two."""
    return " ".join(map(_accented, words(text)))


def core(name: str, kind: str) -> str:
    """The folded name without the word of its kind: ``Phường Hồng Gai`` → ``hong gai``, ``Phường 1`` → ``1``."""
    folded = fold(name)
    return _after(folded, KIND_WORDS[kind][:1]) or folded


def _after(folded: str, prefixes: Sequence[str]) -> str | None:
    for prefix in prefixes:
        if folded.startswith(f"{prefix} "):
            return folded[len(prefix) + 1 :]
    return None


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """A place to be found: folded core, kind, level, what it lies in (folded), and its words with their accents."""

    place: T
    core: str
    kind: str
    level: int
    above: tuple[str, ...]
    accented: frozenset[str]


@dataclass(frozen=True, slots=True)
class Hit(Generic[T]):
    """A place found and how well it fits, smaller being better; ``rank[0]`` is 0 for the whole name."""

    rank: tuple[int, int, int, int]
    place: T


@dataclass(frozen=True, slots=True)
class Gazetteer(Generic[T]):
    """Entries and, sorted, the keys under which each is found: (key, rank of the key, number of the entry)."""

    entries: tuple[Entry[T], ...]
    keys: tuple[tuple[str, int, int], ...]


def entry(place: T, name: str, kind: str, level: int, above: Sequence[str]) -> Entry[T]:
    """An entry from the names as written; ``above`` names district, province …, nearest first."""
    bare = [_after(folded, _ABOVE_WORDS) or folded for folded in map(fold, above)]
    chains = tuple(" ".join(bare[start:]) for start in range(len(bare)))
    return Entry(place, core(name, kind), kind, level, chains, frozenset(map(_accented, words(name))))


_WHOLE, _INNER, _JOINED = 0, 2, 4  # ranks of keys; a key that only begins with what was typed is one worse


def build(entries: Sequence[Entry[T]]) -> Gazetteer[T]:
    """An index over entries; between equal fits their order decides."""
    keys = []
    for number, one in enumerate(entries):
        parts = one.core.split(" ")
        keys.append((one.core, _WHOLE, number))
        keys.extend((" ".join(parts[start:]), _INNER, number) for start in range(1, len(parts)))
        if len(parts) > 1:
            keys.append(("".join(parts), _JOINED, number))
    return Gazetteer(tuple(entries), tuple(sorted(keys)))


def look_up(gazetteer: Gazetteer[T], text: str, limit: int = 10, level: int | None = None) -> list[Hit[T]]:
    """Places that a text may name, best first: the whole name, then its beginning, then a word inside.

    ``text`` may begin with a word of kind (the right kind comes first, but others follow: a commune may have become a
    ward since people learned its name) and end with district or province, unfinished if need be. Accents, where typed,
    decide between names that differ by them only. Reads 12 words.
    """
    typed = [part for word in words(text)[:_MAX_WORDS] for part in _SHORT.get(word, (word,))]
    tokens = [_fold_word(word) for word in typed]
    # Who types one accent types them all: "Cẩm Giang" is not Cẩm Giàng.
    meant = [] if tokens == typed else [_accented(word) for word in typed]
    found: dict[int, tuple[int, int]] = {}
    for split in range(min(len(tokens), _HEAD_WORDS), 0, -1):
        tails = _tails(" ".join(tokens[split:]))
        for head, kinds in heads(" ".join(tokens[:split])):
            for number, rank in _with_head(gazetteer, head, whole_words=bool(tails)):
                one = gazetteer.entries[number]
                if (level is None or one.level == level) and _lies_in(one, tails):
                    fit = (rank, int(bool(kinds) and one.kind not in kinds))
                    found[number] = min(fit, found.get(number, fit))
    ranked = []
    for number, (rank, other_kind) in found.items():
        one = gazetteer.entries[number]
        missed = sum(word not in one.accented for word in meant)
        ranked.append(((rank, other_kind, missed, one.level), number))
    ranked.sort()
    return [Hit(fit, gazetteer.entries[number].place) for fit, number in ranked[:limit]]


def heads(head: str) -> Iterator[tuple[str, frozenset[str]]]:
    """What may be the name in a folded text, and the kinds that the word before it may stand for.

    ``xa tinh khe`` → (``xa tinh khe``, none), (``tinh khe``, xa). A name may begin like a kind: ``tinh khe`` is one.
    """
    yield head, frozenset()
    parts = head.split(" ")
    for count in range(1, min(len(parts), 4)):
        if kind := _KIND_OF.get(" ".join(parts[:count])):
            yield " ".join(parts[count:]), frozenset({kind})


def _tails(tail: str) -> tuple[str, ...]:
    """The end of the text as typed, and without words of kind: ``q ba dinh tp ha noi`` → ``ba dinh ha noi``."""
    if not tail:
        return ()
    bare = f" {tail} "
    for word in (*_ABOVE_WORDS, *_ABOVE_SHORT):
        bare = bare.replace(f" {word} ", " ")
    return (tail, bare.strip())


def _lies_in(one: Entry[T], tails: tuple[str, ...]) -> bool:
    return not tails or any(above.startswith(tail) for above in one.above for tail in tails)


def _with_head(gazetteer: Gazetteer[T], head: str, whole_words: bool) -> Iterator[tuple[int, int]]:
    """(entry, rank) of each key that is the head or begins with it."""
    keys = gazetteer.keys
    for at in range(bisect_left(keys, (head,)), len(keys)):
        key, rank, number = keys[at]
        if not key.startswith(head):
            break
        if key == head:
            yield number, rank
        elif not whole_words or key.startswith(f"{head} "):
            yield number, rank + 1
    joined = head.replace(" ", "")
    if joined != head:  # "ea hleo" for "ea h leo"
        for at in range(bisect_left(keys, (joined,)), len(keys)):
            key, rank, number = keys[at]
            if key != joined:
                break
            yield number, max(rank, _JOINED)
