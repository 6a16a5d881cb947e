"""kv values in the admin API: as JSON if possible."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from picloud.core.errors import Invalid
from picloud.core.msgpack import decode_single, encode, encode_sorted

MAX_DEPTH = 128
"""Maximum nesting that a script can read."""
MAX_JSON_VALUES = 250_000
"""Values shown as JSON: as many as a request can have, so that what is shown can be written again."""

_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value in one of three forms; the other two are None.

    Attributes:
        value: JSON, if it can represent the value; never null.
        blob: base64 of a blob.
        packed: base64 of MessagePack, for values with blobs, NaN or infinity, and for very many values.
    """

    value: Any = None
    blob: str | None = None
    packed: str | None = None


def show(stored: bytes) -> Value:
    """Return a stored value in the simplest possible form. Args: stored: MessagePack."""
    try:
        value = decode_single(stored)
    except ValueError:
        return Value(packed=_text(stored))
    if isinstance(value, bytes):
        return Value(blob=_text(value))
    # A value has at least one byte.
    if _is_json(value) and (len(stored) <= MAX_JSON_VALUES or _count(value) <= MAX_JSON_VALUES):
        return Value(value=value)
    return Value(packed=_text(stored))


def store(value: Value) -> bytes:
    """Return the stored form of a value.

    Args:
        value: a value in one form.

    Returns:
        MessagePack, encoded as scripts do, because `set_if` compares bytes.

    Raises:
        Invalid: no form or several are set, or a script cannot have this value.
    """
    given = [name for name in ("value", "blob", "packed") if getattr(value, name) is not None]
    if len(given) != 1:
        raise Invalid("exactly one of value, blob and packed is required, and not null", field="value")
    if value.blob is not None:
        return encode(_bytes("blob", value.blob))
    plain = value.value
    if value.packed is not None:
        try:
            plain = decode_single(_bytes("packed", value.packed))
        except ValueError:
            raise Invalid("not valid MessagePack of one value", field="packed") from None
    _check(plain, given[0])
    return encode_sorted(plain)


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _bytes(field: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f"{field} must be base64", field=field) from None


def _is_json(value: object, depth: int = 0) -> bool:
    match value:
        case bytes():
            return False
        case float():
            return math.isfinite(value)
        case list():
            return depth <= MAX_DEPTH and all(_is_json(item, depth + 1) for item in value)
        case dict():
            return depth <= MAX_DEPTH and all(_is_json(item, depth + 1) for item in value.values())
    return True


def _count(value: object) -> int:
    """Count a value and all values in it."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count, items))


def _check(value: object, field: str, depth: int = 0) -> None:
    """Reject a value that a script could not read."""
    if depth > MAX_DEPTH:
        raise Invalid(f"the value is nested deeper than {MAX_DEPTH} levels", field=field)
    if isinstance(value, int) and value not in _INT64:
        raise Invalid("an integer can have at most 64 bits", field=field)
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for item in items:
        _check(item, field, depth + 1)
