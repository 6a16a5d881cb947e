"""Ranges as the index `docs_ordered` answers them: by the beginnings of its terms.

A term of the index is a field's name (a hash), a letter and a place in the order, as binary digits without
the last zeros (migrations/0013_docs_ranges.sql). All places between two lie below few nodes of the binary
tree: those beside the way down to either bound. A node is a beginning, which is what a text search asks for
by `:*`. Places are rough, so this finds too much, never too little.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from picloud.services.docs.filter import Comparison, Path

Value: TypeAlias = int | float | str | None

_LARGEST, _SMALLEST = 1e308, 1e-307  # of numbers that have a place of their own as doubles
_DEPTH = 128  # digits of the longest place
_MANY_TERMS = 512
"""Terms one statement asks for, about: with more ranges in it, each becomes rougher."""


def range_query(
    app_id: object, collection: str, path: Path, comparisons: Sequence[Comparison], ranges: int
) -> str:
    """What to ask the index for.

    Args:
        app_id: whose documents.
        collection: where.
        path: the field.
        comparisons: of this field, with values of one type: all shall hold.
        ranges: how many ranges the statement has.

    Returns:
        A `tsquery` that every document asked for meets, made of hexadecimal digits and letters of ours.
    """
    root = field = _hash(f"{app_id}{collection}")
    for name in path:
        field = _hash(field + name)
    low = max((one.value for one in comparisons if one.operator[0] == ">"), default=None)
    high = min((one.value for one in comparisons if one.operator[0] == "<"), default=None)
    most = max(1, _MANY_TERMS // (2 * ranges))
    # Documents with too many fields for the index have the term of their collection alone.
    terms = {root}
    for letter, first, last in _places(low, high):
        terms.update(f"{field}{letter}{place}" for place in _cover_interval(first, last, most))
    return "|".join(sorted(terms))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _places(low: Value, high: Value) -> Iterator[tuple[str, str, str | None]]:
    """Letters of terms, with the first place and the last; None where there is no last."""
    match low, high:
        case ((str() | None), (str() | None)):
            yield "s", "" if low is None else _text(low), None if high is None else _text(high)
        case ((int() | float() | None), (int() | float() | None)):
            if high is None or high >= 0:
                yield "n", "" if low is None or low < 0 else _size(low), None if high is None else _size(high)
            if low is None or low < 0:
                yield (
                    "m",
                    "" if high is None or high >= 0 else _size(high),
                    None if low is None else _size(low),
                )


def _text(value: str) -> str:
    """The place of a text, by its first bytes: of dates these go to the minute."""
    return _digits(value.encode()[:16])


def _size(value: float) -> str:
    """The place of a number among those of its sign: doubles are ordered as their bits are."""
    size = abs(value)
    return _digits(struct.pack(">d", 0 if size < _SMALLEST else min(size, _LARGEST)))[1:]


def _digits(value: bytes) -> str:
    return "".join([f"{byte:08b}" for byte in value]).rstrip("0")


def _cover_interval(low: str, high: str | None, most: int) -> Iterator[str]:
    """Terms, and beginnings of terms (`:*`), that hold every place from the first to the last.

    Args:
        low: the first place.
        high: the last; None for no last.
        most: so many nodes beside the way to either, at most.
    """
    if high is None:
        nodes = list(_sibling_prefixes(low, 0, "0", most))
    else:
        first, last = low.ljust(_DEPTH, "0"), high.ljust(_DEPTH, "0")
        if first > last:
            return
        fork = next((depth for depth in range(_DEPTH) if first[depth] != last[depth]), _DEPTH)
        nodes = [
            *_sibling_prefixes(first[: max(len(low), fork + 1)], fork + 1, "0", most),
            *_sibling_prefixes(last, fork + 1, "1", most),
        ]
    for node in nodes:
        yield f"{node}:*"
        if node.endswith("0"):
            yield node.rstrip("0")  # the first place below it, which is written without its last zeros


def _sibling_prefixes(place: str, depth: int, digit: str, most: int) -> Iterator[str]:
    """Nodes from a depth on that the way to a place leaves aside where it takes this digit, and its end."""
    other = "1" if digit == "0" else "0"
    for length in range(depth, len(place)):
        if place[length] == digit:
            if most == 0:
                yield place[:length]
                return
            most -= 1
            yield place[:length] + other
    yield place
