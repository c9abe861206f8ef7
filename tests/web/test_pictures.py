"""Photos are told by content, turned upright and bare of metadata; whatever else comes is refused with a code."""

from __future__ import annotations

import hashlib
import struct
import time
import zlib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.pictures import intake as pictures
from bot.pictures.intake import BYTES_LIMIT, receive
from bot.pictures.refusal import PictureRefused
from bot.pictures.sentences import sentence
from locales import Voice, speaking


def encoded(image: Image.Image, format: str = "JPEG", **how: object) -> bytes:
    out = BytesIO()
    image.save(out, format, **how)
    return out.getvalue()


def halves(width: int = 80, height: int = 40) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", (width, height), "blue")
    image.paste("red", (0, 0, width // 2, height))
    return image


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data), formats=["JPEG"])


def refused(data: bytes) -> str:
    with pytest.raises(PictureRefused) as caught:
        receive(data)
    return caught.value.code


def test_the_key_is_the_hash_of_what_is_stored_and_the_same_photo_gets_the_same_key() -> None:
    data = encoded(halves())
    stored = receive(data)
    assert stored.key == hashlib.sha256(stored.data).hexdigest()
    assert stored.source_hash == hashlib.sha256(data).hexdigest()
    assert (stored.width, stored.height) == (80, 40) == opened(stored.data).size
    assert receive(data).key == stored.key


def test_place_and_comments_are_gone() -> None:
    exif = Image.Exif()
    exif[0x0110] = "Camera of Le"
    exif.get_ifd(0x8825)[2] = (20.95, 0.0, 0.0)
    data = encoded(halves(), exif=exif.tobytes(), comment=b"so nha 12", icc_profile=b"profile")
    assert b"Camera of Le" in data and b"so nha 12" in data and b"profile" in data  # it was there
    stored = receive(data).data
    for trace in (b"Camera of Le", b"so nha 12", b"Exif", b"ICC_PROFILE"):
        assert trace not in stored
    assert not opened(stored).getexif()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_stands_upright(orientation: int) -> None:
    upright = halves()
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    as_held = upright if undo is None else upright.transpose(undo)
    stored = receive(encoded(as_held, exif=exif.tobytes(), quality=95))
    assert (stored.width, stored.height) == (80, 40)
    red, blue = opened(stored.data).getpixel((10, 20)), opened(stored.data).getpixel((70, 20))
    assert red[0] > 200 > 60 > red[2] and blue[2] > 200 > 60 > blue[0]  # type: ignore[index]


def test_the_longest_side_is_bounded() -> None:
    stored = receive(encoded(Image.new("RGB", (6000, 3000), "white")))
    assert (stored.width, stored.height) == (2560, 1280)


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_what_is_transparent_becomes_paper(format: str) -> None:
    stored = receive(encoded(Image.new("RGBA", (8, 8), (255, 0, 0, 0)), format))
    assert min(opened(stored.data).getpixel((4, 4))) > 250  # type: ignore[type-var,arg-type]


def test_a_scan_of_16_bits_keeps_its_greys() -> None:
    grey = Image.new("I;16", (8, 8), 128 * 256)
    value = opened(receive(encoded(grey, "PNG")).data).getpixel((4, 4))
    assert 120 < value[0] < 136  # type: ignore[index,operator]


def test_of_a_moving_picture_the_first_frame_counts() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("lime", "red")]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    green = opened(receive(data).data).getpixel((4, 4))
    assert green[1] > 240 and green[0] < 30  # type: ignore[index,operator]


def png_header(width: int, height: int, extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(extra)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(7072, 7072), (10_000, 10_000), (60_000, 60_000)])
def test_too_many_pixels_are_refused_before_they_are_decoded(size: tuple[int, int]) -> None:
    start = time.perf_counter()
    assert refused(png_header(*size)) == "too_many_pixels"
    assert time.perf_counter() - start < 0.5


def test_fifty_million_pixels_are_still_taken() -> None:
    stored = receive(encoded(Image.new("L", (10_000, 5_000), 255)))
    assert (stored.width, stored.height) == (2560, 1280)


def test_too_many_bytes() -> None:
    assert refused(encoded(halves()) + bytes(BYTES_LIMIT)) == "too_big"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.7 ...",
        b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"PK\x03\x04 zip",
        encoded(Image.new("RGB", (4, 4)), "GIF"),
        encoded(Image.new("RGB", (4, 4)), "BMP"),
        encoded(Image.new("RGB", (4, 4)), "TIFF"),
    ],
)
def test_what_is_no_photo(data: bytes) -> None:
    assert refused(data) == "not_a_picture"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_photo_that_is_cut_off(format: str) -> None:
    whole = encoded(Image.effect_noise((300, 300), 90).convert("RGB"), format)
    assert refused(whole[: len(whole) // 2]) == "broken"


def test_a_file_of_two_formats_is_stored_as_the_photo_only() -> None:
    script = b"<script>alert(1)</script>"
    stored = receive(encoded(halves()) + b"PK\x03\x04" + script)
    assert script not in stored.data and stored.data.startswith(b"\xff\xd8\xff")


@settings(max_examples=80, deadline=None)
@given(at=st.integers(0, 2000), new=st.binary(min_size=1, max_size=40), format=st.sampled_from(["JPEG", "PNG", "WEBP"]))
def test_a_damaged_photo_is_taken_or_refused_and_nothing_else(at: int, new: bytes, format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = bytearray(encoded(halves(), format, exif=exif.tobytes()))
    at %= len(data)
    data[at : at + len(new)] = new
    try:
        stored = receive(bytes(data))
    except PictureRefused:
        return
    assert opened(stored.data).size == (stored.width, stored.height)


def test_a_narrowed_picture_keeps_its_shape_and_a_narrow_one_is_left_alone() -> None:
    data = receive(encoded(Image.new("RGB", (2000, 1000)))).data
    assert opened(pictures.narrowed(data, 480)).size == (480, 240)
    assert pictures.narrowed(data, 2000) is data
    chart = encoded(Image.new("RGB", (1080, 1600)), "PNG")
    assert pictures.narrowed(chart, 1080) is chart
    assert pictures.media_type(chart) == "image/png" and pictures.media_type(data) == "image/jpeg"


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_refusal_is_a_sentence(language: str) -> None:
    with speaking(Voice(language)):
        said = [
            sentence(code)
            for code in (
                "too_big", "too_many_pixels", "not_a_picture", "broken", "locked", "not_yet", "busy", "store_full",
                "day_full",
            )
        ]  # fmt: skip
    assert len(set(said)) == 9
