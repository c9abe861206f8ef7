"""The command line as tests call it: in this process, on a copy of a database that ``hoctap init`` made."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bot import clock
from bot.cli import main
from bot.service import Parts, Service
from dialogs.states import Rules
from storage.engine import open_engine, writing
from storage.housekeeping import Keep
from storage.tables import metadata
from tests.support.desk import Desk
from tests.support.units import few_units
from tests.support.world import World


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and an environment that says nothing."""
    for name in [*filter(lambda name: name.startswith("HOCTAP_"), os.environ), "LC_ALL", "LC_MESSAGES", "LANG"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """A desk over a handful of units, on each database."""
    engine = open_engine(database_url)
    with writing(engine) as conn:
        metadata.create_all(conn)
        few_units(conn)
    yield Desk(engine)
    engine.dispose()


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left: exit status, stdout, stderr."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)

    def said(self, *texts: str) -> Ran:
        for text in texts:
            assert text in self.out + self.err, f"{text!r} is not in:\n{self.out}{self.err}"
        return self

    def refused(self, status: int = 1, *texts: str) -> Ran:
        """It ended with *status*, nothing on stdout, one line on stderr that holds the texts."""
        assert (self.status, self.out) == (status, ""), self
        assert len(self.err.splitlines()) == 1, self.err
        return self.said(*texts)


@dataclass(frozen=True, slots=True)
class Cli:
    """Runs ``hoctap``."""

    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Ran:
        self.capsys.readouterr()
        status = main(arguments)
        return Ran(status, *self.capsys.readouterr())


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which ``hoctap init`` has run once, in under 10 seconds of processor time."""
    place, before = tmp_path_factory.mktemp("made"), Path.cwd()
    os.chdir(place)
    try:
        start = time.process_time()
        assert main(["init"]) == 0
        assert time.process_time() - start < 10
    finally:
        os.chdir(before)
    return place


@pytest.fixture
def world(made: Path, folder: Path) -> Iterator[World]:
    """A database ready for use in the folder of the test."""
    shutil.copytree(made / "var", folder / "var")
    engine = open_engine(f"sqlite:///{folder}/var/hoctap.sqlite")
    yield World(engine)
    engine.dispose()


@dataclass
class Telegram:
    """As much of a Bot API server as tells of a bot, at *url*; what it says is *me* and *webhook*, by token."""

    url: str
    me: dict[str, dict[str, Any]] = field(default_factory=dict)
    webhook: dict[str, Any] = field(default_factory=dict)
    ahead: timedelta = timedelta(0)
    status: int = 200
    body: bytes = b""

    def bot(self, token: str, username: str, **rights: bool) -> None:
        self.me[token] = {"id": 1, "is_bot": True, "first_name": "Công dân học tập", "username": username, **rights}

    def answer(self, path: str) -> tuple[int, bytes]:
        if self.status != 200 or self.body:
            return self.status, self.body
        token, method = path.removeprefix("/bot").rsplit("/", 1)
        if token not in self.me:
            return 401, b'{"ok": false, "error_code": 401, "description": "Unauthorized"}'
        hook = {"url": "", "has_custom_certificate": False, "pending_update_count": 0, **self.webhook}
        return 200, json.dumps(
            {"ok": True, "result": {"getMe": self.me[token], "getWebhookInfo": hook}[method]}
        ).encode()


@pytest.fixture
def telegram(monkeypatch: pytest.MonkeyPatch) -> Iterator[Telegram]:
    """A server that stands in for Telegram, and the settings that lead there."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, body = found.answer(self.path)
            self.send_response_only(status)
            self.send_header("Date", format_datetime(datetime.now(UTC) + found.ahead, usegmt=True))
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Telegram(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("HOCTAP_TELEGRAM__API_URL", found.url)
        yield found
        server.shutdown()


@pytest.fixture
async def service(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """The service on the world's database and clock, no loop running."""
    made = Service(Parts(f"sqlite:///{folder}/var/hoctap.sqlite", folder / "var/evidence", Rules(), Keep()))
    monkeypatch.setattr(clock, "now", lambda: world.now)
    yield made
    await made.stop()
