"""`POST /api/v1/execute/{script_id}`: a script directly, whatever its routes."""

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
from picloud.http.caller import visitor
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
        """Execute a script; the request's body, headers and query are the script's.

        Args:
            request: with `script_id` in its path.

        Returns:
            The script's response.

        Raises:
            NotFound: there is no such script.
            Unauthenticated, Forbidden: it is for members only.
            Invalid: it is a module.
            BadRequest, BodyTooLarge, RequestTimeout: the request cannot be read.
        """
        live, principal = await self._let_in(request)  # nobody's body is read for a script that is not theirs
        body = await read_body(request, MAX_BODY, self._services.body_seconds)
        if request.body_exists:  # what ended or was changed while it arrived counts
            live, principal = await self._let_in(request)
        return await invoke(
            self._services,
            request,
            live.version,
            ingress="execute",
            path=request.path,
            body=body,
            principal=principal,
        )

    async def _let_in(self, request: web.Request) -> tuple[LiveScript, Principal | None]:
        """The script and who calls it, where they may at this moment."""
        name = request.match_info["script_id"]
        script_id = parse_id(name)
        if script_id is None:
            raise NotFound("script", name)
        app_id = await self._services.live_scripts.app_of(script_id)
        live = await self._services.live_scripts.get(app_id, script_id)
        principal = await visitor(self._services.principals, request, needed=live.members_only)
        if live.members_only:
            authorise(principal, "app.read", app_id)
        if live.version.kind != "endpoint":
            raise Invalid("a module cannot be executed; it is imported by other scripts")
        return live, principal


ENDPOINTS = (
    StandaloneEndpoint(
        method="POST",
        path="/api/v1/execute/{script_id}",
        handler=lambda platform: Execute(platform).handle,
        tag="execute",
        name="execute",
        summary="Execute a script, whatever its routes",
        about=(
            "Body, headers and query are the script's. Every answer of an execution has an `X-Execution-Id`. "
            'A script with `execute_access` "members" needs a log-in and `app.read` in its app.'
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
        everywhere=True,
        scripted=True,
    ),
)
