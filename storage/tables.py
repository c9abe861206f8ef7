"""Every table of the product in one metadata: importing this module is enough to know the whole schema."""

from __future__ import annotations

from storage import (
    albums,
    assessments,
    attempts,
    audit,
    budgets,
    conversations,
    counters,
    deletions,
    events,
    evidence,
    identity,
    inbox,
    jobs,
    officers,
    outbox,
    people,
    privacy,
    removed,
    reviews,
    seasons,
    sent_files,
    shown,
    units,
    unsaid,
)
from storage.base import metadata

__all__ = ["AGGREGATES", "metadata"]

AGGREGATES = (
    units, seasons, people, officers, assessments, evidence, deletions, albums, reviews, conversations, shown, outbox,
    sent_files, jobs, events, counters, audit, identity, unsaid, inbox, budgets,
    privacy, removed, attempts,
)  # fmt: skip
