"""Lists that were imported under revision 0004: after the upgrade they are the same lists of the same people."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from storage import claims, counters, identity, imported, imports, migrate, titles
from storage.base import Connection
from storage.engine import open_engine, writing
from storage.gazetteer import spelling
from storage.recount import check
from tests.support.lists import DIGEST, HONG_GAI, NOW, OTHER, RING, count, keyed, listed, recognised
from tests.support.units import few_units

WHO = ("Nguyễn Văn Hùng", "Trần Thị Lan", "Lê Văn Bình")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Of a file with four rows: one with a phone only, one with a year of birth, one confirmed, one erased."""
    made = open_engine(database_url)
    migrate.upgrade(made, "0004")
    with writing(made) as conn:
        few_units(conn)
        _written_by_0004(conn)
    migrate.upgrade(made)
    with writing(made) as conn:
        keyed(conn)
    yield made
    made.dispose()


def _written_by_0004(conn: Connection) -> None:
    tables = sa.MetaData()
    tables.reflect(conn)

    def put(table: str, /, **values: object) -> None:
        conn.execute(sa.insert(tables.tables[table]).values(**values))

    put("import_runs", id=1, digest=DIGEST, file="list.xlsx", source="cũ", state="done", by="cli", began_at=NOW)
    put("people", id=1, unit_id=HONG_GAI, name=WHO[2], form="ong_ba", birth_year=1950,
        subject_group="nong_dan", joined_at=NOW)  # fmt: skip
    for n, (name, born, phone) in enumerate(zip(WHO, (None, 1960, 1950), ("0912000001", None, None), strict=True), 1):
        person = 1 if n == 3 else None
        put("imported_people", id=n, unit_id=HONG_GAI, name=name, name_key=spelling(name), birth_year=born,
            phone=phone, subject_group="nong_dan", person_id=person, made_at=NOW)  # fmt: skip
        put("titles", id=n, imported_id=None if person else n, person_id=person, year=2024, unit_id=HONG_GAI,
            counted_id=HONG_GAI, subject_group="nong_dan", source="import", run_id=1, made_at=NOW)  # fmt: skip
        put("import_rows", run_id=1, row=n, imported_id=n, title_id=n, made=True)
        counters.shift(
            conn, assessment_id=-n, unit_id=HONG_GAI, year=2024, subject_group="nong_dan", before=None,
            after="recognised", why="import", now=NOW,
        )  # fmt: skip
    put("import_rows", run_id=1, row=4, imported_id=None, title_id=None, made=True)
    if conn.dialect.name == "postgresql":
        for name in ("import_runs", "imported_people", "titles", "people"):
            conn.exec_driver_sql(f"select setval(pg_get_serial_sequence('{name}', 'id'), 10)")


def _again(conn: Connection, of_file: str = DIGEST, *names: str) -> list[str]:
    key = imports.key_of(of_file, "Danh sách")
    run = imports.begin(conn, key, "list.xlsx", "cũ", "cli", NOW, sheet="Danh sách", of_file=of_file)
    rows = [listed(n, name, birth_year=None, phone="0912000001") for n, name in enumerate(names, 1)]
    return [verdict for _row, verdict in imports.take(conn, run, rows, NOW, RING, seconds=60)]


def test_the_same_file_is_the_same_list(engine: Engine) -> None:
    with writing(engine) as conn:
        assert _again(conn, DIGEST, *WHO, "Phạm Văn Xóa") == ["again"] * 4
        assert (len(imports.listing(conn)), recognised(conn), check(conn)) == (1, 3, [])
        assert _again(conn, DIGEST, WHO[0], "Người Ở Trang Khác") == ["again", "changed"]  # another sheet of that file
        assert _again(conn, OTHER, "Người Mới") == ["new"]


def test_a_confirmation_of_then_is_taken_back_whole(engine: Engine) -> None:
    with writing(engine) as conn:
        assert [each.listed_id for each in titles.of_person(conn, 1)] == [3]
        assert claims.unclaim(conn, 3, "cli", NOW) == 1
        assert (titles.of_person(conn, 1), [each.year for each in titles.of_imported(conn, 3)]) == ([], [2024])


def test_who_is_erased_stays_away_once_the_years_are_marked(engine: Engine) -> None:
    with writing(engine) as conn:
        assert imported.unmarked(conn, 0, 10) == [2, 3]
        for _again_too in range(2):
            imports.keep_marks(conn, RING, [1, 2, 3, 99])
        assert (imported.unmarked(conn, 0, 10), count(conn, identity.imported_marks)) == ([], 2)
        imported.forget(conn, 2, "cli", NOW)
        run = imports.begin(conn, OTHER, "list.xlsx", "mới", "cli", NOW)
        row = listed(1, WHO[1], 2023, birth_year=1960)
        assert imports.take(conn, run, [row], NOW, RING) == [(1, "forgotten")]
