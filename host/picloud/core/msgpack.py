"""Unpacking what a guest sent: a byte there can be 64 here, so large messages are counted first."""

from __future__ import annotations

from typing import Any

import ormsgpack

MAX_VALUES = 4096
_SURELY_FEW = 64 * 1024  # bytes; so short a message cannot make much of itself
# First byte -> bytes that follow it, for values of a fixed size.
_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8} | {0xCC + i: 1 << i for i in range(4)}
_FIXED |= {0xD0 + i: 1 << i for i in range(4)} | {0xD4 + i: 1 + (1 << i) for i in range(5)}
# First byte -> (bytes of the length, bytes besides it): binary, extension, string.
_SIZED = {0xC4 + i: (1 << i, 0) for i in range(3)} | {0xC7 + i: (1 << i, 1) for i in range(3)}
_SIZED |= {0xD9 + i: (1 << i, 0) for i in range(3)}
# First byte -> (bytes of the count, values an entry): array, map.
_NESTED = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def unpack(data: bytes) -> Any:
    """Unpack a message.

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
