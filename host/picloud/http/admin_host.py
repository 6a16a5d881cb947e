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
        """Make it. Args: name: the host, as `routing.hosts` writes it."""
        self._name = name

    def only(self, handler: Handler) -> Handler:
        """Let a handler answer on this host only. Args: handler: of the admin API or the dashboard."""

        async def answer(request: web.Request) -> web.StreamResponse:
            if not self._asked(request):
                raise NotFound("page", request.path)
            return await handler(request)

        return answer

    def apart(self, handler: Handler) -> Handler:
        """Keep the apps off this host, and off all others that there is an admin API.

        Args:
            handler: answers what no handler of PiCloud's own has.
        """

        async def answer(request: web.Request) -> web.StreamResponse:
            segments = split_path(request.raw_path.partition("?")[0])
            if self._asked(request) != is_reserved(segments) and not _is_everywhere(segments):
                raise NotFound("page", request.path)
            return await handler(request)

        return answer

    async def defuse(self, request: web.Request, response: web.StreamResponse) -> None:
        """Give a page of a script that is executed by id on this host an origin of its own.

        Args:
            request: any.
            response: before it is sent.
        """
        if "script_id" in request.match_info and self._asked(request):
            response.headers.add("Content-Security-Policy", "sandbox")

    def _asked(self, request: web.Request) -> bool:
        return host_name(peer(request).host) == self._name


def _is_everywhere(segments: Segments) -> bool:
    """Whether a reserved path is one that answers on every host: health, and scripts by id."""
    return is_reserved(segments) and (
        segments[0] not in ("api", "admin") or tuple(segments[:3]) == ("api", "v1", "execute")
    )
