"""The tests' own tools do what the other tests rely on."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sqlalchemy import create_engine, text

from tests.support.postgres import MissingPackageError, Server, binaries

pytest_plugins = ["pytester"]

PAGE = (
    '<!doctype html><meta charset="utf-8"><h1>Kính chào</h1><button onclick="this.textContent=\'Đã nhận\'">Gửi</button>'
)


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the tests' output is read by people."""


@pytest.fixture
def page_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_an_empty_database(database_url: str, turn: int) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE citizens (name TEXT)"))  # fails if an earlier test's table is here
        connection.execute(text("INSERT INTO citizens VALUES ('Nguyễn Thị Đặng')"))
        assert connection.scalar(text("SELECT name FROM citizens")) == "Nguyễn Thị Đặng"
    engine.dispose()


@pytest.mark.postgres
def test_a_database_is_dropped_while_someone_is_connected(postgres: Server) -> None:
    with postgres.database() as url:
        engine = create_engine(url)
        engine.connect()
    with postgres.connect() as connection:
        names = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
    assert url.partition("?")[0].rpartition("/")[2] not in names
    engine.dispose(close=False)


@pytest.mark.postgres
def test_the_server_does_not_outlive_a_killed_test_run() -> None:
    script = (
        "import time\n"
        "from tests.support.postgres import postgres_server\n"
        "with postgres_server() as server:\n"
        "    print(server.folder, flush=True)\n"
        "    time.sleep(600)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    folder = Path(run.stdout.readline().strip())
    server = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    run.kill()
    run.wait()
    run.stdout.close()
    try:
        for _ in range(100):
            if not Path(f"/proc/{server}/cmdline").exists() or b"postgres" not in _command(server):
                break
            threading.Event().wait(0.1)
        else:
            pytest.fail("the server is still running")
    finally:
        shutil.rmtree(folder)


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def test_a_missing_postgresql_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingPackageError, match="package postgresql") as refusal:
        binaries()
    assert "\n" not in str(refusal.value)


@pytest.mark.browser
@pytest.mark.parametrize("turn", [1, 2])
def test_the_browser_plays_a_page(browser: Browser, page_url: str, turn: int) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(page_url)
    page.get_by_role("button", name="Gửi").click()
    assert page.get_by_role("button").inner_text() == "Đã nhận"
    assert page.evaluate("innerWidth") == 390


async def test_an_asynchronous_test_runs_after_the_browser() -> None:
    assert await asyncio.sleep(0, result=True)


@pytest.mark.slow
@pytest.mark.parametrize(("no_skips", "code"), [("", 0), ("1", 1)])
def test_a_skipped_test_fails_the_whole_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, no_skips: str, code: int
) -> None:
    conftest = (Path(__file__).parent / "conftest.py").read_text()
    pytester.makeconftest(conftest)
    pytester.makepyfile(
        "import pytest\n\ndef test_this():\n    pytest.skip('not here')\n\ndef test_that():\n    pass\n"
    )
    monkeypatch.setenv("HOCTAP_NO_SKIPS", no_skips)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    assert pytester.runpytest_subprocess("-p", "no:cacheprovider").ret == code
    assert pytester.runpytest_subprocess("-p", "no:cacheprovider", "-n", "2").ret == code
