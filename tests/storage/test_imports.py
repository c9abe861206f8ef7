"""Runs of imported lists: a row once, to the end or back whatever happens meanwhile, titles counted."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from storage import audit, claims, counters, erasure, identity, imported, imports, people, titles
from storage.assessments import register
from storage.base import Connection, Refused
from storage.engine import reading, writing
from storage.recount import check
from tests.support.lists import (
    CHI_HOI,
    DIGEST,
    HA_LONG,
    HONG_GAI,
    NOW,
    OTHER,
    RING,
    count,
    joined,
    keyed,
    keys,
    listed,
    recognised,
    take,
    undo,
)


def test_the_same_rows_again_change_nothing(database: Engine) -> None:
    rows = [listed(5), listed(6, "Trần Thị Mẫu"), listed(7, "Lê Văn Không Danh Hiệu", None)]
    with writing(database) as conn:
        assert take(conn, rows) == ["new"] * 3
    for _again in range(2):
        with writing(database) as conn:
            assert take(conn, rows) == ["again"] * 3
            assert (count(conn, imported.imported_people), count(conn, titles.titles)) == (3, 2)
            assert recognised(conn) == 2
            assert check(conn) == []
    with writing(database) as conn:  # mended and saved anew, it is another file with the same people
        assert take(conn, [*rows, listed(8, year=2023)], OTHER) == ["known", "known", "known", "added"]
        assert (recognised(conn), recognised(conn, year=2023), check(conn)) == (2, 1, [])


def test_a_batch_ends_when_its_time_is_up_and_takes_one_at_least(database: Engine) -> None:
    with writing(database) as conn:
        run = imports.begin(conn, DIGEST, "list.xlsx", "trước", "cli", NOW)
        keyed(conn)
        rows = [listed(n, f"Nguyễn Văn {chr(65 + n)}") for n in range(20)]
        assert imports.take(conn, run, rows, NOW, RING, seconds=0) == [(0, "new")]
        assert len(imports.take(conn, run, rows, NOW, RING, seconds=60)) == 20


def test_the_schema_holds_what_a_title_is(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1)])
        person = joined(conn)
    for change in ({"person_id": person.id}, {"imported_id": None}, {"year": 1999}, {"run_id": None}):
        with pytest.raises(sa.exc.IntegrityError), writing(database) as conn:
            conn.execute(sa.update(titles.titles).values(**change))


ACT = st.one_of(
    st.tuples(st.just("take"), st.integers(0, 5), st.integers(0, 3), st.integers(2021, 2024), st.integers(0, 2)),
    st.tuples(st.sampled_from(["claim", "unclaim", "forget", "erase", "undo", "undo", "step", "step", "whole"]),
              st.integers(0, 9)),
)  # fmt: skip
NAMES = [f"Nguyễn Văn {letter}" for letter in "ABCD"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ACT, max_size=30))
def test_counts_hold_whatever_happens_and_who_was_erased_stays_away(database: Engine, acts: list[Any]) -> None:
    with writing(database) as conn:
        for table in (imports.import_rows, titles.titles, claims.imported_claims, imported.imported_people,
                      identity.imported_marks, imports.runs, counters.counters, counters.ledger):  # fmt: skip
            conn.execute(sa.delete(table))
        gone: set[str] = set()
        for act in acts:
            _play(conn, act, gone)
            assert check(conn) == []
            assert not gone & {each.name for each in imported.of_unit(conn, "VN/")}
        held = conn.execute(
            sa.select(titles.titles.c.counted_id, titles.titles.c.year, sa.func.count())
            .where(titles.titles.c.counted)
            .group_by(titles.titles.c.counted_id, titles.titles.c.year)
        ).all()
        for unit, year, n in held:
            assert recognised(conn, unit, year) == n
        # No title counts twice for one person, and nothing stands in the way of taking everything back.
        twice = sa.select(titles.titles.c.person_id, titles.titles.c.year).where(titles.titles.c.person_id.is_not(None))
        assert len(set(conn.execute(twice).all())) == len(conn.execute(twice).all())
        for run in imports.listing(conn):
            if any(imported.by_id(conn, row.imported_id) for row in _lines(conn, run.id)):
                undo(conn, run.id, confirmed=True)
        assert (count(conn, imported.imported_people), count(conn, titles.titles), check(conn)) == (0, 0, [])


def _lines(conn: Connection, run_id: int) -> list[Any]:
    rows = imports.import_rows
    return list(conn.execute(sa.select(rows).where(rows.c.run_id == run_id, rows.c.imported_id.is_not(None))))


def _play(conn: Connection, act: Any, gone: set[str]) -> None:
    if act[0] == "take":
        _verb, row, who, year, file = act
        try:
            take(conn, [replace(listed(row, NAMES[who], year), phone=f"091200000{who}")], "abc"[file] * 64)
        except Refused as refused:
            assert refused.code == "import_undoing"
        return
    verb, n = act
    if verb in ("undo", "step", "whole"):
        _play_undo(conn, verb, n)
        return
    known = imported.of_unit(conn, "VN/")
    if not known:
        return
    one = known[n % len(known)]
    if verb == "forget" and one.person_id is None:
        imported.forget(conn, one.id, "cli", NOW)
        gone.add(one.name)
    elif verb == "claim" and one.person_id is None:
        claims.claim(conn, one.id, joined(conn, one.name), "officer:1", NOW)
    elif verb == "unclaim" and one.person_id is not None:
        claims.unclaim(conn, one.id, "cli", NOW)
    elif verb == "erase" and one.person_id is not None:
        person = people.person(conn, one.person_id)
        assert person is not None
        gone |= {each.name for each in imported.of_person(conn, person.id)}
        erasure.erase_person(conn, person, "test", NOW)


def _play_undo(conn: Connection, verb: str, n: int) -> None:
    """An undo begun, a piece of one (rows of other lists come between), or a whole one."""
    runs = imports.listing(conn)
    if not runs:
        return
    run = runs[n % len(runs)]
    if verb == "step":
        imports.undo_step(conn, run.id, "cli", NOW, n % 3, confirmed=n % 2 == 1)
        return
    try:
        imports.undo(conn, run.id, "cli", NOW)
    except Refused as refused:
        assert refused.code == "import_undone"
    else:
        if verb == "whole":
            undo(conn, run.id)


def test_nothing_is_left_of_a_transaction_that_broke(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError

    with writing(database) as conn:
        run = imports.begin(conn, DIGEST, "list.xlsx", "trước", "cli", NOW)
    monkeypatch.setattr(imports.titles, "add_imported", broken)
    with pytest.raises(RuntimeError), writing(database) as conn:
        imports.take(conn, run, [listed(1)], NOW, keyed(conn))
    with reading(database) as conn:
        assert count(conn, imported.imported_people) == 0


# ------------------------------------------------------------------------------------------ runs


def test_every_sheet_is_a_list_of_its_own() -> None:
    found = {imports.key_of(digest, sheet) for digest in (DIGEST, OTHER) for sheet in ("", "Xã A", "Xã B")}
    assert len(found) == 6 and all(len(each) == 64 for each in found)


def test_a_run_keeps_its_sheet_and_its_ground(database: Engine) -> None:
    with writing(database) as conn:
        imports.begin(
            conn, DIGEST, "a.xlsx", "trước", "cli", NOW, sheet="Xã A", basis="Kế hoạch 12, bà Lan, 01/09/2026"
        )
        (run,) = imports.listing(conn)
        assert (run.sheet, run.basis) == ("Xã A", "Kế hoạch 12, bà Lan, 01/09/2026")
        facts = conn.execute(
            sa.select(audit.audit.c.details).where(audit.audit.c.action == "import.begin")
        ).scalar_one()
        assert "Kế hoạch 12" in str(facts)


def test_a_run_that_is_done_stays_so_while_nothing_is_taken(database: Engine) -> None:
    def state() -> str:
        with reading(database) as conn:
            return imports.listing(conn)[0].state

    with writing(database) as conn:
        take(conn, [listed(1)])
    with writing(database) as conn:
        run = imports.begin(conn, DIGEST, "list.xlsx", "trước", "cli", NOW)
        assert imports.take(conn, run, [listed(1)], NOW, RING) == [(1, "again")]
    assert state() == "done"
    with writing(database) as conn:
        assert imports.take(conn, run, [listed(2, "Trần Thị Mẫu")], NOW, RING) == [(2, "new")]
    assert state() == "running"
    with writing(database) as conn:
        imports.end(conn, run, "cli", NOW)
        actions = conn.execute(sa.select(audit.audit.c.action).order_by(audit.audit.c.id)).scalars().all()
    assert [each for each in actions if each.startswith("import.")] == ["import.begin", "import.end"] * 2


def test_a_run_that_is_being_taken_back_is_not_ended(database: Engine) -> None:
    """Begun between the last batch and the end."""
    with writing(database) as conn:
        run = imports.begin(conn, DIGEST, "list.xlsx", "trước", "cli", NOW)
        imports.take(conn, run, [listed(1)], NOW, keyed(conn))
        imports.undo(conn, run, "cli", NOW)
        with pytest.raises(Refused, match="import_stopped"):
            imports.end(conn, run, "cli", NOW)
        assert imports.listing(conn)[0].state == "undoing"
        undo(conn, run)
        with pytest.raises(Refused, match="import_stopped"):
            imports.end(conn, run, "cli", NOW)


@pytest.mark.parametrize(
    "mended", [{"year": 2023}, {"year": None}, {"unit_id": HA_LONG}, {"subject_group": "cong_nhan_lao_dong"}]
)
def test_a_row_that_reads_otherwise_now_is_told(database: Engine, mended: dict[str, Any]) -> None:
    with writing(database) as conn:
        take(conn, [listed(1), listed(2, "Trần Thị Mẫu")])
        assert take(conn, [listed(1, **mended), listed(2, "Trần Thị Mẫu")]) == ["changed", "again"]
        assert recognised(conn) == 2
        undo(conn, 1)
        assert take(conn, [listed(1, **mended)]) == ["new"]


@pytest.mark.parametrize(("at_list", "of_citizen"), [(HONG_GAI, CHI_HOI), (CHI_HOI, HONG_GAI), (HONG_GAI, HONG_GAI)])
def test_a_year_that_was_worked_in_the_commune_is_refused(database: Engine, at_list: int, of_citizen: int) -> None:
    with writing(database) as conn:
        register(conn, joined(conn, "Lê Văn Thử", of_citizen), 2024, "cdht", "1", NOW)
        rows = [listed(1, unit_id=at_list), listed(2, unit_id=at_list, year=2023), listed(3, unit_id=HA_LONG)]
        assert take(conn, rows) == ["ours", "new", "new"]


# ------------------------------------------------------------------------------------------ taking back


def test_a_run_is_taken_back_whole_and_can_come_again(database: Engine) -> None:
    rows = [listed(n, f"Nguyễn Văn {chr(65 + n)}") for n in range(25)] + [listed(30, "Nguyễn Văn A", 2023)]
    with writing(database) as conn:
        take(conn, rows)
        run = imports.run_of(conn, DIGEST)
        assert run is not None and (run.state, run.rows) == ("done", 26)
        imports.undo(conn, run.id, "cli", NOW)
        with pytest.raises(Refused, match="import_undoing"):
            imports.begin(conn, DIGEST, "list.xlsx", "trước", "cli", NOW)
        with pytest.raises(Refused, match="import_stopped"):
            imports.take(conn, run.id, rows, NOW, RING)
        step = imports.undo_step(conn, run.id, "cli", NOW)
        assert (step.rows, step.after) == (26, None)
        for table in (imported.imported_people, imports.import_rows, titles.titles, identity.imported_marks):
            assert count(conn, table) == 0
        assert (recognised(conn), check(conn)) == (0, [])
        with pytest.raises(Refused, match="import_undone"):
            imports.undo(conn, run.id, "cli", NOW)
        with pytest.raises(Refused, match="import_unknown"):
            imports.undo(conn, 99, "cli", NOW)
        assert set(take(conn, rows)) == {"new", "added"}
        assert check(conn) == []


def test_one_confirmed_and_one_erased_keep_nobody_else(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1), listed(2, "Trần Thị Mẫu"), listed(3, "Lê Văn Xóa"), listed(4, "Phạm Văn Bốn")])
        person = joined(conn)
        (match,) = claims.matches(conn, person, keys)
        claims.claim(conn, match.imported.id, person, "officer:1", NOW)
        (erased,) = imported.of_unit(conn, "VN/", "Lê Văn Xóa")
        imported.forget(conn, erased.id, "cli", NOW)
        assert undo(conn, 1) == imports.Undone(2, None, (match.imported.id,))
        assert [each.name for each in imported.of_unit(conn, "VN/")] == ["Nguyễn Văn Hùng"]
        assert (recognised(conn), check(conn)) == (1, [])
        assert undo(conn, 1, confirmed=True) == imports.Undone(1, None)
        assert (count(conn, imported.imported_people), recognised(conn), check(conn)) == (0, 0, [])
        assert take(conn, [listed(1), listed(3, "Lê Văn Xóa")]) == ["new", "again"]


def test_whom_another_list_has_too_stays_with_that_one(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1), listed(2, "Trần Thị Mẫu"), listed(3, year=2022)])
        assert take(conn, [listed(1, year=2023), listed(2), listed(3, "Trần Thị Mẫu", None)], OTHER) == [
            "added", "known", "known",
        ]  # fmt: skip
        assert undo(conn, 1) == imports.Undone(3, None, (), 2)
        assert {
            (each.name, *(title.year for title in imported.titles_of(conn, each)))
            for each in imported.of_unit(conn, "VN/")
        } == {("Nguyễn Văn Hùng", 2023, 2024), ("Trần Thị Mẫu",)}
        assert check(conn) == []
        assert undo(conn, 2) == imports.Undone(3, None)
        assert (count(conn, imported.imported_people), count(conn, titles.titles), check(conn)) == (0, 0, [])


def test_a_list_that_comes_while_another_is_taken_back(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two pieces, or where one was cut off, its people are found by another list: nothing gets stuck."""
    monkeypatch.setattr(imports, "UNDONE_AT_ONCE", 2)
    with writing(database) as conn:
        rows = [listed(n, f"Nguyễn Văn {chr(65 + n)}") for n in range(5)]
        take(conn, rows)
        imports.undo(conn, 1, "cli", NOW)
        assert imports.undo_step(conn, 1, "cli", NOW).after == 1
        assert take(conn, [replace(each, title=None) for each in rows], OTHER) == ["new"] * 2 + ["known"] * 3
    with writing(database) as conn:  # killed meanwhile: again from the beginning
        assert undo(conn, 1).after is None
        assert [each.state for each in imports.listing(conn)] == ["undone", "done"]
        assert (count(conn, imported.imported_people), count(conn, titles.titles), check(conn)) == (5, 0, [])


def test_two_lists_at_once_make_nobody_twice(database: Engine) -> None:
    with writing(database) as conn:
        keyed(conn)
        runs = [imports.begin(conn, digest, "list.xlsx", "trước", "cli", NOW) for digest in (DIGEST, OTHER)]
    rows = [listed(n, f"Nguyễn Văn {chr(65 + n)}") for n in range(20)]
    told: list[str] = []

    def importing(run: int) -> None:
        for row in rows:
            with writing(database) as conn:
                told.extend(verdict for _row, verdict in imports.take(conn, run, [row], NOW, RING))

    threads = [threading.Thread(target=importing, args=(run,)) for run in runs]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(told) == ["known"] * 20 + ["new"] * 20
    with reading(database) as conn:
        assert (count(conn, imported.imported_people), check(conn)) == (20, [])
