"""Strategies for property tests of routing: few names, so that routes and requests often match."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from uuid import UUID

from hypothesis import strategies as st

from picloud.routing.conflict import RoutePattern
from picloud.routing.hosts import ANY_HOST, HostPattern
from picloud.routing.paths import Segments
from picloud.routing.pattern import METHODS, Parameter, PathPattern
from picloud.routing.table import RouteTable

SCRIPT = UUID(int=9)
LITERALS = ("a", "b", "")
HOSTS = (
    ANY_HOST,
    HostPattern("strict", "x.t"),
    HostPattern("strict", "y.x.t"),
    HostPattern("wildcard", "x.t"),
    HostPattern("wildcard", "x.t", "sub"),
    HostPattern("wildcard", "t"),
)
NAMES = ("x.t", "y.x.t", "z.y.x.t", "w.t", "elsewhere")
ROUTED = (None, "GET", "HEAD", "POST")
ASKED = (*METHODS, "BREW")

requests = st.tuples(
    st.sampled_from(ASKED),
    st.sampled_from(NAMES),
    st.lists(st.sampled_from((*LITERALS, "c")), min_size=1, max_size=4).map(tuple),
)


@st.composite
def paths(draw: st.DrawFn) -> PathPattern:
    drawn = draw(st.lists(st.sampled_from((*LITERALS, ":")), max_size=3))
    names = itertools.count()
    segments = tuple(Parameter(f"p{next(names)}") if one == ":" else one for one in drawn)
    return PathPattern(segments, not segments or draw(st.booleans()))


route_patterns = st.builds(RoutePattern, st.sampled_from(ROUTED), st.sampled_from(HOSTS), paths())


def host_rank(pattern: HostPattern, host: str) -> tuple[int, int] | None:
    """How good a route's host is for a host, by the words of the specification; None when it is not."""
    if pattern.kind == "strict":
        return (0, 0) if host == pattern.name else None
    if pattern.kind == "wildcard":
        return (1, -pattern.name.count(".")) if host.endswith("." + pattern.name) else None
    return (2, 0)


def path_rank(pattern: PathPattern, segments: Segments) -> tuple[int, ...] | None:
    """The same of a path."""
    length = len(pattern.segments)
    if len(segments) <= length if pattern.prefix else len(segments) != length:
        return None
    leading, all_literal = 0, True
    for one, segment in zip(pattern.segments, segments, strict=False):
        if isinstance(one, Parameter):
            all_literal = False
            if not segment:
                return None
        elif one != segment:
            return None
        else:
            leading += all_literal
    if all_literal and not pattern.prefix:
        return (0,)
    return (1, -leading, int(pattern.prefix), -length)


def method_rank(own: str | None, method: str) -> int | None:
    """The same of a method."""
    if own == method:
        return 0
    if own == "GET" and method == "HEAD":
        return 1
    return 2 if own is None else None


def table_of(routes: Mapping[int, RoutePattern]) -> RouteTable:
    """A table of routes by the number that is their id."""
    table = RouteTable()
    for number, pattern in routes.items():
        table.put(UUID(int=number), SCRIPT, pattern)
    return table
