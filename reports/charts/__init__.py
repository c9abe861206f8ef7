"""Charts of figures as pictures for a phone (biểu đồ): PNG, 1,080 px wide, as high as they need.

One module a kind lays a :class:`~reports.charts.sheet.Sheet` out in plain arithmetic; :mod:`reports.charts.paint` makes
the PNG of it. Only painting loads matplotlib: leave it to the worker processes (:mod:`reports.pool`).
"""

from __future__ import annotations

from reports import model
from reports.charts import funnel, heatmap, progress, ranking, unit
from reports.charts.sheet import Sheet
from reports.model import Chart, Funnel, HeatMap, Progress, Ranking, UnitFigures


def pages_of(what: Chart) -> int:
    """How many pictures the chart takes: more than one where the units below do not fit on one of 2,560 px."""
    match what:
        case UnitFigures():
            return model.pages(what)
        case Ranking():
            return len(ranking.pages(what))
        case HeatMap():
            return len(heatmap.pages(what))
        case Funnel() | Progress():
            return 1


def compose(what: Chart, page: int = 1) -> Sheet:
    """The page (from 1) as boxes, curves and words, in the voice in force. ``ValueError`` for a page beyond
    :func:`pages_of`."""
    total = pages_of(what)
    if not 1 <= page <= total:
        raise ValueError(f"page {page} of {total}")
    match what:
        case UnitFigures():
            return unit.compose(what, page)
        case Ranking():
            return ranking.compose(what, page)
        case HeatMap():
            return heatmap.compose(what, page)
        case Funnel():
            return funnel.compose(what)
        case Progress():
            return progress.compose(what)


def draw(what: Chart, page: int = 1) -> bytes:
    """A page (from 1) of the chart as PNG, in the voice in force: tens of milliseconds of a processor, and a second
    more the first time. ``ValueError`` for a page beyond :func:`pages_of`."""
    from reports.charts import paint

    return paint.png(compose(what, page))
