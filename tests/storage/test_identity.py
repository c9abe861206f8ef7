"""Id numbers: found and shaded in any text, kept as keyed hashes, compared through every key; messages to delete."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import assume, given
from hypothesis import strategies as st

from storage import codes, erasure, identity, idnumbers, unsaid
from storage.base import Connection, Refused
from storage.engine import reading, writing
from storage.identity import Key, KeyRing
from storage.idnumbers import hide, mask
from tests.storage.test_lifecycle import NOW, join

NUMBER, OTHER = "022157001234", "001203004321"
RING = KeyRing((Key("VN-1", 1, b"1" * 32),))
SECOND = KeyRing((*RING.keys, Key("VN-2", 2, b"2" * 32)))
THIRD = KeyRing((*SECOND.keys, Key("VN-3", 3, b"3" * 32)))


@pytest.fixture
def conn_with_key(database: sa.Engine) -> sa.Engine:
    with writing(database) as conn:
        identity.register(conn, RING.keys[0], NOW)
    return database


def state(conn: Connection, ring: KeyRing, person: int, number: str = NUMBER) -> bool:
    return identity.keep(conn, person, identity.seal(conn, ring, number, person), NOW)


# ------------------------------------------------------------------------------------------ the grammar


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("022157001234", "••••1234"),
        ("Số của tôi là 022 157 001 234 ạ", "Số của tôi là ••••1234 ạ"),
        ("022.157.001.234", "••••1234"),
        ("0221-5700-1234", "••••1234"),
        ("022 1 57 001234", "••••1234"),
        ("CCCD022157001234.", "CCCD••••1234."),
        ("022157001234 1957 0912345678", "••••1234 1957 0912345678"),
        ("0912345678 022157001234", "0912345678 ••••1234"),
        ("022157\n001234", "••••1234"),
        ("0\u200b22157\u200b001234", "••••1234"),
        ("０２２１５７００１２３４", "••••1234"),
        ("022-157 001.234", "••••1234"),
        ("0 2 2 1 5 7 0 0 1 2 3 4", "••••1234"),
        ("022157001234, 001203004321", "••••1234, ••••4321"),
        ("022/057/001/234", "••••1234"),
        ("022,057,001,234", "••••1234"),
        ("022/1/57/001234", "••••1234"),
        ("02/21/57/00/12/34", "••••1234"),
        ("0220570012 34", "••••1234"),
        ("0361570012 34", "••••1234"),
        ("0221570012345", "••••"),
        ("năm 1957022157001234 ạ", "năm •••• ạ"),
        ("15/9/2025, 022157001234", "15/9/2025, ••••1234"),
    ],
)
def test_a_number_is_shaded(said: str, kept: str) -> None:
    assert mask(said) == kept


@pytest.mark.parametrize(
    "said",
    [
        "0912345678", "0912 345 678 15 giờ", "+84 912 345 678", "02033825555 12", "0912 345 678 0987 654 321",
        "HS-2026-7K3QD", "DV 06685-K", "TL-CM35-0047-1234-5678", "2023 2024 2025", "12.05.2024 08.30",
        "15.09.2025-20.10.2025", "từ 12/9/2025 đến 15/10/2025", "1 2 3 4 5 6 7 8 9 10 11", "1.234.567,5 đồng",
        "02215700123", "năm 1957", "15/10, 16/10, 17/10", "01/10/2025-30/12/2025", "09/2025, 10/2025",
        "10, 20, 30, 40, 50, 60", "0912345678, 15/9", "https://www.facebook.com/photo?fbid=1234567890123456",
    ],
)  # fmt: skip
def test_other_numbers_stay(said: str) -> None:
    assert hide(said) == idnumbers.Hidden(said)


words = st.text(st.characters(exclude_categories=["Nd", "Cs"]), max_size=12)
runs = st.from_regex(r"\A[0-9]{12}\Z")


@given(
    words,
    runs,
    words,
    st.sampled_from(["", " ", ".", "-", " - ", "/", ",", "\u00a0"]),
    st.sampled_from([(12,), (3, 6, 9), (4, 8)]),
)
def test_no_number_ever_gets_through(before: str, number: str, after: str, gap: str, cuts: tuple[int, ...]) -> None:
    pieces = [number[start:end] for start, end in zip((0, *cuts), (*cuts, 12), strict=True) if start < end]
    assume(not all(len(each) == 4 and each[:2] in ("19", "20") for each in pieces))
    assume(not re.search(r"(?i)(TL|MT)[^0-9]*$", before))
    found = hide(before + gap.join(pieces) + after)
    assert found.numbers == (number,)
    assert number[:8] not in re.sub(r"\D", "", found.text.replace(f"{idnumbers.SHADE}{number[-4:]}", ""))
    assert number not in repr(found)


@given(st.text(st.characters(exclude_categories=["Nd", "Cs"])), st.from_regex(r"\A[0-9]{0,11}\Z"))
def test_what_holds_no_number_is_unchanged(text: str, digits: str) -> None:
    said = text[: len(text) // 2] + digits + text[len(text) // 2 :]
    assert hide(said) == idnumbers.Hidden(said)


def test_codes_stay_readable_though_they_may_be_all_digits() -> None:
    resume = codes.ResumeCode("CM350", "04712345678")
    assert mask(codes.printed(resume)) == codes.printed(resume)
    assert idnumbers.hide_all(codes.printed(resume)).numbers == ()


def test_the_answer_itself_is_shaded_also_with_a_slip_in_it() -> None:
    assert idnumbers.hide_all("số 02215700123") == idnumbers.Hidden("số ••••", ("02215700123",))
    assert idnumbers.hide_all("123 456 789").numbers == ("123456789",)
    assert idnumbers.hide_all("năm 1957") == idnumbers.Hidden("năm 1957")


@pytest.mark.parametrize(
    ("number", "year"),
    [("022157001234", 1957), ("001203004321", 2003), ("101057001234", 1957), ("096308123456", 2008)],
)
def test_a_well_formed_number_tells_its_year(number: str, year: int) -> None:
    assert idnumbers.well_formed(number, 2026)
    assert idnumbers.birth_year(number) == year


@pytest.mark.parametrize(
    "number",
    ["000157001234", "097157001234", "022457001234", "022230001234", "02215700123", "02215700123x", "400157001234"],
)
def test_a_malformed_one_is_seen(number: str) -> None:
    assert not idnumbers.well_formed(number, 2026)


# ------------------------------------------------------------------------------------------ keeping


def test_only_hash_and_four_digits_are_kept(conn_with_key: sa.Engine) -> None:
    with writing(conn_with_key) as conn:
        person = join(conn).id
        assert not state(conn, RING, person)
        assert identity.last4(conn, person) == "1234"
        (row,) = conn.execute(sa.select(identity.identities)).all()
    assert NUMBER not in repr(row)
    assert re.fullmatch(r"[0-9a-f]{64}", row.hmac)
    assert "1" * 32 not in repr(RING)


def test_the_same_number_is_noticed_and_refused_to_nobody(conn_with_key: sa.Engine) -> None:
    with writing(conn_with_key) as conn:
        first, second, third = (join(conn, now=NOW + timedelta(seconds=n)).id for n in range(3))
        assert not state(conn, RING, first)
        assert not identity.doubled(conn, first)
        assert state(conn, RING, second)
        assert not state(conn, RING, third, OTHER)
        assert [identity.doubled(conn, each) for each in (first, second, third)] == [True, True, False]
        assert state(conn, RING, first)  # stated again: it still meets the other's
        assert identity.doubled(conn, second)
        identity.remove(conn, second)
        assert [identity.doubled(conn, each) for each in (first, second)] == [False, False]
        assert identity.last4(conn, second) == ""


def test_two_at_the_same_moment_cannot_both_be_the_first(conn_with_key: sa.Engine) -> None:
    with writing(conn_with_key) as conn:
        people = [join(conn, now=NOW + timedelta(seconds=n)).id for n in range(2)]
        sealed = [identity.seal(conn, RING, NUMBER) for _n in people]  # neither sees the other yet
        assert [each.double_of for each in sealed] == [0, 0]
        assert [identity.keep(conn, *each, NOW) for each in zip(people, sealed, strict=True)] == [False, True]
        row = dict(
            conn.execute(sa.select(identity.identities).where(identity.identities.c.person_id == people[0]))
            .one()
            ._mapping
        )
        extra = join(conn, now=NOW + timedelta(seconds=9)).id
        with pytest.raises(sa.exc.IntegrityError):
            conn.execute(sa.insert(identity.identities).values({**row, "person_id": extra}))
        conn.rollback()


def test_a_sealed_number_travels_as_text(conn_with_key: sa.Engine) -> None:
    with reading(conn_with_key) as conn:
        sealed = identity.seal(conn, RING, NUMBER)
    assert identity.unsealed(str(sealed)) == sealed
    assert sealed.hmac not in repr(sealed)


def test_who_is_erased_is_nobodys_double(conn_with_key: sa.Engine) -> None:
    with writing(conn_with_key) as conn:
        first, second = join(conn), join(conn, now=NOW + timedelta(seconds=1))
        state(conn, RING, first.id)
        state(conn, RING, second.id)
        erasure.erase_person(conn, first, "test", NOW)
        assert not identity.doubled(conn, second.id)


def test_rotation_wraps_and_numbers_still_compare(conn_with_key: sa.Engine) -> None:
    with writing(conn_with_key) as conn:
        people = [join(conn, now=NOW + timedelta(seconds=n)).id for n in range(5)]
        state(conn, RING, people[0])
        before = conn.execute(sa.select(identity.identities.c.hmac)).scalar_one()
        identity.register(conn, SECOND.current, NOW)
        assert state(conn, SECOND, people[1]), "not wrapped yet, and found all the same"
        assert identity.wrap(conn, SECOND) == 1
        assert identity.wrap(conn, SECOND) == 0
        identity.register(conn, THIRD.current, NOW)
        assert identity.wrap(conn, THIRD, most=1) == 1
        assert state(conn, THIRD, people[2]), "half of the rows under the newest key"
        assert identity.wrap(conn, THIRD) == 1
        assert state(conn, THIRD, people[3])
        assert not state(conn, THIRD, people[4], OTHER)
        rows = conn.execute(sa.select(identity.identities.c.key_id, identity.identities.c.hmac)).all()
    assert {row.key_id for row in rows} == {"VN-3"}
    assert before not in {row.hmac for row in rows}


@pytest.mark.parametrize("ring", [KeyRing(()), KeyRing((Key("VN-1", 1, b"x" * 32),)), KeyRing(SECOND.keys[1:])])
def test_without_the_right_keys_nothing_is_kept(conn_with_key: sa.Engine, ring: KeyRing) -> None:
    with reading(conn_with_key) as conn, pytest.raises(Refused, match="identity_key_missing"):
        identity.seal(conn, ring, NUMBER)


# ------------------------------------------------------------------------------------------ messages to delete


def test_messages_to_delete_wait_and_are_settled(database: sa.Engine) -> None:
    with writing(database) as conn:
        unsaid.unsay(conn, "telegram", "7", range(1, 251), NOW)
        unsaid.unsay(conn, "telegram", "8", (0,), NOW)
        unsaid.unsay(conn, "other", "9", (5, 5), NOW)
        first, *rest = unsaid.due(conn, "telegram", NOW)
        assert [len(row.message_ids) for row in (first, *rest)] == [100, 100, 50]
        unsaid.put_off(conn, [first.id], NOW + timedelta(seconds=5))
        assert unsaid.due(conn, "telegram", NOW) == rest
        unsaid.settle(conn, [row.id for row in rest])
        (late,) = unsaid.due(conn, "telegram", NOW + timedelta(seconds=5))
        assert (late.id, late.attempts) == (first.id, 1)
        (other,) = unsaid.due(conn, "other", NOW)
        assert other.message_ids == (5,)
