"""hypothesis drives every dialog: random acts, texts, stale and double presses, repeats, wrong files, pictures on
their way that come, come late in albums, or do not come.

No exception reaches a person, an event has one effect, and after each act the invariants hold.
"""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from dialogs import answering, handing_in
from dialogs.commands import BY_NAME
from dialogs.model import FileRef, Opened, Pressed, Sent, Signal, Typed, Unsupported
from dialogs.states import decode_state
from storage import assessments, codes, conversations, counters, events, evidence, tallies, units
from storage.recount import check
from tests.dialogs.conftest import Worlds
from tests.dialogs.test_arriving import answers_with_files, hands_in
from tests.support.world import HONG_GAI, Chat, World

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("HOCTAP_EXAMPLES", "25"))
ODD = [
    "", " ", "\x00",
    "\u202egnas", "\u200f\u200e", "🙂" * 50, "ă" * 5000, "<b>Lê & Trần</b>", "'; drop table people; --",
    "{you}", "%s %d {0}", "-1", "0", "1", "7", "99", "số 2", "câu 12", "1957", "2026", "0912345678", "0",
    "022157001234",
    "https://example.vn/x", "http://", "/start", "/start DV06685K", "/start xyz", "/help@bot", "/", "//", "hồng gai",
    "DV 06685-K", "DV 06658-K", "HS-2026-AAAAA", "MT-AAAAA-AAAAA-AAAAA-AAAAA", "Ảnh mờ, xin chụp lại", "đồng ý", "vâng",
]  # fmt: skip
COMMANDS = [f"/{name}" for name in BY_NAME]
GOES = [
    "queue",
    "hoso",
    "home",
    "on",
    "stop",
    "mend:HS:A1",
    "prove:code:A2",
    "prove:x:A2",
    "dossier:HS-2026-AAAAA",
    "x",
    "",
]

act = st.one_of(
    st.tuples(st.just("press"), st.integers(0, 11)),
    st.tuples(st.just("press"), st.integers(0, 3)),
    st.tuples(st.just("type"), st.sampled_from(ODD + COMMANDS)),
    st.tuples(st.just("type"), st.text(max_size=40)),
    st.tuples(
        st.just("command"), st.tuples(st.sampled_from(COMMANDS), st.sampled_from(["", " code", " 22", " 2025", " x"]))
    ),
    st.tuples(st.just("stale"), st.integers(0, 11)),
    st.tuples(st.just("repeat"), st.just(0)),
    st.tuples(st.just("send"), st.lists(st.sampled_from(["a", "b", "c", "foreign"]), max_size=3)),
    st.tuples(st.just("file"), st.tuples(st.sampled_from("abcdefghijk"), st.sampled_from(["", "", "x", "y"]))),
    st.tuples(st.just("file"), st.tuples(st.sampled_from("lm"), st.just("x"))),
    st.tuples(st.just("fetch"), st.integers(0, 5)),
    st.tuples(st.just("lose"), st.integers(0, 5)),
    st.tuples(st.just("reach"), st.sampled_from(["blocked", "unblocked"])),
    st.tuples(st.just("other"), st.sampled_from(["voice", "contact", "location", "file", "too_big", "edited", "x"])),
    st.tuples(st.just("go"), st.sampled_from(GOES)),
    st.tuples(st.just("open"), st.sampled_from(["", HONG_GAI, "DV0668503K", "code", "MTAAAA", "\x00", "x" * 300])),
    st.tuples(st.just("time"), st.sampled_from([1, 61, 3600, 86_400])),
)  # fmt: skip
life = st.lists(st.tuples(st.integers(0, 4), act), min_size=5, max_size=60)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(life=life)
def test_nothing_that_people_do_breaks_anything(worlds: Worlds, life: list[tuple[int, tuple[str, object]]]) -> None:
    with worlds() as world:
        world.rescues = True
        with world.write() as conn:
            units.add_association_unit(conn, "06685", "Chi hội khu 3", "chi_hoi", "test", world.now)
        chats = [
            world.citizen().opens(),
            world.citizen().joins(),
            world.citizen().joins(name="Lê Thị Na", form="anh_chi", group="can_bo").presses("start"),
            world.officer(),
            world.officer("22", "supervisor", "Lê Quang Bình"),
        ]
        code = chats[1].submits("kha")
        hands_in(answers_with_files(chats[2]))
        claimed = {(chat.address, number) for chat in chats for number in range(1, chat.acts + 1)}
        for who, (what, detail) in life:
            chat = chats[who]
            note(f"{who} {what} {detail!r}")
            repeated = _do(world, chat, what, detail, code)
            if not repeated and what not in ("time", "fetch", "lose"):
                claimed.add((chat.address, chat.acts))
            _invariants(world, chat, claimed)


def _do(world: World, chat: Chat, what: str, detail: object, code: str) -> bool:
    """One act; was it the repeat of an event?"""
    shown = chat.screen
    match what, detail:
        case "press", int(which):
            if not shown.choices:
                chat.does(Pressed("nothing"))
            else:
                chat.presses(shown.choices[which % len(shown.choices)].id)
        case "stale", int(which):
            choice = shown.choices[which % len(shown.choices)].id if shown.choices else "x"
            chat.does(Pressed(choice), screen=max(1, shown.number - 1 - which))
        case "type", str(text):
            chat.types(text)
        case "command", (str(command), str(rest)):
            chat.types(command + rest.replace("code", code))
        case "repeat", _:
            if chat.acts:
                chat.does(Typed("khác"), event=f"{chat.address}-{chat.acts}")
                assert chat.last.repeat
                chat.acts -= 1
                return True
            chat.opens()
        case "send", list(names):
            keys = [
                hashlib.sha256(b"foreign").hexdigest() if n == "foreign" or not chat.exists() else chat.uploads(n)
                for n in names
            ]
            chat.does(Sent(tuple(keys), "chú thích \u202e"))
        case "file", (str(name), str(album)):
            chat.does(Sent(caption="chú thích", files=(FileRef(f"ref-{name}", name),), album=album), screen=None)
        case (("fetch" | "lose"), int(which)):
            coming = world.on_their_way()
            if coming:
                name = coming[which % len(coming)].reference.removeprefix("ref-")
                world.fetches(name) if what == "fetch" else world.loses(name, reason="broken")
        case "reach", str(kind):
            chat.does(Signal(kind))
        case "other", str(kind):
            chat.does(Unsupported(kind))
        case "go", str(where):
            mine = next((row.code for row in _forms(world) if row.status in assessments.EDITABLE), code)
            chat.does(Pressed(f"go:{where.replace('code', mine)}"))
        case "open", str(payload):
            chat.does(Opened(codes.payload(codes.parse(code)) if payload == "code" else payload))
        case "time", int(seconds):
            world.passes(seconds=seconds)
            with world.write() as conn:
                counters.fold(conn)
                tallies.fold(conn)
                tallies.refresh(conn)
    return False


def _forms(world: World) -> list[assessments.AssessmentRow]:
    with world.read() as conn:
        return assessments.listing(conn)


def _settled(world: World) -> None:
    """Nothing on its way is waited for in vain, and nobody who handed in waits for nothing."""
    with world.read() as conn:
        for row in assessments.listing(conn):
            sheet = answering.read(conn, row)
            here, of = sheet.pictures
            if row.status not in assessments.EDITABLE:
                assert here == of, "only an open form has pictures on their way"
            elif row.handed_in_at is not None:
                assert here < of or not handing_in.complete(sheet) or handing_in.asked_again(conn, sheet)
        due = sum(
            piece.status == "arriving" for row in assessments.listing(conn) for piece in evidence.all_of(conn, row.id)
        )
    assert due == len(world.on_their_way())


def _invariants(world: World, chat: Chat, claimed: set[tuple[str, int]]) -> None:
    with world.read() as conn:
        assert events.listing(conn) == [], events.listing(conn)[-1].error
        assert check(conn) == []
        claims = conn.exec_driver_sql("select count(*) from claims").scalar()
        now = conversations.peek(conn, chat.account, chat.address)
    assert claims == len(claimed)
    _settled(world)
    screen = chat.screen
    assert screen.text
    assert "{" not in screen.text.replace("{you}", "").replace("{0}", "")
    ids = [choice.id for choice in screen.choices]
    assert len(ids) == len(set(ids)), ids
    assert all(choice.label.strip() for choice in screen.choices)
    if now is not None:
        assert decode_state(now.state) is not None
        assert now.screen == screen.number or screen.number == 0
