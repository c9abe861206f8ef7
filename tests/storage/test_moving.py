"""A database moved to the other kind and back is the same database; whatever is wrong leaves the target empty."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from storage import conversations, erasure, migrate, moving, recount
from storage import people as people_module
from storage.base import Connection, Refused
from storage.engine import Engine, open_engine, reading, writing
from storage.moving import Fingerprint, Shape, move, read_rows, shapes, write_rows
from storage.people import people
from storage.tables import metadata
from storage.units import Unit, table_of
from tests.storage.test_lifecycle import COMMUNE, NOW, join, officer, submitted

pytestmark = pytest.mark.postgres


def nothing(*_: object) -> None:
    pass


def settled(engine: Engine) -> None:
    """A small database with a bit of everything; a unit that stands before its parent."""
    migrate.upgrade(engine)
    units = table_of(Unit)
    with writing(engine) as conn:
        for id, code, level, parent, path, name, kind in (
            (9, "VN", 0, None, "VN/", "Trung ương Hội", "trung_uong"),
            (8, "22", 1, 9, "VN/22/", "Thành phố Quảng Ninh", "thanh_pho"),
            (COMMUNE, "06685", 2, 8, "VN/22/06685/", "Phường Hồng Gai ✓ 'x' \\ \"y\"", "phuong"),
        ):
            conn.execute(
                sa.insert(units).values(
                    id=id, vintage="2025", code=code, level=level, parent_id=parent, path=path, name=name, kind=kind,
                    folded=name.lower(), valid_from=date(2025, 7, 1),
                )
            )  # fmt: skip
        officer(conn)
        for _ in range(3):
            submitted(conn)


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def content(engine: Engine) -> dict[str, tuple[int, str]]:
    found = {}
    with reading(engine) as conn:
        for shape in shapes():
            mark = Fingerprint()
            for part in read_rows(conn, shape, 2):
                mark.add(part)
            found[shape.name] = (mark.rows, mark.hash)
    return found


@pytest.fixture(params=["sqlite", "postgres"])
def ways(request: pytest.FixtureRequest, sqlite_url: str, postgres_database: str) -> tuple[str, str]:
    """From where to where: SQLite to PostgreSQL, and back."""
    return (sqlite_url, postgres_database) if request.param == "sqlite" else (postgres_database, sqlite_url)


def test_a_database_moves_whole_and_goes_on_numbering(ways: tuple[str, str]) -> None:
    here, there = ways
    with opened(here) as engine:
        settled(engine)
        before = content(engine)
    told: list[Any] = []
    with opened(there) as engine:
        moved = move(here, engine, lambda *said: told.append(said))
        assert content(engine) == before
        assert {each.table: (each.rows, each.hash) for each in moved} == before
        assert sum(each.rows for each in moved) > 20
        assert told[-1] == ("", len(moved), len(moved))
        with writing(engine) as conn:
            assert recount.check(conn) == []
            submitted(conn)  # new numbers do not collide with those that came
            assert recount.check(conn) == []
    with opened(here) as engine:
        assert content(engine) == before


def test_a_number_given_before_the_move_is_not_given_again(ways: tuple[str, str]) -> None:
    here, there = ways
    with opened(here) as engine:
        settled(engine)
        with writing(engine) as conn:
            contact = people_module.meet(conn, "web", "a", NOW)
            lines = [conversations.keep_message(conn, contact, "in", "{}", NOW) for _n in range(3)]
            conversations.erase_history(conn, contact)
            person = conn.execute(sa.select(sa.func.max(people.c.id))).scalar() or 0
            newest = people_module.person(conn, person)
            assert newest is not None
            erasure.erase_person(conn, newest, "test", NOW)
            erasure.forget_contact(conn, contact, NOW)
    with opened(there) as engine:
        move(here, engine, nothing)
        with writing(engine) as conn:
            assert people_module.meet(conn, "web", "b", NOW) == contact + 1
            assert conversations.keep_message(conn, contact + 1, "in", "{}", NOW) == lines[-1] + 1
            assert join(conn).id == person + 1


def test_a_target_that_is_not_empty_is_refused(ways: tuple[str, str]) -> None:
    here, there = ways
    for url in ways:
        with opened(url) as engine:
            settled(engine)
    with opened(there) as engine:
        before = content(engine)
        with pytest.raises(Refused, match="target_not_empty"):
            move(here, engine, nothing)
        assert content(engine) == before


def test_while_somebody_has_the_source_open_nothing_moves(ways: tuple[str, str]) -> None:
    here, there = ways
    with opened(here) as running, opened(there) as engine:
        settled(running)
        with running.connect(), pytest.raises(Refused, match="database_in_use"):
            move(here, engine, nothing)
        assert moving.is_empty(engine)
        running.dispose()
        move(here, engine, nothing)


def test_while_it_moves_nobody_writes(ways: tuple[str, str]) -> None:
    here, there = ways
    with opened(here) as engine:
        settled(engine)
    tried: list[str] = []

    def write() -> None:
        late = sa.create_engine(
            here, connect_args={"timeout": 0.1} if here.startswith("sqlite") else {"options": "-c lock_timeout=100"}
        )
        try:
            with late.begin() as conn:
                conn.execute(sa.update(people).values(name="x"))
        except sa.exc.OperationalError as error:
            tried.append(type(error).__name__)
        late.dispose()

    def tell(table: str, *_: int) -> None:
        if table == "people":
            thread = threading.Thread(target=write)
            thread.start()
            thread.join(10)

    with opened(there) as engine:
        move(here, engine, tell)
    assert tried == ["OperationalError"]


def test_an_error_leaves_the_target_empty(ways: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = ways
    with opened(here) as engine:
        settled(engine)
    original = moving.write_rows

    def broken(conn: Connection, shape: Shape, parts: Iterator[list[Any]]) -> None:
        if shape.name == "answers":
            raise OSError("the cable")
        original(conn, shape, parts)

    with opened(there) as engine:
        monkeypatch.setattr(moving, "write_rows", broken)
        with pytest.raises(OSError, match="the cable"):
            move(here, engine, nothing)
        assert moving.is_empty(engine)
        monkeypatch.setattr(moving, "write_rows", original)
        move(here, engine, nothing)


def test_a_changed_value_is_a_difference(ways: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = ways
    with opened(here) as engine:
        settled(engine)
    original = moving.write_rows

    def careless(conn: Connection, shape: Shape, parts: Iterator[list[Any]]) -> None:
        original(conn, shape, parts)
        if shape.name == "people":
            conn.execute(sa.update(people).values(birth_year=1961).where(people.c.id == 2))

    monkeypatch.setattr(moving, "write_rows", careless)
    with opened(there) as engine:
        with pytest.raises(Refused, match="move_differs") as refused:
            move(here, engine, nothing)
        assert refused.value.facts == {"table": "people"}
        assert moving.is_empty(engine)


def test_a_row_whose_parent_is_nowhere_is_refused(sqlite_url: str) -> None:
    with opened(sqlite_url) as engine:
        migrate.upgrade(engine)
        shape = next(shape for shape in shapes() if shape.name == "units")
        with pytest.raises(Refused, match="rows_point_nowhere"), writing(engine) as conn:
            row = [5 if name == "parent_id" else 1 if name == "id" else None for name in shape.columns]
            write_rows(conn, shape, iter([[row]]))


def test_every_table_travels_after_those_that_it_points_at() -> None:
    seen: set[str] = set()
    by_name = {shape.name: shape for shape in shapes()}
    assert by_name.keys() == metadata.tables.keys()
    for name in by_name:
        for key in metadata.tables[name].foreign_keys:
            assert key.column.table.name in seen | {name}
        seen.add(name)


def test_the_fingerprint_knows_content_not_order() -> None:
    def of(*rows: list[Any]) -> str:
        mark = Fingerprint()
        mark.add(list(rows))
        return mark.hash

    one, two = [1, "a", None], [2, "b", {"x": 1, "y": 2}]
    assert of(one, two) == of(two, [1, "a", None])
    assert of(one, two) != of(one, [2, "b", {"x": 1, "y": 3}])
    assert of(one, one) != of(two, two)
    assert of([2, "b", {"y": 2, "x": 1}], one) == of(one, two)
    assert len(of()) == 64


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="unable to open"), moving.alone(f"sqlite:///{tmp_path}/no.sqlite"):
        pass
    assert list(tmp_path.iterdir()) == []
