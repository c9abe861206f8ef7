"""``hoctap demo --size country``: a made-up country at work, the same for the same seed.

Every commune of today fares in its own way: most have an officer, some are slow, a few have not hung up their poster.
Who passes follows the shares that pilots and provinces reported, by subject group.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import resources
from itertools import accumulate
from pathlib import Path
from typing import Any

import criteria
from bot import demo
from bot.demo import Demo
from criteria import CriteriaSet, Given
from dialogs.home import Home
from dialogs.states import encode_state
from locales import _
from storage import (
    assessments,
    codes,
    conversations,
    evidence,
    officers,
    people,
    population,
    seasons,
    stale,
    tallies,
    units,
)
from storage.base import Connection
from storage.blobs import BlobFolder
from storage.engine import writing
from storage.population import Filing, MadeCitizen, MadeYear
from storage.units import UnitRow

PEOPLE = 60_000
SEED = demo.SEED
ACCOUNT = "web"  # so that what the bot says on its own arrives: on the web, the history is delivery
LATE = 90  # days after the year's end until which last year's dossiers were decided
SEASON_DAYS = 84  # this year's season began so long ago, or on 1 January
HOUR, DAY = 3_600, 86_400
HERE = 7 * HOUR  # Vietnam's clock before UTC
SHOWN_WITH_PICTURES = 60  # dossiers of the seats' province that wait

# What is assumed, where nobody has counted.
HOME_PEOPLE = 60  # at least, in the seats' commune
NO_OFFICER, NO_SCAN, SLOW = 0.11, 0.03, 0.15  # of the communes
LAST_YEAR, AGAIN = 0.40, 0.65  # of the people took part last year; of these again this year
UNREACHABLE, RETURNED_ONCE, MENDS, WITHDRAWS = 0.06, 0.10, 0.8, 0.015
SOUTH = "48"  # province codes from Đà Nẵng on


@dataclass(frozen=True, slots=True)
class Commune:
    """How a made-up commune fares: its people; has it an officer; how readily people go on (0 to 1); how many days a
    dossier waits on average; of each subject group how many (weights) and which share passes."""

    unit: UnitRow
    people: int
    officer: bool
    pace: float
    days: float
    groups: Mapping[str, float]
    passes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sheets:
    """Filled-in forms to take from: (subject group, passes) → (indicator → level, total)."""

    found: Mapping[tuple[str, bool], Sequence[tuple[Mapping[str, str], int]]]
    proved: frozenset[tuple[str, str]]  # (indicator, level) that want evidence


@dataclass(frozen=True, slots=True)
class Season:
    """A season in seconds since 1970, as far as it has gone: citizens hand in from *begins* to *ends*, and what was
    handed in is dealt with until *closes*."""

    year: int
    begins: int
    ends: int
    closes: int


def known() -> dict[str, Any]:
    """Names, groups, texts: ``demo_country.toml``."""
    return tomllib.loads(resources.files("bot").joinpath("demo_country.toml").read_text("utf-8"))


# ------------------------------------------------------------------------------------------ the communes


def plan(communes: Sequence[UnitRow], count: int, data: Mapping[str, Any], seed: int) -> list[Commune]:
    """How each commune fares, *count* people spread over all of them; the seats' commune always has some."""
    weights, found = [], []
    for unit in communes:
        dice = random.Random(f"{seed} commune {unit.code}")  # noqa: S311 - the same country every time
        place = {"phuong": "ward", "dac_khu": "special"}.get(unit.kind, "commune")
        home = unit.code == demo.HOME
        slow = dice.random() < SLOW and not home
        pace = dice.uniform(0.15, 0.4) if slow else dice.betavariate(5, 2)
        silent = dice.random() < NO_SCAN and not home
        officer = dice.random() >= NO_OFFICER or home
        size = dice.lognormvariate(0, 0.5) * (1.5 if place == "ward" else 1.0) * (0.4 + pace)
        weights.append(0.0 if silent else size)
        found.append(
            Commune(
                unit,
                0,
                officer and not silent,
                pace,
                dice.uniform(9, 20) if slow else dice.uniform(1.5, 7),
                {id: group[place] * dice.uniform(0.6, 1.4) for id, group in data["groups"].items()},
                {id: dice.uniform(*group["passes"]) for id, group in data["groups"].items()},
            )
        )
    shares = _shares(weights, count)
    at_home = next((place for place, each in enumerate(found) if each.unit.code == demo.HOME), None)
    if at_home is not None and shares[at_home] < min(HOME_PEOPLE, count // 10):
        few, weights[at_home] = min(HOME_PEOPLE, count // 10), 0.0
        shares = _shares(weights, count - few)
        shares[at_home] = few
    return [
        Commune(each.unit, many, each.officer, each.pace, each.days, each.groups, each.passes)
        for each, many in zip(found, shares, strict=True)
    ]


def _shares(weights: Sequence[float], count: int) -> list[int]:
    """Whole numbers in proportion to the weights, *count* together."""
    edges = [round(count * upto / sum(weights)) for upto in accumulate(weights)]
    return [edge - before for before, edge in zip([0, *edges], edges, strict=False)]


def sheets(filed: CriteriaSet, data: Mapping[str, Any], seed: int, each: int = 40) -> Sheets:
    """Forms that pass and forms that do not, of each subject group with its own weak sides."""
    dice = random.Random(f"{seed} sheets")  # noqa: S311 - the same country every time
    names = [level.id for level in filed.levels]
    usual: dict[bool, list[float]] = {True: [5, 4, 1, 0, 0], False: [1, 3, 4, 2, 1]}
    weak: dict[bool, list[float]] = {True: [2, 4, 4, 0, 0], False: [0.4, 2, 4, 3, 2]}
    found: dict[tuple[str, bool], list[tuple[Mapping[str, str], int]]] = {}
    for group, about in data["groups"].items():
        for passes in (True, False):
            kept = found[group, passes] = []
            while len(kept) < each:
                levels = {
                    one.id: dice.choices(names, (weak if one.id in about["weak"] else usual)[passes])[0]
                    for one in filed.indicators
                }
                scored = criteria.score(filed, {id: Given(level) for id, level in levels.items()})
                if scored.passes == passes:
                    kept.append((levels, scored.total))
    proved = {
        (one.id, level.id)
        for one in filed.indicators
        for level in filed.levels
        if criteria.needs_evidence(one, level.id)
    }
    return Sheets(found, frozenset(proved))


# ------------------------------------------------------------------------------------------ the citizens


@dataclass(slots=True)
class Country:
    """What citizens are made of, and the codes not given yet."""

    data: Mapping[str, Any]
    sheets: Sheets
    seed: int
    this_year: Season
    last_year: Season
    codes: dict[int, Iterator[str]]

    def citizens(self, commune: Commune, officer: int, before: int) -> list[MadeCitizen]:
        """The citizens of a commune; *officer* decides this year, *before* did last year."""
        dice = random.Random(f"{self.seed} citizens {commune.unit.code}")  # noqa: S311 - the same country every time
        groups = dice.choices(list(commune.groups), list(commune.groups.values()), k=commune.people)
        return [self._citizen(dice, commune, group, officer, before) for group in groups]

    def _citizen(self, dice: random.Random, commune: Commune, group: str, officer: int, before: int) -> MadeCitizen:
        first, last = self.data["groups"][group]["born"]
        born = dice.randint(first, last)
        years = []
        if dice.random() < LAST_YEAR:
            years.append(self._year(dice, commune, group, self.last_year, before))
        if not years or dice.random() < AGAIN:
            years.append(self._year(dice, commune, group, self.this_year, officer if commune.officer else 0))
        form = "ong_ba" if born < 1966 else "anh_chi" if born < 2000 else "ban"
        address = f"made-{dice.getrandbits(64):016x}"
        name = made_name(dice, self.data, commune.unit)
        return MadeCitizen(name, born, form, group, address, dice.random() >= UNREACHABLE, years)

    def _year(self, dice: random.Random, commune: Commune, group: str, season: Season, officer: int) -> MadeYear:
        passes = dice.random() < commune.passes[group]
        events = _events(dice, commune, season, bool(officer), passes)
        code = next(self.codes[season.year])
        last = events[-1][0]
        levels, total = dice.choice(self.sheets.found[group, passes])
        if not any(event == "submit" for event, _at in events):
            # Of last year's forms that were never handed in nothing is kept any more.
            begun = dice.randrange(1, 9) if last == "start" and season is self.this_year else 0
            levels = dict(list(levels.items())[:begun])
        words = {
            indicator: dice.choice(self.data["texts"][indicator])
            for indicator, level in levels.items()
            if (indicator, level) in self.sheets.proved
        }
        reason = _("demo.reason.not_met") if last == "not_met" else _("demo.reason.returned")
        returned = dice.choice(list(levels)) if any(event == "return" for event, _at in events) else ""
        made = [(event, datetime.fromtimestamp(at, UTC)) for event, at in events]
        return MadeYear(season.year, code, made, levels, words, officer, total, returned, reason)


KEYS = ("demo.reason.not_met", "demo.reason.returned")


def _events(
    dice: random.Random, commune: Commune, season: Season, officer: bool, passes: bool
) -> list[tuple[str, int]]:
    """One citizen's way through a season: (event, seconds since 1970), as far as it has come."""
    at = _waking(dice, season.begins + int((season.ends - season.begins) * dice.betavariate(1.4, 1.2)), season)
    found = [("register", at)]
    handed_in = False

    def goes_on(event: str, days: float, likely: float) -> bool:
        nonlocal at
        if dice.random() >= likely:
            return False
        after = at + 60 + int(dice.expovariate(1 / days) * DAY)
        if event in population.DECISIONS:
            after = _at_work(dice, after)
        elif (hour := (after + HERE) % DAY // HOUR) < 6:  # people sleep
            after += (6 - hour) * HOUR
        if after > (season.closes if handed_in else season.ends):
            return False
        at = after
        found.append((event, at))
        return True

    if not goes_on("start", 1.0, 0.72 + 0.25 * commune.pace):
        return found
    if not goes_on("submit", 3.0, 0.55 + 0.40 * commune.pace):
        goes_on("withdraw", 5.0, WITHDRAWS / 0.3)
        return found
    handed_in = True
    if not officer:
        return found
    returned = dice.random() < RETURNED_ONCE
    if returned and not (goes_on("return", commune.days, 1.0) and goes_on("submit", 4.0, MENDS)):
        return found
    goes_on("approve" if passes else "not_met", commune.days, 1.0)
    return found


def _waking(dice: random.Random, at: int, season: Season) -> int:
    """The same day at an hour when people are awake."""
    day = (at + HERE) // DAY * DAY - HERE
    hour = dice.choices(range(6, 23), (2, 3, 5, 6, 5, 4, 3, 3, 4, 4, 4, 5, 6, 9, 10, 7, 3))[0]
    return min(max(day + hour * HOUR + dice.randrange(HOUR), season.begins), season.ends)


def _at_work(dice: random.Random, at: int) -> int:
    """A later moment in an office's hours, Monday to Friday."""
    day = (at + HERE) // DAY + 1
    while (day + 3) % 7 >= 5:  # 1 January 1970 was a Thursday
        day += 1
    return day * DAY - HERE + dice.choice((8, 8, 9, 9, 10, 14, 14, 15, 16)) * HOUR + dice.randrange(HOUR)


def made_name(dice: random.Random, data: Mapping[str, Any], unit: UnitRow) -> str:
    """A name as people of the unit's part of the country have it."""
    families, shares = zip(*data["family"], strict=True)
    family = dice.choices(families, cum_weights=_running(shares))[0]
    if unit.path.split("/")[1] >= SOUTH:
        family = data["south"].get(family, family)
    sex = "female" if dice.random() < 0.52 else "male"
    return f"{family} {dice.choice(data[f'middle_{sex}'])} {dice.choice(data[f'given_{sex}'])}"


_sums: dict[tuple[float, ...], list[float]] = {}


def _running(shares: tuple[float, ...]) -> list[float]:
    if shares not in _sums:
        _sums[shares] = list(accumulate(shares))
    return _sums[shares]


# ------------------------------------------------------------------------------------------ writing it


def prepare(folder: Path, count: int = PEOPLE, seed: int = SEED, now: datetime | None = None) -> Demo:
    """Make the country's database in *folder*, about 60,000 people a minute; who sits where."""
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    begun = demo.begin(folder, now)
    filed, data = criteria.builtin(), known()
    today = seasons.today(now)
    first = int(datetime(today.year, 1, 1, tzinfo=seasons.ZONE).timestamp())
    ends = int(now.timestamp())
    last = seasons.default_windows(today.year - 1)
    year_ago = Season(
        today.year - 1,
        int(datetime.combine(last.assessment_from, datetime.min.time(), seasons.ZONE).timestamp()),
        year_end := int(datetime.combine(last.decision_to, datetime.min.time(), seasons.ZONE).timestamp()),
        min(year_end + LATE * DAY, ends),
    )
    country = Country(
        data,
        sheets(filed, data, seed),
        seed,
        Season(today.year, max(first, ends - SEASON_DAYS * DAY), ends, ends),
        year_ago,
        {year: population.dossier_codes(year) for year in (today.year, today.year - 1)},
    )
    filing = Filing(ACCOUNT, encode_state(Home()), filed.id, filed.version, "demo", _("demo.controller"))
    with population.loading(begun.engine) as conn:
        with conn.begin():
            centre = units.by_code(conn, "VN")
            assert centre is not None
            provinces = [each for each in units.children(conn, centre.id) if each.valid_to is None]
            below = {each.id: [one for one in units.children(conn, each.id) if not one.valid_to] for each in provinces}
        communes = plan([one for each in provinces for one in below[each.id]], count, data, seed)
        of_unit = {each.unit.id: each for each in communes}
        for province in provinces:
            with conn.begin():  # one province is enough for a transaction
                _province(conn, province, [of_unit[each.id] for each in below[province.id]], country, filing)
    with writing(begun.engine) as conn:
        _add_pictures(conn, begun.blobs, begun.data, seed, now)
        while tallies.refresh(conn):
            pass
        seats = demo.seats(conn, begun.data, now, centre=data["officers"]["centre"])
    begun.engine.dispose()
    return Demo(begun.url, begun.blobs.root, seats)


def _province(
    conn: Connection, province: UnitRow, communes: Sequence[Commune], country: Country, filing: Filing
) -> None:
    dice = random.Random(f"{country.seed} officers {province.code}")  # noqa: S311 - the same country every time
    since = datetime.fromtimestamp(country.last_year.begins, UTC) - timedelta(days=20)
    hire = partial(_hire, conn, dice, country.data, since)
    supervisor = hire(province, "supervisor")
    for commune in communes:
        reviewer = hire(commune.unit, "reviewer") if commune.officer else 0
        made = country.citizens(commune, reviewer, reviewer or supervisor)
        if made:
            population.write(conn, commune.unit.id, made, filing)


def _hire(
    conn: Connection, dice: random.Random, data: Mapping[str, Any], since: datetime, unit: UnitRow, role: str
) -> int:
    """An officer who accepted an invite on the web; the officer's id."""
    contact = people.meet(conn, ACCOUNT, f"made-{dice.getrandbits(64):016x}", since)
    people.keep_contact(conn, contact)
    conversations.begin_chat(conn, contact, encode_state(Home()), "vi", since)
    code = officers.invite(conn, unit.id, role, since, "demo", made_name(dice, data, unit))
    return officers.accept(conn, officers.open_invite(conn, codes.secret_hash(code), since), contact, None, since)


def _add_pictures(conn: Connection, blobs: BlobFolder, data: Mapping[str, Any], seed: int, now: datetime) -> None:
    """Pictures of papers beside some of what waits in the seats' province, the seats' commune first."""
    dice = random.Random(f"{seed} pictures")  # noqa: S311 - the same country every time
    papers = demo.papers(dice, data, blobs)
    filed = criteria.builtin()
    waiting = {
        row.id: row
        for code in (demo.HOME, demo.PROVINCE)
        for unit in [units.by_code(conn, code)]
        if unit is not None
        for row in assessments.queue(conn, unit.path, SHOWN_WITH_PICTURES)
    }
    for row in waiting.values():
        contact = people.contacts_of(conn, row.person_id)[0].contact_id
        for indicator in dice.sample(sorted(papers), k=dice.choice([1, 2, 2, 3])):
            kinds = filed.indicator(indicator).evidence.kinds
            kind = next((kind for kind in evidence.PICTURE_KINDS if kind in kinds), None)
            if kind is not None:
                demo.give(conn, contact, papers[indicator], now)
                stale.touch(conn, row.unit_id, seasons.today(row.submitted_at).year)
                evidence.add(
                    conn, row.id, indicator, kind, contact_id=contact, key=papers[indicator].key, now=row.submitted_at
                )
