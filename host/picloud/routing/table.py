"""Method + path -> route, for all apps at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from picloud.errors import MethodNotAllowed, NotFound
from picloud.routing.paths import Segments, split_path


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One route as the table needs it.

    Attributes:
        id: the route.
        app_id: its app.
        script_id: the script that answers.
        method: an upper-case method, or None for any.
        path: canonical path as stored.
    """

    id: UUID
    app_id: UUID
    script_id: UUID
    method: str | None
    path: str


@dataclass(frozen=True, slots=True)
class Match:
    """What answers a request.

    Attributes:
        route: the route.
        params: path parameters by name.
        rest: what a prefix pattern left over, without its leading slash.
    """

    route: RouteEntry
    params: Mapping[str, str]
    rest: str


class RouteTable:
    """All routes of the instance, made once from the database's rows and never changed.

    Every app has a mapping from whole segment tuples to that path's matches by method; a pattern
    with parameters becomes another kind of node beside it, and `match` keeps its signature.
    """

    __slots__ = ("_apps",)

    def __init__(self, routes: Iterable[RouteEntry]) -> None:
        """Make the table.

        Args:
            routes: every route, with pairwise different (app, method, path).
        """
        self._apps: dict[UUID, dict[Segments, dict[str | None, Match]]] = {}
        for route in routes:
            paths = self._apps.setdefault(route.app_id, {})
            paths.setdefault(split_path(route.path), {})[route.method] = Match(route, {}, "")

    def match(self, app_id: UUID, method: str, segments: Segments) -> Match:
        """Find what answers a request.

        Args:
            app_id: the app its host belongs to.
            method: upper-case method; HEAD falls back to a GET route.
            segments: the decoded path.

        Returns:
            The route with the method where there is one, else the one for any method.

        Raises:
            NotFound: no route has this path.
            MethodNotAllowed: routes have this path, with other methods only.
        """
        methods = self._apps.get(app_id, {}).get(segments)
        if methods is None:
            raise NotFound("route", "/" + "/".join(segments))
        found = methods.get(method) or (methods.get("GET") if method == "HEAD" else None) or methods.get(None)
        if found is None:
            raise MethodNotAllowed(_allowed(methods))
        return found


def _allowed(methods: Mapping[str | None, Match]) -> list[str]:
    named = {method for method in methods if method is not None}
    return sorted(named | {"HEAD"} if "GET" in named else named)
