"""The sets and overlays shipped: sound, worded for everybody, and read as they were written."""

import itertools

import pytest

import criteria
from criteria import loader
from criteria.model import LANGUAGES

SHIPPED = sorted([*loader.SETS.glob("*.toml"), *loader.OVERLAYS.glob("*.toml")])
IDS = ["A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "C1", "C2"]
FORMS = ("ông/bà", "anh/chị", "bạn")


@pytest.fixture(scope="module")
def builtin() -> criteria.CriteriaSet:
    return criteria.builtin()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_is_shipped_has_no_fault(path):
    assert criteria.check_file(path) == []


def test_the_name_of_a_file_is_id_and_version():
    for path in loader.SETS.glob("*.toml"):
        loaded = criteria.load(path)
        assert path.name == f"{loaded.id}_{loaded.version}.toml"


def test_the_skeleton_is_the_sourced_one(builtin):
    assert [indicator.id for indicator in builtin.indicators] == IDS
    assert [(group.id, group.max_points) for group in builtin.groups] == [("A", 40), ("B", 40), ("C", 20)]
    assert (builtin.thresholds.pass_total, builtin.thresholds.min_per_indicator, builtin.max_total) == (80, 5, 100)
    assert [group.id for group in builtin.subject_groups] == ["nong_dan", "cong_nhan", "can_bo", "hoc_vien"]
    assert [(level.id, level.points) for level in builtin.levels] == [
        ("tot", 10),
        ("kha", 8),
        ("dat", 5),
        ("chua_dat", 3),
        ("khong", 0),
    ]


def test_a_reconstruction_says_so(builtin):
    assert not builtin.is_official
    assert "dựng lại" in builtin.notice.vi and "reconstruction" in builtin.notice.en
    heading = next(loader.SETS.glob("*.toml")).read_text("utf-8").split("schema =")[0]
    assert "KHÔNG phải nguyên văn" in heading and "NOT the official text" in heading


def test_the_builtin_set_is_read_once(builtin):
    assert criteria.builtin(builtin.id, builtin.version) is builtin


def test_unknown_sets_and_versions_are_named():
    with pytest.raises(LookupError, match="no-such"):
        criteria.builtin("no-such")
    with pytest.raises(LookupError, match=r"9\.9"):
        criteria.builtin(version="9.9")


def test_versions_go_from_old_to_new(tmp_path, monkeypatch):
    monkeypatch.setattr(loader, "SETS", tmp_path)
    for version in ("0.10.0", "0.9.1", "0.10.0-draft", "1.0.0", "0.2.0"):
        (tmp_path / f"x_{version}.toml").touch()
    (tmp_path / "xy_3.0.0.toml").touch()
    assert criteria.versions("x") == ("0.2.0", "0.9.1", "0.10.0-draft", "0.10.0", "1.0.0")


def test_every_question_reads_well_in_every_voice(builtin):
    for indicator, group, language, form in itertools.product(
        builtin.indicators, builtin.subject_groups, LANGUAGES, FORMS
    ):
        asked = criteria.fill(criteria.question(indicator, group.id, language), form)
        assert asked.endswith("?") and len(asked) <= 300
        assert asked[0].isupper() and "{" not in asked


def test_no_form_of_address_is_written_out():
    for path in SHIPPED:
        lines = path.read_text("utf-8").splitlines()
        texts = "\n".join(line.partition(" #")[0] for line in lines if not line.startswith("#")).lower()
        for form in FORMS[:2]:
            assert form not in texts
        assert " bạn " not in texts.replace("bạn bè", "")  # "bạn bè" are friends


def test_a_subject_group_gets_its_own_words_else_the_general_ones(builtin):
    b4 = builtin.indicator("B4")
    assert "giống, vật tư" in criteria.question(b4, "nong_dan")
    assert criteria.question(b4, "cong_nhan") == b4.question.vi == criteria.question(b4, None)
    assert criteria.question(b4, "hoc_vien", "en").startswith("When you meet new information online")


def test_an_unknown_language_is_refused(builtin):
    with pytest.raises(LookupError, match="fr"):
        criteria.question(builtin.indicator("A1"), None, "fr")


@pytest.mark.parametrize(
    ("min_age", "full", "short"),
    [
        (15, "Học sinh trung học phổ thông, sinh viên, học viên", "Học sinh, sinh viên, học viên"),
        (17, "Học sinh trung học phổ thông, sinh viên, học viên", "Học sinh, sinh viên, học viên"),
        (18, "Sinh viên, học viên (từ 18 tuổi)", "Sinh viên, học viên (từ 18 tuổi)"),
    ],
)
def test_the_fourth_group_names_no_minors_where_they_may_not_join(builtin, min_age, full, short):
    fourth = builtin.subject_group("hoc_vien")
    assert criteria.label(fourth, min_age) == full
    assert criteria.short_label(fourth, min_age) == short
    farmers = builtin.subject_group("nong_dan")
    assert criteria.label(farmers, min_age) == "Nông dân và lao động nông thôn"
    assert criteria.short_label(farmers, min_age) == "Nông dân, lao động nông thôn"


def test_labels_of_options(builtin):
    assert criteria.option_label(builtin.indicator("A3"), "tot") == "Từ 6 buổi trở lên"
    assert criteria.option_label(builtin.indicator("A3"), "tot", "en") == "6 sessions or more"
    with pytest.raises(LookupError, match="A3"):
        criteria.option_label(builtin.indicator("A3"), "gioi")


@pytest.mark.parametrize(
    ("text", "you", "filled"),
    [
        ("{You} đọc gì?", "ông/bà", "Ông/bà đọc gì?"),
        ("Năm nay {you} đọc gì, {you}?", "anh/chị", "Năm nay anh/chị đọc gì, anh/chị?"),
        ("{You}, {you}", "bạn", "Bạn, bạn"),
        ("{name} {0} {you!r} {{you", "bạn", "{name} {0} {you!r} {{you"),
        ("{you.__class__} {", "bạn", "{you.__class__} {"),
        ("{you}", "{You}", "{You}"),
        ("{You} {you}", "", " "),
    ],
)
def test_filling_knows_the_form_of_address_and_nothing_else(text, you, filled):
    assert criteria.fill(text, you) == filled


# ---------------------------------------------------------------- local wording


def test_local_wording_is_shipped_as_an_example_and_not_worn_by_itself(builtin):
    (quang_ninh,) = criteria.overlays()
    assert (quang_ninh.province, quang_ninh.status) == ("22", "example")
    assert builtin.overlay is None and "Sán Dìu" not in criteria.question(builtin.indicator("B2"), None)


def test_local_wording_changes_words_only(builtin):
    local = criteria.with_overlay(builtin, criteria.overlays()[0])
    assert (local.id, local.version, local.overlay) == (builtin.id, builtin.version, "22")
    assert "nuôi hàu" in criteria.question(local.indicator("A2"), "nong_dan")
    assert criteria.question(local.indicator("A2"), "can_bo") == criteria.question(builtin.indicator("A2"), "can_bo")
    assert "Sán Dìu" in criteria.question(local.indicator("B2"), "nong_dan")
    assert "Nói chuyện" in criteria.option_label(local.indicator("B2"), "kha")
    assert "nhà văn hóa khu" in local.indicator("A3").evidence.hint.vi
    assert local.indicator("A3").example and not builtin.indicator("A3").example
    assert local.indicator("A1") == builtin.indicator("A1")
    for mine, theirs in zip(local.indicators, builtin.indicators, strict=True):
        assert [(option.level, option.points) for option in mine.options] == [
            (option.level, option.points) for option in theirs.options
        ]
        assert (mine.evidence.mode, mine.evidence.required_from_points, mine.evidence.kinds) == (
            theirs.evidence.mode,
            theirs.evidence.required_from_points,
            theirs.evidence.kinds,
        )
    assert (local.thresholds, local.levels) == (builtin.thresholds, builtin.levels)


def test_local_wording_fits_one_version_only(builtin):
    from dataclasses import replace

    with pytest.raises(ValueError, match="quang-ninh"):
        criteria.with_overlay(replace(builtin, version="0.2.0"), criteria.overlays()[0])


def test_a_set_is_loaded_in_local_wording(builtin):
    (set_path,) = loader.SETS.glob("*.toml")
    (overlay_path,) = loader.OVERLAYS.glob("*.toml")
    assert criteria.load(set_path) == builtin
    assert criteria.load(set_path, overlay_path) == criteria.with_overlay(builtin, criteria.overlays()[0])
    with pytest.raises(ValueError, match="is an overlay"):
        criteria.load(overlay_path)
    with pytest.raises(ValueError, match="is a criteria set"):
        criteria.load_overlay(set_path)


def test_a_faulty_file_is_not_loaded_and_says_all_its_faults(tmp_path):
    (set_path,) = loader.SETS.glob("*.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text(set_path.read_text("utf-8").replace("pass_total = 80", "pass_total = 101\nbonus = 1"), "utf-8")
    with pytest.raises(criteria.CriteriaError) as refused:
        criteria.load(broken)
    assert {fault.reason_code for fault in refused.value.faults} == {"threshold_impossible", "unknown_key"}
    assert "thresholds.pass_total" in str(refused.value)
