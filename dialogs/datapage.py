"""What is stored about a citizen as a page to read and print: one HTML document, no scripts, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

NAME = "du-lieu-cua-toi.html"
MEDIA_TYPE = "text/html; charset=utf-8"

_STYLE = (
    "body{font:18px/1.5 'Noto Sans',Arial,sans-serif;color:#1a1a1a;background:#fff;max-width:46rem;margin:2rem auto;"
    "padding:0 1rem}h1{font-size:1.6rem}h2{font-size:1.25rem;margin-top:2rem;border-bottom:1px solid #888}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35rem .5rem;"
    "border-bottom:1px solid #ddd;overflow-wrap:anywhere;white-space:pre-line}th{width:38%;font-weight:600}"
    "footer{margin-top:2rem;color:#444}@media print{body{margin:0;max-width:none}tr{break-inside:avoid}}"
)


@dataclass(frozen=True, slots=True)
class Part:
    """A heading, and below it rows of (label, value); ``empty`` is said where there is none."""

    title: str
    rows: Sequence[tuple[str, str]]
    empty: str = ""


def page(title: str, lead: str, parts: Iterable[Part], foot: str, language: str) -> str:
    """The document. Every text is escaped here: titles, labels and what people wrote."""
    sections = "".join(_section(part) for part in parts)
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(lead)}</p>\n{sections}<footer>{escape(foot)}</footer>\n</body>\n</html>\n"
    )


def _section(part: Part) -> str:
    head = f"<h2>{escape(part.title)}</h2>\n"
    if not part.rows:
        return f"{head}<p>{escape(part.empty)}</p>\n"
    rows = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td>{escape(value)}</td></tr>\n' for label, value in part.rows
    )
    return f"{head}<table>\n{rows}</table>\n"
