"""The data plane: one request -> the script that answers it."""

from __future__ import annotations

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from picloud.control.routing_cache import AppRouting
from picloud.core.errors import BadRequest, MethodNotAllowed, NotFound, PicloudError, UnknownHost
from picloud.execution.platform import Platform
from picloud.http.caller import visitor
from picloud.http.edge.expect_continue import check_expect
from picloud.http.edge.middleware import REQUEST_ID, as_picloud_error
from picloud.http.edge.peer import peer
from picloud.http.edge.request_body import read_body
from picloud.http.edge.responses import error_response
from picloud.http.public.cors import allow, is_preflight, preflight
from picloud.http.public.invoke import MAX_BODY, invoke
from picloud.identity.tokens import holds_token
from picloud.routing.paths import Segments, split_path
from picloud.routing.pattern import is_reserved


class CatchAll(web.PlainResource):
    """Every path that no other resource has; a pattern would cost the data plane a match a request."""

    def __init__(self, handler: Handler) -> None:
        """Make it. Args: handler: what answers, whatever the method."""
        super().__init__("/")
        self.add_route("*", handler, expect_handler=check_expect)

    def _match(self, path: str) -> dict[str, str] | None:
        return {}


class Public:
    """Answers what is not PiCloud's own."""

    def __init__(self, platform: Platform) -> None:
        self._services = platform

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request: host -> app, method and path -> route, route -> script.

        Args:
            request: any request that no other handler has.

        Returns:
            The script's response; where the app has CORS settings, also errors that concern the app.

        Raises:
            NotFound, MethodNotAllowed, UnknownHost: nothing answers.
            BadRequest, BodyTooLarge, RequestTimeout: the request cannot be read.
            Unavailable: where it goes had to be read and the database cannot be reached.
        """
        segments = split_path(request.raw_path.partition("?")[0])
        if is_reserved(segments):
            raise await _nothing_of_our_own(request)
        path = "/" + "/".join(segments)
        if holds_token(path):  # a path cannot lose it on its way to the script, as headers do
            raise BadRequest("the path holds a credential of PiCloud; send it in the Authorization header")
        asked = peer(request).host
        found = await self._services.directory.find(asked)
        if found is None:
            raise UnknownHost(asked)
        app, host = found
        if app.cors is None:
            return await self._answer(request, app, host, segments, path)
        if is_preflight(request):
            return preflight(app.cors, request)
        response: web.StreamResponse
        try:
            response = await self._answer(request, app, host, segments, path)
        except PicloudError as error:
            response = error_response(error, request[REQUEST_ID])
        except web.HTTPException as error:
            response = error_response(as_picloud_error(error), request[REQUEST_ID])
        allow(app.cors, request, response)
        return response

    async def _answer(
        self, request: web.Request, app: AppRouting, host: str, segments: Segments, path: str
    ) -> web.StreamResponse:
        try:
            match = app.routes.match(request.method, host, segments)
        except MethodNotAllowed as error:
            if request.method == hdrs.METH_OPTIONS:
                return web.Response(status=204, headers=error.headers)
            raise
        # The body first: who calls is asked when all of it is there, so that a key which is revoked while
        # it arrives counts no longer.
        body = await read_body(request, MAX_BODY, self._services.body_seconds)
        principal = await visitor(self._services.principals, request)
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


async def _nothing_of_our_own(request: web.Request) -> PicloudError:
    """Why no handler of PiCloud's own took a request to a reserved path: 404 or 405."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if not isinstance(resource, CatchAll):
            allowed |= (await resource.resolve(request))[1]
    return MethodNotAllowed(sorted(allowed)) if allowed else NotFound("page", request.path)
