"""Unified diff of two texts in bounded time.

`difflib` takes quadratic time and worse, and users choose its input. So it only compares small parts. Larger
parts are split at lines that occur exactly once on both sides (patience diff); without such lines, a part
counts as repart_ranged.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher

CONTEXT = 3
_WORK = 2_000_000  # total comparisons for difflib; its worst case is lines x lines x lines
_MAX_LINES = 100_000  # changed lines of either side; more count as repart_ranged
_MAX_DEPTH = 12
_NO_NEWLINE = "\n\\ No newline at end of file\n"

_Range = tuple[int, int, int, int]  # old[0:1] against new[2:3]


def unified(old: str, new: str, old_name: str, new_name: str) -> str:
    """Compare two texts.

    Args:
        old: the old text.
        new: the new text.
        old_name: name of the old text in the header.
        new_name: name of the new text in the header.

    Returns:
        A unified diff that `patch` understands, with `CONTEXT` lines around each change; empty if the
        texts are equal.
    """
    before, after = _lines(old), _lines(new)
    matcher = _Matcher(before, after)
    written: list[str] = []
    for group in matcher.get_grouped_opcodes(CONTEXT) if before != after else ():
        first, last = group[0], group[-1]
        written.append(f"@@ -{_span(first[1], last[2])} +{_span(first[3], last[4])} @@\n")
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                written += (f" {line}" for line in before[old_from:old_to])
                continue
            written += (f"-{line}" for line in before[old_from:old_to])
            written += (f"+{line}" for line in after[new_from:new_to])
    return "".join([f"--- {old_name}\n+++ {new_name}\n", *written]) if written else ""


def _lines(text: str) -> list[str]:
    """Split into lines with their ends; only LF ends a line, as in `patch`."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    if last:
        lines.append(last + _NO_NEWLINE)
    return lines


def _span(start: int, end: int) -> str:
    """Format a range of lines for a hunk header: from 1; an empty range has the line before it."""
    length = end - start
    return str(start + 1) if length == 1 else f"{start + 1 if length else start},{length}"


class _Matcher(SequenceMatcher[str]):
    """Finds equal lines in bounded time; difflib makes hunks from them."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, (), (), autojunk=False)
        self._old, self._new = old, new
        self._work = _WORK

    def get_matching_blocks(self) -> list[Match]:
        """Return blocks of equal lines in order; as difflib expects, the last one is empty."""
        blocks: list[Match] = []
        for start, other, length in sorted(self._stretches()):
            if blocks and (blocks[-1].a + blocks[-1].size, blocks[-1].b + blocks[-1].size) == (start, other):
                before = blocks.pop()
                start, other, length = before.a, before.b, before.size + length
            blocks.append(Match(start, other, length))
        return [*blocks, Match(len(self._old), len(self._new), 0)]

    def _stretches(self) -> Iterator[tuple[int, int, int]]:
        old, new = self._old, self._new
        waiting: list[tuple[_Range, int]] = [((0, len(old), 0, len(new)), 0)]
        while waiting:
            (start, end, other, other_end), depth = waiting.pop()
            head = _common(old, new, range(start, end), range(other, other_end))
            if head:
                yield start, other, head
            start, other = start + head, other + head
            tail = _common(old, new, range(end - 1, start - 1, -1), range(other_end - 1, other - 1, -1))
            if tail:
                yield end - tail, other_end - tail, tail
            end, other_end = end - tail, other_end - tail
            lines, others = end - start, other_end - other
            work = lines * others * min(lines, others)
            if not work:
                continue
            if work <= self._work:
                self._work -= work
                small = SequenceMatcher(None, old[start:end], new[other:other_end], autojunk=False)
                yield from ((start + a, other + b, size) for a, b, size in small.get_matching_blocks()[:-1])
            elif depth < _MAX_DEPTH and max(lines, others) <= _MAX_LINES:
                part_range = (start, end, other, other_end)
                waiting += ((part, depth + 1) for part in _parts(part_range, _anchors(old, new, part_range)))


def _common(old: Sequence[str], new: Sequence[str], there: range, here: range) -> int:
    """Count equal lines at the start of two ranges."""
    count = 0
    for at, other in zip(there, here, strict=False):
        if old[at] != new[other]:
            break
        count += 1
    return count


def _anchors(old: Sequence[str], new: Sequence[str], part_range: _Range) -> list[tuple[int, int]]:
    """Return lines that occur once on both sides: the longest run in the same order."""
    start, end, other, other_end = part_range
    once, once_there = Counter(old[start:end]), Counter(new[other:other_end])
    there = {new[at]: at for at in range(other, other_end) if once_there[new[at]] == 1}
    pairs = [(at, there[old[at]]) for at in range(start, end) if once[old[at]] == 1 and old[at] in there]
    # Longest increasing subsequence of positions in `new`: ends[n] is the least end of a run of n + 1 pairs.
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for index, (_, position) in enumerate(pairs):
        length = bisect_left(ends, position)
        before.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [position]
        last[length : length + 1] = [index]
    run: list[tuple[int, int]] = []
    index = last[-1] if last else -1
    while index >= 0:
        run.append(pairs[index])
        index = before[index]
    return run[::-1]


def _parts(part_range: _Range, anchors: list[tuple[int, int]]) -> Iterator[_Range]:
    """What lies between anchors, each anchor at the beginning of its part."""
    if not anchors:
        return
    start, end, other, other_end = part_range
    for at, there in anchors:
        yield start, at, other, there
        start, other = at, there
    yield start, end, other, other_end
