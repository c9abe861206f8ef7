"""What the bot says to citizens unasked: reminders, and officers' announcements. One process at a time does it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bot import clock
from dialogs import announcing, reminding
from storage import announcements, reminders
from storage.engine import Turns

AT_ONCE = 20  # citizens reminded in one piece of work: about 20 ms


class Outreach:
    """Reminders and announcements of one database; every piece is a turn of its own, so that people's come between.

    *wake*: there is something to send.
    """

    def __init__(self, turns: Turns, wake: Callable[[], None]) -> None:
        self._turns, self._wake = turns, wake

    async def remind(self) -> int:
        """Go once through all forms of the season and remind whoever is to be; how many."""
        told, place = 0, 0
        while True:
            found, place = await self._turns.read(partial(reminders.due, now=clock.now(), after=place))
            for start in range(0, len(found), AT_ONCE):
                ids = [each.assessment_id for each in found[start : start + AT_ONCE]]
                told += await self._turns.run(partial(reminding.remind, assessment_ids=ids, now=clock.now()))
            if not place:
                break
        if told:
            self._wake()
        return told

    async def hush(self) -> None:
        """In the evening: what could not leave yet waits for the morning."""
        if await self._turns.read(partial(reminders.loud, now=clock.now())):
            await self._turns.run(partial(reminders.hush, now=clock.now()))

    async def announce(self) -> None:
        """Take every announcement that is not done as far as it goes now."""
        for row in await self._turns.read(announcements.under_way):
            while await self._turns.run(partial(announcing.step, announcement_id=row.id, now=clock.now())):
                self._wake()
