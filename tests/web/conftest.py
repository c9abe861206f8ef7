"""The channel under test: a memory, and a client that speaks as the page does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.channels.web import app
from bot.channels.web_backend import Backend
from bot.channels.web_site import WebSettings
from tests.web.fake import Memory

Client = TestClient[web.Request, web.Application]


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """``await start(memory, prefix=…, …)``: a client of a running channel, with settings as named."""
    clients: list[Client] = []

    async def begin(memory: Memory | Backend, **settings: Any) -> Client:
        backend = memory.backend() if isinstance(memory, Memory) else memory
        client = TestClient(TestServer(app(backend, WebSettings(**settings))))
        await client.start_server()
        clients.append(client)
        return client

    yield begin
    for client in clients:
        await client.close()


@contextmanager
def served(memory: Memory, **settings: Any) -> Iterator[str]:
    """The channel on a free port of loopback in a thread of its own, for tests in a browser; yields its address."""
    memory.loop = loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin() -> tuple[web.AppRunner, int]:
        runner = web.AppRunner(app(memory.backend(), WebSettings(**settings)), shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner, runner.addresses[0][1]

    runner, port = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
