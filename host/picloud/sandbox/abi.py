"""The encoding of calls between guest and host.

The guest's implementation is in `sdk-bindings/src/host.rs`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from picloud.core.msgpack import BoundedDecoder, encode

REPLY_TAKE = "reply_take"
MEMORY_RESERVE = "memory_reserve"

ERROR_BIT = 1 << 32
DEFERRED_BIT = 1 << 33


class RunAnswered(Struct, array_like=True, tag=0, forbid_unknown_fields=True):
    """The result of `run` for a script that completed: `[0, operations, status, headers, kind, body]`."""

    operations: int
    status: int
    headers: dict[str, Any]
    kind: int
    body: bytes


class RunFailed(Struct, array_like=True, tag=1, forbid_unknown_fields=True):
    """The result of `run` for a script that failed: `[1, operations, {code, message, ...}]`."""

    operations: int
    error: dict[str, Any]


class Compilation(Struct):
    """A compiled script. Attributes: imports: names of its literal imports."""

    imports: list[str]


class Compiled(Struct, array_like=True, tag=0, forbid_unknown_fields=True):
    """The result of `compile` for a valid script: `[0, {imports}]`."""

    script: Compilation


class CompileFailed(Struct, array_like=True, tag=1, forbid_unknown_fields=True):
    """The result of `compile` for an invalid script: `[1, {message, line, column, module}]`."""

    error: dict[str, Any]


RUN_RESULT = BoundedDecoder[RunAnswered | RunFailed](RunAnswered | RunFailed, any_depth=True)
COMPILE_RESULT = BoundedDecoder[Compiled | CompileFailed](Compiled | CompileFailed, any_depth=True)
FILE_REFERENCE = BoundedDecoder[tuple[str, str]](tuple[str, str])


def encode_error(message: str) -> bytes:
    """Encode an error message, for a reply with the error bit."""
    return encode(message)


def unpack_address(word: int) -> tuple[int, int]:
    """Split the result of an export into (pointer, length), both unsigned 32 bits."""
    return word >> 32, word & 0xFFFF_FFFF
