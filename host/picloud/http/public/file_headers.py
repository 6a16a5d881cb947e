"""Headers about files: what a browser may do with one, and which part of it is wanted."""

from __future__ import annotations

import re
from urllib.parse import quote

SAFE_HEADERS = {
    # What an upload says it is, it is; and if that is a page, it is a page that can do nothing.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}

_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187, 3.2.1, besides letters and digits
_UNQUOTABLE = re.compile(r'[^ -~]|["\\/%]')
_SEPARATORS = re.compile(r"[\\/]")
_ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.IGNORECASE)


def attachment(name: str) -> str:
    """Content-Disposition that has a file saved under its name (RFC 6266).

    Args:
        name: without control characters.

    Returns:
        The header's value, in ASCII: with a plain name for all clients, and the exact one (RFC 8187)
        where that differs; separators of paths are in neither.
    """
    exact, plain = _SEPARATORS.sub("_", name), _UNQUOTABLE.sub("_", name)
    value = f'attachment; filename="{plain}"'
    return value if plain == exact else f"{value}; filename*=UTF-8''{quote(exact, safe=_ATTR_CHAR)}"


def is_known(if_none_match: str, tag: str) -> bool:
    """Whether the client has the file already (RFC 9110, 13.1.2).

    Args:
        if_none_match: the header.
        tag: the file's entity tag, quoted.
    """
    return if_none_match.strip() == "*" or tag in _ENTITY_TAG.findall(if_none_match)


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """The one part of a file that is asked for (RFC 9110, 14.1.2).

    Args:
        header: the Range header.
        size: bytes of the file, at least 1.

    Returns:
        Offset and length; the length is 0 where the range lies behind the end. None for what is no
        single range of bytes: then all is sent.
    """
    found = _RANGE.fullmatch(header.strip())
    if found is None:
        return None
    first, last = found.groups()
    if not first:
        length = min(_number(last), size)
        return (size - length, length) if last else None
    if last and _number(last) < _number(first):
        return None
    start, end = _number(first), min(_number(last), size - 1) if last else size - 1
    return (start, max(0, end - start + 1))


def _number(digits: str) -> int:
    """A number, or one that is larger than any file."""
    return int(digits.lstrip("0")[:19] or "0")
