"""Every table of the product in one metadata: importing this module is enough to know the whole schema."""

from __future__ import annotations

from storage import (
    albums,
    assessments,
    audit,
    conversations,
    counters,
    events,
    evidence,
    jobs,
    officers,
    outbox,
    people,
    reviews,
    seasons,
    sent_files,
    shown,
    units,
)
from storage.base import metadata

__all__ = ["AGGREGATES", "metadata"]

AGGREGATES = (
    units, seasons, people, officers, assessments, evidence, albums, reviews, conversations, shown, outbox, sent_files,
    jobs, events, counters, audit,
)  # fmt: skip
