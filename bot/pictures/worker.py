"""A process that takes files in for :mod:`bot.pictures.pool`, one after another, and can do nothing else.

It is started with a clean environment and no open files, learns its limits before the first stranger's byte, and from
then on can open neither file nor socket. On its standard input a file is 8 bytes of length and its bytes; on its
standard output an answer is 8 bytes of length, JSON, and the bytes that the JSON counts.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from base64 import b64decode
from io import BytesIO

from PIL import Image

from bot.pictures import intake
from bot.pictures.refusal import PictureRefused

MEMORY = 1_536 * 1024 * 1024  # bytes of address space
CPU_SECONDS = 30  # of one file: ends a worker whose server is gone
READY = b"ready\n"
# A page that paints one letter, and a HEIC of 16 × 16 px: decoders load what they need before the doors are shut.
_PAGE = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
    b"4 0 obj<</Length 35>>stream\nBT /F 20 Tf 10 10 Td (a) Tj ET     \nendstream endobj\n"
    b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n"
)


def main() -> None:
    """Take files in until the standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    _warm()
    _shut()
    answers.write(READY)
    answers.flush()
    files = sys.stdin.buffer
    while head := files.read(8):
        _spend()
        for part in _answer(files.read(int.from_bytes(head))):
            answers.write(part)
        answers.flush()


def _answer(data: bytes) -> list[bytes]:
    try:
        found = intake.receive(data)
    except PictureRefused as refused:
        said = json.dumps({"refused": refused.code}).encode()
        return [len(said).to_bytes(8), said]
    told = [
        {
            "width": each.width,
            "height": each.height,
            "phash": each.phash,
            "sizes": [len(each.data), len(each.thumbnail)],
        }
        for each in found
    ]
    said = json.dumps({"pictures": told, "in_file": found[0].in_file}).encode()
    return [len(said).to_bytes(8), said, *(part for each in found for part in (each.data, each.thumbnail))]


def _warm() -> None:
    tiny = Image.new("RGBA", (16, 16), (200, 0, 0, 128))
    for format in ("PNG", "WEBP", "JPEG"):
        out = BytesIO()
        tiny.convert("RGB" if format == "JPEG" else "RGBA").save(out, format)
        intake.receive(out.getvalue())
    intake.receive(_PAGE)
    intake.receive(b64decode(_HEIC))


def _shut() -> None:
    os.nice(5)
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 4),  # the three and the answers: there is no number left for another
    ):
        resource.setrlimit(what, (most, most))


def _spend() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + CPU_SECONDS, hard))


_HEIC = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ACJpbG9jAAAAAERAAAEAAQAAAAABoAABAAAAAAAAACkAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    "AAAAAAABAAAA/GlwcnAAAADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQApQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNs"
    "eAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAAChjbGFwAAAAEAAAAAEAAAAQAAAAAf///9AAAAAC////0AAAAAIAAAAQcGl4"
    "aQAAAAADCAgIAAAAGGlwbWEAAAAAAAAAAQABBYECAwWEAAAAMW1kYXQAAAAlKAGvC0hXkHD1/TpX/96677REGsexIXlAqNVqVoCc"
    "kjl6kCuAsA=="
)


if __name__ == "__main__":
    main()
