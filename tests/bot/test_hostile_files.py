"""Three hundred hostile files through the real worker processes: nothing falls, and only plain pictures come out."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from io import BytesIO
from os import kill
from pathlib import Path

import pytest
from PIL import Image

from bot.pictures.intake import StoredPicture, is_bare
from bot.pictures.pool import PicturePool
from bot.pictures.refusal import PictureRefused
from tests.support.hostile import MARK, files, good

MANY = 300


def unsafe(picture: StoredPicture) -> str:
    """What is wrong with something that was taken; nothing should be."""
    for data in filter(None, (picture.data, picture.thumbnail)):
        if not is_bare(data):
            return "more than a picture"
        if b"MARK-7f3a" in data or b"evil.example" in data or MARK[:8] in data:
            return "the mark"
        with Image.open(BytesIO(data), formats=("JPEG",)) as image:
            image.load()
            told = set(image.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
            if max(image.size) > 2560 or image.mode != "RGB" or told:
                return f"{image.size} {image.mode} {sorted(told)}"
    return ""


@pytest.mark.slow  # 300 files: half a minute
async def test_three_hundred_hostile_files() -> None:
    pool = PicturePool(2, seconds=2.0)
    said: Counter[str] = Counter()
    wrong: list[str] = []

    async def send(name: str, data: bytes) -> None:
        try:
            found = await pool.receive(data)
        except PictureRefused as refused:
            said[refused.code] += 1
            return
        said["taken"] += 1
        wrong.extend(f"{name}: {fault}" for each in found if (fault := unsafe(each)))

    try:
        every = list(files(20261120, MANY))
        for start in range(0, MANY, 20):
            await asyncio.gather(*(send(*each) for each in every[start : start + 20]))
    finally:
        await pool.close()
    assert wrong == []
    assert sum(said.values()) == MANY
    assert min(said["taken"], said["broken"], said["too_many_pixels"], said["not_a_picture"], said["locked"]) > 0, said


async def test_a_worker_that_dies_or_hangs_is_replaced_and_its_file_refused() -> None:
    pool = PicturePool(1, seconds=1.0)
    photo = good()["jpeg"]
    try:
        (first,) = await pool.receive(photo)
        process = pool._idle.get_nowait()
        pool._idle.put(process)
        assert process is not None
        pid = process._process.pid
        kill(pid, signal.SIGSTOP)  # it hangs
        began = time.monotonic()
        with pytest.raises(PictureRefused, match="broken"):
            await pool.receive(photo)
        assert 0.9 < time.monotonic() - began < 10
        assert pool.deaths == 1
        again = await pool.receive(photo)
        assert again == (first,)
        process = pool._idle.get_nowait()
        pool._idle.put(process)
        assert process is not None
        kill(process._process.pid, signal.SIGKILL)  # idle: nobody's file is lost by that
        process._process.wait()
        assert await pool.receive(photo) == (first,)
        assert pool.deaths == 1
    finally:
        await pool.close()
    with pytest.raises(RuntimeError):
        await pool.receive(photo)


async def test_a_worker_can_open_nothing_and_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCTAP_TELEGRAM__TOKEN", "123456789:secret")
    pool = PicturePool(1)
    try:
        await pool.receive(good()["jpeg"])
        process = pool._idle.get_nowait()
        pool._idle.put(process)
        assert process is not None
        folder = Path("/proc", str(process._process.pid))
        assert b"secret" not in (folder / "environ").read_bytes()
        limits = {line[:26].strip(): line[26:47].strip() for line in (folder / "limits").read_text().splitlines()}
        assert limits["Max open files"] == str(len(list((folder / "fd").iterdir())))
        assert limits["Max file size"] == "0"
        assert int(limits["Max address space"]) <= 1536 << 20
    finally:
        await pool.close()


async def test_whoever_waits_too_long_hears_that_it_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.pictures.pool.MOST_WAITING", 2)
    pool = PicturePool(1)
    try:
        results = await asyncio.gather(*(pool.receive(good()["jpeg"]) for _n in range(4)), return_exceptions=True)
    finally:
        await pool.close()
    refused = [each for each in results if isinstance(each, PictureRefused)]
    assert [each.code for each in refused] == ["busy", "busy"]
    assert sum(isinstance(each, tuple) for each in results) == 2


@pytest.mark.parametrize("error", [RecursionError(), OverflowError()])
async def test_whatever_an_answer_makes_of_its_reader_is_the_workers_fault(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def nested(*_: object) -> None:
        raise error

    pool = PicturePool(1)
    try:
        with monkeypatch.context() as hostile:
            hostile.setattr("bot.pictures.pool.json.loads", nested)
            with pytest.raises(PictureRefused, match="broken"):
                await pool.receive(good()["jpeg"])
        assert pool.deaths == 1
        assert await pool.receive(good()["jpeg"])
    finally:
        await pool.close()
