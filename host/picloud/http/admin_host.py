"""The dedicated host of the admin API and dashboard, if the operator sets one.

A script's page on the host where a user is logged in has the same origin, so it could act as that user. So
this host serves no pages of scripts, and other hosts do not serve the admin API.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from picloud.core.errors import NotFound
from picloud.http.edge.peer import peer
from picloud.routing.hosts import host_name
from picloud.routing.paths import Segments, split_path
from picloud.routing.pattern import is_reserved

_CONTAINED = frozenset(
    (
        "accept-ranges",
        "age",
        "allow",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-location",
        "content-range",
        "content-security-policy",
        "content-type",
        "date",
        "etag",
        "expires",
        "last-modified",
        "location",
        "referrer-policy",
        "retry-after",
        "vary",
        "x-content-type-options",
        "x-execution-id",
        "x-frame-options",
    )
)
"""Headers of a script's response on this host, in lower case."""


class AdminHost:
    """Separates the admin API from the apps by host."""

    def __init__(self, name: str) -> None:
        """Create it; `name` is the host as normalized by `routing.hosts`."""
        self._name = name

    def require(self, handler: Handler) -> Handler:
        """Restrict a handler of the admin API or the dashboard to this host."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if not self._is_requested(request):
                raise NotFound("page", request.path)
            return await handler(request)

        return handle

    def separate(self, handler: Handler) -> Handler:
        """Restrict the handler of the apps: no routes on this host, no reserved paths on other hosts."""

        async def handle(request: web.Request) -> web.StreamResponse:
            segments = split_path(request.raw_path.partition("?")[0])
            if self._is_requested(request) != is_reserved(segments) and not _is_on_all_hosts(segments):
                raise NotFound("page", request.path)
            return await handler(request)

        return handle

    def contain(self, handler: Handler) -> Handler:
        """Contain the responses of scripts on this host: headers of a list only, and an origin of its own.

        Any other header can reach beyond the response: `Clear-Site-Data` logs the user out,
        `Strict-Transport-Security` and `NEL` apply to the whole host, and large cookies lock the user out.
        """

        async def handle(request: web.Request) -> web.StreamResponse:
            response = await handler(request)
            if self._is_requested(request):
                for name in {name.lower() for name in response.headers} - _CONTAINED:
                    response.headers.popall(name)
                response.headers.add("Content-Security-Policy", "sandbox")
            return response

        return handle

    def _is_requested(self, request: web.Request) -> bool:
        return host_name(peer(request).host) == self._name


def _is_on_all_hosts(segments: Segments) -> bool:
    """Report whether a reserved path is served on all hosts: health checks and scripts by id."""
    return is_reserved(segments) and (
        segments[0] not in ("api", "admin") or tuple(segments[:3]) == ("api", "v1", "execute")
    )
