"""``hoctap officers invite --csv``: many officers invited at once, each with a slip (mời cán bộ Hội hàng loạt).

Only hashes of invites are in the database, so the links exist in the file of links alone. That file is also how a run
goes on where it was cut off: a row is written to it, and to the disk, before the invite is committed, and a link in it
that the database does not know is dropped.
"""

from __future__ import annotations

import csv
import fcntl
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from io import StringIO
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import typer

from bot.cli import tables
from bot.cli.base import MOST_LINES, Stop, database, emit, place_of, unit_of
from bot.cli.bots import username_at
from bot.cli.refusals import sentence
from bot.clock import now
from dialogs.text import phone as phone_of
from locales import _, day, number
from storage import codes, officers, units
from storage.base import Connection, Refused
from storage.engine import reading, writing
from storage.gazetteer import KIND_WORDS, fold

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from bot.settings import Settings

# Folded, the surest first: of "Mã đơn vị" and "Tên đơn vị" side by side the code is read.
COLUMNS = {
    "unit": ("ma don vi", "unit code", "unit", "don vi", "ten don vi", "xa phuong dac khu", "xa phuong", "dia ban"),
    "name": ("ho va ten", "ho ten", "full name", "name", "ho ten can bo", "ten can bo", "can bo", "ten"),
    "phone": (
        "so dien thoai", "dien thoai", "phone number", "phone", "sdt", "so dt", "dt", "di dong", "dtdd", "mobile",
    ),
    "role": ("vai tro", "role", "nhiem vu"),
}  # fmt: skip
ROLES = {
    "reviewer": ("reviewer", "nguoi xet", "nguoi xet duyet", "can bo xet", "can bo xet duyet", "xet duyet", "xet"),
    "supervisor": ("supervisor", "can bo theo doi", "nguoi theo doi", "theo doi"),
}
OLD_DISTRICTS = (("quan", "q"), ("thi xa", "tx"))  # kinds that the reform of 1 July 2025 did away with
LINKS = ("unit", "name", "phone", "role", "link", "typed", "ends")  # columns of the file of links
FORGOTTEN = timedelta(days=365)  # after which a list may bring back who was dismissed
BATCH = 20  # invites committed at once: well under 50 ms, so that turns of a running bot hardly wait

Key = tuple[int, str, str]  # unit, role, name folded by case


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row that is right: who is to be invited to what."""

    row: int
    unit: units.UnitRow
    place: str
    name: str
    phone: str
    role: str

    @property
    def key(self) -> Key:
        return self.unit.id, self.role, self.name.casefold()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a cell: row as the spreadsheet counts, heading of the column (empty: the row), how to mend."""

    row: int
    column: str
    text: str


@dataclass(frozen=True, slots=True)
class Invited:
    """A row with its invite, which nobody has used yet, and the link that opens it."""

    wanted: Wanted
    code: codes.InviteCode = field(repr=False)
    ends: datetime
    link: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """A line of the file of links that still holds good, and the invite it is of."""

    line: tuple[str, ...] = field(repr=False)
    code: codes.InviteCode = field(repr=False)
    ends: datetime


Known = Mapping[tuple[Key, str], Kept]  # by whom and phone: two of one name in one unit are told apart by it
Way = Callable[[units.UnitRow, codes.InviteCode], str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done (``done``), would be done (``dry``), or why nothing was (``stopped``: rows are wrong). ``ended``:
    who held the role within the last year and does no more; ``missing``: where there are no links of those invited."""

    how: str
    new: Sequence[Wanted]
    already: Sequence[Wanted]
    faults: Sequence[Fault]
    ignored: Sequence[str]
    links: Path | None = None
    slips: Path | None = None
    ended: Sequence[Wanted] = ()
    missing: Path | None = None


@dataclass(frozen=True, slots=True)
class Sorted:
    """Rows whose link is kept, rows to invite, rows invited without a link that we have (``unlinked``) or in the role,
    and rows of who held it within the last year."""

    again: Mapping[Wanted, Kept]
    new: Sequence[Wanted]
    already: Sequence[Wanted]
    unlinked: bool
    ended: Sequence[Wanted]


def invite_all(
    settings: Settings,
    file: Path,
    *,
    role: str | None = None,
    slips: Path | None = None,
    dry_run: bool = False,
    skip_wrong: bool = False,
    telegram: bool = False,
    bot: str | None = None,
    renew: bool = False,
) -> Outcome:
    """Invite everybody in the table and write links and slips, readable by their owner only.

    *role* is for rows that name none; *slips* is the PDF (default: beside the table), the links lie beside it as CSV.
    Nothing is written where a row is wrong, unless *skip_wrong*. Who is invited already, or holds the role, is not
    invited again; where the file of links still has the link, it is on a slip again. With *telegram* the links open the
    bot named or the one that serves the unit. Whose role ended within a year is invited only where *renew*: a list from
    before must not bring back who was dismissed.
    """
    if role is not None and role not in officers.ROLES:
        raise Refused("role_unknown", role=role, roles=", ".join(officers.ROLES))
    table = tables.read(file, COLUMNS, ("unit", "name") if role else ("unit", "name", "role"))
    printed = slips or file.with_suffix(".slips.pdf")
    links = printed.with_suffix(".csv")
    if file.resolve() in (links.resolve(), printed.resolve()):
        raise Stop(_("cli.invites.same_file", file=file))
    moment = now()
    with _alone(links.parent), database(settings) as engine:
        with reading(engine) as conn:
            wanted, faults = _judged(conn, table, role)
            kept = _kept(conn, links, moment)
            found = _sorted_out(conn, wanted, kept, moment, renew)
            missing = links if found.unlinked and not links.exists() else None
            stopped = "dry" if dry_run else "stopped" if faults and not skip_wrong else ""
            done = Outcome(
                stopped or "done", found.new, [*found.again, *found.already], faults, table.ignored, ended=found.ended,
                missing=missing,
            )  # fmt: skip
            if stopped or not (found.again or found.new):
                return done
            way = _way(conn, settings, [*found.again, *found.new], telegram, bot)
        reprinted = [Invited(one, held.code, held.ends, way(one.unit, held.code)) for one, held in found.again.items()]
        others = [held.line for at, held in kept.items() if at not in {(one.key, one.phone) for one in found.again}]
        _write_links(links, [*others, *map(_line, reprinted)])
        invited = [*reprinted, *_invited(engine, found.new, links, moment, way)]
        invited.sort(key=lambda each: each.wanted.row)
        _write_slips(printed, invited)
    return replace(done, links=links, slips=printed)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Of two runs that write one file of links, each would invite everybody, and the later drop the other's links."""
    number = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stop(_("cli.invites.busy", folder=folder)) from None
        yield
    finally:
        os.close(number)


# ------------------------------------------------------------------------------------------ judging


def _judged(conn: Connection, table: tables.Table, role: str | None) -> tuple[list[Wanted], list[Fault]]:
    wanted: list[Wanted] = []
    faults: list[Fault] = []
    seen: dict[tuple[Key, str], int] = {}
    for row in table.rows:
        found: dict[str, Any] = {}
        wrong = len(faults)
        if row.beyond:
            faults.append(Fault(row.number, "", _("cli.table.beyond", cell=row.beyond[0][:40])))
        judges = {"unit": _unit, "name": _name, "phone": _phone, "role": _role}
        for column, judge in judges.items():
            cell = row.cells.get(column, "")
            if column == "role" and not cell and role:
                found[column] = role
                continue
            try:
                found[column] = judge(conn, cell)
            except Stop as stop:
                faults.append(Fault(row.number, table.headings.get(column, ""), stop.text))
            except Refused as refused:
                faults.append(Fault(row.number, table.headings.get(column, ""), sentence(refused)))
        if len(faults) > wrong:
            continue
        one = Wanted(
            row.number, found["unit"], place_of(conn, found["unit"]), found["name"], found["phone"], found["role"]
        )
        first = seen.setdefault((one.key, one.phone), row.number)
        if first != row.number:
            faults.append(Fault(row.number, "", _("cli.invites.twice", row=number(first))))
        else:
            wanted.append(one)
    return wanted, faults


def _unit(conn: Connection, cell: str) -> units.UnitRow:
    if not cell:
        raise Stop(_("cli.invites.empty"))
    digits = _whole(cell)
    if re.fullmatch("[0-9]{1,7}", digits):
        return _by_number(conn, digits)
    if units.by_code(conn, cell) is not None or re.match(r"\s*[DĐdđ]\s*[Vv]\W*[0-9]", cell):
        return unit_of(conn, cell)
    return _by_name(conn, cell)


def _by_number(conn: Connection, digits: str) -> units.UnitRow:
    """A code whose zeros in front a spreadsheet may have eaten: ``6685`` is ``06685``, ``668503`` is ``0668503``."""
    if len(digits) > 2:
        return unit_of(conn, digits.zfill(5 if len(digits) <= 5 else 7))
    meant = [unit for code in (digits.zfill(2), digits.zfill(5)) if (unit := units.by_code(conn, code)) is not None]
    if len(meant) > 1:
        raise Stop(_("cli.invites.short_code", code=digits, units=_listed(conn, meant)))
    return unit_of(conn, meant[0].code if meant else digits)


def _by_name(conn: Connection, cell: str) -> units.UnitRow:
    """The one unit that a name names wholly, with or without kind and what it lies in; never the likeliest of some."""
    found = [place.unit for place in units.search(conn, cell, limit=20)]
    exact = [unit for unit in found if fold(cell) in _spoken(conn, unit)]
    if len(exact) == 1:
        return unit_of(conn, exact[0].code)
    if exact:
        raise Stop(_("cli.invites.several_units", name=cell[:60], units=_listed(conn, exact)))
    old = [place.unit for place in units.search(conn, cell, limit=20, vintage=codes.PRE_2025)]
    former = [unit for unit in old if fold(cell) in _spoken(conn, unit)]
    if len(former) == 1:
        unit_of(conn, codes.printed(codes.UnitCode(codes.PRE_2025, former[0].code)))  # stops: what became of it
    if found:
        raise Stop(_("cli.invites.like_units", name=cell[:60], units=_listed(conn, found)))
    raise Stop(_("cli.invites.no_unit", name=cell[:60]))


def _listed(conn: Connection, found: Sequence[units.UnitRow]) -> str:
    return "; ".join(f"{units.display_code(unit)} {place_of(conn, unit)}" for unit in found[:3])


def _spoken(conn: Connection, unit: units.UnitRow) -> set[str]:
    """Every way to write a unit, folded: each name with or without its word of kind, what it lies in or not."""
    # Most provinces were called otherwise once: "tỉnh" and "thành phố" go for each.
    above = [
        ["", *_forms(name, *KIND_WORDS["tinh"], *KIND_WORDS["thanh_pho"])] for name in units.full_name(conn, unit).above
    ]
    return {" ".join(filter(None, parts)) for parts in product(_forms(unit.name), *above)}


def _forms(name: str, *also: str) -> list[str]:
    folded = fold(name)
    found = [folded]
    for words in (*KIND_WORDS.values(), *OLD_DISTRICTS):
        if folded.startswith(f"{words[0]} "):
            core = folded.removeprefix(f"{words[0]} ")
            found += [core, *(f"{word} {core}" for word in (*words[1:], *also))]
    return found


def _name(_conn: Connection, cell: str) -> str:
    if not cell:
        raise Stop(_("cli.invites.empty"))
    if len(cell) > 120:
        raise Stop(_("cli.officers.name", most=120))
    if not cell[0].isalpha() or any(char.isdigit() for char in cell):
        raise Stop(_("cli.invites.name", name=cell[:40]))
    return cell


def _phone(_conn: Connection, cell: str) -> str:
    if not cell:
        return ""
    digits = _whole(cell.lstrip("'"))
    found = phone_of(digits) or (phone_of(f"0{digits}") if digits[0] in "235789" else None)  # the 0 was eaten
    if found is None:
        raise Stop(_("cli.invites.phone", phone=cell[:24]))
    return found


def _whole(cell: str) -> str:
    """``6685.0``, which a spreadsheet makes of a code or a phone number, as ``6685``."""
    return cell[:-2] if re.fullmatch("[0-9]+[.,]0", cell) else cell


def _role(_conn: Connection, cell: str) -> str:
    folded = fold(cell)
    for role, called in ROLES.items():
        if folded in called:
            return role
    said = ", ".join(_(f"cli.role.{role}") for role in ROLES)
    raise Stop(_("cli.invites.role", role=cell[:40], roles=said) if cell else _("cli.invites.no_role", roles=said))


# ------------------------------------------------------------------------------------------ who is new


def _kept(conn: Connection, links: Path, moment: datetime) -> Known:
    """What the file of links still holds good; nothing where there is no such file. Stops at a file of another kind."""
    if not links.exists():
        return {}
    with links.open(encoding="utf-8-sig", newline="", errors="replace") as source:
        lines = [tuple(line) for line in csv.reader(source)]
    if not lines or len(lines[0]) != len(LINKS):
        raise Stop(_("cli.invites.not_links", file=links))
    usable = {invite.secret_hash: invite for invite in officers.open_invites(conn, moment)}
    found = {}
    for line in lines[1:]:
        code = codes.find(line[LINKS.index("typed")]) if len(line) == len(LINKS) else None
        invite = usable.get(codes.secret_hash(code)) if isinstance(code, codes.InviteCode) else None
        # Not there: used, over, or never committed.
        if isinstance(code, codes.InviteCode) and invite is not None:
            key = (invite.unit_id, invite.role, invite.name.casefold())
            found[key, line[LINKS.index("phone")]] = Kept(line, code, invite.ends_at)
    return found


def _sorted_out(conn: Connection, wanted: Sequence[Wanted], kept: Known, moment: datetime, renew: bool) -> Sorted:
    again = {one: kept[one.key, one.phone] for one in wanted if (one.key, one.phone) in kept}
    invited = Counter((each.unit_id, each.role, each.name.casefold()) for each in officers.open_invites(conn, moment))
    invited.subtract(key for key, _phone in kept)
    holding = _counted(officers.holding(conn))
    dismissed = _counted([] if renew else officers.ended(conn, moment - FORGOTTEN))
    new: list[Wanted] = []
    already: list[Wanted] = []
    ended: list[Wanted] = []
    unlinked = False
    for one in wanted:
        if one in again:
            continue
        if holding[one.key] > 0:
            holding[one.key] -= 1
            already.append(one)
        elif invited[one.key] > 0:
            invited[one.key] -= 1
            unlinked = True
            already.append(one)
        else:
            (ended if dismissed[one.key] > 0 else new).append(one)
            dismissed[one.key] -= 1
    return Sorted(again, new, already, unlinked, ended)


def _counted(held: Iterable[Key]) -> Counter[Key]:
    return Counter((unit, role, name.casefold()) for unit, role, name in held)


# ------------------------------------------------------------------------------------------ writing


def _way(conn: Connection, settings: Settings, wanted: Sequence[Wanted], telegram: bool, name: str | None) -> Way:
    """How an invite is opened. Telegram is asked once for the name of each bot."""
    if not telegram:
        address = settings.web.public_url
        if not address:
            raise Stop(_("cli.invites.no_public_url", key="web.public_url", option="--telegram"), 2)
        # Behind the "#": no server or proxy ever writes it down.
        return lambda _unit, code: f"{address}/chat#q={codes.payload(code)}"
    from bot.channels.telegram_about import start_link

    asked: dict[str, str] = {}
    served = {one.unit.id: username_at(settings, conn, one.unit, name, asked) for one in wanted}
    return lambda unit, code: start_link(served[unit.id], codes.payload(code))


def _invited(engine: Engine, new: Sequence[Wanted], links: Path, moment: datetime, way: Way) -> list[Invited]:
    made: list[Invited] = []
    for start in range(0, len(new), BATCH):
        with writing(engine) as conn:
            batch = []
            for one in new[start : start + BATCH]:
                code = officers.invite(conn, one.unit.id, one.role, moment, "cli", one.name)
                batch.append(Invited(one, code, moment + officers.INVITE_LIFE, way(one.unit, code)))
            # Before they are committed: what is in the database and not in the file could never be opened by anybody.
            with _private(links, os.O_APPEND) as out:
                out.write(_csv(map(_line, batch)).encode())
                out.flush()
                os.fsync(out.fileno())
        made += batch
    return made


def _line(each: Invited) -> tuple[str, ...]:
    one = each.wanted
    role, typed = _(f"cli.role.{one.role}"), codes.printed(each.code)
    return one.place, one.name, one.phone, role, each.link, typed, day(each.ends)


def _csv(lines: Iterable[Sequence[str]]) -> str:
    out = StringIO()
    csv.writer(out).writerows(lines)
    return out.getvalue()


def _write_links(links: Path, lines: Iterable[Sequence[str]]) -> None:
    """The file anew, with those alone whose links can be used."""
    heading = [_(f"cli.invites.column.{name}") for name in LINKS]
    _replace(links, _csv([heading, *lines]).encode("utf-8-sig"))  # with its mark Excel knows it for UTF-8


def _write_slips(printed: Path, invited: Sequence[Invited]) -> None:
    from reports.slips import Slip, slips

    made = []
    for each in invited:
        one, typed = each.wanted, codes.printed(each.code)
        made.append(Slip(one.name, one.place, _(f"cli.role.{one.role}"), each.link, typed, each.ends, one.phone))
    _replace(printed, slips(made))


def _replace(file: Path, content: bytes) -> None:
    scratch = file.with_name(f".{file.name}.part")
    with _private(scratch, os.O_TRUNC) as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    scratch.replace(file)


def _private(file: Path, flags: int) -> BinaryIO:
    """A file that nobody but its owner reads, from its first byte on."""
    number = os.open(file, os.O_WRONLY | os.O_CREAT | flags, 0o600)
    os.fchmod(number, 0o600)  # one that was there keeps its mode otherwise
    return os.fdopen(number, "wb")


# ------------------------------------------------------------------------------------------ telling


def tell(outcome: Outcome, json: bool) -> None:
    """Say what was, or would be, done: counts, faults, files; never a link. Exit status 1 where rows being wrong
    stopped it, or a dry run found some."""
    if json:
        emit(
            {
                "how": outcome.how,
                "invited": [_fact(one) for one in outcome.new],
                "already": [_fact(one) for one in outcome.already],
                "ended": [_fact(one) for one in outcome.ended],
                "wrong": [{"row": each.row, "column": each.column, "text": each.text} for each in outcome.faults],
                "ignored": list(outcome.ignored),
                "links": outcome.links,
                "slips": outcome.slips,
            }
        )
    else:
        _tell(outcome)
    if outcome.faults and outcome.how != "done":
        raise typer.Exit(1)


def _tell(outcome: Outcome) -> None:
    if outcome.ignored:
        typer.echo(_("cli.invites.ignored", columns=", ".join(outcome.ignored)))
    if outcome.how != "stopped":
        lines = [(one, "cli.invites.was_already") for one in outcome.already]
        lines += [(one, "cli.invites.was_ended") for one in outcome.ended]
        lines += [(one, "cli.invites.would") for one in outcome.new if outcome.how == "dry"]
        for one, key in sorted(lines, key=lambda line: line[0].row)[:MOST_LINES]:
            typer.echo(_(key, row=one.row, name=one.name, role=_(f"cli.role.{one.role}"), place=one.place))
    for each in outcome.faults[:MOST_LINES]:
        key = "cli.invites.cell" if each.column else "cli.invites.row"
        typer.echo(_(key, row=each.row, column=each.column, text=each.text), err=True)
    counts = {
        "new": number(len(outcome.new)), "already": number(len(outcome.already)), "wrong": number(len(outcome.faults))
    }  # fmt: skip
    typer.echo(_(f"cli.invites.sum.{outcome.how}", **counts), err=outcome.how == "stopped")
    if outcome.missing is not None:
        typer.echo(_("cli.invites.where_links", links=outcome.missing), err=True)
    if outcome.links is not None:
        typer.echo(_("cli.invites.files", links=outcome.links, slips=outcome.slips))


def _fact(one: Wanted) -> dict[str, Any]:
    return {"row": one.row, "unit": units.display_code(one.unit), "name": one.name, "role": one.role}
