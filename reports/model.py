"""What a unit's figures are, whatever face they get: chat text, chart, JSON (số liệu của một đơn vị).

Plain values: they cross to the drawing processes as they are, and nothing here needs a drawing library.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from reports import measures

# More would be higher than 2,560 px, and Telegram scales such pictures down until nobody can read them.
ROWS_A_PICTURE = 20
CENTRE, PROVINCE, COMMUNE, ASSOCIATION_UNIT = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Row:
    """One child unit (đơn vị trực thuộc): people registered, handed in at least once, approved."""

    code: str
    label: str
    registered: int
    submitted: int
    approved: int


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One subject group (nhóm đối tượng) within the unit."""

    id: str
    label: str
    registered: int
    approved: int


@dataclass(frozen=True, slots=True)
class IndicatorMean:
    """The mean points of one indicator (điểm trung bình của chỉ số), 0 to 10, over *n* assessments handed in."""

    id: str
    short_name: str
    mean: float
    n: int


@dataclass(frozen=True, slots=True)
class UnitFigures:
    """A unit's year in figures, as of a moment (aware, UTC).

    ``registered`` counts everyone in any state but withdrawn; ``submitted`` everyone who handed in at least
    once; the other states as they stand. ``level`` is 0 centre, 1 province, 2 commune, 3 unit of the association.
    ``minimum`` is the least points that each indicator needs under the criteria version counted. Each measure of
    :mod:`reports.measures` has the field of its name; ``None``: not known, or nothing to measure yet. ``people`` is the
    population, ``target_…`` what the unit wants to reach, ``rank`` its place among *siblings* by people approved, with
    their *sibling_median*. ``run`` is the code under which these figures are kept, ``BC-7K3QD``.
    """

    code: str
    name: str
    year: int
    as_of: datetime
    level: int
    registered: int = 0
    started: int = 0
    submitted: int = 0
    waiting: int = 0
    returned: int = 0
    approved: int = 0
    recognised: int = 0
    not_met: int = 0
    withdrawn: int = 0
    by_group: tuple[GroupRow, ...] = ()
    rows: tuple[Row, ...] = ()
    indicators: tuple[IndicatorMean, ...] = ()
    minimum: float = 5.0
    bound: int | None = None
    median_days: float | None = None
    overdue: int | None = None
    evidence_rate: float | None = None
    communes_without_officer: int | None = None
    communes_without_scan: int | None = None
    communes: int = 0
    people: int | None = None
    target_approved: int | None = None
    target_participation: float | None = None
    rank: int | None = None
    siblings: int = 0
    sibling_median: float | None = None
    run: str = ""

    @property
    def pass_rate(self) -> float | None:
        """Tỉ lệ đạt: approved of all decided, 0 to 1; ``None`` while nothing is decided."""
        return measures.pass_rate(self.approved, self.not_met)

    @property
    def handed_in_rate(self) -> float | None:
        """Tỉ lệ nộp hồ sơ: handed in of those registered, 0 to 1; ``None`` while nobody is registered."""
        return measures.share(self.submitted, self.registered)

    @property
    def participation(self) -> float | None:
        """Tỉ lệ tham gia: registered of the population, 0 to 1; ``None`` where that is not known."""
        return measures.share(self.registered, self.people)

    @property
    def empty(self) -> bool:
        """Nobody has registered, here or below, and no list of titles was imported."""
        here = self.registered or self.submitted or self.recognised
        return not (here or any(row.registered or row.submitted for row in self.rows))


# What a measure's value is: people or units, a share 0 to 1, days, points 0 to 10.
Kind = Literal["count", "share", "days", "points"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way to the title: *name* is the measure's, *label* its word in the voice in force."""

    name: str
    label: str
    n: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many people came how far (phễu): bound → registered → started → submitted → approved.

    People bound are those of now, whatever the year; who was decided upon and moved away since is no longer among them.
    """

    name: str
    year: int
    as_of: datetime
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One unit among its siblings; ``value`` is ``None`` while there is nothing to measure."""

    code: str
    label: str
    value: float | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """The units directly below one, best first, those without a value last (xếp hạng), with median and target.

    ``median`` is over the rows that have a value; ``target`` is in the measure's own unit (``kind``) or ``None``.
    ``marked``: the codes of rows that are to be seen. ``left_out``: after how many rows how many others are left out;
    ``nobody``: in how many units, left out as well, nobody is registered.
    """

    name: str
    year: int
    as_of: datetime
    measure: str
    label: str
    kind: Kind
    rows: tuple[Ranked, ...]
    median: float | None
    target: float | None
    marked: tuple[str, ...] = ()
    left_out: tuple[int, int] | None = None
    nobody: int = 0


@dataclass(frozen=True, slots=True)
class Week:
    """People who had handed in, and been approved, by the end of the week of *monday* (Asia/Ho_Chi_Minh)."""

    monday: date
    submitted: int
    approved: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A year week by week (tiến độ tuần), the year before beside it, ``target`` in people approved."""

    name: str
    year: int
    as_of: datetime
    weeks: tuple[Week, ...]
    last_year: tuple[Week, ...]
    target: int | None


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One unit's mean points by indicator, in the order of :attr:`HeatMap.indicators`; ``None`` where nobody is."""

    code: str
    label: str
    means: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The units directly below one by indicator (bản đồ chỉ số): ``indicators`` are (id, short name) pairs and
    ``minimum`` the least points that each needs."""

    name: str
    year: int
    as_of: datetime
    indicators: tuple[tuple[str, str], ...]
    rows: tuple[HeatRow, ...]
    minimum: float


Chart = UnitFigures | Funnel | Ranking | Progress | HeatMap


def pages(figures: UnitFigures) -> int:
    """How many pictures the chart of these figures takes: one, or as many as its child units need."""
    if figures.level >= COMMUNE or figures.empty:
        return 1
    return max(1, -(-len(figures.rows) // ROWS_A_PICTURE))


def page_span(figures: UnitFigures, page: int) -> tuple[int, int]:
    """The slice ``[first, last)`` of the sorted child units on a page (from 1), pages being equally full:
    54 communes are three pictures of 18, not 20, 20 and 14. ``ValueError`` for a page that is not there."""
    total, count = pages(figures), len(figures.rows)
    if not 1 <= page <= total:
        raise ValueError(f"page {page} of {total}")
    return (page - 1) * count // total, page * count // total


def ranked(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Most registered first; equal ones by approved, submitted, then code, so that every page is stable."""
    return tuple(sorted(rows, key=lambda row: (-row.registered, -row.approved, -row.submitted, row.code)))
