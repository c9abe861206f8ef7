"""``hoctap doctor``: is the server ready for citizens, and what is still missing?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import criteria
from bot.faults import cause
from bot.settings import Settings, config_file, sqlite_file
from locales import _, moment, number, voice
from storage import catalogue, events, health, migrate, recount, units
from storage.base import Connection
from storage.engine import is_transient, open_engine, reading

GOOD, WARN, BAD, NOTE = "good", "warn", "bad", "note"
LEAST_SPACE = 200 * 2**20  # bytes: below this a day's photos may not fit
LOW_SPACE = 2 * 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. *state*: ``good``, ``warn`` (works, should be seen to), ``bad`` (mend before citizens
    come), ``note`` (to be known)."""

    check: str
    state: str
    text: str


def examine(settings: Settings, now: datetime) -> list[Finding]:
    """Look at everything; sentences in the voice in force. Writes nothing but a probe file in the folder of
    pictures."""
    found = [Finding("settings", GOOD, _("doctor.settings", file=config_file() or _("doctor.settings.defaults")))]
    found.extend(_disk(settings))
    found.extend(_database(settings, now))
    found.append(_public_url(settings))
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
            yield _counts(conn)
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


def _counts(conn: Connection) -> Finding:
    differences = len(recount.check(conn))
    if differences:
        return Finding("counts", BAD, _("doctor.counts.differ", n=number(differences)))
    return Finding("counts", GOOD, _("doctor.counts"))


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.storage.blobs
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError:
        yield Finding("disk", BAD, _("doctor.disk.denied", folder=folder))
    else:
        yield _space(folder)
    file = sqlite_file(settings)
    if file is not None and file.parent.exists() and file.parent.stat().st_dev != _device(folder):
        yield _space(file.parent)


def _device(folder: Path) -> int | None:
    return folder.stat().st_dev if folder.exists() else None


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    state = BAD if free < LEAST_SPACE else WARN if free < LOW_SPACE else GOOD
    text = _("doctor.disk" if state == GOOD else "doctor.disk.low", folder=folder, free=number(free / 2**30, 1))
    return Finding("disk", state, text)


def _public_url(settings: Settings) -> Finding:
    url = settings.web.public_url
    if not url:
        return Finding("public_url", WARN, _("doctor.public_url.none"))
    if not url.startswith("https://"):
        return Finding("public_url", WARN, _("doctor.public_url.open", url=url))
    return Finding("public_url", GOOD, _("doctor.public_url", url=url))


def _criteria() -> Finding:
    newest = criteria.builtin()
    title = newest.title.to(voice().language)
    if newest.is_official:
        return Finding("criteria", GOOD, _("doctor.criteria", title=title, version=newest.version))
    return Finding("criteria", NOTE, _("doctor.criteria.reconstruction", title=title, version=newest.version))
