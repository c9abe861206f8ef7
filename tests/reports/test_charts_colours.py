"""Whether those who see colours differently tell apart what a chart tells apart."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.colors import to_rgb

from reports.charts.heatmap import STEPS
from reports.charts.sheet import BAND, BLUE, GREEN, INK, MUTED, ORANGE, PAPER, SERIES, VERMILION

# Machado, Oliveira and Fernandes (2009), full severity, on linear light.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array([
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]),
    "deuteranopia": np.array([
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]),
    "tritanopia": np.array([
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ]),
}  # fmt: skip
SEES = pytest.mark.parametrize("blindness", BLINDNESS)


def lab(colour: str, blindness: str) -> npt.NDArray[np.float64]:
    """CIE L*a*b* (D65) of what somebody sees."""
    srgb = np.array(to_rgb(colour))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(BLINDNESS[blindness] @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ seen
    f = np.cbrt(xyz / np.array([0.95047, 1, 1.08883]))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one: str, other: str, blindness: str) -> float:
    return float(np.linalg.norm(lab(one, blindness) - lab(other, blindness)))


@SEES
@pytest.mark.parametrize(
    "together",
    [
        tuple(SERIES.values()),
        (BLUE, VERMILION),
        (BLUE, VERMILION, INK),
        (BLUE, GREEN),
        (ORANGE, GREEN, MUTED, INK),
    ],
    ids=["children", "means", "ranking", "funnel", "progress"],
)
def test_colours_that_stand_together_are_told_apart(together: tuple[str, ...], blindness: str) -> None:
    for one, other in combinations((*together, PAPER, BAND), 2):
        if {one, other} != {PAPER, BAND}:
            assert distance(one, other, blindness) > 15, (one, other)


@SEES
def test_the_steps_of_a_heat_map_are_told_apart(blindness: str) -> None:
    for one, other in combinations((*STEPS, PAPER), 2):
        assert distance(one, other, blindness) > 15, (one, other)
    # Brown below the minimum, blue above it: the two sides are farther from each other than steps of one side.
    assert distance(STEPS[1], STEPS[2], blindness) > 25


@SEES
def test_the_steps_of_a_heat_map_grow_darker_outwards(blindness: str) -> None:
    lightness = [lab(colour, blindness)[0] for colour in STEPS]
    assert lightness[0] + 15 < lightness[1]
    assert all(one > other + 15 for one, other in pairwise(lightness[2:]))


def test_a_distance_is_that_of_the_standard() -> None:
    # White is L* 100; mid grey #777777 has L* 50.03.
    assert lab("#FFFFFF", "none") == pytest.approx([100, 0, 0], abs=0.05)
    assert lab("#777777", "none") == pytest.approx([50.03, 0, 0], abs=0.05)
