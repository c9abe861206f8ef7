"""Reading the settings: ``bot.toml``, the secrets beside it, the environment over both.

The strongest first: ``HOCTAP_SECTION__KEY`` in the environment, ``bot.secrets.toml``, ``bot.toml``, the defaults.
A wrong key or value is one line with file, key and what is expected; a line never shows the value, which may be secret.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.redaction import redacted
from bot.settings import (
    OFFICIAL_API,
    PREFIX,
    SECTIONS,
    TELEGRAM,
    BotSection,
    S3Section,
    ScheduleSection,
    Settings,
    accounts,
    blob_place,
    schedules,
    sqlite_file,
    webhook_path,
)
from locales import _, number
from reports.schedules import fault
from storage.blobs import Bucket

CONFIG = "bot.toml"
SECRETS = "bot.secrets.toml"
SCHEDULE = "schedule"
S3_SECRETS = ("access_key_id", "secret_access_key", "session_token")


class SettingsError(Exception):
    """The settings cannot be used: one line for each fault."""

    def __init__(self, *lines: str) -> None:
        self.lines = tuple(redacted(line) for line in lines)  # a token may stand where a name belongs
        super().__init__(*self.lines)


def config_file() -> Path | None:
    """The file in use: that of ``HOCTAP_CONFIG``, else ``bot.toml`` in the current folder if there is one."""
    named = os.environ.get("HOCTAP_CONFIG")
    if named:
        return Path(named)
    return Path(CONFIG) if Path(CONFIG).exists() else None


def secrets_file(config: Path | None = None) -> Path:
    """The file of secrets beside *config* (default: :func:`config_file`); it need not be there."""
    file = config or config_file()
    return (file.parent if file else Path()) / SECRETS


def load_settings(config: Path | None = None) -> Settings:
    """The settings from *config* (default: :func:`config_file`), the secrets beside it and the environment.

    Raises :class:`SettingsError`. Relative paths are relative to the folder of the file, or to the current one without
    a file.
    """
    file = config or config_file()
    folder = file.parent if file else Path()
    said = _read(file) if file else {}
    secret_file = secrets_file(file)
    secrets = _read_secrets(secret_file) if secret_file.exists() else {}
    faults = [*_secrets_in(said, file), *_unknown_variables(os.environ)]
    if faults:
        raise SettingsError(*faults)
    where = [(str(secret_file), secrets), (str(file or CONFIG), said)]
    try:
        found = Settings(**_merged(said, secrets))
    except ValidationError as error:
        raise SettingsError(*(_fault(each["loc"], each["type"], where) for each in error.errors())) from None
    faults = list(_contradictions(found, where))
    if faults:
        raise SettingsError(*faults)
    return _anchored(found, folder.resolve())


def _anchored(settings: Settings, folder: Path) -> Settings:
    changes: dict[str, Any] = {"keys": folder / settings.storage.keys}
    if isinstance(settings.storage.blobs, Path):
        changes["blobs"] = folder / settings.storage.blobs
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


def _secrets_in(said: Mapping[str, Any], file: Path | None) -> Iterator[str]:
    """What bot.toml must not hold."""
    url = _at(said, ("storage", "url"))
    if isinstance(url, str) and re.match(r"[^/]+://[^/@]*:[^/@]+@|.*[?&]password=", url):
        yield _("settings.password", file=file, key="storage.url", secrets=SECRETS)
    for name in S3_SECRETS:
        keys = ("storage", "s3", name)
        if _at(said, keys) is not None:
            yield _("settings.secret", file=file, key=".".join(keys), secrets=SECRETS, variable=_variable(keys))
    bots = _at(said, (TELEGRAM, "bots"))
    named = [(TELEGRAM, "bots", str(name), "token") for name in bots] if isinstance(bots, dict) else []
    for path in [(TELEGRAM, "token"), *named]:
        if _at(said, path) is not None:
            key = ".".join(path)
            yield _("settings.token", file=file, key=key, secrets=SECRETS, variable=_variable(path))


def _at(said: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """What stands under these keys, one inside the other; ``None`` where nothing does."""
    found: Any = said
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _variable(keys: Sequence[str]) -> str:
    return PREFIX + "__".join(keys).upper()


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    faults = []
    for name in sorted(environ):
        section, nested, key = name.upper().removeprefix(PREFIX).lower().partition("__")
        if not name.upper().startswith(PREFIX) or not (nested or section in (*SECTIONS, SCHEDULE)):
            continue  # HOCTAP_CONFIG and the like
        if section == SCHEDULE or section not in SECTIONS:  # tables have no place in a variable
            faults.append(_("settings.unknown", file=name, key=section, known=", ".join(SECTIONS)))
        elif (section, key.split("__")[0]) == (TELEGRAM, "bots"):
            if not re.fullmatch(r"bots__[a-z0-9_]+__token", key):
                wanted = _variable((TELEGRAM, "bots", "NAME", "token"))
                faults.append(_("settings.unknown", file=name, key=f"{section}.{_dotted(key)}", known=wanted))
        elif (section, *key.split("__")[:1]) == ("storage", "s3"):
            field = key.partition("__")[2]
            if field not in S3Section.model_fields:
                wanted = ", ".join(S3Section.model_fields)
                faults.append(_("settings.unknown", file=name, key=f"{section}.{_dotted(key)}", known=wanted))
        elif key not in SECTIONS[section].model_fields:
            keys = ", ".join(SECTIONS[section].model_fields)
            faults.append(_("settings.unknown", file=name, key=f"{section}.{_dotted(key)}".rstrip("."), known=keys))
    return faults


def _dotted(key: str) -> str:
    return key.replace("__", ".")


Files = list[tuple[str, dict[str, Any]]]  # name and content of each, the strongest first


def _fault(loc: tuple[int | str, ...], kind: str, files: Files) -> str:
    # "[key]" is pydantic's word for the key of a table itself; people count tables from 1.
    keys = tuple(str(each + 1 if isinstance(each, int) else each) for each in loc if each != "[key]")
    file, name = _source(keys, files), ".".join(keys)
    if kind == "extra_forbidden":
        return _("settings.unknown", file=file, key=name, known=", ".join(_known(keys[:-1])))
    if loc[-1] == "[key]":
        return _("settings.wrong", file=file, key=name, expected=_("settings.expected.bot_name"))
    return _("settings.wrong", file=file, key=name, expected=_expected(keys))


def _source(keys: Sequence[str], files: Files) -> str:
    """What said the value under these keys: a variable, else the file that names the most of them."""
    names = {name.upper(): name for name in os.environ}
    if len(keys) > 1 and _variable(keys) in names:
        return names[_variable(keys)]
    for depth in range(len(keys), 0, -1):
        for file, said in files:
            if _at(said, keys[:depth]) is not None:
                return file
    return files[-1][0]


def _known(keys: Sequence[str]) -> Sequence[str]:
    """The keys that a section has; without *keys* the sections."""
    if not keys:
        return [*SECTIONS, SCHEDULE]
    if keys[0] == SCHEDULE:
        return list(ScheduleSection.model_fields)
    if keys[:2] == ("storage", "s3"):
        return list(S3Section.model_fields)
    return list((SECTIONS[keys[0]] if len(keys) == 1 else BotSection).model_fields)


def _expected(keys: Sequence[str]) -> str:
    section, key = keys[0], keys[-1]
    if section == SCHEDULE:
        named = len(keys) > 2  # schedule, which, its key
        return _(f"settings.schedule.expected.{keys[2]}") if named else _("settings.expected.schedule")
    if len(keys) == 1:
        return _("settings.expected.section", section=section)
    if keys[:2] == ("storage", "s3"):
        return (
            _(f"settings.expected.s3.{key}")
            if len(keys) > 2
            else _("settings.expected.section", section=".".join(keys))
        )
    if len(keys) > 2:  # telegram.bots.NAME, telegram.bots.NAME.token
        of_bot = _("settings.expected.token", variable=_variable(keys), secrets=SECRETS)
        return of_bot if len(keys) > 3 else _("settings.expected.section", section=".".join(keys))
    field = SECTIONS[section].model_fields[key]
    low = next((each.ge for each in field.metadata if hasattr(each, "ge")), None)
    high = next((each.le for each in field.metadata if hasattr(each, "le")), None)
    if low is not None and high is not None:
        if field.annotation is float:
            return _("settings.expected.decimal", low=number(low, 1), high=number(high))
        return _("settings.expected.number", low=low, high=high)
    if key == "token":
        return _("settings.expected.token", variable=_variable(keys), secrets=SECRETS)
    return _(f"settings.expected.{key}")


def _wrong_schedules(settings: Settings, files: Files) -> Iterator[str]:
    file, seen = _source((SCHEDULE,), files), set[str]()
    for each in schedules(settings):
        wrong = fault(each)
        if wrong:
            field = "cron" if wrong == "never" else wrong
            expected = _(f"settings.schedule.expected.{wrong}")
            yield _("settings.schedule.wrong", file=file, name=each.name, field=field, expected=expected)
        elif each.name in seen:
            yield _("settings.schedule.twice", file=file, name=each.name)
        seen.add(each.name)


def _contradictions(settings: Settings, files: Files) -> Iterator[str]:
    """What is right by itself but not together."""
    yield from _wrong_schedules(settings, files)
    telegram, url = settings.telegram, settings.web.public_url
    place = blob_place(settings)
    if isinstance(place, Bucket) and not (place.access_key_id and place.secret_access_key):
        variable = _variable(("storage", "s3", "secret_access_key"))
        yield _("settings.s3", file=_source(("storage", "blobs"), files), secrets=SECRETS, variable=variable)
    if telegram.push_rate > telegram.rate:
        file = _source((TELEGRAM, "push_rate"), files)
        yield _("settings.push_rate", file=file, rate=telegram.rate)
    file = _source((TELEGRAM, "mode"), files)
    if telegram.mode == "webhook" and telegram.api_url == OFFICIAL_API and not url.startswith("https://"):
        yield _("settings.webhook", file=file)
    elif telegram.mode == "webhook" and not url:
        yield _("settings.webhook.local", file=file)
    seen: dict[str, str] = {}
    paths: set[str] = set()
    for each in accounts(settings):
        keys = (TELEGRAM, "bots", each.name, "token") if each.name else (TELEGRAM, "token")
        key, secret = ".".join(keys), each.token.get_secret_value()
        if secret in seen:
            yield _("settings.token_twice", file=_source(keys, files), key=key, other=seen[secret])
        seen.setdefault(secret, key)
        if webhook_path(each) in paths:
            yield _("settings.bot_path", file=_source(keys, files), key=key)
        paths.add(webhook_path(each))
