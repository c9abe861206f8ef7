"""Titles of earlier years (danh hiệu các năm trước): those a citizen holds, and those of an imported list that may be
theirs. Only an officer says whose they are: name and year of birth are known to neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from locales import _
from storage import imports, titles
from storage.base import Connection, Refused
from storage.people import PersonRow
from storage.titles import TitleRow


@dataclass(frozen=True, slots=True)
class Maybe:
    """Somebody of an imported list who may be the citizen of a dossier: the line that says so, and who it is there."""

    imported: int
    line: str
    years: str


def facts(conn: Connection, person: PersonRow) -> list[dict[str, Any]]:
    """What is kept of a citizen's earlier titles, for the copy of their data. Of imported lists only what an officer
    has confirmed: whoever types a neighbour's name, phone or number must not read what stands there of them."""
    return [_fact(each) for each in titles.of_person(conn, person.id)]


def _fact(title: TitleRow) -> dict[str, Any]:
    decided = title.decision_date
    return {
        "year": title.year,
        "decision": title.decision_number,
        "decision_date": decided.isoformat() if decided else None,
        "source": title.source,
    }


def lines(conn: Connection, person: PersonRow) -> list[str]:
    """The same as sentences."""
    return [
        _(
            "past.held",
            year=each["year"],
            decision=_("past.decision", number=each["decision"]) if each["decision"] else "",
        ).strip()
        for each in facts(conn, person)
    ]


def maybe(conn: Connection, person: PersonRow) -> Maybe | None:
    """The likeliest of an imported list, for the officer who has the dossier open."""
    for match in imports.matches(conn, person):
        years = ", ".join(str(each.year) for each in match.titles)
        what = _("past.titles", years=years) if years else _("past.no_titles")
        line = _("review.past_sure" if match.sure else "review.past_likely", what=what)
        return Maybe(match.imported.id, line, years)
    return None


def held(conn: Connection, person: PersonRow) -> str:
    """The earlier titles of a citizen in one line for the officer; ``""``: none."""
    own = titles.of_person(conn, person.id)
    return _("review.past_held", years=", ".join(str(each.year) for each in own)) if own else ""


def confirm(conn: Connection, imported_id: int, person: PersonRow, actor: str, now: datetime) -> str:
    """The officer says that it is they; the note for the screen."""
    try:
        imports.claim(conn, imported_id, person, actor, now)
    except Refused as refused:
        if refused.code != "imported_gone":
            raise
        return _("review.past_gone")
    return _("review.past_confirmed")
