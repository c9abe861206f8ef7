"""Judging the rows of a list: what a row says, cleaned of what Excel did to it, or what is wrong and what mends it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from bot.imports.mapping import Mapping, group_of
from bot.imports.places import Places, Unclear, Words
from bot.imports.sheets import Cell, Formula, Layout, Line
from dialogs.text import NAME_LIMIT, one_line
from dialogs.text import phone as phone_of
from storage import idnumbers
from storage.identity import Traces
from storage.imported import Listed, Past
from storage.titles import FIRST_YEAR

# What may be wrong with a row: each has a sentence and a mend (cli.import.problem.*, cli.import.mend.*).
PROBLEMS: Final = (
    "formula", "name", "birth_year", "nobody", "child", "phone", "id_number", "id_old", "id_lost", "group", "column",
    "unit_missing", "unit_unknown", "unit_near", "unit_bare", "unit_several", "unit_split", "unit_code", "unit_other",
    "unit_today", "unit_not_successor", "title_year", "title_missing", "title_ours", "decision_number", "decision_date",
    "taken", "like", "several", "changed",
)  # fmt: skip
NOTES: Final = ("phone_out", "id_out", "id_other_year")  # a row with only these is imported
ASKS: Final = ("unit_several", "unit_split", "unit_near", "unit_bare")
# Problems that quote the cell, by the name of the fact.
_QUOTED: Final = {"group": "value", "unit_unknown": "key", "unit_code": "key", "unit_today": "key"}
_MOST_GROUPS: Final = 50  # a list has a handful
_FEW_ROWS: Final = 10
_EXCEL_DAY = date(1899, 12, 30)  # day 0 of Excel's count
_YEAR = re.compile(r"(?:\d{1,2}[/.\- ])?(?:\d{1,2}[/.\- ])?((?:19|20)\d\d)|((?:19|20)\d\d)[/.\-]\d{1,2}[/.\-]\d{1,2}")
_DAY_FIRST = re.compile(r"(\d{1,2})[/.\- ](\d{1,2})[/.\- ](\d{4})(?:[ T].*)?")
_YEAR_FIRST = re.compile(r"(\d{4})[/.\-](\d{1,2})[/.\-](\d{1,2})(?:[ T].*)?")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in which field. ``facts`` fill in the sentences; never a number that is somebody's, and what else
    of a cell they quote goes where the column proves to be another (:func:`settled`)."""

    code: str
    field: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A row: good (``listed``), or not, with what is wrong; a good one may have notes."""

    row: int
    listed: Listed | None
    problems: tuple[Problem, ...] = ()

    @property
    def verdict(self) -> str:
        """``good``, ``ask`` (only the unit is unclear), ``wrong``."""
        if self.listed is not None:
            return "good"
        return "ask" if all(each.code in (*ASKS, *NOTES) for each in self.problems) else "wrong"


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges rows of one file. ``traces``: a number of 12 digits → what may be kept of it."""

    mapping: Mapping
    layout: Layout
    places: Places
    today: date
    traces: Callable[[str], Traces] | None

    def all(self, lines: Iterable[Line]) -> Iterator[Judged]:
        """Each row judged, in order."""
        return map(self.judge, lines)

    def judge(self, line: Line) -> Judged:
        """One row."""
        cells = {name: line.cells[at] if at < len(line.cells) else None for name, at in self.layout.places.items()}
        problems = [Problem("formula", name) for name, cell in cells.items() if isinstance(cell, Formula)]
        cells = {name: None if isinstance(cell, Formula) else cell for name, cell in cells.items()}
        cells |= self.mapping.same
        if problems:  # what depends on the cell would only be wrong once more
            return Judged(line.number, None, tuple(problems))

        name = _name(cells.get("name"))
        if name is None:
            problems.append(Problem("name", "name"))
        birth_year = self._birth_year(cells.get("birth_year"), problems)
        phone = self._phone(cells.get("phone"), problems)
        born, number = self._number(cells.get("id_number"), birth_year, problems)
        wrong = {each.field for each in problems if each.code not in NOTES}
        if birth_year is None and phone is None and number is None and not wrong & {"birth_year", "phone", "id_number"}:
            problems.append(Problem("nobody", "birth_year" if self.mapping.has("birth_year") else "phone"))
        group = group_of(self.mapping, text := _text(cells.get("subject_group")))
        if group is None:
            problems.append(Problem("group", "subject_group", (("value", _quoted(text)[:60]),)))
        unit = self.places.of(
            Words(*(_text(cells.get(each)) for each in ("unit_today", "unit_code", "commune", "district", "province")))
        )
        if isinstance(unit, Unclear):
            problems.append(
                Problem(
                    unit.code,
                    unit.field,
                    (("key", _quoted(unit.key)[:200]), ("units", "; ".join(unit.candidates) or "-")),
                )
            )
        else:
            least = self.places.min_age(unit.today)
            if any(self.today.year - year < least for year in (birth_year, born) if year is not None):
                field = "id_number" if birth_year is None else "birth_year"
                problems.append(Problem("child", field, (("age", str(least)),)))
        title = self._title(cells, None if isinstance(unit, Unclear) else (unit.today, unit.then), problems)
        if any(each.code not in NOTES for each in problems):
            return Judged(line.number, None, tuple(problems))
        assert name is not None and group is not None and not isinstance(unit, Unclear)
        listed = Listed(line.number, unit.today, name, birth_year, phone, number, group, title)
        return Judged(line.number, listed, tuple(problems))

    # ------------------------------------------------------------------------------------------ fields

    def _birth_year(self, cell: Cell, problems: list[Problem]) -> int | None:
        if cell is None:
            return None
        year = _year(cell)
        if year is None or not self.today.year - idnumbers.OLDEST <= year <= self.today.year - 10 or year < 1900:
            problems.append(Problem("birth_year", "birth_year"))
            return None
        return year

    def _phone(self, cell: Cell, problems: list[Problem]) -> str | None:
        text = _text(cell)
        if not text:
            return None
        # A number that Excel took for one has lost its 0.
        found = phone_of(text) or (phone_of(f"0{text}") if re.fullmatch(r"[2-9][\d .\-]{7,14}", text) else None)
        if found is None:
            out = "phone" in self.mapping.leave_out_wrong
            problems.append(Problem("phone_out" if out else "phone", "phone"))
        return found

    def _number(self, cell: Cell, birth_year: int | None, problems: list[Problem]) -> tuple[int | None, Traces | None]:
        """The year of birth that an id number tells, and what may be kept of it."""
        text = re.sub(r"[\s.\-']", "", _text(cell))
        if not text or self.traces is None:
            return None, None
        lost = re.search(r"[eE,]", text) is not None
        if re.fullmatch(r"\d{10,11}", text):
            text = text.zfill(idnumbers.DIGITS)
        if not re.fullmatch(r"[0-9]{12}", text) or not idnumbers.well_formed(text, self.today.year):
            code = "id_lost" if lost else "id_old" if re.fullmatch(r"\d{8,9}", text) else "id_number"
            out = "id_number" in self.mapping.leave_out_wrong
            problems.append(Problem("id_out" if out else code, "id_number"))
            return None, None
        born = idnumbers.birth_year(text)
        if birth_year is not None and born != birth_year:
            problems.append(Problem("id_other_year", "id_number"))
        return born, self.traces(text)

    def _title(self, cells: dict[str, Cell], unit: tuple[int, int] | None, problems: list[Problem]) -> Past | None:
        decision = one_line(_text(cells.get("decision_number")), 65)
        if len(decision) > 64 or idnumbers.hide(decision).numbers:
            problems.append(Problem("decision_number", "decision_number"))
        given = cells.get("decision_date")
        decided = _day(given)
        if _text(given) and (decided is None or not date(FIRST_YEAR, 1, 1) <= decided <= self.today):
            problems.append(Problem("decision_date", "decision_date"))
        said = cells.get("title_year")
        if not _text(said):
            own = [each for each in ("decision_number", "decision_date") if each in self.layout.places]
            if any(_text(cells[each]) for each in own):
                problems.append(Problem("title_missing", "title_year"))
            return None
        year = _year(said)
        last = self.today.year - 1
        if year is None or not FIRST_YEAR <= year <= last:
            problems.append(Problem("title_year", "title_year", (("low", str(FIRST_YEAR)), ("high", str(last)))))
            return None
        if unit is None:
            return None
        if self.places.counted_here(unit[0], year):
            problems.append(Problem("title_ours", "title_year", (("year", str(year)),)))
        return Past(year, unit[1], decision or None, decided)


# ------------------------------------------------------------------------------------------ all rows together


def settled(rows: Sequence[Judged]) -> list[Judged]:
    """The rows, once all are judged. A column whose values are not known and hardly ever the same is another than the
    mapping says, and they are people's: it is told as such (``column``), without them."""
    quoted: dict[str, Counter[str]] = {}
    for row in rows:
        for problem in row.problems:
            if problem.code in _QUOTED:
                quoted.setdefault(problem.field, Counter())[dict(problem.facts)[_QUOTED[problem.code]]] += 1
    mistaken = {name for name, values in quoted.items() if _mistaken(name, values)}
    if not mistaken:
        return list(rows)
    return [replace(row, problems=tuple(_without_values(each, mistaken) for each in row.problems)) for row in rows]


def _mistaken(name: str, values: Counter[str]) -> bool:
    if name == "subject_group" and len(values) > _MOST_GROUPS:
        return True
    return values.total() >= _FEW_ROWS and 2 * len(values) > values.total()


def _without_values(problem: Problem, mistaken: set[str]) -> Problem:
    if problem.code in _QUOTED and problem.field in mistaken:
        return Problem("column", problem.field)
    return problem


# ------------------------------------------------------------------------------------------ cells


def _quoted(text: str) -> str:
    """A cell as it may be told: with a letter too far in the mapping it is somebody's phone or id number."""
    return idnumbers.hide_all(text).text


def _text(cell: Cell) -> str:
    """What stands in a cell, on one line; a whole number without the ``.0`` that a spreadsheet gives it."""
    if cell is None or isinstance(cell, Formula):
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime | date):
        return f"{cell:%d/%m/%Y}"
    text = _line(str(cell))
    return text[:-2] if re.fullmatch(r"\d{1,15}\.0", text) else text


@lru_cache(maxsize=2048)  # places and decisions are the same in row after row
def _line(text: str) -> str:
    return one_line(text, 300)


def _name(cell: Cell) -> str | None:
    name = _text(cell)
    if not 2 <= len(name) <= NAME_LIMIT or any(sign.isdigit() for sign in name):
        return None
    if sum(sign.isalpha() for sign in name) < 2 or not name[0].isalpha():  # =HYPERLINK(A) as text, @SUM
        return None
    return name.title() if name.isupper() else name


def _year(cell: Cell) -> int | None:
    """1961 out of ``1961``, ``1961.0``, ``12/03/1961`` or a date. A date that lost its format (22355) is none: it looks
    like a year with a digit too many."""
    if isinstance(cell, datetime | date):
        return cell.year
    text = _text(cell)
    found = _YEAR.fullmatch(text)
    return int(found[1] or found[2]) if found else None


def _day(cell: Cell) -> date | None:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    text = _text(cell)
    if re.fullmatch(r"\d{5}", text):
        return _EXCEL_DAY + timedelta(days=int(text))
    try:
        if found := _DAY_FIRST.fullmatch(text):
            return date(int(found[3]), int(found[2]), int(found[1]))
        if found := _YEAR_FIRST.fullmatch(text):
            return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None
    return None
