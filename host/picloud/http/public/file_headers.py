"""Headers of file responses: security, Content-Disposition, conditions and ranges."""

from __future__ import annotations

import re
from urllib.parse import quote

from picloud.core.numbers import NotAnInteger, read_integer

SAFE_HEADERS = {
    # No sniffing: the declared type applies. An HTML file runs no scripts.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}

_ATTR_CHAR = "!#$&+-.^_`|~"  # RFC 8187, 3.2.1, in addition to letters and digits
_UNQUOTABLE = re.compile(r'[^ -~]|["\\/%]')
_SEPARATORS = re.compile(r"[\\/]")
_ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.IGNORECASE)


def attachment(name: str) -> str:
    """Return the Content-Disposition that saves a file under its name (RFC 6266).

    Args:
        name: without control characters.

    Returns:
        The header value, in ASCII: an ASCII name for all clients, and the exact name (RFC 8187) if it
        differs. Path separators are replaced in both.
    """
    exact, ascii_name = _SEPARATORS.sub("_", name), _UNQUOTABLE.sub("_", name)
    value = f'attachment; filename="{ascii_name}"'
    return value if ascii_name == exact else f"{value}; filename*=UTF-8''{quote(exact, safe=_ATTR_CHAR)}"


def is_known(if_none_match: str, tag: str) -> bool:
    """Report whether If-None-Match contains the (quoted) entity tag of the file (RFC 9110, 13.1.2)."""
    return if_none_match.strip() == "*" or tag in _ENTITY_TAG.findall(if_none_match)


def matches(if_match: str, tag: str) -> bool:
    """Report whether If-Match contains the (quoted) entity tag of the file; weak tags never match.

    Source: RFC 9110, 13.1.1.
    """
    return if_match.strip() == "*" or any(
        found[1] == tag and not found[0].startswith("W/") for found in _ENTITY_TAG.finditer(if_match)
    )


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Parse a Range header (RFC 9110, 14.1.2).

    Args:
        header: the header.
        size: bytes of the file, at least 1.

    Returns:
        Offset and length; length 0 if the range starts after the end of the file. None if the header is
        not a single byte range: then the whole file is sent.
    """
    found = _RANGE.fullmatch(header.strip())
    if found is None:
        return None
    try:
        start, last = (read_integer(text) if text else None for text in found.groups())
    except NotAnInteger:
        return None
    if start is None:
        length = min(last or 0, size)
        return (size - length, length) if last is not None else None
    if last is not None and last < start:
        return None
    end = size - 1 if last is None else min(last, size - 1)
    return (start, max(0, end - start + 1))
