"""The log lines of one execution, within the limits: of a flood, the first and the last lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from picloud.core.interface import LIMITS
from picloud.sandbox.limits import FIXED
from picloud.sandbox.outcome import LogLine

MAX_LINES, MAX_BYTES = FIXED["max_log_lines"], FIXED["max_log_bytes"]
MAX_TEXT = LIMITS.number("max_log_text_bytes")
_URGENT = ("warn", "error")


class LogLines:
    """Collects log lines. While there is room, it keeps all of them.

    Afterwards each new line takes the place of an older one: lines of trace, debug and info go before those
    of warn and error. Of both kinds the first lines, up to half of the limits, stay longest, then the last.

    Attributes:
        dropped: number of lines that were not kept.
    """

    __slots__ = ("_ordinary", "_seen", "_urgent")

    def __init__(self) -> None:
        """Start without lines."""
        self._seen = 0  # the rest comes with the first line: most executions have none

    @property
    def dropped(self) -> int:
        """Lines that were not kept."""
        return self._seen and self._seen - len(self._ordinary) - len(self._urgent)

    def add(self, level: str, message: str, data: str | None, at: float) -> None:
        """Add a line; texts of more than `MAX_TEXT` bytes are cut.

        Args:
            level: trace, debug, info, warn or error.
            message: the text.
            data: JSON text, or None.
            at: milliseconds since 1970-01-01 UTC.
        """
        if not self._seen:
            self._ordinary, self._urgent = _Lines(), _Lines()
        line = LogLine(_cut(level), _cut(message), None if data is None else _cut(data), at)
        (self._urgent if level in _URGENT else self._ordinary).add(self._seen, line)
        self._seen += 1
        while len(self._ordinary) + len(self._urgent) > MAX_LINES or (
            self._ordinary.bytes + self._urgent.bytes > MAX_BYTES
        ):
            (self._ordinary if self._ordinary else self._urgent).drop()

    def kept(self) -> list[LogLine]:
        """Return the kept lines in their order, each with the number of lines missing before it."""
        lines: list[LogLine] = []
        if not self._seen:
            return lines
        expected = 0
        for number, line in sorted([*self._ordinary, *self._urgent], key=lambda one: one[0]):
            lines.append(replace(line, dropped=number - expected) if number > expected else line)
            expected = number + 1
        return lines


class _Lines:
    """Lines of one kind with their numbers: the first, up to half of the limits, and the last."""

    __slots__ = ("_first", "_last", "bytes")

    def __init__(self) -> None:
        self._first: list[tuple[int, LogLine]] = []
        self._last: deque[tuple[int, LogLine]] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._first) + len(self._last)

    def __iter__(self) -> Iterator[tuple[int, LogLine]]:
        yield from self._first
        yield from self._last

    def add(self, number: int, line: LogLine) -> None:
        self.bytes += _size(line)
        is_first = not self._last and len(self._first) < MAX_LINES // 2 and self.bytes <= MAX_BYTES // 2
        (self._first if is_first else self._last).append((number, line))

    def drop(self) -> None:
        """Drop the oldest of the last lines, or the newest of the first."""
        _, line = self._last.popleft() if self._last else self._first.pop()
        self.bytes -= _size(line)


def _size(line: LogLine) -> int:
    return sum(len(text.encode()) for text in (line.level, line.message, line.data or ""))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT // 4 else _cut_bytes(text.encode())


def _cut_bytes(data: bytes) -> str:
    return data[:MAX_TEXT].decode(errors="ignore") + "…" if len(data) > MAX_TEXT else data.decode()
