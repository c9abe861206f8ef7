"""Requests about personal data and their days; what is taken away when its time is over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from storage import assessments, audit, evidence, people, privacy, removed, retention, seasons
from storage.base import Connection, Refused
from storage.engine import reading, writing
from storage.housekeeping import Keep
from storage.people import PersonRow
from storage.recount import check
from storage.seasons import ZONE

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)  # a Friday, 15:00 in Vietnam
KEEP = Keep()


# ------------------------------------------------------------------------------------------ requests


def test_a_request_made_on_friday_is_acknowledged_by_tuesday() -> None:
    assert privacy.acknowledge_by(NOW) == NOW + timedelta(days=4)
    assert privacy.due_by("access", NOW) == NOW + timedelta(days=10)
    assert privacy.due_by("object", NOW) == NOW + timedelta(days=15)
    assert privacy.due_by("delete", NOW) == NOW + timedelta(days=20)


def test_the_weekend_is_that_of_vietnam() -> None:
    late = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)  # Saturday, 1:00 in Vietnam
    assert privacy.acknowledge_by(late) == datetime(2026, 11, 23, 18, 0, tzinfo=UTC)  # Tuesday, 1:00


@given(st.datetimes(datetime(2026, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC)))
def test_two_working_days_are_never_on_a_weekend_and_never_more_than_four_days(moment: datetime) -> None:
    found = privacy.acknowledge_by(moment)
    assert found.astimezone(ZONE).weekday() < 5
    assert timedelta(days=2) <= found - moment <= timedelta(days=4)


def join(conn: Connection, name: str = "Nguyễn Thị Mận", at: datetime = NOW, unit: int = 3) -> tuple[PersonRow, int]:
    """A citizen and their contact."""
    contact = people.meet(conn, "test", f"phone-{name}-{at:%Y}", at)
    people.consent(conn, contact, unit, "2026-11", "Hội", at)
    person = people.join(
        conn, contact, unit_id=unit, name=name, birth_year=1957, phone=None, form="ong_ba", subject_group="nong_dan",
        now=at,
    )  # fmt: skip
    return person, contact


def test_what_waits_is_listed_by_urgency_and_closed_once(database: sa.Engine) -> None:
    with writing(database) as conn:
        person, contact = join(conn)
        facts = {"person_id": person.id, "contact_id": contact, "unit_id": 3, "actor": f"person:{person.id}"}
        privacy.ask(conn, "access", now=NOW, done=True, **facts)
        objection = privacy.ask(conn, "object", now=NOW, **facts)
        group = privacy.ask(conn, "correct", now=NOW, about="subject_group:cong_nhan", **facts)
    with writing(database) as conn:
        assert [each.request.id for each in privacy.due(conn)] == [group, objection]
        assert privacy.due(conn)[0].unit_code == "06685"
        assert [each.request.id for each in privacy.due(conn, NOW + timedelta(days=12))] == [group]
        assert len(privacy.log(conn)) == 3
        assert privacy.settle(conn, group, "granted", "cli", NOW).about == "subject_group:cong_nhan"
    with writing(database) as conn:
        for number, outcome, code in (
            (group, "done", "request_closed"),
            (999, "done", "request_unknown"),
            (objection, "void", "outcome_unknown"),
            (objection, "x", "outcome_unknown"),
        ):
            with pytest.raises(Refused) as refused:
                privacy.settle(conn, number, outcome, "cli", NOW)
            assert refused.value.code == code
        assert [each.id for each in privacy.open_of(conn, person.id)] == [objection]


@pytest.mark.parametrize("wrong", [{"kind": "sell"}, {"outcome": "done"}, {"due_by": NOW - timedelta(days=1)}])
def test_the_schema_refuses_what_makes_no_sense(database: sa.Engine, wrong: dict[str, object]) -> None:
    values = {"kind": "access", "about": "", "actor": "cli", "made_at": NOW, "acknowledge_by": NOW, "due_by": NOW}
    with pytest.raises(IntegrityError), writing(database) as conn:
        conn.execute(sa.insert(privacy.privacy_requests).values(**values | wrong))


# ------------------------------------------------------------------------------------------ retention


def form(conn: Connection, person: PersonRow, contact: int, at: datetime, key: str, submit: bool) -> int:
    """An assessment with an answer, a text and a picture."""
    row = assessments.register(conn, person, at.year, "cdht", "2026.1", at)
    assessments.start(conn, row.id, f"person:{person.id}", "cdht", "2026.1", at)
    assessments.answer(conn, row.id, "A1", "kha", f"person:{person.id}", at)
    evidence.put_upload(conn, contact, evidence.Picture(key, key, 10, 10, 100), at)
    for kind, what in (("photo", {"key": key, "text": "lớp học"}), ("text", {"text": "Tôi đã dự lớp"})):
        assert assessments.add_evidence(
            conn, row.id, "A1", kind, contact_id=contact, actor=f"person:{person.id}", now=at, **what
        )
    if submit:
        assessments.submit(conn, row.id, f"person:{person.id}", at)
    return row.id


def run(database: sa.Engine, now: datetime, keep: Keep = KEEP) -> int:
    """A whole pass; how much went."""
    place = retention.Place()
    while not place.ended:
        with writing(database) as conn:
            place = retention.step(conn, keep, now, place)
    return place.done


def kinds(database: sa.Engine, now: datetime, keep: Keep = KEEP) -> dict[tuple[str, int | None], int]:
    with reading(database) as conn:
        return {key: n for key, n in retention.due(conn, keep, now).items() if key[0] != "audit"}


def test_a_form_never_handed_in_is_emptied_when_its_season_is_long_over(database: sa.Engine) -> None:
    with writing(database) as conn:
        person, contact = join(conn)
        assessment = form(conn, person, contact, NOW, "a" * 64, submit=False)
    ends = datetime(2026, 12, 31, 12, 0, tzinfo=UTC)
    early, late = ends + timedelta(days=90), ends + timedelta(days=91)
    assert kinds(database, early) == {} and run(database, early) == 0
    assert kinds(database, late) == {("drafts", 3): 1}
    assert run(database, late) == 1
    with reading(database) as conn:
        row = assessments.by_id(conn, assessment)
        assert row is not None and row.status == "draft"
        assert assessments.answers_of(conn, assessment) == {} and evidence.all_of(conn, assessment) == []
        assert check(conn) == []
    assert kinds(database, late) == {} and run(database, late) == 0


def test_a_province_with_a_longer_season_keeps_its_forms_longer(database: sa.Engine) -> None:
    longer = seasons.default_windows(2026)
    with writing(database) as conn:
        person, contact = join(conn)
        form(conn, person, contact, NOW, "a" * 64, submit=False)
        values = {name: getattr(longer, name) for name in seasons.Windows.__dataclass_fields__ if name != "year"}
        seasons.set_windows(conn, 2, seasons.Windows(2026, **values | {"decision_to": date(2027, 3, 31)}))
    assert kinds(database, datetime(2027, 5, 1, tzinfo=UTC)) == {}
    assert kinds(database, datetime(2027, 7, 2, tzinfo=UTC)) == {("drafts", 3): 1}


def test_pictures_of_a_decided_dossier_go_and_leave_a_number(database: sa.Engine) -> None:
    with writing(database) as conn:
        person, contact = join(conn)
        assessment = form(conn, person, contact, NOW, "b" * 64, submit=True)
        assessments.decide(conn, assessments.locked(conn, assessment), "approve", "officer:1", NOW)
    later = NOW + timedelta(days=366)
    assert kinds(database, NOW + timedelta(days=364)) == {}
    assert kinds(database, later) == {("evidence", 3): 1}
    assert run(database, later) == 1
    with reading(database) as conn:
        assert [(piece.kind, piece.text) for piece in evidence.all_of(conn, assessment)] == [("text", "Tôi đã dự lớp")]
        assert removed.of(conn, assessment) == [removed.Removed("A1", "retention", 1, later)]
        assert list(assessments.answers_of(conn, assessment)) == ["A1"]
        assert check(conn) == []
        assert evidence.references(conn, "b" * 64) == 0
    assert run(database, later) == 0


def test_a_person_goes_after_the_day_that_the_consent_named(database: sa.Engine) -> None:
    with writing(database) as conn:
        old, _contact = join(conn, "Nguyễn Thị Mận")
        again, contact = join(conn, "Lê Văn Khác")
        form(conn, again, contact, datetime(2027, 9, 20, tzinfo=UTC), "c" * 64, submit=False)
    assert kinds(database, datetime(2031, 12, 31, 16, 0, tzinfo=UTC)).get(("people", 3)) is None
    after = datetime(2031, 12, 31, 17, 30, tzinfo=UTC)  # New Year in Vietnam
    assert kinds(database, after)[("people", 3)] == 1
    run(database, after)
    with reading(database) as conn:
        assert people.person(conn, old.id) is None
        assert people.person(conn, again.id) is not None
        assert check(conn) == []


def test_the_trail_and_closed_requests_go_and_open_ones_stay(database: sa.Engine) -> None:
    with writing(database) as conn:
        facts = {"unit_id": 3, "actor": "cli", "now": NOW}
        privacy.ask(conn, "access", done=True, **facts)
        waits = privacy.ask(conn, "object", **facts)
        audit.write(conn, "officer:1", "dossier.read", "assessment:1", NOW, 3)
        audit.write(conn, "officer:1", "officer.self", "person:1", NOW, 3)
    assert run(database, NOW + timedelta(days=1826)) == 0
    assert run(database, NOW + timedelta(days=1827)) == 2
    with reading(database) as conn:
        assert [each.request.id for each in privacy.log(conn)] == [waits]
        assert [each.action for each in audit.listing(conn)] == ["officer.self"]


def test_a_pass_goes_on_over_many_and_each_piece_is_small(database: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BLOCK", 4)
    with writing(database) as conn:
        for n in range(13):
            join(conn, f"Người {'abcdefghijklm'[n]}", NOW)
    after = datetime(2032, 1, 2, tzinfo=UTC)
    assert kinds(database, after) == {("people", 3): 13}
    assert run(database, after) >= 13
    assert kinds(database, after) == {}


# ------------------------------------------------------------------------------------------ the trail


def test_the_trail_is_found_by_who_whom_and_where(database: sa.Engine) -> None:
    with writing(database) as conn:
        for n, (actor, subject, unit) in enumerate(
            [("officer:1", "assessment:1", 3), ("officer:2", "assessment:2", 4), ("person:7", "person:7", 3)]
        ):
            audit.write(conn, actor, "deed", subject, NOW + timedelta(days=n), unit)
    with reading(database) as conn:
        assert [each.subject for each in audit.listing(conn)] == ["assessment:1", "assessment:2", "person:7"]
        assert [each.actor for each in audit.listing(conn, subjects=["assessment:2"])] == ["officer:2"]
        assert [each.actor for each in audit.listing(conn, actors=["officer:1"])] == ["officer:1"]
        below = audit.listing(conn, below=("VN/22/06685/", "VN/22/066850"))
        assert [each.subject for each in below] == ["assessment:1", "person:7"]
        assert [each.subject for each in audit.listing(conn, since=NOW + timedelta(days=2))] == ["person:7"]


def test_a_picture_is_noted_once_for_each_opening(database: sa.Engine) -> None:
    with writing(database) as conn:
        audit.write(conn, "officer:1", audit.READ, "assessment:5", NOW, 3)
        assert [audit.picture_read(conn, 1, 5, piece, 3, NOW) for piece in (8, 8, 9, 8)] == [True, False, True, False]
        assert audit.picture_read(conn, 2, 5, 8, 3, NOW)
        audit.write(conn, "officer:1", audit.READ, "assessment:5", NOW, 3)
        assert audit.picture_read(conn, 1, 5, 8, 3, NOW)
        assert [each.details for each in audit.listing(conn) if each.action == audit.PICTURE] == [
            {"piece": 8}, {"piece": 9}, {"piece": 8}, {"piece": 8},
        ]  # fmt: skip
