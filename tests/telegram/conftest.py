"""A stand-in Telegram and bots that run in the test's own loop."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.peers.telegram import BotApi
from tests.support import server as servers
from tests.telegram.live import Live

Begin = Callable[..., Awaitable[Live]]


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database to be copied."""
    path = tmp_path_factory.mktemp("seeded") / "hoctap.sqlite"
    servers.seed(path)
    return path


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    """A Telegram of one's own."""
    async with BotApi() as running:
        yield running


@pytest.fixture
async def begin(api: BotApi, seeded: Path, tmp_path: Path) -> AsyncIterator[Begin]:
    """Start bots: ``await begin(accounts=("telegram:a", "telegram:b"), webhook=True)``; they end with the test."""
    async with AsyncExitStack() as all_of_them:

        async def start(*, wait: bool = True, **options: Any) -> Live:
            shutil.copyfile(seeded, tmp_path / "hoctap.sqlite")
            live = Live(api, tmp_path, **options).register()
            all_of_them.push_async_callback(live.stop)
            return await live.start() if wait else live

        yield start


@pytest.fixture
async def live(begin: Begin) -> Live:
    """One bot, by polling."""
    return await begin()
