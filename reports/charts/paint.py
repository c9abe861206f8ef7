"""A sheet as PNG: matplotlib's rasterisers (FreeType for words, Agg for curves) on an image of palette numbers.

No figure and no artists are made. A sheet is flat colours and text on flat grounds, so each pixel is written once as
the number of its colour; the masks of texts are kept from picture to picture, for most of what a chart says is the same
on the next. Quicker by far than true colours that are brought to a palette afterwards.
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.ft2font import FT2Font, LoadFlags
from matplotlib.path import Path as Polyline
from matplotlib.transforms import IdentityTransform
from PIL import Image

from reports import fonts
from reports.charts.heatmap import ON, STEPS
from reports.charts.sheet import (
    BAND,
    BLUE,
    GREEN,
    INK,
    MARKED,
    MUTED,
    ORANGE,
    PAPER,
    RULE,
    SKY,
    VERMILION,
    WIDTH,
    Curve,
    Sheet,
)  # fmt: skip

Z_RLE = 3  # zlib's number, which Pillow passes on
Numbers = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint16]

FLAT = (PAPER, BAND, MARKED, RULE, INK, MUTED, SKY, ORANGE, GREEN, BLUE, VERMILION, *STEPS)
NUMBER = {colour: at for at, colour in enumerate(FLAT)}
# Which text or curve stands on which ground: between the two of a pair the palette has seven steps.
PAIRS = (
    *((ink, ground) for ink in (INK, MUTED) for ground in (PAPER, BAND, MARKED)),
    *((ink, PAPER) for ink in (ORANGE, GREEN)),
    *((PAPER, ground) for ground in (BLUE, VERMILION)),
    *((ink, ground) for ground, ink in ON.items()),
)
SHADES = 8


def png(sheet: Sheet) -> bytes:
    """The sheet drawn, as PNG with a fixed palette."""
    picture = Image.fromarray(_numbers(sheet))
    picture.putpalette(_palette()[0])
    out = BytesIO()
    # Flat areas and short runs: run-length coding is as small as zlib's level 4 in half the time.
    picture.save(out, "PNG", compress_type=Z_RLE)
    return out.getvalue()


def _numbers(sheet: Sheet) -> Numbers:
    image = np.zeros((round(sheet.bottom), WIDTH), np.uint8)
    for box in sheet.boxes:
        left, top = round(box.x), round(box.y)
        image[max(0, top) : max(0, round(box.y + box.height)), max(0, left) : max(0, round(box.x + box.width))] = (
            NUMBER[box.colour]
        )
    for curve in sheet.curves:
        _blend(image, *_stroke(curve), curve.colour)
    for words in sheet.words:
        mask, left, top = glyphs(words.text, words.size, words.bold)
        shift = {"left": 0.0, "center": 0.5, "right": 1.0}[words.align]
        x = words.x - shift * fonts.width(words.text, words.size, words.bold)
        _blend(image, mask, round(x) + left, round(words.y) - top, words.colour)
    return image


def _blend(image: Numbers, mask: Mask, left: int, top: int, colour: str) -> None:
    """Lays a colour over the image as far as the mask covers it; what lies outside the image is left out."""
    height, width = mask.shape
    x, y = max(0, left), max(0, top)
    ground = image[y : max(0, top + height), x : max(0, left + width)]
    seen = mask[y - top : y - top + ground.shape[0], x - left : x - left + ground.shape[1]]
    ground[...] = _palette()[1][NUMBER[colour]].take(seen | ground)


@lru_cache(maxsize=768)
def glyphs(text: str, size: float, bold: bool) -> tuple[Mask, int, int]:
    """The mask of a line of text in the shades of the palette, how far right of the text's beginning it starts, and
    how far above the baseline. About 25 KB each."""
    face = _face(fonts.BOLD if bold else fonts.REGULAR)
    face.clear()
    face.set_size(size, 72)
    # Letters at 28 px and more need no grid fitting.
    face.set_text(text, 0.0, flags=LoadFlags.NO_HINTING)
    face.draw_glyphs_to_bitmap(antialiased=True)
    drawn = face.get_image()
    left, _top = face.get_bitmap_offset()
    return _shades(drawn), round(left / 64), drawn.shape[0] - round(face.get_descent() / 64)


def _shades(covered: npt.NDArray[np.uint8]) -> Mask:
    """0 to 8 eighths covered, in the upper byte: the lower is for the ground's number."""
    return (((covered.astype(np.uint16) + 16) >> 5) << 8).astype(np.uint16)


@lru_cache(maxsize=2)
def _face(file: Path) -> FT2Font:
    return FT2Font(str(file))


def _stroke(curve: Curve) -> tuple[Mask, int, int]:
    """The mask of a curve, and its upper left corner."""
    points = np.array(curve.points)
    around = curve.width + 2
    left, top = np.floor(points.min(axis=0) - around).astype(int)
    right, bottom = np.ceil(points.max(axis=0) + around).astype(int)
    agg = RendererAgg(int(right - left), int(bottom - top), 72)  # type: ignore[no-untyped-call]
    pen = agg.new_gc()
    pen.set_linewidth(curve.width)
    pen.set_joinstyle("round")
    pen.set_capstyle("butt" if curve.dashes else "round")
    if curve.dashes:
        pen.set_dashes(0, curve.dashes)
    # Agg counts from the bottom.
    path = Polyline(np.column_stack((points[:, 0] - left, bottom - points[:, 1])))
    agg.draw_path(pen, path, IdentityTransform())  # type: ignore[no-untyped-call]
    return _shades(np.asarray(agg.buffer_rgba())[..., 3]), int(left), int(top)  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1)
def _palette() -> tuple[bytes, dict[int, Numbers]]:
    """The colours, and for each ink a table of ``256 * eighths + ground`` → number.

    On a ground that no pair foresees (a curve that crosses another, or a rule) there are no steps: the ink or not.
    """
    colours = [_rgb(colour) for colour in FLAT]
    tables = {}
    for ink in dict.fromkeys(ink for ink, _ground in PAIRS):
        table = np.tile(np.arange(256, dtype=np.uint8), (SHADES + 1, 1))
        table[SHADES // 2 :] = NUMBER[ink]
        for _ink, ground in (pair for pair in PAIRS if pair[0] == ink):
            table[:, NUMBER[ground]] = [
                NUMBER[ground], *range(len(colours), len(colours) + SHADES - 1), NUMBER[ink],
            ]  # fmt: skip
            steps = [_rgb(ground) + (_rgb(ink) - _rgb(ground)) * step / SHADES for step in range(1, SHADES)]
            colours += steps
        tables[NUMBER[ink]] = table.reshape(-1)
    return np.round(colours).astype(np.uint8).tobytes(), tables


def _rgb(colour: str) -> npt.NDArray[np.float64]:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], dtype=float)
