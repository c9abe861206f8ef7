"""Settings: where they come from, and what is said of wrong ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.settings import Settings, accounts, address, blob_place, rules, schedules, webhook_path
from bot.settings_file import SettingsError, load_settings
from dialogs.states import Rules
from locales import Voice, speaking
from storage.blobs import Bucket
from storage.housekeeping import Keep

PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder and an environment that says nothing."""
    import os

    for name in [name for name in os.environ if name.startswith("HOCTAP_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def faults(text: str) -> list[str]:
    Path("bot.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as error, speaking(Voice("en")):
        load_settings()
    assert all("\n" not in line for line in error.value.lines)
    return list(error.value.lines)


def test_every_default_is_usable_and_bot_toml_shows_them_all(elsewhere: Path) -> None:
    found = load_settings()
    assert found.storage.blobs == elsewhere / "var/evidence"
    assert found.storage.url == f"sqlite:///{elsewhere}/var/hoctap.sqlite"
    assert replace(rules(found), keys=None) == Rules()
    assert Keep(**found.keep.model_dump()) == Keep()
    shipped = load_settings(PROJECT / "bot.toml")
    assert shipped.model_dump(exclude={"storage"}) == Settings().model_dump(exclude={"storage"})
    assert shipped.storage.blobs == PROJECT / "var/evidence"
    text = (PROJECT / "bot.toml").read_text("utf-8")
    assert text.count("[[schedule]]") == len(Settings().schedule) + 1  # once in the words above them
    for section, part in Settings.model_fields.items():
        assert f"[{section}]" in text
        if section == "schedule":
            continue
        assert isinstance(part.annotation, type)
        for key in set(part.annotation.model_fields) - {"token", "bots", "s3"}:  # type: ignore[attr-defined]
            assert f"\n{key} = " in text, key


def test_environment_over_secrets_over_file(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bot.toml").write_text('[web]\nport = 1\nhost = "::1"\n[review]\nundo_seconds = 5\n')
    secret = Path("bot.secrets.toml")
    secret.write_text('[storage]\nurl = "postgresql://me:pass@db/x"\n[web]\nport = 2\n')
    secret.chmod(0o600)
    assert load_settings().web.port == 2
    monkeypatch.setenv("HOCTAP_WEB__PORT", "3")
    found = load_settings()
    assert (found.web.port, found.web.host, found.review.undo_seconds) == (3, "::1", 5)
    assert found.storage.url == "postgresql://me:pass@db/x"
    assert "pass" not in repr(found)
    assert "pass" not in str(found)
    assert address(found) == "http://[::1]:3"


def test_hoctap_config_names_another_file_and_paths_follow_it(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = elsewhere / "etc" / "mine.toml"
    other.parent.mkdir()
    other.write_text('[storage]\nblobs = "pictures"\n[web]\npublic_url = "https://hoctap.example.vn/"\n')
    monkeypatch.setenv("HOCTAP_CONFIG", str(other))
    found = load_settings()
    assert found.storage.blobs == other.parent / "pictures"
    assert address(found) == found.web.public_url == "https://hoctap.example.vn"
    monkeypatch.setenv("HOCTAP_CONFIG", "nowhere.toml")
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "[web]\nprot = 1",
            "bot.toml: web.prot: unknown key; expected one of: "
            "host, port, public_url, picture_workers, trusted_proxies",
        ),
        (
            "[wbe]\nport = 1",
            "bot.toml: wbe: unknown key; expected one of: "
            "storage, web, telegram, operation, review, evidence, limits, keep",
        ),
        (
            "port = 1",
            "bot.toml: port: unknown key; expected one of: "
            "storage, web, telegram, operation, review, evidence, limits, keep",
        ),
        ("web = 1", "bot.toml: web: expected a section [web] of keys"),
        ("[web]\nport = 70000", "bot.toml: web.port: expected a whole number from 1 to 65535"),
        ('[web]\nport = "many"', "bot.toml: web.port: expected a whole number from 1 to 65535"),
        ("[web]\nport = true", "bot.toml: web.port: expected a whole number from 1 to 65535"),
        ("[limits]\nat_once = 1", "bot.toml: limits.at_once: expected a whole number from 10 to 1000000"),
        (
            '[web]\ntrusted_proxies = "proxy.vn"',
            "bot.toml: web.trusted_proxies: expected IP addresses or networks separated by commas",
        ),
        ("[keep]\noutbox_days = 4", "bot.toml: keep.outbox_days: expected a whole number from 1 to 3"),
        ('[storage]\nurl = "mysql://x"', "bot.toml: storage.url: expected sqlite:///path or"),
        ('[storage]\nurl = "sqlite:///:memory:"', "bot.toml: storage.url: expected sqlite:///path or"),
        ('[storage]\nblobs = ""', "bot.toml: storage.blobs: expected the path of a folder"),
        ("[storage]\nblobs = 3", "bot.toml: storage.blobs: expected the path of a folder, or s3://bucket/prefix"),
        (
            '[storage]\nblobs = "s3://B"',
            "bot.toml: storage.blobs: expected the path of a folder, or s3://bucket/prefix",
        ),
        ('[storage]\nblobs = "s3://bucket"', "bot.toml: storage.blobs is an S3 store, but its keys are missing"),
        ("[storage]\ns3 = 1", "bot.toml: storage.s3: expected a section [storage.s3] of keys"),
        ('[storage.s3]\nport = ""', "bot.toml: storage.s3.port: unknown key; expected one of: endpoint, region"),
        ('[storage.s3]\nendpoint = "x"', "bot.toml: storage.s3.endpoint: expected an address such as https://s3"),
        ('[storage.s3]\nregion = "x y"', "bot.toml: storage.s3.region: expected a region"),
        ('[storage.s3]\npath_style = "maybe"', "bot.toml: storage.s3.path_style: expected true or false"),
        (
            '[storage.s3]\nsecret_access_key = "s3cret"',
            "bot.toml: storage.s3.secret_access_key is a secret and does not belong here",
        ),
        ('[web]\npublic_url = "hoctap.vn"', "bot.toml: web.public_url: expected an address such as https://"),
        ('[web]\npublic_url = "https://x.vn/a"', "bot.toml: web.public_url: expected an address such as https://"),
        ("[web\nport = 1", "bot.toml: line 1: expected TOML"),
    ],
)
def test_a_wrong_key_or_value_is_one_line(text: str, line: str) -> None:
    (found,) = faults(text)
    assert found.startswith(line)


def test_a_bucket_and_its_keys(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bot.toml").write_text(
        '[storage]\nblobs = "s3://hoctap/evidence/"\n[storage.s3]\nendpoint = "https://s3.example.vn/"\n'
    )
    secret = Path("bot.secrets.toml")
    secret.write_text('[storage.s3]\naccess_key_id = "AKIA"\nsecret_access_key = "s3cret"\n')
    secret.chmod(0o600)
    monkeypatch.setenv("HOCTAP_STORAGE__S3__ACCESS_KEY_ID", "AKIB")
    found = load_settings()
    place = blob_place(found)
    assert place == Bucket(
        "hoctap", "evidence", "https://s3.example.vn", access_key_id="AKIB", secret_access_key="s3cret"
    )
    for text in (repr(found), str(found), repr(found.storage.s3), repr(place), str(place)):
        assert "s3cret" not in text
        assert "AKI" not in text


def test_every_fault_gets_its_line() -> None:
    assert len(faults("[web]\nport = 0\n[keep]\nhistory_days = 0")) == 2


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("HOCTAP_WEB__PORT", "x", "HOCTAP_WEB__PORT: web.port: expected a whole number from 1 to 65535"),
        ("HOCTAP_WEB__PROT", "1", "HOCTAP_WEB__PROT: web.prot: unknown key; expected one of: host, port"),
        ("HOCTAP_STORAGE__S3__KEY", "s3cret", "HOCTAP_STORAGE__S3__KEY: storage.s3.key: unknown key; expected one of"),
        ("HOCTAP_STORAGE__S3", "s3cret", "HOCTAP_STORAGE__S3: storage.s3: unknown key; expected one of"),
        ("HOCTAP_WBE__PORT", "1", "HOCTAP_WBE__PORT: wbe: unknown key; expected one of: storage, web"),
        ("HOCTAP_WEB", "1", "HOCTAP_WEB: web: unknown key; expected one of: host, port"),
        ("HOCTAP_STORAGE__URL", "s3cret", "HOCTAP_STORAGE__URL: storage.url: expected sqlite:///path or"),
    ],
)
def test_a_wrong_variable_is_one_line(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, line: str) -> None:
    monkeypatch.setenv(variable, value)
    (found,) = faults("[web]\nport = 1")
    assert found.startswith(line)
    assert "s3cret" not in found


def test_other_variables_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCTAP_KILLS", "3")
    load_settings()


def test_secrets_that_others_can_read_are_refused() -> None:
    secret = Path("bot.secrets.toml")
    secret.write_text("")
    secret.chmod(0o640)
    assert faults("") == [
        "bot.secrets.toml: others on this machine can read this file; run: chmod 600 bot.secrets.toml"
    ]


@pytest.mark.parametrize("url", ["postgresql://me:pa55@db/x", "postgresql://db/x?user=me&password=pa55"])
def test_a_password_in_bot_toml_is_refused_and_not_shown(url: str) -> None:
    (found,) = faults(f'[storage]\nurl = "{url}"')
    assert found.startswith("bot.toml: storage.url: expected an address without its password")
    assert "pa55" not in found


def test_a_broken_secret_is_not_quoted() -> None:
    secret = Path("bot.secrets.toml")
    secret.write_text("[storage]\nurl = pa55word")
    secret.chmod(0o600)
    assert faults("") == ["bot.secrets.toml: line 2: expected TOML"]


# ------------------------------------------------------------------------------------------ [telegram]

ONE = "1234567890:AAGs3cretS3cretS3cretS3cretS3cret-_1"
TWO = "2234567890:AAGs3cretS3cretS3cretS3cretS3cret-_2"


def hide(text: str) -> None:
    """Write bot.secrets.toml."""
    secret = Path("bot.secrets.toml")
    secret.write_text(text, encoding="utf-8")
    secret.chmod(0o600)


def tokens() -> dict[str, str]:
    return {each.account: each.token.get_secret_value() for each in accounts(load_settings())}


def test_tokens_come_from_secrets_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert accounts(load_settings()) == ()
    hide(f'[telegram]\ntoken = "{ONE}"\n')
    assert tokens() == {"telegram": ONE}
    monkeypatch.setenv("HOCTAP_TELEGRAM__BOTS__QUANG_NINH__TOKEN", TWO)
    assert tokens() == {"telegram": ONE, "telegram:quang_ninh": TWO}
    hide(f'[telegram.bots.zzz]\ntoken = "{ONE}"\n')
    assert list(tokens().items()) == [("telegram:quang_ninh", TWO), ("telegram:zzz", ONE)]
    assert [webhook_path(each) for each in accounts(load_settings())] == ["/telegram/quang_ninh", "/telegram/zzz"]
    monkeypatch.setenv("HOCTAP_TELEGRAM__BOTS__ZZZ__TOKEN", ONE.replace("AAG", "AAH"))
    assert tokens()["telegram:zzz"] == ONE.replace("AAG", "AAH")


def test_tokens_are_not_in_what_is_printed() -> None:
    hide(f'[telegram]\ntoken = "{ONE}"\n[telegram.bots.quangninh]\ntoken = "{TWO}"\n')
    found = load_settings()
    for shown in (found, found.telegram, found.telegram.bots, accounts(found), found.model_dump()):
        for text in (repr(shown), str(shown)):
            assert "s3cret" not in text
            assert "1234567890" not in text


def test_a_name_may_stand_in_bot_toml_and_its_token_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = faults("[telegram.bots.quangninh]")
    assert found.startswith("bot.toml: telegram.bots.quangninh.token: expected a bot's token as @BotFather sent it")
    assert "HOCTAP_TELEGRAM__BOTS__QUANGNINH__TOKEN" in found
    monkeypatch.setenv("HOCTAP_TELEGRAM__BOTS__QUANGNINH__TOKEN", ONE)
    assert tokens() == {"telegram:quangninh": ONE}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('mode = "push"', "telegram.mode: expected polling or webhook"),
        ('api_url = ""', "telegram.api_url: expected an address such as https://api.telegram.org"),
        ('api_url = "https://x/bot"', "telegram.api_url: expected an address such as https://api.telegram.org"),
        ('api_url = "ftp://x"', "telegram.api_url: expected an address such as https://api.telegram.org"),
        ("rate = 0", "telegram.rate: expected a whole number from 1 to 1000"),
        ("push_rate = 29", "telegram.push_rate: expected at most telegram.rate (28)"),
        ("chat_rate = 0.05", "telegram.chat_rate: expected a number from 0.1 to 1,000"),
        ("chat_rate = true", "telegram.chat_rate: expected a number from 0.1 to 1,000"),
        ("chat_rate = nan", "telegram.chat_rate: expected a number from 0.1 to 1,000"),
        ('mode = "webhook"', "telegram.mode: webhook needs web.public_url, an https address"),
        (
            'mode = "webhook"\n[web]\npublic_url = "http://x.vn"',
            "telegram.mode: webhook needs web.public_url, an https",
        ),
        ('mode = "webhook"\napi_url = "http://localhost:8081"', "telegram.mode: webhook needs web.public_url, where"),
        ("bots = 1", "telegram.bots: expected sections [telegram.bots.NAME]"),
        ("bots.a = 1", "telegram.bots.a: expected a section [telegram.bots.a] of keys"),
        ("bots.a.tokn = 1", "telegram.bots.a.tokn: unknown key; expected one of: token"),
        ("botz.a = 1", "telegram.botz: unknown key; expected one of: mode, api_url"),
        (f'token = "{ONE}"', "telegram.token: a bot's token does not belong in this file"),
        (f'bots.a.token = "{ONE}"', "telegram.bots.a.token: a bot's token does not belong in this file"),
    ],
)
def test_a_wrong_key_of_telegram_is_one_line(text: str, line: str) -> None:
    found = next(each for each in faults(f"[telegram]\n{text}") if line in each)
    assert found.startswith(f"bot.toml: {line}")
    assert "s3cret" not in found


def test_what_goes_together() -> None:
    Path("bot.toml").write_text('[telegram]\nmode = "webhook"\n[web]\npublic_url = "https://hoctap.example.vn"')
    assert load_settings().telegram.mode == "webhook"
    Path("bot.toml").write_text(
        '[telegram]\nmode = "webhook"\napi_url = "http://localhost:8081"\nchat_rate = 3\n[web]\npublic_url = "http://x"'
    )
    assert load_settings().telegram.chat_rate == 3
    assert load_settings().telegram.api_url == "http://localhost:8081"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[telegram]\ntoken = "s3cret"', "telegram.token: expected a bot's token as @BotFather sent it"),
        (f'[telegram]\ntoken = " {ONE}"', "telegram.token: expected a bot's token as @BotFather sent it"),
        (f"[telegram]\ntoken = {ONE[:10]}", "telegram.token: expected a bot's token as @BotFather sent it"),
        ('[telegram.bots.a]\ntoken = ""', "telegram.bots.a.token: expected a bot's token"),
        (f'[telegram.bots.Hanoi]\ntoken = "{ONE}"', "telegram.bots.Hanoi: expected the name of a bot: 1 to 32"),
        (f'[telegram.bots."{ONE}"]\ntoken = "{TWO}"', "telegram.bots.•••: expected the name of a bot"),
        (
            f'[telegram]\ntoken = "{ONE}"\n[telegram.bots.a]\ntoken = "{ONE}"',
            "telegram.bots.a.token: the same token as telegram.token",
        ),
        (
            f'[telegram]\ntoken = "{ONE}"\n[telegram.bots.bot]\ntoken = "{TWO}"',
            "telegram.bots.bot.token: the name bot is taken by telegram.token",
        ),
    ],
)
def test_a_wrong_token_is_one_line_that_does_not_show_it(text: str, line: str) -> None:
    hide(text)
    (found,) = faults("")
    assert found.startswith(f"bot.secrets.toml: {line}")
    assert "s3cret" not in found
    assert "1234567890" not in found


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("TOKEN", "s3cret", "telegram.token: expected a bot's token"),
        ("BOTS__A__TOKEN", "s3cret", "telegram.bots.a.token: expected a bot's token"),
        (
            "BOTS__A__TOKN",
            "s3cret",
            "telegram.bots.a.tokn: unknown key; expected one of: HOCTAP_TELEGRAM__BOTS__NAME__",
        ),
        ("BOTS", '{"a": {"token": "s3cret"}}', "telegram.bots: unknown key; expected one of: HOCTAP_TELEGRAM__BOTS__N"),
        ("BOTS__A", "s3cret", "telegram.bots.a: unknown key; expected one of: HOCTAP_TELEGRAM__BOTS__NAME__TOKEN"),
        ("TOKEN__A", "s3cret", "telegram.token.a: unknown key; expected one of: mode"),
        ("PUSH_RATE", "29", "telegram.push_rate: expected at most telegram.rate (28)"),
    ],
)
def test_a_wrong_variable_of_telegram_is_one_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, line: str
) -> None:
    monkeypatch.setenv(f"HOCTAP_TELEGRAM__{variable}", value)
    (found,) = faults("")
    assert found.startswith(f"HOCTAP_TELEGRAM__{variable}: {line}")
    assert "s3cret" not in found


MINE = '[[schedule]]\nname = "mine"\ncron = "0 8 * * TUE"\n'


def test_schedules_in_the_file_take_the_place_of_the_defaults() -> None:
    Path("bot.toml").write_text(MINE, encoding="utf-8")
    (found,) = schedules(load_settings())
    assert (found.name, found.cron, found.content, found.roles, found.level) == (
        "mine", "0 8 * * TUE", "summary", ("supervisor",), "any",
    )  # fmt: skip
    assert rules(load_settings()).schedules == (found,)
    Path("bot.toml").write_text("schedule = []", encoding="utf-8")
    assert schedules(load_settings()) == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (MINE.replace("0 8 * * TUE", "0 8 * *"), "bot.toml: [[schedule]] mine: cron: expected the five fields"),
        (MINE.replace("0 8 * * TUE", "0 8 5 * MON#5"), ""),
        (MINE + 'zone = "Asia/Hanoi"', "bot.toml: [[schedule]] mine: zone: expected the name of a time zone"),
        (MINE + 'level = "huyen"', "bot.toml: [[schedule]] mine: level: expected one of: centre, province"),
        (MINE + 'roles = ["boss"]', "bot.toml: [[schedule]] mine: roles: expected a list of supervisor"),
        (MINE + "roles = 3", "bot.toml: schedule.1.roles: expected a list of supervisor"),
        (MINE + 'content = "poem"', "bot.toml: [[schedule]] mine: content: expected one of: summary, waiting"),
        (MINE + 'quiet = "at night"', "bot.toml: [[schedule]] mine: quiet: expected quiet hours such as"),
        (MINE.replace("mine", "Của tôi"), "bot.toml: [[schedule]] Của tôi: name: expected a name of small letters"),
        (MINE + MINE, "bot.toml: [[schedule]] mine: the name is there twice"),
        (MINE + '[[schedule]]\nname = "other"', "bot.toml: schedule.2.cron: expected the five fields"),
        (MINE + "when = 1", "bot.toml: schedule.1.when: unknown key; expected one of: name, cron, content"),
        ("schedule = 1", "bot.toml: schedule: expected tables [[schedule]] with name and cron"),
        ("schedule = [1]", "bot.toml: schedule.1: expected tables [[schedule]] with name and cron"),
    ],
)
def test_a_wrong_schedule_is_one_line_with_the_mend(text: str, line: str) -> None:
    if not line:  # a fifth Monday or the fifth of a month: one of them comes
        Path("bot.toml").write_text(text, encoding="utf-8")
        load_settings()
        return
    (found,) = faults(text)
    assert found.startswith(line), found


def test_schedules_are_not_for_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCTAP_SCHEDULE", "[]")
    with pytest.raises(SettingsError, match="HOCTAP_SCHEDULE"), speaking(Voice("en")):
        load_settings()
