"""PDF files: their first pages as pictures. Scripts, forms and attachments are neither run nor kept: only what a page
paints is looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pypdfium2 as pdfium
from PIL import Image
from pypdfium2 import raw

from bot.pictures.refusal import PictureRefused
from bot.pictures.stills import DAMAGE, LONGEST_SIDE

PAGES_LIMIT = 3
POINTS_LIMIT = 14_400  # the largest page that PDF readers agree on (ISO 32000-1, annex C): 5 m
SHORTEST_POINTS = 9  # a page thinner than 3 mm is no paper
MOST_SCALE = 300 / 72  # 300 dots an inch: more shows nothing new of a small card
HEAD = b"%PDF-"
BLANKS = b"\xef\xbb\xbf \t\r\n\x00"


def kind_of(data: bytes) -> str | None:
    """``pdf`` by the first bytes (white space before them is not rare); ``None``: it is not."""
    return "pdf" if data[:64].lstrip(BLANKS).startswith(HEAD) else None


def pages(data: bytes) -> Iterator[tuple[Image.Image, int]]:
    """The first :data:`PAGES_LIMIT` pages as RGB on white, at most :data:`LONGEST_SIDE` px a side, each with the number
    of pages that the file has.

    Raises :class:`PictureRefused`: ``locked`` (it wants a password), ``too_many_pixels`` (a page of over 5 m),
    ``broken``.
    """
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        raise PictureRefused("locked" if error.err_code == raw.FPDF_ERR_PASSWORD else "broken") from error
    except DAMAGE as damage:
        raise PictureRefused("broken") from damage
    try:
        of = len(document)
        if of <= 0:
            raise PictureRefused("broken")
        for n in range(min(of, PAGES_LIMIT)):
            yield _rendered(document, n), of
    except DAMAGE as damage:
        raise PictureRefused("broken") from damage
    finally:
        document.close()


def _rendered(document: pdfium.PdfDocument, n: int) -> Image.Image:
    page = document[n]
    try:
        width, height = page.get_size()
        if not (math.isfinite(width) and math.isfinite(height)) or min(width, height) < SHORTEST_POINTS:
            raise PictureRefused("broken")
        if max(width, height) > POINTS_LIMIT:
            raise PictureRefused("too_many_pixels")
        # Half a pixel less: PDFium rounds up, and 2339 points (A4 at 200 dpi) times this must not become 2,561.
        scale = min(MOST_SCALE, (LONGEST_SIDE - 0.5) / math.ceil(max(width, height)))
        bitmap = page.render(scale=scale, may_draw_forms=False, draw_annots=True, fill_color=(255, 255, 255, 255))
        try:
            drawn: Image.Image = bitmap.to_pil().convert("RGB").copy()
            return drawn
        finally:
            bitmap.close()
    finally:
        page.close()
