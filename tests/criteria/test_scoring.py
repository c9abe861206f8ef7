"""Points, verdict and the shortest path, held against brute force."""

import itertools
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import criteria
from criteria import Given, score, shortest_path
from criteria.model import CriteriaSet, Thresholds

FULL = criteria.builtin()
LEVELS = [level.id for level in FULL.levels]
SCALES = [(10, 8, 5, 3, 0), (10, 9, 4, 2, 0), (10, 5, 4, 2, 0)]  # uneven ones, so that points and steps differ
IDS = [indicator.id for indicator in FULL.indicators]


def answered(levels: str) -> dict[str, Given]:
    """``"tot kha -"`` answers the first indicators; ``-`` leaves one out."""
    return {id: Given(level) for id, level in zip(IDS, levels.split(), strict=False) if level != "-"}


def part(indicators: list[str], pass_total: int, least: int = 5, scale: tuple[int, ...] = SCALES[0]) -> CriteriaSet:
    """A smaller set of some of the indicators, its levels giving the points of *scale*."""
    chosen = [FULL.indicator(id) for id in indicators]
    return replace(
        FULL,
        indicators=tuple(
            replace(each, options=tuple(replace(o, points=p) for o, p in zip(each.options, scale, strict=True)))
            for each in chosen
        ),
        thresholds=Thresholds(pass_total, least),
    )


givens = st.builds(Given, st.sampled_from(LEVELS), st.sampled_from([None, *LEVELS]))
answers_of_all = st.dictionaries(st.sampled_from(IDS), givens)


@st.composite
def small_cases(draw):
    """A set of at most five indicators and answers to it."""
    ids = sorted(draw(st.sets(st.sampled_from(IDS), min_size=1, max_size=5)))
    pass_total = draw(st.integers(1, 10 * len(ids)))
    criteria_set = part(ids, pass_total, draw(st.sampled_from([0, 3, 5, 8, 10])), draw(st.sampled_from(SCALES)))
    return criteria_set, draw(st.dictionaries(st.sampled_from(ids), givens))


# ---------------------------------------------------------------- the verdict


def test_all_good_passes():
    result = score(FULL, answered("tot " * 10))
    assert (result.total, result.answered, result.passes, result.obstacles) == (100, 10, True, ())
    assert result.per_group == {"A": 40, "B": 40, "C": 20}


def test_eighty_is_enough_and_seventy_nine_is_not():
    assert score(FULL, answered("kha " * 10)).passes
    low = score(FULL, answered("tot tot tot tot tot dat dat dat dat dat"))
    assert (low.total, low.passes) == (75, False)
    assert [(o.code, o.indicator, o.points, o.needs) for o in low.obstacles] == [("total_below", None, 75, 5)]


def test_one_indicator_below_five_fails_whatever_the_total():
    result = score(FULL, answered("tot " * 9 + "chua_dat"))
    assert result.total == 93 and not result.passes
    assert [(o.code, o.indicator, o.points, o.needs) for o in result.obstacles] == [("indicator_below", "C2", 3, 2)]


def test_an_unanswered_indicator_is_an_obstacle_even_where_zero_would_do():
    criteria_set = part(["A1", "A2"], 10, 0)
    result = score(criteria_set, {"A1": Given("tot")})
    assert [(o.code, o.indicator) for o in result.obstacles] == [("unanswered", "A2")]
    assert [(c.indicator, c.to_level) for c in shortest_path(criteria_set, {"A1": Given("tot")})] == [("A2", "khong")]


def test_nothing_answered():
    result = score(FULL, {})
    assert (result.total, result.answered, len(result.obstacles)) == (0, 0, 11)
    assert result.per_indicator == {} and result.per_group == {"A": 0, "B": 0, "C": 0}


def test_the_officers_level_counts():
    answers = answered("kha " * 10) | {"A1": Given("kha", officer_level="dat")}
    assert score(FULL, answers).per_indicator["A1"] == 5
    assert not score(FULL, answers).passes


@pytest.mark.parametrize("answers", [{"Z9": Given("tot")}, {"A1": Given("gioi")}, {"A1": Given("tot", "gioi")}])
def test_what_the_set_does_not_have_is_refused(answers):
    for judge in (score, shortest_path):
        with pytest.raises(LookupError):
            judge(FULL, answers)


@given(answers_of_all)
def test_the_total_is_the_sum_of_its_groups_and_of_its_indicators(answers):
    result = score(FULL, answers)
    assert result.total == sum(result.per_group.values()) == sum(result.per_indicator.values())
    assert result.answered == len(answers)


@given(answers_of_all)
def test_it_passes_exactly_where_nothing_stands_in_the_way(answers):
    result = score(FULL, answers)
    by_rule = len(answers) == 10 and result.total >= 80 and min(result.per_indicator.values()) >= 5
    assert result.passes == (not result.obstacles) == by_rule


@given(answers_of_all, st.sampled_from(IDS), st.sampled_from(LEVELS))
def test_a_better_level_never_makes_it_worse(answers, id, better):
    before = score(FULL, answers)
    points = FULL.indicator(id).option(better).points
    if points < before.per_indicator.get(id, 0):
        return
    after = score(FULL, answers | {id: Given(better)})
    assert after.total >= before.total and len(after.obstacles) <= len(before.obstacles)
    assert after.passes or not before.passes


# ---------------------------------------------------------------- evidence


@pytest.mark.parametrize(
    ("id", "needing", "best_without"),
    [("A1", [], "tot"), ("A2", ["tot"], "kha"), ("A3", ["tot", "kha"], "dat"), ("C2", [], "tot")],
)
def test_which_levels_must_be_proved(id, needing, best_without):
    indicator = FULL.indicator(id)
    assert [level for level in LEVELS if criteria.needs_evidence(indicator, level)] == needing
    assert criteria.highest_level_without_evidence(indicator).level == best_without


def test_every_indicator_has_a_level_without_evidence():
    for indicator in FULL.indicators:
        best = criteria.highest_level_without_evidence(indicator)
        assert not criteria.needs_evidence(indicator, best.level)
        assert all(criteria.needs_evidence(indicator, o.level) for o in indicator.options if o.points > best.points)


@pytest.mark.parametrize(
    ("given_", "missing"),
    [
        (Given("tot"), True),
        (Given("dat"), False),
        (Given("tot", evidence=frozenset({"photo"})), False),
        (Given("tot", evidence=frozenset({"link"})), True),  # A3 takes no links
        (Given("tot", confirmation="asked"), False),
        (Given("tot", confirmation="confirmed"), False),
        (Given("tot", confirmation="declined"), True),
        (Given("tot", evidence=frozenset({"text"}), confirmation="declined"), False),
        (Given("tot", officer_level="dat"), True),  # what the citizen claimed is what had to be proved
        (Given("dat", officer_level="tot"), False),
    ],
)
def test_missing_evidence(given_, missing):
    assert criteria.missing_evidence(FULL, {"A3": given_}) == (("A3",) if missing else ())


def test_a_confirmation_proves_only_where_the_indicator_takes_it():
    assert criteria.missing_evidence(FULL, {"A2": Given("tot", confirmation="asked")}) == ("A2",)


def test_missing_evidence_comes_in_the_order_of_the_set():
    answers = {id: Given("tot") for id in reversed(IDS)}
    assert criteria.missing_evidence(FULL, answers) == ("A2", "A3", "B1", "B2", "B3")


# ---------------------------------------------------------------- the shortest path


def applied(answers: dict[str, Given], path: tuple[criteria.Change, ...]) -> dict[str, Given]:
    return answers | {change.indicator: Given(change.to_level) for change in path}


def brute_force(criteria_set: CriteriaSet, answers: dict[str, Given]) -> tuple[int, int, int, int]:
    """The least (changes, points raised, steps, changes with evidence) over all raises there are."""
    ways = []
    for indicator in criteria_set.indicators:
        now = answers.get(indicator.id)
        index = LEVELS.index(now.counts) if now else len(LEVELS)
        ways.append([None, *range(index)])
    best = None
    for choice in itertools.product(*ways):
        after, cost = dict(answers), [0, 0, 0, 0]
        for indicator, to in zip(criteria_set.indicators, choice, strict=True):
            if to is None:
                continue
            now = answers.get(indicator.id)
            before = indicator.option(now.counts).points if now else 0
            after[indicator.id] = Given(LEVELS[to])
            cost[0] += 1
            cost[1] += indicator.options[to].points - before
            cost[2] += (LEVELS.index(now.counts) if now else len(LEVELS)) - to
            cost[3] += criteria.needs_evidence(indicator, LEVELS[to])
        if (best is None or tuple(cost) < best) and score(criteria_set, after).passes:
            best = tuple(cost)
    assert best is not None
    return best


def cost_of(answers: dict[str, Given], path: tuple[criteria.Change, ...]) -> tuple[int, int, int, int]:
    steps = 0
    for change in path:
        start = LEVELS.index(change.from_level) if change.from_level else len(LEVELS)
        steps += start - LEVELS.index(change.to_level)
    return len(path), sum(change.gain for change in path), steps, sum(change.needs_evidence for change in path)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(small_cases())
def test_no_path_is_better_than_the_one_found(case):
    criteria_set, answers = case
    path = shortest_path(criteria_set, answers)
    assert score(criteria_set, applied(answers, path)).passes
    assert cost_of(answers, path) == brute_force(criteria_set, answers)


@given(answers_of_all)
def test_the_path_leads_to_the_title_and_every_step_of_it_is_needed(answers):
    path = shortest_path(FULL, answers)
    before = score(FULL, answers)
    after = score(FULL, applied(answers, path))
    assert after.passes and (path == ()) == before.passes
    assert after.total - before.total == sum(change.gain for change in path)
    assert [change.indicator for change in path] == [id for id in IDS if id in {c.indicator for c in path}]
    for change in path:
        now = answers.get(change.indicator)
        assert change.from_level == (now.counts if now else None)
        assert change.needs_evidence == criteria.needs_evidence(FULL.indicator(change.indicator), change.to_level)
        shorter = tuple(other for other in path if other is not change)
        assert not score(FULL, applied(answers, shorter)).passes


def test_four_points_short_is_one_change_of_five():
    answers = answered("kha kha dat tot kha kha kha dat kha kha")
    assert score(FULL, answers).total == 76
    (change,) = shortest_path(FULL, answers)
    # B4 gives the same five points without evidence.
    assert change == criteria.Change("B4", "dat", "tot", 5, False)


def test_of_equal_raises_the_one_of_fewer_steps_is_taken():
    criteria_set = part(["A1", "A2"], 10, 0, SCALES[2])
    (change,) = shortest_path(criteria_set, {"A1": Given("khong"), "A2": Given("kha")})
    assert (change.indicator, change.to_level, change.gain) == ("A2", "tot", 5)  # not A1, three steps up


def test_it_raises_no_more_than_it_takes():
    answers = answered("kha kha tot kha kha kha kha dat kha kha")
    assert score(FULL, answers).total == 79
    (change,) = shortest_path(FULL, answers)
    assert (change.indicator, change.to_level, change.gain) == ("A1", "tot", 2)


def test_the_path_takes_less_than_a_millisecond():
    """The median, so that a busy machine does not fail it."""
    cases = [
        {},
        answered("dat " * 10),
        answered("khong dat - tot kha chua_dat - khong dat kha"),
        answered("khong " * 10),
    ]
    taken = []
    for answers in cases * 10:
        began = time.perf_counter()
        shortest_path(FULL, answers)
        taken.append(time.perf_counter() - began)
    assert sorted(taken)[len(taken) // 2] < 0.001
