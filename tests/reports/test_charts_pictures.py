"""Reference pictures: what is drawn today looks as what somebody looked at.

``HOCTAP_DRAW_REFERENCES=1 pytest tests/reports/test_charts_pictures.py`` draws them anew; look at each before
committing it.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from reports import charts
from tests.reports import charts_samples as samples
from tests.reports.samples import children, commune, nothing_yet

REFERENCES = Path(__file__).with_name("references")
SMALLER = 3  # a third of the width: what is left of a pixel's shift by another version of FreeType is small
BLOCK = 12

PICTURES = {
    "commune": commune(),
    "children": children(18),
    "nothing-yet": nothing_yet(),
    "funnel": samples.funnel(),
    "ranking": samples.ranked_units("22"),
    "summary": samples.summary(),
    "progress": samples.progress(),
    "heat-map": samples.heatmap(samples.names("22")),
}


def small(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("RGB").reduce(SMALLER)


def differences(one: Image.Image, other: Image.Image) -> tuple[float, float]:
    """The mean difference of the pixels (0 to 255), and the mean in the block that differs most."""
    if one.size != other.size:
        return 255, 255
    found: npt.NDArray[np.float64] = np.abs(np.asarray(one, float) - np.asarray(other, float)).mean(axis=2)
    height, width = (side // BLOCK * BLOCK for side in found.shape)
    blocks = found[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).mean(axis=(1, 3))
    return float(found.mean()), float(blocks.max())


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_look_as_they_were_seen(name: str) -> None:
    drawn, file = small(charts.draw(PICTURES[name])), REFERENCES / f"{name}.png"
    if os.environ.get("HOCTAP_DRAW_REFERENCES"):
        REFERENCES.mkdir(exist_ok=True)
        drawn.quantize(64).save(file, optimize=True)
    mean, most = differences(drawn, Image.open(file).convert("RGB"))
    assert mean < 2, f"{file.name}: the picture as a whole differs by {mean:.1f} of 255"
    assert most < 30, f"{file.name}: a part of the picture differs by {most:.1f} of 255"


def test_a_small_change_is_seen() -> None:
    one, other = samples.funnel(), samples.funnel((9804, 8412, 5377, 4918))
    mean, most = differences(small(charts.draw(one)), small(charts.draw(other)))
    assert mean < 2 and most > 30
