"""Pictures on their way (ảnh đang nhận) that have come, or cannot be had. Called by whoever fetches them, in a turn of
the writer; the arrival's row is the claim, so that doing it twice does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from dialogs import answering, handing_in, notices, places
from dialogs.model import Choice, Screen
from dialogs.states import Rules
from locales import _, number
from storage import assessments, conversations, deletions, evidence, units
from storage.assessments import AssessmentRow
from storage.base import Connection, Refused
from storage.evidence import ArrivalRow, Picture

# Why a picture could not be had, as whoever fetches says it; anything else is told like "unavailable".
REASONS = ("too_big", "too_many_pixels", "not_a_picture", "broken", "locked", "unavailable")


def arrived(conn: Connection, arrival_id: int, fetched: Sequence[Picture], rules: Rules, now: datetime) -> None:
    """The file is here, as one picture or more (the pages of a paper): its piece is given, further pages are put beside
    it, and its sender may see them. The last one of a form that was handed in takes it into the queue, and its citizen
    is told; so is what found no room, and that a longer file was cut short."""
    found = _claimed(conn, arrival_id)
    if found is None:
        return
    arrival, row = found
    keys = [each.key for each in fetched]
    placed = {keys[0], *evidence.further(conn, arrival, keys[1:], now, rules.quota)}
    evidence.arrive(conn, arrival, keys[0], now)
    chat = conversations.peek(conn, arrival.account, arrival.address)
    # The phone may be another person's by now: then only the dossier's own person and officers see the picture.
    theirs = chat is not None and chat.person is not None and chat.person.id == row.person_id
    for each in fetched:
        bytes_of = [key for key in (each.key, each.thumbnail) if key]
        for key in bytes_of:
            deletions.release(conn, key)
        if chat is not None and theirs and each.key in placed:
            evidence.put_upload(conn, chat.contact_id, each, now)
            evidence.use_upload(conn, chat.contact_id, each.key)
        else:  # no row names its thumbnail, and perhaps none the picture
            deletions.after(conn, bytes_of, now)
    over, cut = len(set(keys) - placed), fetched[0].in_file > len(fetched)
    if over or cut:
        whole = fetched[0].in_file if cut else 0
        told = partial(_not_all, conn, row, arrival.indicator, over, len(fetched), whole, rules)
        notices.to_person(conn, now, row.person_id, told)
    if handing_in.enter_when_settled(conn, row.id, f"person:{row.person_id}", now) is not None:
        notices.to_person(conn, now, row.person_id, lambda: Screen("\n".join(_receipt(conn, row)), (_to_dossier(),)))


def lost(conn: Connection, arrival_id: int, reason: str, rules: Rules, now: datetime) -> None:
    """The picture cannot be had (*reason*: one of :data:`REASONS`): its piece goes, and its citizen is told which and
    why, and what to do. A form handed in that is complete without it goes on into the queue."""
    found = _claimed(conn, arrival_id)
    if found is None:
        return
    arrival, row = found
    assessments.lose_evidence(conn, arrival, now)
    entered = handing_in.enter_when_settled(conn, row.id, f"person:{row.person_id}", now) is not None
    notices.to_person(conn, now, row.person_id, lambda: _lost(conn, row, arrival.indicator, reason, entered))


def _claimed(conn: Connection, arrival_id: int) -> tuple[ArrivalRow, AssessmentRow] | None:
    """The arrival and its assessment, read under the assessment's lock: of two pictures that settle at once one must
    see that it is the last."""
    arrival = evidence.arrival(conn, arrival_id)
    if arrival is None:
        return None
    try:
        row = assessments.locked(conn, arrival.assessment_id)
    except Refused:  # erased meanwhile, and the arrival with it
        return None
    arrival = evidence.arrival(conn, arrival_id)
    return None if arrival is None else (arrival, row)


def _to_dossier() -> Choice:
    return Choice("go:hoso", _("standing.open"))


def _receipt(conn: Connection, row: AssessmentRow) -> list[str]:
    settings = units.settings(conn, places.unit_of(conn, row.unit_id))
    lines = [
        _("submit.done", code=row.code),
        answering.service_line(settings.service_days),
        places.whom_to_ask(settings),
    ]
    return [line for line in lines if line]


def _not_all(
    conn: Connection, row: AssessmentRow, indicator: str, over: int, kept: int, whole: int, rules: Rules
) -> Screen:
    """Pages of a paper that are not beside the answer: *over* found no room; of *whole*, if it is said, *kept* are."""
    n = answering.position(places.criteria_of(conn, row), indicator)
    season = rules.quota.pictures_per_season
    if sum(each.kind in evidence.PICTURE_KINDS for each in evidence.all_of(conn, row.id)) >= season:
        room = _("arriving.no_room_season", n=n, most=number(season), over=number(over))
    else:
        room = _("arriving.no_room", n=n, most=number(evidence.MOST_PICTURES), over=number(over))
    first = _("arriving.first_pages", n=n, kept=number(kept), pages=number(whole)) if whole else ""
    return Screen(
        "\n".join(filter(None, (first, room if over else ""))),
        (Choice(f"go:prove:{row.code}:{indicator}", _("arriving.see", n=n)),),
    )


def _lost(conn: Connection, row: AssessmentRow, indicator: str, reason: str, entered: bool) -> Screen:
    n = answering.position(places.criteria_of(conn, row), indicator)
    why = _(f"arriving.lost.{reason if reason in REASONS else 'unavailable'}", n=n)
    if entered:
        return Screen("\n".join((why, _("arriving.suffices"), *_receipt(conn, row))), (_to_dossier(),))
    if row.handed_in_at is None:
        what = _("arriving.again", n=n)
    elif indicator in handing_in.asked_again(conn, answering.read(conn, row)):
        what = _("arriving.again_handed_in", n=n)
    else:  # others are on their way still, and without this one there is enough
        what = _("arriving.may_again", n=n)
    return Screen(f"{why}\n{what}", (Choice(f"go:prove:{row.code}:{indicator}", _("arriving.prove", n=n), "main"),))
