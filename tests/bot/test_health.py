"""A process says whether it lives and can serve, on the operator's address only; and when that is taken."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot import health
from bot.service import Parts, Service
from dialogs.states import Rules
from storage import migrate
from storage.blobs import BlobFolder, StoreFull
from storage.engine import TransientFailure
from storage.housekeeping import Keep
from tests.support.server import Server, free_port
from tests.telegram.conftest import seeded  # noqa: F401 - a fixture


@dataclass
class Watched:
    """A service and the operator's address of it."""

    service: Service
    base: str

    async def asks(self, path: str = "/health/ready") -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session, session.get(self.base + path) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def watched(seeded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:  # noqa: F811
    monkeypatch.setattr(health, "FOLDER_AGAIN", 0.0)
    shutil.copyfile(seeded, tmp_path / "hoctap.sqlite")
    service = Service(Parts(f"sqlite:///{tmp_path}/hoctap.sqlite", tmp_path / "evidence", Rules(), Keep()))
    port, runner = free_port(), web.AppRunner(health.app(service), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield Watched(service, f"http://127.0.0.1:{port}")
    await service.stop(1)
    await runner.cleanup()


async def test_what_failed_at_the_start_is_done_again(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that was away for a moment must not leave a process unready for good."""
    done: list[str] = []
    failures = iter([TransientFailure("away"), RuntimeError("a defect")])

    def search(*_: object, **__: object) -> list[object]:
        error = next(failures, None)
        if error is not None:
            raise error
        done.append("warm")
        return []

    monkeypatch.setattr("bot.service.units.search", search)
    monkeypatch.setattr("bot.service.WARM_AGAIN", 0.01)
    watched.service.start()
    for _n in range(200):
        if done:
            break
        await asyncio.sleep(0.02)
    assert done == ["warm"]
    assert await watched.asks() == (200, {"ready": True, "missing": [], "pictures": True})


async def test_ready_once_everything_runs(watched: Watched) -> None:
    assert await watched.asks("/health/live") == (200, {"live": True})
    assert await watched.asks() == (503, {"ready": False, "missing": ["loop start"], "pictures": True})
    watched.service.start()
    assert await watched.asks() == (200, {"ready": True, "missing": [], "pictures": True})
    await asyncio.to_thread(watched.service.turns.close)
    assert await watched.asks() == (503, {"ready": False, "missing": ["turns"], "pictures": True})
    assert (await watched.asks("/health/live"))[0] == 200


async def test_what_is_missing_is_named_and_nothing_else(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.service.start()

    def full(_store: BlobFolder) -> None:
        raise StoreFull

    with monkeypatch.context() as patch:
        patch.setattr(BlobFolder, "probe", full)
        # Text and choices go on: a full disk must not take the whole service away.
        assert await watched.asks() == (200, {"ready": True, "missing": [], "pictures": False})
        patch.setattr(migrate, "HEAD", "0999")
        assert await watched.asks() == (503, {"ready": False, "missing": ["schema"], "pictures": False})

    def away(_conn: Any) -> str:
        raise TransientFailure("postgresql://hoctap:secret@db")

    with monkeypatch.context() as patch:
        patch.setattr(migrate, "revision_of", away)
        assert await watched.asks() == (503, {"ready": False, "missing": ["database"], "pictures": True})
    assert (await watched.asks())[0] == 200


async def test_a_loop_that_ended_is_missed(watched: Watched) -> None:
    watched.service.start()
    await asyncio.sleep(0)
    for loop in watched.service._loops:
        if loop.get_name() == "fold":
            loop.cancel()
    await asyncio.sleep(0.05)
    assert await watched.asks() == (503, {"ready": False, "missing": ["loop fold"], "pictures": True})


@pytest.mark.slow
async def test_hoctap_run_serves_it_on_an_address_of_its_own(seeded: Path, tmp_path: Path) -> None:  # noqa: F811
    port = free_port()
    server = Server.on(seeded, tmp_path, {"HOCTAP_OPERATION__LISTEN": f"127.0.0.1:{port}", "LANG": "en"})
    try:
        server.start()
        await server.ready()
        async with aiohttp.ClientSession() as session:
            for path, status in (("/health/live", 200), ("/health/ready", 200), ("/metrics", 200), ("/chat", 404)):
                async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                    assert answer.status == status, path
            for path in ("/health/live", "/health/ready", "/metrics"):
                async with session.get(server.base + path) as answer:
                    assert answer.status == 404, path
        assert await asyncio.to_thread(server.stop) == 0
        with socket.create_server(("127.0.0.1", port)):
            server.start()
            assert server.process is not None
            assert await asyncio.to_thread(server.process.wait, 60) == 1
            server.process = None
        last = server.output().splitlines()[-1]
        assert last.startswith(f"The address 127.0.0.1:{port} cannot be opened") and "operation.listen" in last
    finally:
        server.kill()
