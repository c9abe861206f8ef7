"""/tapdung: a guided round on made-up dossiers, which is never counted."""

from __future__ import annotations

import os
import re

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialogs import practising
from dialogs.deciding import RETURN_REASONS
from dialogs.model import Pressed
from dialogs.states import decode_state
from storage import conversations
from storage.base import metadata
from tests.dialogs.conftest import Worlds
from tests.support.world import HONG_GAI, Chat, World

MARK = "TẬP DÙNG, không tính"
# What any turn writes: where the chat stands, what was said, the message that goes out.
OF_TURNS = {"conversations", "messages", "outbox", "claims", "contacts"}


def shown(chat: Chat) -> list[str]:
    return [each.id for each in chat.screen.choices]


def domain(world: World) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that is not the conversation's own."""
    with world.read() as conn:
        return {
            name: sorted((tuple(row) for row in conn.execute(sa.select(table))), key=repr)
            for name, table in metadata.tables.items()
            if name not in OF_TURNS
        }


@pytest.mark.parametrize(
    ("dossier", "presses", "seen"),
    [
        ("good", ["approve"], "Đúng rồi, vì hồ sơ đủ điểm"),
        ("good", ["return"], "Chưa đúng"),
        ("good", ["not_met"], "Chưa đúng"),
        ("blurred", ["return", "blurred"], "Đúng rồi, vì ảnh mờ"),
        *[("blurred", ["return", each], "lý do nên là ảnh mờ") for each in RETURN_REASONS if each != "blurred"],
        ("blurred", ["approve"], "Chưa đúng"),
        ("blurred", ["not_met"], "Chưa đúng"),
        ("low", ["not_met"], "Đúng rồi, vì minh chứng đã rõ"),
        ("low", ["approve"], "Chưa đúng"),
        ("low", ["return"], "Chưa đúng"),
    ],
)
def test_what_an_officer_hears_of_each_decision(world: World, dossier: str, presses: list[str], seen: str) -> None:
    officer = world.officer().types("/tapdung").sees(MARK, "Còn 3 hồ sơ tập chờ xét").presses(f"open:{dossier}")
    for each in presses:
        officer.sees(MARK).presses(each)
    officer.sees(MARK, seen).presses("next").sees("Còn 2 hồ sơ tập")
    assert f"open:{dossier}" not in shown(officer)


@pytest.mark.parametrize("rights", [0, 1, 3])
def test_the_end_says_how_many_were_right(world: World, rights: int) -> None:
    officer = world.officer().types("/practice")
    for nth, dossier in enumerate(practising.RIGHT):
        right = {"good": "approve", "blurred": "return", "low": "not_met"}[dossier]
        wrong = "not_met" if dossier != "low" else "approve"
        officer.presses(f"open:{dossier}").presses(right if nth < rights else wrong)
        if nth < rights and dossier == "blurred":
            officer.presses("blurred")
        officer.presses("next")
    officer.sees(MARK, f"xét đúng {rights}/3 hồ sơ tập").presses("again").sees("Còn 3 hồ sơ tập")


def test_points_are_on_the_right_side_of_what_passes(world: World) -> None:
    officer = world.officer().types("/tapdung")
    for dossier, passes in (("good", True), ("low", False)):
        officer.presses(f"open:{dossier}")
        found = re.search(r"Tổng (\d+)/(\d+) điểm; đạt từ (\d+)", officer.read_out())
        assert found is not None
        total, of, least = map(int, found.groups())
        assert (total >= least) is passes and total <= of
        officer.presses("back")


@pytest.mark.parametrize("proof", ["photo", "words", "pretend"])
@pytest.mark.parametrize("who", ["stranger", "citizen"])
def test_a_citizens_round(world: World, who: str, proof: str) -> None:
    chat = world.citizen().opens() if who == "stranger" else world.citizen().joins()
    chat.types("/tapdung").sees(MARK, "Câu tập 1/2").presses("often").sees(MARK, "Câu tập 2/2")
    chat.presses("sometimes").sees(MARK, "cần minh chứng")
    if proof == "photo":  # as Telegram sends it; tests/web/test_practice_pictures.py has the page
        chat.sends_files("anh", "anh nữa", album="chung").sends_files("một ảnh nữa")
    else:
        chat.presses("pretend") if proof == "pretend" else chat.types("Tôi dự lớp ở nhà văn hóa")
    chat.sees(MARK, "Đã nhận minh chứng tập", "Câu 1: Thường xuyên", "Câu 2: Có, một buổi")
    chat.presses("submit").sees(MARK, "Biên nhận tập").presses("again").sees("Câu tập 1/2")


def test_an_answer_that_says_never_needs_no_evidence_and_can_be_changed(world: World) -> None:
    chat = world.citizen().types("/tapdung").presses("never").presses("never").sees("Câu 2: Chưa dự")
    chat.presses("back").sees("Câu tập 2/2").presses("back").sees("Câu tập 1/2").presses("often")
    chat.presses("often").presses("back").sees("Câu tập 2/2")


def test_who_is_officer_and_citizen_is_asked_which(world: World) -> None:
    both = world.officer().opens(HONG_GAI).presses("yes").presses("agree").types("Trần Hoa").types("1970")
    both.presses("skip").presses("anh_chi").presses("nong_dan").types("/tapdung").sees(MARK, "tập việc nào")
    both.presses("citizen").sees("Câu tập 1/2").types("/tapdung").presses("officer").sees("hồ sơ tập chờ xét")


def test_a_practice_is_left_where_it_began(world: World) -> None:
    citizen = world.citizen().joins().presses("start").sees("Câu 1/10").types("/dung").sees("đang không tập")
    citizen.sees("Câu 1/10").types("/tapdung").presses("often").types("/dung").sees("Đã thôi tập", "Câu 1/10")
    citizen.types("/tapdung").presses("leave").sees("Đã thôi tập", "Câu 1/10")
    citizen.types("/tapdung").types("/trangchu").sees_not(MARK).sees("Kính chào Nguyễn Văn Hùng")


def test_a_practice_resumes_and_help_leads_back_to_it(world: World) -> None:
    citizen = world.citizen().joins().presses("start").types("/tapdung").presses("often")
    citizen.opens().sees(MARK, "Câu tập 2/2").types("/help").types("0").sees(MARK, "Câu tập 2/2")
    citizen.types("/help").types("/tapdung").types("/tapdung").types("/dung").sees("Câu 1/10")
    with world.read() as conn:
        chat = conversations.peek(conn, citizen.account, citizen.address)
    assert chat is not None and len(chat.state) < 200


def test_english_too(world: World) -> None:
    officer = world.officer().types("/ngonngu en").types("/tapdung").sees("PRACTICE, does not count")
    officer.presses("open:good").presses("approve").sees("That is right")


EXAMPLES = int(os.environ.get("HOCTAP_EXAMPLES", "20"))
act = st.one_of(
    st.tuples(st.just("press"), st.integers(0, 6)),
    st.tuples(st.just("press"), st.integers(0, 2)),
    st.tuples(st.just("stale"), st.integers(0, 6)),
    st.tuples(st.just("type"), st.sampled_from(["1", "2", "0", "xin chào", "/tapdung", "/help", "lớp học", "\x00"])),
    st.tuples(st.just("file"), st.just(0)),
)


@pytest.mark.slow
@pytest.mark.parametrize("ground", ["full", "plain"], indirect=True)  # no database has a part in it
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(life=st.lists(st.tuples(st.integers(0, 2), act), min_size=3, max_size=30))
def test_random_presses_change_no_domain_table(worlds: Worlds, life: list[tuple[int, tuple[str, object]]]) -> None:
    with worlds() as world:
        code = world.citizen().joins(name="Lê Thị Na").submits()
        chats = [world.citizen().opens(), world.citizen().joins().presses("start"), world.officer()]
        before = domain(world)
        for chat in chats:
            chat.types("/tapdung").sees(MARK)
        for who, (what, detail) in life:
            chat = chats[who]
            choices = shown(chat)
            match what, detail:
                case "press", int(nth):
                    choice = choices[nth % len(choices)]
                    if choice != "leave" and not choice.startswith("go:"):
                        chat.presses(choice)
                case "stale", int(nth):
                    chat.does(Pressed(choices[nth % len(choices)]), screen=max(1, chat.screen.number - 1))
                case "type", str(text):
                    chat.types(text)
                case "file", _:
                    chat.sends_files("anh-tap")
            with world.read() as conn:
                found = conversations.peek(conn, chat.account, chat.address)
            assert found is not None
            standing = decode_state(found.state)
            if isinstance(standing, practising.STATES):
                chat.sees(MARK)
            elif not chat.screen.title.startswith(("Trợ giúp", "Hướng dẫn")):
                chat.types("/tapdung")
        assert domain(world) == before
        chats[2].types("/queue").sees("Lê Thị Na")
        chats[2].types(f"/duyet {code}").presses("approve")
        assert domain(world) != before
