"""Posters of a whole province or the country into a folder (in áp phích hàng loạt), beside a running bot, resumable.

::

    out/22-thanh-pho-quang-ninh/06685-phuong-hong-gai.pdf     one a unit
    out/22-thanh-pho-quang-ninh.pdf                           the province's book: the same posters, one a page
    out/index-22.csv, out/index-22.pdf                        which poster lies where, on which page of its book
    out/cu/…                                                  posters and books of names and units that are no more

Books and indexes are named after what was asked for, so that a commune's (``06685-phuong-hong-gai.pdf``,
``index-06685.csv``) or another province's in the same folder leave the others alone.

A file is right when it bears the mark of what it should show and is whole; such files are kept. The mark covers the
unit, what its square holds, the paper and how posters look now, so that a new name, address, sentence or drawing makes
them anew.
"""

from __future__ import annotations

import csv
import hashlib
import multiprocessing
import os
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import Path

from locales import Voice, _, voice
from reports import posters, sheets
from reports.pool import _begin as begin_worker
from storage.files import written_aside
from storage.gazetteer import fold

CHUNK = 6  # posters that a worker draws between two tells
ALONE = 12  # posters up to which starting workers would take longer than drawing


@dataclass(frozen=True, slots=True)
class Province:
    """The posters of a province, in the order of its book. ``code``: ``22``. ``part``: number and name of the unit in
    it whose posters alone these are (``06685``, ``Phường Hồng Gai``): its book is a book of its own."""

    code: str
    name: str
    pages: tuple[posters.Page, ...]
    part: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """So many ``posters``, or the ``book`` (1) of a province, are there now; ``kept`` of them were before. Or so many
    ``old`` files were put aside."""

    what: str
    count: int
    kept: int


def run(
    folder: Path, provinces: Sequence[Province], *, index: str, size: str = "a4", workers: int | None = None
) -> Iterator[Made]:
    """Make what is missing or out of date below *folder*, in the voice in force, and tell of each piece as it is there.

    Posters and books first, then what is out of date goes aside, then the index of the unit numbered *index* (``22``,
    ``VN``, ``06685``). *workers*: processes, by default one a core; they end with this one. Each file appears whole or
    not at all. Closing the iterator stops after the pieces under way. Errors are those of files (``OSError``).
    """
    folder.mkdir(parents=True, exist_ok=True)
    jobs = _jobs(folder, provinces, size)
    count = workers if workers is not None else os.cpu_count() or 1
    if count < 2 or sum(len(each.pages) for each in provinces) <= ALONE:
        for job in jobs:
            yield _work(job)
    else:
        # Not forked: see ChartPool.
        context = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(count, mp_context=context, initializer=begin_worker)
        try:
            futures: list[Future[Made]] = [executor.submit(_work, job) for job in jobs]
            for done in as_completed(futures):
                yield done.result()
        finally:
            executor.shutdown(cancel_futures=True)
    if old := sum(_put_aside(folder, each) for each in provinces):
        yield Made("old", old, 0)
    table = index_csv(provinces).encode("utf-8-sig")  # with its mark Excel knows it for UTF-8
    write_whole(folder / f"index-{index}.csv", table)
    write_whole(folder / f"index-{index}.pdf", sheets.index([_section(each) for each in provinces], voice()))


def book_of(province: Province) -> str:
    """The name of a province's book: ``22-thanh-pho-quang-ninh.pdf``."""
    return f"{_stem(*(province.part or (province.code, province.name)))}.pdf"


def file_of(province: Province, page: posters.Page) -> str:
    """Where a unit's poster lies in the folder: ``22-thanh-pho-quang-ninh/06685-phuong-hong-gai.pdf``."""
    return f"{_stem(province.code, province.name)}/{_stem(_number(page), page.unit.name)}.pdf"


def _number(page: posters.Page) -> str:
    """``06685-03``: what stands in ``DV 06685-03-K`` between its prefix and its check letter."""
    return page.unit.code.removeprefix("DV ").rpartition("-")[0]


def index_csv(provinces: Sequence[Province]) -> str:
    """Which poster lies where, a line a poster, with a heading."""
    out = StringIO()
    lines = csv.writer(out)
    lines.writerow(
        [_(f"poster.index.{column}") for column in ("province", "unit", "code", "file", "book", "page", "holds")]
    )
    for province in provinces:
        for number, page in enumerate(province.pages, 1):
            unit = page.unit
            where = (file_of(province, page), book_of(province), number)
            lines.writerow((province.name, _named(unit), unit.code, *where, page.payload))
    return out.getvalue()


def _section(province: Province) -> sheets.Section:
    rows = [sheets.IndexRow(number, page.unit.code, _named(page.unit)) for number, page in enumerate(province.pages, 1)]
    return sheets.Section(province.name, book_of(province), tuple(rows))


def _named(unit: posters.PosterUnit) -> str:
    return f"{unit.name}, {unit.commune}" if unit.commune else unit.name


def _stem(code: str, name: str) -> str:
    return f"{code} {fold(name)}".replace(" ", "-")


# ------------------------------------------------------------------------------------------ the work


@dataclass(frozen=True, slots=True)
class _Job:
    """What a worker does at once: a few posters, or a book (where ``place`` names it)."""

    files: tuple[Path, ...]
    pages: tuple[posters.Page, ...]
    place: str
    size: str
    voice: Voice


def _jobs(folder: Path, provinces: Sequence[Province], size: str) -> list[_Job]:
    """The longest first, so that the cores end at about the same time."""
    to = voice()
    books = [
        _Job((folder / book_of(each),), each.pages, each.part[1] if each.part else each.name, size, to)
        for each in sorted(provinces, key=lambda each: -len(each.pages))
    ]
    single = [
        _Job(tuple(folder / file_of(each, page) for page in some), some, "", size, to)
        for each in provinces
        for some in (each.pages[start : start + CHUNK] for start in range(0, len(each.pages), CHUNK))
    ]
    return books + single


def _work(job: _Job) -> Made:
    marks = [_mark(page, job.size, job.voice) for page in job.pages]
    if job.place:
        (file,), whole = job.files, hashlib.sha256("".join([job.place, *marks]).encode()).hexdigest()
        if kept := _is_right(file, whole):
            return Made("book", 1, int(kept))
        write_whole(file, posters.book(job.pages, job.place, job.voice, size=job.size, mark=whole))
        return Made("book", 1, 0)
    kept_ones = 0
    for file, page, mark in zip(job.files, job.pages, marks, strict=True):
        if _is_right(file, mark):
            kept_ones += 1
            continue
        file.parent.mkdir(exist_ok=True)
        drawn = posters.poster(
            page.unit, page.payload, job.voice, site=page.site, app=page.app, size=job.size, mark=mark
        )
        write_whole(file, drawn)
    return Made("posters", len(job.pages), kept_ones)


def _mark(page: posters.Page, size: str, to: Voice) -> str:
    return hashlib.sha256(f"{_look(size, to)} {page!r}".encode()).hexdigest()


@lru_cache(maxsize=2)
def _look(size: str, to: Voice) -> str:
    """What posters look like now, told by two drawn: fonts, sentences and the code that draws all come into it."""
    unit = posters.PosterUnit("Phường Hồng Gai", "Quảng Ninh", "DV 06685-K", "", "Lan", "0203")
    pages = [posters.Page(unit, "https://hoctap.example.vn/q/DV06685K")]
    pages.append(
        posters.Page(posters.PosterUnit(unit.name, "", unit.code, "Khu 3"), "DV06685K", "t.me/bot", "Telegram")
    )
    return hashlib.sha256(posters.book(pages, unit.province, to, size=size)).hexdigest()


def _is_right(file: Path, mark: str) -> bool:
    try:
        found = file.read_bytes()
    except FileNotFoundError:
        return False
    return mark.encode() in found and found.endswith(b"%%EOF\n")


# ------------------------------------------------------------------------------------------ files

OLD = "cu"  # the folder for what is out of date (cũ): none of it is printed with the rest
_NUMBERED = re.compile(r"(?P<number>(?P<commune>\d{5})(?:-\d\d)?)-.+\.pdf")
_SCRATCH = ".aside-"  # how files begin that are being written
_FORGOTTEN = 3600.0  # seconds after which nobody writes such a file any more


def _put_aside(folder: Path, province: Province) -> int:
    """Posters and books of what these pages cover, but under another name (a unit was renamed, merged, closed), go to
    the folder ``cu``; how many. Those of what was not asked for now stay."""
    here, numbers = {file_of(province, page) for page in province.pages}, {_number(page) for page in province.pages}
    covers = province.part[0] if province.part else ""

    def old(file: Path) -> bool:
        found = _NUMBERED.fullmatch(file.name)
        if found is None or str(file.relative_to(folder)) in here or not found["number"].startswith(covers):
            return False
        # A run of a province makes no posters below its communes: those of a commune that is there are right.
        below = found["number"] != found["commune"]
        return bool(province.part) or not below or found["commune"] not in numbers

    found = [file for place in folder.glob(f"{province.code}-*/") for file in place.glob("*.pdf") if old(file)]
    number = province.part[0] if province.part else province.code
    books = re.compile(rf"{number}-(?!\d\d-).+\.pdf")
    found += [each for each in folder.glob("*.pdf") if books.fullmatch(each.name) and each.name != book_of(province)]
    for file in found:
        aside = folder / OLD / file.relative_to(folder)
        aside.parent.mkdir(parents=True, exist_ok=True)
        file.replace(aside)
        if file.parent != folder and not any(file.parent.iterdir()):  # the province has another name now
            file.parent.rmdir()
    for scratch in (*folder.glob(f"{_SCRATCH}*"), *folder.glob(f"{province.code}-*/{_SCRATCH}*")):
        if scratch.stat().st_mtime < time.time() - _FORGOTTEN:  # a run that was killed
            scratch.unlink(missing_ok=True)
    return len(found)


def write_whole(file: Path, content: bytes) -> None:
    """The file is the old one or, whole, the new one, whenever this ends, and readable by everybody. Raises
    ``OSError``."""
    if file.exists() and not file.is_file():  # /dev/stdout
        file.write_bytes(content)
        return
    with written_aside(file, _SCRATCH) as out:
        os.fchmod(out.fileno(), 0o644)
        out.write(content)
