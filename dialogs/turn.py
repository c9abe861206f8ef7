"""A turn: one event of one contact, one transaction, synchronous inside.

Claim the event → lock the conversation → load, take → domain rows, counters, audit → load, show → outbox. The caller
commits, and only then is the event acknowledged: effects happen exactly once; a message may, rarely, be repeated, never
lost.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dialogs import commands, idnumber, practising, questions, refusals, signals
from dialogs.home import Home
from dialogs.model import (
    Act,
    Incoming,
    Opened,
    Pressed,
    Screen,
    Sent,
    Signal,
    Typed,
    Unsupported,
    decode_screen,
    encode_incoming,
    encode_screen,
)
from dialogs.states import Next, Rules, Turn, decode_state, dialog_of, encode_state
from dialogs.text import choice_typed
from locales import LANGUAGES, Voice, _, speaking
from storage import albums, conversations, events, handed, officers, outbox, people, reach
from storage.base import Connection, Refused, refusable
from storage.conversations import Chat

log = logging.getLogger(__name__)

RECENT_LINES = 10  # of a history, in which the notices stand whose buttons may still be pressed
GO = "go:"  # a choice with this prefix means the same on any screen, however old


@dataclass(frozen=True, slots=True)
class Told:
    """A message that the turn put out for its own contact: outbox row, line of history (if kept), encoded screen."""

    outbox_id: int
    message_id: int | None
    body: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What a turn did: messages for its contact, and the line of history of what was said (id, body), if kept.

    ``repeat``: the event had had its turn before, nothing was done. ``officer``: who speaks here is signed in as an
    officer now (a channel with a menu shows the officer's).
    ``unsaid``: the channel has a message to delete.
    """

    told: tuple[Told, ...] = ()
    heard: tuple[int, str] | None = None
    repeat: bool = False
    officer: bool = False
    unsaid: bool = False


def take_turn(conn: Connection, incoming: Incoming, rules: Rules) -> Taken:
    """Take the turn of an event inside the caller's transaction. Any exception but a refusal is the caller's to
    rescue."""
    if not conversations.claim(conn, incoming.account, incoming.event, incoming.at):
        return Taken(repeat=True)
    chat = conversations.open_chat(conn, incoming.account, incoming.address)
    if chat is None:
        if isinstance(incoming.act, Signal):  # the contact has gone meanwhile
            return Taken()
        chat = _meet(conn, incoming)
    turn, incoming = _turn(conn, chat, incoming, rules)
    with speaking(_voice(chat)):
        taken = _take(turn, incoming)
    return replace(taken, unsaid=True) if turn.hidden else taken


def rescue_turn(conn: Connection, incoming: Incoming, rules: Rules, error: Exception) -> Taken:
    """The turn failed by a defect: keep the event, apologise, show where the chat stands (home, if that fails too)."""
    whole = incoming
    if not conversations.claim(conn, incoming.account, incoming.event, incoming.at):
        return Taken(repeat=True)
    there = conversations.open_chat(conn, incoming.account, incoming.address)
    incoming = idnumber.shield(incoming, _state(there) if there else None).incoming
    error_id = events.keep(
        conn,
        incoming.account,
        incoming.address,
        incoming.event,
        encode_incoming(incoming),
        events.described(error),
        incoming.at,
    )
    # Where, never what: the message of an error may hold a person's words.
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s: event of %s failed, kept as %s\n%s", events.described(error), incoming.account, error_id, where)
    if isinstance(incoming.act, Signal):
        return Taken()
    chat = there or _meet(conn, incoming)
    turn, incoming = _turn(conn, chat, whole, rules)
    with speaking(_voice(chat)):
        note = _("turn.failed", error=error_id)
        try:
            return _answer(turn, _tell(turn, incoming, *_shown(turn, _state(chat)), note, turn.chat.screen + 1))
        except Exception as second:  # noqa: BLE001 - logged without its words
            log.error("the current screen of %s cannot be shown either: %s", incoming.account, events.traced(second))
            return _answer(turn, _tell(turn, incoming, *_shown(turn, Home()), note, turn.chat.screen + 1))


def _meet(conn: Connection, incoming: Incoming) -> Chat:
    contact_id = people.meet(conn, incoming.account, incoming.address, incoming.at)
    conversations.begin_chat(conn, contact_id, encode_state(Home()), LANGUAGES[0], incoming.at)
    chat = conversations.open_chat(conn, incoming.account, incoming.address)
    assert chat is not None
    return chat


def _turn(conn: Connection, chat: Chat, incoming: Incoming, rules: Rules) -> tuple[Turn, Incoming]:
    """The turn, and its event without secret numbers: whatever comes after this line cannot keep one."""
    shielded = idnumber.shield(incoming, _state(chat))
    officer = None
    if chat.officer_id is not None:
        if incoming.capabilities.awake(chat.used_at, incoming.at):
            officer = officers.of_contact(conn, chat.contact_id)
        else:
            officers.sign_out(conn, chat.contact_id, incoming.at)
            conversations.drop_fleeting(conn, chat.contact_id)
    turn = Turn(
        conn,
        chat,
        officer,
        incoming.at,
        rules,
        incoming.capabilities,
        network=incoming.network,
        message=incoming.message,
        numbers=shielded.numbers,
        hidden=shielded.hidden,
    )
    if shielded.hidden:
        idnumber.unsay(turn)
    return turn, shielded.incoming


def _voice(chat: Chat) -> Voice:
    if chat.person is not None:
        return Voice(chat.language, chat.person.form)
    return Voice(chat.language, "anh_chi" if chat.officer_id is not None else "ong_ba")


def _state(chat: Chat) -> Any:
    return decode_state(chat.state) or Home()


def _shown(turn: Turn, state: Any) -> tuple[Any, Screen]:
    """The screen of a state; a state that may not be shown (any more) gives way to home."""
    state, _view, screen = _looked_at(turn, state)
    return state, screen


def _looked_at(turn: Turn, state: Any) -> tuple[Any, Any, Screen]:
    """A state with its view and its screen."""
    dialog = dialog_of(state)
    try:
        view = dialog.load(turn, state)
        return state, view, dialog.show(state, view)
    except Refused as refused:
        if isinstance(state, Home):
            raise
        home = Home()
        dialog = dialog_of(home)
        view = dialog.load(turn, home)
        return home, view, replace(dialog.show(home, view), note=refusals.sentence(turn, refused))


# ------------------------------------------------------------------------------------------ taking


def _take(turn: Turn, incoming: Incoming) -> Taken:
    act = incoming.act
    if isinstance(act, Signal):
        return _signal(turn, act)
    if not turn.chat.reachable:  # who writes can be written to
        reach.found(turn.conn, incoming.account, incoming.address)
    if isinstance(act, Sent) and act.album:
        return _take_of_album(turn, incoming, act)
    return _take_act(turn, incoming, act)


def _take_act(turn: Turn, incoming: Incoming, act: Act) -> Taken:
    asked = _state(turn.chat)
    of_screen = isinstance(act, Pressed) and not act.choice.startswith(GO)  # nothing to guard: most acts are such
    wide = None if of_screen else _guarded(turn, asked, lambda: _anywhere(turn, asked, act))
    state = asked
    if wide is None:
        state, view, now = _looked_at(turn, asked)
        stale = incoming.screen is not None and incoming.screen != turn.chat.screen
        heard = _hear(turn, incoming, act, now, _fleeting(state))
        if stale:
            # Two taps on question 3 must never answer question 4: the current screen is shown again as it is.
            told = _tell(turn, incoming, state, now, _("turn.stale"), max(turn.chat.screen, 1))
            return _answer(turn, told, heard)
        if state != asked:  # what was asked is not to be had any more: its note says why
            return _answer(turn, _tell(turn, incoming, state, now, "", turn.chat.screen + 1), heard)
        wide = _to_dialog(turn, state, view, now, act)
    else:
        heard = _hear(turn, incoming, act, None, _fleeting(state))
    if wide.farewell is not None:
        return Taken((_farewell(turn, incoming, wide.farewell),))
    if wide.reread:
        chat = conversations.open_chat(turn.conn, incoming.account, incoming.address)
        assert chat is not None
        # The same contact, perhaps an officer or a person by now.
        officer = officers.of_contact(turn.conn, chat.contact_id) if chat.officer_id is not None else None
        turn = replace(turn, chat=chat, officer=officer, memo={})
        with speaking(_voice(chat)):
            told = _tell(turn, incoming, *_shown(turn, wide.state), wide.note, turn.chat.screen + 1)
            return _answer(turn, told, heard)
    return _answer(turn, _tell(turn, incoming, *_shown(turn, wide.state), wide.note, turn.chat.screen + 1), heard)


def _answer(turn: Turn, told: Told, heard: tuple[int, str] | None = None) -> Taken:
    return Taken((told,), heard, officer=turn.officer is not None)


def _take_of_album(turn: Turn, incoming: Incoming, sent: Sent) -> Taken:
    """Pictures sent in one go come one by one, in any order, also after the citizen has gone on: the first part is an
    act like any other, and the rest goes where that landed. What was refused is refused once, as a whole."""
    landed = albums.of(turn.conn, turn.chat.contact_id, sent.album)
    if landed is None:
        taken = _take_act(turn, incoming, sent)
        if albums.of(turn.conn, turn.chat.contact_id, sent.album) is None:
            albums.refuse(turn.conn, turn.chat.contact_id, sent.album, turn.now)
        return taken
    if landed.assessment_id is None or landed.indicator is None:
        return Taken(officer=turn.officer is not None)
    asked, chat = _state(turn.chat), turn.chat
    heard = _hear(turn, incoming, sent, None, _fleeting(asked))
    try:
        with refusable(turn.conn):
            step = questions.more_of_album(turn, asked, landed.assessment_id, landed.indicator, sent)
    except Refused as refused:
        turn.memo.clear()
        albums.refuse(turn.conn, chat.contact_id, sent.album, turn.now)
        step = Next(asked, refusals.sentence(turn, refused))
    state, screen = _shown(turn, step.state)
    # Where the chat stands has not changed, so buttons that are on the phone stay good.
    number = max(chat.screen, 1) if state == asked else chat.screen + 1
    return _answer(turn, _tell(turn, incoming, state, screen, step.note, number), heard)


def _anywhere(turn: Turn, state: Any, act: Act) -> Next | None:
    """Acts that mean the same wherever the chat stands: links, commands, a notice's buttons."""
    if isinstance(act, Opened):
        return commands.opened(turn, state, act.payload)
    if isinstance(act, Pressed) and act.choice.startswith(GO):
        return commands.go(turn, state, act.choice.removeprefix(GO))
    if isinstance(act, Typed):
        return commands.typed(turn, state, act.text)
    return None


def _guarded(turn: Turn, state: Any, work: Callable[[], Next | None]) -> Next | None:
    """A refusal changes nothing, also when it comes after the first write; the same screen says why."""
    try:
        with refusable(turn.conn):
            return work()
    except Refused as refused:
        turn.memo.clear()
        return Next(state, refusals.sentence(turn, refused))


def _to_dialog(turn: Turn, state: Any, view: Any, now: Screen, act: Act) -> Next:
    """Give the act to the dialog whose screen is shown; a refusal keeps the screen and says why."""
    if isinstance(act, Unsupported):
        if act.kind == "contact" and now.input == "tel":
            return Next(state, _("turn.unsupported.contact_tel"))
        return Next(state, _(f"turn.unsupported.{act.kind if act.kind in UNSUPPORTED else 'other'}"))
    if isinstance(act, Typed):
        chosen = choice_typed(now, act.text)
        if chosen is not None:
            act = Pressed(chosen)
            if chosen.startswith(GO):
                wide = act
                return _guarded(turn, state, lambda: _anywhere(turn, state, wide)) or Next(state)
        elif not act.text or now.input == "none":
            return Next(state, _help_line(now))
    elif isinstance(act, Pressed) and all(choice.id != act.choice for choice in now.choices):
        return Next(state, _("turn.stale"))  # the screen has changed under the finger
    elif isinstance(act, Sent) and not act.uploads and not act.files:
        return Next(state, _help_line(now))
    taken = act
    step = _guarded(turn, state, lambda: dialog_of(state).take(turn, state, view, taken))
    assert step is not None
    untaken = isinstance(taken, Sent) and step == Next(state)  # pictures that nobody takes: that is said
    return replace(step, note=_help_line(now)) if step.puzzled or untaken else step


UNSUPPORTED = (
    "voice", "sticker", "contact", "location", "video", "file", "too_big", "edited", "other",
)  # fmt: skip


def _help_line(now: Screen) -> str:
    count = sum(choice.id != "back" for choice in now.choices)
    back = count < len(now.choices)
    if count == 0:
        return _("turn.help.text")
    if count == 1:
        return _("turn.help.one")
    return _("turn.help.number_back" if back else "turn.help.number", most=count)


# ------------------------------------------------------------------------------------------ telling


def _fleeting(state: Any) -> bool:
    """Do this state's screens show an officer other people's data?"""
    return bool(getattr(dialog_of(state), "FLEETING", False))


def _hear(turn: Turn, incoming: Incoming, act: Act, now: Screen | None, fleeting: bool) -> tuple[int, str] | None:
    """Keep what the person said, where the channel shows history from our store."""
    if not incoming.capabilities.history:
        return None
    said: dict[str, Any] = {}
    if isinstance(act, Typed):
        said["text"] = events.masked_codes(act.text)
    elif isinstance(act, Pressed):
        label = next((choice.label for choice in now.choices if choice.id == act.choice), "") if now else ""
        said["text"] = label or _label_shown(turn, act.choice) or _("turn.pressed")
    elif isinstance(act, Sent):
        said["pictures"] = [[key, ""] for key in act.uploads if key != practising.MARK]
        if act.caption or not said["pictures"]:
            said["text"] = events.masked_codes(act.caption) or _("practice.picture")
    else:
        return None
    body = json.dumps(said, ensure_ascii=False)
    line = conversations.keep_message(
        turn.conn, turn.chat.contact_id, "in", body, incoming.at, incoming.event, fleeting=fleeting
    )
    return line, body


def _label_shown(turn: Turn, choice: str) -> str:
    """What stood on a button that is not of the open screen: a notice's, or one that the screen has lost."""
    for line in reversed(conversations.history(turn.conn, turn.chat.account, turn.chat.address, most=RECENT_LINES)):
        if line.direction == "out":
            for each in decode_screen(line.body).choices:
                if each.id == choice:
                    return each.label
    return ""


def _tell(turn: Turn, incoming: Incoming, state: Any, screen: Screen, note: str, number: int) -> Told:
    """Save where the chat stands and put its screen into the outbox."""
    chat = turn.chat
    if turn.hidden:
        note = f"{note}\n{idnumber.hidden_line(turn)}" if note else idnumber.hidden_line(turn)
    if note:
        screen = replace(screen, note=f"{note}\n{screen.note}" if screen.note else note)
    screen = replace(screen, number=number, language=chat.language, protected=_fleeting(state))
    conversations.save_chat(turn.conn, chat.contact_id, encode_state(state), number, incoming.at)
    body = encode_screen(screen)
    # A resume code is shown once and kept nowhere: what lies in the tables has it masked.
    kept = encode_screen(_without_secrets(turn, screen)) if screen.note or screen.documents else body
    message_id = None
    if incoming.capabilities.history:
        if turn.officer is not None:
            conversations.drop_fleeting(turn.conn, chat.contact_id)
        message_id = conversations.keep_message(
            turn.conn, chat.contact_id, "out", kept, incoming.at, fleeting=_fleeting(state)
        )
    outbox_id = outbox.put(
        turn.conn,
        account=chat.account,
        address=chat.address,
        contact_id=chat.contact_id,
        body=kept,
        now=incoming.at,
        message_id=message_id,
        delivered=message_id is not None,
    )
    return Told(outbox_id, message_id, body)


def _without_secrets(turn: Turn, screen: Screen) -> Screen:
    """The screen as history and outbox keep it: codes masked, and of files only the key to what goes in a day."""
    documents = tuple(
        replace(each, content="", key=handed.put(turn.conn, turn.chat.contact_id, each.content, turn.now))
        for each in screen.documents
    )
    return replace(screen, note=events.masked_codes(screen.note), documents=documents)


def _farewell(turn: Turn, incoming: Incoming, screen: Screen) -> Told:
    """The contact has been forgotten: the last screen goes out by address alone."""
    body = encode_screen(screen)
    outbox_id = outbox.put(
        turn.conn,
        account=incoming.account,
        address=incoming.address,
        contact_id=None,
        body=body,
        now=incoming.at,
    )
    return Told(outbox_id, None, body)


def _signal(turn: Turn, signal: Signal) -> Taken:
    """The machine has something to say: a notice beside the open question, which stays as it is."""
    screens: Sequence[Screen] = signals.take(turn, signal)
    told = []
    for screen in screens:
        body = encode_screen(replace(screen, number=0, language=turn.chat.language))
        message_id = None
        if turn.capabilities.history:
            message_id = conversations.keep_message(turn.conn, turn.chat.contact_id, "out", body, turn.now)
        outbox_id = outbox.put(
            turn.conn,
            account=turn.chat.account,
            address=turn.chat.address,
            contact_id=turn.chat.contact_id,
            body=body,
            now=turn.now,
            priority=outbox.NOTICE,
            message_id=message_id,
            delivered=message_id is not None,
        )
        told.append(Told(outbox_id, message_id, body))
    return Taken(tuple(told))
