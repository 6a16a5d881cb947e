"""Range queries for the index `docs_ordered`: a prefix cover of an interval in a binary trie.

A term of the index is the hash of a field name, a letter and a key: the binary digits of the value without
trailing zeros (migrations/0013_docs_ranges.sql). The keys of an interval are below a few nodes of the trie:
the siblings of the paths to its two ends. A node is a prefix, which a text search finds with `:*`.

Example with 3 digits: the interval 001 to 110 is covered by the prefixes 001, 01, 10 and 110.

Keys are approximate, so a query can return too many documents, never too few.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from picloud.services.docs.tree import Comparison, Path

Value: TypeAlias = int | float | str | None

_LARGEST, _SMALLEST = 1e308, 1e-307  # range of numbers with a distinct key
_DEPTH = 128  # digits of the longest key
_MANY_TERMS = 512
"""Approximate number of terms in a statement; with more ranges, each is coarser."""


def range_query(
    app_id: object, collection: str, path: Path, comparisons: Sequence[Comparison], ranges: int
) -> str:
    """Return the query for the index.

    Args:
        app_id: the app.
        path: the field.
        comparisons: of this field, with values of one type; all must be true.
        ranges: number of ranges in the statement.

    Returns:
        A `tsquery` that matches every wanted document, of hexadecimal digits and constant letters.
    """
    root, field = _terms(app_id, collection, path)
    low = max((one.value for one in comparisons if one.operator[0] == ">"), default=None)
    high = min((one.value for one in comparisons if one.operator[0] == "<"), default=None)
    max_nodes = max(1, _MANY_TERMS // (2 * ranges))
    # Documents with too many fields for the index only have the term of their collection.
    terms = {root}
    for letter, first, last in _key_intervals(low, high):
        terms.update(f"{field}{letter}{prefix}" for prefix in _cover_interval(first, last, max_nodes))
    return "|".join(sorted(terms))


def field_query(app_id: object, collection: str, path: Path) -> str:
    """Return the query for documents in which a field is a number or a string.

    Args:
        app_id: the app.
        path: the field.

    Returns:
        A `tsquery` that also matches documents with too many fields for the index.
    """
    root, field = _terms(app_id, collection, path)
    return "|".join([root, *(f"{field}{letter}:*" for letter in "mns")])


def _terms(app_id: object, collection: str, path: Path) -> tuple[str, str]:
    """Return the term of a collection, and how the terms of a field begin."""
    root = field = _hash(f"{app_id}{collection}")
    for name in path:
        field = _hash(field + name)
    return root, field


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _key_intervals(low: Value, high: Value) -> Iterator[tuple[str, str, str | None]]:
    """Yield letters of terms with the first and the last key; None for no last key."""
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
    """Return the key of a string: its first 16 bytes, for dates up to the minute."""
    return _digits(value.encode()[:16])


def _size(value: float) -> str:
    """Return the key of a number among those of its sign: doubles sort like their bits."""
    size = abs(value)
    return _digits(struct.pack(">d", 0 if size < _SMALLEST else min(size, _LARGEST)))[1:]


def _digits(value: bytes) -> str:
    return "".join([f"{byte:08b}" for byte in value]).rstrip("0")


def _cover_interval(low: str, high: str | None, max_nodes: int) -> Iterator[str]:
    """Yield terms and prefixes of terms (`:*`) that cover every key of an interval.

    Args:
        low: the first key.
        high: the last key; None for no last key.
        max_nodes: maximum number of siblings per end.
    """
    if high is None:
        nodes = list(_sibling_prefixes(low, 0, "0", max_nodes))
    else:
        first, last = low.ljust(_DEPTH, "0"), high.ljust(_DEPTH, "0")
        if first > last:
            return
        fork = next((depth for depth in range(_DEPTH) if first[depth] != last[depth]), _DEPTH)
        nodes = [
            *_sibling_prefixes(first[: max(len(low), fork + 1)], fork + 1, "0", max_nodes),
            *_sibling_prefixes(last, fork + 1, "1", max_nodes),
        ]
    for node in nodes:
        yield f"{node}:*"
        if node.endswith("0"):
            yield node.rstrip("0")  # the first key below it, which has no trailing zeros


def _sibling_prefixes(key: str, depth: int, digit: str, max_nodes: int) -> Iterator[str]:
    """Yield the siblings, from a depth on, where the path to a key takes a digit; then the key."""
    other = "1" if digit == "0" else "0"
    for length in range(depth, len(key)):
        if key[length] == digit:
            if max_nodes == 0:
                yield key[:length]
                return
            max_nodes -= 1
            yield key[:length] + other
    yield key
