"""hoctap officers end: a role, all of them, or the sessions of a phone that was lost."""

from __future__ import annotations

import sqlalchemy as sa

from storage import audit, codes, officers, shown, unsaid
from storage.conversations import messages
from storage.officers import invites, officer_contacts
from tests.bot.conftest import Cli
from tests.support.world import Chat, World


def opened(world: World, officer: Chat, code: str) -> None:
    """A dossier is on the officer's desk, in a message that the channel could delete."""
    officer.types(code).sees("Nguyễn Văn Hùng")
    with world.write() as conn:
        now_shown = shown.Shown(officer.screen.number, 41, 42, (40,), "", "", 1, protected=True)
        shown.keep(conn, officer.account, officer.address, now_shown)


def trail(world: World, action: str) -> list[str]:
    with world.read() as conn:
        lines = sa.inspect(audit.AuditLine).local_table
        return [row.subject for row in conn.execute(sa.select(lines).where(lines.c.action == action))]


def sessions(world: World) -> int:
    with world.read() as conn:
        return conn.execute(sa.select(sa.func.count()).select_from(officer_contacts)).scalar() or 0


def test_the_last_role_ends_with_every_session_and_what_is_left_is_told(cli: Cli, world: World) -> None:
    code = world.citizen().joins().submits()
    officer = world.officer()
    opened(world, officer, code)
    with world.write() as conn:
        link = codes.printed(officers.link(conn, 1, world.now, "test"))
    said = cli("officers", "end", "Trần Thị Hoa", "--unit", "06685")
    said.said(
        "Trần Thị Hoa", "Cán bộ đã được nhắn", "không còn ai là người xét", "1 hồ sơ", "invite 06685 --role reviewer"
    )
    assert (said.status, sessions(world), trail(world, "officer.end")) == (0, 0, ["officer:1"])
    with world.read() as conn:
        (row,) = unsaid.due(conn, officer.account, world.now.replace(year=2030))
    assert (row.message_ids, row.own) == ((40, 41), True), "what shows the dossier goes from the chat"
    world.now = world.now.replace(year=2027)
    officer.heard("đã kết thúc")
    officer.types("/hangdoi").sees_not("hồ sơ đang chờ", code)
    officer.types(code).sees_not("Nguyễn Văn Hùng")
    world.citizen().opens().types(link).sees("đã được dùng")
    assert cli("officers", "list", "--json").json == []
    cli("officers", "end", "--id", "1").refused(1, "không có vai trò nào")


def test_one_role_of_two_ends_and_the_session_goes_on(cli: Cli, world: World) -> None:
    code = world.citizen().joins().submits()
    officer, other = world.officer(), world.officer(name="Lê Văn Minh")
    with world.write() as conn:
        invite = officers.invite(conn, 1, "supervisor", world.now, "test")
    officer.opens(codes.payload(invite)).presses("accept")
    told = cli("officers", "end", "Trần Thị Hoa", "--unit", "06685", "--json").json
    assert (told["ended"], [each["role"] for each in told["left"]], told["vacant"]) == (1, ["supervisor"], [])
    assert sessions(world) == 2
    other.types(code).sees("Nguyễn Văn Hùng")
    world.now = world.now.replace(year=2027)
    officer.heard("Các vai trò khác vẫn như cũ")


def test_a_role_on_another_unit_is_not_ended(cli: Cli, world: World) -> None:
    world.officer()
    cli("officers", "end", "Trần Thị Hoa", "--unit", "22").refused(1, "không có vai trò nào")
    cli("officers", "end").refused(2, "NAME")
    cli("officers", "end", "Trần Thị Hoa", "--unit", "22", "--sessions").refused(2)
    assert sessions(world) == 1


def test_the_sessions_of_a_lost_phone_end_and_nobody_is_told(cli: Cli, world: World) -> None:
    code = world.citizen().joins().submits()
    officer = world.officer()
    opened(world, officer, code)
    web = world.chat("web", "web")
    with world.write() as conn:
        way_in, unused = (officers.link(conn, 1, world.now, "test") for _n in range(2))
    web.opens(codes.payload(way_in)).types(code).sees("Nguyễn Văn Hùng")
    web.types("/thongbao").types("Mời bà con tới lớp kỹ năng số chiều thứ Bảy").presses("send").sees("Tôi đang gửi")
    cli("officers", "end", "Trần Thị Hoa", "--sessions").said("2 phiên làm việc", "vai trò vẫn giữ")
    assert (sessions(world), trail(world, "officer.sign_out")) == (0, ["officer:1"])
    assert trail(world, "announcement.stopped") == ["announcement:1"]
    with world.read() as conn:
        assert not conn.execute(sa.select(messages.c.id).where(messages.c.fleeting)).all()
        assert not conn.execute(sa.select(invites.c.secret_hash).where(invites.c.used_at.is_(None))).all()
    assert officer.hears() == []
    officer.types(code).sees_not("Nguyễn Văn Hùng")
    web.opens(codes.payload(unused)).sees("đã được dùng")
    with world.write() as conn:
        way_in = officers.link(conn, 1, world.now, "test")
    world.citizen().opens(codes.payload(way_in)).types(code).sees("Nguyễn Văn Hùng")
