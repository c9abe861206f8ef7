"""Units: the official data, the tree, names by date, successors, search, units of the association, settings."""

from __future__ import annotations

import csv
import shutil
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as run
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from storage import catalogue, units
from storage.base import Refused, metadata
from storage.gazetteer import core, fold
from storage.units import COMMUNE, PROVINCE

NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """A database with the catalogue loaded, shared by the tests of this file."""
    if request.param == "sqlite":
        made = sa.create_engine(f"sqlite:///{tmp_path_factory.mktemp('units') / 'units.sqlite'}")
    else:
        made = sa.create_engine(request.getfixturevalue("postgres_url"))
    metadata.create_all(made)
    with made.begin() as conn:
        started = time.process_time()
        units.seed(conn, NOW)
        assert time.process_time() - started < 10
    yield made
    metadata.drop_all(made)
    made.dispose()


@pytest.fixture
def conn(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection whose changes are rolled back."""
    with engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()


@pytest.fixture
def hong_gai(conn):
    return units.by_code(conn, "06685")


def found(conn, text, **how):
    return [" · ".join(place.parts) for place in units.search(conn, text, **how)]


def refused(call, *args) -> Refused:
    with pytest.raises(Refused) as caught:
        call(*args)
    return caught.value


# ── the data ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_official_units_are_those_published():
    rows = list(csv.DictReader((catalogue.DATA / "units_2025.csv").open(encoding="utf-8")))
    kinds = Counter(row["kind"] for row in rows)
    assert kinds == {"thành phố": 9, "tỉnh": 25, "phường": 709, "xã": 2599, "đặc khu": 13}
    provinces = {row["code"] for row in rows if row["level"] == "1"}
    communes = [row for row in rows if row["level"] == "2"]
    assert (len(provinces), len(communes)) == (34, 3321)
    assert {row["parent_code"] for row in communes} == provinces
    assert all(len(code) == 2 and code.isdigit() for code in provinces)
    assert all(len(row["code"]) == 5 and row["code"].isdigit() for row in communes)
    assert len({row["code"] for row in rows}) == len(rows)
    assert all(unicodedata.is_normalized("NFC", row["name"]) and row["name"] == row["name"].strip() for row in rows)
    assert all(row["name"].lower().startswith(row["kind"] + " ") for row in rows)
    assert max(Counter((row["parent_code"], row["kind"], row["name"]) for row in rows).values()) == 1


def test_successors_are_those_published():
    wanted = catalogue.read()
    assert Counter(edge.flag for edge in wanted.edges) == {
        "whole": 9594,
        "whole_district": 5,
        "part_all_population": 58,
        "part": 446,
        "part_suggested": 383,
        "part_area_only": 83,
        "part_population_only": 2,
    }
    assert len(wanted.edges) == len({(edge.old, edge.new) for edge in wanted.edges}) == 10_571
    codes = {(unit.vintage, unit.code) for unit in wanted.units}
    assert all(("pre-2025", edge.old) in codes and ("2025", edge.new) in codes for edge in wanted.edges)
    assert sum(vintage == "pre-2025" for vintage, _ in codes) == 10_035 + 5


def test_the_changes_since_lead_to_the_latest_state():
    rows = {row["code"]: row for row in csv.DictReader((catalogue.DATA / "units_2025.csv").open(encoding="utf-8"))}
    changes = list(csv.DictReader((catalogue.DATA / "units_changes_2026.csv").open(encoding="utf-8")))
    assert len(changes) == 25
    for change in changes:
        assert (rows[change["code"]]["name"], rows[change["code"]]["kind"]) == (change["name_now"], change["kind_now"])


# ── loading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def contents(conn):
    tables = (units.units, units.unit_names, units.successions, units.unit_settings)
    return [sorted(map(repr, conn.execute(sa.select(table)))) for table in tables]


def test_the_tree_is_loaded(conn):
    levels = dict(
        conn.execute(sa.text("select level, count(*) from units where vintage = '2025' group by level")).all()
    )
    assert levels == {0: 1, 1: 34, 2: 3321}
    assert [unit.code for unit in units.children(conn, units.by_code(conn, "VN").id)][:3] == ["01", "04", "08"]
    assert len(units.tree(conn, "VN")) == 3356
    assert len(units.tree(conn, "22")) == 1 + 54
    assert conn.execute(sa.select(sa.func.count()).select_from(units.successions)).scalar() == 10_571


def test_a_second_run_changes_nothing(conn):
    before = contents(conn)
    assert units.seed(conn, NOW + timedelta(days=1)) == units.Seeded(0, 0, 0)
    assert contents(conn) == before


def test_a_changed_row_is_picked_up(conn, tmp_path):
    shutil.copytree(catalogue.DATA, tmp_path / "data")
    for name, old, new in (
        ("units_2025.csv", "Phường Hồng Gai,phường", "Xã Hòn Gai,xã"),
        ("successors_2025.csv", "00001,Phường Phúc Xá,Quận Ba Đình,Thành phố Hà Nội,00097,whole", None),
        ("successors_2025.csv", "Thành phố Hà Nội,00004,whole", "Thành phố Hà Nội,00004,part"),
    ):
        file = tmp_path / "data" / name
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new) if new else text.replace(old + "\n", ""), encoding="utf-8")
    own = units.add_association_unit(conn, "06685", "Chi hội khu 3", "chi_hoi", "cli", NOW)
    assert found(conn, "hon gai") == []
    seeded = units.seed(conn, NOW, tmp_path / "data")
    assert (seeded.added, seeded.removed) == (0, 1)
    unit = units.by_code(conn, "06685")
    assert (unit.name, unit.kind) == ("Xã Hòn Gai", "xa")
    assert units.name_on(conn, unit.id, date(2026, 1, 1)).name == "Xã Hòn Gai"
    assert "Xã Hòn Gai · Thành phố Quảng Ninh" in found(conn, "hon gai")
    assert units.by_id(conn, own.id) == own
    assert units.seed(conn, NOW, tmp_path / "data") == units.Seeded(0, 0, 0)


def test_the_schema_knows_the_kinds(conn):
    with pytest.raises(IntegrityError):
        conn.execute(sa.text("update units set kind = 'quan' where code = '06685'"))


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_code_means_another_unit_in_another_vintage(conn):
    assert units.by_code(conn, "00004").name == "Phường Ba Đình"
    old = units.by_code(conn, "00004", "pre-2025")
    assert (old.name, old.old_district, old.valid_to) == ("Phường Trúc Bạch", "Quận Ba Đình", date(2025, 6, 30))
    assert units.by_code(conn, "99999") is None
    assert units.by_code(conn, "x" * 5000) is None


def test_place_in_the_tree(conn, hong_gai):
    province, centre = units.by_code(conn, "22"), units.by_code(conn, "vn")
    chi_hoi = units.add_association_unit(conn, "06685", "Chi hội khu 3", "chi_hoi", "cli", NOW)
    assert units.ancestors(conn, chi_hoi) == (hong_gai, province, centre)
    assert units.ancestors(conn, centre) == ()
    assert units.full_name(conn, chi_hoi).parts == ("Chi hội khu 3", "Phường Hồng Gai", "Thành phố Quảng Ninh")
    assert units.full_name(conn, hong_gai).parts == ("Phường Hồng Gai", "Thành phố Quảng Ninh")
    assert units.full_name(conn, province).parts == ("Thành phố Quảng Ninh",)
    old = units.by_code(conn, "00004", "pre-2025")
    assert units.full_name(conn, old).parts == ("Phường Trúc Bạch", "Quận Ba Đình", "Thành phố Hà Nội")
    assert units.ancestors(conn, old) == ()
    assert units.within(chi_hoi, hong_gai)
    assert units.within(chi_hoi, centre)
    assert units.within(hong_gai, hong_gai)
    assert not units.within(hong_gai, chi_hoi)
    assert not units.within(old, centre)
    assert units.subtree(conn, hong_gai) == (hong_gai, chi_hoi)
    assert units.children(conn, hong_gai.id) == (chi_hoi,)


def test_bounds_hold_just_what_lies_within(conn):
    assert units.bounds(units.by_code(conn, "22")) == ("VN/22/", "VN/220")
    every = [units.UnitRow(*row) for row in conn.execute(sa.select(*units._COLUMNS))]
    for code in ("VN", "22", "06685"):
        scope = units.by_code(conn, code)
        low, high = units.bounds(scope)
        assert {u.id for u in every if low <= u.path < high} == {u.id for u in every if units.within(u, scope)}
        assert {u.id for u in units.subtree(conn, scope)} == {u.id for u in every if units.within(u, scope)}


@pytest.mark.parametrize("column", ["path", "folded"])
def test_ranges_of_prefixes_use_an_index(conn, column):
    where = f"{column} >= 'VN/22/' and {column} < 'VN/220'" + (" and level = 3" if column == "folded" else "")
    if conn.dialect.name == "sqlite":
        plan = conn.execute(sa.text(f"explain query plan select id from units where {where}")).all()
        assert f"{column}>? AND {column}<?" in str(plan)
    else:
        conn.execute(sa.text("analyze units"))
        plan = conn.execute(sa.text(f"explain select name from units where {where}")).all()
        assert "Index Cond" in str(plan)
        assert f"({column} >= " in str(plan)


def test_names_have_dates(conn):
    province = units.by_code(conn, "22")
    before = units.name_on(conn, province.id, date(2026, 8, 31))
    assert before == units.NameOn("Tỉnh Quảng Ninh", "tinh", None)
    since = units.name_on(conn, province.id, date(2026, 9, 1))
    assert since == units.NameOn("Thành phố Quảng Ninh", "thanh_pho", "36/2026/QH16")
    assert units.name_on(conn, province.id, date(1999, 1, 1)) == before
    old = units.by_code(conn, "00004", "pre-2025")
    assert units.name_on(conn, old.id, date(2024, 1, 1)).name == "Phường Trúc Bạch"
    assert refused(units.name_on, conn, 10**9, date(2024, 1, 1)).code == "unit_unknown"


# ── successors ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_whole_commune_has_one_successor(conn):
    old = units.by_code(conn, "00001", "pre-2025")
    assert [(s.unit.code, s.flag, s.suggested) for s in units.successors(conn, old)] == [("00097", "whole", True)]
    assert units.sole_successor(conn, old).code == "00097"


def test_island_districts_lead_to_their_special_zone(conn):
    con_dao = units.by_code(conn, "H26732", "pre-2025")
    assert (con_dao.name, con_dao.kind) == ("Huyện Côn Đảo", "huyen")
    assert units.full_name(conn, con_dao).parts == ("Huyện Côn Đảo", "Tỉnh Bà Rịa - Vũng Tàu")
    assert units.sole_successor(conn, con_dao).code == "26732"


def test_a_divided_commune_asks_and_land_comes_last(conn):
    certain = choice = 0
    olds = conn.execute(sa.select(*units._COLUMNS).where(units.units.c.vintage == "pre-2025")).all()
    for row in olds[::7] + [row for row in olds if row.code in ("00001",)]:
        options = units.successors(conn, units.UnitRow(*row))
        flags = [option.flag for option in options]
        assert options
        assert flags == sorted(flags, key=catalogue.FLAGS.index)
        assert [option.suggested for option in options] == [True] + [False] * (len(options) - 1)
        sole = units.sole_successor(conn, units.UnitRow(*row))
        if sole is None:
            choice += 1
            assert flags[0] == "part_suggested"
        else:
            certain += 1
            assert sole == options[0].unit
        assert "part_area_only" not in flags or flags[-1] == "part_area_only"
    assert certain > 20 * choice > 0


# ── searching ────────────────────────────────────────────────────────────────────────────────────────────────────────

HONG_GAI = "Phường Hồng Gai · Thành phố Quảng Ninh"


@pytest.mark.parametrize(
    "text",
    [
        "hong gai",
        "Hồng Gai",
        "HỒNG GAI",
        unicodedata.normalize("NFD", "Hồng Gai"),
        "phường hồng gai",
        "P. Hồng Gai",
        "p.hong gai",
        "honggai",
        "xã hồng gai",
        "hong gai quang ninh",
        "phường Hồng Gai, thành phố Quảng Ninh",
        "hong gai tỉnh quảng ninh",
        "hong gai, tp. quang",
        "tôi ở phường Hồng Gai",
        "06685?? hong gai",
    ],
)
def test_hong_gai_is_found(conn, text):
    assert found(conn, text)[0] == HONG_GAI


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("quang ninh", "Thành phố Quảng Ninh"),
        ("tphcm", "Thành phố Hồ Chí Minh"),
        ("tp hcm", "Thành phố Hồ Chí Minh"),
        ("đặc khu phú quốc", "Đặc khu Phú Quốc · Tỉnh An Giang"),
        ("hoà bình phú thọ", "Phường Hòa Bình · Tỉnh Phú Thọ"),
        ("tịnh khê", "Xã Tịnh Khê · Tỉnh Quảng Ngãi"),
        ("cam giang hai phong", "Xã Cẩm Giang · Thành phố Hải Phòng"),
        ("Cẩm Giang Hải Phòng", "Xã Cẩm Giang · Thành phố Hải Phòng"),
        ("Cẩm Giàng Hải Phòng", "Xã Cẩm Giàng · Thành phố Hải Phòng"),
        ("hạ", "Xã Hạ Bằng · Thành phố Hà Nội"),
        ("ea hleo", "Xã Ea H’Leo · Tỉnh Đắk Lắk"),
        ("đắk lắk", "Tỉnh Đắk Lắk"),
        ("dak lak", "Tỉnh Đắk Lắk"),
    ],
)
def test_search(conn, text, first):
    assert found(conn, text)[0] == first


def test_the_kind_typed_comes_first(conn):
    assert found(conn, "xã quảng ninh")[0].startswith("Xã Quảng Ninh")
    assert found(conn, "quảng ninh")[0] == "Thành phố Quảng Ninh"
    assert found(conn, "quảng ninh", level=COMMUNE)[0].startswith("Xã Quảng Ninh")
    assert found(conn, "quảng ninh", level=PROVINCE) == ["Thành phố Quảng Ninh"]


def test_search_gives_lists(conn):
    assert len(found(conn, "tan phu")) > 3
    assert len(found(conn, "a", limit=3)) == 3
    assert found(conn, "") == found(conn, "!!!") == found(conn, "zzzz") == []


def test_every_unit_is_found_by_its_own_name(conn):
    for unit in units.tree(conn, "VN")[1::37]:
        place = units.full_name(conn, unit)
        text = " ".join(place.parts)
        assert unit in [hit.unit for hit in units.search(conn, text)][:2], text
        assert unit in [hit.unit for hit in units.search(conn, fold(text))], text


def test_old_communes_are_searched_apart(conn):
    assert found(conn, "trúc bạch", level=COMMUNE) == []
    old = "Phường Trúc Bạch · Quận Ba Đình · Thành phố Hà Nội"
    for text in ("truc bach", "p truc bach q ba dinh tp ha noi", "trúc bạch, ba đình", "truc bach ha noi"):
        assert found(conn, text, vintage="pre-2025")[0] == old


def test_units_of_the_association_are_found(conn):
    for code, name, kind in (
        ("06685", "Chi hội khu 3", "chi_hoi"),
        ("06685", "Trường THPT Hòn Gai", "truong"),
        ("06688", "Chi hội khu 3", "chi_hoi"),
        ("06688", "Khu 30", "khu_pho"),
    ):
        units.add_association_unit(conn, code, name, kind, "cli", NOW)
    khu_3 = f"Chi hội khu 3 · {HONG_GAI}"
    assert set(found(conn, "khu 3")) >= {khu_3, "Khu 30 · Phường Hạ Long · Thành phố Quảng Ninh"}
    assert found(conn, "chi hội khu 3 hồng gai") == [khu_3]
    assert found(conn, "hong gai, khu 3") == [khu_3]
    assert found(conn, "khu 3 phường hồng gai quảng ninh") == [khu_3]
    assert found(conn, "thpt hon gai") == [f"Trường THPT Hòn Gai · {HONG_GAI}"]
    assert khu_3 not in found(conn, "khu 3", level=COMMUNE)
    assert all("khu 3" in place.lower() for place in found(conn, "khu 3", level=units.ASSOCIATION))


def test_search_is_quick(conn):
    found(conn, "a")
    texts = ["hong gai", "p. hong gai tp quang ninh", "a", "xa tan", "chi hoi khu 3 hong gai", "m" * 5000, "a " * 2000]
    started = time.process_time()
    for text in texts:
        found(conn, text)
    assert (time.process_time() - started) / len(texts) < 0.04


@run(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(text=st.text(max_size=60) | st.text(alphabet="phươngxãtỉnh quảnghồ.-\u0000\u0301\u202e", max_size=40))
def test_any_text_can_be_searched(conn, text):
    assert len(units.search(conn, text)) <= 10
    assert fold(fold(text)) == fold(text)


def test_no_name_is_longer_than_searched():
    names = [core(unit.name, unit.kind).split() for unit in catalogue.read().units if unit.level > 0]
    assert max(map(len, names)) <= 6


def test_core_keeps_a_name_that_is_all_kind():
    assert core("Phường 1", "phuong") == "1"
    assert core("Xã", "xa") == "xa"
    assert core("Phường Phường Đúc", "phuong") == "phuong duc"


# ── units of the association ─────────────────────────────────────────────────────────────────────────────────────────


def test_units_of_the_association_are_numbered(conn, hong_gai):
    first = units.add_association_unit(conn, "06685", "  Chi  hội\tkhu 1 ", "chi_hoi", "cli", NOW)
    second = units.add_association_unit(conn, "06685", unicodedata.normalize("NFD", "Thôn Đông"), "thon", "cli", NOW)
    assert (first.code, first.name, first.path, first.parent_id) == (
        "0668501",
        "Chi hội khu 1",
        "VN/22/06685/0668501/",
        hong_gai.id,
    )
    assert (second.code, second.name, second.level) == ("0668502", "Thôn Đông", 3)
    assert units.display_code(second) == "06685-02"
    assert units.display_code(hong_gai) == "06685"
    assert units.by_code(conn, "06685-02") == units.by_code(conn, "0668502") == second
    assert units.name_on(conn, first.id, date(2030, 1, 1)).name == "Chi hội khu 1"
    # 2 h UTC is the same day in Vietnam, 20 h is the next.
    late = units.add_association_unit(conn, "06685", "Tổ 1", "to_dan_pho", "cli", NOW.replace(hour=20))
    assert (first.valid_from, late.valid_from) == (date(2026, 11, 21), date(2026, 11, 22))


def test_what_cannot_be_made(conn):
    def add(code="06685", name="Chi hội khu 1", kind="chi_hoi"):
        return units.add_association_unit(conn, code, name, kind, "cli", NOW)

    made = add()
    assert refused(add, "22").code == "unit_not_commune"
    assert refused(add, made.code).code == "unit_not_commune"
    assert refused(add, "12345").code == "unit_unknown"
    assert refused(add, "06685", "CHI HỘI  khu 1").facts == {"name": "Chi hội khu 1", "code": "06685-01"}
    assert refused(add, "06685", " \u200b\n").code == "unit_name"
    assert refused(add, "06685", "a" * 121).code == "unit_name"
    assert refused(add, "06685", "Xóm", "xom").code == "unit_kind"
    add("06688")  # the same name below another commune
    for number in range(2, 100):
        add(name=f"Chi hội khu {number}")
    assert refused(add, "06685", "Chi hội khu 100").code == "unit_full"


def test_the_number_of_a_closed_unit_is_not_given_again(conn):
    made = units.add_association_unit(conn, "06685", "Chi hội khu 1", "chi_hoi", "cli", NOW)
    conn.execute(sa.update(units.units).where(units.units.c.id == made.id).values(valid_to=date(2026, 12, 1)))
    assert found(conn, "chi hoi khu 1 hong gai") == [HONG_GAI]
    assert units.add_association_unit(conn, "06685", "Chi hội khu 1", "chi_hoi", "cli", NOW).code == "0668502"


@pytest.mark.postgres
def test_two_officers_at_once_get_two_numbers(postgres_database):
    engine = sa.create_engine(postgres_database)
    metadata.create_all(engine)
    with engine.begin() as conn:
        units.seed(conn, NOW)

    def second():
        with engine.begin() as conn:
            return units.add_association_unit(conn, "06685", "Khu 2", "khu_pho", "officer:2", NOW).code

    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as conn:
            first = units.add_association_unit(conn, "06685", "Khu 1", "khu_pho", "officer:1", NOW).code
            waiting = pool.submit(second)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
        assert {first, waiting.result(timeout=10)} == {"0668501", "0668502"}
    engine.dispose()


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_settings_are_inherited(conn, hong_gai):
    def put(code, key, value):
        units.set_setting(conn, code, key, value, "cli", NOW)

    chi_hoi = units.add_association_unit(conn, "06685", "Chi hội khu 3", "chi_hoi", "cli", NOW)
    assert units.settings(conn, chi_hoi) == units.Settings()
    assert units.Settings().min_age == 18
    put("VN", "controller", "Trung ương Hội")
    put("22", "controller", "Hội Khuyến học Quảng Ninh")
    put("22", "min_age", "16")
    put("06685", "contact_name", "bà Lan")
    put("06685-01", "service_days", 5)
    assert units.settings(conn, chi_hoi) == units.Settings("Hội Khuyến học Quảng Ninh", "bà Lan", None, 5, 16)
    assert units.settings(conn, hong_gai) == units.Settings("Hội Khuyến học Quảng Ninh", "bà Lan", None, None, 16)
    assert units.settings(conn, units.by_code(conn, "01")) == units.Settings("Trung ương Hội")
    assert units.settings(conn, units.by_code(conn, "06685", "pre-2025")) == units.Settings()
    put("22", "controller", "Hội tỉnh")
    assert units.settings(conn, chi_hoi).controller == "Hội tỉnh"
    put("22", "controller", "")
    assert units.settings(conn, chi_hoi).controller == "Trung ương Hội"
    put("06685", "contact_phone", " 0203 382 5555 ")
    assert units.settings(conn, chi_hoi).contact_phone == "0203 382 5555"
    kept = conn.execute(sa.select(units.unit_settings.c.value).where(units.unit_settings.c.key == "controller"))
    assert kept.scalars().all() == ["Trung ương Hội", "Hội Khuyến học Quảng Ninh", "Hội tỉnh", None]


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("signer", "x", "setting_unknown"),
        ("catalogue", "x", "setting_unknown"),
        ("service_days", 0, "setting_wrong"),
        ("service_days", 61, "setting_wrong"),
        ("service_days", "năm", "setting_wrong"),
        ("service_days", "٥", "setting_wrong"),
        ("min_age", 14, "setting_wrong"),
        ("min_age", 101, "setting_wrong"),
        ("contact_phone", "gọi bà Lan", "setting_wrong"),
        ("contact_phone", "12", "setting_wrong"),
        ("controller", "x" * 201, "setting_wrong"),
    ],
)
def test_wrong_settings_are_refused(conn, hong_gai, key, value, code):
    assert refused(units.set_setting, conn, "06685", key, value, "cli", NOW).code == code
    assert refused(units.set_setting, conn, "99999", key, value, "cli", NOW).code == "unit_unknown"
    assert units.settings(conn, hong_gai) == units.Settings()


def test_edges_of_the_ranges_are_allowed(conn, hong_gai):
    for key, value in (("service_days", 1), ("service_days", 60), ("min_age", 15), ("min_age", 100)):
        units.set_setting(conn, "06685", key, value, "officer:3", NOW)
        assert getattr(units.settings(conn, hong_gai), key) == value


def test_data_folder_is_complete():
    assert {file.name for file in Path(catalogue.DATA).iterdir()} == {
        "README.md",
        "successors_2025.csv",
        "units_2025.csv",
        "units_changes_2026.csv",
    }
