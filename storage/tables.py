"""Every table of the product in one metadata: importing this module is enough to know the whole schema."""

from __future__ import annotations

from storage import (
    albums,
    announcements,
    assessments,
    attempts,
    audit,
    budgets,
    claims,
    conversations,
    counters,
    deletions,
    events,
    evidence,
    handed,
    identity,
    imported,
    imports,
    inbox,
    jobs,
    nudges,
    numbering,
    officers,
    outbox,
    people,
    privacy,
    recipients,
    reminders,
    removed,
    report_runs,
    reviews,
    rollout,
    schedules,
    seasons,
    sent_files,
    shown,
    stale,
    suggestions,
    summary_pages,
    tallies,
    targets,
    titles,
    units,
    unsaid,
)
from storage.base import metadata

__all__ = ["AGGREGATES", "metadata"]

AGGREGATES = (
    units, seasons, people, officers, assessments, evidence, deletions, albums, reviews, conversations, shown, outbox,
    sent_files, jobs, events, counters, audit, identity, unsaid, inbox, budgets,
    privacy, removed, handed, numbering, attempts, schedules, recipients, summary_pages, nudges, imports, imported,
    claims, titles, rollout, stale, tallies, targets, report_runs, reminders, announcements, suggestions,
)  # fmt: skip
