"""A PostgreSQL server that lives as long as the tests that asked for it, reached by a socket in its own folder."""

from __future__ import annotations

import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

READY_WITHIN = 60.0  # seconds; two servers may start at once on a slow machine
PR_SET_PDEATHSIG = 1

# Nothing here outlives the tests, so nothing need reach the disk.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
}


class MissingPackageError(RuntimeError):
    """A program that the tests need is not installed; the text names the package."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. *folder* holds its socket, owned by *user* (the one that PostgreSQL runs as)."""

    folder: Path
    user: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str) -> str:
        """The SQLAlchemy address of a database: ``postgresql+psycopg://postgres@/name?host=/tmp/…``."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def execute(self, statement: str) -> None:
        """Run one statement outside any transaction, as CREATE DATABASE demands."""
        with self.connect() as connection:
            connection.execute(statement.encode())

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True)

    def create(self, template: str = "template0") -> str:
        """The address of a new database that lives as long as the server: empty, or a copy of *template*, the name or
        the address of one that nobody is connected to."""
        name = f"hoctap_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {name_of(template)}")
        return self.url(name)

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The same, dropped afterwards whoever is still connected."""
        url = self.create(template)
        try:
            yield url
        finally:
            self.execute(f"DROP DATABASE {name_of(url)} WITH (FORCE)")


def name_of(database: str) -> str:
    """The name of a database that is told by its name or by its address."""
    return database.partition("@/")[2].partition("?")[0] or database


def binaries() -> Path:
    """The folder with ``initdb`` and ``postgres`` of one version, the newest of Debian's before any on the PATH.

    Raises :class:`MissingPackageError` naming the package.
    """
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    on_path = shutil.which("initdb")
    for folder in [*reversed(debian), *([Path(on_path).resolve().parent] if on_path else [])]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise MissingPackageError("PostgreSQL is missing: install the package postgresql (make test does so as root)")


@contextmanager
def postgres_server(settings: Mapping[str, str] = SETTINGS) -> Iterator[Server]:
    """Start a server with an empty cluster and end it. PostgreSQL refuses root, so root lends it to ``nobody``."""
    programs = binaries()
    run_as: dict[str, Any] = {}
    user = pwd.getpwuid(os.getuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="hoctap-pg-", dir=_reachable_folder()))
    if os.getuid() == 0:
        user = "nobody"
        account = pwd.getpwnam(user)
        os.chown(folder, account.pw_uid, account.pw_gid)
        run_as = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    server = Server(folder, user)
    data, log = folder / "data", folder / "log"
    process: subprocess.Popen[bytes] | None = None
    try:
        initdb: list[str | Path] = [
            programs / "initdb",
            "--pgdata",
            data,
            "--username=postgres",
            "--auth=trust",
            "--no-sync",
        ]
        made = subprocess.run(
            [*initdb, "--encoding=UTF8", "--locale=C.UTF-8"], cwd=folder, capture_output=True, text=True, **run_as
        )
        if made.returncode != 0:
            raise RuntimeError(f"initdb failed: {made.stderr.strip()}")
        options = [f"--{name}={value}" for name, value in settings.items()]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", folder, *options],
                cwd=folder,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests; they end the server afterwards
                preexec_fn=_die_with_parent,
                **run_as,
            )
        _wait_until_ready(server, process, log)
        yield server
    finally:
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=30)
        shutil.rmtree(folder)


def _reachable_folder() -> str:
    """A folder for temporary files that any user can reach, with a name short enough for a socket (107 bytes)."""
    for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        path = Path(folder).resolve()
        if len(folder) < 60 and all(step.stat().st_mode & 0o001 for step in (path, *path.parents)):
            return folder
    raise RuntimeError("no folder for temporary files can be reached by another user")


def _die_with_parent() -> None:
    """A killed test run (SIGKILL runs no clean-up) must not leave its server behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_WITHIN
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended at once: {log.read_text().strip()}")
        try:
            server.connect().close()
        except psycopg.OperationalError as error:
            if time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL was not ready in {READY_WITHIN:.0f} s") from error
            time.sleep(0.05)
        else:
            return
