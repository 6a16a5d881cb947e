"""Explains which route matches a URL, and why."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from picloud.core.errors import BadRequest, Invalid, MethodNotAllowed, NotFound
from picloud.routing.domains import DomainTable
from picloud.routing.paths import split_path
from picloud.routing.pattern import is_reserved
from picloud.routing.table import Match, RouteTable

_HOSTS = {
    "any": "a route of any host",
    "strict": "a route of this very host",
    "wildcard": "a route of a wildcard host",
}
_PATHS = {"exact": "whose path is exactly this", "param": "with parameters", "prefix": "for all below a path"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What happens to a request.

    Attributes:
        match: the route that matches, or None.
        reason: why, as a sentence.
    """

    match: Match | None
    reason: str


def explain(domains: DomainTable, routes: RouteTable, app_id: UUID, method: str, url: str) -> Explanation:
    """Explain what an app does with a request.

    Args:
        domains: all claims.
        routes: the app's routes.
        method: in any case.
        url: `https://host/path?query`; a path alone stands for a host that only routes of any host name.

    Returns:
        The route and the reason.

    Raises:
        Invalid: it is not a URL.
    """
    try:
        parts = urlsplit(url)
        authority = parts.netloc.rpartition("@")[2]
    except ValueError:
        raise Invalid("not a URL", field="url") from None
    if (parts.scheme or authority) and (parts.scheme not in ("http", "https") or not authority):
        raise Invalid("a URL is https://host/path, or a path alone", field="url")
    try:
        segments = split_path(parts.path or "/")
    except BadRequest as error:
        return Explanation(None, f"a bad request: {error.message}")
    if is_reserved(segments):
        return Explanation(None, "the path is reserved for PiCloud itself")
    host = ""
    if authority:
        found = domains.find(authority)
        if found is None or found[0] != app_id:  # alike, as callers may not know of other apps
            return Explanation(None, "the app has not claimed the host")
        host = found[1]
    method = method.upper()
    try:
        match = routes.match(method, host, segments)
    except NotFound:
        return Explanation(None, "no route has this path")
    except MethodNotAllowed as error:
        return Explanation(None, f"the path matches with other methods only: {error.headers['Allow']}")
    route = match.route
    own = {None: "for any method", method: f"for {method}"}.get(
        route.method, "for GET, which also matches HEAD"
    )
    return Explanation(match, f"{_HOSTS[route.shape.bucket.host.kind]} {_PATHS[route.shape.kind]}, {own}")
