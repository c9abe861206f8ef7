"""The catalogues are whole, and the checker that says so finds every kind of fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from locales.check import faults

HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'


def entry(key: str, text: str) -> str:
    return f'msgid "{key}"\nmsgstr "{text}"\n\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project without a fault."""
    for language, hello in (("vi", "Kính chào {you}, {name}."), ("en", "Hello, {name}.")):
        write(
            tmp_path,
            language,
            entry("hello", hello) + entry("status.draft", "đang làm phiếu") + entry("status.approved", "đạt"),
        )
    say(tmp_path, '_("hello", name=name)\n_(f"status.{status}")\n')
    return tmp_path


def write(project: Path, language: str, entries: str) -> None:
    path = project / "locales" / language / "LC_MESSAGES" / "bot.po"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + entries, encoding="utf-8")


def append(project: Path, language: str, entries: str) -> None:
    path = project / "locales" / language / "LC_MESSAGES" / "bot.po"
    path.write_text(path.read_text(encoding="utf-8") + entries, encoding="utf-8")


def say(project: Path, code: str) -> None:
    folder = project / "dialogs"
    folder.mkdir(exist_ok=True)
    (folder / "join.py").write_text(code, encoding="utf-8")


def test_this_projects_catalogues_are_whole() -> None:
    assert faults() == []


def test_a_whole_project_has_no_fault(project: Path) -> None:
    assert faults(project) == []


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        (entry("hello", "Chào {name}."), '"hello" is here twice'),
        (entry("status.returned", ""), "'status.returned' is empty"),
        ("#, fuzzy\n" + entry("status.returned", "trả lại"), "'status.returned' is fuzzy"),
        (entry("status.returned", "trả lại {"), "'status.returned' has a broken placeholder"),
        (entry("status.returned", "trả lại {0}"), "has the placeholder {0}, which is not a name"),
        (entry("status.returned", "trả la\u0323i"), "not in NFC"),
        ('msgid "status.returned"\nmsgstr "trả "lại""\n', "not a line of a catalogue"),
        ("msgfoo\n", "cannot be read"),
        (entry("status.returned", "trả lại"), "no sentence 'status.returned', which"),
    ],
)
def test_a_fault_of_one_catalogue_is_found(project: Path, language: str, entries: str, fault: str) -> None:
    append(project, language, entries)
    assert any(fault in line for line in faults(project))


def test_placeholders_that_differ_between_languages_are_found(project: Path) -> None:
    append(project, "vi", entry("status.returned", "{you} sửa câu {n}"))
    append(project, "en", entry("status.returned", "mend question {question}"))
    assert [line.partition(": ")[2] for line in faults(project)] == [
        "'status.returned' has {question} but in vi {n}",
    ]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ('_("goodbye")', "dialogs/join.py:3: no sentence 'goodbye'"),
        ('_("hello" if met else "goodbye", name=1)', "dialogs/join.py:3: no sentence 'goodbye'"),
        ('_(f"state.{status}.title")', "dialogs/join.py:3: no sentence 'state.*.title'"),
        ('locales._("goodbye")', "dialogs/join.py:3: no sentence 'goodbye'"),
        ('TITLE_KEYS = {"a": "goodbye"}', "dialogs/join.py:3: no sentence 'goodbye'"),
        ('KEYS: tuple[str, ...] = ("goodbye",)', "dialogs/join.py:3: no sentence 'goodbye'"),
        ('_("hello", names=1)', "dialogs/join.py:3: 'hello' needs {name}"),
    ],
)
def test_a_fault_of_the_code_is_found(project: Path, code: str, fault: str) -> None:
    say(project, f'_("hello", name=name)\n_(f"status.{{status}}")\n{code}\n')
    assert faults(project) == [fault]


def test_a_sentence_that_nobody_says_is_found(project: Path) -> None:
    say(project, '_("hello", **fields)\n_("status.draft")\n')
    assert [line.partition(": ")[2] for line in faults(project)] == ["'status.approved' is used nowhere"]


def test_a_declared_key_is_used_and_a_key_of_a_dict_is_not_a_sentence(project: Path) -> None:
    say(project, 'GREETING_KEYS = {"morning": "hello"}\nKEYS = ("status.draft", "status.approved")\n')
    assert faults(project) == []
