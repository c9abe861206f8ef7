"""The door that every secret code passes (thư mời, mã tiếp tục): who types wrong ones too often waits an hour.

Certificates and whatever else is opened by a secret pass here too: :func:`shut` before the secret is looked at,
:func:`missed` when it was wrong.
"""

from __future__ import annotations

import logging

from dialogs.states import Turn
from locales import _, clock
from storage import attempts, codes
from storage.attempts import Guesser
from storage.base import Refused

log = logging.getLogger(__name__)

Code = codes.ResumeCode | codes.InviteCode


def who(turn: Turn) -> Guesser:
    """Who speaks, as attempts are counted."""
    return attempts.guesser(turn.chat.account, turn.chat.address, turn.network, key=_key(turn))


def _key(turn: Turn) -> bytes:
    """The server's key; none where there is none, or it cannot be read (which is logged where it is): counting goes on,
    since a folder that somebody has spoilt must not open the door to guessers."""
    if turn.rules.keys is None:
        return b""
    try:
        return turn.rules.keys().current.secret
    except Refused:
        return b""


def shut(turn: Turn) -> str:
    """Why no secret is looked at now, as a sentence; ``""``: it may be tried."""
    until = attempts.locked(turn.conn, who(turn), turn.now)
    return "" if until is None else _("refused.secret_locked", until=clock(until))


def again(turn: Turn, code: Code) -> bool:
    """Has this chat tried this very code within the hour, in vain?"""
    return attempts.repeated(turn.conn, who(turn), _mark(turn, code), turn.now)


def missed(turn: Turn, code: Code) -> str:
    """A secret was wrong, which is counted (so the turn must not be refused), the same one once: ``""``, or the
    sentence of the lock that this was one too many for."""
    until, alarm = attempts.wrong(turn.conn, who(turn), _mark(turn, code), turn.now)
    if alarm:  # no name in it: only that somebody should look
        log.warning("%s: %d wrong secret codes within an hour", turn.chat.account, attempts.ACCOUNT_ALARM)
    return "" if until is None else _("refused.secret_locked", until=clock(until))


def _mark(turn: Turn, code: Code) -> str:
    return attempts.mark(codes.payload(code), key=_key(turn))
