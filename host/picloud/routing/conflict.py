"""Conflicts: two routes of an app that match the same request with equal precedence."""

from __future__ import annotations

from dataclasses import dataclass

from picloud.routing.hosts import HostPattern
from picloud.routing.paths import join_path
from picloud.routing.pattern import Parameter, PathPattern


@dataclass(frozen=True, slots=True)
class RoutePattern:
    """The requests that a route matches.

    Attributes:
        method: an upper-case method, or None for any.
        host: its host part.
        path: its path part.
    """

    method: str | None
    host: HostPattern
    path: PathPattern

    @property
    def stem(self) -> str:
        """What conflicting routes have in common besides the method: host, precedence, leading segments.

        An exact route's is its whole path, so that among a hundred thousand routes few have the same.
        """
        path = self.path
        if path.kind == "exact":
            return f"{self.host.shape} exact {path}"
        leading = join_path(path.leading) if path.leading else ""
        return f"{self.host.shape} {path.kind} {len(path.segments)} {leading}"

    @property
    def tail(self) -> list[str | None]:
        """The segments after the leading ones, None for a parameter; with the stem it is the whole path."""
        behind = self.path.segments[len(self.path.leading) :]
        return [None if isinstance(segment, Parameter) else segment for segment in behind]

    @property
    def shape(self) -> str:
        """What routes have in common that are looked up together (see `table.py`); empty for exact paths."""
        if self.path.kind == "exact":
            return ""
        places = "".join(":" if isinstance(one, Parameter) else "-" for one in self.path.segments)
        return f"{places}*" if self.path.prefix else places


def conflict(one: RoutePattern, other: RoutePattern) -> bool:
    """Return whether some request is matched by both with equal precedence.

    Args:
        one: a route.
        other: another route of the same app.

    Returns:
        True exactly then: their methods are the same, their hosts have the same shape, their paths are of
        the same kind and length with as many leading segments, and no segment keeps them apart.
    """
    # GET and any match HEAD too, but each with its own precedence.
    return (
        one.method == other.method
        and one.host.shape == other.host.shape
        and one.path.kind == other.path.kind
        and len(one.path.segments) == len(other.path.segments)
        and len(one.path.leading) == len(other.path.leading)
        and all(map(_meet, one.path.segments, other.path.segments))
    )


def _meet(one: str | Parameter, other: str | Parameter) -> bool:
    """Whether one segment of a request can match both."""
    if isinstance(one, Parameter):
        return isinstance(other, Parameter) or other != ""
    if isinstance(other, Parameter):
        return one != ""
    return one == other
