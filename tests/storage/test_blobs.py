"""Both stores of evidence files behind one interface: what is put is got, nothing damaged, nothing for strangers."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.blobs import BlobBucket, BlobFolder, Bucket, Store, StoreAway, StoreFull, open_store
from tests.peers.s3 import S3, s3_server

NONE = "0" * 64


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(tmp_path / "evidence")
    s3: S3 = request.getfixturevalue("s3")
    return open_store(s3.bucket(prefix=f"evidence/{tmp_path.name}"))


def path_of(key: str) -> str:
    return f"{key[:2]}/{key[2:]}"


def test_what_is_put_is_got_until_it_is_removed(store: Store) -> None:
    data = os.urandom(300_000)
    key = store.put(data)
    assert key == hashlib.sha256(data).hexdigest()
    assert store.put(data) == key
    assert store.get(key) == data
    assert store.exists(key)
    assert list(store.keys()) == [key]
    store.remove([NONE, key])
    assert store.get(key) is None
    assert not store.exists(key)
    assert list(store.keys()) == []


def test_only_keys_are_asked_for(store: Store) -> None:
    for wrong in ("", "../../etc/passwd", "A" * 64, "0" * 63):
        with pytest.raises(ValueError, match="not a blob key"):
            store.get(wrong)


def test_a_probe_leaves_nothing(store: Store) -> None:
    store.probe()
    assert list(store.keys()) == []


def test_probes_of_several_processes_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, write = BlobFolder(tmp_path), Path.write_bytes

    def beside(path: Path, data: bytes) -> int:
        with monkeypatch.context() as alone:
            alone.setattr(Path, "write_bytes", write)
            folder.probe()
        assert not path.exists()
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", beside)
    folder.probe()
    assert list(tmp_path.iterdir()) == []

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreFull):
        folder.probe()


def test_a_sweep_sees_old_blobs_only(store: Store) -> None:
    keys = {store.put(os.urandom(8)) for _ in range(3)}
    time.sleep(1.1)  # S3 tells whole seconds
    assert {key for page in store.old_keys(0) for key in page} == keys
    assert list(store.old_keys(3600)) == []


def test_a_damaged_file_is_never_shown(tmp_path: Path, s3: S3, caplog: pytest.LogCaptureFixture) -> None:
    folder, bucket = BlobFolder(tmp_path), BlobBucket(s3.bucket(prefix="damaged"))
    key = folder.put(b"picture")
    (tmp_path / path_of(key)).write_bytes(b"pictura")
    assert folder.get(key) is None
    bucket.put(b"picture")
    s3.client().put_object(Bucket="hoctap", Key=f"damaged/{path_of(key)}", Body=b"pictura")
    assert bucket.get(key) is None
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    folder.put(b"picture")  # sent again, it is whole again
    bucket.put(b"picture")
    assert folder.get(key) == bucket.get(key) == b"picture"


def test_a_folder_is_its_owners_alone_and_keeps_no_scraps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = BlobFolder(tmp_path / "evidence")
    path = folder.root / path_of(folder.put(b"picture"))
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFull) as raised:
        folder.put(b"another")
    assert raised.value.errno == errno.ENOSPC
    assert [each for each in folder.root.rglob("*") if each.is_file()] == [path]


def test_a_half_written_file_of_a_crash_goes_with_the_sweep(tmp_path: Path) -> None:
    folder = BlobFolder(tmp_path)
    key = folder.put(b"picture")
    scrap = tmp_path / key[:2] / ".new-abc"
    scrap.write_bytes(b"half")
    for each in (scrap, tmp_path / path_of(key)):
        os.utime(each, (time.time() - 7200,) * 2)
    assert list(folder.old_keys(3600)) == [[key]]
    assert not scrap.exists()
    folder.put(b"picture")  # wanted again
    assert list(folder.old_keys(3600)) == []


def test_a_bucket_is_not_for_strangers(s3: S3) -> None:
    private = BlobBucket(s3.bucket(prefix="private"))
    assert not private.is_public()
    policy = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",'
        ' "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::hoctap", "arn:aws:s3:::hoctap/*"]}]}'
    )
    s3.client().put_bucket_policy(Bucket="hoctap", Policy=policy)
    s3.guarded(1000)
    try:
        assert private.is_public()
    finally:
        s3.guarded(0)
        s3.client().delete_bucket_policy(Bucket="hoctap")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"secret_access_key": "wrong-secret"}, "SignatureDoesNotMatch"),
        ({"access_key_id": "AKIAUNKNOWN"}, "InvalidAccessKeyId"),
        ({"endpoint": "http://127.0.0.1:9"}, "GenericError"),
    ],
)
def test_a_store_that_refuses_or_is_away_says_so_without_secrets(
    s3: S3, changed: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bucket = s3.bucket(**changed)
    store = BlobBucket(bucket)
    for ask in (lambda: store.put(b"x"), lambda: store.get(NONE), lambda: store.remove([NONE]), store.probe):
        with pytest.raises(StoreAway) as raised:
            ask()
        assert raised.value.reason == reason
        assert raised.value.__suppress_context__
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("storage")]
    for text in (repr(store), repr(raised.value), str(bucket), *ours):
        assert bucket.secret_access_key not in text
        assert bucket.access_key_id not in text


def test_a_bucket_that_is_not_there_is_not_an_empty_one(s3: S3) -> None:
    bucket = s3.bucket()
    store = BlobBucket(
        Bucket(
            "other", "", **{name: getattr(bucket, name) for name in ("endpoint", "access_key_id", "secret_access_key")}
        )
    )
    for ask in (lambda: store.put(b"x"), lambda: store.get(NONE), lambda: list(store.keys())):
        with pytest.raises(StoreAway) as raised:
            ask()
        assert raised.value.reason == "NoSuchBucket"


def test_a_full_store_is_told_from_one_that_is_away(monkeypatch: pytest.MonkeyPatch, s3: S3) -> None:
    from obstore.exceptions import GenericError

    store = BlobBucket(s3.bucket())

    class Full:
        def put(self, *_: object, **__: object) -> None:
            raise GenericError("status 507 Insufficient Storage: <Error><Code>XMinioStorageFull</Code></Error>")

    store.__dict__["_store"] = Full()
    with pytest.raises(StoreFull):
        store.put(b"x")
