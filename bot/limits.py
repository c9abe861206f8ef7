"""Limits of what one contact and one network address may ask of this process, looked at before anything else is done.

In memory and per process: who is limited at one of several processes may still find another open, which changes
nothing about what each of them bears. What must hold across processes (wrong secrets, how many join a unit) is counted
in the database (:mod:`storage.attempts`).

A limit is a token bucket: so many at once, refilled so fast. They are set where no person and no school gets: an album
of ten photos is ten messages, and a whole commune may sit behind one address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Literal

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Clock = Callable[[], float]
Verdict = Literal["open", "told", "shut"]

KEYS_KEPT = 50_000  # buckets in memory: some 10 MB
BODIES, BODIES_OF_ONE = 32, 4  # files in memory at once, 20 MB each at most: of a process, of a browser in it
PATIENT = 8  # refusals of a contact or a network that wait at the same time
QUIET = 60.0  # seconds without a refusal after which a flood is over, and a new one is told of again
IPV6_PREFIX = 64  # a household has that many addresses to itself


@dataclass(frozen=True, slots=True)
class Rate:
    """*burst* at once, refilled with *a_minute*."""

    burst: float
    a_minute: float


@dataclass(frozen=True, slots=True)
class Limits:
    """The operator's ``[limits]``: of a contact (messages; uploads an hour) and of a network address (requests; new
    browsers an hour; open streams; requests under way)."""

    contact: Rate = Rate(120, 60)
    network: Rate = Rate(3_000, 6_000)
    uploads_an_hour: int = 200
    browsers_an_hour: int = 3_000
    streams: int = 1_000
    at_once: int = 200


UNLIMITED = Limits(Rate(1e9, 1e9), Rate(1e9, 1e9), 10**9, 10**9, 10**9, 10**9)


def hourly(most: int) -> Rate:
    """So many an hour, all of them at once if need be."""
    return Rate(most, most / 60)


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float
    shut: bool = False
    refused_at: float = float("-inf")


class Buckets:
    """A bucket for each key, of one *rate*. The oldest are forgotten when there are too many: whoever makes up keys
    gains a full bucket by it, and every key has one anyway."""

    def __init__(self, rate: Rate, clock: Clock = time.monotonic) -> None:
        self.rate, self._clock = rate, clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, count: float = 1) -> float:
        """Take one from the key's bucket: 0.0, or the seconds after which it may be tried again (nothing is taken
        then)."""
        bucket = self._refilled(key)
        if bucket.left >= count:
            bucket.left -= count
            return 0.0
        return (count - bucket.left) * 60 / self.rate.a_minute

    def give_back(self, key: str) -> None:
        """What was taken came to nothing, and will come again."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.left = min(self.rate.burst, bucket.left + 1)

    def admit(self, key: str) -> Verdict:
        """Take one for a channel that cannot ask to come again: ``open``, or ``told`` (the first refusal of a flood, of
        which the person is told) or ``shut`` (silence). Once shut it opens when half the bucket is full again, so that
        a flood does not get a word in every second."""
        bucket = self._refilled(key)
        if bucket.left >= (max(1.0, self.rate.burst / 2) if bucket.shut else 1.0):
            bucket.shut = False
            bucket.left -= 1
            return "open"
        now = self._clock()
        told = not bucket.shut and now - bucket.refused_at > QUIET
        bucket.shut, bucket.refused_at = True, now
        return "told" if told else "shut"

    def _refilled(self, key: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self.rate.burst, now)
            while len(self._buckets) > KEYS_KEPT:
                self._buckets.popitem(last=False)
            return bucket
        self._buckets.move_to_end(key)
        bucket.left = min(self.rate.burst, bucket.left + (now - bucket.at) * self.rate.a_minute / 60)
        bucket.at = now
        return bucket


class Slots:
    """How many things of a key go on at the same time: at most *most*."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._held: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._held)

    @contextmanager
    def hold(self, key: str) -> Iterator[bool]:
        """Inside, one more goes on; ``False``: there are too many, and it is not counted."""
        if self._held.get(key, 0) >= self.most:
            yield False
            return
        self._held[key] = self._held.get(key, 0) + 1
        try:
            yield True
        finally:
            left = self._held[key] - 1
            if left:
                self._held[key] = left
            else:
                del self._held[key]


class OneByOne:
    """One thing of a key goes on at a time; the others wait, first come first served."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._at: Counter[str] = Counter()  # those inside and those who wait

    def __len__(self) -> int:
        return len(self._locks)

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[None]:
        """Inside, nobody else of the key is."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._at[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._at[key] -= 1
            if not self._at[key]:
                del self._locks[key], self._at[key]


@dataclass(slots=True)
class Doors:
    """Every limit of the web channel."""

    limits: Limits
    contact: Buckets = field(init=False)
    network: Buckets = field(init=False)
    uploads: Buckets = field(init=False)
    browsers: Buckets = field(init=False)
    streams: Slots = field(init=False)
    under_way: Slots = field(init=False)
    acts: OneByOne = field(default_factory=OneByOne)  # of a browser: the page sends one after the other anyway
    penance: Slots = field(default_factory=lambda: Slots(PATIENT))
    bodies: Slots = field(default_factory=lambda: Slots(BODIES))  # of one key
    bodies_of_one: Slots = field(default_factory=lambda: Slots(BODIES_OF_ONE))
    _met: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.contact, self.network = Buckets(self.limits.contact), Buckets(self.limits.network)
        self.uploads = Buckets(hourly(self.limits.uploads_an_hour))
        self.browsers = Buckets(hourly(self.limits.browsers_an_hour))
        self.streams, self.under_way = Slots(self.limits.streams), Slots(self.limits.at_once)

    def meet(self, browser: str, network: str) -> float:
        """A browser acts: 0.0, or the seconds until this network may bring one more that this process has not seen. A
        cookie proves nothing here, since anybody can make one up."""
        if browser in self._met:
            self._met.move_to_end(browser)
            return 0.0
        wait = self.browsers.take(network) if network else 0.0
        if not wait:
            self._met[browser] = None
            while len(self._met) > KEYS_KEPT:
                self._met.popitem(last=False)
        return wait


# ------------------------------------------------------------------------------------------ who asks


def networks(text: str) -> tuple[Network, ...]:
    """The networks in ``127.0.0.1, ::1, 10.0.0.0/8``. Raises ``ValueError``."""
    return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())


def network_of(remote: str | None, forwarded: Sequence[str], real_ip: str, trusted: Sequence[Network]) -> str:
    """The network address that a request comes from (of IPv6 the /64), ``""`` where it is not known.

    What ``X-Forwarded-For`` (each line that there is) and ``X-Real-IP`` say counts only from a trusted proxy, and of
    several addresses the last that is no trusted proxy's: what stands before it anybody can write. A trusted proxy
    that names nobody leaves it unknown, for all the world would share its address. Where the two headers name
    different addresses, one of them came from whoever asks: neither counts, and the peer's own address does.
    """
    peer = _address(remote or "")
    if peer is None:
        return ""
    if not _within(peer, trusted):
        return _named(peer)
    hops = _outermost(",".join(forwarded).split(","), trusted) if forwarded else ""
    real = _outermost([real_ip], trusted)
    if forwarded and real and hops != real:
        return _named(peer)
    return hops if forwarded else real


def _outermost(hops: Sequence[str], trusted: Sequence[Network]) -> str:
    """The last of these addresses that is no trusted proxy's; ``""``: there is none, or it cannot be read."""
    for text in reversed(hops):
        found = _address(text)
        if found is None:
            return ""
        if not _within(found, trusted):
            return _named(found)
    return ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    text = text.strip()
    if text.startswith("[") and "]" in text:
        text = text[1 : text.index("]")]
    elif text.count(":") == 1:  # 203.0.113.9:51234
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _named(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if address.version == 6:
        return str(ipaddress.ip_network((int(address), IPV6_PREFIX), strict=False))
    return str(address)
