"""Of a flood, the log keeps the first and the last lines, and warnings and errors before others."""

from __future__ import annotations

import random

import pytest

from picloud.sandbox.log_lines import MAX_BYTES, MAX_LINES, MAX_TEXT, LogLines
from picloud.sandbox.outcome import LogLine


def logged(*lines: tuple[str, str]) -> LogLines:
    log = LogLines()
    for at, (level, message) in enumerate(lines):
        log.add(level, message, None, at)
    return log


def numbers(lines: list[LogLine]) -> list[int]:
    """The position of each line among those that were logged."""
    return [int(line.at) for line in lines]


def size(lines: list[LogLine]) -> int:
    return sum(len(text.encode()) for line in lines for text in (line.level, line.message, line.data or ""))


def test_all_lines_are_kept_within_the_limits() -> None:
    log = logged(*[("info", "x")] * MAX_LINES)
    assert (len(log.kept()), log.dropped) == (MAX_LINES, 0)
    assert not any(line.dropped for line in log.kept())


def test_a_flood_keeps_its_first_and_its_last_lines() -> None:
    log = logged(*[("info", "x")] * 5000)
    half = MAX_LINES // 2
    assert numbers(log.kept()) == [*range(half), *range(5000 - half, 5000)]
    assert log.dropped == 5000 - MAX_LINES
    assert [line.dropped for line in log.kept()] == [0] * half + [5000 - MAX_LINES] + [0] * (half - 1)


@pytest.mark.parametrize("level", ["warn", "error"])
def test_a_warning_is_kept_wherever_it_stands_in_a_flood(level: str) -> None:
    lines = [("info", "x")] * 9000
    places = [0, 700, 3000, 8000, 8999]
    for place in places:
        lines[place] = (level, "important")
    log = logged(*lines)
    assert [int(line.at) for line in log.kept() if line.level == level] == places
    assert len(log.kept()) == MAX_LINES


def test_warnings_push_out_all_other_lines_and_then_their_own_middle() -> None:
    log = logged(*[("info", "x")] * 5000, *[("warn", "y")] * 3000, *[("trace", "z")] * 3000)
    half = MAX_LINES // 2
    assert numbers(log.kept()) == [*range(5000, 5000 + half), *range(8000 - half, 8000)]
    assert log.dropped == 11_000 - MAX_LINES


def test_bytes_count_as_lines_do() -> None:
    log = logged(*[("info", f"{number:08}" * 500) for number in range(200)])
    kept = log.kept()
    assert size(kept) <= MAX_BYTES
    assert numbers(kept)[:3] == [0, 1, 2]
    assert numbers(kept)[-3:] == [197, 198, 199]


def test_a_long_line_is_cut_and_never_lost() -> None:
    log = LogLines()
    log.add("i" * 2 * MAX_TEXT, "é" * MAX_BYTES, '"' + "d" * MAX_BYTES + '"', 0)
    log.add("info", "last", None, 1)
    first, last = log.kept()
    assert last.message == "last"
    assert log.dropped == 0
    assert all(
        len(text.encode()) <= MAX_TEXT + 3 and text.endswith("…")
        for text in (first.level, first.message, first.data or "")
    )


def test_the_limits_hold_for_any_lines() -> None:
    source = random.Random(7)
    for _ in range(3):
        levels = source.choices(["trace", "info", "warn", "error"], k=2500)
        log = logged(*[(level, "x" * source.choice([0, 10, 300, 9000])) for level in levels])
        kept = log.kept()
        assert len(kept) <= MAX_LINES
        assert size(kept) <= MAX_BYTES
        assert numbers(kept) == sorted(set(numbers(kept)))
        missing = numbers(kept)[-1] + 1 - len(kept)
        assert sum(line.dropped for line in kept) == missing <= log.dropped
        assert len(kept) + log.dropped == 2500
