"""Is every package of these lock files pinned to one version and by SHA-256 hashes, and from nowhere in particular?

``python scripts/pinned.py requirements.lock …`` prints a line for each fault; exit status 1 where there is one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?==[A-Za-z0-9.!+_-]+( *;.*)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def faults(text: str) -> list[str]:
    """What is wrong with a lock, a line each: something not pinned, without a hash, with an option or an address."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        line = line.split(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        package, *hashes = re.split(r"\s+(?=--)", line)
        if not PIN.fullmatch(package.strip()):
            found.append(f"not pinned to one version: {package.strip()[:80]}")
        elif not hashes or not all(HASH.fullmatch(each.strip()) for each in hashes):
            found.append(f"without a hash: {package.strip()[:80]}")
    return found


def main(names: list[str]) -> int:
    """Check the files; how the process ends."""
    wrong = 0
    for name in names:
        text = Path(name).read_text("utf-8")
        for fault in faults(text):
            wrong += 1
            print(f"audit: {name}: {fault}")  # noqa: T201 - a script
        if not text.strip():
            wrong += 1
            print(f"audit: {name}: empty")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
