"""An assessment read as a whole: answers, evidence, score, what is missing. Shared by the citizen's and the
officer's dialogs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import criteria
from criteria import Change, CriteriaSet, Given, Indicator, Score
from dialogs import places
from dialogs.states import Turn
from locales import _, number, voice, you
from storage import assessments, evidence, reviews
from storage.assessments import AnswerRow, AssessmentRow
from storage.base import Connection
from storage.evidence import EvidenceRow
from storage.reviews import ReviewRow


@dataclass(frozen=True, slots=True)
class Sheet:
    """A phiếu as it stands."""

    row: AssessmentRow
    criteria: CriteriaSet
    answers: dict[str, AnswerRow]
    evidence: dict[str, tuple[EvidenceRow, ...]]
    given: dict[str, Given]
    score: Score
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Every question answered, every piece of evidence that must be there is there."""
        return self.score.answered == len(self.criteria.indicators) and not self.missing

    @property
    def pictures(self) -> tuple[int, int]:
        """How many of its pictures are here, and how many there are with those on their way."""
        pieces = [each for found in self.evidence.values() for each in found if each.kind in evidence.PICTURE_KINDS]
        return sum(each.status != "arriving" for each in pieces), len(pieces)

    @property
    def path(self) -> tuple[Change, ...]:
        """The shortest path to the title (one that passes has none)."""
        return criteria.shortest_path(self.criteria, self.given)


def read(conn: Connection, row: AssessmentRow) -> Sheet:
    """Read an assessment under the criteria version it was filed under."""
    filed = places.criteria_of(conn, row)
    return _sheet(row, filed, assessments.answers_of(conn, row.id), evidence.all_of(conn, row.id))


def _sheet(row: AssessmentRow, filed: CriteriaSet, answers: dict[str, AnswerRow], found: list[EvidenceRow]) -> Sheet:
    pieces: dict[str, list[EvidenceRow]] = {}
    for piece in found:
        pieces.setdefault(piece.indicator, []).append(piece)
    given = {
        id: Given(
            answer.level,
            answer.officer_level,
            frozenset(piece.kind for piece in pieces.get(id, ()) if piece.kind != "officer_confirmation"),
            next((piece.status for piece in pieces.get(id, ()) if piece.kind == "officer_confirmation"), None),
        )
        for id, answer in answers.items()
    }
    return Sheet(
        row,
        filed,
        answers,
        {id: tuple(beside) for id, beside in pieces.items()},
        given,
        criteria.score(filed, given),
        criteria.missing_evidence(filed, given),
    )


def sheet(turn: Turn, row: AssessmentRow) -> Sheet:
    """As :func:`read`, once in a turn; whoever changes answers or evidence says :func:`changed` before the next
    look."""
    known = turn.memo.get(("sheet", row.id))
    if known is None or known.row != row:
        known = turn.memo["sheet", row.id] = read(turn.conn, row)
    return known


def changed(turn: Turn, row: AssessmentRow) -> Sheet:
    """The sheet after a change."""
    turn.memo.pop(("sheet", row.id), None)
    return sheet(turn, row)


def answered(turn: Turn, before: Sheet, indicator: str, level: str) -> Sheet:
    """The sheet after the citizen gave a level (:func:`storage.assessments.answer`), worked out and not read again:
    giving a level is the commonest act of all."""
    earlier = before.answers.get(indicator)
    answer = earlier
    if earlier is None or earlier.level != level:
        answer = AnswerRow(indicator, level, None, None, earlier.return_reason if earlier else None, turn.now)
    assert answer is not None
    answers = dict(sorted({**before.answers, indicator: answer}.items()))
    pieces = [piece for found in before.evidence.values() for piece in found]
    made = turn.memo["sheet", before.row.id] = _sheet(before.row, before.criteria, answers, pieces)
    return made


# ------------------------------------------------------------------------------------------ as the citizen may see it

_DECIDED = ("approved", "not_met", "returned")


@dataclass(frozen=True, slots=True)
class Seen:
    """A dossier as its citizen may see it now: the row and everything on the sheet, and the decision told to them.

    *hidden*: a decision stands that its officer may still take back; the row says ``submitted`` meanwhile.
    """

    sheet: Sheet
    review: ReviewRow | None
    hidden: bool

    @property
    def row(self) -> AssessmentRow:
        """The row, its status as the citizen may see it."""
        return self.sheet.row


def visible(turn: Turn, row: AssessmentRow) -> AssessmentRow:
    """The row as its citizen may see it: ``submitted`` while the decision may still be taken back."""
    return _undecided(row) if _hidden(turn, row) is not None else row


def as_citizen_sees(turn: Turn, row: AssessmentRow) -> Seen:
    """The dossier as its citizen may see it, wherever it is shown to them (/hoso, home, /dulieu, a pressed notice).

    Until a decision stands that can no longer be undone there is no review, no question returned, no level of an
    officer, and what was asked to be confirmed is still asked.
    """
    hidden = _hidden(turn, row)
    if hidden is None and row.status in _DECIDED:
        return Seen(sheet(turn, row), reviews.last(turn.conn, row.id), False)
    full = sheet(turn, row)
    answers = {
        id: replace(answer, officer_level=None, officer_reason=None, return_reason=None)
        for id, answer in full.answers.items()
    }
    pieces = [
        replace(piece, status="asked") if piece.kind == "officer_confirmation" else piece
        for found in full.evidence.values()
        for piece in found
    ]
    if hidden is not None:
        return Seen(_sheet(_undecided(row), full.criteria, answers, pieces), None, True)
    return Seen(_sheet(row, full.criteria, answers, pieces), reviews.last(turn.conn, row.id), False)


def _hidden(turn: Turn, row: AssessmentRow) -> ReviewRow | None:
    """The decision that stands but may still be taken back."""
    if row.status not in _DECIDED:
        return None
    review = reviews.last(turn.conn, row.id)
    return review if review is not None and turn.now < review.undo_until else None


def _undecided(row: AssessmentRow) -> AssessmentRow:
    return replace(row, status="submitted", version=row.version - 1, decided_at=None)


# ------------------------------------------------------------------------------------------ in words


def position(filed: CriteriaSet, indicator: str) -> int:
    """1-based number of a question: what people call "câu 3"."""
    return next(n for n, each in enumerate(filed.indicators, 1) if each.id == indicator)


def level_name(filed: CriteriaSet, level: str) -> str:
    """The level's own name ("Khá")."""
    return filed.level(level).name.to(voice().language)


def option_text(indicator: Indicator, level: str) -> str:
    """How the level reads for this indicator ("4 đến 5 buổi")."""
    return filled(indicator.option(level).label.to(voice().language))


def question_text(indicator: Indicator, subject_group: str) -> str:
    """The question in the words of the citizen's group."""
    return filled(criteria.question(indicator, subject_group, voice().language))


def filled(text: str) -> str:
    """Criteria wording with the reader's form of address."""
    return criteria.fill(text, you())


def service_line(days: int | None) -> str:
    """How long a review takes, only where the unit has said so."""
    return _("standing.submitted_days", days=number(days)) if days else _("standing.submitted")


def here(pieces: tuple[EvidenceRow, ...]) -> tuple[EvidenceRow, ...]:
    """Without the pictures that are still on their way."""
    return tuple(piece for piece in pieces if piece.status != "arriving")


def count_line(pieces: tuple[EvidenceRow, ...]) -> str:
    """``3 ảnh (đang nhận 1), 1 đoạn viết`` — what evidence there is beside an answer, or nothing."""
    parts = []
    pictures = sum(piece.kind in evidence.PICTURE_KINDS for piece in pieces)
    coming = len(pieces) - len(here(pieces))
    texts = sum(piece.kind == "text" for piece in pieces)
    links = sum(piece.kind == "link" for piece in pieces)
    for n, key in ((pictures, "evidence.pictures"), (texts, "evidence.texts"), (links, "evidence.links")):
        if n and key == "evidence.pictures" and coming:
            parts.append(_("evidence.pictures_arriving", n=number(n), coming=number(coming)))
        elif n:
            parts.append(_(key, n=number(n)))
    for piece in pieces:
        if piece.kind == "officer_confirmation":
            parts.append(_(f"evidence.confirmation.{piece.status}"))
    return ", ".join(parts)


KEYS = ("evidence.pictures", "evidence.texts", "evidence.links")
