"""A URL path as decoded segments, and back to the one text PiCloud stores for it.

A path is split on its raw slashes first and decoded afterwards, so `%2F` stays inside its segment.
Routes and requests pass through the same function, so they can be compared.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from picloud.core.errors import BadRequest

Segments = tuple[str, ...]

_HEX = frozenset("0123456789abcdefABCDEF")
_PLAIN = re.compile(r"[A-Za-z0-9_~-]*", re.ASCII)
_SPECIAL = re.compile(r"[\x00-\x20\x7f/%?#:*{}]")


def split_path(raw: str) -> Segments:
    """Split a raw path and decode its segments.

    Args:
        raw: the path as it came, starting with `/`, without a query; bytes that are not UTF-8 as
            surrogate escapes.

    Returns:
        The decoded segments: `/` is `("",)`, `/a/b%2Fc` is `("a", "b/c")`, `/a/` is `("a", "")`.

    Raises:
        BadRequest: it does not start with `/`, or a segment is `.` or `..`, holds NUL, is not UTF-8
            or has a broken percent-encoding.
    """
    if not raw.startswith("/"):
        raise BadRequest("a path starts with '/'")
    if "%" not in raw and "/." not in raw and "\0" not in raw and raw.isascii():
        return tuple(raw[1:].split("/"))
    return tuple([decode_segment(segment) for segment in raw[1:].split("/")])


def join_path(segments: Segments) -> str:
    """Write segments as the text that is stored and shown: `split_path` gives them back.

    Args:
        segments: decoded segments, at least one.

    Returns:
        A path in which only what would read otherwise is percent-encoded: slash, percent sign,
        question mark, hash, space, control characters, and what has a meaning in a pattern (`:*{}`).
    """
    return "/" + "/".join(map(_encode, segments))


def decode_segment(segment: str) -> str:
    """Decode one segment of a raw path.

    Args:
        segment: raw; bytes that are not UTF-8 as surrogate escapes.

    Returns:
        The segment's text.

    Raises:
        BadRequest: it is `.` or `..`, holds NUL, is not UTF-8 or has a broken percent-encoding.
    """
    if _PLAIN.fullmatch(segment):
        return segment
    for at, character in enumerate(segment):
        if character == "%" and not (len(segment) > at + 2 and _HEX.issuperset(segment[at + 1 : at + 3])):
            raise BadRequest("the path has a '%' that no two hexadecimal digits follow")
    try:
        text = unquote_to_bytes(segment.encode("utf-8", "surrogateescape")).decode("utf-8")
    except UnicodeError:
        raise BadRequest("the path is not UTF-8") from None
    if "\0" in text:
        raise BadRequest("the path holds a NUL character")
    if text in (".", ".."):
        raise BadRequest("the path holds a '.' or '..' segment")
    return text


def _encode(segment: str) -> str:
    return _SPECIAL.sub(lambda found: f"%{ord(found[0]):02X}", segment)
