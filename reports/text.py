"""Figures as words for a chat and as JSON for scripts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from locales import _, moment, number, percent
from reports.model import UnitFigures


def text(figures: UnitFigures) -> str:
    """The figures in sentences, in the voice in force: at most about a dozen short lines, the moment last."""
    if figures.empty and not figures.withdrawn:
        return "\n\n".join((_("report.nobody"), _("report.as_of", moment=moment(figures.as_of))))
    lines = [
        _("report.registered", n=number(figures.registered)),
        _("report.submitted", n=number(figures.submitted)),
        _("report.pending", waiting=number(figures.waiting), returned=number(figures.returned)),
        _("report.decided", approved=number(figures.approved), not_met=number(figures.not_met)),
    ]
    if figures.pass_rate is not None:
        lines.append(_("report.pass_rate", share=percent(figures.pass_rate)))
    if figures.withdrawn:
        lines.append(_("report.withdrawn", n=number(figures.withdrawn)))
    groups = [
        _("report.group", group=row.label, registered=number(row.registered), approved=number(row.approved))
        for row in figures.by_group
    ]
    paragraphs = ["\n".join(lines)]
    if groups:
        paragraphs.append("\n".join((_("report.by_group"), *groups)))
    paragraphs.append(_("report.as_of", moment=moment(figures.as_of)))
    return "\n\n".join(paragraphs)


def as_json(figures: UnitFigures) -> dict[str, Any]:
    """The figures as plain JSON values: the moment as ISO 8601 in UTC, the pass rate 0 to 1 or null."""
    return {**asdict(figures), "as_of": figures.as_of.isoformat(), "pass_rate": figures.pass_rate}
