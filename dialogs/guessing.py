"""The door that every secret code passes (thư mời, mã tiếp tục): who types wrong ones too often waits an hour.

Certificates and whatever else is opened by a secret pass here too: :func:`shut` before the secret is looked at,
:func:`missed` when it was wrong.
"""

from __future__ import annotations

import logging

from dialogs.states import Turn
from locales import _, clock
from storage import attempts
from storage.attempts import Guesser

log = logging.getLogger(__name__)


def who(turn: Turn) -> Guesser:
    """Who speaks, as attempts are counted."""
    return attempts.guesser(turn.chat.account, turn.chat.address, turn.network)


def shut(turn: Turn) -> str:
    """Why no secret is looked at now, as a sentence; ``""``: it may be tried."""
    until = attempts.locked(turn.conn, who(turn), turn.now)
    return "" if until is None else _("refused.secret_locked", until=clock(until))


def missed(turn: Turn) -> str:
    """A secret was wrong, which is counted (so the turn must not be refused): ``""``, or the sentence of the lock that
    this was one too many for."""
    until, alarm = attempts.wrong(turn.conn, who(turn), turn.now)
    if alarm:  # no name in it: only that somebody should look
        log.warning("%s: %d wrong secret codes within an hour", turn.chat.account, attempts.ACCOUNT_ALARM)
    return "" if until is None else _("refused.secret_locked", until=clock(until))
