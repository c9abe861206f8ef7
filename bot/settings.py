"""What the operator of the server decides, section by section, and what follows from it; read by
:mod:`bot.settings_file`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.keys import KeyFolder
from bot.limits import Limits, Rate, networks
from dialogs.states import Rules
from reports.schedules import DEFAULTS, Schedule
from storage.blobs import Bucket, Place
from storage.evidence import Quota

PREFIX = "HOCTAP_"
TELEGRAM = "telegram"  # the account of the only bot; of several, telegram:NAME
OFFICIAL_API = "https://api.telegram.org"


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
    reports_days: Annotated[Whole, Field(ge=1, le=3650)] = 400


class ScheduleSection(Section):
    """``[[schedule]]``: a summary that goes up by itself, see :class:`reports.schedules.Schedule`. Any in the file take
    the place of all defaults."""

    name: str
    cron: str
    content: str = "summary"
    roles: tuple[str, ...] = ("supervisor",)
    level: str = "any"
    zone: str = "Asia/Ho_Chi_Minh"
    quiet: str = "21:00-06:30"


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
    schedule: tuple[ScheduleSection, ...] = tuple(ScheduleSection(**asdict(each)) for each in DEFAULTS)

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


# ------------------------------------------------------------------------------------------ what follows from them


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
        schedules=schedules(settings),
    )


def schedules(settings: Settings) -> tuple[Schedule, ...]:
    """The summaries that go up by themselves."""
    return tuple(Schedule(**each.model_dump()) for each in settings.schedule)


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
