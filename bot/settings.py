"""What the operator of the server decides: ``bot.toml``, secrets beside it, the environment over both.

The strongest first: ``HOCTAP_SECTION__KEY`` in the environment, ``bot.secrets.toml``, ``bot.toml``, the defaults.
A wrong key or value is one line with file, key and what is expected; a line never shows the value, which may be secret.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.keys import KeyFolder
from bot.limits import Limits, Rate, networks
from bot.redaction import redacted
from dialogs.states import Rules
from locales import _, number
from storage.blobs import Bucket, Place
from storage.evidence import Quota

CONFIG = "bot.toml"
SECRETS = "bot.secrets.toml"
PREFIX = "HOCTAP_"
TELEGRAM = "telegram"  # the account of the only bot; of several, telegram:NAME
OFFICIAL_API = "https://api.telegram.org"
S3_SECRETS = ("access_key_id", "secret_access_key", "session_token")


class SettingsError(Exception):
    """The settings cannot be used: one line for each fault."""

    def __init__(self, *lines: str) -> None:
        self.lines = tuple(redacted(line) for line in lines)  # a token may stand where a name belongs
        super().__init__(*self.lines)


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


def _blobs(value: Any) -> Any:
    """A folder, or ``s3://bucket`` with or without a prefix; that stays text."""
    if not isinstance(value, str | Path):
        raise ValueError("not a place")
    if isinstance(value, str) and value.startswith("s3:"):
        if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?", value):
            raise ValueError("not a bucket")
        return value.rstrip("/")
    return Path(_folder(value))


def _region(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,40}", value):
        raise ValueError("not a region")
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


def _api_url(value: str) -> str:
    if not value:
        raise ValueError("not an address")
    return _public_url(value)


def _listen(value: str) -> str:
    if value and not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}", value):
        raise ValueError("not an address")
    if value and not 1 <= int(value.rpartition(":")[2]) <= 65535:
        raise ValueError("not a port")
    return value


def _proxies(value: str) -> str:
    networks(value)  # raises ValueError
    return value


def _decimal(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("not a number")
    return value


def _token(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[0-9]{5,15}:[A-Za-z0-9_-]{30,60}", value.get_secret_value()):
        raise ValueError("not a token")
    return value


def _token_or_none(value: SecretStr) -> SecretStr:
    return _token(value) if value.get_secret_value() else value


def _bot_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]{1,32}", value):
        raise ValueError("not a name")
    return value


Whole = Annotated[int, BeforeValidator(_whole)]


class Section(BaseModel):
    """A part of the file; ``extra`` keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class S3Section(Section):
    """``[storage.s3]``: the S3-compatible server that ``storage.blobs = "s3://bucket/prefix"`` speaks of. ``endpoint``
    (no path; empty: that of AWS), ``path_style``: the bucket stands in the path, not in the host's name. The rest is
    secret."""

    endpoint: Annotated[str, AfterValidator(_public_url)] = ""
    region: Annotated[str, AfterValidator(_region)] = "us-east-1"
    path_style: bool = True
    access_key_id: SecretStr = Field(default=SecretStr(""), repr=False)
    secret_access_key: SecretStr = Field(default=SecretStr(""), repr=False)
    session_token: SecretStr = Field(default=SecretStr(""), repr=False)


class StorageSection(Section):
    """``[storage]``: ``url`` of the database, which may hold a password; ``blobs``, the folder of evidence pictures or
    ``s3://bucket/prefix``, then with ``s3``; ``keys``, the folder of the keys for id numbers, the same for every
    process that serves."""

    url: Annotated[str, AfterValidator(_database)] = Field(default="sqlite:///var/hoctap.sqlite", repr=False)
    blobs: Annotated[Path | str, BeforeValidator(_blobs)] = Path("var/evidence")
    keys: Annotated[Path, BeforeValidator(_folder)] = Path("var/keys")
    s3: S3Section = S3Section()


class WebSection(Section):
    """``[web]``: where the chat page is served; ``public_url``, where the world finds it (no path), empty if nowhere;
    ``picture_workers``: photos decoded at once; ``trusted_proxies``: whose X-Forwarded-For is believed (addresses or
    networks, commas between)."""

    host: Annotated[str, AfterValidator(_host)] = "127.0.0.1"
    port: Annotated[Whole, Field(ge=1, le=65535)] = 8080
    public_url: Annotated[str, AfterValidator(_public_url)] = ""
    picture_workers: Annotated[Whole, Field(ge=1, le=16)] = 2
    trusted_proxies: Annotated[str, AfterValidator(_proxies)] = "127.0.0.1, ::1"


class BotSection(Section):
    """``[telegram.bots.NAME]``: one of several bots. ``token`` as @BotFather gave it."""

    token: Annotated[SecretStr, AfterValidator(_token)] = Field(repr=False)


class TelegramSection(Section):
    """``[telegram]``: how updates come (``mode``), from which server (``api_url``, no path), and messages a second:
    ``rate`` of one bot, ``push_rate`` the notices and summaries of these at most, ``chat_rate`` to one chat. ``token``
    of the only bot (empty: none), ``bots`` by name where there are several; both at once is fine."""

    mode: Literal["polling", "webhook"] = "polling"
    api_url: Annotated[str, AfterValidator(_api_url)] = OFFICIAL_API
    rate: Annotated[Whole, Field(ge=1, le=1000)] = 28
    push_rate: Annotated[Whole, Field(ge=1, le=1000)] = 20
    chat_rate: Annotated[float, BeforeValidator(_decimal), Field(ge=0.1, le=1000)] = 1.0
    token: Annotated[SecretStr, AfterValidator(_token_or_none)] = Field(default=SecretStr(""), repr=False)
    bots: dict[Annotated[str, AfterValidator(_bot_name)], BotSection] = Field(default={}, repr=False)


class OperationSection(Section):
    """``[operation]``: what the operator sees. ``listen``: where this process answers ``/health/live``,
    ``/health/ready`` and ``/metrics`` (``host:port``, empty: nowhere); never the public address. ``log``: a line of
    text or of JSON; ``level``: from which weight on our own lines are written."""

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:9090"
    log: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning"] = "info"


class ReviewSection(Section):
    """``[review]``: seconds in which a decision can be taken back; days after which an unopened queue is reported."""

    undo_seconds: Annotated[Whole, Field(ge=0, le=3600)] = 60
    stale_queue_days: Annotated[Whole, Field(ge=1, le=365)] = 5


class EvidenceSection(Section):
    """``[evidence]``: how much one person may send: ``pictures_per_season`` in a season's dossier,
    ``megabytes_per_day`` of pictures in 24 hours."""

    pictures_per_season: Annotated[Whole, Field(ge=1, le=1000)] = 60
    megabytes_per_day: Annotated[Whole, Field(ge=1, le=100_000)] = 100


class LimitsSection(Section):
    """``[limits]``: what one contact (a chat, a browser) and one network address may ask of a process.

    ``contact_burst`` messages at once, refilled with ``contact_a_minute``; likewise ``network_*`` requests of the web
    page; ``uploads_an_hour`` of a contact; of a network ``browsers_an_hour`` that are new, ``streams`` open and
    ``at_once`` requests under way.
    """

    contact_burst: Annotated[Whole, Field(ge=20, le=1_000_000)] = 120
    contact_a_minute: Annotated[Whole, Field(ge=10, le=1_000_000)] = 60
    network_burst: Annotated[Whole, Field(ge=100, le=1_000_000)] = 3_000
    network_a_minute: Annotated[Whole, Field(ge=100, le=1_000_000)] = 6_000
    uploads_an_hour: Annotated[Whole, Field(ge=20, le=1_000_000)] = 200
    browsers_an_hour: Annotated[Whole, Field(ge=10, le=1_000_000)] = 3_000
    streams: Annotated[Whole, Field(ge=10, le=1_000_000)] = 1_000
    at_once: Annotated[Whole, Field(ge=10, le=1_000_000)] = 200


class KeepSection(Section):
    """``[keep]``: how long things are kept. Claims and outbox at most 3 days: that is what a person who refuses consent
    is promised."""

    history_days: Annotated[Whole, Field(ge=1, le=3650)] = 180
    uploads_hours: Annotated[Whole, Field(ge=1, le=720)] = 24
    claims_days: Annotated[Whole, Field(ge=1, le=3)] = 3
    outbox_days: Annotated[Whole, Field(ge=1, le=3)] = 3
    failed_days: Annotated[Whole, Field(ge=1, le=90)] = 14
    drafts_days: Annotated[Whole, Field(ge=1, le=3650)] = 90
    evidence_days: Annotated[Whole, Field(ge=1, le=3650)] = 365
    person_years: Annotated[Whole, Field(ge=1, le=20)] = 5
    audit_years: Annotated[Whole, Field(ge=1, le=20)] = 5
    requests_years: Annotated[Whole, Field(ge=1, le=20)] = 5


class Settings(BaseSettings):
    """Everything the operator decides. Paths are absolute once loaded."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    storage: StorageSection = StorageSection()
    web: WebSection = WebSection()
    telegram: TelegramSection = TelegramSection()
    operation: OperationSection = OperationSection()
    review: ReviewSection = ReviewSection()
    evidence: EvidenceSection = EvidenceSection()
    limits: LimitsSection = LimitsSection()
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


def rules(settings: Settings) -> Rules:
    """What the dialogs must know of the settings."""
    return Rules(
        undo_seconds=settings.review.undo_seconds,
        stale_queue_days=settings.review.stale_queue_days,
        history_days=settings.keep.history_days,
        keep_years=settings.keep.person_years,
        public_url=settings.web.public_url,
        quota=Quota(settings.evidence.pictures_per_season, settings.evidence.megabytes_per_day * 1024 * 1024),
        keys=KeyFolder(settings.storage.keys),
    )


def limits(settings: Settings) -> Limits:
    """What one contact and one network may ask."""
    said = settings.limits
    return Limits(
        Rate(said.contact_burst, said.contact_a_minute),
        Rate(said.network_burst, said.network_a_minute),
        said.uploads_an_hour,
        said.browsers_an_hour,
        said.streams,
        said.at_once,
    )


def address(settings: Settings) -> str:
    """Where the chat page is found: ``public_url``, else the server's own address."""
    if settings.web.public_url:
        return settings.web.public_url
    host = f"[{settings.web.host}]" if ":" in settings.web.host else settings.web.host
    return f"http://{host}:{settings.web.port}"


@dataclass(frozen=True, slots=True)
class Account:
    """A bot of ours: its channel ``account`` (``telegram`` or ``telegram:NAME``), its ``name`` (empty for the only
    one)."""

    account: str
    name: str
    token: SecretStr = field(repr=False)


def accounts(settings: Settings) -> tuple[Account, ...]:
    """The bots that have a token: the one without a name first, then by name; ``()`` without Telegram."""
    section = settings.telegram
    one = (Account(TELEGRAM, "", section.token),) if section.token.get_secret_value() else ()
    named = (Account(f"{TELEGRAM}:{name}", name, section.bots[name].token) for name in sorted(section.bots))
    return (*one, *named)


def webhook_path(account: Account) -> str:
    """The path that this bot's updates are posted to: ``/telegram/NAME``, ``/telegram/bot`` for the only one."""
    return f"/telegram/{account.name or 'bot'}"


def webhook_url(settings: Settings, account: Account) -> str:
    """The whole address that this bot's updates are posted to."""
    return settings.web.public_url + webhook_path(account)


def blob_place(settings: Settings) -> Place:
    """Where evidence pictures are kept, for :func:`storage.blobs.open_store`."""
    said, s3 = settings.storage.blobs, settings.storage.s3
    if isinstance(said, Path):
        return said
    name, _slash, prefix = said.removeprefix("s3://").partition("/")
    return Bucket(
        name,
        prefix,
        s3.endpoint,
        s3.region,
        s3.path_style,
        s3.access_key_id.get_secret_value(),
        s3.secret_access_key.get_secret_value(),
        s3.session_token.get_secret_value(),
    )


def sqlite_file(settings: Settings) -> Path | None:
    """The database's file; ``None`` on PostgreSQL."""
    head, mark, path = settings.storage.url.partition("sqlite:///")
    return Path(path) if mark and not head else None


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
        if not name.upper().startswith(PREFIX) or not (nested or section in SECTIONS):
            continue  # HOCTAP_CONFIG and the like
        if section not in SECTIONS:
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
    keys = tuple(str(each) for each in loc if each != "[key]")  # pydantic's word for the key of a table itself
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
        return list(SECTIONS)
    if keys[:2] == ("storage", "s3"):
        return list(S3Section.model_fields)
    return list((SECTIONS[keys[0]] if len(keys) == 1 else BotSection).model_fields)


def _expected(keys: Sequence[str]) -> str:
    section, key = keys[0], keys[-1]
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


def _contradictions(settings: Settings, files: Files) -> Iterator[str]:
    """What is right by itself but not together."""
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
