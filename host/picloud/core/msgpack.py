"""Decoding MessagePack: of exactly one value, and of untrusted messages with bounds."""

from __future__ import annotations

import secrets
from typing import Any

import ormsgpack

MAX_VALUES = 4096
_PAIR = b"\x92"
_END = secrets.token_bytes(16)  # unknown outside, so that data behind a value cannot look like it
_PACKED_END = ormsgpack.packb(_END)
_SURELY_FEW = 64 * 1024  # bytes; a shorter message cannot expand to much
# First byte -> bytes that follow it, for values of a fixed size.
_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8} | {0xCC + i: 1 << i for i in range(4)}
_FIXED |= {0xD0 + i: 1 << i for i in range(4)} | {0xD4 + i: 1 + (1 << i) for i in range(5)}
# First byte -> (bytes of the length, bytes besides it): binary, extension, string.
_SIZED = {0xC4 + i: (1 << i, 0) for i in range(3)} | {0xC7 + i: (1 << i, 1) for i in range(3)}
_SIZED |= {0xD9 + i: (1 << i, 0) for i in range(3)}
# First byte -> (bytes of the count, values an entry): array, map.
_NESTED = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def decode_bounded(data: bytes) -> Any:
    """Decode an untrusted message.

    A byte of MessagePack can become 64 bytes of Python objects, so large messages are counted first.

    Args:
        data: MessagePack, untrusted.

    Raises:
        ValueError: it is none, or it is large and has more than `MAX_VALUES` values.
    """
    if len(data) > _SURELY_FEW:
        _count(data)
    return ormsgpack.unpackb(data)


def _count(data: bytes) -> None:
    position, values = 0, 1
    seen = 0
    while seen < values:
        if values > MAX_VALUES or position >= len(data):
            raise ValueError("too many values, or too few bytes")
        first = data[position]
        position, seen = position + 1, seen + 1
        if first < 0x80 or first >= 0xE0:
            continue
        if first < 0x90:
            values += 2 * (first & 15)
        elif first < 0xA0:
            values += first & 15
        elif first < 0xC0:
            position += first & 31
        elif first in _FIXED:
            position += _FIXED[first]
        elif first in _SIZED:
            width, more = _SIZED[first]
            position += width + more + int.from_bytes(data[position : position + width])
        elif first in _NESTED:
            width, each = _NESTED[first]
            values += each * int.from_bytes(data[position : position + width])
            position += width
        else:
            raise ValueError("no MessagePack")


def decode_single(data: bytes) -> Any:
    """Decode exactly one value.

    `ormsgpack` stops after the first value and does not say whether that was all, so it is given a pair.

    Args:
        data: anything.

    Returns:
        The value.

    Raises:
        ValueError: this is no MessagePack of one value, has keys that are no text, or is nested deeper
            than about a thousand levels.
    """
    pair = ormsgpack.unpackb(_PAIR + data + _PACKED_END)
    if pair[1] != _END:
        raise ValueError("there is more than one value")
    return pair[0]
