"""The poster that hangs on a unit's wall (áp phích), one or a province's in one book (tập áp phích)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import urlsplit

from PIL import Image

from locales import Voice, _, speaking
from reports import fonts
from reports.paper import (
    BLUE,
    HEIGHT,
    INK,
    MUTED,
    PALE,
    PAPER,
    QUIET,
    RED,
    WIDTH,
    Canvas,
    HexColor,
    centred,
    clean,
    document,
    mm,
    modules,
    square,
)

MARGIN = 18 * mm


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


@dataclass(frozen=True, slots=True)
class Page:
    """A poster to be drawn: whose, and what its square holds (the landing page's address or a messenger's link).

    ``site``: what to open where the code is typed, empty for the host of the payload's address; ``app``: the messenger
    that the square opens, empty for the browser.
    """

    unit: PosterUnit
    payload: str
    site: str = ""
    app: str = ""


def qr_png(text: str, scale: int = 10) -> bytes:
    """The square as black-and-white PNG, *scale* pixels a module, with its quiet zone.

    Error correction Q: a quarter of it may be soiled. ``ValueError`` when the text is too long (about 1,600
    letters) or the scale below 1.
    """
    if scale < 1:
        raise ValueError("scale must be at least 1")
    dark = modules(text)
    size = len(dark) + 2 * QUIET
    picture = Image.new("1", (size, size), 1)
    picture.putdata(
        [
            not (0 <= x < len(dark) and 0 <= y < len(dark) and dark[y][x])
            for y in range(-QUIET, size - QUIET)
            for x in range(-QUIET, size - QUIET)
        ]
    )
    out = BytesIO()
    picture.resize((size * scale, size * scale), Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()


def poster(
    unit: PosterUnit,
    payload: str,
    voice: Voice | None = None,
    *,
    site: str = "",
    app: str = "",
    size: str = "a4",
    mark: str = "",
) -> bytes:
    """The unit's poster as PDF: one page, fonts embedded, the square drawn as lines, its text selectable.

    *payload*, *site*, *app*: see :class:`Page`; *size*: ``a4`` or ``a3``; *mark* goes into the file's keywords. The
    same arguments give the same bytes.
    """
    page = Page(unit, payload, site, app)
    with speaking(voice or Voice()):
        title = _("poster.file_title", unit=clean(unit.name))
        return document(lambda canvas, _at: _poster(canvas, page), 1, title, _association(unit), size, mark)


def book(pages: Sequence[Page], place: str, voice: Voice | None = None, *, size: str = "a4", mark: str = "") -> bytes:
    """The posters of many units as one PDF, one a page in their order, each named in the reader's list of pages.

    *place* names them all (``Thành phố Quảng Ninh``). About 10 ms a page, a tenth of the size of as many files: the
    fonts are in it once.
    """

    def draw(canvas: Canvas, page: int) -> str:
        _poster(canvas, pages[page])
        return f"{pages[page].unit.code} · {clean(pages[page].unit.name)}"

    with speaking(voice or Voice()):
        return document(draw, len(pages), _("poster.book_title", place=clean(place)), clean(place), size, mark)


def _poster(canvas: Canvas, page: Page) -> str:
    _banner(canvas, page.unit)
    _name(canvas, page.unit)
    _square(canvas, page)
    _steps(canvas, page.app)
    _contact(canvas, page.unit)
    return ""


def _association(unit: PosterUnit) -> str:
    return _("poster.association", unit=clean(unit.commune or unit.name))


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
        centred(canvas, WIDTH / 2, y + size * 0.3, line, size, True, BLUE)
    for line in places:
        y -= below * 1.5
        centred(canvas, WIDTH / 2, y + below * 0.4, line, below, False, INK)


def _square(canvas: Canvas, page: Page) -> None:
    """The square, 98 mm with its quiet zone, and under it the code to type where no camera is at hand."""
    side = 98 * mm
    top = HEIGHT - 91 * mm
    square(canvas, page.payload, (WIDTH - side) / 2, top, side)
    site = page.site or urlsplit(page.payload).netloc
    how = _("poster.or_type_at", site=site) if site else _("poster.or_type")
    _centred(canvas, how, top - side - 1 * mm, (13, 12, 11, 10), 1, colour=MUTED)
    _centred(canvas, page.unit.code, top - side - 13.5 * mm, (34, 28, 24), 1, bold=True, colour=BLUE)


def _steps(canvas: Canvas, app: str) -> None:
    """Three steps side by side, each under its number."""
    top, gap = 86 * mm, 7 * mm
    column = (WIDTH - 2 * MARGIN - 2 * gap) / 3
    for at, step in enumerate(("scan", "answer", "wait")):
        middle = MARGIN + at * (column + gap) + column / 2
        canvas.setFillColor(BLUE)
        canvas.circle(middle, top - 6 * mm, 6 * mm, stroke=0, fill=1)
        centred(canvas, middle, top - 8.3 * mm, str(at + 1), 19, True, PAPER)
        size, lines = fonts.fit(_(f"poster.step.{step}.title"), (16, 14, 12), column, 1, bold=True)
        y = top - 19 * mm
        for line in lines:
            centred(canvas, middle, y, line, size, True, INK)
            y -= size * 1.3
        told = _("poster.step.scan_app", app=app) if step == "scan" and app else _(f"poster.step.{step}")
        size, lines = fonts.fit(told, (13, 12, 11), column, 3)
        for line in lines:
            y -= size * 0.1
            centred(canvas, middle, y, line, size, False, INK)
            y -= size * 1.3


def _contact(canvas: Canvas, unit: PosterUnit) -> None:
    """Whom to ask, that the criteria are a reconstruction, and what becomes of one's data."""
    who = " · ".join(part for part in (clean(unit.contact_name), clean(unit.contact_phone)) if part)
    text = _("poster.contact", who=who) if who else _("poster.ask_here", association=_association(unit))
    canvas.setFillColor(PALE)
    canvas.roundRect(MARGIN, 25 * mm, WIDTH - 2 * MARGIN, 16 * mm, 3 * mm, stroke=0, fill=1)
    size, lines = fonts.fit(text, (17, 15, 13, 11), WIDTH - 2 * MARGIN - 10 * mm, 1, bold=True)
    y = 33 * mm + (len(lines) - 1) * size * 0.65 - size * 0.357
    for line in lines:
        centred(canvas, WIDTH / 2, y, line, size, True, INK)
        y -= size * 1.3
    _centred(canvas, _("poster.reconstruction"), 16 * mm, (11, 10, 9), 1, colour=MUTED)
    _centred(canvas, _("poster.footer"), 10 * mm, (11, 10, 9), 1, colour=MUTED)


def _centred(
    canvas: Canvas, text: str, y: float, sizes: tuple[float, ...], lines: int, *, bold: bool = False, colour: HexColor
) -> None:
    """Text in the middle of the page, the first line's baseline at *y*, shrunk to fit."""
    size, folded = fonts.fit(text, sizes, WIDTH - 2 * MARGIN, lines, bold)
    for at, line in enumerate(folded):
        centred(canvas, WIDTH / 2, y - at * size * 1.25, line, size, bold, colour)
