"""Where each key of a TOML text stands, which tomllib does not tell.

Only for texts that tomllib has accepted: the grammar is followed just far enough not to lose the way.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}\s#]+(?: \d\d:[^,\]}\s#]+)?")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{1,2}(?!"))?'
    r"|'''.*?'''(?:'{1,2}(?!'))?"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, of every key, table and list element of a valid TOML text; best effort."""
    return _Reader(text.replace("\r\n", "\n")).read()


class _Reader:
    """Walks the text once; *at* is the place reached, *found* the lines noted."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.found: dict[Path, int] = {}
        self.sizes: dict[Path, int] = {}  # elements so far of each [[list of tables]]

    def read(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip_blank():
            if self.text.startswith("[[", self.at):
                table = self._header(2)
            elif self.text[self.at] == "[":
                table = self._header(1)
            else:
                self._assignment(table)
        return self.found

    def _skip_blank(self) -> bool:
        match = _BLANK.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        return self.at < len(self.text)

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def _note(self, path: Path) -> None:
        for size in range(1, len(path) + 1):
            self.found.setdefault(path[:size], self._line())

    def _header(self, brackets: int) -> Path:
        line_start = self.at
        self.at += brackets
        names = self._key()
        self.at = self.text.index("]", self.at) + brackets
        path: Path = ()
        for name in names[:-1]:
            path = (*path, name)
            if path in self.sizes:
                path = (*path, self.sizes[path] - 1)
        path = (*path, names[-1])
        end, self.at = self.at, line_start
        if brackets == 2:
            self.found.setdefault(path, self._line())
            self.sizes[path] = self.sizes.get(path, 0) + 1
            path = (*path, self.sizes[path] - 1)
        self._note(path)
        self.at = end
        return path

    def _key(self) -> list[str]:
        names = []
        while True:
            self._skip_blank()
            match = _BARE_KEY.match(self.text, self.at)
            if match:
                names.append(match[0])
                self.at = match.end()
            else:
                start = self.at
                self._string()
                names.append(str(tomllib.loads(f"k = {self.text[start : self.at]}")["k"]))
            self._skip_blank()
            if not self.text.startswith(".", self.at):
                return names
            self.at += 1

    def _string(self) -> None:
        match = _STRING.match(self.text, self.at)
        assert match is not None
        self.at = match.end()

    def _assignment(self, table: Path) -> None:
        self._skip_blank()
        start = self.at
        path = (*table, *self._key())
        equals, self.at = self.text.index("=", self.at), start
        self._note(path)
        self.at = equals + 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip_blank()
        first = self.text[self.at]
        if first == "[":
            self._elements(path)
        elif first == "{":
            self._inline_table(path)
        elif first in "\"'":
            self._string()
        else:
            match = _BARE_VALUE.match(self.text, self.at)
            assert match is not None
            self.at = match.end()

    def _elements(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self._skip_blank() and self.text[self.at] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._note((*path, index))
            self._value((*path, index))
            index += 1
        self.at += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while self._skip_blank() and self.text[self.at] != "}":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._assignment(path)
        self.at += 1
