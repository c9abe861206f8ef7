"""The pages of the browser channel: the chat, what stands behind a unit's QR, the demo with its seats side by side."""

from __future__ import annotations

import hashlib
import json
from html import escape
from importlib import resources
from string import Template
from urllib.parse import quote, urlsplit

from aiohttp import web

from bot.channels.web_acts import TEXT_LIMIT
from bot.channels.web_backend import Landing
from bot.channels.web_site import Site, refusal
from bot.pictures import intake
from locales import LANGUAGES, Voice, _, speaking

STATIC = {
    "chat.css": "text/css",
    "page.css": "text/css",
    "chat.js": "text/javascript",
    "outbox.js": "text/javascript",
    "photos.js": "text/javascript",
    "view.js": "text/javascript",
    "demo.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


async def page(site: Site, text: str, request: web.Request) -> web.Response:
    """A page that is the same for everybody."""
    return web.Response(text=text, content_type="text/html")


async def moved(where: str, request: web.Request) -> web.Response:
    raise web.HTTPFound(where)


async def static(request: web.Request) -> web.Response:
    """A file of the page. Nothing in it is personal, so it may be kept, but is asked for anew after an update."""
    name = request.match_info["name"]
    if name not in STATIC:
        return refusal("file", 404)
    body = packaged(name)
    tag = '"' + hashlib.sha256(body.encode()).hexdigest()[:24] + '"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    response = web.Response(text=body, content_type=STATIC[name], headers=headers)
    response.enable_compression()
    return response


def packaged(name: str) -> str:
    """A file shipped beside this module."""
    return (resources.files("bot.channels") / "web_static" / name).read_text(encoding="utf-8")


def chat_page(site: Site) -> str:
    """The chat page of one mount: its sentences in every language as data, since no script may stand in the page."""
    sentences = {}
    for language in LANGUAGES:
        with speaking(Voice(language)):
            sentences[language] = chrome()
    setup = {"base": f"{site.prefix}/chat", "limit": intake.BYTES_LIMIT, "text": TEXT_LIMIT, "sentences": sentences}
    with speaking(Voice("vi")):
        return Template(packaged("chat.html")).substitute(
            static=f"{site.prefix}/static",
            title=escape(_("web.title")),
            noscript=escape(_("web.noscript")),
            setup=json.dumps(setup, ensure_ascii=False).replace("<", "\\u003c"),
        )


async def landing(site: Site, request: web.Request) -> web.Response:
    """``GET /q/{payload}``: the page behind a unit's QR. It only shows; the chat begins where the person presses."""
    payload = request.match_info["payload"]
    found = await site.backend.landing(payload) if len(payload) <= 200 else None
    language = "en" if request.query.get("lang") == "en" else "vi"
    with speaking(Voice(language)):
        text = landing_page(site, payload, found, language)
    return web.Response(text=text, status=200 if found else 404, content_type="text/html")


def landing_page(site: Site, payload: str, found: Landing | None, language: str) -> str:
    """The page of a unit, or of a wrong code, in the voice in force. Everything not ours is escaped."""
    common = {
        "lang": language,
        "static": f"{site.prefix}/static",
        "title": escape(_("web.title")),
        "other": "en" if language == "vi" else "vi",
        "other_label": escape(_("web.other_language")),
    }
    if found is None:
        return Template(packaged("wrong.html")).substitute(
            common,
            chat=f"{site.prefix}/chat",
            heading=escape(_("web.wrong.heading")),
            text=escape(_("web.wrong.text")),
            start=escape(_("web.wrong.start")),
        )
    links = "".join(
        f'<li><a class="choice" href="{escape(url)}" rel="noreferrer">{escape(label)}</a></li>'
        for label, url in found.links
        if urlsplit(url).scheme in ("https", "http")
    )
    return Template(packaged("landing.html")).substitute(
        common,
        chat=f"{site.prefix}/chat#q={quote(payload, safe='')}",
        invitation=escape(_("web.landing.invitation")),
        unit=escape(found.unit),
        within=escape(", ".join(found.within)),
        start=escape(_("web.landing.start")),
        free=escape(_("web.landing.free")),
        elsewhere=f"<p>{escape(_('web.landing.elsewhere'))}</p><ul>{links}</ul>" if links else "",
        code_label=escape(_("web.landing.code")),
        code=escape(found.code),
    )


async def demo_page(site: Site, request: web.Request) -> web.Response:
    """``GET /demo/``: the seeded people side by side, each in a frame with a cookie of its own."""
    frames, tabs = [], []
    for n, seat in enumerate(site.backend.demo_seats):
        address = escape(f"{seat.prefix}/chat#once={quote(seat.payload, safe='')}")
        title = escape(seat.title)
        selected = "true" if n == 0 else "false"
        tabs.append(
            f'<button role="tab" id="tab{n}" aria-controls="seat{n}" aria-selected="{selected}">{title}</button>'
        )
        frames.append(
            f'<section id="seat{n}" role="tabpanel" aria-labelledby="tab{n}"><h2>{title}</h2>'
            f'<iframe title="{title}" src="{address}"></iframe></section>'
        )
    with speaking(Voice("vi")):
        text = Template(packaged("demo.html")).substitute(
            static=f"{site.prefix}/static",
            title=escape(_("web.demo.title")),
            text=escape(_("web.demo.text")),
            tabs="".join(tabs),
            frames="".join(frames),
        )
    return web.Response(text=text, content_type="text/html")


def chrome() -> dict[str, str]:
    """The chat page's own words, in the voice in force; what stands in braces is filled by the page."""
    count, done, total = "{count}", "{done}", "{total}"
    return {
        "title": _("web.title"),
        "connecting": _("web.connecting"),
        "ready": _("web.ready"),
        "offline": _("web.offline"),
        "offlineKept": _("web.offline_kept", count=count),
        "sending": _("web.sending"),
        "sent": _("web.sent"),
        "waiting": _("web.waiting"),
        "busy": _("web.busy"),
        "failed": _("web.failed"),
        "again": _("web.again"),
        "placeholder": _("web.placeholder"),
        "placeholderPhoto": _("web.placeholder_photo"),
        "placeholderCaption": _("web.placeholder_caption"),
        "placeholderYear": _("web.placeholder_year"),
        "placeholderTel": _("web.placeholder_tel"),
        "placeholderName": _("web.placeholder_name"),
        "send": _("web.send"),
        "sendPhotos": _("web.send_photos", count=count),
        "addPhoto": _("web.add_photo"),
        "takePhoto": _("web.take_photo"),
        "removePhoto": _("web.remove_photo"),
        "uploading": _("web.uploading"),
        "uploadWaiting": _("web.upload_waiting"),
        "tooMany": _("web.too_many", count=count),
        "photo": _("web.photo"),
        "enlarge": _("web.enlarge"),
        "dropHere": _("web.drop_here"),
        "notPicture": _("photo.not_a_picture"),
        "tooBig": _("photo.too_big"),
        "newest": _("web.newest"),
        "log": _("web.log"),
        "choices": _("web.choices"),
        "you": _("web.you_said"),
        "bot": _("web.bot_said"),
        "progress": _("web.progress", done=done, total=total),
        "menu": _("web.menu"),
        "larger": _("web.larger"),
        "help": _("web.help"),
        "language": _("web.language"),
        "leave": _("web.leave"),
        "leaveAsk": _("web.leave_ask"),
        "leaveUnsent": _("web.leave_unsent", count=count),
        "leaveYes": _("web.leave_yes"),
        "leaveNo": _("web.leave_no"),
        "leaveFailed": _("web.leave_failed"),
        "save": _("web.save"),
        "fileOver": _("handed.over", file="{file}"),
        "close": _("web.close"),
        "previous": _("web.previous"),
        "next": _("web.next"),
        "zoom": _("web.zoom"),
        "today": _("web.today"),
        "yesterday": _("web.yesterday"),
    }
