"""The server as a process of its own, for tests that kill it: started, killed and started again on one port."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import multiprocessing
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from storage import migrate, seasons, units
from storage.engine import open_engine, writing

READY_WITHIN = 60.0  # seconds; the machine may be busy with other tests
ANSWER_WITHIN = 5.0  # seconds, of one try
PR_SET_PDEATHSIG = 1
# Crowds act here as fast as they can, from one address.
UNLIMITED = {
    f"HOCTAP_LIMITS__{name}": "1000000"
    for name in (
        "CONTACT_BURST", "CONTACT_A_MINUTE", "NETWORK_BURST", "NETWORK_A_MINUTE", "UPLOADS_AN_HOUR", "BROWSERS_AN_HOUR",
        "STREAMS", "AT_ONCE",
    )
}  # fmt: skip
# Below the ports that outgoing connections get: a client that tries a port nobody listens on could else meet itself.
PORTS = range(20_000, 32_000)


def seed(path: Path | str) -> None:
    """Make the database that servers begin with (a SQLite file, or the address of an empty database): the migrated
    tables, all units, a season with every window open."""
    engine = open_engine(f"sqlite:///{path}" if isinstance(path, Path) else path)
    now = datetime.now(UTC)
    try:
        migrate.upgrade(engine)
        with writing(engine) as conn:
            units.seed(conn, now)
            centre = units.by_code(conn, "VN")
            assert centre is not None
            seasons.set_windows(conn, centre.id, seasons.open_all_year(seasons.today(now).year))
            units.set_setting(conn, "VN", "joins_per_hour", 100_000, "test", now)
    finally:
        engine.dispose()  # the last connection closed folds the write-ahead log into the file


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


@dataclass
class Server:
    """``hoctap run`` over the data in *folder*; what it writes is kept in ``folder/output``.

    ``environment``: further settings, ``HOCTAP_TELEGRAM__TOKEN`` for one. ``forked``: each process is forked from one
    that has imported everything already, for tests that start it often (importing takes seconds). ``postgres``: the
    address of its database, if it is not the file in *folder*. ``roles``: as after ``hoctap run --role``.
    """

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | Forked | None = None
    environment: dict[str, str] = field(default_factory=dict)
    forked: bool = False
    postgres: str = ""
    roles: str = ""
    _starts: int = 0

    @classmethod
    def on(cls, seeded: Path | str, folder: Path, environment: dict[str, str] | None = None) -> Server:
        """A server, not yet started: with a copy of the database that :func:`seed` made, or on a PostgreSQL database
        of its own (its address)."""
        server = cls(folder, free_port(), environment=environment or {})
        if isinstance(seeded, Path):
            shutil.copyfile(seeded, server.database)
        else:
            server.postgres = seeded
        return server

    @property
    def database(self) -> Path:
        return self.folder / "hoctap.sqlite"

    @property
    def blobs(self) -> Path:
        return Path(self.environment.get("HOCTAP_STORAGE__BLOBS", self.folder / "evidence"))

    @property
    def url(self) -> str:
        """``sqlite:////tmp/…`` or ``postgresql+psycopg://…``."""
        return self.postgres or f"sqlite:///{self.database}"

    @property
    def base(self) -> str:
        """``http://127.0.0.1:20123``."""
        return f"http://127.0.0.1:{self.port}"

    def output(self) -> str:
        """Everything that its processes wrote so far."""
        path = self.folder / "output"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start the process; it may be killed at once. :meth:`ready` waits until it serves."""
        assert self.process is None, "it runs already"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOCTAP_")}
        environment |= {
            "HOCTAP_STORAGE__URL": self.url,
            "HOCTAP_STORAGE__BLOBS": str(self.blobs),
            "HOCTAP_WEB__PORT": str(self.port),
            **UNLIMITED,
            "HOCTAP_OPERATION__LISTEN": "",  # a test that wants it names a port of its own
            **self.environment,
        }
        command = ["run", "--role", self.roles] if self.roles else ["run"]
        self._starts += 1
        if self.forked:
            self.process = Forked(self.folder, environment, command)
            return
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [Path(sys.executable).with_name("hoctap"), *command],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, to be killed with its workers
                preexec_fn=die_with_parent,
            )

    async def ready(self) -> None:
        """Wait until it answers. Raises ``RuntimeError`` with its last words when it ends or takes too long."""
        until = time.monotonic() + READY_WITHIN
        if self.roles and "web" not in self.roles:  # nobody can ask it: it says when it is at work
            while self.output().count("at work:") < self._starts:
                if self.process is None or self.process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"the server does not work:\n{self.output()[-3000:]}")
                await asyncio.sleep(0.02)
            return
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN)) as session:
            while True:
                if self.process is None or self.process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"the server does not serve:\n{self.output()[-3000:]}")
                try:
                    async with session.get(f"{self.base}/chat/history") as answer:
                        if answer.status == 200:
                            return
                except (aiohttp.ClientError, TimeoutError):
                    await asyncio.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL: no clean-up of its own, no last word."""
        if self.process is not None:
            _kill_group(self.process.pid)
            self.process.wait(timeout=30)
            self.process = None

    def stop(self) -> int:
        """SIGTERM, as an operator ends it; its exit status."""
        assert self.process is not None, "it does not run"
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        self.process = None
        return status


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # forked a moment ago, it has no group of its own yet; or it has ended by itself
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.support.imported"])


class Forked:
    """``hoctap run`` in a process forked from one that has imported it; as much of ``Popen`` as is needed here."""

    def __init__(self, folder: Path, environment: dict[str, str], command: list[str]) -> None:
        self._process = _FORKS.Process(target=_run, args=(folder, environment, command))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Its exit status, ``None`` while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait until it ends. Raises ``TimeoutError``."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError("the server does not end")
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


def _run(folder: Path, environment: dict[str, str], command: list[str]) -> None:
    """Become ``hoctap run``."""
    os.setsid()  # a group of its own, to be killed with its workers
    die_with_parent()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    from bot.cli import main

    raise SystemExit(main(command))


def die_with_parent() -> None:
    """A killed test run (SIGKILL runs no clean-up) must not leave its server behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
