"""Traps of pictures: albums whose parts come as they like, files that are too large or not to be had, ids of files."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from bot.channels import telegram_fetch
from bot.pictures import intake
from bot.pictures.refusal import PictureRefused
from storage.blobs import BlobFolder, StoreFull
from storage.evidence import Picture
from tests.peers.telegram import Phone
from tests.support import hostile, papers
from tests.support.webclient import photo
from tests.telegram.conftest import Begin
from tests.telegram.live import Live, accepts, asks_for_evidence, holds, joins, presses, types

pytestmark = pytest.mark.slow  # a running bot each: seconds

SOON = (0.05,) * 10


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are tried again at once."""
    monkeypatch.setattr(telegram_fetch, "WAITS", SOON)
    monkeypatch.setattr(telegram_fetch, "TICK", 0.1)


async def wanted(live: Live) -> Phone:
    """A citizen who is asked for a picture beside the second question."""
    return await asks_for_evidence(live.api.phone(live.bot))


async def goes_on(phone: Phone) -> None:
    """From the third question to the overview."""
    for _n in range(8):
        await presses(phone, "kha")
        if "Minh chứng cho câu" in phone.screen.text:
            await types(phone, "Tôi đã dự lớp tập huấn ngày 12/9 tại nhà văn hóa khu 3")


def stored(data: bytes) -> str:
    """Under which key a picture is kept."""
    return intake.receive(data)[0].key


async def settled(live: Live, *photos: bytes, indicator: str = "A2") -> None:
    """Wait until these pictures, and no others, are evidence beside a question; their bytes are right."""
    keys = sorted(map(stored, photos))
    query = "select key from evidence where indicator = :indicator and kind in ('photo', 'certificate') order by key"
    await live.until(query, *keys, indicator=indicator)
    store = BlobFolder(live.folder / "evidence")
    for key in keys:
        data = store.get(key)
        assert data is not None
        assert hashlib.sha256(data).hexdigest() == key
    assert live.rows("select count(*) from arrivals") == [0]


# ------------------------------------------------------------------------------------------------ albums


@pytest.mark.parametrize("webhook", [False, True])
async def test_an_album_in_any_order_is_one_answers_evidence(begin: Begin, webhook: bool) -> None:
    live = await begin(webhook=webhook)
    live.api.shuffle_albums = True
    live.api.reorders(0.9)
    phone = await wanted(live)
    shots = [photo(n) for n in range(5)]
    await phone.sends_album(shots, caption="Lớp tin học")
    await settled(live, *shots)
    captions = live.rows("select text from evidence where indicator = 'A2' order by text desc")
    assert captions == ["Lớp tin học", "", "", "", ""]
    await phone.finds("5 ảnh")
    assert live.rows("select count(*) from failed_events") == [0]


async def test_parts_that_come_after_the_question_moved_on_belong_to_it_still(live: Live) -> None:
    phone, album = await wanted(live), live.api.album()
    await phone.sends_part(photo(1), album, "Lớp tin học")
    await phone.finds("Câu 3/10")
    await phone.settles()
    await presses(phone, "tot")  # and the next one wants a picture, too
    assert "Minh chứng cho câu 3" in phone.screen.text
    await phone.sends_part(photo(2), album)
    await phone.settles()
    assert "Đã nhận 2 ảnh cho câu 2" in phone.screen.text
    assert "Minh chứng cho câu 3" in phone.screen.text
    await settled(live, photo(1), photo(2))
    await phone.sends_photo(photo(3))
    await settled(live, photo(3), indicator="A3")
    await presses(phone, "kha")
    assert live.rows("select level from answers") == ["tot", "tot", "tot", "kha"]


async def test_a_press_between_two_parts_of_an_album_is_taken(live: Live) -> None:
    phone, album = await wanted(live), live.api.album()
    await phone.sends_part(photo(1), album)
    await phone.finds("Câu 3/10")
    await phone.settles()
    question = phone.screen
    await phone.sends_part(photo(2), album)
    await phone.presses("kha", question)
    await phone.sends_part(photo(3), album)
    await settled(live, photo(1), photo(2), photo(3))
    assert live.rows("select count(*) from answers") == [3], "the button's screen still stood"


async def test_an_album_that_the_screen_does_not_take_is_refused_once(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await phone.opens("DV06685K")
    await phone.settles()
    await phone.sends_album([photo(n) for n in range(4)])
    await holds(lambda: not live.bot.updates)
    await phone.settles(quiet=0.3)
    told = [message for message in phone.messages if message.from_bot and message.id > phone.messages[1].id]
    assert len(told) == 1, phone.read_out()
    assert live.rows("select count(*) from evidence") == [0]


async def test_the_same_picture_twice_is_one_piece(live: Live) -> None:
    phone = await wanted(live)
    await phone.sends_album([photo(1), photo(1)])
    await settled(live, photo(1))
    await presses(phone, "tot")
    await phone.sends_photo(photo(1))
    await settled(live, photo(1), indicator="A3")


@pytest.mark.parametrize(
    ("name", "mime", "made", "count"),
    [
        ("GIAY.PDF", "application/octet-stream", lambda: papers.pdf(4), 3),
        ("scan", "application/pdf", lambda: papers.pdf(1), 1),
        ("IMG_0001.HEIC", "image/heic", lambda: papers.encoded(papers.certificate(900), "HEIF"), 1),
        ("lies.png", "image/png", lambda: papers.encoded(papers.certificate(900), "HEIF"), 1),
    ],
)
async def test_heic_and_pdf_are_taken_as_files(
    live: Live, name: str, mime: str, made: Callable[[], bytes], count: int
) -> None:
    phone = await wanted(live)
    await phone.sends_document(made(), name, mime)
    await live.until("select count(*) from evidence where status = 'given'", count)
    store = BlobFolder(live.folder / "evidence")
    for key, thumbnail, width in live.rows("select key, thumbnail, width from uploads where used"):
        data, small = store.get(key), store.get(thumbnail)
        assert data is not None and small is not None and intake.is_bare(data) and intake.is_bare(small)
        assert width > 480
    assert live.rows("select count(*) from uploads where used") == [count]


async def test_a_pdf_with_a_password_is_told_of(live: Live) -> None:
    phone = await wanted(live)
    await phone.sends_document(hostile.locked(random.Random(1)), "giay.pdf", "application/pdf")
    await phone.finds("có mật khẩu nên tôi không mở được")
    assert live.rows("select count(*) from evidence") == [0]


# ------------------------------------------------------------------------------------------------ refused at once


@pytest.mark.parametrize(
    ("name", "mime", "size", "told"),
    [
        ("giay.docx", "application/vnd.openxmlformats", None, "chỉ nhận ảnh"),
        ("anh.jpg", "image/jpeg", 21 << 20, "20 MB"),
    ],
)
async def test_a_file_that_is_not_taken_is_refused_kindly(
    live: Live, name: str, mime: str, size: int | None, told: str
) -> None:
    phone = await wanted(live)
    await phone.sends_document(b"%PDF or whatever", name, mime, size=size)
    await phone.sees(told)
    assert "Minh chứng cho câu 2" in phone.screen.text
    assert live.api.made("getFile") == []
    await phone.sends_document(photo(1), "anh.png", "image/png")
    await settled(live, photo(1))


# ------------------------------------------------------------------------------------------------ fetching


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("getFile", "500"),
        ("getFile", "429"),
        ("getFile", "closed"),
        ("file", "500"),
        ("file", "lost"),
        ("file", "closed"),
    ],
)
async def test_a_file_that_fails_twice_is_fetched_the_third_time(live: Live, method: str, kind: str) -> None:
    phone = await wanted(live)
    fault = live.api.fault(method, kind, times=2, retry_after=1)
    await phone.sends_photo(photo(1))
    await settled(live, photo(1))
    assert fault.used == 2
    # The path is asked for anew each time; a download that broke off at once aiohttp itself has tried again.
    assert len(live.api.made("getFile")) in ((2, 3) if (method, kind) == ("file", "closed") else (3,))


@pytest.mark.parametrize("kind", ["500", "not_modified"])  # the latter: any 400
async def test_a_file_that_cannot_be_had_is_asked_for_again_alone(live: Live, kind: str) -> None:
    phone = await wanted(live)
    await phone.sends_photo(photo(1))
    await settled(live, photo(1))
    await phone.settles()
    live.api.fault("getFile", kind, times=-1)
    await phone.sends_photo(photo(2))
    await phone.finds("chưa gửi đến được nơi", 15)
    await settled(live, photo(1))
    live.api.mend()
    await presses(phone, "Gửi lại ảnh câu 2")
    await phone.finds("Minh chứng cho câu 2")
    await phone.sends_photo(photo(3))
    await settled(live, photo(1), photo(3))


async def test_a_file_too_large_for_getfile_is_told_with_its_reason(live: Live) -> None:
    phone = await wanted(live)
    live.api.latency = 0.2
    await phone.sends_photo(photo(1))
    for name, held in list(live.bot.files.items()):
        live.bot.files[name] = replace(held, size=21 << 20)
    await phone.finds("lớn quá 20 MB")
    assert live.rows("select count(*) from evidence") == [0]


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"no picture at all", "không phải ảnh hay PDF"), (photo(1)[:-200] + b"x" * 10, "bị hỏng")],
)
async def test_a_document_that_lies_is_told_of(live: Live, content: bytes, told: str) -> None:
    phone = await wanted(live)
    await phone.sends_document(content)
    await phone.finds(told)
    assert live.rows("select count(*) from evidence") == [0]


async def test_a_store_that_is_full_is_not_run_against_and_nothing_is_lost(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telegram_fetch, "STORE_WAIT", 0.1)
    phone = await wanted(live)
    backend, tries = live.telegram.fetcher.backend, 0

    async def full(_contact: int, _data: bytes) -> tuple[Picture, ...]:
        nonlocal tries
        tries += 1
        raise StoreFull

    live.telegram.fetcher.backend = replace(backend, take_in=full)
    await phone.sends_photo(photo(1))
    await holds(lambda: tries > len(SOON))  # more often than a file of Telegram's own fault would be asked for
    assert live.rows("select attempts from arrivals") == [0]
    await presses(phone, "kha")  # choices and texts go on
    live.telegram.fetcher.backend = backend
    await settled(live, photo(1))


@pytest.mark.parametrize("trouble", [PictureRefused("busy"), OSError("no process")])
async def test_what_is_no_fault_of_the_files_is_tried_for_ever(
    live: Live, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    monkeypatch.setattr(telegram_fetch, "STORE_WAIT", 0.05)
    monkeypatch.setattr(telegram_fetch, "MOST_TRIES", 0)
    phone, backend, tries = await wanted(live), live.telegram.fetcher.backend, 0

    async def busy(contact: int, data: bytes) -> tuple[Picture, ...]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise trouble
        return await backend.take_in(contact, data)

    live.telegram.fetcher.backend = replace(backend, take_in=busy)
    await phone.sends_photo(photo(1))
    await settled(live, photo(1))
    assert tries == 3


async def test_pictures_on_their_way_are_fetched_after_a_restart(live: Live) -> None:
    phone = await wanted(live)
    live.api.fault("getFile", "500", times=-1)
    await phone.sends_album([photo(1), photo(2)])
    await live.until("select count(*) from arrivals", 2)
    await live.stop()
    live.api.mend()
    await live.start()
    await settled(live, photo(1), photo(2))


async def test_a_form_handed_in_enters_the_queue_with_its_last_picture(live: Live) -> None:
    phone = await wanted(live)
    fault = live.api.fault("file", "slow", times=-1, seconds=3)
    await phone.sends_album([photo(1), photo(2)], caption="Lớp học")
    await phone.finds("Câu 3/10")
    await phone.settles()
    await goes_on(phone)
    await presses(phone, "hand_in", "submit")
    if live.rows("select count(*) from arrivals") != [0]:
        assert live.rows("select status from assessments") == ["draft"]
    assert fault.used
    live.api.mend()
    await phone.finds("Đã nộp. Mã hồ sơ", 15)
    assert live.rows("select status from assessments") == ["submitted"]


# ------------------------------------------------------------------------------------------------ ids of files


async def test_a_picture_is_uploaded_once_by_each_bot(begin: Begin) -> None:
    """A file id is of one bot; another that used it would be refused."""
    live = await begin(accounts=("telegram:a", "telegram:b"))
    citizen = await wanted(live)
    await citizen.sends_album([photo(1), photo(2)])
    await settled(live, photo(1), photo(2))
    await citizen.finds("Câu 3/10")
    await citizen.settles()
    await goes_on(citizen)
    await presses(citizen, "hand_in", "submit")
    await citizen.finds("Đã nộp. Mã hồ sơ")

    async def looks(officer: Phone) -> None:
        await types(officer, "/queue")
        await presses(officer, "Nguyễn Thị Lan", "read", "next")
        await officer.finds("Câu 2/10")
        await holds(lambda: len([message for message in officer.from_bot if message.photo]) == 2)

    def uploads(bot: int) -> list[int]:
        return [len(call.files) for call in live.api.made("sendMediaGroup") if call.bot == live.bots[bot].username]

    one = live.api.phone(live.bots[0], first_name="Hoa")
    await accepts(one, live.invite())
    await looks(one)
    assert uploads(0) == [2]
    await looks(one)
    assert uploads(0) == [2, 0], "by the ids that Telegram gave"

    other = live.api.phone(live.bots[1], first_name="Nam")
    await accepts(other, live.invite(name="Lê Văn Nam"))
    await looks(other)
    assert uploads(1) == [2]

    known = {file for message in one.messages for file in message.photo}
    for name in [name for name, file in live.bots[0].files.items() if file in known]:
        del live.bots[0].files[name]  # Telegram has forgotten them
    await looks(one)
    assert uploads(0)[-1] == 2
    assert [call.outcome for call in live.api.calls if "wrong file identifier" in call.outcome]


async def test_an_officers_pictures_go_when_the_card_closes(begin: Begin) -> None:
    live = await begin()
    citizen = await wanted(live)
    await citizen.sends_document(taken_at_home())
    await citizen.finds("Câu 3/10")
    await citizen.settles()
    await goes_on(citizen)
    await presses(citizen, "hand_in", "submit")
    await citizen.finds("Đã nộp. Mã hồ sơ")
    officer = live.api.phone(live.bot, first_name="Hoa")
    await accepts(officer, live.invite())
    await types(officer, "/queue")
    await presses(officer, "Nguyễn Thị Lan", "read", "next")
    await holds(lambda: [message for message in officer.from_bot if message.photo])
    await officer.settles()
    (picture,) = (message for message in officer.from_bot if message.photo)
    assert picture.protect_content
    with Image.open(BytesIO(picture.photo[-1].data)) as image:
        assert not image.getexif(), "the place where it was taken"
    await types(officer, "/home")
    await holds(lambda: not [message for message in officer.from_bot if message.photo])
    assert not any("Nguyễn Thị Lan" in message.text for message in officer.from_bot), "the card stands there still"


def taken_at_home() -> bytes:
    """A photo that tells who made it, where and when."""
    written = BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "Dien thoai"
    with Image.open(BytesIO(photo(5))) as image:
        image.save(written, "JPEG", exif=exif)
    return written.getvalue()


async def test_a_picture_that_arrives_changes_nothing_of_the_open_question(live: Live) -> None:
    phone = await wanted(live)
    await phone.sends_photo(photo(1))
    await phone.finds("Câu 3/10")
    await settled(live, photo(1))
    await presses(phone, "kha")
    assert live.rows("select count(*) from answers") == [3]


async def test_joining_takes_no_pictures(live: Live) -> None:
    phone = live.api.phone(live.bot)
    await joins(phone)
    await phone.sends_photo(photo(1))
    await phone.settles()
    assert live.rows("select count(*) from evidence") == [0]
    assert live.rows("select count(*) from failed_events") == [0]
