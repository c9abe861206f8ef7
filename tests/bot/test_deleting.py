"""The service deletes at once what nothing refers to, again when the store was away, and sweeps what a crash left."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import clock, housekeeping
from bot.pictures import evidence as pictures
from bot.service import Parts, Service
from dialogs.states import Rules
from storage import conversations, deletions, erasure, evidence, migrate, people, units
from storage.blobs import Bucket, StoreAway, StoreFull
from storage.engine import open_engine, reading, writing
from storage.housekeeping import Keep
from tests.peers.s3 import s3_server
from tests.storage.test_deletions import sent

pytestmark = pytest.mark.slow


@pytest.fixture
def url(sqlite_url: str) -> str:
    engine = open_engine(sqlite_url)
    migrate.upgrade(engine)
    engine.dispose()
    return sqlite_url


@pytest.fixture
async def service(url: str, folder: Path) -> AsyncIterator[Service]:
    made = Service(Parts(url, folder / "var/evidence", Rules(), Keep()))
    yield made
    await made.stop()


def due(service: Service) -> list[Any]:
    with reading(service.engine) as conn:
        return list(conn.execute(sa.select(deletions.deletions.c.key)).scalars())


async def upload(service: Service, data: bytes, name: str = "phone") -> tuple[int, str]:
    key = await service.evidence.keep(data)
    with writing(service.engine) as conn:
        found = conn.execute(sa.select(people.contacts.c.id).where(people.contacts.c.address == name)).scalar()
        contact = found or people.meet(conn, "test", name, clock.now())
        sent(conn, contact, key, clock.now())
    return contact, key


async def test_what_a_person_sent_goes_with_them_at_once(service: Service) -> None:
    contact, key = await upload(service, b"mine")
    _, shared = await upload(service, b"ours")
    await upload(service, b"ours", "another")
    assert await service.housekeeping.delete_blobs() == 0
    with writing(service.engine) as conn:
        erasure.forget_contact(conn, contact, clock.now())
    assert await service.housekeeping.delete_blobs() == 1
    assert list(service.blobs.keys()) == [shared]
    assert service.blobs.get(key) is None
    assert due(service) == []


async def test_a_store_that_is_away_is_asked_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    contact, key = await upload(service, b"mine")
    with writing(service.engine) as conn:
        evidence.forget_uploads(conn, contact, clock.now())

    def away(*_: object) -> None:
        raise StoreAway("EIO")

    with monkeypatch.context() as broken:
        broken.setattr(type(service.blobs), "remove", away)
        assert await service.housekeeping.delete_blobs() == 0
    assert due(service) == [key]
    assert await service.housekeeping.delete_blobs() == 0  # not before its time
    monkeypatch.setattr(clock, "now", lambda now=clock.now: now() + deletions.CLAIM)
    assert await service.housekeeping.delete_blobs() == 1
    assert service.blobs.get(key) is None


async def test_one_that_cannot_be_deleted_keeps_no_other(service: Service) -> None:
    contact, stuck = await upload(service, b"stuck")
    _, key = await upload(service, b"mine")
    root = service.parts.blobs
    assert isinstance(root, Path)
    path = root / stuck[:2] / stuck[2:]
    path.unlink()
    path.mkdir()  # no unlink takes it away
    with writing(service.engine) as conn:
        evidence.forget_uploads(conn, contact, clock.now())
    assert await service.housekeeping.delete_blobs() == 1
    assert service.blobs.get(key) is None
    assert due(service) == [stuck]


async def test_a_full_quota_puts_a_deletion_off(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    contact, key = await upload(service, b"mine")
    with writing(service.engine) as conn:
        evidence.forget_uploads(conn, contact, clock.now())

    def full(*_: object) -> None:
        raise StoreFull

    monkeypatch.setattr(type(service.blobs), "remove", full)
    assert await service.housekeeping.delete_blobs() == 0
    with reading(service.engine) as conn:
        assert conn.execute(sa.select(deletions.deletions.c.claimed)).scalars().all() == [False]
    assert due(service) == [key]


async def test_a_sweep_that_fails_keeps_nothing_else_from_being_done(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    retained = []

    async def retain() -> int:
        retained.append(1)
        return 0

    def away(*_: object) -> None:
        raise StoreAway("EIO")

    monkeypatch.setattr(service.housekeeping, "retain", retain)
    monkeypatch.setattr(type(service.blobs), "old_keys", away)
    await service.housekeeping.tidy()
    assert (retained, service.housekeeping._swept) == ([1], None)


async def test_bytes_wait_until_their_deletion_has_ended(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    contact, key = await upload(service, b"mine")
    with writing(service.engine) as conn:
        evidence.forget_uploads(conn, contact, clock.now())
        assert evidence.claim_deletions(conn, clock.now()) == [key]
    monkeypatch.setattr(pictures, "BETWEEN_HOLDS", (0.01, 0.01))
    with pytest.raises(StoreAway):
        await service.evidence.keep(b"mine")
    service.blobs.remove([key])
    with writing(service.engine) as conn:
        deletions.settle(conn, [key])
    assert await service.evidence.keep(b"mine") == key
    assert service.blobs.get(key) == b"mine"


async def test_a_sweep_hands_over_what_a_crash_left(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    _, kept = await upload(service, b"referred to")
    orphan, fresh = service.blobs.put(b"orphan"), service.blobs.put(b"fresh")
    root = service.parts.blobs
    assert isinstance(root, Path)
    for key in (kept, orphan):
        os.utime(root / key[:2] / key[2:], (time.time() - 7200,) * 2)
    await service.housekeeping.tidy()
    assert due(service) == [orphan]
    assert await service.housekeeping.delete_blobs() == 1
    assert sorted(service.blobs.keys()) == sorted([kept, fresh])


async def test_a_bucket_is_swept_once_a_day(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as s3:
        place: Bucket = s3.bucket()
        service = Service(Parts(url, place, Rules(), Keep()))
        monkeypatch.setattr(housekeeping, "SWEEP_AGE", 0.0)
        keys = {service.blobs.put(bytes([n])) for n in range(3)}
        await asyncio.sleep(1.1)  # S3 tells whole seconds
        await service.housekeeping.tidy()
        assert set(due(service)) == keys
        assert await service.housekeeping.delete_blobs() == 3
        assert list(service.blobs.keys()) == []
        service.blobs.put(b"another")
        await asyncio.sleep(1.1)
        await service.housekeeping.tidy()
        assert due(service) == []
        await service.stop()


async def test_who_leaves_in_the_middle_of_joining_is_forgotten(service: Service) -> None:
    now = clock.now()
    with writing(service.engine) as conn:
        unit = {"id": 1, "vintage": "2025", "code": "22", "level": 1, "path": "/1/", "name": "Quảng Ninh"}
        conn.execute(sa.insert(units.units).values(**unit, kind="tinh", folded="quang ninh"))
        half, whole = people.meet(conn, "web", "half", now), people.meet(conn, "web", "whole", now)
        for contact in (half, whole):
            conversations.begin_chat(conn, contact, "{}", "vi", now)
            people.consent(conn, contact, 1, "2026-11", "Hội", now)
        people.join(
            conn, whole, unit_id=1, name="Lan", birth_year=1957, phone=None, form="ong_ba", subject_group="nong_dan",
            now=now,
        )  # fmt: skip
    for address in ("half", "whole"):
        await service.backend().forget(address)
    with reading(service.engine) as conn:
        assert list(conn.execute(sa.select(people.contacts.c.address)).scalars()) == [f"left-{whole}"]
        assert list(conn.execute(sa.select(people.consents.c.contact_id)).scalars()) == [whole]
