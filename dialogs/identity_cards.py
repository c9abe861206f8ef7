"""An officer sees the picture of an identity card (ảnh căn cước): which one, sure, gone; the citizen is told."""

from __future__ import annotations

from dialogs import answering, dossier, notices, waiting
from dialogs.dossier import Closed, Dossier, OnDossier, Opened, Reading, at
from dialogs.model import Act, Choice, Picture, Pressed, Screen
from dialogs.states import Next, Turn, state
from dialogs.text import BACK
from locales import _
from storage import identity_cards
from storage.evidence import EvidenceRow

FLEETING = True  # answers and evidence of citizens


@state
class WhichCard(OnDossier):
    """Which of several pictures. *decided*: the dossier is for reading only."""

    indicator: str = ""
    decided: bool = False


@state
class ConfirmCard(OnDossier):
    """ "Xóa ảnh này?\""""

    indicator: str = ""
    decided: bool = False
    piece: int = 0


def begin(state: Dossier | Reading, view: Opened) -> Next:
    """From the question on the screen: to the question which, or at once to the confirmation where there is one."""
    pictures = _pictures(view, state.indicator)
    if not pictures:
        return Next(state)
    of = {"indicator": state.indicator, "decided": isinstance(state, Reading)}
    if len(pictures) == 1:
        return Next(at(state, ConfirmCard, piece=pictures[0].id, **of))
    return Next(at(state, WhichCard, **of))


def _pictures(view: Opened, indicator: str) -> list[EvidenceRow]:
    return [piece for piece in answering.here(view.sheet.evidence.get(indicator, ())) if piece.key]


def load(turn: Turn, state: WhichCard | ConfirmCard) -> Opened | Closed:
    """Read the dossier as it is now."""
    return dossier.read(turn, state)


def show(state: WhichCard | ConfirmCard, view: Opened | Closed) -> Screen:
    """The pictures to choose from, or the one to be deleted."""
    if isinstance(view, Closed):
        return dossier.show_closed(view)
    title = dossier.question_title(view, state.indicator)
    pictures = _pictures(view, state.indicator)
    back = Choice(BACK, _("choice.back"), "quiet")
    if isinstance(state, WhichCard):
        names = [_("review.picture", n=n, of=len(pictures)) for n in range(1, len(pictures) + 1)]
        return Screen(
            _("review.card_which"),
            (*(Choice(f"card:{each.id}", name) for each, name in zip(pictures, names, strict=True)), back),
            title=title,
            pictures=tuple(Picture(each.key or "", name) for each, name in zip(pictures, names, strict=True)),
        )
    # "Keep" stands first: who types 1 twice without reading has deleted nothing.
    return Screen(
        _("review.card_sure"),
        (Choice("keep", _("review.card_keep"), "main"), Choice("delete", _("review.card_delete"), "danger")),
        title=title,
        pictures=tuple(Picture(each.key or "") for each in pictures if each.id == state.piece),
    )


def take(turn: Turn, state: WhichCard | ConfirmCard, view: Opened | Closed, act: Act) -> Next:
    """Choose, confirm, or go back. Raises ``Refused("evidence_gone")`` when a colleague was faster."""
    if isinstance(view, Closed):
        return dossier.leave(turn, state, view, act)
    match act:
        case Pressed(choice) if choice.startswith("card:"):
            piece = int(choice.removeprefix("card:"))
            return Next(at(state, ConfirmCard, indicator=state.indicator, decided=state.decided, piece=piece))
        case Pressed("delete") if isinstance(state, ConfirmCard):
            return _delete(turn, state, view)
    return Next(_question(state))


def _question(state: WhichCard | ConfirmCard) -> Dossier | Reading:
    if state.decided:
        return at(state, Reading, indicator=state.indicator)
    return at(state, Dossier, indicator=state.indicator)


def _delete(turn: Turn, state: ConfirmCard, view: Opened) -> Next:
    identity_cards.remove(turn.conn, waiting.officer_of(turn), state.assessment, state.piece, turn.now)
    n = answering.position(view.sheet.criteria, state.indicator)
    row = view.sheet.row

    def notice() -> Screen:
        lines = [_("review.notice.card", n=n, code=row.code), _("review.notice.card_instead")]
        return Screen("\n\n".join(lines), (Choice("go:hoso", _("standing.open")),))

    notices.to_person(turn.conn, turn.now, view.person.id, notice)
    return Next(_question(state), _("review.card_gone", n=n))
