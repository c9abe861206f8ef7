"""docs/roles.md says what every command does for everybody, on units of theirs and on others; the product does it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dialogs.commands import COMMANDS
from locales import _
from storage import codes, units
from tests.support.world import Chat, World

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "roles.md"
CHI_HOI, ELSEWHERE = "0668501", "00004"
# For each kind of reader: the unit meant by own, below and elsewhere. The whole country has no elsewhere.
UNITS = {
    "reviewer": {"own": "06685", "below": CHI_HOI, "elsewhere": ELSEWHERE},
    "supervisor": {"own": "22", "below": "06685", "elsewhere": ELSEWHERE},
    "centre": {"own": "VN", "below": "22"},
}
COLUMNS = ("nobody", "citizen", *(f"{role}, {where}" for role, there in UNITS.items() for where in there))
DECIDING = {"duyet": "approve", "tralai": "mark:", "chuadat": "why:"}  # the choice that decides a dossier
ON_DOSSIERS = {*DECIDING, "hangdoi", "hoantac"}
SEEN = {  # what shows that it was done: a sentence, or the mark of the screen
    "hoso": "Trạng thái:", "dangky": "đăng ký năm 2026", "lichbaocao": "Lịch báo cáo", "tapdung": "TẬP DÙNG",
    "dung": "đang không tập", "dulieu": "Thông tin đang lưu", "ngonngu": "Which language", "trogiup": "Tôi giúp được",
    "baocao": "năm 2026", "chitieu": "Đã ghi chỉ tiêu", "thongbao": "viết nội dung gửi tới",
    "hoantac": "Đã hoàn tác. Hồ sơ", "trangchu": "hào ", "start": "hào ",
}  # fmt: skip


def written() -> dict[str, dict[str, str]]:
    """The table in the document: command → column → word."""
    rows = re.findall(r"^\| `/(\w+)` \|(.*)\|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: dict(zip(COLUMNS, (cell.strip() for cell in cells.split("|")), strict=True)) for name, cells in rows}


class Country:
    """A chi hội in a commune, a commune elsewhere; a dossier and a suggestion at each, and somebody of every kind."""

    def __init__(self, world: World) -> None:
        self.world = world
        with world.write() as conn:
            units.add_association_unit(conn, "06685", "Chi hội khu 3", "chi_hoi", "test", world.now)
        self.dossiers: dict[str, tuple[str, str]] = {}
        readers = {"06685": "reviewer", "22": "supervisor", "VN": "supervisor"}
        self.chats = {
            kind: world.officer(unit, readers[unit], kind)
            for kind, unit in (("reviewer", "06685"), ("supervisor", "22"), ("centre", "VN"))
        }
        for unit in ("06685", CHI_HOI, ELSEWHERE):
            name = {CHI_HOI: "Người Chi Hội", ELSEWHERE: "Người Nơi Khác"}.get(unit, "Người Phường")
            citizen = world.citizen().joins(codes.payload(codes.UnitCode("2025", unit)), name=name)
            self.dossiers[unit] = (name, citizen.submits())
            citizen.types(f"/gopy Góp ý về đơn vị {unit} đây").presses("send")
        for unit in ("22", "VN"):  # of these only officers write
            other = world.officer(unit, "supervisor", f"Người khác {unit}")
            other.types(f"/gopy Góp ý về đơn vị {unit} đây").presses("send")
        self.chats["citizen"] = world.citizen().joins(name="Người Hỏi")
        self.chats["nobody"] = world.citizen().opens()

    def does(self, command: str, column: str) -> str:
        """What a command comes to: ``yes``, ``no`` (not theirs), ``officers`` (it is theirs), ``join`` (first), or
        ``–``."""
        who, _sep, where = column.partition(", ")
        chat = self.chats[who].types("/trangchu")
        unit = UNITS[who][where] if where else "06685"
        if command in ON_DOSSIERS and where:
            if where == "own" and unit not in self.dossiers:
                return "–"  # only communes and what is below them have dossiers
            unit = unit if unit in self.dossiers else "06685"
        refused = self._refused(self._asked(chat, command, unit))
        return refused or ("yes" if self._done(chat, command, unit, officer=bool(where)) else "no")

    def _asked(self, chat: Chat, command: str, unit: str) -> Chat:
        if command in DECIDING:
            return chat.types(f"/{command} {self.dossiers[unit][1]}")
        if command == "hoantac" and chat.types(f"/duyet {self.dossiers[unit][1]}").screen.choices:
            if any(each.id == "approve" for each in chat.screen.choices):
                chat.presses("approve")
            return chat.types("/hoantac")
        rest = {"baocao": unit, "thongbao": unit, "chitieu": f"{unit} 60%"}.get(command, "")
        return chat.types(f"/{command} {rest}".strip())

    def _refused(self, chat: Chat) -> str:
        note = chat.screen.note
        if _("turn.officers_only")[:40] in note:
            return "officers"
        if "gắn với xã, phường" in note:
            return "join"
        return "no" if "không thuộc phạm vi" in note else ""

    def _done(self, chat: Chat, command: str, unit: str, *, officer: bool) -> bool:
        said, choices = chat.read_out(), [each.id for each in chat.screen.choices]
        if command in DECIDING:
            return any(each.startswith(DECIDING[command]) for each in choices)
        if command == "hangdoi":
            return f"[{self.dossiers[unit][0]}, " in said
        if command == "gopy":
            return f"Góp ý về đơn vị {unit}" in said if officer else "viết góp ý gửi" in said
        return SEEN[command] in said


@pytest.mark.parametrize("ground", ["full"], indirect=True)
def test_the_table_is_what_the_product_does(world: World) -> None:
    country = Country(world)
    found = {
        command.names[0]: {column: country.does(command.names[0], column) for column in COLUMNS} for command in COMMANDS
    }
    assert written() == found, "docs/roles.md should say:\n" + "\n".join(
        f"| `/{name}` | {' | '.join(row.values())} |" for name, row in found.items()
    )


def test_every_word_is_one_of_those_explained() -> None:
    words = {word for row in written().values() for word in row.values()}
    assert words == {"yes", "no", "officers", "join", "–"}
