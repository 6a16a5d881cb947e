"""The binary form of calls between guest and host.

The guest's side of the same rules is in `sdk-bindings/src/host.rs`.
"""

from __future__ import annotations

import ormsgpack

REPLY_TAKE = "reply_take"

ERROR_BIT = 1 << 32
DEFERRED_BIT = 1 << 33


def encode_error(message: str) -> bytes:
    """Pack the message of a refusal, for a reply with the error bit."""
    return ormsgpack.packb(message)


def unpack_address(word: int) -> tuple[int, int]:
    """Split an export's result into (pointer, length), both unsigned 32 bits."""
    return word >> 32, word & 0xFFFF_FFFF
