"""Headers: which of its own a script may send, and how those of an answer reach it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from picloud.core.interface import LIMITS
from picloud.services.outbound.refused import Failed, Refused

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Lower-case names and values, in order."""

MAX_HEADERS = LIMITS.number("max_http_headers")
MAX_HEADER_BYTES = 64 * 1024

OURS = {"accept-encoding": "gzip, deflate"}
DEFAULTS = {"accept": "*/*", "user-agent": "PiCloud"}
CREDENTIALS = frozenset(("authorization", "cookie"))
ABOUT_BODY = frozenset(
    ("content-encoding", "content-language", "content-location", "content-range", "content-type")
)

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_DENIED = frozenset(
    (
        "host",
        "content-length",
        "transfer-encoding",
        "te",
        "trailer",
        "connection",
        "keep-alive",
        "upgrade",
        "http2-settings",
        "expect",
        *OURS,
    )
)


def check_headers(given: Sequence[object]) -> Headers:
    """Check the headers a script wants to send, and complete them.

    Args:
        given: pairs of name and value.

    Returns:
        What is sent, but for Host and what frames the body.

    Raises:
        Refused: one of them may not be sent; it is named.
    """
    headers: list[tuple[str, str]] = []
    for pair in given:
        match pair:
            case [str(name), str(value)]:
                headers.append((_name(name), _value(name, value)))
            case _:
                raise Refused("header", "headers must be pairs of a name and a text")
    size = sum(len(name) + len(value.encode()) for name, value in headers)
    if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise Refused(
            "header", f"there are more than {MAX_HEADERS} headers or {MAX_HEADER_BYTES} bytes of them"
        )
    names = {name for name, _ in headers}
    headers += [(name, value) for name, value in DEFAULTS.items() if name not in names]
    return (*headers, *OURS.items())


def without(headers: Headers, names: Iterable[str]) -> Headers:
    """The headers but for some. Args: headers: all; names: lower case, of those to leave out."""
    return tuple(header for header in headers if header[0] not in names)


def _name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise Refused("header", f"{name[:100]!r} is not a header name")
    name = name.lower()
    if name in _DENIED or name.startswith("proxy-"):
        raise Refused("header", f"the header {name} is not a script's to set")
    return name


def _value(name: str, value: str) -> str:
    if _CONTROL.search(value):
        raise Refused("header", f"the value of the header {name} holds a control character")
    return value.strip(" \t")


def received(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str | list[str]]:
    """The headers of an answer as its script sees them.

    Args:
        raw: names and values as they came.

    Returns:
        Values by lower-case name; of a name that came more than once, all values in order.

    Raises:
        Failed: they are too large.
    """
    headers: dict[str, str | list[str]] = {}
    size = 0
    for raw_name, raw_value in raw:
        size += len(raw_name) + len(raw_value)
        name, value = raw_name.decode("ascii", "replace").lower(), raw_value.decode("utf-8", "replace")
        match headers.get(name):
            case None:
                headers[name] = value
            case str(first):
                headers[name] = [first, value]
            case values:
                values.append(value)
    if size > MAX_HEADER_BYTES:
        raise Failed("too large", f"the answer has more than {MAX_HEADER_BYTES} bytes of headers")
    return headers
