"""Lists of squares (bảng mã QR), eight units a page, to be handed out or pinned up; the index of a run of posters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from locales import Voice, _, number, speaking
from reports.paper import BLUE, HEIGHT, INK, MUTED, WIDTH, Canvas, clean, document, mm, square, text, write
from reports.posters import Page

MARGIN = 14 * mm
ACROSS, DOWN = 2, 4
A_PAGE = ACROSS * DOWN
TOP, FOOT = 30 * mm, 15 * mm


def sheet(pages: Sequence[Page], place: str, voice: Voice | None = None) -> bytes:
    """Units with name, typed code and a square of 44 mm, eight a page A4, each page with heading and number.

    *place*: whose units these are (``Thành phố Quảng Ninh``). ``ValueError`` where there is none.
    """
    if not pages:
        raise ValueError("a sheet of no units")
    count = -(-len(pages) // A_PAGE)

    def draw(canvas: Canvas, at: int) -> str:
        _heading(canvas, _("sheet.title", place=clean(place)), _("sheet.how"), at, count)
        some = pages[at * A_PAGE : (at + 1) * A_PAGE]
        for place_of, page in enumerate(some):
            _cell(canvas, page, place_of % ACROSS, place_of // ACROSS)
        return f"{some[0].unit.code} – {some[-1].unit.code}"

    with speaking(voice or Voice()):
        return document(draw, count, _("sheet.title", place=clean(place)), clean(place))


def _heading(canvas: Canvas, title: str, below: str, at: int, count: int) -> None:
    within = WIDTH - 2 * MARGIN
    y = write(canvas, MARGIN, HEIGHT - 9 * mm, title, (17, 15, 13, 11), within, bold=True, colour=BLUE)
    write(canvas, MARGIN, y - 1 * mm, below, (10.5, 9.5, 8.5), within, 1, colour=MUTED)
    text(canvas, MARGIN, 8 * mm, _("sheet.page", n=number(at + 1), total=number(count)), 9, False, MUTED)


def _cell(canvas: Canvas, page: Page, column: int, row: int) -> None:
    wide, high = (WIDTH - 2 * MARGIN) / ACROSS, (HEIGHT - TOP - FOOT) / DOWN
    left, top = MARGIN + column * wide, HEIGHT - TOP - row * high
    canvas.setStrokeColor(MUTED)
    canvas.setLineWidth(0.4)
    canvas.rect(left, top - high, wide, high, stroke=1, fill=0)
    side = 44 * mm
    square(canvas, page.payload, left + 1 * mm, top - 3 * mm, side)
    x, within = left + side + 1 * mm, wide - side - 4 * mm
    y = write(canvas, x, top - 8 * mm, page.unit.name, (15, 13, 11.5, 10, 9), within, 3, bold=True, colour=BLUE)
    around = ", ".join(clean(part) for part in (page.unit.commune, page.unit.province) if part)
    if around:
        y = write(canvas, x, y - 1 * mm, around, (10, 9, 8), within, 3)
    write(
        canvas, left + 5 * mm, top - 3 * mm - side, page.unit.code, (19, 17, 15), wide - 10 * mm, bold=True, colour=INK
    )


# ------------------------------------------------------------------------------------------ the index


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A poster in a book: the page (from 1), the typed code and the unit's name with its commune, if below one."""

    page: int
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Section:
    """A province's book: the name of its file and what is in it."""

    name: str
    book: str
    rows: tuple[IndexRow, ...]


LINE = 5.2 * mm
LINES = int((HEIGHT - TOP - FOOT) / LINE)  # of a column
COLUMNS = 2


def index(sections: Sequence[Section], voice: Voice | None = None) -> bytes:
    """Which poster stands on which page of which book, two columns a page A4, a heading for each province."""
    # A heading takes two lines and is never the last of a column.
    columns: list[list[tuple[Section, IndexRow | None]]] = [[]]
    room = LINES
    for section in sections:
        for at, row in enumerate(section.rows):
            if room < (4 if at == 0 else 1):
                columns.append([])
                room = LINES
            if at == 0 or room == LINES:
                columns[-1].append((section, None))
                room -= 2
            columns[-1].append((section, row))
            room -= 1
    count = -(-len(columns) // COLUMNS)
    posters = sum(len(section.rows) for section in sections)

    def draw(canvas: Canvas, at: int) -> str:
        below = _("index.how", posters=number(posters), books=number(len(sections)))
        _heading(canvas, _("index.title"), below, at, count)
        for place, column in enumerate(columns[at * COLUMNS : (at + 1) * COLUMNS]):
            _column(canvas, column, MARGIN + place * (WIDTH - 2 * MARGIN) / COLUMNS)
        return clean(columns[at * COLUMNS][0][0].name) if columns[0] else ""

    with speaking(voice or Voice()):
        return document(draw, count, _("index.title"))


def _column(canvas: Canvas, column: Sequence[tuple[Section, IndexRow | None]], left: float) -> None:
    wide, y = (WIDTH - 2 * MARGIN) / COLUMNS - 5 * mm, HEIGHT - TOP
    for section, row in column:
        if row is None:
            write(canvas, left, y - 0.6 * LINE, section.name, (11, 10, 9), wide, bold=True, colour=BLUE)
            write(canvas, left, y - 1.4 * LINE, section.book, (7.5, 6.5, 5.5), wide, colour=MUTED)
            y -= 2 * LINE + 1.5
            continue
        baseline = y - 0.75 * LINE
        canvas.setFillColor(INK)
        canvas.setFont("NotoSans-Bold", 8.5)
        canvas.drawRightString(left + 8 * mm, baseline, number(row.page))
        text(canvas, left + 11 * mm, baseline, row.code, 8.5, False, INK)
        write(canvas, left + 38 * mm, baseline + 8.5, row.name, (8.5, 7.5, 6.5, 5.5), wide - 38 * mm)
        y -= LINE
