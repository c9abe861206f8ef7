"""Files on their way in (ảnh minh chứng): told by content, decoded or rendered, written anew, bare of metadata.

What is stored is always a JPEG that this module made, never the bytes that came: a photo carries the place where it was
taken, and a file may be two formats at once. Everything here blocks and runs decoders written in C on what strangers
send: the server does it in processes of their own (:mod:`bot.pictures.pool`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image

from bot.pictures import papers, stills
from bot.pictures.refusal import PictureRefused

BYTES_LIMIT = 20 * 1024 * 1024
# Without chroma subsampling, or the red strokes of a seal blur; 82 then takes the room of 85 with it.
QUALITY = 82
THUMBNAIL_WIDTH = 480  # px
FLAT = 12  # greys of 255: what differs less is an empty page, and all empty pages are alike


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture ready to store: ``key`` is the SHA-256 (hex) of ``data``, a JPEG of at most 2,560 px a side.

    ``source_hash`` is the SHA-256 (hex) of the file as it came, so that the same file sent twice can be told; ``page``
    of ``pages`` made of that file, which has ``in_file``. ``phash``: 64 bits (16 hex digits) that survive scaling and
    recompression; ``None`` for an empty page. ``thumbnail``: a JPEG 480 px wide, ``b""`` where the picture is no wider.
    """

    key: str
    data: bytes = field(repr=False)
    width: int
    height: int
    source_hash: str
    phash: str | None = None
    thumbnail: bytes = field(default=b"", repr=False)
    page: int = 1
    pages: int = 1
    in_file: int = 1


def receive(data: bytes) -> tuple[StoredPicture, ...]:
    """The pictures in a file, ready to store: one of a JPEG, PNG, WebP or HEIC (its first frame), up to three of a
    PDF (its first pages).

    ≤ 20 MB; ≤ 50 Mpx, read from the header before anything is decoded. Blocks for seconds at worst. Raises
    :class:`~bot.pictures.refusal.PictureRefused`.
    """
    source_hash = hashlib.sha256(data).hexdigest()
    made = [(_encoded(image), in_file) for image, in_file in _images(data)]
    return tuple(
        StoredPicture(
            hashlib.sha256(jpeg).hexdigest(),
            jpeg,
            width,
            height,
            source_hash,
            phash,
            thumbnail,
            page,
            len(made),
            in_file,
        )
        for page, ((jpeg, width, height, phash, thumbnail), in_file) in enumerate(made, 1)
    )


def kind_of(data: bytes) -> str:
    """What a file is by its first bytes: ``jpeg``, ``png``, ``webp``, ``heic``, ``pdf``. Raises
    :class:`~bot.pictures.refusal.PictureRefused` (``too_big``, ``not_a_picture``)."""
    if len(data) > BYTES_LIMIT:
        raise PictureRefused("too_big")
    kind = stills.kind_of(data) or papers.kind_of(data)
    if kind is None:
        raise PictureRefused("not_a_picture")
    return kind


def _images(data: bytes) -> Iterator[tuple[Image.Image, int]]:
    """The pictures to keep, each with the number of pages that the file has."""
    kind = kind_of(data)
    if kind == "pdf":
        yield from papers.pages(data)
    else:
        yield stills.decoded(data, kind), 1


def _encoded(image: Image.Image) -> tuple[bytes, int, int, str | None, bytes]:
    image.info.clear()  # else the writer would carry comments and colour profiles over
    small = image
    if image.width > THUMBNAIL_WIDTH:
        height = max(1, round(image.height * THUMBNAIL_WIDTH / image.width))
        small = image.resize((THUMBNAIL_WIDTH, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    thumbnail = b"" if small is image else _jpeg(small, quality=78)
    return _jpeg(image, quality=QUALITY, subsampling=0), image.width, image.height, difference_hash(small), thumbnail


def _jpeg(image: Image.Image, **how: int) -> bytes:
    out = BytesIO()
    try:
        image.save(out, "JPEG", optimize=True, **how)
    except OSError:  # pure noise needs more than the one byte a pixel that Pillow gives its optimiser
        out = BytesIO()
        image.save(out, "JPEG", **how)
    return out.getvalue()


def difference_hash(image: Image.Image) -> str | None:
    """dHash, 64 bits as 16 hex digits: of a 9 × 8 grey miniature, is each cell brighter than its right neighbour?

    The same picture scaled, recompressed or a little brighter has the same or nearly the same; so have two papers of
    one template. ``None`` where the miniature is flat. (Krawetz, "Kind of Like That", 2013.)
    """
    cells = image.convert("L").resize((9, 8), Image.Resampling.BOX).tobytes()
    if max(cells) - min(cells) < FLAT:
        return None
    bits = [cells[9 * y + x] > cells[9 * y + x + 1] for y in range(8) for x in range(8)]
    return f"{sum(bit << place for place, bit in enumerate(bits)):016x}"


# ------------------------------------------------------------------------------------------ what is stored


def narrowed(data: bytes, width: int) -> bytes:
    """A stored picture at most *width* px wide, as JPEG, for a list or a phone; *data* itself where it is no wider."""
    with Image.open(BytesIO(data), formats=("JPEG", "PNG")) as image:
        if image.width <= width:
            return data
        height = max(1, round(image.height * width / image.width))
        image.draft("RGB", (width, height))
        small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _jpeg(small, quality=80)


def media_type(data: bytes) -> str:
    """The media type of a stored picture, by its first bytes (charts are PNG)."""
    return "image/png" if data.startswith(b"\x89PNG\r\n\x1a\n") else "image/jpeg"


_BARE = b"\xc0\xc2\xc4\xdb\xdd"  # frame (baseline, progressive), Huffman and quantization tables, restart interval
_JFIF = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"


def is_bare(data: bytes) -> bool:
    """Is this a JPEG with nothing in it but a picture: JFIF's 16 bytes, no other APPn, no comment, nothing after its
    end? Reads the structure only."""
    if not data.startswith(_JFIF):
        return False
    at = 20
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        marker = data[at + 1]
        if marker != 0xDA and marker not in _BARE:
            return False
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
        if marker != 0xDA:
            continue
        # In the entropy-coded bytes FF 00 is a byte FF, FF D0 to FF D7 are restarts; anything else ends the scan.
        while (
            (at := data.find(b"\xff", at)) >= 0
            and data[at + 1 : at + 2]
            and (data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7)
        ):
            at += 2
        if at < 0:
            return False
        if data[at + 1 :] == b"\xd9":
            return True
    return False
