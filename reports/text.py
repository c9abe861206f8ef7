"""Figures as words for a chat and as JSON for scripts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from locales import _, day, moment, number, percent
from reports import measures
from reports.model import COMMUNE, Chart, Funnel, HeatMap, Kind, Progress, Ranking, UnitFigures
from reports.runs import Compared
from storage.tallies import MOST_DAYS

SHOWN = 5  # of a ranking: the first and the last
WEEKS = 6


def text(figures: UnitFigures) -> str:
    """The figures in sentences, in the voice in force: short lines, the moment and the code last."""
    nobody = figures.empty and not figures.withdrawn
    paragraphs = [_("report.nobody")] if nobody else ["\n".join(_counts(figures))]
    lines = [*_pace(figures), *_standing(figures)]
    if lines:
        paragraphs.append("\n".join(lines))
    groups = [
        _("report.group", group=row.label, registered=number(row.registered), approved=number(row.approved))
        for row in figures.by_group
    ]
    if groups and not nobody:
        paragraphs.append("\n".join((_("report.by_group"), *groups)))
    paragraphs.append(as_of(figures))
    return "\n\n".join(paragraphs)


def as_of(figures: UnitFigures) -> str:
    """``Số liệu lúc 9:41 ngày 21/11/2026.``, with the code of the report where it has one."""
    said = _("report.as_of", moment=moment(figures.as_of))
    return f"{said} {_('report.code', code=figures.run)}" if figures.run else said


def _counts(figures: UnitFigures) -> list[str]:
    lines = [
        _("report.registered", n=number(figures.registered)),
        _("report.submitted", n=number(figures.submitted)),
        _("report.pending", waiting=number(figures.waiting), returned=number(figures.returned)),
        _("report.decided", approved=number(figures.approved), not_met=number(figures.not_met)),
    ]
    if figures.bound:
        lines.insert(0, _("report.bound", n=number(figures.bound)))
    if figures.pass_rate is not None:
        lines.append(_("report.pass_rate", share=percent(figures.pass_rate)))
    if figures.recognised:
        lines.append(_("report.recognised", n=number(figures.recognised)))
    if figures.withdrawn:
        lines.append(_("report.withdrawn", n=number(figures.withdrawn)))
    return lines


def _pace(figures: UnitFigures) -> list[str]:
    lines = []
    if figures.median_days is not None:
        long = figures.median_days >= MOST_DAYS
        days = number(figures.median_days, 1)
        lines.append(_("report.median_days_long" if long else "report.median_days", days=days))
    if figures.overdue:
        lines.append(_("report.overdue", n=number(figures.overdue)))
    if figures.evidence_rate is not None:
        lines.append(_("report.evidence_rate", share=percent(figures.evidence_rate)))
    return lines


def _standing(figures: UnitFigures) -> list[str]:
    """Against the population, the target and the siblings, and how far the roll-out has come."""
    lines = []
    if figures.participation is not None and figures.people is not None:
        lines.append(_("report.participation", share=percent(figures.participation), people=number(figures.people)))
    lines.extend(targets(figures))
    if figures.rank is not None and figures.sibling_median is not None:
        lines.append(_("report.rank", rank=figures.rank, of=figures.siblings, median=number(figures.sibling_median, 1)))
    if figures.level < COMMUNE and figures.communes:
        for name, n in (
            ("without_officer", figures.communes_without_officer),
            ("without_scan", figures.communes_without_scan),
        ):
            if n:
                lines.append(_(f"report.{name}", n=number(n), of=number(figures.communes)))
    return lines


def targets(figures: UnitFigures) -> list[str]:
    """How far a unit's targets are reached, a line each; none where none is set."""
    lines = []
    if figures.target_approved is not None:
        done = percent(figures.approved / figures.target_approved)
        lines.append(_("report.target_approved", target=number(figures.target_approved), share=done))
    if figures.target_participation is not None:
        now = figures.participation
        lines.append(
            _("report.target_participation", target=percent(figures.target_participation))
            if now is None
            else _("report.target_participation_at", target=percent(figures.target_participation), share=percent(now))
        )
    return lines


# ------------------------------------------------------------------------------------------ the other faces


def shown(kind: Kind, value: float | None) -> str:
    """A measure's value with its unit: ``1.412``, ``86,7%``, ``3 ngày``, ``7,5 điểm``; a dash for none."""
    if value is None:
        return _("report.none")
    match kind:
        case "share":
            return percent(value)
        case "days":
            return days_in_words(value)
        case "points":
            return _("report.points", n=number(value, 1))
    return number(value, 1)


def days_in_words(value: float) -> str:
    """``3,5 ngày``; the longest that is counted is "60 or more"."""
    return _("report.days_from" if value >= MOST_DAYS else "report.days", n=number(value, 1))


def face(what: Chart) -> str:
    """What a chart shows, in words."""
    match what:
        case UnitFigures():
            return text(what)
        case Funnel():
            return funnel_text(what)
        case Progress():
            return progress_text(what)
        case Ranking():
            return ranking_text(what)
        case HeatMap():
            return heatmap_text(what)


def funnel_text(funnel: Funnel) -> str:
    """Each step, and what share of the one before came as far."""
    lines = []
    before = 0
    for step in funnel.steps:
        share = percent(step.n / before) if before else ""
        lines.append(
            _("report.step_of", label=step.label, n=number(step.n), share=share)
            if share
            else _("report.step", label=step.label, n=number(step.n))
        )
        before = step.n
    return "\n".join(lines)


def ranking_text(ranking: Ranking) -> str:
    """The measure's question, the first and the last few units, the median and the target."""
    known = [row for row in ranking.rows if row.value is not None]
    parts = [measures.measure(ranking.measure).question]
    if not known:
        return "\n\n".join((*parts, _("report.nothing_ranked")))
    first: dict[float | None, int] = {}  # equal ones share the better place
    for place, row in enumerate(known, 1):
        first.setdefault(row.value, place)
    lines = [
        _("report.place", place=first[row.value], unit=row.label, value=shown(ranking.kind, row.value))
        for row in (known[:SHOWN] + known[SHOWN:][-SHOWN:])
    ]
    if len(known) > 2 * SHOWN:
        lines.insert(SHOWN, _("report.between", n=number(len(known) - 2 * SHOWN)))
    parts.append("\n".join(lines))
    marks = [_("report.median", value=shown(ranking.kind, ranking.median))]
    if ranking.target is not None:
        marks.append(_("report.target", value=shown(ranking.kind, ranking.target)))
    if len(known) < len(ranking.rows):
        marks.append(_("report.without_value", n=number(len(ranking.rows) - len(known))))
    return "\n\n".join((*parts, "\n".join(marks)))


def progress_text(progress: Progress) -> str:
    """The last weeks, what the year before had by then, and the target."""
    if not progress.weeks:
        return _("report.no_weeks")
    lines = [
        _("report.week", day=day(week.monday), submitted=number(week.submitted), approved=number(week.approved))
        for week in progress.weeks[-WEEKS:]
    ]
    parts = ["\n".join(lines)]
    then = measures.year_before(progress)
    if then is not None:
        parts.append(_("report.week_last_year", submitted=number(then.submitted), approved=number(then.approved)))
    if progress.target is not None:
        share = percent(progress.weeks[-1].approved / progress.target)
        parts.append(_("report.target_approved", target=number(progress.target), share=share))
    return "\n\n".join(parts)


def heatmap_text(heatmap: HeatMap) -> str:
    """Each indicator: in how many units its mean lies under the minimum, and where it is lowest."""
    lines = []
    for place, (_id, short) in enumerate(heatmap.indicators):
        known = [(row.means[place], row.label) for row in heatmap.rows if row.means[place] is not None]
        if known:
            least, where = min(known, key=lambda pair: (pair[0] or 0, pair[1]))
            under = sum((mean or 0) < heatmap.minimum for mean, _label in known)
            lines.append(
                _("report.heat_under", indicator=short, n=number(under), unit=where, mean=number(least or 0, 1))
                if under
                else _("report.heat", indicator=short, unit=where, mean=number(least or 0, 1))
            )
    if not lines:
        return _("report.nothing_ranked")
    return "\n\n".join((_("report.heat_head", minimum=number(heatmap.minimum, 1)), "\n".join(lines)))


def beside(this: UnitFigures, last: UnitFigures) -> str:
    """This year against last: each measure that either year has."""
    lines = []
    for each in measures.MEASURES:
        now, then = getattr(this, each.name), getattr(last, each.name)
        if each.name in ("bound", "communes_without_officer", "communes_without_scan", "overdue"):
            continue  # as they stand now, whatever the year
        if now or then:
            lines.append(
                _(
                    "report.beside",
                    label=each.label,
                    now=shown(each.kind, now),
                    then=shown(each.kind, then),
                    last=last.year,
                )
            )
    return "\n".join(lines) or _("report.nobody")


# What an event does to the number of people on their way: takes somebody out, or takes back.
_LESS = frozenset({"withdraw", "erase", "undo"})
_EVENTS = (
    "register", "start", "submit", "return", "approve", "not_met", "undo", "withdraw", "move", "erase", "import",
)  # fmt: skip


def since_text(compared: Compared) -> str:
    """What happened since a report: ``+41 duyệt, −3 chuyển đơn vị``, and the figures that are others now."""
    then, now = compared.then, compared.now
    lines = []
    if not compared.since.read:
        lines.append(_("report.since_long"))
    elif not compared.since.events:
        lines.append(_("report.since_nothing", moment=moment(now.as_of)))
    else:
        lines.append(_("report.since", events=", ".join(_events(compared.since.events))))
    for each in measures.MEASURES:
        before, after = (shown(each.kind, getattr(of, each.name)) for of in (then, now))
        if before != after:  # as they are read: "86,7% → 86,7%" tells nothing
            lines.append(_("report.since_measure", label=each.label, then=before, now=after))
    return "\n".join(lines)


def _events(found: dict[str, int]) -> list[str]:
    lines = []
    order = [*_EVENTS, *sorted(found.keys() - set(_EVENTS))]
    for event in order:
        n = -found.get(event, 0) if event in _LESS else found.get(event, 0)
        if n:
            sign = "+" if n > 0 else "−"
            known = event if event in _EVENTS else "other"
            lines.append(f"{sign}{number(abs(n))} {_(f'report.event.{known}')}")
    return lines


# ------------------------------------------------------------------------------------------ JSON


def as_json(figures: UnitFigures) -> dict[str, Any]:
    """The figures as plain JSON values: the moment as ISO 8601 in UTC, shares 0 to 1; under ``measures`` each measure
    with its unit (``count``, ``share``, ``days``) and label. ``null``: not known, or nothing to measure yet."""
    return {
        **asdict(figures),
        "as_of": figures.as_of.isoformat(),
        "pass_rate": figures.pass_rate,
        "handed_in_rate": figures.handed_in_rate,
        "participation": figures.participation,
        "measures": {
            each.name: {"label": each.label, "kind": each.kind, "value": getattr(figures, each.name)}
            for each in measures.MEASURES
        },
    }


def compared_json(compared: Compared) -> dict[str, Any]:
    """A report as it was (``then``), now, and the ledger's events in between (``null``: not read)."""
    events = compared.since.events if compared.since.read else None
    return {"then": as_json(compared.then), "now": as_json(compared.now), "events": events}
