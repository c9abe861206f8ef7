"""A picture in practice through the page's own endpoints: taken of everybody, kept of nobody."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.service import Parts, Service
from dialogs import practising
from dialogs.model import Sent
from dialogs.states import Rules
from storage import deletions, evidence
from storage.engine import reading
from storage.evidence import Quota
from storage.housekeeping import Keep
from tests.support import server as servers
from tests.support.webclient import Phone, Stuck, photo
from tests.web.conftest import Client

pytestmark = pytest.mark.slow

TO_THE_PICTURE = ("often", "often")  # the answers after which evidence is asked for
A_DAY = 1  # bytes that one person may send


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """The product, over a database with all units."""
    database = tmp_path / "hoctap.sqlite"
    servers.seed(database)
    made = Service(Parts(f"sqlite:///{database}", tmp_path / "evidence", Rules(quota=Quota(60, A_DAY)), Keep(), 1))
    yield made
    await made.stop()


@pytest.fixture
async def page(service: Service, start: Callable[..., Awaitable[Client]]) -> AsyncIterator[Phone]:
    """A browser at the product's chat page, at the first screen."""
    client = await start(service.backend())
    async with Phone(str(client.make_url("/")).rstrip("/")) as made:
        yield await made.opens("DV06685K")


async def joins(page: Phone) -> None:
    await page.presses("yes")
    await page.presses("agree")
    for text in ("Lê Thị Na", "1960"):
        await page.types(text)
    for choice in ("skip", "ong_ba", "nong_dan"):
        await page.presses(choice)


async def practises(page: Phone) -> None:
    """Up to the question for evidence."""
    await page.types("/tapdung")
    for answer in TO_THE_PICTURE:
        await page.presses(answer)
    assert page.screen.input == "photo"


def kept(service: Service) -> tuple[int, int, int, list[str]]:
    """Rows of uploads and of evidence, blobs that are to be deleted, blobs."""
    with reading(service.engine) as conn:
        uploads, pieces, leaving = (
            int(conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
            for table in (evidence.uploads, evidence.evidence, deletions.deletions)
        )
    return uploads, pieces, leaving, sorted(service.blobs.keys())


@pytest.mark.parametrize("who", ["stranger", "citizen"])
async def test_a_picture_in_practice(service: Service, page: Phone, who: str) -> None:
    if who == "citizen":
        await joins(page)
        await page.uploads(photo(1))  # all of their day's bytes
    else:
        with pytest.raises(Stuck, match="not_yet"):
            await page.uploads(photo(1))
    before = kept(service)
    await practises(page)
    await page.sends(photo(2), photo(3))
    assert "Đã nhận minh chứng tập" in page.screen.note
    await page.presses("submit")
    assert "Biên nhận tập" in page.screen.text
    assert kept(service) == before
    said = json.dumps([line["body"] for line in await page.reloads() if line["dir"] == "in"], ensure_ascii=False)
    assert "Ảnh tập" in said and practising.MARK not in said  # there is nothing to be shown again


async def test_the_mark_is_no_evidence(service: Service, page: Phone) -> None:
    await joins(page)
    await practises(page)
    await page.uploads(photo(1))
    await page.types("/dung")
    for choice in ("start", "kha", "evidence"):
        await page.presses(choice)
    before = page.screen.title
    await page.does(Sent((practising.MARK,), ""))
    assert page.screen.title == before
    assert kept(service)[:2] == (0, 0)
