"""Buckets, slots, and whose address a request comes from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import limits
from bot.limits import Buckets, Doors, Limits, OneByOne, Rate, Slots, hourly, network_of, networks
from bot.outbound import allowed, origin
from bot.settings import limits as of_settings
from bot.settings_file import load_settings

TRUSTED = networks("127.0.0.1, ::1, 10.0.0.0/8")


class Clock:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


# ------------------------------------------------------------------------------------------ buckets


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    clock = Clock()
    buckets = Buckets(Rate(5, 60), clock)
    assert [buckets.take("a") for _n in range(5)] == [0.0] * 5
    assert buckets.take("a") == pytest.approx(1.0)
    assert buckets.take("b") == 0.0  # everybody has one of their own
    clock.now += 1
    assert buckets.take("a") == 0.0
    assert buckets.take("a") > 0
    clock.now += 3600
    assert [buckets.take("a") == 0.0 for _n in range(6)] == [True] * 5 + [False]


@given(st.lists(st.floats(0, 20), min_size=1, max_size=80))
def test_no_more_than_burst_and_rate_ever_pass(pauses: list[float]) -> None:
    clock = Clock()
    buckets = Buckets(Rate(4, 30), clock)
    began, passed = clock.now, 0
    for pause in pauses:
        clock.now += pause
        passed += buckets.take("x") == 0.0
        assert passed <= 4 + (clock.now - began) * 30 / 60 + 1e-6


@given(st.lists(st.floats(0, 20), min_size=1, max_size=80))
def test_the_seconds_that_are_told_are_enough(pauses: list[float]) -> None:
    clock = Clock()
    buckets = Buckets(Rate(4, 30), clock)
    for pause in pauses:
        clock.now += pause
        wait = buckets.take("x")
        if wait:
            clock.now += wait + 1e-6
            assert buckets.take("x") == 0.0


def test_what_came_to_nothing_is_given_back() -> None:
    buckets = Buckets(Rate(2, 1), Clock())
    for _n in range(50):
        assert buckets.take("a") == 0.0
        buckets.give_back("a")
    buckets.give_back("a")
    buckets.give_back("unknown")
    assert [buckets.take("a") == 0.0 for _n in range(3)] == [True, True, False]  # never more than the burst


def test_a_flood_hears_once_then_nothing_until_it_calms_down() -> None:
    clock = Clock()
    door = Buckets(Rate(120, 60), clock)
    heard = []
    for _n in range(60_000):  # ten minutes at a hundred a second
        clock.now += 0.01
        heard.append(door.admit("flood"))
    assert heard.count("told") == 1
    assert heard.index("told") > 119
    assert heard.count("open") <= 120 + 600
    clock.now += 121
    assert door.admit("flood") == "open"
    assert {door.admit("flood") for _n in range(119)} == {"open"}
    assert door.admit("flood") == "told"  # a new flood is told of again


def test_people_never_meet_the_limit() -> None:
    """Four albums of ten photos in one go; somebody who presses twice a second for a minute; a day's backlog."""
    clock = Clock()
    door = Buckets(Limits().contact, clock)
    assert {door.admit("album") for _n in range(40)} == {"open"}
    for _n in range(120):
        clock.now += 0.5
        assert door.admit("quick") == "open"
    assert {door.admit("backlog") for _n in range(100)} == {"open"}


def test_a_school_behind_one_address_never_meets_the_limit() -> None:
    """Three hundred people open the page (nine requests each) within a minute and answer every four seconds."""
    clock = Clock()
    doors = Doors(Limits())
    doors.network = Buckets(Limits().network, clock)
    for second in range(300):
        clock.now += 1
        for _n in range(75 + (45 if second < 60 else 0)):
            assert doors.network.take("203.0.113.9") == 0.0
    assert all(doors.meet(f"browser-{n}", "203.0.113.9") == 0.0 for n in range(1500))


def test_keys_that_are_made_up_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEYS_KEPT", 100)
    buckets, doors = Buckets(Rate(1, 1)), Doors(Limits())
    for n in range(1_000):
        buckets.take(str(n))
        doors.meet(str(n), "203.0.113.9")
    assert len(buckets) == 100
    assert len(doors._met) == 100


def test_new_browsers_of_a_network_are_counted_and_known_ones_not() -> None:
    doors = Doors(Limits(browsers_an_hour=3))
    assert [doors.meet(name, "n") == 0.0 for name in ("a", "b", "a", "c", "d", "a", "e")] == [
        True, True, True, True, False, True, False,
    ]  # fmt: skip
    assert doors.meet("f", "other") == 0.0
    assert all(doors.meet(f"unknown-{n}", "") == 0.0 for n in range(10))  # whose network nobody tells


def test_slots_are_freed_whatever_happens() -> None:
    slots = Slots(2)
    with slots.hold("a") as one, slots.hold("a") as two, slots.hold("a") as three, slots.hold("b") as other:
        assert (one, two, three, other) == (True, True, False, True)
    with pytest.raises(RuntimeError), slots.hold("a"):
        raise RuntimeError
    assert len(slots) == 0


def test_hourly() -> None:
    assert hourly(120) == Rate(120, 2)


def test_the_operators_defaults_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert of_settings(load_settings()) == Limits()


# ------------------------------------------------------------------------------------------ who asks


@pytest.mark.parametrize(
    ("remote", "forwarded", "real", "found"),
    [
        ("203.0.113.9", [], "", "203.0.113.9"),
        ("203.0.113.9", ["1.2.3.4"], "1.2.3.4", "203.0.113.9"),  # not a proxy of ours: its word counts for nothing
        ("127.0.0.1", ["203.0.113.9"], "", "203.0.113.9"),
        ("127.0.0.1", ["1.1.1.1, 203.0.113.9"], "", "203.0.113.9"),  # what stands before it was sent along
        ("127.0.0.1", ["1.1.1.1", "203.0.113.9"], "", "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9, 10.0.0.7"], "", "203.0.113.9"),  # two proxies of ours
        ("127.0.0.1", ["203.0.113.9:4711"], "", "203.0.113.9"),
        ("127.0.0.1", ["[2001:db8:1:2::5]:443"], "", "2001:db8:1:2::/64"),
        ("127.0.0.1", [], "203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", [], "", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", [], "", "2001:db8:1:2::/64"),
        ("127.0.0.1", [], "", ""),
        ("127.0.0.1", ["unknown"], "", ""),
        ("127.0.0.1", ["203.0.113.9, nonsense"], "", ""),
        ("127.0.0.1", ["127.0.0.1"], "", ""),
        (None, ["203.0.113.9"], "", ""),
        ("127.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9", "203.0.113.9"),
        # A front that sets one of the two and passes the other on as it came: neither can be told from a lie.
        ("127.0.0.1", ["198.51.100.7"], "203.0.113.9", "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9, nonsense"], "203.0.113.9", "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9"], "nonsense", "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9, 10.0.0.7"], "10.0.0.7", "203.0.113.9"),  # each proxy of ours names its own peer
    ],
)
def test_whose_address(remote: str | None, forwarded: list[str], real: str, found: str) -> None:
    assert network_of(remote, forwarded, real, TRUSTED) == found


@given(st.text(max_size=60), st.text(max_size=40))
def test_no_header_breaks_it(forwarded: str, real: str) -> None:
    network_of("127.0.0.1", [forwarded], real, TRUSTED)


# ------------------------------------------------------------------------------------------ where we go

API = ("https://api.telegram.org", "http://127.0.0.1:8081")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.telegram.org/file/bot1:A/photos/file_1.jpg",
        "https://api.telegram.org:443/file/x",
        "http://127.0.0.1:8081/file/bot1:A/documents/file_2.pdf",
    ],
)
def test_an_address_that_the_operator_named(url: str) -> None:
    assert allowed(url, API)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "photos/file_1.jpg",
        "//evil.example/x",
        "http://api.telegram.org/x",  # not the scheme that was named
        "https://api.telegram.org:8443/x",
        "https://api.telegram.org.evil.example/x",
        "https://evil.example/https://api.telegram.org/x",
        "https://api.telegram.org@evil.example/x",
        "https://user:pass@api.telegram.org/x",
        "https://api.telegram.org\\@evil.example/x",
        "https://api.telegram.org/file/../../bot1:A/getMe",
        "https://api.telegram.org/file/%2e%2e/x",
        "https://api.telegram.org/file/%252e%252e/x",
        "https://api.telegram.org/file/x#y",
        "https://api.telegram.org/file/x\r\nHost: evil.example",
        "https://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:8080/x",
        "http://[::1]:8081/x",
        "file:///etc/passwd",
        "gopher://api.telegram.org/x",
        "https://api.telegram.org:99999/x",
    ],
)
def test_an_address_that_nobody_named(url: str) -> None:
    assert not allowed(url, API)


@given(st.text(max_size=80))
def test_nothing_that_is_supplied_breaks_it(text: str) -> None:
    assert not allowed(text, ())
    allowed(f"https://api.telegram.org/{text}", API)
    origin(text)


# ------------------------------------------------------------------------------------------ one by one


async def test_one_of_a_key_goes_on_at_a_time_in_the_order_they_came() -> None:
    turns, inside, done = OneByOne(), [0, 0], list[str]()

    async def act(key: str, name: str) -> None:
        async with turns.hold(key):
            inside[0] += key == "a"
            inside[1] = max(inside)
            await asyncio.sleep(0)
            done.append(name)
            inside[0] -= key == "a"

    await asyncio.gather(*(act("a", f"a{n}") for n in range(5)), act("b", "b0"))
    assert inside == [0, 1]
    assert [name for name in done if name != "b0"] == [f"a{n}" for n in range(5)]
    assert done.index("b0") < done.index("a4")  # another key does not wait
    assert len(turns) == 0  # and nothing is kept of any


async def test_who_gives_up_waiting_leaves_the_others_their_turn() -> None:
    turns = OneByOne()
    async with turns.hold("a"):
        waiting = asyncio.create_task(anext(aiter_of(turns)))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert len(turns) == 1
    async with asyncio.timeout(1), turns.hold("a"):
        pass
    assert len(turns) == 0


async def aiter_of(turns: OneByOne) -> AsyncIterator[None]:
    """Holds the key ``a`` until it is closed."""
    async with turns.hold("a"):
        yield
