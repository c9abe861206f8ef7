"""Uploads and quotas: the same file again, bytes of a day, thumbnails that live with their picture, pictures seen
elsewhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from storage import assessments, deletions, evidence, people
from storage.base import Connection, Refused
from storage.engine import writing
from storage.evidence import Held, Picture, Quota, Seen
from tests.storage.test_arrivals import Draft, draft
from tests.storage.test_lifecycle import NOW


def picture(key: str, **facts: object) -> Picture:
    return Picture(key, **{"source_hash": f"s-{key}", "width": 9, "height": 9, "size": 1000, **facts})  # type: ignore[arg-type]


def proves(conn: Connection, to: Draft, given: Picture, indicator: str = "B2", quota: Quota | None = None) -> bool:
    evidence.put_upload(conn, to.contact, given, NOW)
    return assessments.add_evidence(
        conn, to.id, indicator, "photo", contact_id=to.contact, actor=f"person:{to.person.id}", key=given.key,
        quota=quota, now=NOW
    )  # fmt: skip


def test_the_same_file_again_gives_the_pictures_made_of_it_if_all_are_there(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        pages = [
            picture(f"p{n}", source_hash="pdf", page=n, pages=3, phash="00ff" * 4, thumbnail=f"t{n}") for n in (2, 1, 3)
        ]
        for each in pages[:2]:
            evidence.put_upload(conn, mine.contact, each, NOW)
        assert evidence.of_file(conn, mine.contact, "pdf") == ()
        evidence.put_upload(conn, mine.contact, pages[2], NOW)
        assert evidence.of_file(conn, mine.contact, "pdf") == tuple(sorted(pages, key=lambda each: each.page))
        assert evidence.of_file(conn, draft(conn, "78").contact, "pdf") == (), "what another sent is not theirs"
        assert evidence.of_file(conn, mine.contact, "another") == ()


def test_bytes_are_counted_by_person_and_day(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        second = people.meet(conn, "web", "another phone", NOW)
        conn.execute(
            sa.insert(people.contact_person).values(
                contact_id=second, person_id=mine.person.id, relation="self", since=NOW
            )
        )
        evidence.put_upload(conn, mine.contact, picture("a", size=1000), NOW)
        evidence.put_upload(conn, second, picture("b", size=200), NOW - timedelta(hours=23))
        evidence.put_upload(conn, second, picture("c", size=50), NOW - timedelta(hours=24, minutes=1))
        evidence.put_chart(conn, second, "d", 7, NOW)
        held = Held("r", "u", 3000, "telegram", "77")
        evidence.add(conn, mine.id, "B2", "photo", contact_id=mine.contact, held=held, now=NOW)
        for contact in (mine.contact, second):
            assert evidence.bytes_of_day(conn, contact, NOW) == 4200
        assert evidence.bytes_of_day(conn, draft(conn, "78").contact, NOW) == 0


def test_more_than_the_quota_is_refused(database: sa.Engine) -> None:
    quota = Quota(pictures_per_season=3, bytes_per_day=10_000)
    with writing(database) as conn:
        mine = draft(conn)
        for n, indicator in enumerate(("B1", "B2", "B3")):
            assert proves(conn, mine, picture(f"k{n}"), indicator, quota)
        assert not proves(conn, mine, picture("k1"), "B2", quota), "what is there already takes no room"
        with pytest.raises(Refused, match="evidence_season_full") as refused:
            proves(conn, mine, picture("k9"), "B1", quota)
        assert refused.value.facts == {"most": 3}
        another = draft(conn, "78")
        for size, name in ((6000, "a"), (3900, "b")):
            held = Held(f"r-{name}", name, size, "telegram", "78")
            assert evidence.add(
                conn, another.id, "B1", "photo", contact_id=another.contact, held=held, quota=quota, now=NOW
            )
        held = Held("r-c", "c", 200, "telegram", "78")
        with pytest.raises(Refused, match="evidence_day_full"):
            evidence.add(conn, another.id, "B1", "photo", contact_id=another.contact, held=held, quota=quota, now=NOW)


def test_a_fault_of_ours_counts_no_try(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        evidence.add(
            conn, mine.id, "B1", "photo", contact_id=mine.contact, held=Held("r", "u", 1, "telegram", "77"), now=NOW
        )
        (row,) = evidence.arrivals_due(conn, "telegram", NOW)
        evidence.put_off(conn, row.id, NOW, tries=0)
        assert evidence.arrivals_due(conn, "telegram", NOW)[0].attempts == 0
        evidence.put_off(conn, row.id, NOW)
        assert evidence.arrivals_due(conn, "telegram", NOW)[0].attempts == 1


def test_a_thumbnail_goes_with_its_picture_and_not_before(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        proves(conn, mine, picture("big", thumbnail="small"))
        assert evidence.thumbnail_of(conn, "big") == "small"
        assert evidence.thumbnail_of(conn, "another") is None
        evidence.purge_uploads(conn, NOW + timedelta(days=9), NOW + timedelta(days=9), NOW)
        assert evidence.referenced(conn, ["big", "small"]) == {"big", "small"}
        evidence.remove_all(conn, mine.id, NOW)
        assert evidence.claim_deletions(conn, NOW) == ["big"]
        deletions.settle(conn, ["big"])
        assert evidence.claim_deletions(conn, NOW) == ["small"]
        assert evidence.referenced(conn, ["big", "small"]) == set()


def test_an_upload_never_used_takes_its_thumbnail_along(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        for n in range(2):
            evidence.put_upload(conn, mine.contact, picture(f"big{n}", thumbnail=f"small{n}"), NOW - timedelta(days=n))
        assert evidence.purge_uploads(conn, NOW, NOW - timedelta(days=99), NOW) == 1
        assert evidence.claim_deletions(conn, NOW) == ["big1", "small1"]
        evidence.forget_uploads(conn, mine.contact, NOW)
        assert evidence.claim_deletions(conn, NOW) == ["big0", "small0"]


def test_pictures_that_lie_in_another_dossier_are_told(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine, theirs = draft(conn), draft(conn, "78")
        proves(conn, mine, picture("same"), "B1")
        proves(conn, mine, picture("again", source_hash="file", phash="1" * 16), "B2")
        proves(conn, mine, picture("alike", phash="2" * 16), "B3")
        proves(conn, mine, picture("mine", phash=None), "B3")
        proves(conn, mine, picture("own twice", phash="4" * 16), "B1")
        proves(conn, mine, picture("own twice too", phash="4" * 16), "B2")
        assert evidence.seen_elsewhere(conn, mine.id) == []
        proves(conn, theirs, picture("same"), "A1")
        proves(conn, theirs, picture("recompressed", source_hash="file", phash="9" * 16), "A1")
        proves(conn, theirs, picture("template", phash="2" * 16), "A1")
        proves(conn, theirs, picture("theirs", phash=None), "A1")
        assert evidence.seen_elsewhere(conn, mine.id) == [
            Seen("B1", "same", True),
            Seen("B2", "again", True),
            Seen("B3", "alike", False),
        ]
        assert [each.key for each in evidence.seen_elsewhere(conn, theirs.id)] == ["same", "recompressed", "template"]
        conn.execute(sa.text("update assessments set year = 2027 where id = :id"), {"id": theirs.id})
        assert evidence.seen_elsewhere(conn, mine.id) == [], "another season"
        evidence.remove_all(conn, mine.id, NOW)
        assert evidence.seen_elsewhere(conn, mine.id) == []


def test_further_pages_find_room_beside_an_answer_or_not(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        for n in range(evidence.MOST_PICTURES - 2):
            proves(conn, mine, picture(f"k{n}"))
        held = Held("r", "u", 9, "telegram", "77")
        evidence.add(conn, mine.id, "B2", "photo", contact_id=mine.contact, held=held, text="Lớp học", now=NOW)
        (row,) = evidence.arrivals_due(conn, "telegram", NOW)
        assert evidence.further(conn, row, ["k0", "page2", "page3"], NOW) == ["k0", "page2"]
        evidence.arrive(conn, row, "page1", NOW)
        there = {each.key: (each.text, each.status) for each in evidence.of_indicator(conn, mine.id, "B2")}
        assert len(there) == evidence.MOST_PICTURES
        assert there["page1"] == there["page2"] == ("Lớp học", "given")


def test_a_picture_sent_again_keeps_what_is_known_of_it(database: sa.Engine) -> None:
    later = NOW + timedelta(days=2)
    with writing(database) as conn:
        mine = draft(conn)
        given = picture("a", thumbnail="small")
        assert proves(conn, mine, given)
        assert not proves(conn, mine, given), "it is there"
        assert conn.execute(sa.select(evidence.uploads.c.used)).scalars().all() == [True]
        evidence.put_upload(conn, mine.contact, given, NOW)  # sent once more, and beside no answer
        assert evidence.purge_uploads(conn, later, later, later) == 0
        assert evidence.thumbnail_of(conn, "a") == "small"
        evidence.remove_all(conn, mine.id, later)
        assert evidence.purge_uploads(conn, later, later, later) == 1


def test_further_pages_keep_to_the_quota_of_the_season(database: sa.Engine) -> None:
    with writing(database) as conn:
        mine = draft(conn)
        proves(conn, mine, picture("k0"), "B1")
        held = Held("r", "u", 9, "telegram", "77")
        evidence.add(conn, mine.id, "B2", "photo", contact_id=mine.contact, held=held, now=NOW)
        (row,) = evidence.arrivals_due(conn, "telegram", NOW)
        quota = Quota(pictures_per_season=3)
        assert evidence.further(conn, row, ["page2", "page3", "page2"], NOW, quota) == ["page2", "page2"]
