"""A scripted phone that speaks to a running server as the chat page does: real HTTP, cookie, Origin, ids of its own.

A test reads like a chat::

    async with Phone("http://127.0.0.1:8080") as phone:
        await phone.opens("DV06685K")
        await phone.presses("yes")

As in the page's outbox, acts go strictly one after another, and one that is not acknowledged is sent again under the
same id until it is, however often the server dies meanwhile. :attr:`Phone.journal` holds what was acknowledged.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import aiohttp
from PIL import Image

from dialogs.model import Act, Opened, Pressed, Screen, Sent, Typed, decode_screen

PATIENCE = 60.0  # seconds that a phone goes on sending one act
PAUSES = (0.05, 0.4)  # seconds between tries; a person's page waits longer


@dataclass(frozen=True, slots=True)
class Said:
    """One act: the id that the phone made for it, the screen that it answers, what was done."""

    id: str
    screen: Screen
    act: Act

    def wire(self) -> dict[str, Any]:
        """The act as the page puts it on the wire."""
        common: dict[str, Any] = {"id": self.id, "screen": self.screen.number or None}
        match self.act:
            case Opened(payload):
                return {**common, "kind": "opened", "screen": None, "payload": payload}
            case Pressed(choice):
                return {**common, "kind": "pressed", "choice": choice}
            case Typed(text):
                return {**common, "kind": "typed", "text": text}
            case Sent(uploads, caption):
                return {**common, "kind": "sent", "uploads": list(uploads), "caption": caption}
        raise AssertionError(f"the page cannot say {self.act!r}")


class Stuck(AssertionError):
    """The server refuses what it should take, shows nothing new, or does not come back."""


@dataclass
class Phone:
    """One person's browser.

    ``journal``: the acts that were acknowledged, in order. ``pending``: the one act that may or may not have had its
    turn. ``uploaded``: the keys of the photos whose upload was acknowledged. ``screen``: the newest numbered screen.
    ``impatience``: how likely an act or a photo goes out twice at once. ``failures``: answers that never came;
    ``trouble``: why the last of them did not.
    """

    base: str
    rng: random.Random = field(default_factory=random.Random)
    impatience: float = 0.0
    screen: Screen = field(default_factory=lambda: Screen(""))
    notices: list[Screen] = field(default_factory=list)
    journal: list[Said] = field(default_factory=list)
    pending: Said | None = None
    uploaded: list[str] = field(default_factory=list)
    failures: int = 0
    trouble: str = ""
    _session: aiohttp.ClientSession = field(init=False, repr=False)

    async def __aenter__(self) -> Phone:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # cookies of a bare IP address
            timeout=aiohttp.ClientTimeout(total=30),
            headers={"Origin": self.base, "Sec-Fetch-Site": "same-origin"},
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    @property
    def address(self) -> str | None:
        """What the server knows this browser by; ``None`` while it has no cookie."""
        for cookie in self._session.cookie_jar:
            if cookie.key == "hoctap":
                return hashlib.sha256(cookie.value.encode()).hexdigest()
        return None

    # -- acting

    async def opens(self, payload: str = "") -> Phone:
        return await self.does(Opened(payload))

    async def presses(self, choice: str) -> Phone:
        """Press a button of the open screen, by its id."""
        assert choice in self.choices(), f"no choice {choice!r} on:\n{self.read_out()}"
        return await self.does(Pressed(choice))

    async def types(self, text: str) -> Phone:
        return await self.does(Typed(text))

    async def sends(self, *photos: bytes, caption: str = "") -> Phone:
        """Upload photos one after another, then send them in one act."""
        keys = [await self.uploads(photo) for photo in photos]
        return await self.does(Sent(tuple(keys), caption))

    async def does(self, act: Act) -> Phone:
        """One act, sent until it is acknowledged. Raises :class:`Stuck`."""
        said = Said(f"{self.rng.getrandbits(128):032x}", self.screen, act)
        self.pending = said
        # The browser that has no cookie yet would get two of them.
        copies = 2 if self.address and self.rng.random() < self.impatience else 1
        answer = await self._until_answered("act", copies, json=said.wire())
        # No await from here on: whoever looks at the journal finds the act either pending or acknowledged.
        self.journal.append(said)
        self.pending = None
        self._read(answer["messages"])
        if self.screen.number != said.screen.number + 1:
            raise Stuck(f"{act!r} was acknowledged, but led from screen {said.screen.number} to {self.read_out()}")
        return self

    async def echoes(self, said: Said) -> list[dict[str, Any]]:
        """Send an act once more that was acknowledged before, as a second tab would; the lines of the answer."""
        answer = await self._until_answered("act", 1, json=said.wire())
        lines: list[dict[str, Any]] = answer["messages"]
        return lines

    async def repeats(self, said: Said) -> None:
        """Do so between two acts: the open screen is shown again and nothing else. Raises :class:`Stuck`."""
        before = self.screen
        self._read(await self.echoes(said))
        if (self.screen.number, self.screen.text) != (before.number, before.text):
            raise Stuck(f"the repeat of {said.act!r} led from screen {before.number} to {self.read_out()}")

    async def uploads(self, photo: bytes) -> str:
        """Upload one photo; its key."""
        copies = 2 if self.rng.random() < self.impatience else 1
        headers = {"Content-Type": "application/octet-stream"}
        answer = await self._until_answered("upload?lang=vi", copies, data=photo, headers=headers)
        key: str = answer["key"]
        self.uploaded.append(key)
        return key

    async def reloads(self) -> list[dict[str, Any]]:
        """Load the page anew: the open screen comes from the history, whose lines are returned."""
        answer = await self._until_answered("history?after=0", 1, method="GET")
        assert answer["known"], "the server does not know this browser any more"
        self.screen = Screen("")
        self._read(answer["messages"])
        lines: list[dict[str, Any]] = answer["messages"]
        return lines

    async def _until_answered(self, path: str, copies: int, method: str = "POST", **request: Any) -> dict[str, Any]:
        """Ask until there is an answer, *copies* times at once. Raises :class:`Stuck` on a refusal."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while True:
            answers = await asyncio.gather(*(self._ask(method, path, **request) for _copy in range(copies)))
            found = [answer for answer in answers if answer is not None]
            if found:
                return found[0]
            self.failures += 1
            if loop.time() > until:
                raise Stuck(f"nobody answers to {path} {request.get('json')}: {self.trouble}")
            await asyncio.sleep(self.rng.uniform(*PAUSES))

    async def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any] | None:
        """The whole answer, or ``None`` where none came and the page would try again."""
        try:
            async with self._session.request(method, f"{self.base}/chat/{path}", **request) as response:
                if response.status in (408, 429) or response.status >= 500:
                    self.trouble = f"status {response.status}"
                    return None
                body = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.trouble = repr(error)
            return None
        if response.status != 200:
            raise Stuck(f"{path} {request.get('json')} was refused with {response.status}: {body}")
        answer: dict[str, Any] = json.loads(body)
        return answer

    # -- seeing

    def _read(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            if line["dir"] != "out":
                continue
            screen = decode_screen(json.dumps(line["body"]))
            if not screen.number:
                self.notices.append(screen)
            elif screen.number >= self.screen.number:
                self.screen = screen

    def choices(self) -> list[str]:
        """The ids of the open screen's buttons."""
        return [choice.id for choice in self.screen.choices]

    def read_out(self) -> str:
        """The open screen as its reader would read it aloud."""
        shown = self.screen
        buttons = [f"[{choice.id}: {choice.label}]" for choice in shown.choices]
        return "\n".join(filter(None, (f"#{shown.number}", shown.note, shown.title, shown.text, *buttons)))


def photo(number: int) -> bytes:
    """A JPEG of 320 x 240 px that looks like no other number's."""
    noise = random.Random(number).randbytes(40 * 30 * 3)
    out = BytesIO()
    Image.frombytes("RGB", (40, 30), noise).resize((320, 240), Image.Resampling.BILINEAR).save(out, "JPEG", quality=80)
    return out.getvalue()
