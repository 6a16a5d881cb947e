"""MessagePack: encoding, and decoding of untrusted data with bounds.

The decoder of `msgspec` calls itself once per level, and the depth at which it stops differs between versions
of Python. A host call decodes on the stack of its guest, which is small, so `BoundedDecoder` limits the depth
itself where a type leaves it open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import NoneType
from typing import Any, Generic, TypeVar

from msgspec.msgpack import Decoder, Encoder

T = TypeVar("T")

MAX_VALUES = 4096
MAX_DEPTH = 1024
"""Levels of a bounded message. Scripts send at most 128; so many levels take half of the stack there is."""

encode = Encoder().encode
"""Encode a value; tuples are arrays."""
encode_sorted = Encoder(order="sorted").encode
"""Encode a value with the keys of every map in the order of their UTF-8 bytes."""

decode_integer = Decoder(int).decode
"""Decode an integer. Raises ValueError where the data is anything else, or more than that."""

_ANY: Decoder[Any] = Decoder()
_SURELY_FEW = 64 * 1024  # bytes; so short a message cannot take much memory
_SHORT = 4 * 1024  # bytes; in so short a message, counting the bytes that can begin a level is faster
_LEAVES = frozenset((NoneType, bool, int, float, str, bytes))
_KEYS = frozenset((str,))
_NESTING = (dict, list)
# Maps and arrays begin with one of these.
_CONTAINERS = bytes((*range(0x80, 0xA0), *range(0xDC, 0xE0)))
_OTHERS = bytes(set(range(256)) - set(_CONTAINERS))
# First byte -> bytes that follow it, for values of a fixed size.
_FIXED = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8} | {0xCC + i: 1 << i for i in range(4)}
_FIXED |= {0xD0 + i: 1 << i for i in range(4)} | {0xD4 + i: 1 + (1 << i) for i in range(5)}
# First byte -> (bytes of the length, bytes besides it): binary, extension, string.
_SIZED = {0xC4 + i: (1 << i, 0) for i in range(3)} | {0xC7 + i: (1 << i, 1) for i in range(3)}
_SIZED |= {0xD9 + i: (1 << i, 0) for i in range(3)}
# First byte -> (bytes of the count, values an entry): array, map.
_NESTED = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


class BoundedDecoder(Generic[T]):
    """Decodes untrusted messages of one type."""

    def __init__(self, type_: Any, any_depth: bool = False) -> None:
        """Create a decoder.

        Args:
            type_: what a message must be, as a type that `msgspec` knows.
            any_depth: the type has parts of any type, which may nest to any depth.
        """
        self._any_depth = any_depth
        self._decode: Callable[[bytes], T] = Decoder(type_).decode

    def decode(self, data: bytes) -> T:
        """Decode a message.

        A byte of MessagePack can become 64 bytes of Python objects, so the values of large messages are
        counted first.

        Args:
            data: MessagePack, untrusted.

        Raises:
            msgspec.ValidationError: of another type; the message has the position, such as `$[2]`.
            ValueError: not MessagePack of exactly one value, nested deeper than `MAX_DEPTH`, or large and
                with more than `MAX_VALUES` values. A ValidationError is one too.
        """
        size = len(data)
        if size > _SURELY_FEW:
            _check_bounds(data, MAX_VALUES)
        elif self._any_depth and size > MAX_DEPTH and not _surely_shallow(data):
            _check_bounds(data, size)
        try:
            return self._decode(data)
        except RecursionError:
            raise ValueError("nested too deep") from None


def decode_single(data: bytes) -> Any:
    """Decode a value of any type, as scripts can store it.

    Args:
        data: anything.

    Returns:
        The value.

    Raises:
        ValueError: not MessagePack of exactly one value, an extension, keys that are not strings, or nested
            deeper than Python can follow (about a thousand levels).
    """
    try:
        value = _ANY.decode(data)
        require_plain(value)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return value


def require_plain(value: object) -> None:
    """Check a decoded value of any type.

    Raises:
        ValueError: a map in it has a key that is not a string, or an extension is in it.
    """
    parts: Iterable[object]
    if type(value) is dict:
        if not _KEYS.issuperset(map(type, value)):
            raise ValueError("the key of a map is not a string")
        parts = value.values()
    elif type(value) is list:
        parts = value
    else:
        parts = (value,)
    if _LEAVES.issuperset(map(type, parts)):
        return
    for part in parts:
        if type(part) in _NESTING:
            require_plain(part)
        elif type(part) not in _LEAVES:
            raise ValueError("an extension")


def _surely_shallow(data: bytes) -> bool:
    return len(data) <= _SHORT and len(data.translate(None, _OTHERS)) <= MAX_DEPTH


def _check_bounds(data: bytes, max_values: int) -> None:
    """Count the values and levels of a message without decoding it."""
    position, values = 0, 1
    missing = [1]  # by level: values that are still to come
    while missing:
        if not missing[-1]:
            missing.pop()
            continue
        if position >= len(data):
            raise ValueError("too few bytes")
        missing[-1] -= 1
        first = data[position]
        position += 1
        inner = 0
        if first < 0x80 or first >= 0xE0:
            continue
        if first < 0x90:
            inner = 2 * (first & 15)
        elif first < 0xA0:
            inner = first & 15
        elif first < 0xC0:
            position += first & 31
        elif first in _FIXED:
            position += _FIXED[first]
        elif first in _SIZED:
            width, more = _SIZED[first]
            position += width + more + int.from_bytes(data[position : position + width])
        elif first in _NESTED:
            width, each = _NESTED[first]
            inner = each * int.from_bytes(data[position : position + width])
            position += width
        else:
            raise ValueError("not MessagePack")
        if inner:
            values += inner
            if values > max_values:
                raise ValueError(f"more than {max_values} values")
            missing.append(inner)
            if len(missing) > MAX_DEPTH + 1:
                raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
