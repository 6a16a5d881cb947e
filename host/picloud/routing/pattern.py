"""What a route may say: method, host and path, checked and brought into the form that is stored."""

from __future__ import annotations

from picloud.errors import BadRequest, Invalid
from picloud.routing.paths import Segments, join_path, split_path

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MAX_PATH = 2048

RESERVED = ("api", "admin", "healthz", "readyz", "version", "metrics", "realtime")
"""First segments that are PiCloud's own on every host."""

_RESERVED_SUBTREES = frozenset({"api", "realtime"})
_RESERVED_NAMES = frozenset({"healthz", "readyz", "version", "metrics"})


def is_reserved(segments: Segments) -> bool:
    """Tell whether a path belongs to PiCloud itself.

    Args:
        segments: decoded segments of the path.

    Returns:
        True for `/api/...`, `/realtime/...`, `/admin`, `/admin/...`, `/healthz`, `/readyz`,
        `/version` and `/metrics`.
    """
    first = segments[0]
    if len(segments) == 1:
        return first in _RESERVED_NAMES or first == "admin"
    return first in _RESERVED_SUBTREES or first == "admin"


def parse_method(method: str | None) -> str | None:
    """Check a route's method.

    Args:
        method: a method in any case, or None for any method.

    Returns:
        The method in upper case, or None.

    Raises:
        Invalid: it is none of `METHODS`.
    """
    if method is None:
        return None
    upper = method.upper()
    if upper not in METHODS:
        raise Invalid(f"{method!r} is no method a route can have", field="method", known=list(METHODS))
    return upper


def parse_path(path: str) -> str:
    """Check a route's path pattern; exact paths are all there is so far.

    Args:
        path: the pattern as a person writes it, percent-encoded or not.

    Returns:
        The canonical path (see `join_path`).

    Raises:
        Invalid: the pattern is broken, reserved or not exact; the message says which.
    """
    if len(path) > MAX_PATH:
        raise Invalid(f"a path has at most {MAX_PATH} characters", field="path")
    if "?" in path or "#" in path:
        raise Invalid("a path has no query and no fragment", field="path")
    try:
        segments = split_path(path)
    except BadRequest as error:
        raise Invalid(error.message, field="path") from None
    for segment in path[1:].split("/"):
        if "*" in segment:
            raise Invalid("only exact paths can be routed; a '*' prefix cannot yet", field="path")
        if segment.startswith(":"):
            raise Invalid("only exact paths can be routed; a ':parameter' cannot yet", field="path")
        if ":" in segment:
            raise Invalid("a ':' in the middle of a segment is not allowed", field="path")
        if "{" in segment or "}" in segment:
            raise Invalid("braces are reserved in a path", field="path")
    if is_reserved(segments):
        raise Invalid("this path is reserved for PiCloud itself", field="path", reserved=list(RESERVED))
    return join_path(segments)


def parse_host(host: str) -> str:
    """Check a route's host part; `any` (every host the app claims) is all there is so far.

    Args:
        host: the host part as it came.

    Returns:
        `any`.

    Raises:
        Invalid: it is something else.
    """
    if host != "any":
        raise Invalid(
            "a route answers on every host of its app ('any'); a host of its own cannot be given yet",
            field="host",
        )
    return host
