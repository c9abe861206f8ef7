"""Backup, restore and moving as an operator does them: what comes back is what was there, or nothing at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import shutil
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from storage import backup, conversations, evidence, migrate, moving, people, recount, units
from storage.base import Refused
from storage.blobs import BlobFolder, StoreFull
from storage.engine import Engine, open_engine, reading, writing
from storage.moving import shapes
from tests.bot.conftest import Cli
from tests.peers.s3 import S3, s3_server
from tests.storage.test_deletions import sent
from tests.storage.test_lifecycle import NOW, submitted
from tests.storage.test_moving import content
from tests.support.world import World

pytestmark = pytest.mark.slow

PICTURES = [bytes([n]) * 5000 for n in range(4)]


def nothing(*_: object) -> None:
    pass


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def store(folder: Path) -> BlobFolder:
    return BlobFolder(folder / "var/evidence")


@pytest.fixture
def lived(world: World, store: BlobFolder) -> World:
    """Two citizens with four pictures, one of them the same."""
    with world.write() as conn:
        commune = units.by_code(conn, "06685")
        assert commune is not None
        for n in range(2):
            row = submitted(conn, commune.id)
            contact = people.meet(conn, "web", f"phone-{n}", NOW)
            for data in (PICTURES[0], PICTURES[n + 1]):
                key = store.put(data)
                sent(conn, contact, key)
                evidence.add(conn, row.id, "A1", "photo", contact_id=contact, key=key, now=NOW)
        sent(conn, contact, store.put(PICTURES[3]))
    return world


@pytest.fixture
def archive(lived: World, cli: Cli, folder: Path) -> Path:
    file = folder / "out.tar"
    assert cli("backup", str(file)).said("out.tar", "4 ảnh", "khóa").status == 0
    return file


def elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place that the settings name from now on."""
    place = folder / "elsewhere"
    monkeypatch.setenv("HOCTAP_STORAGE__URL", f"sqlite:///{place}/new.sqlite")
    monkeypatch.setenv("HOCTAP_STORAGE__BLOBS", str(place / "evidence"))
    monkeypatch.setenv("HOCTAP_STORAGE__KEYS", str(place / "keys"))
    return place


def keys_in(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {each.name: (each.read_bytes(), each.stat().st_mode & 0o777) for each in folder.iterdir()}


def test_what_is_restored_is_what_was_backed_up(
    cli: Cli, lived: World, archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert archive.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in folder.iterdir()) == ["out.tar", "var"]
    before = content(lived.engine)
    place = elsewhere(folder, monkeypatch)
    assert cli("restore", str(archive)).said("khớp", "4 ảnh", "hoctap privacy log").status == 0
    assert keys_in(place / "keys") == keys_in(folder / "var/keys")
    assert sorted(BlobFolder(place / "evidence").keys()) == sorted(BlobFolder(folder / "var/evidence").keys())
    engine = open_engine(f"sqlite:///{place}/new.sqlite")
    assert content(engine) == before
    engine.dispose()
    assert cli("recount", "--check").status == 0
    assert cli("doctor", "--offline").said("khớp")
    cli("restore", str(archive)).refused(1, "đã có dữ liệu")


@pytest.mark.postgres
def test_from_sqlite_and_a_folder_to_postgresql_and_s3_and_back(
    cli: Cli, lived: World, archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, postgres_database: str, s3: S3
) -> None:
    before = content(lived.engine)
    place = elsewhere(folder, monkeypatch)
    monkeypatch.setenv("HOCTAP_STORAGE__URL", postgres_database)
    monkeypatch.setenv("HOCTAP_STORAGE__BLOBS", f"s3://hoctap/{folder.name}")
    monkeypatch.setenv("HOCTAP_STORAGE__S3__ENDPOINT", s3.url)
    monkeypatch.setenv("HOCTAP_STORAGE__S3__ACCESS_KEY_ID", s3.access_key_id)
    monkeypatch.setenv("HOCTAP_STORAGE__S3__SECRET_ACCESS_KEY", s3.secret_access_key)
    assert cli("restore", str(archive)).said("khớp").status == 0
    assert cli("doctor").said(f"s3://hoctap/{folder.name}", "postgresql")
    assert cli("backup", "again.tar").said("4 ảnh").status == 0
    shutil.rmtree(place)
    elsewhere(folder, monkeypatch)
    assert cli("restore", "again.tar").said("khớp").status == 0
    engine = open_engine(f"sqlite:///{place}/new.sqlite")
    assert content(engine) == before
    engine.dispose()


def test_a_damaged_archive_changes_nothing(
    cli: Cli, archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound, told = archive.read_bytes(), backup.verify(archive, nothing)
    place = elsewhere(folder, monkeypatch)
    dice = random.Random(4)
    refused = 0
    for n in range(80):
        spot = dice.randrange(len(sound))
        damaged = sound[:spot] if n % 4 == 0 else sound[:spot] + bytes([sound[spot] ^ 0x41]) + sound[spot + 1 :]
        archive.write_bytes(damaged)
        try:
            assert backup.verify(archive, nothing) == told  # the padding between members means nothing
        except Refused as error:
            assert error.code == "archive_damaged"
            refused += 1
    assert refused > 30
    archive.write_bytes(sound[: len(sound) // 2])
    cli("restore", str(archive)).refused(1, "out.tar không phải bản sao lưu nguyên vẹn")
    archive.write_bytes(b"")
    cli("restore", str(archive)).refused(1, "out.tar không phải bản sao lưu nguyên vẹn")
    assert not place.exists()


def test_an_archive_that_holds_more_than_it_says_or_other_things_is_refused(archive: Path) -> None:
    told = backup.verify(archive, nothing)
    assert told.pictures == 4
    for name, kind in (("../evil", tarfile.REGTYPE), ("keys/../../x", tarfile.REGTYPE), ("keys/x", tarfile.SYMTYPE)):
        other = archive.with_name("other.tar")
        shutil.copy(archive, other)
        with tarfile.open(other, "a") as tar:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        with pytest.raises(Refused, match="archive_damaged"):
            backup.verify(other, nothing)


def sealed_anew(archive: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The archive with another manifest, and a seal that fits it."""
    other = archive.with_name("other.tar")
    with tarfile.open(other, "w") as tar, tarfile.open(archive) as sound:
        for info in sound:
            stream = sound.extractfile(info)
            assert stream is not None
            data = stream.read()
            if info.name == "manifest.json":
                told = json.loads(data)
                change(told)
                data = manifest = json.dumps(told).encode()
            if info.name == "manifest.sha256":
                data = hashlib.sha256(manifest).hexdigest().encode()
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return other


def entry(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info


def test_an_archive_cannot_fill_the_memory(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a header claims is held against what this program writes, before anything of that size is read."""
    rows = backup.ROWS
    huge = 2**28
    for info in (
        entry("manifest.json", huge),
        entry("manifest.sha256", huge),
        entry("keys/VN-9.key", 5000),
        entry(f"database/people-{rows}.jsonl.gz", huge),
        entry("evidence/ab/" + "c" * 62, huge),
        entry("keys/VN-9.key", huge, tarfile.XHDTYPE),  # records that tarfile would take into memory
        entry("keys/VN-9.key", huge, tarfile.GNUTYPE_LONGNAME),
        entry("keys/VN-9.key", 32, tarfile.GNUTYPE_SPARSE),
        entry("keys/VN-9.key", 0, tarfile.DIRTYPE),
    ):
        hostile = archive.with_name("other.tar")
        with hostile.open("wb") as out:
            out.write(info.tobuf(tarfile.GNU_FORMAT))
            out.truncate(huge)  # a hole: it takes no room on the disk, and all of it in memory
        tracemalloc.start()
        with pytest.raises(Refused, match="archive_damaged"):
            backup.verify(hostile, nothing)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 * 2**20, info.name
    monkeypatch.setattr(backup, "MOST_MEMBERS", 10)
    with pytest.raises(Refused, match="archive_damaged"):
        backup.verify(archive, nothing)


def test_rows_that_unpack_to_more_than_anybody_wrote_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "LARGEST_ROWS", 2**20)
    bomb = gzip.compress(b"[1]\n" * 2**20)
    assert len(bomb) < 10_000
    with pytest.raises(ValueError, match="rows"):
        backup._rows(bomb)
    assert backup._rows(gzip.compress(b"[1]\n" * 3)) == [[1]] * 3
    assert backup._rows(gzip.compress('["a\u2028b"]\n'.encode())) == [["a\u2028b"]], "a line of ours ends with one sign"


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["tables"][0]["shape"].update(name="units; drop table people"),
        lambda told: told["tables"][0]["shape"]["columns"].__setitem__(0, 'id" from people; --'),
        lambda told: told["tables"][0]["shape"].update(key=["x' || y"]),
        lambda told: told["tables"][0]["shape"]["kinds"].pop(),
        lambda told: told["tables"][0]["shape"]["kinds"].__setitem__(0, "code"),
        lambda told: told["numbers"].update(messages=2**70),
        lambda told: told.update(tables=None),
    ],
)
def test_a_manifest_that_fits_its_seal_and_nothing_else_is_refused(
    archive: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    assert backup.verify(sealed_anew(archive, lambda told: None), nothing).pictures == 4
    with pytest.raises(Refused, match="archive_damaged"):
        backup.verify(sealed_anew(archive, change), nothing)


def test_a_line_of_the_history_is_numbered_on_after_a_restore(lived: World, folder: Path, store: BlobFolder) -> None:
    with lived.write() as conn:
        contact = people.meet(conn, "web", "a", NOW)
        lines = [conversations.keep_message(conn, contact, "in", "{}", NOW) for _n in range(3)]
        conversations.erase_history(conn, contact)
    backup.make(lived.engine, store, folder / "var/keys", folder / "out.tar", "0", NOW, nothing)
    manifest = backup.verify(folder / "out.tar", nothing)
    engine = open_engine(f"sqlite:///{folder}/new.sqlite")
    backup.restore(engine, BlobFolder(folder / "b"), folder / "k", folder / "out.tar", manifest, nothing)
    with writing(engine) as conn:
        assert conversations.keep_message(conn, contact, "in", "{}", NOW) == lines[-1] + 1
    engine.dispose()


def test_a_place_that_is_not_empty_is_refused(
    cli: Cli, archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("restore", str(archive)).refused(1, "đã có dữ liệu")
    cli("backup", str(archive)).refused(1, "đã có sẵn")
    place = elsewhere(folder, monkeypatch)
    blobs = BlobFolder(place / "evidence")
    key = blobs.put(b"somebody's")
    cli("restore", str(archive)).refused(1, "đã có ảnh")
    blobs.remove([key])
    (place / "keys").mkdir()
    (place / "keys/VN-1.key").write_bytes(b"x")
    cli("restore", str(archive)).refused(1, "đã có tệp")
    (place / "keys/VN-1.key").unlink()
    assert cli("restore", str(archive)).status == 0


def test_a_restore_that_fails_brings_nothing_back(archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = BlobFolder(folder / "new/evidence")
    real, count = BlobFolder.put, iter(range(10))

    def put(self: BlobFolder, data: bytes) -> str:
        if next(count) == 2:
            raise StoreFull
        return real(self, data)

    monkeypatch.setattr(BlobFolder, "put", put)
    engine = open_engine(f"sqlite:///{folder}/new/hoctap.sqlite")
    manifest = backup.verify(archive, nothing)
    with pytest.raises(StoreFull):
        backup.restore(engine, blobs, folder / "new/keys", archive, manifest, nothing)
    assert moving.is_empty(engine)
    assert list(blobs.keys()) == []
    assert backup.restore(engine, blobs, folder / "new/keys", archive, manifest, nothing).missing == 0
    engine.dispose()


def test_a_backup_is_of_one_moment_while_people_go_on(
    lived: World, store: BlobFolder, folder: Path, archive: Path
) -> None:
    """Somebody joins, somebody's picture is deleted while it is made."""
    deleted = store.put(PICTURES[1])

    def tell(what: str, done: int, _total: int) -> None:
        if what == "database" and done == 12:
            with writing(lived.engine) as conn:
                commune = units.by_code(conn, "06685")
                assert commune is not None
                submitted(conn, commune.id)
        if what == "evidence" and done == 0 and store.exists(deleted):
            with writing(lived.engine) as conn:
                for table in (evidence.evidence, evidence.uploads):
                    conn.execute(sa.delete(table).where(table.c.key == deleted))
            store.remove([deleted])

    file = folder / "later.tar"
    kept = backup.make(lived.engine, store, folder / "var/keys", file, "0", datetime.now(UTC), tell)
    assert (kept.pictures, kept.gone, kept.lost) == (3, 1, ())
    manifest = backup.verify(file, nothing)
    assert {each.shape.name: each.rows for each in manifest.tables}["people"] == 2
    engine = open_engine(f"sqlite:///{folder}/later.sqlite")
    done = backup.restore(engine, BlobFolder(folder / "later"), folder / "later-keys", file, manifest, nothing)
    assert (done.differences, done.missing) == (0, 0), "what was deleted meanwhile is no loss"
    engine.dispose()
    with reading(lived.engine) as conn:
        assert recount.check(conn) == []


def test_a_picture_that_is_lost_is_told_and_the_rest_is_kept(
    cli: Cli, lived: World, store: BlobFolder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store.put(PICTURES[2])
    (folder / "var/evidence" / key[:2] / key[2:]).write_bytes(b"damaged")
    ran = cli("backup", "out.tar")
    assert ran.status == 1
    assert key in ran.err
    elsewhere(folder, monkeypatch)
    ran = cli("restore", "out.tar")
    assert (ran.status, "thiếu 1 ảnh" in ran.out) == (1, True)


def test_a_backup_of_older_tables_comes_back_at_the_newest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made by the release before: its tables and columns only."""

    def as_in(engine: Engine) -> list[moving.Shape]:
        look, found = sa.inspect(engine), []
        for shape in shapes():
            if look.has_table(shape.name):
                there = {column["name"] for column in look.get_columns(shape.name)}
                pairs = [pair for pair in zip(shape.columns, shape.kinds, strict=True) if pair[0] in there]
                columns, kinds = zip(*pairs, strict=True)
                found.append(replace(shape, columns=columns, kinds=kinds))
        return found

    engine = open_engine(f"sqlite:///{folder}/old.sqlite")
    migrate.upgrade(engine, "0002")
    moment = "'2026-10-05T02:00:00.000000Z'"
    with writing(engine) as conn:
        conn.exec_driver_sql(
            "insert into units (id, vintage, code, level, path, name, kind, folded)"
            " values (1, '2025', '06685', 2, '06685/', 'Phường Hồng Gai', 'phuong', 'hong gai')"
        )
        conn.exec_driver_sql(
            "insert into people (id, unit_id, name, birth_year, form, subject_group, joined_at)"
            f" values (1, 1, 'Lê Thị Na', 1960, 'ong_ba', 'nong_dan', {moment})"
        )
    before = as_in(engine)
    with monkeypatch.context() as past:
        past.setattr(backup, "shapes", lambda: before)
        past.setattr(migrate, "HEAD", "0002")
        past.setattr(evidence, "all_references", lambda conn: [])
        backup.make(engine, BlobFolder(folder / "a"), folder / "k", folder / "old.tar", "0", NOW, nothing)
    engine.dispose()
    manifest = backup.verify(folder / "old.tar", nothing)
    engine = open_engine(f"sqlite:///{folder}/new.sqlite")
    done = backup.restore(engine, BlobFolder(folder / "b"), folder / "k2", folder / "old.tar", manifest, nothing)
    assert (done.rows, done.differences, done.missing) == (2, 0, 0)
    assert migrate.current(engine) == migrate.HEAD
    with reading(engine) as conn:
        assert conn.execute(sa.select(people.people.c.name)).scalar() == "Lê Thị Na"
    engine.dispose()


def test_an_archive_of_a_newer_release_is_refused(archive: Path, folder: Path) -> None:
    engine = open_engine(f"sqlite:///{folder}/new.sqlite")
    manifest = replace(backup.verify(archive, nothing), revision="9999")
    with pytest.raises(Refused, match="archive_newer"):
        backup.restore(engine, BlobFolder(folder / "b"), folder / "k", archive, manifest, nothing)
    assert moving.is_empty(engine)
    engine.dispose()


def test_the_manifest_says_what_is_in_it_and_nothing_of_anybody(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        stream = tar.extractfile("manifest.json")
        assert stream is not None
        text = stream.read().decode()
    told: dict[str, Any] = json.loads(text)
    assert names[-2:] == ["manifest.json", "manifest.sha256"]
    assert told["revision"] == migrate.HEAD
    assert told["evidence"]["count"] == len([name for name in names if name.startswith("evidence/")]) == 4
    kept = {f"keys/{each.name}" for each in Path("var/keys").iterdir()}
    assert kept
    assert {name for name in names if name.startswith("keys/")} == kept
    assert "Lê Thị Na" not in text


@pytest.mark.postgres
def test_the_database_moves_and_the_commands_go_on(
    cli: Cli, lived: World, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("move-database", "mysql://x").refused(2, "sqlite:///")
    cli("move-database", postgres_database).refused(1, "đang được dùng")
    before = content(lived.engine)
    lived.engine.dispose()
    cli("move-database", postgres_database).said("assessments", "giống hệt nhau")
    cli("move-database", postgres_database).refused(1, "đã có dữ liệu")
    monkeypatch.setenv("HOCTAP_STORAGE__URL", postgres_database)
    assert cli("recount", "--check").status == 0
    monkeypatch.setenv("HOCTAP_TO_URL", "sqlite:///back.sqlite")
    assert cli("move-database").said("giống hệt nhau").status == 0
    engine = open_engine("sqlite:///back.sqlite")
    assert content(engine) == before
    engine.dispose()
