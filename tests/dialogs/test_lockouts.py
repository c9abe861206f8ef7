"""Secrets cannot be guessed, and a unit cannot be flooded with people."""

from __future__ import annotations

import logging
import math
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from dialogs.model import Incoming, Typed
from dialogs.turn import take_turn
from storage import attempts, codes, officers, people, units
from storage.base import Refused
from storage.engine import metadata
from storage.identity import Key, KeyRing
from tests.support.world import Chat, World

HOUR = "tạm khóa một giờ"


def invite_of(world: World) -> str:
    with world.write() as conn:
        place = units.by_code(conn, "06685")
        assert place is not None
        return codes.printed(officers.invite(conn, place.id, "reviewer", world.now, "test", "Trần Thị Hoa"))


def guess() -> str:
    return codes.printed(codes.new_invite())


def resume_of(citizen: Chat) -> str:
    text = citizen.read_out()
    return text[text.index("TL-") :][:22]


def mistyped(code: str, n: int = 0) -> str:
    """The *n*-th slip in the last sign."""
    return code[:-1] + codes.DRAWN.replace(code[-1], "")[n]


# ------------------------------------------------------------------------------------------ how much there is to guess


def test_a_secret_is_too_long_to_be_guessed() -> None:
    """Bits of what is drawn: at a thousand tries an hour from one network an invite takes 10²¹ years."""
    each = math.log2(len(codes.DRAWN))
    assert len(set(codes.DRAWN)) == len(codes.DRAWN) == 27
    assert codes.INVITE_SIZE * each >= 95
    assert codes.RESUME_SIZE * each >= 52
    per_year = attempts.NETWORK_TRIES * 24 * 365
    assert 2 ** (codes.INVITE_SIZE * each) / per_year > 1e21
    # Every one of ten million cards, tried ten times an hour for ten years: nobody is hit.
    assert 10_000_000 * people.RESUME_TRIES * 24 * 365 * 10 / 2 ** (codes.RESUME_SIZE * each) < 0.01


def test_every_sign_of_a_secret_is_drawn_alike() -> None:
    drawn = Counter("".join(codes.new_invite().secret for _n in range(2_000)))
    assert set(drawn) == set(codes.DRAWN)
    mean = 40_000 / 27
    assert all(abs(count - mean) < 7 * math.sqrt(mean) for count in drawn.values())


# ------------------------------------------------------------------------------------------------------------ invites


def test_five_wrong_invites_lock_the_door_for_an_hour(world: World) -> None:
    right = invite_of(world)
    stranger = world.citizen().opens()
    for _n in range(4):
        stranger.types(guess()).sees("không đúng").sees_not(HOUR)
    stranger.types(guess()).sees(HOUR)
    stranger.types(right).sees(HOUR)
    world.citizen().opens().types(right).sees("người xét")  # nobody else is locked out
    world.passes(minutes=61)
    stranger.types(right).sees("người xét")


def test_wrong_codes_of_one_kind_count_for_the_other(world: World) -> None:
    card = resume_of(world.citizen().joins())
    stranger = world.citizen().opens()
    for code in (guess(), mistyped(card), guess(), mistyped(card, 1), guess()):
        stranger.types(code)
    stranger.sees(HOUR).types(card).sees(HOUR).sees_not("Đã mở lại phiếu")


def test_slips_over_a_day_lock_nobody_out(world: World) -> None:
    stranger = world.citizen().opens()
    for _n in range(12):
        stranger.types(guess()).sees_not(HOUR)
        world.passes(minutes=21)


def test_an_invite_that_was_used_is_no_guess(world: World) -> None:
    used = invite_of(world)
    world.citizen().opens().types(used).presses("accept")
    late = world.citizen().opens()
    for _n in range(6):
        late.types(used).sees("đã được dùng").sees_not(HOUR)


def test_a_chat_forgotten_and_begun_anew_has_no_new_guesses(world: World) -> None:
    right = invite_of(world)
    stranger = world.citizen().opens()
    for _n in range(5):
        stranger.types(guess())
    stranger.opens("DV06685K").presses("yes").presses("refuse")
    assert not stranger.exists()
    stranger.opens().types(right).sees(HOUR)


def test_a_school_behind_one_address_is_not_locked_by_a_few(world: World) -> None:
    assert attempts.NETWORK_TRIES >= 1_000


def test_many_browsers_behind_one_network_are_one_guesser(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "NETWORK_TRIES", 12)
    right = invite_of(world)

    def tries(address: str, text: str, network: str) -> bool:
        with world.write() as conn:
            event = f"{address}-{world.number()}"
            taken = take_turn(
                conn,
                Incoming("test", event, address, Typed(text), world.now, network=network),
                world.rules,
            )
        return HOUR in taken.told[-1].body

    for n in range(attempts.NETWORK_TRIES - 1):
        assert not tries(f"browser-{n}", guess(), "203.0.113.9")
    assert tries("browser-last", guess(), "203.0.113.9")
    assert tries("browser-fresh", right, "203.0.113.9")
    assert not tries("browser-elsewhere", right, "203.0.113.10")


def test_the_operator_hears_of_many_guesses_on_one_account(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(attempts, "ACCOUNT_ALARM", 6)
    codes_tried = [guess() for _n in range(8)]
    with caplog.at_level(logging.WARNING):
        for code in codes_tried:
            world.citizen().opens().types(code).sees_not(HOUR)
    said = [record.getMessage() for record in caplog.records if "wrong secret" in record.getMessage()]
    assert len(said) == 1
    assert not any(code in said[0] for code in codes_tried)


def test_what_is_counted_names_nobody_and_goes_in_a_day(world: World) -> None:
    stranger = world.citizen().opens().types(guess())
    with world.write() as conn:
        rows = conn.execute(sa.select(attempts.attempts)).all()
        assert len(rows) == 2
        assert not any(stranger.address in str(tuple(row)) for row in rows)
        assert attempts.purge(conn, world.now + timedelta(seconds=1)) == 2


def test_who_has_the_database_cannot_try_addresses_out(world: World) -> None:
    """Chat numbers and network addresses are few: a hash without a key is the address itself."""
    world.rules = replace(world.rules, keys=lambda: KeyRing((Key("VN-1", 1, b"k" * 32),)))
    stranger = world.citizen().opens().types(guess())
    bare = attempts.guesser(stranger.account, stranger.address)
    with world.read() as conn:
        names = {row.who for row in conn.execute(sa.select(attempts.attempts))}
    assert len(names) == 2
    assert not names & {bare.contact, bare.account}
    assert attempts.guesser("a", "b", "c", key=b"1") != attempts.guesser("a", "b", "c", key=b"2")


def test_a_folder_of_keys_that_is_spoilt_opens_no_door(world: World) -> None:
    def spoilt() -> KeyRing:
        raise Refused("identity_key_missing")

    world.rules = replace(world.rules, keys=spoilt)
    stranger = world.citizen().opens()
    for _n in range(attempts.CONTACT_TRIES):
        stranger.types(guess())
    stranger.sees(HOUR)


# ------------------------------------------------------------------------------------------------------- resume cards


def test_ten_wrong_tries_lock_the_card_and_its_holder_is_told_once(world: World) -> None:
    holder = world.citizen().joins()
    card = resume_of(holder)
    for _n in range(2):
        thief = world.citizen().opens()
        for n in range(4):
            thief.types(mistyped(card, n)).sees("chưa đúng")
    assert holder.hears() == []
    thief = world.citizen().opens().types(mistyped(card)).sees("chưa đúng").types(mistyped(card, 1)).sees(HOUR)
    (told,) = holder.hears()
    assert "10 lần" in told.text and "lấy mã mới" in told.text and told.choices[0].id == "go:hoso"
    world.citizen().opens().types(card).sees(HOUR).sees_not("Đã mở lại phiếu")  # the right code, from a clean phone
    assert holder.hears() == []
    holder.presses("later").types("/hoso").presses("resume_code")
    world.citizen().opens().types(resume_of(holder)).sees("Đã mở lại phiếu")  # a new card is not locked
    assert thief.exists()


def test_the_same_slip_again_and_again_is_one_guess(world: World) -> None:
    holder = world.citizen().joins()
    card = resume_of(holder)
    phone = world.citizen().opens()
    for _n in range(12):
        phone.types(mistyped(card)).sees("chưa đúng").sees_not(HOUR)
    for n in range(1, 4):
        phone.types(mistyped(card, n)).types(mistyped(card)).sees("chưa đúng").sees_not(HOUR)
    phone.types(card).sees("Đã mở lại phiếu")
    assert "bị khóa" not in "".join(each.text for each in holder.hears())


def test_the_same_slip_an_hour_later_counts_anew(world: World) -> None:
    card = resume_of(world.citizen().joins())
    phone = world.citizen().opens()
    for n in range(4):
        phone.types(mistyped(card, n))
    world.passes(minutes=61)
    for n in range(4):
        phone.types(mistyped(card, n)).sees("chưa đúng")
    phone.types(mistyped(card, 4)).sees(HOUR)


def test_slips_on_a_card_are_forgotten_after_a_day(world: World) -> None:
    card = resume_of(world.citizen().joins())
    for _n in range(3 * people.RESUME_TRIES):
        world.citizen().opens().types(mistyped(card)).sees("chưa đúng").sees_not(HOUR)
        world.passes(hours=3)
    world.citizen().opens().types(card).sees("Đã mở lại phiếu")


def test_a_card_that_nobody_has_counts_as_a_wrong_one(world: World) -> None:
    stranger = world.citizen().opens()
    for _n in range(4):
        stranger.types(codes.printed(codes.new_resume())).sees("chưa đúng")
    stranger.types(codes.printed(codes.new_resume())).sees(HOUR)


def test_no_guess_is_kept(world: World) -> None:
    wrong = guess()
    world.profile = "web"
    world.citizen().opens().types(wrong)
    with world.read() as conn:
        for table in metadata.sorted_tables:
            for row in conn.execute(table.select()):
                assert wrong not in str(tuple(row)), table.name
                assert wrong.replace("-", "") not in str(tuple(row)), table.name


# ------------------------------------------------------------------------------------------------------ joining a unit


def limited(world: World, most: int, unit: str = "22") -> None:
    with world.write() as conn:
        units.set_setting(conn, unit, "joins_per_hour", most, "test", world.now)


def test_beyond_the_limit_joining_is_put_off_and_the_officers_hear_once(world: World) -> None:
    limited(world, 2)  # of the province: it is inherited
    officer = world.officer()
    waiting = world.citizen().opens("DV06685K").presses("yes").presses("agree").types("Lê Thị Na").types("1980")
    waiting.presses("skip").presses("anh_chi")
    world.citizen().joins(name="Lê Văn Một")
    assert officer.hears() == []
    world.citizen().joins(name="Lê Văn Hai")
    (told,) = officer.hears()
    assert "2 người" in told.text and "Phường Hồng Gai" in told.text
    for _n in range(3):
        world.citizen().opens("DV06685K").presses("yes").sees("đợi đến 10:00").sees("đúng không ạ?")
        waiting.presses("nong_dan").sees("đợi đến 10:00")
    assert officer.hears() == []
    world.passes(minutes=61)
    waiting.presses("nong_dan").sees("Lê Thị Na")
    world.recounted()
    with world.read() as conn:
        assert conn.exec_driver_sql("select count(*) from people").scalar() == 3


def test_one_units_crowd_does_not_close_anothers_door(world: World) -> None:
    limited(world, 1)
    world.citizen().joins()
    with world.read() as conn:
        place = units.by_code(conn, "06685")
        sibling = conn.exec_driver_sql(
            f"select code from units where parent_id = {place.parent_id} and code <> '06685' and level = 2"  # type: ignore[union-attr]
        ).scalar()
    other = f"DV{sibling}{codes.check_letter(codes.VINTAGE_2025, sibling)}"
    world.citizen().joins(payload=other)


def test_a_hundred_at_an_event_join_by_default(world: World) -> None:
    with world.write() as conn:
        place = units.by_code(conn, "06685")
        assert place is not None
        most = units.settings(conn, place).joins_per_hour
        assert most == 300
        later = world.now + timedelta(hours=1)

        def joins(n: int, network: str = "") -> int | datetime:
            assert place is not None
            return attempts.join(conn, place.id, most, attempts.guesser("test", f"phone-{n}", network), world.now)

        assert [joins(n) for n in range(301)] == [*range(1, 301), later]
        assert attempts.join(conn, place.id, most, attempts.guesser("test", "phone-1"), later) == 1


def test_one_network_does_not_take_every_place_of_a_unit(world: World) -> None:
    with world.write() as conn:
        place = units.by_code(conn, "06685")
        assert place is not None

        def joins(n: int, network: str, most: int) -> bool:
            assert place is not None
            who = attempts.guesser("test", f"phone-{network}-{n}", network)
            looked = attempts.joins_again(conn, place.id, most, who, world.now) is None
            found = attempts.join(conn, place.id, most, who, world.now)
            assert isinstance(found, int) == looked
            return looked

        assert sum(joins(n, "203.0.113.9", 300) for n in range(200)) == attempts.NETWORK_JOINS == 150
        assert joins(0, "203.0.113.10", 300)
        # An operator who raises the unit's limit before an event in a hall raises it for the hall's one address too.
        assert sum(joins(n, "203.0.113.9", 1_000) for n in range(200, 600)) == 350


def test_joining_erasing_and_joining_again_closes_only_ones_own_door(world: World) -> None:
    limited(world, 10)
    hostile = world.citizen()
    for _n in range(3):
        hostile.joins()
        hostile.types("/dulieu").presses("ask_erase").presses("erase").presses("erase_all")
        assert not hostile.exists()
        world.passes(minutes=1)
    hostile.opens("DV06685K").presses("yes").sees("đợi đến 10:00", "đúng không ạ?")
    world.citizen().joins().sees("Đã ghi tên")  # the unit's own places are not gone
    world.passes(minutes=61)
    hostile.presses("yes").presses("agree").sees("Họ và tên")
