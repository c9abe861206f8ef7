"""The command line as tests call it: in this process, on a copy of a database that ``hoctap init`` made."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.cli import main
from storage.engine import open_engine
from tests.support.world import World


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and an environment that says nothing."""
    for name in [*filter(lambda name: name.startswith("HOCTAP_"), os.environ), "LC_ALL", "LC_MESSAGES", "LANG"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
    """The folder in which ``hoctap init`` has run once, in under 10 seconds."""
    place, before = tmp_path_factory.mktemp("made"), Path.cwd()
    os.chdir(place)
    try:
        start = time.perf_counter()
        assert main(["init"]) == 0
        assert time.perf_counter() - start < 10
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
