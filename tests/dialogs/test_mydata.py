"""/dulieu: what is stored, correcting it, and erasure that leaves nothing in any table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from dialogs import notices
from dialogs.model import Document, Screen, decode_screen
from storage import assessments, conversations, events, evidence, officers, outbox, people, reviews, shown
from storage.engine import metadata
from storage.housekeeping import Keep, tidy
from tests.support.world import HONG_GAI, Chat, World

NAME, PHONE, WORDS = "Nguyễn Thị Mận", "0912345678", "Tôi đã dự lớp tập huấn ngày 12/9"
LEDGERS = {"audit", "status_ledger", "claims"}  # may keep ids


def everything(world: World) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    with world.read() as conn:
        return {
            table.name: [dict(row._mapping) for row in conn.execute(sa.select(table))]
            for table in metadata.sorted_tables
            if table.name not in ("units", "unit_names", "successions", "given_numbers", "rollout")  # nobody's
        }


def appeared(before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    """How many rows each table gained."""
    gained = {table: len(rows) - len(before[table]) for table, rows in after.items()}
    return {table: n for table, n in gained.items() if n}


def decide(world: World, officer: Chat, code: str, decision: str, undo: timedelta = timedelta(0)) -> None:
    """The officer decides a dossier, without the desk's screens."""
    with world.write() as conn:
        chat = conversations.open_chat(conn, officer.account, officer.address)
        row = assessments.by_code(conn, code)
        assert chat is not None and row is not None
        who = officers.of_contact(conn, chat.contact_id)
        assert who is not None
        reviews.decide(
            conn, who, row.id, decision, total=80, reason="Chưa rõ", undo_for=undo, now=world.now,
            returned={"A1": "Ảnh mờ"} if decision == "return" else None,
        )  # fmt: skip


def draft(world: World, citizen: Chat) -> None:
    citizen.answers("kha", until=4)


def submitted(world: World, citizen: Chat) -> None:
    citizen.submits("kha")


def returned(world: World, citizen: Chat) -> None:
    decide(world, world.officer(), citizen.submits("kha"), "return")


def approved(world: World, citizen: Chat) -> None:
    decide(world, world.officer(), citizen.submits("kha"), "approve")


def erases(citizen: Chat) -> Chat:
    return citizen.types("/dulieu").presses("ask_erase").presses("erase").presses("erase_all")


# ------------------------------------------------------------------------------------------ seeing


def test_what_is_stored_is_told_in_words(world: World) -> None:
    citizen = world.citizen().joins(name=NAME, year="1960", phone="0912 345 678").answers("kha", until=3)
    citizen.types("/dulieu").sees(
        NAME, "1960", PHONE, "ông/bà", "Nông dân", "Phường Hồng Gai, Thành phố Quảng Ninh", "05/10/2026", "2026-11",
        "Hội Khuyến học Phường Hồng Gai", "HS-2026-", "đang làm phiếu; 3 câu trả lời", "Mã tiếp tục: đã cấp",
    ).sees_not("TL-")  # fmt: skip


def test_what_is_stored_is_given_as_json(world: World) -> None:
    citizen = world.citizen().joins(name=NAME, phone=PHONE).answers("kha", until=3).types("/dulieu").presses("export")
    if citizen.capabilities.documents:
        page, document = citizen.screen.documents
        assert (page.name, page.media_type) == ("du-lieu-cua-toi.html", "text/html; charset=utf-8")
        assert (document.name, document.media_type) == ("du-lieu-cua-toi.json", "application/json")
        content = document.content
    else:
        content = ""
        while True:
            assert len(citizen.read_out()) <= citizen.capabilities.text_limit
            content += citizen.screen.text.partition("\n\n")[2]
            if not any(choice.id == "more" for choice in citizen.screen.choices):
                break
            citizen.presses("more")
    stored = json.loads(content)
    assert (stored["person"]["name"], stored["person"]["phone"]) == (NAME, PHONE)
    (assessment,) = stored["assessments"]
    assert [answer["level"] for answer in assessment["answers"]] == ["kha"] * 3
    pieces = [piece["text"] for answer in assessment["answers"] for piece in answer["evidence"]]
    assert pieces and len(pieces) == len(everything(world)["evidence"]) and WORDS in pieces[0]
    assert stored["consents"][0]["controller"] == "Hội Khuyến học Phường Hồng Gai"
    assert stored["resume_code"]["made_at"] and "TL-" not in content
    citizen.presses("back").sees("Thông tin đang lưu")


def test_the_web_page_gives_its_history_too_and_never_a_file_within_a_file(world: World) -> None:
    citizen = world.chat(profile="web").joins(name=NAME).types("/dulieu").sees("180 ngày").presses("export")
    citizen.presses("back").presses("export")
    page, document = citizen.screen.documents
    stored = json.loads(document.content)
    assert any(line.get("documents") == [page.name, document.name] for line in stored["messages"])
    assert any(line["direction"] == "in" and line["text"] == NAME for line in stored["messages"])
    assert "TL-••••" in document.content and "TL-••••" in page.content
    assert page.content.count("<!doctype html>") == 1 and "Nội dung trò chuyện trên trang này" in page.content


def files_kept(world: World) -> int:
    """How many files lie in the tables; anywhere else nothing of what only a copy holds."""
    tables = everything(world)
    for name, rows in tables.items():
        assert name == "handed_files" or not any("resume_code" in str(row) or "<!doctype" in str(row) for row in rows)
    return len(tables["handed_files"])


@pytest.mark.parametrize("ground", ["full", "web", "full on postgres"], indirect=True)
def test_a_copy_is_kept_for_a_day_and_nowhere_else(world: World) -> None:
    citizen = world.citizen().joins(name=NAME).types("/dulieu").presses("export")
    given = citizen.screen.documents
    assert files_kept(world) == 2

    def kept() -> list[Document]:
        """As the page loads it again, or the sender after a restart."""
        with world.read() as conn:
            if citizen.capabilities.history:
                bodies = [line.body for line in conversations.history(conn, citizen.account, citizen.address)]
            else:
                bodies = [row.body for row in outbox.answers_for(conn, citizen.account, citizen.address)]
        return [each for body in bodies if '"number"' in body for each in decode_screen(body).documents]

    assert [(each.name, each.content) for each in kept()] == [(each.name, each.content) for each in given]
    with world.write() as conn:
        tidy(conn, Keep(), world.passes(hours=23).now)
    assert files_kept(world) == 2
    with world.write() as conn:
        tidy(conn, Keep(), world.passes(hours=2).now)
    assert files_kept(world) == 0
    assert [(each.name, each.content, bool(each.key)) for each in kept()] == [(each.name, "", True) for each in given]


@pytest.mark.parametrize("ground", ["full", "web"], indirect=True)
def test_who_erases_everything_leaves_no_copy_behind(world: World) -> None:
    citizen = world.citizen().joins(name=NAME).types("/dulieu").presses("export").presses("back")
    assert files_kept(world) == 2
    citizen.presses("ask_erase").presses("erase").presses("erase_all")
    assert files_kept(world) == 0


@pytest.mark.parametrize("decision", ["approve", "not_met", "return"])
def test_a_decision_that_may_be_undone_is_not_told_here_either(world: World, decision: str) -> None:
    citizen = world.citizen().joins(name=NAME)
    code, officer = citizen.submits("kha"), world.officer()
    officer.types(code).presses("read").presses("level").presses("level:tot").presses("why:checked")
    decide(world, officer, code, decision, undo=timedelta(seconds=60))
    citizen.types("/dulieu").sees(code, "chờ xét").sees("Nhóm").presses("export")
    if citizen.capabilities.documents:
        (assessment,) = json.loads(citizen.screen.documents[1].content)["assessments"]
        assert (assessment["status"], assessment["review"], assessment["decided_at"]) == ("submitted", None, None)
        for answer in assessment["answers"]:
            assert (answer["officer_level"], answer["officer_reason"], answer["return_reason"]) == (None, None, None)
    citizen.presses("back").presses("correct:subject_group").presses("cong_nhan").sees_not("trạng thái")
    world.passes(seconds=60)
    told = citizen.types("/dulieu").sees_not("chờ xét").presses("export")
    if citizen.capabilities.documents:
        (assessment,) = json.loads(told.screen.documents[1].content)["assessments"]
        assert assessment["review"]["decision"] == decision
        assert [answer["officer_level"] for answer in assessment["answers"]].count("tot") == 1
    world.recounted()


def test_a_stranger_is_told_that_nothing_is_stored_and_goes_on_where_they_were(world: World) -> None:
    citizen = world.citizen().opens(HONG_GAI).presses("yes").types("/dulieu")
    citizen.sees("chưa lưu thông tin nào", "trong vòng một ngày").presses("back").sees("có đồng ý không ạ?")
    citizen.presses("agree").types("/dulieu").sees("đã đồng ý", "chưa có hồ sơ").presses("back").sees("Họ và tên")


def test_an_officer_is_told_what_is_stored_about_them(world: World) -> None:
    officer = world.officer(name="Trần Thị Hoa").types("/dulieu")
    officer.sees("Trần Thị Hoa", "Người xét của Phường Hồng Gai").sees_not("Xóa ngay")
    assert officer.exists()


def test_the_page_is_for_reading_and_printing_and_everything_in_it_is_escaped(world: World) -> None:
    name = "<script>alert(1)</script> & Mận"
    citizen = world.chat(profile="full").joins(name="Nguyễn Thị Mận", phone=PHONE).answers("kha", until=3)
    with world.write() as conn:
        conn.execute(sa.update(people.people).values(name=name))
        conn.execute(sa.update(evidence.evidence).values(text='<img src=x onerror="alert(2)">'))
    page = citizen.types("/dulieu").presses("export").screen.documents[0].content
    assert "<script" not in page and "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Mận" in page
    assert "&lt;img src=x onerror=&quot;alert(2)&quot;&gt;" in page
    assert not re.search(r"(?i)\b(src|href)\s*=\s*[\"']", page) and "http://" not in page and "https://" not in page
    tags = set(re.findall(r"</?([a-z0-9]+)", page))
    assert tags <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "h2",
        "p",
        "table",
        "tr",
        "th",
        "td",
        "footer",
    }
    for words in ("Họ và tên", PHONE, "Phường Hồng Gai", "Câu 1: ", "Hồ sơ HS-2026-", "Hội Khuyến học Phường Hồng Gai"):
        assert words in page


def test_what_is_asked_is_logged_and_acknowledged_at_once(world: World) -> None:
    citizen = world.citizen().joins(name=NAME).types("/dulieu").presses("export").presses("back")
    citizen.presses("correct:form").presses("ban")
    rows = everything(world)["privacy_requests"]
    assert [(row["kind"], row["about"], row["outcome"]) for row in rows] == [
        ("access", "", "done"), ("export", "", "done"), ("correct", "form", "done"),
    ]  # fmt: skip
    for row in rows:
        assert row["acknowledged_at"] == row["done_at"] == world.now < row["acknowledge_by"] < row["due_by"]
        assert row["person_id"] and row["contact_id"] and row["unit_id"]


def test_an_objection_waits_for_an_officer(world: World) -> None:
    officer = world.officer()
    citizen = world.citizen().joins(name=NAME).types("/dulieu").presses("object").sees("20/10/2026")
    assert not [row for row in everything(world)["privacy_requests"] if row["kind"] == "object"]
    citizen.presses("object_yes").sees("Tôi đã nhận yêu cầu số 2", "20/10/2026", "Yêu cầu số 2 (phản đối) đang chờ")
    officer.heard("phản đối việc dùng thông tin")
    (row,) = (row for row in everything(world)["privacy_requests"] if row["kind"] == "object")
    assert (row["acknowledged_at"], row["done_at"], row["outcome"]) == (world.now, None, None)
    assert row["due_by"] == world.now + timedelta(days=15)
    citizen.presses("object").presses("object_yes").sees("đã gửi yêu cầu này rồi (số 2)")
    assert len([row for row in everything(world)["privacy_requests"] if row["kind"] == "object"]) == 1


def test_another_group_after_the_decision_is_for_an_officer_to_judge(world: World) -> None:
    citizen = world.citizen().joins()
    officer = world.officer()
    code = citizen.submits("kha")
    decide(world, officer, code, "approve")
    citizen.types("/dulieu").presses("ask_group").sees("đã xét theo nhóm").presses("nong_dan").sees("đúng nhóm này rồi")
    citizen.presses("ask_group").presses("cong_nhan").sees("báo cán bộ Hội", "15/10/2026")
    officer.heard(code)
    (row,) = (row for row in everything(world)["privacy_requests"] if row["done_at"] is None)
    assert (row["kind"], row["about"]) == ("correct", "subject_group:cong_nhan")
    assert everything(world)["people"][0]["subject_group"] == "nong_dan"
    world.recounted()


# ------------------------------------------------------------------------------------------ correcting


@pytest.mark.parametrize(
    ("field", "wrong", "right", "shown"),
    [
        ("name", "12345", "Trần Văn Bình", "Trần Văn Bình"),
        ("birth_year", "57", "1958", "1958"),
        ("phone", "12", "0987 654 321", "0987654321"),
    ],
)
def test_typed_corrections_are_checked_as_in_joining(
    world: World, field: str, wrong: str, right: str, shown: str
) -> None:
    citizen = world.citizen().joins(name=NAME, year="1957", phone=PHONE).types("/dulieu").presses(f"correct:{field}")
    before = everything(world)["people"]
    citizen.sees("Hiện đang ghi").types(wrong)
    assert everything(world)["people"] == before
    citizen.types(right).sees("Đã sửa.", shown)
    lines = [row for row in everything(world)["audit"] if row["action"] == "person.correct"]
    assert [json.loads(row["details"]) for row in lines] == [{"field": field}]


def test_a_year_below_the_minimum_age_is_not_taken(world: World) -> None:
    citizen = world.citizen().joins(year="1957").types("/dulieu").presses("correct:birth_year")
    citizen.sees_not("Rút lại sự đồng ý").types("2009").sees("từ 18 tuổi", "Nếu đúng là ông/bà chưa đủ tuổi")
    assert everything(world)["people"][0]["birth_year"] == 1957
    citizen.presses("ask_erase").presses("back").presses("correct:birth_year").types("2009")
    citizen.presses("ask_erase").presses("erase").presses("erase_all")
    assert everything(world)["people"] == []


def test_phone_form_and_group_by_choice(world: World) -> None:
    citizen = world.citizen().joins(phone=PHONE).types("/dulieu").presses("correct:phone").presses("no_phone")
    citizen.sees("Số điện thoại: không có").presses("correct:form").presses("ban").sees("Bạn muốn sửa gì")
    citizen.presses("correct:subject_group").presses("cong_nhan").sees("Đã sửa.", "ông nhân")
    (person,) = everything(world)["people"]
    assert (person["phone"], person["form"], person["subject_group"]) == (None, "ban", "cong_nhan")
    assert everything(world)["assessments"][0]["subject_group"] == "cong_nhan"
    world.recounted()


def test_the_group_is_not_changed_after_the_decision(world: World) -> None:
    citizen = world.citizen().joins()
    approved(world, citizen)
    citizen.types("/dulieu").sees_not("Đổi nhóm đối tượng")
    assert everything(world)["people"][0]["subject_group"] == "nong_dan"


def test_a_group_chosen_just_before_the_decision_is_refused_after_it(world: World) -> None:
    citizen = world.citizen().joins()
    code = citizen.submits("kha")
    citizen.types("/dulieu").presses("correct:subject_group")
    decide(world, world.officer(), code, "approve")
    citizen.presses("cong_nhan").sees("không sửa được nữa")
    assert everything(world)["people"][0]["subject_group"] == "nong_dan"
    world.recounted()


# ------------------------------------------------------------------------------------------ erasing


@pytest.mark.parametrize("ground", ["full", "plain", "web"], indirect=True)
def test_after_a_refusal_only_the_claims_and_the_farewell_are_left(world: World) -> None:
    before = everything(world)
    citizen = world.citizen().opens(HONG_GAI).presses("yes").types("/dulieu").presses("back").presses("refuse")
    after = everything(world)
    assert appeared(before, after) == {"claims": citizen.acts, "outbox": 1}
    (farewell,) = after["outbox"]
    assert farewell["contact_id"] is None and "không có thông tin nào" in farewell["body"]


@pytest.mark.parametrize("ground", ["full", "plain", "web"], indirect=True)
@pytest.mark.parametrize("consented", [False, True])
def test_a_stranger_erases_at_once(world: World, consented: bool) -> None:
    before = everything(world)
    citizen = world.citizen().opens(HONG_GAI).presses("yes")
    if consented:
        citizen.presses("agree").types(NAME)
    citizen.types("/dulieu").presses("forget")
    after = everything(world)
    gained = appeared(before, after)
    gained.pop("audit", None)  # that somebody consented stays in the trail, by a number
    requests = {"privacy_requests": 1} if consented else {}  # of whoever has not, nothing was kept
    assert gained == {"claims": citizen.acts, "outbox": 1, **requests}
    assert NAME not in json.dumps(after, ensure_ascii=False, default=str)


@pytest.mark.parametrize("ground", ["full", "plain", "web"], indirect=True)
@pytest.mark.parametrize("stage", [draft, submitted, returned, approved])
def test_after_erasure_nothing_of_the_person_is_in_any_table(
    world: World, stage: Callable[[World, Chat], None]
) -> None:
    other = world.citizen().joins(name="Lê Văn Khác")
    citizen = world.citizen().joins(name=NAME, phone=PHONE)
    stage(world, citizen)
    citizen.uploads("a picture that never became evidence")
    stored = everything(world)
    person = next(row["id"] for row in stored["people"] if row["name"] == NAME)
    contact = next(row["id"] for row in stored["contacts"] if row["address"] == citizen.address)
    (assessment,) = (row for row in stored["assessments"] if row["person_id"] == person)
    held = json.dumps(stored, ensure_ascii=False, default=str)
    assert all(needle in held for needle in (NAME, PHONE, assessment["code"]))
    assert WORDS in held or stage is draft
    erases(citizen)
    assert not citizen.exists()
    after = everything(world)
    for table, rows in after.items():
        for row in rows:
            if table not in LEDGERS:
                assert row.get("person_id") != person, table
                assert row.get("contact_id") != contact, table
                assert row.get("assessment_id") != assessment["id"], table
            text = json.dumps(row, ensure_ascii=False, default=str)
            for needle in (NAME, PHONE, WORDS, assessment["code"]):
                assert needle not in text, table
            if table != "claims" and not (table == "outbox" and row["contact_id"] is None):
                assert f'"{citizen.address}"' not in text, table
    assert [row["name"] for row in after["people"]] == ["Lê Văn Khác"]
    (farewell,) = (row for row in after["outbox"] if row["contact_id"] is None)
    assert "Tôi đã xóa thông tin" in farewell["body"]
    assert [row["action"] for row in after["audit"]][-2:] == ["consent.withdraw", "person.erase"]
    requests = [(row["kind"], row["outcome"]) for row in after["privacy_requests"]]
    assert requests == [("access", "done"), ("withdraw", "done"), ("delete", "done")]
    world.recounted()
    other.types("/hoso").sees("đã đăng ký")


def test_one_press_never_erases(world: World) -> None:
    citizen = world.citizen().joins(name=NAME).types("/dulieu").presses("ask_erase").sees("không lấy lại được")
    citizen.presses("erase").sees("một lần nữa").presses("keep").sees(NAME)
    citizen.presses("ask_erase").types("1").types("1").sees(NAME)
    assert [row["name"] for row in everything(world)["people"]] == [NAME]


def test_the_erasure_may_be_confirmed_by_a_typed_word(world: World) -> None:
    citizen = world.citizen().joins().types("/dulieu").presses("ask_erase").presses("erase").types("xóa")
    assert not citizen.exists()
    assert everything(world)["people"] == []


def test_after_erasure_one_may_join_again(world: World) -> None:
    citizen = world.citizen().joins(name=NAME)
    erases(citizen)
    citizen.screen = type(citizen.screen)("")
    citizen.joins(name="Người Mới").sees("Đã ghi tên Người Mới")
    world.recounted()


def test_an_officer_who_is_a_citizen_stays_an_officer(world: World) -> None:
    officer = world.officer().opens(HONG_GAI).presses("yes").presses("agree").types(NAME).types("1970")
    officer.presses("skip").presses("anh_chi").presses("nong_dan")
    erases(officer).sees("Nhiệm vụ cán bộ vẫn giữ", "Người xét của Phường Hồng Gai")
    after = everything(world)
    assert after["people"] == [] and len(after["officer_contacts"]) == 1
    assert NAME not in json.dumps({**after, "audit": []}, ensure_ascii=False, default=str)
    world.recounted()


def test_every_chat_of_the_person_is_forgotten(world: World) -> None:
    phone = world.citizen().joins(name=NAME)
    start = phone.read_out().index("TL-")
    tablet = world.chat().opens(phone.read_out()[start : start + 22].split()[0].strip("."))
    tablet.types("/dulieu").sees(NAME, "gắn với ông/bà: 2")
    erases(phone)
    assert not phone.exists() and not tablet.exists()


def card(citizen: Chat) -> str:
    text = citizen.read_out()
    return text[text.index("TL-") :][:22]


def test_erasing_leaves_alone_who_speaks_on_the_phone_now(world: World) -> None:
    """A citizen hands the family's phone over; when they erase, what the other one said and sent there stays."""
    world.profile = "web"
    family, own = world.citizen().joins(name=NAME, phone=PHONE), world.citizen().joins(name="Lê Văn Khác")
    mine = card(family)
    family.types(card(own)).presses("switch").sees("Lê Văn Khác")
    elsewhere = world.citizen().opens().types(mine).sees(NAME)
    world.passes(minutes=1)  # the phone that spoke last is told
    family.types("Tôi là người khác")
    key = family.uploads("giay-khen.jpg")
    with world.write() as conn:
        chat = conversations.open_chat(conn, family.account, family.address)
        assert chat is not None and chat.person is not None
        notices.to_person(conn, world.now, chat.person.id, lambda: Screen("Nhắc việc"))
    before = everything(world)
    family_id = chat.contact_id
    erases(elsewhere)
    after = everything(world)
    for table in ("messages", "uploads"):
        rows = [row for row in before[table] if row["contact_id"] == family_id]
        assert rows and rows == [row for row in after[table] if row["contact_id"] == family_id], table
    assert key in {row["key"] for row in after["uploads"]}
    family.heard("Nhắc việc")
    assert [row["person_id"] for row in after["contact_person"] if row["contact_id"] == family_id] == [chat.person.id]
    text = json.dumps({**after, "audit": []}, ensure_ascii=False, default=str)
    assert NAME not in text and PHONE not in text
    family.types("/dulieu").sees("Lê Văn Khác")
    world.recounted()


def test_what_an_officer_holds_of_the_person_goes_too(world: World) -> None:
    """Half-written reasons, notices that name the dossier, failed events, messages that show it at the channel."""
    officer, colleague = world.officer(), world.officer(name="Lê Thị Minh")
    citizen = world.citizen().joins(name=NAME, phone=PHONE)
    code = citizen.submits("kha")
    officer.types(f"/tralai {code}").presses("mark:A1").presses("reasons").types("Bà Mận gửi nhầm ảnh")
    citizen.types("/dulieu").presses("object").presses("object_yes")
    with world.write() as conn:
        for number, chat in enumerate((officer, colleague), 1):
            shows = shown.Shown(1, 100 * number, 100 * number, (100 * number + 1,), protected=chat is officer)
            shown.keep(conn, chat.account, chat.address, shows)
        events.keep(
            conn,
            officer.account,
            officer.address,
            "e1",
            json.dumps({"act": {"text": f"{NAME} ảnh mờ"}}),
            "x",
            world.now,
        )
        events.keep(conn, officer.account, officer.address, "e2", json.dumps({"act": {"text": "khác"}}), "x", world.now)
    held = json.dumps(everything(world), ensure_ascii=False, default=str)
    assert "Bà Mận gửi nhầm ảnh" in held and code in held
    erases(citizen)
    after = everything(world)
    text = json.dumps({**after, "audit": []}, ensure_ascii=False, default=str)
    for needle in (NAME, PHONE, code, "Bà Mận"):
        assert needle not in text, needle
    assert [row["event"] for row in after["failed_events"]] == ["e2"]
    assert [(row["address"], row["message_ids"]) for row in after["unsaid"]] == [(officer.address, "101,100")]
    assert [row["outcome"] for row in after["privacy_requests"] if row["kind"] == "object"] == ["void"]
    assert not any(row["person_id"] or row["contact_id"] for row in after["privacy_requests"])
    officer.opens().sees("không còn nữa")
    world.recounted()


def test_messages_that_show_a_person_on_their_other_phone_are_taken_away(world: World) -> None:
    phone = world.citizen().joins(name=NAME)
    start = phone.read_out().index("TL-")
    tablet = world.chat().opens(phone.read_out()[start : start + 22].split()[0].strip("."))
    with world.write() as conn:
        for number, chat in enumerate((phone, tablet), 1):
            shown.keep(
                conn, chat.account, chat.address, shown.Shown(1, 100 * number, 100 * number, (100 * number + 1,))
            )
    erases(phone)
    # The farewell takes the place of the last message where it was asked.
    found = {row["address"]: row["message_ids"] for row in everything(world)["unsaid"]}
    assert found == {phone.address: "101", tablet.address: "201,200"}
