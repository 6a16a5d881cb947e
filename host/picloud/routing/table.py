"""Method, host and path -> route, for one app, in a time that does not grow with the number of routes.

Routes whose literal segments stand at the same places are of one shape, and a shape is one dictionary
from these segments to routes: a request is looked up once for each shape that fits its length, best
precedence first. A trie would do the same walk for one parameter per path, but where literals and
parameters stand side by side it must try both ways at every segment, so that a few routes of one
tenant could make a match take as long as they like. Here `MAX_SHAPES` look-ups are the worst case, for
every set of routes. (Known from packet classification: tuple space search, Srinivasan et al. 1999.)

A hundred thousand routes do not fit into a processor's nearest caches, so a look-up touches as little
as it can of what belongs to one route: its key, which is one string, and one tuple. A look-up that finds
nothing touches others' keys; so exact paths are a dictionary for each length, and most need not be asked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from picloud.core.errors import MethodNotAllowed, NotFound
from picloud.routing.conflict import RoutePattern
from picloud.routing.hosts import ANY_HOST, HostPattern
from picloud.routing.paths import Segments, join_path
from picloud.routing.pattern import Parameter, PathPattern

MAX_SHAPES = 128
"""Different shapes with parameters or `/*` an app may have on one host pattern."""

_OF_HOST = -1  # where a host parameter's value is, among the indexes of segments
_END = "\0"  # between the segments of a key; no segment holds it


class Routed(NamedTuple):
    """One route as the table has it.

    Attributes:
        id: the route.
        script_id: the script that handles the requests.
        method: an upper-case method, or None for any.
        binds: names of parameters with the index of the segment each binds.
        shape: the routes it is looked up with.
        key: what it is found by among them.
    """

    id: UUID
    script_id: UUID
    method: str | None
    binds: tuple[tuple[str, int], ...]
    shape: Shape
    key: str


class Match(NamedTuple):
    """The route that matches a request.

    Attributes:
        route: the route.
        params: path and host parameters by name.
        rest: the part behind a prefix pattern: decoded segments joined by slashes.
    """

    route: Routed
    params: dict[str, str]
    rest: str


Found = Routed | tuple[Routed, ...]
"""Routes that differ in their method only; nearly always one."""


class Shape:
    """The routes of one host pattern that have their literal segments at the same places.

    Attributes:
        name: which places these are (see `RoutePattern.shape`).
        kind: of their paths.
        length: number of segments.
        order: precedence, least first.
        routes: literal segments -> routes.
    """

    __slots__ = ("_blanks", "_pick", "bucket", "kind", "length", "name", "order", "routes")

    def __init__(self, bucket: Bucket, name: str, path: PathPattern) -> None:
        """Args: bucket: of its host. name: of the shape. path: a path of this shape."""
        self.bucket = bucket
        self.name = name
        self.kind = path.kind
        self.length = len(path.segments)
        self.order = (-len(path.leading), path.prefix, -self.length)
        self.routes: dict[str, Found] = {}
        self._blanks = tuple(at for _, at in path.parameters)
        literals = [at for at, one in enumerate(path.segments) if not isinstance(one, Parameter)]
        self._pick: Callable[[Any], Any] = itemgetter(*literals) if literals else lambda _: ""

    def key(self, segments: tuple[object, ...]) -> str:
        """The literal segments of a path that is long enough, or of a pattern, as one text."""
        picked = self._pick(segments)
        return picked if isinstance(picked, str) else _END.join(picked)

    def find(self, segments: Segments) -> tuple[Routed, ...]:
        """The routes that match a path which is long enough."""
        found = self.routes.get(self.key(segments))
        if found is None or ("" in segments and any(segments[at] == "" for at in self._blanks)):
            return ()
        return (found,) if isinstance(found, Routed) else found

    def add(self, route: Routed) -> None:
        """Add a route."""
        others = self.routes.get(route.key)
        if others is None:
            self.routes[route.key] = route
        else:
            self.routes[route.key] = (*((others,) if isinstance(others, Routed) else others), route)

    def remove(self, route: Routed) -> None:
        """Take a route out."""
        found = self.routes[route.key]
        left = () if isinstance(found, Routed) else tuple(one for one in found if one is not route)
        if left:
            self.routes[route.key] = left[0] if len(left) == 1 else left
        else:
            del self.routes[route.key]


class Bucket:
    """The routes of one host pattern.

    Attributes:
        host: the host pattern, without the name of its parameter.
        shapes: those with parameters or `/*`, by name.
    """

    __slots__ = ("_exact", "_ranks", "host", "shapes")

    def __init__(self, host: HostPattern) -> None:
        self.host = host
        self.shapes: dict[str, Shape] = {}
        self._exact: dict[int, Shape] = {}  # by length
        # At the index of a path's length the shapes that can match it, those of equal precedence together;
        # the last is for every longer path. Empty until it is needed.
        self._ranks: list[list[list[Shape]]] = []

    def shape(self, pattern: RoutePattern) -> Shape:
        """The bucket of a route, created if missing."""
        name, length = pattern.shape, len(pattern.path.segments)
        shape = self.shapes.get(name) if name else self._exact.get(length)
        if shape is None:
            shape = Shape(self, name, pattern.path)
            if name:
                self.shapes[name] = shape
                self._ranks.clear()
            else:
                self._exact[length] = shape
        return shape

    def remove(self, route: Routed) -> None:
        """Take a route out."""
        shape = route.shape
        shape.remove(route)
        if shape.routes:
            return
        if shape.name:
            del self.shapes[shape.name]
            self._ranks.clear()
        else:
            del self._exact[shape.length]

    def match(self, method: str, segments: Segments, others: list[str]) -> Routed | None:
        """Find the route for a request.

        Args:
            method: upper case.
            segments: the decoded path.
            others: the methods of routes that have the path, but not the method, are added to it.

        Returns:
            The best route, or None.
        """
        exact = self._exact.get(len(segments))
        if exact is not None:
            found = exact.routes.get(_END.join(segments))
            if isinstance(found, Routed) and found.method == method:  # most requests
                return found
            if found is not None:
                route = _choose((found,) if isinstance(found, Routed) else found, method, others)
                if route is not None:
                    return route
        if not self.shapes:
            return None
        ranks = self._ranks or self._rank()
        for rank in ranks[min(len(segments), len(ranks) - 1)]:
            fitting = rank[0].find(segments)
            for shape in rank[1:]:
                fitting += shape.find(segments)
            if fitting:
                route = _choose(fitting, method, others)
                if route is not None:
                    return route
        return None

    def _rank(self) -> list[list[list[Shape]]]:
        shapes = sorted(self.shapes.values(), key=lambda shape: shape.order)
        for length in range(max(shape.length for shape in shapes) + 2):
            fitting = [
                one
                for one in shapes
                if (one.length < length if one.kind == "prefix" else one.length == length)
            ]
            self._ranks.append([list(equal) for _, equal in groupby(fitting, key=lambda shape: shape.order)])
        return self._ranks


class RouteTable:
    """The routes of one app."""

    __slots__ = ("_any", "_below", "_routes", "_shared", "_strict")

    def __init__(self) -> None:
        self._routes: dict[UUID, Routed] = {}
        self._any = Bucket(ANY_HOST)
        self._strict: dict[str, Bucket] = {}
        self._below: dict[str, Bucket] = {}
        self._shared: dict[Any, Any] = {}  # values that many routes have, once

    def __len__(self) -> int:
        """How many routes there are."""
        return len(self._routes)

    def put(self, route_id: UUID, script_id: UUID, pattern: RoutePattern) -> None:
        """Add a route, in place of the one with its id where there is one; it must not conflict with any.

        Args:
            script_id: the script that handles the requests.
            pattern: the requests it matches.
        """
        self.drop(route_id)
        binds = pattern.path.parameters
        if pattern.host.parameter is not None:
            binds += ((pattern.host.parameter, _OF_HOST),)
        shape = self._bucket(pattern.host).shape(pattern)
        route = Routed(
            route_id,
            self._shared.setdefault(script_id, script_id),
            pattern.method and sys.intern(pattern.method),
            self._shared.setdefault(binds, binds),
            shape,
            shape.key(pattern.path.segments),
        )
        shape.add(route)
        self._routes[route_id] = route

    def drop(self, route_id: UUID) -> None:
        """Take a route out, if it is there."""
        route = self._routes.pop(route_id, None)
        if route is not None:
            route.shape.bucket.remove(route)

    def match(self, method: str, host: str, segments: Segments) -> Match:
        """Find the route that matches a request.

        Routes of the very host come first, then those of the longest wildcard, last those of any host;
        the next ones are asked only when no path of these matches.

        Args:
            method: upper-case method; HEAD matches GET routes too.
            host: the host's name (see `host_name`).
            segments: the decoded path.

        Returns:
            The route, with what its patterns bind.

        Raises:
            NotFound: no route has this path.
            MethodNotAllowed: routes have this path, with other methods only.
        """
        for bucket in self._buckets(host) if self._strict or self._below else (self._any,):
            others: list[str] = []
            route = bucket.match(method, segments, others)
            if route is not None:
                return _bind(route, host, segments)
            if others:
                raise MethodNotAllowed(_allowed(others))
        raise NotFound("route", join_path(segments))

    def _bucket(self, host: HostPattern) -> Bucket:
        if host.kind == "any":
            return self._any
        buckets = self._strict if host.kind == "strict" else self._below
        bucket = buckets.get(host.name)
        if bucket is None:
            bucket = buckets[host.name] = Bucket(host)
        return bucket

    def _buckets(self, host: str) -> Iterator[Bucket]:
        """The routes of a host, the most specific first."""
        if host in self._strict:
            yield self._strict[host]
        rest = host
        while rest:
            rest = rest.partition(".")[2]
            if rest in self._below:
                yield self._below[rest]
        yield self._any


def _choose(found: tuple[Routed, ...], method: str, others: list[str]) -> Routed | None:
    """Of routes that differ in method only, that with the method, else GET for HEAD, else that for any."""
    get = any_ = None
    for route in found:
        own = route.method
        if own == method:
            return route
        if own is None:
            any_ = route
        else:
            others.append(own)
            if own == "GET":
                get = route
    return (get if method == "HEAD" else None) or any_


def _bind(route: Routed, host: str, segments: Segments) -> Match:
    shape = route.shape
    if shape.kind == "exact" and not route.binds:
        return Match(route, {}, "")
    params = {
        name: segments[at] if at != _OF_HOST else host[: -len(shape.bucket.host.name) - 1]
        for name, at in route.binds
    }
    return Match(route, params, "/".join(segments[shape.length :]) if shape.kind == "prefix" else "")


def _allowed(methods: list[str]) -> list[str]:
    """The value of Allow; OPTIONS is always included."""
    return sorted({*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))
