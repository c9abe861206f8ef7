"""Photos on their way in (ảnh minh chứng): told by content, decoded, turned upright, written anew, bare of metadata.

What is stored is always a JPEG that this module made, never the bytes that came: a photo carries the place where it was
taken, and a file may be two formats at once. Everything here blocks: callers run it in a thread.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from locales import _

BYTES_LIMIT = 20 * 1024 * 1024
PIXELS_LIMIT = 50_000_000
LONGEST_SIDE = 2560  # the small print of an A4 certificate is still legible
QUALITY = 85
FORMATS = ("JPEG", "PNG", "WEBP")
ORIENTATION_TAG = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow raises on a file that is cut off or lies about itself; its decoders promise no single class.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A photo ready to store: ``key`` is the SHA-256 (hex) of ``data``, a JPEG of at most 2,560 px a side.

    ``source_hash`` is the SHA-256 (hex) of the bytes as they came, so that the same file sent twice can be told.
    """

    key: str
    data: bytes = field(repr=False)
    width: int
    height: int
    source_hash: str


class PictureRefused(Exception):
    """A file that is not taken. ``code``: ``too_big``, ``too_many_pixels``, ``not_a_picture`` or ``broken``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def receive(data: bytes) -> StoredPicture:
    """The photo in *data* (JPEG, PNG or WebP; ≤ 20 MB, ≤ 50 Mpx), its first frame only, ready to store.

    The size is read from the header before anything is decoded. Blocks for up to a second or so on a large photo.
    Raises :class:`PictureRefused`.
    """
    if len(data) > BYTES_LIMIT:
        raise PictureRefused("too_big")
    upright = decoded(data)
    out = BytesIO()
    upright.save(out, "JPEG", quality=QUALITY, optimize=True)
    stored = out.getvalue()
    return StoredPicture(
        key=hashlib.sha256(stored).hexdigest(),
        data=stored,
        width=upright.width,
        height=upright.height,
        source_hash=hashlib.sha256(data).hexdigest(),
    )


def narrowed(data: bytes, width: int) -> bytes:
    """A stored picture at most *width* px wide, as JPEG, for a list or a phone; *data* itself where it is no wider."""
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        if image.width <= width:
            return data
        height = max(1, round(image.height * width / image.width))
        image.draft("RGB", (width, height))
        small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = BytesIO()
    small.save(out, "JPEG", quality=80)
    return out.getvalue()


def media_type(data: bytes) -> str:
    """The media type of a stored picture, by its first bytes (charts are PNG)."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return "image/jpeg"


def sentence(code: str) -> str:
    """What a person reads when a photo was not taken, in the voice in force; each says what to do next.

    Besides the codes of :class:`PictureRefused`: ``not_yet`` (nobody has joined in this chat) and ``busy``.
    """
    return {
        "too_big": _("photo.too_big"),
        "too_many_pixels": _("photo.too_many_pixels"),
        "not_a_picture": _("photo.not_a_picture"),
        "broken": _("photo.broken"),
        "not_yet": _("photo.not_yet"),
        "busy": _("photo.busy"),
    }[code]


def decoded(data: bytes) -> Image.Image:
    """The picture in *data*: upright, RGB, at most :data:`LONGEST_SIDE` px a side. Raises :class:`PictureRefused`."""
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as bomb:
        raise PictureRefused("too_many_pixels") from bomb
    except UnidentifiedImageError as unknown:
        raise PictureRefused("not_a_picture") from unknown
    except DAMAGE as damage:
        raise PictureRefused("broken") from damage
    with image:
        if image.width * image.height > PIXELS_LIMIT:
            raise PictureRefused("too_many_pixels")
        turn = TURNS.get(orientation(image))
        try:
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is then decoded at a half, a quarter, an eighth
            image.load()
            flat = on_white(image)
        except DAMAGE as damage:
            raise PictureRefused("broken") from damage
    flat.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    upright = flat if turn is None else flat.transpose(turn)
    upright.info.clear()  # else the writer would carry comments and colour profiles over
    return upright


def orientation(image: Image.Image) -> int:
    """How the camera was held (EXIF 1 to 8); 1 where nothing readable says so, for a damaged note spoils no photo."""
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except DAMAGE:
        return 1
    return value if isinstance(value, int) else 1


def on_white(image: Image.Image) -> Image.Image:
    """The first frame as RGB; what is transparent becomes white, as it would be on paper."""
    if image.mode.startswith("I"):  # 16 bits a pixel (scanners): a plain conversion would clip it to white
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image.convert("RGB")
