"""Debian's Chromium, driven by playwright, which then needs to download no browser of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.support.postgres import MissingPackageError

# A test's browser talks to loopback only: whatever Chromium would fetch on its own is off.
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",  # a container's 64 MB are too few for a page with photos
)


def chromium_path() -> str:
    """The browser to run: ``HOCTAP_CHROMIUM``, or the first on the PATH.

    Raises :class:`MissingPackageError` naming the package.
    """
    for name in (os.environ.get("HOCTAP_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"):
        found = name and shutil.which(name)
        if found:
            return found
    raise MissingPackageError("Chromium is missing: install the package chromium (make test does so as root)")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser, ended afterwards with all its pages.

    playwright's synchronous face keeps an event loop running in this thread while it is open, so it must not
    stay open from one test to the next: asynchronous tests would find that loop and fail.
    """
    root = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=[*FLAGS, *root])
        try:
            yield browser
        finally:
            browser.close()
