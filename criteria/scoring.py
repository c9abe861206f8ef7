"""Points, the verdict and the shortest path to the title. The officer's level, where given, is the one that counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from criteria.model import CriteriaSet, Indicator, Option

CONFIRMATIONS = (None, "asked", "confirmed", "declined")
"""States of "nhờ chi hội xác nhận": not asked, asked, confirmed, declined by an officer."""


@dataclass(frozen=True, slots=True)
class Given:
    """One answer: the citizen's level, an officer's other level if any, the kinds of evidence there are.

    *confirmation* is one of :data:`CONFIRMATIONS`.
    """

    level: str
    officer_level: str | None = None
    evidence: frozenset[str] = frozenset()
    confirmation: str | None = None

    @property
    def counts(self) -> str:
        """The level in force."""
        return self.officer_level or self.level


Answers = Mapping[str, Given]
"""By indicator id. An id or level that the set does not have is a ``LookupError``."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an assessment does not pass: *needs* is the points still wanting.

    *code* is ``total_below`` (*indicator* ``None``; *points* the total), ``indicator_below`` or ``unanswered``
    (*points* 0).
    """

    code: str
    indicator: str | None
    points: int
    needs: int


@dataclass(frozen=True, slots=True)
class Score:
    """The result under one set; *per_group* has every group, *per_indicator* the answered ones, both in its order."""

    total: int
    per_group: Mapping[str, int]
    per_indicator: Mapping[str, int]
    answered: int
    passes: bool
    obstacles: tuple[Obstacle, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One step of the path: *from_level* is ``None`` for an unanswered indicator; *gain* in points."""

    indicator: str
    from_level: str | None
    to_level: str
    gain: int
    needs_evidence: bool


def score(criteria: CriteriaSet, answers: Answers) -> Score:
    """Add up *answers*; it passes exactly where there is no obstacle."""
    _known(criteria, answers)
    least = criteria.thresholds.min_per_indicator
    per_group = {group.id: 0 for group in criteria.groups}
    per_indicator: dict[str, int] = {}
    obstacles: list[Obstacle] = []
    for indicator in criteria.indicators:
        given = answers.get(indicator.id)
        if given is None:
            obstacles.append(Obstacle("unanswered", indicator.id, 0, least))
            continue
        points = indicator.option(given.counts).points
        per_indicator[indicator.id] = points
        per_group[indicator.group] += points
        if points < least:
            obstacles.append(Obstacle("indicator_below", indicator.id, points, least - points))
    total = sum(per_indicator.values())
    if total < criteria.thresholds.pass_total:
        obstacles.insert(0, Obstacle("total_below", None, total, criteria.thresholds.pass_total - total))
    return Score(total, per_group, per_indicator, len(per_indicator), not obstacles, tuple(obstacles))


def needs_evidence(indicator: Indicator, level: str) -> bool:
    """Whether this level must be proved."""
    return _proved(indicator, indicator.option(level))


def missing_evidence(criteria: CriteriaSet, answers: Answers) -> tuple[str, ...]:
    """Ids of the answered indicators whose citizen's level must be proved and is not, in the set's order.

    Only kinds that the indicator takes count. A confirmation counts while asked and once confirmed, not when declined.
    """
    _known(criteria, answers)
    return tuple(
        indicator.id
        for indicator in criteria.indicators
        if (given := answers.get(indicator.id)) is not None
        and needs_evidence(indicator, given.level)
        and not _has_evidence(indicator, given)
    )


def highest_level_without_evidence(indicator: Indicator) -> Option:
    """The best option that need not be proved: what "không có" offers. The checker sees to it that there is one."""
    return next(option for option in indicator.options if not _proved(indicator, option))


def shortest_path(criteria: CriteriaSet, answers: Answers) -> tuple[Change, ...]:
    """The fewest changes after which the answers pass, in the set's order; empty where they pass already.

    Among paths of as many changes: the least points raised, then the fewest level steps, then the fewest changes that
    need evidence, then the earliest indicators. An unanswered indicator is one change.
    """
    _known(criteria, answers)
    current = {each.id: _option_in_force(each, answers) for each in criteria.indicators}
    least = criteria.thresholds.min_per_indicator
    missing = criteria.thresholds.pass_total - sum(option.points for option in current.values() if option)
    must: list[Indicator] = []
    may: list[Indicator] = []
    for indicator in criteria.indicators:
        option = current[indicator.id]
        (must if option is None or option.points < least else may).append(indicator)
    spare = _fewest(missing, must, may, current)
    return _cheapest(criteria, current, missing, {indicator.id for indicator in must}, spare)


def _known(criteria: CriteriaSet, answers: Answers) -> None:
    unknown = answers.keys() - {indicator.id for indicator in criteria.indicators}
    if unknown:
        raise LookupError(f"criteria {criteria.id} {criteria.version} have no indicator {sorted(unknown)}")


def _proved(indicator: Indicator, option: Option) -> bool:
    needed_from = indicator.evidence.required_from_points
    return needed_from is not None and option.points >= needed_from


def _has_evidence(indicator: Indicator, given: Given) -> bool:
    kinds = set(given.evidence)
    if given.confirmation in ("asked", "confirmed"):
        kinds.add("officer_confirmation")
    return not kinds.isdisjoint(indicator.evidence.kinds)


def _option_in_force(indicator: Indicator, answers: Answers) -> Option | None:
    given = answers.get(indicator.id)
    return None if given is None else indicator.option(given.counts)


_Current = Mapping[str, Option | None]


def _gain(indicator: Indicator, to: Option, current: _Current) -> int:
    now = current[indicator.id]
    return to.points - (now.points if now else 0)


def _most(indicators: Iterable[Indicator], current: _Current) -> list[int]:
    """The most points that each indicator can still gain, largest first."""
    return sorted((_gain(each, each.options[0], current) for each in indicators), reverse=True)


def _fewest(missing: int, must: list[Indicator], may: list[Indicator], current: _Current) -> int:
    """How many changes beyond those that *must* be: gains are independent, so the largest ones decide."""
    missing -= sum(_most(must, current))
    count = 0
    for gain in _most(may, current):
        if missing <= 0:
            break
        missing -= gain
        count += 1
    return count


def _cheapest(criteria: CriteriaSet, current: _Current, missing: int, must: set[str], spare: int) -> tuple[Change, ...]:
    """The best path with exactly *spare* changes beyond those that *must* be.

    Goes through the indicators keeping, for each (spare changes used, points gained), only the best way there.
    """
    least = criteria.thresholds.min_per_indicator
    rest = list(criteria.indicators)
    # (used, gained) -> (steps, with evidence, (position, option) of each change)
    ways: dict[tuple[int, int], tuple[int, int, tuple[tuple[int, int], ...]]] = {(0, 0): (0, 0, ())}
    for position, indicator in enumerate(criteria.indicators):
        rest.pop(0)
        obliged = indicator.id in must
        steps = [
            (_gain(indicator, option, current), _steps(indicator, index, current), _proved(indicator, option), index)
            for index, option in enumerate(indicator.options)
            if (option.points >= least if obliged else _gain(indicator, option, current) > 0)
        ]
        later = sum(_most([each for each in rest if each.id in must], current))
        optional = _most([each for each in rest if each.id not in must], current)
        further: dict[tuple[int, int], tuple[int, int, tuple[tuple[int, int], ...]]] = {}
        reach = [later + sum(optional[:left]) for left in range(spare + 1)]
        for (used, gained), way in ways.items():
            if not obliged and gained + reach[spare - used] >= missing:
                further[used, gained] = min(further.get((used, gained), way), way)
            if not obliged and used == spare:
                continue
            now = used + (not obliged)
            for gain, jump, proved, index in steps:
                if gained + gain + reach[spare - now] < missing:
                    continue
                new = (way[0] + jump, way[1] + proved, (*way[2], (position, index)))
                state = (now, gained + gain)
                if state not in further or new < further[state]:
                    further[state] = new
        ways = further
    _, _, chosen = min(((gained, way) for (_, gained), way in ways.items()), key=lambda each: each)[1]
    return tuple(_change(criteria.indicators[position], index, current) for position, index in chosen)


def _steps(indicator: Indicator, index: int, current: _Current) -> int:
    """Levels between now and option *index*; an unanswered indicator starts below the last."""
    now = current[indicator.id]
    return (indicator.options.index(now) if now else len(indicator.options)) - index


def _change(indicator: Indicator, index: int, current: _Current) -> Change:
    to, now = indicator.options[index], current[indicator.id]
    return Change(
        indicator.id, now.level if now else None, to.level, _gain(indicator, to, current), _proved(indicator, to)
    )
