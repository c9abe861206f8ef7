"""The command ``hoctap``. Help is Vietnamese, English where the locale of the environment is English.

Modules here import nothing that a command does not use: every command imports what it needs when it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from locales import Voice, speaking


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (default: that of the process); its exit status. No traceback ever, but with ``--debug``.

    0 done; 1 refused, failed, or a check found something; 2 a wrong command line or setting; 130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # a terminal of another encoding
    with speaking(Voice(language(os.environ))):
        from bot.cli.command import run

        return run(given)


def language(environ: Mapping[str, str]) -> str:
    """``en`` where the locale says so, else ``vi``. ``C`` and ``POSIX`` name no language and are passed over."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        said = environ.get(name, "")
        if said and said.partition(".")[0] not in ("C", "POSIX"):
            return "en" if said.lower().startswith("en") else "vi"
    return "vi"
