"""The keys of id numbers: made once, private, never replaced silently, rotated, and looked at by the doctor."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import keys
from bot.keys import KeyFault, KeyFolder
from storage import identity, people, units
from storage.base import Connection, Refused
from storage.engine import metadata, open_engine, reading, writing
from tests.bot.conftest import Cli
from tests.support.world import START

NUMBER = "022157001234"


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    made = open_engine(f"sqlite:///{tmp_path / 'keys.sqlite'}")
    with writing(made) as conn:
        metadata.create_all(conn)
    return made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def somebody(conn: Connection) -> int:
    conn.execute(
        sa.insert(units.units).values(
            id=1, vintage="2025", code="VN", level=0, path="VN/", name="Trung ương Hội", kind="trung_uong", folded="hoi"
        )
    )
    contact = people.meet(conn, "web", "a", START)
    return people.join(
        conn, contact, unit_id=1, name="Lan", birth_year=1957, phone=None, form="ban", subject_group="x", now=START
    ).id


def states(conn: Connection, ring: identity.KeyRing, person: int) -> None:
    identity.keep(conn, person, identity.seal(conn, ring, NUMBER, person), START)


def test_a_key_is_made_once_and_is_private(engine: sa.Engine, place: Path) -> None:
    with writing(engine) as conn:
        ring = keys.ensure(place, conn, START)
        again = keys.ensure(place, conn, START)
        assert keys.check(place, conn) == ring == again
    (file,) = place.iterdir()
    assert file.name == "VN-1.key"
    assert len(file.read_bytes()) == identity.KEY_BYTES
    assert file.stat().st_mode & 0o777 == 0o600
    assert place.stat().st_mode & 0o077 == 0
    assert KeyFolder(place)() == ring


def test_a_start_that_was_cut_off_takes_the_key_that_lies_there(engine: sa.Engine, place: Path) -> None:
    with writing(engine) as conn:
        made = keys.ensure(place, conn, START)
        conn.rollback()
    with writing(engine) as conn:
        assert keys.ensure(place, conn, START) == made


def test_a_lost_key_is_made_anew_only_while_nothing_was_kept_under_it(engine: sa.Engine, place: Path) -> None:
    with writing(engine) as conn:
        first = keys.ensure(place, conn, START)
        (place / "VN-1.key").unlink()
        second = keys.ensure(place, conn, START)
        assert second.current.secret != first.current.secret
        states(conn, second, somebody(conn))
        (place / "VN-1.key").rename(place / "elsewhere")
        with pytest.raises(KeyFault, match=r"VN-1\.key.*05/10/2026"):
            keys.ensure(place, conn, START)
        assert not (place / "VN-1.key").exists()
        (place / "VN-1.key").write_bytes(b"x" * identity.KEY_BYTES)
        (place / "VN-1.key").chmod(0o600)
        with pytest.raises(KeyFault, match="VN-1"):
            keys.ensure(place, conn, START)
        (place / "elsewhere").rename(place / "VN-1.key")
        assert keys.ensure(place, conn, START) == second


@pytest.mark.parametrize(("mode", "content"), [(0o640, b"k" * 32), (0o600, b"short"), (0o600, b"")])
def test_a_file_that_is_no_private_key_is_refused(
    engine: sa.Engine, place: Path, mode: int, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    place.mkdir()
    (place / "VN-1.key").write_bytes(content)
    (place / "VN-1.key").chmod(mode)
    with writing(engine) as conn, pytest.raises(KeyFault, match=r"VN-1\.key"):
        keys.ensure(place, conn, START)
    with caplog.at_level(logging.DEBUG), pytest.raises(Refused, match="identity_key_missing"):
        KeyFolder(place)()
    assert "VN-1.key" in caplog.text
    assert "kkkk" not in caplog.text


def test_rotation_keeps_the_old_key_and_brings_everything_under_the_new(engine: sa.Engine, place: Path) -> None:
    with writing(engine) as conn:
        person = somebody(conn)
        states(conn, keys.ensure(place, conn, START), person)
        ring = keys.rotate(place, conn, START)
        assert [key.id for key in ring.keys] == ["VN-1", "VN-2"]
        assert identity.wrap(conn, ring) == 1
        assert keys.check(place, conn) == ring
        assert identity.seal(conn, KeyFolder(place)(), NUMBER).double_of == person
    assert sorted(file.name for file in place.iterdir()) == ["VN-1.key", "VN-2.key"]


def test_a_rotation_that_was_cut_off_goes_on_with_its_key(engine: sa.Engine, place: Path) -> None:
    with writing(engine) as conn:
        keys.ensure(place, conn, START)
    with writing(engine) as conn:
        cut = keys.rotate(place, conn, START)
        conn.rollback()
    with reading(engine) as conn:  # meanwhile the server goes on with the key that the database knows
        assert identity.usable(conn, KeyFolder(place)()).current.id == "VN-1"
    with writing(engine) as conn:
        assert keys.rotate(place, conn, START) == cut


def test_key_bytes_are_in_no_repr(engine: sa.Engine, place: Path) -> None:
    with writing(engine) as conn:
        ring = keys.ensure(place, conn, START)
    shown = f"{ring!r} {ring.current!r} {KeyFolder(place)!r}"
    assert repr(ring.current.secret) not in shown
    assert ring.current.secret.hex() not in shown


def test_commands(cli: Cli, folder: Path) -> None:
    cli("init")
    file = next(folder.rglob("VN-1.key"))
    assert "VN-1" in cli("doctor", "--offline").out
    assert "VN-2.key" in cli("keys", "rotate").out
    assert file.with_name("VN-2.key").exists()
    file.chmod(0o644)
    found = cli("doctor", "--offline")
    assert found.status == 1
    assert f"chmod 600 {file}" in found.out
