"""Methods and path patterns of routes: parsing, checks and the stored form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from picloud.core.errors import BadRequest, Invalid
from picloud.routing.paths import Segments, decode_segment, join_path

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MAX_PATH = 2048
MAX_SEGMENTS = 64
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
"""Valid parameter names."""

RESERVED = ("api", "admin", "healthz", "readyz", "version", "metrics", "realtime")
"""First segments that are PiCloud's own on every host."""

_RESERVED_SUBTREES = frozenset({"api", "realtime"})
_RESERVED_NAMES = frozenset({"healthz", "readyz", "version", "metrics"})

PathKind: TypeAlias = Literal["exact", "param", "prefix"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A segment that matches any non-empty segment. Attributes: name: of the parameter."""

    name: str


@dataclass(frozen=True, slots=True)
class PathPattern:
    """The paths that a route matches.

    Attributes:
        segments: literal segments, decoded, and parameters; none at all for `/*`.
        prefix: it ends in `/*`: at least one more segment follows, which may be empty. So `/a/*` matches
            everything that begins with `/a/`, and not `/a`.
    """

    segments: tuple[str | Parameter, ...]
    prefix: bool = False

    def __str__(self) -> str:
        """The canonical text: `parse_path` gives the pattern back."""
        parts = [
            ":" + segment.name if isinstance(segment, Parameter) else join_path((segment,))[1:]
            for segment in self.segments
        ]
        return "/" + "/".join([*parts, "*"] if self.prefix else parts)

    @property
    def kind(self) -> PathKind:
        """The public name of the kind: "prefix" if it ends in `/*`, else "param" or "exact"."""
        if self.prefix:
            return "prefix"
        return "param" if self.parameters else "exact"

    @property
    def parameters(self) -> tuple[tuple[str, int], ...]:
        """Names with the index of the segment each binds."""
        return tuple(
            (segment.name, at) for at, segment in enumerate(self.segments) if isinstance(segment, Parameter)
        )

    @property
    def leading(self) -> Segments:
        """The literal segments before the first parameter."""
        literals: list[str] = []
        for segment in self.segments:
            if isinstance(segment, Parameter):
                break
            literals.append(segment)
        return tuple(literals)


def is_reserved(segments: Segments) -> bool:
    """Return whether a path belongs to PiCloud itself.

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
        raise Invalid(f"{method!r} is not a method of routes", field="method", known=list(METHODS))
    return upper


def parse_path(path: str) -> PathPattern:
    """Read a route's path pattern.

    Segments are literal, or `:name` for a parameter, and a last one may be `*`. What is
    percent-encoded is always literal: `/%3Aid` is the path `/:id`.

    Args:
        path: the pattern as a person writes it, percent-encoded or not.

    Returns:
        The pattern.

    Raises:
        Invalid: it is broken or reserved; the message says why.
    """
    if len(path) > MAX_PATH:
        raise _invalid(f"a path can have at most {MAX_PATH} characters")
    if "?" in path or "#" in path:
        raise _invalid("a path has no query and no fragment")
    if not path.startswith("/"):
        raise _invalid("a path starts with '/'")
    raw = path[1:].split("/")
    prefix = raw[-1] == "*"
    if prefix:
        raw.pop()
    if len(raw) > MAX_SEGMENTS:
        raise _invalid(f"a path can have at most {MAX_SEGMENTS} segments")
    pattern = PathPattern(tuple([_segment(one) for one in raw]), prefix)
    names = [name for name, _ in pattern.parameters]
    for name in names:
        if names.count(name) > 1:
            raise _invalid(f"the parameter {name!r} is there twice")
    # Every path that the pattern matches begins with its leading segments; a reserved one among them is
    # decided by the first and by whether others follow.
    leading = pattern.leading
    if leading and is_reserved(leading[:1] if len(pattern.segments) == 1 and not prefix else (*leading, "")):
        raise _invalid("this path is reserved for PiCloud itself", reserved=list(RESERVED))
    return pattern


def _segment(raw: str) -> str | Parameter:
    if raw.startswith(":"):
        if not NAME.fullmatch(raw[1:]):
            raise _invalid(
                "a parameter is ':' and a name: up to 64 letters, digits and underscores, not a digit first"
            )
        return Parameter(raw[1:])
    if ":" in raw:
        raise _invalid("a ':' in the middle of a segment is not allowed: a parameter is a whole segment")
    if "*" in raw:
        raise _invalid("a '*' stands alone and last, as in '/files/*'")
    if "{" in raw or "}" in raw:
        raise _invalid("braces are reserved in a path: a parameter is written ':name'")
    try:
        return decode_segment(raw)
    except BadRequest as error:
        raise _invalid(error.message) from None


def _invalid(message: str, **details: object) -> Invalid:
    return Invalid(message, field="path", **details)
