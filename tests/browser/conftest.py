"""The demo as a stranger starts it, and the people who sit in its browser."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, FilePayload, Frame, Locator, Page, expect

from tests.support.server import free_port

SHOTS = Path(__file__).parents[2] / "screenshots" / "story"
PHONE: Any = {"width": 390, "height": 844}
UNDO_SECONDS = 3  # of the server here: a person has 60
READY_WITHIN = 90.0  # seconds; the machine may be busy with other tests
PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """A killed test run (SIGKILL runs no clean-up) must not leave its server behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running ``hoctap demo``; what it writes must hold no trouble."""
    folder = tmp_path_factory.mktemp("demo")
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOCTAP_")}
    environment["HOCTAP_REVIEW__UNDO_SECONDS"] = str(UNDO_SECONDS)
    output = folder / "output"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("hoctap"), "demo", "--port", str(port), "--no-open"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(f"{address}/demo/", process, output)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=60)
    said = output.read_text("utf-8")
    assert status == 0, said[-3000:]
    assert "Traceback" not in said and "failed" not in said, said[-3000:]


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], output: Path) -> None:
    until = time.monotonic() + READY_WITHIN
    while True:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the demo does not serve:\n{output.read_text('utf-8')[-3000:]}")
        try:
            with urllib.request.urlopen(address, timeout=10):
                return
        except urllib.error.URLError:
            time.sleep(0.1)


@dataclass
class Seat:
    """A person in front of a page (or of one frame of it). Verbs return the seat, so that a test reads like a chat."""

    name: str
    page: Page
    frame: Frame | Page
    shots: int = field(default=0)

    # -- seeing

    def newest(self) -> Locator:
        """The bubble of the open screen."""
        return self.frame.locator(".message.bot:not(.notice):not(.past)").last

    def sees(self, *texts: str) -> Seat:
        """The open screen says so."""
        for text in texts:
            expect(self.newest()).to_contain_text(text)
        return self

    def hears(self, text: str) -> Locator:
        """A notice that came by itself; waits until the time to undo is over."""
        found = self.frame.locator(".message.notice", has_text=text).last
        expect(found).to_be_visible(timeout=(UNDO_SECONDS + 20) * 1000)
        return found

    def choice(self, label: str) -> Locator:
        """A button of the open screen by the beginning of its label."""
        return self.frame.locator("#dock .choice > span", has_text=re.compile("^" + re.escape(label))).first

    def screen(self) -> str:
        """What tells the open screen from the next one."""
        return str(self.newest().inner_text()) if self.newest().count() else ""

    def shot(self, step: str) -> Seat:
        """A picture of the window, numbered in the order of the story."""
        self.shots += 1
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.settled()
        self.page.screenshot(path=SHOTS / f"{self.name}-{self.shots:02d}-{step}.png", animations="disabled")
        return self

    def settled(self) -> Seat:
        """Nothing on its way, every picture on the screen loaded."""
        expect(self.frame.locator("#writing")).to_be_hidden()
        expect(self.frame.locator(".me .state.sending")).to_have_count(0)
        self.frame.evaluate(
            "Promise.all([...document.querySelectorAll('.message img')].map(i => {"
            " const {top, bottom} = i.getBoundingClientRect();"
            " return bottom < 0 || top > innerHeight || i.decode().catch(() => {}) }))"
        )
        return self

    # -- acting

    def presses(self, label: str) -> Seat:
        """Press a button of the open screen and wait for the next screen."""
        expect(self.choice(label)).to_be_visible()
        self.choice(label).click()
        return self.answered()

    def says(self, text: str) -> Seat:
        """Type a line and send it."""
        self.frame.fill("#input", text)
        self.frame.locator("#send").click()
        return self.answered()

    def answered(self) -> Seat:
        """The server has taken everything that was done here."""
        expect(self.frame.locator("#dock.busy")).to_have_count(0)
        expect(self.frame.locator(".me .state.sending, .me .state.waiting")).to_have_count(0)
        return self

    def sends(self, *photos: str | FilePayload, caption: str = "") -> Seat:
        """Choose photos as from the camera roll, wait for their upload, send them."""
        self.frame.set_input_files("#file", list(photos))  # type: ignore[arg-type]
        expect(self.frame.locator("#tray-list li[data-state=done]")).to_have_count(len(photos))
        if caption:
            self.frame.fill("#input", caption)
        self.frame.locator("#send").click()
        expect(self.frame.locator("#tray-list li")).to_have_count(0)
        return self.answered()


@dataclass
class People:
    """One browser at the demo. What its console complains of fails the test."""

    address: str
    context: BrowserContext
    complaints: list[str]

    def sits(self, name: str, path: str, **how: Any) -> Seat:
        """Open a page of a person's own, at the size of a phone."""
        page = self.opens(path)
        if how.get("width"):
            page.set_viewport_size({"width": how["width"], "height": how["height"]})
        return Seat(name, page, page)

    def opens(self, path: str) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.goto(f"{self.address}{path}")
        return page


@pytest.fixture
def people(browser: Browser, demo: str) -> Iterator[People]:
    """A fresh browser at the demo, as wide as a phone."""
    expect.set_options(timeout=15_000)
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    found = People(demo, context, [])
    yield found
    context.close()
    assert not found.complaints


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Photographs as phones take them.

    ``portrait``: a real one; ``paper``: lying on its side with an EXIF orientation, with the place where it was taken;
    ``clear``: another paper.
    """
    folder = tmp_path_factory.mktemp("photos")
    real = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return {
        "portrait": str(real),
        "paper": str(_paper(folder / "paper.jpg", "GIẤY MỜI SINH HOẠT", turned=True)),
        "clear": str(_paper(folder / "clear.jpg", "GIẤY CHỨNG NHẬN", turned=False)),
    }


def _paper(path: Path, heading: str, turned: bool) -> Path:
    from PIL import ImageFont

    from reports.fonts import BOLD

    image = Image.new("RGB", (2400, 3200), (120, 96, 70))
    draw = ImageDraw.Draw(image)
    draw.rectangle((200, 250, 2200, 2950), fill=(250, 247, 235))
    draw.text((1200, 900), heading, font=ImageFont.truetype(str(BOLD), 150), fill=(150, 30, 30), anchor="mm")
    for line in range(6):
        draw.line((420, 1300 + 180 * line, 1980 - 120 * (line % 3), 1300 + 180 * line), fill=(70, 70, 70), width=14)
    exif = Image.Exif()
    if turned:
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6  # to be turned a quarter clockwise
    place = exif.get_ifd(0x8825)
    place[1], place[2] = "N", (20.0, 57.0, 0.0)
    place[3], place[4] = "E", (107.0, 5.0, 0.0)
    image.save(path, "JPEG", quality=90, exif=exif)
    return path
