"""Migrations with data: what the program of revision 0001 wrote goes up to today's tables and down again, whole.

``data/written_by_0001.json`` holds the rows of a small world that the program of that revision made by chatting
(of the units, claims and sent messages only a few): drafts, dossiers handed in, returned, approved, not met,
withdrawn, a decision undone, officers, an invite, history of the web, notices that wait, a failed event, a chart
asked for. ``story`` says who is who: account, address, code of the dossier.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from dialogs.model import Pressed
from storage import assessments, conversations, migrate
from storage.base import Connection
from storage.engine import open_engine, reading, writing
from storage.recount import check
from tests.support.world import PROFILES, Chat, World

REVISIONS = sorted(path.name[:4] for path in (migrate.FOLDER / "versions").glob("[0-9]*.py"))
Rows = dict[str, list[str]]
# What a revision no longer keeps, and why: telephone numbers of lists are keyed hashes since 0005.
GIVEN_UP = {"0005": {("imported_people", "phone")}}


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (Path(__file__).parent / "data" / "written_by_0001.json").read_text(encoding="utf-8")
    )
    return found


@pytest.fixture
def engine(database_url: str, written: dict[str, Any]) -> Iterator[Engine]:
    """A database at 0001 with those rows."""
    made = open_engine(database_url)
    migrate.upgrade(made, "0001")
    with writing(made) as conn:
        put(conn, written["tables"])
    yield made
    made.dispose()


def put(conn: Connection, written: dict[str, Any]) -> None:
    metadata = sa.MetaData()
    metadata.reflect(conn)
    for table in metadata.sorted_tables:
        if table.name == "alembic_version":
            continue
        columns, rows = (written[table.name][part] for part in ("columns", "rows"))
        assert set(columns) == set(table.c.keys())
        values = [
            {name: of_type(table.c[name].type, value) for name, value in zip(columns, row, strict=True)} for row in rows
        ]
        conn.execute(sa.insert(table), values)
        (first, *more) = table.primary_key.columns
        if conn.dialect.name == "postgresql" and not more and isinstance(first.type, sa.Integer):
            conn.exec_driver_sql(
                f"select setval(pg_get_serial_sequence('{table.name}', '{first.name}'), max({first.name}))"
                f" from {table.name}"
            )


def of_type(kind: sa.types.TypeEngine[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, sa.Boolean):
        return bool(value)
    if isinstance(kind, sa.DateTime):
        return datetime.fromisoformat(value)
    if isinstance(kind, sa.Date):
        return date.fromisoformat(value)
    return value


def kept(engine: Engine, of: dict[str, list[str]] | None = None) -> tuple[dict[str, list[str]], Rows]:
    """The columns of every table, and its rows in no particular order; with *of*, only these tables and columns."""
    rows: Rows = {}
    columns: dict[str, list[str]] = {}
    with reading(engine) as conn:
        look = sa.inspect(conn)
        for table in of or (name for name in look.get_table_names() if name != "alembic_version"):
            columns[table] = of[table] if of else sorted(column["name"] for column in look.get_columns(table))
            found = conn.exec_driver_sql(f"select {', '.join(columns[table])} from {table}")
            rows[table] = sorted(repr(tuple(row)) for row in found)
        if conn.dialect.name == "sqlite":
            assert conn.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    return columns, rows


def test_there_is_a_row_in_every_table_and_of_every_kind(engine: Engine) -> None:
    _columns, rows = kept(engine)
    assert [table for table, found in rows.items() if not found] == []
    with reading(engine) as conn:
        for table, column, kinds in (
            ("assessments", "status", assessments.STATUSES),
            ("evidence", "kind", ("text", "photo", "link", "officer_confirmation")),
            ("outbox", "outcome", ("waiting", "sent", "failed")),
            ("reviews", "decision", ("approve", "not_met", "return")),
            ("contact_person", "relation", ("self", "household")),
        ):
            found = conn.exec_driver_sql(f"select distinct {column} from {table}").scalars()
            assert set(kinds) <= set(found), (table, column)


def test_each_step_up_and_down_keeps_every_row(engine: Engine) -> None:
    seen = {"0001": kept(engine)}
    gone: set[tuple[str, str]] = set()
    for revision in REVISIONS[1:]:
        gone |= GIVEN_UP.get(revision, set())
        migrate.upgrade(engine, revision)
        for columns, rows in seen.values():
            left = {table: [each for each in names if (table, each) not in gone] for table, names in columns.items()}
            now = kept(engine, left)[1]
            whole = {table for table in columns if left[table] == columns[table]}
            assert {table: now[table] for table in whole} == {table: rows[table] for table in whole}
            assert {table: len(found) for table, found in now.items()} == {table: len(rows[table]) for table in rows}
        seen[revision] = kept(engine)
    assert migrate.differences(engine) == []
    with reading(engine) as conn:
        assert check(conn) == []
    for revision in reversed(REVISIONS[:-1]):
        migrate.downgrade(engine, revision)
        assert kept(engine) == seen[revision]
    for revision in REVISIONS[1:]:
        migrate.upgrade(engine, revision)
        assert kept(engine) == seen[revision]


class Story:
    """The people of that world, today."""

    def __init__(self, engine: Engine, story: dict[str, Any]) -> None:
        self.story = story
        self.world = World(engine, now=datetime.fromisoformat(story["now"]))
        self.chats: dict[str, Chat] = {}

    def __getitem__(self, name: str) -> Chat:
        if name not in self.chats:
            account, address = self.story[name][:2]
            profile = PROFILES["web" if account == "web" else "full"]
            self.chats[name] = Chat(self.world, account, address, profile, acts=1000)
        return self.chats[name]

    def code(self, name: str) -> str:
        return str(self.story[name][2])

    def status(self, name: str) -> str:
        with self.world.read() as conn:
            row = assessments.by_code(conn, self.code(name))
            assert row is not None
            return row.status


def go_on(story: Story) -> None:
    """Everybody takes up what they had begun with the old program."""
    world = story.world
    draft = story["draft"].types("/hoso").presses("go_on").sees("Câu 6/10").presses("back").sees("1 đường dẫn")
    draft.types("/hoso").presses("go_on")
    for _n in range(5):
        draft.presses("dat")
    draft.presses("hand_in").presses("submit").sees("Mã hồ sơ")

    returned = story["returned"].types("/hoso").sees("Ảnh mờ, xin chụp lại").presses("mend:B2")
    returned.presses("evidence").sends("clear").sees("Đã nhận 1 ảnh cho câu 6").presses("Xong").sees("Câu 9/10")
    returned.presses("evidence").types("Chi hội đã ghi nhận ở buổi họp tháng 9").presses("Xong")
    returned.presses("hand_in").presses("submit").sees("Mã hồ sơ")
    assert story.status("returned") == "submitted"

    story["registered"].types("/hoso").sees("Status: registered")  # in English still
    story["provisional"].does(Pressed("yes")).presses("agree").types("Võ Văn Mới").types("1961").presses("skip")
    story["provisional"].presses("ong_ba").presses("nong_dan").presses("start").sees("Câu 1/10")
    story["withdrawn"].types("/hoso").presses("start").sees("Câu 1/10")
    story["web_citizen"].types("/hoso").presses("go_on").presses("dat").sees("Câu 3/10")
    with world.read() as conn:
        assert len(conversations.history(conn, "web", story["web_citizen"].address)) > 10

    story["officer"].types("/queue").sees("Nguyễn Văn submitted", "Nguyễn Văn undone", "Lê Thị Nháp")
    story["officer"].types(f"/duyet {story.code('submitted')}").sees("cán bộ xét 82/100").presses("approve")
    story["supervisor"].types(f"/duyet {story.code('undone')}").presses("approve")
    world.passes(seconds=61)
    for name in ("due", "submitted", "undone"):
        assert story.status(name) == "approved"
        story[name].heard("đã đạt")
    world.recounted()


def newer(story: Story) -> None:
    """What the old tables cannot tell: a picture on its way, an album, a request about one's data."""
    draft = story["withdrawn"]
    draft.presses("kha").presses("tot").sends_files("b", album="of-two").types("/hoso")
    story["approved"].types("/dulieu").presses("export")
    with story.world.read() as conn:
        for table in ("arrivals", "albums", "privacy_requests"):
            assert conn.exec_driver_sql(f"select count(*) from {table}").scalar(), table


def test_the_program_goes_on_with_what_was_written_and_again_after_a_way_down_and_up(
    engine: Engine, written: dict[str, Any]
) -> None:
    of_0001, _rows = kept(engine)
    migrate.upgrade(engine)
    story = Story(engine, written["story"])
    go_on(story)
    newer(story)
    _columns, before = kept(engine, of_0001)
    migrate.downgrade(engine, "0001")
    _columns, after = kept(engine, of_0001)
    # A picture still on its way cannot be told there; everything else stays.
    assert after.pop("evidence") == [row for row in before.pop("evidence") if "'arriving'" not in row]
    assert after == before
    migrate.upgrade(engine)
    with reading(engine) as conn:
        assert check(conn) == []
    # The picture that went is asked for again.
    story["withdrawn"].types("/hoso").presses("go_on").sees("Minh chứng cho câu 2").sends("c").sees("Câu 3/10")
    story["officer"].types("/queue").sees("Nguyễn Văn returned", "Lê Thị Nháp")
    story["officer"].types(f"/tralai {story.code('returned')}").presses("mark:A1").presses("reasons")
    story["officer"].presses("Ảnh mờ, xin chụp lại").presses("return")
    assert story.status("returned") == "returned"
    story.world.recounted()
