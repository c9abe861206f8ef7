"""The locks are pinned and hashed, and the check that says so can say otherwise."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.pinned import faults, main

PROJECT = Path(__file__).parents[1]
HASH = "--hash=sha256:" + "a" * 64


def test_the_locks_name_one_version_of_everything_and_its_hashes() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (PROJECT / name).read_text("utf-8")
        assert text.count("==") > 30
        assert faults(text) == [], name


@pytest.mark.parametrize(
    "line",
    [
        f"aiohttp>=3.14 {HASH}",
        f"aiohttp {HASH}",
        "aiohttp==3.14.5",
        "aiohttp==3.14.5 --hash=md5:abc",
        f"aiohttp @ https://example.org/aiohttp.whl {HASH}",
        "git+https://example.org/x.git",
        "--index-url https://example.org/simple",
        "-e .",
        f"aiohttp==3.* {HASH}",
    ],
)
def test_what_is_not_pinned_is_found(line: str, tmp_path: Path) -> None:
    assert faults(f"good==1.0 \\\n    {HASH}\n{line}\n") != []
    (tmp_path / "x.lock").write_text(line + "\n")
    assert main([str(tmp_path / "x.lock")]) == 1


def test_comments_marks_and_many_hashes_are_fine(tmp_path: Path) -> None:
    text = f"# a\ngood[extra]==1.0 ; python_version < '3.12' \\\n    {HASH} \\\n    {HASH}\n"
    assert faults(text) == []
    (tmp_path / "x.lock").write_text(text)
    assert main([str(tmp_path / "x.lock")]) == 0
    (tmp_path / "x.lock").write_text("")
    assert main([str(tmp_path / "x.lock")]) == 1


@pytest.mark.parametrize(
    ("answer", "status", "said", "ends"),
    [
        ('{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}', 0, "1 of 1 packages looked up, 0 known", 0),
        (
            '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}]}',
            1,
            "a 1: PYSEC-1; mended in 2",
            1,
        ),
        ('{"dependencies": [{"name": "a", "skip_reason": "?"}]}', 0, "no database of advisories", 0),
        ("", 1, "no database of advisories", 0),
    ],
)
def test_a_finding_ends_it_and_being_offline_does_not(
    answer: str, status: int, said: str, ends: int, tmp_path: Path
) -> None:
    """The script in a folder of its own, with a pip-audit that answers as told."""
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    (tmp_path / "scripts").mkdir()
    for name in ("audit.sh", "pinned.py"):
        (tmp_path / "scripts" / name).write_bytes((PROJECT / "scripts" / name).read_bytes())
    for name in ("requirements.lock", "requirements-dev.lock"):
        (tmp_path / name).write_text(f"a==1 {HASH}\n")
    (tools / "python").symlink_to(sys.executable)
    write = f"[ \"$1\" = --output ] && printf '%s' '{answer}' > \"$2\""
    (tools / "pip-audit").write_text(f"#!/bin/sh\nwhile [ $# -gt 1 ]; do {write}; shift; done\nexit {status}\n")
    for path in (tools / "pip-audit", tmp_path / "scripts" / "audit.sh"):
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    done = subprocess.run(
        [tmp_path / "scripts" / "audit.sh"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == ends, done.stdout + done.stderr
    assert said in done.stdout
