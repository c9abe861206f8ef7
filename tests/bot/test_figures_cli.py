"""``hoctap report`` with a code and in other ways, ``hoctap population import``."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image

from storage import targets
from storage.targets import populations
from tests.bot.conftest import Cli
from tests.support.world import World


def test_a_report_again_by_its_code(cli: Cli, world: World) -> None:
    world.citizen().joins()
    first = cli("report", "22", "--json").json
    code = first["run"]
    assert code.startswith("BC-") and code in cli("report", "22").out
    world.citizen().joins()
    again = cli("report", "--code", code.lower(), "--json").json
    assert (again["then"]["registered"], again["now"]["registered"]) == (1, 2)
    assert again["then"] == first
    assert again["events"] == {"register": 1}
    cli("report", "--code", code).said("+1 đăng ký", "Đã đăng ký: 1 → 2")
    cli("report", "--code", "BC-22222").refused(1, "BC-22222")
    cli("report", "--code", "DV06685K").refused(1, "DV06685K")
    cli("report").refused(2, "--code")
    cli("report", "22", "--code", code).refused(2, "--code")


def test_a_report_in_other_ways(cli: Cli, world: World) -> None:
    world.citizen().joins()
    found = cli("report", "22", "--kind", "ranking", "--by", "registered", "--json").json
    assert (found["rows"][0]["code"], found["rows"][0]["value"], found["kind"]) == ("06685", 1, "count")
    cli("report", "22", "--kind", "funnel").said("Đã vào qua mã: 1")
    cli("report", "22", "--kind", "heatmap").said("Chưa có số liệu để so sánh")
    assert cli("report", "22", "--kind", "progress", "--json").json["weeks"] == []
    assert cli("report", "22", "--kind", "funnel", "--png", "f.png").status == 0
    assert Image.open("f.png").width == 1080
    cli("report", "22", "--kind", "x").refused(2, "heatmap")
    cli("report", "22", "--kind", "ranking", "--by", "x").refused(2, "pass_rate")


def test_a_population_is_taken_in_whole_or_not_at_all(
    cli: Cli, world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kept() -> list[tuple[str, int]]:
        with world.read() as conn:
            found = conn.execute(sa.select(populations).order_by(populations.c.people)).all()
            return [(row.on_day.isoformat(), row.people) for row in found]

    file = folder / "people.csv"
    file.write_text("unit,people\n06685,1000\n22,abc\n", encoding="utf-8")
    cli("population", "import", "people.csv").refused(1, "Dòng 3", "abc")
    assert cli("population", "import", "people.csv", "--json").json["wrong"][0]["why"] == "people"
    assert kept() == []
    file.write_text("\ufeffunit;people\n06685;1.000\n22;9000\n", encoding="utf-8")
    cli("population", "import", "people.csv", "--dry-run").said("Chưa ghi gì", "10.000 người")
    assert kept() == []
    with monkeypatch.context() as patched:  # a file of two rows in two transactions
        patched.setattr(targets, "ROWS_A_TIME", 1)
        cli("population", "import", "people.csv", "--date", "2026-01-01").said("Đã ghi dân số của 2 đơn vị")
    with world.read() as conn:
        said = conn.execute(sa.text("select subject, details from audit where action = 'population.import'")).all()
    assert [tuple(row) for row in said] == [("day:2026-01-01", '{"rows": 2, "people": 10000}')]
    cli("population", "import", "people.csv", "--date", "2026-01-01").said("Đã ghi")
    assert kept() == [("2026-01-01", 1000), ("2026-01-01", 9000)]
    world.citizen().joins()
    assert cli("report", "06685", "--year", "2026", "--json").json["participation"] == 1 / 1000


@pytest.mark.parametrize("arguments", [("none.csv",), ("people.csv", "--date", "tomorrow")])
def test_a_file_or_a_day_that_cannot_be_read(cli: Cli, world: World, folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "people.csv").write_text("unit,people\n06685,1000\n", encoding="utf-8")
    assert cli("population", "import", *arguments).status in (1, 2)
