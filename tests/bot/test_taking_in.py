"""The service takes files in: the same file once, pages of a paper, quotas, a full store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import clock
from bot.pages import WEB_ACCOUNT
from bot.pictures.intake import StoredPicture, is_bare
from bot.pictures.refusal import PictureRefused
from bot.service import Parts, Service
from dialogs.states import Rules
from storage import conversations, deletions, evidence, migrate, people, units
from storage.blobs import StoreAway, StoreFull
from storage.engine import open_engine, reading, writing
from storage.evidence import Quota
from storage.housekeeping import Keep
from tests.support.papers import certificate, encoded, pdf

pytestmark = pytest.mark.slow

PHONE = "a" * 64


@pytest.fixture
async def service(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Service]:
    """A service with one person who speaks from one browser."""
    engine = open_engine(sqlite_url)
    migrate.upgrade(engine)
    now = clock.now()
    with writing(engine) as conn:
        values = {"vintage": "2025", "code": "06685", "level": 2, "path": "VN/22/06685/", "name": "Phường Hồng Gai"}
        conn.execute(sa.insert(units.units).values(id=1, kind="phuong", folded="phuong hong gai", **values))
        unit = 1
        contact = people.meet(conn, WEB_ACCOUNT, PHONE, now)
        conversations.begin_chat(conn, contact, "{}", "vi", now)
        person = people.join(
            conn, contact, unit_id=unit, name="Lê Thị Na", birth_year=1960, phone=None, form="ong_ba",
            subject_group="nong_dan", now=now
        )  # fmt: skip
        conversations.speak_as(conn, contact, person.id)
    engine.dispose()
    made = Service(Parts(sqlite_url, tmp_path / "evidence", Rules(quota=Quota(60, 2_000_000)), Keep(), 1))
    yield made
    await made.stop()


def counted(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The files that were decoded from here on."""
    decoded: list[bytes] = []
    receive = service.pictures.receive

    async def counting(data: bytes) -> tuple[StoredPicture, ...]:
        decoded.append(data)
        return await receive(data)

    monkeypatch.setattr(service.pictures, "receive", counting)
    return decoded


def announced(service: Service) -> list[str]:
    with reading(service.engine) as conn:
        return list(conn.execute(sa.select(deletions.deletions.c.key)).scalars())


async def test_the_same_file_again_is_neither_decoded_nor_stored_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = counted(service, monkeypatch)
    upload = service.backend().upload
    data = pdf(2, picture=certificate(900))
    first = await upload(PHONE, data)
    assert [(each.page, each.pages) for each in first] == [(1, 2), (2, 2)]
    assert await upload(PHONE, data) == first
    assert len(decoded) == 1
    assert announced(service) == [], "each is referred to, and nothing is to be deleted"
    assert set(service.blobs.keys()) == {key for each in first for key in (each.key, each.thumbnail)}
    service.blobs.remove([first[1].key])
    assert await upload(PHONE, data) == first
    assert len(decoded) == 2
    assert service.blobs.exists(first[1].key)
    assert announced(service) == []


async def test_how_long_the_file_was_is_known_also_when_it_comes_again(service: Service) -> None:
    upload, data = service.backend().upload, pdf(7)
    first = await upload(PHONE, data)
    assert [(each.page, each.pages, each.in_file) for each in first] == [(1, 3, 7), (2, 3, 7), (3, 3, 7)]
    assert await upload(PHONE, data) == first
    keys = [each.key for each in first]
    with reading(service.engine) as conn:
        assert evidence.cut_short(conn, 1, keys[1:]) == (3, 7)
        assert evidence.cut_short(conn, 2, keys) is None
    (whole,) = await upload(PHONE, pdf(1))
    with reading(service.engine) as conn:
        assert evidence.cut_short(conn, 1, [whole.key]) is None


async def test_a_damaged_picture_is_whole_again_when_its_file_comes_again(service: Service) -> None:
    upload = service.backend().upload
    (stored,) = await upload(PHONE, encoded(certificate(700)))
    root = service.parts.blobs
    assert isinstance(root, Path)
    path = root / stored.key[:2] / stored.key[2:]
    path.write_bytes(bytes(path.stat().st_size))
    assert service.blobs.get(stored.key) is None
    assert await upload(PHONE, encoded(certificate(700))) == (stored,)
    assert service.blobs.get(stored.key) is not None


async def test_without_a_worker_the_server_is_busy(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(_data: bytes) -> tuple[StoredPicture, ...]:
        raise BlockingIOError("no process")

    monkeypatch.setattr(service.pictures, "receive", none)
    with pytest.raises(PictureRefused, match="busy"):
        await service.backend().upload(PHONE, encoded(certificate(700)))


async def test_files_sent_side_by_side_keep_to_the_bytes_of_a_day(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, receive, both = service.backend().upload, service.pictures.receive, asyncio.Barrier(2)

    async def meeting(data: bytes) -> tuple[StoredPicture, ...]:
        await both.wait()  # both were let in
        return await receive(data)

    await upload(PHONE, encoded(certificate(700)))
    with writing(service.engine) as conn:
        conn.execute(sa.update(evidence.uploads).values(size=1_999_999))
    monkeypatch.setattr(service.pictures, "receive", meeting)
    results = await asyncio.gather(
        *(upload(PHONE, encoded(certificate(side))) for side in (710, 720)), return_exceptions=True
    )
    (refused,) = [each for each in results if isinstance(each, PictureRefused)]
    assert refused.code == "day_full"
    before = set(service.blobs.keys())
    assert await service.housekeeping.delete_blobs() > 0, "what was refused does not wait for the sweep"
    assert set(service.blobs.keys()) < before
    with pytest.raises(PictureRefused, match="day_full"):
        await service.backend().may_upload(PHONE)


async def test_a_thumbnail_is_given_where_a_small_picture_is_wanted(service: Service) -> None:
    backend = service.backend()
    (stored,) = await backend.upload(PHONE, encoded(certificate(1500)))
    whole, small = [await backend.picture(PHONE, stored.key, wanted) for wanted in (False, True)]
    assert whole is not None and small is not None
    assert len(small) < len(whole) and is_bare(small)
    assert service.blobs.get(stored.thumbnail or "") == small
    assert await backend.picture("b" * 64, stored.key, True) is None
    assert await backend.picture(PHONE, stored.thumbnail or "", False) is None, "a thumbnail is no picture by itself"


async def test_who_has_not_joined_uploads_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = counted(service, monkeypatch)
    with pytest.raises(PictureRefused, match="not_yet"):
        await service.backend().upload("b" * 64, encoded(certificate(700)))
    assert decoded == []
    assert list(service.blobs.keys()) == []


async def test_beyond_the_bytes_of_a_day_nothing_is_decoded(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = counted(service, monkeypatch)
    (stored,) = await service.backend().upload(PHONE, encoded(certificate(700)))
    with writing(service.engine) as conn:
        conn.execute(sa.update(evidence.uploads).values(size=2_000_000))
    with pytest.raises(PictureRefused, match="day_full"):
        await service.backend().upload(PHONE, encoded(certificate(710)))
    assert len(decoded) == 1
    with writing(service.engine) as conn:
        conn.execute(sa.update(evidence.uploads).values(size=1_999_999))
    assert await service.backend().upload(PHONE, encoded(certificate(710)))
    assert stored.size < 1_000_000


@pytest.mark.parametrize("error", [StoreFull(), StoreAway("Timeout")])
async def test_a_full_store_refuses_photos_kindly(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def full(_self: object, _data: bytes) -> str:
        raise error

    monkeypatch.setattr(type(service.blobs), "put", full)
    with pytest.raises(PictureRefused, match="store_full"):
        await service.backend().upload(PHONE, encoded(certificate(700)))
    with reading(service.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(evidence.uploads)).scalar() == 0
