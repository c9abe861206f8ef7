"""What is forgotten in time: each step small, so that turns are never held up for long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from storage import (
    albums,
    announcements,
    attempts,
    conversations,
    erasure,
    events,
    evidence,
    handed,
    jobs,
    nudges,
    outbox,
    people,
    recipients,
    report_runs,
    suggestions,
)
from storage.base import Connection


@dataclass(frozen=True, slots=True)
class Keep:
    """How long things are kept (days, hours, years as named): the operator's settings ``keep.*``.

    ``drafts_days`` counts from the end of the season, ``evidence_days`` from the decision (without one from the end of
    the season), ``person_years`` to 31 December of that year after the newest season, as the consent says
    (:mod:`storage.retention`).
    """

    history_days: int = 180
    claims_days: int = 3
    outbox_days: int = 3
    failed_days: int = 14
    uploads_hours: int = 24
    albums_hours: int = 24
    unjoined_days: int = 30
    drafts_days: int = 90
    evidence_days: int = 365
    person_years: int = 5
    audit_years: int = 5
    requests_years: int = 5
    reports_days: int = 400


def tidy(conn: Connection, keep: Keep, now: datetime) -> bool:
    """Forget what has served: contacts without consent (a day), claims, settled messages, history, failed events.

    A bounded piece at a time; is there more to forget?
    """
    provisional = people.stale_provisional(conn, now)
    unjoined = conversations.unjoined(conn, now - timedelta(days=keep.unjoined_days))
    late = {*provisional, *unjoined}
    if late and conversations.lock(conn, late):  # somebody may be giving consent at this moment: looked at again
        late &= {
            *people.stale_provisional(conn, now),
            *conversations.unjoined(conn, now - timedelta(days=keep.unjoined_days)),
        }
    for contact_id in sorted(late):  # joining was never finished: what was said of it goes
        erasure.forget_contact(conn, contact_id, now)
    conversations.purge_claims(conn, now - timedelta(days=keep.claims_days))
    conversations.purge_messages(conn, now - timedelta(days=keep.history_days))
    outbox.purge(conn, now - timedelta(days=keep.outbox_days))
    events.purge(conn, now - timedelta(days=keep.failed_days))
    evidence.purge_uploads(
        conn, now - timedelta(hours=keep.uploads_hours), now - timedelta(days=keep.history_days), now
    )
    albums.purge(conn, now - timedelta(hours=keep.albums_hours))
    jobs.purge(conn, now - timedelta(days=keep.outbox_days))
    report_runs.purge(conn, now - timedelta(days=keep.reports_days), now - timedelta(days=report_runs.LOOKS_DAYS))
    attempts.purge(conn, now - attempts.KEPT)
    handed.purge(conn, now)
    recipients.purge(conn, now - timedelta(days=keep.history_days))
    nudges.purge(conn, now - timedelta(days=keep.history_days))
    suggestions.purge(conn, now - timedelta(days=keep.history_days), now)
    announcements.purge(conn, now - timedelta(days=round(keep.audit_years * 365.25)))
    return len(provisional) + len(unjoined) >= 200
