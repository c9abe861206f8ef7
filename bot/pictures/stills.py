"""Still pictures: JPEG, PNG, WebP and HEIC, decoded upright and no larger than is kept."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pi_heif
from PIL import Image, UnidentifiedImageError

from bot.pictures.refusal import PictureRefused

PIXELS_LIMIT = 50_000_000
LONGEST_SIDE = 2560  # the small print of an A4 certificate is still legible
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
# Brands of a HEIF file whose pictures are coded as HEVC (ISO/IEC 23008-12); AVIF is another codec.
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2")
# What decoders raise on a file that is cut off or lies about itself; they promise no single class.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    RuntimeError,
    AttributeError,
    MemoryError,
    struct.error,
    zlib.error,
)

pi_heif.options.THUMBNAILS = False
pi_heif.options.DEPTH_IMAGES = False
pi_heif.options.AUX_IMAGES = False
pi_heif.options.DECODE_THREADS = 1


def kind_of(data: bytes) -> str | None:
    """``jpeg``, ``png``, ``webp``, ``heic`` by the first bytes; ``None``: none of these."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS:
        return "heic"
    return None


def decoded(data: bytes, kind: str) -> Image.Image:
    """The picture in *data*: its first frame, upright, RGB, at most :data:`LONGEST_SIDE` px a side.

    Raises :class:`PictureRefused` (``too_many_pixels``, ``broken``).
    """
    try:
        return _heic(data) if kind == "heic" else _by_pillow(data, kind)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as bomb:
        raise PictureRefused("too_many_pixels") from bomb
    except UnidentifiedImageError as unknown:
        raise PictureRefused("broken") from unknown
    except DAMAGE as damage:
        raise PictureRefused("broken") from damage


def _by_pillow(data: bytes, kind: str) -> Image.Image:
    with Image.open(BytesIO(data), formats=(kind.upper(),)) as image:
        _check_pixels(image.size)
        turn = TURNS.get(orientation(image))
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is then decoded at a half, a quarter, an eighth
        image.load()
        small = on_white(image)
    return small if turn is None else small.transpose(turn)


def _heic(data: bytes) -> Image.Image:
    # The decoder turns the picture as the file's own boxes say; EXIF says the same once more and is not asked.
    found = pi_heif.open_heif(BytesIO(data), convert_hdr_to_8bit=True)
    _check_pixels(found.size)  # of the primary picture, from its header
    return on_white(found[found.primary_index].to_pillow())


def _check_pixels(size: tuple[int, int]) -> None:
    if size[0] * size[1] > PIXELS_LIMIT:
        raise PictureRefused("too_many_pixels")


def orientation(image: Image.Image) -> int:
    """How the camera was held (EXIF 1 to 8); 1 where nothing readable says so, for a damaged note spoils no photo."""
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except DAMAGE:
        return 1
    return value if isinstance(value, int) else 1


def on_white(image: Image.Image) -> Image.Image:
    """As RGB, at most :data:`LONGEST_SIDE` px a side; what is transparent becomes white, as it would be on paper."""
    if image.mode.startswith("I"):  # 16 bits a pixel (scanners): a plain conversion would clip it to white
        return shrunk(image.convert("I").point(lambda value: value * (1 / 256)).convert("L")).convert("RGB")
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        layer = shrunk(image.convert("RGBA"))  # made small first: three layers of 50 Mpx take 600 MB
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return shrunk(image.convert("L" if image.mode in ("1", "L") else "RGB")).convert("RGB")


def shrunk(image: Image.Image) -> Image.Image:
    """At most :data:`LONGEST_SIDE` px a side."""
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return image
