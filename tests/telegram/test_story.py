"""The whole story over the wire, against ``hoctap run``: from the poster's link to an approved dossier and the
province's chart, by polling and by webhook, on two bots at once: who is a citizen on one is an officer's on the other.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from dialogs import places
from storage import codes, officers, units
from storage.engine import open_engine, reading, writing
from storage.recount import check
from tests.peers.telegram import BotApi, FakeBot, Message, Phone
from tests.support.server import Server
from tests.support.webclient import photo
from tests.telegram.live import TOKENS, accepts, holds, presses, types

pytestmark = pytest.mark.slow

# What the citizens answer, as its beginning reads, and what they send where evidence is wanted: 83 points.
ANSWERS: tuple[tuple[str, str], ...] = (
    ("Nhiều ngày trong tuần", ""),
    ("Có kế hoạch, hoàn thành phần lớn", ""),
    ("Từ 6 buổi trở lên", "album"),
    ("Thường xuyên nhắc nhở", ""),
    ("Thành thạo", "document"),
    ("Biết từ, câu thông dụng", ""),
    ("Thường tính toán thu chi", ""),
    ("Thường kiểm tra nguồn tin", ""),
    ("Hòa thuận, tích cực", ""),
    ("Thường xuyên tham gia", ""),
)
BLURRED = "Ảnh mờ, xin chụp lại"
COMMUNES = ("06685", "06673")
SLOWLY = 60.0  # seconds; the machine may be busy with other tests


def level_of(n: int, label: str) -> str:
    """The level of question *n* whose option begins with these words."""
    options = places.current_criteria().indicators[n - 1].options
    (found,) = (each.level for each in options if each.label.vi.startswith(label))
    return found


def taken_at_home() -> bytes:
    """A photo as a phone makes it: with the place where it was taken."""
    exif = Image.Exif()
    exif[Base.Make] = "Dien thoai"
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitudeRef] = "N"
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitude] = (20.0, 57.0, 3.0)
    written = BytesIO()
    with Image.open(BytesIO(photo(5))) as image:
        image.save(written, "JPEG", exif=exif)
    with Image.open(BytesIO(written.getvalue())) as image:
        assert image.getexif().get_ifd(IFD.GPSInfo), "the test's own photo tells no place"
    return written.getvalue()


@pytest.fixture(params=["polling", "webhook"])
async def town(request: pytest.FixtureRequest, seeded: Path, tmp_path: Path) -> AsyncIterator[Town]:
    """A server with two bots; its name is how updates come."""
    async with BotApi() as api:
        bots = [api.bot(token, f"hoctap_{name}_bot") for name, token in zip("ab", TOKENS, strict=True)]
        environment = {f"HOCTAP_TELEGRAM__BOTS__{n}__TOKEN": token for n, token in zip("AB", TOKENS, strict=True)}
        environment |= {
            "HOCTAP_TELEGRAM__API_URL": api.url,
            "HOCTAP_TELEGRAM__MODE": request.param,
            "HOCTAP_TELEGRAM__RATE": "1000",
            "HOCTAP_TELEGRAM__PUSH_RATE": "1000",
            "HOCTAP_TELEGRAM__CHAT_RATE": "1000",
            "HOCTAP_REVIEW__UNDO_SECONDS": "1",
        }
        server = Server.on(seeded, tmp_path, environment)
        server.environment["HOCTAP_WEB__PUBLIC_URL"] = server.base
        town = Town(api, server, bots)
        town.prepare()
        server.start()
        try:
            await server.ready()
            yield town
            assert await asyncio.to_thread(server.stop) == 0
        finally:
            if server.process is not None:
                server.kill()
            print("the server's last words:", *server.output().splitlines()[-60:], sep="\n")


class Town:
    """The server, its bots and the invites of its officers (by commune, and that of the province)."""

    def __init__(self, api: BotApi, server: Server, bots: list[FakeBot]) -> None:
        self.api, self.server, self.bots = api, server, bots
        self.invites: dict[str, str] = {}
        self.links = {code: codes.payload(codes.UnitCode(codes.VINTAGE_2025, code)) for code in COMMUNES}

    def prepare(self) -> None:
        """Invite the officers."""
        engine = open_engine(self.server.url)
        try:
            with writing(engine) as conn:
                for code, role in (*((each, "reviewer") for each in COMMUNES), ("22", "supervisor")):
                    unit = units.by_code(conn, code)
                    assert unit is not None
                    invite = officers.invite(conn, unit.id, role, datetime.now(UTC), "test", f"Cán bộ {code}")
                    self.invites[code] = codes.payload(invite)
        finally:
            engine.dispose()

    def counted(self) -> None:
        """Every kept count equals a recount, and nothing failed."""
        engine = open_engine(self.server.url)
        try:
            with reading(engine) as conn:
                assert check(conn) == []
        finally:
            engine.dispose()
        assert [line for line in self.server.output().splitlines() if " ERROR " in line or "Traceback" in line] == []


async def test_from_the_link_to_an_approved_dossier_and_a_chart(town: Town) -> None:
    one, other = town.bots
    await asyncio.gather(story(town, COMMUNES[0], one, other), story(town, COMMUNES[1], other, one))
    await chart(town, one)
    town.counted()
    for bot in town.bots:
        assert bot.updates == {}, "something was not acknowledged"
        assert town.api.unanswered(bot) == []
        commands = bot.commands['{"type": "all_private_chats"}', ""]
        assert commands[0]["command"] == "hoso"


async def story(town: Town, commune: str, bot: FakeBot, officers_bot: FakeBot) -> None:
    """One citizen of a commune on one bot, its officer on another."""
    officer = town.api.phone(officers_bot, first_name="Hoa")
    await accepts(officer, town.invites[commune])
    await holds(lambda: officer.commands[0]["command"] == "hangdoi")  # set beside the answer, not before it

    name = "Nguyễn Thị <b>Hạnh & con"
    citizen = town.api.phone(bot, first_name="Lan")
    await joins(citizen, town.links[commune], name)
    await answers(citizen)
    code = await hands_in(citizen)

    await types(officer, "/queue")
    await presses(officer, next(label for label in officer.buttons if name[:12] in label))
    assert name in officer.screen.text, officer.read_out()
    await looks_at_evidence(officer)
    await returns_question_five(officer)

    await mends_question_five(citizen)

    await officer.finds(code, SLOWLY)  # told that it has been mended
    await types(officer, "/queue")
    await presses(officer, next(label for label in officer.buttons if name[:12] in label), "Mở câu 5")
    await officer.sees("Câu 5/10")
    assert len(shown_album(officer)) == 2
    await types(officer, "/approve")
    await presses(officer, "approve")
    await officer.finds("Đã ghi")  # a notice may stand below it already
    assert not any(message.media for message in officer.from_bot), "a card that is closed still shows pictures"

    await citizen.finds("Chúc mừng", SLOWLY)
    assert code in next(message.text for message in citizen.from_bot if "Chúc mừng" in message.text)


async def joins(citizen: Phone, link: str, name: str) -> None:
    await citizen.opens(link)
    await citizen.sees("đúng không", SLOWLY)
    await presses(citizen, "yes", "agree")
    await types(citizen, name, "1961")
    assert citizen.buttons[-3:-1] == ["Gửi số điện thoại của tôi", "Không cho số"], citizen.read_out()
    await citizen.shares_contact("+84912345678")
    await citizen.settles()
    assert not citizen.chat.reply_keyboard
    await presses(citizen, "ong_ba", "nong_dan", "start")


async def answers(citizen: Phone) -> None:
    for n, (label, wanted) in enumerate(ANSWERS, 1):
        assert f"Câu {n}/10" in citizen.screen.text, citizen.read_out()
        await presses(citizen, level_of(n, label))
        if not wanted:
            continue
        assert f"Minh chứng cho câu {n}" in citizen.screen.text, citizen.read_out()
        if wanted == "album":
            await citizen.sends_album([photo(1), photo(2)], caption="Lớp học cộng đồng")
            await citizen.sees("Đã nhận 2 ảnh cho câu 3")
        else:
            await citizen.sends_document(taken_at_home(), caption="Giấy xác nhận")
            await citizen.sees("Đã nhận 1 ảnh cho câu 5")
        await citizen.settles()


async def hands_in(citizen: Phone) -> str:
    """Submit; the dossier's code."""
    await citizen.finds("83/100")
    await presses(citizen, "hand_in", "submit")
    await citizen.finds("HS-", SLOWLY)
    found = re.search(r"HS-\d{4}-\w+", citizen.read_out())
    assert found, citizen.read_out()
    return found.group()


def shown_album(officer: Phone) -> list[Message]:
    """The pictures on the officer's phone."""
    return [message for message in officer.from_bot if message.photo]


async def looks_at_evidence(officer: Phone) -> None:
    await presses(officer, "read", "next", "next")
    await officer.sees("Câu 3/10")
    pictures = shown_album(officer)
    assert len(pictures) == 2
    assert len({message.album for message in pictures}) == 1
    assert sorted(message.text for message in pictures) == ["Lớp học cộng đồng", "Ảnh 2/2"]
    assert officer.screen.protect_content
    await presses(officer, "next")
    await officer.sees("Câu 4/10")
    await officer.settles()
    assert shown_album(officer) == [], "the pictures of the question before"
    await presses(officer, "next")
    await officer.sees("Câu 5/10")
    (picture,) = shown_album(officer)
    for message in (*pictures, picture):
        assert message.protect_content
        with Image.open(BytesIO(message.photo[-1].data)) as image:
            assert image.size == (320, 240)
            assert not image.getexif(), "the place where it was taken"


async def returns_question_five(officer: Phone) -> None:
    await presses(officer, "Trả lại câu này")
    await types(officer, "/tralai")
    await presses(officer, "reasons", BLURRED)
    assert BLURRED in officer.screen.text
    await presses(officer, "return")
    await officer.finds("Đã ghi")
    assert shown_album(officer) == []


async def mends_question_five(citizen: Phone) -> None:
    await citizen.finds(BLURRED, SLOWLY)
    await presses(citizen, "Sửa câu 5")
    assert "Câu 5/10" in citizen.screen.text, citizen.read_out()
    await presses(citizen, "evidence")
    await citizen.sends_photo(photo(7), caption="Chụp lại")
    await citizen.sees("2 ảnh")
    await citizen.settles()
    await presses(citizen, "done", "hand_in", "submit")
    await citizen.finds("Mã hồ sơ", SLOWLY)


async def chart(town: Town, bot: FakeBot) -> None:
    """The province's officer is sent a chart."""
    province = town.api.phone(bot, first_name="Nam")
    await accepts(province, town.invites["22"])
    await types(province, "/report")
    await province.finds("Quảng Ninh, năm")
    await holds(lambda: shown_album(province), SLOWLY)
    (picture,) = shown_album(province)
    with Image.open(BytesIO(picture.photo[-1].data)) as image:
        assert image.width >= 1080
    assert "Quảng Ninh" in picture.text
