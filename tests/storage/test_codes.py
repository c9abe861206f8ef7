"""The grammar of codes: exact round trips, lenient reading, and a check letter that keeps its promises."""

from __future__ import annotations

import itertools
import random
import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import codes
from storage.base import Refused
from storage.codes import (
    DossierCode,
    InviteCode,
    ReportCode,
    ResumeCode,
    UnitCode,
    check_letter,
    find,
    parse,
    payload,
    printed,
    secret_hash,
)

HONG_GAI = UnitCode("2025", "06685")


def crockford(size: int) -> st.SearchStrategy[str]:
    return st.text(alphabet=codes.CROCKFORD, min_size=size, max_size=size).filter(lambda body: re.search("[0-9]", body))


def digits(size: int) -> st.SearchStrategy[str]:
    return st.text(alphabet="0123456789", min_size=size, max_size=size)


any_code = st.one_of(
    st.builds(UnitCode, st.sampled_from(["2025", "pre-2025"]), digits(5)),
    st.builds(UnitCode, st.just("2025"), digits(7)),
    st.builds(DossierCode, st.integers(2000, 2099), crockford(5) | crockford(6)),
    st.builds(ResumeCode, crockford(5), crockford(11)),
    st.builds(InviteCode, crockford(20)),
    st.builds(ReportCode, crockford(5)),
)


def refusal(text: str) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(text)
    return caught.value


# ── forms ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_official_forms():
    assert printed(HONG_GAI) == "DV 06685-K"
    assert payload(HONG_GAI) == "DV06685K"
    assert printed(UnitCode("2025", "0668503")) == "DV 06685-03-K"
    assert payload(UnitCode("2025", "0668503")) == "DV0668503K"
    assert printed(DossierCode(2026, "7K3QD")) == "HS-2026-7K3QD"
    assert payload(DossierCode(2026, "7K3QD")) == "HS20267K3QD"
    assert printed(ResumeCode("7B3CK", "123456789AB")) == "TL-7B3C-K123-4567-89AB"
    assert printed(InviteCode("0123456789ABCDEFGHJK")) == "MT-01234-56789-ABCDE-FGHJK"
    assert printed(ReportCode("7K3QD")) == "BC-7K3QD"


def test_the_letter_tells_the_vintage():
    old = UnitCode("pre-2025", "06685")
    assert printed(old) != printed(HONG_GAI)
    assert parse(printed(old)) == old


@given(any_code)
def test_every_code_survives_print_and_payload(code):
    assert parse(printed(code)) == code
    assert parse(payload(code)) == code
    assert re.fullmatch("[A-Za-z0-9_-]{1,64}", payload(code))


@given(any_code, st.sampled_from([" ", "-", ".", "_", "", " - ", "–", "·"]), st.booleans(), st.booleans())
def test_separators_case_and_width_do_not_matter(code, separator, lower, wide):
    text = separator.join(re.split("[ -]", printed(code)))
    text = text.lower() if lower else text
    if wide:
        text = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)
    assert parse(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "06685-K",
        "06685k",
        "ĐV 06685-K",
        "Đv 06685 k",
        "dv.06685.k",
        "D V 0 6 6 8 5 K",
        "DV O6685-K",
        "/start DV06685K",
        "https://hoctap.example/q/DV06685K",
        "https://hoctap.example/q/DV06685K?utm=1#x",
        "https://t.me/some_bot?start=DV06685K",
        "Mã của tôi là DV 06685-K ạ",
        "mã: **DV 06685-K**, xin cảm ơn",
        "DV\u200b06685\u202e-K",
        unicodedata.normalize("NFD", "Mã ĐV 06685-K nhé"),
    ],
)
def test_lenient_reading(text):
    assert parse(text) == HONG_GAI


def test_letters_read_as_digits():
    assert parse("HS-2026-7KOIL") == DossierCode(2026, "7K011")
    assert parse("hs-2O26-7k3qd") == DossierCode(2026, "7K3QD")


def test_a_word_after_a_code_is_not_swallowed():
    assert find("hồ sơ HS 2026 7K3QD a xem giúp") == DossierCode(2026, "7K3QD")
    assert find("DV 06685 03 K 5 người") == UnitCode("2025", "0668503")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "xin chào",
        "bc tháng",
        "hs 2026 tháng 5",
        "hs 2026 trong",
        "dv gì vậy",
        "Hồng Gai",
        "tl dang ky ghe ban ra sng kkkkkk",
        "0203 825 1234",
        "XDV06685K",
        "DV06685KX",
    ],
)
def test_words_are_no_codes(text):
    assert find(text) is None


def test_a_mistyped_code_is_not_found_but_the_next_one_is():
    assert find("DV 06658-K") is None
    assert find("không phải DV 06658-K mà là DV 06685-K") == HONG_GAI


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "code", "facts"),
    [
        ("dv 06658 k", "code_check", {"kind": "DV", "text": "DV 06658-K"}),
        ("06658K", "code_check", {"kind": "DV", "text": "DV 06658-K"}),
        ("DV 06685-04-K", "code_check", {"kind": "DV", "text": "DV 06685-04-K"}),
        ("DV 0668-K", "code_wrong", {"kind": "DV", "why": "length", "text": "DV 0668-K"}),
        ("DV 066855-K", "code_wrong", {"kind": "DV", "why": "length", "text": "DV 066855-K"}),
        ("DV 06685", "code_wrong", {"kind": "DV", "why": "letter", "text": "DV 06685"}),
        ("DV 06685-O", "code_wrong", {"kind": "DV", "why": "letter", "text": "DV 06685-O"}),
        ("HS-2026-7K3", "code_wrong", {"kind": "HS", "why": "form", "text": "HS-2026-7K3"}),
        ("bc quý 3", "code_none", {}),
        ("BC-7K3", "code_wrong", {"kind": "BC", "why": "form", "text": "BC-7K3"}),
        ("Phường Hồng Gai", "code_none", {}),
    ],
)
def test_what_is_wrong_is_said(text, code, facts):
    refused = refusal(text)
    assert (refused.code, refused.facts) == (code, facts)


@given(st.sampled_from([codes.new_resume, codes.new_invite]), st.data())
def test_an_almost_right_secret_is_never_repeated(make, data):
    text = printed(make())
    cut = text[: data.draw(st.integers(8, len(text) - 1))]
    assert not set(refusal(cut).facts) - {"kind", "why"}


@pytest.mark.parametrize(
    ("vintage", "body"), [("2025", "22"), ("pre-2025", "0668503"), ("2025", "０6685"), ("x", "06685")]
)
def test_no_other_bodies(vintage, body):
    with pytest.raises(Refused, match="code_body"):
        UnitCode(vintage, body)


@given(st.text(max_size=200) | st.text(alphabet="DVHSTLMBC0123456789OIL -./\u0000\u202eKđĐ"))
def test_any_text_is_read_or_refused(text):
    found = find(text)
    try:
        assert parse(text) is not None
    except Refused:
        assert found is None


def test_long_texts_are_read_quickly():
    for text in (
        "DV" * 500_000,
        "D V 0 6 6 8 5 " * 50_000,
        "TL-" + "7" * 1_000_000,
        " " * 1_000_000,
        "\u0301" * 1_000_000,
    ):
        find(text)


# ── the check letter ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_error_in_a_commune_code_is_seen_in_both_vintages():
    """All 100,000 bodies with all wrong digits, swaps of neighbours and swaps over one digit."""
    new, old = (
        np.array([ord(check_letter(vintage, f"{body:05}")) for body in range(100_000)]).reshape((10,) * 5)
        for vintage in ("2025", "pre-2025")
    )
    assert (new != old).all()
    for place, step in itertools.product(range(5), range(1, 10)):
        wrong_new, wrong_old = np.roll(new, step, axis=place), np.roll(old, step, axis=place)
        assert (new != wrong_new).all()
        assert (old != wrong_old).all()
        assert (new != wrong_old).all()
    grid = np.indices(new.shape)
    for distance in (1, 2):
        for place in range(5 - distance):
            other = place + distance
            differs = grid[place] != grid[other]
            swapped_new, swapped_old = np.swapaxes(new, place, other), np.swapaxes(old, place, other)
            assert (new != swapped_new)[differs].all()
            assert (old != swapped_old)[differs].all()
            assert (new != swapped_old)[differs].all()


def test_every_error_in_an_association_code_is_seen():
    drawn = random.Random(7)
    for _ in range(300):
        body = f"{drawn.randrange(10**7):07}"
        wrong = {body[:place] + digit + body[place + 1 :] for place in range(7) for digit in "0123456789"}
        for first, second in [(place, place + gap) for gap in (1, 2) for place in range(7 - gap)]:
            swapped = list(body)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            wrong.add("".join(swapped))
        for other in wrong - {body}:
            assert check_letter("2025", body) != check_letter("2025", other)


def test_letters_cannot_be_taken_for_digits():
    assert not set(codes.LETTERS) & set("IOW0123456789")
    assert len(set(codes.LETTERS)) == 23


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_secrets_do_not_show():
    resume, invite = codes.new_resume(), codes.new_invite()
    assert resume.secret not in f"{resume!r} {resume}"
    assert invite.secret not in f"{invite!r} {invite}"


def test_secrets_are_long_enough():
    bits = np.log2(len(codes.DRAWN))
    assert len(codes.new_resume().secret) * bits >= 50
    assert len(codes.new_invite().secret) * bits >= 80


def test_hash_knows_the_secret_however_it_was_typed():
    code = codes.new_resume()
    typed = parse(printed(code).lower().replace("-", " "))
    assert isinstance(typed, ResumeCode)
    assert secret_hash(typed) == secret_hash(code)
    assert re.fullmatch("[0-9a-f]{64}", secret_hash(code))
    assert secret_hash(code) != secret_hash(codes.new_resume())
    assert secret_hash(ResumeCode("7B3CK", "5" * 11)) != secret_hash(ResumeCode("7B3CQ", "5" * 11))


def test_new_codes_differ_and_never_are_words():
    drawn = [codes.new_dossier(2026) for _ in range(2000)]
    assert len(set(drawn)) > 1990
    assert all(re.search("[2-9]", code.body) and not re.search("[AEIOUWYD]", code.body) for code in drawn)
    assert len(codes.new_dossier(2026, size=6).body) == 6
    assert parse(printed(codes.new_report()))
