"""What every printed page (trang in) shares: A4 or A3, embedded faces, colours that print in grey, text that fits, and
the square that a phone reads (mã QR)."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO

import qrcode  # type: ignore[import-untyped]
from qrcode.constants import ERROR_CORRECT_Q  # type: ignore[import-untyped]
from reportlab.lib.colors import HexColor  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A3, A4  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from reports import fonts

__all__ = [
    "BLACK", "BLUE", "FACES", "HEIGHT", "INK", "MUTED", "PALE", "PAPER", "QUIET", "RED", "SIZES", "WIDTH", "Canvas",
    "HexColor", "centred", "clean", "document", "mm", "modules", "square", "text", "write",
]  # fmt: skip

QUIET = 4  # modules of white around the square: the standard's least

WIDTH, HEIGHT = A4
SIZES = {"a4": A4, "a3": A3}
# Dark enough that a black-and-white print keeps every contrast.
BLUE, RED, INK, MUTED, PALE = (HexColor(c) for c in ("#0B4F8A", "#B3261E", "#1A1A1A", "#4A4A4A", "#EAF1F8"))
PAPER, BLACK = HexColor("#FFFFFF"), HexColor("#000000")
FACES = {False: "NotoSans", True: "NotoSans-Bold"}


def document(
    draw: Callable[[Canvas, int], str], pages: int, title: str, author: str = "", size: str = "a4", mark: str = ""
) -> bytes:
    """A PDF of *pages* pages, fonts embedded, the same bytes for the same arguments.

    ``draw(canvas, page)`` draws a page (from 0) in points of an A4 page, however large the paper is, and gives what
    the reader's list of pages calls it (empty: nothing). *size*: one of :data:`SIZES`; *mark* goes into the file's
    keywords. ``KeyError`` for another size.
    """
    _embed()
    width, height = SIZES[size]
    out = BytesIO()
    canvas = Canvas(out, pagesize=(width, height), invariant=1)
    canvas.setTitle(clean(title))
    canvas.setAuthor(clean(author))
    if mark:
        canvas.setKeywords(mark)
    for page in range(pages):
        if size != "a4":
            canvas.scale(width / WIDTH, height / HEIGHT)
        if name := draw(canvas, page):
            canvas.bookmarkPage(f"p{page}")
            canvas.addOutlineEntry(name, f"p{page}")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def square(canvas: Canvas, payload: str, left: float, top: float, side: float) -> None:
    """The square with its quiet zone, *side* points wide, below and to the right of (*left*, *top*)."""
    dark = modules(payload)
    step = side / (len(dark) + 2 * QUIET)
    # One path for all: pieces filled one by one would show hairlines between them on some screens and printers.
    path = canvas.beginPath()
    for y, row in enumerate(dark):
        x = 0
        while x < len(row):
            run = x
            while run < len(row) and row[run]:
                run += 1
            if run > x:
                path.rect(left + (QUIET + x) * step, top - (QUIET + y + 1) * step, (run - x) * step, step)
            x = run + 1
    canvas.setFillColor(BLACK)
    canvas.drawPath(path, stroke=0, fill=1)


def modules(text: str) -> list[list[bool]]:
    """Which modules of the square are dark, row by row, without the quiet zone.

    Error correction Q: a quarter of it may be soiled. ``ValueError`` when the text is too long (about 1,600 letters).
    The mask is the one that the standard's penalties choose, though trying all eight takes 4 of the 6 ms: the square
    hangs on a wall for years.
    """
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_Q, border=0)
    code.add_data(text)
    code.make(fit=True)
    return [[bool(module) for module in row] for row in code.get_matrix()]


def text(canvas: Canvas, x: float, y: float, line: str, size: float, bold: bool, colour: HexColor) -> None:
    """One line that begins at *x*, its baseline at *y*."""
    canvas.setFillColor(colour)
    canvas.setFont(FACES[bold], size)
    canvas.drawString(x, y, line)


def centred(canvas: Canvas, middle: float, y: float, line: str, size: float, bold: bool, colour: HexColor) -> None:
    """One line with its middle at *middle*, its baseline at *y*."""
    canvas.setFillColor(colour)
    canvas.setFont(FACES[bold], size)
    canvas.drawCentredString(middle, y, line)


def write(
    canvas: Canvas,
    x: float,
    top: float,
    words: str,
    sizes: tuple[float, ...],
    within: float,
    lines: int = 1,
    *,
    bold: bool = False,
    colour: HexColor = INK,
) -> float:
    """Text below *top*, from *x*, at most *within* wide, at the largest of *sizes* that needs no more than *lines*
    lines (the last one if none does); where it ends below."""
    size, folded = fonts.fit(words, sizes, within, lines, bold)
    for line in folded:
        top -= size * 1.3
        text(canvas, x, top + size * 0.3, line, size, bold, colour)
    return top


def clean(words: str) -> str:
    """NFC, in one line, single spaces."""
    return " ".join(unicodedata.normalize("NFC", words).split())


@lru_cache(maxsize=1)
def _embed() -> None:
    for bold, face in FACES.items():
        pdfmetrics.registerFont(TTFont(face, str(fonts.BOLD if bold else fonts.REGULAR)))
