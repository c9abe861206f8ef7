"""Evidence pictures (ảnh minh chứng) at a running bot: taken in, kept in the store, shown only to whom they are for."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from bot import clock
from bot.metrics import Metrics
from bot.pictures.pool import PicturePool
from bot.pictures.refusal import PictureRefused
from dialogs import practising
from dialogs.model import WEB
from storage import assessments, audit, conversations, deletions, events, evidence, officers, reviews
from storage.base import Connection, Refused
from storage.blobs import Store, StoreAway, StoreFull
from storage.engine import Turns, reading
from storage.evidence import Picture, Quota

log = logging.getLogger(__name__)

BETWEEN_HOLDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds; deleting takes far less


@dataclass(frozen=True, slots=True)
class Look:
    """An officer's browser fetches a picture: whose, of which dossier, which piece."""

    officer_id: int
    assessment_id: int
    piece_id: int
    unit_id: int


class Evidence:
    """The pictures of one process: *pool* decodes, *store* keeps, *quota* is what one person may send."""

    def __init__(self, turns: Turns, store: Store, pool: PicturePool, metrics: Metrics, quota: Quota) -> None:
        self._turns, self._store, self._pool, self._metrics, self._quota = turns, store, pool, metrics, quota

    # ---------------------------------------------------------------------------------------- taking in

    async def may_upload(self, account: str, address: str) -> int | None:
        """The contact that may send a file now; ``None``: one that practises, of which nothing is kept. Raises
        :class:`PictureRefused`: ``not_yet`` while nobody joined there, ``day_full``."""
        with self._metrics.pictures():
            return await self._turns.read(partial(_uploader, account=account, address=address, quota=self._quota))

    async def upload(self, account: str, address: str, data: bytes) -> tuple[Picture, ...]:
        """Take a file in as this address's: its pictures, whose rows are written; in practice (tập dùng) a mark alone.
        Raises :class:`PictureRefused`."""
        contact = await self.may_upload(account, address)
        if contact is None:
            return (_PRACTISED,)
        try:
            found = await self.take_in(contact, data)
        except (StoreFull, StoreAway) as error:
            log.warning("a photo was refused: %s", error)
            raise PictureRefused("store_full") from error
        refused = await self._turns.run(
            partial(_keep_uploads, account=account, address=address, pictures=found, quota=self._quota, now=clock.now())
        )
        if refused:
            with self._metrics.pictures():
                raise PictureRefused(refused)
        return found

    async def take_in(self, contact_id: int, data: bytes) -> tuple[Picture, ...]:
        """The pictures of a file that this contact sent, in the store; the same file again is not decoded again. Their
        rows are to be written within the hour, each with :func:`storage.deletions.release` for picture and thumbnail.

        Raises :class:`PictureRefused`, ``StoreFull``, ``StoreAway``.
        """
        with self._metrics.pictures():
            return await self._take_in(contact_id, data)

    async def _take_in(self, contact_id: int, data: bytes) -> tuple[Picture, ...]:
        source_hash = hashlib.sha256(data).hexdigest()
        known = await self._turns.read(partial(evidence.of_file, contact_id=contact_id, source_hash=source_hash))
        if known and await self._still_there(known):
            return known
        found = []
        try:
            decoded = await self._pool.receive(data)
        except OSError as error:  # the machine gives no process now; the picture is as good as before
            log.error("no picture worker can be started: %s", events.described(error))
            raise PictureRefused("busy") from error
        for made in decoded:
            thumbnail = await self.keep(made.thumbnail) if made.thumbnail else None
            found.append(
                Picture(
                    await self.keep(made.data),
                    made.source_hash,
                    made.width,
                    made.height,
                    len(made.data),
                    made.phash,
                    thumbnail,
                    made.page,
                    made.pages,
                    made.in_file,
                )
            )
        return tuple(found)

    async def _still_there(self, known: tuple[Picture, ...]) -> bool:
        """Announce these as if they were stored again, and look whether they are in the store still."""
        keys = _keys(known)
        if not await self._turns.run(partial(deletions.hold, keys=keys, now=clock.now())):
            return False
        for key in keys:
            if await asyncio.to_thread(self._store.get, key) is None:  # gone, or damaged: it is made anew
                await self._turns.run(partial(_release, keys=keys))
                return False
        return True

    async def keep(self, data: bytes) -> str:
        """Store bytes; their key. The row that refers to them is to be written within the hour, and with it
        :func:`storage.deletions.release`: nothing deletes them until then. Raises ``StoreFull``, ``StoreAway``."""
        key = hashlib.sha256(data).hexdigest()
        for wait in BETWEEN_HOLDS:
            if await self._turns.run(partial(deletions.hold, keys=(key,), now=clock.now())):
                return await asyncio.to_thread(self._store.put, data)
            await asyncio.sleep(wait)  # the same bytes are being deleted at this moment
        raise StoreAway("Deleting")

    # ---------------------------------------------------------------------------------------- showing

    async def show(self, account: str, address: str, key: str, small: bool) -> bytes | None:
        """A picture's bytes (*small*: of its thumbnail, if it has one), only for whom they are meant, and for an
        officer once the look is in the trail; ``None`` where there is nothing to see, or the store is away."""
        sees, look = await self._turns.read(partial(_may_see, account=account, address=address, key=key))
        if not sees:
            return None
        if look is not None:  # committed before a byte goes out
            await self._turns.run(partial(_note_look, look=look, now=clock.now()))
        try:
            with self._metrics.pictures():
                return await asyncio.to_thread(self._bytes, key, small)
        except StoreAway as away:  # the page shows a gap, and asks again when it is loaded anew
            log.warning("a picture cannot be shown now (%s)", away.reason)
            return None

    def _bytes(self, key: str, small: bool) -> bytes | None:
        with reading(self._turns.engine) as conn:
            thumbnail = evidence.thumbnail_of(conn, key) if small else None
        return (self._store.get(thumbnail) if thumbnail else None) or self._store.get(key)


# ------------------------------------------------------------------------------------------ what is read and written


_PRACTISED = Picture(practising.MARK, practising.MARK, 0, 0, 0)


def _uploader(conn: Connection, account: str, address: str, quota: Quota) -> int | None:
    chat = conversations.peek(conn, account, address)
    if chat is not None and practising.takes_pictures(chat.state):
        return None
    if chat is None or chat.person is None:
        raise PictureRefused("not_yet")
    if evidence.bytes_of_day(conn, chat.contact_id, clock.now()) >= quota.bytes_per_day:
        raise PictureRefused("day_full")
    return chat.contact_id


def _keep_uploads(
    conn: Connection, account: str, address: str, pictures: tuple[Picture, ...], quota: Quota, now: datetime
) -> str:
    """The code of a refusal, or ``""``. The quota is asked again, under the chat's lock: others came beside these."""
    chat = conversations.open_chat(conn, account, address)
    keys = _keys(pictures)
    _release(conn, keys)
    refused = ""
    if chat is None or chat.person is None:
        refused = "not_yet"
    elif evidence.bytes_of_day(conn, chat.contact_id, now) >= quota.bytes_per_day:
        refused = "day_full"
    else:
        for each in pictures:
            evidence.put_upload(conn, chat.contact_id, each, now)
    if refused:
        deletions.after(conn, keys, now)
    return refused


def _keys(pictures: tuple[Picture, ...]) -> list[str]:
    return [key for each in pictures for key in (each.key, each.thumbnail) if key]


def _release(conn: Connection, keys: list[str]) -> None:
    for key in keys:
        deletions.release(conn, key)


def _may_see(conn: Connection, account: str, address: str, key: str) -> tuple[bool, Look | None]:
    """A picture is for whom it is: its sender, its person, an officer in scope whose session is alive; with it an
    officer's look that is still to be written down."""
    chat = conversations.peek(conn, account, address)
    if chat is None:
        return False, None
    if evidence.owns_upload(conn, chat.contact_id, key):
        return True, None
    awake = chat.officer_id is not None and WEB.awake(chat.used_at, clock.now())
    officer = officers.of_contact(conn, chat.contact_id) if awake else None
    for assessment_id in evidence.assessments_with(conn, key):
        row = assessments.by_id(conn, assessment_id)
        if row is None:
            continue
        if chat.person is not None and chat.person.id == row.person_id:
            return True, None
        if officer is not None:
            try:
                reviews.may_see(conn, officer, row)
            except Refused:
                continue
            piece = next((each.id for each in evidence.all_of(conn, row.id) if each.key == key), 0)
            if audit.picture_noted(conn, officer.id, row.id, piece):
                return True, None
            return True, Look(officer.id, row.id, piece, row.unit_id)
    return False, None


def _note_look(conn: Connection, look: Look, now: datetime) -> None:
    audit.picture_read(conn, look.officer_id, look.assessment_id, look.piece_id, look.unit_id, now)
