"""An officer's browser gets a picture only once the look is in the trail; a citizen's own looks are nobody's matter."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from bot import clock
from bot.service import Service
from storage import audit, conversations, evidence
from tests.support.world import World

DATA = b"a picture"


def looks(world: World) -> list[str]:
    with world.read() as conn:
        trail = audit.audit
        return list(conn.execute(sa.select(trail.c.actor).where(trail.c.action == audit.PICTURE)).scalars())


async def test_a_look_is_written_down_before_a_byte_goes_out(world: World, service: Service) -> None:
    key = await service.evidence.keep(DATA)
    citizen, officer, stranger = world.citizen().joins(), world.officer(), world.officer("01")
    code = citizen.submits("tot")
    with world.write() as conn:
        chat = conversations.open_chat(conn, citizen.account, citizen.address)
        assert chat is not None
        evidence.put_upload(conn, chat.contact_id, evidence.Picture(key, key, 10, 10, 9), world.now)
        first = conn.execute(sa.select(sa.func.min(evidence.evidence.c.id))).scalar()
        changed = {"kind": "photo", "key": key, "text": ""}
        conn.execute(sa.update(evidence.evidence).where(evidence.evidence.c.id == first).values(**changed))
    assert await service.evidence.show("test", citizen.address, key, False) == DATA
    assert await service.evidence.show("test", stranger.address, key, False) is None
    assert looks(world) == []
    for _n in range(2):
        officer.types(code)
        for _m in range(3):
            assert await service.evidence.show("test", officer.address, key, False) == DATA
    assert len(looks(world)) == 2 and looks(world)[0].startswith("officer:")


async def test_without_the_line_there_is_no_picture(
    world: World, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object, **_kwargs: object) -> bool:
        raise RuntimeError("the trail cannot be written")

    key = await service.evidence.keep(DATA)
    citizen, officer = world.citizen().joins(), world.officer()
    citizen.submits("tot")
    with world.write() as conn:
        first = conn.execute(sa.select(sa.func.min(evidence.evidence.c.id))).scalar()
        changed = {"kind": "photo", "key": key, "text": ""}
        conn.execute(sa.update(evidence.evidence).where(evidence.evidence.c.id == first).values(**changed))
    monkeypatch.setattr(audit, "picture_read", fails)
    with pytest.raises(RuntimeError):
        await service.evidence.show("test", officer.address, key, False)


async def test_the_running_bot_takes_away_what_has_been_kept_for_its_time(
    world: World, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.citizen().joins()
    assert await service.housekeeping.retain() == 0
    monkeypatch.setattr(clock, "now", lambda: datetime(2032, 1, 2, tzinfo=UTC))
    assert await service.housekeeping.retain() > 0
    world.recounted()
