"""Promises of control/scripts/line_diff.py: its output turns one text into the other, as `patch` reads it."""

from __future__ import annotations

import difflib
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.control.scripts import line_diff
from picloud.control.scripts.line_diff import unified

HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "", "}", "é\r", "-x", "+x", "@@", "\x0b", "\u2028"])).map(
    "\n".join
)


def patched(old: str, diff: str) -> str:
    """What `patch` makes of a text: every line of context and every removed line is compared."""
    lines, result, at = split(old), [], 0
    body = diff.split("\n")[:-1]
    assert body[:2] == ["--- 1", "+++ 2"]
    index = 2
    while index < len(body):
        match = HUNK.fullmatch(body[index])
        assert match is not None, body[index]
        start, length, other, other_length = (int(part) if part else 1 for part in match.groups())
        index += 1
        begin = start - 1 if length else start
        result += lines[at:begin]
        at = begin
        assert len(result) == (other - 1 if other_length else other)
        while length or other_length:
            tag, text = body[index][0], body[index][1:] + "\n"
            index += 1
            if index < len(body) and body[index].startswith("\\"):
                text, index = text[:-1], index + 1
            if tag in " -":
                assert lines[at] == text
                at, length = at + 1, length - 1
            if tag in " +":
                result.append(text)
                other_length -= 1
    return "".join(result + lines[at:])


def split(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


@given(TEXTS, TEXTS)
def test_the_diff_turns_the_one_text_into_the_other(old: str, new: str) -> None:
    diff = unified(old, new, "1", "2")
    assert (diff == "") == (old == new)
    if diff:
        assert patched(old, diff) == new


@given(st.lists(st.integers(0, 60)), st.lists(st.integers(0, 60)))
def test_it_does_so_without_difflib_as_well(old: list[int], new: list[int]) -> None:
    before, after = ("".join(f"{line}\n" for line in lines) for lines in (old, new))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_diff, "_WORK", 0)
        diff = unified(before, after, "1", "2")
    if diff:
        assert patched(before, diff) == after


@given(TEXTS, TEXTS)
def test_small_texts_differ_as_difflib_says(old: str, new: str) -> None:
    before, after = ([f"{line}\n" for line in text.split("\n")] for text in (old, new))
    ours = unified("".join(before), "".join(after), "1", "2")
    theirs = "".join(difflib.unified_diff(before, after, "1", "2"))
    assert ours.count("\n-") + ours.count("\n+") <= theirs.count("\n-") + theirs.count("\n+") + 2


def test_a_change_in_a_long_text_is_that_change_only() -> None:
    lines = [f"line {n}\n" for n in range(50_000)]
    changed = lines.copy()
    changed[20_000] = "other\n"
    del changed[100]
    diff = unified("".join(lines), "".join(changed), "1", "2")
    assert [line for line in diff.split("\n")[2:] if line[:1] in ("-", "+")] == [
        "-line 100",
        "-line 20000",
        "+other",
    ]


@pytest.mark.parametrize("kind", ["same", "two", "shuffled", "reversed", "repeated", "edited"])
def test_no_megabyte_is_too_much(kind: str) -> None:
    """It would take difflib alone hours; what is promised of each is only that it is right."""
    chance = random.Random(1)
    lines = {
        "same": ["\n"] * 500_000,
        "two": [chance.choice("ab") + "\n" for _ in range(300_000)],
        "repeated": ["}\n", "a\n", "b\n"] * 100_000,
    }.get(kind, [f"{n:x}\n" for n in range(90_000)])
    other = lines.copy()
    if kind == "reversed":
        other.reverse()
    elif kind == "edited":
        for _ in range(2_000):
            other[chance.randrange(len(other))] = "}\n"
    elif kind == "same":
        del other[-3:]
    else:
        chance.shuffle(other)
    old, new = "".join(lines), "".join(other)
    assert patched(old, unified(old, new, "1", "2")) == new
