"""What Telegram shows of a screen: whole, within the limits, and pressable, for any words and for every dialog."""

from __future__ import annotations

import re
import shutil
import unicodedata
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels.telegram_view import (
    ALBUM_LIMIT,
    CAPTION_LIMIT,
    DATA_LIMIT,
    MOST_ROWS,
    ONE_LINE,
    TEXT_LIMIT,
    Bubble,
    Button,
    Look,
    Page,
    look,
    menu,
    pressed,
)
from dialogs.model import Choice, Document, Picture, Pressed, Screen, Typed, decode_screen
from dialogs.text import BACK, choice_typed
from storage.engine import open_engine
from storage.outbox import outbox
from tests.support.world import World

TOKENS = re.compile(r"<(/?)(b|blockquote)>|&(lt|gt|amp);|([^<>&])")


def shown(html: str) -> str:
    """The text of the HTML that this view may send: two tags, never within each other, three references, all else
    escaped."""
    text, at, opened = "", 0, ""
    while at < len(html):
        found = TOKENS.match(html, at)
        assert found is not None, f"not HTML for Telegram: {html[at : at + 40]!r}"
        at = found.end()
        if found[2]:
            assert opened == (found[2] if found[1] else ""), f"{found[0]} within {opened!r}"
            opened = "" if found[1] else found[2]
        else:
            text += {"lt": "<", "gt": ">", "amp": "&"}[found[3]] if found[3] else found[4]
    assert not opened, f"<{opened}> is never closed"
    return text


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def signs(text: str) -> str:
    """What is seen of a text: without blanks and controls, and with what UTF-8 cannot say replaced."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "".join(sign for sign in text if unicodedata.category(sign)[0] not in "ZC")


def buttons(screen: Screen) -> list[Button]:
    """All buttons of the keyboard, its pages turned one after another; those of every page once."""
    found, page = [], 0
    while True:
        rows = look(screen, page).bubbles[-1].keyboard
        assert len(rows) <= MOST_ROWS + 9
        assert all(1 <= len(row) <= 3 for row in rows)
        here = [button for row in rows for button in row]
        found += [button for button in here if button not in found]
        turned = {pressed(button.data) for button in here if button.data}
        if Page(screen.number, page + 1) not in turned:
            return [button for button in found if not isinstance(pressed(button.data), Page)]
        page += 1


def holds(screen: Screen) -> Look:
    """What must be true of every screen, whatever it says."""
    seen = look(screen)
    assert seen.bubbles
    assert len(seen.album) <= ALBUM_LIMIT
    assert all(units(picture.caption) <= CAPTION_LIMIT for picture in seen.album)
    for n, bubble in enumerate(seen.bubbles, 1):
        assert shown(bubble.html) == bubble.plain
        limit = CAPTION_LIMIT if bubble.photo or bubble.document else TEXT_LIMIT
        assert units(bubble.plain) <= limit
        assert bubble.plain.strip() == bubble.plain
        assert bubble.plain or bubble.photo or bubble.document
        assert not bubble.keyboard or n == len(seen.bubbles)
    told = signs("".join(bubble.plain for bubble in seen.bubbles if not bubble.document))
    for part in (screen.note, screen.title, screen.text):
        assert signs(part) in told
    if screen.input != "tel":
        keyboard_holds(screen)
    return seen


def keyboard_holds(screen: Screen) -> None:
    """Each choice has one button that means it, is short enough and, where cut short, is said in full in the text."""
    numbered = [choice for choice in screen.choices if choice.id != BACK]
    found = buttons(screen)
    assert len(found) == len(screen.choices)
    meant = []
    for button in found:
        assert len(button.data.encode()) <= DATA_LIMIT
        assert button.text.strip()
        assert len(button.text) <= ONE_LINE or not button.text.isascii()
        said = pressed(button.data)
        assert isinstance(said, tuple) and said[0] == screen.number
        match said[1]:
            case Pressed(id):
                meant.append(id)
            case Typed(n):
                meant.append(BACK if n == "0" else numbered[int(n) - 1].id)
    assert sorted(meant) == sorted(choice.id for choice in screen.choices)


def test_the_limits_are_the_bot_apis() -> None:
    assert (TEXT_LIMIT, CAPTION_LIMIT, DATA_LIMIT, ALBUM_LIMIT) == (4096, 1024, 64, 10)


# ------------------------------------------------------------------------------------------ any words

WORDS = st.text() | st.text(st.sampled_from("ab <>&.\n\U0001f600ẹ́"), max_size=200)
LONG = st.builds(lambda text, n: text * n, WORDS, st.integers(1, 400))
IDS = st.text(min_size=1, max_size=80).filter(lambda id: id != BACK)
LABELS = st.text(max_size=90) | st.sampled_from(["Đạt", "2026", "Để sau", "Kèm minh chứng", "Tự tìm thông tin " * 4])
ROLES = st.sampled_from(["plain", "main", "quiet", "danger"])
CHOICES = st.tuples(
    st.lists(st.builds(Choice, IDS, LABELS, ROLES), max_size=30, unique_by=lambda choice: choice.id),
    st.sampled_from([(), (Choice(BACK, "Quay lại", "quiet"),), (Choice(BACK, "Giữ nguyên", "main"),)]),
).map(lambda both: (*both[0], *both[1]))
SCREENS = st.builds(
    Screen,
    LONG,
    CHOICES,
    title=WORDS,
    note=WORDS,
    pictures=st.lists(st.builds(Picture, st.just("k"), LONG, st.booleans()), max_size=12).map(tuple),
    progress=st.none() | st.tuples(st.integers(-2, 40), st.integers(-2, 40)),
    number=st.integers(0, 10**6),
    language=st.sampled_from(["vi", "en"]),
    input=st.sampled_from(["none", "text", "tel"]),
)


@settings(max_examples=80, deadline=None)
@given(SCREENS)
def test_any_screen_is_shown_whole_and_within_the_limits(screen: Screen) -> None:
    holds(screen)


@given(WORDS, st.integers(1, 9000))
def test_a_text_of_any_length_keeps_every_sign_in_order(text: str, size: int) -> None:
    text = (text * (size // (len(text) or 1) + 1))[:size]
    bubbles = look(Screen(text, number=1)).bubbles
    assert signs("".join(bubble.plain for bubble in bubbles)) == (signs(text) or "…")


def test_what_cannot_be_said_in_utf8_is_replaced() -> None:
    (bubble,) = look(Screen("a\ud800b\r\nc", number=1)).bubbles
    assert bubble.plain == "a\ufffdb\nc"


@pytest.mark.parametrize("text", ["", " \n ", "\u200b", "\u00a0"])
def test_an_empty_message_is_never_sent(text: str) -> None:
    assert [bubble.plain for bubble in look(Screen(text, number=1)).bubbles] == ["…"]


@pytest.mark.parametrize(
    ("between", "end"),
    [("\n\n", "."), ("\n", "."), (" ", "."), (" ", "")],
    ids=["paragraphs", "lines", "sentences", ""],
)
def test_a_long_text_is_cut_where_it_reads_best(between: str, end: str) -> None:
    piece = "Ông bà đọc giúp đoạn này" + end
    text = between.join([piece] * 400)
    bubbles = look(Screen(text, number=1)).bubbles
    assert len(bubbles) == -(-len(text) // TEXT_LIMIT)
    for bubble in bubbles[:-1]:
        assert units(bubble.plain) > TEXT_LIMIT / 2
        assert bubble.plain.endswith(piece if end else ("Ông", "bà", "đọc", "giúp", "đoạn", "này"))


def test_a_sign_of_two_units_and_an_accent_stay_whole() -> None:
    for sign in ("\U0001f600", "e\u0323\u0302"):
        bubbles = look(Screen("x" + sign * 5000, number=1)).bubbles
        assert len(bubbles) > 1
        assert all(bubble.plain.removeprefix("x").replace(sign, "") == "" for bubble in bubbles)


def test_units_are_counted_after_the_entities() -> None:
    """4,096 signs that take five times as many letters of HTML are one message."""
    (bubble,) = look(Screen("&" * TEXT_LIMIT, number=1)).bubbles
    assert len(bubble.html) == 5 * TEXT_LIMIT
    assert len(look(Screen("\U0001f600" * (TEXT_LIMIT // 2 + 1), number=1)).bubbles) == 2


def test_a_mark_that_is_cut_goes_on_in_the_next_message() -> None:
    title = "Tên dài " * 800
    first, second = look(Screen("", title=title, number=1)).bubbles
    assert first.html.startswith("<b>Tên") and first.html.endswith("</b>")
    assert second.html.startswith("<b>") and second.html.endswith("dài</b>")


# ------------------------------------------------------------------------------------------ layout


def test_note_title_bar_and_text_from_top_to_bottom() -> None:
    screen = Screen("Năm nay <học> gì?", title="Câu 3/10 · A & B", note="Đã ghi.", progress=(3, 10), number=4)
    (bubble,) = look(screen).bubbles
    assert bubble == Bubble(
        "<blockquote>Đã ghi.</blockquote>\n\n<b>Câu 3/10 · A &amp; B</b>\n●●●○○○○○○○\n\nNăm nay &lt;học&gt; gì?",
        "Đã ghi.\n\nCâu 3/10 · A & B\n●●●○○○○○○○\n\nNăm nay <học> gì?",
    )


@pytest.mark.parametrize(
    ("progress", "bar"),
    [((0, 3), "○○○"), ((3, 3), "●●●"), ((9, 3), "●●●"), ((-1, 3), "○○○"), ((10, 20), "●" * 6 + "○" * 6), ((1, 1), "")],
)
def test_the_bar_of_progress(progress: tuple[int, int], bar: str) -> None:
    assert look(Screen("x", progress=progress, number=1)).bubbles[0].plain == f"{bar}\n\nx".strip()


def rows(*choices: Choice, number: int = 7, page: int = 0) -> list[list[str]]:
    keyboard = look(Screen("Chọn", choices, number=number), page).bubbles[-1].keyboard
    return [[button.text for button in row] for row in keyboard]


def test_short_labels_of_one_sort_share_a_row() -> None:
    assert rows(Choice("a", "Gọi là anh/chị"), Choice("b", "Gọi là bạn")) == [["Gọi là anh/chị", "Gọi là bạn"]]
    assert rows(Choice("a", "Đúng rồi", "main"), Choice("b", "Không phải")) == [["Đúng rồi"], ["Không phải"]]
    assert rows(*(Choice(f"year:{n}", str(n)) for n in range(2024, 2027))) == [["2024", "2025", "2026"]]
    assert rows(*(Choice(f"year:{n}", str(n)) for n in range(2023, 2027))) == [["2023", "2024"], ["2025", "2026"]]


def test_a_scale_with_one_long_step_is_a_column() -> None:
    scale = ["Từ 6 buổi trở lên", "4 đến 5 buổi", "2 đến 3 buổi", "1 buổi"]
    assert rows(*(Choice(f"l{n}", label) for n, label in enumerate(scale))) == [[label] for label in scale]


def test_quiet_choices_and_back_come_last() -> None:
    assert rows(
        Choice("evidence", "Kèm minh chứng", "quiet"),
        Choice("skip", "Để sau", "quiet"),
        Choice("pause", "Tạm nghỉ", "quiet"),
        Choice(BACK, "Giữ nguyên", "main"),
        Choice("tot", "Hằng ngày"),
        Choice("next", "Câu sau", "main"),
    ) == [["Hằng ngày"], ["Câu sau"], ["Kèm minh chứng", "Để sau"], ["Tạm nghỉ", "Giữ nguyên"]]


def test_the_likely_step_and_the_danger_are_coloured() -> None:
    screen = Screen("x", (Choice("a", "A", "main"), Choice("b", "B", "danger"), Choice("c", "C")), number=1)
    assert [row[0].style for row in look(screen).bubbles[0].keyboard] == ["primary", "danger", ""]
    two = Screen("x", (Choice("a", "A", "main"), Choice("b", "B", "main")), number=1)
    assert {button.style for row in look(two).bubbles[0].keyboard for button in row} == {""}


LONG_LABEL = "Thành thạo: học trực tuyến, dịch vụ công, làm việc trên mạng an toàn"


def test_a_label_too_long_is_numbered_with_its_neighbours_and_said_in_full() -> None:
    screen = Screen(
        "Mức nào?",
        (
            Choice("evidence", "Gửi minh chứng mới", "main"),
            Choice("tot", LONG_LABEL),
            Choice("khong", "Chưa dùng"),
            Choice(BACK, "Quay lại", "quiet"),
        ),
        number=5,
    )
    (bubble,) = look(screen).bubbles
    assert bubble.plain == f"Mức nào?\n\n2. {LONG_LABEL}\n3. Chưa dùng"
    assert [row[0].text for row in bubble.keyboard] == [
        "Gửi minh chứng mới", "2. Thành thạo: học trực tuyến, dịch…", "3. Chưa dùng", "Quay lại"
    ]  # fmt: skip
    assert choice_typed(screen, "2") == "tot"
    assert choice_typed(screen, "3") == "khong"


def test_a_label_with_its_own_number_gets_no_second() -> None:
    label = f"1. {LONG_LABEL}"
    (bubble,) = look(Screen("Bỏ gì?", (Choice("drop:1", label),), number=5)).bubbles
    assert bubble.plain == f"Bỏ gì?\n\n{label}"
    assert bubble.keyboard[0][0].text.startswith("1. Thành")


def test_back_is_typed_as_nought() -> None:
    (bubble,) = look(Screen("Tiếp?", (Choice("a", "Có"), Choice(BACK, LONG_LABEL, "quiet")), number=5)).bubbles
    assert bubble.plain == f"Tiếp?\n\n0. {LONG_LABEL}"


def test_below_a_notice_nothing_is_numbered() -> None:
    """A number typed there would answer the open question."""
    (bubble,) = look(Screen("Tin", (Choice("go:a", LONG_LABEL),))).bubbles
    assert bubble.plain == f"Tin\n\n• {LONG_LABEL}"
    assert bubble.keyboard[0][0].text.startswith("Thành thạo")


def test_many_choices_are_turned_page_by_page() -> None:
    places = [Choice(f"unit:{n}", f"Phường có tên dài số {n}") for n in range(1, 21)]
    screen = (*places, Choice("done", "Chọn xong", "main"), Choice(BACK, "Quay lại", "quiet"))
    first, second, third = (rows(*screen, page=page) for page in range(3))
    labels = [[place.label] for place in places]
    assert first == [*labels[:8], ["Xem thêm"], ["Chọn xong"], ["Quay lại"]]
    assert second == [*labels[8:16], ["Xem thêm"], ["Trở lại trang trước"], ["Chọn xong"], ["Quay lại"]]
    assert third == [*labels[16:], ["Trở lại trang trước"], ["Chọn xong"], ["Quay lại"]]
    assert rows(*screen, page=99) == third
    keyboard = look(Screen("x", screen, number=7), 1).bubbles[0].keyboard
    assert [pressed(row[0].data) for row in keyboard[8:10]] == [Page(7, 2), Page(7, 0)]


def test_turning_a_page_changes_no_text() -> None:
    """The keyboard alone can be edited, and a number may be typed whichever page is open."""
    places = tuple(Choice(f"unit:{n}", f"{LONG_LABEL} {n}") for n in range(1, 13))
    screen = Screen("Nơi nào?", places, number=7)
    (bubble,) = look(screen, 1).bubbles
    assert bubble.plain.splitlines()[2:] == [f"{n}. {LONG_LABEL} {n}" for n in range(1, 13)]
    assert bubble.html == look(screen).bubbles[0].html
    assert [row[0].text[:3] for row in bubble.keyboard] == ["9. ", "10.", "11.", "12.", "Trở"]


def test_ten_short_choices_need_no_second_page() -> None:
    mends = [Choice(f"mend:{n}", f"Sửa câu {n}", "main") for n in range(1, 11)]
    assert len(rows(*mends)) == 5


def test_the_phone_number_is_shared_by_a_keyboard_of_its_own() -> None:
    choices = (Choice("skip", "Không cho số"), Choice(BACK, "Quay lại", "quiet"))
    (bubble,) = look(Screen("Số điện thoại?", choices, input="tel", number=5)).bubbles
    assert bubble.reply
    assert bubble.keyboard == (
        (Button("Gửi số điện thoại của tôi", contact=True),), (Button("Không cho số"),), (Button("Quay lại"),)
    )  # fmt: skip
    english = look(Screen("Phone?", choices, input="tel", number=5, language="en"))
    assert english.bubbles[0].keyboard[0][0].text == "Share my phone number"


# ------------------------------------------------------------------------------------------ pictures, files

A, B = Picture("a" * 64, "Lớp <tập huấn>"), Picture("b" * 64, again=True)


def test_pictures_are_an_album_but_not_those_that_the_chat_shows() -> None:
    for protected in (True, False):
        seen = look(Screen("Minh chứng", pictures=(A, B), number=3, protected=protected))
        assert (seen.album, seen.protected, len(seen.bubbles)) == ((A,), protected, 1)


def test_a_caption_too_long_is_cut_and_told_below() -> None:
    long = "Lớp học " * 200
    seen = look(Screen("Minh chứng", pictures=(A, Picture("c" * 64, long)), number=3))
    assert seen.album[0].caption == A.caption
    assert seen.album[1].caption.endswith("học…")
    assert seen.bubbles[0].plain == f"Minh chứng\n\nẢnh 2: {long.strip()}"


def test_a_chart_carries_its_words_and_buttons() -> None:
    again = Choice("go:chart:22:2026:2", "Xem hình tiếp theo")
    seen = look(Screen("Số liệu lúc 9:00.", (again,), title="Năm 2026", pictures=(A,)))
    (bubble,) = seen.bubbles
    assert (bubble.photo, bubble.html, seen.album) == (A.key, "<b>Năm 2026</b>\n\nSố liệu lúc 9:00.", ())
    assert bubble.keyboard[0][0].data == "0:go:chart:22:2026:2"


def test_words_too_many_for_a_caption_follow_the_picture() -> None:
    screen = Screen("Số liệu. " * 200, (Choice("go:a", "Xem"),), title="Năm 2026", pictures=(A,))
    photo, text = look(screen).bubbles
    assert (photo.html, photo.keyboard, text.photo) == ("<b>Năm 2026</b>", (), "")
    assert text.plain == screen.text.strip()
    assert text.keyboard
    photo, *_texts = look(Screen("x", title="Tên " * 400, pictures=(A,))).bubbles
    assert (photo.photo, photo.html) == (A.key, "")
    assert look(Screen("", pictures=(A,))).bubbles == (Bubble("Lớp &lt;tập huấn&gt;", A.caption, photo=A.key),)


def test_a_file_comes_before_the_words_about_it() -> None:
    document = Document("a&b.json", "application/json", "{}")
    file, text = look(Screen("Tệp của ông/bà.", (Choice("a", "Xong"),), documents=(document,), number=3)).bubbles
    assert (file.document, file.html, file.plain, file.keyboard) == (document, "a&amp;b.json", "a&b.json", ())
    assert text.keyboard


def test_of_a_file_that_is_over_a_line_is_told() -> None:
    over = Document("a&b.json", "application/json", "", "k" * 32)
    line, _text = look(Screen("Tệp của ông/bà.", documents=(over,), number=3)).bubbles
    assert line.document is None
    assert "a&b.json đã hết hạn" in line.plain and "/dulieu" in line.plain


# ------------------------------------------------------------------------------------------ presses


@given(st.text() | st.from_regex(r"(p|[0-9]*)?:?=?[0-9a-z:]*"))
def test_foreign_data_is_nothing(data: str) -> None:
    match pressed(data):
        case None:
            pass
        case Page(number, page):
            assert data.split(":") == ["p", *data.split(":")[1:]] and number >= 0 and page >= 0
        case (number, Pressed(id)):
            assert re.fullmatch(r"[0-9]+", data.partition(":")[0]) and number == int(data.partition(":")[0])
            assert id == data.partition(":")[2]
        case (_number, Typed(n)):
            assert n.isdigit() and n.isascii()


@pytest.mark.parametrize(
    "data",
    ["", ":", "5", "5:", ":a", "x:a", "-1:a", "p:1", "p:1:", "p:a:1", "5:=", "5:=x", "٣:a", "5:a\n", f"5:{'a' * 63}"],
)
def test_what_no_button_of_ours_says(data: str) -> None:
    assert pressed(data) is None


def test_what_buttons_say() -> None:
    assert pressed("12:unit:06685") == (12, Pressed("unit:06685"))
    assert pressed("0:go:queue") == (0, Pressed("go:queue"))
    assert pressed("12:=3") == (12, Typed("3"))
    assert pressed("p:12:1") == Page(12, 1)


def test_an_id_too_long_is_pressed_as_typed() -> None:
    ids = ["a" * 60, "ă" * 40, "=1", ""]
    screen = Screen("x", (*(Choice(id, f"Chọn số {n}") for n, id in enumerate(ids)), Choice(BACK, "Về")), number=123)
    found = [pressed(button.data) for row in look(screen).bubbles[0].keyboard for button in row]
    assert found == [
        (123, Pressed("a" * 60)), (123, Typed("2")), (123, Typed("3")), (123, Typed("4")), (123, Pressed(BACK))
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------ commands


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_menu_of_each_role(language: str) -> None:
    citizen, officer = menu(False, language), menu(True, language)
    for name, description in (*citizen, *officer):
        assert re.fullmatch(r"[a-z0-9_]{1,32}", name)
        assert 3 <= len(description) <= 40 and "{" not in description and "/bà" not in description
    names = [name for name, _description in officer]
    desk = ["hangdoi", "duyet", "tralai", "chuadat", "hoantac", "baocao", "chitieu", "thongbao", "lichbaocao"]
    everybody = ["hoso", "dangky", "gopy", "tapdung", "dulieu", "ngonngu", "trogiup", "trangchu"]
    assert [name for name, _description in citizen] == everybody
    assert names == desk + everybody
    assert dict(citizen)["trogiup"] == {"vi": "Trợ giúp", "en": "Help"}[language]


# ------------------------------------------------------------------------------------------ every dialog


def stories(world: World) -> None:
    """Lives that pass through the screens of all dialogs, in both languages."""
    citizen = world.citizen().opens().types("xã tân phú").joins(phone="0912345678").presses("start")
    citizen.presses("evidence").sends("a.jpg", "b.jpg", caption="Lớp tập huấn").presses("evidence").presses("drop")
    citizen.presses(BACK).presses("done").presses("tot").types("/ngonngu").presses("en").presses("tot").types("A plan")
    citizen.presses("tot").presses("confirmation")
    citizen.types("/ngonngu").presses("vi").types("??").presses("pause")
    for command in ("/trogiup", "/dulieu", "/hoso"):
        citizen.types(command)
    citizen.types("/dulieu").presses("export").presses(BACK).presses("correct:subject_group").presses(BACK)
    citizen.presses("correct:phone").presses(BACK).presses("ask_erase").presses(BACK)
    citizen.types("/hoso").presses("ask_withdraw").presses(BACK).presses("go_on")
    while citizen.screen.progress != (10, 10) or "hand_in" not in [each.id for each in citizen.screen.choices]:
        choices = [each.id for each in citizen.screen.choices]
        citizen.presses("tot") if "tot" in choices else citizen.types("Có dự lớp tập huấn ngày 12/9")
    citizen.presses("pick").presses(BACK).presses("hand_in").presses("submit")
    officer = world.officer().types("/queue").presses("Nguyễn").presses("read").presses("next").presses("next")
    officer.presses("Không xác nhận").presses("Xác nhận").presses("level").presses(BACK).presses(BACK).presses("choose")
    officer.presses(BACK).types("/chuadat").presses(BACK).presses("return").presses("mark:A1").presses("mark:B2")
    officer.presses("reasons").types("Ảnh mờ, xin chụp lại").types("Thiếu giấy chứng nhận").presses("return")
    officer.types("/ngonngu").presses("en").types("/queue").types("/report")
    world.passes(seconds=61)
    citizen.hears()
    citizen.types("/hoso").presses("mend:A1").presses("evidence").types("Giấy chứng nhận số 12")
    centre = world.officer("VN", "supervisor").types("/report").presses("unit:22").presses("page_after")
    centre.presses("up").types("/queue").types("/report 2025")
    facts = {"key": "k" * 64, "unit": 1, "year": 2026, "as_of": world.now.isoformat(), "page": 1, "pages": 3}
    centre.signals("chart", **facts)


@pytest.fixture(scope="module")
def told(made: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Screen]:
    """Every screen of the stories, as the outbox holds them."""
    path = tmp_path_factory.mktemp("told") / "told.sqlite"
    shutil.copyfile(made / "var" / "hoctap.sqlite", path)
    engine = open_engine(f"sqlite:///{path}")
    try:
        world = World(engine)
        stories(world)
        with world.read() as conn:
            return [decode_screen(body) for body in conn.execute(sa.select(outbox.c.body)).scalars()]
    finally:
        engine.dispose()


def test_every_dialogs_screens_fit_a_phone(told: list[Screen]) -> None:
    assert len(told) > 90
    assert {screen.language for screen in told} == {"vi", "en"}
    assert {screen.input for screen in told} >= {"none", "unit", "name", "year", "tel", "photo", "text"}
    assert any(screen.number == 0 for screen in told) and any(screen.protected for screen in told)
    for screen in told:
        seen = holds(screen)
        for button in (button for row in seen.bubbles[-1].keyboard for button in row):
            assert len(button.text) <= ONE_LINE
            assert "=" not in button.data  # every id of ours fits
        assert len(seen.bubbles[-1].keyboard) <= MOST_ROWS + 3
        assert seen.bubbles[-1].reply == (screen.input == "tel")
        if screen.input == "tel":
            labels = [row[0].text for row in seen.bubbles[-1].keyboard[1:]]
            assert [choice_typed(screen, label) for label in labels] == [choice.id for choice in screen.choices]
    albums = [look(screen).album for screen in told if screen.protected and screen.pictures]
    assert albums and all(album[0].caption == "Lớp tập huấn" for album in albums)


def test_a_number_on_a_button_is_the_number_to_type(told: list[Screen]) -> None:
    found = 0
    for screen in told:
        if screen.input == "tel" or not screen.number:
            continue
        for button in buttons(screen):
            number = re.match(r"(\d+)\. ", button.text)
            if number:
                found += 1
                assert pressed(button.data) == (screen.number, Pressed(str(choice_typed(screen, number[1]))))
    assert found > 20
