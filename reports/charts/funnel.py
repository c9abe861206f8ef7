"""How many people came how far on the way to the title (phễu)."""

from __future__ import annotations

from itertools import pairwise

from locales import _, number, percent
from reports import fonts
from reports.charts.sheet import BAND, BLUE, GREEN, INK, MARGIN, MUTED, WIDTH, Sheet, length
from reports.model import Funnel, Step

LABEL, COUNT, SHARE = 36, 48, 30


def compose(funnel: Funnel) -> Sheet:
    """The steps from the first down, each with its number and its share of the step before."""
    sheet = Sheet()
    sheet.heading(funnel.name, funnel.year, funnel.as_of)
    most = max((step.n for step in funnel.steps), default=0)
    if most:
        sheet.title(_("chart.steps"))
        before: Step | None = None
        for step in funnel.steps:
            _step(sheet, step, most, before)
            before = step
        _whole_way(sheet, funnel.steps)
    else:
        sheet.nothing_yet()
    sheet.footing(points=False)
    return sheet


def _step(sheet: Sheet, step: Step, most: int, before: Step | None) -> None:
    """Label and number over a bar as long as the number; below it what part of the step before came along."""
    text, width = number(step.n), WIDTH - 2 * MARGIN
    sheet.bottom += 10
    lines = fonts.fold(step.label, LABEL, width - fonts.width(text, COUNT, True) - 40)
    for at, each in enumerate(lines):
        sheet.say(MARGIN, sheet.bottom + 44 + at * 46, each, LABEL)
    sheet.bottom += 44 + (len(lines) - 1) * 46
    sheet.say(WIDTH - MARGIN, sheet.bottom, text, COUNT, True, align="right")
    sheet.bottom += 18
    sheet.box(MARGIN, sheet.bottom, width, 56, BAND)
    sheet.box(MARGIN, sheet.bottom, length(step.n, width / most), 56, GREEN if step.name == "approved" else BLUE)
    sheet.bottom += 62
    # A step larger than the one before counts other people as well: a share would only puzzle.
    if before is not None and step.n <= before.n and before.n:
        sheet.line(_("chart.steps.share", share=percent(step.n / before.n)), SHARE, colour=MUTED)
    sheet.bottom += 14


def _whole_way(sheet: Sheet, steps: tuple[Step, ...]) -> None:
    if len(steps) > 2 and steps[0].n and all(one.n >= other.n for one, other in pairwise(steps)):
        sheet.bottom += 6
        sheet.line(_("chart.steps.whole", share=percent(steps[-1].n / steps[0].n)), 32, True, INK)
