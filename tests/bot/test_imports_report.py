"""What an import says, where it says it, and that nothing is done which cannot be told."""

from __future__ import annotations

import csv
import stat
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.imports import running
from storage import audit, imports, units
from storage.tables import metadata
from tests.bot.conftest import Cli
from tests.bot.test_imports import HONG_GAI, MAP, report, write
from tests.support.world import World

pytestmark = pytest.mark.slow

HUNG = ("Nguyễn Văn Hùng", 1957, *HONG_GAI, 2024)


def test_without_a_ground_there_are_trials_only(cli: Cli, world: World) -> None:
    write(HUNG)
    without = "\n".join(line for line in MAP.splitlines() if not line.startswith("basis"))
    Path("m.toml").write_text(without, "utf-8")
    command = ("import", "a.csv", "--mapping", "m.toml")
    cli(*command, "--dry-run").said("người mới", "cần ghi căn cứ")
    cli(*command).refused(1, "basis.ground", "basis.confirmed_by", "basis.confirmed_on")
    with world.read() as conn:
        assert imports.listing(conn) == []
    Path("m.toml").write_text(MAP, "utf-8")
    assert cli(*command).status == 0
    with world.read() as conn:
        (run,) = imports.listing(conn)
        assert run.basis == "Luật 91, Điều 9; Hội cơ sở, 20/11/2026"
        assert run.basis in str(audit.listing(conn, subjects=(f"import:{run.id}",)))
    cli("import", "list").said("Luật 91, Điều 9; Hội cơ sở, 20/11/2026")


def test_a_child_leaves_nothing_behind(cli: Cli, world: World) -> None:
    with world.write() as conn:
        units.set_setting(conn, "06685", "min_age", 60, "cli", world.now)
    this = world.now.year
    write(("Nguyễn Thị Non", this - 59, *HONG_GAI, 2024), ("Nguyễn Văn Già", this - 60, *HONG_GAI, 2024))
    said = cli("import", "a.csv", "--mapping", "m.toml")
    said.said("chưa đủ 60 tuổi")
    assert said.status == 1
    rows = cli("import", "find", "06685", "--json").json
    assert [row["name"] for row in rows] == ["Nguyễn Văn Già"]
    with world.read() as conn:
        everything = str([conn.execute(sa.select(table)).all() for table in metadata.sorted_tables])
        assert "Thị Non" not in everything and "Văn Già" in everything


def test_the_report_is_its_owners_alone(cli: Cli, world: World) -> None:
    write(HUNG)
    Path("a.ket-qua.csv").write_text("the one before")
    Path("a.ket-qua.csv").chmod(0o644)
    assert cli("import", "a.csv", "--mapping", "m.toml").status == 0
    assert stat.S_IMODE(Path("a.ket-qua.csv").stat().st_mode) == 0o600
    assert len(report()) == 1
    assert [file.name for file in Path().glob("*.part")] == []


def test_what_cannot_be_told_is_not_done(cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write(HUNG)
    command = ("import", "a.csv", "--mapping", "m.toml", "--report")
    Path("taken").mkdir()
    for out in ("no-such-folder/r.csv", "taken"):
        assert cli(*command, out).status == 1
    with world.read() as conn:
        assert imports.listing(conn) == []
    # It was there to be written before the first row was read.
    seen = []

    def judged(*given: Any) -> Any:
        seen.append(Path("r.csv.part").exists())
        raise ValueError

    with monkeypatch.context() as patch:
        patch.setattr(running, "judged", judged)
        assert cli(*command, "r.csv").status != 0
    assert seen == [True]
    assert not Path("r.csv.part").exists() and not Path("r.csv").exists()


def test_a_report_that_is_held_open_lies_beside(cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    write(HUNG)
    real = Path.replace

    def held(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise PermissionError(13, "held", str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", held)
    said = cli("import", "a.csv", "--mapping", "m.toml")
    said.said("a.ket-qua.csv.part")
    assert said.status == 0
    assert len(report("a.ket-qua.csv.part")) == 1


def test_nothing_of_somebody_gets_out_through_a_column_too_far(cli: Cli, world: World) -> None:
    """The group in a column of id numbers, the commune in one of names, the headings in a row of data."""
    people = [(f"Nguyễn Văn {chr(65 + n)}a", 1957, *HONG_GAI, 2024, f"0220570000{n:02}") for n in range(12)]
    headings = ("Họ và tên", "Năm sinh", "Xã", "Huyện", "Tỉnh", "Năm đạt", "CCCD")

    def ran(mapping: str, *more: str) -> str:
        write(*people, headings=headings)
        Path("m.toml").write_text(mapping, "utf-8")
        Path("a.ket-qua.csv").unlink(missing_ok=True)
        done = cli("import", "a.csv", "--mapping", "m.toml", "--dry-run", *more)
        assert done.status == 1
        written = Path("a.ket-qua.csv")
        told = done.out + done.err + (written.read_text("utf-8-sig") if written.exists() else "")
        assert not any(number in told for *_rest, number in people)
        assert not any(name in told for name, *_rest in people)
        return told

    group = MAP.replace("[groups]", 'subject_group = "CCCD"\n[groups]').replace('"*"', '"Nông dân"')
    assert "có lẽ đã ghép nhầm cột" in ran(group, "--json")
    assert "có lẽ đã ghép nhầm cột" in ran(MAP.replace('commune = "Xã"', 'commune = "Họ và tên"'))
    assert "A, B, C" in ran(f"heading_row = 4\n{MAP}")
    people[:] = people[:3]  # too few to see that it is the wrong column
    assert "••••" in ran(group)


@pytest.mark.parametrize(
    "name", ["=HYPERLINK(A)", "@SUM(A)", "+Nguyễn Văn Hùng", "-Nguyễn Văn Hùng", "\t=cmd|' /C calc'!A0"]
)
def test_what_a_sender_writes_never_becomes_a_formula(cli: Cli, world: World, name: str) -> None:
    """Texts in an XLSX, which no reader takes for formulas, in every cell that is told of."""
    from openpyxl import Workbook

    book = Workbook()
    page = book.active
    assert page is not None
    page.append(("Họ và tên", "Năm sinh", "Xã", "Huyện", "Tỉnh", name, "Nhóm"))
    page.append((name, 1957, *HONG_GAI, 2024, "Nông dân"))
    page.append(("Trần Thị Mẫu", 1957, name, *HONG_GAI[1:], 2024, name))
    page.append(("Trần Thị Mẫu", 1957, *HONG_GAI, 1024, "Nông dân"))
    for row in page.iter_rows():
        for cell in row:
            if isinstance(cell.value, str):
                cell.data_type = "s"
    book.save("a.xlsx")
    given = MAP.replace('title_year = "Năm đạt"', f'title_year = """{name}"""\nsubject_group = "Nhóm"')
    Path("m.toml").write_text(given.replace('"*"', '"Nông dân"'), "utf-8")
    assert cli("import", "a.xlsx", "--mapping", "m.toml").status == 1
    with Path("a.ket-qua.csv").open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.reader(opened))
    assert [row[0] for row in rows[1:]] == ["2", "3", "3", "4"]
    assert rows[1][2] == "Họ và tên" and rows[4][2].lstrip("'").strip() == name.strip()
    assert [cell for row in rows for cell in row if cell[:1] in tuple("=+-@\t\r")] == []
    with world.read() as conn:
        assert [run.rows for run in imports.listing(conn)] == [0]
