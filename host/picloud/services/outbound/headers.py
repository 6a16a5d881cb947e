"""Checks the headers of requests, and converts those of responses for scripts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from picloud import __version__
from picloud.core.interface import LIMITS
from picloud.services.outbound.errors import Denied, Failed

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Lower-case names and values, in order."""

MAX_HEADERS = LIMITS.number("max_http_headers")
MAX_HEADER_BYTES = 64 * 1024
MAX_RECEIVED_HEADERS = 1000

OURS = {"accept-encoding": "gzip, deflate"}
USER_AGENT = f"PiCloud/{__version__}"
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


def check_headers(given: Sequence[object], user_agent: str = USER_AGENT) -> Headers:
    """Check and complete the headers of a request.

    Args:
        given: pairs of name and value.
        user_agent: the User-Agent, unless the script sets one.

    Returns:
        The headers to send, without Host and the framing of the body.

    Raises:
        Denied: a header is denied; the message names it.
    """
    headers: list[tuple[str, str]] = []
    for pair in given:
        match pair:
            case [str(name), str(value)]:
                headers.append((_name(name), _value(name, value)))
            case _:
                raise Denied("header", "headers must be pairs of a name and a string")
    size = sum(len(name) + len(value.encode()) for name, value in headers)
    if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise Denied(
            "header", f"at most {MAX_HEADERS} headers with {MAX_HEADER_BYTES} bytes in total can be sent"
        )
    names = {name for name, _ in headers}
    defaults = {"accept": "*/*", "user-agent": user_agent}
    headers += [(name, value) for name, value in defaults.items() if name not in names]
    return (*headers, *OURS.items())


def without(headers: Headers, names: Iterable[str]) -> Headers:
    """Return headers without some names. Args: headers: all headers. names: lower-case names to remove."""
    return tuple(header for header in headers if header[0] not in names)


def check_secret(given: Sequence[object]) -> frozenset[str]:
    """Check the names of the headers that a script marked as secret. Returns: the names in lower case."""
    if len(given) > MAX_HEADERS:
        raise Denied("header", f"secret can name at most {MAX_HEADERS} headers")
    names = [name.lower() for name in given if isinstance(name, str) and _TOKEN.fullmatch(name)]
    if len(names) < len(given):
        raise Denied("header", "secret must be a list of header names")
    return frozenset(names)


def _name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise Denied("header", f"invalid header name {name[:100]!r}")
    name = name.lower()
    if name in _DENIED or name.startswith("proxy-"):
        raise Denied("header", f"scripts cannot set the header {name}")
    return name


def _value(name: str, value: str) -> str:
    if _CONTROL.search(value):
        raise Denied("header", f"header {name} contains a control character")
    return value.strip(" \t")


def received(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str | list[str]]:
    """Return the headers of a response for the script.

    Args:
        raw: names and values as received.

    Returns:
        Values by lower-case name; a list of values for a repeated name.

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
        raise Failed("too large", f"the response has more than {MAX_HEADER_BYTES} bytes of headers")
    return headers
