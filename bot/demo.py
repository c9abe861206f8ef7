"""``hoctap demo``: temporary data, loopback only, three people side by side in one window, and a commune already
at work."""

from __future__ import annotations

import asyncio
import random
import tempfile
import tomllib
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Engine

import criteria
from bot.channels.web_backend import Seat
from bot.channels.web_site import WebSettings
from bot.pictures import intake
from bot.run import serve
from bot.service import Parts
from criteria import CriteriaSet, Given
from dialogs.states import Rules
from locales import _
from reports.fonts import BOLD, REGULAR
from storage import (
    assessments,
    codes,
    conversations,
    counters,
    evidence,
    migrate,
    officers,
    people,
    reviews,
    seasons,
    units,
)
from storage.base import Connection
from storage.blobs import BlobFolder
from storage.engine import open_engine, writing
from storage.housekeeping import Keep

HOME, PROVINCE = "06685", "22"
SEED = 2026
DEMO_RULES = Rules(demo=True)
# How the made-up people fare: (status, how many in Hồng Gai, how many in each of the other communes at most).
MIX = (
    ("registered", 3, 2),
    ("draft", 3, 2),
    ("submitted", 6, 2),
    ("returned", 1, 1),
    ("approved", 9, 6),
    ("not_met", 2, 2),
)


@dataclass(frozen=True, slots=True)
class Demo:
    """Prepared demo data: where it lies and who sits where."""

    url: str
    blobs: Path
    seats: tuple[Seat, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """A demo's database with all units and an open season, its pictures, and ``demo_people.toml``."""

    url: str
    engine: Engine
    blobs: BlobFolder
    data: dict[str, Any]


def main(
    port: int = 8080,
    open_browser: bool = True,
    rules: Rules = DEMO_RULES,
    prepared: Callable[[Path], Demo] | None = None,
) -> None:
    """Prepare the data (*prepared*: else a commune's), serve it on the loopback, open the browser; all is gone at the
    end."""
    with tempfile.TemporaryDirectory(prefix="hoctap-demo-") as folder:
        demo = (prepared or prepare)(Path(folder))
        print(_("demo.ready", url=f"http://127.0.0.1:{port}/demo/"), flush=True)  # noqa: T201 - the operator reads this
        asyncio.run(run(demo, port, open_browser, rules))


async def run(demo: Demo, port: int, open_browser: bool, rules: Rules = DEMO_RULES) -> None:
    """Serve prepared demo data until the operator ends it."""
    ready = asyncio.Event()
    parts = Parts(demo.url, demo.blobs, rules, Keep(), seats=demo.seats)
    server = asyncio.create_task(serve(parts, WebSettings(demo=True), "127.0.0.1", port, ready=ready))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({server, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if open_browser and not server.done():
        await asyncio.to_thread(webbrowser.open, f"http://127.0.0.1:{port}/demo/")
    await server


def prepare(folder: Path, now: datetime | None = None) -> Demo:
    """Make the demo's database in *folder*: all units, an open season, made-up dossiers, and the links of the seats."""
    now = now or datetime.now(UTC)
    begun = begin(folder, now)
    _populate(begun.engine, begun.blobs, begun.data, now)
    with writing(begun.engine) as conn:
        found = seats(conn, begun.data, now)
    begun.engine.dispose()
    return Demo(begun.url, begun.blobs.root, found)


def begin(folder: Path, now: datetime) -> Begun:
    """A database in *folder* with all units, an open season and the settings of the seats' commune."""
    url = f"sqlite:///{folder / 'demo.sqlite'}"
    blobs = BlobFolder(folder / "evidence")
    data = tomllib.loads(resources.files("bot").joinpath("demo_people.toml").read_text("utf-8"))
    engine = open_engine(url)
    migrate.upgrade(engine)
    with writing(engine) as conn:
        units.seed(conn, now)
        centre = units.by_code(conn, "VN")
        assert centre is not None
        seasons.set_windows(conn, centre.id, seasons.open_all_year(seasons.today(now).year))
        units.set_setting(conn, "VN", "controller", _("demo.controller"), "demo", now)
        units.set_setting(conn, HOME, "contact_name", data["contact"]["name"], "demo", now)
        units.set_setting(conn, HOME, "contact_phone", data["contact"]["phone"], "demo", now)
        units.set_setting(conn, HOME, "service_days", "5", "demo", now)
    return Begun(url, engine, blobs, data)


def seats(conn: Connection, data: dict[str, Any], now: datetime, centre: str = "") -> tuple[Seat, ...]:
    """Who sits where: a citizen, the commune's officer, the province's, and one of the *centre* where there is a
    name for them."""
    commune, province, country = (units.by_code(conn, code) for code in (HOME, PROVINCE, "VN"))
    assert commune is not None
    assert province is not None
    assert country is not None
    reviewer = officers.invite(conn, commune.id, "reviewer", now, "demo", data["seats"]["reviewer"])
    supervisor = officers.invite(conn, province.id, "supervisor", now, "demo", data["seats"]["supervisor"])
    citizen = codes.payload(codes.UnitCode("2025", HOME))
    found = (
        Seat("/demo/citizen", _("demo.citizen", unit=commune.name), citizen),
        Seat("/demo/officer", _("demo.officer", unit=commune.name), codes.payload(reviewer)),
        Seat("/demo/province", _("demo.province", unit=province.name), codes.payload(supervisor)),
    )
    if not centre:
        return found
    above = officers.invite(conn, country.id, "supervisor", now, "demo", centre)
    return (*found, Seat("/demo/centre", _("demo.centre"), codes.payload(above)))


# ------------------------------------------------------------------------------------------ made-up people


def _populate(engine: Engine, blobs: BlobFolder, data: dict[str, Any], now: datetime) -> None:
    """A few hundred dossiers in Quảng Ninh, by a fixed seed, through the same verbs that a chat uses."""
    dice = random.Random(SEED)  # noqa: S311 - the same demo every time
    drawn = papers(dice, data, blobs)
    with writing(engine) as conn:
        province = units.by_code(conn, PROVINCE)
        assert province is not None
        contact = people.meet(conn, "demo", "past-officer", now)
        invite = officers.invite(conn, province.id, "supervisor", now, "demo", data["seats"]["past"])
        officers.accept(conn, officers.open_invite(conn, codes.secret_hash(invite), now), contact, None, now)
        officer = officers.of_contact(conn, contact)
        assert officer is not None
        communes = units.children(conn, province.id)
        for commune in communes:
            busy = 1.0 if commune.code == HOME else dice.random()
            for status, here, elsewhere in MIX:
                many = here if commune.code == HOME else round(elsewhere * busy)
                for _n in range(many):
                    _dossier(conn, dice, data, drawn, commune.id, status, officer, now)
        while counters.fold(conn):
            pass


def _dossier(
    conn: Connection,
    dice: random.Random,
    data: dict[str, Any],
    papers: dict[str, intake.StoredPicture],
    unit_id: int,
    status: str,
    officer: officers.OfficerRow,
    now: datetime,
) -> None:
    """One made-up person with an assessment that ends in *status*."""
    filed = criteria.builtin()
    began = now - timedelta(days=dice.randrange(9, 40), minutes=dice.randrange(600))
    contact = people.meet(conn, "demo", f"p{dice.getrandbits(64):x}", began)
    conversations.begin_chat(conn, contact, "{}", "vi", began)
    consent = people.consent(conn, contact, unit_id, "demo", _("demo.controller"), began)
    assert consent
    birth_year = dice.randrange(1946, 2007)
    group = dice.choices(["nong_dan", "cong_nhan", "can_bo", "hoc_vien"], [5, 4, 3, 1])[0]
    person = people.join(
        conn,
        contact,
        unit_id=unit_id,
        name=_name(dice, data),
        birth_year=birth_year,
        phone=None,
        form="ong_ba" if birth_year < 1966 else "anh_chi",
        subject_group=group,
        now=began,
    )
    actor = f"person:{person.id}"
    row = assessments.register(conn, person, seasons.today(now).year, filed.id, filed.version, began)
    if status == "registered":
        return
    assessments.start(conn, row.id, actor, filed.id, filed.version, began)
    levels = _levels(dice, filed, status)
    for position, indicator in enumerate(filed.indicators):
        if status == "draft" and position >= 4:
            return
        level = levels[indicator.id]
        assessments.answer(conn, row.id, indicator.id, level, actor, began)
        if criteria.needs_evidence(indicator, level):
            _prove(conn, dice, data, papers, row.id, indicator, contact, actor, began)
    waits = timedelta(days=dice.choice([0, 0, 1, 2, 3, 7]), minutes=dice.randrange(1, 500))
    handed_in = max(began, now - waits) if status == "submitted" else began + timedelta(days=2)
    assessments.submit(conn, row.id, actor, handed_in)
    if status == "submitted":
        return
    given = {id: Given(level) for id, level in levels.items()}
    reason = next(
        (each["text"] for each in data["reasons"] if each["kind"] == status.replace("returned", "return")), None
    )
    reviews.decide(
        conn,
        officer,
        row.id,
        {"approved": "approve", "not_met": "not_met", "returned": "return"}[status],
        total=criteria.score(filed, given).total,
        reason=reason,
        returned={"A3": reason} if status == "returned" and reason else None,
        undo_for=timedelta(0),
        now=handed_in + timedelta(days=dice.randrange(1, 5)),
    )


def _levels(dice: random.Random, filed: CriteriaSet, status: str) -> dict[str, str]:
    weights = [2, 3, 3, 2, 1] if status == "not_met" else [4, 5, 2, 0, 0]
    names = [level.id for level in filed.levels]
    while True:
        levels = {indicator.id: dice.choices(names, weights)[0] for indicator in filed.indicators}
        passes = criteria.score(filed, {id: Given(level) for id, level in levels.items()}).passes
        if status not in ("approved", "not_met") or passes == (status == "approved"):
            return levels


def _prove(
    conn: Connection,
    dice: random.Random,
    data: dict[str, Any],
    papers: dict[str, intake.StoredPicture],
    assessment_id: int,
    indicator: criteria.Indicator,
    contact: int,
    actor: str,
    now: datetime,
) -> None:
    picture = papers.get(indicator.id)
    kind = next((kind for kind in evidence.PICTURE_KINDS if kind in indicator.evidence.kinds), None)
    key: str | None = None
    text = dice.choice(data["texts"].get(indicator.id, ["…"]))
    if picture is not None and kind is not None and dice.random() < 0.6:
        key = picture.key
        give(conn, contact, picture, now)
    assessments.add_evidence(
        conn,
        assessment_id,
        indicator.id,
        kind if key and kind else "text",
        contact_id=contact,
        actor=actor,
        key=key,
        text="" if key else text,
        now=now,
    )


def papers(dice: random.Random, data: Mapping[str, Any], blobs: BlobFolder) -> dict[str, intake.StoredPicture]:
    """A picture of a paper for each indicator that has one in the data, stored."""
    return {
        indicator: _paper(text, blobs, (dice.randrange(200, 256), 244, dice.randrange(220, 256)))
        for indicator, text in data["papers"].items()
    }


def give(conn: Connection, contact: int, picture: intake.StoredPicture, now: datetime) -> None:
    """The contact sent this picture."""
    kept = evidence.Picture(
        picture.key, picture.source_hash, picture.width, picture.height, len(picture.data), picture.phash
    )
    evidence.put_upload(conn, contact, kept, now)


def _name(dice: random.Random, data: dict[str, Any]) -> str:
    sex = dice.choice(["female", "male"])
    return " ".join(
        (dice.choice(data["family"]), dice.choice(data[f"middle_{sex}"]), dice.choice(data[f"given_{sex}"]))
    )


def _paper(text: str, blobs: BlobFolder, colour: tuple[int, int, int]) -> intake.StoredPicture:
    """A picture of a paper with a heading and two lines, as a phone would send it."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (1280, 960), (96, 74, 58))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((90, 70, 1190, 890), 12, fill=colour, outline=(160, 120, 60), width=6)
    draw.rectangle((125, 105, 1155, 855), outline=(170, 40, 40), width=3)
    heading, *lines = text.split("|")
    draw.text((640, 260), heading, font=ImageFont.truetype(str(BOLD), 72), fill=(150, 30, 30), anchor="mm")
    for n, line in enumerate(lines):
        draw.text((640, 420 + 90 * n), line, font=ImageFont.truetype(str(REGULAR), 48), fill=(40, 40, 40), anchor="mm")
    draw.text((640, 760), _("demo.paper"), font=ImageFont.truetype(str(REGULAR), 34), fill=(90, 90, 90), anchor="mm")
    out = BytesIO()
    image.rotate(1.5, expand=False, fillcolor=(96, 74, 58)).save(out, "JPEG", quality=88)
    (stored,) = intake.receive(out.getvalue())
    blobs.put(stored.data)
    return stored
