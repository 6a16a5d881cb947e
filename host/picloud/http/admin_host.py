"""The one host the admin API and the dashboard answer on, where the operator names one.

A page that a script serves on the host where someone is logged in by cookie acts as them: to a browser it is
the same origin. So on this host no script's page is served, and on no other host is the admin API.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from picloud.core.errors import NotFound
from picloud.http.edge.peer import peer
from picloud.routing.hosts import host_name
from picloud.routing.paths import Segments, split_path
from picloud.routing.pattern import is_reserved


class AdminHost:
    """Keeps what is PiCloud's own and what is the apps' apart, by the host that is asked."""

    def __init__(self, name: str) -> None:
        """Create it; `name` is the host as normalized by `routing.hosts`."""
        self._name = name

    def require(self, handler: Handler) -> Handler:
        """Let a handler answer on this host only. Args: handler: of the admin API or the dashboard."""

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

    async def sandbox_scripts(self, request: web.Request, response: web.StreamResponse) -> None:
        """Sandbox the response of a script executed by id on this host, so that it has its own origin."""
        if "script_id" in request.match_info and self._is_requested(request):
            response.headers.add("Content-Security-Policy", "sandbox")

    def _is_requested(self, request: web.Request) -> bool:
        return host_name(peer(request).host) == self._name


def _is_on_all_hosts(segments: Segments) -> bool:
    """Report whether a reserved path is served on all hosts: health checks and scripts by id."""
    return is_reserved(segments) and (
        segments[0] not in ("api", "admin") or tuple(segments[:3]) == ("api", "v1", "execute")
    )
