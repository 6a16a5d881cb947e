"""`POST /api/v1/execute/{script_id}`: executes a script by id, without a route."""

from __future__ import annotations

from aiohttp import web

from picloud.core.errors import (
    BadRequest,
    BodyTooLarge,
    Forbidden,
    Invalid,
    NotFound,
    RequestTimeout,
    Unauthenticated,
    Unavailable,
    UnknownEncoding,
)
from picloud.core.ids import parse_id
from picloud.execution.live_scripts import LiveScript
from picloud.execution.platform import Platform
from picloud.http.caller import optional_principal
from picloud.http.edge.request_body import read_body
from picloud.http.public.invoke import MAX_BODY, invoke
from picloud.http.standalone_endpoint import StandaloneEndpoint
from picloud.identity.capabilities import authorise
from picloud.identity.principal import Principal


class Execute:
    """Executes scripts by id."""

    def __init__(self, platform: Platform) -> None:
        self._services = platform

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Execute the script with the body, headers and query of the request.

        Returns:
            The script's response.

        Raises:
            NotFound: the script does not exist.
            Unauthenticated, Forbidden: it is for members only.
            Invalid: it is a module.
            BadRequest, BodyTooLarge, RequestTimeout: the request cannot be read.
        """
        live, principal = await self._authorise(request)  # before the body is read
        body = await read_body(request, MAX_BODY, self._services.body_seconds)
        if request.body_exists:  # access may have been revoked while the body arrived
            live, principal = await self._authorise(request)
        return await invoke(
            self._services,
            request,
            live.version,
            ingress="execute",
            path=request.path,
            body=body,
            principal=principal,
        )

    async def _authorise(self, request: web.Request) -> tuple[LiveScript, Principal | None]:
        """Return the script and its caller, if the caller has access now."""
        name = request.match_info["script_id"]
        script_id = parse_id(name)
        if script_id is None:
            raise NotFound("script", name)
        app_id = await self._services.live_scripts.app_of(script_id)
        live = await self._services.live_scripts.get(app_id, script_id)
        members_only = live.access == "members" or (
            live.access == "routed" and not await self._services.routed_scripts.has_route(app_id, script_id)
        )
        principal = await optional_principal(self._services.principals, request, needed=members_only)
        if members_only:
            authorise(principal, "app.read", app_id)
        if live.version.kind != "endpoint":
            raise Invalid("a module cannot be executed; import it from another script")
        return live, principal


ENDPOINTS = (
    StandaloneEndpoint(
        method="POST",
        path="/api/v1/execute/{script_id}",
        handler=lambda platform: Execute(platform).handle,
        tag="execute",
        name="execute",
        summary="Execute a script",
        about=(
            "Executes a script by id, without a route. The script gets the body, headers and query. The "
            "response of an execution has the header `X-Execution-Id`. A script with `execute_access` "
            '"members" requires a login and `app.read` in its app. So does one with "routed", the default, '
            "while no route leads to it."
        ),
        errors=(
            BadRequest,
            Unauthenticated,
            Forbidden,
            NotFound,
            RequestTimeout,
            BodyTooLarge,
            UnknownEncoding,
            Invalid,
            Unavailable,
        ),
        all_hosts=True,
        scripted=True,
    ),
)
