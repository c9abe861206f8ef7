"""What a summary says of a unit (bản tổng hợp): five figures, what came since the last one, the slowest units below."""

from __future__ import annotations

from locales import _, day, number, percent
from reports.model import CENTRE, PROVINCE, Row, UnitFigures
from reports.text import as_of

SLOWEST = 5


def slowest(figures: UnitFigures, most: int = SLOWEST) -> tuple[Row, ...]:
    """The units below that are furthest behind: least handed in of those registered (nobody registered comes first),
    then fewest handed in, fewest registered, by code."""
    return tuple(sorted(figures.rows, key=_pace)[:most])


def _pace(row: Row) -> tuple[float, int, int, str]:
    share = row.submitted / row.registered if row.registered else 0.0
    return share, row.submitted, row.registered, row.code


def text(figures: UnitFigures, before: UnitFigures | None = None) -> str:
    """The summary of a unit in the voice in force, at most about fifteen short lines, moment and code last.

    *before*: the figures of the summary before, to tell what has come since.
    """
    if figures.empty:
        return "\n\n".join((_("report.nobody"), as_of(figures)))
    rate = figures.pass_rate
    lines = [
        *(_counted(name, figures, before) for name in ("registered", "submitted", "approved")),
        _("summary.waiting", n=number(figures.waiting)),
        _("summary.pass_rate", share=percent(rate)) if rate is not None else _("summary.no_rate"),
    ]
    parts = ["\n".join(lines)]
    if figures.rows and figures.level <= PROVINCE:
        parts.append(slowest_in_words(figures))
    if before is not None:
        parts.append(_("summary.since", day=day(before.as_of)))
    return "\n\n".join((*parts, as_of(figures)))


def slowest_in_words(figures: UnitFigures) -> str:
    """The slowest units below, a line each, with what they are measured by."""
    rows = slowest(figures)
    head = _("summary.slowest.centre" if figures.level == CENTRE else "summary.slowest", n=number(len(rows)))
    lines = [
        _("summary.slow", unit=row.label, submitted=number(row.submitted), registered=number(row.registered))
        for row in rows
    ]
    return "\n".join((head, *lines))


def _counted(name: str, figures: UnitFigures, before: UnitFigures | None) -> str:
    """``Đã đăng ký: 8.412 (+1.206)``, without the change where there is nothing to compare with."""
    n = int(getattr(figures, name))
    line = _(f"summary.count.{name}", n=number(n))
    if before is None:
        return line
    change = n - int(getattr(before, name))
    sign = "+" if change >= 0 else "−"
    return _("summary.more", line=line, change=f"{sign}{number(abs(change))}")
