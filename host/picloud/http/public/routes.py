"""The data plane: finds the script for a request and executes it."""

from __future__ import annotations

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from picloud.control.routing_cache import AppRouting
from picloud.core.errors import BadRequest, MethodNotAllowed, NotFound, PicloudError, UnknownHost
from picloud.execution.platform import Platform
from picloud.http.caller import optional_principal
from picloud.http.edge.expect_continue import check_expect
from picloud.http.edge.middleware import REQUEST_ID, as_picloud_error
from picloud.http.edge.peer import peer
from picloud.http.edge.request_body import read_body
from picloud.http.edge.responses import error_response
from picloud.http.public.cors import allow, is_preflight, preflight
from picloud.http.public.invoke import MAX_BODY, invoke
from picloud.identity.token_search import holds_token
from picloud.routing.paths import Segments, split_path
from picloud.routing.pattern import is_reserved


class CatchAll(web.PlainResource):
    """Matches every path that no other resource does, without the cost of a pattern."""

    def __init__(self, handler: Handler) -> None:
        """Create the resource; `handler` handles all methods."""
        super().__init__("/")
        self.add_route("*", handler, expect_handler=check_expect)

    def _match(self, path: str) -> dict[str, str] | None:
        return {}


class Public:
    """Handles requests to the routes of apps."""

    def __init__(self, platform: Platform) -> None:
        self._services = platform

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle a request: host -> app, method and path -> route, route -> script.

        Returns:
            The script's response. If the app has CORS settings, errors of the app are returned, not raised,
            so that they get the CORS headers.

        Raises:
            NotFound, MethodNotAllowed, UnknownHost: no route matches.
            BadRequest, BodyTooLarge, RequestTimeout: the request cannot be read.
            Unavailable: the routes are not cached and the database cannot be reached.
        """
        segments = split_path(request.raw_path.partition("?")[0])
        if is_reserved(segments):
            raise await _reserved_path_error(request)
        path = "/" + "/".join(segments)
        requested_host = peer(request).host
        # Unlike a header, these cannot be removed before the script sees them.
        if holds_token(f"{request.method} {requested_host} {path}"):
            raise BadRequest("the path contains a PiCloud token; send it in the Authorization header")
        found = await self._services.directory.find(requested_host)
        if found is None:
            raise UnknownHost(requested_host)
        app, host = found
        if app.cors is None:
            return await self._dispatch(request, app, host, segments, path)
        if is_preflight(request):
            return preflight(app.cors, request)
        response: web.StreamResponse
        try:
            response = await self._dispatch(request, app, host, segments, path)
        except PicloudError as error:
            response = error_response(error, request[REQUEST_ID])
        except web.HTTPException as error:
            response = error_response(as_picloud_error(error), request[REQUEST_ID])
        allow(app.cors, request, response)
        return response

    async def _dispatch(
        self, request: web.Request, app: AppRouting, host: str, segments: Segments, path: str
    ) -> web.StreamResponse:
        try:
            match = app.routes.match(request.method, host, segments)
        except MethodNotAllowed as error:
            if request.method == hdrs.METH_OPTIONS:
                return web.Response(status=204, headers=error.headers)
            raise
        # Read the body first, then look up the caller: a key revoked in the meantime must not count.
        body = await read_body(request, MAX_BODY, self._services.body_seconds)
        principal = await optional_principal(self._services.principals, request)
        live = await self._services.live_scripts.get(app.app_id, match.route.script_id)
        return await invoke(
            self._services,
            request,
            live.version,
            ingress="route",
            path=path,
            body=body,
            params=match.params,
            rest=match.rest,
            principal=principal,
        )


async def _reserved_path_error(request: web.Request) -> PicloudError:
    """Return the error for a reserved path that no handler of PiCloud matched: 404 or 405."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if not isinstance(resource, CatchAll):
            allowed |= (await resource.resolve(request))[1]
    return MethodNotAllowed(sorted(allowed)) if allowed else NotFound("page", request.path)
