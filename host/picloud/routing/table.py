"""Method, host and path -> route, for one app, in a time that does not grow with the number of routes.

Routes whose literal segments stand at the same places are of one shape, and a shape is one dictionary
from these segments to routes: a request is looked up once for each shape that fits its length, best
precedence first. A trie would do the same walk for one parameter per path, but where literals and
parameters stand side by side it must try both ways at every segment, so that a few routes of one
tenant could make a match take as long as they like. Here `MAX_SHAPES` look-ups are the worst case, for
every set of routes. (Known from packet classification: tuple space search, Srinivasan et al. 1999.)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from picloud.errors import MethodNotAllowed, NotFound
from picloud.routing.conflict import RoutePattern
from picloud.routing.paths import Segments, join_path
from picloud.routing.pattern import Parameter, PathPattern

MAX_SHAPES = 128
"""Different shapes with parameters or `/*` an app may have on one host pattern."""


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One route as the table needs it.

    Attributes:
        id: the route.
        script_id: the script that answers.
        pattern: the requests it answers.
    """

    id: UUID
    script_id: UUID
    pattern: RoutePattern


class Match(NamedTuple):
    """What answers a request.

    Attributes:
        route: the route.
        params: path and host parameters by name.
        rest: what a prefix pattern left over: decoded segments joined by slashes.
    """

    route: RouteEntry
    params: dict[str, str]
    rest: str


Entries = tuple[RouteEntry, ...]


class _Shape:
    """The routes with parameters at the same places: literal segments -> routes."""

    __slots__ = ("blanks", "entries", "length", "order", "pick", "prefix")

    def __init__(self, path: PathPattern) -> None:
        literals = [at for at, one in enumerate(path.segments) if not isinstance(one, Parameter)]
        self.length = len(path.segments)
        self.prefix = path.prefix
        self.blanks = tuple(at for _, at in path.parameters)
        self.order = (-len(path.leading), path.prefix, -self.length)
        self.pick: Callable[[tuple[str | Parameter, ...]], Hashable] = (
            itemgetter(*literals) if literals else lambda _: None
        )
        self.entries: dict[Hashable, Entries] = {}

    def find(self, segments: Segments) -> Entries:
        """The routes that match a path which is long enough."""
        found = self.entries.get(self.pick(segments), ())
        if found and "" in segments and any(segments[at] == "" for at in self.blanks):
            return ()
        return found


class _Bucket:
    """The routes of one host pattern."""

    __slots__ = ("exact", "ranks", "shapes")

    def __init__(self) -> None:
        self.exact: dict[Hashable, Entries] = {}
        self.shapes: dict[str, _Shape] = {}
        # At the index of a path's length the shapes that can match it, those of equal precedence together;
        # the last is for every longer path. Empty until it is needed.
        self.ranks: list[list[list[_Shape]]] = []

    def add(self, entry: RouteEntry) -> None:
        entries, key = self._place(entry)
        entries[key] = (*entries.get(key, ()), entry)

    def remove(self, entry: RouteEntry) -> None:
        entries, key = self._place(entry)
        left = tuple(one for one in entries[key] if one.id != entry.id)
        if left:
            entries[key] = left
            return
        del entries[key]
        if not entries and self.shapes.pop(entry.pattern.shape, None) is not None:
            self.ranks.clear()

    def match(self, method: str, segments: Segments, others: set[str]) -> RouteEntry | None:
        """The route for a request; methods of routes that have its path only are added to `others`."""
        found = self.exact.get(segments)
        if found is not None:
            entry = _choose(found, method, others)
            if entry is not None:
                return entry
        if not self.shapes:
            return None
        ranks = self.ranks or self._rank()
        for rank in ranks[min(len(segments), len(ranks) - 1)]:
            found = rank[0].find(segments)
            for shape in rank[1:]:
                found += shape.find(segments)
            if found:
                entry = _choose(found, method, others)
                if entry is not None:
                    return entry
        return None

    def _place(self, entry: RouteEntry) -> tuple[dict[Hashable, Entries], Hashable]:
        """Where an entry belongs: a dictionary and its key there."""
        path = entry.pattern.path
        if path.kind == "exact":
            return self.exact, path.segments
        name = entry.pattern.shape
        shape = self.shapes.get(name)
        if shape is None:
            shape = self.shapes[name] = _Shape(path)
            self.ranks.clear()
        return shape.entries, shape.pick(path.segments)

    def _rank(self) -> list[list[list[_Shape]]]:
        shapes = sorted(self.shapes.values(), key=lambda shape: shape.order)
        for length in range(max(shape.length for shape in shapes) + 2):
            fitting = [one for one in shapes if (one.length < length if one.prefix else one.length == length)]
            self.ranks.append([list(equal) for _, equal in groupby(fitting, key=lambda shape: shape.order)])
        return self.ranks


class RouteTable:
    """The routes of one app."""

    __slots__ = ("_any", "_below", "_routes", "_strict")

    def __init__(self, routes: Iterable[RouteEntry] = ()) -> None:
        """Make the table.

        Args:
            routes: the app's routes, no two of which conflict.
        """
        self._routes: dict[UUID, RouteEntry] = {}
        self._any = _Bucket()
        self._strict: dict[str, _Bucket] = {}
        self._below: dict[str, _Bucket] = {}
        for route in routes:
            self.put(route)

    def __len__(self) -> int:
        """How many routes there are."""
        return len(self._routes)

    def put(self, route: RouteEntry) -> None:
        """Add a route, in place of the one with its id where there is one."""
        self.drop(route.id)
        self._routes[route.id] = route
        self._bucket(route).add(route)

    def drop(self, route_id: UUID) -> None:
        """Take a route out, if it is there."""
        route = self._routes.pop(route_id, None)
        if route is not None:
            self._bucket(route).remove(route)

    def match(self, method: str, host: str, segments: Segments) -> Match:
        """Find what answers a request.

        Routes of the very host come first, then those of the longest wildcard, last those of any host;
        the next ones are asked only when no path of these matches.

        Args:
            method: upper-case method; HEAD is answered by GET routes too.
            host: the host's name (see `host_name`).
            segments: the decoded path.

        Returns:
            The route, with what its patterns bind.

        Raises:
            NotFound: no route has this path.
            MethodNotAllowed: routes have this path, with other methods only.
        """
        for bucket in self._buckets(host) if self._strict or self._below else (self._any,):
            others: set[str] = set()
            route = bucket.match(method, segments, others)
            if route is not None:
                return _bind(route, host, segments)
            if others:
                raise MethodNotAllowed(_allowed(others))
        raise NotFound("route", join_path(segments))

    def _bucket(self, route: RouteEntry) -> _Bucket:
        host = route.pattern.host
        if host.kind == "any":
            return self._any
        buckets = self._strict if host.kind == "strict" else self._below
        return buckets.setdefault(host.name, _Bucket())

    def _buckets(self, host: str) -> Iterator[_Bucket]:
        """The routes that can answer on a host, the most specific first."""
        if host in self._strict:
            yield self._strict[host]
        rest = host
        while rest:
            rest = rest.partition(".")[2]
            if rest in self._below:
                yield self._below[rest]
        yield self._any


def _choose(found: Entries, method: str, others: set[str]) -> RouteEntry | None:
    """Of routes that differ in method only, that with the method, else GET for HEAD, else that for any."""
    get = any_ = None
    for entry in found:
        own = entry.pattern.method
        if own == method:
            return entry
        if own is None:
            any_ = entry
        else:
            others.add(own)
            if own == "GET":
                get = entry
    return (get if method == "HEAD" else None) or any_


def _bind(route: RouteEntry, host: str, segments: Segments) -> Match:
    path, on = route.pattern.path, route.pattern.host
    params: dict[str, str] = {}
    for at, segment in enumerate(path.segments):
        if isinstance(segment, Parameter):
            params[segment.name] = segments[at]
    if on.parameter is not None:
        params[on.parameter] = host[: -len(on.name) - 1]
    return Match(route, params, "/".join(segments[len(path.segments) :]) if path.prefix else "")


def _allowed(methods: set[str]) -> list[str]:
    """What Allow says: OPTIONS is answered everywhere."""
    return sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))
