"""What the operator of the server decides: ``bot.toml``, secrets beside it, the environment over both.

The strongest first: ``HOCTAP_SECTION__KEY`` in the environment, ``bot.secrets.toml``, ``bot.toml``, the defaults.
A wrong key or value is one line with file, key and what is expected; a line never shows the value, which may be secret.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from dialogs.states import Rules
from locales import _

CONFIG = "bot.toml"
SECRETS = "bot.secrets.toml"
PREFIX = "HOCTAP_"


class SettingsError(Exception):
    """The settings cannot be used: one line for each fault."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = lines


def _whole(value: Any) -> Any:
    if isinstance(value, bool | float):  # pydantic takes True for 1
        raise ValueError("not a whole number")
    return value


def _database(value: str) -> str:
    if not re.fullmatch(r"sqlite:///[^?#\0]+|postgresql(\+psycopg)?://\S+", value) or ":memory:" in value:
        raise ValueError("not a database")
    return value


def _folder(value: Any) -> Any:
    if not str(value).strip() or "\0" in str(value):
        raise ValueError("not a folder")
    return value


def _host(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:-]+", value):
        raise ValueError("not a host")
    return value


def _public_url(value: str) -> str:
    if not value:
        return value
    parts = urlsplit(value)
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username or parts.password)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain or re.search(r"\s", value):
        raise ValueError("not an address")
    if parts.port == 0:  # asking for the port raises ValueError where it is no number
        raise ValueError("not a port")
    return value.rstrip("/")


Whole = Annotated[int, BeforeValidator(_whole)]


class Section(BaseModel):
    """A part of the file; ``extra`` keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class StorageSection(Section):
    """``[storage]``: ``url`` of the database, which may hold a password; ``blobs``, the folder of evidence pictures."""

    url: Annotated[str, AfterValidator(_database)] = Field(default="sqlite:///var/hoctap.sqlite", repr=False)
    blobs: Annotated[Path, BeforeValidator(_folder)] = Path("var/evidence")


class WebSection(Section):
    """``[web]``: where the chat page is served; ``public_url``, where the world finds it (no path), empty if nowhere;
    ``picture_workers``: photos decoded at once."""

    host: Annotated[str, AfterValidator(_host)] = "127.0.0.1"
    port: Annotated[Whole, Field(ge=1, le=65535)] = 8080
    public_url: Annotated[str, AfterValidator(_public_url)] = ""
    picture_workers: Annotated[Whole, Field(ge=1, le=16)] = 2


class ReviewSection(Section):
    """``[review]``: seconds in which a decision can be taken back; days after which an unopened queue is reported."""

    undo_seconds: Annotated[Whole, Field(ge=0, le=3600)] = 60
    stale_queue_days: Annotated[Whole, Field(ge=1, le=365)] = 5


class KeepSection(Section):
    """``[keep]``: how long things are kept. Claims and outbox at most 3 days: that is what a person who refuses consent
    is promised."""

    history_days: Annotated[Whole, Field(ge=1, le=3650)] = 180
    uploads_hours: Annotated[Whole, Field(ge=1, le=720)] = 24
    claims_days: Annotated[Whole, Field(ge=1, le=3)] = 3
    outbox_days: Annotated[Whole, Field(ge=1, le=3)] = 3
    failed_days: Annotated[Whole, Field(ge=1, le=90)] = 14


class Settings(BaseSettings):
    """Everything the operator decides. Paths are absolute once loaded."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    storage: StorageSection = StorageSection()
    web: WebSection = WebSection()
    review: ReviewSection = ReviewSection()
    keep: KeepSection = KeepSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings  # what the files say comes as arguments, so that faults can name the file


SECTIONS: Mapping[str, type[Section]] = {
    name: field.annotation for name, field in Settings.model_fields.items() if isinstance(field.annotation, type)
}


# ------------------------------------------------------------------------------------------ loading


def config_file() -> Path | None:
    """The file in use: that of ``HOCTAP_CONFIG``, else ``bot.toml`` in the current folder if there is one."""
    named = os.environ.get("HOCTAP_CONFIG")
    if named:
        return Path(named)
    return Path(CONFIG) if Path(CONFIG).exists() else None


def load_settings(config: Path | None = None) -> Settings:
    """The settings from *config* (default: :func:`config_file`), the secrets beside it and the environment.

    Raises :class:`SettingsError`. Relative paths are relative to the folder of the file, or to the current one without
    a file.
    """
    file = config or config_file()
    folder = file.parent if file else Path()
    said = _read(file) if file else {}
    secret_file = folder / SECRETS
    secrets = _read_secrets(secret_file) if secret_file.exists() else {}
    faults = [*_password_in(said, file), *_unknown_variables(os.environ)]
    if faults:
        raise SettingsError(*faults)
    try:
        found = Settings(**_merged(said, secrets))
    except ValidationError as error:
        where = [(str(secret_file), secrets), (str(file or CONFIG), said)]
        raise SettingsError(*(_fault(each["loc"], each["type"], where) for each in error.errors())) from None
    return _anchored(found, folder.resolve())


def rules(settings: Settings) -> Rules:
    """What the dialogs must know of the settings."""
    return Rules(
        undo_seconds=settings.review.undo_seconds,
        stale_queue_days=settings.review.stale_queue_days,
        history_days=settings.keep.history_days,
        public_url=settings.web.public_url,
    )


def address(settings: Settings) -> str:
    """Where the chat page is found: ``public_url``, else the server's own address."""
    if settings.web.public_url:
        return settings.web.public_url
    host = f"[{settings.web.host}]" if ":" in settings.web.host else settings.web.host
    return f"http://{host}:{settings.web.port}"


def sqlite_file(settings: Settings) -> Path | None:
    """The database's file; ``None`` on PostgreSQL."""
    head, mark, path = settings.storage.url.partition("sqlite:///")
    return Path(path) if mark and not head else None


def _anchored(settings: Settings, folder: Path) -> Settings:
    changes: dict[str, Any] = {"blobs": folder / settings.storage.blobs}
    database = sqlite_file(settings)
    if database is not None:
        changes["url"] = f"sqlite:///{folder / database}"
    return settings.model_copy(update={"storage": settings.storage.model_copy(update=changes)})


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(_("settings.missing", file=file)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(_("settings.unreadable", file=file, reason=type(error).__name__)) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(_("settings.syntax", file=file, at=_place_in(str(error)))) from None


def _read_secrets(file: Path) -> dict[str, Any]:
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise SettingsError(_("settings.open_secrets", file=file))
    return _read(file)


def _place_in(message: str) -> str:
    """``(at line 3, column 5)`` → ``3``; of the message nothing else is shown, for it may quote the value."""
    found = re.search(r"at line (\d+)", message)
    return found.group(1) if found else "?"


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(under)
    for key, value in over.items():
        beneath = both.get(key)
        both[key] = _merged(beneath, value) if isinstance(beneath, dict) and isinstance(value, dict) else value
    return both


# ------------------------------------------------------------------------------------------ faults


def _password_in(said: Mapping[str, Any], file: Path | None) -> list[str]:
    storage = said.get("storage")
    url = storage.get("url") if isinstance(storage, dict) else None
    if isinstance(url, str) and re.match(r"[^/]+://[^/@]*:[^/@]+@|.*[?&]password=", url):
        return [_("settings.password", file=file, key="storage.url", secrets=SECRETS)]
    return []


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    faults = []
    for name in sorted(environ):
        section, nested, key = name.upper().removeprefix(PREFIX).lower().partition("__")
        if not name.upper().startswith(PREFIX) or not (nested or section in SECTIONS):
            continue  # HOCTAP_CONFIG and the like
        if section not in SECTIONS:
            faults.append(_("settings.unknown", file=name, key=section, known=", ".join(SECTIONS)))
        elif key not in SECTIONS[section].model_fields:
            keys = ", ".join(SECTIONS[section].model_fields)
            faults.append(_("settings.unknown", file=name, key=f"{section}.{key}".rstrip("."), known=keys))
    return faults


def _fault(loc: tuple[int | str, ...], kind: str, files: list[tuple[str, dict[str, Any]]]) -> str:
    section, key = str(loc[0]), str(loc[1]) if len(loc) > 1 else ""
    name = f"{section}.{key}" if key else section
    variable = f"{PREFIX}{section}__{key}".upper()
    file = variable if key and variable in os.environ else _file_of(section, key, files)
    if kind == "extra_forbidden":
        known = SECTIONS[section].model_fields if section in SECTIONS else SECTIONS
        return _("settings.unknown", file=file, key=name, known=", ".join(known))
    return _("settings.wrong", file=file, key=name, expected=_expected(section, key))


def _file_of(section: str, key: str, files: list[tuple[str, dict[str, Any]]]) -> str:
    for file, said in files:
        inside = said.get(section)
        if inside is not None and (not key or not isinstance(inside, dict) or key in inside):
            return file
    return files[-1][0]


def _expected(section: str, key: str) -> str:
    if not key:
        return _("settings.expected.section", section=section)
    field = SECTIONS[section].model_fields[key]
    low = next((each.ge for each in field.metadata if hasattr(each, "ge")), None)
    high = next((each.le for each in field.metadata if hasattr(each, "le")), None)
    if low is not None and high is not None:
        return _("settings.expected.number", low=low, high=high)
    return _(f"settings.expected.{key}")
