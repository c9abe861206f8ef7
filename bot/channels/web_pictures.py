"""Pictures through the browser: taken in while their bytes are counted, shown to whom they are meant for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from aiohttp import BodyPartReader, web

from bot.channels.web_site import KEY, Site, json_response, known, number_of, own_page, put_off, refusal
from bot.pictures import intake
from bot.pictures.refusal import PictureRefused
from bot.pictures.sentences import sentence
from locales import LANGUAGES, Voice, speaking

UPLOAD_SECONDS = 300  # a 20 MB photo on a slow line
WIDTHS = (480, 1080)  # px: a thumbnail; a phone's screen
UPLOAD_STATUS = {"too_big": 413, "busy": 503, "store_full": 507}


async def upload(site: Site, request: web.Request) -> web.Response:
    """``POST /chat/upload``: one photo or PDF, as the body or as the first file of a form → ``{key, width,
    height, keys}``: the first picture, and the keys of all.

    A refusal is ``{error, sentence}`` in the language of ``?lang``.
    """
    if not own_page(site, request):
        return refusal("origin", 403)
    address = known(site, request)
    if address is None:
        return refusal("unknown_browser", 401)
    if wait := site.doors.contact.take(address) or site.doors.uploads.take(address):
        return await put_off(site, address, wait)
    try:
        await site.backend.may_upload(address)
        with site.doors.bodies.hold("") as free, site.doors.bodies_of_one.hold(address) as free_of_one:
            if not (free and free_of_one):
                raise PictureRefused("busy")
            async with asyncio.timeout(UPLOAD_SECONDS):
                data = await photo_bytes(request)
            found = await site.backend.upload(address, data)
    except PictureRefused as refused:
        return photo_refusal(request, refused.code, UPLOAD_STATUS.get(refused.code, 422))
    except TimeoutError:
        return photo_refusal(request, "busy", 503)
    keys = [each.key for each in found]
    return json_response(json.dumps({"key": keys[0], "width": found[0].width, "height": found[0].height, "keys": keys}))


async def photo_bytes(request: web.Request) -> bytes:
    """The photo's bytes, counted while they come: one above the limit is refused before it is all here."""
    envelope = 4096
    if (request.content_length or 0) > intake.BYTES_LIMIT + envelope:
        raise PictureRefused("too_big")
    data = bytearray()
    async for chunk in photo_chunks(request):
        data += chunk
        if len(data) > intake.BYTES_LIMIT:
            raise PictureRefused("too_big")
    if not data:
        raise PictureRefused("not_a_picture")
    return bytes(data)


async def photo_chunks(request: web.Request) -> AsyncIterator[bytes]:
    """The body, or the first file in it where it is a form."""
    if not request.content_type.startswith("multipart/"):
        async for chunk in request.content.iter_chunked(1 << 16):
            yield chunk
        return
    try:
        form = await request.multipart()
        while (part := await form.next()) is not None:
            if isinstance(part, BodyPartReader) and part.filename:
                while chunk := await part.read_chunk(1 << 16):
                    yield chunk
                return
    except ValueError as malformed:
        raise PictureRefused("broken") from malformed


async def picture(site: Site, request: web.Request) -> web.Response:
    """``GET /chat/picture/{key}?w=480|1080``: a picture meant for this browser, no wider than asked."""
    address = known(site, request)
    key = request.match_info["key"]
    width = number_of(request.query.get("w"))
    small = width == WIDTHS[0]
    data = await site.backend.picture(address, key, small) if address and KEY.fullmatch(key) else None
    if data is None:
        return refusal("picture", 404)
    if width in WIDTHS:
        data = await smaller(site, key, data, width)
    return web.Response(body=data, content_type=intake.media_type(data))


async def smaller(site: Site, key: str, data: bytes, width: int) -> bytes:
    """The picture narrowed; the last few are kept, since a page is opened again and again."""
    kept = site.small.pop((key, width), None)
    if kept is None:
        async with site.decoders:
            kept = await asyncio.to_thread(intake.narrowed, data, width)
    site.small[key, width] = kept
    while len(site.small) > 64:
        site.small.popitem(last=False)
    return kept


def photo_refusal(request: web.Request, code: str, status: int) -> web.Response:
    """Why a photo was not taken, as a sentence in the page's language."""
    language = request.query.get("lang", "")
    with speaking(Voice(language if language in LANGUAGES else "vi")):
        said = sentence(code)
    return json_response(json.dumps({"error": code, "sentence": said}, ensure_ascii=False), status)
