"""Pictures that their channel still holds: handing in while they are on their way, those that come, those that do
not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dialogs import answering, arriving, questions
from dialogs.model import FileRef, Pressed, Sent, decode_screen
from dialogs.states import decode_state
from storage import assessments, conversations, deletions, evidence, outbox, people
from storage.assessments import AssessmentRow
from storage.base import Refused
from tests.support.world import Chat, World, content


def started(world: World) -> Chat:
    return world.citizen().joins().presses("start")


def answers_with_files(citizen: Chat) -> Chat:
    """Every question answered; questions 2, 3 and 5 with a file each: file-2, file-3, file-5."""
    for n in range(1, 11):
        citizen.presses("tot" if n in (2, 3, 5) else "kha")
        if citizen.screen.title.startswith("Minh chứng"):
            citizen.sends_files(f"file-{n}")
    return citizen.sees("Xem lại phiếu")


def row_of(world: World, code: str | None = None) -> AssessmentRow:
    with world.read() as conn:
        rows = assessments.listing(conn)
    (row,) = rows if code is None else [row for row in rows if row.code == code]
    return row


def pieces_of(world: World) -> list[tuple[str, str, str | None]]:
    with world.read() as conn:
        return [(each.indicator, each.status, each.key) for each in evidence.all_of(conn, row_of(world).id)]


def hands_in(citizen: Chat) -> Chat:
    return citizen.presses("hand_in").presses("submit")


def test_a_picture_on_its_way_counts_and_is_shown_when_it_has_come(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").sees("Minh chứng cho câu 2")
    citizen.sends_files("a", caption="Lớp tập huấn").sees("Đã nhận 1 ảnh cho câu 2", "Câu 3/10")
    citizen.sends_files("b").sees("Đã thêm, câu 2 hiện có 2 ảnh", "Câu 3/10")
    citizen.presses("back").presses("evidence").sees("2 ảnh (đang nhận 2)")
    assert citizen.screen.pictures == ()
    assert world.fetches("b") == 1
    citizen.presses("drop").sees("1. Ảnh: Lớp tập huấn (đang nhận)", "2. Ảnh").presses("back")
    citizen.sees("2 ảnh (đang nhận 1)")
    assert [(each.key, each.again) for each in citizen.screen.pictures] == [(content("b"), True)]
    world.fetches()
    citizen.opens().sees("Minh chứng đã có: 2 ảnh").sees_not("đang nhận")
    assert [each.caption for each in citizen.screen.pictures] == ["Lớp tập huấn", ""]
    with world.read() as conn:
        chat = conversations.peek(conn, citizen.account, citizen.address)
        assert chat is not None
        assert evidence.owns_upload(conn, chat.contact_id, content("a"))
    world.passes(days=3)
    with world.write() as conn:
        evidence.purge_uploads(conn, world.now, world.now, world.now)
        assert evidence.owns_upload(conn, chat.contact_id, content("a")), "what became evidence stays"


def test_handed_in_on_the_way_it_enters_the_queue_with_the_last_picture(world: World) -> None:
    officer = world.officer()
    citizen = answers_with_files(started(world)).sees("đang nhận ảnh 0/3", "không cần chờ")
    world.fetches("file-2")
    citizen.presses("hand_in").sees("đang nhận ảnh 1/3", "hồ sơ tự vào hàng chờ xét")
    citizen.presses("submit").sees("Tôi đã ghi ông/bà nộp phiếu", "đang nhận ảnh 1/3", "tự vào hàng chờ xét")
    row = row_of(world)
    assert (row.status, row.handed_in_at, row.submitted_at) == ("draft", world.now, None)
    citizen.sees(row.code, "Trạng thái: đã nộp, đang nhận ảnh").presses("back")
    citizen.sees(f"Phiếu {row.code} đã được ông/bà nộp, đang nhận ảnh 1/3")
    officer.types("/queue").sees_not("Nguyễn Văn Hùng")

    world.fetches("file-3")
    assert row_of(world).status == "draft"
    assert citizen.hears() == []
    world.passes(minutes=1)
    world.fetches("file-5")
    row = row_of(world)
    assert (row.status, row.handed_in_at, row.submitted_at) == ("submitted", None, world.now)
    (notice,) = citizen.hears()
    assert f"Đã nộp. Mã hồ sơ {row.code}." in notice.text
    assert "Cán bộ Hội sẽ xét" in notice.text
    citizen.does(Pressed(notice.choices[0].id)).sees("chờ xét").sees_not("đang nhận")
    officer.types("/queue").sees("Nguyễn Văn Hùng")
    assert all(status == "given" for _, status, _ in pieces_of(world))
    world.recounted()


def test_with_every_picture_here_it_is_handed_in_at_once(world: World) -> None:
    citizen = answers_with_files(started(world))
    world.fetches()
    hands_in(citizen.opens().sees_not("đang nhận")).sees("Đã nộp. Mã hồ sơ")
    assert row_of(world).handed_in_at is None


def test_handing_in_twice_is_once(world: World) -> None:
    citizen = answers_with_files(started(world))
    other = world.citizen()
    with world.write() as conn:
        whose = conversations.peek(conn, citizen.account, citizen.address)
        assert whose is not None and whose.person is not None
        code = people.new_resume_code(conn, whose.person.id, world.now)
    other.opens().types(code).presses("go_on").presses("hand_in").sees("Nộp chứ ạ?")
    hands_in(citizen)
    first = row_of(world)
    world.passes(minutes=1)
    other.presses("submit").sees(f"đã nộp phiếu {first.code} rồi", "đang nhận ảnh 0/3")
    assert row_of(world) == first
    citizen.presses("go_on").sees("Xem lại phiếu", "đã được ông/bà nộp, đang nhận ảnh 0/3")
    assert all(choice.id != "hand_in" for choice in citizen.screen.choices)
    world.fetches()
    assert row_of(world).status == "submitted"
    heard = [each for each in (*citizen.hears(), *other.hears()) if "Đã nộp. Mã hồ sơ" in each.text]
    assert len(heard) == 1
    world.fetches()
    world.recounted()


def test_a_settled_picture_settles_once(world: World) -> None:
    started(world).presses("kha").presses("tot").sends_files("a")
    (arrival,) = world.on_their_way()
    fetched = [evidence.Picture(content("a"), "h", 1, 1, 1)]
    for _n in range(2):
        with world.write() as conn:
            arriving.arrived(conn, arrival.id, fetched, world.rules, world.now)
            arriving.lost(conn, arrival.id, "broken", world.rules, world.now)
    assert pieces_of(world) == [("A2", "given", content("a"))]
    with world.read() as conn:
        assert outbox.waiting_for(conn, arrival.account, arrival.address, world.now) != []


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("too_big", "lớn quá 20 MB"),
        ("too_many_pixels", "khổ lớn quá"),
        ("not_a_picture", "không phải ảnh hay PDF"),
        ("broken", "bị hỏng"),
        ("unavailable", "chưa gửi đến được"),
        ("never heard of", "chưa gửi đến được"),
    ],
)
def test_a_lost_picture_is_asked_for_again_alone_with_the_reason(world: World, reason: str, said: str) -> None:
    citizen = started(world).presses("kha").presses("tot").sends_files("a").presses("dat").sees("Câu 4/10")
    world.loses(reason=reason)
    (notice,) = citizen.hears()
    assert said in notice.text and "cho câu 2" in notice.text and "gửi ảnh khác" in notice.text
    citizen.opens().sees("Câu 4/10")
    (button,) = notice.choices
    citizen.does(Pressed(button.id)).sees("Minh chứng cho câu 2", "Mức này cần minh chứng")
    citizen.sends_files("b").sees("Đã nhận 1 ảnh cho câu 2", "Câu 4/10")
    world.fetches()
    assert pieces_of(world) == [("A2", "given", content("b"))]


def test_after_the_one_lost_picture_came_again_it_goes_in_by_itself(world: World) -> None:
    citizen = hands_in(answers_with_files(started(world)))
    world.fetches("file-2", "file-3")
    world.loses("file-5", reason="broken")
    row = row_of(world)
    assert row.status == "draft" and row.handed_in_at is not None
    (notice,) = citizen.hears()
    assert "câu 5" in notice.text and "không phải nộp lại" in notice.text
    citizen.types("/hoso").sees("đã nộp, còn thiếu minh chứng", "thiếu minh chứng ở câu 5")
    world.passes(days=80)  # its window has closed meanwhile: it was handed in within it
    citizen.does(Pressed(notice.choices[0].id)).sees("Minh chứng cho câu 5").sends_files("again")
    citizen.sees("đang nhận ảnh 2/3")
    assert row_of(world).status == "draft"
    world.fetches()
    assert row_of(world).status == "submitted"
    citizen.heard("Đã nộp. Mã hồ sơ")
    world.recounted()


@pytest.mark.parametrize("way", ["text", "lower", "level"])
def test_completed_by_other_means_it_is_submitted_in_that_turn(world: World, way: str) -> None:
    citizen = hands_in(answers_with_files(started(world)))
    world.fetches("file-2", "file-3")
    world.loses()
    citizen.does(Pressed(citizen.hears()[0].choices[0].id)).sees("Minh chứng cho câu 5")
    match way:
        case "text":
            citizen.types("Lớp trồng rau an toàn tháng 4")
        case "lower":
            citizen.presses("none").presses("lower")
        case "level":
            citizen.presses("back").presses("dat")
    citizen.sees("Đã nộp. Mã hồ sơ HS-2026-", "chờ xét", "Cán bộ Hội sẽ xét")
    assert row_of(world).status == "submitted"
    assert citizen.hears() == []
    world.recounted()


def test_taking_away_what_is_on_its_way_submits_too_when_the_rest_suffices(world: World) -> None:
    citizen = started(world).presses("evidence").sends_files("a").presses("dat").sees("Câu 2/10")
    for _n in range(9):
        citizen.presses("dat")
    hands_in(citizen).sees("đang nhận ảnh 0/1").presses("go_on").presses("pick").presses("Câu 1:").presses("evidence")
    citizen.presses("drop").presses("1. Ảnh").sees("Đã nộp. Mã hồ sơ", "chờ xét")
    assert world.fetches() == 0
    world.recounted()


def test_a_lost_picture_that_is_not_needed_holds_nothing_up(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").sends_files("a", "b")
    for _n in range(8):
        citizen.presses("dat")
    hands_in(citizen)
    world.loses("b", reason="broken")
    (notice,) = citizen.hears()
    assert "Nếu muốn" in notice.text
    world.fetches("a")
    assert row_of(world).status == "submitted"

    other = world.citizen().joins(name="Lê Thị Na").presses("start").presses("kha").presses("tot").sends_files("c", "d")
    for _n in range(8):
        other.presses("dat")
    hands_in(other)
    world.fetches("c")
    world.loses("d")
    (notice,) = other.hears()
    assert "vẫn vào hàng chờ xét" in notice.text and "Đã nộp. Mã hồ sơ" in notice.text
    assert [choice.id for choice in notice.choices] == ["go:hoso"]
    world.recounted()


def returned_for_a_clear_picture(world: World) -> tuple[Chat, Chat, str]:
    citizen = answers_with_files(started(world))
    world.fetches()
    hands_in(citizen.opens())
    code = row_of(world).code
    officer = world.officer()
    officer.types(f"/tralai {code}").presses("mark:A2").presses("reasons").presses("Ảnh mờ").presses("return")
    world.passes(seconds=61)
    citizen.heard("Ảnh mờ")
    citizen.types("/hoso").presses("mend:A2").presses("evidence")
    return citizen, officer, code


def test_a_returned_dossier_goes_in_by_itself_and_its_officers_are_told(world: World) -> None:
    citizen, officer, code = returned_for_a_clear_picture(world)
    citizen.sends_files("clear").presses("done")
    hands_in(citizen).sees("đã nộp, đang nhận ảnh", "đang nhận ảnh 3/4")
    assert row_of(world).status == "returned"
    officer.hears()
    world.fetches()
    assert row_of(world).status == "submitted"
    officer.heard(f"{code} đã được bổ sung")
    citizen.heard("Đã nộp. Mã hồ sơ")
    officer.types(f"/duyet {code}").sees("đã sửa")
    world.recounted()


@pytest.mark.parametrize("lost_last", [True, False])
def test_a_returned_dossier_waits_for_the_picture_that_was_asked_for(world: World, lost_last: bool) -> None:
    citizen, _officer, _code = returned_for_a_clear_picture(world)
    citizen.sends_files("clear", "another").presses("done")
    hands_in(citizen)
    if lost_last:
        world.fetches("another")
        world.loses("clear")
    else:
        world.loses("clear")
        world.fetches("another")
    assert row_of(world).status == "returned", "an officer asked for that very picture"
    citizen.types("/hoso").sees("thiếu minh chứng ở câu 2").presses("go_on").presses("next").presses("hand_in")
    citizen.presses("submit").sees("Đã nộp. Mã hồ sơ")  # the citizen says that it is enough
    world.recounted()


def test_withdrawn_or_begun_anew_nothing_is_waited_for(world: World) -> None:
    citizen = hands_in(answers_with_files(started(world)))
    citizen.presses("ask_withdraw").presses("withdraw").sees("Đã rút hồ sơ")
    assert row_of(world).handed_in_at is None
    assert world.fetches() == 0
    hands_in(answers_with_files(citizen.presses("start")))
    citizen.presses("ask_again").presses("again").sees("Câu 1/10")
    assert row_of(world).handed_in_at is None
    assert world.loses() == 0
    assert citizen.hears() == []
    world.recounted()


def test_the_next_person_of_a_phone_does_not_see_what_was_on_its_way(world: World) -> None:
    owner = started(world).presses("kha").presses("tot").sends_files("a")
    with world.write() as conn:
        chat = conversations.peek(conn, owner.account, owner.address)
        assert chat is not None
        unit = chat.person.unit_id if chat.person else 0
        other = people.join(
            conn, chat.contact_id, unit_id=unit, name="Lê Thị Na", birth_year=1990, phone=None, form="anh_chi",
            subject_group="can_bo", now=world.now
        )  # fmt: skip
        conversations.hand_over(conn, chat.contact_id, other.id, world.now)
    world.fetches()
    assert pieces_of(world) == [("A2", "given", content("a"))]
    with world.read() as conn:
        assert not evidence.owns_upload(conn, chat.contact_id, content("a"))


def test_the_button_of_a_lost_picture_opens_only_ones_own_open_question(world: World) -> None:
    citizen = answers_with_files(started(world))
    code = row_of(world).code
    stranger = world.citizen().joins(name="Lê Thị Na")
    stranger.does(Pressed(f"go:prove:{code}:A2")).sees("đã đăng ký").sees_not("Minh chứng cho câu 2")
    citizen.does(Pressed(f"go:prove:{code}:Z9")).sees("Mã hồ sơ")
    citizen.does(Pressed("go:prove:HS-2026-AAAAA:A2")).sees("Mã hồ sơ")
    citizen.does(Pressed(f"go:prove:{code}:A2")).sees("Minh chứng cho câu 2")
    world.fetches()
    hands_in(citizen.presses("done"))
    citizen.does(Pressed(f"go:prove:{code}:A2")).sees("không sửa được nữa")


def test_ones_own_data_names_what_is_on_its_way(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").sends_files("a").types("/dulieu")
    citizen.sees("1 minh chứng")
    with world.read() as conn:
        sheet = answering.read(conn, row_of(world))
    assert sheet.pictures == (0, 1)
    assert "A2" not in sheet.missing


def test_a_screen_keeps_which_pictures_are_seen_again(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").sends("a")
    citizen.presses("back").presses("evidence")
    body = citizen.last.told[0].body
    assert json.loads(body)["pictures"] == [[content("a"), "", True]]
    assert decode_screen(body).pictures[0].again


def test_pictures_that_no_screen_takes_are_answered(world: World) -> None:
    citizen = answers_with_files(started(world))
    citizen.sends_files("x").sees("Tôi chưa hiểu ý ông/bà", "Xem lại phiếu")
    assert len(pieces_of(world)) == 3
    citizen.does(Sent()).sees("Tôi chưa hiểu ý ông/bà")


def test_proving_is_refused_where_the_dossier_is_not_open(world: World) -> None:
    citizen = answers_with_files(started(world))
    world.fetches()
    hands_in(citizen.opens())
    with world.read() as conn:
        chat = conversations.peek(conn, citizen.account, citizen.address)
        assert chat is not None
        assert not isinstance(decode_state(chat.state), questions.Evidencing)
    with pytest.raises(Refused, match="assessment_state"), world.write() as conn:
        assessments.hand_in(conn, row_of(world).id, "person:1", world.now)


def pages(name: str, count: int = 3) -> list[evidence.Picture]:
    return [
        evidence.Picture(content(f"{name}-{n}"), f"pdf {name}", 1810, 2560, 200_000, page=n, pages=count)
        for n in range(1, count + 1)
    ]


def comes(world: World, *found: evidence.Picture) -> None:
    (arrival,) = world.on_their_way()
    with world.write() as conn:
        arriving.arrived(conn, arrival.id, found, world.rules, world.now)


def test_a_paper_of_three_pages_is_three_pictures_of_its_sender(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").sends_files("a", caption="Giấy chứng nhận")
    comes(world, *pages("a"))
    assert pieces_of(world) == [("A2", "given", content(f"a-{n}")) for n in (1, 2, 3)]
    assert citizen.hears() == []
    citizen.opens().presses("back").presses("evidence").sees("3 ảnh")
    assert {each.key for each in citizen.screen.pictures} == {content(f"a-{n}") for n in (1, 2, 3)}
    with world.read() as conn:
        chat = conversations.peek(conn, citizen.account, citizen.address)
        assert chat is not None
        assert all(evidence.owns_upload(conn, chat.contact_id, each.key) for each in pages("a"))
        assert evidence.of_file(conn, chat.contact_id, "pdf a") == tuple(pages("a"))


def test_of_a_longer_paper_its_sender_is_told_what_was_kept(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").sends_files("a")
    comes(world, *(replace(each, in_file=7) for each in pages("a")))
    (notice,) = citizen.hears()
    assert notice.text.startswith("Tệp của ông/bà cho câu 2 có 7 trang, tôi chỉ giữ 3 trang đầu")
    assert "đã đủ" not in notice.text
    citizen.does(Pressed(notice.choices[0].id)).sees("Minh chứng cho câu 2", "3 ảnh")


def test_of_a_longer_paper_that_was_uploaded_the_answer_says_it(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").sees("Minh chứng cho câu 2")
    with world.write() as conn:
        chat = conversations.peek(conn, citizen.account, citizen.address)
        assert chat is not None
        for each in pages("a"):
            evidence.put_upload(conn, chat.contact_id, replace(each, in_file=7), world.now)
    keys = tuple(each.key for each in pages("a"))
    citizen.does(Sent(keys)).sees("Tệp có 7 trang, tôi chỉ giữ 3 trang đầu", "Đã nhận 3 ảnh")
    citizen.sends("b").sees_not("3 trang đầu")


def test_pages_that_find_no_room_are_told(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot")
    for n in range(evidence.MOST_PICTURES - 1):
        citizen.sends_files(f"p{n}")
    world.fetches()
    citizen.sends_files("a")
    comes(world, *pages("a"))
    assert len(pieces_of(world)) == evidence.MOST_PICTURES
    (notice,) = citizen.hears()
    assert "đã đủ 8 ảnh nên tôi không giữ 2 trang sau" in notice.text
    citizen.does(Pressed(notice.choices[0].id)).sees("Minh chứng cho câu 2")


def test_what_goes_beyond_the_quota_is_refused_kindly_and_the_rest_is_kept(world: World) -> None:
    world.rules = replace(world.rules, quota=evidence.Quota(pictures_per_season=2, bytes_per_day=10**9))
    citizen = started(world).presses("kha").presses("tot").sends_files("a", "b").sees("câu 2 hiện có 2 ảnh")
    citizen.sends_files("c").sees("Hồ sơ của ông/bà đã có 2 ảnh")
    world.rules = replace(world.rules, quota=evidence.Quota(pictures_per_season=9, bytes_per_day=10))
    citizen.sends_files("e").sees("Hôm nay ông/bà đã gửi nhiều ảnh rồi")
    citizen.presses("kha").sees("Minh chứng cho câu 3")
    assert len(pieces_of(world)) == 2


def test_of_an_album_beyond_the_quota_the_first_pictures_are_kept(world: World) -> None:
    world.rules = replace(world.rules, quota=evidence.Quota(pictures_per_season=2, bytes_per_day=10**9))
    citizen = started(world).presses("kha").presses("tot")
    files = tuple(FileRef(f"ref-{name}", name, 1000) for name in "abc")
    citizen.does(Sent((), "", files)).sees("Ông/bà đã gửi nhiều ảnh rồi: 1 ảnh sau chưa nhận", "Đã nhận 2 ảnh")
    assert len(pieces_of(world)) == 2


def test_bytes_to_which_no_row_refers_go_at_once(world: World) -> None:
    citizen = started(world).presses("kha").presses("tot").sends_files("a")
    world.rules = replace(world.rules, quota=evidence.Quota(pictures_per_season=2))
    found = [replace(each, thumbnail=content(f"small {each.key}")) for each in pages("a")]
    with world.write() as conn:
        for each in found:
            assert deletions.hold(conn, [each.key, each.thumbnail or ""], world.now)
    comes(world, *found)
    assert [key for _, _, key in pieces_of(world)] == [found[0].key, found[1].key]
    (notice,) = citizen.hears()
    assert "Hồ sơ đã đủ 2 ảnh nên tôi không giữ 1 trang sau" in notice.text
    with world.write() as conn:
        assert set(evidence.claim_deletions(conn, world.now)) == {found[2].key, found[2].thumbnail}
