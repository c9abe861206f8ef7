"""A look at the product as Telegram would draw it: ``python -m tests.peers.telegram``.

The stand-in Bot API, made-up data, the real bot as a process of its own, and a page like a phone for each of three
people. It is for eyes and screenshots; nothing here is part of the product.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import html
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from bot import demo
from tests.peers.telegram import BotApi, FakeBot, Phone
from tests.peers.telegram_chats import Button, Keyboard, Message
from tests.support.server import Server, free_port

PAGE = Path(__file__).with_name("telegram_window.html")
TOKEN = "100001:a-token-for-the-window-and-for-noth"
PLACE = ZoneInfo("Asia/Ho_Chi_Minh")
PEOPLE = (("Lan", "Nguyễn"), ("Hùng", "Trần"), ("Mai", "Phạm"))


@dataclass
class Seat:
    """One person at the window: a phone, what they are, and the link that they open the bot with."""

    phone: Phone
    title: str
    payload: str


@contextlib.asynccontextmanager
async def window(folder: Path, port: int = 0, environment: dict[str, str] | None = None) -> AsyncIterator[Window]:
    """The stand-in, the bot over made-up data in *folder*, and the page; ended together."""
    made = await asyncio.to_thread(demo.prepare, folder)
    async with BotApi() as api:
        bot = api.bot(TOKEN, "congdanhoctap_bot")
        settings = {"HOCTAP_TELEGRAM__API_URL": api.url, "HOCTAP_TELEGRAM__TOKEN": TOKEN, **(environment or {})}
        server = Server(folder, free_port(), environment=settings)
        (folder / "demo.sqlite").rename(server.database)
        seats = [
            Seat(api.phone(bot, first_name=first, last_name=last), seat.title, seat.payload)
            for seat, (first, last) in zip(made.seats, PEOPLE, strict=True)
        ]
        here = Window(api, bot, seats, server=server)
        server.start()
        try:
            await server.ready()
            async with here.open(port):
                yield here
        finally:
            if server.process is not None and server.process.poll() is None:
                server.kill()


@dataclass
class Window:
    """The page's server. ``url`` is where it is; ``/?person=1&bare=1`` shows one phone alone, for screenshots."""

    api: BotApi
    bot: FakeBot
    seats: list[Seat]
    url: str = ""
    server: Server | None = None

    @contextlib.asynccontextmanager
    async def open(self, port: int = 0) -> AsyncIterator[None]:
        """Serve the page on 127.0.0.1 (0: a free port)."""
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=60 << 20)
        app.router.add_get("/", self._page)
        app.router.add_get("/chat/{seat}", self._chat)
        app.router.add_post("/chat/{seat}", self._act)
        app.router.add_post("/chat/{seat}/files", self._files)
        app.router.add_get("/file/{id}", self._file)
        return app

    def _seat(self, request: web.Request) -> Seat:
        number = request.match_info["seat"]
        if not number.isdigit() or int(number) >= len(self.seats):
            raise web.HTTPNotFound
        return self.seats[int(number)]

    async def _page(self, request: web.Request) -> web.Response:
        tabs = "".join(
            f'<button data-seat="{n}">{html.escape(seat.title)}</button>' for n, seat in enumerate(self.seats)
        )
        text = PAGE.read_text("utf-8").replace("$tabs", tabs).replace("$name", html.escape(self.bot.name))
        return web.Response(text=text, content_type="text/html")

    async def _chat(self, request: web.Request) -> web.Response:
        """The chat as the page draws it; ``state`` changes whenever the drawing would."""
        seat = self._seat(request)
        chat = seat.phone.chat
        drawn: dict[str, Any] = {
            "started": chat.started,
            "blocked": chat.blocked,
            "messages": [self._drawn(message) for message in chat.visible],
            "keyboard": _rows(chat.reply_keyboard),
            "toast": chat.toasts[-1] if chat.toasts else "",
            "toasts": len(chat.toasts),
            "commands": seat.phone.commands,
        }
        return web.json_response(drawn | {"state": str(hash(str(drawn)))})

    def _drawn(self, message: Message) -> dict[str, Any]:
        contents = ("contact", "voice", "video", "sticker", "location")
        return {
            "id": message.id,
            "mine": not message.from_bot,
            # Of a link's payload the person sees nothing.
            "html": "/start" if not message.from_bot and message.text.startswith("/start ") else message.html,
            "keyboard": _rows(message.keyboard),
            "photo": message.photo[-1].id_for(self.bot.id) if message.photo else "",
            "file": message.document.name if message.document else "",
            "other": next((kind for kind in contents if kind in message.extra), ""),
            "album": message.album,
            "time": datetime.fromtimestamp(message.date, UTC).astimezone(PLACE).strftime("%H:%M"),
            "edited": bool(message.edited) and not message.from_bot,  # of bots' messages phones do not say it
            "protected": message.protect_content,
        }

    async def _act(self, request: web.Request) -> web.Response:
        seat, act = self._seat(request), await request.json()
        phone = seat.phone
        match act["kind"]:
            case "open":
                await phone.opens(seat.payload)
            case "text":
                await phone.types(act["text"])
            case "press":
                found = phone.chat.index.get(int(act["message"]))
                if found is not None:
                    button = found.keyboard[act["row"]][act["column"]]
                    await phone.presses(button.data, found)
            case "contact":
                await phone.shares_contact()
            case _:
                raise web.HTTPBadRequest
        return web.json_response(True)

    async def _files(self, request: web.Request) -> web.Response:
        """Photos (one, or an album), or files as they are."""
        phone = self._seat(request).phone
        given = await request.post()
        files = [each for each in given.getall("file", []) if isinstance(each, web.FileField)]
        caption = str(given.get("caption", ""))
        if given.get("as") == "document":
            for each in files:
                await phone.sends_document(each.file.read(), each.filename, each.content_type, caption)
        elif len(files) == 1:
            await phone.sends_photo(files[0].file.read(), caption)
        elif files:
            await phone.sends_album([each.file.read() for each in files[:10]], caption)
        return web.json_response(True)

    async def _file(self, request: web.Request) -> web.Response:
        found = self.bot.files.get(request.match_info["id"])
        if found is None:
            raise web.HTTPNotFound
        return web.Response(body=found.data, content_type="image/jpeg" if found.kind == "photo" else "text/plain")


def _rows(keyboard: Keyboard) -> list[list[dict[str, Any]]]:
    def drawn(button: Button) -> dict[str, Any]:
        return {"text": button.text, "url": button.url, "contact": button.contact, "style": button.style}

    return [[drawn(button) for button in row] for row in keyboard]


async def _run(port: int) -> None:
    with tempfile.TemporaryDirectory(prefix="hoctap-window-") as folder:
        print("preparing ...", flush=True)
        async with window(Path(folder), port) as here:
            print(f"{here.url}  (the bot writes into {folder}/output; Ctrl-C ends)", flush=True)
            await asyncio.Event().wait()


def main() -> None:
    """Serve the window until it is ended."""
    parser = argparse.ArgumentParser(description="the product as Telegram would draw it")
    parser.add_argument("--port", type=int, default=8091)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args().port))
