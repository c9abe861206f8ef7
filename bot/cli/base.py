"""What the commands share: how they speak, stop, and reach settings and database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.help import Group
from locales import _

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from bot.settings import Settings
    from storage.base import Connection
    from storage.units import UnitRow

Json = Annotated[bool, typer.Option("--json", help=_("cli.json"))]

MOST_LINES = 1_000  # that a listing shows a reader; with --json it is whole


class Stop(Exception):
    """A command ends here: *text* goes to stderr, *code* is the exit status."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


def group(help: str) -> typer.Typer:
    """A group of commands; bare, it shows its help. Rich would double the time of ``--help``."""
    return typer.Typer(
        cls=Group,
        help=help,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


def emit(value: Any) -> None:
    """The one JSON document of a command with ``--json``."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} in JSON")


# ------------------------------------------------------------------------------------------ settings and database


def loaded() -> Settings:
    """The settings; a wrong one stops the command with exit status 2."""
    from bot.settings_file import SettingsError, load_settings

    try:
        return load_settings()
    except SettingsError as error:
        raise Stop("\n".join(error.lines), 2) from None


@contextmanager
def database(settings: Settings | None = None) -> Iterator[Engine]:
    """The database, which must be there and have the newest tables."""
    from bot.settings import sqlite_file
    from storage import migrate
    from storage.engine import open_engine

    found = settings or loaded()
    file = sqlite_file(found)
    if file is not None and not file.exists():  # opening would make an empty one
        raise Stop(_("cli.database.none"))
    engine = open_engine(found.storage.url)
    try:
        revision = migrate.current(engine)
        if revision is None:
            raise Stop(_("cli.database.none"))
        if revision != migrate.HEAD:
            raise Stop(_("cli.database.other", found=revision, expected=migrate.HEAD))
        yield engine
    finally:
        engine.dispose()


@contextmanager
def reader(settings: Settings | None = None) -> Iterator[Connection]:
    """A connection for reading, one consistent view."""
    from storage.engine import reading

    with database(settings) as engine, reading(engine) as conn:
        yield conn


@contextmanager
def writer(settings: Settings | None = None) -> Iterator[Connection]:
    """A short transaction of its own, beside a running bot."""
    from storage.engine import writing

    with database(settings) as engine, writing(engine) as conn:
        yield conn


# ------------------------------------------------------------------------------------------ units


def unit_of(conn: Connection, text: str) -> UnitRow:
    """A unit as people write it: ``VN``, ``22``, ``06685``, ``06685-03``, ``DV 06685-K``.

    Stops where there is none, and at a closed unit with the codes of what became of it.
    """
    from storage import codes, units
    from storage.base import Refused

    unit = units.by_code(conn, text)
    if unit is None and any(char.isalpha() for char in text):
        code = codes.parse(text)
        if isinstance(code, codes.UnitCode):
            unit = units.by_code(conn, code.body, code.vintage)
    if unit is None:
        raise Refused("unit_unknown", code=text[:40])
    if unit.valid_to is not None:
        after = ", ".join(f"{found.unit.code} {found.unit.name}" for found in units.successors(conn, unit))
        if after:
            raise Stop(_("cli.unit.closed_to", name=unit.name, after=after))
        raise Stop(_("cli.unit.closed", name=unit.name))
    return unit


def place_of(conn: Connection, unit: UnitRow) -> str:
    """``Phường Hồng Gai, Thành phố Quảng Ninh``."""
    from storage import units

    return ", ".join(units.full_name(conn, unit).parts) or unit.name
