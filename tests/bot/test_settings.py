"""Settings: where they come from, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.settings import Settings, SettingsError, address, load_settings, rules
from dialogs.states import Rules
from locales import Voice, speaking
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
    assert rules(found) == Rules()
    assert Keep(**found.keep.model_dump()) == Keep()
    shipped = load_settings(PROJECT / "bot.toml")
    assert shipped.model_dump(exclude={"storage"}) == Settings().model_dump(exclude={"storage"})
    assert shipped.storage.blobs == PROJECT / "var/evidence"
    text = (PROJECT / "bot.toml").read_text("utf-8")
    for section, part in Settings.model_fields.items():
        assert f"[{section}]" in text
        assert isinstance(part.annotation, type)
        for key in part.annotation.model_fields:  # type: ignore[attr-defined]
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
            "bot.toml: web.prot: unknown key; expected one of: host, port, public_url, picture_workers",
        ),
        ("[wbe]\nport = 1", "bot.toml: wbe: unknown key; expected one of: storage, web, review, keep"),
        ("port = 1", "bot.toml: port: unknown key; expected one of: storage, web, review, keep"),
        ("web = 1", "bot.toml: web: expected a section [web] of keys"),
        ("[web]\nport = 70000", "bot.toml: web.port: expected a whole number from 1 to 65535"),
        ('[web]\nport = "many"', "bot.toml: web.port: expected a whole number from 1 to 65535"),
        ("[web]\nport = true", "bot.toml: web.port: expected a whole number from 1 to 65535"),
        ("[keep]\noutbox_days = 4", "bot.toml: keep.outbox_days: expected a whole number from 1 to 3"),
        ('[storage]\nurl = "mysql://x"', "bot.toml: storage.url: expected sqlite:///path or"),
        ('[storage]\nurl = "sqlite:///:memory:"', "bot.toml: storage.url: expected sqlite:///path or"),
        ('[storage]\nblobs = ""', "bot.toml: storage.blobs: expected the path of a folder"),
        ('[web]\npublic_url = "hoctap.vn"', "bot.toml: web.public_url: expected an address such as https://"),
        ('[web]\npublic_url = "https://x.vn/a"', "bot.toml: web.public_url: expected an address such as https://"),
        ("[web\nport = 1", "bot.toml: line 1: expected TOML"),
    ],
)
def test_a_wrong_key_or_value_is_one_line(text: str, line: str) -> None:
    (found,) = faults(text)
    assert found.startswith(line)


def test_every_fault_gets_its_line() -> None:
    assert len(faults("[web]\nport = 0\n[keep]\nhistory_days = 0")) == 2


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("HOCTAP_WEB__PORT", "x", "HOCTAP_WEB__PORT: web.port: expected a whole number from 1 to 65535"),
        ("HOCTAP_WEB__PROT", "1", "HOCTAP_WEB__PROT: web.prot: unknown key; expected one of: host, port"),
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
