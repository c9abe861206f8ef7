"""The poster that hangs on a unit's wall (áp phích) and the square that a phone reads (mã QR)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from urllib.parse import urlsplit

import qrcode  # type: ignore[import-untyped]
from PIL import Image
from qrcode.constants import ERROR_CORRECT_Q  # type: ignore[import-untyped]
from reportlab.lib.colors import HexColor  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from locales import Voice, _, speaking
from reports import fonts

QUIET = 4  # modules of white around the square: the standard's least

WIDTH, HEIGHT = A4
MARGIN = 18 * mm
# Dark enough that a black-and-white print keeps every contrast.
BLUE, RED, INK, MUTED, PALE = (HexColor(c) for c in ("#0B4F8A", "#B3261E", "#1A1A1A", "#4A4A4A", "#EAF1F8"))
PAPER, BLACK = HexColor("#FFFFFF"), HexColor("#000000")
FACES = {False: "NotoSans", True: "NotoSans-Bold"}


@dataclass(frozen=True, slots=True)
class PosterUnit:
    """What a poster says of its unit (đơn vị).

    ``name`` with its kind, up to about 100 characters; ``province`` likewise, empty for a province itself;
    ``code`` as printed and typed (``DV 06685-K``); ``commune`` the commune's name for a unit of the association
    below one, else empty; ``contact_*`` empty where the unit has set none.
    """

    name: str
    province: str
    code: str
    commune: str = ""
    contact_name: str = ""
    contact_phone: str = ""


def qr_png(text: str, scale: int = 10) -> bytes:
    """The square as black-and-white PNG, *scale* pixels a module, with its quiet zone.

    Error correction Q: a quarter of it may be soiled. ``ValueError`` when the text is too long (about 1,600
    letters) or the scale below 1.
    """
    if scale < 1:
        raise ValueError("scale must be at least 1")
    modules = _modules(text)
    size = len(modules) + 2 * QUIET
    picture = Image.new("1", (size, size), 1)
    picture.putdata(
        [
            not (0 <= x < len(modules) and 0 <= y < len(modules) and modules[y][x])
            for y in range(-QUIET, size - QUIET)
            for x in range(-QUIET, size - QUIET)
        ]
    )
    out = BytesIO()
    picture.resize((size * scale, size * scale), Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()


def poster(unit: PosterUnit, payload: str, voice: Voice | None = None, *, site: str = "", app: str = "") -> bytes:
    """The unit's poster as PDF: one page A4, fonts embedded, the square drawn as lines, its text selectable.

    *payload* is what the square holds: the landing page's address or a messenger's link. *site*: what to open where
    the code is typed (default: the host of the payload's address); *app*: the messenger that the square opens, empty
    for the browser. The same arguments give the same bytes.
    """
    with speaking(voice or Voice()):
        return _poster(unit, payload, site or urlsplit(payload).netloc, app)


def _poster(unit: PosterUnit, payload: str, site: str, app: str) -> bytes:
    _embed()
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.setTitle(_("poster.file_title", unit=_clean(unit.name)))
    canvas.setAuthor(_association(unit))
    _banner(canvas, unit)
    _name(canvas, unit)
    _square(canvas, unit, payload, site)
    _steps(canvas, app)
    _contact(canvas, unit)
    canvas.save()
    return out.getvalue()


def _association(unit: PosterUnit) -> str:
    return _("poster.association", unit=_clean(unit.commune or unit.name))


def _banner(canvas: Canvas, unit: PosterUnit) -> None:
    """Who invites, to what: white on blue, no higher than that, since the commune pays for the ink."""
    canvas.setFillColor(BLUE)
    canvas.rect(0, HEIGHT - 54 * mm, WIDTH, 54 * mm, stroke=0, fill=1)
    canvas.setFillColor(RED)
    canvas.rect(0, HEIGHT - 56 * mm, WIDTH, 2 * mm, stroke=0, fill=1)
    _centred(canvas, _association(unit), HEIGHT - 15 * mm, (15, 13, 11, 9), 1, colour=PAPER)
    _centred(canvas, _("poster.invitation"), HEIGHT - 27.5 * mm, (19, 17), 1, colour=PAPER)
    _centred(canvas, _("poster.title"), HEIGHT - 44 * mm, (42, 36, 32, 28), 1, bold=True, colour=PAPER)


def _name(canvas: Canvas, unit: PosterUnit) -> None:
    """The unit's name as large as fits, its place below, together in the middle of their field."""
    around = [unit.commune, unit.province]
    place = ", ".join(part for part in around if part and part not in unit.name)
    within = WIDTH - 2 * MARGIN
    size, lines = fonts.fit(unit.name, (38, 33, 28, 25, 22, 19, 16), within, 2 if len(unit.name) > 24 else 1, bold=True)
    below, places = fonts.fit(place, (17, 15, 13), within, 1)
    tall = len(lines) * size * 1.25 + len(places) * below * 1.5
    y = HEIGHT - 75 * mm + tall / 2
    for line in lines:
        y -= size * 1.25
        _text(canvas, y + size * 0.3, line, size, True, BLUE)
    for line in places:
        y -= below * 1.5
        _text(canvas, y + below * 0.4, line, below, False, INK)


def _square(canvas: Canvas, unit: PosterUnit, payload: str, site: str) -> None:
    """The square, 98 mm with its quiet zone, and under it the code to type where no camera is at hand."""
    side = 98 * mm
    left, top = (WIDTH - side) / 2, HEIGHT - 91 * mm
    modules = _modules(payload)
    step = side / (len(modules) + 2 * QUIET)
    # One path for all: pieces filled one by one would show hairlines between them on some screens and printers.
    path = canvas.beginPath()
    for y, row in enumerate(modules):
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
    how = _("poster.or_type_at", site=site) if site else _("poster.or_type")
    _centred(canvas, how, top - side - 1 * mm, (13, 12, 11, 10), 1, colour=MUTED)
    _centred(canvas, unit.code, top - side - 13.5 * mm, (34, 28, 24), 1, bold=True, colour=BLUE)


def _steps(canvas: Canvas, app: str) -> None:
    """Three steps side by side, each under its number."""
    top, gap = 86 * mm, 7 * mm
    column = (WIDTH - 2 * MARGIN - 2 * gap) / 3
    for at, step in enumerate(("scan", "answer", "wait")):
        middle = MARGIN + at * (column + gap) + column / 2
        canvas.setFillColor(BLUE)
        canvas.circle(middle, top - 6 * mm, 6 * mm, stroke=0, fill=1)
        _text(canvas, top - 8.3 * mm, str(at + 1), 19, True, PAPER, middle)
        size, lines = fonts.fit(_(f"poster.step.{step}.title"), (16, 14, 12), column, 1, bold=True)
        y = top - 19 * mm
        for line in lines:
            _text(canvas, y, line, size, True, INK, middle)
            y -= size * 1.3
        told = _("poster.step.scan_app", app=app) if step == "scan" and app else _(f"poster.step.{step}")
        size, lines = fonts.fit(told, (13, 12, 11), column, 3)
        for line in lines:
            y -= size * 0.1
            _text(canvas, y, line, size, False, INK, middle)
            y -= size * 1.3


def _contact(canvas: Canvas, unit: PosterUnit) -> None:
    """Whom to ask, that the criteria are a reconstruction, and what becomes of one's data."""
    who = " · ".join(part for part in (_clean(unit.contact_name), _clean(unit.contact_phone)) if part)
    text = _("poster.contact", who=who) if who else _("poster.ask_here", association=_association(unit))
    canvas.setFillColor(PALE)
    canvas.roundRect(MARGIN, 25 * mm, WIDTH - 2 * MARGIN, 16 * mm, 3 * mm, stroke=0, fill=1)
    size, lines = fonts.fit(text, (17, 15, 13, 11), WIDTH - 2 * MARGIN - 10 * mm, 1, bold=True)
    y = 33 * mm + (len(lines) - 1) * size * 0.65 - size * 0.357
    for line in lines:
        _text(canvas, y, line, size, True, INK)
        y -= size * 1.3
    _centred(canvas, _("poster.reconstruction"), 16 * mm, (11, 10, 9), 1, colour=MUTED)
    _centred(canvas, _("poster.footer"), 10 * mm, (11, 10, 9), 1, colour=MUTED)


def _centred(
    canvas: Canvas, text: str, y: float, sizes: tuple[float, ...], lines: int, *, bold: bool = False, colour: HexColor
) -> None:
    """Text in the middle of the page, the first line's baseline at *y*, shrunk to fit."""
    size, folded = fonts.fit(text, sizes, WIDTH - 2 * MARGIN, lines, bold)
    for at, line in enumerate(folded):
        _text(canvas, y - at * size * 1.25, line, size, bold, colour)


def _text(
    canvas: Canvas, y: float, text: str, size: float, bold: bool, colour: HexColor, middle: float = WIDTH / 2
) -> None:
    canvas.setFillColor(colour)
    canvas.setFont(FACES[bold], size)
    canvas.drawCentredString(middle, y, text)


def _clean(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _modules(text: str) -> list[list[bool]]:
    """Which modules of the square are dark, row by row, without the quiet zone."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_Q, border=0)
    code.add_data(text)
    code.make(fit=True)
    return [[bool(module) for module in row] for row in code.get_matrix()]


@lru_cache(maxsize=1)
def _embed() -> None:
    for bold, face in FACES.items():
        pdfmetrics.registerFont(TTFont(face, str(fonts.BOLD if bold else fonts.REGULAR)))
