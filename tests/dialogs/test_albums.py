"""Albums: pictures sent in one go that come one by one, in any order, also after the citizen has gone on."""

from __future__ import annotations

import itertools
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialogs.model import FileRef, Pressed, Sent
from storage import assessments, conversations, evidence
from tests.dialogs.conftest import Worlds
from tests.dialogs.test_arriving import answers_with_files, hands_in, pieces_of, row_of, started
from tests.support.world import Chat, World

EXAMPLES = int(os.environ.get("HOCTAP_EXAMPLES", "25"))


def names_of(world: World) -> dict[str, list[str]]:
    """Indicator → the names of the files on their way beside it, sorted."""
    found: dict[str, list[str]] = {}
    for row in world.on_their_way():
        found.setdefault(row.indicator, []).append(row.reference.removeprefix("ref-"))
    return {indicator: sorted(names) for indicator, names in found.items()}


def part(citizen: Chat, name: str, album: str = "x", caption: str = "") -> Chat:
    return citizen.sends_files(name, album=album, caption=caption)


def test_the_parts_land_where_the_first_one_did_and_the_screen_keeps_its_number(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").sees("Minh chứng cho câu 2")
    part(citizen, "b", caption="Lớp tập huấn").sees("Đã nhận 1 ảnh cho câu 2", "Câu 3/10")
    number = citizen.screen.number
    part(citizen, "a").sees("Đã nhận 2 ảnh cho câu 2", "Câu 3/10")
    assert citizen.screen.number == number
    citizen.does(Pressed("dat"), screen=number).sees("Câu 4/10")
    part(citizen, "c").sees("Đã nhận 3 ảnh cho câu 2", "Câu 4/10")
    assert names_of(world) == {"A2": ["a", "b", "c"]}
    with world.read() as conn:
        captions = [piece.text for piece in evidence.all_of(conn, row_of(world).id)]
    assert captions == ["Lớp tập huấn", "", ""], "a caption goes with the piece it came with"


def test_a_later_part_is_never_stale_but_a_press_is(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot")
    old = citizen.screen.number
    part(citizen, "a")
    citizen.presses("dat").presses("dat").sees("Câu 5/10")
    later = Sent(files=(FileRef("ref-b", "b"),), album="x")
    citizen.does(later, screen=old).sees("Đã nhận 2 ảnh cho câu 2", "Câu 5/10").sees_not("đã cũ")
    citizen.does(Pressed("tot"), screen=old).sees("đã cũ", "Câu 5/10")
    assert names_of(world) == {"A2": ["a", "b"]}


def test_a_part_lands_wherever_the_chat_stands(world: World) -> None:
    citizen = part(started(world).presses("kha").presses("tot"), "a")
    citizen.types("/help")
    part(citizen, "b").sees("Đã nhận 2 ảnh cho câu 2", "Trợ giúp" if "Trợ giúp" in citizen.read_out() else "/hoso")
    citizen.types("/hoso")
    part(citizen, "c").sees("Đã nhận 3 ảnh cho câu 2", "Mã hồ sơ")
    citizen.presses("go_on").presses("back").presses("evidence").sees("3 ảnh (đang nhận 3)")
    part(citizen, "d").sees("4 ảnh (đang nhận 4)", "Minh chứng cho câu 2")
    assert names_of(world) == {"A2": ["a", "b", "c", "d"]}


def test_two_albums_and_single_pictures_do_not_mix(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot")
    part(citizen, "a", "x")
    citizen.presses("tot").sees("Minh chứng cho câu 3")
    part(citizen, "b", "y").sees("Đã nhận 1 ảnh cho câu 3", "Câu 4/10")
    part(citizen, "c", "x").sees("câu 2")
    part(citizen, "d", "y").sees("câu 3")
    citizen.sends_files("e").sees("Đã thêm, câu 3 hiện có 3 ảnh")
    assert names_of(world) == {"A2": ["a", "c"], "A3": ["b", "d", "e"]}


def test_a_refused_album_is_refused_once_and_as_a_whole(world: World) -> None:
    citizen = answers_with_files(started(world)).sees("Xem lại phiếu")
    part(citizen, "a").sees("Tôi chưa hiểu ý ông/bà")
    citizen.presses("pick").presses("Câu 2:").presses("evidence")
    screen = citizen.screen
    part(citizen, "b")
    assert citizen.last.told == () and not citizen.last.repeat
    assert citizen.screen == screen
    assert names_of(world) == {"A2": ["file-2"], "A3": ["file-3"], "B1": ["file-5"]}
    with world.read() as conn:
        assert not conversations.claim(conn, citizen.account, f"{citizen.address}-{citizen.acts}", world.now)


def test_an_album_too_large_keeps_the_first_and_says_so_once(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot")
    for n in range(evidence.MOST_PICTURES):
        part(citizen, f"p{n}")
    citizen.sees(f"Đã nhận {evidence.MOST_PICTURES} ảnh cho câu 2")
    part(citizen, "one more").sees("tối đa 8 ảnh", "Câu 3/10")
    part(citizen, "and one more")
    assert citizen.last.told == ()
    assert len(names_of(world)["A2"]) == evidence.MOST_PICTURES


def test_a_part_that_comes_after_handing_in(world: World) -> None:
    citizen = answers_with_files(started(world)).presses("pick").presses("Câu 2:").presses("evidence")
    part(citizen, "a").presses("done")
    citizen.types("/hoso").presses("go_on")
    hands_in(citizen).sees("đang nhận ảnh 0/4")
    part(citizen, "b").sees("Đã nhận 3 ảnh cho câu 2", "đang nhận ảnh 0/5")
    world.fetches()
    assert row_of(world).status == "submitted"
    part(citizen, "c").sees("không sửa được nữa", "chờ xét")
    part(citizen, "d")
    assert citizen.last.told == ()
    assert len(pieces_of(world)) == 5
    world.recounted()


def test_a_part_repeated_by_the_channel_has_no_second_turn(world: World) -> None:
    citizen = part(started(world).presses("kha").presses("tot"), "a")
    citizen.does(Sent(files=(FileRef("ref-b", "b"),), album="x"), event="once", screen=None)
    citizen.does(Sent(files=(FileRef("ref-b", "b"),), album="x"), event="once", screen=None)
    assert citizen.last.repeat
    part(citizen, "b").sees("Đã nhận 2 ảnh cho câu 2")
    assert names_of(world) == {"A2": ["a", "b"]}


def test_the_rest_of_an_album_does_not_follow_the_phone_to_another_person(world: World) -> None:
    citizen = part(started(world).presses("kha").presses("tot"), "a")
    other = world.citizen().joins(name="Lê Thị Na")
    with world.write() as conn:
        phone = conversations.peek(conn, citizen.account, citizen.address)
        na = conversations.peek(conn, other.account, other.address)
        assert phone is not None and na is not None and na.person is not None
        conversations.hand_over(conn, phone.contact_id, na.person.id, world.now)
    part(citizen, "b").sees("không còn giữ hồ sơ này")
    assert names_of(world) == {"A2": ["a"]}


STEPS = ("dat", "dat", "dat", "/help", "/hoso", "go_on")


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    order=st.permutations(["a", "b", "c", "d", "e"]),
    gaps=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    fetched=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_any_order_and_interleaving_of_parts_with_answers_gives_the_same_evidence(
    worlds: Worlds, order: list[str], gaps: list[int], fetched: list[bool]
) -> None:
    with worlds() as world:
        citizen = started(world).presses("kha").presses("tot").sees("Minh chứng cho câu 2")
        steps = iter(STEPS)
        for name, gap, comes in zip(order, [*gaps, 0], fetched, strict=True):
            part(citizen, name)
            if comes:
                world.fetches(name)
            for step in itertools.islice(steps, gap):
                citizen.types(step) if step.startswith("/") else citizen.presses(step)
        for step in steps:
            citizen.types(step) if step.startswith("/") else citizen.presses(step)
        world.fetches()
        with world.read() as conn:
            pieces = evidence.all_of(conn, row_of(world).id)
            answered = {id: answer.level for id, answer in assessments.answers_of(conn, row_of(world).id).items()}
    assert {(piece.indicator, piece.status) for piece in pieces} == {("A2", "given")}
    assert len({piece.key for piece in pieces}) == len(pieces) == 5
    assert answered == {"A1": "kha", "A2": "tot", "A3": "dat", "A4": "dat", "B1": "dat"}
