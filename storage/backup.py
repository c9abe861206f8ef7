"""A backup (bản sao lưu): database, evidence files and keys in one tar file, checked byte for byte before it is used.

Members, in this order: ``database/TABLE-N.jsonl.gz`` (portable rows, :mod:`storage.moving`), ``evidence/ab/cdef…`` (its
name is its SHA-256), ``keys/NAME``, ``manifest.json``, ``manifest.sha256``. A backup of either database restores into
either.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy.engine import Engine

from storage import evidence, migrate, recount
from storage.base import Connection, Refused
from storage.blobs import Store
from storage.engine import reading, writing
from storage.files import written_aside
from storage.moving import (
    KINDS,
    Fingerprint,
    Row,
    Shape,
    Tell,
    is_empty,
    numbers,
    read_rows,
    reset_sequences,
    shapes,
    write_rows,
)

FORMAT = 1
ROWS = 5000  # rows of one member: some megabytes in memory at most
MANIFEST, SEAL = "manifest.json", "manifest.sha256"
CHUNK = 2**20
_EVIDENCE = re.compile(r"evidence/([0-9a-f]{2})/([0-9a-f]{62})")
_ROWS = re.compile(r"database/([a-z_]{1,60})-([0-9]{1,9})\.jsonl\.gz")
_KEY_FILE = re.compile(r"keys/([A-Za-z0-9]{1,16}-[1-9][0-9]{0,5}\.key)")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")  # of a table or a column
# Nothing that this program ever wrote is larger or more: an archive that says so was made by somebody else. Bytes.
_LARGEST = (
    (_EVIDENCE, 64 * 2**20),
    (_ROWS, 128 * 2**20),
    (_KEY_FILE, 4096),
    (re.compile(re.escape(MANIFEST)), 64 * 2**20),
    (re.compile(re.escape(SEAL)), 64),
)
LARGEST_ROWS = 512 * 2**20  # bytes of one member's rows, unpacked
MOST_MEMBERS = 200_000  # beside pictures, whose names are not kept: a thousand million rows
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a backup holds. ``gone``: pictures whose last reference went while it was made. ``lost``: keys of pictures
    that are referred to and not in the store, or damaged there."""

    rows: int
    pictures: int
    keys: int
    size: int
    gone: int
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore brought back. ``differences`` of the recount; ``missing``: pictures referred to but not there."""

    made_at: datetime
    rows: int
    pictures: int
    keys: int
    differences: int
    missing: int


@dataclass(frozen=True, slots=True)
class _Table:
    shape: Shape
    rows: int
    hash: str


# ------------------------------------------------------------------------------------------ making one


def make(engine: Engine, store: Store, keys: Path, file: Path, version: str, now: datetime, tell: Tell) -> Kept:
    """Write a backup to *file*, beside a running bot: the rows are one moment's, the pictures those that they name.

    Written aside and renamed at the end, for its owner only. Raises ``Refused("backup_there", file)``, ``OSError``,
    ``StoreAway``.
    """
    if file.exists():
        raise Refused("backup_there", file=file)
    with written_aside(file, f".{file.name}-") as out:
        return _write(engine, store, keys, out, version, now, tell)


def _write(engine: Engine, store: Store, keys: Path, out: IO[bytes], version: str, now: datetime, tell: Tell) -> Kept:
    members: dict[str, str] = {}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(data), 0o600, int(now.timestamp())
            tar.addfile(info, io.BytesIO(data))
            tar.members.clear()  # type: ignore[attr-defined]  # it would remember every picture
            if not name.startswith("evidence/"):
                members[name] = hashlib.sha256(data).hexdigest()

        tables = []
        with reading(engine) as conn:
            carried = shapes()
            for n, shape in enumerate(carried):
                tell("database", n, len(carried))
                tables.append(_write_table(conn, shape, add))
            given = numbers(conn, carried)
            wanted = evidence.all_references(conn)
        tell("database", len(carried), len(carried))
        absent, digest, held = [], hashlib.sha256(), 0
        for n, key in enumerate(wanted):
            if n % 50 == 0:
                tell("evidence", n, len(wanted))
            data = store.get(key)
            if data is None:
                absent.append(key)
                continue
            add(f"evidence/{key[:2]}/{key[2:]}", data)
            digest.update(key.encode())
            held += 1
        tell("evidence", len(wanted), len(wanted))
        # Only keys: an editor's copy or half of a new key beside them is nothing to restore.
        files = (
            sorted(each for each in keys.glob("*.key") if _KEY_FILE.fullmatch(f"keys/{each.name}"))
            if keys.is_dir()
            else []
        )
        for each in files:
            add(f"keys/{each.name}", each.read_bytes())
        with reading(engine) as conn:  # what was deleted meanwhile, by whoever may, is no loss
            lost = sorted(evidence.referenced(conn, absent))
        manifest = {
            "format": FORMAT,
            "version": version,
            "revision": migrate.HEAD,
            "made_at": now.isoformat(),
            "database": engine.dialect.name,
            "tables": [asdict(each) for each in tables],
            "numbers": given,
            "evidence": {"count": held, "digest": digest.hexdigest()},
            "gone": sorted(set(absent) - set(lost)),
            "keys": len(files),
            "members": members,
        }
        sealed = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
        add(MANIFEST, sealed)
        add(SEAL, hashlib.sha256(sealed).hexdigest().encode())
    rows = sum(each.rows for each in tables)
    return Kept(rows, held, len(files), out.tell(), len(absent) - len(lost), tuple(lost))


def _write_table(conn: Connection, shape: Shape, add: Any) -> _Table:
    mark = Fingerprint()
    for n, part in enumerate(read_rows(conn, shape, ROWS)):
        mark.add(part)
        lines = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in part)
        add(f"database/{shape.name}-{n}.jsonl.gz", gzip.compress(lines.encode(), 6, mtime=0))
    return _Table(shape, mark.rows, mark.hash)


# ------------------------------------------------------------------------------------------ checking one


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself, once every byte of it has been found to agree."""

    version: str
    revision: str
    made_at: datetime
    tables: tuple[_Table, ...]
    pictures: int
    keys: int
    gone: frozenset[str] = frozenset()  # keys that its rows name and whose pictures were deleted while it was made
    numbers: Mapping[str, int] = field(default_factory=dict)  # the last that each table gave (:func:`moving.numbers`)


@contextmanager
def _damaged(file: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE:
        raise Refused("archive_damaged", file=file) from None


def verify(file: Path, tell: Tell) -> Manifest:
    """Read the whole archive and hold it against its manifest. Raises ``Refused``: ``archive_damaged(file)``,
    ``archive_newer(file)``."""
    size = file.stat().st_size
    with _damaged(file), file.open("rb") as source:
        members: dict[str, str] = {}
        digest, pictures = hashlib.sha256(), 0
        sealed = seal = b""
        for name, parts in _members(source):
            tell("verify", source.tell(), size)
            if name in members or seal or len(members) >= MOST_MEMBERS:
                raise ValueError(name)
            found, kept = hashlib.sha256(), []
            for data in parts:
                found.update(data)
                if name in (MANIFEST, SEAL):
                    kept.append(data)
            if picture := _EVIDENCE.fullmatch(name):
                key = picture.group(1) + picture.group(2)
                if found.hexdigest() != key:
                    raise ValueError(name)
                digest.update(key.encode())
                pictures += 1
            elif name == MANIFEST:
                sealed = b"".join(kept)
            elif name == SEAL:
                seal = b"".join(kept)
            else:
                members[name] = found.hexdigest()
        if hashlib.sha256(sealed).hexdigest().encode() != seal:
            raise ValueError(SEAL)
        told = json.loads(sealed)
        if told["format"] != FORMAT:
            raise Refused("archive_newer", file=file)
        if told["members"] != members or told["evidence"] != {"count": pictures, "digest": digest.hexdigest()}:
            raise ValueError(MANIFEST)
        tell("verify", size, size)
        return Manifest(
            told["version"],
            told["revision"],
            datetime.fromisoformat(told["made_at"]),
            tuple(_Table(_shape(each["shape"]), each["rows"], each["hash"]) for each in told["tables"]),
            pictures,
            told["keys"],
            frozenset(told.get("gone", ())),
            {str(name): _number(last) for name, last in told.get("numbers", {}).items()},
        )


def _number(told: object) -> int:
    if not isinstance(told, int) or not 0 <= told < 2**62:
        raise ValueError("number")
    return told


def _shape(told: dict[str, Any]) -> Shape:
    """A shape as the manifest tells it. Its names become part of statements: nothing but plain ones is one."""
    shape = Shape(
        told["name"],
        tuple(told["columns"]),
        tuple(told["kinds"]),
        tuple(told["key"]),
        tuple((column, named) for column, named in told["own"]),
    )
    if len(shape.columns) != len(shape.kinds) or not {*shape.kinds} <= KINDS or not {*shape.key} <= {*shape.columns}:
        raise ValueError("shape")
    names = (shape.name, *shape.columns, *shape.key, *(each for pair in shape.own for each in pair))
    if not all(_NAME.fullmatch(each) for each in names):
        raise ValueError("name")
    return shape


# ------------------------------------------------------------------------------------------ bringing it back


def restore(engine: Engine, store: Store, keys: Path, file: Path, manifest: Manifest, tell: Tell) -> Restored:
    """Bring a backup that was checked (:func:`verify`) back into an empty place, at the newest tables, and count
    everything anew.

    Raises ``Refused``: ``target_not_empty``, ``store_not_empty``, ``keys_not_empty``, ``archive_newer``; then, and
    after any other error, nothing has been brought back.
    """
    if not is_empty(engine):
        raise Refused("target_not_empty")
    if next(store.keys(), None) is not None:
        raise Refused("store_not_empty")
    if keys.is_dir() and any(keys.iterdir()):
        raise Refused("keys_not_empty", folder=keys)
    if migrate.current(engine) is not None:
        migrate.downgrade(engine, "base")
    try:
        migrate.upgrade(engine, manifest.revision)
    except Refused:
        raise Refused("archive_newer", file=file) from None
    put: list[str] = []
    written: list[Path] = []
    try:
        with writing(engine) as conn:
            _load(conn, store, keys, file, manifest, put, written, tell)
    except BaseException:
        store.remove(put)
        for each in written:
            each.unlink(missing_ok=True)
        raise
    migrate.upgrade(engine)
    with writing(engine) as conn:  # once more: SQLite alters a table by copying it, and forgets its last number
        reset_sequences(conn, shapes(), manifest.numbers)
    with reading(engine) as conn:
        differences = len(recount.check(conn))
        missing = len(set(evidence.all_references(conn)) - set(put) - manifest.gone)
    rows = sum(each.rows for each in manifest.tables)
    return Restored(manifest.made_at, rows, len(put), len(written), differences, missing)


def _load(
    conn: Connection,
    store: Store,
    keys: Path,
    file: Path,
    manifest: Manifest,
    put: list[str],
    written: list[Path],
    tell: Tell,
) -> None:
    size = file.stat().st_size
    with file.open("rb") as source:
        members = ((name, b"".join(parts)) for name, parts in _members(source))
        ahead = next(members, None)
        for table in manifest.tables:

            def rows(name: str = table.shape.name) -> Iterator[list[Row]]:
                nonlocal ahead
                while ahead is not None and (found := _ROWS.fullmatch(ahead[0])) and found.group(1) == name:
                    tell("database", source.tell(), size)
                    yield _rows(ahead[1])
                    ahead = next(members, None)

            mark = Fingerprint()
            with _damaged(file):
                write_rows(conn, table.shape, mark.through(rows()))
            if (mark.rows, mark.hash) != (table.rows, table.hash):
                raise Refused("archive_damaged", file=file)
        reset_sequences(conn, [table.shape for table in manifest.tables], manifest.numbers)
        while ahead is not None:
            name, data = ahead
            tell("evidence", source.tell(), size)
            if _EVIDENCE.fullmatch(name):
                put.append(store.put(data))
            elif found := _KEY_FILE.fullmatch(name):
                keys.mkdir(mode=0o700, parents=True, exist_ok=True)
                target = keys / found.group(1)
                written.append(target)
                target.touch(mode=0o600, exist_ok=False)
                target.write_bytes(data)
            ahead = next(members, None)
        tell("evidence", size, size)


def _rows(packed: bytes) -> list[Row]:
    """The rows of a member. Raises what :func:`_damaged` takes for damage: also for more than :data:`LARGEST_ROWS`."""
    unpacker = zlib.decompressobj(wbits=31)  # gzip
    data = unpacker.decompress(packed, LARGEST_ROWS)
    if not unpacker.eof:
        raise ValueError("rows")
    return [json.loads(line) for line in data.decode().split("\n")[:-1]]


def _members(source: IO[bytes]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Every member of the archive: its name and its bytes, in parts, to be read before the next.

    Not ``tarfile``'s own reading: it takes what a header says of the next one (long names, PAX records, sparse files)
    into memory as large as it claims to be. This program writes plain files only, so anything else is damage; so are
    another name, and a size that :data:`_LARGEST` does not allow. Raises ``ValueError``, ``tarfile.TarError``.
    """
    while True:
        head = source.read(tarfile.BLOCKSIZE)
        if not head.strip(b"\0"):
            return  # the end: two blocks of nothing
        info = tarfile.TarInfo.frombuf(head, "utf-8", "strict")
        largest = next((most for names, most in _LARGEST if names.fullmatch(info.name)), -1)
        if info.type != tarfile.REGTYPE or not 0 <= info.size <= largest:
            raise ValueError(info.name)
        yield info.name, _parts(source, info.size)
        source.seek(-info.size % tarfile.BLOCKSIZE, os.SEEK_CUR)


def _parts(source: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        data = source.read(min(size, CHUNK))
        if not data:
            raise EOFError
        size -= len(data)
        yield data
