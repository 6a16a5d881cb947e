"""The place of an error in the source, as text before and after it."""

from __future__ import annotations

import re
from itertools import pairwise

_AROUND = 32 * 1024
"""Characters of the source on either side of the place."""
_LINE_BEFORE, _LINE_AFTER = 300, 300
"""Characters of the line on either side of the place."""
_PATH = re.compile(r"[A-Za-z_]\w*(?:\s*\??\.[A-Za-z_]\w*(?!\w|\s*\()|\??\[[^\[\]\n]*\])*")
_SEGMENT = re.compile(r"\s*\??\.[A-Za-z_]\w*|\??\[[^\[\]\n]*\]")
_ASSIGNED = re.compile(r"\s*(?:\+|-|\*|/|%|\*\*|<<|>>|&|\||\^)=")
_ASSIGNS = re.compile(r"(?:\+|-|\*|/|%|\*\*|<<|>>|&|\||\^)?=(?!=)")
_OPERATOR = re.compile(r"[-+*/%<>=!&|^]+\s*")
_CALL = re.compile(r"([A-Za-z_]\w*)?\s*\(")
_CLOSERS = {"(": ")", "[": "]", "{": "}"}


class Place:
    """A place in a source.

    Attributes:
        source: the source around the place.
        line: the line around the place, "" if it is not known.
        index: the place in `line`, from 0.
    """

    def __init__(self, source: str, line: int | None, column: int | None) -> None:
        """Create the place; line and column are 1-based, or None if they are not known."""
        begin = _line_start(source, line) if line else None
        if begin is None:
            self.source, self.line, self.index, self._at = source[:_AROUND], "", 0, 0
            return
        end = source.find("\n", begin)
        self._at = min(begin + (column or 1) - 1, len(source) if end < 0 else end)
        whole = slice(max(begin, self._at - _LINE_BEFORE), self._at + _LINE_AFTER)
        self.line = source[whole].partition("\n")[0]
        self.index = self._at - whole.start
        start = max(0, self._at - _AROUND)
        self.source = source[start : self._at + _AROUND]
        self._at -= start

    @property
    def before(self) -> str:
        """The line before the place."""
        return self.line[: self.index]

    @property
    def after(self) -> str:
        """The line from the place on."""
        return self.line[self.index :]

    def base(self) -> str | None:
        """Return the value whose property, index or method is at the place: `m.a` in `m.a.b`, or None.

        An assignment can be reported at its operator: then it is the value that is assigned to.
        """
        if _ASSIGNS.match(self.line, self.index):
            path = self._path_before(self.before) or ""
            segments = [one.start() for one in _SEGMENT.finditer(path)]
            return path[: segments[-1]] if segments else None
        for found in _PATH.finditer(self.line):
            if found.start() <= self.index <= found.end():
                ends = [found.start(), *(one.start() for one in _SEGMENT.finditer(self.line, *found.span()))]
                for start, end in pairwise([*ends, found.end() + 1]):
                    if start <= self.index < end and start > found.start():
                        return self.line[found.start() : start]
        # A method: the path ends before its dot.
        return self._path_before(re.sub(r"\s*\??\.\s*$", "", self.before))

    def receiver_call(self) -> str | None:
        """Return the method whose result has the method or property at the place, or None."""
        found = re.search(r"\.(\w+)\([^()]*\)\s*\??\.\s*$", self.before)
        return found[1] if found else None

    def assigned(self) -> str | None:
        """Return the left side of an assignment like `m.a += 1` at the place, or None."""
        if _ASSIGNED.match(self.line, self.index):
            return self._path_before(self.before)
        for found in _PATH.finditer(self.line):
            if found.start() <= self.index <= found.end() and _ASSIGNED.match(self.line, found.end()):
                return found[0]
        return None

    def operands(self) -> tuple[str | None, str | None]:
        """Return the values left and right of the operator at the place, as far as they are simple."""
        if (left := self.assigned()) is not None:
            return left, None
        operator = _OPERATOR.match(self.line, self.index)
        right = _PATH.match(self.line, operator.end()) if operator else None
        is_call = right is not None and self.line.startswith("(", right.end())
        return self._path_before(self.before), right[0] if right and not is_call else None

    def arguments(self) -> list[str] | None:
        """Return the texts of the arguments of the call at the place, or None."""
        rest = self.source_after()
        found = _CALL.match(rest)
        return split_arguments(rest[found.end() - 1 :]) if found else None

    def source_after(self) -> str:
        """Return the source from the place on, over the ends of lines."""
        return self.source[self._at : self._at + 4096] if self.line else ""

    @staticmethod
    def _path_before(text: str) -> str | None:
        text = text.rstrip()
        for found in _PATH.finditer(text):
            if found.end() == len(text):
                return found[0]
        return None


def _line_start(source: str, line: int) -> int | None:
    """Return the offset of a line, from 1; found by bisection, because a source can have a million lines."""
    start, end, missing = 0, len(source), line - 1
    while end - start > _AROUND:
        middle = (start + end) // 2
        count = source.count("\n", start, middle)
        if count < missing:
            start, missing = middle, missing - count
        else:
            end = middle
    for _ in range(missing):
        start = source.find("\n", start) + 1
        if not start:
            return None
    return start


def split_arguments(text: str) -> list[str] | None:
    """Split `(a, b(c), "d")...` into its arguments; None if it is not closed."""
    expected: list[str] = []
    arguments: list[str] = []
    current = ""
    quote = ""
    for character in text:
        if quote:
            quote = "" if character == quote and not current.endswith("\\") else quote
        elif character in "\"'`":
            quote = character
        elif character in _CLOSERS:
            expected.append(_CLOSERS[character])
            if len(expected) == 1:
                continue
        elif expected and character == expected[-1]:
            expected.pop()
            if not expected:
                return [*arguments, current.strip()] if current.strip() else arguments
        elif character == "," and len(expected) == 1 and current.count("|") != 1:
            arguments.append(current.strip())
            current = ""
            continue
        current += character
    return None
