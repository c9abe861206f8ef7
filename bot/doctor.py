"""``hoctap doctor``: is the server ready for citizens, and what is still missing?"""

from __future__ import annotations

import ipaddress
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import criteria
from bot import keys
from bot.faults import cause
from bot.settings import Account, Settings, accounts, blob_place, sqlite_file, webhook_url
from bot.settings_file import SECRETS, config_file, secrets_file
from locales import _, moment, number, voice
from storage import catalogue, deletions, events, health, migrate, recount, units
from storage.base import Connection
from storage.blobs import BlobBucket, Bucket, StoreAway, StoreFull, open_store
from storage.engine import is_transient, open_engine, reading

if TYPE_CHECKING:
    from bot.channels.telegram_about import About, Silent

GOOD, WARN, BAD, NOTE = "good", "warn", "bad", "note"
LEAST_SPACE = 200 * 2**20  # bytes: below this a day's photos may not fit
LOW_SPACE = 2**30
LOW_SHARE = 0.05
SKEW, FAR_SKEW = timedelta(seconds=5), timedelta(seconds=60)  # a clock that is off: to be seen to; to be mended
RECENT = timedelta(days=1)  # Telegram remembers a webhook's last error for ever; a picture is deleted within seconds


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. *state*: ``good``, ``warn`` (works, should be seen to), ``bad`` (mend before citizens
    come), ``note`` (to be known)."""

    check: str
    state: str
    text: str


def examine(settings: Settings, now: datetime, offline: bool = False) -> list[Finding]:
    """Look at everything, with *offline* without asking Telegram; sentences in the voice in force. Writes nothing but a
    probe file in the folder of pictures."""
    found = [Finding("settings", GOOD, _("doctor.settings", file=config_file() or _("doctor.settings.defaults")))]
    found.extend(_secrets())
    found.extend(_disk(settings, offline))
    found.extend(_database(settings, now))
    found.append(_public_url(settings))
    found.append(_operation(settings))
    found.extend(_telegram(settings, now, offline))
    found.append(Finding("season", NOTE, _("doctor.season")))
    found.append(_criteria())
    return found


def _database(settings: Settings, now: datetime) -> Iterator[Finding]:
    file = sqlite_file(settings)
    if file is not None and not file.exists():
        yield Finding("database", BAD, _("doctor.database.none", where=file))
        return
    engine = open_engine(settings.storage.url)
    try:
        revision = migrate.current(engine)
        if revision != migrate.HEAD:
            text = _("doctor.database.old", found=revision or "-", expected=migrate.HEAD)
            yield Finding("database", BAD, text)
            return
        yield Finding("database", GOOD, _("doctor.database", kind=engine.dialect.name, revision=revision))
        with reading(engine) as conn:
            yield _units(conn)
            yield _controller(conn)
            yield _clock(conn, now)
            yield _failed(conn)
            yield from _deletions(conn, now)
            yield _counts(conn)
            yield _keys(settings, conn)
    except Exception as error:
        if not is_transient(error):
            raise
        yield Finding("database", BAD, _("doctor.database.unreachable", reason=cause(error)))
    finally:
        engine.dispose()


def _units(conn: Connection) -> Finding:
    centre = units.by_code(conn, catalogue.CENTRE)
    there = units.subtree(conn, centre) if centre else ()
    provinces = sum(unit.level == units.PROVINCE and unit.valid_to is None for unit in there)
    communes = sum(unit.level == units.COMMUNE and unit.valid_to is None for unit in there)
    if not provinces or not communes:
        return Finding("units", BAD, _("doctor.units.none"))
    return Finding("units", GOOD, _("doctor.units", provinces=number(provinces), communes=number(communes)))


def _controller(conn: Connection) -> Finding:
    """Somebody must answer for the data: the centre for all, or each unit that has citizens."""
    centre = units.by_code(conn, catalogue.CENTRE)
    if centre is None:
        return Finding("controller", BAD, _("doctor.units.none"))
    named = units.settings(conn, centre).controller
    if named:
        return Finding("controller", GOOD, _("doctor.controller", name=named))
    with_people = [units.by_id(conn, id) for id in health.units_with_people(conn)]
    without = [unit for unit in with_people if unit and not units.settings(conn, unit).controller]
    if not with_people:
        return Finding("controller", BAD, _("doctor.controller.none"))
    if without:
        codes = ", ".join(units.display_code(unit) for unit in without[:5])
        return Finding("controller", BAD, _("doctor.controller.some", n=number(len(without)), codes=codes))
    return Finding("controller", GOOD, _("doctor.controller.each"))


def _clock(conn: Connection, now: datetime) -> Finding:
    newest = health.newest(conn)
    if newest is not None and newest > now + timedelta(minutes=5):
        return Finding("clock", BAD, _("doctor.clock.behind", now=moment(now), newest=moment(newest)))
    return Finding("clock", GOOD, _("doctor.clock", now=moment(now)))


def _failed(conn: Connection) -> Finding:
    waiting = sum(row.replayed_at is None for row in events.listing(conn))
    if waiting:
        return Finding("events", WARN, _("doctor.events.failed", n=number(waiting)))
    return Finding("events", GOOD, _("doctor.events"))


def _deletions(conn: Connection, now: datetime) -> Iterator[Finding]:
    waiting = deletions.older_than(conn, now - RECENT)
    if waiting:
        yield Finding("deletions", WARN, _("doctor.deletions.stuck", n=number(waiting)))


def _counts(conn: Connection) -> Finding:
    differences = len(recount.check(conn))
    if differences:
        return Finding("counts", BAD, _("doctor.counts.differ", n=number(differences)))
    return Finding("counts", GOOD, _("doctor.counts"))


def _keys(settings: Settings, conn: Connection) -> Finding:
    """The keys for id numbers: there, nobody else's to read, and those that the database relies on."""
    folder = settings.storage.keys
    try:
        ring = keys.check(folder, conn)
    except keys.KeyFault as fault:
        return Finding("keys", BAD, fault.text)
    if not ring.keys:
        return Finding("keys", WARN, _("doctor.keys.none", folder=folder))
    return Finding("keys", GOOD, _("doctor.keys", key=ring.current.id, n=number(len(ring.keys)), folder=folder))


def _disk(settings: Settings, offline: bool) -> Iterator[Finding]:
    place = blob_place(settings)
    if isinstance(place, Bucket):
        yield from _bucket(place, offline)
    else:
        try:
            open_store(place).probe()
        except StoreFull:
            yield _space(place, full=True)
        except OSError:
            yield Finding("disk", BAD, _("doctor.disk.denied", folder=place))
        else:
            yield _space(place)
    file = sqlite_file(settings)
    if file is None or not file.parent.exists():
        return
    if isinstance(place, Bucket) or file.parent.stat().st_dev != _device(place):
        yield _space(file.parent)


def _bucket(place: Bucket, offline: bool) -> Iterator[Finding]:
    if offline:
        yield Finding("store", NOTE, _("doctor.store.offline", store=place))
        return
    store = BlobBucket(place)
    try:
        store.probe()
        public = store.is_public()
    except StoreFull:
        yield Finding("store", BAD, _("doctor.store.full", store=place))
    except StoreAway as away:
        yield Finding("store", BAD, _("doctor.store.away", store=place, reason=away.reason))
    else:
        if public:
            yield Finding("store", WARN, _("doctor.store.public", store=place))
        else:
            yield Finding("store", GOOD, _("doctor.store", store=place))


def _device(folder: Path) -> int | None:
    return folder.stat().st_dev if folder.exists() else None


def _space(folder: Path, full: bool = False) -> Finding:
    disk = shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.exists()))
    free = disk.free
    state = BAD if full or free < LEAST_SPACE else WARN if free < LOW_SPACE or free < LOW_SHARE * disk.total else GOOD
    text = _("doctor.disk" if state == GOOD else "doctor.disk.low", folder=folder, free=number(free / 2**30, 1))
    return Finding("disk", state, text)


def _public_url(settings: Settings) -> Finding:
    url = settings.web.public_url
    if not url:
        return Finding("public_url", WARN, _("doctor.public_url.none"))
    if not url.startswith("https://"):
        return Finding("public_url", WARN, _("doctor.public_url.open", url=url))
    return Finding("public_url", GOOD, _("doctor.public_url", url=url))


def _operation(settings: Settings) -> Finding:
    listen = settings.operation.listen
    if not listen:
        return Finding("operation", NOTE, _("doctor.operation.off"))
    host = listen.rpartition(":")[0].strip("[]")
    try:
        own = ipaddress.ip_address(host).is_loopback
    except ValueError:
        own = host == "localhost"
    if not own:
        return Finding("operation", WARN, _("doctor.operation.open", listen=listen))
    return Finding("operation", GOOD, _("doctor.operation", listen=listen))


def _criteria() -> Finding:
    newest = criteria.builtin()
    title = newest.title.to(voice().language)
    if newest.is_official:
        return Finding("criteria", GOOD, _("doctor.criteria", title=title, version=newest.version))
    return Finding("criteria", NOTE, _("doctor.criteria.reconstruction", title=title, version=newest.version))


def _secrets() -> Iterator[Finding]:
    """That nobody else may read the file was seen when it was loaded."""
    file = secrets_file()
    if not file.exists():
        return
    if os.name == "posix" and file.stat().st_uid != os.geteuid():
        yield Finding("secrets", WARN, _("doctor.secrets.foreign", file=file))
    elif os.name == "posix" and file.resolve().parent.stat().st_mode & 0o002:
        yield Finding("secrets", WARN, _("doctor.secrets.folder", file=file))
    else:
        yield Finding("secrets", GOOD, _("doctor.secrets", file=file))


# ------------------------------------------------------------------------------------------ Telegram


def _telegram(settings: Settings, now: datetime, offline: bool) -> Iterator[Finding]:
    bots = accounts(settings)
    if not bots:
        yield Finding("telegram", NOTE, _("doctor.telegram.none", secrets=SECRETS))
        return
    if offline:
        yield Finding("telegram", NOTE, _("doctor.telegram.offline", n=number(len(bots))))
        return
    from bot.channels.telegram_about import About, ask

    answers = ask([bot.token for bot in bots], settings.telegram.api_url)
    yield from _clock_by_telegram([each for each in answers if isinstance(each, About)])
    told: set[str] = set()
    for bot, answer in zip(bots, answers, strict=True):
        if isinstance(answer, About):
            yield from _bot(settings, bot, answer, now)
        elif answer.why not in told:
            yield _silent(settings, bot, answer)
            if answer.why in ("unreachable", "late"):  # once: the way is the same for all
                told.add(answer.why)


def _silent(settings: Settings, bot: Account, answer: Silent) -> Finding:
    server = urlsplit(settings.telegram.api_url).netloc
    match answer.why:
        case "refused":
            return Finding(bot.account, BAD, _("doctor.telegram.refused", account=bot.account))
        case "busy":
            text = _("doctor.telegram.busy", account=bot.account, status=answer.reason)
            return Finding(bot.account, WARN, text)
        case "late":
            return Finding("telegram", BAD, _("doctor.telegram.late", server=server))
        case "odd":
            return Finding(bot.account, BAD, _("doctor.telegram.odd", account=bot.account, server=server))
    return Finding("telegram", BAD, _("doctor.telegram.unreachable", server=server, reason=answer.reason))


def _clock_by_telegram(answers: list[About]) -> Iterator[Finding]:
    skews = [each.skew for each in answers if each.skew is not None]
    if not skews:
        return
    least = min(skews, key=abs)  # an answer that was slow on its way makes ours look ahead
    seconds = number(abs(least).total_seconds(), 0 if abs(least) >= SKEW else 1)
    if abs(least) <= SKEW:
        yield Finding("telegram.clock", GOOD, _("doctor.telegram.clock", seconds=seconds))
    else:
        state = BAD if abs(least) > FAR_SKEW else WARN
        text = _(
            "doctor.telegram.clock.ahead" if least > timedelta(0) else "doctor.telegram.clock.behind", seconds=seconds
        )
        yield Finding("telegram.clock", state, text)


def _bot(settings: Settings, bot: Account, about: About, now: datetime) -> Iterator[Finding]:
    who = f"@{about.username}"
    yield Finding(bot.account, GOOD, _("doctor.telegram", account=bot.account, who=who))
    yield _webhook(settings, bot, about, now)
    wide = [
        Finding(f"{bot.account}.privacy", WARN, _("doctor.telegram.privacy", who=who)) if about.reads_groups else None,
        Finding(f"{bot.account}.inline", WARN, _("doctor.telegram.inline", who=who)) if about.inline else None,
        Finding(f"{bot.account}.groups", NOTE, _("doctor.telegram.groups", who=who)) if about.joins_groups else None,
    ]
    found = [each for each in wide if each]
    yield from found or [Finding(f"{bot.account}.rights", GOOD, _("doctor.telegram.rights", who=who))]


def _webhook(settings: Settings, bot: Account, about: About, now: datetime) -> Finding:
    """Whether updates come the way that the mode wants; the running bot sets the webhook and takes it away."""
    check, who, pending = f"{bot.account}.webhook", f"@{about.username}", number(about.pending)
    # The address of a webhook that is not ours may hold somebody's secret: only its host is told.
    host = urlsplit(about.webhook).hostname or "?"
    if settings.telegram.mode == "polling":
        if about.webhook:
            return Finding(check, WARN, _("doctor.telegram.webhook.left", who=who, host=host))
        return Finding(check, GOOD, _("doctor.telegram.polling", who=who, pending=pending))
    if not about.webhook:
        return Finding(check, WARN, _("doctor.telegram.webhook.unset", who=who))
    if about.webhook != webhook_url(settings, bot):
        return Finding(check, WARN, _("doctor.telegram.webhook.other", who=who, host=host))
    if about.error_at is not None and now - about.error_at < RECENT:
        when = moment(about.error_at)
        text = _("doctor.telegram.webhook.failing", who=who, when=when, error=about.error, pending=pending)
        return Finding(check, WARN, text)
    return Finding(check, GOOD, _("doctor.telegram.webhook", who=who, pending=pending))
