"""Schedules (lịch gửi báo cáo): when summaries go up by themselves, to whom, and when each is due next.

Times of day are those of the schedule's zone; what is due is told in UTC. The cron fields are read by cronsim, where
Sunday is 0 and 7 as in cron itself.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from locales import _, moment

LEVELS = ("centre", "province", "commune", "association", "any")  # of units; the first four in the order of their level
CONTENTS = ("summary", "waiting")
ROLES = ("supervisor", "reviewer")
DAY = 24 * 60  # minutes

_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_DAYS = re.compile(r"[\d,/-]+")
_LONG = range(29, 32)  # days that not every month has
_SHORTEST = {month: monthrange(2026, month)[1] for month in range(1, 13)}  # days of a month in a common year


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as the operator wrote it.

    ``cron``: five fields, read in ``zone`` (an IANA name); a day of the month 29 to 31 means the last day of a month
    that is shorter. ``content``: ``summary`` (figures and chart of each unit) or ``waiting`` (dossiers that wait; only
    for whom some do). ``level``: of the units whose officers with one of ``roles`` get it. ``quiet``: ``HH:MM-HH:MM``
    in which nothing is sent, over midnight or not; empty: never.
    """

    name: str
    cron: str
    content: str = "summary"
    roles: tuple[str, ...] = ("supervisor",)
    level: str = "any"
    zone: str = "Asia/Ho_Chi_Minh"
    quiet: str = "21:00-06:30"


DEFAULTS = (
    Schedule("weekly-province", "0 7 * * MON", "summary", ("supervisor",), "province"),
    Schedule("monthly-centre", "0 7 1 * *", "summary", ("supervisor",), "centre"),
    Schedule("morning-queue", "30 7 * * *", "waiting", ("reviewer",), "any"),
)


def level_of(schedule: Schedule) -> int | None:
    """The level of the units whose officers get it, 0 the centre; ``None``: any."""
    return None if schedule.level == "any" else LEVELS.index(schedule.level)


def fault(schedule: Schedule) -> str:
    """What is wrong with a schedule: the name of the field, ``never`` for a day that does not come; ``""``: nothing."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", schedule.name):
        return "name"
    if schedule.content not in CONTENTS:
        return "content"
    if schedule.level not in LEVELS:
        return "level"
    if not schedule.roles or any(role not in ROLES for role in schedule.roles):
        return "roles"
    try:
        ZoneInfo(schedule.zone)
    except (KeyError, ValueError, OSError):  # not found; not a name; a folder of names
        return "zone"
    if schedule.quiet and (not _QUIET.fullmatch(schedule.quiet) or _quiet(schedule.quiet) == (0, 0)):
        return "quiet"
    try:
        _due(schedule, datetime(2026, 1, 1, tzinfo=UTC), None)
    except CronSimError:
        return "cron"
    except StopIteration:
        return "never"
    return ""


# ------------------------------------------------------------------------------------------ when


def next_due(schedule: Schedule, after: datetime, own: int | None = None) -> datetime:
    """The first due time later than *after*, in UTC, on a whole minute.

    *own*: an officer's own time of day in minutes after midnight, which takes the place of the schedule's; a day on
    which it is due several times has it once then. An hour that summer time leaves out is due when it would have been
    over, one that comes twice the first time.
    """
    return _due(schedule, after, own)


def is_due(schedule: Schedule, at: datetime, own: int | None = None) -> bool:
    """Is *at* one of the schedule's due times?"""
    return next_due(schedule, at - timedelta(minutes=1), own) == at


@lru_cache(maxsize=4096)
def _due(schedule: Schedule, after: datetime, own: int | None) -> datetime:
    zone = ZoneInfo(schedule.zone)
    fields = schedule.cron.split()
    if own is not None and len(fields) == 5:
        fields[:2] = [str(own % 60), str(own // 60)]
    accepted: Callable[[datetime], bool] = _every
    if len(fields) == 5 and _DAYS.fullmatch(fields[2]):
        fields, accepted = _with_short_months(fields)
    times = CronSim(" ".join(fields), after.astimezone(zone))
    while True:
        found = next(times)
        due = found.astimezone(UTC)
        # In the hour that comes twice, what was due in its first half is behind us.
        if due > after and accepted(found):
            return due


def _every(_day: datetime) -> bool:
    return True


def _with_short_months(fields: list[str]) -> tuple[list[str], Callable[[datetime], bool]]:
    """The fields with every last day of a month among their days, and whether such a day is meant."""
    wide = [*fields[:2], f"{fields[2]},L", *fields[3:]]
    # Any moment does: only what the fields say is read here.
    said = CronSim(" ".join(wide), datetime(2026, 1, 1, tzinfo=UTC))
    days = {day for day in said.days if day > 0}
    latest = max(days)
    if latest not in _LONG:
        CronSim(" ".join(fields), datetime(2026, 1, 1, tzinfo=UTC))
        return fields, _every

    def accepted(day: datetime) -> bool:
        last = monthrange(day.year, day.month)[1]
        if day.day != last or day.day in days or latest > last:
            return True
        return not said.day_and and said.match_dow(day.date())

    return wide, accepted


def is_first_of_day(schedule: Schedule, at: datetime, own: int | None = None) -> bool:
    """Is there no due time on the day of *at* before it?"""
    return next_due(schedule, day_of(schedule, at) - timedelta(minutes=1), own) >= at


@lru_cache(maxsize=64)
def _quiet(text: str) -> tuple[int, int]:
    """From and to in minutes after midnight; both 0: never."""
    found = _QUIET.fullmatch(text)
    if found is None:
        return 0, 0
    first, last = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    return (0, 0) if first == last else (first, last)


def is_quiet(schedule: Schedule, minute: int) -> bool:
    """Does a time of day (minutes after midnight) lie in the quiet hours?"""
    first, last = _quiet(schedule.quiet)
    return first <= minute < last if first <= last else (minute >= first or minute < last)


def quiet_until(schedule: Schedule, now: datetime) -> datetime | None:
    """When the quiet hours end that *now* lies in, in UTC; ``None`` outside them."""
    local = now.astimezone(ZoneInfo(schedule.zone))
    minute = local.hour * 60 + local.minute
    if not is_quiet(schedule, minute):
        return None
    _first, last = _quiet(schedule.quiet)
    day = local.date() + timedelta(days=1 if last <= minute else 0)
    return datetime.combine(day, time(last // 60, last % 60), local.tzinfo).astimezone(UTC)


def day_of(schedule: Schedule, at: datetime) -> datetime:
    """When the day began on which *at* lies, by the schedule's clock, in UTC."""
    local = at.astimezone(ZoneInfo(schedule.zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def day_after(schedule: Schedule, at: datetime) -> datetime:
    """When that day ends."""
    return day_of(schedule, day_of(schedule, at) + timedelta(hours=36))  # a day has 23 to 25 hours


# ------------------------------------------------------------------------------------------ in words


def title(schedule: Schedule) -> str:
    """What it is, for whoever gets it: ``Bản tổng hợp số liệu của tỉnh, thành phố``."""
    if schedule.content == "waiting":
        return _("schedule.title.waiting")
    return _(f"schedule.title.{schedule.level}")


def in_words(schedule: Schedule, own: int | None = None) -> str:
    """When it is due: ``thứ Hai hằng tuần, 7 giờ``; that it has its own where these are too many for words."""
    fields = schedule.cron.split()
    if own is not None:
        fields[:2] = [str(own % 60), str(own // 60)]
    plain = _DAYS.fullmatch(fields[2]) is not None
    # 31 June is read with the last day beside it, else it would be none.
    read = [*fields[:2], f"{fields[2]},L", *fields[3:]] if plain else fields
    said = CronSim(" ".join(read), datetime(2026, 1, 1, tzinfo=UTC))
    if plain:
        said.days.discard(CronSim.LAST)
    days = _days_in_words(said, fields)
    if not days or len(said.minutes) > 1 or len(said.hours) > 3:
        return _("schedule.when.own")
    minute = next(iter(said.minutes))
    times = ", ".join(clock_in_words(hour * 60 + minute) for hour in sorted(said.hours))
    return _("schedule.when", days=days, times=times)


def _days_in_words(said: CronSim, fields: list[str]) -> str:
    """The days, or ``""`` where they have no short name."""
    any_day, any_month, any_weekday = (fields[n] == "*" for n in (2, 3, 4))
    if any_day and any_month and any_weekday:
        return _("schedule.days.every")
    if any_day and any_month:
        if any(isinstance(day, tuple) for day in said.weekdays):  # "the second Monday"
            return ""
        weekdays = sorted({(day + 6) % 7 for day in said.weekdays if isinstance(day, int)})
        if weekdays == [0, 1, 2, 3, 4]:
            return _("schedule.days.working")
        return _("schedule.days.week", days=", ".join(_(f"schedule.weekday.{day}") for day in weekdays))
    if any_weekday and len(said.days) <= 5 and all(day > 0 or day == CronSim.LAST for day in said.days):
        shortest = min(_SHORTEST[month] for month in said.months)
        named = (_day_in_words(day, shortest) for day in sorted(said.days, key=_last_last))
        days = ", ".join(dict.fromkeys(named))
        if any_month:
            return _("schedule.days.month", days=days)
        return _("schedule.days.year", days=days, months=", ".join(str(each) for each in sorted(said.months)))
    return ""


def _day_in_words(day: int, shortest: int) -> str:
    """A day of months of which the shortest has so many: one that it has not means its last."""
    if day < 0 or (day > shortest and day == _LONG[-1]):
        return _("schedule.day.last")
    return _("schedule.day.long" if day > shortest else "schedule.day", day=day)


def _last_last(day: int) -> int:
    return day if day > 0 else 32


def clock_in_words(minute: int) -> str:
    """``7 giờ``, ``7 giờ 30``, from minutes after midnight."""
    hour, rest = divmod(minute, 60)
    return _("schedule.clock", hour=hour, minute=f"{rest:02}") if rest else _("schedule.clock.hour", hour=hour)


def next_in_words(schedule: Schedule, now: datetime, own: int | None = None) -> str:
    """The next due time as people read it: ``7:00 ngày 23/11/2026``."""
    return moment(next_due(schedule, now, own))
