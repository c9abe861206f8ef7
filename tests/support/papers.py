"""Good files as people send them: a certificate's photo, the same as HEIC, a PDF of some pages. Made, not shipped."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pillow_heif
import qrcode
from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from reports.fonts import BOLD, REGULAR

pillow_heif.register_heif_opener()


def encoded(image: Image.Image, format: str = "JPEG", **how: Any) -> bytes:
    """The image as a file."""
    out = BytesIO()
    image.save(out, format, **how)
    return out.getvalue()


def certificate(height: int = 3508, name: str = "Lê Thị Na") -> Image.Image:
    """An A4 certificate upright, as a scan: large words, print of 7 points, hairlines, a red seal, a QR of 15 mm."""
    scale = height / 3508  # 300 dots an inch
    paper = Image.new("RGB", (round(2480 * scale), height), (250, 247, 235))
    draw = ImageDraw.Draw(paper)

    def words(x: float, y: float, text: str, points: float, colour: tuple[int, int, int], bold: bool = False) -> None:
        font = ImageFont.truetype(str(BOLD if bold else REGULAR), points * 300 / 72 * scale)
        draw.text((x * scale, y * scale), text, font=font, fill=colour, anchor="mm")

    draw.rectangle([120 * scale, 120 * scale, 2360 * scale, 3388 * scale], outline=(170, 40, 40), width=2)
    words(1240, 500, "GIẤY CHỨNG NHẬN", 36, (160, 20, 20), bold=True)
    words(1240, 800, name, 24, (20, 20, 60), bold=True)
    words(1240, 1000, "đã hoàn thành lớp học chuyển đổi số cho người lớn", 14, (30, 30, 30))
    for n in range(8):
        words(
            1240, 1300 + 60 * n, "Số 12/QĐ-HKH ngày 05/9/2026, vào sổ cấp chứng nhận số 0417 của Hội", 7, (40, 40, 40)
        )
    draw.ellipse([1500 * scale, 2300 * scale, 2000 * scale, 2800 * scale], outline=(200, 20, 30), width=3)
    words(1750, 2550, "HỘI KHUYẾN HỌC", 8, (200, 20, 30), bold=True)
    code = qrcode.QRCode(box_size=max(1, round(5 * scale)), border=2, error_correction=qrcode.ERROR_CORRECT_M)
    code.add_data("https://hoctap.example.vn/q/0417")
    image = code.make_image().convert("RGB")
    paper.paste(image, (round(400 * scale), round(2400 * scale)))
    return paper


def pdf(pages: int = 3, size: tuple[float, float] = A4, picture: Image.Image | None = None) -> bytes:
    """A PDF with words on each page, and a picture where one is given."""
    out = BytesIO()
    canvas = Canvas(out, pagesize=size)
    for n in range(1, pages + 1):
        if picture is not None:
            canvas.drawImage(ImageReader(picture), 0, 0, *size)
        canvas.setFont("Helvetica", 20)
        canvas.drawString(72, size[1] - 100, f"Page {n} of {pages}")
        canvas.rect(72, 72, size[0] / n - 100, size[1] / 2)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def objects(*bodies: bytes, trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A PDF of these numbered objects, with a right table of where they are."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for n, body in enumerate(bodies, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (n, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<</Size %d %s>>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, trailer, start)
    return bytes(out)


def stream(data: bytes, keys: bytes = b"") -> bytes:
    """A stream object's body."""
    return b"<</Length %d %s>>stream\n%s\nendstream" % (len(data), keys, data)
