"""What means the same wherever a chat stands: links and typed codes, commands and their aliases, a notice's buttons.

:data:`COMMANDS` is the one table of commands: help, menus and the web page's menu read it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from dialogs import (
    announcing,
    helping,
    inviting,
    joining,
    language,
    mydata,
    nudging,
    practising,
    questions,
    reminding,
    reporting,
    resuming,
    review,
    schedules,
    standing,
    suggesting,
    targets,
)
from dialogs.home import Home
from dialogs.states import Next, Turn, dialog_of
from locales import _
from storage import assessments, codes
from storage.base import Refused
from storage.gazetteer import fold


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its names (the first is shown, the rest are aliases), who may use it, what it does.

    ``who``: ``any``, ``citizen`` (has joined) or ``officer``. ``key`` names its line of help.
    """

    names: tuple[str, ...]
    who: str
    key: str
    run: Callable[[Turn, object, str], Next]


def _queue(turn: Turn, state: object, rest: str) -> Next:
    return Next(review.Queue())


def _hoso(turn: Turn, state: object, rest: str) -> Next:
    return Next(standing.Standing())


def _home(turn: Turn, state: object, rest: str) -> Next:
    return Next(Home())


def _register(turn: Turn, state: object, rest: str) -> Next:
    return standing.register(turn)


def _start(turn: Turn, state: object, rest: str) -> Next:
    return opened(turn, state, rest)


COMMANDS: tuple[Command, ...] = (
    Command(("hoso", "phieu"), "citizen", "command.hoso", _hoso),
    Command(("dangky",), "citizen", "command.dangky", _register),
    Command(("hangdoi", "queue"), "officer", "command.queue", _queue),
    Command(("duyet", "approve"), "officer", "command.approve", review.approve),
    Command(("tralai", "return"), "officer", "command.return", review.give_back),
    Command(("chuadat",), "officer", "command.not_met", review.not_met),
    Command(("hoantac", "undo"), "officer", "command.undo", review.undo),
    Command(("baocao", "report"), "officer", "command.report", reporting.report),
    Command(("chitieu", "target"), "officer", "command.target", targets.open_targets),
    Command(("thongbao", "announce"), "officer", "command.thongbao", announcing.open_announcing),
    Command(("lichbaocao", "schedules"), "officer", "command.lichbaocao", schedules.open_schedules),
    Command(("gopy", "suggest"), "any", "command.gopy", suggesting.open_suggesting),
    Command(("tapdung", "practice"), "any", "command.tapdung", practising.open_practice),
    Command(("dung", "leave"), "any", "", practising.leave),
    Command(("dulieu", "data"), "any", "command.data", mydata.open_data),
    Command(("ngonngu", "language"), "any", "command.language", language.choose),
    Command(("trogiup", "help"), "any", "command.help", helping.open_help),
    Command(("trangchu", "home", "menu"), "any", "command.home", _home),
    Command(("start", "batdau"), "any", "", _start),
)
# The buttons under a summary and under a nudge.
_NUDGING = {"slow": nudging.show_slowest, "nudge": nudging.nudge, "noted": nudging.noted}
BY_NAME = {name: command for command in COMMANDS for name in command.names}
KEYS = tuple(command.key for command in COMMANDS if command.key)

_COMMAND = re.compile(r"/([A-Za-z_]{1,32})(?:@\w+)?(?:\s+(.*))?", re.DOTALL)
PASTED = 400  # characters of a text pasted by somebody who looks for a unit
_CODE_LIKE = re.compile(r"(?:dv|hs|tl|mt|bc)\s*[0-9a-z]|\d{5}\s*(?:\d{2}\s*)?[a-z]$")


def typed(turn: Turn, state: object, text: str) -> Next | None:
    """A command or a code was typed; ``None`` when the text is neither, and the screen's own dialog takes it."""
    found = _COMMAND.fullmatch(text)
    if found:
        command = BY_NAME.get(found.group(1).lower())
        if command is None:
            return Next(state, _("turn.unknown_command"))
        return run(turn, state, command, (found.group(2) or "").strip())
    code = _code_in(turn, state, text)
    return None if code is None else enter(turn, state, code)


def _code_in(turn: Turn, state: object, text: str) -> codes.Code | None:
    """The code that a text is meant as, by where it was typed.

    Who looks for a unit may paste a code with words around it. Where an answer in words is asked for, only a text that
    is a valid code and nothing else is one: "HS giỏi năm 2025" is evidence. Elsewhere a code with a slip in it is told
    (raises ``Refused``).
    """
    meant = len(text) <= 60 and _CODE_LIKE.match(fold(text)) is not None
    if isinstance(state, Home | joining.ChooseFound | joining.ConfirmUnit) and turn.chat.person is None:
        found = codes.find(text) if len(text) <= PASTED else None
        return _lenient(text) if found is None and meant else found
    if not meant:
        return None
    if not _takes_words(turn, state):
        return _lenient(text)
    found = codes.find(text)
    return found if found is not None and _bare(text) == _bare(codes.payload(found)) else None


def _takes_words(turn: Turn, state: object) -> bool:
    """Does the open screen ask for an answer in words?"""
    dialog = dialog_of(state)
    try:
        return dialog.show(state, dialog.load(turn, state)).input != "none"
    except Refused:  # what was asked is not to be had any more
        return False


def _bare(text: str) -> str:
    """A code's own signs, those that people mistake for one another alike."""
    return fold(text).replace(" ", "").translate(str.maketrans("oil", "011"))


def _lenient(text: str) -> codes.Code | None:
    """The code that a short text is meant as. Raises ``Refused`` for a code with a slip in it, not for other words."""
    code = codes.find(text)
    if code is not None:
        return code
    try:
        return codes.parse(text)
    except Refused as refused:
        if refused.code == "code_none":
            return None
        raise


def run(turn: Turn, state: object, command: Command, rest: str) -> Next:
    """Run a command for whoever may use it; anybody else is told what it needs."""
    if command.who == "officer" and turn.officer is None:
        return Next(state, _("turn.officers_only"))
    if command.who == "citizen" and turn.chat.person is None:
        return Next(state, _("turn.join_first"))
    return command.run(turn, state, rest)


def opened(turn: Turn, state: object, payload: str) -> Next:
    """The chat was opened by a link (its payload) or bare: a bare opening resumes where the chat stands."""
    if not payload.strip():
        return Next(state)
    return enter(turn, state, codes.parse(payload))


def enter(turn: Turn, state: object, code: codes.Code) -> Next:
    """A code came in, by whatever way."""
    match code:
        case codes.UnitCode():
            return joining.scan(turn, code)
        case codes.InviteCode():
            return inviting.arrive(turn, state, code)
        case codes.ResumeCode():
            return resuming.resume(turn, state, code)
        case codes.DossierCode():
            return _dossier(turn, state, codes.printed(code))
        case codes.ReportCode() if turn.officer is not None:
            return reporting.again(turn, code)
    return Next(state, _("refused.code_none"))


def _dossier(turn: Turn, state: object, printed: str) -> Next:
    row = assessments.by_code(turn.conn, printed)
    if turn.officer is not None:
        return review.open_dossier(turn, printed)
    if row is not None and turn.chat.person is not None and row.person_id == turn.chat.person.id:
        return Next(standing.Standing())
    return Next(state, _("refused.dossier_unknown", code=printed))


def go(turn: Turn, state: object, where: str) -> Next:
    """A notice's button (or home's): ``queue``, ``report``, ``hoso``, ``home``, ``mend:CODE:INDICATOR``,
    ``prove:CODE:INDICATOR``, ``dossier:CODE``; ``on:FORM`` (where the citizen stopped), ``stop:PERSON`` (nothing
    unasked)."""
    name, _sep, rest = where.partition(":")
    if name in ("mend", "prove") and turn.chat.person is not None:
        printed, _sep, indicator = rest.partition(":")
        row = assessments.by_code(turn.conn, printed)
        if row is None or row.person_id != turn.chat.person.id or not questions.asks(row, indicator):
            return Next(standing.Standing())
        return (questions.mend if name == "mend" else questions.prove)(turn, row, indicator)
    if name in ("on", "stop"):
        return (reminding.go_on if name == "on" else reminding.stop)(turn, state, rest)
    if name == "dossier" and turn.officer is not None:
        return review.open_dossier(turn, rest)
    if name in _NUDGING and turn.officer is not None:
        return _NUDGING[name](turn, state, rest)
    if name == "chart" and turn.officer is not None:
        return reporting.report(turn, state, rest)
    command = BY_NAME.get({"queue": "hangdoi", "report": "baocao"}.get(name, name))
    return Next(Home()) if command is None else run(turn, state, command, rest)
