"""Every seeded fault is found, at its line, several at once; no file, however odd, breaks the checker."""

import copy
import string
import tomllib
import unicodedata

import pytest
import tomli_w
from babel.messages.pofile import read_po
from hypothesis import given, settings
from hypothesis import strategies as st

import criteria
import locales
from criteria import loader
from criteria.lines import lines_of

(SET_PATH,) = loader.SETS.glob("*.toml")
(OVERLAY_PATH,) = loader.OVERLAYS.glob("*.toml")
SET, OVERLAY = SET_PATH.read_text("utf-8"), OVERLAY_PATH.read_text("utf-8")

A1_TOT = '{ level = "tot", points = 10, vi = "Hằng ngày, có ghi chép hoặc làm theo điều đã đọc"'
A1_QUESTION = 'question_vi = "Trong năm, {you} đọc sách báo'
A1_HINT = 'hint_vi = "Kể tên sách, báo'
THRESHOLDS = "# and every indicator >= 5\nprovenance"
C2_CHUA = '{ level = "chua_dat", points = 3, vi = "Ít tham gia"'

# (code, key, what stands in the file, what is put there instead)
SEEDED = [
    ("wrong_schema", "schema", "schema = 1", "schema = 2"),
    ("missing_key", "status", 'status = "draft-reconstruction"', ""),
    ("missing_key", "thresholds.pass_total", "pass_total = 80", ""),
    ("unknown_key", "thresholds.bonus", "pass_total = 80", "pass_total = 80\nbonus = 3"),
    ("unknown_key", "indicator[A1].hint_vi", 'short_vi = "Đọc, cập', 'hint_vi = "x"\nshort_vi = "Đọc, cập'),
    ("wrong_type", "max_total", "max_total = 100\n", 'max_total = "100"\n'),
    ("wrong_type", "max_total", "max_total = 100\n", "max_total = 100.0\n"),
    ("wrong_type", "thresholds.pass_total", "pass_total = 80", "pass_total = true"),
    ("wrong_type", "scoring.reviewer_may_override", "reviewer_may_override = true", "reviewer_may_override = 1"),
    ("wrong_type", "legal_basis[Quyết định 677/QĐ-TTg].date", "date = 2022-06-03", 'date = "2022-06-03"'),
    ("wrong_type", "legal_basis[Quyết định 677/QĐ-TTg].date", "date = 2022-06-03", "date = 2022-06-03T00:00:00"),
    ("wrong_type", "indicator[A1].variants.nong_dan", 'nong_dan = { vi = "{You} theo dõi', 'nong_dan = "x" #'),
    ("wrong_type", "scoring.level_points", "[10, 8, 5, 3, 0]", '[10, 8, "5", 3, 0]'),
    ("empty", "id", 'id = "cdht-2021-2030"', 'id = " "'),
    ("empty", "indicator[A1].evidence.kinds", 'kinds = ["text", "photo", "link"]', "kinds = []"),
    ("below_zero", "thresholds.min_per_indicator", "min_per_indicator = 5", "min_per_indicator = -5"),
    ("bad_id", "version", 'version = "0.1.0-draft"', 'version = "bản 1"'),
    ("bad_id", "indicator[a1].id", 'id = "A1"', 'id = "a1"'),
    ("duplicate_id", "indicator[A1].id", 'id = "A2"', 'id = "A1"'),
    ("duplicate_id", "subject_group[nong_dan].id", 'id = "cong_nhan"', 'id = "nong_dan"'),
    (
        "duplicate_id",
        "indicator[A1].options[tot].level",
        'level = "kha", points = 8, vi = "Nhiều',
        'level = "tot", points = 8, vi = "Nhiều',
    ),
    ("missing_provenance", "thresholds.provenance", THRESHOLDS, THRESHOLDS.replace("provenance", "# ")),
    ("missing_provenance", "max_total_provenance", "max_total_provenance = ", "# "),
    ("missing_provenance", "group[B].provenance", 'provenance = "as group A; still', 'provenance = "" # "'),
    ("missing_wording", "indicator[A1].question_vi", A1_QUESTION, "# "),
    ("missing_wording", "indicator[A1].question_en", 'question_en = "This year, how regularly', "# "),
    ("missing_wording", "indicator[A1].options[tot].vi", A1_TOT, '{ level = "tot", points = 10'),
    ("missing_wording", "indicator[C2].options[chua_dat].vi", C2_CHUA, '{ level = "chua_dat", points = 3, vi = ""'),
    (
        "missing_wording",
        "indicator[A1].variants.nong_dan.en",
        ', en = "How regularly do you follow books, programmes or pages on farming',
        " } # ",
    ),
    ("missing_wording", "subject_group[hoc_vien].adult_en", "adult_en = ", "# "),
    ("missing_wording", "notice_en", "notice_en = ", "# "),
    ("missing_wording", "scoring.level_en", "level_en = ", "# "),
    ("too_long", "indicator[A1].question_vi", A1_QUESTION, f'question_vi = "{"a" * 260}'),
    ("too_long", "indicator[A1].variants.hoc_vien.vi", "Ngoài sách giáo khoa, giáo trình", "a" * 300),
    ("too_long", "indicator[A1].options[tot].vi", "Hằng ngày, có ghi chép", "a" * 99),
    ("too_long", "indicator[A1].short_vi", 'short_vi = "Đọc, cập nhật', f'short_vi = "{"a" * 21}'),
    ("not_nfc", "indicator[A1].evidence.hint_vi", A1_HINT, unicodedata.normalize("NFD", A1_HINT)),
    ("stray_character", "indicator[A1].evidence.hint_vi", A1_HINT, 'hint_vi = "\\u200bKể tên sách, báo'),
    ("stray_character", "indicator[A1].evidence.hint_vi", A1_HINT, 'hint_vi = " Kể tên sách, báo'),
    ("unknown_placeholder", "indicator[A1].question_vi", A1_QUESTION, 'question_vi = "Trong năm, {name} {you} đọc'),
    ("unknown_placeholder", "indicator[A1].question_vi", A1_QUESTION, 'question_vi = "Trong năm, {you đọc'),
    ("unknown_placeholder", "indicator[A1].options[tot].vi", A1_TOT, A1_TOT.replace("có ghi chép", "{you} ghi chép")),
    ("form_of_address", "indicator[A1].question_vi", A1_QUESTION, 'question_vi = "Trong năm, Ông/bà đọc sách báo'),
    ("unknown_status", "status", 'status = "draft-reconstruction"', 'status = "final"'),
    ("unknown_group", "indicator[A1].group", 'id = "A1"\ngroup = "A"', 'id = "A1"\ngroup = "D"'),
    (
        "unknown_subject_group",
        "indicator[A1].variants.nong_gia",
        'nong_dan = { vi = "{You} theo',
        'nong_gia = { vi = "{You} theo',
    ),
    ("unknown_level", "indicator[A1].options[gioi].level", A1_TOT, A1_TOT.replace('"tot"', '"gioi"')),
    ("missing_level", "indicator[A1].options", A1_TOT, A1_TOT.replace('"tot"', '"gioi"')),
    ("unknown_kind", "indicator[A1].evidence.kinds[1]", '"photo", "link"]', '"video", "link"]'),
    (
        "duplicate_id",
        "indicator[A1].evidence.kinds[1]",
        'kinds = ["text", "photo", "link"]',
        'kinds = ["text", "text"]',
    ),
    ("unknown_mode", "indicator[A1].evidence.mode", 'mode = "optional"', 'mode = "maybe"'),
    ("unknown_overlay_part", "overlay.allowed[2]", '"evidence", "examples"]', '"evidence", "points"]'),
    ("levels_uneven", "scoring.level_points", "[10, 8, 5, 3, 0]", "[10, 8, 5, 3]"),
    ("points_not_decreasing", "scoring.level_points[2]", "[10, 8, 5, 3, 0]", "[10, 8, 8, 3, 0]"),
    ("points_not_decreasing", "indicator[C2].options[chua_dat].points", C2_CHUA, C2_CHUA.replace("3", "6")),
    ("points_mismatch", "indicator[C2].options[chua_dat].points", C2_CHUA, C2_CHUA.replace("3", "4")),
    (
        "indicator_max",
        "indicator[A1].max_points",
        'short_en = "Reading and keeping up"\nmax_points = 10',
        'short_en = "Reading and keeping up"\nmax_points = 12',
    ),
    (
        "group_sum",
        "group[A].max_points",
        'max_points = 40\nprovenance = "name and',
        'max_points = 50\nprovenance = "name and',
    ),
    ("total_sum", "max_total", "max_total = 100\n", "max_total = 120\n"),
    ("threshold_impossible", "thresholds.pass_total", "pass_total = 80", "pass_total = 101"),
    ("threshold_impossible", "thresholds.pass_total", "pass_total = 80", "pass_total = 0"),
    ("threshold_impossible", "thresholds.min_per_indicator", "min_per_indicator = 5", "min_per_indicator = 11"),
    (
        "required_from_impossible",
        "indicator[A2].evidence.required_from_points",
        "required_from_points = 10",
        "required_from_points = 9",
    ),
    (
        "required_from_impossible",
        "indicator[A2].evidence.required_from_points",
        "required_from_points = 10",
        "required_from_points = 0",
    ),
    (
        "required_from_unused",
        "indicator[A1].evidence.required_from_points",
        'mode = "optional"',
        'mode = "optional"\nrequired_from_points = 8',
    ),
    ("missing_key", "indicator[A2].evidence.required_from_points", "required_from_points = 10\n", ""),
]

SEEDED_OVERLAY = [
    ("overlay_forbidden", "thresholds", "[[indicator]]", "[thresholds]\npass_total = 70\n[[indicator]]"),
    ("overlay_forbidden", "indicator[A2].max_points", 'id = "A2"', 'id = "A2"\nmax_points = 12'),
    ("overlay_forbidden", "indicator[B2].options[kha].points", 'level = "kha", ', 'level = "kha", points = 9, '),
    (
        "overlay_forbidden",
        "indicator[A3].evidence.mode",
        "[indicator.evidence]",
        '[indicator.evidence]\nmode = "optional"',
    ),
    (
        "overlay_forbidden",
        "indicator[A3].evidence.required_from_points",
        "[indicator.evidence]",
        "[indicator.evidence]\nrequired_from_points = 10",
    ),
    ("overlay_forbidden", "indicator[A2].vi", 'id = "A2"', 'id = "A2"\nvi = "Tên khác"'),
    ("overlay_base_unknown", "base", 'base_version = "0.1.0-draft"', 'base_version = "7.0.0"'),
    ("unknown_indicator", "indicator[A9].id", 'id = "A2"', 'id = "A9"'),
    ("unknown_level", "indicator[B2].options[gioi].level", 'level = "kha"', 'level = "gioi"'),
    ("unknown_subject_group", "indicator[A2].variants.ngu_dan", "nong_dan = ", "ngu_dan = "),
    ("unknown_status", "status", 'status = "example"', 'status = "official"'),
    ("bad_id", "province", 'province = "22"', 'province = "QN"'),
    ("missing_wording", "indicator[A3].example_en", "example_en = ", "# "),
    ("missing_wording", "indicator[A3].evidence.hint_en", "hint_en = ", "# "),
    ("missing_provenance", "provenance", "provenance = ", "# "),
    ("duplicate_id", "indicator[A2].id", 'id = "A3"', 'id = "A2"'),
    ("unknown_key", "indicator[A2].note", 'id = "A2"', 'id = "A2"\nnote = "x"'),
]


def seeded(text: str, old: str, new: str) -> str:
    assert old in text, f"the file no longer says {old!r}"
    return text.replace(old, new, 1)


def line_of(text: str, fault: criteria.Fault) -> str:
    assert fault.line is not None
    return text.splitlines()[fault.line - 1]


@pytest.mark.parametrize(("code", "key", "old", "new"), SEEDED)
def test_a_fault_of_a_set_is_found(code, key, old, new):
    text = seeded(SET, old, new)
    faults = criteria.check(text, "my.toml")
    found = [fault for fault in faults if (fault.reason_code, fault.key) == (code, key)]
    assert len(found) == 1, [(fault.reason_code, fault.key) for fault in faults]
    assert found[0].file == "my.toml"


@pytest.mark.parametrize(("code", "key", "old", "new"), SEEDED_OVERLAY)
def test_a_fault_of_local_wording_is_found(code, key, old, new):
    faults = criteria.check(seeded(OVERLAY, old, new), "my.toml")
    assert [(fault.reason_code, fault.key) for fault in faults].count((code, key)) == 1, faults


def test_every_code_is_seeded_somewhere():
    elsewhere = {"syntax", "not_utf8"}
    assert {code for code, *_ in SEEDED + SEEDED_OVERLAY} | elsewhere == set(criteria.FAULT_CODES)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(0, len(SEEDED) - 1), min_size=2, max_size=5))
def test_faults_that_do_not_touch_are_all_reported_at_once(chosen):
    text, expected = SET, []
    for index in sorted(chosen):
        code, key, old, new = SEEDED[index]
        if old not in text or code in ("duplicate_id", "bad_id", "unknown_level", "missing_level"):
            continue  # changes what others are called
        changed = text.replace(old, new, 1)
        before = {(fault.reason_code, fault.key) for fault in criteria.check(changed, "f")}
        if (code, key) not in before or not set(expected) <= before:
            continue  # one seed hides another, as a missing list hides its elements
        text, expected = changed, [*expected, (code, key)]
    found = {(fault.reason_code, fault.key) for fault in criteria.check(text, "f")}
    assert set(expected) <= found


def test_several_faults_each_with_its_line_in_the_order_of_the_file():
    text = SET
    for old, new in [
        ("pass_total = 80", "pass_total = 180"),
        (C2_CHUA, C2_CHUA.replace("3", "4")),
        ('id = "B2"\ngroup = "B"', 'id = "B2"\ngroup = "X"'),
        ("hint_vi = \"Chứng chỉ, giấy", "hnit_vi = \"Chứng chỉ, giấy"),
    ]:  # fmt: skip
        text = seeded(text, old, new)
    faults = criteria.check(text, "f")
    assert [(fault.reason_code, fault.key) for fault in faults] == [
        ("threshold_impossible", "thresholds.pass_total"),
        ("group_sum", "group[B].max_points"),
        ("unknown_group", "indicator[B2].group"),
        ("missing_wording", "indicator[B2].evidence.hint_vi"),
        ("unknown_key", "indicator[B2].evidence.hnit_vi"),
        ("points_mismatch", "indicator[C2].options[chua_dat].points"),
    ]
    shown = [line_of(text, fault) for fault in faults]
    assert shown[0].startswith("pass_total = 180") and shown[2] == 'group = "X"'
    assert shown[3] == "[indicator.evidence]"  # the key itself is absent: its table
    assert shown[4].startswith("hnit_vi") and "points = 4" in shown[5]
    assert dict(faults[5].facts) == {"found": 4, "expected": 3, "level": "chua_dat"}


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = 1\nb = \n", 2), ("a = 1\na = 2\n", 2), ('\n\na = "x', 3), ("a = " + "[" * 5000, None), ("\ufeffa = 1", 1)],
)
def test_a_syntax_error_has_its_line(text, line):
    (fault,) = criteria.check(text, "f")
    assert (fault.reason_code, fault.line) == ("syntax", line)
    assert "at line" not in str(fault.facts["detail"])


def test_a_file_that_is_not_utf8(tmp_path):
    path = tmp_path / "f.toml"
    path.write_bytes('a = 1\nb = "Đà"'.encode("cp1258"))
    (fault,) = criteria.check_file(path)
    assert (fault.reason_code, fault.line) == ("not_utf8", 2)


def test_an_empty_file_lacks_everything():
    codes = {fault.reason_code for fault in criteria.check("", "f")}
    assert codes == {"missing_key", "missing_wording", "missing_provenance"}


def test_windows_line_ends_are_no_fault_and_keep_their_lines():
    text = SET.replace("\n", "\r\n")
    assert criteria.check(text, "f") == []
    (fault,) = criteria.check(text.replace("pass_total = 80", "pass_total = 900"), "f")
    assert line_of(text, fault).startswith("pass_total")


# ---------------------------------------------------------------- any file at all

anything = st.recursive(
    st.booleans() | st.integers(-9, 99) | st.floats(allow_nan=False) | st.text(max_size=5) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "vi", "level"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def paths_of(value, path=()):
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in inside:
        yield (*path, step)
        yield from paths_of(inner, (*path, step))


DOCUMENTS = [tomllib.loads(SET), tomllib.loads(OVERLAY)]
PLACES = [(document, path) for document in DOCUMENTS for path in paths_of(document)]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PLACES), anything)
def test_a_wrong_value_anywhere_is_told_and_never_breaks_the_checker(place, value):
    document, path = place
    mutated = copy.deepcopy(document)
    inner = mutated
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    text = tomli_w.dumps(mutated)
    for fault in criteria.check(text, "f"):
        assert tuple(fault.facts) == criteria.FAULT_CODES[fault.reason_code]
        assert fault.line is None or 1 <= fault.line <= text.count("\n") + 1


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.sampled_from(PLACES))
def test_what_is_taken_out_is_missed(place):
    document, path = place
    if not isinstance(path[-1], str) or path[-1] in ("variants", "nong_dan", "cong_nhan", "can_bo", "hoc_vien"):
        return
    if document is DOCUMENTS[1] and path[-1] in ("evidence", "options", "variants"):
        return
    mutated = copy.deepcopy(document)
    inner = mutated
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    assert criteria.check(tomli_w.dumps(mutated), "f"), path


@given(st.text(alphabet=st.sampled_from("ab=[]{}\"'\n.,# 1-\\"), max_size=40))
def test_any_text_is_checked(text):
    assert criteria.check(text, "f")


# ---------------------------------------------------------------- lines


@pytest.mark.parametrize("text", [SET, OVERLAY, tomli_w.dumps(DOCUMENTS[0])], ids=["set", "overlay", "rewritten"])
def test_every_key_has_its_line(text):
    lines, rows = lines_of(text), text.splitlines()
    for path in paths_of(tomllib.loads(text)):
        if isinstance(path[-1], str):
            assert path[-1] in rows[lines[path] - 1], path
        else:
            assert path in lines


def test_odd_toml_keeps_its_lines():
    text = '''# "x" = [
"a b".c = 'd # no comment' # comment
long = """
first = "no key"
\\""" still
"""
raw = \'\'\'
x = 1\'\'\'
dates = [ 1979-05-27 07:32:00, 1979-05-27T07:32:00Z, # here
  [1, 2],
  { p = 1.5, q.r = [ "]" ] } ]
[t . "u.v"]
w = true
[[t.list]]
z = 1
[[t.list]]
z = 2
[t.list.sub]
y = 0x1F
'''
    lines = lines_of(text)
    assert tomllib.loads(text)["t"]["list"][1]["sub"]["y"] == 31
    assert {path: lines[path] for path in paths_of(tomllib.loads(text))} == {
        ("a b",): 2,
        ("a b", "c"): 2,
        ("long",): 3,
        ("raw",): 7,
        ("dates",): 9,
        ("dates", 0): 9,
        ("dates", 1): 9,
        ("dates", 2): 10,
        ("dates", 2, 0): 10,
        ("dates", 2, 1): 10,
        ("dates", 3): 11,
        ("dates", 3, "p"): 11,
        ("dates", 3, "q"): 11,
        ("dates", 3, "q", "r"): 11,
        ("dates", 3, "q", "r", 0): 11,
        ("t",): 12,
        ("t", "u.v"): 12,
        ("t", "u.v", "w"): 13,
        ("t", "list"): 14,
        ("t", "list", 0): 14,
        ("t", "list", 0, "z"): 15,
        ("t", "list", 1): 16,
        ("t", "list", 1, "z"): 17,
        ("t", "list", 1, "sub"): 18,
        ("t", "list", 1, "sub", "y"): 19,
    }


# ---------------------------------------------------------------- the sentences


@pytest.mark.parametrize("language", locales.LANGUAGES)
def test_every_code_has_a_sentence_with_its_facts_only(language):
    with (locales.HERE / language / "LC_MESSAGES" / "bot.po").open("rb") as file:
        catalogue = read_po(file)
    said = {message.id: message.string for message in catalogue if str(message.id).startswith("criteria.fault.")}
    assert set(said) == {f"criteria.fault.{code}" for code in criteria.FAULT_CODES}
    for code, facts in criteria.FAULT_CODES.items():
        sentence = said[f"criteria.fault.{code}"]
        assert {name for _, name, _, _ in string.Formatter().parse(sentence) if name} == set(facts), code
