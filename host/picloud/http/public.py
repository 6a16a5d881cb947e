"""The data plane: one request -> the script that answers it."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from picloud.errors import BadRequest, MethodNotAllowed, NotFound, PicloudError, UnknownHost
from picloud.http.invoke import invoke
from picloud.http.services import Services
from picloud.routing.paths import split_path
from picloud.routing.pattern import is_reserved


class CatchAll(web.PlainResource):
    """Every path that no other resource has; a pattern would cost the data plane a match a request."""

    def __init__(self, handler: Handler) -> None:
        """Make it. Args: handler: what answers, whatever the method."""
        super().__init__("/")
        self.add_route("*", handler)

    def _match(self, path: str) -> dict[str, str] | None:
        return {}


class Public:
    """Answers what is not PiCloud's own."""

    def __init__(self, services: Services) -> None:
        """Make it."""
        self._services = services

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request: host -> app, method and path -> route, route -> script.

        Args:
            request: any request that no other handler has.

        Returns:
            The script's response.

        Raises:
            NotFound, MethodNotAllowed, UnknownHost: nothing answers.
            BadRequest, BodyTooLarge, RequestTimeout: the request cannot be read.
        """
        target, host = _target(request)
        segments = split_path(target)
        if is_reserved(segments):
            raise await _nothing_of_our_own(request)
        tables = await self._services.directory.tables()
        app_id = tables.domains.find(host)
        if app_id is None:
            raise UnknownHost(host)
        match = tables.routes.match(app_id, request.method, segments)
        live = await self._services.live_scripts.get(match.route.script_id)
        return await invoke(
            self._services,
            request,
            live.version,
            ingress="route",
            path="/" + "/".join(segments),
            params=match.params,
            rest=match.rest,
        )


def _target(request: web.Request) -> tuple[str, str]:
    """The raw path and the host, from a target in origin form or (through a proxy) in absolute form."""
    raw = request.raw_path
    if raw.startswith("/"):
        return raw.partition("?")[0], request.headers.get("Host", "")
    if "://" not in raw:
        raise BadRequest("the request's target is neither a path nor a URL")
    return request.rel_url.raw_path, request.url.raw_host or ""


async def _nothing_of_our_own(request: web.Request) -> PicloudError:
    """Why no handler of PiCloud's own took a request to a reserved path: 404 or 405."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if not isinstance(resource, CatchAll):
            allowed |= (await resource.resolve(request))[1]
    return MethodNotAllowed(sorted(allowed)) if allowed else NotFound("page", request.path)
