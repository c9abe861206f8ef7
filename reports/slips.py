"""Slips of paper for invited officers (phiếu mời cán bộ Hội), eight a page, to be cut apart and handed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from locales import Voice, _, day, speaking
from reports.paper import BLUE, HEIGHT, INK, MUTED, RED, WIDTH, Canvas, clean, document, mm, square, write

ACROSS, DOWN = 2, 4
A_PAGE = ACROSS * DOWN
WIDE, HIGH = WIDTH / ACROSS, HEIGHT / DOWN  # A7
EDGE = 6 * mm


@dataclass(frozen=True, slots=True)
class Slip:
    """What a slip says. ``unit`` with what it lies in; ``role`` in words; ``phone`` may be empty; ``link`` is what the
    square holds and ``typed`` its code for a chat: whoever has either becomes that officer."""

    name: str
    unit: str
    role: str
    link: str = field(repr=False)
    typed: str = field(repr=False)
    ends: datetime
    phone: str = ""


def slips(invited: Sequence[Slip], voice: Voice | None = None) -> bytes:
    """The slips as PDF, A7 each, on A4 with dashed lines to cut along. Secret: keep it readable by its owner only.

    ``ValueError`` where there is none.
    """
    if not invited:
        raise ValueError("no slips")
    count = -(-len(invited) // A_PAGE)

    def draw(canvas: Canvas, at: int) -> str:
        _cuts(canvas)
        some = invited[at * A_PAGE : (at + 1) * A_PAGE]
        for place, slip in enumerate(some):
            _slip(canvas, slip, place % ACROSS * WIDE, HEIGHT - place // ACROSS * HIGH)
        return clean(some[0].name)

    with speaking(voice or Voice()):
        return document(draw, count, _("slip.file_title"))


def _cuts(canvas: Canvas) -> None:
    canvas.saveState()
    canvas.setStrokeColor(MUTED)
    canvas.setLineWidth(0.5)
    canvas.setDash(4, 3)
    canvas.line(WIDE, 0, WIDE, HEIGHT)
    for row in range(1, DOWN):
        canvas.line(0, row * HIGH, WIDTH, row * HIGH)
    canvas.restoreState()


def _slip(canvas: Canvas, slip: Slip, left: float, top: float) -> None:
    within = WIDE - 2 * EDGE
    y = write(canvas, left + EDGE, top - EDGE, _("slip.title"), (11, 10), within, bold=True, colour=BLUE)
    side = 36 * mm
    square(canvas, slip.link, left + EDGE - 3 * mm, y - 0.5 * mm, side)
    x, beside = left + EDGE + side - 2 * mm, within - side + 2 * mm
    at = write(canvas, x, y - 2 * mm, slip.name, (13, 12, 11, 10, 9, 8, 7), beside, 2, bold=True, colour=INK)
    if slip.phone:
        at = write(canvas, x, at, slip.phone, (9,), beside)
    at = write(canvas, x, at - 1 * mm, _("slip.role", role=slip.role), (9.5, 8.5), beside, 1)
    at = write(canvas, x, at, slip.unit, (9.5, 8.5, 7.5, 6.5, 5.5), beside, 3)
    write(canvas, x, at - 1 * mm, _("slip.until", day=day(slip.ends)), (9, 8), beside, 2, bold=True)
    y -= side
    y = write(canvas, left + EDGE, y - 1 * mm, _("slip.step"), (9, 8.5, 8, 7.5), within, 1, colour=INK)
    y = write(canvas, left + EDGE, y, slip.link, (9, 8.5, 8, 7.5, 7, 6.5, 6), within, 1, colour=INK)
    write(canvas, left + EDGE, y, _("slip.typed", typed=slip.typed), (9, 8.5, 8, 7.5, 7), within, 1, colour=INK)
    write(
        canvas, left + EDGE, top - HIGH + EDGE + 5.5 * mm, _("slip.once"), (9, 8.5, 8), within, 1, bold=True, colour=RED
    )
