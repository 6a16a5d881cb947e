"""MessagePack of exactly one value."""

from __future__ import annotations

import secrets
from typing import Any

import ormsgpack

_PAIR = b"\x92"
_END = secrets.token_bytes(16)  # nobody outside knows it, so what follows a value cannot look like it
_PACKED_END = ormsgpack.packb(_END)


def unpack(data: bytes) -> Any:
    """Unpack a value with nothing behind it.

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
