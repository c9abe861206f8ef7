"""What passes between a messenger and the conversation: an :class:`Incoming` in, :class:`Screen`\\ s out.

No messenger's type passes this door. A channel declares its :class:`Capabilities`; a dialog never asks which
channel it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

# ------------------------------------------------------------------------------------------------ in


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button was pressed: the id of one of the screen's choices."""

    choice: str


@dataclass(frozen=True, slots=True)
class Typed:
    """A text was sent (raw: the turn normalises it)."""

    text: str


@dataclass(frozen=True, slots=True)
class FileRef:
    """A picture that the channel holds and that is still to be fetched.

    ``reference`` fetches it (only on the account that it came to), ``unique`` is the same whenever the same file comes,
    ``size`` in bytes (0: unknown).
    """

    reference: str
    unique: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """Pictures were sent: stored already (``uploads``: keys of uploads that this contact owns), or still to be fetched
    (``files``).

    ``album`` names pictures that were sent in one go but come one by one, in any order (the channel's own name).
    """

    uploads: tuple[str, ...] = ()
    caption: str = ""
    files: tuple[FileRef, ...] = ()
    album: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """The chat was opened: by a link with a code's payload (a unit's QR, an invite, a resume code), or bare
    (``""``)."""

    payload: str = ""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Something that no dialog takes: ``voice``, ``sticker``, ``contact`` (somebody else's), ``location``, ``video``,
    ``file``, ``too_big`` (a file over 20 MB), ``edited`` (a message changed after it was sent),
    ``other``."""

    kind: str


@dataclass(frozen=True, slots=True)
class Signal:
    """The machine has something for this contact: a job that ended (``chart``), a reminder; or its channel says that it
    can(not) be written to any more (``blocked``, ``unblocked``)."""

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


Act = Pressed | Typed | Sent | Opened | Unsupported | Signal
ACTS: dict[str, type] = {
    "pressed": Pressed, "typed": Typed, "sent": Sent, "opened": Opened, "unsupported": Unsupported, "signal": Signal,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can do. ``text_limit`` counts characters; ``history``: the channel shows past messages from
    our own store."""

    name: str
    buttons: bool = True
    edit: bool = True
    delete: bool = True
    albums: bool = True
    documents: bool = True
    text_limit: int = 4000
    history: bool = False
    officer_idle_hours: int | None = None  # an officer's session on this channel ends after so many idle hours

    def awake(self, used_at: datetime, now: datetime) -> bool:
        """Is the session of an officer whose chat was last used then still alive?"""
        idle = self.officer_idle_hours
        return idle is None or (now - used_at).total_seconds() <= idle * 3600


FULL = Capabilities("full")
PLAIN = Capabilities("plain", buttons=False, edit=False, delete=False, albums=False, documents=False, text_limit=2000)
WEB = Capabilities("web", text_limit=20000, history=True, officer_idle_hours=12)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event of one contact, as its channel account knows it.

    ``account`` names the channel account (``web``, ``telegram:quangninh``), ``event`` is the channel's own id of the
    event (unique in the account), ``address`` the contact there. ``screen`` is the number of the screen that the act
    answers, as far as the channel can tell; ``None`` counts as the current one. ``at`` is the server's clock (UTC).
    ``message`` is the number of the person's own message where the channel could delete it (0: it could not);
    ``secret`` says that the message shows an id number though the act does not carry its words. ``network``: where it
    came from, if the channel knows; kept nowhere but as a hash beside wrong secrets (:mod:`storage.attempts`).
    """

    account: str
    event: str
    address: str
    act: Act
    at: datetime
    screen: int | None = None
    capabilities: Capabilities = FULL
    message: int = 0
    secret: bool = False
    network: str = field(default="", repr=False)


def encode_incoming(incoming: Incoming) -> str:
    """The event as JSON, for the table of failed events."""
    kind = next(name for name, cls in ACTS.items() if isinstance(incoming.act, cls))
    return json.dumps(
        {
            "account": incoming.account,
            "event": incoming.event,
            "address": incoming.address,
            "screen": incoming.screen,
            "at": incoming.at.isoformat(),
            "capabilities": asdict(incoming.capabilities),
            "message": incoming.message,
            "secret": incoming.secret,
            "act": {"kind": kind, **asdict(incoming.act)},
        },
        ensure_ascii=False,
    )


def decode_incoming(text: str) -> Incoming:
    """The event back from :func:`encode_incoming`."""
    raw = json.loads(text)
    act = dict(raw["act"])
    cls = ACTS[act.pop("kind")]
    if "uploads" in act:
        act["uploads"] = tuple(act["uploads"])
        act["files"] = tuple(FileRef(**each) for each in act.get("files", ()))
    return Incoming(
        account=raw["account"],
        event=raw["event"],
        address=raw["address"],
        act=cls(**act),
        at=datetime.fromisoformat(raw["at"]),
        screen=raw["screen"],
        capabilities=Capabilities(**raw["capabilities"]),
        message=raw.get("message", 0),
        secret=raw.get("secret", False),
    )


# ------------------------------------------------------------------------------------------------ out


@dataclass(frozen=True, slots=True)
class Choice:
    """A button. ``id`` comes back in :class:`Pressed`; a channel without buttons numbers the labels (``back`` is
    always 0).

    ``role``: ``plain``, ``main`` (the likely next step), ``quiet`` (skip, later), ``danger`` (erase, withdraw).
    """

    id: str
    label: str
    role: str = "plain"


@dataclass(frozen=True, slots=True)
class Picture:
    """A stored picture to show: its key in the blob store and its caption (plain text).

    ``again``: the reader sent it in this chat, so a channel that still shows what was sent need not show it once more.
    """

    key: str
    caption: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A file for the person: name, media type and text content (e.g. the JSON of what is stored about them).

    ``key``: of the file as it is kept for a day (:mod:`storage.handed`); one with a key and no content is over.
    """

    name: str
    media_type: str
    content: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Screen:
    """What a person sees: plain text (never markup; each channel escapes it), choices, pictures.

    ``title`` is shown bold above the text; ``note`` is one line above everything (what just happened, or help);
    ``progress`` (done, of) draws a bar where a channel can. ``input`` tells the keyboard: ``none`` (choices only;
    typing still works), ``unit`` (a commune's name may be typed), ``text``, ``name``, ``year``, ``tel``, ``secret`` (a
    number that no device should remember), ``photo`` (pictures are welcome, text too). ``values``: a number typed is
    what is asked for, never the place of a choice. ``number`` is given by the turn; ``notice`` screens
    stand beside the open question and have no number (0). ``protected``: it shows an officer other people's data, so a
    channel keeps it from being forwarded or saved, and takes its pictures away when the next screen
    comes. ``about``: marks of what it shows that may have to be taken away again
    (:func:`storage.desks.mark_of_suggestion`).
    """

    text: str
    choices: tuple[Choice, ...] = ()
    title: str = ""
    note: str = ""
    pictures: tuple[Picture, ...] = ()
    documents: tuple[Document, ...] = ()
    progress: tuple[int, int] | None = None
    input: str = "none"
    values: bool = False
    number: int = 0
    language: str = "vi"
    protected: bool = False
    about: tuple[str, ...] = ()


def encode_screen(screen: Screen) -> str:
    """The screen as JSON (for outbox and history)."""
    raw: dict[str, Any] = {
        "text": screen.text,
        "number": screen.number,
        "language": screen.language,
        "input": screen.input,
    }
    if screen.title:
        raw["title"] = screen.title
    if screen.note:
        raw["note"] = screen.note
    if screen.choices:
        raw["choices"] = [[c.id, c.label, c.role] for c in screen.choices]
    if screen.pictures:
        raw["pictures"] = [[p.key, p.caption, True] if p.again else [p.key, p.caption] for p in screen.pictures]
    if screen.documents:
        raw["documents"] = [
            [d.name, d.media_type, d.content, d.key] if d.key else [d.name, d.media_type, d.content]
            for d in screen.documents
        ]
    if screen.progress:
        raw["progress"] = list(screen.progress)
    if screen.values:
        raw["values"] = True
    if screen.protected:
        raw["protected"] = True
    if screen.about:
        raw["about"] = list(screen.about)
    return json.dumps(raw, ensure_ascii=False, separators=(",", ":"))


def decode_screen(text: str) -> Screen:
    """The screen back from :func:`encode_screen`."""
    raw = json.loads(text)
    progress = raw.get("progress")
    return Screen(
        text=raw["text"],
        choices=tuple(Choice(*c) for c in raw.get("choices", ())),
        title=raw.get("title", ""),
        note=raw.get("note", ""),
        pictures=tuple(Picture(*p) for p in raw.get("pictures", ())),
        documents=tuple(Document(*d) for d in raw.get("documents", ())),
        progress=(progress[0], progress[1]) if progress else None,
        input=raw["input"],
        values=raw.get("values", False),
        number=raw["number"],
        language=raw["language"],
        protected=raw.get("protected", False),
        about=tuple(raw.get("about", ())),
    )
