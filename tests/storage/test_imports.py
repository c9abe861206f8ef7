"""Imported lists: a row once, a run to the end or back, people told apart, titles counted, nobody left behind."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from storage import counters, erasure, identity, imports, people, retention, titles
from storage.base import Connection, Refused
from storage.engine import reading, writing
from storage.housekeeping import Keep
from storage.identity import Key, KeyRing
from storage.imports import Imported, Listed, Past
from storage.recount import check

NOW = datetime(2026, 10, 5, 2, 0, tzinfo=UTC)
DIGEST, OTHER = "a" * 64, "b" * 64
HONG_GAI, HA_LONG, CHI_HOI = 3, 4, 5
RING = KeyRing((Key("VN-1", 1, secrets.token_bytes(32)),))


def listed(row: int, name: str = "Nguyễn Văn Hùng", year: int | None = 2024, **other: Any) -> Listed:
    facts = {
        "unit_id": HONG_GAI, "birth_year": 1957, "phone": None, "number": None, "subject_group": "nong_dan",
        **other,
    }  # fmt: skip
    past = Past(year, facts["unit_id"], "12/QĐ-HKH", date(2024, 12, 20)) if year else None
    return Listed(row=row, name=name, title=past, **facts)


def take(conn: Connection, rows: list[Listed], digest: str = DIGEST) -> list[str]:
    run = imports.begin(conn, digest, "list.xlsx", "phần mềm trước", "cli", NOW)
    found = []
    while rows:
        done = imports.take(conn, run, rows, NOW)
        found += [verdict for _row, verdict in done]
        rows = rows[len(done) :]
    imports.end(conn, run, "cli", NOW)
    return found


def recognised(conn: Connection, unit: int = HONG_GAI, year: int = 2024) -> int:
    return sum(n for (_group, status), n in counters.own(conn, unit, year).items() if status == titles.RECOGNISED)


def count(conn: Connection, table: sa.Table) -> int:
    return int(conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def joined(conn: Connection, name: str = "Nguyễn Văn Hùng", unit: int = HONG_GAI, **other: Any) -> people.PersonRow:
    contact = people.meet(conn, "test", secrets.token_hex(8), NOW)
    people.consent(conn, contact, unit, "1", "Hội", NOW)
    facts = {"birth_year": 1957, "phone": None, **other}
    return people.join(
        conn, contact, unit_id=unit, name=name, form="ong_ba", subject_group="nong_dan", now=NOW, **facts
    )


def traced(conn: Connection, number: str, ring: KeyRing = RING) -> identity.Traces:
    for key in ring.keys:
        if key.id not in {known.id for known in identity.known_keys(conn)}:
            identity.register(conn, key, NOW)
    return identity.traces(ring, number)


def test_the_same_rows_again_change_nothing(database: Engine) -> None:
    rows = [listed(5), listed(6, "Trần Thị Mẫu"), listed(7, "Lê Văn Không Danh Hiệu", None)]
    with writing(database) as conn:
        assert take(conn, rows) == ["new"] * 3
    for _again in range(2):
        with writing(database) as conn:
            assert take(conn, rows) == ["again"] * 3
            assert (count(conn, imports.imported_people), count(conn, titles.titles)) == (3, 2)
            assert recognised(conn) == 2
            assert check(conn) == []
    with writing(database) as conn:  # mended and saved anew, it is another file with the same people
        assert take(conn, [*rows, listed(8, year=2023)], OTHER) == ["known", "known", "known", "added"]
        assert (recognised(conn), recognised(conn, year=2023), check(conn)) == (2, 1, [])


def test_a_batch_ends_when_its_time_is_up_and_takes_one_at_least(database: Engine) -> None:
    with writing(database) as conn:
        run = imports.begin(conn, DIGEST, "list.xlsx", "trước", "cli", NOW)
        rows = [listed(n, f"Nguyễn Văn {chr(65 + n)}") for n in range(20)]
        assert imports.take(conn, run, rows, NOW, seconds=0) == [(0, "new")]
        assert len(imports.take(conn, run, rows, NOW, seconds=60)) == 20


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({}, {}, "added"),
        ({"name": "nguyễn  văn HÙNG"}, {}, "added"),
        ({"name": "Nguyễn Thị Hoà"}, {"name": "Nguyễn Thị Hòa"}, "added"),
        ({"name": "Nguyễn Thị Lan"}, {"name": "Nguyễn Thị Lân"}, "new"),
        ({}, {"birth_year": 1958}, "new"),
        ({}, {"unit_id": HA_LONG}, "new"),
        ({"phone": "0912000001"}, {"phone": "0912000002"}, "new"),
        ({"phone": "0912000001"}, {}, "added"),
        ({"phone": "0912000001"}, {"phone": "0912000001", "birth_year": None}, "added"),
        ({"phone": "0912000001", "birth_year": None}, {}, "new"),
    ],
)
def test_who_is_the_same_and_who_is_not(database: Engine, one: Any, other: Any, expected: str) -> None:
    with writing(database) as conn:
        assert take(conn, [listed(1, year=2023, **one), listed(2, **other)]) == ["new", expected]


def test_an_id_number_tells_people_apart_and_is_kept_as_a_hash(database: Engine) -> None:
    with writing(database) as conn:
        first, second = traced(conn, "022057000001"), traced(conn, "022057000002")
        rows = [
            listed(1, year=2022, number=first),
            listed(2, year=2023, number=first, unit_id=HA_LONG),  # moved, and the same all the same
            listed(3, year=2024, number=second),
            listed(4, "Trần Thị Mẫu", number=first),
        ]
        assert take(conn, rows) == ["new", "added", "new", "taken"]
        kept = conn.execute(sa.select(identity.imported_identities)).all()
        assert [each.last4 for each in kept] == ["0001", "0002"]
        assert not any("022057000001" in str(each) for each in kept)
        assert "022057000001" not in repr(rows)
        assert identity.any_kept(conn)


def test_a_number_is_found_again_after_the_key_was_rotated(database: Engine) -> None:
    second = KeyRing((*RING.keys, Key("VN-2", 2, secrets.token_bytes(32))))
    with writing(database) as conn:
        person = joined(conn)
        take(conn, [listed(1, number=traced(conn, "022057000001"))])
        sealed = identity.seal(conn, RING, "022057000001")
        identity.keep(conn, person.id, sealed, NOW)
        traced(conn, "022057000009", second)
        assert identity.wrap(conn, second, most=1) == 1
        assert identity.wrap(conn, second) == 1
        assert identity.wrap(conn, second) == 0
        assert identity.imported_with(conn, traced(conn, "022057000001", second)) is not None
        assert identity.imported_with(conn, traced(conn, "022057000002", second)) is None
        assert [match.sure for match in imports.matches(conn, person)] == [True]


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
            imports.take(conn, run.id, rows, NOW)
        assert imports.undo_step(conn, run.id, "cli", NOW) == 26
        assert imports.undo_step(conn, run.id, "cli", NOW) == 0
        for table in (imports.imported_people, imports.import_rows, titles.titles, identity.imported_identities):
            assert count(conn, table) == 0
        assert recognised(conn) == 0
        assert check(conn) == []
        with pytest.raises(Refused, match="import_undone"):
            imports.undo(conn, run.id, "cli", NOW)
        assert set(take(conn, rows)) == {"new", "added"}
        assert check(conn) == []


def test_what_was_touched_is_not_taken_back(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1), listed(2, "Trần Thị Mẫu")])
        take(conn, [listed(1, year=2023)], OTHER)
        first, second = imports.listing(conn)
        with pytest.raises(Refused, match="import_leaned_on") as refused:
            imports.undo(conn, first.id, "cli", NOW)
        assert refused.value.facts["runs"] == (second.id,)
        (match,) = imports.matches(conn, joined(conn))
        imports.claim(conn, match.imported.id, joined(conn), "officer:1", NOW)
        for run in (first, second):
            with pytest.raises(Refused, match="import_touched"):
                imports.undo(conn, run.id, "cli", NOW)
        with pytest.raises(Refused, match="import_unknown"):
            imports.undo(conn, 99, "cli", NOW)


@pytest.mark.parametrize(
    ("of_list", "of_chat", "sure"),
    [
        ({}, {}, False),
        ({"phone": "0912000001"}, {"phone": "0912000001"}, True),
        ({"phone": "0912000001"}, {}, False),
        ({"birth_year": None, "phone": "0912000001"}, {"phone": "0912000001"}, False),
        ({}, {"unit": CHI_HOI}, False),
        ({"unit_id": CHI_HOI}, {}, False),
        ({"phone": "0912000001"}, {"phone": "0912000002"}, None),
        ({}, {"birth_year": 1960}, None),
        ({}, {"unit": HA_LONG}, None),
        ({"name": "Nguyễn Văn Hừng"}, {}, None),
    ],
)
def test_who_joined_may_be_somebody_of_a_list(database: Engine, of_list: Any, of_chat: Any, sure: bool | None) -> None:
    with writing(database) as conn:
        take(conn, [listed(1, **of_list)])
        found = imports.matches(conn, joined(conn, **of_chat))
        assert [each.sure for each in found] == ([] if sure is None else [sure])


def test_a_claim_moves_titles_and_counts_stay_and_one_of_two_for_a_year_goes(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1, phone="0912000001"), listed(2, phone="0912000002"), listed(3, year=2023)])
        assert recognised(conn) == 2
        person = joined(conn)
        both = imports.matches(conn, person)
        assert len(both) == 2
        assert imports.claim(conn, both[0].imported.id, person, "officer:1", NOW) == 2
        with pytest.raises(Refused, match="imported_gone"):
            imports.claim(conn, both[0].imported.id, joined(conn, "Lê Văn Khác"), "officer:1", NOW)
        assert recognised(conn) == 2
        assert imports.claim(conn, both[1].imported.id, person, "officer:1", NOW) == 0
        assert [each.year for each in titles.of_person(conn, person.id)] == [2023, 2024]
        assert imports.matches(conn, person) == []
        assert recognised(conn) == 1
        assert check(conn) == []
        # A later list with the same person: the title is theirs at once.
        assert take(conn, [listed(1, year=2022, phone="0912000001")], OTHER) == ["added"]
        assert [each.year for each in titles.of_person(conn, person.id)] == [2022, 2023, 2024]
        assert check(conn) == []


def test_erasing_takes_what_was_confirmed_and_nobody_else(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1, year=2022), listed(2, "Trần Thị Mẫu", 2023, phone="0912000009")])
        claimed, alike = joined(conn), joined(conn, "Trần Thị Mẫu", phone="0912000009")
        (match,) = imports.matches(conn, claimed)
        imports.claim(conn, match.imported.id, claimed, "officer:1", NOW)
        erasure.erase_person(conn, claimed, "test", NOW)
        erasure.erase_person(conn, alike, "test", NOW)
        assert [row.phone for row in conn.execute(sa.select(imports.imported_people))] == ["0912000009"]
        assert [row.year for row in conn.execute(sa.select(titles.titles))] == [2023]
        assert check(conn) == []
        # The same file does not bring back who went.
        assert take(conn, [listed(1, year=2022)]) == ["again"]
        assert count(conn, imports.imported_people) == 1


def test_who_never_joined_goes_when_the_time_is_over(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1), listed(2, "Trần Thị Mẫu")])
        person = joined(conn)
        (match,) = imports.matches(conn, person)
        imports.claim(conn, match.imported.id, person, "officer:1", NOW)
    for years, left in ((5.2, 2), (5.3, 1)):  # to 31 December, as for everybody
        later = NOW + timedelta(days=365.25 * years)
        with writing(database) as conn:
            place = retention.Place(kind="imported")
            while place.kind == "imported":
                place = retention.step(conn, Keep(), later, place)
            assert count(conn, imports.imported_people) == left
            assert check(conn) == []


def test_the_schema_holds_what_a_title_is(database: Engine) -> None:
    with writing(database) as conn:
        take(conn, [listed(1)])
        person = joined(conn)
    for change in ({"person_id": person.id}, {"imported_id": None}, {"year": 1999}, {"run_id": None}):
        with pytest.raises(sa.exc.IntegrityError), writing(database) as conn:
            conn.execute(sa.update(titles.titles).values(**change))


def test_the_same_is_the_same_both_ways() -> None:
    years, phones, kept = st.sampled_from([None, 1957, 1958]), st.sampled_from([None, "1", "2"]), st.booleans()

    @given(years, phones, kept, years, phones, kept)
    def symmetric(y1: Any, p1: Any, n1: bool, y2: Any, p2: Any, n2: bool) -> None:
        one, two = Imported(1, 1, "A", y1, p1, None, n1), Imported(2, 1, "A", y2, p2, None, n2)
        assert imports.same(one, y2, p2, n2) == imports.same(two, y1, p1, n1)

    symmetric()


ACT = st.one_of(
    st.tuples(st.just("take"), st.integers(0, 5), st.integers(0, 3), st.integers(2021, 2024), st.integers(0, 1)),
    st.tuples(st.sampled_from(["claim", "forget", "erase", "undo"]), st.integers(0, 9)),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ACT, max_size=25))
def test_counts_hold_whatever_happens(database: Engine, acts: list[Any]) -> None:
    names = [f"Nguyễn Văn {letter}" for letter in "ABCD"]
    with writing(database) as conn:
        for table in (imports.import_rows, titles.titles, imports.imported_people, imports.runs, counters.counters,
                      counters.ledger):  # fmt: skip
            conn.execute(sa.delete(table))
        for act in acts:
            _play(conn, act, names)
            assert check(conn) == []
        held = conn.execute(
            sa.select(titles.titles.c.counted_id, titles.titles.c.year, sa.func.count()).group_by(
                titles.titles.c.counted_id, titles.titles.c.year
            )
        ).all()
        for unit, year, n in held:
            assert recognised(conn, unit, year) == n


def _play(conn: Connection, act: Any, names: list[str]) -> None:
    if act[0] == "take":
        _verb, row, who, year, file = act
        try:
            take(conn, [replace(listed(row, names[who], year), phone=f"091200000{who}")], "ab"[file] * 64)
        except Refused as refused:
            assert refused.code == "import_undoing"
        return
    verb, n = act
    known = imports.of_unit(conn, "VN/")
    if verb == "undo":
        runs = imports.listing(conn)
        if runs:
            try:
                imports.undo(conn, runs[n % len(runs)].id, "cli", NOW)
            except Refused as refused:
                assert refused.code in ("import_touched", "import_leaned_on", "import_undone")
            else:
                while imports.undo_step(conn, runs[n % len(runs)].id, "cli", NOW):
                    pass
    elif known:
        one = known[n % len(known)]
        if verb == "forget" and one.person_id is None:
            imports.forget(conn, one.id, "cli", NOW)
        elif verb == "claim" and one.person_id is None:
            imports.claim(conn, one.id, joined(conn, one.name, phone=one.phone), "officer:1", NOW)
        elif verb == "erase" and one.person_id is not None:
            person = people.person(conn, one.person_id)
            assert person is not None
            erasure.erase_person(conn, person, "test", NOW)


def test_nothing_is_left_of_a_transaction_that_broke(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError

    with writing(database) as conn:
        run = imports.begin(conn, DIGEST, "list.xlsx", "trước", "cli", NOW)
    monkeypatch.setattr(imports.titles, "add_imported", broken)
    with pytest.raises(RuntimeError), writing(database) as conn:
        imports.take(conn, run, [listed(1)], NOW)
    with reading(database) as conn:
        assert count(conn, imports.imported_people) == 0


def test_the_number_of_somebody_erased_is_not_given_again(database: Engine) -> None:
    """The trail and the log of requests name people of lists by it."""
    with writing(database) as conn:
        take(conn, [listed(1)])
        (first,) = imports.of_unit(conn, "VN/")
        imports.forget(conn, first.id, "cli", NOW)
        take(conn, [listed(1, "Trần Thị Mẫu")], OTHER)
        (second,) = imports.of_unit(conn, "VN/")
        assert second.id > first.id
