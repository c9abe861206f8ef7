"""What a process of ``hoctap run`` does: everything, or, where several share a PostgreSQL database, a part of it."""

from __future__ import annotations

# poller: fetches updates · web: the chat page and webhooks · worker: takes the turns of what waits in the inbox, and
# answers · fetcher: fetches pictures · sender: notices, and answers that others left behind · scheduler: charts,
# folding, forgetting. One process at a time polls, fetches and pushes for a bot, and one is the scheduler.
ROLES = frozenset({"poller", "web", "worker", "fetcher", "sender", "scheduler"})
