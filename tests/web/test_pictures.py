"""Photos are told by content, turned upright and bare of metadata; whatever else comes is refused with a code."""

from __future__ import annotations

import hashlib
import struct
import time
import zlib
from io import BytesIO
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from bot.pictures import intake, papers
from bot.pictures.intake import BYTES_LIMIT, StoredPicture, difference_hash, is_bare, kind_of
from bot.pictures.refusal import PictureRefused
from bot.pictures.sentences import sentence
from locales import Voice, speaking
from tests.support import hostile
from tests.support.papers import certificate, encoded, objects, pdf, stream


def receive(data: bytes) -> StoredPicture:
    """The only picture of a file."""
    (stored,) = intake.receive(data)
    return stored


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
    start = time.process_time()
    assert refused(png_header(*size)) == "too_many_pixels"
    assert time.process_time() - start < 0.5


def test_fifty_million_pixels_are_still_taken() -> None:
    stored = receive(encoded(Image.new("L", (10_000, 5_000), 255)))
    assert (stored.width, stored.height) == (2560, 1280)


def test_too_many_bytes() -> None:
    assert refused(encoded(halves()) + bytes(BYTES_LIMIT)) == "too_big"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif",
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
    assert opened(intake.narrowed(data, 480)).size == (480, 240)
    assert intake.narrowed(data, 2000) is data
    chart = encoded(Image.new("RGB", (1080, 1600)), "PNG")
    assert intake.narrowed(chart, 1080) is chart
    assert intake.media_type(chart) == "image/png" and intake.media_type(data) == "image/jpeg"


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


# ------------------------------------------------------------------------------------------------ HEIC


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_heic_stands_upright_and_tells_nothing(orientation: int) -> None:
    undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}.get(orientation)
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = orientation, "Camera of Le"
    held = halves(160, 80) if undo is None else halves(160, 80).transpose(undo)
    data = encoded(held, "HEIF", exif=exif.tobytes(), quality=95)
    assert b"Camera of Le" in data and (orientation == 1 or b"irot" in data)
    stored = receive(data)
    assert (stored.width, stored.height) == (160, 80)
    red, blue = opened(stored.data).getpixel((20, 40)), opened(stored.data).getpixel((140, 40))
    assert red[0] > 200 > 60 > red[2] and blue[2] > 200 > 60 > blue[0]  # type: ignore[index]
    assert b"Camera" not in stored.data and is_bare(stored.data)


def test_a_heic_that_is_cut_off_or_lies_about_its_size() -> None:
    data = encoded(halves(640, 480), "HEIF")
    assert refused(data[: len(data) // 2]) == "broken"
    at = data.index(b"ispe") + 8
    assert refused(data[:at] + struct.pack(">II", 50_000, 50_000) + data[at + 8 :]) in ("too_many_pixels", "broken")


# ------------------------------------------------------------------------------------------------ PDF


def test_the_first_three_pages_of_a_pdf_are_pictures() -> None:
    data = pdf(5, picture=certificate(700))
    found = intake.receive(data)
    assert [(each.page, each.pages, each.in_file) for each in found] == [(1, 3, 5), (2, 3, 5), (3, 3, 5)]
    assert {each.source_hash for each in found} == {hashlib.sha256(data).hexdigest()}
    assert len({each.key for each in found}) == 3
    for each in found:
        assert (each.height, is_bare(each.data), is_bare(each.thumbnail)) == (2560, True, True)
        assert 1800 <= each.width <= 1812
    assert len(intake.receive(pdf(2))) == 2


def test_a_small_card_is_not_blown_up() -> None:
    stored = receive(pdf(1, (242.6, 153.1)))  # 86 × 54 mm
    assert (stored.width, stored.height) == (1011, 638)


PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R %s>>"
BLUE = stream(b"0 0 1 rg 0 0 200 200 re f")


def one_page(page: bytes, *more: bytes, root: bytes = b"", content: bytes = BLUE) -> bytes:
    pages = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    return objects(b"<</Type/Catalog/Pages 2 0 R %s>>" % root, pages, page, content, *more)


def test_scripts_forms_and_attachments_of_a_pdf_are_not_kept() -> None:
    script = b"<</S/JavaScript/JS(this.getField\\('a'\\).value='MARK')>>"
    attached = stream(b"MARK of the attachment", b"/Type/EmbeddedFile")
    root = b"/OpenAction 5 0 R/Names<</EmbeddedFiles<</Names[(a) <</Type/Filespec/F(a)/EF<</F 6 0 R>>>>]>>>>"
    data = one_page(PAGE % b"/AA<</O 5 0 R>>", script, attached, root=root)
    stored = receive(data)
    assert b"MARK" in data and b"MARK" not in stored.data + stored.thumbnail
    assert opened(stored.data).getpixel((100, 100))[2] > 240  # type: ignore[index]


@pytest.mark.parametrize(
    ("page", "code"),
    [
        (b"0 0 1000000 1000000", "too_many_pixels"),
        (b"0 0 14401 200", "too_many_pixels"),
        (b"0 0 0.5 200", "broken"),
    ],
)
def test_pages_of_no_paper_are_refused_before_they_are_drawn(page: bytes, code: str) -> None:
    began = time.process_time()
    assert refused(one_page(b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R>>" % page)) == code
    assert time.process_time() - began < 1


def test_a_pdf_that_cannot_be_read() -> None:

    assert refused(hostile.locked(Random(1))) == "locked"
    assert refused(b"%PDF-1.7 ...") == "broken"
    whole = pdf(1)
    assert refused(objects(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>")) == "broken"
    assert len(intake.receive(b"\xef\xbb\xbf\n" + whole)) == 1  # as some scanners write it


def test_a_rotated_page_stands_as_its_reader_sees_it() -> None:
    left_blue = stream(b"0 0 1 rg 0 0 100 100 re f 1 0 0 rg 100 0 100 100 re f")
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Rotate 90/Contents 4 0 R>>"
    stored = receive(one_page(page, content=left_blue))
    assert stored.height == 2 * stored.width
    top, bottom = (opened(stored.data).getpixel((20, y)) for y in (20, stored.height - 20))
    assert top[2] > 240 > 20 > top[0] and bottom[0] > 240 > 20 > bottom[2]  # type: ignore[index]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (encoded(Image.new("RGB", (4, 4)), name), name.lower().replace("heif", "heic"))
        for name in ("JPEG", "PNG", "WEBP", "HEIF")
    ]
    + [(pdf(1), "pdf")],
)
def test_the_content_says_what_a_file_is(head: bytes, kind: str) -> None:
    assert kind_of(head) == kind


def test_a_pdf_within_a_photo_is_a_photo_and_a_photo_after_a_pdf_is_not_looked_at() -> None:
    photo, paper = encoded(halves()), pdf(1)
    assert receive(photo + paper).width == 80
    assert receive(paper + photo).height == 2560
    assert papers.kind_of(photo + paper) is None


# ------------------------------------------------------------------------------------------------ what is stored


def test_xmp_and_place_of_every_kind_are_gone() -> None:
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>20.9513 N</x:xmpmeta>"
    for format in ("JPEG", "PNG", "WEBP", "HEIF"):
        data = encoded(halves(), format, xmp=xmp)
        if format != "PNG":  # Pillow writes none there
            assert b"20.9513" in data
        stored = receive(data)
        assert b"20.9513" not in stored.data and b"xmp" not in stored.data and is_bare(stored.data)


def test_what_is_bare() -> None:
    plain = receive(encoded(halves())).data
    assert is_bare(plain)
    assert is_bare(encoded(halves(), progressive=True))
    for more in (encoded(halves(), comment=b"hello"), encoded(halves(), exif=Image.Exif().tobytes()), plain + b"PK"):
        assert not is_bare(more)
    for cut in range(0, len(plain), 7):
        assert not is_bare(plain[:cut])


def test_small_print_stays_legible() -> None:
    """A photo of 12 Mpx of an A4 page: its QR of 15 mm is read, and its print of 7 points keeps its contrast."""
    import zxingcpp

    whole = certificate(4000)
    stored = receive(encoded(whole, quality=92))
    (code,) = zxingcpp.read_barcodes(opened(stored.data))
    assert code.text == "https://hoctap.example.vn/q/0417"
    lines = (0.28, 0.36, 0.72, 0.50)  # the eight lines of small print

    def spread(image: Image.Image) -> float:
        width, height = image.size
        part = image.crop(
            (int(lines[0] * width), int(lines[1] * height), int(lines[2] * width), int(lines[3] * height))
        )
        greys = sorted(part.convert("L").tobytes())
        return greys[len(greys) // 2] - greys[len(greys) // 50]  # paper against the darkest fiftieth

    assert spread(opened(stored.data)) > 0.85 * spread(whole)
    # The same print at a width of 640 px has lost it: the criterion tells.
    assert spread(opened(intake.narrowed(stored.data, 640))) < 0.85 * spread(whole)
    # Beside what a lossless picture of that size shows: black strokes, and red ones, whose colour must not be halved.
    lossless = whole.resize((stored.width, stored.height), Image.Resampling.LANCZOS)

    def error(left: float, top: float, right: float, bottom: float) -> list[float]:
        width, height = lossless.size
        box = (int(left * width), int(top * height), int(right * width), int(bottom * height))
        return ImageStat.Stat(ImageChops.difference(opened(stored.data).crop(box), lossless.crop(box))).rms

    assert max(error(*lines)) < 6
    assert max(error(0.64, 0.71, 0.78, 0.745)) < 8


def test_the_thumbnail_is_made_once_and_a_small_picture_needs_none() -> None:
    stored = receive(encoded(certificate(2000)))
    assert opened(stored.thumbnail).size == (480, 679)
    assert receive(encoded(halves(480, 300))).thumbnail == b""


def test_looks_survive_scaling_and_differ_between_pictures() -> None:
    picture = certificate(1600)
    looks = difference_hash(picture)
    assert looks is not None and len(looks) == 16
    assert difference_hash(picture.resize((600, 850))) == looks
    again = receive(encoded(picture, quality=60)).phash
    assert again is not None and (int(again, 16) ^ int(looks, 16)).bit_count() <= 2
    assert (int(looks, 16) ^ int(difference_hash(picture.rotate(180)) or "0", 16)).bit_count() > 12
    assert difference_hash(Image.new("RGB", (100, 100), "white")) is None


def test_a_picture_of_nothing_but_detail_is_taken() -> None:
    noise = Image.merge("RGB", [Image.effect_noise((2240, 2240), 250) for _n in range(3)])
    out = BytesIO()
    noise.save(out, "PNG", compress_level=1)
    (picture,) = intake.receive(out.getvalue())
    assert (picture.width, picture.height) == (2240, 2240)


@pytest.mark.parametrize("size", [(1654, 2339), (750, 1050), (2100, 100)])
def test_no_size_of_a_page_rounds_up_to_a_pixel_too_many(size: tuple[float, float]) -> None:
    (picture,) = intake.receive(pdf(1, size))
    assert max(picture.width, picture.height) <= 2560
